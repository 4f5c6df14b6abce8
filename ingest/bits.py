"""Sets of byte positions as bitmaps: one operation handles many bytes, 64 of them in one word.

The first byte is the lowest bit of the first word. The rest of the last word is 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Data = bytes | bytearray
Bits = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int32]
Ends = npt.NDArray[np.int32]

SLICE_BYTES = 1 << 18  # at a time, so that intermediate arrays stay in the cache
_SLICE_WORDS = SLICE_BYTES // 8


def bits_of(data: Data, *sets: bytes) -> list[Bits]:
    """A bitmap for each set of bytes: which bytes of ``data`` are in the set.

    Each slice is searched for all sets while it is in the cache.
    """
    found = [np.zeros(-(-len(data) // 64), np.uint64) for _ in sets]
    there = [[byte for byte in wanted if byte in data] for wanted in sets]
    whole = np.frombuffer(data, np.uint8)
    flags, more = np.empty(SLICE_BYTES, np.bool_), np.empty(SLICE_BYTES, np.bool_)  # new ones would be new pages
    for start in range(0, len(data), SLICE_BYTES):
        at = whole[start : start + SLICE_BYTES]
        is_wanted, is_next = flags[: len(at)], more[: len(at)]
        for bits, wanted in zip(found, there, strict=True):
            if not wanted:
                continue
            np.equal(at, wanted[0], out=is_wanted)
            for byte in wanted[1:]:
                np.equal(at, byte, out=is_next)
                np.logical_or(is_wanted, is_next, out=is_wanted)
            packed = np.packbits(is_wanted, bitorder="little")
            bits.view(np.uint8)[start // 8 : start // 8 + len(packed)] = packed
    return found


def places_of(data: Data, byte: int) -> Ends:
    """The positions of a byte."""
    whole = np.frombuffer(data, np.uint8)
    flags = np.empty(SLICE_BYTES, np.bool_)
    found = [
        np.flatnonzero(np.equal(at := whole[start : start + SLICE_BYTES], byte, out=flags[: len(at)])) + start
        for start in range(0, len(whole), SLICE_BYTES)
        if data.find(byte, start, start + SLICE_BYTES) >= 0  # far quicker if the byte is rare
    ]
    return np.concatenate(found).astype(np.int32) if found else np.empty(0, np.int32)


def inside(quotes: Bits) -> Bits:
    """A bitmap of positions up to which, inclusive, the number of quotes is odd."""
    odd_up_to = quotes.copy()
    odd_before = np.uint64(0)
    for start in range(0, len(quotes), _SLICE_WORDS):
        words = odd_up_to[start : start + _SLICE_WORDS]
        for step in (1, 2, 4, 8, 16, 32):  # each step covers the parity of twice as many positions
            words ^= words << np.uint64(step)
        of_word = words >> np.uint64(63)
        before = np.bitwise_xor.accumulate(of_word) ^ of_word ^ odd_before
        words ^= np.uint64(0) - before
        odd_before = words[-1] >> np.uint64(63)
    return odd_up_to


def bits_at(bits: Bits, places: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """The bits at some positions, 0 or 1."""
    packed: npt.NDArray[np.uint8] = bits.view(np.uint8)[places >> 3]
    packed >>= (places & 7).astype(np.uint8)
    packed &= np.uint8(1)
    return packed


def counted(bits: Bits, ends: Ends) -> Counts:
    """How many bits are 1 in each stretch; the first starts at 0, each other where the one before ends."""
    ones = np.cumsum(np.bitwise_count(bits), dtype=np.int32)
    words, places = ends >> 6, (ends & 63).astype(np.uint64)
    up_to: Counts = np.append(np.int32(0), ones)[words]
    # An end after the last word has no further word.
    of_word = np.append(bits, np.uint64(0))[words] & ((np.uint64(1) << places) - np.uint64(1))
    up_to += np.bitwise_count(of_word)
    up_to[1:] -= up_to[:-1].copy()
    return up_to


def is_utf8(data: Data) -> bool:
    """Whether bytes are UTF-8."""
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
