"""Do the collector and the monitor beside it stay as they are for a long time at a moderate rate?

    python -m bench.collector_soak --minutes 20

Starts ``fleetcrash serve`` with its monitor on a fresh lake and sends at a fixed rate: batches of heartbeats and a few
crashes from 100,000 hosts, and single crashes beside them. Every ten seconds the memory, the threads and the open files
of both processes and the bytes of the spool are noted. Told are their medians in the first and the last quarter after
the warm-up, and the slope between. What the monitor judges grows as records come, and its memory with it: beside it
stands the memory of one that is started in the end, for which all of them are history. In the end every acknowledged
record must be in the lake. Everything is synthetic; the machine's load is printed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.collector import Sender, collector, committed_within
from bench.collector_running import ROOT, Noted, children_of
from fleetcrash.store import Lake

HOSTS = 100_000
_BATCHES_PER_S = 4
_SINGLES_PER_S = 80
_CRASHES_OF_TEN = 1  # of ten records of a batch; the others are heartbeats
_NOTE_EVERY_S = 10.0
_FRESH = """
import sys
from fleetcrash.store import Lake
from monitor.loop import Monitor
monitor = Monitor(Lake.open(sys.argv[1]))
monitor.look()
print("looked", flush=True)
sys.stdin.read()
"""


class Fleet:
    """Records of a fleet that beats and crashes, as bodies, numbered by whoever sends them."""

    def opening(self) -> Iterator[bytes]:
        """What is known before anything happens: every host and one update that half of them have."""
        at = _now()
        yield _lines([{"record": "update", "update_id": "agent-1", "kind": "agent", "version": "7.12",
                       "released_at": at}])  # fmt: skip
        for first in range(0, HOSTS, 5000):
            hosts = range(first, min(first + 5000, HOSTS))
            yield _lines([
                {"record": "host", "host_id": _host(n), "os_type": "windows", "os_build": f"22631.{n % 4}",
                 "agent_version": "7.11", "region": f"r{n % 5}"} for n in hosts
            ])  # fmt: skip
            yield _lines([
                {"record": "install", "host_id": _host(n), "update_id": "agent-1", "applied_at": at}
                for n in hosts[::2]
            ])  # fmt: skip

    def batch(self, number: int, records: int) -> bytes:
        """Records of a body: mostly heartbeats, each host's turn in order."""
        at = _now()
        crashes = records * _CRASHES_OF_TEN // 10
        beats = records - crashes
        return b"".join(self.crash(f"b{number}-{n}", number * crashes + n, at) for n in range(crashes)) + b"".join(
            f'{{"record":"heartbeat","host_id":"{_host(number * beats + n)}","at":"{at}"}}\n'.encode()
            for n in range(beats)
        )

    def crash(self, crash_id: str, number: int, at: str) -> bytes:
        """A crash of a host that is as good as drawn: no update is to blame."""
        return _lines([
            {"record": "crash", "crash_id": crash_id, "host_id": _host(number * 7919), "occurred_at": at,
             "os_type": "windows", "code": "0x50", "module": f"driver{number % 40}.sys", "module_offset": number % 16}
        ])  # fmt: skip


