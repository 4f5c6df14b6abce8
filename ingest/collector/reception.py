"""Reception of a body at any door: within limits, from a sender who may; unpacked, read and spooled, once per key."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.requests import Request

from fleetcrash.store.dumps import Dump, Dumps
from fleetcrash.times import instant_at
from ingest.collector import bodies
from ingest.collector.addresses import sender_of
from ingest.collector.clock import Clock
from ingest.collector.committer import Committer
from ingest.collector.credentials import token_of
from ingest.collector.doors.door import Asked, BodyDoor, Reading, Stream, StreamDoor
from ingest.collector.headers import content_type_of, encoding_of, key_of, length_of, source_of
from ingest.collector.keys import Answer, Keys
from ingest.collector.limits import Limits
from ingest.collector.metrics import Metrics
from ingest.collector.permission import Permission
from ingest.collector.privacy import Privacy
from ingest.collector.rates import Rates
from ingest.collector.refusal import WHOLE_PARTS, Refusal, amid, disk_full, unavailable, unfit
from ingest.collector.segments import Body, Description
from ingest.collector.spool import Spool
from ingest.collector.tokens import Token, Tokens
from ingest.formats.crashes import Unfit
from ingest.inflating import Inflater, Unzstd

LOG = logging.getLogger("fleetcrash.collector")

_PART_BYTES = 1 << 20  # of records of a stream that are held before they are spooled

# Work of more than a few milliseconds is done outside the event loop; these sizes take about that long.
_LARGE_BYTES = 256 << 10
_LARGE_DOCUMENT_BYTES = 64 << 10
_SMALL_REDACTED_BYTES = 64 << 10
_MOST_PACKED = 1000  # gzip packs zeros to a thousandth
_T = TypeVar("_T")


@dataclass(frozen=True)
class Parts:
    """The parts of the collector that the application uses."""

    spool: Spool
    keys: Keys
    committer: Committer
    tokens: Tokens
    rates: Rates
    dumps: Dumps
    limits: Limits
    metrics: Metrics
    clock: Clock
    privacy: Privacy | None = None


@dataclass(frozen=True)
class Taken:
    """A body that is on disk.

    Attributes:
        memory: of the reading's reply, to be closed once that is sent.
    """

    answer: Answer
    reading: Reading
    memory: ExitStack


class Reception:
    """Takes bodies of requests.

    Args:
        needs_token: nobody may send without a token, even if none is configured.
    Attributes:
        permission: who may send, and who may read the state.
        room: the memory for bodies and answers.
    """

    def __init__(self, parts: Parts, *, needs_token: bool) -> None:
        self._parts = parts
        self._under_way: dict[str, asyncio.Task[Answer]] = {}
        self._reading = asyncio.Semaphore(1)  # for large bodies, as reading a document takes many times its size
        self.room = bodies.Room(parts.limits)
        self.permission = Permission(parts.tokens, parts.rates, needs_token=needs_token)

    async def take(self, request: Request, door: BodyDoor) -> Taken:
        """Take a body; returns once it is on disk durably.

        Raises:
            Refusal: it is not taken, and nothing of it was kept.
        """
        chunks = request.stream()
        try:
            return await self._taken(request, door, chunks)
        except Refusal as refusal:
            request.state.is_cut = refusal.is_amid_body or not await drained(request, chunks)
            raise

    async def _taken(self, request: Request, door: BodyDoor, chunks: AsyncIterator[bytes]) -> Taken:
        limits, token = self._parts.limits, token_of(request)
        is_unnamed = token is None and door.token_in is not None and self.permission.wants_token
        if is_unnamed:
            limits = replace(limits, body_bytes=limits.unnamed_bytes)
        sender = None if is_unnamed else self.permission.sender(token)
        encoding, key, content_type = encoding_of(request, door), key_of(request), content_type_of(request, door)
        told_bytes = length_of(request)
        bodies.check_bytes(told_bytes, limits)
        self._parts.spool.check_room(told_bytes)
        address = sender_of(request.client)
        with self.room.enter(address) as held, ExitStack() as memory:
            body = await bodies.received(chunks, limits, held)
            began = time.perf_counter()
            if encoding != "identity":
                is_small = len(body) < _LARGE_BYTES // _MOST_PACKED
                body = await _beside(is_small, bodies.unpacked, body, encoding, limits, held)
            if sender is None:
                sender = self.permission.sender(None if door.token_in is None else door.token_in(body))
            reading = await self._read(door, body, content_type, held)
            kept_bytes = len(reading.lines) + sum(len(dump.data) for dump in reading.dumps)
            if reading.lines is not body:
                held.more(kept_bytes)
            if kept_bytes > told_bytes:  # else the disk was checked already, which takes time
                self._parts.spool.check_room(kept_bytes)
            if reading.reply:
                memory.enter_context(self.room.answering(address, len(reading.reply)))
            description = await self._described(request, sender, key, body, reading)
            answer = await self._paid(sender, description, reading)
            self._parts.metrics.acknowledged(answer.read, len(reading.lines), time.perf_counter() - began)
            self._parts.metrics.not_read(door.path, reading.not_read)
            return Taken(answer, reading, memory.pop_all())

    async def _described(
        self, request: Request, sender: Token, key: str | None, body: bytearray, reading: Reading
    ) -> Description:
        batch_id, hashed, digest = uuid.uuid4().hex, None, None
        if key is not None:
            hashed = hashlib.sha256(f"{sender.name}\n{request.url.path}\n{key}".encode()).hexdigest()
            hashing = _digest if self._parts.privacy is None else self._parts.privacy.digest
            digest = await _beside(len(body) < _LARGE_BYTES, hashing, body)
            batch_id = hashed[:32]
        return Description(batch_id, source_of(request), 0, reading.read, key=hashed, digest=digest)

    async def flow(self, request: Request, door: StreamDoor) -> None:
        """Take a body of any length, a part at a time; returns once all is on disk durably.

        Raises:
            Refusal: it is not taken to its end. Whole parts before are kept; when sent again they are duplicates.
        """
        chunks = request.stream()
        try:
            await self._flowed(request, door, chunks)
        except Refusal as refusal:
            request.state.is_cut = refusal.is_amid_body or not await drained(request, chunks)
            raise

    async def _flowed(self, request: Request, door: StreamDoor, chunks: AsyncIterator[bytes]) -> None:
        token = token_of(request)
        self.permission.sender(token)
        encoding, _ = encoding_of(request, door), content_type_of(request, door)
        length_of(request)
        self._parts.spool.check_room(0)
        try:
            await self._in_parts(request, door, chunks, token, encoding)
        except Refusal as refusal:
            raise amid(refusal) from refusal

    async def _in_parts(
        self, request: Request, door: StreamDoor, chunks: AsyncIterator[bytes], token: str | None, encoding: str
    ) -> None:
        limits = replace(self._parts.limits, body_s=self._parts.limits.stream_s)
        with self.room.enter(sender_of(request.client)) as held:
            held.coming(2 * _PART_BYTES)
            stream = door.open()
            unpacker = Unzstd(bodies.MOST_WINDOW_BYTES, held.more) if encoding == "zstd" else Inflater()
            is_packed = encoding != "identity"
            try:
                async for chunk in bodies.within(chunks, limits):
                    for block in unpacker.feed(chunk) if is_packed else (chunk,):
                        stream.feed(block)
                        if len(stream.records.lines) >= _PART_BYTES:
                            await self._part(request, door, stream, token)
                        await asyncio.sleep(0)  # a packed chunk may hold a thousand times its size
                if is_packed:
                    unpacker.end()
                stream.end()
            except bodies.DAMAGED as error:
                raise bodies.damaged(encoding, error) from error
            except Unfit as error:
                raise unfit(error, WHOLE_PARTS) from error
            finally:
                stream.settle()
                await self._part(request, door, stream, token)

    async def _part(self, request: Request, door: StreamDoor, stream: Stream, token: str | None) -> None:
        """Spool what has arrived of a stream.

        Raises:
            Refusal: it cannot be taken, or its token was revoked meanwhile.
        """
        began = time.perf_counter()
        records, not_read = stream.taken()
        self._parts.metrics.not_read(door.path, not_read)
        if records.read:
            # Above its rate a stream goes on and the next one waits: started again, it would fail at the same place.
            sender = self.permission.holder(token)
            self._parts.rates.spend(sender.name, sender.rate, records.read)
            privacy, lines = self._parts.privacy, records.lines
            if privacy is not None:
                lines = await asyncio.to_thread(privacy.lines, lines)
            self._parts.spool.check_room(len(lines))
            description = Description(uuid.uuid4().hex, source_of(request), 0, records.read)
            await self._spooled(Body(description, lines))
            self._parts.metrics.acknowledged(records.read, len(lines), time.perf_counter() - began)

    async def _read(self, door: BodyDoor, body: bytearray, content_type: str, held: bodies.Held) -> Reading:
        """The records of a body, without what must not be kept."""
        came_at = instant_at(self._parts.clock.now_us())
        reading = await self._understood(door, body, Asked(content_type, came_at, self._parts.limits))
        privacy = self._parts.privacy
        if privacy is None:
            return reading
        held.more(2 * len(reading.lines))
        lines = await _beside(len(reading.lines) < _SMALL_REDACTED_BYTES, privacy.lines, reading.lines)
        return replace(reading, lines=lines, dumps=privacy.dumps(reading.dumps))

    async def _understood(self, door: BodyDoor, body: bytearray, asked: Asked) -> Reading:
        try:
            return await self._parsed(door, body, asked)
        except Refusal:
            raise
        except Unfit as error:
            raise unfit(error, "Nothing of it was kept.") from error
        except Exception as error:
            if self._parts.privacy is None:
                raise
            # The message or stack of an error may contain a piece of the body, which the server would log.
            LOG.error("a fault of ours at %s: %s", door.path, type(error).__name__)
            said = "A fault of ours. Nothing of this request was acknowledged."
            raise Refusal(500, "internal", said) from None

    async def _parsed(self, door: BodyDoor, body: bytearray, asked: Asked) -> Reading:
        if not door.is_parsed:
            return await _beside(len(body) < _LARGE_BYTES, door.read, body, asked)
        if len(body) < _LARGE_DOCUMENT_BYTES:
            return door.read(body, asked)
        async with self._reading:
            return await asyncio.to_thread(door.read, body, asked)

    def _keep(self, dump: Dump) -> None:
        try:
            self._parts.dumps.keep(dump)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full() from error
            raise unavailable("dumps_unwritable", "cannot write to its disk") from error

    def is_shut(self, token: str | None) -> bool:
        """Whether nothing of a holder of this token is taken for now, as far as can be told before it comes."""
        try:
            self.permission.sender(token)
            self._parts.spool.check_room(_PART_BYTES)
        except Refusal as refusal:
            return refusal.is_for_now
        return False

    async def _paid(self, sender: Token, description: Description, reading: Reading) -> Answer:
        """Take a body within its sender's rate.

        Raises:
            Refusal: the sender is above its rate, or the body cannot be taken, which does not count.
        """
        rates, records = self._parts.rates, max(reading.read, reading.items, 1)
        rates.check(sender.name, sender.rate)  # again, as other bodies of this sender may have come since
        rates.spend(sender.name, sender.rate, records)
        try:
            return await self._once(Body(description, reading.lines), reading.dumps)
        except Refusal:
            rates.spend(sender.name, sender.rate, -records)
            raise

    async def _once(self, body: Body, dumps: Sequence[Dump]) -> Answer:
        """Spool a body, once per key.

        Raises:
            Refusal: it cannot be taken, or its key was used with other records before.
        """
        key = body.description.key
        if key is None:
            return await self._spooled(body, dumps)
        task = self._under_way.get(key)
        if task is None:
            answer = self._answered_before(key)
            if answer is None:
                task = self._under_way[key] = asyncio.create_task(self._spooled(body, dumps))
                task.add_done_callback(lambda _: self._under_way.pop(key))
        if task is not None:
            answer = await asyncio.shield(task)  # its sender may disconnect; the body is kept all the same
        assert answer is not None  # noqa: S101 - either it was known or the task made it
        if answer.digest != body.description.digest:
            said = "This Idempotency-Key came with other records before. Nothing of this request was kept."
            raise Refusal(422, "key_reused", said)
        return answer

    def _answered_before(self, key: str) -> Answer | None:
        """The answer to a request with this key; None if there was none.

        Raises:
            Refusal: the keys cannot be read. If the body were taken it might be there twice.
        """
        try:
            return self._parts.keys.find(key)
        except sqlite3.Error as error:
            LOG.error("the keys cannot be read: %s", error)
            raise unavailable("keys_unreadable", "cannot tell whether it has this key already") from error

    async def _spooled(self, body: Body, dumps: Sequence[Dump] = ()) -> Answer:
        """Write the dumps of a body's records to disk, then the body.

        Raises:
            Refusal: it cannot be taken. A dump is kept only if nothing but the disk can refuse the body.
        """
        description = body.description
        if description.read:
            self._parts.spool.check_backlog(len(body.lines))
            for dump in dumps:  # these push out older dumps, so no check may refuse the body after this
                await asyncio.to_thread(self._keep, dump)
            # Known from now on, not from its arrival: a body that arrived later may be in the lake already.
            description = replace(description, received_us=self._parts.clock.now_us())
            self._parts.keys.spooled(description)
            try:
                await asyncio.wrap_future(self._parts.spool.append(Body(description, body.lines)))
            except Refusal:
                self._parts.keys.dropped(description)
                raise
        return Answer(description.batch_id, description.read, description.digest or "")


async def drained(request: Request, chunks: AsyncIterator[bytes]) -> bool:
    """Whether the whole body has arrived; see ``bodies.drained``."""
    # A client that asks before sending (Expect) is told not to.
    return "expect" not in request.headers and await bodies.drained(chunks)


async def _beside(is_small: bool, work: Callable[..., _T], *arguments: Any) -> _T:
    """Do work on a body, outside the event loop if it may take more than a few milliseconds."""
    return work(*arguments) if is_small else await asyncio.to_thread(work, *arguments)


def _digest(body: bytearray) -> str:
    return hashlib.sha256(body).hexdigest()
