"""In-memory DuckDB databases: an engine, a workbench and a rewriter each have one."""

from __future__ import annotations

import duckdb

# Part of the keys of kept answers: another version may answer otherwise.
VERSION: str = duckdb.__version__


def connect(*, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """An empty database in UTC that fetches and loads no extension and writes nothing to stdout.

    Args:
        threads: worker threads; None: one a core.
    """
    con = duckdb.connect(config={} if threads is None else {"threads": threads})
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET autoinstall_known_extensions = false")
    con.execute("SET autoload_known_extensions = false")
    # In a Python without a script (``python -c``, a spawned worker, a notebook) DuckDB would print a progress bar.
    con.execute("SET enable_progress_bar = false")
    return con
