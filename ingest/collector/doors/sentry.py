"""Sentry's doors: for envelopes, and for the single events of older clients."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from urllib.parse import unquote, urlsplit

from ingest.collector import bodies
from ingest.collector.doors.door import Asked, BodyDoor, Reading
from ingest.formats import sentry

_TYPES = (
    "application/x-sentry-envelope", "application/json", "text/plain", "application/octet-stream",
    "application/x-www-form-urlencoded",  # the default of curl
)  # fmt: skip


def read_envelope(body: bytearray, asked: Asked) -> Reading:
    """The crash of an envelope.

    Raises:
        Unfit: it has no header, or is too large.
    """
    return _answered(sentry.envelope(body, asked.told))


def read_store(body: bytearray, asked: Asked) -> Reading:
    """The crash of a body that is one event.

    Raises:
        Unfit: it is too large.
    """
    return _answered(sentry.alone(_plain(body, asked), asked.told))


def _plain(body: bytearray, asked: Asked) -> bytearray:
    """An event that came in base64 of zlib, as the clients named raven send it without saying so; else the body."""
    if body.lstrip(b" \r\n\t").startswith(b"{"):
        return body
    most_bytes, inflater = asked.limits.document_bytes, zlib.decompressobj()
    try:
        event = inflater.decompress(base64.b64decode(body), most_bytes + 1)
    except (binascii.Error, zlib.error):
        return body
    return bytearray(event) if inflater.eof or len(event) > most_bytes else body


def _answered(events: sentry.Events) -> Reading:
    records, reply = events.records, json.dumps({"id": events.event_id}).encode()
    return Reading(records.lines, records.read, events.not_read, reply, dumps=tuple(events.dumps))


def token_in(body: bytearray) -> str | None:
    """The key in the DSN of an envelope's header, for requests through a tunnel."""
    header, _ = sentry.header_of(body)
    try:
        return unquote(urlsplit(str((header or {}).get("dsn", ""))).username or "") or None
    except ValueError:
        return None


ENVELOPE = BodyDoor("/api/{project}/envelope/", _TYPES, bodies.CLIENTS_ENCODINGS, ("POST",), read_envelope, token_in)
STORE = BodyDoor(
    "/api/{project}/store/", ("application/json", *_TYPES), bodies.CLIENTS_ENCODINGS, ("POST",), read_store
)
