"""What the lake says, as the detector has it: counts by minute, cell and update, and the events.

All are arrays, sorted by the tick at which each row became known; ``reading`` fills them. A tick is a whole UTC minute,
counted from 1970. Whatever happens, or becomes known, within a minute is there at the tick that ends it; so a "minute"
here is named by its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Narrow = NDArray[np.int32]
Tiny = NDArray[np.int8]
Texts = NDArray[np.object_]

CELL_ATTRIBUTES = ("os_type", "os_version", "os_build", "agent_version", "model", "region", "ring")
PLACES = ("group", "site", "customer")
_DAY = 1440
OS_INDEX = {"windows": 0, "darwin": 1, "linux": 2, None: 3}


@dataclass(frozen=True)
class Cell:
    """Hosts alike in what a fault may depend on.

    Attributes:
        attributes: values of CELL_ATTRIBUTES; None where the inventory is silent.
        always_on: servers, whose silence is news.
        known_tick: first tick at which a host was known to be in it.
    """

    attributes: tuple[str | None, ...]
    always_on: bool
    known_tick: int

    @property
    def os_type(self) -> str | None:
        """The cell's operating system; None for hosts that the inventory lacks."""
        return self.attributes[0]


@dataclass(frozen=True)
class Suspect:
    """An update as the catalogue and the installs tell it.

    Attributes:
        released_us, reverted_us: microseconds since 1970, None where unknown.
        known_tick: first tick at which the catalogue or an install named it.
    """

    update_id: str
    kind: str | None
    version: str | None
    released_us: int | None
    reverted_us: int | None
    known_tick: int


@dataclass(frozen=True)
class Online:
    """Changes in hosts at risk: (n,) arrays sorted by minute, narrow because there are so many."""

    minute: Narrow
    cell: Narrow
    since_boot: Narrow
    change: Narrow


@dataclass(frozen=True)
class OnlineAtPlace:
    """Changes in hosts at risk at a group, site or customer: (n,) arrays sorted by minute.

    Attributes:
        names: (dimension, value) of each place; known_tick: (places,) first tick at which a host was known there.
    """

    minute: Narrow
    place: Narrow
    stratum: Narrow
    change: Narrow
    names: tuple[tuple[str, str], ...]
    known_tick: Ints


@dataclass(frozen=True)
class Exposed:
    """Changes in hosts at risk that have an update: (n,) arrays sorted by tick, narrow because there are so many."""

    tick: Narrow
    minute: Narrow
    update: Narrow
    cell: Narrow
    since_boot: Tiny
    age: Tiny
    change: Narrow


@dataclass(frozen=True)
class Events:
    """Crashes and silences, (n,) arrays in the order in which they were known.

    Attributes:
        outcome: 0 a crash, 1 gone dark, 2 a crash within ten minutes of a boot; numbered as in ``baseline``.
        tick: at which it was known; minute: in which it happened.
        back_tick: at which a dark host was known to be back, or far in the future.
    """

    outcome: Ints
    cell: Ints
    os_type: Texts
    tick: Ints
    minute: Ints
    known_us: Ints
    back_tick: Ints
    since_boot: Ints
    host: Texts
    module: Texts
    places: tuple[Texts, Texts, Texts]

    def __len__(self) -> int:
        return len(self.tick)


@dataclass(frozen=True)
class ExposedEvents:
    """Which events happened to hosts that had an update for less than a day: (n,) arrays sorted by tick.

    Attributes:
        boot_age: which of BOOT_MINUTES ago the host booted, with the update; -1: earlier, or without it.
    """

    tick: Ints
    gone_tick: Ints
    event: Ints
    update: Ints
    age: Ints
    boot_age: Ints

    def known(self, tick: int, mine: Mask) -> Ints:
        """Rows of these, as known by a tick, that some of the events (events,) are in."""
        until = int(np.searchsorted(self.tick, tick, side="right"))
        return np.flatnonzero(mine[self.event[:until]] & (self.gone_tick[:until] > tick))

    def of(self, update: int) -> ExposedEvents:
        """Those of one update by its index, in the same order; copied once, for it is asked about at every tick."""
        return self._by_update.get(update, self._none)

    @cached_property
    def _by_update(self) -> dict[int, ExposedEvents]:
        order = np.argsort(self.update, kind="stable")
        updates, first = np.unique(self.update[order], return_index=True)
        parts = np.split(order, first[1:])
        return {update: self._rows(rows) for update, rows in zip(updates.tolist(), parts, strict=False)}

    @cached_property
    def _none(self) -> ExposedEvents:
        return self._rows(np.zeros(0, np.int64))

    def _rows(self, rows: Ints) -> ExposedEvents:
        return ExposedEvents(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True)
class Again:
    """Hosts that crashed again, so that it is no event: (n,) arrays sorted by tick.

    Attributes:
        tick: at which it was known; minute: in which it happened.
        event: the latest crash of the host by then that is one.
    """

    tick: Ints
    minute: Ints
    event: Ints


