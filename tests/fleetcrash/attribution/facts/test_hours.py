"""Hours of the day: what comes at one hour every day is usual then; what came on one day is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.facts.hours import HOURS, Hours, hour_of
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine
from fleetcrash.times import DAY
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

FIRST_DAY = 19_900
NIGHT, NOON = 2, 12


def watched(by_day: list[dict[int, int]], *, a_minute: float = 0.5, told: float = 1.0) -> Hours:
    """Days with so many events in some hours, and as many as expected in all others; of one outcome.

    Args:
        told: the share of each day in which anybody would say if one happened.
    """
    hours = Hours(1)
    for day, events in enumerate(by_day, FIRST_DAY):
        for minute in range(day * DAY, (day + 1) * DAY):
            hours.expect(minute, np.array([a_minute]), np.array([minute % DAY < told * DAY]))
        for hour in range(HOURS):
            count = events.get(hour, round(60 * a_minute))
            hours.count(np.full(count, day * DAY + 60 * hour), np.zeros(count, np.int64))
    return hours


def factors(by_day: list[dict[int, int]], **more: float) -> np.ndarray:
    """(HOURS,) what is taken on the day after."""
    return watched(by_day, **more).factors(FIRST_DAY + len(by_day))[0]


BUSY = {11: 90, 12: 90, 13: 90}


def test_the_hour_of_a_minute_is_that_of_the_clock():
    assert [hour_of(FIRST_DAY * DAY + minute) for minute in (0, 59, 60, DAY - 1)] == [0, 0, 1, 23]


@pytest.mark.parametrize("days", [2, 3, 4, 10])
def test_what_comes_at_noon_every_day_is_usual_at_noon(days):
    usual = factors([BUSY] * days)
    assert usual[NOON] > 2.0
    assert usual[NIGHT] == pytest.approx(usual[20])
    assert usual[NIGHT] < 1.0
    assert usual.mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("days", [2, 3, 4, 10])
@pytest.mark.parametrize("outage", [0, 1])
def test_an_outage_of_one_day_is_not(days, outage):
    by_day: list[dict[int, int]] = [{}] * days
    by_day[outage] = {11: 500, 12: 5000, 13: 500}
    assert factors(by_day) == pytest.approx(np.ones(HOURS), abs=0.05)


def test_one_day_tells_nothing_nor_does_the_one_that_is_not_over():
    assert (factors([BUSY]) == 1.0).all()
    assert (watched([BUSY] * 2).factors(FIRST_DAY + 1) == 1.0).all()


def test_a_day_of_which_hours_are_not_told_tells_nothing():
    assert (factors([BUSY] * 2, told=0.9) == 1.0).all()


def test_a_few_events_tell_little():
    some = factors([{NOON: 1}, {NOON: 1}], a_minute=0.001)
    assert 1.0 < some[NOON] < 1.5


def test_days_of_more_than_four_weeks_ago_are_forgotten():
    assert factors([BUSY] * 28 + [{}] * 28) == pytest.approx(np.ones(HOURS), abs=0.01)


def test_an_event_that_is_told_weeks_later_is_no_other_days():
    hours = watched([{}] * 30)
    before = hours.factors(FIRST_DAY + 30)
    hours.count(np.full(1000, FIRST_DAY * DAY + 60 * NOON), np.zeros(1000, np.int64))
    assert (hours.factors(FIRST_DAY + 30) == before).all()


HOSTS, DAYS = 600, 5
OFFICE = range(10 * 60, 15 * 60)
BY_DAY, BY_NIGHT = 2, 20  # minutes from one crash to the next
PUSHED = 3 * DAY + OFFICE.start - 10


def office() -> World:
    """Hosts that are always online and crash more often by day, and on the fourth get an update just before they do."""
    hosts = [f"h{number}" for number in range(HOSTS)]
    minutes = [
        day * DAY + minute
        for day in range(DAYS)
        for minute in range(DAY)
        if minute % (BY_DAY if minute in OFFICE else BY_NIGHT) == 1
    ]
    return {
        "host": [{"host_id": host, "os_type": "windows", "region": "a"} for host in hosts],
        "update": [{"update_id": "content", "kind": "content", "released_at": at(PUSHED)}],
        "session": [{"host_id": host, "online_from": at(-900)} for host in hosts],
        "install": [{"host_id": host, "update_id": "content", "applied_at": at(PUSHED)} for host in hosts],
        "crash": [crash_of(number % HOSTS, minute) for number, minute in enumerate(minutes)],
    }


def watched_office(lake: Path) -> Detector:
    """A detector at the end, which meanwhile expected the same of the fleet and of the update that all of it has."""
    with lake_of(office(), lake) as there, Engine(there) as engine:
        detector = Detector(read_news(engine))
        start = int(at(0).timestamp()) // 60
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
            if tick == start + PUSHED + 300:
                update = 0
                of_update = detector._inquiry.expected.of_hosts_with(update, tick)[:, :5].sum((1, 2))
                of_fleet = detector._inquiry.expected.of_slices_since(start + PUSHED)[:, 0]
                assert of_update == pytest.approx(of_fleet, rel=0.05)
        return detector


def alarms(detector: Detector) -> list[int]:
    """The day of each incident, counted from the first."""
    return [(one.alarm_tick - int(at(0).timestamp()) // 60) // DAY for one in detector.incidents]


@pytest.mark.slow
def test_a_fleet_that_crashes_by_day_is_no_incident_once_two_days_were_seen(empty_lake):
    assert max(alarms(watched_office(empty_lake)), default=0) < 2


@pytest.mark.slow
def test_were_all_hours_alike_it_would_still_be_one(empty_lake, monkeypatch):
    monkeypatch.setattr(Hours, "factors", lambda *_: np.ones((OUTCOMES, HOURS)))
    assert max(alarms(watched_office(empty_lake))) >= 2
