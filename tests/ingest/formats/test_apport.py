"""apport's reports of processes, Python programs and the kernel, with a core dump of any size or none."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.apport import APPORT
from ingest.formats.crashes import Unfit
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

PROCESS = """\
ProblemType: Crash
Architecture: amd64
CoreDump: base64
 H4sICAAAAAAC/0NvcmVEdW1wAA==
 7J0HmBRF04B7
CrashCounter: 1
Date: Fri Jul 19 04:10:02 2024
DistroRelease: Ubuntu 24.04
ExecutablePath: /usr/bin/relay
Package: relay 3.2-1ubuntu4
ProcCmdline: relay --password=geheim
ProcEnviron:
 LANG=de_DE.UTF-8
 TOKEN=geheim
ProcMaps:
 55d5c02a0000-55d5c02b0000 r-xp 00000000 08:01 131 /usr/bin/relay
SegvReason: reading NULL VMA
Signal: 11
SignalName: SIGSEGV
SourcePackage: relay
Stacktrace:
 #0  __memmove_avx_unaligned_erms () at ../sysdeps/memmove.S:383
 No locals.
 #1  0x000055d5c02adb4b in relay::push (name=0x55d5 "geheim") at ./src/queue.cc:97
         secret = "geheim"
 #2  0x00007ffff7e29a31 in g_main_loop_run () from /usr/lib/x86_64-linux-gnu/libglib-2.0.so.0
Title: relay crashed with SIGSEGV in relay::push()
Uname: Linux 6.8.0-38-generic x86_64
UserGroups: adm sudo
"""
PYTHON = """\
ProblemType: Crash
Date: Sat Jul  6 04:10:02 2024
ExecutablePath: /usr/lib/relay/main.py
InterpreterPath: /usr/bin/python3.12
Traceback:
 Traceback (most recent call last):
   File "/usr/lib/relay/main.py", line 9, in <module>
     run()
   File "/usr/lib/relay/queue.py", line 41, in push
     raise relay.Full("x")
 relay.Full: no room
   for more
