"""What is unpacked as it comes: the same in whatever pieces, and all that came before a cut."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.inflating import Inflater


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
