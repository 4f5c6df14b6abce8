"""Output of Windows' debuggers for a dump: ``!analyze -v``, perhaps with the text printed when it is opened.

The time of a dump is in the zone of the person who opened it, with its offset. The name of their machine is not that of
the host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ingest.formats.blame import at_fault
from ingest.formats.crashes import MOST_FRAMES, Frame, Records, Told, base_name, name_of, tags_of, text, time_of
from ingest.formats.dates import date_in_words
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in
from ingest.formats.live_dumps import is_live
from ingest.formats.systems import version_of_windows
from ingest.formats.wer import hex_code, version

_LONGEST_LINE = 2000
_NARROW = 60  # characters of a line, which any console has
_MOST_LINES = 4000  # of one analysis; most are about missing symbols

_BANNER = re.compile(r"\*\s{3,60}(?P<of>Bugcheck|Exception) Analysis\s{3,60}\*")
_RECOGNISED = re.compile(rf"^\s{{0,4}}{_BANNER.pattern}\s*$", re.MULTILINE)
_SURE = re.compile(r"^\s{0,4}(?:FAILURE_BUCKET_ID|BUGCHECK_STR|DEFAULT_BUCKET_ID):\s{1,4}\S", re.MULTILINE)
_STACK = re.compile(r"^\s{0,4}STACK_TEXT:", re.MULTILINE)
_OPENED = re.compile(r"Loading Dump File \[(?P<path>[^\]]{1,500})\]")
_VALUE = re.compile(
    r"(?P<name>BUGCHECK_CODE|BUGCHECK_P[1-4]|BUGCHECK_STR|EXCEPTION_CODE|EXCEPTION_CODE_STR|PROCESS_NAME|MODULE_NAME"
    r"|IMAGE_NAME|IMAGE_VERSION|FAILURE_BUCKET_ID|BUCKET_ID|PRIMARY_PROBLEM_CLASS|DEFAULT_BUCKET_ID|SYMBOL_NAME"
    r"|OS_VERSION|BUILD_VERSION_STRING|System Uptime|Machine Name|Debug session time|Arg[1-4]|ExceptionCode"
    r"|ExceptionAddress)"
    r":\s{0,40}(?P<value>\S.*)?"
)
_NAME = re.compile(r"(?P<name>[A-Z][A-Z0-9_]{4,100}|Unknown bugcheck code) \((?P<code>[0-9a-fA-F]{1,8})\)")
_NAME_LINE = re.compile(rf"^\s{{0,4}}{_NAME.pattern}\s*$", re.MULTILINE)
_ARGUMENT_LINE = re.compile(r"^\s{0,4}Arguments:\s{0,9}\n\s{0,4}Arg1: (?:0x)?[0-9a-fA-F]{8}", re.MULTILINE)
_SHORT = re.compile(r"BugCheck (?P<code>[0-9A-Fa-f]{1,8}), \{(?P<arguments>[^{}\n]{1,200})\}")
_SHORT_LINE = re.compile(rf"^\s{{0,4}}{_SHORT.pattern}\s*$", re.MULTILINE)
_FATAL = re.compile(r"\*{3} Fatal System Error: (?P<code>0x[0-9a-fA-F]{8})")  # to a debugger of a kernel that runs
_FATAL_LINE = re.compile(rf"^\s{{0,4}}{_FATAL.pattern}\s{{1,40}}\(0x[0-9a-fA-F`]{{8,17}},", re.MULTILINE)
_ARGUMENTS = re.compile(r"\((?P<arguments>0x[0-9a-fA-F`]{8,17}(?:, ?0x[0-9a-fA-F`]{8,17}){3})\)")
_CAUSE = re.compile(r"Probably caused by ?: (?P<image>[^\s()]{1,100})(?: \((?: (?P<place>\S{1,300}) \))?.{0,500})?")
_CODE_LINES = re.compile(r"^\s{0,4}BUGCHECK_CODE: {1,4}[0-9a-f]{1,8}\s{1,4}BUGCHECK_P1: {1,4}[0-9a-f]", re.MULTILINE)
_EXCEPTION_LINES = re.compile(  # of a record alone, as .exr prints it
    r"^\s{0,4}ExceptionAddress: [0-9a-f`]{8,17}[^\n]{0,600}\n\s{0,9}ExceptionCode: [ce][0-9a-f]{7}\b", re.MULTILINE
)
_RECORDS_PLACE = re.compile(r"[0-9a-f`]{8,17} \((?P<place>\S.{0,500}?)\)")
_CAUSE_LINE = re.compile(r"^\s{0,4}Probably caused by ?: \S", re.MULTILINE)
_SESSION = re.compile(
    r"(?P<at>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d)(?P<part>\.\d{1,6})? (?P<year>\d{4})"
    r"(?: \((?:UTC|GMT) ?(?P<sign>[+-]) ?(?P<hours>\d{1,2})(?::(?P<minutes>\d\d))?\))?"
)
_UPTIME = re.compile(r"(?P<days>\d{1,5}) days (?P<hours>\d{1,2}):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d{1,6})?)")
_SYSTEM = re.compile(r"Windows .{1,60}?(?:Kernel )?Version (?P<build>\d{4,5})\b")
_VERSION = re.compile(r"(?P<version>\d{1,2}\.\d{1,2}\.\d{4,5})(?:\.\d{1,9})?\b")
_HEX = re.compile(r"(?:0x)?(?P<digits>[0-9a-fA-F`]{1,17})\b")
_STATUS = re.compile(r"(?:\((?:NTSTATUS|HRESULT|Win32)\) )?(?:0x)?(?P<code>[0-9a-fA-F]{8})\b")

_ADDRESS = r"(?:[0-9a-f]{8}`?[0-9a-f]{8}|[0-9a-f]{8}|-{8}`-{8}|\(Inline(?: Function)?\))"
_FRAME = re.compile(
    rf"(?:[0-9a-f]{{2,3}} )?{_ADDRESS}(?:[ :]{{1,9}}{_ADDRESS}){{1,9}}(?:\s{{1,9}}:\s|\s)\s{{0,8}}(?P<place>\S.*)",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"(?P<module>[\w.@-]{1,100}?)(?:!(?P<function>.{1,500}?)|(?P<offset>\+0x0{0,4}[0-9a-f]{1,12}))(?:\+0x[0-9a-f]{1,16})?"
    r"(?: \[.{1,400}\])?\s*"
)
_REMARK = re.compile(r"\*{3}|(?:WARNING|ERROR): .*")  # within a stack, about its symbols
_NO_REST = re.compile(r"[`*]|[A-Z][A-Z0-9_]{3,60}:(?:\s|$)")  # behind a stack
_UNLOADED = re.compile(r"<Unloaded_(?P<module>[^<>]{1,100})>\+(?P<offset>0x[0-9a-f]{1,12})")
_KERNEL = "nt"  # whatever the name of its file
_KERNELS_FILE = re.compile(r"nt(?:oskrnl|krnl|krpa)\w{0,4}\.(?:\w{1,10}\.){0,2}exe", re.IGNORECASE)
_NO_IMAGES = frozenset(["unknown_image", "memory_corruption", "pool_corruption", "hardware"])
_BUCKETS = ("FAILURE_BUCKET_ID", "BUCKET_ID", "BUGCHECK_STR")
_IN_BUCKET = re.compile(
    r"(?:X64_)?0x(?P<bugcheck>[0-9A-Fa-f]{1,3})_|(?:[A-Z]{1,30}_){1,9}(?P<exception>[c8e][0-9a-f]{7})_"
)
_TAIL = re.compile(rf"^\s{{0,4}}(?:FAILURE_)?BUCKET_ID:\s{{1,4}}(?:{_IN_BUCKET.pattern})", re.MULTILINE)
_FOLDED = re.compile(  # before a name that a page put behind another one
    r"\s{1,9}(?=(?:Arguments|Arg[1-4]|Debugging|[A-Z][A-Z_]{4,40}(?:_P[1-4])?):(?:\s|$))"
)
_FAULTING = "FAULTING_IP:"  # the place is on the next line
_INTO = re.compile(r"(?<=\w)\+(?P<bytes>[0-9a-f]{1,12})$")
_EVENT = re.compile(r"\([0-9a-f]{1,8}\.[0-9a-f]{1,8}\): .{1,100} - code (?P<code>[ce][0-9a-f]{7})\b.*")  # no breakpoint
_UNHANDLED = "(!!! second chance !!!)"  # by the process, which ends unless the debugger goes on
_UNHANDLED_LINE = re.compile(
    rf"^\s{{0,4}}\([0-9a-f]{{1,8}}\.[0-9a-f]{{1,8}}\): [^\n]{{1,100}} - code [ce][0-9a-f]{{7}} {re.escape(_UNHANDLED)}",
    re.MULTILINE,
)
_CALLS = re.compile(r"(?:# )?(?:Child-SP|ChildEBP) {1,12}RetAddr\b.*")  # above a stack that somebody asked for
_STOPPED_AT = re.compile(r"(?P<place>[\w.@-]{1,100}[!+]\S.{0,500}):")
_HANG = re.compile(r"(?:APPLICATION|APP)_?HANG|HANG_")


@dataclass
class _Analysis:
    """The analysis of one dump.

    Attributes:
        of: from its banner: Bugcheck or Exception. name: of the bugcheck. faulting: the place that it names without a
            stack.
        short: the line with the bugcheck and its arguments, printed before the analysis. fatal: the line with which
            a debugger of a running kernel stops. event: the line with a process's last exception before the analysis.
    """

    said: dict[str, str] = field(default_factory=dict)
    of: str = ""
    name: str = ""
    short: str = ""
    fatal: str = ""
    event: str = ""
    build: str = ""
    is_opened: bool = False
    frames: list[tuple[Frame, str]] = field(default_factory=list)
    in_stack: bool = False
    step: str = ""
    faulting: str | None = None
    lines: int = 0

    @property
    def is_short(self) -> bool:
        """Whether all that is told yet is what a debugger says by itself as it opens a dump."""
        return bool(self.short) and not self.name and not self.frames


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    said = _FOLDED.sub("\n", said) if " Arguments: Arg1: " in said else said
    if "MODULE_NAME: " in said and _TAIL.search(said):  # the end of an analysis
        return True
    if _RECOGNISED.search(said) or _FATAL_LINE.search(said) or (_SURE.search(said) and _STACK.search(said)):
        return True
    if (_NAME_LINE.search(said) and _ARGUMENT_LINE.search(said)) or _CODE_LINES.search(said):
        return True
    if _EXCEPTION_LINES.search(said) or _UNHANDLED_LINE.search(said):
        return True
    return _SHORT_LINE.search(said) is not None and _CAUSE_LINE.search(said) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    analysis = _Analysis()
    lines = text_lines_in(blocks, _LONGEST_LINE)
    for said in (part for line in lines for part in _FOLDED.split(line.strip())):
        banner = _BANNER.fullmatch(said)
        if _OPENED.match(said) or (banner and analysis.of and not analysis.is_short) or _is_of_next(analysis, said):
            yield from _records(analysis, told)
            analysis = _Analysis(is_opened=_OPENED.match(said) is not None)
        if banner:
            analysis.of = banner["of"]
        if analysis.lines < _MOST_LINES:
            analysis.lines += bool(said)
            _feed(analysis, said)
    yield from _records(analysis, told)


def _is_of_next(analysis: _Analysis, said: str) -> bool:
    """Whether a line tells of another dump, as lists of what many were made of do, one behind the other."""
    if _SHORT.fullmatch(said):
        return analysis.short not in ("", said)
    if _FATAL.match(said):
        return bool(analysis.fatal or analysis.name)
    if _UNHANDLED in said and _EVENT.fullmatch(said):
        return _UNHANDLED in analysis.event and analysis.event != said
    if not analysis.of and analysis.name and "Arg1" in analysis.said and _NAME.fullmatch(said):
        return True
    found = _VALUE.fullmatch(said)
    if found is None or found["name"] != "Debug session time":
        return False
    value = (found["value"] or "").strip()
    return analysis.said.get("Debug session time", value) != value


def _feed(analysis: _Analysis, said: str) -> None:
    if analysis.in_stack:
        if frame := _frame(said):
            if len(analysis.frames) < MOST_FRAMES:
                analysis.frames.append(frame)
            analysis.step = said
            return
        if _REMARK.fullmatch(said):
            analysis.step = ""
            return
        if not said:
            analysis.step = ""
        is_cut = len(analysis.step) >= _NARROW and not (_VALUE.fullmatch(said) or _NO_REST.match(said))
        if is_cut and (rest := _frame(f"{analysis.step}{said}")):
            analysis.frames[-1] = rest  # a console was narrower than the line
            analysis.step = ""
            return
        analysis.in_stack = not said or not analysis.frames  # a blank line or text before the first frame
    if analysis.faulting == "" and said:
        analysis.faulting = said
    is_unhandled = _UNHANDLED in analysis.event
    if said.startswith("STACK_TEXT:") or (is_unhandled and _CALLS.fullmatch(said)):
        analysis.in_stack = not analysis.frames
    elif found := _VALUE.fullmatch(said):
        if found["value"]:
            analysis.said.setdefault(found["name"], found["value"].strip())
    elif said.startswith(_FAULTING):
        analysis.faulting = ""
    elif is_unhandled and analysis.faulting is None and (stopped := _STOPPED_AT.fullmatch(said)):
        analysis.faulting = stopped["place"]
    elif not analysis.name and (named := _NAME.fullmatch(said)):
        analysis.name = named["name"]
        analysis.said.setdefault("code", named["code"])
    elif short := _SHORT.fullmatch(said):
        analysis.short = said
        analysis.said.setdefault("code", short["code"])
        for at, argument in enumerate(short["arguments"].split(",")[:4], 1):
            analysis.said.setdefault(f"Arg{at}", argument.strip())
    elif fatal := _FATAL.match(said):
        analysis.fatal = said
        analysis.said.setdefault("code", fatal["code"])
    elif analysis.fatal and (told := _ARGUMENTS.fullmatch(said)):
        for at, argument in enumerate(told["arguments"].split(","), 1):
            analysis.said.setdefault(f"Arg{at}", argument.strip())
    elif not (analysis.of or is_unhandled) and (event := _EVENT.fullmatch(said)):
        analysis.event = said
        analysis.said["event"] = event["code"]
    elif cause := _CAUSE.fullmatch(said):
        analysis.said.setdefault("cause", cause["image"])
        analysis.said.setdefault("cause's place", cause["place"] or "")
    elif system := _SYSTEM.match(said):
        analysis.build = analysis.build or system["build"]


def _frame(said: str) -> tuple[Frame, str] | None:
    """A step of a stack, and the debugger's name of its module, without a suffix."""
    found = _FRAME.fullmatch(said)
    if found is None:
        return None
    if unloaded := _UNLOADED.fullmatch(found["place"]):
        return Frame(unloaded["module"], None, int(unloaded["offset"], 16)), unloaded["module"]
    return _placed(found["place"]) or (Frame(), "")  # an address outside of all modules


