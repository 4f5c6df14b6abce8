"""Removing a host from the lake: from every table, and from every file below the lake's folder.

Deleting rows is not enough: the files that held them stay for readers, and the log states the least and the greatest
host of every file there ever was. So the files are written anew, checkpoints sum up the log, and what these replace is
deleted; commits too young to delete lose their values instead. Each step finds out by itself what is left to do, so
that after a kill at any point the same call does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fleetcrash.errors import BadArgument, LakeError
from fleetcrash.records import FRAMES, TEXT, TEXT_MAP, table_columns
from fleetcrash.store import begun, dumps
from fleetcrash.store.aggregates import Aggregates
from fleetcrash.store.housekeeping import sweep_spills
from fleetcrash.store.lake import File, Lake
from fleetcrash.store.log import (
    UNDER_WAY_S,
    Log,
    NewFile,
    Swept,
    age_s,
    checkpoint,
    delete,
    replace,
    replaced,
    unreferenced,
)
from fleetcrash.store.mentions import Mentions
from fleetcrash.store.remaining import Remaining, remaining_files
from fleetcrash.store.rewriting import SETTLED, Rewriter, write_files

# Strikes the host out of a book below a lake's folder that is not the store's own, and returns how many entries it
# changed. It raises LakeError.
Book = Callable[[Path, Mentions], int]

_TRIES = 5

# Columns in which a name may stand anywhere. A row whose raw bytes have it is deleted; a source and a document lose the
# name.
_TEXTS = {"quarantine": ("raw", "source"), "batch": ("source",), "incident": ("document",)}

# Maps in which an entry may name a host. A channel and its version in ``content`` never do, and who was exposed to what
# is judged by them.
_NAMING = ("tags",)

# Whether the name is anywhere in a value, even within a longer word; such values are then looked at closely.
_CONTAINS = {
    TEXT: "contains({0}, getvariable('host'))",
    TEXT_MAP: "list_bool_or(list_transform(list_concat(map_keys({0}), map_values({0})), "
    "lambda text: contains(text, getvariable('host'))))",
    FRAMES: "list_bool_or(list_transform({0}, "
    "lambda frame: contains(concat(frame.module, ' ', frame.\"function\"), getvariable('host'))))",
}


@dataclass
class Removed:
    """What was removed from one table.

    Attributes:
        rows: rows that were deleted.
        entries: rows of other hosts that lost an entry of a map.
        documents: rows whose document was changed.
        sources: rows in whose source the name was struck out.
    """

    rows: int = 0
    entries: int = 0
    documents: int = 0
    sources: int = 0


@dataclass
class Receipt:
    """What became of a host.

    Attributes:
        removed: by table.
        struck: entries of books in which the name was struck out.
        swept: files that were deleted.
        remaining: files that may still name the host; empty once it is gone for good.
        begun_before: an earlier run had begun to forget it, and was killed or left something.
    """

    host_id: str
    begun_before: bool = False
    removed: dict[str, Removed] = field(default_factory=dict)
    struck: int = 0
    swept: Swept = field(default_factory=Swept)
    remaining: list[Remaining] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """Whether any row or book named the host."""
        return self.struck > 0 or any(
            one.rows or one.entries or one.documents or one.sources for one in self.removed.values()
        )

    def as_json(self) -> dict[str, Any]:
        """For a command's output."""
        kinds = {name: one for name, one in self.removed.items() if name not in ("quarantine", "incident")}
        return {
            "schema": 1,
            "host_id": self.host_id,
            "found": self.found,
            "begun_before": self.begun_before,
            "rows": {name: one.rows for name, one in kinds.items()},
            "entries": sum(one.entries for one in kinds.values()),
            "quarantined": self.removed["quarantine"].rows,
            "documents": self.removed["incident"].documents,
            "sources": sum(one.sources for one in self.removed.values()),
            "struck": self.struck,
            "files": self.swept.files,
            "bytes": self.swept.size_bytes,
            "remaining": [{"path": one.path, "why": one.why} for one in self.remaining],
        }


def forget(lake: Lake, host_id: str, *, books: Sequence[Book] = ()) -> Receipt:
    """Remove a host from everything below the lake's folder. What arrives later is not forgotten.

    Args:
        books: strike the name out of the books below the folder in which people write; their entries stay.
    Raises:
        BadArgument: no host can have this name.
        LakeError: a table or a book cannot be read or written; run it again to do the rest.
    """
    try:
        host_id.encode()
    except UnicodeEncodeError:
        raise BadArgument("This name is not Unicode text, so no host can have it. Nothing was changed.") from None
    if not host_id:
        raise BadArgument("An empty name is no host's. Nothing was changed.")
    lake.check_writable()
    mentions = Mentions(host_id)
    receipt = Receipt(host_id, begun_before=begun.mark(lake.root, host_id))
    with Rewriter(lake) as rewriter:
        for table in table_columns():
            receipt.removed[table] = _remove(lake, table, mentions, rewriter)
    for table in table_columns():
        checkpoint(lake, table)
        receipt.swept += _sweep(lake, table, mentions, receipt.remaining)
    receipt.swept += dumps.forget(lake.root, mentions)
    for path in Aggregates(lake.root).clear():
        if _parquet_holds(path, mentions) is not False:
            receipt.remaining.append(
                Remaining(str(path), "is a kept answer that cannot be deleted; delete it yourself")
            )
    for folder in sweep_spills(lake):
        receipt.remaining.append(Remaining(str(folder), "somebody is compacting the lake; run this again afterwards"))
    for strike in books:
        receipt.struck += strike(lake.root, mentions)
    receipt.remaining += _left(lake, mentions)
    if not receipt.remaining:
        begun.unmark(lake.root, host_id)
    return receipt


