"""Crashes as the lines of a CSV file, and records as another program would write them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fleetcrash.store import Lake
from ingest.load import load
from ingest.report import LoadReport
from tests.ingest.conftest import NOW

NAMES = ["crash_id", "host_id", "occurred_at", "os_type", "code", "tags"]
HEADER = ",".join(NAMES).encode()
AT = b"2024-07-19T04:09:00Z"


def row(crash_id: bytes = b"c1", rest: bytes = b",") -> bytes:
    """A sound crash under ``HEADER``, with its code and tags as they stand in the file."""
    return crash_id + b",h1," + AT + b",windows," + rest


def as_csv(records: Iterable[Mapping[str, Any]], *, line_end: str = "\r\n", quote_all: bool = False) -> bytes:
    """Records as another program would write them."""
    records = list(records)
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(
        text, names, lineterminator=line_end, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    )
    writer.writeheader()
    for record in records:
        writer.writerow({name: json.dumps(v) if isinstance(v, dict | list) else v for name, v in record.items()})
    return text.getvalue().encode()


def load_csv(lake: Lake, folder: Path, data: bytes, name: str = "crash.csv") -> LoadReport:
    path = folder / name
    path.write_bytes(data)
    return load(lake, [path], now=NOW)
