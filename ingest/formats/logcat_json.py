"""Android's log as Android Studio saves it (``.logcat``): one JSON document with a list of messages.

The messages are put together again as ``logcat -v threadtime`` writes them, and read as ``tombstone`` reads those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ingest.formats.crashes import NotJson, Records, Told, Unfit, mapping, parsed, text, whole
from ingest.formats.format import Head, Log
from ingest.formats.json_lists import Elements
from ingest.formats.tombstone import TOMBSTONE

_LONGEST_ELEMENT_BYTES = 1 << 20
_MOST_LINES = 1000  # of one message
_BEGINS = re.compile(rb'"logcatMessages"\s{0,99}:\s{0,99}\[')
_OF_STUDIO = re.compile(rb'^[ \t]{0,99}\{\s{0,99}"(?:metadata|logcatMessages)"\s{0,99}:', re.MULTILINE)
_TAG = re.compile(r"[^:\n]{1,60}")


def _recognises(head: Head) -> bool:
    data = head.data.removeprefix(b"\xef\xbb\xbf")
    return _OF_STUDIO.search(data) is not None and _BEGINS.search(data) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    elements, broken = Elements(_BEGINS, _LONGEST_ELEMENT_BYTES), Records(told)
    yield from TOMBSTONE.read(_lines(elements, blocks, broken), told)
    yield broken
    if elements.is_open:
        raise Unfit("bad_log", "It breaks off within its list of messages")


def _lines(elements: Elements, blocks: Iterator[bytes], broken: Records) -> Iterator[bytes]:
    for raw in elements.of(blocks):
        try:
            message = mapping(parsed(raw))
        except NotJson:
            broken.as_it_came(raw)
            continue
        header, said = mapping(message.get("header")), message.get("message")
        if isinstance(said, str) and (before := _before(header)) is not None:
            lines = "".join(f"{before}{line}\n" for line in said.split("\n")[:_MOST_LINES])
            yield lines.encode("utf-8", "replace")


def _before(header: Any) -> str | None:
    """What stands before each line of a message; None if its header does not say who wrote it."""
    pid, tid, tag = whole(header.get("pid")), whole(header.get("tid")), text(header.get("tag"))
    if pid is None or tag is None or not _TAG.fullmatch(tag):
        return None
    level = {"A": "F"}.get(first := (text(header.get("logLevel")) or "I")[0], first)  # an assertion is fatal
    return f"{_stamp(mapping(header.get('timestamp')))}{pid:5d} {tid if tid is not None else pid:5d} {level} {tag}: "


def _stamp(at: Any) -> str:
    seconds, nanos = whole(at.get("seconds")), whole(at.get("nanos")) or 0
    try:
        moment = datetime.fromtimestamp(seconds or 0, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{min(nanos, 999_999_999) // 1000:06d}+0000 " if seconds else ""


LOGCAT_JSON = Log("Android's log as Android Studio saves it", _recognises, _read)
