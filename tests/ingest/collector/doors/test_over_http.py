"""All doors over HTTP: the same bounds, tokens and errors as for records, and each crash once."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace

import pyarrow as pa
import pytest

from fleetcrash.store import Lake
from ingest.collector.doors import sentry
from ingest.collector.doors.door import Asked
from ingest.collector.limits import Limits
from ingest.collector.tokens import Tokens
from tests.ingest.collector.conftest import PATIENCE_S, Answered, Client, booked, serving, until
from tests.ingest.collector.doors.conftest import NOW
from tests.ingest.collector.doors.test_bulk import SYSLOG, bulk_of
from tests.ingest.collector.doors.test_minidump import dump, form
from tests.ingest.collector.doors.test_otlp import CRASH, export
from tests.ingest.collector.doors.test_sentry import EVENT, EVENT_ID, of_event
from tests.ingest.conftest import quarantined, rows_of
from tests.ingest.formats.test_journal import COREDUMP, OTHER, entry
from tests.ingest.formats.test_journal_json import kernel_entries
from tests.ingest.formats.test_kernel_log import OLD_OOPS

SMALL = Limits(body_bytes=100_000, commit_every_s=0.02)


@dataclass(frozen=True)
class Knock:
    """What a client sends, and is answered.

    Attributes:
        bad: the same of a crash that breaks a rule.
        label: of the door, in metrics.
    """

    path: str
    type: str
    body: bytes
    bad: bytes
    label: str
    status: int = 200
    methods: tuple[str, ...] = ()


HOSTLESS = {key: value for key, value in EVENT.items() if key not in ("contexts", "server_name", "user")}
KNOCKS = {
    "envelope": Knock(
        "/api/7/envelope/", "application/x-sentry-envelope", bytes(of_event(EVENT)), bytes(of_event(HOSTLESS)),
        "/api/{project}/envelope/",
    ),
    "store": Knock(
        "/api/7/store/", "application/json", json.dumps(EVENT).encode(), json.dumps(HOSTLESS).encode(),
        "/api/{project}/store/",
    ),
    "sentry minidump": Knock(
        "/api/7/minidump/", form({}, b"")[1], form({"sentry[tags][host_id]": "h1"}, dump())[0], form({}, dump())[0],
        "/api/{project}/minidump/",
    ),
    "sentry minidump without slash": Knock(
        "/api/7/minidump", form({}, b"")[1], form({"sentry[tags][host_id]": "h1"}, dump())[0],
        form({}, dump())[0], "/api/{project}/minidump",
    ),
    "sentry minidump without a form": Knock(
        "/api/8/minidump/", "application/x-dmp", dump(report_id=b"r" * 16), dump(), "/api/{project}/minidump/",
    ),
    "otlp": Knock(
        "/v1/logs", "application/json", json.dumps(export(CRASH)).encode(),
        json.dumps(export(CRASH, resource={})).encode(), "/v1/logs",
    ),
    "journal": Knock(
        "/upload", "application/vnd.fdo.journal", entry(COREDUMP),
        entry({**COREDUMP, "_MACHINE_ID": "", "_HOSTNAME": ""}), "/upload", 202,
    ),
    "bulk": Knock(
        "/_bulk", "application/x-ndjson", bulk_of(SYSLOG), bulk_of({**SYSLOG, "fromhost": None}),
        "/_bulk", 200, ("PUT",),
    ),
    "bulk of an index": Knock(
        "/syslog/_bulk", "application/x-ndjson", bulk_of(SYSLOG), bulk_of({**SYSLOG, "fromhost": None}),
        "/{index}/_bulk", 200, ("PUT",),
    ),
    "minidump": Knock(
        "/v1/minidump", form({}, b"")[1], form({"guid": "h1"}, dump())[0], form({}, dump())[0], "/v1/minidump",
    ),
}  # fmt: skip
each_door = pytest.mark.parametrize("knock", KNOCKS.values(), ids=KNOCKS)


def send(client: Client, knock: Knock, body: bytes | Iterable[bytes] | None = None, **headers: str | None) -> Answered:
    return client.post(knock.body if body is None else body, knock.path, **{"Content_Type": knock.type, **headers})


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[Client]:
    """A collector that several tests send to."""
    with serving(Lake.create(tmp_path_factory.mktemp("doors") / "lake"), limits=SMALL) as one:
        yield one


@pytest.mark.variants
@each_door
def test_a_crash_sent_twice_is_there_once_with_its_faults_told(lake, knock):
    with serving(lake) as client:
        for body in (knock.body, iter([knock.body[:40], knock.body[40:]]), gzip.compress(knock.body)):
            packed = {"Content_Encoding": "gzip"} if isinstance(body, bytes) and body[:2] == b"\x1f\x8b" else {}
            assert send(client, knock, body, **packed).status == knock.status
        assert send(client, knock, knock.bad).status == knock.status
        metrics = client.get("/metrics").document
    assert f'requests_total{{door="{knock.label}",status="{knock.status}"}} 4\n' in metrics
    assert len(rows_of(lake, "crash")) == 1
    assert booked(lake) == {"read": 4, "accepted": 1, "duplicates": 2, "quarantined": 1}
    (row,) = quarantined(lake)
    assert row["source"].startswith(f"{knock.path}, batch ")
    assert (row["line"], row["reason"]) == (1, "missing_field:host_id")
    assert b'"record":"crash"' in row["raw"]


def bomb(size_bytes: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(bytes(size_bytes)) + packer.flush()


@each_door
def test_what_is_not_taken_is_said_in_json_and_harms_nobody(client, knock):
    def refused(status: int, body: bytes | Iterable[bytes] | None = None, **headers: str) -> None:
        answer = send(client, knock, body, **headers)
        assert (answer.status, bool(answer.code)) == (status, True)

    refused(400, gzip.compress(knock.body)[:-3], Content_Encoding="gzip")
    refused(400, knock.body, Content_Encoding="gzip")
    refused(415, Content_Encoding="compress")
    refused(415, Content_Type="text/html")
    refused(415, Content_Type=f"{knock.type}; charset=utf-16")
    answer = client.get(knock.path)
    assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, {"POST", *knock.methods})
    if knock is not KNOCKS["journal"]:  # which has no end
        refused(413, bomb(8 << 20), Content_Encoding="gzip")
        refused(413, knock.body + b" " * 200_000)
        refused(413, iter([b" " * 50_000] * 3))
    assert send(client, knock).status == knock.status


def packed(data: bytes, codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def test_clients_encodings_bring_the_same(client):
    knock = KNOCKS["envelope"]
    raw = zlib.compressobj(wbits=-15)
    for encoding, body in (
        ("deflate", zlib.compress(knock.body)),
        ("deflate", raw.compress(knock.body) + raw.flush()),
        ("br", packed(knock.body, "brotli")),
        ("zstd", packed(knock.body, "zstd")),
    ):
        assert send(client, knock, body, Content_Encoding=encoding).document == {"id": EVENT_ID}
        assert send(client, knock, body[:-2], Content_Encoding=encoding).code == "bad_encoding"
    assert send(client, knock, b"", Content_Encoding="deflate").code == "bad_encoding"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n", b"null", b"[]", b"{}\n{}\n{}", b"[" * 90_000, b'{"a":' * 15_000, b"\xff" * 1000, b"9" * 90_000,
        b'{"index":{}}\n{"record":NaN}\n', b'{"items":[NaN,Infinity,-1e999]}', b"a" * 90_000, b"\x00" * 90_000,
        b'{"\\ud800":"\\ud800"}\n{"type":"event"}\n{"level":"fatal","event_id":"\\ud800","server_name":"\\udfff"}',
        b'{"event_id":"\\u0000"}\n{"type":"event"}\n{"level":"fatal","server_name":"\\u0000x"}',
    ],
)  # fmt: skip
def test_hostile_bodies_are_taken_or_refused_but_break_nothing(client, body):
    for knock in KNOCKS.values():
        assert send(client, knock, body).status in (200, 202, 400, 413)
    assert client.get("/healthz").document["trouble"] is None


def test_what_was_hostile_is_put_aside_with_its_bytes(lake):
    with serving(lake) as client:
        send(client, KNOCKS["envelope"], b'{}\n{"type":"event"}\n{"level":"fatal" nonsense\n')
        send(client, KNOCKS["envelope"], b'{}\n{"type":"event"}\n{"level":"fatal","server_name":"\\ud800"}\n')
        send(client, KNOCKS["bulk"], b'{"index":{}}\n{"record":"crash","crash_id":NaN}\n')
    rows = quarantined(lake)
    assert sorted(row["reason"] for row in rows) == ["missing_field:host_id", "not_json", "not_json"]
    raw = {row["raw"] for row in rows}
    assert {b'{"level":"fatal" nonsense', b'{"record":"crash","crash_id":NaN}'} < raw
    assert booked(lake) == {"read": 3, "accepted": 0, "duplicates": 0, "quarantined": 3}


def test_a_path_gives_no_orders_to_a_terminal(lake):
    with serving(lake) as client:
        assert client.post(b"{", "/api/%1B%5B2J%0A/store/", Content_Type=None).status == 200
    assert quarantined(lake)[0]["source"].startswith("/api/%1B%5B2J%0A/store/, batch ")


# -- who may


def basic(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


def test_with_tokens_nobody_else_may_at_any_door(lake):
    token = Tokens(lake.root).add("agents", now=NOW)
    sentrys = f"Sentry sentry_version=7, sentry_key={token}"

    def check(client: Client, knock: Knock) -> None:
        for allowed in (f"Bearer {token}", f"Basic {basic('x', token)}", f"Basic {basic(token, '')}",
                        f"ApiKey {basic('id', token)}", f"ApiKey {token}", f"Sentry sentry_key={token}"):  # fmt: skip
            assert send(client, knock, Authorization=allowed).status == knock.status, allowed
        assert send(client, knock, X_Sentry_Auth=sentrys).status == knock.status
        in_query = client.post(knock.body, f"{knock.path}?sentry_key={token}", Content_Type=knock.type)
        assert in_query.status == knock.status, "for clients that take a URL and no more"
        for wrong in ("", "Bearer", f"Bearer {token}x", f"Basic {token}", f"Basic {basic('x', 'y')}", "Sentry"):
            assert send(client, knock, Authorization=wrong).code == "unauthorized", wrong
        assert send(client, knock).code == "unauthorized"

    with serving(lake) as client:
        for knock in KNOCKS.values():
            check(client, knock)


def test_sentrys_key_may_be_in_the_query_or_in_the_dsn(lake):
    token = Tokens(lake.root).add("agents", now=NOW)
    with serving(lake, limits=Limits(unnamed_bytes=5_000)) as client:
        assert (
            client.post(b"{}", f"/api/7/envelope/?sentry_version=7&sentry_key={token}", Content_Type=None).status == 200
        )
        assert client.post(b"{}", "/api/7/envelope/?sentry_key=other", Content_Type=None).code == "unauthorized"
        named = bytes(of_event(EVENT, dsn=f"http://{token}@127.0.0.1/7"))
        assert send(client, KNOCKS["envelope"], named).status == 200
        assert send(client, KNOCKS["envelope"], bytes(of_event(EVENT, dsn="http://x@127.0.0.1/7"))).status == 401
        assert send(client, KNOCKS["envelope"], named + b" " * 5_000).status == 413, "so much is read for nobody"


# -- pressure, disks, keys


def test_pressure_and_a_full_disk_are_told_at_every_door(lake, monkeypatch):
    with serving(lake, limits=Limits(backlog_bytes=1, commit_every_s=3600)) as client:
        with monkeypatch.context() as patch:
            patch.setattr("ingest.collector.spool.shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
            full = {name: send(client, knock) for name, knock in KNOCKS.items()}
            assert {one.code for one in full.values()} == {"disk_full"}
            assert {name for name, one in full.items() if one.status == 503} == {"otlp", "bulk", "bulk of an index"}
            assert {one.status for one in full.values()} == {503, 507}, "to whom 507 is final, it is 503"
        assert send(client, KNOCKS["otlp"]).status == 200
        answers = [send(client, knock) for knock in KNOCKS.values()]
        assert [(one.status, one.headers["retry-after"]) for one in answers] == [(429, "1")] * len(KNOCKS)
    assert booked(lake)["read"] == 1


def test_an_idempotency_key_works_at_every_door_and_is_the_doors_own(lake):
    with serving(lake) as client:
        for knock in KNOCKS.values():
            for _ in range(2):
                assert send(client, knock, Idempotency_Key="k1").status == knock.status
        other = bytes(of_event({**EVENT, "event_id": "other"}))
        assert send(client, KNOCKS["envelope"], other, Idempotency_Key="k1").code == "key_reused"
    assert booked(lake)["read"] == len(KNOCKS) + 1, "the journal, which has no end, knows no key"


def answered(client: Client, asked: bytes) -> bytes:
    """Everything that comes back on a connection until it is closed."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as plain:
        plain.sendall(asked)
        return b"".join(iter(lambda: plain.recv(4096), b""))


