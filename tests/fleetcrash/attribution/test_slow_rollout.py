"""Updates that go out over a day and make their hosts crash several times as often, one now and then."""

from __future__ import annotations

from pathlib import Path
from random import Random

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.incident import Incident
from fleetcrash.attribution.verdict import Kind
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS, DAY = range(400), 1440
USUAL, WITH_IT = 0.04, 0.4  # crashes of a host in a day
SINCE, LAST, END, STEP = -DAY, 900, DAY, 10


def rollout(*updates: str, until: int = END) -> World:
    """One host after the other gets all of some updates at once, over a day.

    Args:
        until: the minute in which its fault ends.
    """
    random = Random(2)
    got = {n: round(random.uniform(0, DAY), 1) for n in HOSTS}
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "abc"[n % 3]} for n in HOSTS],
        "session": [{"host_id": f"h{n}", "online_from": at(SINCE - DAY)} for n in HOSTS],
        "update": [{"update_id": one, "kind": "agent", "channel": one, "released_at": at(0)} for one in updates],
        "install": [
            {"host_id": f"h{n}", "update_id": one, "applied_at": at(minute)}
            for n, minute in got.items()
            for one in updates
        ],
        "crash": [],
    }
    for n in HOSTS:
        for begin, end, a_day in ((SINCE, got[n], USUAL), (got[n], until, WITH_IT), (max(got[n], until), END, USUAL)):
            minute = begin + random.expovariate(a_day / DAY)
            while minute < end:
                world["crash"].append(crash_of(n, round(minute, 1)))
                minute += random.expovariate(a_day / DAY)
    return world


def said(world: World, empty: Path) -> list[Incident]:
    with lake_of(world, empty) as lake, Engine(lake, as_of=at(END)) as engine:
        return run(engine, step_minutes=STEP).incidents


def test_a_tie_goes_on_while_the_hosts_with_either_do_though_no_hour_is_raised(empty_lake):
    (tie,) = said(rollout("agent", "driver"), empty_lake)
    assert (tie.kind, tie.ended_tick) == (Kind.CANNOT_SEPARATE, None)


def test_it_closes_when_they_crash_as_usual(empty_lake):
    (tie,) = said(rollout("agent", "driver", until=LAST), empty_lake)
    assert tie.kind is Kind.CANNOT_SEPARATE
    assert tie.closed_tick is not None
    assert tie.closed_tick >= LAST + 60 + int(at(0).timestamp()) // 60
