"""Looks: the same one is not taken again within minutes while there is nothing new to see."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.detection.looks import Looks


def events(*numbers: int) -> np.ndarray:
    mine = np.zeros(10, bool)
    mine[list(numbers)] = True
    return mine


@pytest.mark.parametrize(
    ("later", "mine", "was_taken"),
    [
        (0, events(2, 5), True),
        (4, events(2, 5), True),
        (5, events(2, 5), False),
        (1, events(2, 5, 7), False),
        (1, events(2, 3), False),
        (4, events(3, 5), True),
    ],
    ids=["at once", "minutes later", "five later", "a newer event", "the newest is gone", "another older one"],
)
def test_a_look_is_taken_again_after_five_minutes_or_when_another_event_is_the_newest(later, mine, was_taken):
    looks = Looks()
    assert not looks.skip_or_take("at one", 100, events(2, 5))
    assert looks.skip_or_take("at one", 100 + later, mine) is was_taken


def test_the_five_minutes_begin_when_it_was_taken_and_not_when_it_was_asked_for():
    looks = Looks()
    taken = [not looks.skip_or_take("at one", tick, events(5)) for tick in range(100, 112)]
    assert np.flatnonzero(taken).tolist() == [0, 5, 10]


def test_each_look_is_by_itself():
    looks = Looks()
    assert not looks.skip_or_take("at one", 100, events(5))
    assert not looks.skip_or_take("at another", 100, events(5))
