"""Waves: a rise that comes and goes is one wave, whatever its shape."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.expected.tallies import Tally
from fleetcrash.attribution.hypotheses import waves as waves_module
from fleetcrash.attribution.hypotheses.waves import LENGTHS, LOG_SHAPE, SHAPES, Waves, find_waves

END = 10_000
DAY = 1440
RATE = 0.001  # events a minute


def even(places: np.ndarray, before: np.ndarray) -> np.ndarray:
    """What is to be expected where nothing rises."""
    return np.broadcast_to(RATE * before, (OUTCOMES, *places.shape))


def tally(place: np.ndarray, minute: np.ndarray, outcome: np.ndarray) -> Tally:
    """Events (n,) of those places, minutes and outcomes."""
    together, count = np.unique(np.stack([place, minute, outcome]), axis=1, return_counts=True)
    return Tally(spot=together[0], minute=together[1], outcome=together[2], count=count)


def waves(minutes: list[int]) -> Waves:
    """The waves in crashes of those minutes, at one place with an even baseline."""
    at = np.array(minutes, dtype=np.int64)
    none = np.zeros(len(at), np.int64)
    return find_waves(tally(none, at, none), end=END, expected_until=even, caution=None)


def of_onset(found: Waves, onset: int) -> np.ndarray:
    """(SHAPES,) evidence of the wave from a minute on."""
    (row,) = np.flatnonzero(found.onset == onset)
    return found.log_evidence[row]


def test_shapes_share_the_prior():
    assert (len(LOG_SHAPE), np.exp(LOG_SHAPE).sum()) == (SHAPES, pytest.approx(1.0))


def test_an_even_rise_is_best_told_by_its_length():
    onset = END - 300
    evidence = of_onset(waves([onset + minute for minute in range(60)]), onset)
    assert np.argmax(evidence) == np.flatnonzero(LENGTHS == 60)[0]


def test_a_rise_that_fades_is_best_told_stretch_by_stretch():
    onset = END - 300
    fading = [onset + number // 20 for number in range(100)] + [onset + 5 + 4 * number for number in range(60)]
    assert np.argmax(of_onset(waves(fading), onset)) == SHAPES - 1


class _Scattered:
    """Events of 380 places in a row: some have a few all through the day, and others fewer, but at once."""

    def __init__(self, random: np.random.Generator) -> None:
        size = random.permutation(np.concatenate([np.full(80, 14), random.integers(2, 7, 300)]))
        self.place = np.repeat(np.arange(len(size)), size)
        through = np.repeat(size == 14, size)
        at_once = END - 1 - np.repeat(random.integers(0, DAY, len(size)), size)
        self.minute = np.where(through, END - 1 - random.integers(0, DAY, len(self.place)), at_once)
        self.outcome = random.integers(0, OUTCOMES, len(self.place))

    def waves(self, also_from: int | None) -> Waves:
        counted = tally(self.place, self.minute, self.outcome)
        return find_waves(counted, end=END, expected_until=even, also_from=also_from)

    def events_of(self, outcome: int, place: int, onset: int) -> list[int]:
        """Within each length of a wave, counted one by one."""
        own = self.minute[(self.place == place) & (self.outcome == outcome)]
        return [int(((own >= onset) & (own < onset + length)).sum()) for length in LENGTHS.tolist()]


@pytest.mark.parametrize("also_from", [None, END - 300, END - 2 * DAY, END + 60])
def test_places_that_cannot_matter_are_passed_over_and_no_others(also_from, monkeypatch):
    scattered = _Scattered(np.random.default_rng(3))
    found = scattered.waves(also_from)
    monkeypatch.setattr(waves_module, "_BUSIEST", 10**6)  # so that every place is tried
    every = scattered.waves(also_from)
    assert len(found) == len(every)
    for name in ("spot", "onset", "log_evidence"):
        assert np.array_equal(getattr(found, name), getattr(every, name))
    minutes = set(zip(scattered.place.tolist(), scattered.minute.tolist(), strict=True))
    without_event = set(zip(found.spot.tolist(), found.onset.tolist(), strict=True)) - minutes
    assert {onset for _, onset in without_event} == ({also_from} if also_from == END - 300 else set())


def test_a_wave_has_the_events_of_its_place_within_its_length():
    scattered = _Scattered(np.random.default_rng(4))
    found = scattered.waves(None)
    for row in range(0, len(found), 7):
        for outcome in range(OUTCOMES):
            counted = scattered.events_of(outcome, int(found.spot[row]), int(found.onset[row]))
            assert found.events[outcome, row, :-1].tolist() == counted


def _in_an_outage(drift: float) -> Waves:
    """A place where nothing is expected for the last 1000 minutes, but for a drift of the sum; events go on."""

    def until(places: np.ndarray, before: np.ndarray) -> np.ndarray:
        expected = RATE * np.minimum(before, END - 1000) + drift * np.maximum(before - (END - 1000), 0)
        return np.broadcast_to(expected, (OUTCOMES, *places.shape))

    minutes = END - 1 - np.arange(1200)
    nowhere = np.zeros(len(minutes), np.int64)
    return find_waves(tally(nowhere, minutes, nowhere), end=END, expected_until=until)


@pytest.mark.parametrize("drift", [-2e-15, 2e-15])
def test_a_sum_that_is_rounded_makes_no_difference_where_nothing_is_expected(drift):
    """As in a region that lost its power: what is expected there seems to grow or fall by its last digit."""
    found, exact = _in_an_outage(drift), _in_an_outage(0.0)
    assert END - 1200 in found.onset
    assert np.sort(found.log_evidence, axis=0) == pytest.approx(np.sort(exact.log_evidence, axis=0))


def test_without_events_there_is_no_wave():
    assert len(waves([])) == 0
