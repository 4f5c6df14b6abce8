"""What the books of a lake say, and whether they agree with its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from fleetcrash.records import BATCH_ID
from fleetcrash.store.findings import Finding, broken, note
from fleetcrash.store.lake import Lake
from fleetcrash.store.workbench import Workbench

_NAMED_AT_MOST = 5  # batches in one finding


@dataclass
class Batches:
    """What the rows of the tables say about batches."""

    written: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    booked: set[str] = field(default_factory=set)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def count(self, batch: pa.RecordBatch, table: str) -> None:
        """Take note of some rows of a table."""
        if BATCH_ID.name not in batch.schema.names:
            return
        if table == "batch":
            entries = batch.select([name for name in batch.schema.names if name != "source"]).to_pylist()
            self.entries += entries
            for entry in entries:
                self.booked.update([entry["batch_id"]], entry.get("leans_on") or ())
            return
        counts = {one["values"]: one["counts"] for one in batch[BATCH_ID.name].value_counts().to_pylist()}
        counts.pop(None, None)  # rows of no batch, which all may see
        self.written.update(counts)
        if table == "quarantine":
            self.quarantined.update(counts)


def sources(lake: Lake) -> dict[str, str | None]:
    """The source of each batch in the books; None where they do not name one.

    Raises:
        LakeError: the books are not there or cannot be read.
    """
    with Workbench(lake) as bench:
        bench.lake_view("batch")
        return {row["batch_id"]: row["source"] for row in bench.rows("SELECT batch_id, source FROM lake_batch")}


def in_the_books(lake: Lake, rows: Batches) -> Iterator[Finding]:
    """Unfinished batches, and books that do not add up."""
    unfinished = sorted(set(rows.written) - rows.booked)
    if unfinished:
        yield note(
            lake.root,
            f"{len(unfinished)} batch(es) are not in the books, with {sum(rows.written[one] for one in unfinished):,} "
            f"rows: {_some(unfinished)}.",
            "A load was cut short, or is under way. Nobody sees these rows.",
            "Load the same source again to finish it; which one it was is not known.",
        )
    wrong = [entry["batch_id"] for entry in rows.entries if not _adds_up(entry)]
    if wrong:
        yield broken(
            lake.folder("batch"),
            f"In {len(wrong)} entries of the books, read is not accepted + duplicates + quarantined: {_some(wrong)}.",
            "Counts of these loads cannot be trusted. Their rows are not concerned.",
            "Please report it; this is a fault of ours.",
        )
    told = {entry["batch_id"]: entry.get("quarantined") for entry in rows.entries}
    more = sorted(one for one, count in told.items() if count is not None and rows.quarantined[one] > count)
    if more:
        yield broken(
            lake.folder("quarantine"),
            f"More rows are in the quarantine than the books say of {len(more)} batch(es): {_some(more)}.",
            "Records were put aside twice, or the books are wrong.",
            "Please report it; this is a fault of ours.",
        )
    fewer = sorted(one for one, count in told.items() if count is not None and rows.quarantined[one] < count)
    if fewer:
        yield note(
            lake.folder("quarantine"),
            f"Fewer rows are in the quarantine than the books say of {len(fewer)} batch(es): {_some(fewer)}.",
            "So it is after `fleetcrash forget` has removed a host's, and where a file or folder was loaded again that "
            "had grown: what it had put aside before is not put aside twice. Else rows are lost.",
            "Nothing after either; else load the sources of these batches into a new lake.",
        )


def _adds_up(entry: dict[str, Any]) -> bool:
    counts = [entry.get(name) for name in ("read", "accepted", "duplicates", "quarantined")]
    known = [count for count in counts if count is not None]
    return len(known) < len(counts) or known[0] == sum(known[1:])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more
