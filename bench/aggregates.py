"""What is it worth to keep aggregates beside the facts?

    python -m bench.aggregates --crashes 1000000 --hosts 20000

Loads two lakes: crashes of 200,000 hosts, for the questions of the dashboard's first page, and a simulated fleet over
three days, for what the detector reads. Then, each in a process of its own, in turn and more than once:

    without     nothing is kept and nothing that is kept is used
    first       nothing is kept yet, and it will be
    again       the same questions once more, of another process
    stale       after one more crash was loaded: only what reads no crash is still of use

Prints one JSON line: the medians in seconds from opening the lake to the last answer, their ratios, the size of what is
kept, and whether all answers to the same questions were the same. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dashboard.selection import TABLES_OF_A_CURVE, TABLES_OF_A_SELECTION, TABLES_OF_THE_LAKE, Kept, Selection
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.clustering import Clusters
from fleetcrash.store import Engine, Lake
from fleetcrash.store.aggregates import AGGREGATES, FOLDER, Aggregates
from fleetcrash.store.engine import CACHE_FROM_S
from ingest.load import append_tables, load
from sample_data.simulator import simulate

NOW = datetime(2024, 7, 19, 5, tzinfo=UTC)
_HOSTS_OF_CRASHES = 200_000
_SHAPES = 2_000  # of crashes: what the rules of clustering read
_UPDATES = 5
_CLUSTERS = ("titles_by_cluster", "counts_by_cluster_selected", "counts_by_variant_os_selected")


def crash_lake(root: Path, crashes: int) -> Lake:
    """A lake of crashes in the hour before ``NOW``, with the inventory, presence and installs of their hosts."""
    lake = Lake.create(root)
    draw = np.random.default_rng(1)
    shape = np.minimum(draw.exponential(_SHAPES / 8, crashes).astype(int), _SHAPES - 1)
    at = pa.array(np.sort(draw.integers(0, 3_600_000_000, crashes)) + int((NOW.timestamp() - 3600) * 1e6))
    frames = [[{"module": f"m{n % 40}.sys", "function": f"fn_{n}", "offset": n}] for n in range(_SHAPES)]
    table = pa.table(
        {
            "crash_id": [f"crash-{number:07}" for number in range(crashes)],
            "host_id": [f"host-{number:06}" for number in draw.integers(0, _HOSTS_OF_CRASHES, crashes)],
            "occurred_at": at.cast(pa.timestamp("us", tz="UTC")),
            "os_type": pa.repeat("windows", crashes),
            "code": [("0x50", "0x7e", "0x1e", "0x3b")[n % 4] for n in shape],
            "module": [f"m{n % 40}.sys" for n in shape],
            "module_offset": shape,
            "frames": pa.array(frames).take(pa.array(shape)),
        }
    )
    append_tables(lake, {"crash": table}, batch_id="crashes", source="bench", now=NOW)
    hosts = [f"host-{number:06}" for number in range(_HOSTS_OF_CRASHES)]
    day = datetime(2024, 7, 18, tzinfo=UTC)
    told = {
        "host": [
            {"host_id": host, "os_type": "windows", "agent_version": f"7.{9 + number % 5}.18110", "region": "eu"}
            for number, host in enumerate(hosts)
        ],
        "session": [
            {"host_id": host, "online_from": day + timedelta(hours=number % 24)} for number, host in enumerate(hosts)
        ],
        "install": [
            {
                "host_id": host,
                "update_id": f"u{number % _UPDATES}",
                "applied_at": day + timedelta(minutes=number % 999),
            }
            for number, host in enumerate(hosts)
        ],
        "update": [
            {"update_id": f"u{number}", "kind": "content", "channel": str(number), "released_at": day}
            for number in range(_UPDATES)
        ],
    }
    tables = {kind: pa.Table.from_pylist(rows) for kind, rows in told.items()}
    append_tables(lake, tables, batch_id="fleet", source="bench", now=NOW)
    return lake


def fleet_lake(root: Path, hosts: int) -> Lake:
    """A lake of a simulated fleet, three days of it."""
    folder = root.parent / "fleet"
    simulate("channel-file-291", folder, hosts=hosts, seed=1, days=3)
    lake = Lake.create(root)
    load(lake, [folder], now=datetime.now(UTC))
    return lake


def page(engine: Engine) -> list[pa.Table]:
    """What the dashboard's first page asks: the fleet, the last day in numbers and as a curve, two days."""
    assert engine.as_of is not None
    day, two_days = (Selection(engine.as_of - timedelta(hours=hours), engine.as_of) for hours in (24, 48))
    Clusters(engine).keep()
    for name in TABLES_OF_THE_LAKE:
        engine.keep(name, name)
    answers = [engine.table("filter_values", most=100), engine.table("fleet_now")]
    _keep(engine, day.kept(TABLES_OF_A_SELECTION))
    for name in ("hosts_affected", "crash_rate_by_agent_version", "crash_rate_by_update"):
        answers.append(engine.table(name))
    answers.append(engine.table("crashes_by_cluster_bucket", since=day.since, bucket_s=3600))
    for name in _CLUSTERS:
        answers.append(engine.table(f"clustering/{name}"))
    _keep(engine, day.kept(TABLES_OF_A_CURVE, bucket_s=300))
    for name in ("crash_rate_by_minute_os", "crash_rate_by_minute_agent_version"):
        answers.append(engine.table(name, since=day.since, until=day.until, bucket_s=300))
    answers.append(engine.table("hosts_crashed_by_minute", since=day.since, bucket_s=300, by="os_type"))
    _keep(engine, two_days.kept_of_baseline())
    answers.append(engine.table("earlier_rate_by_hour", since=two_days.since, until=two_days.until))
    return answers


