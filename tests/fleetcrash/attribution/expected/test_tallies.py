"""Tallies say the same as counting events one by one."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.expected.tallies import Tallies
from fleetcrash.attribution.facts.news import Events

CELLS, SPOTS, EVENTS = 7, 9, 400


@pytest.mark.parametrize("seed", range(20))
def test_a_tally_counts_each_event_at_each_of_its_spots(seed):
    random = np.random.default_rng(seed)
    of_cells = np.sort(random.integers(-1, SPOTS, (CELLS, 3)), axis=1).astype(np.int32)
    for cell in range(CELLS):  # a cell is in a slice once
        of_cells[cell, 1:][of_cells[cell, 1:] == of_cells[cell, :-1]] = -1
    at_place = random.integers(-1, 4, EVENTS).astype(np.int32)
    at_place[at_place >= 0] += SPOTS
    events = _events(random)
    picked = np.flatnonzero(random.random(EVENTS) < random.random())
    tally = Tallies(cast(Events, events), of_cells, [at_place, np.full(EVENTS, -1, np.int32)]).of(picked)
    expected: Counter[tuple[int, ...]] = Counter()
    for event in picked.tolist():
        for spot in {*of_cells[events.cell[event]].tolist(), int(at_place[event])} - {-1}:
            expected[spot, int(events.minute[event]), int(events.outcome[event])] += 1
    rows = list(zip(tally.spot.tolist(), tally.minute.tolist(), tally.outcome.tolist(), strict=True))
    assert len(set(rows)) == len(rows)
    assert dict(zip(rows, tally.count.tolist(), strict=True)) == expected


def test_without_events_there_is_nothing_to_tally():
    events = SimpleNamespace(**dict.fromkeys(("cell", "minute", "outcome"), np.zeros(0, np.int64)))
    tallies = Tallies(cast(Events, events), np.zeros((1, 1), np.int32), [np.zeros(0, np.int32)])
    assert not len(tallies.of(np.zeros(0, np.int64)).spot)


def _events(random: np.random.Generator) -> Any:
    return SimpleNamespace(
        cell=random.integers(0, CELLS, EVENTS),
        minute=random.integers(29_000_000, 29_000_030, EVENTS),
        outcome=random.integers(0, OUTCOMES, EVENTS),
    )
