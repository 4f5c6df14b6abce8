"""Lines of kernels that tell of a fault of a process, on each processor."""

from __future__ import annotations

import pytest

from ingest.formats import kernel_lines, kernel_log
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.kernel_log import Fault
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

POWER = "scan[12]: segfault (11) at 10 nip 7fff9c1d5a10 lr 10000a14 code 1 in libring.so[7fff9c140000+220000]"
S390 = "User process fault: interruption code 003b ilc:3 in scan[1234,2aa00000000+5000]"
MIPS = "do_page_fault(): sending SIGSEGV to scan for invalid read access from 00000010"
ARM32 = "scan: unhandled page fault (11) at 0x00000018, code 0x005"
PARISC = "do_page_fault() command='scan' type=15 address=0x00000018 in libring.so[f8644000+c5000]"
TASK = "CPU: 0 PID: 815 Comm: scan Not tainted 6.12.0 #1"


def fault_of(said: str) -> Fault:
    (fault,) = kernel_log.faults(kernel_lines.lines_of(said, 0, 1000))
    return fault


@pytest.mark.parametrize(
    ("said", "code", "module", "offset"),
    [
        (POWER, "SIGSEGV", "libring.so", None),
        ("scan[12]: bus error (7) at 0 nip 1000a14 lr 1000a14 code 1 in scan[a14,1000+500]", "SIGBUS", "scan", 0xA14),
        ("scan[12]: unhandled signal 4 at 00000000 nip 10000a14 lr 10000a18 code 30001", "SIGILL", "scan", None),
        ("scan[12]: unhandled signal 11 code 0x1 at 0x0000000000000000 in scan[10000+1000]", "SIGSEGV", "scan", None),
        ("scan[12]: unhandled signal 4 code 0x1 at 0x0000003f in ring.so[5a0,3f0000+1000]", "SIGILL", "ring.so", 0x5A0),
        ("scan[12]: unhandled exception: DABT (lower EL), ESR 0x0000000092000005, level 1 translation fault in "
         "libring.so[1678,aaaac5b80000+1000]", "SIGSEGV", "libring.so", 0x1678),
        ("scan[12]: unhandled exception: undefined instruction in scan[400000+1000]", "SIGILL", "scan", None),
        ("scan[12]: unhandled exception: SP Alignment, ESR 0x9a, SP/PC alignment exception", "SIGBUS", "scan", None),
        ("scan[12]: unhandled exception: BRK (AArch64), ESR 0xf2, BRK handler in scan[40+1]", "SIGTRAP", "scan", None),
        ("scan[12]: unhandled level 2 translation fault (11) at 0x00000000, esr 0x92000006, in libring.so[400000+1000]",
         "SIGSEGV", "libring.so", None),
        ("scan[12]: unhandled alignment fault (7) at 0x00000001, esr 0x92000021", "SIGBUS", "scan", None),
        ("scan[12]: segfault at 0000000000000018 rip 0000003f5eb709d0 rsp 0000007fbfffc158 error 4",
         "SIGSEGV", "scan", None),
        ("scan[12]: segfault at 00000018 eip b7f1a2b3 esp bfa1b2c0 error 4", "SIGSEGV", "scan", None),
        ("scan[12]: segfault at 18 ip 0001a2c (rpc 0001a00) sp 7feffb2a3c1 error 1 in libring.so[1a2c,1000+500]",
         "SIGSEGV", "libring.so", 0x1A2C),
        ("scan[12] general protection rip:2b292da2021b rsp:7fff7d766f50 error:0", "SIGSEGV", "scan", None),
        ("scan[12] general protection ip:401234 sp:7fffa1b2c3d0 error:0 in scan[400000+8000]", "SIGSEGV", "scan", None),
        ("scan[12] trap divide error ip:401234 sp:7fffa1b2c3d0 error:0", "SIGFPE", "scan", None),
        ("scan[12] trap invalid operand rip:401234 rsp:7fffa1b2c3d0 error:0", "SIGILL", "scan", None),
        ("traps: scan[12] trap stack segment ip:401234 sp:0 error:0 in scan[1234,401000+2000]",
         "SIGBUS", "scan", 0x1234),
    ],
)  # fmt: skip
def test_each_processor_tells_a_process_its_signal_and_its_place(said, code, module, offset):
    fault = fault_of(f"[  102.000001] {said}")
    assert (fault.domain, fault.code, fault.module, fault.module_offset) == ("user", code, module, offset)
    assert (fault.tags["comm"], fault.tags["pid"], fault.tags["message"]) == ("scan", "12", said)
    assert kernel_log.begins_fault(said)


