"""Reports of sanitizers, fuzzers and runtimes among other output: one crash for each process that ended."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.sanitizer import SANITIZER
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples"))

ASAN = """\
relay: 3 items
=================================================================
==14764==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000011 at pc 0x55d5 bp 0x7ffd sp 0x7ffd
READ of size 1 at 0x602000000011 thread T0
SCARINESS: 40 (1-byte-read-heap-use-after-free)
    #0 0x55d5c02adb4b in __interceptor_memcpy (/opt/relay/bin/relay+0x4adb4b) (BuildId: 0a1b2c)
    #1 0x55d5bff5539d in relay::Queue::push(char const*) /src/queue.cc:97:3
    #2 0x7ce393a30082 in __libc_start_main ../csu/libc-start.c:308

0x602000000011 is located 1 bytes inside of 16-byte region [0x602000000010,0x602000000020)
freed by thread T0 here:
    #0 0x55d5c02adb4b in free (/opt/relay/bin/relay+0x4adb4b)

SUMMARY: AddressSanitizer: heap-use-after-free /src/queue.cc:97:3 in relay::Queue::push(char const*)
==14764==ABORTING
"""
LEAK = """\
==7==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 4 byte(s) in 1 object(s) allocated from:
    #0 0x4f8e21 in malloc (/opt/relay/bin/relay+0x4f8e21)
    #1 0x4f8e30 in relay::open /src/open.cc:9:3

SUMMARY: AddressSanitizer: 4 byte(s) leaked in 1 allocation(s).
"""
MEMORY = """\
==8966==WARNING: MemorySanitizer: use-of-uninitialized-value
    #0 0x7fbe995caeff in relay::read(int) src/read.cc:5:2
"""
HARDWARE = """\
==31==ERROR: HWAddressSanitizer: tag-mismatch on address 0x0042ac at pc 0x0055
READ of size 4 at 0x0042ac tags: 9c/00 (ptr/mem) in thread T0
    #0 0x55de (/system/lib64/librelay.so+0x1de)
"""
RACE = """\
==================
WARNING: ThreadSanitizer: data race (pid=3318)
  Write of size 4 at 0x7b04 by thread T1:
    #0 relay::count() /src/count.cc:3:5 (relay+0x4c1) (BuildId: 0a1b)
    #1 main /src/main.cc:9 (relay+0x5)
"""
UNDEFINED = """\
src/relay.cc:41:17: runtime error: signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'
    #0 0x4f8e21 in relay::add(int) src/relay.cc:41:17
SUMMARY: UndefinedBehaviorSanitizer: undefined-behavior src/relay.cc:41:17 in
"""
FUZZER = """\
INFO: Seed: 883475
==588579== ERROR: libFuzzer: timeout after 25 seconds
    #0 0x4e8327 in __sanitizer_print_stack_trace /src/asan_stack.cc:38:3
    #1 0x55209b in fuzzer::Fuzzer::AlarmCallback() /src/FuzzerLoop.cpp:300:5
    #2 0x4f6a63 in relay::parse(char const*) /src/parse.cc:4:16
    #3 0x4f6a99 in LLVMFuzzerTestOneInput /src/fuzz.cc:4:16

SUMMARY: libFuzzer: timeout
"""
GO = """\
2026/11/20 04:10:02 listening
panic: runtime error: index out of range [3] with length 3

goroutine 108 [running]:
relay/queue.(*Queue).Push(0xc420115a40)
\t/src/queue/queue.go:42 +0xd0
main.main()
\t/src/main.go:9 +0x25
exit status 2
"""
GO_NIL = """\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a5]

goroutine 1 gp=0xc000002380 m=0 mp=0x5a [running]:
main.main()
\t/src/main.go:9 +0x25
"""
GO_OWN = """\
panic: open /home/rita/geheim: no such file

goroutine 1 [running]:
main.main()
\t/src/main.go:9 +0x25
"""
GO_SIGNAL = """\
fatal error: unexpected signal during runtime execution
[signal SIGBUS: bus error code=0x2 addr=0x7f00 pc=0x4a5]

runtime stack:
runtime.throw({0x4f, 0x2a})
\t/usr/lib/go/src/runtime/panic.go:1198 +0x71
relay/queue.push(0xc000)
\t/src/queue.go:9 +0x25
"""
GO_DEADLOCK = (
    "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/m.go:9 +0x2\n"
)
CHROMIUM = """\
[1537171:1537204:0214/065240.734167:ERROR:bus.cc(397)] Failed to connect
[1537171:1537171:0214/065241.734167:FATAL:relay_queue.cc(449)] Check failed: len > 0 (-1 vs. 0).
#0 0x55d5c02adb4b base::debug::CollectStackTrace()
#1 0x55d5c02adb4c logging::LogMessage::~LogMessage()
#2 0x55d5c02adb4d relay::Queue::push()
#3 0x55d5c02adb4e (/opt/relay/bin/relay+0x1de)

Received signal 6
"""
WINDOWS = """\
[104:3220:0803/071419.059:FATAL:v8_initializer.cc:716] V8 error: Empty MaybeLocal. (v8::ToLocalChecked).
Backtrace:
\tbase::debug::CollectStackTrace [0x00007FFE913FFCF2+18] (base\\debug\\stack_trace_win.cc:329)
\tlogging::LogMessage::~LogMessage [0x00007FFE91273008+664] (base\\logging.cc:665)
\trelay::Queue::push [0x00007FFE99FDFB31+481] (src\\queue.cc:716)
\t(No symbol) [0x00007FFE99FDFB32]

==104==ERROR: AddressSanitizer: breakpoint on unknown address 0x7ffe913ffcf2
    #0 0x7ffe91273007 in logging::LogMessage::~LogMessage C:\\src\\base\\logging.cc:665
