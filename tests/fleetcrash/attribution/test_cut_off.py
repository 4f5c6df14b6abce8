"""A site that loses its network: its servers are silent together, nobody else is, and they are back together."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.weighing.judgement import Kind
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

DAY, END = 1440, 240
SITES, SERVERS = 12, 10  # servers of each
ZERO = int(at(0).timestamp()) // 60


def cut_off(
    *,
    gone_for: float | None,
    sites: tuple[int, ...] = (0,),
    apart: float = 0.0,
    stays_gone: int = 0,
    where: int = SITES,
    seconds: float = 6.0,
) -> World:
    """Some sites are silent for some minutes, one after the other, in a fleet of servers where else nothing happens.

    Args:
        gone_for: None: for good. apart: minutes from one site to the next. stays_gone: servers of each that do.
        where: how many sites there are. seconds: from one server of a site to the next, to fall silent and to be back.
    """
    world: World = {
        "host": [
            {"host_id": f"h{n}", "os_type": "linux", "always_on": True, "site": f"s{n % where}", "customer": "c"}
            for n in range(SITES * SERVERS)
        ],
        "session": [],
        "crash": [{**crash_of(SITES * SERVERS - 1, -DAY), "os_type": "linux"}],
    }
    for n in range(SITES * SERVERS):
        site, number = n % where, n // where
        if site not in sites:
            world["session"].append({"host_id": f"h{n}", "online_from": at(-2 * DAY)})
            continue
        minute = sites.index(site) * apart + number * seconds / 60
        world["session"].append({"host_id": f"h{n}", "online_from": at(-2 * DAY), "online_until": at(minute)})
        if gone_for is not None and number >= stays_gone:
            world["session"].append({"host_id": f"h{n}", "online_from": at(minute + gone_for)})
    return world


def judged(world: World, empty: Path) -> Detector:
    with lake_of(world, empty) as lake, Engine(lake, as_of=at(END)) as engine:
        return run(engine, step_minutes=1)


def alarms(world: World, empty: Path) -> list[int]:
    """The minutes of them, and no incident names anything."""
    detector = judged(world, empty)
    assert not detector.named
    return [one.opened_tick - ZERO for one in detector.incidents]


@pytest.mark.parametrize("gone_for", [11, 20, 28])
def test_a_site_that_is_back_within_half_an_hour_is_no_news(empty_lake, gone_for):
    assert alarms(cut_off(gone_for=gone_for), empty_lake) == []


@pytest.mark.parametrize("gone_for", [35, None])
def test_one_that_is_not_is_told_then(empty_lake, gone_for):
    (alarm,) = alarms(cut_off(gone_for=gone_for), empty_lake)
    assert 30 <= alarm <= 31


def test_it_follows_no_update_whatever_the_site_got(empty_lake):
    """From the first minute on, though no other site got it."""
    world = cut_off(gone_for=None)
    world["update"] = [{"update_id": "theirs", "kind": "content", "released_at": at(-20)}]
    world["install"] = [
        {"host_id": f"h{n}", "update_id": "theirs", "applied_at": at(-15)}
        for n in range(SITES * SERVERS)
        if n % SITES in (0, 1)
    ]
    detector = judged(world, empty_lake)
    (incident,) = detector.incidents
    assert {turn.kind for turn in incident.said.history} == {Kind.NO_UPDATE}
    assert detector.spots.name(incident.wave_spot) == ("site", "s0")


def test_an_update_that_strikes_elsewhere_meanwhile_is_named_beside_it(empty_lake):
    """What the site lost is no evidence for it, nor against it."""
    world = cut_off(gone_for=None)
    world["update"] = [
        {"update_id": "theirs", "kind": "content", "released_at": at(-20)},
        {"update_id": "bad", "kind": "content", "released_at": at(100)},
    ]
    world["install"] = [
        {"host_id": f"h{n}", "update_id": "theirs", "applied_at": at(-15)}
        for n in range(SITES * SERVERS)
        if n % SITES in (0, 1)
    ]
    ring = [n for n in range(SITES * SERVERS) if n % SITES in range(2, 8)][:40]
    world["install"] += [{"host_id": f"h{n}", "update_id": "bad", "applied_at": at(101)} for n in ring]
    world["crash"] += [{**crash_of(n, 103 + place * 3), "os_type": "linux"} for place, n in enumerate(ring[::5])]
    detector = judged(world, empty_lake)
    assert [update for update, _ in detector.named] == ["bad"]
    assert [one.kind for one in detector.incidents] == [Kind.NO_UPDATE, Kind.UPDATE]


@pytest.mark.parametrize(("region", "incidents"), [("north", 1), ("south", 2)])
def test_it_is_part_of_what_its_region_does(empty_lake, region, incidents):
    """Where servers of its other sites crash in that minute, and of no other region."""
    world = cut_off(gone_for=None)
    of_site = {n: "north" if n < SITES // 2 else "south" for n in range(SITES)}
    for n, host in enumerate(world["host"]):
        host["region"] = of_site[n % SITES]
    crashing = [n for n in range(SITES, SITES * SERVERS) if n % SITES and of_site[n % SITES] == region]
    world["crash"] += [{**crash_of(n, place / 20), "os_type": "linux"} for place, n in enumerate(crashing)]
    detector = judged(world, empty_lake)
    assert [one.kind for one in detector.incidents] == [Kind.NO_UPDATE] * incidents
    assert detector.spots.name(detector.incidents[0].wave_spot) == ("region", region)


def test_one_server_that_does_not_come_up_again_is_no_news(empty_lake):
    assert alarms(cut_off(gone_for=20, stays_gone=1), empty_lake) == []


def test_half_of_them_are(empty_lake):
    (alarm,) = alarms(cut_off(gone_for=20, stays_gone=5), empty_lake)
    assert 30 <= alarm <= 31


@pytest.mark.parametrize("apart", [0, 4])
def test_two_sites_at_a_time_are_told_at_once(empty_lake, apart):
    (alarm,) = alarms(cut_off(gone_for=20, sites=(0, 5), apart=apart), empty_lake)
    assert alarm <= 11 + apart


def test_so_are_servers_of_one_site_that_fall_silent_one_after_the_other(empty_lake):
    (alarm,) = alarms(cut_off(gone_for=None, seconds=120), empty_lake)
    assert alarm < 30


def test_so_is_a_fleet_of_one_site(empty_lake):
    """An update may be all that they have in common."""
    (alarm,) = alarms(cut_off(gone_for=None, where=1, seconds=0.6), empty_lake)
    assert alarm <= 12


def test_a_detector_that_reads_on_finds_the_same(empty_lake):
    """What was waited for is still waited for, and what was over is over."""
    told = (5, 11, 14, 21, 22, 23, 31)
    with lake_of(cut_off(gone_for=20), empty_lake) as lake:
        with Engine(lake, as_of=at(told[0])) as engine:
            live = Detector(read_news(engine))
            for tick in range(live.news.first_tick, ZERO + told[0] + 1):
                live.tick(tick)
        for before, now in pairwise(told):
            with Engine(lake, as_of=at(now)) as engine:
                live.extend(read_news(engine, after_tick=ZERO + before))
                for tick in range(ZERO + before + 1, ZERO + now + 1):
                    live.tick(tick)
                whole = run(engine, step_minutes=1)
            assert [one.opened_tick for one in live.incidents] == [one.opened_tick for one in whole.incidents] == []
            over, of_whole = (one._inquiry.absences.are_over(ZERO + now) for one in (live, whole))
            assert np.array_equal(over, of_whole)
            assert over.sum() == (SERVERS if now >= 21 else 0), now
