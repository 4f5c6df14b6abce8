"""Modules tell a fault from what happens anyway: it has its own, a power cut has none, boots have the usual ones."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS, RELEASED = 900, 600
USUAL = [f"drv{number}.sys" for number in range(8)]


def fleet(random: Random, place: str = "region") -> World:
    """A fleet in three regions, or of three customers, that crashes now and then, in this driver and that."""
    crashes = [(random.randrange(HOSTS), random.uniform(-1400, RELEASED + 500)) for _ in range(90)]
    return {
        "host": [
            {"host_id": f"h{number}", "os_type": "windows", place: "abc"[number // 300]} for number in range(HOSTS)
        ],
        "session": [{"host_id": f"h{number}", "online_from": at(-1500)} for number in range(HOSTS)],
        "crash": [{**crash_of(number, minute), "module": random.choice(USUAL)} for number, minute in crashes],
        "install": [],
        "update": [],
    }


def push(world: World, random: Random, update: str, kind: str, minute: float, lost: float = 0.0) -> dict[int, float]:
    """An update is sent to everybody within minutes. Returns when each host got it, whether it tells of that or not."""
    world["update"].append({"update_id": update, "kind": kind, "channel": update, "released_at": at(minute)})
    got = {number: minute + random.expovariate(1 / 3) for number in range(HOSTS)}
    told = [(number, when) for number, when in got.items() if random.random() >= lost]
    world["install"] += [
        {"host_id": f"h{number}", "update_id": update, "applied_at": at(when), "received_at": at(when + 0.5)}
        for number, when in told
    ]
    return got


def answers(world: World, empty_lake) -> list[Row]:
    with lake_of(world, empty_lake) as lake:
        found: list[Row] = incidents(lake)["incidents"]
    return found


def said(found: list[Row]) -> set[str]:
    return {turn["verdict"] for one in found for turn in one["history"]}


def struck_at_a_place(place: str, seed: int, *, own: bool) -> World:
    """An update goes to everybody, and within the hour hosts of one region, or of one customer, crash.

    Args:
        own: in a module of its own; else in whatever hosts crash in.
    """
    random = Random(seed)
    world = fleet(random, place)
    for number, when in push(world, random, "sent", "content", RELEASED).items():
        if number < 300 and random.random() < 0.4:
            module, struck = "sent.sys" if own else random.choice(USUAL), when + random.uniform(20, 55)
            world["crash"].append({**crash_of(number, struck), "module": module})
    return world


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("own", [True, False], ids=["in a module of its own", "in whatever hosts crash in"])
def test_what_strikes_one_region_after_a_push_is_acquitted_only_if_no_module_is_new(empty_lake, seed, own):
    found = answers(struck_at_a_place("region", seed, own=own), empty_lake)
    assert not any(one["update_id"] for one in found)
    assert ("no_update" in said(found)) is not own
    if own:
        assert [one["candidates"][0]["update_id"] for one in found] == ["sent"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("own", [True, False], ids=["in a module of its own", "in whatever hosts crash in"])
def test_nor_is_what_strikes_one_customer_in_the_end(empty_lake, seed, own):
    """A fault may need settings that only its hosts have."""
    found = answers(struck_at_a_place("customer", seed, own=own), empty_lake)
    assert [one["verdict"] for one in found] == ["cannot_separate" if own else "no_update"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("lost", [0.3, 0.0])
def test_who_lacks_an_update_acquits_it_only_where_installs_are_told(empty_lake, seed, lost):
    """Three in ten hosts lack it: their installs were lost, as of everything else, or they were never sent it."""
    random = Random(seed)
    world = fleet(random)
    for number, minute in enumerate((-500, -100, 300)):
        push(world, random, f"before-{number}", "content", minute, lost)
    got = push(world, random, "sent", "content", RELEASED, lost=0.3)
    for number, when in got.items():
        if number % 9 == 0:
            world["host"][number]["model"] = "m9"
            if random.random() < 0.6:
                struck = crash_of(number, max(when, RELEASED + 8) + random.uniform(1, 60))
                world["crash"].append({**struck, "module": "sent.sys"})
    found = answers(world, empty_lake)
    assert not any(one["update_id"] for one in found)
    assert ("no_update" in said(found)) is (lost == 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("module", "share", "named"), [("patch.sys", 0.3, True), ("", 0.2, False), ("", 0.4, True)])
def test_a_patch_after_whose_reboots_hosts_crash_is_named_by_its_module_or_by_hosts_that_boot_without_it(
    empty_lake, seed, module, share, named
):
    """One that just brings boots at which hosts crash in what they crash in anyway, if more often, is not."""
    random = Random(seed)
    world = fleet(random)
    world["update"].append({"update_id": "patch", "kind": "os_patch", "released_at": at(RELEASED - 10)})
    for number in range(HOSTS):  # all are restarted that night or day, and every fifth by the patch
        is_patched = number % 5 == 1
        when = RELEASED + random.uniform(0, 300) if is_patched else random.uniform(-900, RELEASED + 400)
        world["session"][number]["online_until"] = at(when - 3)
        world["session"].append({"host_id": f"h{number}", "online_from": at(when)})
        if random.random() < (share if is_patched else 0.03):
            struck = crash_of(number, when + random.uniform(1, 5))
            world["crash"].append({**struck, "module": (is_patched and module) or random.choice(USUAL)})
        if is_patched:
            got = {"host_id": f"h{number}", "update_id": "patch", "applied_at": at(when)}
            world["install"].append(got | {"received_at": at(when + 1)})
    found = answers(world, empty_lake)
    assert any(one["update_id"] == "patch" for one in found) is named
    if not named:
        assert "they boot, in the modules that hosts crash in anyway" in found[0]["summary"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("module", ["sent.sys", ""])
def test_what_hosts_get_as_they_boot_is_named_for_boots_that_crash_more_only_where_a_module_is_its_own(
    empty_lake, seed, module
):
    random = Random(seed)
    world = fleet(random)
    world["update"].append({"update_id": "sent", "kind": "content", "channel": "c", "released_at": at(RELEASED - 10)})
    for number in range(HOSTS):
        when = random.uniform(-1300, RELEASED + 400)
        world["session"][number]["online_until"] = at(when - 3)
        world["session"].append({"host_id": f"h{number}", "online_from": at(when)})
        gets_it = when > RELEASED and random.random() < 0.8
        if random.random() < (0.25 if gets_it else 0.02):
            struck = crash_of(number, when + random.uniform(3, 9))
            world["crash"].append({**struck, "module": (gets_it and module) or random.choice(USUAL)})
        if gets_it:
            got = {"host_id": f"h{number}", "update_id": "sent", "applied_at": at(when + 2)}
            world["install"].append(got | {"received_at": at(when + 2.5)})
    found = answers(world, empty_lake)
    assert found[0]["candidates"][0]["update_id"] == "sent"
    assert any(one["update_id"] == "sent" for one in found) is bool(module)
