"""Core dumps in words: of coredumpctl, of a log; and the kernel's word of the same process."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.core_dumps import COREDUMPCTL
from ingest.formats.crashes import Told
from ingest.formats.deaths import Death, Deaths
from ingest.formats.journal import JOURNAL
from ingest.formats.journal_verbose import JOURNAL_VERBOSE
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.kernel_lines import Line
from ingest.formats.kernel_log import Fault
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import AT, crashes_of, head

STACK = """\
Process 700 (relay) of user 0 dumped core.

Module relay from deb relay-7.11.0-1.amd64
Stack trace of thread 703:
#0  0x00007fabbe417c7d push (librelay.so.3 + 0x22c7d)
#1  0x00005624352a268f main (relay + 0x6b68f)

Stack trace of thread 700:
#0  0x00007fabbf3d10dc read (libc.so.6 + 0xf80dc)"""
INFO = (
    """\
           PID: 700 (relay)
           UID: 0 (root)
        Signal: 11 (SEGV)
     Timestamp: Fri 2024-07-19 04:10:02 CEST (33min ago)
  Command Line: relay --token hidden
    Executable: /usr/bin/relay
          Unit: relay.service
       Boot ID: 6d80620fd6b34e68a17aac5977949412
    Machine ID: b8d38fc5d6ee453c982979f8bd144c0c
      Hostname: web-1
       Storage: /var/lib/systemd/coredump/core.relay.0.6d80620fd6b34e68a17aac5977949412.700.1721355002000000.zst
       Package: relay/7.11.0-1
       Message: """
    + STACK.replace("\n", "\n                ")
    + "\n"
)
SEGFAULT = "relay-2[703]: segfault at 8 ip 00007fabbe417c7d sp 00007ffc error 4 in librelay.so.3[22c7d,7fa0+40]"
FRAMES = [("librelay.so.3", "push"), ("relay", "main")]


def frames(crash: Any) -> list[tuple[str, str]]:
    return [(frame["module"], frame["function"]) for frame in crash["frames"]]


def journal(*, entries: int = 2) -> bytes:
    """A kernel's word of a process, and systemd's of its dump."""
    common = "_MACHINE_ID=b8d38fc5d6ee453c982979f8bd144c0c\n_BOOT_ID=6d80620fd6b34e68a17aac5977949412\n"
    kernel = f"__REALTIME_TIMESTAMP=1721355002100000\n{common}_TRANSPORT=kernel\nMESSAGE={SEGFAULT}\n\n"
    message = STACK.encode()
    dump = (
        f"__REALTIME_TIMESTAMP=1721355009000000\n{common}MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1\n"
        "COREDUMP_PID=700\nCOREDUMP_SIGNAL=11\nCOREDUMP_TIMESTAMP=1721355002000000\nMESSAGE\n"
    ).encode() + len(message).to_bytes(8, "little")
    parts = [kernel.encode(), dump + message + b"\n\n"]
    return b"".join(parts[:entries])


def test_what_coredumpctl_tells_is_read():
    assert format_of(head(INFO.encode())) is COREDUMPCTL
    (crash,) = crashes_of(COREDUMPCTL, INFO.encode())
    assert crash | {"frames": None, "crash_id": None} == {
        "record": "crash", "crash_id": None, "host_id": "b8d38fc5d6ee453c982979f8bd144c0c",
        "occurred_at": "2024-07-19T02:10:02Z", "os_type": "linux", "domain": "user", "code": "SIGSEGV",
        "module": "librelay.so.3", "module_offset": 0x22C7D, "frames": None,
        "tags": {
            "exe": "/usr/bin/relay", "comm": "relay", "unit": "relay.service", "package": "relay",
            "package_version": "7.11.0-1", "hostname": "web-1", "boot_id": "6d80620fd6b34e68a17aac5977949412",
            "signal": "11",
        },
    }  # fmt: skip
    assert frames(crash) == FRAMES


def test_a_dump_without_a_message_is_a_crash():
    data = INFO.partition("       Package:")[0].encode()
    assert COREDUMPCTL.recognises(head(data))
    (crash,) = crashes_of(COREDUMPCTL, data)
    assert (crash["code"], crash["module"], "frames" in crash) == ("SIGSEGV", "relay", False)


