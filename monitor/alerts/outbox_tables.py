"""The tables of the outbox, and what the file of an earlier version lacks of them."""

from __future__ import annotations

import sqlite3

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert (
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, sequence INTEGER NOT NULL, is_open INTEGER NOT NULL, told TEXT NOT NULL,
  number INTEGER NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
  number INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, alert TEXT NOT NULL,
  sequence INTEGER NOT NULL, event TEXT NOT NULL, update_id TEXT, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
  receiver TEXT NOT NULL, alert TEXT NOT NULL, number INTEGER NOT NULL, status TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL DEFAULT 0, error TEXT,
  sent_number INTEGER, sent_open INTEGER NOT NULL DEFAULT 0, sent_at REAL, waiting_since REAL,
  PRIMARY KEY (receiver, alert)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receiver (
  name PRIMARY KEY, tries INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL DEFAULT 0,
  delivered_at REAL, error TEXT, error_at REAL, gone_at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS silence (
  number INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL,
  made_by TEXT NOT NULL, made_at REAL NOT NULL, ends_at REAL NOT NULL, ended_by TEXT, ended_at REAL
);
"""

# For whoever looks from outside, such as the dashboard: how each receiver stands, times in seconds since 1970.
_VIEW = """
CREATE VIEW IF NOT EXISTS receiver_now AS
SELECT name, delivered_at, error, error_at,
  (SELECT count(*) FROM delivery WHERE receiver = name AND status = 'waiting') AS waiting
FROM receiver WHERE gone_at IS NULL
"""

# What tables lack that an earlier version made: table, column, type, and the value in the rows that are there.
_ADDED = (
    ("delivery", "waiting_since", "REAL",
     "(SELECT at FROM alert WHERE key = delivery.alert AND status = 'waiting')"),
    ("receiver", "gone_at", "REAL", "NULL"),
)  # fmt: skip


def make_tables(file: sqlite3.Connection) -> None:
    """Make what tables there are not yet, and add to those of an earlier version what they lack.

    A process of that version may go on beside us: it leaves the new columns as they are.
    """
    file.executescript(_TABLES)
    file.execute(_VIEW)
    if not _lacking(file):
        return
    file.execute("BEGIN IMMEDIATE")
    try:
        for table, column, kind, value in _lacking(file):  # asked again: another process may have been faster
            file.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
            file.execute(f"UPDATE {table} SET {column} = {value}")  # noqa: S608 - constants of this file
        file.execute("DROP VIEW IF EXISTS receiver_now")
        file.execute(_VIEW)
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise


def _lacking(file: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    """What this file lacks of what was added."""
    return [
        one for one in _ADDED
        if all(row["name"] != one[1] for row in file.execute(f"PRAGMA table_info({one[0]})"))
    ]  # fmt: skip
