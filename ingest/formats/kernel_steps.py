"""Lines of a Linux kernel that name a function of a stack, for all architectures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ingest.formats import kernel_old_steps
from ingest.formats.crashes import MOST_FRAMES, Frame, text

_KERNEL = "kernel"  # the part that is no module
# Pages leave out what they take for a tag; kernels of some makers tell a frame's place and size before the address.
_ADDRESSES = r"(?:\[[0-9a-f]{8,16}\+ {0,4}\d{1,6}\])?(?:\[(?:<?(?:0x)?[0-9a-f]{8,16}>?)?\] {0,2}){0,2}"
_OFFSET = r"\+0[x×][0-9a-f]{1,16}/0[x×][0-9a-f]{1,16}"  # and mend what they take for a sum
_SOURCE = r"[\w./+-]{1,300}:(?:\d{1,7}|\?)"  # scripts add it to an offset, or replace the offset by it
# Small systems are built without the names of functions; addresses of kernels begin so.
_NAMELESS = (
    r"0x(?P<at>ffff[0-9a-f]{12}|(?:[89c-f]|bf)[0-9a-f]{6,7})(?![0-9a-f])"
    r"(?: \[(?P<within>\w{1,64})@(?P<base>[0-9a-f]{8,16})\+(?P<size>0x[0-9a-f]{1,8})\])?"
)
_PLACE = (
    r"(?:(?::(?P<of>\w{1,64}):)?(?P<function>[\w.$]{1,200})"
    r"(?:" + _OFFSET + rf"(?: {_SOURCE}(?: \([a-z]{{1,40}} \d{{1,9}}\))?)?(?: \[(?P<module>\w{{1,64}})[^\]]{{0,80}}\])?"
    rf"| \((?:{_SOURCE}|\?\?:\?)(?: {_SOURCE}| \([\w ]{{1,40}}\)){{0,40}}\)(?: \[?(?P<named>\w{{1,64}})\]?)?"
    rf"| {_SOURCE}(?: \[inline\]|:\d{{1,7}}))|{_NAMELESS})"
)
_POINTER = re.compile(
    r"\s{0,8}(?:[RE]IP:? {0,2}(?:[0-9a-f]{4}:)?|EIP is at |(?:PC|pc) is at |TPC: <|IAOQ\[0\]: |NIP "
    r"|(?:e?pc|PC|ERA) {0,5}: {0,2}(?:[0-9a-f]{8,16} )?"
    r"|Krnl PSW ?: [0-9a-f]{8,16} [0-9a-f]{8,16} \(|--- interrupt: \w{1,8} at )" + _ADDRESSES + _PLACE
)
BLAMED = re.compile(r"IP: " + _ADDRESSES + _PLACE)
_NAMED = re.compile(  # in the first line of a report
    r"(?:WARNING: CPU: .{0,60}? at \S{1,300} |WARNING: \S{1,300} at |BUG: K[A-Z]{3,5}: .{1,80}? in )" + _PLACE
)
_STACKS = r"(?:<{1,2}[/#]?[A-Z]{2,6}\d?>{1,2} {1,4}){0,3}"  # of stacks in a trace; up to Linux 4.8 on one line
_STEP = re.compile(
    rf"\s{{0,16}}(?:#\d{{1,3}} (?:0x[0-9a-f]{{16}} in )?)?{_STACKS}(?P<bracket>\()?"
    + _ADDRESSES
    + r"(?P<question>\? )?"
    + _PLACE
    + r"(?:\)| (?P<doubt>\(unreliable\))| \((?:[A-Z]{1,4}|\d{1,5})\))?\s{0,16}"
)
_HOP = re.compile(  # on 32-bit Arm each line names a function and its caller
    r"\s{0,16}" + _ADDRESSES + r"\(?(?P<callee>[\w.$]{1,200})(?:" + _OFFSET + r")?(?: \[(?P<callees>\w{1,64})\])?\)?"
    r" from " + _ADDRESSES + r"\(?" + _PLACE + r"\)?\s{0,16}"
)
_VERSION = r"(?P<release>\d{1,3}\.\d{1,3}\.[\w.+~-]{1,100}) # ?\w"  # pages may part a number from its sign
_RELEASE = re.compile(
    rf"(?:CPU: .{{0,200}}|Pid: .{{0,200}}) (?:\(?{_VERSION}"
    r"|(?:Not tainted|Tainted: [A-Z ]{1,40}?) {1,20}(?P<bare>\d\.\d\.\d[\w.+~-]{0,100})$)"
)
_TRACE = re.compile(  # RISC-V has no heading
    r"Call [Tt]race:|Library Stack Trace:"
    r"|^\s{0,8}(?:Backtrace:|\[<[0-9a-f]{8,16}>\] [\w.$]{1,200}\+0x|status: [0-9a-f]{8,16} badaddr: )"
)
_HEADING = re.compile(r"\s{0,8}Call [Tt]race: {0,4}(?=\[<)")  # with the first step on its line
_MODULE = re.compile(r"\s{0,20}\[\w{1,64}\]\)?\s{0,20}")
_NEVER_RETURN = ("panic", "vpanic")  # behind a call of them another function begins, which has not made it
_OTHERS = re.compile(r"CPU\d{1,5}: stopping")  # on Arm another processor, once the panic has told its own stack
_LAST_BREAK = "Last Breaking-Event-Address:"  # on s390 the last jump, after the trace


class _Step(NamedTuple):
    """A line of a trace, and whether the kernel is sure of it."""

    frame: Frame
    is_sure: bool


def _step_of(said: str) -> _Step | None:
    """The step in a line of a trace."""
    step = _STEP.fullmatch(said)
    if step is None or step["bracket"]:
        return None
    return _Step(frame_of(step), not (step["question"] or step["doubt"]))


def named_in(said: str) -> list[Frame]:
    """The function that the first line of a report names; empty if it names none."""
    found = _NAMED.match(said)
    return [frame_of(found)] if found else []


def frame_of(found: re.Match[str]) -> Frame:
    """The frame in a line."""
    told = found.groupdict()
    if told["at"]:
        into = int(told["at"], 16) - int(told["base"] or "0", 16)  # most kernels do not show where a module is
        return Frame(told["within"] or _KERNEL, None, into if 0 <= into < int(told["size"] or "0", 16) else None)
    return Frame(told["module"] or told["named"] or told["of"] or _KERNEL, text(found["function"]))


def _says(said: str) -> bool:
    """Whether a line names a function or the release."""
    forms = _POINTER.match(said) or _STEP.fullmatch(said) or _HOP.fullmatch(said) or _RELEASE.match(said)
    return bool(forms or kernel_old_steps.steps_of(said))


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Lines, where a mail broke one in two the whole one."""
    held: str | None = None
    for said in lines:
        if held is not None:
            whole = f"{held.rstrip()}{'' if held.endswith('-') else ' '}{said.lstrip()}"
            is_cut = _MODULE.fullmatch(said) or not _says(held)
            if is_cut and (_POINTER.match(whole) or _HOP.fullmatch(whole) if _says(said) else _says(whole)):
                held = whole
                continue
            yield held
        held = said
    if held is not None:
        yield held


