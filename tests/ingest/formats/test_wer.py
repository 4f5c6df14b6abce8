"""Reports of Windows Error Reporting: which are a crash, and what they say of it, in any language and encoding."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering.rules import sign
from fleetcrash.clustering.signature import Shape
from ingest.formats.crashes import Unfit
from ingest.formats.wer import REPORT_WER, problem, report_id
from tests.ingest.formats.conftest import TOLD, crashes_of, head

REPORT = "0f8a1c1e-7d52-4be5-9c6a-2f0a64b1d001"
INTEGRATOR = "5d1f3a77-0b9e-4b0c-8f43-8d9f5f0f2002"
NAMES = ["Application Name", "Application Version", "Application Timestamp", "Fault Module Name",
         "Fault Module Version", "Fault Module Timestamp", "Exception Code", "Exception Offset"]  # fmt: skip
GERMAN = ["Anwendungsname", "Anwendungsversion", "Anwendungszeitstempel", "Fehlermodulname",
          "Fehlermodulversion", "Fehlermodulzeitstempel", "Ausnahmecode", "Ausnahmeoffset"]  # fmt: skip
VALUES = ["scan.exe", "4.2.0.1", "66a1b2c3", "hook.dll", "7.11.0.5", "66a1b2c4", "c0000005", "000000000001a2b3"]
SYSTEM = {"vermaj": "10", "vermin": "0", "verbld": "22631", "ubr": "3880", "arch": "9"}


def report(
    kind: str = "APPCRASH",
    values: list[str] = VALUES,
    names: list[str] = NAMES,
    *,
    system: dict[str, str] = SYSTEM,
    end: str = "\r\n",
    **top: str,
) -> str:
    """A report as Windows writes it; an empty value leaves a line out."""
    lines = {
        "Version": "1",
        "EventType": kind,
        "EventTime": "133658358032500000",
        "ReportType": "2",
        "Consent": "1",
        "ReportIdentifier": REPORT,
        "IntegratorReportIdentifier": INTEGRATOR,
        "NsAppName": "scan.exe",
        **top,
    }
    written = [f"{name}={value}" for name, value in lines.items() if value]
    for at, value in enumerate(values):
        written += [f"Sig[{at}].Name={names[at] if at < len(names) else ''}", f"Sig[{at}].Value={value}"]
    written += ["DynamicSig[1].Name=OS Version", "DynamicSig[1].Value=10.0.22631.2.0.0.256.48"]
    written += ["UI[2]=C:\\Users\\ada\\scan.exe", "LoadedModule[0]=C:\\Users\\ada\\scan.exe"]
    for at, (key, value) in enumerate(system.items()):
        written += [f"OsInfo[{at}].Key={key}", f"OsInfo[{at}].Value={value}"]
    return end.join([*written, "FriendlyEventName=Stopped working", ""])


def crash(*given: Any, **more: Any) -> dict[str, Any]:
    """The record of a report."""
    (record,) = crashes_of(REPORT_WER, report(*given, **more).encode("utf-16"))
    return record


def test_a_report_of_a_crash():
    assert crash() == {
        "record": "crash",
        "crash_id": INTEGRATOR,
        "host_id": "h-told",
        "occurred_at": "2024-07-19T04:10:03.250000Z",
        "time_quality": "exact",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "os_build": "22631.3880",
        "domain": "user",
        "code": "0xc0000005",
        "module": "hook.dll",
        "module_version": "7.11.0.5",
        "module_offset": 0x1A2B3,
        "tags": {"event_type": "APPCRASH", "exe": "scan.exe", "exe_version": "4.2.0.1", "report_id": REPORT},
    }


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_it_is_the_same_in_any_encoding_and_language(encoding, end):
    data = report(names=GERMAN, end=end).encode(encoding)
    assert REPORT_WER.recognises(head(data, "Report.wer"))
    assert REPORT_WER.recognises(head(data))
    assert crashes_of(REPORT_WER, data) == [crash()]
    assert REPORT_WER.recognises(head(report(Version="").encode(encoding)))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
def test_reports_that_were_put_one_behind_the_other_are_each_read(encoding):
    parts = [report(), report(ReportIdentifier="", IntegratorReportIdentifier="", EventTime="133658214030000000")]
    found = crashes_of(REPORT_WER, b"".join(part.encode(encoding) for part in parts))
    assert [one["occurred_at"] for one in found] == [crash()["occurred_at"], "2024-07-19T00:10:03Z"]


def test_a_name_that_is_understood_counts_more_than_its_place():
    swapped = [*VALUES[:6], VALUES[7], VALUES[6], "00000008"]
    by_name = crash("BEX64", swapped, [*NAMES[:6], NAMES[7], NAMES[6], "Exception Data"])
    by_place = crash("BEX64", swapped, GERMAN)
    assert by_name == by_place
    assert (by_name["code"], by_name["module_offset"]) == ("0xc0000005", 0x1A2B3)
    assert crash("APPCRASH", swapped, [*NAMES[:6], NAMES[7], NAMES[6]])["code"] == "0xc0000005"


def test_a_module_that_was_gone_has_its_own_name():
    record = crash("APPCRASH", [*VALUES[:3], "hook.dll_unloaded", *VALUES[4:]], NAMES)
    assert (record["module"], record["module_offset"]) == ("hook.dll", 0x1A2B3)


@pytest.mark.parametrize("names", [["Package Full Name", *NAMES], []])
def test_packaged_programs_have_their_package_before_all_else(names):
    record = crash("MoAppCrash", ["Acme.Scan_4.2_x64__8wekyb3d8bbwe", "praid:App", *VALUES[1:]], names)
    assert (record["code"], record["module"], record["module_offset"]) == ("0xc0000005", "hook.dll", 0x1A2B3)
    assert record["tags"]["package"] == "Acme.Scan_4.2_x64__8wekyb3d8bbwe"
    assert record["tags"]["exe"] == "praid:App"
    hang = ["Acme.Scan_4.2_x64__8wekyb3d8bbwe", "praid:App", "4.2.0.1"]
    version = "4.2_neutral_!2024//07//10:07:30:22!b13cc3!Acme Scan.exe"
    assert crash("MoAppHang", hang, [], TargetAppVer=version)["module"] == "Acme Scan.exe"
    assert crash("MoAppHang", hang, [])["module"] == "Acme.Scan"


@pytest.mark.parametrize(
    ("exception", "code"),
    [
        ("System.IO.FileNotFoundException", "System.IO.FileNotFoundException"),
        ("N3CTRYE2KN3C34SGZ4ZOS3XZMMXUHIAM", "0xe0434352"),
        ("", "0xe0434352"),
    ],
)
def test_exceptions_of_net_have_a_name_or_a_hash_of_it(exception, code):
    values = ["scan.exe", "4.2.0.1", "66a1b2c3", "Acme.Scan", "4.2.0.1", "66a1b2c3", "1f", "2c", exception]
    record = crash("CLR20r3", values, [f"Problem Signature 0{at}" for at in range(1, 10)])
    assert (record["code"], record["module"], "module_offset" in record) == (code, "Acme.Scan", False)


@pytest.mark.parametrize(
    ("kind", "values", "waits"),
    [
        ("AppHangB1", ["scan.exe", "4.2.0.1", "66a1b2c3", "a1b2", "134217984"], None),
        ("AppHangXProcB1", ["scan.exe", "4.2.0.1", "66a1b2c3", "a1b2", "134217984", "svc.exe", "1.0"], "svc.exe"),
        ("MoAppHang", ["Acme.Scan_4.2", "scan.exe", "4.2.0.1", "66a1b2c3", "a1b2", "134217984"], None),
    ],
)
def test_a_hang_is_in_its_program(kind, values, waits):
    record = crash(kind, values, [])
    assert (record["domain"], record["code"], record["module"]) == ("hang", kind, "scan.exe")
    assert (record["module_version"], record["tags"].get("waits_for")) == ("4.2.0.1", waits)


def test_a_bugcheck_was_before_the_reboot():
    values = ["50", "ffff8a0000000040", "0", "fffff80112345678", "2", "10_0_22621", "0_0", "256_1"]
    record = crash("BlueScreen", values, ["Code", "Parameter 1"], IntegratorReportIdentifier="")
    assert (record["domain"], record["code"], record["time_quality"]) == ("kernel", "0x50", "reboot")
    assert (record["crash_id"], record["os_version"]) == (REPORT, "10.0.22621")
    assert [record["tags"][f"argument{at}"] for at in (1, 2)] == ["0xffff8a0000000040", "0x0"]
    assert "module" not in record


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("LiveKernelEvent", ["141", "ffff8a0000000040", "fffff80112345678", "0", "1c30", "10_0_22631"]),
        ("RADAR_PRE_LEAK_64", ["scan.exe", "4.2.0.1", "10.0.22631.2.0.0"]),
        ("AppHangTransient", ["scan.exe", "4.2.0.1", "66a1b2c3"]),
        ("WindowsUpdateFailure3", ["10.0.22621.1", "80073712", "0"]),
        ("WUDFHostProblem", ["HostProblem", "HostTimeout", "2"]),
    ],
)
def test_what_went_on_is_no_crash(kind, values):
    assert crashes_of(REPORT_WER, report(kind, values, []).encode("utf-16")) == []


def test_a_report_of_an_unknown_kind_is_a_crash_if_it_tells_an_exception():
    assert crash("AcmeCrash")["code"] == "0xc0000005"
    assert crashes_of(REPORT_WER, report("AcmeCrash", names=GERMAN).encode("utf-16")) == []


def test_a_module_that_is_not_known_is_that_of_the_program():
    record = crash(values=["scan.exe", "4.2.0.1", "0", "unknown", "0.0.0.0", "0", "c0000005", "00000000deadbeef"])
    assert (record["module"], record["module_version"], "module_offset" in record) == ("scan.exe", "4.2.0.1", False)
    record = crash(values=["scan.exe", "4.2.0.1", "0", "StackHash_3184", "0.0.0.0", "0", "c0000005", "PCH_84"])
    assert (record["module"], "module_version" in record, "module_offset" in record) == ("scan.exe", True, False)
    assert record["tags"]["stack"] == "StackHash_3184"


def test_crashes_of_one_fault_are_one_cluster_and_of_two_are_two():
    def cluster(record: dict[str, Any]) -> str:
        return sign(Shape.of(record)).cluster_id

    again = [*VALUES[:4], "7.11.0.6", *VALUES[5:7], "00000000000000ff"]
    assert cluster(crash()) == cluster(crash(values=again)) == cluster(crash("BEX", [*VALUES[:6], "0", "c0000005"], []))
    hangs = [cluster(crash("AppHangB1", [exe, "1.0"], [])) for exe in ("scan.exe", "scan.exe", "other.exe")]
    assert hangs[0] == hangs[1] != hangs[2]


def test_a_report_without_an_id_or_a_time_is_still_one_crash():
    bare = report(ReportIdentifier="", IntegratorReportIdentifier="", EventTime="", system={}).encode()
    (record,) = crashes_of(REPORT_WER, bare)
    assert (record["occurred_at"], record["time_quality"]) == ("2026-11-25T12:00:00Z", "log")
    assert (record["os_version"], "os_build" in record) == ("10.0.22631", False)
    assert [record] == crashes_of(REPORT_WER, bare)
    other = report(ReportIdentifier="", IntegratorReportIdentifier="", EventTime="133658358032500001").encode()
    assert crashes_of(REPORT_WER, other)[0]["crash_id"] != record["crash_id"]


def test_ids_that_are_not_of_all_the_world_are_of_their_host():
    assert report_id("{0F8A1C1E-7D52-4BE5-9C6A-2F0A64B1D001}", "h") == REPORT
    assert report_id("072726-9109-01", "h") != report_id("072726-9109-01", "g")
    assert report_id("", "h") is report_id("00000000-0000-0000-0000-000000000000", "h") is None
    assert problem("APPCRASH", []) is not None


@pytest.mark.parametrize(
    "data",
    [
        b'{"record": "crash", "crash_id": "1"}\n',
        b"record,crash_id\ncrash,1\n",
        b"Version=1\r\nName=x\r\n",
        b"[crash]\nEventType=APPCRASH\n",
        b"MDMP\x93\xa7",
        b"",
    ],
)
def test_other_files_are_no_reports(data):
    assert not REPORT_WER.recognises(head(data, "report.wer"))


def test_a_report_that_is_cut_or_changed_anywhere_breaks_nothing():
    whole = report().encode("utf-16")
    for at in range(0, len(whole), 7):
        for data in (whole[:at], whole[:at] + b"\xff\x00\n" + whole[at:]):
            REPORT_WER.recognises(head(data))
            read_or_refuse(data)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data):
    REPORT_WER.recognises(head(data))
    read_or_refuse(data)
    read_or_refuse(b"Version=1\nEventType=APPCRASH\n" + data)


def read_or_refuse(data: bytes) -> None:
    try:
        REPORT_WER.read(data, TOLD)
    except Unfit as refusal:
        assert refusal.code == "bad_wer"  # noqa: PT017 - or there is none
