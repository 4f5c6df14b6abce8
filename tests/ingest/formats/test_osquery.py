"""Results of osquery, as its daemon logs them and its shell prints them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.clustering.rules import sign
from fleetcrash.clustering.signature import Shape
from ingest.formats.crashes import Unfit
from ingest.formats.osquery import OSQUERY_LOG, OSQUERY_ROWS
from tests.ingest.formats.conftest import TOLD, crashes_of, head

WINDOWS = {
    "datetime": "2024-07-19 04:10:03 UTC",
    "module": "C:\\Program Files\\Acme\\hook.dll",
    "path": "C:\\Users\\ada\\scan.exe",
    "pid": "6700",
    "tid": "6704",
    "version": "4.2.0.1",
    "process_uptime": "33",
    "stack_trace": "hook+0x1a2b3(0x7ff8a1b2c3d4),scan!Acme::Run<int,long>+0x4c(0x7ff6a1b2c3d4),(0x1f)",
    "exception_code": "0xC0000005",
    "exception_message": "The instruction at 0x7ff8a1b2c3d4 referenced memory at 0x0. The memory could not be read.",
    "exception_address": "0x7ff8a1b2c3d4",
    "registers": "rax:0x0",
    "command_line": "scan.exe --password=geheim",
    "current_directory": "C:\\Users\\ada",
    "username": "ada",
    "machine_name": "PC-1",
    "major_version": "10",
    "minor_version": "0",
    "build_number": "22631",
    "type": "MiniDumpNormal",
    "crash_path": "C:\\Users\\ada\\AppData\\Local\\CrashDumps\\scan.exe.6700.dmp",
}
MAC = {
    "type": "application",
    "pid": "731",
    "path": "/Users/ada/Acme Scan.app/Contents/MacOS/Acme Scan",
    "crash_path": "/Library/Logs/DiagnosticReports/Acme Scan_2024-07-19-061003_mac-1.crash",
    "identifier": "com.acme.scan",
    "version": "4.2 (4201)",
    "parent": "1",
    "responsible": "Acme Scan [731]",
    "uid": "501",
    "datetime": "2024-07-19 06:10:03.250 +0200",
    "crashed_thread": "3",
    "stack_trace": "0 Acme Sensor Kit 0x000000010a1b3234 0x10a1b2000 + 4660",
    "exception_type": "EXC_BAD_ACCESS   (SIGSEGV)",
    "exception_codes": "KERN_INVALID_ADDRESS at 0x0000000000000008",
    "exception_notes": "EXC_CORPSE_NOTIFY",
    "registers": "rax:0x0",
}
PANIC = {
    "path": "/Library/Logs/DiagnosticReports/Kernel_2024-07-19-061003_mac-1.panic",
    "time": "Fri Jul 19 06:10:03 2024",
    "registers": "CR0:0x8001003b",
    "frame_backtrace": "0xffffff9114f5b990 : 0xffffff8006e8f8ac",
    "module_backtrace": "com.acme.driver.Sensor(7.11.0)[8F2D]@0xffffff7f83d5c000->0xffffff7f83d9ffff",
    "dependencies": "com.apple.iokit.IOUSBFamily(900.4.2)",
    "name": "acmed",
    "os_version": "21G1974",
    "kernel_version": "Darwin Kernel Version 21.6.0: Mon Jun 24 00:56:10 PDT 2024; root:xnu-8020/RELEASE_X86_64",
    "system_model": "MacBookPro16,1 (Mac-E1008331FDC96864)",
    "uptime": "86400000000000",
    "last_loaded": "com.apple.driver.AppleXsanScheme 3 (addr 0x1, size 2)",
    "last_unloaded": "",
}
AROUND = {"name": "pack_it_crashes", "hostIdentifier": "h-1", "calendarTime": "Fri Jul 19 05:00:00 2024 UTC",
          "unixTime": 1721365200, "epoch": 0, "counter": 1, "numerics": False,
          "decorations": {"host_uuid": "u-1", "username": "ada"}}  # fmt: skip
OTHER = {**AROUND, "columns": {"pid": "1", "name": "init", "path": "/sbin/init"}, "action": "added"}


def result(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row as the daemon logs it."""
    return {**AROUND, "columns": row, "action": "added", **more}


def log(*results: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in results)


def read(*results: dict[str, Any]) -> list[dict[str, Any]]:
    return crashes_of(OSQUERY_LOG, log(*results))


