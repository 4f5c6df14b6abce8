"""What a minidump tells of the code and of the place of a crash; see also the tests of the door that takes them."""

from __future__ import annotations

import struct

import pytest

from ingest.formats import minidump
from tests.ingest.collector.doors.test_minidump import kernel_dump, small_kernel_dump
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.minidump_files import (
    ANDROID,
    ARM,
    ARM64,
    LINUX,
    MACOS,
    MIPS,
    POWERPC,
    POWERPC64,
    RISCV32,
    RISCV64,
    WINDOWS,
    X64,
    X86,
    Dump,
)

RELAY = ("C:\\Relay\\relay.exe", 0x400000, 0x10000)
CORE = ("C:\\Relay\\core.dll", 0x7FFA10000000, 0x50000)


def crash(dump: Dump):
    (record,) = crashes_of(minidump.MINIDUMP, dump.written())
    return record


@pytest.mark.parametrize(
    ("code", "flags", "more", "expected"),
    [
        (0, 0, (10, 0x6000000, 0), "SIGABRT"),  # by crashpad
        (10, 0, (10, 0xC000000), "SIGSYS"),
        (10, 0xB000000, (), "SIGSEGV"),
        (1, 1, (10, 0xB100001, 0), "EXC_BAD_ACCESS"),
        (5, 0x10002, (), "SIGABRT"),  # by breakpad
        (5, 0xDEADC0DE, (), "NSException"),
        (5, 0x10003, (5, 0x10003, 30), "EXC_SOFTWARE"),
        (5, 0x10003, (5, 0x10003, 10), "SIGBUS"),
        (10, 0, (), "EXC_CRASH"),
        (7, 0, (), "EXC_SYSCALL"),
        (0x43506E78, 0, (), "NSException"),
    ],
)
def test_on_macos_the_signal_behind_an_exception_is_its_code(code, flags, more, expected):
    assert crash(Dump(MACOS, code=code, flags=flags, more=more))["code"] == expected


def test_a_signal_of_macos_is_none_of_other_systems():
    assert crash(Dump(LINUX, code=10, more=(10, 0x6000000)))["code"] == "SIGUSR1"
    assert crash(Dump(WINDOWS, code=0, more=(10, 0x6000000)))["code"] == "0x0"


@pytest.mark.parametrize(
    ("processor", "code", "signal"),
    [(X64, 7, "SIGBUS"), (X64, 25, "SIGXFSZ"), (X64, 60, "0x3c"), (MIPS, 10, "SIGBUS"), (MIPS, 12, "SIGSYS")],
)
def test_on_linux_a_signal_has_the_name_of_its_number_there(processor, code, signal):
    assert crash(Dump(LINUX, processor, code=code))["code"] == signal


@pytest.mark.parametrize(
    ("kind", "flavor", "count"), [(1, 1, 0), (1, 2, 1), (2, 1, 0), (3, 1, 0), (4, 2, 0), (6, 1, 1)]
)
def test_on_macos_a_program_goes_on_past_most_limits_of_resources(kind, flavor, count):
    limit = kind << 61 | flavor << 58 | 95
    for dump in (Dump(MACOS, code=11, more=(11, limit, 0)), Dump(MACOS, code=11, flags=limit >> 32)):
        found = crashes_of(minidump.MINIDUMP, dump.written())
        assert [one["code"] for one in found] == ["EXC_RESOURCE"] * count


def test_a_program_that_did_not_answer_is_a_hang():
    record = crash(Dump(code=0xCFFFFFFF, address=0x401000))
    assert (record["domain"], record["code"]) == ("hang", "0xcfffffff")


def test_a_snapshot_of_a_process_in_which_nothing_happened_is_no_crash():
    assert crashes_of(minidump.MINIDUMP, Dump(code=None).written()) == []


@pytest.mark.parametrize(("kind", "encoding"), [(10, "ascii"), (11, "utf-16-le")])
def test_an_exception_of_which_the_program_was_yet_to_be_asked_is_no_crash(kind, encoding):
    dump = Dump(others=(3, kind))
    for said, count in (("First chance", 0), ("Unhandled", 1)):
        data = bytearray(dump.written())
        comment = f"\n*** procdump -ma -e 1 relay.exe\n*** {said} exception: C0000005.ACCESS_VIOLATION\0".encode(
            encoding
        )
        at = next(at for at in range(32, 224, 12) if struct.unpack_from("<I", data, at)[0] == kind)
        struct.pack_into("<II", data, at + 4, len(comment), len(data))
        assert len(crashes_of(minidump.MINIDUMP, bytes(data + comment))) == count


def test_a_dump_without_an_exception_is_a_crash_if_it_says_why_or_lacks_its_threads():
    assert crash(Dump(code=None, others=(3, 0x47670002)))["tags"] == {"exe": "relay.exe"}
    assert crash(Dump(code=None, others=()))["tags"] == {"exe": "relay.exe"}


