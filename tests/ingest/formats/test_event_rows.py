"""Windows events as JSON or as a table, as shippers and PowerShell write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.event_rows import EVENT_ROWS as FORMAT
from ingest.formats.known import format_of
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_before_damage, crashes_of, head
from tests.ingest.formats.damage import changed, survives

REPORTER = "Microsoft-Windows-WER-SystemErrorReporting"
NUMBERS = "0x00000050 (0xffff8a8e00000018, 0x0000000000000000, 0xfffff8062f5a1234, 0x0000000000000002)"
BOOT = f"The computer has rebooted from a bugcheck.  The bugcheck was: {NUMBERS}. A dump was saved in: C:\\M.DMP."
VALUES = ["relay.exe", "1.2.3.4", "66a0b1c2", "queue.dll", "1.2.0.0", "66a0b1c3", "c0000005", "0000000000001234"]
NAMES = ["AppName", "AppVersion", "AppTimeStamp", "ModuleName", "ModuleVersion", "ModuleTimeStamp", "ExceptionCode",
         "FaultingOffset"]  # fmt: skip
SAID = """\
Faulting application name: relay.exe, version: 1.2.3.4, time stamp: 0x66a0b1c2
Faulting module name: queue.dll, version: 1.2.0.0, time stamp: 0x66a0b1c3
Exception code: 0xc0000005
Fault offset: 0x0000000000001234"""
NAMED = dict(sorted(zip(NAMES, VALUES, strict=True)))  # as some sort them
PLACED = {f"param{at}": value for at, value in sorted(enumerate(VALUES, 1), key=str)}
AT = "2024-07-19T04:10:02.123Z"
MS = "/Date(1721362202123)/"
ERROR = "Application Error"


def winlogbeat(**fields: Any) -> dict[str, Any]:
    told = {"event_id": "1000", "provider_name": ERROR, "channel": "Application", "computer_name": "pc-17", **fields}
    return {"@timestamp": AT, "winlog": told, "message": SAID, "agent": {"type": "winlogbeat"}}


def dumped(data: Any) -> dict[str, Any]:
    system = {
        "Provider": {"#attributes": {"Name": ERROR}},
        "EventID": {"#attributes": {"Qualifiers": 0}, "#text": 1000},
        "TimeCreated": {"#attributes": {"SystemTime": AT}},
        "Channel": "Application",
        "Computer": "pc-17",
    }
    return {"Event": {"System": system, "EventData": data}}


def apart(data: Any) -> dict[str, Any]:
    """As evtx_dump and Chainsaw write it where attributes are no part of their elements."""
    system = {
        "Provider_attributes": {"Name": ERROR}, "EventID": 1000, "EventID_attributes": {"Qualifiers": 0},
        "TimeCreated_attributes": {"SystemTime": AT}, "Channel": "Application", "Computer": "pc-17",
    }  # fmt: skip
    return {"Event": {"System": system, "EventData": data}}


RAW = (
    "07/19/2024 04:10:02 AM\nLogName=Application\nEventCode=1000\nComputerName=pc-17\n"
    f"SourceName={ERROR}\nMessage={SAID}"
)


def evtxecmd(data: Any) -> dict[str, Any]:
    payload = json.dumps({"EventData": {"Data": data}})
    return {"Computer": "pc-17", "Payload": payload, "Channel": "Application", "Provider": ERROR, "EventId": 1000,
            "TimeCreated": AT, "Level": "Error"}  # fmt: skip


FORMS: dict[str, dict[str, Any]] = {
    "winlogbeat": winlogbeat(),
    "winlogbeat, named": winlogbeat(event_data=NAMED),
    "winlogbeat, numbered": winlogbeat(event_data=PLACED),
    "a search": {"_index": "a", "_source": winlogbeat()},
    "nxlog": {"EventTime": AT[:-1].replace("T", " "), "Hostname": "pc-17", "EventID": 1000, "SourceName": ERROR,
              "Channel": "Application", "Message": SAID},
    "fluent bit": {"ProviderName": ERROR, "EventID": 1000, "Level": 2, "TimeCreated": "2024-07-19 06:10:02 +0200",
                   "Channel": "Application", "Computer": "pc-17", "Message": "", "StringInserts": VALUES},
    "wazuh": {"data": {"win": {
        "system": {"providerName": ERROR, "eventID": "1000", "systemTime": AT, "channel": "Application",
                   "computer": "pc-17", "message": f'"{SAID}"'},
        "eventdata": {name[:1].lower() + name[1:]: value for name, value in NAMED.items()}}}},
    "azure": {"TimeGenerated": AT, "Source": ERROR, "EventLog": "Application", "Computer": "pc-17", "EventID": 1000,
              "RenderedDescription": SAID},
    "evtx_dump": dumped({"Data": {"#text": VALUES}}),
    "evtx_dump, named": dumped(NAMED),
    "evtx_dump, apart": apart({"Data": VALUES}),
    "chainsaw": {"group": "Crashes", "document": {"kind": "evtx", "data": apart(NAMED)}},
    "splunk": {"preview": False, "result": {"_time": "2024-07-19T06:10:02.000+02:00", "host": "pc-17", "_raw": RAW}},
    "splunk, named": {"result": {"_time": "2024-07-19T06:10:02.000+02:00", "ComputerName": "pc-17", "EventCode": "1000",
                                 "SourceName": ERROR, "Message": SAID, "LogName": "Application"}},
    "opentelemetry": {"channel": "Application", "computer": "pc-17", "event_id": {"id": 1000, "qualifiers": 0},
                      "message": SAID, "provider": {"event_source": "", "guid": "", "name": ERROR}, "system_time": AT,
                      "event_data": {"data": [{"": value} for value in VALUES]}},
    "promtail": {"source": ERROR, "channel": "Application", "computer": "pc-17", "event_id": 1000, "timeCreated": AT,
                 "event_data": "".join(f"<Data>{value}</Data>" for value in VALUES), "message": SAID},
    "graylog": {"version": "1.1", "host": "pc-17", "short_message": SAID[:64], "full_message": SAID, "_EventID": 1000,
                "_SourceName": ERROR, "_Channel": "Application", "_Hostname": "pc-17",
                "_EventTime": AT[:-1].replace("T", " ")},
    "flat": {"@timestamp": AT, "winlog.provider_name": ERROR, "winlog.event_id": "1000", "message": SAID,
             "winlog.channel": "Application", "winlog.computer_name": "pc-17",
             **{f"winlog.event_data.{name}": value for name, value in NAMED.items()}},
    "amazon": {"timestamp": 1721362202123, "logStreamName": "pc", "eventId": "3",
               "message": f"[Application] [ERROR] [1000] [{ERROR}] [pc-17] [{SAID}]"},
    "evtxecmd": evtxecmd([{"@Name": name, "#text": value} for name, value in NAMED.items()]),
    "evtxecmd, joined": evtxecmd(", ".join(VALUES)),
    "osquery": {"eventid": "1000", "provider_name": ERROR, "computer_name": "pc-17", "channel": "Application",
                "datetime": AT, "data": json.dumps({"EventData": VALUES})},
    "powershell": {"Id": 1000, "Version": 0, "ProviderName": ERROR, "MachineName": "pc-17", "TimeCreated": MS,
                   "Message": SAID.replace("\n", "\r\n")},
    "powershell, whole": {"Id": 1000, "Version": 0, "ProviderName": ERROR, "MachineName": "pc-17", "Message": SAID,
                          "TimeCreated": {"value": MS, "DisplayHint": 2},
                          "Properties": [{"Value": value} for value in VALUES]},
    "older powershell": {"EventID": 1000, "InstanceId": 3221226472, "Source": ERROR, "MachineName": "pc-17",
                         "TimeGenerated": MS, "Message": SAID, "EntryType": 1, "ReplacementStrings": VALUES},
    "reliability": {"ComputerName": "pc-17", "EventIdentifier": 1000, "InsertionStrings": VALUES, "Message": SAID,
                    "Logfile": "Application", "SourceName": ERROR, "TimeGenerated": "20240719061002.123000+120"},
}  # fmt: skip
OTHER = winlogbeat(event_id="7036", provider_name="Service Control Manager")
TABLE = (
    '#TYPE Selected.System.Diagnostics.Eventing.Reader.EventLogRecord\n"Message","Id","ProviderName","MachineName",'
    f'"TimeCreated"\n"{SAID}","1000","{ERROR}","pc-17","7/19/2024 4:10:02 AM"\n'
    f'"{BOOT}","1001","{REPORTER}","pc-18","7/20/2024 4:10:02 AM"\n"up","7036","Service","pc-17","7/20/2024 4:11 AM"\n'
)


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


DOCUMENTS = {
    "lines": lines(OTHER, FORMS["winlogbeat"]),
    "list": json.dumps([FORMS["powershell"]], indent=4).encode(),
    "one": json.dumps(FORMS["powershell"], indent=4).encode(),
    "search": json.dumps({"took": 3, "hits": {"hits": [FORMS["a search"]]}}).encode(),
    "numbered": f"Record 1\n{json.dumps(FORMS['evtx_dump'], indent=2)}\nRecord 2\n{json.dumps(OTHER)}\n".encode(),
    "table": TABLE.encode(),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_event_is_told_whoever_wrote_it(name):
    data = lines(OTHER, FORMS[name])
    assert format_of(head(data)) is FORMAT
    (crash,) = crashes_of(FORMAT, data)
    assert (crash["host_id"], crash["code"], crash["domain"]) == ("pc-17", "0xc0000005", "user")
    assert (crash["module"], crash["module_version"], crash["module_offset"]) == ("queue.dll", "1.2.0.0", 0x1234)
    assert (crash["tags"]["exe"], crash["tags"]["exe_version"]) == ("relay.exe", "1.2.3.4")
    assert crash["occurred_at"][:19] in ("2024-07-19T04:10:02", "2024-07-19T06:10:02")
    assert crash["occurred_at"].startswith("2024-07-19T06") == name.startswith(("fluent bit", "splunk"))
    assert crash["time_quality"] == ("log" if name in ("nxlog", "graylog") else "exact")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_objects_stand_in_a_list_or_one_behind_the_other(name):
    assert format_of(head(DOCUMENTS[name])) is FORMAT
    crash = crashes_of(FORMAT, DOCUMENTS[name])[0]
    assert (crash["host_id"], crash["code"], crash["occurred_at"][:19]) == (
        "pc-17",
        "0xc0000005",
        "2024-07-19T04:10:02",
    )
    for block_bytes in (1, 7, 64):
        assert crashes_of(FORMAT, DOCUMENTS[name], block_bytes=block_bytes) == crashes_of(FORMAT, DOCUMENTS[name])


def test_an_event_of_which_people_left_out_some():
    event = dumped({"AppName": "relay.exe", "ModuleName": "queue.dll", "ExceptionCode": "c0000005", "Other": "7"})
    del event["Event"]["System"]["Channel"], event["Event"]["System"]["Computer"]
    assert FORMAT.recognises(head(lines(event)))
    (found,) = crashes_of(FORMAT, lines(event))
    assert (found["module"], found["code"], found["host_id"]) == ("queue.dll", "0xc0000005", "h-told")
    assert "module_version" not in found


def test_a_table_tells_the_host_and_the_time():
    found = crashes_of(FORMAT, TABLE.replace("\n", "\r\n").encode())
    assert [(crash["host_id"], crash["code"], crash["occurred_at"]) for crash in found] == [
        ("pc-17", "0xc0000005", "2024-07-19T04:10:02Z"),
        ("pc-18", "0x50", "2024-07-20T04:10:02Z"),
    ]


@pytest.mark.parametrize(
    "told", [{"event_data": {"param1": NUMBERS, "param2": "C:\\M.DMP", "param3": "0d1f"}}, {"event_data": {}}]
)
def test_a_bugcheck_and_the_boot_after_it_are_one_crash(told):
    boot = winlogbeat(event_id=41, provider_name="Microsoft-Windows-Kernel-Power",
                      event_data={"BugcheckCode": "80", "SleepInProgress": "0"})  # fmt: skip
    bugcheck = {**winlogbeat(event_id=1001, provider_name=REPORTER, channel="System", **told), "message": BOOT}
    (crash,) = crashes_of(FORMAT, lines(boot, bugcheck))
    assert (crash["code"], crash["time_quality"], crash["domain"]) == ("0x50", "reboot", "kernel")
    assert crash["tags"]["argument3"] == "0xfffff8062f5a1234"


def test_an_exception_is_told_with_its_stack():
    said = """\
