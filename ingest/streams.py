"""Streams of bytes, cut into batches at ends of records, by bytes.

Memory is bounded, and the same stream always makes the same batches, however it is split into blocks. The format says
what a record is; this module is common to all formats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from fleetcrash.errors import UnreadableSource

# Some 280,000 crashes. Planning the queries on a batch, and committing it, takes 0.15 s whatever its size, which would
# be felt with smaller ones; DuckDB holds several times its bytes while it judges.
BATCH_BYTES = 128 << 20

LONGEST_LINE_BYTES = 16 << 20  # a longer record is put aside unparsed; a crash with a stack of 10,000 frames is 1 MiB

T = TypeVar("T")


@dataclass(frozen=True)
class Cut(Generic[T]):
    """The whole records at the start of some bytes.

    Attributes:
        size_bytes: number of bytes; 0: no record is whole yet.
        found: the result of the format.
    """

    size_bytes: int
    found: T


@dataclass(frozen=True)
class Part(Generic[T]):
    """The whole records of about one batch.

    Attributes:
        name: made from all bytes of the stream up to here: one that has grown keeps the names of its whole parts.
        data: whole records as they came.
        found: the result of the format.
    """

    name: str
    data: bytearray
    found: T


def parts(
    blocks: Iterable[bytes],
    *,
    seed: bytes,
    first_bytes: int,
    batch_bytes: int,
    held_bytes: int,
    cut: Callable[[bytearray, bool], Cut[T]],
    too_long: Callable[[], UnreadableSource],
) -> Iterator[Part[T]]:
    """Cut a stream at the ends of records.

    One that breaks off yields its whole records first.

    Args:
        blocks: the bytes in order; an error that ends them is raised again once the whole records are yielded.
        seed: goes into the names in addition to the bytes.
        first_bytes, batch_bytes: size of the first and of the largest parts; in between it doubles each time.
        held_bytes: a record with more bytes than this, and no end yet, stops the stream.
        cut: finds the whole records of some bytes; its second argument is whether the stream ends with them, and then
            it must take them all.
        too_long: makes the error for a record that is too long.
    """
    digest = hashlib.sha256(seed)
    ahead = digest.copy()  # includes what is held
    held = bytearray()
    broken: Exception | None = None
    for piece, is_full, is_last, broken in _regular(blocks, first_bytes, batch_bytes):
        hashed = len(held)
        held += piece
        if not is_full:
            ahead.update(piece)  # now, while it is in the cache
            continue
        whole = cut(held, is_last and broken is None)
        if whole.size_bytes:
            data, held = held, held[whole.size_bytes :]
            del data[whole.size_bytes :]  # in place: copying a batch takes longer than searching it
            if hashed > len(data):  # a record without an end is longer than the last piece
                ahead, hashed = digest.copy(), 0
            ahead.update(memoryview(data)[hashed:])
            digest = ahead
            yield Part(digest.hexdigest(), data, whole.found)
            ahead = digest.copy()
            ahead.update(held)
        else:
            ahead.update(piece)
        if len(held) > held_bytes:
            raise too_long()
    if broken is not None:
        raise broken


def _regular(
    blocks: Iterable[bytes], first_bytes: int, batch_bytes: int
) -> Iterator[tuple[bytes, bool, bool, Exception | None]]:
    """Blocks cut into pieces; whether each fills a batch, whether it is the last, and the error that ended them.

    The boundaries of a pipe or a decompressor must not decide what a batch is.
    """
    left = size = first_bytes
    broken: Exception | None = None
    stream = iter(blocks)
    while True:
        try:
            block = next(stream)
        except StopIteration:
            break
        except Exception as error:  # passed on, to be raised after the whole records before it
            broken = error
            break
        while block:
            piece, block = block[:left], block[left:]
            left -= len(piece)
            yield piece, left == 0, False, None
            if not left:
                left = size = min(2 * size, batch_bytes)
    yield b"", True, True, broken
