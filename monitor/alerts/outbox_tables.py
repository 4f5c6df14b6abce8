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
  delivered_at REAL, error TEXT, error_at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS silence (
  number INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL,
  made_by TEXT NOT NULL, made_at REAL NOT NULL, ends_at REAL NOT NULL, ended_by TEXT, ended_at REAL
);
-- For whoever looks from outside, such as the dashboard: how each receiver stands, times in seconds since 1970.
CREATE VIEW IF NOT EXISTS receiver_now AS
SELECT name, delivered_at, error, error_at,
  (SELECT count(*) FROM delivery WHERE receiver = name AND status = 'waiting') AS waiting
FROM receiver;
"""

# What tables lack that an earlier version made: the column, its type, and its value in the rows that are there.
_ADDED = {
    "delivery": ("waiting_since", "REAL", "(SELECT at FROM alert WHERE key = delivery.alert AND status = 'waiting')"),
}


def make_tables(file: sqlite3.Connection) -> None:
    """Make what tables there are not yet, and add to those of an earlier version what they lack.

    A process of that version may go on beside us: it leaves the new columns as they are.
    """
    file.executescript(_TABLES)
    for table, (column, kind, value) in _ADDED.items():
        if not _has(file, table, column):
            file.execute("BEGIN IMMEDIATE")
            try:
                if not _has(file, table, column):  # another process may have been faster
                    file.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
                    file.execute(f"UPDATE {table} SET {column} = {value}")  # noqa: S608 - constants of this file
                file.execute("COMMIT")
            except BaseException:
                if file.in_transaction:
                    file.execute("ROLLBACK")
                raise


def _has(file: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row["name"] == column for row in file.execute(f"PRAGMA table_info({table})"))
