"""Host-time: what is kept of the last minutes, and of updates that nobody has got lately, says the same in less."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.facts.exposure import BOOTS, WINDOWS, UpdateTime
from fleetcrash.attribution.facts.minute_counts import MinuteCounts

MINUTES, WIDE = 50, 3


@pytest.mark.parametrize("seed", range(30))
def test_the_last_minutes_are_kept_as_if_every_place_had_a_count_of_its_own(seed):
    random = np.random.default_rng(seed)
    rows = 2
    few, every = MinuteCounts(MINUTES, (rows, WIDE)), np.zeros((MINUTES, rows, WIDE), np.int32)
    now = np.zeros((rows, WIDE), np.int32)
    for minute in range(1000, 1000 + 3 * MINUTES):
        if random.random() < 0.1:
            rows += 1
            few.extend(rows)
            now = np.pad(now, [(0, 1), (0, 0)])
            every = np.pad(every, [(0, 0), (0, 1), (0, 0)])
        if random.random() < 0.3:
            changes = int(random.integers(1, 6))
            places = random.integers(0, rows, changes), random.integers(0, WIDE, changes)
            change = random.integers(-3, 4, changes).astype(np.int32)
            since = minute - random.integers(1, MINUTES, changes)
            few.add(since, minute, *places, change)
            for number in range(changes):
                where = places[0][number], places[1][number]
                every[(np.arange(since[number], minute) % MINUTES, *where)] += change[number]
                now[where] += change[number]
        few.write(minute, now)
        every[minute % MINUTES] = now
        asked = minute - random.integers(0, MINUTES, (2, 7)), random.integers(0, rows, 7)
        assert np.array_equal(few.at(*asked), every[asked[0] % MINUTES, asked[1]])
        some, of_row = random.random(rows) < 0.5, int(random.integers(WIDE))
        assert np.array_equal(few.summed(some, of_row), every[:, some, of_row].sum(1))


def test_places_where_there_never_was_any_take_no_memory():
    few = MinuteCounts(1500, (10_000, 7))
    now = np.zeros((10_000, 7), np.int32)
    now[[5, 77], [1, 2]] = 9
    few.write(3, now)
    assert few._counts.nbytes < 1500 * 4 * 10
    assert few.at(np.array([3, 3, 3]), np.array([5, 77, 78])).sum() == 18


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_an_update_that_rests_has_the_same_host_time_and_goes_on_from_it(share):
    random = np.random.default_rng(2)
    cells, rows = 6, 4
    sums = random.integers(1, 3, (2, cells, BOOTS, WINDOWS)) * (random.random((cells, BOOTS, WINDOWS)) < share)
    sums = sums.astype(float)
    time = UpdateTime(sums, np.zeros((rows, WINDOWS), np.int32), None, since_minute=5, changed_tick=5)
    minutes, where = time.host_minutes(100), time.cells
    assert minutes.any()
    time.rest()
    assert time.is_idle
    assert (time.sums is not sums) == (share < 1.0)
    assert np.array_equal(time.host_minutes(100), minutes)
    assert np.array_equal(time.cells, where)
    time.extend(cells + 2, rows + 1)
    assert np.array_equal(time.host_minutes(100)[:cells], minutes)
    assert not time.host_minutes(100)[cells:].any()
    woken, _ = time.wake(rows + 1)
    woken[0, 0, 0, 0] += 1.0
    assert not time.is_idle
    assert time.host_minutes(100)[0, 0, 0] == minutes[0, 0, 0] + 100.0
