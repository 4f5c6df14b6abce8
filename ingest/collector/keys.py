"""Idempotency-Keys: what was answered to a request, so that sending it again changes nothing."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetcrash.errors import BadArgument
from ingest.collector.segments import Description

KEPT_S = 24 * 3600
"""How long a key is remembered once its body is in the lake: longer than any client tries."""

_FORGET_EVERY_S = 600.0

_TABLE = """
CREATE TABLE IF NOT EXISTS answer (
  key TEXT PRIMARY KEY, batch_id TEXT NOT NULL, read INTEGER NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answer_by_age ON answer (at);
"""


@dataclass(frozen=True)
class Answer:
    """What was answered.

    Attributes:
        digest: hash of the lines that the key came with.
    """

    batch_id: str
    read: int
    digest: str


class Keys:
    """The keys of one spool. Those of bodies in the spool are in memory, the others in a file.

    Args:
        folder: where the file is.
    Raises:
        BadArgument: the file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._spooled: dict[str, Answer] = {}
        self._lock = threading.Lock()  # of the dict
        self._path = folder / "keys.sqlite"
        try:
            self._file, self._reader = self._connected(), self._connected()
            self._file.execute("PRAGMA journal_mode = WAL")  # nobody who looks waits for a write
            self._file.executescript(_TABLE)
        except sqlite3.Error as error:
            raise BadArgument(
                f"{self._path} cannot be used ({error}). Nothing was started. Without the file the collector starts, "
                "and takes what is sent again with a key of the last day for new."
            ) from error
        self._forget_at = time.monotonic()

    def find(self, key: str) -> Answer | None:
        """What was answered to a request with this key; None if there was none. For one thread."""
        with self._lock:
            known = self._spooled.get(key)
        if known is not None:
            return known
        row = self._reader.execute("SELECT batch_id, read, digest FROM answer WHERE key = ?", (key,)).fetchone()
        return None if row is None else Answer(*row)

    def spooled(self, description: Description) -> None:
        """Remember a body that is in the spool."""
        if description.key is not None and description.digest is not None:
            with self._lock:
                self._spooled[description.key] = Answer(description.batch_id, description.read, description.digest)

    def dropped(self, description: Description) -> None:
        """Forget a body that did not reach the spool."""
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
        """Let go of the file."""
        self._file.close()
        self._reader.close()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _write(self, rows: list[tuple[Any, ...]], *, forget: bool) -> None:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            self._file.executemany("INSERT OR IGNORE INTO answer VALUES (?, ?, ?, ?, ?)", rows)
            if forget:
                self._file.execute("DELETE FROM answer WHERE at < ?", (int(time.time()) - KEPT_S,))
                self._forget_at = time.monotonic() + _FORGET_EVERY_S
            self._file.execute("COMMIT")
        except sqlite3.Error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise
