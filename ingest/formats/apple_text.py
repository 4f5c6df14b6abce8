"""Crash reports of macOS and iOS as text: Apple's own until 2021; those of PLCrashReporter and similar tools today.

A report has a head of ``Name: value``, then threads with numbered frames, then the images with their code. A report of
a hang has another form below its head, with one heaviest stack.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ingest.formats.apple import Image, Step, blamed, code_of, is_hang, own_id, system_of, time_in
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
    whole,
)
from ingest.formats.format import Document, Head, decoded

_MOST_LINES = 100_000  # some have 600 threads
_LONGEST_LINE = 2000
_MOST_THREADS = 5000
_MOST_IMAGES = 5000

_FIELD = re.compile(r"(?P<name>[A-Z][A-Za-z/ ]{1,40}):(?:\s+(?P<value>\S.*))?")
_THREAD = re.compile(r"Thread (?P<number>\d{1,5})(?P<crashed> Crashed)?(?: Highlighted)?:")
_THROWN = re.compile(r"(?:Last Exception|Application Specific) Backtrace(?: \d{1,3})?:")
_HEAVIEST = re.compile(r"Heaviest stack for the (?:main thread|target)")
_STATE = re.compile(r"Thread (?:\d{1,5}|\w{1,20}) crashed with |Binary Images(?: Description)?:")
_HANGS = ("hang", "unresponsive", "service process watchdog")

_DYLD = "Dyld Error Message"
_NOTES = ("Application Specific Information", "Application Specific Signatures", _DYLD)
_OF_DYLD = frozenset(  # lines below that heading which look like fields
    ["Library not loaded", "Symbol not found", "Referenced from", "Expected in", "Reason", "Dyld Message"]
)
_DYLD_ENDS_BY = frozenset(["EXC_BREAKPOINT", "EXC_CRASH"])
_PROCESS = re.compile(r"(?P<name>.*?) ?\[(?P<pid>[^\[\]]{0,40})\]")

_ADDRESS = re.compile(r"\s(0x[0-9a-fA-F]{1,16})(?:\s|$)")
_BASE = re.compile(r"0x[0-9a-fA-F]{1,16}|0")
_PLACE = re.compile(r"(?: \[inlined\])?(?: \([^()]{1,300}:\d{1,9}\))?(?: \[inlined\])?$")
_WITH_SYMBOL = re.compile(  # an offset within the image and, behind it, what is there
    r"(?:0x[0-9a-fA-F]{1,16}|0) \+ (?P<into>\d{1,15}|0x[0-9a-fA-F]{1,12})\s{1,40}"
    r"(?:\((?P<symbol>.{1,1500}) \+ \d{1,15}\)|// (?P<said>.{1,1500}?)(?: \+ 0x[0-9a-fA-F]{1,12})?)"
)
_INTO_FUNCTION = re.compile(r" \+ \d{1,15}$")
_HEAVY_STEP = re.compile(r"\d{1,6} {1,9}(?P<function>\S.*) \((?P<module>[^()]{1,200}) \+ (?P<offset>\d{1,15})\) \[0x")
_OF_SOURCE = re.compile(r".{1,150}\.\w{1,12}(?::\d{1,9}(?:,\d{1,9})?)?")  # the file, which may precede the module
_CUT_STEP = re.compile(r"^\d{1,4}\s{1,8}\S.{0,200}\s0x[0-9a-fA-F]{4,16}$")
_CUT_METHOD = re.compile(r"\s0x[0-9a-fA-F]{4,16}\s{1,8}[-+]\[[^\]]{1,400}$")
_NEW_STEP = re.compile(r"\d{1,4}\s|\(|[A-Z][A-Za-z/ ]{1,40}:\s")
_IMAGE = re.compile(
    r"(?P<start>0x[0-9a-fA-F]{1,16}) {0,9}- {0,30}(?P<end>0x[0-9a-fA-F]{1,16}|\?\?\?) {1,9}\+?(?P<rest>\S.*)"
)
_PROCESSOR = r"(?:arm\w{1,10}|x86_64h?|i386|ppc\w{0,10}|unknown)"
_ARCHITECTURE = re.compile(rf" {_PROCESSOR}$")
_VERSION = re.compile(rf"\((?!{_PROCESSOR}\))(?P<short>[^()\s]{{1,60}})(?: - [^()]{{0,60}})?\)")
_UNKNOWN = frozenset([
    "???", "??", "", "0x0", "<redacted>", "<deduplicated_symbol>", "<unavailable>", "(null)",
    "<translation info unavailable>",  # of Rosetta
])  # fmt: skip

_MOST_REPORTS = 1000
_LANDMARK = re.compile(
    r"^[ \t]{0,16}(?:(?P<begins>(?:Incident Identifier|Process|Host Name|Date/Time:[^\n]{1,80}\nEnd time)(?=:[ \t])"
    r"|\*{10}(?=[ \t]*$))"  # before each report, in systems until 10.4
    r"|(?P<event>Event):[ \t]|(?:Thread \d{1,5}(?: Crashed)?|Binary Images|Heaviest stack for [^\n:]{1,80}):)",
    re.MULTILINE,
)
_MARKS = re.compile(
    r"^[ \t]{0,16}(?:Incident Identifier|Crash ?Reporter Key|Hardware Model|Process|Command|Host Name|Identifier|"
    r"Code Type|Parent Process|Date/Time|OS Version|Report Version|Exception Type|Crashed Thread|Triggered by Thread|"
    r"Anonymous UUID|Exception|Event):[ \t]",
    re.MULTILINE,
)
_FRAGMENT = re.compile(
    r"^Thread \d{1,5}(?: Crashed)?:[^\n]{0,200}\n\d{1,4}[ \t]{1,40}\S[^\n]{0,300}\s0x[0-9a-fA-F]{4,16}\s", re.MULTILINE
)
_EXCEPTION = re.compile(  # where people left out the rest
    r"^[ \t]{0,16}Exception Type:[ \t]{1,12}EXC_[A-Z_]{3,30} \(SIG[A-Z]{2,8}\)[ \t]{0,8}\n"
    r"[ \t]{0,16}(?:Exception (?:Codes|Subtype|Note)|Termination Reason):[ \t]",
    re.MULTILINE,
)


@dataclass
class _Report:
    """The parts of a report.

    Attributes:
        notes: last messages of the process. crashed: number of the thread that a heading calls crashed.
        thrown: the backtrace of an exception, which preceded the crash of its thread.
    """

    fields: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    threads: dict[int, list[str]] = field(default_factory=dict)
    crashed: int | None = None
    thrown: list[str] = field(default_factory=list)
    heaviest: list[str] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)

    def said(self, *names: str) -> str | None:
        return next((found for name in names if (found := self.fields.get(name))), None)


def add(records: Records, said: str, header: Mapping[str, Any]) -> None:
    """Add the record of a report, if it is of a crash or a hang.

    Args:
        header: from a line of JSON before it; empty if there is none.
    Raises:
        Unfit: it has no thread and names no exception.
    """
    report = _parsed(said)
    exception = report.said("Exception Type", "Exception")
    if not (
        report.threads or report.thrown or exception or report.said("Event", "Crashed Thread", "Triggered by Thread")
    ):
        # What somebody, or a limit, let it look at for a while, or for want of memory.
        if report.said("Data Source", "Steps", "Free pages", "Largest process"):
            return
        raise Unfit("bad_crash_report", "There is no thread and no exception in the report")
    event = report.said("Event")
    is_of_hang = event is not None and event.lower().startswith(_HANGS)
    if (event and not is_of_hang) or "not a crash" in (report.said("Exception Note") or "").lower():
        return
    named = report.said("Process", "Command") or ""
    with_pid = _PROCESS.fullmatch(named)
    process = text(with_pid["name"] if with_pid else named) or text(header.get("name")) or text(header.get("app_name"))
    pid = with_pid["pid"] if with_pid else report.said("PID") or ""
    steps = _steps(report, process)
    killed = [report.said(name) for name in ("Exception Codes", "Termination Reason", "Termination Description")]
    version, build = system_of(report.said("OS Version") or header.get("os_version"))
    keys = (own_id(report.said(name)) for name in ("CrashReporter Key", "Crash Reporter Key", "Anonymous UUID"))
    host_id = records.host_id((*keys, report.said("Host Name", "Host")))
    at = report.said("Date/Time") or header.get("timestamp")
    incident = own_id(report.said("Incident Identifier")) or own_id(header.get("incident_id"))
    at_fault = blamed(steps, process)
    if at_fault["module"] == process and process is not None:
        own = text(header.get("app_version")) or (report.said("Version") or "").partition(" (")[0]
        at_fault["module_version"] = None if own in _UNKNOWN else own
    frames = [step.frame for step in steps]
    known_by = (at or "", process or "", pid, *(f"{one.module} {one.function} {one.offset}" for one in frames[:16]))
    records.crash(
        crash_id=incident or name_of(host_id or "", *known_by),
        host_id=host_id,
        occurred_at=time_in(at),
        os_type="darwin",
        os_version=version,
        os_build=build,
        domain="hang" if is_of_hang or is_hang(killed) else "user",
        code=_code(exception, killed, is_of_dyld=_DYLD in report.fields),
        **at_fault,
        frames=frames,
        uptime_s=whole((report.said("Time Awake Since Boot") or "").partition(" ")[0]),
        tags=tags_of(_tags(report, exception, process, pid)),
    )


def reports_of(said: str) -> list[str]:
    """The reports of a text, which may have several in sequence: a head after threads begins the next."""
    starts, has_threads, is_of_all = [0], False, False
    for found in _LANDMARK.finditer(said):
        if found["event"]:
            is_of_all = True  # a report of a hang has all processes
        elif not found["begins"]:
            has_threads = True
        elif has_threads and len(starts) < _MOST_REPORTS and not (is_of_all and found["begins"] == "Process"):
            starts.append(found.start())
            has_threads = is_of_all = False
    return [said[start:end] for start, end in pairwise([*starts, len(said)])]


def frames_of(lines: Sequence[str]) -> list[Frame]:
    """The frames of a backtrace without images."""
    return [step.frame for line in lines[:MOST_FRAMES] if (step := _step(line.strip()[:_LONGEST_LINE], _Images([])))]


def _parsed(said: str) -> _Report:
    report = _Report()
    into: list[str] | None = None  # receives the lines below a heading
    in_images = False
    for line in said.split("\n", _MOST_LINES)[:_MOST_LINES]:
        line = line.strip()[:_LONGEST_LINE]
        if thread := _THREAD.match(line):
            number = int(thread["number"])
            if thread["crashed"] and report.crashed is None:
                report.crashed = number
            into = report.threads.setdefault(number, []) if len(report.threads) < _MOST_THREADS else None
        elif _THROWN.match(line):
            into = [] if report.thrown else report.thrown  # the first one is of the fatal exception
        elif _HEAVIEST.match(line):
            into = [] if report.heaviest else report.heaviest
        elif _STATE.match(line):
            into, in_images = None, line.startswith("Binary Images")
        elif in_images:
            if len(report.images) < _MOST_IMAGES and (image := _image(line)):
                report.images.append(image)
        elif into and into is not report.notes and line and _is_cut(into[-1]) and not _NEW_STEP.match(line):
            into[-1] += line if into[-1].endswith(":") else f" {line}"  # a page was narrower than the line
        elif line[:1].isdigit() or line[:1] == "(":
            if into is not None and len(into) < MOST_FRAMES:
                into.append(line)
        elif (found := _FIELD.fullmatch(line)) and not (into is report.notes and found["name"] in _OF_DYLD):
            if not report.threads:
                report.fields.setdefault(found["name"], (found["value"] or "").strip())
            into = report.notes if found["name"] in _NOTES else None
        elif into is report.notes and line and len(report.notes) < MOST_FRAMES:
            report.notes.append(line)
    return report


def _is_cut(step: str) -> bool:
    """Whether a step goes on in the next line: its function is missing, or a method of Objective-C is not closed."""
    return any(form.search(step) for form in (_CUT_STEP, _CUT_METHOD))


class _Images:
    """Images, to be found by an address within or by name.

    Args:
        own: image of the process, by the name that frames have for it; used if the images do not have it.
    """

    def __init__(self, images: Sequence[Image], own: Mapping[str | None, Image] | None = None) -> None:
        self._sorted = sorted(images, key=lambda image: image.start)
        self._starts = [image.start for image in self._sorted]
        self._named = {**(own or {}), **{image.name: image for image in images}}

    def of(self, address: int, name: str | None) -> Image | None:
        at = bisect_right(self._starts, address) - 1
        if at >= 0 and address < self._sorted[at].end:
            return self._sorted[at]
        return self.named(name)

    def named(self, name: str | None) -> Image | None:
        return self._named.get(name)


def _steps(report: _Report, process: str | None) -> list[Step]:
    """The frames that tell of the crash: where an exception was thrown, or else of the thread that crashed."""
    # Until macOS 11 frames name a program by its bundle.
    images = _Images(report.images, {report.said("Identifier"): Image(process, report.said("Path") or "")})
    if report.heaviest:
        return [step for line in reversed(report.heaviest) if (step := _heavy_step(line, images))]
    if report.thrown:
        lines = [one for line in report.thrown for one in _spread(line)]
    else:
        told = report.said("Crashed Thread", "Triggered by Thread", "Highlighted Thread", "Thread") or "0"
        number = whole(told.split()[0].rstrip(",")) if report.crashed is None else report.crashed
        lines = [] if number is None else report.threads.get(number, [])
    return [step for line in lines[:MOST_FRAMES] if (step := _step(line, images))]


def _spread(line: str) -> list[str]:
    """One line per frame, also for the backtrace of an exception such as ``(0x18eb1 0x18df2)``."""
    if not line.startswith("("):
        return [line]
    return [f"0 ??? {address} ???" for address in line.strip("()").split()[:MOST_FRAMES]]


def _step(line: str, images: _Images) -> Step | None:
    """``3   AppKit   0x00007fff31f4a95b -[NSApplication run] + 755``, or ``... 0x7fff31f30000 + 108891``."""
    number, _, rest = line.partition(" ")
    found = _ADDRESS.search(f" {rest}".replace("\t", " "))
    if not number.isdigit() or found is None:
        return None
    rest = f" {rest}".replace("\t", " ")
    name, after = rest[: found.start()].strip(), rest[found.end() :].strip()
    address = int(found[1], 16)
    image = images.of(address, name)
    module = (image.name if image else None) or (None if name in _UNKNOWN else text(name))
    offset = address - image.start if image and image.start <= address < image.end else None
    plain = _PLACE.sub("", after).strip()
    symbol, _, into = plain.rpartition(" + ")
    if beside := _WITH_SYMBOL.fullmatch(plain):
        symbol = beside["symbol"] or beside["said"]
        offset = whole(beside["into"]) if module and offset is None else offset
    elif not into.isdecimal():
        symbol = plain
    elif _BASE.fullmatch(symbol) or symbol == name:  # no symbol: an offset within the image
        symbol, offset = "", whole(into) if module and offset is None else offset
    return Step(Frame(module, None if symbol in _UNKNOWN else text(symbol), offset), image)


def _heavy_step(line: str, images: _Images) -> Step | None:
    """``12  start + 2076 (dyld + 24516) [0x1856a0fc4]``, or ``... (Player.swift:231,9 in Player + 2459) [0x1856a]``."""
    found = _HEAVY_STEP.match(line)
    if found is None:
        return None
    function = _INTO_FUNCTION.sub("", found["function"])
    name = None if function in _UNKNOWN else text(function)
    source, _, module = found["module"].rpartition(" in ")
    module = text(module if _OF_SOURCE.fullmatch(source) else found["module"])
    return Step(Frame(module, name, int(found["offset"])), images.named(module))


def _image(line: str) -> Image | None:
    """``0x1000 - 0x1fff +App arm64 (1.2 - 34) <6dec...> /Applications/App.app/Contents/MacOS/App``."""
    found = _IMAGE.match(line)
    if found is None:
        return None
    left, _, right = found["rest"].partition(" <")
    path = right.partition(">")[2].strip()
    if not path:
        left, slash, tail = left.replace("\t", " ").partition(" /")
        path = f"/{tail}" if slash else ""
    version = _VERSION.search(left)
    name = base_name(path) or text(_ARCHITECTURE.sub("", left.partition(" (")[0]))
    end = int(found["end"], 16) + 1 if found["end"] != "???" else 0
    short = version["short"] if version else "???"
    start = int(found["start"], 16)
    return (
        None if name in _UNKNOWN else Image(name, path, None if short in ("???", "*", "0.0.0") else short, start, end)
    )


def _code(exception: str | None, killed: Sequence[str | None], *, is_of_dyld: bool) -> str | None:
    """Of ``EXC_CRASH (SIGABRT)``, ``EXC_BAD_ACCESS (0x0001)``, ``SIGSEGV``, ``00000020``."""
    kind, _, more = (exception or "").partition(" ")
    killed = [*killed, more, "DYLD" if is_of_dyld and kind in _DYLD_ENDS_BY else None]
    signal = re.search(r"SIG[A-Z0-9]{2,10}", more)
    return text(code_of(kind or None, signal[0] if signal else None, killed))


def _tags(report: _Report, exception: str | None, process: str | None, pid: str) -> list[tuple[str, Any]]:
    codes = report.said("Exception Subtype", "Exception Codes", "Codes")
    return [
        ("process", process), ("pid", pid), ("bundle_id", report.said("Identifier")),
        ("app_version", report.said("Version")), ("model", report.said("Hardware Model", "Hardware model")),
        ("exception", exception), ("exception_codes", codes), ("message", " ".join(report.notes)),
        ("termination", report.said("Termination Reason")),
    ]  # fmt: skip


def _read(data: bytes, told: Told) -> Records:
    told.check_document(len(data))
    records = Records(told)
    for report in reports_of(decoded(data).replace("\r\n", "\n").replace("\r", "\n")):
        add(records, report, {})
    return records


def _recognises(head: Head) -> bool:
    said = head.text.lstrip().replace("\r\n", "\n").replace("\r", "\n")
    if said[:1] in ("{", "["):
        return False
    marks = {found[0].strip() for found in _MARKS.finditer(said)}
    return len(marks) >= 4 or any(form.search(said) for form in (_FRAGMENT, _EXCEPTION))


APPLE_TEXT = Document("crash report of macOS or iOS, as text", _recognises, _read)
