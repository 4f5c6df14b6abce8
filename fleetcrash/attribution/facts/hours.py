"""Hours of the day: offices crash by day and servers restart at two, though no more hosts than else are online.

A rhythm that is an incident every morning would never be learned, were incidents left out as they are elsewhere in the
baseline. So every day counts, but what happened on one alone is no rhythm: of each hour the days with most and with
least are left out, the upper and the lower quarter, and of two or three days the one with most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.times import DAY

HOURS = 24
_DAYS = 28
_LEAST_DAYS = 2
_LEAST_MINUTES = DAY - 60  # of a day that tells of every hour
_LEFT_OUT = 4  # one in so many days, at either end
# Counted with those of the hours beside it, this many have to happen before what was seen of an hour counts as much as
# the whole day's rate.
_HOUR_EVENTS = 5.0
# The lower one keeps a few crashes in a quiet night from being news.
_BOUNDS = (0.2, 10.0)


def hour_of(minute: Any) -> Any:
    """The hour of the day, UTC, of a minute since 1970; of an int or of (n,) minutes."""
    return minute // 60 % HOURS


class Hours:
    """Events of each hour of the last four weeks, and what the whole day's rate expects."""

    def __init__(self, outcomes: int) -> None:
        self._day = np.full(_DAYS, -1)
        self._events = np.zeros((_DAYS, HOURS, outcomes))
        self._expected = np.zeros((_DAYS, HOURS, outcomes))
        self._minutes = np.zeros((_DAYS, outcomes))

    def expect(self, minute: int, expected: Floats, told: Mask) -> None:
        """Take in a minute. They come in order.

        Args:
            expected: (outcomes,) events to be expected in it, whatever the hour.
            told: (outcomes,) whether anybody would say if one happened.
        """
        day = minute // DAY
        row = day % _DAYS
        if self._day[row] != day:
            self._day[row] = day
            for kept in (self._events, self._expected, self._minutes):
                kept[row] = 0.0
        self._expected[row, hour_of(minute)] += expected
        self._minutes[row] += told

    def count(self, minutes: Ints, outcomes: Ints) -> None:
        """Take in events (n,) that came to be known, of minutes that were taken in."""
        day = minutes // DAY
        kept = self._day[day % _DAYS] == day
        np.add.at(self._events, (day[kept] % _DAYS, hour_of(minutes[kept]), outcomes[kept]), 1.0)

    def factors(self, today: int) -> Floats:
        """(outcomes, HOURS) how much more happens in each hour than the whole day's rate says; ones for two days.

        Args:
            today: a day that is not over yet; those before it tell.
        """
        order = np.argsort(self._day)
        whole = (self._day[order] < today)[:, None] & (self._minutes[order] >= _LEAST_MINUTES)
        events, expected = (_with_neighbours(kept[order]) for kept in (self._events, self._expected))
        ratio = np.where(whole[:, None], (events + _HOUR_EVENTS) / (expected + _HOUR_EVENTS), np.inf)
        rank, days = ratio.argsort(0, kind="stable").argsort(0), whole.sum(0)
        out = days // _LEFT_OUT
        usual = whole[:, None] & (rank >= out) & (rank < days - np.maximum(out, 1))
        seen, mean = events.sum(0, where=usual), expected.sum(0, where=usual)
        of_day = np.divide(seen.sum(0), mean.sum(0), out=np.zeros(len(days)), where=mean.sum(0) > 0)
        factor: Floats = np.clip((seen + _HOUR_EVENTS) / (of_day * mean + _HOUR_EVENTS), *_BOUNDS)
        return np.where(days >= _LEAST_DAYS, factor, 1.0).T


def _with_neighbours(by_hour: Floats) -> Floats:
    """(days, HOURS, outcomes) the sums of each hour and those before and after it; days in order."""
    flat = np.pad(by_hour.reshape(-1, by_hour.shape[2]), [(1, 1), (0, 0)])
    return (flat[:-2] + flat[1:-1] + flat[2:]).reshape(by_hour.shape)