def _remove(lake: Lake, table: str, mentions: Mentions, rewriter: Rewriter) -> Removed:
    """Write anew the files of a table that contain the host."""
    source = _Source(table, rewriter, mentions)
    for _ in range(_TRIES):
        removed = Removed()
        old: list[str] = []
        written: list[NewFile] = []
        files = lake.files(table)
        try:
            for file in source.concerned(files):
                old.append(Path(file.path).name)
                written += write_files(lake, table, source.cleaned(file, removed), settled=old[-1].startswith(SETTLED))
        except LakeError:
            delete([lake.folder(table) / one.name for one in written])
            if replaced(lake, table, [file.path for file in files]):
                continue
            raise
        if not old or replace(lake, table, old, written, same_rows=False):
            return removed
        delete([lake.folder(table) / one.name for one in written])  # the files were merged meanwhile
    raise LakeError(f"{table} in the lake at {lake.root} is written by too many at once; run it again later.")


class _Source:
    """The files of a table, with and without the host."""

    def __init__(self, table: str, rewriter: Rewriter, mentions: Mentions) -> None:
        self._table = table
        self._rewriter = rewriter
        self._mentions = mentions
        columns = table_columns()[table]
        self._columns = columns
        self._texts = _TEXTS.get(table, ())
        self._has_host = any(column.name == "host_id" for column in columns)
        # A tag with the value 32 or prod need not mean the host of that name, and is evidence of another host's crash.
        maps = [column.name for column in columns if column.name in _NAMING] if mentions.is_distinctive else []
        self._maps = [f'"{name}"' for name in maps]

    def concerned(self, files: Sequence[File]) -> list[File]:
        """The files that contain the host: many are searched at once, and those with a match more closely."""
        if not files or not (self._has_host or self._texts) or not self._any([file.path for file in files]):
            return []
        if len(files) == 1:
            return list(files)
        half = len(files) // 2
        return self.concerned(files[:half]) + self.concerned(files[half:])

    def cleaned(self, file: File, removed: Removed) -> Iterator[pa.RecordBatch]:
        """The rows of a file without the host; adds to ``removed`` what was removed."""
        if self._texts:
            for batch in self._rewriter.whole_rows(self._table, [file.path], "SELECT * FROM rows"):
                yield from self._cleaned_texts(batch, removed)
            return
        mine = "host_id IS NOT DISTINCT FROM getvariable('host')"
        counted = f"SELECT count(*) FILTER ({mine}) AS mine, count(*) AS all_of_them FROM rows WHERE {self._where()}"  # noqa: S608
        for batch in self._stream([file.path], counted):
            (row,) = batch.to_pylist()
            removed.rows += row["mine"]
            removed.entries += row["all_of_them"] - row["mine"]
        other = "lambda e: e.key <> getvariable('host') AND e.value IS DISTINCT FROM getvariable('host')"
        maps = ", ".join(
            f"map_from_entries(list_filter(map_entries({name}), {other})) AS {name}" for name in self._maps
        )
        query = f"SELECT *{f' REPLACE ({maps})' if maps else ''} FROM rows WHERE NOT ({mine})"  # noqa: S608
        yield from self._rewriter.whole_rows(self._table, [file.path], query, host=self._mentions.name)

    def elsewhere(self, files: Sequence[File]) -> list[str]:
        """Columns in which rows of other hosts have its name, or the same text: a site may have its only host's name.

        These values belong to the other hosts and stay. Columns that hold only words of our own are not searched; a
        document may contain the name as such a word.
        """
        looked = [
            column
            for column in self._columns
            if column.type in _CONTAINS and not column.values and column.name not in ("host_id", "reason", *self._texts)
        ]
        if files and "document" in self._texts:  # JSON escapes some letters
            documents = self._rewriter.stream(self._table, [file.path for file in files], "SELECT document FROM rows")
            return ["document"] * any(self._mentions.in_column(batch["document"]).any() for batch in documents)
        if not files or not looked:
            return []
        names = ", ".join(f'"{column.name}"' for column in looked)
        contained = " OR ".join(_CONTAINS[column.type].format(f'"{column.name}"') for column in looked)
        found = set[str]()
        for batch in self._stream([file.path for file in files], f"SELECT {names} FROM rows WHERE {contained}"):  # noqa: S608
            for name in batch.schema.names:
                if _found(name, batch[name], self._mentions):
                    found.add(name)
        return sorted(found)

    def _cleaned_texts(self, batch: pa.RecordBatch, removed: Removed) -> Iterator[pa.RecordBatch]:
        if "raw" in self._texts:
            mine = self._mentions.in_column(batch["raw"])
            removed.rows += int(mine.sum())
            batch = batch.filter(pa.array(~mine))
        if "document" in self._texts:
            batch, changed = _changed(batch, "document", self._mentions.in_column, self._mentions.without)
            removed.documents += changed
        if "source" in self._texts:
            batch, changed = _changed(batch, "source", self._mentions.in_sources, self._mentions.struck_in_source)
            removed.sources += changed
        yield batch

    def _any(self, paths: list[str]) -> bool:
        if self._texts:
            names = ", ".join(self._texts)
            return any(
                self._mentions.in_documents(batch[name]).any()
                if name == "document"
                else _found(name, batch[name], self._mentions)
                for batch in self._rewriter.stream(self._table, paths, f"SELECT {names} FROM rows")  # noqa: S608
                for name in self._texts
            )
        looked = self._stream(paths, f"SELECT 1 AS one FROM rows WHERE {self._where()} LIMIT 1")  # noqa: S608
        return any(len(batch) for batch in looked)

    def _where(self) -> str:
        """Conditions for rows of the host, and for rows of others that have its name in a map."""
        in_maps = [
            f"list_contains({part}({name}), getvariable('host'))"
            for name in self._maps
            for part in ("map_keys", "map_values")
        ]
        return " OR ".join(["host_id = getvariable('host')", *in_maps])

    def _stream(self, paths: list[str], query: str) -> Iterator[pa.RecordBatch]:
        return self._rewriter.stream(self._table, paths, query, host=self._mentions.name)


