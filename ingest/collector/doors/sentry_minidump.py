"""Sentry's door for dumps: of its native SDK, which has crashpad send them, and of crashpad with Sentry's URL.

A dump is in a form, or is the whole body, which then tells no event.
The event comes in one or more of three ways: packed, in a file of the native SDK; as JSON in the field ``sentry``; in
fields such as ``sentry[tags][site]``. What it lacks is taken from the dump.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from ingest.collector import bodies
from ingest.collector.doors.door import Asked, BodyDoor, Reading
from ingest.collector.doors.minidump_upload import Upload, bare, upload_of
from ingest.formats import sentry
from ingest.formats.crashes import NotJson, Records, first, mapping, name_of, parsed, sequence, tags_of

_BARE = ("application/octet-stream", "application/x-dmp")
_PACKED, _JSON = "__sentry-event", "sentry"
_NESTED = re.compile(r"sentry((?:\[[^\[\]]{1,200}\]){1,4})")


def read(body: bytearray, asked: Asked) -> Reading:
    """The crash of a form, or of a dump.

    Raises:
        Unfit: its event is too large.
        Refusal: it is neither, or the form has no dump.
    """
    is_bare = asked.content_type.partition(";")[0].strip().lower() in _BARE
    upload = bare(body) if is_bare else upload_of(body, asked, files=(_PACKED, _JSON))
    event = _event(upload)
    host_id = first(sentry.names_of_host(event, tags_of(sentry.pairs(event["tags"]))))
    own_id = upload.found.report_id or name_of(host_id or "", upload.data)
    event = sentry.with_id(event, own_id, memoryview(upload.data))
    reply = event["event_id"].encode()
    if not upload.found.is_crash:
        return Reading(b"", 0, not_read=1, reply=reply, reply_type="text/plain")
    records = Records(asked.told)
    kept = tuple(replace(dump, form=upload.form) for dump in sentry.add(records, event, [upload.data]))
    return Reading(records.lines, records.read, reply=reply, reply_type="text/plain", dumps=kept)


def _event(upload: Upload) -> dict[str, Any]:
    form = {name: said for name, said in upload.form.items() if not name.startswith(_JSON)}
    told = _nested(upload.form) | _of_json(upload.files.get(_JSON)) | _unpacked(upload.files.get(_PACKED))
    tags, user = told.get("tags"), mapping(told.get("user"))
    pairs = [list(pair) for pair in tags.items()] if isinstance(tags, dict) else sequence(tags)
    installation = form.get("guid") or upload.found.client_id  # a host's name of last resort, as a user's is
    return {
        "level": "fatal",
        "platform": "native",
        "release": form.get("ver"),
        **told,
        "tags": [*(list(pair) for pair in form.items()), *pairs],
        "user": user if user.get("id") else {"id": installation},
    }


def _nested(form: Mapping[str, str]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for name, said in form.items():
        if found := _NESTED.fullmatch(name):
            *way, last = found[1][1:-1].split("][")
            at: Any = event
            for step in way:
                at = at.setdefault(step, {}) if isinstance(at, dict) else None
            if isinstance(at, dict):
                at[last] = said
    return event


def _of_json(data: bytes | None) -> dict[str, Any]:
    """An event; an empty one for what is none, as the dump is worth more."""
    try:
        event = parsed(data or b"")
    except NotJson:
        return {}
    return event if isinstance(event, dict) else {}


def _unpacked(data: bytes | None) -> dict[str, Any]:
    try:
        return _of_json(msgspec.json.encode(msgspec.msgpack.decode(data or b"")))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):  # the latter of JSON for what it cannot hold
        return {}


MINIDUMP = BodyDoor(
    "/api/{project}/minidump/", ("multipart/form-data", *_BARE), bodies.CLIENTS_ENCODINGS, ("POST",), read
)  # fmt: skip
WITHOUT_SLASH = replace(MINIDUMP, path="/api/{project}/minidump")  # as it stands in many a crashpad's settings
