"""The list of core dumps as ``coredumpctl list --json`` prints it, short or pretty."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ingest.formats.crashes import NotJson, Records, Told, Unfit, parsed, text
from ingest.formats.format import Log
from ingest.formats.journal import add_core_dump
from ingest.formats.json_lists import Elements

_LIST = re.compile(rb'\[\s{0,99}(?=\{\s{0,99}"time"\s{0,9}:\s{0,9}\d{1,20}\s{0,9},\s{0,99}"pid"\s{0,9}:)')
_LONGEST_BYTES = 64 << 10  # of a dump's row
_MOST_ROWS = 1000  # at once
_NAMES = {"time": "COREDUMP_TIMESTAMP", "pid": "COREDUMP_PID", "sig": "COREDUMP_SIGNAL", "exe": "COREDUMP_EXE"}


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    elements = Elements(_LIST, _LONGEST_BYTES)
    rows = elements.of(blocks)
    while some := list(islice(rows, _MOST_ROWS)):
        records = Records(told)
        for raw in some:
            _add(records, raw)
        yield records
    if elements.is_open:
        raise Unfit("bad_core_dumps", "The list of core dumps has no end")


def _add(records: Records, raw: bytes) -> None:
    try:
        row: Any = parsed(raw)
    except NotJson:
        row = None
    if isinstance(row, dict):
        add_core_dump(records, {field: said for name, field in _NAMES.items() if (said := text(row.get(name)))})
    else:
        records.as_it_came(raw)


COREDUMPCTL_JSON = Log(
    "list of core dumps in JSON",
    lambda head: _LIST.match(head.data.lstrip(b"\xef\xbb\xbf \t\r\n")) is not None,
    _read,
)
