"""From the acknowledgement to the lake: everything once, whatever is sent again, torn, full or broken on the way."""

from __future__ import annotations

import errno
import gzip
import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.errors import BadArgument, LakeError
from fleetcrash.store import Lake
from fleetcrash.store.paths import SPOOL
from ingest.collector import bodies, segments
from ingest.collector.keys import Keys
from ingest.collector.limits import Limits
from ingest.collector.segments import Body, Description, Segment
from ingest.collector.server import Collector
from ingest.collector.spool import Spool
from ingest.commit import Intake
from ingest.load import load
from tests.ingest.collector.conftest import booked, crash_ids, crashes, serving, until
from tests.ingest.conftest import NOW, SOUND, answers, line, quarantined, rows_of, write
from tests.ingest.test_faults import small_disk

__all__ = ["small_disk"]

HEAD_BYTES = 20  # of a body in a segment

LATER = Limits(commit_every_s=3600)  # nothing is committed before the end
EAGER = Limits(commit_every_s=0.01)


@pytest.mark.slow
def test_what_is_read_is_accepted_a_duplicate_or_quarantined(lake):
    bodies = [crashes(5 * n, 10) + b"nonsense\n\n" + line("crash", os_type="beos") + b"\n" for n in range(40)]
    with serving(lake, limits=EAGER) as client, ThreadPoolExecutor(8) as senders:
        acknowledged = list(senders.map(client.post, bodies))
    read = sum(answer.document["read"] for answer in acknowledged)
    assert read == 40 * 12
    assert booked(lake) == {"read": read, "accepted": 205, "duplicates": 195, "quarantined": 80}
    assert crash_ids(lake) == sorted(f"c{n}" for n in range(205))


def test_records_are_stamped_with_our_clock_whatever_the_sender_says(lake):
    sent = [
        line("crash", crash_id="said", received_at="2020-01-01T00:00:00Z"),
        line("crash", crash_id="unsaid", received_at=None),
        line("host", seen_at=None),
        line("crash", crash_id="bad", received_at="yesterday"),
        line("crash", crash_id="early", occurred_at=(datetime.now(UTC) + timedelta(hours=30)).isoformat()),
        line("crash", crash_id="soon", occurred_at=(datetime.now(UTC) + timedelta(hours=20)).isoformat()),
    ]
    began = datetime.now(UTC)
    with serving(lake) as client:
        assert client.post(b"\n".join(sent)).document["read"] == len(sent)
        ended = datetime.now(UTC)
    rows = rows_of(lake, "crash") + rows_of(lake, "host")
    assert {row.get("crash_id") for row in rows} == {"said", "unsaid", "soon", None}
    assert all(began <= row["received_at"] == row["known_at"] <= ended for row in rows)
    assert [row["reason"] for row in quarantined(lake)] == ["bad_time:received_at", "future_time:occurred_at"]


def test_a_body_that_takes_long_to_unpack_is_known_after_one_that_came_later(lake, monkeypatch):
    reached, freed = threading.Event(), threading.Event()
    unpacked = bodies.unpacked

    def slowly(*arguments):
        reached.set()
        assert freed.wait(60)
        return unpacked(*arguments)

    monkeypatch.setattr(bodies, "unpacked", slowly)
    with serving(lake, limits=EAGER) as client, ThreadPoolExecutor(1) as sender:
        packed = gzip.compress(crashes(0, 1, tags={"note": os.urandom(900).hex()}))
        first = sender.submit(client.post, packed, Content_Encoding="gzip")
        assert reached.wait(60)
        client.post(crashes(1, 1))
        until(lambda: crash_ids(lake) == ["c1"])
        freed.set()
        assert first.result(60).status == 202
    received = {row["crash_id"]: row["received_at"] for row in rows_of(lake, "crash")}
    assert received["c0"] > received["c1"]


def test_the_quarantine_names_the_batch_and_its_line(lake):
    with serving(lake, limits=LATER) as client:
        first = client.post(crashes(0, 3) + b"\nworse\n" + crashes(3, 1))
        client.post(crashes(4, 2))
        second = client.post(b"bad\n\nbad, too")
    found = [(row["source"], row["line"], row["raw"]) for row in quarantined(lake)]
    names = [f"/v1/records, batch {answer.document['batch_id']}" for answer in (first, second)]
    assert found == sorted([(names[0], 5, b"worse"), (names[1], 1, b"bad"), (names[1], 3, b"bad, too")])
    assert len(rows_of(lake, "batch")) == 1, "one commit for all"


