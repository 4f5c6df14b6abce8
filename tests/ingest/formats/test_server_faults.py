"""Faults that servers and other programs tell of themselves in forms of their own."""

from __future__ import annotations

import time

import pytest

from ingest.formats.sanitizer import SANITIZER
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
        began = time.process_time()
        crashes_of(SANITIZER, f"{said}\n{piece * 600}\n{piece * 600}".encode())
        assert time.process_time() - began < 0.3  # seen: 10 ms
