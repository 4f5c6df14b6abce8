"""A fault that needs two updates, and strikes again as more hosts get the second of them."""

from __future__ import annotations

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import Row, World, at, lake_of

HOSTS = [f"h{number}" for number in range(400)]
WITH_POLICY, LATER, NEVER = HOSTS[:200], HOSTS[200:230], HOSTS[230:]
GOT_POLICY, GOT_BAD, GOT_POLICY_LATER = 10, 1500, 2000


def install(host: str, update: str, minute: float) -> Row:
    return {"host_id": host, "update_id": update, "applied_at": at(minute), "received_at": at(minute)}


def crash(host: str, minute: float) -> Row:
    return {
        "crash_id": f"{host}-{minute}",
        "host_id": host,
        "os_type": "windows",
        "occurred_at": at(minute),
        "received_at": at(minute + 0.2),
    }


def world(struck_later: list[str]) -> World:
    """Whoever has both updates crashes; then some get the policy late, and of them some crash.

    Args:
        struck_later: hosts that crash soon after they got the policy late.
    """
    late = sorted({*LATER, *struck_later})
    spread = {host: GOT_POLICY_LATER + number for number, host in enumerate(late)}
    return {
        "host": [{"host_id": host, "os_type": "windows"} for host in HOSTS],
        "update": [
            {"update_id": "policy", "kind": "policy", "channel": None, "released_at": at(0)},
            {"update_id": "bad", "kind": "content", "channel": "1", "released_at": at(GOT_BAD)},
        ],
        "session": [{"host_id": host, "online_from": at(-600), "online_until": None} for host in HOSTS],
        "install": [
            *(install(host, "policy", GOT_POLICY) for host in WITH_POLICY),
            *(install(host, "bad", GOT_BAD + number % 60) for number, host in enumerate(HOSTS)),
            *(install(host, "policy", minute) for host, minute in spread.items()),
        ],
        "crash": [
            *(crash(HOSTS[number * 7 % 400], number * 60.0) for number in range(2, 20)),
            *(crash(host, GOT_BAD + number % 60 + 0.5) for number, host in enumerate(HOSTS) if host in WITH_POLICY),
            *(crash(host, spread[host] + 0.5) for host in struck_later),
        ],
    }


@pytest.fixture
def said(empty_lake):
    """The incidents of a world: all the names that each gave, and the condition in the end."""

    def of(told: World):
        with lake_of(told, empty_lake) as lake:
            found = incidents(lake)["incidents"]
        return [({turn["update_id"] for turn in each["history"]} - {None}, each["condition"]) for each in found]

    return of


def test_a_known_fault_is_told_again_where_hosts_get_what_it_needs(said):
    assert said(world(LATER)) == [({"bad"}, {"with_update": "policy"})] * 2


def test_hosts_without_the_guilty_one_are_not_of_the_known_fault(said):
    told = world(NEVER[::4])
    lacking = [each for each in told["install"] if not (each["update_id"] == "bad" and each["host_id"] in NEVER[::4])]
    first, second = said({**told, "install": lacking})
    assert first == ({"bad"}, {"with_update": "policy"})
    assert "bad" not in second[0]
