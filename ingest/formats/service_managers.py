"""What managers of services tell of one that a signal of a fault ended: macOS' launchd, Linux' ``systemctl status``.

launchd writes a line into the system's log; ``systemctl`` shows the last state of a service, perhaps with the end of
its journal below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.formats.crashes import Records, Told, name_of, tags_of, time_of
from ingest.formats.dates import MONTH, date_in_words, offset_of
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.workers import FATAL, WORD, signal_of

_LONGEST_LINE = 2000
_MOST_LINES = 60  # of a state, with its journal

_ISO = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d{4}"
# In the log of older systems, with a host; as ``log show`` prints it, and as launchd's own log has it.
_SAID = rf"(?:Job appears to have crashed|Service exited due to signal): {WORD}"
_SAID_BY_NAME = r"Service exited due to (?P<by_name>SIG[A-Z]{2,6})(?![A-Z])"
_QUOTED = r"(?:[^\n]{0,120}?[\s_])?"  # by people, on a line of their own words
_LAUNCHD = re.compile(
    rf"{_QUOTED}(?:(?P<at>{MONTH} [ \d]?\d \d\d:\d\d:\d\d) (?P<host>[\w.-]{{1,255}}) "
    r"com\.apple\.(?:xpc\.)?launchd\[\d{1,6}\] \((?P<label>[^\s()\[\]]{1,300})(?:\[(?P<pid>\d{1,10})\])?\): "
    rf"(?:{_SAID}(?:: \d{{1,2}})?(?: .*)?|{_SAID_BY_NAME}.*)"
    rf"|(?P<iso>{_ISO}) [^\[\]]{{0,200}}\[(?:\w{{1,20}}/)?(?:\d{{1,10}}/)?"
    r"(?P<named>[\w.-]{1,300}) \[(?P<of>\d{1,10})\]:?\].{0,10} exited due to (?P<signal>SIG[A-Z]{2,6})\b.*)"
)
_LAUNCHD_HEAD = re.compile(  # the log without any is read as other systems' are
    rf"^{_QUOTED}(?:{MONTH} [ \d]?\d \d\d:\d\d:\d\d [\w.-]{{1,255}} com\.apple\.(?:xpc\.)?launchd\[\d{{1,6}}\] "
    r"\([^\n()]{1,320}\): "
    rf"(?:{_SAID}|{_SAID_BY_NAME})"
    rf"|{_ISO} [^\n\[\]]{{0,200}}\[[^\n\[\]]{{1,320}}\[\d{{1,10}}\]:?\][^\n]{{0,10}} exited due to SIG[A-Z]{{2,6}}\b)",
    re.MULTILINE,
)
_PROGRAM = re.compile(  # behind it launchd may number what it starts
    r"(?:^|\.)(?P<name>[A-Za-z_][\w-]{0,99})(?:\.(?:\d{1,20}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}))*$"
)

_UNIT = re.compile(r"\s{0,4}[●○×✗*] (?P<unit>[\w.@:\\-]{1,250})\.service(?: - .{0,500})?")
_FAILED = re.compile(
    r"\s{1,12}Active: (?:failed|activating|inactive)\b.{0,40}\(Result: (?:signal|core-dump)\)"
    r"(?: since (?P<since>[^;]{1,60});.{0,60})?\s*"
)
_ENDED = re.compile(
    r"\s{1,12}(?:Main PID|Process): (?P<pid>\d{1,10}) .{0,1500}?"
    r"\(code=(?:killed|dumped), signal=(?P<signal>[A-Z]{3,5})\)\s*"
)
_EXE = re.compile(  # the latter where the process was started by another
    r"\bExec\w{4,10}=[@:+!-]{0,3}(?P<exe>/\S{1,500})|^\s{1,12}Main PID: \d{1,10} \((?P<named>(?!code=)[^()]{1,100})\)"
)
_SINCE = re.compile(r"[A-Z][a-z]{2} (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?: (?P<zone>[A-Z]{2,5}|[+-]\d\d(?:\d\d)?))?")
_JOURNALS = re.compile(rf"{MONTH} [ \d]?\d \d\d:\d\d:\d\d (?P<host>[\w.-]{{1,255}}) \S{{1,100}}\[\d{{1,10}}\]: ")
_STATE = re.compile(rf"^{_FAILED.pattern}$", re.MULTILINE)
_STATE_END = re.compile(rf"^{_ENDED.pattern}$", re.MULTILINE)


_Tags = list[tuple[str, str | None]]


@dataclass
class _State:
    """The state of a service, as ``systemctl`` shows it."""

    unit: str
    since: str | None = None
    has_failed: bool = False
    signal: str | None = None
    pid: str | None = None
    exe: str | None = None
    host: str | None = None
    lines: int = 0


def _is_launchds(head: Head) -> bool:
    return _LAUNCHD_HEAD.search(head.text.replace("\r\n", "\n")) is not None


def _is_systemctls(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    return bool(_STATE.search(said) and _STATE_END.search(said))


def _read_launchds(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    for line in text_lines_in(blocks, _LONGEST_LINE):
        if found := _LAUNCHD.fullmatch(line.strip()):
            yield from _of_launchd(found, told)


def _read_systemctls(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    state: _State | None = None
    for line in text_lines_in(blocks, _LONGEST_LINE):
        unit = _UNIT.fullmatch(line.rstrip())
        if unit or (state is not None and state.lines >= _MOST_LINES):
            yield from _of_state(state, told)
            state = None
        if unit:
            state = _State(unit["unit"])
        elif state is not None:
            _feed(state, line)
    yield from _of_state(state, told)


def _feed(state: _State, line: str) -> None:
    state.lines += 1
    if failed := _FAILED.fullmatch(line.rstrip()):
        state.has_failed, state.since = True, failed["since"]
    elif (ended := _ENDED.fullmatch(line.rstrip())) and state.signal is None:
        state.signal, state.pid = f"SIG{ended['signal']}", ended["pid"]
    elif journals := _JOURNALS.match(line.strip()):
        state.host = state.host or journals["host"]
    if state.exe is None and (exe := _EXE.search(line)):
        state.exe = (exe["exe"] or exe["named"]).rpartition("/")[2]


def _of_state(state: _State | None, told: Told) -> Iterator[Records]:
    if state is None or not state.has_failed or state.signal not in FATAL:
        return
    since = _SINCE.fullmatch(state.since.strip()) if state.since else None
    at = time_of(since["at"] + (offset_of(since["zone"]) or "")) if since else None
    program = state.exe or state.unit.partition("@")[0]
    tags: _Tags = [("unit", f"{state.unit}.service"), ("pid", state.pid)]
    yield from _records(told, state.host, at, "linux", state.signal, program, tags)


def _of_launchd(found: re.Match[str], told: Told) -> Iterator[Records]:
    code = found["signal"] or found["by_name"] or signal_of(found["word"])
    if code not in FATAL:
        return
    label = found["label"] or found["named"]
    named = _PROGRAM.search(label)
    at = time_of(found["iso"]) if found["iso"] else date_in_words(found["at"], before=told.at)
    tags: _Tags = [("service", label), ("pid", found["pid"] or found["of"])]
    yield from _records(told, found["host"], at, "darwin", code, named["name"] if named else label, tags)


def _records(
    told: Told, host: str | None, at: str | None, system: str, code: str, program: str, tags: _Tags
) -> Iterator[Records]:
    records = Records(told)
    host_id = records.host_id((host,))
    records.crash(
        crash_id=name_of(host_id or "", at or "", code, *(said or "" for _, said in tags)),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type=system,
        domain="user",
        code=code,
        module=program,
        tags=tags_of(tags),
    )
    yield records


LAUNCHD_LOG = Log("log of launchd", _is_launchds, _read_launchds)
SYSTEMCTL = Log("what systemctl tells of a service", _is_systemctls, _read_systemctls)