Application: relay.exe
CoreCLR Version: 8.0.724
Description: The process was terminated due to an unhandled exception.
Exception Info: System.InvalidOperationException: full
   at Relay.Queue.Push(String s)"""
    event = winlogbeat(event_id=1026, provider_name=".NET Runtime", event_data={"param1": said})
    (crash,) = crashes_of(FORMAT, lines(event))
    assert (crash["code"], crash["frames"][0]["function"]) == ("System.InvalidOperationException", "Push")


@pytest.mark.parametrize(
    "data",
    [
        lines(OTHER),
        lines({"Id": 1000, "ProviderName": ERROR, "Message": SAID}),
        lines({"message": SAID, "@timestamp": AT, "host": "a", "level": "error"}),
        lines({"EventID": 7, "Source": "relay", "Computer": "a"}),
        b'"Id","Name"\n"1","a"\n',
        b"[1, 2]",
        b"{}",
    ],
)
def test_what_is_no_event_or_no_crash(data):
    assert not FORMAT.recognises(head(data)) or crashes_of(FORMAT, data) == []


def test_damage_leaves_what_is_before_it():
    data = DOCUMENTS["list"]
    found, damage = crashes_before_damage(FORMAT, data.rstrip()[:-1] + b',\n{"Id": 10')
    assert (len(found), damage.code) == (1, "bad_log")
    assert crashes_of(FORMAT, b"{'a'}\n" + DOCUMENTS["lines"])[0] == b"{'a'}"
    long = "#\n" + TABLE.partition("\n")[2].partition("\n")[0] + '\n"' + "a\n" * 200_000
    assert crashes_before_damage(FORMAT, long[2:].encode())[1].code == "bad_log"


@given(st.sampled_from(list(DOCUMENTS.values())).flatmap(changed))
def test_no_changed_document_breaks_its_reader(data):
    survives(FORMAT, data)


def test_a_long_log_takes_little_time():
    data = lines(*[OTHER] * 5000)
    assert crashes_of(FORMAT, data) == []
    costs_at_most(150, lambda: crashes_of(FORMAT, data))
