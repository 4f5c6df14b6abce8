"""Faults that servers and other programs tell of themselves in forms of their own."""

from __future__ import annotations

from functools import partial

import pytest

from ingest.formats.sanitizer import SANITIZER
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

FATAL = "2024.07.19 04:10:02.123456 [ 42 ] {} <Fatal> BaseDaemon: "
CLICKHOUSE = f"""\
{FATAL}########################################
{FATAL}(version 24.3.2.23, build id: AB) (from thread 43) (no query) Received signal Segmentation fault (11)
{FATAL}Address: 0x18. Access: read. Address not mapped to object.
{FATAL}Stack trace: 0x000055d5e1b2c3d4 0x000055d5e1b2c3d5
{FATAL}2. /src/queue.cc:12: relay::push() @ 0x000055d5e1b2c3d4 in /usr/bin/clickhouse
{FATAL}3. main @ 0x000055d5e1b2c3d5 in /usr/bin/clickhouse
"""
CRITICAL = "[2024-07-19 04:10:02.123][12][critical][backtrace] [./source/server/backtrace.h:96] "
ENVOY = f"""\
{CRITICAL}Caught Segmentation fault, suspect faulting address 0x18
{CRITICAL}Backtrace (use tools/stack_decode.py to get line numbers):
{CRITICAL}#0: relay::push() [0x55d5e1b2c3d4]
{CRITICAL}#1: [0x55d5e1b2c3d5]
{CRITICAL}#2: main [0x55d5e1b2c3d6]
"""
XORG = """\
[  1234.567] (EE) Backtrace:
[  1234.567] (EE) 0: /usr/lib/xorg/Xorg (xorg_backtrace+0x4d) [0x55d5e1b2c3d4]
[  1234.567] (EE) 1: /lib/x86_64-linux-gnu/libc.so.6 (__restore_rt+0x0) [0x7f8f4a1c0c80]
[  1234.567] (EE) 2: /usr/lib/xorg/modules/drivers/relay_drv.so (push+0x22) [0x7f8f4a1c0d80]
[  1234.567] (EE) 3: /usr/lib/xorg/Xorg (main+0x22) [0x7f8f4a1c0d80]
[  1234.567] (EE)
[  1234.567] (EE) Segmentation fault at address 0x18
[  1234.567] (EE)
Fatal server error:
[  1234.567] (EE) Caught signal 11 (Segmentation fault). Server aborting
"""
MPI = """\
[web-1:00042] *** Process received signal ***
[web-1:00042] Signal: Segmentation fault (11)
[web-1:00042] Failing at address: 0x18
[web-1:00042] [ 0] /lib64/libpthread.so.0(+0xf630)[0x7f8f4a1c0c80]
[web-1:00042] [ 1] ./relay(push+0x22)[0x55d5e1b2c3d4]
[web-1:00042] [ 2] ./relay(main+0x2)[0x55d5e1b2c3f4]
[web-1:00042] *** End of error message ***
"""
FORTRAN = """\

Program received signal SIGSEGV: Segmentation fault - invalid memory reference.

Backtrace for this error:
#0  0x7f8f4a1c0c80 in ???
#1  0x55d5e1b2c3d4 in push
	at /srv/relay/queue.f90:12
#2  0x55d5e1b2c3f4 in main
	at /srv/relay/main.f90:3
"""
UWSGI = """\
!!! uWSGI process 42 got Segmentation Fault !!!
*** backtrace of 42 ***
/usr/bin/uwsgi(uwsgi_backtrace+0x2a) [0x55d5e1b2c3d4]
/usr/bin/uwsgi(uwsgi_segfault+0x23) [0x55d5e1b2c3e4]
/lib/x86_64-linux-gnu/libc.so.6(+0x42520) [0x7f8f4a1c0c80]
/srv/relay/queue.so(push+0x22) [0x7f8f4a1c0d80]
/usr/bin/uwsgi(main+0x22) [0x55d5e1b2c3f4]
*** end of backtrace ***
"""
BUN = """\
Bun v1.1.20 (ae194892) Linux x64
panic(main thread): Segmentation fault at address 0x18
oh no: Bun has crashed. This indicates a bug in Bun, not your code.
"""
DART = """\
Unhandled exception:
Bad state: queue is full
#0      push (package:relay/queue.dart:12:5)
#1      main (file:///srv/relay/bin/main.dart:3:9)
"""
SWIFT = "starts\nrelay/Queue.swift:12: Fatal error: Index out of range\n"
REPORTS = {"clickhouse": CLICKHOUSE, "envoy": ENVOY, "xorg": XORG, "mpi": MPI, "fortran": FORTRAN, "uwsgi": UWSGI,
           "bun": BUN, "dart": DART, "swift": SWIFT}  # fmt: skip
