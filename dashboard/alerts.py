"""Who is told of incidents, and what they got: read from the monitor's outbox in the lake's folder.

The outbox has a view for readers; everything else in the file is private to the monitor.
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
    """The state of a receiver of alerts.

    Attributes:
        delivered_at: time of the last delivery; None: none yet.
        waiting: alerts that it has not got yet, silenced ones included.
        error, error_at: of the last failure since then; None if there was none.
    """

    name: str
    delivered_at: datetime | None
    waiting: int
    error: str | None
    error_at: datetime | None


def receivers(lake_root: Path) -> list[Receiver] | None:
    """All receivers; None if no monitor with alerts has watched the lake, or its outbox cannot be read."""
    path = lake_root / _FILE
    try:
        if not path.exists():
            return None
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)) as file:
            rows = file.execute(_QUESTION).fetchall()
    except (sqlite3.Error, OSError):  # the latter if only the monitor may read the folder
        return None
    return [Receiver(name, _at(sent), waiting, error, _at(failed)) for name, sent, waiting, error, failed in rows]


def alerts_table(found: list[Receiver], beside: datetime) -> str:
    """The receivers: last delivery, what waits, and why."""
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