def stack_of(lines: Iterable[str], blamed: Frame | None) -> tuple[list[Frame], str | None]:
    """The frames in some lines, innermost first, and the kernel's release.

    A kernel that reports from an interrupt has the interrupted place within the trace, after its own machinery; there
    it is a frame like others.

    Args:
        blamed: the function that was named before them.
    """
    frames, pointed, in_trace, release = [blamed] if blamed else [], blamed, False, None
    doubted: list[Frame] = []
    has_sure = was_start = is_others = False
    for said in _whole(lines):
        is_others = is_others or _OTHERS.match(said) is not None
        if is_others and not _RELEASE.match(said):
            continue
        in_trace = in_trace or _TRACE.search(said) is not None
        if pointer := _POINTER.match(said):
            pointed = frame_of(pointer)
            # Old kernels repeat the pointer after the trace.
            if not frames or (in_trace and pointed not in (frames[0], frames[-1])):
                frames.append(pointed)
        elif hop := _HOP.fullmatch(said):
            callee = Frame(hop["callees"] or _KERNEL, text(hop["callee"]))
            if frames[-1:] != [callee]:
                # After a call that does not return another function begins.
                frames = [*(frames[:-1] if was_start else frames), callee]
            frames.append(frame_of(hop))
            was_start = "+0x0/" in said.rpartition(" from ")[2]
        elif in_trace and (step := _step_of(_HEADING.sub("", said))):
            was_start = "+0x0/" in said and (was_start or (bool(frames) and frames[-1].function in _NEVER_RETURN))
            if was_start:
                continue
            if step.is_sure:
                has_sure = True
                frames += [step.frame] if step.frame != pointed else []
                pointed = None  # only the start of the trace repeats the function of the pointer
            elif len(doubted) < MOST_FRAMES:
                doubted.append(step.frame)
        elif told := _RELEASE.match(said):
            release = release or told["release"] or told["bare"]
        elif not frames or in_trace:
            named = kernel_old_steps.steps_of(said)
            frames, has_sure = frames + named, has_sure or bool(named)
        release = release or kernel_old_steps.release_of(said)
        if len(frames) >= MOST_FRAMES or said.startswith(_LAST_BREAK):
            break
    # A kernel without frame pointers is not sure of any.
    found = frames if has_sure else frames + doubted
    # Where others have names an address without one is nowhere, and so may be one alone.
    if len(found) == 1 or any(frame.function for frame in found):
        found = [frame for frame in found if frame.function or frame.module != _KERNEL]
    return found[:MOST_FRAMES], release
