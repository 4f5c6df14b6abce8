"""Crash reports of macOS and iOS as text: each maker's and each age's, whole and cut short."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.apple_text import APPLE_TEXT
from ingest.formats.crashes import Unfit
from tests.ingest.formats.conftest import crashes_of, head

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples"))

MAC = """\
Process:               Acme Sync Helper [4711]
Path:                  /Users/ada/Applications/Acme Sync.app/Contents/MacOS/Acme Sync Helper
Identifier:            com.acme.sync.helper
Version:               7.2.1 (7021)
Code Type:             X86-64 (Native)
Parent Process:        launchd [1]
User ID:               501

Date/Time:             2020-07-29 01:39:07.082 +0200
OS Version:            Mac OS X 10.15.7 (19H2)
Report Version:        12
Anonymous UUID:        0A1B2C3D-0000-1111-2222-333344445555

Time Awake Since Boot: 43000 seconds
Time Since Wake:       1200 seconds

System Integrity Protection: enabled

Crashed Thread:        1  Dispatch queue: com.acme.sync

Exception Type:        EXC_BAD_ACCESS (SIGSEGV)
Exception Codes:       KERN_INVALID_ADDRESS at 0x0000000000000010
Exception Note:        EXC_CORPSE_NOTIFY

Termination Signal:    Segmentation fault: 11
Termination Reason:    Namespace SIGNAL, Code 0xb

Application Specific Information:
could not open /Users/ada/Library/sync.db

Thread 0:: Dispatch queue: com.apple.main-thread
0   libsystem_kernel.dylib        \t0x00007fff61bc6c2a mach_msg_trap + 10
1   com.apple.CoreFoundation      \t0x00007fff349f505e __CFRunLoopRun + 1240

Thread 1 Crashed:: Dispatch queue: com.acme.sync
0   libobjc.A.dylib               \t0x00007fff60a00020 objc_msgSend + 32
1   com.acme.sync.helper          \t0x0000000108b7092b -[SyncDatabase open:] + 64 (SyncDatabase.m:12)
2   com.acme.sync.helper          \t0x0000000108b702a6 0x10864e000 + 5382822
3   ???                           \t0x0000000054485244 0 + 1414025796
4   libdispatch.dylib             \t0x00007fff61a5a6c4 _dispatch_call_block_and_release + 12

Thread 1 crashed with X86 Thread State (64-bit):
  rax: 0x20261bb4775b008f  rbx: 0x0000000000000000  rcx: 0x0000000128867 6c0

