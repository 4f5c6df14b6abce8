"""Text files of kernels: what stands before the lines, whose they are and when they were written."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import kernel_log, programs
from ingest.formats.crashes import Told
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.kernel_lines import Line, stamp_of, time_of_stamp
from ingest.formats.known import format_of
from tests.ingest.conftest import line
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.test_kernel_log import OLD_OOPS, WARNING_PANIC

SEGFAULT = "scan[7]: segfault at 8 ip 00007f00a1b2c3d4 sp 00007ffc error 4 in libscan.so[1234,7f00a1b00000+90000]"

PANIC = "[   12.345678] Kernel panic - not syncing: no init found"


def with_header(text: str, header: str) -> bytes:
    return "\n".join(header + one for one in text.splitlines()).encode()


def the_crash(data: bytes, told: Told = TOLD):
    (crash,) = crashes_of(KERNEL_FILE, data, told=told)
    return crash


def test_a_dump_of_the_ring_tells_the_crash_and_not_when_or_whose():
    crash = the_crash(OLD_OOPS.encode())
    assert crash | {"tags": None, "frames": None, "crash_id": None} == {
        "record": "crash", "crash_id": None, "host_id": "h-told", "occurred_at": "2026-11-25T12:00:00Z",
        "time_quality": "log", "os_type": "linux", "os_version": "3.10.0-1160.el7.x86_64", "domain": "kernel",
        "code": "OOPS", "module": "sensor_lsm", "uptime_s": 1234.567893, "frames": None, "tags": None,
    }  # fmt: skip
    assert [frame["function"] for frame in crash["frames"]] == ["sensor_open", "security_file_open", "vfs_open"]


@pytest.mark.parametrize(
    ("header", "at", "host"),
    [
        ("Jul 19 04:10:02 web-1 kernel: ", "2026-07-19T04:10:02Z", "web-1"),
        ("Nov 26 04:10:02 web-1 kernel: ", "2026-11-26T04:10:02Z", "web-1"),
        ("Dec  9 04:10:02 web-1 kernel: ", "2025-12-09T04:10:02Z", "web-1"),
        ("Feb 29 04:10:02 web-1 kernel: ", "2024-02-29T04:10:02Z", "web-1"),
        ("2024-07-19T04:10:02.25+02:00 web-1 kernel: ", "2024-07-19T04:10:02.25+02:00", "web-1"),
        ("2024-07-19 04:10:02 web-1 kernel: ", "2024-07-19 04:10:02Z", "web-1"),
        ("<3>1 2024-07-19T04:10:02Z web-1 kernel - - - ", "2024-07-19T04:10:02Z", "web-1"),
        ('<3>1 2024-07-19T04:10:02Z web-1 kernel - - [meta sequenceId="7"] ', "2024-07-19T04:10:02Z", "web-1"),
        ('<3>1 2024-07-19T04:10:02Z web-1 kernel - - [a@1 b="c"][d@1 e="f"] ', "2024-07-19T04:10:02Z", "web-1"),
        ("<3>1 2024-07-19T04:10:02Z web-1 kernel 0 - - ", "2024-07-19T04:10:02Z", "web-1"),
        ("<3>1 2024-07-19T04:10:02Z web-1 kernel - ID47 - \ufeff", "2024-07-19T04:10:02Z", "web-1"),
        ('<3>1 2024-07-19T04:10:02Z web-1 kernel - - [a@1 b="c \\] \\" d"] ', "2024-07-19T04:10:02Z", "web-1"),
        ("Jul 19 04:10:02 kernel: ", "2026-07-19T04:10:02Z", "h-told"),
        ("Jul 19 04:10:02 web-1 user.info kernel: ", "2026-07-19T04:10:02Z", "web-1"),
        ("Jul 19 04:10:02 192.0.2.9 web-1 kernel: ", "2026-07-19T04:10:02Z", "web-1"),
        ("Jul 19 04:10:02 192.0.2.9 kernel: ", "2026-07-19T04:10:02Z", "192.0.2.9"),
        ("2024-07-19 04:10:02 +0200 CEST kern.warn kernel: ", "2024-07-19 04:10:02+02:00", "h-told"),
        ("Fri Jul 19 04:10:02 2024 kern.warn kernel: ", "2024-07-19T04:10:02Z", "h-told"),
        ("Jul 19 2024 04:10:02.250 web-1 kernel: ", "2024-07-19T04:10:02Z", "web-1"),
        ("2024 Jul 19 04:10:02 web-1 kernel: ", "2024-07-19T04:10:02Z", "web-1"),
        ("[Fri Jul 19 04:10:02.250 2024] ", "2024-07-19T04:10:02Z", "h-told"),
        ("Jul 19 04:10:02  ", "2026-07-19T04:10:02Z", "h-told"),
        ("2024-07-19T04:10:02.25+02:00   ", "2024-07-19T04:10:02.25+02:00", "h-told"),
        ("2024-07-19T04:10:02Z - ", "2024-07-19T04:10:02Z", "h-told"),
        ("2024-07-19T04:10:02.25Z: ", "2024-07-19T04:10:02.25Z", "h-told"),
        ("<3>1 2024-07-19T04:10:02Z - kernel - - - ", "2024-07-19T04:10:02Z", "h-told"),
        ("июл 19 04:10:02 web-1 kernel: ", "2026-07-19T04:10:02Z", "web-1"),
        ("févr. 09 04:10:02 web-1 kernel: ", "2026-02-09T04:10:02Z", "web-1"),
        ("7月 19 04:10:02 web-1 kernel: ", "2026-07-19T04:10:02Z", "web-1"),
        (" 7월  9 04:10:02 web-1 kernel: ", "2026-07-09T04:10:02Z", "web-1"),
        ("Okt 19 04:10:02 web-1 kernel: ", "2026-10-19T04:10:02Z", "web-1"),
        ("máj 19 04:10:02 web-1 kernel: ", "2026-05-19T04:10:02Z", "web-1"),
        ("Ağu 19 04:10:02 web-1 kernel: ", "2026-08-19T04:10:02Z", "web-1"),
        ("web-1 kernel: ", "2026-11-25T12:00:00Z", "web-1"),
        ("Fri 2024-07-19 04:10:02 CEST web-1 kernel: ", "2024-07-19 04:10:02+02:00", "web-1"),
        ("Fri 2024-07-19 04:10:02 XST web-1 kernel: ", "2024-07-19 04:10:02Z", "web-1"),
        ("1721362202.500000 web-1 kernel: ", "2024-07-19T04:10:02.500000Z", "web-1"),
        ("[2024-07-19 04:10:02] ", "2024-07-19 04:10:02Z", "h-told"),
        ("04:10:02 ", "2026-11-25T12:00:00Z", "h-told"),
        ("04:10:02.123 ", "2026-11-25T12:00:00Z", "h-told"),
        ("2024-07-19T04:10:02.25  <1>", "2024-07-19T04:10:02.25Z", "h-told"),
        ("04:10:02  <1>", "2026-11-25T12:00:00Z", "h-told"),
        ("web-1 login: ", "2026-11-25T12:00:00Z", "h-told"),
        ("<3>", "2026-11-25T12:00:00Z", "h-told"),
        ("kern  :err   : ", "2026-11-25T12:00:00Z", "h-told"),
        ("\x1b[32m", "2026-11-25T12:00:00Z", "h-told"),
    ],
)
def test_what_stands_before_a_line_tells_whose_it_is_and_when_it_was_written(header, at, host):
    data = with_header(OLD_OOPS, header)
    assert KERNEL_FILE.recognises(head(data))
    crash = the_crash(data)
    assert (crash["occurred_at"], crash["host_id"], crash["module"]) == (at, host, "sensor_lsm")
    assert crash["uptime_s"] == 1234.567893


@pytest.mark.parametrize("header", ["2024-07-19T04:10:02.25Z ", "Jul 19 04:10:02 ", "2024-07-19 04:10:02 "])
def test_a_clock_without_blanks_in_its_brackets_is_no_host(header):
    crash = the_crash(with_header(OLD_OOPS.replace("[ 1234.", "[123456."), header))
    assert (crash["occurred_at"][5:10], crash["host_id"], crash["module"]) == ("07-19", "h-told", "sensor_lsm")
    assert crash["uptime_s"] == 123456.567893


def test_what_went_to_all_terminals_tells_its_host_and_time():
    said = [one if at < 4 else one.partition("] ")[2] for at, one in enumerate(OLD_OOPS.splitlines())]
    data = "".join(f"Message from syslogd@web-1 at Jul  9 04:10:02 ...\n kernel:{one}\n\n" for one in said).encode()
    assert KERNEL_FILE.recognises(head(data))
    crash = the_crash(data)
    assert (crash["occurred_at"], crash["host_id"], crash["module"]) == ("2026-07-09T04:10:02Z", "web-1", "sensor_lsm")


def test_what_went_to_all_terminals_before_the_log_tells_it_has_no_stack_of_its_own():
    said = with_header(OLD_OOPS, "Jul 19 04:10:02 web-1 kernel: ").decode()
    oops = next(one for one in OLD_OOPS.splitlines() if "[#1]" in one)
    data = f"Message from syslogd@web-1 at Jul 19 04:10:02 ...\n kernel:{oops}\n\n{said}".encode()
    assert the_crash(data) == the_crash(said.encode())


@pytest.mark.parametrize("left", ["[root@web-1 ~]# ", "panic: runtime e", "relay: 50%"])
def test_on_a_console_a_line_may_stand_behind_what_a_program_left_without_an_end(left):
    data = (left + OLD_OOPS).encode()
    assert the_crash(data) == the_crash(OLD_OOPS.encode())
    assert KERNEL_FILE.recognises(head((left + PANIC).encode()))
    assert the_crash((left + PANIC).encode())["code"] == "Kernel panic: no init found"


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ('"Jul 19","web-1","', '"'),
        ('{"line":"', '","of":"web-1"}'),
        (' "', '",'),
        ('host=web-1 msg="', '" level=err'),
        ("| web-1 | ", "  |"),
    ],
)
def test_what_a_table_puts_around_a_message_is_no_part_of_it(before, behind):
    data = "\n".join(f"{before}{line}{behind}" for line in OLD_OOPS.splitlines()).encode()
    assert the_crash(data) == the_crash(OLD_OOPS.encode())


@pytest.mark.parametrize("prompt", ["[root@web-1 ~]# ", "root@web-1:~# ", "me@web-1:/var/log$ ", "~ # ", "/ # "])
def test_a_prompt_may_stand_before_a_line_without_a_clock(prompt):
    said = f"{prompt}{PANIC.partition('] ')[2]}\nCPU: 0 PID: 1 Comm: init Not tainted 4.7.10 #1\n".encode()
    assert format_of(head(said)) is KERNEL_FILE
    assert (the_crash(said)["code"], the_crash(said)["os_version"]) == ("Kernel panic: no init found", "4.7.10")


def test_in_the_log_of_what_runs_a_machine_its_kernel_is_known_by_its_clock():
    header = "2024-07-19T04:10:02Z "
    found = the_crash(with_header(f"Boots: relay\n{OLD_OOPS}\nEnded: relay", header))
    assert found == the_crash(with_header(OLD_OOPS, header))
    by_program = "\n".join(f"relay[7]: {one}" for one in OLD_OOPS.splitlines())
    assert crashes_of(KERNEL_FILE, with_header(by_program, header)) == []


@pytest.mark.parametrize(
    "header",
    [
        "[Fri Jul 19 04:10:02 2024] ",
        "2024-07-19T04:10:02,250000+02:00 ",
        "[Fr Jul 19 04:10:02 2024] ",
        "[ven. juil. 19 04:10:02 2024] ",
        "[\u041f\u0442 \u0438\u044e\u043b 19 04:10:02 2024] ",
        "[\u4e94 7\u6708 19 04:10:02 2024] ",
        "[\u91d1  7\u6708 19 04:10:02 2024] ",
    ],
)
def test_dmesg_tells_a_time_in_place_of_its_clock(header):
    data = with_header("\n".join(one.partition("] ")[2] for one in OLD_OOPS.splitlines()), header)
    assert KERNEL_FILE.recognises(head(data))
    crash = the_crash(data)
    assert crash["occurred_at"] in ("2024-07-19T04:10:02Z", "2024-07-19T04:10:02.250000+02:00")
    assert "uptime_s" not in crash


@pytest.mark.parametrize("since", ["", " <    0.000001 >", " <    0.000001*>", " " * 16])
def test_journalctl_writes_the_host_behind_the_clock(since):
    data = "\n".join(one.replace("] ", f"{since}] web-1 kernel: ", 1) for one in OLD_OOPS.splitlines()).encode()
    crash = the_crash(data)
    assert (crash["host_id"], crash["uptime_s"], len(crash["frames"])) == ("web-1", 1234.567893, 3)


def test_the_kernels_own_device_tells_its_clock_in_microseconds():
    lines = [one.partition("] ")[::2] for one in OLD_OOPS.splitlines()]
    clocks = [f"{float(clock.strip('[ ')) * 1e6:.0f}" for clock, _ in lines]
    data = "\n".join(
        f"4,{n},{clocks[n]},-,caller=T7;{said}\n SUBSYSTEM=x" for n, (_, said) in enumerate(lines)
    ).encode()
    assert format_of(head(data)) is KERNEL_FILE
    crash = the_crash(data)
    assert (crash["uptime_s"], len(crash["frames"])) == (1234.567893, 3)


@pytest.mark.parametrize("header", ["Jul 19 04:10:02 web-1 kernel: ", ""])
def test_marks_of_code_are_no_part_of_a_line(header):
    said = "".join(f"{header}{line}\n" for line in OLD_OOPS.splitlines()).strip()
    assert the_crash(f"`{said}`".encode()) == the_crash(said.encode())
    assert KERNEL_FILE.recognises(head(f"`{said}`".encode()))
    shown = said.replace("\n", "␍␊\n")  # as terminals and their logs show the end of a line
    assert the_crash(shown.encode()) == the_crash(said.encode())


def test_a_terminal_fills_each_line_to_its_width_also_where_one_goes_on():
    def filled(said: str, width: int = 80, most: int = 200) -> str:
        parts = [said[at : at + width] for at in range(0, len(said), width)]
        return "".join(part.ljust(most) for part in parts)

    shown = "\n".join(map(filled, OLD_OOPS.splitlines()))
    assert format_of(head(shown.encode())) is KERNEL_FILE
    assert the_crash(shown.encode()) == the_crash(OLD_OOPS.encode())


@pytest.mark.parametrize("mark", ["", "kern  :warn  : "])
@pytest.mark.parametrize("point", [".", ","])
@pytest.mark.parametrize("day", ["19", " 9"])
def test_dmesg_tells_the_time_between_lines_in_place_of_its_clock(mark, point, day):
    lines = [one.partition("] ")[2] for one in OLD_OOPS.splitlines()]
    since = [f"{mark}[  +0{point}000002] {one}" for one in lines]
    data = "\n".join([f"{mark}[Jul{day} 04:10] usb 1-1: new", *since]).encode()
    assert format_of(head(data)) is KERNEL_FILE
    crash = the_crash(data)
    assert crash["occurred_at"] == f"2026-07-{day.replace(' ', '0')}T04:10:00Z"
    assert "uptime_s" not in crash


def test_a_console_of_two_wires_writes_each_line_twice():
    data = "".join(f"{one}\n{one}\n" for one in OLD_OOPS.splitlines()).encode()
    assert [frame["function"] for frame in the_crash(data)["frames"]] == [
        "sensor_open",
        "security_file_open",
        "vfs_open",
    ]


def test_what_a_kernel_dies_of_next_is_its_consequence():
    next_one = OLD_OOPS.replace("[#1]", "[#2]").replace("[ 1234.", "[ 1240.")
    later = OLD_OOPS.replace("[#1]", "[#3]").replace("[ 1234.", "[ 1340.")
    crashes = crashes_of(KERNEL_FILE, "\n".join((OLD_OOPS, next_one, later)).encode())
    assert [crash["uptime_s"] for crash in crashes] == [1234.567893, 1340.567893]


def test_a_report_without_a_clock_is_known_by_its_number():
    said = b"general protection fault: 0000 [#1] SMP\nRIP: 0010:sensor_open+0x44/0x120 [sensor]\n"
    assert format_of(head(said)) is KERNEL_FILE
    assert the_crash(said)["module"] == "sensor"


def test_a_log_server_has_lines_of_many_hosts_and_of_many_programs():
    hosts = [f"web-{number}" for number in range(5)]
    lines = []
    for said in OLD_OOPS.splitlines():
        for host in hosts:
            lines.append(f"Jul 19 04:10:02 {host} kernel: {said}")
            lines.append(f"Jul 19 04:10:02 {host} app[3]: Kernel panic - not syncing: said by an app")
    lines.append("Jul 19 05:00:00 web-1 kernel: " + SEGFAULT)
    crashes = crashes_of(KERNEL_FILE, "\r\n".join(lines).encode(), block_bytes=100)
    kernels = [crash for crash in crashes if crash["domain"] == "kernel"]
    assert sorted(crash["host_id"] for crash in kernels) == hosts
    assert all(len(crash["frames"]) == 3 for crash in kernels)
    (process,) = [crash for crash in crashes if crash["domain"] == "user"]
    assert (process["host_id"], process["module"], process["code"]) == ("web-1", "libscan.so", "SIGSEGV")
    assert len({crash["crash_id"] for crash in crashes}) == 6


GO_PANIC = """\
panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.(*Queue).Push(...)
\t/srv/relay/queue.go:10
main.main()
\t/srv/relay/main.go:7 +0x12"""
SEGV = """\
==655==ERROR: AddressSanitizer: SEGV on unknown address 0x0
    #0 0x4f8e21 in relay::push() /srv/relay/queue.cc:10"""


