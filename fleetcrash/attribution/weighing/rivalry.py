"""Rivalry: which waves an update may have begun itself, and what hosts with it and those beside them say to that.

A wave that an update may have begun stays, but weighs no more than the update: a tie (``Rivalry.tie``). Which these are
``begun_by`` says where the time alone speaks for the update, and ``among`` where hosts have spoken for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.facts.exposure import AGES, BOOT_MINUTES
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.hypotheses.waves import LENGTHS, Waves
from fleetcrash.counts import clearly_more
from fleetcrash.times import DAY

Contrast = Callable[[int], float]
"""What hosts with an update, by its index, and those beside them say for it; see ``contrast.Compared.log_most``."""

# What the events may say more for one beginning of a wave than for another, and nobody could tell the two.
LOG_MARGIN = 3.0

# A wave that begins so close to an update's release, and so many of whose hosts had the update, is not told from it ...
COINCIDENT_MINUTES = 2
EXPLAINED_SHARE = 0.8
# ... unless it is so small a part of what speaks for the update: then most came later, and the beginning is chance.
# Of the boots with an update so few may be before a wave that begins with them.
_LITTLE = 0.1

# Where the time since their installs tells, half will do: of the other hosts the installs may be lost.
TOLD_SHARE = 0.5

# Of the events of a fault so many are something else, or of hosts that never tell of their install; a few are any day.
_STRAY = 0.02
_FEW = 2

# A fault may take an hour to strike; where no installs are on record, its first ring may get the update hours later.
SOON_MINUTES = 60
_STAGED_MINUTES = DAY

# Hosts with the update must not crash clearly less than those beside them. Where all have it nothing is said, which is
# zero, or less if a few crashed that do not tell of their install, or for something else.
LOG_NO_CONTRAST = -1.0
# Of one that is named, and that so few of the struck hosts lack, it takes a thousand to one: who falls silent at once
# never tells of its install.
_UNTOLD = 0.05
# Where a wave began with the push, or the rise may be older than any wave that is known, they have to crash so much
# more: as a ratio of likelihoods, looked at for as long as the incident is open, it gets there for an
# innocent update one time in sixty at most (Ville's inequality).
_LOG_CONTRAST = float(np.log(60))
# Where a wave explains nearly as much they have to say so much more. A rise that grows by itself fits an update that
# everybody has a little better than a wave, for it may act at each age in its own way; and hosts say nothing then.
LOG_HINT = 1.0


class Begun(NamedTuple):
    """(n, SHAPES) which waves may have begun with a push of an update.

    Attributes:
        at_once: with the push, as far as anybody can tell.
        later: within the time after it in which hosts may first be struck.
    """

    at_once: Mask
    later: Mask


@dataclass(frozen=True)
class Rivalry:
    """Updates and the waves that each may have begun.

    Attributes:
        trial, waves: of the events.
        of_waves: (n, SHAPES) log weight of each wave, its prior included but for that of its minute.
        pushed: of an update by its index the minutes in which many hosts began to get it, in order; the first is that
            of its release.
        stands_there: (spots,) whether it is one where hosts stand, such as a region.
        acquitting: (spots,) of these, those where a wave is not the doing of an update that strikes after a while, for
            an update strikes what hosts are.
        of_strata: (spots,) whether it is made of whole strata; within one, hosts are compared with those beside.
        contrast: None where no installs are on record, so that exposure goes by releases and nothing sets hosts apart.
        of_rollout: of an update by its index, (spots,) the slices that its rollout makes: of what it sets, as an
            upgrade does the agent's version, and of rings. A wave there is hardly apart from its hosts.
        known_from: the first minute in which a wave may begin. settled_from: that, or the last one of another incident
            that nobody understands.
        strikes_late: of an update by its index, whether most of what it may have done came an hour or more after its
            installs.
        booted_before: of an update by its index, (n,) what part of the time soon after boots with it was before minutes
            (n,).
        ever: (U,) how many of the events happened to hosts that had each update for however long, of those that another
            incident names; zero of all others.
        named_before: the update that is named so far.
    """

    trial: Trial
    waves: Waves
    of_waves: Floats
    pushed: Callable[[int], Ints]
    stands_there: Mask
    acquitting: Mask
    of_strata: Mask
    contrast: Contrast | None
    of_rollout: Callable[[int], Mask]
    known_from: int
    settled_from: int
    strikes_late: Callable[[int], bool]
    booted_before: Callable[[int, Ints], Floats]
    ever: Ints
    named_before: int | None = None

    def update(self, row: int) -> int:
        """The update of a row of the trial, by its index."""
        return int(self.trial.updates[row])

    def hosts_say(self, row: int) -> float:
        """What hosts with an update and those beside them say for it."""
        return 0.0 if self.contrast is None else self.contrast(self.update(row))

    def fares_worse(self, row: int) -> bool:
        """Whether hosts without an update clearly fare worse than those with it."""
        is_named = self.update(row) == self.named_before and self.foremost is not None
        is_of_all = is_named and bool(self._explained(row, 1.0 - _UNTOLD)[self.foremost])
        return self.hosts_say(row) < (-LOG_THOUSAND if is_of_all else LOG_NO_CONTRAST)

    @property
    def foremost(self) -> tuple[int, int] | None:
        """Row and shape of the wave that explains most, whoever may have begun it."""
        return strongest(self.of_waves)

    def log_of_place(self, update: int) -> float:
        """How much better the best wave beside an update explains the events than the best in hosts of whole strata.

        Nothing where there is none beside it.
        """
        beside = self.of_waves[~self.of_rollout(update)[self.waves.spot]]
        at_large = self.of_waves[self.of_strata[self.waves.spot]]
        return float(max(beside.max(initial=-np.inf) - at_large.max(), 0.0)) if at_large.size else np.inf

    def begun_by(self, row: int, share: float = EXPLAINED_SHARE) -> Begun:
        """Which waves, in hosts that mostly had an update, may have begun with a push of it.

        One that does, or whose beginning the events can hardly tell from the push, does not acquit the update.

        Args:
            share: of the events of a wave that begins at once so many happened to those hosts.
        """
        late = _STAGED_MINUTES if self.contrast is None else SOON_MINUTES
        after = self._after(row)[:, None]
        delayed = self._explained(row) & (after >= -COINCIDENT_MINUTES) & (after <= late)
        # One that reaches back to before, and says no more by it, is the same as a later one.
        delayed |= self._explained(row) & self._no_better_than(delayed)
        delayed |= self._explained(row) & self._begins_with_boots(row)[:, None]
        delayed &= ~self.acquitting[self.waves.spot][:, None]
        if delayed.any() and self.fares_worse(row) and self._leaves_out_many(row):
            delayed[:] = False
        return Begun(self._with_push(row, share), delayed)

    def among(self, row: int, share: float = EXPLAINED_SHARE) -> Mask:
        """(n, SHAPES) the waves in hosts that mostly had an update, but for those of long before its release.

        One that reaches back to then, and says no more by it or has hardly an event more, is the same as a later one:
        of a fault that is over it may only end at a better time.

        Args:
            share: of the events of a wave that begins within an hour after a push so many happened to those hosts.
        """
        explained, after_release = self._explained(row), (self.waves.onset - int(self._pushed(row)[0]))[:, None]
        since = explained & (after_release >= -SOON_MINUTES)
        same = self._no_better_than(since) | self._hardly_more_than(since)
        return since | (explained & same) | self._with_push(row, share, SOON_MINUTES)

    def is_its_own(self, row: int) -> bool:
        """Whether a wave that begins with an update is that update, as far as anybody can tell.

        Where exposure goes by releases; and what hosts with it have and those beside them have not, no wave explains.
        """
        return self.contrast is None or self.hosts_say(row) >= LOG_THOUSAND

    def lacks_contrast(self, row: int) -> bool:
        """Whether hosts say too little for an update; where nobody knows which these are, its release."""
        if self.contrast is None:
            # By releases alone, whatever begins within the day would be some update's.
            foremost = self.foremost
            if foremost is None:
                return False
            return int(self._after(row)[foremost[0]]) > SOON_MINUTES or self._leaves_out(row, foremost)
        if self._begins_with(row) or self._is_outlasted(row):
            return self.hosts_say(row) < _LOG_CONTRAST
        return self.hosts_say(row) < (LOG_HINT if self._is_nearly_a_wave(row) else LOG_NO_CONTRAST)

    def tie(self, log_waves: Floats, begun: Mask, row: int) -> tuple[Floats, bool]:
        """Let no wave that may be an update's doing be better than the update; whether any was.

        Nor, where that is at a place, one that began after the push and explains less: of a site the customer has more.
        """
        wave, most = strongest(np.where(begun, log_waves, -np.inf)), float(self.trial.log_evidence[row])
        if wave is None or not begun[wave] or log_waves[wave] <= most:
            return log_waves, False
        excess, lowered = log_waves[wave] - most, begun
        if self.stands_there[self.waves.spot[wave[0]]]:
            since_push = (self._after(row) >= -COINCIDENT_MINUTES)[:, None]
            lowered = begun | (since_push & (log_waves <= log_waves[wave]))
        return np.where(lowered, np.minimum(log_waves - excess, most), log_waves), True

    def begins_soon_after(self, row: int, log_waves: Floats) -> bool:
        """Whether the best wave begins within an hour after a push of an update, in hosts that mostly had it.

        Args:
            log_waves: (n, SHAPES) what each wave weighs.
        """
        best = strongest(log_waves)
        if best is None:
            return False
        after = int(self._after(row)[best[0]])
        return -COINCIDENT_MINUTES <= after <= SOON_MINUTES and bool(self._explained(row)[best])

    def may_follow(self, row: int, wave: tuple[int, int], share: float = EXPLAINED_SHARE) -> bool:
        """Whether a wave is in hosts that mostly had an update, and begins not long before it nor long after a push.

        Args:
            share: see ``among``.
        """
        return bool(self.among(row, share)[wave]) and int(self._after(row)[wave[0]]) <= SOON_MINUTES

    def _with_push(self, row: int, share: float, latest: int = COINCIDENT_MINUTES) -> Mask:
        """(n, SHAPES) the waves that begin with a push, or as far as anybody can tell, in hosts that mostly had it.

        Args:
            latest: most minutes after the push in which it begins.
        """
        explained, after = self._explained(row, share), self._after(row)[:, None]
        return explained & self._no_better_than(explained & (after >= -COINCIDENT_MINUTES) & (after <= latest))

    def _begins_with_boots(self, row: int) -> Mask:
        """(n,) the waves that begin as hosts first boot with an update that strikes at boots.

        Where all are restarted at one time nobody can tell a fault that waited for it from what else began then.
        """
        if not self.trial.waits_for_boots(row):
            return np.zeros(len(self.waves), bool)
        soonest = self.waves.onset - BOOT_MINUTES[-1]  # of boots that what crashes at its beginning may be of
        return self.booted_before(self.update(row), soonest) <= _LITTLE

    def _leaves_out_many(self, row: int) -> bool:
        """Whether more than a few events of the foremost wave are none of an update: it takes more to acquit it."""
        foremost = self.foremost
        return foremost is None or self._of_others(row, foremost) > max(_FEW, _STRAY * self.waves.struck(foremost))

    def _leaves_out(self, row: int, wave: tuple[int, int]) -> bool:
        """Whether more events of a wave than chance allows for are none of an update: hosts tell that they lack it."""
        return bool(clearly_more(self._of_others(row, wave), _STRAY * self.waves.struck(wave)))

    def _of_others(self, row: int, wave: tuple[int, int]) -> float:
        """How many of the events of a wave, at least, happened to hosts that lack an update."""
        return self.waves.struck(wave) - self._with_it(row)

    def _no_better_than(self, some: Mask) -> Mask:
        """(n, SHAPES) the waves that the events hardly prefer to the best of some (n, SHAPES) at the same spot."""
        of_spot = np.full(self.waves.spot.max(initial=0) + 1, -np.inf)
        np.maximum.at(of_spot, self.waves.spot, np.max(self.of_waves, axis=1, where=some, initial=-np.inf))
        return self.of_waves <= of_spot[self.waves.spot][:, None] + LOG_MARGIN

    def _hardly_more_than(self, some: Mask) -> Mask:
        """(n, SHAPES) the waves with hardly an event more than that of some (n, SHAPES) at the same spot with most."""
        events = self.waves.events.sum(0)
        of_spot = np.full(self.waves.spot.max(initial=0) + 1, -np.inf)
        np.maximum.at(of_spot, self.waves.spot, np.max(events, axis=1, where=some, initial=-np.inf))
        return events <= of_spot[self.waves.spot][:, None] + np.maximum(_FEW, _STRAY * events)

    def _begins_with(self, row: int) -> bool:
        """Whether a wave from a push of an update on, in hosts that mostly had it, rose within the hour.

        Once a push has reached everybody, what follows it and what began beside it look alike, however many hosts
        crash: only hosts without the update, at the same moment, can tell. What is little beside all that followed
        later, as the first of the boots that a fault waits for, is no such wave.
        """
        least = max(LOG_MARGIN, _LITTLE * float(self.trial.log_evidence[row]))
        rose = self.waves.log_evidence[:, : int(np.searchsorted(LENGTHS, SOON_MINUTES, side="right"))] >= least
        with_push = np.abs(self._after(row)) <= COINCIDENT_MINUTES
        return bool((with_push[:, None] & rose & self._explained(row)[:, : rose.shape[1]]).any())

    def _is_outlasted(self, row: int) -> bool:
        """Whether the rise may be older than any wave that is known, and an update of before that did it slowly.

        It seems to be as old as the oldest such wave, or began while another that nobody understands went on: then no
        wave that was weighed against the update is the whole of it.
        """
        foremost = self.foremost
        if foremost is None or self.waves.beginning(foremost).onset > self.settled_from + SOON_MINUTES:
            return False
        is_older = int(self._pushed(row)[0]) <= self.known_from
        return is_older and self.strikes_late(self.update(row))

    def _is_nearly_a_wave(self, row: int) -> bool:
        """Whether a wave explains the events so well that an update is not a thousand times better."""
        most = float(self.of_waves.max(initial=-np.inf))
        return most > float(self.trial.log_evidence[row]) - LOG_THOUSAND

    def _pushed(self, row: int) -> Ints:
        return self.pushed(self.update(row))

    def _after(self, row: int) -> Ints:
        """(n,) minutes from the last push of an update to the beginning of each wave, which may be a little before."""
        pushed, onset = self._pushed(row), self.waves.onset
        last = np.searchsorted(pushed, onset + COINCIDENT_MINUTES, side="right") - 1
        return onset - pushed[np.maximum(last, 0)]

    def _explained(self, row: int, share: float = EXPLAINED_SHARE) -> Mask:
        """(n, SHAPES) whether most of the events of a wave, or such a share, happened to hosts that had an update."""
        return self._with_it(row) >= share * self.waves.events.sum(0)

    def _with_it(self, row: int) -> float:
        """How many of the events, at most, happened to hosts that had an update: for a day, or longer if known."""
        return max(float(self.trial.events[:, row, :AGES].sum((0, 1)).max()), float(self.ever[row]))


def strongest(log_waves: Floats) -> tuple[int, int] | None:
    """Row and shape of the wave that weighs most, if there is any."""
    if not len(log_waves):
        return None
    row, shape = np.unravel_index(int(np.argmax(log_waves)), log_waves.shape)
    return int(row), int(shape)
