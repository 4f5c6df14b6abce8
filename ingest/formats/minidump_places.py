"""Where in a program a minidump's crash was: the modules that it lists, and the registers of the thread that crashed.

Every offset and count is followed only within the file.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ingest.formats.crashes import base_name, text

_THREADS, MODULES, _MEMORY, _MEMORY_64, _UNLOADED, _REGIONS, _MAPS = 3, 4, 5, 9, 14, 16, 0x47670009
_REGION_BYTES, _EXECUTABLE = 48, 0xF0  # kinds of protection of a region of memory
_MAPPED = re.compile(rb"^([0-9a-f]{1,16})-([0-9a-f]{1,16}) ..x. ", re.MULTILINE)
_MOST_MAPS_BYTES = 8 << 20
_MOST_THREADS, _THREAD_BYTES = 10_000, 48
_MOST_MODULES = 10_000
_MOST_RANGES = 100_000
_LONGEST_NAME_BYTES = 64 << 10  # of a path of Windows
_MODULE_BYTES = 108
_FIXED_VERSION = 0xFEEF04BD
_HIGHEST = 1 << 64
_HEAD_BYTES = 0x1000  # of a module, which have no code
_NOWHERE = 0x10000  # below it no system loads code

Streams = Mapping[int, tuple[int, int]]


class _Registers(NamedTuple):
    """Offsets in a thread's context.

    Attributes:
        form: of a register. pointer: to the instruction. stack: pointer to the stack.
        link: has the caller after a call; None: the end of the stack has it.
        frame: points to the caller's own value of it and the address to return to; None: not by convention.
    """

    form: str
    pointer: int
    stack: int
    link: int | None = None
    frame: int | None = None


# By processor: x86, MIPS, PowerPC, ARM, x64, x86 on x64, ARM64; of breakpad PowerPC of 64 bits, the old ARM64, MIPS of
# 64 bits and RISC-V.
_REGISTERS = {
    0: _Registers("<I", 0xB8, 0xC4, None, 0xB4),
    1: _Registers("<Q", 312, 240, 256),
    3: _Registers("<I", 4, 16, 148),
    5: _Registers("<I", 64, 56, 60),
    9: _Registers("<Q", 0xF8, 0x98, None, 0xA0),
    10: _Registers("<I", 0xB8, 0xC4, None, 0xB4),
    12: _Registers("<Q", 264, 256, 248, 240),
    0x8002: _Registers("<Q", 8, 32, 296),
    0x8003: _Registers("<Q", 264, 256, 248, 240),
    0x8004: _Registers("<Q", 312, 240, 256),
    0x8005: _Registers("<I", 8, 16, 12),
    0x8006: _Registers("<Q", 8, 24, 16),
}
ADDRESS_BITS = 0x7FFF_FFFF_FFFF  # of a process; on Arm the other bits of a link may be a signature


@dataclass(frozen=True)
class Module:
    """A file with code in a process.

    Attributes:
        name: where its name is.
    """

    start: int
    end: int
    name: int
    version: str | None = None


@dataclass(frozen=True)
class Context:
    """The registers of the thread that crashed, as far as they are in the dump.

    Attributes:
        pointer: to the instruction. stack, link, frame: see ``_Registers``.
        has_link: whether the processor has that register.
    """

    form: str
    has_link: bool = False
    pointer: int | None = None
    stack: int | None = None
    link: int | None = None
    frame: int | None = None


class BigEndian(bytes):
    """A dump in the order of bytes of a big-endian machine, such as PowerPC and some of MIPS."""


def unpacked(form: str, data: bytes, place: int) -> tuple[Any, ...] | None:
    """Numbers at an offset; None if they are not within the data."""
    if isinstance(data, BigEndian):
        form = form.replace("<", ">")
    return struct.unpack_from(form, data, place) if 0 <= place <= len(data) - struct.calcsize(form) else None


def name_at(data: bytes, place: int, *, unit_bytes: int = 1) -> str | None:
    """A text of a dump: its length in bytes, or in other units, then UTF-16."""
    told = unpacked("<I", data, place) if place else None
    if told is None:
        return None
    size = min(told[0] * unit_bytes, _LONGEST_NAME_BYTES) & ~1
    encoding = "utf-16-be" if isinstance(data, BigEndian) else "utf-16-le"
    said = data[place + 4 : place + 4 + size].decode(encoding, "replace").partition("\0")[0]
    return text(said, _LONGEST_NAME_BYTES)


def context_of(data: bytes, place: int, size: int, processor: int | None) -> Context | None:
    """The registers at an offset; None if the processor is unknown."""
    known = _REGISTERS.get(processor if processor is not None else -1)
    if known is None or not place:
        return None
    wanted = (known.pointer, known.stack, known.link, known.frame)
    values = (
        (unpacked(known.form, data, place + at) or (None,))[0] if at is not None and size >= at + 8 else None
        for at in wanted
    )
    return Context(known.form, known.link is not None, *values)


def context_of_thread(data: bytes, streams: Streams, number: int, processor: int | None) -> Context | None:
    """The registers of a thread by its number; None if it is not listed."""
    place, size = streams.get(_THREADS, (0, 0))
    count = (unpacked("<I", data, place) or (0,))[0] if size else 0
    for at in _places(count, place, size, _THREAD_BYTES, _MOST_THREADS):
        told = unpacked("<I36xII", data, at)
        if told is not None and told[0] == number:
            return context_of(data, told[2], told[1], processor)
    return None


def _modules(data: bytes, streams: Streams) -> list[Module]:
    """The modules of a process, in their order; the first is the program."""
    place, size = streams.get(MODULES, (0, 0))
    count = (unpacked("<I", data, place) or (0,))[0] if size else 0
    modules: list[Module] = []
    for at in _places(count, place, size, _MODULE_BYTES, _MOST_MODULES):
        told = unpacked("<QIIIIIIII", data, at)
        if told is None:
            break
        start, image_bytes, _, _, name, signature, _, high, low = told
        parts = (high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF)
        version = ".".join(map(str, parts)) if signature == _FIXED_VERSION and any(parts) else None
        modules.append(Module(start, start + image_bytes, name, version))
    return modules


def found_in(modules: Iterable[Module], address: int | None) -> Module | None:
    """The module of an address; None if it is in none."""
    return next((one for one in modules if address is not None and one.start <= address < one.end), None)


@dataclass(frozen=True)
class Process:
    """A process whose memory is known in part.

    Attributes:
        data: in which its memory is. memory_at: where in it that from an address on is, see ``memory_at``.
        modules: in their order. gone: those that it no longer had.
        file_of: the name of a module's file.
        regions: start and end of what may be executed, if that is known; only read where it is needed.
    """

    data: bytes
    modules: Sequence[Module]
    file_of: Callable[[Module], str | None]
    memory_at: Callable[[int | None], range | None]
    gone: Sequence[Module] = ()
    regions: Callable[[], Iterable[tuple[int, int]]] = tuple

    @cached_property
    def code(self) -> Sequence[tuple[int, int]]:
        """The regions, in order."""
        return sorted(self.regions())

    def may_be_code(self, module: Module, address: int) -> bool:
        """Whether there may be code at an address in a module."""
        at = bisect_right(self.code, (address, _HIGHEST)) - 1
        return address - module.start >= _HEAD_BYTES if not self.code else at >= 0 and address < self.code[at][1]

    def place(self, module: Module, address: int | None) -> dict[str, Any]:
        """The fields of a record for a place in a module; without an address for the module alone."""
        offset = None if address is None else address - module.start
        return {"module": self.file_of(module), "module_version": module.version, "module_offset": offset}


def process_of(data: bytes, streams: Streams) -> Process:
    """The process of a dump."""
    return Process(
        data,
        _modules(data, streams),
        lambda module: base_name(name_at(data, module.name)),
        lambda address: memory_at(data, streams, address),
        list(_unloaded(data, streams)),
        lambda: _code(data, streams),
    )


def place_of(process: Process, addresses: Sequence[int], context: Context | None) -> dict[str, Any]:
    """The fields of a record for the place of a crash; empty if it is in no module.

    Args:
        addresses: of the instruction at fault, the best first.
    """
    for address in addresses:
        if module := found_in(process.modules, address) or found_in(process.gone, address):
            return process.place(module, address)
    if addresses and addresses[0] < _NOWHERE and context is not None:  # a call of nothing, made by its caller
        caller = context.link if context.has_link else _pointer_at(process, context.stack, context.form)
        for address in () if caller is None else (caller, caller & ADDRESS_BITS):
            if module := found_in(process.modules, address):
                return process.place(module, address)
    return {}


def _places(count: int, place: int, size: int, entry_bytes: int, most: int) -> Iterator[int]:
    """Offsets of the entries of a list. Some writers leave four bytes after the count."""
    is_aligned = size == 8 + count * entry_bytes
    fitting = max(size - 4, 0) // entry_bytes
    for number in range(min(count, fitting, most)):
        yield place + (8 if is_aligned else 4) + number * entry_bytes


def _code(data: bytes, streams: Streams) -> Iterator[tuple[int, int]]:
    """Where the memory of a process may be executed, as Linux' maps or a list of regions tell it."""
    place, size = streams.get(_MAPS, (0, 0))
    for found in _MAPPED.finditer(data[place : place + min(size, _MOST_MAPS_BYTES)]):
        yield int(found[1], 16), int(found[2], 16)
    place, size = streams.get(_REGIONS, (0, 0))
    head_bytes, entry_bytes, count = unpacked("<IIQ", data, place) or (0, 0, 0)
    if not size or head_bytes < 16 or entry_bytes < _REGION_BYTES:
        return
    for number in range(min(count, max(size - head_bytes, 0) // entry_bytes, _MOST_RANGES)):
        told = unpacked("<Q16xQII", data, place + head_bytes + number * entry_bytes)
        if told is not None and told[3] & _EXECUTABLE:
            yield told[0], told[0] + told[1]


def _unloaded(data: bytes, streams: Streams) -> Iterator[Module]:
    """Modules that a process no longer had."""
    place, size = streams.get(_UNLOADED, (0, 0))
    head_bytes, entry_bytes, count = unpacked("<III", data, place) or (0, 0, 0)
    if entry_bytes < 24 or head_bytes < 12:
        return
    fitting = max(size - head_bytes, 0) // entry_bytes
    for number in range(min(count, fitting, _MOST_MODULES)):
        told = unpacked("<QIIII", data, place + head_bytes + number * entry_bytes)
        if told is None:
            return
        yield Module(told[0], told[0] + told[1], told[4])


def _pointer_at(process: Process, address: int | None, form: str) -> int | None:
    """A pointer in the memory of the process; None if that is not known."""
    found = process.memory_at(address)
    told = unpacked(form, process.data, found.start) if found else None
    return told[0] if told else None


def memory_at(data: bytes, streams: Streams, address: int | None) -> range | None:
    """Where the dump has the memory from an address on; None if it does not."""
    for start, size, place in _ranges(data, streams):
        if address is not None and start <= address < start + size:
            return range(place + address - start, min(place + size, len(data)))
    return None


def _ranges(data: bytes, streams: Streams) -> Iterator[tuple[int, int, int]]:
    """Start, size and offset in the file of each range of memory; stacks may be with their threads alone."""
    place, size = streams.get(_MEMORY, (0, 0))
    count = (unpacked("<I", data, place) or (0,))[0] if size else 0
    for at in _places(count, place, size, 16, _MOST_RANGES):
        start, range_bytes, offset = unpacked("<QII", data, at) or (0, 0, 0)
        yield start, range_bytes, offset
    place, size = streams.get(_MEMORY_64, (0, 0))
    count, offset = (unpacked("<QQ", data, place) or (0, 0)) if size else (0, 0)
    for number in range(min(count, max(size - 16, 0) // 16, _MOST_RANGES)):
        start, range_bytes = unpacked("<QQ", data, place + 16 + 16 * number) or (0, 0)
        yield start, range_bytes, offset
        offset += range_bytes
    place, size = streams.get(_THREADS, (0, 0))
    count = (unpacked("<I", data, place) or (0,))[0] if size else 0
    for at in _places(count, place, size, _THREAD_BYTES, _MOST_THREADS):
        yield unpacked("<QII", data, at + 24) or (0, 0, 0)
