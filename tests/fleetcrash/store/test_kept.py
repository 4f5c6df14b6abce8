"""Kept tables: what a question reads is of the present look, whoever asked for what before."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from dashboard.selection import PASSED, TABLES_OF_THE_LAKE
from fleetcrash.attribution.facts.reading import keep_known
from fleetcrash.clustering import Clusters
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, lake_of

_TWO_CRASHES: World = {
    "host": [{"host_id": "a", "os_type": "linux"}],
    "session": [{"host_id": "a", "online_from": at(0)}],
    "update": [{"update_id": "u", "kind": "content", "released_at": at(1)}],
    "install": [{"host_id": "a", "update_id": "u", "applied_at": at(2)}],
    "crash": [
        {"crash_id": f"c{minute}", "host_id": "a", "occurred_at": at(minute), "os_type": "linux"} for minute in (20, 60)
    ],
}


def test_what_passes_through_is_of_the_present_look_also_where_what_it_reads_went_back_and_forth(empty_lake: Path):
    def crashes() -> int:
        return int(engine.rows("host_states", update_id="u")[0]["crashes"])

    with lake_of(_TWO_CRASHES, empty_lake) as lake, Engine(lake, as_of=at(100)) as engine:
        Clusters(engine).keep()
        for name in TABLES_OF_THE_LAKE:
            engine.keep(name, name)
        for name, query in PASSED.items():
            engine.keep_passing(name, query)
        keep_known(engine)
        assert crashes() == 2
        engine.as_of = at(40)
        engine.prepare("placed_crashes")  # and not what passes it on
        engine.as_of = at(100)
        assert crashes() == 2


def test_packed_tables_say_the_same_and_take_a_third_of_the_memory_at_most(empty_lake: Path):
    """As host ids are: of hosts that come up again and again."""
    hosts = [hashlib.sha256(str(number).encode()).hexdigest()[:16] for number in range(2000)]
    told = pa.table({"host_id": hosts * 200, "minute": pa.array(range(400_000), pa.int64())})

    def mebibytes() -> int:
        return int(engine._con.sql("SELECT sum(memory_usage_bytes) // 1048576 FROM duckdb_memory()").fetchall()[0][0])

    def asked() -> list[tuple[int, int]]:
        return engine._con.sql(f"SELECT count(*), sum(minute) FROM stretches WHERE host_id = '{hosts[7]}'").fetchall()

    with lake_of(_TWO_CRASHES, empty_lake) as lake, Engine(lake, as_of=at(100)) as engine:
        engine.keep_made("stretches", lambda: told, of="newest_known", by="test")
        engine.prepare("stretches")
        said, loose = asked(), mebibytes()
        assert said == [(200, sum(range(7, 400_000, 2000)))]
        engine.pack()
        assert asked() == said
        assert mebibytes() <= loose / 3
