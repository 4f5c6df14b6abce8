"""What handlers of signals and exceptions that many programs share print."""

from __future__ import annotations

import pytest

from ingest.formats.handler_reports import MARKS
from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from ingest.formats.sanitizer_heads import may_begin
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

_SNIPPET = "".join(f"      {'>' if at == 44 else ' '} {at}:   queue.turn({at});\n" for at in range(40, 48))
_TURNS = "".join(
    f'#{at}    Source "/src/relay.cc", line 44, in turn{at}(int) [0x55d0c1a2b3c{at}]\n{_SNIPPET}'
    for at in (6, 5, 4, 3, 2)
)
BACKWARD = f"""\
Stack trace (most recent call last):
#9    Object "[0xffffffffffffffff]", at 0xffffffffffffffff, in
#8    Object "/opt/relay/relay", at 0x55d0c1a2b3c4, in _start
#7    Object "/lib/x86_64-linux-gnu/libc.so.6", at 0x7f1a2b445330, in __libc_start_main
{_TURNS}\
#1  | Source "/src/queue.cc", line 41, in Queue::pop(std::vector<int>&)
    |    40:   auto* first = head();
    | >  41:   return *first;
      Source "/usr/include/c++/13/bits/vector.h", line 7, in front [0x55d0c1a2b3c5]
#0    Object "/opt/relay/librelay.so", at 0x7f1a2b445430, in Queue::head()
Segmentation fault (Address not mapped to object [(nil)])
Segmentation fault (core dumped)
"""
RECEIVED = f"""\
--------------------------------------------
   Relay Crash Report
--------------------------------------------
Well, that happened.

Relayland received signal 11(SEGV)
Version: 0f594732
Date: Sat Jan 24 20:02:06 2026

System info:
	System name: Linux
	Node name: pc-17
	Release: 6.12.1-relay1
	Version: #1 SMP PREEMPT_DYNAMIC

os-release:
{"".join(f'    FIELD_{at}="x"{chr(10)}' for at in range(60))}
Backtrace:
	# | Relayland(_Z12getBacktracev+0x61) [0x57b1189e5801]
		getBacktrace()
		??:?
	#1 | Relayland(_Z25handleUnrecoverableSignali+0x6d) [0x57b11890dafd]
		handleUnrecoverableSignal(int)
		??:?
	#2 | /usr/lib/libc.so.6(+0x3cae0) [0x714f9fc50ae0]
		??
		??:0
	#3 | /usr/lib/librelay.so.1(_ZN5Queue3popEv+0xd7) [0x714f9fc60ae0]
		Queue::pop()
		/src/queue.cc:41
	#4 | /usr/lib/dri/relay_dri.so(+0x8c14ec) [0x714f99cc14ec]
		??
		??:0

Log tail:
[LOG] [0x0] | not a step
"""
LISTED = """\
2026-11-25T11:43:56+0100
== Exception Information ==
Faulty Module: D:\\games\\relay\\mods\\relay.mod.dll
Exception Code: c0000005 (EXCEPTION_ACCESS_VIOLATION)
Exception Flags: 0
Instruction Address: 00007FFCD7965CC4 (relay.mod.dll + 145cc4)

== Stack Trace ==
 - relay.mod.dll + 145cc4
 - 0000019332908049 (Hook handler)
 - librelay.dll + 106e36 (relay::Queue::pop + 134)

== Register States ==
EAX: 00000000
"""
OLDER_LISTED = """\
Exception code: C0000094 INT_DIVIDE_BY_ZERO
Fault address:  00401234 01:00000234 C:\\relay\\worker.exe
Registers:
EAX:00000000
Call stack:
Address   Frame     Logical addr  Module
00401234  0012FF40  0001:00000234 C:\\relay\\worker.exe
77E41234  0012FFC0  0001:00001234 C:\\WINDOWS\\kernel32.dll
"""
GUARDED = """\
*** GWP-ASan detected a memory error ***
Use After Free at 0x7f1a2b3c4d50 (0 bytes into a 41-byte allocation at 0x7f1a2b3c4d50) by thread 78 here:
  #0 ./relay(+0x1a2b) [0x55d0c1a2b3c4]
  #1 ./relay(_ZN5relay3popEv+0x12) [0x55d0c1a2b3c5]

0x7f1a2b3c4d50 was deallocated by thread 78 here:
  #0 ./relay(+0x2a2b) [0x55d0c1a2b3c4]

*** End GWP-ASan report ***
Segmentation fault
"""
STOPPED = "Unhandled exception at 0x00007FF6A1B21234 {} relay.exe: 0xC0000005: Access violation reading location 0x8."
EXITED = "The program '[321] relay.exe' has exited with code -1073741819 (0xc0000005) 'Access violation'."


def the_crash(said: str):
    assert format_of(head(said.encode())) is SANITIZER
    (crash,) = crashes_of(SANITIZER, said.encode())
    return crash