CODES = {"dart": "Bad state", "swift": "Fatal error: Index out of range"}
MODULES = {
    "clickhouse": "clickhouse",
    "xorg": "relay_drv.so",
    "mpi": "relay",
    "uwsgi": "queue.so",
    "dart": "queue.dart",
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_fault_is_told_with_its_stack(name):
    said = REPORTS[name]
    assert SANITIZER.recognises(head(said.encode()))
    (crash,) = crashes_of(SANITIZER, f"goes on\n{said}goes on\n".encode())
    assert (crash["code"], crash["os_type"]) == (CODES.get(name, "SIGSEGV"), "linux")
    assert crash.get("module") == MODULES.get(name)
    named = [frame["function"].rpartition("::")[2].removesuffix("()") for frame in crash.get("frames", ())]
    assert named == ([] if name in ("bun", "swift") else ["push", "main"])
    assert crash["occurred_at"].startswith("2024-07-19") == (name in ("clickhouse", "envoy"))


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "swift"])
def test_a_head_alone_is_no_crash(name):
    heads = (
        "Received signal Seg",
        "Caught Seg",
        "Backtrace:",
        "*** Process",
        "Program received",
        "!!!",
        "panic(",
        "Unhandled",
    )
    line = next(line for line in REPORTS[name].splitlines() if any(one in line for one in heads))
    assert crashes_of(SANITIZER, f"{line}\nand so on\n".encode()) == []


def test_swift_tells_the_file_before_or_behind():
    older = "Fatal error: Unexpectedly found nil: file relay/Queue.swift, line 12\n"
    (crash,) = crashes_of(SANITIZER, older.encode())
    assert crash["code"] == "Fatal error: Unexpectedly found nil"
    for other in ("Queue.swift:12: warning: unused\n", "Fatal error: it ended\n", "see Queue.swift: Fatal error\n"):
        assert crashes_of(SANITIZER, other.encode()) == []


def test_what_the_master_says_of_the_same_worker_is_one_crash():
    died = "DAMN ! worker 1 (pid: 42) died, killed by signal 11 :( trying respawn ...\n"
    (crash,) = crashes_of(SANITIZER, f"{UWSGI}{died}".encode())
    assert crash["module"] == "queue.so"


@pytest.mark.parametrize("piece", ["a @ ", "#0: a [", "(EE) 1: a ", "[a:1] ", "#0  0x1 in ", "a(b) [0x", "a.swift:1: "])
def test_a_hostile_line_takes_little_time(piece):
    for said in REPORTS.values():
        costs_at_most(30, partial(crashes_of, SANITIZER, f"{said}\n{piece * 600}\n{piece * 600}".encode()))


