"""The verdict: which one change did it, or that none did, or that the data cannot tell.

One cause is assumed for one incident. Its posterior weighs every update against every wave and against nothing; an
update is named only when its own sequential test has passed as well, and when the events themselves, without the
prior's help, prefer it to every wave: a wave that happens to start with a push must not become the push's fault.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution import suspects
from fleetcrash.attribution.suspects import Trial
from fleetcrash.attribution.waves import LENGTHS, Waves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAMING_PROBABILITY = 0.9
KEEPING_PROBABILITY = 0.5  # a name once given is kept until the odds turn, so that the page does not flap
LOG_PRIOR_UPDATE = float(np.log(1e-3))
# About one update in a thousand crashes hosts: a few incidents in some 2,000 content updates a year.
_LOG_PRIOR_AGAIN = float(np.log(0.5))
# One that an earlier incident named is as likely as not behind the next.
_LOG_PRIOR_WAVE_A_MINUTE = float(np.log(0.05 / 1440))
# A wave in a fleet every twenty days.
_LOG_MARGIN = 3.0
# The events must prefer the update to the best wave twenty to one before the prior is asked ...
_LOG_ACQUITTAL = 7.6
# ... and the best wave to the update two thousand to one: it was chosen from as many onsets and lengths.
COINCIDENT_MINUTES = 2
_EXPLAINED_SHARE = 0.8
# A wave that begins so close to an update's release, and so many of whose hosts had the update, is not told from it.
JUDGING_MINUTES = 15
# How long an undetermined incident is given before a tie is called a tie.
_SOON_MINUTES = 60


class Kind(StrEnum):
    """What an incident's verdict may be."""

    UPDATE = "update"
    NO_UPDATE = "no_update"
    CANNOT_SEPARATE = "cannot_separate"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Judgement:
    """A verdict with its weights.

    Attributes:
        kind: the verdict.
        update: index of the named update, else None.
        probabilities: (U,) posterior of each update of the trial; the rest is "no change".
        wave: index of the strongest wave and of its length, None without a wave.
        log_margin: log of how much better the leading update explains the events than the best wave.
    """

    kind: Kind
    update: int | None
    probabilities: Floats
    wave: tuple[int, int] | None
    log_margin: float


def judge(
    trial: Trial,
    waves: Waves,
    *,
    released_minute: Ints,
    place_log_weight: Floats,
    minutes_open: int,
    before: Kind,
    named_before: int | None,
    named_elsewhere: Collection[int] = (),
) -> Judgement:
    """Weigh the hypotheses.

    Args:
        released_minute: (U,) minute in which each update of the trial was released.
        place_log_weight: (places,) log prior of each slice or place of a wave.
        minutes_open: minutes since the alarm.
        before, named_before: the verdict so far, and the update that it names.
        named_elsewhere: updates that earlier incidents name.
    """
    again = np.isin(trial.updates, list(named_elsewhere))
    of_updates = trial.log_evidence + np.where(again, _LOG_PRIOR_AGAIN, LOG_PRIOR_UPDATE)
    leader = int(np.argmax(of_updates)) if len(trial.updates) else None
    of_waves = waves.log_evidence + place_log_weight[waves.place][:, None] - np.log(len(LENGTHS))
    tied = False
    if leader is not None:
        of_waves, tied = _tie(of_waves, waves, trial, leader, int(released_minute[leader]))
    total_wave = np.logaddexp.reduce(of_waves, axis=None, initial=-np.inf) + _LOG_PRIOR_WAVE_A_MINUTE
    total = np.logaddexp.reduce(np.concatenate([of_updates, [total_wave, 0.0]]))
    probabilities = np.exp(of_updates - total)
    best_wave = None
    best_wave_evidence = 0.0
    if len(waves):
        row, length = np.unravel_index(int(np.argmax(of_waves)), of_waves.shape)
        best_wave = (int(row), int(length))
        best_wave_evidence = float(of_waves[row, length])
    margin = -np.inf if leader is None else float(trial.log_evidence[leader]) - best_wave_evidence

    def verdict(kind: Kind, update: int | None = None) -> Judgement:
        return Judgement(kind, update, probabilities, best_wave, margin)

    # Until the installs of the last minutes are told, a wave after a release has hosts that the update lacks.
    early = minutes_open < JUDGING_MINUTES and _may_be_its(waves, best_wave, trial, leader, released_minute)
    if leader is not None:
        update = int(trial.updates[leader])
        named = update == named_before
        if (
            probabilities[leader] >= _enough(named)
            and trial.log_test[leader] >= suspects.LOG_THRESHOLD
            and margin >= (-_LOG_ACQUITTAL if named else _LOG_MARGIN)
        ):
            return verdict(Kind.UPDATE, update)
    by_wave = np.exp(total_wave - total) >= _enough(before is Kind.NO_UPDATE)
    if not early and (by_wave or (leader is not None and margin < -_LOG_ACQUITTAL)):
        return verdict(Kind.NO_UPDATE)
    by_some_update = probabilities.sum() >= _enough(before is Kind.CANNOT_SEPARATE)
    if minutes_open >= JUDGING_MINUTES and (tied or by_some_update):
        return verdict(Kind.CANNOT_SEPARATE)
    return verdict(Kind.UNDETERMINED)


def _enough(kept: bool) -> float:
    """The probability that a verdict needs, which is less for the one that is given already."""
    return KEEPING_PROBABILITY if kept else NAMING_PROBABILITY


def _may_be_its(
    waves: Waves, best: tuple[int, int] | None, trial: Trial, leader: int | None, released_minute: Ints
) -> bool:
    """Whether the best wave begins within an hour after the leading update's release, in hosts that mostly had it."""
    if best is None or leader is None:
        return False
    after = int(waves.onset[best[0]]) - int(released_minute[leader])
    return -COINCIDENT_MINUTES <= after <= _SOON_MINUTES and bool(_explained(waves, trial, leader)[best])


def _explained(waves: Waves, trial: Trial, leader: int) -> NDArray[np.bool_]:
    """(n, LENGTHS) whether most of the events of a wave happened to hosts that had the leading update."""
    share: NDArray[np.bool_] = trial.events[:, leader].sum((0, 1)).max() >= _EXPLAINED_SHARE * waves.events.sum(0)
    return share


def _tie(of_waves: Floats, waves: Waves, trial: Trial, leader: int, released_minute: int) -> tuple[Floats, bool]:
    """Let no wave that may have begun with the leading update's release be better than the update.

    A wave begins at any minute, an update acts when its installs say; so of the two the wave always fits a little
    better. Where it begins with the release, or the events can hardly tell its beginning from the release, and most of
    its hosts had the update, that does not acquit the update.

    Returns:
        the evidence on waves, lowered where it must be, and whether it was.
    """
    explained = _explained(waves, trial, leader)
    with_release = np.abs(waves.onset - released_minute) <= COINCIDENT_MINUTES
    from_release = np.full(waves.place.max(initial=0) + 1, -np.inf)
    best = np.max(of_waves, axis=1, where=explained & with_release[:, None], initial=-np.inf)
    np.maximum.at(from_release, waves.place, best)
    same = explained & (of_waves <= from_release[waves.place][:, None] + _LOG_MARGIN)
    most = float(trial.log_evidence[leader])
    excess = np.max(of_waves, where=same, initial=-np.inf) - most
    if excess <= 0:
        return of_waves, False
    return np.where(same, np.minimum(of_waves - excess, most), of_waves), True
