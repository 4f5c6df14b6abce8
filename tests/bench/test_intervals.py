"""Exact intervals of a share."""

from math import comb

import pytest

from bench.attribution.intervals import clopper_pearson


@pytest.mark.parametrize(("hits", "runs"), [(1, 2), (45, 50), (3, 300), (299, 300)])
def test_at_the_bounds_what_was_seen_is_a_tail_of_one_in_forty(hits, runs):
    low, high = clopper_pearson(hits, runs)

    def chance(counts, share):
        return sum(comb(runs, k) * share**k * (1 - share) ** (runs - k) for k in counts)

    assert chance(range(hits, runs + 1), low) == pytest.approx(0.025, rel=1e-6)
    assert chance(range(hits + 1), high) == pytest.approx(0.025, rel=1e-6)


def test_none_and_all_have_one_bound_each():
    assert clopper_pearson(0, 300) == pytest.approx((0.0, 1 - 0.025 ** (1 / 300)))
    assert clopper_pearson(10, 10) == pytest.approx((0.025 ** (1 / 10), 1.0))
