"""Kept tables: what a question reads is of the present look, whoever asked for what before."""

from __future__ import annotations

from pathlib import Path

from dashboard.selection import PASSED, TABLES_OF_THE_LAKE
from fleetcrash.attribution.reading import keep_known
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
