"""Small evidence, and small lakes with an update that goes out in rings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from fleetcrash.gate.evidence import AGES, EARLY_AGES, WINDOWS, Evidence, Hits
from fleetcrash.gate.reading import Ring, Update
from fleetcrash.store import Lake
from tests.dashboard.fleet import append_rows

START = datetime(2026, 3, 4, 9, tzinfo=UTC)
RELEASED = START + timedelta(hours=3)
RATE = 2.4e-6  # hits per host-minute of the evidence here
UPDATE = Update("content", int(RELEASED.timestamp() * 1e6), None, None, "installs", "sessions")

Row = dict[str, Any]


def evidence(hosts: int, minutes: int, hits: Sequence[int] = (), *, outcome: int = 0, weight: float = 1.0) -> Evidence:
    """Hosts that all got an update at once, some minutes ago, and the minutes at which some were hit."""
    ages = np.searchsorted(WINDOWS, np.arange(minutes), side="right")
    time = hosts * (ages[:, None] == np.arange(AGES)).astype(float)
    at = np.array(sorted(hits), dtype=np.int64)
    return Evidence(
        time=time,
        weighted=time * weight,
        expected=np.array([time.sum() * RATE * weight, 0.0]),
        hits=Hits(
            minute=at,
            outcome=np.full(len(at), outcome),
            age=np.searchsorted(WINDOWS, at, side="right"),
            rate=np.full(len(at), RATE),
            beside=np.ones(len(at)),
            weight=np.full(len(at), weight),
            witness=np.ones(len(at), dtype=bool),
        ),
        heads=hosts * weight,
        exposed=hosts,
        excess=float((at < WINDOWS[EARLY_AGES - 1]).sum()) - float(time[:, :EARLY_AGES].sum()) * RATE,
        surplus=len(at) - float(time.sum()) * RATE,
    )


def ring(
    name: str = "canary", *, hosts: int = 4000, minutes: int = 130, hits: Sequence[int] = (), **changed: Any
) -> Ring:
    """A ring that got the update at its release, all at once."""
    told = evidence(hosts, minutes, hits)
    return Ring(
        **{
            "name": name,
            "exposed": hosts,
            "host_hours": float(told.time.sum()) / 60,
            "crashed": len(hits),
            "dark": 0,
            "expected": float(told.expected.sum()),
            "begun": True,
            "hits_at": tuple(RELEASED + timedelta(minutes=at) for at in sorted(hits)),
            "soaked_from_us": int(RELEASED.timestamp() * 1e6),
            "beat_us": None,
            "left_us": None,
            "holders": hosts,
            "silent": 0,
            "evidence": told,
            **changed,
        }
    )


def host(number: int, ring: str | None, **more: Any) -> Row:
    """A row of the inventory, known from the start."""
    return {"host_id": f"h{number}", "os_type": "windows", "region": "eu", "ring": ring, **more}


def crash(number: int, at: datetime, **more: Any) -> Row:
    """A crash of a host."""
    return {
        "crash_id": f"c-{number}-{at:%H%M%S}", "host_id": f"h{number}", "occurred_at": at, "os_type": "windows", **more
    }  # fmt: skip


def install(number: int, at: datetime, update_id: str = "u1", **more: Any) -> Row:
    """An install on a host."""
    return {"host_id": f"h{number}", "update_id": update_id, "applied_at": at, **more}


def lake_with(path: Path, **rows: Sequence[Row]) -> Lake:
    """A lake of these rows by table; unless told otherwise of the update ``u1``, and with hosts online since START."""
    lake = Lake.create(path)
    told = {"update": [{"update_id": "u1", "kind": "content", "channel": "1", "released_at": RELEASED}], **rows}
    if "session" not in told and "heartbeat" not in told:
        told["session"] = [{"host_id": row["host_id"], "online_from": START} for row in told.get("host", [])]
    for table, table_rows in told.items():
        if table_rows:
            append_rows(lake, table, table_rows)
    return lake


def quiet_lake(path: Path) -> Lake:
    """Forty canaries of a hundred servers have the update, and nothing happens to them."""
    hosts = [host(number, "canary" if number < 40 else "broad", always_on=True) for number in range(100)]
    installs = [install(number, RELEASED + timedelta(seconds=number)) for number in range(40)]
    crashes = [crash(90 + number, START + timedelta(minutes=40 * number)) for number in range(4)]
    heard = {"host_id": "h99", "online_from": RELEASED + timedelta(minutes=125)}
    sessions = [{"host_id": f"h{number}", "online_from": START} for number in range(100)]
    return lake_with(path, host=hosts, session=[*sessions, heard], install=installs, crash=crashes)
