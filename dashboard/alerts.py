"""Who is told of incidents, and whether they have heard: read from the monitor's outbox in the lake's folder.

The monitor keeps a view there for whoever looks; nothing else of the file is anybody's but its own.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dashboard.markup import Column, Row, table
from dashboard.wording import clock, count, plain

_FILE = Path("_alerts") / "outbox.sqlite"
_QUESTION = "SELECT name, delivered_at, waiting, error, error_at FROM receiver_now ORDER BY name"
_PATIENCE_S = 1.0


@dataclass(frozen=True)
class Receiver:
    """How somebody stands who is told of incidents.

    Attributes:
        delivered_at: when something last reached it; None: never yet.
        waiting: alerts that it has yet to get, silenced ones among them.
        error, error_at: of the last failure since then; None where there was none.
    """

    name: str
    delivered_at: datetime | None
    waiting: int
    error: str | None
    error_at: datetime | None


def receivers(lake_root: Path) -> list[Receiver] | None:
    """All who are told; None where no monitor with alerts has watched the lake, or its outbox cannot be read."""
    path = lake_root / _FILE
    try:
        if not path.exists():
            return None
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)) as file:
            rows = file.execute(_QUESTION).fetchall()
    except (sqlite3.Error, OSError):  # the latter where the folder is the monitor's alone
        return None
    return [Receiver(name, _at(sent), waiting, error, _at(failed)) for name, sent, waiting, error, failed in rows]


def alerts_table(found: list[Receiver], beside: datetime) -> str:
    """Each receiver: when it last heard, what waits, and why."""
    rows = [
        Row(
            [
                plain(one.name, 64),
                clock(one.delivered_at, beside=beside).removesuffix(" UTC") if one.delivered_at else "never",
                count(one.waiting),
                f"{plain(one.error, 160)} ({clock(one.error_at, beside=beside)})" if one.error else "–",
            ],
            strong=bool(one.error and one.waiting),
        )
        for one in found
    ]
    columns = [
        Column("Receiver", id=True),
        Column("Last delivered, UTC", time=True),
        Column("Waiting", number=True),
        Column("Trouble"),
    ]
    return table("Alerts", columns, rows, note="who is told of incidents; fleetcrash alert list says more")


def _at(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, tz=UTC)
