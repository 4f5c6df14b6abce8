"""How long does a backtest over one day of a large fleet take, and where does the time go?

    python -m bench.fleet_day --hosts 400000
    python -m bench.fleet_day --lake /tmp/day

Simulates a day (or takes a lake that ``--lake`` names, which it makes where there is none) and does in a process of its
own what ``fleetcrash backtest`` does: reads the news from the lake, ticks through every minute, writes the document. No
aggregate is kept or used, so that everything is counted.

Prints one JSON line: hosts, ticks and crashes; seconds and CPU seconds (of all threads) of reading, of the ticks and of
the document; seconds of reading by query, without the kept tables that it reads; the process's peak memory in MiB. The
day is synthetic.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.reporting.report import document
from fleetcrash.store import Engine, Lake
from fleetcrash.store.asking import judged_instant
from fleetcrash.store.kept import Kept, KeptTables
from ingest.load import load
from sample_data.simulator import simulate


class TimedTables(KeptTables):
    """Kept tables that tell how long each took to make."""

    note: Callable[[str, float], None]

    def _make_anew(self, name: str, kept: Kept) -> None:
        started = time.perf_counter()
        super()._make_anew(name, kept)
        self.note(name, time.perf_counter() - started)


class TimedEngine(Engine):
    """An engine that notes how long each question took it, by its name."""

    def __init__(self, lake: Lake) -> None:
        self.seconds: dict[str, float] = {}
        super().__init__(lake, cache_from_s=None)
        self._kept = timed = TimedTables(self._con, self._now, self._views)
        timed.note = self._note

    def table(self, query: str, **parameters: Any) -> pa.Table:
        """The answer; what it took without the kept tables that had to be made for it is noted."""
        started, made_before = time.perf_counter(), sum(self.seconds.values())
        answer = super().table(query, **parameters)
        self._note(query, time.perf_counter() - started - (sum(self.seconds.values()) - made_before))
        return answer

    def _note(self, name: str, seconds: float) -> None:
        name = name.removeprefix("detection/")
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def measure(root: Path) -> dict[str, Any]:
    """Backtest a lake in this process."""
    seconds: dict[str, float] = {}
    cpu_seconds: dict[str, float] = {}

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        started, cpu_started = time.perf_counter(), time.process_time()
        yield
        seconds[part] = round(time.perf_counter() - started, 2)
        cpu_seconds[part] = round(time.process_time() - cpu_started, 2)

    with timed("whole"), TimedEngine(Lake.open(root)) as engine:
        instant = judged_instant(engine)
        with timed("reading"):
            news = read_news(engine)
        by_query = sorted(engine.seconds.items(), key=lambda item: -item[1])
        with timed("ticks"):
            detector = Detector(news)
            for tick in range(news.first_tick, news.last_tick + 1):
                detector.tick(tick)
        with timed("document"):
            told = document(engine, detector, instant, detector.incidents)
    return {
        "hosts": Lake.open(root).delta("host").to_pyarrow_dataset().count_rows(),
        "ticks": news.last_tick - news.first_tick + 1,
        "crashes": int((news.events.outcome != 1).sum()),
        "incidents": len(told["incidents"]),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "reading_by_query": {name: round(took, 2) for name, took in by_query if took >= 0.01},
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def make_lake(root: Path, scenario: str, hosts: int) -> None:
    """A lake of a simulated fleet's day."""
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        simulate(scenario, Path(folder), hosts=hosts, seed=1, days=1)
        load(Lake.create(root), [Path(folder)], now=datetime.now(UTC))


def main() -> int:
    """Make the lake where there is none, and backtest it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="channel-file-291")
    parser.add_argument("--hosts", type=int, default=400_000)
    parser.add_argument("--lake", type=Path, help="a lake to take, or to make (default: one that goes)")
    parser.add_argument("--measure", type=Path, metavar="LAKE", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        root = chosen.lake or Path(scratch) / "lake"
        if not root.exists():
            make_lake(root, chosen.scenario, chosen.hosts)
        command = [sys.executable, "-m", "bench.fleet_day", "--measure", str(root)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print(json.dumps({**json.loads(done.stdout), "synthetic": True}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
