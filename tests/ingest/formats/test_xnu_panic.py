"""Panics of Apple's kernel as text: of Intel and Apple silicon, with symbols and without, from consoles and files."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.crashes import Unfit
from ingest.formats.xnu_panic import XNU_PANIC
from tests.ingest.formats.conftest import crashes_of, head

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples"))

SYMBOLS = """\
panic(cpu 0 caller 0xffffff8011200102): "disk_flush: no buffer at 0xffffff8a00112233"@/Volumes/b/xnu-1/bsd/vfs/disk.c:77
Backtrace (CPU 0), Frame : Return Address
0xffffffb000000010 : 0xffffff8011000d75 mach_kernel : _handle_debugger_trap + 0x5d5
0xffffffb000000020 : 0xffffff8011100216 mach_kernel : _panic + 0x54
0xffffffb000000030 : 0xffffff8011200102 mach_kernel : _disk_flush + 0x12
0xffffffb000000040 : 0xffffff8011a00304 com.apple.filesystems.foo : _foo_sync + 0x4
"""
EXTENSIONS = """\
Anonymous UUID:       0A1B2C3D-0000-1111-2222-333344445555

Mon Aug 20 10:27:21 2018

*** Panic Report ***
panic(cpu 3 caller 0xffffff8011389754): Kernel trap at 0xffffff7f8ed979fd, type 14=page fault, registers:
CR0: 0x000000008001003b, CR2: 0x0000000000000010, CR3: 0x0000000008b71000, CR4: 0x00000000000406e0
RFL: 0x0000000000010282, RIP: 0xffffff7f8ed979fd, CS:  0x0000000000000008, SS:  0x0000000000000010

Backtrace (CPU 3), Frame : Return Address
0xffffff91ff2f3610 : 0xffffff801136e166
0xffffff91ff2f3950 : 0xffffff8011389754
0xffffff91ff2f3980 : 0xffffff7f8ed979fd
0xffffff91ff2f3990 : 0xffffff7f8f001234
0xffffff91ff2f3fa0 : 0xffffff801131f4f7
      Kernel Extensions in backtrace:
         com.apple.iokit.IOUSBFoo(900.4.2)[B3A7BE9C-2002-3891-B7D1-A84CEA0AC9E0]@0xffffff7f8ed90000->0xffffff7f8ed9ffff
            dependency: com.apple.iokit.IOPCIFamily(2.9)[1850E7DA-E707-3027-A3AA-637C80B57219]@0xffffff7f8ec94000
         com.acme.driver.Sensor(7.1.2)[5ABF1ED9-18B9-3062-8621-5ED1B70959BD]@0xffffff7f8f000000->0xffffff7f8f00ffff
            dependency: com.apple.iokit.IOUSBFoo(900.4.2)[B3A7BE9C-2002-3891-B7D1-A84CEA0AC9E0]@0xffffff7f8ed90000

BSD process name corresponding to current thread: kernel_task

Mac OS version:
17G9016

Kernel version:
Darwin Kernel Version 17.7.0: Fri Oct  4 23:08:59 PDT 2019; root:xnu-4570.71.57~1/RELEASE_X86_64
Kernel slide:     0x0000000011000000
Kernel text base: 0xffffff8011200000
System model name: MacBookPro14,3 (Mac-551B86E5744E2388)

System uptime in nanoseconds: 578358290430832
last loaded kext at 577922906165287: com.acme.driver.Sensor\t7.1.2 (addr 0xffffff7f8f000000, size 65536)
loaded kexts:
com.acme.driver.Sensor\t7.1.2
"""
SILICON = """\
panic(cpu 3 caller 0xfffffe0013823d64): "port[2]::_linkDown: unexpected status=0xa9000208 (state 0x0)\\n" @Port.cpp:1644
Debugger message: panic
OS version: 24F74
Kernel version: Darwin Kernel Version 24.5.0: Tue Apr 22 19:54:26 PDT 2025; root:xnu-11417.121.6~2/RELEASE_ARM64_T8112
Kernel text base:  0xfffffe001057c000
Kernel text exec base:  0xfffffe0011cf8000
Epoch Time:        sec       usec
  Boot    : 0x683d7a48 0x000e5519
  Sleep   : 0x00000000 0x00000000
  Wake    : 0x00000000 0x00000000
  Calendar: 0x683d7ea1 0x000668c2

