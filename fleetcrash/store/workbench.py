"""A DuckDB database in which incoming rows are judged before they reach the lake.

The engine answers questions as of an instant; the workbench knows no instant. It holds the rows of one
batch as temporary tables, compares them with what the lake holds, and hands the result over as Arrow.
Values reach a statement as ``$named`` parameters only.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from fleetcrash.errors import LakeError
from fleetcrash.store import trouble
from fleetcrash.store.database import connect
from fleetcrash.store.lake import Lake
from fleetcrash.store.reading import rows_of

# Judging a batch of 128 MiB of lines took some 330 MiB; the rest is for comparing it with a large lake.
MEMORY_LIMIT = "2GiB"

# DuckDB's advice against what ``Workbench.table`` does for the reason given there.
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)


class Workbench:
    """An in-memory DuckDB database beside a lake. Not for two threads at once; use it as a context manager.

    It reads no files but those of the lake, and loads no extension, as what it judges comes from strangers.

    Args:
        lake: the lake that ``lake_view`` reads.
        threads: DuckDB worker threads; None: one a core.
    """

    def __init__(self, lake: Lake, *, threads: int | None = None) -> None:
        self._lake = lake
        self._con = connect(threads=threads)
        self._con.execute("SET memory_limit = $limit", {"limit": MEMORY_LIMIT})
        folders = [str(root.resolve()) for root in lake.roots]
        self._con.execute("SET allowed_directories = $folders", {"folders": folders})
        self._con.execute("SET enable_external_access = false")
        self._con.execute("SET lock_configuration = true")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; the lake is untouched."""
        self._con.close()

    def run(self, statements: str, **parameters: Any) -> None:
        """Run SQL for its effect on the temporary tables."""
        self._con.execute(statements, parameters or None)

    def table(self, query: str, **parameters: Any) -> pa.Table:
        """The answer of a query as an Arrow table."""
        # A relation would be planned when it is made and again when it is read. These queries are long, so that this
        # takes longer than what a relation saves: one copy of the answer. (Not for a database that need not preserve
        # the order of insertion: there DuckDB 2.0 hands over the rows of an ORDER BY in any order.)
        try:
            return self._con.execute(query, parameters or None).to_arrow_table()
        except duckdb.IOException as error:
            raise self._unreadable(error) from error

    def reader(self, query: str, **parameters: Any) -> pa.RecordBatchReader:
        """The answer of a query as a stream of Arrow batches; read it before running anything else."""
        try:
            return self._con.sql(query, params=parameters or None).to_arrow_reader()
        except duckdb.IOException as error:
            raise self._unreadable(error) from error

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """The answer of a query as a list of dicts; for answers of few rows."""
        return self.table(query, **parameters).to_pylist()

    def register(self, name: str, rows: pa.Table) -> None:
        """Make an Arrow table readable under a name, without copying it; an earlier table of the name is replaced."""
        self._con.register(name, rows)

    def unregister(self, name: str) -> None:
        """Release a registered Arrow table."""
        self._con.unregister(name)

    def lake_view(self, table: str, paths: Collection[str] | None = None) -> bool:
        """Make ``lake_<table>`` read a table.

        Args:
            paths: files to read; None: those of the newest snapshot, unfinished batches included.
        Returns:
            Whether it has any row.
        Raises:
            LakeError: the table cannot be read.
        """
        files = [file.path for file in self._lake.files(table)] if paths is None else list(paths)
        try:
            rows_of(self._con, table, files).create_view(f"lake_{table}", replace=True)
        except duckdb.Error as error:
            raise self._unreadable(error) from error
        return bool(files)

    def _unreadable(self, error: duckdb.Error) -> LakeError:
        return trouble.unreadable_file(self._lake.root, str(error).splitlines()[0])
