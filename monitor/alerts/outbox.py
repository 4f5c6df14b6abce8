"""The outbox: what was last sent about each alert, and for each receiver the newest message that it has not got yet.

One SQLite file, synced before a call returns. A message and the state that it reports are written in one transaction,
as are a delivery and its consequences, so that a kill at any point may repeat a message and loses none.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fleetcrash.errors import LakeError
from fleetcrash.store.databases import why_unusable
from fleetcrash.store.ownership import give
from monitor.alerts.message import Event, Message
from monitor.alerts.outbox_tables import make_tables

FOLDER = "_alerts"
FILE = "outbox.sqlite"
# Alerts that may wait for one receiver: where there are more, a receiver that is down is not the main problem.
MOST_WAITING = 1_000
# How long a resolved alert that nothing waits for is listed.
KEPT_S = 30 * 86_400.0
# How long what a receiver lacks is kept once nobody serves it: until the monitor that does is back, or the file mended.
GONE_KEPT_S = 86_400.0

_PATIENCE_S = 10.0  # waiting for another process that writes, such as a command, for milliseconds

_SILENCED = """EXISTS (
  SELECT 1 FROM silence WHERE ended_at IS NULL AND made_at <= :now AND :now < ends_at AND (
    scope = 'all' OR (scope = 'incident' AND name = message.alert) OR (scope = 'update' AND name = message.update_id)
  )
)"""


def is_kept(lake_root: Path) -> bool:
    """Whether a lake has an outbox; whoever only looks need not make one."""
    return (lake_root / FOLDER / FILE).exists()


@dataclass(frozen=True)
class Kept:
    """What is kept about an alert.

    Attributes:
        told: the state that was last reported, as its writer encodes it.
        number: of the newest message. at: when it was made, seconds since 1970.
    """

    key: str
    kind: str
    sequence: int
    is_open: bool
    told: str
    number: int
    at: float


@dataclass(frozen=True)
class Due:
    """A message to send now.

    Attributes:
        tries: so far, of this message with this receiver.
        again: it was delivered and is repeated, because the receiver forgets what is not repeated.
    """

    message: Message
    tries: int
    again: bool = False


class Outbox:
    """The outbox of a lake. Any thread and any process may use it, but only one process should add messages and send.

    Args:
        lake_root: the lake's folder.
    Raises:
        LakeError: the file cannot be used.
    """

    def __init__(self, lake_root: Path) -> None:
        folder = lake_root / FOLDER
        self.path = folder / FILE
        self._lock = threading.RLock()
        try:
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
                give(folder, like=lake_root)
            self._file = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=_PATIENCE_S)
            self._file.row_factory = sqlite3.Row
            try:
                self._file.execute("PRAGMA journal_mode = WAL")  # so that readers do not wait for a write
                self._file.execute("PRAGMA synchronous = FULL")
                make_tables(self._file)
                give(self.path, like=folder)  # files that SQLite makes beside it get the same owner
            except sqlite3.Error:
                self._file.close()
                raise
        except (OSError, sqlite3.Error) as error:
            why = why_unusable(self.path, error)
            raise LakeError(f"{self.path} cannot be used: {why}. No alert is sent until it can.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    # --- adding messages

    def alerts(self) -> dict[str, Kept]:
        """All alerts that are kept, by key."""
        rows = self.rows("SELECT key, kind, sequence, is_open, told, number, at FROM alert")
        return {row["key"]: Kept(**{**row, "is_open": bool(row["is_open"])}) for row in rows}

    def message(self, number: int) -> Message:
        """A message that is kept, by its number."""
        return _message(self.rows("SELECT * FROM message WHERE number = :number", number=number)[0])

    def meta(self, key: str) -> str | None:
        """A remembered value, by its name."""
        found = self.rows("SELECT value FROM meta WHERE key = :key", key=key)
        return found[0]["value"] if found else None

    def set_meta(self, key: str, value: str) -> None:
        """Remember a value."""
        with self.transaction() as file:
            file.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def tell(self, kind: str, message: Message, told: str, *, receivers: Sequence[str], now: float) -> Message:
        """Keep a message for every receiver; it replaces older undelivered ones of its alert.

        Args:
            told: the state that it reports, for the next comparison.
        Returns:
            the message with its number.
        """
        with self.transaction() as file:
            number = file.execute(
                "INSERT INTO message (message_id, alert, sequence, event, update_id, body) VALUES (?, ?, ?, ?, ?, ?)",
                (message.message_id, message.alert, message.sequence, message.event, message.update_id, message.body),
            ).lastrowid
            row = (message.alert, kind, message.sequence, message.is_open, told, number, now)
            file.execute("INSERT OR REPLACE INTO alert VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            for receiver in receivers:
                self._wait(file, receiver, message.alert, int(number or 0), now)
            self._give_up_oldest(file, receivers)
            self._forget_gone(file, now)
            self._prune(file, now)
        return replace(message, number=int(number or 0))

    def open_to(self, receivers: Sequence[str], *, now: float) -> None:
        """Serve these receivers from now on.

        A new one gets what is open. What one that is gone lacks is kept for a day, in which it may come back.
        """
        with self.transaction() as file:
            self._forget_gone(file, now)
            for name in receivers:
                file.execute("INSERT OR IGNORE INTO receiver (name) VALUES (?)", (name,))
                file.execute(
                    """INSERT OR IGNORE INTO delivery (receiver, alert, number, status, waiting_since)
                    SELECT ?, key, number, 'waiting', ? FROM alert WHERE is_open""",
                    (name, now),
                )
                back = "SELECT key, alert.number FROM delivery JOIN alert ON key = alert WHERE receiver = ? AND "
                for row in file.execute(f"{back} delivery.number < alert.number", (name,)).fetchall():
                    self._wait(file, name, row["key"], row["number"], now)  # told to others meanwhile
            file.execute("UPDATE receiver SET gone_at = coalesce(gone_at, ?)", (now,))
            file.executemany("UPDATE receiver SET gone_at = NULL WHERE name = ?", [(name,) for name in receivers])

    @staticmethod
    def _forget_gone(file: sqlite3.Connection, now: float) -> None:
        """Forget receivers that are gone for long, and what they lack."""
        gone = "SELECT name FROM receiver WHERE gone_at <= :before"
        for table, column in (("delivery", "receiver"), ("receiver", "name")):
            file.execute(f"DELETE FROM {table} WHERE {column} IN ({gone})", {"before": now - GONE_KEPT_S})  # noqa: S608

    def try_at_once(self, receiver: str) -> None:
        """End the pause after a failure."""
        with self.transaction() as file:
            file.execute("UPDATE receiver SET tries = 0, next_at = 0 WHERE name = ?", (receiver,))
            file.execute("UPDATE delivery SET tries = 0, next_at = 0 WHERE receiver = ?", (receiver,))

    def _clock_was_set_back(self, receiver: str, now: float) -> None:
        """End pauses: one of a second would last until the clock is where it was."""
        with self.transaction() as file:
            file.execute("UPDATE receiver SET error_at = ? WHERE name = ?", (now, receiver))
        self.try_at_once(receiver)

    @staticmethod
    def _wait(file: sqlite3.Connection, receiver: str, alert: str, number: int, now: float) -> None:
        file.execute(
            """INSERT INTO delivery (receiver, alert, number, status, waiting_since) VALUES (?, ?, ?, 'waiting', ?)
            ON CONFLICT DO UPDATE SET number = excluded.number, status = 'waiting', tries = 0, next_at = 0,
              error = NULL, waiting_since = iif(status = 'waiting', waiting_since, excluded.waiting_since)""",
            (receiver, alert, number, now),
        )

    @staticmethod
    def _give_up_oldest(file: sqlite3.Connection, receivers: Sequence[str]) -> None:
        for receiver in receivers:
            file.execute(
                """UPDATE delivery SET status = 'given up' WHERE receiver = :receiver AND alert IN (
                  SELECT alert FROM delivery JOIN alert ON alert.key = delivery.alert
                  WHERE receiver = :receiver AND status = 'waiting'
                  ORDER BY alert.is_open DESC, delivery.number DESC LIMIT -1 OFFSET :most
                )""",
                {"receiver": receiver, "most": MOST_WAITING},
            )

    @staticmethod
    def _prune(file: sqlite3.Connection, now: float) -> None:
        file.execute(
            """DELETE FROM alert WHERE kind = 'incident' AND NOT is_open AND at < :until AND NOT EXISTS (
              SELECT 1 FROM delivery WHERE delivery.alert = alert.key AND status = 'waiting')""",
            {"until": now - KEPT_S},
        )
        file.execute("DELETE FROM delivery WHERE alert NOT IN (SELECT key FROM alert)")
        file.execute(
            """DELETE FROM message WHERE number NOT IN (SELECT number FROM alert) AND number NOT IN (
              SELECT number FROM delivery UNION ALL SELECT sent_number FROM delivery WHERE sent_number IS NOT NULL)"""
        )

    # --- sending

    def due(self, receiver: str, now: float, *, repeat_s: float | None = None) -> Due | None:
        """The oldest message that the receiver should get now.

        A silenced one waits; it is dropped if its alert is over and the receiver never heard of it.

        Args:
            repeat_s: deliver open alerts again after so long; None: only once.
        """
        at = {"receiver": receiver, "now": now}
        if self.rows("SELECT 1 FROM receiver WHERE name = :receiver AND error_at > :now", **at):
            self._clock_was_set_back(receiver, now)
        if self.rows("SELECT 1 FROM receiver WHERE name = :receiver AND next_at > :now", **at):
            return None
        waiting = """FROM delivery JOIN message USING (number)
            WHERE receiver = :receiver AND status = 'waiting' AND next_at <= :now AND"""
        over = f"event = 'resolved' AND NOT sent_open AND {_SILENCED}"
        if self.rows(f"SELECT 1 {waiting} {over} LIMIT 1", **at):
            with self.transaction() as file:
                file.execute(
                    f"""UPDATE delivery SET status = 'silenced' WHERE receiver = :receiver AND number IN (
                      SELECT number {waiting} {over})""",  # noqa: S608
                    at,
                )
        found = self.rows(
            f"""SELECT message.*, tries {waiting} ((event = 'resolved' AND sent_open) OR NOT {_SILENCED})
            ORDER BY number LIMIT 1""",
            **at,
        )
        if found:
            tries = found[0].pop("tries")
            return Due(_message(found[0]), tries)
        if repeat_s is None:
            return None
        found = self.rows(
            """SELECT message.*, tries FROM delivery JOIN message ON message.number = sent_number
            WHERE receiver = :receiver AND sent_open AND next_at <= :now AND (sent_at <= :before OR sent_at > :now)
            ORDER BY sent_at LIMIT 1""",
            **at,
            before=now - repeat_s,
        )
        if not found:
            return None
        tries = found[0].pop("tries")
        return Due(_message(found[0]), tries, again=True)

    def delivered(self, receiver: str, message: Message, now: float) -> None:
        """Note that a receiver has a message. A newer one of its alert that came meanwhile still waits."""
        with self.transaction() as file:
            file.execute(
                """UPDATE delivery SET sent_number = :number, sent_open = :is_open, sent_at = :now, waiting_since = iif(
                  sent_number = :number, waiting_since, (SELECT at FROM alert WHERE key = delivery.alert))
                WHERE receiver = :receiver AND alert = :alert""",
                {"number": message.number, "is_open": message.is_open, "now": now, "receiver": receiver,
                 "alert": message.alert},
            )  # fmt: skip
            file.execute(
                """UPDATE delivery SET status = 'delivered', tries = 0, next_at = 0, error = NULL, waiting_since = NULL
                WHERE receiver = ? AND alert = ? AND number = ?""",
                (receiver, message.alert, message.number),
            )
            file.execute(
                "UPDATE receiver SET tries = 0, next_at = 0, delivered_at = ?, error = NULL WHERE name = ?",
                (now, receiver),
            )

    def refused(self, receiver: str, message: Message, reason: str, *, now: float, next_at: float) -> None:
        """Note that a receiver rejects a message, new or repeated; it is tried again and does not delay others."""
        with self.transaction() as file:
            file.execute(
                """UPDATE delivery SET tries = tries + 1, next_at = ?, error = ?
                WHERE receiver = ? AND alert = ? AND ? IN (number, sent_number)""",
                (next_at, reason, receiver, message.alert, message.number),
            )
            file.execute("UPDATE receiver SET error = ?, error_at = ? WHERE name = ?", (reason, now, receiver))

    def down(self, receiver: str, reason: str, *, now: float, next_at: float) -> None:
        """Note that a receiver cannot be reached, or asks us to wait; nothing is sent to it until ``next_at``."""
        with self.transaction() as file:
            file.execute(
                "UPDATE receiver SET tries = tries + 1, next_at = ?, error = ?, error_at = ? WHERE name = ?",
                (next_at, reason, now, receiver),
            )

    def tries(self, receiver: str) -> int:
        """How often in a row the receiver could not be reached."""
        found = self.rows("SELECT tries FROM receiver WHERE name = :receiver", receiver=receiver)
        return int(found[0]["tries"]) if found else 0

    # --- listing

    def receivers(self, now: float) -> list[dict[str, Any]]:
        """The state of each receiver that is served.

        Returns:
            name, delivered_at, waiting (alerts), silenced (of those), oldest_at (since when the receiver
            lacks news, of those not silenced; None where nothing waits), error, error_at; times in seconds since 1970.
        """
        return self.rows(
            f"""SELECT receiver.name, delivered_at, receiver.error, error_at, count(w.number) AS waiting,
              coalesce(sum(w.silenced), 0) AS silenced, min(iif(w.silenced, NULL, w.since)) AS oldest_at
            FROM receiver LEFT JOIN (
              SELECT delivery.receiver, delivery.number, coalesce(waiting_since, alert.at) AS since,
                {_SILENCED} AS silenced
              FROM delivery JOIN message USING (number) JOIN alert ON alert.key = delivery.alert
              WHERE status = 'waiting'
            ) w ON w.receiver = receiver.name
            WHERE gone_at IS NULL GROUP BY receiver.name ORDER BY receiver.name""",  # noqa: S608 - a constant of this file
            now=now,
        )

    def deliveries(self, now: float) -> list[dict[str, Any]]:
        """The state of each alert's newest message at each receiver, newest first; silenced while a silence holds."""
        return self.rows(
            f"""SELECT delivery.receiver, message.alert, message.message_id, message.sequence, message.event,
              message.body, alert.at, delivery.tries, delivery.error, sent_at,
              CASE WHEN status = 'waiting' AND {_SILENCED} THEN 'silenced' ELSE status END AS status
            FROM delivery JOIN message USING (number) JOIN alert ON alert.key = delivery.alert
              JOIN receiver ON receiver.name = delivery.receiver AND gone_at IS NULL
            ORDER BY delivery.number DESC, delivery.receiver""",  # noqa: S608 - a constant of this file
            now=now,
        )

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """The answer of a query, as dicts."""
        with self._lock:
            return [dict(row) for row in self._file.execute(query, values).fetchall()]

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction, on disk when it ends."""
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield self._file
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise


def _message(row: Mapping[str, Any]) -> Message:
    return Message(
        row["number"], row["message_id"], row["alert"], row["sequence"], Event(row["event"]), row["update_id"],
        row["body"],
    )  # fmt: skip
