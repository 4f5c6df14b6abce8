"""Events of hosts that had updates are counted the same, however many of them are alike."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES, BOOT_MINUTES, WINDOWS
from fleetcrash.attribution.facts.news import Events, ExposedEvents
from fleetcrash.attribution.hypotheses.struck import Struck

CELLS, UPDATES, EVENTS, ROWS = 5, 4, 60, 300
LATE = 1000


@pytest.mark.parametrize("seed", range(20))
def test_counts_are_those_of_each_row(seed):
    random = np.random.default_rng(seed)
    exposed = ExposedEvents(
        tick=np.sort(random.integers(0, 100, ROWS)),
        gone_tick=np.where(random.random(ROWS) < 0.1, random.integers(0, 100, ROWS), LATE),
        event=random.integers(0, EVENTS, ROWS),
        update=random.integers(0, UPDATES, ROWS),
        age=random.integers(0, AGES, ROWS),
        boot_age=random.integers(-1, len(BOOT_MINUTES), ROWS),
    )
    events = SimpleNamespace(cell=random.integers(0, CELLS, EVENTS), outcome=random.integers(0, OUTCOMES, EVENTS))
    mine, tick = random.random(EVENTS) < 0.7, int(random.integers(0, 120))
    expected = np.zeros((OUTCOMES, UPDATES, WINDOWS, CELLS))
    for row in range(ROWS):
        event = exposed.event[row]
        if mine[event] and exposed.tick[row] <= tick < exposed.gone_tick[row]:
            where = events.outcome[event], exposed.update[row]
            expected[(*where, exposed.age[row], events.cell[event])] += 1
            if exposed.boot_age[row] >= 0:
                expected[(*where, AGES + exposed.boot_age[row], events.cell[event])] += 1
    struck = Struck(exposed, cast(Events, events), CELLS)
    rows = struck.rows(tick, mine)
    assert struck.updates(rows) == np.flatnonzero(expected.any((0, 2, 3))).tolist()
    asked = np.sort(random.choice(UPDATES, 2, replace=False))
    counts, cells = struck.counted(rows, asked)
    assert np.array_equal(counts, expected[:, asked][..., cells])
    assert not np.delete(expected[:, asked], cells, axis=3).any()
    of_one = int(asked[0])
    alone = Struck(exposed.of(of_one), cast(Events, events), CELLS)
    assert np.array_equal(alone.everywhere(tick, mine, of_one), expected[:, of_one])
