"""Windows event logs, as files and as XML: which events are a crash, and which of them are the same one."""

from __future__ import annotations

import os
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.clustering.rules import sign
from fleetcrash.clustering.signature import Shape
from ingest.formats import evtx_process
from ingest.formats.crashes import Unfit
from ingest.formats.event_log import EVENT_LOG, EVENT_LOG_BARE, EVENT_LOG_ESCAPED, EVENT_LOG_XML
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import TOLD, crashes_before_damage, crashes_of, head
from tests.ingest.formats.evtx_files import Made, evtx

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples"))
AT = "2024-07-19T04:10:03.250000Z"
REPORT = "0f8a1c1e-7d52-4be5-9c6a-2f0a64b1d001"
OTHER = "5d1f3a77-0b9e-4b0c-8f43-8d9f5f0f2002"
ARGUMENTS = ["0xffff8a0000000040", "0x0", "0xfffff80112345678", "0x2"]
BOOT = [
    Made("EventLog", 6009, ["10.00.", "22631", "", "Multiprocessor Free", "0"]),
    Made("EventLog", 6005, [""]),
    Made(
        "Microsoft-Windows-Kernel-General",
        12,
        [("MajorVersion", "10"), ("MinorVersion", "0"), ("BuildVersion", "22631"), ("QfeVersion", "3880")],
    ),
]
NOTHING = Made("Service Control Manager", 7036, ["Spooler", "running"])