@pytest.mark.parametrize(("printed", "function"), [(GO_PANIC, "main.(*Queue).Push"), (SEGV, "relay::push()")])
@pytest.mark.parametrize("header", ["Jul 19 04:10:02 web-1 relay[655]: ", "2026-07-19T04:10:02Z web-1 relay[655]: "])
def test_what_a_program_prints_when_it_crashes_is_read_among_the_lines_of_others(printed, function, header):
    others = [header.replace("relay[655]", "relay[656]").encode() + b"ready", header.encode() + b"started"]
    lines = with_header(printed, header).splitlines()
    oops = with_header(OLD_OOPS, header.replace("relay[655]", "kernel"))
    data = b"\n".join([*others, *(both for one in lines for both in (one, others[0])), oops])
    assert format_of(head(data)) is KERNEL_FILE
    of_kernel, of_program = crashes_of(KERNEL_FILE, data)
    assert of_kernel["code"] == "OOPS"
    assert of_program | {"host_id": "web-1", "occurred_at": "2026-07-19T04:10:02Z", "time_quality": "log"} == of_program
    assert of_program["frames"][0]["function"] == function


@pytest.mark.parametrize(("at", "count"), [("Jul 19 04:10:03", 1), ("Jul 19 05:10:03", 2)])
def test_a_program_of_whose_end_systemd_tells_is_one_crash(at, count):
    data = with_header(SEGV, "Jul 19 04:10:02 web-1 relay[655]: ") + (
        f"\n{at} web-1 systemd-coredump[660]: Process 655 (relay) of user 0 dumped core.\n".encode()
    )
    assert len(crashes_of(KERNEL_FILE, data)) == count


