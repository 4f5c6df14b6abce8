"""The chunks of a Windows event log: whether one is sound, and one that is not, as far as it can be mended.

A parser follows a chunk's records from one to the next, as far as the chunk's head says. A log that was copied while it
was written has heads of before its newest records; in a damaged one the records behind a broken one are whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

CHUNK_BYTES = 64 << 10
_MAGIC = b"ElfChnk\0"
_RECORDS_AT = 512
_RECORD, _RECORD_MAGIC = struct.Struct("<4sIQQ"), b"**\0\0"  # magic, size, number, time; at its end is its size again
_LEAST_BYTES = 28  # of a record
_MOST_APART = 10_000  # numbers of two records in a row; a chunk has some hundreds
_MOST_NUMBER = 1 << 62
_EVENTS_SUM, _EVENTS_SUM_AT = struct.Struct("<II"), 48  # the end of the events of a chunk, and their checksum
_HEAD_SUM, _HEAD_SUM_AT = struct.Struct("<I"), 124
_HEAD = struct.Struct("<8sQQQQIII")  # magic, numbers of its records, twice, its size, places of the last record and end
_PLACES, _PLACES_AT = struct.Struct("<96I"), 128  # of names and templates; without them a parser reads on the way


class _Record(NamedTuple):
    at: int
    size: int
    number: int

    @property
    def end(self) -> int:
        return self.at + self.size


def is_sound(chunk: bytes) -> bool:
    """Whether its checksums are right."""
    end, events_sum = _EVENTS_SUM.unpack_from(chunk, _EVENTS_SUM_AT)
    head_sum = _HEAD_SUM.unpack_from(chunk, _HEAD_SUM_AT)[0]
    return (crc32(chunk[512:end]), crc32(chunk[:120] + chunk[128:512])) == (events_sum, head_sum)


def mended(chunk: bytes) -> bytes:
    """A chunk with a head for all of its whole records, and what is broken between them as a record that is none."""
    records = list(_records(chunk))
    if not records:
        return chunk
    out = bytearray(chunk)
    told_end, _ = _EVENTS_SUM.unpack_from(chunk, _EVENTS_SUM_AT)
    if records[-1].end < told_end <= CHUNK_BYTES and chunk[records[-1].end : told_end].strip(b"\0"):
        records.append(_Record(told_end, 0, records[-1].number + 1))  # the last one is broken
    end = _RECORDS_AT
    for record in records:
        if (gap := record.at - end) >= _LEAST_BYTES:
            none = _RECORD.pack(_RECORD_MAGIC, gap, max(record.number - 1, 0), 0)
            out[end : record.at] = none.ljust(gap, b"\xff")
        end = record.end
    first, last = records[0].number, records[-1].number
    _HEAD.pack_into(out, 0, _MAGIC, first, last, first, last, 128, records[-1].at, end)
    if max(_PLACES.unpack_from(out, _PLACES_AT)) >= CHUNK_BYTES:
        _PLACES.pack_into(out, _PLACES_AT, *[0] * 96)
    return bytes(out)


def _records(chunk: bytes) -> Iterator[_Record]:
    """The whole records, but for those of an older log that used the place before."""
    at, last = _RECORDS_AT, None
    while 0 <= (at := chunk.find(_RECORD_MAGIC, at)) <= len(chunk) - _LEAST_BYTES:
        _, size, number, _ = _RECORD.unpack_from(chunk, at)
        is_whole = size >= _LEAST_BYTES and chunk[at + size - 4 : at + size] == chunk[at + 4 : at + 8]
        if is_whole and number < _MOST_NUMBER and (last is None or 0 < number - last < _MOST_APART):
            yield _Record(at, size, number)
            at, last = at + size, number
        else:
            at += len(_RECORD_MAGIC)
