"""Contrast: events of one moment are compared together, and say what each would say by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from fleetcrash.attribution.evidence import TEST_RATIOS, log_mean_exp
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES, BOOTS, LONG_UP, WINDOWS, HostTime
from fleetcrash.attribution.facts.news import ExposedEvents, News
from fleetcrash.attribution.hypotheses.contrast import Moments

UPDATE, TICK = 1, 500


class _Time:
    """Shares of the hosts at risk, drawn once for each minute, stratum and time since boot; some have nobody."""

    stratum = np.array([0, 0, 1, 2])
    strata = 3

    def __init__(self, random: np.random.Generator) -> None:
        self.shares = np.sort(random.uniform(0.0, 1.0, (TICK, self.strata * BOOTS, WINDOWS)), axis=-1)
        self.shares[random.random(self.shares.shape[:2]) < 0.1] = np.nan

    def risk_set(self, update: int, minutes: np.ndarray, cells: np.ndarray, since_boot: np.ndarray) -> np.ndarray:
        assert update == UPDATE
        return self.shares[minutes, self.stratum[cells] * BOOTS + since_boot]


class _Events(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.minute)


def _events(random: np.random.Generator, count: int) -> _Events:
    """Of a few minutes, so that many share a moment."""
    return _Events(
        minute=random.integers(TICK - 3, TICK, count),
        cell=random.integers(0, len(_Time.stratum), count),
        since_boot=random.integers(0, BOOTS, count),
        outcome=random.integers(0, OUTCOMES, count),
    )


def _exposed(random: np.random.Generator, count: int) -> ExposedEvents:
    """Half of the hosts had the update, and a third another one; some of it is told later or no longer."""
    with_it, with_other = np.flatnonzero(random.random(count) < 0.5), np.arange(0, count, 3)
    rows = len(with_it) + len(with_other)
    order = random.permutation(rows)
    return ExposedEvents(
        tick=np.sort(random.integers(TICK - 3, TICK + 2, rows)),
        gone_tick=np.where(random.random(rows) < 0.1, TICK - 1, 10**6),
        event=np.concatenate([with_it, with_other])[order],
        update=np.repeat([UPDATE, 0], [len(with_it), len(with_other)])[order],
        age=random.integers(0, AGES, rows),
        boot_age=random.integers(-1, 2, rows),
    )


@pytest.mark.parametrize("seed", range(20))
def test_moments_say_what_their_events_say_one_by_one(seed):
    random = np.random.default_rng(seed)
    time, events, exposed = _Time(random), _events(random, 200), _exposed(random, 200)
    mine = random.random(200) < 0.8
    news = cast(News, SimpleNamespace(events=events, exposed_events=exposed))
    asked = np.flatnonzero(mine & (random.random(200) < 0.9))
    moments = Moments(news, cast(HostTime, time), tick=TICK, mine=mine, event=asked)
    told = {
        int(exposed.event[row]): row
        for row in range(len(exposed.event))
        if exposed.update[row] == UPDATE and exposed.tick[row] <= TICK < exposed.gone_tick[row]
    }
    with_it, at_boot, by_age = (
        np.zeros(len(TEST_RATIOS)),
        np.zeros(len(TEST_RATIOS)),
        np.zeros((AGES, len(TEST_RATIOS))),
    )
    for event in asked.tolist():
        where = events.minute[event], _Time.stratum[events.cell[event]] * BOOTS + events.since_boot[event]
        shares, row = time.shares[where], told.get(event)
        if np.isnan(shares).any():
            continue
        with_it += (row is not None) * np.log(TEST_RATIOS) - np.log1p((TEST_RATIOS - 1) * shares[AGES - 1])
        if events.outcome[event] == CRASH_AT_BOOT:
            booted = row is not None and exposed.boot_age[row] >= 0
            at_boot += booted * np.log(TEST_RATIOS) - np.log1p((TEST_RATIOS - 1) * shares[-1])
        if events.outcome[event] == CRASH and events.since_boot[event] >= LONG_UP:
            for age in range(AGES):
                young = row is not None and exposed.age[row] <= age
                by_age[age] += young * np.log(TEST_RATIOS) - np.log1p((TEST_RATIOS - 1) * shares[age])
    compared = moments.of(UPDATE)
    assert compared.log_with_it() == pytest.approx(float(log_mean_exp(with_it)))
    assert compared.log_by_age() == pytest.approx(float(log_mean_exp(by_age, axis=(0, 1))) - 2.0)
    most = max(compared.log_with_it(), compared.log_by_age(), float(log_mean_exp(at_boot)) - 2.0)
    assert compared.log_most() == pytest.approx(most)
