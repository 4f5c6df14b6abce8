"""The verdict: which one change did it, or that none did, or that the data cannot tell.

One cause is assumed for one incident. Its posterior weighs every update against every wave and against nothing; an
update is named only when its own sequential test has passed as well, and when the events themselves, without the
prior's help, prefer it to every wave: a wave that happens to start with a push must not become the push's fault.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution import suspects
from fleetcrash.attribution.baseline import CRASH, CRASH_AT_BOOT, DARK
from fleetcrash.attribution.exposure import AGE_MINUTES, AGES
from fleetcrash.attribution.suspects import Trial
from fleetcrash.attribution.waves import LENGTHS, LOG_SHAPE, Waves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

NAMING_PROBABILITY = 0.9
_LOG_APART = float(np.log(999))
# Where hosts do not tell two updates apart, because all have both or nobody says which has what, only the time after
# each is left. How long a fault waits nobody knows beforehand, so the one that only seems to fit better must not be
# named; nor the one that the few hosts with but one of the two speak for a little, at one of many looks.
_EARLY_AGES = int(np.searchsorted(AGE_MINUTES, 10, side="right"))
# A fault that strikes within ten minutes shows which of two pushes it follows; not one that strikes at a boot: it may
# wait for it, and comes after whatever made the host boot.
_LATE_AGES = int(np.searchsorted(AGE_MINUTES, 240, side="right"))
# What strikes at a boot hours after an update may be of one of more than a day ago as well, which is not on trial any
# more: then hosts without the update have to tell ...
_LOG_PER_EVENT = 0.2
# ... and by so much an event: of an update that most hosts have, those that lack it were not online yesterday either,
# and lack whatever else came then.
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
# ... and the best wave to the update two thousand to one: it was chosen from as many onsets and lengths. Once the two
# were not told apart it takes the square of that, so that the verdict does not go back and forth.
_LOG_NO_CONTRAST = -0.2
# Hosts with the update must not crash less than those beside them; where all have it, nothing is said, which is zero.
_LOG_CONTRAST = float(np.log(60))
# Where a wave began with the push they have to crash so much more: as a ratio of likelihoods, looked at for as long as
# the incident is open, it gets there for an innocent update one time in sixty at most (Ville's inequality).
COINCIDENT_MINUTES = 2
_MOSTLY = 0.5
_EXPLAINED_SHARE = 0.8
# A wave that begins so close to an update's release, and so many of whose hosts had the update, is not told from it ...
_LITTLE = 0.1
# ... unless it is so small a part of what speaks for the update: then most came later, and the beginning is chance.
JUDGING_MINUTES = 15
# How long an undetermined incident is given before a tie is called a tie.
_SOON_MINUTES = 60
_STAGED_MINUTES = 1440
# A fault may take an hour to strike; where no installs are on record, its first ring may get the update hours later.


class Kind(StrEnum):
    """What an incident's verdict may be."""

    UPDATE = "update"
    NO_UPDATE = "no_update"
    CANNOT_SEPARATE = "cannot_separate"
    UNDETERMINED = "undetermined"

    @property
    def is_answer(self) -> bool:
        """Whether it says what did it, an update or none."""
        return self in (Kind.UPDATE, Kind.NO_UPDATE)


@dataclass(frozen=True)
class Judgement:
    """A verdict with its weights.

    Attributes:
        kind: the verdict.
        update: index of the named update, else None.
        probabilities: (U,) posterior of each update of the trial; the rest is "no change".
        wave: index of the strongest wave and of its shape, None without a wave.
        log_margin: log of how much better the leading update explains the events than the best wave.
        near: updates that the evidence does not tell from the leading one, which is one of them.
        is_doubted: an update would be named, were its witnesses not some of its hosts alone; see ``witnesses``.
    """

    kind: Kind
    update: int | None
    probabilities: Floats
    wave: tuple[int, int] | None
    log_margin: float
    near: tuple[int, ...] = ()
    is_doubted: bool = False

    def told_of(self, updates: Ints, own: Ints) -> Judgement:
        """The same, with a probability of each of more updates: none of those that were not weighed.

        Args:
            updates: (U,) all of them, in order. own: those that were weighed.
        """
        probabilities = np.zeros(len(updates))
        probabilities[np.searchsorted(updates, own)] = self.probabilities
        return replace(self, probabilities=probabilities)

    def leader(self, updates: Ints) -> int | None:
        """The likeliest of the updates (U,) that were weighed, where any change is likelier than none."""
        likely = float(self.probabilities.sum()) > _MOSTLY
        return int(updates[np.argmax(self.probabilities)]) if likely else None

    def taken_back(self, minutes_open: int) -> Judgement:
        """The same without the name, if there is one.

        Args:
            minutes_open: minutes since the alarm.
        """
        if self.update is None:
            return self
        kind = Kind.CANNOT_SEPARATE if minutes_open >= JUDGING_MINUTES else Kind.UNDETERMINED
        return replace(self, kind=kind, update=None)


