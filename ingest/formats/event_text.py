"""Windows events as text: copied from the Event Viewer, or printed by wevtutil, Get-WinEvent and Get-EventLog.

An event may have a header of names and values, and has a description in the language of the system, of which only parts
are used that have the same place in every language. ``windows_events`` decides which events are crashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from ingest.formats import splunk
from ingest.formats.crashes import Records, Told, whole
from ingest.formats.dates import date_in_words, time_of_filetime
from ingest.formats.event_dates import days_first, local_time, sent_on, time_of_event
from ingest.formats.event_labels import LABELS
from ingest.formats.format import Head, Log, is_marked_up
from ingest.formats.lines import text_lines_in
from ingest.formats.wer import KINDS
from ingest.formats.windows_events import NET_PART, PROVIDERS, Crashes, Event

_LONGEST_LINE = 4000
_MOST_LINES = 400  # of one event
_MOST_EVENTS = 20_000  # kept until a date shows which of its numbers is the day
_RECORDS_AT_ONCE = 1000

_FIRST = ("log", "provider", "at", "number")  # an event has one of each
_EVENT = re.compile(r"Event\[\d{1,9}\]:?")
_LABELLED = re.compile(r"\s{0,4}(?P<label>[^\s:：][^:：]{0,30}?)\s{0,30}[:：](?P<value>.*)")
_LIST_FORMS = ("Message ", "Description ")
_ROW = re.compile(  # as the Event Viewer saves a list of events, with tabs or commas between
    r'"?[^\W\d_][^\t,"]{1,30}"?(?P<mark>[\t,])"?(?P<at>\d[^\t"]{7,40}?)"?(?P=mark)"?(?P<provider>[^\t,"]{2,80})"?(?P=mark)'
    r'"?(?P<number>\d{1,5})"?(?P=mark)(?P<rest>.*)'
)
_TABLE_ROW = re.compile(  # as PowerShell prints events as a table, below the name of their provider
    r"(?P<at>\d[\d./-]{5,10} [^\n]{4,20}?) {1,20}(?P<number>\d{1,5}) (?P<level>[^\W\d_]{3,20}) {1,20}(?P<said>\S.*)"
)
_BEGINS = re.compile(
    r"Faulting application (?:name: )?[^:]{1,260},? version|The computer has rebooted from a bugcheck"
    r"|^\s{0,30}The program .{1,200} version [\d.]{1,40} stopped interacting"
    r"|^\s{0,30}Application: [^\s:/\\][^:/\\]{0,200}\.exe\s*$"
)

_COLON, _COMMA = r"\s?[:：]\s?", r"[,，、]\s?"
_PROGRAM = re.compile(  # or module: the same three values in every language; perhaps behind columns of a table
    rf"(?:[^\"]{{1,120}}\")?(?:[^:：,，]{{3,90}}{_COLON}|Nom de l.application défaillante |Nom du module défaillant )"
    rf"(?P<name>[^:：,，、]{{1,260}}){_COMMA}[^:：]{{1,40}}{_COLON}(?P<version>[^,，、:：]{{1,60}}){_COMMA}"
    rf"[^:：]{{1,40}}(?:{_COLON}| (?=0x))(?:0x)?[0-9a-fA-F]{{8}}\s*"
)
_STAMP = re.compile(r"(?:[:：]\s?(?:0x)?|\w 0x)[0-9a-fA-F]{8}\s*$", re.MULTILINE)
_HEX_LINE = re.compile(rf"[^:：]{{3,90}}(?:{_COLON}| (?=0x))(?P<value>(?:0x)?[0-9a-fA-F]{{8,16}})\s*")
_ENGLISH = re.compile(
    r"Faulting\s+application\s+name:\s+(?P<exe>[^,]{1,260}),\s+version:\s+(?P<exe_version>[^,]{1,60}),\s+time\s+stamp:"
    r"\s+\w{1,10},?\s+Faulting\s+module\s+name:\s+(?P<module>[^,]{1,260}),\s+version:\s+(?P<module_version>[^,]{1,60}),"
    r"\s+time\s+stamp:\s+\w{1,10}\s+Exception\s+code:\s+(?P<code>\w{1,10})\s+Fault\s+offset:\s+(?P<offset>\w{1,18})"
)
_KEPT = r"[^,:\s`](?:[^,:\n`]{0,258}[^,:\s`])?"
_MARK = r"(?:,? version: (?P<{0}_version>[^,\s`]{{1,60}}))?(?:,? time stamp: \w{{1,10}})?[`\s>]{{1,12}}"
_TRIMMED = re.compile(  # by people, who leave out what says nothing to them, and lose commas
    rf"Faulting application name: {{1,3}}(?P<exe>{_KEPT}){_MARK.format('exe')}"
    rf"Faulting module name: {{1,3}}(?P<module>{_KEPT}){_MARK.format('module')}"
    r"Exception code: {1,3}(?P<code>0x[0-9a-fA-F]{8})\b"
    r"(?:[^\n]{0,60}\n[`\s>]{0,12}Fault offset: (?P<offset>0x\w{1,18}))?"
)
_OLDER = re.compile(
    r"Faulting\s+application\s+(?P<exe>[^,]{1,260}),\s+version\s+(?P<exe_version>[^,]{1,60}),"
    r"(?:\s+stamp\s+\w{1,10},|\s+time\s+stamp\s+\w{1,10},)?"
    r"\s+faulting\s+module\s+(?P<module>[^,]{1,260}),\s+version\s+(?P<module_version>[^,]{1,60}),"
    r"(?:\s+stamp\s+\w{1,10},\s+debug\?\s+\d,|\s+time\s+stamp\s+\w{1,10},)?"
    r"(?:\s+exception\s+code\s+(?P<code>\w{1,10}),)?\s+fault\s+(?:address|offset)\s+(?P<offset>\w{1,18})"
)
_ON_ONE_LINE = re.compile(  # in any language
    r": {1,3}(?P<exe>[^,:]{1,260}), [^,:]{1,40}: {1,3}(?P<exe_version>[\d.]{1,60}), [^,:]{1,40}: {1,3}0x[0-9a-f]{8},? "
    r"[^,:]{3,90}: {1,3}(?P<module>[^,:]{1,260}), [^,:]{1,40}: {1,3}(?P<module_version>[\d.]{1,60}), [^,:]{1,40}: {1,3}"
    r"0x[0-9a-f]{8},? [^,:]{3,90}: {1,3}(?P<code>0x[0-9a-f]{8}),? [^,:]{3,90}: {1,3}(?P<offset>0x[0-9a-f]{8,16})\b"
)
_NAMES = {
    "exe": "AppName", "exe_version": "AppVersion", "module": "ModuleName", "module_version": "ModuleVersion",
    "code": "ExceptionCode", "offset": "FaultingOffset",
}  # fmt: skip
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_REPORT_ID = re.compile(
    rf"Report I[dD]:\s{{0,3}}(?P<id>\{{?{_GUID}\}}?)|[:：]\s{{0,3}}(?P<other>{_GUID})\s*$", re.MULTILINE
)
_PACKAGE = re.compile(r"Faulting\s+package\s+full\s+name:[ \t]{0,3}(?P<name>[\w.~-]{3,100}_[\w.~-]{3,100})\s")
_STARTED = re.compile(r"[:：]\s{0,3}(?:(?:0x){1,2}0?|0)(?P<ticks>1[cdCD][0-9a-fA-F]{13})\s*$", re.MULTILINE)
_BUGCHECK = re.compile(r"0x[0-9a-fA-F]{8}\s\((?:0x[0-9a-fA-F]{8,16}(?:,\s)?){4}\)")
_DUMP = re.compile(r"(?P<dump>[A-Za-z]:\\[^\n:*?\"<>|]{1,200}?\.dmp)", re.IGNORECASE)
_DUMPS_ID = re.compile(r"[:：]\s{1,3}(?P<id>[0-9a-fA-F][0-9a-fA-F-]{7,39})\b")
_BUGCHECK_ENGLISH = re.compile(r"rebooted\s+from\s+a\s+bugcheck\.\s+The\s+bugcheck\s+was:\s+0x")
_KINDS = "|".join(KINDS)
_REPORT_NAME = re.compile(
    rf"Event Name: {{0,3}}(?P<name>{_KINDS})\b|^[^:：\n]{{3,40}}[:：] {{0,3}}(?P<other>{_KINDS})\s*$", re.M | re.I
)
_REPORT_VALUE = re.compile(r"^\s{0,30}P(?P<at>\d\d?)[:：][ \t]{0,3}(?P<value>[^\n]{0,300})$", re.MULTILINE)
_HANG = re.compile(r"(?P<exe>[^\s:\\]{1,200}\.exe)\W.{0,30}?(?P<version>\d{1,9}(?:\.\d{1,9}){1,3})\b", re.IGNORECASE)
_HANG_ENGLISH = re.compile(
    r"The\s+program\s+(?P<exe>[^\s:\\][^:\\\n]{0,200}\.exe)\s+version\s+(?P<version>\d{1,9}(?:\.\d{1,9}){1,3})\s+"
    r"stopped\s+interacting\s+with\s+Windows\s+and\s+was\s+closed",
    re.IGNORECASE,
)
_OF_FRAMEWORK = r"[^\s:：][^:：\n]{3,40}[:：] ?v[24]\.0\.\d{5}\s*$"  # in any language
_MANAGED = re.compile(rf"^\s{{0,30}}(?:(?:Framework|CoreCLR|\.NET) Version: |{_OF_FRAMEWORK})", re.MULTILINE)
_MANAGED_ALONE = re.compile(
    r"^\s{0,30}[^\s:：][^:：\n]{2,30}[:：] {0,3}[^\s:/\\][^\n:/\\]{0,200}\.exe\s{0,9}\n"
    rf"\s{{0,30}}(?:(?:Framework|CoreCLR) Version: v?\d{{1,2}}\.\d|{_OF_FRAMEWORK})",
    re.MULTILINE | re.IGNORECASE,
)
_ON_ONE_LINE_MANAGED = re.compile(r"\bApplication: [^\s:/\\][^:/\\]{0,200}\.exe\s{1,4}(?:Framework|CoreCLR) Version: ")
_MOST_NAMES = 2  # of a program and its module
_MOST_VERSIONS = 3  # lines with versions of a runtime
_POWER = "Microsoft-Windows-Kernel-Power"
_POWER_VALUE = re.compile(  # of its details, as the Event Viewer shows them
    r"^[\s+-]{0,12}(?P<name>BugcheckCode|BugcheckParameter[1-4]|SleepInProgress|PowerButtonTimestamp)[ \t:]{1,9}"
    r"(?P<value>(?:0x)?[0-9a-fA-F]{1,20}|true|false)\s*$",
    re.MULTILINE,
)
_FRIENDLY = re.compile(r"\s{1,12}(?P<mark>\[ )?(?P<label>SystemTime|Computer)\]?[ \t]{1,9}(?P<value>[\w.:-]{1,100})\s*")
_FRIENDLY_ROLES = {"SystemTime": "at", "Computer": "host"}
_MARK_OF_BOLD = "**"
_LEAST_OF_POWER = 3  # values
_LEAST_OF_REPORT = 10

_SURE_PROVIDER = re.compile(
    rf"^\s{{0,4}}[^\s:：][^:：\n]{{1,30}}[:：]\s{{0,30}}(?:{'|'.join(map(re.escape, PROVIDERS[1:]))})\s*$", re.MULTILINE
)
_BESIDE = re.compile(
    r"^\s{0,4}(?:Event ?ID|Id|InstanceId|Ereignis-ID|[^\n:：]{2,24})\s{0,30}[:：]\s{0,30}\d{2,5}\s*$", re.MULTILINE
)
_OTHERS = re.compile(r"[\s\ufeff]*[\[{]")  # JSON and, like that, XML: they may hold events as texts


@dataclass
class Block:
    """The lines of an event: the values of its header by role, and its description.

    Attributes:
        column: indentation of its text in lists of PowerShell.
        begun: whether a known description has begun, as many may follow one another without headers.
        names: number of lines with a program or module, in any language.
    """

    told: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    column: int = 0
    begun: bool = False
    names: int = 0
    is_row: bool = False

    @property
    def said(self) -> str:
        return "\n".join(self.lines).strip()


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n").replace(_MARK_OF_BOLD, "")
    if _OTHERS.match(said) or is_marked_up(said) or "\0" in said:
        return False
    if splunk.has_events(said):
        said = "\n".join(map(splunk.labelled, said.split("\n")))
    if any(form.search(said) for form in (_ENGLISH, _TRIMMED, _OLDER, _BUGCHECK_ENGLISH, _HANG_ENGLISH, _ON_ONE_LINE)):
        return True
    if _MANAGED_ALONE.search(said) or ("Version: " in said and _ON_ONE_LINE_MANAGED.search(said)):
        return True
    if "BugcheckCode" in said and len({found["name"] for found in _POWER_VALUE.finditer(said)}) >= _LEAST_OF_POWER:
        return True
    if any(provider in said for provider in PROVIDERS[1:]):
        if _SURE_PROVIDER.search(said) and _BESIDE.search(said):
            return True
        if any(map(_is_row_of_ours, said.split("\n"))):
            return True
    if "P10" in said and _REPORT_NAME.search(said) and len(set(_REPORT_VALUE.findall(said))) >= _LEAST_OF_REPORT:
        return True
    if not _STAMP.search(said):  # most files have none
        return False
    lines = said.split("\n")
    return any(_PROGRAM.fullmatch(line) and _error_by_place(lines[at : at + 12]) for at, line in enumerate(lines))


def _is_row_of_ours(line: str) -> bool:
    row = _ROW.fullmatch(line)
    return row is not None and row["provider"] in PROVIDERS


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    crashes = Crashes(told)
    held: list[tuple[Block, Event]] = []

    def settle() -> Iterator[Records]:
        day_first = days_first(block.told.get("at", "") for block, _ in held)
        for block, event in held:
            crashes.add(dated(block, event, told.at, day_first))
            if crashes.records.read >= _RECORDS_AT_ONCE:
                yield crashes.taken()
        held.clear()

    for block in blocks_in(text_lines_in(blocks, _LONGEST_LINE)):
        if (event := event_in(block)) is not None:
            held.append((block, event))
        if len(held) >= _MOST_EVENTS:
            yield from settle()
    yield from settle()
    crashes.end()
    yield crashes.taken()


def blocks_in(lines: Iterator[str]) -> Iterator[Block]:
    """The events of a text: one ends at the header of the next, or at its description if it has no header."""
    block = Block()
    for marked, sent in chain.from_iterable(map(_unfolded, lines)):
        line = splunk.labelled(marked.replace(_MARK_OF_BOLD, ""))
        if sent:
            yield block
            block = Block(sent)
        if _EVENT.fullmatch(line.strip()):
            yield block
            block = Block()
            continue
        if row := _ROW.fullmatch(line):
            yield block
            block = Block({role: row[role] for role in ("at", "provider", "number")} | {"said": ""}, is_row=True)
            line = row["rest"].partition(row["mark"])[2].strip('"')
        if (table := _TABLE_ROW.fullmatch(line)) and (provider := block.told.get("provider")):
            yield block
            told = {"provider": provider, "at": table["at"], "number": table["number"], "said": ""}
            block = Block(told, column=table.start("said"))
            line = " " * block.column + table["said"]
        found = _LABELLED.fullmatch(line)
        if (friendly := _FRIENDLY.fullmatch(line)) and (friendly["mark"] or "at" in block.told):
            block.told.setdefault(_FRIENDLY_ROLES[friendly["label"]], friendly["value"])
        role = LABELS.get(found["label"].strip().lower()) if found else None
        if role == "said" and any(map(_MANAGED.match, block.lines[-_MOST_VERSIONS:])):
            role = None  # the runtime of .NET writes such a line itself
        is_name = _STAMP.search(line) is not None and _PROGRAM.fullmatch(line) is not None
        is_next = (is_name and block.names >= _MOST_NAMES) or (block.begun and _BEGINS.search(line))
        if (role in _FIRST and role in block.told) or is_next:
            yield block
            block = Block()
        block.names += is_name
        if found and role and role not in block.told:
            value = found["value"].strip()
            if role == "said" and block.told:
                block.lines.clear()  # of the header
            block.told[role] = value[:1000]
            if role != "said":
                continue
            if line.startswith(_LIST_FORMS):
                block.column = found.start("value") + 1
            line = " " * block.column + value
        line = line.removesuffix('"') if block.is_row else line
        block.begun = block.begun or _BEGINS.search(line) is not None
        if len(block.lines) < _MOST_LINES:
            is_set = block.column and not line[: block.column].strip()
            block.lines.append(line[block.column :] if is_set else line)
    yield block


def _unfolded(line: str) -> list[tuple[str, dict[str, str] | None]]:
    """The lines of what .NET's runtime tells, which some logs put on one; the first with what is told before it."""
    folded = _ON_ONE_LINE_MANAGED.search(line)
    sent = sent_on(line, is_syslogs=bool(folded or _BEGINS.search(line)))
    if folded is None:
        return [(line, sent)]
    told = re.split(r"\t|#011", line[folded.start() :])[0]  # a column, with a tab or as syslog escapes it
    return [(line[: folded.start()], sent), *((part, None) for part in NET_PART.split(told))]


