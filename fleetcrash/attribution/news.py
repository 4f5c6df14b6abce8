"""What the lake says, as the detector reads it: counts by minute, cell and update, and the events.

The queries in ``store/sql/detection`` do the counting; here their answers become arrays, sorted by the tick at
which each row became known. A tick is a whole UTC minute, counted from 1970. Whatever happens, or becomes known,
within a minute is there at the tick that ends it; so a "minute" here is named by its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetcrash.store.engine import Engine

Ints = NDArray[np.int64]
Texts = NDArray[np.object_]

CELL_ATTRIBUTES = ("os_type", "os_version", "os_build", "agent_version", "model", "region", "ring")
PLACES = ("group", "site", "customer")
_US_A_MINUTE = 60_000_000
_NEVER = np.iinfo(np.int64).max


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
    """Changes in hosts at risk: (n,) arrays sorted by minute."""

    minute: Ints
    cell: Ints
    since_boot: Ints
    change: Ints


@dataclass(frozen=True)
class OnlineAtPlace:
    """Changes in hosts at risk at a group, site or customer: (n,) arrays sorted by minute.

    Attributes:
        names: (dimension, value) of each place; known_tick: (places,) first tick at which a host was known there.
    """

    minute: Ints
    place: Ints
    stratum: Ints
    change: Ints
    names: tuple[tuple[str, str], ...]
    known_tick: Ints


@dataclass(frozen=True)
class Exposed:
    """Changes in hosts at risk that have an update: (n,) arrays sorted by tick, then minute."""

    tick: Ints
    minute: Ints
    update: Ints
    cell: Ints
    since_boot: Ints
    age: Ints
    change: Ints


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
    """Which events happened to hosts that had an update for less than a day: (n,) arrays sorted by tick."""

    tick: Ints
    gone_tick: Ints
    event: Ints
    update: Ints
    age: Ints


@dataclass(frozen=True)
class Beside:
    """What else hosts with one update had when they got it, as changes in hosts: (n,) arrays sorted by tick.

    Attributes:
        is_count: of a sample of all hosts, the same at every tick; else of one host with an event.
        host: that host, else None.
        other: index of the other update; -1: the row counts the hosts, whatever else they had.
    """

    tick: Ints
    is_count: NDArray[np.bool_]
    host: Texts
    os_type: Texts
    other: Ints
    change: Ints


@dataclass(frozen=True)
class News:
    """Everything the detector needs to know as of an instant.

    Attributes:
        first_tick, last_tick: minutes to judge; without an event the first is after the last.
        first_crash_minute: crashes count from then on, an hour before the first was known: whoever told of hosts may
            have begun to tell of crashes much later. Far in the future while there is none.
        installs_told: whether installs are on record; else exposure goes by releases.
        beside: what else the hosts with an update had, by its index; it asks the engine, which must still be open.
    """

    first_tick: int
    last_tick: int
    first_crash_minute: int
    cells: tuple[Cell, ...]
    suspects: tuple[Suspect, ...]
    online: Online
    places: OnlineAtPlace
    exposed: Exposed
    events: Events
    exposed_events: ExposedEvents
    installs_told: bool
    beside: Callable[[int], Beside]


_KNOWN = ("known_presence", "known_installs", "known_spans", "known_history")
_STEPS = ("cells", "host_cell", "at_risk", "events", "exposed_events")


def keep_known(engine: Engine) -> None:
    """Have the answers that several questions of one look read worked out once."""
    for name in _KNOWN:
        engine.keep(name, name)


def read_news(engine: Engine, *, after_tick: int = -1) -> News:
    """Count the lake as of the engine's instant.

    Args:
        engine: its ``as_of`` must not be None.
        after_tick: counts up to this tick are left out, for a detector that has them; events never are.
    """
    keep_known(engine)
    for step in _STEPS:
        engine.keep(step, f"detection/{step}")
    cells = _cells(engine.table("detection/cells_in_order"))
    suspects = _suspects(engine.table("detection/suspects"))
    update_index = {suspect.update_id: index for index, suspect in enumerate(suspects)}
    places = engine.table("detection/places")
    bounds = engine.rows("detection/first_and_last_tick")[0]
    events = _events(engine.table("detection/events_in_order"))
    if not len(events):
        after_tick = bounds["last_tick"]  # no minute to judge, so no counts either
    return News(
        first_tick=bounds["first_tick"],
        last_tick=bounds["last_tick"],
        first_crash_minute=_NEVER if bounds["first_crash_tick"] is None else bounds["first_crash_tick"] - 60,
        cells=cells,
        suspects=suspects,
        online=_online(engine.table("detection/online_by_minute_cell", after_tick=after_tick)),
        places=_places(engine.table("detection/online_by_minute_place", after_tick=after_tick), places),
        exposed=_exposed(engine.table("detection/exposed_by_minute_cell", after_tick=after_tick), update_index),
        events=events,
        exposed_events=_exposed_events(engine.table("detection/exposed_events_in_order"), update_index),
        installs_told=engine.rows("sources_of_exposure")[0]["exposure_source"] == "installs",
        beside=cache(partial(_beside, engine, suspects, update_index)),
    )


def stratum_of_place(os_index: Ints, always_on: Ints, since_boot: Ints) -> Ints:
    """Index of (OS, always on, time since boot) within a place: 4 x 2 x 3."""
    return (os_index * 2 + always_on) * 3 + since_boot


OS_INDEX = {"windows": 0, "darwin": 1, "linux": 2, None: 3}


def _ints(table: pa.Table, name: str, missing: int = 0) -> Ints:
    values: Ints = table[name].cast(pa.int64()).fill_null(missing).to_numpy()
    return values


def _texts(table: pa.Table, name: str) -> Texts:
    values = np.empty(len(table), dtype=object)
    values[:] = table[name].to_pylist()
    return values


def _cells(table: pa.Table) -> tuple[Cell, ...]:
    rows = table.to_pylist()
    known = [
        Cell(tuple(row[name] for name in CELL_ATTRIBUTES), bool(row["always_on"]), row["known_tick"]) for row in rows
    ]
    # Hosts that the inventory lacks share the first cell; the queries number it -1, and the others from 0.
    return (Cell((None,) * len(CELL_ATTRIBUTES), False, 0), *known)


def _suspects(table: pa.Table) -> tuple[Suspect, ...]:
    return tuple(Suspect(**row) for row in table.to_pylist())


def _online(table: pa.Table) -> Online:
    return Online(
        minute=_ints(table, "minute"),
        cell=_ints(table, "cell") + 1,
        since_boot=_ints(table, "since_boot"),
        change=_ints(table, "change"),
    )


def _places(table: pa.Table, known: pa.Table) -> OnlineAtPlace:
    names = tuple(zip(known["dimension"].to_pylist(), known["place"].to_pylist(), strict=True))
    dimensions, dimension = _codes(table, "dimension")
    values, value = _codes(table, "place")
    numbers = {name: number for number, name in enumerate(names)}
    index = np.array([[numbers.get((one, other), -1) for other in values] for one in dimensions], dtype=np.int64)
    systems, system = _codes(table, "os_type")
    return OnlineAtPlace(
        minute=_ints(table, "minute"),
        place=index[dimension, value] if len(table) else np.zeros(0, np.int64),
        stratum=stratum_of_place(
            np.array([OS_INDEX.get(name, 3) for name in [*systems, None]], dtype=np.int64)[system],
            _ints(table, "always_on"),
            _ints(table, "since_boot"),
        ),
        change=_ints(table, "change"),
        names=names,
        known_tick=_ints(known, "known_tick"),
    )


def _codes(table: pa.Table, name: str) -> tuple[list[str], Ints]:
    """The values of a column of text, and of each row which one it has; a missing one has the number after the last."""
    found = table[name].combine_chunks().dictionary_encode()
    values = found.dictionary.to_pylist()
    codes: Ints = found.indices.fill_null(len(values)).to_numpy().astype(np.int64)
    return values, codes


def _exposed(table: pa.Table, update_index: dict[str, int]) -> Exposed:
    return Exposed(
        tick=_ints(table, "tick"),
        minute=_ints(table, "minute"),
        update=_updates(table, update_index),
        cell=_ints(table, "cell") + 1,
        since_boot=_ints(table, "since_boot"),
        age=_ints(table, "age"),
        change=_ints(table, "change"),
    )


def _beside(engine: Engine, suspects: Sequence[Suspect], update_index: dict[str, int], update: int) -> Beside:
    table = engine.table("detection/beside", update_id=suspects[update].update_id)
    names, code = _codes(table, "other")
    return Beside(
        tick=_ints(table, "tick"),
        is_count=table["host_id"].is_null().to_numpy(),
        host=_texts(table, "host_id"),
        os_type=_texts(table, "os_type"),
        other=np.array([*(update_index.get(name, -1) for name in names), -1], dtype=np.int64)[code],
        change=_ints(table, "change"),
    )


def _updates(table: pa.Table, update_index: dict[str, int]) -> Ints:
    names = table["update_id"].combine_chunks().dictionary_encode()
    codes = np.array([update_index[name] for name in names.dictionary.to_pylist()], dtype=np.int64)
    picked: Ints = codes[names.indices.to_numpy()] if len(codes) else np.zeros(0, np.int64)
    return picked


def _events(table: pa.Table) -> Events:
    outcome, since_boot = _ints(table, "outcome"), _ints(table, "since_boot")
    return Events(
        outcome=np.where((outcome == 0) & (since_boot == 0), 2, outcome),
        cell=_ints(table, "cell") + 1,
        os_type=_texts(table, "os_type"),
        tick=_ints(table, "tick"),
        minute=-(-_ints(table, "at_us") // _US_A_MINUTE),
        known_us=_ints(table, "known_us"),
        back_tick=_ints(table, "back_tick", _NEVER),
        since_boot=since_boot,
        host=_texts(table, "host_id"),
        module=_texts(table, "module"),
        places=(_texts(table, "group"), _texts(table, "site"), _texts(table, "customer")),
    )


def _exposed_events(table: pa.Table, update_index: dict[str, int]) -> ExposedEvents:
    return ExposedEvents(
        tick=_ints(table, "tick"),
        gone_tick=_ints(table, "gone_tick", _NEVER),
        event=_ints(table, "event"),
        update=_updates(table, update_index),
        age=_ints(table, "age"),
    )
