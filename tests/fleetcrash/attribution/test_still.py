"""Days in which nothing came to be known take no ticks, and change nothing that is said before and after them."""

from __future__ import annotations

from itertools import chain, pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents, lively
from fleetcrash.attribution.hours import DAY
from monitor.loop import Monitor
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

if TYPE_CHECKING:
    from fleetcrash.attribution.news import News

YEARS = 3 * 365 * DAY


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
def test_a_crash_of_a_clock_that_stood_at_1970_costs_a_minute_or_two(empty_lake):
    """Of alarm: what is learned from lags behind by a day, as where there is a long history."""
    old = crash_of(1, -56 * 365 * DAY)
    with lake_of(outage(0), empty_lake) as lake:
        usual = said(lake)
    with lake_of(both(outage(0), {**outage(0), "crash": [old]}), empty_lake) as lake:
        found = said(lake)
    assert [update for _, update, _ in found] == [update for _, update, _ in usual]
    later = [int(one[-4:]) - int(other[-4:]) for (one, _, _), (other, _, _) in zip(found, usual, strict=True)]
    assert later == pytest.approx([0], abs=2)


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
