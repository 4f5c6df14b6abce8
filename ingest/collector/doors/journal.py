"""The journal's door, for the endless body of ``systemd-journal-upload``."""

from __future__ import annotations

from ingest.collector import bodies
from ingest.collector.doors.door import StreamDoor
from ingest.formats.journal import Journal

UPLOAD = StreamDoor("/upload", ("application/vnd.fdo.journal",), bodies.ENCODINGS, methods=("POST",), open=Journal)
