"""A replay over HTTP: what reaches the lake is what was recorded, whatever the collector answers on the way."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import replaying
from commands.replaying import NotTaken, Sender, collecting, receiving
from fleetcrash.store import Lake
from ingest.load import append_tables
from sample_data.replay import replay
from sample_data.sample import SAMPLE, opening_of

BOOKKEEPING = {"batch_id", "sequence", "source", "line"}


def rows(lake: Lake, table: str) -> list[str]:
    found = [row for file in lake.files(table) for row in pq.read_table(file.path).to_pylist()]
    return sorted(repr({key: row[key] for key in sorted(row.keys() - BOOKKEEPING)}) for row in found)


def test_what_goes_over_http_is_in_the_lake_as_if_it_had_been_loaded(tmp_path):
    start = opening_of(SAMPLE)
    _, tables = next(replay(SAMPLE, start, step=timedelta(minutes=14)))
    assert set(tables) == {"update", "install", "session", "crash"}
    loaded, collected = Lake.create(tmp_path / "loaded"), Lake.create(tmp_path / "collected")
    append_tables(loaded, tables, batch_id="x", source="x", now=datetime.now(UTC))
    with collecting(collected) as port:
        sender = Sender(port)
        sent = sender.send(tables, "replay-1")
        assert sender.send(tables, "replay-1") == sent == sum(table.num_rows for table in tables.values())
    for kind in tables:
        assert rows(collected, kind) == rows(loaded, kind)


def test_times_maps_and_lists_are_as_the_contract_has_them():
    table = pa.table(
        {
            "crash_id": ["c1"],
            "occurred_at": [datetime(2024, 7, 19, 4, 9, tzinfo=UTC)],
            "content": pa.array([[("291", "32")]], pa.map_(pa.string(), pa.string())),
            "frames": [[{"module": "a.sys", "function": None, "offset": 7}]],
            "tags": pa.nulls(1),
        }
    )
    assert [json.loads(line) for line in replaying.ndjson({"crash": table}).splitlines()] == [
        {
            "record": "crash",
            "crash_id": "c1",
            "occurred_at": "2024-07-19T04:09:00Z",
            "content": {"291": "32"},
            "frames": [{"module": "a.sys", "function": None, "offset": 7}],
        }
    ]


@pytest.fixture
def collector() -> Iterator[tuple[int, list[int], list[str]]]:
    """A port, the statuses that it will answer, and the keys that came."""
    statuses: list[int] = []
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            keys.append(self.headers["Idempotency-Key"])
            self.rfile.read(int(self.headers["Content-Length"]))
            status = statuses.pop(0)
            if not status:
                return  # the line is cut without an answer
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(b'{"read": 1}')

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield int(server.server_address[1]), statuses, keys
        server.shutdown()
        serving.join()


def test_what_is_not_taken_is_sent_again_under_its_key(collector, monkeypatch):
    monkeypatch.setattr(replaying, "_PAUSE_S", 0.0)
    port, statuses, keys = collector
    statuses += [429, 0, 503, 202]
    assert Sender(port).send({"host": pa.table({"host_id": ["h"]})}, "replay-7") == 1
    assert keys == ["replay-7"] * 4


def test_what_is_refused_or_never_answered_ends_the_replay_in_one_line(collector, monkeypatch):
    port, statuses, _ = collector
    statuses += [400]
    with pytest.raises(NotTaken, match=r"\(HTTP 400: "):
        Sender(port).send({}, "replay-1")
    monkeypatch.setattr(replaying, "_GIVES_UP_AFTER_S", -1.0)
    statuses += [0]
    with pytest.raises(NotTaken, match=r"\(no answer: "):
        Sender(port).send({}, "replay-1")


def test_the_webhook_hands_on_what_is_json_and_refuses_the_rest():
    told: list[dict[str, Any]] = []
    with receiving(told.append) as address:
        with urllib.request.urlopen(address, data=b'{"alert": "inc-1"}') as answer:
            assert answer.status == 204
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            urllib.request.urlopen(address, data=b"no JSON")
        refused.value.close()
        for size in ("²", "9" * 5000, str(1 << 30)):
            asked = urllib.request.Request(address, data=b"{}", headers={"Content-Length": size})
            with pytest.raises(urllib.error.HTTPError, match="411") as refused:
                urllib.request.urlopen(asked)
            refused.value.close()
    assert told == [{"alert": "inc-1"}]
