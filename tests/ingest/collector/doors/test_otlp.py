"""OpenTelemetry's door: which log records are crashes, in protobuf and in JSON alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from ingest.collector.doors import otlp as door
from ingest.collector.doors.door import Reading
from ingest.formats import crashes, otlp
from ingest.formats.crashes import Unfit
from tests.ingest.collector.doors.conftest import NOW_TEXT, asked, broken, read_or_refused, records_in, the_record

PROTOBUF, JSON = "application/x-protobuf", "application/json; charset=utf-8"
STACK = 'Traceback (most recent call last):\n  File "/srv/agent/main.py", line 9, in run\nValueError: x\n'


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    def value(one: Any) -> dict[str, Any]:
        if isinstance(one, bool):
            return {"boolValue": one}
        return {"stringValue": one} if isinstance(one, str) else {"intValue": str(one)}

    return [{"key": key, "value": value(one)} for key, one in attributes.items()]


RESOURCE = {
    "host.id": "h1",
    "os.type": "linux",
    "os.version": "6.1",
    "os.build_id": "6.1.0-9",
    "service.version": "7.11.2",
}
CRASH = {"exception.type": "ValueError", "exception.message": "x", "exception.stacktrace": STACK, "thread.id": 7}


def export(attributes: dict[str, Any], *, resource: dict[str, Any] = RESOURCE, **record: Any) -> dict[str, Any]:
    """An export of one log record, as OTLP's JSON."""
    log = {"timeUnixNano": "1721362202250000000", "severityNumber": 21, "attributes": pairs(attributes), **record}
    scope = {"scopeLogs": [{"logRecords": [log]}]}
    return {"resourceLogs": [{"resource": {"attributes": pairs(resource)}, **scope}]}


def read(document: Any, how: str = JSON) -> Reading:
    if how == JSON:
        return door.read(bytearray(json.dumps(document).encode()), asked(JSON))
    message = json_format.ParseDict(document, ExportLogsServiceRequest())
    return door.read(bytearray(message.SerializeToString()), asked(PROTOBUF))


@pytest.mark.parametrize("how", [PROTOBUF, JSON])
def test_a_fatal_exception_is_a_crash(how):
    document = export(CRASH, severityText="FATAL", body={"stringValue": "gone"})
    record = the_record(read(document, how))
    crash_id = record.pop("crash_id")
    assert record == {
        "record": "crash",
        "host_id": "h1",
        "occurred_at": "2024-07-19T04:10:02.250000Z",
        "os_type": "linux",
        "os_version": "6.1",
        "os_build": "6.1.0-9",
        "agent_version": "7.11.2",
        "domain": "user",
        "code": "ValueError",
        "module": "agent/main.py",
        "frames": [{"module": "agent/main.py", "function": "run", "offset": None}],
        "tags": {
            "severity": "FATAL",
            "body": "gone",
            "host.id": "h1",
            "os.type": "linux",
            "os.version": "6.1",
            "os.build_id": "6.1.0-9",
            "service.version": "7.11.2",
            "exception.type": "ValueError",
            "exception.message": "x",
            "thread.id": "7",
        },
    }
    assert crash_id == the_record(read(document, how))["crash_id"]
    assert crash_id != the_record(read(export({**CRASH, "thread.id": 8}), how))["crash_id"]


@pytest.mark.parametrize("how", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("attributes", "record", "is_crash"),
    [
        (CRASH, {"severityNumber": 17}, False),
        (CRASH, {"severityNumber": 0}, False),
        (CRASH, {"severityNumber": 0, "severityText": "fatal"}, True),
        (CRASH, {"severityNumber": "SEVERITY_NUMBER_FATAL2"}, True),
        ({**CRASH, "exception.escaped": True}, {"severityNumber": 17}, True),
        ({**CRASH, "exception.escaped": False}, {"severityNumber": 17}, False),
        ({"exception.stacktrace": STACK}, {}, True),
        ({"exception.message": "x"}, {}, False),
        ({}, {}, False),
        ({}, {"eventName": "app.crash", "severityNumber": 9}, True),
        ({"event.name": "device.crash"}, {"severityNumber": 9}, True),
        ({}, {"eventName": "app.jank"}, False),
    ],
)
def test_what_did_not_end_anything_is_no_crash(how, attributes, record, is_crash):
    reading = read(export(attributes, **record), how)
    assert (reading.read, reading.not_read) == (int(is_crash), int(not is_crash))


