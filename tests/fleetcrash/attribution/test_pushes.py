"""Pushes: the same update installed once more a day later, or in a late ring, is as good as released then."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.facts.exposure import (
    AGES,
    BOOT_MINUTES,
    BOOTS,
    KEPT_MINUTES,
    LONG_UP,
    WINDOWS,
    UpdateTime,
)
from fleetcrash.attribution.facts.minute_counts import MinuteCounts
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

if TYPE_CHECKING:
    from collections.abc import Callable

TICK, ROWS = 10_000, 3 * BOOTS
UP, BOOTED = LONG_UP + BOOTS, BOOTS + LONG_UP - 1  # rows of the second stratum


def time_of(got: Mapping[int, int], *, row: int = UP, tick: int = TICK) -> UpdateTime:
    """Host-time of an update that so many hosts got in each minute; each is new to it for two minutes."""
    lately = MinuteCounts(KEPT_MINUTES, (ROWS, WINDOWS))
    for minute in range(min(got), tick + 1):
        now = np.zeros((ROWS, WINDOWS), np.int32)
        now[row, 0] = got.get(minute, 0) + got.get(minute - 1, 0)
        now[row, 1] = 1000  # those that have had it for longer are no sign of a push
        lately.write(minute, now)
    return UpdateTime(
        np.zeros((2, 3, BOOTS, WINDOWS)), np.zeros((ROWS, WINDOWS), np.int32), lately, since_minute=0, changed_tick=tick
    )


def counted(got: Mapping[int, int]) -> list[int]:
    """The minutes of the pushes, looked for one by one."""
    minutes = range(TICK - KEPT_MINUTES + 1, TICK + 1)
    new = {minute: got.get(minute, 0) + got.get(minute - 1, 0) for minute in minutes}

    def within(since: int, until: int) -> int:
        return sum(new.get(minute, 0) for minute in range(since, until))

    largest = max(within(minute, minute + 15) for minute in minutes)

    def begins(minute: int) -> bool:
        after = within(minute, minute + 15)
        return after >= max(20, 0.1 * largest) and within(minute - 15, minute) <= 0.25 * after

    found = []
    for last in (minute for minute in minutes[15:] if begins(minute) and not (minute < TICK and begins(minute + 1))):
        strays = 0.02 * within(last, last + 15)
        found.append(next(minute for minute in range(last - 15, TICK + 1) if within(last - 15, minute + 1) > strays))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_pushes_are_where_one_would_find_them_minute_by_minute(seed):
    random = Random(seed)
    got: dict[int, int] = {TICK - KEPT_MINUTES: 0}
    for _ in range(random.randint(1, 6)):
        begun, most = TICK - random.randint(0, 1600), random.choice([3, 15, 200, 4000])
        for _ in range(most):
            minute = begun + min(int(random.expovariate(1 / random.choice([3, 10, 60]))), 300)
            if minute <= TICK:
                got[minute] = got.get(minute, 0) + 1
    assert time_of(got).pushes(TICK).tolist() == counted(got)


def test_how_many_of_the_boots_with_an_update_were_before_some_minute():
    lately = MinuteCounts(KEPT_MINUTES, (ROWS, WINDOWS))
    booted = {TICK - 900: 1, TICK - 30: 2, TICK - 29: 6, TICK: 1}
    for minute in range(TICK - 2000, TICK + 1):
        now = np.zeros((ROWS, WINDOWS), np.int32)
        now[UP, 1] = 1000  # whoever has had it for a while and did not boot
        now[BOOTED, AGES + minute % len(BOOT_MINUTES)] = booted.get(minute, 0)
        lately.write(minute, now)
    time = UpdateTime(np.zeros((2, 3, BOOTS, WINDOWS)), now, lately, since_minute=0, changed_tick=TICK)
    asked = np.array([TICK - 3000, TICK - 900, TICK - 899, TICK - 30, TICK - 29, TICK, TICK + 1])
    assert time.share_of_boots_before(asked, TICK).tolist() == [0.0, 0.0, 0.1, 0.1, 0.3, 0.9, 1.0]
    never = UpdateTime(np.zeros((2, 3, BOOTS, WINDOWS)), now, None, since_minute=0, changed_tick=TICK)
    assert never.share_of_boots_before(asked, TICK).tolist() == [1.0] * len(asked)


@pytest.mark.parametrize(
    ("got", "pushes"),
    [
        ({9000: 50, 9001: 80}, [9000]),
        ({9000: 50, 9700: 100}, [9000, 9700]),
        ({9000: 9}, []),
        ({9000: 500, 9700: 40}, [9000]),
        ({8990: 1, 9000: 100, 9005: 40}, [9000]),
        ({9000: 100, 9010: 100, 9020: 100}, [9000]),
        (dict.fromkeys(range(8000, 9900), 20), []),
        ({TICK - KEPT_MINUTES - 1: 100, TICK - KEPT_MINUTES + 10: 100}, []),
        ({TICK: 30}, [TICK]),
    ],
    ids=["one", "two", "too few", "far fewer", "a stray", "a spread one", "all day", "long ago", "now"],
)
def test_a_push_begins_when_many_hosts_begin_to_get_it_after_hardly_any_did(got, pushes):
    assert time_of(got).pushes(TICK).tolist() == pushes


def test_hosts_that_get_it_as_they_come_online_are_no_push_nor_is_there_one_of_an_update_that_nobody_got_lately():
    assert time_of({9000: 100}, row=BOOTED).pushes(TICK).tolist() == []
    resting = time_of({9000: 100})
    resting.rest()
    assert resting.pushes(TICK).tolist() == []


@pytest.mark.parametrize(
    ("released", "installs_told", "pushed"),
    [
        (8990, True, [8990, 9711]),
        (8991, True, [8991]),
        (9500, True, [9500]),
        (8990, False, [8990]),
        (8000, True, [8000, 9000, 9711]),
    ],
    ids=["again", "a ring of the same day", "released lately", "no installs are told", "two days later"],
)
def test_what_hosts_get_half_a_day_after_the_release_or_later_is_a_push_of_its_own(released, installs_told, pushed):
    inquiry = SimpleNamespace(
        _tick=TICK,
        released=lambda update: released,
        news=SimpleNamespace(installs_told=installs_told),
        expected=SimpleNamespace(time=SimpleNamespace(by_update={7: time_of({9000: 300, 9711: 300})})),
    )
    assert Inquiry.pushed(cast(Inquiry, inquiry), 7).tolist() == pushed
    assert Inquiry.pushed(cast(Inquiry, inquiry), 8).tolist() == [released]


RELEASED, AGAIN, END = 60, 60 + 1080, 60 + 1080 + 60


def world(*, struck: Callable[[float, Random], float]) -> World:
    """Everybody gets an update within ten minutes, and once more eighteen hours later; a third crash after that.

    Args:
        struck: when a host crashes, by when it got the update again.
    """
    random, hosts = Random(0), range(150)
    told: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "ab"[n % 2]} for n in hosts],
        "update": [{"update_id": "policy", "kind": "policy", "released_at": at(RELEASED)}],
        "session": [{"host_id": f"h{n}", "online_from": at(-2500)} for n in hosts],
        "install": [],
        "crash": [crash_of(1, 10.0), crash_of(2, 300.0)],
    }
    for n in hosts:
        first, again = (pushed + random.uniform(0, 10) for pushed in (RELEASED, AGAIN))
        told["install"] += [
            {"host_id": f"h{n}", "update_id": "policy", "applied_at": at(minute)} for minute in (first, again)
        ]
        if n % 3 == 0:
            told["crash"].append(crash_of(n, struck(again, random)))
    return told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("struck", "names"),
    [
        (lambda again, random: again + random.uniform(0.3, 4), {"policy"}),
        (lambda again, random: AGAIN - 30 + random.uniform(0, 14), set()),
    ],
    ids=["within minutes of it", "before it"],
)
def test_an_update_that_strikes_when_hosts_get_it_once_more_is_named(empty_lake, struck, names):
    with lake_of(world(struck=struck), empty_lake) as lake:
        (found,) = incidents(lake, as_of=at(END))["incidents"]
    assert {turn["update_id"] for turn in found["history"]} - {None} == names


def test_of_hosts_that_got_an_update_again_the_last_time_counts(empty_lake):
    told: World = {
        "host": [{"host_id": name, "os_type": "windows"} for name in ("once", "again", "told late")],
        "update": [{"update_id": "policy", "kind": "policy", "released_at": at(0)}],
        "session": [{"host_id": name, "online_from": at(-100)} for name in ("once", "again", "told late")],
        "install": [
            {"host_id": name, "update_id": "policy", "applied_at": at(minute), "received_at": at(known)}
            for name, minute, known in [
                ("once", 10, 10),
                ("again", 10, 10),
                ("again", 70, 70),
                ("told late", 10, 10),
                ("told late", 70, 200),
            ]
        ],
        "crash": [crash_of(0, 85.0) | {"host_id": "again"}],
    }
    with lake_of(told, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        start = int(at(0).timestamp()) // 60
        found = news.ask.by_start(0, (0,), tuple(range(len(news.cells))), 60, start + 150)
    rows = zip(found.installed - start, found.at_risk_s / 60, found.struck, strict=True)
    assert list(rows) == [(10, 60 + 60, 0), (70, 60, 1)]
