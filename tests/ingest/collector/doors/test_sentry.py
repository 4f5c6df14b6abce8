"""Sentry's door: which events are crashes, what becomes of them, and that no envelope breaks it."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.collector.doors import sentry
from ingest.formats.crashes import Unfit
from tests.ingest.collector.doors.conftest import (
    NOW_TEXT,
    anything,
    asked,
    broken,
    read_or_refused,
    records_in,
    the_record,
)

EVENT_ID = "9ec79c33ec9942ab8353589fcb2e04dc"
EVENT: dict[str, Any] = {
    "event_id": EVENT_ID,
    "timestamp": 1721362202.25,
    "platform": "node",
    "level": "error",
    "release": "agent@7.11.18110+3",
    "dist": "14",
    "server_name": "web-1",
    "user": {"id": "u7", "email": "ann@example.com"},
    "tags": {"rack": "r7"},
    "contexts": {"os": {"name": "Windows", "version": "10.0.22631", "build": "22631.3880"}, "device": {"id": "d7"}},
    "exception": {
        "values": [
            {"type": "IOError", "value": "no disk", "stacktrace": {"frames": [{"module": "io", "function": "open"}]}},
            {
                "type": "TypeError",
                "value": "x is null",
                "mechanism": {"type": "onerror", "handled": False},
                "stacktrace": {
                    "frames": [
                        {"module": "main", "function": "run", "in_app": True, "abs_path": "C:\\app\\main.js"},
                        {"module": "agent.scan", "function": "scan", "in_app": True},
                        {"filename": "node:fs", "function": "read", "in_app": False},
                    ]
                },
            },
        ]
    },
}


def envelope(*items: tuple[dict[str, Any], bytes], **header: Any) -> bytearray:
    """An envelope; items get no length unless they say one."""
    lines = [json.dumps({"event_id": EVENT_ID, **header}).encode()]
    for item, payload in items:
        lines += [json.dumps(item).encode(), payload]
    return bytearray(b"\n".join(lines) + b"\n")


def of_event(event: Any, **header: Any) -> bytearray:
    return envelope(({"type": "event"}, json.dumps(event).encode()), **header)


def test_an_unhandled_exception_is_a_crash():
    reading = sentry.read_envelope(of_event(EVENT), asked())
    assert json.loads(reading.reply) == {"id": EVENT_ID}
    assert the_record(reading) == {
        "record": "crash",
        "crash_id": EVENT_ID,
        "host_id": "d7",
        "occurred_at": "2024-07-19T04:10:02.250000Z",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "os_build": "22631.3880",
        "agent_version": "7.11.18110+3",
        "domain": "user",
        "code": "TypeError",
        "module": "agent.scan",
        "frames": [
            {"module": "node:fs", "function": "read", "offset": None},
            {"module": "agent.scan", "function": "scan", "offset": None},
            {"module": "main", "function": "run", "offset": None},
        ],
        "tags": {
            "level": "error",
            "message": "x is null",
            "release": "agent@7.11.18110+3",
            "dist": "14",
            "platform": "node",
            "mechanism": "onerror",
            "os_name": "Windows",
            "rack": "r7",
        },
    }


HANDLED = {**EVENT, "exception": {"values": [{"type": "E", "mechanism": {"handled": True}}]}}
MESSAGE = {"event_id": EVENT_ID, "message": "disk is nearly full", "level": "error"}


@pytest.mark.parametrize(
    ("event", "is_crash"),
    [
        (HANDLED, False),
        ({**HANDLED, "level": "fatal"}, True),
        (MESSAGE, False),
        ({**MESSAGE, "level": "fatal"}, True),
        ({**MESSAGE, "level": 50}, True),  # raven for Python
        ({**MESSAGE, "level": "critical"}, True),
        ({**MESSAGE, "level": 40}, False),
        ({**MESSAGE, "level": ["fatal"]}, False),
        ({**EVENT, "exception": EVENT["exception"]["values"]}, True),
        ({**EVENT, "exception": EVENT["exception"]["values"][1]}, True),
        ({**EVENT, "exception": {"values": None}}, False),
        ({**EVENT, "type": "transaction"}, False),
    ],
)
def test_what_did_not_end_anything_is_no_crash(event, is_crash):
    for reading in (
        sentry.read_envelope(of_event(event), asked()),
        sentry.read_store(bytearray(json.dumps(event).encode()), asked()),
    ):
        assert (reading.read, reading.not_read) == (int(is_crash), int(not is_crash))
        assert json.loads(reading.reply) == {"id": EVENT_ID}


def test_an_old_clients_event_may_be_packed_in_text():
    packed = base64.b64encode(zlib.compress(json.dumps(EVENT).encode()))
    plain = the_record(sentry.read_store(bytearray(json.dumps(EVENT).encode()), asked()))
    assert the_record(sentry.read_store(bytearray(packed), asked())) == plain
    with pytest.raises(Unfit) as large:
        sentry.read_store(bytearray(base64.b64encode(zlib.compress(bytes(100_000)))), asked(document_bytes=50_000))
    assert large.value.is_too_large
    cut = sentry.read_store(bytearray(packed[:-20]), asked())
    assert (cut.read, bytes(cut.lines)) == (1, packed[:-20] + b"\n"), "for the rules"


def test_other_items_are_not_read_with_a_length_or_without():
    payload = json.dumps(EVENT, indent=1).encode()
    body = envelope(
        ({"type": "session"}, b'{"sid":"1"}'),
        ({"type": "attachment", "length": 9, "filename": "a.txt"}, b"two\nlines"),
        ({"type": "event", "length": len(payload)}, payload),
        ({"type": "log", "length": 2}, b"{}"),
    )
    reading = sentry.read_envelope(body, asked())
    assert (the_record(reading)["crash_id"], reading.not_read) == (EVENT_ID, 3)


@pytest.mark.parametrize(
    ("left_out", "host_id"),
    [
        ((), "d7"),
        (("contexts",), "web-1"),
        (("contexts", "server_name"), "u7"),
        (("contexts", "server_name", "user"), None),
    ],
)
def test_the_host_is_the_device_the_server_or_the_user_in_that_order(left_out, host_id):
    event = {key: value for key, value in EVENT.items() if key not in left_out}
    assert the_record(sentry.read_envelope(of_event(event), asked())).get("host_id") == host_id
    explicit = {**event, "tags": [["host_id", "h1"], ["bad"]]}
    assert the_record(sentry.read_envelope(of_event(explicit), asked()))["host_id"] == "h1"


@pytest.mark.parametrize(
    ("name", "path", "os_type"),
    [
        ("Windows", None, "windows"),
        ("Mac OS X", None, "darwin"),
        ("iOS", None, "darwin"),
        ("Debian GNU/Linux", None, "linux"),
        ("Android", None, "linux"),
        ("Acme Linux", None, "linux"),
        ("FreeBSD", "/usr/x.py", "FreeBSD"),
        (None, "C:\\x.py", "windows"),
        (None, "/Users/ann/x.py", "darwin"),
        (None, "/srv/x.py", "linux"),
        (None, "x.py", None),
        (None, None, None),
    ],
)
def test_the_system_is_told_by_its_name_or_else_by_paths(name, path, os_type):
    frames = {"stacktrace": {"frames": [{"abs_path": path}]}}
    event = {**EVENT, "contexts": {"os": {"name": name}}, "level": "fatal", "exception": {"type": "E", **frames}}
    assert the_record(sentry.read_envelope(of_event(event), asked())).get("os_type") == os_type


@pytest.mark.parametrize(
    ("platform", "file", "os_type"),
    [
        ("node", "/srv/agent/main.js", "linux"),
        ("node", "C:\\agent\\main.js", "windows"),
        ("node", "internal/timers.js", None),
        ("csharp", "/_/src/Sync.cs", None),
    ],
)
def test_the_system_of_an_older_node_sdk_is_told_by_files(platform, file, os_type):
    thrown = {"type": "E", "mechanism": {"handled": False}, "stacktrace": {"frames": [{"filename": file}]}}
    event = {"event_id": EVENT_ID, "platform": platform, "server_name": "s1", "exception": {"values": [thrown]}}
    assert the_record(sentry.read_envelope(of_event(event), asked())).get("os_type") == os_type


@pytest.mark.parametrize(
    ("described", "os_type"),
    [
        ("Microsoft Windows 10.0.19045", "windows"),
        ("Windows 11  (10.0.22631) 64bit", "windows"),
        ("Darwin 23.1.0 Darwin Kernel Version 23.1.0", "darwin"),
        ("Mac OS X 14.5.0", "darwin"),
        ("Ubuntu 22.04.5 LTS", "linux"),
        ("Android OS 14 / API-34 (UP1A.231005.007/S911BXXS3)", "linux"),
        ("FreeBSD 14.1-RELEASE", "FreeBSD 14.1-RELEASE"),
        ("Unix 6.8.0.45", "linux"),  # by the path
        ("  ", "linux"),
    ],
)
def test_a_system_without_a_name_is_told_by_its_description_before_any_path(described, os_type):
    frames = {"stacktrace": {"frames": [{"abs_path": "/_/src/Sync.cs"}]}}  # where a build machine had it
    system = {"raw_description": described}
    event = {**EVENT, "contexts": {"os": system}, "level": "fatal", "exception": {"type": "E", **frames}}
    record = the_record(sentry.read_envelope(of_event(event), asked()))
    assert (record["os_type"], record["tags"].get("os_name")) == (os_type, described.strip() or None)
    named = {**event, "contexts": {"os": {**system, "name": "Windows"}}}
    assert the_record(sentry.read_envelope(of_event(named), asked()))["os_type"] == "windows"


@pytest.mark.parametrize(
    ("described", "version", "build"),
    [
        ("Microsoft Windows 10.0.22631", "10.0.22631", "22631"),
        ("Microsoft Windows NT 6.3.9600.0", "6.3.9600", "9600"),
        ("Windows 11  (10.0.22631) 64bit", "10.0.22631", "22631"),
        ("Mac OS X 14.5.0", "14.5.0", None),
        ("Mac OS X 14.5.0 (23F79)", "14.5.0", "23F79"),
        ("iOS 17.5.1", "17.5.1", None),
        ("Android OS 14 / API-34 (UP1A.231005.007/S911BXXS3)", "14", None),
        ("Linux 6.8 Ubuntu 22.04 64bit", "22.04", None),
        ("Linux 5.15.0-1 #1 SMP", None, None),  # of the kernel
        ("Darwin 23.1.0 Darwin Kernel Version 23.1.0", None, None),
    ],
)
def test_the_version_of_a_system_without_a_name_is_told_by_its_description(described, version, build):
    event = {**EVENT, "contexts": {"os": {"raw_description": described}}}
    record = the_record(sentry.read_envelope(of_event(event), asked()))
    assert (record.get("os_version"), record.get("os_build")) == (version, build)
    told = {**event, "contexts": {"os": {"raw_description": described, "version": "7", "build": "x"}}}
    record = the_record(sentry.read_envelope(of_event(told), asked()))
    assert (record["os_version"], record["os_build"]) == ("7", "x")


@pytest.mark.parametrize(
    ("platform", "headers", "os_type"),
    [
        ("javascript", {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/150.0"}, "windows"),
        ("javascript", [["user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0"]], "linux"),
        ("javascript", {"User-Agent": "Mozilla/5.0 (Linux; Android 16) Chrome/150.0"}, "linux"),
        ("javascript", {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X)"}, "darwin"),
        ("javascript", {"User-Agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"}, "darwin"),
        ("javascript", {"User-Agent": 7}, None),
        ("javascript", 7, None),
        ("python", {"User-Agent": "Mozilla/5.0 (Windows NT 10.0)"}, None),  # of who asked the server for something
    ],
)
def test_the_system_of_a_page_is_its_browsers(platform, headers, os_type):
    event = {
        **EVENT, "contexts": {}, "level": "fatal", "exception": {"type": "E"}, "platform": platform,
        "request": {"headers": headers},
    }  # fmt: skip
    assert the_record(sentry.read_envelope(of_event(event), asked())).get("os_type") == os_type


@pytest.mark.parametrize(
    ("mechanism", "domain"),
    [
        ("AppExitInfo", "hang"),
        ("HistoricalAppExitInfo", "hang"),
        ("ANR", "hang"),
        ("UncaughtExceptionHandler", "user"),
        (None, "user"),
    ],
)
def test_an_app_that_did_not_respond_hung(mechanism, domain):
    thrown = {"type": "ApplicationNotResponding", "mechanism": {"type": mechanism, "handled": False}}
    event = {**EVENT, "contexts": {"os": {"name": "Android"}}, "exception": {"values": [thrown]}}
    assert the_record(sentry.read_envelope(of_event(event), asked()))["domain"] == domain


def test_what_is_wrong_with_a_crash_is_left_for_the_rules_to_say():
    event = {**EVENT, "timestamp": "yesterday", "server_name": ["web"], "contexts": 7, "user": None, "tags": "x"}
    record = the_record(sentry.read_envelope(of_event(event), asked()))
    assert record["occurred_at"] == "yesterday"
    assert "host_id" not in record
    assert record["os_type"] == "windows", "by a path"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"logentry": {"message": "%s is gone", "formatted": "disk is gone", "params": ["disk"]}}, "disk is gone"),
        ({"logentry": {"message": "disk is gone"}}, "disk is gone"),
        ({"logentry": {"message": "%s is gone", "params": ["disk"]}}, "%s is gone"),
        ({"message": "disk is gone"}, "disk is gone"),
    ],
)
def test_the_message_of_a_fatal_log_entry_is_kept(said, message):
    event = {"event_id": EVENT_ID, "level": "fatal", "server_name": "web-1", **said}
    assert the_record(sentry.read_envelope(of_event(event), asked()))["tags"]["message"] == message


def test_halves_of_characters_in_a_message_cost_no_crash():
    event = {**EVENT, "level": "fatal", "exception": None, "message": "broken \ud83d", "environment": "a\x00b"}
    record = the_record(sentry.read_envelope(of_event(event), asked()))
    assert (record["tags"]["message"], record["tags"]["environment"]) == ("broken \ufffd", "ab")
    named = the_record(sentry.read_envelope(of_event({**event, "tags": {"host_id": "h\ud83d"}}), asked()))
    assert named["host_id"] == "h\ufffd", "of a tag"


def test_a_crash_that_tells_no_time_is_of_its_arrival():
    event = {key: value for key, value in EVENT.items() if key != "timestamp"}
    record = the_record(sentry.read_envelope(of_event(event), asked()))
    assert (record["occurred_at"], record["time_quality"]) == (NOW_TEXT, "received")


@pytest.mark.parametrize("payload", [b'{"exception', b"[1]", b"null", b"\xff\xfe", b"[" * 100_000, b"1" * 5000])
def test_an_event_that_is_none_is_handed_on_as_it_came(payload):
    for reading in (
        sentry.read_envelope(envelope(({"type": "event", "length": len(payload)}, payload)), asked()),
        sentry.read_store(bytearray(payload), asked()),
    ):
        assert (bytes(reading.lines), reading.read) == (payload + b"\n", 1)


def test_lengths_that_lie_lose_nothing():
    payload = json.dumps(EVENT).encode()
    for length in (len(payload) + 1, 10**15, -1, "7", None, True, [1]):
        reading = sentry.read_envelope(envelope(({"type": "event", "length": length}, payload)), asked())
        assert the_record(reading)["crash_id"] == EVENT_ID
    short = sentry.read_envelope(envelope(({"type": "event", "length": 20}, payload)), asked())
    assert set(bytes(short.lines).splitlines()) == {payload[:20], payload[20:]}, "neither of which is a record"


def test_an_event_has_the_id_of_its_envelope_or_one_of_its_own_making():
    nameless = {key: value for key, value in EVENT.items() if key != "event_id"}
    dashed = "9EC79C33-EC99-42AB-8353-589FCB2E04DC"
    assert the_record(sentry.read_envelope(of_event(nameless, event_id=dashed), asked()))["crash_id"] == EVENT_ID
    made = [sentry.read_envelope(of_event(nameless, event_id=None), asked()) for _ in range(2)]
    assert the_record(made[0])["crash_id"] == the_record(made[1])["crash_id"] == json.loads(made[0].reply)["id"]


@pytest.mark.parametrize("body", [b"", b"\n", b"[]\n", b"nonsense", b"\xff", b"{" * 70_000])
def test_what_does_not_begin_as_an_envelope_is_refused(body):
    with pytest.raises(Unfit, match="does not begin with a JSON object") as refused:
        sentry.read_envelope(bytearray(body), asked())
    assert not refused.value.is_too_large


def test_large_events_and_many_items_are_refused():
    with pytest.raises(Unfit, match="more than 100 bytes"):
        sentry.read_envelope(of_event(EVENT), asked(document_bytes=100))
    with pytest.raises(Unfit, match="items"):
        sentry.read_envelope(envelope(*[({"type": "session"}, b"{}")] * 1001), asked())


@given(broken(EVENT), st.booleans())
@example({**EVENT, "timestamp": float("nan"), "level": "fatal"}, True)
@example({**EVENT, "timestamp": [[[]]]}, False)
def test_no_event_breaks_the_doors(event, is_in_envelope):
    text = json.dumps(event).encode()
    body = of_event(event) if is_in_envelope else text
    reading = read_or_refused(sentry.read_envelope if is_in_envelope else sentry.read_store, body, asked())
    assert reading is not None
    if isinstance(event, dict) and reading.read:
        assert {"record", "crash_id"} <= set(records_in(reading)[0])
    assert reading.read + reading.not_read == 1


@given(st.lists(st.tuples(anything(), st.binary(max_size=30)), max_size=4), st.binary(max_size=20))
def test_no_envelope_breaks_the_door(items, tail):
    body = b"{}\n" + b"".join(json.dumps(header).encode() + b"\n" + payload + b"\n" for header, payload in items) + tail
    assert read_or_refused(sentry.read_envelope, body, asked()) is not None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_doors(body):
    read_or_refused(sentry.read_envelope, body, asked())
    read_or_refused(sentry.read_store, body, asked())
    assert sentry.token_in(bytearray(body)) is None


def test_the_token_is_found_in_the_dsn():
    assert sentry.token_in(of_event(EVENT, dsn="https://fc_7@collector.example:8510/1")) == "fc_7"
    dsns: tuple[Any, ...] = (None, 7, "", "https://collector.example/1", "http://[", [])
    for dsn in dsns:
        assert sentry.token_in(of_event(EVENT, dsn=dsn)) is None
