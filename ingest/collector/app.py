"""The collector's doors, as an ASGI application."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fleetcrash.errors import LakeError
from ingest.collector import bodies
from ingest.collector.committer import Committer
from ingest.collector.keys import Answer, Keys
from ingest.collector.limits import Limits
from ingest.collector.metrics import CONTENT_TYPE, Metrics
from ingest.collector.refusal import Refusal, too_large, unavailable
from ingest.collector.segments import Body, Description
from ingest.collector.spool import Spool
from ingest.collector.tokens import Tokens

RECORDS = "/v1/records"
HEALTHZ = "/healthz"
METRICS = "/metrics"
_PATHS = (RECORDS, HEALTHZ, METRICS)
_LONGEST_KEY = 255
_LARGE_BYTES = 256 << 10
_MOST_PACKED = 1000  # gzip makes a thousandth of zeros
_TYPES = (
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json",  # one record is one line of JSON
)

_T = TypeVar("_T")


@dataclass(frozen=True)
class Parts:
    """What the application works with."""

    spool: Spool
    keys: Keys
    committer: Committer
    tokens: Tokens
    limits: Limits
    metrics: Metrics


def application(parts: Parts, *, needs_token: bool) -> Starlette:
    """The doors.

    Args:
        needs_token: nobody may send without one, even where none is configured.
    """
    doors = _Doors(parts, needs_token=needs_token)
    app = Starlette(
        routes=[
            Route(RECORDS, doors.records, methods=["POST"]),
            Route(HEALTHZ, doors.healthz, methods=["GET"]),
            Route(METRICS, doors.metrics, methods=["GET"]),
        ],
        exception_handlers={
            Refusal: doors.refused, HTTPException: doors.not_here, ClientDisconnect: doors.gone, Exception: doors.failed
        },
    )  # fmt: skip
    app.router.redirect_slashes = False  # a redirect is no JSON, and loses the body of a POST
    return app


class _Doors:
    def __init__(self, parts: Parts, *, needs_token: bool) -> None:
        self._parts = parts
        self._needs_token = needs_token
        self._room = bodies.Room(parts.limits)
        self._under_way: dict[str, asyncio.Task[Answer]] = {}

    async def records(self, request: Request) -> Response:
        """Take NDJSON; answer once it is on disk for good."""
        chunks = request.stream()
        try:
            sender = self._sender(request)
            encoding, key = _encoding(request), _key(request, sender)
            _check_type(request)
            self._check_size(request)
            with self._room.enter() as held:
                body = bytearray()
                async for chunk in bodies.within(chunks, self._parts.limits):
                    held.more(len(chunk))
                    body += chunk
                    self._check_bytes(len(body))
                began = time.perf_counter()
                if encoding != "identity":
                    is_small = len(body) < _LARGE_BYTES // _MOST_PACKED
                    body = await _beside(is_small, bodies.unpacked, body, encoding, self._parts.limits, held)
                is_small = len(body) < _LARGE_BYTES
                answer = await self._take(await _beside(is_small, _described, body, key, self._parts.limits))
                self._parts.metrics.acknowledged(answer.read, len(body), time.perf_counter() - began)
        except Refusal as refusal:
            request.state.is_cut = refusal.status == 408 or not await _drained(request, chunks)
            raise
        # What is new and what breaks a rule is known when the lake has it, moments later.
        told = {"read": answer.read, "accepted": None, "duplicates": None, "quarantined": None}
        if not answer.read:
            told = dict.fromkeys(told, 0)
        return self._answered(request, {**told, "batch_id": answer.batch_id}, 202)

    async def healthz(self, request: Request) -> Response:
        """Say how things stand."""
        trouble = self._parts.committer.trouble
        stands = {"status": "ok" if trouble is None else "degraded", "trouble": trouble}
        return self._answered(request, {**stands, "backlog_bytes": self._parts.spool.backlog_bytes}, 200)

    async def metrics(self, _: Request) -> Response:
        """Say what was counted."""
        text = self._parts.metrics.text(
            backlog_bytes=self._parts.spool.backlog_bytes,
            held_bytes=self._room.held_bytes,
            healthy=self._parts.committer.trouble is None,
        )
        return Response(text, media_type=CONTENT_TYPE)

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer a Refusal."""
        assert isinstance(error, Refusal)  # noqa: S101 - of nothing else is this the handler
        return self._error(request, error.status, error.code, str(error), error.headers)

    async def not_here(self, request: Request, error: Exception) -> Response:
        """Answer a request that no door is for."""
        assert isinstance(error, HTTPException)  # noqa: S101 - of nothing else is this the handler
        request.state.is_cut = not await _drained(request, request.stream())
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        said = f"{request.method} {request.url.path[:200]}: {error.detail}. Records go to POST {RECORDS}."
        return self._error(request, error.status_code, code, said, error.headers or {})

    async def gone(self, request: Request, _: Exception) -> Response:
        """End a request whose sender has left before the end of its body; nobody reads the answer."""
        return self._error(request, 400, "disconnected", "The body did not come to its end.", {})

    async def failed(self, request: Request, _: Exception) -> Response:
        """Answer after a fault of ours, which the server logs."""
        request.state.is_cut = True
        return self._error(request, 500, "internal", "A fault of ours. Nothing of this request was acknowledged.", {})

    def _sender(self, request: Request) -> str:
        """Who sends; empty where anybody may.

        Raises:
            Refusal: this one may not.
        """
        if not self._needs_token and not self._parts.tokens.configured:
            return ""
        try:
            sender = self._parts.tokens.sender(request.headers.get("authorization"))
        except LakeError as error:
            raise unavailable("tokens_unreadable", "cannot read its tokens") from error
        if sender is None:
            wanted = "Wanted: a header Authorization: Bearer TOKEN, with a valid token."
            raise Refusal(401, "unauthorized", wanted, {"WWW-Authenticate": "Bearer"})
        return sender

    def _check_size(self, request: Request) -> None:
        """See that a body of the size that the request tells may be taken."""
        told = int(request.headers.get("content-length", 0))
        self._check_bytes(told)
        self._parts.spool.check_room(told)

    def _check_bytes(self, size_bytes: int) -> None:
        if size_bytes > self._parts.limits.body_bytes:
            raise too_large("The body has", self._parts.limits.body_bytes, "bytes")

    async def _take(self, body: Body) -> Answer:
        """Spool a body, once for each key.

        Raises:
            Refusal: it cannot be taken, or its key came with other records before.
        """
        key = body.description.key
        if key is None:
            return await self._spooled(body)
        task = self._under_way.get(key)
        if task is None:
            answer = self._parts.keys.find(key)
            if answer is None:
                task = self._under_way[key] = asyncio.create_task(self._spooled(body))
                task.add_done_callback(lambda _: self._under_way.pop(key))
        if task is not None:
            answer = await asyncio.shield(task)  # its own sender may leave; then it is ours
        assert answer is not None  # noqa: S101 - either it was known or the task made it
        if answer.digest != body.description.digest:
            said = "This Idempotency-Key came with other records before. Nothing of this request was kept."
            raise Refusal(422, "key_reused", said)
        return answer

    async def _spooled(self, body: Body) -> Answer:
        description = body.description
        if description.read:
            self._parts.spool.check_room(len(body.lines))
            self._parts.keys.spooled(description)
            try:
                await asyncio.wrap_future(self._parts.spool.append(body))
            except Refusal:
                self._parts.keys.dropped(description)
                raise
        return Answer(description.batch_id, description.read, description.digest or "")

    def _answered(self, request: Request, document: dict[str, Any], status: int) -> Response:
        self._count(request, status)
        return JSONResponse(document, status)

    def _error(self, request: Request, status: int, code: str, message: str, headers: Mapping[str, str]) -> Response:
        self._count(request, status)
        closing = {"Connection": "close"} if getattr(request.state, "is_cut", False) else {}
        return JSONResponse({"error": {"code": code, "message": message}}, status, {**headers, **closing})

    def _count(self, request: Request, status: int) -> None:
        path = request.url.path
        self._parts.metrics.answered(path if path in _PATHS else "other", status)  # strangers do not make up labels