def _keep(engine: Engine, tables: Iterable[Kept]) -> None:
    for name, query, parameters in tables:
        engine.keep(name, query, **parameters)


def ask(question: str, root: str, way: str) -> dict[str, Any]:
    """Ask in this process: the seconds it takes from opening the lake, and a digest of the answers."""
    started = time.perf_counter()
    with Engine(Lake.open(root), cache_from_s=None if way == "without" else CACHE_FROM_S) as engine:
        answers: list[pa.Table] = []
        if question == "page":
            answers = page(engine)
        else:
            read_news(engine)
        took_s = time.perf_counter() - started
        if question == "detector":
            counts = sorted(name for name in AGGREGATES if name.startswith("detection/"))
            answers = [engine.table(name, after_tick=-1) for name in counts]
    return {"seconds": took_s, "digest": _digest(answers)}


def _digest(answers: list[pa.Table]) -> str:
    """Of all values; floats to nine digits, for their sums depend on the order in which threads add up."""
    digest = hashlib.sha256()
    for answer in answers:
        frame = answer.to_pandas()
        for name in frame.select_dtypes("float"):
            frame[name] = frame[name].map("{:.9g}".format)
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _in_a_process(question: str, root: Path, way: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.aggregates", "--ask", question, str(root), way]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def _one_more_crash(lake: Lake, number: int) -> None:
    """A crash of long ago: answers hardly change, and none that reads crashes is of use any more."""
    name, long_ago = f"more-{number}", NOW - timedelta(days=9)
    crash = {"crash_id": [name], "host_id": ["more"], "os_type": ["linux"], "occurred_at": [long_ago]}
    append_tables(lake, {"crash": pa.table(crash)}, batch_id=name, source="bench", now=NOW)


def measure(question: str, lake: Lake, rounds: int) -> dict[str, Any]:
    """The ways in turn; the medians of their seconds, and whether they answered the same."""
    seconds: dict[str, list[float]] = {way: [] for way in ("without", "first", "again", "stale")}
    same = True
    kept_bytes = 0
    for number in range(rounds):
        Aggregates(lake.root).clear()
        answers = [_in_a_process(question, lake.root, way) for way in ("without", "first", "again")]
        kept_bytes = sum(path.stat().st_size for path in (lake.root / FOLDER).glob("*"))
        _one_more_crash(lake, number)
        stale = [_in_a_process(question, lake.root, way) for way in ("stale", "without")]
        for way, answer in zip(seconds, (*answers, stale[0]), strict=True):
            seconds[way].append(answer["seconds"])
        same = same and len({one["digest"] for one in answers}) == 1 and stale[0]["digest"] == stale[1]["digest"]
    medians = {way: statistics.median(took) for way, took in seconds.items()}
    return {
        "seconds": {way: round(took, 3) for way, took in medians.items()},
        "of_without": {way: round(medians[way] / medians["without"], 3) for way in ("first", "again", "stale")},
        "kept_bytes": kept_bytes,
        "same": same,
    }


def main() -> int:
    """Run what the arguments ask for; the exit status is 1 where an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crashes", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ask", nargs=3, metavar=("QUESTION", "LAKE", "WAY"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ask:
        print(json.dumps(ask(*chosen.ask)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        lakes = {
            "page": crash_lake(_folder(scratch, "crashes"), chosen.crashes),
            "detector": fleet_lake(_folder(scratch, "fleet"), chosen.hosts),
        }
        found = {question: measure(question, lake, chosen.rounds) for question, lake in lakes.items()}
    print(json.dumps({"crashes": chosen.crashes, "hosts": chosen.hosts, **found, "synthetic": True}))
    return 0 if all(one["same"] for one in found.values()) else 1


def _folder(scratch: str, name: str) -> Path:
    folder = Path(scratch) / name
    folder.mkdir()
    return folder / "lake"


if __name__ == "__main__":
    sys.exit(main())
