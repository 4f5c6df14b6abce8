"""The journal's door: what ``systemd-journal-upload`` sends, without end."""

from __future__ import annotations

from ingest.collector.doors.door import StreamDoor
from ingest.formats.journal import Journal

UPLOAD = StreamDoor(
    "/upload", ("application/vnd.fdo.journal",), ("identity", "gzip", "x-gzip"), methods=("POST",), open=Journal
)
