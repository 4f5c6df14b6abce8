"""Several things at once, and one after the other: each is an incident of its own, and none is taken for another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.incidents.toll import Toll
from fleetcrash.store import Engine, Lake
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS = 1200
REGIONS = 6
PUSHED_AT = 150
WITH_IT = [number for number in range(HOSTS) if number // REGIONS % 2]


def _fleet(**changes: Any) -> World:
    """Windows hosts of six regions, always on, half of which get an update."""
    return {
        "host": [
            {
                "host_id": f"h{number}",
                "os_type": "windows",
                "region": f"r{number % REGIONS}",
                "model": f"m{number % 5}",
                "always_on": True,
            }
            for number in range(HOSTS)
        ],
        "session": [{"host_id": f"h{number}", "online_from": at(0)} for number in range(HOSTS)],
        "update": [{"update_id": "u", "kind": "content", "channel": "1", "released_at": at(PUSHED_AT)}],
        "install": [
            {"host_id": f"h{number}", "update_id": "u", "applied_at": at(PUSHED_AT + number / HOSTS)}
            for number in WITH_IT
        ],
        "crash": [],
        **changes,
    }


def _of_the_update() -> list[dict[str, Any]]:
    """Crashes of every fourth host with the update, two minutes after it came."""
    return [crash_of(number, PUSHED_AT + 2 + number / HOSTS) for number in WITH_IT[::4]]


@pytest.fixture
def early() -> list[dict[str, Any]]:
    """Crashes of old, so that there is something to hold a rise against."""
    return [crash_of(number, 1 + number / 10) for number in range(1, HOSTS, 200)]


def test_a_fault_in_the_middle_of_a_regions_outage_is_named_once_and_the_outage_is_never_blamed_on_it(
    empty_lake: Path, early: list[dict[str, Any]]
) -> None:
    outage = [crash_of(number, PUSHED_AT - 20 + number / HOSTS * 5) for number in range(1, HOSTS, REGIONS)]
    with lake_of(_fleet(crash=[*early, *outage, *_of_the_update()]), empty_lake) as lake:
        first, second = incidents(lake, as_of=at(PUSHED_AT + 60))["incidents"]
    assert (first["verdict"], first["cause"]) == ("no_update", "region")
    assert {turn["update_id"] for turn in first["history"]} == {None}
    assert second["update_id"] == "u"
    assert {turn["verdict"] for turn in second["history"]} <= {"undetermined", "update"}
    assert second["evidence"]["crashes"] == len(_of_the_update())


@pytest.mark.parametrize("struck", [range(2, HOSTS, 11), range(7, HOSTS, 2 * REGIONS)], ids=["all over", "a region"])
def test_a_rise_just_after_everybody_got_an_update_within_a_minute_is_not_blamed_on_it(
    empty_lake: Path, early: list[dict[str, Any]], struck: range
) -> None:
    """Of two minutes after the install there are hosts that crash, and host-time, or none of either."""
    world = _fleet()
    world["install"] = [
        {"host_id": f"h{number}", "update_id": "u", "applied_at": at(PUSHED_AT + number % 97 / 200)}
        for number in range(HOSTS)
    ]
    rise = [crash_of(number, PUSHED_AT + 1.5 + number / HOSTS * 2) for number in struck]
    world["crash"] = [*early, *rise]
    with lake_of(world, empty_lake) as lake:
        (only,) = incidents(lake, as_of=at(PUSHED_AT + 30))["incidents"]
    assert {turn["update_id"] for turn in only["history"]} == {None}
    assert only["verdict"] in ("cannot_separate", "no_update")


@pytest.mark.slow
def test_a_fault_that_comes_while_hosts_are_dark_because_of_something_unsolved_is_an_incident_of_its_own(
    empty_lake: Path, early: list[dict[str, Any]]
) -> None:
    world = _fleet(crash=[*early, *_of_the_update()])
    world["update"].append({"update_id": "v", "kind": "content", "channel": "2", "released_at": at(10)})
    world["install"] += [{"host_id": f"h{number}", "update_id": "v", "applied_at": at(10)} for number in range(HOSTS)]
    for number in range(3, HOSTS, 40):
        world["session"][number]["online_until"] = at(12 + number % 4)
    with lake_of(world, empty_lake) as lake:
        before = incidents(lake, as_of=at(PUSHED_AT))["incidents"]
        first, second = incidents(lake, as_of=at(PUSHED_AT + 60))["incidents"]
    assert [one["verdict"] for one in before] == ["cannot_separate"]
    assert (first["alarm_at"], first["verdict"]) == (before[0]["alarm_at"], "cannot_separate")
    assert first["closed_at"] is None  # its hosts are still dark
    assert second["update_id"] == "u"
    assert second["alarm_at"] > at(PUSHED_AT).isoformat()


def _by_release(crash: list[dict[str, Any]]) -> World:
    """Nobody tells of installs; the catalogue has the version, which crashes may say their hosts have."""
    world = _fleet(install=[], crash=crash)
    world["update"][0]["version"] = "v2"
    return world


@pytest.mark.variants
@pytest.mark.parametrize(
    ("struck", "every_eighth_has", "names"),
    [
        (range(1, HOSTS, 13), "v2", {"u"}),
        (range(1, HOSTS, 13), "v1", set()),
        (range(1, HOSTS, 2 * REGIONS), "v2", set()),
    ],
    ids=["all over", "some lack it", "one region"],
)
def test_by_releases_alone_what_strikes_all_over_is_named_and_not_if_hosts_lack_it_nor_for_a_place(
    empty_lake: Path, early: list[dict[str, Any]], struck: range, every_eighth_has: str, names: set[str]
) -> None:
    crash = [
        crash_of(number, PUSHED_AT + 3 + place / 8) | {"content": {"1": every_eighth_has if place % 8 == 7 else "v2"}}
        for place, number in enumerate(struck)
    ]
    with lake_of(_by_release([*early, *crash]), empty_lake) as lake:
        found = incidents(lake, as_of=at(PUSHED_AT + 60))["incidents"]
    assert {turn["update_id"] for one in found for turn in one["history"]} - {None} == names


def test_a_second_fault_in_hosts_of_the_first_is_an_incident_of_its_own_while_that_goes_on(
    empty_lake: Path, early: list[dict[str, Any]]
) -> None:
    """A few of the first one's hosts go on to crash for hours; then every second of them gets another guilty update."""
    second_at = PUSHED_AT + 240
    world = _fleet(crash=[*early, *_of_the_update()])
    world["crash"] += [crash_of(number, PUSHED_AT + 20 + number / 3) for number in WITH_IT[2::20]]
    got_second = WITH_IT[::2]
    world["update"].append({"update_id": "v", "kind": "policy", "released_at": at(second_at)})
    world["install"] += [
        {"host_id": f"h{number}", "update_id": "v", "applied_at": at(second_at + number / HOSTS)}
        for number in got_second
    ]
    struck = {row["host_id"] for row in world["crash"]}
    of_second = [number for number in got_second if f"h{number}" not in struck][::3]
    world["crash"] += [crash_of(number, second_at + 2 + number / HOSTS) for number in of_second]
    with lake_of(world, empty_lake) as lake:
        first, second = incidents(lake, as_of=at(second_at + 60))["incidents"]
    assert {turn["update_id"] for turn in first["history"]} <= {None, "u"}
    assert first["update_id"] == "u"
    assert second["update_id"] == "v"
    assert {turn["update_id"] for turn in second["history"]} == {"v"}
    assert second["alarm_at"] >= at(second_at).isoformat()[:16]
    assert second["evidence"]["crashes"] >= len(of_second)


