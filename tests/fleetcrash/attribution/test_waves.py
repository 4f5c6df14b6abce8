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
    return find_waves(none, at, none, end=END, expected_until=even, caution=None)


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


def test_without_events_there_is_no_wave():
    assert len(waves([])) == 0
