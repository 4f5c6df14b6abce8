"""What an incident that nobody understood leaves behind: no evidence for ever, and no baseline that sinks."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import Judgement, Kind
from fleetcrash.store import Engine
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

DAY = 1440


def servers(count: int) -> World:
    """Servers that have long been online in two regions, every second one in each."""
    hosts = [f"h{number}" for number in range(count)]
    return {
        "host": [
            {"host_id": host, "os_type": "windows", "always_on": True, "region": "ab"[number % 2]}
            for number, host in enumerate(hosts)
        ],
        "session": [{"host_id": host, "online_from": at(-3 * DAY)} for host in hosts],
        "update": [],
        "install": [],
        "crash": [],
    }


@pytest.mark.slow
def test_what_fell_silent_two_days_ago_is_no_evidence_for_what_begins_today(empty_lake):
    world = servers(200)
    world["update"] = [{"update_id": "content", "kind": "content", "released_at": at(600)}]
    world["install"] = [{"host_id": f"h{n}", "update_id": "content", "applied_at": at(600.5)} for n in range(200)]
    for number, row in enumerate(world["session"][:60]):
        row["online_until"] = at(630 + number / 2)
    world["crash"] = [crash_of(199, -1500.0), *(crash_of(100 + n, 2400 + 3 * n) for n in range(20))]
    with lake_of(world, empty_lake) as lake:
        first, second = incidents(lake)["incidents"]
    assert first["verdict"] == "cannot_separate"  # all had it at once
    assert (second["verdict"], second["history"][0]["verdict"]) == ("no_update", "no_update")


def regional(random: Random) -> World:
    """One region's hosts crash for two hours, all others now and then, before and after."""
    world = servers(400)
    world["crash"] = [crash_of(2 * n + 1, -1500.0 + 35 * n) for n in range(130)]
    world["crash"] += [crash_of(2 * n, 1500 + random.uniform(0, 120)) for n in range(60)]
    world["crash"] += [crash_of(260 + 2 * n, 2000 + 30 * n) for n in range(60)]
    return world


@pytest.mark.slow
def test_a_monitor_that_reads_on_says_and_learns_what_one_look_at_all_does(empty_lake):
    with lake_of(regional(Random(2)), empty_lake) as lake:
        with Engine(lake) as engine:
            whole = Detector(read_news(engine))
        first, last, start = whole.news.first_tick, whole.news.last_tick, int(at(0).timestamp()) // 60
        for tick in range(first, last + 1):
            whole.tick(tick)
        with Engine(lake, as_of=at(1400)) as engine:
            live, told = Detector(read_news(engine)), first - 1
        for until in (1400 + start, 1530 + start, 1700 + start, 2500 + start, last):
            if told >= first:
                with Engine(lake, as_of=at(until - start)) as engine:
                    live.extend(read_news(engine, after_tick=told))
            for tick in range(told + 1, until + 1):
                live.tick(tick)
            told = until
    assert whole.incidents
    assert [one.said.history for one in live.incidents] == [one.said.history for one in whole.incidents]
    learned = [one._inquiry.expected.baseline.events.tolist() for one in (live, whole)]
    assert learned[0] == learned[1]


def undecided(count: int) -> World:
    """Servers that all got an update in one minute; from then on some of every kind crash."""
    world = servers(count)
    world["update"] = [{"update_id": "first", "kind": "content", "released_at": at(600)}]
    world["install"] = [{"host_id": f"h{n}", "update_id": "first", "applied_at": at(600.5)} for n in range(count)]
    world["crash"] = [crash_of(count - 1, -1500.0), *(crash_of(n, 601 + 6 * n) for n in range(100))]
    return world


@pytest.mark.slow
def test_a_wave_that_begins_long_after_an_alarm_is_an_incident_of_its_own(empty_lake):
    world = undecided(400)
    world["crash"] += [crash_of(200 + 2 * n, 970 + n / 8) for n in range(90)]
    with lake_of(world, empty_lake) as lake:
        first, second = incidents(lake)["incidents"]
    assert (first["verdict"], second["verdict"]) == ("cannot_separate", "no_update")
    assert first["alarm_at"] < at(970).isoformat() <= second["alarm_at"]


@pytest.mark.slow
def test_so_is_what_an_update_does_that_came_after_the_alarm(empty_lake):
    world = undecided(400)
    world["update"].append({"update_id": "second", "kind": "content", "released_at": at(900)})
    later = [(200 + n, 900 + n / 2) for n in range(0, 200, 3)]
    world["install"] += [{"host_id": f"h{n}", "update_id": "second", "applied_at": at(minute)} for n, minute in later]
    world["crash"] += [crash_of(n, minute + 2) for n, minute in later]
    with lake_of(world, empty_lake) as lake:
        first, second = incidents(lake)["incidents"]
    assert {turn["update_id"] for turn in first["history"]} == {None}
    assert (second["update_id"], second["alarm_at"] >= at(900).isoformat()) == ("second", True)


