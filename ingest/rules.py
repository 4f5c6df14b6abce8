"""The rules for a record, made from the columns of ``fleetcrash.records``: one rule set for all inputs.

An input turns its records into a SELECT with ``line``, ``repeats`` (an object has a key twice) and, for each column
that any of them may have, the value to store and whether one was given. The rules are here and in ``sql/macros.sql``;
an input knows only the form of its values.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow as pa

from fleetcrash.records import (
    COLUMNS,
    KNOWN_FROM_THE_START,
    OWN_TIME,
    SAME_RECORD,
    TIME,
    Column,
    Kind,
)
from fleetcrash.store.workbench import Workbench
from ingest.arrival import Given

NOT_JSON = "not_json"
NOT_CSV = "not_csv"
TOO_LONG = "too_long:line"
UNKNOWN_RECORD = "unknown_record"

_FAR_AHEAD_US = 24 * 3_600_000_000


def quoted(name: str) -> str:
    """A column's name as an SQL identifier; ``group`` and ``offset`` are words of SQL."""
    return f'"{name}"'


def given_flag(name: str) -> str:
    """The identifier of the flag whether a column was given; no name of a column has a space."""
    return f'"{name} given"'


@cache
def _statement(name: str) -> str:
    text = files("ingest").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    # Comments name the placeholders, so they are removed before these are filled.
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def filled(name: str, **identifiers: str) -> str:
    """A statement of ``ingest/sql`` with its ``__placeholders__`` filled with text made from names of columns.

    Values are never filled in: they are ``$named`` parameters.
    """
    statement = _statement(name)
    for place, text in identifiers.items():
        statement = statement.replace(f"__{place}__", text)
    return statement


def judged(kind: Kind) -> str:
    """The table in memory that holds the judged rows of a kind."""
    return f"judged_{kind.value}"


def key_columns(kind: Kind) -> tuple[str, ...]:
    """The columns that identify a record of a kind; all columns, for kinds without a key."""
    return SAME_RECORD.get(kind, tuple(column.name for column in COLUMNS[kind]))


def same_key(kind: Kind) -> str:
    """The condition that ``judged`` and ``stored`` rows have the same key; null equals null."""
    return " AND ".join(
        f"judged.{quoted(name)} IS NOT DISTINCT FROM stored.{quoted(name)}" for name in key_columns(kind)
    )


def standing(kind: Kind) -> str:
    """The order of records with one key, least first, as in the views; only crashes need more than known_at."""
    if kind is not Kind.CRASH:
        return "ROW(known_at, '')"
    fields = ", ".join(f"{quoted(column.name)} := {quoted(column.name)}" for column in COLUMNS[kind])
    return f"ROW(known_at, CAST(to_json(struct_pack({fields}, known_at := known_at)) AS VARCHAR))"


def judge(bench: Workbench, kind: Kind, given: Given, *, now: datetime) -> pa.Table:
    """Apply the rules to the records of one kind.

    Args:
        given: the records; the module's docstring has the form of ``fields``.
        now: aware; records without ``received_at`` are checked against it.
    Returns:
        The rows of ``sql/judged.sql``: line, reason, the stored columns, known_at and a hash of the key.
    """
    columns = COLUMNS[kind]
    there = tuple(column for column in columns if column.name in given.names)
    own_time = next(column for column in columns if column.name == OWN_TIME[kind])
    cases: list[str] = [f"WHEN repeats THEN '{NOT_JSON}'"]
    cases += [f"WHEN {condition} THEN '{reason}'" for condition, reason in _rules(there, is_whole=given.is_whole)]
    return bench.table(
        filled(
            "judged",
            given=given.fields,
            reason=f"CASE {' '.join(cases)} END",
            stored=", ".join(f"{_stored(column, there)} AS {quoted(column.name)}" for column in columns),
            known_at=f"coalesce(received_at, {_given(own_time, there)}, CAST($from_the_start AS TIMESTAMPTZ))",
            key=", ".join(_stored(column, there) for column in columns if column.name in key_columns(kind)),
        ),
        now=now,
        from_the_start=KNOWN_FROM_THE_START,
        **_rule_values(there),
        **{f"default_{column.name}": column.default for column in columns if column.default is not None},
        **given.parameters,
    )


def _rules(columns: tuple[Column, ...], *, is_whole: bool) -> Iterator[tuple[str, str]]:
    """Conditions under which a record is refused, with the reasons, in the contract's order."""
    for column in columns:
        if column.required:
            name, given = quoted(column.name), given_flag(column.name)
            # An empty id names nothing.
            empty = f" OR {name} = ''" if column.max_length is not None else ""
            yield f"NOT {given}{empty}", f"missing_field:{column.name}"
    for column in columns:
        if column.type == TIME and not is_whole:
            yield _is_lost(column), f"bad_time:{column.name}"
    for column in columns:
        if column.type != TIME:
            name = quoted(column.name)
            broken = [] if is_whole else [_is_lost(column)]
            if column.values:
                broken.append(f"NOT list_contains($values_{column.name}, {name})")
            if column.minimum is not None:
                broken.append(f"{name} < $minimum_{column.name}")
            if broken:
                yield " OR ".join(broken), f"bad_value:{column.name}"
    for column in columns:
        if column.max_length is not None:
            yield f"length({quoted(column.name)}) > $max_length_{column.name}", f"too_long:{column.name}"
    for column in columns:
        if column.type == TIME:
            # received_at is by our own clock, so it is compared with now.
            since = "CAST($now AS TIMESTAMPTZ)" if column.name == "received_at" else "coalesce(received_at, $now)"
            ahead_us = f"epoch_us({quoted(column.name)}) - epoch_us({since})"  # adding an interval is slow
            yield f"{ahead_us} > {_FAR_AHEAD_US}", f"future_time:{column.name}"


def _rule_values(columns: tuple[Column, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in columns:
        if column.values:
            values[f"values_{column.name}"] = list(column.values)
        if column.minimum is not None:
            values[f"minimum_{column.name}"] = column.minimum
        if column.max_length is not None:
            values[f"max_length_{column.name}"] = column.max_length
    return values


def _is_lost(column: Column) -> str:
    return f"{given_flag(column.name)} AND {quoted(column.name)} IS NULL"


def _given(column: Column, there: Container[Column]) -> str:
    return quoted(column.name) if column in there else f"CAST(NULL AS {column.type})"


def _stored(column: Column, there: Container[Column]) -> str:
    if column.default is None:
        return _given(column, there)
    default = f"CAST($default_{column.name} AS {column.type})"
    return f"coalesce({quoted(column.name)}, {default})" if column in there else default
