"""``POST /v1/records``: the contract's records as they are."""

from __future__ import annotations

from ingest.collector import bodies
from ingest.collector.doors.door import Asked, BodyDoor, Reading


def read(body: bytearray, asked: Asked) -> Reading:
    """The lines of a body.

    Raises:
        Refusal: it has too many.
    """
    lines = bodies.lines_of(body, asked.limits)
    return Reading(lines, bodies.records_in(lines))


RECORDS = BodyDoor(
    path="/v1/records",
    types=(
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/json",  # a single record is one line of JSON
    ),
    encodings=bodies.ENCODINGS,
    methods=("POST",),
    read=read,
    is_parsed=False,
)
