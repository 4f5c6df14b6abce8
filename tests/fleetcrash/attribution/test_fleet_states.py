"""Host states of whole fleets, for a sample of their hosts, against the contract read out loud."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fleetcrash.attribution.reporting.impact import impact_of
from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store import Engine
from tests.fleetcrash.reference import Known
from tests.fleetcrash.worlds import Row, World, known_at, lake_of

FLEETS = Path(os.environ.get("FLEETCRASH_FLEETS", Path(__file__).parents[4] / "shared" / "fleets"))
NAMES = sorted(path.name for path in FLEETS.iterdir() if path.is_dir()) if FLEETS.is_dir() else []
HOSTS, MOMENTS = 40, 3


def _sampled(fleet: Path, draw: Random) -> World:
    """The records of a few hosts, half of them hosts that crashed, and the whole catalogue."""
    tables = {path.stem: pq.read_table(path) for path in fleet.glob("*.parquet")}
    crashed = sorted(set(tables["crash"]["host_id"].to_pylist()))
    everyone = sorted(set(tables["host"]["host_id"].to_pylist()))
    hosts = {*draw.sample(crashed, min(HOSTS // 2, len(crashed))), *draw.sample(everyone, HOSTS // 2)}
    world: World = {}
    for kind, table in tables.items():
        of_them = table if kind == "update" else table.filter(pc.is_in(table["host_id"], pa.array(sorted(hosts))))
        world[kind] = [_whole(Kind(kind), row) for row in of_them.to_pylist()]
    return world


def _whole(kind: Kind, row: Row) -> Row:
    """A row with every column of the contract; a timestamp without zone is UTC."""
    filled = {column.name: row.get(column.name) or column.default for column in COLUMNS[kind]}
    return {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in filled.items()}


@pytest.mark.skipif(not NAMES, reason=f"no fleets in {FLEETS}; FLEETCRASH_FLEETS names another folder")
@pytest.mark.parametrize("name", NAMES)
def test_states_of_a_fleet_are_those_that_the_contract_says(name: str, empty_lake):
    draw = Random(f"states of {name}")
    world = _sampled(FLEETS / name, draw)
    truth = json.loads((FLEETS / name / "truth.json").read_text())
    updates = [row["update_id"] for row in world["update"]]
    asked = {truth["guilty"] or updates[0], *draw.sample(updates, 2)}
    ends = [known_at(kind, row) for kind in ("crash", "install") for row in world[kind]]
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        for _ in range(MOMENTS):
            instant = min(ends) + (max(ends) - min(ends)) * draw.random()
            engine.as_of = instant
            known = Known(world, instant)
            for update in sorted(asked):
                said = {row["host_id"]: row["state"] for row in impact_of(engine, update, None).hosts.to_pylist()}
                told = {host: state for host in known.everyone() if (state := known.state(host, update)) is not None}
                assert said == {**told, **dict.fromkeys(known.pending(update), "pending")}, (update, instant)
