"""The format of a text that was changed after it was written."""

from __future__ import annotations

import html
import json
import re
from functools import partial

import pytest

from ingest.formats.apple_text import APPLE_TEXT
from ingest.formats.debuggers import DEBUGGERS
from ingest.formats.format import HEAD_BYTES, BrokenOff
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.minidump import MINIDUMP
from ingest.formats.quoted import is_zeroed
from ingest.formats.sanitizer import SANITIZER
from ingest.formats.stackwalk import STACKWALK
from ingest.formats.tombstone import TOMBSTONE
from ingest.recognition import format_of, format_within
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.minidump_files import Dump

GDB = """\
Program terminated with signal SIGSEGV, Segmentation fault.
#0  0x00007f0000001a2b in queue_push (item=0x0) at queue.c:12
#1  0x0000000000401234 in main () at relay.c:40
"""
TOMB = """\
*** *** *** *** *** *** *** *** *** *** *** *** *** *** *** ***
Build fingerprint: 'acme/relay/relay:13/TP1A.1/7:user/release-keys'
pid: 812, tid: 830, name: worker  >>> com.example.relay <<<
signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x18
backtrace:
      #00 pc 0000000000001a2b  /data/app/relay/librelay.so (queue_push+12)
      #01 pc 0000000000002b3c  /data/app/relay/librelay.so (main+40)
"""
APPLE = """\
Process:               Relay [812]
Path:                  /Applications/Relay.app/Contents/MacOS/Relay
Identifier:            com.example.relay
Date/Time:             2024-07-19 06:10:02.250 +0200
OS Version:            macOS 14.5 (23F79)
Exception Type:        EXC_BAD_ACCESS (SIGSEGV)
Crashed Thread:        0

Thread 0 Crashed:
0   Relay                         	0x0000000104a01a2b queue_push + 12
1   Relay                         	0x0000000104a02b3c main + 40
"""
KERNEL = """\
[   12.345678] BUG: unable to handle page fault for address: ffff888000000000
[   12.345688] Oops: 0000 [#1] SMP PTI
[   12.345698] CPU: 0 PID: 78 Comm: relay Not tainted 6.1.0 #1
[   12.345708] RIP: 0010:queue_push+0x12/0x40 [relay]
"""
FORMATS = ((GDB, DEBUGGERS), (TOMB, TOMBSTONE), (APPLE, APPLE_TEXT))


def told(said: str):
    """The format of a text, and its crashes without what its own lines change."""
    data = said.encode()
    format, read = format_of(head(data), lambda: iter([data]))
    found = crashes_of(format, b"".join(read())) if format else []
    return format, [{name: one for name, one in crash.items() if name != "crash_id"} for crash in found]


def before_each(mark: str, said: str) -> str:
    return re.sub(r"^(?!\Z)", mark, said, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "mark",
    [
        "2024-07-19T04:10:02.1234567Z ", "2024-07-19T04:10:02Z\t", "[2024-07-19T04:10:02.123Z] ", "04:10:02  ",
        "2024-07-19 06:10:02,123+02:00 ", "relay-1  | ", "05/07/2024 04:10:02 ",
    ],
)  # fmt: skip
@pytest.mark.parametrize(("said", "format"), FORMATS)
def test_a_log_may_write_something_before_each_line(said, format, mark):
    assert told(before_each(mark, said)) == told(said)
    assert told(said)[0] is format


def test_a_kernels_log_with_times_is_one():
    format, crashes = told(before_each("2024-07-19T04:10:02.123456Z ", KERNEL))
    assert format is KERNEL_FILE
    assert [crash["module"] for crash in crashes] == ["relay"]


def test_a_kernels_log_may_have_only_the_times_of_what_took_it_down():
    bare = re.sub(r"^\[.{12}\] ", "", KERNEL, flags=re.MULTILINE)
    for mark in ("04:10:02  ", "[2024-07-19T04:10:02.123Z] ", "relay-1  | ", "05/07/2024 04:10:02 "):
        assert told(before_each(mark, bare)) == told(bare)
    assert [crash["module"] for crash in told(bare)[1]] == ["relay"]


@pytest.mark.parametrize("said", [GDB, TOMB, APPLE, KERNEL])
def test_colours_of_a_terminal_are_no_part_of_a_text(said):
    coloured = re.sub(r"^(.+)$", "\x1b[1;31m\\1\x1b[0m\x1b[K", said, flags=re.MULTILINE)
    assert told(coloured) == told(said)


