"""Crash files as systems and tools write them (see ``ingest.formats``), many of them to a batch.

Most hold one crash: a batch of each would take most of the time to commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fleetcrash.errors import UnreadableSource
from ingest.bits import Data
from ingest.formats.crashes import Records, Told, Unfit, too_much
from ingest.formats.format import Document, Log
from ingest.joined import Joined
from ingest.opening import DAMAGED, Blocks, cut_short

_BATCH_BYTES = 32 << 20  # of records; some 30,000 crashes
_KEPT = "The crashes before the damage are loaded."


@dataclass(frozen=True)
class CrashFile:
    """A file, or a stream, of a known format.

    Attributes:
        name: of its source.
        size_bytes: as it lies on disk; None for a stream.
        told: what is known of its crashes besides.
        open: its bytes, from the start.
    """

    name: str
    size_bytes: int | None
    format: Document | Log
    told: Told
    open: Callable[[], Blocks]


class Unreadable(UnreadableSource):
    """Of several files some could not be read, or not to their ends.

    Attributes:
        problems: one line a file.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def batches(files: Sequence[CrashFile], source: str) -> Iterator[Joined]:
    """Read files, and put their crashes together to batches.

    A batch is named by all records up to its end, so that the same files make the same batches.

    Args:
        source: what the books call them.
    Raises:
        Unreadable: some cannot be read, or are not of their format. The others have been yielded.
    """
    digest = hashlib.sha256(b"crash files\n")
    parts: list[tuple[str, Data]] = []
    held_bytes = taken_bytes = 0
    problems: list[str] = []

    def batch() -> Joined:
        return Joined.of(parts, batch_id=digest.hexdigest(), source=source, size_bytes=taken_bytes)

    for file in files:
        counted = _Counted()
        try:
            for records in _crashes(file, counted):
                digest.update(records.lines)
                parts.append((file.name, records.lines))
                held_bytes += len(records.lines)
                taken_bytes += counted.taken()
                if held_bytes >= _BATCH_BYTES:
                    yield batch()
                    parts, held_bytes, taken_bytes = [], 0, 0
        except Unfit as error:
            problems.append(f"{file.name} cannot be read to its end as a {file.format.title}: {error}. {_KEPT}")
        except DAMAGED as error:
            problems.append(str(cut_short(file.name, error, _KEPT)))
        taken_bytes += counted.taken()
    if parts:
        yield batch()
    if problems:
        raise Unreadable(problems)


class _Counted:
    """How many bytes have been read since the last time that somebody asked."""

    def __init__(self) -> None:
        self._read_bytes = 0

    def of(self, blocks: Blocks) -> Blocks:
        for block in blocks:
            self._read_bytes += len(block)
            yield block

    def taken(self) -> int:
        taken, self._read_bytes = self._read_bytes, 0
        return taken


def _crashes(file: CrashFile, counted: _Counted) -> Iterator[Records]:
    """The crashes of a file, each part with some."""
    blocks = counted.of(file.open())
    if isinstance(file.format, Log):
        yield from (records for records in file.format.read(blocks, file.told) if records.read)
        return
    records = file.format.read(_whole(blocks, file.format), file.told)
    if records.read:
        yield records


def _whole(blocks: Blocks, format: Document) -> bytes:
    """A document; of one that may be cut its beginning.

    Raises:
        Unfit: it is larger than any is.
    """
    held = bytearray()
    for block in blocks:
        held += block
        if len(held) > format.most_bytes:
            if not format.is_cut:
                raise too_much("It has", format.most_bytes, "bytes")
            del held[format.most_bytes :]
            break
    return bytes(held)
