"""Crashes in the log of a Linux kernel: its own, and those of processes that it tells of.

A kernel says one fault in many lines. The one that ends in ``[#1]`` is there once a fault, so it stands for it, and a
panic does where no fault of the same boot went before; the lines behind it bring the stack. A warning is no crash: it
only says why a kernel that is set to panic on it did. In a minute a host's kernel crashes once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.formats.crashes import LONGEST_TEXT, MOST_FRAMES, Frame, base_name, text

_MOST_LINES = 300  # of one fault
_LONGEST_LINE = 2000
_CLOCK_SLACK_S = 1.0  # processors write side by side, so a line may be a little older than the one before it

# What stands before the text: of the kernel's own ring, of a log file that syslog wrote, and of dmesg -T.
_STAMP = re.compile(
    r"(?:<\d{1,3}>)?"
    r"(?:(?:1 )?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?"
    r"(?:Z|[+-]\d\d:?\d\d)? \S{1,255} (?P<writer>[^\s:\[\]]{1,64})(?:\[\d{1,10}\])?(?:: ?| - - - ))?"
    r"(?:kernel: ?)?"
    r"(?:\[\s{0,12}(?P<clock>\d{1,10}\.\d{1,9})\](?:\[\s{0,8}[TC]\d{1,10}\])? ?"
    r"|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] ?)?"
)
_IN_LIBRARY = (
    r"(?: in (?P<module>[^\[\s]{1,200})\[(?:(?P<offset>[0-9a-f]{1,15}),)?(?P<base>[0-9a-f]{1,16})\+[0-9a-f]+\])?"
)
_SEGFAULT = re.compile(
    r"(?P<comm>[^\[\]]{1,64})\[(?P<pid>\d+)\]:? (?P<what>segfault) at [0-9a-f]+ ip (?P<ip>[0-9a-f]{1,16}) "
    r"sp [0-9a-f]+ error [0-9a-f]+" + _IN_LIBRARY
)
_TRAP = re.compile(
    r"traps: (?P<comm>[^\[\]]{1,64})\[(?P<pid>\d+)\]:? (?:trap )?(?P<what>[a-z0-9 ]{1,40}) ip:(?P<ip>[0-9a-f]{1,16}) "
    r"sp:[0-9a-f]+ error:[0-9a-f]+" + _IN_LIBRARY
)
_SIGNALS = {"invalid opcode": "SIGILL", "divide error": "SIGFPE", "int3": "SIGTRAP"}

_HEAD = re.compile(
    r"(?:CPU \d{1,5} )?(?:BUG: (?:[Uu]nable to handle|[Kk]ernel NULL)|kernel BUG at|Unable to handle kernel)"
)
_DIED = re.compile(
    r"(?:Internal error: |Oops: ){0,3}(?P<what>[A-Za-z](?:[^\[\]:,]|[:,](?! )){0,200})(?P<more>[:,] .{0,200})?"
    r" ?\[#\d{1,6}\]"
)
_DIES_AS = ("Oops", "Internal error: ", "Kernel bug detected", "Kernel BUG")
_ERROR_CODE = re.compile(r"[0-9a-f]{4,16}(?: ilc:\d)?")
_PANIC = re.compile(r"Kernel panic - not syncing: ?(?P<what>.{0,300})")
_WARNING = re.compile(
    r"WARNING: |BUG: (?:KASAN|KFENCE|KMSAN|KCSAN): |(?:(?:NMI )?watchdog: )?BUG: (?:soft|workqueue) lockup"
    r"|(?:NMI )?watchdog: Watchdog detected hard LOCKUP|INFO: (?:task|rcu)|rcu: INFO: "
)
_PANIC_ON = re.compile(r"panic_on_warn|kasan|softlockup|hard lockup|hung_task|rcu", re.IGNORECASE)

_ADDRESSES = r"(?:\[<?[0-9a-f]{8,16}>?\] {0,2}){0,2}"
_OFFSET = r"\+0x[0-9a-f]{1,16}/0x[0-9a-f]{1,16}"
_PLACE = r"(?P<function>[\w.$]{1,200})" + _OFFSET + r"(?: \[(?P<module>\w{1,64})[^\]]{0,80}\])?"
_POINTER = re.compile(
    r"(?:[RE]IP:? {0,2}(?:[0-9a-f]{4}:)?|EIP is at |PC is at |e?pc {0,5}: {0,2}(?:[0-9a-f]{8,16} )?|NIP "
    r"|Krnl PSW ?: [0-9a-f]{8,16} [0-9a-f]{8,16} \(|--- interrupt: \w{1,8} at )" + _ADDRESSES + _PLACE
)
_BLAMED = re.compile(r"IP: " + _ADDRESSES + _PLACE)
_STEP = re.compile(
    r"\s{0,16}(?P<bracket>\()?"
    + _ADDRESSES
    + r"(?P<question>\? )?"
    + _PLACE
    + r"(?:\)| (?P<doubt>\(unreliable\))| \([A-Z]{1,4}\))?\s{0,16}"
)
_HOP = re.compile(  # of 32-bit Arm: each line names a function and who called it
    r"\s{0,16}" + _ADDRESSES + r"\(?(?P<callee>[\w.$]{1,200})(?:" + _OFFSET + r")?(?: \[(?P<callees>\w{1,64})\])?\)?"
    r" from " + _ADDRESSES + r"\(?" + _PLACE + r"\)?\s{0,16}"
)
_TRACE = re.compile(r"Call [Tt]race:")
_END = re.compile(r"---\[ end|Rebooting in|Kernel panic - not syncing|Sending NMI|NMI backtrace for")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a host's kernel.

    Attributes:
        number: of the document that it came in. part: its place in that document's message.
        text: without the kernel's clock, and without what syslog writes before it.
        clock: seconds since the kernel started, where the line tells.
    """

    number: int
    text: str
    clock: float | None = None
    part: int = 0


