"""Android's drop box and its traces: what ended or hung is a crash, what was only reported is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.android_reports import ANDROID_REPORTS
from ingest.formats.known import format_of
from ingest.formats.tombstone import TOMBSTONE
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.test_tombstone import TOMBSTONE as NATIVE

BUILD = "acme/phone/phone:14/UP1A.231005.007/10754064:user/release-keys"
TRACES = f"""\
----- pid 4711 at 2024-07-19 04:10:02.123456789+0200 -----
Cmd line: com.acme.relay
Build fingerprint: '{BUILD}'
DALVIK THREADS (23):
"Signal Catcher" daemon prio=10 tid=4 Runnable
  | group="system" sCount=0
  at dalvik.system.Nowhere.wait(Nowhere.java:1)

"main" prio=5 tid=1 Blocked
  | sysTid=4711 nice=-10
  at com.acme.relay.Queue.push(Queue.java:13)
  - waiting to lock <0x0a1b> (a java.lang.Object) held by thread 12
  at com.acme.relay.Main.onCreate(Main.java:9)

----- end 4711 -----
"""
OTHERS_TRACES = TRACES.replace("4711", "900").replace("com.acme.relay", "system_server").replace("04:10:02", "04:10:21")
FIELDS = f"""\
Process: com.acme.relay
PID: 4711
Flags: 0x3898be46
Package: com.acme.relay v321 (3.2.1)
Foreground: Yes
Build: {BUILD}

"""
THROWN = """\
java.lang.RuntimeException: cannot start
\tat android.app.ActivityThread.main(ActivityThread.java:8501)
Caused by: java.lang.IllegalStateException: no room
\tat com.acme.relay.Queue.push(Queue.java:13)
\t... 1 more
"""
REPORTED = THROWN.replace("java.lang.RuntimeException", "android.util.Log$TerribleFailure")


def box(*entries: tuple[str, str]) -> bytes:
    """What ``dumpsys dropbox --print`` prints."""
    said = f"Drop box contents: {len(entries)} entries\nMax entries: 1000\n"
    for number, (tag, body) in enumerate(entries):
        said += f"\n{'=' * 40}\n2024-07-19 04:1{number}:02 {tag} (compressed text, {len(body)} bytes)\n{body}"
    return said.encode()


BOX = box(
    ("data_app_crash", FIELDS + THROWN),
    ("system_app_wtf", FIELDS + REPORTED),
    (
        "data_app_anr",
        FIELDS.replace("Build", "Subject: Input dispatching timed out\nBuild", 1) + TRACES + OTHERS_TRACES,
    ),
    ("SYSTEM_TOMBSTONE", f"isPrevious: false\nBuild: {BUILD}\n\n{NATIVE}"),
    ("data_app_strictmode", FIELDS + THROWN),
    ("SYSTEM_BOOT", f"isPrevious: true\nBuild: {BUILD}\n"),
)


def test_of_a_drop_box_what_ended_or_hung_counts():
    assert format_of(head(BOX)) is ANDROID_REPORTS
    thrown, hang, native = crashes_of(ANDROID_REPORTS, BOX, block_bytes=100)
    assert (thrown["code"], thrown["domain"], thrown["module"]) == (
        "java.lang.IllegalStateException", "user", "com.acme.relay.Queue",
    )  # fmt: skip
    assert (thrown["occurred_at"].replace(" ", "T"), thrown["time_quality"]) == ("2024-07-19T04:10:02Z", "log")
    assert (thrown["os_version"], thrown["os_build"]) == ("14", "UP1A.231005.007")
    assert (thrown["tags"]["process"], thrown["tags"]["pid"]) == ("com.acme.relay", "4711")
    assert (hang["domain"], hang["code"], hang["module"]) == ("hang", "ANR", "com.acme.relay")
    assert hang["tags"]["message"] == "Input dispatching timed out"
    assert native["code"] == crashes_of(TOMBSTONE, NATIVE.encode())[0]["code"]


def test_an_entry_as_a_file_of_its_own_has_its_time_in_its_name():
    data = (FIELDS + THROWN).encode()
    assert format_of(head(data)) is ANDROID_REPORTS
    (crash,) = crashes_of(ANDROID_REPORTS, data, told=replace(TOLD, file="data_app_crash@1721362202000.txt"))
    assert crash["occurred_at"] == "2024-07-19T04:10:02Z"
    (crash,) = crashes_of(ANDROID_REPORTS, data)
    assert crash["occurred_at"] == "2026-11-25T12:00:00Z"
    (older,) = crashes_of(ANDROID_REPORTS, data.replace(b"PID: 4711\n", b""))
    assert older["tags"].keys() == {"process", "message"}
    assert crashes_of(ANDROID_REPORTS, (FIELDS + REPORTED).encode()) == []


def test_traces_tell_where_the_first_process_hung():
    data = (TRACES + "\n" + OTHERS_TRACES).encode()
    assert format_of(head(data)) is ANDROID_REPORTS
    (hang,) = crashes_of(ANDROID_REPORTS, data, block_bytes=100)
    assert (hang["module"], [frame["function"] for frame in hang["frames"]]) == ("com.acme.relay", ["push", "onCreate"])
    assert hang["occurred_at"].replace(" ", "T") == "2024-07-19T04:10:02.123456+02:00"
    assert (hang["os_version"], hang.get("time_quality")) == ("14", None)
    later = OTHERS_TRACES.replace("04:10:21", "05:10:21").replace("+0200", "")
    hangs = crashes_of(ANDROID_REPORTS, (TRACES + later).encode())
    assert [one["module"] for one in hangs] == ["com.acme.relay", "system_server"]
    assert hangs[1]["time_quality"] == "log"


def test_the_subject_above_traces_says_what_was_waited_for():
    (hang,) = crashes_of(ANDROID_REPORTS, b"Subject: Broadcast of Intent { act=x }\n\n" + TRACES.encode())
    assert hang["tags"]["message"] == "Broadcast of Intent { act=x }"


@pytest.mark.parametrize(
    "said",
    [
        "Process: relay\nnothing else\n",
        "Process: com.acme.relay\n\n" + THROWN,
        f"--------- beginning of main\n{TRACES}",
        f"== dumpstate: 2024-07-19 04:10:02\n{TRACES}",
    ],
)
def test_other_texts_are_none(said):
    assert format_of(head(said.encode())) is not ANDROID_REPORTS


@given(st.binary(max_size=300) | changed(BOX) | changed(TRACES.encode()) | changed((FIELDS + THROWN).encode()))
def test_no_bytes_break_it(data):
    survives(ANDROID_REPORTS, data)
