"""Panics of Apple's kernel as text: on a serial console, in a log, a ``.panic`` file or a ``panicString``.

Without symbols a backtrace consists of addresses. Those in kernel extensions are found by the list of extensions below
it, all others are in the kernel. The frames above the caller named in the first line are the same in every panic. For a
fault on Arm the backtrace has the callers of the function at fault, but not the place of the fault, which is in the
first line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, islice, pairwise, takewhile
from typing import Any

from fleetcrash.times import time_text
from ingest.formats.crashes import MOST_FRAMES, Frame, Records, Told, Unfit, name_of, tags_of, text
from ingest.formats.dates import date_in_words
from ingest.formats.format import Document, Head, decoded
from ingest.formats.xnu_wrapped import laid_out

KERNEL = "mach_kernel"
_APPLE = "com.apple."
HEAD = "panic(cpu "
_MOST_PANICS = 1000  # of a document
_LONGEST_PANIC = 64 << 10  # characters: the data about the crash is in the first 20,000, then all extensions follow
_LONGEST_LINE = 2000
_LONGEST_CODE = 200
_MOST_EXTENSIONS = 1000  # of a backtrace
_KERNEL_BYTES = 64 << 20  # upper bound of the kernel's own code, which has some 10 MB
_POWERPC_KERNEL_BYTES = 4 << 20  # from address 0 on; extensions are above
_EXTENSION_BYTES = 4 << 20  # upper bound for one with only a start address
_ADDRESS_BITS = 0xFF_FFFF_FFFF  # of an address on Arm; the other bits may be a signature
_AROUND = " \t\v\f`"  # a line: blanks, and Markdown's marks of code
_NEAR = 2000  # characters before a panic in which a report has host and time

_PREFIX = re.compile(  # of a log, before each line
    r"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:|\d{4}-\d\d-\d\d).{0,120}?"
    r"\bkernel(?:\[[\d:]{1,12}\])?(?: \(.{0,60}?\))?: "
)
_STARTS = re.compile(rf"{re.escape(HEAD)}|Unresolved kernel trap\(cpu ")  # the latter up to Mac OS X 10.4
_HEAD = re.compile(
    r"(?:panic\(cpu \d{1,4}(?: caller (?P<caller>0x[0-9a-fA-F]{1,16}))?\)|Unresolved kernel trap\(cpu \d{1,4}\)): ?"
    r"(?P<what>.*?)(?: DAR=0x[0-9a-fA-F]{1,16} PC=0x.*)?$"
)
_MENDED = str.maketrans("×–", "x-")  # by pages, which take 0x0 for a product
_BOOTED = re.compile(r"Darwin Kernel [Vv]ersion \d{1,3}\.|\*\*\* Panic Report \*\*\*|Interval Since Last Panic Report:")
_BOOT = re.compile(
    r"^(?:[^\n]{0,200}\bkernel[^\n]{0,80}: |\s{0,16})Darwin Kernel [Vv]ersion \d{1,3}\.[^\n]{0,120}root:xnu-",
    re.MULTILINE,
)

_FRAME = re.compile(
    r"0x[0-9a-f]{1,16} : (?P<address>0x[0-9a-f]{1,16})"
    r"(?: (?P<module>[\w.\-]{1,200}) : (?P<function>\S.*?)(?: \+ 0x[0-9a-f]{1,16})?| \(.*\))?",
    re.IGNORECASE,
)
_FRAME_OF_ARM = re.compile(r"lr: (?P<address>0x[0-9a-f]{1,16})\s{1,4}fp: 0x[0-9a-f]{1,16}", re.IGNORECASE)
_POWERPC_PLACE = re.compile(r"PC=(?P<pc>0x[0-9a-f]{8,16}); MSR=", re.IGNORECASE)
_POWERPC_TRACE = re.compile(r"(?:Backtrace:)?(?P<addresses>(?:\s{0,16}0x[0-9a-f]{8,16}){0,64})\s{0,9}", re.IGNORECASE)
_EXTENSION = re.compile(
    r"(?P<name>[\w.\-]{1,200})\((?P<version>[^()]{0,100})\)(?:\[[0-9a-f\-]{0,40}\])?"
    r"(?: ?@(?P<start>0x[0-9a-f]{1,16})(?:-(?:>|&gt;)(?P<end>0x[0-9a-f]{1,16}))?)?",
    re.IGNORECASE,
)
_EXTENSIONS = re.compile(r"Kernel (?:Extensions|loadable modules) in backtrace")
_TRAP = re.compile(r"(?P<what>Kernel trap) at (?P<pc>0x[0-9a-f]{1,16}),(?P<type> type \d{1,3}=[^,]{1,60})")
_ABORT = re.compile(r"(?P<what>[A-Z][\w .()]{1,80}?)[.:]? (?:at )?pc[ =](?P<pc>0x[0-9a-f]{1,16})(?P<type>)")
_CALLED_FROM = re.compile(r", lr (0x[0-9a-f]{1,16})\b", re.IGNORECASE)
_NO_MESSAGE = re.compile(r"Backtrace \(CPU|Panicked t|Debugger message: |BSD process name|Process name ")
_SOURCE = re.compile(  # of an assertion newer systems tell both its own and that of the function that panics
    r"(?:, file: |[\" ]{0,2}@)(?P<file>[^\s,@\"]{1,300})(?:, line: |:)(?P<line>\d{1,6})"
    r"(?:[\" ]{0,2}@[^\s,@\"]{1,300}:\d{1,6})?[\s\"]{0,9}$"
)
_UNRESPONSIVE = re.compile(r"no successful checkins from (?:com\.apple\.)?([\w.\-]{1,200})")
_SUSPECTED = re.compile(r"Suspected bundle: ([\w\-]{1,60}(?:\.[\w\-]{1,60}){0,8})")
_FIELDS = {
    "build": r"(?:Mac OS version:\s{0,4}|OS version: {0,9})(?P<said>\d{1,2}[A-Z]\w{1,12})\s*$",
    "uptime_ns": r"System uptime in nanoseconds: {0,9}(?P<said>\d{1,19})",
    "exec_base": r"Kernel text exec base: {0,9}(?P<said>0x[0-9a-f]{1,16})",
    "base": r"Kernel text base: {0,9}(?P<said>0x[0-9a-f]{1,16})",
    "booted": r"Boot {0,9}: (?P<said>0x[0-9a-f]{1,16} 0x[0-9a-f]{1,8})",
    "now": r"Calendar: (?P<said>0x[0-9a-f]{1,16} 0x[0-9a-f]{1,8})",
    "process": r"(?:BSD p|P)rocess name corresponding to current thread(?: \(0x[0-9a-f]{1,16}\))?: (?P<said>.{1,100})",
    "task": r"Panicked task .{0,200}?: pid \d{1,7}: (?P<said>.{1,100})",
    "model": r"System model name: (?P<said>[^(\n]{1,100})",
    "kernel": r"(?:Kernel version:\s{0,4})?Darwin Kernel [Vv]ersion (?P<said>\d[\d.]{0,20})",
}
_OF_PANIC = {name: re.compile(rf"^[ \t]{{0,16}}{pattern}", re.MULTILINE) for name, pattern in _FIELDS.items()}
_CLOCK_IS_SET = datetime(2001, 3, 24, tzinfo=UTC)  # as there was no such kernel before
_HOST = re.compile(r"^[ \t]{0,16}(?:Anonymous UUID|CrashReporter Key): {1,20}(\S{1,128})\s*$", re.MULTILINE)
_WRITTEN = re.compile(r"^[ \t]{0,16}[A-Z][a-z]{2} ([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Panic:
    """The content of a panic.

    Attributes:
        known_by: its identity.
        fields: of the record, as far as they are in the panic.
        tags: further values.
    """

    known_by: tuple[str, ...]
    fields: Mapping[str, Any]
    frames: Sequence[Frame] = ()
    tags: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Loaded:
    """Code in the kernel's memory: an extension, or the kernel itself."""

    name: str
    version: str | None
    start: int
    end: int


