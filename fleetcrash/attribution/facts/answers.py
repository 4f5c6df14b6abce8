"""What the lake answers when it is asked of one update or of some events; see ``questions``, which asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetcrash.arrays import Ints, Narrow, Texts
from fleetcrash.attribution.facts.columns import numbered_as


@dataclass(frozen=True)
class LeftAt:
    """Where hosts stood that left with an update: (n,) arrays sorted by tick.

    Attributes:
        hosts: all that left; with_update: those with the update that was asked for.
    """

    tick: Ints
    dimension: Texts
    place: Texts
    hosts: Ints
    with_update: Ints


@dataclass(frozen=True)
class Had:
    """Events of hosts that had an update for however long, or told of any: (n,) arrays sorted by event.

    Attributes:
        tick: at which that was known.
    """

    event: Ints
    tick: Ints


@dataclass(frozen=True)
class Whereabouts:
    """Where some events of hosts with an update happened: (n,) arrays, one for each event and dimension of a place.

    Attributes:
        hosts: hosts that it could have happened to; hosts_there: those of them at its place.
    """

    dimension: Texts
    place: Texts
    hosts: Ints
    hosts_there: Ints


@dataclass(frozen=True)
class AtPlace:
    """Whom at its own place some events could have happened to: (n,) arrays, by event and dimension of a place.

    Attributes:
        hosts: at that place, the event's own among them; hosts_with: those of them that had an update; had: whether the
            event's own had it.
    """

    dimension: Texts
    hosts: Ints
    hosts_with: Ints
    had: NDArray[np.bool_]


@dataclass(frozen=True)
class ByStart:
    """How hosts fared for a while after they got an update: (n,) arrays, by always_on, fresh and when they got it.

    Attributes:
        fresh: hosts that got it within half an hour after they came online. installed: minute in which they got it.
        at_risk_s: seconds that they were at risk; struck: how many of some events happened to them.
    """

    always_on: NDArray[np.bool_]
    fresh: NDArray[np.bool_]
    installed: Ints
    at_risk_s: NDArray[np.float64]
    struck: Ints


@dataclass(frozen=True)
class ByDelay:
    """Whom some events could have happened to, by how long hosts had had an update: (n,) arrays, by event and age.

    Attributes:
        had: whether hosts had the update. age_s: seconds since its install, in steps of ten; zero where they had not.
        hosts: hosts at risk, the event's own among them; struck: 1 where the event's own is.
    """

    event: Ints
    had: NDArray[np.bool_]
    age_s: Ints
    hosts: Ints
    struck: Ints

    def among_holders(self) -> ByDelay:
        """Whom of the hosts that had it those events could have happened to that happened to one of them."""
        rows = np.flatnonzero(self.had & np.isin(self.event, self.event[self.had & (self.struck > 0)]))
        return ByDelay(self.event[rows], self.had[rows], self.age_s[rows], self.hosts[rows], self.struck[rows])


@dataclass(frozen=True)
class Holders:
    """Which updates most hosts of some events had, however long ago they got them: (n,) arrays, by event and update.

    Attributes:
        update: index of the update; -1: the row counts the hosts, whatever they had.
        hosts: at risk then and like it, with the update, the event's own among them; had: whether that one had it.
    """

    event: Ints
    update: Ints
    hosts: Ints
    had: NDArray[np.bool_]


@dataclass(frozen=True)
class Beside:
    """What else hosts with one update had when they got it, as changes in hosts: (n,) arrays sorted by tick.

    Attributes:
        since: the tick at which it was known that the hosts have the update.
        is_count: of a sample of all hosts, the same at every tick; else of one host with an event.
        host: that host, else None. cell: of the hosts.
        other: index of the other update; -1: the row counts the hosts, whatever else they had.
    """

    tick: Ints
    since: Ints
    is_count: NDArray[np.bool_]
    host: Texts
    cell: Ints
    other: Ints
    change: Ints

    @cached_property
    def numbers(self) -> tuple[pa.Array, Ints]:
        """The hosts, each once, and (n,) which of them each row is of; -1: none."""
        names = pc.unique(pa.array(self.host[~self.is_count], pa.string()))
        return names, numbered_as(self.host, names)


@dataclass(frozen=True)
class ExposedAt:
    """Where the hosts with an update stood: (n,) arrays sorted by the tick at which it was known that they had it.

    Attributes:
        minute: of the install. place: the number of a group, site or customer; -1: wherever they stood.
        prints: of the hosts, the same for the same ones.
    """

    tick: Narrow
    minute: Narrow
    cell: Narrow
    place: Narrow
    hosts: Narrow
    prints: NDArray[np.uint64]
