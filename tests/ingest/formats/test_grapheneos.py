"""Crash reports that GrapheneOS shows: of native code in each of its forms, of Java, and what is none."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.grapheneos import GRAPHENEOS as FORMAT
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

HEAD = """\
type: crash
osVersion: acme/pad/pad:16/BP4A.251205.006/2026060601:user/release-keys
"""
NATIVE = f"""\
{HEAD}uid: 1021 (u:r:relayd:s0)
cmdline: /vendor/bin/relayd --password=geheim
processUptime: 207s

abortMessage: relayd: the queue is broken

signal: 6 (SIGABRT), code -1 (SI_QUEUE)
threadName: relay worker
MTE: enabled

backtrace:
    <unknown> (pc c77d22ef4c70)
    /apex/com.android.runtime/lib64/bionic/libc.so (abort+156, pc 7beac)
    /system/app/Relay/Relay.apk!librelay.so (relay::push(int, Item const*) (.__uniq.11381636)+1424, pc 5db80)
    /system/lib64/libqueue.so (pc 1f2e84)
"""
STEPS = f"""\
{HEAD}flags: dev options enabled
package: com.acme.relay:301, targetSdk 37
process: com.acme.relay:worker
installer: com.acme.store

signal 5 (SIGTRAP), code 1 (TRAP_BRKPT), fault addr 0x0000cac967b2f4d0

backtrace:
      #00 pc 0000000000028d0c  /system/app/Relay/Relay.apk!librelay.so (offset 0x930000) (BuildId: 0a1b)
"""
JAVA = f"""\
{HEAD}package: com.acme.relay:301, targetSdk 37
process: com.acme.relay
processUptime: 5123 + 120 ms

java.lang.RuntimeException: Unable to start activity: java.lang.IllegalStateException: no item
\tat android.app.ActivityThread.performLaunchActivity(ActivityThread.java:3644)
Caused by: java.lang.IllegalStateException: no item
\tat com.acme.relay.Queue.push(Queue.java:13)
\t... 11 more
"""


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(FORMAT, said.encode())
    return found


def test_a_crash_of_native_code():
    found = record(NATIVE)
    assert (found["os_type"], found["os_version"], found["os_build"]) == ("linux", "16", "BP4A.251205.006")
    assert (found["code"], found["module"], found["module_offset"]) == ("SIGABRT", "librelay.so", 0x5DB80)
    assert [(one["module"], one["function"], one["offset"]) for one in found["frames"]] == [
        (None, None, None),
        ("libc.so", "abort", 0x7BEAC),
        ("librelay.so", "relay::push(int, Item const*)", 0x5DB80),
        ("libqueue.so", None, 0x1F2E84),
    ]
    tags = found["tags"]
    assert (tags["process"], tags["thread"], tags["model"]) == ("relayd", "relay worker", "pad")
    assert tags["message"] == "relayd: the queue is broken"
    assert "geheim" not in str(found)


def test_steps_may_be_as_in_a_tombstone():
    found = record(STEPS)
    assert (found["code"], found["module"], found["module_offset"]) == ("SIGTRAP", "librelay.so", 0x28D0C)
    assert found["tags"]["process"] == "com.acme.relay:worker"


def test_a_crash_of_java_is_its_innermost_cause():
    found = record(JAVA)
    assert (found["code"], found["module"]) == ("java.lang.IllegalStateException", "com.acme.relay.Queue")
    assert (found["os_version"], found["tags"]["process"]) == ("16", "com.acme.relay")


def test_reports_may_stand_one_behind_the_other_and_in_blocks_of_code():
    said = f"It broke:\n```\n{NATIVE}```\n> " + STEPS.replace("\n", "\n> ") + f"\ntype: anr\n{NATIVE[12:]}"
    assert [one["code"] for one in crashes_of(FORMAT, said.encode())] == ["SIGABRT", "SIGTRAP"]
    assert record(NATIVE)["crash_id"] == record(NATIVE.replace("\n", "\r\n"))["crash_id"]


@pytest.mark.parametrize("said", [NATIVE, STEPS, JAVA, STEPS.replace("flags", "x")])
def test_its_own_are_recognised(said):
    assert format_of(head(said.encode())) is FORMAT


@pytest.mark.parametrize("said", ["type: crash\n", HEAD.replace("crash", "anr"), HEAD.partition("\n")[2], ""])
def test_others_are_not(said):
    assert not FORMAT.recognises(head(said.encode()))
    assert crashes_of(FORMAT, said.encode()) == []


@given(st.binary(max_size=300) | changed(NATIVE.encode()) | changed(JAVA.encode()))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)


def test_it_may_end_anywhere():
    for said in (NATIVE, STEPS, JAVA):
        for end in range(0, len(said), 19):
            survives(FORMAT, said[:end].encode())


@pytest.mark.variants
@pytest.mark.parametrize("block", [b"x" * (1 << 20), b"    /system/lib64/libqueue.so (f+1, pc 1f2e84)\n" * 20_000])
def test_memory_is_bounded_whatever_comes(block):
    tracemalloc.start()
    found = sum(records.read for records in FORMAT.read(iter([NATIVE.encode(), *[block] * 3]), TOLD))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 1
    assert peak < 12 << 20, "bytes, of 3 MiB that came in blocks of one"
