"""A lake of an older schema: refused with the way out, brought up to date, and read as it is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema, write_deltalake

from fleetcrash.errors import LakeError
from fleetcrash.records import BATCH, table_columns
from fleetcrash.store import Engine, Lake, migration
from fleetcrash.store.doctor import examine
from fleetcrash.store.findings import Severity
from fleetcrash.store.housekeeping import compact
from fleetcrash.store.migration import migrate
from fleetcrash.store.schema import arrow_schema
from fleetcrash.store.workbench import Workbench
from tests.dashboard.fleet import versions
from tests.fleetcrash.worlds import at


@pytest.fixture
def old(tmp_path) -> Lake:
    """A lake as schema 1 had it, with a booked batch of one crash."""
    lake = Lake(tmp_path / "old")
    for name, columns in table_columns().items():
        kept = tuple(column for column in columns if column.name != "leans_on")
        DeltaTable.create(
            str(lake.folder(name)),
            arrow_schema(kept),
            configuration={"fleetcrash.schema": "1"},
            raise_if_key_not_exists=False,
        )
    crash = {"crash_id": ["c"], "host_id": ["h"], "occurred_at": [at(0)], "known_at": [at(0)], "batch_id": ["one"]}
    schema = arrow_schema(table_columns()["crash"])
    rows = pa.table([pa.array(crash.get(field.name, [None]), field.type) for field in schema], schema=schema)
    write_deltalake(str(lake.folder("crash")), rows, mode="append")
    entry = arrow_schema(tuple(column for column in BATCH if column.name != "leans_on"))
    row = [pa.array(["one"] if field.name == "batch_id" else [None], field.type) for field in entry]
    write_deltalake(str(lake.folder("batch")), pa.table(row, schema=entry), mode="append")
    return lake


def crashes_seen(lake: Lake) -> int:
    with Engine(lake, as_of=at(9)) as engine:
        return len(engine.rows("crashes_known_since", since=at(-1)))


def test_an_older_lake_is_refused_with_the_command_that_helps(old):
    for way in (Lake.open, Lake.create):
        with pytest.raises(LakeError, match=r"schema 1 .*reads 2\. Nothing was changed.*doctor --migrate --lake"):
            way(old.root)


def test_a_lake_is_brought_up_to_date_once(old):
    steps = migrate(old)
    assert "batch: column leans_on added." in steps
    assert len(steps) == len(table_columns()) + 1
    assert migrate(old) == []
    assert examine(old) == []
    lake = Lake.open(old.root)
    assert crashes_seen(lake) == 1
    with Workbench(lake) as bench:
        assert bench.lake_view("batch")
        assert bench.rows("SELECT leans_on FROM lake_batch") == [{"leans_on": None}]
    lake.append("batch", pa.table({"batch_id": ["two"], "leans_on": [["dead"]]}), batch_id="two")
    compact(lake, "batch")
    with Workbench(lake) as bench:
        bench.lake_view("batch")
        assert bench.rows("SELECT * FROM lake_batch ORDER BY batch_id")[1]["leans_on"] == ["dead"]
    assert crashes_seen(lake) == 1


@pytest.mark.variants
@pytest.mark.parametrize("cut_after", range(0, len(table_columns()), 2))
def test_a_migration_that_was_cut_short_is_done_by_the_next(old, monkeypatch, cut_after):
    real = migration._migrate_table
    calls: list[str] = []

    def dying(lake, table):
        if len(calls) == cut_after:
            lake.delta("batch").alter.add_columns(Schema.from_arrow(lake.schemas["batch"]).fields[-1:])
            raise KeyboardInterrupt
        calls.append(table)
        return real(lake, table)

    monkeypatch.setattr(migration, "_migrate_table", dying)
    with pytest.raises(KeyboardInterrupt):
        migrate(old)
    monkeypatch.setattr(migration, "_migrate_table", real)
    half = Lake(old.root)
    with pytest.raises(LakeError, match="doctor --migrate"):
        Lake.open(half.root)
    assert [one.severity for one in examine(half)] == [Severity.BROKEN] * (len(table_columns()) - cut_after)
    migrate(half)
    assert examine(half) == []
    assert crashes_seen(Lake.open(half.root)) == 1


def test_a_newer_lake_is_left_alone_all_of_it(old):
    DeltaTable(str(old.folder("incident"))).alter.set_table_properties(
        {"fleetcrash.schema": "3"}, raise_if_not_exists=False
    )
    before = versions(old)
    with pytest.raises(LakeError, match=r"schema 3 \(incident\).*Nothing was changed"):
        migrate(old)
    assert versions(old) == before