def test_a_crash_of_windows():
    (record,) = read(result(WINDOWS))
    crash_id = record.pop("crash_id")
    assert record == {
        "record": "crash",
        "host_id": "h-1",
        "occurred_at": "2024-07-19 04:10:03Z",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "domain": "user",
        "code": "0xc0000005",
        "module": "hook.dll",
        "frames": [
            {"module": "hook.dll", "function": None, "offset": 0x1A2B3},
            {"module": "scan.exe", "function": "Acme::Run<int,long>", "offset": None},
            {"module": None, "function": None, "offset": None},
        ],
        "tags": {
            "exe": "scan.exe",
            "exe_version": "4.2.0.1",
            "message": WINDOWS["exception_message"],
            "query": "pack_it_crashes",
        },
    }
    assert len(crash_id) == 32


def test_a_crash_of_macos():
    (record,) = read(result(MAC))
    del record["crash_id"]
    assert record == {
        "record": "crash",
        "host_id": "h-1",
        "occurred_at": "2024-07-19 06:10:03.250+02:00",
        "os_type": "darwin",
        "domain": "user",
        "code": "EXC_BAD_ACCESS (SIGSEGV)",
        "module": "Acme Sensor Kit",
        "module_offset": 4660,
        "frames": [{"module": "Acme Sensor Kit", "function": None, "offset": 4660}],
        "tags": {
            "exe": "Acme Scan",
            "exe_version": "4.2 (4201)",
            "identifier": "com.acme.scan",
            "exception_codes": MAC["exception_codes"],
            "exception_notes": "EXC_CORPSE_NOTIFY",
            "query": "pack_it_crashes",
        },
    }


def test_a_panic_of_macos():
    (record,) = read(result(PANIC))
    del record["crash_id"]
    assert record == {
        "record": "crash",
        "host_id": "h-1",
        "occurred_at": "2024-07-19T06:10:03Z",
        "time_quality": "reboot",
        "os_type": "darwin",
        "os_build": "21G1974",
        "domain": "kernel",
        "module": "com.acme.driver.Sensor",
        "module_version": "7.11.0",
        "uptime_s": 86400.0,
        "tags": {
            "process": "acmed",
            "model": "MacBookPro16,1 (Mac-E1008331FDC96864)",
            "kernel": "21.6.0",
            "last_loaded": PANIC["last_loaded"],
            "query": "pack_it_crashes",
        },
    }
    assert sign(Shape.of(record)).title.startswith("com.acme.driver.sensor")


@pytest.mark.parametrize("row", [WINDOWS, MAC, PANIC])
def test_it_is_one_crash_however_it_is_told(row):
    (expected,) = read(result(row))
    batch = {**AROUND, "diffResults": {"added": [row], "removed": [row]}}
    snapshot = {"snapshot": [row, {"pid": "1"}], "action": "snapshot", **AROUND}
    numbers = {name: int(value) if value.isdecimal() else value for name, value in row.items()}
    old = {**result(row), "hostname": "h-1"}
    del old["hostIdentifier"]
    for told in (batch, snapshot, result(numbers), old, result(row, action="snapshot")):
        assert read(told) == [expected]
        assert crashes_of(OSQUERY_ROWS, json.dumps([told]).encode()) == [expected]
    assert read(result(row, action="removed"), {**AROUND, "diffResults": {"removed": [row]}}, OTHER) == []
    assert read({**AROUND, "diffResults": ""}, {**AROUND, "snapshot": []}) == []
    moved = row | {"crash_path": row.get("crash_path", "").replace("Reports/", "Reports/Retired/")}
    assert read(result(moved))[0]["crash_id"] == expected["crash_id"]
    assert read(result(row, hostIdentifier="h-2"))[0]["crash_id"] != expected["crash_id"]


def test_a_query_may_choose_its_columns():
    few = {name: WINDOWS[name] for name in ("datetime", "module", "exception_code")}
    (record,) = read(result(few))
    assert (record["module"], record["code"], record["tags"]) == (
        "hook.dll",
        "0xc0000005",
        {"query": "pack_it_crashes"},
    )
    assert read(result({"exception_code": "0xc0000005", "datetime": "x"})) == []


def test_a_row_that_tells_little_is_still_a_crash():
    empty = dict.fromkeys(WINDOWS, "") | {"crash_path": "C:\\x.dmp"}
    (record,) = read(result(empty))
    assert (record["occurred_at"], record["time_quality"]) == ("2024-07-19T05:00:00Z", "log")
    assert "module" not in record
    (record,) = crashes_of(OSQUERY_ROWS, json.dumps([empty]).encode())
    assert (record["occurred_at"], record["host_id"]) == ("2026-11-25T12:00:00Z", "h-told")


def test_a_version_is_the_modules_where_it_is_the_programs():
    (record,) = read(result(WINDOWS | {"module": WINDOWS["path"]}))
    assert (record["module"], record["module_version"]) == ("scan.exe", "4.2.0.1")
    (record,) = read(result(MAC | {"stack_trace": "0 Acme Scan 0x000000010a1b3234 -[Queue take:] + 12 (Queue.m:3)"}))
    assert (record["module"], record["module_version"]) == ("Acme Scan", "4.2 (4201)")
    assert record["frames"][0]["function"] == "-[Queue take:]"


