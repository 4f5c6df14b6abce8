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
    parts_so_far = hashlib.sha256(seed)
    ahead = parts_so_far.copy()  # these and what is held
    held = bytearray()
    for piece in _regular(blocks, first_bytes, batch_bytes):
        hashed_bytes = len(held)
        held += piece.data
        if not piece.fills_batch:
            ahead.update(piece.data)  # now, while it is in the cache
            continue
        whole = cut(held, piece.ends_stream)
        if whole.size_bytes:
            data, held = held, held[whole.size_bytes :]
            del data[whole.size_bytes :]  # in place: copying a batch takes longer than searching it
            if hashed_bytes > len(data):  # a record without an end is longer than the last piece
                ahead, hashed_bytes = parts_so_far.copy(), 0
            ahead.update(memoryview(data)[hashed_bytes:])
            parts_so_far = ahead
            yield Part(parts_so_far.hexdigest(), data, whole.found)
            ahead = parts_so_far.copy()
            ahead.update(held)
        else:
            ahead.update(piece.data)
        if len(held) > held_bytes:
            raise too_long()


@dataclass(frozen=True)
class _Piece:
    """Some bytes of a stream.

    Attributes:
        fills_batch: with it a batch is as large as it is to be, or the stream is over.
        ends_stream: it is the last of a stream that did not break off.
    """

    data: bytes
    fills_batch: bool
    ends_stream: bool = False


def _regular(blocks: Iterable[bytes], first_bytes: int, batch_bytes: int) -> Iterator[_Piece]:
    """Blocks cut into pieces: the boundaries of a pipe or a decompressor must not decide what a batch is.

    An error that ends the blocks is raised after the last piece.
    """
    left = size = first_bytes
    broken: Exception | None = None
    stream = iter(blocks)
    while True:
        try:
            block = next(stream)
        except StopIteration:
            break
        except Exception as error:
            broken = error
            break
        while block:
            piece, block = block[:left], block[left:]
            left -= len(piece)
            yield _Piece(piece, fills_batch=left == 0)
            if not left:
                left = size = min(2 * size, batch_bytes)
    yield _Piece(b"", fills_batch=True, ends_stream=broken is None)
    if broken is not None:
        raise broken
