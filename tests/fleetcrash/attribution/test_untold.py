"""Where nobody tells installs, or presence, what usually follows them is not held against an update."""

from __future__ import annotations

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.expected.hazard import InstallHazard
from fleetcrash.attribution.facts.exposure import AGES, BOOTS
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.reporting.report import document
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS = 3000
FIRST_AT, SECOND_AT, UNTIL = 600, 1500, 2000


@pytest.fixture
def fleet() -> World:
    """A day of a fleet that crashes now and then, and two updates of one channel."""
    random = Random(4)
    return {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "always_on": True} for n in range(HOSTS)],
        "update": [
            {"update_id": name, "kind": "content", "channel": "1", "released_at": at(minute)}
            for name, minute in (("first", FIRST_AT), ("second", SECOND_AT))
        ],
        "crash": [crash_of(random.randrange(HOSTS), minute) for minute in range(2, SECOND_AT, 100)],
    }


def _with_installs(fleet: World, crashed: range, after_min: float) -> World:
    """The fleet without presence: all get the first update at once, and the second one as they come online."""
    random = Random(5)
    came = {n: SECOND_AT + random.uniform(0, UNTIL - SECOND_AT - 60) for n in range(0, HOSTS, 2)}
    fleet["install"] = [
        *({"host_id": f"h{n}", "update_id": "before", "applied_at": at(-300)} for n in range(HOSTS)),
        *({"host_id": f"h{n}", "update_id": "first", "applied_at": at(FIRST_AT + n / HOSTS)} for n in range(HOSTS)),
        *({"host_id": f"h{n}", "update_id": "second", "applied_at": at(minute)} for n, minute in came.items()),
    ]
    fleet["crash"] += [crash_of(n, came[n] + after_min) for n in crashed]
    return fleet


@pytest.mark.slow
def test_some_crashes_just_after_an_install_blame_it_where_many_do_but_not_where_a_boot_may_be_why(
    empty_lake: Path, fleet: World
) -> None:
    few = _with_installs(fleet, range(0, 1600, 200), after_min=4)
    with lake_of(few, empty_lake) as lake:
        for incident in incidents(lake, as_of=at(UNTIL))["incidents"]:
            assert {turn["update_id"] for turn in incident["history"]} == {None}
    few["crash"] += [crash_of(n, minute) for n, minute in _later(few)]
    with lake_of(few, empty_lake) as lake:
        found = incidents(lake, as_of=at(UNTIL))["incidents"]
    assert {one["update_id"] for one in found} - {None} == {"second"}


def _later(fleet: World) -> list[tuple[int, float]]:
    """Crashes of more hosts with the second update, four minutes after they got it."""
    came = {row["host_id"]: row["applied_at"] for row in fleet["install"] if row["update_id"] == "second"}
    return [(n, (came[f"h{n}"] - at(0)).total_seconds() / 60 + 4) for n in range(1000, 2000, 20) if n % 200]


@pytest.mark.slow
def test_servers_that_restart_on_the_day_of_a_patch_are_no_news_where_nobody_tells_installs(
    empty_lake: Path, fleet: World
) -> None:
    fleet["update"][0]["kind"] = "os_patch"
    fleet["session"] = [{"host_id": f"h{n}", "online_from": at(0)} for n in range(HOSTS)]
    for n in range(7, HOSTS, 50):
        fleet["session"][n]["online_until"] = at(FIRST_AT + 100 + n / 10)
    with lake_of(fleet, empty_lake) as lake:
        assert incidents(lake, as_of=at(SECOND_AT))["incidents"] == []
        with Engine(lake, as_of=at(SECOND_AT)) as engine:
            assert engine.frame("sources_of_exposure")["exposure_source"].tolist() == ["release"]
    fleet["update"][0]["kind"] = "content"
    with lake_of(fleet, empty_lake) as lake:
        assert incidents(lake, as_of=at(SECOND_AT))["incidents"], "after another update they are news"


def _only_crashes(fleet: World) -> World:
    """The fleet of which nothing but crashes is known: one every ten minutes, each of another host."""
    random = Random(6)
    crashed = random.sample(range(HOSTS), 200)
    crashes = [crash_of(n, minute) for n, minute in zip(crashed, range(900, 2900, 10), strict=True)]
    return {"update": fleet["update"], "crash": crashes}


@pytest.mark.slow
def test_of_crashes_alone_what_follows_a_release_is_named_and_a_steady_rate_is_no_news(
    empty_lake: Path, fleet: World
) -> None:
    world = _only_crashes(fleet)
    with lake_of(world, empty_lake) as lake:
        assert incidents(lake, as_of=at(UNTIL))["incidents"] == []
    world["crash"] += [crash_of(HOSTS + n, SECOND_AT + 1 + n / 20) for n in range(200)]
    with lake_of(world, empty_lake) as lake:
        (found,) = incidents(lake, as_of=at(UNTIL))["incidents"]
    assert (found["update_id"], found["condition"], found["impact"]["exposed"]) == ("second", None, 0)
    assert found["evidence"]["crashes"] >= 200
    assert "of how many that had it is not known" in found["summary"]


