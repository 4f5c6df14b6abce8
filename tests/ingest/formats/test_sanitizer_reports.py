"""What a report says by how it begins: whose stack follows, when it was, how its process ended."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.formats.sanitizer import SANITIZER
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

MAC = """\
ok 12 the window opens
Received signal 11 SEGV_MAPERR 0000000000a8
0   Relay Framework                     0x000000010f3b2c12 base::debug::CollectStackTrace(void**, unsigned long) + 18
1   Relay Framework                     0x000000010f3a1b53 base::debug::StackTrace::StackTrace() + 19
2   Relay Framework                     0x000000010f3b2b61 base::debug::StackDumpSignalHandler(int) + 1361
3   libsystem_platform.dylib            0x00007fff6a1b242d _sigtramp + 29
4   ???                                 0x00007f9d51273880 0x0 + 140313725
5   Relay Framework                     0x000000010d23ac1c relay::Queue::push(relay::Item*) + 30
6   Relay Framework                     0x000000010d23bd2d relay::Queue::open() + 48
[end of stack trace]
"""
LINUX = """\
Received signal 11 SEGV_MAPERR 000000000000
#0 0x55b1c0863463 (/opt/relay/relay+0x4d1b462)
#1 0x55b1c08fba5a (/opt/relay/relay+0x4db3a59)
#2 0x7f01beaab560 (/usr/lib/libc.so.6+0x4255f)
#3 0x55b1bbc807a4 (/opt/relay/relay+0x21387a3)
#4 0x7f01beab1234 (/usr/lib/libc.so.6+0x48234)
[end of stack trace]
"""


def record(said: str) -> dict[str, Any]:
    """The only crash of a text."""
    assert SANITIZER.recognises(head(said.encode()))
    (found,) = crashes_of(SANITIZER, said.encode())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("signal", "code"), [("11 SEGV_MAPERR 0000000000a8", "SIGSEGV"), ("10 <unknown> 0000000000a8", "SIGBUS")]
)
def test_chromiums_stack_on_a_mac_is_read_to_its_end(signal, code):
    deeper = "Relay Framework                     0x000000010d230000 relay::deeper() + 8"
    many = "".join(f"{at:<4}{deeper}\n" for at in range(7, 90))
    said = MAC.replace("11 SEGV_MAPERR 0000000000a8", signal).replace("[end", f"{many}[end")
    found = record(f"{said}1 of 0x000000010d23ac1c is open\n")
    assert (found["code"], found["os_type"], found["module"]) == (code, "darwin", "Relay Framework")
    assert found["frames"][5]["function"] == "relay::Queue::push(relay::Item*)"
    assert len(found["frames"]) == 90


def test_the_handler_that_prints_a_stack_without_symbols_is_no_part_of_it():
    found = record(LINUX)
    assert (found["module"], found["module_offset"]) == ("relay", 0x21387A3), "as the library called the handler"
    assert [frame["offset"] for frame in found["frames"]] == [0x21387A3, 0x48234]
    named = LINUX.replace("(/opt/relay/relay+0x4d1b462)", "relay::Queue::push()")
    assert len(record(named)["frames"]) == 5


def test_lines_with_a_number_and_an_address_are_no_stack():
    said = "src/relay.cc:41:17: runtime error: shift exponent 32 is too large\n2 bytes at 0x4f8e21 are lost\n"
    assert crashes_of(SANITIZER, said.encode()) == []


PANIC = "panic: runtime error: index out of range [3]\n\ngoroutine 1 [running]:\nmain.push()\n\t/m.go:9 +0x2\n"


@pytest.mark.parametrize("before", ["", "relay-1  | ", "[pod/relay-0/relay] "])
@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2024-07-19T04:10:02.25Z INFO started", "2024-07-19T04:10:02.25Z"),
        ("2024-07-19 04:10:02 +0200 INFO started", "2024-07-19T04:10:02+02:00"),
        ("[2024-07-19 04:10:02] started", "2024-07-19T04:10:02Z"),
    ],
)
def test_the_time_is_that_of_the_nearest_line_of_the_program(before, line, at):
    said = "".join(f"{before}{one}\n" for one in (line, *PANIC.splitlines()))
    assert record(said)["occurred_at"] == at


def test_the_time_may_stand_before_the_number_of_a_sanitizers_process():
    stack = "    #0 0x4f8e21 in relay::push() /src/queue.cc:9\n"
    said = f"[2024-07-19 04:10:02.250][ERROR][relay] ==7==ERROR: AddressSanitizer: SEGV on unknown address 0x0\n{stack}"
    assert record(said)["occurred_at"] == "2024-07-19T04:10:02.250Z"


HEAD = "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000011 at pc 0x55d5 bp 0x7ffd sp 0x7ffd\n"
STACK = (
    "    #0 0x4f8e21 in relay::push() /src/queue.cc:97:3\n\nfreed by thread T0 here:\n    #0 0x4f8e in free (relay)\n"
)
SUMMARY = "SUMMARY: AddressSanitizer: heap-use-after-free /src/queue.cc:97:3 in relay::push()\n"
LAST = "Shadow bytes around the buggy address:\n  0x0c04: fa fa fd fd\n==7==ABORTING\n"


@pytest.mark.parametrize("before", ["", "relay-1  | ", "[2024-07-19 04:10:02.250][ERROR][7] "])
@pytest.mark.parametrize(
    ("summary", "code", "frame"),
    [
        (SUMMARY, "AddressSanitizer: heap-use-after-free", {"module": None, "function": "relay::push()"}),
        (
            "SUMMARY: AddressSanitizer: SEGV (/opt/relay/relay+0x438f0f) (BuildId: 0a1b2c) in relay::push()\n",
            "AddressSanitizer: SEGV",
            {"module": "relay", "function": "relay::push()", "offset": 0x438F0F},
        ),
        (
            "SUMMARY: MemorySanitizer: use-of-uninitialized-value in relay::push()\n",
            "MemorySanitizer: use-of-uninitialized-value",
            {"module": None, "function": "relay::push()"},
        ),
        ("SUMMARY: libFuzzer: deadly signal\n", "libFuzzer: deadly signal", None),
        ("SUMMARY: AddressSanitizer: SEGV ??:0 in ??\n", "AddressSanitizer: SEGV", None),
        (
            "SUMMARY: AddressSanitizer: 4 byte(s) leaked in 1 allocation(s).\n",
            "LeakSanitizer: detected memory leaks",
            None,
        ),
    ],
)
def test_the_summary_of_a_report_tells_of_its_crash_alone(before, summary, code, frame):
    steps = "    #12 0x7f22 in start_thread (/lib/libpthread.so.0+0x8183)\n"
    found = record(f"{steps}{before}{summary}{LAST}")
    assert found["code"] == code
    wanted = [{"module": None, "function": None, "offset": None, **frame}] if frame else []
    assert found.get("frames", []) == wanted


def test_a_summary_below_its_report_is_no_other_crash():
    whole = HEAD + STACK + SUMMARY + LAST
    assert len(crashes_of(SANITIZER, whole.encode())) == 1
    assert crashes_of(SANITIZER, (HEAD + STACK + LAST).encode())[0]["frames"] == record(whole)["frames"]
    assert len(crashes_of(SANITIZER, (SUMMARY + LAST + whole + SUMMARY.replace("push", "pop")).encode())) == 3


@pytest.mark.parametrize(
    "summary",
    [
        "SUMMARY: ThreadSanitizer: data race /src/count.cc:3:5 in relay::count()\n",
        "SUMMARY: UndefinedBehaviorSanitizer: undefined-behavior /src/relay.cc:41:17\n",
        "SUMMARY: 3 tests failed in relay\n",
    ],
)
def test_the_summary_of_what_goes_on_is_no_crash(summary):
    assert not SANITIZER.recognises(head(summary.encode()))
    assert crashes_of(SANITIZER, summary.encode()) == []


@pytest.mark.parametrize("piece", ["a ", "a (b+0x1", ":1", "(", " in "])
def test_a_hostile_summary_takes_little_time(piece):
    costs_at_most(30, lambda: crashes_of(SANITIZER, f"SUMMARY: AddressSanitizer: {piece * 900}\n".encode() * 20))


def test_what_the_c_library_finds_is_of_who_called_it():
    said = """\
