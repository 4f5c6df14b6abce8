"""Bodies of clients for the doors, and what the doors make of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from ingest.collector.bodies import records_in as records_in_lines
from ingest.collector.doors.door import Asked, Reading
from ingest.collector.limits import Limits
from ingest.collector.refusal import Refusal
from ingest.formats.crashes import Unfit

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOW_TEXT = "2026-11-25T12:00:00Z"


def asked(content_type: str = "application/json", **limits: Any) -> Asked:
    """A request to a door."""
    return Asked(content_type, NOW, Limits(**limits))


def records_in(reading: Reading) -> list[Any]:
    """The records of a reading; that its lines are what it says is checked on the way."""
    lines = bytes(reading.lines).split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == reading.read
    assert all(line.strip(b" \t\r") for line in lines)
    return [json.loads(line) for line in lines]


def the_record(reading: Reading) -> dict[str, Any]:
    """The record of a reading that has one."""
    (record,) = records_in(reading)
    return record


def read_or_refused(read: Callable[[bytearray, Asked], Reading], body: bytes | bytearray, how: Asked) -> Reading | None:
    """A reading that holds together; None where the body is refused by fault of its sender. All else is a fault."""
    try:
        reading = read(bytearray(body), how)
    except Unfit:
        return None
    except Refusal as refusal:
        if not 400 <= refusal.status < 500:
            raise
        return None
    assert reading.read == bytes(reading.lines).count(b"\n") == records_in_lines(bytearray(reading.lines))
    assert reading.not_read >= 0
    return reading


def anything() -> st.SearchStrategy[Any]:
    """JSON of any form."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    return st.recursive(
        leaves, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=6), of, max_size=3)
    )


def broken(document: Any) -> st.SearchStrategy[Any]:
    """A document in which anything stands where something else was due, at up to three places."""
    wrong = st.tuples(st.sampled_from(list(_places(document))), anything())
    return st.lists(wrong, max_size=3).map(lambda changes: _changed(document, changes))


def _places(value: Any, *before: Any) -> Iterator[tuple[Any, ...]]:
    """The way to each value of a document."""
    yield before
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _places(one, *before, key)


def _changed(document: Any, changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    holder = {"": copy.deepcopy(document)}
    for place, value in changes:
        at: Any = holder
        way = ("", *place)
        try:
            for step in way[:-1]:
                at = at[step]
            at[way[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has taken the place away
    return holder[""]