@pytest.mark.parametrize("how", [PROTOBUF, JSON])
def test_the_record_says_more_than_its_resource(how):
    reporter = {"host.id": "reporter", "host.name": "web-1", "os.type": "windows"}
    crash = {**CRASH, "host.id": "h9", "os.type": "darwin", "app.crash.id": "c7", "user.email": "ann@example.com"}
    record = the_record(read(export(crash, resource=reporter), how))
    assert (record["crash_id"], record["host_id"], record["os_type"]) == ("c7", "h9", "darwin")
    assert "user.email" not in record["tags"]


@pytest.mark.parametrize(
    ("resource", "host_id"),
    [
        ({"host.id": "a", "device.id": "b", "app.installation.id": "c", "host.name": "d"}, "a"),
        ({"device.id": "b", "app.installation.id": "c", "host.name": "d"}, "b"),
        ({"app.installation.id": "c", "host.name": "d"}, "c"),
        ({"host.name": "d"}, "d"),
        ({}, None),
    ],
)
def test_the_host_is_told_by_the_surest_name(resource, host_id):
    record = the_record(read(export(CRASH, resource=resource)))
    assert record.get("host_id") == host_id
    assert record["os_type"] == "linux", "by the paths of the stack"


def test_a_record_that_tells_no_time_was_when_it_was_seen_or_came():
    seen = export(CRASH, timeUnixNano="0", observedTimeUnixNano=1721362202000000000)
    assert the_record(read(seen))["occurred_at"] == "2024-07-19T04:10:02Z"
    record = the_record(read(export(CRASH, timeUnixNano=None)))
    assert (record["occurred_at"], record["time_quality"]) == (NOW_TEXT, "received")


@pytest.mark.parametrize("how", [PROTOBUF, JSON])
def test_the_answer_is_in_the_senders_encoding(how):
    reading = read(export(CRASH), how)
    answer = ExportLogsServiceResponse()
    if how == JSON:
        assert reading.reply_type == "application/json"
        json_format.Parse(reading.reply, answer)
    else:
        assert reading.reply_type == PROTOBUF
        answer.ParseFromString(reading.reply)
    assert not answer.partial_success.rejected_log_records


def test_what_is_no_log_record_is_put_aside_and_told():
    document = export(CRASH)
    logs = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    logs += [None, ["x"]]
    reading = read(document)
    assert [type(record).__name__ for record in records_in(reading)] == ["dict", "NoneType", "list"]
    answer = json_format.Parse(reading.reply, ExportLogsServiceResponse())
    assert answer.partial_success.rejected_log_records == 2
    assert answer.partial_success.error_message


@pytest.mark.parametrize("how", [PROTOBUF, JSON])
@pytest.mark.parametrize("place", ["resource", "record"])
def test_a_text_in_another_encoding_holds_up_no_crash_of_the_export(how, place):
    document = export(CRASH, resource=RESOURCE | {"process.owner": "LATIN1" if place == "resource" else "anna"})
    logs = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    logs.append({**logs[0], "timeUnixNano": "1721362203250000000"})
    if place == "record":
        logs[0]["body"] = {"stringValue": "LATIN1"}
    said = json.dumps(document).encode()
    if how == PROTOBUF:
        said = json_format.Parse(said, ExportLogsServiceRequest()).SerializeToString()
    body = said.replace(b"LATIN1", b"Andr\xe9!")
    reading = door.read(bytearray(body), asked(how))
    assert [record["occurred_at"][17:19] for record in records_in(reading)] == ["02", "03"]
    if place == "record":
        assert records_in(reading)[0]["tags"]["body"] == ("Andr?!" if how == PROTOBUF else "Andr\ufffd!")