@pytest.mark.slow
def test_a_replay_keeps_the_senders_clocks_and_loads_the_same(lake, tmp_path):
    lines = [
        line("host", seen_at=None),
        line("update"),
        line("crash", crash_id="a", received_at="2024-07-19T04:12:00Z"),
        line("install", received_at="2024-07-19T05:00:00Z"),
        line("crash", crash_id="b", received_at="2024-07-19T05:30:00Z", occurred_at="2024-07-19T05:29:00Z"),
        line("session"),
    ]
    began = datetime.now(UTC)
    with serving(lake, replay=True, limits=EAGER) as client:
        for each in lines:
            assert client.post(each).status == 202
    assert all(began <= row["loaded_at"] <= datetime.now(UTC) for row in rows_of(lake, "batch"))
    other = Lake.create(tmp_path / "other")
    load(other, [write(tmp_path / "in.ndjson", lines)], now=NOW)
    assert answers(lake) == answers(other)


@pytest.mark.slow
def test_the_clock_of_a_replay_is_the_newest_received_at(lake):
    ahead = line("install", applied_at="2024-07-21T12:00:00Z")
    with serving(lake, replay=True, limits=EAGER) as client:
        for received_at, accepted in (("2024-07-19T04:12:00Z", 1), ("2024-07-24T00:00:00Z", 3)):
            client.post(line("crash", crash_id=received_at, received_at=received_at) + b"\n" + ahead)
            until(lambda: client.get("/healthz").document["backlog_bytes"] == 0)
            assert booked(lake)["accepted"] == accepted
    assert [row["reason"] for row in quarantined(lake)] == ["future_time:applied_at"]


# -- the same again


def test_a_key_makes_sending_again_harmless_even_after_a_restart(lake):
    body = crashes(0, 3) + line("host") + b"\nnonsense\n"
    with serving(lake, limits=LATER) as client:
        first = client.post(body, Idempotency_Key="one")
        again = client.post(body, Idempotency_Key="one")
        assert again.document == first.document
    with serving(lake, limits=LATER) as client:
        assert client.post(body, Idempotency_Key="one").document == first.document
        assert client.post(body, Idempotency_Key="two").document["batch_id"] != first.document["batch_id"]
    assert booked(lake)["read"] == 2 * 5


def test_a_key_that_is_sent_twice_at_once_counts_once(lake):
    with serving(lake, limits=EAGER) as client, ThreadPoolExecutor(8) as senders:
        told = list(senders.map(lambda n: client.post(crashes(0, 5) + b"bad", Idempotency_Key=f"k{n % 2}"), range(16)))
    assert len({answer.document["batch_id"] for answer in told}) == 2
    assert booked(lake) == {"read": 12, "accepted": 5, "duplicates": 5, "quarantined": 2}


def test_a_key_with_other_records_is_refused_before_and_after_they_are_in_the_lake(lake):
    for _ in range(2):
        with serving(lake, limits=LATER) as client:
            assert client.post(crashes(0, 1), Idempotency_Key="k").status == 202
            answer = client.post(crashes(1, 1), Idempotency_Key="k")
            assert (answer.status, answer.code) == (422, "key_reused")
    assert crash_ids(lake) == ["c0"]


def sent_in_turn(lake: Lake, lines: list[bytes], *, at_once: bool) -> dict[str, int]:
    """What the books say of bodies of one line each, in one commit or each in its own."""
    with serving(lake, limits=LATER if at_once else EAGER) as client:
        for each in lines:
            assert client.post(each).status == 202
            if not at_once:
                until(lambda: client.get("/healthz").document["backlog_bytes"] == 0)
    return booked(lake)


