"""The quarantine: records that were put aside, and taking them in once the rules accept them.

A record stays in the quarantine for ever, with its raw bytes; one that a replay has taken in is marked, and is neither
listed nor replayed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import PurePath
from time import perf_counter

import pyarrow as pa

from fleetcrash.documents import JSON
from fleetcrash.errors import BadArgument
from fleetcrash.records import COLLECTOR
from fleetcrash.store import Engine, Lake
from fleetcrash.store.workbench import Workbench
from fleetcrash.terminal import readable
from fleetcrash.times import instant_at, time_text
from ingest import csv_rows, ndjson, tables
from ingest.arrival import Arrival, repeated
from ingest.commit import Intake
from ingest.load import aware
from ingest.reasons import wanted_by_reason
from ingest.report import Counts, LoadReport
from ingest.rules import filled
from ingest.stamped import Stamped

SCHEMA = 1
SAMPLE_BYTES = 400

# When what a replay has taken in is marked, by records and their bytes: the files that hold some are written anew, and
# after a compaction each holds many batches, as of a collector that puts aside one a second.
_MARKED_RECORDS, _MARKED_BYTES = 100_000, 32 << 20


def listed(lake: Lake, *, samples: int = 3) -> JSON:
    """The records put aside: for each reason how many from how many sources, and the newest of them.

    Args:
        samples: records to show for each reason; at most SAMPLE_BYTES of each.
    Raises:
        LakeError: the lake cannot be read.
    """
    with Engine(lake) as engine:
        reasons = engine.rows("quarantine_by_reason")
        for row in reasons:
            shown = engine.rows("quarantine_samples", reason=row["reason"], samples=samples, bytes=SAMPLE_BYTES)
            row["samples"] = [
                {**one, "raw": readable(one["raw"]), "known_at": time_text(one["known_at"])} for one in shown
            ]
            row["last_at"] = time_text(row["last_at"])
    return {"schema": SCHEMA, "quarantined": sum(row["records"] for row in reasons), "reasons": reasons}


def replay(
    lake: Lake, *, now: datetime, reason: str | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[LoadReport, int]:
    """Judge records that were put aside again, and take in those that the rules accept now.

    A record from a collector is known from this replay on: it did not count before, and its sender's ``received_at`` is
    not trusted, as at the door. One that was loaded, or came to a collector with ``--replay``, keeps its own.

    Args:
        now: our clock, aware.
        reason: only records that were put aside for it.
        progress: called before each batch with how many are done, and how many there are.
    Returns:
        The report of what was taken in (read = accepted + duplicates), and how many records stay.
    Raises:
        LakeError: the lake cannot be read or written; the same replay, run again, completes it.
        BadArgument: ``now`` has no offset, or nothing was ever put aside for such a reason.
    """
    started = perf_counter()
    if reason is not None and reason not in wanted_by_reason():
        _check_held(lake, reason)
    lake.check_writable()
    counts, stay, sources = Counts(), 0, []
    marks = _Marks(lake)
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=aware(now))
        bench.lake_view("quarantine")
        bench.lake_view("batch")
        batches = bench.rows(filled("batches_put_aside"), reason=reason, stamped_source=COLLECTOR)
        for place, batch in enumerate(batches):
            if progress is not None:
                progress(place, len(batches))
            if not batch["is_booked"]:  # its source is unknown; whoever finishes the batch judges its records
                stay += batch["records"]
                continue
            stamped_at = None
            if batch["is_stamped"]:
                # The machine's clock may have been set back since; that of the door never goes back.
                stamped_at = max(now, instant_at(batch["put_aside_us"]))
            aside = bench.table(filled("put_aside"), reason=reason, batch_id=batch["batch_id"])
            if not len(aside):  # its host has just been forgotten
                continue
            stay += len(aside)
            for arrival, places in _arrivals(aside, stamped_at=stamped_at):
                taken = intake.retake(arrival, stamped_at=stamped_at)
                counts += taken.counts
                stay -= len(taken.lines)
                if taken.lines:
                    sources.append(arrival.source)
                    marks.add(aside.take([places[line] for line in taken.lines]), replayed_by=taken.batch_id)
            if marks.are_many:  # of whole batches: after a kill a replay finds by name what it took in of the same ones
                marks.write()
                bench.lake_view("quarantine")
        marks.write()
    return LoadReport.of(counts, sorted(set(sources)), seconds=perf_counter() - started), stay


class _Marks:
    """Marks of records that were taken in and are not marked in the quarantine yet."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._rows: list[pa.Table] = []
        self._records = self._held_bytes = 0

    @property
    def are_many(self) -> bool:
        return self._records >= _MARKED_RECORDS or self._held_bytes >= _MARKED_BYTES

    def add(self, aside: pa.Table, *, replayed_by: str) -> None:
        """Add some rows of the quarantine; see ``Lake.mark_replayed``."""
        rows = aside.select(["batch_id", "line", "raw"])
        rows = rows.append_column("replayed_by", repeated(replayed_by, len(rows)))
        self._rows.append(rows)
        self._records += len(rows)
        self._held_bytes += rows.nbytes

    def write(self) -> None:
        """Mark the records."""
        if self._rows:
            self._lake.mark_replayed(pa.concat_tables(self._rows))
        self._rows, self._records, self._held_bytes = [], 0, 0


def _check_held(lake: Lake, reason: str) -> None:
    with Engine(lake) as engine:
        held = [row["reason"] for row in engine.rows("quarantine_by_reason")]
    if reason not in held:
        there = ", ".join(held) or "nothing"
        raise BadArgument(f"There is no reason {reason!r}. Nothing was taken in. The quarantine holds: {there}.")


def _arrivals(aside: pa.Table, *, stamped_at: datetime | None) -> Iterator[tuple[Arrival, Mapping[int, int]]]:
    """Records that were put aside, in their original form, and the row of ``aside`` that each line is.

    A row of CSV was put aside with its header, and only such a record contains a newline; the file's name does not say
    it, as Windows' lists of events end in .csv as well and their crashes are lines. Each row is read by itself: one
    with an open quote stays in the quarantine.

    Args:
        aside: rows of the quarantine, of one batch, whose records all have one form.
        stamped_at: our clock, to put into records that came over the network; None: they keep that of their senders.
    """
    source: str = aside["source"][0].as_py()
    raws: list[bytes] = aside["raw"].to_pylist()
    if stamped_at is not None or b"\n" not in raws[0]:
        places = {place + 1: place for place in range(len(raws))}
        for lines in ndjson.batches([b"".join(raw + b"\n" for raw in raws)], source):
            yield (lines if stamped_at is None else Stamped.at(stamped_at, lines)), places
        return
    named = tables.named_kind(PurePath(source))
    for header, rows in groupby(enumerate(raws), key=lambda row: _csv_header(row[1])):
        stream, places, line = [header], {}, header.count(b"\n") + 2
        for place, raw in rows:
            record = raw[len(header) + 1 :]
            if record.count(b'"') % 2:
                continue  # not a row by itself; in a stream its open quote would extend into the next rows
            places[line] = place
            stream.append(record)
            line += record.count(b"\n") + 1
        for batch in csv_rows.batches([b"\n".join(stream)], source, named=named):
            yield batch, places


def _csv_header(raw: bytes) -> bytes:
    """The header with which a row of CSV was put aside: the first line, or more if a newline is in quotes."""
    end = raw.find(b"\n")
    while end >= 0 and raw.count(b'"', 0, end) % 2:
        end = raw.find(b"\n", end + 1)
    return raw if end < 0 else raw[:end]
