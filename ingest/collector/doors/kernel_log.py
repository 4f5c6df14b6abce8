"""Crashes in the log of a Linux kernel: its own, and those of processes that it tells of.

A kernel says one fault in many lines. The one that ends in ``[#1]`` is there once a fault, so it stands for it, and a
panic does where no fault went before; the lines behind it bring the stack. In a minute a host's kernel crashes once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.collector.doors.crashes import LONGEST_TEXT, MOST_FRAMES, Frame, base_name, text

_MOST_LINES = 300  # of one fault
_LONGEST_LINE = 2000

_STAMP = re.compile(r"^(?:<\d+>)?(?:kernel: ?)?(?:\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?)?")
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

_HEAD = re.compile(r"(?:BUG: (?:unable to handle|kernel NULL)|kernel BUG at|Unable to handle kernel)")
_DIED = re.compile(r"(?:Internal error: |Oops: )*(?P<what>[A-Za-z][^\[\]]{0,200}?)(?:[:,] .{0,200})? ?\[#\d{1,6}\]")
_PANIC = re.compile(r"Kernel panic - not syncing: ?(?P<what>.{0,300})")
_POINTER = re.compile(
    r"(?:RIP|EIP|PC is at|pc)\s?:?\s*(?:[0-9a-f]{4}:)?(?:\[<[0-9a-f]+>\]\s*)?"
    r"(?P<function>[\w.$]{1,200})\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[(?P<module>\w{1,64})\])?"
)
_STEP = re.compile(
    r"\s*(?:\[<[0-9a-f]+>\]\s*)?(?P<doubt>\? )?(?P<function>[\w.$]{1,200})\+0x[0-9a-f]+/0x[0-9a-f]+"
    r"(?: \[(?P<module>\w{1,64})[^\]]*\])?\s*"
)
_TRACE = re.compile(r"Call [Tt]race:")
_END = re.compile(r"---\[ end|Rebooting in")


@dataclass(frozen=True)
class Line:
    """A line of a host's kernel.

    Attributes:
        number: of the document that it came in.
    """

    number: int
    said: str

    @property
    def text(self) -> str:
        """Without the kernel's clock."""
        return _STAMP.sub("", self.said[:_LONGEST_LINE], count=1)


@dataclass(frozen=True)
class Fault:
    """A crash that a log tells of.

    Attributes:
        number: of the document that stands for it.
        domain: kernel or user.
    """

    number: int
    domain: str
    code: str
    module: str | None = None
    module_offset: int | None = None
    frames: Sequence[Frame] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def faults(lines: Sequence[Line]) -> Iterator[Fault]:
    """The crashes in lines of one host, in their order."""
    at, has_died, head = 0, False, None
    while at < len(lines):
        said = lines[at].text
        if process := _of_process(lines[at], said):
            yield process
        elif _HEAD.match(said):
            head = said
        elif died := _DIED.match(said):
            has_died = True
            yield _of_kernel(lines, at, head or said, _code(head or "", died["what"]))
            head = None
        elif (panic := _PANIC.match(said)) and not has_died:
            has_died = True
            yield _of_kernel(lines, at, head or said, f"Kernel panic: {panic['what']}".rstrip(" :"))
        at += 1


def _of_process(line: Line, said: str) -> Fault | None:
    found = _SEGFAULT.match(said) or _TRAP.match(said)
    if found is None:
        return None
    module, pointer, offset = base_name(found["module"]), int(found["ip"], 16), None
    if found["offset"]:
        offset = int(found["offset"], 16)
    elif found["base"]:
        offset = max(pointer - int(found["base"], 16), 0)
    return Fault(
        line.number,
        "user",
        _SIGNALS.get(found["what"].strip(), "SIGSEGV"),
        module or base_name(found["comm"]),
        offset if module else None,
        tags={"comm": found["comm"], "pid": found["pid"], "message": said[:LONGEST_TEXT]},
    )


def _code(head: str, what: str) -> str:
    """What a kernel died of, as the classes of codes know it."""
    if head.startswith("kernel BUG at"):
        return head.partition("!")[0]
    return "OOPS" if what == "Oops" else what


def _of_kernel(lines: Sequence[Line], at: int, said: str, what: str) -> Fault:
    """A fault of the kernel, with the stack that the lines behind it tell."""
    frames: list[Frame] = []
    in_trace = False
    for line in lines[at + 1 : at + 1 + _MOST_LINES]:
        step = line.text
        if _END.search(step) or _DIED.match(step) or len(frames) >= MOST_FRAMES:
            break
        in_trace = in_trace or _TRACE.search(step) is not None
        found = _POINTER.match(step) if not frames else None
        if found is None and in_trace:
            found = _STEP.fullmatch(step)
            if found and found["doubt"]:
                found = None
        if found:
            frame = Frame(found["module"] or "kernel", text(found["function"]))
            if frame not in frames[:1]:
                frames.append(frame)
    return Fault(
        lines[at].number,
        "kernel",
        what.strip(),
        frames[0].module if frames else None,
        frames=frames,
        tags={"message": said[:LONGEST_TEXT]},
    )
