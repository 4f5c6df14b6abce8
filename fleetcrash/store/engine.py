"""Questions to the lake, answered by DuckDB as of an instant.

An engine holds one in-memory DuckDB database whose views read the Parquet files of the lake's newest snapshot.
The views in ``sql/views/`` leave out whatever was not known by ``as_of``; every query reads those views, so
that no answer depends on what came later. Values reach a query as ``$named`` parameters only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from fleetcrash.errors import LakeError
from fleetcrash.records import BATCH_ID
from fleetcrash.store.lake import Lake
from fleetcrash.store.reading import rows_of
from fleetcrash.store.snapshot import Snapshots, TableFiles

_VIEWS = (
    "crashes",
    "installs",
    "updates",
    "hosts",
    "presence",
    "steps",
    "exposure_history",
    "exposures",
    "host_spans",
)


_LOOKS = 4
# A file may be deleted between the look at which there are and its reading: by a forget, or a compaction that keeps
# none.


class Engine:
    """A read-only look at a lake as of an instant. Not for two threads at once; use it as a context manager.

    Args:
        lake: the lake to read.
        as_of: aware UTC instant; records known later do not exist. None: the newest known time of the lake.
        threads: DuckDB worker threads; None: one a core.
    Raises:
        LakeError: the lake cannot be read.
    """

    def __init__(self, lake: Lake, *, as_of: datetime | None = None, threads: int | None = None) -> None:
        self._lake = lake
        self._con = duckdb.connect(config={} if threads is None else {"threads": threads})
        self._con.execute("SET TimeZone = 'UTC'")
        self._con.execute("SET preserve_insertion_order = false")
        self._snapshots = Snapshots(lake, self._con)
        self._snapshot: dict[str, TableFiles] = {}
        self._assumed: set[str] | None = None  # views that are defined without records of what they tell
        self._as_of: datetime | None = None
        self.refresh()
        self.as_of = as_of if as_of is not None else self.newest_known()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; the lake is untouched."""
        self._con.close()

    @property
    def as_of(self) -> datetime | None:
        """The instant that answers are as of; None in a lake without a record."""
        return self._as_of

    @as_of.setter
    def as_of(self, instant: datetime | None) -> None:
        self._as_of = instant
        self._con.execute("SET VARIABLE as_of = CAST($as_of AS TIMESTAMPTZ)", {"as_of": instant})
        self._define_views()

    def refresh(self) -> bool:
        """Take the lake's newest snapshot, of whole batches only. Returns whether anything had changed."""
        for left in reversed(range(_LOOKS)):
            try:
                return self._refresh()
            except LakeError:
                self._snapshot = {}
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _refresh(self) -> bool:
        try:
            taken = self._snapshots.take()
        except duckdb.Error as error:
            raise self._unreadable(error, reads_files=True) from error
        if taken == self._snapshot:
            return False
        for name, table_files in taken.items():
            if table_files != self._snapshot.get(name):
                self._define_table(name, table_files)
        self._snapshot = taken
        if self._assumed is not None:  # else the views' variable has no type yet
            self._define_views()
        return True

    def newest_known(self) -> datetime | None:
        """The newest time at which a record of the lake became known; None without records."""
        found = self.rows("newest_known")[0]["newest_us"]
        return None if found is None else datetime.fromtimestamp(found / 1e6, tz=UTC)

    def table(self, query: str, **parameters: Any) -> pa.Table:
        """The answer of one query file as an Arrow table."""
        try:
            return self._con.sql(query_text(query), params=parameters or None).to_arrow_table()
        except duckdb.Error as error:
            raise self._unreadable(error) from error

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """The answer of one query file as a list of dicts; times are aware datetimes in UTC."""
        answer: list[dict[str, Any]] = self.table(query, **parameters).to_pylist()
        return answer

    def frame(self, query: str, **parameters: Any) -> Any:
        """The answer of one query file as a pandas DataFrame."""
        return self.table(query, **parameters).to_pandas()

    def keep(self, name: str, query: str, **parameters: Any) -> None:
        """Keep the answer of a query file as a temporary table that later queries of this engine may read."""
        answer = self.table(query, **parameters)
        self._con.register("_answer", answer)
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM _answer")  # noqa: S608 - a name of ours
        self._con.unregister("_answer")

    def _define_views(self) -> None:
        told = self.rows("sources_of_exposure")[0]
        assumed = set()
        if told["presence_source"] == "assumed":
            assumed.add("presence")
        if told["exposure_source"] != "installs":
            assumed.add("steps")
        if assumed == self._assumed:
            return
        self._assumed = None
        for view in _VIEWS:
            text = query_text(f"views/{view}_assumed" if view in assumed else f"views/{view}")
            try:
                self._con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {text}")
            except duckdb.Error as error:
                raise self._unreadable(error) from error
        self._assumed = assumed

    def _unreadable(self, error: duckdb.Error, *, reads_files: bool = False) -> Exception:
        """What to raise for an error of DuckDB: a file that is gone or damaged is the lake's, anything else is ours.

        Args:
            reads_files: DuckDB did nothing but open files of the lake.
        """
        first_line = str(error).splitlines()[0]
        damaged = isinstance(error, duckdb.InvalidInputException) and "file" in first_line.lower()
        if reads_files or damaged or isinstance(error, duckdb.IOException):
            return LakeError(f"The lake at {self._lake.root} cannot be read: {first_line}")
        return error

    def _define_table(self, name: str, table_files: TableFiles) -> None:
        try:
            rows = rows_of(self._con, name, table_files.paths)
            if table_files.unbooked:
                batch = duckdb.ColumnExpression(BATCH_ID.name)
                others = batch.isnotin(*map(duckdb.ConstantExpression, table_files.unbooked))
                rows = rows.filter(batch.isnull() | others)
            rows.create_view(f"lake_{name}", replace=True)
        except duckdb.Error as error:
            raise self._unreadable(error, reads_files=True) from error


@cache
def query_text(name: str) -> str:
    """The SQL of a query file, comments included."""
    return files("fleetcrash.store").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