def test_who_takes_408_for_final_is_told_503(lake):
    stalled = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    with serving(lake, limits=Limits(stall_s=0.05)) as client:
        answer = answered(client, stalled)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_slow"


RSYSLOG = b"Host: x\r\nAccept: */*\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n"
HEALTH = b"GET /_cat/health HTTP/1.1\r\n" + RSYSLOG + b"\r\n"


def of_rsyslog(body: bytes, more: bytes = b"") -> bytes:
    """A bulk with the headers of rsyslog, of which none is a User-Agent."""
    return b"POST /_bulk HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b" % (RSYSLOG, more, len(body), body)


def test_rsyslog_which_drops_whatever_is_answered_gets_no_answer_when_it_should_send_again(lake, monkeypatch):
    monkeypatch.setattr("ingest.collector.app._HELD_S", 0)
    syslog = of_rsyslog(KNOCKS["bulk"].body)
    named = of_rsyslog(KNOCKS["bulk"].body, b"User-Agent: logstash\r\n")
    with serving(lake, limits=Limits(backlog_bytes=1, commit_every_s=3600)) as client:
        with monkeypatch.context() as patch:
            patch.setattr("ingest.collector.spool.shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
            assert [answered(client, syslog), answered(client, HEALTH)] == [b"", b""]
            assert answered(client, named).startswith(b"HTTP/1.1 503 ")
            assert client.get("/_cat/health").status == 200, "whoever else asks"
        assert answered(client, HEALTH).startswith(b"HTTP/1.1 200 ")
        assert answered(client, syslog).startswith(b"HTTP/1.1 200 ")
        assert [answered(client, syslog), answered(client, HEALTH)] == [b"", b""], "the spool is full"
        assert answered(client, of_rsyslog(b"", b"Content-Encoding: x\r\n")).startswith(b"HTTP/1.1 415 ")
        told = client.get("/metrics").document
    assert 'requests_total{door="/_bulk",status="503"} 2\n' in told
    assert 'requests_total{door="/_bulk",status="429"} 1\n' in told
    assert booked(lake)["read"] == 1


# -- the journal


def test_a_journal_is_taken_in_parts_and_each_is_on_disk(lake, monkeypatch):
    monkeypatch.setattr("ingest.collector.reception._PART_BYTES", 1000)
    dumps = [entry({**COREDUMP, "COREDUMP_PID": str(n)}) + entry(OTHER) for n in range(20)]
    with serving(lake) as client:
        assert send(client, KNOCKS["journal"], iter(dumps)).document == "OK.\n"
        again = gzip.compress(b"".join(dumps))
        assert send(client, KNOCKS["journal"], again, Content_Encoding="gzip").status == 202
    assert booked(lake) == {"read": 40, "accepted": 20, "duplicates": 20, "quarantined": 0}
    assert len({row["batch_id"] for row in rows_of(lake, "crash")}) == 1


def test_a_journal_may_come_in_frames_of_zstd_of_which_each_counts(lake):
    knock, body = KNOCKS["journal"], entry(COREDUMP) + entry(OTHER)

    def frames(asked: Client) -> Iterator[bytes]:
        yield packed(body[:40], "zstd") + packed(body[40:], "zstd")
        assert asked.get("/healthz").status == 200  # what came before has been read
        yield packed(entry({**COREDUMP, "COREDUMP_PID": "8"}), "zstd")

    with serving(lake) as client:
        assert send(client, knock, frames(client), Content_Encoding="zstd").status == 202
        cut = send(client, knock, packed(body, "zstd") + packed(body, "zstd")[:-2], Content_Encoding="zstd")
        assert (cut.status, cut.code) == (400, "bad_encoding")
        assert send(client, knock, packed(bytes(32 << 20), "zstd"), Content_Encoding="zstd").code == "bad_journal"
        assert "held_bytes 0\n" in client.get("/metrics").document
    assert booked(lake) == {"read": 3, "accepted": 2, "duplicates": 1, "quarantined": 0}


def test_a_journal_without_end_ends(lake):
    ticking = threading.Event()

    def drip() -> Iterator[bytes]:
        yield entry(COREDUMP)
        while True:
            ticking.wait(0.01)
            yield entry(OTHER)

    with serving(lake, limits=Limits(stream_s=0.1)) as client:
        try:
            status = send(client, KNOCKS["journal"], drip()).status
        except OSError:  # still sending when the door was shut
            status = 408
        assert status == 408
    assert len(rows_of(lake, "crash")) == 1, "what came before is kept"


def test_a_journal_under_way_does_not_delay_the_end_and_what_came_whole_is_kept(lake):
    head = "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.fdo.journal\r\nExpect: 100-continue\r\n"
    with ExitStack() as stack:
        with serving(lake, limits=Limits(stall_s=PATIENCE_S)) as client:
            address = ("127.0.0.1", client.port)
            plain = stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
            plain.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode())
            assert plain.recv(4096).startswith(b"HTTP/1.1 100 ")
            plain.sendall(entry(COREDUMP))
            assert client.get("/healthz").status == 200  # what came before has been read
        assert plain.recv(4096) == b""
    assert len(rows_of(lake, "crash")) == 1