SAID_TWO_WAYS = [
    (line("session", online_until="2024-07-18T06:00:00Z"), line("session"), "presence"),
    (line("update", reverted_at="2024-07-19T05:27:00Z"), line("update"), "updates"),
]


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(("said", "otherwise", "view"), SAID_TWO_WAYS)
def test_a_session_or_an_update_that_is_sent_again_is_a_duplicate_and_is_known_no_later(
    lake, said, otherwise, view, at_once
):
    assert sent_in_turn(lake, [said], at_once=False)["accepted"] == 1
    before = answers(lake, as_of=datetime.now(UTC))[view]
    assert sent_in_turn(lake, [said, said], at_once=at_once) == booked_of(accepted=1, duplicates=2)
    assert answers(lake, as_of=datetime.now(UTC))[view] == before
    back = [otherwise, otherwise, said, said]
    assert sent_in_turn(lake, back, at_once=at_once) == booked_of(accepted=3, duplicates=4), "the way back is a change"


@pytest.mark.slow
@pytest.mark.parametrize(("stands", "other", "view"), SAID_TWO_WAYS)
def test_of_two_that_are_known_at_one_time_a_resend_of_the_one_that_stands_is_the_duplicate(lake, stands, other, view):
    with serving(lake, limits=EAGER) as client:
        client.post(stands + b"\n" + other)
    before = answers(lake, as_of=datetime.now(UTC))[view]
    assert sent_in_turn(lake, [stands], at_once=True) == booked_of(accepted=2, duplicates=1)
    assert answers(lake, as_of=datetime.now(UTC))[view] == before
    assert sent_in_turn(lake, [other, other], at_once=True) == booked_of(accepted=3, duplicates=2)
    assert answers(lake, as_of=datetime.now(UTC))[view] != before


@pytest.mark.slow
def test_an_update_that_was_loaded_from_a_file_and_is_sent_is_a_duplicate(lake, tmp_path):
    load(lake, [write(tmp_path / "in.ndjson", [line("update")])], now=NOW)
    before = answers(lake, as_of=datetime.now(UTC))
    assert sent_in_turn(lake, [line("update")], at_once=True) == booked_of(accepted=1, duplicates=1)
    assert answers(lake, as_of=datetime.now(UTC)) == before


def booked_of(**counts: int) -> dict[str, int]:
    """The books with these counts, and no other."""
    return {"read": sum(counts.values()), "accepted": 0, "duplicates": 0, "quarantined": 0, **counts}


def test_a_host_that_is_sent_again_was_seen_again(lake):
    assert sent_in_turn(lake, [line("host", seen_at=None)] * 2, at_once=False) == booked_of(accepted=2)


# -- stopped in the middle


def test_what_was_acknowledged_before_a_kill_is_in_the_lake_after_the_next_start(lake, empty_lake, tmp_path):
    with serving(lake, limits=LATER) as client:
        client.post(crashes(0, 5))
        kept = {path: path.read_bytes() for path in (lake.root / SPOOL).glob("*.segment")}
    other = Lake(Path(shutil.copytree(empty_lake, tmp_path / "other")))
    (other.root / SPOOL).mkdir()
    for path, data in kept.items():
        (other.root / SPOOL / path.name).write_bytes(data)
    with serving(other):
        pass
    assert crash_ids(other) == crash_ids(lake) == sorted(f"c{n}" for n in range(5))
    assert list((other.root / SPOOL).glob("*.segment")) == []


def test_a_segment_that_the_lake_has_is_not_taken_twice(lake):
    with serving(lake, limits=LATER) as client:
        client.post(crashes(0, 5) + b"bad")
        (segment,) = (lake.root / SPOOL).glob("*.segment")
        data = segment.read_bytes()
    before = booked(lake)
    segment.write_bytes(data)  # as if killed between the commit and this
    with serving(lake):
        pass
    assert booked(lake) == before == {"read": 6, "accepted": 5, "duplicates": 0, "quarantined": 1}
    assert len(quarantined(lake)) == 1
    assert not segment.exists()


@pytest.mark.slow
def test_a_torn_tail_is_cut_and_said(lake, empty_lake, tmp_path, caplog):
    with serving(lake, limits=LATER) as client:
        client.post(crashes(0, 2))
        client.post(crashes(2, 2), Idempotency_Key="k")
        (segment,) = (lake.root / SPOOL).glob("*.segment")
        data = segment.read_bytes()
    other = Lake(Path(shutil.copytree(empty_lake, tmp_path / "other")))
    (other.root / SPOOL).mkdir()
    (other.root / SPOOL / segment.name).write_bytes(data[:-30])
    with caplog.at_level("INFO", "fleetcrash.collector"), serving(other) as client:
        assert "cut " in caplog.text
        assert client.post(crashes(2, 2), Idempotency_Key="k").status == 202
    assert crash_ids(other) == ["c0", "c1", "c2", "c3"]
    assert booked(other) == {"read": 4, "accepted": 4, "duplicates": 0, "quarantined": 0}


