"""Servers that somebody restarts, a room of them in one night: they are silent for a while, and are back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.attribution.facts.news import Events
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

DAY, END = 1440, 640
ROOM, OTHERS = range(60), range(60, 400)


def servers(*, gone_for: float | None, apart: float = 1, before: int = 0) -> World:
    """Those of a room are off for some minutes, one after the other, in a fleet where else nothing happens.

    Args:
        gone_for: None: they never come back. apart: minutes from one to the next.
        before: so many others were restarted before, for thirteen minutes each.
    """
    world: World = {
        "host": [
            {"host_id": f"h{n}", "os_type": "linux", "always_on": True, "region": "ab"[n in OTHERS]}
            for n in (*ROOM, *OTHERS)
        ],
        "session": [{"host_id": f"h{n}", "online_from": at(-2 * DAY)} for n in OTHERS[before:]],
        "crash": [crash_of(399, -DAY)],
    }

    def restart(n: int, minute: float, back: float | None) -> None:
        world["session"].append({"host_id": f"h{n}", "online_from": at(-2 * DAY), "online_until": at(minute)})
        if back is not None:
            world["session"].append({"host_id": f"h{n}", "online_from": at(minute + back)})

    for n in ROOM:
        restart(n, n * apart, gone_for)
    for number, n in enumerate(OTHERS[:before]):
        restart(n, 20.0 * number - 600, 13)
    return world


def silences(world: World, empty: Path) -> Events:
    with lake_of(world, empty) as lake, Engine(lake, as_of=at(END)) as engine:
        return read_news(engine).events


@pytest.mark.variants
@pytest.mark.parametrize(("gone_for", "is_news"), [(9, False), (11, False), (15, False), (16, True), (None, True)])
def test_a_server_that_is_back_within_a_quarter_of_an_hour_is_no_news_from_then_on(empty_lake, gone_for, is_news):
    events = silences(servers(gone_for=gone_for), empty_lake)
    dark = events.outcome == DARK
    assert int(dark.sum()) == (0 if gone_for == 9 else len(ROOM))
    after = events.patched_tick[dark] - events.minute[dark]
    assert (after == gone_for).all() if not is_news else (events.patched_tick[dark] == np.iinfo(np.int64).max).all()


@pytest.mark.parametrize(("up_for", "is_news"), [(5, True), (29, True), (30, False), (600, False)])
def test_one_that_was_hardly_up_again_may_be_in_a_loop(empty_lake, up_for, is_news):
    world: World = {
        "host": [{"host_id": "h0", "os_type": "linux", "always_on": True}],
        "session": [
            {"host_id": "first", "online_from": at(-20)},  # so that h0 boots
            {"host_id": "h0", "online_from": at(0), "online_until": at(up_for)},
        ],
        "crash": [crash_of(1, -DAY)],
    }
    world["session"].append({"host_id": "h0", "online_from": at(up_for + 12)})
    events = silences(world, empty_lake)
    assert (events.patched_tick[events.outcome == DARK] > int(at(END + DAY).timestamp()) // 60).tolist() == [is_news]


@pytest.mark.variants
@pytest.mark.parametrize(("gone_for", "apart", "opened"), [(13, 1, 0), (20, 8, 0), (None, 8, 1)])
def test_restarts_of_a_room_open_no_incident_but_those_that_stay_gone_do(empty_lake, gone_for, apart, opened):
    """Nor do longer ones, of two servers at a time."""
    world = servers(gone_for=gone_for, apart=apart)
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(END)) as engine:
        assert len(run(engine, step_minutes=1).incidents) == opened


@pytest.mark.variants
@pytest.mark.parametrize(
    ("gone_for", "before", "opened_at"), [(14, 0, [11]), (14, 9, [11]), (14, 10, []), (None, 10, [16]), (17, 10, [16])]
)
def test_where_servers_are_restarted_now_and_then_silence_is_news_after_a_quarter_of_an_hour(
    empty_lake, gone_for, before, opened_at
):
    world = servers(gone_for=gone_for, apart=0.25, before=before)
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(END)) as engine:
        incidents = run(engine, step_minutes=1).incidents
    assert [one.alarm_tick - int(at(0).timestamp()) // 60 for one in incidents] == opened_at


@pytest.mark.slow
def test_an_incident_that_names_an_update_claims_none_of_them(empty_lake):
    world = servers(gone_for=13, apart=2)
    for row in world["host"]:
        row["region"] = "a"
    world["update"] = [{"update_id": "bad", "kind": "content", "released_at": at(10)}]
    got = {n: 10 + n / 10 for n in (*ROOM, *range(60, 260))}
    world["install"] = [{"host_id": f"h{n}", "update_id": "bad", "applied_at": at(minute)} for n, minute in got.items()]
    world["crash"] += [{**crash_of(n, got[n] + 2), "os_type": "linux"} for n in range(60, 260, 2)]
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(200)) as engine:
        detector = run(engine, step_minutes=1)
    (named,) = detector.incidents
    was_restart = detector.news.events.patched_tick <= int(at(200).timestamp()) // 60
    assert (detector.named[0][0], was_restart.sum() > 30) == ("bad", True)
    assert not named.claim(len(was_restart))[was_restart].any()
