"""Core dumps of Linux as files: whose fault it was, and what is no crash."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.core_file import CORE_FILE
from ingest.formats.crashes import Told, Unfit
from ingest.formats.format import BrokenOff
from ingest.formats.journal import JOURNAL
from ingest.formats.known import format_of
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import AT, TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.test_journal import COREDUMP, entry

X86, ARM, POWERPC64, X64, ARM64, RISCV = 3, 40, 21, 62, 183, 243
# By machine: the number of registers, and those of the instruction, the stack, the caller and the frame.
_PLACES = {
    X86: (17, 12, 15, None, 5), ARM: (18, 15, 13, 14, None), X64: (27, 16, 19, None, 4),
    ARM64: (34, 32, 31, 30, 29), RISCV: (32, 0, 2, 1, None), POWERPC64: (48, None, None, None, None),
}  # fmt: skip
RELAY, QUILL, LIBC, FONT = "/opt/relay/relayd", "/opt/relay/libquill.so.3", "/lib/libc.so.6", "/usr/share/relay.ttf"
STACK = 0x7F800000
FILES = ((RELAY, 0x400000), (QUILL, 0x600000), (LIBC, 0x700000), (FONT, 0x800000))


@dataclass
class Core:
    """What a core dump holds.

    Attributes:
        pointer, link, frame: registers of the thread that crashed.
        words: its stack.
        files: which are mapped, of sixteen pages each. Those that end in .ttf have no code.
        before: bytes of memory before that of the stack.
    """

    signal: int = 11
    machine: int = X64
    bits: int = 64
    order: str = "<"
    pointer: int = 0x601234
    link: int = 0
    frame: int = 0
    words: Sequence[int] = ()
    files: Sequence[tuple[str, int]] = FILES
    before: int = 0

    def written(self) -> bytes:
        is_64 = self.bits == 64
        notes = self._note(1, self._status()) + self._note(3, self._program()) + self._note(0x46494C45, self._mapped())
        notes += self._note(1, bytes(400))  # another thread
        stack = bytes(64) + self._pack(f"{len(self.words)}{self._word}", *self.words) + bytes(64)
        head_bytes, entry_bytes = (64, 56) if is_64 else (52, 32)
        count = len(self.files) + 2
        place = head_bytes + entry_bytes * count
        segments = self._segment(4, 0, place, 0, len(notes), 0)
        for name, start in self.files:
            segments += self._segment(1, 4 if name.endswith(".ttf") else 5, 0, start + 0x1000, 0, 0xF000)
        segments += self._segment(1, 6, place + len(notes) + self.before, STACK - 64, len(stack), len(stack))
        ident = b"\x7fELF" + bytes([2 if is_64 else 1, 1 if self.order == "<" else 2, 1]) + bytes(9)
        form = "HHIQQQIHHHHHH" if is_64 else "HHIIIIIHHHHHH"
        header = self._pack(form, 4, self.machine, 1, 0, head_bytes, 0, 0, head_bytes, entry_bytes, count, 0, 0, 0)
        return ident + header + segments + notes + bytes(self.before) + stack

    @property
    def _word(self) -> str:
        return "Q" if self.bits == 64 else "I"

    def _pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form, *values)

    def _segment(self, kind: int, flags: int, place: int, address: int, size: int, memory: int) -> bytes:
        if self.bits == 64:
            return self._pack("IIQQQQQQ", kind, flags, place, address, 0, size, memory, 4096)
        return self._pack("IIIIIIII", kind, place, address, 0, size, memory, flags, 4096)

    def _note(self, kind: int, data: bytes) -> bytes:
        return self._pack("III", 5, len(data), kind) + b"CORE\0\0\0\0" + data + bytes(-len(data) % 4)

    def _status(self) -> bytes:
        registers_at, pid_at, word_bytes = (112, 32, 8) if self.bits == 64 else (72, 24, 4)
        count, *places = _PLACES[self.machine]
        data = bytearray(registers_at + count * word_bytes + 8)
        struct.pack_into(f"{self.order}H", data, 12, self.signal)
        struct.pack_into(f"{self.order}i", data, pid_at, 4321)
        for place, value in zip(places, (self.pointer, STACK, self.link, self.frame), strict=True):
            if place is not None:
                struct.pack_into(self.order + self._word, data, registers_at + place * word_bytes, value)
        return bytes(data)

    def _program(self) -> bytes:
        return (
            bytes(40 if self.bits == 64 else 28) + b"relayd".ljust(16, b"\0") + b"relayd --token=abc".ljust(80, b"\0")
        )

    def _mapped(self) -> bytes:
        files = [(name, start + half * 0x8000, half * 8) for name, start in self.files for half in (0, 1)]
        told = self._pack(f"2{self._word}", len(files), 4096)
        told += b"".join(self._pack(f"3{self._word}", start, start + 0x8000, pages) for _, start, pages in files)
        return told + b"".join(name.encode() + b"\0" for name, _, _ in files)


def crash(core: Core, told: Told = TOLD):
    (record,) = crashes_of(CORE_FILE, core.written(), told=told)
    return record


def place(record) -> tuple[str, int]:
    return record["module"], record["module_offset"]


MACHINES = [(X64, 64, "<"), (X86, 32, "<"), (ARM64, 64, "<"), (ARM, 32, "<"), (RISCV, 64, "<"), (ARM, 32, ">")]


@pytest.mark.parametrize(("machine", "bits", "order"), MACHINES)
def test_a_fault_is_of_the_file_that_is_mapped_where_it_was(machine, bits, order):
    core = Core(machine=machine, bits=bits, order=order)
    assert format_of(head(core.written())) is CORE_FILE
    record = crash(core)
    assert (record["code"], record["os_type"], *place(record)) == ("SIGSEGV", "linux", "libquill.so.3", 0x1234)
    assert (record["tags"], record["time_quality"]) == ({"exe": "relayd", "pid": "4321", "comm": "relayd"}, "log")
    assert "token" not in str(record)


@pytest.mark.parametrize(("machine", "bits", "order"), MACHINES)
def test_an_abort_is_of_the_first_code_on_the_stack_that_is_no_systems(machine, bits, order):
    words = [0x703000, 0x400100, 0x803000, 7, 0x604000, 0x405000]  # one is no code, one is data
    core = Core(6, machine, bits, order, pointer=0x701000, words=words)
    assert place(crash(core)) == ("libquill.so.3", 0x4000)
    assert place(crash(replace(core, words=()))) == ("libc.so.6", 0x1000)


def test_frames_that_are_linked_are_its_stack():
    core = Core(6, ARM64, pointer=0x701000, frame=STACK, words=[STACK + 16, 0x604000, 0, 0x405000], link=0x702000)
    record = crash(core)
    told = [(one["module"], one["offset"]) for one in record["frames"]]
    assert told == [("libc.so.6", 0x1000), ("libquill.so.3", 0x4000), ("relayd", 0x5000)]
    assert place(record) == ("libquill.so.3", 0x4000)


def test_a_call_of_nothing_is_its_callers_fault():
    assert place(crash(Core(pointer=0, words=[0x604000]))) == ("libquill.so.3", 0x4000)
    assert place(crash(Core(machine=ARM64, pointer=0, link=0x604000))) == ("libquill.so.3", 0x4000)
    assert "module" not in crash(Core(pointer=0x123456789))


def test_a_machine_whose_registers_are_not_known_tells_the_signal():
    record = crash(Core(machine=POWERPC64, order=">"))
    assert (record["code"], "module" in record, record["tags"]["exe"]) == ("SIGSEGV", False, "relayd")


@pytest.mark.parametrize("signal", [0, 3, 9, 15, 19])
def test_what_somebody_asked_for_is_no_crash(signal):
    assert crashes_of(CORE_FILE, Core(signal).written()) == []


def test_the_name_that_systemd_gives_it_tells_when_it_was_and_that_its_journal_tells_the_same_crash():
    boot = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    file = f"core.relay worker.0.{boot}.812.1721362202000000.zst"
    record = crash(Core(), Told(AT, "log", "m1", file))
    assert (record["occurred_at"], "time_quality" in record) == ("2024-07-19T04:10:02Z", False)
    assert (record["tags"]["comm"], record["tags"]["boot_id"]) == ("relay worker", boot)
    names = {"COREDUMP_TIMESTAMP": "1721362202000000", "_BOOT_ID": boot, "COREDUMP_PID": "812", "_MACHINE_ID": "m1"}
    (told,) = crashes_of(JOURNAL, entry({**COREDUMP, **names}))
    assert (record["crash_id"], record["host_id"]) == (told["crash_id"], told["host_id"])


def test_a_stack_far_behind_is_found():
    core = Core(6, pointer=0x701000, words=[0x604000], before=40 << 20)
    assert place(crash(core)) == ("libquill.so.3", 0x4000)


def test_what_is_cut_short_tells_what_it_has():
    data = Core(6, pointer=0x701000, words=[0x604000], before=1 << 20).written()
    (record,) = crashes_of(CORE_FILE, data[: 1 << 20])  # as a limit of its size does
    assert place(record) == ("libc.so.6", 0x1000)
    for size in (5, 63, 300, 600):
        with pytest.raises(Unfit, match="It ends"):
            crashes_of(CORE_FILE, data[:size])


def test_blocks_that_are_empty_end_nothing():
    data = Core(6, pointer=0x701000, words=[0x604000], before=1 << 20).written()
    parts = (part for at in range(0, len(data), 1 << 16) for part in (b"", data[at : at + (1 << 16)]))
    (records,) = CORE_FILE.read(parts, TOLD)
    assert b'"libquill.so.3"' in records.lines


def test_a_packed_one_that_breaks_off_tells_what_it_has():
    data = Core(6, pointer=0x701000, words=[0x604000], before=1 << 20).written()

    def blocks() -> Iterator[bytes]:
        yield data[:9000]
        raise BrokenOff

    read = CORE_FILE.read(blocks(), TOLD)
    assert next(read).read == 1
    with pytest.raises(BrokenOff):
        next(read)


def test_a_program_is_no_core_dump():
    data = bytearray(Core().written())
    data[16] = 2
    assert format_of(head(bytes(data))) is None


def test_the_memory_of_a_kernel_is_refused_with_what_to_load_instead():
    data = Core(0).written().replace(b"CORE\0\0\0\0", b"VMCOREINFO\0\0", 1)
    with pytest.raises(Unfit, match="load what vmcore-dmesg or crash prints"):
        crashes_of(CORE_FILE, data)


def test_files_without_names_are_none():
    data = Core().written()
    assert "module" not in crashes_of(CORE_FILE, data.replace(b"/opt/relay/relayd\0" * 2, bytes(36)))[0]


def test_that_of_another_system_is_refused():
    data = Core().written().replace(b"CORE\0\0\0\0", b"FreeBSD\0")
    with pytest.raises(Unfit, match="in the way of Linux"):
        crashes_of(CORE_FILE, data)


def test_many_files_and_segments_cost_little():
    files = [(f"/opt/relay/{number}.so", number << 20) for number in range(1, 8000)]
    data = Core(6, pointer=0x101000, files=files, words=[(number << 20) + 0x2000 for number in range(1, 600)]).written()
    costs_at_most(60, lambda: crashes_of(CORE_FILE, data))


@given(changed(Core(6, pointer=0x701000, words=[0x604000]).written()) | st.binary(max_size=200).map(b"\x7fELF".__add__))
def test_no_bytes_break_it(data):
    survives(CORE_FILE, data)
