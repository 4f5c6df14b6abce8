"""Questions to the lake, answered by DuckDB as of an instant.

An engine holds one in-memory DuckDB database whose views read the Parquet files of the lake's newest snapshot.
The views in ``sql/views/`` leave out whatever was not known by ``as_of``; every query reads those views, so
that no answer depends on what came later. Values reach a query as ``$named`` parameters only. What takes long to count
is kept beside the facts, see ``aggregates``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import duckdb
import pyarrow as pa

from fleetcrash.errors import LakeError
from fleetcrash.records import BATCH_ID
from fleetcrash.store.aggregates import AGGREGATES, Aggregates
from fleetcrash.store.database import connect
from fleetcrash.store.growth import GROW_FROM_S
from fleetcrash.store.kept import Kept, KeptTables
from fleetcrash.store.lake import Lake
from fleetcrash.store.look import Look
from fleetcrash.store.queries import query_text
from fleetcrash.store.reading import rows_of
from fleetcrash.store.snapshot import Snapshots, TableFiles
from fleetcrash.store.views import Views

_Found = TypeVar("_Found")

# A file may be deleted after it was listed and before it is read: by `forget`, or by a compaction that keeps none. When
# the log is read again, it names another in its place.
_LOOKS = 10

_BATCH_ROWS = 500_000  # some 20 MB of the largest answer, of fifteen million rows

# An answer that took less is not worth a file: it is counted anew.
CACHE_FROM_S = 0.05


class Engine:
    """A read-only look at a lake as of an instant. Not for two threads at once; use it as a context manager.

    Args:
        lake: the lake to read.
        as_of: aware UTC instant; records known later do not exist. None: the newest known time of the lake.
        threads: DuckDB worker threads; None: one a core.
        cache_from_s: aggregates that take so long are kept in the lake's folder ``_cache``, for whoever asks the same
            of the same records; None: none are kept, and none that are kept are used.
        grow_from_s: a kept table that took so long to make grows by what is new, where that can be told; see
            ``growth``.
    Raises:
        LakeError: the lake cannot be read.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        as_of: datetime | None = None,
        threads: int | None = None,
        cache_from_s: float | None = CACHE_FROM_S,
        grow_from_s: float = GROW_FROM_S,
    ) -> None:
        self._lake = lake
        self._aggregates = Aggregates(lake.root)
        self._cache_from_s = cache_from_s
        self._con = connect(threads=threads)
        self._con.execute("SET preserve_insertion_order = false")
        self._views = Views(self._con)
        self._kept = KeptTables(self._con, self._now, self._views, grow_from_s=grow_from_s)
        self._snapshots = Snapshots(lake, self._con)
        self._snapshot: dict[str, TableFiles] = {}
        self._assumed: set[str] | None = None  # views that are defined without records of what they tell
        self._as_of: datetime | None = None
        self._look(lambda: self._open(as_of))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; the lake is untouched."""
        self._kept.forget_look()
        self._con.close()

    def interrupt(self) -> None:
        """End what another thread is asking; it fails there. Nothing is lost by it."""
        self._con.interrupt()

    @property
    def as_of(self) -> datetime | None:
        """The instant that answers are as of; None in a lake without a record."""
        return self._as_of

    @as_of.setter
    def as_of(self, instant: datetime | None) -> None:
        self._as_of = instant
        self._kept.forget_look()
        self._con.execute("SET VARIABLE as_of = CAST($as_of AS TIMESTAMPTZ)", {"as_of": instant})
        self._turn_views()

    def refresh(self) -> bool:
        """Take the lake's newest snapshot, of whole batches only. Returns whether anything had changed."""
        return self._look(self._refresh)

    def _look(self, work: Callable[[], _Found]) -> _Found:
        """Do what takes a snapshot and reads of it, again where a file of it is gone by then."""
        for left in reversed(range(_LOOKS)):
            try:
                return work()
            except LakeError:
                self._snapshot = {}
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _open(self, as_of: datetime | None) -> None:
        self._refresh()
        self.as_of = as_of if as_of is not None else self.newest_known()

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
        self._kept.forget_look()
        if self._assumed is not None:  # else the views' variable has no type yet
            self._turn_views()
        return True

    def newest_known(self) -> datetime | None:
        """The newest time at which a record of the lake became known; None without records."""
        found = self.rows("newest_known")[0]["newest_us"]
        return None if found is None else datetime.fromtimestamp(found / 1e6, tz=UTC)

    def table(self, query: str, **parameters: Any) -> pa.Table:
        """The answer of one query file as an Arrow table."""
        if self._cache_from_s is None or query not in AGGREGATES or not self._snapshot:
            return self._count(query, parameters)[0]
        key = self._kept.key(query, parameters)
        answer = self._aggregates.find(key)
        if answer is None:
            answer, took_s = self._count(query, parameters)
            if took_s >= self._cache_from_s:
                rests_on = (path for table_files in self._snapshot.values() for path in table_files.paths)
                self._aggregates.put(key, answer, rests_on=rests_on)
        return answer

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """The answer of one query file as a list of dicts; times are aware datetimes in UTC."""
        answer: list[dict[str, Any]] = self.table(query, **parameters).to_pylist()
        return answer

    def batches(self, query: str, **parameters: Any) -> Iterator[pa.RecordBatch]:
        """The answer of one query file, a part at a time, so that it need not all be there at once.

        Nothing else may be asked of the engine until it is at its end.

        Raises:
            LakeError: the lake cannot be read.
        """
        try:
            self._kept.make_for(query)
            self._views.define_for(query)
            yield from self._con.sql(query_text(query), params=parameters or None).to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            raise self._unreadable(error) from error
        except OSError as error:  # so Arrow tells what went wrong in DuckDB after the first part
            raise self._unreadable(duckdb.InvalidInputException(str(error))) from error

    def frame(self, query: str, **parameters: Any) -> Any:
        """The answer of one query file as a pandas DataFrame."""
        return self.table(query, **parameters).to_pandas()

    def keep(self, name: str, query: str, **parameters: Any) -> None:
        """Give the answer of a query file a name, as a table that later queries of this engine may read.

        It is made when one does, and brought up to date when the lake or the instant has changed since. It may read the
        tables that were named before it.
        """
        self._kept.keep(name, Kept(query, parameters))

    def keep_made(self, name: str, make: Callable[[], pa.Table], *, of: str, by: str) -> None:
        """The same with a table that a function makes.

        Args:
            make: it may ask this engine for what it needs.
            of: a query file without parameters; whenever its answer may be another, the table is made anew.
            by: tells the function from others: two of one name make the same table.
        """
        self._kept.keep(name, Kept(of, {}, make, by))

    def keep_passing(self, name: str, query: str) -> None:
        """The same without keeping rows: a question that reads it works it out then, from the tables that it reads.

        Args:
            query: without parameters. Of several queries that say the same the first one stays.
        """
        if not self._kept.keeps(name):
            self._kept.keep(name, Kept(query, {}, passing=True))

    def prepare(self, name: str) -> None:
        """Make a kept table now, unless it is up to date, rather than when a question reads it.

        Raises:
            LakeError: the lake cannot be read.
        """
        try:
            self._kept.make(name)
        except duckdb.Error as error:
            raise self._unreadable(error) from error

    def pack(self) -> None:
        """Pack the kept tables that were made by now: they take a third of the memory, and are read as fast.

        It takes a tenth of what making them took, so that it is for a large lake that is read once.

        Raises:
            LakeError: the lake cannot be read.
        """
        try:
            self._con.execute("CHECKPOINT memory")
        except duckdb.Error as error:
            raise self._unreadable(error) from error

    def _count(self, query: str, parameters: dict[str, Any]) -> tuple[pa.Table, float]:
        """The answer of a query file, and the seconds it takes with the kept tables that it reads, made or not."""
        try:
            made_s = self._kept.make_for(query)
            self._views.define_for(query)
            started = time.perf_counter()
            answer = self._con.sql(query_text(query), params=parameters or None).to_arrow_table()
        except duckdb.Error as error:
            raise self._unreadable(error) from error
        return answer, made_s + time.perf_counter() - started

    def _now(self) -> Look:
        return Look(self._snapshot, self._as_of, frozenset(self._assumed or ()))

    def _turn_views(self) -> None:
        """Have the views be those of the present look."""
        told = self.rows("sources_of_exposure")[0]
        assumed = set()
        if told["presence_source"] == "assumed":
            assumed |= {"sightings", "presence"}
        if told["exposure_source"] != "installs":
            assumed.add("steps")
        self._assumed = assumed
        self._views.turn_to(self._now())

    def _unreadable(self, error: duckdb.Error, *, reads_files: bool = False) -> Exception:
        """What to raise for an error of DuckDB: a file that is gone or damaged is the lake's, anything else is ours.

        Args:
            reads_files: DuckDB did nothing but open files of the lake.
        """
        first_line = str(error).splitlines()[0]
        damaged = isinstance(error, duckdb.InvalidInputException) and "file" in first_line.lower()
        damaged = damaged or "TProtocolException" in first_line  # what should be the header of a page is none
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
