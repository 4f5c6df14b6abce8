"""What came in over the network and was put aside is taken in once the rules let it pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fleetcrash.errors import LakeError
from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store import Lake
from ingest import ndjson
from ingest.collector.limits import Limits
from ingest.load import load
from ingest.quarantine import listed, replay
from ingest.streams import BATCH_BYTES
from tests.dashboard.fleet import versions
from tests.ingest.collector.conftest import booked, crash_ids, serving
from tests.ingest.conftest import answers, full_disk, line, quarantined, rows_of, write

LATER = Limits(commit_every_s=3600)  # nothing is committed before the end


@pytest.fixture
def mend(monkeypatch):
    """Makes a rule let pass what it refused: an os_type of ``beos``."""

    def mended() -> None:
        columns = COLUMNS[Kind.CRASH]
        loose = [replace(one, values=(*one.values, "beos")) if one.name == "os_type" else one for one in columns]
        monkeypatch.setitem(COLUMNS, Kind.CRASH, tuple(loose))

    return mended


def refused(crash_id: str, **changes: object) -> bytes:
    return line("crash", crash_id=crash_id, os_type="beos", **changes) + b"\n"


def send(lake: Lake, *bodies: bytes, replays: bool = False) -> None:
    """To a collector that commits all of them in one batch."""
    with serving(lake, limits=LATER, replay=replays) as client:
        for body in bodies:
            assert client.post(body).status == 202


@pytest.mark.slow
def test_a_bad_body_that_is_sent_twice_is_taken_in_and_holds_up_no_other(lake, mend):
    send(lake, refused("twice"), refused("twice"))
    send(lake, refused("another"))
    assert len({row["batch_id"] for row in quarantined(lake)}) == 2
    mend()
    report, stay = replay(lake, now=datetime.now(UTC))
    assert (report.read, report.accepted, report.duplicates, stay) == (3, 2, 1, 0)
    assert crash_ids(lake) == ["another", "twice"]
    assert all(row["replayed_by"] for row in quarantined(lake))
    assert listed(lake)["quarantined"] == 0
    assert booked(lake) == {"read": 6, "accepted": 2, "duplicates": 1, "quarantined": 3}
    before = versions(lake)
    report, stay = replay(lake, now=datetime.now(UTC))
    assert (report.read, stay) == (0, 0)
    assert versions(lake) == before


@pytest.mark.variants
@pytest.mark.parametrize("batch_bytes", [BATCH_BYTES, 1])
def test_a_replay_that_dies_before_the_marks_counts_a_bad_body_that_was_sent_twice_no_second_time(
    lake, mend, monkeypatch, batch_bytes
):
    send(lake, refused("twice"), refused("twice") + refused("once"))
    mend()
    monkeypatch.setattr(ndjson, "BATCH_BYTES", batch_bytes)  # of 1 the two are read in two batches

    def never(*args, **named):
        raise LakeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "mark_replayed", never)
        with pytest.raises(LakeError):
            replay(lake, now=datetime.now(UTC))
    before = booked(lake)
    assert before == {"read": 6, "accepted": 2, "duplicates": 1, "quarantined": 3}
    report, stay = replay(lake, now=datetime.now(UTC))
    assert (report.read, report.accepted, report.duplicates, stay) == (3, 0, 3, 0)
    assert booked(lake) == before
    assert listed(lake)["quarantined"] == 0
    assert crash_ids(lake) == ["once", "twice"]


# -- when it is known

LONG_AGO = "2024-07-19T04:30:00Z"


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def known(lake: Lake, table: str = "crash") -> list[datetime]:
    """When the records of a table are known, all by ``received_at``."""
    rows = rows_of(lake, table)
    assert [row["received_at"] for row in rows] == [row["known_at"] for row in rows]
    return [row["known_at"] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("batch_bytes", [BATCH_BYTES, 1])
def test_it_is_known_from_the_replay_on_and_not_before(lake, mend, monkeypatch, batch_bytes):
    old = {"occurred_at": LONG_AGO, "received_at": LONG_AGO}
    send(lake, refused("a", **old) + refused("b", occurred_at=LONG_AGO, received_at=None), refused("c", **old))
    asked = datetime.now(UTC)
    before = answers(lake, as_of=asked)
    mend()
    monkeypatch.setattr("ingest.ndjson.BATCH_BYTES", batch_bytes)  # of 1 the three are read in three batches
    now = datetime.now(UTC) + timedelta(hours=1)
    report, stay = replay(lake, now=now)
    assert (report.accepted, stay) == (3, 0)
    assert known(lake) == [now] * 3
    assert answers(lake, as_of=asked) == before
    assert len(answers(lake, as_of=now)["crashes"]) == 3


def test_a_senders_clock_that_is_ahead_is_not_believed_at_the_replay_either(lake):
    ahead = {"occurred_at": in_hours(40), "received_at": in_hours(40)}
    send(lake, line("crash", crash_id="ahead", **ahead), line("crash", crash_id="bad", received_at="yesterday"))
    now = datetime.now(UTC) + timedelta(hours=31)
    report, stay = replay(lake, now=now)
    assert (report.accepted, stay) == (1, 1)
    assert known(lake) == [now]


def test_a_machine_whose_clock_was_set_back_makes_it_known_no_earlier_than_it_was_put_aside(lake, mend):
    send(lake, refused("c"))
    (aside,) = quarantined(lake)
    mend()
    replay(lake, now=aside["known_at"] - timedelta(days=2))
    assert known(lake) == [aside["known_at"]]


@pytest.mark.slow
def test_what_keeps_its_senders_clocks_keeps_them_at_the_replay(lake, mend, tmp_path):
    send(lake, refused("replayed", received_at="2024-07-19T04:10:00Z"), replays=True)
    load(lake, [write(tmp_path / "r.ndjson", [refused("loaded", received_at=LONG_AGO)[:-1]])], now=datetime.now(UTC))
    send(lake, refused("live", received_at=LONG_AGO))
    mend()
    now = datetime.now(UTC)
    replay(lake, now=now)
    times = {"replayed": datetime(2024, 7, 19, 4, 10, tzinfo=UTC), "loaded": datetime.fromisoformat(LONG_AGO)}
    assert {row["crash_id"]: row["known_at"] for row in rows_of(lake, "crash")} == {**times, "live": now}


@pytest.mark.slow
def test_the_same_bytes_by_a_file_and_by_the_network_are_one_crash_that_is_known_as_the_file_says(lake, mend, tmp_path):
    again = refused("c", received_at=LONG_AGO)
    send(lake, again)
    load(lake, [write(tmp_path / "r.ndjson", [again[:-1]])], now=datetime.now(UTC))
    mend()
    now = datetime.now(UTC)
    report, stay = replay(lake, now=now)
    assert (report.read, report.accepted, report.duplicates, stay) == (2, 1, 1, 0)
    for as_of in (now, datetime.fromisoformat(LONG_AGO)):
        assert len(answers(lake, as_of=as_of)["crashes"]) == 1


@pytest.mark.slow
def test_a_session_that_is_taken_in_again_is_a_duplicate_and_is_known_no_later(lake):
    session = line("session", online_from=in_hours(30)) + b"\n"
    now = datetime.now(UTC) + timedelta(hours=31)
    accepted = []
    for number in range(2):
        send(lake, session + line("heartbeat", host_id=f"h{number}", at=in_hours(30)))
        report, stay = replay(lake, now=now + timedelta(hours=number))
        accepted.append((report.read, report.accepted, report.duplicates, stay))
    assert accepted == [(2, 2, 0, 0), (2, 1, 1, 0)]
    assert known(lake, "session") == [now]


@pytest.mark.slow
@pytest.mark.parametrize("fatal", ["session", "batch", "mark"])
def test_a_replay_that_dies_is_completed_by_one_at_another_time(lake, mend, fatal):
    send(lake, refused("c") + line("session", online_from=in_hours(30)) + b"\n" + refused("c"))
    mend()
    now = datetime.now(UTC) + timedelta(hours=31)
    with full_disk(fatal), pytest.raises(LakeError):
        replay(lake, now=now)
    _, stay = replay(lake, now=now + timedelta(hours=1))
    assert stay == 0
    assert booked(lake) == {"read": 6, "accepted": 2, "duplicates": 1, "quarantined": 3}
    assert (len(known(lake)), len(known(lake, "session"))) == (1, 1)
    assert min(known(lake)) == now
    assert listed(lake)["quarantined"] == 0
