"""Consistent snapshots of the whole lake: which files to read, and which batches in them to leave out.

A batch is committed to one table after another and entered in the books last. A reader in between would see half of
it; so a snapshot reads the books first, and then only rows of batches that it found there. A batch whose writer died
half-way stays invisible until it is loaded again, or until a later batch leans on it (``batch.leans_on``).
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
        unbooked: batches whose rows are to be left out. Mostly none: a file of one batch is in or out as a whole, and
            only compaction makes files with several.
    """

    paths: tuple[str, ...]
    unbooked: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Identifies what is to be read, wherever the lake is: no file of a table is ever rewritten under its name."""
        names = sorted(PurePath(path).name for path in self.paths)
        return hashlib.sha256(repr((names, sorted(self.unbooked))).encode()).hexdigest()


@dataclass(frozen=True)
class _Held:
    """A file with rows of batches that are not in the books yet.

    Attributes:
        unbooked: these batches.
        has_others: whether it has rows of other batches, or of none, as well.
    """

    unbooked: frozenset[str]
    has_others: bool


class Snapshots:
    """Takes snapshots of a lake. Not for two threads at once.

    A batch is never removed from the books. So a file whose batches were all found there is never read again, and of
    the books only new files are. What is remembered grows with the files, not with the batches that there ever were.

    Args:
        lake: the lake to read.
        con: a database to read batches' names with.
    """

    def __init__(self, lake: Lake, con: duckdb.DuckDBPyConnection) -> None:
        self._lake = lake
        self._con = con
        self._books: frozenset[str] = frozenset()  # paths of files of the books that were read
        self._settled: frozenset[str] = frozenset()  # paths of files whose batches are all in the books
        self._held: dict[str, _Held] = {}  # by path

    def take(self) -> dict[str, TableFiles]:
        """The files of every table, as of the books of this moment.

        Raises:
            LakeError: a table cannot be read.
            duckdb.Error: a file cannot be read.
        """
        books = self._lake.files(_BOOKS)
        files = {name: self._lake.files(name) for name in table_columns() if name != _BOOKS}
        in_batches = {name: found for name, found in files.items() if BATCH_ID in table_columns()[name]}
        self._sort(frozenset(file.path for file in books), [file for found in in_batches.values() for file in found])
        taken = {name: TableFiles(tuple(file.path for file in found)) for name, found in files.items()}
        taken[_BOOKS] = TableFiles(tuple(file.path for file in books))
        for name, found in in_batches.items() if self._held else ():
            taken[name] = self._without_unbooked([file.path for file in found])
        return taken

    def _sort(self, books: frozenset[str], files: list[File]) -> None:
        """Find which files have rows of batches that are not in the books."""
        known = self._settled | self._held.keys()
        found = {file.path: self._batches_in(file) for file in files if file.path not in known}
        booked = self._read_books(books - self._books)
        if any(batches - booked - {None} for batches in found.values()):
            booked |= self._read_books(books & self._books)  # a merged file may hold old batches
        held = {}
        for path in [file.path for file in files]:
            if path in found:
                unbooked = frozenset(batch for batch in found[path] if batch is not None and batch not in booked)
                held[path] = _Held(unbooked, len(unbooked) < len(found[path]))
            elif path in self._held:
                unbooked = self._held[path].unbooked - booked
                others = self._held[path].has_others or len(unbooked) < len(self._held[path].unbooked)
                held[path] = _Held(unbooked, others)
        self._books = books
        self._held = {path: one for path, one in held.items() if one.unbooked}
        self._settled = frozenset(file.path for file in files if file.path not in self._held)

    def _without_unbooked(self, paths: list[str]) -> TableFiles:
        kept = [path for path in paths if path not in self._held or self._held[path].has_others]
        mixed = frozenset[str]().union(*(self._held[path].unbooked for path in kept if path in self._held))
        return TableFiles(tuple(kept), tuple(sorted(mixed)))

    def _batches_in(self, file: File) -> frozenset[str | None]:
        """The batches of a file's rows; None: rows of no batch, which are always visible."""
        if file.only_batch is not None:
            return frozenset([file.only_batch])
        found = self._con.read_parquet([file.path]).project(BATCH_ID.name).distinct().fetchall()
        return frozenset(batch for (batch,) in found)

    def _read_books(self, paths: frozenset[str]) -> set[str]:
        """The batches that files of the books name."""
        entries = rows_of(self._con, _BOOKS, sorted(paths)).project("batch_id, leans_on").fetchall() if paths else []
        booked = {batch for batch, _ in entries}
        return booked.union(*(leans_on for _, leans_on in entries if leans_on))
