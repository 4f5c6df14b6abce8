"""Tallies: how many of some events happened at each spot, minute by minute.

Half a fleet may crash within the hour, and is asked about again at every tick. Most of its crashes are alike in all
that is tallied, and which ones are is found once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from fleetcrash.arrays import Ints, Narrow
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.facts.news import Events


@dataclass(frozen=True)
class Tally:
    """How many of some events happened where and when: (n,) arrays.

    Attributes:
        spot, minute, outcome: of the events that are counted together. count: how many they are.
    """

    spot: Ints
    minute: Ints
    outcome: Ints
    count: Ints


class Tallies:
    """Tallies any of the events."""

    def __init__(self, events: Events, of_cells: Narrow, at_places: list[Narrow]) -> None:
        """Find which events are alike.

        Args:
            of_cells: (cells, k) the spots that each cell belongs to, -1 where there are fewer than k.
            at_places: each (events,) the spots of places of one kind, -1 where an event was at none.
        """
        self._parts = [_Part(events, events.cell, of_cells)]
        for spot in at_places:
            numbers = np.arange(-1, spot.max(initial=-1) + 1, dtype=np.int32)
            self._parts.append(_Part(events, spot.astype(np.int64) + 1, numbers[:, None]))

    def of(self, events: Ints) -> Tally:
        """The tally of some events, by their numbers; each spot, minute and outcome is there once."""
        tallies = [part.tally(events) for part in self._parts]
        return Tally(*(np.concatenate([getattr(one, column.name) for one in tallies]) for column in fields(Tally)))


class _Part:
    """The events by where they were in one respect: those that were there in the same minute and way are alike."""

    def __init__(self, events: Events, where: Ints, spots: Narrow) -> None:
        """Take them.

        Args:
            where: (events,) the number of where each was. spots: (numbers, k) its spots, -1 where it has fewer than k.
        """
        first = int(events.minute.min(initial=0))
        moment = (events.minute - first) * OUTCOMES + events.outcome
        moments = int(moment.max(initial=0)) + 1
        alike, self._alike = np.unique(where * moments + moment, return_inverse=True)
        number, at = np.divmod(alike, moments)
        of_alike = spots[number]
        there, self._size = of_alike >= 0, len(alike)
        self._row = np.repeat(np.arange(len(alike)), there.sum(1))
        key, self._key = np.unique(of_alike[there].astype(np.int64) * moments + at[self._row], return_inverse=True)
        self._spot, at = np.divmod(key, moments)
        self._minute, self._outcome = first + at // OUTCOMES, at % OUTCOMES

    def tally(self, events: Ints) -> Tally:
        """The tally of some events, by their numbers."""
        alike = np.bincount(self._alike[events], minlength=self._size)
        count = np.bincount(self._key, weights=alike[self._row], minlength=len(self._spot)).astype(np.int64)
        there = np.flatnonzero(count)
        return Tally(self._spot[there], self._minute[there], self._outcome[there], count[there])
