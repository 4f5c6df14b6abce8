"""Exact intervals of a share."""

import pytest

from bench.attribution.intervals import clopper_pearson


@pytest.mark.parametrize(
    ("hits", "runs", "low", "high"),
    [
        (0, 300, 0.0, 1 - 0.025 ** (1 / 300)),
        (10, 10, 0.025 ** (1 / 10), 1.0),
        (1, 2, 0.012579, 0.987421),
        (45, 50, 0.781864, 0.966721),
    ],
)
def test_the_bounds_are_those_of_the_binomial_tails(hits, runs, low, high):
    assert clopper_pearson(hits, runs) == pytest.approx((low, high), abs=2e-6)
