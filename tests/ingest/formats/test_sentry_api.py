"""Events as Sentry's API tells them: the same crashes as of what the client sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.sentry import SENTRY_EVENT
from ingest.formats.sentry_api import SENTRY_API as FORMAT
from tests.ingest.collector.doors.test_sentry import EVENT, HANDLED
from tests.ingest.formats.conftest import crashes_before_damage, crashes_of, head
from tests.ingest.formats.damage import changed, survives

NATIVE: dict[str, Any] = {
    "event_id": "0b7a1c2d3e4f5a6b7c8d9e0f1a2b3c4d",
    "timestamp": "2024-07-19T04:10:02Z",
    "platform": "native",
    "level": "fatal",
    "contexts": {"os": {"name": "Linux", "version": "6.1"}, "device": {"id": "d8"}},
    "debug_meta": {"images": [{"code_file": "/opt/librelay.so", "image_addr": "0x1000", "image_size": 4096}]},
    "exception": {
        "values": [
            {
                "type": "SIGSEGV",
                "mechanism": {"handled": False},
                "stacktrace": {"frames": [{"instruction_addr": "0x1010"}]},
            }
        ]
    },
}
_CAMEL = {"in_app": "inApp", "abs_path": "absPath", "instruction_addr": "instructionAddr"}


def api(sent: dict[str, Any]) -> dict[str, Any]:
    """An event as the API would tell it."""
    values = [
        {
            **one,
            "stacktrace": {
                "frames": [
                    {_CAMEL.get(name, name): said for name, said in frame.items()}
                    for frame in one.get("stacktrace", {}).get("frames", [])
                ]
            },
        }
        for one in sent["exception"]["values"]
    ]
    told = {
        name: said
        for name, said in sent.items()
        if name not in ("event_id", "timestamp", "exception", "tags", "level", "server_name", "debug_meta")
    }
    tags = {"level": sent["level"], "server_name": sent.get("server_name"), **sent.get("tags", {})}
    release = sent.get("release")
    return {
        "id": sent["event_id"], "groupID": "7", "eventID": sent["event_id"], "projectID": "1", "type": "error",
        "dateCreated": "2024-07-19T04:10:02Z", "dateReceived": "2024-07-19T04:10:03Z",
        **told,
        "release": {"version": release, "shortVersion": release} if release else None,
        "tags": [{"key": name, "value": said} for name, said in tags.items() if said],
        "entries": [
            {"type": "exception", "data": {"values": values}},
            {"type": "debugmeta", "data": sent.get("debug_meta", {})},
            {"type": "breadcrumbs", "data": {"values": [{"message": "geheim"}]}},
        ],
    }  # fmt: skip


@pytest.mark.parametrize("sent", [{**EVENT, "timestamp": "2024-07-19T04:10:02Z"}, NATIVE])
def test_it_is_the_same_crash_as_of_what_the_client_sent(sent):
    (told,) = crashes_of(SENTRY_EVENT, json.dumps(sent).encode())
    (found,) = crashes_of(FORMAT, json.dumps(api(sent)).encode())
    extra = {"level": sent["level"]} | ({"server_name": sent["server_name"]} if "server_name" in sent else {})
    assert found == {**told, "tags": {**told["tags"], **extra}}


def test_many_events_are_read_and_what_ended_nothing_is_no_crash():
    events = [api(NATIVE), api(HANDLED), api(EVENT), {"eventID": "x"}, "y"]
    data = json.dumps(events).encode()
    assert FORMAT.recognises(head(data))
    found = crashes_of(FORMAT, data)
    assert [one["code"] for one in found] == ["SIGSEGV", "TypeError"]
    assert "geheim" not in str(found)
    assert "ann@example.com" not in str(found)


def test_an_answer_without_events_is_said():
    for data in (b'{"detail": "not found", "eventID": ', b"[]", b'{"detail": "x"}'):
        assert crashes_before_damage(FORMAT, data)[1].code == "bad_sentry_event"


@pytest.mark.parametrize(
    "data", [b"", json.dumps(EVENT).encode(), b'{"eventID": "7", "name": "x"}', b'{"record": "crash"}']
)
def test_others_are_not(data):
    assert not FORMAT.recognises(head(data))


@given(st.binary(max_size=300) | changed(json.dumps(api(EVENT)).encode()))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "data", "values", "entries", "tags", "key", "value", "stacktrace", "frames", "release"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_document_breaks_it(document):
    held = document if isinstance(document, dict) else {"entries": document}
    survives(FORMAT, json.dumps({**held, "eventID": "x", "level": "fatal"}).encode())
