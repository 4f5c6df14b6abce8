"""Names of batches in the logs of tables, by which a batch is committed once however often it is tried.

The log remembers a name for ever, unless its writer retires it. A collector commits every second: within a month
millions of names would be in each checkpoint, and read by all who open the table.
"""

from __future__ import annotations

from collections import defaultdict

# Property of each table that lets a checkpoint leave out names older than this. A name without a time has no age.
RETENTION = {"delta.setTransactionRetentionDuration": "interval 1 days"}

_LONG_AGO_MS = 0


class BatchNames:
    """The names under which one writer has appended to the tables of a lake. Not for two threads at once."""

    def __init__(self) -> None:
        self._tables: dict[str, set[str]] = defaultdict(set)  # that a batch is in
        self._retired: dict[str, list[str]] = defaultdict(list)  # batches, by table

    def retire(self, batch_id: str) -> None:
        """Note that a batch will never be tried again."""
        for table in self._tables.pop(batch_id, set()):
            self._retired[table].append(batch_id)

    def retired(self, table: str) -> list[tuple[str, int, int]]:
        """The names that the next commit makes the log of a table forget, each with a number and a time of long ago."""
        return [(name, 0, _LONG_AGO_MS) for name in self._retired[table]]

    def committed(self, table: str, batch_id: str) -> None:
        """Note that a commit was made, of this batch, and with what was retired."""
        self._tables[batch_id].add(table)
        self._retired.pop(table, None)