async def _beside(is_small: bool, work: Callable[..., _T], *arguments: Any) -> _T:
    """Do work on a body, beside the event loop where it may take longer than a few milliseconds."""
    return work(*arguments) if is_small else await asyncio.to_thread(work, *arguments)


def _described(body: bytearray, key: str | None, limits: Limits) -> Body:
    """A body as it goes into the spool.

    Raises:
        Refusal: it has too many lines.
    """
    lines = bodies.lines_of(body, limits)
    received_us, read = time.time_ns() // 1000, bodies.records_in(lines)
    if key is None:
        return Body(Description(uuid.uuid4().hex, RECORDS, received_us, read), lines)
    digest = hashlib.sha256(lines).hexdigest()
    return Body(Description(key[:32], RECORDS, received_us, read, key, digest), lines)


async def _drained(request: Request, chunks: AsyncIterator[bytes]) -> bool:
    """Whether nothing of the body is left to come; see ``bodies.drained``."""
    # Who asks before sending is told not to.
    return "expect" not in request.headers and await bodies.drained(chunks)


def _encoding(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in bodies.ENCODINGS:
        said = f"Content-Encoding {encoding[:100]!r} is not known; wanted gzip, zstd or none."
        raise Refusal(415, "unsupported_encoding", said)
    return encoding


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", _TYPES[0])
    kind, _, parameters = given.lower().partition(";")
    charset = parameters.partition("charset=")[2].strip(' "')
    if kind.strip() not in _TYPES or charset not in ("", "utf-8", "utf8", "us-ascii"):
        said = f"Content-Type {given[:100]!r} is not taken here; wanted {_TYPES[0]}, in UTF-8."
        raise Refusal(415, "unsupported_type", said)


def _key(request: Request, sender: str) -> str | None:
    """Hash of the sender and its Idempotency-Key; None without one."""
    given = request.headers.get("idempotency-key", "")
    if len(given) > _LONGEST_KEY:
        raise Refusal(400, "bad_key", f"The Idempotency-Key has more than {_LONGEST_KEY} characters.")
    return hashlib.sha256(f"{sender}\n{RECORDS}\n{given}".encode()).hexdigest() if given else None