@pytest.mark.parametrize("when", ["2024-13-45 04:10:02", "2024-07-19 24:60:61", "２０２４-07-19 04:10:02"])
def test_a_time_that_is_none_is_left_to_the_rules(when):
    said = "\n".join(line for line in INFO.splitlines() if "Storage:" not in line)  # which tells a time as well
    (crash,) = crashes_of(COREDUMPCTL, said.replace("2024-07-19 04:10:02", when).encode())
    assert crash["occurred_at"] == when


@pytest.mark.parametrize("header", ["", "systemd-coredump[835]: ", "web-1 systemd-coredump[835]: [🡕] ", "    [🡕] "])
def test_a_message_may_have_lost_its_header(header):
    said = f"It says this:\n\n{header}{STACK}\n"
    assert format_of(head(said.encode())) is COREDUMPCTL
    (crash,) = crashes_of(COREDUMPCTL, said.encode())
    assert (frames(crash), crash["module"], crash["tags"]["comm"]) == (FRAMES, "librelay.so.3", "relay")
    assert "code" not in crash
    assert not COREDUMPCTL.recognises(head(b"Process 700 (relay) of user 0 dumped core.\n"))
    two = crashes_of(COREDUMPCTL, (said + said.replace("700", "800")).encode())
    assert [frames(one) for one in two] == [FRAMES, FRAMES]


def test_a_message_may_end_with_the_modules():
    said = "Process 700 (relay) of user 0 dumped core.\n\n  Module /usr/lib/librelay.so.3 (deleted) with build-id 7a\n"
    assert format_of(head(said.encode())) is COREDUMPCTL
    assert [crash["module"] for crash in crashes_of(COREDUMPCTL, said.encode())] == ["relay"]


def test_people_may_keep_the_stack_alone():
    said = f"It dumps core each night:\n\n```\n{STACK.partition('amd64')[2].lstrip()}\n```\n"
    assert format_of(head(said.encode())) is COREDUMPCTL
    (crash,) = crashes_of(COREDUMPCTL, said.encode())
    assert (frames(crash), crash["module"]) == (FRAMES, "librelay.so.3")
    assert not COREDUMPCTL.recognises(
        head(b"A dump has a line 'Stack trace of thread 7:'.\nStack trace of thread 7:\n")
    )


def test_a_waiting_thread_out_of_a_longer_text_is_no_crash():
    waits = "#0  0x00007fab {} + 0x8)\n#1  0x00007fab loop (librelay.so.3 + 0x9)\n"
    for step in ("ppoll (libc.so.6", "n/a (libc.so.6", "pthread_cond_wait@@GLIBC_2.3.2 (libpthread.so.0", "n/a (n/a"):
        cut = f"Stack trace of thread 7:\n{waits.format(step)}".encode()
        assert not COREDUMPCTL.recognises(head(cut))
        assert not crashes_of(COREDUMPCTL, cut)
    later = b"Stack trace of thread 7:\n#2  0x00007fab push (librelay.so.3 + 0x8)\n"
    assert not COREDUMPCTL.recognises(head(later))
    for step in ("__pthread_kill_implementation (libc.so.6", "raise (libpthread.so.0"):
        (crash,) = crashes_of(COREDUMPCTL, f"Stack trace of thread 7:\n{waits.format(step)}".encode())
        assert crash["module"] == "librelay.so.3"


def test_a_log_of_a_build_has_its_clock_before_each_line():
    said = "".join(f"13:29:0{at % 10} {line}\n" for at, line in enumerate(INFO.splitlines()))
    assert format_of(head(said.encode())) is COREDUMPCTL
    assert crashes_of(COREDUMPCTL, said.encode()) == crashes_of(COREDUMPCTL, INFO.encode())


def test_an_abort_is_told_by_its_stack_where_no_signal_is():
    said = (
        "Process 7 (relay) of user 0 dumped core.\n\nStack trace of thread 7:\n#0  0x00007fab n/a (libc.so.6 + 0x8)\n"
        "#1  0x00007fab raise (libc.so.6 + 0x9)\n#2  0x00007fab abort (libc.so.6 + 0xa)\n#3  0x5624 n/a (relay + 0xb)\n"
    )
    (crash,) = crashes_of(COREDUMPCTL, said.encode())
    assert (crash["code"], crash["module"]) == ("SIGABRT", "relay")


