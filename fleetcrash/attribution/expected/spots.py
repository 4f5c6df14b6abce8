"""Spots: where a rise may be, slices of what hosts are and places where they stand, numbered in one row.

Slices come first, then groups, sites and customers. Numbers hold for one reading of the news; ``moved`` carries them
over to the next.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints, Mask, Narrow
from fleetcrash.attribution.conditions.grammar import in_words
from fleetcrash.attribution.evidence import LOG_PRIOR_UPDATE
from fleetcrash.attribution.expected.slices import Slices, cut
from fleetcrash.attribution.expected.tallies import Tallies
from fleetcrash.attribution.facts.columns import numbered_texts
from fleetcrash.attribution.facts.news import PLACES, SET_BY, News
from fleetcrash.times import DAY

_NEW_MINUTES = 7 * DAY  # for which a version has no rate of its own
_NEARLY_ALL = 0.99  # of what happens at a place, which is of one operating system then
_ABOUT = 0.15  # of what is expected of that, more or less: the place is as good as all of it

PLACE_WEIGHT = 0.3
"""Prior that a wave is cut by group, site or customer rather than by what the host is."""

# Cut by what a host is, which mostly goes with one operating system, and not by where it stands.
_WITHIN_A_SYSTEM = ("os_type", "agent_version", "os_build", "model")


class Spots:
    """The spots of one reading of the news.

    Attributes:
        slices: the slices, which are the first spots.
        share_settings: (spots,) whether a spot is a region or a customer, whose hosts have a language or settings in
            common that a fault may need.
        stands_there: (spots,) whether a spot is where hosts stand: a region, group, site or customer.
        at_place: (events, 3) the spot of each event's group, site and customer, -1 where that is not told.
    """

    def __init__(self, news: News) -> None:
        self.slices: Slices = cut(news.cells)
        self._news = news
        self._cell_since = np.array([cell.known_tick for cell in news.cells])
        self._names = news.places.names
        dimensions, self._dimension = np.unique([name for name, _ in self._names], return_inverse=True)
        self._dimensions = len(dimensions)
        regions = [part.key == "region" for part in self.slices.slices]
        customers = [key == "customer" for key, _ in self._names]
        self.share_settings: Mask = np.array(regions + customers)
        self.stands_there: Mask = np.array(regions + [True] * len(self._names))
        self._stratum = news.strata
        self._of_cell = self._slices_of_cells()
        self.at_place = self._find_places()
        self._events_at: dict[int, Mask] = {}

    def __len__(self) -> int:
        return len(self.slices) + len(self._names)

    def moved(self, before: Spots) -> Ints:
        """(spots before,) the number that each spot of an earlier reading has now."""
        here = {repr(part): number for number, part in enumerate(self.slices.slices)}
        slices = [here[repr(part)] for part in before.slices.slices]
        return np.array(slices + [len(self.slices) + number for number in range(len(before._names))], dtype=np.int64)

    def of_rollout(self, update: int) -> Mask:
        """(spots,) the slices that the rollout of an update makes: of what its hosts are known by, and of rings."""
        keys = ("ring", self._news.told_by(update))
        return np.array([part.key in keys for part in self.slices.slices] + [False] * len(self._names))

    def events_at(self, spot: int) -> Mask:
        """(events,) which ones happened in a spot, kept for the few that are asked about."""
        if spot not in self._events_at:
            events = self._news.events
            is_slice = spot < len(self.slices)
            there = self.cells_of(spot)[events.cell] if is_slice else (self.at_place == spot).any(1)
            there.setflags(write=False)
            self._events_at[spot] = there
        return self._events_at[spot]

    def of_event(self, event: int) -> Narrow:
        """(k,) the spots that an event belongs to; there may be -1 among them."""
        return np.concatenate([self._of_cell[self._news.events.cell[event]], self.at_place[event]])

    @cached_property
    def tallies(self) -> Tallies:
        """What is asked of many events at once."""
        return Tallies(self._news.events, self._of_cell, list(self.at_place.T))

    def cells_of(self, spot: int) -> Mask:
        """(cells,) those of a slice; of a place, whose hosts may be of any, all."""
        return self.slices.members[spot if spot < len(self.slices) else 0] > 0

    def name(self, spot: int) -> tuple[str, str]:
        """Attribute and value that a spot is cut by."""
        if spot >= len(self.slices):
            return self._names[spot - len(self.slices)]
        part = self.slices.slices[spot]
        return part.key, part.condition.get(part.key, "")

    def describe(self, spot: int) -> str:
        """A spot in words."""
        if spot >= len(self.slices):
            return " ".join(self._names[spot - len(self.slices)])
        condition = self.slices.slices[spot].condition
        return in_words(condition) if condition else "the whole fleet"

    def covers(self, spot: int, other: int, tick: int) -> bool:
        """Whether a slice held all of another one as of a tick; of places nobody knows."""
        if max(spot, other) >= len(self.slices):
            return spot == other
        one, another = self.slices.members[[spot, other]][:, self._cell_since <= tick]
        return bool((one >= another).all())

    def of_strata(self, tick: int) -> Mask:
        """(spots,) whether a spot was made of whole strata as of a tick: within one, hosts are compared with others."""
        known = self._cell_since <= tick
        is_whole = _are_whole(self.slices.members[:, known], self._stratum[known])
        return np.array(is_whole + [False] * len(self._names))

    def is_whole(self, spot: int) -> bool:
        """Whether a spot is the whole fleet or an operating system."""
        return spot < len(self.slices) and self.slices.slices[spot].key in ("all", "os_type")

    def stands_apart(self, tick: int, expected: Floats) -> Mask:
        """(spots,) whether a spot is where hosts stand, and others elsewhere, as of a tick.

        Of a region or group with the whole fleet, or with all Windows hosts and none else, no rise says where it is.

        Args:
            expected: (spots,) events at the baseline.
        """
        inside = self.slices.members[:, self._cell_since <= tick] > 0
        wholes = [number for number in range(len(self.slices)) if self.is_whole(number)]
        is_whole = np.zeros(len(self), bool)
        is_whole[: len(self.slices)] = (inside[:, None] == inside[wholes]).all(2).any(1)
        of_places = expected[len(self.slices) :]
        for whole in wholes:
            about = np.abs(of_places - expected[whole]) <= _ABOUT * expected[whole]
            for place in (len(self.slices) + np.flatnonzero(about)).tolist():
                is_whole[place] |= self._is_of(place, whole, tick)
        return self.stands_there & ~is_whole

    def _is_of(self, place: int, whole: int, tick: int) -> bool:
        """Whether nearly all that is known by a tick to have happened at a place happened in an operating system."""
        events = self._news.events
        of_system = (self.slices.members[whole] > 0)[events.cell[self.events_at(place) & (events.tick <= tick)]]
        return bool(of_system.any() and of_system.sum() >= _NEARLY_ALL * len(of_system))

    def whole_system(self, spot: int, tick: int) -> int:
        """The spot of the operating system that a slice was part of as of a tick; else the spot itself."""
        if spot >= len(self.slices) or self.slices.slices[spot].key not in _WITHIN_A_SYSTEM:
            return spot
        inside = (self.slices.members[spot] > 0) & (self._cell_since <= tick)
        for number, part in enumerate(self.slices.slices):
            if part.key == "os_type" and (self.slices.members[number][inside] > 0).all():
                return number
        return spot

    def only_system(self, expected: Floats) -> int:
        """The spot of the operating system that all the host-time of an update is in; else the whole fleet.

        Of hosts that the inventory lacks nobody knows which they have: those of the others have to be of one.

        Args:
            expected: (slices,) events of its hosts, at the baseline.
        """
        systems = [number for number, part in enumerate(self.slices.slices) if part.key == "os_type"]
        most = max(systems, key=lambda number: float(expected[number]), default=0)
        return most if expected[most] >= expected[systems].sum() * (1.0 - 1e-6) and expected[most] > 0 else 0

    def log_weights(self, tick: int) -> tuple[Floats, Floats]:
        """Log priors as of a tick: (spots,) that a wave is there, (slices,) that an update hits just that slice.

        A slice that an agent upgrade or OS patch made of its own hosts is no wave beside it, but the same thing; as the
        slice that another update hits, it takes two guilty updates at once.
        """
        of_slices = self.slices.log_weight(tick)
        made = self._made_by_update(tick)
        as_waves = np.where(made, -np.inf, of_slices)
        if self._names:
            as_waves = np.concatenate([as_waves + np.log(1.0 - PLACE_WEIGHT), self._weigh_places(tick)])
        return as_waves, of_slices + np.where(made, LOG_PRIOR_UPDATE, 0.0)

    def _weigh_places(self, tick: int) -> Floats:
        known = self._news.places.known_tick <= tick
        sizes = np.bincount(self._dimension[known], minlength=self._dimensions)
        weights = np.zeros(len(known))
        weights[known] = PLACE_WEIGHT / max((sizes > 0).sum(), 1) / sizes[self._dimension[known]]
        with np.errstate(divide="ignore"):
            return np.log(weights)

    def slices_made_lately(self, tick: int) -> Mask:
        """(slices,) those that an agent upgrade or OS patch of the last days made of its own hosts."""
        return self._made_by_update(tick, since=tick - _NEW_MINUTES)

    def _made_by_update(self, tick: int, since: int | None = None) -> Mask:
        made = {
            one.version
            for one in self._news.suspects
            if one.kind in SET_BY and one.version and one.known_tick <= tick
            if since is None or (one.known_tick if one.released_minute is None else one.released_minute) > since
        }
        own = [
            part.condition.get("agent_version", "").removeprefix(">=") in made or part.condition.get("os_build") in made
            for part in self.slices.slices
        ]
        return np.array(own, bool)

    def _slices_of_cells(self) -> Narrow:
        """(cells, k) the slices that each cell is in, -1 where there are fewer than k."""
        members = self.slices.members > 0
        of_cells = np.full((members.shape[1], int(members.sum(0).max(initial=1))), -1, dtype=np.int32)
        column = np.zeros(len(of_cells), dtype=np.int64)
        for number, inside in enumerate(members):
            of_cells[inside, column[inside]] = number
            column[inside] += 1
        return of_cells

    def _find_places(self) -> Narrow:
        index = {pair: len(self.slices) + number for number, pair in enumerate(self._names)}
        at_places = []
        for dimension, values in zip(PLACES, self._news.events.places, strict=True):
            names, name = numbered_texts(values)
            spot_of_name = np.array([*(index.get((dimension, one), -1) for one in names), -1], dtype=np.int32)
            at_places.append(spot_of_name[name])
        return np.column_stack(at_places)


def _are_whole(members: NDArray[np.float32], stratum: Ints) -> list[bool]:
    """(slices,) whether each slice has all cells or none of each stratum."""
    size = np.bincount(stratum)
    inside = [np.bincount(stratum, of_slice, len(size)) for of_slice in members]
    return [bool(((count == 0) | (count == size)).all()) for count in inside]
