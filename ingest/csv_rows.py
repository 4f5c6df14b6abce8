"""CSV: one record per row under a header, one kind per file, given by a ``record`` column or else by the file's name.

An empty field is null, in quotes or not. Cells become columns of text without a Python loop over them, and are handled
like the rows of a Parquet file from there on.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.errors import UnreadableSource
from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store.workbench import Workbench
from ingest import csv_records, tables
from ingest.arrival import Given, LaidOut, as_numbers, as_texts, as_they_came, counted_from, parts_of
from ingest.bits import Data, is_utf8
from ingest.columns import shaped_cells
from ingest.csv_header import Header, header_of, known_places
from ingest.csv_records import Fields, Flags, Places, Records, Text
from ingest.rules import NOT_CSV, TOO_LONG, UNKNOWN_RECORD, filled
from ingest.streams import LONGEST_LINE_BYTES, Cut, parts

# Some 80,000 crashes; more at once would not be faster, and would take more memory.
BATCH_BYTES = 32 << 20

# A record is held in memory until its end is seen, and searched again with each block. A longer one has a quote that is
# never closed.
LONGEST_HELD_BYTES = 64 << 20

# How much the quarantine may take from a batch of which every row is refused: each is put aside with the header. It
# bounds a batch to some 500,000 rows, fewer with a long header.
PUT_ASIDE_BYTES = 128 << 20

_BLANK = list(b" \t\r\n")
_ROW_BYTES = 128  # about what a row that is put aside takes besides its header
_REASONS = ("", NOT_CSV, TOO_LONG)  # why a record is refused for its form, by number


@dataclass(frozen=True)
class Rows:
    """The records of one batch; see ``ingest.arrival.Arrival``.

    Attributes:
        data, records: the bytes, and the records within them.
        first_line: number of the line at which ``data`` starts, from 1.
        named: the kind in the file's name, or its folder's.
    """

    batch_id: str
    source: str
    data: Data
    records: Records
    first_line: int
    header: Header
    named: Kind | None

    @property
    def size_bytes(self) -> int:
        return int(self.records.stops[-1] - self.records.starts[0])

    def plain(self, bench: Workbench) -> Mapping[Kind, Given]:  # noqa: ARG002 - as of any arrival
        """None: no record is judged before the others."""
        return {}

    def lay_out(self, bench: Workbench, judged: Sequence[pa.ChunkedArray]) -> LaidOut:  # noqa: ARG002 - none were
        """Register the rows of each kind as ``rows_<kind>``, and all records as they came as ``csv_records``."""
        numbers = self.records.lines.astype(np.int64) + self.first_line
        reasons = np.zeros(len(self.records), np.int8)
        reasons[~self.records.sound] = _REASONS.index(NOT_CSV)
        reasons[self.records.ends(self.data) - self.records.starts > LONGEST_LINE_BYTES] = _REASONS.index(TOO_LONG)
        sound = np.flatnonzero(reasons == 0)
        text = csv_records.text_of(self.data, self.records, sound)
        fields = csv_records.fields(text)
        is_row = (fields.counts == len(self.header.names)) & _is_utf8(text)
        reasons[sound[~is_row]] = _REASONS.index(NOT_CSV)
        rows = tables.Numbered(self._columns(text.data, fields, is_row), as_numbers(numbers[sound[is_row]]))

        raw = Given("", filled("raw_records"), raw_parameters={"header": self.header.raw + b"\n"})
        kinds: dict[Kind, Given] = {}
        unknown: set[str] = set()
        strange = counted_from(0, 0)
        for kind, table in tables.by_kind(rows, self.named).items():
            if kind is None:
                strange = table.numbers
                continue
            names = {column.name for column in COLUMNS[kind]}
            unknown.update(set(self.header.names) - names - {"record"})
            kept = table.rows.select([name for name in table.rows.column_names if name in names])
            given = tables.lay_out(bench, kind, replace(table, rows=kept), shaped_cells)
            kinds[kind] = replace(given, raw=raw.raw, raw_parameters=raw.raw_parameters)
        came = as_they_came(self.data, self.records.starts, self.records.ends(self.data), numbers)
        bench.register("csv_records", came)
        bench.register("csv_refused", _refused(numbers, reasons, strange))
        strangers = replace(raw, fields=filled("refused_records"))
        return LaidOut(len(self.records), kinds, strangers, frozenset(unknown))

    def _columns(self, text: Data, fields: Fields, is_row: Flags) -> pa.Table:
        """The columns that rows of the file may have, as text."""
        width = len(self.header.names)
        starts, ends, quoted = fields.starts, fields.ends, fields.quoted
        if not is_row.all():
            of_rows = np.repeat(is_row, fields.counts)
            starts, ends, quoted = starts[of_rows], ends[of_rows], quoted[of_rows]
        doubles = b'""' in text
        columns = {}
        for name, place in known_places(self.header.names, self.named).items():
            cells = _cells(text, starts[place::width], ends[place::width])
            if doubles and quoted[place::width].any():
                cells = pc.replace_substring(cells, '""', '"')
            columns[name] = cells
        return pa.table(columns)


def batches(blocks: Iterable[bytes], source: str, *, named: Kind | None) -> Iterator[Rows]:
    """Cut a stream of CSV into batches.

    A batch is named by all bytes up to its end and ``named``: the same stream makes the same names however it is split
    into blocks. One that breaks off yields its whole records first; one without a record yields nothing.

    Args:
        blocks: the bytes in order; an error that ends them is raised again once the whole records are yielded.
        named: the kind of rows that do not state one.
    Raises:
        UnreadableSource: the header is not valid, or a record is too long. The batches before have been yielded.
    """
    first_line = 1
    header: Header | None = None

    def cut(held: Data, at_end: bool) -> Cut[Records]:
        data = _lines(held, is_first=first_line == 1, at_end=at_end)
        records = csv_records.split(data, at_end=at_end)
        if at_end:
            return Cut(len(held), records)
        return Cut(len(held) - len(data) + records.size_bytes if len(records) else 0, records)

    def too_long() -> UnreadableSource:
        return UnreadableSource(
            f"{source}: the record that starts in line {first_line} has no end within {LONGEST_HELD_BYTES >> 20} MiB: "
            "the line is that long, or a quote in it is never closed. The records before it are loaded, "
            "nothing from there on. Mend that line and load the file again."
        )

    for part in parts(
        blocks,
        seed=f"csv\n{named or ''}\n".encode(),
        first_bytes=BATCH_BYTES,
        batch_bytes=BATCH_BYTES,
        held_bytes=LONGEST_HELD_BYTES,
        cut=cut,
        too_long=too_long,
    ):
        data = _lines(part.data, is_first=first_line == 1, at_end=True)
        rows = part.found.picked(~_is_blank(data, part.found))
        if header is None and len(rows):
            start, end = int(rows.starts[0]), int(rows.ends(data)[0])
            line = first_line + int(rows.lines[0])
            header = header_of(bytes(data[start:end]), source, line=line, is_sound=bool(rows.sound[0]), named=named)
            rows = rows.picked(slice(1, None))
        if header is not None:
            most = max(1, PUT_ASIDE_BYTES // (len(header.raw) + _ROW_BYTES))
            for first in range(0, len(rows), most):
                batch_id = hashlib.sha256(f"{part.name}\n{first}".encode()).hexdigest() if first else part.name
                picked = rows.picked(slice(first, first + most))
                yield Rows(batch_id, source, data, picked, first_line, header, named)
        first_line += data.count(b"\n")


def _lines(data: Data, *, is_first: bool, at_end: bool) -> Data:
    """Bytes that start with a record, and end in a newline at the end of the stream."""
    # Some editors put a byte order mark before UTF-8. With it, a quote would not be at the start of the field.
    data = data.removeprefix(codecs.BOM_UTF8) if is_first else data
    return data + b"\n" if at_end and data and not data.endswith(b"\n") else data


def _is_blank(data: Data, records: Records) -> Flags:
    if not len(records):
        return records.sound
    at = np.frombuffer(data, np.uint8)[: records.size_bytes]
    maybe = np.isin(at[records.starts], _BLANK)
    if not maybe.any():
        return maybe
    is_dark = np.ones(256, np.uint8)
    is_dark[_BLANK] = 0
    return np.asarray(np.maximum.reduceat(is_dark[at], records.starts) == 0)


def _is_utf8(text: Text) -> Flags:
    """Whether each record is UTF-8."""
    sound = np.ones(len(text.starts), np.bool_)
    if is_utf8(text.data):
        return sound
    not_ascii = np.flatnonzero(np.maximum.reduceat(np.frombuffer(text.data, np.uint8), text.starts) > 127)
    for place in not_ascii.tolist():
        sound[place] = is_utf8(text.data[text.starts[place] : text.stops[place]])
    return sound


def _cells(text: Data, starts: Places, ends: Places) -> pa.Array:
    """Parts of a text as strings; an empty one is null."""
    count = len(starts)
    if not count:
        return as_texts([])
    parts_alone = as_numbers(np.arange(0, 2 * count, 2))
    _, offsets, values = parts_of(text, starts, ends).take(parts_alone).buffers()
    given = starts < ends
    flags = pa.py_buffer(np.packbits(given, bitorder="little"))
    return pa.StringArray.from_buffers(count, offsets, values, flags, count - int(given.sum()))


def _refused(numbers: npt.NDArray[np.int64], reasons: npt.NDArray[np.int8], strange: pa.Array) -> pa.Table:
    """Lines and reasons of records that are refused for their form, or that are of no known kind."""
    refused = np.flatnonzero(reasons)
    names = as_texts([*_REASONS, UNKNOWN_RECORD])
    return pa.table(
        {
            "line": pa.chunked_array([as_numbers(numbers[refused]), strange]),
            "reason": pa.chunked_array(
                [names.take(as_numbers(reasons[refused].astype(np.int64))), pa.repeat(names[-1], len(strange))]
            ),
        }
    )
