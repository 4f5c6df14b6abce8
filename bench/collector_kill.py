"""Do the collector and the monitor survive whatever ends them or gets in their way, and go on by themselves?

    python -m bench.collector_kill collector --times 20
    python -m bench.collector_kill monitor
    python -m bench.collector_kill both
    python -m bench.collector_kill disk
    python -m bench.collector_kill lake

A simulated outage is replayed over HTTP into a collector, with a monitor and a webhook beside it, each a process of its
own but the webhook. Meanwhile, at random moments, ``collector``, ``monitor`` and ``both`` end processes with kill -9
and start them anew; ``disk`` fills the file system that the lake and the spool are on, and frees it; ``lake`` makes
tables read-only, and writable again (these two mount file systems, and so want root). A body is sent again with its key
until it is acknowledged. In the end the lake must hold each record as often as a load that nobody disturbed, what the
monitor kept must be what a backtest says, and the webhook must have heard once that each incident opened. Everything is
synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.collector import Sender, committed_within
from bench.collector_running import CLI, PATIENCE_S, Running, free_port, until
from commands.replaying import ndjson, receiving
from fleetcrash.attribution.backtest import incidents
from fleetcrash.records import KNOWN_AT, Kind
from fleetcrash.store import Lake
from fleetcrash.times import parse_time
from ingest.load import append_tables
from sample_data.replay import records_known_by, replay
from sample_data.simulator import simulate

_STEP = timedelta(seconds=5)  # of the fleet's clock, in one body
_BEFORE_THE_RELEASE = timedelta(minutes=2)
_READ_ONLY = ("crash", "batch", "incident")
_SMALL_DISK = "48m"  # room for the lake of the largest replay several times


@dataclass
class World:
    """What is disturbed.

    Attributes:
        heard: documents that the webhook got, in order.
    """

    lake: Path
    collector: Running
    monitor: Running
    port: int
    heard: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Outage:
    """A simulated fleet, cut at an instant shortly before the release.

    Attributes:
        history: by kind, what was known by then.
        bodies: what became known after it, by step.
    """

    history: Mapping[str, pa.Table]
    bodies: tuple[Mapping[str, pa.Table], ...]

    @classmethod
    def of(cls, folder: Path, *, hosts: int, minutes: float, seed: int) -> Outage:
        """Simulate one, and keep so many minutes from the release on."""
        simulate("channel-file-291", folder, hosts=hosts, seed=seed)
        released = datetime.fromisoformat(json.loads((folder / "truth.json").read_text())["released_at"])
        start = released - _BEFORE_THE_RELEASE
        steps = replay(folder, start, step=_STEP, until=released + timedelta(minutes=minutes))
        return cls(records_known_by(folder, start), tuple(tables for _, tables in steps if tables))

    def all_bodies(self) -> dict[str, pa.Table]:
        """What all bodies hold, by kind."""
        kinds = sorted({kind for tables in self.bodies for kind in tables})
        return {kind: pa.concat_tables(one[kind] for one in self.bodies if kind in one) for kind in kinds}


def send(port: int, outage: Outage, pace_s: float, answers: Counter[str]) -> None:
    """Send each body, again with its key until it is acknowledged, and count the answers."""
    for number, tables in enumerate(outage.bodies):
        body, deadline = ndjson(tables), time.monotonic() + PATIENCE_S
        while (answer := _answer(port, body, str(number))) != "202":
            answers[answer] += 1
            if time.monotonic() > deadline:
                raise AssertionError(f"body {number} was not taken: {answers}")
            time.sleep(pace_s)
        answers[answer] += 1
        time.sleep(pace_s)


def _answer(port: int, body: bytes, key: str) -> str:
    with closing(Sender(port)) as sender, suppress(OSError, HTTPException):
        return str(sender.send(body, Idempotency_Key=key))
    return "no answer"


# --- what happens to them


def end_collector(world: World, draw: random.Random) -> None:
    """Kill -9 of the collector."""
    world.collector.kill()
    time.sleep(draw.uniform(0.0, 0.5))
    world.collector.start()


def end_monitor(world: World, draw: random.Random) -> None:
    """Kill -9 of the monitor."""
    world.monitor.kill()
    time.sleep(draw.uniform(0.0, 0.5))
    world.monitor.start()


def end_both(world: World, draw: random.Random) -> None:
    """Kill -9 of both."""
    world.monitor.kill()
    end_collector(world, draw)
    world.monitor.start()


def fill_disk(world: World, draw: random.Random) -> None:
    """No byte is free for a while."""
    filler = world.lake.parent / "filler"
    with filler.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    out.write(bytes(size))
    time.sleep(draw.uniform(0.2, 2.0))
    filler.unlink()


def close_lake(world: World, draw: random.Random) -> None:
    """Tables cannot be written for a while, whoever asks."""
    folders = [str(world.lake / name) for name in _READ_ONLY]
    for folder in folders:
        _run("mount", "--bind", folder, folder)
    try:
        for folder in folders:
            _run_in_time("mount", "-o", "remount,bind,ro", folder)  # not while somebody has a file open to write
        time.sleep(draw.uniform(0.2, 2.0))
    finally:
        for folder in folders:
            _run_in_time("umount", folder)


TROUBLES: dict[str, Callable[[World, random.Random], None]] = {
    "collector": end_collector,
    "monitor": end_monitor,
    "both": end_both,
    "disk": fill_disk,
    "lake": close_lake,
}


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run_in_time(*command: str) -> None:
    until(lambda: _run(*command), " ".join(command))


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system in memory.

    Raises:
        AssertionError: this user may not mount one.
    """
    folder.mkdir()
    assert _run("mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK}", "tmpfs", str(folder)), "may not mount here"
    try:
        yield folder
    finally:
        _run_in_time("umount", str(folder))