@pytest.mark.slow
def test_nor_does_a_rise_in_another_system_acquit_the_update_that_may_be_behind_the_first(empty_lake):
    world = undecided(400)
    world["crash"] = [crash_of(n, 601 + n / 2) for n in range(100)] + [crash_of(399, -1500.0)]
    for row in world["host"][300:]:
        row["os_type"] = "linux"
    world["crash"] += [crash_of(300 + n, 700 + n / 4) | {"os_type": "linux"} for n in range(60)]
    with lake_of(world, empty_lake) as lake:
        first, second = incidents(lake)["incidents"]
    assert {turn["verdict"] for turn in first["history"]} == {"undetermined", "cannot_separate"}
    assert (second["verdict"], second["alarm_at"] >= at(700).isoformat()) == ("no_update", True)


@pytest.mark.slow
def test_a_rise_that_grows_in_one_system_is_one_incident(empty_lake):
    world = undecided(400)
    for row in world["host"][300:]:
        row["os_type"] = "linux"
    world["crash"] = [crash_of(399, -1500.0) | {"os_type": "linux"}, *(crash_of(n, 601 + 5 * n) for n in range(8))]
    world["crash"] += [crash_of(20 + n, 640 + n / 20) for n in range(250)]
    with lake_of(world, empty_lake) as lake:
        assert len(incidents(lake)["incidents"]) == 1


def test_where_no_update_is_named_every_crash_counts_and_every_host_once(empty_lake):
    world = servers(400)
    world["crash"] = [crash_of(399, -1500.0)]
    world["crash"] += [crash_of(2 * n, 600 + n / 4 + 3 * again) for n in range(60) for again in range(5)]
    with lake_of(world, empty_lake) as lake:
        (told,) = incidents(lake)["incidents"]
    assert (told["verdict"], told["update_id"]) == ("no_update", None)
    assert (told["evidence"]["crashes"], told["evidence"]["hosts_crashed"]) == (300, 60)


TIE, WAVE = Kind.CANNOT_SEPARATE, Kind.NO_UPDATE


@pytest.mark.variants
@pytest.mark.parametrize(
    ("update", "by_hosts", "left", "minutes_ago", "is_open"),
    [
        (0, False, TIE, 60, True),
        (0, True, TIE, 60, False),
        (0, False, TIE, 1500, False),
        (0, False, WAVE, 60, False),
        (1, False, TIE, 60, False),
        (2, False, TIE, 60, False),
        (None, False, TIE, 60, False),
    ],
    ids=["tied", "told by hosts", "long ago", "none did it", "another", "named", "no name"],
)
def test_an_update_that_an_incident_of_the_day_left_tied_is_not_named_unless_hosts_say_so(
    lake, update, by_hosts, left, minutes_ago, is_open
):
    append_rows(lake, "crash", [crash_of(0, 0)])
    with Engine(lake, as_of=at(60)) as engine:
        detector = Detector(read_news(engine))
    tick, none = 5000, np.zeros(3)
    weighed = Judgement(left, None, np.array([0.6, 0.01, 0.3]), None, 0.0)
    before = Incident.opened(tick - 2000, 0)
    before.said.kind, before.judgement = left, weighed
    before.trial = Trial(np.arange(3), none, none, none, none, none)
    before.end(tick - minutes_ago)
    named = Incident.opened(tick - 2500, 0)
    named.said.update = 2
    detector.incidents += [named, before]
    judgement = replace(weighed, kind=Kind.UPDATE, update=update, is_told_by_hosts=by_hosts)
    assert detector._was_left_open(judgement, tick) is is_open


@pytest.mark.variants
@pytest.mark.parametrize(
    ("named", "first", "is_evidence"),
    [(None, "other", True), (None, "it", True), (2, "other", True), (2, "it", False)],
)
def test_what_was_left_unsolved_is_no_evidence_for_one_of_before_that_names_an_update(lake, named, first, is_evidence):
    append_rows(lake, "crash", [crash_of(0, 0), crash_of(1, 30)])
    with Engine(lake, as_of=at(60)) as engine:
        detector = Detector(read_news(engine))
    tick = int(detector.news.events.tick.max()) + 1
    left = np.ones(len(detector.news.events), bool)
    other = Incident.opened(tick - (400 if first == "other" else 200), 0)
    other.said.kind = Kind.CANNOT_SEPARATE
    other.set_claim(left)
    other.end(tick - 100)
    it = Incident.opened(tick - 300, 0)
    it.said.update = named
    detector.incidents += [other, it]
    detector._claims.taken = left
    assert (
        detector._claims.evidence(it, detector.incidents, tick, there=False).tolist() == (left & is_evidence).tolist()
    )
