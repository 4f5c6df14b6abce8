"""A place that was in trouble is so still, whatever its hosts get meanwhile."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS, AT_LAB = 600, 60
FIRST, RELEASED = 200, 700


def world(random: Random, *, elsewhere: float = 0.0) -> World:
    """Hosts of a laboratory crash, and once more hours later, soon after an update that reached them and a few others.

    Args:
        elsewhere: how likely another host that got it crashes.
    """
    told: World = {
        "host": [
            {"host_id": f"h{number}", "os_type": "windows", "site": "lab" if number < AT_LAB else f"s{number % 5}"}
            for number in range(HOSTS)
        ],
        "update": [{"update_id": "agent", "kind": "agent", "released_at": at(RELEASED)}],
        "session": [{"host_id": f"h{number}", "online_from": at(-600)} for number in range(HOSTS)],
        "install": [],
        "crash": [crash_of(number + 500, 20.0 * number) for number in range(10)],
    }
    told["crash"] += [crash_of(number, FIRST + random.uniform(0, 60)) for number in range(0, AT_LAB, 2)]
    for number in range(AT_LAB * 2):
        got = RELEASED + random.uniform(0, 240)
        told["install"].append({"host_id": f"h{number}", "update_id": "agent", "applied_at": at(got)})
        if number % 4 == 1 if number < AT_LAB else random.random() < elsewhere:
            told["crash"].append(crash_of(number, got + random.uniform(1, 30)))
    return told


@pytest.fixture
def names(empty_lake):
    """All the updates that the incidents of a world ever name."""

    def of(told: World) -> set[str]:
        with lake_of(told, empty_lake) as lake:
            found = incidents(lake)["incidents"]
        assert found
        return {turn["update_id"] for each in found for turn in each["history"]} - {None}

    return of


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(2))
def test_no_update_is_blamed_for_what_went_on_at_a_place_before_it_came(names, seed):
    assert (
        names(
            world(
                Random(seed),
            )
        )
        == set()
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_but_one_that_strikes_elsewhere_as_well_is(names, seed):
    assert names(world(Random(seed), elsewhere=0.5)) == {"agent"}