def test_of_programs_not_too_much_waits(monkeypatch):
    monkeypatch.setattr(programs, "_MOST_PROGRAMS", 5)
    monkeypatch.setattr(programs, "_MOST_LINES", 50)
    found, waiting = [], programs.Programs()
    for number in range(100):
        for said in SEGV.splitlines():
            found += list(waiting.feed(("web-1", str(number)), said, number))
            assert len(waiting._of) <= 5
    found += [one for _ in range(100) for one in waiting.feed(("web-1", "99"), "goes on", 100)]
    assert sorted(one.origin for one in [*found, *waiting.end()]) == list(range(100))


@pytest.mark.parametrize("writer", ["systemd[1]", "systemd[812]", "systemd-coredump[812]"])
@pytest.mark.parametrize("header", ["", "[  102.000001] ", "Jul 19 04:10:02 web-1 kernel: [  102.000001] "])
@pytest.mark.parametrize("end", [" ", "\n"])
def test_a_fault_of_systemd_is_the_kernels_to_report(writer, header, end):
    whole = SEGFAULT.replace("scan[7]", writer)
    assert KERNEL_FILE.recognises(head(f"{header}{whole}\n".encode()))
    said = whole.replace(" sp ", f"{end}sp ")
    caught = f"{header}systemd[1]: Caught <SEGV>, core dump failed (child 813, code=killed, status=11/SEGV)."
    crash = the_crash(f"{header}{said}\n{caught}\n".encode())
    assert (crash["code"], crash["module"], crash["tags"]["comm"]) == (
        "SIGSEGV",
        "libscan.so",
        writer.partition("[")[0],
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_text_is_the_same_in_any_encoding_and_however_it_is_cut(encoding):
    said = with_header(OLD_OOPS, "Jul 19 04:10:02 web-1 kernel: ").decode()
    data = said.replace("\n", "\r\n").encode(encoding)
    assert format_of(head(data)) is KERNEL_FILE
    assert crashes_of(KERNEL_FILE, data, block_bytes=1) == crashes_of(KERNEL_FILE, said.encode())


def test_zeros_where_the_power_went_are_no_part_of_a_line():
    said = with_header(OLD_OOPS, "Jul 19 04:10:02 web-1 kernel: ")
    data = said + b"\0" * 5000 + b"Jul 19 04:12:00 web-1 kernel: [    0.000000] Linux version 3.10\n"
    for told in (data, b"\0" * 70 + said):
        assert format_of(head(told)) is KERNEL_FILE
        assert the_crash(told)["crash_id"] == the_crash(said)["crash_id"]


def test_the_same_lines_in_another_file_are_the_same_crashes():
    longer = b"[    0.000001] Linux version 3.10\n" + OLD_OOPS.encode() + b"\n[ 1300.0] " + SEGFAULT.encode()
    first, second = the_crash(OLD_OOPS.encode()), crashes_of(KERNEL_FILE, longer)[0]
    assert first["crash_id"] == second["crash_id"]


def test_lines_of_too_many_hosts_do_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr(kernel_log, "_MOST_HELD", 50)
    kernels = kernel_log.Kernels()
    lines = [Line(said) for said in WARNING_PANIC.replace("[ ", "").splitlines()]
    found = []
    for number in range(100):
        found += list(kernels.feed(f"h{number}", lines[number % len(lines)]))
        assert sum(len(one) for one in kernels._of.values()) == kernels._held <= 50
    found += list(kernels.end())
    assert kernels._held == 0


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing", b"\0[  1.0] x", line("crash"), b"a,b\n1,2", b'{"MESSAGE": "[  1.0] x"}', b"it said [ 1.5] twice",
     b"2024-07-19 04:10:02 INFO started"],
)  # fmt: skip
def test_other_files_are_none(data):
    assert not KERNEL_FILE.recognises(head(data))


