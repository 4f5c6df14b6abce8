"""Faults that daemons and programs of the desktop tell of themselves."""

from __future__ import annotations

from functools import partial

import pytest

from ingest.formats.daemon_faults import MARKS
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from ingest.formats.sanitizer_heads import may_begin
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

LIBC = "/lib64/libc.so.6(+0x45330) [0x7f1a2b445330]"
PUSH = "/usr/lib64/librelay.so.1(relay_push+0x44) [0x7f1a2b3c4d5e]"
MAIN = "/usr/sbin/relay(main+0x9) [0x55d0c1a2b3c4]"
FAULT = "[2024/07/19 04:10:02.429124,  0] ../../lib/util/fault.c"
ZABBIX = "  78:20240719:041002.440 "
REPORTS = {
    "samba": f"""\
{FAULT}:174(smb_panic_log)
  INTERNAL ERROR: Signal 11: Segmentation fault in  () () pid 78 (4.22.3)
{FAULT}:178(smb_panic_log)
  If you are running a recent Samba version, please consider reporting this bug
{FAULT}:184(smb_panic_log)
  PANIC (pid 78): Signal 11: Segmentation fault in 4.22.3
{FAULT}:293(log_stack_trace)
  BACKTRACE: 5 stack frames:
   #0 /usr/lib64/samba/libsamba.so.0(log_stack_trace+0x1f) [0x7f2a709be16f]
   #1 /usr/lib64/samba/libsamba.so.0(+0x22f5) [0x7f2a717342f5]
   #2 {LIBC}
   #3 {PUSH}
   #4 {MAIN}
[2024/07/19 04:10:02.500000,  0] ../../source3/lib/dumpcore.c:319(dump_core)
  dumping core in /var/log/samba/cores/smbd
""",
    "samba of itself": f"""\
[2024/07/19 04:10:02.429124,  0] ../source3/lib/util.c:789(smb_panic_s3)
  PANIC (pid 78): Bad talloc magic value - unknown value
[2024/07/19 04:10:02.430295,  0] ../source3/lib/util.c:900(log_stack_trace)
  BACKTRACE: 4 stack frames:
   #0 /usr/lib64/samba/libsamba.so.0(log_stack_trace+0x1a) [0x7f2a709be16a]
   #1 /usr/lib64/samba/libsamba.so.0(smb_panic_s3+0x20) [0x7f2a709be240]
   #2 {PUSH}
   #3 {MAIN}
""",
    "frr": f"""\
BGP: Received signal 11 at 1721362202 (si_addr 0x10, PC 0x7fa792e53bd7); aborting...
BGP: /usr/lib64/frr/libfrr.so.0(zlog_backtrace_sigsafe+0x6f) [0x7fa7931b1f7f]
BGP: {LIBC}
BGP: {PUSH}
BGP: {MAIN}
BGP: in thread bgp_process scheduled from bgpd/bgp_route.c:9 bgp_start()
""",
    "frr, unwound": """\
Received signal 11 at 1721362202 (si_addr 0x0, PC 0x55e6f97121dd); aborting...
zlog_signal+0x18c                  7ff6d0c1a2ad     7ffe50e570d0 /usr/lib64/libfrr.so.0 (mapped at 0x7ff6d0b7b000)
killpg+0x40                        7ff6d09a5d60     7ffe50e57340 /lib64/libc.so.6 (mapped at 0x7ff6d096a000)
    ---- signal ----
relay_push+0x14                    55e6f97121dd     7ffe50e579e0 /usr/lib64/librelay.so.1 (mapped at 0x55e6f9711000)
main+0xdb                          55e6f97122d0     7ffe50e579f0 /usr/sbin/relay (mapped at 0x55e6f9711000)
""",
    "glusterfs": f"""\
[2024-07-19 04:10:02.954356 +0000] I [MSGID: 1] [afr.c:2:start] 0-vol0: up
pending frames:
frame : type(1) op(WRITE)
signal received: 11
time of crash:
2024-07-19 04:10:02 +0000
configuration details:
argp 1
st_atim.tv_nsec 1
package-string: glusterfs 11.1
/lib64/libglusterfs.so.0(gf_print_trace+0x3c0)[0x7f38ef57b030]
{LIBC}
{PUSH}
{MAIN}
---------
""",
    "bind": f"""\
19-Jul-2024 04:10:02.440 general: critical: resolver.c:4811: REQUIRE((((fctx) != ((void *)0)))) failed, back trace
19-Jul-2024 04:10:02.440 general: critical: /usr/sbin/named(+0x21e56) [0x55d0c1a2b3c4]
19-Jul-2024 04:10:02.440 general: critical: /lib64/libisc-9.20.so(isc_assertion_failed+0xe) [0x7f1a2b3c4d5e]
19-Jul-2024 04:10:02.440 general: critical: {PUSH}
19-Jul-2024 04:10:02.440 general: critical: {MAIN}
19-Jul-2024 04:10:02.440 general: critical: exiting (due to assertion failure)
""",
    "zabbix": f"""\
{ZABBIX}Got signal [signal:11(SIGSEGV),reason:1,refaddr:0x10]. Crashing ...
{ZABBIX}====== Fatal information: ======
{ZABBIX}Program counter: 0x55d0c1a2b3c4
{ZABBIX}=== Registers: ===
{"".join(f"{ZABBIX}r{at}      =                0 =              0 =             0{chr(10)}" for at in range(40))}\
{ZABBIX}=== Backtrace: ===
{ZABBIX}3: zabbix_server: poller #3 [getting values](zbx_log_fatal_info+0x1a1) [0x55d0c1a2b4c4]
{ZABBIX}2: {LIBC}
{ZABBIX}1: /usr/lib64/librelay.so.1(relay_push+0x44) [0x7f1a2b3c4d5e]
{ZABBIX}0: zabbix_server: poller #3 [getting values](main+0x8a1) [0x55d0c1a2b6c4]
{ZABBIX}================================
""",
    "strongswan": """\
12[DMN] thread 12 received 11
12[LIB]  dumping 3 stack frame addresses:
12[LIB]   /lib64/libc.so.6 @ 0x7f1a2b400000 [0x7f1a2b445330]
12[LIB]     -> ??:?
12[LIB]   /usr/lib64/librelay.so.1 @ 0x7f1a2b300000 (relay_push+0x52) [0x7f1a2b31a2b3]
12[LIB]   /usr/sbin/relay @ 0x55d0c1a00000 (main+0x9) [0x55d0c1a2b3c4]
12[DMN] killing ourself, received critical signal
""",
    "libreoffice": f"""\
Application Error


Fatal exception: Signal 11
Stack:
/usr/lib/libreoffice/program/libuno_sal.so.3(+0x40a23)[0x7f1a2b3c4a23]
{LIBC}
{PUSH}
{MAIN}
""",
    "godot": f"""\
================================================================
handle_crash: Program crashed with signal 11
Engine version: Godot Engine v4.5.stable.official (876b2903)
Dumping the backtrace. Please include this when reporting the bug
[1] {LIBC} (??:0)
[2] {PUSH} (queue.cpp:302)
[3] {MAIN} (??:0)
-- END OF C++ BACKTRACE --
""",
    "abseil": """\
*** SIGSEGV received at time=1721362202 on cpu 12 ***
PC: @     0x7f1a2b3c4d5e  (unknown)  relay_push
    @     0x7f1a2b445330       4096  (unknown)
    @     0x7f1a2b3c4d5e        112  relay_push
    @     0x55d0c1a2b3c4  (unknown)  main
""",
}  # fmt: skip
CODES = {"samba of itself": "SIGABRT", "bind": "Assertion failed"}
UNDATED = ("strongswan", "libreoffice", "godot")


