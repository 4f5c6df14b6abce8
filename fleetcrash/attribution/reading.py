"""Reading the news from the lake: the queries in ``store/sql/detection`` count, and their answers become arrays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache, partial

import numpy as np
import pyarrow as pa

from fleetcrash.attribution import crashers
from fleetcrash.attribution.asked import AtPlace, Beside, ByDelay, ByStart, ExposedAt, Had, Holders, LeftAt, Whereabouts
from fleetcrash.attribution.exposed import changes_of
from fleetcrash.attribution.news import (
    CELL_ATTRIBUTES,
    OS_INDEX,
    Again,
    Cell,
    Events,
    ExposedEvents,
    Ints,
    Left,
    LeftWith,
    Narrow,
    News,
    Online,
    OnlineAtPlace,
    Suspect,
    Texts,
)
from fleetcrash.store.engine import Engine

_US_A_MINUTE = 60_000_000
_NEVER = np.iinfo(np.int64).max
KNOWN = ("known_presence", "known_installs", "known_spans", "known_history")
_STEPS = ("cells", "host_cell", "numbered_places", "at_risk", "gone", "events", "exposed_events")


def keep_known(engine: Engine) -> None:
    """Have the answers that several questions of one look read worked out once."""
    for name in KNOWN:
        engine.keep(name, name)
    engine.keep_passing("judged_crashes", "judged_crashes")


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
    known_places = engine.table("detection/places_in_order")
    bounds = engine.rows("detection/first_and_last_tick")[0]
    events = _events(engine.table("detection/events_in_order"))
    if not len(events):
        after_tick = bounds["last_tick"]  # no minute to judge, so no counts either
    # What is large is worked out before there is much else to keep.
    places = _places(engine.table("detection/online_by_minute_place", after_tick=after_tick), known_places)
    first_minute = engine.rows("detection/first_exposed_minute")[0]["first_minute"]
    if after_tick < 0:  # later looks make but a part anew, and often
        engine.pack()
    exposed = changes_of(
        engine.batches("detection/exposed_stretches", updates=list(update_index), after_tick=after_tick),
        first_minute=first_minute,
        after_tick=after_tick,
        last_tick=bounds["last_tick"],
        updates=len(suspects),
        cells=len(cells),
    )
    sources = engine.rows("sources_of_exposure")[0]
    online = _online(engine.table("detection/online_by_minute_cell", after_tick=after_tick))
    of_events = _exposed_events(engine.table("detection/exposed_events_in_order"), update_index)
    installs_told, presence_told = sources["exposure_source"] == "installs", sources["presence_source"] == "sessions"
    crashes_only = len(cells) == 1 and not installs_told and not presence_told
    if crashes_only:
        last_tick = bounds["last_tick"]
        online = crashers.online_after_crash(events, after_tick=after_tick)
        exposed = crashers.exposed_since_release(events, suspects, after_tick=after_tick, last_tick=last_tick)
        that_lack = engine.table("detection/events_that_lack")
        lacking = np.stack([_ints(that_lack, "event"), _updates(that_lack, update_index)])
        of_events = crashers.exposed_events(events, suspects, lacking)
    return News(
        first_tick=bounds["first_tick"],
        last_tick=bounds["last_tick"],
        first_crash_minute=_NEVER if bounds["first_crash_tick"] is None else bounds["first_crash_tick"] - 60,
        first_left_minute=_NEVER if bounds["first_left_tick"] is None else bounds["first_left_tick"],
        cells=cells,
        suspects=suspects,
        online=online,
        places=places,
        exposed=exposed,
        events=events,
        exposed_events=of_events,
        again=_again(engine.table("detection/crashes_again")),
        left=_left(engine.table("detection/left_by_minute_cell", after_tick=after_tick)),
        left_with=_left_with(engine.table("detection/left_with_update", after_tick=after_tick), update_index),
        installs_told=installs_told,
        presence_told=presence_told,
        crashes_only=crashes_only,
        beside=cache(partial(_beside, engine, suspects, update_index)),
        exposed_at=cache(partial(_exposed_at, engine, suspects)),
        left_at=cache(partial(_left_at, engine, suspects)),
        had=cache(partial(_had, engine, suspects)),
        whereabouts=lru_cache(partial(_whereabouts, engine, suspects)),
        at_place=lru_cache(partial(_at_place, engine, suspects)),
        by_start=lru_cache(partial(_by_start, engine, suspects)),
        by_delay=lru_cache(partial(_by_delay, engine, suspects)),
        holders=lru_cache(partial(_holders, engine, update_index)),
    )


def stratum_of_place(os_index: Narrow, always_on: Narrow, since_boot: Narrow) -> Narrow:
    """Index of (OS, always on, time since boot) within a place: 4 x 2 x 4."""
    return (os_index * 2 + always_on) * 4 + since_boot


def _ints(table: pa.Table, name: str, missing: int = 0) -> Ints:
    values: Ints = table[name].cast(pa.int64()).fill_null(missing).to_numpy()
    return values


def _narrow(table: pa.Table, name: str) -> Narrow:
    values: Narrow = table[name].cast(pa.int32()).fill_null(0).to_numpy()
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
        minute=_narrow(table, "minute"),
        cell=_narrow(table, "cell") + np.int32(1),
        since_boot=_narrow(table, "since_boot"),
        change=_narrow(table, "change"),
    )


def _places(table: pa.Table, known: pa.Table) -> OnlineAtPlace:
    systems, system = _codes(table, "os_type")
    return OnlineAtPlace(
        minute=_narrow(table, "minute"),
        place=_narrow(table, "place"),
        stratum=stratum_of_place(
            np.array([OS_INDEX.get(name, 3) for name in [*systems, None]], dtype=np.int32)[system],
            _narrow(table, "always_on"),
            _narrow(table, "since_boot"),
        ),
        change=_narrow(table, "change"),
        names=tuple(zip(known["dimension"].to_pylist(), known["name"].to_pylist(), strict=True)),
        known_tick=_ints(known, "known_tick"),
    )


def _codes(table: pa.Table, name: str) -> tuple[list[str], Ints]:
    """The values of a column of text, and of each row which one it has; a missing one has the number after the last."""
    found = table[name].combine_chunks().dictionary_encode()
    values = found.dictionary.to_pylist()
    codes: Ints = found.indices.fill_null(len(values)).to_numpy().astype(np.int64)
    return values, codes


def _beside(engine: Engine, suspects: Sequence[Suspect], update_index: dict[str, int], update: int) -> Beside:
    table = engine.table("detection/beside", update_id=suspects[update].update_id)
    names, code = _codes(table, "other")
    return Beside(
        tick=_ints(table, "tick"),
        since=_ints(table, "since"),
        is_count=table["host_id"].is_null().to_numpy(),
        host=_texts(table, "host_id"),
        os_type=_texts(table, "os_type"),
        os_version=_texts(table, "os_version"),
        other=np.array([*(update_index.get(name, -1) for name in names), -1], dtype=np.int64)[code],
        change=_ints(table, "change"),
    )


def _exposed_at(engine: Engine, suspects: Sequence[Suspect], update: int) -> ExposedAt:
    table = engine.table("detection/exposed_at_places", update_id=suspects[update].update_id)
    return ExposedAt(
        tick=_narrow(table, "tick"),
        minute=_narrow(table, "minute"),
        cell=_narrow(table, "cell") + np.int32(1),
        place=table["place"].cast(pa.int32()).fill_null(-1).to_numpy(),
        hosts=_narrow(table, "hosts"),
        prints=table["prints"].to_numpy(),
    )


def _again(table: pa.Table) -> Again:
    return Again(tick=_ints(table, "tick"), minute=_ints(table, "minute"), event=_ints(table, "event"))


def _left(table: pa.Table) -> Left:
    return Left(
        tick=_ints(table, "tick"),
        minute=_ints(table, "minute"),
        cell=_ints(table, "cell") + 1,
        since_boot=_ints(table, "since_boot"),
        hosts=_ints(table, "hosts"),
    )


def _left_with(table: pa.Table, update_index: dict[str, int]) -> LeftWith:
    return LeftWith(
        tick=_ints(table, "tick"),
        minute=_ints(table, "minute"),
        update=_updates(table, update_index),
        cell=_ints(table, "cell") + 1,
        since_boot=_ints(table, "since_boot"),
        age=_ints(table, "age"),
        hosts=_ints(table, "hosts"),
    )


def _left_at(engine: Engine, suspects: Sequence[Suspect], update: int) -> LeftAt:
    table = engine.table("detection/left_at_places", update_id=suspects[update].update_id)
    return LeftAt(
        tick=_ints(table, "tick"),
        dimension=_texts(table, "dimension"),
        place=_texts(table, "place"),
        hosts=_ints(table, "hosts"),
        with_update=_ints(table, "with_update"),
    )


def _had(engine: Engine, suspects: Sequence[Suspect], update: int) -> Had:
    table = engine.table("detection/events_with_update", update_id=suspects[update].update_id)
    return Had(event=_ints(table, "event"), tick=_ints(table, "tick"))


def _whereabouts(
    engine: Engine, suspects: Sequence[Suspect], update: int, events: tuple[int, ...], cells: tuple[int, ...]
) -> Whereabouts:
    table = engine.table(
        "detection/hosts_beside_events",
        update_id=suspects[update].update_id,
        events=list(events),
        cells=[cell - 1 for cell in cells],
    )
    return Whereabouts(
        dimension=_texts(table, "dimension"),
        place=_texts(table, "place"),
        hosts=_ints(table, "hosts"),
        hosts_there=_ints(table, "hosts_there"),
    )


def _at_place(engine: Engine, suspects: Sequence[Suspect], update: int, events: tuple[int, ...], tick: int) -> AtPlace:
    table = engine.table(
        "detection/hosts_beside_at_place",
        update_id=suspects[update].update_id,
        events=list(events),
        at=datetime.fromtimestamp(tick * 60, UTC),
    )
    return AtPlace(
        dimension=_texts(table, "dimension"),
        hosts=_ints(table, "hosts"),
        hosts_with=_ints(table, "hosts_with"),
        had=table["had"].to_numpy(),
    )


def _by_start(
    engine: Engine,
    suspects: Sequence[Suspect],
    update: int,
    events: tuple[int, ...],
    cells: tuple[int, ...],
    minutes: int,
    tick: int,
) -> ByStart:
    table = engine.table(
        "detection/hosts_by_start",
        update_id=suspects[update].update_id,
        events=list(events),
        cells=[cell - 1 for cell in cells],
        minutes=minutes,
        at=datetime.fromtimestamp(tick * 60, UTC),
    )
    return ByStart(
        always_on=table["always_on"].to_numpy(zero_copy_only=False),
        fresh=table["fresh"].to_numpy(zero_copy_only=False),
        installed=_ints(table, "installed"),
        at_risk_s=table["at_risk_s"].to_numpy(),
        struck=_ints(table, "struck"),
    )


def _by_delay(engine: Engine, suspects: Sequence[Suspect], update: int, events: tuple[int, ...], tick: int) -> ByDelay:
    table = engine.table(
        "detection/hosts_by_delay",
        update_id=suspects[update].update_id,
        events=list(events),
        at=datetime.fromtimestamp(tick * 60, UTC),
    )
    return ByDelay(
        event=_ints(table, "event"),
        had=table["age_s"].is_valid().to_numpy(),
        age_s=_ints(table, "age_s"),
        hosts=_ints(table, "hosts"),
        struck=_ints(table, "struck"),
    )


def _holders(engine: Engine, update_index: dict[str, int], events: tuple[int, ...], tick: int) -> Holders:
    table = engine.table(
        "detection/holders_beside_events", events=list(events), at=datetime.fromtimestamp(tick * 60, UTC)
    )
    names, code = _codes(table, "update_id")
    return Holders(
        event=_ints(table, "event"),
        update=np.array([*(update_index.get(name, -1) for name in names), -1], dtype=np.int64)[code],
        hosts=_ints(table, "hosts"),
        had=table["had"].to_numpy(),
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
        boot_age=_ints(table, "boot_age"),
    )
