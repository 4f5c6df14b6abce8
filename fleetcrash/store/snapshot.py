"""Looks at the whole lake, each consistent: which files to read, and whose rows in them to leave out.

A batch is committed to one table after another and entered in the books last. A reader that came in between would see
half of it; so a look takes the books first, and then only rows of batches that it found there. A batch whose writer
died half-way stays out of sight until it is loaded again, or until a later batch leans on it (``batch.leans_on``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

import duckdb

from fleetcrash.records import BATCH_ID, table_columns
from fleetcrash.store.lake import File, Lake
from fleetcrash.store.reading import rows_of

_BOOKS = "batch"


@dataclass(frozen=True)
class TableFiles:
    """What to read of one table.

    Attributes:
        paths: Parquet files.
        unbooked: batches whose rows in them are to be left out. Mostly none: a file of one batch is in or out as a
            whole, and only compaction makes files of several.
    """

    paths: tuple[str, ...]
    unbooked: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Tells what is to be read, wherever the lake is: a file of a table is never written again under its name."""
        names = sorted(PurePath(path).name for path in self.paths)
        return hashlib.sha256(repr((names, sorted(self.unbooked))).encode()).hexdigest()


class Snapshots:
    """Takes looks at a lake. Not for two threads at once.

    Args:
        lake: the lake to look at.
        con: a database to read batches' names with.
    """

    def __init__(self, lake: Lake, con: duckdb.DuckDBPyConnection) -> None:
        self._lake = lake
        self._con = con
        self._booked: set[str] = set()
        self._batches: dict[str, frozenset[str | None]] = {}  # by path; None: rows of no batch, which all may see

    def take(self) -> dict[str, TableFiles]:
        """The files of every table, as of the books of this moment.

        Raises:
            LakeError: a table cannot be read.
            duckdb.Error: a file cannot be read.
        """
        books = self._lake.files(_BOOKS)
        files = {name: self._lake.files(name) for name in table_columns() if name != _BOOKS}
        in_batches = {name: found for name, found in files.items() if BATCH_ID in table_columns()[name]}
        known = self._batches
        self._batches = {
            file.path: known[file.path] if file.path in known else self._batches_in(file)
            for found in in_batches.values()
            for file in found
        }
        written = frozenset(batch for batches in self._batches.values() for batch in batches if batch is not None)
        if not written <= self._booked:  # never taken out of the books, so what was found there once is there
            self._booked = self._read_books(books)
        unbooked = written - self._booked
        taken = {name: TableFiles(tuple(file.path for file in found)) for name, found in files.items()}
        taken[_BOOKS] = TableFiles(tuple(file.path for file in books))
        for name, found in in_batches.items() if unbooked else ():
            taken[name] = self._without(unbooked, found)
        return taken

    def _without(self, unbooked: frozenset[str], files: list[File]) -> TableFiles:
        held = [(file.path, self._batches[file.path]) for file in files]
        kept = [(path, batches) for path, batches in held if not batches <= unbooked]
        mixed = unbooked & {batch for _, batches in kept for batch in batches}
        return TableFiles(tuple(path for path, _ in kept), tuple(sorted(mixed)))

    def _batches_in(self, file: File) -> frozenset[str | None]:
        if file.only_batch is not None:
            return frozenset([file.only_batch])
        found = self._con.read_parquet([file.path]).project(BATCH_ID.name).distinct().fetchall()
        return frozenset(batch for (batch,) in found)

    def _read_books(self, books: list[File]) -> set[str]:
        entries = rows_of(self._con, _BOOKS, [file.path for file in books]).project("batch_id, leans_on").fetchall()
        booked = {batch for batch, _ in entries}
        return booked.union(*(leans_on for _, leans_on in entries if leans_on))
