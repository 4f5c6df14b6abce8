"""Files below a lake that may still name a forgotten host, and why they were left."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleetcrash.store import databases
from fleetcrash.store.mentions import Mentions

_NAMES_IT = "names the host, and is not of a kind that may be changed or deleted here"
_SAYS_IT = "has this name in it, be it the host's or not, and is not of a kind that may be changed or deleted here"
_CLOSED = "may not be read by this user, and may name the host; run this again as the one whose it is"


@dataclass(frozen=True)
class Remaining:
    """A file that may still name the host, and why it was left."""

    path: str
    why: str


def remaining_files(root: Path, mentions: Mentions) -> list[Remaining]:
    """Files outside the tables that name the host, or that may because we cannot read them; in order."""
    return sorted(_remaining(root, mentions), key=lambda one: Path(one.path))


def _remaining(root: Path, mentions: Mentions) -> Iterator[Remaining]:
    lost: list[OSError] = []
    for folder, _, names in os.walk(root, onerror=lost.append):
        for path in (Path(folder, name) for name in names):
            try:
                if path.is_file() and _holds(path, mentions):
                    yield Remaining(str(path), _NAMES_IT if mentions.is_distinctive else _SAYS_IT)
            except PermissionError:
                yield Remaining(str(path), _CLOSED)
    yield from (Remaining(one.filename, _CLOSED) for one in lost if isinstance(one, PermissionError))  # others are gone


def _holds(path: Path, mentions: Mentions) -> bool:
    """Whether a file names the host; True for a database that cannot be read."""
    if path.suffix in (".parquet", *databases.BESIDE):
        return False
    if path.suffix != databases.SUFFIX:
        return mentions.in_file(path)
    try:
        return databases.holds(path, mentions)
    except sqlite3.Error:
        return path.exists()