# --- a run


def survive(scratch: Path, what: str, *, times: int, hosts: int, minutes: float, pace_s: float, seed: int) -> Any:
    """Disturb a replay so many times, and compare what came of it with one in peace."""
    draw = random.Random(seed)
    outage = Outage.of(scratch / "fleet", hosts=hosts, minutes=minutes, seed=seed)
    peace = Lake.create(scratch / "peace")
    load_into(peace, outage.history, "history")
    load_into(peace, outage.all_bodies(), "all at once")
    expected = incidents(peace)
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(scratch / "disk")) if what == "disk" else scratch
        lake = Lake.create(disk / "lake")
        load_into(lake, outage.history, "history")
        world = stack.enter_context(a_world(lake.root, scratch))
        until(lambda: _health_is_fine(world.port) and _newest_kept(lake) is not None, "they do not start")
        answers: Counter[str] = Counter()
        sending = threading.Thread(target=send, args=(world.port, outage, pace_s, answers))
        sending.start()
        span_s = pace_s * len(outage.bodies) / times
        for _ in range(times):
            time.sleep(draw.uniform(0.0, 2.0 * span_s))
            TROUBLES[what](world, draw)
        sending.join()
        until(lambda: _health_is_fine(world.port), "the collector is not well")
        with closing(Sender(world.port)) as sender:
            committed_within(sender)
        until(lambda: _minute_of(_newest_kept(lake)) == _minute_of(expected), "the monitor has not judged all minutes")
        kept = _newest_kept(lake)  # of the first look in the last minute
        wanted = {incident["incident_id"] for incident in expected["incidents"]}
        until(lambda: wanted <= {one["alert"] for one in world.heard}, f"not all of {wanted} was heard")
        ended = {
            "collector_ended_by_itself": world.collector.ended_by_itself, "collector_status": world.collector.end(),
            "monitor_ended_by_itself": world.monitor.ended_by_itself, "monitor_status": world.monitor.end(),
        }  # fmt: skip
        says_otherwise = kept != incidents(peace, as_of=parse_time(kept["as_of"]))
        told = {**_differences(peace, lake), **_alerts(world.heard, wanted), "says_otherwise": says_otherwise, **ended}
    return {
        "what": what, "times": times, "bodies": len(outage.bodies), "answers": dict(sorted(answers.items())), **told
    }  # fmt: skip


