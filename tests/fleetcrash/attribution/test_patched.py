"""Servers that an OS patch restarts: those that are back in time were restarted, those that are not are dark."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.baseline import DARK
from fleetcrash.attribution.reading import read_news
from fleetcrash.store import Engine
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import World, at, lake_of

KINDS = {"patch": "os_patch", "driver": "driver", "content": "content"}
GONE = 100
# Each server goes offline at minute GONE. What it got how long before, when it is back (None: never), and when its
# silence is news (None: it never is).
CASES = {
    "back before anybody waits": ("patch", 5, 108, None),
    "back an hour later": ("patch", 5, 160, None),
    "back at the last minute": ("patch", 5, 219, None),
    "back too late": ("patch", 5, 230, 220),
    "never back": ("patch", 5, None, 220),
    "patched long before": ("patch", 70, None, 110),
    "never back after a driver": ("driver", 5, None, 110),
    "never back after anything else": ("content", 5, None, 110),
}


@pytest.mark.parametrize("always_on", [True, False])
def test_a_patched_server_is_dark_once_it_is_not_back_after_two_hours(lake, always_on):
    append_rows(
        lake, "host", [{"host_id": name, "os_type": "windows", "always_on": always_on} for name in (*CASES, "steady")]
    )
    append_rows(lake, "update", [{"update_id": one, "kind": KINDS[one], "released_at": at(0)} for one in KINDS])
    sessions = [{"host_id": "steady", "online_from": at(-600)}]
    for name, (_, _, back, _) in CASES.items():
        sessions.append({"host_id": name, "online_from": at(-600), "online_until": at(GONE)})
        if back is not None:
            sessions.append({"host_id": name, "online_from": at(back)})
    append_rows(lake, "session", sessions)
    installs = [
        {"host_id": name, "update_id": update, "applied_at": at(GONE - before)}
        for name, (update, before, _, _) in CASES.items()
    ]
    append_rows(lake, "install", installs)
    for now in (109, 110, 150, 219, 220, 229, 230, 500):
        expected = {name: GONE for name, (*_, news) in CASES.items() if always_on and news is not None and news <= now}
        with Engine(lake, as_of=at(now)) as engine:
            events = read_news(engine).events
        dark = np.flatnonzero(events.outcome == DARK).tolist()
        start = int(at(0).timestamp()) // 60
        assert {events.host[one]: int(events.minute[one]) - start for one in dark} == expected, now
        ticks = {events.host[one]: int(events.tick[one]) - start for one in dark}
        assert ticks == {name: CASES[name][3] for name in expected}, now


def fleet(random: Random, *, lost: float) -> World:
    """Servers that are patched over five hours, and restart for some minutes; some never come back."""
    world: World = {
        "host": [],
        "update": [
            {"update_id": "patch", "kind": "os_patch", "released_at": at(300)},
            {"update_id": "content", "kind": "content", "released_at": at(290)},
        ],
        "session": [],
        "install": [],
        "crash": [],
    }
    for number in range(400):
        host, patched = f"h{number}", 300 + random.uniform(0, 300)
        world["host"].append({"host_id": host, "os_type": "windows", "always_on": True})
        world["install"].append({"host_id": host, "update_id": "content", "applied_at": at(290 + random.uniform(0, 5))})
        if number % 2:
            world["session"].append({"host_id": host, "online_from": at(-900)})
            continue
        world["install"].append({"host_id": host, "update_id": "patch", "applied_at": at(patched)})
        world["session"].append({"host_id": host, "online_from": at(-900), "online_until": at(patched + 1)})
        if random.random() >= lost:
            world["session"].append({"host_id": host, "online_from": at(patched + random.uniform(3, 40))})
    world["crash"] = [
        {"crash_id": f"c{number}", "host_id": f"h{number}", "os_type": "windows", "occurred_at": at(number * 50.0)}
        for number in range(20)
    ]
    return world


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("lost", "named"), [(0.2, {"patch"}), (0.0, set())])
def test_a_patch_that_servers_do_not_come_back_from_is_named(empty_lake, seed, lost, named):
    with lake_of(fleet(Random(seed), lost=lost), empty_lake) as lake:
        found = incidents(lake)["incidents"]
    assert {turn["update_id"] for each in found for turn in each["history"]} - {None} == named
    assert all(each["closed_at"] is None for each in found), "some are dark to the end"