def test_crashes_of_a_telephone_are_not_of_the_host():
    assert read(result(MAC | {"type": "mobile"})) == []


def test_the_host_is_named_by_whatever_names_it():
    for around, name in (
        ({"hostIdentifier": "a", "hostname": "b"}, "a"),
        ({"hostname": "b", "decorations": {"host_uuid": "c"}}, "b"),
        ({"decorations": {"host_uuid": "c", "hostname": "d"}}, "c"),
        ({"unixTime": 1}, "PC-1"),
    ):
        assert read({**around, "columns": WINDOWS, "action": "added"})[0]["host_id"] == name


def test_rows_that_the_shell_prints():
    rows = [WINDOWS, {**WINDOWS, "datetime": "2024-07-20 04:10:03 UTC"}]
    for text in (json.dumps(rows), json.dumps(rows, indent=2), "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n"):
        assert OSQUERY_ROWS.recognises(head(text.encode()))
        assert [one["host_id"] for one in crashes_of(OSQUERY_ROWS, text.encode())] == ["PC-1", "PC-1"]


def test_what_is_recognised():
    for line in (result(WINDOWS), OTHER, {**AROUND, "diffResults": {"added": []}}, {**AROUND, "snapshot": []}):
        assert OSQUERY_LOG.recognises(head(log(line)))
        assert OSQUERY_LOG.recognises(head(b"\xef\xbb\xbf\n" + log(line, OTHER), "osqueryd.results.log"))
    assert OSQUERY_LOG.recognises(head(log({"snapshot": [PANIC] * 200, **AROUND})))
    assert OSQUERY_ROWS.recognises(head(json.dumps([PANIC] * 200).encode()))


@pytest.mark.parametrize(
    "data",
    [
        b'{"record": "crash", "crash_id": "1", "hostname": "h", "columns": {}}\n',
        b'{"hostname": "h", "message": "x"}\n',
        b'{"MESSAGE": "x", "_HOSTNAME": "h"}\n',
        b'[{"record": "crash", "exception_code": "1", "module": "m", "path": "p"}]',
        b'[{"pid": "1", "name": "init", "path": "/sbin/init"}]',
        b"[crash]\nx=1",
        b"[" * 5000,
        b'{"a":' * 5000,
        b"record,crash_id\ncrash,1\n",
        b"",
    ],
)
def test_other_files_are_no_results(data):
    for format in (OSQUERY_LOG, OSQUERY_ROWS):
        assert not format.recognises(head(data, "osqueryd.results.log"))


def test_a_line_that_is_no_result_is_left_to_the_rules_and_costs_nothing_else():
    good = log(result(WINDOWS))
    for bad in (b"{", b"[1]", good[:200], b"\xff", b'{"x":' + b" " * (9 << 20) + b"1}"):
        first, left, second = crashes_of(OSQUERY_LOG, good + bad + b"\n" + log(result(MAC)))
        assert (first["os_type"], second["os_type"]) == ("windows", "darwin")
        assert left == bad[: len(left)]
        assert left
    assert len(crashes_of(OSQUERY_LOG, b"\n" + good + b"\r\n\n" + good.rstrip(), block_bytes=97)) == 2


def test_rows_that_are_cut_are_refused():
    with pytest.raises(Unfit, match="no whole JSON document"):
        OSQUERY_ROWS.read(json.dumps([WINDOWS]).encode()[:-9], TOLD)


@settings(max_examples=40)
@given(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.text() | st.integers(), lambda one: st.lists(one) | st.dictionaries(st.text(), one), max_leaves=5
    ),
)
def test_nothing_breaks_it(data, value):
    lines = [data, log(result(dict.fromkeys(WINDOWS, value))), log({**AROUND, "columns": value, "snapshot": value})]
    lines += [log({**result(MAC), "decorations": value, "hostIdentifier": value, "diffResults": value})]
    for format in (OSQUERY_LOG, OSQUERY_ROWS):
        for whole in (*lines, b"[" + lines[1] + b"]"):
            format.recognises(head(whole))
            try:
                crashes_of(format, whole)
            except Unfit as refusal:
                assert refusal.code == "bad_osquery"  # noqa: PT017 - or there is none


def test_long_stacks_take_no_time():
    for stack in ("(" * 2_000_000, "a!b" * 500_000, "0 " * 500_000, "x(0x1)," * 200_000):
        read(result(WINDOWS | {"stack_trace": stack}), result(MAC | {"stack_trace": stack}))
