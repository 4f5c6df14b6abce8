"""What the debuggers of Windows print of a dump."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.windbg import WINDBG as FORMAT
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

BANNER = """\
*******************************************************************************
*                                                                             *
*                        {} Analysis                                    *
*                                                                             *
*******************************************************************************
"""
OPENED = """\
Microsoft (R) Windows Debugger Version 10.0.22621.755 AMD64

Loading Dump File [C:\\Users\\rita\\071924-1234-01.dmp]
Mini Kernel Dump File: Only registers and stack trace are available

Symbol search path is: srv*
Windows 10 Kernel Version 20348 MP (88 procs) Free x64
Product: Server, suite: TerminalServer DataCenter SingleUserTS
Machine Name:
Kernel base = 0xfffff803`11200000 PsLoadedModuleList = 0xfffff803`11e00de0
Debug session time: Fri Jul 19 04:10:02.731 2024 (UTC + 2:00)
System Uptime: 10 days 08:15:29.5
Loading Kernel Symbols
0: kd> !analyze -v
"""
KERNEL = f"""\
{BANNER.format("Bugcheck")}
SYSTEM_SERVICE_EXCEPTION (3b)
An exception happened while executing a system service routine.
Arguments:
Arg1: 00000000c0000005, Exception code that caused the BugCheck
Arg2: fffff80112345670, Address of the instruction which caused the BugCheck
Arg3: ffff808712340010, Address of the context record for the exception that caused the BugCheck
Arg4: 0000000000000000, zero.

Debugging Details:
------------------

KEY_VALUES_STRING: 1

    Key  : Analysis.DebugAnalysisManager
    Value: Create

PROCESS_NAME:  relay.exe

STACK_TEXT:
fffffb8a`11007838 fffff800`11000842     : 00000000`000000ef ffff9d8e`10000080 00000000`00000000 : nt!KeBugCheckEx
fffffb8a`11007840 fffff800`11000bb7     : 00000000`00000000 fffff800`11000a19 00000000`00000002 : relay!Queue::push+0x10e [C:\\src\\queue.cc @ 13]
fffffb8a`110078e0 fffff800`11000698     : ffff9d8e`00000000 00000000`00000000 ffff9d8e`10000080 : other+0x1b2c3d
00000053`10000828 00000000`00000000     : 00007ffe`10000e03 00007ffe`100006e4 00000053`10000b40 : 0x00007ffe`10000e03

SYMBOL_NAME:  relay!Queue::push+10e

MODULE_NAME: relay

IMAGE_NAME:  relay.sys

IMAGE_VERSION:  3.2.1.0

FAILURE_BUCKET_ID:  0x3B_c0000005_relay!Queue::push

Followup:     MachineOwner
"""  # noqa: E501 - as long as they are
OLDER = f"""\
Windows 7 Kernel Version 7601 (Service Pack 1) MP (4 procs) Free x86 compatible
Debug session time: Fri Jul 19 04:10:02.731 2013 (GMT-7)
System Uptime: not available
{BANNER.format("Bugcheck")}
IRQL_NOT_LESS_OR_EQUAL (a)
Arguments:
Arg1: 0000001c, memory referenced
Arg2: 00000002, IRQL
Arg3: 00000000, value
Arg4: 82a00d10, address

STACK_TEXT:
8a500bcc 82a00d10 0000000a 00000000 00000002 nt!KiTrap0E+0x2cf
8a500c3c 8c100b2c 00000000 00000000 00000000 relay+0x1b2c

MODULE_NAME: relay

IMAGE_NAME:  relay.sys
"""
USER = f"""\
Windows 10 Version 19045 MP (24 procs) Free x86 compatible
Debug session time: Fri Jul 19 04:10:02.000 2024 (UTC - 7:30)
System Uptime: not available
Process Uptime: 0 days 12:00:08.000
{BANNER.format("Exception")}
EXCEPTION_RECORD:  (.exr -1)
ExceptionAddress: 00007ffac0001a12 (relay!Queue::push+0x0000000000000002)
   ExceptionCode: c0000005 (Access violation)
  ExceptionFlags: 00000001

PROCESS_NAME:  relay.exe

STACK_TEXT:
(Inline Function) --------`--------     : --------`-------- --------`-------- : relay!std::move+0x2
00000016`10000508 00007ffa`10000cd1     : 00000000`00000000 00000212`10000c80 : relay!Queue::push+0x2
00000016`10000510 00007ffa`100004c4     : 0000020a`100007d8 00000000`00000000 : <Unloaded_gone.dll>+0x1b2c

