"""How long do a million crashes take to fall into clusters, the first time and the next?

    python -m bench.clusters --crashes 1000000 --shapes 6000

Fills a lake with made-up crashes of twelve frames each, lists the clusters in a fresh engine, and once more after the
instant has moved, as a live dashboard does: then every crash is looked at again, and no shape is signed again. Beside
the time it prints the processor time, which a busy machine does not change.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from fleetcrash.clustering import Clusters, Signatures
from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store import Engine, Lake
from ingest.load import append_tables

_START = datetime(2026, 3, 1, tzinfo=UTC)
_SPAN = timedelta(days=3)
_BATCH = 250_000
_CODES = ("0x50", "0x7e", "0xd1", "0x139", "0x133", "0x124")


def shapes(number: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Crashes that differ in what the rules read: code, module and twelve frames."""
    return [
        {
            "os_type": "windows",
            "code": _CODES[rng.integers(len(_CODES))],
            "module": f"drv{rng.integers(300)}.sys",
            "module_version": f"1.{rng.integers(4)}",
            "frames": [
                {"module": f"drv{rng.integers(300)}.sys", "function": f"ns::f{rng.integers(5000)}<int>(char const*)"}
                for _ in range(12)
            ],
        }
        for _ in range(number)
    ]


def fill(lake: Lake, crashes: int, distinct: int, rng: np.random.Generator) -> None:
    """Put crashes into the lake, some shapes far more often than others, evenly over the span."""
    told = pa.Table.from_pylist(shapes(distinct, rng))
    for first in range(0, crashes, _BATCH):
        numbers = np.arange(first, min(first + _BATCH, crashes))
        chosen = told.take((rng.power(2, len(numbers)) * distinct).astype(np.int64))
        at = pa.array(_START.timestamp() * 1e6 + numbers * (_SPAN.total_seconds() * 1e6 / crashes)).cast(pa.int64())
        columns = {
            "crash_id": pa.array([f"c{number}" for number in numbers]),
            "host_id": pa.array([f"h{host}" for host in rng.integers(crashes // 5, size=len(numbers))]),
            "occurred_at": at.cast(pa.timestamp("us", tz="UTC")),
            **{name: chosen[name] for name in told.column_names},
        }
        known = [column.name for column in COLUMNS[Kind.CRASH] if column.name in columns]
        rows = pa.table({name: columns[name] for name in known})
        append_tables(lake, {"crash": rows}, batch_id=f"b{first}", source="bench", now=_START + _SPAN)


def timed(what: str, ask: Callable[[], int]) -> None:
    """Print how long a question takes."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    found = ask()
    now = resource.getrusage(resource.RUSAGE_SELF)
    processor_s = now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime
    print(f"{what}: {found:,} clusters, {time.perf_counter() - began:.1f} s, {processor_s:.1f} s of processor")


def main() -> None:
    """Fill a lake and list its clusters twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crashes", type=int, default=1_000_000)
    parser.add_argument("--shapes", type=int, default=6_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        lake = Lake.create(Path(scratch) / "lake")
        fill(lake, chosen.crashes, chosen.shapes, np.random.default_rng(1))
        known = Signatures()
        with Engine(lake, as_of=_START + _SPAN, cache_from_s=None) as engine:
            timed("first list", lambda: len(Clusters(engine, known).list()))
            engine.as_of = _START + _SPAN - timedelta(minutes=1)
            timed("next list", lambda: len(Clusters(engine, known).list()))


if __name__ == "__main__":
    main()