def test_a_program_tells_breakpad_what_it_had_assumed():
    data = bytearray(Dump(code=None, others=(3, 0x47670002)).written())
    at = next(at for at in range(32, 224, 12) if struct.unpack_from("<I", data, at)[0] == 0x47670002)
    struct.pack_into("<II", data, at + 4, 776, len(data))
    data += "size > 0".encode("utf-16-le").ljust(256, b"\0") + "relay::send".encode("utf-16-le").ljust(520, b"\0")
    assert crashes_of(minidump.MINIDUMP, bytes(data))[0]["tags"]["message"] == "size > 0 in relay::send"


def test_files_of_proc_tell_linux_where_the_systems_data_is_lost():
    data = bytearray(Dump(LINUX, code=11, others=(3, 0x47670003)).written())
    at = next(at for at in range(32, 224, 12) if data[at] == 7)
    struct.pack_into("<I", data, at + 8, 1 << 30)
    (record,) = crashes_of(minidump.MINIDUMP, bytes(data))
    assert (record["os_type"], record["code"]) == ("linux", "SIGSEGV")


@pytest.mark.parametrize(("file", "exe"), [("app_process64", "org.relay.app:sync"), ("relayd", "relayd")])
def test_a_program_of_android_has_its_name_in_its_arguments(file, exe):
    dump = Dump(ANDROID, ARM64, code=6, modules=((f"/system/bin/{file}", 0x400000, 0x10000),), others=(3, 0x47670006))
    data = bytearray(dump.written())
    at = next(at for at in range(32, 224, 12) if struct.unpack_from("<I", data, at)[0] == 0x47670006)
    struct.pack_into("<II", data, at + 4, 40, len(data))
    data += b"org.relay.app:sync\0--token=abc\0".ljust(40, b"\0")
    assert crashes_of(minidump.MINIDUMP, bytes(data))[0]["tags"] == {"exe": exe}


def test_a_program_tells_crashpad_its_version():
    told = {"ver": "7.11.18110", "prod": "Relay", "guid": "0f0e", "list_annotations": "x"}
    record = crash(Dump(annotations=told))
    assert record["agent_version"] == "7.11.18110"
    assert record["tags"] == {"exe": "relay.exe", "ver": "7.11.18110", "prod": "Relay"}
    electrons = {"_version": "3.2.1", "_productName": "Relay", "prod": "Electron", "ver": "30.1.0"}
    assert crash(Dump(annotations=electrons))["agent_version"] == "3.2.1"


def test_windows_tells_the_instruction_of_a_32_bit_program_in_a_64_bit_process():
    wow = ("C:\\Windows\\System32\\wow64cpu.dll", 0x77000000, 0x9000)
    record = crash(Dump(address=0x401234, pointer=0x77001CF3, modules=(RELAY, wow)))
    assert (record["module"], record["module_offset"]) == ("relay.exe", 0x1234)
    record = crash(Dump(address=0x10, pointer=0x77001CF3, modules=(RELAY, wow)))
    assert (record["module"], record["module_offset"]) == ("wow64cpu.dll", 0x1CF3)


@pytest.mark.parametrize("processor", [MIPS, POWERPC, POWERPC64])
def test_a_big_endian_machine_writes_its_own_order_of_bytes(processor):
    dump = Dump(LINUX, processor, code=11, address=0x10, pointer=0x401234, order=">")
    assert minidump.MINIDUMP.recognises(head(dump.written()))
    record = crash(dump)
    assert (record["code"], record["module"], record["module_offset"]) == ("SIGSEGV", "relay.exe", 0x1234)
    assert (record["occurred_at"], record["os_version"]) == ("2024-07-19T04:10:02Z", "10.0.22631")
    assert crash(Dump(LINUX, processor, code=11, link=0x402345, order=">"))["module_offset"] == 0x2345


def test_an_exception_without_registers_has_those_of_its_thread():
    data = bytearray(Dump(LINUX, code=11, address=0x10, pointer=0x401234).written())
    threads, exception = (
        next(struct.unpack_from("<II", data, at + 4) for at in range(32, 224, 12) if data[at] == kind)
        for kind in (3, 6)
    )
    size, registers = struct.unpack_from("<II", data, exception[1] + 160)
    struct.pack_into("<II", data, exception[1] + 160, 0, 0)
    struct.pack_into("<I", data, threads[1], 1)
    struct.pack_into("<I36xII", data, threads[1] + 4, 1, size, registers)
    (record,) = crashes_of(minidump.MINIDUMP, bytes(data))
    assert (record["module"], record["module_offset"]) == ("relay.exe", 0x1234)
    struct.pack_into("<I", data, threads[1] + 4, 2)  # another thread
    (record,) = crashes_of(minidump.MINIDUMP, bytes(data))
    assert "module" not in record


def test_code_of_a_module_that_was_unloaded_names_it():
    record = crash(
        Dump(address=0x7FFA20001000, modules=(RELAY, CORE), unloaded=[("shell.dll", 0x7FFA20000000, 0x8000)])
    )
    assert (record["module"], record["module_offset"]) == ("shell.dll", 0x1000)