OS_VERSION:  10.0.19041.1

FAILURE_BUCKET_ID:  NULL_CLASS_PTR_READ_c0000005_relay.exe!Queue::push
"""

SHORT = """\
BugCheck 3B, {c0000005, fffff80112345670, ffff808712340010, 0}
Probably caused by : relay.sys ( relay+1b2c )
"""


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(FORMAT, said.encode())
    return found


def test_a_bugcheck():
    found = record(OPENED + KERNEL)
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "h-told",
        "occurred_at": "2024-07-19T04:10:02.731+02:00",
        "os_type": "windows",
        "os_version": "10.0.20348",
        "domain": "kernel",
        "code": "0x3b",
        "module": "relay.sys",
        "module_version": "3.2.1.0",
        "uptime_s": 10 * 86400 + 8 * 3600 + 15 * 60 + 29.5,
        "frames": [
            {"module": "nt", "function": "KeBugCheckEx", "offset": None},
            {"module": "relay.sys", "function": "Queue::push", "offset": None},
            {"module": "other", "function": None, "offset": 0x1B2C3D},
        ],
        "tags": {
            "name": "SYSTEM_SERVICE_EXCEPTION", "argument1": "0xc0000005", "argument2": "0xfffff80112345670",
            "argument3": "0xffff808712340010", "argument4": "0x0", "process": "relay.exe",
            "bucket": "0x3B_c0000005_relay!Queue::push",
        },
    }  # fmt: skip
    assert sign(Shape.of(found)).family == "windows | memory | relay.sys!Queue::push"


def test_an_analysis_alone_tells_no_time():
    found = record(KERNEL)
    assert (found["code"], found["occurred_at"], found["time_quality"]) == ("0x3b", "2026-11-25T12:00:00Z", "log")
    assert "os_version" not in found


def test_an_older_one():
    found = record(OLDER)
    assert (found["code"], found["module"], found["module_offset"]) == ("0xa", "relay.sys", 0x1B2C)
    assert (found["os_version"], found["occurred_at"]) == ("6.1.7601", "2013-07-19T04:10:02.731-07:00")
    assert "uptime_s" not in found


def test_a_process():
    found = record(USER)
    assert (found["domain"], found["code"], found["module"]) == ("user", "0xc0000005", "relay")
    assert [one["function"] for one in found["frames"]] == ["std::move", "Queue::push", None]
    assert found["frames"][2] == {"module": "gone.dll", "function": None, "offset": 0x1B2C}
    assert (found["os_version"], found["occurred_at"]) == ("10.0.19041", "2024-07-19T04:10:02.000-07:30")
    hang = record(USER.replace("FAILURE_BUCKET_ID:  NULL", "FAILURE_BUCKET_ID:  APPLICATION_HANG_NULL"))
    assert hang["domain"] == "hang"


def test_a_console_may_break_the_steps_of_a_stack():
    frame = "002df908 00fd1b5d 002df924 766b7c04 7f956000 relay!__tmainCRTStartup+0x199"
    wide = USER.replace("00000016`10000508", f"{frame}\n00000016`10000508")
    narrow = wide.replace(frame, f"{frame[:64]}\n{frame[64:]}")
    assert [one["function"] for one in record(narrow)["frames"]][1] == "__tmainCRTStartup"
    assert record(narrow)["frames"] == record(wide)["frames"]


def test_names_of_no_file_are_none():
    found = record(KERNEL.replace("IMAGE_NAME:  relay.sys", "IMAGE_NAME:  memory_corruption"))
    assert (found["module"], "module_version" in found) == ("nt", False)
    assert (
        record(KERNEL.replace("MODULE_NAME: relay", "MODULE_NAME: nt").replace("relay.sys", "ntkrnlmp.exe"))["module"]
        == "nt"
    )


def test_analyses_one_behind_another_each_count():
    other = KERNEL.replace("c0000005,", "c0000006,")
    for said in (KERNEL + other, OPENED + KERNEL + OPENED + other):
        found = crashes_of(FORMAT, said.encode(), block_bytes=97)
        assert [one["tags"]["argument1"] for one in found] == ["0xc0000005", "0xc0000006"]
    assert crashes_of(FORMAT, (OPENED + OPENED + KERNEL).encode()) == [record(OPENED + KERNEL)]


def test_what_a_debugger_says_by_itself_is_of_the_analysis_that_follows():
    found = record(OPENED.replace("0: kd> !analyze -v\n", "") + BANNER.format("Bugcheck") + SHORT + KERNEL)
    assert found == record(OPENED + KERNEL)
    other = KERNEL.replace("c0000005,", "c0000006,")
    assert len(crashes_of(FORMAT, (SHORT + KERNEL + other).encode())) == 2


def test_a_bugcheck_is_told_by_its_name_and_arguments_alone():
    said = KERNEL[KERNEL.index("SYSTEM_") : KERNEL.index("Debugging")]
    assert FORMAT.recognises(head(said.encode()))
    found = record(said)
    assert (found["code"], found["domain"], found["tags"]["argument3"]) == ("0x3b", "kernel", "0xffff808712340010")
    two = crashes_of(FORMAT, (said + said.replace("(3b)", "(1e)")).encode())
    assert [one["code"] for one in two] == ["0x3b", "0x1e"]
    assert not FORMAT.recognises(head(said.replace("Arg1: 0", "Arg1: the first, 0").encode()))


def test_without_the_debuggers_opinion_the_driver_that_called_the_kernel_is_blamed():
    said = KERNEL[: KERNEL.index("SYMBOL_NAME")]
    assert record(said)["module"] == "relay"
    last = said.replace("relay!Queue::push+0x10e [C:\\src\\queue.cc @ 13]", "relay+0x1b2c")
    assert (record(last)["module"], record(last)["module_offset"]) == ("relay", 0x1B2C)
    assert record(f"{said}MODULE_NAME: nt\n")["module"] == "nt"


def test_an_analysis_that_people_cut_tells_the_place_or_the_code_otherwise():
    start = KERNEL[: KERNEL.index("STACK_TEXT")]
    place = "FAULTING_IP: \nrelay!Queue::push+5f\nfffff802`d7d07c8f 410fb64618      movzx   eax,byte ptr [r14+18h]\n"
    found = record(start + place)
    assert (found["module"], [one["function"] for one in found["frames"]]) == ("relay", ["Queue::push"])
    assert record(start + place + KERNEL[len(start) :]) == record(KERNEL)
    user = USER[USER.index("STACK_TEXT") :]
    assert FORMAT.recognises(head(user.encode()))
    found = record(user)
    assert (found["code"], found["domain"], found["module"]) == ("0xc0000005", "user", "relay")
    found = record(user.replace("NULL_CLASS_PTR_READ_c0000005_", "0x139_3_CORRUPT_LIST_ENTRY_"))
    assert (found["code"], found["domain"]) == ("0x139", "kernel")


def test_an_analysis_that_people_cut_before_its_stack_tells_the_code_at_least():
    kernel = "FAULTING_IP: \nrelay+1b2c\nfffff880`01242715 8b6e28  mov ebp,dword ptr [rsi+28h]\n\nBUGCHECK_STR:  0xD1\n"
    for rest in ("\nSTACK_TEXT:\n", "\nSTACK_TEXT:"):
        assert FORMAT.recognises(head(f"{kernel}{rest}".encode()))
        found = record(kernel + rest)
        assert (found["code"], found["domain"]) == ("0xd1", "kernel")
        assert (found["module"], found["module_offset"]) == ("relay", 0x1B2C)
    assert record(kernel.replace("1b2c", "1b2d"))["crash_id"] != found["crash_id"]

    event = "(1a2b.3c4d): Access violation - code c0000005 (first/second chance not available)\n"
    user = f"{event}0:015> !analyze -v\n{BANNER.format('Exception')}\nKEY_VALUES_STRING: 1\n"
    found = record(user)
    assert (found["code"], found["domain"], found.get("module")) == ("0xc0000005", "user", None)
    assert record(user.replace("3c4d", "3c4e"))["crash_id"] != found["crash_id"]
    assert crashes_of(FORMAT, user.replace("c0000005", "80000003").encode()) == [], "somebody stopped it"
    assert record(event + USER) == record(USER)


def test_a_debugger_of_a_kernel_that_runs_stops_at_its_end():
    stop = (
        "*** Fatal System Error: 0x0000003b\n"
        "                       (0x00000000C0000005,0xFFFFF80112345670,0xFFFF808712340010,0x0000000000000000)\n"
    )
    session = f"KDTARGET: Refreshing KD connection\n\n{stop}\nBreak instruction exception\n"
    assert FORMAT.recognises(head(session.encode()))
    found = record(session)
    assert (found["code"], found["domain"], found["tags"]["argument1"]) == ("0x3b", "kernel", "0xc0000005")
    assert record(session + KERNEL)["module"] == "relay.sys"
    assert len(crashes_of(FORMAT, (session + stop.replace("3b", "0a")).encode())) == 2


@pytest.mark.parametrize(
    ("cause", "module", "frame"),
    [
        ("relay.sys ( relay+1b2c )", "relay.sys", ("relay.sys", None, 0x1B2C)),
        ("relay.sys ( relay!Queue::push+1b )", "relay.sys", ("relay.sys", "Queue::push", None)),
        ("ntkrnlmp.exe ( nt!KeSetEvent+1a )", "nt", ("nt", "KeSetEvent", None)),
        ("memory_corruption ( ONE_BIT )", None, None),
        ("relay.sys", "relay.sys", None),
    ],
)
def test_the_place_that_it_says_by_itself(cause, module, frame):
    found = record(f"{SHORT.partition('Probably')[0]}Probably caused by : {cause}\n")
    frames = [(one["module"], one["function"], one["offset"]) for one in found.get("frames", [])]
    assert (found.get("module"), frames) == (module, [frame] if frame else [])
    assert found.get("module_offset") == (frame[2] if frame else None)


def test_a_list_of_what_it_says_by_itself_of_many_dumps():
    first = f"Debug session time: Fri Jul 19 04:10:02.731 2013 (UTC - 7:00)\n{SHORT}PROCESS_NAME:  relay.exe\n"
    other = (
        first.replace("Jul 19", "Jul 20").replace("3B,", "A,").replace(": relay.sys ( relay+1b2c )", ": ntkrnlmp.exe")
    )
    data = f"{first}{other}".encode()
    assert FORMAT.recognises(head(data))
    found = crashes_of(FORMAT, data)
    assert [(one["code"], one.get("module")) for one in found] == [("0x3b", "relay.sys"), ("0xa", None)]
    assert [one["occurred_at"][:10] for one in found] == ["2013-07-19", "2013-07-20"]
    untimed = crashes_of(FORMAT, f"{SHORT}{SHORT}{SHORT.replace('3B', '4B')}".encode())
    assert [one["code"] for one in untimed] == ["0x3b", "0x4b"]


def test_a_value_behind_a_stack_is_no_rest_of_its_last_step():
    found = record(USER.replace("<Unloaded_gone.dll>+0x1b2c\n\nOS_VERSION", "relay!main+0x2c\nOS_VERSION"))
    assert found["frames"][-1]["function"] == "main"
    assert found["os_version"] == "10.0.19041"


@pytest.mark.parametrize(
    "behind",
    [
        "\n\nFOLLOWUP_IP: \nrelay!main+2c\n00007ffa`10000cd1 84c0            test    al,al\n",
        "STACK_COMMAND:  ~0s; .ecxr ; kb\n",
        "```\n",
        "\nIs it known?\n",
        BANNER.format("Exception"),
    ],
)
def test_whatever_is_told_behind_a_stack_is_no_rest_of_its_last_step(behind):
    said = USER.replace("<Unloaded_gone.dll>+0x1b2c\n", f"relay!main+0x2c\n{behind}")
    found = crashes_of(FORMAT, said.encode())[0]
    assert found["frames"][-1]["function"] == "main"
    assert len(found["frames"]) == 3


def test_remarks_within_a_stack_are_no_steps_and_no_end_of_it():
    first, second = "8a500bcc 82a00d10 0000000a nt!KiTrap0E+0x2cf", "8a500c3c 8c100b2c 00000000 relay+0x1b2c"
    between = """\
