"""An answer in pieces, so that no more of it waits in the server than its reader takes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_PIECE_BYTES = 16 << 10  # the server waits for the reader once 64 KiB of them are left


class InPieces(Response):
    """An answer that may be large.

    Args:
        memory: what the answer holds; released when the server has it all, or its reader has gone.
    """

    def __init__(self, content: bytes, headers: Mapping[str, str], memory: ExitStack) -> None:
        super().__init__(content, headers=headers)
        self._memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the body has come
        """Send each piece once the reader has taken most of those before."""
        with self._memory:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for at in range(0, max(len(self.body), 1), _PIECE_BYTES):
                end = at + _PIECE_BYTES
                await send({
                    "type": "http.response.body", "body": self.body[at:end], "more_body": end < len(self.body)
                })  # fmt: skip
