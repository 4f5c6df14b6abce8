"""Modules: what hosts crash in, told apart by operating system and not by how the name is spelled."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.modules import ModuleRise, Modules
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

CRASHES = [  # host, module; each on Windows but the fourth host's
    (0, "Own.sys"),
    (1, "OWN.SYS"),
    (2, "ntfs.sys"),
    (3, "own.sys"),
    (4, None),
    (5, ""),
    (6, "own.sys"),
]
UNTOLD = 6  # a host of which no system is told


@pytest.fixture(scope="module")
def modules(empty_lake) -> Modules:
    world: World = {
        "host": [
            {
                "host_id": f"h{n}",
                "os_type": None if n == UNTOLD else "linux" if n == 3 else "windows",
                "always_on": True,
            }
            for n, _ in CRASHES
        ],
        "session": [
            {"host_id": f"h{n}", "online_from": at(-100), "online_until": at(100) if n == 2 else None}
            for n, _ in CRASHES
        ],
        "crash": [
            {**crash_of(n, 10.0 + n), "os_type": "linux" if n == 3 else "windows", "module": module}
            for n, module in CRASHES
        ],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(300)) as engine:
        news = read_news(engine)
    assert DARK in news.events.outcome
    assert len(news.events) == len(CRASHES) + 1
    return Modules(news)


def test_a_module_is_one_however_it_is_spelled_and_another_one_on_another_system(modules):
    assert modules.names == (("own.sys", "windows"), ("ntfs.sys", "windows"), ("own.sys", "linux"))


def test_of_a_crash_without_a_module_and_of_a_silence_there_is_none(modules):
    assert sorted(modules.of_event.tolist()) == [-1, -1, -1, -1, 0, 0, 1, 2]
    assert modules.count(np.ones(8, bool)).tolist() == [2, 1, 1]
    assert modules.count(np.zeros(8, bool)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("name", "system", "crashes"), [("own.sys", "windows", 2), ("own.sys", "linux", 1), ("own.sys", "darwin", 0)]
)
def test_the_crashes_of_a_rise_are_those_in_its_module(modules, name, system, crashes):
    assert modules.crashes_of(ModuleRise((name,), system, 0.1)).sum() == crashes


def test_what_all_modules_of_a_system_have_is_told_for_each_of_them(modules):
    assert modules.of_system("windows").tolist() == [True, True, False]
    assert modules.in_all(np.array([2, 5, 1])).tolist() == [7, 7, 1]
