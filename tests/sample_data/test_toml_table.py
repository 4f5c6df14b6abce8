"""What a scenario leaves open is settled by the seed, within its bounds."""

from __future__ import annotations

import pytest

from fleetcrash.errors import BadArgument
from sample_data.simulator.toml_table import Table

SEEDS = range(200)


def test_the_seed_chooses_between_two_bounds_and_by_itself_for_each_key():
    drawn = [Table({"a": [0.02, 2], "b": [0.02, 2]}, "mine.toml: ", seed) for seed in SEEDS]
    first, second = ([table.number(key) for table in drawn] for key in ("a", "b"))
    assert all(0.02 <= number <= 2 for number in first)
    assert len({*first, *second}) == 2 * len(SEEDS)
    # Evenly by factors: half of them below the geometric mean.
    assert 0.4 < sum(number < 0.2 for number in first) / len(SEEDS) < 0.6
    assert [Table({"a": [0.02, 2]}, "mine.toml: ", seed).number("a") for seed in SEEDS] == first


def test_bounds_that_are_not_positive_are_drawn_from_evenly():
    drawn = [Table({"a": [-1, 1]}, "mine.toml: ", seed).number("a") for seed in SEEDS]
    assert all(-1 <= number <= 1 for number in drawn)
    assert 0.4 < sum(number < 0 for number in drawn) / len(SEEDS) < 0.6


def test_a_number_is_taken_as_it_stands():
    assert Table({"a": 0.3}, "mine.toml: ", 1).number("a") == 0.3


def test_the_seed_chooses_a_text_of_a_condition():
    drawn = {
        Table({"where": {"model": ["x", "y"], "ring": "z"}}, "", seed).text_map("where")["model"] for seed in SEEDS
    }
    assert drawn == {"x", "y"}


@pytest.mark.parametrize("value", [[2, 1], [1, 2, 3], [], [0, "1"], [0.5, 7], True, [True, 2]])
def test_what_is_no_pair_of_bounds_is_refused(value):
    with pytest.raises(BadArgument, match=r"mine.toml: a is .*; wanted a number from 0 to 5, or two such bounds"):
        Table({"a": value}, "mine.toml: ", 1).number("a", low=0, high=5)


@pytest.mark.parametrize("value", [[], ["x", 1], 1])
def test_what_is_no_choice_of_texts_is_refused(value):
    with pytest.raises(BadArgument, match=r"where is .*; wanted a table of texts"):
        Table({"where": {"model": value}}, "mine.toml: ", 1).text_map("where")
