"""Absences: servers that fall silent without an update having anything to do with it.

Somebody restarts a room of them by night; or a site loses its network, or its power. Neither is news while they may be
back soon, and neither is anything at all once they are. No update stops at a site's door, and one that strikes a single
site is told from what happens there by nobody: so what a place does that is cut off for longer is an incident of its
own, and evidence for nothing else. Restarts are told one by one, by ``detection/gone``; which places are cut off is
found here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fleetcrash.arrays import Ints, Mask, Narrow
from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.attribution.facts.news import Events
from fleetcrash.times import DAY

_RESTART_MINUTES = 15  # a server that is back by then was restarted; as in ``detection/gone``
_RESTARTS = 10  # of a week, from which on it is known that servers here are restarted
_WEEK = 7 * DAY

_CUT_OFF_MINUTES = 30  # in which a place is there again; or somebody wants to know
_LEAST = 3  # servers of a place: one or two are silent at any time
_TOGETHER = 3  # minutes from the one in the middle: some miss their heartbeat a little later
_NEARLY_ALL = 0.8  # of all servers that fell silent in that time: the others are there
_ARE_BACK = 0.9  # of those of the place, when it is over: one may not come up again
_MOST = 0.5  # of what falls silent usually, at a place that is as good as the whole fleet

_NEVER = np.iinfo(np.int64).max


class Absences:
    """The servers that may be back soon, and those that were, as ticks go by."""

    def __init__(self, events: Events) -> None:
        # By their numbers: servers of a place that may be cut off now.
        self._cut_off: Ints = np.zeros(0, np.int64)
        # (events,) whether a server was, and is back; which of its places it fell silent together with, -1: none; and
        # the tick at which it was found to be silent for longer, or not to be alone.
        self._were_cut_off: Mask = np.zeros(0, bool)
        self._place: Ints = np.zeros(0, np.int64)
        self._given_up: Ints = np.zeros(0, np.int64)
        self.extend(events)

    def extend(self, events: Events) -> None:
        """Go on with later events, of which the first ones are those so far."""
        more = len(events) - len(self._were_cut_off)
        self._were_cut_off = np.append(self._were_cut_off, np.zeros(more, bool))
        self._place = np.append(self._place, np.full(more, -1))
        self._given_up = np.append(self._given_up, np.full(more, _NEVER))
        self._events = events
        self._lasting_from = np.where(events.outcome == DARK, events.minute + _RESTART_MINUTES, events.tick)
        self._turns = frozenset(np.unique([events.patched_tick, self._lasting_from]).tolist())

    def advance(self, at_place: Narrow, usual: Callable[[int], float], tick: int) -> bool:
        """Take in a minute.

        Args:
            at_place: (events, 3) the spot of each event's group, site and customer, -1 where that is not told.
            usual: how many servers are to be expected to fall silent in a day at a spot; 0 is the whole fleet.

        Returns:
            Whether some are found to be nothing, or to be news.
        """
        events = self._events
        lately = np.arange(*np.searchsorted(events.tick, [tick - _CUT_OFF_MINUTES, tick], side="right"))
        is_silent = (events.outcome[lately] == DARK) & (events.minute[lately] > tick - _CUT_OFF_MINUTES)
        found, place = _together(events, at_place, usual, lately[is_silent])
        back = found[events.back_tick[found] <= tick]
        over = back[~self._were_cut_off[back]] if len(back) >= _ARE_BACK * len(found) else back[:0]
        self._were_cut_off[over] = True
        given_up = np.setdiff1d(self._cut_off, found)
        given_up = given_up[~self._were_cut_off[given_up]]
        self._given_up[given_up] = tick
        self._place[given_up[events.minute[given_up] > tick - _CUT_OFF_MINUTES]] = -1  # others did as well
        self._place[found] = place
        self._cut_off = found
        return bool(len(over) or len(given_up)) or tick in self._turns

    def are_over(self, tick: int) -> Mask:
        """(events,) those that are nothing to blame anybody for, as known by the tick that was taken in."""
        return (self._events.patched_tick <= tick) | self._were_cut_off

    def are_news(self, since: int, tick: int) -> Mask:
        """(events,) those that were found, after one tick and by another, to last for longer or not to be alone."""
        lasting = (self._lasting_from > since) & (self._lasting_from <= tick) & (self._events.tick <= tick)
        return lasting | ((self._given_up > since) & (self._given_up <= tick))

    @property
    def of_one_place(self) -> Mask:
        """(events,) servers of a place that fell silent together, and hardly one elsewhere; for however long."""
        return self._place >= 0

    def place_of(self, some: Mask, at_place: Narrow) -> int:
        """The spot at which some of them (events,) fell silent; -1 where they are none of them.

        Args:
            at_place: see ``advance``.
        """
        first = int(np.argmax(some & self.of_one_place))
        return int(at_place[first, self._place[first]]) if self._place[first] >= 0 else -1

    def lost(self, tick: int) -> Mask:
        """(events,) those of them that are not back in time, as known by the tick that was taken in."""
        found = self.of_one_place & ~self.are_over(tick)
        found[self._cut_off] = False
        return found

    def are_more(self, some: Mask) -> None:
        """Take note that some of them (events,) are part of what a larger place does, and of none of their own."""
        self._place[some] = -1

    def may_be_restarts(self, tick: int) -> Mask:
        """(events,) servers that have been silent for less than a quarter of an hour, where most are back by then.

        So it is where they are patched by night, many at once.
        """
        events = self._events
        silent = (events.outcome == DARK) & (events.tick <= tick) & (events.minute > tick - _WEEK)
        lasting, over = self._lasting_from <= tick, events.patched_tick <= tick
        restarted = (silent & lasting & over).sum()
        if restarted < _RESTARTS or restarted <= (silent & lasting & ~over).sum():
            return np.zeros(len(events), bool)
        return silent & ~lasting


def _together(events: Events, at_place: Narrow, usual: Callable[[int], float], silent: Ints) -> tuple[Ints, int]:
    """Those of some silent servers that fell silent together at one place, and at which of theirs.

    None if others did as well.
    """
    if len(silent) < _LEAST:
        return silent[:0], -1
    for number in range(at_place.shape[1]):
        spots = at_place[silent, number]
        told, counts = np.unique(spots[spots >= 0], return_counts=True)
        if not len(told) or counts.max() < _LEAST:
            continue
        place = int(told[np.argmax(counts)])
        there = silent[spots == place]
        minutes = events.minute[there]
        together = there[np.abs(minutes - np.median(minutes)) <= _TOGETHER]
        if len(together) >= max(_NEARLY_ALL * len(silent), _LEAST) and usual(place) < _MOST * usual(0):
            return together, number
    return silent[:0], -1
