"""Days in which nothing came to be known take no ticks, and change nothing that is said before and after them."""

from __future__ import annotations

from itertools import chain, pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents, lively
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.expected import expectation
from fleetcrash.attribution.expected.baseline import CRASH
from fleetcrash.attribution.expected.expectation import UNHEARD_MINUTES
from fleetcrash.attribution.facts.exposure import KEPT_MINUTES
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine
from fleetcrash.times import DAY
from monitor.loop import Monitor
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

if TYPE_CHECKING:
    from fleetcrash.attribution.facts.news import News

YEARS = 3 * 365 * DAY
EPOCH = -56 * 365 * DAY  # about when clocks begin


def outage(day: int) -> World:
    """A fault that strikes half of 200 hosts soon after a push; all records are of one day and a half."""
    hosts = [f"h{number}" for number in range(200)]
    first, update = day * DAY, f"bad of {day}"
    struck = [(host, first + 600 + number % 30) for number, host in enumerate(hosts[::2])]
    return {
        "host": [{"host_id": host, "os_type": "windows"} for host in hosts],
        "update": [{"update_id": update, "kind": "content", "channel": "1", "released_at": at(first + 599)}],
        "session": [
            {"host_id": host, "online_from": at(first - 500), "online_until": at(first + 1500)} for host in hosts
        ],
        "install": [{"host_id": host, "update_id": update, "applied_at": at(minute)} for host, minute in struck],
        "crash": [
            *(crash_of(number, first + 10 * number) for number in range(5)),
            *(crash_of(2 * number, minute + 1) for number, (_, minute) in enumerate(struck)),
        ],
    }


def both(one: World, other: World) -> World:
    return {kind: [*rows, *(row for row in other[kind] if row not in rows)] for kind, rows in one.items()}


def said(lake) -> list[tuple[str, str, list[Row]]]:
    return [(one["incident_id"], one["update_id"], one["history"]) for one in incidents(lake)["incidents"]]