def _with_offset(said: str) -> str:
    """A place without the offset into its function, which says little; that into a module tells where it is."""
    return _INTO.sub("" if "!" in said else r"+0x\g<bytes>", said)


def _placed(said: str) -> tuple[Frame, str] | None:
    """The step at a place such as ``nt!KiPageFault+0x1``, and the module."""
    place = _PLACE.fullmatch(said)
    if place is None:
        return None
    offset = int(place["offset"], 16) if place["offset"] else None
    return Frame(place["module"], text(place["function"]), offset), place["module"]


def _records(analysis: _Analysis, told: Told) -> Iterator[Records]:
    said = analysis.said
    bucket = next((found for name in _BUCKETS if (found := _IN_BUCKET.match(said.get(name, "")))), None)
    is_told = bool(said.get("BUGCHECK_CODE") or said.get("Arg1") or (bucket and bucket["bugcheck"]))
    is_told = is_told or said.get("BUGCHECK_STR", "").startswith("0x")
    is_kernels = analysis.of == "Bugcheck" or (not analysis.of and is_told)
    code = _code(analysis, is_kernels=is_kernels)
    if code is None and bucket:
        code = hex_code(bucket["bugcheck"] if is_kernels else bucket["exception"])
    if code is None or (is_kernels and _went_on(said, code)):
        return
    records = Records(told)
    _add(records, analysis, code, is_kernels=is_kernels)
    yield records