def functions(crash) -> list[tuple[str | None, str | None]]:
    return [(frame.get("module"), frame.get("function")) for frame in crash["frames"]]


def test_backward_cpp_tells_its_stack_the_other_way_round_and_the_signal_below_it():
    crash = the_crash(BACKWARD)
    assert (crash["code"], crash["os_type"], crash["module"]) == ("SIGSEGV", "linux", "librelay.so")
    assert functions(crash)[:3] == [
        ("librelay.so", "Queue::head()"), (None, "Queue::pop(std::vector<int>&)"), (None, "turn2(int)"),
    ]  # fmt: skip
    assert functions(crash)[-1] == ("relay", "_start")
    assert crash["tags"]["message"] == "Segmentation fault (Address not mapped to object [(nil)])"


def test_a_stack_that_backward_cpp_prints_where_nothing_is_wrong_is_no_crash():
    asked = BACKWARD.partition("Segmentation")[0]
    assert format_of(head(f"{asked}went on\n".encode())) is not SANITIZER
    crash = the_crash(f"{asked}went on\n{BACKWARD.replace('Queue::head()', 'Queue::tail()')}")
    assert functions(crash)[0] == ("librelay.so", "Queue::tail()")


def test_a_handler_tells_the_host_and_the_stack_below_itself():
    crash = the_crash(RECEIVED)
    assert (crash["code"], crash["host_id"], crash["os_version"]) == ("SIGSEGV", "pc-17", "6.12.1-relay1")
    assert functions(crash) == [("librelay.so.1", "Queue::pop()"), ("relay_dri.so", None)]
    assert crash["frames"][1]["offset"] == 0x8C14EC


@pytest.mark.parametrize(
    ("said", "code", "place", "called"),
    [
        (LISTED, "0xc0000005", ("relay.mod.dll", 0x145CC4), ("librelay.dll", "relay::Queue::pop")),
        (OLDER_LISTED, "0xc0000094", ("worker.exe", 0x234), ("kernel32.dll", None)),
    ],
)
def test_a_program_on_windows_lists_the_exception_and_its_stack(said, code, place, called):
    crash = the_crash(said)
    assert (crash["code"], crash["os_type"]) == (code, "windows")
    assert (crash["module"], crash["module_offset"]) == place
    assert functions(crash)[-1] == called


@pytest.mark.parametrize(
    ("where", "module"),
    [("in", "relay.exe"), ("(queue.dll) in", "queue.dll"), ("(KernelBase.dll) in", "relay.exe")],
)
@pytest.mark.parametrize("behind", ["", f"\n{EXITED}\n"])
def test_what_nobody_handled_is_one_crash_however_its_end_is_told(where, module, behind):
    crash = the_crash(STOPPED.format(where) + behind)
    assert (crash["code"], crash["os_type"], crash["module"]) == ("0xc0000005", "windows", module)


def test_a_program_that_a_debugger_ran_ended_by_an_exception():
    crash = the_crash(f"The thread 0x4a3c has exited with code 0 (0x0).\n{EXITED}\n")
    assert (crash["code"], crash["module"], crash["tags"]["pid"]) == ("0xc0000005", "relay.exe", "321")
    assert not SANITIZER.recognises(head(EXITED.replace("-1073741819 (0xc0000005)", "-1 (0xffffffff)").encode()))


def test_llvms_guard_of_memory_tells_the_stack_of_the_access():
    crash = the_crash(GUARDED)
    assert (crash["code"], crash["module"], crash["module_offset"]) == ("GWP-ASan: Use After Free", "relay", 0x1A2B)
    assert functions(crash) == [("relay", None), ("relay", "_ZN5relay3popEv")]


def test_each_head_has_a_mark():
    heads = (
        GUARDED,
        BACKWARD,
        LISTED.split("\n", 3)[3],
        OLDER_LISTED,
        STOPPED.format("in"),
        "Relayland received signal 11(SEGV)",
    )
    assert all(may_begin(said.partition("\n")[0]) for said in heads)
    assert all(any(mark in said for said in (*heads, "Unhandled exception thrown at ")) for mark in MARKS)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        ("Stack trace (most recent call last):\n", '#1    Source "a", line 1, in ' + "x" * 300 + "\n"),
        ("", "Stack trace (most recent call last):\n"),
        ("a received signal 11(SEGV)\n", "\t#1 | " + "a" * 400 + "\n"),
        ("Exception code: C0000005 ACCESS_VIOLATION\n", " - " + "a " * 200 + "\n"),
        ("Unhandled exception at 0x00007FF6A1B21234 in ", "a" * 300),
    ],
)
def test_a_hostile_text_takes_little_time(start, piece):
    said = (start + piece * 2000).encode()
    costs_at_most(100, lambda: (SANITIZER.recognises(head(said)), crashes_of(SANITIZER, said)))
