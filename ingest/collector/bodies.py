"""Bodies of requests: read within bounds of size and time, unpacked within the same bounds."""

from __future__ import annotations

import asyncio
import codecs
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import pyarrow as pa
from starlette.requests import ClientDisconnect

from ingest import inflating
from ingest.collector.limits import Limits
from ingest.collector.refusal import Refusal, busy, stopping, too_large
from ingest.inflating import Inflater, Unzstd

ENCODINGS = ("identity", "gzip", "x-gzip", "zstd")
# Third-party clients use these as well: sentry-sdk uses brotli if it is installed.
CLIENTS_ENCODINGS = (*ENCODINGS, "deflate", "br")

_BLANK = re.compile(rb"\n[ \t\r]*(?=\n)")  # a blank line, except the first
_BLOCK_BYTES = 1 << 20
_SHARE_OF_ONE = 0.5  # so that no machine locks out all others
_DRAINED_BYTES = 256 << 20
_DRAIN_S = 10.0
MOST_WINDOW_BYTES = 8 << 20  # of zstd, which RFC 9659 wants of whoever unpacks, and allows to whoever sends
# Exceptions raised while a body is unpacked whose content is not in the encoding that it states.
DAMAGED = (OSError, pa.ArrowException, *inflating.DAMAGED)  # of Arrow where it is brotli


class Room:
    """Memory for the bodies of all requests together, and for their answers. Any thread may use it.

    One address gets half of it for what is still coming or being answered, or all if it may have all connections, as
    behind a proxy.

    Attributes:
        bodies: number being received.
        held_bytes: in memory.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._share = _SHARE_OF_ONE if limits.connections_of_one < limits.connections else 1.0
        self._lock = threading.Lock()
        self._bodies_of: Counter[str] = Counter()
        self._coming_of: Counter[str] = Counter()  # bytes
        self.bodies = 0
        self.held_bytes = 0

    def enter(self, sender: str) -> Held:
        """Begin a body.

        Raises:
            Refusal: the most allowed are being received, of all senders or of this one.
        """
        with self._lock:
            if self.bodies >= self._limits.bodies:
                raise busy(f"{self.bodies:,} bodies are under way")
            if self._bodies_of[sender] >= self._share * self._limits.bodies:
                raise busy(f"{self._bodies_of[sender]:,} bodies from this address are under way")
            self.bodies += 1
            self._bodies_of[sender] += 1
        return Held(self, sender)

    def hold(self, size_bytes: int, *, coming_from: str | None = None) -> None:
        """Take memory.

        Args:
            coming_from: the sender, who decides how long this takes; None for work on what has come.
        Raises:
            Refusal: there is none left, or the sender has enough.
        """
        with self._lock:
            if self.held_bytes + size_bytes > self._limits.held_bytes:
                raise busy(f"{self.held_bytes:,} bytes of bodies are in memory")
            if coming_from is not None:
                if self._coming_of[coming_from] + size_bytes > self._share * self._limits.held_bytes:
                    raise busy(f"{self._coming_of[coming_from]:,} bytes of bodies from this address are in memory")
                self._coming_of[coming_from] += size_bytes
            self.held_bytes += size_bytes

    def leave(self, sender: str, held_bytes: int, *, came_bytes: int) -> None:
        """End a body, and release its memory."""
        with self._lock:
            self.bodies -= 1
            self._bodies_of[sender] -= 1
            if not self._bodies_of[sender]:
                del self._bodies_of[sender]
            self._release(sender, held_bytes, came_bytes)

    @contextmanager
    def answering(self, reader: str, size_bytes: int) -> Iterator[None]:
        """Hold an answer while the context lasts: how long, its reader decides, like the sender of what is coming.

        Raises:
            Refusal: there is no memory left, or the reader has enough.
        """
        self.hold(size_bytes, coming_from=reader)
        try:
            yield
        finally:
            with self._lock:
                self._release(reader, size_bytes, size_bytes)

    def _release(self, sender: str, held_bytes: int, came_bytes: int) -> None:
        self.held_bytes -= held_bytes
        self._coming_of[sender] -= came_bytes
        if not self._coming_of[sender]:
            del self._coming_of[sender]


class Held:
    """The memory of one body; leaving the context releases it."""

    def __init__(self, room: Room, sender: str) -> None:
        self._room = room
        self._sender = sender
        self._held_bytes = self._came_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._room.leave(self._sender, self._held_bytes, came_bytes=self._came_bytes)

    def coming(self, size_bytes: int) -> None:
        """Take more for what is still coming.

        Raises:
            Refusal: there is none left, or its sender has enough.
        """
        self._room.hold(size_bytes, coming_from=self._sender)
        self._held_bytes += size_bytes
        self._came_bytes += size_bytes

    def more(self, size_bytes: int) -> None:
        """Take more.

        Raises:
            Refusal: there is none left.
        """
        self._room.hold(size_bytes)
        self._held_bytes += size_bytes


async def received(chunks: AsyncIterator[bytes], limits: Limits, held: Held) -> bytearray:
    """Receive a whole body.

    Raises:
        Refusal: it is too large, stalls, takes too long in all, there is no memory left, or the server ends.
    """
    clock = asyncio.get_running_loop().time
    ends_at = clock() + limits.body_s
    body = bytearray()
    try:
        async with asyncio.timeout_at(min(clock() + limits.stall_s, ends_at)) as limit:
            async for chunk in chunks:
                held.coming(len(chunk))
                body += chunk
                check_bytes(len(body), limits)
                limit.reschedule(min(clock() + limits.stall_s, ends_at))
    except TimeoutError:
        raise _too_slow(limits) from None
    except asyncio.CancelledError:
        raise stopping() from None
    return body


async def within(chunks: AsyncIterator[bytes], limits: Limits) -> AsyncIterator[bytes]:
    """The chunks of a body; the time that the caller spends on each does not count.

    Raises:
        Refusal: it stalls, or takes too long in all, or the server ends.
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
            raise _too_slow(limits) from None
        except asyncio.CancelledError:
            raise stopping() from None
        yield chunk


