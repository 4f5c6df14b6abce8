"""Android's log as Android Studio saves it: the crashes of the same log as text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.known import format_of
from ingest.formats.logcat_json import LOGCAT_JSON
from ingest.formats.tombstone import TOMBSTONE
from tests.ingest.formats.conftest import crashes_before_damage, crashes_of, head
from tests.ingest.formats.damage import changed, survives

THROWN = """\
FATAL EXCEPTION: main
Process: com.example.relay, PID: 812
java.lang.IllegalStateException: no queue
\tat com.example.relay.Queue.pop(Queue.kt:12)
\tat android.os.Looper.loop(Looper.java:288)"""
NATIVE = """\
*** *** *** *** *** *** *** *** *** *** *** *** *** *** *** ***
Build fingerprint: 'acme/relay/relay:16/BP1A.1/7:user/release-keys'
pid: 912, tid: 930, name: worker  >>> com.example.relay <<<
signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x18
backtrace:
      #00 pc 0000000000001a2b  /data/app/relay/librelay.so (queue_push+12)"""


def message(tag: str, said: str, level: str = "ERROR", *, pid: int = 812) -> dict[str, Any]:
    at = {"seconds": 1795608123, "nanos": 456789000}
    named = {"applicationId": "com.example.relay", "processName": "com.example.relay"}
    return {
        "header": {"logLevel": level, "pid": pid, "tid": pid, **named, "tag": tag, "timestamp": at},
        "message": said,
    }


MESSAGES = [
    message("Choreographer", "Skipped 31 frames!", "INFO"),
    message("AndroidRuntime", THROWN),
    *(message("DEBUG", line, "ASSERT", pid=950) for line in NATIVE.splitlines()),
]
DEVICE = {"device": {"physicalDevice": {"serialNumber": "R5CT"}}, "filter": "", "projectApplicationIds": []}
DATA = json.dumps({"metadata": DEVICE, "logcatMessages": MESSAGES}, indent=2).encode()


def test_its_crashes_are_those_of_the_log_as_text():
    assert format_of(head(DATA)) is LOGCAT_JSON
    native, thrown = sorted(crashes_of(LOGCAT_JSON, DATA), key=lambda crash: crash["code"])
    assert (thrown["code"], thrown["module"]) == ("java.lang.IllegalStateException", "com.example.relay.Queue")
    assert (thrown["occurred_at"], thrown["tags"]["pid"]) == ("2026-11-25 12:02:03.456789+00:00", "812")
    assert (native["code"], native["module"], native["os_version"]) == ("SIGSEGV", "librelay.so", "16")
    lines = "".join(
        f"2026-11-25 12:02:03.456789+0000 {one['header']['pid']:5d}   812 E {one['header']['tag']}: {line}\n"
        for one in MESSAGES
        for line in one["message"].split("\n")
    )
    assert crashes_of(TOMBSTONE, lines.encode()) == crashes_of(LOGCAT_JSON, DATA)


def test_a_cut_document_has_the_crashes_before_its_end():
    found, damage = crashes_before_damage(LOGCAT_JSON, DATA[: DATA.index(b"DEBUG")])
    assert [crash["code"] for crash in found] == ["java.lang.IllegalStateException"]
    assert "breaks off" in str(damage)


@pytest.mark.parametrize("header", [{}, {"pid": 1}, {"pid": 1, "tag": "a\nb"}, {"pid": "x", "tag": "a"}, 7])
def test_a_message_without_a_writer_is_no_crash(header):
    data = json.dumps({"logcatMessages": [{"header": header, "message": THROWN}]}).encode()
    assert crashes_of(LOGCAT_JSON, data) == []


@pytest.mark.parametrize("seconds", [None, 0, -1, 10**18, "x"])
def test_a_time_that_is_none_leaves_the_crash(seconds):
    broken = message("AndroidRuntime", THROWN)
    broken["header"]["timestamp"]["seconds"] = seconds
    (crash,) = crashes_of(LOGCAT_JSON, json.dumps({"logcatMessages": [broken]}).encode())
    assert crash["code"] == "java.lang.IllegalStateException"


@given(st.one_of(changed(DATA), st.binary(max_size=200)))
def test_no_damage_breaks_the_reading(data):
    survives(LOGCAT_JSON, data)