@dataclass(frozen=True)
class _Step:
    """A frame of a backtrace, and the code in which it is."""

    address: int
    frame: Frame
    code: _Loaded | None


def read(said: str) -> Panic | None:
    """The panic at the start of a text; None if it is empty."""
    whole = (_unprefixed(line) for line in laid_out(said[:_LONGEST_PANIC]).splitlines())
    lines = [line for line in whole if line]  # a console may end each line twice
    heads = ((at, found) for at, line in enumerate(lines) if (found := _HEAD.match(line)))
    at, found = next(heads, (0, None))
    told = {name: match["said"].strip() for name, match in _searched("\n".join(lines))}
    if found is None:
        # Text of a reset that no kernel reported, and text of a debugger only.
        head = next(iter(lines), None)
        fields = {"code": head[:_LONGEST_CODE], **_beside(told)} if head else {}
        return Panic((head,), fields, tags={"message": head, "kernel": told.get("kernel")}) if head else None
    message = (found["what"] or "".join(lines[at + 1 : at + 2])).replace("\\n", " ").strip()
    if _NO_MESSAGE.match(message):
        message = ""
    trap, abort = _TRAP.match(message.replace(", type = ", ", type ", 1)), _ABORT.match(message)
    fault = trap or abort
    extensions = list(islice(_extensions(lines), _MOST_EXTENSIONS))
    loaded = [*extensions, *_kernel(told.get("exec_base") or told.get("base"))]
    steps = _steps(lines[at + 1 :], loaded) or _steps_of_powerpc(lines[at + 1 :], loaded)
    known_by = (lines[at], told.get("uptime_ns", ""), told.get("now", ""), *(f"{step.address:x}" for step in steps))
    place = _place(steps, [fault["pc"] if fault else None, found["caller"]])
    if abort and steps and steps[place].address != int(abort["pc"], 16):
        place = _place_of_caller(steps, place, message)
        steps.insert(place, _step({"address": abort["pc"]}, loaded))
    frames = [step.frame for step in steps][:MOST_FRAMES]
    source = _SOURCE.search(message)
    plain = (message[: source.start()] if source else message).strip(' "')
    fields = {
        "code": (fault["what"] + fault["type"] if fault else plain)[:_LONGEST_CODE] or None,
        **_blamed(message, steps[place:], extensions),
        **_beside(told),
    }
    tags = {
        "message": plain,
        "source": f"{source['file'].rpartition('/')[2]}:{source['line']}" if source else None,
        "process": told.get("process") or told.get("task"),
        "model": told.get("model"),
        "kernel": told.get("kernel"),
    }
    return Panic(known_by, fields, frames, tags)


