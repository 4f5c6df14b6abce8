"""Rejects request heads that the server accepts and no door should see: too long, or with two lengths."""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest.collector.metrics import Metrics
from ingest.collector.reception import drained

# The server stops waiting for the end of a longer head, but takes one that has arrived whole by then.
LONGEST_HEAD_BYTES = 64 << 10

_WHOLE_URL = re.compile(rb"https?://[^/?]+(/.*)?", re.IGNORECASE | re.DOTALL)
_BETWEEN_BYTES = len(b": \r\n")  # in a line, in addition to name and value
_BESIDE_BYTES = len(b"  HTTP/1.1\r\n\r\n")  # in the first line besides method and target, and after the last


class Heads:
    """Middleware that checks heads.

    Args:
        metrics: counts what is rejected.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a bad head; reduce a whole URL to its path."""
        unfit = _unfit(scope)
        if unfit is None:
            await self._app(_by_path(scope), receive, send)
            return
        request = Request(scope, receive)
        await drained(request, request.stream())  # most clients read an answer only after they have sent all
        self._metrics.answered("other", 400)
        document = {"error": {"code": "bad_request", "message": unfit}}
        # With two lengths, another request may be hidden within the body (RFC 9112, 6.1).
        await JSONResponse(document, 400, {"Connection": "close"})(scope, receive, send)


def _unfit(scope: Scope) -> str | None:
    """What is wrong with a head; None if nothing is."""
    size_bytes = len(scope["method"]) + len(scope["raw_path"]) + len(scope["query_string"]) + _BESIDE_BYTES
    size_bytes += sum(len(name) + len(value) + _BETWEEN_BYTES for name, value in scope["headers"])
    if size_bytes > LONGEST_HEAD_BYTES:
        return f"The head of this request has {size_bytes:,} bytes; at most {LONGEST_HEAD_BYTES:,} are taken."
    names = {name for name, _ in scope["headers"]}
    if names >= {b"content-length", b"transfer-encoding"}:
        return "This request has a Content-Length and a Transfer-Encoding. Wanted: one of them."
    return None


def _by_path(scope: Scope) -> Scope:
    """The request with the path as its target, if that is a whole URL (RFC 9112, 3.2.2)."""
    found = _WHOLE_URL.fullmatch(scope["raw_path"])
    if found is None:
        return scope
    raw_path = found[1] or b"/"
    return {**scope, "raw_path": raw_path, "path": unquote(raw_path.decode("ascii"))}