def test_coredumpctl_and_the_journal_tell_of_one_crash():
    (of_journal,) = crashes_of(JOURNAL, journal())
    for text in (INFO, "\n".join(line for line in INFO.splitlines() if "Storage:" not in line)):
        assert crashes_of(COREDUMPCTL, text.encode())[0]["crash_id"] == of_journal["crash_id"]


def verbose() -> bytes:
    """The same as ``journalctl -o verbose`` prints it."""
    cursor = "s=68820a717bf74002ad6dc1cca7d950d4;i=1b;b=6d80620fd6b34e68a17aac5977949412;m=14;t={:x};x=aa"
    fields = "    _MACHINE_ID=b8d38fc5d6ee453c982979f8bd144c0c\n    _BOOT_ID=6d80620fd6b34e68a17aac5977949412\n"
    return (
        f"ven. 2024-07-19 04:10:02.100000 CEST [{cursor.format(1721355002100000)}]\n{fields}    _TRANSPORT=kernel\n"
        f"    MESSAGE={SEGFAULT}\n"
        f"ven. 2024-07-19 04:10:09.000000 CEST [{cursor.format(1721355009000000)}]\n{fields}"
        "    MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1\n    COREDUMP_PID=700\n"
        "    COREDUMP_CMDLINE=relay --token hidden\n    COREDUMP_SIGNAL=11\n    COREDUMP_TIMESTAMP=1721355002000000\n"
        "    COREDUMP=[1.2M blob data]\n"
        "    MESSAGE=" + STACK.replace("\n", "\n            ") + "\n"
    ).encode()


def test_the_journal_is_read_as_it_is_printed_in_full():
    text = verbose()
    assert format_of(head(text)) is JOURNAL_VERBOSE
    assert crashes_of(JOURNAL_VERBOSE, text, block_bytes=50) == crashes_of(JOURNAL, journal())
    assert crashes_of(JOURNAL_VERBOSE, text[: text.index(b"ven.", 10)]) == crashes_of(JOURNAL, journal(entries=1))


def test_many_dumps_follow_each_other():
    other = INFO.replace("700 (relay)", "800 (scan)").replace(".700.", ".800.")
    text = f"Here they are:\n{INFO}\n{other}"
    assert [crash["tags"]["comm"] for crash in crashes_of(COREDUMPCTL, text.encode(), block_bytes=100)] == [
        "relay",
        "scan",
    ]


@pytest.mark.parametrize(
    "said",
    [
        "Jul 19 04:10:09 web-1 systemd-coredump[9]: " + STACK.replace("\n", "#012"),
        "Jul 19 04:10:09 web-1 systemd-coredump[9]: [🡕] " + STACK.replace("\n", "\n                "),
    ],
    ids=["rsyslog", "journalctl"],
)
def test_a_log_tells_of_a_dump(said):
    text = f"{said}\nJul 19 04:10:10 web-1 systemd[1]: relay.service: Main process exited\n"
    assert format_of(head(text.encode())) is KERNEL_FILE
    (crash,) = crashes_of(KERNEL_FILE, text.encode())
    assert (crash["host_id"], crash["occurred_at"], crash["time_quality"]) == ("web-1", "2026-07-19T04:10:09Z", "log")
    assert (frames(crash), "code" in crash) == (FRAMES, False)
    ended = "Process 700 (relay) of user 0 terminated abnormally with signal 6/ABRT, processing..."
    before = f"Jul 19 04:10:08 web-1 systemd-coredump[9]: {ended}\n"
    assert [crash["code"] for crash in crashes_of(KERNEL_FILE, (before + text).encode())] == ["SIGABRT"]


