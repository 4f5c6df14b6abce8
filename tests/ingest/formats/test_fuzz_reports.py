"""What ClusterFuzz files in bug trackers, and the report file of honggfuzz."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.fuzz_reports import FUZZ_REPORTS as FORMAT
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

FILED = """\
Detailed Report: https://fuzz.example/testcase?key=51

Project: relay
Fuzz Target: relay_queue_fuzzer
Job Type: libfuzzer_asan_relay
Platform Id: linux

Crash Type: Heap-buffer-overflow READ 8
Crash Address: 0x602000002b4f
Crash State:
  relay::Queue::push
  relay::run
  LLVMFuzzerTestOneInput
  
Sanitizer: address (ASAN)

Regressed: https://fuzz.example/revisions?range=1:2
"""  # noqa: W293
SAVED = """\
=====================================================================
TIME: 2026-11-20.04:10:02
=====================================================================
FUZZER ARGS:
 fuzzTarget      : ./relay
CRASH:
DESCRIPTION: 
ORIG_FNAME: 3f1a.honggfuzz.cov
FUZZ_FNAME: SIGSEGV.PC.55d0.CODE.1.ADDR.0.fuzz
PID: 4711
SIGNAL: SIGSEGV (11)
FAULT ADDRESS: 0x10
INSTRUCTION: mov    %rax,(%rdi)
STACK HASH: 00000018a1b2c3d4
STACK:
 <0x000055d0a1b2c3d4> [func:UNKNOWN file: line:0 module:/usr/lib/libc.so.6]
 <0x000055d0a1b2c3d5> [func:relay_push file:/src/queue.c line:12 module:/out/relay]
=====================================================================
"""  # noqa: W291


def test_what_clusterfuzz_files():
    (found,) = crashes_of(FORMAT, FILED.encode())
    assert [frame["function"] for frame in found["frames"]] == [
        "relay::Queue::push", "relay::run", "LLVMFuzzerTestOneInput",
    ]  # fmt: skip
    assert (found["code"], found["os_type"], found["domain"]) == ("Heap-buffer-overflow READ", "linux", "user")
    assert (found["module"], found["tags"]["project"]) == ("relay_queue_fuzzer", "relay")
    assert found["occurred_at"] == "2026-11-25T12:00:00Z"
    assert sign(Shape.of(found)).family.endswith("relay::Queue::push")


def test_what_honggfuzz_saves():
    (found,) = crashes_of(FORMAT, SAVED.encode())
    assert [(frame["module"], frame["function"]) for frame in found["frames"]] == [
        ("libc.so.6", None), ("relay", "relay_push"),
    ]  # fmt: skip
    assert (found["code"], found["module"], found["tags"]["pid"]) == ("SIGSEGV", "libc.so.6", "4711")
    assert (found["occurred_at"], found["time_quality"]) == ("2026-11-20T04:10:02Z", "log")


@pytest.mark.parametrize("said", [FILED, SAVED])
def test_several_in_a_file(said):
    other = said.replace("key=51", "key=52").replace("PC.55d0", "PC.55d1")
    found = crashes_of(FORMAT, f"{said}\n{other}".encode(), block_bytes=100)
    assert len({one["crash_id"] for one in found}) == 2


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("Platform Id: linux", "Platform Id: windows", "os_type", "windows"),
        ("Platform Id: linux", "Platform Id: mac", "os_type", "darwin"),
        ("Platform Id: linux\n", "", "os_type", "linux"),
        ("Heap-buffer-overflow READ 8", "Timeout (exceeds 60 secs)", "domain", "hang"),
        ("Crash Type", "Crash type", "code", "Heap-buffer-overflow READ"),
    ],
)
def test_other_forms(name, value, field, expected):
    (found,) = crashes_of(FORMAT, FILED.replace(name, value).encode())
    assert found[field] == expected


def test_a_state_without_functions():
    (found,) = crashes_of(FORMAT, FILED.replace("  relay::Queue::push\n  relay::run\n  LLVM", "  NULL\n#").encode())
    assert found.get("frames", []) == [{"module": None, "function": "#FuzzerTestOneInput", "offset": None}]


def test_its_own_are_recognised_and_others_are_not():
    for said in (FILED, SAVED, f"Filed today:\n\n{FILED}"):
        assert format_of(head(said.encode())) is FORMAT
    for other in ("", "Crash Type: rear end\nRoad: wet\n", "PID: 4\nSIGNAL: strong\n", "Crash State:\n Ohio\n"):
        assert not FORMAT.recognises(head(other.encode()))


@given(st.binary(max_size=200) | changed(FILED.encode()) | changed(SAVED.encode()))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)
