"""A backlog that is sent at once says nothing of an update before all of it is there, and in the baseline."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS = 3000
FLUSHED, UNTIL = 3700, 3900
RELEASED, SINCE, LAST = FLUSHED - 31 * 60, FLUSHED - 34 * 60, FLUSHED - 5 * 60


def fleet(seed: int) -> World:
    """Three days, an update that is pushed, and crashes from before it until a day after, told within minutes later."""
    random = Random(seed)
    got = {number: RELEASED + random.expovariate(1 / 15) for number in range(HOSTS)}
    late = random.sample(range(HOSTS), 160)
    return {
        "host": [{"host_id": f"h{number}", "os_type": "windows"} for number in range(HOSTS)],
        "session": [{"host_id": f"h{number}", "online_from": at(-1000)} for number in range(HOSTS)],
        "update": [{"update_id": "u", "kind": "content", "channel": "1", "released_at": at(RELEASED)}],
        "install": [{"host_id": f"h{number}", "update_id": "u", "applied_at": at(got[number])} for number in got],
        "crash": [
            *(crash_of(random.randrange(HOSTS), minute) for minute in range(5, UNTIL, 150)),
            *(
                {**crash_of(number, random.uniform(SINCE, LAST)), "received_at": at(FLUSHED + place / 50)}
                for place, number in enumerate(late)
            ),
        ],
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_no_update_is_named_for_a_backlog_of_before_its_release_as_well(empty_lake, seed):
    with lake_of(fleet(seed), empty_lake) as lake:
        found = incidents(lake, as_of=at(UNTIL))["incidents"]
    assert found
    assert {turn["update_id"] for one in found for turn in one["history"]} == {None}
    assert [(one["verdict"], one["cause"]) for one in found] == [("no_update", "backlog")]
    assert "follows reports that were held up for hours and came at once, and no update." in found[0]["summary"]
