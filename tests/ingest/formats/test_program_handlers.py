"""What handlers of single programs print of a fault."""

from __future__ import annotations

import pytest

from ingest.formats.known import format_of
from ingest.formats.program_handlers import MARKS
from ingest.formats.sanitizer import SANITIZER
from ingest.formats.sanitizer_heads import may_begin
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

EMACS = """\
Fatal error 11: Segmentation fault
Backtrace:
emacs(emacs_backtrace+0x4d)[0x55d0c1a2]
emacs(terminate_due_to_signal+0xa9)[0x55d0c1a3]
emacs(+0x5a7c9)[0x55d0c1a4]
/lib/x86_64-linux-gnu/libc.so.6(+0x42520)[0x7f1a2b44]
emacs(relay_pop+0x3d)[0x55d0c1a5]
emacs(+0x1a2b3c)[0x55d0c1a6]
...
Segmentation fault (core dumped)
"""
NODE = """\
PID 78 received SIGSEGV for address: 0x8
/srv/node_modules/segfault-handler/build/Release/segfault-handler.node(+0x3206)[0x7f1a2b44]
/lib/x86_64-linux-gnu/libc.so.6(+0x3c050)[0x7f1a2b45]
/srv/node_modules/relay/build/Release/relay.node(_ZN5relay3popEv+0x12)[0x7f1a2b46]
node(+0x1a2b3c)[0x55d0c1a6]
"""
VPP = """\
vpp[78]: received signal SIGSEGV, PC 0x7f1a2b3c4d5e, faulting address 0x10
vpp[78]: #0  0x00007f1a2b3c4d5e relay_pop + 0x1ae
vpp[78]:      from /usr/lib/librelay.so.23.10
vpp[78]: #1  0x00007f1a2b3c5d5e 0x7f1a2b3c5d5e
vpp[78]: #2  0x00007f1a2b3c6d5e dispatch + 0x2ae
vpp[78]:      from /usr/lib/libvlib.so.23.10
"""
WINE = """\
wine: Unhandled page fault on read access to 0000000000000008 at address 00000001400019A5 (thread 0024), starting...
Unhandled exception: page fault on read access to 0x0000000000000008 in 64-bit code (0x000001400019a5).
Register dump:
 rip:00000001400019a5 rsp:000000000011fd60
Backtrace:
=>0 0x000001400019a5 in relay (+0x19a5) (0x0000000000000000)
  1 0x00000140001b90 pop+0x20(queue=0x1) [Z:\\src\\queue.c:41] in librelay (0x00000000000001)
  2 0x0000007b62c9d9 BaseThreadInitThunk+0x9(unknown=<internal error>) in kernel32 (0x00000000000000)
0x000001400019a5 relay+0x19a5: movq	(%rax),%rax
Modules:
PE	       140000000-       140007fff	Deferred        relay
Threads:
  0 0x000001400019a5 in other (+0x19a5) (0x0000000000000000)
"""
BLENDER = """\
# Blender 4.1.0, Commit date: 2024-03-25 11:12

# backtrace
Exception Record:

ExceptionCode         : EXCEPTION_ACCESS_VIOLATION
Exception Address     : 0x00007FF6B1C2D3E4
Exception Module      : relay.dll
Exception Parameters  : 0x2
	Parameters[0] : 0x0000000000000000

Stack trace:
relay.dll           :0x00007FF6B1C2D3D0  relay::Queue::pop
blender.exe         :0x00007FF6B1B2D3D0  wm_event_do
KERNEL32.DLL        :0x00007FFB2C1F4F90  BaseThreadInitThunk
"""
OBS = """\
Unhandled exception: c0000005
Date/Time: 2026-11-25, 10:11:12
Fault address: 7FFB2C1F4F99 (c:\\windows\\system32\\relayum.dll)
libobs version: 29.1.3 (64-bit, windows)

Thread 1A2A: main thread
Stack            EIP              Arg0             Arg1             Address
000000A1B2C3D4E0 00007FFB2C1F4F99 0000000000000000 0000000000000000 ntdll.dll!ZwWait+0x14

Thread 1A2B: graphics thread (Crashed)
Stack            EIP              Arg0             Arg1             Address
000000A1B2C3D4E0 00007FFB2C1F4F99 0000000000000000 0000000000000000 relayum.dll!0x7ffb2c1f4f99
000000A1B2C3D5E0 00007FFB2C2F4F99 0000000000000000 0000000000000000 librelay.dll!pop+0x1a2
"""
MINECRAFT = """\
---- Minecraft Crash Report ----
// Who set us up the bug?

Time: 2026-11-25 10:11:12
Description: Exception in server tick loop

java.lang.IllegalStateException: Ticking block
	at org.relay.Queue.pop(Queue.java:41) ~[relay-1.0.jar:?] {re:classloading}
	at org.relay.Main.main(Main.java:9) ~[relay-1.0.jar:?] {re:mixin,pl:accesstransformer:B}
Caused by: java.lang.NullPointerException: no head
	at org.relay.Head.get(Head.java:4) ~[relay-1.0.jar:?] {re:classloading}
	... 2 more


A detailed walkthrough of the error, its code path and all known details is as follows:
"""
REPORTS = {
    "emacs": (EMACS, "SIGSEGV", "linux", [("emacs", "relay_pop"), ("emacs", None)]),
    "node": (NODE, "SIGSEGV", "linux", [("relay.node", "_ZN5relay3popEv"), ("node", None)]),
    "vpp": (VPP, "SIGSEGV", "linux", [("librelay.so.23.10", "relay_pop"), ("libvlib.so.23.10", "dispatch")]),
    "wine": (
        WINE, "0xc0000005", "windows", [("relay", None), ("librelay", "pop"), ("kernel32", "BaseThreadInitThunk")],
    ),
    "blender": (
        BLENDER, "0xc0000005", "windows",
        [("relay.dll", "relay::Queue::pop"), ("blender.exe", "wm_event_do"), ("KERNEL32.DLL", "BaseThreadInitThunk")],
    ),
    "obs": (OBS, "0xc0000005", "windows", [("relayum.dll", None), ("librelay.dll", "pop")]),
    "minecraft": (
        MINECRAFT, "java.lang.NullPointerException", "linux", [("org.relay.Head", "get")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_handler_tells_the_fault_and_the_stack_below_itself(name, end):
    said, code, system, frames = REPORTS[name]
    data = said.replace("\n", end).encode()
    assert format_of(head(data)) is SANITIZER
    (crash,) = crashes_of(SANITIZER, data)
    assert (crash["code"], crash["os_type"], crash["domain"]) == (code, system, "user")
    assert [(frame.get("module"), frame.get("function")) for frame in crash["frames"]] == frames
    assert crash["module"] == frames[0][0]


def test_without_a_stack_the_place_is_the_module_that_is_told():
    (crash,) = crashes_of(SANITIZER, OBS.partition("libobs")[0].encode())
    assert (crash["code"], crash["module"]) == ("0xc0000005", "relayum.dll")
    (crash,) = crashes_of(SANITIZER, BLENDER.partition("Stack trace:")[0].encode())
    assert (crash["code"], crash["module"]) == ("0xc0000005", "relay.dll")


def test_a_report_of_minecraft_without_a_cause_is_of_what_was_thrown():
    (crash,) = crashes_of(SANITIZER, MINECRAFT.replace("Caused by", "See also").encode())
    assert (crash["code"], crash["module"]) == ("java.lang.IllegalStateException", "org.relay.Queue")
    assert len(crash["frames"]) == 2


@pytest.mark.parametrize(
    "said",
    ["Fatal error 11: Segmentation fault\n", "Unhandled exception: c0000005\n", "wine: Unhandled page fault on read\n",
     "---- Minecraft Crash Report ----\nDescription: x\n", "received signal SIGSEGV, PC 0x7f1a\n"],
)  # fmt: skip
def test_a_head_alone_is_none(said):
    assert crashes_of(SANITIZER, said.encode()) == []


def test_each_head_has_a_mark():
    heads = [one[0].partition("\n")[0] for name, one in REPORTS.items() if name != "blender"]
    assert all(map(may_begin, [*heads, "ExceptionCode         : EXCEPTION_ACCESS_VIOLATION"]))
    assert len(set(MARKS)) == len(MARKS)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        ("Fatal error 11: Segmentation fault\n", "emacs(" + "a" * 1000 + "\n"),
        ("a]: received signal SIGSEGV, PC 0x7f1a\n", "]: " * 300 + "#0 0x1 a\n"),
        ("wine: Unhandled page fault on read\n", "=>0 0x000001400019a5 " + "in " * 300 + "\n"),
        ("Unhandled exception: c0000005\n", "a" * 90 + " " * 60 + "\n"),
        ("---- Minecraft Crash Report ----\n", "a." * 500 + "\n"),
    ],
)
def test_a_hostile_text_takes_little_time(start, piece):
    said = (start + piece * 2000).encode()
    costs_at_most(100, lambda: (SANITIZER.recognises(head(said)), crashes_of(SANITIZER, said)))
