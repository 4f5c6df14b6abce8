"""Faults that wait for the next morning's boot, where nearly everybody got the update the day before."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.hearing import testimony
from fleetcrash.attribution.hearing.older import Held
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

GUILTY, OTHER, FEW = 7, 9, 11
HOURS = 60.0
# Everybody's of the day before, and of the evening before that; by minutes after the start.
PUSHED = {"long before": -20 * HOURS, "noon": 0.0, "evening": 4 * HOURS}
CLOSED, OPENED = 10 * HOURS, 18 * HOURS  # when the hosts were closed for the night, and came online again


def asked(
    held: Mapping[int, Held], *, struck: int = 0, at_boots: bool = True, of_other: float = 0.0
) -> testimony.Testimony:
    """What hosts say, if this is what so many have that boots strike.

    Args:
        of_other: what they say of another update on trial, that half of them and one more have.
    """
    inquiry = SimpleNamespace(pushed=lambda _: np.zeros(1, np.int64), news=None)
    trial = SimpleNamespace(
        row_of=[GUILTY, OTHER, FEW].index,
        waits_for_boots=lambda _: at_boots,
        updates=np.array([GUILTY, OTHER, FEW]),
        by_age=lambda: np.array([[4.0, 6.0], [6.0, 0.0], [2.0, 3.0]]),
    )
    said = testimony.Testimony(*cast(Any, (inquiry, None, trial)))
    said._held_at_boots = lambda _: (held, struck)  # type: ignore[assignment]
    said._at_boots_since = lambda _: np.ones(1, bool)  # type: ignore[assignment]
    said.of_hosts = {OTHER: of_other}.__getitem__  # type: ignore[assignment]
    return said


@pytest.mark.parametrize(
    ("own", "other", "alone"),
    [
        (Held(20.0, 0), Held(13.0, 0), True),
        (Held(20.0, 0), Held(13.2, 0), False),
        (Held(20.0, 0), Held(13.2, 30), False),
        (Held(13.7, 0), None, False),
        (Held(13.9, 0), None, True),
        (Held(14.0, 3), None, True),
        (Held(14.0, 4), None, False),
        (None, Held(20.0, 0), False),
        (Held(99.0, 15), Held(24.0, 4), True),
        (Held(99.0, 15), Held(25.0, 4), False),
        (Held(20.8, 15), Held(1.0, 4), True),
        (Held(20.6, 15), Held(1.0, 4), False),
    ],
    ids=[
        "of it alone", "nearly as much of another", "of another that some lack", "too little", "enough",
        "installs that were lost", "some of the struck lack it", "most of the struck lack it",
        "next to nothing of another", "a quarter of it of another", "enough, with installs lost",
        "too little, with installs lost",
    ],
)  # fmt: skip
def test_an_update_is_alone_at_boots_where_hosts_say_it_of_nothing_else_that_the_struck_have(
    monkeypatch, own, other, alone
):
    monkeypatch.setattr(testimony, "log_among_alike", lambda *_: LOG_THOUSAND)
    held = {update: one for update, one in ((GUILTY, own), (OTHER, other)) if one is not None}
    assert asked(held, struck=100).is_alone_at_boots(GUILTY) is alone


@pytest.mark.parametrize(
    ("alike", "of_other", "alone"),
    [(LOG_THOUSAND, 24.0, True), (LOG_THOUSAND - 0.1, 24.0, False), (LOG_THOUSAND, 25.0, False)],
    ids=["both", "not hosts alike", "as much of another on trial"],
)
def test_where_installs_were_lost_hosts_alike_have_to_say_so_too_and_of_nothing_else(
    monkeypatch, alike, of_other, alone
):
    monkeypatch.setattr(testimony, "log_among_alike", lambda *_: alike)
    assert asked({GUILTY: Held(99.0, 15)}, struck=100, of_other=of_other).is_alone_at_boots(GUILTY) is alone
    assert asked({GUILTY: Held(99.0, 3)}, struck=100, of_other=of_other).is_alone_at_boots(GUILTY)


@pytest.mark.parametrize(
    ("own", "other", "at_boots", "doubted"),
    [
        (Held(90.0, 16), Held(9.5, 0), True, True),
        (Held(90.0, 16), Held(9.5, 0), False, False),
        (Held(90.0, 16), Held(9.5, 9), True, False),
        (Held(90.0, 16), Held(-0.1, 0), True, False),
        (Held(90.0, 2), Held(9.5, 0), True, False),
        (None, Held(9.5, 0), True, True),
    ],
    ids=[
        "all have another",
        "not at boots",
        "as many lack the other",
        "hosts say nothing for it",
        "two",
        "most lack it",
    ],
)
def test_what_some_of_those_lack_that_boots_strike_is_doubtful_where_they_all_have_another(
    own, other, at_boots, doubted
):
    held = {update: one for update, one in ((GUILTY, own), (OTHER, other)) if one is not None}
    assert asked(held, at_boots=at_boots)._leaves_out_some_boots(GUILTY) is doubted


def fleet(guilty: str, draw: Random, *, lacking: float = 1 / 16, lost: float = 0.0) -> World:
    """Laptops that are closed for the night. Some lack each update, and of some installs nobody tells; of those with
    the guilty one every fourth crashes a minute after it comes online in the morning."""
    world: World = {
        "update": [
            {"update_id": name, "kind": "content", "channel": name, "released_at": at(minute)}
            for name, minute in PUSHED.items()
        ],
        "host": [], "session": [], "install": [],
        "crash": [crash_of(n, -25 * HOURS + 20.0 * n) for n in range(30)],
    }  # fmt: skip
    for n in range(1200):
        host, opened = f"h{n}", OPENED + draw.uniform(0, 3 * HOURS)
        world["host"].append({"host_id": host, "os_type": "windows"})
        world["session"] += [
            {"host_id": host, "online_from": at(-26 * HOURS), "online_until": at(CLOSED + draw.uniform(0, 60))},
            {"host_id": host, "online_from": at(opened)},
        ]
        got = [name for name in PUSHED if draw.random() > lacking]
        world["install"] += [
            {"host_id": host, "update_id": name, "applied_at": at(PUSHED[name] + draw.uniform(0, 20))}
            for name in got
            if not lost or draw.random() > lost
        ]
        if guilty in got and n % 4 == 0:
            world["crash"].append(crash_of(n, opened + 1.0 + draw.random()))
    return world


@pytest.mark.variants
@pytest.mark.parametrize("guilty", list(PUSHED))
def test_of_what_nearly_everybody_got_the_day_before_the_one_that_all_struck_hosts_have_is_named(empty_lake, guilty):
    """What hosts have had for longer than a day when boots strike them is not named; nor is another one for it."""
    world = fleet(guilty, Random(11))
    with lake_of(world, empty_lake) as lake:
        found = incidents(lake, as_of=at(OPENED + 4 * HOURS))
    named = [one["update_id"] for one in found["incidents"] if one["update_id"] is not None]
    assert found["incidents"]
    assert named == ([guilty] if guilty != "long before" else [])


@pytest.mark.variants
@pytest.mark.parametrize("seed", [3, 4])
def test_of_what_many_got_the_day_before_one_is_named_though_installs_were_lost(empty_lake, seed):
    world = fleet("noon", Random(seed), lacking=0.3, lost=0.1)
    with lake_of(world, empty_lake) as lake:
        found = incidents(lake, as_of=at(OPENED + 4 * HOURS))
    assert [one["update_id"] for one in found["incidents"]] == ["noon"]