Binary Images:
       0x10864e000 -        0x10ee0ffff +com.acme.sync.helper (7.2.1 - 7021) <2D903291> /Users/*/Acme Sync Helper
    0x7fff349b9000 -     0x7fff34e4dff7  com.apple.CoreFoundation (6.9 - 1677) <C1A4> /System/Library/CoreFoundation
    0x7fff60a00000 -     0x7fff60a2bfff  libobjc.A.dylib (787.1) <AB> /usr/lib/libobjc.A.dylib
    0x7fff61a59000 -     0x7fff61a9ffff  libdispatch.dylib (1173) <AC> /usr/lib/system/libdispatch.dylib
    0x7fff61bc6000 -     0x7fff61bf2fff  libsystem_kernel.dylib (6153) <AD> /usr/lib/system/libsystem_kernel.dylib

External Modification Summary:
  Calls made by other processes targeting this process:
    task_for_pid: 0
"""
PHONE = """\
Incident Identifier: 8B8D7A5F-13CF-4943-BA6B-1B0EC51D312A
CrashReporter Key:   90c92369f81f72aec2605dedd44a5d3b6370ac97
Hardware Model:      iPhone9,4
Process:             Acme [424]
Path:                /private/var/containers/Bundle/Application/DDD157FD/Acme.app/Acme
Identifier:          com.acme.app
Version:             18 (1.6)
Code Type:           ARM-64 (Native)

Date/Time:           2020-07-29 01:39:07.0825 +0800
OS Version:          iPhone OS 13.4.1 (17E262)
Report Version:      104

Exception Type:  EXC_CRASH (SIGABRT)
Exception Codes: 0x0000000000000000, 0x0000000000000000
Triggered by Thread:  0

Last Exception Backtrace:
(0x190f0a98c 0x1900e39f8 0x1020b9dbc)

Thread 0 name:  Dispatch queue: com.apple.main-thread
Thread 0 Crashed:
0   libsystem_kernel.dylib        \t0x0000000190aa70dc 0x190a84000 + 143580
1   libsystem_c.dylib             \t0x00000001909ffea8 0x1909a5000 + 372392

Binary Images:
0x1020b8000 - 0x1021bbfff Acme arm64  <6b0fe5ac> /private/var/containers/Bundle/Application/DDD157FD/Acme.app/Acme
0x1900de000 - 0x190865fff libobjc.A.dylib arm64  <1167a03d> /usr/lib/libobjc.A.dylib
0x190df2000 - 0x19114ffff CoreFoundation arm64  <9a052c08> /System/Library/CoreFoundation
"""
HANG = """\
Date/Time:        2022-03-01 10:00:00.123 +0100
End time:         2022-03-01 10:00:05.123 +0100
OS Version:       macOS 12.2.1 (Build 21D62)
Architecture:     arm64e
Report Version:   35

Command:          Acme Mail
Path:             /Applications/Acme Mail.app/Contents/MacOS/Acme Mail
Identifier:       com.acme.mail
Version:          16.1 (900)
Parent:           launchd [1]
PID:              812

Event:            hang
Duration:         4.99s
Steps:            50 (100ms sampling interval)

Time Awake Since Boot: 90s

Heaviest stack for the main thread of the target process:
  50  start + 520 (dyld + 24516) [0x1000]
  50  ??? (Acme Mail + 18536) [0x104f30868]
  50  -[MailStore (Sync) waitForLock] + 64 (MailKit + 4096) [0x104f57228]
  49  __psynch_mutexwait + 8 (libsystem_kernel.dylib + 18424) [0x1c8e0a7f8]

Process:          Acme Mail [812]
"""


def crash(said: str, **told: Any) -> dict[str, Any]:
    (record,) = crashes_of(APPLE_TEXT, said.encode(), **told)
    return record


def family(record: dict[str, Any]) -> str:
    frames = [{"module": None, "function": None, "offset": None} | frame for frame in record.get("frames", [])]
    return sign(Shape.of(record | {"frames": frames})).family


def test_a_report_of_macos():
    record = crash(MAC)
    assert len(record.pop("crash_id")) == 32
    assert record == {
        "record": "crash",
        "host_id": "0A1B2C3D-0000-1111-2222-333344445555",
        "occurred_at": "2020-07-29 01:39:07.082+02:00",
        "os_type": "darwin",
        "os_version": "10.15.7",
        "os_build": "19H2",
        "domain": "user",
        "code": "EXC_BAD_ACCESS",
        "module": "Acme Sync Helper",
        "module_version": "7.2.1",
        "module_offset": 0x108B7092B - 0x10864E000,
        "uptime_s": 43000,
        "frames": [
            {"module": "libobjc.A.dylib", "function": "objc_msgSend", "offset": 32},
            {"module": "Acme Sync Helper", "function": "-[SyncDatabase open:]", "offset": 0x52292B},
            {"module": "Acme Sync Helper", "function": None, "offset": 5382822},
            {"module": None, "function": None, "offset": None},
            {"module": "libdispatch.dylib", "function": "_dispatch_call_block_and_release", "offset": 0x16C4},
        ],
        "tags": {
            "process": "Acme Sync Helper",
            "pid": "4711",
            "bundle_id": "com.acme.sync.helper",
            "app_version": "7.2.1 (7021)",
            "exception": "EXC_BAD_ACCESS (SIGSEGV)",
            "exception_codes": "KERN_INVALID_ADDRESS at 0x0000000000000010",
            "message": "could not open ~/Library/sync.db",
            "termination": "Namespace SIGNAL, Code 0xb",
        },
    }
    assert family(record) == "darwin | memory | acme sync helper!-[SyncDatabase open:]"


def test_a_report_of_ios_is_told_by_the_exception_that_was_thrown():
    record = crash(PHONE)
    assert record["crash_id"] == "8B8D7A5F-13CF-4943-BA6B-1B0EC51D312A"
    assert record["host_id"] == "90c92369f81f72aec2605dedd44a5d3b6370ac97"
    assert record["occurred_at"] == "2020-07-29 01:39:07.0825+08:00"
    assert (record["os_version"], record["os_build"], record["code"]) == ("13.4.1", "17E262", "SIGABRT")
    assert record["frames"] == [
        {"module": "CoreFoundation", "function": None, "offset": 0x190F0A98C - 0x190DF2000},
        {"module": "libobjc.A.dylib", "function": None, "offset": 0x1900E39F8 - 0x1900DE000},
        {"module": "Acme", "function": None, "offset": 0x1DBC},
    ]
    assert (record["module"], record["module_offset"], record["tags"]["model"]) == ("Acme", 0x1DBC, "iPhone9,4")
    assert family(record) == "darwin | abort | acme"


def test_a_thrown_exception_with_its_symbols():
    thrown = (
        "Application Specific Backtrace 1:\n"
        "0   CoreFoundation                      0x00007fff8b5c4b06 __exceptionPreprocess + 198\n"
        "1   libobjc.A.dylib                     0x00007fff9b9d9111 objc_exception_throw + 48\n"
        "2   Acme Sync Helper                    0x0000000108b7092b -[SyncDatabase close] + 64\n\n"
    )
    said = MAC.replace("EXC_BAD_ACCESS (SIGSEGV)", "EXC_CRASH (SIGABRT)")
    record = crash(said.replace("Thread 0::", thrown + "Thread 0::"))
    assert [frame["function"] for frame in record["frames"]][-1] == "-[SyncDatabase close]"
    assert family(record) == "darwin | abort | acme sync helper!-[SyncDatabase close]"


@pytest.mark.parametrize(
    ("said", "code", "domain"),
    [
        ("Exception Type:  EXC_CRASH (SIGKILL)\nTermination Reason: Namespace SPRINGBOARD, Code 0x8badf00d",
         "0x8badf00d", "hang"),
        ("Exception Type:  EXC_CRASH (SIGKILL)\nTermination Reason: FRONTBOARD 2343432205", "0x8badf00d", "hang"),
        ("Exception Type:  00000020\nException Codes: 0x000000008badf00d", "0x8badf00d", "hang"),
        ("Exception Type:  EXC_CRASH (SIGKILL)\nTermination Reason: RUNNINGBOARD 0xdead10cc", "0xdead10cc", "user"),
        ("Exception Type:  EXC_CRASH (Code Signature Invalid)", "CODESIGNING", "user"),
        ("Exception Type:  EXC_BAD_ACCESS (SIGKILL (Code Signature Invalid))", "CODESIGNING", "user"),
        ("Exception Type:  EXC_CRASH (SIGKILL)", "SIGKILL", "user"),
        ("Exception Type:  EXC_BREAKPOINT (SIGTRAP)", "EXC_BREAKPOINT", "user"),
        ("Exception Type:  SIGSEGV\nException Codes: SEGV_MAPERR at 0x88", "SIGSEGV", "user"),
        ("Exception:  EXC_BAD_ACCESS (0x0001)\nCodes: KERN_INVALID_ADDRESS (0x0001) at 0x1", "EXC_BAD_ACCESS", "user"),
    ],
)  # fmt: skip
def test_what_a_process_ended_with(said, code, domain):
    record = crash(f"Process: Acme [1]\nDate/Time: 2020-01-01 00:00:00.000 +0000\n{said}\n\nThread 0:\n")
    assert (record["code"], record["domain"], record["module"]) == (code, domain, "Acme")


@pytest.mark.parametrize(
    ("exception", "code"), [("EXC_BREAKPOINT (SIGTRAP)", "DYLD"), ("EXC_BAD_ACCESS (SIGSEGV)", "EXC_BAD_ACCESS")]
)
def test_what_the_loader_lacked_is_told_below_a_heading(exception, code):
    said = "Library not loaded: @rpath/libring.dylib\n  Referenced from: /opt/acme\n  Reason: image not found"
    record = crash(
        f"Process: Acme[17]\nDate/Time: 2014-01-01 00:00:00.000 +0000\nException Type:  {exception}\n\n"
        f"Dyld Error Message:\n  {said}\n\nBinary Images:\n"
    )
    assert (record["code"], record["module"], record["tags"]["pid"]) == (code, "Acme", "17")
    assert record["tags"]["message"] == " ".join(said.split())


def test_the_thread_that_crashed_is_told_by_its_heading_or_else_by_the_head():
    plain = MAC.replace("Thread 1 Crashed:: Dispatch queue: com.acme.sync", "Thread 1:")
    assert crash(plain)["frames"][0]["function"] == "objc_msgSend"
    assert crash(plain.replace("Crashed Thread:        1  D", "Crashed Thread:        0  D"))["frames"][0][
        "function"
    ] == ("mach_msg_trap")
    assert "frames" not in crash(plain.replace("Crashed Thread:        1  D", "Crashed Thread:        Unknown, D"))


def test_a_report_that_console_translated():
    said = MAC.replace("Thread 1 Crashed::", "Thread 1::").replace(
        "1  Dispatch queue: com.acme.sync", "1, Dispatch Queue"
    )
    record = crash(said.replace("Anonymous UUID:      ", "Crash Reporter Key:  "))
    assert record["frames"][0]["function"] == "objc_msgSend"
    assert record["host_id"] == "0A1B2C3D-0000-1111-2222-333344445555"


def test_the_systems_own_code_is_told_by_its_path():
    for path, module in (
        ("/System/Library/X.framework/X", "Acme Sync Helper"),
        ("/Volumes/Sim/RuntimeRoot/usr/lib/libx.dylib", "Acme Sync Helper"),
        ("/System/Volumes/Data/Applications/X.app/X", "X"),
        ("/usr/local/lib/libx.dylib", "libx.dylib"),
    ):
        assert crash(MAC.replace("/Users/*/Acme Sync Helper", path))["module"] == module