"""
V8 = """\
#
# Fatal error in ../../src/objects-debug.cc, line 1639
# Check failed: old_kind == new_kind (3 vs. 16).
#
#FailureMessage Object: 0x7ffd
==== C stack trace ===============================

    /opt/relay/libv8_libbase.so(V8_Fatal+0x19a) [0x7f5c988d1d72]
    /opt/relay/librelay.so(relay::Queue::push(int)+0x1f) [0x7f5c988d1d73]
    /opt/relay/relay(+0x125bf) [0x55d5c02adb4b]
"""
NODE = """\
<--- Last few GCs --->

[22:0x5a] 41 ms: Mark-sweep 2047.0 (2051.5) -> 2046.9 (2051.5) MB

FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
----- Native stack trace -----

 1: 0xb8f0e0 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]
 2: 0xf0a1e0 v8::Utils::ReportOOMFailure(v8::internal::Isolate*, char const*) [node]
 3: 0x7f5c988d1d72  [/srv/relay/build/relay.node]
"""
GLOG = """\
F20261120 04:10:02.123456 12345 queue.cc:97] Check failed: size < 9 (9 vs. 9)
*** Check failure stack trace: ***
    @     0x7f8babe1ae54  google::LogMessage::Fail()
    @     0x7f8babe1ae55  relay::Queue::push()
    @     0x7f8babe1ae56  (unknown)
"""
RUST = """\
thread 'main' panicked at src/queue.rs:4:5:
index out of bounds: the len is 3 but the index is 9
stack backtrace:
   0: rust_begin_unwind
             at /rustc/0a1b/library/std/src/panicking.rs:645:5
   1: relay::queue::push
             at ./src/queue.rs:4:5
