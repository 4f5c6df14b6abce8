"""Node's diagnostic reports (``report.*.json``), where the process ended by what they tell of.

A report holds the environment, the command line and all open files of the process: nothing of these is looked at. One
that a signal or the program asked for is no crash. Its time in words is the host's own, whatever zone it names, so that
the time in milliseconds counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ingest.formats import stacks
from ingest.formats.blame import at_fault
from ingest.formats.crashes import (
    Frame,
    Records,
    Told,
    Unfit,
    document_of,
    mapping,
    name_of,
    sequence,
    tags_of,
    text,
    time_of,
)
from ingest.formats.format import Document, Head
from ingest.formats.systems import os_type

_MOST_STEPS = 256
_NAMES = tuple(re.compile(rf'"{name}"\s{{0,20}}:') for name in ("header", "trigger", "nodejsVersion"))
_STACKS = re.compile(r'"(?:javascriptStack|dumpEventTime)"\s{0,20}:')
_ENDED_BY = frozenset(["Exception", "FatalError", "OOMError", "FatalException"])
_THROWN = re.compile(r"(?:Uncaught )?(?P<name>[A-Za-z_$][\w.$]{0,200})(?::.*)?", re.DOTALL)
_SYMBOL = re.compile(r"(?P<function>[^\[\]]{1,500}?)?(?:\+\d{1,9})?(?: {0,2}\[(?P<module>[^\[\]]{1,500})\])?")


def _recognises(head: Head) -> bool:
    said = head.text.lstrip()
    return said.startswith("{") and all(name.search(said) for name in _NAMES) and bool(_STACKS.search(said))


def _read(data: bytes, told: Told) -> Records:
    report = mapping(document_of(data, told, code="bad_node_report", what="The report of Node"))
    header = mapping(report.get("header"))
    if not header.get("trigger"):
        raise Unfit("bad_node_report", "The document has no header with a trigger, as Node writes it")
    records = Records(told)
    if header["trigger"] in _ENDED_BY:
        _add(records, report, header)
    return records


def _add(records: Records, report: Any, header: Any) -> None:
    script = mapping(report.get("javascriptStack"))
    message, event = text(script.get("message")), text(header.get("event"))
    native = list(map(_step, sequence(report.get("nativeStack"))[:_MOST_STEPS]))
    frames: Sequence[Frame] = native
    code = event
    if header["trigger"] in ("Exception", "FatalException"):
        thrown = _THROWN.fullmatch(message or "")
        code = thrown["name"] if thrown else event
        lines = [line for line in sequence(script.get("stack"))[:_MOST_STEPS] if isinstance(line, str)]
        frames = stacks.read("\n".join(line if line.startswith("at ") else f"at {line}" for line in lines)).frames
    system = os_type(header.get("platform"))
    host_id = records.host_id((header.get("host"),))
    at = time_of(_milliseconds(header.get("dumpEventTimeStamp")), unit=1000)
    pid = text(header.get("processId"))
    records.crash(
        crash_id=name_of(host_id or "", at or "", pid or "", text(header.get("filename")) or "", event or ""),
        host_id=host_id,
        occurred_at=at,
        os_type=system,
        os_version=None if system == "darwin" else text(header.get("osRelease")),  # the kernel's of macOS
        domain="user",
        code=code,
        **at_fault(frames),
        frames=frames,
        tags=tags_of(
            [
                ("message", message if frames is not native else event),
                ("pid", pid),
                ("node", header.get("nodejsVersion")),
                ("architecture", header.get("arch")),
            ]
        ),
    )


def _step(said: Any) -> Frame:
    """``node::Abort() [node]``, or on Windows with how far it is into the function."""
    found = _SYMBOL.fullmatch(text(mapping(said).get("symbol")) or "")
    if found is None:
        return Frame()
    module = (found["module"] or "").replace("\\", "/").rpartition("/")[2]
    return Frame(module or None, text(found["function"]))


def _milliseconds(said: Any) -> Any:
    """As the number that it is: Node writes it as text."""
    return int(said) if isinstance(said, str) and said.isdecimal() and len(said) < 20 else said


NODE_REPORT = Document("report of Node", _recognises, _read)
