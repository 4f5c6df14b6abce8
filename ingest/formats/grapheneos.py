"""Crash reports that GrapheneOS, a system of Android's family, shows its users: of native code and of Java.

They have neither the host nor the time. What is about a hang, or another type of report, is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from ingest.formats import stacks
from ingest.formats.blame import at_fault
from ingest.formats.crashes import MOST_FRAMES, Frame, Records, Told, base_name, text
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.tombstone import THROWN, Block, add, add_exception

_LONGEST_LINE = 2000
_MOST_LINES = 1000  # of a report

_BEGUN = re.compile(
    r"^[ \t>`]{0,8}type: crash\r?\n(?:[ \t>`]{0,8}flags: .{1,200}\n)?[ \t>`]{0,8}osVersion: \S", re.MULTILINE
)
_TYPE = "type: "
_VALUE = re.compile(
    r"(?P<name>osVersion|package|process|cmdline|processUptime|abortMessage|signal|threadName):? (?P<value>\S.{0,1000})"
)
_BUILD = re.compile(
    r"[^/\s]{1,60}/[^/\s]{1,60}/(?P<device>[^:\s]{1,60}):(?P<version>[^/\s]{1,20})/(?P<build>[^/\s]{1,60})"
)
_SIGNAL = re.compile(r"\d{1,3} \((?P<name>SIG[A-Z]{2,6})\)(?:, code -?\d{1,9} \((?P<code>\w{1,30})\))?")
_STEP = re.compile(r"(?P<path>\S{1,400}) \((?:(?P<function>\S.{0,1500})\+\d{1,10}, )?pc (?P<pc>[0-9a-f]{1,16})\)")
_UNKNOWN = "<unknown>"
_UNIQUE = re.compile(r" \(\.(?:__uniq|llvm)\.[\w.]{1,200}\)$")  # of functions that are local to a file


def _recognises(head: Head) -> bool:
    return _BEGUN.search(head.text.replace("\r\n", "\n")) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    report: list[str] | None = None
    for raw in text_lines_in(blocks, _LONGEST_LINE):
        line = raw.strip(" \t`>")
        if line.startswith(_TYPE):
            if report is not None:
                yield _records(report, told)
            report = [] if line == f"{_TYPE}crash" else None
        elif report is not None and len(report) < _MOST_LINES:
            report.append(line)
    if report is not None:
        yield _records(report, told)


def _records(lines: Sequence[str], told: Told) -> Records:
    records = Records(told)
    values: dict[str, str] = {}
    for found in takewhile(lambda line: line != "backtrace:", lines):
        if value := _VALUE.fullmatch(found):
            values.setdefault(value["name"], value["value"])
    build = _BUILD.match(values.get("osVersion", ""))
    system = {"os_version": text(build["version"]), "os_build": text(build["build"])} if build else {}
    process = values.get("process") or values.get("cmdline", "").partition(" ")[0]
    signal = _SIGNAL.match(values.get("signal", ""))
    if signal is None:
        start = next((at for at, line in enumerate(lines) if THROWN.fullmatch(line)), None)
        if start is not None:
            head = ["FATAL EXCEPTION: ", *([f"Process: {process}"] if process else [])]
            add_exception(records, Block("", None, [*head, *lines[start:]]), **system)
        return records
    frames = _frames(lines[lines.index("backtrace:") + 1 :] if "backtrace:" in lines else [])
    code = text(signal["name"])
    add(
        records,
        (process, values.get("processUptime", ""), values["signal"], *(f"{one.module} {one.offset}" for one in frames)),
        **system,
        domain="user",
        code=code,
        **at_fault(frames, code=code),
        frames=frames,
        tags={
            "process": base_name(process),
            "thread": values.get("threadName"),
            "signal_code": signal["code"],
            "message": values.get("abortMessage"),
            "model": build["device"] if build else None,
            "process_uptime": values.get("processUptime"),
        },
    )
    return records


def _frames(lines: Sequence[str]) -> list[Frame]:
    """``/system/lib64/libui.so (android::Parcel::write(int)+8, pc 55ee8)``, or steps as in a tombstone."""
    steps = [found for line in lines if (found := _STEP.fullmatch(line))][:MOST_FRAMES]
    if not steps:
        return list(stacks.read("\n".join(line for line in lines if line.startswith("#"))).frames)
    return [Frame() if step["path"] == _UNKNOWN else _frame(step) for step in steps]


def _frame(step: re.Match[str]) -> Frame:
    function = text(_UNIQUE.sub("", step["function"])) if step["function"] else None
    return Frame(base_name(step["path"].rpartition("!")[2]), function, int(step["pc"], 16))


GRAPHENEOS = Log("crash report of GrapheneOS", _recognises, _read)
