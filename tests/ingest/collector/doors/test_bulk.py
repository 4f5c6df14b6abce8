"""Elasticsearch's door: an item for each action in order, and crashes among what syslog brings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.collector.doors import bulk
from ingest.collector.doors.door import Reading
from ingest.formats.crashes import Unfit
from ingest.formats.event_rows import EVENT_ROWS
from tests.ingest.collector.doors.conftest import NOW_TEXT, anything, asked, read_or_refused, records_in, the_record
from tests.ingest.conftest import SOUND, line
from tests.ingest.formats.conftest import crashes_of
from tests.ingest.formats.test_event_rows import FORMS, winlogbeat
from tests.ingest.formats.test_event_rows import OTHER as OTHER_EVENT
from tests.ingest.formats.test_journal import COREDUMP, entry
from tests.ingest.formats.test_journal import read as journal_records
from tests.ingest.formats.test_journal_beats import DUMPED, KERNEL

SEGFAULT = "scan[7]: segfault at 0 ip 00007f3300001234 sp 00007ffe error 4 in libscan.so.2[1234,7f3300000000+5000]"
POWER = winlogbeat(
    provider_name="Microsoft-Windows-Kernel-Power", event_id="41", channel="System",
    event_data={"BugcheckCode": "80", "SleepInProgress": "0", "PowerButtonTimestamp": "0"},
)  # fmt: skip
BUGCHECK = winlogbeat(
    provider_name="Microsoft-Windows-WER-SystemErrorReporting", event_id="1001", channel="System",
    event_data={"param1": "0x00000050 (0xffff, 0x0, 0xfff8, 0x0)", "param2": "C:\\Windows\\MEMORY.DMP", "param3": "g"},
)  # fmt: skip
SYSLOG = {"message": SEGFAULT, "fromhost": "web-1", "facility": "kern", "timereported": "2024-07-19T04:10:02+00:00"}
OOPS = """\
BUG: unable to handle page fault for address: ffffc90000a3f000
#PF: supervisor read access in kernel mode
Oops: 0000 [#1] PREEMPT SMP NOPTI
CPU: 1 PID: 7 Comm: scan Tainted: G           OE      6.1.0-9-amd64 #1
RIP: 0010:read_channel+0x1f/0x40 [agent]
Call Trace:
 <TASK>
 ? __die+0x23/0x70
 scan_file+0x61/0x90 [agent]
 vfs_read+0xa1/0x1b0
 </TASK>
---[ end trace 0000000000000000 ]---
Kernel panic - not syncing: Fatal exception""".splitlines()


def bulk_of(*documents: Any, action: dict[str, Any] | None = None) -> bytes:
    first = json.dumps(action or {"index": {"_index": "syslog"}}).encode()
    return b"".join(first + b"\n" + json.dumps(one).encode() + b"\n" for one in documents)


def read(body: bytes) -> tuple[Reading, dict[str, Any]]:
    reading = bulk.read(bytearray(body), asked())
    return reading, json.loads(reading.reply)


def test_a_fault_of_a_process_is_a_crash():
    reading, answer = read(bulk_of(SYSLOG))
    record = the_record(reading)
    assert record.pop("crash_id") == the_record(read(bulk_of(SYSLOG))[0])["crash_id"]
    assert record == {
        "record": "crash",
        "host_id": "web-1",
        "occurred_at": "2024-07-19T04:10:02+00:00",
        "time_quality": "log",
        "os_type": "linux",
        "domain": "user",
        "code": "SIGSEGV",
        "module": "libscan.so.2",
        "module_offset": 0x1234,
        "tags": {"comm": "scan", "pid": "7", "message": SEGFAULT},
    }
    assert (answer["errors"], len(answer["items"])) == (False, 1)
    assert answer["items"][0]["index"]["status"] == 201
    assert answer["items"][0]["index"]["_index"] == "syslog"


@pytest.mark.parametrize(
    ("said", "code", "module", "offset"),
    [
        ("[ 12.5] a[7]: segfault at 8 ip 10 sp 20 error 4 in x.so[f00,0+1000] on CPU 1", "SIGSEGV", "x.so", 0xF00),
        ("scan[7]: segfault at 0 ip 0000000000000000 sp 00007ffe error 14", "SIGSEGV", "scan", None),
        ("traps: a[7] general protection fault ip:7f10 sp:7ffe error:0 in x.so[7f00+1000]", "SIGSEGV", "x.so", None),
        ("traps: scan[7] trap invalid opcode ip:401136 sp:7ffe error:0 in scan[401000+1000]", "SIGILL", "scan", None),
        ("traps: scan[7] trap divide error ip:401136 sp:7ffe error:0", "SIGFPE", "scan", None),
    ],
)  # fmt: skip
def test_what_kernels_say_of_processes(said, code, module, offset):
    record = the_record(read(bulk_of({**SYSLOG, "message": said}))[0])
    assert (record["code"], record["module"], record.get("module_offset")) == (code, module, offset)


def test_an_oops_is_one_crash_with_its_stack():
    lines = [{**SYSLOG, "message": f"[  12.000{n:03}] {said}"} for n, said in enumerate(OOPS)]
    elsewhere = {**SYSLOG, "fromhost": "web-2"}
    reading, answer = read(bulk_of(*lines[:6], elsewhere, *lines[6:]))
    record, other = sorted(records_in(reading), key=lambda one: str(one["host_id"]))
    assert other["host_id"] == "web-2"
    assert (record["domain"], record["code"], record["module"]) == ("kernel", "OOPS", "agent")
    assert record["tags"]["message"] == OOPS[0]
    frames = [(frame["module"], frame["function"]) for frame in record["frames"]]
    assert frames == [("agent", "read_channel"), ("agent", "scan_file"), ("kernel", "vfs_read")]
    assert reading.not_read == len(OOPS) - 1
    assert len(answer["items"]) == len(OOPS) + 1


def test_a_bug_is_told_by_where_it_is():
    lines = ["kernel BUG at mm/slub.c:305!", "invalid opcode: 0000 [#1] SMP", "RIP: 0010:kfree+0x1/0x2"]
    record = the_record(read(bulk_of(*({**SYSLOG, "message": said} for said in lines)))[0])
    assert (record["code"], record["module"]) == ("kernel BUG at mm/slub.c:305", "kernel")


def test_lines_of_one_oops_in_two_bodies_are_one_crash():
    first = the_record(read(bulk_of({**SYSLOG, "message": OOPS[2]}))[0])
    second = the_record(read(bulk_of({**SYSLOG, "message": OOPS[-1], "timereported": "2024-07-19T04:10:09Z"}))[0])
    assert first["crash_id"] == second["crash_id"]
    later = the_record(read(bulk_of({**SYSLOG, "message": OOPS[2], "timereported": "2024-07-19T04:17:09Z"}))[0])
    assert later["crash_id"] != first["crash_id"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Kernel panic - not syncing: VFS: Unable to mount root fs", "Kernel panic: VFS: Unable to mount root fs"),
        (
            "general protection fault, maybe for address 0xdead: 0000 [#1] SMP",
            "general protection fault",
        ),
        ("invalid opcode: 0000 [#2] SMP", "invalid opcode"),
        ("Oops: general protection fault, probably for address 0x1: 0000 [#1] SMP", "general protection fault"),
        ("Internal error: Oops: 96000004 [#1] PREEMPT SMP", "OOPS"),
    ],
)
def test_what_kernels_say_of_themselves(said, code):
    record = the_record(read(bulk_of({**SYSLOG, "message": said}))[0])
    assert (record["domain"], record["code"]) == ("kernel", code)


def test_a_message_of_several_lines_is_as_its_lines():
    whole = {**SYSLOG, "message": "\n".join(OOPS)}
    lines = [{**SYSLOG, "message": said} for said in OOPS]
    reading, _ = read(bulk_of(whole))
    assert the_record(reading) == the_record(read(bulk_of(*lines))[0])
    assert (reading.read, reading.not_read) == (1, 0)


def test_faults_of_processes_in_one_message_are_crashes_of_their_own():
    body = bulk_of({**SYSLOG, "message": f"{SEGFAULT}\n{SEGFAULT.replace('scan', 'other')}"})
    reading, _ = read(body)
    assert len({one["crash_id"] for one in records_in(reading)}) == reading.read == 2
    assert reading.not_read == 0
    assert records_in(reading) == records_in(read(body)[0])


def test_lines_behind_the_first_of_a_message_have_bounds(monkeypatch):
    monkeypatch.setattr(bulk, "_MOST_MORE_LINES", 3)
    below = {**SYSLOG, "message": f"a\nb\nc\n{SEGFAULT}"}
    assert read(bulk_of(below))[0].read == 1
    assert read(bulk_of(below, below))[0].read == 1
    assert read(bulk_of(below, SYSLOG))[0].read == 2
    monkeypatch.setattr(bulk, "_MOST_LINES", 3)
    assert read(bulk_of(below))[0].read == 0


def test_a_log_file_that_a_shipper_follows_is_read():
    said = f"Nov 27 11:00:00 web-1 kernel: [ 1234.5] {SEGFAULT}"
    fields = {"@timestamp": "2026-11-27T11:00:00.000Z", "host": {"name": "web-1"}, "log": {"file": {"path": "/x"}}}
    record = the_record(read(bulk_of({**fields, "message": said}))[0])
    assert (record["host_id"], record["module"], record["tags"]["comm"]) == ("web-1", "libscan.so.2", "scan")
    assert read(bulk_of({**fields, "message": said.replace("kernel", "agent")}))[0].read == 0


@pytest.mark.parametrize(
    "document",
    [
        {"message": "link is up", "fromhost": "web-1"},
        {**SYSLOG, "facility": "user", "programname": "agent"},
        {**SYSLOG, "facility": None, "syslogtag": "agent:"},
        {**SYSLOG, "message": None},
        {},
    ],
)
def test_other_documents_are_not_read(document):
    reading, answer = read(bulk_of(document))
    assert (reading.read, reading.not_read, answer["errors"]) == (0, 1, False)


@pytest.mark.parametrize(
    ("fields", "host_id"),
    [
        ({"host": {"id": "i", "name": "n"}, "hostname": "h"}, "i"),
        ({"host": {"name": "n"}}, "n"),
        ({"host": "h"}, "h"),
        ({"hostname": "h"}, "h"),
        ({"_HOSTNAME": "h", "_MACHINE_ID": "m"}, "m"),
        ({"HOST": "h", "FACILITY": "kern", "PROGRAM": "kernel"}, "h"),
        ({"host": ["h"]}, None),
        # Of a relay, whose own name stands beside that of the syslog header: Beats, older Logstash.
        ({"host": {"id": "i", "name": "relay"}, "log": {"syslog": {"hostname": "h"}}}, "h"),
        ({"host": {"id": "i", "name": "relay"}, "syslog": {"facility": 0}, "hostname": "h"}, "h"),
        ({"host": "10.0.0.1", "logsource": "h"}, "h"),
        ({"host": {"id": "i", "name": "H.example.com"}, "log": {"syslog": {"hostname": "h"}}}, "i"),
        ({"host": {"id": "i", "hostname": "h"}, "syslog": {"facility": 0}, "hostname": "h"}, "i"),
    ],
)
def test_the_host_is_where_each_shipper_puts_it(fields, host_id):
    document = {"message": SEGFAULT, "@timestamp": "2024-07-19T04:10:02.5", **fields}
    record = the_record(read(bulk_of(document))[0])
    assert (record.get("host_id"), record["occurred_at"]) == (host_id, "2024-07-19T04:10:02.5Z")
    del document["@timestamp"]
    record = the_record(read(bulk_of(document))[0])
    assert (record["occurred_at"], record["time_quality"]) == (NOW_TEXT, "received")


def test_a_document_with_record_is_a_record_as_it_is():
    reading, _ = read(bulk_of({"record": "host", **SOUND["host"]}, action={"create": {}}))
    assert the_record(reading) == {"record": "host", **SOUND["host"]}


def test_a_core_dump_of_a_journal_is_a_crash_as_at_its_own_door():
    records, _ = journal_records(entry(COREDUMP))
    assert the_record(read(bulk_of(COREDUMP))[0]) == records[0]
    by_vector = {"message" if key == "MESSAGE" else key: one for key, one in COREDUMP.items()}
    assert the_record(read(bulk_of({**by_vector, "COREDUMP_CWD": None}))[0]) == records[0]


def test_a_core_dump_that_filebeat_brings_is_a_crash_as_at_the_journals_own_door():
    records, _ = journal_records(entry(COREDUMP))
    reading, _ = read(bulk_of(DUMPED, {**DUMPED, "message_id": "another"}))
    assert the_record(reading) == records[0]
    assert reading.not_read == 1


def test_what_another_program_than_the_kernel_prints_is_not_the_kernels():
    assert read(bulk_of(KERNEL))[0].read == 1
    assert read(bulk_of({**KERNEL, "syslog": {"identifier": "agent"}, "process": {"pid": 1}}))[0].read == 0


@pytest.mark.parametrize("name", FORMS)
def test_events_of_windows_are_the_crashes_that_load_finds(name):
    (crash,) = crashes_of(EVENT_ROWS, json.dumps(FORMS[name]).encode())
    reading, answer = read(bulk_of(OTHER_EVENT, FORMS[name]))
    assert the_record(reading) == crash
    assert (reading.not_read, answer["errors"], len(answer["items"])) == (1, False, 2)


def test_events_of_one_crash_of_windows_are_one_and_the_fields_may_name_the_host():
    reading, _ = read(bulk_of(*({**one, "host_id": "h1"} for one in (POWER, BUGCHECK))))
    record = the_record(reading)
    assert (record["host_id"], record["domain"], record["code"]) == ("h1", "kernel", "0x50")
    assert (record["time_quality"], record["tags"]["dump"]) == ("reboot", "MEMORY.DMP")
    assert (reading.read, reading.not_read) == (1, 1)
    alone = the_record(read(bulk_of(BUGCHECK))[0])
    assert (alone["host_id"], alone["os_type"]) == ("pc-17", "windows")


def test_the_clients_id_makes_a_resend_the_same_crash():
    named = {"index": {"_index": "syslog", "_id": "x7"}}
    first, later = ({**SYSLOG, "seen": n} for n in range(2))
    ids = [the_record(read(bulk_of(one, action=named))[0])["crash_id"] for one in (first, later)]
    assert ids[0] == ids[1] != the_record(read(bulk_of(first))[0])["crash_id"]


def test_each_action_has_its_item_in_order_and_a_bad_one_its_error():
    body = (
        bulk_of(SYSLOG)
        + b'{"index":{"_id":"a"}}\nnonsense\n'
        + b'{"delete":{"_id":"b"}}\n'
        + b'{"update":{"_id":"c"}}\n{"doc":{}}\n'
        + b"no action\n\n"
        + b'{"create":{"_id":"d"}}\n' + line("crash") + b"\n"
        + b'{"index":{"_id":"e"}}\n'
    )  # fmt: skip
    reading, answer = read(body)
    items = [(action, one["_id"], one["status"]) for item in answer["items"] for action, one in item.items()]
    assert [item[:1] + item[2:] for item in items[:1]] == [("index", 201)]
    assert items[1:] == [
        ("index", "a", 400), ("delete", "b", 400), ("update", "c", 400), ("index", None, 400), ("create", "d", 201),
        ("index", "e", 400),
    ]  # fmt: skip
    assert answer["errors"] is True
    assert bytes(reading.lines).count(b"nonsense") == bytes(reading.lines).count(b"no action") == 1
    assert reading.read == 4


def test_shippers_that_look_for_a_text_find_it():
    assert b'"errors":false,"items":[' in read(bulk_of(SYSLOG))[0].reply


def test_nothing_is_answered_with_nothing():
    assert read(b"\n")[1] == {"took": 0, "errors": False, "items": []}


def test_actions_and_documents_have_bounds(monkeypatch):
    monkeypatch.setattr(bulk, "_MOST_ACTIONS", 10)
    assert read(b"7\n" * 10)[0].read == 10
    with pytest.raises(Unfit, match="actions"):
        read(b"7\n" * 11)
    with pytest.raises(Unfit, match="more than 100 bytes"):
        bulk.read(bytearray(bulk_of({"message": "x" * 100})), asked(document_bytes=100))


LINES = st.sampled_from([SEGFAULT, *OOPS]) | st.text(max_size=30)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a machine that others use
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["message", "host", "facility", "@timestamp", "time"]), anything() | LINES)
    )
)
def test_no_document_breaks_the_door(documents):
    reading, answer = read(bulk_of(*documents))
    assert reading.read + reading.not_read == len(documents) == len(answer["items"])


@given(
    st.lists(
        st.sampled_from([b'{"index":{}}', b'{"index":7}', b"{}", b"[]", b'{"record":1}', b"\xff", b" "])
        | st.binary(max_size=9)
    )
)
def test_no_lines_break_the_door(lines):
    assert read_or_refused(bulk.read, b"\n".join(lines), asked()) is not None