@dataclass(frozen=True)
class Left:
    """Hosts that left, not being always on: (n,) arrays sorted by tick.

    Attributes:
        tick: at which it was known, ten minutes after; minute: in which they left.
    """

    tick: Ints
    minute: Ints
    cell: Ints
    since_boot: Ints
    hosts: Ints


@dataclass(frozen=True)
class LeftWith:
    """Those of them that were known to have got an update in the hour before: (n,) arrays sorted by tick."""

    tick: Ints
    minute: Ints
    update: Ints
    cell: Ints
    since_boot: Ints
    age: Ints
    hosts: Ints


@dataclass(frozen=True)
class LeftAt:
    """Where they stood: (n,) arrays sorted by tick.

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
    """Events of hosts that had an update, for however long: (n,) arrays sorted by event.

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
        host: that host, else None. os_type, os_version: of the hosts.
        other: index of the other update; -1: the row counts the hosts, whatever else they had.
    """

    tick: Ints
    since: Ints
    is_count: NDArray[np.bool_]
    host: Texts
    os_type: Texts
    os_version: Texts
    other: Ints
    change: Ints

    @cached_property
    def numbers(self) -> tuple[dict[str, int], Ints]:
        """A number for each host, and (n,) that of each row's; -1: none."""
        found = {host: number for number, host in enumerate(dict.fromkeys(self.host[~self.is_count]))}
        return found, np.array([found.get(host, -1) for host in self.host], dtype=np.int64)

    @cached_property
    def versions(self) -> tuple[list[tuple[str | None, str | None]], Ints]:
        """The versions of operating systems, and (n,) which of them each row is of."""
        of_rows = list(zip(self.os_type, self.os_version, strict=True))
        found = {each: number for number, each in enumerate(dict.fromkeys(of_rows))}
        return list(found), np.array([found[each] for each in of_rows], dtype=np.int64)


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


@dataclass(frozen=True)
class News:
    """Everything the detector needs to know as of an instant.

    Attributes:
        first_tick, last_tick: minutes to judge; without an event the first is after the last.
        first_crash_minute: crashes count from then on, an hour before the first was known: whoever told of hosts may
            have begun to tell of crashes much later. Far in the future while there is none.
        first_left_minute: when it was first known that a host left that is not always on. Before that, while there are
            such hosts, silence teaches nothing. Far in the future while none did.
        installs_told: whether installs are on record; else exposure goes by releases.
        presence_told: whether sessions or heartbeats are; else a host counts as online for a day after it was seen.
        crashes_only: whether nothing is known of hosts but their crashes; see ``crashers``.
        beside: what else the hosts with an update had, by its index; exposed_at: where these stood; left_at: where
            those stood that left with it; had: which events happened to hosts that had it; whereabouts: where some of
            these happened, by their numbers, among hosts with it in some cells; at_place: whom at their places they may
            have struck, with it or not, as known by a tick; by_start: whom, by when those got it, within so many
            minutes of that and as known by a tick; by_delay: beside whom, by how long they had had it,
            as known by a tick; holders: which updates the hosts of some events had, as known by a tick. They ask the
            engine, which must still be open.
    """

    first_tick: int
    last_tick: int
    first_crash_minute: int
    first_left_minute: int
    cells: tuple[Cell, ...]
    suspects: tuple[Suspect, ...]
    online: Online
    places: OnlineAtPlace
    exposed: Exposed
    events: Events
    exposed_events: ExposedEvents
    again: Again
    left: Left
    left_with: LeftWith
    installs_told: bool
    presence_told: bool
    crashes_only: bool
    beside: Callable[[int], Beside]
    exposed_at: Callable[[int], ExposedAt]
    left_at: Callable[[int], LeftAt]
    had: Callable[[int], Had]
    whereabouts: Callable[[int, tuple[int, ...], tuple[int, ...]], Whereabouts]
    at_place: Callable[[int, tuple[int, ...], int], AtPlace]
    by_start: Callable[[int, tuple[int, ...], tuple[int, ...], int, int], ByStart]
    by_delay: Callable[[int, tuple[int, ...], int], ByDelay]
    holders: Callable[[tuple[int, ...], int], Holders]

    def may_be_patching(self, minute: int) -> bool:
        """Whether a host that falls silent may be restarting for an OS patch, nobody telling when it got it.

        Such silences are no events (see ``detection/gone``), and teach nothing of what is usual either.
        """
        return not self.installs_told and any(0 <= minute - released <= _DAY for released in self._patched)

    @cached_property
    def _patched(self) -> list[int]:
        """Minutes in which OS patches were released."""
        patches = (one.released_us for one in self.suspects if one.kind == "os_patch")
        return [us // 60_000_000 for us in patches if us is not None]
