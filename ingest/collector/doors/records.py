"""``POST /v1/records``: the contract's records as they are."""

from __future__ import annotations

import re

from ingest.collector import bodies
from ingest.collector.doors.door import Asked, BodyDoor, Reading
from ingest.collector.refusal import Refusal

# A list, or an object that goes on behind its first line: JSON, of which no line is a record.
_NOT_BY_LINES = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:\[|\{[ \t\r]*+\n)")
_JSON = "application/json"


def read(body: bytearray, asked: Asked) -> Reading:
    """The lines of a body.

    Raises:
        Refusal: it has too many, or is JSON that is not one record a line.
    """
    if asked.content_type.partition(";")[0].strip().lower() == _JSON and _NOT_BY_LINES.match(body):
        said = "The body is a list, or an object of several lines. Wanted: NDJSON, each record on a line of its own."
        raise Refusal(400, "not_ndjson", f"{said} Nothing of it was kept.")
    lines = bodies.lines_of(body, asked.limits)
    return Reading(lines, bodies.records_in(lines))


RECORDS = BodyDoor(
    path="/v1/records",
    types=(
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        _JSON,  # a single record is one line of JSON
    ),
    encodings=bodies.ENCODINGS,
    methods=("POST",),
    read=read,
    is_parsed=False,
)
