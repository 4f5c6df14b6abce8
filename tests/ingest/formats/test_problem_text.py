"""Details of a problem of Windows that people copy, and blue screens that they type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.problem_text import PROBLEM_TEXT as FORMAT
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

RELIABILITY = """\
Source
Windows

Summary
Shut down unexpectedly

Date
\u200e7/\u200e19/\u200e2024 4:10 AM

Problem signature
Problem Event Name:\tBlueScreen
Code:\t50
Parameter 1:\tffff8a8e00000018
Parameter 2:\t0
Parameter 3:\tfffff8062f5a1234
Parameter 4:\t2
OS version:\t10_0_22631
Service Pack:\t0_0
OS Version:\t10.0.22631.2.0.0.256.48
Locale ID:\t1033
"""
DIALOG = """\
Problem signature:
  Problem Event Name:\tBlueScreen
  OS Version:\t6.1.7601.2.1.0.768.3
  Locale ID:\t1033

Additional information about the problem:
  BCCode:\t1000007e
  BCP1:\tFFFFFFFFC0000005
  BCP2:\tFFFFF88003A1B2C3
  OS Version:\t6_1_7601
"""
PROGRAM = """\
Problem signature:
  Problem Event Name:\tAPPCRASH
  Application Name:\trelay.exe
  Application Version:\t1.2.3.4
  Application Timestamp:\t66a0b1c2
  Fault Module Name:\tqueue.dll
  Fault Module Version:\t1.2.0.0
  Fault Module Timestamp:\t66a0b1c3
  Exception Code:\tc0000005
  Exception Offset:\t0000000000001234
  OS Version:\t6.1.7601.2.1.0.256.48
"""
GERMAN = """\
Problemereignisname: APPCRASH
Anwendungsname: relay.exe
Anwendungsversion: 1.2.3.4
Anwendungszeitstempel: 66a0b1c2
Fehlermodulname: queue.dll
Fehlermodulversion: 1.2.0.0
Fehlermodulzeitstempel: 66a0b1c3
Ausnahmecode: c0000005
Ausnahmeoffset: 0000000000001234
Betriebsystemversion: 10.0.22631.2.0.0.256.48
"""
BUCKET = """\
Fault bucket 42, type 5
Event Name: APPCRASH
Response: Not available

Problem signature:
P1: relay.exe
P2: 1.2.3.4
P3: 66a0b1c2
P4: queue.dll
P5: 1.2.0.0
P6: 66a0b1c3
P7: c0000005
P8: 0000000000001234

Report Id: 0D1F0000-0000-0000-0000-000000000007
"""
SCREEN = """\
A problem has been detected.

*** STOP: 0x00000050 (0xFFFF8A8E00000018,0x0000000000000000,0xFFFFF8062F5A1234,0x0000000000000002)

