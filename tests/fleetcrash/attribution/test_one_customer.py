"""What goes to one customer alone and what strikes that customer: told apart by when each host is struck, or a tie."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

CUSTOMERS, HOSTS_EACH = 8, 120
HOSTS = CUSTOMERS * HOSTS_EACH
DAY, PUSHED, STRUCK = 1440, 60, 82
UNTIL = STRUCK + 60


def fleet(random: Random, *, by_install: bool) -> World:
    """Eight customers that crash now and then. One gets a policy, and half of its hosts crash from 22 minutes later on.

    Args:
        by_install: the policy takes an hour to reach everybody, and each host crashes that long after it got it; else
            it reaches everybody in two minutes, and hosts crash from one moment on.
    """
    names = [f"h{n}" for n in range(HOSTS)]
    got = {n: PUSHED + random.uniform(0, 60 if by_install else 2) for n in range(HOSTS_EACH)}
    struck = random.sample(range(HOSTS_EACH), HOSTS_EACH // 2)
    spread = 2 if by_install else 8
    return {
        "host": [
            {"host_id": name, "os_type": "windows", "region": "eu", "customer": f"c{n // HOSTS_EACH}"}
            for n, name in enumerate(names)
        ],
        "session": [{"host_id": name, "online_from": at(-3 * DAY)} for name in names],
        "crash": [
            *(crash_of(random.randrange(HOSTS), random.uniform(-2 * DAY, PUSHED)) for _ in range(12)),
            *(
                crash_of(n, (got[n] + STRUCK - PUSHED if by_install else STRUCK) + random.uniform(0, spread))
                for n in struck
            ),
        ],
        "install": [{"host_id": f"h{n}", "update_id": "u", "applied_at": at(minute)} for n, minute in got.items()],
        "update": [{"update_id": "u", "kind": "policy", "released_at": at(PUSHED)}],
    }


@pytest.mark.parametrize("by_install", [True, False], ids=["each after its install", "all from one moment on"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_customers_policy_is_named_for_what_strikes_the_customer_only_if_it_follows_the_installs(
    empty_lake, seed, by_install
):
    with lake_of(fleet(Random(seed), by_install=by_install), empty_lake) as lake:
        found = incidents(lake, as_of=at(UNTIL))["incidents"]
    named = {turn["update_id"] for one in found for turn in one["history"]} - {None}
    assert found
    assert named == ({"u"} if by_install else set())
