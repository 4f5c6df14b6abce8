"""Older updates: which ones hosts that are struck have and those beside them lack, however long ago they got them."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from fleetcrash.attribution.evidence import LOG_THOUSAND, TEST_RATIOS
from fleetcrash.attribution.facts.answers import Holders
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hearing.older import are_as_likely, are_behind, log_by_holders, of_first_hour, to_ask
from fleetcrash.store import Engine
from tests.fleetcrash.reference import TEN_MINUTES, Known
from tests.fleetcrash.worlds import Row, World, at, lake_of

HOSTS = [f"h{number}" for number in range(16)]
UPDATES = {"a1": ("content", "a"), "a2": ("content", "a"), "b": ("policy", None), "c": ("driver", None)}
BOOT_STEPS = [timedelta(minutes=minutes) for minutes in (10, 30, 720)]  # see ``at_risk``


def random_world(random: Random) -> World:
    """Hosts of two systems that got updates of days ago or lately, some told late, and lose some; many crash."""
    world: World = {
        "host": [
            {
                "host_id": host,
                "os_type": random.choice(["windows", "windows", "linux"]),
                "region": random.choice(["eu", "us", None]),
                "always_on": random.random() < 0.2,
            }
            for host in HOSTS
        ],
        "update": [
            {"update_id": update, "kind": kind, "channel": channel, "released_at": at(-6000)}
            for update, (kind, channel) in UPDATES.items()
        ],
        "session": [],
        "install": [],
        "crash": [],
    }
    for host in HOSTS:
        left, back = random.choice([(None, None), (None, None), (-50, -5), (-30, 10), (20, None), (60, 100)])
        world["session"].append({"host_id": host, "online_from": at(-7000), "online_until": left and at(left)})
        if back is not None:
            world["session"].append({"host_id": host, "online_from": at(back)})
        for update in UPDATES:
            if random.random() < 0.75:
                applied = random.choice([-5000, -3000, -1500, -100, 15, 50])
                world["install"].append(_install(random, host, update, applied))
                if random.random() < 0.15:
                    world["install"].append(
                        _install(random, host, update, random.randint(applied, 90)) | {"action": "removed"}
                    )
        if random.random() < 0.7:
            minute = random.randint(0, 110)
            world["crash"].append(
                {
                    "crash_id": host,
                    "host_id": host,
                    "os_type": "windows",
                    "occurred_at": at(minute),
                    "received_at": at(minute + 1),
                }
            )
    return world


def _install(random: Random, host: str, update: str, minute: int) -> Row:
    told = minute + random.choice([0, 0, 0, 30, 200])
    return {
        "host_id": host,
        "update_id": update,
        "applied_at": at(minute),
        "received_at": at(told),
        "action": "installed",
    }


Counts = dict[tuple[str, str | None], tuple[int, bool]]


def counted(world: World, asked: list[str], instant: datetime) -> Counts:
    """By the host of an event and update, or None for all: the hosts like it beside it, and whether it had that one."""
    known = Known(world, instant)
    moment = {row["host_id"]: row["occurred_at"] for row in world["crash"]}
    rows = {row["host_id"]: row for row in world["host"]}

    def up_since(host: str, when: datetime) -> datetime | None:
        """When the session began in which it is at risk; one that has left is until that is known."""
        sessions = [
            row["online_from"]
            for row in world["session"]
            if row["host_id"] == host
            and row["online_from"] <= when
            and (row.get("online_until") is None or when < row["online_until"] + TEN_MINUTES)
        ]
        return max(sessions, default=None)

    def kind(host: str, began: datetime, when: datetime) -> tuple[object, ...]:
        row = rows[host]
        return (row["os_type"], row["region"], row["always_on"], sum(when - began >= step for step in BOOT_STEPS))

    def had(host: str, update: str, when: datetime) -> bool:
        return any(begins <= when < ends for begins, ends in known.exposures(host, update))

    common = [
        update for update in UPDATES if sum(had(host, update, moment[host]) for host in asked) >= 0.8 * len(asked)
    ]
    found: Counts = {}
    for host in asked:
        when = moment[host]
        own = max(
            row["online_from"] for row in world["session"] if row["host_id"] == host and row["online_from"] < when
        )
        beside = [
            other
            for other in HOSTS
            if other != host
            and (began := up_since(other, when)) is not None
            and kind(other, began, when) == kind(host, own, when)
        ]
        found[host, None] = 1 + len(beside), True
        for update in common:
            holders = sum(had(other, update, when) for other in [host, *beside])
            found[host, update] = holders, had(host, update, when)
    return found


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(4))
def test_the_holders_beside_events_are_those_that_one_would_count_by_hand_as_it_was_known_then(empty_lake, seed):
    random = Random(seed)
    world = random_world(random)
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        number = {host: event for event, host in enumerate(news.events.host) if news.events.outcome[event] != 1}
        names = [one.update_id for one in news.suspects]
        shared = 0
        for least in (1, 3, 5, 8):
            asked = random.sample(sorted(number), min(least, len(number)))
            instant = at(random.randint(110, 200))
            found = news.ask.holders(tuple(sorted(number[host] for host in asked)), int(instant.timestamp()) // 60)
            rows = zip(found.event, found.update, found.hosts, found.had, strict=True)
            told = {
                (news.events.host[event], names[update] if update >= 0 else None): (int(hosts), bool(had))
                for event, update, hosts, had in rows
            }
            assert told == counted(world, asked, instant)
            shared += len(told) - len(asked)
    assert shared, "no update was common to any of these"


def said_by(*of_updates: tuple[list[bool], list[int]], hosts: int = 10) -> dict[int, float]:
    """What as many events as each update has entries say for it: who of the struck had it, and how many beside."""
    count = len(of_updates[0][0])
    every = [(np.full(count, -1), np.full(count, hosts), np.ones(count, bool))]
    every += [(np.full(count, update), np.array(held), np.array(had)) for update, (had, held) in enumerate(of_updates)]
    update, held, had = (np.concatenate(part) for part in zip(*every, strict=True))
    found = Holders(np.tile(np.arange(count), len(every)), update, held, had)
    events = SimpleNamespace(tick=np.full(count, 5))
    news = SimpleNamespace(
        installs_told=True, presence_told=True, ask=SimpleNamespace(holders=lambda *_: found), events=events
    )
    return dict(log_by_holders(cast(News, news), np.arange(count)))


def test_holders_say_for_an_update_how_much_more_of_those_that_are_struck_have_it_than_of_those_beside():
    all_have, half_of_five, as_many = said_by(
        ([True] * 5, [10] * 5), ([True] * 5, [5] * 5), ([True, False] * 2 + [True], [6] * 5)
    ).values()
    assert all_have == pytest.approx(0.0)
    assert half_of_five == pytest.approx(np.log(np.mean((TEST_RATIOS / (1 + (TEST_RATIOS - 1) / 2)) ** 5)))
    assert as_many < 0.5 < half_of_five


def test_where_no_install_or_presence_is_told_or_nobody_is_asked_holders_say_nothing():
    for installs, presence in ((False, True), (True, False)):
        untold = cast(News, SimpleNamespace(installs_told=installs, presence_told=presence))
        assert log_by_holders(untold, np.arange(9)) == {}
    assert log_by_holders(cast(News, SimpleNamespace(installs_told=True, presence_told=True)), np.arange(0)) == {}


@pytest.mark.parametrize(("struck", "asked"), [(0, 0), (4, 0), (5, 5), (60, 55), (450, 100), (5000, 100)])
def test_the_first_of_those_that_are_struck_are_asked_where_they_are_enough(struck, asked):
    of_them = to_ask(np.arange(struck) + 7)
    assert abs(len(of_them) - asked) <= 0.25 * asked
    assert set(of_them.tolist()) <= set(range(7, 7 + min(struck, 500)))


@pytest.mark.parametrize(
    ("minutes", "first"),
    [([], []), ([7], [0]), ([70, 10, 71, 69], [0, 1, 3]), ([500, 900, 560], [0, 2])],
)
def test_those_that_came_within_an_hour_of_the_first_are_of_its_hour_in_whatever_order_they_were_told(minutes, first):
    minute = np.array([0, *minutes], np.int64)  # an event that is not asked about
    assert of_first_hour(np.arange(1, len(minute)), minute).tolist() == [number + 1 for number in first]


@pytest.mark.parametrize(
    ("said", "younger", "behind"),
    [
        ({1: 20.0, 2: 3.0}, set(), (1,)),
        ({1: 20.0, 2: 20.0 - LOG_THOUSAND + 0.1}, set(), (1, 2)),
        ({1: 12.9, 2: 3.0}, set(), ()),
        ({1: 20.0, 2: 3.0}, {1}, ()),
        ({1: 20.0, 2: 14.0}, {2}, ()),
        ({1: 20.0, 2: 13.0}, {2}, (1,)),
        ({}, set(), ()),
    ],
    ids=["one", "two alike", "too little", "it is younger", "a younger one nearly", "a younger one far less", "none"],
)
def test_older_updates_are_behind_it_where_holders_say_so_of_them_alone(said, younger, behind):
    assert are_behind(said, frozenset(younger), 13.0) == behind


@pytest.mark.parametrize(
    ("said", "younger", "as_likely"),
    [
        ({1: 20.0, 2: 0.0}, {1}, ()),
        ({1: 20.0, 2: 13.0}, {1}, ()),
        ({1: 20.0, 2: 13.2, 3: 30.0}, {1}, (1, 2, 3)),
        ({1: 20.0, 2: 20.0, 3: 20.0}, {1, 2}, (1, 3)),
        ({1: 20.0, 2: 20.0}, {1, 2}, ()),
    ],
    ids=["all have it", "far less", "nearly, and more", "a younger one besides", "both are younger"],
)
def test_an_update_of_hours_ago_is_not_told_from_older_ones_that_the_same_hosts_have(said, younger, as_likely):
    assert are_as_likely(said, 1, frozenset(younger), LOG_THOUSAND) == as_likely