def _code(analysis: _Analysis, *, is_kernels: bool) -> str | None:
    said = analysis.said
    names = (
        ("BUGCHECK_CODE", "code", "BUGCHECK_STR")
        if is_kernels
        else ("ExceptionCode", "EXCEPTION_CODE", "EXCEPTION_CODE_STR", "event")
    )
    form = _HEX if is_kernels else _STATUS
    found = next((found for name in names if (found := form.match(said.get(name, "")))), None)
    return hex_code(found[1].replace("`", "")) if found else None


def _went_on(said: Mapping[str, str], code: str) -> bool:
    """Whether the machine went on; for codes that bugchecks share, by the debugger's words."""
    return is_live(int(code, 16)) or any(said.get(name, "").startswith("LKD_") for name in _BUCKETS)


def _add(records: Records, analysis: _Analysis, code: str, *, is_kernels: bool) -> None:
    said = analysis.said
    module, cause = said.get("MODULE_NAME"), said.get("cause", "")
    image = base_name(said.get("IMAGE_NAME") or (None if _KERNELS_FILE.fullmatch(cause) else cause))
    image = None if module == _KERNEL or image is None or image.lower() in _NO_IMAGES else image
    record = _RECORDS_PLACE.fullmatch(said.get("ExceptionAddress", ""))
    faulting = analysis.faulting or (record["place"] if record else "")
    steps = analysis.frames or list(filter(None, [_placed(_with_offset(faulting))]))
    if not steps and (blamed_one := _placed(_with_offset(said.get("cause's place", "")))):
        steps, module = [blamed_one], module or (blamed_one[1] if blamed_one[1] != _KERNEL else None)
    frames = [
        Frame(image, frame.function, frame.offset) if image and known == module else frame
        for frame, known in steps
        if frame.module
    ]
    arguments = [said.get(f"Arg{at}") or said.get(f"BUGCHECK_P{at}", "") for at in range(1, 5)] if is_kernels else []
    numbers = [hex_code(found["digits"].replace("`", "")) if (found := _HEX.match(one)) else None for one in arguments]
    bucket = said.get("FAILURE_BUCKET_ID") or said.get("BUCKET_ID")
    at = _time(said.get("Debug session time", ""))
    host_id = records.host_id((said.get("Machine Name"),))
    is_hang = any(
        _HANG.match(said.get(name, "")) for name in ("PRIMARY_PROBLEM_CLASS", "DEFAULT_BUCKET_ID", "FAILURE_BUCKET_ID")
    )
    place = next((frame for frame in frames if image is None or frame.module == image), Frame())
    alone = _KERNEL if module == _KERNEL and not frames else None
    blamed = {"module": image or place.module or alone, "module_offset": place.offset}
    identity = [at or "", code, *(one or "" for one in numbers), said.get("PROCESS_NAME", ""), bucket or ""]
    if not any((at, *identity[2:])):  # little was kept of it
        identity += [analysis.event, faulting]
    records.crash(
        crash_id=name_of(host_id or "", *identity),
        host_id=host_id,
        occurred_at=at,
        time_quality=None if analysis.is_opened or not at else "log",
        os_type="windows",
        os_version=_os_version(analysis),
        domain="kernel" if is_kernels else "hang" if is_hang else "user",
        code=code,
        **(blamed if image or module else at_fault(frames)),
        module_version=version(said.get("IMAGE_VERSION")) if image else None,
        frames=frames,
        uptime_s=_uptime(said.get("System Uptime", "")),
        tags=tags_of(
            [
                ("name", analysis.name),
                *((f"argument{number}", one) for number, one in enumerate(numbers, 1)),
                ("process", base_name(said.get("PROCESS_NAME"))),
                ("bucket", bucket),
            ]
        ),
    )


def _time(said: str) -> str | None:
    """When a dump was made; None without an offset, which every valid time has."""
    found = _SESSION.fullmatch(said)
    at = date_in_words(f"{found['at']} {found['year']}") if found else None
    if found is None or at is None:
        return None
    offset = f"{found['sign']}{int(found['hours']):02d}:{found['minutes'] or '00'}" if found["sign"] else "Z"
    return time_of(f"{at.removesuffix('Z')}{found['part'] or ''}{offset}")


def _uptime(said: str) -> float | None:
    found = _UPTIME.match(said)
    if found is None:
        return None
    minutes = (int(found["days"]) * 24 + int(found["hours"])) * 60 + int(found["minutes"])
    return round(minutes * 60 + float(found["seconds"]), 6)


def _os_version(analysis: _Analysis) -> str | None:
    for name in ("OS_VERSION", "BUILD_VERSION_STRING"):
        if found := _VERSION.match(analysis.said.get(name, "")):
            return found["version"]
    return version_of_windows(analysis.build)


WINDBG = Log("analysis of a dump by a debugger of Windows", _recognises, _read)
