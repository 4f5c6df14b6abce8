"""zstd as it arrives, in parts of any size, within bounds."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.collector import zstd_frames
from ingest.collector.bodies import DAMAGED
from ingest.collector.zstd_frames import ZstdFrames
from ingest.formats.crashes import Unfit
from tests.ingest.collector.test_doors import zstd

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

    frames = ZstdFrames(hold)
    whole = b"".join(block for at in range(0, len(packed), step) for block in frames.feed(packed[at : at + step]))
    frames.end()
    return whole


def pieces_of(data: bytes) -> st.SearchStrategy[tuple[bytes, bytes]]:
    """Frames, behind what they hold."""
    return st.sampled_from([(data, zstd(data)), (data, one_shot(data)), (b"", SKIPPED), (bytes(8), ZEROS)])


@given(st.lists(st.binary(max_size=3000).flatmap(pieces_of), min_size=1, max_size=6), st.integers(1, 900))
def test_frames_in_parts_are_what_was_packed(pieces, step):
    assert unpacked(b"".join(packed for _, packed in pieces), step) == b"".join(data for data, _ in pieces)


@pytest.mark.parametrize("size", [0, 255, 256, 257, 65_535, 65_792, 300_000, 5 << 20])
def test_frames_of_all_sizes(size):
    data = random.Random(1).randbytes(size)
    for packed in (zstd(data), one_shot(data)):
        assert unpacked(packed * 2, 60_000) == data * 2


def test_each_frame_is_there_once_it_has_come():
    frames = ZstdFrames(lambda _: None)
    first, second = zstd(b"first"), zstd(b"second")
    assert b"".join(frames.feed(first + second[:-1])) == b"first"
    assert b"".join(frames.feed(second[-1:])) == b"second"


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
    try:
        assert len(unpacked(packed, step)) <= 60 << 17
    except (Unfit, *DAMAGED):
        pass


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(zstd_frames, "_MOST_FRAME_BYTES", 1000)
    monkeypatch.setattr(zstd_frames, "_MOST_WINDOW_BYTES", 1 << 12)
    noise = random.Random(1).randbytes(2000)
    for packed in (one_shot(noise), SKIPPED[:4] + b"\xff" * 4):
        with pytest.raises(Unfit, match="1,000 bytes"):
            unpacked(packed, 1)
    for packed in (one_shot(bytes(5000)), MAGIC + b"\x00\x18", MAGIC + b"\xc0\x11" + b"\xff" * 8):
        with pytest.raises(Unfit, match="window"):
            unpacked(packed)
    assert unpacked(one_shot(noise[:900]) * 50, most_bytes=100 * 1000) == noise[:900] * 50
    assert unpacked(one_shot(noise[:900]) * 50, 100, most_bytes=4000) == noise[:900] * 50, (
        "what one needed, all may use"
    )
