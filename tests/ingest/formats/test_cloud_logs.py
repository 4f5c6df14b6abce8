"""Logs as people take them out of a cloud's store: what a process printed is a crash, in whatever list it stands."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import cloud_logs
from ingest.formats.cloud_logs import CLOUD_LOG
from ingest.formats.containers import DOCKER_LOG
from ingest.formats.crashes import Unfit
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import TOLD, crashes_before_damage, crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.test_containers import GO, JAVA, NODE, PYTHON

AT = "2024-07-19T04:10:02"
MS = 1721362202000
NODE_OF = {"compute.googleapis.com/resource_name": "gke-1-pool-a"}


def google(texts: list[str]) -> list[Any]:
    """Entries as Google's ``logging read --format=json`` prints them, which has the newest first."""
    labels = {"pod_name": "relay-0", "container_name": "relay", "namespace_name": "default"}
    return [
        {"insertId": f"i{number}", "labels": NODE_OF, "logName": "projects/acme/logs/stderr", "severity": "ERROR",
         "resource": {"labels": labels, "type": "k8s_container"}, "textPayload": said,
         "timestamp": f"{AT}.{number:09d}Z"}
        for number, said in enumerate(texts)
    ]  # fmt: skip


def newest_first(texts: list[str]) -> list[Any]:
    """See ``google``."""
    return google(texts)[::-1]


def amazon(texts: list[str], **outer: Any) -> dict[str, Any]:
    """What ``aws logs filter-log-events`` prints."""
    events = [
        {"logStreamName": "i-0123456789abcdef0", "timestamp": MS + number, "message": said, "ingestionTime": MS + 900,
         "eventId": f"38{number}"}
        for number, said in enumerate(texts)
    ]  # fmt: skip
    return {"events": events, "searchedLogStreams": [], **outer}


def of_a_stream(texts: list[str]) -> dict[str, Any]:
    """What ``aws logs get-log-events`` prints."""
    events = [
        {name: one[name] for name in ("timestamp", "message", "ingestionTime")} for one in amazon(texts)["events"]
    ]
    return {"events": events, "nextForwardToken": "f/3[", "nextBackwardToken": "b/3"}


def subscribed(texts: list[str]) -> dict[str, Any]:
    """What Amazon sends to those who subscribe to a log."""
    events = [{"id": f"38{at}", "timestamp": MS + at, "message": said} for at, said in enumerate(texts)]
    return {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "/relay", "logStream": "s", "logEvents": events}


def insights(texts: list[str]) -> dict[str, Any]:
    """What ``aws logs get-query-results`` prints."""
    named = [{"@timestamp": f"{AT.replace('T', ' ')}.{at:03d}", "@message": said} for at, said in enumerate(texts)]
    rows = [[{"field": name, "value": value} for name, value in one.items()] for one in named]
    return {"results": rows, "statistics": {"recordsMatched": 9.0}, "status": "Complete"}


def azure(texts: list[str]) -> dict[str, Any]:
    """What the API of Azure's Log Analytics answers."""
    names = ("TenantId", "TimeGenerated", "Computer", "PodName", "LogMessage")
    rows = [["t", f"{AT}.{at:03d}Z", "aks-1", "relay-0", said] for at, said in enumerate(texts)]
    columns = [{"name": name, "type": "string"} for name in names]
    return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}


def azures_objects(texts: list[str]) -> list[Any]:
    """What ``az monitor log-analytics query`` prints."""
    return [
        {"Computer": "aks-1", "ContainerID": "1f", "LogEntry": said, "TableName": "PrimaryResult",
         "TimeGenerated": f"{AT}.{number:03d}Z"}
        for number, said in enumerate(texts)
    ]  # fmt: skip


def loki(texts: list[str]) -> dict[str, Any]:
    """What Loki answers."""
    values = [[f"{MS}{at:06d}", said] for at, said in enumerate(texts)]
    stream = {"stream": {"pod": "relay-0", "node_name": "node-1"}, "values": values}
    return {"status": "success", "data": {"resultType": "streams", "result": [stream]}}


def elastic(texts: list[str]) -> dict[str, Any]:
    """What a search of Elasticsearch answers."""
    hits = [
        {"_index": "logs", "_id": str(at), "_source": {"@timestamp": f"{AT}.{at:03d}Z", "message": said,
         "host": {"name": "web-1"}}}
        for at, said in enumerate(texts)
    ]  # fmt: skip
    return {"took": 3, "hits": {"total": {"value": 9}, "hits": hits}}


def datadog(texts: list[str]) -> dict[str, Any]:
    """What a search of Datadog's logs answers."""
    told = [{"timestamp": f"{AT}.{at:03d}Z", "host": "web-1", "message": said} for at, said in enumerate(texts)]
    return {"data": [{"id": "a", "type": "log", "attributes": one} for one in told], "meta": {"status": "done"}}


def splunk(texts: list[str]) -> dict[str, Any]:
    """What a search of Splunk answers."""
    told = [{"_time": f"{AT}.{at:03d}+00:00", "host": "web-1", "_raw": said} for at, said in enumerate(texts)]
    return {"preview": False, "results": told}


STORES: dict[str, tuple[Callable[[list[str]], Any], str]] = {
    "google": (google, "gke-1-pool-a"), "newest first": (newest_first, "gke-1-pool-a"),
    "amazon": (amazon, "i-0123456789abcdef0"), "a stream": (of_a_stream, "h-told"),
    "subscribed": (subscribed, "h-told"), "insights": (insights, "h-told"), "azure": (azure, "aks-1"),
    "azure's objects": (azures_objects, "aks-1"), "loki": (loki, "node-1"), "elastic": (elastic, "web-1"),
    "datadog": (datadog, "web-1"), "splunk": (splunk, "web-1"),
}  # fmt: skip
PRINTED = {"java": JAVA, "node": NODE, "go": GO, "python": PYTHON}


