"""The collector's answers, as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fleetcrash.prometheus import CONTENT_TYPE
from ingest.collector.credentials import token_of
from ingest.collector.doors import bulk, journal, minidump_upload, otlp, sentry, sentry_minidump
from ingest.collector.doors.door import BodyDoor, Page
from ingest.collector.doors.records import RECORDS
from ingest.collector.heads import Heads
from ingest.collector.openapi import HEALTHZ, METRICS, OPENAPI, document
from ingest.collector.origins import WithOrigins, preflight
from ingest.collector.pieces import InPieces
from ingest.collector.reception import Parts, Reception, drained
from ingest.collector.refusal import Refusal, later
from ingest.collector.unanswered import Unanswered

# Before a connection is closed unanswered: a client that sends again at once does so no more often than this.
_HELD_S = 1.0

CLIENTS = (
    sentry.ENVELOPE, sentry.STORE, sentry_minidump.MINIDUMP, sentry_minidump.WITHOUT_SLASH, otlp.LOGS, bulk.BULK,
    bulk.BULK_OF_INDEX, minidump_upload.MINIDUMP,
)  # fmt: skip

PAGES = (*bulk.PAGES, Page(OPENAPI, document(), "application/json"))


def application(parts: Parts, *, needs_token: bool, origins: frozenset[str] = frozenset()) -> Starlette:
    """The application with all doors.

    Args:
        needs_token: nobody may send without a token, even if none is configured.
        origins: of pages that may use Sentry's envelope door from a browser.
    """
    desk = _Desk(parts, needs_token=needs_token)
    for_pages = [Middleware(WithOrigins, origins)] if origins else []
    of_pages = [
        Route(sentry.ENVELOPE.path, partial(desk.preflight, origins), methods=["OPTIONS"], middleware=for_pages)
    ]
    app = Starlette(
        routes=[
            Route(RECORDS.path, desk.records, methods=["POST"]),
            *(Route(
                door.path, partial(desk.clients, door), methods=door.methods,
                middleware=for_pages if door is sentry.ENVELOPE else [],
            ) for door in CLIENTS),
            *(of_pages if origins else []),
            Route(journal.UPLOAD.path, desk.journal, methods=["POST"]),
            *(Route(page.path, partial(desk.page, page), methods=page.methods) for page in PAGES),
            Route(HEALTHZ, desk.healthz, methods=["GET"]),
            Route(METRICS, desk.metrics, methods=["GET"]),
        ],
        middleware=[Middleware(Heads, parts.metrics)],
        exception_handlers={
            Refusal: desk.refused, HTTPException: desk.not_here, ClientDisconnect: desk.gone, Exception: desk.failed
        },
    )  # fmt: skip
    app.router.redirect_slashes = False  # a redirect is not JSON, and loses the body of a POST
    return app


class _Desk:
    def __init__(self, parts: Parts, *, needs_token: bool) -> None:
        self._parts = parts
        self._reception = Reception(parts, needs_token=needs_token)

    async def records(self, request: Request) -> Response:
        """Take NDJSON; answer once it is on disk durably."""
        answer = (await self._reception.take(request, RECORDS)).answer
        # Which records are new, and which break a rule, is known only moments later, when the lake has them.
        told = {"read": answer.read, "accepted": None, "duplicates": None, "quarantined": None}
        if not answer.read:
            told = dict.fromkeys(told, 0)
        return self._answered(request, JSONResponse({**told, "batch_id": answer.batch_id}, 202))

    async def clients(self, door: BodyDoor, request: Request) -> Response:
        """Take a body from a third-party client; answer as it expects, once the crashes are on disk durably."""
        try:
            taken = await self._reception.take(request, door)
        except Refusal as refusal:
            found = later(refusal) if refusal.status in door.final else refusal
            if found.is_for_now and not door.heeds(request.headers):
                await asyncio.sleep(_HELD_S)
                return self._answered(request, Unanswered(status_code=found.status))
            raise found from refusal
        headers = {"Content-Type": taken.reading.reply_type, **door.reply_headers}
        return self._answered(request, InPieces(taken.reading.reply, headers, taken.memory))

    async def preflight(self, origins: frozenset[str], request: Request) -> Response:
        """Answer a browser whether the page may send."""
        return self._answered(request, preflight(request, origins))

    async def journal(self, request: Request) -> Response:
        """Take a journal of any length."""
        await self._reception.flow(request, journal.UPLOAD)
        return self._answered(request, Response("OK.\n", 202, media_type="text/plain"))

    async def page(self, page: Page, request: Request) -> Response:
        """Answer what a client asks before or after it sends. The body, if any, says nothing."""
        if not page.heeds(request.headers) and self._reception.is_shut(token_of(request)):
            return self._answered(request, Unanswered(status_code=503))
        if request.method == "POST":
            await drained(request, request.stream())
        return self._answered(request, Response(page.text, headers={"Content-Type": page.type, **page.headers}))

    async def healthz(self, request: Request) -> Response:
        """Report health: to anybody whether all is well, to permitted readers also what is wrong."""
        trouble = self._trouble
        document: dict[str, Any] = {"status": "ok" if trouble is None else "degraded"}
        if self._reception.permission.may_read(token_of(request)):
            document |= {"trouble": trouble, "backlog_bytes": self._parts.spool.backlog_bytes}
        return self._answered(request, JSONResponse(document))

    async def metrics(self, request: Request) -> Response:
        """Report the metrics."""
        self._reception.permission.check_reader(token_of(request))
        text = self._parts.metrics.text(
            backlog_bytes=self._parts.spool.backlog_bytes,
            held_bytes=self._reception.room.held_bytes,
            healthy=self._trouble is None,
            damaged=len(self._parts.spool.damaged()),
        )
        return Response(text, media_type=CONTENT_TYPE)

    @property
    def _trouble(self) -> str | None:
        """What is wrong, in a sentence; None if nothing is."""
        return self._parts.committer.trouble or self._parts.spool.trouble

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer a Refusal."""
        assert isinstance(error, Refusal)  # noqa: S101 - of nothing else is this the handler
        return self._error(request, error.status, error.code, str(error), error.headers)

    async def not_here(self, request: Request, error: Exception) -> Response:
        """Answer a request to a path or method without a door."""
        assert isinstance(error, HTTPException)  # noqa: S101 - of nothing else is this the handler
        request.state.is_cut = not await drained(request, request.stream())
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        said = f"{request.method} {request.url.path[:200]}: {error.detail}. Records go to POST {RECORDS.path}."
        return self._error(request, error.status_code, code, said, error.headers or {})

    async def gone(self, request: Request, _: Exception) -> Response:
        """End a request whose sender left before the end of its body; nobody reads the answer."""
        return self._error(request, 400, "disconnected", "The body did not come to its end.", {})

    async def failed(self, request: Request, _: Exception) -> Response:
        """Answer after a fault of ours, which the server logs."""
        request.state.is_cut = True
        return self._error(request, 500, "internal", "A fault of ours. Nothing of this request was acknowledged.", {})

    def _error(self, request: Request, status: int, code: str, message: str, headers: Mapping[str, str]) -> Response:
        closing = {"Connection": "close"} if getattr(request.state, "is_cut", False) else {}
        document: dict[str, Any] = {"error": {"code": code, "message": message}}
        return self._answered(request, JSONResponse(document, status, {**headers, **closing}))

    def _answered(self, request: Request, response: Response) -> Response:
        """Count an answer. All paths without a door share one label, so that strangers cannot create labels."""
        route = request.scope.get("route")
        self._parts.metrics.answered("other" if route is None else route.path, response.status_code)
        return response
