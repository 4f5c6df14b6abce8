"""Opening files and stdin: their bytes in blocks, unpacked if packed, and how they begin."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from fleetcrash.errors import UnreadableSource
from ingest import inflating
from ingest.inflating import Inflater, Unpacker, Unzstd

PACKED: dict[str, type[Unpacker]] = {".gz": Inflater, ".zst": Unzstd}
# Exceptions raised while a file is read whose content is not what its name or its start says.
DAMAGED = (OSError, *inflating.DAMAGED)

_BLOCK_BYTES = 1 << 20
# A zstd file may begin with a frame to skip, of sixteen kinds.
_BEGIN = {
    ".gz": (b"\x1f\x8b",),
    ".zst": (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16))),
}

Blocks = Iterator[bytes]


def blocks_of(path: Path, block_bytes: int = _BLOCK_BYTES) -> Blocks:
    """The bytes of a file; those of ``.gz`` and ``.zst`` are unpacked.

    Args:
        block_bytes: number of bytes to read at once.
    Raises, after the blocks before the damage:
        EOFError, OSError, zlib.error, ZstdError: see ``DAMAGED``.
    """
    suffix, blocks = path.suffix.lower(), _plain(path, block_bytes)
    return _contents(blocks, path, suffix) if suffix in PACKED else blocks


def _contents(blocks: Blocks, path: Path, suffix: str) -> Blocks:
    """What a packed file holds. If it is not packed in this way the error says so, unless it cannot be read again."""
    try:
        yield from inflating.unpacked(blocks, PACKED[suffix]())
    except inflating.DAMAGED as error:
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(4)
            if start and not start.startswith(_BEGIN[suffix]):
                said = f"its content is not packed as {suffix} is; give it the suffix of what it is"
                raise OSError(said) from error
        raise


def stdin() -> Blocks:
    """The bytes of stdin; as it has no name, its first ones say whether they are packed, and they are unpacked then.

    Raises:
        OSError: it is closed. Where it is packed and damaged also the others of ``DAMAGED``, after the blocks before.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "stdin is closed")
    start = sys.stdin.buffer.read(max(map(len, _BEGIN[".zst"])))
    whole = _Continued(start, sys.stdin.buffer)
    if start.startswith(_BEGIN[".gz"]):
        yield from inflating.unpacked(_blocks(whole, _BLOCK_BYTES), Inflater())
    elif start.startswith(_BEGIN[".zst"]):
        yield from inflating.unpacked(_blocks(whole, _BLOCK_BYTES), Unzstd())
    else:
        yield from _blocks(whole, _BLOCK_BYTES)


class _Continued(io.RawIOBase):
    """A stream as if nothing had been read of it."""

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start = start
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer than there are, but none only at its end."""
        taken, self._start = self._start, b""
        return taken or self._stream.read(size)


def begins(blocks: Blocks, size_bytes: int) -> tuple[bytes, Blocks]:
    """The first bytes, or fewer if there are no more; and all blocks, as if none had been read.

    Raises:
        EOFError, OSError, zlib.error, ZstdError: it is damaged at the start. The blocks raise the errors of later
            damage.
    """
    taken: list[bytes] = []
    left = size_bytes
    while left > 0:
        try:
            block = next(blocks)
        except StopIteration:
            break
        except DAMAGED as error:
            if not any(taken):
                raise
            return b"".join(taken)[:size_bytes], chain(taken, _raising(error))
        taken.append(block)
        left -= len(block)
    return b"".join(taken)[:size_bytes], chain(taken, blocks)


def cut_short(name: str, error: BaseException, kept: str) -> UnreadableSource:
    """The error for a file that cannot be read to its end.

    Args:
        kept: which part of it is loaded, in words.
    """
    what = " ".join(str(error).split())[:200].rstrip(".")
    return UnreadableSource(f"{name} cannot be read to its end: {what}. {kept}")


def path_text(path: str | Path) -> str:
    """A path as text that can be stored and printed; the name of a file is bytes and need not be UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _raising(error: Exception) -> Blocks:
    raise error
    yield b""  # never reached; makes it a generator, which raises when it is read


def _blocks(stream: IO[bytes] | io.RawIOBase, block_bytes: int) -> Blocks:
    while block := stream.read(block_bytes):
        yield block


def _plain(path: Path, block_bytes: int) -> Blocks:
    with path.open("rb") as stream:
        yield from _blocks(stream, block_bytes)
