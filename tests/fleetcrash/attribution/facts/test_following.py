"""Who reads on has counted what was told before: it stays, or the news say that it has changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import HOSTS, Row, World, at, crash_of, instants, lake_of, told_worlds

COUNTED = {
    "online": "minute",
    "places": "minute",
    "exposed": "tick",
    "events": "tick",
    "exposed_events": "tick",
    "again": "tick",
    "left": "tick",
    "left_with": "tick",
}
TURNS = ("back_tick", "patched_tick", "gone_tick")


def counted(news: News, tick: int) -> dict[str, Counter[tuple[Any, ...]]]:
    """What there was to count by a tick: the rows of each table, with what is to come of them left out."""
    found = {}
    for name, since in COUNTED.items():
        table = getattr(news, name)
        columns = {
            column.name: getattr(table, column.name).tolist()
            for column in fields(table)
            if isinstance(getattr(table, column.name), np.ndarray) and column.name != "known_tick"
        }
        rows: Counter[tuple[Any, ...]] = Counter()
        for row in zip(*columns.values(), strict=True):
            told = dict(zip(columns, row, strict=True))
            if told[since] <= tick:
                told |= {turn: None for turn in TURNS if turn in told and told[turn] > tick}
                rows[tuple(value for column, value in told.items() if column != "change")] += told.get("change", 1)
        found[name] = Counter({row: count for row, count in rows.items() if count})
    return found


def read_on(engine: Engine, first: float, second: float) -> tuple[News, News]:
    """The news of two minutes, the later ones without what the first have counted."""
    engine.as_of = at(first)
    before = read_news(engine)
    engine.as_of = at(second)
    return before, read_news(engine, after_tick=before.last_tick)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate])
@given(told_worlds(), instants(least=30))
def test_what_was_counted_stays_or_is_said_to_have_changed(empty_lake, world, when):
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=min(when)) as engine:
        before = read_news(engine)
        engine.as_of = max(when)
        if len(before.events) and read_news(engine, after_tick=before.last_tick).follows(before):
            assert counted(read_news(engine), before.last_tick) == counted(before, before.last_tick)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate])
@given(told_worlds(), instants(least=30))
def test_what_is_told_late_of_installs_and_releases_changes_nothing_of_before(empty_lake, world, when):
    always = [{"host_id": host, "online_from": at(0), "online_until": None} for host in [*HOSTS, "other"]]
    world |= {"session": always, "heartbeat": []}
    for number, row in enumerate(world["update"]):  # corrected, but for what takes the place of what
        row |= {"channel": row["update_id"][0], "version": f"22631.{number}"}
        row |= {"released_at": at(number), "received_at": row["received_at"] or row["released_at"]}
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=min(when)) as engine:
        before = read_news(engine)
        engine.as_of = max(when)
        if len(before.events):
            assert read_news(engine, after_tick=before.last_tick).follows(before)
            assert counted(read_news(engine), before.last_tick) == counted(before, before.last_tick)


def beats(hosts: int, *, held_up: bool) -> list[Row]:
    """A heartbeat of each host every five minutes; those of an hour and a half may be told at its end."""
    return [
        {
            "host_id": f"h{number}",
            "at": at(minute),
            "received_at": at(155 if held_up and 60 <= minute <= 150 else minute),
        }
        for number in range(hosts)
        for minute in range(0, 300, 5)
    ]


@pytest.mark.parametrize("held_up", [False, True])
def test_heartbeats_that_were_held_up_have_changed_the_past(empty_lake, held_up):
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows"} for number in range(3)],
        "heartbeat": beats(3, held_up=held_up),
        "crash": [crash_of(0, 20)],
    }
    with lake_of(told, empty_lake) as lake, Engine(lake) as engine:
        before, after = read_on(engine, 120, 200)
        assert after.follows(before) == (not held_up)


def test_a_laptops_session_whose_end_is_taken_back_has_changed_the_past(empty_lake):
    ended = {"host_id": "h1", "online_from": at(0), "online_until": at(60), "received_at": at(61)}
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows"} for number in range(3)],
        "session": [
            *({"host_id": f"h{number}", "online_from": at(0)} for number in range(3)),
            ended,
            {**ended, "online_until": None, "received_at": at(150)},
        ],
        "crash": [crash_of(0, 20)],
    }
    with lake_of(told, empty_lake) as lake, Engine(lake) as engine:
        for first, stays in ((120, False), (160, True)):
            before, after = read_on(engine, first, 200)
            assert after.follows(before) == stays


def test_an_earlier_sighting_that_is_told_later_does_not_move_when_a_host_came(empty_lake):
    """Nobody tells of presence: hosts count as online from when they were seen."""
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows"} for number in range(3)],
        "install": [
            *({"host_id": f"h{number}", "update_id": "u", "applied_at": at(95)} for number in range(3)),
            {"host_id": "h1", "update_id": "v", "applied_at": at(70), "received_at": at(150)},
        ],
        "crash": [crash_of(0, 98)],
    }
    with lake_of(told, empty_lake) as lake, Engine(lake) as engine:
        before, after = read_on(engine, 120, 200)
        assert after.follows(before)
        assert counted(read_news(engine), before.last_tick) == counted(before, before.last_tick)


def test_when_a_server_was_back_stays_whatever_is_told_later_of_the_time_between(empty_lake):
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows", "always_on": True} for number in range(3)],
        "session": [
            *({"host_id": f"h{number}", "online_from": at(0)} for number in range(1, 3)),
            {"host_id": "h0", "online_from": at(0), "online_until": at(100), "received_at": at(101)},
            {"host_id": "h0", "online_from": at(120), "online_until": at(125), "received_at": at(300)},
            {"host_id": "h0", "online_from": at(150)},
        ],
        "crash": [crash_of(1, 20)],
    }
    with lake_of(told, empty_lake) as lake, Engine(lake) as engine:
        before, after = read_on(engine, 200, 400)
    assert after.follows(before)
    back = [news.events.back_tick.tolist()[-1] - int(at(0).timestamp()) // 60 for news in (before, after)]
    assert back == [150, 150]


def test_hosts_that_restart_for_a_patch_change_nothing_of_before(empty_lake):
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows"} for number in range(3)],
        "session": [
            *({"host_id": f"h{number}", "online_from": at(0)} for number in range(3)),
            {"host_id": "h0", "online_from": at(0), "online_until": at(100), "received_at": at(101)},
        ],
        "install": [{"host_id": "h0", "update_id": "patch", "applied_at": at(80)}],
        "update": [{"update_id": "patch", "kind": "os_patch", "released_at": at(60)}],
        "crash": [crash_of(1, 20)],
    }
    with lake_of(told, empty_lake) as lake, Engine(lake) as engine:
        before, after = read_on(engine, 90, 140)
    assert after.follows(before)
