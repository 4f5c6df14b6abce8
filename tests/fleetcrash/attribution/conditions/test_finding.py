"""The search for a condition: what was planted is found, and nothing is found where nothing can be."""

from __future__ import annotations

import tracemalloc
from itertools import product
from random import Random

import numpy as np
import pytest

from fleetcrash.attribution.conditions import finding
from fleetcrash.attribution.conditions.candidates import Candidate, Pairs, candidates_of
from fleetcrash.attribution.conditions.finding import (
    LEAST_EVENTS,
    Companion,
    Place,
    cells_that_may_meet,
    find_condition,
)
from fleetcrash.attribution.conditions.grammar import Condition, matches
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, Cell

SYSTEMS = {
    "windows": (["10.0.19045", "10.0.22631"], ["19045.4651", "22631.3880"]),
    "linux": (["6.1", "6.8"], ["6.1.0-21", "6.8.0-38"]),
}
AGENTS = ["7.9.100", "7.11.18110", "7.11.18200", "7.15.1", "7.16.2"]


def cell(**attributes: str | None) -> Cell:
    """A cell with these attributes and no others."""
    return Cell(tuple(attributes.get(name) for name in CELL_ATTRIBUTES), False, 0)


def fleet() -> list[Cell]:
    """Every combination of OS build, agent version, model, region and ring; the first cell is the unknown hosts'."""
    cells = [cell()]
    for (system, (versions, builds)), agent, model, region, ring in product(
        SYSTEMS.items(), AGENTS, ["m1", "m2"], ["eu", "us"], ["pilot", "broad"]
    ):
        for version, build in zip(versions, builds, strict=True):
            cells.append(
                cell(
                    os_type=system, os_version=version, os_build=build,
                    agent_version=agent, model=model, region=region, ring=ring,
                )
            )  # fmt: skip
    return cells


def attributes(one: Cell) -> dict[str, str | None]:
    """A cell's attributes by name."""
    return dict(zip(CELL_ATTRIBUTES, one.attributes, strict=True))


def selected(cells: list[Cell], condition: Condition) -> np.ndarray:
    """Which cells a condition selects."""
    return np.array([matches(condition, attributes(one)) for one in cells])


