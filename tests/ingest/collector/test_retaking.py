"""What came in over the network and was put aside is taken in once the rules let it pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fleetcrash.errors import LakeError
from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store import Lake
from ingest import ndjson
from ingest.collector.limits import Limits
from ingest.quarantine import listed, replay
from ingest.streams import BATCH_BYTES
from tests.dashboard.fleet import versions
from tests.ingest.collector.conftest import booked, crash_ids, serving
from tests.ingest.conftest import line, quarantined

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


def send(lake: Lake, *bodies: bytes) -> None:
    """To a collector that commits all of them in one batch."""
    with serving(lake, limits=LATER) as client:
        for body in bodies:
            assert client.post(body).status == 202


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
