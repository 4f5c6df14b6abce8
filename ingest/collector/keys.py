"""Idempotency-Keys: the answers to requests, so that sending one again changes nothing."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetcrash.errors import BadArgument
from ingest.collector.segments import Description

LOG = logging.getLogger("fleetcrash.collector")

# How long a key is remembered once its body is in the lake: longer than any client tries again.
KEPT_S = 24 * 3600

_FORGET_EVERY_S = 600.0
_LITTLE_BYTES = 1 << 20  # on a disk with less, a file may fail to be made, whatever error SQLite gives

_TABLE = """
CREATE TABLE IF NOT EXISTS answer (
  key TEXT PRIMARY KEY, batch_id TEXT NOT NULL, read INTEGER NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answer_by_age ON answer (at);
"""


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        digest: hash of the body that the key came with, unpacked.
    """

    batch_id: str
    read: int
    digest: str


@dataclass(frozen=True)
class _Connections:
    """The open file: one connection for the thread that commits, one for the thread that asks."""

    writer: sqlite3.Connection
    reader: sqlite3.Connection


class Keys:
    """The keys of one spool. Those of bodies in the spool are in memory, the others in a file.

    If the disk is full when the collector starts, the file is opened later, once there is room.

    Args:
        folder: where the file is.
    Raises:
        BadArgument: the file cannot be used, and waiting will not help.
    """

    def __init__(self, folder: Path) -> None:
        self._spooled: dict[str, Answer] = {}
        self._lock = threading.Lock()  # guards the dict
        self._path = folder / "keys.sqlite"
        self._opening = threading.Lock()
        self._connections: _Connections | None = None
        self._forget_at = time.monotonic()
        try:
            self._opened()
        except sqlite3.Error as error:
            if not self._may_pass(error):
                raise BadArgument(
                    f"{self._path} cannot be used ({error}). Nothing was started. Without the file the collector "
                    "starts, and takes what is sent again with a key of the last day for new."
                ) from error
            LOG.error("%s cannot be used, and is tried again: %s", self._path, error)

    def find(self, key: str) -> Answer | None:
        """The answer to a request with this key; None if there was none. For one thread only.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        with self._lock:
            known = self._spooled.get(key)
        if known is not None:
            return known
        reader = self._opened().reader
        row = reader.execute("SELECT batch_id, read, digest FROM answer WHERE key = ?", (key,)).fetchone()
        return None if row is None else Answer(*row)

    def spooled(self, description: Description) -> None:
        """Remember the key of a body that is in the spool."""
        if description.key is not None and description.digest is not None:
            with self._lock:
                self._spooled[description.key] = Answer(description.batch_id, description.read, description.digest)

    def dropped(self, description: Description) -> None:
        """Forget the key of a body that did not reach the spool."""
        with self._lock:
            self._spooled.pop(description.key or "", None)

    def settle(self, descriptions: Iterable[Description]) -> None:
        """Keep the keys of bodies that are in the lake, before they leave the spool.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        keyed = [one for one in descriptions if one.key is not None]
        rows = [(one.key, one.batch_id, one.read, one.digest, one.received_us // 1_000_000) for one in keyed]
        now = time.monotonic()
        if rows or now >= self._forget_at:
            self._write(rows, forget=now >= self._forget_at)
        with self._lock:
            for one in keyed:
                self._spooled.pop(str(one.key), None)

    def close(self) -> None:
        """Close the file."""
        if self._connections is not None:
            self._connections.writer.close()
            self._connections.reader.close()

    def _opened(self) -> _Connections:
        """The file, open.

        Raises:
            sqlite3.Error: it cannot be used.
        """
        with self._opening:
            if self._connections is None:
                with ExitStack() as stack:  # closes them if anything fails
                    writer, reader = (stack.enter_context(closing(self._connected())) for _ in range(2))
                    writer.execute("PRAGMA journal_mode = WAL")  # so that readers do not wait for a write
                    for one in (writer, reader):
                        one.execute("PRAGMA synchronous = FULL")
                    writer.executescript(_TABLE)
                    self._connections = _Connections(writer, reader)
                    stack.pop_all()
            return self._connections

    def _may_pass(self, error: sqlite3.Error) -> bool:
        """Whether an error is due to the disk, not to the file."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code, without the extended part
        return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) or (
            code == sqlite3.SQLITE_CANTOPEN and shutil.disk_usage(self._path.parent).free < _LITTLE_BYTES
        )

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)

    def _write(self, rows: list[tuple[Any, ...]], *, forget: bool) -> None:
        file = self._opened().writer
        file.execute("BEGIN IMMEDIATE")
        try:
            file.executemany("INSERT OR IGNORE INTO answer VALUES (?, ?, ?, ?, ?)", rows)
            if forget:
                file.execute("DELETE FROM answer WHERE at < ?", (int(time.time()) - KEPT_S,))
                self._forget_at = time.monotonic() + _FORGET_EVERY_S
            file.execute("COMMIT")
        except sqlite3.Error:
            if file.in_transaction:
                file.execute("ROLLBACK")
            raise
