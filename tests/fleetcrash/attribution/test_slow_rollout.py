"""Updates that go out over a day or two and make their hosts crash several times as often, one now and then."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import Kind
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

pytestmark = pytest.mark.slow
HOSTS, DAY = range(600), 1440
USUAL = 0.03  # crashes of a host in a day
LAST, STEP = 900, 10


def rollout(
    *updates: str, since: int = -DAY, within: int = DAY, with_it: float = 0.4, until: int = 2 * DAY, seed: int = 2
) -> World:
    """One host after the other gets all of some updates at once.

    Args:
        since: the first minute of which anything is told. within: minutes until all have them.
        with_it: crashes of a host in a day from then on, until the minute ``until``.
    """
    random = Random(seed)
    got = {n: round(random.uniform(0, within), 1) for n in HOSTS}
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "abc"[n % 3]} for n in HOSTS],
        "session": [{"host_id": f"h{n}", "online_from": at(since - DAY)} for n in HOSTS],
        "update": [{"update_id": one, "kind": "agent", "channel": one, "released_at": at(0)} for one in updates],
        "install": [
            {"host_id": f"h{n}", "update_id": one, "applied_at": at(minute)}
            for n, minute in got.items()
            for one in updates
        ],
        "crash": [],
    }
    for n in HOSTS:
        for begin, end, a_day in (
            (since, got[n], USUAL),
            (got[n], until, with_it),
            (max(got[n], until), within, USUAL),
        ):
            minute = begin + random.expovariate(a_day / DAY)
            while minute < end:
                world["crash"].append(crash_of(n, round(minute, 1)))
                minute += random.expovariate(a_day / DAY)
    return world


def with_more_of_all(more: float, *, with_it: float, seed: int) -> World:
    """The same of a fleet, all hosts of which crash several times as often from some hours before the rollout on.

    Args:
        more: as a factor of what was usual. with_it: as a factor of that, from when a host has the update on.
    """
    random = Random(seed)
    got = {n: round(random.uniform(0, DAY), 1) for n in HOSTS}
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "abc"[n % 3]} for n in HOSTS],
        "session": [{"host_id": f"h{n}", "online_from": at(-3 * DAY)} for n in HOSTS],
        "update": [{"update_id": "agent", "kind": "agent", "channel": "agent", "released_at": at(0)}],
        "install": [{"host_id": f"h{n}", "update_id": "agent", "applied_at": at(minute)} for n, minute in got.items()],
        "crash": [],
    }
    for n in HOSTS:
        for begin, end, a_day in (
            (-2 * DAY, -400, USUAL),
            (-400, got[n], more * USUAL),
            (got[n], DAY, more * with_it * USUAL),
        ):
            minute = begin + random.expovariate(a_day / DAY)
            while minute < end:
                world["crash"].append(crash_of(n, round(minute, 1)))
                minute += random.expovariate(a_day / DAY)
    return world


def said(world: World, empty: Path, now: int = DAY, *, step: int = STEP) -> list[Incident]:
    with lake_of(world, empty) as lake, Engine(lake, as_of=at(now)) as engine:
        return run(engine, step_minutes=step).incidents


def test_a_tie_goes_on_while_the_hosts_with_either_do_though_no_hour_is_raised(empty_lake):
    (tie,) = said(rollout("agent", "driver"), empty_lake)
    assert (tie.kind, tie.ended_tick) == (Kind.CANNOT_SEPARATE, None)


def test_it_closes_when_they_crash_as_usual(empty_lake):
    (tie,) = said(rollout("agent", "driver", until=LAST), empty_lake)
    assert tie.kind is Kind.CANNOT_SEPARATE
    assert tie.closed_tick is not None
    assert tie.closed_tick >= LAST + 60 + int(at(0).timestamp()) // 60


@pytest.mark.parametrize("seed", [0, 6])
def test_what_hosts_with_it_did_more_than_a_day_ago_counts_as_well(empty_lake, seed):
    """Of a day alone they say too little, where the rollout takes two; what opened one that faded counts, too."""
    world = rollout("agent", since=-2 * DAY, within=2 * DAY, with_it=0.12, seed=seed)
    faded, named = said(world, empty_lake, 2 * DAY)
    assert faded.has_faded
    assert named.kind is Kind.UPDATE
    assert named.alarm_tick > DAY + int(at(0).timestamp()) // 60


@pytest.mark.parametrize(("with_it", "seed"), [(0.2, 13), (0.3, 14), (0.3, 21)])
def test_it_is_one_incident_though_no_hour_is_raised_and_all_have_it_in_the_end(empty_lake, with_it, seed):
    """Once all have it for a day, what goes on is hardly told from a rise of all, and not at all without modules."""
    (named,) = said(rollout("agent", since=-2 * DAY, within=2 * DAY, with_it=with_it, seed=seed), empty_lake, 2 * DAY)
    assert named.kind is Kind.UPDATE


@pytest.mark.parametrize("seed", [7, 8])
def test_a_rise_of_the_whole_fleet_does_not_acquit_it_while_hosts_without_it_are_spared(empty_lake, seed):
    found = said(with_more_of_all(3, with_it=3, seed=seed), empty_lake, step=5)
    assert found[0].said.history[0].kind is Kind.UNDETERMINED
    assert {one.kind for one in found if not one.has_faded} == {Kind.UPDATE}


@pytest.mark.parametrize("seed", [0, 1])
def test_it_does_where_all_hosts_alike_crash_more_often(empty_lake, seed):
    found = said(with_more_of_all(7, with_it=1, seed=seed), empty_lake, step=5)
    assert found
    assert {turn.kind for one in found for turn in one.said.history} <= {Kind.UNDETERMINED, Kind.NO_UPDATE}
    assert Kind.NO_UPDATE in {one.kind for one in found}