@pytest.mark.parametrize(("also", "goes_on"), [(0.0, True), (0.4, False)], ids=["at its pace", "far more"])
def test_how_many_of_the_last_hour_were_to_come_of_a_fault(
    empty_lake: Path, early: list[dict[str, Any]], also: float, goes_on: bool
) -> None:
    """An update trickles out for hours and crashes every fifth host an hour later; then perhaps others besides."""
    random, tick = Random(1), int(at(PUSHED_AT + 240).timestamp()) // 60
    got = {number: PUSHED_AT + random.expovariate(1 / 150) for number in range(HOSTS)}
    crashed = {
        number: minute + random.lognormvariate(4, 0.6) for number, minute in got.items() if random.random() < 0.2
    }
    had = [number for number, minute in got.items() if minute < PUSHED_AT + 180 and number not in crashed]
    crashed |= {number: PUSHED_AT + 180 + 55 * random.random() for number in had if random.random() < also}
    world = _fleet(
        crash=[*early, *(crash_of(number, minute) for number, minute in crashed.items())],
        install=[
            {"host_id": f"h{number}", "update_id": "u", "applied_at": at(minute)} for number, minute in got.items()
        ],
    )
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(PUSHED_AT + 241)) as engine:
        inquiry = Inquiry(read_news(engine))
        events = inquiry.news.events
        of_all = np.ones(len(events), bool)
        for each in range(inquiry.news.first_tick, tick + 1):
            inquiry.advance(each, claimed=~of_all, disturbed=lambda _: False)
        toll = Toll.until(inquiry, tick - 60, tick, 0, of_all)
        assert toll.goes_on(inquiry, tick, events.minute > tick - 60) is goes_on
    assert toll.host_minutes.sum() == pytest.approx(
        sum(max(PUSHED_AT + 180 - max(minute, 0), 0) for minute in got.values()), rel=0.2
    )


