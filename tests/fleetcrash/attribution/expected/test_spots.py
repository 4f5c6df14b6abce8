"""Where an incident is watched."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.expected.spots import Spots
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.witnesses import places_known
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import at

ALL, EU, VM = ("all", ""), ("region", "eu"), ("model", "vm")
WINDOWS, LINUX = ("os_type", "windows"), ("os_type", "linux")
DAY = 1440
LATE = 100  # when the inventory first tells of a Linux host


@pytest.fixture
def spots(lake: Lake) -> Spots:
    """Two Windows builds from the start, a Linux host later."""
    names = ("host_id", "os_type", "os_build", "model", "agent_version", "region", "seen_at")
    hosts = [
        ("a", "windows", "19045.4651", "laptop", "7.16", "eu", None),
        ("b", "windows", "19045.4529", "vm", "7.16", "eu", None),
        ("c", "linux", "6.8.0", "vm", "7.15", "eu", at(LATE)),
    ]
    append_rows(lake, "host", [dict(zip(names, host, strict=True)) for host in hosts])
    releases = [("new", "agent", "7.16", -60), ("old", "agent", "7.15", -8 * DAY), ("drv", "driver", "6.8.0", -60)]
    columns = ("update_id", "kind", "version")
    updates = [dict(zip(columns, row, strict=False)) | {"released_at": at(row[-1])} for row in releases]
    append_rows(lake, "update", updates)
    append_rows(lake, "crash", [{"crash_id": "c", "host_id": "a", "os_type": "windows", "occurred_at": at(60)}])
    with Engine(lake, as_of=at(120)) as engine:
        return Spots(read_news(engine))


def _watched(spots: Spots, minute: int) -> dict[tuple[str, str], tuple[str, str]]:
    return {spots.name(spot): spots.name(spots.whole_system(spot, _tick(minute))) for spot in range(len(spots))}


def test_a_slice_by_build_model_or_agent_is_watched_with_its_whole_system(spots):
    """Or the crashes of a fault that hits two builds are two incidents, and the second one follows no update."""
    watched = _watched(spots, 120)
    for build_or_model in (("os_build", "19045.4651"), ("os_build", "19045.4529"), ("model", "laptop")):
        assert watched[build_or_model] == WINDOWS
    for of_linux in (("os_build", "6.8.0"), ("agent_version", "7.15"), LINUX):
        assert watched[of_linux] == LINUX
    for mixed in (VM, EU, ALL):
        assert watched[mixed] == mixed


def test_where_it_is_watched_does_not_depend_on_hosts_that_are_heard_of_later(spots):
    watched = _watched(spots, LATE - 1)
    assert watched[VM] == WINDOWS
    assert watched[EU] == EU


def test_an_update_that_went_to_one_system_only_is_watched_there(spots):
    members = spots.slices.members
    windows = [cell for cell in range(members.shape[1]) if members[_number(spots, WINDOWS), cell]]
    assert spots.name(spots.only_system(members[:, windows].sum(1))) == WINDOWS
    assert spots.name(spots.only_system(members.sum(1))) == ALL
    # Hosts that the inventory lacks do not make it everybody's; of them alone nobody knows.
    unknown = members[:, 0]
    assert spots.name(spots.only_system(members[:, windows].sum(1) + unknown)) == WINDOWS
    assert spots.name(spots.only_system(unknown)) == ALL


def test_spots_of_whole_strata_are_told_from_those_that_cut_through_one(spots):
    """Of OS, region, and servers or not: both Windows builds are in one, and VM and laptop are parts of it."""
    whole = _whole(spots, LATE)
    of_linux = [("agent_version", "7.15"), ("os_build", "6.8.0")]
    assert all(whole[name] for name in (ALL, EU, WINDOWS, LINUX, *of_linux))
    builds = [("os_build", "19045.4651"), ("os_build", "19045.4529")]
    assert not any(whole[name] for name in (VM, ("model", "laptop"), *builds))


def test_a_slice_of_a_version_is_made_by_the_upgrade_to_it_for_a_week(spots):
    tick = int(at(120).timestamp()) // 60
    made = spots.slices_made_lately(tick)
    assert [spots.name(int(one)) for one in made.nonzero()[0]] == [("agent_version", "7.16")]
    assert not spots.slices_made_lately(tick + 7 * DAY).any()


def test_neither_these_nor_which_holds_which_depend_on_hosts_that_are_heard_of_later(spots):
    before, after = (_tick(minute) for minute in (LATE - 1, LATE))
    vm, windows, linux = (_number(spots, name) for name in (VM, WINDOWS, LINUX))
    assert spots.covers(windows, vm, before)
    assert not spots.covers(windows, vm, after)
    assert not spots.covers(linux, vm, before)
    assert places_known(spots._news, before) == {"model": 2, "region": 1}
    assert places_known(spots._news, after) == {"model": 2, "region": 1}


def test_a_group_of_all_hosts_of_a_system_says_no_more_of_where_they_stand_than_that(lake):
    """Not so a customer of whom as much is expected, but whose hosts have other systems as well."""
    hosts = [
        {
            "host_id": f"h{number}",
            "os_type": "windows" if number < 100 else "linux",
            "group": "win" if number < 100 else "lin",
            "customer": "one" if number % 2 else "other",
        }
        for number in range(200)
    ]
    append_rows(lake, "host", hosts)
    append_rows(
        lake,
        "crash",
        [
            {key: host[key] for key in ("host_id", "os_type")} | {"crash_id": host["host_id"], "occurred_at": at(60)}
            for host in hosts[::5]
        ],
    )
    with Engine(lake, as_of=at(120)) as engine:
        spots = Spots(read_news(engine))
    expected = {WINDOWS: 1.0, LINUX: 1.0, ALL: 2.0, ("group", "win"): 1.1, ("group", "lin"): 0.9}
    of_spots = np.array([expected.get(spots.name(spot), 1.0) for spot in range(len(spots))])
    apart = spots.stands_apart(_tick(120), of_spots)
    assert {spots.name(spot) for spot in apart.nonzero()[0].tolist()} == {("customer", "one"), ("customer", "other")}


def test_a_part_of_the_fleet_is_said_as_people_say_it(spots):
    said = {spots.describe(spot) for spot in range(len(spots))}
    assert {"the whole fleet", "Windows", "Linux, agent 7.15", "OS build 19045.4529", "region eu"} <= said


def _whole(spots: Spots, minute: int) -> dict[tuple[str, str], bool]:
    return {spots.name(spot): bool(whole) for spot, whole in enumerate(spots.of_strata(_tick(minute)))}


def _tick(minute: int) -> int:
    return int(at(minute).timestamp()) // 60


def _number(spots: Spots, name: tuple[str, str]) -> int:
    return [spots.name(spot) for spot in range(len(spots))].index(name)