def judge(
    trial: Trial,
    waves: Waves,
    *,
    released_minute: Ints,
    place_log_weight: Floats,
    stands_there: Mask,
    minutes_open: int,
    before: Kind,
    named_before: int | None,
    named_elsewhere: Collection[int] = (),
    contrast: Callable[[int], float] | None = None,
    is_doubtful: Callable[[int, int | None], bool] = lambda *_: False,
) -> Judgement:
    """Weigh the hypotheses.

    Args:
        released_minute: (U,) minute in which each update of the trial was released.
        place_log_weight: (places,) log prior of each slice or place of a wave.
        stands_there: (places,) whether a place is one where hosts stand, such as a region: an update that strikes after
            a while strikes what hosts are, so that a wave there is none of its doing.
        minutes_open: minutes since the alarm.
        before, named_before: the verdict so far, and the update that it names.
        named_elsewhere: updates that earlier incidents name.
        contrast: ``evidence.log_contrast`` of an update by its index; None where no installs are on record, so that
            exposure goes by releases and nothing sets hosts apart.
        is_doubtful: of an update by its index, and the minute in which the best wave began, if there is one; asked
            before one is named. See ``witnesses``.
    """
    again = np.isin(trial.updates, list(named_elsewhere))
    of_updates = trial.log_evidence + np.where(again, _LOG_PRIOR_AGAIN, LOG_PRIOR_UPDATE)
    leader = int(np.argmax(of_updates)) if len(trial.updates) else None
    of_waves = waves.log_evidence + place_log_weight[waves.place][:, None] + LOG_SHAPE
    rivals, most, tied, no_contrast = of_waves, -np.inf, False, False
    if leader is not None:
        released, most = int(released_minute[leader]), float(trial.log_evidence[leader])
        by_hosts = 0.0 if contrast is None else contrast(int(trial.updates[leader]))
        late = _STAGED_MINUTES if contrast is None else _SOON_MINUTES
        same, delayed = _begun_by(of_waves, waves, trial, leader, released, late)
        delayed &= ~stands_there[waves.place][:, None] & (by_hosts >= _LOG_NO_CONTRAST)
        rivals, with_release = _tie(of_waves, same, most)
        of_waves, later = _tie(rivals, delayed, most)
        tied = with_release or later
        # Where exposure goes by releases, a wave that begins with one is that update as far as anybody can tell; and
        # what hosts with it have and those beside them have not, no wave explains.
        rivals = rivals[~same] if contrast is None or by_hosts >= _LOG_APART else rivals
        if contrast is not None:
            least = _LOG_CONTRAST if _begins_with(waves, trial, leader, released) else _LOG_NO_CONTRAST
            no_contrast = by_hosts < least
    total_wave = np.logaddexp.reduce(of_waves, axis=None, initial=-np.inf) + _LOG_PRIOR_WAVE_A_MINUTE
    total = np.logaddexp.reduce(np.concatenate([of_updates, [total_wave, 0.0]]))
    probabilities = np.exp(of_updates - total)
    best_wave, onset, is_doubted = None, None, False
    if len(waves):
        row, shape = np.unravel_index(int(np.argmax(of_waves)), of_waves.shape)
        best_wave, onset = (int(row), int(shape)), int(waves.onset[row])
    margin = most - float(rivals.max(initial=0.0))
    near = np.flatnonzero(of_updates > of_updates.max(initial=-np.inf) - _LOG_APART)

    def verdict(kind: Kind, update: int | None = None) -> Judgement:
        told_from = tuple(trial.updates[near].tolist())
        return Judgement(kind, update, probabilities, best_wave, margin, told_from, is_doubted)

    # Until the installs of the last minutes are told, a wave after a release has hosts that the update lacks.
    early = minutes_open < JUDGING_MINUTES and _may_be_its(waves, best_wave, trial, leader, released_minute)
    acquittal = _LOG_ACQUITTAL * (2.0 if before is Kind.CANNOT_SEPARATE else 1.0)
    acquitted = leader is not None and of_waves.max(initial=0.0) - most > acquittal
    if leader is not None and not acquitted:
        named = int(trial.updates[leader]) == named_before
        likely, passed = probabilities[leader] >= _enough(named), trial.log_test[leader] >= suspects.LOG_THRESHOLD
        is_apart = named or _is_apart(trial, leader, near, contrast)
        stands = likely and passed and is_apart and (named or (margin >= _LOG_MARGIN and not no_contrast))
        is_old = named or trial.by_departures
        is_doubted = bool(stands) and not is_old and is_doubtful(int(trial.updates[leader]), onset)
        if stands and not is_doubted:
            return verdict(Kind.UPDATE, int(trial.updates[leader]))
        if not is_apart and probabilities[near].sum() >= KEEPING_PROBABILITY:
            kept = (of_updates > of_updates[leader] - _LOG_MARGIN) & (trial.log_test >= suspects.LOG_THRESHOLD)
            if named_before in trial.updates[kept]:
                return verdict(Kind.UPDATE, named_before)  # it was told apart before, and is not now
    by_wave = np.exp(total_wave - total) >= _enough(before is Kind.NO_UPDATE)
    if not early and (by_wave or acquitted):
        return verdict(Kind.NO_UPDATE)
    if before is Kind.NO_UPDATE and leader is not None and is_doubtful(int(trial.updates[leader]), onset):
        return verdict(Kind.NO_UPDATE)
    by_some_update = probabilities.sum() >= _enough(before is Kind.CANNOT_SEPARATE)
    if minutes_open >= JUDGING_MINUTES and (tied or no_contrast or by_some_update):
        return verdict(Kind.CANNOT_SEPARATE)
    return verdict(Kind.UNDETERMINED)