@pytest.mark.slow
def test_of_crashes_alone_without_any_release_told_the_rise_is_no_updates_as_far_as_is_known(
    empty_lake: Path, fleet: World
) -> None:
    world = _only_crashes(fleet)
    world["crash"] += [crash_of(HOSTS + n, SECOND_AT + 1 + n / 20) for n in range(200)]
    with lake_of({**world, "update": []}, empty_lake) as lake:
        (found,) = incidents(lake, as_of=at(UNTIL))["incidents"]
    assert found["verdict"] == "no_update"
    assert found["summary"].endswith("and no update is known to have been sent out.")


@pytest.mark.slow
def test_of_crashes_alone_who_goes_on_with_what_is_new_says_the_same(empty_lake: Path, fleet: World) -> None:
    world = _only_crashes(fleet)
    world["crash"] += [crash_of(HOSTS + n, SECOND_AT + 1 + n / 20) for n in range(200)]
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(SECOND_AT - 1)) as engine:
        news = read_news(engine)
        detector, ticked = Detector(news), news.first_tick - 1
        for minute in (SECOND_AT - 1, SECOND_AT + 1, SECOND_AT + 9, UNTIL):
            engine.as_of = at(minute)
            if minute >= SECOND_AT:
                news = read_news(engine, after_tick=ticked)
                detector.extend(news)
            for tick in range(ticked + 1, news.last_tick + 1):
                detector.tick(tick)
            ticked = news.last_tick
        assert document(engine, detector, at(UNTIL), detector.incidents) == incidents(lake, as_of=at(UNTIL))


class _Beside:
    """Host-time of one update: of a hundred hosts ten have it, five of them for less than two minutes."""

    by_update: ClassVar = {0: SimpleNamespace(is_idle=False)}

    def at_risk(self, *_: Any) -> tuple[Any, Any]:
        return np.array([[5.0, 0.0, 5.0, 0.0, 0.0]]), np.array([90.0])


def test_how_much_more_follows_an_install_is_learned_and_never_less_than_nothing() -> None:
    hazard = InstallHazard()
    assert hazard.ratios().tolist() == [3.0, 3.0, 1.5, 1.0, 1.0]
    for age in [0] * 30 + [None] * 70:
        hazard.learn(_Beside(), {} if age is None else {0: age}, 0, 0, 3)  # type: ignore[arg-type]
    assert hazard.seen.tolist() == [30.0, 0.0, 0.0, 0.0, 0.0]
    assert hazard.expected.tolist() == pytest.approx([5.0, 0.0, 5.0, 0.0, 0.0])
    ratios = hazard.ratios()
    assert len(ratios) == AGES
    assert ratios[0] == pytest.approx((30 + 6) / 7)
    assert ratios[2] == 1.0


def test_what_follows_installs_is_learned_from_those_that_were_told_by_then(empty_lake: Path) -> None:
    hosts, installed, told_late, now = 60, 90, 300, 290
    world: World = {
        "host": [
            {"host_id": f"h{n}", "os_type": "windows", "seen_at": at(seen)} for n in range(hosts) for seen in (-700, 10)
        ],
        "install": [
            {
                "host_id": f"h{n}",
                "update_id": "u",
                "applied_at": at(installed),
                "received_at": at(installed + 1 if n < hosts // 2 else told_late),
            }
            for n in range(hosts)
        ],
        "crash": [
            *(crash_of(n, minute) for n, minute in ((59, 0), (58, 5), (57, 50))),
            *(crash_of(n, installed + 5 + n - 40) for n in range(40, 50)),
        ],
        "update": [{"update_id": "u", "kind": "content", "released_at": at(installed - 10)}],
    }
    ratios = []
    with lake_of(world, empty_lake) as lake:
        for minute in (now, told_late + 100):
            with Engine(lake, as_of=at(minute)) as engine:
                detector = Detector(read_news(engine))
                for tick in range(detector.news.first_tick, int(at(now).timestamp()) // 60 + 1):
                    detector.tick(tick)
            ratios.append(detector._inquiry.expected.hazard.ratios().tolist())
    assert ratios[0] == ratios[1]


def test_hosts_of_which_nobody_says_whether_they_are_always_on_count_at_their_site(empty_lake: Path) -> None:
    """As in files that others wrote; a load fills in that they are not."""
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "site": "s", "always_on": None} for n in range(4)],
        "session": [{"host_id": f"h{n}", "online_from": at(0), "online_until": None} for n in range(4)],
        "crash": [crash_of(1, 90)],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        assert news.places.change.sum() == 4
        detector = Detector(news)
        for tick in range(news.first_tick, news.last_tick + 1):
            detector.tick(tick)


def test_boots_are_counted_at_a_place_to_the_minute(empty_lake: Path) -> None:
    """All that boot there may do so at one time, and what crashes then is held against these boots."""
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "site": "s"} for n in range(3)],
        "session": [
            {"host_id": "first", "online_from": at(-20), "online_until": None},  # so that the others boot
            {"host_id": "h0", "online_from": at(3), "online_until": None},
            {"host_id": "h1", "online_from": at(3), "online_until": None},
            {"host_id": "h2", "online_from": at(4), "online_until": None},
        ],
        "crash": [crash_of(1, 90)],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        places = read_news(engine).places
    start = int(at(0).timestamp()) // 60
    at_boot = places.stratum % BOOTS == 0
    changes = zip((places.minute[at_boot] - start).tolist(), places.change[at_boot].tolist(), strict=True)
    assert sorted(changes) == [(3, 2), (4, 1), (13, -2), (14, -1)]
