"""A fault of the hosts with one agent's version, whatever their operating system."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.weighing.judgement import Kind
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, lake_of

HOSTS, DAY = range(3000), 1440
SYSTEMS, VERSIONS = ("windows", "linux", "linux", "darwin"), ("8.4.20112", "8.6.20518", "8.7.20901", "8.9.21344")
USUAL, STRUCK, OUT = 0.02, 0.12, 240  # crashes of a host in a day; share of its hosts; minutes until all have it


def in_every_system(seed: int) -> World:
    """An update goes out over four hours, and strikes hosts of the oldest version half an hour after they got it."""
    random = Random(seed)
    crashes = []
    for n in HOSTS:
        minute = -DAY + random.expovariate(USUAL / DAY)
        while minute < DAY:
            crashes.append((n, round(minute, 1)))
            minute += random.expovariate(USUAL / DAY)
    got = {n: round(random.uniform(0, OUT), 1) for n in HOSTS}
    old = [n for n in HOSTS if n // len(SYSTEMS) % len(VERSIONS) == 0]
    crashes += [(n, round(got[n] + random.uniform(20, 40), 1)) for n in old if random.random() < STRUCK]
    return {
        "host": [
            {
                "host_id": f"h{n}",
                "os_type": SYSTEMS[n % len(SYSTEMS)],
                "agent_version": VERSIONS[n // len(SYSTEMS) % len(VERSIONS)],
            }
            for n in HOSTS
        ],
        "session": [{"host_id": f"h{n}", "online_from": at(-2 * DAY)} for n in HOSTS],
        "update": [{"update_id": "u", "kind": "content", "channel": "1", "released_at": at(0)}],
        "install": [{"host_id": f"h{n}", "update_id": "u", "applied_at": at(minute)} for n, minute in got.items()],
        "crash": [
            {
                "crash_id": f"{n} at {minute}",
                "host_id": f"h{n}",
                "os_type": SYSTEMS[n % len(SYSTEMS)],
                "occurred_at": at(minute),
                "received_at": at(minute + 1),
            }
            for n, minute in crashes
        ],
    }


@pytest.mark.parametrize("seed", [0, 4])
def test_it_is_one_incident_in_all_of_them(empty_lake, seed):
    with lake_of(in_every_system(seed), empty_lake) as lake, Engine(lake, as_of=at(400)) as engine:
        (found,) = run(engine, step_minutes=1).incidents
    assert found.kind is Kind.UPDATE
    assert found.condition == {"agent_version": VERSIONS[0]}