@pytest.mark.slow
def test_an_outage_years_later_is_told_as_if_it_were_the_first_and_the_first_one_still_is(empty_lake):
    """Within seconds: three years have a million and a half minutes."""
    alone = []
    for day in (0, YEARS // DAY):
        with lake_of(outage(day), empty_lake) as lake:
            alone += said(lake)
    with lake_of(both(outage(0), outage(YEARS // DAY)), empty_lake) as lake:
        assert said(lake) == alone
        monitor = Monitor(lake)
        document = monitor.look()
        monitor.close()
        assert document is not None
        assert [one["incident_id"] for one in document["incidents"]] == [name for name, _, _ in alone]
    assert [update for _, update, _ in alone] == ["bad of 0", f"bad of {YEARS // DAY}"]


@pytest.mark.slow
def test_a_crash_of_a_clock_that_stood_at_1970_changes_nothing_that_is_said(empty_lake):
    with lake_of(outage(0), empty_lake) as lake:
        usual = said(lake)
    with lake_of(both(outage(0), {**outage(0), "crash": [crash_of(1, EPOCH)]}), empty_lake) as lake:
        assert said(lake) == usual
    assert [update for _, update, _ in usual] == ["bad of 0"]


def listed(strays: list[int], crashes: list[int]) -> World:
    """Crashes at some minutes, of a fleet of which there is only an inventory."""
    hosts = [{"host_id": f"h{number}", "os_type": "windows"} for number in range(60)]
    told = [crash_of(number, minute) for number, minute in enumerate([*strays, *crashes])]
    return {"host": hosts, "crash": told}


@pytest.mark.variants
@pytest.mark.parametrize(
    ("strays", "crashes", "first"),
    [
        ([], [600], 600),
        ([EPOCH], [], EPOCH),
        ([EPOCH], [600, 605], 600),
        ([EPOCH, EPOCH + 10], [600 + 5 * number for number in range(18)], 600),
        ([EPOCH, EPOCH + 10], [600, 605], EPOCH),
        ([EPOCH, EPOCH + 400 * DAY], [600, 605], 600),
        ([600, 605], [YEARS], 600),
        ([0], [200 * DAY, 201 * DAY], 0),
    ],
    ids=["one", "only strays", "one stray", "a tenth", "more", "far apart", "clock that is ahead", "within a year"],
)
def test_an_inventory_counts_as_online_from_the_first_crash_that_is_no_stray(empty_lake, strays, crashes, first):
    with lake_of(listed(strays, crashes), empty_lake) as lake, Engine(lake) as engine:
        told = read_news(engine)
    minute = int(at(first).timestamp()) // 60
    assert told.online.minute[0] == minute - 60
    assert told.first_crash_minute == minute + 1 - 60  # crashes are told a minute later


@pytest.mark.parametrize("sessions", [False, True], ids=["an inventory", "a session without an end"])
def test_a_stray_takes_few_ticks_whoever_counts_as_online(empty_lake, sessions):
    fleet = listed([EPOCH], [600 + number for number in range(40)])
    fleet["session"] = [{"host_id": "h0", "online_from": at(EPOCH)}] * sessions
    with lake_of(fleet, empty_lake) as lake, Engine(lake) as engine:
        told = read_news(engine)
    ticks = sum(map(len, lively(told, told.first_tick, told.last_tick)))
    assert ticks < 10 * DAY + UNHEARD_MINUTES * sessions


def test_a_stray_that_is_reported_again_is_still_one_alone(empty_lake):
    fleet = listed([EPOCH], [600, 605])
    fleet["crash"].append({**fleet["crash"][0], "received_at": at(EPOCH + 90)})
    with lake_of(fleet, empty_lake) as lake, Engine(lake) as engine:
        assert read_news(engine).online.minute[0] == int(at(600).timestamp()) // 60 - 60


def test_an_inventory_is_told_of_a_rise_as_if_there_were_no_stray(empty_lake):
    found = []
    for strays in ([], [EPOCH]):
        with lake_of(listed(strays, [600 + number % 20 for number in range(40)]), empty_lake) as lake:
            found.append([one["alarm_at"] for one in incidents(lake)["incidents"]])
    assert len(found[0]) == 1
    assert found[1] == found[0]


def test_a_fleet_that_tells_nothing_teaches_nothing_until_it_does(empty_lake, monkeypatch):
    monkeypatch.setattr(expectation, "UNHEARD_MINUTES", 100)
    begins = {"h0": -1000, "h1": -1000, "h2": 900}
    fleet: World = {
        "host": [{"host_id": host, "os_type": "windows"} for host in begins],
        "session": [{"host_id": host, "online_from": at(minute)} for host, minute in begins.items()],
        "crash": [crash_of(0, 0), crash_of(1, 2000)],
    }
    learned = {}
    with lake_of(fleet, empty_lake) as lake, Engine(lake) as engine:
        detector = Detector(read_news(engine))
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
            learned[tick - int(at(0).timestamp()) // 60] = int(detector._inquiry.expected.baseline.minutes[CRASH])
    told, told_from = 1, 1 - 60  # the first crash; a minute is learned from as long after it as it lies behind that
    assert learned[600] == learned[1850] == len(range(told, told + 100 + 1))
    assert learned[2000] == learned[600] + len(range(begins["h2"], (2000 + told_from) // 2 + 1))


def test_whether_the_first_crash_is_a_stray_is_judged_anew_as_more_are_told(empty_lake):
    """The first one that is told after years is as rare as the stray; the next one says which of them is that."""
    fleet = listed([EPOCH], [600, 605])
    with lake_of(fleet, empty_lake) as lake, Engine(lake) as engine:
        engine.as_of = at(602)
        before = read_news(engine)
        engine.as_of = at(604)
        assert read_news(engine, after_tick=before.last_tick).follows(before)
        engine.as_of = at(607)
        assert not read_news(engine, after_tick=before.last_tick).follows(before)


def test_that_a_host_had_just_booted_when_it_crashed_changes_nothing_if_it_is_told_later(empty_lake):
    fleet: World = {
        "host": [{"host_id": host, "os_type": "windows"} for host in ("h0", "h1")],
        "session": [
            {"host_id": "h0", "online_from": at(600), "received_at": at(610)},
            {"host_id": "h1", "online_from": at(0)},
        ],
        "crash": [crash_of(0, 605), crash_of(1, 606)],
    }
    with lake_of(fleet, empty_lake) as lake, Engine(lake) as engine:
        engine.as_of = at(608)
        before = read_news(engine)
        engine.as_of = at(612)
        now = read_news(engine, after_tick=before.last_tick)
    assert (before.events.outcome[0], now.events.outcome[0]) == (CRASH, CRASH)
    assert now.follows(before)


def news(events: list[int], again: list[int], online: list[int], exposed: list[int], *, come: int = 0) -> News:
    """News of some ticks and minutes, in the first of which so many hosts come online that never leave."""
    of_minute = [np.array(ticks, np.int32) for ticks in (events, again, online, exposed)]
    return cast(
        "News",
        SimpleNamespace(
            events=SimpleNamespace(tick=of_minute[0].astype(np.int64)),
            again=SimpleNamespace(tick=of_minute[1].astype(np.int64)),
            online=SimpleNamespace(minute=of_minute[2], change=np.array([come, *[0] * len(online)])[: len(online)]),
            exposed=SimpleNamespace(tick=of_minute[3]),
        ),
    )


@pytest.mark.parametrize("days", [(1, 2, 3), (1, 30), (1, 30, 31, 90), (), (50,)])
@pytest.mark.parametrize("kind", ["events", "again", "online", "exposed"])
def test_whatever_comes_to_be_known_is_taken_in_with_three_days_after_it_and_a_day_before(kind, days):
    first, last = 29_000_000, 29_000_000 + 100 * DAY
    known = [first + day * DAY for day in days]
    kinds = ("events", "again", "online", "exposed")
    told = news(*(known if each == kind else [] for each in kinds))
    taken = list(chain.from_iterable(lively(told, first, last)))
    assert taken == sorted(set(taken))
    for tick in (first, *known, last):
        around = range(max(tick - DAY, first), min(tick + 3 * DAY, last + 1))
        assert set(around) <= set(taken)
    left_out = sum(later - sooner - 1 for sooner, later in pairwise(taken))
    assert left_out > (40 if len(days) == 4 else 60) * DAY


@pytest.mark.parametrize(("every", "come"), [(60, 0), (20 * DAY, 3)], ids=["told of every hour", "online all the time"])
def test_a_fleet_that_is_there_is_looked_at_in_every_minute(every, come):
    first, last = 29_000_000, 29_000_000 + 100 * DAY
    assert lively(news([], [], list(range(first, last, every)), [], come=come), first, last) == [range(first, last + 1)]


def test_where_nothing_changes_for_weeks_those_of_which_nothing_is_learned_take_no_ticks():
    first, years = 29_000_000, 3 * 365 * DAY
    changes = [first, first + years, first + 2 * years]
    taken = lively(news([], [], changes, [], come=3), first, changes[-1])
    lasts = 3 * DAY + UNHEARD_MINUTES
    assert [(one.start, one.stop) for one in taken] == [
        (first, first + lasts),
        (changes[1] - KEPT_MINUTES, changes[1] + lasts),
        (changes[2] - KEPT_MINUTES, changes[2] + 1),
    ]