@pytest.mark.parametrize("printed", PRINTED)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("store", STORES)
def test_a_line_an_entry_and_all_in_one_say_the_same(store: str, indent: int | None, printed: str) -> None:
    form, host = STORES[store]
    texts = ["listening", *PRINTED[printed].splitlines()]
    lines = json.dumps(form(texts), indent=indent).encode()
    assert format_of(head(lines)) is CLOUD_LOG
    (crash,) = crashes_of(CLOUD_LOG, lines, block_bytes=100)
    (other,) = crashes_of(CLOUD_LOG, json.dumps(form(["listening", PRINTED[printed]]), indent=indent).encode())
    assert crash["host_id"] == host
    assert crash["time_quality"] == "log"
    assert crash["occurred_at"].replace(" ", "T").startswith(AT)
    assert len(crash["frames"]) >= 2
    for field in ("host_id", "code", "frames", "domain"):
        assert crash[field] == other[field]


@pytest.mark.parametrize(
    "form",
    [
        lambda said: json.dumps(google([said])[0]),
        lambda said: json.dumps(amazon([said])["events"][0]),
        lambda said: json.dumps({"labels": {"pod": "relay-0"}, "line": said, "timestamp": f"{AT}Z"}),
    ],
)
def test_an_entry_a_line_may_hold_a_whole_report(form):
    data = "".join(form(said) + "\n" for said in ("listening", JAVA, "listening")).encode()
    assert format_of(head(data)) is DOCKER_LOG
    (crash,) = crashes_of(DOCKER_LOG, data)
    assert (crash["code"], crash["occurred_at"][:19]) == ("java.lang.IllegalStateException", AT)


def test_what_a_program_logged_as_an_object_is_read_where_google_says_it():
    (entry,) = google(["x"])
    del entry["textPayload"]
    data = json.dumps([{**entry, "jsonPayload": {"message": JAVA}}]).encode()
    (crash,) = crashes_of(CLOUD_LOG, data)
    assert crash["code"] == "java.lang.IllegalStateException"


def test_pages_of_a_list_may_stand_one_behind_the_other():
    pages = json.dumps(amazon(JAVA.splitlines()), indent=1) + "\n" + json.dumps(amazon(GO.splitlines(), nextToken="x"))
    found = crashes_of(CLOUD_LOG, pages.encode(), block_bytes=50)
    assert [crash["code"] for crash in found] == ["java.lang.IllegalStateException", "panic"]


def test_a_list_that_breaks_off_gives_what_is_whole():
    data = json.dumps(google([*JAVA.splitlines(), "listening"])).encode()
    found, damage = crashes_before_damage(CLOUD_LOG, data[:-20])
    assert [crash["code"] for crash in found] == ["java.lang.IllegalStateException"]
    assert damage.code == "bad_log"


def test_entries_that_are_no_json_are_left_to_the_rules():
    good = json.dumps(google(JAVA.splitlines()))
    found = crashes_of(CLOUD_LOG, (good[:-1] + ', {"torn": tru}]').encode())
    assert [one for one in found if isinstance(one, bytes)] == [b'{"torn": tru}']
    assert len(found) == 2


def test_lines_that_say_no_exception_end_no_traceback():
    texts = [*PYTHON.splitlines()[:1], "listening"]
    assert crashes_of(CLOUD_LOG, json.dumps(google(texts)).encode()) == []


@pytest.mark.parametrize(
    "other",
    [
        [], {}, [1], [{"timestamp": AT, "message": "x"}], {"events": [{"name": "x", "timestamp": MS}]},
        {"rows": [{"path": "/x"}]}, {"tables": [{"rows": [["x"]]}]}, {"hits": [{"_source": {"message": "x"}}]},
        {"result": [{"stream": {}, "values": [["x"]]}]}, [[1, 2], [3]], {"results": [["a", "b"]]},
    ],
)  # fmt: skip
def test_other_documents_are_none(other):
    for indent in (None, 1):
        assert format_of(head(json.dumps(other, indent=indent).encode())) is not CLOUD_LOG


@given(st.binary(max_size=300) | changed(json.dumps(azure(JAVA.splitlines())).encode())
       | changed(json.dumps(newest_first(PYTHON.splitlines())).encode()))  # fmt: skip
def test_no_bytes_break_it(data):
    survives(CLOUD_LOG, data)


@pytest.mark.variants
@pytest.mark.parametrize(
    "part",
    [b'{"a": "' + b"\\" * 999, b"[" * 1000, b"\\" * 1001, b'"' * 999, b'[{"' * 300, b'{"x": 1}, ' * 100,
     json.dumps(google(["x"])[0]).encode() + b", "],
)  # fmt: skip
def test_memory_is_bounded_whatever_comes(part, monkeypatch):
    monkeypatch.setattr(cloud_logs, "_MOST_HELD_BYTES", 1 << 20)
    monkeypatch.setattr(cloud_logs, "_LONGEST_ELEMENT_BYTES", 1 << 20)
    block = part * (200_000 // len(part))
    start = json.dumps(google(JAVA.splitlines())).encode()[:-1] + b", "
    tracemalloc.start()
    with pytest.raises(Unfit, match=r"breaks off|nested"):
        for _ in CLOUD_LOG.read(iter([start, *[block] * 2]), TOLD):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 << 20, "bytes"