@pytest.mark.parametrize(
    "place",
    [
        "0x10864e000 + 5382822 (-[SyncDatabase open:] + 64)",
        "0x10864e000 + 5382822 (-[SyncDatabase open:] + 64) (SyncDatabase.m:12)",
        "0x10864e000 + 5382822     // -[SyncDatabase open:]",
        "0x10864e000 + 0x5222a6    // -[SyncDatabase open:]",
        "0x10864e000 + 0x5222a6\t// -[SyncDatabase open:] + 0x40",
    ],
)
@pytest.mark.parametrize("images", [True, False])
def test_a_function_may_stand_behind_its_place_in_the_image(place, images):
    said = MAC if images else MAC.partition("Binary Images:")[0]
    said = said.replace("0x00007fff60a00020 objc_msgSend + 32", "0x00007fff60a00020 0x0 + 7245929960 (<redacted> + 4)")
    frames = crash(said.replace("0x10864e000 + 5382822", place))["frames"]
    assert (frames[2]["function"], frames[2]["offset"]) == ("-[SyncDatabase open:]", 0x5222A6)
    assert frames[0]["function"] is None


def test_an_image_in_a_functions_place_is_no_function():
    line = "2   com.acme.sync.helper          \t0x0000000108b702a6 "
    for there in ("0x10864e000 + 5382822", "com.acme.sync.helper + 5382822", "0x10864e000 + 5382822 [inlined]"):
        said = MAC.replace(f"{line}0x10864e000 + 5382822", line + there)
        assert crash(said)["frames"][2] == {"module": "Acme Sync Helper", "function": None, "offset": 5382822}


