"""Kept tables that grow: whatever came, in whatever order, they hold what one made anew holds."""

from __future__ import annotations

from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dashboard.selection import TABLES_OF_THE_LAKE
from fleetcrash.attribution.facts.reading import keep_known
from fleetcrash.clustering import Clusters
from fleetcrash.errors import LakeError
from fleetcrash.store import Engine, Lake
from fleetcrash.store.growth import GROWS_BY, Growth
from fleetcrash.store.housekeeping import compact
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import LAST_MINUTE, World, at, lake_of, worlds

TABLES = sorted(query.rpartition("/")[2] for query in GROWS_BY)


def keep_all(engine: Engine) -> None:
    """Keep every table that grows, as its users do."""
    Clusters(engine).keep()
    keep_known(engine)
    for name in TABLES_OF_THE_LAKE:
        engine.keep(name, name)


def held(engine: Engine, name: str) -> list[tuple[Any, ...]]:
    """The rows of a kept table, brought up to date, in an order of their own."""
    engine._kept.make(name)
    return sorted(engine._con.sql(f'SELECT CAST(COLUMNS(*) AS VARCHAR) FROM "{name}"').fetchall(), key=str)


def _tables(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    keep_all(engine)
    return {name: held(engine, name) for name in TABLES}


def _load_some(lake: Lake, world: World, number: int, random: Random) -> None:
    """One more batch, of few rows of any age; some of them for the second time."""
    for kind in random.sample(sorted(world), 2):
        part = random.sample(world[kind], min(len(world[kind]), random.randrange(3)))
        if part:
            append_rows(lake, kind, part, batch_id=f"part-{number}")


@pytest.mark.slow
@settings(max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate])  # shrinking takes minutes
@given(worlds(), st.randoms(use_true_random=False))
def test_a_table_that_grew_is_the_one_made_anew(empty_lake, world, random: Random):
    begun = {kind: random.sample(rows, len(rows) // 2) for kind, rows in world.items()}
    with (
        lake_of(begun, empty_lake) as lake,
        Engine(lake, threads=1, cache_from_s=None, grow_from_s=0) as growing,
        Engine(lake.for_another_thread(), threads=1, cache_from_s=None, grow_from_s=1e9) as anew,
    ):
        writing, minute = Lake.open(lake.root), 0
        for number in range(8):
            if number % 3:
                _load_some(writing, world, number, random)
            minute = random.choice([minute, minute + 5, minute + 5, minute + 45, random.randrange(0, LAST_MINUTE, 5)])
            for engine in (growing, anew):
                engine.refresh()
                engine.as_of = at(minute)
                keep_all(engine)
            for name in random.sample(TABLES, 4):  # the others grow from an earlier look, later
                assert held(growing, name) == held(anew, name), name


# -- one change at a time, each of which some table must follow

_FLEET: World = {
    "host": [{"host_id": host, "os_type": "linux", "os_build": "1", "agent_version": "7.9"} for host in "abc"],
    "session": [
        {"host_id": "a", "online_from": at(0), "online_until": None},
        {"host_id": "b", "online_from": at(0), "online_until": at(55), "received_at": at(30)},
    ],
    "heartbeat": [{"host_id": "c", "at": at(minute)} for minute in (40, 45, 50)],
    "install": [{"host_id": "a", "update_id": update, "applied_at": at(minute)} for update, minute in
                (("early", 10), ("late", 20))],
    "update": [{"update_id": "early", "kind": "content", "channel": "x", "released_at": at(5)}],
    "crash": [
        {"crash_id": "told twice", "host_id": "a", "os_type": "linux", "occurred_at": at(25), "received_at": at(29)},
        {"crash_id": "at boot", "host_id": "b", "os_type": "linux", "occurred_at": at(58), "time_quality": "reboot"},
    ],
}  # fmt: skip
_CHANGES: dict[str, tuple[int, int, World]] = {
    "a crash": (60, 60, {"crash": [{"crash_id": "new", "host_id": "c", "os_type": "linux", "occurred_at": at(59)}]}),
    "an earlier report of a crash, of another host": (
        60,
        60,
        {"crash": [{"crash_id": "told twice", "host_id": "b", "os_type": "windows", "occurred_at": at(26)}]},
    ),
    "a record that was there and is known by now": (28, 29, {}),
    "a session of which beats told": (
        60,
        60,
        {"session": [{"host_id": "c", "online_from": at(30), "online_until": at(45)}]},
    ),
    "silence within a session without an end": (60, 75, {"heartbeat": [{"host_id": "a", "at": at(58)}]}),
    "an install": (60, 60, {"install": [{"host_id": "c", "update_id": "early", "applied_at": at(58)}]}),
    "a removal": (
        60,
        60,
        {"install": [{"host_id": "a", "update_id": "late", "applied_at": at(58), "action": "removed"}]},
    ),
    "late word of a replacement": (
        60,
        60,
        {"install": [{"host_id": "a", "update_id": "early", "applied_at": at(15), "received_at": at(60)}]},
    ),
    "late word of a release, in the slot of another": (
        60,
        61,
        {
            "update": [
                {
                    "update_id": "late",
                    "kind": "content",
                    "channel": "x",
                    "released_at": at(18),
                    "received_at": at(61),
                }
            ]
        },
    ),
    "a row of the inventory": (60, 60, {"host": [{"host_id": "a", "os_type": "linux", "seen_at": at(24)}]}),
    "a session": (60, 60, {"session": [{"host_id": "c", "online_from": at(58), "online_until": None}]}),
    "a beat": (64, 64, {"heartbeat": [{"host_id": "c", "at": at(55)}]}),
    "ten minutes since a session ended": (64, 65, {}),
    "750 seconds since the last beat": (62, 63, {}),
}


@pytest.mark.variants
@pytest.mark.parametrize(
    ("before", "after", "records", "packed"),
    [(*change, number % 2 == 1) for number, change in enumerate(_CHANGES.values())],
    ids=_CHANGES,
)
def test_a_table_follows_every_kind_of_change(empty_lake, before: int, after: int, records: World, *, packed: bool):
    with lake_of(_FLEET, empty_lake) as lake, Engine(lake, as_of=at(before), threads=1, grow_from_s=0) as engine:
        earlier = _tables(engine)
        if packed:
            engine.pack()
        for kind, rows in records.items():
            append_rows(Lake.open(lake.root), kind, rows, batch_id="more")
        engine.refresh()
        engine.as_of = at(after)
        grown = _tables(engine)
        assert engine._kept._growths, "nothing grew"
        with Engine(lake.for_another_thread(), as_of=at(after), threads=1) as anew:
            assert grown == _tables(anew)
        assert grown != earlier


def test_rows_that_stay_the_same_stay_where_they_are(empty_lake):
    with lake_of(_FLEET, empty_lake) as lake, Engine(lake, as_of=at(60), threads=1, grow_from_s=0) as engine:
        _tables(engine)
        places = dict(engine._con.sql("SELECT crash_id, rowid FROM placed_crashes").fetchall())
        append_rows(
            Lake.open(lake.root), "host", [{"host_id": "b", "os_type": "linux", "seen_at": at(59)}], batch_id="more"
        )
        engine.refresh()
        _tables(engine)
        assert dict(engine._con.sql("SELECT crash_id, rowid FROM placed_crashes").fetchall()) == places


@pytest.mark.slow
def test_where_files_were_merged_a_table_is_made_anew(empty_lake):
    with lake_of(_FLEET, empty_lake, loads=2) as lake, Engine(lake, as_of=at(60), threads=1, grow_from_s=0) as engine:
        before = _tables(engine)
        compact(Lake.open(lake.root), "install", "crash")
        assert engine.refresh()
        assert _tables(engine) == before
        assert not engine._kept._growths


def test_a_table_that_could_not_grow_is_made_anew_the_next_time(empty_lake, monkeypatch):
    def cut_short(*_args: object) -> None:
        raise duckdb.IOException("the disk is gone")

    with lake_of(_FLEET, empty_lake) as lake, Engine(lake, as_of=at(60), threads=1, grow_from_s=0) as engine:
        _tables(engine)
        engine.as_of = at(65)
        with monkeypatch.context() as patched:
            patched.setattr(Growth, "grow", cut_short)
            with pytest.raises(LakeError):
                engine.table("host_kinds")  # which reads two of them
        found = _tables(engine)
        with Engine(lake.for_another_thread(), as_of=at(65), threads=1) as anew:
            assert found == _tables(anew)