"""
REPORTS = {
    "asan": (ASAN, "AddressSanitizer: heap-use-after-free", "linux | memory | relay::Queue::push"),
    "leak": (LEAK, "LeakSanitizer: detected memory leaks", "linux | leak | relay::open"),
    "memory": (MEMORY, "MemorySanitizer: use-of-uninitialized-value", "linux | memory | relay::read"),
    "hardware": (HARDWARE, "HWAddressSanitizer: tag-mismatch", "linux | memory | librelay.so"),
    "race": (RACE, "ThreadSanitizer: data race", "linux | race | relay!relay::count"),
    "undefined": (
        UNDEFINED,
        "runtime error: signed integer overflow: + cannot be represented in type",
        "linux | undefined | relay::add",
    ),
    "fuzzer": (FUZZER, "libFuzzer: timeout", "linux | hang | relay::parse"),
    "go": (
        GO,
        "panic: runtime error: index out of range with length",
        "linux | panic: runtime error: index out of range with length | relay/queue.*Queue.Push",
    ),
    "nil": (
        GO_NIL,
        "panic: runtime error: invalid memory address or nil pointer dereference",
        "linux | memory | main.main",
    ),
    "own": (GO_OWN, "panic", "linux | panic | main.main"),
    "deadlock": (GO_DEADLOCK, "fatal error: all goroutines are asleep - deadlock!", "linux | locking | main.main"),
    "chromium": (CHROMIUM, "Check failed", "linux | abort | relay::Queue::push"),
    "windows": (WINDOWS, "V8 error", "windows | abort | relay::Queue::push"),
    "v8": (V8, "Check failed", "linux | abort | librelay.so!relay::Queue::push"),
    "node": (
        NODE,
        "Reached heap limit Allocation failed - JavaScript heap out of memory",
        "linux | oom | relay.node",
    ),
    "glog": (GLOG, "Check failed", "linux | abort | relay::Queue::push"),
    "rust": (RUST, "panic", "linux | panic | relay::queue::push"),
}


OTHERS = [
    (
        '==7==AddressSanitizer CHECK failed: /src/asan_thread.cpp:369 "((x)) != (0)" (0x0, 0x0)\n'
        "    #0 0x4f8e in __asan::Check() /src/a.cc:3\n    #1 0x4f8f in relay::start() /src/b.cc:4\n",
        "AddressSanitizer: CHECK failed",
        "linux | abort | relay::start",
    ),
    (
        "Received signal 11 SEGV_MAPERR 000000000008\n#0 0x55d5c02adb4b relay::Queue::push()\n",
        "SIGSEGV",
        "linux | memory | relay::Queue::push",
    ),
    ("*** stack smashing detected ***: terminated\n", "stack smashing", "linux | corruption stack smashing"),
    (
        "*** Error in `./relay': double free or corruption (fasttop): 0x0000000001dd4010 ***\n"
        "======= Backtrace: =========\n/lib/x86_64-linux-gnu/libc.so.6(+0x777e5)[0x7f5140efc000]\n"
        "./librelay.so(push+0x1f)[0x400526]\n",
        "double free or corruption (fasttop)",
        "linux | corruption | librelay.so!push",
    ),
    (
        "*** glibc detected *** /opt/relay: double free or corruption (!prev): 0x0000000001dd4010 ***\n"
        "======= Backtrace: =========\n/lib/x86_64-linux-gnu/libc.so.6(+0x777e5)[0x7f5140efc000]\n"
        "./librelay.so(push+0x1f)[0x400526]\n",
        "double free or corruption (!prev)",
        "linux | corruption | librelay.so!push",
    ),
    (
        "relay: src/queue.cc:97: void relay::Queue::push(int): Assertion `size < 9' failed.\nAborted\n",
        "Assertion failed",
        "linux | abort | relay!relay::Queue::push",
    ),
    (
        "terminate called after throwing an instance of 'relay::Full'\n  what():  no room\n",
        "relay::Full",
        "linux | relay::Full",
    ),
    (
        "SIGSEGV: segmentation violation\nPC=0x7f3a m=3 sigcode=1 addr=0x8\nsignal arrived during cgo execution\n\n"
        "goroutine 7 gp=0xc000007340 m=3 mp=0xc0000a [syscall]:\nruntime.cgocall(0x4f8e, 0xc000)\n"
        "\t/usr/lib/go/src/runtime/cgocall.go:157 +0x4b\nacme.org/relay/queue.push(0x8)\n\t/srv/queue.go:9 +0x1f\n",
        "SIGSEGV",
        "linux | memory | acme.org/relay/queue.push",
    ),
    (
        "\nthread 'main' has overflowed its stack\nfatal runtime error: stack overflow\nAborted (core dumped)\n",
        "fatal runtime error: stack overflow",
        "linux | stack fatal runtime error: stack overflow",
    ),
    ("free(): invalid pointer\nAborted (core dumped)\n", "free(): invalid pointer", "linux | free: invalid pointer"),
    (
        "relay: started\ndouble free or corruption (out)\n",
        "double free or corruption (out)",
        "linux | corruption double free or corruption (out)",
    ),
    (
        "terminate called without an active exception\n",
        "terminate called without an active exception",
        "linux | terminate called without an active exception",
    ),
    (
        "libc++abi: terminating due to uncaught exception of type std::runtime_error: no room: 9\n",
        "std::runtime_error",
        "linux | std::runtime_error",
    ),
    (
        "terminating with uncaught exception of type relay::full: no room\n"
        "==7== ERROR: libFuzzer: deadly signal\n    #0 0x4f8a in abort /src/abort.c:8\n"
        "    #1 0x4f9a in std::__terminate(void (*)()) /src/libcxxabi/handlers.cpp:59:3\n"
        "    #2 0x53a7b1 in push /src/relay.cc:9:3\n",
        "relay::full",
        "linux | relay::full | push",
    ),
    (
        "2026-11-20 04:10:02 Relay[7:99] *** Terminating app due to uncaught exception 'RelayFull', reason: 'x'\n"
        "*** First throw call stack:\n(\n\t0   CoreFoundation   0x00007ff81 __exceptionPreprocess + 242\n"
        "\t1   Relay   0x00000001 -[Queue push:] + 66\n)\n"
        "libc++abi: terminating due to uncaught exception of type NSException\n",
        "RelayFull",
        "darwin | RelayFull | relay!-[Queue push:]",
    ),
    (
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n"
        "----- Native stack trace -----\n\n 1: 00007FF655E1542D relay::Queue::Push+17693\n 2: 00007FF5F696D8D0\n",
        "Reached heap limit Allocation failed - JavaScript heap out of memory",
        "windows | oom | relay::Queue::Push",
    ),
    (
        "FATAL ERROR: CALL_AND_RETRY_LAST Allocation failed - JavaScript heap out of memory\n"
        " 1: node::Abort() [relay build]\n 2: 0x84c5c66 [relay build]\n 3: relay::Queue::Push(int) [relay build]\n",
        "CALL_AND_RETRY_LAST Allocation failed - JavaScript heap out of memory",
        "linux | oom | relay build",
    ),
    (
        "== Java Exception: com.acme.relay.FullException: no room\n\tat com.acme.relay.Queue.push(Queue.java:13)\n",
        "com.acme.relay.FullException",
        "linux | com.acme.relay.FullException | com.acme.relay.queue!push",
    ),
    (
        " === Uncaught Python exception: ===\nrelay.FullError: no room\nTraceback (most recent call last):\n"
        '  File "/srv/relay/queue.py", line 9, in push\n    raise Full\n',
        "relay.FullError",
        "linux | relay.FullError | queue.py!push",
    ),
    (
        "==14== Uncaught Exception: Jazzer.js: no room\nFullError: no room\n    at push (/out/relay/queue.js:27:9)\n"
        "    at module.exports.fuzz (/out/relay/fuzz.js:36:2)\nMS: 1 ChangeByte-; base unit: 24b3fc682a0f5246a6e5\n",
        "FullError",
        "linux | FullError | queue.js!push",
    ),
    (
        "==14== Uncaught Exception: Jazzer.js: Error: no room: 3\n    at push (/out/relay/queue.js:27:9)\n",
        "Error",
        "linux | Error | queue.js!push",
    ),
    (
        "===BUG DETECTED: PySecSan: Command injection ===\n[PYSECSAN] Stacktrace:\n"
        '  File "fuzz.py", line 43, in <module>\n  File "relay/queue.py", line 9, in push\n[PYSECSAN] Exiting\n',
        "PySecSan: Command injection",
        "linux | PySecSan: Command injection | queue.py!push",
    ),
    (
        "CRASH LOG: ========= Per-input timeout exceeded: 6 > 5 (sec); exiting\n\nI0403 ReportCrash[0]\n"
        "CRASH LOG: ========= Per-input timeout exceeded: 6 > 5 (sec); exiting\n",
        "Centipede: Per-input timeout exceeded",
        "linux | hang Centipede: Per-input timeout exceeded",
    ),
    (
        "========= RSS limit exceeded: 2100 > 2048 (MB); aborting\n==9==ERROR: AddressSanitizer: ABRT on unknown "
        "address 0x0\n    #0 0x4f8e in raise\n    #1 0x4f8f in relay::grow() /src/b.cc:4\n",
        "Centipede: RSS limit exceeded",
        "linux | oom | relay::grow",
    ),
    (
        "===BUG DETECTED: Shell corruption===\nAddressSanitizer:DEADLYSIGNAL\n"
        "==9==ERROR: AddressSanitizer: ABRT on unknown address 0x0\n    #0 0x4f8e in relay::start() /src/b.cc:4\n",
        "Shell corruption",
        "linux | Shell corruption | relay::start",
    ),
    (
        "WARNING: ThreadSanitizer: data race (pid=7)\n  Write of size 4 at 0x7b04 by thread T1:\n"
        "    #0 relay::count::{closure#0} .../src/count.rs:16:21\n    #1 main src/main.rs:9\n",
        "ThreadSanitizer: data race",
        "linux | race | relay::count::{{closure}}",
    ),
    (
        "==9==ERROR: AddressSanitizer: heap-use-after-free on address 0x60d\n    #0 0x55 in relay::push /src/b.cc:4\n",
        "AddressSanitizer: heap-use-after-free",
        "linux | memory | relay::push",
    ),
]


@pytest.mark.parametrize(("said", "code", "family"), OTHERS)
def test_other_reports(said, code, family):
    found = record(said)
    assert (found["code"], sign(Shape.of(found)).family) == (code, family)
    assert SANITIZER.recognises(head(said.encode()))


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(SANITIZER, said.encode())
    return found


def test_a_report_of_address_sanitizer():
    found = record(ASAN)
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "h-told",
        "occurred_at": "2026-11-25T12:00:00Z",
        "time_quality": "log",
        "os_type": "linux",
        "domain": "user",
        "code": "AddressSanitizer: heap-use-after-free",
        "module": "relay",
        "module_offset": 0x4ADB4B,
        "frames": [
            {"module": "relay", "function": "__interceptor_memcpy", "offset": 0x4ADB4B},
            {"module": None, "function": "relay::Queue::push(char const*)", "offset": None},
            {"module": None, "function": "__libc_start_main", "offset": None},
        ],
        "tags": {"message": ASAN.splitlines()[2], "pid": "14764"},
    }


def test_a_stack_may_be_empty_and_that_of_another_thread_is_none():
    head_of, _, rest = ASAN.partition("    #0")
    found = record(f"{head_of}    <empty stack>\n\n{rest[rest.index('0x602') :]}")
    assert found.get("frames", []) == []
    assert found.get("module") is None


@pytest.mark.parametrize("before", ["<details>\n<summary>log</summary>\n\n", "<!-- What happens? -->\n", "<pre>\n"])
def test_it_may_stand_in_what_people_write(before):
    assert SANITIZER.recognises(head((before + ASAN).encode()))
    assert record(before + ASAN)["crash_id"] == record(ASAN)["crash_id"]


@pytest.mark.parametrize("name", REPORTS)
def test_reports_and_where_they_belong(name):
    said, code, family = REPORTS[name]
    found = record(said)
    assert found["code"] == code
    assert sign(Shape.of(found)).family == family
    assert SANITIZER.recognises(head(said.encode()))
    assert record(said.replace("\n", "\r\n")) | {"crash_id": ""} == found | {"crash_id": ""}
    assert crashes_of(SANITIZER, said.encode(), block_bytes=7) == [found]


def test_what_does_not_end_is_a_hang():
    assert record(FUZZER)["domain"] == "hang"
    assert record("========= Per-batch timeout exceeded: 7 > 6 (sec); exiting\n")["domain"] == "hang"


def test_an_exit_is_what_an_exception_ends_by():
    thrown = (
        " === Uncaught Python exception: ===\nValueError: no room\nTraceback (most recent call last):\n"
        '  File "relay.py", line 9, in push\nINFO: Instrumenting relay\n'
    )
    ending = "==9== ERROR: libFuzzer: fuzz target exited\n    #0 0x4f8e in exit /src/exit.c:1\n    #1 0x4f8f in main\n"
    found = record(thrown + ending)
    assert (found["code"], [frame["function"] for frame in found["frames"]]) == ("ValueError", ["push"])
    assert record(ending)["code"] == "libFuzzer: fuzz target exited"


def test_a_log_of_go_may_end_before_its_goroutines():
    assert SANITIZER.recognises(head(GO_SIGNAL.encode()))
    (crash,) = crashes_of(SANITIZER, GO_SIGNAL.encode())
    assert (crash["code"], sign(Shape.of(crash)).family) == ("SIGBUS", "linux | memory | relay/queue.push")
    rest = "\ngoroutine 1 [select]:\nmain.main()\n\t/m.go:9 +0x2\n"
    (whole,) = crashes_of(SANITIZER, (GO_SIGNAL + rest).encode())
    assert whole["frames"] == crash["frames"]
    (called,) = crashes_of(SANITIZER, (GO_SIGNAL + rest.replace("select", "running")).encode())
    assert [one["function"] for one in called["frames"]] == ["runtime.throw", "relay/queue.push", "main.main"]


@pytest.mark.parametrize(
    ("number", "code"), [("0xb", "SIGSEGV"), ("0x7", "SIGBUS"), ("0xa", "SIGBUS"), ("0x8", "SIGFPE")]
)
def test_older_reports_of_go_have_the_signal_as_a_number(number, code):
    said = GO_SIGNAL.replace("[signal SIGBUS: bus error code", f"[signal {number} code")
    assert record(said)["code"] == code


GO_ON_WINDOWS = """\
Exception 0xc0000005 0x8 0x7ffe0 0x7ffe0
PC=0x7ffe0
signal arrived during external code execution

