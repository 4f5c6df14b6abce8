"""Questions to the lake, answered by DuckDB as of an instant.

An engine holds one in-memory DuckDB database whose views read the Parquet files of the lake's newest snapshot.
The views in ``sql/views/`` leave out whatever was not known by ``as_of``; every query reads those views, so
that no answer depends on what came later. Values reach a query as ``$named`` parameters only. Answers that take
long to count are kept beside the facts, see ``aggregates``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import duckdb
import pyarrow as pa

from fleetcrash.errors import LakeError
from fleetcrash.records import BATCH_ID
from fleetcrash.store import trouble
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
from fleetcrash.times import instant_at

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
        cache_from_s: aggregates that take at least so long are kept in the lake's folder ``_cache``, for the same
            question about the same records; None: none are kept, and those that are kept are not used.
        grow_from_s: a kept table that took at least so long to make grows by what is new, where that is possible; see
            ``growth``.
    Attributes:
        unheard_systems: those of which no host tells its presence, though some install or crash, while hosts of others
            tell theirs; it is assumed then.
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
        self._assumed: set[str] | None = None  # views that stand for records that the lake does not have
        self._heard: dict[str, datetime] = {}  # systems of which a host is known to tell its presence, and since when
        self.unheard_systems: tuple[str, ...] = ()
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
        """Abort the query of another thread, where it fails. Nothing is lost."""
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

    @property
    def files(self) -> list[str]:
        """The files of the lake that answers rest on."""
        return [path for table_files in self._snapshot.values() for path in table_files.paths]

    def refresh(self) -> bool:
        """Take the lake's newest snapshot, of whole batches only. Returns whether anything had changed."""
        return self._look(self._refresh)

    def _look(self, work: Callable[[], _Found]) -> _Found:
        """Do work that takes a snapshot and reads it; repeat it if a file of the snapshot was deleted meanwhile."""
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
        return None if found is None else instant_at(found)

    def table(self, query: str, **parameters: Any) -> pa.Table:
        """The answer of one query file as an Arrow table."""
        if self._cache_from_s is None or query not in AGGREGATES or not self._snapshot:
            return self._count(query, parameters)[0]
        key = self._kept.key(query, parameters)
        answer = self._aggregates.find(key)
        if answer is None:
            answer, took_s = self._count(query, parameters)
            if took_s >= self._cache_from_s:
                self._aggregates.put(key, answer, rests_on=self.files)
        return answer

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """The answer of one query file as a list of dicts; times are aware datetimes in UTC."""
        return self.table(query, **parameters).to_pylist()

    def batches(self, query: str, **parameters: Any) -> Iterator[pa.RecordBatch]:
        """The answer of one query file, a part at a time, so that it is never all in memory.

        Nothing else may be asked of the engine until it is read to its end.

        Raises:
            LakeError: the lake cannot be read.
        """
        try:
            self._kept.make_for(query)
            self._views.define_for(query)
            yield from self._con.sql(query_text(query), params=parameters or None).to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            raise self._unreadable(error) from error
        except OSError as error:  # how Arrow reports what went wrong in DuckDB after the first part
            raise self._unreadable(duckdb.InvalidInputException(str(error))) from error

    def frame(self, query: str, **parameters: Any) -> Any:
        """The answer of one query file as a pandas DataFrame."""
        return self.table(query, **parameters).to_pandas()

    def keep(self, name: str, query: str, **parameters: Any) -> None:
        """Give the answer of a query file a name, as a table that later queries of this engine may read.

        It is made when a query first reads it, and brought up to date when one reads it after the lake or the instant
        has changed. It may read the tables that were named before it.
        """
        self._kept.keep(name, Kept(query, parameters))

    def keep_made(self, name: str, make: Callable[[], pa.Table], *, of: str, by: str) -> None:
        """Like ``keep``, for a table that a function makes.

        Args:
            make: it may ask this engine for what it needs.
            of: a query file without parameters; whenever its answer may have changed, the table is made anew.
            by: name of the function: two of the same name make the same table.
        """
        self._kept.keep(name, Kept(of, {}, make, by))

    def keep_passing(self, name: str, query: str) -> None:
        """Like ``keep``, without keeping rows: it is computed anew for each question that reads it.

        Args:
            query: without parameters. If the name is taken already, by a query of the same meaning, that one stays.
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
        """Compress the kept tables made so far: they take a third of the memory, and are read as fast.

        It takes a tenth of the time that making them took: worth it for a large lake that is read once.

        Raises:
            LakeError: the lake cannot be read.
        """
        try:
            self._con.execute("CHECKPOINT memory")
        except duckdb.Error as error:
            raise self._unreadable(error) from error

    def _count(self, query: str, parameters: dict[str, Any]) -> tuple[pa.Table, float]:
        """The answer of a query file, and the seconds it takes, with those to make the kept tables that it reads."""
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
        """Define the views for the present look."""
        told = self.rows("sources_of_exposure")[0]
        assumed, is_told = set[str](), told["presence_source"] != "assumed"
        self.unheard_systems = self._unheard() if is_told else ()
        if not is_told or self.unheard_systems:
            assumed |= {"heard_hosts", "sightings", "presence"}
        if told["exposure_source"] != "installs":
            assumed.add("steps")
        self._assumed = assumed
        self._views.turn_to(self._now())

    def _unheard(self) -> tuple[str, ...]:
        """The systems of ``unheard_systems``. In a large lake it takes long to find out; what is heard of stays so."""
        heard = {system for system, since in self._heard.items() if self._as_of is not None and since <= self._as_of}
        if all(row["os_type"] in heard for row in self.rows("systems_known")):
            return ()
        found = self.rows("systems_heard")
        self._heard |= {row["os_type"]: row["heard_at"] for row in found if row["heard_at"] is not None}
        return tuple(row["os_type"] for row in found if row["heard_at"] is None and row["is_active"])

    def _unreadable(self, error: duckdb.Error, *, reads_files: bool = False) -> Exception:
        """The exception for an error of DuckDB: LakeError for a file that is gone or damaged, else the error itself.

        Args:
            reads_files: DuckDB was only opening files of the lake.
        """
        first_line = str(error).splitlines()[0]
        damaged = isinstance(error, duckdb.InvalidInputException) and "file" in first_line.lower()
        damaged = damaged or "TProtocolException" in first_line  # a page without a valid header
        if reads_files or damaged or isinstance(error, duckdb.IOException):
            return trouble.unreadable_file(self._lake.root, first_line)
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
