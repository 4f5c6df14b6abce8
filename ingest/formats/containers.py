"""Logs of containers: docker's ``json-file``, those of Kubernetes' runtimes (CRI), and what log shippers write.

Fluent Bit, Filebeat and Google's logging write an object per line like docker, with the place of origin.

The output of a crashing process is a crash as in ``sanitizer``; for Python only a traceback at the end of the log, as a
program that goes on prints tracebacks as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ingest.formats import sanitizer
from ingest.formats.crashes import NotJson, Records, Told, mapping, parsed, time_of
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.log_entries import Entry, entry_of
from ingest.formats.programs import Printed, Programs
from ingest.formats.sanitizer_reports import Report
from ingest.formats.tracebacks import PYTHON_HEAD, STOPPED, Traceback

_LONGEST_LINE = 64 << 10  # docker and runtimes split longer ones; includes JSON escapes
_LONGEST_SAID = 16 << 10
_PART_BYTES = 1 << 20
_MOST_STREAMS = 200  # in a log that a shipper merged
_AT_ONCE_S = 1.0  # a dying process has written everything within this time

_CRI = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (?P<stream>stdout|stderr) (?P<part>[FP])"
    r"(?:[:\w]{0,20})?(?: (?P<said>.*))?"
)
_CUT_JSON = re.compile(r'\s{0,9}\{\s{0,9}"log"\s{0,9}:\s{0,9}"')
ROTATED = re.compile(r"\.log\.(?:\d{1,4}|\d{8}-\d{6})(?:\.gz)?$")  # the process goes on in the next file
_LINES_LOOKED_AT = 5


@dataclass
class _Stream:
    """The state of a stream: an unfinished line, and the last traceback with its last time."""

    held: str = ""
    traceback: Traceback = field(default_factory=Traceback)
    origin: Entry | None = None
    last_at: str | None = None


def _recognises_json(head: Head) -> bool:
    if not head.data.lstrip().startswith(b"{"):
        return False
    first, end, _ = head.text.lstrip().partition("\n")
    try:
        return _of_json(first) is not None
    except NotJson:
        return not end and _CUT_JSON.match(first) is not None


def _recognises_cri(head: Head) -> bool:
    lines = [line for line in head.text.lstrip().split("\n", _LINES_LOOKED_AT)[:_LINES_LOOKED_AT] if line.strip()]
    return bool(lines) and all(_CRI.fullmatch(line.rstrip("\r")) for line in lines)


def _of_json(line: str) -> Entry | None:
    """An entry; None for another object.

    Raises:
        NotJson: it is not JSON.
    """
    return entry_of(mapping(parsed(line.encode())))


def _of_cri(line: str) -> Entry | None:
    found = _CRI.fullmatch(line)
    if found is None:
        return None
    return Entry(found["stream"], found["at"], found["said"] or "", is_whole=found["part"] == "F")


class Container:
    """The crashes in a log, as its lines come.

    Attributes:
        records: waiting to be taken.
    """

    def __init__(self, told: Told) -> None:
        self.records = Records(told)
        self._told = told
        self._programs = Programs()
        self._streams: dict[str, _Stream] = {}

    def feed(self, line: Entry) -> None:
        """Process the next line."""
        stream = self._streams.get(line.stream)
        if stream is None:
            if len(self._streams) >= _MOST_STREAMS:
                self._streams.pop(next(iter(self._streams)))
            stream = self._streams[line.stream] = _Stream()
        *whole, last = line.said.split("\n")  # a logging program may write a report as one entry
        for said in whole:
            self._feed(stream, line, said)
        if line.is_whole:
            self._feed(stream, line, last)
        else:
            stream.held = (stream.held + last)[:_LONGEST_SAID]

    def _feed(self, stream: _Stream, line: Entry, last: str) -> None:
        said = (stream.held + last)[:_LONGEST_SAID].rstrip("\r")
        stream.held = ""
        self._add(self._programs.feed((line.host, line.stream), said, line))
        traceback = stream.traceback
        if traceback.lines or said.startswith(PYTHON_HEAD):
            if traceback.feed(said):
                stream.origin = line if len(traceback.lines) == 1 else stream.origin
                stream.last_at = line.at
            elif traceback.thrown and _apart(stream.last_at, line.at) > _AT_ONCE_S:
                traceback.clear()

    def end(self) -> None:
        """Process the end of the lines."""
        self._add(self._programs.end())
        if self._told.file and ROTATED.search(self._told.file):
            return
        for stream in self._streams.values():
            traceback, origin = stream.traceback, stream.origin
            if traceback.thrown and origin and traceback.thrown["name"] != STOPPED:
                thrown = traceback.thrown
                report = Report(thrown["name"], thrown[0], lines=traceback.lines)
                sanitizer.add(self.records, report, host=origin.host, at=time_of(origin.at))

    def taken(self) -> Records:
        """The records since the last call."""
        taken, self.records = self.records, Records(self._told)
        return taken

    def _add(self, found: Iterator[Printed]) -> None:
        for printed in found:
            origin = printed.origin
            sanitizer.add(self.records, printed.report, host=origin.host, at=time_of(origin.at))


def _apart(one: str | None, other: str | None) -> float:
    """Seconds between two stamps; any where one of them is none."""
    try:
        return abs((datetime.fromisoformat(other or "") - datetime.fromisoformat(one or "")).total_seconds())
    except (ValueError, TypeError):
        return float("inf")


def _read_json(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    container = Container(told)
    for line in text_lines_in(blocks, _LONGEST_LINE):
        try:
            if line.strip() and (entry := _of_json(line)) is not None:
                container.feed(entry)
        except NotJson:
            container.records.as_it_came(line.encode())
        if len(container.records.lines) > _PART_BYTES:
            yield container.taken()
    container.end()
    yield container.taken()


def _read_cri(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    container = Container(told)
    for line in text_lines_in(blocks, _LONGEST_LINE):
        if (entry := _of_cri(line)) is not None:
            container.feed(entry)
        if len(container.records.lines) > _PART_BYTES:
            yield container.taken()
    container.end()
    yield container.taken()


DOCKER_LOG = Log("docker's log of a container", _recognises_json, _read_json)
CRI_LOG = Log("Kubernetes' log of a container", _recognises_cri, _read_cri)
