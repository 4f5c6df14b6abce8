"""Conditions, figures and times in words, and the age of the data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.banner import quiet_banner
from dashboard.freshness import freshness
from dashboard.incidents import Judgement, read_judgement
from dashboard.markup import markdown_text, text
from dashboard.selection import Selection
from dashboard.snapshot import LakeState, Snapshot
from dashboard.wording import ago, clock, condition_words, counted, percent, plain, rate, times, wave_words, whom

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (None, "not determined yet"),
        ({}, "all exposed hosts"),
        ({"os_type": "windows", "agent_version": ">=7.11"}, "Windows, agent ≥ 7.11"),
        ({"os_type": "darwin"}, "macOS"),
        ({"os_build": ">=22631 <22632"}, "OS build ≥ 22631 and < 22632"),
        ({"agent_version": "<7.11"}, "agent < 7.11"),
        ({"os_type": "linux", "with_update": "driver-3"}, "Linux, together with driver-3"),
        ({"agent_version": "7.*"}, "agent 7.*"),
    ],
)
def test_a_condition_in_words(condition: dict[str, str] | None, said: str):
    assert condition_words(condition) == said


def test_whom_it_hits():
    assert whom({"os_type": "windows", "agent_version": ">=7.11"}) == "Windows hosts, agent ≥ 7.11"
    assert whom({}) == "hosts of every kind that have it"
    assert "still open" in whom(None)


def test_near_certainty_is_not_rounded_up():
    assert [percent(each) for each in (0.998, 0.99999, 0.0002, 0.0, None)] == [
        "99.8 %", "> 99.9 %", "< 0.1 %", "0.0 %", "–",
    ]  # fmt: skip


def test_rates_and_ratios():
    assert [rate(each) for each in (None, 0.0, 4.2e-5, 0.00123, 0.0523, 2.308)] == [
        "–", "0", "0.042", "1.23", "52.3", "2\u202f308",
    ]  # fmt: skip
    assert [times(each) for each in (1.0, 9.96, 842.0)] == ["× 1.0", "× 10.0", "× 842"]


def test_a_wave_in_words():
    begun, beside = " from 2026-03-04T12:01:00Z", datetime(2026, 3, 4, 14, tzinfo=UTC)
    assert [wave_words(f"{hit}{begun}", beside=beside) for hit in ("macOS", "Windows, agent ≥ 7.11")] == [
        "macOS from 12:01 UTC (wave)", "Windows, agent ≥ 7.11 from 12:01 UTC (wave)",
    ]  # fmt: skip
    later = beside + timedelta(days=1)  # a time of day alone would be taken for today's
    assert wave_words(f"OS build 19045.1{begun}", beside=later) == "OS build 19045.1 from 4 Mar 12:01 UTC (wave)"
    assert [wave_words(name) for name in ("the whole fleet", "hosts from here")] == [
        "the whole fleet (wave)", "hosts from here (wave)",
    ]  # fmt: skip


def test_one_is_no_plural():
    assert [counted(each, "crash") for each in (None, 0, 1, 2)] == ["– crashes", "0 crashes", "1 crash", "2 crashes"]
    assert [counted(each, "host") for each in (1, 1200)] == ["1 host", "1\u202f200 hosts"]


def test_times_are_utc_and_dated_where_the_day_differs():
    assert clock(NOW, beside=NOW) == "12:00 UTC"
    assert clock(NOW, beside=NOW + timedelta(days=1)) == "4 Mar 12:00 UTC"
    assert clock(NOW, beside=NOW + timedelta(days=400)) == "4 Mar 2026 12:00 UTC"
    assert [ago(each) for each in (3, 119, 120, 7300, 200_000)] == [
        "3 s",
        "119 s",
        "2 min",
        "2 h 1 min",
        "2 d 7 h",
    ]


def test_control_characters_and_overrides_are_shown_as_such():
    assert plain("a\nb\u202ec") == "a\ufffdb\ufffdc"
    assert text('<a href="x">') == "&lt;a href=&quot;x&quot;&gt;"
    assert markdown_text("**[x](y)**") == "\\*\\*\\[x\\]\\(y\\)\\*\\*"


def test_points_are_as_fine_as_can_be_told_apart_and_no_finer_than_the_crashes():
    day = Selection(NOW - timedelta(hours=24), NOW)
    assert day.bucket_s(10_000) == 300
    assert day.bucket_s(0) == 3600
    assert day.bucket_s(100) == 900
    assert Selection(NOW - timedelta(hours=1), NOW).bucket_s(10_000) == 60
    moved = Selection(NOW - timedelta(hours=24, seconds=77), NOW).aligned()
    assert moved.since == NOW - timedelta(hours=25)


def _snapshot(
    as_of: datetime, *, batch_at: datetime | None = None, tick: tuple[datetime, datetime] | None = None
) -> Snapshot:
    judgement = Judgement(*tick) if tick else None
    return Snapshot(
        1, LakeState.READY, Path("lake"), as_of=as_of, fleet={"last_batch_at": batch_at}, judgement=judgement
    )


def test_a_live_feed_has_an_age():
    told = freshness(_snapshot(NOW, batch_at=NOW, tick=(NOW, NOW)), NOW + timedelta(seconds=12))
    assert told.live
    assert (told.card.label, told.card.value, told.card.kind) == ("Age of the data", "12 s", "")
    assert told.card.more == "last batch 12 s ago, judged 12 s ago"


def test_a_silent_feed_is_no_stopped_monitor():
    told = freshness(_snapshot(NOW, batch_at=NOW, tick=(NOW, NOW)), NOW + timedelta(minutes=14))
    assert told.card.kind == "late"
    assert "feed silent" in told.card.more
    assert "stopped" not in told.card.more


def test_a_monitor_that_lets_what_arrived_lie_is_stopped():
    later = NOW + timedelta(minutes=9)
    told = freshness(_snapshot(later, batch_at=later, tick=(NOW, NOW)), later + timedelta(seconds=5))
    assert told.card.kind == "late"
    assert "monitor stopped, last judged 9 min ago" in told.card.more
    ours = NOW + timedelta(days=90)
    replayed = _snapshot(NOW, batch_at=ours, tick=(NOW, ours - timedelta(minutes=9)))
    assert "monitor stopped" in freshness(replayed, ours + timedelta(seconds=1)).card.more


def test_quiet_is_claimed_only_of_what_was_looked_at():
    later = NOW + timedelta(minutes=14)
    said = []
    for newest, at in ((NOW, NOW), (NOW, later), (later, later)):
        snapshot = _snapshot(newest, batch_at=newest, tick=(NOW, NOW))
        assert snapshot.judgement is not None
        said.append(quiet_banner(snapshot.judgement, freshness(snapshot, at)))
    assert "All quiet" in said[0]
    assert "No incident was open at 4 Mar 2026 12:00 UTC; nothing has come in since" in said[1]
    assert "No incident was open at 4 Mar 2026 12:00 UTC; what has come in since is not judged" in said[2]
    assert not any("quiet" in each for each in said[1:])


def test_a_replay_has_fleet_time():
    ours = NOW + timedelta(days=90)
    told = freshness(_snapshot(NOW, batch_at=ours, tick=(NOW, ours)), ours + timedelta(seconds=3))
    assert not told.live
    assert (told.card.label, told.card.value, told.card.unit) == ("Fleet time", "12:00", "UTC")
    assert "replay; last batch 3 s ago" in told.card.more
    paused = freshness(_snapshot(NOW, batch_at=ours, tick=(NOW, ours)), ours + timedelta(minutes=9))
    assert "not receiving" in paused.card.more


def test_a_loaded_lake_without_monitor_is_not_live():
    told = freshness(_snapshot(NOW, batch_at=NOW + timedelta(days=2)), NOW + timedelta(days=2, seconds=5))
    assert not told.live
    assert "not judged" in told.card.more


@pytest.mark.parametrize(
    "document",
    [
        "", "null", "[]", "{", '{"incidents": [1]}', '{"incidents": [{}]}', "[" * 100_000,
        '{"incidents": [{"incident_id": "inc-1", "impact": {"dark": 1e999}}]}',
        '{"incidents": [{"incident_id": "inc-1", "alarm_at": "0001-01-01T00:00:00+14:00"}]}',
    ],
)  # fmt: skip
def test_a_document_that_is_none_is_said_and_survived(document: str):
    assert read_judgement(NOW, NOW, document).unreadable or not read_judgement(NOW, NOW, document).incidents
