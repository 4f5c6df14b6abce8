"""Contrast: what events say for an update by hosts that had it and the hosts beside them, at the same moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.evidence import log_contrast, log_contrast_by_age
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES, BOOTS, LONG_UP, HostTime
from fleetcrash.attribution.facts.news import News

_LOG_BY_AGE = 2.0  # who had got an update just then has to say more, because there is always somebody who had


class Moments:
    """Events by their moments: those of one minute, stratum, time since boot and outcome have the same hosts beside.

    Half a fleet may crash within the hour; it does so in a few thousand moments.
    """

    def __init__(self, news: News, time: HostTime, *, tick: int, mine: Mask, event: Ints) -> None:
        """Take some events, as known by a tick.

        Args:
            mine: (events,) which ones. event: those of them that happened in the last KEPT_MINUTES, by their numbers.
        """
        events = news.events
        among = time.stratum[events.cell[event]] * BOOTS + events.since_boot[event]
        key = (events.minute[event] * (time.strata * BOOTS) + among) * OUTCOMES + events.outcome[event]
        _, first, moment, count = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        self._time, self._count, self._one = time, count.astype(float), event[first]
        self._news, self._tick, self._mine = news, tick, mine
        self._of_event = np.full(len(events), -1)
        self._of_event[event] = moment

    def of(self, update: int) -> Compared:
        """What is told of an update: by the moments at which there were hosts beside."""
        one, events, exposed = self._one, self._news.events, self._news.exposed_events.of(update)
        rows = exposed.known(self._tick, self._mine)
        moment = self._of_event[exposed.event[rows]]
        rows, moment = rows[moment >= 0], moment[moment >= 0]
        of_age = np.bincount(moment * AGES + exposed.age[rows], minlength=len(one) * AGES).reshape(len(one), AGES)
        booted = np.bincount(moment[exposed.boot_age[rows] >= 0], minlength=len(one))
        shares = self._time.risk_set(update, events.minute[one], events.cell[one], events.since_boot[one])
        beside = ~np.isnan(shares[:, -1])
        one = one[beside]
        return Compared(
            events.outcome[one],
            events.since_boot[one],
            self._count[beside],
            of_age[beside].astype(float),
            booted[beside].astype(float),
            shares[beside],
        )


@dataclass(frozen=True)
class Compared:
    """Moments at which there were hosts beside.

    Attributes:
        outcome, since_boot: (n,) of each; see ``Events``.
        events: (n,) how many there were.
        of_age: (n, AGES) those of hosts that had the update, by the age of the install.
        booted_since: (n,) those of hosts that had booted since they got it.
        shares: (n, WINDOWS) of the hosts at risk that had an install, or a boot since, younger than each age.
    """

    outcome: Ints
    since_boot: Ints
    events: Floats
    of_age: Floats
    booted_since: Floats
    shares: Floats

    def log_most(self) -> float:
        """Log likelihood ratio for the update: the most that any of the three says."""
        return max(self.log_with_it(), self.log_by_age(), self._log_at_boot())

    def log_with_it(self) -> float:
        """By hosts with the update and those without it."""
        return log_contrast(self.events, self.of_age.sum(1), self.shares[:, AGES - 1])

    def log_by_age(self, ages: int = AGES) -> float:
        """By hosts that had just got it and those that had it for longer.

        Of crashes long after a boot alone, because a host that comes online installs what it missed, and may crash for
        having come online.

        Args:
            ages: how many of the ages may be meant by "just".
        """
        steady = (self.outcome == CRASH) & (self.since_boot >= LONG_UP)
        said = log_contrast_by_age(self.events[steady], self.of_age[steady, :ages], self.shares[steady, :ages])
        return said - _LOG_BY_AGE

    def _log_at_boot(self) -> float:
        """By the boots with the update and those without."""
        booted = self.outcome == CRASH_AT_BOOT
        return log_contrast(self.events[booted], self.booted_since[booted], self.shares[booted, -1]) - _LOG_BY_AGE