ERROR = "2018.07.19 04:10:02.123456 [ 42 ] <Error> BaseDaemon: "
CLICKHOUSE_OLD = f"""\
{ERROR}########################################
{ERROR}(from thread 7) Received signal Segmentation fault (11).
{ERROR}Address: NULL pointer.
{ERROR}0. /usr/bin/clickhouse-server(relay::push(std::vector<int, std::allocator<int> >&, int)+0x11b) [0x50e4dcb]
{ERROR}1. /lib/x86_64-linux-gnu/libpthread.so.0(+0x65e9) [0x7f74f9b4f5e9]
"""
PLACE = "[2018-07-19 04:10:02.123][12][critical][backtrace] bazel-out/k8-opt/bin/external/relay/source/server/"
PLACE += "_virtual_includes/backtrace_lib/server/backtrace.h:125] "
ENVOY_OLD = f"""\
{PLACE}Caught Segmentation fault, suspect faulting address 0x0
{PLACE}Backtrace thr<0> obj</usr/local/bin/envoy> (If unsymbolized, use tools/stack_decode.py):
{PLACE}thr<0> #0 0xcc8cc8 relay::push()
{PLACE}thr<0> obj</lib/x86_64-linux-gnu/libpthread.so.0>
{PLACE}thr<0> #1 0x7efd89fcf38f (unknown)
{PLACE}thr<0> #2 0xcc8cc9 relay::main()
"""


def test_reports_of_old_clickhouse_are_read():
    assert SANITIZER.recognises(head(CLICKHOUSE_OLD.encode()))
    (crash,) = crashes_of(SANITIZER, CLICKHOUSE_OLD.encode())
    assert (crash["code"], crash["module"], len(crash["frames"])) == ("SIGSEGV", "clickhouse-server", 2)
    assert crash["frames"][0]["function"].startswith("relay::push(")


def test_clickhouse_may_tell_addresses_alone_or_no_source():
    bare = "".join(CLICKHOUSE.splitlines(keepends=True)[1:4])
    (crash,) = crashes_of(SANITIZER, bare.encode())
    assert (crash["code"], "frames" in crash) == ("SIGSEGV", False)
    steps = f"{FATAL}3. 0x55d5e1b2c3d4 relay::push(int) /usr/bin/clickhouse\n{FATAL}4. 0x55d5e1b2c3d5 void relay::ma\n"
    (crash,) = crashes_of(SANITIZER, f"{bare}{steps}".encode())
    assert [frame["function"] for frame in crash["frames"]] == ["relay::push(int)", "void relay::ma"]
    assert crash["module"] == "clickhouse"


def test_newer_clickhouse_tells_a_fault_in_brief_before():
    brief = f"{FATAL}########## Short fault info ############\n"
    brief += f"{FATAL}(version 24.2.2.71) (from thread 43) Received signal 11\n"
    brief += f"{FATAL}Signal description: Segmentation fault\n{FATAL}Address: 0x18. Access: read.\n"
    (crash,) = crashes_of(SANITIZER, f"{brief}{CLICKHOUSE}".encode())
    assert (crash["code"], crash["module"], len(crash["frames"])) == ("SIGSEGV", "clickhouse", 2)
    assert [one["code"] for one in crashes_of(SANITIZER, brief.encode())] == ["SIGSEGV"]


def test_a_source_is_no_part_of_the_function_in_clickhouse():
    said = CLICKHOUSE.replace(" @ 0x", " @ 0x", 1)
    step = (
        f"{FATAL}0. ./obj-x86_64-linux-gnu/../src/queue.cpp:97: DB::Queue::push() @ 0x10e3d826 in /usr/bin/clickhouse\n"
    )
    first, _, rest = said.partition(f"{FATAL}2")
    (crash,) = crashes_of(SANITIZER, (first.partition(f"{FATAL}0. ")[0] + step + rest).encode())
    assert crash["frames"][0] == {"module": "clickhouse", "function": "DB::Queue::push()", "offset": None}


def test_reports_of_old_envoy_are_read():
    assert SANITIZER.recognises(head(ENVOY_OLD.encode()))
    (crash,) = crashes_of(SANITIZER, ENVOY_OLD.encode())
    assert [frame["function"] for frame in crash["frames"]] == ["relay::push()", "relay::main()"]
    bare = ENVOY_OLD.replace(" relay::push()", "").replace(" relay::main()", "").replace(" (unknown)", "")
    (crash,) = crashes_of(SANITIZER, bare.encode())
    assert (crash["code"], crash.get("frames", [])) == ("SIGSEGV", [])


