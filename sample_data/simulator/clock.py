"""Time inside a simulation, and where its chance comes from.

Every moment is an int64 of milliseconds since the simulation's first midnight UTC. Whole milliseconds are
exact at any fleet size, so no two orderings of the same sum can differ, and "the crash is the end of its
session" is an equality rather than a tolerance.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from fleetcrash.times import microseconds

Moments = NDArray[np.int64]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Later than any moment, and far enough from the edge of int64 that adding a delay to it cannot wrap round.
NEVER = 1 << 60


@dataclass(frozen=True)
class Clock:
    """The span of a simulation.

    Attributes:
        start: the first midnight, UTC.
        judged_from: when the last day, the one that is judged, begins; ms since start.
        end: the midnight after it; ms since start. Nothing that became known later is written.
    """

    start: datetime
    judged_from: int
    end: int

    def at(self, moment: int) -> datetime:
        """The UTC time of a moment in ms since start."""
        return self.start + timedelta(milliseconds=int(moment))

    def epoch_us(self, moments: Moments) -> Moments:
        """Moments in ms since start as microseconds since 1970, the unit of every record."""
        return np.asarray(microseconds(self.start) + moments * 1_000, dtype=np.int64)


def chance(seed: int, concern: str) -> np.random.Generator:
    """The random numbers of one concern.

    Each concern draws from its own stream, named and not numbered: a new concern, or one more draw in an old
    one, leaves the rest of the fleet as it was.
    """
    key = int.from_bytes(hashlib.blake2b(concern.encode(), digest_size=4).digest(), "big")
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))


def lognormal_ms(
    rng: np.random.Generator, size: int, median_s: float, spread: float, at_most_s: float = 7 * 86_400
) -> Moments:
    """Delays in ms with a given median in seconds; ``spread`` is the standard deviation of the logarithm."""
    seconds = np.minimum(median_s * np.exp(rng.normal(0.0, spread, size)), at_most_s)
    return np.asarray(np.rint(seconds * SECOND), dtype=np.int64)


def uniform_ms(rng: np.random.Generator, size: int, low_s: float, high_s: float) -> Moments:
    """Delays in ms, spread evenly between two bounds in seconds."""
    return np.asarray(np.rint(rng.uniform(low_s, high_s, size) * SECOND), dtype=np.int64)


def pick(rng: np.random.Generator, weights: Numbers) -> Indices:
    """One column a row, drawn by the row's weights (rows x columns, float >= 0, each row with a sum > 0)."""
    heights = np.cumsum(weights, axis=1)
    drawn = rng.random(len(weights)) * heights[:, -1]
    return np.asarray((heights <= drawn[:, None]).sum(axis=1), dtype=np.int64)
