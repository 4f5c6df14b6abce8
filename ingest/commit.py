"""From a batch on the workbench to the lake: what is new, what is a duplicate, what is put aside.

The quarantine and the tables of records are committed first and the batch's entry in the books last, each
exactly once under the batch's id; readers see the batch from then on. A load that was killed anywhere in between
does the rest when it is run again: rows of its own earlier try count as its own. A batch that is in the books is not
judged again, so its counts stay those of the day it was loaded.

A record that an unfinished batch has stored is a duplicate here. As that batch may never be finished, the entry in the
books names it, which makes its rows visible as well.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.records import COLUMNS, FROM_QUARANTINE, Kind
from fleetcrash.store import Lake
from fleetcrash.store.workbench import Workbench
from fleetcrash.times import instant_at
from ingest.arrival import Arrival, Given, LaidOut, as_numbers, counted_from, from_numbers, one_of, repeated
from ingest.known_keys import KnownKeys
from ingest.report import Counts
from ingest.rules import filled, judge, key_columns, quoted, same_key, standing
from ingest.stamped import without_repetitions

_REFUSED_AT_ONCE = 250_000  # rows joined with their bytes at a time; DuckDB holds several copies of both


@dataclass(frozen=True)
class Judged:
    """One batch, judged by the rules and not yet compared with the lake.

    Attributes:
        counts: read, unknown fields and quarantined; complete for a batch that is in the books.
        tables: by kind, the rows of ``sql/judged.sql``.
        refused: rows for the quarantine; None: there are none.
        in_books: the batch was committed before; there is nothing to commit.
    """

    batch_id: str
    source: str
    counts: Counts
    tables: Mapping[Kind, pa.Table]
    refused: pa.Table | None = None
    in_books: bool = False


@dataclass(frozen=True)
class Retaken:
    """Records that were put aside, and were judged again.

    Attributes:
        counts: of those that are valid now; what is refused again is not counted.
        batch_id: the batch in which the lake has them.
        lines: their lines in the arrival.
    """

    counts: Counts
    batch_id: str
    lines: list[int]


@dataclass(frozen=True)
class _Stored:
    """What became of the valid records of one kind.

    Attributes:
        new: how many are new to the lake; duplicates: the others.
        leans_on: unfinished batches that hold some of the duplicates.
    """

    new: int = 0
    duplicates: int = 0
    leans_on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Contested:
    """The valid records of one kind that have the key of others, in the lake or in their batch.

    Attributes:
        not_new: how many of them are not new to the lake.
        not_stored: lines of those that another record stands before; None: nothing is contested.
        unfinished: batches of the lake that hold some of the others and are not in the books.
    """

    not_new: int = 0
    not_stored: pa.ChunkedArray | None = None
    unfinished: frozenset[str] = frozenset()


class Intake:
    """Takes batches into a lake. Not for two threads at once.

    One intake may judge a batch while another one, on a lake and a workbench of its own, commits the batch before.

    Args:
        lake: the lake to write.
        bench: the workbench to judge on; its temporary tables are replaced with each batch.
        now: aware; the clock by which records are judged.
        loaded_at: aware; our clock, if it differs because a replay is judged by that of the fleet; None: ``now``.
        known: known keys of the lake; shared by intakes whose batches are committed one after the other.
    """

    def __init__(
        self,
        lake: Lake,
        bench: Workbench,
        *,
        now: datetime,
        loaded_at: datetime | None = None,
        known: KnownKeys | None = None,
    ) -> None:
        self._lake = lake
        self._bench = bench
        self._now = now
        self._loaded_at = loaded_at or now
        self._known = known or KnownKeys()
        bench.run(filled("macros"))

    def take(self, arrival: Arrival) -> Counts:
        """Judge and commit one batch. Returns once it is on disk.

        Raises:
            LakeError: the lake cannot be read or written; the same load, run again, completes the batch.
        """
        return self.commit(self.judge(arrival))

    def judge(self, arrival: Arrival) -> Judged:
        """Apply the rules to one batch. The lake is not changed.

        Raises:
            LakeError: the lake cannot be read.
        """
        laid_out, tables = self._judged(arrival, now=self._clock_of(arrival.batch_id))
        if self._lake.committed("batch", arrival.batch_id):
            known = self._taken_before(arrival.batch_id, laid_out, self._reasons(laid_out, tables))
            return Judged(arrival.batch_id, arrival.source, known, {}, in_books=True)
        refused = self._put_aside(arrival, laid_out, tables)
        reasons = {} if refused is None else _counted(refused["reason"])
        counts = Counts(laid_out.read, 0, 0, sum(reasons.values()), reasons, laid_out.unknown_fields)
        return Judged(arrival.batch_id, arrival.source, counts, tables, refused)

    def without_known_aside(self, judged_batch: Judged, *, but_of: str) -> Judged:
        """A batch without refused rows that are in the quarantine, by source, line and bytes. They stay counted.

        A file or a folder that has grown makes different batches, with many of the same records.

        Args:
            but_of: a source name for which this is not done, as different sources have it (stdin).
        Raises:
            LakeError: the lake cannot be read.
        """
        refused, bench = judged_batch.refused, self._bench
        if refused is None or not bench.lake_view("quarantine"):
            return judged_batch
        bench.lake_view("batch")
        places = counted_from(0, len(refused))
        bench.register("refused", refused.select(["source", "line", "raw"]).append_column("place", places))
        known = bench.table(filled("known_aside"), but_of=but_of)["place"]
        bench.unregister("refused")
        if not len(known):
            return judged_batch
        others = refused.filter(pc.invert(pc.is_in(places, value_set=known.combine_chunks())))
        return replace(judged_batch, refused=others if len(others) else None)

    def commit(self, judged_batch: Judged) -> Counts:
        """Put aside what was refused, store what is new, and enter the batch in the books.

        Raises:
            LakeError: the lake cannot be read or written; the same load, run again, completes the batch.
        """
        if judged_batch.in_books:
            return judged_batch.counts
        if judged_batch.refused is not None:
            self._lake.append("quarantine", judged_batch.refused, batch_id=judged_batch.batch_id)
        return self._commit_sound(
            judged_batch.tables, judged_batch.counts, batch_id=judged_batch.batch_id, source=judged_batch.source
        )

    def retake(self, arrival: Arrival, *, stamped_at: datetime | None = None) -> Retaken:
        """Judge records that were put aside again, and commit those that are valid now.

        Args:
            stamped_at: our clock, if the records carry it, by which they are judged; None: they carry that of senders.
        Raises:
            LakeError: the lake cannot be read or written; the same replay, run again, completes it.
        """
        laid_out, tables = self._judged(arrival, now=stamped_at or self._now)
        lines = [
            line for rows in tables.values() for line in rows.filter(pc.is_null(rows["reason"]))["line"].to_pylist()
        ]
        # Named by what it takes in, as the next replay of the same batch may take in more. The same bytes without our
        # clock are other records; with it they are the same at any time, so that a killed replay can be completed.
        what = "replay" if stamped_at is None else "replay, stamped"
        batch_id = hashlib.sha256(f"{what}\n{arrival.batch_id}\n{sorted(lines)}".encode()).hexdigest()
        if not lines:
            return Retaken(Counts(), batch_id, [])
        if self._lake.committed("batch", batch_id):
            return Retaken(self._taken_before(batch_id, laid_out, {}), batch_id, lines)
        if stamped_at is not None:
            tables = dict(without_repetitions(self._bench, tables, batch_id=batch_id))
        counts = self._commit_sound(
            tables, Counts(read=len(lines)), batch_id=batch_id, source=f"{FROM_QUARANTINE}{arrival.source}"
        )
        return Retaken(counts, batch_id, lines)

    def _judged(self, arrival: Arrival, *, now: datetime) -> tuple[LaidOut, dict[Kind, pa.Table]]:
        """Judge the plain records, then the others."""
        plain = arrival.plain(self._bench)
        of_plain = self._by_kind(plain, now=now)
        laid_out = arrival.lay_out(self._bench, [rows["line"] for rows in of_plain.values()])
        of_others = self._by_kind(laid_out.kinds, now=now)
        tables = {
            kind: pa.concat_tables([rows[kind] for rows in (of_plain, of_others) if kind in rows])
            for kind in sorted({*of_plain, *of_others})
        }
        return replace(laid_out, kinds={**plain, **laid_out.kinds}), tables

    def _by_kind(self, kinds: Mapping[Kind, Given], *, now: datetime) -> dict[Kind, pa.Table]:
        return {kind: judge(self._bench, kind, given, now=now) for kind, given in kinds.items()}

    def _commit_sound(self, tables: Mapping[Kind, pa.Table], counts: Counts, *, batch_id: str, source: str) -> Counts:
        """Store the valid records, and enter the batch in the books."""
        stored = [self._commit_kind(kind, rows, batch_id) for kind, rows in tables.items()]
        new, duplicates = sum(one.new for one in stored), sum(one.duplicates for one in stored)
        leans_on = frozenset[str]().union(*(one.leans_on for one in stored))
        counts = replace(counts, accepted=new, duplicates=duplicates)
        if not self._commit_entry(counts, batch_id=batch_id, source=source, leans_on=leans_on):
            # Another process, which counts them, was first.
            return replace(counts, accepted=0, duplicates=new + duplicates)
        return counts

    def _clock_of(self, batch_id: str) -> datetime:
        """Our clock at the first try of a batch, at which records were put aside as too far in the future.

        A second try with a later clock would accept them, and find their table already committed.
        """
        if not self._lake.committed("quarantine", batch_id):
            return self._now
        self._bench.lake_view("quarantine")
        found = self._bench.rows(filled("clock_of_batch"), batch_id=batch_id)
        return instant_at(found[0]["known_us"]) if found else self._now

    def _commit_kind(self, kind: Kind, rows: pa.Table, batch_id: str) -> _Stored:
        """Store the new ones of the judged rows of a kind."""
        is_stored = pc.is_null(rows["reason"])
        hashes = np.sort(from_numbers(rows["key_hash"].filter(is_stored)))
        if not len(hashes):
            return _Stored()
        contested = self._contested(kind, rows, hashes, batch_id)
        if contested.not_stored is not None:
            is_stored = pc.and_not(is_stored, pc.is_in(rows["line"], value_set=contested.not_stored))
        stored = rows.select([*(column.name for column in COLUMNS[kind]), "known_at"])
        if len(rows) > pc.sum(is_stored).as_py():
            stored = stored.filter(is_stored)
        if len(stored):
            stored = stored.append_column("batch_id", repeated(batch_id, len(stored)))
            if self._lake.append(kind.value, stored, batch_id=batch_id):
                self._known.bring(kind, batch_id, hashes)
        return _Stored(len(hashes) - contested.not_new, contested.not_new, contested.unfinished)

    def _contested(self, kind: Kind, rows: pa.Table, hashes: npt.NDArray[np.int64], batch_id: str) -> _Contested:
        """Compare the valid rows that have the key of a row in the lake, or of another in the batch.

        Args:
            hashes: of the keys of all valid rows, sorted.
        """
        bench = self._bench
        # Hashes only narrow the search; standings.sql compares the keys themselves, for rows with such a hash.
        in_lake = self._known.among(bench, kind, hashes, self._lake.files(kind.value))
        contested = np.concatenate([in_lake, hashes[1:][hashes[1:] == hashes[:-1]]])
        if not len(contested):
            return _Contested()
        # Whole rows are compared, so that every column is read for these few only.
        claims = rows.filter(pc.is_in(rows["key_hash"], value_set=as_numbers(contested).view(pa.uint64())))
        bench.register("claims", claims)
        any_in_lake = len(in_lake) > 0
        bench.lake_view(kind.value, None if any_in_lake else [])  # the table is large, and whole rows are compared
        standings = filled(
            "standings",
            lake=f"lake_{kind.value}",
            same_key=same_key(kind),
            key=", ".join(map(quoted, key_columns(kind))),
            standing=standing(kind),
        )
        bench.run(standings, batch_id=batch_id)
        not_new: int = bench.rows(filled("standing_count"))[0]["not_new"]
        not_stored = bench.table(filled("not_stored"))["line"]
        unfinished: list[dict[str, str]] = []
        if any_in_lake:
            bench.lake_view("batch")
            unfinished = bench.rows(filled("unfinished"))
        return _Contested(not_new, not_stored, frozenset(row["batch_id"] for row in unfinished))

    def _put_aside(self, arrival: Arrival, laid_out: LaidOut, tables: Mapping[Kind, pa.Table]) -> pa.Table | None:
        """The refused records with their bytes, as rows of the quarantine; None: there are none."""
        bench, strangers = self._bench, laid_out.strangers
        refused = [
            (laid_out.kinds[kind], rows.select(["line", "reason"]).filter(pc.is_valid(rows["reason"])))
            for kind, rows in tables.items()
        ]
        if strangers is not None:
            refused.append((strangers, bench.table(strangers.fields, **strangers.parameters)))
        by_raw: dict[str, tuple[Given, list[pa.Table]]] = {}
        for given, lines in refused:
            if len(lines):  # else the raw bytes are not needed
                by_raw.setdefault(given.raw, (given, []))[1].append(lines)
        parts = []
        for given, lines in by_raw.values():
            together = pa.concat_tables(lines)
            for start in range(0, len(together), _REFUSED_AT_ONCE):
                bench.register("refused", together.slice(start, _REFUSED_AT_ONCE))
                rows = bench.table(filled("quarantine_rows", raw=given.raw), now=self._now, **given.raw_parameters)
                parts.append(rows)
        if not parts:
            return None
        rows = pa.concat_tables(parts)
        # Two million lines of junk fit into a body of 8 MiB; the names of their source alone would take 100 MiB.
        for name, text in (("source", arrival.source), ("batch_id", arrival.batch_id)):
            rows = rows.append_column(name, one_of([text], np.zeros(len(rows), np.int32)))
        return rows

    def _commit_entry(self, counts: Counts, *, batch_id: str, source: str, leans_on: Set[str]) -> bool:
        """Enter a batch in the books; False: it is there already."""
        rows = self._bench.table(
            filled("batch_row"),
            batch_id=batch_id,
            source=source,
            read=counts.read,
            accepted=counts.accepted,
            duplicates=counts.duplicates,
            quarantined=counts.quarantined,
            loaded_at=self._loaded_at,
            leans_on=sorted(leans_on),
        )
        return self._lake.append("batch", rows, batch_id=batch_id)

    def _reasons(self, laid_out: LaidOut, tables: Mapping[Kind, pa.Table]) -> Mapping[str, int]:
        """How many records are refused for which reason."""
        told = [rows["reason"].drop_null() for rows in tables.values()]
        if laid_out.strangers is not None:
            told.append(self._bench.table(laid_out.strangers.fields, **laid_out.strangers.parameters)["reason"])
        return dict(sum((Counter(_counted(reasons)) for reasons in told), Counter()))

    def _taken_before(self, batch_id: str, laid_out: LaidOut, reasons: Mapping[str, int]) -> Counts:
        """The counts of a batch that is in the books: what was accepted then is a duplicate now.

        Args:
            reasons: by the present rules. If rules or clock were others then, the quarantine has the reasons; it may
                lack some, of hosts that were forgotten since or that an earlier batch had put aside.
        """
        self._bench.lake_view("batch")
        entry = self._bench.rows(filled("batch_entry"), batch_id=batch_id)[0]
        if sum(reasons.values()) != entry["quarantined"]:
            self._bench.lake_view("quarantine")
            then = self._bench.rows(filled("reasons_of_batch"), batch_id=batch_id)
            reasons = {row["reason"]: row["refused"] for row in then}
        return Counts(
            entry["read"], 0, entry["accepted"] + entry["duplicates"], entry["quarantined"], dict(reasons),
            laid_out.unknown_fields,
        )  # fmt: skip


def _counted(reasons: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in reasons.value_counts().to_pylist()}