@contextmanager
def a_world(lake: Path, scratch: Path) -> Iterator[World]:
    """A collector and a monitor on a lake, and somebody to tell."""
    port = free_port()
    heard: list[dict[str, Any]] = []
    with receiving(heard.append) as address:
        who = scratch / "alerts.toml"
        who.write_text(f'[receivers.bench]\ntype = "webhook"\nurl = "{address}"\n')
        log, on = scratch / "log", ("--lake", str(lake))
        collector = Running(log, *CLI, "serve", "--replay", "--no-monitor", "--port", str(port), *on)
        monitor = Running(log, *CLI, "monitor", "--interval", "0.5", "--alerts", str(who), *on)
        over = threading.Event()

        def look_after() -> None:
            while not over.wait(1.0):
                collector.look_after()
                monitor.look_after()

        keeper = threading.Thread(target=look_after)
        try:
            collector.start()
            monitor.start()
            keeper.start()
            yield World(lake, collector, monitor, port, heard)
        finally:
            over.set()
            keeper.join()
            collector.kill()
            monitor.kill()


def load_into(lake: Lake, tables: Mapping[str, pa.Table], name: str) -> None:
    """Load tables as one batch."""
    append_tables(lake, tables, batch_id=name, source="bench", now=datetime.now(UTC))


def _health_is_fine(port: int) -> bool:
    with closing(Sender(port)) as sender, suppress(OSError, HTTPException):
        return bool(sender.health()["status"] == "ok")
    return False


def _newest_kept(lake: Lake) -> Any:
    """The newest document that a monitor kept; None where there is none."""
    rows = [row for file in lake.files("incident") for row in pq.read_table(file.path).to_pylist()]
    return json.loads(max(rows, key=lambda row: row["as_of"])["document"]) if rows else None


def _minute_of(document: Any) -> str | None:
    """The minute that a document is as of."""
    return None if document is None else str(document["as_of"])[:16]


def _differences(peace: Lake, lake: Lake) -> dict[str, int]:
    """Records, and how many are missing or there too often."""
    wanted, found = _records(peace), _records(lake)
    return {
        "records": wanted.total(), "missing": (wanted - found).total(), "there_too_often": (found - wanted).total(),
        "quarantined": sum(file.rows or 0 for file in lake.files("quarantine")),
    }  # fmt: skip


def _records(lake: Lake) -> Counter[str]:
    """Records of every kind, without where they came from."""
    found: Counter[str] = Counter()
    for kind in Kind:
        for file in lake.files(kind.value):
            rows = pq.ParquetFile(file.path).read().drop_columns(["batch_id", KNOWN_AT.name]).to_pylist()
            found.update(f"{kind} {row}" for row in rows)
    return found


def _alerts(heard: list[dict[str, Any]], wanted: set[str]) -> dict[str, int]:
    """What the webhook got: an alert an incident, each opened by one message, none out of order."""
    opened = Counter(alert for alert, _ in {(one["alert"], one["message_id"]) for one in heard
                                            if one["event"] == "opened"})  # fmt: skip
    bodies = {(one["message_id"], json.dumps(one)) for one in heard}
    back = sum(
        one["sequence"] < other["sequence"]
        for number, other in enumerate(heard) for one in heard[number:] if one["alert"] == other["alert"]
    )  # fmt: skip
    return {
        "incidents": len(wanted), "alerts_opened": len(opened), "alerts_of_no_incident": len(set(opened) - wanted),
        "opened_twice": sum(count > 1 for count in opened.values()), "messages": len(heard),
        "messages_that_changed": len(bodies) - len({one["message_id"] for one in heard}), "out_of_order": back,
    }  # fmt: skip


# Each of these must be zero.
FAULTS = (
    "missing", "there_too_often", "quarantined", "alerts_of_no_incident", "opened_twice", "messages_that_changed",
    "out_of_order", "says_otherwise", "collector_ended_by_itself", "collector_status", "monitor_status",
)  # fmt: skip


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=TROUBLES)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--hosts", type=int, default=600)
    parser.add_argument("--minutes", type=float, default=20.0, help="that are replayed, from the release on")
    parser.add_argument("--pace", type=float, default=0.25, help="seconds between two bodies of five fleet seconds")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleetcrash-") as scratch:
        told = survive(
            Path(scratch), chosen.what, times=chosen.times, hosts=chosen.hosts, minutes=chosen.minutes,
            pace_s=chosen.pace, seed=chosen.seed,
        )  # fmt: skip
    machine = {"load_average": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(json.dumps({**told, **machine, "synthetic": True}))
    return 1 if any(told[name] for name in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