def test_a_journal_that_breaks_off_keeps_its_whole_entries_and_says_so(lake):
    with serving(lake) as client:
        cut = send(client, KNOCKS["journal"], entry(COREDUMP) + b"MESSAGE=st")
        broken = send(client, KNOCKS["journal"], gzip.compress(entry(COREDUMP))[:-3], Content_Encoding="gzip")
    assert [cut.code, broken.code] == ["bad_journal", "bad_encoding"]
    for answer in (cut, broken):
        assert answer.document["error"]["message"].endswith(". What came whole before it was kept.")
    assert booked(lake) == {"read": 2, "accepted": 1, "duplicates": 1, "quarantined": 0}


def test_a_journal_that_is_refused_half_way_is_told_that_its_first_half_was_kept(lake, monkeypatch):
    monkeypatch.setattr("ingest.collector.reception._PART_BYTES", 1)

    def halves(asked: Client) -> Iterator[bytes]:
        yield entry(COREDUMP)
        until(lambda: asked.get("/healthz").document["backlog_bytes"])
        yield entry({**COREDUMP, "COREDUMP_PID": "1"})

    with serving(lake, limits=Limits(commit_every_s=3600, backlog_bytes=1)) as client:
        half = send(client, KNOCKS["journal"], halves(client))
        none = send(client, KNOCKS["journal"], entry(COREDUMP))
    assert [(one.status, one.code) for one in (half, none)] == [(429, "busy")] * 2
    assert "What came whole before it was kept." in half.document["error"]["message"]
    assert "Nothing of this request was kept." in none.document["error"]["message"]
    assert booked(lake)["read"] == 1


