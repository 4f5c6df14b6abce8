"""A fault that strikes a few hosts an hour for hours is one incident, for as long as it does."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.store import Engine
from tests.fleetcrash.live import followed
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS = 2400
RELEASED, STOPPED, LAST = 1500, 2300, 3400
EVERY, USUALLY_EVERY = 12, 30  # minutes between two crashes of the fault, and between two that nothing explains


def world(*, stopped: int) -> World:
    """Servers that crash now and then; half of them get an update within an hour, which crashes one now and then.

    Args:
        stopped: from when on the update crashes none.
    """
    return {
        "host": [{"host_id": f"h{number}", "os_type": "windows", "always_on": True} for number in range(HOSTS)],
        "session": [{"host_id": f"h{number}", "online_from": at(-2000)} for number in range(HOSTS)],
        "update": [{"update_id": "bad", "kind": "content", "channel": "1", "released_at": at(RELEASED)}],
        "install": [
            {"host_id": f"h{number}", "update_id": "bad", "applied_at": when, "received_at": when}
            for number in range(0, HOSTS, 2)
            for when in [at(RELEASED + number % 60)]
        ],
        "crash": [
            *(crash_of(number * 7 % HOSTS, minute) for number, minute in enumerate(range(0, LAST, USUALLY_EVERY))),
            *(
                crash_of(2 * ((700 + number * 11) % (HOSTS // 2)), minute)
                for number, minute in enumerate(range(RELEASED + 61, stopped, EVERY))
            ),
        ],
    }


def said_of(told: World, empty_lake: Path) -> list[Row]:
    with lake_of(told, empty_lake) as lake:
        return incidents(lake)["incidents"]


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [STOPPED, 2700])
def test_it_is_one_incident_until_an_hour_or_more_after_it_stopped(empty_lake, stopped):
    (one,) = said_of(world(stopped=stopped), empty_lake)
    assert one["update_id"] == "bad"
    assert one["closed_at"] is not None
    assert at(stopped + 40) < datetime.fromisoformat(one["closed_at"]) < at(stopped + 300)


@pytest.mark.slow
def test_it_is_the_same_incident_where_another_region_is_struck_before_it_stopped(empty_lake):
    """The hosts of the other region get the update when they come online, and every third one crashes."""
    told, comes_online = world(stopped=STOPPED), 2000
    others = range(HOSTS, HOSTS + 300)
    told["host"] += [{"host_id": f"h{number}", "os_type": "windows", "region": "apac"} for number in others]
    for number in others:
        boots_at = comes_online + (number - HOSTS) / 3
        told["session"].append({"host_id": f"h{number}", "online_from": at(-2000), "online_until": at(RELEASED - 1)})
        told["session"].append({"host_id": f"h{number}", "online_from": at(boots_at)})
        told["install"].append({"host_id": f"h{number}", "update_id": "bad", "applied_at": at(boots_at + 1)})
        if number % 3 == 0:
            told["crash"].append(crash_of(number, boots_at + 2))
    (one,) = said_of(told, empty_lake)
    assert [turn["verdict"] for turn in one["history"] if turn["update_id"] != "bad"] in ([], ["undetermined"])
    assert one["history"][-1]["update_id"] == "bad"
    assert one["evidence"]["crashes"] >= 100
    assert one["closed_at"] is not None


@pytest.mark.slow
def test_of_two_incidents_that_name_the_same_for_an_hour_the_first_goes_on(empty_lake):
    with lake_of(world(stopped=STOPPED), empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        detector, until = Detector(news), news.first_tick
        while not detector.named:
            detector.tick(until)
            until += 1
        (first,) = detector.incidents
        assert first.judgement is not None
        assert first.trial is not None
        assert first.waves is not None
        second = Incident.opened(until, 1)
        second.record(until, first.judgement, first.trial, first.waves, None)
        second.settle()  # what is said of it stays
        second.last_raised_minute = until + 60
        detector.incidents.append(second)
        for tick in range(until, until + 90):
            detector.tick(tick)
    assert (first.update, first.ended_tick, first.closed_tick) == (second.update, None, None)
    assert second.ended_tick == second.closed_tick == until + 60


@pytest.mark.slow
def test_what_is_said_of_a_moment_is_what_a_monitor_said_that_read_on(empty_lake):
    moments = [at(minute) for minute in (1800, 2100, LAST)]
    with lake_of(world(stopped=STOPPED), empty_lake) as lake:
        said = list(followed(lake, moments))
        assert said == [incidents(lake, as_of=moment) for moment in moments]