def add(records: Records, panic: Panic, *, model: str | None = None, **known: Any) -> None:
    """Add the record of a panic.

    Args:
        model: of the machine. known: fields from the report around it, which have precedence over those of the panic.
    """
    fields: dict[str, Any] = {**panic.fields, **{name: value for name, value in known.items() if value is not None}}
    fields.setdefault("crash_id", name_of(fields.get("host_id") or "", *panic.known_by))
    tags = tags_of([*panic.tags.items(), ("model", model)])
    records.crash(os_type="darwin", domain="kernel", **fields, frames=panic.frames, tags=tags)


def host_of(said: str) -> str | None:
    """The host of a panic, from the last value in the report before it."""
    found = _HOST.findall(said[-_LONGEST_PANIC:])
    return found[-1] if found else None


def _read_document(data: bytes, told: Told) -> Records:
    records = Records(told)
    said = decoded(data).replace("\r", "\n").translate(_MENDED)
    for before, panic in islice(_panics(said), _MOST_PANICS):
        if (found := read(panic)) is not None:
            add(records, found, host_id=records.host_id((host_of(before),)), **_written(found, before))
    if not records.read and not _BOOT.search(said[:_LONGEST_PANIC]):
        raise Unfit("bad_panic", "There is no panic of Apple's kernel in it")
    return records


