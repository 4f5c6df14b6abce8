"""Rises in one module: a slow fault, lost among all crashes of a day, that strikes in a module of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.detection.module_rises import Found
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.reporting.report import document
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS, DAY, STEP = range(300), 1440, 10
SINCE, END = -2 * DAY, 1200
CRASHES_A_DAY = 0.35  # of a host
MIX = ("ntfs.sys", "win32k.sys", "usb.sys", "net.sys", "gpu.sys", "disk.sys")
OWN, OF_LINUX = "fresh.sys", "FRESH.SYS"

Draw = Callable[[Random], str]


def in_the_mix(random: Random) -> str:
    return random.choice(MIX)


def in_its_own(random: Random) -> str:
    """However it is spelled."""
    return random.choice((OWN, "Fresh.sys", OF_LINUX))


def or_mix(module: str, share: float) -> Draw:
    """That one in such a share of all crashes."""
    return lambda random: module if random.random() < share else in_the_mix(random)


def install(number: int, update: str, minute: float) -> Row:
    return {"host_id": f"h{number}", "update_id": update, "applied_at": at(minute)}


def fleet(*, seed: int = 0, since: int = SINCE, until: int = END, mix: Draw = in_the_mix) -> World:
    """Five in six hosts have Windows and crash in a mix of modules, those of Linux in one that has another's name.

    Within four hours each odd one and half of Linux get ``slow``, and six in ten, whoever they are, ``other``.

    Args:
        since, until: the minutes of which anything is told. mix: the module of a crash of Windows.
    """
    random = Random(seed)
    world: World = {
        "host": [
            {
                "host_id": f"h{n}",
                "os_type": "windows" if n % 6 else "linux",
                "os_version": "10" if n % 4 == 1 else "11",
                "region": "ab"[n % 5 == 0],
            }
            for n in HOSTS
        ],
        "update": [
            {"update_id": "slow", "kind": "content", "channel": "1", "released_at": at(0)},
            {"update_id": "other", "kind": "content", "channel": "2", "released_at": at(0)},
        ],
        "session": [{"host_id": f"h{n}", "online_from": at(since)} for n in HOSTS],
        "install": [install(0, "before", since)],  # so that installs are told from the start
        "crash": [],
    }
    world["install"] += [install(n, "slow", random.uniform(0, 240)) for n in HOSTS if n % 2 or n % 12 == 0]
    world["install"] += [install(n, "other", random.uniform(0, 240)) for n in HOSTS if random.random() < 0.6]
    for _ in range(round(len(HOSTS) * CRASHES_A_DAY * (until - since) / DAY)):
        number, minute = random.choice(HOSTS), random.uniform(since + 1, until)
        crash = {**crash_of(number, round(minute, 1)), "os_type": "windows" if number % 6 else "linux"}
        world["crash"].append({**crash, "module": mix(random) if number % 6 else OF_LINUX})
    return world


def struck(
    world: World,
    count: int,
    module: Draw,
    *,
    update: str = "slow",
    version: str = "11",
    within: int = 720,
    seed: int = 1,
) -> World:
    """The same with a fault: so many hosts of one version that got an update crash, each once within some minutes."""
    random = Random(seed)
    of_version = {
        row["host_id"] for row in world["host"] if row["os_version"] == version and row["os_type"] == "windows"
    }
    got = {row["host_id"]: row["applied_at"] for row in world["install"] if row["update_id"] == update}
    for host in random.sample(sorted(of_version & got.keys()), count):
        minute = (got[host] - at(0)).total_seconds() / 60 + random.uniform(1, within)
        world["crash"].append({**crash_of(int(host[1:]), round(minute, 1)), "module": module(random)})
    return world


def of_no_module(world: World, *, until: int = END) -> World:
    """The same where no crash before a minute tells its module."""
    crashes = [row if row["occurred_at"] > at(until) else {**row, "module": None} for row in world["crash"]]
    return {**world, "crash": crashes}


@dataclass(frozen=True)
class Said:
    """What was said of a world in the end, and by whom."""

    incidents: list[dict[str, Any]]
    detector: Detector

    @property
    def names(self) -> list[str | None]:
        return [one["update_id"] for one in self.incidents]

    @property
    def rises(self) -> list[str | None]:
        return [None if one.rise is None else " and ".join(one.rise.names) for one in self.detector.incidents]


def judged(world: World, empty: Path, *, until: int = END) -> Said:
    with lake_of(world, empty) as lake, Engine(lake, as_of=at(until)) as engine:
        detector = run(engine, step_minutes=STEP)
        return Said(document(engine, detector, at(until), detector.incidents)["incidents"], detector)


@pytest.fixture(scope="module")
def slow_world() -> World:
    return struck(fleet(), 48, in_its_own)


@pytest.fixture(scope="module")
def slow(slow_world: World, empty_lake: Path) -> Said:
    return judged(slow_world, empty_lake)


# -- what is named


def test_a_slow_fault_in_a_module_of_its_own_is_named_with_its_condition(slow):
    (found,) = slow.incidents
    assert (found["verdict"], found["update_id"]) == ("update", "slow")
    assert found["condition"] == {"os_type": "windows", "os_version": "11"}
    assert slow.rises == [OWN]


@pytest.mark.slow
def test_nothing_is_said_of_it_where_no_crash_tells_its_module(slow_world, empty_lake):
    assert judged(of_no_module(slow_world), empty_lake).incidents == []


def test_its_sentence_says_how_many_crashed_in_the_module_and_how_many_were_to(slow):
    """Of crashes in all spellings of the name, and of those that Linux has in one of that name none."""
    (found,) = slow.incidents
    seen, expected = found["evidence"]["events_judged"], found["evidence"]["events_expected"]
    assert 30 <= seen <= 48
    assert 0.0 < expected < 1.0
    assert (
        f"crashes Windows, OS version 11: {seen} hosts crashed in fresh.sys where {expected:.1f} were expected; "
        in found["summary"]
    )


def test_a_wave_is_held_against_what_the_module_was_to_have_as_well(slow, slow_world):
    (found,) = slow.incidents
    (wave,) = (one for one in found["rivals"] if one["kind"] == "wave")
    since = datetime.fromisoformat(wave["name"].split(" from ")[1])
    in_it = [row for row in slow_world["crash"] if row["module"].lower() == OWN and row["os_type"] == "windows"]
    later = {row["host_id"] for row in in_it if row["occurred_at"] >= since}
    assert 0.9 * found["evidence"]["events_judged"] <= wave["events"] <= len(later)
    assert 0.0 < wave["expected"] < 1.0


def test_it_ends_when_the_fault_is_over_and_is_one_incident_all_the_while(slow, slow_world):
    (found,) = slow.incidents
    last = max(row["occurred_at"] for row in slow_world["crash"] if row["module"] in (OWN, "Fresh.sys"))
    assert last.isoformat() < found["closed_at"] <= at((last - at(0)).total_seconds() / 60 + 300).isoformat()
    assert {turn["update_id"] for turn in found["history"]} == {"slow"}


def said_of(incident: Incident) -> tuple[object, ...]:
    return incident.incident_id, incident.rise, incident.said.history, incident.ended_tick, incident.closed_tick


@pytest.mark.slow
def test_what_is_said_live_as_records_come_is_what_is_said_in_one_go(slow, slow_world, empty_lake):
    live, told = None, -1
    with lake_of(slow_world, empty_lake) as lake, Engine(lake, as_of=at(-600)) as engine:
        for minute in (-600, 0, 400, 520, 530, 700, 900, END):
            engine.as_of = at(minute)
            news = read_news(engine, after_tick=told)
            if live is None:
                live, told = Detector(news), news.first_tick - 1
            else:
                live.extend(news)
            for tick in range(told + 1, news.last_tick + 1):
                live.tick(tick, look=tick % STEP == 0)
            told = news.last_tick
    assert live is not None
    assert [said_of(one) for one in live.incidents] == [said_of(one) for one in slow.detector.incidents]


@pytest.mark.slow
def test_two_slow_faults_in_two_modules_are_two_incidents(empty_lake):
    """Of hosts that got both updates neither fault strikes more than one version."""
    world = struck(fleet(), 40, in_its_own)
    world["update"].append({"update_id": "second", "kind": "policy", "released_at": at(60)})
    random = Random(2)
    world["install"] += [install(n, "second", random.uniform(60, 300)) for n in HOSTS if n % 3 == 1]
    found = judged(struck(world, 25, lambda _: "late.sys", update="second", version="10", within=360), empty_lake)
    assert sorted(zip(found.names, found.rises, strict=True)) == [("second", "late.sys"), ("slow", OWN)]


@pytest.mark.slow
def test_a_slow_fault_that_strikes_in_two_modules_becomes_one_incident_and_nothing_else_is_named(empty_lake):
    """Though most of the hosts got another update meanwhile. The second is closed once both have said the same."""
    world = struck(struck(fleet(), 40, in_its_own), 40, lambda _: "late.sys", within=1000, seed=2)
    world["update"].append({"update_id": "later", "kind": "policy", "released_at": at(500)})
    random = Random(3)
    got = [int(row["host_id"][1:]) for row in world["install"] if row["update_id"] == "slow"]
    world["install"] += [install(n, "later", random.uniform(500, 560)) for n in got if random.random() < 0.7]
    found = judged(world, empty_lake)
    assert list(zip(found.names, found.rises, strict=True)) == [("slow", f"{OWN} and late.sys"), ("slow", "late.sys")]
    first, second = found.incidents
    assert first["alarm_at"] < second["alarm_at"] < at(660).isoformat() < second["closed_at"]
    assert first["closed_at"] is None
    assert {turn["update_id"] for one in found.incidents for turn in one["history"]} == {None, "slow"}
    assert first["evidence"]["events_judged"] > second["evidence"]["events_judged"] + 20
    assert "crashed in fresh.sys and late.sys where" in first["summary"]


@pytest.mark.slow
def test_a_rise_that_is_lost_in_the_modules_day_is_seen_in_its_hours(empty_lake):
    found = judged(struck(fleet(mix=or_mix(OWN, 0.12)), 36, in_its_own, within=120), empty_lake, until=420)
    assert (found.names, found.rises) == (["slow"], [OWN])


# -- what is not


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mix", "module", "count"),
    [
        (or_mix(OWN, 0.3), in_its_own, 24),
        (in_the_mix, in_the_mix, 48),
        pytest.param(in_the_mix, lambda random: f"m{random.randrange(16)}.sys", 48, marks=pytest.mark.slow),
    ],
    ids=["in one that has many", "in the mix", "in many that have none"],
)
def test_nothing_is_said_of_a_fault_in_modules_that_are_struck_about_as_often_anyway(empty_lake, mix, module, count):
    found = judged(struck(fleet(mix=mix), count, module), empty_lake)
    assert {turn["verdict"] for one in found.incidents for turn in one["history"]} <= {"undetermined"}
    assert set(found.rises) <= {None}


def test_nothing_is_said_where_no_crash_is_older_than_a_day(empty_lake):
    assert judged(struck(fleet(since=-180), 30, in_its_own), empty_lake).incidents == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "within", "rises"), [(30, 8, [None]), (9, 45, [])], ids=["at once", "in less than an hour"]
)
def test_what_strikes_within_the_hour_is_no_rise_of_its_module(empty_lake, count, within, rises):
    """But of all crashes, if it is enough of them."""
    world, random = fleet(), Random(3)
    hosts = [n for n in HOSTS if n % 4 == 3][:count]
    world["crash"] += [{**crash_of(n, 300 + random.uniform(0, within)), "module": OWN} for n in hosts]
    assert judged(world, empty_lake, until=355).rises == rises


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 12))
def test_nobody_is_named_in_a_quiet_fleet(empty_lake, seed):
    """Of a rare module there are two or three crashes a day."""
    assert judged(fleet(seed=seed, mix=or_mix("rare.sys", 0.03)), empty_lake).names == []


@pytest.mark.slow
def test_nobody_is_named_for_what_replaces_a_module_with_one_of_another_name(empty_lake):
    """Hosts with the update crash as often as ever, only that it is not called the same."""
    world = fleet(mix=or_mix("libc-2.35.so", 0.5))
    got = {row["host_id"]: row["applied_at"] for row in world["install"] if row["update_id"] == "slow"}
    for row in world["crash"]:
        if row["module"] == "libc-2.35.so" and row["occurred_at"] > got.get(row["host_id"], at(END)):
            row["module"] = "libc-2.36.so"
    found = judged(world, empty_lake)
    assert set(found.names) <= {None}
    assert all(one["closed_at"] for one in found.incidents), "the first few may come by chance, and are taken back"


@pytest.mark.slow
def test_nobody_is_named_where_modules_are_told_since_today_only(slow_world, empty_lake):
    assert judged(of_no_module(slow_world, until=0), empty_lake).incidents == []


@pytest.mark.slow
def test_it_ends_also_where_the_module_has_crashes_on_any_day(empty_lake):
    world = struck(fleet(seed=2, mix=or_mix(OWN, 0.1), until=END + 600), 60, in_its_own)
    found = judged(world, empty_lake, until=END + 600)
    assert (found.names, found.rises) == (["slow"], [OWN])
    assert found.incidents[0]["closed_at"] < at(END).isoformat()


def test_the_minutes_of_a_rise_in_one_module_are_learned_from(slow):
    (incident,) = slow.detector.incidents
    assert not incident.disturbs(incident.alarm_tick)


@pytest.mark.slow
def test_what_another_update_does_in_the_same_module_within_minutes_is_an_incident_of_its_own(slow_world, empty_lake):
    """Of all crashes, not of those in the module alone."""
    random = Random(5)
    world = {**slow_world, "install": [*slow_world["install"]], "crash": [*slow_world["crash"]]}
    world["update"] = [*world["update"], {"update_id": "second", "kind": "policy", "released_at": at(800)}]
    for number in (n for n in HOSTS if n % 6):
        minute = 800 + random.uniform(0, 15)
        world["install"].append(install(number, "second", minute))
        if random.random() < 0.25:
            world["crash"].append({**crash_of(number, minute + random.uniform(0.2, 10)), "module": OWN})
    found = judged(world, empty_lake, until=880)
    assert (found.names, found.rises) == (["slow", "second"], [OWN, None])


def test_a_module_with_fewer_crashes_than_usual_is_none_that_rises(slow):
    watch, every = slow.detector._module_rises, slow.detector.news.events.tick > 0
    assert {one.rise.names[0] for one in watch._rising(slow.detector.news.last_tick, every, every)} == {OWN}


def test_one_module_is_looked_at_as_one_whatever_is_usual_of_it(slow):
    """Or a monitor would note a look for each crash of any module."""
    assert list(slow.detector._module_rises._looks._taken) == ["fresh.sys of windows"]


@pytest.mark.parametrize("claimed", [0.2, 0.8])
def test_crashes_of_a_module_that_are_mostly_another_incidents_open_none(slow: Said, monkeypatch, claimed: float):
    detector = slow.detector
    crashes = detector.news.events.tick > 0
    rise = next(one.rise for one in detector.incidents if one.rise is not None)
    found = Found(rise, crashes, np.zeros(0), 0.0)
    monkeypatch.setattr(detector._module_rises, "following", lambda *_, **__: found)
    monkeypatch.setattr(detector, "incidents", [])
    monkeypatch.setattr(detector, "_begin", lambda *_: None)
    monkeypatch.setattr(detector._claims, "taken", np.arange(len(crashes)) < claimed * len(crashes))
    detector._watch_modules(detector.news.last_tick)
    assert len(detector.incidents) == (claimed < 0.5)
