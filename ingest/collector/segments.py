"""Segments: files of acknowledged bodies, one after another, each with a checksum.

A body that was being written when the machine stopped is the tail of its segment: it was never acknowledged, and is
recognised because it extends beyond the end of the file. A complete body that fails its checksum was damaged later: it
was acknowledged, as were those after it, which begin where its length says.
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
    """What is known about a body besides its lines.

    Attributes:
        batch_id: identifies it in the answer to its sender.
        door: its path, such as ``/v1/records``.
        received_us: when it was spooled, by our clock, microseconds since 1970; 0 before that.
        read: records in it.
        key: hash of its sender and its Idempotency-Key; None without one.
        digest: hash of the body as it came, unpacked; None without a key.
    """

    batch_id: str
    door: str
    received_us: int
    read: int
    key: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Body:
    """The body of one request, as records.

    Attributes:
        lines: NDJSON, each line with its newline.
    """

    description: Description
    lines: bytes | bytearray | memoryview

    def packed(self) -> list[bytes | bytearray | memoryview]:
        """The body in the format of a segment, in parts."""
        described = json.dumps(asdict(self.description)).encode()
        checksum = zlib.crc32(self.lines, zlib.crc32(described))
        return [_HEAD.pack(_MAGIC, checksum, len(described), len(self.lines)), described, self.lines]


@dataclass(frozen=True)
class Segment:
    """The content of a segment.

    Attributes:
        bodies: the whole ones, in the order in which they came.
        whole_bytes: their size; the rest of the file is damaged or torn.
        is_torn: whether the rest is only one unfinished tail.
    """

    bodies: tuple[Body, ...]
    whole_bytes: int
    is_torn: bool = False


def read(path: Path) -> Segment:
    """The whole bodies of a segment.

    Raises:
        OSError: it cannot be read.
    """
    raw = path.read_bytes()
    data, at, whole_bytes = memoryview(raw), 0, 0
    bodies = []
    while end := _end_of(data, at):
        body = _body(data[at:end])
        if body is not None:
            bodies.append(body)
            whole_bytes += end - at
        at = end
    # A damaged length may extend beyond the end as well; then other bodies follow after its head.
    is_torn = whole_bytes == at < len(data) and _may_be_cut_short(data, at) and raw.find(_MAGIC, at + 1) < 0
    return Segment(tuple(bodies), whole_bytes, is_torn)


def _end_of(data: memoryview, at: int) -> int | None:
    """The end of the body that begins at a byte; None if there is none, or it extends beyond the file."""
    if at + _HEAD.size > len(data):
        return None
    magic, _, described_bytes, lines_bytes = _HEAD.unpack_from(data, at)
    end = at + _HEAD.size + int(described_bytes) + int(lines_bytes)
    return end if magic == _MAGIC and end <= len(data) else None


def _may_be_cut_short(data: memoryview, at: int) -> bool:
    """Whether the bytes from here on, which are no body, may be the beginning of one."""
    return _MAGIC.startswith(bytes(data[at : at + len(_MAGIC)]))


def _body(data: memoryview) -> Body | None:
    """The body in these bytes; None if they are damaged."""
    _, checksum, described_bytes, _ = _HEAD.unpack_from(data)
    if zlib.crc32(data[_HEAD.size :]) != checksum:
        return None
    middle = _HEAD.size + int(described_bytes)
    described: dict[str, Any] = json.loads(bytes(data[_HEAD.size : middle]))
    return Body(Description(**described), data[middle:])
