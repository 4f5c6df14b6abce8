"""The in-memory DuckDB databases that questions, judging and rewriting each have one of."""

from __future__ import annotations

import duckdb

# Part of the keys of kept answers: another version may answer otherwise.
VERSION: str = duckdb.__version__


def connect(*, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """An empty database in UTC that writes nothing to stdout.

    Args:
        threads: worker threads; None: one a core.
    """
    con = duckdb.connect(config={} if threads is None else {"threads": threads})
    con.execute("SET TimeZone = 'UTC'")
    # Started without a script (``python -c``, a spawned worker, a notebook) DuckDB would draw its bar between results.
    con.execute("SET enable_progress_bar = false")
    return con
