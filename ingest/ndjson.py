"""NDJSON: one record per line, kinds mixed, each line with ``record``.

A stream is cut into batches at line ends, by bytes, so that memory is bounded and the same stream always makes the same
batches. DuckDB parses the lines in place; no line becomes a Python object.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.errors import UnreadableSource
from fleetcrash.records import COLUMNS, FLAG, FRAMES, NUMBER, TEXT, TEXT_MAP, TIME, WHOLE, Column, Kind
from fleetcrash.store.workbench import Workbench
from ingest import plain_lines
from ingest.arrival import Given, LaidOut, always_there, as_flags, as_numbers, as_they_came, counted_from, from_numbers
from ingest.bits import Data, Ends, is_utf8, places_of
from ingest.rules import filled, given_flag, quoted
from ingest.streams import BATCH_BYTES, LONGEST_LINE_BYTES, Cut, parts

LONGEST_HELD_BYTES = 256 << 20  # a line is held in memory; a longer one means that this is not NDJSON

_FIRST = 4  # the first batch is so many times smaller, as nothing else can be done until it is read

_ROWS_A_THREAD = 8192  # rows of one Arrow batch, the unit in which DuckDB shares the work among its threads

_VALUE = {
    TEXT: "text_of_json({})",
    TIME: "time_of_text(text_of_json({}))",
    NUMBER: "number_of_json({})",
    WHOLE: "whole_of_json({})",
    FLAG: "flag_of_json({})",
    TEXT_MAP: "map_of_json({})",
    FRAMES: "frames_of_json({})",
}

# The same for a column whose rule distinguishes text from anything else: it can be parsed as text, which is faster.
_VALUE_OF_TEXT = {TEXT: "{}", TIME: "time_of_text({})"}

_REPEATS = {
    TEXT_MAP: "{0} IS NULL AND repeats_a_key({1})",
    FRAMES: "{0} IS NULL AND list_repeats_a_key({1})",
}


@dataclass(frozen=True)
class Lines:
    """The lines of one batch; see ``ingest.arrival.Arrival``.

    Attributes:
        data: whole lines, each with its newline.
        first_line: number of the first one, from 1.
    """

    batch_id: str
    source: str
    data: Data
    first_line: int

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def plain(self, bench: Workbench) -> Mapping[Kind, Given]:
        """Register all lines as ``arrived``, and as ``whole_lines`` for the quarantine; see ``plain_lines``."""
        bench.register("arrived", self.marked)
        bench.register("whole_lines", self._as_they_came)
        raw = filled("raw_lines")
        return {
            kind: plain_lines.given(kind, names, raw, longest=LONGEST_LINE_BYTES)
            for kind, names in plain_lines.kinds_of(self.data, self.ends).items()
        }

    def lay_out(self, bench: Workbench, judged: Sequence[pa.ChunkedArray]) -> LaidOut:
        """Register the lines that are not plain as ``odd_lines``, and parse them to find their kinds.

        ``staged`` holds them for the rules.
        """
        is_odd = np.ones(len(self.ends), np.bool_)
        for lines in judged:
            is_odd[from_numbers(lines) - self.first_line] = False
        odd = int(is_odd.sum())
        if not odd:
            return LaidOut(len(self.ends), {}, None, frozenset())
        bench.register("odd_lines", _decodable(self.marked.filter(as_flags(is_odd))))
        bench.run(filled("staged_lines"), kinds=[kind.value for kind in Kind], longest=LONGEST_LINE_BYTES)
        shapes = bench.rows(filled("shapes"))
        if repeating := [shape["shape"] for shape in shapes if len(set(shape["names"])) < len(shape["names"])]:
            bench.run(filled("refused_by_shape"), shapes=repeating)
        fields: dict[Kind, set[str]] = {}
        for shape in shapes:
            if shape["record"] is not None:
                fields.setdefault(Kind(shape["record"]), {"record"}).update(shape["names"])
        return LaidOut(
            read=len(self.ends) - odd + bench.rows(filled("staged_count"))[0]["read"],
            kinds={kind: _given(kind, fields[kind]) for kind in sorted(fields)},
            strangers=Given(filled("strange_lines"), filled("raw_lines")),
            unknown_fields=frozenset(
                name
                for kind, names in fields.items()
                for name in names - {column.name for column in COLUMNS[kind]} - {"record"}
            ),
        )

    @cached_property
    def ends(self) -> Ends:
        """The end of each line."""
        return places_of(self.data, ord("\n")) + np.int32(1)

    @property
    def _as_they_came(self) -> pa.Table:
        """The lines without their newlines."""
        starts, numbers = np.append(np.int32(0), self.ends[:-1]), np.arange(len(self.ends)) + self.first_line
        return as_they_came(self.data, starts, self.ends - np.int32(1), numbers)

    @cached_property
    def marked(self) -> pa.Table:
        """The lines as ``line``, ``bytes`` and ``text``, both sharing ``data``, and their marks.

        ``text`` has invalid UTF-8 as well: the parser takes no such line for plain.
        """
        ends, count = self.ends, len(self.ends)
        shared, offsets = pa.py_buffer(self.data), pa.py_buffer(np.append(np.int32(0), ends))
        raw = pa.BinaryArray.from_buffers(pa.binary(), count, [None, offsets, shared])
        text = pa.StringArray.from_buffers(count, offsets, shared)
        quotes, marks = plain_lines.counted_marks(self.data, ends)
        rest = {"quotes": as_numbers(quotes), "marks": as_numbers(marks)}
        table = pa.table({"line": counted_from(self.first_line, count), "bytes": raw, "text": text, **rest})
        return pa.Table.from_batches(table.to_batches(_ROWS_A_THREAD), schema=table.schema)


def _decodable(lines: pa.Table) -> pa.Table:
    """Lines with a null ``text`` if it is not UTF-8."""
    text = lines["text"]
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        sound = np.array([is_utf8(raw) for raw in lines["bytes"].to_pylist()])
        kept = pc.if_else(as_flags(sound), text, pa.nulls(len(text), text.type))
        return lines.set_column(lines.schema.get_field_index("text"), "text", kept)
    return lines


def batches(blocks: Iterable[bytes], source: str) -> Iterator[Lines]:
    """Cut a stream of NDJSON into batches.

    A batch is named by all bytes up to its end: the same stream makes the same names however it is split,
    and one that has grown keeps those of its whole batches. One that breaks off yields its whole lines first.

    Args:
        blocks: the bytes in order; an error that ends them is raised again once the whole lines are yielded.
    Raises:
        UnreadableSource: a line is longer than any record can be. The batches before it have been yielded.
    """
    first_line = 1

    def cut(held: Data, at_end: bool) -> Cut[None]:
        return Cut(len(held) if at_end else held.rfind(b"\n") + 1, None)

    def too_long() -> UnreadableSource:
        return UnreadableSource(
            f"{source}: line {first_line} is longer than {LONGEST_HELD_BYTES >> 20} MiB. "
            "The lines before it are loaded. NDJSON has one record a line."
        )

    for part in parts(
        blocks,
        seed=b"ndjson\n",
        first_bytes=max(1, BATCH_BYTES // _FIRST),
        batch_bytes=BATCH_BYTES,
        held_bytes=LONGEST_HELD_BYTES,
        cut=cut,
        too_long=too_long,
    ):
        # Some editors and shells put a byte order mark before UTF-8.
        has_mark = first_line == 1 and part.data.startswith(codecs.BOM_UTF8)
        whole = part.data[len(codecs.BOM_UTF8) :] if has_mark else part.data
        lines = Lines(part.name, source, whole if whole.endswith(b"\n") else whole + b"\n", first_line)
        _ = lines.marked  # computed here, in the thread that reads
        yield lines
        first_line += len(lines.ends)


def _given(kind: Kind, names: Set[str]) -> Given:
    """The staged records of a kind, which have only these fields."""
    columns = tuple(column for column in COLUMNS[kind] if column.name in names | always_there(kind))
    return Given(
        fields=filled(
            "fields_of_lines",
            fields=", ".join(map(_field, columns)),
            repeats=_repeats(columns),
        ),
        raw=filled("raw_lines"),
        names={column.name for column in columns},
        parameters={
            "record_kind": kind.value,
            "structure": json.dumps(
                {column.name: "VARCHAR" if _is_told_apart(column) else "JSON" for column in columns}
            ),
        },
    )


def _is_told_apart(column: Column) -> bool:
    """Whether no number, list or object read as text could pass for a value of the column."""
    return column.type == TIME or bool(column.values)


def _field(column: Column) -> str:
    parsed = f"parsed.{quoted(column.name)}"
    value = _VALUE_OF_TEXT[column.type] if _is_told_apart(column) else _VALUE[column.type]
    return f"{value.format(parsed)} AS {quoted(column.name)}, {parsed} IS NOT NULL AS {given_flag(column.name)}"


def _repeats(columns: tuple[Column, ...]) -> str:
    """An expression for whether an object within a record has a key twice; checked where that is possible."""
    cases = [
        f"WHEN {_REPEATS[column.type].format(quoted(column.name), f'parsed.{quoted(column.name)}')} THEN true"
        for column in columns
        if column.type in _REPEATS
    ]
    return f"CASE {' '.join(cases)} ELSE false END" if cases else "false"