OLDER = (
    "Host Name:      ada-mac.local\nDate/Time:      2006-02-03 10:11:12.123 +0100\n"
    "OS Version:     10.4.4 (Build 8G32)\nReport Version: 4\n\nCommand: Acme\n"
    "Path:    /Applications/Acme.app/Contents/MacOS/Acme\nParent:  WindowServer [60]\n\n"
    "Version: 2.0 (20)\n\nPID:    321\nThread: 1\n\nException:  EXC_BAD_ACCESS (0x0001)\n"
    "Codes:      KERN_INVALID_ADDRESS (0x0001) at 0x6c6c616d\n\n"
    "Thread 0:\n0   libSystem.B.dylib \t0x9000a778 mach_msg_trap + 8\n\n"
    "Thread 1 Crashed:\n0   Acme \t0x00002a3c run + 60 (main.c:10)\n"
)


def test_an_older_report_without_images():
    record = crash(OLDER)
    assert (record["host_id"], record["os_version"], record["os_build"]) == ("ada-mac.local", "10.4.4", "8G32")
    assert (record["module"], record["module_version"], record["tags"]["pid"]) == ("Acme", "2.0", "321")
    assert record["frames"] == [{"module": "Acme", "function": "run", "offset": None}]


def test_the_processor_of_an_image_is_no_version():
    told = "(7.2.1 - 7021) <2D903291> /Users/*/Acme Sync Helper"
    assert crash(MAC.replace(told, "(3.1) <2D903291> /Users/*/SyncKit"))["module_version"] == "3.1"
    found = crash(MAC.replace(told, "(x86_64)  <2D903291> /Users/*/SyncKit"))
    assert (found["module"], found.get("module_version")) == ("SyncKit", None)


