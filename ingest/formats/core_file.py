"""Core dumps of Linux as files: what the kernel wrote of a process into them, as systemd and others keep it.

Read are the notes at the start (signal, registers, mapped files) and the end of the stack of the thread that crashed;
no other memory. A file may have any length.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ingest.formats.crashes import Records, Told, Unfit, base_name, name_of, tags_of, text, time_of
from ingest.formats.format import BrokenOff, Head, Log
from ingest.formats.minidump_codes import code_of
from ingest.formats.minidump_places import BigEndian, Context, Module, Process, place_of, unpacked
from ingest.formats.minidump_stack import Fault, with_callers

_MOST_START_BYTES = 16 << 20  # with the notes of ten thousand threads
_MOST_BYTES = 4 << 30  # that are passed over to find the stack
_STACK_BYTES = 64 << 10
_MOST_SEGMENTS = 200_000
_MOST_NOTES = 100_000
_MOST_FILES = 50_000

_CORE = 4  # type of an ELF file
_LOADED, _NOTES, _CODE = 1, 4, 1  # types of a segment, and the flag of one with code
_STATUS, _PROGRAM, _FILES = 1, 3, 0x46494C45  # types of a note
_OWNERS = (b"CORE", b"LINUX")
_OF_KERNEL = b"VMCOREINFO\0"  # owner of a note in the memory that kdump saves
# Signals that end a process with a core dump, but for SIGQUIT, with which somebody asks for one.
_FAULTS = frozenset([4, 5, 6, 7, 8, 11, 24, 25, 31])
_STORED = re.compile(  # systemd's name of such a file
    r"core\.(?P<comm>.{1,200})\.\d{1,10}\.(?P<boot>[0-9a-f]{32})\.(?P<pid>\d{1,10})\.(?P<us>\d{16})(?:\.\w{1,4})?"
)


class _Registers(NamedTuple):
    """Places in the list of a thread's registers; see ``minidump_places``."""

    pointer: int
    stack: int
    link: int | None
    frame: int | None


# By machine: x86, ARM, x64, ARM64, RISC-V.
_REGISTERS = {
    3: _Registers(12, 15, None, 5),
    40: _Registers(15, 13, 14, None),
    62: _Registers(16, 19, None, 4),
    183: _Registers(32, 31, 30, 29),
    243: _Registers(0, 2, 1, None),
}
_X86 = (3, 62)


@dataclass(frozen=True)
class _Layout:
    """Of the structures of 32 or 64 bits.

    Attributes:
        form: of an address. head: of the file, from its type on. segment: of an entry of the list of segments.
        pid, registers: places in the status of a thread. name: place of a program's name in what is told of it.
    """

    form: str
    head: str
    segment: str
    pid: int
    registers: int
    name: int


_LAYOUTS = {
    1: _Layout("<I", "<HHIIIIIHHH", "<IIIIIIII", 24, 72, 28),
    2: _Layout("<Q", "<HHIQQQIHHH", "<IIQQQQQQ", 32, 112, 40),
}


class _Segment(NamedTuple):
    kind: int
    flags: int
    place: int
    address: int
    size: int
    memory_size: int