def later(seconds: float) -> str:
    """A time after that of the other events."""
    return (datetime.fromisoformat(AT) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def bugcheck(
    code: str = "0x00000050", report: str = REPORT, at: str = AT, provider: str = "BugCheck", arguments: Any = ARGUMENTS
) -> Made:
    said = f"{code} ({', '.join(arguments)})"
    return Made(provider, 1001, [said, "C:\\Windows\\Minidump\\071924-9109-01.dmp", report], at)


def power(code: int = 0x50, at: str = AT, host: str = "PC-1.example.org", **more: str) -> Made:
    arguments = ARGUMENTS if code else ["0x0"] * 4
    data = [("BugcheckCode", str(code)), *((f"BugcheckParameter{n}", one) for n, one in enumerate(arguments, 1))]
    data += [("SleepInProgress", "0"), ("PowerButtonTimestamp", "0")]
    told = [(name, more.pop(name, value)) for name, value in data]
    return Made("Microsoft-Windows-Kernel-Power", 41, [*told, *more.items()], at, host)


NAMES = ["AppName", "AppVersion", "AppTimeStamp", "ModuleName", "ModuleVersion", "ModuleTimeStamp", "ExceptionCode",
         "FaultingOffset", "ProcessId", "ProcessCreationTime", "AppPath", "ModulePath", "IntegratorReportId",
         "PackageFullName", "PackageRelativeAppId"]  # fmt: skip


def error(
    exe: str = "scan.exe",
    module: str = "hook.dll",
    code: str = "c0000005",
    *,
    report: str = OTHER,
    at: str = AT,
    named: bool = False,
) -> Made:
    values = [exe, "4.2.0.1", "66a1b2c3", module, "7.11.0.5", "66a1b2c4", code, "000000000001a2b3", "1a2c",
              "01dad9912", f"C:\\Users\\ada\\{exe}", f"C:\\Program Files\\x\\{module}", report, "", ""]  # fmt: skip
    return Made("Application Error", 1000, list(zip(NAMES, values, strict=True)) if named else values, at)


def runtime(exe: str = "scan.exe", at: str = AT, text: str | None = None) -> Made:
    said = (
        f"Application: {exe}\r\nFramework Version: v4.0.30319\r\n"
        "Description: The process was terminated due to an unhandled exception.\r\n"
        "Exception Info: System.InvalidOperationException\r\n"
        "   at Acme.Scan.Queue.Take(System.String)\r\n   at Acme.Scan.Program.Main(System.String[])\r\n"
    )
    return Made(".NET Runtime", 1026, [text or said], at)


def wer(kind: str, values: list[str], *, report: str = REPORT, at: str = AT) -> Made:
    padded = [*values, *[""] * (10 - len(values))]
    data = ["", "0", kind, "Not available", "0", *padded, "", "C:\\ProgramData\\x", "", "0", report, "268435456", ""]
    return Made("Windows Error Reporting", 1001, data, at)


APPCRASH = ["scan.exe", "4.2.0.1", "66a1b2c3", "hook.dll", "7.11.0.5", "66a1b2c4", "c0000005", "000000000001a2b3"]


def read(*events: Made) -> list[dict[str, Any]]:
    """The crashes of events, as wevtutil writes them."""
    return crashes_of(EVENT_LOG_XML, xml(events).encode())


def xml(events: Any) -> str:
    return "\n".join(event.xml() for event in events)


def bare(events: Any) -> str:
    return re.sub(r"</?(?:Event|System)(?: [^<>]*)?>", "\n", xml(events))


def test_a_log_and_all_its_exports_say_the_same():
    events = [*BOOT, NOTHING, power(), bugcheck(at=later(60)), runtime(), error(at=later(1)), error("ä&<é.exe")]
    events += [wer("AppHangB1", ["b.exe", "1"]), *[error(f"p{number}.exe", report="") for number in range(40)]]
    found = crashes_of(EVENT_LOG, evtx(events), block_bytes=1000)
    assert len(found) == 44
    for start, end in (("", ""), ("\ufeff<Events>", "</Events>"), ('<?xml version="1.0"?>\n', "\n")):
        text = start + xml(events) + end
        assert crashes_of(EVENT_LOG_XML, text.encode()) == found
        assert crashes_of(EVENT_LOG_XML, text.encode("utf-16"), block_bytes=1000) == found
    assert crashes_of(EVENT_LOG_XML, xml(events).encode("utf-16-le")) == found


@pytest.mark.parametrize("provider", ["BugCheck", "Microsoft-Windows-WER-SystemErrorReporting"])
def test_a_bugcheck_is_told_after_the_reboot(provider):
    (record,) = read(*BOOT, NOTHING, bugcheck(provider=provider))
    assert record == {
        "record": "crash",
        "crash_id": REPORT,
        "host_id": "PC-1.example.org",
        "occurred_at": AT,
        "time_quality": "reboot",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "os_build": "22631.3880",
        "domain": "kernel",
        "code": "0x50",
        "tags": {
            **{f"argument{number}": one for number, one in enumerate(ARGUMENTS, 1)},
            "dump": "071924-9109-01.dmp",
            "report_id": REPORT,
        },
    }


def test_an_older_system_tells_its_revision_when_it_starts():
    old = Made("EventLog", 6009, ["6.01.", "7601", "Service Pack 1", "Multiprocessor Free", "17514"])
    (record,) = read(old, bugcheck())
    assert (record["os_version"], record["os_build"]) == ("6.1.7601", "7601.17514")
    (record,) = read(*BOOT, *BOOT[:2], bugcheck())
    assert record["os_build"] == "22631.3880"


@pytest.mark.parametrize("code", ["0x00000050", "0x10000050"])
@pytest.mark.parametrize("power_code", [0x50, 0])
def test_two_events_of_one_boot_are_one_crash_in_any_order(code, power_code):
    pair = [power(power_code), bugcheck(code, at=later(95))]
    found = read(*BOOT, NOTHING, *pair)
    assert [(one["crash_id"], one["tags"]["dump"]) for one in found] == [(REPORT, "071924-9109-01.dmp")]
    assert found[0]["occurred_at"] == AT, "before the agent's first beat, which a dump may take longer than"
    assert [one["crash_id"] for one in read(*reversed(pair), *reversed(BOOT))] == [REPORT]


def test_a_log_in_the_order_of_times_has_the_crash_before_the_start_of_its_service():
    boot = [replace(one, at=later(8)) for one in BOOT]
    told = [power(), *boot, bugcheck(at=later(20))]
    assert [one["crash_id"] for one in read(*told)] == [one["crash_id"] for one in read(*reversed(told))] == [REPORT]


def test_a_loop_of_crashes_is_many_crashes():
    loop = [
        [power(at=later(at)), bugcheck(report=f"0719{at:02}-9109-01", at=later(at + 30))] for at in range(0, 600, 60)
    ]
    told = [event for pair in loop for event in pair]
    assert len(read(*told)) == len(read(*reversed(told))) == 10
    booted = [event for pair in loop for event in (*BOOT, pair[0])]
    assert len(read(*booted)) == len(read(*reversed(booted))) == 10
    assert len({one["crash_id"] for one in read(*told)}) == 10


def test_events_of_two_crashes_stay_apart():
    assert len(read(power(0x50), bugcheck("0x000000d1"))) == 2
    boot = [replace(one, at=later(600)) for one in BOOT]
    assert len(read(power(), *boot, bugcheck(at=later(630)))) == 2
    earlier = bugcheck(at=later(-600))
    assert len(read(power(), *BOOT, earlier)) == len(read(earlier, *BOOT, power())) == 2
    assert len(read(power(), bugcheck(at=later(3 * 86400)))) == 2
    assert len(read(power(host="PC-2"), bugcheck())) == 2


def test_a_boot_that_ended_without_a_bugcheck():
    (record,) = read(power(0))
    assert (record["code"], record["domain"], record["time_quality"]) == ("KERNEL_POWER_41", "kernel", "reboot")
    assert "tags" not in record
    assert sign(Shape.of(record)).title.startswith("power loss")
    for pressed in ({"PowerButtonTimestamp": "133658358032500000"}, {"LongPowerButtonPressDetected": "true"}):
        assert read(power(0, **pressed))[0]["tags"] == {"power_button": "pressed"}
    assert read(power(0, SleepInProgress="4"))[0]["tags"] == {"sleep": "in progress"}
    (record,) = read(power(159))
    assert (record["code"], record["tags"]["argument1"]) == ("0x9f", ARGUMENTS[0])


@pytest.mark.parametrize("named", [True, False])
def test_a_process_that_crashed(named):
    (record,) = read(error(named=named))
    assert record == {
        "record": "crash",
        "crash_id": OTHER,
        "host_id": "PC-1.example.org",
        "occurred_at": AT,
        "time_quality": "exact",
        "os_type": "windows",
        "domain": "user",
        "code": "0xc0000005",
        "module": "hook.dll",
        "module_version": "7.11.0.5",
        "module_offset": 0x1A2B3,
        "tags": {"exe": "scan.exe", "exe_version": "4.2.0.1", "report_id": OTHER},
    }


def test_a_module_that_is_not_known_is_the_program():
    (record,) = read(error(module="unknown"))
    assert (record["module"], record["module_version"], "module_offset" in record) == ("scan.exe", "4.2.0.1", False)


@pytest.mark.parametrize("seconds", [-3, 3])
def test_a_managed_process_dies_once(seconds):
    (record,) = read(runtime(), error(module="KERNELBASE.dll", code="e0434352", at=later(seconds)))
    assert (record["crash_id"], record["code"]) == (OTHER, "System.InvalidOperationException")
    assert (record["module"], record["module_offset"]) == ("KERNELBASE.dll", 0x1A2B3)
    assert record["frames"][0] == {"module": "Acme.Scan.Queue", "function": "Take", "offset": None}
    assert sign(Shape.of(record)).title.startswith("acme.scan.queue")


@pytest.mark.parametrize(
    "inner",
    [
        "System.ThrowHelper.ThrowKeyNotFoundException()",
        "System.IO.__Error.WinIOError(Int32, System.String)",
        "System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw()",
    ],
)
def test_what_the_runtime_does_decides_no_cluster(inner):
    text = (
        f"Application: scan.exe\nException Info: System.X\n   at {inner}\n   at Acme.Scan.Queue.Take(System.String)\n"
    )
    (record,) = read(runtime(text=text))
    assert sign(Shape.of(record)).family == "windows | System.X | acme.scan.queue!Take"


def test_other_processes_are_other_crashes():
    assert len(read(runtime("other.exe"), error())) == 2
    assert len(read(runtime(), error(at=later(3600)))) == 2
    assert len(read(*[one for n in range(5) for one in (runtime(at=later(n)), error(report="", at=later(n)))])) == 5


def test_a_managed_process_of_which_no_other_event_tells():
    (record,) = read(runtime())
    assert (record["module"], record["domain"], len(record["frames"])) == ("scan.exe", "user", 2)
    assert record["tags"] == {"exe": "scan.exe"}


@pytest.mark.parametrize(
    ("number", "text", "code", "frames"),
    [
        (
            1026,
            "Anwendung: scan.exe\nFrameworkversion: v4.0.30319\nBeschreibung: Der Prozess wurde beendet.\n"
            "Ausnahmeinformationen: System.IO.IOException\n   bei Acme.Scan.Queue.Take(System.String x)\n",
            "System.IO.IOException",
            1,
        ),
        (
            1026,
            "Application: scan.exe\nCoreCLR Version: 8.0.724\n.NET Version: 8.0.7\nDescription: It was terminated.\n"
            "Exception Info: QueueException: full: a.b\n   at Acme.Scan.Queue.Take(String x) in D:\\q.cs:line 3\n",
            "QueueException",
            1,
        ),
        (
            1026,
            "Application: scan.exe\nDescription: The process was terminated due to an unhandled exception.\n"
            "Exception Info: exception code c0000005, exception address 00007FF8A1B2C3D4\n",
            "0xc0000005",
            0,
        ),
        (
            1023,
            "Application: scan.exe\nDescription: internal error at IP 00007FF8 with exit code 80131506.",
            "0x80131506",
            0,
        ),
        (
            1026,
            "Application: scan.exe CoreCLR Version: 8.0.724 .NET Version: 8.0.7 Description: It was terminated. "
            "Exception Info: System.IO.IOException: full at Acme.Scan.Queue.Take(String x) at Acme.Scan.Main()",
            "System.IO.IOException",
            2,
        ),
        (1025, "Application: scan.exe\nDescription: FailFast.\nMessage: disk is full\n", None, 0),
    ],
)
def test_what_the_runtime_says_is_read_in_any_language(number, text, code, frames):
    (record,) = read(Made(".NET Runtime", number, [text]))
    assert (record.get("code"), record["tags"]["exe"], len(record.get("frames", []))) == (code, "scan.exe", frames)


def test_a_hang():
    (record,) = read(
        Made("Application Hang", 1002, ["scan.exe", "4.2.0.1", "1a2c", "01dad", "4", "C:\\x", OTHER, "", ""])
    )
    assert (record["domain"], record["module"], record["crash_id"]) == ("hang", "scan.exe", OTHER)
    assert "code" not in record
    named = [("AppName", "scan.exe"), ("AppVersion", "1"), ("ProcessId", "0x1"), ("ReportId", REPORT)]
    assert read(Made("Application Hang", 1002, named))[0]["crash_id"] == REPORT


def test_a_report_is_a_crash_only_where_nothing_else_tells_of_it():
    (record,) = read(wer("APPCRASH", APPCRASH))
    assert (record["crash_id"], record["code"], record["module_offset"]) == (REPORT, "0xc0000005", 0x1A2B3)
    assert (record["time_quality"], record["tags"]["event_type"]) == ("log", "APPCRASH")
    report = wer("APPCRASH", APPCRASH, at=later(3 * 86400))
    assert [one["crash_id"] for one in read(error(), report, report)] == [OTHER]
    assert [one["crash_id"] for one in read(report, report, error())] == [OTHER]
    packaged = wer("MoAppCrash", ["Acme.Scan_4.2", "praid:App", *APPCRASH[1:]])
    assert [one["crash_id"] for one in read(error(), packaged)] == [OTHER]
    assert len(read(error("other.exe", "other.dll"), report, report)) == 2


def test_reports_of_other_kinds():
    values = ["50", "ffff8a0000000040", "0", "fffff80112345678", "2", "10_0_22631", "0_0", "256_1"]
    (record,) = read(wer("BlueScreen", values))
    assert (record["code"], record["time_quality"], record["os_version"]) == ("0x50", "reboot", "10.0.22631")
    assert len(read(bugcheck(report=OTHER), wer("BlueScreen", values))) == 1
    assert read(wer("LiveKernelEvent", ["141", *values[1:]]), wer("RADAR_PRE_LEAK_64", ["scan.exe"])) == []
    assert read(wer("AppHangB1", ["scan.exe", "4.2.0.1"]))[0]["domain"] == "hang"


def test_events_that_are_no_crash_are_not_read():
    others = [
        NOTHING,
        *BOOT,
        Made("Application Error", 1001, error().data),
        Made("Application Error", 1000, ["", ""]),
        Made("Microsoft-Windows-Kernel-Power", 42, power().data),
        Made("BugCheck", 1001, ["nothing"]),
        Made("BugCheck", 1005, bugcheck().data),
        Made(".NET Runtime", 1000, ["Category: x\nEventId: 1"]),
        Made("EventLog", 6009, ["?", "7601"]),
        Made("Acme BugCheck", 1001, bugcheck().data),
    ]
    assert read(*others) == read() == []


def test_a_host_that_is_not_told_is_the_one_that_the_user_tells():
    text = bugcheck().xml().replace("<Computer>PC-1.example.org</Computer>", "")
    assert crashes_of(EVENT_LOG_XML, text.encode())[0]["host_id"] == "h-told"


def test_a_report_id_that_is_not_of_all_the_world_is_of_its_host():
    (first,), (same,) = read(bugcheck(report="071924-9109-01")), read(bugcheck(report="071924-9109-01", at=later(60)))
    assert first["crash_id"] == same["crash_id"] != "071924-9109-01"


def test_a_time_is_cut_to_what_is_kept():
    (record,) = crashes_of(EVENT_LOG_XML, error(at="2024-07-19T04:10:03.250000400Z").xml().encode())
    assert record["occurred_at"] == AT


def test_what_the_event_viewer_copies_is_read():
    text = error().xml().replace("><", ">\n  <").replace("<Event ", "- <Event ").replace("<System>", "- <System>")
    text = text.replace(
        "</EventData>", "</EventData>\n<RenderingInfo Culture='de-DE'><Message>x &amp; y</Message></RenderingInfo>"
    )
    assert EVENT_LOG_XML.recognises(head(text.encode(), "events.xml"))
    assert crashes_of(EVENT_LOG_XML, text.encode()) == read(error())


def test_what_is_recognised():
    log, text = evtx([error()]), error().xml()
    assert EVENT_LOG.recognises(head(log))
    assert not EVENT_LOG_XML.recognises(head(log, "x.xml"))
    for start in ("", "\ufeff", '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n<Events>'):
        for encoding in ("utf-8", "utf-16"):
            assert EVENT_LOG_XML.recognises(head((start + text).encode(encoding)))
            assert not EVENT_LOG.recognises(head((start + text).encode(encoding), "x.evtx"))
    assert EVENT_LOG_XML.recognises(head(text.encode("utf-16-le")))
    assert EVENT_LOG_XML.recognises(head(f"<Event>{text.partition('>')[2]}".encode()))


@pytest.mark.parametrize(
    "data",
    [
        b'{"record": "crash", "crash_id": "1"}\n',
        b"record,crash_id\ncrash,1\n",
        b"<html><Event x></html>",
        b"<Events><Event><name>x</name></Event></Events>",
        b"<?xml version='1.0'?><plist></plist>",
        b"MDMP\x93\xa7",
        b"ElfChnk\0",
        b"",
    ],
)
def test_other_files_are_no_event_logs(data):
    assert not EVENT_LOG.recognises(head(data, "system.evtx"))
    assert not EVENT_LOG_XML.recognises(head(data, "system.xml"))


def test_a_damaged_chunk_costs_what_it_holds():
    events = [error(f"p{number}.exe", report="") for number in range(60)]
    whole = evtx(events)
    data = bytearray(whole)
    data[4096 + 65536 + 600 : 4096 + 65536 + 4000] = b"\xff" * 3400
    found, damage = crashes_before_damage(EVENT_LOG, bytes(data))
    assert damage.code == "bad_event_log"
    assert 40 <= len(found) < 60
    assert {one["tags"]["exe"] for one in found} >= {f"p{number}.exe" for number in (*range(20), *range(40, 60))}
    found, damage = crashes_before_damage(EVENT_LOG, whole[:-65536])
    assert (len(found), "its end is missing" in str(damage)) == (40, True)
    assert len(crashes_of(EVENT_LOG, whole + bytes(65536))) == 60, "Windows makes room in advance"


def test_a_log_that_ends_within_a_chunk_gives_the_events_before():
    whole = evtx([error(f"p{number}.exe", report="") for number in range(30)])
    room = whole.rstrip(b"\0")
    found, damage = crashes_before_damage(EVENT_LOG, room)
    assert (len(found), "its end is missing" in str(damage)) == (30, True)
    found, damage = crashes_before_damage(EVENT_LOG, room[:-500])
    assert {one["tags"]["exe"] for one in found} == {f"p{number}.exe" for number in range(29)}


def test_xml_that_is_damaged_costs_the_event():
    good, bad = error().xml(), error().xml().replace("<Data>", "<Data", 1)
    for text in (good + bad + good, good + good[:300] + good, "<!DOCTYPE x [<!ENTITY y 'z'>]>" + good):
        EVENT_LOG_XML.recognises(head(text.encode()))
    found, damage = crashes_before_damage(EVENT_LOG_XML, (good + bad + good).encode())
    assert (len(found), damage.code) == (2, "bad_event_log")
    found, damage = crashes_before_damage(EVENT_LOG_XML, (good + good[:-9]).encode())
    assert (len(found), "no end" in str(damage)) == (1, True)
    assert len(crashes_of(EVENT_LOG_XML, (good + good[:300] + good).encode())) == 2


def test_events_that_were_copied_stand_among_text():
    said = "Log Name:      Application\nDescription:\nFaulting application name: scan.exe\nEvent Xml:\n"
    event = error().xml()
    for text in (
        said + event + said + event,
        f"It broke:\n```xml\n{event}\n```\n",
        "> " + event.replace("><", ">\n> <"),
        event.replace("<System>", "\n- \n<System>"),
    ):
        assert format_of(head(text.encode())) is EVENT_LOG_XML
        assert {crash["module"] for crash in crashes_of(EVENT_LOG_XML, text.encode())} == {"hook.dll"}
    assert not EVENT_LOG_XML.recognises(head(('{"raw": "' + event + '"}').encode()))


def test_of_some_events_people_may_have_kept_the_description_alone():
    def described(said: str, provider: str, number: int, at: str) -> str:
        header = f"Log Name:      System\nSource:        {provider}\nDate:          {at}\nEvent ID:      {number}\n"
        return f"{header}Computer:      PC-1.example.org\nDescription:\n{said}\n"

    power_41 = described("It lost its power.", "Microsoft-Windows-Kernel-Power", 41, "7/19/2024 2:10:02 AM")
    whole = described("It broke.", "Application Error", 1000, "7/19/2024 4:10:02 AM") + f"Event Xml:\n{error().xml()}\n"
    for said in (power_41 + whole, whole + power_41, f"{whole}{power_41}Event Xml:\n{NOTHING.xml()}\n{power_41}"):
        found = crashes_of(EVENT_LOG_XML, said.encode())
        assert sorted(one["code"] for one in found) == ["0xc0000005", "KERNEL_POWER_41"]
        assert [one["occurred_at"] for one in found if one["domain"] == "kernel"] == ["2024-07-19T02:10:02Z"]
    assert len(crashes_of(EVENT_LOG_XML, whole.encode())) == 1
    assert crashes_of(EVENT_LOG_XML, f"{power_41}Event Xml:\n{NOTHING.xml()}".encode()) == []


def test_events_that_a_page_escapes():
    event = error("a & b.exe").xml()
    for text in (
        event.replace("<", "&lt;").replace(">", "&gt;"),
        "It broke:\n\n- " + event.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"),
        "x" * 65530 + event.replace("<", "&lt;").replace(">", "&gt;"),
    ):
        data = text.encode()
        found = crashes_of(EVENT_LOG_ESCAPED, data)
        assert found == crashes_of(EVENT_LOG_ESCAPED, data, block_bytes=3) == read(error("a & b.exe"))
        assert not EVENT_LOG_XML.recognises(head(data))
    assert format_of(head(("Broke: " + event.replace("<", "&lt;").replace(">", "&gt;")).encode())) is EVENT_LOG_ESCAPED
    assert not EVENT_LOG_ESCAPED.recognises(head((event + "&lt;Event").encode()))


def test_events_without_their_outer_elements():
    for text in (bare([power()]), f"It broke:\n\n{bare([power()])}Thanks!\n", bare([power()]) + "</System>\n</Event>"):
        assert format_of(head(text.encode())) is EVENT_LOG_BARE
        for block_bytes in (3, 1 << 20):
            assert crashes_of(EVENT_LOG_BARE, text.encode(), block_bytes=block_bytes) == read(power())
    both = [error(), power()]
    assert crashes_of(EVENT_LOG_BARE, bare(both).encode()) == read(*both)
    whole = bare([power()]) + xml([error()])
    assert format_of(head(whole.encode())) is EVENT_LOG_XML
    assert not EVENT_LOG_BARE.recognises(head(bare([NOTHING]).encode()))


def test_entities_are_not_made_larger():
    bomb = '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>' + error("&b;").xml().replace("&amp;b;", "&b;")
    assert not EVENT_LOG_XML.recognises(head(bomb.encode()))
    found, damage = crashes_before_damage(EVENT_LOG_XML, bomb.encode())
    assert (found, "no XML" in str(damage)) == ([], True)


def test_what_no_xml_may_hold_is_left_out():
    text = error().xml().replace("scan.exe", "sc\x0ban.exe", 1)
    assert crashes_of(EVENT_LOG_XML, text.encode())[0]["tags"]["exe"] == "scan.exe"


def test_memory_is_bounded_whatever_comes():
    def unending(start: bytes) -> Iterator[bytes]:
        yield start
        for _ in range(40):
            yield b"x" * (1 << 20)

    for start in (b"<Event ", b"<Event><System><Provider Name='BugCheck'/>"):
        tracemalloc.start()
        with pytest.raises(Unfit):
            list(EVENT_LOG_XML.read(unending(start), TOLD))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20 << 20, "bytes, of 40 MiB that came"


def test_providers_without_an_end_take_no_time():
    text = "<Event>" + "<Provider " * 90_000 + "</Event>"
    assert crashes_of(EVENT_LOG_XML, text.encode()) == []


@pytest.fixture
def parser(tmp_path, monkeypatch):
    """Put another program in the place of the parser's."""

    def put(program: str) -> None:
        path = tmp_path / "parser.py"
        path.write_text(f"import os, sys, time\nout = sys.stdout.buffer\n{program}\n")
        monkeypatch.setattr(evtx_process, "__file__", str(path))

    return put


def test_what_the_parser_told_before_its_end_counts(parser):
    told = error().xml().encode()
    frame = evtx_process.FRAME.pack(evtx_process.EVENT, len(told)) + told
    for rest in (b"", frame[:2], frame[:-9]):
        parser(f"out.write({frame + rest!r})\nout.flush()\nos.kill(os.getpid(), 9)")
        found, damage = crashes_before_damage(EVENT_LOG, evtx([]))
        assert (len(found), "too long" in str(damage)) == (1, not rest[9:])


def test_a_parser_whose_events_nobody_wants_is_ended(parser):
    told = error().xml().encode()
    frame = evtx_process.FRAME.pack(evtx_process.EVENT, len(told)) + told
    parser(f"while True: out.write({frame!r})")
    next(EVENT_LOG.read(iter([evtx([])]), TOLD))


def going_round(events: list[Made]) -> bytes:
    """A log whose table of names goes round in a circle, with sums that are right."""
    data = bytearray(evtx(events))
    chunk = data[4096:]
    first, second = (chunk.index(name.encode("utf-16-le")) - 8 for name in ("Event", "System"))
    chunk[128:132] = chunk[second : second + 4] = first.to_bytes(4, "little")
    chunk[first : first + 4] = second.to_bytes(4, "little")
    chunk[52:56] = crc32(chunk[512 : int.from_bytes(chunk[48:52], "little")]).to_bytes(4, "little")
    chunk[124:128] = crc32(chunk[:120] + chunk[128:512]).to_bytes(4, "little")
    return bytes(data[:4096] + chunk)


@pytest.mark.slow
def test_a_log_that_keeps_its_parser_busy_for_good():
    busy = going_round([error()])[4096:]
    log = bytearray(evtx([error(f"p{number}.exe", report="") for number in range(20)]))
    log[4096:4096] = busy[:52] + b"none" + busy[56:]  # its sums are wrong
    found, damage = crashes_before_damage(EVENT_LOG, bytes(log))
    assert (len(found), "too long" in str(damage)) == (20, True)


@pytest.mark.slow
@settings(max_examples=10)
@given(st.binary(max_size=300))
def test_no_bytes_break_a_log(data):
    EVENT_LOG.recognises(head(data))
    read_or_refuse(EVENT_LOG, b"ElfFile\0" + data)
    read_or_refuse(EVENT_LOG, evtx([error()])[:4096] + data)


@given(st.binary(max_size=300))
def test_no_bytes_break_xml(data):
    EVENT_LOG_XML.recognises(head(data))
    read_or_refuse(EVENT_LOG_XML, data)
    read_or_refuse(EVENT_LOG_XML, b"<Event " + data + b"</Event>")


@pytest.mark.slow
def test_a_log_that_is_cut_or_changed_anywhere_breaks_nothing():
    log, text = evtx([power(), runtime()])[: 4096 + 4000], xml([power(), runtime()]).encode()
    for format, whole, step in ((EVENT_LOG, log, 600), (EVENT_LOG_XML, text, 5)):
        for at in range(0, len(whole), step):
            for data in (whole[:at], whole[:at] + b"\xff" + whole[at + 1 :]):
                format.recognises(head(data))
                read_or_refuse(format, data)


def read_or_refuse(format: Any, data: bytes) -> None:
    try:
        crashes_of(format, data)
    except Unfit as refusal:
        assert refusal.code == "bad_event_log"  # noqa: PT017 - or there is none


def test_a_log_of_a_server():
    path = SAMPLES / "evtx" / "plaso_System.evtx"
    if not path.exists():
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    found = crashes_of(EVENT_LOG, path.read_bytes())
    assert [(one["occurred_at"], one["code"], one["os_build"]) for one in found] == [
        ("2015-08-08T18:08:30.468750Z", "KERNEL_POWER_41", "7601.17514"),
        ("2015-08-25T15:40:40.453125Z", "KERNEL_POWER_41", "7601.17514"),
    ]
    assert [one["host_id"] for one in found] == ["WIN-NBRJP24VCHB", "DC1.internal.greendale.edu"]


def test_a_description_tells_more_than_the_start_of_its_event():
    said = b"Faulting application name: relay.exe\nEvent Xml:\n"
    said += b'<Event xmlns="x">\n<System>\n<Provider Name="Application Error"/>'
    assert not EVENT_LOG_XML.recognises(head(said))
    assert not EVENT_LOG_XML.recognises(head(b"</EventData>\n</Event>\n" + said)), "the end of another one"
    assert EVENT_LOG_XML.recognises(head(said + b"</System></Event>"))
