"""Fatal error logs of Java's virtual machine, and the head of one in what a program printed."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.jvm import HS_ERR as FORMAT
from ingest.formats.sanitizer import SANITIZER
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

HEAD = """\
#
# A fatal error has been detected by the Java Runtime Environment:
#
#  SIGSEGV (0xb) at pc=0x00007f10aa00beef, pid=4321, tid=4330
#
# JRE version: OpenJDK Runtime Environment (17.0.7+7) (build 17.0.7+7-LTS)
# Java VM: OpenJDK 64-Bit Server VM (17.0.7+7-LTS, mixed mode, tiered, g1 gc, linux-amd64)
# Problematic frame:
# C  [librelay.so+0x1b2c]  relay::push(int)+0x1c
#
# Core dump will be written. Default location: /srv/relay/core.4321
#
"""
LINUX = f"""\
{HEAD}
---------------  S U M M A R Y ------------

Command Line: -Dpassword=geheim relay.Main

Host: Acme CPU @ 2.80GHz, 8 cores, 23G, Debian GNU/Linux 12 (bookworm)
Time: Fri Jul 19 04:10:02 2024 CEST elapsed time: 2029.25 seconds (0d 0h 33m 49s)

---------------  T H R E A D  ---------------

Current thread (0x00007f10bb0010f0):  JavaThread "relay worker" daemon [_thread_in_native, id=4330, stack(0x1,0x2)]

Stack: [0x00007f10bb100000,0x00007f10bb200000],  sp=0x00007f10bb1fe0f0,  free space=1016k
Native frames: (J=compiled Java code, j=interpreted, Vv=VM code, C=native code)
C  [librelay.so+0x1b2c]  relay::push(int)+0x1c
j  relay.Queue.push(Ljava/lang/String;)V+15
J 728 c2 relay.Main$$Lambda$14+0x0000000800012340.run()V relay@3.2 (173 bytes) @ 0x00007f10bb [0x00007f10ba+0x9]
j  java.lang.Thread.run()V+11 java.base@17.0.7
v  ~StubRoutines::call_stub
V  [libjvm.so+0x8b0010]  JavaCalls::call_helper(JavaValue*, Thread*)+0x3dc  (javaCalls.cpp:368)
C  0x00007f10aa00beef
C  [libc.so.6+0x89134]

Java frames: (J=compiled Java code, j=interpreted, Vv=VM code)
j  relay.Queue.push(Ljava/lang/String;)V+15

siginfo: si_signo: 11 (SIGSEGV), si_code: 1 (SEGV_MAPERR), si_addr: 0x0000000000000008

Registers:
RAX=0x0000000000000000, RBX=0x0000000700000010

---------------  P R O C E S S  ---------------

Environment Variables:
PATH=/home/rita/bin
HOSTNAME=web-1

---------------  S Y S T E M  ---------------

OS:
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
uname: Linux 6.1.0-21-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1 x86_64
OS uptime: 2 days 3:40 hours
END.
"""
WINDOWS = """\
#
# A fatal error has been detected by the Java Runtime Environment:
#
#  EXCEPTION_ACCESS_VIOLATION (0xc0000005) at pc=0x0000000011223344, pid=712, tid=248
#
# JRE version:  (17.0.7+7) (build )
# Java VM: OpenJDK 64-Bit Server VM (17.0.7+7, mixed mode, tiered, compressed oops, g1 gc, windows-amd64)
# Problematic frame:
# C  [acme64.dll+0x1a2b3c]
#

---------------  S U M M A R Y ------------

Host: Acme CPU @ 4.20GHz, 8 cores, 31G,  Windows 10 , 64 bit Build 19041 (10.0.19041.4000)
Time: Fri Jul 19 04:10:02 2024 W. Europe Daylight Time elapsed time: 0.5 seconds (0d 0h 0m 0s)

---------------  T H R E A D  ---------------

Native frames: (J=compiled Java code, j=interpreted, Vv=VM code, C=native code)
C  [acme64.dll+0x1a2b3c]
C  0x0000000005c00010