@pytest.mark.parametrize(("struck", "goes_on"), [(0.08, True), (0.4, False)], ids=["as in the first", "far more"])
def test_a_small_ring_tells_but_roughly_how_soon_a_large_one_is_struck(
    empty_lake: Path, early: list[dict[str, Any]], struck: float, goes_on: bool
) -> None:
    """None of the few struck in the first ring was so within two minutes, and some in the second are."""
    random, until, second_at = Random(2), PUSHED_AT + 170, PUSHED_AT + 180
    first, second = range(100), range(100, 900)
    crashed = {number: PUSHED_AT + 4 + 5 * random.random() for number in first[::12]}
    crashed |= {number: second_at + 0.1 + 8 * random.random() for number in second if random.random() < struck}
    world = _fleet(crash=[*early, *(crash_of(number, minute) for number, minute in crashed.items())])
    world["install"] = [
        {"host_id": f"h{number}", "update_id": "u", "applied_at": at(minute)}
        for numbers, minute in ((first, PUSHED_AT), (second, second_at))
        for number in numbers
    ]
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(second_at + 16)) as engine:
        inquiry = Inquiry(read_news(engine))
        events, toll = inquiry.news.events, None
        of_fault = events.minute > int(at(PUSHED_AT).timestamp()) // 60
        for tick in range(inquiry.news.first_tick, int(at(second_at + 15).timestamp()) // 60 + 1):
            inquiry.advance(tick, claimed=of_fault, disturbed=lambda _: False)
            if tick == int(at(until).timestamp()) // 60:
                toll = Toll.taken(inquiry, tick, 0, None, events.tick <= tick)
        assert toll is not None
        assert (toll.rate[0], toll.rate[1] > 0) == (0.0, True)
        assert toll.goes_on(inquiry, tick, of_fault) is goes_on


@pytest.mark.slow
def test_a_fault_that_goes_on_as_it_did_is_not_blamed_on_what_everybody_gets_meanwhile(
    simulated: Callable[..., Lake],
) -> None:
    lake = simulated("os-patch-guilty", hosts=20_000, seed=345517092)
    found = incidents(lake, as_of=datetime(2024, 8, 14, 10, 45, tzinfo=UTC))["incidents"]
    assert {turn["update_id"] for one in found for turn in one["history"]} == {"os_patch-22631.4037"}


@pytest.mark.slow
def test_by_releases_alone_a_fault_that_goes_on_is_not_blamed_on_what_was_released_later(
    simulated: Callable[..., Lake],
) -> None:
    """Hosts that come online hours later are struck then; nobody tells when they got what."""
    found = incidents(simulated("no-installs", hosts=4000, seed=1937112089))["incidents"]
    assert {turn["update_id"] for one in found for turn in one["history"]} == {"content-329-168"}


@pytest.mark.slow
def test_a_second_fault_in_another_version_does_not_widen_the_condition_of_the_first(
    simulated: Callable[..., Lake],
) -> None:
    """Everybody has both; hosts of the other version were spared while the first update struck its own."""
    lake = simulated("two-faults-one-system", hosts=4000, seed=2903886712)
    first, second = incidents(lake, as_of=datetime(2024, 7, 31, 9, 30, tzinfo=UTC))["incidents"]
    assert (first["update_id"], first["condition"]) == ("content-289-189", {"os_version": "10.0.22631"})
    assert "content-289-189" not in {turn["update_id"] for turn in second["history"]}


@pytest.mark.slow
def test_a_second_fault_that_reaches_all_hosts_keeps_its_name_beside_the_first(
    empty_lake: Path, early: list[dict[str, Any]]
) -> None:
    """The first one strikes Windows, and an hour later the other one Linux and Windows."""
    second_at = PUSHED_AT + 60
    world = _fleet()
    for number, host in enumerate(world["host"]):
        host["os_type"] = ("windows", "linux")[number // 12 % 2]
    system = {host["host_id"]: host["os_type"] for host in world["host"]}
    struck = [row for row in _of_the_update() if system[row["host_id"]] == "windows"]
    taken = {row["host_id"] for row in struck}
    world["update"].append({"update_id": "v", "kind": "content", "channel": "2", "released_at": at(second_at)})
    got_second = [number for number in range(HOSTS) if number // 5 % 3]
    world["install"] += [
        {"host_id": f"h{number}", "update_id": "v", "applied_at": at(second_at + number / HOSTS * 10)}
        for number in got_second
    ]
    of_second = [number for number in got_second[1::4] if f"h{number}" not in taken]
    later = [crash_of(number, second_at + 2 + number / HOSTS * 10) for number in of_second]
    world["crash"] = [row | {"os_type": system[row["host_id"]]} for row in [*early, *struck, *later]]
    with lake_of(world, empty_lake) as lake:
        found = incidents(lake, as_of=at(second_at + 90))["incidents"]
    names = [{turn["update_id"] for turn in one["history"]} for one in found]
    verdicts = {turn["verdict"] for one in found for turn in one["history"]}
    assert [one["update_id"] for one in found] == ["u", "v"]
    assert [one["condition"] for one in found] == [{"os_type": "windows"}, {}]
    assert names[0] <= {None, "u"}
    assert names[1] <= {None, "v"}
    assert "no_update" not in verdicts


def test_an_incident_leaves_alone_what_crashes_in_a_system_that_its_update_never_came_to(
    empty_lake: Path, early: list[dict[str, Any]]
) -> None:
    """The first update comes to Windows and Linux, whose hosts go on to crash; an hour later another one to Macs."""
    second_at, macs = PUSHED_AT + 60, range(900, HOSTS)
    world = _fleet()
    for number, host in enumerate(world["host"]):
        host["os_type"] = "darwin" if number in macs else ("windows", "linux")[number // 12 % 2]
    world["install"] = [row for row in world["install"] if int(row["host_id"][1:]) not in macs]
    struck = [row for row in _of_the_update() if int(row["host_id"][1:]) not in macs]
    struck += [crash_of(number, PUSHED_AT + 20 + number / 9) for number in WITH_IT[2::10] if number not in macs]
    world["update"].append({"update_id": "v", "kind": "content", "channel": "2", "released_at": at(second_at)})
    with_it = [number for number in macs if number % 2]
    world["install"] += [{"host_id": f"h{number}", "update_id": "v", "applied_at": at(second_at)} for number in with_it]
    of_macs = [crash_of(number, second_at + 2 + number / HOSTS) for number in with_it[::8]]
    system = {host["host_id"]: host["os_type"] for host in world["host"]}
    world["crash"] = [row | {"os_type": system[row["host_id"]]} for row in [*early, *struck, *of_macs]]
    with lake_of(world, empty_lake) as lake:
        first, second = incidents(lake, as_of=at(second_at + 30))["incidents"]
    assert {turn["update_id"] for turn in first["history"]} <= {None, "u"}
    assert first["update_id"] == "u"
    assert second["alarm_at"] >= at(second_at).isoformat()[:16]
    assert (second["candidates"][0]["update_id"], second["evidence"]["crashes"]) == ("v", len(of_macs))
    assert {turn["update_id"] for turn in second["history"]} <= {None, "v"}


@pytest.mark.slow
@pytest.mark.parametrize("lasting_min", [5.0, 0.5])  # the shorter one is over before it is told from the fault
def test_a_regions_outage_hours_after_a_fault_is_an_incident_of_its_own_and_leaves_the_name_alone(
    empty_lake: Path, early: list[dict[str, Any]], lasting_min: float
) -> None:
    outage_at = PUSHED_AT + 180
    world = _fleet(crash=[*early, *_of_the_update()])
    # A few of its hosts go on to crash, so that the incident is open when the outage comes.
    world["crash"] += [crash_of(number, PUSHED_AT + 20 + number / 6) for number in WITH_IT[2::20]]
    world["crash"] += [
        crash_of(number, outage_at + number / HOSTS * lasting_min) for number in range(1, HOSTS, REGIONS)
    ]
    with lake_of(world, empty_lake) as lake:
        first, second = incidents(lake, as_of=at(outage_at + 60))["incidents"]
    assert first["update_id"] == "u"
    assert {(turn["verdict"], turn["update_id"]) for turn in first["history"]} <= {
        ("undetermined", None),
        ("cannot_separate", None),
        ("update", "u"),
    }
    named = [turn for turn in first["history"] if turn["update_id"]]
    assert all("region" not in (turn["condition"] or {}) for turn in named)
    assert (second["verdict"], second["cause"]) == ("no_update", "region")
    assert second["alarm_at"] >= at(outage_at).isoformat()[:16]


@pytest.mark.slow
def test_what_a_condition_leaves_out_is_another_incident_though_what_did_it_cannot_be_told(
    empty_lake: Path, early: list[dict[str, Any]]
) -> None:
    pushed_to_all_at = PUSHED_AT + 30
    new = {number for number in range(HOSTS) if number // 24 % 2}  # of the newer OS
    of_the_other = [number for number in range(5, HOSTS, 20) if number not in new]
    world = _fleet(crash=[*early, *(one for one in _of_the_update() if int(one["host_id"][1:]) in new)])
    for number, host in enumerate(world["host"]):
        host["os_version"] = "11" if number in new else "10"
    world["update"].append({"update_id": "v", "kind": "content", "channel": "2", "released_at": at(pushed_to_all_at)})
    world["install"] += [
        {"host_id": f"h{number}", "update_id": "v", "applied_at": at(pushed_to_all_at)} for number in range(HOSTS)
    ]
    world["crash"] += [crash_of(number, pushed_to_all_at + 1 + number / 40) for number in of_the_other]
    with lake_of(world, empty_lake) as lake:
        first, second = incidents(lake, as_of=at(pushed_to_all_at + 60))["incidents"]
    assert (first["update_id"], first["condition"]) == ("u", {"os_version": "11"})
    assert {turn["update_id"] for turn in second["history"]} == {None}
    assert second["alarm_at"] >= at(pushed_to_all_at).isoformat()[:16]
    assert second["evidence"]["crashes"] == len(of_the_other)


@pytest.mark.slow
@pytest.mark.parametrize("systems", [("windows", "linux"), ("linux",)], ids=["both", "one"])
def test_whom_a_second_fault_strikes_is_told_of_the_hosts_of_the_first_as_well(
    empty_lake: Path, early: list[dict[str, Any]], systems: tuple[str, ...]
) -> None:
    """All Windows hosts have the first update, and a few go on to crash by it as a ring of the second one is struck."""
    second_at = PUSHED_AT + 180
    world = _fleet()
    for number, host in enumerate(world["host"]):
        host["os_type"] = ("windows", "linux")[number // 12 % 2]
    system = [host["os_type"] for host in world["host"]]
    got_first = [number for number in range(HOSTS) if system[number] == "windows"]
    got_second = [number for number in range(HOSTS) if number % 5 < 2]
    world["update"].append({"update_id": "v", "kind": "content", "channel": "2", "released_at": at(second_at)})
    world["install"] = [
        {"host_id": f"h{number}", "update_id": update, "applied_at": at(minute + number / 100)}
        for update, numbers, minute in (("u", got_first, PUSHED_AT), ("v", got_second, second_at))
        for number in numbers
    ]
    crashed = {number: PUSHED_AT + number / 100 + 2 for number in got_first[::4]}
    crashed |= {number: PUSHED_AT + 20 + number / 5 for number in got_first[1::20]}
    struck = [number for number in got_second if system[number] in systems and number not in crashed]
    crashed |= {number: second_at + number / 100 + 3 for number in struck[::4]}
    world["crash"] = [
        row | {"os_type": system[int(row["host_id"][1:])]}
        for row in [*early, *(crash_of(number, minute) for number, minute in crashed.items())]
    ]
    with lake_of(world, empty_lake) as lake:
        found = incidents(lake, as_of=at(second_at + 60))["incidents"]
    told = {one["update_id"]: one["condition"] for one in found}
    of_second = {} if len(systems) > 1 else {"os_type": "linux"}
    assert told == {"u": {"os_type": "windows"}, "v": of_second}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 4, 6, 8])
def test_of_two_that_the_same_hosts_got_within_seconds_neither_is_named(empty_lake, early, seed):
    """The few crashes there are first may all seem to be of the younger one's first minutes."""
    random = Random(seed)
    updates = [{"update_id": one, "kind": "content", "channel": one, "released_at": at(PUSHED_AT)} for one in "uv"]
    installs, crashes = [], []
    for number in WITH_IT[::3]:
        got = PUSHED_AT + random.uniform(0, 20)
        for update, after in (("u", 0.0), ("v", random.uniform(1, 15) / 60)):
            installs.append({"host_id": f"h{number}", "update_id": update, "applied_at": at(got + after)})
        if random.random() < 0.15:
            crashes.append(crash_of(number, got + random.lognormvariate(0.4, 0.4)))
    world = _fleet(update=updates, install=installs, crash=[*early, *crashes])
    with lake_of(world, empty_lake) as lake:
        found = incidents(lake, as_of=at(PUSHED_AT + 90))["incidents"]
    assert {turn["update_id"] for one in found for turn in one["history"]} == {None}
    assert {candidate["update_id"] for candidate in found[0]["candidates"]} == {"u", "v"}
