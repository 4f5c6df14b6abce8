"""The reasons for which a record is put aside, with what is wanted instead, from the same columns as the rules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fleetcrash.records import COLUMNS, FLAG, FRAMES, NUMBER, TEXT_MAP, TIME, WHOLE, Column, Kind
from ingest.rules import NOT_CSV, NOT_JSON, TOO_LONG, UNKNOWN_RECORD
from ingest.streams import LONGEST_LINE_BYTES

_VALUES = {
    TIME: "RFC 3339 time with an offset of hours and minutes, such as 2024-07-19T06:09:00+02:00 or ...Z",
    NUMBER: "a number",
    WHOLE: "a whole number",
    FLAG: "true or false",
    TEXT_MAP: "an object of text to text",
    FRAMES: "a list of objects with module, function and offset",
}


@cache
def wanted_by_reason() -> Mapping[str, str]:
    """Every reason of the rules, with what is wanted of a record."""
    wanted = {
        NOT_JSON: "one JSON object a line, in UTF-8, with no key twice",
        "not_an_object": "a JSON object with a field record",
        NOT_CSV: "as many fields as the header has, in UTF-8, quotes only around whole fields",
        TOO_LONG: f"at most {LONGEST_LINE_BYTES >> 20} MiB a record",
        UNKNOWN_RECORD: f"a field record, one of {', '.join(Kind)}",
    }
    for column in (column for columns in COLUMNS.values() for column in columns):
        value, is_time = _value(column), column.type == TIME
        if column.required:
            wanted[f"missing_field:{column.name}"] = f"{column.name}, {value}"
        wanted[f"{'bad_time' if is_time else 'bad_value'}:{column.name}"] = value
        if column.max_length is not None:
            wanted[f"too_long:{column.name}"] = f"at most {column.max_length} characters"
        if is_time:
            wanted[f"future_time:{column.name}"] = "a time at most a day ahead of when the record was received"
    return wanted


def _value(column: Column) -> str:
    if column.values:
        return f"one of {', '.join(column.values)}"
    length = f" of at most {column.max_length} characters" if column.max_length is not None else ""
    least = f" from {column.minimum:g}" if column.minimum is not None else ""
    return _VALUES.get(column.type, "text") + length + least
