"""Processes that a command starts beside itself: the pages, and a monitor."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from commands.ports import check_port

if TYPE_CHECKING:
    from dashboard.access import SignIn
    from fleetcrash.store import Lake
    from monitor.children import Children


def start_dashboard(
    beside: Children,
    lake: Lake,
    port: int,
    *,
    host: str = "127.0.0.1",
    address: str | None = None,
    trusted_header: str | None = None,
    sign_in: SignIn | None = None,
) -> None:
    """Start the pages beside this process.

    Raises:
        BadArgument: the port is taken, or may not be used.
    """
    from dashboard.serve import command, environment

    check_port(port, host=host)
    beside.start(
        "dashboard",
        command(lake.root, port=port, host=host, address=address, sign_in=sign_in),
        environment=environment(lake.root, trusted_header=trusted_header, sign_in=sign_in),
        quiet=True,
    )


def start_monitor(
    beside: Children,
    lake: Lake,
    *,
    interval_s: float,
    alerts: Sequence[str] | None = None,
    metrics: int | None = None,
) -> None:
    """Start a monitor of the lake beside this process.

    Args:
        alerts: files that say who is told of incidents; None: the lake's own, if it has one.
        metrics: port on which it serves its metrics; None: it serves none.
    """
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", "cli", "monitor", "--lake", str(lake.root), "--interval", str(interval_s)]
    command += ["--beside", str(os.getpid())]
    for file in alerts or ():
        command += ["--alerts", str(file)]
    if metrics is not None:
        command += ["--metrics", str(metrics)]
    beside.start("monitor", command, environment={**os.environ, "PYTHONPATH": path})
