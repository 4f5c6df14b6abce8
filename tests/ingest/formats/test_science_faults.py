"""Faults that programs of science and some databases tell of themselves."""

from __future__ import annotations

from functools import partial

import pytest

from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from ingest.formats.sanitizer_heads import may_begin
from ingest.formats.science_faults import MARKS
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

AEROSPIKE = "Jul 19 2024 04:10:02 GMT: WARNING (as): (signal.c:213) "
REPORTS = {
    "fortran": """\
forrtl: severe (174): SIGSEGV, segmentation fault occurred
Image              PC                Routine            Line        Source
libc.so.6          00007F1A2B445330  Unknown               Unknown  Unknown
relay              0000000000401A2B  push                       44  queue.f90
relay              0000000000401B2B  main                        9  main.f90
""",
    "matlab": f"""\
--------------------------------------------------------------------------------
             Segmentation violation detected at 2024-07-19 06:10:02 +0200
--------------------------------------------------------------------------------

Configuration:
  Crash Decoding           : Disabled - No sandbox or build area path
  MATLAB Version           : 25.2.0.2998904 (R2025b)
{"  Register = 0" * 4}

{"  RAX = 0000000000000000" + chr(10)}\
Stack Trace (from fault):
[  0] 0x00007f1a1a2b3c4d                                   /opt/mex/relay+00007245 push+00000061
[  1] 0x00007f1a2a2b3c4d                                   /opt/mex/relay+00123456 main+00000009
** This crash report has been saved to disk as /tmp/matlab_crash_dump.78-1 **
""",
    "root": """\

 *** Break *** segmentation violation



===========================================================
There was a crash.
This is the entire stack trace of all threads:
===========================================================
#0  0x00007f1a2b3c4d5e in wait4 () from /lib64/libc.so.6
#1  0x00007f1a2b3c6d5e in TUnixSystem::StackTrace() () from /opt/cern/lib/libCore.so
#2  <signal handler called>
#3  0x00007f1a1b3c4d5e in push (this=0x0) from /opt/relay
#4  0x00007f1a1b3c5d5e in main () from /opt/relay
===========================================================
""",
    "scylla": """\
INFO  2024-07-19 04:10:02,440 [shard 3:main] compaction - started
Segmentation fault on shard 3, in scheduling group main.
Backtrace:
  0x5c1a2b3
  /opt/scylladb/libreloc/libc.so.6+0x3dbaf
""",
    "aerospike": f"""\
{AEROSPIKE}SIGSEGV received, aborting Aerospike Community Edition build 8.0.0.9 os el9 arch x86_64
{AEROSPIKE}stacktrace: found 4 frames: 0x1a2b 0x1a2c offset 0x400000
{AEROSPIKE}stacktrace: frame 0: /usr/bin/asd(as_sig_handle_segv+0x54) [0x1a2b3c]
{AEROSPIKE}stacktrace: frame 1: /lib64/libc.so.6(+0x3ebf0) [0x7f1a2b445330]
{AEROSPIKE}stacktrace: frame 2: /usr/bin/relay(push+0x44) [0x1a2c3c]
{AEROSPIKE}stacktrace: frame 3: /usr/bin/relay(main+0x44) [0x1a2c3c]
""",
    "tikv": """\
[2024/07/19 04:10:02.440 +00:00] [FATAL] [lib.rs:509] ["index out of bounds"] [backtrace="   0: relay::push\\n        \
   at home/x/queue.rs:508:18\\n   1: relay::main\\n             at home/x/main.rs:44:9\\n"] [location=queue.rs:44]
""",
}
CODES = {"tikv": "panic"}
MODULES = {"scylla": "scylla", "tikv": None}
NAMES = {"scylla": [None], "tikv": ["relay::push", "relay::main"]}


@pytest.mark.parametrize("name", REPORTS)
def test_a_fault_is_told_with_its_stack(name):
    data = f"goes on\n{REPORTS[name]}goes on\n".encode()
    assert format_of(head(data)) is SANITIZER
    (crash,) = crashes_of(SANITIZER, data)
    assert (crash["code"], crash["os_type"]) == (CODES.get(name, "SIGSEGV"), "linux")
    assert crash.get("module") == MODULES.get(name, "relay")
    assert [frame["function"] for frame in crash["frames"]] == NAMES.get(name, ["push", "main"])
    at = crash["occurred_at"]
    assert at.startswith(("2024-07-19T04:10:02", "2024-07-19T06:10:02+02")) == (name not in ("fortran", "root"))


@pytest.mark.parametrize("name", REPORTS)
def test_each_is_one_crash(name):
    other = REPORTS[name].replace("0x", "0x1").replace(":10:02", ":10:03")
    assert len(crashes_of(SANITIZER, (REPORTS[name] + "goes on\n" * 60 + other).encode())) == 2


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "tikv"])
def test_a_head_alone_is_no_crash(name):
    line = next(line for line in REPORTS[name].splitlines() if may_begin(line))
    assert crashes_of(SANITIZER, f"{line}\ngoes on\n".encode()) == []


@pytest.mark.parametrize(
    "piece", ["[  0] 0x1a ", "#0 ", "a 00000000 a ", "[FATAL] [a.rs:1] [", "stacktrace: frame 0: a("]
)
def test_a_hostile_line_takes_little_time(piece):
    for said in REPORTS.values():
        costs_at_most(30, partial(crashes_of, SANITIZER, f"{said}{piece * 600}\n{piece * 600}".encode()))


def test_each_mark_counts():
    assert all(map(may_begin, MARKS))
