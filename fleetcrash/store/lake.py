"""The lake: a folder of Delta tables, one a record kind, and the books about their batches.

Any number of processes may read and append at once. A batch is committed once to each table however often it
is tried: the commit carries the batch's id as an application transaction, and a second try finds it there.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from deltalake import ColumnProperties, CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from fleetcrash.errors import LakeError
from fleetcrash.records import table_columns
from fleetcrash.store import trouble
from fleetcrash.store.batch_names import RETENTION, BatchNames
from fleetcrash.store.encoding import COMPRESSION, COMPRESSION_LEVEL, NEAR_ANOTHER, ROW_GROUP_ROWS, SELDOM_TWICE
from fleetcrash.store.paths import check_path
from fleetcrash.store.schema import SCHEMA_KEY, SCHEMA_VERSION, arrow_schema, conformed, streamed

_WRITER = WriterProperties(
    compression=COMPRESSION,
    compression_level=COMPRESSION_LEVEL,
    max_row_group_size=ROW_GROUP_ROWS,
    column_properties={
        name: ColumnProperties(
            dictionary_enabled=False, encoding="DELTA_BINARY_PACKED" if name in NEAR_ANOTHER else None
        )
        for name in SELDOM_TWICE
    },
)

_COMPRESSION = 4  # rows in memory to bytes on disk, at the least
_SPARE_BYTES = 1 << 20  # for the log

# deltalake refuses an append that meets a change of rows, such as a mark on quarantined ones, and refuses that change
# as well; the next try gets through.
_WRITE_TRIES = 3

# Housekeeping may delete a checkpoint after it was found to be the newest and before it is read.
_OPEN_TRIES = 3

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class File:
    """A Parquet file of a table.

    Attributes:
        only_batch: the batch of all its rows, where the log says so; None where they may be of several or of none.
        size_bytes, rows: as the log has it; rows is None where it does not say.
    """

    path: str
    only_batch: str | None
    size_bytes: int
    rows: int | None


@dataclass(frozen=True)
class Lake:
    """A lake at a path. Creating the object touches nothing; ``open`` checks, ``create`` makes.

    Attributes:
        root: the folder; each table is a folder of that name in it.
    """

    root: Path
    _tables: dict[str, DeltaTable] = field(default_factory=dict, repr=False, compare=False)
    _names: BatchNames = field(default_factory=BatchNames, repr=False, compare=False)

    @classmethod
    def open(cls, root: Path | str) -> Lake:
        """Open a lake that exists.

        Raises:
            LakeError: nothing is there, it is not a lake, or another version of fleetcrash wrote it.
        """
        lake = cls(Path(root))
        check_path(lake.root)
        if not lake.exists:
            raise trouble.absent(lake.root, lake.has)
        for name in table_columns():
            lake._check_version(name)
        return lake

    @classmethod
    def create(cls, root: Path | str) -> Lake:
        """Open the lake at ``root``, making it and whatever table it lacks.

        Raises:
            LakeError: the path is a file, may not be written, or another version of fleetcrash wrote it.
        """
        lake = cls.to_make(root)
        lake.make()
        return lake

    @classmethod
    def to_make(cls, root: Path | str) -> Lake:
        """The lake at ``root``, of which all or some may still be to ``make``. Nothing is touched.

        Raises:
            LakeError: none can be there, the path is a file, or another version of fleetcrash wrote it.
        """
        lake = cls(Path(root))
        check_path(lake.root)
        if lake.root.exists() and not lake.root.is_dir():
            raise trouble.of_a_file(lake.root)
        for name in table_columns():
            if lake.has(name):
                lake._check_version(name)
        return lake

    def make(self) -> None:
        """Make whatever table is missing.

        Raises:
            LakeError: the folder may not be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for name in table_columns():
                if self.has(name):
                    continue
                DeltaTable.create(
                    self._path(name),
                    self.schemas[name],
                    mode="ignore",
                    name=name,
                    configuration={SCHEMA_KEY: str(SCHEMA_VERSION), **RETENTION},
                    raise_if_key_not_exists=False,
                )
                self._check_version(name)
        except (OSError, DeltaError) as error:
            if isinstance(error, LakeError):
                raise
            raise trouble.unmade(self.root, error) from error

    def for_another_thread(self) -> Self:
        """The same lake, for use by another thread beside this one."""
        return replace(self, _tables={}, _names=BatchNames())

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders in which the files are."""
        return (self.root,)

    @property
    def exists(self) -> bool:
        """Whether every table of a lake is there."""
        return all(self.has(name) for name in table_columns())

    def has(self, table: str) -> bool:
        """Whether a table is there, readable or not."""
        try:
            return DeltaTable.is_deltatable(self._path(table))
        except OSError:  # we are not permitted to look into its folder, and whoever opens it is told so
            return True

    def check_present(self) -> None:
        """See that a lake is there, whole or not.

        Raises:
            LakeError: there is none, or we are not permitted to look.
        """
        check_path(self.root)
        if not any(_is_folder(self.folder(name) / "_delta_log") for name in table_columns()):
            raise trouble.absent(self.root, self.has)

    def check_writable(self) -> None:
        """Check, before housekeeping begins, that we may write wherever it writes.

        Raises:
            LakeError: a table's folder is read-only to us.
        """
        for name in table_columns():
            for folder in (self.folder(name), self.folder(name) / "_delta_log"):
                if folder.is_dir() and not os.access(folder, os.W_OK):
                    raise trouble.read_only(self.root, name)

    def append(self, table: str, rows: pa.Table, *, batch_id: str, sequence: int = 1) -> bool:
        """Commit the rows of one batch to one table, once.

        Args:
            rows: the columns of the table in any order; absent ones are null.
            batch_id: names the batch; a second append under the same name to the same table does nothing.
            sequence: for a writer that always appends under one name; only a higher number is committed.
        Returns:
            True when this call committed the rows, False when the batch was there already.
        Raises:
            LakeError: the table cannot be written (disk full, not permitted, not a lake).
        """
        for left in reversed(range(_WRITE_TRIES)):
            # deltalake panics, with a stack on stderr, when the disk fills up while it writes; so check first.
            if shutil.disk_usage(self.root).free < rows.nbytes // _COMPRESSION + _SPARE_BYTES:
                raise trouble.full(self.root, table)
            try:
                names = [Transaction(batch_id, sequence), *(Transaction(*name) for name in self._names.retired(table))]
                # Looked up in the snapshot that the commit starts from, so that a later commit of the batch is noticed.
                snapshot = self.delta(table)
                if (snapshot.transaction_version(batch_id) or 0) >= sequence:
                    return False
                if self.folder(table).is_dir() and not os.access(self.folder(table), os.W_OK):  # deltalake would panic
                    raise trouble.read_only(self.root, table)
                write_deltalake(
                    snapshot,
                    self._as_stored(table, rows),
                    mode="append",
                    writer_properties=_WRITER,
                    commit_properties=CommitProperties(app_transactions=names),
                )
                self._names.committed(table, batch_id)
                return True
            except CommitFailedError as error:
                if self.sequence(table, batch_id) >= sequence:
                    return False  # another process committed the same batch in between
                if not left:
                    raise LakeError(
                        f"{table} in the lake at {self.root} is written by too many at once; try again."
                    ) from error
            except (OSError, DeltaError) as error:
                if isinstance(error, LakeError):
                    raise
                if not left or trouble.is_full(error):
                    raise trouble.unwritable(self.root, table, error) from error
                self._tables.pop(table, None)  # its checkpoint may have been replaced by a newer one
        raise AssertionError("unreachable")

    def retire(self, batch_id: str) -> None:
        """Let the tables forget the name of a batch that will never be appended again, as each name costs all readers.

        For those to which this object appended it; each forgets it when something is appended there again.
        """
        self._names.retire(batch_id)

    def _as_stored(self, table: str, rows: pa.Table) -> pa.Table | pa.RecordBatchReader:
        """Rows in the table's types; texts that are stored once and shared are expanded only while they are written."""
        are_shared = any(pa.types.is_dictionary(column.type) for column in rows.schema)
        return streamed(rows, self.schemas[table]) if are_shared else conformed(rows, self.schemas[table])

    def mark_replayed(self, rows: pa.Table) -> None:
        """Mark records in the quarantine as taken in by a replay. Marking them again changes nothing.

        Args:
            rows: their ``batch_id``, ``line`` and ``raw``, and as ``replayed_by`` the batch that took each in. Records
                of a batch with equal line and bytes are all marked, with the first of these.
        Raises:
            LakeError: the quarantine cannot be written.
        """
        record = ["batch_id", "line", "raw"]
        same = " AND ".join(f"held.{name} = taken.{name}" for name in record)
        # A merge refuses a row that matches two others. Lines are numbered by body, so that a body sent twice within a
        # second puts aside two equal records; one row here is enough for both.
        alike = rows.group_by(record, use_threads=False).aggregate([("replayed_by", "first")])
        taken = alike.rename_columns({"replayed_by_first": "replayed_by"})
        for left in reversed(range(_WRITE_TRIES)):
            try:
                merger = self.delta("quarantine").merge(
                    taken, same, source_alias="taken", target_alias="held", writer_properties=_WRITER
                )
                merger.when_matched_update({"replayed_by": "taken.replayed_by"}).execute()
                return
            except (OSError, DeltaError) as error:
                if not left or not isinstance(error, CommitFailedError):  # others write at the same time
                    raise trouble.unwritable(self.root, "quarantine", error) from error

    def committed(self, table: str, batch_id: str) -> bool:
        """Whether the batch is in the table already."""
        return self.ask(table, lambda delta: delta.transaction_version(batch_id)) is not None

    def sequence(self, table: str, batch_id: str) -> int:
        """The number under which a writer last appended to a table; zero before its first append.

        Raises:
            LakeError: the table cannot be read.
        """
        return self.ask(table, lambda delta: delta.transaction_version(batch_id)) or 0

    def files(self, table: str) -> list[File]:
        """The Parquet files of the table's newest snapshot; a reader of them sees no later commit.

        Raises:
            LakeError: the table cannot be read.
        """
        # Not pa.table(...): it imports pandas, which takes longer than a small load.
        added = pa.RecordBatchReader.from_stream(
            self.ask(table, lambda delta: delta.get_add_actions(flatten=True))
        ).read_all()
        told = ("path", "size_bytes", "num_records")
        kept = [name for name in added.column_names if name in told or name.endswith(".batch_id")]
        return [
            File(
                f"{self._path(table)}/{unquote(row['path'])}",
                _only_batch(row),
                row["size_bytes"],
                row.get("num_records"),
            )
            for row in added.select(kept).to_pylist()
        ]

    @cached_property
    def schemas(self) -> dict[str, pa.Schema]:
        """The Arrow schema of each table."""
        return {name: arrow_schema(columns) for name, columns in table_columns().items()}

    def folder(self, table: str) -> Path:
        """Where a table is."""
        return self.root / table

    def delta(self, table: str) -> DeltaTable:
        """The newest snapshot of a table, for the modules beside this one that write.

        Raises:
            LakeError: the table cannot be read.
        """
        known = self._tables.get(table)
        if known is not None:
            try:
                known.update_incremental()
                return known
            except (OSError, DeltaError):
                del self._tables[table]  # the log entries that it would continue from may have been deleted
        self._tables[table] = self._opened(table)
        return self._tables[table]

    def ask(self, table: str, question: Callable[[DeltaTable], _Answer]) -> _Answer:
        """The answer to a question about a table's newest snapshot, which may have to read the log.

        Raises:
            LakeError: the table cannot be read.
        """
        for left in reversed(range(_OPEN_TRIES)):
            try:
                return question(self.delta(table))
            except (OSError, DeltaError) as error:
                if isinstance(error, LakeError):
                    raise
                self._tables.pop(table, None)  # its checkpoint may have been replaced by a newer one
                if not left:
                    raise trouble.unreadable(self.root, table, error) from error
        raise AssertionError("unreachable")

    def schema_version(self, table: str) -> str | None:
        """The schema version that a table states.

        Raises:
            LakeError: the table cannot be read.
        """
        return self.ask(table, lambda delta: delta.metadata().configuration.get(SCHEMA_KEY))

    def _path(self, table: str) -> str:
        return str(self.folder(table))

    def _opened(self, table: str) -> DeltaTable:
        for left in reversed(range(_OPEN_TRIES)):
            try:
                return DeltaTable(self._path(table))
            except TableNotFoundError as error:
                raise LakeError(f"The lake at {self.root} has no table {table}; load into it to make one.") from error
            except (OSError, DeltaError) as error:
                if not left:
                    raise trouble.unreadable(self.root, table, error) from error
                time.sleep(0.02)
        raise AssertionError("unreachable")

    def _check_version(self, table: str) -> None:
        found = self.schema_version(table)
        if found != str(SCHEMA_VERSION):
            raise trouble.of_another_version(self.root, table, found)


def _only_batch(added: dict[str, Any]) -> str | None:
    low, high = added.get("min.batch_id"), added.get("max.batch_id")
    return low if low == high and added.get("null_count.batch_id") == 0 else None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # we are not permitted to look
        return False