def event_in(block: Block) -> Event | None:
    """The event of a block, without its time; None if it is about no crash."""
    said = block.said
    number = block.told.get("number") or block.told.get("id") or ""
    provider = block.told.get("provider", "")
    told = (
        _error(said)
        or _bugcheck(said)
        or _hang(said, provider)  # before a report of it, which may tell a package in place of the program
        or _report(said)
        or _runtime(said, provider, number)
        or _power(said, provider, number)
    )
    if told is None:
        return None
    host = block.told.get("host", "")
    return Event(told[0], told[1], None, host if host and host != "." else None, told[2])


_Found = tuple[str, int, list[tuple[str, str]]]


def _error(said: str) -> _Found | None:
    forms = (_ENGLISH, _TRIMMED, _OLDER, _ON_ONE_LINE)
    found = next((found for form in forms if (found := form.search(said))), None)
    if found is not None:
        values = {role: " ".join((one or "").split()) for role, one in found.groupdict().items()}
    elif (by_place := _error_by_place(said.split("\n"))) is not None:
        values = by_place
    else:
        return None
    data = [(_NAMES[role], value) for role, value in values.items()]
    package = _PACKAGE.search(said)
    data.append(("IntegratorReportId", _report_id(said)))
    data += [("PackageFullName", package["name"])] if package else []
    return "Application Error", 1000, data