CORE 3 is the one that panicked. Check the full backtrace for details.
CORE 4: PC=0xfffffe00127e6658, LR=0xfffffe00128104cc, FP=0xfffffe647e6bba30
Panicked task 0xfffffe29d5fab940: 0 pages, 563 threads: pid 0: kernel_task
Panicked thread: 0xfffffe1974044790, backtrace: 0xfffffe647feeb6c0, tid: 255
\t\t  lr: 0xfffffe0011d54ae0  fp: 0xfffffe647feeb750
\t\t  lr: 0xfffffe00125ddbf4  fp: 0xfffffe647feebc80
\t\t  lr: 0xfffffe0013823d64  fp: 0xfffffe647feebd40
\t\t  lr: 0xfffffe0011d08c48  fp: 0x0000000000000000
      Kernel Extensions in backtrace:
         com.apple.driver.AppleFooPCIe(1.0)[7AFC049A-8EBC-3031-A08F-634289536312]@0xfffffe001381fbf0->0xfffffe00138279f7
"""
ABORT = """\
panic(cpu 3 caller 0xfffffe0013823d64): Kernel data abort. at pc 0xfffffe0014000418, lr 0x9c5afe00140012d0 (saved)
Kernel text exec base:  0xfffffe0011cf8000
Panicked thread: 0xfffffe1974044790, backtrace: 0xfffffe647feeb6c0, tid: 255
\t\t  lr: 0xfffffe0011d54ae0  fp: 0xfffffe647feeb750
\t\t  lr: 0xfffffe0013823d64  fp: 0xfffffe647feeb7d0
\t\t  lr: 0xfffffe0011d08c48  fp: 0xfffffe647feeb800
\t\t  lr: 0xfffffe00140012d0  fp: 0xfffffe647feeb900
\t\t  lr: 0xfffffe0011d08d00  fp: 0x0000000000000000
      Kernel Extensions in backtrace:
         com.apple.driver.AppleBar(1.0)[7AFC049A]@0xfffffe0014001000->0xfffffe00140027f7
         com.apple.driver.AppleFoo(2.0)[7AFC049B]@0xfffffe0014000000->0xfffffe0014000fff
"""
POWERPC = """\
*********

Mon Mar 13 20:21:22 2006

panic(cpu 0 caller 0x000A8D00): 0x300 - Data access
Latest stack backtrace for cpu 0:
      Backtrace:
         0x00095698 0x00095BB0 0x0002683C 0x000A8404 0x000ABC80
Proceeding back via exception chain:
      Exception state (sv=0x3E8F6C80)
         PC=0x7E12F3A4; MSR=0x00009030; DAR=0x00000010; DSISR=0x40000000; LR=0x7E12F2C0; R1=0x220ABCF0
         Backtrace:
0x7E12F2C0 0x7E120000 0x002D05C4
         Kernel loadable modules in backtrace (with dependencies):
            com.acme.driver.Raid(2.1.0)@0x7e11f000
               dependency: com.apple.iokit.IOPCIFamily(1.7)@0x4f2000
      Exception state (sv=0x3E8F6A00)
         PC=0x00000000; MSR=0x0000D030; DAR=0x00000000; DSISR=0x00000000; LR=0x00000000; R1=0x00000000
Kernel version:
Darwin Kernel Version 8.5.0: Sun Jan 22 10:38:46 PST 2006; root:xnu-792.6.61.obj~1/RELEASE_PPC
"""
WATCHDOG = """\
panic(cpu 2 caller 0xfffffe0011cf9000): userspace watchdog timeout: no successful checkins from {} (2 induced crashes)
service: logd, total successful checkins in 1297 seconds: 126, last successful checkin: 0 seconds ago
Kernel text exec base:  0xfffffe0011cf8000
Panicked thread: 0xfffffe1974044790, backtrace: 0xfffffe647feeb6c0, tid: 255
\t\t  lr: 0xfffffe0011cf9000  fp: 0xfffffe647feeb750
\t\t  lr: 0xfffffe0013823d64  fp: 0xfffffe647feebd40
      Kernel Extensions in backtrace:
         com.apple.driver.AppleARMWatchdogTimer(1.0)[7AFC049A]@0xfffffe001381fbf0->0xfffffe00138279f7
