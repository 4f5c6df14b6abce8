"""Waves: a rise that comes and goes is one wave, whatever its shape."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.baseline import OUTCOMES
from fleetcrash.attribution.waves import LENGTHS, LOG_SHAPE, SHAPES, Waves, find_waves

END = 10_000
RATE = 0.001  # events a minute


def even(places: np.ndarray, before: np.ndarray) -> np.ndarray:
    """What is to be expected where nothing rises."""
    return np.broadcast_to(RATE * before, (OUTCOMES, *places.shape))


def waves(minutes: list[int]) -> Waves:
    """The waves in crashes of those minutes, at one place with an even baseline."""
    at = np.array(minutes, dtype=np.int64)
    none = np.zeros(len(at), np.int64)
    return find_waves(none[:, None].astype(np.int32), at, none, end=END, expected_until=even, caution=None)


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


@pytest.mark.parametrize("also_from", [None, END - 200])
def test_among_many_places_the_strongest_waves_are_found(also_from):
    """Places that cannot matter are passed over; those of one event each, of many and of few at once are not alike."""
    random = np.random.default_rng(5)
    sizes = np.concatenate([np.ones(300, np.int64), random.integers(2, 12, 150), [400, 900]])
    place = np.repeat(np.arange(len(sizes)), sizes)
    minute = END - 1 - random.integers(0, 1400, len(place))
    minute[place % 7 == 0] = END - 50 - random.integers(0, 3, (place % 7 == 0).sum())
    outcome = random.integers(0, OUTCOMES, len(place))

    def of(some: np.ndarray) -> Waves:
        places = np.stack([place[some], np.full(some.sum(), -1)], axis=1).astype(np.int32)
        return find_waves(places, minute[some], outcome[some], end=END, expected_until=even, also_from=also_from)

    one_by_one = [of(place == one) for one in range(len(sizes))]
    evidence = np.sort(np.concatenate([found.log_evidence.max(1) for found in one_by_one]))
    together = of(place >= 0)
    assert len(together) < len(evidence)
    assert np.sort(together.log_evidence.max(1))[-200:] == pytest.approx(evidence[-200:])
    assert list(zip(together.place, together.onset, strict=True)) == sorted(
        zip(together.place, together.onset, strict=True)
    )


def test_where_nothing_is_expected_any_more_the_strongest_wave_is_found_all_the_same():
    """As in a region that lost its power; sums that are rounded may then seem to fall."""

    def until_the_outage(places: np.ndarray, before: np.ndarray) -> np.ndarray:
        expected = RATE * np.minimum(before, END - 1000) - 2e-15 * np.maximum(before - (END - 1000), 0)
        return np.broadcast_to(expected, (OUTCOMES, *places.shape))

    minutes = END - 1 - np.arange(1200)
    nowhere = np.zeros(len(minutes), np.int64)
    found = find_waves(
        nowhere[:, None].astype(np.int32), minutes, nowhere, end=END, expected_until=until_the_outage, caution=None
    )
    assert END - 1200 in found.onset


def test_without_events_there_is_no_wave():
    assert len(waves([])) == 0