def test_a_segment_that_cannot_be_read_holds_up_no_other_and_is_taken_once_it_can(
    lake, empty_lake, tmp_path, monkeypatch
):
    monkeypatch.setattr("ingest.collector.committer._RETRY_S", 0.0)
    with serving(lake, limits=LATER) as client:
        client.post(crashes(0, 1))
        (segment,) = (lake.root / SPOOL).glob("*.segment")
        data = segment.read_bytes()
    other = Lake(Path(shutil.copytree(empty_lake, tmp_path / "other")))
    (other.root / SPOOL).mkdir()
    (other.root / SPOOL / segment.name).write_bytes(data)
    read_bytes = Path.read_bytes

    def failing(path):
        if path.name == segment.name:
            raise OSError(errno.EIO, "Input/output error")
        return read_bytes(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", failing)
        with serving(other, limits=EAGER) as client:
            client.post(crashes(1, 1))
            until(lambda: len(rows_of(other, "crash")) == 1)
            until(lambda: segment.name in (client.get("/healthz").document["trouble"] or ""))
            patch.undo()
            until(lambda: client.get("/healthz").document["status"] == "ok")
    assert crash_ids(other) == ["c0", "c1"]
    assert list((other.root / SPOOL).glob("*.segment")) == []


@pytest.mark.parametrize("found", ["by the next start", "by the collector that wrote it"])
def test_what_was_damaged_is_kept_and_said_and_all_else_is_in_the_lake(lake, found, caplog):
    with serving(lake, limits=LATER) as client:
        for number in range(3):
            client.post(crashes(number, 1))
        (segment,) = (lake.root / SPOOL).glob("*.segment")
        data = bytearray(segment.read_bytes())
        data[data.index(b'"c1"') + 1] ^= 1
        segment.write_bytes(data)
        kept = segment.with_suffix(".damaged")
        if found == "by the next start":
            segment.rename(lake.root / "away")
    if found == "by the next start":
        kept.unlink(missing_ok=True)
        (lake.root / "away").rename(segment)
    with serving(lake, limits=EAGER) as client:
        until(kept.exists)
        until(lambda: client.get("/healthz").document["backlog_bytes"] == 0)  # counted after the file is put aside
        health = client.get("/healthz").document
        assert (health["status"], str(kept) in health["trouble"]) == ("degraded", True)
        assert "damaged_files 1\n" in client.get("/metrics").document
        assert client.post(crashes(3, 1)).status == 202, "it goes on"
        kept.rename(lake.root / "kept")
        assert client.get("/healthz").document["status"] == "ok"
    assert f"{kept} was damaged on its disk" in caplog.text
    assert (lake.root / "kept").read_bytes() == data
    assert crash_ids(lake) == ["c0", "c2", "c3"]


@given(lines=st.lists(st.binary(min_size=1, max_size=40), max_size=4), cut=st.integers(0, 400), flipped=st.integers(0))
def test_of_a_torn_or_damaged_segment_the_whole_bodies_are_read(tmp_path_factory, lines, cut, flipped):
    bodies = [Body(Description(f"b{n}", "/", n, 1), memoryview(each)) for n, each in enumerate(lines)]
    parts = [b"".join(body.packed()) for body in bodies]
    data = bytearray(b"".join(parts))
    path = tmp_path_factory.mktemp("segment") / "one"
    path.write_bytes(data)
    assert segments.read(path) == Segment(tuple(bodies), len(data))
    cut = min(cut, len(data))
    path.write_bytes(data[:cut])
    ends = np.cumsum([len(part) for part in parts])
    whole = int(np.searchsorted(ends, cut, side="right"))
    whole_bytes = sum(map(len, parts[:whole]))
    assert segments.read(path) == Segment(tuple(bodies[:whole]), whole_bytes, is_torn=cut > whole_bytes)
    if data:
        at = flipped % len(data)
        data[at] ^= 1
        path.write_bytes(data)
        hit = int(np.searchsorted(ends, at, side="right"))
        found = segments.read(path)
        assert found.bodies[:hit] == tuple(bodies[:hit])
        in_body = at - sum(map(len, parts[:hit])) >= HEAD_BYTES
        if in_body:
            assert found.bodies[hit:] == tuple(bodies[hit + 1 :])
        assert found.whole_bytes < len(data)
        assert not found.is_torn or (not in_body and hit == len(bodies) - 1), "nothing acknowledged is cut off"


# -- disks and lakes that fail


def fill(disk: Path) -> Path:
    """A file that leaves a small disk no byte."""
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free))
    assert not shutil.disk_usage(disk).free
    return filler


