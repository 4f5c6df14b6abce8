"""Does an answer as of T depend on anything that came after T, or on the order of arrival?

    python -m bench.as_of channel-file-291 --hosts 4000 --moments 50

Draws moments, half of them while the incident is open, and compares ``incidents`` as of each on the whole lake with the
same on a lake that holds only the records known by then, loaded in shuffled order. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fleetcrash.attribution.backtest import incidents
from fleetcrash.records import OWN_TIME, Kind
from fleetcrash.store import Lake
from ingest.load import append_tables, load
from sample_data.simulator import simulate

_BATCHES = 3


def known_by(folder: Path, moment: datetime) -> dict[str, pa.Table]:
    """The records of a folder that were known by a moment, by kind."""
    found = {}
    for kind in Kind:
        path = folder / f"{kind}.parquet"
        if not path.exists():
            continue
        table = pq.read_table(path)
        times = [table[name] for name in ("received_at", OWN_TIME[kind]) if name in table.column_names]
        if times:
            known = pc.less_equal(pc.coalesce(*times), pa.scalar(moment, pa.timestamp("us", tz="UTC")))
            table = table.filter(pc.fill_null(known, True))
        found[str(kind)] = table
    return found


def shuffled_lake(root: Path, tables: dict[str, pa.Table], rng: np.random.Generator) -> Lake:
    """A lake of these records, every kind's rows in random order, in a few batches."""
    lake = Lake.create(root)
    orders = {kind: rng.permutation(len(table)) for kind, table in tables.items()}
    for batch in range(_BATCHES):
        part = {kind: table.take(orders[kind][batch::_BATCHES]) for kind, table in tables.items()}
        append_tables(lake, part, batch_id=f"part-{batch}", source="bench", now=datetime.now(UTC))
    return lake


def main() -> int:
    """Compare at the moments asked for; the exit status is the number of differences, at most 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario")
    parser.add_argument("--hosts", type=int, default=4000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--moments", type=int, default=50)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "fleet"
        simulate(chosen.scenario, folder, hosts=chosen.hosts, seed=chosen.seed, days=chosen.days)
        whole = Lake.create(Path(scratch) / "whole")
        load(whole, [folder], now=datetime.now(UTC))
        at_the_end = incidents(whole)
        end = datetime.fromisoformat(at_the_end["as_of"])
        same = inside = 0
        for number in range(chosen.moments):
            moment = _moment(at_the_end, end, rng, open_incident=number % 2 == 0)
            here = incidents(whole, as_of=moment)
            there = incidents(
                shuffled_lake(Path(scratch) / f"part-{number}", known_by(folder, moment), rng), as_of=moment
            )
            same += here == there
            inside += any(one["closed_at"] is None for one in here["incidents"])
            print(json.dumps({"as_of": here["as_of"], "same": here == there}), flush=True)
    print(json.dumps({"moments": chosen.moments, "inside_an_open_incident": inside, "same": same, "synthetic": True}))
    return int(same != chosen.moments)


def _moment(at_the_end: dict[str, Any], end: datetime, rng: np.random.Generator, *, open_incident: bool) -> datetime:
    start = end - timedelta(days=1.5)
    if open_incident and at_the_end["incidents"]:
        one = at_the_end["incidents"][0]
        start = datetime.fromisoformat(one["alarm_at"])
        end = end if one["closed_at"] is None else datetime.fromisoformat(one["closed_at"])
    return start + timedelta(microseconds=int(rng.integers(0, int((end - start).total_seconds() * 1e6))))


if __name__ == "__main__":
    sys.exit(main())