@pytest.mark.parametrize("name", REPORTS)
def test_a_fault_is_told_with_the_stack_below_the_handler(name):
    data = f"goes on\n{REPORTS[name]}goes on\n".encode()
    assert format_of(head(data)) is SANITIZER
    (crash,) = crashes_of(SANITIZER, data)
    assert (crash["code"], crash["os_type"]) == (CODES.get(name, "SIGSEGV"), "linux")
    assert crash.get("module") == (None if name == "abseil" else "librelay.so.1")
    assert [frame["function"] for frame in crash["frames"]] == ["relay_push", "main"]
    assert crash["occurred_at"].startswith("2024-07-19T04:10:02") == (name not in UNDATED)


@pytest.mark.parametrize("name", REPORTS)
def test_what_stands_behind_it_makes_no_other_crash(name):
    ids = {
        crashes_of(SANITIZER, f"{REPORTS[name]}".encode())[0]["crash_id"]
        for behind in ("", "goes on\n", "goes on\n" * 40)
    }
    assert len(ids) == 1
    other = REPORTS[name].replace("pid 78", "pid 79")
    assert len(crashes_of(SANITIZER, (REPORTS[name] + "goes on\n" * 60 + other).encode())) == 2


def test_in_a_systems_log_it_has_the_host():
    lines = "".join(
        f"Jul 19 04:10:02 web-1 BGP[78]: {line}\n" for line in REPORTS["frr"].replace("BGP: ", "").splitlines()
    )
    (crash,) = crashes_of(KERNEL_FILE, lines.encode())
    assert (crash["host_id"], crash["code"], crash["module"]) == ("web-1", "SIGSEGV", "librelay.so.1")


