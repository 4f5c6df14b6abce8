"""What the ``crash`` utility prints of a kernel's dump: the system, why it died, and the stack of the task that did.

Without its summary a stack counts if it leads to a panic or a crash kernel, as people also print those of other tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import dropwhile

from ingest.formats.crashes import LONGEST_TEXT, MOST_FRAMES, Frame, Records, Told, text, time_of
from ingest.formats.dates import date_in_words, offset_of
from ingest.formats.format import Head, Log
from ingest.formats.kernel_deaths import code_of, died_of
from ingest.formats.kernel_lines import Line
from ingest.formats.kernel_log import Fault, add
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 1000
_VALUE = re.compile(
    r"\s{0,14}(?P<name>KERNEL|DUMPFILE|DATE|UPTIME|NODENAME|RELEASE|PANIC|COMMAND): {1,3}(?P<said>\S.*)"
)
_TASK = re.compile(r"PID: \d{1,10} {1,10}TASK: [0-9a-f]{8,16} {1,4}CPU: \d{1,5} {1,4}COMMAND: \".{0,64}\"")
_STEP = re.compile(
    r"\s{0,4}#\d{1,3} \[[0-9a-f]{8,16}\] (?P<function>[\w.$]{1,200}) at (?P<address>[0-9a-f]{8,16})"
    r"(?: \[(?P<module>\w{1,64})\])?.*"
)
_EXCEPTION = re.compile(r"\s{1,8}\[exception [RE]IP: (?P<function>[\w.$]{1,200})\+(?:\d{1,9}|0x[0-9a-f]{1,8})\].*")
_POINTER = re.compile(r"\s{1,8}[RE]IP: (?P<address>[0-9a-f]{8,16}) .*")
_DIES = frozenset(["machine_kexec", "crash_kexec", "__crash_kexec", "panic", "oops_end", "die", "crash_nmi_callback"])
_WHY = {"oops_end": "OOPS", "die": "OOPS", "panic": "Kernel panic"}
_STOPPED = "crash_nmi_callback"  # a processor that another one stopped
_LIVE = ("/dev/", "/proc/")
_PANIC = re.compile(r"Kernel panic - not syncing: ?(?P<what>.*)")
_DATE = re.compile(
    r"(?P<at>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d)(?: (?P<zone>[A-Z]{3,5}|[+-]\d\d))? (?P<year>\d{4})"
)
_UPTIME = re.compile(r"(?:(?P<days>\d{1,5}) days?, )?(?P<hours>\d{1,3}):(?P<minutes>\d\d):(?P<seconds>\d\d)")
_OF_ONE_MODULE = 4 << 20  # bytes; no module is larger


@dataclass
class _Dump:
    """A dump: its summary, and the stack of the task that died.

    Attributes:
        tasks: the functions and frames of each, with the exception's own first.
    """

    said: dict[str, str] = field(default_factory=dict)
    tasks: list[_Task] = field(default_factory=list)


@dataclass
class _Task:
    called: set[str] = field(default_factory=set)
    frames: list[tuple[Frame, int]] = field(default_factory=list)
    exception: Frame | None = None
    pointer: int | None = None


def _recognises(head: Head) -> bool:
    if " TASK: " not in head.text and "DUMPFILE: " not in head.text:
        return False
    lines = iter(head.text.replace("\r\n", "\n").split("\n"))
    return any(_fault_of(dump) is not None for dump in _dumps(lines))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    for dump in _dumps(text_lines_in(blocks, _LONGEST_LINE)):
        if (fault := _fault_of(dump)) is not None:
            records = Records(told)
            host_id = records.host_id((dump.said.get("NODENAME"),))
            add(records, fault, host_id=host_id, at=_time(dump.said.get("DATE", "")))
            yield records


def _dumps(lines: Iterator[str]) -> Iterator[_Dump]:
    dump = _Dump()
    for line in lines:
        if value := _VALUE.fullmatch(line):
            if value["name"] in dump.said and value["name"] in ("KERNEL", "DUMPFILE"):
                yield dump
                dump = _Dump()
            dump.said.setdefault(value["name"], value["said"].strip())
        elif _TASK.fullmatch(line.strip()):
            if dump.tasks and _has_died(dump.tasks[0]):
                if "DUMPFILE" not in dump.said:
                    yield dump
                    dump = _Dump(tasks=[_Task()])
                else:  # other tasks of the same kernel
                    dump.tasks[1:] = [_Task()]
            else:
                dump.tasks[:] = [_Task()]
        elif dump.tasks:
            _add_line(dump.tasks[-1], line)
    yield dump


def _add_line(task: _Task, line: str) -> None:
    if step := _STEP.fullmatch(line):
        task.called.add(step["function"])
        if len(task.frames) < MOST_FRAMES:
            frame = Frame(step["module"] or "kernel", text(step["function"]))
            task.frames.append((frame, int(step["address"], 16)))
    elif (found := _EXCEPTION.fullmatch(line)) and task.exception is None:
        task.exception = Frame("kernel", text(found["function"]))
        task.frames.clear()  # which are the way to the dump
    elif (found := _POINTER.fullmatch(line)) and task.exception is not None and task.pointer is None:
        task.pointer = int(found["address"], 16)


def _has_died(task: _Task) -> bool:
    return not task.called.isdisjoint(_DIES) and _STOPPED not in task.called


def _fault_of(dump: _Dump) -> Fault | None:
    """What a kernel died of; None if nothing says that it did."""
    said = dump.said
    if said.get("DUMPFILE", "").startswith(_LIVE):
        return None
    task = next((task for task in dump.tasks if _has_died(task)), None)
    why = said.get("PANIC", "").partition('" (check log')[0].strip('" ')
    if task is None and not (why and "DUMPFILE" in said):
        return None
    frames = _frames_of(task) if task else []
    if not why and task:
        why = next((words for function, words in _WHY.items() if function in task.called), "Kernel panic")
    return Fault(
        Line(why, _uptime(said.get("UPTIME", ""))),
        "kernel",
        _code(why),
        frames[0].module if frames else None,
        frames=frames,
        release=said.get("RELEASE"),
        tags=_tags(said, why),
        known_by=[said.get("DUMPFILE", ""), *(frame.function or "" for frame in frames)],
    )


def _tags(said: Mapping[str, str], why: str) -> dict[str, str]:
    told = {"message": why[:LONGEST_TEXT], "process": said.get("COMMAND", "").strip('"')}
    return {name: value for name, value in told.items() if value}


def _frames_of(task: _Task) -> list[Frame]:
    """The stack from the exception on; where that was in a module is told by the next of the module's functions."""
    frames = list(dropwhile(lambda frame: frame.function in _DIES, (frame for frame, _ in task.frames)))
    if task.exception is None:
        return frames
    near = (
        frame.module
        for frame, address in task.frames
        if task.pointer is not None and frame.module != "kernel" and abs(address - task.pointer) < _OF_ONE_MODULE
    )
    return [Frame(next(near, "kernel"), task.exception.function), *frames][:MOST_FRAMES]


def _code(why: str) -> str:
    if panic := _PANIC.fullmatch(why):
        return f"Kernel panic: {panic['what']}".rstrip(" :")
    died = died_of(why, None)
    if died is not None or why.startswith(("BUG: ", "Unable to handle kernel", "kernel BUG at", "general protection")):
        return code_of(why, died or "Oops")
    return why


def _time(said: str) -> str | None:
    found = _DATE.fullmatch(said)
    at = date_in_words(f"{found['at']} {found['year']}") if found else None
    return time_of(at.removesuffix("Z") + (offset_of(found["zone"]) or "Z")) if found and at else None


def _uptime(said: str) -> float | None:
    found = _UPTIME.fullmatch(said)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


VMCORES = Log("what the crash utility tells of a kernel's dump", _recognises, _read)