def test_an_internal_error_of_haskell_is_a_crash():
    said = "relay-server: internal error: evacuate: strange closure type 4693\n"
    proof = "    (GHC version 8.4.3 for x86_64_unknown_linux)\n    Please report this as a GHC bug\n"
    assert SANITIZER.recognises(head((said + proof).encode()))
    (crash,) = crashes_of(SANITIZER, (said + proof).encode())
    assert (crash["code"], crash["module"]) == ("internal error: evacuate: strange closure type", "relay-server")
    assert crashes_of(SANITIZER, f"{said}and so on\n".encode()) == []


def test_sql_server_tells_the_exception_by_which_it_ends():
    said = (
        "2024-07-19 04:10:02.44 spid61      ex_terminator - Last chance exception handling\r\n"
        "2024-07-19 04:10:02.44 spid61      SQL Server is terminating because of fatal exception c0000005.\r\n"
    )
    (crash,) = crashes_of(SANITIZER, said.encode("utf-16"))
    assert (crash["code"], crash["module"], crash["os_type"]) == ("0xc0000005", "sqlservr.exe", "windows")
    assert crash["occurred_at"].replace(" ", "T") == "2024-07-19T04:10:02.44Z"


XORG_END = """\
[  1234.567] (EE)
[  1234.567] (EE) Segmentation fault at address 0x18
Fatal server error:
[  1234.567] (EE) Caught signal 11 (Segmentation fault). Server aborting
"""


@pytest.mark.parametrize(
    "steps",
    [
        ["Xorg (xorg_backtrace+0x4d)", "Xorg (0x55d5e1a00000+0x1a2b)", "libc.so.6 (0x7f8f4a100000+0x4c80)"],
        ["Xorg (xorg_backtrace+0x4d)", "Xorg (0x400000+0x1a2b)", "libpthread.so.0 (funlockfile+0x60)"],
        ["Xorg (?+0x0)", "libc.so.6 (?+0x0)"],
    ],
)
def test_what_the_x_servers_handler_is_called_by_is_not_blamed(steps):
    told = [*steps, "relay_drv.so (0x7f8f4a200000+0x22)", "Xorg (0x55d5e1a00000+0x3c)"]
    said = "".join(f"[  1234.567] (EE) {at}: /usr/lib/{one} [0x7f8f4a1c0c80]\n" for at, one in enumerate(told))
    (found,) = crashes_of(SANITIZER, f"[  1234.567] (EE) Backtrace:\n{said}{XORG_END}".encode())
    assert [(one.get("module"), one.get("function"), one.get("offset")) for one in found["frames"]] == [
        ("relay_drv.so", None, 0x22),
        ("Xorg", None, 0x3C),
    ]


def test_a_day_may_stand_before_the_lines_of_an_x_server():
    said = "".join(
        f"[2024-07-19 04:10:02] {line.partition('(EE)')[2].strip()}\n" if "(EE)" in line else f"{line}\n"
        for line in XORG.splitlines()
    )
    assert SANITIZER.recognises(head(said.encode()))
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["module"]) == ("SIGSEGV", "relay_drv.so")
    assert crash["occurred_at"] == "2024-07-19T04:10:02Z"


def test_what_envoys_tool_made_of_a_stack_is_read():
    first = next(line for line in ENVOY.splitlines() if "Caught " in line)
    said = f"{first}\n[2024-07-19 04:10:02.210][15][critical] Backtrace (most recent call first) from thread 15:\n"
    said += "  #1 relay::push(bool) at relay.cc:26\n  #2 relay::run() at relay.cc:12 (discriminator 2)\n"
    assert SANITIZER.recognises(head(said.encode()))
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert [one["function"] for one in crash["frames"]] == ["relay::push(bool)", "relay::run()"]