def _error_by_place(lines: list[str]) -> dict[str, str] | None:
    """The values of an error by position: a program, its module, a code and an offset, one per line."""
    told = [line.strip() for line in lines if line.strip()]
    for at, line in enumerate(told[: max(len(told) - 3, 0)]):
        program, module = _PROGRAM.fullmatch(line), _PROGRAM.fullmatch(told[at + 1])
        code, offset = _HEX_LINE.fullmatch(told[at + 2]), _HEX_LINE.fullmatch(told[at + 3])
        if program and module and code and offset:
            return {
                "exe": program["name"], "exe_version": program["version"], "module": module["name"],
                "module_version": module["version"], "code": code["value"], "offset": offset["value"],
            }  # fmt: skip
    return None


def _bugcheck(said: str) -> _Found | None:
    found = _BUGCHECK.search(said)
    if found is None:
        return None
    dump = _DUMP.search(said, found.end())
    own = _DUMPS_ID.search(said, dump.end() if dump else found.end())
    values = (("param1", " ".join(found[0].split())), ("param2", dump[0] if dump else ""))
    return "BugCheck", 1001, [*values, ("param3", own["id"] if own else "")]


def _report(said: str) -> _Found | None:
    values = {int(one["at"]): one["value"].strip() for one in _REPORT_VALUE.finditer(said)}
    name = _REPORT_NAME.search(said)
    if not values or name is None:
        return None
    data = [("EventName", name["name"] or name["other"]), *((f"P{at}", values.get(at, "")) for at in range(1, 11))]
    return "Windows Error Reporting", 1001, [*data, ("ReportId", _report_id(said))]


