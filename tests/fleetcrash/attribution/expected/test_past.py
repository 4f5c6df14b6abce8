"""What was expected in the last day: kept in little room it is what it would be if each minute were kept."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.expected.past import Past
from fleetcrash.attribution.expected.places_past import RATE_MINUTES, RING, LatePlaces, PlacesPast
from fleetcrash.times import DAY


class Fleet:
    """What is expected at each spot in each minute: at all of them anew every ten minutes, at some within them."""

    def __init__(self, seed: int, slices: int = 3, places: int = 6) -> None:
        self.random = np.random.default_rng(seed)
        self.slices, self.places = slices, places
        self.a_minute = self.random.random((OUTCOMES, slices + places))
        self.until = np.zeros((OUTCOMES, slices + places))
        self.every = np.zeros((RING, OUTCOMES, slices + places))
        self.changes = self.random.choice([0.0, 0.02, 0.5])

    def minute(self, minute: int, past: Past) -> None:
        if minute % RATE_MINUTES == 0:
            self.a_minute = self.a_minute * self.random.uniform(0.5, 2.0, self.a_minute.shape)
        changed = np.flatnonzero(self.random.random(self.places) < self.changes)
        self.a_minute[:, self.slices + changed] = self.random.random((OUTCOMES, len(changed)))
        self.a_minute[:, : self.slices] = self.random.random((OUTCOMES, self.slices))
        self.until = self.until + self.a_minute
        self.every[(minute + 1) % RING] = self.until
        past.take(minute, self.until, np.repeat(changed, 2))

    def grow(self, past: Past) -> None:
        """A slice more, which is the first, and a place more, which is the last."""
        slices = np.arange(self.slices) + 1
        around = [(0, 0), (1, 1)]
        self.a_minute, self.until = np.pad(self.a_minute, around), np.pad(self.until, around)
        self.every = np.pad(self.every, [(0, 0), *around])
        self.slices, self.places = self.slices + 1, self.places + 1
        past.move(self.slices, self.places, slices)

    def is_told_by(self, past: Past, minute: int) -> bool:
        """Whether it says the same of some spots before some minutes, as of one."""
        spots = self.random.integers(0, self.slices + self.places, (4, 5))
        minutes = minute + 1 - self.random.choice([3, 12, 200, RING, 2 * RING]) + self.random.integers(0, 3, (4, 5))
        minutes = np.minimum(minutes, minute + 1)
        told = past.until(spots, minutes)
        expected = self.every[minutes % RING, :, spots].transpose(2, 0, 1)
        of_slices = np.array_equal(past.of_slices(minute), self.every[minute % RING][:, : self.slices])
        return of_slices and np.allclose(told, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_what_was_expected_at_places_is_as_if_each_minute_were_kept(seed):
    fleet = Fleet(seed)
    past = Past(fleet.slices, fleet.places)
    first = 5 * DAY + seed
    for minute in range(first, first + DAY + 300):
        fleet.minute(minute, past)
        assert fleet.is_told_by(past, minute)
        if fleet.random.random() < 0.002:
            fleet.grow(past)
            assert fleet.is_told_by(past, minute)


@pytest.mark.parametrize("seed", range(3))
def test_hours_are_taken_anew_and_minutes_are_left_out(seed):
    fleet = Fleet(seed)
    past = Past(fleet.slices, fleet.places)
    first, midnight = 4 * DAY + 613 + seed, 6 * DAY
    for minute in range(first, midnight):
        fleet.minute(minute, past)
    ratio = np.repeat(fleet.random.uniform(0.5, 2.0, (OUTCOMES, 24)), 60, axis=1)
    day = np.arange(midnight - DAY, midnight + 1) % RING
    until = fleet.every[day]
    until[1:] = until[0] + np.cumsum(np.diff(until, axis=0) * ratio.T[..., None], axis=0)
    fleet.every[day], fleet.until = until, until[-1]
    assert np.allclose(past.take_hours(midnight, ratio), fleet.until, rtol=1e-12)
    for minute in range(midnight, midnight + 33):
        fleet.minute(minute, past)
        for _ in range(20):
            assert fleet.is_told_by(past, minute)
    past.rest(fleet.until)
    fleet.every[:] = fleet.until
    for minute in range(midnight + 9 * DAY + 7, midnight + 9 * DAY + 300):
        fleet.minute(minute, past)
        assert fleet.is_told_by(past, minute)


def test_minute_by_minute_is_kept_only_where_somebody_came_or_went():
    past = PlacesPast(10_000)
    for minute in range(DAY):
        changed = np.array([7, 7, 9_000]) if minute % 100 == 5 else np.zeros(0, np.int64)
        past.take(minute, np.full((OUTCOMES, 10_000), float(minute)), changed)
    uneven = [one for one in past._uneven if one is not None]
    assert len(uneven) == 15
    assert all(one.places.tolist() == [7, 9_000] for one in uneven)
    assert past._until.nbytes < RING * OUTCOMES * 10_000 * 8 / 9


@pytest.mark.parametrize("seed", range(10))
def test_what_is_noted_of_places_is_read_later_as_it_was(seed):
    random = np.random.default_rng(seed)
    places, late = 5, LatePlaces(5)
    values, noted, read = np.zeros((OUTCOMES, 5), np.float32), [], 0
    for _ in range(200):
        values = values.copy()
        values[:, random.random(places) < 0.1] = random.random()
        noted.append((late.note(values), values))
        if random.random() < 0.05:
            places += 1
            late.grow(places)
            values = np.pad(values, [(0, 0), (0, 1)])
        while read < len(noted) and random.random() < 0.49:
            told, was = noted[read]
            answer = late.read(told)
            assert np.array_equal(answer[:, : was.shape[1]], was)
            assert not answer[:, was.shape[1] :].any()
            read += 1
    assert sum(len(changed) for (changed, _), _ in noted) < 200 * places / 4