@pytest.mark.parametrize(
    ("dump", "offset"),
    [
        (Dump(processor=X64, stack=0x9000, memory={0x8000: bytes(0x2000)}), None),
        (Dump(processor=X64, stack=0x9000, memory={0x8F00: bytes(0x100) + struct.pack("<Q", 0x402345)}), 0x2345),
        (Dump(processor=X86, stack=0x9000, memory={0x9000: struct.pack("<I", 0x402345)}), 0x2345),
        (Dump(processor=X86, stack=0x9000, memory={0x9000: b"ab"}), None),
        (Dump(LINUX, ARM, code=11, link=0x402345), 0x2345),
        (Dump(LINUX, ARM64, code=11, link=0x402345, address=8), 0x2345),
        (Dump(LINUX, MIPS, code=11, link=0x402345), 0x2345),
        (Dump(LINUX, RISCV64, code=11, link=0x402345), 0x2345),
        (Dump(LINUX, RISCV32, code=11, link=0x402345), 0x2345),
        (Dump(LINUX, ARM64, code=11, link=0x402345, address=0x7FFA30000000), None),
        (Dump(MACOS, ARM64, code=1, link=0xA123000000402345), 0x2345),  # with a signature
    ],
)
def test_a_call_of_nothing_is_its_callers_fault(dump, offset):
    record = crash(dump)
    assert (record.get("module"), record.get("module_offset")) == ("relay.exe" if offset else None, offset)


@pytest.mark.parametrize("processor", [MIPS, POWERPC, ARM, X64, ARM64, POWERPC64, RISCV32, RISCV64])
def test_on_linux_each_processor_tells_the_instruction_and_not_what_it_accessed(processor):
    data = ("/opt/relay/relay", 0x900000, 0x1000)
    record = crash(Dump(LINUX, processor, code=11, address=0x900010, pointer=0x401234, modules=(RELAY, data)))
    assert (record["module"], record["module_offset"]) == ("relay.exe", 0x1234)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("C:\\Relay\\core.dll\0\0from before", "core.dll"),
        ("C:\\" + "deep\\" * 900 + "core.dll", "core.dll"),
        ("C:\\Relay\\core.dll\udc00", "core.dll\ufffd"),
    ],
)
def test_the_name_of_a_module_ends_where_it_says_and_not_before(name, module):
    assert crash(Dump(address=0x401000, modules=((name, 0x400000, 0x10000),)))["module"] == module


def test_half_a_character_at_the_end_of_a_name_is_none_of_it():
    data = Dump(address=0x401000).written()
    name = "C:\\Relay\\relay.exe".encode("utf-16-le")
    lied = data.replace(struct.pack("<I", len(name)) + name, struct.pack("<I", len(name) + 1) + name)
    assert [one["module"] for one in crashes_of(minidump.MINIDUMP, lied)] == ["relay.exe"]


@pytest.mark.parametrize("kind", [4, 5, 9, 14, 0x43500001])
def test_counts_and_offsets_that_lead_outside_are_ignored(kind):
    whole = Dump(stack=0x9000, memory={0x9000: bytes(8)}, unloaded=[("a.dll", 1 << 40, 16)], annotations={"ver": "1.2"})
    data = bytearray(whole.written())
    if kind == 9:
        data[data.index(struct.pack("<I", 5), 32)] = 9
    at = next(at for at in range(32, 224, 12) if struct.unpack_from("<I", data, at)[0] == kind)
    place = struct.unpack_from("<I", data, at + 8)[0]
    for lie in (b"\xff" * 12, b"\xff" * 4 + bytes(8), bytes(12)):
        lied = data[:place] + lie + data[place + 12 :]
        assert len(crashes_of(minidump.MINIDUMP, bytes(lied))) == 1
        struct.pack_into("<II", lied, at + 4, 0xFFFFFFF0, place)
        assert minidump.read(bytes(lied)) is not None


@pytest.mark.parametrize(
    ("build", "version"),
    [(2600, "5.1.2600"), (7601, "6.1.7601"), (9600, "6.3.9600"), (5000, None), (26100, "10.0.26100")],
)
def test_the_build_of_a_kernel_tells_its_version(build, version):
    data = bytearray(kernel_dump())
    struct.pack_into("<I", data, 0x0C, build)
    found = minidump.read(bytes(data))
    assert found is not None
    assert found.os_version == version


@pytest.mark.parametrize(
    ("code", "address", "module"),
    [
        (0x50, None, "relay.sys"),
        (0x9F, None, "scan.sys"),
        (0xA, 0xFFFFF80330001000, "scan.sys"),
        (0xD5, None, "relay.sys"),
    ],
)
def test_a_small_kernel_dump_names_the_driver_that_the_kernel_blames(code, address, module):
    data = bytearray(small_kernel_dump(code))
    raw = "\\SystemRoot\\scan.sys".encode("utf-16-le")
    struct.pack_into("<I", data, 0x2040, len(data))
    data += struct.pack("<I", len(raw) // 2) + raw
    if address is not None:
        struct.pack_into("<Q", data, 0x58, address)
    found = minidump.read(bytes(data))
    assert found is not None
    assert found.module == module
    assert (found.module_offset is None) == (module == "scan.sys")
