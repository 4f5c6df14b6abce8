"""Headers of a request about its body, checked."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request

from ingest.collector.doors.door import Door
from ingest.collector.refusal import Refusal

_LONGEST_KEY = 255
_LONGEST_SOURCE = 100  # characters of a path, as the quarantine names it


def source_of(request: Request) -> str:
    """The path as the quarantine names it, without terminal control characters."""
    return quote(request.scope["path"])[:_LONGEST_SOURCE]


def length_of(request: Request) -> int:
    """The bytes of a body as the request tells them; 0 for one that comes in chunks.

    Raises:
        Refusal: it tells neither; HTTP would have it that there is no body, and what was sent would be lost.
    """
    told = request.headers.get("content-length")
    if told is None and "transfer-encoding" not in request.headers:
        said = "The request does not tell how long its body is. Nothing of it was kept. Send it with a Content-Length."
        raise Refusal(411, "length_required", said)
    return int(told or 0)


def encoding_of(request: Request, door: Door) -> str:
    """The encoding of a body.

    Raises:
        Refusal: this door does not know it.
    """
    given = ",".join(request.headers.getlist("content-encoding"))  # two headers are the same as one list
    # Some clients send the header empty: sentry-ruby for a body that it did not pack.
    encoding = ", ".join(one for each in given.split(",") if (one := each.strip().lower())) or "identity"
    if encoding not in door.encodings:
        known = ", ".join(one for one in door.encodings if one not in ("identity", "x-gzip"))
        raise Refusal(
            415, "unsupported_encoding", f"Content-Encoding {encoding[:100]!r} is not known; wanted {known} or none."
        )
    return encoding


def content_type_of(request: Request, door: Door) -> str:
    """The media type of a body, with its parameters.

    Raises:
        Refusal: this door does not take it.
    """
    given = request.headers.get("content-type", door.types[0])
    kind, _, parameters = given.lower().partition(";")
    charset = parameters.partition("charset=")[2].partition(";")[0].strip(' "')
    if kind.strip() not in door.types or charset not in ("", "utf-8", "utf8", "us-ascii"):
        said = f"Content-Type {given[:100]!r} is not taken here; wanted {door.types[0]}, in UTF-8."
        raise Refusal(415, "unsupported_type", said)
    return given


def key_of(request: Request) -> str | None:
    """The Idempotency-Key; None without one.

    Raises:
        Refusal: it is too long, or there are several.
    """
    several = set(request.headers.getlist("idempotency-key"))
    if len(several) > 1:
        raise Refusal(400, "bad_key", f"There are {len(several)} Idempotency-Keys. Wanted: one. Nothing was kept.")
    given = next(iter(several), "")
    if len(given) > _LONGEST_KEY:
        raise Refusal(400, "bad_key", f"The Idempotency-Key has more than {_LONGEST_KEY} characters.")
    return given or None
