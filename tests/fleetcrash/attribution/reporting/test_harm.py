"""What an incident that names an update tells of its hosts, once they are not what they were when they were struck."""

from __future__ import annotations

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.hosts import list_hosts
from fleetcrash.attribution.reporting.impact import harm_of
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

DAY = 1440
STRUCK = 60
SPARED = range(STRUCK, 2 * STRUCK)  # they have it as well, but another agent
BEFORE, HALFWAY, AFTER = 150, 330, 420  # minutes: before any of the struck is upgraded, amid that, after it


def upgraded_world() -> World:
    """A content update crashes the hosts with agent 7.10, which are all upgraded hours later."""
    hosts = range(4 * STRUCK)
    return {
        "host": [
            {"host_id": f"h{n}", "os_type": "windows", "agent_version": "7.11" if n in SPARED else "7.10"}
            for n in hosts
        ],
        "session": [{"host_id": f"h{n}", "online_from": at(-2 * DAY)} for n in hosts],
        "crash": [crash_of(n, -DAY + (n - 3 * STRUCK) * 12) for n in hosts[3 * STRUCK :]]
        + [crash_of(n, 64 + n / 30) for n in range(STRUCK)],
        "install": [{"host_id": f"h{n}", "update_id": "bad", "applied_at": at(59 + n / 60)} for n in range(2 * STRUCK)]
        + [{"host_id": f"h{n}", "update_id": "fix", "applied_at": at(300 + n)} for n in range(STRUCK)]
        + [
            {"host_id": f"h{n}", "update_id": "fix", "applied_at": at(300)} for n in hosts if n not in range(2 * STRUCK)
        ],
        "update": [
            {"update_id": "bad", "kind": "content", "channel": "c", "version": "1", "released_at": at(58)},
            {"update_id": "fix", "kind": "agent", "version": "7.11", "released_at": at(290)},
        ],
    }


@pytest.fixture(scope="module")
def upgraded(empty_lake):
    with lake_of(upgraded_world(), empty_lake) as lake:
        yield lake


@pytest.mark.variants
@pytest.mark.parametrize(("minute", "left"), [(BEFORE, STRUCK), (HALFWAY, STRUCK - 31), (AFTER, 0)])
def test_who_was_struck_is_told_by_what_they_were_then_and_what_became_of_them_by_what_they_are(upgraded, minute, left):
    (incident,) = incidents(upgraded, as_of=at(minute))["incidents"]
    assert (incident["update_id"], incident["condition"]) == ("bad", {"agent_version": "7.10"})
    evidence = incident["evidence"]
    assert (evidence["crashes"], evidence["hosts_crashed"], evidence["hosts_exposed"]) == (STRUCK, STRUCK, STRUCK)
    assert f"{STRUCK} of {STRUCK} exposed hosts crashed, 0 dark, 0 at risk" in incident["summary"]
    assert incident["controls"]["after"] == STRUCK
    assert incident["impact"]["exposed"] == left
    told = [
        list_hosts(upgraded, whom, as_of=at(minute), condition=None, state=None)
        for whom in ("bad", incident["incident_id"])
    ]
    for found in told:
        assert {**found["counts"], "exposed": left} == incident["impact"]
        assert sum(row["state"] != "pending" for row in found["hosts"]) == left
    assert [row["host_id"] for row in told[0]["hosts"]] == [row["host_id"] for row in told[1]["hosts"]]


def test_hosts_of_which_nothing_was_known_yet_are_what_they_were_told_to_be_first(empty_lake):
    world: World = {
        "host": [
            {"host_id": f"h{n}", "os_type": "windows", "region": region, "seen_at": at(90 + 10 * late)}
            for n in range(4)
            for late, region in enumerate(("eu", "us"))
        ],
        "session": [{"host_id": f"h{n}", "online_from": at(0)} for n in range(4)],
        "install": [{"host_id": f"h{n}", "update_id": "u", "applied_at": at(10)} for n in range(4)]
        + [{"host_id": f"h{n}", "update_id": "beside", "applied_at": at(20 + 20 * n)} for n in range(2)],
        "crash": [crash_of(n, 30) for n in range(3)],
        "update": [{"update_id": "u", "kind": "content", "released_at": at(5)}],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        found = {
            name: harm_of(engine, "u", condition)
            for name, condition in {
                "eu": {"region": "eu"},
                "us": {"region": "us"},
                "both": {"with_update": "beside"},
            }.items()
        }
    assert {name: harm.hosts_crashed for name, harm in found.items()} == {"eu": 3, "us": 0, "both": 1}
    assert {name: len(harm.hosts) for name, harm in found.items()} == {"eu": 3, "us": 4, "both": 2}


FIRST, LATER = range(40), range(90, 110)  # those that it crashes at once, and those that get it hours later


def twice_struck_world() -> World:
    """A content update crashes half of the hosts that get it, and others hours later; the rest crash now and then."""
    hosts = range(200)
    return {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "agent_version": "7.11"} for n in hosts],
        "session": [{"host_id": f"h{n}", "online_from": at(-2 * DAY)} for n in hosts],
        "crash": [crash_of(n, -DAY + (n - 150) * 24) for n in hosts[150:]]
        + [crash_of(n, 64 + n / 25) for n in FIRST]
        + [crash_of(n, 500 + n / 50) for n in LATER]
        + [crash_of(n, 800 + n * 20) for n in range(50, 80)],
        "install": [{"host_id": f"h{n}", "update_id": "bad", "applied_at": at(60 + n / 25)} for n in range(80)]
        + [{"host_id": f"h{n}", "update_id": "bad", "applied_at": at(496 + n / 50)} for n in LATER],
        "update": [{"update_id": "bad", "kind": "content", "channel": "c", "version": "1", "released_at": at(59)}],
    }


def test_what_a_closed_incident_counts_does_not_grow_any_more(empty_lake):
    struck: dict[str, list[tuple[int, ...]]] = {}
    with lake_of(twice_struck_world(), empty_lake) as lake:
        for minute in (300, 690, 3000):
            for one in incidents(lake, as_of=at(minute))["incidents"]:
                assert (one["update_id"], one["closed_at"] is not None) == ("bad", True)
                evidence = one["evidence"]
                counts = evidence["crashes"], evidence["hosts_crashed"], evidence["hosts_exposed"]
                assert f"{counts[1]} of {counts[2]} exposed hosts crashed" in one["summary"]
                struck.setdefault(one["incident_id"], []).append((*counts, one["controls"]["after"]))
                assert one["impact"]["exposed"] == (80 if minute == 300 else 80 + len(LATER))
    first, later = struck.values()
    assert first == [(len(FIRST), len(FIRST), 80, len(FIRST))] * 3
    assert [counts[:3] for counts in later] == [(len(LATER), len(LATER), 80 + len(LATER))] * 2