@pytest.mark.parametrize("said", [GDB, TOMB, APPLE, KERNEL * 2])
def test_each_line_may_have_a_blank_one_behind_it(said):
    assert told(said.replace("\n", "\n\n")) == told(said)
    assert told(said.replace("\n", "\r\n\r\n")) == told(said)


@pytest.mark.parametrize("between", [" ", " " * 80, "\\n"])
def test_messages_of_a_kernel_may_stand_on_one_line(between):
    joined = between.join(KERNEL.splitlines())
    for said in (joined, f'{{"stdout": "{joined}"}}', f"$ dmesg\n{joined}\n"):
        assert told(said) == told(KERNEL)
    assert [crash["module"] for crash in told(joined)[1]] == ["relay"]


def test_two_processors_may_write_on_one_line_in_other_logs():
    lines = KERNEL.splitlines()
    said = f"{lines[0]}{lines[0]}{lines[0]}\n" + "".join(f"[   12.{at:06} ] usb {at}\n" for at in range(9)) + KERNEL
    assert told(said) == told(KERNEL)


def test_only_the_first_line_of_a_paragraph_may_be_quoted():
    anr = "ANR in com.example.relay\nPID: 812\nReason: Input dispatching timed out (waited 5001ms)\n"
    assert told(f"See:\n\n> {anr}\nThanks\n") == told(f"See:\n\n{anr}\nThanks\n")
    assert told(anr)[1][0]["code"] == "ANR"


def test_what_runtimes_print_in_a_build_of_jenkins_has_its_time():
    panic = "panic: queue\n\ngoroutine 1 [running]:\nmain.push()\n\t/src/main.go:12 +0x2a\n"
    format, (crash,) = told("Started by rita\n" + before_each("[2024-07-19T04:10:02.123Z] ", panic))
    assert format is SANITIZER
    assert (crash["code"], crash["occurred_at"]) == ("panic", "2024-07-19T04:10:02.123Z")
    assert [frame["function"] for frame in crash["frames"]] == ["main.push"]
    assert told("Started by rita\n\n" + before_each("04:10:02  ", panic))[1][0]["frames"] == crash["frames"]


def test_a_long_text_is_searched_in_little_time():
    said = "> goes on\n" * 50_000 + before_each("> ", "panic: queue\n\ngoroutine 1 [running]:\nmain.push()\n")
    data = said.encode()

    def search() -> None:
        first, read = format_of(head(data), lambda: iter([data]))
        assert first is None
        assert format_within(data[:HEAD_BYTES], read) is SANITIZER
        assert [len(block) >= HEAD_BYTES for block in read()][:-1] == [True] * (len(list(read())) - 1)

    costs_at_most(100, search)


@pytest.mark.parametrize(
    "prefix", ["[pod/web-1/relay] ", "test\tRun tests\t2026-11-25T10:11:12.1234567Z ", "web-1  | "]
)
def test_what_a_tool_puts_before_each_line_is_no_part_of_it(prefix):
    said = "Program terminated with signal SIGSEGV, Segmentation fault.\n#0  0x0000 in pop () at q.c:4\n"
    data = before_each(prefix, f"starts\n{said}").encode()
    format, read = format_of(head(data), partial(iter, [data]))
    assert format is DEBUGGERS
    assert b"".join(read()) == f"starts\n{said}".encode()


def test_a_pages_own_blanks_are_blanks():
    said = "Program terminated with signal SIGSEGV, Segmentation fault.\n#0  0x0000 in pop () at q.c:4\n"
    said += "#1  0x0001 in push () at q.c:9\n#2  0x0002 in main () at q.c:11\n"
    data = said.replace("  ", "\u00a0 ").encode()
    format, read = format_of(head(data), partial(iter, [data]))
    assert format is DEBUGGERS
    assert b"".join(read()) == said.encode()
    french = "Nom de l\u2019application d\u00e9faillante\u00a0: relay.exe\n".encode() * 9
    assert b"".join(format_of(head(french), partial(iter, [french]))[1]()) == french


def test_a_text_from_a_pages_source_has_the_same_crashes():
    said = "==78==ERROR: AddressSanitizer: SEGV on unknown address 0x8\n    #0 0x4f1 in Queue<int>::pop() /q.cc:4:3\n"
    data = html.escape(said).encode()
    format, read = format_of(head(data), partial(iter, [data]))
    assert format is SANITIZER
    assert b"".join(read()) == said.encode()
    marked_up = html.escape(f"{said}<i>", quote=False).encode().replace(b"&lt;i&gt;", b"<i>")
    _, read = format_of(head(marked_up), partial(iter, [marked_up]))
    assert b"&lt;int&gt;" in b"".join(read())
    folded = b"<details><summary>a</summary>\n" + data + b"</details>\n"
    assert b"Queue<int>::pop" in b"".join(format_of(head(folded), partial(iter, [folded]))[1]())


