"""Lists of crashes that viewers of Windows' dumps and reports save as text: BlueScreenView, AppCrashView, WhoCrashed.

Their dates are in the format of the user's country. Which number is the day is known from the names of small dumps,
which begin with month, day and year.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest.formats.crashes import Records, Told, base_name, name_of, tags_of, whole
from ingest.formats.event_dates import days_first, local_time
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.live_dumps import is_live
from ingest.formats.systems import version_of_windows
from ingest.formats.wer import Problem, hex_code, problem, version

_LONGEST_LINE = 4000
_MOST_VALUES = 60  # of one crash
_MOST_HELD = 5000  # crashes, until a date shows which of its numbers is the day

_RULE = re.compile(r"={20,200}\s*")
_VALUE = re.compile(r"(?P<label>[A-Z][A-Za-z0-9 ]{2,24}?) {0,20}: ?(?P<value>.*)")
# The columns of BlueScreenView; a table of it may lack their names.
_COLUMNS = ("dump file", "crash time", "bug check string", "bug check code", "parameter 1", "parameter 2",
            "parameter 3", "parameter 4", "caused by driver", "caused by address", "file description", "product name",
            "company", "file version", "processor", "crash address", "stack address 1", "stack address 2",
            "stack address 3", "computer name", "full path", "processors count", "major version",
            "minor version")  # fmt: skip
_HEADS = (re.compile(r'"?Dump File"?[,\t]"?Crash Time"?[,\t]"?Bug Check String"?[,\t].*'),
          re.compile(r'"?Process File"?[,\t]"?Event Name"?[,\t]"?Event Time"?[,\t].*'))  # fmt: skip
_ROW = re.compile(
    r'"?[^\t,"]{1,100}\.dmp"?(?P<mark>[,\t])"?\d[^\t,"]{7,40}"?(?P=mark)"?[A-Z_0-9]{0,80}"?(?P=mark)"?0x[0-9a-f]{8}"?'
    r'(?P=mark)"?(?:[0-9a-f]{8}`)?[0-9a-f]{8}"?(?P=mark).*'
)
_CODE = re.compile(r"(?:0x)?[0-9a-fA-F]{1,16}")
_ADDRESS = re.compile(r"[^+\s]{1,100}\+(?:0x)?(?P<offset>[0-9a-fA-F]{1,12})")
_SMALL_DUMP = re.compile(r"(?P<month>\d\d)(?P<day>\d\d)(?P<year>\d\d)-\d{1,9}-\d\d\.dmp", re.IGNORECASE)
_SHARE = re.compile(r"\\\\(?P<host>[^\\\s.?]{1,100})\\")
_NAMES = {
    "application name": "process file", "application version": "process version",
    "fault module name": "fault module name", "fault module version": "fault module version",
    "exception code": "exception code", "exception offset": "exception offset",
}  # fmt: skip

_MARKS = ("Bug Check", "Event Name", ".dmp", "your computer crashed")  # one of them is in each text with a crash
_CRASHED = re.compile(
    r"On (?:[^\W\d_]{2,9}\.?,? )?(?P<at>\d[\d./: -]{8,24}?(?: [AaPp][Mm])?)(?: (?![AP]M )[A-Z]{2,4})?"
    r" your computer crashed(?: or a problem was reported)?\.?\s*"
)
_SAID = re.compile(
    r"(?P<label>[Cc]rash dump file|[Bb]ugcheck code|Error|Bugcheck name"
    r"|This was probably caused by the following module|Driver or module in which error occurred|[Cc]omputer name"
    r"|Windows version): {0,40}(?P<value>\S.*)"
)
_BUGCHECK = re.compile(r"(?P<code>0x[0-9a-fA-F]{1,8}) ?\((?P<arguments>[^()]{3,100})\)")
_MODULE = re.compile(r"(?P<module>[^\s()]{1,100})(?: \((?P<place>[^()]{1,100})\))?")
_CAUSED_BY = ("this was probably caused by the following module", "driver or module in which error occurred")
_NO_MODULES = frozenset(["unknown", "unknown_image", "hardware", "hardware.sys"])
_BUILD = re.compile(r"\bbuild: (?P<build>\d{4,6})\b")


@dataclass(frozen=True)
class _Crash:
    """A crash with its values by label in lower case, and its date as it is written."""

    said: Mapping[str, str]
    at: str


@dataclass(frozen=True)
class _Bugcheck:
    """What a viewer tells of a crash of the kernel, as it is written."""

    code: str
    arguments: Sequence[str]
    host: str | None
    module: str | None
    place: str | None
    version: str | None = None
    build: str | None = None


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    if not any(mark in said for mark in _MARKS):
        return False
    return any(_crashes(iter(said.split("\n"))))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    held: list[_Crash] = []
    for crash in _crashes(text_lines_in(blocks, _LONGEST_LINE)):
        held.append(crash)
        if len(held) >= _MOST_HELD:
            yield _records(held, told)
            held = []
    yield _records(held, told)


def _crashes(lines: Iterator[str]) -> Iterator[_Crash]:
    """The crashes of a text, in any of the forms."""
    said: dict[str, str] = {}
    common: dict[str, str] = {}  # of a whole report
    columns: Sequence[str] = ()
    for line in lines:
        begun = _CRASHED.fullmatch(line.strip())
        if begun or _RULE.fullmatch(line):
            yield from _crash_of(said, common)
            said = {"crashed at": begun["at"]} if begun else {}
        elif any(head.fullmatch(line) for head in _HEADS):
            columns = [name.strip().lower() for name in _cells(line)]
        elif columns or _ROW.fullmatch(line):
            row = dict(zip(columns or _COLUMNS, _cells(line), strict=False))
            yield from _crash_of({name: value.strip() for name, value in row.items()}, common)
        elif "crashed at" in said or not said:
            if found := _SAID.fullmatch(line.strip()):
                of = said if "crashed at" in said else common
                of.setdefault(found["label"].lower(), found["value"].strip())
            elif (found := _VALUE.fullmatch(line)) and not said and found["label"] in ("Dump File", "Process File"):
                said[found["label"].lower()] = found["value"].strip()
        elif len(said) < _MOST_VALUES and (found := _VALUE.fullmatch(line)):
            said.setdefault(found["label"].lower(), found["value"].strip())
    yield from _crash_of(said, common)


def _cells(line: str) -> list[str]:
    mark = "\t" if "\t" in line else ","
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        return []


def _crash_of(said: Mapping[str, str], common: Mapping[str, str]) -> Iterator[_Crash]:
    if _is_of_whocrashed(said):
        yield _Crash({**common, **said}, said["crashed at"])
    elif _is_of_bluescreenview(said):
        yield _Crash(said, said["crash time"])
    elif "process file" in said and "event time" in said and _problem(said) is not None:
        yield _Crash(said, said["event time"])


def _is_of_whocrashed(said: Mapping[str, str]) -> bool:
    return "crashed at" in said and _BUGCHECK.match(said.get("bugcheck code", "")) is not None


def _is_of_bluescreenview(said: Mapping[str, str]) -> bool:
    return "crash time" in said and _CODE.fullmatch(said.get("bug check code", "")) is not None


def _problem(said: Mapping[str, str]) -> Problem | None:
    values = [said.get(name) for name in _NAMES.values()]
    return problem(said.get("event name", ""), values, list(_NAMES))


def _records(crashes: Sequence[_Crash], told: Told) -> Records:
    records = Records(told)
    day_first = days_first(crash.at for crash in crashes)
    for crash in crashes:
        at = _time(crash, day_first, told.at)
        if _is_of_whocrashed(crash.said):
            _add(records, crash, at, _of_whocrashed(crash.said))
        elif _is_of_bluescreenview(crash.said):
            _add(records, crash, at, _of_bluescreenview(crash.said))
        else:
            _add_report(records, crash, at)
    return records


def _of_bluescreenview(said: Mapping[str, str]) -> _Bugcheck:
    share = _SHARE.match(said.get("full path", ""))  # of another host
    return _Bugcheck(
        said["bug check code"],
        [said.get(f"parameter {number}", "").replace("`", "") for number in range(1, 5)],
        said.get("computer name") or (share["host"] if share else None),
        said.get("caused by driver"),
        said.get("caused by address"),
        version(said.get("file version") or None),
        said.get("minor version"),
    )


def _of_whocrashed(said: Mapping[str, str]) -> _Bugcheck:
    found = _BUGCHECK.match(said["bugcheck code"])
    arguments = found["arguments"].split(",")[:4] if found else []
    caused = next((said[name] for name in _CAUSED_BY if name in said), "")
    module = _MODULE.match(caused)
    build = _BUILD.search(said.get("windows version", ""))
    return _Bugcheck(
        found["code"] if found else "",
        [one.strip() for one in arguments],
        said.get("computer name"),
        module["module"] if module and module["module"].lower() not in _NO_MODULES else None,
        module["place"] if module else None,
        build=build["build"] if build else None,
    )


def _add(records: Records, crash: _Crash, at: str | None, told: _Bugcheck) -> None:
    code = hex_code(told.code) or ""
    if is_live(int(code, 16)):
        return
    host_id = records.host_id((told.host,))
    place = _ADDRESS.fullmatch(told.place or "")
    values = [hex_code(one) for one in told.arguments]
    dump = base_name(crash.said.get("dump file") or crash.said.get("crash dump file", "").removesuffix(" (Minidump)"))
    records.crash(
        # WhoCrashed tells a crash again for its large dump.
        crash_id=name_of(host_id or "", crash.at, code, *(one or "" for one in values)),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type="windows",
        os_version=version_of_windows(told.build or ""),
        domain="kernel",
        code=code,
        module=base_name(told.module),
        module_version=told.version,
        module_offset=whole(int(place["offset"], 16)) if place and told.module else None,
        tags=tags_of([*((f"argument{number}", one) for number, one in enumerate(values, 1)), ("dump", dump)]),
    )


def _add_report(records: Records, crash: _Crash, at: str | None) -> None:
    said, found = crash.said, _problem(crash.said)
    if found is None:
        return
    host_id = records.host_id(())
    identity = (crash.at, said.get("event name", ""), *found.tags.values(), str(found.fields.get("module_offset")))
    records.crash(
        crash_id=name_of(host_id or "", *identity),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type="windows",
        **found.fields,
        tags=tags_of([("event_type", said.get("event name")), *found.tags.items()]),
    )


def _time(crash: _Crash, day_first: bool | None, before: datetime) -> str | None:
    names = (crash.said.get("dump file"), crash.said.get("crash dump file"))
    dump = next((found for name in names if (found := _SMALL_DUMP.match(base_name(name) or ""))), None)
    after = None
    if dump is not None:
        with suppress(ValueError):  # its name only looks like a date
            after = datetime(2000 + int(dump["year"]), int(dump["month"]), int(dump["day"]), tzinfo=UTC)
    if after is not None and (at := local_time(crash.at, day_first=None, after=after, before=after)):
        return at
    return local_time(crash.at, day_first=day_first, after=None, before=before)


DUMP_VIEWERS = Log("list of Windows' crashes, as text", _recognises, _read)
