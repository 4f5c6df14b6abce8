"""The fast path for plain lines of NDJSON, which nearly all are; ``ndjson`` handles the others.

A plain line is parsed once, directly into the expected types. The parser is lenient: it skips fields that it was not
asked for, takes the first of two with one name, turns a number into text, and accepts a superfluous comma. So its
result is checked against the line: every quote, and every comma and opening bracket outside strings, must be accounted
for by a parsed value. A field that was skipped, repeated or of another type leaves commas or brackets over, and a
number in place of a text lacks quotes. Neither can hide the other: no value accounts for more commas and brackets than
its text has, so if their number is right, each value is; and then quotes can only be too few.

Rules are not applied here: plain lines are judged by the same rules as all others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Set

import numpy as np

from fleetcrash.records import COLUMNS, FLAG, FRAMES, NUMBER, TEXT, TEXT_MAP, TIME, WHOLE, Kind
from ingest.arrival import Given, always_there
from ingest.bits import Bits, Counts, Data, Ends, bits_at, bits_of, counted, inside, places_of
from ingest.rules import filled, given_flag, quoted

# How many lines of a batch are looked at for the kinds it holds, their fields, and commas within strings; lines unlike
# these are not plain.
_LOOKS = 64

_LONGEST_LOOK_BYTES = 1 << 16  # a longer line is assumed to have all fields, as parsing it in Python would take long

_QUOTES, _COMMAS_AND_BRACKETS, _BACKSLASH = b'"', b",{[", ord("\\")

_TYPE = {
    TEXT: "VARCHAR",
    TIME: "VARCHAR",
    # Numbers and flags stay JSON; else a text that spells one would pass for it.
    NUMBER: "JSON",
    WHOLE: "JSON",
    FLAG: "JSON",
    TEXT_MAP: "MAP(VARCHAR, VARCHAR)",
    FRAMES: [{"module": "VARCHAR", "function": "VARCHAR", "offset": "JSON"}],
}

# How each value is read; null where it is not plain, even if it may be sound.
_VALUE = {
    TEXT: "{}",
    TIME: "plain_time({})",
    NUMBER: "plain_number({})",
    WHOLE: "plain_whole({})",
    FLAG: "flag_of_json({})",
    TEXT_MAP: "{}",
    FRAMES: "plain_frames({})",
}

# How many strings a field has, its name included.
_STRINGS = {
    **dict.fromkeys((TEXT, TIME), "2 * CAST({0} IS NOT NULL AS INTEGER)"),
    **dict.fromkeys((WHOLE, FLAG), "CAST({0} IS NOT NULL AS INTEGER)"),
    NUMBER: "CAST(coalesce(isfinite({0}), false) AS INTEGER)",
    TEXT_MAP: "CASE WHEN {0} IS NULL THEN 0 ELSE 1 + 2 * CAST(cardinality({0}) AS INTEGER) END",
    FRAMES: "CASE WHEN {0} IS NULL THEN 0 ELSE 1 + strings_of_frames({0}) END",
}

# How many commas and opening brackets a field has outside strings, the comma before it included. The first member of an
# object or a list has no comma before it; the opening bracket stands for it.
_MARKS = {
    **dict.fromkeys((TEXT, TIME, WHOLE, FLAG), "CAST({0} IS NOT NULL AS INTEGER)"),
    NUMBER: "CAST(coalesce(isfinite({0}), false) AS INTEGER)",
    TEXT_MAP: "CASE WHEN {0} IS NULL THEN 0 ELSE 1 + greatest(CAST(cardinality({0}) AS INTEGER), 1) END",
    FRAMES: "CASE WHEN {0} IS NULL THEN 0 ELSE 1 + greatest(CAST(len({0}) AS INTEGER), 1) + marks_of_frames({0}) END",
}


def counted_marks(data: Data, ends: Ends) -> tuple[Counts, Counts]:
    """The number of quotes of each line, and of commas and opening brackets outside strings.

    If sample lines have none within strings, they are counted everywhere, which takes half the time: one within a
    string is then not accounted for by any value, and its line is not plain.

    Args:
        data: whole lines.
        ends: the end of each line.
    """
    quotes, marks = _quotes_and_marks(data)
    every = counted(marks, ends)
    few = _some_of(data, ends)
    few_ends = np.cumsum([len(line) for line in few], dtype=np.int32)
    few_quotes, few_marks = _quotes_and_marks(b"".join(few))
    outside = every
    if (_outside_strings(few_marks, few_quotes, few_ends) < counted(few_marks, few_ends)).any():
        outside = _outside_strings(marks, quotes, ends)
    return counted(quotes, ends), outside


def _quotes_and_marks(data: Data) -> tuple[Bits, Bits]:
    quotes, marks = bits_of(data, _QUOTES, _COMMAS_AND_BRACKETS)
    _drop_escaped(quotes, data)
    return quotes, marks


def _outside_strings(marks: Bits, quotes: Bits, ends: Ends) -> Counts:
    """How many marks of each line are outside strings."""
    within = inside(quotes)
    outside = counted(marks & ~within, ends)
    # A line that is not JSON may have an odd number of quotes; after it inside and outside are swapped.
    turned = np.append(np.uint8(0), bits_at(within, ends[:-1] - np.int32(1))) == 1
    if turned.any():
        outside[turned] = counted(marks & within, ends)[turned]
    return outside


def _drop_escaped(quotes: Bits, data: Data) -> None:
    """Remove quotes that are part of a string: those after an odd number of backslashes."""
    if _BACKSLASH not in data:
        return
    at = places_of(data, _BACKSLASH)
    last = np.flatnonzero(np.append(at[1:] != at[:-1] + 1, True))
    escaped = at[last[np.diff(last, prepend=-1) % 2 == 1]] + 1
    np.bitwise_and.at(quotes, escaped >> 6, ~(np.uint64(1) << (escaped & 63).astype(np.uint64)))


def kinds_of(data: Data, ends: Ends) -> dict[Kind, set[str]]:
    """The kinds in sample lines that begin with one, as most senders write them, and the fields of these lines."""
    found: dict[Kind, set[str]] = {}
    for line in _some_of(data, ends):
        for kind in Kind:
            if line.startswith(_beginnings(kind)):
                found.setdefault(kind, set()).update(_names_of(line, kind))
    return found


def _some_of(data: Data, ends: Ends) -> list[Data]:
    """Sample lines."""
    looked_at = np.linspace(0, len(ends) - 1, min(len(ends), _LOOKS)).astype(np.int64)
    starts = np.append(np.int32(0), ends)[looked_at].tolist()
    return [data[start:end] for start, end in zip(starts, ends[looked_at].tolist(), strict=True)]


def _names_of(line: Data, kind: Kind) -> Iterable[str]:
    if len(line) > _LONGEST_LOOK_BYTES:
        return [column.name for column in COLUMNS[kind]]
    try:
        record: dict[str, object] = json.loads(line)  # begins like an object, so if it is JSON it is one
    except (ValueError, RecursionError):
        return ()
    return record.keys()


def _beginnings(kind: Kind) -> tuple[bytes, bytes]:
    return f'{{"record":"{kind.value}"'.encode(), f'{{"record": "{kind.value}"'.encode()


def given(kind: Kind, names: Set[str], raw: str, *, longest: int) -> Given:
    """The plain lines of a kind, among those that ``arrived``.

    Args:
        names: fields to parse; a line with any other is not plain.
        raw: a SELECT of the lines as they came.
        longest: most bytes of a line.
    """
    columns = [column for column in COLUMNS[kind] if column.name in names | always_there(kind)]
    compact, spaced = _beginnings(kind)
    fields = [(column.type, quoted(column.name), given_flag(column.name)) for column in columns]
    return Given(
        fields=filled(
            "plain_lines",
            values=", ".join(f"{_VALUE[of].format(f'parsed.{name}')} AS {name}" for of, name, _ in fields),
            fields=", ".join(f"{name}, {name} IS NOT NULL AS {flag}" for _, name, flag in fields),
            strings=" + ".join(_STRINGS[of].format(name) for of, name, _ in fields),
            marks=" + ".join(_MARKS[of].format(name) for of, name, _ in fields),
        ),
        raw=raw,
        names={column.name for column in columns},
        is_whole=True,
        parameters={
            "structure": json.dumps({column.name: _TYPE[column.type] for column in columns}),
            "compact": compact.decode(),
            "spaced": spaced.decode(),
            "longest": longest,
        },
    )
