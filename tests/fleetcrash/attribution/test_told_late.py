"""What is told late, or taken back, changes no answer of before; and who reads on counts as who begins anew does."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.detector import Detector
from fleetcrash.attribution.reading import read_news
from fleetcrash.store import Engine, Lake
from monitor.loop import Monitor
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.live import followed
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS = 40
CUT_OFF, BACK = 200, 240


def hosts(count: int = HOSTS, **attributes: object) -> list[Row]:
    return [{"host_id": f"h{number}", "os_type": "windows", **attributes} for number in range(count)]


def online(lake: Lake, minute: float) -> dict[tuple[str | None, ...], float]:
    """How many hosts are at risk by what is known of a minute, by agent version and region."""
    with Engine(lake, as_of=at(minute)) as engine:
        detector = Detector(read_news(engine))
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
    counted = detector._inquiry.expected.time.online.sum(1)
    return {
        (cell.attributes[3], cell.region): float(count)
        for cell, count in zip(detector.news.cells, counted, strict=True)
        if count
    }


def cut_off(*, always_on: bool) -> World:
    """Half of the hosts lose their network for forty minutes; their heartbeats are held up, and come then."""
    world: World = {"host": hosts(always_on=always_on, region="eu"), "heartbeat": []}
    for number in range(HOSTS):
        for minute in range(0, 330, 5):
            is_held_up = number < HOSTS // 2 and CUT_OFF <= minute < BACK
            received = at(BACK + 0.5 if is_held_up else minute)
            world["heartbeat"].append({"host_id": f"h{number}", "at": at(minute), "received_at": received})
    world["crash"] = [crash_of(number, minute) for number, minute in enumerate((10, 180, 245, 300), HOSTS // 2)]
    return world


def test_heartbeats_that_were_held_up_do_not_undo_a_silence_that_was_known(empty_lake):
    with lake_of(cut_off(always_on=True), empty_lake) as lake:
        before, after = (incidents(lake, as_of=at(minute))["incidents"] for minute in (BACK - 5, BACK + 20))
        assert [one["alarm_at"] for one in before] == [one["alarm_at"] for one in after] != []
        assert before[0]["history"] == after[0]["history"][: len(before[0]["history"])]
        *_, said = followed(lake, [at(BACK - 2), at(BACK + 2), at(BACK + 60)])
        assert said["incidents"] == incidents(lake, as_of=at(BACK + 60))["incidents"]


@pytest.mark.parametrize("always_on", [True, False])
def test_and_who_sent_them_is_one_host(empty_lake, always_on):
    with lake_of(cut_off(always_on=always_on), empty_lake) as lake:
        half = {(None, "eu"): HOSTS / 2}
        assert online(lake, BACK - 5) == half
        assert online(lake, 320) == {(None, "eu"): HOSTS}


def test_of_sessions_without_an_end_the_last_counts(empty_lake):
    told: World = {
        "host": hosts(10),
        "session": [
            {"host_id": f"h{number}", "online_from": at(60 * boot)} for number in range(10) for boot in range(4)
        ],
        "crash": [crash_of(1, 50)],
    }
    with lake_of(told, empty_lake) as lake:
        assert online(lake, 220) == {(None, None): 10.0}


def test_a_session_by_a_clock_that_is_ahead_begins_when_it_is_told(empty_lake):
    ahead = timedelta(hours=5)
    told: World = {
        "host": hosts(2),
        "session": [{"host_id": "h1", "online_from": at(0) + ahead, "received_at": at(0)}],
        "crash": [{**crash_of(1, 12), "occurred_at": at(12) + ahead}],
    }
    with lake_of(told, empty_lake) as lake:
        assert online(lake, 20) == {(None, None): 1.0}


def test_an_older_version_that_is_told_later_is_not_what_a_host_runs(empty_lake):
    told: World = {
        "host": hosts(1, agent_version="7.10"),
        "session": [{"host_id": "h0", "online_from": at(0)}],
        "update": [
            {"update_id": version, "kind": "agent", "version": version, "released_at": at(0)}
            for version in ("7.11", "7.12")
        ],
        "install": [
            {"host_id": "h0", "update_id": "7.12", "applied_at": at(20)},
            {"host_id": "h0", "update_id": "7.11", "applied_at": at(10), "received_at": at(50)},
        ],
        "crash": [crash_of(0, 5)],
    }
    with lake_of(told, empty_lake) as lake:
        assert [list(online(lake, minute)) for minute in (30, 60)] == [[("7.12", None)]] * 2


def test_an_upgrade_counts_from_when_the_catalogue_tells_what_it_is(empty_lake):
    told: World = {
        "host": [*hosts(4, agent_version="7.11", region="eu"), {**hosts(5, region="us")[4], "received_at": at(25)}],
        "session": [{"host_id": f"h{number}", "online_from": at(0)} for number in range(5)],
        "update": [
            {"update_id": "a", "kind": "agent", "version": "7.12", "released_at": at(19), "received_at": at(60)}
        ],
        "install": [{"host_id": "h0", "update_id": "a", "applied_at": at(20)}],
        "crash": [crash_of(3, 5)],
    }
    with lake_of(told, empty_lake) as lake:
        assert online(lake, 59) == {("7.11", "eu"): 4.0, (None, "us"): 1.0}
        assert online(lake, 61) == {("7.11", "eu"): 3.0, ("7.12", "eu"): 1.0, (None, "us"): 1.0}
        with Engine(lake, as_of=at(61)) as engine:
            cells = [(cell.attributes[3], cell.region) for cell in read_news(engine).cells]
        assert cells[1:] == [("7.11", "eu"), (None, "us"), ("7.12", "eu")]


def test_a_catalogue_that_comes_an_hour_late_moves_no_name(empty_lake):
    """Until it tells that one of two updates took the place of the other, both were on the hosts."""
    random = Random(1)
    told: World = {
        "host": hosts(600),
        "session": [{"host_id": f"h{number}", "online_from": at(-3000)} for number in range(600)],
        "update": [
            {"update_id": name, "kind": "content", "channel": "1", "released_at": at(0), "received_at": at(60)}
            for name in ("first", "second")
        ],
        "install": [],
        "crash": [crash_of(number, -2000 + 37 * number % 1900) for number in range(500, 520)],
    }
    for number in range(300):
        got = random.uniform(0, 5)
        told["install"] += [
            {"host_id": f"h{number}", "update_id": name, "applied_at": at(got + after)}
            for name, after in (("first", 0.0), ("second", 0.3))
        ]
        if number % 4 == 0:
            told["crash"].append(crash_of(number, got + 0.3 + random.uniform(0.5, 4)))
    with lake_of(told, empty_lake) as lake:
        before, after = (incidents(lake, as_of=at(minute))["incidents"][0] for minute in (59, 61))
    assert {name: before[name] for name in ("alarm_at", "named_at", "history")} == {
        name: after[name] for name in ("alarm_at", "named_at", "history")
    }


def test_a_session_end_that_is_taken_back_has_the_past_judged_again(lake: Lake):
    append_rows(lake, "host", hosts(30, always_on=True))
    append_rows(lake, "session", [{"host_id": f"h{number}", "online_from": at(-600)} for number in range(30)])
    ended = {"host_id": "h3", "online_from": at(-600), "online_until": at(20), "received_at": at(32)}
    append_rows(lake, "session", [ended], batch_id="ended")
    append_rows(lake, "crash", [crash_of(9, 1)])
    append_rows(lake, "session", [{"host_id": "talker", "online_from": at(60)}], batch_id="first")
    now = [at(60.5).timestamp()]
    monitor = Monitor(lake, clock=lambda: now[0])

    def looked() -> tuple[list[str], int]:
        monitor.look()
        detector = monitor._detector
        assert detector is not None
        return detector.news.events.host.tolist(), detector._claims.taken.size

    assert looked() == (["h9", "h3"], 2)
    back = {**ended, "online_until": None, "received_at": at(61)}
    append_rows(lake, "session", [back, {"host_id": "talker", "online_from": at(63)}], batch_id="second")
    now[0] = at(63.5).timestamp()
    assert looked() == (["h9"], 1)
    monitor.close()
