"""No answer to a request: its connection is closed, for clients that take any answer for final."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_ABORT = "fleetcrash.abort"


class Unanswered(Response):
    """Closes the connection. The status is for the metrics only."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        scope["extensions"][_ABORT]()
        while (await receive())["type"] != "http.disconnect":
            pass


async def with_abort(app: ASGIApp, abort: Callable[[], None], scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request of an application that may close the connection without an answer.

    Args:
        abort: closes it.
    """
    await app({**scope, "extensions": {_ABORT: abort}}, receive, send)
