"""Crash files for the readers, and what they make of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.formats.crashes import Told, Unfit
from ingest.formats.format import HEAD_BYTES, Document, Head, Log

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
TOLD = Told(AT, "log", "h-told")


def crashes_of(format: Document | Log, data: bytes, *, told: Told = TOLD, block_bytes: int = 1 << 20) -> list[Any]:
    """The records that a file brings, and as bytes what it leaves to the rules as it came."""
    return list(_each(format, data, told, block_bytes))


def crashes_before_damage(format: Document | Log, data: bytes, *, told: Told = TOLD) -> tuple[list[Any], Unfit]:
    """The records of a file before its damage, and what was said of that."""
    found = []
    with pytest.raises(Unfit) as damage:  # noqa: PT012 - what came before it counts
        for record in _each(format, data, told, 1 << 20):
            found.append(record)
    return found, damage.value


def _each(format: Document | Log, data: bytes, told: Told, block_bytes: int) -> Iterator[Any]:
    blocks = (data[at : at + block_bytes] for at in range(0, len(data), block_bytes))
    for records in format.read(blocks, told) if isinstance(format, Log) else [format.read(data, told)]:
        lines = bytes(records.lines).splitlines()
        assert len(lines) == records.read
        yield from map(_record, lines)


def _record(line: bytes) -> Any:
    return json.loads(line) if line.startswith(b'{"record":') else line


def head(data: bytes, name: str = "") -> Head:
    """How a file begins."""
    return Head(name.lower(), data[:HEAD_BYTES])
