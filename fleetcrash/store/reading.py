"""Parquet files of a table as one relation, whichever version of fleetcrash wrote them."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from fleetcrash.records import table_columns


def rows_of(con: duckdb.DuckDBPyConnection, table: str, paths: Sequence[str]) -> duckdb.DuckDBPyRelation:
    """The rows of Parquet files, in all columns of ``table_columns()[table]``, in that order and with their types.

    A column that a file lacks is NULL in its rows; a column that we do not know is left out.

    Args:
        paths: the files; without any the relation has no rows.
    Raises:
        duckdb.Error: a file cannot be read.
    """
    columns = table_columns()[table]
    if not paths:
        nothing = ", ".join(f'CAST(NULL AS {column.type}) AS "{column.name}"' for column in columns)
        return con.sql(f"SELECT {nothing} WHERE false")
    found = con.read_parquet(list(paths), union_by_name=True)
    types = dict(zip(found.columns, found.types, strict=True))
    if [(column.name, duckdb.sqltype(column.type)) for column in columns] == list(types.items()):
        return found
    return found.project(
        ", ".join(
            f'"{column.name}"'
            if types.get(column.name) == duckdb.sqltype(column.type)
            else f'CAST({_quoted_if(column.name in types, column.name)} AS {column.type}) AS "{column.name}"'
            for column in columns
        )
    )


def _quoted_if(there: bool, name: str) -> str:
    return f'"{name}"' if there else "NULL"
