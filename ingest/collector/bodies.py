"""Bodies of requests: read within bounds of size and time, unpacked within the same bounds."""

from __future__ import annotations

import asyncio
import codecs
import re
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

import pyarrow as pa
from starlette.requests import ClientDisconnect

from ingest.collector.limits import Limits
from ingest.collector.refusal import Refusal, busy, too_large

ENCODINGS = ("identity", "gzip", "x-gzip", "zstd")

_BLANK = re.compile(rb"\n[ \t\r]*(?=\n)")  # a line but the first
_BLOCK_BYTES = 1 << 20
_DRAINED_BYTES = 256 << 20
_DRAIN_S = 10.0


class Room:
    """Memory for the bodies of all requests together. Any thread may ask.

    Attributes:
        bodies: under way.
        held_bytes: in memory.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self.bodies = 0
        self.held_bytes = 0

    def enter(self) -> Held:
        """Begin a body.

        Raises:
            Refusal: as many as may be are under way.
        """
        with self._lock:
            if self.bodies >= self._limits.bodies:
                raise busy(f"{self.bodies:,} bodies are under way")
            self.bodies += 1
        return Held(self)

    def hold(self, size_bytes: int) -> None:
        """Take memory.

        Raises:
            Refusal: there is none left.
        """
        with self._lock:
            if self.held_bytes + size_bytes > self._limits.held_bytes:
                raise busy(f"{self.held_bytes:,} bytes of bodies are in memory")
            self.held_bytes += size_bytes

    def leave(self, held_bytes: int) -> None:
        """End a body, and give back what it held."""
        with self._lock:
            self.bodies -= 1
            self.held_bytes -= held_bytes


class Held:
    """What one body holds of the room; leaving the context gives it back."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._room.leave(self._held_bytes)

    def more(self, size_bytes: int) -> None:
        """Take more.

        Raises:
            Refusal: there is none left.
        """
        self._room.hold(size_bytes)
        self._held_bytes += size_bytes


async def within(chunks: AsyncIterator[bytes], limits: Limits) -> AsyncIterator[bytes]:
    """The chunks of a body, as long as they keep coming.

    Raises:
        Refusal: nothing came for a while, or it takes too long in all.
    """
    clock = asyncio.get_running_loop().time
    ends_at = clock() + limits.body_s
    while True:
        try:
            async with asyncio.timeout_at(min(clock() + limits.stall_s, ends_at)):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refusal(
                408, "too_slow",
                f"The body did not come within {limits.body_s:g} s, or stalled for {limits.stall_s:g} s. "
                "Nothing of it was kept.",
            ) from None  # fmt: skip
        yield chunk


async def drained(chunks: AsyncIterator[bytes]) -> bool:
    """Read on and keep nothing: most clients look for an answer only when they have sent all.

    Returns:
        Whether the body came to its end.
    """
    left = _DRAINED_BYTES
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    return False
    except (TimeoutError, ClientDisconnect):
        return False
    return True


def unpacked(body: bytearray, encoding: str, limits: Limits, held: Held) -> bytearray:
    """A body without its encoding.

    Raises:
        Refusal: it is damaged or cut short, or larger than may be once it is unpacked, or there is no memory left.
    """
    whole = bytearray()
    try:
        for block in _gunzipped(body) if "gzip" in encoding else _unzstd(body):
            held.more(len(block))
            whole += block
            if len(whole) > limits.body_bytes:
                raise too_large("Unpacked, the body has", limits.body_bytes, "bytes")
    except (EOFError, OSError, zlib.error, pa.ArrowException) as error:
        raise Refusal(
            400, "bad_encoding",
            f"The body is not whole {encoding}: {' '.join(str(error).split())[:200]}. Nothing of it was kept.",
        ) from error  # fmt: skip
    return whole


def _gunzipped(body: bytearray) -> Iterator[bytes]:
    rest = bytes(body)
    while True:
        member = zlib.decompressobj(wbits=31)
        while True:
            block = member.decompress(rest, _BLOCK_BYTES)
            yield block
            if member.eof:
                break
            if not block and not rest:
                raise EOFError("it ends too soon")
            rest = member.unconsumed_tail
        rest = member.unused_data
        if not rest:
            return


def _unzstd(body: bytearray) -> Iterator[bytes]:
    if not body:
        raise EOFError("it ends too soon")
    with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
        yield from iter(lambda: stream.read(_BLOCK_BYTES), b"")


def lines_of(body: bytearray, limits: Limits) -> bytearray:
    """A body as whole lines: without the mark that some editors put before UTF-8, the last line with its newline.

    Raises:
        Refusal: it has more lines than may be.
    """
    if body.count(b"\n") > limits.body_lines:
        raise too_large("The body has", limits.body_lines, "lines")
    if body.startswith(codecs.BOM_UTF8):
        body = body[len(codecs.BOM_UTF8) :]
    return body if not body or body.endswith(b"\n") else body + b"\n"


def records_in(lines: bytearray) -> int:
    """How many records the loader will read: lines that are not blank. Each ends with its newline."""
    is_first_blank = bool(lines) and not lines[: lines.index(b"\n")].strip(b" \t\r")
    return lines.count(b"\n") - is_first_blank - sum(1 for _ in _BLANK.finditer(lines))
