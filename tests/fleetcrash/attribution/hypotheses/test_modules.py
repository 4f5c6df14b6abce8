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


def struck(numbers: dict[int, int], size: int) -> Modules:
    """Modules whose crashes are so many by the number of each, one after the other; -1: of none."""
    found = Modules.__new__(Modules)
    found.of_event = np.repeat(np.array(list(numbers), np.int64), np.array(list(numbers.values()), np.int64))
    found.names = tuple((f"m{number}.sys", "windows") for number in range(size))
    found._systems = np.array(["windows"] * size, dtype=object)
    return found


def split(before: dict[int, int], after: dict[int, int]) -> tuple[Modules, np.ndarray, np.ndarray]:
    """Modules, the events that came after, and those of before."""
    modules = struck(before, 9)
    modules.of_event = np.concatenate([modules.of_event, struck(after, 9).of_event])
    is_after = np.arange(len(modules.of_event)) >= sum(before.values())
    return modules, is_after, ~is_after


USUAL = dict.fromkeys(range(8), 10)


@pytest.mark.parametrize(
    ("after", "is_new"),
    [
        ({8: 30}, True),
        ({8: 30, -1: 25}, True),
        ({8: 30, -1: 30}, False),  # half of it falls silent, or tells no module
        ({8: 30, 0: 5, 1: 5}, True),
        ({0: 30}, False),  # hosts crash in that every day, as in any of eight
        ({8: 30, 9: 1}, True),
        (dict.fromkeys(range(6), 5), False),
        ({}, False),
    ],
)
def test_a_rise_is_in_a_module_that_is_new_if_most_of_it_is_and_hardly_a_host_crashed_there_before(after, is_new):
    assert split(USUAL, after)[0].are_in_rare(*split(USUAL, after)[1:]) is is_new


@pytest.mark.parametrize(("share", "is_rare"), [(4, True), (8, True), (9, False), (30, False)])
def test_or_if_it_had_no_more_than_a_tenth_of_the_crashes(share, is_rare):
    """Of eighty others and these."""
    modules, after, before = split({**USUAL, 8: share}, {8: 40})
    assert modules.are_in_rare(after, before) is is_rare


@pytest.mark.parametrize(
    ("before", "after", "as_ever"),
    [
        (USUAL, dict.fromkeys(range(8), 3), True),
        (USUAL, {0: 6, 1: 5, 2: 4, 3: 2}, True),
        (USUAL, {0: 20, 1: 3}, False),  # too many in one of them
        (USUAL, {8: 5}, False),
        (USUAL, {0: 2, 1: 1, 2: 1}, False),  # too few to tell
        (USUAL, {0: 2, 1: 1, 2: 1, -1: 20}, False),
        ({0: 10, 1: 5}, {0: 4, 1: 3}, False),  # too little is known of before
    ],
)
def test_hosts_crash_as_ever_if_in_no_module_clearly_more_do_than_before(before, after, as_ever):
    modules, is_after, is_before = split(before, after)
    assert modules.are_as_ever(is_after, is_before) is as_ever
