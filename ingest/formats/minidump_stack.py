"""The stack of the thread that crashed, as a minidump has it: without symbols, by the pointers that link its frames.

Where code found itself that it cannot go on, as in ``abort`` or ``RaiseException``, the crash is of what called it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from fleetcrash.clustering.lists import frame_list
from fleetcrash.clustering.names import module_name
from ingest.formats.crashes import Frame
from ingest.formats.minidump_codes import FAULTS, thrower_of
from ingest.formats.minidump_places import (
    ADDRESS_BITS,
    Context,
    Module,
    Process,
    found_in,
    unpacked,
)

_MOST_STEPS = 64
_MOST_WORDS = 512  # between what reports the crash and its caller


@dataclass(frozen=True)
class Fault:
    """What is known of a crash.

    Attributes:
        code, more: of the exception. addresses: of the instruction, the best first.
        has_frames: whether code keeps a pointer to its frame. is_strict: whether the system's own does so, too.
    """

    code: str | None
    addresses: Sequence[int] = ()
    more: Sequence[int] = ()
    has_frames: bool = True
    is_strict: bool = True


class _Code:
    """The modules of a process, by their addresses."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self._modules = sorted(modules, key=lambda one: one.start)
        self._starts = [one.start for one in self._modules]

    def place(self, word: int | None) -> tuple[Module, int] | None:
        """The module of an address of code, which on Arm may be signed; None if it is none."""
        for address in () if word is None else (word, word & ADDRESS_BITS):
            at = bisect_right(self._starts, address)
            if at and address < self._modules[at - 1].end:
                return self._modules[at - 1], address
        return None


class Stack:
    """The memory of a stack from its end on, as numbers.

    Args:
        place: of the memory in the dump.
    """

    def __init__(self, data: bytes, form: str, start: int, place: range) -> None:
        self._data, self._form, self._start, self._place = data, form, start, place
        self.word_bytes = 8 if "Q" in form else 4

    def at(self, address: int) -> int | None:
        """The number at an address; None outside."""
        place = self._place.start + address - self._start
        if address % self.word_bytes or address < self._start or place + self.word_bytes > self._place.stop:
            return None
        told = unpacked(self._form, self._data, place)
        return told[0] if told else None

    def words(self, before: int | None = None) -> Iterator[int]:
        """The innermost numbers, up to an address."""
        start = self._start + -self._start % self.word_bytes
        for number in range(_MOST_WORDS):
            address = start + number * self.word_bytes
            if (before is not None and address >= before) or (word := self.at(address)) is None:
                return
            yield word

    def callers(self, frame: int | None) -> Iterator[int]:
        """Addresses to return to, as far as the frames are linked."""
        for step in range(_MOST_STEPS):
            outer = self.at(frame) if frame is not None else None
            back = self.at(frame + self.word_bytes) if frame is not None else None
            if outer is None or back is None:
                return
            is_linked = outer > (frame or 0) and self.at(outer) is not None
            if not (is_linked or step):  # some other number
                return
            yield back
            frame = outer if is_linked else None


def with_callers(process: Process, context: Context | None, fault: Fault) -> tuple[dict[str, Any], tuple[Frame, ...]]:
    """The fields of a record for the caller that is to blame, and the frames; neither where the dump does not tell."""
    modules = process.modules
    at = next((one for one in fault.addresses if found_in(modules, one)), None)
    own = found_in(modules, at)
    if at is None or own is None:
        return {}, ()
    code, stack, steps = _Code(modules), None, [(own, at)]
    if context is not None and found_in(modules, context.pointer) is own:  # else of a system around the program's
        memory = process.memory_at(context.stack)
        if memory and context.stack is not None:
            stack = Stack(process.data, context.form, context.stack, memory)
        steps += _callers(code, context, stack if fault.has_frames else None, own)
    has_raised = fault.code not in FAULTS and _is_machinery(process, own)
    thrower = _thrower(process, code, fault)
    if has_raised and len(steps) > 1 and context is not None and not fault.is_strict:
        # The system's code, which does not, was called by the first that keeps such a pointer, below its own frame.
        steps[1:1] = list(islice(_others(process, _lying(process, code, stack, fault, context.frame), thrower), 1))
    files = {module.name: process.file_of(module) for module, _ in steps}
    frames = tuple(Frame(files[module.name], None, address - module.start) for module, address in steps)
    blamed = {}
    if has_raised:
        found = chain(steps, _lying(process, code, stack, fault))
        place = next(_others(process, found, thrower), (thrower, None))
        blamed = process.place(*place) if place[0] is not None else {}
    return blamed, frames if len(frames) > 1 else ()


def _callers(code: _Code, context: Context, stack: Stack | None, own: Module) -> Iterator[tuple[Module, int]]:
    """The places that a register and linked frames say were called from, as far as they are code."""
    link = code.place(context.link)
    if link is not None and link[0] is own:  # perhaps of a call before
        link = None
    if link is not None:
        yield link
    for back in stack.callers(context.frame) if stack else ():
        place = code.place(back)
        if place is None:
            return
        if place != link:
            yield place


def _thrower(process: Process, code: _Code, fault: Fault) -> Module | None:
    """The module that threw an exception of C++; None if that is none or a library of the system's."""
    thrown = code.place(thrower_of(fault.code, fault.more))
    return thrown[0] if thrown and not _is_machinery(process, thrown[0]) else None


def _others(
    process: Process, places: Iterable[tuple[Module, int]], thrower: Module | None
) -> Iterator[tuple[Module, int]]:
    """Those places that are in no library of the system, or of the module that threw an exception if that is known."""
    asked: dict[int, bool] = {}
    for module, address in places:
        if module.start not in asked:
            asked[module.start] = module is thrower if thrower else not _is_machinery(process, module)
        if asked[module.start]:
            yield module, address


def _lying(
    process: Process, code: _Code, stack: Stack | None, fault: Fault, before: int | None = None
) -> Iterator[tuple[Module, int]]:
    """What may be addresses to return to, but for what an exception tells."""
    for word in stack.words(before) if stack else ():
        place = code.place(word) if word not in fault.more else None
        if place is not None and process.may_be_code(*place):
            yield place


def _is_machinery(process: Process, module: Module) -> bool:
    return frame_list("machinery").has(module_name(process.file_of(module)), "")
