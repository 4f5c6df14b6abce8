"""Does a load that is killed at any moment, and then run again, leave the lake of one load in peace?

    python -m bench.kill --times 30

Loads one file of mixed records again and again into fresh lakes, ends each load with kill -9 at a random moment, loads
the same file once more, and compares every table, every view and the sums with those of a load that nobody disturbed.
A reader looks at the lake all the while and must never see a part of a batch. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fleetcrash.records import Kind, table_columns
from fleetcrash.store import Engine, Lake
from ingest import ndjson
from ingest.load import load

NOW = datetime(2024, 7, 20, tzinfo=UTC)
BATCH_BYTES = 200_000
_ROOT = Path(__file__).parent.parent
_VIEWS = ("crashes", "installs", "updates", "hosts", "presence", "exposures")
_RECORDS = " UNION ALL ".join(f"SELECT batch_id FROM lake_{kind.value}" for kind in Kind)
_SEEN = f"""
SELECT
  batch_id,
  count(*) FILTER (accepted) AS accepted,
  count(*) FILTER (NOT accepted) AS quarantined
FROM (
  SELECT batch_id, true AS accepted FROM ({_RECORDS})
  UNION ALL SELECT batch_id, false FROM lake_quarantine
) GROUP BY batch_id ORDER BY batch_id
"""
_CHILD = """
import sys
from datetime import datetime, UTC
from fleetcrash.store import Lake
from ingest import ndjson
from ingest.load import load
ndjson.BATCH_BYTES = int(sys.argv[3])
print("loading", flush=True)
load(Lake.create(sys.argv[1]), [sys.argv[2]], now=datetime(2024, 7, 20, tzinfo=UTC))
"""


def write_records(path: Path, *, hosts: int, seed: int) -> None:
    """Records of a few kinds, mixed, some twice and some bad."""
    draw = random.Random(seed)
    at = "2024-07-19T04:{:02}:{:02}Z"
    with path.open("w") as out:
        for number in range(hosts):
            host, time_text = f"h{number:06}", at.format(number // 60 % 60, number % 60)
            session = {"record": "session", "host_id": host, "online_from": "2024-07-18T04:00:00Z"}
            install = {"record": "install", "host_id": host, "update_id": "u1", "applied_at": time_text}
            crash = {
                "record": "crash", "crash_id": f"c{number}", "host_id": host, "occurred_at": time_text,
                "os_type": "windows" if number % 50 else "beos", "module": "csagent.sys",
            }  # fmt: skip
            for record in (session, install, crash, *([crash] if draw.random() < 0.1 else [])):
                out.write(json.dumps(record) + "\n")


def state(lake: Lake) -> dict[str, Any]:
    """Rows of every table and answers of every view, sorted; the clock of the load is left out."""
    found: dict[str, Any] = {}
    for name in table_columns():
        rows = [row for file in lake.files(name) for row in pq.ParquetFile(file.path).read().to_pylist()]
        for row in rows:
            row.pop("loaded_at", None)
            if name == "quarantine":
                row.pop("known_at")
        found[name] = sorted(map(str, rows))
    with Engine(lake, as_of=NOW) as engine:
        for view in _VIEWS:
            engine._views.define(view)
            rows = engine._con.sql(f"SELECT * FROM {view}").to_arrow_table().to_pylist()
            found[f"view {view}"] = sorted(map(str, rows))
    return found


def whole(engine: Engine) -> bool:
    """Whether a reader sees of each batch in the books every row that they tell of, and no row of another batch."""
    engine.refresh()
    told = engine._con.sql("SELECT batch_id, accepted, quarantined FROM lake_batch ORDER BY batch_id").fetchall()
    seen = engine._con.sql(_SEEN).fetchall()
    return bool(told == seen)


def killed(folder: Path, path: Path, after_s: float) -> tuple[Lake, bool, int]:
    """Load in a process, and end it after so many seconds. Returns the lake, whether it was in time, and looks."""
    lake = Lake.create(folder)
    looks = 0
    command = [sys.executable, "-c", _CHILD, str(folder), str(path), str(BATCH_BYTES)]
    with (
        subprocess.Popen(command, cwd=_ROOT, env={**os.environ, "PYTHONPATH": "."}, stdout=subprocess.PIPE) as child,
        Engine(Lake.open(folder), as_of=NOW) as engine,
    ):
        assert child.stdout is not None
        child.stdout.readline()
        ends_at = time.monotonic() + after_s
        while time.monotonic() < ends_at and child.poll() is None:
            if not whole(engine):
                raise AssertionError("a reader saw a part of a batch")
            looks += 1
        in_time = child.poll() is None
        child.kill()
    return lake, in_time, looks


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--hosts", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    draw = random.Random(chosen.seed)
    ndjson.BATCH_BYTES = BATCH_BYTES  # type: ignore[attr-defined]  # as the child does
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "records.ndjson"
        write_records(path, hosts=chosen.hosts, seed=chosen.seed)
        peace = Lake.create(Path(scratch) / "peace")
        started = time.monotonic()
        load(peace, [path], now=NOW)
        takes_s = time.monotonic() - started
        expected = state(peace)
        same = in_time = looks = 0
        for number in range(chosen.times):
            lake, was_in_time, looked = killed(Path(scratch) / f"lake-{number}", path, draw.uniform(0, takes_s))
            load(lake, [path], now=NOW)
            found = state(lake)
            differing = [name for name in expected if found[name] != expected[name]]
            if differing:
                print(json.dumps({"number": number, "differs": differing}))
            same += not differing
            in_time += was_in_time
            looks += looked
    told = {"times": chosen.times, "killed_in_time": in_time, "same": same, "looks_of_a_reader": looks}
    print(json.dumps({**told, "batches": len(expected["batch"]), "synthetic": True}))
    return 0 if same == chosen.times else 1


if __name__ == "__main__":
    sys.exit(main())
