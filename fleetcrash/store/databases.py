"""SQLite files below a lake: whether a name is in them, striking it out, and why one cannot be used.

Such a file stores values one after another without separators, and long ones in pieces, so that its bytes do not tell
where a word begins. SQLite reads the values instead; the bytes are searched for what it deleted and left there.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fleetcrash.store.mentions import Mentions

SUFFIX = ".sqlite"
# Suffixes of what SQLite keeps beside a file, and reads together with it.
BESIDE = (f"{SUFFIX}-wal", f"{SUFFIX}-shm", f"{SUFFIX}-journal")

_PATIENCE_S = 10.0  # for other processes, which read or write for milliseconds

_LITTLE_BYTES = 1 << 20  # with less room on the disk, a file may fail to be opened

_Value = str | bytes | int | float | None


@dataclass(frozen=True)
class Texts:
    """Columns of a table in which a name may be.

    Attributes:
        plain: what people wrote, or others answered.
        documents: JSON.
    """

    plain: Sequence[str] = ()
    documents: Sequence[str] = ()


def holds(path: Path, mentions: Mentions) -> bool:
    """Whether a name is in any value of any table.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    with _opened(path, mentions, mode="ro") as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in file.execute(f"PRAGMA table_info({_quoted(table)})")]
            found = " OR ".join(f"mentions({_quoted(column)})" for column in columns)
            if file.execute(f"SELECT 1 FROM {_quoted(table)} WHERE {found} LIMIT 1").fetchone():  # noqa: S608
                return True
    return False


def strike(path: Path, mentions: Mentions, texts: Mapping[str, Texts]) -> int:
    """Strike a name out of columns, given by table, and out of what SQLite deleted and left in the file.

    Others may read and write meanwhile.

    Returns:
        how many rows were changed.
    Raises:
        sqlite3.Error: the file cannot be read or written, or others kept it locked; another call does the rest.
    """
    changed = 0
    with _opened(path, mentions, mode="rw") as file:
        file.execute("BEGIN IMMEDIATE")
        for table, columns in texts.items():
            struck = {name: f"struck({name})" for name in columns.plain}
            struck |= {name: f"struck_in_document({name})" for name in columns.documents}
            changes = ", ".join(f"{name} = {new}" for name, new in struck.items())
            # The name may be a key of the document, or the text may be no document.
            found = " OR ".join(f"(mentions({name}) AND {new} IS NOT {name})" for name, new in struck.items())
            changed += file.execute(f"UPDATE {table} SET {changes} WHERE {found}").rowcount  # noqa: S608
        file.execute("COMMIT")
        if changed or any(mentions.perhaps_in(one.read_bytes()) for one in _all_of(path)):
            file.execute("VACUUM")
            busy, _, _ = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise sqlite3.OperationalError("somebody else is reading it")
    return changed


def why_unusable(path: Path, error: Exception) -> str:
    """Why a file cannot be used: of a disk that is full or read-only SQLite says only that something failed."""
    folder = path.parent if path.parent.is_dir() else path.parent.parent
    if not os.access(folder, os.W_OK):
        return "its folder or file system is read-only to us"
    return "the disk is full" if shutil.disk_usage(folder).free < _LITTLE_BYTES else str(error)


@contextmanager
def _opened(path: Path, mentions: Mentions, *, mode: str) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    file = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_PATIENCE_S)
    try:
        file.create_function("mentions", 1, partial(_mentions, mentions))
        file.create_function("struck", 1, partial(_struck, mentions))
        file.create_function("struck_in_document", 1, partial(_struck_in_document, mentions))
        yield file
    finally:
        file.close()


def _mentions(mentions: Mentions, value: _Value) -> bool:
    data = value.encode() if isinstance(value, str) else value
    return isinstance(data, bytes) and mentions.in_bytes(data)


def _struck(mentions: Mentions, value: _Value) -> _Value:
    return mentions.struck(value) if isinstance(value, str) else value


def _struck_in_document(mentions: Mentions, value: _Value) -> _Value:
    return mentions.without(value) if isinstance(value, str) else value


def _all_of(path: Path) -> list[Path]:
    return [one for one in (path, path.with_name(f"{path.name}-wal")) if one.exists()]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