"""
OOPS = """\
ProblemType: KernelOops
Date: Fri Jul 19 04:10:02 2024
Failure: oops
OopsText:
 [  122.500000] BUG: kernel NULL pointer dereference, address: 0000000000000008
 [  122.500001] Oops: 0000 [#1] PREEMPT SMP NOPTI
 [  122.500002] RIP: 0010:relay_push+0x12/0x40 [relay]
 [  122.500003] Call Trace:
 [  122.500004]  relay_run+0x1/0x20 [relay]
 [  122.500005] ---[ end trace 0000000000000000 ]---
Package: linux-image-6.8.0-38-generic
Uname: Linux 6.8.0-38-generic x86_64
"""


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(APPORT, said.encode())
    return found


def without(said: str, *names: str) -> str:
    """A report without some fields."""
    kept, is_left = [], False
    for line in said.splitlines():
        is_left = is_left if line.startswith(" ") else line.partition(":")[0] in names
        kept += [] if is_left else [line]
    return "\n".join(kept) + "\n"


def test_a_process():
    found = record(PROCESS)
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "h-told",
        "occurred_at": "2024-07-19T04:10:02Z",
        "time_quality": "log",
        "os_type": "linux",
        "os_version": "6.8.0-38-generic",
        "domain": "user",
        "code": "SIGSEGV",
        "module": "relay",
        "frames": [
            {"module": None, "function": "__memmove_avx_unaligned_erms", "offset": None},
            {"module": None, "function": "relay::push", "offset": None},
            {"module": "libglib-2.0.so.0", "function": "g_main_loop_run", "offset": None},
        ],
        "tags": {
            "exe": "relay", "os_name": "Ubuntu 24.04", "package": "relay 3.2-1ubuntu4", "source_package": "relay",
            "title": "relay crashed with SIGSEGV in relay::push()", "reason": "reading NULL VMA",
            "architecture": "amd64", "count": "1",
        },
    }  # fmt: skip
    assert "geheim" not in json.dumps(found)
    assert sign(Shape.of(found)).family == "linux | memory | relay::push"


def test_older_ones_tell_the_signal_by_its_number():
    assert record(without(PROCESS, "SignalName"))["code"] == "SIGSEGV"
    assert "code" not in record(without(PROCESS, "SignalName", "Signal"))


def test_a_stack_that_is_told_otherwise():
    bare = without(PROCESS, "Stacktrace")
    assert "frames" not in record(bare)
    top = record(
        bare + "StacktraceTop:\n raise (sig=6) at raise.c:50\n ?? () from /lib/libc.so.6\n push (x=1) at q.c:3\n"
    )
    assert [one["function"] for one in top["frames"]] == ["raise", None, "push"]
    places = record(
        bare + "StacktraceAddressSignature: /usr/bin/relay:11:/usr/bin/relay+1de:/usr/lib/libc.so.6+8bf:x\n"
    )
    assert places["frames"] == [
        {"module": "relay", "function": None, "offset": 0x1DE},
        {"module": "libc.so.6", "function": None, "offset": 0x8BF},
    ]
    assert (places["module"], places["module_offset"]) == ("relay", 0x1DE)
    assert places["crash_id"] == record(PROCESS)["crash_id"] == top["crash_id"]


def test_a_python_program():
    found = record(PYTHON)
    assert (found["code"], found["occurred_at"]) == ("relay.Full", "2024-07-06T04:10:02Z")
    assert [(one["module"], one["function"]) for one in found["frames"]] == [
        ("relay/queue.py", "push"),
        ("relay/main.py", "<module>"),
    ]


def test_a_kernel():
    found = record(OOPS)
    assert (found["domain"], found["module"], found["uptime_s"]) == ("kernel", "relay", 122.500001)
    assert [one["function"] for one in found["frames"]] == ["relay_push", "relay_run"]
    assert sign(Shape.of(found)).family == "linux | memory | relay!relay_push"
    dmesg = record(OOPS.replace("KernelOops", "KernelCrash").replace("OopsText", "VmCoreDmesg"))
    assert dmesg["frames"] == found["frames"]
    assert record(without(OOPS, "OopsText").replace("KernelOops", "KernelCrash"))["domain"] == "kernel"


def packed(said: str) -> str:
    """A text as apport packs what it takes from a file: a line is a piece of a gzip file."""
    data = gzip.compress(said.encode())
    return "".join(f" {base64.b64encode(piece).decode()}\n" for piece in (data[:10], data[10:400], data[400:]))


def test_a_kernels_log_may_be_packed():
    boot = "".join(f"[    0.{at:06}] pci 0000:00:1f.{at}: [8086:a0c8] type 00\n" for at in range(9000))
    top, _, oops = OOPS.replace("KernelOops", "KernelCrash").partition("OopsText:\n")
    log = boot + "\n".join(line.strip() for line in oops.splitlines()[:-2])
    core = f"{top}VmCoreDmesg: base64\n{packed(log)}Uname: Linux 6.8.0-38-generic x86_64\n"
    found = record(core)
    assert (found["frames"], found["uptime_s"]) == (record(OOPS)["frames"], 122.500001)
    assert (found["code"], found["os_version"]) == ("OOPS", "6.8.0-38-generic")
    damaged = record(core.replace("base64\n H4s", "base64\n H5s"))
    assert (damaged["domain"], "frames" in damaged) == ("kernel", False)


def test_a_system_that_did_not_resume():
    found = record(without(OOPS, "OopsText").replace("Failure: oops", "Failure: suspend/resume"))
    assert (found["domain"], found["code"], found["time_quality"]) == ("kernel", "suspend/resume", "reboot")


def test_a_warning_of_the_kernel_is_no_crash():
    warning = "OopsText:\n WARNING: CPU: 1 PID: 7 at net/core.c:9 relay_push+0x1/0x2 [relay]\n"
    assert crashes_of(APPORT, (without(OOPS, "OopsText") + warning).encode()) == []


@pytest.mark.parametrize("kind", ["Bug", "Package", "RecoverableProblem", "Snap"])
def test_other_problems_are_no_crashes(kind):
    said = PROCESS.replace("ProblemType: Crash", f"ProblemType: {kind}").encode()
    assert APPORT.recognises(head(said))
    assert crashes_of(APPORT, said) == []


def test_a_process_that_hung():
    assert record(PROCESS.replace("ProblemType: Crash", "ProblemType: Hang"))["domain"] == "hang"


def test_a_time_that_is_none_is_for_the_rules_and_one_that_is_missing_is_the_files():
    assert record(PROCESS.replace("Jul 19", "Jul 39"))["occurred_at"] == "Fri Jul 39 04:10:02 2024"
    assert record(PROCESS.replace("Fri Jul", "Fr Xuli"))["occurred_at"] == "Fr Xuli 19 04:10:02 2024"
    assert record(PROCESS.replace("Fri Jul", "Fr Juli"))["occurred_at"] == "2024-07-19T04:10:02Z"
    assert record(without(PROCESS, "Date"))["occurred_at"] == "2026-11-25T12:00:00Z"


@pytest.mark.parametrize("said", [PROCESS, PYTHON, OOPS])
def test_it_is_the_same_however_it_is_cut_and_however_lines_end(said):
    assert APPORT.recognises(head(said.encode()))
    found = record(said)
    assert crashes_of(APPORT, said.encode(), block_bytes=7) == [found]
    assert record(said.replace("\n", "\r\n")) == found
    assert APPORT.recognises(head(said.replace("\n", "\r\n").encode()))


@pytest.mark.parametrize(
    "data",
    [b"", b"Package: relay\nVersion: 3\n", b"ProblemType: Crash\n", b'{"ProblemType": "Crash", "Date": "x"}',
     b"message\nProblemType: is told\nDate: x\n"],
)  # fmt: skip
def test_others_are_not_recognised(data):
    assert not APPORT.recognises(head(data))


def test_what_tells_no_type_is_refused():
    with pytest.raises(Unfit, match="ProblemType"):
        crashes_of(APPORT, without(PROCESS, "ProblemType").encode())


def test_a_core_dump_of_any_size_takes_no_memory():
    start, end = PROCESS.encode().split(b" 7J0HmBRF04B7\n")
    for block in (b" " + b"A" * 76 + b"\n", b"A" * 77):
        blocks = [start, *[block * 13_000] * 20, b"\n", end]
        tracemalloc.start()
        (records,) = APPORT.read(iter(blocks), TOLD)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert json.loads(records.lines)["code"] == "SIGSEGV"
        assert peak < 8 << 20, "bytes, of 20 MiB that came in blocks of one"


@given(st.binary(max_size=300) | changed(PROCESS.encode()) | changed(OOPS.encode()) | changed(PYTHON.encode()))
def test_no_bytes_break_it(data):
    survives(APPORT, data)


def test_it_may_end_anywhere():
    for said in (PROCESS, PYTHON, OOPS):
        for end in range(0, len(said), 9):
            survives(APPORT, said[:end].encode())


def test_reports_one_behind_another_each_count():
    parts = (PROCESS, PYTHON, OOPS)
    apart = [crashes_of(APPORT, one.encode())[0] for one in parts]
    for between in ("", "\n\n"):
        assert crashes_of(APPORT, between.join(parts).encode(), block_bytes=61) == apart