def test_what_a_journal_ends_with_counts(lake):
    oops = b"".join(entry(one) for one in kernel_entries(OLD_OOPS))
    with serving(lake) as client:
        assert send(client, KNOCKS["journal"], oops + entry(COREDUMP).removesuffix(b"\n")).status == 202
    assert {row["domain"] for row in rows_of(lake, "crash")} == {"kernel", "user"}


def test_a_journal_may_hold_zeros_packed_a_thousand_times(lake):
    with serving(lake) as client:
        packed_zeros = bomb(32 << 20) + gzip.compress(b"\n\n" + entry(COREDUMP))
        answer = send(client, KNOCKS["journal"], packed_zeros, Content_Encoding="gzip")
        assert (answer.status, answer.code) == (400, "bad_journal")
        assert "held_bytes 0\n" in client.get("/metrics").document


# -- what clients ask before they send


def test_elasticsearchs_clients_may_put(client):
    knock = KNOCKS["bulk"]
    assert client.ask("PUT", knock.path, knock.body, {"Content-Type": knock.type}).document["errors"] is False


def test_elasticsearchs_clients_find_a_cluster(client):
    banner = client.get("/")
    assert banner.headers["x-elastic-product"] == "Elasticsearch"
    assert banner.document["version"]["number"] >= "7"
    assert client.get("/_license").document["license"]["status"] == "active", "else Logstash does not send"
    assert client.get("/_cluster/health").document["status"] == "green"
    for path in ("/", "/_cat/health", "/_cluster/health"):
        assert client.ask("HEAD", path, None, {}).status == 200