def test_older_kernels_write_words_for_a_jump_to_nowhere():
    fault = fault_of("scan[12]: segfault at 0 ip           (null) sp 00007ffc2c02c8d0 error 14 in scan[565e39000+80]")
    assert (fault.code, fault.module, fault.tags.get("mapping_offset")) == ("SIGSEGV", "scan", None)


def test_a_place_in_a_mapping_is_no_place_in_its_module():
    assert fault_of(POWER).tags["mapping_offset"] == "0x95a10"


@pytest.mark.parametrize(
    "said",
    [
        "scan[12]: segfault at 0 ip\n00005637c63f3f12 sp 00007fff00aa6d00 error 4 in\nlibring.so[5637c1c5a000+7823000]",
        "scan[12]: segfault at 0 ip 00005637c63f3f12 sp 00007fff00aa6d00\nerror 4 in libring.so[5637c1c5a000+7823000]",
        "scan[12]: segfault at 0 ip 5637c63f3f12 sp 7fff00aa6d00 error 4\nin libring.so[5637c1c5a000+7823]",
        "traps: scan[12] general protection ip:5637c63f3f12\nsp:7fff00aa6d00 error:0 in libring.so[5637c1c5a000+782]",
    ],
)
def test_a_line_that_a_mail_broke_is_one(said):
    for text in (f"[  102.000001] {said}", said):
        fault = fault_of(f"{text}\n[  103.000001] eth0: up")
        assert (fault.code, fault.module, fault.tags["comm"]) == ("SIGSEGV", "libring.so", "scan")
        assert fault.tags["mapping_offset"] == "0x4799f12"


@pytest.mark.parametrize(
    "said",
    [
        "scan[12]: segfault at 0 ip 00005637c63f3f12 sp 00007fff00aa6d00 error 4 in libring.so.1",
        "traps: scan[12] general protection fault ip:5637c63f3f12 sp:7fff00aa6d00 error:0 in libring.so.1",
    ],
)
def test_people_leave_out_the_numbers_of_the_library(said):
    fault = fault_of(f"[  102.000001] {said}")
    assert (fault.code, fault.module, fault.module_offset) == ("SIGSEGV", "libring.so.1", None)


@pytest.mark.parametrize(
    ("place", "module", "offset", "mapping_offset"),
    [
        ("libring.so[f12,5637c1c5a000+78>", "libring.so", 0xF12, None),
        ("libring.so[5637c1c5a000+>", "libring.so", None, "0x4799f12"),
        ("libring.so[5637c1>", "libring.so", None, None),
        ("libri>", "scan", None, None),
    ],
)
def test_journalctl_cuts_what_is_wider_than_the_terminal(place, module, offset, mapping_offset):
    said = f"scan[12]: segfault at 0 ip 00005637c63f3f12 sp 00007fff00aa6d00 error 4 in {place}"
    fault = fault_of(f"[  102.000001] {said}\n[  103.000001] eth0: up")
    assert (fault.module, fault.module_offset, fault.tags.get("mapping_offset")) == (module, offset, mapping_offset)


def test_a_line_without_a_library_may_be_broken_as_well():
    fault = fault_of("[  102.000001] scan[12]: segfault at 0 rip 36f2b0119e rsp\n00007fffffaaf0a0 error 4")
    assert (fault.code, fault.module, fault.tags["pid"]) == ("SIGSEGV", "scan", "12")


