"""Crash reports in JSON of what reports crashes from within a process."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Unfit
from ingest.formats.known import format_of
from ingest.formats.reporter_json import REPORTER_JSON
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

_KS_THREAD = {
    "crashed": True,
    "index": 3,
    "backtrace": {
        "skipped": 0,
        "contents": [
            {"instruction_addr": 0x7010, "object_addr": 0x7000, "object_name": "libsystem_kernel.dylib",
             "symbol_name": "<redacted>"},
            {"instruction_addr": 0x4A10, "object_addr": 0x4000, "object_name": "Relay", "symbol_name": "-[Queue pop]"},
        ],
    },
}  # fmt: skip


def kscrash(kind: str = "mach", **error: Any) -> dict[str, Any]:
    return {
        "report": {"version": "3.3.0", "id": "1B7A0D8E-0000-4E5F-9D5C-1C3A5B7D9E0F", "process_name": "Relay",
                   "timestamp": 1795608000000000, "type": "standard"},
        "system": {"system_name": "iOS", "system_version": "19.1", "os_version": "23B74", "machine": "iPhone18,1",
                   "device_app_hash": "9e0f", "process_id": 321, "CFBundleIdentifier": "org.relay",
                   "CFBundleShortVersionString": "4.2"},
        "crash": {
            "error": {"type": kind, "mach": {"exception": 10, "exception_name": "EXC_CRASH"},
                      "signal": {"signal": 6, "name": "SIGABRT"}, **error},
            "threads": [{"crashed": False, "backtrace": {"contents": []}}, _KS_THREAD],
        },
        "binary_images": [{"name": "/usr/lib/system/libsystem_kernel.dylib", "image_addr": 0x7000},
                          {"name": "/private/var/containers/Relay.app/Relay", "image_addr": 0x4000}],
    }  # fmt: skip


SWIFT = {
    "timestamp": "2026-11-25T11:02:03.456789Z",
    "kind": "crashReport",
    "description": "Bad pointer dereference",
    "faultAddress": "0x0000000000000004",
    "platform": "x86_64 Linux (Ubuntu 24.04.3 LTS)",
    "architecture": "x86_64",
    "threads": [
        {"frames": [{"kind": "programCounter", "symbol": "poll", "image": "libc.so.6"}]},
        {
            "name": "relay",
            "crashed": True,
            "registers": {"rax": "0x0000000000000004"},
            "frames": [
                {"kind": "programCounter", "address": "0x55d1", "symbol": "$s5relay3popyyF", "offset": 15,
                 "description": "pop() + 15", "image": "relay"},
                {"kind": "returnAddress", "address": "0x55d9", "symbol": "main", "offset": 9, "image": "relay"},
            ],
        },
    ],
    "images": [],
}  # fmt: skip

DATADOG = {
    "data_schema_version": "1.4",
    "error": {
        "is_crash": True,
        "kind": "UnixSignal",
        "message": "Process terminated with SEGV_MAPERR (SIGSEGV)",
        "source_type": "Crashtracking",
        "stack": {
            "format": "Datadog Crashtracker 1.0",
            "frames": [
                {
                    "ip": "0x7f01",
                    "function": "relay::pop",
                    "path": "/opt/relay/librelay.so",
                    "relative_address": "0x1a",
                },
                {"ip": "0x7f02", "names": [{"name": "main", "lineno": 3}], "path": "/opt/relay/relay"},
            ],
        },
    },
    "metadata": {"library_name": "dd-trace-relay", "tags": ["service:relay", "runtime-id:9e0f"]},
    "os_info": {"architecture": "x86_64", "os_type": "Ubuntu", "version": "24.4.0"},
    "proc_info": {"pid": 321},
    "sig_info": {"si_signo": 11, "si_signo_human_readable": "SIGSEGV", "si_addr": "0x0000000000000008"},
    "timestamp": "2026-11-25T11:02:03.456789Z",
    "uuid": "1b7a0d8e-1111-4e5f-9d5c-1c3a5b7d9e0f",
}
CEPH = {
    "crash_id": "2026-11-25T11:02:03.456789Z_1b7a0d8e-2222-4e5f-9d5c-1c3a5b7d9e0f",
    "timestamp": "2026-11-25T11:02:03.456789Z",
    "process_name": "ceph-osd",
    "entity_name": "osd.3",
    "ceph_version": "19.2.0",
    "utsname_hostname": "osd-3",
    "utsname_sysname": "Linux",
    "utsname_release": "6.8.0-45-generic",
    "assert_condition": "r == 0",
    "backtrace": [
        "/lib/x86_64-linux-gnu/libc.so.6(+0x45320) [0x7f1aa2b45320]",
        "pthread_kill()",
        "gsignal()",
        "abort()",
        "(ceph::__ceph_assert_fail(char const*, char const*, int, char const*)+0x1a3) [0x5581c0de01a3]",
        "(BlueStore::_txc_add(BlueStore::Txn*)+0x12) [0x5581c0de0212]",
    ],
}
REPORTS = {"kscrash": kscrash(), "swift": SWIFT, "datadog": DATADOG, "ceph": CEPH}


def read(report: Any) -> list[Any]:
    data = json.dumps(report).encode()
    assert format_of(head(data)) is REPORTER_JSON
    return crashes_of(REPORTER_JSON, data)


def test_kscrash_tells_the_thread_that_crashed_and_the_device():
    (crash,) = read(kscrash("nsexception", reason="no queue", nsexception={"name": "NSRangeException"}))
    assert (crash["crash_id"], crash["host_id"]) == ("1B7A0D8E-0000-4E5F-9D5C-1C3A5B7D9E0F", "9e0f")
    assert (crash["occurred_at"], crash["os_type"]) == ("2026-11-25T12:00:00Z", "darwin")
    assert (crash["os_version"], crash["os_build"], crash["domain"]) == ("19.1", "23B74", "user")
    assert (crash["code"], crash["module"], crash["module_offset"]) == ("SIGABRT", "Relay", 0xA10)
    assert crash["module_version"] == "4.2"
    assert crash["frames"][0] == {"module": "libsystem_kernel.dylib", "function": None, "offset": 0x10}
    assert (crash["tags"]["exception"], crash["tags"]["message"]) == ("NSRangeException", "no queue")


@pytest.mark.parametrize(("kind", "domains"), [("deadlock", ["hang"]), ("user", []), ("memory_termination", [])])
def test_of_kscrash_what_went_on_is_no_crash(kind, domains):
    assert [crash["domain"] for crash in read(kscrash(kind))] == domains


@pytest.mark.parametrize(
    ("platform", "system"),
    [
        ("x86_64 Linux (Ubuntu 24.04.3 LTS)", ("linux", None, None)),
        ("macOS 26.0.1 (25A362)", ("darwin", "26.0.1", "25A362")),
        ("Windows 11 (26100)", ("windows", None, None)),
    ],
)
def test_swift_tells_functions_as_people_read_them(platform, system):
    (crash,) = read({**SWIFT, "platform": platform})
    assert (crash["os_type"], crash.get("os_version"), crash.get("os_build")) == system
    assert (crash["occurred_at"], crash["host_id"]) == ("2026-11-25T11:02:03.456789Z", "h-told")
    assert (crash["code"], crash["module"]) == ("SIGSEGV", "relay")
    assert [frame["function"] for frame in crash["frames"]] == ["pop()", "main"]


def test_datadog_announces_a_crash_before_it_tells_of_it():
    (crash,) = read(DATADOG)
    assert (crash["crash_id"], crash["occurred_at"]) == (DATADOG["uuid"], DATADOG["timestamp"])
    assert (crash["code"], crash["module"], crash["module_offset"]) == ("SIGSEGV", "librelay.so", 0x1A)
    assert [frame["function"] for frame in crash["frames"]] == ["relay::pop", "main"]
    assert (crash["tags"]["service"], crash["tags"]["pid"]) == ("relay", "321")
    announced = {"ddsource": "crashtracker", "error": {"is_crash": False, "source_type": "Crashtracking"}}
    assert read(announced) == []


def test_ceph_keeps_its_crashes_by_its_hosts():
    (crash,) = read(CEPH)
    assert (crash["crash_id"], crash["occurred_at"]) == (CEPH["crash_id"], CEPH["timestamp"])
    assert (crash["host_id"], crash["os_type"], crash["os_version"]) == ("osd-3", "linux", "6.8.0-45-generic")
    assert (crash["code"], crash["module"], crash["tags"]["message"]) == ("Assertion failed", "ceph-osd", "r == 0")
    assert crash["frames"][-1]["function"].startswith("BlueStore::_txc_add")
    (other,) = read({**CEPH, "assert_condition": None})
    assert other["code"] == "SIGABRT"


@pytest.mark.parametrize("report", [{"kind": "x"}, {"crash": {"error": {}}}, [DATADOG]])
def test_other_documents_are_refused(report):
    with pytest.raises(Unfit):
        crashes_of(REPORTER_JSON, json.dumps(report).encode())


@given(st.sampled_from(sorted(REPORTS)).flatmap(lambda name: changed(json.dumps(REPORTS[name]).encode())))
def test_no_damage_breaks_the_reading(data):
    survives(REPORTER_JSON, data)
