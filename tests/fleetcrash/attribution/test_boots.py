"""Faults that wait for a boot, and patches that bring one: what boots a host is not blamed for what it boots with."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine, Lake
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS = range(400)
PUSHED, FROM, TO, END = 60, 180, 300, 420


def fleet(random: Random, *, waits: float, patch: float) -> World:
    """Servers that get a content update at once. Half are patched later and boot for it, an eighth boot without.

    Args:
        waits: how likely a host that has the content update crashes at its next boot, within three minutes.
        patch: how likely one that has the patch crashes at the boot that it brings.
    """
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "ab"[n % 2]} for n in HOSTS],
        "update": [
            {"update_id": "content", "kind": "content", "channel": "1", "released_at": at(PUSHED)},
            {"update_id": "patch", "kind": "os_patch", "released_at": at(FROM - 30)},
        ],
        "session": [],
        "install": [],
        "crash": [crash_of(1, 2.0), crash_of(2, 150.0)],
    }
    for n in HOSTS:
        host = f"h{n}"
        has_content = n % 10 > 0
        if has_content:
            world["install"].append(
                {"host_id": host, "update_id": "content", "applied_at": at(PUSHED + random.random())}
            )
        boots_at = random.uniform(FROM, TO)
        is_patched = n % 4 < 2
        crashes = has_content and random.random() < waits
        if is_patched:
            world["install"].append({"host_id": host, "update_id": "patch", "applied_at": at(boots_at + 0.2)})
            crashes = crashes or random.random() < patch
        elif n % 8 != 2:
            world["session"].append({"host_id": host, "online_from": at(-900)})
            continue
        world["session"] += [
            {"host_id": host, "online_from": at(-900), "online_until": at(boots_at - 3)},
            {"host_id": host, "online_from": at(boots_at)},
        ]
        if crashes:
            world["crash"].append(crash_of(n, boots_at + random.uniform(0.3, 3)))
    return world


def told(lake: Lake) -> list[str]:
    """The names that were ever given, each once."""
    found = incidents(lake, as_of=at(END))["incidents"]
    return sorted({turn["update_id"] for one in found for turn in one["history"] if turn["update_id"]})


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(3))
def test_a_patch_that_boots_hosts_is_not_blamed_for_an_update_that_waits_for_the_boot(empty_lake, seed):
    with lake_of(fleet(Random(seed), waits=0.8, patch=0.0), empty_lake) as lake:
        assert told(lake) == ["content"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_patch_that_crashes_hosts_at_the_boot_that_it_brings_is_named(empty_lake, seed):
    with lake_of(fleet(Random(seed), waits=0.0, patch=0.5), empty_lake) as lake:
        assert told(lake) == ["patch"]


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(3))
def test_boots_alone_blame_nobody(empty_lake, seed):
    with lake_of(fleet(Random(seed), waits=0.0, patch=0.0), empty_lake) as lake:
        assert told(lake) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("share", "late_min"), [(0.02, None), (0.05, None), (0.2, 30.0)], ids=["2 %", "5 %", "late"])
def test_nor_is_an_update_that_all_have_blamed_where_some_installs_of_a_guilty_patch_are_not_told(
    empty_lake, seed, share, late_min
):
    random, world = Random(seed), fleet(Random(seed), waits=0.0, patch=0.5)
    crashed = {row["host_id"] for row in world["crash"]}
    for row in [row for row in world["install"] if row["update_id"] == "patch" and row["host_id"] in crashed]:
        if random.random() < share:
            if late_min is None:
                world["install"].remove(row)
            else:
                row["received_at"] = row["applied_at"] + timedelta(minutes=late_min)
    with lake_of(world, empty_lake) as lake:
        assert told(lake) in ([], ["patch"])


def test_who_had_an_update_is_known_by_the_installs_told_by_then_until_another_takes_its_place(empty_lake):
    hosts = ["replaced", "kept", "late", "without"]
    installed = [
        ("replaced", "a1", 10, 10),
        ("replaced", "a2", 60, 60),
        ("kept", "a1", -3000, 10),
        ("late", "a1", 10, 210),
    ]
    world: World = {
        "host": [{"host_id": host, "os_type": "windows"} for host in hosts],
        "update": [{"update_id": name, "kind": "agent", "released_at": at(-5000)} for name in ("a1", "a2")],
        "session": [{"host_id": host, "online_from": at(-5000)} for host in hosts],
        "install": [
            {"host_id": host, "update_id": name, "applied_at": at(applied), "received_at": at(told_at)}
            for host, name, applied, told_at in installed
        ],
        "crash": [
            {"crash_id": host, "host_id": host, "os_type": "windows", "occurred_at": at(200), "received_at": at(201)}
            for host in hosts
        ],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        index = [one.update_id for one in news.suspects].index("a1")
        had = news.ask.had(index)
        start = int(at(0).timestamp()) // 60
        found = {news.events.host[event]: tick - start for event, tick in zip(had.event, had.tick, strict=True)}
    assert found == {"kept": 201, "late": 210}


@pytest.mark.slow
def test_an_update_that_waits_for_boots_keeps_its_name_when_a_patch_boots_everybody_else(empty_lake):
    """Hosts that boot by themselves tell first what it does; later hardly any boot without the patch."""
    random, hosts, alone, patched_from = Random(1), 900, 20, FROM + 100
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "ab"[n % 2]} for n in range(hosts)],
        "update": [
            {"update_id": "content", "kind": "content", "channel": "1", "released_at": at(PUSHED)},
            {"update_id": "patch", "kind": "os_patch", "released_at": at(patched_from)},
        ],
        "session": [],
        "install": [],
        "crash": [crash_of(1, 2.0), crash_of(2, 150.0)],
    }
    for n in range(hosts):
        boots_at = random.uniform(FROM, FROM + 80) if n < alone else random.uniform(patched_from, patched_from + 240)
        world["session"] += [
            {"host_id": f"h{n}", "online_from": at(-900), "online_until": at(boots_at - 3)},
            {"host_id": f"h{n}", "online_from": at(boots_at)},
        ]
        if n >= alone:
            world["install"].append({"host_id": f"h{n}", "update_id": "patch", "applied_at": at(boots_at + 0.2)})
        if n % 40:
            world["install"].append({"host_id": f"h{n}", "update_id": "content", "applied_at": at(PUSHED)})
            if random.random() < 0.9:
                world["crash"].append(crash_of(n, boots_at + random.uniform(0.3, 3)))
    with lake_of(world, empty_lake) as lake:
        found = incidents(lake, as_of=at(patched_from + 300))["incidents"]
    assert [{turn["update_id"] for turn in one["history"]} - {None} for one in found] == [{"content"}]