def test_a_body_whose_sender_was_given_up_holds_up_no_other(tmp_path):
    spool = Spool(tmp_path, LATER)
    bodies = [Body(Description(f"b{n}", "/", n, 1), b"{}\n") for n in range(3)]
    done = [spool.append(body) for body in bodies]
    assert done[1].cancel()
    spool.start()
    assert [done[n].result(60) for n in (0, 2)] == [None, None]
    spool.end()
    (segment,) = spool.closed()
    assert [body.description.batch_id for body in segments.read(segment).bodies] == ["b0", "b2"]
    assert spool.backlog_bytes == segment.stat().st_size
    spool.close()


@pytest.mark.variants
@pytest.mark.parametrize(
    ("error", "status"),
    [(OSError(errno.ENOSPC, "No space left"), 507), (OSError(errno.EIO, "Input/output"), 503), (MemoryError(), 503)],
    ids=["full", "broken", "no-memory"],
)
def test_what_could_not_be_synced_is_not_acknowledged_and_not_kept(lake, monkeypatch, error, status):
    def failing(_):
        raise error

    with serving(lake, limits=LATER) as client:
        assert client.post(crashes(0, 1)).status == 202
        with monkeypatch.context() as patch:
            patch.setattr("ingest.collector.spool.os.fdatasync", failing)
            answer = client.post(crashes(1, 1), Idempotency_Key="k")
            assert (answer.status, answer.headers["retry-after"]) == (status, "10")
            health = client.get("/healthz").document
            assert health["status"] == "degraded"
            assert health["trouble"].endswith(f"and its sender was answered {status}")
            assert "healthy 0\n" in client.get("/metrics").document
        assert client.post(crashes(2, 1), Idempotency_Key="k").status == 202
        assert client.get("/healthz").document["status"] == "ok"
    assert crash_ids(lake) == ["c0", "c2"]


def test_a_disk_that_fills_up_is_said_and_all_that_was_acknowledged_is_kept(small_disk):
    subprocess.run(["mount", "-o", "remount,size=6m", str(small_disk)], check=True)
    lake = Lake.create(small_disk / "lake")
    acknowledged = 0
    with serving(lake, limits=EAGER) as client:
        while (answer := client.post(crashes(acknowledged, 200, tags={"note": os.urandom(900).hex()}))).status == 202:
            acknowledged += answer.document["read"]
        assert (answer.status, answer.code) == (507, "disk_full")
        subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
        assert client.post(crashes(acknowledged, 1)).status == 202
    assert acknowledged >= 200
    assert crash_ids(lake) == sorted(f"c{n}" for n in range(acknowledged + 1))


@pytest.mark.variants
@pytest.mark.parametrize("left", ["nothing", "a collector that ended", "a collector that was killed"])
def test_on_a_full_disk_it_starts_says_so_and_goes_on_when_there_is_room(small_disk, left, caplog):
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    lake = Lake.create(small_disk / "lake")
    first = {"batch_id": None}
    if left == "a collector that ended":
        with serving(lake) as client:
            first = client.post(crashes(0, 1), Idempotency_Key="k").document
    elif left == "a collector that was killed":
        spool = Spool(lake.root / SPOOL, LATER)
        spool.start()
        spool.append(Body(Description("b", "/v1/records", 0, 1), crashes(0, 1))).result(60)
        spool.end()
        spool.close()
    filler = fill(small_disk)
    with serving(lake, limits=EAGER) as client:
        for key in ("k", None):
            answer = client.post(crashes(1, 1), Idempotency_Key=key)
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (507, "disk_full", "10")
        health = client.get("/healthz").document
        assert (health["status"], "full" in health["trouble"]) == ("degraded", True)
        assert "healthy 0\n" in client.get("/metrics").document
        filler.unlink()
        again = client.post(crashes(0, 1), Idempotency_Key="k")
        assert (again.status, client.post(crashes(1, 1)).status) == (202, 202)
        until(lambda: client.get("/healthz").document["status"] == "ok")
    if left == "a collector that ended":
        assert again.document["batch_id"] == first["batch_id"], "the key is known"
    assert crash_ids(lake) == ["c0", "c1"]
    assert f"the disk of {lake.root / SPOOL} is full, and senders are answered 507" in caplog.text
    assert [path.name for path in (lake.root / SPOOL).glob("*.segment")] == []


