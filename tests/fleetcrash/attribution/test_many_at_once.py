"""Many updates that the same hosts get, seconds apart, are tied: all of them, however many there are."""

from __future__ import annotations

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.weighing.judgement import Lack, are_tied
from fleetcrash.gate.decision import accusation
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

DAY = 1440


def world(updates: int) -> World:
    """Half of the hosts get all of some updates as they go, and half of these crash within minutes."""
    hosts = range(160)
    return {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "agent_version": "7.11"} for n in hosts],
        "session": [{"host_id": f"h{n}", "online_from": at(-2 * DAY)} for n in hosts],
        "crash": [crash_of(n, -DAY + (n - 120) * 30) for n in hosts[120:]]
        + [crash_of(n, 64 + n / 20) for n in hosts[:40]],
        "install": [
            {"host_id": f"h{n}", "update_id": f"u{one:02}", "applied_at": at(60 + n / 20 + one / 200)}
            for n in hosts[:80]
            for one in range(updates)
        ],
        "update": [
            {"update_id": f"u{one:02}", "kind": "content", "channel": f"c{one}", "version": "1", "released_at": at(59)}
            for one in range(updates)
        ],
    }


@pytest.mark.variants
@pytest.mark.parametrize(
    ("updates", "named"), [(2, "u00 or u01"), (3, "u00 or u01 or u02"), (25, "u00, u01, u02 and 22 more")]
)
def test_all_that_went_out_together_are_tied_share_their_probability_and_are_halted(empty_lake, updates, named):
    with lake_of(world(updates), empty_lake) as lake:
        (found,) = incidents(lake, as_of=at(120))["incidents"]
    names = [f"u{one:02}" for one in range(updates)]
    assert (found["verdict"], found["lacks"]) == ("cannot_separate", Lack.ALONE)
    assert [one["update_id"] for one in found["candidates"]] == names
    weights = {one["probability"] for one in found["candidates"]}
    assert len(weights) == 1
    assert weights.pop() * updates == pytest.approx(1.0, abs=0.01)
    assert (
        f"cannot separate {named} from one another or from a rise of its own, because {Lack.ALONE}." in found["summary"]
    )
    assert all(accusation([found], name) is not None for name in names)


@pytest.mark.parametrize(
    ("weights", "tied"),
    [
        ([], 0),
        ([0.04], 0),
        ([0.9, 0.06], 2),
        ([0.9, 0.04], 1),
        ([0.08, 0.049], 1),
        ([0.04, 0.04], 0),
        ([0.04] * 4, 4),
        ([0.04] * 3, 0),
        ([0.04] * 25, 25),
        ([0.04] * 10 + [0.01] * 10, 10),
    ],
)
def test_each_of_many_counts_as_tied_where_they_are_likely_together_and_of_two_by_itself(weights, tied):
    assert are_tied(weights).tolist() == [True] * tied + [False] * (len(weights) - tied)
