"""How the app is started: a command line and an environment for a subprocess.

The settings lie beside ``app.py`` and are found from there, whatever folder it is started from.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

LAKE_VARIABLE = "FLEETCRASH_LAKE"

_APP = Path(__file__).with_name("app.py")


def command(lake_path: Path | str, *, port: int, host: str = "127.0.0.1") -> list[str]:
    """The command line that serves the dashboard.

    Args:
        lake_path: the lake to show; it need not exist yet, the page then says so.
        port: TCP port to listen on.
        host: address to listen on. Whoever can reach it sees everything: there is no login.
    """
    return [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(_APP),
        "--server.address",
        host,
        "--server.port",
        str(port),
        "--server.headless",
        "true",
        "--browser.gatherUsageStats",
        "false",
        "--browser.serverAddress",
        host,
        "--logger.level",
        "warning",
        "--",
        "--lake",
        str(Path(lake_path).absolute()),
    ]


def environment(lake_path: Path | str) -> dict[str, str]:
    """The environment that goes with ``command``: ours, with the lake and the project's root added."""
    inherited = os.environ.get("PYTHONPATH", "")
    root = str(_APP.parent.parent)
    return {
        **os.environ,
        LAKE_VARIABLE: str(Path(lake_path).absolute()),
        "PYTHONPATH": os.pathsep.join(filter(None, (root, inherited))),
    }
