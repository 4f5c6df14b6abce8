"""Faults that strike one kind of host at one minute, hours after the update: a wave of that kind explains when."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

pytestmark = pytest.mark.slow
KIOSKS, OTHERS = range(80), range(80, 500)
PUSHED, NIGHT, DAY = 0.0, 150.0, 1440


def night(struck: str, *, with_it: float, seed: int) -> World:
    """A content for kiosks, at most of them by evening; and the night in which kiosks crash within three minutes.

    Args:
        struck: "those with it" or "all". with_it: the share of kiosks that got it.
    """
    draw = Random(seed)
    got = [n for n in KIOSKS if draw.random() < with_it]
    world: World = {
        "host": [
            {"host_id": f"h{n}", "os_type": "windows", "model": "kiosk" if n in KIOSKS else "abc"[n % 3]}
            for n in (*KIOSKS, *OTHERS)
        ],
        "session": [{"host_id": f"h{n}", "online_from": at(-3 * DAY)} for n in (*KIOSKS, *OTHERS)],
        "update": [{"update_id": "content", "kind": "content", "channel": "c", "released_at": at(PUSHED)}],
        "install": [
            {"host_id": f"h{n}", "update_id": "content", "applied_at": at(PUSHED + draw.uniform(0, 20))} for n in got
        ],
        "crash": [crash_of(draw.choice(OTHERS), -2 * DAY + 60.0 * hour) for hour in range(48)],
    }
    world["crash"] += [
        crash_of(n, NIGHT + draw.uniform(0, 3))
        for n in (got if struck == "those with it" else KIOSKS)
        if draw.random() < 0.8
    ]
    return world


def said(world: World, empty: Path, minute: float) -> list[str]:
    with lake_of(world, empty) as lake:
        return [one["verdict"] for one in incidents(lake, as_of=at(minute))["incidents"]]


@pytest.mark.parametrize("seed", [1, 3])
@pytest.mark.parametrize("minutes", [20, 40])
def test_it_does_not_acquit_the_update_while_hosts_of_that_kind_without_it_are_spared(empty_lake, seed, minutes):
    assert said(night("those with it", with_it=0.9, seed=seed), empty_lake, NIGHT + minutes) == ["cannot_separate"]


@pytest.mark.parametrize("seed", [1, 2])
def test_it_does_where_they_are_not(empty_lake, seed):
    assert said(night("all", with_it=0.9, seed=seed), empty_lake, NIGHT + 40) == ["no_update"]


@pytest.mark.parametrize("seed", [1, 2])
def test_it_does_where_all_of_that_kind_have_the_update(empty_lake, seed):
    """Hosts of other kinds are spared, whatever they have."""
    assert said(night("those with it", with_it=1.0, seed=seed), empty_lake, NIGHT + 40) == ["no_update"]
