"""How the app is started: a command line and an environment for a subprocess.

The settings are beside ``app.py`` and are found there from any working folder.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from dashboard.access import ALLOW_VARIABLE, HEADER_VARIABLE, SignIn

LAKE_VARIABLE = "FLEETCRASH_LAKE"

_APP = Path(__file__).with_name("app.py")


def command(
    lake_path: Path | str,
    *,
    port: int,
    host: str = "127.0.0.1",
    address: str | None = None,
    sign_in: SignIn | None = None,
) -> list[str]:
    """The command line that serves the dashboard.

    Args:
        lake_path: the lake to show; it need not exist yet, the page then says so.
        port: TCP port to listen on.
        host: address to listen on. Whoever can reach it sees everything, unless there is a sign-in or a proxy.
        address: URL by which people reach it; pages of other sites may not connect. None: by the host.
        sign_in: how people sign in; None: without.
    """
    secrets = [] if sign_in is None else ["--secrets.files", str(sign_in.secrets)]
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
        (urlsplit(address).hostname if address else None) or host,
        *secrets,
        "--logger.level",
        "warning",
        "--",
        "--lake",
        str(Path(lake_path).absolute()),
    ]


def environment(
    lake_path: Path | str, *, trusted_header: str | None = None, sign_in: SignIn | None = None
) -> dict[str, str]:
    """The environment for ``command``: ours, plus the lake, the project's root and who may see the pages.

    Args:
        trusted_header: in which a proxy says who is there; None: none does.
    """
    inherited = os.environ.get("PYTHONPATH", "")
    root = str(_APP.parent.parent)
    return {
        **os.environ,
        LAKE_VARIABLE: str(Path(lake_path).absolute()),
        HEADER_VARIABLE: trusted_header or "",
        ALLOW_VARIABLE: json.dumps(sign_in.allow) if sign_in else "",
        "PYTHONPATH": os.pathsep.join(filter(None, (root, inherited))),
    }
