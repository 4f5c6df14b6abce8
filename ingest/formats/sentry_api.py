"""Events from Sentry's API, one or many; their fields have other names than those that clients send.

``sentry`` decides which are crashes, and what is used of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats import sentry
from ingest.formats.crashes import Records, Told, Unfit, document_of, mapping, name_of, sequence, text
from ingest.formats.format import Document, Head

_MOST_EVENTS = 10_000  # a page has a hundred
_CAPITAL = re.compile(r"(?<=[a-z0-9])[A-Z]")
_FRAMES = ("stacktrace", "rawStacktrace", "raw_stacktrace")
_NAMES = {"lineNo": "lineno", "colNo": "colno"}

_BEGINS = re.compile(rb"\s{0,99}(?:\[\s{0,99})?\{")
_ID = re.compile(rb'"eventID"\s{0,9}:\s{0,9}"')
_BESIDE = re.compile(rb'"(?:groupID|dateCreated|entries|projectID)"\s{0,9}:')


def _recognises(head: Head) -> bool:
    return _BEGINS.match(head.data) is not None and bool(_ID.search(head.data) and _BESIDE.search(head.data))


def _read(data: bytes, told: Told) -> Records:
    document = document_of(data, told, code="bad_sentry_event", what="The answer of Sentry")
    events = document if isinstance(document, list) else [document]
    records = Records(told)
    found = [one for one in events[:_MOST_EVENTS] if isinstance(one, dict) and "eventID" in one]
    if not found:
        raise Unfit("bad_sentry_event", "The document has no event of Sentry")
    for one in found:
        event = as_sent(one)
        if sentry.is_crash(event):
            sentry.add(records, event, [])
    return records


def as_sent(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of the API in the form that clients send."""
    tags = dict(_pairs(event.get("tags")))
    release = event.get("release")
    entries: dict[str, Mapping[str, Any]] = {}
    for entry in sequence(event.get("entries")):
        entries.setdefault(str(mapping(entry).get("type")), mapping(mapping(entry).get("data")))
    message = entries.get("message", {})
    return {
        **event,
        "event_id": text(event.get("eventID")) or name_of(repr(event)),
        "type": None if event.get("type") in ("error", "default", "csp") else event.get("type"),
        "level": event.get("level") or tags.get("level"),
        "timestamp": event.get("timestamp") or event.get("dateCreated"),
        "release": mapping(release).get("version") if isinstance(release, dict) else release or tags.get("release"),
        "environment": event.get("environment") or tags.get("environment"),
        "exception": {"values": list(_with_stacks(entries.get("exception", {})))},
        "threads": {"values": list(_with_stacks(entries.get("threads", {})))},
        "debug_meta": event.get("debug_meta") or entries.get("debugmeta", {}),
        "logentry": {"formatted": message.get("formatted") or message.get("message")},
        "tags": [[name, said] for name, said in tags.items()],
    }


def _pairs(tags: Any) -> Iterator[tuple[str, Any]]:
    for one in sequence(tags):
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            yield one["key"], one.get("value")


def _with_stacks(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The values of an entry, with frames in the form that clients send."""
    for value in sequence(entry.get("values")):
        if isinstance(value, dict):
            stacks = [mapping(value.get(name)) for name in _FRAMES]
            frames = next((found for one in stacks if (found := sequence(one.get("frames")))), ())
            yield {**value, "stacktrace": {"frames": [_frame(one) for one in frames if isinstance(one, dict)]}}


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    """``instruction_addr`` for ``instructionAddr``, and so on."""
    return {
        _NAMES.get(name) or _CAPITAL.sub(lambda one: f"_{one[0].lower()}", name): said for name, said in frame.items()
    }


SENTRY_API = Document("events of Sentry's API", _recognises, _read)
