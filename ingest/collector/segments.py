"""Segments: files of bodies that were acknowledged, one behind the other, each with a checksum.

A body that was being written when the machine stopped is the tail of its segment. It was never acknowledged, is told by
its length or its checksum, and is cut off.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_MAGIC = b"fcb1"
_HEAD = struct.Struct("<4sIIQ")  # magic, checksum of the rest, bytes of the description, bytes of the lines


@dataclass(frozen=True)
class Description:
    """What is known of a body besides its lines.

    Attributes:
        batch_id: names it to its sender.
        door: where it came in, such as ``/v1/records``.
        received_us: when it came, by our clock, microseconds since 1970.
        read: records in it.
        key: hash of its sender and its Idempotency-Key; None without one.
        digest: hash of the lines, where there is a key.
    """

    batch_id: str
    door: str
    received_us: int
    read: int
    key: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Body:
    """What one request brought.

    Attributes:
        lines: NDJSON, each line with its newline.
    """

    description: Description
    lines: bytes | bytearray | memoryview

    def packed(self) -> list[bytes | bytearray | memoryview]:
        """The body as it stands in a segment, in parts."""
        described = json.dumps(asdict(self.description)).encode()
        checksum = zlib.crc32(self.lines, zlib.crc32(described))
        return [_HEAD.pack(_MAGIC, checksum, len(described), len(self.lines)), described, self.lines]


@dataclass(frozen=True)
class Segment:
    """What a segment holds.

    Attributes:
        bodies: in the order in which they came.
        whole_bytes: of the bodies; the file may be longer by a torn tail.
    """

    bodies: tuple[Body, ...]
    whole_bytes: int


def read(path: Path) -> Segment:
    """The whole bodies of a segment.

    Raises:
        OSError: it cannot be read.
    """
    data, at = memoryview(path.read_bytes()), 0
    bodies = []
    while found := _body_at(data, at):
        body, at = found
        bodies.append(body)
    return Segment(tuple(bodies), at)


def _body_at(data: memoryview, at: int) -> tuple[Body, int] | None:
    """The body that begins at a byte, and the byte after it; None where none does that is whole."""
    if at + _HEAD.size > len(data):
        return None
    magic, checksum, described_bytes, lines_bytes = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    middle, end = start + described_bytes, start + described_bytes + lines_bytes
    if magic != _MAGIC or end > len(data) or zlib.crc32(data[start:end]) != checksum:
        return None
    described: dict[str, Any] = json.loads(bytes(data[start:middle]))
    return Body(Description(**described), data[middle:end]), end