def test_a_kernels_word_of_the_same_process_is_no_other_crash():
    (crash,) = crashes_of(JOURNAL, journal())
    assert (crash["code"], frames(crash)) == ("SIGSEGV", FRAMES)
    kernel = f"Jul 19 04:10:02 web-1 kernel: {SEGFAULT}\n"
    dump = "Jul 19 04:10:09 web-1 systemd-coredump[9]: " + STACK.replace("\n", "#012") + "\n"
    for text in (kernel + dump, dump + kernel):
        (crash,) = crashes_of(KERNEL_FILE, text.encode())
        assert (crash["code"], frames(crash)) == ("SIGSEGV", FRAMES)
        assert crash["occurred_at"] == "2026-07-19T04:10:02Z", "its dump was written later"
    assert len(crashes_of(KERNEL_FILE, (kernel + dump.replace("04:10", "04:40")).encode())) == 2
    assert len(crashes_of(KERNEL_FILE, (kernel + dump.replace("web-1", "web-2")).encode())) == 2
    assert len(crashes_of(KERNEL_FILE, (kernel + dump + kernel.replace("04:10", "05:10")).encode())) == 2


BEFORE = "Jul 19 04:10:01 web-1 systemd-coredump[8]: Process 700 (relay) of user 0 terminated abnormally with signal"


@pytest.mark.parametrize("order", ["bkd", "kbd", "bdk"])
def test_what_systemd_says_before_and_after_it_writes_a_dump_is_one_crash(order):
    lines = {
        "b": f"{BEFORE} 11/SEGV, processing...\n",
        "k": f"Jul 19 04:10:02 web-1 kernel: {SEGFAULT}\n",
        "d": "Jul 19 04:10:09 web-1 systemd-coredump[9]: " + STACK.replace("\n", "#012") + "\n",
    }
    (crash,) = crashes_of(KERNEL_FILE, "".join(lines[one] for one in order).encode())
    assert (crash["code"], frames(crash), crash["occurred_at"]) == ("SIGSEGV", FRAMES, "2026-07-19T04:10:02Z")


def test_a_process_of_which_no_dump_is_written_died_all_the_same():
    text = f"{BEFORE} 6/ABRT, processing...\n"
    after = "Jul 19 04:10:09 web-1 systemd-coredump[8]: Process 700 (relay) of user 0 {}.\n"
    said = "terminated abnormally without generating a coredump"
    for log in (text, text + after.format(said), text + after.format("dumped core")):
        (crash,) = crashes_of(KERNEL_FILE, log.encode())
        assert (crash["code"], crash["module"], crash["occurred_at"]) == ("SIGABRT", "relay", "2026-07-19T04:10:01Z")
    (crash,) = crashes_of(KERNEL_FILE, after.format(said).encode())
    assert ("code" in crash, crash["module"]) == (False, "relay")
    again = text.replace("04:10", "05:10")
    assert [one["occurred_at"][11:16] for one in crashes_of(KERNEL_FILE, (text + again).encode())] == ["04:10", "05:10"]


@pytest.mark.parametrize("writer", ["abrt-hook-ccpp[9]", "abrt-hook-ccpp"])
@pytest.mark.parametrize("end", ["dumping core", "ignoring (repeated crash)"])
def test_abrt_tells_of_a_process(writer, end):
    said = f"Jul 19 04:10:02 web-1 {writer}: Process 703 (relay) of user 0 killed by SIGABRT - {end}\n"
    assert format_of(head(said.encode())) is KERNEL_FILE
    (crash,) = crashes_of(KERNEL_FILE, said.encode())
    assert (crash["code"], crash["module"], crash["occurred_at"]) == ("SIGABRT", "relay", "2026-07-19T04:10:02Z")
    kernel = f"Jul 19 04:10:02 web-1 kernel: {SEGFAULT}\n"
    (crash,) = crashes_of(KERNEL_FILE, (kernel + said.replace("ABRT", "SEGV")).encode())
    assert (crash["code"], crash["module"]) == ("SIGSEGV", "librelay.so.3")


def test_the_kernel_tells_the_place_where_systemd_tells_no_stack():
    kernel = f"Jul 19 04:10:02 web-1 kernel: {SEGFAULT}\n".replace("[703]", "[700]")
    dump = "Jul 19 04:10:09 web-1 systemd-coredump[9]: Process 700 (relay) of user 0 dumped core.\n"
    for log in (kernel + dump, dump + kernel):
        (crash,) = crashes_of(KERNEL_FILE, log.encode())
        assert (crash["code"], crash["module"], crash["module_offset"]) == ("SIGSEGV", "librelay.so.3", 0x22C7D)