@pytest.mark.parametrize("path", ["/_refresh", "/_all/_refresh", "/crashes/_refresh"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_javascripts_clients_may_refresh_after_a_bulk(client, method, path):
    answer = client.ask(method, path, b"{}" if method == "POST" else None, {"Content-Type": "application/json"})
    assert (answer.status, answer.headers["x-elastic-product"]) == (200, "Elasticsearch")
    assert answer.document == {"_shards": {"total": 1, "successful": 1, "failed": 0}}


# -- dumps in envelopes


def test_a_minidump_in_an_envelope_completes_its_event(lake):
    event = {"event_id": EVENT_ID, "level": "fatal", "server_name": "h1"}
    attached = {"type": "attachment", "attachment_type": "event.minidump", "length": len(dump())}
    header = json.dumps({"event_id": EVENT_ID}).encode()
    told = json.dumps({"type": "event"}).encode() + b"\n" + json.dumps(event).encode()
    file = json.dumps(attached).encode() + b"\n" + dump()
    with serving(lake) as client:
        for items in ([header, told, file], [header, file, told], [header, file]):
            assert send(client, KNOCKS["envelope"], b"\n".join(items)).document == {"id": EVENT_ID}
    (row,) = rows_of(lake, "crash")
    assert (row["host_id"], row["os_type"], row["code"], row["module"]) == (
        "h1",
        "windows",
        "0xc0000005",
        "csagent.dll",
    )
    assert row["occurred_at"].isoformat() == "2024-07-19T04:10:02+00:00", "as the dump says"
    assert [one["reason"] for one in quarantined(lake)] == ["missing_field:host_id"]
    assert any(path.read_bytes() == dump() for path in (lake.root / "_dumps").glob("*.dmp"))


def test_garbage_in_place_of_a_minidump_is_a_crash_all_the_same():
    body = b'{}\n{"type":"attachment","attachment_type":"event.minidump"}\ngarbage\n'
    reading = sentry.read_envelope(bytearray(body), Asked("", NOW, SMALL))
    assert (reading.read, reading.dumps) == (1, ())


def test_what_a_kernel_said_before_its_journal_broke_off_is_kept(lake):
    said = {**OTHER, "_TRANSPORT": "kernel", "MESSAGE": "Kernel panic - not syncing: Fatal exception"}
    packed = gzip.compress(entry(said) + entry(OTHER))[:-5]
    headers = {"Content-Type": "application/vnd.fdo.journal", "Content-Encoding": "gzip"}
    with serving(lake) as client:
        assert client.ask("POST", "/upload", packed, headers).status == 400
    assert [row["domain"] for row in rows_of(lake, "crash")] == ["kernel"]
