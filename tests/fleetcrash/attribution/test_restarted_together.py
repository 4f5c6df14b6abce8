"""Hosts that are all restarted at one time of the night: that some crash is no news, nor does it acquit an update."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.weighing.judgement import Kind
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS, NIGHTS, DAY = 400, 5, 1440
RESTART, WITHIN, PUSH = 180, 10, 840  # minutes of the day
OF_A_BOOT = 0.015
END = RESTART + 60


def fleet(random: Random, *, last_night: float) -> World:
    """Kiosks that are restarted within ten minutes each night; in the afternoon all get a content update and a policy.

    Args:
        last_night: how likely one crashes at the restart of the last night, within three minutes; before it is one and
            a half in a hundred.
    """
    world: World = {"host": [], "session": [], "install": [], "crash": [], "update": []}
    afternoons = [PUSH - DAY * back for back in range(NIGHTS, 0, -1)]
    for minute in afternoons:
        for kind in ("content", "policy"):
            name = f"{kind}{minute}"
            world["update"].append({"update_id": name, "kind": kind, "channel": kind, "released_at": at(minute)})
    for number in range(HOSTS):
        host = f"h{number}"
        world["host"].append({"host_id": host, "os_type": "windows", "group": "kiosks"})
        for minute in afternoons:
            for kind in ("content", "policy"):
                got = minute + random.expovariate(0.5)
                world["install"].append({"host_id": host, "update_id": f"{kind}{minute}", "applied_at": at(got)})
        up = -NIGHTS * DAY + random.uniform(-600, -60)
        for night in range(NIGHTS - 1, -1, -1):
            down = RESTART - night * DAY + random.uniform(0, WITHIN)
            world["session"].append({"host_id": host, "online_from": at(up), "online_until": at(down)})
            up = down + random.uniform(1, 2)
            if random.random() < (OF_A_BOOT if night else last_night):
                world["crash"].append(crash_of(number, up + random.uniform(0.5, 3)))
        world["session"].append({"host_id": host, "online_from": at(up)})
    return world


def found_in(world: World, empty_lake) -> list:
    with lake_of(world, empty_lake) as lake:
        return incidents(lake, as_of=at(END))["incidents"]


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(4))
def test_the_crashes_of_every_night_are_no_incident(empty_lake, seed):
    assert found_in(fleet(Random(seed), last_night=OF_A_BOOT), empty_lake) == []


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(4))
def test_what_may_have_waited_for_the_restart_is_not_acquitted_by_it(empty_lake, seed):
    """All have the same two updates, and boot together for the first time since: a fault of either looks like that."""
    (one,) = found_in(fleet(Random(seed), last_night=0.3), empty_lake)
    waiting = {f"{kind}{PUSH - DAY}" for kind in ("content", "policy")}
    assert {turn["verdict"] for turn in one["history"]} <= {Kind.UNDETERMINED.value, Kind.CANNOT_SEPARATE.value}
    assert one["verdict"] == Kind.CANNOT_SEPARATE.value
    assert {candidate["update_id"] for candidate in one["candidates"]} == waiting