@pytest.mark.parametrize(
    "said",
    [
        '/* e.g. "relay[4]: segfault at 0 ip 0000 sp 0000 error 4 in relay" */',
        "// relay[4]: segfault at 0 ip 0000 sp 0000 error 4 in relay",
        '    panic("relay[4]: segfault at 0 ip 0000 sp 0000 error 4");',
        "Kernel panic - not syncing: %s",
    ],
)
def test_what_a_source_says_of_crashes_is_none(said):
    assert not KERNEL_FILE.recognises(head(f"int a;\n{said}\n".encode()))


def test_a_console_is_known_by_what_only_a_dying_kernel_says():
    said = b"Booting...\nlogin: \nKernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n"
    assert format_of(head(said)) is KERNEL_FILE
    assert the_crash(said)["code"] == "Kernel panic: Attempted to kill init! exitcode=0x0000000b"


@pytest.mark.parametrize(
    "said", ["Foo 19 04:10:02 h kernel: x", "Jun 31 04:10:02 h kernel: x", "Jul 99 04:10:02 h a: b"]
)
def test_no_date_is_no_time(said):
    assert time_of_stamp(stamp_of(said), before=datetime(2026, 1, 1, tzinfo=UTC)) is None


@given(st.binary(max_size=400))
def test_no_bytes_break_it(data):
    KERNEL_FILE.recognises(head(data))
    for crash in crashes_of(KERNEL_FILE, data, block_bytes=7):
        json.dumps(crash)


@pytest.mark.parametrize(
    "header",
    ["Jan  1 00:20:37 web-1 kernel: ", "Jan  1 02:50:34 web-1 kernel: ", "Thu Jan  1 00:20:37 1970 kern.err kernel: "],
)
def test_a_clock_that_counts_from_the_start_of_the_kernel_tells_no_time(header):
    assert the_crash(with_header(OLD_OOPS, header))["occurred_at"] == "2026-11-25T12:00:00Z"


def test_a_crash_on_new_years_day_is_told_its_time():
    crash = the_crash(with_header(OLD_OOPS, "Jan  1 00:27:37 web-1 kernel: "))
    assert crash["occurred_at"] == "2026-01-01T00:27:37Z"
