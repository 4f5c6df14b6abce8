"""Counts by chance: how likely so many are, and what mean so many speak for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from fleetcrash.arrays import Floats, Mask

MOSTLY = 0.5  # more than half is most

_TAIL = 0.025
_HALVINGS = 60
_REACH = 6.0  # standard deviations, within which the bounds are
_Z_99 = 2.33  # one-sided


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


def poisson_interval(seen: int) -> tuple[float, float]:
    """The means at which so few, or so many, would be seen with 2.5 %: exact, by halving. Source: Garwood 1936."""
    reach = _REACH * (math.sqrt(seen) + 1.0)
    # What lies twice as far off as any mean that is tried adds less than rounding.
    ranks = np.arange(max(0, math.floor(seen - 2.0 * reach)), seen + 1)
    log_factorials = math.lgamma(ranks[0] + 1) + np.concatenate([[0.0], np.cumsum(np.log(ranks[1:]))])

    def at_most(number: int, mean: float) -> float:
        some = slice(len(ranks) - (seen - number))
        return float(np.exp(ranks[some] * np.log(mean) - mean - log_factorials[some]).sum())

    def where(number: int, chance: float) -> float:
        low, high = max(seen - reach, 0.0), seen + reach
        for _ in range(_HALVINGS):
            mean = (low + high) / 2.0
            low, high = (mean, high) if at_most(number, mean) > chance else (low, mean)
        return high

    return (0.0 if seen == 0 else where(seen - 1, 1.0 - _TAIL)), where(seen, _TAIL)


def poisson_upper(seen: ArrayLike) -> Floats:
    """The upper 99 % bound on the mean behind each count, to two percent. Source: Anscombe 1948 (square root)."""
    return (np.sqrt(np.asarray(seen) + 1.0) + _Z_99 / 2.0) ** 2


def poisson_lower(seen: ArrayLike) -> Floats:
    """The lower 99 % bound on the mean behind each count, roughly: at most the exact one. Source: as poisson_upper."""
    return np.maximum(np.sqrt(np.asarray(seen)) - _Z_99 / 2.0, 0.0) ** 2


def clearly_more(seen: ArrayLike, mean: ArrayLike) -> Mask:
    """Which counts are more than chance makes of a mean: three standard deviations and two events above it.

    Of a Poisson mean that happens once in a thousand times at most.
    """
    return np.asarray(seen) > np.asarray(mean) + 3.0 * np.sqrt(mean) + 2.0
