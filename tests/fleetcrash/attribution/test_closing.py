"""An incident is over when its hosts have not gone on crashing for an hour, not when none is struck any more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fleetcrash.attribution.backtest import incidents
from tests.fleetcrash.live import followed
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS = 400
STRUCK = range(0, 120, 2)  # all in one region, one a minute
FIRST, LAST = 1500, 2300
AGAIN = 25  # minutes between the crashes of a host in a loop


def world(crashes: list[Row]) -> World:
    """Servers in two regions that crash now and then, and more crashes."""
    return {
        "host": [
            {"host_id": f"h{number}", "os_type": "windows", "always_on": True, "region": "ab"[number % 2]}
            for number in range(HOSTS)
        ],
        "session": [{"host_id": f"h{number}", "online_from": at(-2000)} for number in range(HOSTS)],
        "update": [],
        "install": [],
        "crash": [
            *(crash_of(200 + number, 12 * number) for number in range(FIRST // 12)),
            *crashes,
            crash_of(398, LAST),
        ],
    }


def rise() -> list[Row]:
    return [crash_of(host, FIRST + number) for number, host in enumerate(STRUCK)]


def loop(hosts: range, until: int) -> list[Row]:
    """Crashes of struck hosts after their first."""
    return [crash_of(host, minute) for host in hosts for minute in range(FIRST + host // 2 + AGAIN, until, AGAIN)]


def closed(said: list[Row]) -> datetime | None:
    (one,) = said
    assert one["verdict"] == "no_update"
    return None if one["closed_at"] is None else datetime.fromisoformat(one["closed_at"])


@pytest.fixture(scope="module")
def ended(empty_lake) -> datetime:
    """When an incident closes whose hosts crash once."""
    with lake_of(world(rise()), empty_lake) as lake:
        when = closed(incidents(lake)["incidents"])
    assert when is not None
    assert when < at(1800)
    return when


@pytest.mark.slow
@pytest.mark.parametrize("until", [1900, 2050])
def test_an_incident_stays_open_while_its_hosts_go_on_crashing_and_an_hour_more(empty_lake, ended, until):
    with lake_of(world(rise() + loop(STRUCK, until)), empty_lake) as lake:
        found = incidents(lake)["incidents"]
    when = closed(found)
    assert when is not None
    assert ended < at(until) < when <= at(until + 61)
    assert found[0]["evidence"]["crashes"] >= len(rise() + loop(STRUCK, until))


@pytest.mark.slow
def test_two_hosts_that_go_on_keep_none_open(empty_lake, ended):
    with lake_of(world(rise() + loop(STRUCK[:2], 2050)), empty_lake) as lake:
        assert closed(incidents(lake)["incidents"]) == ended


@pytest.mark.variants
@pytest.mark.parametrize(("gone", "over"), [(1, True), (4, False)])
def test_a_server_that_is_switched_off_for_good_keeps_none_open_and_several_do(empty_lake, ended, gone, over):
    fleet = world(rise())
    for number in range(gone):
        fleet["session"][350 + number]["online_until"] = at(FIRST + 20 + number)
    with lake_of(fleet, empty_lake) as lake:
        when = closed(incidents(lake)["incidents"])
    assert when is None or ended <= when <= ended + timedelta(minutes=10)
    assert (when is not None) is over


@pytest.mark.slow
def test_nor_do_as_many_as_go_on_crashing_on_any_day(empty_lake, ended):
    usual = [  # half of those that crash do so all day
        crash_of(200 + number, minute)
        for number in range(0, FIRST // 12, 2)
        for minute in range(12 * number + AGAIN, FIRST, AGAIN)
    ]
    some = loop(STRUCK[::4], 2050)
    with lake_of(world(rise() + some), empty_lake) as lake:
        assert closed(incidents(lake)["incidents"]) != ended
    with lake_of(world(usual + rise() + some), empty_lake) as lake:
        assert closed(incidents(lake)["incidents"]) == ended


@pytest.mark.slow
def test_what_is_said_of_a_moment_is_what_a_monitor_said_that_read_on(empty_lake):
    moments = [at(minute) for minute in (1560, 1950, LAST + 1)]
    with lake_of(world(rise() + loop(STRUCK, 1900)), empty_lake) as lake:
        said = list(followed(lake, moments))
        assert said == [incidents(lake, as_of=moment) for moment in moments]
    assert [one["incidents"][0]["closed_at"] is None for one in said] == [True] * 2 + [False]
