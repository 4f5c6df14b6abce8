"""The callers of what crashed in a minidump, and which of them is to blame."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import minidump
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.minidump_files import ANDROID, ARM, ARM64, LINUX, MACOS, MIPS, X64, X86, Dump

RELAY = ("/opt/relay/relayd", 0x400000, 0x10000)
QUILL = ("/opt/relay/libquill.so.3", 0x7FFA10000000, 0x50000)
LIBC = ("/lib/x86_64-linux-gnu/libc.so.6", 0x7FFA20000000, 0x50000)
KERNELBASE = ("C:\\Windows\\System32\\KERNELBASE.dll", 0x7FFA30000000, 0x50000)
MSVCP = ("C:\\Windows\\System32\\MSVCP140.dll", 0x7FFA40000000, 0x50000)
CORE = ("C:\\Relay\\core.dll", 0x7FFA50000000, 0x50000)
AT = 0x9000
ABORT = Dump(LINUX, code=6, pointer=LIBC[1] + 0x9000, stack=AT, modules=(RELAY, QUILL, LIBC))


def crash(dump: Dump):
    (record,) = crashes_of(minidump.MINIDUMP, dump.written())
    return record


def stack(*words: int, form: str = "Q") -> dict[int, bytes]:
    return {AT: struct.pack(f"<{len(words)}{form}", *words) + bytes(64)}


def place(record) -> tuple[str, int]:
    return record["module"], record["module_offset"]


LINKED = stack(RELAY[1] + 0x2000, 0, AT + 0x20, LIBC[1] + 0x3000, AT + 0x30, QUILL[1] + 0x4000, 0, RELAY[1] + 0x5000)


@pytest.mark.parametrize(("system", "processor", "code"), [(ANDROID, ARM64, 6), (MACOS, ARM64, 6), (MACOS, X64, 6)])
def test_linked_frames_are_the_stack_and_tell_who_called_for_the_end(system, processor, code):
    record = crash(replace(ABORT, platform=system, processor=processor, code=code, memory=LINKED, frame=AT + 16))
    told = [(one["module"], one["offset"]) for one in record["frames"]]
    assert told == [
        ("libc.so.6", 0x9000), ("libc.so.6", 0x3000), ("libquill.so.3", 0x4000), ("relayd", 0x5000)
    ]  # fmt: skip
    assert place(record) == ("libquill.so.3", 0x4000)


def test_on_linux_the_caller_of_its_libraries_lies_before_the_frames_that_are_linked():
    """They keep no pointer to their own frames, so that of the innermost is of who called them."""
    lying = stack(LIBC[1] + 0x3000, QUILL[1] + 0x4000, 0, RELAY[1] + 0x5000)
    record = crash(replace(ABORT, memory=lying, frame=AT + 16))
    assert place(record) == ("libquill.so.3", 0x4000)
    lying = stack(LIBC[1] + 0x3000, QUILL[1] + 0x4000, AT + 32, RELAY[1] + 0x5000, 0, 0)
    record = crash(replace(ABORT, memory=lying, frame=AT + 16))
    assert place(record) == ("libquill.so.3", 0x4000)
    assert [one["module"] for one in record["frames"]] == ["libc.so.6", "libquill.so.3", "relayd"]


@pytest.mark.parametrize("kind", [16, 0x47670009])
def test_what_may_not_be_executed_is_no_code(kind):
    lying = stack(RELAY[1] + 0x8000, QUILL[1] + 0x4000)
    data = bytearray(replace(ABORT, memory=lying, others=(3, kind)).written())
    assert place(crashes_of(minidump.MINIDUMP, bytes(data))[0]) == ("relayd", 0x8000)
    at = next(at for at in range(32, 224, 12) if struct.unpack_from("<I", data, at)[0] == kind)
    code = ((RELAY[1] + 0x1000, 0x3000, 0x20), (RELAY[1] + 0x8000, 0x1000, 4), (QUILL[1], 0x50000, 0x10))
    if kind == 16:
        told = struct.pack("<IIQ", 16, 48, len(code))
        told += b"".join(struct.pack("<QQIIQIIII", at, 0, 0, 0, size, 0x1000, how, 0, 0) for at, size, how in code)
    else:
        told = b"".join(b"%x-%x r-%cp 0 08:01 7 /x\n" % (at, at + size, b"x-"[how == 4]) for at, size, how in code)
    struct.pack_into("<II", data, at + 4, len(told), len(data))
    assert place(crashes_of(minidump.MINIDUMP, bytes(data + told))[0]) == ("libquill.so.3", 0x4000)


def test_what_the_processor_found_is_the_fault_of_the_code_that_it_found_it_in():
    record = crash(replace(ABORT, code=11, memory=LINKED, frame=AT + 16))
    assert place(record) == ("libc.so.6", 0x9000)
    assert len(record["frames"]) == 4


@pytest.mark.parametrize(("processor", "form"), [(X64, "Q"), (X86, "I"), (ARM64, "Q"), (ARM, "I"), (MIPS, "Q")])
def test_without_linked_frames_the_first_code_on_the_stack_that_is_no_systems_is_to_blame(processor, form):
    modules = (RELAY, ("libquill.so", 0x600000, 0x10000), ("libc.so.6", 0x700000, 0x10000))
    lying = stack(0x700000 + 0x3000, 7, 0x600000, 0x600000 + 0x4000, 0x400000 + 0x5000, form=form)  # one is no code
    dump = replace(ABORT, processor=processor, pointer=0x709000, modules=modules, memory=lying)
    record = crash(dump)
    assert place(record) == ("libquill.so", 0x4000)
    assert "frames" not in record


def test_on_arm_a_leafs_caller_is_in_a_register_and_may_be_signed():
    dump = replace(ABORT, platform=MACOS, processor=ARM64, link=0xB4 << 56 | QUILL[1] + 0x4000)
    record = crash(dump)
    assert place(record) == ("libquill.so.3", 0x4000)
    assert len(record["frames"]) == 2


def test_a_stack_that_is_with_its_thread_alone_is_read():
    data = bytearray(replace(ABORT, memory={}).written())
    at = next(at for at in range(32, 224, 12) if data[at] == 3)
    words = stack(QUILL[1] + 0x4000)[AT]
    struct.pack_into("<I", data, struct.unpack_from("<I", data, at + 8)[0], 1)
    struct.pack_into("<QII", data, struct.unpack_from("<I", data, at + 8)[0] + 4 + 24, AT, len(words), len(data))
    (record,) = crashes_of(minidump.MINIDUMP, bytes(data + words))
    assert place(record) == ("libquill.so.3", 0x4000)


@pytest.mark.parametrize("frame", [AT + 8, AT + 3, 0, 1 << 40, (1 << 64) - 1])
def test_a_register_that_is_no_pointer_to_a_frame_links_nothing(frame):
    record = crash(replace(ABORT, memory=stack(0, 0, QUILL[1] + 0x4000), frame=frame))
    assert "frames" not in record
    assert place(record) == ("libquill.so.3", 0x4000)


def test_a_ring_of_frames_ends():
    ring = stack(AT + 16, QUILL[1] + 0x4000, AT, QUILL[1] + 0x4100)
    assert len(crash(replace(ABORT, memory=ring, frame=AT))["frames"]) == 3


@pytest.mark.parametrize("code", [0xE06D7363, 0xC0000409, 0xC0000602, 0x80000003, 0xC0000374])
def test_windows_code_that_raises_an_exception_is_not_to_blame_for_it(code):
    pointer = KERNELBASE[1] + 0x9000
    raised = Dump(
        code=code, address=pointer, stack=AT, modules=(RELAY, KERNELBASE, MSVCP, CORE),
        memory=stack(KERNELBASE[1] + 0x2000, MSVCP[1] + 0x2000, CORE[1] + 0x3000, RELAY[1] + 0x4000),
    )  # fmt: skip
    assert place(crash(raised)) == ("core.dll", 0x3000)
    assert place(crash(replace(raised, code=0xC0000005))) == ("KERNELBASE.dll", 0x9000)
    assert place(crash(replace(raised, memory={}))) == ("KERNELBASE.dll", 0x9000)


@pytest.mark.parametrize(
    ("thrown", "blamed"),
    [
        ((0x19930520, AT, CORE[1] + 0x8000, CORE[1]), ("core.dll", 0x3000)),
        ((0x19930520, AT, CORE[1] + 0x8000), ("core.dll", 0x3000)),  # as of 32 bits
        ((0x19930520, AT, MSVCP[1] + 0x8000, MSVCP[1]), ("relayd", 0x4000)),  # on behalf of its caller
        ((0x19930520,), ("relayd", 0x4000)),
    ],
)
def test_an_exception_of_c_plus_plus_is_of_the_module_that_threw_it(thrown, blamed):
    lying = stack(CORE[1] + 0x8000, RELAY[1] + 0x4000, CORE[1] + 0x3000)
    if blamed[0] == "relayd":
        lying = stack(MSVCP[1] + 0x8000, RELAY[1] + 0x4000, CORE[1] + 0x3000)
    raised = Dump(
        code=0xE06D7363, more=thrown, address=KERNELBASE[1] + 0x9000, stack=AT, memory=lying,
        modules=(RELAY, KERNELBASE, MSVCP, CORE),
    )  # fmt: skip
    assert place(crash(raised)) == blamed


def test_the_module_that_threw_is_known_without_the_stack():
    raised = Dump(
        code=0xE06D7363, more=(0x19930520, AT, 0, CORE[1]), address=KERNELBASE[1], modules=(RELAY, KERNELBASE, CORE)
    )
    record = crash(raised)
    assert record["module"] == "core.dll"
    assert "module_offset" not in record


def test_a_stack_full_of_code_of_the_system_costs_little():
    modules = [(f"C:\\Windows\\msvcr{number}.dll", number << 20, 0x10000) for number in range(1, 9000)]
    dump = Dump(code=0xC0000409, address=0x101000, stack=AT, modules=modules)
    words = struct.pack("<9000Q", *((number << 20) + 0x2000 for number in range(1, 9001)))
    data = replace(dump, memory={AT: words}).written()
    costs_at_most(30, lambda: crashes_of(minidump.MINIDUMP, data))


@given(changed(replace(ABORT, memory=LINKED, frame=AT + 16).written()) | st.binary(max_size=200).map(b"MDMP".__add__))
def test_no_bytes_break_it(data):
    survives(minidump.MINIDUMP, data)