def test_a_spool_that_cannot_be_reached_is_said_and_it_goes_on_when_it_can(lake, tmp_path, caplog):
    spool, away = tmp_path / "spool", tmp_path / "away"
    with serving(lake, spool=spool) as client:
        spool.rename(away)  # as a file system that is no longer mounted
        for body in (crashes(0, 1), b""):
            answer = client.post(body, Idempotency_Key="k")
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "spool_unwritable", "10")
        health = client.get("/healthz")
        assert (health.status, health.document["status"]) == (200, "degraded")
        assert f"{spool} cannot be reached" in health.document["trouble"]
        assert "healthy 0\n" in client.get("/metrics").document
        away.rename(spool)
        assert client.post(crashes(0, 1), Idempotency_Key="k").status == 202
        assert client.get("/healthz").document["status"] == "ok"
    assert crash_ids(lake) == ["c0"]
    assert caplog.text.count("cannot be reached") == 1


def test_while_the_keys_cannot_be_read_what_has_one_is_not_taken(lake, monkeypatch):
    def failing(*_):
        raise sqlite3.OperationalError("disk I/O error")

    with serving(lake) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Keys, "_opened", failing)
            answer = client.post(crashes(0, 1), Idempotency_Key="k")
            assert (answer.status, answer.code) == (503, "keys_unreadable")
        assert client.post(crashes(0, 1), Idempotency_Key="k").status == 202
    assert crash_ids(lake) == ["c0"]


def test_a_lake_that_cannot_be_written_is_tried_again(lake, monkeypatch):
    monkeypatch.setattr("ingest.collector.committer._RETRY_S", 0.01)

    def failing(*_, **__):
        raise LakeError("the lake is away")

    with serving(lake, limits=EAGER) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Lake, "append", failing)
            assert client.post(crashes(0, 3)).status == 202
            until(lambda: client.get("/healthz").document["status"] == "degraded")
            assert "the lake is away" in client.get("/healthz").document["trouble"]
            assert "healthy 0\n" in client.get("/metrics").document
            assert client.post(crashes(3, 3)).status == 202
        until(lambda: client.get("/healthz").document["status"] == "ok")
    assert crash_ids(lake) == sorted(f"c{n}" for n in range(6))


def test_a_commit_that_does_not_come_to_an_end_is_told(lake, monkeypatch):
    """As on a file system over a network that is gone: it neither takes what is written nor refuses it."""
    monkeypatch.setattr("ingest.collector.committer._STUCK_S", 0.1)
    append, answers_again = Lake.append, threading.Event()

    def hanging(*arguments, **options):
        answers_again.wait()
        return append(*arguments, **options)

    with serving(lake, limits=EAGER) as client:
        try:
            monkeypatch.setattr(Lake, "append", hanging)
            assert client.post(crashes(0, 3)).status == 202
            until(lambda: "has not taken what waits" in str(client.get("/healthz").document["trouble"]))
            assert "healthy 0\n" in client.get("/metrics").document
        finally:
            answers_again.set()
        until(lambda: client.get("/healthz").document["status"] == "ok")
    assert crash_ids(lake) == ["c0", "c1", "c2"]


def test_a_commit_of_which_the_keys_cannot_be_kept_is_counted_once(lake, monkeypatch):
    monkeypatch.setattr("ingest.collector.committer._RETRY_S", 0.01)
    tried = []

    def failing(*_, **__):
        tried.append(1)
        raise sqlite3.OperationalError("disk I/O error")

    with serving(lake, limits=EAGER) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Keys, "_write", failing)
            assert client.post(crashes(0, 3), Idempotency_Key="k").status == 202
            until(lambda: len(tried) > 2)
        until(lambda: client.get("/healthz").document["status"] == "ok")
        told = client.get("/metrics").document
    for sample in ("commits_total 1", 'outcome="accepted"} 3', 'outcome="duplicates"} 0'):
        assert f"{sample}\n" in told


