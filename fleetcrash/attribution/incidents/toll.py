"""The toll of a known fault: how many of the hosts with its update are struck, and how long after they got it.

Who comes online hours later gets then what was sent out meanwhile, and is struck by a fault that earlier hosts have
shown already. That rises as a wave does: in a region's morning, in hosts that have just come online, and no host beside
them lacks the update. But how many it was to strike, and how soon, the earlier ones tell. While those struck are no
more than that, nothing else is needed to explain them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.conditions.finding import cells_that_may_meet
from fleetcrash.attribution.conditions.grammar import Condition
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.counts import MOSTLY
from fleetcrash.times import DAY

_AS_MANY = 2.0  # times what the earlier hosts tell: those that come online late may be of other kinds
_Z = 2.33  # 99 %, one-sided


@dataclass
class Toll:
    """What an update that an incident names had done when that ended, and the hosts at risk with it since.

    Attributes:
        update: its index. condition: whom it strikes; None while that is not determined.
        rate: (AGES,) events per host-minute of those with it, by the age of the install.
        told_by: (AGES,) the host-minutes that the rate was seen in.
        since: the tick from which on is counted; host_minutes: (AGES,) at risk up to then.
    """

    update: int
    condition: Condition | None
    rate: Floats
    told_by: Floats
    since: int
    host_minutes: Floats
    _later: tuple[int, Floats]

    @classmethod
    def taken(cls, inquiry: Inquiry, tick: int, update: int, condition: Condition | None, mine: Mask) -> Toll:
        """Count some events (events,), those of all incidents that name the update."""
        cells = cells_that_may_meet(inquiry.news.cells, condition or {})
        events = inquiry.exposed_counts(tick, mine, update)[:, :AGES, cells].sum((0, 2))
        minutes = _host_minutes(inquiry, tick, update, cells)
        return cls._of(update, condition, events, tick, minutes)

    @classmethod
    def until(cls, inquiry: Inquiry, since: int, tick: int, update: int, mine: Mask) -> Toll:
        """Count those of some events (events,) that came up to a minute of the last day, whomever they strike."""
        events = inquiry.exposed_counts(tick, mine & (inquiry.news.events.minute <= since), update)[:, :AGES]
        everywhere = np.ones(len(inquiry.news.cells), bool)
        minutes = _host_minutes(inquiry, tick, update, everywhere)
        minutes = minutes - inquiry.expected.time.by_update[update].host_minutes_since(since, tick)[:AGES]
        return cls._of(update, None, events.sum((0, 2)), since, minutes)

    @classmethod
    def _of(cls, update: int, condition: Condition | None, events: Floats, tick: int, minutes: Floats) -> Toll:
        told_by = np.maximum(minutes, 1.0)
        return cls(update, condition, events / told_by, told_by, tick, minutes, (tick, minutes))

    def move_on(self, inquiry: Inquiry, tick: int) -> None:
        """Count from the last time on that this was called, while nothing is wrong: what was spared tells nothing."""
        self.since, self.host_minutes = self._later
        cells = cells_that_may_meet(inquiry.news.cells, self.condition or {})
        self._later = tick, _host_minutes(inquiry, tick, self.update, cells)

    def goes_on(self, inquiry: Inquiry, tick: int, mine: Mask) -> bool:
        """Whether the fault explains most of a rise, by no more events than were to come, in all and at each age.

        How many come at an age of the install, a handful of earlier ones tells but roughly.

        Args:
            mine: (events,) the events; those from before ``since`` do not count.
        """
        cells = cells_that_may_meet(inquiry.news.cells, self.condition or {})
        later = mine & (inquiry.news.events.minute > self.since) & (inquiry.news.events.tick <= tick)
        seen = inquiry.exposed_counts(tick, later, self.update)[:, :AGES, cells].sum((0, 2))
        of_fleet = inquiry.expected.of_slices_since(max(self.since, tick - DAY) + 1)[:, 0].sum()
        if seen.sum() <= MOSTLY * (later.sum() - of_fleet):
            return False
        ever = _host_minutes(inquiry, tick, self.update, cells)
        since = np.maximum(ever - self.host_minutes, 0.0)
        to_come = self.rate * since
        at_baseline = inquiry.expected.of_hosts_with(self.update, tick)[:, :AGES].sum(0)[:, cells].sum(1)
        usual = at_baseline * since / np.maximum(ever, 1.0)
        at_most = _AS_MANY * to_come + usual
        # The square root of a Poisson count strays by about a half (Anscombe 1948), and that of what it is held against
        # by as many times more as the host-time has grown.
        strays = _Z / 2.0 * np.sqrt(1.0 + _AS_MANY * since / self.told_by)
        is_as_many = np.sqrt(seen.sum()) <= np.sqrt(at_most.sum()) + _Z / 2.0
        return bool(to_come.sum() > usual.sum() and is_as_many and (np.sqrt(seen) <= np.sqrt(at_most) + strays).all())


def _host_minutes(inquiry: Inquiry, tick: int, update: int, cells: Mask) -> Floats:
    """(AGES,) of hosts at risk with an update so far, by the age of the install."""
    return inquiry.expected.time.by_update[update].host_minutes(tick)[cells, :, :AGES].sum((0, 1))
