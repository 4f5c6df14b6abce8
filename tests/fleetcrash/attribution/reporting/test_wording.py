"""What a rise without an update is said to follow, and whom a condition is said to select."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.expected.slices import cut
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, PLACES, Cell
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.reporting.wording import followed, selected_in_words

AGENTS = ("7.15", "7.16")
BUILDS = {"windows": "22631.1", "linux": "6.8", "darwin": "23F79"}
OF_SYSTEM = {"windows": 0.7, "linux": 0.15, "darwin": 0.15}
SITES = [f"s{number}" for number in range(10)]


def cell(system: str, agent: str, region: str) -> Cell:
    told = {"os_type": system, "os_build": BUILDS[system], "agent_version": agent, "region": region}
    return Cell(tuple(told.get(name) for name in CELL_ATTRIBUTES), False, 0)


CELLS = [cell(system, agent, region) for system in BUILDS for agent in AGENTS for region in ("amer", "emea")]


def said(struck: Sequence[Cell], sites: Sequence[str | None] = (), *, wave_spot: int = 0) -> str | None:
    """What a rise of some hosts follows, in a fleet of which each site has a tenth, and each system its share."""
    slices = cut(CELLS)
    weight = np.array([OF_SYSTEM[one.os_type or ""] / 4 for one in CELLS])
    expected = np.concatenate([slices.members @ weight, np.full(len(SITES), 0.1)])
    places = {"site": np.array([*sites, *([None] * (len(struck) - len(sites)))], dtype=object)}
    nowhere = np.full(len(struck), None, dtype=object)

    class Spots:
        def __init__(self) -> None:
            self.slices = slices

        def __len__(self) -> int:
            return len(expected)

        def name(self, spot: int) -> tuple[str, str]:
            return "site", SITES[spot - len(slices)]

        def describe(self, spot: int) -> str:
            return "region emea" if spot else "the whole fleet"

    class Events(SimpleNamespace):
        def __len__(self) -> int:
            return len(struck)

    events = Events(
        outcome=np.zeros(len(struck), np.int64),
        host=np.array([f"h{number}" for number in range(len(struck))], dtype=object),
        cell=np.array([CELLS.index(one) for one in struck]),
        places=tuple(places.get(key, nowhere) for key in PLACES),
    )
    detector: Any = SimpleNamespace(
        news=SimpleNamespace(events=events, cells=CELLS),
        spots=Spots(),
        expected=np.repeat(expected[None] / OUTCOMES, OUTCOMES, axis=0),
    )
    incident = Incident.opened(500, 0)
    incident.wave_spot = wave_spot
    incident.set_claim(np.ones(len(struck), bool))
    return followed(detector, incident)


def hosts(count: int, *, seed: int = 0, **wanted: Sequence[str]) -> list[Cell]:
    """As many hosts as are wanted, drawn as the fleet has them."""
    found = [one for one in CELLS if all(told(one, key) in values for key, values in wanted.items())]
    weight = np.array([OF_SYSTEM[one.os_type or ""] for one in found])
    drawn = np.random.default_rng(seed).choice(len(found), count, p=weight / weight.sum())
    return [found[number] for number in drawn]


def told(one: Cell, key: str) -> str | None:
    return one.attributes[CELL_ATTRIBUTES.index(key)]


@pytest.mark.parametrize("seed", range(5))
def test_what_strikes_everywhere_follows_the_whole_fleet(seed):
    assert said(hosts(80, seed=seed)) == "the whole fleet"


def test_a_rise_in_two_systems_of_three_does_not_follow_the_whole_fleet():
    """A few hosts of the third crash as they do on any day."""
    spared = hosts(5, os_type=["windows"])
    assert said(hosts(60, os_type=["linux", "darwin"]) + spared) == "Linux and macOS"


def test_a_rise_of_one_version_of_the_agent_on_all_systems_is_told_by_it():
    assert said(hosts(60, agent_version=["7.16"])) == "agent 7.16"


def test_of_a_part_within_a_part_the_narrower_is_told():
    assert said(hosts(60, os_type=["linux"], region=["emea"])) == "Linux"


def test_a_rise_at_two_sites_of_ten_is_told_by_these():
    assert said(hosts(40), ["s1"] * 20 + ["s2"] * 20) == "site s1 and s2"


def test_where_a_part_is_spared_and_no_part_holds_the_rest_nothing_is_said_of_where():
    three = [SITES[number % 3] for number in range(150)]  # more than are named at once
    assert said(hosts(150), three) is None


def test_two_hosts_of_a_kind_are_not_all_of_it():
    assert said(hosts(2, agent_version=["7.16"])) == "the whole fleet"


def test_a_part_that_was_found_is_not_looked_for_again():
    assert said(hosts(60, os_type=["linux"]), wave_spot=3) == "region emea"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"os_build": "<22631"}, "Linux and macOS (OS build < 22631)"),
        ({"os_build": ">=23"}, "macOS and Windows (OS build ≥ 23)"),
        ({"os_build": ">=22631"}, "OS build ≥ 22631"),
        ({"os_build": ">=1"}, "OS build ≥ 1"),
        ({"os_type": "windows"}, "Windows"),
        ({}, "all exposed hosts"),
    ],
)
def test_a_bound_that_parts_systems_is_told_with_their_names(condition, words):
    assert selected_in_words(CELLS, condition) == words
