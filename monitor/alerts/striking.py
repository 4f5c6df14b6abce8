"""Strikes a forgotten host out of the outbox."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fleetcrash.errors import LakeError
from fleetcrash.store import databases
from fleetcrash.store.databases import Texts
from fleetcrash.store.mentions import Mentions
from monitor.alerts.outbox import FILE, FOLDER

# Where a host may be named. Keys stay: they tell messages apart, and silences find by them what they are about.
_WRITTEN = {
    "silence": Texts(plain=("reason", "made_by", "ended_by")),
    "receiver": Texts(plain=("error",)),
    "delivery": Texts(plain=("error",)),
    "message": Texts(documents=("body",)),
    "alert": Texts(documents=("told",)),
}


def strike(lake_root: Path, mentions: Mentions) -> int:
    """Strike a forgotten host out of silences and messages, while a monitor may be sending.

    Returns:
        how many rows were changed.
    Raises:
        LakeError: the file cannot be written, or is locked for too long.
    """
    path = lake_root / FOLDER / FILE
    if not path.exists():
        return 0
    try:
        return databases.strike(path, mentions, _WRITTEN)
    except (OSError, sqlite3.Error) as error:
        raise LakeError(f"{path} cannot be written, and may name the host: {error}. Run this again later.") from error
