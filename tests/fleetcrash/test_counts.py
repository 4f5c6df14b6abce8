"""Counts by chance, against sums of the distributions themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fleetcrash.counts import clearly_more, poisson_interval, poisson_lower, poisson_upper, upper_tail


@pytest.mark.parametrize(("now", "before", "hours"), [(5, 2, 3.0), (9, 10, 10.0), (30, 40, 8.0)])
def test_the_tail_is_that_of_the_binomial(now, before, hours):
    total, chance = now + before, 1 / (1 + hours)
    tail = sum(math.comb(total, k) * chance**k * (1 - chance) ** (total - k) for k in range(now, total + 1))
    assert upper_tail(now, total, chance) == pytest.approx(tail)


@pytest.mark.parametrize(("seen", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)])
def test_the_interval_of_a_poisson_mean_is_garwoods(seen, low, high):
    assert poisson_interval(seen) == pytest.approx((low, high), abs=2e-4)


def test_the_interval_of_a_million_is_that_of_the_normal_distribution():
    assert poisson_interval(1_000_000) == pytest.approx((1e6 - 1959.0, 1e6 + 1962.0), abs=3.0)


@pytest.mark.parametrize(("seen", "exact"), [(0, 4.605), (1, 6.638), (10, 20.145), (100, 126.1)])
def test_the_upper_bound_is_that_of_one_in_a_hundred(seen, exact):
    assert float(poisson_upper(np.array(float(seen)))) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("mean", [0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 100.0])
def test_chance_is_taken_for_clearly_more_once_in_a_thousand_times_at_most(mean):
    counts = np.arange(int(mean + 20 * math.sqrt(mean) + 30))
    log_chance = counts * math.log(mean) - mean - np.array([math.lgamma(count + 1) for count in counts])
    clear = clearly_more(counts, np.full(len(counts), mean))
    assert 0.0 < float(np.exp(log_chance)[clear].sum()) <= 1e-3
    assert not clearly_more(np.array(2.0), np.array(0.0))


@pytest.mark.parametrize(("seen", "exact"), [(0, 0.0), (3, 0.436), (10, 4.130), (100, 78.2)])
def test_the_lower_bound_is_never_above_that_of_one_in_a_hundred(seen, exact):
    assert exact - 0.15 <= float(poisson_lower(seen)) <= exact
