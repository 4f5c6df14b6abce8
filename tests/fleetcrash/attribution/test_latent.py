"""Latent faults: what strikes hosts with an update hours or days after they got it, beside an innocent push."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.times import time_text
from tests.fleetcrash.live import followed
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS = range(200)
STRIKES, END = 300, 340
HOURS_AGO, YESTERDAY, DAYS_AGO = STRIKES - 360, STRIKES - 1620, STRIKES - 2900
MORNING = (STRIKES, STRIKES + 60)


def install(number: int, update: str, minute: float) -> Row:
    return {"host_id": f"h{number}", "update_id": update, "applied_at": at(minute)}


def fleet(
    *,
    got: float,
    has_it: Callable[[int], bool] = lambda n: n % 2 == 0,
    strikes: Callable[[int], bool],
    beside: bool = True,
) -> World:
    """Some hosts got an update within an hour; some, of it or not, crash within 20 minutes long after.

    Args:
        got: when. has_it: who. strikes: who crashes. beside: whether everybody gets another one the minute before.
    """
    random = Random(1)
    world: World = {
        "host": [
            {
                "host_id": f"h{n}",
                "os_type": "windows",
                "os_version": "11" if n % 5 else "10",
                "region": "ab"[n % 3 == 0],
                "group": f"g{n % 8}",
            }
            for n in HOSTS
        ],
        "update": [{"update_id": "old", "kind": "policy", "released_at": at(got)}],
        "session": [{"host_id": f"h{n}", "online_from": at(-4000)} for n in HOSTS],
        "install": [install(n, "old", got + random.uniform(0, 60)) for n in HOSTS if has_it(n)],
        "crash": [crash_of(1, 100.0), crash_of(2, 200.0)],
    }
    if beside:
        world["update"].append(
            {"update_id": "beside", "kind": "content", "channel": "1", "released_at": at(STRIKES - 2)}
        )
        world["install"] += [install(n, "beside", STRIKES - random.uniform(0.5, 2)) for n in HOSTS]
    world["crash"] += [crash_of(n, STRIKES + random.uniform(0, 20)) for n in HOSTS if strikes(n)]
    return world


def judged(world: World, empty: Path, *, until: int = END) -> dict[str, Any]:
    """The one incident that there is."""
    with lake_of(world, empty) as lake:
        (found,) = incidents(lake, as_of=at(until))["incidents"]
    return found


def named(found: dict[str, Any]) -> set[str]:
    """The names that were ever given."""
    return {turn["update_id"] for turn in found["history"]} - {None}


def at_text(instant: str, *, minutes: int) -> str:
    """An instant so many minutes later."""
    return time_text(datetime.fromisoformat(instant) + timedelta(minutes=minutes))


def candidates(found: dict[str, Any]) -> list[str]:
    return [one["update_id"] for one in found["candidates"]]


def every_other_of_each_kind(number: int) -> bool:
    return number // 8 % 2 == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strikes", "condition"),
    [(lambda n: n % 4 == 0, {}), (lambda n: n % 2 == 0 and n % 5 and n % 3 < 2, {"os_version": "11"})],
    ids=["everywhere", "on one version"],
)
def test_a_latent_fault_of_hours_ago_is_named_and_not_what_went_out_a_minute_before(empty_lake, strikes, condition):
    found = judged(fleet(got=HOURS_AGO, strikes=strikes), empty_lake)
    assert named(found) == {"old"}
    assert (found["verdict"], found["condition"]) == ("update", condition)


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(3))
def test_what_goes_out_just_then_and_strikes_hosts_with_both_is_not_put_down_to_the_one_of_hours_ago(empty_lake, seed):
    """Though at the alarm many of the struck have not told of the one that went out."""
    random, world = Random(seed), fleet(got=HOURS_AGO, strikes=lambda n: False, beside=False)
    world["update"].append({"update_id": "beside", "kind": "content", "channel": "1", "released_at": at(STRIKES - 2)})
    for n in HOSTS:
        got = STRIKES - 2 + random.uniform(0, 4)
        told = got + (random.uniform(2, 6) if random.random() < 0.35 else 0.05)
        world["install"].append({**install(n, "beside", got), "received_at": at(told)})
        if n % 2 == 0 and random.random() < 0.7:
            world["crash"].append(crash_of(n, got + random.uniform(0.2, 0.8)))
    found = judged(world, empty_lake)
    assert "old" not in named(found)
    assert found["candidates"][0]["update_id"] == "beside"


@pytest.mark.variants
@pytest.mark.parametrize("got", [HOURS_AGO, DAYS_AGO])
@pytest.mark.parametrize("seed", range(3))
def test_nor_is_what_goes_out_minutes_before_and_strikes_hosts_with_both_some_time_later(empty_lake, seed, got):
    has_it = every_other_of_each_kind
    random, world = Random(seed), fleet(got=got, has_it=has_it, strikes=lambda n: False, beside=False)
    world["update"].append({"update_id": "beside", "kind": "content", "channel": "1", "released_at": at(STRIKES - 8)})
    for n in HOSTS:
        got = STRIKES - 8 + random.uniform(0, 5)
        told = got + (random.uniform(2, 15) if random.random() < 0.35 else 0.05)
        world["install"].append({**install(n, "beside", got), "received_at": at(told)})
        if has_it(n) and random.random() < 0.8:
            world["crash"].append(crash_of(n, got + random.uniform(3.5, 6.0)))
    found = judged(world, empty_lake)
    assert "old" not in named(found)
    assert found["candidates"][0]["update_id"] == "beside"


@pytest.mark.slow
@pytest.mark.parametrize("beside", [True, False])
def test_an_older_update_is_what_a_latent_fault_may_be_of_or_it_and_what_went_out_a_minute_before(empty_lake, beside):
    found = judged(fleet(got=YESTERDAY, strikes=lambda n: n % 4 == 0, beside=beside), empty_lake)
    assert not named(found)
    assert (found["verdict"], set(candidates(found))) == ("cannot_separate", {"old", "beside"} if beside else {"old"})


@pytest.mark.variants
@pytest.mark.parametrize("beside", [True, False])
def test_an_older_update_is_named_once_hosts_alike_in_all_else_tell_it_from_whatever_they_have(empty_lake, beside):
    has_it = every_other_of_each_kind
    world = fleet(got=DAYS_AGO, has_it=has_it, strikes=lambda n: has_it(n) and n % 5 > 0 and n % 7 > 1, beside=beside)
    found = judged(world, empty_lake)
    assert named(found) == {"old"}
    assert (found["verdict"], found["condition"], candidates(found)) == ("update", {"os_version": "11"}, ["old"])
    first = next(turn["at"] for turn in found["history"] if turn["update_id"] == "old")
    assert found["named_at"] == first >= at_text(found["alarm_at"], minutes=15), "as long as it takes to call it a tie"
    struck = sum(has_it(n) and n % 5 > 0 and n % 7 > 1 for n in HOSTS)
    assert found["impact"]["exposed"] == sum(has_it(n) and n % 5 > 0 for n in HOSTS)
    assert found["evidence"]["hosts_crashed"] == struck + 1, "h1 crashed before, while exposed"
    assert found["evidence"]["events_judged"] == struck - 1, "h2 had crashed before, on that day"
    assert 0 < found["evidence"]["events_expected"] < 1
    assert found["controls"] is None
    assert found["rivals"][0]["name"] == "old"


@pytest.mark.variants
@pytest.mark.parametrize("beside", [True, False], ids=["within the hour after a push", "by itself"])
def test_what_strikes_few_hosts_with_an_older_update_may_be_of_that_or_of_what_went_out_just_then_and_needs_it(
    empty_lake, beside
):
    world = fleet(got=DAYS_AGO, strikes=lambda n: n % 2 == 0 and n // 8 % 4 == 0, beside=beside)
    for row in world["install"]:
        if row["update_id"] == "beside":
            row["applied_at"] -= timedelta(minutes=18)
    found = judged(world, empty_lake)
    assert named(found) == set()
    assert (found["verdict"], set(candidates(found))) == ("cannot_separate", {"old", "beside"} if beside else {"old"})


@pytest.mark.slow
def test_a_monitor_that_reads_on_says_the_same_of_a_fault_of_days_ago(empty_lake):
    has_it = every_other_of_each_kind
    world = fleet(got=DAYS_AGO, has_it=has_it, strikes=lambda n: has_it(n) and n % 5 > 0 and n % 7 > 1, beside=False)
    moments = [at(minute) for minute in range(STRIKES - 10, END + 1, 7)]
    with lake_of(world, empty_lake) as lake:
        for moment, found in zip(moments, followed(lake, moments), strict=True):
            assert found == incidents(lake, as_of=moment)
    assert [one["update_id"] for one in found["incidents"]] == ["old"]


@pytest.mark.variants
@pytest.mark.parametrize("has_it", [lambda n: n % 3 == 0, lambda n: n % 8 < 4], ids=["a region", "whole groups"])
def test_an_older_update_is_not_named_for_what_strikes_all_hosts_that_are_as_those_which_got_it(empty_lake, has_it):
    found = judged(fleet(got=DAYS_AGO, has_it=has_it, strikes=lambda n: has_it(n) and n % 5 > 0), empty_lake)
    assert not named(found)


@pytest.mark.variants
@pytest.mark.parametrize("got", [HOURS_AGO, DAYS_AGO])
def test_a_patch_that_one_build_got_is_not_named_for_what_strikes_that_build(empty_lake, got):
    """Nine in ten of its hosts have it, and of the others nobody; the catalogue numbers patches by itself."""

    def has_it(number: int) -> bool:
        return number % 2 == 0 and number % 20 > 0

    world = fleet(got=got, has_it=has_it, strikes=lambda n: has_it(n) and n % 3 > 0)
    world["update"][0] |= {"kind": "os_patch", "version": "v41"}
    for n, host in zip(HOSTS, world["host"], strict=True):
        host["os_build"] = "19045.4651" if n % 2 == 0 else "22631.3880"
    found = judged(world, empty_lake)
    assert "old" not in named(found)


@pytest.mark.slow
@pytest.mark.variants
@pytest.mark.parametrize("seed", range(3))
def test_a_driver_that_one_model_got_is_not_named_for_what_strikes_that_model_in_one_region(empty_lake, seed):
    """Hosts of other models that stand there are spared, but they are none of those; of that model all have it."""
    random, world = Random(seed), fleet(got=STRIKES - 120, has_it=lambda n: n % 4 == 0, strikes=lambda n: False)
    world["update"][0]["kind"] = "driver"
    for n, host in enumerate(world["host"]):
        host |= {
            "model": "vm" if n % 4 == 0 else "metal",
            "region": "ab"[n // 4 % 2],
            "os_version": "10",
            "group": None,
        }
    world["crash"] += [crash_of(n, STRIKES - 20 + random.uniform(0, 60)) for n in HOSTS if n % 8 == 0]
    with lake_of(world, empty_lake) as lake:
        found = incidents(lake, as_of=at(END))["incidents"]
    assert found
    assert {turn["update_id"] for one in found for turn in one["history"]} == {None}


def test_but_an_older_one_that_hosts_are_what_they_are_by_does_not_clear_what_went_out_a_minute_before(empty_lake):
    """Which may strike hosts of one version, and these have that version by the older one."""
    world = fleet(got=DAYS_AGO, strikes=lambda n: n % 4 == 0)
    world["update"][0] |= {"kind": "agent", "version": "7.17"}
    found = judged(world, empty_lake)
    assert (found["verdict"], candidates(found)) == ("cannot_separate", ["beside"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["content", "agent", "os_patch"])
def test_of_whatever_kind_it_is_one_of_hours_ago_is_told_from_an_older_one_that_everybody_has(empty_lake, kind):
    world, random = fleet(got=HOURS_AGO, strikes=lambda n: n % 4 == 0), Random(2)
    world["update"][0] |= {"kind": kind, "version": "7.17"}
    world["update"].append({"update_id": "pilot", "kind": "content", "channel": "2", "released_at": at(YESTERDAY)})
    world["install"] += [install(n, "pilot", YESTERDAY + random.uniform(0, 60)) for n in HOSTS]
    assert named(judged(world, empty_lake)) == {"old"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("has_it", "name", "first"),
    [(lambda n: n % 2 == 0, set(), ["old", "pilot"]), (lambda n: n % 2 == 0 and n % 8, {"old"}, ["old"])],
    ids=["the same hosts", "some that are struck lack it"],
)
def test_nor_is_one_of_hours_ago_named_where_the_same_hosts_have_an_older_one(empty_lake, has_it, name, first):
    world, random = fleet(got=HOURS_AGO, strikes=lambda n: n % 4 == 0), Random(2)
    world["update"].append({"update_id": "pilot", "kind": "content", "channel": "2", "released_at": at(YESTERDAY)})
    world["install"] += [install(n, "pilot", YESTERDAY + random.uniform(0, 60)) for n in HOSTS if has_it(n)]
    found = judged(world, empty_lake)
    assert named(found) == name
    assert candidates(found) == first


@pytest.mark.slow
@pytest.mark.parametrize("got", [HOURS_AGO, YESTERDAY], ids=["hours ago", "yesterday"])
def test_where_hosts_without_it_are_struck_alike_nobody_is_named_and_the_older_update_is_no_candidate(empty_lake, got):
    found = judged(fleet(got=got, strikes=lambda n: n % 4 < 2), empty_lake)
    assert not named(found)
    assert "old" not in candidates(found)


def test_an_older_update_that_all_hosts_of_a_struck_group_have_explains_no_more_than_the_group(empty_lake):
    def is_there(n: int) -> bool:
        return n % 8 == 3

    found = judged(fleet(got=DAYS_AGO, has_it=is_there, strikes=is_there, beside=False), empty_lake)
    assert not named(found)
    assert (found["verdict"], found["cause"], candidates(found)) == ("no_update", "site", [])


def morning(*, guilty: str) -> World:
    """Half of the hosts got a patch days ago. In the morning all boot, and those with the patch mostly get content.

    Args:
        guilty: of the two updates the one whose hosts crash within minutes of the boot.
    """
    random = Random(0)
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "ab"[n % 2]} for n in HOSTS],
        "update": [
            {"update_id": "patch", "kind": "os_patch", "released_at": at(DAYS_AGO)},
            {"update_id": "content", "kind": "content", "channel": "1", "released_at": at(STRIKES - 100)},
        ],
        "session": [],
        "install": [],
        "crash": [crash_of(1, 100.0), crash_of(2, 200.0)],
    }
    for n in HOSTS:
        boots, has_patch = random.uniform(*MORNING), n % 4 < 2
        has_content = random.random() < (0.7 if has_patch else 0.15)
        world["session"] += [
            {"host_id": f"h{n}", "online_from": at(-4000), "online_until": at(STRIKES - 120)},
            {"host_id": f"h{n}", "online_from": at(boots)},
        ]
        if has_patch:
            world["install"].append(install(n, "patch", DAYS_AGO + random.uniform(0, 60)))
        if has_content:
            world["install"].append(install(n, "content", boots + random.uniform(0.1, 0.4)))
        if {"patch": has_patch, "content": has_content}[guilty] and random.random() < 0.8:
            world["crash"].append(crash_of(n, boots + random.uniform(0.5, 4)))
    return world


@pytest.mark.slow
@pytest.mark.parametrize(("guilty", "name", "first"), [("patch", set(), "patch"), ("content", {"content"}, "content")])
def test_what_hosts_get_at_the_boot_at_which_an_older_patch_strikes_is_not_named_where_many_of_the_struck_lack_it(
    empty_lake, guilty, name, first
):
    found = judged(morning(guilty=guilty), empty_lake, until=MORNING[1] + 40)
    assert named(found) == name
    assert candidates(found)[0] == first


@pytest.mark.slow
@pytest.mark.parametrize("has_it", [lambda n: n % 10 == 0, lambda n: n % 5 > 0], ids=["one ring", "all but one ring"])
def test_no_update_is_not_said_of_the_first_few_where_those_say_a_little_for_one_of_hours_ago(empty_lake, has_it):
    """By then a rise in the ring itself explains them as well."""
    world = fleet(got=HOURS_AGO, has_it=has_it, strikes=lambda n: has_it(n) and n % 3 > 0, beside=False)
    for n, host in enumerate(world["host"]):
        host["ring"] = "early" if has_it(n) else "late"
    found = judged(world, empty_lake)
    assert [turn["verdict"] for turn in found["history"]][-1] == "update"
    assert "no_update" not in {turn["verdict"] for turn in found["history"]}
    assert named(found) == {"old"}


def test_an_upgrade_of_a_day_ago_is_not_acquitted_by_a_rise_among_hosts_of_the_version_that_it_brought(empty_lake):
    """Some of the hosts got it more than a day ago, when an update stops being on trial, and some less."""
    random, world = (
        Random(1),
        fleet(got=YESTERDAY, has_it=lambda n: n % 5 > 0, strikes=lambda n: n % 5 > 1, beside=False),
    )
    world["update"][0] |= {"kind": "agent", "version": "7.17"}
    for n, host in enumerate(world["host"]):
        host |= {"agent_version": "7.1" + "3456"[n % 4], "ring": "early" if n % 5 else "late"}
    for row in world["install"]:
        row |= {"applied_at": at(STRIKES - random.uniform(1200, 1560))}
    found = judged(world, empty_lake)
    assert "no_update" not in {turn["verdict"] for turn in found["history"]}
    assert (found["verdict"], candidates(found)) == ("cannot_separate", ["old"])


def test_an_older_update_is_not_acquitted_by_a_rise_in_one_version_whose_other_hosts_lack_it_and_are_spared(empty_lake):
    world = fleet(got=DAYS_AGO, strikes=lambda n: n % 2 == 0 and n // 2 % 4 == 3, beside=False)
    for n, host in enumerate(world["host"]):
        host |= {"agent_version": f"7.1{n // 2 % 4}", "group": None}
    found = judged(world, empty_lake)
    assert "no_update" not in {turn["verdict"] for turn in found["history"]}
    assert (found["verdict"], candidates(found)) == ("cannot_separate", ["old"])
    for n, host in enumerate(world["host"]):
        host["agent_version"] = f"7.1{n // 2 % 4 if n % 2 == 0 else 0}"
    assert judged(world, empty_lake)["verdict"] == "no_update", "no host of the version lacks it"