runtime.cgocall(0x4f8e40, 0xc00008fa58)
\t/usr/local/go/src/runtime/cgocall.go:157 +0x3e fp=0xc00008fa30 sp=0xc00008f9f8 pc=0x4a40fe
acme.org/relay/queue.push(0x8)
\tC:/build/relay/queue.go:9 +0x1f fp=0xc00008fa90 sp=0xc00008fa58 pc=0x4b5a45

goroutine 2 [force gc (idle)]:
runtime.gopark(0x4f8, 0x0)
\t/usr/local/go/src/runtime/proc.go:363 +0xd6
rax     0x0
"""


def test_a_fault_of_go_on_windows():
    for said in (GO_ON_WINDOWS, GO_ON_WINDOWS.replace("external code", "cgo").replace("\n", "\r\n")):
        assert SANITIZER.recognises(head(said.encode()))
        found = record(said)
        assert (found["code"], found["os_type"]) == ("0xc0000005", "windows")
        assert sign(Shape.of(found)).family == "windows | memory | acme.org/relay/queue.push"
        assert [one["function"] for one in found["frames"]] == ["runtime.cgocall", "acme.org/relay/queue.push"]
    assert crashes_of(SANITIZER, b"Exception 0xc0000005 0x8 0x7ffe0 0x7ffe0\nsome other program's line\n") == []


def test_a_panic_of_go_on_windows_has_the_exception_as_its_signal():
    said = GO_SIGNAL.replace("[signal SIGBUS: bus error code=0x2", "[signal 0xc0000005 code=0x0")
    assert (record(said)["code"], record(said)["os_type"]) == ("0xc0000005", "windows")
    nil = GO_NIL.replace("[signal SIGSEGV: segmentation violation code=0x1", "[signal 0xc0000005 code=0x0")
    assert (record(nil)["code"], record(nil)["os_type"]) == (record(GO_NIL)["code"], "windows")


def test_where_a_go_program_was_built_tells_where_it_runs_unless_its_signal_does():
    assert record(GO.replace("\t/src", "\tC:/src"))["os_type"] == "windows"
    assert record(GO_NIL.replace("\t/src", "\tC:/src"))["os_type"] == "linux"
    assert record(GO_NIL.replace("\t/src", "\t/Users/ann/src"))["os_type"] == "darwin"
    within = "\t/usr/local/go/src/runtime/signal_windows.go:321 +0x25\n"
    assert record(GO.replace("main.main()", "runtime.sigpanic()\n" + within + "main.main()"))["os_type"] == "windows"


def test_a_report_of_go_may_begin_with_the_signal():
    found = record(GO_NIL.partition("\n")[2])
    assert (found["code"], found["frames"]) == ("SIGSEGV", record(GO_NIL)["frames"])
    assert crashes_of(SANITIZER, b"[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x887433]\n") == []


def test_a_signal_of_go_without_the_stack_is_a_crash():
    said = b"SIGSEGV: segmentation violation\nPC=0x10b0 m=14 sigcode=1 addr=0x28\nsignal arrived during cgo execution\n"
    assert SANITIZER.recognises(head(said))
    (crash,) = crashes_of(SANITIZER, said)
    assert (crash["code"], crash.get("frames", [])) == ("SIGSEGV", [])


def test_a_report_between_marks_of_code():
    marked = f"It broke:\n\n`{GO_NIL}`\n"
    assert SANITIZER.recognises(head(marked.encode()))
    assert record(marked)["frames"] == record(GO_NIL)["frames"]


def test_many_in_one_text_are_many_crashes_and_a_text_read_twice_tells_the_same():
    said = "".join(one for one, _, _ in REPORTS.values())
    found = crashes_of(SANITIZER, said.encode())
    assert [one["code"] for one in found] == [code for _, code, _ in REPORTS.values()]
    assert len({one["crash_id"] for one in found}) == len(found)
    assert crashes_of(SANITIZER, said.encode()) == found


def test_a_check_and_the_signal_that_it_ends_by_are_one_crash():
    ending = (
        "==9==ERROR: AddressSanitizer: ILL on unknown address 0x0\n    #0 0x4f8e21 in relay::fail() /src/fail.cc:3\n"
    )
    bare = "\n".join(V8.splitlines()[:4]) + "\n"
    found = record(bare + ending)
    assert (found["code"], found["frames"][0]["function"]) == ("Check failed", "relay::fail()")
    assert record(UNDEFINED + ending)["code"].startswith("runtime error")
    # The first process of a container has the same number each time.
    again = ASAN.replace("heap-use-after-free on", "SEGV on unknown")
    assert len(crashes_of(SANITIZER, (ASAN + again + ending.replace("==9==", "==14764==")).encode())) == 3
    assert len(crashes_of(SANITIZER, (bare + ending + ending.replace("ILL", "TRAP")).encode())) == 2
    # Two processes, and one that found something else.
    assert len(crashes_of(SANITIZER, (CHROMIUM + ending).encode())) == 2
    assert len(crashes_of(SANITIZER, (V8 + ASAN).encode())) == 2


def test_a_fatal_line_of_glog_and_the_signal_that_it_ends_by_are_one_crash():
    said = "F1120 04:10:02.874783   4712 queue.h:195] Queue is full.\n"
    ended = (
        "==1==ERROR: AddressSanitizer: ABRT on unknown address 0x0001 (pc 0x7f)\n"
        "    #0 0x7f3a60 in raise (/lib/libc.so.6+0xf)\n    #1 0x55a3b1 in relay::push(int) relay/queue.cc:9:1\n"
    )
    (crash,) = crashes_of(SANITIZER, (said + ended).encode())
    assert (crash["code"], sign(Shape.of(crash)).family) == ("Fatal error", "linux | abort | relay::push")
    assert "pid" not in crash["tags"], "glog writes the number of a thread"
    assert crashes_of(SANITIZER, said.encode()) == []


def test_a_report_that_is_told_again_without_its_symbols_is_the_same_crash():
    said = "==9==ERROR: AddressSanitizer: SEGV on unknown address 0x0 (pc 0x4f8e21 bp 0x7ffc sp 0x7ffb T0)\n"
    symbols = said + "    #0 0x4f8e21 in relay::fail() /src/fail.cc:3\nSUMMARY: AddressSanitizer: SEGV\n==9==ABORTING\n"
    bare = said + "    #0 0x4f8e21  (/srv/relay+0x4f8e21)\n    #1 0x4f8e99  (/srv/relay+0x4f8e99)\n"
    for told in (symbols + bare, bare + symbols):
        assert record(told)["frames"][0]["function"] == "relay::fail()"
    assert len(crashes_of(SANITIZER, (symbols + bare.replace("0x4f8e21 bp", "0x4f8e25 bp")).encode())) == 2


def test_a_check_without_a_stack_is_told_by_its_file():
    found = record("[5:5:0100/000000:FATAL:sandbox/zygote_linux.cc(449)] Check failed: len > 0 (-1 vs. 0)\n")
    assert (found["code"], found["module"], found["tags"]["pid"]) == ("Check failed", "sandbox/zygote_linux.cc", "5")


@pytest.mark.parametrize(
    "said",
    [
        "src/relay.cc:41:17: runtime error: shift exponent 32 is too large\nrelay goes on\n",  # that ended nothing
        "Received signal 15, shutting down\n#0 0x55d5 main\n",
        "Received signal 10\n#0 0x55d5 main\n",  # with which somebody asked for the stack
        "Received signal 11 SEGV_MAPERR 000000000008\n",  # and no stack
        "*** warning detected ***: x\n",
        "panic: the disk is full, said rita\n" + "more\n" * 60,
        "thread 'worker-3' panicked at src/queue.rs:4:5:\n",  # caught, or not: its process went on
    ],
)
def test_what_ended_no_process_is_no_crash(said):
    assert crashes_of(SANITIZER, said.encode()) == []


def test_of_reports_of_one_tool_that_goes_on_the_last_may_have_ended_it():
    (found,) = crashes_of(SANITIZER, (UNDEFINED * 3 + UNDEFINED.replace("add", "sub")).encode())
    assert found["frames"][0]["function"] == "relay::sub(int)"


@pytest.mark.parametrize(
    ("frame", "system"),
    [
        ("#0 0x7ff6 in push C:\\src\\queue.cc:3", "windows"),
        ("#0 0x10e0 in push (relay:x86_64+0x10e0)\n#1 0x7ff8 in start (libdyld.dylib:x86_64+0x1163d)", "darwin"),
        ("#0 push queue.cc:3 (relay:arm64+0x10e0)", "darwin"),
        ("#0 0x4f8e in push src\\queue.cc:3", "windows"),
        ("#0 0x4f8e in push\n#1 0x7ff9 in BaseThreadInitThunk", "windows"),
        ("#0 0x4f8e in push /src/queue.cc:3", "linux"),
        ("#0 0x4f8e in push src/queue.cc:3", "linux"),
    ],
)
def test_the_system_is_told_by_paths(frame, system):
    found = record(f"==9==ERROR: AddressSanitizer: SEGV on unknown address 0x0\n{frame}\n")
    assert found["os_type"] == system
    assert found["frames"][0]["function"] == "push"


@pytest.mark.parametrize(
    ("before", "at"),
    [
        ("relay-1  | ", None),
        ("0|relay  | ", None),
        ("2026-11-20T10:11:13.123456789Z stderr F ", "2026-11-20T10:11:13.123456789Z"),
        ("2026-11-20T10:11:13.1234567Z ", "2026-11-20T10:11:13.1234567Z"),
    ],
)
@pytest.mark.parametrize("printed", [GO, ASAN])
def test_logs_of_containers_write_who_and_when_before_each_line(printed, before, at):
    found = record("".join(before + line for line in printed.splitlines(keepends=True)))
    plain = record(printed)
    assert found["occurred_at"] == (at or plain["occurred_at"])
    assert {name: found[name] for name in ("code", "frames")} == {name: plain[name] for name in ("code", "frames")}


def test_a_log_may_write_something_before_it():
    said = "".join(f"2026-11-20T04:10:02Z relay[7]: {line}\n" for line in ASAN.splitlines())
    assert SANITIZER.recognises(head(said.encode()))
    found = record(said)
    assert (found["code"], found["frames"]) == ("AddressSanitizer: heap-use-after-free", record(ASAN)["frames"])


def test_the_number_of_a_thread_may_stand_behind_that_of_the_process():
    found = record(MEMORY.replace("==8966==", "==8966:8967=="))
    assert (found["tags"]["pid"], found["code"]) == ("8966", record(MEMORY)["code"])
    assert SANITIZER.recognises(head(MEMORY.replace("==8966==", "==8966:8967==").encode()))


def test_the_kind_of_a_report_has_no_values():
    said = "==7==ERROR: AddressSanitizer: requested allocation size 0xffffffffffffffff (0x800 after) exceeds 0x10000\n"
    assert record(said)["code"] == "AddressSanitizer: requested allocation size"


def test_a_check_of_gnus_library_is_told_by_its_file():
    found = record("/usr/include/c++/15/bits/stl_vector.h:9: T& std::vector<T>::at(int) [with T = int]: "
                   "Assertion '__n < this->size()' failed.\n")  # fmt: skip
    assert (found["code"], found["module"]) == ("Assertion failed", "bits/stl_vector.h")


def test_checks_of_mozillas_programs():
    found = record(
        "[Parent 7, Main Thread] x\nHit MOZ_CRASH(shutdown hangs) at /src/relay/queue.cpp:9\nExceptionHandler\n"
    )
    assert (found["code"], found["module"]) == ("MOZ_CRASH", "relay/queue.cpp")
    assert found["tags"]["message"] == "MOZ_CRASH(shutdown hangs)"
    found = record("Assertion failure: i < mLength, at /src/relay/queue.h:9\n#01: push [queue.cpp:3]\n")
    assert (found["code"], found["module"]) == ("Assertion failed", "relay/queue.h")


@pytest.mark.parametrize(
    ("said", "system", "place"),
    [
        ("Assertion failed: q != NULL (../src/queue.c: queue_pop: 44)", "linux", ("src/queue.c", "queue_pop")),
        (
            "Assertion failed: (q != NULL), function queue_pop, file queue.c, line 44.",
            "darwin",
            ("queue.c", "queue_pop"),
        ),
    ],
)
def test_assertions_of_other_c_libraries(said, system, place):
    found = record(f"relay started\n{said}\n")
    assert (found["code"], found["os_type"], found["tags"]["message"]) == ("Assertion failed", system, said)
    assert [(frame["module"], frame["function"]) for frame in found["frames"]] == [place]
    assert not SANITIZER.recognises(head(b"Assertion failed: see the log (line 9)\n"))


@pytest.mark.parametrize("source", ["C:\\src\\relay\\queue.c", "queue.c"])
def test_an_assertion_of_windows_c_library(source):
    found = record(f"Assertion failed: q != NULL, file {source}, line 44\n")
    assert (found["code"], found["os_type"]) == ("Assertion failed", "windows")
    assert found["module"].endswith("queue.c")


def test_an_allocator_of_google_ends_a_program():
    found = record("src/tcmalloc.cc:333] Attempt to free invalid pointer 0x5581c0de\n")
    assert found["code"] == "Attempt to free invalid pointer"


def test_electron_tells_no_thread():
    found = record("[78:1124/101112.123456:FATAL:gpu_data_manager.cc(423)] GPU process isn't usable. Goodbye.\n")
    assert (found["module"], found["tags"]["pid"]) == ("gpu_data_manager.cc", "78")


def test_checks_of_glib_and_qt():
    asserted = "relay:ERROR:../src/queue.c:44:queue_pop: assertion failed: (q->length > 0)"
    found = record(f"**\n{asserted}\nBail out! {asserted}\n")
    assert (found["code"], found["module"], found["frames"][0]["function"]) == (
        "Assertion failed", "src/queue.c", "queue_pop",
    )  # fmt: skip
    found = record("(relay:78): GLib-ERROR **: 04:10:02.440: ../glib/gmem.c:106: failed to allocate 9 bytes\n")
    assert (found["code"], found["module"]) == ("GLib error", "relay")
    found = record('ASSERT: "!isEmpty()" in file /usr/include/QtCore/qlist.h, line 683\n')
    assert (found["code"], found["module"]) == ("Assertion failed", "QtCore/qlist.h")
    found = record('ASSERT failure in QList<T>::at: "index out of range", file /a/b/qlist.h, line 9\n')
    assert found["frames"][0]["function"] == "QList<T>::at"
    critical = b"(relay:78): Gtk-CRITICAL **: 04:10:02.440: show: assertion 'GTK_IS_WIDGET (widget)' failed\n"
    assert not SANITIZER.recognises(head(critical))


def test_glog_of_abseil_writes_seconds_since_1970():
    said = "F0000 00:00:1721362202.440113    78 queue.cc:9] Check failed: ok() \n*** Check failure stack trace: ***\n"
    found = record(
        said + "    @     0x7f1a2b3c4d5e  absl::log_internal::LogMessage::Flush()\n    @     0x7f1a  push()\n"
    )
    assert (found["code"], found["occurred_at"]) == ("Check failed", "2024-07-19T04:10:02Z")


def test_what_pytorch_throws_tells_its_stack():
    found = record(
        "terminate called after throwing an instance of 'c10::Error'\n  what():  illegal access\n"
        "Exception raised from check at /src/c10/a.cpp:43 (most recent call first):\n"
        "frame #0: c10::Error::Error(c10::SourceLocation, std::string) + 0x96 (0x7f1a2b3c4d5e in /opt/libc10.so)\n"
        "frame #1: relay::push(int) + 0x14d (0x7f1a2b3c5d5e in /opt/librelay.so)\n"
        "frame #2: <unknown function> + 0xdc253 (0x7f1a2b3c5d5e in /usr/lib64/libstdc++.so.6)\n"
    )
    assert (found["code"], found["module"]) == ("c10::Error", "librelay.so")
    assert found["frames"][2] == {"module": "libstdc++.so.6", "function": None, "offset": 0xDC253}


def test_who_gets_no_memory_ends():
    assert record("memory allocation of 81920000 bytes failed\n")["code"] == "memory allocation failed"


def test_java_that_aborts_for_want_of_memory_is_one_crash():
    said = (
        "Aborting due to java.lang.OutOfMemoryError: Java heap space\n#\n"
        "# A fatal error has been detected by the Java Runtime Environment:\n#\n"
        "#  Internal Error (debug.cpp:271), pid=7, tid=33\n#  fatal error: OutOfMemory encountered\n#\n"
    )
    assert record(said)["code"] == "java.lang.OutOfMemoryError"


def test_text_of_windows_shells():
    said = ASAN.encode("utf-16")
    assert SANITIZER.recognises(head(said))
    assert len(crashes_of(SANITIZER, said)) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"record": "crash", "tags": {"message": "==7==ERROR: AddressSanitizer: SEGV on unknown address"}}\n',
        b'{"AsanReport": ["==7==ERROR: AddressSanitizer: SEGV"]}',
        b"crash_id,host_id,message\nc,h,FATAL: x\n",
        b"ERROR: something failed\npanic: is what they did\n",
        b"[    0.05] BUG: KASAN: slab-out-of-bounds in push+0x1/0x2\n",
        b"*** *** *** *** *** *** *** ***\nBuild fingerprint: 'x'\n[FATAL:a.cc(1)] Check failed: x\n",
        b"Traceback (most recent call last):\n",
        b"__stack_chk_fail\n*** stack smashing detected ***: %s\nterminate called after throwing an instance of '\n",
        b"memory allocation of %zu bytes failed\n",
        b"# ==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x... at pc ... bp ... sp ...\n",
    ],
)
def test_others_are_not_recognised(data):
    assert not SANITIZER.recognises(head(data))


@given(st.binary(max_size=300) | changed(ASAN.encode()) | changed(GO.encode()) | changed(WINDOWS.encode()))
def test_no_bytes_break_it(data):
    survives(SANITIZER, data)


def test_it_may_end_anywhere():
    for said, _, _ in REPORTS.values():
        for end in range(0, len(said), 40):
            survives(SANITIZER, said[:end].encode())


@pytest.mark.variants
@pytest.mark.parametrize(
    "block",
    [b"x" * (1 << 20), b"=" * (1 << 20), b"==7==ERROR: AddressSanitizer: a b c d e f " + b"g " * 500_000,
     b"    #0 0x4f8e21 in f(" * 50_000, b"#0 0x1 in a\n" * 80_000, b"==7==ERROR: AddressSanitizer: SEGV\n" * 900],
    ids=["one line", "marks", "long head", "long frame", "frames", "heads"],
)  # fmt: skip
def test_memory_and_time_are_bounded_whatever_comes(block):
    def read() -> int:
        return sum(records.read for records in SANITIZER.read(iter([ASAN.encode(), *[block] * 2]), TOLD))

    tracemalloc.start()
    found = read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found >= 1
    assert peak < 16 << 20, "bytes, of 2 MiB that came in blocks of one"
    costs_at_most(200, read)


def test_recorded_ones():
    folder = SAMPLES / "clusterfuzz"
    if not folder.exists():
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    paths = [path for path in sorted(folder.glob("*.txt")) if SANITIZER.recognises(head(path.read_bytes()))]
    assert len(paths) == 20, "all but two kernels', two of logcat and a program that did not start"
    for path in paths:
        assert len(crashes_of(SANITIZER, path.read_bytes())) == (2 if "comparison" in path.name else 1)


@pytest.mark.parametrize("before", ["", "[pid=36435][err] "])
def test_a_stack_of_chromium_may_have_only_addresses(before):
    said = f"Browser logs:\n{before}Received signal 11 SEGV_MAPERR 000000000010\n{before} [0x000107f0f2c3]\n"
    assert [crash["code"] for crash in crashes_of(SANITIZER, said.encode())] == ["SIGSEGV"]


def test_two_tools_in_one_process_tell_of_one_crash():
    said = "==7== ERROR: libFuzzer: deadly signal\nUndefinedBehaviorSanitizer:DEADLYSIGNAL\n"
    said += "==7==ERROR: UndefinedBehaviorSanitizer: SEGV on unknown address 0x000000000000 (pc 0x7fb2d3d294d8)\n"
    assert len(crashes_of(SANITIZER, said.encode())) == 1
    assert len(crashes_of(SANITIZER, said.replace("==7==ERROR", "==8==ERROR").encode())) == 2


@pytest.mark.parametrize(
    "said",
    [
        "node[42]: ../src/queue.cc:61:void node::Queue::Push(): Assertion `(0) == (push())' failed.\n",
        "\n  #  node[42]: void node::Queue::Push() at ../src/queue.cc:61\n  #  Assertion failed: (0) == (push())\n\n"
        "----- Native stack trace -----\n\n",
    ],
    ids=["old", "new"],
)
@pytest.mark.parametrize("prefix", ["", "relay-1  | "])
def test_an_assertion_of_node_is_a_crash_with_its_stack(said, prefix):
    said += " 1: 0xb090e0 node::Abort() [node]\n 2: 0xb751f6 node::Queue::Push() [node]\n 3: 0xb751f7  [node]\n"
    said = "".join(f"{prefix}{line}\n" for line in said.splitlines())
    assert SANITIZER.recognises(head(said.encode()))
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["module"]) == ("Assertion failed", "node")
    assert "(push())" in crash["tags"]["message"]
    assert [frame.get("function") for frame in crash["frames"]] == ["node::Abort()", "node::Queue::Push()", None]


@pytest.mark.parametrize(
    ("prefix", "has_time"),
    [
        ("2025-07-20 08:26:40.123456789  ", True),  # of s6
        ("\x1b[36mrelay_1  |\x1b[0m ", False),
        ("[36mrelay_1  |[0m ", False),
        ("\x1b[33;1mrelay_1  |\x1b[0m 2025-07-20T08:26:40.123456789Z ", True),
    ],
)
def test_what_a_containers_log_has_before_each_line_is_no_part_of_it(prefix, has_time):
    said = "Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007fcd7a1e3740 (most recent call first):\n"
    said += '  File "/srv/relay/queue.py", line 46 in push\n  File "/srv/relay/main.py", line 12 in <module>\n\n'
    said = "".join(f"{prefix}{line}\n" for line in ["started", *said.splitlines(), "ended"])
    assert SANITIZER.recognises(head(said.encode()))
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], [frame["function"] for frame in crash["frames"]]) == ("SIGSEGV", ["push", "<module>"])
    assert crash["occurred_at"].replace(" ", "T").startswith("2025-07-20T08:26:40") == has_time
