"""Heads of requests that HTTP lets pass: bounded, of one length and one key, and by the path of a whole URL."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fleetcrash.store import Lake
from ingest.collector.heads import LONGEST_HEAD_BYTES
from tests.ingest.collector.conftest import PATIENCE_S, Client, serving
from tests.ingest.conftest import line

LINE = line("crash")


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[Client]:
    """A collector that several tests send to."""
    with serving(Lake.create(tmp_path_factory.mktemp("heads") / "lake")) as one:
        yield one


def said_to(client: Client, data: bytes) -> tuple[int, Any]:
    """The answer to some bytes, after which the collector must close the connection: its status and its document."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        plain.sendall(data)
        answer = b"".join(iter(lambda: plain.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head[9:12]), json.loads(body)


def posted(*headers: bytes, target: bytes = b"/v1/records", body: bytes = LINE) -> bytes:
    """A request, with the length of its body."""
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([b"POST %b HTTP/1.1" % target, b"Host: x", length, *headers, b"", body])


def test_a_head_has_at_most_as_many_bytes_as_are_told(client):
    close, name = b"Connection: close", b"X-Long: "
    room = LONGEST_HEAD_BYTES - len(posted(close, name, body=b"")) - len(b"%d" % len(LINE)) + 1
    assert said_to(client, posted(close, name + b"x" * room))[0] == 202
    status, document = said_to(client, posted(close, name + b"x" * (room + 1)))
    assert (status, document["error"]["code"]) == (400, "bad_request")
    assert f"{LONGEST_HEAD_BYTES + 1:,} bytes; at most 65,536" in document["error"]["message"]


def test_two_lengths_are_turned_away_and_the_connection_is_closed(client):
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(LINE), LINE)
    status, document = said_to(client, posted(b"Transfer-Encoding: chunked", body=body))
    assert (status, document["error"]["code"]) == (400, "bad_request")
    assert "other" in client.get("/metrics").document


@pytest.mark.parametrize("before", [b"http://x", b"HTTP://127.0.0.1:8510", b"https://[::1]:80"])
def test_a_target_may_be_the_whole_url(client, before):
    status, document = said_to(client, posted(b"Connection: close", target=before + b"/v1/records"))
    assert (status, document["read"]) == (202, 1)
    assert said_to(client, posted(b"Connection: close", target=before))[0] == 405  # of /


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_who_would_rather_speak_another_protocol_is_answered_and_nothing_is_logged(client, protocol, caplog):
    wish = (b"Connection: Upgrade, HTTP2-Settings, close", b"Upgrade: " + protocol, b"HTTP2-Settings: AAMAAABkAAQ")
    assert said_to(client, posted(*wish))[0] == 202
    assert caplog.text == ""


def test_of_two_keys_neither_counts_and_one_that_is_said_twice_is_one(client):
    close, one = b"Connection: close", b"Idempotency-Key: one"
    status, document = said_to(client, posted(close, one, b"Idempotency-Key: two"))
    assert (status, document["error"]["code"]) == (400, "bad_key")
    assert said_to(client, posted(close, one, one))[0] == 202
