"""Writing the rows of Parquet files anew: sorted, or without some of them, or changed.

deltalake's own ``z_order`` is not used. It holds all rows in memory, and it interleaves the bits of names: those with a
common prefix, such as host-000001, differ only in their last bits, which come after all bits of the module.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fleetcrash.errors import LakeError
from fleetcrash.store.database import connect
from fleetcrash.store.encoding import COMPRESSION, COMPRESSION_LEVEL, ROW_GROUP_ROWS
from fleetcrash.store.lake import Lake
from fleetcrash.store.log import NewFile
from fleetcrash.store.reading import rows_of
from fleetcrash.store.trouble import full, is_full, unreadable, unwritable

# A file is closed at this size: large enough to be few, small enough to be written again in seconds.
TARGET_BYTES = 128 * 1024 * 1024

# Prefix of folders in a lake for sorting more than fits into memory; they are deleted afterwards.
SPILL = "_spill-"

# Prefix of files that compaction has written.
SETTLED = "settled-"

_MEMORY_LIMIT = "1GiB"
_LONGEST_BOUND = 128  # characters; every reader reads the whole log, so long texts in it cost time


class Rewriter:
    """An in-memory DuckDB database that reads a lake's files in order to write them anew. Use it as a context manager.

    Args:
        lake: the lake; what does not fit into memory is put there temporarily.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._spill = lake.root / f"{SPILL}{uuid.uuid4()}"
        self._con = connect()
        self._con.execute("SET memory_limit = $limit", {"limit": _MEMORY_LIMIT})
        self._con.execute("SET temp_directory = $folder", {"folder": str(self._spill)})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._con.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    def stream(self, table: str, paths: Sequence[str], query: str, **values: str) -> Iterator[pa.RecordBatch]:
        """The answer of a query on ``rows``, the rows of some files of a table, as a stream of batches.

        Args:
            values: read by the query as ``getvariable('name')``; with parameters the answer would be held in memory.
        Raises:
            LakeError: a file cannot be read, or the disk has no room to sort them.
        """
        try:
            for name, value in values.items():
                self._con.execute(f"SET VARIABLE {name} = $value", {"value": value})
            rows_of(self._con, table, paths).create_view("rows", replace=True)
            yield from self._con.sql(query).to_arrow_reader(ROW_GROUP_ROWS)
        except (duckdb.Error, OSError) as error:  # Arrow reports so what went wrong in DuckDB after the first part
            wrong = full(self._lake.root, table) if is_full(error) else unreadable(self._lake.root, table, error)
            raise wrong from error

    def whole_rows(self, table: str, paths: Sequence[str], query: str, **values: str) -> Iterator[pa.RecordBatch]:
        """Like ``stream``, for an answer with the table's columns; in the types in which they are stored."""
        schema = self._lake.schemas[table]
        for batch in self.stream(table, paths, query, **values):
            yield from pa.Table.from_batches([batch]).cast(schema).to_batches()


def write_files(lake: Lake, table: str, batches: Iterable[pa.RecordBatch], *, settled: bool) -> list[NewFile]:
    """Write rows into files of the table's folder, which no reader sees until the log names them.

    Args:
        batches: of the table's schema.
        settled: whether the rows are in the order of compaction.
    Raises:
        LakeError: the folder cannot be written.
    """
    written: list[NewFile] = []
    paths: list[Path] = []
    try:
        pending = _row_groups(batches)
        first = next(pending, None)
        while first is not None:
            path = lake.folder(table) / f"{SETTLED if settled else 'part-'}{uuid.uuid4()}.parquet"
            paths.append(path)
            first = _write_file(path, lake.schemas[table], first, pending)
            written.append(_described(path))
    except BaseException as error:
        for path in paths:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, LakeError):
            raise unwritable(lake.root, table, error) from error
        raise
    return written


def _write_file(path: Path, schema: pa.Schema, first: pa.Table, more: Iterator[pa.Table]) -> pa.Table | None:
    """Write row groups until the file is large enough. Returns the first one of the next file."""
    with path.open("xb") as file:
        with pq.ParquetWriter(
            file, schema, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL, write_page_checksum=True
        ) as writer:
            group: pa.Table | None = first
            while group is not None:
                writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
                group = next(more, None)
                if file.tell() >= TARGET_BYTES:
                    break
        file.flush()
        os.fsync(file.fileno())  # before the files that it replaces are deleted
    return group


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += len(batch)
        if rows >= ROW_GROUP_ROWS:
            together = pa.Table.from_batches(held)
            yield together.slice(0, ROW_GROUP_ROWS)
            held = together.slice(ROW_GROUP_ROWS).to_batches()
            rows -= ROW_GROUP_ROWS
    if rows:
        yield pa.Table.from_batches(held)


def _described(path: Path) -> NewFile:
    with pq.ParquetFile(path) as parquet:
        metadata = parquet.metadata
    return NewFile(path.name, path.stat().st_size, metadata.num_rows, json.dumps(_statistics(metadata)))


def _statistics(metadata: pq.FileMetaData) -> dict[str, Any]:
    """What the log says about a file: rows, and least value, greatest value and nulls of each plain column."""
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for place in range(metadata.num_columns):
        parts = [metadata.row_group(group).column(place) for group in range(metadata.num_row_groups)]
        name = parts[0].path_in_schema
        told = [part.statistics for part in parts]
        if "." in name or not all(one is not None and one.has_null_count for one in told):
            continue
        nulls[name] = sum(one.null_count for one in told)
        bounded = [one for part, one in zip(parts, told, strict=True) if one.null_count < part.num_values]
        if bounded and all(one.has_min_max for one in bounded):
            low[name] = _plain(min(one.min for one in bounded))
            high[name] = _plain(max(one.max for one in bounded))
    return {
        "numRecords": metadata.num_rows,
        "minValues": {name: value for name, value in low.items() if value is not None},
        "maxValues": {name: value for name, value in high.items() if value is not None},
        "nullCount": nulls,
    }


def _plain(bound: Any) -> Any:
    """A bound in JSON; None for one that is better left out."""
    if isinstance(bound, datetime):
        return bound.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    if isinstance(bound, bool):
        return None
    if isinstance(bound, float):
        return bound if math.isfinite(bound) else None
    if isinstance(bound, str) and len(bound) > _LONGEST_BOUND:
        return None
    return bound if isinstance(bound, str | int) else None
