"""Hosts that crash for days for no update of these days, while innocent ones go out."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import run
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

DAY = 1440
HOSTS, PATCHED = range(600), 150
LAST = 2 * DAY
# Name, first minute, minutes until those that get it have it, and how many of the hosts do.
INNOCENT = [(f"driver-{n}", 500 * n, 1.5 * DAY, 0.25) for n in range(4)]
INNOCENT += [(f"content-{n}", 400 * n + 100, 30, 0.6) for n in range(6)]


def chronic(random: Random) -> World:
    """A patch of days ago makes its hosts crash every other day from its twentieth hour on."""
    patched = {n: random.uniform(-3 * DAY, -3 * DAY + 240) for n in range(PATCHED)}
    world: World = {
        "host": [
            {
                "host_id": f"h{n}",
                "os_type": "windows",
                "os_build": "2.0" if n in patched else "1.0",
                "region": "abc"[n % 3],
            }
            for n in HOSTS
        ],
        "session": [{"host_id": f"h{n}", "online_from": at(-6 * DAY)} for n in HOSTS],
        "update": [{"update_id": "patch", "kind": "os_patch", "version": "2.0", "released_at": at(-3 * DAY)}],
        "install": [{"host_id": f"h{n}", "update_id": "patch", "applied_at": at(got)} for n, got in patched.items()],
        "crash": [],
    }
    for name, first, _, _ in INNOCENT:
        kind = name.partition("-")[0]
        world["update"].append({"update_id": name, "kind": kind, "channel": name, "released_at": at(first)})
    for n in HOSTS:
        for name, first, within, share in INNOCENT:
            if random.random() < share:
                got = at(first + random.uniform(0, within))
                world["install"].append({"host_id": f"h{n}", "update_id": name, "applied_at": got})
        waits = patched[n] + 20 * 60 if n in patched else LAST
        for begin, end, a_day in ((-5 * DAY, waits, 0.01), (waits, LAST, 0.5)):
            minute = begin + random.expovariate(a_day / DAY)
            while minute < end:
                world["crash"].append(crash_of(n, round(minute, 1)))
                minute += random.expovariate(a_day / DAY)
    return world


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 9, 21])
def test_what_goes_on_since_before_is_put_down_to_nothing_that_goes_out_meanwhile(empty_lake, seed):
    with lake_of(chronic(Random(seed)), empty_lake) as lake, Engine(lake, as_of=at(LAST)) as engine:
        detector = run(engine, step_minutes=10)
    suspects = detector.news.suspects
    named = {turn.update for one in detector.incidents for turn in one.said.history if turn.update is not None}
    assert detector.incidents
    assert {suspects[one].update_id for one in named} <= {"patch"}
