"""The posterior of all hypotheses on some events, once it is known which update leads and which waves may be its doing.

One cause is assumed. A wave may begin at any minute, an update acts when its installs say; so of the two the wave
always fits a little better, and one that may be the update's own doing must not outweigh it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fleetcrash.arrays import Floats, Ints
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.hypotheses.waves import Waves
from fleetcrash.attribution.weighing.rivalry import EXPLAINED_SHARE, Rivalry, strongest
from fleetcrash.times import DAY

# A wave in a fleet every twenty days.
_LOG_PRIOR_WAVE_A_MINUTE = float(np.log(0.05 / DAY))


@dataclass(frozen=True)
class Odds:
    """What the events say for each hypothesis.

    Attributes:
        trial, waves: of the events.
        leader: row in the trial of the likeliest update; None where none is on trial.
        log_updates: (U,) log weight of each update, its prior included; nothing weighs zero.
        log_waves: (n, SHAPES) of each wave, without the prior of its minute; one that may be the doing of the leader,
            or of an update hardly told from it, weighs no more than what speaks for that.
        probabilities: (U,) posterior of each update. of_any_wave: that of all waves together; the rest is nothing.
        log_margin: how much better the leader explains the events than the best wave that is not its own beginning.
        is_tied: a wave that may be the leader's doing, or that of an update hardly told from it, explains them better.
        lacks_contrast: hosts with the leader and those beside them say too little for it; where it is not known which
            these are, the time of its release does.
        begins_with_leader: the best wave begins within an hour after the leader's release, in hosts that mostly had it.
        foremost: row and shape of the wave that explains most, whoever may have begun it.
        log_of_place, pushed: of an update by its index, see ``Rivalry``.
        is_known: another incident names the leader, which is behind these events, too: hosts say so, or it goes on.
        goes_on: they are no more than it was to bring about after that one.
        is_latent: they struck long after the leader was installed, as ``odds._of_latent_fault`` has it.
        begun_with: another update, by its index, with whose push the leader's fault began, and which may need it.
    """

    trial: Trial
    waves: Waves
    leader: int | None
    log_updates: Floats
    log_waves: Floats
    probabilities: Floats
    of_any_wave: float
    log_margin: float
    is_tied: bool
    lacks_contrast: bool
    begins_with_leader: bool
    foremost: tuple[int, int] | None
    log_of_place: Callable[[int], float]
    pushed: Callable[[int], Ints]
    is_known: bool = False
    goes_on: bool = False
    is_latent: bool = False
    begun_with: int | None = None

    @property
    def best_wave(self) -> tuple[int, int] | None:
        """Row and shape of the strongest wave."""
        return strongest(self.log_waves)

    @property
    def onset(self) -> int | None:
        """The minute in which the strongest wave began."""
        best = self.best_wave
        return None if best is None else self.waves.beginning(best).onset

    @property
    def log_acquittal(self) -> float:
        """How much better the best wave, or nothing, explains the events than the leader."""
        if self.leader is None:
            return -np.inf
        return float(self.log_waves.max(initial=0.0)) - float(self.trial.log_evidence[self.leader])

    @property
    def near(self) -> Ints:
        """Rows of the updates that the evidence hardly tells from the leader, which is one of them."""
        return near_best(self.log_updates)


def of_leader(
    rivalry: Rivalry, leader: int, log_updates: Floats, *, is_told: bool = False, share: float = EXPLAINED_SHARE
) -> Odds:
    """The odds, once it is known which waves the leading update may have begun.

    Args:
        is_told: that it is the update, and not the moment: no wave among its hosts says why these are struck.
        share: of the events of a wave that begins with it so many happened to its hosts.
    """
    if is_told:
        its_own = later = rivalry.among(leader, share)
    else:
        its_own, later = rivalry.begun_by(leader, share)
    beside, is_tied_at_once = rivalry.tie(rivalry.of_waves, its_own, leader)
    log_waves, is_tied_later = rivalry.tie(beside, later, leader)
    is_tied = is_tied_at_once or is_tied_later
    # Nor does a wave acquit an update that is hardly told from the leader, and may have begun it.
    for row in (row for row in near_best(log_updates).tolist() if row != leader and len(rivalry.waves)):
        log_waves, is_its = rivalry.tie(log_waves, np.logical_or(*rivalry.begun_by(row)), row)
        is_tied |= is_its
    if is_told and rivalry.update(leader) == rivalry.named_before:
        # Once hosts crash no more, a wave that began before the fault and was over with it fits ever better. But it
        # says no better than before why hosts without the update were spared.
        log_waves = np.where(its_own, log_waves - LOG_THOUSAND, log_waves)
    # Where hosts, or nobody, can tell the update from its moment, what began with it is no rival.
    is_rival = ~its_own if is_told or rivalry.is_its_own(leader) else np.ones_like(its_own)
    best_rival = float(np.max(beside, where=is_rival, initial=0.0))
    return replace(
        posterior(rivalry, leader, log_updates, log_waves),
        log_margin=float(rivalry.trial.log_evidence[leader]) - best_rival,
        is_tied=is_tied,
        lacks_contrast=not is_told and rivalry.lacks_contrast(leader),
    )


def posterior(rivalry: Rivalry, leader: int | None, log_updates: Floats, log_waves: Floats) -> Odds:
    """The posterior, before anything is asked about the leader."""
    trial, waves = rivalry.trial, rivalry.waves
    log_any_wave = float(np.logaddexp.reduce(log_waves, axis=None, initial=-np.inf)) + _LOG_PRIOR_WAVE_A_MINUTE
    total = np.logaddexp.reduce(np.concatenate([log_updates, [log_any_wave, 0.0]]))
    return Odds(
        trial,
        waves,
        leader,
        log_updates,
        log_waves,
        probabilities=np.exp(log_updates - total),
        of_any_wave=float(np.exp(log_any_wave - total)),
        log_margin=-np.inf,
        is_tied=False,
        lacks_contrast=False,
        begins_with_leader=leader is not None and rivalry.begins_soon_after(leader, log_waves),
        foremost=rivalry.foremost,
        log_of_place=rivalry.log_of_place,
        pushed=rivalry.pushed,
    )


def near_best(log_updates: Floats) -> Ints:
    """Rows of the updates that are hardly told from the one with the largest log weight (U,), which is one of them."""
    return np.flatnonzero(log_updates > log_updates.max(initial=-np.inf) - LOG_THOUSAND)
