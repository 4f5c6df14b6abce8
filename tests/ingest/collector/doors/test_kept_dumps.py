"""Dumps that come over HTTP: on disk before their answer, and not at all where the request is refused."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fleetcrash.store import Lake
from fleetcrash.store.dumps import Dumps
from ingest.collector.limits import Limits
from ingest.collector.tokens import Tokens
from tests.ingest.collector.conftest import Answered, Client, booked, crashes, serving
from tests.ingest.collector.doors.conftest import NOW
from tests.ingest.collector.doors.test_minidump import dump, form
from tests.ingest.conftest import rows_of

DUMP, FORM = form({"guid": "h1"}, dump())
OTHER, _ = form({"guid": "h2"}, dump(code=0xC0000006))
ROOM_FOR_ONE = 3 * 4096  # on disk a file takes whole blocks, and of one dump there are two files


def sent(client: Client, body: bytes | Iterable[bytes], **headers: str) -> Answered:
    return client.post(body, "/v1/minidump", Content_Type=FORM, **headers)


def kept(lake: Lake) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (lake.root / "_dumps").iterdir()}


def meanwhile(happens: Callable[[], object]) -> Iterator[bytes]:
    """The other dump, of a length that nobody tells, while something happens once half of it has come."""
    yield OTHER[:40]
    happens()
    yield OTHER[40:]


def test_a_dump_is_on_disk_before_its_answer(lake):
    with serving(lake) as client:
        crash_id = sent(client, DUMP).document
        kept = sorted((lake.root / "_dumps").iterdir())
        assert [path.suffix for path in kept] == [".dmp", ".json"]
        assert kept[0].read_bytes() == dump()
        about = json.loads(kept[1].read_text())
        assert about == {"crash_id": crash_id, "host_id": "h1", "form": {"guid": "h1"}}
    (row,) = rows_of(lake, "crash")
    assert (row["crash_id"], row["module"]) == (crash_id, "csagent.dll")


def test_a_crash_is_known_from_when_it_is_spooled_and_not_from_before_its_dump_was_kept(lake, monkeypatch):
    """What came meanwhile may be in the lake by then."""
    keep = Dumps.keep

    def slowly(dumps: Dumps, one: Any) -> None:
        assert client.post(crashes(0, 1)).status == 202
        keep(dumps, one)

    monkeypatch.setattr(Dumps, "keep", slowly)
    with serving(lake) as client:
        assert sent(client, DUMP).status == 200
    known = {row["crash_id"]: row["known_at"] for row in rows_of(lake, "crash")}
    before = known.pop("c0")
    assert list(known.values()) > [before]


@pytest.mark.parametrize(("error", "status"), [(errno.ENOSPC, 507), (errno.EIO, 503)])
def test_a_dump_that_cannot_be_kept_is_not_acknowledged(lake, monkeypatch, error, status):
    def full(*_: Any) -> None:
        raise OSError(error, "x")

    with serving(lake) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Dumps, "keep", full)
            assert sent(client, DUMP).status == status
        assert sent(client, DUMP).status == 200
    assert booked(lake)["read"] == 1


def test_a_dump_pushes_out_one_that_is_older(lake):
    with serving(lake, limits=Limits(dumps_bytes=ROOM_FOR_ONE)) as client:
        assert sent(client, DUMP).status == 200
        before = kept(lake)
        assert sent(client, OTHER).status == 200
        assert len(kept(lake)) == 2
        assert not before.keys() & kept(lake).keys(), "or what is refused below could push nothing out"


@pytest.mark.slow
def test_of_a_request_that_is_refused_no_dump_is_kept_and_none_is_pushed_out(lake, monkeypatch):
    def fill_the_disk() -> None:
        patch.setattr("ingest.collector.spool.shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))

    with serving(lake, limits=Limits(dumps_bytes=ROOM_FOR_ONE)) as client:
        assert sent(client, DUMP, Idempotency_Key="k").status == 200
        before = kept(lake)
        assert sent(client, OTHER, Idempotency_Key="k").code == "key_reused"
        with monkeypatch.context() as patch:
            assert sent(client, meanwhile(fill_the_disk)).code == "disk_full"
    with serving(lake, limits=Limits(dumps_bytes=ROOM_FOR_ONE, backlog_bytes=1, commit_every_s=3600)) as client:
        assert sent(client, meanwhile(lambda: client.post(crashes(0, 1)))).code == "busy"
    mine = {"Authorization": f"Bearer {Tokens(lake.root).add('slow', now=NOW, rate=0.001)}"}
    with serving(lake, limits=Limits(dumps_bytes=ROOM_FOR_ONE)) as client:
        assert sent(client, meanwhile(lambda: client.post(crashes(1, 1), **mine)), **mine).code == "rate_limited"
    assert kept(lake) == before
    assert booked(lake)["read"] == 3, "the first dump, and what came meanwhile"


def test_a_dump_that_is_sent_again_is_known_by_its_key(lake):
    with serving(lake) as client:
        told = [sent(client, DUMP, Idempotency_Key="k").document for _ in range(2)]
        assert told[0] == told[1]
        assert len(kept(lake)) == 2
    assert booked(lake)["read"] == 1