def test_without_images_a_frame_may_name_the_program_by_its_bundle():
    said = MAC.partition("Binary Images:")[0].replace("0x10864e000 + 5382822", "0x10864e000 + 4096")
    record = crash(said)
    assert (record["module"], record["frames"][1]["function"]) == ("Acme Sync Helper", "-[SyncDatabase open:]")
    assert record["frames"][2] == {"module": "Acme Sync Helper", "function": None, "offset": 4096}
    assert {frame["module"] for frame in record["frames"][3:]} == {None, "libdispatch.dylib"}


def test_an_older_report_has_a_tab_before_the_path_of_an_image():
    images = "\nBinary Images Description:\n    0x1000 -   0x52afff com.acme.mail 2.0\t/Applications/Acme.app/Acme\n"
    record = crash(OLDER + images)
    assert record["frames"] == [{"module": "Acme", "function": "run", "offset": 0x2A3C - 0x1000}]


@pytest.mark.parametrize("first_line", ["Host Name:      ada-mac.local\n", "Host:       ada-mac.local\n", ""])
def test_older_reports_stand_one_behind_the_other_in_one_file(first_line):
    report = OLDER.replace("Host Name:      ada-mac.local\n", first_line)
    reports = [report, report.replace("321", "322"), report.replace("321", "323")]
    told = crashes_of(APPLE_TEXT, "".join(f"**********\n\n{one}\n" for one in reports).encode())
    assert told == [crash(one) for one in reports]
    assert [one["tags"]["pid"] for one in told] == ["321", "322", "323"]
    assert told[0]["host_id"] == ("ada-mac.local" if first_line else "h-told")


def test_reports_that_were_put_one_behind_the_other_are_each_read():
    parts = [
        MAC,
        PHONE,
        MAC.replace("[4711]", "[4712]"),
        HANG,
        HANG.replace("812", "813"),
        PHONE.replace("8B8D", "8B8E"),
    ]
    assert crashes_of(APPLE_TEXT, "\n\n".join(parts).encode()) == [crash(part) for part in parts]