def test_a_database_tells_the_function():
    said = (
        "2024-07-19T04:10:02.440113+00:00\n"
        "ORA-07445: exception encountered: core dump [kqueue()+44] [SIGSEGV] [ADDR:0x10] [PC:0x1A2B3C4] [a] []\n"
    )
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["module"], crash["frames"][0]["function"]) == ("SIGSEGV", "oracle", "kqueue")
    assert crash["occurred_at"].startswith("2024-07-19T04:10:02.44")


def test_an_assertion_and_the_signal_by_which_it_ends_are_one_crash():
    asserted = "zebra: lib/plist.c:562: void install(int *): Assertion `*updptr' failed.\n"
    (crash,) = crashes_of(SANITIZER, (asserted + REPORTS["frr"].replace("signal 11", "signal 6")).encode())
    assert (crash["code"], crash["module"]) == ("Assertion failed", "librelay.so.1")


def test_what_python_says_of_a_signal_that_was_told_is_of_the_same_crash():
    python = (
        'Fatal Python error: Segmentation fault\n\nStack (most recent call first):\n  File "/a/b.py", line 3 in push\n'
    )
    assert len(crashes_of(SANITIZER, (REPORTS["abseil"] + python).encode())) == 1


@pytest.mark.parametrize(
    "said",
    [
        "signal received: 15\ntime of crash:\n",
        "12[DMN] thread 12 received 15\n12[DMN] killing ourself\n",
        "Received signal 15 at 1721362202 (si_addr 0x0, PC 0x5); terminating...\n",
        "connect() failed (111: Connection refused)\n",
        "resolver.c:9: REQUIRE(a) failed\nwill be tried again\n",
        "Fatal exception: Signal 11\nis what it says\n",
    ],
)
def test_what_is_no_fault(said):
    assert crashes_of(SANITIZER, said.encode()) == []


@pytest.mark.parametrize(
    "piece", ["a(b) [0x", "#0 /a(", "a: ", "REQUIRE(", "12[LIB] ", "a+0x1 1", "@ 0x", f"{ZABBIX}1: "]
)
def test_a_hostile_line_takes_little_time(piece):
    for said in REPORTS.values():
        costs_at_most(30, partial(crashes_of, SANITIZER, f"{said}{piece * 600}\n{piece * 600}".encode()))


def test_each_mark_counts():
    assert all(map(may_begin, MARKS))


@pytest.mark.parametrize(
    "called",
    ["/lib64/libpthread.so.0(+0xf5f0)", "/lib64/libc.so.6(+0x45330)", "linux-gate.so.1(__kernel_rt_sigreturn+0)"],
)
def test_what_zabbixs_handler_is_called_by_is_not_blamed(called):
    told = [
        "Got signal [signal:11(SIGSEGV),reason:1,refaddr:0x10]. Crashing ...",
        "====== Fatal information: ======",
        "Program counter: 0x55d0c1a2b3c4",
        "-0x38(%ebp) = ebp - 56 = 00000000 =          0 =           0",
        "=== Backtrace: ===",
        "4: /usr/sbin/zabbix_server: poller #3 [getting values](print_fatal_info+0x1a1) [0x55d0c1a2b4c4]",
        "3: /usr/sbin/zabbix_server: poller #3 [getting values](+0x1a1) [0x55d0c1a2b4c4]",
        f"2: {called} [0x7f1a2b445330]",
        f"1: {PUSH}",
    ]
    (found,) = crashes_of(SANITIZER, "".join(f"{ZABBIX}{line}\n" for line in told).encode())
    assert [(one["module"], one["function"]) for one in found["frames"]] == [("librelay.so.1", "relay_push")]


@pytest.mark.parametrize(
    "before",
    [
        "../../source3/lib/{}.c:82: [2024/07/19 04:10:02.440587, all 0, pid=78] log",
        "[2024/07/19 04:10:02.440587,  0, pid=78, effective(0, 0), real(0, 0)] ../../source3/lib/{}.c:82(log)",
    ],
)
def test_samba_tells_time_and_stack_in_the_forms_of_makers(before):
    said = f"{before.format('util')}\n  PANIC (pid 78): assert failed: a == b\n"
    said += f"{before.format('fault')}\n  BACKTRACE: 2 stack frames:\n"
    said += f"   #0 /usr/lib/libsamba-util.so.0(smb_panic+0x2d) [0x7f1a2b3c4d4e]\n   #1 {PUSH}\n"
    (found,) = crashes_of(SANITIZER, said.encode())
    assert (found["module"], found["occurred_at"]) == ("librelay.so.1", "2024-07-19T04:10:02.440587Z")


def test_samba_in_a_systems_log_without_a_host_has_its_own_time():
    before = "Jul 19 04:10:02 smbd[78]: "
    said = f"{before}[2024/07/19 04:10:02.440587,  0] (smb_panic)\n{before}  PANIC (pid 78): internal error\n"
    (found,) = crashes_of(SANITIZER, said.encode())
    assert found["occurred_at"] == "2024-07-19T04:10:02.440587Z"
