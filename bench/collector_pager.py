"""How soon does a pager ring?

    python -m bench.collector_pager --hosts 5000

Replays a simulated outage at the speed of real time from shortly before the guilty update is released: over HTTP into
``fleetcrash serve --replay``, with the monitor that comes along and a webhook on this machine. Told are the seconds
from the acknowledgement of the first crash of the fault to the delivery of the alert, and of the message that names an
update, right or wrong. The days before are loaded first. It ends by itself once an update is named. Everything is
synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bench.collector import collector
from commands.replaying import Sender, receiving
from fleetcrash.store import Lake
from ingest.load import append_tables
from sample_data.replay import records_known_by, replay
from sample_data.simulator import simulate

SCENARIO = "channel-file-291"
MODULE = "csagent.sys"  # in which the fault of the scenario crashes
_STEP = timedelta(seconds=1)
_GIVES_UP_AFTER = timedelta(minutes=10)  # from the release on


@dataclass
class Heard:
    """What the webhook got.

    Attributes:
        opened_at, named_at: seconds of a steady clock; None: not yet.
        named: the update of the first message that names one.
    """

    opened_at: float | None = None
    named_at: float | None = None
    named: str | None = None
    came: threading.Event = field(default_factory=threading.Event)

    def __call__(self, document: dict[str, Any]) -> None:
        """Note a message."""
        now = time.monotonic()
        if document["kind"] == "incident" and self.opened_at is None:
            self.opened_at = now
        if document["kind"] == "incident" and document["verdict"] == "update" and self.named_at is None:
            self.named_at, self.named = now, document["update_id"]
            self.came.set()


def ring(scratch: Path, *, hosts: int, seed: int, before: timedelta) -> dict[str, Any]:
    """Replay an outage until an update is named."""
    fleet = scratch / "fleet"
    simulate(SCENARIO, fleet, hosts=hosts, seed=seed)
    truth = json.loads((fleet / "truth.json").read_text())
    released = datetime.fromisoformat(truth["released_at"])
    start = released - before
    lake = Lake.create(scratch / "lake")
    append_tables(lake, records_known_by(fleet, start), batch_id="history", source="bench", now=datetime.now(UTC))
    heard = Heard()
    records = 0
    faulted_at: float | None = None
    with receiving(heard) as address:
        who = scratch / "alerts.toml"
        who.write_text(f'[receivers.bench]\ntype = "webhook"\nurl = "{address}"\n')
        with collector(lake.root, "--replay", "--alerts", str(who)) as (_, port):
            sender = Sender(port)
            began = time.monotonic()
            steps = replay(fleet, start, step=_STEP, until=released + _GIVES_UP_AFTER)
            for number, (instant, tables) in enumerate(steps, start=1):
                if heard.came.wait(max(began + number * _STEP.total_seconds() - time.monotonic(), 0.0)):
                    break
                if tables:
                    records += sender.send(tables, instant.isoformat())
                if faulted_at is None and "crash" in tables and _faulted(tables["crash"], released):
                    faulted_at = time.monotonic()
    assert faulted_at is not None, "no crash of the fault was sent"
    return {
        "scenario": SCENARIO, "hosts": hosts, "seed": seed, "records_replayed": records,
        "opened_after_s": _since(faulted_at, heard.opened_at), "named_after_s": _since(faulted_at, heard.named_at),
        "named": heard.named, "guilty": truth["guilty"],
    }  # fmt: skip


def _faulted(crashes: pa.Table, released: datetime) -> bool:
    """Whether any of the crashes is one of the fault."""
    since = pa.scalar(released, crashes["occurred_at"].type)
    of_fault = pc.and_(pc.equal(crashes["module"], MODULE), pc.greater_equal(crashes["occurred_at"], since))
    return bool(pc.any(of_fault).as_py())


def _since(began: float, ended: float | None) -> float | None:
    return None if ended is None else round(ended - began, 1)


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--before", type=float, default=60.0, help="seconds that are replayed before the release")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleetcrash-") as scratch:
        told = ring(Path(scratch), hosts=chosen.hosts, seed=chosen.seed, before=timedelta(seconds=chosen.before))
    machine = {"load_average": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(json.dumps({**told, **machine, "synthetic": True}))
    return 0 if told["named"] == told["guilty"] else 1


if __name__ == "__main__":
    sys.exit(main())
