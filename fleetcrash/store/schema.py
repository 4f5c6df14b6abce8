"""How the columns of ``records`` are stored: their Arrow types, and the version of the schema."""

from __future__ import annotations

import pyarrow as pa

from fleetcrash.records import Column

# In version 1 batch lacks leans_on, and quarantine replayed_by; `fleetcrash doctor --migrate` adds them.
SCHEMA_VERSION = 2

# Property of each table that holds its version; tables of two versions are a migration that was cut short.
SCHEMA_KEY = "fleetcrash.schema"

_ROWS_AT_ONCE = 60_000

_ARROW_TYPES: dict[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
    "DOUBLE": pa.float64(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR[]": pa.list_(pa.string()),
    "BLOB": pa.binary(),
    "MAP(VARCHAR, VARCHAR)": pa.map_(pa.string(), pa.string()),
    'STRUCT(module VARCHAR, "function" VARCHAR, "offset" BIGINT)[]': pa.list_(
        pa.struct([("module", pa.string()), ("function", pa.string()), ("offset", pa.int64())])
    ),
}


def is_older(version: str | None) -> bool:
    """Whether a stated version is one that can be brought up to date."""
    return version is not None and version.isdecimal() and int(version) < SCHEMA_VERSION


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema in which rows of these columns are stored; every field may be null."""
    return pa.schema([pa.field(column.name, _ARROW_TYPES[column.type]) for column in columns])


def conformed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows in all columns of a schema, in its order and types; a column that they lack is null."""
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def streamed(rows: pa.Table, schema: pa.Schema) -> pa.RecordBatchReader:
    """Like ``conformed``, some rows at a time, for rows that take far more memory in these types."""
    starts = range(0, len(rows), _ROWS_AT_ONCE)
    parts = (conformed(rows.slice(start, _ROWS_AT_ONCE), schema).to_batches() for start in starts)
    return pa.RecordBatchReader.from_batches(schema, (batch for part in parts for batch in part))
