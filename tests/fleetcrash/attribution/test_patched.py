"""Servers that an OS patch restarts: what is silent in the hour after one may be restarting, for however long."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.baseline import DARK
from fleetcrash.attribution.detector import Detector
from fleetcrash.attribution.reading import read_news
from fleetcrash.store import Engine
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import at, crash_of

KINDS = {"patch": "os_patch", "driver": "driver", "content": "content"}
GONE = 100
# Each server goes offline at minute GONE. What it got how long before, when it is back (None: never), and when its
# silence is news (None: it never is).
CASES = {
    "back before anybody waits": ("patch", 5, 108, None),
    "back an hour later": ("patch", 5, 160, None),
    "back hours later": ("patch", 5, 330, None),
    "never back": ("patch", 5, None, None),
    "patched long before": ("patch", 70, None, 110),
    "never back after a driver": ("driver", 5, None, 110),
    "never back after anything else": ("content", 5, None, 110),
}


@pytest.mark.slow
@pytest.mark.parametrize("always_on", [True, False])
def test_the_silence_of_a_server_is_news_but_in_the_hour_after_a_patch(lake, always_on):
    append_rows(
        lake, "host", [{"host_id": name, "os_type": "windows", "always_on": always_on} for name in (*CASES, "steady")]
    )
    append_rows(lake, "update", [{"update_id": one, "kind": KINDS[one], "released_at": at(0)} for one in KINDS])
    sessions = [{"host_id": "steady", "online_from": at(-600)}]
    for name, (_, _, back, _) in CASES.items():
        sessions.append({"host_id": name, "online_from": at(-600), "online_until": at(GONE)})
        if back is not None:
            sessions.append({"host_id": name, "online_from": at(back)})
    append_rows(lake, "session", sessions)
    installs = [
        {"host_id": name, "update_id": update, "applied_at": at(GONE - before)}
        for name, (update, before, _, _) in CASES.items()
    ]
    append_rows(lake, "install", installs)
    for now in (109, 110, 150, 330, 500):
        expected = {name: GONE for name, (*_, news) in CASES.items() if always_on and news is not None and news <= now}
        with Engine(lake, as_of=at(now)) as engine:
            events = read_news(engine).events
        dark = np.flatnonzero(events.outcome == DARK).tolist()
        start = int(at(0).timestamp()) // 60
        assert {events.host[one]: int(events.minute[one]) - start for one in dark} == expected, now
        ticks = {events.host[one]: int(events.tick[one]) - start for one in dark}
        assert ticks == {name: CASES[name][3] for name in expected}, now


@pytest.mark.variants
@pytest.mark.parametrize(("told", "is_news"), [(5, False), (10, False), (11, True), (100, True)])
def test_what_is_told_later_to_have_been_a_patch_is_no_news_from_then_on(lake, told, is_news):
    """Servers go offline at minute 100, five minutes after they got a patch; that is told so long after it is due."""
    hosts = [f"h{number}" for number in range(40)]
    append_rows(lake, "host", [{"host_id": host, "os_type": "linux", "always_on": True} for host in hosts])
    append_rows(lake, "update", [{"update_id": "patch", "kind": "os_patch", "released_at": at(0)}])
    append_rows(
        lake, "session", [{"host_id": host, "online_from": at(-600), "online_until": at(GONE)} for host in hosts]
    )
    got = {"update_id": "patch", "applied_at": at(GONE - 5), "received_at": at(GONE + told)}
    append_rows(lake, "install", [{"host_id": host, **got} for host in hosts])
    append_rows(lake, "crash", [crash_of(0, 500)])
    with Engine(lake, as_of=at(GONE + 500)) as engine:
        news = read_news(engine)
        detector = Detector(news)
        for tick in range(news.first_tick, news.last_tick + 1):
            detector.tick(tick)
    dark = news.events.outcome == DARK
    assert int(dark.sum()) == (len(hosts) if is_news else 0)
    start = int(at(0).timestamp()) // 60
    assert set(news.events.patched_tick[dark].tolist()) == ({start + GONE + told} if is_news else set())
    assert detector.named == []
    assert all(not one.claim(len(dark)).any() for one in detector.incidents)