def _enough(kept: bool) -> float:
    """The probability that a verdict needs, which is less for the one that is given already."""
    return KEEPING_PROBABILITY if kept else NAMING_PROBABILITY


def _is_apart(trial: Trial, leader: int, near: Ints, contrast: Callable[[int], float] | None) -> bool:
    """Whether the leading update is told from every other one by more than by how long a fault takes to strike.

    Args:
        near: rows of the trial that the evidence hardly tells from the leader, which is one of them.
    """
    if contrast is None:
        return len(near) == 1
    events = trial.events[:, leader, :AGES, int(np.argmax(trial.log_by_slice[leader]))]
    if events[CRASH_AT_BOOT, _LATE_AGES:].sum() > _MOSTLY * events.sum():
        least = max(_LOG_MARGIN, _LOG_PER_EVENT * float(events.sum()))
        if contrast(int(trial.updates[leader])) < least:
            return False
    if len(near) == 1:
        return True
    if not trial.by_departures and events[[CRASH, DARK], :_EARLY_AGES].sum() >= _MOSTLY * events.sum():
        return True
    of_leader = contrast(int(trial.updates[leader]))
    return all(of_leader - contrast(int(trial.updates[one])) >= _LOG_APART for one in near if one != leader)


def _may_be_its(
    waves: Waves, best: tuple[int, int] | None, trial: Trial, leader: int | None, released_minute: Ints
) -> bool:
    """Whether the best wave begins within an hour after the leading update's release, in hosts that mostly had it."""
    if best is None or leader is None:
        return False
    after = int(waves.onset[best[0]]) - int(released_minute[leader])
    return -COINCIDENT_MINUTES <= after <= _SOON_MINUTES and bool(_explained(waves, trial, leader)[best])


def _explained(waves: Waves, trial: Trial, leader: int) -> Mask:
    """(n, SHAPES) whether most of the events of a wave happened to hosts that had the leading update."""
    share: Mask = trial.events[:, leader, :AGES].sum((0, 1)).max() >= _EXPLAINED_SHARE * waves.events.sum(0)
    return share


def _begins_with(waves: Waves, trial: Trial, leader: int, released_minute: int) -> bool:
    """Whether a wave from the leading update's release on, in hosts that mostly had it, rose within the hour.

    Once a push has reached everybody, what follows it and what began beside it look alike, however many hosts crash:
    only hosts without the update, at the same moment, can tell. What is little beside all that followed later, as the
    first of the boots that a fault waits for, is no such wave.
    """
    least = max(_LOG_MARGIN, _LITTLE * float(trial.log_evidence[leader]))
    rose = waves.log_evidence[:, : int(np.searchsorted(LENGTHS, _SOON_MINUTES, side="right"))] >= least
    with_release = np.abs(waves.onset - released_minute) <= COINCIDENT_MINUTES
    return bool((with_release[:, None] & rose & _explained(waves, trial, leader)[:, : rose.shape[1]]).any())


def _begun_by(
    of_waves: Floats, waves: Waves, trial: Trial, leader: int, released_minute: int, late: int
) -> tuple[Mask, Mask]:
    """(n, SHAPES) which waves, in hosts that mostly had the leading update, may have begun with its release.

    A wave begins at any minute, an update acts when its installs say; so of the two the wave always fits a little
    better. Where it begins with the release, or the events can hardly tell its beginning from the release, that does
    not acquit the update.

    Args:
        late: minutes after the release in which hosts may first be struck.
    Returns:
        Those, and those that begin within so many minutes after.
    """
    explained = _explained(waves, trial, leader)
    after = (waves.onset - released_minute)[:, None]
    from_release = np.full(waves.place.max(initial=0) + 1, -np.inf)
    best = np.max(of_waves, axis=1, where=explained & (np.abs(after) <= COINCIDENT_MINUTES), initial=-np.inf)
    np.maximum.at(from_release, waves.place, best)
    same = explained & (of_waves <= from_release[waves.place][:, None] + _LOG_MARGIN)
    return same, explained & (after >= -COINCIDENT_MINUTES) & (after <= late)


def _tie(of_waves: Floats, same: Mask, most: float) -> tuple[Floats, bool]:
    """Let no wave that may be the update's doing be better than the update; whether any was."""
    excess = np.max(of_waves, where=same, initial=-np.inf) - most
    if excess <= 0:
        return of_waves, False
    return np.where(same, np.minimum(of_waves - excess, most), of_waves), True
