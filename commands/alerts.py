"""Alerts: what was sent to whom, and whether the receivers can be reached."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.options import ALERTS, Commands, lake_of, lake_path, whole
from commands.output import Exit, print_json
from fleetcrash.errors import BadArgument
from fleetcrash.terminal import readable

if TYPE_CHECKING:
    from monitor.alerts.config import Config

_MOST_LISTED = 50


def add_to(commands: Commands) -> None:
    """Add the group of commands."""
    group = commands.group(
        "alert", "What was sent to whom, and a test of it", example="fleetcrash alert list --lake lake"
    )
    one = group.add(list_, "--lake", "--json", example="fleetcrash alert list --lake lake")
    one.add_argument("--most", type=whole(0), default=_MOST_LISTED, help=f"newest so many (default: {_MOST_LISTED})")
    one = group.add(test, "--lake", "--json", example="fleetcrash alert test --alerts alerts.toml")
    one.add_argument("--alerts", **ALERTS)


def list_(chosen: argparse.Namespace) -> int:
    """Say what was sent, what waits and what failed, and how each receiver stands."""
    from monitor.alerts.message import instant
    from monitor.alerts.outbox import Outbox, is_kept

    def shown(seconds: float | None) -> str | None:
        return None if seconds is None else instant(seconds)

    now, root = time.time(), lake_of(chosen).root
    receivers: list[dict[str, Any]] = []
    deliveries: list[dict[str, Any]] = []
    if is_kept(root):
        with Outbox(root) as outbox:
            receivers, deliveries = outbox.receivers(now), outbox.deliveries(now)
    listed = [_listed(row, shown) for row in deliveries[: chosen.most]]
    stands = [
        {**row, **{key: shown(row[key]) for key in ("delivered_at", "oldest_at", "error_at")}} for row in receivers
    ]
    if chosen.json:
        print_json({"schema": 1, "receivers": stands, "alerts": listed})
        return Exit.DONE
    for row in stands:
        waits = f"{row['waiting'] - row['silenced']:,} wait, {row['silenced']:,} silenced"
        trouble = f"; {readable(row['error'])} ({row['error_at']})" if row["error"] else ""
        print(f"{row['name']}: last delivered {row['delivered_at'] or 'never'}; {waits}{trouble}")
    for row in listed:
        trouble = f": {readable(row['error'])}" if row["error"] else ""
        print(f"\n{row['made_at']}  {row['alert']} {row['event']}, to {row['receiver']}: {row['status']}{trouble}")
        print(f"  {readable(row['summary'])}")
    if not receivers:
        print("Nobody is told: no monitor with alerts has watched this lake.")
    return Exit.DONE


def test(chosen: argparse.Namespace) -> int:
    """Send a marked test alert to every receiver and say who has it."""
    from monitor.alerts.message import Event, compose, other_content
    from monitor.alerts.receivers import Result

    config = _config(lake_path(chosen), chosen.alerts)
    now = time.time()
    content = other_content(
        "test", starts_at=now, ends_at=None, summary="A test of fleetcrash's alerts. Nothing is wrong."
    )
    rows = []
    for receiver in config.receivers:
        message = compose(f"test-{int(now)}", 1, Event.TEST, content, changed=[])
        outcome = receiver.send(message, time.time())
        is_delivered = outcome.result is Result.DELIVERED
        rows.append({"receiver": receiver.name, "delivered": is_delivered, "reason": outcome.reason or None})
        if not chosen.json:
            print(
                f"{receiver.name}: " + ("delivered" if is_delivered else f"not delivered: {readable(outcome.reason)}")
            )
    if chosen.json:
        print_json({"schema": 1, "receivers": rows})
    return Exit.DONE if all(row["delivered"] for row in rows) else Exit.PARTLY


def _listed(row: dict[str, Any], shown: Any) -> dict[str, Any]:
    keys = ("alert", "event", "sequence", "message_id", "receiver", "status", "tries", "error")
    summary = json.loads(row["body"])["summary"]
    return {
        "made_at": shown(row["at"]), **{key: row[key] for key in keys}, "sent_at": shown(row["sent_at"]),
        "summary": summary,
    }  # fmt: skip


def _config(root: Path, named: list[str] | None) -> Config:
    from monitor.alerts.config import FILE, files_of, read_config

    files = files_of(root, named)
    if not files:
        raise BadArgument(f"Nobody is told: there is no {root / FILE}. Write one, or name another with --alerts FILE.")
    return read_config(files)