def test_the_kernel_tells_of_a_thread_where_systemd_tells_of_the_process_without_its_stack():
    kernel = f"Jul 19 04:10:01 web-1 kernel: {SEGFAULT}\n".replace("relay-2[703]", "relay[703]")
    before = f"{BEFORE} 11/SEGV, processing...\n"
    for log in (kernel + before, before + kernel):
        (crash,) = crashes_of(KERNEL_FILE, log.encode())
        assert (crash["code"], crash["module"]) == ("SIGSEGV", "librelay.so.3")
    for other in (
        before.replace("11/SEGV", "6/ABRT"),
        before.replace("(relay)", "(scan)"),
        before.replace("web-1", "web-2"),
        before.replace("04:10:01", "04:10:09"),
    ):
        assert len(crashes_of(KERNEL_FILE, (kernel + other).encode())) == 2
    # Two threads of one name, each of its own process.
    two = kernel + kernel.replace("703", "803") + before + before.replace("700", "800")
    assert len(crashes_of(KERNEL_FILE, two.encode())) == 2


def test_systemd_writes_into_the_kernels_log_where_the_journal_does_not_run():
    ring = "".join(f"[   12.{number:06}] systemd-coredump[9]: {one}\n" for number, one in enumerate(STACK.splitlines()))
    for log in (ring, f"[   11.000000] usb 1-1: new device\n{ring}[   13.000000] usb 1-1: gone\n"):
        (crash,) = crashes_of(KERNEL_FILE, log.encode())
        assert (frames(crash), crash["tags"]["comm"]) == (FRAMES, "relay")
    headed = "".join(f"Jul 19 04:10:09 web-1 kernel: {line}\n" for line in ring.splitlines())
    (crash,) = crashes_of(KERNEL_FILE, headed.encode())
    assert (frames(crash), crash["host_id"], crash["occurred_at"]) == (FRAMES, "web-1", "2026-07-19T04:10:09Z")


def test_a_message_goes_on_where_journalctl_writes_no_host():
    message = STACK.replace("\n", "\n                ")
    (found,) = crashes_of(KERNEL_FILE, f"[   12.000001] systemd-coredump[9]: [🡕] {message}\n".encode())
    (told,) = crashes_of(KERNEL_FILE, f"Jul 19 04:10:09 web-1 systemd-coredump[9]: {message}\n".encode())
    assert (found["frames"], found["module"]) == (told["frames"], told["module"])


def test_the_file_that_a_dump_went_to_tells_when_where_the_log_does_not():
    boot = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    first, *rest = STACK.splitlines()
    stored = f"Coredump diverted to /var/lib/systemd/coredump/core.relay.0.{boot}.4321.1721362202000000.zst"
    ring = "".join(f"[   12.{at:06}] systemd-coredump[9]: {one}\n" for at, one in enumerate([first, stored, *rest]))
    (crash,) = crashes_of(KERNEL_FILE, ring.encode())
    assert (crash["occurred_at"], crash["time_quality"]) == ("2024-07-19T04:10:02Z", "log")
    assert (crash["tags"]["boot_id"], crash["uptime_s"], len(crash["frames"]) > 0) == (boot, 12.0, True)
    (dated,) = crashes_of(KERNEL_FILE, ring.replace("[ ", "Jul 19 05:00:00 web-1 kernel: [ ").encode())
    assert dated["occurred_at"] == "2026-07-19T05:00:00Z"


def test_a_kernels_word_alone_is_a_crash():
    (crash,) = crashes_of(JOURNAL, journal(entries=1))
    assert (crash["module"], crash["module_offset"], crash["code"]) == ("librelay.so.3", 0x22C7D, "SIGSEGV")


