"""Dumps at Sentry's door: the event that comes with one, in each of its three ways."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.collector.doors import minidump_upload, sentry_minidump
from ingest.collector.doors.door import Reading
from ingest.collector.refusal import Refusal
from tests.ingest.collector.doors.conftest import asked, broken, read_or_refused, the_record
from tests.ingest.collector.doors.test_minidump import dump, form
from tests.ingest.collector.doors.test_sentry import EVENT_ID

DUMP = dump()
# As sentry-native keeps it beside a program, for crashpad to send.
NATIVE = {
    "event_id": f"{EVENT_ID[:8]}-{EVENT_ID[8:12]}-{EVENT_ID[12:16]}-{EVENT_ID[16:20]}-{EVENT_ID[20:]}",
    "level": "fatal",
    "platform": "native",
    "release": "agent@7.11.18110",
    "tags": {"host_id": "h1", "site": "ZRH"},
    "contexts": {"os": {"name": "Windows", "version": "10.0.22631", "build": "3880"}},
    "user": {"id": "0c9ab5a0"},
    "extra": {"secret": "no"},
}


def upload(fields: dict[str, str], packed: bytes | None = None, data: bytes | None = DUMP) -> Reading:
    body, content_type = form(fields, data)
    if packed is not None:
        head = b'--x-1\r\nContent-Disposition: form-data; name="__sentry-event"; filename="__sentry-event"\r\n'
        body = head + b"Content-Type: application/octet-stream\r\n\r\n" + packed + b"\r\n" + body
    return sentry_minidump.read(bytearray(body), asked(content_type))


def test_a_native_programs_event_and_its_dump_are_one_crash():
    reading = upload({"guid": "c1", "ver": "1.0"}, msgspec.msgpack.encode(NATIVE))
    assert (reading.reply, reading.reply_type) == (EVENT_ID.encode(), "text/plain")
    record = the_record(reading)
    assert (record["crash_id"], record["host_id"], record["agent_version"]) == (EVENT_ID, "h1", "7.11.18110")
    assert (record["os_type"], record["os_version"], record["os_build"]) == ("windows", "10.0.22631", "3880")
    assert (record["code"], record["module"], record["module_offset"]) == ("0xc0000005", "csagent.dll", 0x1234)
    assert record["occurred_at"] == "2024-07-19T04:10:02Z"
    assert (record["tags"]["site"], record["tags"]["guid"]) == ("ZRH", "c1")
    (kept,) = reading.dumps
    assert (kept.crash_id, kept.host_id, kept.data) == (EVENT_ID, "h1", DUMP)
    assert kept.form == {"guid": "c1", "ver": "1.0"}


@pytest.mark.parametrize(
    "fields",
    [
        {"sentry": json.dumps({"release": "agent@7.11.18110", "tags": {"host_id": "h1", "site": "ZRH"}})},
        {"sentry": json.dumps({"release": "agent@7.11.18110", "tags": [["host_id", "h1"], ["site", "ZRH"]]})},
        {"sentry[release]": "agent@7.11.18110", "sentry[tags][host_id]": "h1", "sentry[tags][site]": "ZRH"},
        {"ver": "7.11.18110", "host_id": "h1", "site": "ZRH"},
    ],
)
def test_crashpads_annotations_may_hold_the_event(fields):
    record = the_record(upload(fields))
    assert (record["host_id"], record["agent_version"], record["tags"]["site"]) == ("h1", "7.11.18110", "ZRH")
    assert not [name for name in record["tags"] if name.startswith("sentry")]


def test_without_a_host_the_user_is_one_and_then_crashpads_installation():
    assert the_record(upload({"guid": "c1", "sentry[user][id]": "u1"}))["host_id"] == "u1"
    assert the_record(upload({"guid": "c1"}))["host_id"] == "c1"
    told = the_record(upload({}, data=dump(report_id=bytes(range(1, 17)))))
    assert told["host_id"] == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert told["crash_id"] == "0403020106050807090a0b0c0d0e0f10", "crashpad's id of the report"


def test_dumps_of_two_hosts_with_the_same_bytes_are_two_crashes():
    first, second = (the_record(upload({"sentry[tags][host_id]": host}))["crash_id"] for host in ("h1", "h2"))
    assert first == the_record(upload({"sentry": json.dumps({"tags": {"host_id": "h1"}})}))["crash_id"] != second
    body, content_type = form({"host_id": "h1"}, DUMP)
    assert first == the_record(minidump_upload.read(bytearray(body), asked(content_type)))["crash_id"], "at any door"


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/x-dmp", "Application/X-DMP; a=b"])
def test_a_body_may_be_the_dump_itself(kind):
    data = dump(report_id=bytes(range(1, 17)))
    reading = sentry_minidump.read(bytearray(data), asked(kind))
    record = the_record(reading)
    assert (record["host_id"], record["module"]) == ("03020100-0504-0706-0809-0a0b0c0d0e0f", "csagent.dll")
    assert reading.reply == record["crash_id"].encode() == b"0403020106050807090a0b0c0d0e0f10"
    assert [one.data for one in reading.dumps] == [data]
    with pytest.raises(Refusal) as refused:
        sentry_minidump.read(bytearray(b"MDMP"), asked(kind))
    assert refused.value.code == "bad_minidump"


def test_a_dump_that_a_running_program_asked_for_is_no_crash():
    reading = upload({}, msgspec.msgpack.encode(NATIVE), dump(code=0x0517A7ED))
    assert (reading.read, reading.not_read, reading.dumps, reading.reply) == (0, 1, (), EVENT_ID.encode())


def test_without_a_dump_there_is_nothing_to_keep():
    with pytest.raises(Refusal) as refused:
        upload({}, msgspec.msgpack.encode(NATIVE), None)
    assert refused.value.code == "bad_minidump"


@given(st.binary(max_size=40) | broken(NATIVE).map(msgspec.msgpack.encode), st.text(max_size=20))
def test_a_crash_is_kept_whatever_its_event_is(packed: bytes, said: Any):
    body, content_type = form({"sentry": said, "sentry[a][b]": said, "sentry[a]": said, "sentry[a][b][c]": said}, DUMP)
    head = b'--x-1\r\nContent-Disposition: form-data; name="__sentry-event"; filename="e"\r\n\r\n'
    reading = read_or_refused(sentry_minidump.read, head + packed + b"\r\n" + body, asked(content_type))
    assert reading is not None
    assert (reading.read, len(reading.dumps)) == (1, 1)
