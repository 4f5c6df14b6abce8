"""How long after the install: a fault shows in it, and whatever else begins with a push does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.facts.answers import ByDelay
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hearing.after_install import log_of_delays
from fleetcrash.store import Engine
from tests.fleetcrash.attribution.test_unsolved import servers
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS = 400
PUSHED_AT = 2000


def delays(
    random: np.random.Generator, struck_at: Callable[[np.ndarray], np.ndarray], *, within_an_hour: bool = False
) -> ByDelay:
    """A push that reaches hosts within minutes, one in fifty never telling, and when some of them are struck.

    Or one that takes an hour, to four times as many.
    """
    installed = random.uniform(0, 3600, 4 * HOSTS) if within_an_hour else random.lognormal(np.log(75), 0.7, HOSTS)
    at_s = np.where(random.random(len(installed)) < 0.15, struck_at(installed), np.inf)
    installed[random.random(len(installed)) < 0.02] = 1e9
    rows: list[tuple[int, bool, int, int, int]] = []
    alive = np.ones(len(installed), bool)
    for number, host in enumerate(np.argsort(at_s)[: int(np.isfinite(at_s).sum())]):
        age = at_s[host] - installed[alive]
        ages, hosts = np.unique(np.where(age >= 0, age // 10 * 10, -1), return_counts=True)
        own = at_s[host] - installed[host]
        own = own // 10 * 10 if own >= 0 else -1
        rows += [(number, one >= 0, max(one, 0), count, one == own) for one, count in zip(ages, hosts, strict=True)]
        alive[host] = False
    event, had, age_s, hosts, struck = (np.array(column) for column in zip(*rows, strict=True))
    return ByDelay(event=event, had=had.astype(bool), age_s=age_s, hosts=hosts, struck=struck.astype(int))


def told_by(found: ByDelay) -> float:
    """Of events that all come five minutes after the release, as far as hosts without the update are concerned."""
    return float(log_of_delays(found, np.full(len(found.event), 300.0)).max(initial=0.0))


@pytest.mark.parametrize("median_s", [60.0, 900.0])
def test_what_begins_with_a_push_and_strikes_whoever_it_likes_is_hardly_ever_taken_for_a_fault(median_s):
    random, draws = np.random.default_rng(7), 120
    told = [
        told_by(delays(random, lambda had: 90 + random.lognormal(np.log(median_s), 0.9, len(had))))
        for _ in range(draws)
    ]
    for times in (5, 20, 100):
        at_most = draws / times  # on average, and by chance a little more
        assert (np.array(told) >= np.log(times)).sum() <= at_most + 2.5 * np.sqrt(at_most)


@pytest.mark.parametrize(("median_s", "least"), [(30.0, 0.95), (150.0, 0.8)])
def test_a_fault_of_a_push_to_everybody_is_told_by_how_long_after_their_installs_hosts_are_struck(median_s, least):
    random = np.random.default_rng(8)
    told = [
        told_by(delays(random, lambda had: had + random.lognormal(np.log(median_s), 0.8, len(had)))) for _ in range(40)
    ]
    assert np.mean(np.array(told) >= np.log(100)) >= least


def some_hours_later(random: np.random.Generator, hosts: int) -> np.ndarray:
    return random.normal(3.2 * 3600, 25 * 60, hosts)


@pytest.mark.slow
def test_so_is_a_fault_that_waits_for_some_hours_here_less_and_there_more():
    random = np.random.default_rng(9)
    told = [
        told_by(delays(random, lambda had: had + some_hours_later(random, len(had)), within_an_hour=True))
        for _ in range(20)
    ]
    assert np.mean(np.array(told) >= np.log(100)) >= 0.9


@pytest.mark.slow
def test_what_begins_by_itself_some_hours_after_a_push_is_hardly_ever_taken_for_a_fault():
    random, draws = np.random.default_rng(10), 40
    told = [
        told_by(delays(random, lambda had: some_hours_later(random, len(had)), within_an_hour=True))
        for _ in range(draws)
    ]
    assert (np.array(told) >= np.log(100)).sum() <= draws / 100 + 2.5 * np.sqrt(draws / 100)


def test_nothing_is_told_where_all_have_had_it_as_long():
    found = ByDelay(
        event=np.arange(30),
        had=np.ones(30, bool),
        age_s=np.full(30, 60),
        hosts=np.full(30, 50),
        struck=np.ones(30, int),
    )
    assert told_by(found) == pytest.approx(0.0)


def test_whom_an_event_could_have_happened_to_is_told_by_age_and_as_it_was_known(empty_lake):
    """The struck host got it two minutes before; of the others some are no rivals, or had it for other times."""
    ages_min = {"struck": 2.0, "same": 2.1, "older": 5.0, "later": -3.0, "late": 4.0, "removed": 8.0, "crashed": 5.0}
    others = {"model": {"model": "n"}, "region": {"region": "south"}, "ring": {"ring": "early"}}
    alike: dict[str, Any] = {name: {} for name in (*ages_min, "never", "left", "just up", "came online")}
    hosts = {**alike, **others, "server": {"always_on": True}}
    usual = {"os_type": "windows", "model": "m", "region": "north", "ring": "broad", "always_on": False}
    started = {"just up": 85.0, "came online": 66.0}
    world: World = {
        "host": [{"host_id": name, **usual, **own} for name, own in hosts.items()],
        "update": [{"update_id": "content", "kind": "content", "channel": "1", "released_at": at(80)}],
        "session": [
            {
                "host_id": name,
                "online_from": at(started.get(name, -60.0)),
                "online_until": at(50) if name == "left" else None,
            }
            for name in hosts
        ],
        "install": [
            {
                "host_id": name,
                "update_id": "content",
                "applied_at": at(100 - age),
                "received_at": at(300 if name == "late" else 104),
            }
            for name, age in {
                **ages_min,
                "model": 1.0,
                "region": 1.0,
                "ring": 1.0,
                "server": 1.0,
                "just up": 1.0,
                "came online": 5.0,
            }.items()
        ]
        + [{"host_id": "removed", "update_id": "content", "applied_at": at(99), "action": "removed"}],
        "crash": [
            crash_of(0, minute) | {"host_id": name, "crash_id": name}
            for name, minute in (("crashed", 96.0), ("struck", 100.0))
        ],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        update = [one.update_id for one in news.suspects].index("content")
        event = int(np.flatnonzero(news.events.host == "struck")[0])
        tick = int(at(200).timestamp()) // 60
        found = news.ask.by_delay(update, (event,), tick)
        afterwards = news.ask.by_delay(update, (event,), tick + 200)
    rows = zip(found.had.tolist(), found.age_s.tolist(), found.hosts.tolist(), found.struck.tolist(), strict=True)
    # Without it: who got it later, who never did, whose install is not known yet, and who is rid of it.
    assert sorted(rows) == [(False, 0, 4, 0), (True, 120, 2, 1), (True, 300, 1, 0)]
    assert sorted(afterwards.age_s[afterwards.had].tolist()) == [120, 240, 300]


@pytest.mark.variants
@pytest.mark.parametrize("beats", [True, False])
@pytest.mark.parametrize("later", [True, False], ids=["a beat of much later", "none"])
def test_the_end_of_a_session_tells_when_a_host_was_struck_unless_it_is_a_beat(empty_lake, beats, later):
    """Servers that fall silent: by heartbeats it is known that they did in the minutes after the last one."""
    world = servers(6)
    world["update"] = [{"update_id": "content", "kind": "content", "channel": "1", "released_at": at(99)}]
    world["install"] = [{"host_id": f"h{n}", "update_id": "content", "applied_at": at(100)} for n in range(6)]
    world["crash"] = [crash_of(5, 101.0)]
    if beats:
        world["heartbeat"] = [{"host_id": "h0", "at": at(minute)} for minute in range(0, 101, 5)]
        world["session"] = world["session"][1:]
    else:
        world["session"][0]["online_until"] = at(100)
    if later:
        world.setdefault("heartbeat", []).append({"host_id": "h1", "at": at(300)})
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(400)) as engine:
        news = read_news(engine)
        assert news.events.host.tolist()[:2] == ["h5", "h0"]
        found = news.ask.by_delay(0, (0, 1), int(at(150).timestamp()) // 60)
    assert set(found.event.tolist()) == ({0} if beats else {0, 1})


def pushed(struck_at: Callable[[np.random.Generator, float], float]) -> World:
    """Servers that all get an update within minutes and crash as it is said; a few of these tell of no install."""
    world = servers(HOSTS)
    random = np.random.default_rng(3)
    got = PUSHED_AT + random.lognormal(np.log(75), 0.7, HOSTS) / 60
    world["update"] = [{"update_id": "content", "kind": "content", "channel": "1", "released_at": at(PUSHED_AT)}]
    world["install"] = [
        {"host_id": f"h{n}", "update_id": "content", "applied_at": at(got[n]), "received_at": at(got[n] + 0.2)}
        for n in range(HOSTS)
        if n not in (60, 75, 90, 105)
    ]
    world["crash"] = [crash_of(n, -1500.0 + 70 * n) for n in range(40)]
    world["crash"] += [crash_of(n, struck_at(random, got[n])) for n in range(60, 180)]
    return world


@pytest.mark.slow
def test_a_fault_of_a_push_to_everybody_is_named_where_hosts_crash_by_their_installs(empty_lake):
    with lake_of(pushed(lambda random, got: got + random.lognormal(np.log(150), 0.8) / 60), empty_lake) as lake:
        (incident,) = incidents(lake)["incidents"]
    assert (incident["verdict"], incident["update_id"]) == ("update", "content")


@pytest.mark.slow
def test_what_begins_with_a_push_to_everybody_and_strikes_whoever_it_likes_is_never_blamed_on_it(empty_lake):
    with lake_of(
        pushed(lambda random, _: PUSHED_AT + 1.5 + random.lognormal(np.log(150), 0.8) / 60), empty_lake
    ) as lake:
        (incident,) = incidents(lake)["incidents"]
    assert {turn["update_id"] for turn in incident["history"]} == {None}


@pytest.mark.slow
def test_a_fault_that_waits_for_hours_is_named_where_each_host_crashes_as_long_after_its_install(empty_lake):
    """Everybody has it, and what went out half a day before; a rise at that hour strikes whoever it likes."""

    def named(struck_at: Callable[[np.random.Generator, float], float]) -> set[str | None]:
        world = reached_over_an_hour(struck_at)
        world["update"].append(
            {"update_id": "early", "kind": "content", "channel": "2", "released_at": at(PUSHED_AT - 600)}
        )
        world["install"] += [
            {"host_id": f"h{n}", "update_id": "early", "applied_at": at(PUSHED_AT - 600 + n / 40)}
            for n in range(2 * HOSTS)
        ]
        with lake_of(world, empty_lake) as lake:
            found = incidents(lake, as_of=at(PUSHED_AT + 215))["incidents"]
        return {turn["update_id"] for one in found for turn in one["history"]}

    fault = named(lambda random, got: got + 185 + 4 * random.random())
    assert fault <= {None, "content"}
    assert "content" in fault
    assert named(lambda random, _: PUSHED_AT + 185 + 60 * random.random()) == {None}


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_where_three_installs_in_ten_are_lost_a_name_is_not_taken_back(empty_lake, share):
    """A push within three minutes, by which so many hosts crash in the minute after it."""
    random, hosts = np.random.default_rng(3), range(600)
    world = servers(len(hosts))
    got = PUSHED_AT + 3 * random.random(len(hosts))
    world["update"] = [{"update_id": "content", "kind": "content", "channel": "1", "released_at": at(PUSHED_AT)}]
    world["install"] = [
        {"host_id": f"h{n}", "update_id": "content", "applied_at": at(got[n]), "received_at": at(got[n] + 0.2)}
        for n in hosts
        if random.random() >= 0.3
    ]
    world["crash"] = [crash_of(n, -1500.0 + 70 * n) for n in range(40)]
    world["crash"] += [crash_of(n, got[n] + random.random()) for n in hosts[60:] if random.random() < share]
    with lake_of(world, empty_lake) as lake:
        (incident,) = incidents(lake, as_of=at(PUSHED_AT + 120))["incidents"]
    assert {turn["update_id"] for turn in incident["history"]} == {"content"}


def reached_over_an_hour(struck_at: Callable[[np.random.Generator, float], float]) -> World:
    """Servers in two regions that all get an update within an hour; half of those in one crash as it is said."""
    world = servers(2 * HOSTS)
    random = np.random.default_rng(5)
    got = PUSHED_AT + 60 * random.random(2 * HOSTS)
    world["update"] = [{"update_id": "content", "kind": "content", "channel": "1", "released_at": at(PUSHED_AT)}]
    world["install"] = [
        {"host_id": f"h{n}", "update_id": "content", "applied_at": at(got[n]), "received_at": at(got[n] + 0.2)}
        for n in range(2 * HOSTS)
    ]
    world["crash"] = [crash_of(n, -1500.0 + 40 * n) for n in range(40)]
    world["crash"] += [crash_of(n, struck_at(random, got[n])) for n in range(40, 2 * HOSTS, 4)]
    return world


@pytest.mark.slow
@pytest.mark.parametrize("is_fault", [True, False])
def test_a_slow_fault_of_one_region_is_told_from_a_rise_there_by_how_long_after_the_installs_it_strikes(
    empty_lake, is_fault
):
    """An hour and a half after the install, or for as long after the push, whenever a host got it."""

    def struck_at(random: np.random.Generator, got: float) -> float:
        return (got if is_fault else PUSHED_AT + 30) + random.lognormal(np.log(90), 0.7)

    with lake_of(reached_over_an_hour(struck_at), empty_lake) as lake:
        (incident,) = incidents(lake)["incidents"]
    named = {turn["update_id"] for turn in incident["history"]} - {None}
    assert named == ({"content"} if is_fault else set())
