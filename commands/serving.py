"""Commands that go on until they are stopped: the monitor and the dashboard."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from commands.options import Commands, lake_of, positive
from commands.output import Exit

if TYPE_CHECKING:
    from fleetcrash.store import Lake
    from monitor.children import Children


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    one = commands.add(monitor, "--lake", example="fleetcrash monitor --lake lake", serves=True)
    one.add_argument("--interval", type=positive, default=15.0, help="seconds between looks (default: 15)")

    one = commands.add(dashboard, "--lake", "--port", example="fleetcrash dashboard --lake lake", serves=True)
    one.add_argument("--no-monitor", action="store_true", help="only show; another process watches")


def monitor(chosen: argparse.Namespace) -> int:
    """Watch the lake and keep what is found in it."""
    from monitor.loop import watch

    lake = lake_of(chosen, create=True)
    print(f"Watching {lake.root} every {chosen.interval:g} s. Ctrl-C stops.", file=sys.stderr)
    watch(lake, interval_s=chosen.interval)
    return Exit.DONE


def dashboard(chosen: argparse.Namespace) -> int:
    """Serve the pages, with a monitor beside them."""
    from monitor.children import Children

    lake = lake_of(chosen, create=not chosen.no_monitor)
    with Children() as beside:
        start_dashboard(beside, lake, chosen.port)
        if not chosen.no_monitor:
            start_monitor(beside, lake, interval_s=15.0)
        print(f"Dashboard: http://127.0.0.1:{chosen.port}   (Ctrl-C stops)", flush=True)
        beside.wait()
    return Exit.DONE


def start_dashboard(beside: Children, lake: Lake, port: int) -> None:
    """Start the pages beside this process.

    Raises:
        BadArgument: the port is taken, or may not be used.
    """
    from dashboard.serve import command, environment
    from monitor.children import check_port

    check_port(port)
    beside.start("dashboard", command(lake.root, port=port), environment=environment(lake.root), quiet=True)


def start_monitor(beside: Children, lake: Lake, *, interval_s: float) -> None:
    """Start a monitor of the lake beside this process."""
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", "cli", "monitor", "--lake", str(lake.root), "--interval", str(interval_s)]
    beside.start("monitor", command, environment={**os.environ, "PYTHONPATH": path})