def test_a_log_record_that_cannot_be_read_is_put_aside_and_the_others_count():
    document = export(CRASH)
    logs = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    logs += [{"body": {"stringValue": "LATIN1"}}, {**logs[0], "timeUnixNano": "1721362203250000000"}]
    message = json_format.ParseDict(document, ExportLogsServiceRequest()).SerializeToString()
    body = message.replace(b"\x0a\x06LATIN1", b"\x0f\x06LATIN1")  # no kind of field
    reading = door.read(bytearray(body), asked(PROTOBUF))
    good = [line for line in reading.lines.splitlines() if line.startswith(b"{")]
    assert (reading.read, len(good)) == (3, 2)
    answer = ExportLogsServiceResponse.FromString(reading.reply)
    assert answer.partial_success.rejected_log_records == 1
    assert answer.partial_success.error_message


def test_snake_case_is_understood_as_protobuf_does():
    document = export(CRASH)
    snake = json.loads(
        json.dumps(document)
        .replace("resourceLogs", "resource_logs").replace("scopeLogs", "scope_logs")
        .replace("logRecords", "log_records").replace("timeUnixNano", "time_unix_nano")
        .replace("severityNumber", "severity_number")
    )  # fmt: skip
    assert records_in(read(snake)) == records_in(read(document))


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000, b"7"])
def test_what_is_no_export_is_refused(body):
    with pytest.raises(Unfit, match="no export") as refused:
        door.read(bytearray(body), asked(JSON))
    assert not refused.value.is_too_large


@pytest.mark.parametrize("body", [b"\xff", b"\xff" * 20, b"\x0a\x05abc", b"\x0b", b"\x09abc", b"\x0a" * 1000])
def test_what_is_no_message_is_refused(body):
    with pytest.raises(Unfit, match="no export"):
        door.read(bytearray(body), asked(PROTOBUF))


def test_large_exports_are_refused():
    with pytest.raises(Unfit, match="more than 100 bytes"):
        door.read(bytearray(101), asked(PROTOBUF, document_bytes=100))


@pytest.mark.parametrize("how", [PROTOBUF, JSON])
def test_log_records_have_a_bound_and_so_have_their_attributes(how, monkeypatch):
    document = export(CRASH, resource={f"a{n}": n for n in range(200)})
    assert len(the_record(read(document, how))["tags"]) == 64
    monkeypatch.setattr(otlp, "_MOST_PARTS", 10)
    logs = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    logs += logs * 2
    assert read(document, how).read == 3
    logs += [{}] * 8
    with pytest.raises(Unfit, match="more than 10 parts"):
        read(document, how)
    logs[:] = [{"body": {"stringValue": "x" * (1 << 20)}}]
    if how == PROTOBUF:
        with pytest.raises(Unfit, match="more than 1,048,576 bytes"):
            read(document, how)


def test_what_many_crashes_share_is_bounded(monkeypatch):
    monkeypatch.setattr(crashes, "_MOST_BYTES", 10_000)
    document = export(CRASH, resource={"shared": "x" * 1000})
    logs = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    logs *= 20
    with pytest.raises(Unfit, match="as records, have more than 10,000 bytes") as refused:
        read(document)
    assert refused.value.is_too_large


@given(broken(export(CRASH)))
def test_no_document_breaks_the_door(document):
    reading = read_or_refused(door.read, json.dumps(document).encode(), asked(JSON))
    assert reading is not None or not isinstance(document, dict)


@given(st.binary(max_size=100))
def test_no_bytes_break_the_door(body):
    read_or_refused(door.read, body, asked(JSON))
    read_or_refused(door.read, body, asked(PROTOBUF))


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_no_damage_to_a_message_breaks_the_door(place, damage):
    body = bytearray(json_format.ParseDict(export(CRASH), ExportLogsServiceRequest()).SerializeToString())
    body[place : place + len(damage)] = damage
    read_or_refused(door.read, body, asked(PROTOBUF))
