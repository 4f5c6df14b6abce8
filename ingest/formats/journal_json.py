"""systemd's journal as JSON: ``journalctl -o json``, ``json-pretty``, ``json-seq`` and ``json-sse``, or its list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from ingest.formats.crashes import NotJson, Records, Told, Unfit, parsed, text
from ingest.formats.format import BrokenOff, Head, Log
from ingest.formats.journal import LONGEST_VALUE_BYTES, READ, Entries
from ingest.formats.json_lists import Elements
from ingest.formats.lines import lines_in

_LONGEST_ENTRY_BYTES = 16 << 20  # with --all an entry may contain a core dump
_PART_BYTES = 1 << 20
_FIELD = re.compile(rb'"__(?:CURSOR|REALTIME_TIMESTAMP)"\s{0,9}:')
_LIST = re.compile(rb"\A(?:\xef\xbb\xbf)?\s{0,99}\[\s{0,99}(?=\{)")  # as other tools make one of the entries
_BEFORE = re.compile(rb"\s*\x1e?(?:data: )?")
_BEHIND = b" \t\r\n\0"  # a file may be filled with the last
_FENCE = b"```"  # the end of a block of code


def _recognises(head: Head) -> bool:
    start = _BEFORE.match(head.data)
    is_json = start is not None and head.data[start.end() :][:1] == b"{"
    return (is_json or _LIST.match(head.data) is not None) and _FIELD.search(head.data) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    entries = Entries(told, is_whole=True)
    try:
        for raw in _documents(blocks):
            try:
                document = parsed(raw)
            except NotJson:
                document = None
            if isinstance(document, dict):
                entries.add({name: said for name in READ if (said := field_text(document.get(name))) is not None})
            else:
                entries.records.as_it_came(raw)
            if len(entries.records.lines) > _PART_BYTES:
                yield entries.taken()[0]
    except (Unfit, BrokenOff):  # what was intact before it counts
        entries.end()
        yield entries.taken()[0]
        raise
    entries.end()
    yield entries.taken()[0]


def _documents(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Entries: one per line, or the lines between two lines with only a brace, or the elements of a list.

    Raises:
        Unfit: the list has no end.
    """
    first = next(blocks, b"")
    blocks = chain([first], blocks)
    if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        elements = Elements(_LIST, _LONGEST_ENTRY_BYTES)
        yield from elements.of(blocks)
        if elements.is_open:
            raise Unfit("bad_journal", "The journal ends within a list of entries")
        return
    held: bytearray | None = None
    for line in lines_in(blocks, _LONGEST_ENTRY_BYTES):
        said = _BEFORE.sub(b"", line, count=1).rstrip(_BEHIND)
        if held is not None:
            if len(held) <= _LONGEST_ENTRY_BYTES:
                held += said
            if said == b"}":
                yield bytes(held)
                held = None
        elif said == b"{":
            held = bytearray(said)
        elif said and said != _FENCE:
            yield said
    if held is not None:
        yield bytes(held)


def field_text(value: Any) -> str | None:
    """A field as text; journalctl writes non-UTF-8 values as numbers, and repeated fields as a list.

    Other tools write a number as one.
    """
    if isinstance(value, list) and value and isinstance(value[0], str | list):
        value = value[0]
    if isinstance(value, list):
        try:
            return bytes(value[:LONGEST_VALUE_BYTES]).decode("utf-8", "replace")
        except (TypeError, ValueError):
            return None
    if isinstance(value, str):
        return value[:LONGEST_VALUE_BYTES]
    return text(value) if isinstance(value, int) and not isinstance(value, bool) else None


JOURNAL_JSON = Log("systemd journal in JSON", _recognises, _read)