@dataclass(frozen=True)
class Fault:
    """A crash that a log tells of.

    Attributes:
        line: the one that stands for it.
        domain: kernel or user.
    """

    line: Line
    domain: str
    code: str
    module: str | None = None
    module_offset: int | None = None
    frames: Sequence[Frame] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Boot:
    """What a kernel has told since it started.

    Attributes:
        head: the line that begins an oops. blamed: the function that the line behind it names.
        warning, warned_at: the last report that is no crash unless a panic follows, and its line.
    """

    has_died: bool = False
    head: str | None = None
    blamed: Frame | None = None
    warning: str | None = None
    warned_at: int = 0


def lines_of(message: str, number: int, most: int) -> Iterator[Line]:
    """The lines of a message that are not blank: shippers send a line each, or many as one.

    What another program wrote by syslog's header is no kernel's, and neither are the lines behind it without one.

    Args:
        number: of the message's document. most: lines that are looked at; the rest is left out.
    """
    is_of_kernel = True
    for part, whole in enumerate(message.split("\n", most)[:most]):
        said = whole.strip()[:_LONGEST_LINE]
        stamp = _STAMP.match(said)
        if stamp is None or not said:
            continue
        if stamp["writer"]:
            is_of_kernel = stamp["writer"] == "kernel"
        if is_of_kernel:
            yield Line(number, said[stamp.end() :], float(stamp["clock"]) if stamp["clock"] else None, part)


def faults(lines: Sequence[Line]) -> Iterator[Fault]:
    """The crashes in lines of one host, in their order."""
    boot, clock = _Boot(), None
    for at, line in enumerate(lines):
        said, now = line.text, line.clock
        if _is_of_next_boot(said, now, clock):
            boot = _Boot()
        clock = clock if now is None else now
        if process := _of_process(line, said):
            yield process
        elif _HEAD.match(said):
            boot.head, boot.blamed = said, None
        elif boot.head and (blamed := _BLAMED.match(said)):
            boot.blamed = _frame(blamed)
        elif _WARNING.match(said):
            boot.warning, boot.warned_at = said, at
        elif died := _died(said, boot.head):
            boot.has_died = True
            yield _of_kernel(lines, at, boot.head or said, _code(boot.head or "", died), boot.blamed)
            boot.head = boot.blamed = None
        elif (panic := _PANIC.match(said)) and not boot.has_died:
            boot.has_died = True
            told = boot.head or said
            if boot.warning and at - boot.warned_at <= _MOST_LINES and _PANIC_ON.search(panic["what"]):
                told = boot.warning
            yield _of_kernel(lines, at, told, f"Kernel panic: {panic['what']}".rstrip(" :"))