Java frames: (J=compiled Java code, j=interpreted, Vv=VM code)
J 77  org.acme.GL.draw(III)V (0 bytes) @ 0x0000000005c00050 [0x0000000005c00000+0x50]
j  relay.Main.main([Ljava/lang/String;)V+3
"""
MAC = (
    LINUX.replace("linux-amd64", "bsd-aarch64")
    .replace("Debian GNU/Linux 12 (bookworm)\nTime", "Darwin 25.2.0, macOS 26.2.1 (25C9999)\nTime")
    .replace("uname: Linux 6.1.0-21-amd64", "uname: Darwin 25.2.0")
)
OLDER = """\
#
# An unexpected error has been detected by HotSpot Virtual Machine:
#
#  SIGSEGV (0xb) at pc=0xfe00b1c2, pid=209, tid=17
#
# Java VM: Java HotSpot(TM) Server VM (1.5.0_09-b03 mixed mode)
# Problematic frame:
# V  [libjvm.so+0x12b1c2]
#

---------------  T H R E A D  ---------------

Current thread (0x01a00010):  JavaThread "Relay-1" [_thread_in_vm, id=17]

---------------  S Y S T E M  ---------------

uname:Linux 2.6.18-8.el5 #1 SMP x86_64
time: Fri Jul 19 04:10:02 2024
elapsed time: 77 seconds
"""
INTERNAL = """\
#
# A fatal error has been detected by the Java Runtime Environment:
#
#  Internal Error (/src/hotspot/share/queue/held.cpp:205), pid=43, tid=51
#  guarantee(held == _count) failed: the queue is whole
#
# JRE version: OpenJDK Runtime Environment (8.0_392-b08) (build 1.8.0_392-b08)
# Java VM: OpenJDK 64-Bit Server VM (25.392-b08 mixed mode linux-amd64 compressed oops)
#

---------------  T H R E A D  ---------------
"""
MEMORY = """\
#
# There is insufficient memory for the Java Runtime Environment to continue.
# Native memory allocation (mmap) failed to map 65536 bytes for committing reserved memory.
# Possible reasons:
#   The system is out of physical RAM or swap space
# This output file may be truncated or incomplete.
#
#  Out of Memory Error (os_linux.cpp:2777), pid=215, tid=0x00007f0ec0000010
#
# JRE version:  (8.0_231-b11) (build )
# Java VM: Java HotSpot(TM) 64-Bit Server VM (25.231-b11 mixed mode linux-amd64 compressed oops)
#

---------------  T H R E A D  ---------------
"""


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(FORMAT, said.encode())
    return found


def test_a_log():
    found = record(LINUX)
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "web-1",
        "occurred_at": "2024-07-19T04:10:02+02:00",
        "time_quality": "exact",
        "os_type": "linux",
        "os_version": "6.1.0-21-amd64",
        "domain": "user",
        "code": "SIGSEGV",
        "module": "librelay.so",
        "module_offset": 0x1B2C,
        "uptime_s": 2 * 86400 + 3 * 3600 + 40 * 60,
        "frames": [
            {"module": "librelay.so", "function": "relay::push(int)", "offset": 0x1B2C},
            {"module": "relay.Queue", "function": "push", "offset": None},
            {"module": "relay.Main$$Lambda$14", "function": "run", "offset": None},
            {"module": "java.lang.Thread", "function": "run", "offset": None},
            {"module": None, "function": "StubRoutines::call_stub", "offset": None},
            {"module": "libjvm.so", "function": "JavaCalls::call_helper(JavaValue*, Thread*)", "offset": 0x8B0010},
            {"module": "libc.so.6", "function": None, "offset": 0x89134},
        ],
        "tags": {
            "message": "SIGSEGV (0xb) at pc=0x00007f10aa00beef, pid=4321, tid=4330",
            "pid": "4321",
            "thread": "relay worker",
            "reason": "si_signo: 11 (SIGSEGV), si_code: 1 (SEGV_MAPERR), si_addr: 0x0000000000000008",
            "jre": "OpenJDK Runtime Environment (17.0.7+7) (build 17.0.7+7-LTS)",
            "vm": "OpenJDK 64-Bit Server VM (17.0.7+7-LTS, mixed mode, tiered, g1 gc, linux-amd64)",
            "architecture": "amd64",
        },
    }
    assert sign(Shape.of(found)).family == "linux | memory | librelay.so!relay::push"


def test_a_log_of_windows():
    found = record(WINDOWS)
    assert (found["os_type"], found["os_version"], found["os_build"]) == ("windows", "10.0.19041", "19041.4000")
    assert (found["code"], found["module"], found["module_offset"]) == ("0xc0000005", "acme64.dll", 0x1A2B3C)
    assert (found["occurred_at"], found["time_quality"]) == ("2024-07-19T04:10:02+02:00", "exact")
    assert [(one["module"], one["function"]) for one in found["frames"]] == [
        ("acme64.dll", None), ("org.acme.GL", "draw"), ("relay.Main", "main"),
    ]  # fmt: skip
    assert found["host_id"] == "h-told"


def test_a_log_of_macos():
    found = record(MAC)
    assert (found["os_type"], found["os_version"], found["os_build"]) == ("darwin", "26.2.1", "25C9999")
    assert found["tags"]["architecture"] == "aarch64"


def test_an_older_log_tells_its_time_last_and_no_zone():
    found = record(OLDER)
    assert (found["occurred_at"], found["time_quality"]) == ("2024-07-19T04:10:02Z", "log")
    assert (found["os_version"], found["module"], found["module_offset"]) == ("2.6.18-8.el5", "libjvm.so", 0x12B1C2)
    zoned = record(OLDER.replace("elapsed time", "timezone: PST\nelapsed time"))
    assert (zoned["occurred_at"], zoned["time_quality"]) == ("2024-07-19T04:10:02-08:00", "exact")


def test_the_name_of_a_fault_tells_windows_where_nothing_else_does():
    found = record(OLDER.replace("SIGSEGV (0xb)", "EXCEPTION_ACCESS_VIOLATION (0xc0000005)").replace("uname:Linux", ""))
    assert (found["os_type"], found["code"]) == ("windows", "0xc0000005")


def test_a_frame_without_a_source_has_no_function():
    found = record(OLDER.replace("[libjvm.so+0x12b1c2]", "[jvm.dll+0x12b1c2]  (no source info available)"))
    assert found["frames"] == [{"module": "jvm.dll", "function": None, "offset": 0x12B1C2}]


def test_an_error_of_the_machine_itself():
    found = record(INTERNAL)
    assert (found["code"], found["frames"]) == (
        "Internal Error",
        [{"module": "queue/held.cpp", "function": None, "offset": None}],
    )
    assert found["tags"]["message"] == "guarantee(held == _count) failed: the queue is whole"
    assert (found["occurred_at"], found["time_quality"]) == ("2026-11-25T12:00:00Z", "log"), "not told"


def test_no_memory_is_left():
    found = record(MEMORY)
    assert found["code"] == "Out of Memory Error"
    assert found["tags"]["message"].startswith("Native memory allocation (mmap) failed to map 65536 bytes")
    assert sign(Shape.of(found)).family.startswith("linux | oom")


def test_what_writes_the_log_of_an_error_is_not_where_it_was():
    stack = """\
Native frames: (J=compiled Java code, j=interpreted, Vv=VM code, C=native code)
V  [libjvm.so+0xdd0010]  void VMError::report_and_die()+0x6dc
V  [libjvm.so+0x530010]  report_vm_error(char const*, int, char const*, char const*)+0x60
V  [libjvm.so+0xb900c4]  Relay::fill(Queue*, unsigned*)+0x1a4
"""
    found = record(INTERNAL + stack)
    assert [one["function"] for one in found["frames"]] == ["Relay::fill(Queue*, unsigned*)"]
    assert found["module_offset"] == 0xB900C4


def test_older_windows_tells_its_build_alone():
    older = (
        WINDOWS.replace("Host: Acme", "Hosted: Acme")
        + "OS: Windows Server 2008 R2 , 64 bit Build 7601 Service Pack 1\n"
    )
    older = older.replace("(10.0.19041.4000)", "")
    assert (record(older)["os_version"], "os_build" in record(older)) == ("6.1.7601", False)


def test_a_frame_at_fault_that_others_stand_above_is_the_innermost():
    writers = "".join(f"V  [libjvm.so+0xa5c93{at}]\n" for at in range(9))
    stack = LINUX.replace("C  [librelay.so+0x1b2c]  relay::push(int)+0x1c\nj", f"{writers}j")
    assert record(stack)["module"] == "librelay.so"


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("jna1234567890123456789.tmp", "jna.tmp"),
        ("relay-3.2.1-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f-librelay.so", "relay-3.2.1-librelay.so"),
        ("libstdc++.so.6.0.30", "libstdc++.so.6.0.30"),
    ],
)
def test_the_name_of_a_library_that_is_unpacked_anew_is_the_same_each_time(name, module):
    assert record(LINUX.replace("librelay.so", name))["module"] == module


def test_what_is_secret_is_not_kept():
    assert not {"geheim", "rita"} & set(str(record(LINUX)).replace("/", " ").replace("=", " ").split())


def test_logs_one_behind_another_each_count():
    found = crashes_of(FORMAT, (LINUX + WINDOWS + MEMORY).encode(), block_bytes=97)
    assert [one["code"] for one in found] == ["SIGSEGV", "0xc0000005", "Out of Memory Error"]
    assert len({one["crash_id"] for one in found}) == 3
    assert found[1] == record(WINDOWS)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("said", [LINUX, WINDOWS, MAC, OLDER, INTERNAL, MEMORY])
def test_its_own_are_recognised(said, newline):
    data = said.replace("\n", newline).encode()
    assert FORMAT.recognises(head(data))
    assert crashes_of(FORMAT, data) == [record(said)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD.encode(),  # as it is printed: of a program's own log
        b"Look for `# A fatal error has been detected by the Java Runtime Environment:` there.\n",
        b'{"record": "crash", "tags": {"message": "# A fatal error has been detected by the Java Runtime"}}\n',
    ],
)
def test_others_are_not(data):
    assert not FORMAT.recognises(head(data))


@pytest.mark.parametrize(
    "before", ["", "jvm 1    | ", "relay-1  | ", "2024-07-19T04:10:02.25Z stderr F ", "2024-07-19T04:10:02.25Z "]
)
def test_what_it_prints_is_told_by_a_programs_log(before):
    said = "".join(f"{before}{line}\n" for line in ["started", *HEAD.splitlines(), "[error occurred]"])
    assert SANITIZER.recognises(head(said.encode()))
    (found,) = crashes_of(SANITIZER, said.encode())
    assert (found["code"], found["module"], found["os_type"]) == ("SIGSEGV", "librelay.so", "linux")
    assert found["frames"] == [{"module": "librelay.so", "function": "relay::push(int)", "offset": 0x1B2C}]
    assert found["occurred_at"] == ("2024-07-19T04:10:02.25Z" if "04:10" in before else "2026-11-25T12:00:00Z")


PLAIN = "\n".join(line.removeprefix("#") for line in HEAD.splitlines())


@pytest.mark.parametrize("between", ["Aborted\n", ""])
def test_a_head_that_was_printed_before_its_log_is_the_same_crash(between):
    (found,) = crashes_of(FORMAT, f"{HEAD}{between}{LINUX}".encode())
    assert found == record(LINUX)
    other = HEAD.replace("pid=4321", "pid=4322")
    assert [one["tags"]["pid"] for one in crashes_of(FORMAT, f"{other}{between}{LINUX}".encode())] == ["4322", "4321"]


@pytest.mark.parametrize(
    "said",
    [
        PLAIN,
        PLAIN.replace("A fatal", "_A fatal").replace("Environment:", "Environment:_"),
        PLAIN.replace("Problematic frame:", "**Problematic frame:").replace("+0x1c", "+0x1c\n**"),
        PLAIN.replace("Problematic frame:", "**Problematic frame:**"),
        "\n".join(line.strip() for line in PLAIN.splitlines()),
        HEAD.removeprefix("#\n# "),  # Markdown takes it for a heading
        HEAD.replace("# A fatal", "[thread 4252 also had an error]# A fatal"),
    ],
    ids=["none", "slanted", "bold until behind", "bold", "no blanks", "first", "other thread"],
)
def test_a_head_may_lack_the_marks_of_its_lines(said):
    text = f"It crashes:\n\n{said}\n\nError: it also fails\nTime: Fri Jul 19 04:10:02 2024 UTC\n".encode()
    assert SANITIZER.recognises(head(text))
    (found,) = crashes_of(SANITIZER, text)
    (marked,) = crashes_of(SANITIZER, HEAD.encode())
    assert found == marked, "and nothing of what follows"


def test_each_head_without_marks_is_a_crash_and_prose_is_none():
    other = PLAIN.replace("SIGSEGV (0xb)", "SIGBUS (0x7)")
    assert [one["code"] for one in crashes_of(SANITIZER, f"{PLAIN}\n{other}".encode())] == ["SIGSEGV", "SIGBUS"]
    prose = b"A fatal error has been detected by the Java Runtime Environment.\nIt was a SIGSEGV (0xb).\n"
    assert not SANITIZER.recognises(head(prose))
    assert crashes_of(SANITIZER, prose) == []


@given(st.binary(max_size=300) | changed(LINUX.encode()) | changed(WINDOWS.encode()) | changed(MEMORY.encode()))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)


def test_it_may_end_anywhere():
    for said in (LINUX, OLDER, MEMORY):
        for end in range(0, len(said), 29):
            survives(FORMAT, said[:end].encode())


@pytest.mark.parametrize("block", [b"x" * (1 << 18), b"C  [a+0x1] b\n" * 9000, b"Time: \n" * 9000, b"Time: x\n" * 9000])
def test_memory_is_bounded_whatever_comes(block):
    tracemalloc.start()
    found = sum(records.read for records in FORMAT.read(iter([LINUX.encode(), *[block] * 3]), TOLD))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 1
    assert peak < 4 << 20, "bytes"
