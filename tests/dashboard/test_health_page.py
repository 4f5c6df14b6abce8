"""Data health: what came in, how late, what was put aside; a problem stands above every page, and only a problem."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.alerts import receivers
from dashboard.health import problems
from dashboard.health_tables import raw_words
from dashboard.incidents import Judgement
from dashboard.snapshot import LakeState, Snapshot
from fleetcrash.store import Engine, Lake
from monitor.alerts.message import Event, compose, other_content
from monitor.alerts.outbox import Outbox
from tests.dashboard.fleet import append_rows, outage, tick

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATE = timedelta(minutes=6)


def _snapshot(
    *,
    newest: timedelta = timedelta(0),
    batch: timedelta = timedelta(0),
    ticked: timedelta | None = timedelta(0),
    judged: timedelta | None = None,
    problem: str = "",
    **health: Any,
) -> Snapshot:
    """A live lake; times are before ``NOW``."""
    as_of = NOW - newest
    judgement = None if ticked is None else Judgement(as_of if judged is None else NOW - judged, NOW - ticked)
    return Snapshot(
        number=1,
        state=LakeState.READY,
        root=Path("lake"),
        problem=problem,
        as_of=as_of,
        fleet={"last_batch_at": NOW - batch},
        judgement=judgement,
        health=health,
    )


QUIET = {
    "live": _snapshot(newest=timedelta(seconds=20)),
    "live_and_never_judged": _snapshot(ticked=None),
    "replayed": _snapshot(newest=timedelta(days=600)),
    "loaded_long_ago": _snapshot(newest=timedelta(days=600), batch=timedelta(days=9), ticked=None),
    "judged_long_ago": _snapshot(newest=timedelta(days=600), batch=timedelta(days=9), ticked=timedelta(days=9)),
    "one_in_a_hundred_put_aside": _snapshot(read_1d=1_000, quarantined_1d=10),
    "beats_come": _snapshot(beats_1d=True, beats_lately=True),
    "a_replay_without_beats": _snapshot(newest=timedelta(days=9), beats_1d=True, beats_lately=False),
    "no_lake": Snapshot(number=0, state=LakeState.MISSING, root=Path("lake"), problem="holds no lake"),
    "empty": Snapshot(number=1, state=LakeState.EMPTY, root=Path("lake")),
}


@pytest.mark.parametrize("snapshot", QUIET.values(), ids=QUIET)
def test_a_sound_lake_has_no_problem(snapshot: Snapshot):
    assert problems(snapshot, NOW) == []


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (_snapshot(problem="disk on fire."), "The lake cannot be read right now: disk on fire."),
        (_snapshot(newest=LATE, batch=LATE, judged=LATE, ticked=LATE), "The feed is silent"),
        (_snapshot(beats_1d=True, beats_lately=False), "Heartbeats have stopped"),
        (_snapshot(judged=timedelta(minutes=4), ticked=timedelta(minutes=4)), "The monitor has stopped or is behind"),
        (_snapshot(newest=timedelta(days=9), ticked=timedelta(minutes=4)), "The monitor has stopped or is behind"),
        (_snapshot(read_1d=1_000, quarantined_1d=11), "1.1 % of the records read in the day up to the last batch"),
        (_snapshot(unbalanced=1, batches=7), "The books do not add up: in 1 of 7 batches"),
    ],
    ids=["unreadable", "silent", "beats", "behind_live", "behind_replay", "quarantined", "books"],
)
def test_each_problem_is_a_sentence(snapshot: Snapshot, said: str):
    found = problems(snapshot, NOW)
    assert len(found) == 1
    assert said in found[0]


def test_an_empty_lake_says_that_everything_was_put_aside():
    health = {"read_1d": 5, "quarantined_1d": 5}
    assert "100.0 %" in problems(Snapshot(1, LakeState.EMPTY, Path("lake"), health=health), NOW)[0]


@pytest.mark.parametrize(
    ("raw", "cut", "said"),
    [
        (b'{"record":"crash"}', False, '{"record":"crash"}'),
        ("naïve".encode()[:3], True, "na … cut"),
        ("naïve".encode()[:3], False, "hex 6e 61 c3"),
        (b"a\x00\x1b[31mb\n", False, "a\ufffd\ufffd[31mb\ufffd"),
        (b"\xff" * 40, True, "hex " + "ff " * 31 + "ff … 8+ more bytes"),
        (b"", False, ""),
    ],
    ids=["text", "cut_in_a_character", "broken", "control", "binary", "nothing"],
)
def test_raw_bytes_are_shown_as_text_or_hex(raw: bytes, cut: bool, said: str):
    assert raw_words(raw, cut=cut, limit=240) == said


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return outage(tmp_path / "lake")


def _put_aside(lake: Lake, raw: bytes, reason: str = "not_json", **counts: int) -> None:
    append_rows(
        lake,
        "quarantine",
        [
            {
                "source": "bad.ndjson",
                "line": 3,
                "reason": reason,
                "raw": raw,
                "known_at": datetime.now(UTC),
                "batch_id": "x",
            }
        ],
        batch_id="x",
    )
    told = {"read": 1, "accepted": 0, "duplicates": 0, "quarantined": 1, **counts}
    row = {"batch_id": "x", "source": "bad.ndjson", "loaded_at": datetime.now(UTC), **told}
    append_rows(lake, "batch", [row], batch_id="book x")


def test_a_sound_lake_says_so_and_counts_every_feed(lake: Lake, health_page):
    tick(lake, [])
    page = health_page(lake.root)
    assert "Nothing is wrong with the data." in page.text
    assert "Something is wrong" not in page.text
    feeds = page.table("Lag by feed")
    assert feeds["Crashes"][3] == "64"
    assert feeds["Heartbeats"][3] == "none"
    assert feeds["Sessions"][3] == "60"
    assert "Nothing is put aside." in page.text


def test_gaps_of_the_day_are_listed(lake: Lake, health_page):
    gaps = health_page(lake.root).table("Gaps")
    assert gaps["12:28"] == ["12:28", "14:00", "92 min"]


def test_what_was_put_aside_is_shown_by_reason_and_stands_above_every_page(lake: Lake, health_page, overview):
    tick(lake, [])
    _put_aside(lake, b"<script>alert(1)</script>\xc3")
    page = health_page(lake.root)
    assert page.table("Quarantine by reason")["not_json"][1:3] == ["1", "1"]
    assert "hex 3c 73 63 72" in page.text
    assert "50.0 % of the records read in the day up to the last batch were put aside: 1 of 2" in page.text
    assert "Nothing is wrong" not in page.text
    elsewhere = overview(lake.root)
    assert "Something is wrong with the data." in elsewhere.text
    assert 'href="health"' in elsewhere.markup


def test_who_is_told_of_incidents_and_who_did_not_hear(lake: Lake, health_page):
    assert "Alerts" not in health_page(lake.root).text
    content = other_content("test", starts_at=1.8e9, ends_at=None, summary="x")
    message = compose("inc-1", 1, Event.OPENED, content, changed=[])
    with Outbox(lake.root) as outbox:
        outbox.open_to(["chat", "oncall"], now=1.8e9)
        kept = outbox.tell("incident", message, "", receivers=["chat", "oncall"], now=1.8e9)
        outbox.delivered("oncall", kept, 1.8e9)
        outbox.down("chat", "HTTP 503: <img src=x>", now=1.8e9, next_at=1.8e9)
        page = health_page(lake.root)
    told = page.table("Alerts")
    assert told["oncall"] == ["oncall", "15 Jan 2027 08:00", "0", "–"]
    assert told["chat"][1:3] == ["never", "1"]
    assert told["chat"][3].startswith("HTTP 503: <img src=x> (15 Jan 2027")
    assert "<img" not in page.markup


def test_an_outbox_that_this_user_may_not_look_at_is_not_told_of(lake: Lake):
    Outbox(lake.root).close()
    (lake.root / "_alerts").chmod(0)
    mine = os.geteuid()
    os.seteuid(mine or 65534)  # root may look at anything
    try:
        assert receivers(lake.root) is None
    finally:
        os.seteuid(mine)
        (lake.root / "_alerts").chmod(0o700)


def test_books_that_cannot_be_counted_take_nothing_else_along(lake: Lake, health_page, monkeypatch):
    answer = Engine.frame

    def failing(self: Engine, query: str, **parameters: object) -> object:
        if query == "books_now":
            raise RuntimeError("disk on fire")
        return answer(self, query, **parameters)

    monkeypatch.setattr(Engine, "frame", failing)
    page = health_page(lake.root)
    assert page.text.count("Books: this could not be counted") == 2
    assert page.table("Gaps")


def test_hostile_bytes_stay_text(lake: Lake, health_page):
    _put_aside(lake, b"<img src=x onerror=alert(1)>\n=1")
    page = health_page(lake.root)
    assert "<img" not in page.markup
    assert "&lt;img src=x" in page.markup


def test_books_that_do_not_add_up_are_said(lake: Lake, health_page):
    _put_aside(lake, b"x", read=3)
    page = health_page(lake.root)
    assert "This does not add up: in 1 of" in page.text
    assert "The books do not add up" in page.text


def test_a_lake_of_refused_records_alone_is_not_an_empty_page(tmp_path: Path, health_page, overview):
    lake = Lake.create(tmp_path / "lake")
    _put_aside(lake, b"x")
    page = health_page(lake.root)
    assert page.table("Quarantine by reason")["not_json"][1] == "1"
    assert "No record was accepted yet" in page.text
    assert "Put aside as it came in: 1 record. Data health" in overview(lake.root).text


def test_a_lake_without_anything_says_what_to_load(tmp_path: Path, health_page):
    Lake.create(tmp_path / "lake")
    assert "The lake is empty" in health_page(tmp_path / "lake").text