def check_bytes(size_bytes: int, limits: Limits) -> None:
    """Check that a body is not too large.

    Raises:
        Refusal: it is.
    """
    if size_bytes > limits.body_bytes:
        raise too_large("The body has", limits.body_bytes, "bytes")


def _too_slow(limits: Limits) -> Refusal:
    return Refusal(
        408, "too_slow",
        f"The body did not come within {limits.body_s:g} s, or stalled for {limits.stall_s:g} s. "
        "Nothing of it was kept.",
    )  # fmt: skip


async def drained(chunks: AsyncIterator[bytes]) -> bool:
    """Read a body to its end and discard it, as most clients read an answer only after they have sent all.

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
    except (TimeoutError, ClientDisconnect, asyncio.CancelledError):  # the last if the server ends
        return False
    return True


def unpacked(body: bytearray, encoding: str, limits: Limits, held: Held) -> bytearray:
    """Decode a body.

    Raises:
        Refusal: it is damaged, truncated or too large once it is unpacked, or there is no memory left.
    """
    whole = bytearray()
    try:
        for block in _blocks(body, encoding):
            held.more(len(block))
            whole += block
            if len(whole) > limits.body_bytes:
                raise too_large("Unpacked, the body has", limits.body_bytes, "bytes")
    except DAMAGED as error:
        raise damaged(encoding, error) from error
    return whole


def damaged(encoding: str, error: Exception) -> Refusal:
    """The body is not in its stated encoding."""
    said = " ".join(str(error).split())[:200]
    return Refusal(400, "bad_encoding", f"The body is not whole {encoding}: {said}. Nothing of it was kept.")


def _blocks(body: bytearray, encoding: str) -> Iterator[bytes]:
    if encoding == "br":
        return _brotli(body)
    if encoding == "zstd":
        return inflating.unpacked([bytes(body)], Unzstd(MOST_WINDOW_BYTES))
    if encoding != "deflate":
        return inflating.unpacked([bytes(body)], Inflater())
    # By RFC 9110 it is the zlib format; some senders send a raw deflate stream.
    is_framed = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return inflating.unpacked([bytes(body)], Inflater(wbits=15 if is_framed else -15))


def _brotli(body: bytearray) -> Iterator[bytes]:
    if not body:
        raise EOFError("it ends too soon")
    with pa.CompressedInputStream(pa.BufferReader(body), "brotli") as stream:
        yield from iter(lambda: stream.read(_BLOCK_BYTES), b"")


def lines_of(body: bytearray, limits: Limits) -> bytearray:
    """A body as whole lines: without a byte order mark, and with a newline after the last line.

    Raises:
        Refusal: it has too many lines.
    """
    if body.count(b"\n") > limits.body_lines:
        raise too_large("The body has", limits.body_lines, "lines")
    if body.startswith(codecs.BOM_UTF8):
        body = body[len(codecs.BOM_UTF8) :]
    return body if not body or body.endswith(b"\n") else body + b"\n"


def records_in(lines: bytearray) -> int:
    """How many records the loader will read: lines that are not blank. Each ends with a newline."""
    is_first_blank = bool(lines) and not lines[: lines.index(b"\n")].strip(b" \t\r")
    return lines.count(b"\n") - is_first_blank - sum(1 for _ in _BLANK.finditer(lines))