def _is_of_next_boot(said: str, now: float | None, before: float | None) -> bool:
    """Whether a kernel has started: it says so first of all, and its clock begins anew."""
    if said.startswith("Linux version "):
        return True
    return now is not None and before is not None and now < before - _CLOCK_SLACK_S


def _of_process(line: Line, said: str) -> Fault | None:
    found = _SEGFAULT.match(said) or _TRAP.match(said)
    if found is None:
        return None
    module = base_name(found["module"])
    tags = {"comm": found["comm"], "pid": found["pid"], "message": said[:LONGEST_TEXT]}
    if found["base"] and not found["offset"]:
        # Before Linux 6.4 only the start of the mapping is told, and a module is mapped in several parts: the place
        # in the part is another number than the place in the module, and would make two variants of one fault.
        tags["mapping_offset"] = f"{max(int(found['ip'], 16) - int(found['base'], 16), 0):#x}"
    return Fault(
        line,
        "user",
        _SIGNALS.get(found["what"].strip(), "SIGSEGV"),
        module or base_name(found["comm"]),
        int(found["offset"], 16) if module and found["offset"] else None,
        tags=tags,
    )


def _died(said: str, head: str | None) -> str | None:
    """What a line with the number of an oops says that a kernel died of. Other lines that count have no error code."""
    died = _DIED.match(said)
    if died is None:
        return None
    told = (died["more"] or "").rstrip().rpartition(": ")[2]
    if head is None and not said.startswith(_DIES_AS) and not _ERROR_CODE.fullmatch(told):
        return None
    return died["what"].strip()


def _code(head: str, what: str) -> str:
    """What a kernel died of, as the classes of codes know it."""
    if head.startswith("kernel BUG at"):
        return head.partition("!")[0]
    return "OOPS" if what == "Oops" else what


def _of_kernel(lines: Sequence[Line], at: int, said: str, what: str, blamed: Frame | None = None) -> Fault:
    """A fault of the kernel, with the stack that the lines behind it tell."""
    frames = _stack(lines, at, blamed)
    return Fault(
        lines[at],
        "kernel",
        what.strip(),
        frames[0].module if frames else None,
        frames=frames,
        tags={"message": said[:LONGEST_TEXT]},
    )


def _stack(lines: Sequence[Line], at: int, blamed: Frame | None) -> list[Frame]:
    """The frames that the lines behind a fault's own tell, innermost first.

    A kernel that reports from an interrupt writes where it was interrupted into the trace, behind its own machinery:
    there it is a frame as others are.

    Args:
        at: the fault's own line. blamed: the function that a line before it names.
    """
    frames, pointed, in_trace, clock = [blamed] if blamed else [], blamed, False, lines[at].clock
    for line in lines[at + 1 : at + 1 + _MOST_LINES]:
        said = line.text
        if _END.search(said) or _HEAD.match(said) or _died(said, None) or _is_of_next_boot(said, line.clock, clock):
            break
        in_trace = in_trace or _TRACE.search(said) is not None
        if pointer := _POINTER.match(said):
            pointed = _frame(pointer)
            # Old kernels write the pointer once more behind the trace.
            if not frames or (in_trace and pointed not in (frames[0], frames[-1])):
                frames.append(pointed)
        elif hop := _HOP.fullmatch(said):
            callee = Frame(hop["callees"] or "kernel", text(hop["callee"]))
            frames += [_frame(hop)] if frames[-1:] == [callee] else [callee, _frame(hop)]
        elif in_trace and (step := _step(said)):
            frames += [step] if step != pointed else []
            pointed = None  # only where the trace begins does it tell the pointer's function again
        if len(frames) >= MOST_FRAMES:
            break
    return frames[:MOST_FRAMES]


def _step(said: str) -> Frame | None:
    """A line of a trace, unless the kernel doubts it."""
    step = _STEP.fullmatch(said)
    return None if step is None or any(step.group("bracket", "question", "doubt")) else _frame(step)


def _frame(found: re.Match[str]) -> Frame:
    return Frame(found["module"] or "kernel", text(found["function"]))
