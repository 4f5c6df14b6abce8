"""Fatal error logs of Java's virtual machine (``hs_err_pid*.log``), and their head, which it prints as it dies.

A log also has the command line, the environment and memory, of which only the host's name is read. Its time is by the
host's clock, with the name of a zone; if that is unknown the time is taken for UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ingest.formats.blame import at_fault
from ingest.formats.crashes import (
    MOST_FRAMES,
    Frame,
    Records,
    Told,
    Unfit,
    base_name,
    name_of,
    tags_of,
    text,
    time_of,
)
from ingest.formats.dates import date_in_words, offset_of
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.stack_steps import short_path
from ingest.formats.systems import version_of_windows

_LONGEST_LINE = 4000
_MOST_HELD = 1000  # lines of a log that are kept: frames, and a few others
_HEAD_LINES = 25
_MOST_WRITERS = 8  # innermost frames in which the one at fault is searched, as others write the log

HEAD = re.compile(
    r"(?:#[ \t]{0,3}|[*_]{1,3})?(?P<what>(?:A fatal|An unexpected) error has been detected by (?:the )?(?:Java|HotSpot)"
    r"|There is insufficient memory for the Java Runtime Environment to continue)\b"
)
_HEADS = re.compile(rf"^[ \t]{{0,9}}{HEAD.pattern}", re.MULTILINE)
_PART = re.compile(r"-{5,}[ \t]{1,4}(?P<part>S U M M A R Y|T H R E A D|P R O C E S S|S Y S T E M)[ \t]")
_BARE = re.compile(r"(?:#[ \t]{0,3}|[*_]{1,3})")  # the log's own, and Markdown's

_FAULT = re.compile(
    r"(?P<name>SIG[A-Z]{2,9}|EXCEPTION_[A-Z_]{3,60}|Internal Error|Out of Memory Error)"
    r" \((?P<in>[^()]{1,300})\)(?: at pc=(?P<pc>0x[0-9a-fA-F]{1,16}))?"
    r"(?: \(sent by [a-z ]{1,20}\))?,? {0,2}(?:pid=(?P<pid>\d{1,10}))?(?:, tid=\w{1,20})?\s*"
)
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,8}")
_SOURCE = re.compile(r"(?:[A-Za-z]:)?[\w./\\+-]{1,200}:\d{1,7}")
_MEMORY = re.compile(r"Native memory allocation \(\w{1,20}\) failed\b.*")
# What a head must tell to be one, and what it tells last, above the frame that it blames.
_BLAMES = ("Problematic frame:", "Problematic frame:**")
_MARK = rf"\s{{0,9}}(?:{_BARE.pattern})?"
PROOF = re.compile(rf"{_MARK}(?:{_FAULT.pattern}|{_MEMORY.pattern})")
_LAST = re.compile(rf"{PROOF.pattern}|{_MARK}(?:JRE version|Java VM|(?P<frame>Problematic frame)):")
_SAID = re.compile(r"(?:(?:guarantee|assert|fatal error|Error|error|ShouldNotReachHere|Unimplemented)\b).*")
_VALUE = re.compile(
    r"(?P<name>JRE version|Java VM|Time|timezone|time|OS uptime|Current thread(?= \(\w{1,20}\))|siginfo|HOSTNAME(?==))"
    r"[^:=]{0,24}[:=]\s{0,8}(?P<value>\S.*)"
)
_FRAME = re.compile(
    r"(?P<kind>[VvCJjA])  ?"
    r"(?:\[(?P<module>[^\[\]]{1,300}?)(?:\+(?P<offset>0x[0-9a-fA-F]{1,15}))?\]\s{0,4})?(?P<rest>.*)"
)
_JAVA = re.compile(
    r"(?:\d{1,9}(?:%|!|%!)?\s{1,4}(?:jvmci\s)?(?:[cC][12]\s|jvmci\s)?)?(?P<name>[\w$.<>/+;\-]{1,500})\((?P<arguments>[^()]{0,2000})\)"
)
_HIDDEN = re.compile(r"[/+]0x[0-9a-f]{8,16}")  # in names of classes generated at run time
_NO_SOURCE = re.compile(r"\s*\(no source info available\)$")
_INTO = re.compile(r"(?: \[clone [^\[\]]{1,80}\]){0,3}\+0x[0-9a-fA-F]{1,15}(?:\s{1,4}\([^()]{1,200}:\d{1,7}\))?$")
# Functions of the virtual machine that write the log of an error which it found itself.
_WRITERS = re.compile(r"\b(?:VMError::report|report_(?:vm|fatal|java|should|unimplemented|untested)\w*\()")
# Part of the name of a library that a program unpacks anew at each run, such as ``jna1234567890123456789.tmp``.
_UNPACKED = re.compile(r"-?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{12,}")
_TIME = re.compile(
    r"(?P<at>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d \d{4})(?: (?P<zone>\S.{0,60}?))??"
    r"(?:,? elapsed time: (?P<elapsed>\d{1,12}(?:\.\d{1,9})?) seconds\b.*)?"
)
_UPTIME = re.compile(r"(?P<days>\d{1,6}) days {1,3}(?P<hours>\d{1,2}):(?P<minutes>\d{2}) hours")
# Patterns that give the system and its version, on whichever line they match.
_BY_FORM = {
    "windows": re.compile(
        r"\bBuild (?P<build>\d{4,6})\s{1,3}\((?P<version>\d{1,3}\.\d{1,3}\.\d{4,6})(?:\.(?P<revision>\d{1,6}))?\)"
    ),
    "windows build": re.compile(r"^OS: {0,3}Windows .{1,60}? Build (?P<build>\d{4,6})\b"),
    "mac": re.compile(r"\bmacOS (?P<version>\d{1,3}(?:\.\d{1,3}){1,2})(?: \((?P<build>\w{4,10})\))?"),
    "darwin": re.compile(r"\bDarwin \d"),
    "linux": re.compile(r"\buname: {0,3}Linux (?:\S{1,64} )?\d{1,3}\.\d\S{0,100}"),
}
_RELEASE = re.compile(r"\d{1,3}\.\d\S*$")
_THREAD = re.compile(r"\S{0,40}?(?:(?P<kind>\w+Thread|[A-Z]\w+) )?\"(?P<name>[^\"]{1,200})\"")
_PLATFORM = re.compile(r"\b(?P<system>linux|windows|bsd|macosx|solaris|aix)-(?P<machine>[\w-]{2,20})")
_SYSTEMS = {"linux": "linux", "windows": "windows", "bsd": "darwin", "macosx": "darwin"}


def _recognises(head: Head) -> bool:
    found = _HEADS.search(head.text)
    return found is not None and _PART.search(head.text, found.end()) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    before: list[str] | None = None
    for log in _logs(blocks):
        if before is not None and _fault_in(before) != _fault_in(log):
            yield _of_log(before, told)
            before = None
        before = max(before or log, log, key=len)  # the head of a log may stand before it, as it was printed
    if before is None:
        raise Unfit("bad_hs_err", "The log of a virtual machine of Java tells no fatal error")
    yield _of_log(before, told)


def _logs(blocks: Iterator[bytes]) -> Iterator[list[str]]:
    """What is kept of each log, and of each head without one."""
    held: list[str] | None = None
    part = ""
    for line in text_lines_in(blocks, _LONGEST_LINE):
        said = line.strip()
        if HEAD.match(said):
            if held is not None:
                yield held
            held, part = [], ""
        if held is None:
            continue
        if begun := _PART.match(said):
            part = begun["part"]
        if len(held) < _MOST_HELD and (len(held) < _HEAD_LINES or _may_tell(said, part)):
            held.append(said)
    if held is not None:
        yield held


def _fault_in(log: Sequence[str]) -> str:
    """The line that tells the fault, the place and the process; another log has another."""
    return next((bare for line in log[:_HEAD_LINES] if _FAULT.fullmatch(bare := _bare(line))), "\n".join(log))


def _may_tell(said: str, part: str) -> bool:
    """Whether to keep a line: frames within the stack, and lines with a known name or form anywhere."""
    if part == "T H R E A D" and (said.startswith(("Native frames", "Java frames")) or _FRAME.fullmatch(said)):
        return True
    return _VALUE.match(said) is not None or any(form.search(said) for form in _BY_FORM.values())


def _of_log(lines: Sequence[str], told: Told) -> Records:
    records = Records(told)
    add(records, lines)
    return records


def frames_of(lines: Sequence[str]) -> list[Frame]:
    """The stack, innermost first: native frames, with those of Java among or after them.

    If the stack is that of the log writer, the frame reported as the fault is put first.
    """
    frames: list[Frame] = []
    is_stack = has_java = False
    for line in lines:
        if line.startswith(("Native frames", "Java frames")):
            if has_java:
                break
            is_stack = True
        elif is_stack and len(frames) < MOST_FRAMES and (frame := _frame(line)):
            frames.append(frame)
            has_java = has_java or line[0] in "jJ"
    while frames and _WRITERS.search(frames[0].function or ""):
        del frames[0]
    blamed = _blamed(lines)
    if blamed is not None and blamed not in frames[:_MOST_WRITERS]:
        frames = [blamed, *frames][:MOST_FRAMES]
    return frames


def head_of(lines: Sequence[str]) -> list[str]:
    """The head of a log among other output, without what follows the frame that it blames."""
    last = [(at, found) for at, line in enumerate(lines[:_HEAD_LINES]) if (found := _LAST.match(line))]
    end = last[-1][0] + (2 if last[-1][1]["frame"] else 1) if last else 1
    return [line.strip() for line in lines[:end]]


def _blamed(lines: Sequence[str]) -> Frame | None:
    """The frame below ``Problematic frame:``."""
    at = next((at for at, line in enumerate(lines[:_HEAD_LINES]) if line.endswith(_BLAMES)), None)
    below = lines[at + 1 : at + 2] if at is not None else ()
    return next((frame for line in below if (frame := _frame(_bare(line)))), None)


def _bare(line: str) -> str:
    return _BARE.sub("", line, count=1) if line.startswith(("#", "*", "_")) else line


def _frame(line: str) -> Frame | None:
    found = _FRAME.fullmatch(line.strip())
    if found is None:
        return None
    rest = found["rest"].strip()
    if found["kind"] in "VC":
        # A bare address, as of unknown code, differs from run to run.
        module = _UNPACKED.sub("", base_name(found["module"]) or "") if found["module"] else None
        offset = int(found["offset"], 16) if module and found["offset"] else None
        function = text(_INTO.sub("", _NO_SOURCE.sub("", rest))) if module else None
        return Frame(module, function, offset) if module else None
    if found["kind"] == "v":
        return Frame(None, text(_INTO.sub("", rest.split(" ", 1)[0]).removeprefix("~"))) if rest[:1] == "~" else None
    java = _JAVA.match(rest)
    if java is None:
        return None
    owner, _, function = _HIDDEN.sub("", java["name"]).rpartition(".")
    return Frame(text(owner), text(function)) if owner and function else None


def add(records: Records, lines: Sequence[str], *, host: str | None = None, at: str | None = None) -> None:
    """Add the crash of a log, or of the head of one.

    Args:
        lines: from the head on, without prefixes such as those of a container's log.
        host, at: from the log that contains them, if known.
    """
    head = [_bare(line) for line in lines[:_HEAD_LINES]]
    fault = next((found for line in head if (found := _FAULT.fullmatch(line))), None)
    memory = next((line for line in head if _MEMORY.match(line)), None)
    said = _values(lines)
    frames = frames_of(lines)
    if not frames and fault and _SOURCE.fullmatch(fault["in"]):
        frames = [Frame(short_path(fault["in"].rpartition(":")[0]))]  # nothing else is known about the place
    own_at, time_quality = _time(said)
    platform = _PLATFORM.search(said.get("Java VM", ""))
    system = _system(said, platform, fault)
    host_id = records.host_id((said.get("HOSTNAME"), host))
    what = fault[0].strip() if fault else memory or ""
    records.crash(
        crash_id=name_of(host_id or "", what, said.get("Java VM", ""), own_at or at or ""),
        host_id=host_id,
        occurred_at=own_at or at,
        time_quality=time_quality if own_at else "log" if at else None,
        os_type=system,
        **_version(said, system),
        domain="user",
        code=_code(fault, memory),
        **at_fault(frames),
        frames=frames,
        uptime_s=_uptime(said),
        tags=tags_of(
            [
                ("message", _message(head, fault, memory)),
                ("pid", fault["pid"] if fault else None),
                ("thread", _thread(said)),
                ("reason", said.get("siginfo")),
                ("jre", said.get("JRE version")),
                ("vm", said.get("Java VM")),
                ("architecture", platform["machine"] if platform else None),
            ]
        ),
    )


def _values(lines: Sequence[str]) -> dict[str, str]:
    """Values by name, each from the first line with it; those of the system from any place."""
    said: dict[str, str] = {}
    for line in lines:
        if found := _VALUE.match(_bare(line)):
            said.setdefault(found["name"].capitalize() if found["name"] == "time" else found["name"], found["value"])
        for name, form in _BY_FORM.items():
            if name not in said and (found := form.search(line)):
                said[name] = found[0]
    return said


def _code(fault: re.Match[str] | None, memory: str | None) -> str | None:
    if fault is None:
        return "Out of Memory Error" if memory else None
    if fault["name"].startswith("SIG"):
        return fault["name"]
    if _NUMBER.fullmatch(fault["in"]):  # an exception of Windows
        return f"0x{int(fault['in'], 16):x}"
    return fault["name"]


def _message(head: Sequence[str], fault: re.Match[str] | None, memory: str | None) -> str | None:
    told = next((line for line in head[1:] if _SAID.fullmatch(line)), None)
    return told or memory or (fault[0].strip() if fault else None)


def _time(said: Mapping[str, str]) -> tuple[str | None, str]:
    """Its time and time quality, which is exact if the zone is known."""
    found = _TIME.fullmatch(said.get("Time", ""))
    at = date_in_words(found["at"]) if found else None
    if found is None or at is None:
        return None, ""
    offset = offset_of(found["zone"] or said.get("timezone"))
    return (time_of(at.removesuffix("Z") + offset), "exact") if offset else (at, "log")


def _system(said: Mapping[str, str], platform: re.Match[str] | None, fault: re.Match[str] | None) -> str:
    """The system, from the platform of the virtual machine, or else from the host's or the fault's description."""
    if platform:
        return _SYSTEMS.get(platform["system"], platform["system"])
    is_windows = "windows" in said or (fault is not None and fault["name"].startswith("EXCEPTION_"))
    return "windows" if is_windows else "darwin" if "mac" in said or "darwin" in said else "linux"


def _version(said: Mapping[str, str], system: str) -> dict[str, str | None]:
    """Version and build of the system, in the same form as in its other crash files."""
    if system == "linux":
        found = _RELEASE.search(said.get("linux", ""))
        return {"os_version": found[0] if found else None}
    found = _BY_FORM["windows" if system == "windows" else "mac"].search(said.get("windows", said.get("mac", "")))
    if found is None:
        number = said.get("windows build", "").rpartition(" ")[2]
        return {"os_version": version_of_windows(number)} if system == "windows" else {}
    build = found["build"]
    if system == "windows":
        build = f"{build}.{found['revision']}" if found["revision"] else None
    return {"os_version": found["version"], "os_build": build}


def _uptime(said: Mapping[str, str]) -> float | None:
    found = _UPTIME.match(said.get("OS uptime", ""))
    return (
        None if found is None else (int(found["days"]) * 24 + int(found["hours"])) * 3600.0 + int(found["minutes"]) * 60
    )


def _thread(said: Mapping[str, str]) -> str | None:
    found = _THREAD.search(said.get("Current thread", ""))
    return found["name"] if found else None


HS_ERR = Log("fatal error log of Java", _recognises, _read)
