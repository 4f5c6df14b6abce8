"""Answers to requests that are not taken: a status, a code for programs, a sentence for people."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fleetcrash.errors import FleetcrashError
from ingest.formats.crashes import Unfit

_NOTHING = re.compile(r"Nothing of (it|this request) was kept\.")
# Said of a body that is taken a part at a time and was not taken to its end.
WHOLE_PARTS = "What came whole before it was kept."


class Refusal(FleetcrashError):
    """A request is not taken, and nothing of it was kept.

    Attributes:
        status: HTTP status.
        code: stable name of the reason, for programs.
        headers: of the answer.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    @property
    def is_amid_body(self) -> bool:
        """Whether it is because the rest of the body is not awaited."""
        return self.code in ("too_slow", "stopping")

    @property
    def is_for_now(self) -> bool:
        """Whether the same request may be taken later."""
        return self.status in (408, 429, 503, 507)


def too_large(found: str, bound: int, unit: str) -> Refusal:
    """The body has too much of something."""
    return Refusal(413, "too_large", f"{found} more than {bound:,} {unit}. Nothing of it was kept. Send it in parts.")


def unfit(error: Unfit, kept: str) -> Refusal:
    """The body is not what its door takes.

    Args:
        kept: what was kept of it, in a sentence.
    """
    if error.is_too_large:
        return Refusal(413, error.code, f"{error}. {kept} Send it in parts.")
    return Refusal(400, error.code, f"{error}. {kept}")


def amid(refusal: Refusal) -> Refusal:
    """The same for a body that is taken in parts, some of which may have been kept."""
    said = _NOTHING.sub(WHOLE_PARTS, str(refusal))
    return Refusal(refusal.status, refusal.code, said, refusal.headers)


def later(refusal: Refusal) -> Refusal:
    """The same, with the status at which all clients send again."""
    return Refusal(503, refusal.code, str(refusal), refusal.headers)


def busy(what: str) -> Refusal:
    """There is too much to do."""
    return Refusal(429, "busy", f"{what}. Nothing of this request was kept. Send it again.", {"Retry-After": "1"})


def disk_full() -> Refusal:
    """There is no room for the body."""
    said = "The collector's disk is full. Nothing of this request was kept. Send it again later."
    return Refusal(507, "disk_full", said, {"Retry-After": "10"})


def stopping() -> Refusal:
    """The collector ends."""
    return unavailable("stopping", "is stopping")


def unavailable(code: str, what: str) -> Refusal:
    """The collector cannot take anything."""
    said = f"The collector {what}. Nothing of this request was kept. Send it again later."
    return Refusal(503, code, said, {"Retry-After": "10"})
