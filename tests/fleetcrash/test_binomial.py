"""The tail of the binomial distribution."""

from __future__ import annotations

import math

import pytest

from fleetcrash.binomial import upper_tail


@pytest.mark.parametrize(("now", "before", "hours"), [(5, 2, 3.0), (9, 10, 10.0), (30, 40, 8.0)])
def test_the_tail_is_that_of_the_binomial(now, before, hours):
    total, chance = now + before, 1 / (1 + hours)
    tail = sum(math.comb(total, k) * chance**k * (1 - chance) ** (total - k) for k in range(now, total + 1))
    assert upper_tail(now, total, chance) == pytest.approx(tail)
