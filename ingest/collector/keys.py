"""Idempotency-Keys: what was answered to a request, so that sending it again changes nothing."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
    """

    def __init__(self, folder: Path) -> None:
        self._spooled: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self._file = sqlite3.connect(folder / "keys.sqlite", check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.executescript(_TABLE)
        self._forget_at = time.monotonic()

    def find(self, key: str) -> Answer | None:
        """What was answered to a request with this key; None if there was none."""
        with self._lock:
            if key in self._spooled:
                return self._spooled[key]
            row = self._file.execute("SELECT batch_id, read, digest FROM answer WHERE key = ?", (key,)).fetchone()
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
        with self._lock:
            now = time.monotonic()
            if rows or now >= self._forget_at:
                self._file.execute("BEGIN IMMEDIATE")
                try:
                    self._file.executemany("INSERT OR IGNORE INTO answer VALUES (?, ?, ?, ?, ?)", rows)
                    if now >= self._forget_at:
                        self._file.execute("DELETE FROM answer WHERE at < ?", (int(time.time()) - KEPT_S,))
                        self._forget_at = now + _FORGET_EVERY_S
                except sqlite3.Error:
                    self._file.execute("ROLLBACK")
                    raise
                self._file.execute("COMMIT")
            for one in keyed:
                self._spooled.pop(str(one.key), None)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
