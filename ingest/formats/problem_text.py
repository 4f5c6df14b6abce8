"""Crashes of Windows as people copy them: details of a problem from a dialog or the reliability monitor, a blue screen.

The details have the signature of a report (see ``wer``): its type, and values whose names are in the language of the
system, so that their order counts. Of a blue screen's text the stop code counts, and the driver that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ingest.formats.crashes import Records, Told, name_of, tags_of
from ingest.formats.event_dates import local_time
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.live_dumps import is_live
from ingest.formats.wer import KINDS, Problem, os_version, problem, report_id

_LONGEST_LINE = 2000
_MOST_LINES = 40  # of one problem
_MOST_BETWEEN = 12  # lines between its date and its signature

_HEAD = re.compile(rf"[^:：\n]{{3,60}}[:：]\s{{0,40}}(?P<kind>{'|'.join(map(re.escape, KINDS))})\s*", re.IGNORECASE)
_VALUE = re.compile(r"\s{0,9}(?P<label>[^:：\n]{1,60}?)\s{0,9}[:：]\s{0,40}(?P<value>.*)")
_NUMBERED = re.compile(r"P(?:\d|10)")
_SYSTEM = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4,6}(?:\.\d{1,9}){4,5}")  # which follows the values of the signature
_BUGCHECK = {
    "code": "code", "bccode": "code", **{f"parameter {at}": f"argument{at}" for at in range(1, 5)},
    **{f"bcp{at}": f"argument{at}" for at in range(1, 5)}, "os version": "os_version",
}  # fmt: skip
_BUGCHECKS = ("code", "argument1", "argument2", "argument3", "argument4", "os_version")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{1,16}")
_EXCEPTION = re.compile(r"[A-Za-z_]\w*(?:[.+][A-Za-z_]\w*)*")
_MANAGED = ("CLR20R3", "POWERSHELL")  # which have the name of an exception in place of a number
_DIGITS_OF_BUGCHECK = 8
_UNDERSCORED = re.compile(r"\d{1,2}_\d{1,2}_\d{4,6}")
_REPORT_ID = re.compile(r"Report I[dD](?:entifier)?", re.IGNORECASE)
_STOP = re.compile(
    r"\*{3}\s{0,3}STOP:\s{0,3}(?P<code>0x[0-9a-fA-F]{1,8})\s{0,9}"
    r"\((?P<arguments>\s?0x[0-9a-fA-F]{1,16}(?:\s?,\s{0,3}0x[0-9a-fA-F]{1,16}){3})\s?\).*"
)
_DRIVER = re.compile(
    r"\*{3}\s{1,9}(?P<module>[\w.-]{1,60})\s{1,3}-\s{1,3}Address\s{1,3}[0-9a-fA-F]{8,17}\s{1,3}base at .*"
)
_CREATED = re.compile(r"\s{0,9}Creation Time:\s{1,9}(?P<date>\d.{0,40})")
_DIRECTION = "\u200e"  # Windows writes it before the numbers of a date
_MARKS = re.compile(rf"STOP:|[:：]\s{{0,40}}(?:{'|'.join(map(re.escape, KINDS))})\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass
class _Found:
    """A problem, line by line.

    Attributes:
        kind: of its report; None for a blue screen.
        date: as it is written above it.
    """

    kind: str | None
    date: str
    lines: list[str] = field(default_factory=list)


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    if _MARKS.search(said) is None:
        return False
    return any(_problem(found) is not None for found in _problems(iter(said.split("\n"))))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    for found in _problems(text_lines_in(blocks, _LONGEST_LINE)):
        if (known := _problem(found)) is not None:
            records = Records(told)
            _add(records, found, known, told.at)
            yield records


def _problems(lines: Iterator[str]) -> Iterator[_Found]:
    found: _Found | None = None
    date, since = "", 0
    for marked in lines:
        line = marked.replace(_DIRECTION, "")
        since += 1
        head = _HEAD.fullmatch(line)
        if head or _STOP.fullmatch(line.strip()):
            if found is not None:
                yield found
            found = _Found(head["kind"] if head else None, date if since <= _MOST_BETWEEN else "")
        elif line[:1].isdigit() and len(line) < 40:
            date, since = line.strip(), 0
        elif created := _CREATED.fullmatch(line):
            date, since = created["date"].strip(), 0
        if found is not None and len(found.lines) < _MOST_LINES:
            found.lines.append(line)
    if found is not None:
        yield found


def _problem(found: _Found) -> Problem | None:
    """What a problem is, if it is a crash and complete."""
    if found.kind is None:
        return _of_screen(found.lines)
    said = [(one["label"].strip(), one["value"].strip()) for line in found.lines[1:] if (one := _VALUE.fullmatch(line))]
    if found.kind.upper() == "BLUESCREEN":
        named: dict[str, str] = {}
        for label, value in said:
            role = _BUGCHECK.get(label.lower())
            if role and (role != "os_version" or _UNDERSCORED.fullmatch(value)):
                named.setdefault(role, value)
        return _of_kernel([named.get(role) for role in _BUGCHECKS])
    numbered = [value for label, value in said if _NUMBERED.fullmatch(label)]
    at = next((at for at, (_, value) in enumerate(said) if _SYSTEM.fullmatch(value)), len(said))
    labels, values = ([], numbered) if numbered else ([label for label, _ in said[:at]], [one for _, one in said[:at]])
    known = problem(found.kind, values, labels)
    if known is None or not (numbered or at < len(said)):
        return None
    if at < len(said) and (system := os_version(said[at][1])):
        known = Problem({"os_version": system, **known.fields}, known.tags)
    form = _EXCEPTION if found.kind.upper() in _MANAGED else _HEX
    code = str(known.fields.get("code") or "")
    is_told = known.fields["domain"] == "hang" or _HEX.fullmatch(code) or form.fullmatch(code)
    return known if is_told and known.tags.get("exe") else None


def _of_kernel(values: Sequence[str | None]) -> Problem | None:
    code = values[0] or ""
    if not _HEX.fullmatch(code) or len(code.removeprefix("0x")) > _DIGITS_OF_BUGCHECK or is_live(int(code, 16)):
        return None
    return problem("BlueScreen", values)


def _of_screen(lines: Sequence[str]) -> Problem | None:
    stop = _STOP.fullmatch(lines[0].strip())
    known = _of_kernel([stop["code"], *(one.strip() for one in stop["arguments"].split(","))]) if stop else None
    driver = next((found for line in lines[1:] if (found := _DRIVER.fullmatch(line.strip()))), None)
    if known is None or driver is None:
        return known
    return Problem({**known.fields, "module": driver["module"]}, known.tags)


def _add(records: Records, found: _Found, known: Problem, before: datetime) -> None:
    host_id = records.host_id(())
    at = local_time(found.date, day_first=None, after=None, before=before)
    own = next(
        (
            one["value"].strip()
            for line in found.lines
            if (one := _VALUE.fullmatch(line)) and _REPORT_ID.fullmatch(one["label"].strip())
        ),
        None,
    )
    places = (known.fields.get("module"), known.fields.get("module_offset"), known.fields.get("code"))
    identity = (host_id or "", found.date, found.kind or "", *map(str, places), *known.tags.values())
    records.crash(
        crash_id=report_id(own, host_id) or name_of(*identity),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type="windows",
        **known.fields,
        tags=tags_of([("event_type", found.kind), *known.tags.items()]),
    )


PROBLEM_TEXT = Log("details of a problem of Windows, as text", _recognises, _read)