WARNING: Stack unwind information not available. Following frames may be wrong.
*** ERROR: Symbol file could not be found.  Defaulted to export symbols for relay.sys -
"""
    steps = f"{between}{first}\n{between}{second} [C:\\src\\relay\\queue.cc @ 13]\n{between}"
    said = f"{OLDER.partition('8a500bcc')[0]}{steps}8a500c4c 8c100b2c 00000000 nt!KiIdleLoop+0x1\n"
    frames = [(one["module"], one["function"]) for one in record(said)["frames"]]
    assert frames == [("nt", "KiTrap0E"), ("relay", None), ("nt", "KiIdleLoop")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SYSTEM_SERVICE_EXCEPTION (3b)", "VIDEO_ENGINE_TIMEOUT_DETECTED (141)"),
        ("SYSTEM_SERVICE_EXCEPTION (3b)", "LIVE_SYSTEM_DUMP (161)"),
        ("FAILURE_BUCKET_ID:  0x3B_c0000005", "FAILURE_BUCKET_ID:  LKD_0x144_BAD_CONFIG"),
    ],
)
def test_a_kernel_that_went_on_did_not_crash(old, new):
    said = OPENED + KERNEL
    assert crashes_of(FORMAT, said.replace(old, new).encode()) == []
    assert crashes_of(FORMAT, (said.replace(old, new) + said).encode()) == [record(said)]


def test_what_has_no_exception_is_no_crash():
    assert crashes_of(FORMAT, BANNER.format("Exception").encode()) == []


@pytest.mark.parametrize("said", [OPENED + KERNEL, KERNEL, USER, KERNEL[len(BANNER) :], KERNEL.replace("\n", "\r\n")])
def test_its_own_are_recognised(said):
    assert FORMAT.recognises(head(said.encode()))


@pytest.mark.parametrize(
    "data",
    [b"", b"Run `!analyze -v`, and look at FAILURE_BUCKET_ID and STACK_TEXT.\n", b"* Bugcheck Analysis is next *\n"],
)
def test_others_are_not(data):
    assert not FORMAT.recognises(head(data))


def test_no_home_is_kept():
    assert "rita" not in str(record(OPENED + KERNEL))


@given(st.binary(max_size=300) | changed((OPENED + KERNEL).encode()) | changed(USER.encode()))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)


@pytest.mark.parametrize("block", [b"x" * (1 << 18), b"PROCESS_NAME:  x\n" * 9000, KERNEL[-700:].encode() * 300])
def test_memory_is_bounded_whatever_comes(block):
    tracemalloc.start()
    found = sum(records.read for records in FORMAT.read(iter([(OPENED + KERNEL).encode(), *[block] * 3]), TOLD))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 1
    assert peak < 6 << 20, "bytes"


TAIL = """\
SYMBOL_NAME:  relay!Queue::push+34

