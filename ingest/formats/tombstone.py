"""Crashes of Android: tombstones, and logcat with its blocks of debuggerd, uncaught exceptions of Java, and ANRs.

A log has the time of the device, often without the year and mostly without the zone. Of nested exceptions the innermost
cause counts, as those around it are of the framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ingest.formats import stacks
from ingest.formats.blame import at_fault
from ingest.formats.crashes import Records, Told, name_of, tags_of, text, time_of
from ingest.formats.dates import date_without_year
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 2000
_MOST_LINES = 600  # of a block; the rest is registers, memory and maps
_MOST_OPEN = 8  # open blocks at once, each of one writer

_STAMP = (
    r"(?:(?P<date>(?:\d{4}-)?\d\d-\d\d) (?P<time>\d\d:\d\d:\d\d\.\d{3,9})(?: ?(?P<zone>[+-]\d{4}))?"
    r"|(?P<seconds>\d{1,10}\.\d{3,9}))"  # since 1970, or since the device started
)
_LINE = re.compile(
    rf"(?:{_STAMP}:?\s{{1,3}})?"
    r"(?:"
    r"(?:\w{1,20}\s{1,6})?(?P<pid>\d{1,7})\s{1,6}\d{1,7}\s[VDIWEFA]\s(?P<tag>[^:]{1,60}?)\s{0,40}: ?"  # threadtime
    r"|[VDIWEFA]/(?P<brief>[^(:]{1,60}?)\s{0,40}(?:\(\s{0,6}(?P<briefs_pid>\d{1,7})\))?: ?"  # brief, time, tag
    r"|(?P<studios_pid>\d{1,7})-\d{1,7}/\S{1,200} [VDIWEFA]/(?P<studio>[^:\ufe55]{1,60})[:\ufe55] "  # Android Studio's
    r"|(?P<newers_pid>\d{1,7})-\d{1,7}\s{1,6}(?P<newer>\S{1,60})\s{1,60}\S{1,200}\s{1,60}[VDIWEFA]\s{1,6}"
    r"|[VDIWEFA]\(\s{0,6}(?P<threads_pid>\d{1,7}):\s{0,6}\d{1,7}\) ?"  # thread
    r"|[VDIWEF] (?P<bare>DEBUG|libc|AndroidRuntime|ActivityManager|AEE/AED)\s{0,40}: ?"  # cut by people
    r"|(?<=\d )[VDIWEFA]: "
    r")(?P<said>.*)"
)
_LONG = re.compile(  # a header on its own line, before the lines of a message
    rf"\[ {{1,6}}{_STAMP}\s{{1,6}}"
    r"(?:\w{1,20}:\s{0,6})?(?P<pid>\d{1,7}):\s{0,6}\d{1,7} [VDIWEFA]/(?P<tag>\S.{0,60}?)\s{0,40}\]"
)
_OF_PROCESSES = re.compile(  # with the writer after the message
    r"[VDIWEFA]\(\s{0,6}(?P<pid>\d{1,7})\) (?P<said>.*?) {2}\((?P<tag>[^()]{1,60}?)\s{0,40}\)"
)
_FIRST_SINCE_1970 = 10**8  # fewer seconds are those since the device started
_OF_FLUTTER = re.compile(r"\[(?: {1,6}\+ ?\d{1,6} ms| {8})\] ")  # what it writes before each line of the log
_UNITYS = "CRASH"  # the tag of what games of Unity print before debuggerd does, which may tell it again
_WRITERS = (
    "DEBUG", "AEE/AED", "AndroidRuntime", "ActivityManager", "ActivityTaskManager", "crash_dump", "libc", _UNITYS,
)  # fmt: skip
_BEGINNING = re.compile(r"^-{5,} beginning of (?:/dev/log/)?\w", re.MULTILINE)
_STARS = "*** *** *** *** *** ***"

_PROCESS = re.compile(
    r"pid: (?P<pid>\d+), tid: (?P<tid>\d+)(?:, name: (?P<thread>.{0,100}?))?\s{1,9}>>> (?P<process>[^<>]{1,300}) <<<"
)
_FATAL = re.compile(
    r"Fatal signal \d+ \((?P<name>[^()]+)\),? (?:code|at) \S+(?: \((?P<code>[^()]*)\))?.{0,100}?"
    r" in tid (?P<tid>\d+) \((?P<thread>[^()]*)\)(?:, pid (?P<pid>\d+)(?: \((?P<process>[^()]*)\))?)?"
)
_NOT_FIRST = "Another thread contacted debuggerd first"
_SIGNAL = re.compile(r"signal \d+ \((?P<name>[^()]+)\), code -?\d+ \((?P<code>[^()]*)\)(?:, fault addr (?P<addr>\S+))?")
FINGERPRINT = re.compile(
    r"Build fingerprint: '?[^/'\s]*/[^/'\s]*/(?P<device>[^:'\s]*):(?P<version>[^/'\s]*)/(?P<build>[^/'\s]*)"
)
_VALUE = re.compile(r"(?P<name>Timestamp|Crash time|Abort message|Cause|ABI|Process uptime): '?(?P<value>.*?)'?")
_FRAME = re.compile(r"\s*#\d+\s")
_EXCEPTION = re.compile(r"(?:\*\*\* )?FATAL EXCEPTION(?: IN SYSTEM PROCESS)?: (?P<thread>.*)")
_JAVA_PROCESS = re.compile(r"Process: (?P<process>[^,\s]+)(?:, PID: (?P<pid>\d+))?")
_MERGED = re.compile(  # by what copied the log
    r"(?P<first>.{0,60}FATAL EXCEPTION.{0,20}: \S.{0,200}?) (?P<process>Process: [^,\s]{1,300}, PID: \d{1,10})"
    r"(?: (?P<thrown>\S.*))?"
)
THROWN = re.compile(r"(?:Caused by: )?(?P<name>(?:[A-Za-z_$][\w$]*\.)+[A-Za-z_$][\w$]*)(?::(?: .*)?)?")
_HANG = re.compile(r"ANR in (?P<process>[^\s(]+)")
_HANG_VALUE = re.compile(r"(?P<name>PID|Reason|Subject): (?P<value>.*)")
_WORDS = (">>> ", "FATAL EXCEPTION", "Fatal signal ", "ANR in ")
_OF_SANITIZER = re.compile(r"==\d{1,10}==(?:ERROR: )?\w{1,20}Sanitizer(?:: | CHECK failed: )")
_FRACTION = re.compile(r"(\.\d{6})\d+")


@dataclass
class Block:
    """The lines of one crash, of one writer.

    Attributes:
        at: when the first line was written, if it has a stamp.
        fatal: the C library's message about its thread.
        pid: of the process that wrote the first line, if known.
        has_header: whether a header of the log is before the first line; else a person may have written it.
    """

    stamp: str
    at: str | None
    lines: list[str] = field(default_factory=list)
    fatal: re.Match[str] | None = None
    pid: str | None = None
    has_header: bool = False


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    if said.lstrip().startswith(("{", "[{")):
        return False
    if not any(word in said for word in _WORDS) and _OF_SANITIZER.search(said):
        return False  # see ``sanitizer``; debuggerd tells the same crash again where it runs
    if _BEGINNING.search(said):
        return True
    lines = said.split("\n")
    for form in (_LONG, _OF_PROCESSES):
        if sum(form.fullmatch(line.strip()) is not None for line in lines[:40]) >= 3:
            return True
    lines = [_bare(line) for line in lines]
    told = [found for line in lines[:40] if line and (found := _LINE.fullmatch(line))]
    if len(told) >= 3 and all(map(_has_header, told)):
        return True
    return any(
        _tells_of_crash(line, below) for line, below in pairwise([*lines, ""]) if any(word in line for word in _WORDS)
    )


def _has_header(found: re.Match[str]) -> bool:
    """Whether a line has what hardly any other log writes before its lines."""
    return any(map(found.group, ("date", "seconds", "brief", "threads_pid")))


def _bare(line: str) -> str:
    said = line.strip()
    found = _OF_FLUTTER.match(said)
    return said[found.end() :].strip() if found else said


def _tells_of_crash(line: str, below: str) -> bool:
    if _PROCESS.search(line) or (_EXCEPTION.search(line) and "AndroidRuntime" in line):
        return True
    if _EXCEPTION.match(line):
        return _JAVA_PROCESS.match(below.strip()) is not None
    found = _LINE.fullmatch(line.strip())
    said = found["said"] if found else line.strip()
    if _HANG.match(said):
        is_of_log = found is not None and _writer_of(found).startswith(_WRITERS)
        return is_of_log or _HANG_VALUE.fullmatch(below.strip()) is not None
    return _FATAL.match(said) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    under_way: dict[str, Block] = {}
    dying: dict[str, Block] = {}  # messages of the C library about threads; a block of debuggerd may follow
    writer = ""
    header: re.Match[str] | None = None  # of the line, or of lines before it
    for line in text_lines_in(blocks, _LONGEST_LINE):
        bare = _bare(line)
        found = _LINE.fullmatch(bare) or _OF_PROCESSES.fullmatch(bare)
        if long := _LONG.fullmatch(bare):
            header, writer = long, long["tag"]
            continue
        if found:  # other lines belong to the previous writer
            writer = _writer_of(found)
        if writer and not writer.startswith(_WRITERS):
            continue
        said = found["said"] if found else bare
        header = None if found else header
        found = found or header
        block = under_way.get(writer)
        if (fatal := _FATAL.match(said)) and not _is_told(under_way.get(_UNITYS), fatal["tid"]):
            _add_thread(dying, fatal, Block(*_stamp(found, told), [said], pid=fatal["pid"] or _pid_of(found)))
        elif said.startswith(_NOT_FIRST) and dying:  # about the thread of the last message
            dying.popitem()
        dead = _taken(dying, process) if (process := _PROCESS.match(said)) else None
        if process and writer != _UNITYS and _is_told(under_way.get(_UNITYS), process["tid"]):
            del under_way[_UNITYS]
        if _begins(said, block):
            if block is not None:
                yield from _records(block, told)
            block = under_way[writer] = Block(*_stamp(found, told), has_header=found is not None)
        if block is not None and len(block.lines) < _MOST_LINES:
            block.lines.append(said)
            block.fatal = block.fatal or (_FATAL.match(dead.lines[0]) if dead else None)
        for open_ones in (under_way, dying):
            if len(open_ones) > _MOST_OPEN:
                yield from _records(open_ones.pop(next(iter(open_ones))), told)
    for block in (*under_way.values(), *dying.values()):
        yield from _records(block, told)


def _add_thread(dying: dict[str, Block], fatal: re.Match[str], block: Block) -> None:
    """Keep a message about a thread. If several threads of a process die, the first is the crash."""
    if block.pid is None or all(other.pid != block.pid for other in dying.values()):
        dying[fatal["tid"]] = block


def _taken(dying: dict[str, Block], process: re.Match[str]) -> Block | None:
    """The message about the thread of a block of debuggerd, or about another thread of its process."""
    dead = dying.pop(process["tid"], None)
    others = [tid for tid, other in dying.items() if other.pid == process["pid"]]
    found = [dying.pop(tid) for tid in others]
    return dead or next(iter(found), None)


def _is_told(block: Block | None, tid: str) -> bool:
    """Whether a block is of a thread."""
    process = _first(_PROCESS, block.lines) if block else None
    return process is not None and process["tid"] == tid


def _writer_of(found: re.Match[str]) -> str:
    """The name with which a line was logged; empty if its header does not say."""
    told_by = map(found.groupdict().get, ("tag", "brief", "studio", "newer", "bare"))
    return next(filter(None, told_by), "").strip()


def _pid_of(found: re.Match[str] | None) -> str | None:
    """The process that wrote a line; None if its header does not say."""
    told = found.groupdict() if found else {}
    pids = map(told.get, ("pid", "briefs_pid", "studios_pid", "newers_pid", "threads_pid"))
    return next(filter(None, pids), None)


def _begins(said: str, block: Block | None) -> bool:
    """Whether a line begins a crash: its first line, or that of a build or process without a line of stars before."""
    if _STARS in said or _EXCEPTION.match(said) or _HANG.match(said):
        return True
    if _PROCESS.match(said) is None and not said.startswith("Build fingerprint: "):
        return False
    return block is None or any(map(_PROCESS.match, block.lines))


def _stamp(found: re.Match[str] | None, told: Told) -> tuple[str, str | None]:
    """The stamp of a line as written, and as a time; without a zone it is taken for UTC."""
    told_by = found.groupdict() if found else {}
    if seconds := told_by.get("seconds"):
        return seconds, time_of(float(seconds), unit=1) if float(seconds) >= _FIRST_SINCE_1970 else None
    if found is None or not told_by.get("date"):
        return "", None
    stamp = f"{found['date']} {found['time']}{found['zone'] or ''}"
    has_year = len(found["date"]) > len("07-19")
    return stamp, _time(stamp) if has_year else date_without_year(stamp, before=told.at)


def _time(said: str) -> str | None:
    return time_of(_FRACTION.sub(r"\1", said))


def _records(block: Block, told: Told) -> Iterator[Records]:
    records = Records(told)
    if _EXCEPTION.match(block.lines[0]):
        add_exception(records, block)
    elif hang := _HANG.match(block.lines[0]):
        _add_hang(records, block, hang["process"])
    elif fatal := _FATAL.match(block.lines[0]):
        _add_dying(records, block, fatal)
    else:
        add_native(records, block)
    if records.read:
        yield records


def add_native(records: Records, block: Block) -> None:
    """Add the crash in a block of debuggerd, unless the dump was requested by somebody."""
    process = _first(_PROCESS, block.lines)
    signal = _first(_SIGNAL, block.lines) or block.fatal  # the log may be filtered
    is_of_store = process is not None and process["pid"] == "0"  # Google's, which tells neither it nor the signal
    if process is None or not (signal or is_of_store):  # a requested stack
        return
    code = text(signal["name"]) if signal else None
    values = {found["name"]: found["value"] for line in block.lines if (found := _VALUE.fullmatch(line.strip()))}
    said_at = values.get("Timestamp") or values.get("Crash time", "")  # of a program that makes its own tombstones
    build = _first(FINGERPRINT, block.lines)
    # An abort message may contain a stack of its own, without names.
    start = next((at for at, line in enumerate(block.lines) if line.strip() == "backtrace:"), 0)
    frames = list(stacks.read("\n".join(line for line in block.lines[start:] if _FRAME.match(line))).frames)
    at = _time(said_at) if said_at else block.at
    same = [line.strip() for line in block.lines if _PROCESS.match(line) or _SIGNAL.match(line) or _FRAME.match(line)]
    add(
        records,
        (said_at, *same),
        occurred_at=at,
        time_quality="log" if at and not said_at else None,
        os_version=text(build["version"]) if build else None,
        os_build=text(build["build"]) if build else None,
        domain="user",
        code=code,
        **at_fault(frames, code=code),
        frames=frames,
        tags={
            "process": process["process"],
            "thread": process["thread"],
            "pid": process["pid"],
            "signal_code": signal["code"] if signal else None,
            "address": signal.groupdict().get("addr") if signal else None,
            "message": values.get("Abort message") or values.get("Cause"),
            "abi": values.get("ABI"),
            "model": build["device"] if build else None,
            "process_uptime": values.get("Process uptime"),
        },
    )


def add_exception(records: Records, block: Block, **more: str | None) -> None:
    """Add the crash of an exception.

    Args:
        more: further known fields.
    """
    if merged := _MERGED.fullmatch(block.lines[0].strip()):
        block.lines[:1] = filter(None, merged.groups())
    process = _first(_JAVA_PROCESS, block.lines)
    causes = [at for at, line in enumerate(block.lines) if at and THROWN.fullmatch(line.strip())]
    own = [at for at in causes if block.lines[at].lstrip().startswith("Caused by: ")] or causes[:1]
    start = own[-1] if own else len(block.lines)
    thrown = THROWN.fullmatch(block.lines[start].strip()) if own else None
    frames = list(stacks.read("\n".join(block.lines[start:])).frames)
    same = [line.strip() for line in block.lines if line.lstrip().startswith(("at ", "Caused by: ", "Process: "))]
    add(
        records,
        (block.stamp if process is None else "", *block.lines[:1], thrown[0] if thrown else "", *same),
        occurred_at=block.at,
        time_quality="log" if block.at else None,
        domain="user",
        code=thrown["name"] if thrown else None,
        module=frames[0].module if frames else None,
        frames=frames,
        tags={
            "process": process["process"] if process else None,
            "pid": process["pid"] if process else None,
            "thread": block.lines[0].partition("EXCEPTION")[2].partition(": ")[2],
            "message": thrown[0] if thrown else None,
        },
        **more,
    )


def _add_hang(records: Records, block: Block, process: str) -> None:
    values = {found["name"]: found["value"] for line in block.lines if (found := _HANG_VALUE.fullmatch(line.strip()))}
    if not (values or block.has_header):
        return
    add(
        records,
        (block.stamp, process, values.get("PID", ""), values.get("Reason", "")),
        occurred_at=block.at,
        time_quality="log" if block.at else None,
        domain="hang",
        code="ANR",
        module=text(process),
        tags={"process": process, "pid": values.get("PID"), "message": values.get("Reason") or values.get("Subject")},
    )


def _add_dying(records: Records, block: Block, fatal: re.Match[str]) -> None:
    add(
        records,
        (block.stamp, fatal[0]),
        occurred_at=block.at,
        time_quality="log" if block.at else None,
        domain="user",
        code=text(fatal["name"]),
        module=text(fatal["process"]),
        tags={"thread": fatal["thread"], "pid": fatal["pid"], "signal_code": fatal["code"], "message": fatal[0]},
    )


def add(records: Records, identity: Sequence[str], *, tags: dict[str, Any], **fields: Any) -> None:
    """Add a crash.

    Args:
        identity: distinguishes it from others.
    """
    host_id = records.host_id(())
    name = name_of(host_id or "", *identity)
    records.crash(crash_id=name, host_id=host_id, os_type="linux", tags=tags_of(tags.items()), **fields)


def _first(pattern: re.Pattern[str], lines: Sequence[str]) -> re.Match[str] | None:
    return next((found for line in lines if (found := pattern.match(line.strip()))), None)


TOMBSTONE = Log("Android tombstone or logcat", _recognises, _read)
