"""Columns of any Arrow type, converted to a form that DuckDB accepts and the rules know.

A column's type is the same for all its rows, so a wrong one is detected without looking at values: a version that is
a number is ``bad_value`` in every row. Values that could be right go through the same macros as those of NDJSON. Types
are declared by the file and never guessed from values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.records import FLAG, FRAMES, NUMBER, TEXT, TEXT_MAP, TIME, WHOLE
from fleetcrash.times import END, FIRST

_UTC = pa.timestamp("us", tz="UTC")
_UNREADABLE = '{"unreadable": true}'  # stands for a value that cannot be shown; like that, it fits no column
_UNITS_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Form(Enum):
    """The forms of a column that the rules distinguish.

    A cell is text in a format with no other form, so it may also spell a number or a flag. A nested value that fits no
    column is JSON text.
    """

    TEXT = auto()
    CELL = auto()
    BYTES = auto()
    TIME = auto()
    WHOLE = auto()
    NUMBER = auto()
    FLAG = auto()
    ENTRIES = auto()
    STRUCT = auto()
    STRUCTS = auto()
    FRAMES = auto()
    NESTED = auto()
    OTHER = auto()


# How a column of each form becomes the type that is due. A pair that is missing here is wrong in every row.
_VALUE: Mapping[tuple[str, Form], str] = {
    (TEXT, Form.TEXT): "text_without_nul({})",
    (TEXT, Form.CELL): "text_without_nul({})",
    (TEXT, Form.BYTES): "text_without_nul(TRY(decode({})))",
    (TIME, Form.TEXT): "time_of_text({})",
    (TIME, Form.CELL): "time_of_text({})",
    (TIME, Form.BYTES): "time_of_text(TRY(decode({})))",
    (TIME, Form.TIME): "{}",
    (NUMBER, Form.CELL): "number_of_text({})",
    (NUMBER, Form.WHOLE): "number_finite({})",
    (NUMBER, Form.NUMBER): "number_finite({})",
    (WHOLE, Form.CELL): "whole_of_text({})",
    (WHOLE, Form.WHOLE): "TRY_CAST({} AS BIGINT)",
    (WHOLE, Form.NUMBER): "whole_of_number({})",
    (FLAG, Form.CELL): "flag_of_text({})",
    (FLAG, Form.FLAG): "{}",
    (TEXT_MAP, Form.ENTRIES): "map_of_entries({})",
    (TEXT_MAP, Form.STRUCT): "map_of_struct(to_json({}))",
    (TEXT_MAP, Form.TEXT): "map_of_json({})",
    (TEXT_MAP, Form.CELL): "map_of_json({})",
    (FRAMES, Form.FRAMES): "frames_of_structs({})",
    (FRAMES, Form.STRUCTS): "frames_of_json(to_json({}))",
    (FRAMES, Form.TEXT): "frames_of_json({})",
    (FRAMES, Form.CELL): "frames_of_json({})",
}

# What a column is turned into once, because the expressions above use it more than once; absent: it is used as it is.
_READ: Mapping[tuple[str, Form], str] = {
    (due, form): "json_of_text({})" for due in (TEXT_MAP, FRAMES) for form in (Form.TEXT, Form.CELL)
}

# How a column of a form is written into the JSON of a row that is put aside; others as they are.
_RAW: Mapping[Form, str] = {
    Form.TIME: "text_of_time({})",
    Form.BYTES: "CASE WHEN {0} IS NOT NULL "
    "THEN coalesce(to_json(TRY(decode({0}))), json_object('not_text', CAST({0} AS VARCHAR))) END",
    Form.ENTRIES: "coalesce(to_json(map_of_entries({0})), to_json({0}))",
    Form.NESTED: "CAST({} AS JSON)",
}

# Forms that are written as text without being text: where text is due, a replay must not accept them.
_NO_TEXT = (Form.TIME, Form.OTHER)


@dataclass(frozen=True)
class Shaped:
    """A column in one of the forms.

    Attributes:
        values: null where the source is null, or has a time out of range.
        given: whether the source has a value.
        lost: text of the times out of range; None: there are none.
    """

    form: Form
    values: pa.ChunkedArray
    given: pa.ChunkedArray
    lost: pa.ChunkedArray | None = None

    def read_as(self, due: str, identifier: str) -> str:
        """An SQL expression for the input of ``value_as``."""
        return _READ.get((due, self.form), "{}").format(identifier)

    def value_as(self, due: str, identifier: str) -> str:
        """An SQL expression for the value as a DuckDB type; null if it cannot be one.

        Args:
            identifier: of a column made by ``read_as``.
        """
        expression = _VALUE.get((due, self.form))
        return f"CAST(NULL AS {due})" if expression is None else expression.format(identifier)

    def raw_as(self, identifier: str, lost: str, due: str | None) -> str:
        """An SQL expression for the value in the JSON of a row that is put aside.

        Args:
            lost: identifier of the column ``lost``.
            due: the DuckDB type that is expected; None: none.
        """
        value = _RAW.get(self.form, "{}").format(identifier)
        if self.lost is not None:
            value = f"coalesce({value}, {lost})"
        if due != TEXT or self.form not in _NO_TEXT:
            return value
        return f"CASE WHEN {value} IS NOT NULL THEN json_object('not_text', {value}) END"


def shaped(column: pa.ChunkedArray) -> Shaped:
    """Convert a column to its form. No value raises: one that fits no form is shown as text."""
    given = pc.is_valid(column)
    if pa.types.is_run_end_encoded(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if _is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return _shaped_text(column, given)
    if pa.types.is_timestamp(kind):
        return _shaped_time(column, given)
    if pa.types.is_integer(kind):
        return Shaped(Form.WHOLE, column, given)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Shaped(Form.NUMBER, column.cast(pa.float64(), safe=False), given)
    if pa.types.is_boolean(kind):
        return Shaped(Form.FLAG, column, given)
    form = _nested_form(kind)
    if form is not None and _is_valid(column):
        if form is Form.ENTRIES:
            # DuckDB fails at a map with a repeated key; as a list it is only one bad value.
            column = column.cast(pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])))
        return Shaped(form, column, given)
    if pa.types.is_nested(kind):
        return Shaped(Form.NESTED, _as_json(column), given)
    return Shaped(Form.OTHER, _as_text(column), given)


def shaped_cells(column: pa.ChunkedArray) -> Shaped:
    """Cells of text, null where they are empty."""
    return Shaped(Form.CELL, column, pc.is_valid(column))


def _shaped_text(column: pa.ChunkedArray, given: pa.ChunkedArray) -> Shaped:
    # A Parquet file may declare a column as UTF-8 that is not.
    if pa.types.is_string(column.type) and _is_valid(column):
        return Shaped(Form.TEXT, column, given)
    as_bytes = column.cast(pa.large_binary())
    try:
        return Shaped(Form.TEXT, as_bytes.cast(pa.large_string()), given)
    except pa.ArrowInvalid:
        return Shaped(Form.BYTES, as_bytes, given)


def _shaped_time(column: pa.ChunkedArray, given: pa.ChunkedArray) -> Shaped:
    unit = column.type.unit
    column = column.cast(pa.timestamp(unit, tz="UTC"))  # without a zone it is UTC
    # As time_in_range in macros.sql, but that a later one is lost: it would be quarantined as another. A timestamp in
    # seconds can be too large to become one in microseconds.
    soonest, latest = (int(bound.timestamp()) * _UNITS_A_SECOND[unit] for bound in (FIRST, END))
    units = column.cast(pa.int64())
    extremes = pc.min_max(units).as_py()
    if extremes["min"] is None or (soonest <= extremes["min"] and extremes["max"] < latest):
        return Shaped(Form.TIME, column.cast(_UTC, safe=False), given)
    held = pc.and_(pc.greater_equal(units, soonest), pc.less(units, latest))
    lost = pc.if_else(held, None, _as_text(units))
    column = pc.if_else(held, column, pa.nulls(len(column), column.type))
    return Shaped(Form.TIME, column.cast(_UTC, safe=False), given, lost)


def _nested_form(kind: pa.DataType) -> Form | None:
    if pa.types.is_map(kind):
        return Form.ENTRIES if _is_text(kind.key_type) and _is_text(kind.item_type) else None
    if pa.types.is_struct(kind):
        return Form.STRUCT if _is_plain(kind) else None
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        if _is_frames(kind.value_type):
            return Form.FRAMES
        # A list of nulls or an empty one has no element type; as JSON it is a stack without frames.
        return Form.STRUCTS if _is_plain(kind.value_type) else None
    return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_frames(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    fields = {field.name: field.type for field in kind}
    return (
        fields.keys() == {"module", "function", "offset"}
        and _is_text(fields["module"])
        and _is_text(fields["function"])
        and pa.types.is_signed_integer(fields["offset"])
    )


def _is_plain(kind: pa.DataType) -> bool:
    """Whether DuckDB accepts the type and writes it as the JSON that a sender would have written."""
    if pa.types.is_struct(kind):
        names = [field.name.lower() for field in kind]  # DuckDB ignores the case of names
        return len(set(names)) == len(names) > 0 and all(_is_plain(field.type) for field in kind)
    if pa.types.is_list(kind):
        return _is_plain(kind.value_type)
    return bool(
        _is_text(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
        or kind in (pa.float32(), pa.float64())
    )


def _is_valid(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _as_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as JSON, entries of a map as a list. (Put aside as null they would be valid in a replay.)"""
    return pa.chunked_array([pa.array([_json_of(value) for value in column], pa.large_string())])


def _json_of(value: pa.Scalar) -> str | None:
    if not value.is_valid:
        return None
    try:
        return json.dumps(value.as_py(), default=str)
    except (ValueError, OverflowError):  # text that is not UTF-8, a repeated field, a time beyond Python's
        return _UNREADABLE


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pc.if_else(pc.is_valid(column), "unreadable", pa.nulls(len(column), pa.string()))
