"""What is unpacked as it comes: the same in whatever pieces, and all that came before a cut."""

from __future__ import annotations

import gzip
import random
import sys
import zlib
from contextlib import suppress
from itertools import chain

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.inflating import DAMAGED, Inflater, Unzstd
from tests.ingest.collector.test_doors import zstd

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError


@given(members=st.lists(st.binary(max_size=2000), min_size=1, max_size=3), size=st.integers(1, 500), cut=st.integers(1))
def test_members_in_pieces_are_their_contents_and_a_cut_is_told(members, size, cut):
    packed = b"".join(gzip.compress(each) for each in members)
    inflater = Inflater()
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert b"".join(block for piece in pieces for block in inflater.feed(piece)) == b"".join(members)
    inflater.end()
    cut_short = Inflater()
    before = b"".join(cut_short.feed(packed[: len(packed) - 1 - cut % 8]))  # within the last member's trailer
    assert before == b"".join(members)
    with pytest.raises(EOFError, match="truncated"):
        cut_short.end()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_zeros_that_pad_members_are_skipped_and_those_within_are_not(size):
    packed = gzip.compress(b"\0a\0") + bytes(9) + gzip.compress(b"\0b") + bytes(100)
    inflater = Inflater()
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert b"".join(block for piece in pieces for block in inflater.feed(piece)) == b"\0a\0\0b"
    inflater.end()


def test_what_unpacks_to_much_comes_in_small_blocks():
    blocks = list(Inflater().feed(gzip.compress(bytes(5 << 20))))
    assert (sum(map(len, blocks)), max(map(len, blocks))) == (5 << 20, 1 << 20)


def test_each_of_many_empty_members_is_handed_no_more_than_a_slice(monkeypatch):
    handed: list[int] = []
    make = zlib.decompressobj

    class Counting:
        def __init__(self, wbits):
            self._member = make(wbits)

        def __getattr__(self, name):
            return getattr(self._member, name)

        def decompress(self, packed, most):
            handed.append(len(packed))
            return self._member.decompress(packed, most)

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    member = gzip.compress(b"")
    inflater = Inflater()

    assert b"".join(inflater.feed(member * 10_000)) == b""

    inflater.end()
    assert len(handed) >= 10_000
    assert max(handed) <= 1 << 14  # of 200 kB: what is behind a member is copied as it ends


SKIPPED = b"\x52\x2a\x4d\x18\x03\x00\x00\x00abc"
MAGIC = b"\x28\xb5\x2f\xfd"
# Of one frame: a window of 1 KiB, no sum; a block of zeros that says how many, which is the last.
ZEROS = MAGIC + b"\x00\x00" + ((8 << 3) | 2 | 1).to_bytes(3, "little") + b"\x00"


def one_shot(data: bytes) -> bytes:
    """A frame as compressed at once: it tells its size, and has no window of its own."""
    return pa.Codec("zstd").compress(data, asbytes=True)


def unpacked(packed: bytes, step: int = 1 << 16, most_bytes: int = 64 << 20) -> bytes:
    held = []

    def hold(size_bytes: int) -> None:
        held.append(size_bytes)
        assert sum(held) <= most_bytes

    unpacker = Unzstd(8 << 20, hold)
    whole = b"".join(block for at in range(0, len(packed), step) for block in unpacker.feed(packed[at : at + step]))
    unpacker.end()
    return whole


def pieces_of(data: bytes) -> st.SearchStrategy[tuple[bytes, bytes]]:
    """Frames, behind what they hold."""
    return st.sampled_from([(data, zstd(data)), (data, one_shot(data)), (b"", SKIPPED), (bytes(8), ZEROS)])


@given(st.lists(st.binary(max_size=3000).flatmap(pieces_of), min_size=1, max_size=6), st.integers(1, 900))
def test_frames_in_pieces_are_what_was_packed(pieces, step):
    assert unpacked(b"".join(packed for _, packed in pieces), step) == b"".join(data for data, _ in pieces)


@pytest.mark.parametrize("size", [0, 255, 256, 257, 65_535, 65_792, 300_000, 5 << 20])
def test_frames_of_all_sizes(size):
    data = random.Random(1).randbytes(size)
    for packed in (zstd(data), one_shot(data)):
        assert unpacked(packed * 2, 60_000) == data * 2


def test_each_frame_is_there_once_it_has_come():
    unpacker = Unzstd()
    first, second = zstd(b"first"), zstd(b"second")
    assert b"".join(unpacker.feed(first + second[:3])) == b"first"
    assert b"".join(unpacker.feed(second[3:])) == b"second"


@pytest.mark.parametrize(
    "packed",
    [b"", b"\x28", zstd(b"x" * 99)[:-1], zstd(b"x") + b"\x00", zstd(b"x") + b"more", b"no zstd", MAGIC, SKIPPED[:-1],
     MAGIC + b"\x00\x00\x07\x00\x00", zstd(b"x" * 99)[:-1] + b"\x00"],
)  # fmt: skip
def test_what_is_damaged_is_told(packed):
    for step in (1, 1000):
        with pytest.raises(DAMAGED):
            unpacked(packed, step)


@given(st.binary(max_size=60).map(lambda tail: MAGIC + tail) | st.binary(max_size=60), st.integers(1, 60))
def test_no_bytes_break_it(packed, step):
    with suppress(*DAMAGED):
        assert len(unpacked(packed, step)) <= 60 << 17


def test_what_comes_before_a_cut_of_zstd_is_there():
    lines = b"".join(b"%x\n" % (n**9) for n in range(60_000))
    packed = zstd(lines)
    unpacker = Unzstd()
    before = b"".join(unpacker.feed(packed[: len(packed) // 2]))
    assert lines.startswith(before)
    assert len(before) > len(lines) // 4
    with pytest.raises(EOFError, match="truncated"):
        unpacker.end()


def test_zeros_of_zstd_come_in_small_blocks():
    assert max(map(len, Unzstd().feed(zstd(bytes(5 << 20))))) <= 1 << 20


def test_a_window_of_zstd_is_bounded_and_its_memory_taken_once():
    noise = random.Random(1).randbytes(2000)
    for packed in (one_shot(bytes(5000)), MAGIC + b"\x00\x18" + bytes(20), MAGIC + b"\xc0\x11" + b"\xff" * 20):
        unpacker = Unzstd(1 << 12)
        each_byte = (packed[at : at + 1] for at in range(len(packed)))  # what comes as a whole needs no window
        with pytest.raises(ZstdError, match="memory"):
            list(chain.from_iterable(map(unpacker.feed, each_byte)))
    held: list[int] = []
    list(Unzstd(1 << 12, held.append).feed(one_shot(noise) * 50 + one_shot(noise[:900])))
    assert held == [2000]
    list(Unzstd(1 << 20, held.append).feed(zstd(noise)))  # which does not tell how much it holds
    assert held == [2000, 1 << 20]
