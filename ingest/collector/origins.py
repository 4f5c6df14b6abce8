"""CORS: pages of other origins that may send from a browser, and read the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleetcrash.errors import BadArgument
from ingest.collector.refusal import Refusal

ANY = "*"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._-]+(:[0-9]{1,5})?|[a-z][a-z0-9+.-]*://\[[0-9a-f:]+\](:[0-9]{1,5})?")
_TAKEN_HEADERS = "Authorization, Content-Encoding, Content-Type, Idempotency-Key, X-Sentry-Auth"
_EXPOSED_HEADERS = "Retry-After"  # Sentry's client waits as it says
_REMEMBERED_S = 3600


def origins_of(said: Sequence[str]) -> frozenset[str]:
    """Origins as browsers send them.

    Raises:
        BadArgument: one is not an origin, such as a URL with a path.
    """
    for one in said:
        if one != ANY and not _ORIGIN.fullmatch(one.lower()):
            raise BadArgument(
                f"{one!r} is no origin; wanted one such as https://app.example.com, or '*'. Nothing was started."
            )
    return frozenset(one.lower() for one in said)


class WithOrigins:
    """A door that pages of some origins may use."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add to each answer, including errors, that the page may read it."""
        origin = Headers(scope=scope).get("origin")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if _is_allowed(origin, self._origins):
                    headers["Access-Control-Allow-Origin"] = str(origin)
                    headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
            await send(message)

        await self._app(scope, receive, sending)


def preflight(request: Request, origins: frozenset[str]) -> Response:
    """Answer what a browser asks before it sends.

    Raises:
        Refusal: the page may not send.
    """
    if not _is_allowed(request.headers.get("origin"), origins):
        raise Refusal(403, "origin_not_allowed", "Pages of this origin may not send here.")
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": _TAKEN_HEADERS,
            "Access-Control-Max-Age": str(_REMEMBERED_S),
        },
    )


def _is_allowed(origin: str | None, origins: frozenset[str]) -> bool:
    return origin is not None and (ANY in origins or origin.lower() in origins)