*** Error in './relay': double free or corruption (!prev): 0x00000000035988c0 ***
======= Backtrace: =========
/lib64/libc.so.6(+0x81299)[0x2aaab019c299]
/lib64/libc.so.6(cfree+0x4c)[0x2aaab019f53c]
/opt/relay/lib/librelay.so.9(+0xaa8fa3)[0x2aaaabcd5fa3]
/opt/relay/relay(main+0x6d)[0x4006ad]
======= Memory map: ========
"""
    found = record(said)
    assert (found["module"], found["module_offset"]) == ("librelay.so.9", 0xAA8FA3)
    assert found["frames"][0] == {"module": "libc.so.6", "function": None, "offset": 0x81299}
    alone = record(said.partition("/opt/relay/lib")[0])
    assert (alone["module"], alone["module_offset"]) == ("libc.so.6", 0x81299)


def test_the_stack_that_only_reports_a_panic_is_not_the_panics():
    handler = "    #0 0x49f in __sanitizer_print_stack_trace /src/asan_stack.cpp:86:3\n"
    handler += "".join(f"    #{at} 0x5{at}a in fuzzer::Step{at}() /src/Util.cpp:{at}:3\n" for at in range(1, 4))
    found = record(
        "panic: no room\n\ngoroutine 17 [running, locked to thread]:\nrelay/queue.Push(0x60, 0x16)\n"
        f"\t/src/queue.go:46 +0x994\n==42== ERROR: libFuzzer: deadly signal\n{handler}"
    )
    assert [frame["function"] for frame in found["frames"]] == ["relay/queue.Push"]


def test_a_thread_without_a_name_ends_a_fuzzer_that_panics():
    panic = "thread '<unnamed>' panicked at src/queue.rs:4:5:\nno room\nstack backtrace:\n   0: rust_begin_unwind\n"
    panic += "   1: relay::queue::push\n             at ./src/queue.rs:4:5\n"
    found = record(f"{panic}==42== ERROR: libFuzzer: deadly signal\nSUMMARY: libFuzzer: deadly signal\n")
    assert (found["code"], found["frames"][-1]["function"]) == ("panic", "relay::queue::push")
    for after in ("", "Received signal 11 SEGV_MAPERR 0000000000a8\n#0 0x55b1 in main\n"):
        assert [one["code"] for one in crashes_of(SANITIZER, (panic + after).encode())] == ["SIGSEGV"] * bool(after)


def test_a_report_may_be_indented_among_prose():
    report = ["# Fatal error in , line 0", "# Check failed: size > 0.", "#", " 1: 0x5629 V8_Fatal(char const*) [relay]"]
    found = record("It says:\n\n" + "".join(f"    {line}\n" for line in report) + "\nevery time.\n")
    assert (found["code"], found["tags"]["message"]) == ("Check failed", "Check failed: size > 0.")
    assert [frame["function"] for frame in found["frames"]] == ["V8_Fatal(char const*)"]


def test_a_report_repeated_without_symbols_is_the_same_crash():
    begun = "==88==ERROR: AddressSanitizer: ABRT on unknown address 0x126f18 (pc 0xf7f5f509 bp 0xffe8 sp 0xffe8 T0)\n"
    said = f"# Fatal error in ../../src/queue.cc, line 6\n# unreachable code\n#\n{begun}    #0 0xf7f5f509 in push\n\n"
    again = f"==88==ABORTING\n\n+---Release Unsymbolized---+\n\n{begun}    #0 0xf7f5f509  (relay.so+0x509)\n"
    found = record(said + again)
    assert (found["code"], [frame["function"] for frame in found["frames"]]) == ("unreachable code", ["push"])
    other = again.replace("pc 0xf7f5f509", "pc 0xf7f5f619")
    assert len(crashes_of(SANITIZER, (said + other).encode())) == 2


@pytest.mark.parametrize(
    ("what", "has_ended"),
    [
        ("control flow integrity check for type 'Item' failed during cast (vtable address 0x42)", True),
        ("execution reached an unreachable program point", True),
        ("load of null pointer of type 'Item'", False),
    ],
)
def test_a_program_goes_on_after_undefined_behaviour_but_not_all(what, has_ended):
    said = f"src/queue/push.cc:103:4: runtime error: {what}\n0x42: note: invalid vtable\n"
    assert [crash["module"] for crash in crashes_of(SANITIZER, said.encode())] == ["queue/push.cc"] * has_ended


def test_a_check_of_chromiums_on_a_mac_tells_the_system_by_its_steps():
    found = record(
        "[151:307:0603/143054:1870512625538198:FATAL:queue.cc(48)] Check failed: room > 0 (0 vs. 0)\n"
        "0   Relay Framework                     0x000000010a99b743 _ZN5relay4pushEv + 19\n"
    )
    assert (found["code"], found["os_type"], found["module"]) == ("Check failed", "darwin", "Relay Framework")
    assert found["tags"]["pid"] == "151"


@pytest.mark.parametrize("check", ["Security CHECK failed", "Security DCHECK failed", "DCHECK failed"])
def test_a_check_of_chromiums_tells_its_kind(check):
    assert record(f"[1:1:0826/102126:FATAL:queue.cc(238)] {check}: start <= end.\n")["code"] == check


@pytest.mark.parametrize("by", ["", "libc++ Hardening "])
def test_a_check_of_the_cpp_library_is_a_failed_assertion(by):
    said = f"/opt/llvm/include/c++/v1/vector:1393: {by}assertion __n < size() failed: vector[] index out of bounds\n"
    found = record(said)
    assert (found["code"], found["module"]) == ("Assertion failed", "v1/vector")
    begun = "==9==ERROR: AddressSanitizer: ABRT on unknown address 0x0 (pc 0xf7f5 bp 0xffe8 sp 0xffe8 T0)\n"
    found = record(f"{said.rstrip()}AddressSanitizer:DEADLYSIGNAL\n{begun}    #0 0xf7f5 in push /src/queue.cc:9:3\n")
    assert [frame["function"] for frame in found["frames"]] == ["push"]
    assert found["tags"]["message"].endswith("out of bounds")
