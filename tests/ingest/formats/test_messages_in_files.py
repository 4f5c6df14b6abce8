"""Sentry's events and OpenTelemetry's exports that lie in files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.known import format_of
from ingest.formats.otlp import OTLP_FILE
from ingest.formats.sentry import SENTRY_ENVELOPE, SENTRY_EVENT
from tests.ingest.collector.doors.test_otlp import CRASH, export
from tests.ingest.collector.doors.test_sentry import EVENT, EVENT_ID, of_event
from tests.ingest.conftest import line
from tests.ingest.formats.conftest import TOLD, crashes_before_damage, crashes_of, head


def test_an_envelope_in_a_file():
    data = bytes(of_event(EVENT))
    assert format_of(head(data)) is SENTRY_ENVELOPE
    (crash,) = crashes_of(SENTRY_ENVELOPE, data)
    assert crash["crash_id"] == EVENT_ID


@pytest.mark.parametrize("indent", [None, 2])
def test_an_event_as_sentrys_page_offers_it(indent):
    data = json.dumps(EVENT, indent=indent).encode()
    assert format_of(head(data)) is SENTRY_EVENT
    (crash,) = crashes_of(SENTRY_EVENT, data)
    assert crash["crash_id"] == EVENT_ID
    assert crashes_of(SENTRY_EVENT, json.dumps({**EVENT, "level": "info", "exception": None}).encode()) == []


def test_an_export_a_line_and_one_over_many():
    one = export(CRASH)
    lines = (json.dumps(one) + "\n\n" + json.dumps(export({**CRASH, "timeUnixNano": "1721362203000000000"}))).encode()
    assert format_of(head(lines)) is OTLP_FILE
    found = crashes_of(OTLP_FILE, lines, block_bytes=100)
    pretty = json.dumps(one, indent=2).encode()
    glued = lines.replace(b"\n", b"")
    assert format_of(head(glued)) is OTLP_FILE
    assert crashes_of(OTLP_FILE, glued, block_bytes=100) == found
    assert format_of(head(pretty)) is OTLP_FILE
    assert crashes_of(OTLP_FILE, pretty, block_bytes=100) == found[:1]
    assert len({crash["crash_id"] for crash in found}) == 2


def test_a_broken_export_is_left_to_the_rules_and_the_others_are_read():
    good = json.dumps(export(CRASH)).encode()
    lines = b"".join(bytes(one.lines) for one in OTLP_FILE.read(iter([good + b"\n{cut\n" + good]), TOLD)).splitlines()
    assert len(lines) == 3
    assert lines[1] == b"{cut"
    found, damage = crashes_before_damage(OTLP_FILE, good[:-3])
    assert (found, damage.code) == ([], "bad_otlp")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", line("crash"), b'{"event_id": 1}\n', b'{"dsn": ""}\n{"length": 3}\nabc', b'{"event_id": "a", "b": 1}'],
)
def test_other_files_are_none(data):
    assert format_of(head(data)) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_looks(data):
    for form in (OTLP_FILE, SENTRY_ENVELOPE, SENTRY_EVENT):
        form.recognises(head(data))
        form.recognises(head(b'{"event_id": "x", "sdk": ' + data))


def test_no_tag_tells_of_people():
    told = [["user", "id:7"], ["user.email", "rita@example.org"], ["sentry:user", "rita"], ["url", "https://x/?key=geheim"],
            ["username", "rita"], ["customer", "acme"], ["userland", "9"]]  # fmt: skip
    (crash,) = crashes_of(SENTRY_EVENT, json.dumps({**EVENT, "tags": told, "user": {"email": "rita@x"}}).encode())
    assert "rita" not in json.dumps(crash)
    assert "geheim" not in json.dumps(crash)
    assert (crash["tags"]["customer"], crash["tags"]["userland"], "user" in crash["tags"]) == ("acme", "9", False)
    (crash,) = crashes_of(OTLP_FILE, json.dumps(export({**CRASH, "process.owner": "rita"})).encode())
    assert "rita" not in json.dumps(crash)
