"""Exact intervals of a share that was counted."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log

_HALVINGS = 60


def clopper_pearson(hits: int, runs: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper bound of the probability behind ``hits`` of ``runs``, two-sided.

    Source: Clopper and Pearson 1934: the shares at which so few, or so many, would be seen with (1 - confidence) / 2.
    """
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if hits == 0 else _where(lambda share: _at_least(hits, runs, share) >= tail)
    high = 1.0 if hits == runs else _where(lambda share: 1.0 - _at_least(hits + 1, runs, share) < tail)
    return low, high


def _where(turns: Callable[[float], bool]) -> float:
    """The share from which on a condition holds."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if turns(middle) else (middle, high)
    return high


def _at_least(hits: int, runs: int, share: float) -> float:
    """Chance of at least so many hits in so many runs."""
    if share <= 0.0 or share >= 1.0:
        return float(share >= 1.0)
    ways = [lgamma(runs + 1) - lgamma(k + 1) - lgamma(runs - k + 1) for k in range(hits, runs + 1)]
    logs = [way + k * log(share) + (runs - k) * log(1.0 - share) for k, way in enumerate(ways, hits)]
    return sum(map(exp, logs))