@pytest.mark.slow
def test_a_fault_of_ours_on_one_segment_holds_up_no_other(lake, monkeypatch, caplog):
    monkeypatch.setattr("ingest.collector.committer._RETRY_S", 0.0)
    judge = Intake.judge

    def failing(self, arrival):
        if b"poison" in arrival.lines.data:
            raise ZeroDivisionError
        return judge(self, arrival)

    with serving(lake, limits=EAGER) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Intake, "judge", failing)
            assert client.post(line("crash", crash_id="poison")).status == 202
            until(lambda: client.get("/healthz").document["status"] == "degraded")
            client.post(crashes(0, 3))
            until(lambda: len(rows_of(lake, "crash")) == 3)
        assert client.get("/healthz").document["status"] == "degraded"
    assert "a fault of ours" in caplog.text
    with serving(lake):
        pass
    assert crash_ids(lake) == ["c0", "c1", "c2", "poison"]


def test_a_compaction_that_cannot_be_started_is_no_fault_of_the_segment_before_it(lake, monkeypatch, caplog):
    start, refused = threading.Thread.start, []

    def failing(thread):
        if thread.name == "fleetcrash-compaction":
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr("ingest.collector.committer._COMPACT_EVERY", 1)
    with serving(lake, limits=EAGER) as client:
        monkeypatch.setattr(threading.Thread, "start", failing)
        client.post(crashes(0, 3))
        until(lambda: refused)
        client.post(crashes(3, 3))
        until(lambda: len(refused) > 1)
        assert client.get("/healthz").document["status"] == "ok"
    assert "could not be compacted: can't start new thread" in caplog.text
    assert crash_ids(lake) == sorted(f"c{n}" for n in range(6))


class Panic(BaseException):
    """As deltalake raises it."""


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [LakeError("no"), PermissionError("no"), duckdb.IOException("no"), Panic("no")])
def test_a_compaction_that_fails_is_logged_and_the_next_one_begins(lake, monkeypatch, caplog, error):
    begun = []

    def failing(lake, **_):
        begun.append(lake)
        raise error

    monkeypatch.setattr("ingest.collector.committer._COMPACT_EVERY", 1)
    monkeypatch.setattr("ingest.collector.committer.compact", failing)
    with serving(lake, limits=EAGER) as client:
        client.post(crashes(0, 3))
        until(lambda: begun)
        client.post(crashes(3, 3))
        until(lambda: len(begun) > 1)
        assert client.get("/healthz").document["status"] == "ok"
    assert caplog.text.count("the lake could not be compacted: no") >= 2
    assert crash_ids(lake) == sorted(f"c{n}" for n in range(6))


def test_the_log_remembers_no_segment_that_has_left_the_spool_but_the_last(lake):
    with serving(lake, limits=EAGER) as client:
        for number in range(3):
            client.post(crashes(number, 1))
            until(lambda: not list((lake.root / SPOOL).glob("*.segment")))
    taken = {row["batch_id"] for row in rows_of(lake, "batch")}
    assert len(taken) == 3
    for table in ("crash", "batch"):
        assert sum(lake.committed(table, name) for name in taken) == 1


@pytest.mark.slow
def test_two_collectors_do_not_share_a_spool_and_do_share_a_lake(lake, tmp_path):
    with serving(lake) as client:
        with pytest.raises(BadArgument, match=r"Another collector has the spool.*--spool"):
            Collector(lake)
        with serving(lake, spool=tmp_path / "spool") as other, ThreadPoolExecutor(4) as senders:
            list(senders.map(lambda n: (client, other)[n % 2].post(crashes(n, 5)), range(8)))
    # Two that commit one crash at the same moment both store it; who reads sees the earlier one.
    assert len(answers(lake, as_of=datetime.now(UTC))["crashes"]) == len(set(crash_ids(lake))) == 12
    assert booked(lake)["read"] == booked(lake)["accepted"] + booked(lake)["duplicates"] == 40


