"""Updates that seem to strike, where hosts are struck that have nobody to be compared with, or cannot tell."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS, THEIRS = 4000, 200
POLICY, CONTENT = 300, 348


def world(random: Random, *, guilty: str) -> World:
    """A customer gets a policy, and within the hour everybody gets content; some of the customer's hosts crash then.

    Args:
        guilty: which of the two crashes them, minutes after each got it.
    """
    told: World = {
        "host": [
            {
                "host_id": f"h{number}",
                "os_type": "windows",
                "always_on": True,
                "customer": "acme" if number < THEIRS else f"c{number % 7}",
            }
            for number in range(HOSTS)
        ],
        "update": [
            {"update_id": "policy", "kind": "policy", "released_at": at(POLICY)},
            {"update_id": "content", "kind": "content", "channel": "1", "released_at": at(CONTENT)},
        ],
        "session": [{"host_id": f"h{number}", "online_from": at(-1500)} for number in range(HOSTS)],
        "install": [],
        "crash": [crash_of(number, 20.0 * number - 6100) for number in range(300, 320)],
    }
    for number in range(HOSTS):
        got = {"content": CONTENT + random.uniform(0, 60)}
        if number < THEIRS:
            got["policy"] = POLICY + random.uniform(0, 20)
        told["install"] += [_install(number, update, minute) for update, minute in got.items() if random.random() < 0.9]
        if number < THEIRS and random.random() < 0.2:
            told["crash"].append(crash_of(number, got[guilty] + random.uniform(2, 7)))
    told["crash"].append(crash_of(700, CONTENT + 300))
    return told


def _install(number: int, update: str, minute: float) -> Row:
    return {"host_id": f"h{number}", "update_id": update, "applied_at": at(minute), "received_at": at(minute + 0.5)}


@pytest.fixture
def found(empty_lake):
    """The incidents of a world."""

    def of(told: World) -> list[dict[str, Any]]:
        with lake_of(told, empty_lake) as lake:
            return incidents(lake)["incidents"]

    return of


def named(found: list[dict[str, Any]]) -> set[str | None]:
    """Whatever any of some incidents ever names."""
    return {turn["update_id"] for each in found for turn in each["history"]} - {None}


@pytest.mark.variants
@pytest.mark.parametrize("seed", [2, 0, 1, 3])
def test_what_went_to_one_customer_is_not_named_for_what_strikes_there_with_something_else(found, seed):
    incident = found(world(Random(seed), guilty="content"))
    assert named(incident) == {"content"}
    assert incident[0]["condition"] == {"customer": "acme"}


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(2))
def test_but_where_it_strikes_it_is_named(found, seed):
    assert named(found(world(Random(seed), guilty="policy"))) == {"policy"}


SILENT = 800


def silent(random: Random, *, guilty: str) -> World:
    """Servers that check in every four hours get a second update four hours after a first, and some fall silent.

    Args:
        guilty: which silences them: the second, at once and untold; or the first, four hours after it.
    """
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows", "always_on": True} for number in range(SILENT)],
        "update": [
            {"update_id": name, "kind": "content", "channel": "1", "released_at": at(minute)}
            for name, minute in (("first", 0), ("second", 240))
        ],
        "session": [],
        "install": [],
        "crash": [crash_of(number, 13.0 * number - 300) for number in range(20)],
    }
    for number in range(SILENT):
        phase = random.uniform(0, 240)
        is_struck = number >= 20 and phase < 70 and random.random() < 0.6
        gone = phase + (240.5 if guilty == "second" else 239.5)
        told["install"].append(_install(number, "first", phase))
        if not is_struck:
            told["install"].append(_install(number, "second", phase + 240))
        until = {"online_until": at(gone)} if is_struck else {}
        told["session"].append({"host_id": f"h{number}", "online_from": at(-1500), **until})
    told["crash"].append(crash_of(0, 600))
    return told


@pytest.mark.slow
@pytest.mark.variants
@pytest.mark.parametrize("seed", range(2))
def test_hosts_that_fall_silent_as_they_get_one_update_do_not_tell_of_one_as_long_before(found, seed):
    incident = found(silent(Random(seed), guilty="second"))
    assert incident
    assert named(incident) <= {"second"}


SERVERS, PATCHED = 900, 200


def patched(random: Random, *, harm: float) -> World:
    """Servers are patched one after the other, and restart for it; nobody ever told of a crash before.

    Args:
        harm: how likely one that was patched crashes some hours later.
    """
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "linux", "always_on": True} for number in range(SERVERS)],
        "update": [{"update_id": "patch", "kind": "os_patch", "released_at": at(-30)}],
        "session": [],
        "install": [],
        "crash": [],
    }
    for number in range(SERVERS):
        name = f"h{number}"
        if number >= PATCHED:
            told["session"].append({"host_id": name, "online_from": at(-3000)})
            continue
        got = random.uniform(0, 1500)
        told["install"].append(_install(number, "patch", got))
        told["session"].append({"host_id": name, "online_from": at(-3000), "online_until": at(got + 1)})
        told["session"].append({"host_id": name, "online_from": at(got + 3)})
        if random.random() < harm:
            told["crash"].append({**crash_of(number, got + random.uniform(60, 300)), "os_type": "linux"})
    told["crash"] += [{**crash_of(number, 60.0 * number - 13000), "os_type": "linux"} for number in range(250, 252)]
    return told


@pytest.mark.variants
@pytest.mark.parametrize("seed", [1, 0])
@pytest.mark.parametrize("harm", [0.22, 0.0])
def test_a_patch_that_restarts_servers_is_told_by_those_that_were_not_restarted(found, harm, seed):
    """Beside them nobody is up as long, and how often they crash is not known yet."""
    assert named(found(patched(Random(seed), harm=harm))) == ({"patch"} if harm else set())
