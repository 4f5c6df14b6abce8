"""What a report says by how it begins: whose stack follows, when it was, how its process ended."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.formats.sanitizer import SANITIZER
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


PANIC = "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.push()\n\t/m.go:9 +0x2\n"


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
