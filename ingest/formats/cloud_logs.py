"""Logs from a cloud's log store as one JSON document: a list of entries, or an object with such a list.

Google's ``logging read``; Amazon's ``filter-log-events``, ``get-log-events``, Insights and subscriptions; Azure's
tables; answers of Loki, Elasticsearch and Datadog. The output of a crashing process is a crash as in ``containers``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from ingest.formats.containers import Container
from ingest.formats.crashes import NotJson, Records, Told, Unfit, parsed, sequence, text
from ingest.formats.format import Head, Log, until_broken
from ingest.formats.json_lists import Elements
from ingest.formats.log_entries import Entry, entries_of_stream, entry_of, fields_of

_LONGEST_ELEMENT_BYTES = 4 << 20  # a stream of Loki is one element
_MOST_HELD_BYTES = 16 << 20  # of entries, until their order is known
_OF_AN_ENTRY_BYTES = 400
_PART_BYTES = 1 << 20
_ELEMENTS_LOOKED_AT = 5

_BEGINS = re.compile(
    rb'(?:^|[\]}])\s{0,99}\[(?=\s{0,99}\{)|"(?:events|logEvents|hits|rows|results|result|data)"\s{0,9}:\s{0,9}\['
)
_COLUMNS = re.compile(rb'"columns"\s{0,9}:\s{0,9}(\[[^\[\]]{0,60000}\])')


def _recognises(head: Head) -> bool:
    start = head.data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith((b"[", b"{")):
        return False
    elements = Elements(_BEGINS, _LONGEST_ELEMENT_BYTES)
    try:
        for raw in islice(elements.of(iter([start])), _ELEMENTS_LOOKED_AT):
            if _entries(parsed(raw), _columns(elements.before)):
                return True
    except (NotJson, Unfit):
        pass
    return False


def _columns(before: bytes) -> list[str]:
    """The names of a table's columns, which precede its rows."""
    found = _COLUMNS.search(before)
    try:
        told = parsed(found[1]) if found else ()
    except NotJson:
        return []
    return [text(one.get("name")) or "" for one in sequence(told) if isinstance(one, dict)]


def _entries(element: Any, columns: list[str]) -> list[Entry]:
    entry = entry_of(fields_of(element, columns))
    return [entry] if entry else entries_of_stream(element)


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    container, elements = Container(told), Elements(_BEGINS, _LONGEST_ELEMENT_BYTES)
    held: list[Entry] = []
    held_bytes, before, columns = 0, b"", list[str]()
    for raw in elements.of(until_broken(blocks)):
        if elements.before is not before:
            before, columns = elements.before, _columns(elements.before)
        try:
            found = _entries(parsed(raw), columns)
        except NotJson:
            container.records.as_it_came(raw)
            found = []
        held += found
        held_bytes += sum(len(one.said) + _OF_AN_ENTRY_BYTES for one in found)
        if held_bytes > _MOST_HELD_BYTES or len(container.records.lines) > _PART_BYTES:
            _feed(container, held)
            held, held_bytes = [], 0
            yield container.taken()
    _feed(container, held)
    container.end()
    yield container.taken()
    if elements.is_open:
        raise Unfit("bad_log", "It breaks off within its list of entries")


def _feed(container: Container, entries: list[Entry]) -> None:
    """Feed entries in the order of time; consoles have the newest first."""
    stamps = [one.at for one in entries if one.at]
    is_newest_first = len(stamps) > 1 and _is_later(stamps[0], stamps[-1])
    for entry in reversed(entries) if is_newest_first else entries:
        container.feed(entry)


def _is_later(one: str, other: str) -> bool:
    if len(one) == len(other):  # of one form, and so comparable as text
        return one > other
    try:
        return datetime.fromisoformat(one) > datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


CLOUD_LOG = Log("log of a cloud's store, in JSON", _recognises, _read)