def test_a_spool_that_cannot_be_used_is_said(lake, tmp_path):
    (lake.root / SPOOL).write_text("in the way")
    with pytest.raises(BadArgument, match="cannot be written"):
        Collector(lake)
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "keys.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(BadArgument, match=r"keys\.sqlite cannot be used.*Without the file the collector starts"):
        Collector(lake, spool=tmp_path / "spool")
    (tmp_path / "spool" / "keys.sqlite").unlink()
    with serving(lake, spool=tmp_path / "spool") as client:
        assert client.post(crashes(0, 1)).status == 202


def test_a_collector_that_fails_to_start_leaves_its_spool_to_the_next(lake):
    def failing(*_, **__):
        raise PermissionError("no clock")

    with pytest.raises(PermissionError, match="no clock"):
        Collector(lake, clock=failing)
    with serving(lake) as client:
        assert client.post(crashes(0, 1)).status == 202
    assert crash_ids(lake) == ["c0"]


@pytest.mark.slow
def test_whatever_is_sent_is_accepted_a_duplicate_or_quarantined(lake):
    """Lines of any bytes, among them records with a field changed to anything."""
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
        max_leaves=4,
    )
    fields = [(kind, name) for kind in SOUND for name in SOUND[kind]]
    changed = st.tuples(st.sampled_from(fields), value).map(lambda one: line(one[0][0], **{one[0][1]: one[1]}))
    told = 2

    @settings(max_examples=25, deadline=None)
    @given(st.lists(changed | st.binary(max_size=30).filter(lambda raw: b"\n" not in raw), min_size=1, max_size=20))
    def send(client, lines):
        nonlocal told
        answer = client.post(b"\n".join(lines))
        assert answer.status == 202
        told += answer.document["read"]

    with serving(lake, limits=LATER) as client:
        client.post(crashes(0, 1) + b"bad")
        send(client)
    found = booked(lake)
    assert told == found["read"] == found["accepted"] + found["duplicates"] + found["quarantined"]
    assert len(quarantined(lake)) == found["quarantined"] > 0
    assert found["accepted"] > 0


def test_strange_records_are_put_aside_with_their_bytes(lake):
    deep = b'{"record":"crash","tags":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    strange = [
        b'{"record":"crash","crash_id":"\xff\xfe"}',
        deep,
        line("crash", crash_id="huge", uptime_s=None).replace(b"null", b"1e999"),
        line("crash", crash_id="late", occurred_at="9999-12-31T23:59:59Z"),
        line("crash", crash_id="nul", code="a\0b"),
        b"[1,2]",
        b'"' + b"x" * 1_000_000,
    ]
    html = line("crash", crash_id="<script>'; DROP TABLE crash; --", module="<img src=x onerror=alert(1)>")
    with serving(lake) as client:
        assert client.post(b"\n".join([*strange, html])).document["read"] == len(strange) + 1
    assert [row["raw"] for row in quarantined(lake)] == strange
    assert crash_ids(lake) == [json.loads(html)["crash_id"]]


def test_a_lake_that_is_away_for_a_while_under_load_loses_nothing_and_doubles_nothing(lake, monkeypatch):
    monkeypatch.setattr("ingest.collector.committer._RETRY_S", 0.01)
    table, away = lake.folder("crash"), lake.root / "away"
    acknowledged: list[int] = []
    numbers = itertools.count()
    ended = threading.Event()

    def send() -> None:
        while not ended.is_set():
            number = next(numbers)
            if client.post(crashes(number * 5, 5), Idempotency_Key=str(number)).status == 202:
                acknowledged.append(number)

    with serving(lake, limits=EAGER) as client, ThreadPoolExecutor(3) as senders:
        for _ in range(3):
            senders.submit(send)
        try:
            for _ in range(2):
                until(lambda: client.get("/healthz").document["status"] == "ok" and len(acknowledged) > 5)
                table.rename(away)  # root may write whatever the permissions say
                table.write_text("in the way")
                until(lambda: client.get("/healthz").document["status"] == "degraded")
                until(partial(lambda enough: len(acknowledged) > enough, len(acknowledged) + 5))
                table.unlink()
                away.rename(table)
            until(lambda: client.get("/healthz").document["status"] == "ok")
        finally:
            ended.set()
    assert crash_ids(lake) == sorted(f"c{number * 5 + n}" for number in acknowledged for n in range(5))
    assert booked(lake)["read"] == 5 * len(acknowledged)
