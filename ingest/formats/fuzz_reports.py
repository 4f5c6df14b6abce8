"""Reports of crashes that fuzzers found: those that ClusterFuzz files in bug trackers, and honggfuzz's report file.

They do not have the host. Only honggfuzz's have the time, without a zone; it is taken for UTC. Of ClusterFuzz's the
stack has at most three functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.formats.blame import at_fault
from ingest.formats.crashes import MOST_FRAMES, Frame, Records, Told, base_name, name_of, tags_of, text, time_of
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.systems import os_type

_LONGEST_LINE = 4000
_MOST_STATE = 10  # lines

_FIELD = re.compile(
    r"(?P<name>Detailed [Rr]eport|Crash [Tt]ype|Crash [Aa]ddress|Crash [Ss]tate|Platform Id|Job Type|Fuzz Target|Fuzzer"
    r"|Project|TIME(?=: \d{4}-\d\d-\d\d\.\d\d:)|FUZZ_FNAME|PID|SIGNAL|FAULT ADDRESS|INSTRUCTION|STACK HASH|STACK)"
    r":\s{0,9}(?P<value>\S.*)?"
)
_CLUSTERFUZZ = re.compile(
    r"^\s{0,8}Crash [Tt]ype: {1,4}\S[^\n]{0,200}\n(?:[^\n]{0,300}\n){0,3}?\s{0,8}Crash [Ss]tate:", re.M
)
_HONGGFUZZ = re.compile(r"^FUZZ_FNAME: [^\n]{1,400}\nPID: \d{1,10}\nSIGNAL: SIG", re.MULTILINE)
_SIZE = re.compile(r" (?:\d{1,9}|\{\*\})$")
_NOT_OF_STATE = re.compile(r"- .{1,40} -|NULL|`{3,}.*")
_STEP = re.compile(
    r"<0x[0-9a-f]{4,16}> \[func:(?P<function>.{0,500}) file:.{0,500} line:\d{1,9} module:(?P<module>[^\]]{0,500})\]"
)
_SIGNAL = re.compile(r"SIG[A-Z0-9]{2,10}")
_NOT_KNOWN = frozenset(["", "UNKNOWN", "[UNKNOWN]"])


@dataclass
class _Report:
    said: dict[str, str] = field(default_factory=dict)
    into: str = ""  # the field that has the next lines
    frames: list[Frame] = field(default_factory=list)

    def is_followed_by(self, name: str) -> bool:
        """Whether a field begins another report."""
        if name in ("Detailed report", "TIME"):
            return bool(self.said)
        return name in ("Crash type", "FUZZ_FNAME") and name in self.said


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    is_one = "Crash " in said and _CLUSTERFUZZ.search(said) is not None
    return is_one or ("FUZZ_FNAME: " in said and _HONGGFUZZ.search(said) is not None)


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    report = _Report()
    for line in text_lines_in(blocks, _LONGEST_LINE):
        said = line.strip()
        found = _FIELD.fullmatch(said)
        name = found["name"].capitalize() if found and found["name"].startswith(("Crash", "Detailed")) else ""
        name = name or (found["name"] if found else "")
        if found and report.is_followed_by(name):
            yield from _records(report, told)
            report = _Report()
        if found:
            report.said.setdefault(name, (found["value"] or "").strip())
            report.into = name
        elif report.into in ("Crash state", "STACK") and said:
            _add_step(report, said)
        elif report.frames:
            report.into = ""
    yield from _records(report, told)


def _add_step(report: _Report, said: str) -> None:
    if report.into == "STACK":
        step = _STEP.fullmatch(said)
        if step and len(report.frames) < MOST_FRAMES:
            function = None if step["function"] in _NOT_KNOWN else text(step["function"])
            report.frames.append(Frame(base_name(step["module"]), function))
    elif not _NOT_OF_STATE.fullmatch(said) and len(report.frames) < _MOST_STATE:
        report.frames.append(Frame(None, text(said)))


def _records(report: _Report, told: Told) -> Iterator[Records]:
    """The crash of a report, if it is whole enough."""
    said, frames = report.said, report.frames
    signal = _SIGNAL.match(said.get("SIGNAL", ""))
    if "Crash type" in said and "Crash state" in said:
        code, system = _SIZE.sub("", said["Crash type"]), said.get("Platform Id") or said.get("Job Type")
    elif signal and "FUZZ_FNAME" in said:
        code, system = signal[0], None
    else:
        return
    platform = os_type((system or "").partition("_")[0] or None)
    records = Records(told)
    host_id = records.host_id(())
    at = time_of(said.pop("TIME").replace(".", "T")) if "TIME" in said else None
    identity = (f"{frame.module} {frame.function}" for frame in frames)
    records.crash(
        crash_id=name_of(host_id or "", *(f"{name} {value}" for name, value in said.items()), *identity),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type=platform if platform in ("windows", "darwin") else "linux",
        domain="hang" if code.startswith("Timeout") else "user",
        code=text(code),
        **at_fault(frames, said.get("Fuzz Target"), code=code),
        frames=frames,
        tags=tags_of(
            [
                ("fuzzer", said.get("Fuzz Target") or said.get("Fuzzer")),
                ("project", said.get("Project")),
                ("address", said.get("Crash address") or said.get("FAULT ADDRESS")),
                ("pid", said.get("PID")),
            ]
        ),
    )
    yield records


FUZZ_REPORTS = Log("report of a fuzzer", _recognises, _read)
