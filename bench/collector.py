"""How much does the collector take, how soon does it answer, and does it lose anything?

    python -m bench.collector rate --records 1000000
    python -m bench.collector single --rate 500 --seconds 30
    python -m bench.collector kill --times 20

Each starts ``fleetcrash serve`` as a process on a fresh lake; the senders run on the same cores. ``rate`` sends
batches of 500 crashes over 8 connections as fast as they are acknowledged. ``single`` sends crashes one by one at a
fixed rate, and counts each answer from the moment at which it was due to be sent. ``kill`` ends the collector with
kill -9 at random moments while senders count acknowledgements and send again what was not acknowledged, and starts it
anew on the same lake. Everything is synthetic; the machine's load is printed beside.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from fleetcrash.store import Lake

_ROOT = Path(__file__).parent.parent
_BATCH = 500
_HEADERS = {"Content-Type": "application/x-ndjson"}
_PATIENCE_S = 120.0


def crash(number: int) -> bytes:
    """A crash as an agent sends it, some 440 bytes with its stack."""
    frames = [{"module": "nt", "function": "KeBugCheckEx", "offset": 0}, {"module": "csagent.sys", "offset": 916_126}]
    return json.dumps({
        "record": "crash", "crash_id": f"c{number:012}", "host_id": f"host-{number % 100_000:06}", "os_type": "windows",
        "occurred_at": f"2026-11-25T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "os_version": "10.0.22631", "os_build": "22631.3880", "agent_version": "7.11.18110", "code": "0x50",
        "module": "csagent.sys", "module_version": "7.11.18110", "module_offset": 916_126, "uptime_s": 31.5,
        "frames": frames,
    }, separators=(",", ":")).encode() + b"\n"  # fmt: skip


class Sender:
    """A connection that is kept, and opened again when it broke."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)

    def send(self, body: bytes, **headers: str) -> int:
        """Send a body and return the status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("POST", "/v1/records", body, {**_HEADERS, **named})
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def health(self) -> Any:
        """What the collector says of itself."""
        self._connection.request("GET", "/healthz")
        return json.loads(self._connection.getresponse().read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def collector(lake: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A collector as a process, and its port; without options it has no monitor beside it."""
    command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--lake", str(lake)]
    command += options or ("--no-monitor",)
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline().split(b"/")[2].split(b":")[1])
        finally:
            process.terminate()
            process.wait(_PATIENCE_S)


def at_once(count: int, work: Callable[[int], None]) -> float:
    """Do work in threads, numbered from 0, and return the seconds that it took."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def committed_within(sender: Sender) -> float:
    """Seconds until nothing waits for the lake any more."""
    began = time.perf_counter()
    while sender.health()["backlog_bytes"]:
        time.sleep(0.02)
    return time.perf_counter() - began


def rows_of(lake: Path) -> int:
    """Crashes in a lake."""
    return sum(file.rows or 0 for file in Lake.open(lake).files("crash"))


def rate(lake: Path, records: int, connections: int) -> dict[str, Any]:
    """Send batches as fast as they are acknowledged."""
    bodies = [b"".join(map(crash, range(first, first + _BATCH))) for first in range(0, records, _BATCH)]
    refused = [0] * connections

    def work(number: int) -> None:
        sender = Sender(port)
        for body in bodies[number::connections]:
            while (status := sender.send(body)) == 429:
                refused[number] += 1
                time.sleep(0.1)
            assert status == 202, status
        sender.close()

    with collector(lake) as (process, port):
        acknowledged_s = at_once(connections, work)
        lag_s = committed_within(Sender(port))
        memory = Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    assert rows_of(lake) == len(bodies) * _BATCH
    return {
        "records": records, "bytes_a_record": len(bodies[0]) // _BATCH,
        "acknowledged_per_s": round(records / acknowledged_s),
        "in_the_lake_per_s": round(records / (acknowledged_s + lag_s)),
        "lag_after_the_last_s": round(lag_s, 2), "refused_429": sum(refused), "peak_memory_mib": int(memory) >> 10,
    }  # fmt: skip


def single(lake: Path, per_s: int, seconds: float, connections: int) -> dict[str, Any]:
    """Send one crash at a time, at a fixed rate, whether the answers come or not."""
    count = int(per_s * seconds)
    bodies = [crash(number) for number in range(count)]
    waits = np.zeros(count)

    def work(number: int) -> None:
        sender = Sender(port)
        for at in range(number, count, connections):
            due = began + at / per_s
            time.sleep(max(due - time.perf_counter(), 0))
            assert sender.send(bodies[at]) == 202
            waits[at] = time.perf_counter() - due
        sender.close()

    with collector(lake) as (_, port):
        Sender(port).send(crash(count))
        began = time.perf_counter() + 0.2
        at_once(connections, work)
        lag_s = committed_within(Sender(port))
    assert rows_of(lake) == count + 1
    told = {f"p{q:g}_ms": round(float(np.percentile(waits, q)) * 1000, 1) for q in (50, 95, 99, 99.9)}
    return {"per_s": per_s, "posts": count, **told, "lag_after_the_last_s": round(lag_s, 2)}


def kill(lake: Path, times: int, seed: int) -> dict[str, Any]:
    """End the collector again and again while senders go on, and look for what is missing and what is there twice."""
    draw = random.Random(seed)
    acknowledged: set[int] = set()
    unanswered: dict[int, list[int]] = {number: [] for number in range(4)}
    numbers = iter(range(10**9))
    lock = threading.Lock()

    def work(number: int) -> None:
        sender = Sender(port)
        while True:
            if not unanswered[number]:
                with lock:
                    unanswered[number] = [next(numbers)]
            batch = unanswered[number][0]
            body = b"".join(map(crash, range(batch * 10, batch * 10 + 10)))
            try:
                if sender.send(body, Idempotency_Key=str(batch)) != 202:
                    raise AssertionError("refused")
            except (OSError, http.client.HTTPException):
                return
            acknowledged.add(batch)
            unanswered[number] = []

    for _ in range(times):
        with collector(lake) as (process, port):
            threads = [threading.Thread(target=work, args=(number,)) for number in unanswered]
            for thread in threads:
                thread.start()
            time.sleep(draw.uniform(0.05, 2.5))
            process.kill()
            for thread in threads:
                thread.join()
    with collector(lake) as (_, port):
        committed_within(Sender(port))
    found = [
        crash_id for file in Lake.open(lake).files("crash")
        for crash_id in pq.ParquetFile(file.path).read(["crash_id"])["crash_id"].to_pylist()
    ]  # fmt: skip
    wanted = {f"c{batch * 10 + n:012}" for batch in acknowledged for n in range(10)}
    return {
        "kills": times, "records_acknowledged": len(wanted), "acknowledged_and_lost": len(wanted - set(found)),
        "there_twice": len(found) - len(set(found)), "there_unacknowledged": len(set(found) - wanted),
    }  # fmt: skip


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rate", "single", "kill"))
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=500, help="single posts a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="fleetcrash-") as scratch:
        lake = Path(scratch) / "lake"
        if chosen.what == "rate":
            told = rate(lake, chosen.records, connections=8)
        elif chosen.what == "single":
            told = single(lake, chosen.rate, chosen.seconds, connections=32)
        else:
            told = kill(lake, chosen.times, chosen.seed)
    bad = told.get("acknowledged_and_lost", 0) or told.get("there_twice", 0)
    load = {"load_average_before": round(load_before, 1), "load_average_after": round(os.getloadavg()[0], 1)}
    print(json.dumps({**told, **load, "cores": os.cpu_count(), "synthetic": True}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