def counted(cells: list[Cell], condition: Condition, *, events: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Events by outcome and cell, some hundred times the baseline where the condition holds, and the baseline."""
    rng = np.random.default_rng(seed)
    hit = selected(cells, condition)
    expected = np.stack([rng.gamma(2.0, 0.002, len(cells)), rng.gamma(2.0, 0.0002, len(cells))])
    expected[:, 0] = 0.0  # nobody of the unknown was exposed
    rate = np.where(hit, events / expected[0][hit].sum(), 1.0)
    return rng.poisson(expected * rate).astype(float), expected


PLANTED: list[Condition] = [
    {},
    {"os_type": "windows"},
    {"os_build": "22631.3880"},
    {"agent_version": "7.15.1"},
    {"model": "m1"},
    {"region": "us"},
    {"ring": "pilot"},
    {"os_type": "windows", "agent_version": ">=7.11"},
    {"os_type": "linux", "agent_version": "<7.15"},
    {"os_type": "windows", "agent_version": "7.11.*"},
    {"os_type": "windows", "agent_version": ">=7.11.18200 <7.16"},
    {"agent_version": ">=7.11 <7.16"},
    {"agent_version": ">=7.11.18200"},
    {"agent_version": "<7.11", "model": "m1"},
    {"os_build": "22631.3880", "agent_version": ">=7.15"},
    {"os_build": "22631.3880", "agent_version": "7.16.2"},
    {"model": "m2", "region": "eu"},
    {"os_type": "windows", "ring": "broad"},
    {"os_type": "windows", "model": "m1", "region": "eu"},
    {"os_type": "linux", "agent_version": ">=7.11", "ring": "broad"},
    {"agent_version": "7.16.2", "model": "m1", "region": "us"},
    {"agent_version": ">=7.11 <7.16", "model": "m1"},
    {"os_type": "windows", "agent_version": ">=7.11 <7.16", "region": "eu"},
    {"os_type": "linux", "agent_version": ">=7.11.18200 <7.16", "model": "m2"},
]


@pytest.mark.parametrize("planted", PLANTED, ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_condition_that_was_planted_is_found(planted, seed):
    cells = fleet()
    events, expected = counted(cells, planted, events=900.0, seed=seed)
    found = find_condition(cells, events, expected)
    assert found is not None
    # Two conditions are equal when they select the same exposed hosts.
    assert (selected(cells, found)[1:] == selected(cells, planted)[1:]).all(), found
    assert len(found) <= max(len(planted), 1)


def test_a_third_attribute_by_which_some_are_hit_a_third_as_often_is_not_told():
    cells = fleet()
    expected = np.full((1, len(cells)), 0.01)
    hit, seldom = selected(cells, {"model": "m2", "region": "eu"}), selected(cells, {"ring": "pilot"})
    events = np.where(hit, np.where(seldom, 8.0, 24.0), 0.0)[None]
    expected[:, 0] = events[:, 0] = 0.0
    found = find_condition(cells, events, expected)
    assert found == {"model": "m2", "region": "eu"}


@pytest.mark.parametrize("events", [60.0, 2000.0])
@pytest.mark.parametrize("seed", range(20))
def test_no_third_attribute_is_told_where_two_select_those_that_are_hit(seed, events):
    cells, planted = fleet(), {"model": "m2", "region": "eu"}
    found = find_condition(cells, *counted(cells, planted, events=events, seed=seed))
    assert found in (None, planted)


def test_bounds_of_the_agent_are_found_where_each_system_has_builds_of_its_own():
    """7.15.2 of Windows is no build of Linux, but both are of one release; and there are many of them."""
    builds = {"windows": 1, "linux": 2, "darwin": 3}
    cells = [
        cell(os_type=system, agent_version=f"7.{minor}.{build}")
        for (system, build), minor in product(builds.items(), range(20))
    ]
    planted = {"agent_version": ">=7.5 <7.9"}
    events, expected = counted([cell(), *cells], planted, events=200.0, seed=11)
    assert find_condition(cells, events[:, 1:], expected[:, 1:]) == planted


def test_a_bound_is_told_with_the_system_where_all_exposed_hosts_are_of_one():
    cells = fleet()
    windows = selected(cells, {"os_type": "windows"})
    planted = {"os_type": "windows", "agent_version": ">=7.11"}
    events, expected = counted(cells, planted, events=200.0, seed=13)
    assert find_condition(cells, events * windows, expected * windows) == planted


def test_versions_that_number_other_things_on_other_systems_have_no_bounds_beside_a_system():
    """What is at 100 and above is Linux's agent, and nobody would say of a fault of it that it is of new agents."""
    numbers = {"windows": 4, "darwin": 20, "linux": 101}
    cells = [
        cell(),
        *(cell(os_type=s, agent_version=f"{n}.{minor}") for (s, n), minor in product(numbers.items(), range(4))),
    ]
    bound = {"agent_version": ">=101.2"}
    events, expected = counted(cells, bound, events=200.0, seed=12)
    assert find_condition(cells, events, expected) == {"os_type": "linux", **bound}


NUMBERED = {"windows": ["22631.3880", "17763.6054"], "linux": ["6.8.0-38", "5.14.0-427"], "darwin": ["23F79", "24B83"]}


@pytest.mark.parametrize("spared", NUMBERED)
def test_of_two_systems_of_three_as_little_is_said_as_tells_them_apart(spared):
    """No value of os_type selects them, so it is one bound, and no second key that adds nothing.

    Where no bound does, it is not said that all are hit.
    """
    cells = [
        cell(os_type=system, os_build=build, agent_version=agent, model=model)
        for (system, builds), agent, model in product(NUMBERED.items(), AGENTS, ["m1", "m2"])
        for build in builds
    ]
    events = np.array([[0.0 if one.os_type == spared else 4.0 for one in cells]])
    found = find_condition(cells, events, np.full((1, len(cells)), 0.01))
    bounds = {"windows": "<17763", "linux": ">=23F79", "darwin": None}  # of which the builds lie between the others
    assert found == ({"os_build": bounds[spared]} if bounds[spared] else None)


def test_with_few_events_the_condition_is_undetermined():
    cells = fleet()
    events, expected = np.zeros((2, len(cells))), np.full((2, len(cells)), 0.001)
    events[0, np.flatnonzero(selected(cells, {"os_type": "windows"}))[: LEAST_EVENTS - 1]] = 1.0
    assert find_condition(cells, events, expected) is None
    assert find_condition(cells, np.zeros_like(events), expected) is None


def test_what_two_conditions_explain_alike_but_select_differently_is_undetermined():
    """The pilot ring runs 7.16 and nobody else does but a handful of hosts that were never online: which was it?"""
    cells = [
        cell(os_type="windows", agent_version="7.16.2", ring="pilot"),
        cell(os_type="windows", agent_version="7.15.1", ring="broad"),
        cell(os_type="windows", agent_version="7.16.2", ring="broad"),
        cell(os_type="windows", agent_version="7.15.1", ring="pilot"),
    ]
    events = np.array([[60.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    expected = np.array([[0.5, 0.5, 1e-9, 1e-9], [0.0, 0.0, 0.0, 0.0]])
    assert find_condition(cells, events, expected) is None


def test_a_condition_that_was_given_is_kept_while_it_is_likelier_than_not():
    cells = [
        cell(os_type="windows", model="m1"),
        cell(os_type="linux", model="m1"),
        cell(os_type="windows", model="m2"),
    ]
    said, events = [], np.array([[100.0, 0.0, 0.0]])
    for linux in (0.05, 0.01, 1e-3):  # hosts of Linux that tell less and less
        expected = np.array([[0.3, linux, 1.0]])
        found = [find_condition(cells, events, expected, given=given) for given in (None, {"os_type": "windows"})]
        assert found[0] == found[1]  # what is not the likeliest is not kept
        given = {"os_type": "windows", "model": "m1"}
        said.append((found[0] == given, find_condition(cells, events, expected, given=given) == given))
    assert said == [(True, True), (False, True), (False, False)]


def test_where_a_bound_lies_need_not_be_known_for_a_host_or_two():
    """One host of another OS is of the same model: nobody can tell whether it is spared, nor need anybody."""
    hit, alone, *others = (
        cell(os_type="windows", os_version=version, model=model)
        for version, model in [("10.0.19045", "m1"), ("10.0.17763", "m1"), ("10.0.22631", "m1"), ("10.0.19045", "m2")]
    )
    events = np.array([[60.0, 0.0, 0.0, 0.0]])
    expected = np.array([[0.5, 0.004, 1.0, 10.0]])
    assert find_condition([hit, alone, *others], events, expected) == {"os_version": "10.0.19045", "model": "m1"}
    expected[0, 1] = 0.02  # where it stands for more, which hosts are hit is not known
    assert find_condition([hit, alone, *others], events, expected) != {"os_version": "<10.0.22631", "model": "m1"}


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ({}, {"os_type": "windows"}),
        ({"region": "us"}, {"os_type": "windows", "region": "us"}),
        ({"model": "m1"}, {"model": "m1"}),
        ({"os_build": "22631.3880"}, {"os_version": "10.0.22631"}),
        ({"agent_version": "7.16.2"}, {"os_type": "windows", "agent_version": "7.16.2"}),
    ],
    ids=["all", "region", "model", "build", "agent"],
)
def test_of_a_release_for_one_system_the_condition_says_which_unless_that_goes_without_saying(planted, told):
    """Hosts of other systems are not exposed, and nothing is known of them."""
    cells = fleet()
    windows = selected(cells, {"os_type": "windows"})
    events, expected = counted(cells, {"os_type": "windows", **planted}, events=900.0, seed=3)
    assert find_condition(cells, events * windows, expected * windows) == told


def test_of_a_fleet_of_one_system_it_does_not():
    cells = [one for one in fleet() if one.os_type != "linux"]
    assert find_condition(cells, *counted(cells, {"region": "us"}, events=900.0, seed=3)) == {"region": "us"}


def test_of_a_release_for_all_systems_it_does_not():
    cells = fleet()
    assert find_condition(cells, *counted(cells, {"region": "us"}, events=900.0, seed=3)) == {"region": "us"}
    assert find_condition(cells, *counted(cells, {}, events=900.0, seed=3)) == {}


@pytest.mark.parametrize("name", ["<unknown>", ">=9", ">weird", "x.*", "", " ", "7.11.*", "<7"])
def test_a_value_that_looks_like_the_grammar_does_not_stop_the_search(name):
    """Hosts say what they like. Their model cannot be named in a condition then, but the rest can."""
    cells = fleet()
    cells[-1] = cell(**{**attributes(cells[-1]), "model": name})
    planted = {"os_type": "windows", "agent_version": ">=7.11"}
    events, expected = counted(cells, planted, events=900.0, seed=4)
    found = find_condition(cells, events, expected)
    assert found is not None
    assert (selected(cells, found)[1:] == selected(cells, planted)[1:]).all()


@pytest.mark.parametrize("name", ["<unknown>", ">=9", ">weird", "x.*", "7.11.*", "<7"])
def test_a_value_that_looks_like_the_grammar_is_never_given_as_a_condition(name):
    """It would be read back as a bound or a prefix, and select other hosts than it was earned on."""
    models = {"m1": name, "m2": "m2"}
    cells = [cell(**{**attributes(one), "model": models[one.attributes[4] or "m2"]}) for one in fleet()[1:]]
    hit = np.array([attributes(one)["model"] == name for one in cells])
    expected = np.full((2, len(cells)), 0.001)
    events = np.stack([np.where(hit, 10.0, 0.0), np.zeros(len(cells))])
    found = find_condition(cells, events, expected)
    assert name not in (found or {}).values()


@pytest.mark.parametrize("planted", [{"os_type": "windows", "agent_version": ">=7.11"}, {}], ids=str)
def test_hosts_that_are_in_no_inventory_do_not_make_a_condition_wider(planted):
    cells = fleet()
    events, expected = counted(cells, planted, events=900.0, seed=1)
    expected[:, 0] = 0.4 * expected.sum(1)
    events[:, 0] = np.round(0.4 * events.sum(1))
    found = find_condition(cells, events, expected)
    assert found is not None
    assert (selected(cells, found)[1:] == selected(cells, planted)[1:]).all(), found


def test_nor_do_they_make_up_for_too_few_that_are():
    cells = fleet()
    events, expected = counted(cells, {"os_type": "windows"}, events=LEAST_EVENTS / 2, seed=1)
    expected[:, 0], events[:, 0] = 0.1 * expected.sum(1), [LEAST_EVENTS, 0.0]
    assert events[:, 1:].sum() < LEAST_EVENTS
    assert find_condition(cells, events, expected) is None


def test_with_most_of_the_fleet_missing_from_the_inventory_the_condition_is_undetermined():
    cells = [cell(), cell(os_type="windows")]
    events = np.array([[30.0, 30.0]])
    assert find_condition(cells, events, np.array([[0.1, 1.0]])) is not None
    assert find_condition(cells, events, np.array([[1.0, 0.1]])) is None


def many_kinds(cells: int, *, models: int, builds: int) -> list[Cell]:
    """Cells of as many kinds as that, each combined at random."""
    rng = Random(1)
    kinds = {
        cell(
            os_type="windows", os_version=f"1{rng.randrange(3)}", os_build=f"22631.{rng.randrange(builds)}",
            agent_version=f"7.{rng.randrange(8)}.1", model=f"m{rng.randrange(models)}", region=f"r{rng.randrange(6)}",
        ): None
        for _ in range(cells)
    }  # fmt: skip
    return list(kinds)


def test_of_two_attributes_the_same_is_counted_as_of_each_pair_by_itself():
    cells = [*fleet(), *many_kinds(30, models=4, builds=5)]
    values = np.random.default_rng(1).random((len(cells), 2))
    _, pairs = candidates_of(cells)
    tried, bounded = 0, 0
    for both in pairs:
        sums, log_priors = both.sums(values), both.log_priors()
        for one, other in np.ndindex(log_priors.shape):
            made = both.candidate(one, other)
            bounds = both.ones[one].bounds + both.others[other].bounds
            if log_priors[one, other] > -np.inf:
                tried += 1
                bounded += bounds > 0
                assert log_priors[one, other] == pytest.approx(made.log_prior)
                assert sums[one, other] == pytest.approx(values[made.mask].sum(0))
                assert (made.mask == selected(cells, made.told or {})).all()
            else:
                assert bounds
    assert tried > bounded > 100


def test_hundreds_of_models_and_builds_take_no_more_than_what_is_in_reach(monkeypatch):
    """Numbers of every cell for each of tens of thousands of conditions would be gigabytes."""
    cells = many_kinds(1000, models=60, builds=40)
    events, expected = counted(cells, {"model": "m7"}, events=200.0, seed=1)
    made, make = list[Candidate](), Pairs.candidate

    def counting(both: Pairs, one: int, other: int) -> Candidate:
        made.append(make(both, one, other))
        return made[-1]

    monkeypatch.setattr(Pairs, "candidate", counting)
    tracemalloc.start()
    try:
        found = find_condition(cells, events, expected)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    _, pairs = candidates_of(cells)
    assert found == {"model": "m7"}
    assert sum(len(both.ones) * len(both.others) for both in pairs) > 10_000
    assert len(made) < 500
    assert peak_bytes < 40e6


def test_where_nothing_speaks_for_any_condition_only_the_likeliest_are_kept(monkeypatch):
    monkeypatch.setattr(finding, "_MOST_TOLD", 50)
    cells = many_kinds(300, models=10, builds=10)
    expected = np.full((1, len(cells)), 0.2)
    candidates, pairs = candidates_of(cells)
    kept = finding._within_reach(candidates, pairs, expected, expected)
    monkeypatch.undo()
    every = finding._within_reach(candidates, pairs, expected, expected)
    assert 50 <= len(kept) < len(every)
    least = min(one.log_prior for one in kept)
    assert {str(one.told) for one in kept} <= {str(one.told) for one in every}
    assert np.mean([one.log_prior for one in every]) < np.mean([one.log_prior for one in kept])
    assert least > min(one.log_prior for one in every)


def test_a_cell_of_which_too_little_is_known_may_meet_a_condition():
    cells = [cell(), cell(os_type="windows"), cell(os_type="linux"), cell(os_type="windows", agent_version="7.9")]
    condition = {"os_type": "windows", "agent_version": ">=7.11"}
    assert cells_that_may_meet(cells, condition).tolist() == [True, True, False, False]
    assert cells_that_may_meet(cells, {}).all()


def companion(name: str, events: np.ndarray, share: np.ndarray | float, *, sample: float = 100.0) -> Companion:
    """Another update that such a share of the hosts of each cell had. sample: of so many in each."""
    hosts = np.full(events.shape[1], sample)
    return Companion(name, events, np.ones(len(events), bool), hosts, hosts * share)


def test_a_fault_that_needs_another_update_is_told_with_it_and_any_other_without():
    """Half of the hosts have the policy. All crashes are theirs, or half of them, as it would be by chance."""
    cells = fleet()
    for needed in (True, False):
        events, expected = counted(cells, {"os_type": "windows"}, events=200.0, seed=5)
        beside = companion("policy", events * (1.0 if needed else 0.5), 0.5)
        other = companion("driver", events * 0.85, 0.8)
        found = find_condition(cells, events, expected, [other, beside])
        assert found == {"os_type": "windows"} | ({"with_update": "policy"} if needed else {})


def test_another_update_of_one_system_says_which_system_it_is():
    """With the driver, and with the driver on Windows, are the same hosts: neither leaves room for the other."""
    cells = fleet()
    windows = np.array([one.os_type == "windows" for one in cells])
    events, expected = counted(cells, {"os_type": "windows"}, events=200.0, seed=5)
    other = companion("driver", events, np.where(windows, 0.3, 0.0))
    assert find_condition(cells, events, expected, [other]) == {"with_update": "driver"}


@pytest.mark.parametrize("planted", [{"region": "eu"}, {"model": "m2"}, {"os_type": "windows"}], ids=str)
def test_a_fault_does_not_need_what_all_got_whom_its_condition_selects(planted):
    """A policy that goes region by region is on the hosts of the first one, and hardly elsewhere."""
    cells = fleet()
    events, expected = counted(cells, planted, events=200.0, seed=8)
    other = companion("policy", events, np.where(selected(cells, planted), 1.0, 0.1), sample=3.0)
    assert find_condition(cells, events, expected, [other]) == planted


@pytest.mark.parametrize(("share", "told"), [(0.97, {"model": "m1"}), (0.6, {"with_update": "driver"})])
def test_what_one_model_alone_has_is_said_by_the_model(share, told):
    """More is expected of the model than of others. Of the driver that is not known, and it seems to say more."""
    cells = fleet()
    of_model = selected(cells, {"model": "m1"})
    events, expected = counted(cells, {"model": "m1"}, events=300.0, seed=5)
    other = companion("driver", events * of_model, np.where(of_model, share, 0.0))
    assert find_condition(cells, events * of_model, expected * np.where(of_model, 2.0, 1.0), [other]) == told


def test_of_two_updates_that_the_same_hosts_had_none_is_given():
    cells = fleet()
    events, expected = counted(cells, {}, events=200.0, seed=6)
    twins = [companion(name, events, 0.5) for name in ("policy", "driver")]
    assert find_condition(cells, events, expected, twins) is None


def place(key: str, value: str, events: np.ndarray, share: np.ndarray, *, hosts: int = 1) -> Place:
    """A place with a share of each cell, of a hundred of its kind. hosts: another number for others."""
    prints = np.random.default_rng(hosts).integers(1, 2**63, size=len(share[0]), dtype=np.uint64)
    return Place(key, value, float(np.log(0.001)), events, share, prints, np.zeros(len(share[0]), np.bool_))


@pytest.mark.parametrize("planted", [{}, {"os_type": "windows"}, {"model": "m2"}], ids=str)
@pytest.mark.parametrize("key", ["group", "site", "customer"])
def test_a_fault_of_one_place_is_told_by_it(planted, key):
    """A fifth of each cell stand there: all crashes are theirs, or a fifth of them, as it would be by chance."""
    cells = fleet()
    events, expected = counted(cells, planted, events=200.0, seed=7)
    share = np.full(events.shape, 0.2)
    elsewhere = place(key, "b", events * 0.2, share, hosts=2)
    assert find_condition(cells, events, expected, places=[elsewhere]) == planted
    there = place(key, "a", events, share)
    assert find_condition(cells, events, expected, places=[there, elsewhere]) == {**planted, key: "a"}


def test_a_few_crashes_elsewhere_do_not_take_a_place_back():
    cells = fleet()
    at_place, expected = counted(cells, {}, events=100.0, seed=8)
    others = np.random.default_rng(8).poisson(expected * 30.0 / expected.sum()).astype(float)
    expected *= 30.0 / expected.sum()
    share = np.full(expected.shape, 0.02)
    there = place("group", "a", at_place + others * 0.02, share)
    assert find_condition(cells, at_place + others, expected, places=[there]) == {"group": "a"}


def test_of_two_places_where_the_same_hosts_stand_the_broader_kind_is_given():
    cells = fleet()
    events, expected = counted(cells, {}, events=200.0, seed=9)
    share = np.full(events.shape, 0.2)
    same = [place(key, "a", events, share) for key in ("customer", "group", "site")]
    assert find_condition(cells, events, expected, places=same) == {"group": "a"}
    same[1] = place("group", "a", events, share, hosts=2)  # it has others in their stead
    assert find_condition(cells, events, expected, places=same) is None


def test_a_place_of_whole_cells_is_what_the_cells_are():
    """All of the region's hosts are of one customer, and it has no others: the region says as much."""
    cells = fleet()
    events, expected = counted(cells, {"region": "us"}, events=200.0, seed=10)
    us = selected(cells, {"region": "us"})
    there = Place("customer", "a", -1.0, events * us, np.broadcast_to(us, events.shape) * 1.0, us * np.uint64(1), us)
    assert find_condition(cells, events, expected, places=[there]) == {"region": "us"}