def test_a_hang():
    record = crash(HANG)
    assert (record["domain"], record["module"], record["module_offset"]) == ("hang", "Acme Mail", 18536)
    assert (record["os_version"], record["os_build"], record["module_version"]) == ("12.2.1", "21D62", "16.1")
    assert [frame["function"] for frame in record["frames"]] == [
        "__psynch_mutexwait", "-[MailStore (Sync) waitForLock]", None, "start",
    ]  # fmt: skip
    assert record["frames"][1] == {
        "module": "MailKit", "function": "-[MailStore (Sync) waitForLock]", "offset": 4096,
    }  # fmt: skip
    assert family(record).startswith("darwin | hang | mailkit!")
    server = HANG.replace("Event:            hang", "Event:            service process watchdog")
    assert crash(server)["domain"] == "hang"


def test_a_hang_may_tell_the_source_before_the_module():
    lines = "  50  Player.seek(to:) + 63 (Player.swift:231,9 in Acme Mail + 18536) [0x1]\n"
    lines += "  50  Acme_main + 9 (AcmeApp.swift in Acme Mail + 53) [0x2]\n  50  run (Man in Middle + 8) [0x3]\n"
    images = (
        "Binary Images:\n   0x104f2c000 -  ???  com.acme.mail (16.2)  <AA>  /Applications/Acme Mail.app/Acme Mail\n"
    )
    record = crash(HANG.partition("  50  start")[0] + lines + "\n" + images)
    assert [frame["module"] for frame in record["frames"]] == ["Man in Middle", "Acme Mail", "Acme Mail"]
    assert (record["module"], record["module_offset"]) == ("Acme Mail", 53)


@pytest.mark.parametrize("event", ["cpu usage", "disk writes", "wakeups", "none"])
def test_use_of_resources_is_no_crash(event):
    assert crashes_of(APPLE_TEXT, HANG.replace("Event:            hang", f"Event:  {event}").encode()) == []


def test_what_somebody_looked_at_for_a_while_did_not_crash():
    said = (
        "Date/Time:        2024-07-19 06:10:02.123 +0200\nEnd time:         2024-07-19 06:10:12.123 +0200\n"
        "OS Version:       macOS 14.5 (Build 23F79)\nReport Version:   60\n\nData Source:      Stackshots\n"
        "Reason:           manual\nSteps:            1001 (10ms sampling interval)\n\nProcess:          Relay [7]\n"
        "  Thread 0x1a2b    1001 samples (1-1001)\n  1001  start + 6076 (dyld + 26956) [0x1a2b3c4d5]\n"
    )
    assert crashes_of(APPLE_TEXT, said.encode()) == []


def test_a_simulated_crash_is_none():
    simulated = MAC.replace("EXC_CORPSE_NOTIFY", "SIMULATED (this is NOT a crash)")
    assert crashes_of(APPLE_TEXT, simulated.encode()) == []


def test_an_id_that_only_holds_its_place_is_none():
    record = crash(PHONE.replace("8B8D7A5F-13CF-4943-BA6B-1B0EC51D312A", "[TODO]").replace("90c92369f81f7", "TODO\nX:"))
    assert len(record["crash_id"]) == 32
    assert record["host_id"] == "h-told"


def test_line_ends_and_encodings_make_no_other_crash():
    for said in (MAC, PHONE, HANG):
        plain = crash(said)
        assert crashes_of(APPLE_TEXT, said.replace("\n", "\r\n").encode()) == [plain]
        assert crashes_of(APPLE_TEXT, said.replace("\n", "\r").encode()) == [plain]
        assert crashes_of(APPLE_TEXT, b"\xff\xfe" + said.encode("utf-16-le")) == [plain]
        assert crashes_of(APPLE_TEXT, b"\xef\xbb\xbf" + said.encode()) == [plain]