def _runtime(said: str, provider: str, number: str) -> _Found | None:
    start = _MANAGED.search(said)
    if start is None and provider != ".NET Runtime":
        return None
    if start is not None:  # the program is on the line above
        said = f"{said[: start.start()].rstrip().rpartition(chr(10))[2]}\n{said[start.start() :]}"
    return ".NET Runtime", whole(number) or 1026, [("", said)]


def _power(said: str, provider: str, number: str) -> _Found | None:
    data = [(found["name"], found["value"]) for found in _POWER_VALUE.finditer(said)]
    is_told = any(name == "BugcheckParameter1" for name, _ in data)
    return (_POWER, 41, data) if is_told or (provider.endswith("Kernel-Power") and number == "41") else None


def _report_id(said: str) -> str:
    found = list(_REPORT_ID.finditer(said))  # that of a cabinet is told before
    return next((one["id"] for one in found if one["id"]), found[-1]["other"] if found else "")


def _hang(said: str, provider: str) -> _Found | None:
    english = _HANG_ENGLISH.search(said)
    found = english or _HANG.search(said[:1000])
    if found is None or not (english or provider == "Application Hang"):
        return None
    data = [("AppName", found["exe"]), ("AppVersion", found["version"]), *[("", "")] * 4]
    return "Application Hang", 1002, [*data, ("ReportId", _report_id(said))]


def dated(block: Block, event: Event, before: datetime, day_first: bool | None) -> Event:
    """An event with its time, from the header of its block.

    Args:
        before: approximate upper bound.
        day_first: whether the day precedes the month, if other dates show it.
    """
    date = block.told.get("at", "")
    at: str | None
    if found := time_of_event(date):
        at, is_local = found
    else:
        started = _STARTED.search(block.said)
        began = time_of_filetime(int(started["ticks"], 16)) if started else None
        after = datetime.fromisoformat(began) if began else None
        said = f"{date} {block.told['time']}" if "time" in block.told else date
        at = local_time(said, day_first=day_first, after=after, before=before) or date_in_words(said, before=before)
        is_local = True
    return Event(event.provider, event.number, at, event.host, event.data, is_local)


EVENT_TEXT = Log("Windows events as text", _recognises, _read)
