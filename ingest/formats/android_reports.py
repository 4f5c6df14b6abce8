"""Reports that Android keeps: traces of processes that hung (``/data/anr``), and the entries of its drop box.

The first trace of a hang is of the process that hung; those of others follow within a minute. What a program only
reports (``wtf``, StrictMode, memory) is no crash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile

from ingest.formats import stacks
from ingest.formats.crashes import Records, Told, text, time_of
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.tombstone import FINGERPRINT, THROWN, Block, add, add_exception, add_native

_LONGEST_LINE = 2000
_MOST_LINES = 3000  # of an entry; the traces of a process may have thousands, with the main thread near the start
_ONE_HANG_S = 60.0

_BOX = re.compile(r"Drop box contents: \d", re.MULTILINE)
_ENTRY = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?P<tag>\w{1,60})(?:@\d{1,15})? "
    r"\((?:compressed )?(?:text|data|contents)[^()]{0,60}\)"
)
_TRACES = re.compile(
    r"----- pid (?P<pid>\d{1,10}) at (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?P<part>\.\d{1,9})?"
    r"(?P<zone>[+-]\d{4})? -----"
)
_TRACES_LINE = re.compile(_TRACES.pattern, re.MULTILINE)
_OF_ALL = re.compile(r"^(?:-{5,} beginning of |== dumpstate: )", re.MULTILINE)  # a log with reports in it
_FIELD = re.compile(r"(?P<name>Process|PID|Package|Build|Subject|Cmd line|Build fingerprint): ?(?P<value>.{0,1000})")
_KEPT = re.compile(r"Process: \S{1,300}\n(?:[A-Z][\w -]{1,30}: .{0,1000}\n){0,9}?(?:Flags: 0x|Package: \S)")
_MAIN = re.compile(r'"main" prio=')
_REPORTED = re.compile(r"_(?:wtf|strictmode|lowmem|lmk)$", re.IGNORECASE)
_FAILURE = "android.util.Log$TerribleFailure"  # only reported, not a crash
_STARS = "*** *** *** *** *** ***"
_OWN_NAME = re.compile(r"@(?P<ms>\d{13})\.txt")


@dataclass
class _Entry:
    """The lines of an entry, or of a file without entries.

    Attributes:
        at: as written. tag: of the drop box; empty if unknown. traces: the head of traces in it.
    """

    at: str = ""
    tag: str = ""
    traces: re.Match[str] | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def hung_at(self) -> str | None:
        """When the traces were taken."""
        found = self.traces
        return time_of(f"{found['at']}{(found['part'] or '')[:7]}{found['zone'] or ''}") if found else None

    def value(self, name: str) -> str | None:
        """The value of the first line with this name."""
        found = (_FIELD.fullmatch(line) for line in self.lines)
        return next((text(one["value"].strip("' ")) for one in found if one and one["name"] == name), None)


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    if _OF_ALL.search(said):
        return False
    return bool(_BOX.search(said) or _TRACES_LINE.search(said) or _KEPT.match(said.lstrip()))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    entry = _Entry()
    hung_at: str | None = None  # of the last traces
    for line in text_lines_in(blocks, _LONGEST_LINE):
        said = line.rstrip()
        found, traces = _ENTRY.fullmatch(said), _TRACES.fullmatch(said)
        if found or (traces and entry.traces):
            yield from _told(entry, hung_at, told)
            hung_at = None if found else entry.hung_at or hung_at
            entry = _Entry(found["at"], found["tag"]) if found else _Entry(tag=entry.tag)
        entry.traces = traces or entry.traces
        if len(entry.lines) < _MOST_LINES:
            entry.lines.append(said)
    yield from _told(entry, hung_at, told)


def _told(entry: _Entry, hung_at: str | None, told: Told) -> Iterator[Records]:
    """The crash of an entry, if it is one.

    Args:
        hung_at: of the traces before it; those of other processes in the same hang follow.
    """
    records = Records(told)
    body = [line for line in entry.lines if line]
    is_hang = entry.tag.endswith(("_anr", "_watchdog")) or (entry.traces is not None and not entry.tag)
    if _REPORTED.search(entry.tag):
        return
    if is_hang:
        if hung_at is None or _apart(hung_at, entry.hung_at) > _ONE_HANG_S:
            _add_hang(records, entry)
    elif any(line.startswith(_STARS) for line in body):
        start = next(at for at, line in enumerate(body) if line.startswith(_STARS))
        add_native(records, Block(entry.at, time_of(entry.at or None), body[start:]))
    elif entry.tag.endswith("_crash") or not entry.tag:
        _add_exception(records, entry, told)
    if records.read:
        yield records


def _add_hang(records: Records, entry: _Entry) -> None:
    process = entry.value("Cmd line") or entry.value("Process")
    subject, at = entry.value("Subject"), entry.hung_at or time_of(entry.at or None)
    start = next((at for at, line in enumerate(entry.lines) if _MAIN.match(line)), len(entry.lines))
    main = takewhile(str.strip, entry.lines[start:])
    frames = list(stacks.read("\n".join(main)).frames)
    has_zone = bool(entry.traces and entry.traces["zone"])
    pid = entry.traces["pid"] if entry.traces else entry.value("PID")
    add(
        records,
        (at or "", process or "", pid or ""),
        occurred_at=at,
        time_quality=(None if has_zone else "log") if at else None,
        domain="hang",
        code="ANR",
        module=process,
        frames=frames,
        tags={"process": process, "pid": pid, "message": subject},
        **_build(entry),
    )


def _add_exception(records: Records, entry: _Entry, told: Told) -> None:
    """Add the exception that ended a process; it is on the first line after the fields."""
    behind = iter(entry.lines)
    fields = list(takewhile(str.strip, behind))
    lines = list(behind)
    thrown = THROWN.fullmatch(lines[0].strip()) if lines else None
    process = entry.value("Process")
    if thrown is None or process is None or thrown["name"] == _FAILURE or not fields:
        return
    own_name = _OWN_NAME.search(told.file or "")
    at = time_of(entry.at or None) or (time_of(int(own_name["ms"]), unit=1000) if own_name else None)
    head = f"FATAL EXCEPTION: {at or ''}"  # identifies it if there is no process number
    pid = entry.value("PID")
    whose = f"Process: {process}" + (f", PID: {pid}" if pid else "")
    block = Block(entry.at, at, [head, whose, *lines])
    add_exception(records, block, **_build(entry))


def _build(entry: _Entry) -> dict[str, str | None]:
    """The system's version, from its fingerprint."""
    said = entry.value("Build") or entry.value("Build fingerprint")
    found = FINGERPRINT.match(f"Build fingerprint: {said}")
    return {"os_version": text(found["version"]), "os_build": text(found["build"])} if found else {}


def _apart(one: str, other: str | None) -> float:
    try:
        return abs((datetime.fromisoformat(other or "") - datetime.fromisoformat(one)).total_seconds())
    except (ValueError, TypeError):
        return float("inf")


ANDROID_REPORTS = Log("Android's traces and drop box", _recognises, _read)
