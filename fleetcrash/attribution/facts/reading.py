"""Reading the news from the lake: the queries in ``store/sql/detection`` count, and their answers become arrays.

A detector that reads on has counted every row whose tick has passed. So what becomes known later adds rows of later
ticks, and a correction is a row more, which takes the first one back at its own tick. Where it does change a row of
before, as heartbeats do that were held up, the news do not follow the earlier ones, and all is judged anew.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fleetcrash.arrays import Ints
from fleetcrash.attribution.facts import crashers
from fleetcrash.attribution.facts.catalogue import Catalogue, Said, Suspect
from fleetcrash.attribution.facts.columns import as_cells, ints, narrow, numbered, texts
from fleetcrash.attribution.facts.exposed import changes_of
from fleetcrash.attribution.facts.exposure import kind_of
from fleetcrash.attribution.facts.news import (
    CELL_ATTRIBUTES,
    Again,
    Cell,
    Events,
    Exposed,
    ExposedEvents,
    Left,
    LeftWith,
    News,
    Online,
    OnlineAtPlace,
    system_number,
)
from fleetcrash.attribution.facts.questions import Questions
from fleetcrash.store.engine import Engine
from fleetcrash.times import US_A_MINUTE

_NEVER = np.iinfo(np.int64).max
KNOWN = ("known_presence", "known_installs", "known_spans", "known_history")
_STEPS = ("cells", "host_cell", "numbered_places", "first_told", "at_risk", "gone", "events", "exposed_events")


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
    sources = engine.rows("sources_of_exposure")[0]
    installs_told, presence_told = sources["exposure_source"] == "installs", sources["presence_source"] == "sessions"
    crashes_only = len(cells) == 1 and not installs_told and not presence_told
    bounds = engine.rows("detection/first_and_last_tick")[0]
    told = engine.rows("detection/counted_by", earlier=after_tick, now=bounds["last_tick"])[0]
    events = _events(engine.table("detection/events_in_order"))
    if not len(events):
        after_tick = bounds["last_tick"]  # no minute to judge, so no counts either
    # What is large is worked out before there is much else to keep.
    places = _places(engine.table("detection/online_by_minute_place", after_tick=after_tick), known_places)
    if after_tick < 0:  # later looks make but a part anew, and often
        engine.pack()
    ticks = {"after_tick": after_tick, "last_tick": bounds["last_tick"]}
    if crashes_only:
        online, exposed, exposed_events = _of_crashers(engine, events, suspects, update_index, **ticks)
    else:
        online, exposed, exposed_events = _of_hosts(engine, update_index, len(cells), **ticks)
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
        exposed_events=exposed_events,
        again=_again(engine.table("detection/crashes_again")),
        left=_left(engine.table("detection/left_by_minute_cell", after_tick=after_tick)),
        left_with=_left_with(engine.table("detection/left_with_update", after_tick=after_tick), update_index),
        installs_told=installs_told,
        presence_told=presence_told,
        crashes_only=crashes_only,
        told_before=told["earlier"],
        told=told["now"],
        ask=Questions(engine, list(update_index)),
    )


def _of_hosts(
    engine: Engine, update_index: dict[str, int], cells: int, *, after_tick: int, last_tick: int
) -> tuple[Online, Exposed, ExposedEvents]:
    """The hosts at risk, those of them that had each update, and the events of these."""
    first_minute = engine.rows("detection/first_exposed_minute")[0]["first_minute"]
    exposed = changes_of(
        engine.batches("detection/exposed_stretches", updates=list(update_index), after_tick=after_tick),
        first_minute=first_minute,
        after_tick=after_tick,
        last_tick=last_tick,
        updates=len(update_index),
        cells=cells,
    )
    online = _online(engine.table("detection/online_by_minute_cell", after_tick=after_tick))
    return online, exposed, _exposed_events(engine.table("detection/exposed_events_in_order"), update_index)


def _of_crashers(
    engine: Engine,
    events: Events,
    suspects: Catalogue,
    update_index: dict[str, int],
    *,
    after_tick: int,
    last_tick: int,
) -> tuple[Online, Exposed, ExposedEvents]:
    """The same where nothing is known of hosts but their crashes."""
    that_lack = engine.table("detection/events_that_lack")
    lacking = np.stack([ints(that_lack, "event"), _updates(that_lack, update_index)])
    return (
        crashers.online_after_crash(events, after_tick=after_tick),
        crashers.exposed_since_release(events, suspects, after_tick=after_tick, last_tick=last_tick),
        crashers.exposed_events(events, suspects, lacking),
    )


def _cells(table: pa.Table) -> tuple[Cell, ...]:
    rows = table.to_pylist()
    known = [
        Cell(tuple(row[name] for name in CELL_ATTRIBUTES), bool(row["always_on"]), row["known_tick"]) for row in rows
    ]
    # Hosts that the inventory lacks share the first one; see ``as_cells``.
    return (Cell((None,) * len(CELL_ATTRIBUTES), False, 0), *known)


def _suspects(table: pa.Table) -> Catalogue:
    return Catalogue([Said(row.pop("tick"), row.pop("number"), Suspect(**row)) for row in table.to_pylist()])


def _online(table: pa.Table) -> Online:
    return Online(
        minute=narrow(table, "minute"),
        cell=as_cells(narrow(table, "cell")),
        since_boot=narrow(table, "since_boot"),
        change=narrow(table, "change"),
    )


def _places(table: pa.Table, known: pa.Table) -> OnlineAtPlace:
    systems, system = numbered(table, "os_type")
    return OnlineAtPlace(
        minute=narrow(table, "minute"),
        place=narrow(table, "place"),
        stratum=kind_of(
            np.array([system_number(name) for name in [*systems, None]], dtype=np.int32)[system],
            narrow(table, "always_on"),
            narrow(table, "since_boot"),
        ),
        change=narrow(table, "change"),
        names=tuple(zip(known["dimension"].to_pylist(), known["name"].to_pylist(), strict=True)),
        known_tick=ints(known, "known_tick"),
    )


def _again(table: pa.Table) -> Again:
    return Again(tick=ints(table, "tick"), minute=ints(table, "minute"), event=ints(table, "event"))


def _left(table: pa.Table) -> Left:
    return Left(
        tick=ints(table, "tick"),
        minute=ints(table, "minute"),
        cell=as_cells(ints(table, "cell")),
        since_boot=ints(table, "since_boot"),
        hosts=ints(table, "hosts"),
    )


def _left_with(table: pa.Table, update_index: dict[str, int]) -> LeftWith:
    return LeftWith(
        tick=ints(table, "tick"),
        minute=ints(table, "minute"),
        update=_updates(table, update_index),
        cell=as_cells(ints(table, "cell")),
        since_boot=ints(table, "since_boot"),
        age=ints(table, "age"),
        hosts=ints(table, "hosts"),
    )


def _updates(table: pa.Table, update_index: dict[str, int]) -> Ints:
    names, name = numbered(table, "update_id")
    return np.array([*(update_index[one] for one in names), -1], dtype=np.int64)[name]


def _events(table: pa.Table) -> Events:
    outcome, since_boot = ints(table, "outcome"), ints(table, "since_boot")
    return Events(
        outcome=np.where((outcome == 0) & (since_boot == 0), 2, outcome),
        cell=as_cells(ints(table, "cell")),
        tick=ints(table, "tick"),
        minute=-(-ints(table, "at_us") // US_A_MINUTE),
        back_tick=ints(table, "back_tick", _NEVER),
        patched_tick=ints(table, "patched_tick", _NEVER),
        since_boot=since_boot,
        host=texts(table, "host_id"),
        module=texts(table, "module"),
        places=(texts(table, "group"), texts(table, "site"), texts(table, "customer")),
    )


def _exposed_events(table: pa.Table, update_index: dict[str, int]) -> ExposedEvents:
    return ExposedEvents(
        tick=ints(table, "tick"),
        gone_tick=ints(table, "gone_tick", _NEVER),
        event=ints(table, "event"),
        update=_updates(table, update_index),
        age=ints(table, "age"),
        boot_age=ints(table, "boot_age"),
    )
