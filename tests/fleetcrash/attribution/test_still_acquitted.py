""" "No update" stands while nothing more happens: that time goes by is no evidence."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS, SERVERS = 1600, 400
RELEASED, EXPIRED, UNTIL = 2000, 2021, 2500


def fleet(seed: int) -> World:
    """Some servers crash in the minutes from one on, while most of the fleet gets an update of before."""
    random = Random(seed)
    systems = ["linux" if number < SERVERS else "windows" for number in range(HOSTS)]
    got = {number: RELEASED + random.expovariate(1 / 9) for number in range(HOSTS)}
    crashes = [(random.randrange(HOSTS), float(minute)) for minute in range(5, UNTIL, 60)]
    crashes += [(number, EXPIRED + random.expovariate(1 / 3)) for number in random.sample(range(SERVERS), 60)]
    return {
        "host": [{"host_id": f"h{number}", "os_type": system} for number, system in enumerate(systems)],
        "session": [{"host_id": f"h{number}", "online_from": at(-1000)} for number in range(HOSTS)],
        "update": [{"update_id": "u", "kind": "content", "channel": "1", "released_at": at(RELEASED)}],
        "install": [{"host_id": f"h{number}", "update_id": "u", "applied_at": at(got[number])} for number in got],
        "crash": [{**crash_of(number, minute), "os_type": systems[number]} for number, minute in crashes],
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 9])
def test_what_follows_no_update_is_not_taken_back_while_nothing_more_happens(empty_lake, seed):
    with lake_of(fleet(seed), empty_lake) as lake:
        (found,) = incidents(lake, as_of=at(UNTIL))["incidents"]
    said = [turn["verdict"] for turn in found["history"]]
    assert said[said.index("no_update") :] == ["no_update"]