MODULE_NAME: relay

IMAGE_NAME:  relay.dll

FAILURE_BUCKET_ID:  BREAKPOINT_80000003_relay.dll!Queue::push

BUILD_VERSION_STRING:  10.0.19041.1 (WinBuild.160101.0800)
"""


def test_the_end_of_an_analysis_tells_the_code_in_its_bucket():
    assert FORMAT.recognises(head(TAIL.encode()))
    [crash] = crashes_of(FORMAT, TAIL.encode())
    said = [crash[name] for name in ("domain", "code", "module", "os_version")]
    assert said == ["user", "0x80000003", "relay.dll", "10.0.19041"]


def test_an_older_bucket_has_the_architecture_before_the_code():
    older = TAIL.replace("BREAKPOINT_80000003_relay.dll", "X64_0x50_relay")
    assert FORMAT.recognises(head(older.encode()))
    assert record(older)["code"] == "0x50"


def test_an_analysis_that_begins_with_its_values_tells_the_bugcheck():
    said = "KEY_VALUES_STRING: 1\n\n    Key  : Analysis.CPU.mSec\n    Value: 44\n\nBUGCHECK_CODE:  3b\n\n"
    said += "BUGCHECK_P1: c0000006\n\nBUGCHECK_P2: fffff80250471191\n\nFILE_IN_CAB:  071924-1.dmp\n"
    assert FORMAT.recognises(head(said.encode()))
    found = record(said)
    assert (found["domain"], found["code"], found["tags"]["argument1"]) == ("kernel", "0x3b", "0xc0000006")


def test_a_page_may_put_several_names_on_one_line():
    said = (
        "CRITICAL_SERVICE_FAILED (5a) Arguments: Arg1: 0000000000000001 Arg2: ffffd80f4bfe7070\n"
        "Details: ---- DUMP_TYPE: 1 BUGCHECK_P1: 1 BUGCHECK_STR: 0x5A_c0000428 PROCESS_NAME: relay.exe\n"
    )
    assert FORMAT.recognises(head(said.encode()))
    [crash] = crashes_of(FORMAT, said.encode())
    assert (crash["domain"], crash["code"], crash["tags"]["argument2"]) == ("kernel", "0x5a", "0xffffd80f4bfe7070")
    assert crash["tags"]["process"] == "relay.exe"


def test_without_a_stack_the_kernel_is_blamed_where_the_analysis_names_it():
    said = "Unknown bugcheck code (c000007b)\nArguments:\nArg1: 8ebab960\nMODULE_NAME: nt\nIMAGE_NAME:  ntkrpamp.exe\n"
    assert [crash["module"] for crash in crashes_of(FORMAT, said.encode())] == ["nt"]


def test_a_record_of_an_exception_alone_tells_the_place():
    said = (
        "ExceptionAddress: 00007ffedc2dfd81 (relay!Queue::pop+0x0000000000000021)\n   ExceptionCode: c0000005 (Access "
        "violation)\n  ExceptionFlags: 00000000\nNumberParameters: 2\n   Parameter[0]: 0000000000000000\n"
        "Attempt to read from address 0000000000000008\n"
    )
    assert FORMAT.recognises(head(said.encode()))
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["code"], crash["domain"], crash["module"]) == ("0xc0000005", "user", "relay")
    assert [frame["function"] for frame in crash["frames"]] == ["Queue::pop"]
    stack = "00000010`922ffc00 00007ff7`9415119d     : 0000019d`00000000 00007ffe`dc357410 : queue+0x1afd81\n"
    (crash,) = crashes_of(FORMAT, f"{said}\nPROCESS_NAME:  relay.exe\nSTACK_TEXT:\n{stack}".encode())
    assert (crash["module"], crash["module_offset"], crash["tags"]["process"]) == ("queue", 0x1AFD81, "relay.exe")
    (crash,) = crashes_of(FORMAT, said.replace("relay!Queue::pop+0x", "relay+0x").encode())
    assert (crash["module"], crash["module_offset"]) == ("relay", 0x21)
    stopped = said.replace("c0000005 (Access violation)", "80000003 (Break instruction exception)")
    assert not FORMAT.recognises(head(stopped.encode()))


UNHANDLED = """\
(1a4.1b0): Access violation - code c0000005 (first chance)
relay!Other+0x4:
(1a4.1b0): Access violation - code c0000005 (!!! second chance !!!)
*** WARNING: Unable to verify checksum for relay.exe
eax=00000000 ebx=00000000 ecx=00000000
relay!Queue::push+0x34:
00007ff7`32ff1234 8b00            mov     eax,dword ptr [rax] ds:00000000`00000000=????????
"""
CALLS = """\
0:000> k
Child-SP          RetAddr           Call Site
00000000`0012f010 00007ff7`32ff2345 relay!Queue::push+0x34 [c:\\src\\queue.cc @ 12]
00000000`0012f020 00007ff7`32ff3456 relay!main+0x12
"""


@pytest.mark.parametrize(("said", "steps"), [(UNHANDLED, 1), (UNHANDLED + CALLS, 2)])
def test_an_exception_that_a_process_did_not_handle_under_a_debugger(said, steps):
    assert FORMAT.recognises(head(said.encode()))
    (record,) = crashes_of(FORMAT, said.encode())
    assert (record["domain"], record["code"], record["module"]) == ("user", "0xc0000005", "relay")
    assert [one["function"] for one in record["frames"]] == ["Queue::push", "main"][:steps]
    assert len(crashes_of(FORMAT, (said + said.replace("(1a4", "(2b4")).encode())) == 2


def test_an_exception_that_a_process_may_handle_is_no_crash():
    assert not FORMAT.recognises(head(UNHANDLED.replace("!!! second", "first").encode()))