def soak(lake: Path, minutes: float, per_s: int, warm_up_minutes: float) -> dict[str, Any]:
    """Send for so many minutes, and tell what became of the processes."""
    fleet = Fleet()
    acknowledged = [0, 0, 0]
    notes: list[tuple[float, Noted, Noted, int]] = []
    in_batch = (per_s - _SINGLES_PER_S) // _BATCHES_PER_S
    with collector(lake, "--connections", "200") as (process, port):
        opening = Sender(port)
        for body in fleet.opening():
            assert opening.send(body) == 202
            acknowledged[0] += body.count(b"\n")
        began = time.perf_counter()
        ends_at = began + minutes * 60

        def paced(place: int, sends_per_s: int, made: Callable[[int], bytes]) -> None:
            sender = Sender(port)
            number = 0
            while (due := began + number / sends_per_s) < ends_at:
                time.sleep(max(due - time.perf_counter(), 0))
                body = made(number)
                assert sender.send(body) == 202
                acknowledged[place] += body.count(b"\n")
                number += 1
            sender.close()

        pool = ThreadPoolExecutor(2)
        senders = [
            pool.submit(paced, 1, _BATCHES_PER_S, lambda n: fleet.batch(n, in_batch)),
            pool.submit(paced, 2, _SINGLES_PER_S, lambda n: fleet.crash(f"s{n}", n, _now())),
        ]
        monitor_id = _child_of(process.pid)
        while (now := time.perf_counter()) < ends_at and not any(sender.done() for sender in senders):
            looker = Sender(port)  # one that is kept would be closed between two looks
            backlog = looker.health()["backlog_bytes"]
            looker.close()
            notes.append((now - began, Noted.of(process.pid), Noted.of(monitor_id), backlog))
            print(json.dumps({"s": round(now - began), "collector": vars(notes[-1][1]), "monitor": vars(notes[-1][2]),
                              "spool_bytes": backlog}), file=sys.stderr, flush=True)  # fmt: skip
            time.sleep(min(_NOTE_EVERY_S, max(ends_at - time.perf_counter(), 0)))
        for sender in senders:
            sender.result()
        lag_s = committed_within(Sender(port))
        monitor_lived = _child_of(process.pid) == monitor_id
    fresh = _fresh_monitor(lake)
    missing = sum(acknowledged) - _records_in(lake)
    later = [note for note in notes if note[0] >= warm_up_minutes * 60]
    at_s = np.array([note[0] for note in later])
    return {
        "minutes": minutes, "records_per_s": round(sum(acknowledged[1:]) / (minutes * 60)),
        "records_acknowledged": sum(acknowledged), "acknowledged_and_missing": missing,
        "lag_after_the_last_s": round(lag_s, 2), "monitor_lived": monitor_lived,
        "collector": _course(at_s, [note[1] for note in later]), "monitor": _course(at_s, [note[2] for note in later]),
        "fresh_monitor_rss_mib": round(fresh.rss_mib), "fresh_monitor_cpu_s": fresh.cpu_s,
        "spool_bytes_most": max(note[3] for note in later),
    }  # fmt: skip


def _course(at_s: NDArray[np.float64], noted: list[Noted]) -> dict[str, Any]:
    """What became of a process: medians of the first and the last quarter, and slopes."""
    memory = np.array([one.rss_mib for one in noted])
    quarter = max(len(noted) // 4, 1)
    return {
        "rss_mib_first": round(float(np.median(memory[:quarter]))),
        "rss_mib_last": round(float(np.median(memory[-quarter:]))),
        "rss_mib_most": round(float(memory.max())),
        "rss_mib_an_hour": round(_slope(at_s, memory) * 3600, 1),
        "threads_most": max(one.threads for one in noted),
        "files_an_hour": round(_slope(at_s, np.array([float(one.files) for one in noted])) * 3600, 1),
        "files_most": max(one.files for one in noted),
        "share_of_a_core": round((noted[-1].cpu_s - noted[0].cpu_s) / max(float(at_s[-1] - at_s[0]), 1.0), 3),
    }


def _slope(at_s: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Median of the slopes between all pairs, a second: no single peak moves it. Source: Theil 1950, Sen 1968."""
    first, second = np.triu_indices(len(values), k=1)
    if not len(first):
        return 0.0
    return float(np.median((values[second] - values[first]) / (at_s[second] - at_s[first])))


def _child_of(process_id: int) -> int:
    """The one process that another has started."""
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        children = children_of(process_id)
        if children:
            (child,) = children
            return child
        time.sleep(0.1)
    raise AssertionError("there is no monitor")


def _fresh_monitor(lake: Path) -> Noted:
    """How a monitor stands that has judged all that is there at its first look."""
    command = [sys.executable, "-c", _FRESH, str(lake)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"looked\n"
        noted = Noted.of(process.pid)
        process.communicate()
    return noted


def _records_in(lake: Path) -> int:
    opened = Lake.open(lake)
    return sum(
        file.rows or 0 for kind in ("crash", "heartbeat", "host", "install", "update") for file in opened.files(kind)
    )


def _lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def _host(number: int) -> str:
    return f"host-{number % HOSTS:06}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--warm-up", type=float, default=5.0, help="minutes that are left out")
    parser.add_argument("--rate", type=int, default=2000, help="records a second, 80 of them one by one")
    chosen = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="fleetcrash-") as scratch:
        told = soak(Path(scratch) / "lake", chosen.minutes, chosen.rate, chosen.warm_up)
    load = {"load_average_before": round(load_before, 1), "load_average_after": round(os.getloadavg()[0], 1)}
    print(json.dumps({**told, **load, "cores": os.cpu_count(), "synthetic": True}))
    return 1 if told["acknowledged_and_missing"] else 0


if __name__ == "__main__":
    sys.exit(main())
