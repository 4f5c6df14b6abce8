"""Installs that the struck hosts do not tell of, or that are told late, acquit no update."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.evidence import TEST_RATIOS
from fleetcrash.attribution.expected.baseline import CRASH
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS, RELEASED = 400, 300
HELD_BACK = 60


def world(random: Random, *, tells: float = 1.0, told_after: float = 0.0, before: float = 1.0) -> World:
    """An update is pushed to a fleet within minutes, and a third of its hosts crash soon after.

    Args:
        tells: how many of the struck hosts ever tell of their install. told_after: minutes until anybody does.
        before: minutes from the release to the first crashes.
    """
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows", "region": "r"} for number in range(HOSTS)],
        "update": [
            {"update_id": "bad", "kind": "content", "channel": "1", "released_at": at(RELEASED)},
            {"update_id": "old", "kind": "content", "channel": "2", "released_at": at(RELEASED - 200)},
        ],
        "session": [{"host_id": f"h{number}", "online_from": at(-600)} for number in range(HOSTS)],
        "install": [install(f"h{number}", "old", RELEASED - 200 + random.uniform(0, 5)) for number in range(HOSTS)],
        "crash": [crash_of(number, 20.0 * number) for number in range(14)],
    }
    for number in range(20, HOSTS):
        host, got = f"h{number}", RELEASED + random.uniform(0, 4)
        is_struck = random.random() < 1 / 3
        if is_struck:
            told["crash"].append(crash_of(number, got + before + random.uniform(0, 2)))
        if not is_struck or random.random() < tells:
            told["install"].append(install(host, "bad", got, told_after))
    told["crash"].append(crash_of(0, RELEASED + 400))
    return told


def slowly(random: Random, *, late: float = 0.0, place: str = "") -> World:
    """The world, where hosts are struck some minutes after they got it.

    Args:
        late: a share of the hosts tells of what it installed an hour and a half later, and did so before.
        place: the kind of place where all hosts are at one.
    """
    told = world(random, before=4.0)
    tell_late = {f"h{number}" for number in random.sample(range(HOSTS), int(late * HOSTS))}
    for row in told["host"]:
        del row["region"]
        if place:
            row[place] = "here"
    for row in told["install"]:
        if row["host_id"] in tell_late:
            row["received_at"] = row["applied_at"] + timedelta(minutes=90)
    for row in told["crash"][14:-1]:
        row["occurred_at"] += timedelta(minutes=random.expovariate(1 / 8))
        row["received_at"] = row["occurred_at"] + timedelta(minutes=1)
    return told


def install(host: str, update: str, minute: float, told_after: float = 0.0) -> Row:
    received = at(minute + max(told_after, 0.5))
    return {"host_id": host, "update_id": update, "applied_at": at(minute), "received_at": received}


@pytest.fixture
def first(empty_lake):
    """The first incident of a world."""

    def of(told: World) -> Row:
        with lake_of(told, empty_lake) as lake:
            found: Row = incidents(lake)["incidents"][0]
        return found

    return of


def verdicts(incident: Row) -> list[str]:
    return [turn["verdict"] for turn in incident["history"]]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("tells", [0.0, 0.1])
def test_an_update_that_the_struck_hosts_do_not_tell_of_is_not_acquitted(first, seed, tells):
    found = first(world(Random(seed), tells=tells))
    assert verdicts(found)[-1] == "cannot_separate"
    assert "no_update" not in verdicts(found)
    assert "bad" in [each["update_id"] for each in found["candidates"]]
    assert 0.0 < sum(each["probability"] for each in found["candidates"]) < 1.0
    assert "cannot separate bad" in found["summary"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_one_whose_installs_are_told_an_hour_later_is_named_then(first, seed):
    found = first(world(Random(seed), told_after=HELD_BACK))
    assert "no_update" not in verdicts(found)
    assert found["update_id"] == "bad"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_nor_is_one_of_an_hour_whose_installs_are_always_told_two_hours_later(first, seed):
    """They come to be known one by one, while most of those that were struck do not tell of theirs yet."""
    random = Random(seed)
    told = world(random)
    told["crash"] = told["crash"][:14]
    told["install"] = [
        install(f"h{number}", update, released + random.uniform(0, 60), told_after=120)
        for update, released in (("old", RELEASED - 200), ("bad", RELEASED))
        for number in range(HOSTS)
    ]
    for number, row in enumerate(told["install"][HOSTS:]):
        if number % 3 == 0:
            after = (row["applied_at"] - at(RELEASED)).total_seconds() / 60
            told["crash"].append(crash_of(number, RELEASED + after + random.uniform(1, 8)))
    told["crash"].append(crash_of(1, RELEASED + 400))
    found = first(told)
    assert "no_update" not in verdicts(found)
    assert found["update_id"] == "bad"


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "late"), [(0, 0.06), (3, 0.1)])
def test_nor_is_one_where_some_of_the_struck_hosts_tell_late_and_as_many_did_before(first, seed, late):
    assert verdicts(first(slowly(Random(seed), late=late))) == ["undetermined", "cannot_separate"]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["region", "customer"])
def test_nor_is_one_whose_hosts_are_at_a_place_where_the_whole_fleet_is(first, place):
    assert verdicts(first(slowly(Random(3), place=place))) == ["undetermined", "cannot_separate"]


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(2))
def test_but_what_begins_half_an_hour_after_it_in_hosts_that_lack_it_is_none_of_its_doing(first, seed):
    told = world(Random(seed), tells=0.0, before=30.0)
    assert verdicts(first(told))[-1] == "no_update"


def mute(told: World, share: float) -> set[str]:
    """Hosts that tell of no install at all; a share of the fleet, of which theirs are taken out."""
    hosts = {f"h{number}" for number in range(HOSTS) if number * 7 % 100 < 100 * share}
    told["install"] = [row for row in told["install"] if row["host_id"] not in hosts]
    return hosts


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_nor_is_one_where_some_hosts_of_the_fleet_never_tell_of_any_install(first, share):
    told = slowly(Random(0))
    mute(told, share)
    assert verdicts(first(told)) == ["undetermined", "cannot_separate"]


@pytest.mark.slow
def test_but_it_is_where_mostly_those_are_struck(first):
    told = slowly(Random(0))
    hosts = mute(told, 0.25)
    struck = [row for row in told["crash"][14:-1] if row["host_id"] in hosts]
    others = [row for row in told["crash"][14:-1] if row["host_id"] not in hosts]
    told["crash"] = [*told["crash"][:14], *struck, *others[: len(struck) // 3], told["crash"][-1]]
    assert verdicts(first(told))[-1] == "no_update"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_an_update_whose_installs_are_told_after_the_crashes_is_charged_for_them(empty_lake, seed):
    """By the share of the hosts that had it then; else each host with it would speak for it, and none against."""
    told = world(Random(seed), told_after=HELD_BACK)
    told["install"] = [row for row in told["install"] if row["update_id"] == "old" or int(row["host_id"][1:]) % 5 < 3]
    with lake_of(told, empty_lake) as lake, Engine(lake) as engine:
        detector = Detector(read_news(engine))
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
    news = detector.news
    bad = [one.update_id for one in news.suspects].index("bad")
    released = int(at(RELEASED).timestamp()) // 60
    after = int((news.events.minute > released + 5).sum())
    charged = detector._inquiry._charges.of(np.array([bad]))[CRASH, 0, AGES - 1, 0, TEST_RATIOS.tolist().index(2.0)]
    assert after * np.log1p(0.5) < charged < (news.events.minute > released).sum() * np.log1p(0.7)