class _Start:
    """The start of a stream, as far as it was asked for; what comes later is passed over."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = filter(None, blocks)  # of what is packed some are empty
        self.data = bytearray()

    def reach(self, size_bytes: int) -> bool:
        """Read on until so much is there. Returns whether it is."""
        while len(self.data) < size_bytes <= _MOST_START_BYTES and (block := next(self._blocks, b"")):
            self.data += block
        return len(self.data) >= size_bytes

    def later(self, place: int, size_bytes: int) -> bytes:
        """Bytes at any place; none where the stream ends before."""
        at, held = 0, bytes(self.data)
        while held and at + len(held) < place + size_bytes and at < _MOST_BYTES:
            if at + len(held) <= place:
                at, held = at + len(held), b""
            block = next(self._blocks, b"")
            held += block
            if not block:
                break
        return held[place - at : place - at + size_bytes] if place >= at else b""


def _recognises(head: Head) -> bool:
    data = head.data
    kind = int.from_bytes(data[16:18], "big" if data[5:6] == b"\x02" else "little")
    return data.startswith(b"\x7fELF") and kind == _CORE


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    start = _Start(blocks)
    records = Records(told)
    damage: BrokenOff | None = None
    start.reach(64)
    layout = _LAYOUTS.get(start.data[4] if len(start.data) > 4 else 0)
    if layout is None:
        raise Unfit("bad_core", "It ends within its header")
    is_big = start.data[5:6] == b"\x02"
    segments = _segments(start, layout, is_big=is_big)
    notes = next((one for one in segments if one.kind == _NOTES), None)
    if notes is None or not start.reach(notes.place + notes.size):
        raise Unfit("bad_core", "It ends before what it tells of the process")
    data = _ordered(start.data[notes.place : notes.place + notes.size], is_big=is_big)
    machine = (unpacked("<H", _ordered(start.data[:64], is_big=is_big), 18) or (0,))[0]
    if _OF_KERNEL in data:
        raise Unfit("bad_core", "It is the memory of a kernel: load what vmcore-dmesg or crash prints of it")
    thread, program, files = _noted(data)
    if not thread:
        raise Unfit("bad_core", "It does not tell of its threads in the way of Linux")
    signal = (unpacked("<H", thread, 12) or (0,))[0]
    if signal not in _FAULTS:
        return
    context = _context(thread, layout, machine)
    memory = b""
    if context is not None and context.stack is not None:
        within = next((one for one in segments if one.address <= context.stack < one.address + one.size), None)
        if within is not None:
            passed = context.stack - within.address
            try:
                memory = start.later(within.place + passed, min(within.size - passed, _STACK_BYTES))
            except BrokenOff as error:
                damage = error
    held = _ordered(memory, is_big=is_big)
    core = _Core(signal, thread, program, files, context, segments, held, machine not in _X86)
    _add(records, told, core, layout)
    yield records
    if damage is not None:
        raise damage


class _Core(NamedTuple):
    """What a core dump tells.

    Attributes:
        thread, program, files: notes of the thread that crashed, the program, and the files that were mapped.
        memory: the end of the thread's stack. is_strict: see ``Fault``.
    """

    signal: int
    thread: bytes
    program: bytes
    files: bytes
    context: Context | None
    segments: list[_Segment]
    memory: bytes
    is_strict: bool


def _add(records: Records, told: Told, core: _Core, layout: _Layout) -> None:
    code_at = sorted((one.address, one.address + one.memory_size) for one in core.segments if one.flags & _CODE)
    names, modules = _modules(core, layout, code_at)
    title = text(core.program[layout.name : layout.name + 16].partition(b"\0")[0].decode("utf-8", "replace"))
    exe = names[modules[0].name] if modules else title
    stack, context = core.context.stack if core.context else None, core.context
    held = range(len(core.memory))

    def memory_at(address: int | None) -> range | None:
        since = -1 if address is None or stack is None else address - stack
        return held[since:] if 0 <= since < len(held) else None

    process = Process(core.memory, modules, lambda module: names[module.name], memory_at, regions=lambda: code_at)
    pointer = context.pointer if context else None
    addresses = () if pointer is None else (pointer,)
    code = code_of("linux", None, core.signal, 0, ())
    blamed, frames = with_callers(process, context, Fault(code, addresses, is_strict=core.is_strict))
    place: Mapping[str, Any] = blamed or place_of(process, addresses, context)
    stored = _STORED.fullmatch(told.file or "")
    pid = str((unpacked("<i", core.thread, layout.pid) or ("",))[0])
    host_id = records.host_id(())
    known = (stored["us"], stored["boot"], stored["pid"]) if stored else (pid, core.thread, core.program, core.files)
    records.crash(
        crash_id=name_of(host_id or "", *known),
        host_id=host_id,
        occurred_at=time_of(int(stored["us"]), unit=1_000_000) if stored else None,
        os_type="linux",
        domain="user",
        code=code,
        **{name: value for name, value in place.items() if value is not None},
        frames=frames,
        tags=tags_of([
            ("exe", exe), ("pid", pid), ("comm", stored["comm"] if stored else title),
            ("boot_id", stored["boot"] if stored else None),
        ]),
    )  # fmt: skip


def _ordered(data: bytes | bytearray, *, is_big: bool) -> bytes:
    return BigEndian(data) if is_big else bytes(data)


def _segments(start: _Start, layout: _Layout, *, is_big: bool) -> list[_Segment]:
    told = unpacked(layout.head, _ordered(start.data[:64], is_big=is_big), 16)
    place, entry_bytes, count = (told[4], told[8], told[9]) if told else (0, 0, 0)
    size = min(count, _MOST_SEGMENTS) * entry_bytes
    if not start.reach(place + size):
        return []
    data = _ordered(start.data[place : place + size], is_big=is_big)
    found = []
    for at in range(0, size, entry_bytes or 1):
        one = unpacked(layout.segment, data, at)
        if one is None:
            break
        if layout.form == "<Q":
            kind, flags, offset, address, _, held, memory, _ = one
        else:
            kind, offset, address, _, held, memory, flags, _ = one
        found.append(_Segment(kind, flags, offset, address, held, memory))
    return found


def _noted(data: bytes) -> tuple[bytes, bytes, bytes]:
    """The first notes of a thread, which is the one that crashed, of the program, and of files; empty where missing."""
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(_MOST_NOTES):
        head = unpacked("<III", data, at)
        if head is None:
            break
        name_bytes, size, kind = head
        place = at + 12 + (name_bytes + 3 & ~3)
        if data[at + 12 : at + 12 + name_bytes].rstrip(b"\0") in _OWNERS:
            found.setdefault(kind, type(data)(data[place : place + size]))
        at = place + (size + 3 & ~3)
    return found.get(_STATUS, b""), found.get(_PROGRAM, b""), found.get(_FILES, b"")


def _context(thread: bytes, layout: _Layout, machine: int) -> Context | None:
    known = _REGISTERS.get(machine)
    if known is None:
        return None
    word_bytes = 8 if layout.form == "<Q" else 4
    values = (
        (unpacked(layout.form, thread, layout.registers + place * word_bytes) or (None,))[0]
        if place is not None
        else None
        for place in known
    )
    return Context(layout.form, known.link is not None, *values)


def _modules(core: _Core, layout: _Layout, code: Sequence[tuple[int, int]]) -> tuple[list[str | None], list[Module]]:
    """The names of the mapped files, and those with code as modules; the program is the first."""
    word = layout.form[1:]
    word_bytes = 8 if word == "Q" else 4
    count, page_bytes = unpacked(f"<2{word}", core.files, 0) or (0, 0)
    count = min(count, _MOST_FILES, max(len(core.files) // (3 * word_bytes) - 1, 0))
    paths = core.files[(2 + 3 * count) * word_bytes :].split(b"\0", count)[:count]
    starts = [start for start, _ in code]
    names: list[str | None] = []
    modules: list[Module] = []
    last: bytes | None = None
    for number, path in enumerate(paths):
        start, end, pages = unpacked(f"<3{word}", core.files, (2 + 3 * number) * word_bytes) or (0, 0, 0)
        if path == last:
            modules[-1] = Module(modules[-1].start, max(end, modules[-1].end), modules[-1].name)
        else:
            names.append(base_name(path.decode("utf-8", "replace")))
            modules.append(Module(max(start - pages * page_bytes, 0), end, len(names) - 1))
            last = path
    last_code = ((one, bisect_left(starts, one.end) - 1) for one in modules)
    return names, [one for one, at in last_code if at >= 0 and code[at][1] > one.start]


CORE_FILE = Log("core dump of Linux", _recognises, _read)
