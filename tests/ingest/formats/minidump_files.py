"""Minidumps made up for tests, of the streams that a test names."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WINDOWS, MACOS, LINUX, ANDROID = 2, 0x8101, 0x8201, 0x8203
X86, MIPS, POWERPC, ARM, X64, ARM64, POWERPC64, RISCV32, RISCV64 = 0, 1, 3, 5, 9, 12, 0x8002, 0x8005, 0x8006
STAMP = 1721362202

# Of a thread's context, by processor: its size, the format of a register, and offsets of the instruction pointer, the
# pointer to the stack, the register with the address of the caller, and the pointer to the frame.
_CONTEXTS = {
    X86: (716, "<I", 0xB8, 0xC4, None, 0xB4),
    MIPS: (632, "<Q", 312, 240, 256, None),
    POWERPC: (1000, "<I", 4, 16, 148, None),
    POWERPC64: (1100, "<Q", 8, 32, 296, None),
    ARM: (368, "<I", 64, 56, 60, None),
    X64: (1232, "<Q", 0xF8, 0x98, None, 0xA0),
    ARM64: (912, "<Q", 264, 256, 248, 240),
    RISCV32: (400, "<I", 8, 16, 12, None),
    RISCV64: (528, "<Q", 8, 24, 16, None),
}


@dataclass
class Dump:
    """The content of a minidump.

    Attributes:
        pointer, stack, link, frame: registers of the thread that crashed.
        more: what the exception tells besides its code and address.
        modules, unloaded: names with their start and size.
        memory: bytes of the process, by their address.
        annotations: of crashpad.
        others: kinds of further streams.
        order: of bytes, of the machine that wrote it.
    """

    platform: int = WINDOWS
    processor: int = X64
    version: tuple[int, int, int] = (10, 0, 22631)
    code: int | None = 0xC0000005
    flags: int = 0
    address: int = 0
    more: Sequence[int] = ()
    pointer: int | None = None
    stack: int = 0
    link: int = 0
    frame: int = 0
    modules: Sequence[tuple[str, int, int]] = (("C:\\Relay\\relay.exe", 0x400000, 0x10000),)
    unloaded: Sequence[tuple[str, int, int]] = ()
    memory: Mapping[int, bytes] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    others: Sequence[int] = (3,)
    order: str = "<"

    def written(self) -> bytes:
        self._data = bytearray(32 + 12 * 16)
        streams = [(7, self._system()), *((kind, bytes(52)) for kind in self.others)]
        if self.code is not None:
            streams.append((6, self._exception()))
        modules = b"".join(self._module(*one) for one in self.modules)
        streams.append((4, self._pack("<I", len(self.modules)) + modules))
        if self.unloaded:
            gone = b"".join(self._pack("<QIIII", at, size, 0, 0, self._name(name)) for name, at, size in self.unloaded)
            streams.append((14, self._pack("<III", 12, 24, len(self.unloaded)) + gone))
        if self.memory:
            ranges = b"".join(self._pack("<QII", at, len(raw), self._put(raw)) for at, raw in self.memory.items())
            streams.append((5, self._pack("<I", len(self.memory)) + ranges))
        if self.annotations:
            streams.append((0x43500001, self._crashpad()))
        directory = b"".join(self._pack("<III", kind, len(data), self._put(data)) for kind, data in streams)
        head = (b"MDMP" if self.order == "<" else b"PMDM") + self._pack(
            "<IIIIIQ", 0xA793, len(streams), 32, 0, STAMP, 0
        )
        self._data[: len(head) + len(directory)] = head + directory
        return bytes(self._data)

    def _pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form[1:], *values)

    def _put(self, data: bytes) -> int:
        place = len(self._data)
        self._data += data
        return place

    def _name(self, name: str) -> int:
        raw = name.encode("utf-16-le" if self.order == "<" else "utf-16-be", "surrogatepass")
        return self._put(self._pack("<I", len(raw)) + raw + b"\0\0")

    def _system(self) -> bytes:
        return self._pack("<HHHBBIIIIIHH24x", self.processor, 6, 0, 8, 1, *self.version, self.platform, 0, 0, 0)

    def _exception(self) -> bytes:
        size, form, pointer, stack, link, frame = _CONTEXTS[self.processor]
        context = bytearray(size)
        registers = ((pointer, self.address if self.pointer is None else self.pointer), (stack, self.stack))
        for at, value in (*registers, (link, self.link), (frame, self.frame)):
            if at is not None:
                struct.pack_into(self.order + form[1:], context, at, value)
        more = [*self.more, *[0] * 15][:15]
        record = self._pack("<IIQQII15Q", self.code or 0, self.flags, 0, self.address, len(self.more), 0, *more)
        return self._pack("<II", 1, 0) + record + self._pack("<II", size, self._put(bytes(context)))

    def _module(self, name: str, start: int, size: int) -> bytes:
        return self._pack("<QIIII84x", start, size, 0, 0, self._name(name))

    def _crashpad(self) -> bytes:
        pairs = [(self._text(name), self._text(said)) for name, said in self.annotations.items()]
        listed = self._pack("<I", len(pairs)) + b"".join(self._pack("<II", *pair) for pair in pairs)
        return self._pack("<I32xIIII", 1, len(listed), self._put(listed), 0, 0)

    def _text(self, said: str) -> int:
        raw = said.encode()
        return self._put(self._pack("<I", len(raw)) + raw + b"\0")
