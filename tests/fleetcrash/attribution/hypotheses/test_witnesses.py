"""What strikes one place alone, or whoever comes online, is no update's doing, however well the times fit."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.facts.answers import AtPlace, ByStart, Whereabouts
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.witnesses import (
    are_only_fresh,
    are_only_late,
    log_within,
    may_be_of_one_place,
    one_place,
    to_look_at,
)
from fleetcrash.store import Engine, Lake
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS = range(600)
END = 480
CUSTOMERS = 10
ONE = "c3"


def customer(n: int) -> str:
    return f"c{n % CUSTOMERS}"


def fleet(
    random: Random,
    *,
    online_from: Callable[[int], float],
    gets_it: Callable[[int, float], float | None],
    crashes: Callable[[int, float, float | None], float | None],
    place: str = "customer",
) -> World:
    """Hosts of ten customers, an update, and crashes; what is random is drawn by whoever asks.

    Args:
        place: what the ten are called.
        online_from: when a host comes online.
        gets_it: when it gets the update, by its number and when it came online.
        crashes: when it crashes, by that and when it got the update.
    """
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", place: customer(n)} for n in HOSTS],
        "update": [{"update_id": "content", "kind": "content", "channel": "1", "released_at": at(0)}],
        "session": [],
        "install": [],
        "crash": [crash_of(1, -200.0), crash_of(2, -100.0)],
    }
    for n in HOSTS:
        online = online_from(n)
        world["session"].append({"host_id": f"h{n}", "online_from": at(online)})
        got = gets_it(n, online)
        if got is not None:
            world["install"].append({"host_id": f"h{n}", "update_id": "content", "applied_at": at(got)})
        crashed = crashes(n, online, got)
        if crashed is not None:
            world["crash"].append(crash_of(n, crashed))
    return world


def told(lake: Lake) -> set[str]:
    """The names that were ever given."""
    found = incidents(lake, as_of=at(END))["incidents"]
    assert found, "nothing was noticed"
    return {turn["update_id"] for one in found for turn in one["history"] if turn["update_id"]}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["customer", "region"])
@pytest.mark.parametrize("seed", range(2))
def test_one_customers_hosts_that_crash_some_time_after_they_come_online_blame_no_update(empty_lake, seed, place):
    random = Random(seed)
    world = fleet(
        random,
        place=place,
        online_from=lambda n: random.uniform(30, 400),
        gets_it=lambda n, online: online + random.uniform(1, 15),
        crashes=lambda n, online, got: online + random.uniform(15, 60) if customer(n) == ONE else None,
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_nor_do_a_regions_that_begin_to_crash_after_everybody_got_it(empty_lake, seed):
    random = Random(seed)
    world = fleet(
        random,
        place="region",
        online_from=lambda n: -600,
        gets_it=lambda n, online: random.uniform(0, 30),
        crashes=lambda n, online, got: random.uniform(100, 400) if customer(n) == ONE else None,
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_but_an_update_that_does_so_wherever_it_is_gets_named(empty_lake, seed):
    random = Random(seed)
    world = fleet(
        random,
        online_from=lambda n: random.uniform(30, 400),
        gets_it=lambda n, online: online + random.uniform(1, 15) if n % 3 else None,
        crashes=lambda n, online, got: got + random.uniform(15, 60) if got and n % 7 == 0 else None,
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == {"content"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_so_does_one_that_only_one_customer_got(empty_lake, seed):
    random = Random(seed)
    world = fleet(
        random,
        online_from=lambda n: -600,
        gets_it=lambda n, online: random.uniform(0, 240) if customer(n) == ONE and n % 20 == 3 else None,
        crashes=lambda n, online, got: got and got + random.uniform(1, 5),
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == {"content"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_and_one_that_crashes_one_customers_hosts_as_soon_as_each_gets_it(empty_lake, seed):
    random = Random(seed)
    world = fleet(
        random,
        online_from=lambda n: -600,
        gets_it=lambda n, online: random.uniform(0, 240),
        crashes=lambda n, online, got: got + random.uniform(1, 5) if customer(n) == ONE and got else None,
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == {"content"}


@pytest.mark.slow
@pytest.mark.parametrize(("is_whole", "expected"), [(True, set()), (False, {"content"})])
@pytest.mark.parametrize("seed", range(2))
def test_trouble_of_the_few_customers_that_got_an_update_hours_ago_does_not_blame_it(
    empty_lake, seed, is_whole, expected
):
    """Where hosts of theirs that lack it are spared, it does."""
    random = Random(seed)
    few = {customer(n) for n in range(3)}
    world = fleet(
        random,
        online_from=lambda n: -600,
        gets_it=lambda n, online: random.uniform(0, 30) if customer(n) in few and (is_whole or n % 3) else None,
        crashes=lambda n, online, got: random.uniform(200, 400) if got and random.random() < 0.5 else None,
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_whoever_comes_online_may_crash_without_the_update_that_he_missed_being_to_blame(empty_lake, seed):
    random = Random(seed)
    world = fleet(
        random,
        online_from=lambda n: -600 if n % 2 else random.uniform(30, 400),
        gets_it=lambda n, online: max(online, 0) + random.uniform(1, 15 if online > 0 else 60),
        crashes=lambda n, online, got: online + random.uniform(16, 45) if online > 0 and n % 3 else None,
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_nor_where_that_happens_from_some_hour_on(empty_lake, seed):
    random = Random(seed)
    world = fleet(
        random,
        online_from=lambda n: random.uniform(30, 400),
        gets_it=lambda n, online: online + random.uniform(1, 15),
        crashes=lambda n, online, got: online + random.uniform(16, 45) if online > 250 and n % 3 else None,
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_but_where_hosts_that_were_online_all_along_crash_as_well_it_is(empty_lake, seed):
    random = Random(seed)
    world = fleet(
        random,
        online_from=lambda n: -600 if n % 2 else random.uniform(30, 400),
        gets_it=lambda n, online: max(online, 0) + random.uniform(1, 15 if online > 0 else 60) if n % 5 else None,
        crashes=lambda n, online, got: got + random.uniform(5, 30) if got and n % 3 else None,
    )
    with lake_of(world, empty_lake) as lake:
        assert told(lake) == {"content"}


def by_start(*rows: tuple[bool, bool, float, int]) -> ByStart:
    """Of each always_on, fresh, hours at risk, struck."""
    always_on, fresh, hours, struck = zip(*rows, strict=True)
    installed = np.zeros(len(rows), int)
    return ByStart(np.array(always_on), np.array(fresh), installed, 3600.0 * np.array(hours), np.array(struck))


def by_minute(*rows: tuple[int, float, int], fresh: bool = True) -> ByStart:
    """Of each minute of installs, hours at risk, struck."""
    installed, hours, struck = zip(*rows, strict=True)
    none = np.zeros(len(rows), bool)
    return ByStart(none, none | fresh, np.array(installed), 3600.0 * np.array(hours), np.array(struck))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(100, 30, 0), (239, 30, 0), (250, 30, 9), (300, 30, 15)], True),
        ([(100, 30, 6), (239, 30, 5), (250, 30, 6), (300, 30, 7)], False),
        ([(100, 1, 0), (250, 30, 9), (300, 30, 15)], False),
        ([(241, 60, 0), (250, 30, 9), (300, 30, 15)], False),
        ([(250, 30, 9), (300, 30, 15)], False),
    ],
    ids=["those before are spared", "alike", "few before", "had it for less than an hour", "none before"],
)
def test_hosts_that_had_an_update_before_a_wave_began_are_held_against_later_ones(rows, expected):
    assert are_only_late(by_minute(*rows), minutes=60, onset=300) is expected


def test_and_no_host_that_was_up_against_one_that_came_online():
    early, late = by_minute((100, 60, 0), fresh=False), by_minute((300, 60, 24))
    both = ByStart(*(np.concatenate(pair) for pair in zip(vars(early).values(), vars(late).values(), strict=True)))
    assert not are_only_late(both, minutes=60, onset=300)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(False, True, 10, 20), (False, False, 90, 3)], True),
        ([(False, True, 10, 4), (False, False, 90, 36)], False),
        ([(False, True, 10, 3), (False, False, 90, 0)], False),
        ([(False, True, 10, 20), (True, False, 900, 0)], True),
        ([(False, True, 10, 20), (False, False, 90, 150), (True, False, 900, 0)], False),
        ([(False, True, 10, 20)], False),
        ([(False, False, 10, 20)], False),
    ],
    ids=["fresh ones", "alike", "too few", "servers for want of others", "others, too", "all are fresh", "none is"],
)
def test_hosts_that_came_online_are_held_against_others_of_their_kind_where_there_are_any(rows, expected):
    assert are_only_fresh(by_start(*rows)) is expected


def whereabouts(there: int, elsewhere: int, *, share: float) -> Whereabouts:
    """Events at customer ``a`` and at others, where it has that share of the hosts; and the group of all of them."""
    places = ["a"] * there + [f"b{n}" for n in range(elsewhere)]
    count = len(places)
    return Whereabouts(
        dimension=np.array(["customer"] * count + ["group"] * count, dtype=object),
        place=np.array([*places, *["all"] * count], dtype=object),
        hosts=np.full(2 * count, 1000),
        hosts_there=np.array([*[round(1000 * share)] * count, *[1000] * count]),
    )


@pytest.mark.parametrize(
    ("there", "elsewhere", "share", "expected"),
    [(5, 0, 0.05, True), (3, 0, 0.05, False), (40, 4, 0.7, False), (40, 4, 0.5, True), (40, 12, 0.05, False)],
    ids=["five of five", "three of three", "most of the hosts", "half of them", "a quarter is elsewhere"],
)
def test_events_are_of_one_place_where_its_share_of_the_hosts_does_not_explain_it(there, elsewhere, share, expected):
    found = whereabouts(there, elsewhere, share=share)
    assert one_place(found, {"customer": 20, "group": 1}) == (["customer"] if expected else [])


@pytest.mark.parametrize(
    ("with_it", "stray", "expected"),
    [(100, 0, False), (90, 0, False), (50, 0, True), (50, 6, False), (10, 0, True)],
    ids=["all have it", "nearly all", "half", "half, and some are struck without", "few"],
)
def test_a_place_tells_by_its_hosts_that_lack_the_update_if_there_are_any(with_it, stray, expected):
    """Of a hundred hosts of a group, ``with_it`` have the update; twelve are struck, of which ``stray`` lack it."""
    found = AtPlace(
        dimension=np.array(["group"] * 12 + ["site"] * 12, object),
        hosts=np.full(24, 100),
        hosts_with=np.array([with_it] * 12 + [100] * 12),
        had=np.array([n >= stray for n in range(12)] + [True] * 12),
    )
    assert (log_within(found, "group") >= LOG_THOUSAND) is expected
    assert log_within(found, "site") < LOG_THOUSAND


@pytest.mark.variants
@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        (["n"] * 9 + ["s"], True),
        (["n"] * 5 + [None] * 20, True),
        (["n"] * 4 + [None] * 20, False),
        (["n", "n", "n"], True),
        (["n"] * 6 + ["s"] * 4, False),
        ([None] * 9, False),
    ],
    ids=["most", "of those that are known", "too few are known", "three of three", "more than half", "none is known"],
)
def test_where_some_hosts_have_no_inventory_the_others_tell_whether_it_may_be_one_place(empty_lake, regions, expected):
    hosts = [{"host_id": f"h{n}", "os_type": "windows", "region": one} for n, one in enumerate(regions) if one]
    world: World = {"host": hosts, "crash": [crash_of(n, 90.0) for n in range(len(regions))]}
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
    assert may_be_of_one_place(news, np.arange(len(news.events))) is expected


def test_the_same_events_are_asked_about_until_there_are_clearly_more():
    asked = [tuple(to_look_at(np.arange(count)).tolist()) for count in range(1, 2000)]
    assert len(set(asked)) < 50
    assert all(len(set(each)) == len(each) <= 100 for each in asked)
    assert all(each[-1] + 1 >= 0.75 * count for count, each in enumerate(asked, 1))


def test_whom_an_event_could_have_happened_to_is_told_as_it_was_known_then(empty_lake):
    """Of all hosts with the update, some lack a reason to count: servers are no measure of where others stand, say."""
    counted = {"same": "c1", "other": "c2"}
    uncounted = ("offline", "late", "lacks", "removed", "macos", "long ago", "server", "older build")
    world: World = {
        "host": [
            {
                "host_id": name,
                "os_type": "darwin" if name == "macos" else "windows",
                "os_build": "1" if name == "older build" else "2",
                "always_on": name == "server",
                "customer": counted.get(name, "c1"),
                "region": "north",
            }
            for name in ("struck", *counted, *uncounted)
        ],
        "update": [{"update_id": "content", "kind": "content", "channel": "1", "released_at": at(0)}],
        "session": [
            {"host_id": name, "online_from": at(-3000), "online_until": at(50) if name == "offline" else None}
            for name in ("struck", *counted, *uncounted)
        ],
        "install": [
            {
                "host_id": name,
                "update_id": "content",
                "applied_at": at(-1500 if name == "long ago" else 10),
                "received_at": at(200 if name == "late" else 10),
            }
            for name in ("struck", *counted, *uncounted)
            if name != "lacks"
        ]
        + [{"host_id": "removed", "update_id": "content", "applied_at": at(60), "action": "removed"}],
        "crash": [
            {"crash_id": "1", "host_id": "struck", "os_type": "windows", "occurred_at": at(99), "received_at": at(100)}
        ],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        update = [one.update_id for one in news.suspects].index("content")
        found = news.ask.whereabouts(update, (0,), tuple(range(len(news.cells))))
    assert list(zip(found.dimension, found.place, found.hosts, found.hosts_there, strict=True)) == [
        ("customer", "c1", 3, 2),
        ("region", "north", 3, 3),
    ]


def test_whom_at_its_own_place_an_event_could_have_happened_to_is_told_as_it_was_known_then(empty_lake):
    """The struck host is in group g and at site s; each other one but the first two differs in what its name says."""
    names = ("struck", "with", "without", "elsewhere", "offline", "told late", "macos", "server", "at boot", "removed")
    world: World = {
        "host": [
            {
                "host_id": name,
                "os_type": "darwin" if name == "macos" else "windows",
                "always_on": name == "server",
                "model": "m",
                "group": "other" if name == "elsewhere" else "g",
                "site": "s",
            }
            for name in names
        ],
        "update": [{"update_id": "policy", "kind": "policy", "channel": "1", "released_at": at(0)}],
        "session": [
            {
                "host_id": name,
                "online_from": at(95 if name == "at boot" else -3000),
                "online_until": at(50) if name == "offline" else None,
            }
            for name in names
        ],
        "install": [
            {
                "host_id": name,
                "update_id": "policy",
                "applied_at": at(10),
                "received_at": at(200 if name == "told late" else 10),
            }
            for name in names
            if name != "without"
        ]
        + [{"host_id": "removed", "update_id": "policy", "applied_at": at(60), "action": "removed"}],
        "crash": [
            {"crash_id": "1", "host_id": "struck", "os_type": "windows", "occurred_at": at(99), "received_at": at(100)}
        ],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        found = news.ask.at_place(0, (0,), int(at(101).timestamp()) // 60)
        later = news.ask.at_place(0, (0,), int(at(201).timestamp()) // 60)
    told = list(zip(found.dimension, found.hosts, found.hosts_with, found.had, strict=True))
    assert told == [("group", 5, 2, True), ("model", 6, 3, True), ("site", 6, 3, True)]
    assert later.hosts_with.tolist() == [3, 4, 4]


def test_how_hosts_fared_that_got_an_update_as_they_came_online_is_told_as_it_was_known(empty_lake):
    online = {"fresh": 20, "steady": -60, "left": -60, "late": 20, "dropped": -60, "server": -60}
    world: World = {
        "host": [{"host_id": name, "os_type": "windows", "always_on": name == "server"} for name in online],
        "update": [{"update_id": "content", "kind": "content", "channel": "1", "released_at": at(0)}],
        "session": [
            {"host_id": name, "online_from": at(begins), "online_until": at(50) if name == "left" else None}
            for name, begins in online.items()
        ],
        "install": [
            {
                "host_id": name,
                "update_id": "content",
                "applied_at": at(30),
                "received_at": at(200 if name == "late" else 31),
            }
            for name in online
        ]
        + [{"host_id": "dropped", "update_id": "content", "applied_at": at(60), "action": "removed"}],
        "crash": [crash_of(0, 85.0) | {"host_id": name, "crash_id": name} for name in ("fresh", "steady", "dropped")],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        update = [one.update_id for one in news.suspects].index("content")
        cells, tick = tuple(range(len(news.cells))), int(at(150).timestamp()) // 60
        found = news.ask.by_start(update, (0, 1, 2), cells, 60, tick)
        sooner = news.ask.by_start(update, (0, 1, 2), cells, 60, tick - 90)
    told_of = zip(found.always_on.tolist(), found.fresh.tolist(), found.at_risk_s / 60, found.struck, strict=True)
    # Who left counts until that is known, ten minutes later.
    assert list(told_of) == [(False, False, 60 + 30 + 30, 1), (False, True, 60, 1), (True, False, 60, 0)]
    assert (sooner.at_risk_s / 60).tolist() == [30 + 30 + 30, 30, 30]