def _written(panic: Panic, before: str) -> dict[str, str]:
    """When a report was written, which is at the next start; nothing if the panic itself has a time."""
    found = _WRITTEN.findall(before)
    at = date_in_words(found[-1]) if found else None
    return {"occurred_at": at, "time_quality": "reboot"} if at and not panic.fields.get("occurred_at") else {}


def _panics(said: str) -> Iterator[tuple[str, str]]:
    """Each panic of a text, with the text before it. A panic on top of a panic is no crash of its own."""
    starts: list[int] = []
    looked, has_booted = 0, True
    found = _STARTS.search(said)
    while found and len(starts) < _MOST_PANICS:
        at = found.start()
        line = said.rfind("\n", 0, at) + 1
        has_booted = has_booted or _BOOTED.search(said, looked, line) is not None
        looked = line
        before = said[line : min(at, line + _NEAR)]
        if has_booted and (not before.strip(_AROUND) or _PREFIX.fullmatch(before)):
            starts.append(line)
            has_booted = False
        after = said.find("\n", at)
        found = _STARTS.search(said, after) if after >= 0 else None
    for start, end in pairwise([*starts, len(said)]):
        yield said[max(start - _NEAR, 0) : start], said[start : min(end, start + _LONGEST_PANIC)]


def _unprefixed(line: str) -> str:
    line = line[:_LONGEST_LINE]
    prefix = _PREFIX.match(line)
    return (line[prefix.end() :] if prefix else line).strip(_AROUND)


def _searched(said: str) -> Iterator[tuple[str, re.Match[str]]]:
    for name, pattern in _OF_PANIC.items():
        if found := pattern.search(said):
            yield name, found


def _extensions(lines: Sequence[str]) -> Iterator[_Loaded]:
    """The extensions that the kernel found in a backtrace; each is followed by its dependencies, which are skipped."""
    heading = next((at for at, line in enumerate(lines) if _EXTENSIONS.match(line)), len(lines))
    for line in lines[heading + 1 :]:
        if line.startswith("dependency:"):
            continue
        found = _EXTENSION.fullmatch(line)
        if found is None:
            return
        start, end = (int(found[name], 16) if found[name] else -1 for name in ("start", "end"))
        after = start + _EXTENSION_BYTES if start >= 0 > end else end + 1
        yield _Loaded(found["name"], found["version"] or None, start, after)


def _kernel(base: str | None) -> list[_Loaded]:
    """The kernel's own code; empty if its address is unknown."""
    return [_Loaded(KERNEL, None, int(base, 16), int(base, 16) + _KERNEL_BYTES)] if base else []


def _steps(lines: Sequence[str], loaded: Sequence[_Loaded]) -> list[_Step]:
    """The first backtrace, which is that of the processor that panicked."""
    found: list[re.Match[str]] = []
    for line in lines:
        step = _FRAME.fullmatch(line) or _FRAME_OF_ARM.fullmatch(line)
        if (found and not step) or len(found) >= MOST_FRAMES:
            break
        found += [step] if step else []
    return [_step(one.groupdict(), loaded) for one in found]


def _steps_of_powerpc(lines: Sequence[str], loaded: Sequence[_Loaded]) -> list[_Step]:
    """The backtrace of a fault, from its place on, or else that of the panic. Addresses are in one row."""
    faults = ((at, fault["pc"]) for at, line in enumerate(lines) if (fault := _POWERPC_PLACE.match(line)))
    at, pc = next(((at, pc) for at, pc in faults if int(pc, 16)), (-1, None))
    behind = dropwhile(lambda line: not line.startswith("Backtrace:"), lines[at + 1 :])
    rows = takewhile(lambda row: row is not None, map(_POWERPC_TRACE.fullmatch, behind))
    addresses = [address for row in rows if row for address in row["addresses"].split()]
    own = [*loaded, _Loaded(KERNEL, None, 0, _POWERPC_KERNEL_BYTES)]
    return [_step({"address": one}, own) for one in [*([pc] if pc else []), *addresses][:MOST_FRAMES]]


