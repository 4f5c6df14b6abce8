"""Crash files as systems and tools write them (see ``ingest.formats``), many to a batch: most hold one crash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fleetcrash.errors import UnreadableSource
from ingest.bits import Data
from ingest.formats.crashes import Records, Told, Unfit, too_much
from ingest.formats.format import BrokenOff, Document, Log, until_broken
from ingest.joined import Joined
from ingest.opening import DAMAGED, Blocks, cut_short

_BATCH_BYTES = 32 << 20  # of records; some 30,000 crashes


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
        for lines, read_bytes in _read(file, problems):
            digest.update(lines)
            if lines:
                parts.append((file.name, lines))
            held_bytes += len(lines)
            taken_bytes += read_bytes
            if held_bytes >= _BATCH_BYTES:
                yield batch()
                parts, held_bytes, taken_bytes = [], 0, 0
    if parts:
        yield batch()
    if problems:
        raise Unreadable(problems)


def _read(file: CrashFile, problems: list[str]) -> Iterator[tuple[Data, int]]:
    """The crashes of a file, in parts, each with how many of its bytes have been read for it; the last has none.

    Args:
        problems: what is wrong with the file is added to them.
    """
    blocks, has_crashes = _Opened(file.open()), False
    damage: Exception | None = None
    try:
        for records in _crashes(file.format, blocks, file.told):
            has_crashes = True
            yield records.lines, blocks.taken_bytes()
    except (BrokenOff, Unfit, *DAMAGED) as error:  # the last of what the reader needs besides, such as a disk
        damage = error
    yield b"", blocks.taken_bytes()
    damage = blocks.damage or damage  # a reader need not know that its file has not ended but broken off
    if damage is not None:
        kept = "The crashes before the damage are loaded." if has_crashes else "Nothing of it was loaded."
        problems.append(str(cut_short(f"{file.name} ({file.format.title})", damage, kept)))


class _Opened:
    """The bytes of a file; BrokenOff is raised where it cannot be read any further.

    Attributes:
        damage: what was raised there; None as long as there was none.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.damage: Exception | None = None
        self._blocks = blocks
        self._taken_bytes = 0

    def __iter__(self) -> Blocks:
        try:
            for block in self._blocks:
                self._taken_bytes += len(block)
                yield block
        except DAMAGED as error:
            self.damage = error
            raise BrokenOff from error

    def taken_bytes(self) -> int:
        """How many have been read since the last time that somebody asked."""
        taken, self._taken_bytes = self._taken_bytes, 0
        return taken


def _crashes(format: Document | Log, blocks: Iterable[bytes], told: Told) -> Iterator[Records]:
    """The crashes of a file, each part with some.

    Raises:
        Unfit: it is not of the format, or damaged. What is whole of it has been yielded.
    """
    if isinstance(format, Log):
        yield from (records for records in format.read(iter(blocks), told) if records.read)
        return
    records = format.read(_whole(blocks, format), told)
    if records.read:
        yield records
    if records.damage is not None:
        raise records.damage


def _whole(blocks: Iterable[bytes], format: Document) -> bytes:
    """A document; of one that may be cut its beginning.

    Raises:
        Unfit: it is larger than any is.
    """
    held = bytearray()
    for block in until_broken(blocks):
        held += block
        if len(held) > format.most_bytes:
            if not format.is_cut:
                raise too_much("It has", format.most_bytes, "bytes")
            del held[format.most_bytes :]
            break
    return bytes(held)