def _changed(
    batch: pa.RecordBatch, name: str, finds: Callable[[pa.Array], Any], change: Callable[[str], str]
) -> tuple[pa.RecordBatch, int]:
    """Rows with a column changed where something was found in it, and how many of them changed."""
    found = finds(batch[name])
    if not found.any():
        return batch, 0
    before = batch[name].to_pylist()
    texts = [change(text) if hit else text for text, hit in zip(before, found, strict=True)]
    place = batch.schema.get_field_index(name)
    field = batch.schema.field(place)
    changed = sum(text != old for text, old in zip(texts, before, strict=True))
    return batch.set_column(place, field, pa.array(texts, field.type)), changed


def _found(name: str, values: pa.Array, mentions: Mentions) -> bool:
    """Whether a column of text or bytes, also nested, mentions the host."""
    if name == "source":
        return bool(mentions.in_sources(values).any())
    return any(bool(mentions.in_column(texts).any()) for texts in _texts(values))


def _sweep(lake: Lake, table: str, mentions: Mentions, remaining: list[Remaining]) -> Swept:
    """Delete files and log entries that hold the host; add those that must stay to ``remaining``."""
    spare = unreferenced(lake, table)
    swept = delete(spare.replaced)
    for path in spare.orphans:
        holds = _parquet_holds(path, mentions)
        if holds is False:
            continue
        if age_s(path) >= UNDER_WAY_S:
            swept += delete([path])
        elif path.exists():
            told = "holds the host" if holds else "cannot be read"
            why = f"is in no log and {told}; it may be of a write under way, so run this again in ten minutes"
            remaining.append(Remaining(str(path), why))
    log = Log(lake.folder(table))
    log.redact()
    return swept + log.prune(
        older_than_s=UNDER_WAY_S, unwanted=lambda path: _parquet_holds(path, mentions) is not False
    )


def _parquet_holds(path: Path, mentions: Mentions) -> bool | None:
    """Whether a Parquet file names the host; None where it cannot be read."""
    try:
        with pq.ParquetFile(path) as parquet:
            return any(
                _found(name, batch[name], mentions) for batch in parquet.iter_batches() for name in batch.schema.names
            )
    except FileNotFoundError:
        return False
    except (OSError, pa.ArrowException, ValueError):
        return None


def _texts(values: pa.Array) -> Iterator[pa.Array]:
    """The arrays of text and bytes within an array."""
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        yield values
    elif pa.types.is_map(kind):
        yield from _texts(values.keys)
        yield from _texts(values.items)
    elif pa.types.is_list(kind):
        yield from _texts(pc.list_flatten(values))
    elif pa.types.is_struct(kind):
        for part in values.flatten():
            yield from _texts(part)


def _left(lake: Lake, mentions: Mentions) -> list[Remaining]:
    """What still names the host: rows that came meanwhile or are of others, and files outside the tables."""
    left = []
    with Rewriter(lake) as rewriter:
        for table in table_columns():
            source, files = _Source(table, rewriter, mentions), lake.files(table)
            if source.concerned(files):
                left.append(Remaining(str(lake.folder(table)), "rows came in meanwhile; run this again"))
            elif columns := source.elsewhere(files):
                says = "name the host" if mentions.is_distinctive else "say the same, be it of the host or not,"
                why = f"rows of others {says} in {', '.join(columns)}, which is theirs to say"
                left.append(Remaining(str(lake.folder(table)), why))
    return left + remaining_files(lake.root, mentions)