***   relay.sys - Address FFFFF8062F5A1234 base at FFFFF8062F4C0000, DateStamp 66a0b1c2
"""
PROBLEMS = {"reliability": RELIABILITY, "dialog": DIALOG, "program": PROGRAM, "german": GERMAN, "bucket": BUCKET,
            "screen": SCREEN}  # fmt: skip


@pytest.mark.parametrize("said", [PROGRAM, GERMAN, BUCKET])
def test_a_process_that_crashed(said):
    assert FORMAT.recognises(head(said.encode()))
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["code"], crash["domain"], crash["tags"]["exe"]) == ("0xc0000005", "user", "relay.exe")
    assert (crash["module"], crash["module_version"], crash["module_offset"]) == ("queue.dll", "1.2.0.0", 0x1234)
    assert (crash["crash_id"] == "0d1f0000-0000-0000-0000-000000000007") == (said == BUCKET)


def test_a_problem_may_tell_when_its_report_was_made():
    said = f"Description\nFaulting Application Path: C:\\x\\relay.exe\nCreation Time: 19/07/2024 04:10:02\n\n{PROGRAM}"
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["occurred_at"], crash["time_quality"]) == ("2024-07-19T04:10:02Z", "log")


def test_an_exception_of_net_has_a_name_in_place_of_a_number():
    values = ("relay.exe", "1.2.3", "4bb25c87", "mscorlib", "2.0.0", "4a7cd8f7", "34a4", "13a", "System.IO.IOException")
    signature = "".join(f"  Problem Signature {at:02}:\t{value}\n" for at, value in enumerate(values, 1))
    dialog = f"  Problem Event Name:\tCLR20r3\n{signature}  OS Version:\t6.1.7600.2.0.0.256.1\n"
    bucket = "Event Name: CLR20r3\n" + "".join(f"P{at}: {value}\n" for at, value in enumerate(values, 1))
    for said in (dialog, bucket):
        assert FORMAT.recognises(head(said.encode()))
        (crash,) = crashes_of(FORMAT, said.encode())
        assert (crash["code"], crash["module"]) == ("System.IO.IOException", "mscorlib")


def test_a_kernel_that_crashed():
    (crash,) = crashes_of(FORMAT, RELIABILITY.encode())
    assert (crash["code"], crash["domain"], crash["os_version"]) == ("0x50", "kernel", "10.0.22631")
    assert (crash["occurred_at"], crash["time_quality"]) == ("2024-07-19T04:10:00Z", "log")
    assert (crash["tags"]["argument1"], crash["tags"]["argument4"]) == ("0xffff8a8e00000018", "0x2")
    (crash,) = crashes_of(FORMAT, DIALOG.encode())
    assert (crash["code"], crash["os_version"]) == ("0x1000007e", "6.1.7601")
    assert crash["occurred_at"] == "2026-11-25T12:00:00Z"


def test_a_blue_screen_names_its_driver():
    (crash,) = crashes_of(FORMAT, SCREEN.encode())
    assert (crash["code"], crash["module"], crash["tags"]["argument3"]) == ("0x50", "relay.sys", "0xfffff8062f5a1234")
    (crash,) = crashes_of(FORMAT, SCREEN.partition("***   ")[0].encode())
    assert "module" not in crash


def test_many_in_one_text_are_one_each():
    found = crashes_of(FORMAT, (RELIABILITY + PROGRAM + RELIABILITY.replace("7/\u200e19", "7/\u200e20")).encode())
    assert [crash["code"] for crash in found] == ["0x50", "0xc0000005", "0x50"]
    assert [crash["occurred_at"][:10] for crash in found] == ["2024-07-19", "2026-11-25", "2024-07-20"]


@pytest.mark.parametrize(
    "said",
    [
        RELIABILITY.replace("BlueScreen", "LiveKernelEvent"),
        RELIABILITY.replace("Code:\t50", "Code:\t141"),
        RELIABILITY.replace("Code:\t50", "Code:\tsee below"),
        PROGRAM.replace("APPCRASH", "RADAR_PRE_LEAK_64"),
        PROGRAM.partition("  Fault Module")[0],
        GERMAN.replace("c0000005", "none"),
        "The type is one of these: APPCRASH\nFor more: see the manual\n",
        "*** STOP: 0x00000050\nOr call us.\n",
        "STOP: all of it (now)\n",
    ],
)
def test_what_is_no_crash(said):
    assert crashes_of(FORMAT, said.encode()) == []
    assert not FORMAT.recognises(head(said.encode()))


@given(st.sampled_from(list(PROBLEMS.values())).flatmap(lambda said: changed(said.encode())))
def test_no_changed_text_breaks_its_reader(data):
    survives(FORMAT, data)


def test_the_system_is_told_behind_the_signature():
    said = "  Problem Event Name:\tBEX64\n  Application Name:\trelay.exe\n  Application Version:\t2.1.0\n"
    said += "  Application Timestamp:\t53d6ab80\n  Fault Module Name:\trelay.exe\n  Fault Module Version:\t2.1.0\n"
    said += "  Fault Module Timestamp:\t53d6ab80\n  Exception Offset:\t0059f67\n  Exception Code:\tc0000409\n"
    said += "  Exception Data:\t0000000000000000\n  OS Version:\t6.1.7601.2.1.0.768.3\n"
    assert [crash["os_version"] for crash in crashes_of(FORMAT, said.encode())] == ["6.1.7601"]
