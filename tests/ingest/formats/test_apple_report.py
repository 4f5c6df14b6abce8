"""Apple's reports in JSON: crashes, panics and watchdogs among all else that such files hold, whole and cut short."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.apple_report import APPLE_REPORT
from ingest.formats.crashes import Unfit
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.test_apple_text import HANG, PHONE
from tests.ingest.formats.test_xnu_panic import EXTENSIONS, SILICON

HEADER = {
    "app_name": "Acme",
    "timestamp": "2024-07-19 04:10:02.00 +0200",
    "app_version": "7.2.1",
    "build_version": "7021",
    "bundleID": "com.acme.app",
    "bug_type": "309",
    "os_version": "macOS 14.5 (23F79)",
    "incident_id": "F71CCC53-3A83-4BA7-88A4-09303932E28A",
    "name": "Acme",
}
IMAGES = [
    {"name": "libsystem_kernel.dylib", "path": "/usr/lib/system/libsystem_kernel.dylib", "base": 1, "size": 9},
    {"name": "Acme", "path": "/Users/ada/Acme.app/Contents/MacOS/Acme", "CFBundleShortVersionString": "7.2.1"},
    {"name": "CoreFoundation", "path": "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"},
    {"path": "/Applications/Acme.app/Contents/Frameworks/libshim.dylib", "CFBundleVersion": "12"},
    {"base": 0, "size": 0, "uuid": "00000000-0000-0000-0000-000000000000", "source": "A"},
]
BODY: dict[str, Any] = {
    "uptime": 3600,
    "modelCode": "Mac14,2",
    "osVersion": {"train": "macOS 14.5", "build": "23F79", "releaseType": "User"},
    "captureTime": "2024-07-19 04:10:01.7990 +0200",
    "incident": "F71CCC53-3A83-4BA7-88A4-09303932E28A",
    "pid": 748,
    "translated": False,
    "userID": 501,
    "procName": "Acme",
    "procPath": "/Users/ada/Acme.app/Contents/MacOS/Acme",
    "bundleInfo": {"CFBundleShortVersionString": "7.2.1", "CFBundleIdentifier": "com.acme.app"},
    "crashReporterKey": "7A9FAA05-0000-1111-2222-333344445555",
    "exception": {
        "codes": "0x0000000000000001, 0x0000000000000010",
        "type": "EXC_BAD_ACCESS",
        "signal": "SIGSEGV",
        "subtype": "KERN_INVALID_ADDRESS at 0x0000000000000010",
    },
    "termination": {"namespace": "SIGNAL", "code": 11, "indicator": "Segmentation fault: 11", "byProc": "exc handler"},
    "asi": {"libsystem_c.dylib": ["could not open /Users/ada/sync.db"], "dyld": ["dyld4 config: DYLD_X=/secret"]},
    "faultingThread": 1,
    "threads": [
        {"id": 1, "frames": [{"imageOffset": 5, "symbol": "mach_msg", "symbolLocation": 8, "imageIndex": 0}]},
        {
            "triggered": True,
            "id": 2,
            "frames": [
                {"imageOffset": 4096, "symbol": "__pthread_kill", "symbolLocation": 8, "imageIndex": 0},
                {"imageOffset": 77, "imageIndex": 4},
                {"imageOffset": 9000, "imageIndex": 1},
                {"imageOffset": 12, "symbol": "CFRunLoopRun", "imageIndex": 2},
            ],
        },
    ],
    "usedImages": IMAGES,
}
PANIC_HEADER = {"bug_type": "210", "timestamp": "2024-07-19 04:12:02.00 +0200", "os_version": "macOS 14.5 (23F79)"}
PANIC = {
    "build": "macOS 14.5 (23F79)",
    "product": "Mac14,2",
    "incident": "D6CE2A99-9C2A-49E4-8150-D648AC1F3BE6",
    "crashReporterKey": "7A9FAA05-0000-1111-2222-333344445555",
    "date": "2024-07-19 04:12:01.03 +0200",
    "panicString": SILICON,
    "processByPid": {"1": {"procname": "launchd"}},
}


def report(header: dict[str, Any] = HEADER, body: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """A file of a header and a body, with other values in the body; None leaves one out."""
    told = {name: value for name, value in ((BODY if body is None else body) | changes).items() if value is not None}
    return (json.dumps(header) + "\n" + json.dumps(told, indent=2)).encode()


def crash(data: bytes) -> dict[str, Any]:
    assert APPLE_REPORT.recognises(head(data))
    (record,) = crashes_of(APPLE_REPORT, data)
    return record


def family(record: dict[str, Any]) -> str:
    frames = [{"module": None, "function": None, "offset": None} | frame for frame in record.get("frames", [])]
    return sign(Shape.of(record | {"frames": frames})).family


def test_a_crash():
    record = crash(report())
    assert record == {
        "record": "crash",
        "crash_id": "F71CCC53-3A83-4BA7-88A4-09303932E28A",
        "host_id": "7A9FAA05-0000-1111-2222-333344445555",
        "occurred_at": "2024-07-19 04:10:01.7990+02:00",
        "os_type": "darwin",
        "os_version": "14.5",
        "os_build": "23F79",
        "domain": "user",
        "code": "EXC_BAD_ACCESS",
        "module": "Acme",
        "module_version": "7.2.1",
        "module_offset": 9000,
        "uptime_s": 3600,
        "frames": [
            {"module": "libsystem_kernel.dylib", "function": "__pthread_kill", "offset": 4096},
            {"module": None, "function": None, "offset": None},
            {"module": "Acme", "function": None, "offset": 9000},
            {"module": "CoreFoundation", "function": "CFRunLoopRun", "offset": 12},
        ],
        "tags": {
            "process": "Acme",
            "pid": "748",
            "model": "Mac14,2",
            "bundle_id": "com.acme.app",
            "app_version": "7.2.1",
            "build_version": "7021",
            "signal": "SIGSEGV",
            "exception": "EXC_BAD_ACCESS",
            "exception_codes": "KERN_INVALID_ADDRESS at 0x0000000000000010",
            "termination": "SIGNAL",
            "reason": "Segmentation fault: 11",
            "message": "could not open ~/sync.db",
        },
    }
    assert family(record) == "darwin | memory | acme"


def test_both_on_one_line_and_a_header_on_many_and_a_body_alone_are_read_alike():
    plain = crash(report())
    assert crash((json.dumps(HEADER) + json.dumps(BODY)).encode()) == plain
    assert crash((json.dumps(HEADER, indent=1) + "\r\n" + json.dumps(BODY)).encode()) == plain
    assert crash(b"\xef\xbb\xbf" + report()) == plain
    alone = crash(json.dumps(BODY).encode())
    assert {**plain, "tags": {**plain["tags"], "build_version": None}} == {
        **alone,
        "tags": {**alone["tags"], "build_version": None},
    }


def test_a_report_that_was_copied_stands_among_text():
    for part in (report(), report().split(b"\n", 1)[1]):
        copied = b"<details>\r\n\r\n```json\r\n" + part + b"\r\n```\r\n</details>\r\n"
        assert APPLE_REPORT.recognises(head(copied))
        assert crash(copied)["frames"] == crash(report())["frames"]


def test_of_a_report_people_may_copy_a_part():
    copied = b"This is what it says:\n`" + report().partition(b"{")[2].partition(b"{")[2].lstrip() + b"`\n"
    assert crash(copied)["frames"] == crash(report())["frames"]
    record = crash(json.dumps({"panicString": SILICON})[1:-1].encode())
    assert (record["domain"], record["module"]) == ("kernel", "com.apple.driver.AppleFooPCIe")


def test_the_thread_that_crashed():
    calm = [{**thread, "triggered": False} for thread in BODY["threads"]]
    assert len(crash(report(threads=calm))["frames"]) == 4
    assert len(crash(report(threads=calm, faultingThread=0))["frames"]) == 1
    assert len(crash(report(threads=calm, faultingThread=99))["frames"]) == 1
    assert "frames" not in crash(report(threads=[]))
    assert crash(report(threads=[]))["module"] == "Acme"


def test_a_thrown_exception_is_told_by_where_it_was_thrown():
    abort = {"type": "EXC_CRASH", "signal": "SIGABRT"}
    thrown = [
        {"imageOffset": 1, "symbol": "__exceptionPreprocess", "imageIndex": 2},
        {"imageOffset": 2, "symbol": "-[Store save]", "imageIndex": 3},
    ]
    record = crash(report(exception=abort, lastExceptionBacktrace=thrown))
    assert (record["code"], record["module"], record["module_version"]) == ("SIGABRT", "libshim.dylib", "12")
    assert family(record) == "darwin | abort | libshim.dylib!-[Store save]"
    lines = "0   CoreFoundation  0x7ff80000 __exceptionPreprocess + 242\n1   Acme   0x100003f2b -[Store load] + 75"
    record = crash(report(exception=abort, asiBacktraces=[lines]))
    assert [frame["function"] for frame in record["frames"]] == ["__exceptionPreprocess", "-[Store load]"]
    assert (record["module"], record["module_version"]) == ("Acme", "7.2.1")


def test_newer_systems_tell_the_thrown_exception_by_itself():
    thrown = {"name": "NSRangeException", "type": "objc-exception", "composed_message": "index 3 beyond bounds"}
    record = crash(report(exceptionReason=thrown, asi={"libsystem_c.dylib": ["abort() called"]}))
    assert record["tags"]["message"] == "NSRangeException: index 3 beyond bounds abort() called"


@pytest.mark.parametrize(
    ("termination", "code", "domain"),
    [
        ({"namespace": "FRONTBOARD", "code": 2343432205, "indicator": "scene-update watchdog"}, "0x8badf00d", "hang"),
        ({"namespace": "RUNNINGBOARD", "code": 3735883980, "flags": 6}, "0xdead10cc", "user"),
        ({"namespace": "DYLD", "code": 1, "indicator": "Library missing", "reasons": ["Library not loaded: x"]},
         "DYLD", "user"),
        ({"namespace": "CODESIGNING", "code": 2, "indicator": "Invalid Page"}, "CODESIGNING", "user"),
        ({"namespace": "WATCHDOG", "code": 1, "indicator": "monitoring timed out for service"}, "SIGKILL", "hang"),
    ],
)  # fmt: skip
def test_who_ended_a_process(termination, code, domain):
    record = crash(report(exception={"type": "EXC_CRASH", "signal": "SIGKILL"}, termination=termination))
    assert (record["code"], record["domain"], record["tags"]["termination"]) == (code, domain, termination["namespace"])


def test_a_process_that_a_watchdog_ended_needs_no_exception():
    termination = {
        "namespace": "WATCHDOG",
        "indicator": "monitoring timed out for service",
        "details": ["WindowServer"],
    }
    body = {"procName": "WindowServer", "pid": -1, "termination": termination, "stackshot": {"processByPid": {}}}
    record = crash(report(HEADER | {"bug_type": "409", "app_name": "WindowServer"}, body))
    assert (record["domain"], record["code"], record["module"]) == ("hang", "WATCHDOG", "WindowServer")
    assert (record["os_version"], record["occurred_at"]) == ("14.5", "2024-07-19 04:10:02.00+02:00")
    assert family(record) == "darwin | hang | windowserver"


def test_a_panic():
    record = crash(report(PANIC_HEADER, PANIC))
    assert record["crash_id"] == "D6CE2A99-9C2A-49E4-8150-D648AC1F3BE6"
    assert record["host_id"] == "7A9FAA05-0000-1111-2222-333344445555"
    assert (record["os_version"], record["os_build"], record["domain"]) == ("14.5", "23F79", "kernel")
    assert (record["module"], record["tags"]["model"]) == ("com.apple.driver.AppleFooPCIe", "Mac14,2")
    assert (record["occurred_at"], record.get("time_quality")) == ("2025-06-02T10:36:17.420034Z", None)
    untimed = crash(report(PANIC_HEADER, PANIC, panicString=SILICON.replace("Calendar", "C")))
    assert (untimed["occurred_at"], untimed["time_quality"]) == ("2024-07-19 04:12:01.03+02:00", "reboot")


def test_a_panic_of_macos_told_by_the_chip_beside_it():
    header = {"bug_type": "210", "os_version": "Bridge OS 5.2 (18P4347)", "caused_by": "macos"}
    body = {"macOSPanicString": EXTENSIONS.partition("*** Panic Report ***\n")[2], "panicString": "not yet set"}
    record = crash(report(header | {"macos_version": "macOS 11.2 (20D64)"}, body))
    assert (record["module"], record["os_version"], record["os_build"]) == ("com.acme.driver.Sensor", "11.2", "20D64")
    record = crash(report(header, body))
    assert (record.get("os_version"), record["os_build"]) == (None, "17G9016")


def test_a_reset_that_no_kernel_wrote_of():
    said = "Unexpected SoC (system) watchdog reset occurred during sleep/wake transition"
    record = crash(report(PANIC_HEADER, {"panicString": said, "macOSPanicString": "not yet set"}))
    assert (record["code"], record["domain"]) == (said, "kernel")
    assert crash(report(PANIC_HEADER, {}))["domain"] == "kernel"
    said = "Debugger message: WDT timeout\nOS version: 21F79\nEpoch Time:  sec  usec\n  Calendar: 0x6699ca8a 0x0\n"
    record = crash(report(PANIC_HEADER, PANIC | {"panicString": said}))
    assert (record["code"], record["occurred_at"]) == ("Debugger message: WDT timeout", "2024-07-19T02:08:10Z")


@pytest.mark.parametrize("kind", ["110", "115", "210"])
def test_a_panic_behind_a_header_as_text(kind):
    data = json.dumps(PANIC_HEADER | {"bug_type": kind, "incident_id": "D6CE"}).encode() + b"\n" + EXTENSIONS.encode()
    record = crash(data)
    assert (record["crash_id"], record["host_id"]) == ("D6CE", "0A1B2C3D-0000-1111-2222-333344445555")
    assert (record["module"], record["time_quality"]) == ("com.acme.driver.Sensor", "reboot")


def test_a_reset_counter_is_no_panic():
    data = json.dumps({"bug_type": "115"}).encode() + b"\nIncident Identifier: 1\nReset count: 1\nBoot faults: wdog\n"
    assert crashes_of(APPLE_REPORT, data) == []


def test_an_older_report_is_text_behind_a_header():
    header = HEADER | {"bug_type": "109", "app_version": "1.6", "os_version": "iPhone OS 13.4.1 (17E262)"}
    record = crash(json.dumps(header).encode() + b"\n" + PHONE.encode())
    assert (record["crash_id"], record["module"]) == ("8B8D7A5F-13CF-4943-BA6B-1B0EC51D312A", "Acme")
    assert record["module_version"] == "1.6"
    bare = PHONE.partition("\n")[2].replace("Date/Time", "X").replace("OS Version", "Y")
    record = crash(json.dumps(header).encode() + b"\n" + bare.encode())
    assert (record["crash_id"], record["occurred_at"]) == (HEADER["incident_id"], "2024-07-19 04:10:02.00+02:00")
    assert (record["os_version"], record["os_build"]) == ("13.4.1", "17E262")


def test_consoles_translation_has_the_report_behind_it():
    text = "-------------------------------\nTranslated Report (Full Report Below)\n-------------------------------\n\n"
    full = "\n-----------\nFull Report\n-----------\n\n"
    head_ = "Process:  Acme [748]\nIdentifier: com.acme.app\n\nException Type: EXC_BAD_ACCESS (SIGSEGV)\n\n"
    assert crash((text + head_ + full).encode() + report()) == crash(report())
    assert crash((text.partition("\n")[2] + head_ + full).encode() + report()) == crash(report())
    assert crash((text + head_).encode())["module"] == "Acme"


def test_a_translation_tells_what_a_report_that_is_cut_does_not():
    said = (
        "-------------------------------------\nTranslated Report (Full Report Below)\n"
        "-------------------------------------\nProcess:             Acme [748]\nIdentifier:          com.acme.app\n"
        "Date/Time:           2025-11-19 04:10:02.2500 -0600\nOS Version:          macOS 26.1 (25B99)\n\n"
        f"Incident Identifier: {HEADER['incident_id']}\n\nException Type:    EXC_BAD_ACCESS (SIGSEGV)\n\n"
        "Thread 0 Crashed::  Dispatch queue: com.apple.main-thread\n"
        "0   Acme                          \t       0x180000120 Queue.push() + 16\n\n"
        "Thread 1:\n\n-----------\nFull Report\n-----------\n\n"
    )
    whole = report()
    for end in range(0, whole.index(b'"threads"'), 23):
        found = crash(said.encode() + whole[:end])
        assert (found["crash_id"], found["code"], found["os_version"]) == (
            HEADER["incident_id"],
            "EXC_BAD_ACCESS",
            "26.1",
        )
        assert [one["function"] for one in found["frames"]] == ["Queue.push()"]
    assert crash(said.encode() + whole) == crash(whole)


def test_reports_that_were_put_one_behind_the_other_are_each_read():
    text = "-------------------------------\nTranslated Report (Full Report Below)\n-------------------------------\n\n"
    full = "\n-----------\nFull Report\n-----------\n\n"
    older = json.dumps(HEADER | {"bug_type": "109"}).encode() + b"\n" + PHONE.encode()
    translated = (text + "Process:  Acme [748]\n" + full).encode() + report(incident="T1")
    cut = report(incident="C1")[:-900]
    parts = [report(), older, report(PANIC_HEADER, PANIC), translated, cut, report(incident="L1")]
    found = crashes_of(APPLE_REPORT, b"\n".join(parts))
    assert [one["crash_id"] for one in found] == [
        HEADER["incident_id"], "8B8D7A5F-13CF-4943-BA6B-1B0EC51D312A", PANIC["incident"], "T1", "C1", "L1",
    ]  # fmt: skip
    assert found[0] == crash(report())
    assert crash(json.dumps(HEADER).encode() + b"\n" + json.dumps(BODY | {"bug_type": "309"}).encode()) == found[0]


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ({"bug_type": "298", "name": "JetsamEvent"}, {"memoryStatus": {}, "processes": [], "largestProcess": "Acme"}),
        ({"bug_type": "288"}, {"processByPid": {}, "reason": "stackshot", "panicString": ""}),
        ({"bug_type": "385"}, {"exception": {"type": "EXC_GUARD"}, "termination": {}, "isNonFatal": 1}),
        ({"bug_type": "202"}, {"Event": "cpu usage"}),
        (HEADER, {**BODY, "isSimulated": True}),
        (HEADER, {**BODY, "isNonFatal": 1}),
    ],
)
def test_what_is_no_crash_is_not_read(header, body):
    data = report(header, body)
    assert APPLE_REPORT.recognises(head(data))
    assert crashes_of(APPLE_REPORT, data) == []


@pytest.mark.parametrize("event", [b"Event: cpu usage\n", b"Thread 0:\n", b"panic(cpu 0): told by a process\n", b"{"])
def test_text_that_is_no_crash_is_not_read(event):
    data = b'{"bug_type":"202","app_name":"Acme"}\nDate/Time: x\nCommand: Acme\n\n' + event
    assert crashes_of(APPLE_REPORT, data) == []


def test_a_hang_as_text_behind_a_header():
    record = crash(b'{"bug_type":"228","incident_id":"F71C"}\n' + HANG.encode())
    assert (record["crash_id"], record["domain"], record["module"]) == ("F71C", "hang", "Acme Mail")


def test_a_report_that_is_cut_short_tells_what_is_whole():
    data = report()
    for at in range(len(json.dumps(HEADER)), len(data), 3):
        record = crash(data[:at])
        assert (record["crash_id"], record["module"], record["domain"]) == (HEADER["incident_id"], "Acme", "user")
    record = crash(data[: data.index(b'"usedImages"')])
    assert (record["code"], len(record["frames"])) == ("EXC_BAD_ACCESS", 4)
    panic = report(PANIC_HEADER, PANIC)
    assert crash(panic[: panic.index(b"processByPid")])["module"] == "com.apple.driver.AppleFooPCIe"
    for at in range(panic.index(b"Boot"), panic.index(b"processByPid")):
        assert crash(panic[:at])["code"].startswith("port[2]::_linkDown")


def test_a_name_and_value_of_a_report_among_text():
    said = b'It said:\n"panicString" : "panic(cpu 0 caller 0xfffffe00): watchdog timeout: no checkins"\n\nand so on:\n'
    record = crash(said)
    assert (record["code"], record["domain"]) == ("watchdog timeout: no checkins", "kernel")


@pytest.mark.parametrize("data", [report(), report(PANIC_HEADER, PANIC)], ids=["crash", "panic"])
def test_a_report_that_is_cut_short_says_so(data):
    head_bytes = data.index(b"\n")
    for at in range(head_bytes, len(data.rstrip()), 17):
        records = APPLE_REPORT.read(data[:at], TOLD)
        assert (records.read, str(records.damage)) == (1, "A report in it breaks off"), at
    for whole in (data, data.rstrip(), data + b"\n", data.partition(b"\n")[2].replace(b"{", b'{"bug_type":"309",', 1)):
        assert APPLE_REPORT.read(whole, TOLD).damage is None
    two = APPLE_REPORT.read(data[:-900] + b"\n" + data, TOLD)
    assert (two.read, two.damage is None) == (2, False)


@pytest.mark.parametrize("body", [b"[1]", b"\x00\xff\xfe", b"{broken", b"Incident Identifier: x\n"])
def test_where_the_body_is_damaged_the_header_tells_of_the_crash(body):
    record = crash(json.dumps(HEADER).encode() + b"\n" + body)
    assert (record["crash_id"], record["module"], record["os_build"]) == (HEADER["incident_id"], "Acme", "23F79")
    assert APPLE_REPORT.read(json.dumps(HEADER).encode() + b"\n" + body, TOLD).damage is not None


def test_a_panic_that_was_copied_has_plain_line_ends():
    panic = SILICON.replace("\\n", "")
    said = report(PANIC_HEADER, PANIC, panicString=panic).replace(b"\\n", b"\n").replace(b"\\t", b"\t")
    assert crash(said)["module"] == "com.apple.driver.AppleFooPCIe"


def test_without_an_id_the_same_crash_has_the_same():
    header = {"bug_type": "309"}
    one = crash(report(header, BODY, incident=None))
    same = crash(report(header, BODY, incident=None, threads=[]))
    other = crash(report(header, BODY, incident=None, pid=749))
    assert one["crash_id"] == same["crash_id"] != other["crash_id"]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{}",
        b'{"record":"crash","crash_id":"a","bug_type":"309"}\n',
        b'{"event_id":"1","exception":{"values":[]},"level":"fatal"}\n',
        b'{"MESSAGE":"bug_type","_MACHINE_ID":"1"}\n',
        b"[1]",
        b"panic(cpu 0 caller 0x1): x\n",
        PHONE.encode(),
    ],
)
def test_what_is_none_is_not_recognised(said):
    assert not APPLE_REPORT.recognises(head(said, "a.ips"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("0x1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*BODY, "frames"]), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from([*BODY, "lastExceptionBacktrace", "asiBacktraces", "panicString"]), VALUES))
def test_whatever_the_values_are(changes):
    for header in (HEADER, PANIC_HEADER, {}):
        assert len(crashes_of(APPLE_REPORT, report(header, BODY, **changes))) <= 1


@given(st.binary(max_size=200), st.integers(0, 3000))
def test_no_bytes_break_it(junk, at):
    for data in (junk, report()[:at] + junk + report()[at:]):
        APPLE_REPORT.recognises(head(data))
        with suppress(Unfit):
            assert len(crashes_of(APPLE_REPORT, data)) <= 1


@pytest.mark.parametrize(
    "said",
    [
        b'{"bug_type":"309"}\n' + b'{"a":' * 200_000,
        b'{"bug_type":"309"}\n{"a":"' + b'\\"' * 500_000,
        b'{"bug_type":"309"}\n[' + b"1," * 500_000,
        b'{"bug_type":"309"}\n{"a":' + b"9" * 100_000,
        b'{"bug_type":"210"}\n{"panicString":"' + b"panic(cpu 0): x\\n" * 100_000 + b'"}',
        b'{"bug_type":"309"' + b"{" * 500_000,
    ],
)
def test_hostile_reports_take_no_time(said):
    with suppress(Unfit):
        assert len(crashes_of(APPLE_REPORT, said)) <= 1


def test_a_report_that_is_too_large_is_refused():
    with pytest.raises(Unfit) as refused:
        crashes_of(APPLE_REPORT, b'{"bug_type":"309"}' + b" " * (9 << 20))
    assert refused.value.is_too_large