def test_processes_do_not_wait_without_end():
    deaths = Deaths()
    told = [
        one for pid in range(3000) for one in deaths.add(Death("h", None, Fault(Line(""), "user", "x")), [str(pid)])
    ]
    assert (len(told), len(list(deaths.end())), len(list(deaths.end()))) == (1999, 1001, 0)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data):
    COREDUMPCTL.recognises(head(data))
    JOURNAL_VERBOSE.recognises(head(data))
    crashes_of(JOURNAL_VERBOSE, b"x [s=0;i=0;b=" + b"0" * 32 + b";m=0;t=ffffffffffffffff;x=0]\n    MESSAGE=" + data)
    for start in (INFO.encode(), b"           PID: 7 (x)\n        Signal: 1 (x)\n       Message: "):
        for crash in crashes_of(COREDUMPCTL, start + data, told=Told(AT, "log", "h"), block_bytes=64):
            json.dumps(crash)


LIST = """\
TIME                          PID  UID  GID SIG     COREFILE EXE                SIZE
Fri 2024-07-19 06:10:02 CEST  812    0    0 SIGSEGV present  /opt/relay/relay    1.2M
Fri 2024-07-19 05:10:02 UTC   813 1000 1000 6       none     /usr/bin/queue       n/a
"""


def test_a_list_of_dumps_has_a_crash_a_row():
    assert format_of(head(LIST.encode())) is COREDUMPCTL
    found = crashes_of(COREDUMPCTL, LIST.encode())
    assert [(crash["occurred_at"], crash["code"], crash["module"]) for crash in found] == [
        ("2024-07-19T04:10:02Z", "SIGSEGV", "relay"),
        ("2024-07-19T05:10:02Z", "SIGABRT", "queue"),
    ]
    wrapped = LIST.replace(" EXE  ", "\nEXE  ")
    assert format_of(head(wrapped.encode())) is COREDUMPCTL
    assert crashes_of(COREDUMPCTL, wrapped.encode()) == found
    assert crashes_of(COREDUMPCTL, LIST.partition("\n")[2].encode()) == []


CUT = """\
        Signal: 11 (SEGV)
     Timestamp: Fri 2024-07-19 11:10:02 WIB (1 day 12h ago)
    Executable: /opt/relay/relay
       Storage: /var/lib/systemd/coredump/core.relay.1000.4a89543b86ac4017845983ac91d43c27.7.1721362202000000000000.lz4
       Message: Process 7 (relay) of user 1000 dumped core.
"""


def test_a_dump_is_told_without_its_first_line_and_its_file_tells_the_time():
    assert COREDUMPCTL.recognises(head(CUT.encode()))
    [crash] = crashes_of(COREDUMPCTL, CUT.encode())
    said = [crash[name] for name in ("occurred_at", "code", "module")]
    assert said == ["2024-07-19T04:10:02Z", "SIGSEGV", "relay"]


def test_a_message_without_a_time_may_tell_the_host():
    said = "pc7 systemd-coredump[835]: Process 7 (relay) of user 1000 dumped core.\n\n  Stack trace of thread 7:\n"
    said += "  #0  0x00007f6184b28a08 push (relay + 0x39a08)\n"
    assert [crash["host_id"] for crash in crashes_of(COREDUMPCTL, said.encode())] == ["pc7"]


def test_the_kernels_clock_or_the_journals_tells_how_long_it_had_run():
    said = "[ 9287.734430] systemd-coredump[788]: Process 7 (relay) of user 0 dumped core.\n"
    said += "[ 9287.734445] systemd-coredump[788]: Stack trace of thread 7:\n"
    said += "[ 9287.734448] systemd-coredump[788]: #0  0x000073c605eabbe2 push (relay + 0x9dbe2)\n"
    assert [crash["uptime_s"] for crash in crashes_of(KERNEL_FILE, said.encode())] == [9287.73443]
    entry = "\n".join(
        [
            "__REALTIME_TIMESTAMP=1721362205000000", "__MONOTONIC_TIMESTAMP=90000000",
            "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1", "COREDUMP_PID=7", "COREDUMP_COMM=relay",
            "COREDUMP_SIGNAL=11", "COREDUMP_TIMESTAMP=1721362202000000", "MESSAGE=Process 7 dumped core.", "\n",
        ]
    )  # fmt: skip
    assert [crash["uptime_s"] for crash in crashes_of(JOURNAL, entry.encode())] == [87]
