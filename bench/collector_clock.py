"""Is what was acknowledged later ever known earlier, however the machine's clock is set?

    python -m bench.collector_clock --times 20

A collector in a process of its own gets crashes one by one over HTTP, each again with its key until it is acknowledged.
Meanwhile, at random moments, the clock that this process sees is set back by up to an hour; every other time it is
killed with kill -9 as well, and started anew. In the end each crash must be in the lake once, and their ``received_at``
must rise in the order in which they were acknowledged. Everything is synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench.collector import Sender, committed_within, crash
from bench.collector_running import PATIENCE_S, Running, free_port, until
from fleetcrash.store import Lake

_HOUR_NS = 3_600_000_000_000
_CHILD = """
import sys, time
from pathlib import Path
real_ns, ahead = time.time_ns, Path(sys.argv[3])
time.time_ns = lambda: real_ns() + int(ahead.read_text())
time.time = lambda: time.time_ns() / 1e9
from fleetcrash.store import Lake
from ingest.collector.server import Collector, listen
with Collector(Lake.create(sys.argv[1])) as collector, listen("127.0.0.1", int(sys.argv[2])) as listener:
    collector.server().run(sockets=[listener])
"""


class Clock:
    """A clock that can be set, in a file that the collector's process reads whenever it asks for the time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ahead_ns = 0
        self.set_back(0)

    def set_back(self, ns: int) -> None:
        """Set it back."""
        self._ahead_ns -= ns
        scratch = self.path.with_suffix(".new")
        scratch.write_text(str(self._ahead_ns))
        os.replace(scratch, self.path)


def send(port: int, acknowledged: list[str], ended: threading.Event) -> None:
    """Send crashes one after the other until it is over."""
    while not ended.is_set():
        number = len(acknowledged)
        deadline = time.monotonic() + PATIENCE_S
        while not _is_taken(port, number):
            assert time.monotonic() < deadline, f"crash {number} was not taken"
            time.sleep(0.02)
        acknowledged.append(f"c{number:012}")


def _is_taken(port: int, number: int) -> bool:
    with closing(Sender(port)) as sender, suppress(OSError, HTTPException):
        return sender.send(crash(number), Idempotency_Key=str(number)) == 202
    return False


def turn(scratch: Path, times: int, seed: int) -> dict[str, Any]:
    """Set the clock back so many times, and look at what was known when."""
    draw = random.Random(seed)
    clock, lake, port = Clock(scratch / "ahead"), scratch / "lake", free_port()
    collector = Running(scratch / "log", sys.executable, "-c", _CHILD, str(lake), str(port), str(clock.path))
    acknowledged: list[str] = []
    ended = threading.Event()
    sending = threading.Thread(target=send, args=(port, acknowledged, ended))
    collector.start()
    sending.start()
    try:
        until(lambda: bool(acknowledged), "it does not start")
        for number in range(times):
            time.sleep(draw.uniform(0.2, 3.0))
            if number % 2:
                collector.kill()
            clock.set_back(draw.randrange(_HOUR_NS))
            if number % 2:
                collector.start()
            so_far = len(acknowledged)
            until(partial(lambda least: len(acknowledged) > least, so_far), "it does not go on")
        ended.set()
        sending.join()
        with closing(Sender(port)) as sender:
            committed_within(sender)
    finally:
        ended.set()
        sending.join()
        collector.end()
    rows = [
        row for file in Lake.open(lake).files("crash")
        for row in pq.ParquetFile(file.path).read(["crash_id", "received_at"]).to_pylist()
    ]  # fmt: skip
    received = {row["crash_id"]: row["received_at"] for row in rows}
    in_order = [received[crash_id] for crash_id in acknowledged if crash_id in received]
    return {
        "set_back": times, "kills": times // 2, "acknowledged": len(acknowledged),
        "acknowledged_and_lost": len(set(acknowledged) - set(received)), "there_twice": len(rows) - len(received),
        "known_before_an_earlier_one": sum(one < before for before, one in pairwise(in_order)),
    }  # fmt: skip


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleetcrash-") as scratch:
        told = turn(Path(scratch), chosen.times, chosen.seed)
    load = {"load_average": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(json.dumps({**told, **load, "synthetic": True}))
    bad = ("acknowledged_and_lost", "there_twice", "known_before_an_earlier_one")
    return 1 if any(told[name] for name in bad) else 0


if __name__ == "__main__":
    sys.exit(main())
