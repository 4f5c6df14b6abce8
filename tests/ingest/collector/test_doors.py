"""What a sender is told: the contract's answers and errors, whatever comes, and none harms the next request."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.store import Lake
from ingest.collector import bodies, server
from ingest.collector.addresses import sender_of
from ingest.collector.limits import Limits
from ingest.collector.server import tls_of
from ingest.collector.tokens import FILE, Tokens
from tests.ingest.collector.conftest import NDJSON, PATIENCE_S, Client, booked, crash_ids, crashes, serving, until
from tests.ingest.conftest import line

NOW = datetime(2026, 11, 25, tzinfo=UTC)
SMALL = Limits(body_bytes=100_000, body_lines=5_000, commit_every_s=0.02)
LINE = line("crash") + b"\n"
COUNTS = ("accepted", "duplicates", "quarantined")


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def bomb() -> bytes:
    """A gzip of 8 MiB in 8 KiB."""
    packer = zlib.compressobj(wbits=31)
    block = bytes(1 << 20)
    return b"".join([packer.compress(block) for _ in range(8)] + [packer.flush()])


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[Client]:
    """A collector that several tests send to."""
    with serving(Lake.create(tmp_path_factory.mktemp("doors") / "lake"), limits=SMALL) as one:
        yield one


def test_a_batch_is_acknowledged_with_a_name_and_what_is_known_of_it(client):
    answer = client.post(LINE + b"\n \t\r\n" + b"nonsense\n" + line("host"))
    assert answer.status == 202
    assert list(answer.document) == ["read", *COUNTS, "batch_id"]
    assert answer.document["read"] == 3, "blank lines are not read"
    assert answer.document["batch_id"] != client.post(LINE).document["batch_id"]


@pytest.mark.parametrize("body", [b"", b"\n\n", b" \t\r\n", b"\xef\xbb\xbf"])
def test_nothing_is_acknowledged_as_nothing(client, body):
    answer = client.post(body)
    assert (answer.status, answer.document["read"]) == (202, 0)
    assert [answer.document[name] for name in COUNTS] == [0, 0, 0]


# A frame with a window of 16 MiB, and one block as it is, which is the last.
FAR_BACK = b"\x28\xb5\x2f\xfd\x00\x70" + (len(LINE) << 3 | 1).to_bytes(3, "little") + LINE

REFUSED = {
    "gzip cut short": (400, gzip.compress(LINE * 50)[:-9], {"Content_Encoding": "gzip"}),
    "gzip without an end": (400, gzip.compress(LINE * 50)[:-1], {"Content_Encoding": "gzip"}),
    "gzip of nothing": (400, b"", {"Content_Encoding": "gzip"}),
    "no gzip": (400, LINE, {"Content_Encoding": "gzip"}),
    "gzip and more": (400, gzip.compress(LINE) + LINE, {"Content_Encoding": "gzip"}),
    "gzip with another sum": (400, gzip.compress(LINE)[:-8] + bytes(8), {"Content_Encoding": "gzip"}),
    "zstd cut short": (400, zstd(LINE * 50)[:-3], {"Content_Encoding": "zstd"}),
    "zstd of nothing": (400, b"", {"Content_Encoding": "zstd"}),
    "no zstd": (400, LINE, {"Content_Encoding": "zstd"}),
    "zstd that looks 16 MiB back": (400, FAR_BACK, {"Content_Encoding": "zstd"}),
    "a key without end": (400, LINE, {"Idempotency_Key": "k" * 256}),
    "a gzip bomb": (413, bomb(), {"Content_Encoding": "gzip"}),
    "a zstd bomb": (413, zstd(bytes(8 << 20)), {"Content_Encoding": "zstd"}),
    "a large body": (413, LINE * 1000, {}),
    "a large body in chunks": (413, [LINE] * 1000, {}),
    "one long line": (413, b'{"record":"' + b"x" * 8_000_000, {}),
    "lines without end": (413, b"\n" * 5_001, {}),
    "a list": (400, b" \n[" + LINE.strip() + b"]", {"Content_Type": "application/json"}),
    "an object of several lines": (400, b'{\r\n  "record": "crash"\r\n}', {"Content_Type": "application/json"}),
    "a form": (415, LINE, {"Content_Type": "application/x-www-form-urlencoded"}),
    "a page": (415, LINE, {"Content_Type": "text/html"}),
    "another charset": (415, LINE, {"Content_Type": "application/x-ndjson; charset=utf-16"}),
    "an unknown encoding": (415, LINE, {"Content_Encoding": "br"}),
    "two encodings": (415, LINE, {"Content_Encoding": "gzip, zstd"}),
    "no such door": (404, LINE, {"path": "/v2/records"}),
    "a slash too many": (404, LINE, {"path": "/v1/records/"}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_taken_is_said_in_json_and_harms_nobody(client, what):
    status, body, headers = REFUSED[what]
    answer = client.post(body, **headers)
    assert answer.status == status
    assert answer.code
    assert client.post(LINE).status == 202


def test_a_door_of_another_method_says_which(client):
    answer = client.ask("GET", "/v1/records", None, {})
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", "POST")


CHUNKED = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        bytes(range(256)) * 4,
        CHUNKED + b"no number\r\n",
        CHUNKED + b"3\r\n{}\n more than three",
    ],
)
def test_what_is_no_http_is_told_so_in_json(client, said):
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        plain.sendall(said)
        answer = b"".join(iter(lambda: plain.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_request"
    assert client.post(LINE).status == 202


def test_who_asks_before_sending_is_refused_before_sending(client):
    head = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 999999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        plain.sendall(head)
        answer = b"".join(iter(lambda: plain.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")


WHOLE = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"


@pytest.mark.parametrize("requests", [1, 3])
@pytest.mark.parametrize("rest", [b"", WHOLE % (len(LINE) + 1, LINE), b"POST /v1"])
def test_a_sender_that_shuts_its_side_has_its_answers(client, requests, rest):
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        plain.sendall(WHOLE % (len(LINE), LINE) * requests + rest)
        plain.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: plain.recv(4096), b""))
    assert answers.count(b"HTTP/1.1 202 ") == answers.count(b'"batch_id"') == requests


@pytest.mark.parametrize("door", ["/v1/records", "/upload"])
def test_a_body_without_a_length_is_not_taken_for_none(client, door):
    head = f"POST {door} HTTP/1.0\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        plain.sendall(head + LINE)
        plain.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: plain.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "length_required"


def test_an_encoding_in_two_headers_is_two_encodings(client):
    packed = gzip.compress(LINE)
    head = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        plain.sendall(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed))
        answer = b"".join(iter(lambda: plain.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 415 ")


@pytest.mark.parametrize(
    ("said", "body"), [("", LINE), (" , ", LINE), (",gzip ,", gzip.compress(LINE)), ("Identity", LINE)]
)
def test_a_list_of_encodings_may_have_empty_places(client, said, body):
    assert client.post(body, Content_Encoding=said).status == 202


def test_every_encoding_brings_the_same_records(lake):
    plain = [crashes(first, 10) for first in (0, 10, 20, 30, 40, 50)]
    with serving(lake) as client:
        answers = [
            client.post(plain[0]),
            client.post(gzip.compress(plain[1]), Content_Encoding="gzip"),
            client.post(gzip.compress(plain[2][:700]) + gzip.compress(plain[2][700:]), Content_Encoding="x-gzip"),
            client.post(zstd(plain[3]), Content_Encoding="zstd", Content_Type="application/x-ndjson; charset=UTF-8"),
            client.post(b"\xef\xbb\xbf" + plain[4].rstrip(), Content_Type=None),
            client.post(iter([plain[5][:99], plain[5][99:]]), Content_Type="application/json"),
        ]
    assert [(answer.status, answer.document["read"]) for answer in answers] == [(202, 10)] * 6
    assert crash_ids(lake) == sorted(f"c{n}" for n in range(60))
    assert booked(lake) == {"read": 60, "accepted": 60, "duplicates": 0, "quarantined": 0}


# -- slow senders, too many of them, too much at once


def waiting_body(client: Client) -> socket.socket:
    """A connection on which a body has begun and does not go on."""
    plain = socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S)
    head = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    plain.sendall(head + b'{"record":')
    return plain


def test_a_body_that_stalls_is_given_up(lake):
    with serving(lake, limits=Limits(stall_s=0.05)) as client:
        with waiting_body(client) as plain:
            answer = b"".join(iter(lambda: plain.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_slow"
        assert client.post(LINE).status == 202


def test_a_body_that_is_still_coming_when_the_collector_ends_is_told_to_come_again(lake, monkeypatch):
    monkeypatch.setattr(server, "_ENDS_WITHIN_S", 0)
    head = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
    with ExitStack() as stack:
        with serving(lake) as client:
            address = ("127.0.0.1", client.port)
            plain = stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
            plain.sendall(head)
            assert plain.recv(4096).startswith(b"HTTP/1.1 100 ")  # the body is awaited
        answer, _, document = b"".join(iter(lambda: plain.recv(4096), b"")).partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 10" in answer
    assert json.loads(document)["error"]["code"] == "stopping"


def test_a_body_that_drips_is_given_up(lake):
    def drip():
        while True:
            ticking.wait(0.01)
            yield b" "

    ticking = threading.Event()
    with serving(lake, limits=Limits(body_s=0.1)) as client:
        try:
            status = client.post(drip()).status
        except OSError:  # still sending when the door was shut
            status = 408
        assert status == 408
        assert client.post(LINE).status == 202


@pytest.mark.parametrize("said", [b"", b"POST /v1/records HTTP/1.1\r\nHost:"])
def test_a_connection_that_asks_for_nothing_is_closed(lake, said):
    with serving(lake, limits=Limits(headers_s=0.05)) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
            plain.sendall(said)
            assert plain.recv(4096) == b""
        assert client.post(LINE).status == 202


def test_connections_are_bounded(lake):
    with serving(lake, limits=Limits(connections=1)) as client:
        with waiting_body(client), socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as second:
            assert second.recv(1) == b""
        assert client.get("/healthz").status == 200


def test_connections_of_one_address_are_bounded_and_count_no_more_once_they_are_closed(lake):
    with serving(lake, limits=Limits(connections_of_one=2)) as client:
        for _ in range(3):
            with waiting_body(client), waiting_body(client):
                until(lambda: client_is_refused(client))
                with socket.create_connection(
                    ("127.0.0.1", client.port), timeout=PATIENCE_S, source_address=("127.0.0.2", 0)
                ) as other:
                    other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert other.recv(12) == b"HTTP/1.1 200"
            until(lambda: not client_is_refused(client))


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def idle(client: Client, address: str = "127.0.0.1") -> socket.socket:
    """A connection on which an answer has come to its end."""
    plain = socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S, source_address=(address, 0))
    assert asked_again(plain)
    return plain


def asked_again(plain: socket.socket) -> bool:
    """Whether an open connection serves another request; False if it was closed."""
    try:
        plain.sendall(HEALTH)
        answer = http.client.HTTPResponse(plain)
        answer.begin()
        answer.read()
    except (http.client.HTTPException, OSError):
        return False
    return answer.status == 200


def test_an_idle_connection_outlasts_those_of_clients_and_is_closed_in_the_end(lake, monkeypatch):
    assert server._IDLE_S > 60
    monkeypatch.setattr(server, "_IDLE_S", 0.05)
    with serving(lake) as client, idle(client) as plain:
        assert plain.recv(4096) == b""


def test_an_end_does_not_wait_for_idle_connections(lake):
    with ExitStack() as stack:
        with serving(lake) as client:
            plain = stack.enter_context(idle(client))
            began = time.monotonic()
        assert time.monotonic() - began < server._ENDS_WITHIN_S
        assert plain.recv(4096) == b""


@pytest.mark.parametrize("limits", [Limits(connections=2), Limits(connections_of_one=2)])
def test_one_connection_too_many_takes_the_place_of_the_one_that_is_idle_for_the_longest(lake, limits):
    with serving(lake, limits=limits) as client, idle(client) as first, idle(client) as second:
        assert asked_again(first)  # so that the second is idle for longer
        for _ in range(3):
            with idle(client) as third:
                assert asked_again(third)
                assert asked_again(first)
        assert second.recv(4096) == b""


def test_an_address_with_too_many_connections_loses_its_own(lake):
    with serving(lake, limits=Limits(connections_of_one=1)) as client, idle(client, "127.0.0.2") as other:
        with idle(client) as first, idle(client):
            assert first.recv(4096) == b""
        assert asked_again(other)


def test_a_part_of_the_next_request_is_not_idle_for_long(lake):
    with serving(lake, limits=Limits(headers_s=0.05)) as client, idle(client) as plain:
        plain.sendall(HEALTH + b"GET /he")
        began = time.monotonic()
        assert b"".join(iter(lambda: plain.recv(4096), b"")).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - began < server._IDLE_S / 2


def client_is_refused(client: Client) -> bool:
    try:
        return client.get("/healthz").status != 200
    except (OSError, http.client.HTTPException):
        return True


MUCH = b'{"delete":{}}\n' * 30_000


def asking_for_much(client: Client) -> socket.socket:
    """A connection over which a bulk was sent that is answered with megabytes."""
    sender = socket.socket()
    sender.settimeout(PATIENCE_S)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else the system takes all of it
    sender.connect(("127.0.0.1", client.port))
    sender.sendall(f"POST /_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: {len(MUCH)}\r\n\r\n".encode() + MUCH)
    return sender


def held_bytes(client: Client) -> int:
    return int(client.get("/metrics").document.partition("\nfleetcrash_collector_held_bytes ")[2].split()[0])


def test_an_answer_of_which_nothing_is_taken_is_not_kept_for_ever(lake):
    with serving(lake, limits=Limits(stall_s=0.3, connections=1)) as client, asking_for_much(client) as sender:
        assert sender.recv(12) == b"HTTP/1.1 200"
        until(lambda: not client_is_refused(client))


def test_an_answer_that_is_taken_slowly_comes_to_its_end(lake):
    with serving(lake, limits=Limits(stall_s=1.0)) as client, asking_for_much(client) as sender:
        answer = http.client.HTTPResponse(sender)
        answer.begin()
        pauses = threading.Event()
        taken = 0
        while part := answer.read(200_000):
            taken += len(part)
            pauses.wait(0.05)
        assert taken == int(answer.headers["content-length"]) > 4_000_000


def test_an_answer_of_which_hardly_anything_is_taken_is_not_kept_for_ever(lake, monkeypatch):
    def with_little_in_the_system(host: str, port: int) -> socket.socket:
        listener = server.listen(host, port)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that what is read shows at once
        return listener

    monkeypatch.setattr("tests.ingest.collector.conftest.listen", with_little_in_the_system)
    with serving(lake, limits=Limits(stall_s=1.0)) as client, asking_for_much(client) as sender:
        assert sender.recv(12) == b"HTTP/1.1 200"
        pauses = threading.Event()

        def is_closed() -> bool:
            pauses.wait(0.05)
            try:
                return sender.recv(1000) == b""
            except ConnectionResetError:
                return True

        until(is_closed)


def test_an_answer_is_counted_in_memory_until_it_is_read(lake):
    limits = Limits(stall_s=PATIENCE_S, held_bytes=12 << 20)
    with serving(lake, limits=limits) as client, asking_for_much(client) as sender:
        answer = http.client.HTTPResponse(sender)
        answer.begin()
        assert held_bytes(client) == int(answer.headers["content-length"]) > 4_000_000
        refused = client.post(MUCH, "/_bulk")
        assert (refused.status, refused.code) == (429, "busy"), "this address has half of the memory"
        answer.read()
        until(lambda: held_bytes(client) == 0)
        assert client.post(MUCH, "/_bulk").status == 200


def test_the_memory_of_an_answer_whose_reader_leaves_is_free_again(lake):
    with serving(lake, limits=Limits(stall_s=PATIENCE_S)) as client:
        with asking_for_much(client) as sender:
            assert sender.recv(12) == b"HTTP/1.1 200"
            assert held_bytes(client)
        until(lambda: held_bytes(client) == 0)


def test_what_is_answered_one_by_one_is_spent_of_the_rate_though_it_is_no_record(lake):
    with serving(lake, rate=1) as client:
        assert client.post(MUCH, "/_bulk").status == 200
        assert int(client.post(LINE).headers["retry-after"]) > 20_000


@pytest.mark.parametrize(
    ("addresses", "count"),
    [
        (["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1"], 2),
        (["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"], 2),
        (["fe80::1%eth0", "fe80::2%eth0"], 1),
    ],
)
def test_a_machine_is_its_address_and_of_ipv6_its_network(addresses, count):
    assert len({sender_of((address, 1)) for address in addresses}) == count
    assert sender_of("") == sender_of(None) == ""


def test_headers_that_drip_are_given_up_however_lively_they_are(lake):
    with serving(lake, limits=Limits(headers_s=0.2)) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=0.02) as plain:
            plain.sendall(b"POST /v1/records HTTP/1.1\r\n")

            def is_closed() -> bool:
                try:
                    plain.sendall(b"X-Slow: 1\r\n")
                    return plain.recv(4096) == b""
                except TimeoutError:
                    return False
                except OSError:
                    return True

            until(is_closed)
        assert client.post(LINE).status == 202


def test_a_tls_handshake_that_stalls_is_given_up_as_headers_are(lake, tmp_path):
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=localhost", "-nodes", "-days", "2"]
    made += ["-keyout", key, "-out", certificate]
    subprocess.run(["openssl", "req", "-x509", *made], check=True, capture_output=True)
    trusting = ssl.create_default_context(cafile=certificate)
    with serving(lake, limits=Limits(headers_s=0.2), tls=tls_of(certificate, key)) as client:
        address = ("127.0.0.1", client.port)
        with socket.create_connection(address, timeout=PATIENCE_S) as plain:
            plain.sendall(b"\x16\x03\x01")
            began = time.monotonic()
            assert plain.recv(4096) == b""
            assert time.monotonic() - began < 30  # left alone, asyncio takes a minute
        with trusting.wrap_socket(socket.create_connection(address), server_hostname="localhost") as secure:
            secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert secure.recv(12) == b"HTTP/1.1 200"


def test_headers_without_end_are_refused_and_not_held(client):
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        plain.sendall(b"POST /v1/records HTTP/1.1\r\nX-Long: " + b"x" * 70_000)
        assert plain.recv(12) == b"HTTP/1.1 400"
    assert client.post(LINE).status == 202


@pytest.mark.parametrize("limits", [Limits(bodies=1), Limits(held_bytes=40)])
def test_bodies_under_way_are_bounded(lake, limits):
    with serving(lake, limits=limits) as client:
        with waiting_body(client) as plain:
            until(lambda: "held_bytes 10\n" in client.get("/metrics").document)
            answer = client.post(LINE)
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "busy", "1")
            plain.sendall(b" " * 990)
            assert plain.recv(12) == (b"HTTP/1.1 429" if limits.held_bytes < 1000 else b"HTTP/1.1 202")
        assert "held_bytes 0\n" in client.get("/metrics").document


@pytest.mark.parametrize(
    ("limits", "each"), [(Limits(bodies=4), 1), (Limits(held_bytes=2000), 300)], ids=["bodies", "bytes"]
)
def test_slow_bodies_of_one_address_leave_room_for_those_of_others(lake, limits, each):
    with serving(lake, limits=limits) as client, ExitStack() as stack:
        for count in (1, 2):
            plain = stack.enter_context(waiting_body(client))
            plain.sendall(b" " * each)
            until(lambda: f"held_bytes {count * (10 + each)}\n" in client.get("/metrics").document)  # noqa: B023
        assert (refused := client.post(LINE)).status == 429
        assert "from this address" in refused.document["error"]["message"]
        other = http.client.HTTPConnection("127.0.0.1", client.port, PATIENCE_S, source_address=("127.0.0.2", 0))
        with closing(other):
            other.request("POST", "/v1/records", LINE, NDJSON)
            assert other.getresponse().status == 202


def test_memory_is_counted_while_a_body_is_unpacked(lake):
    with serving(lake, limits=Limits(held_bytes=3 << 20)) as client:
        answer = client.post(bomb(), Content_Encoding="gzip")
        assert (answer.status, answer.code) == (429, "busy")
        assert "held_bytes 0\n" in client.get("/metrics").document
        assert client.post(LINE).status == 202


def test_what_waits_for_the_lake_is_bounded_and_kept(lake):
    with serving(lake, limits=Limits(backlog_bytes=len(LINE) * 30, commit_every_s=3600)) as client:
        answers = [client.post(crashes(first, 10)) for first in (0, 10, 20, 30)]
        assert [answer.status for answer in answers] == [202, 202, 429, 429]
        assert answers[-1].headers["retry-after"] == "1"
        backlog_bytes = client.get("/healthz").document["backlog_bytes"]
        assert f"backlog_bytes {backlog_bytes}\n" in client.get("/metrics").document
    assert crash_ids(lake) == sorted(f"c{n}" for n in range(20))


def test_a_disk_that_is_nearly_full_is_said_before_anything_is_written(lake, monkeypatch):
    with serving(lake) as client:
        with monkeypatch.context() as patch:
            patch.setattr("ingest.collector.spool.shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
            answer = client.post(LINE)
        assert (answer.status, answer.code) == (507, "disk_full")
        assert client.post(LINE).status == 202
    assert booked(lake)["read"] == 1


def test_a_disk_without_room_for_what_comes_is_said_though_a_small_body_is_taken(lake, monkeypatch, caplog):
    with serving(lake) as client:
        with monkeypatch.context() as patch:
            patch.setattr("ingest.collector.spool.shutil.disk_usage", lambda _: SimpleNamespace(free=(2 << 20) + 4096))
            assert client.get("/healthz").document["status"] == "ok"
            assert client.post(LINE * 100).status == 507
            health = client.get("/healthz").document
            assert (health["status"], "full" in health["trouble"]) == ("degraded", True)
            assert "healthy 0\n" in client.get("/metrics").document
            assert client.post(LINE).status == 202
            assert client.get("/healthz").document["status"] == "degraded"
        assert client.get("/healthz").document["status"] == "ok"
    assert "senders are answered 507" in caplog.text


# -- who may


def test_without_tokens_anybody_may_and_with_one_nobody_else(lake):
    tokens = Tokens(lake.root)
    with serving(lake) as client:
        assert client.post(LINE).status == 202
        token = tokens.add("edge", now=NOW)
        answer = client.post(LINE)
        assert (answer.status, answer.code, answer.headers["www-authenticate"]) == (401, "unauthorized", "Bearer")
        assert client.post(LINE, Authorization=f"Bearer {token}").status == 202
        for wrong in (token, f"Basic {token}", f"Bearer {token}x", "Bearer", f"Bearer {'x' * 60_000}"):
            assert client.post(LINE, Authorization=wrong).status == 401
        tokens.revoke("edge", now=NOW)
        assert client.post(LINE, Authorization=f"Bearer {token}").status == 401, "the last one is gone, the door stays"
        assert client.get("/healthz").status == 200
    assert token not in (lake.root / FILE).read_text()
    assert (lake.root / FILE).stat().st_mode & 0o077 == 0


def test_where_a_token_is_needed_nobody_may_until_there_is_one(lake):
    with serving(lake, needs_token=True) as client:
        assert client.post(LINE).status == 401
        token = Tokens(lake.root).add("edge", now=NOW)
        assert client.post(LINE, Authorization=f"bearer {token}").status == 202


def test_tokens_that_cannot_be_read_let_nobody_in(lake):
    (lake.root / FILE).write_text("{")
    with serving(lake) as client:
        assert client.post(LINE, Authorization="Bearer x").code == "tokens_unreadable"
        assert client.post(LINE).status == 401


def test_one_connection_carries_many_requests(client):
    head = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    kind = NDJSON["Content-Type"].encode()
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        replies = plain.makefile("rb")
        for sent, expected in ((kind, b"202"), (b"text/html", b"415"), (kind, b"202")):
            plain.sendall(head % (sent, len(LINE)) + LINE)
            assert replies.readline().split()[1] == expected
            size = 0
            while (header := replies.readline()) != b"\r\n":
                size = int(header.split(b":")[1]) if header.lower().startswith(b"content-length") else size
            replies.read(size)
        replies.close()


@given(st.lists(st.sampled_from([b"", b" ", b"\t\r", b"\r", b"x", b" x ", b"\x0b", b"\x0c x", b"x\r"]), max_size=6))
def test_blank_lines_are_those_of_the_loader(lines):
    body = b"".join(each + b"\n" for each in lines)
    assert bodies.records_in(bytearray(body)) == sum(re.fullmatch(rb"[ \t\r\n]*", each) is None for each in lines)