"""


def crash(said: str, **told: Any) -> dict[str, Any]:
    (record,) = crashes_of(XNU_PANIC, said.encode(), **told)
    return record


def family(record: dict[str, Any]) -> str:
    frames = [{"module": None, "function": None, "offset": None} | frame for frame in record.get("frames", [])]
    return sign(Shape.of(record | {"frames": frames})).family


def test_a_panic_with_symbols():
    record = crash(SYMBOLS)
    assert len(record.pop("crash_id")) == 32
    assert record == {
        "record": "crash",
        "host_id": "h-told",
        "occurred_at": "2026-11-25T12:00:00Z",
        "time_quality": "log",
        "os_type": "darwin",
        "domain": "kernel",
        "code": "disk_flush: no buffer at 0xffffff8a00112233",
        "module": "mach_kernel",
        "frames": [
            {"module": "mach_kernel", "function": "_handle_debugger_trap", "offset": None},
            {"module": "mach_kernel", "function": "_panic", "offset": None},
            {"module": "mach_kernel", "function": "_disk_flush", "offset": None},
            {"module": "com.apple.filesystems.foo", "function": "_foo_sync", "offset": None},
        ],
        "tags": {"message": "disk_flush: no buffer at 0xffffff8a00112233", "source": "disk.c:77"},
    }
    assert family(record) == "darwin | disk_flush: no buffer at | kernel!disk_flush"


def test_without_symbols_the_extension_that_is_not_apples_is_to_blame():
    record = crash(EXTENSIONS)
    assert len(record.pop("crash_id")) == 32
    assert record == {
        "record": "crash",
        "host_id": "0A1B2C3D-0000-1111-2222-333344445555",
        "occurred_at": "2018-08-20T10:27:21Z",
        "time_quality": "reboot",
        "os_type": "darwin",
        "os_build": "17G9016",
        "domain": "kernel",
        "code": "Kernel trap type 14=page fault",
        "module": "com.acme.driver.Sensor",
        "module_version": "7.1.2",
        "module_offset": 0x1234,
        "uptime_s": 578358.290430832,
        "frames": [
            {"module": "mach_kernel", "function": None, "offset": 0x16E166},
            {"module": "mach_kernel", "function": None, "offset": 0x189754},
            {"module": "com.apple.iokit.IOUSBFoo", "function": None, "offset": 0x79FD},
            {"module": "com.acme.driver.Sensor", "function": None, "offset": 0x1234},
            {"module": "mach_kernel", "function": None, "offset": 0x11F4F7},
        ],
        "tags": {
            "message": "Kernel trap at 0xffffff7f8ed979fd, type 14=page fault, registers:",
            "process": "kernel_task",
            "model": "MacBookPro14,3",
            "kernel": "17.7.0",
        },
    }
    assert family(record) == "darwin | memory | com.acme.driver.sensor"


def test_a_page_writes_its_signs_in_its_own_way():
    page = EXTENSIONS.replace("->", "-&gt;").replace("]@0x", "] @0x").replace("\n", "\n\n")
    assert (crash(page)["module"], crash(page)["module_offset"]) == ("com.acme.driver.Sensor", 0x1234)


def test_where_all_extensions_are_apples_the_place_of_the_fault_is():
    record = crash(EXTENSIONS.replace("com.acme.", "com.apple."))
    assert (record["module"], record["module_offset"]) == ("com.apple.iokit.IOUSBFoo", 0x79FD)
    assert family(record) == "darwin | memory | com.apple.iokit.iousbfoo"


def test_a_clock_that_was_not_set_tells_no_time():
    said = SILICON.replace("0x683d7ea1", "0x00000258").replace("0x683d7a48", "0x00000000")
    (found,) = crashes_of(XNU_PANIC, said.encode())
    assert (found["occurred_at"], found["time_quality"]) == ("2026-11-25T12:00:00Z", "log"), "those of the file"


def test_a_panic_of_apple_silicon():
    record = crash(SILICON)
    assert (record["occurred_at"], record.get("time_quality")) == ("2025-06-02T10:36:17.420034Z", None)
    assert (record["os_build"], record["uptime_s"]) == ("24F74", pytest.approx(1112.48, abs=0.01))
    assert (record["module"], record["module_version"]) == ("com.apple.driver.AppleFooPCIe", "1.0")
    assert record["module_offset"] == 0x13823D64 - 0x1381FBF0
    assert record["frames"][0] == {"module": "mach_kernel", "function": None, "offset": 0x11D54AE0 - 0x11CF8000}
    assert len(record["frames"]) == 4
    assert record["code"] == "port[2]::_linkDown: unexpected status=0xa9000208 (state 0x0)"
    assert record["tags"]["source"] == "Port.cpp:1644"
    assert record["tags"]["process"] == "kernel_task"


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_panic_that_was_filled_to_a_width_tells_the_same(columns):
    whole = SILICON.replace("OS version:", "Memory ID: 0xff\nOS release type: User\nOS version:")
    filled = textwrap.fill(" ".join(whole.split()), columns, break_on_hyphens=False, break_long_words=False)
    assert XNU_PANIC.recognises(head(filled.encode()))
    expected, found = crash(whole), crash(filled)
    assert {**found, "crash_id": None} == {**expected, "crash_id": None}


@pytest.mark.parametrize(
    ("line", "code", "known"),
    [
        ("Kernel data abort. at pc 0xfffffff0172c4244, lr 0xfffffff0172c41b8 (saved state: 0x1)", "Kernel data abort",
         "memory"),
        ("Undefined kernel instruction: pc=0xfffffff0172c4244 instr=0", "Undefined kernel instruction", "trap"),
        ("Kernel instruction fetch abort: pc=0xffffff801c2ef1f0 iss=0xf", "Kernel instruction fetch abort", "memory"),
        ("Break 0x0001 instruction exception from kernel. Panic (by design) at pc 0xfffffe004d289d44, lr 0x1",
         "Break 0x0001 instruction exception from kernel. Panic (by design)", "trap"),
        ("fault told to the kernel: a page fault at 0x1", "fault told to the kernel: a page fault at 0x1", "memory"),
        ("Machine Check at 0xffffff80021020ba, registers:", "Machine Check at 0xffffff80021020ba, registers:",
         "hardware"),
        ("Kernel trap at 0xffffff80021020ba, type 8=double fault, registers:", "Kernel trap type 8=double fault",
         "stack"),
        ("Kernel trap at 0xffffff80021020ba, type = 14=page fault, registers:", "Kernel trap type 14=page fault",
         "memory"),
        ("initproc exited -- exit reason namespace 2 subcode 0xa description: none",
         "initproc exited -- exit reason namespace 2 subcode 0xa description: none", "critical_process"),
        ('"Unable to find driver for this platform: \\"ACPI\\".\\n"@/SourceCache/xnu/IOPlatformExpert.cpp:1',
         'Unable to find driver for this platform: \\"ACPI\\".', 'Unable to find driver for this platform: \\"ACPI\\"'),
        ("[kext.kalloc.48]: element modified after free (off:0, val:0x1)",
         "[kext.kalloc.48]: element modified after free (off:0, val:0x1)", "corruption"),
    ],
)  # fmt: skip
def test_what_a_kernel_died_of(line, code, known):
    record = crash(f"panic(cpu 0 caller 0xfffffff016de32d4): {line}\nDebugger message: panic\n")
    assert record["code"] == code
    assert family(record).split(" | ")[1].split(" ")[0] == known.split(" ")[0]


def test_on_arm_a_fault_is_where_the_first_line_says_and_not_where_it_panics():
    record = crash(ABORT)
    assert (record["module"], record["module_offset"]) == ("com.apple.driver.AppleFoo", 0x418)
    names = [frame["module"].rpartition(".")[2] for frame in record["frames"]]
    assert names == ["mach_kernel", "mach_kernel", "mach_kernel", "AppleFoo", "AppleBar", "mach_kernel"]
    unsigned = crash(ABORT.replace("lr 0x9c5afe00140012d0", "lr 0xfffffe00140012d0"))
    assert unsigned["frames"] == record["frames"]
    null = crash(ABORT.replace("pc 0xfffffe0014000418", "pc 0x0000000000000000"))
    assert (null["module"], null["module_offset"]) == ("com.apple.driver.AppleBar", 0x2D0), "who called nothing"
    own = crash(
        ABORT.replace("pc 0xfffffe0014000418", "pc 0xfffffe0011cf9000").replace("lr 0x9c5afe00140012d0", "lr 0x1")
    )
    assert (own["module"], own["module_offset"]) == ("mach_kernel", 0x1000)
    other = crash(ABORT.replace("com.apple.driver.AppleBar", "com.acme.Bar"))
    assert (other["module"], other["module_offset"]) == ("com.acme.Bar", 0x2D0), "not Apple's"


def test_a_panic_of_powerpc_has_its_addresses_in_rows():
    record = crash(POWERPC)
    assert (record["code"], record["module"], record["module_version"]) == (
        "0x300 - Data access", "com.acme.driver.Raid", "2.1.0",
    )  # fmt: skip
    assert record["module_offset"] == 0x7E12F3A4 - 0x7E11F000
    assert [frame["offset"] for frame in record["frames"]] == [0x103A4, 0x102C0, 0x1000, 0x2D05C4]
    plain = crash(POWERPC.partition("Proceeding")[0])
    assert (plain["module"], len(plain["frames"])) == ("mach_kernel", 5)


def test_mac_os_x_10_3_calls_a_panic_a_trap_that_nobody_resolved():
    head = "panic(cpu 0 caller 0x000A8D00): 0x300 - Data access"
    trap = "Unresolved kernel trap(cpu 0): 0x300 - Data access DAR=0x0000000000000010 PC=0x000000007E12F3A4"
    told, older = crash(POWERPC), crash(POWERPC.replace(head, trap))
    assert older | {"crash_id": told["crash_id"]} == told
    assert crash(POWERPC.replace(head, f"{trap}\n{head}"))["code"] == "0x300 - Data access", "one crash"
    page = POWERPC.replace(head, trap).replace("0x", "0×").replace(" - ", " – ")
    assert crash(page) == older


def test_a_watchdogs_panic_is_of_the_service_that_did_not_answer():
    server, logd, older = (crash(WATCHDOG.format(name)) for name in ("WindowServer", "logd", "com.apple.WindowServer"))
    assert (server["module"], server["domain"]) == ("WindowServer", "kernel")
    assert family(server) == family(older) == "darwin | hang | windowserver"
    assert family(logd) == "darwin | hang | logd"


def test_a_bundle_that_the_kernel_suspects():
    record = crash(
        "panic(cpu 0 caller 0xffffff8011389754): Wake transition timed out after 180 seconds while calling power state "
        "change callbacks. Suspected bundle: com.acme.driver.Sensor. Thread 0x7a. @IOServicePM.cpp:5524\n"
    )
    assert (record["module"], record["tags"]["source"]) == ("com.acme.driver.Sensor", "IOServicePM.cpp:5524")


def test_an_extension_that_only_sees_the_trap_is_not_to_blame():
    hooked = EXTENSIONS.replace("com.acme.", "com.apple.").replace("Return Address\n", "Return Address\n0x1 : 0x5004\n")
    hook = "com.acme.Hook(1.0)@0x5000->0x5fff\n         com.apple.iokit.IOUSBFoo(900"
    record = crash(hooked.replace("com.apple.iokit.IOUSBFoo(900", hook, 1))
    assert record["frames"][0] == {"module": "com.acme.Hook", "function": None, "offset": 4}
    assert record["module"] == "com.apple.iokit.IOUSBFoo"


def test_an_extension_that_is_told_without_its_place():
    said = "panic(cpu 4 caller 0xfffffe001): Kernel data abort\nKernel Extensions in backtrace:\n"
    record = crash(
        said + "com.apple.foo(2.9)\n   dependency: com.acme.base(1)\ncom.acme.tunnel(1.2)\ncom.acme.late(3)\n"
    )
    assert (record["module"], record["module_version"], "module_offset" in record) == ("com.acme.tunnel", "1.2", False)


def test_a_message_on_a_line_of_its_own():
    record = crash('panic(cpu 1 caller 0x1ad754a):\n"assertion failed: x"@/Volumes/depot/arc.c:42\nBacktrace (CPU 1)\n')
    assert (record["code"], record["tags"]["source"]) == ("assertion failed: x", "arc.c:42")


def test_an_assertion_is_told_by_its_own_place_and_not_by_where_it_panics():
    said = "assertion failed: ring->used >= 0, file: /Builds/4~Cx/xnu/bsd/net/ring.c, line: 42 @uipc_ring.c:8256\n"
    record = crash("panic(cpu 2 caller 0xfffffe0057271718): " + said)
    assert (record["code"], record["tags"]["source"]) == ("assertion failed: ring->used >= 0", "ring.c:42")


def test_a_32_bit_kernel():
    record = crash(
        'panic(cpu 0 caller 0x47f5ad): "Process 1 exec of /sbin/launchd failed, errno 5\\n"'
        "@/SourceCache/xnu/xnu-1504.15.3/bsd/kern/kern_exec.c:3145\n"
        "Debugger called: <panic>\nBacktrace (CPU 0), Frame : Return Address (4 potential args on stack)\n"
        "0x34bf3e48 : 0x21b837 (0x5dd7fc 0x34bf3e7c 0x223ce1 0x0)\n"
        "0x34bf3e98 : 0x47f5ad (0x5cf950 0x831c08 0x5 0x0)\n"
        "      Kernel Extensions in backtrace (with dependencies):\n"
        "         com.acme.Old(1.2)@0x47f000->0x480fff\n\nMac OS version:\nNot yet set\n"
        "System uptime in nanoseconds: 13239332027\n"
    )
    assert (record["module"], record["module_offset"], record["uptime_s"]) == ("com.acme.Old", 0x5AD, 13.239332027)
    assert "os_build" not in record


def test_a_log_has_its_clock_before_each_line():
    lines = EXTENSIONS.partition("*** Panic Report ***\n")[2].splitlines()
    logged = "\n".join(f"Aug 20 10:27:28 epsilon kernel[0]: {line}" for line in lines)
    plain = crash("\n".join(lines))
    unified = "\n".join(f"2018-08-20 10:27:28.000000+0200 0x1 Default 0x0 0 0 kernel: {line}" for line in lines)
    assert crash(unified) == plain
    assert crash(logged) == plain
    assert crash("\r\n".join(lines)) == plain
    assert crash("\r\r\n".join(lines)) == plain
    assert crash("\n".join(f"   {line}" for line in lines)) == plain


def test_a_console_with_two_starts_has_two_crashes_and_a_panic_on_top_is_none():
    boot = "Darwin Kernel Version 20.3.0: Thu Jan 21 00:07:06 PST 2021; root:xnu-7195.81.3~1/RELEASE_X86_64\n"
    nested = "panic(cpu 1 caller 0xffffff8011200abc): double panic\n"
    first, second = crashes_of(XNU_PANIC, (boot + SYMBOLS + nested + boot + "..\n" + SILICON).encode())
    assert (first["tags"]["source"], second["tags"]["source"]) == ("disk.c:77", "Port.cpp:1644")
    assert crashes_of(XNU_PANIC, (boot + "launchd: started\n").encode()) == []


def test_the_same_panic_has_the_same_id_and_another_has_not():
    assert crash(SYMBOLS)["crash_id"] == crash("junk\n" + SYMBOLS.replace("\n", "\r\n"))["crash_id"]
    assert crash(SYMBOLS)["crash_id"] != crash(SYMBOLS.replace("0xffffff8011200102", "0xffffff8011200105"))["crash_id"]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\n",
        b"Kernel panic - not syncing: Fatal exception\n",
        b"panic: runtime error: index out of range\n",
        b'{"record": "crash", "crash_id": "a", "tags": {"message": "panic(cpu 0 caller 0x1): x"}}\n',
        b'{"bug_type":"210"}\n{"panicString" : "panic(cpu 0 caller 0x1): x"}',
        b"record,crash_id,code\ncrash,a,panic(cpu 0 caller 0x1): x\n",
        b"Process: a [1]\nIdentifier: b\nException Type: EXC_CRASH (SIGABRT)\n",
        b"\x00\x01\x02\x03" * 100,
    ],
)
def test_what_is_none_is_not_recognised(said):
    assert not XNU_PANIC.recognises(head(said, "a.panic"))
    with pytest.raises(Unfit):
        crashes_of(XNU_PANIC, said if b"panic(cpu" not in said else b"")


def test_marks_of_code_are_no_part_of_a_panic():
    assert crash(f"It says\n\n`{SILICON.strip()}`\n")["crash_id"] == crash(SILICON.strip())["crash_id"]


@pytest.mark.parametrize("said", [SYMBOLS, EXTENSIONS, SILICON, WATCHDOG, "\n\n   " + SYMBOLS, f"`{SYMBOLS}`"])
def test_panics_are_recognised(said):
    assert XNU_PANIC.recognises(head(said.encode()))
    assert XNU_PANIC.recognises(head(b"\xff\xfe" + said.encode("utf-16-le")))


@given(st.binary(max_size=300), st.integers(0, len(EXTENSIONS)))
def test_no_bytes_break_it(junk, at):
    for data in (junk, EXTENSIONS.encode()[:at] + junk + EXTENSIONS.encode()[at:]):
        try:
            found = crashes_of(XNU_PANIC, data)
        except Unfit:
            found = []
        assert len(found) <= 2


def test_it_may_end_anywhere():
    for at in range(EXTENSIONS.index("panic(cpu") + 40, len(EXTENSIONS), 7):
        assert crash(EXTENSIONS[:at])["domain"] == "kernel"


@pytest.mark.parametrize(
    "said",
    [
        "panic(cpu 0): x\n" * 100_000,
        "panic(cpu 0): " + "x" * 2_000_000,
        "panic(cpu 0): x\n" + ("0x1 : 0x2 a : " + " x" * 500 + "\n") * 2000,
        "panic(cpu 0): x\n" + "com.a(" * 300_000,
        " kernel" * 300_000 + "panic(cpu 0): x\n",
        "panic(cpu 0): x" + " @a:b" * 400_000,
        "panic(cpu 0): x Debugger message: x Memory ID: 0x1 OS " + "a.a-" * 400_000,
        "panic(cpu 0): x Debugger message: x Memory ID: 0x1 OS " + " a.a" * 400_000,
    ],
)
def test_hostile_panics_take_no_time(said):
    assert len(crashes_of(XNU_PANIC, said.encode()) if said.startswith("panic") else []) <= 1


def test_recorded_panics_are_of_the_function_that_their_title_names():
    folder = SAMPLES / "xnu_panic"
    if not folder.exists():
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    deciders = {"0": "in6p_lookup_mcast_ifp", "1": "grab_memory_for_meta_buf", "2": "in6p_route_copyout"}
    for name, function in deciders.items():
        said = (folder / name).read_text().partition("\n\n")[2]
        assert XNU_PANIC.recognises(head(said.encode()))
        assert family(crash(said)).endswith(f"kernel!{function}")


def test_a_panic_without_a_message_has_no_code():
    said = "panic(cpu 3 caller 0xffffff801852f830): \nBacktrace (CPU 3), Frame : Return Address\n"
    (crash,) = crashes_of(XNU_PANIC, said.encode())
    assert ("code" in crash, "tags" in crash) == (False, False)