@pytest.mark.parametrize("said", [MAC, PHONE, HANG, PHONE.partition("Last")[2].partition("\n\n")[2]])
def test_reports_are_recognised(said):
    assert APPLE_TEXT.recognises(head(said.encode()))
    assert APPLE_TEXT.recognises(head(said.replace("\n", "\r\n").encode()))
    assert "Thread 0" in said[:20] or APPLE_TEXT.recognises(head(said.replace("\n", "\n    ").encode()))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"ProblemType: Crash\nDate: Tue Mar  1 10:00:00 2022\nExecutablePath: /usr/bin/x\nSignal: 11\n",
        b'{"record":"crash","crash_id":"a"}\n',
        b'{"bug_type":"109"}\nIncident Identifier: 1\nProcess: a [1]\nDate/Time: x\nOS Version: y\n',
        b"panic(cpu 0 caller 0x1): x\nBacktrace (CPU 0), Frame : Return Address\n0x1 : 0x2\n",
        b"record,crash_id\ncrash,a\n",
        b"Thread 0: started\nThread 1: started\n",
    ],
)
def test_what_is_none_is_not_recognised(said):
    assert not APPLE_TEXT.recognises(head(said, "a.crash"))


@given(st.binary(max_size=300), st.integers(0, len(MAC)))
def test_no_bytes_break_it(junk, at):
    for data in (junk, MAC.encode()[:at] + junk + MAC.encode()[at:]):
        APPLE_TEXT.recognises(head(data))
        with suppress(Unfit):
            assert len(crashes_of(APPLE_TEXT, data)) <= 1


def test_a_report_may_end_anywhere():
    for said, told in ((MAC, "1  Dispatch"), (PHONE, "EXC_CRASH"), (HANG, "hang\n")):
        for at in range(said.index(told) + len(told), len(said), 9):
            assert crash(said[:at])["os_type"] == "darwin"


@pytest.mark.parametrize(
    "said",
    [
        "Thread 0 Crashed:\n" * 100_000,
        "Thread 0 Crashed:\n" + "0 a 0x1 b\n" * 200_000,
        "Thread 0 Crashed:\n" + ("0 " + " (" * 900 + " 0x1 " + "(:" * 900 + "\n") * 1000,
        "Binary Images:\n" + "0x1 - 0xf a <b> /c\n" * 200_000,
        "Exception Type: " + " (" * 1_000_000,
        "Last Exception Backtrace:\n(" + "0x1 " * 1_000_000,
    ],
)
def test_hostile_reports_take_no_time(said):
    with suppress(Unfit):
        assert len(crashes_of(APPLE_TEXT, said.encode())) <= 1


def test_sample_reports():
    folder = SAMPLES / "apple_crash_text"
    if not folder.exists():
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    for path in folder.iterdir():
        assert APPLE_TEXT.recognises(head(path.read_bytes()))
    handcrafted = crash((folder / "getsentry_apple-crash-report-parser__handcrafted.txt").read_text())
    assert (handcrafted["code"], handcrafted["module"], len(handcrafted["frames"])) == ("SIGSEGV", "YetAnotherMac", 3)
    spaces = crash((folder / "getsentry_apple-crash-report-parser__spaces.txt").read_text())
    assert (spaces["module"], spaces["module_offset"], len(spaces["frames"])) == ("App Namespace", 1363568, 17)


def test_a_page_may_break_frames():
    said = """\
Process:             relay [7]
Identifier:          com.example.relay
OS Version:          iPhone OS 11.1.2 (15B202)
Exception Type:  EXC_CRASH (SIGKILL)
Triggered by Thread:  0

Thread 0 Crashed:
0   libsystem_kernel.dylib          0x000000018a337224
 mach_msg_trap + 8
1   GraphicsServices                0x000000018cca0074
GSEventRunModal + 100 (GSEvent.c:2245)
2   relay                           0x00000001004ff1b0 main + 88
"""
    [crash] = crashes_of(APPLE_TEXT, said.encode())
    assert [frame["function"] for frame in crash["frames"]] == ["mach_msg_trap", "GSEventRunModal", "main"]