def test_what_is_before_a_break_is_read():
    def broken():
        yield b"> a\n" * 3
        raise BrokenOff

    _, read = format_of(head(b"> a\n" * 3), lambda: broken())
    assert b"".join(read()) == b"a\n" * 3


def test_hostile_texts_take_little_time():
    for piece in (
        b"\x1b[",
        b"\x1b[0m",
        b"> a\n",
        b"a\n\n",
        b"a.b ",
        b"04:10:02  ",
        b"\n\n",
        b"> \n ",
        b"[2024-07-19T",
        b"&lt;&gt;",
        b"[    1.123456] ",
        b"\\n ",
    ):
        data = (piece * HEAD_BYTES)[:HEAD_BYTES]
        costs_at_most(50, partial(format_of, head(data), partial(iter, [data])))


def test_the_times_that_dmesg_writes_are_the_kernels_own():
    said = "".join(f"2024-07-19T04:10:02,250000+02:00 {line.partition('] ')[2]}\n" for line in KERNEL.splitlines())
    format, crashes = told(said)
    assert format is KERNEL_FILE
    assert [crash["occurred_at"] for crash in crashes] == ["2024-07-19T04:10:02.250000+02:00"]


def test_what_a_command_says_before_its_json_is_no_log_of_a_system():
    report = '{"crash_info": {"type": "SIGSEGV", "crashing_thread": 0}, "threads": [], "modules": []}\n'
    format, crashes = told(f"2024-07-19T04:10:02Z INFO minidump: reading\n2024-07-19T04:10:03Z WARN none\n{report}")
    assert format is STACKWALK
    assert [crash["code"] for crash in crashes] == ["SIGSEGV"]


SEGFAULT = (
    "Jul 19 06:10:02 web-7 kernel: [   12.345678] relay[812]: segfault at 8 ip 55d0 sp 7ffe error 4 in relay[55d0+10]"
)
GO = "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/relay/main.go:12 +0x12\n"
ZEROS = b"\0" * 5000


@pytest.mark.parametrize(
    "said",
    [
        b"Jul 19 06:09:02 web-7 systemd[1]: Started relay.\n%s" + SEGFAULT.encode(),
        b"Jul 19 06:09:02 web-7 syste%s" + SEGFAULT.encode() + b"\n",
        b"%s" + SEGFAULT.encode() + b"\n",
        b"2024/07/19 06:10:02 started\n%s" + GO.encode(),
        b'{"log":"started\\n","stream":"stderr","time":"2024-07-19T06:10:02Z"}\n%s'
        + b"".join(
            b'{"log":%s,"stream":"stderr","time":"2024-07-19T06:10:03Z"}\n' % json.dumps(line + "\n").encode()
            for line in GO.splitlines()
        ),
        b'{"__REALTIME_TIMESTAMP":"1","_TRANSPORT":"kernel","MESSAGE":"a"}\n%s'
        + json.dumps(
            {"__REALTIME_TIMESTAMP": "1721369402000000", "_TRANSPORT": "kernel", "MESSAGE": SEGFAULT[45:]}
        ).encode()
        + b"\n",
    ],
    ids=["line", "cut", "first", "program", "docker", "journal"],
)
def test_what_was_not_written_as_the_power_went_ends_a_line(said):
    told = [crashes_of(format, b"".join(read())) for format, read in map(opened_as, (said % b"\n", said % ZEROS))]
    assert len(told[1]) == 1
    assert told[1] == told[0]


def opened_as(data: bytes):
    return format_of(head(data), lambda: iter([data]))


@pytest.mark.parametrize("data", [b"MDMP" + b"\0" * 99 + b"\1\2", b"\0" * 99, b"A\0B\0" + b"\0" * 98 + b"C\0"])
def test_what_is_no_text_keeps_its_zero_bytes(data):
    assert not is_zeroed(data)


@pytest.mark.parametrize(
    "memory",
    [b"> a reply\n> to a mail\n" * 2000, b'\n{"record": "crash", "host_id": "h1"}\n' * 9, f"{TOMB}\n".encode() * 99],
    ids=["quotes", "records", "a report"],
)
def test_a_text_in_the_memory_of_a_process_does_not_change_what_a_dump_is(memory):
    data = Dump(address=0x401234, memory={0x9000: memory}).written()
    known, opened = format_of(head(data), lambda: iter([data]))
    assert known is MINIDUMP
    assert b"".join(opened()) == data
