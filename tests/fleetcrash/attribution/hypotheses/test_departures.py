"""Hosts that go offline soon after an update: named beside hosts without it, and never for anything that takes both."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from random import Random

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.facts.answers import LeftAt
from fleetcrash.attribution.facts.exposure import HostTime
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.departures import (
    AGES,
    HARMLESS_RATIO,
    WINDOWS,
    Departures,
    at_one_place,
    log_charge,
    log_excess,
)
from fleetcrash.documents import JSON
from fleetcrash.store import Engine, Lake
from tests.fleetcrash.worlds import World, at, lake_of

HOSTS = [f"h{number}" for number in range(400)]
RELEASED, ROLLED_OUT, END = 60, 240, 420


def fleet(random: Random) -> World:
    """Laptops of two models in four sites. Each gets two updates some time; now and then one is put to sleep."""
    sessions, installs = [], []
    for host in HOSTS:
        leaves = min(random.expovariate(1 / 600), END + 1)
        sessions.append(
            {"host_id": host, "online_from": at(-100), "online_until": None if leaves > END else at(leaves)}
        )
        for update in ("content", "policy"):
            got = random.uniform(RELEASED, ROLLED_OUT)
            if got < leaves:
                installs.append({"host_id": host, "update_id": update, "applied_at": at(got)})
    return {
        "host": [
            {"host_id": host, "os_type": "windows", "model": "AB"[number % 2], "site": f"s{number % 4}"}
            for number, host in enumerate(HOSTS)
        ],
        "update": [{"update_id": name, "kind": name, "released_at": at(RELEASED)} for name in ("content", "policy")],
        "session": sessions,
        "install": installs,
        "crash": [
            {"crash_id": host, "host_id": host, "os_type": "windows", "occurred_at": at(minute)}
            for host, minute in (("h1", 2), ("h2", 150))
        ],
    }


def gone(world: World, host: str, minute: float) -> None:
    """End the session of a host, unless it has ended; it gets no update after that."""
    for row in world["session"]:
        if row["host_id"] == host and (row["online_until"] is None or row["online_until"] > at(minute)):
            row["online_until"] = at(minute)
    world["install"][:] = [r for r in world["install"] if r["host_id"] != host or r["applied_at"] <= at(minute)]


def silencing(random: Random, *, told_after: float = 0.0) -> World:
    """Of model A two hosts in three fall silent within three minutes of the content update."""
    world = fleet(random)
    model = {row["host_id"]: row["model"] for row in world["host"]}
    for row in [row for row in world["install"] if row["update_id"] == "content" and model[row["host_id"]] == "A"]:
        if random.random() < 2 / 3:
            gone(world, row["host_id"], minute_of(row["applied_at"]) + random.uniform(0.5, 3))
    for row in world["install"]:
        row["received_at"] = at(minute_of(row["applied_at"]) + told_after)
    return world


def minute_of(moment: datetime) -> float:
    return (moment - at(0)).total_seconds() / 60


def said(lake: Lake, minute: float = END) -> list[JSON]:
    found: list[JSON] = incidents(lake, as_of=at(minute))["incidents"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_an_update_after_which_hosts_fall_silent_is_named_with_its_condition(empty_lake, seed):
    with lake_of(silencing(Random(seed)), empty_lake) as lake:
        (incident,) = said(lake)
        early = [said(lake, minute) for minute in (RELEASED, 120, 150, 200)]
    assert (incident["verdict"], incident["update_id"], incident["condition"]) == ("update", "content", {"model": "A"})
    assert incident["evidence"]["hosts_left"] > 5 * incident["evidence"]["events_expected"]
    assert "content (content) silences model A: " in incident["summary"]
    assert "were expected" in incident["summary"]
    assert incident["controls"] is None
    for before in early:  # what was said once stays
        assert [each["alarm_at"] for each in before] in ([], [incident["alarm_at"]])
        assert all(each["update_id"] == "content" for each in before)
    assert incident["alarm_at"] < at(200).strftime("%Y-%m-%dT%H:%M:%SZ")


def silencing_at_boot(random: Random, *, guilty: bool) -> World:
    """Half of the hosts get the update. All go offline for twenty minutes; model A with it nearly all for good then."""
    world = fleet(random)
    others = {host for number, host in enumerate(HOSTS) if number // 4 % 2}
    world["install"][:] = [r for r in world["install"] if r["update_id"] != "content" or r["host_id"] not in others]
    model = {row["host_id"]: row["model"] for row in world["host"]}
    with_it = {
        row["host_id"]: minute_of(row["applied_at"]) for row in world["install"] if row["update_id"] == "content"
    }
    for row in [row for row in world["session"] if row["online_until"] is None]:
        host, until = row["host_id"], random.uniform(ROLLED_OUT, END - 60)
        row["online_until"] = at(until)
        struck = guilty and model[host] == "A" and with_it.get(host, END) < until and random.random() < 0.9
        ends = at(until + 20 + random.uniform(0.3, 3)) if struck else None
        world["session"].append({"host_id": host, "online_from": at(until + 20), "online_until": ends})
        world["install"][:] = [r for r in world["install"] if r["host_id"] != host or r["applied_at"] <= at(until)]
    return world


@pytest.mark.variants
@pytest.mark.parametrize("guilty", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_an_update_after_which_hosts_fall_silent_at_their_next_boot_is_named_with_its_condition(
    empty_lake, seed, guilty
):
    with lake_of(silencing_at_boot(Random(seed), guilty=guilty), empty_lake) as lake:
        found = [(one["verdict"], one["update_id"], one["condition"]) for one in said(lake)]
    assert found == ([("update", "content", {"model": "A"})] if guilty else [])


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(3))
def test_of_two_that_hosts_get_in_one_go_neither_is_named_though_a_few_more_tell_of_one(empty_lake, seed):
    world = silencing(Random(seed))
    got = [row for row in world["install"] if row["update_id"] == "content"]
    world["install"] = [{**row, "update_id": "policy"} for row in got] + [r for n, r in enumerate(got) if n % 25]
    with lake_of(world, empty_lake) as lake:
        (found,) = incidents(lake, as_of=at(END))["incidents"]
    assert {turn["update_id"] for turn in found["history"]} == {None}
    assert found["verdict"] == "cannot_separate"
    assert sorted(one["update_id"] for one in found["candidates"]) == ["content", "policy"]


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(3))
def test_hosts_that_are_put_to_sleep_blame_nobody(empty_lake, seed):
    with lake_of(fleet(Random(seed)), empty_lake) as lake:
        assert said(lake) == []


def test_of_hosts_that_left_before_judging_began_nothing_is_counted(empty_lake):
    """It begins a day before the first event; of the time before that it is not kept who else was online."""
    world = fleet(Random(1))
    crashes = END + 2000
    world["crash"] = [{"crash_id": "c", "host_id": "h1", "os_type": "windows", "occurred_at": at(crashes)}]
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(crashes + 20)) as engine:
        news = read_news(engine)
        assert len(news.left_with.tick) > 50
        departures, time = Departures(news), HostTime.start(news)
        for tick in range(news.first_tick, news.last_tick + 1):
            time.advance(tick)
            departures.advance(tick, time)
        assert departures.updates() == set()
        assert [departures.counts(update) for update in range(2)] == [(0.0, 0.0)] * 2


def test_an_office_that_leaves_at_five_blames_nobody(empty_lake):
    random = Random(1)
    world = fleet(random)
    for host in HOSTS:
        if random.random() < 0.8:
            gone(world, host, random.uniform(150, 156))
    with lake_of(world, empty_lake) as lake:
        assert said(lake) == []


def test_what_everybody_just_got_is_not_blamed_when_nearly_all_leave_within_twenty_minutes(empty_lake):
    """Those of whom it is not known yet that they left are most of those held to be online, and all had it."""
    random = Random(3)
    world = fleet(random)
    world["install"] = [
        {"host_id": host, "update_id": "content", "applied_at": at(RELEASED + random.uniform(0, 3))} for host in HOSTS
    ]
    for host in HOSTS[20:]:
        gone(world, host, RELEASED + random.uniform(20, 40))
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(150)) as engine:
        news = read_news(engine)
        departures, time = Departures(news), HostTime.start(news)
        for tick in range(news.first_tick, news.last_tick + 1):
            time.advance(tick)
            departures.advance(tick, time)
        (content,) = (number for number, one in enumerate(news.suspects) if one.update_id == "content")
    assert departures.by_age(np.array([content])).sum() > 300
    left, expected = departures.counts(content)  # of the age at which most more left than were to be expected
    assert left < expected + 5.0
    assert departures.log_test(content) < 1.0


def test_a_site_that_loses_its_network_right_after_its_ring_got_an_update_blames_nobody(empty_lake):
    random = Random(2)
    world = fleet(random)
    site = {row["host_id"]: row["site"] for row in world["host"]}
    world["install"] = [row for row in world["install"] if row["update_id"] != "content"]
    for host in HOSTS:
        if site[host] == "s1":
            world["install"].append({"host_id": host, "update_id": "content", "applied_at": at(100)})
            gone(world, host, 104)
    with lake_of(world, empty_lake) as lake:
        assert [each for each in said(lake) if each["verdict"] == "update"] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_what_goes_to_hosts_without_a_driver_is_not_blamed_for_all_that_leave(empty_lake, seed):
    """Four hosts in five get a driver, the others content. All leave as often; those with the driver may restart."""
    random = Random(seed)
    world = fleet(random)
    world["update"].append({"update_id": "driver", "kind": "driver", "released_at": at(RELEASED)})
    world["install"] = [
        {"host_id": host, "update_id": "driver" if number % 5 else "content", "applied_at": at(150 + random.random())}
        for number, host in enumerate(HOSTS)
    ]
    for host in HOSTS:
        gone(world, host, random.uniform(152, 300))
    with lake_of(world, empty_lake) as lake:
        assert said(lake) == []


def test_installs_that_are_told_after_their_hosts_were_gone_say_nothing(empty_lake):
    with lake_of(silencing(Random(0), told_after=60), empty_lake) as lake:
        assert said(lake) == []


def test_servers_and_hosts_that_come_back_at_once_do_not_count_as_left_and_those_just_patched_for_no_update(empty_lake):
    names = ("laptop", "server", "patched", "flashed", "back", "late")
    world: World = {
        "host": [{"host_id": name, "os_type": "windows", "always_on": name == "server"} for name in names],
        "update": [
            {"update_id": "u", "kind": "content", "released_at": at(0)},
            {"update_id": "os", "kind": "os_patch", "released_at": at(0)},
            {"update_id": "bios", "kind": "driver", "released_at": at(0)},
        ],
        "session": [
            *({"host_id": name, "online_from": at(-60), "online_until": at(20)} for name in names if name != "late"),
            {"host_id": "back", "online_from": at(26), "online_until": None},
            {"host_id": "late", "online_from": at(-60), "online_until": at(20), "received_at": at(90)},
        ],
        "install": [
            *({"host_id": name, "update_id": "u", "applied_at": at(15)} for name in names),
            {"host_id": "patched", "update_id": "os", "applied_at": at(10)},
            *({"host_id": name, "update_id": "bios", "applied_at": at(10)} for name in ("flashed", "server")),
        ],
        "crash": [{"crash_id": "c", "host_id": "laptop", "os_type": "windows", "occurred_at": at(1)}],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        news = read_news(engine)
    assert news.events.host[news.events.outcome == 1].tolist() == ["server"]
    (tick,) = news.left.tick.tolist()
    assert news.left.hosts.tolist() == [3]
    assert (tick - int(news.left.minute[0]), news.left_with.age.tolist()) == (10, [1])
    assert news.left_with.hosts.tolist() == [1]


def test_most_at_one_place_is_that_places_doing_unless_the_others_leave_there_as_well():
    def left(*rows: tuple[str, int, int]) -> LeftAt:
        place, hosts, with_update = zip(*rows, strict=True)
        size = len(rows)
        return LeftAt(
            tick=np.arange(size),
            dimension=np.array(["site"] * size, object),
            place=np.array(place, object),
            hosts=np.array(hosts),
            with_update=np.array(with_update),
        )

    assert at_one_place(left(("a", 30, 25), ("b", 100, 5)), tick=9)
    assert not at_one_place(left(("a", 30, 25), ("b", 100, 5)), tick=-1)
    assert not at_one_place(left(("a", 130, 25), ("b", 20, 5)), tick=9)  # nearly everybody works there
    assert not at_one_place(left(("a", 30, 12), ("b", 30, 13)), tick=9)
    assert not at_one_place(left(("only", 30, 25)), tick=9)


RUNS, DEPARTURES, ALPHA = 400, 300, 0.05


@pytest.mark.variants
@pytest.mark.parametrize("ratio", [0.5, 1.0, HARMLESS_RATIO])
def test_a_harmless_update_hardly_ever_passes_however_often_one_looks(ratio):
    random = np.random.default_rng(20260304)
    passed = 0
    for _ in range(RUNS):
        shares, by_age = [], []
        for ages in (AGES, WINDOWS - AGES):  # of the install, and of a boot since
            share = np.sort(random.uniform(0.0, 0.9, (DEPARTURES, ages)), axis=1)
            odds = ratio * share
            had = random.uniform(size=(DEPARTURES, 1)) < odds / (odds + 1.0 - share)  # of those leaving, at each age
            by_age.append(np.diff(had.astype(float), axis=1, prepend=0.0))  # younger than this age, not the one before
            shares.append(share)
        charges = log_charge(np.concatenate(shares, axis=1))
        hits, penalty = np.cumsum(np.concatenate(by_age, axis=1), axis=0), np.cumsum(charges, axis=0)
        most = max(log_excess(hits[number], penalty[number]) for number in range(0, DEPARTURES, 5))
        passed += most >= -np.log(ALPHA)
    assert passed / RUNS <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def test_a_guilty_one_passes_once_a_dozen_hosts_have_left():
    charge = log_charge(np.full((12, WINDOWS), 0.05)).sum(0)
    for window in range(WINDOWS):
        hits = np.zeros(WINDOWS)
        hits[window] = 12.0
        assert log_excess(hits, charge) > np.log(3000)
        assert log_excess(hits / 12.0, charge) < 0


def test_without_any_departure_nothing_is_said(empty_lake, tmp_path: Path):
    world = fleet(Random(0))
    for row in world["session"]:
        row["online_until"] = None
    with lake_of(world, empty_lake) as lake:
        assert said(lake) == []
