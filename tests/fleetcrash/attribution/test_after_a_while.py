"""What strikes hosts so long after an update, and minutes after another one that the same hosts got meanwhile."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS = 1500
FIRST, SECOND = 1500.0, 1533.0  # minutes
HELD_BACK = {"first": 0.15, "second": 0.15}  # of the hosts
STRUCK = 0.12


def _fleet(draw: Random, struck_by: str | None, held_back: dict[str, float], after: float) -> World:
    """Windows hosts that are always on; each gets both of two updates, one or none, within a minute of its release."""
    world: World = {
        "host": [
            {"host_id": f"h{number}", "os_type": "windows", "region": f"r{number % 6}", "model": f"m{number % 5}"}
            for number in range(HOSTS)
        ],
        "session": [{"host_id": f"h{number}", "online_from": at(0)} for number in range(HOSTS)],
        "update": [
            {"update_id": name, "kind": "content", "channel": name, "released_at": at(minute)}
            for name, minute in (("first", FIRST), ("second", SECOND))
        ],
        "install": [],
        "crash": [crash_of(draw.randrange(HOSTS), draw.uniform(1, SECOND + 120)) for _ in range(12)],
    }
    for number in range(HOSTS):
        had = {}
        for name, minute in (("first", FIRST), ("second", SECOND)):
            if draw.random() >= held_back[name]:
                had[name] = minute + draw.uniform(0.1, 1.1)
                world["install"].append({"host_id": f"h{number}", "update_id": name, "applied_at": at(had[name])})
        if draw.random() < STRUCK and (struck_by is None or struck_by in had):
            began = FIRST if struck_by is None else had[struck_by]
            world["crash"].append(crash_of(number, began + draw.uniform(after, after + 6)))
    return world


def _said(draw: Random, struck_by: str | None, empty: Path, after: float = 37.0, **held_back: float) -> list[Row]:
    with lake_of(_fleet(draw, struck_by, HELD_BACK | held_back, after), empty) as lake:
        found: list[Row] = incidents(lake, as_of=at(SECOND + 90))["incidents"]
    return found


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_the_older_of_two_is_named_where_hosts_that_lack_it_are_spared_and_those_that_lack_the_other_are_not(
    empty_lake, seed
):
    (only,) = _said(Random(seed), "first", empty_lake)
    assert {turn["update_id"] for turn in only["history"]} == {None, "first"}
    assert only["named_at"] is not None
    assert only["named_at"] < at(SECOND + 30).isoformat()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_neither_is_named_where_hosts_without_either_are_struck_as_well(empty_lake, seed):
    for one in _said(Random(seed), None, empty_lake):
        assert {turn["update_id"] for turn in one["history"]} == {None}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_two_are_tied_where_it_begins_with_the_push_to_everybody_of_the_other_which_may_need_it(empty_lake, seed):
    (only,) = _said(Random(seed), "first", empty_lake, after=34.0, second=0.0)
    assert only["verdict"] == "cannot_separate"
    assert {one["update_id"] for one in only["candidates"]} == {"first", "second"}
