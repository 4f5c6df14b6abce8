"""The upper tail of the binomial distribution: how likely at least so many are by chance."""

from __future__ import annotations

import math


def upper_tail(least: int, trials: int, chance: float) -> float:
    """P(X >= least) of a binomial, for least above its mean: the terms fall from there on."""
    term = math.exp(
        math.lgamma(trials + 1)
        - math.lgamma(least + 1)
        - math.lgamma(trials - least + 1)
        + least * math.log(chance)
        + (trials - least) * math.log1p(-chance)
    )
    total, odds = term, chance / (1 - chance)
    for successes in range(least, trials):
        term *= (trials - successes) / (successes + 1) * odds
        total += term
        if term < total * 1e-9:
            break
    return total
