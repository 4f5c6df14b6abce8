"""The engine: newest snapshot, its instant, and values that stay values."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.attribution.facts.reading import keep_known
from fleetcrash.attribution.reporting.impact import impact_of
from fleetcrash.errors import LakeError
from fleetcrash.records import table_columns
from fleetcrash.store import Engine, Lake
from fleetcrash.store.forgetting import forget
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import at, lake_of


def _crash(number: int, **changes) -> dict[str, object]:
    return {"crash_id": f"c{number}", "host_id": "h", "os_type": "linux", "occurred_at": at(number), **changes}


def _crashes_seen(engine: Engine) -> int:
    return len(engine.rows("crashes_known_since", since=at(-1)))


def test_a_lake_without_a_record_has_no_instant(lake):
    with Engine(lake) as engine:
        assert engine.as_of is None
        assert engine.newest_known() is None
        assert _crashes_seen(engine) == 0


def test_the_instant_is_the_newest_known_time_and_not_the_clock(lake):
    append_rows(lake, "crash", [_crash(5), _crash(7, received_at=at(20))])
    append_rows(lake, "batch", [{"batch_id": "b", "loaded_at": datetime.now(UTC)}])
    with Engine(lake) as engine:
        assert engine.as_of == at(20)


def test_an_engine_sees_what_came_later_once_it_is_refreshed(lake):
    append_rows(lake, "crash", [_crash(1)])
    with Engine(lake, as_of=at(100)) as engine:
        assert not engine.refresh()
        append_rows(Lake.open(lake.root), "crash", [_crash(2)], batch_id="another")
        assert _crashes_seen(engine) == 1
        assert engine.refresh()
        assert _crashes_seen(engine) == 2
        assert not engine.refresh()


@pytest.mark.slow
def test_an_engine_opens_although_a_file_that_it_is_to_read_is_replaced_and_deleted(lake, monkeypatch):
    append_rows(lake, "crash", [_crash(1), _crash(2, host_id="gone")])
    real = Engine.newest_known
    forgotten: list[bool] = []

    def meet(engine):
        if not forgotten:
            forgotten.append(forget(Lake.open(lake.root), "gone").found)
        return real(engine)

    monkeypatch.setattr(Engine, "newest_known", meet)
    with Engine(lake) as engine:
        assert _crashes_seen(engine) == 1
    assert forgotten == [True]


def test_the_instant_can_be_moved_both_ways(lake):
    append_rows(lake, "crash", [_crash(minute) for minute in (1, 2, 3)])
    with Engine(lake) as engine:
        seen = []
        for minute in (0, 2, 1, 3):
            engine.as_of = at(minute)
            seen.append(_crashes_seen(engine))
    assert seen == [0, 2, 1, 3]


HOSTILE = [
    "'; DROP VIEW lake_crash; --",
    "x' OR '1'='1",
    "$update_id",
    '"; ATTACH \'/tmp/owned.db\'; --',
    "'); COPY (SELECT 1) TO '/tmp/owned'; --",
    "%", "_", "\\", "\n", "''", "/*", "é́\u202e",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_value_is_never_taken_for_sql(lake_with_hostile_names, name):
    found = impact_of(lake_with_hostile_names, name, None)
    assert found.hosts["host_id"].to_pylist() == [f"host of {name}"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.one_of(st.sampled_from(HOSTILE), st.text()))
def test_a_value_that_is_not_there_finds_nothing(lake_with_hostile_names, name):
    found = lake_with_hostile_names.rows("hosts_exposed_now", update_id=name)
    assert [row["host_id"] for row in found] == ([f"host of {name}"] if name in HOSTILE else [])


@pytest.fixture(scope="module")
def lake_with_hostile_names(tmp_path_factory):
    lake = Lake.create(tmp_path_factory.mktemp("hostile") / "lake")
    append_rows(lake, "crash", [_crash(1)])
    installs = [{"host_id": f"host of {name}", "update_id": name, "applied_at": at(0)} for name in HOSTILE]
    append_rows(lake, "install", installs)
    append_rows(lake, "session", [{"host_id": "h", "online_from": at(0)}])
    with Engine(lake) as engine:
        yield engine
        assert _crashes_seen(engine) == 1
    assert not Path("/tmp/owned").exists()
    assert not Path("/tmp/owned.db").exists()


def test_a_crash_with_a_hostile_name_changes_nothing_else(lake):
    append_rows(lake, "crash", [_crash(number, crash_id=name, host_id=name) for number, name in enumerate(HOSTILE)])
    with Engine(lake, as_of=at(100)) as engine:
        assert sorted(row["host_id"] for row in engine.rows("crashes_known_since", since=at(-1))) == sorted(HOSTILE)


def test_a_file_of_the_lake_that_is_gone_is_said_to_be_the_lakes_fault(lake):
    append_rows(lake, "crash", [_crash(1)])
    for file in lake.files("crash"):
        Path(file.path).unlink()
    with pytest.raises(LakeError, match="cannot be read"):
        Engine(lake)


@pytest.mark.parametrize("kept", [0, 10, 300])
def test_a_damaged_file_of_the_lake_is_said_to_be_the_lakes_fault(lake, kept):
    append_rows(lake, "crash", [_crash(number) for number in range(50)])
    (file,) = (Path(file.path) for file in lake.files("crash"))
    whole = file.read_bytes()
    file.write_bytes(whole[:kept] + bytes(len(whole) - 8 - kept) + whole[-8:])
    with pytest.raises(LakeError, match="cannot be read"), Engine(lake, as_of=at(100)) as engine:
        _crashes_seen(engine)


def test_every_table_can_be_read_before_it_has_a_row(lake):
    with Engine(lake) as engine:
        for name, columns in table_columns().items():
            described = engine._con.sql(f'SELECT * FROM "lake_{name}"')
            assert described.columns == [column.name for column in columns]


def test_an_answer_in_parts_is_the_same_answer(lake, monkeypatch):
    monkeypatch.setattr("fleetcrash.store.engine._BATCH_ROWS", 2048)  # what DuckDB has at once
    append_rows(lake, "crash", [_crash(number) for number in range(5000)])
    with Engine(lake) as engine:
        parts = list(engine.batches("crashes_known_since", since=at(-1)))
        assert len(parts) > 1
        whole = engine.table("crashes_known_since", since=at(-1))
    keys = [(name, "ascending") for name in whole.column_names]
    assert pa.Table.from_batches(parts).sort_by(keys).equals(whole.sort_by(keys))


def test_answers_of_many_rows_keep_the_order_that_their_query_asks_for(empty_lake):
    """More than a vector of DuckDB holds, time and again: two threads may hand them over in any order."""
    builds = [f"{number:05}" for number in range(5000)]
    world = {"host": [{"host_id": f"h{build}", "os_type": "windows", "os_build": build} for build in builds]}
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(2000)) as engine:
        keep_known(engine)
        engine.keep("cells", "detection/cells")
        for _ in range(10):
            query = "detection/cells_in_order"
            assert [row["os_build"] for row in engine.rows(query)] == builds
            assert engine.table(query)["os_build"].to_pylist() == builds
            assert engine.frame(query)["os_build"].tolist() == builds
