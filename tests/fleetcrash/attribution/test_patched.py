"""Servers that an OS patch restarts: what falls silent in the hour after one may be restarting, for two hours."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.attribution.facts.reading import read_news
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
    "back before two hours are over": ("patch", 5, 219, None),
    "back hours later": ("patch", 5, 330, 220),
    "patched long before": ("patch", 70, None, 110),
    "back hours later after what may be a patch": ("not in the catalogue", 5, 330, None),
    "never back after a driver": ("driver", 5, None, 110),
    "never back after anything else": ("content", 5, None, 110),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("always_on", "never_back"), [(True, 4), (True, 3), (False, 4)], ids=["many are lost", "few are", "no servers"]
)
def test_the_silence_of_a_server_is_news_in_the_hour_after_a_patch_only_if_many_do_not_come_back(
    lake, always_on, never_back
):
    is_harmful = never_back > 3  # five with the one that is back hours later
    cases = CASES | {f"never back {number}": ("patch", 5, None, 220) for number in range(never_back)}
    news = {name: minute for name, (*_, minute) in cases.items() if always_on and (is_harmful or minute != 220)}
    append_rows(
        lake, "host", [{"host_id": name, "os_type": "windows", "always_on": always_on} for name in (*cases, "steady")]
    )
    append_rows(lake, "update", [{"update_id": one, "kind": KINDS[one], "released_at": at(0)} for one in KINDS])
    sessions = [{"host_id": "steady", "online_from": at(-600)}]
    for name, (_, _, back, _) in cases.items():
        sessions.append({"host_id": name, "online_from": at(-600), "online_until": at(GONE)})
        if back is not None:
            sessions.append({"host_id": name, "online_from": at(back)})
    append_rows(lake, "session", sessions)
    installs = [
        {"host_id": name, "update_id": update, "applied_at": at(GONE - before)}
        for name, (update, before, _, _) in cases.items()
    ]
    append_rows(lake, "install", installs)
    for now in (109, 110, 150, 219, 220, 330, 500):
        expected = {name: minute for name, minute in news.items() if minute is not None and minute <= now}
        with Engine(lake, as_of=at(now)) as engine:
            events = read_news(engine).events
        dark = np.flatnonzero(events.outcome == DARK).tolist()
        start = int(at(0).timestamp()) // 60
        assert {events.host[one]: int(events.minute[one]) - start for one in dark} == dict.fromkeys(expected, GONE), now
        ticks = {events.host[one]: int(events.tick[one]) - start for one in dark}
        assert ticks == expected, now


@pytest.mark.variants
@pytest.mark.parametrize(("told", "is_news"), [(5, False), (10, False), (11, True), (100, True)])
def test_what_is_told_later_to_have_been_a_patch_is_no_news_from_then_on(lake, told, is_news):
    """Servers go offline at minute 100, five minutes after they got a patch; that is told so long after it is due."""
    hosts = [f"h{number}" for number in range(40)]
    append_rows(lake, "host", [{"host_id": host, "os_type": "linux", "always_on": True} for host in hosts])
    append_rows(lake, "update", [{"update_id": "patch", "kind": "os_patch", "released_at": at(0)}])
    sessions = [{"host_id": host, "online_from": at(-600), "online_until": at(GONE)} for host in hosts]
    append_rows(lake, "session", sessions + [{"host_id": host, "online_from": at(GONE + 115)} for host in hosts])
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


@pytest.mark.variants
@pytest.mark.parametrize(
    ("gone_for", "every", "named_after"), [(110, 4, None), (None, 12, None), (None, 4, 120), (600, 4, 120)]
)
def test_a_patch_from_which_many_servers_do_not_come_back_is_named_two_hours_later(lake, gone_for, every, named_after):
    """Of 400 servers 200 get a patch within four hours, which restarts them all, some of them for longer."""
    hosts = [f"h{number}" for number in range(400)]
    append_rows(lake, "host", [{"host_id": host, "os_type": "linux", "always_on": True} for host in hosts])
    append_rows(lake, "update", [{"update_id": "patch", "kind": "os_patch", "released_at": at(0)}])
    got_at = {host: 1.2 * number for number, host in enumerate(hosts[:200])}
    sessions = [{"host_id": host, "online_from": at(-900)} for host in hosts[200:]]
    for number, (host, minute) in enumerate(got_at.items()):
        left = minute + 1.0
        back = left + 9.0 if number % every else None if gone_for is None else left + gone_for
        sessions.append({"host_id": host, "online_from": at(-900), "online_until": at(left)})
        if back is not None:
            sessions.append({"host_id": host, "online_from": at(back)})
    append_rows(lake, "session", sessions)
    installs = [{"host_id": host, "update_id": "patch", "applied_at": at(minute)} for host, minute in got_at.items()]
    append_rows(lake, "install", installs)
    with Engine(lake, as_of=at(700)) as engine:
        incidents = run(engine, step_minutes=1).incidents
    start = int(at(0).timestamp()) // 60
    named = [one.said.named_tick - start for one in incidents if one.said.named_tick is not None]
    assert len(named) == len(incidents)
    assert bool(named) == (named_after is not None)
    assert named_after is None or named_after < min(named) < named_after + 60


def test_so_is_one_from_which_many_of_one_model_do_not(lake):
    """A fifth of the servers are of it. Of all that get the patch it is one in twenty."""
    hosts = [f"h{number}" for number in range(400)]
    append_rows(
        lake,
        "host",
        [
            {"host_id": host, "os_type": "linux", "always_on": True, "model": f"m{number % 5}"}
            for number, host in enumerate(hosts)
        ],
    )
    append_rows(lake, "update", [{"update_id": "patch", "kind": "os_patch", "released_at": at(0)}])
    got_at = {host: 1.2 * number for number, host in enumerate(hosts[:200])}
    sessions = [{"host_id": host, "online_from": at(-900)} for host in hosts[200:]]
    for number, (host, minute) in enumerate(got_at.items()):
        sessions.append({"host_id": host, "online_from": at(-900), "online_until": at(minute + 1.0)})
        if number % 20:
            sessions.append({"host_id": host, "online_from": at(minute + 10.0)})
    append_rows(lake, "session", sessions)
    append_rows(
        lake,
        "install",
        [{"host_id": host, "update_id": "patch", "applied_at": at(minute)} for host, minute in got_at.items()],
    )
    with Engine(lake, as_of=at(700)) as engine:
        detector = run(engine, step_minutes=1)
    assert [update for update, _ in detector.named] == ["patch"]
    (named,) = detector.incidents
    assert named.said.named_tick is not None
    assert 120 < named.said.named_tick - int(at(0).timestamp()) // 60 < 300


TOLD = GONE + 60
# What the catalogue tells of late, how long before a server goes offline it got that, when that is told, when the
# server is back, and when its silence is news.
TOLD_LATE = {
    "content": ("content", 5, 95, None, TOLD),
    "content, told after the silence": ("content", 5, 120, None, 110),
    "content, back before it is told": ("content", 5, 95, 130, TOLD),
    "driver": ("driver", 5, 95, None, TOLD),
    "patch": ("patch", 5, 95, None, None),
    "long before": ("content", 70, 30, None, 110),
}


@pytest.mark.slow
@pytest.mark.variants
def test_silence_after_what_the_catalogue_tells_of_late_is_news_once_its_kind_is_told(lake):
    """Read at any moment: what a live monitor saw is what is said of it at the end."""
    append_rows(
        lake, "host", [{"host_id": name, "os_type": "windows", "always_on": True} for name in (*TOLD_LATE, "steady")]
    )
    catalogue = [{"update_id": one, "kind": KINDS[one], "released_at": at(0), "received_at": at(TOLD)} for one in KINDS]
    append_rows(lake, "update", catalogue)
    sessions = [{"host_id": "steady", "online_from": at(-600)}]
    installs = []
    for name, (update, before, told, back, _) in TOLD_LATE.items():
        sessions.append({"host_id": name, "online_from": at(-600), "online_until": at(GONE)})
        if back is not None:
            sessions.append({"host_id": name, "online_from": at(back)})
        got = {"update_id": update, "applied_at": at(GONE - before), "received_at": at(told)}
        installs.append({"host_id": name, **got})
    append_rows(lake, "session", sessions)
    append_rows(lake, "install", installs)
    start = int(at(0).timestamp()) // 60
    for now in (109, 110, 119, 120, 130, TOLD - 1, TOLD, 219, 220, 500):
        with Engine(lake, as_of=at(now)) as engine:
            events = read_news(engine).events
        ticks: dict[str, set[int]] = {}
        for one in np.flatnonzero(events.outcome == DARK).tolist():
            ticks.setdefault(events.host[one], set()).add(int(events.tick[one]) - start)
        expected = {name: {news} for name, (*_, news) in TOLD_LATE.items() if news is not None and news <= now}
        if now >= TOLD:  # counted until the install was told, and again from when its kind is
            expected["content, told after the silence"].add(TOLD)
        assert ticks == expected, now


# Servers that tell of a patch as they come back: when each goes offline, when it is back, and from when until when that
# is news. The third of them tells of it at minute 130.
AT_BOOT = {
    "first": (100, 120, (110, 130)),
    "second": (101, 125, (111, 130)),
    "third": (102, 130, (112, 130)),
    "back hours later": (103, 300, (113, 130)),
    "never back": (104, None, (114, 130)),
    "goes later": (140, 165, None),
    "goes later and is long gone": (140, 280, (260, None)),
    "of another system": (140, None, (150, None)),
    "had it long before": (140, 200, (150, None)),
    "the next day": (3000, None, (3010, None)),
}


def test_where_patches_are_told_at_the_boots_that_they_make_servers_that_lack_one_may_be_restarting_for_it(lake):
    systems = {"of another system": "linux"}
    names = [*AT_BOOT, "steady"]
    hosts = [{"host_id": one, "os_type": systems.get(one, "windows"), "always_on": True} for one in names]
    append_rows(lake, "host", hosts)
    append_rows(lake, "update", [{"update_id": "patch", "kind": "os_patch", "released_at": at(0)}])
    sessions = [{"host_id": "steady", "online_from": at(-600)}]
    installs = [{"host_id": "had it long before", "update_id": "patch", "applied_at": at(5)}]
    for name, (gone, back, _) in AT_BOOT.items():
        sessions.append({"host_id": name, "online_from": at(-600), "online_until": at(gone)})
        if back is not None:
            sessions.append({"host_id": name, "online_from": at(back)})
            installs.append({"host_id": name, "update_id": "patch", "applied_at": at(back)})
    append_rows(lake, "session", sessions)
    append_rows(lake, "install", [row for row in installs if row["applied_at"] != at(200)])
    start = int(at(0).timestamp()) // 60
    for now in (129, 130, 170, 260, 3100):
        expected = {name: news for name, (*_, news) in AT_BOOT.items() if news is not None and news[0] <= now}
        with Engine(lake, as_of=at(now)) as engine:
            events = read_news(engine).events
        told = {}
        for one in np.flatnonzero(events.outcome == DARK).tolist():
            name, until = events.host[one], int(events.patched_tick[one]) - start
            if int(events.tick[one]) - start == expected.get(name, (None, None))[0]:
                told[name] = (int(events.tick[one]) - start, until if until <= now else None)
        assert told == {
            name: (since, until if until is not None and until <= now else None)
            for name, (since, until) in expected.items()
        }, now
    dark = np.flatnonzero(events.outcome == DARK).tolist()
    again = {events.host[one]: int(events.tick[one]) - start for one in dark if events.tick[one] - start > 200}
    assert again == {
        "back hours later": 223,
        "never back": 224,
        "goes later and is long gone": 260,
        "the next day": 3010,
    }


@pytest.mark.variants
@pytest.mark.parametrize(
    ("theirs", "gone_for", "named_after"),
    [(True, 20, None), (True, 200, 35), (False, 20, 11)],
    ids=["they are back", "they stay away", "a patch for others"],
)
def test_an_update_that_goes_out_beside_a_patch_is_not_named_for_the_restarts(lake, theirs, gone_for, named_after):
    """Of 300 servers 60 get a policy, and then the patch, of which they tell as they are back.

    Args:
        theirs: whether they do; else it is for laptops of another system, which tell of it at once.
        gone_for: minutes. named_after: minutes after the first is gone.
    """
    hosts = [f"h{number}" for number in range(300)]
    system = "windows" if theirs else "linux"
    append_rows(lake, "host", [{"host_id": host, "os_type": system, "always_on": True} for host in hosts])
    laptops = [f"laptop{number}" for number in range(3)]
    append_rows(lake, "host", [{"host_id": host, "os_type": "windows"} for host in laptops], batch_id="laptops")
    kinds = {"patch": ("os_patch", 90), "policy": ("policy", 80)}
    append_rows(
        lake,
        "update",
        [{"update_id": one, "kind": kind, "released_at": at(minute)} for one, (kind, minute) in kinds.items()],
    )
    sessions = [{"host_id": host, "online_from": at(-1500)} for host in hosts[60:] + laptops]
    installs = []
    for number, host in enumerate(hosts[:60]):
        gone = 95 + number / 10
        sessions.append({"host_id": host, "online_from": at(-1500), "online_until": at(gone)})
        sessions.append({"host_id": host, "online_from": at(gone + gone_for)})
        installs.append({"host_id": host, "update_id": "policy", "applied_at": at(82 + number / 20)})
        if theirs:
            installs.append({"host_id": host, "update_id": "patch", "applied_at": at(gone + gone_for)})
    if not theirs:
        installs += [{"host_id": host, "update_id": "patch", "applied_at": at(92)} for host in laptops]
    append_rows(lake, "session", sessions)
    append_rows(lake, "install", installs)
    with Engine(lake, as_of=at(290)) as engine:
        detector = run(engine, step_minutes=1)
    (incident,) = detector.incidents
    if named_after is None:
        assert incident.said.named_tick is None
        return
    assert incident.update is not None
    assert incident.said.named_tick is not None
    assert detector.news.suspects[incident.update].update_id == "policy"
    assert incident.said.named_tick - int(at(95).timestamp()) // 60 == named_after


@pytest.mark.parametrize(("told", "tick"), [(GONE - 3, GONE + 10), (GONE + 9, GONE + 10), (GONE + 20, GONE + 20)])
def test_what_the_catalogue_told_of_by_the_time_that_a_silence_is_known_explains_none(lake, told, tick):
    """Those that are first to install an update often tell of it some seconds before the catalogue does."""
    append_rows(
        lake, "host", [{"host_id": host, "os_type": "linux", "always_on": True} for host in ("first", "steady")]
    )
    append_rows(lake, "update", [{"update_id": "u", "kind": "content", "released_at": at(0), "received_at": at(told)}])
    sessions = [{"host_id": "first", "online_from": at(-600), "online_until": at(GONE)}]
    append_rows(lake, "session", [*sessions, {"host_id": "steady", "online_from": at(-600)}])
    got = {"host_id": "first", "update_id": "u", "applied_at": at(GONE - 4), "received_at": at(GONE - 4)}
    append_rows(lake, "install", [got])
    with Engine(lake, as_of=at(500)) as engine:
        events = read_news(engine).events
    assert (events.tick[events.outcome == DARK] - int(at(0).timestamp()) // 60).tolist() == [tick]
