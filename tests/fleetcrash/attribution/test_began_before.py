"""Hosts that are up when the first word of them comes did not boot then, and teach nothing of boots."""

from __future__ import annotations

import pytest

from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine, Lake
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

_HOSTS = 20


def _session(number: int, minute: float, **said: object) -> Row:
    return {"host_id": f"h{number}", "online_from": at(minute), **said}


def _up_at_first(minutes: float = 0) -> World:
    """All hosts are told of within some minutes of the first, and one boots an hour later."""
    others = [_session(number, minutes * number / _HOSTS) for number in range(_HOSTS)]
    return {
        "host": [{"host_id": f"h{number}", "os_type": "windows", "always_on": True} for number in range(_HOSTS + 1)],
        "session": [*others, _session(_HOSTS, 60)],
        "crash": [crash_of(3, 6), crash_of(_HOSTS, 62)],
    }


def _since_boot(lake: Lake, minute: float) -> tuple[dict[int, int], list[int]]:
    """Hosts ever counted by how long they had been up, and how long those had been up that crashed."""
    with Engine(lake, as_of=at(minute)) as engine:
        news = read_news(engine)
    came = (news.online.change > 0) & (news.online.minute <= news.last_tick)
    ages = news.online.since_boot[came].tolist()
    changes = news.online.change[came].tolist()
    counted = {age: sum(by for one, by in zip(ages, changes, strict=True) if one == age) for age in set(ages)}
    return counted, news.events.since_boot.tolist()


@pytest.mark.parametrize("minutes", [0, 5], ids=["exported", "first-heartbeats"])
def test_hosts_that_are_told_of_first_have_not_just_booted(empty_lake, minutes):
    with lake_of(_up_at_first(minutes), empty_lake) as lake:
        counted, crashed = _since_boot(lake, 120)
    assert counted == {0: 1, 1: 1, 2: _HOSTS + 1}
    assert crashed == [2, 0]


def test_of_a_session_that_began_days_ago_nothing_is_guessed(empty_lake):
    world = _up_at_first()
    world["session"] = [_session(_HOSTS + 1, -3000), *world["session"]]
    with lake_of(world, empty_lake) as lake:
        counted, crashed = _since_boot(lake, 120)
    assert counted[0] == _HOSTS + 1  # of all others
    assert crashed == [0, 0]


def test_what_is_told_of_an_earlier_time_later_changes_nothing(empty_lake):
    world = _up_at_first()
    world["session"] = [*world["session"], _session(_HOSTS + 1, -3000, received_at=at(100))]
    with lake_of(world, empty_lake) as lake:
        before, after = (_since_boot(lake, minute) for minute in (90, 120))
    assert before[1] == after[1] == [2, 0]
    assert before[0] == {0: 1, 1: 1, 2: _HOSTS + 1}
    assert after[0] == {**before[0], 3: 1}


def test_who_left_in_the_first_minutes_had_been_up_for_longer(empty_lake):
    world = _up_at_first()
    world["session"] = [_session(0, 0, online_until=at(7)), *world["session"][1:]]
    with lake_of(world, empty_lake) as lake:
        _, crashed = _since_boot(lake, 120)
    assert sorted(crashed) == [0, 2, 2]
