"""An incident opens a crash or two before anything is said of it: for a look less is enough than for a name."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.detection import detector as detector_module
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD
from fleetcrash.attribution.reporting.report import document
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

DAY, HOSTS, RING = 1440, range(2000), range(30)
SECOND, THIRD = 9, 12  # minutes at which these crashes are told


def canary(*minutes: int) -> World:
    """A small ring gets an update, and its hosts crash, one in each of some minutes after that."""
    background = [crash_of(100 + number, 60 - DAY + number * 90) for number in range(14)]
    return {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "os_version": "11"} for n in HOSTS],
        "update": [{"update_id": "canary", "kind": "content", "channel": "1", "released_at": at(0)}],
        "session": [{"host_id": f"h{n}", "online_from": at(-DAY)} for n in HOSTS],
        "install": [
            {"host_id": "h1999", "update_id": "before", "applied_at": at(-DAY)},
            *({"host_id": f"h{n}", "update_id": "canary", "applied_at": at(n / len(RING))} for n in RING),
        ],
        "crash": [*background, *(crash_of(number, minute) for number, minute in enumerate(minutes))],
    }


def judged(world: World, empty: Path, until: int = 90) -> list[dict[str, Any]]:
    """The incidents of a world, as of a minute."""
    with lake_of(world, empty) as lake, Engine(lake, as_of=at(until)) as engine:
        detector = run(engine, step_minutes=1)
        return document(engine, detector, at(until), detector.incidents)["incidents"]


def course(incident: dict[str, Any]) -> list[tuple[int, str]]:
    """Its verdicts, and the minutes at which they were said."""
    turns = [(datetime.fromisoformat(turn["at"]), turn["verdict"]) for turn in incident["history"]]
    return [(round((when - at(0)).total_seconds() / 60), verdict) for when, verdict in turns]


def test_a_single_crash_is_no_news(empty_lake):
    assert judged(canary(5), empty_lake) == []


def test_two_in_a_small_ring_open_an_incident_of_which_nothing_is_said(empty_lake):
    (found,) = judged(canary(5, 8), empty_lake)
    assert course(found) == [(SECOND, "undetermined")]
    assert found["alarm_at"] == found["history"][0]["at"]
    assert found["named_at"] is None


def test_its_sentence_says_where_to_look_first(empty_lake):
    (found,) = judged(canary(5, 8), empty_lake, SECOND + 10)
    assert found["summary"].endswith("which change did it is still being judged, canary is likeliest so far.")


def test_it_closes_after_an_hour_without_another_crash(empty_lake):
    (found,) = judged(canary(5, 8), empty_lake)
    assert datetime.fromisoformat(found["closed_at"]) == at(SECOND + 60)


def test_the_third_crash_names_the_update_in_the_same_incident(empty_lake):
    (found,) = judged(canary(5, 8, 11), empty_lake)
    assert course(found) == [(SECOND, "undetermined"), (THIRD, "update")]
    assert (found["update_id"], found["alarm_at"]) == ("canary", found["history"][0]["at"])


def test_what_was_said_by_then_stands(empty_lake):
    """Its id and its alarm are of the minute in which it opened, whenever one looks."""
    looks = [judged(canary(5, 8, 11), empty_lake, until)[0] for until in (SECOND, THIRD - 1, THIRD, 90)]
    assert len({(one["incident_id"], one["alarm_at"]) for one in looks}) == 1
    assert [one["verdict"] for one in looks] == ["undetermined", "undetermined", "update", "update"]


def test_what_is_released_later_has_an_incident_of_its_own(empty_lake):
    world, struck = canary(5, 8), range(500, 520)
    world["update"].append({"update_id": "later", "kind": "content", "channel": "2", "released_at": at(30)})
    world["install"] += [{"host_id": f"h{n}", "update_id": "later", "applied_at": at(31)} for n in range(400, 900)]
    world["crash"] += [crash_of(n, 33 + number % 5) for number, n in enumerate(struck)]
    first, second = judged(world, empty_lake)
    assert {turn["update_id"] for turn in first["history"]} == {None}
    assert (second["update_id"], second["alarm_at"] >= at(30).isoformat()) == ("later", True)


def test_a_name_waits_for_as_much_as_ever(empty_lake, monkeypatch):
    """Without the early look the name comes at the same minute."""
    monkeypatch.setattr(detector_module, "LOG_ALARM", LOG_THRESHOLD)
    (found,) = judged(canary(5, 8, 11), empty_lake)
    assert course(found) == [(THIRD, "update")]
