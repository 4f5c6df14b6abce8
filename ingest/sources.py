"""What is to be loaded: finding files, telling their format by their suffix, opening them."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from fleetcrash.errors import UnreadableSource
from ingest import csv_rows, ndjson, tables
from ingest.arrival import Arrival
from ingest.inflating import Inflater

STDIN = "-"
TRUTH = "truth.json"  # lies beside the records of a simulated fleet and is no record

_BLOCK_BYTES = 1 << 20
_SMALL_BLOCK_BYTES = 64 << 10  # the block in which a truncated stream breaks off is lost

Reader = Callable[[Path, str], Iterator[Arrival]]


@dataclass(frozen=True)
class Source:
    """Something to load.

    Attributes:
        name: as the user wrote it, or within the folder that the user wrote; it stands in the quarantine. Bytes of
            it that are no UTF-8 are spelled out.
        size_bytes: as it lies on disk; None for a stream.
        batches: reads it; raises UnreadableSource where it cannot, after the batches before.
    """

    name: str
    size_bytes: int | None
    batches: Callable[[], Iterator[Arrival]]


def find(paths: Sequence[str | Path]) -> tuple[list[Source], list[str]]:
    """Files to load, those of a folder in order of their names, and one line for each path that cannot be."""
    found: list[Source] = []
    problems: list[str] = []
    for path in paths:
        try:
            found += _found(path)
        except UnreadableSource as error:
            problems.append(str(error))
    return found, problems


def _found(given: str | Path) -> list[Source]:
    if str(given) == STDIN:
        return [Source(STDIN, None, lambda: ndjson.batches(_stdin(), STDIN))]
    path = Path(given)
    try:
        if path.is_dir():
            return _in_folder(path)
        if not path.exists():
            raise UnreadableSource(f"{_named(path)} does not exist. Nothing of it was loaded. {_wanted()}")
        reader = _reader(path)
        if reader is not None:
            return [_source(path, reader)]
    except UnreadableSource:
        raise
    except OSError as error:
        raise UnreadableSource(f"{_named(path)} cannot be read: {error.strerror}. Nothing of it was loaded.") from error
    found = f"ends in {_named(path.suffix)}" if path.suffix else "has no suffix"
    raise UnreadableSource(f"{_named(path)} {found}, which is no known format. Nothing of it was loaded. {_wanted()}")


def _in_folder(folder: Path) -> list[Source]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    found = [_source(path, reader) for path in files if path.name != TRUTH and (reader := _reader(path))]
    if not found:
        others = f"{len(files)} files, among them {_named(files[0].name)}" if files else "no file"
        folders = sum(path.is_dir() for path in folder.iterdir())
        raise UnreadableSource(
            f"The folder {_named(folder)} holds nothing to load: {others}, and {folders} folders, which are not "
            f"searched. Nothing was changed. {_wanted()}"
        )
    return found


def _source(path: Path, reader: Reader) -> Source:
    name = _named(path)
    return Source(name, path.stat().st_size, lambda: reader(path, name))


def _named(path: str | Path) -> str:
    """A path as text that can be stored and printed: a file's name is bytes, and need not be UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _reader(path: Path) -> Reader | None:
    name = path.name.lower()
    return next((reader for suffix, reader in FORMATS.items() if name.endswith(suffix)), None)


def _read_parquet(path: Path, name: str) -> Iterator[Arrival]:
    return tables.batches(path, name)


def _ndjson(blocks: Iterator[bytes], _: Path, name: str) -> Iterator[Arrival]:
    return ndjson.batches(blocks, name)


def _csv(blocks: Iterator[bytes], path: Path, name: str) -> Iterator[Arrival]:
    return csv_rows.batches(blocks, name, named=tables.named_kind(path.name))


def _read_stream(
    blocks: Callable[[Path], Iterator[bytes]], batches: Callable[[Iterator[bytes], Path, str], Iterator[Arrival]]
) -> Reader:
    def read(path: Path, name: str) -> Iterator[Arrival]:
        try:
            yield from batches(blocks(path), path, name)
        except UnreadableSource:
            raise
        except (EOFError, OSError, zlib.error, pa.ArrowException) as error:
            raise UnreadableSource(
                f"{name} cannot be read to its end: {' '.join(str(error).split())[:200]}. "
                "The whole lines before the damage are loaded."
            ) from error

    return read


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from iter(lambda: stream.read(_BLOCK_BYTES), b"")


def _gzip(path: Path) -> Iterator[bytes]:
    """The members of a gzip file. The gzip module would drop what a truncated file holds before its end."""
    inflater = Inflater()
    for block in _plain(path):
        yield from inflater.feed(block)
    inflater.end()


def _zstd(path: Path) -> Iterator[bytes]:
    with pa.OSFile(os.fsencode(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
        yield from iter(lambda: stream.read(_SMALL_BLOCK_BYTES), b"")


def _stdin() -> Iterator[bytes]:
    yield from iter(lambda: sys.stdin.buffer.read(_BLOCK_BYTES), b"")


# A new format is a line here and a reader of its own that yields arrivals.
FORMATS: dict[str, Reader] = {".parquet": _read_parquet}
for _suffixes, _batches in (((".ndjson", ".jsonl", ".json"), _ndjson), ((".csv",), _csv)):
    for _suffix in _suffixes:
        FORMATS[_suffix] = _read_stream(_plain, _batches)
        FORMATS[f"{_suffix}.gz"] = _read_stream(_gzip, _batches)
        FORMATS[f"{_suffix}.zst"] = _read_stream(_zstd, _batches)


def _wanted() -> str:
    return f"Files ending in {', '.join(FORMATS)} are read, and `-` for NDJSON on stdin."