def test_a_line_of_no_library_takes_none_of_those_behind_it():
    own = "scan[12]: segfault at 0 ip 5637c63f3f12 sp 7fff00aa6d00 error 4"
    fault = fault_of(f"[  102.000001] {own}\n[  102.000002] Code: 00 00\n[  103.000001] eth0: up")
    assert (fault.module, fault.tags["message"]) == ("scan", own)


def test_mips_tells_the_place_on_the_line_behind():
    fault = fault_of(f"{MIPS}\nepc = 77c3d1c4 in libring.so[77c20000+90000]\nra  = 77c3d1c0 in scan[400000+1000]")
    assert (fault.code, fault.module, fault.tags["mapping_offset"]) == ("SIGSEGV", "libring.so", "0x1d1c4")
    assert (fault.tags["comm"], list(fault.pids)) == ("scan", [])
    assert fault_of(MIPS).module == "scan"


def test_loongarch_tells_the_place_as_mips_does():
    fault = fault_of(f"{MIPS}\nera = 0000000120001a2c in libring.so[1a2c,120000000+8000]")
    assert (fault.code, fault.module, fault.module_offset) == ("SIGSEGV", "libring.so", 0x1A2C)


@pytest.mark.parametrize(
    ("said", "code", "module"),
    [
        (ARM32, "SIGSEGV", "scan"),
        (ARM32.replace("code 0x005", "cause 14"), "SIGSEGV", "scan"),
        (ARM32.replace("page fault (11)", "alignment fault (7)"), "SIGBUS", "scan"),
        (PARISC, "SIGSEGV", "libring.so"),
    ],
)
def test_some_processors_tell_only_the_name_of_the_process_and_its_number_on_a_line_behind(said, code, module):
    fault = fault_of(f"{said}\n[00000018] *pgd=00000000\n{TASK}")
    assert (fault.code, fault.module, fault.tags["comm"], list(fault.pids)) == (code, module, "scan", ["815"])


def test_s390_tells_the_process_on_a_line_behind():
    fault = fault_of(f"{S390}\nFailing address: 0000000000000000 TEID: 0000000000000800\n{TASK}")
    assert (fault.code, fault.module, fault.module_offset) == ("SIGSEGV", "scan", 0x1234)
    assert (fault.tags["comm"], list(fault.pids)) == ("scan", ["815"])
    assert fault_of(S390.replace("003b", "0001")).code == "SIGILL"


@pytest.mark.parametrize("said", [POWER, S390, MIPS, ARM32, PARISC])
def test_a_log_of_such_a_line_is_read_with_or_without_a_stamp(said):
    for before in ("", "[  102.000001] "):
        data = f"{before}{said}\n".encode()
        assert KERNEL_FILE.recognises(head(data))
        (record,) = crashes_of(KERNEL_FILE, data)
        assert (record["domain"], record["code"]) == ("user", "SIGSEGV")


@pytest.mark.parametrize(
    "said",
    [
        "scan[12]: unhandled exception, going on",
        "scan[12]: unhandled request (11) of peer",
        "scan: unhandled request (11) of peer",
        "sending SIGHUP to scan",
        "scan[12] trap door opened",
    ],
)
def test_what_programs_say_is_no_fault(said):
    assert list(kernel_log.faults(kernel_lines.lines_of(said, 0, 10))) == []


@pytest.mark.parametrize("piece", ["a", "[1", " in a", "in a[1+1]", ", ", "0", " (", "a[1]: "])
@pytest.mark.parametrize(
    "start",
    ["a[1]: unhandled exception: ", "a[1]: a (11) at 0 nip ", MIPS.partition(" scan")[0], "a: unhandled ", S390, ""],
)
def test_a_hostile_line_takes_little_time(start, piece):
    lines = list(kernel_lines.lines_of(f"{start}{piece * 2000}\n{MIPS}\nepc = {piece * 2000}", 0, 10))
    costs_at_most(1, lambda: list(kernel_log.faults(lines)))
