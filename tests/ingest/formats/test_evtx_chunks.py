"""Chunks of event logs that were copied while they were written, or are damaged: their whole records are read."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Unfit
from ingest.formats.event_log import EVENT_LOG
from ingest.formats.evtx_chunks import CHUNK_BYTES, is_sound, mended
from tests.ingest.formats.conftest import TOLD
from tests.ingest.formats.evtx_files import Made, evtx

CHUNK = 4096
LOG = evtx(
    Made("Microsoft-Windows-Kernel-Power", 41, [("BugcheckCode", "209")], host=f"PC-{number}") for number in range(8)
)
PLACES = [at for at in range(CHUNK, len(LOG)) if LOG[at : at + 4] == b"**\0\0"]


def hosts(data: bytes) -> tuple[list[int], bool]:
    """The numbers of the hosts that crashed, and whether damage is told."""
    lines = bytearray()
    try:
        for records in EVENT_LOG.read(iter([data]), TOLD):
            lines += records.lines
    except Unfit:
        return found_in(lines), True
    return found_in(lines), False


def found_in(lines: bytearray) -> list[int]:
    return [number for number in range(8) if b'"PC-%d"' % number in lines]


def changed_at(place: int, raw: bytes, data: bytes = LOG) -> bytes:
    return data[:place] + raw + data[place + len(raw) :]


def test_a_sound_chunk_is_left_as_it_is():
    assert is_sound(LOG[CHUNK:])
    assert not is_sound(changed_at(CHUNK + 600, b"\xff\xff")[CHUNK:])


@pytest.mark.parametrize("number", [0, 3, 7])
@pytest.mark.parametrize(
    ("at", "raw"),
    [(0, b"\0\0\0\0"), (4, struct.pack("<I", 0x7FFFFFFF)), (4, bytes(4)), (4, struct.pack("<I", 300)), (0, bytes(99))],
    ids=["no magic", "longer than all", "without a size", "shorter", "zeros"],
)
def test_the_records_behind_a_broken_one_are_read(number, at, raw):
    others = [one for one in range(8) if one != number]
    assert hosts(changed_at(PLACES[number] + at, raw)) == (others, True)


def test_a_log_that_is_being_written_has_a_head_of_before_its_last_records():
    stale = struct.pack("<8sQQQQIII", b"ElfChnk\0", 1, 3, 1, 3, 128, PLACES[2] - CHUNK, PLACES[3] - CHUNK)
    assert hosts(changed_at(CHUNK, stale)) == (list(range(8)), False)


@pytest.mark.parametrize("size", [128, 512])
def test_a_chunk_whose_head_is_lost(size):
    assert hosts(changed_at(CHUNK, bytes(size))) == (list(range(8)), False)
    assert hosts(changed_at(CHUNK + 128, b"\xff" * 384)) == (list(range(8)), False)


def test_records_of_an_older_log_behind_the_last_one_are_none_of_it():
    older = LOG[PLACES[2] : PLACES[3]]
    end = LOG.rindex(older[-4:], PLACES[7]) + 4
    doubtful = changed_at(CHUNK + 124, bytes(4), changed_at(end, older))
    assert hosts(doubtful) == (list(range(8)), False)
    assert mended(doubtful[CHUNK:])[:48] == LOG[CHUNK : CHUNK + 48]


@given(st.binary(max_size=600), st.integers(0, CHUNK_BYTES))
def test_no_bytes_break_it(raw, at):
    assert len(mended(changed_at(CHUNK + at, raw)[CHUNK:][:CHUNK_BYTES].ljust(CHUNK_BYTES, b"\0"))) == CHUNK_BYTES