def _step(found: Mapping[str, str | None], loaded: Sequence[_Loaded]) -> _Step:
    address, name = int(found["address"] or "0", 16), found.get("module")
    codes = (one for one in loaded if one.start <= address < one.end and name in (None, one.name))
    code = max(codes, key=lambda one: one.start, default=None)
    module = name or (code.name if code else None)
    return _Step(address, Frame(module, text(found.get("function")), address - code.start if code else None), code)


def _place(steps: Sequence[_Step], addresses: Sequence[str | None]) -> int:
    """Index of the fault in a backtrace: of the first of the addresses that is in it, or else the innermost."""
    for wanted in addresses:
        for at, step in enumerate(steps):
            if wanted and step.address == int(wanted, 16):
                return at
    return 0


def _place_of_caller(steps: Sequence[_Step], panicked: int, message: str) -> int:
    """Index in a backtrace of the caller of the function at fault: below the steps of the trap.

    Args:
        panicked: index of the function that panicked; the next one is the best guess if the caller is missing.
    """
    link = _CALLED_FROM.search(message)
    wanted = int(link[1], 16) & _ADDRESS_BITS if link else None
    found = (at for at, step in enumerate(steps) if at > panicked and step.address & _ADDRESS_BITS == wanted)
    return next(found, min(panicked + 1, len(steps)))


def _blamed(message: str, steps: Sequence[_Step], extensions: Sequence[_Loaded]) -> dict[str, Any]:
    """The code at fault: as named by the kernel, or an extension that is not Apple's, or the code that panicked."""
    if named := _UNRESPONSIVE.search(message) or _SUSPECTED.search(message):
        return {"module": named[1]}
    names = [step.frame.module or KERNEL for step in steps]
    others = (step for step, name in zip(steps, names, strict=True) if name != KERNEL and not name.startswith(_APPLE))
    step = next(others, None)
    placeless = (one for one in extensions if one.start < 0 and not one.name.startswith(_APPLE))
    if step is None and (listed := next(placeless, None)):
        return {"module": listed.name, "module_version": listed.version}
    step = step or next((step for step in steps if step.frame.module), None)
    if step is None:
        return {}
    return {
        "module": step.frame.module,
        "module_version": step.code.version if step.code else None,
        "module_offset": step.frame.offset,
    }


def _beside(told: Mapping[str, str]) -> dict[str, Any]:
    """The values in a panic about its system and its time."""
    now, booted = _instant(told.get("now")), _instant(told.get("booted"))
    return {
        "os_build": told.get("build"),
        "occurred_at": time_text(now) if now and now >= _CLOCK_IS_SET else None,
        "uptime_s": _uptime_s(told.get("uptime_ns"), booted, now),
    }


def _instant(said: str | None) -> datetime | None:
    """A time of the kernel: seconds since 1970 and microseconds; None if it is not told."""
    seconds, micros = (int(one, 16) for one in said.split()) if said else (0, 0)
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=micros) if seconds else None
    except OverflowError:
        return None


def _uptime_s(uptime_ns: str | None, booted: datetime | None, now: datetime | None) -> float | None:
    if uptime_ns:
        return int(uptime_ns) / 1e9
    return (now - booted).total_seconds() if now and booted and now >= booted else None


def _recognises(head: Head) -> bool:
    if head.text.lstrip()[:1] in ("{", "["):
        return False
    if next(_panics(head.text.replace("\r", "\n")), None) is not None:
        return True
    return "root:xnu-" in head.text and _BOOT.search(head.text) is not None


XNU_PANIC = Document("panic of Apple's kernel, as text", _recognises, _read_document)