def test_a_page_may_break_a_method_in_its_frame():
    method = "-[SyncDatabase open:withOptions:] + 64 (SyncDatabase.m:12)"
    whole = MAC.replace("-[SyncDatabase open:] + 64 (SyncDatabase.m:12)", method)
    for at in ("[SyncDatabase ", "open:"):
        broken = whole.replace(at + method.partition(at)[2], f"{at.rstrip()}\n{method.partition(at)[2]}")
        assert broken != whole
        assert crash(broken)["frames"] == crash(whole)["frames"]


def test_what_rosetta_does_not_tell_is_no_module():
    frame = "libobjc.A.dylib               \t0x00007fff60a00020 objc_msgSend + 32"
    said = MAC.replace(frame, "<translation info unavailable>\t0x0000000102ad0718 ???")
    unnamed = said.replace("Process:               Acme Sync Helper [4711]\n", "").partition("Binary Images:")[0]
    assert not any(crash(said)["frames"][0].values())
    assert crash(unnamed)["module"] == "com.acme.sync.helper"


def test_of_a_report_only_the_exception_may_be_kept():
    said = "It says:\nException Type:  EXC_CRASH (SIGKILL)\nException Note:  EXC_CORPSE_NOTIFY\n"
    said += "Termination Reason: Namespace RUNNINGBOARD, Code 0xdead10cc\n"
    assert APPLE_TEXT.recognises(head(said.encode()))
    assert [crash["code"] for crash in crashes_of(APPLE_TEXT, said.encode())] == ["0xdead10cc"]
    assert not APPLE_TEXT.recognises(head(b"Exception Type:  EXC_CRASH (SIGKILL)\nis what it says\n"))


def test_a_report_of_low_memory_is_no_crash():
    said = (
        "Incident Identifier: 0A1B2C3D-0000-4000-8000-000000000001\nCrashReporter Key:   0f0e0d0c\n"
        "Hardware Model:      iPad2,1\nOS Version:          iPhone OS 5.1 (9B176)\n"
        "Date:                2012-08-22 18:50:14\n\nFree pages:        1022\nLargest process:   Relay\n\n"
        "Processes\n     Name              <UUID>          rpages       recent_max       [reason]          (state)\n\n"
        "        Relay <0a1b2c3d>        44123        44123         [vm] (frontmost) (resume)\n"
    )
    assert APPLE_TEXT.recognises(head(said.encode()))
    assert crashes_of(APPLE_TEXT, said.encode()) == []


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2024-07-19 3:10:02.250 PM +0800", "2024-07-19 15:10:02.250+08:00"),
        ("2024-07-19 12:10:02 a.m. +0800", "2024-07-19 00:10:02+08:00"),
        ("2024-07-19 \u4e0b\u53483:10:02.250 +0800", "2024-07-19 15:10:02.250+08:00"),
        ("2024-07-19 \uc624\uc804 3:10:02", "2024-07-19 03:10:02Z"),
        ("\u0662\u0660\u0662\u0664-\u0660\u0667-\u0661\u0669 \u0660\u0662:\u0663\u0667:\u0664\u0661.000 +0300",
         "2024-07-19 02:37:41.000+03:00"),
        ("2024-07-19 15:10:02.250 +0800", "2024-07-19 15:10:02.250+08:00"),
        ("2024-07-19 15:10:02 PM +0800", "2024-07-19 15:10:02 PM +0800"),
    ],
)  # fmt: skip
def test_a_time_may_be_in_the_form_of_the_devices_language(said, at):
    stamped = re.sub(r"(?m)^(Date/Time: +).*$", lambda found: found[1] + said, PHONE)
    assert crash(stamped)["occurred_at"] == at
