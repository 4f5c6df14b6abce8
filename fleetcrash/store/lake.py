"""The lake: a folder of Delta tables, one a record kind, and the books that we keep on them.

Any number of processes may read and append at once. A batch is committed once to each table however often it
is tried: the commit carries the batch's id as an application transaction, and a second try finds it there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from fleetcrash.errors import LakeError
from fleetcrash.records import Column, table_columns

SCHEMA_VERSION = 1
_SCHEMA_KEY = "fleetcrash.schema"

_WRITER = WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=60_000)
# Row groups of 60,000 rows let a query on one host or hour skip most of a file; zstd halves the bytes of the
# writer's default compression.

_UNFIT = re.compile(r"[%\[\]\\^|\x00-\x1f\x7f]")
# deltalake takes a path for a URL: it reads %41 as A and dies, of a panic that is no Exception, of the others.

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


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema in which rows of these columns are stored; every field may be null."""
    return pa.schema([pa.field(column.name, _ARROW_TYPES[column.type]) for column in columns])


@dataclass(frozen=True)
class File:
    """A Parquet file of a table.

    Attributes:
        only_batch: the batch of all its rows, where the log says so; None where they may be of several or of none.
    """

    path: str
    only_batch: str | None


@dataclass(frozen=True)
class Lake:
    """A lake at a path. Creating the object touches nothing; ``open`` checks, ``create`` makes.

    Attributes:
        root: the folder; each table is a folder of that name in it.
    """

    root: Path
    _tables: dict[str, DeltaTable] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, root: Path | str) -> Lake:
        """Open a lake that exists.

        Raises:
            LakeError: nothing is there, it is not a lake, or another version of fleetcrash wrote it.
        """
        lake = cls(Path(root))
        lake._check_path()
        if not lake.exists:
            found = "is a file" if lake.root.is_file() else "holds no lake"
            raise LakeError(
                f"{lake.root} {found}. Nothing was changed. "
                f"Load crash reports with `fleetcrash load PATH --lake {lake.root}` to make one."
            )
        for name in table_columns():
            lake._check_version(name)
        return lake

    @classmethod
    def create(cls, root: Path | str) -> Lake:
        """Open the lake at ``root``, making it and whatever table it lacks.

        Raises:
            LakeError: the path is a file, may not be written, or another version of fleetcrash wrote it.
        """
        lake = cls(Path(root))
        lake._check_path()
        if lake.root.exists() and not lake.root.is_dir():
            raise LakeError(
                f"{lake.root} is a file, and a lake is a folder. Nothing was changed. Choose another --lake."
            )
        try:
            lake.root.mkdir(parents=True, exist_ok=True)
            for name, columns in table_columns().items():
                DeltaTable.create(
                    lake._path(name),
                    arrow_schema(columns),
                    mode="ignore",
                    name=name,
                    configuration={_SCHEMA_KEY: str(SCHEMA_VERSION)},
                    raise_if_key_not_exists=False,
                )
                lake._check_version(name)
        except (OSError, DeltaError) as error:
            if isinstance(error, LakeError):
                raise
            raise LakeError(f"The lake at {lake.root} cannot be written: {_one_line(error)}.") from error
        return lake

    @property
    def exists(self) -> bool:
        """Whether every table of a lake is there."""
        return all(DeltaTable.is_deltatable(self._path(name)) for name in table_columns())

    def append(self, table: str, rows: pa.Table | pa.RecordBatchReader, *, batch_id: str, sequence: int = 1) -> bool:
        """Commit the rows of one batch to one table, once.

        Args:
            rows: the columns of the table in any order; absent ones are null. A reader is streamed.
            batch_id: names the batch; a second append under the same name to the same table does nothing.
            sequence: for a writer that appends under one name for ever; only a higher number is committed.
        Returns:
            True when this call committed the rows, False when the batch was there already.
        Raises:
            LakeError: the table cannot be written (disk full, not permitted, not a lake).
        """
        delta = self._fresh(table)
        if (delta.transaction_version(batch_id) or 0) >= sequence:
            return False
        try:
            write_deltalake(
                delta,
                _conform(rows, self.schemas[table]),
                mode="append",
                writer_properties=_WRITER,
                commit_properties=CommitProperties(app_transactions=[Transaction(batch_id, sequence)]),
            )
        except CommitFailedError as error:
            if (self._fresh(table).transaction_version(batch_id) or 0) >= sequence:
                return False  # another process committed the same batch in between
            raise LakeError(f"{table} in the lake at {self.root} is written by too many at once; try again.") from error
        except (OSError, DeltaError) as error:
            raise LakeError(f"{table} in the lake at {self.root} cannot be written: {_one_line(error)}.") from error
        return True

    def committed(self, table: str, batch_id: str) -> bool:
        """Whether the batch is in the table already."""
        return self._fresh(table).transaction_version(batch_id) is not None

    def files(self, table: str) -> list[File]:
        """The Parquet files of the table's newest snapshot; a reader of them sees no later commit.

        Raises:
            LakeError: the table cannot be read.
        """
        added = pa.table(self._fresh(table).get_add_actions(flatten=True))
        kept = [name for name in added.column_names if name == "path" or name.endswith(".batch_id")]
        return [
            File(f"{self._path(table)}/{unquote(row['path'])}", _only_batch(row))
            for row in added.select(kept).to_pylist()
        ]

    def versions(self) -> dict[str, int]:
        """The newest commit of each table; equal versions mean equal answers."""
        return {name: self._fresh(name).version() for name in table_columns()}

    def compact(self, *tables: str) -> None:
        """Merge small files and write checkpoints, of all tables or those named. Readers go on; their files stay."""
        for name in tables or table_columns():
            delta = self._fresh(name)
            delta.optimize.compact(writer_properties=_WRITER)
            delta.create_checkpoint()

    @cached_property
    def schemas(self) -> dict[str, pa.Schema]:
        """The Arrow schema of each table."""
        return {name: arrow_schema(columns) for name, columns in table_columns().items()}

    def _path(self, table: str) -> str:
        return str(self.root / table)

    def _fresh(self, table: str) -> DeltaTable:
        def load() -> DeltaTable:
            delta = self._tables.get(table)
            if delta is None:
                return DeltaTable(self._path(table))
            delta.update_incremental()
            return delta

        self._tables[table] = self._reading(table, load)
        return self._tables[table]

    def _reading(self, table: str, read: Callable[[], DeltaTable]) -> DeltaTable:
        try:
            return read()
        except TableNotFoundError as error:
            raise LakeError(f"The lake at {self.root} has no table {table}; load into it to make one.") from error
        except (OSError, DeltaError) as error:
            raise LakeError(f"{table} in the lake at {self.root} cannot be read: {_one_line(error)}.") from error

    def _check_path(self) -> None:
        unfit = _UNFIT.search(self.root.absolute().as_posix())
        if unfit:
            raise LakeError(
                f"{str(self.root)!r} has {unfit.group()!r} in its path, where no lake can be. "
                "Nothing was changed. Choose another --lake."
            )
        try:
            self.root.exists()
        except OSError as error:
            raise LakeError(
                f"{str(self.root)[:80]} cannot be a lake: {error.strerror}. Nothing was changed."
            ) from error

    def _check_version(self, table: str) -> None:
        found = self._fresh(table).metadata().configuration.get(_SCHEMA_KEY)
        if found != str(SCHEMA_VERSION):
            raise LakeError(
                f"The lake at {self.root} was written by schema {found or 'unknown'} ({table}); this version reads "
                f"{SCHEMA_VERSION}. Nothing was changed. Use the version of fleetcrash that wrote it."
            )


def _only_batch(added: dict[str, Any]) -> str | None:
    low, high = added.get("min.batch_id"), added.get("max.batch_id")
    return low if low == high and added.get("null_count.batch_id") == 0 else None


def _conform(rows: pa.Table | pa.RecordBatchReader, schema: pa.Schema) -> pa.Table | pa.RecordBatchReader:
    if isinstance(rows, pa.RecordBatchReader):
        tables = (_conform(pa.Table.from_batches([batch]), schema) for batch in rows)
        return pa.RecordBatchReader.from_batches(schema, (batch for table in tables for batch in table.to_batches()))
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
