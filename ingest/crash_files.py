"""Crash files of systems and tools (see ``ingest.formats``), many to a batch, as most hold one crash."""

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
        size_bytes: on disk; None for a stream.
        told: what else is known about its crashes.
        open: returns its bytes from the start.
    """

    name: str
    size_bytes: int | None
    format: Document | Log
    told: Told
    open: Callable[[], Blocks]


class Unreadable(UnreadableSource):
    """Some of several files could not be read, or not to the end.

    Attributes:
        problems: one line per file.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def batches(files: Sequence[CrashFile], source: str) -> Iterator[Joined]:
    """Read files and combine their crashes into batches.

    A batch is named by all records up to its end, so that the same files make the same batches.

    Args:
        source: their name in the books.
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
    """The crashes of a file, in parts, each with the number of bytes read for it; the last part has no crash.

    Args:
        problems: errors of the file are added to it.
    """
    blocks, has_crashes = _Opened(file.open()), False
    damage: Exception | None = None
    try:
        for records in _crashes(file.format, blocks, file.told):
            has_crashes = True
            yield records.lines, blocks.taken_bytes()
    except (BrokenOff, Unfit, *DAMAGED) as error:  # OSError also from what the reader needs besides, such as a disk
        damage = error
    yield b"", blocks.taken_bytes()
    damage = blocks.damage or damage  # the reader may not have noticed that its file broke off
    if damage is not None:
        kept = "The crashes before the damage are loaded." if has_crashes else "Nothing of it was loaded."
        problems.append(str(cut_short(f"{file.name} ({file.format.title})", damage, kept)))


class _Opened:
    """The bytes of a file; raises BrokenOff where it cannot be read any further.

    Attributes:
        damage: the error there; None while there is none.
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
        """How many bytes have been read since the last call."""
        taken, self._taken_bytes = self._taken_bytes, 0
        return taken


def _crashes(format: Document | Log, blocks: Iterable[bytes], told: Told) -> Iterator[Records]:
    """The crashes of a file, in non-empty parts.

    Raises:
        Unfit: it is not of the format, or damaged. Whole crashes have been yielded.
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
    """A whole document, or the beginning of one that may be cut.

    Raises:
        Unfit: it is larger than any document is.
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
