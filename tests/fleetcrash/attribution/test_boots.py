"""Faults that wait for a boot, and patches that bring one: what boots a host is not blamed for what it boots with."""

from __future__ import annotations

from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.store import Lake
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


@pytest.mark.parametrize("seed", range(3))
def test_a_patch_that_boots_hosts_is_not_blamed_for_an_update_that_waits_for_the_boot(empty_lake, seed):
    with lake_of(fleet(Random(seed), waits=0.8, patch=0.0), empty_lake) as lake:
        assert told(lake) == ["content"]


@pytest.mark.parametrize("seed", range(3))
def test_a_patch_that_crashes_hosts_at_the_boot_that_it_brings_is_named(empty_lake, seed):
    with lake_of(fleet(Random(seed), waits=0.0, patch=0.5), empty_lake) as lake:
        assert told(lake) == ["patch"]


@pytest.mark.parametrize("seed", range(3))
def test_boots_alone_blame_nobody(empty_lake, seed):
    with lake_of(fleet(Random(seed), waits=0.0, patch=0.0), empty_lake) as lake:
        assert told(lake) == []
