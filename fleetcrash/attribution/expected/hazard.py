"""How much more hosts crash by the age of an install, whatever the update.

Who comes online installs what it missed, and machines crash more just after a boot. Presence tells the two apart; where
nobody tells it, what follows an install is to be expected to some degree, and how much is learned from the past.
"""

from __future__ import annotations

import numpy as np

from fleetcrash.arrays import Floats
from fleetcrash.attribution.facts.exposure import AGES, LONG_UP, HostTime
from fleetcrash.attribution.facts.news import News

# A machine crashes about five times as often just after a boot, and half of the installs are of machines that were on.
_PRIOR = np.array([3.0, 3.0, 1.5, 1.0, 1.0])
_PRIOR_EVENTS = 2.0


class InstallHazard:
    """Counts behind the ratios, and the ratios.

    Attributes:
        seen, expected: (AGES,) crashes of hosts with an install of an age, of any update, and how many there would have
            been if those hosts crashed like the ones beside them.
    """

    def __init__(self) -> None:
        self.seen = np.zeros(AGES)
        self.expected = np.zeros(AGES)

    def take_over(self, news: News) -> None:
        """Learn from crashes of these news from now on."""
        self._news = news
        self._rows = np.argsort(news.exposed_events.event, kind="stable")
        self._events = news.exposed_events.event[self._rows]

    def learn_event(self, time: HostTime, event: int, tick: int) -> None:
        """Add a crash of the past, by its number; but of hosts first seen just then, which were so by an install.

        Args:
            tick: by which its host's installs are to be known.
        """
        events, exposed = self._news.events, self._news.exposed_events
        if events.since_boot[event] < LONG_UP:
            return
        low, high = np.searchsorted(self._events, [event, event + 1])
        rows = self._rows[low:high]
        rows = rows[(exposed.tick[rows] <= tick) & (exposed.gone_tick[rows] > tick)]
        ages = dict(zip(exposed.update[rows].tolist(), exposed.age[rows].tolist(), strict=True))
        self.learn(time, ages, int(events.minute[event]), int(events.cell[event]), int(events.since_boot[event]))

    def learn(self, time: HostTime, ages: dict[int, int], minute: int, cell: int, since_boot: int) -> None:
        """Add a crash of the past.

        Args:
            ages: of the installs that its host had, by the index of the update.
            minute, cell, since_boot: where and when it happened, within the last KEPT_MINUTES.
        """
        where = np.array([minute]), np.array([cell]), np.array([since_boot])
        for update, of_update in time.by_update.items():
            if of_update.is_idle and update not in ages:
                continue
            exposed, others = (counts[0] for counts in time.at_risk(update, *where))
            exposed = exposed[:AGES]
            if others + exposed.sum() > 0:
                self.expected += exposed / (others + exposed.sum())
                if update in ages:
                    self.seen[ages[update]] += 1

    def ratios(self) -> Floats:
        """(AGES,) how much more often hosts crash with an install of an age; never less than others."""
        ratios: Floats = (self.seen + _PRIOR_EVENTS * _PRIOR) / (self.expected + _PRIOR_EVENTS)
        return np.maximum(ratios, 1.0)
