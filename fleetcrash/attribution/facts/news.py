"""What the lake says, as the detector has it: counts by minute, cell and update, and the events.

All are arrays, sorted by the tick at which each row became known; ``reading`` fills them. A tick is a whole UTC minute,
counted from 1970. Whatever happens, or becomes known, within a minute is there at the tick that ends it; so a "minute"
here is named by its end.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Ints, Mask, Narrow, Texts
from fleetcrash.attribution.facts.catalogue import Catalogue
from fleetcrash.attribution.facts.columns import numbers_of
from fleetcrash.attribution.facts.questions import Questions
from fleetcrash.records import OS_TYPES
from fleetcrash.times import DAY

Tiny = NDArray[np.int8]

CELL_ATTRIBUTES = ("os_type", "os_version", "os_build", "agent_version", "model", "region", "ring")
SET_BY = {"agent": "agent_version", "os_patch": "os_build"}
"""The attribute of hosts that an update of each kind sets, where a catalogue numbers its updates as inventories do."""
PLACES = ("group", "site", "customer")
SYSTEMS = len(OS_TYPES) + 1


def system_number(os_type: str | None) -> int:
    """The number of an operating system; the last is that of hosts of which it is not known."""
    return OS_TYPES.index(os_type) if os_type in OS_TYPES else len(OS_TYPES)


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
        return self.attributes[CELL_ATTRIBUTES.index("os_type")]

    @property
    def region(self) -> str | None:
        """Where its hosts stand; None where nobody tells."""
        return self.attributes[CELL_ATTRIBUTES.index("region")]


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
        patched_tick: at which it was told that an OS patch was restarting it, so that it was no news, or far ahead.
    """

    outcome: Ints
    cell: Ints
    tick: Ints
    minute: Ints
    back_tick: Ints
    patched_tick: Ints
    since_boot: Ints
    host: Texts
    module: Texts
    places: tuple[Texts, Texts, Texts]

    def __len__(self) -> int:
        return len(self.tick)

    def begin_with(self, before: Events) -> bool:
        """Whether they are those, and more that were known later."""
        size = len(before)
        return len(self) >= size and all(
            np.array_equal(getattr(self, name)[:size], getattr(before, name))
            for name in ("outcome", "tick", "minute", "cell", "since_boot", "host")
        )


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
        suspects: the updates, each as it is known at the tick to which a detector has turned them.
        crashes_only: whether nothing is known of hosts but their crashes; see ``crashers``.
        told: stands for all that was told of hosts by the last tick; told_before: for what was by the tick up to which
            an earlier look counted.
        ask: answers what is not counted here.
    """

    first_tick: int
    last_tick: int
    first_crash_minute: int
    first_left_minute: int
    cells: tuple[Cell, ...]
    suspects: Catalogue
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
    told_before: str
    told: str
    ask: Questions

    @cached_property
    def strata(self) -> Ints:
        """(cells,) the number of each one's coarse stratum OS x region x always on, in which risk sets are compared.

        The fine cells hold a handful of hosts each; within one, an update pushed to all leaves nothing to compare.
        """
        return numbers_of([(cell.os_type, cell.region, cell.always_on) for cell in self.cells])

    @cached_property
    def systems(self) -> Ints:
        """(cells,) the number of each one's operating system."""
        return np.array([system_number(cell.os_type) for cell in self.cells], dtype=np.int64)

    def told_by(self, update: int) -> str | None:
        """The attribute that hosts with an update are known by: the version or build that it brings them.

        None for most updates; also for an agent or a patch of a catalogue with numbers of its own.
        """
        suspect = self.suspects[update]
        attribute = SET_BY.get(suspect.kind or "")
        if attribute is None or suspect.version is None:
            return None
        return attribute if suspect.version in self._versions[attribute] else None

    @cached_property
    def _versions(self) -> dict[str, set[str | None]]:
        columns = {attribute: CELL_ATTRIBUTES.index(attribute) for attribute in SET_BY.values()}
        return {attribute: {cell.attributes[at] for cell in self.cells} for attribute, at in columns.items()}

    def follows(self, earlier: News) -> bool:
        """Whether what was counted of earlier news stands, so that it need not be counted anew.

        It does not where hosts take back what they told, that a session had ended, say, or where heartbeats were held
        up; nor where an inventory or a catalogue arrived, or the first crashes turned out to be strays.

        Args:
            earlier: the news up to whose last tick these leave the counts out.
        """
        return self.can_be_added_to(earlier) and self.told_before == earlier.told

    def can_be_added_to(self, earlier: News) -> bool:
        """Whether they can be counted on top: of earlier news only when hosts were online, or had what, has changed.

        Counts of host-time are a little off then; events, cells and updates are the same.
        """
        is_begun = earlier.first_crash_minute < earlier.last_tick
        return (
            self.crashes_only == earlier.crashes_only
            and (not is_begun or self.first_crash_minute == earlier.first_crash_minute)
            and self.cells[: len(earlier.cells)] == earlier.cells
            and self.suspects.said_by(earlier.last_tick) == earlier.suspects.said_by(earlier.last_tick)
            and self.events.begin_with(earlier.events)
        )

    def may_be_patching(self, minute: int) -> bool:
        """Whether a host that falls silent may be restarting for an OS patch, nobody telling when it got it.

        Such silences are no events (see ``detection/gone``), and teach nothing of what is usual either.
        """
        return not self.installs_told and any(since <= minute <= until for since, until in self._patched())

    def _patched(self) -> list[tuple[int, int]]:
        """First and last minutes of the days in which hosts restart for an OS patch, from when that is known."""
        patches = ((one.released_minute, one.known_tick) for one in self.suspects if one.kind == "os_patch")
        return [(max(minute, known), minute + DAY) for minute, known in patches if minute is not None]
