"""Node's own reports: those of which the process ended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Unfit
from ingest.formats.known import format_of
from ingest.formats.node_report import NODE_REPORT
from tests.ingest.formats.conftest import crashes_of, head


def report(trigger: str = "Exception", **more: Any) -> bytes:
    header = {
        "event": "exception", "trigger": trigger, "filename": "report.20250720.json",
        "dumpEventTime": "2025-07-20T10:26:40Z", "dumpEventTimeStamp": "1753000000123", "processId": 42,
        "commandLine": ["node", "/home/ann/queue.js"], "nodejsVersion": "v22.1.0", "arch": "x64", "platform": "linux",
        "osRelease": "6.8.0-31-generic", "host": "web-1",
    }  # fmt: skip
    script = {
        "message": "QueueError: queue is full",
        "stack": ["at push (/home/ann/queue.js:3:7)", "at Object.<anonymous> (/srv/main.js:6:1)"],
    }
    native = [
        {"pc": "0x0000000000b02930", "symbol": "node::Abort() [node]"},
        {"pc": "0x0000000000cdd16e", "symbol": "relay::push+123"},
        {"pc": "0x0000000000cdd26e", "symbol": ""},
        7,
    ]
    environment = {"environmentVariables": {"SECRET": "squeamish"}}
    return json.dumps(
        {"header": header | more, "javascriptStack": script, "nativeStack": native, **environment}
    ).encode()


def test_an_exception_has_the_stack_of_the_script():
    assert format_of(head(report())) is NODE_REPORT
    (crash,) = crashes_of(NODE_REPORT, report())
    assert (crash["code"], crash["host_id"], crash["os_type"]) == ("QueueError", "web-1", "linux")
    assert crash["occurred_at"] == "2025-07-20T08:26:40.123000Z"
    assert [frame["function"] for frame in crash["frames"]] == ["push", "Object.<anonymous>"]
    assert "squeamish" not in str(crash)
    assert "ann" not in str(crash)


def test_of_a_fatal_error_the_native_stack_counts():
    (crash,) = crashes_of(NODE_REPORT, report("FatalError", event="Allocation failed", platform="win32"))
    assert (crash["code"], crash["os_type"], crash["module"]) == ("Allocation failed", "windows", "node")
    assert [frame.get("function") for frame in crash["frames"]] == ["node::Abort()", "relay::push", None, None]


@pytest.mark.parametrize("trigger", ["Signal", "GetReport", "API"])
def test_what_somebody_asked_for_is_no_crash(trigger):
    assert crashes_of(NODE_REPORT, report(trigger)) == []


def test_what_is_cut_is_no_report():
    assert format_of(head(report()[:400])) is NODE_REPORT
    with pytest.raises(Unfit):
        crashes_of(NODE_REPORT, report()[:400])


@given(st.recursive(st.none() | st.text() | st.integers(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_no_document_breaks_it(document):
    whole = {
        "header": {"trigger": "FatalError", "host": document},
        "javascriptStack": document,
        "nativeStack": document,
    }
    assert len(crashes_of(NODE_REPORT, json.dumps(whole).encode())) == 1
