"""systemd's journal as printed by ``journalctl -o verbose``: a line with a cursor, then one line per field."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.formats.crashes import Records, Told
from ingest.formats.format import Head, Log
from ingest.formats.journal import LONGEST_VALUE_BYTES, READ, Entries
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 4000
_PART_BYTES = 1 << 20
# The cursor has the time in microseconds; the date before it is in the language and the zone of the user.
_ENTRY = re.compile(
    r"\S.{0,80} \[s=[0-9a-f]{1,32};i=[0-9a-f]{1,16};b=[0-9a-f]{32};m=(?P<since_us>[0-9a-f]{1,16});"
    r"t=(?P<at_us>[0-9a-f]{1,16});x=[0-9a-f]{1,16}\]"
)
_FIELD = re.compile(r" {4}(?P<name>[A-Z0-9_]{1,64})=(?P<said>.*)")


def _recognises(head: Head) -> bool:
    return any(map(_ENTRY.fullmatch, head.text.splitlines()[:100]))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    entries = Entries(told, is_whole=True)
    try:
        for entry in _entries(text_lines_in(blocks, _LONGEST_LINE)):
            entries.add(entry)
            if len(entries.records.lines) > _PART_BYTES:
                yield entries.taken()[0]
    except Exception:  # of any kind: what came before it counts
        entries.end()
        yield entries.taken()[0]
        raise
    entries.end()
    yield entries.taken()[0]


def _entries(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    entry: dict[str, str] = {}
    name = ""
    for line in lines:
        if begun := _ENTRY.fullmatch(line):
            yield entry
            at_us, since_us = (str(int(begun[one], 16)) for one in ("at_us", "since_us"))
            entry, name = {"__REALTIME_TIMESTAMP": at_us, "__MONOTONIC_TIMESTAMP": since_us}, ""
        elif found := _FIELD.fullmatch(line):
            name = found["name"] if found["name"] in READ else ""
            if name:
                entry[name] = found["said"]
        elif name and len(entry[name]) < LONGEST_VALUE_BYTES:  # continuation of a value
            entry[name] += "\n" + line.strip()
    yield entry


JOURNAL_VERBOSE = Log("systemd journal, verbose", _recognises, _read)
