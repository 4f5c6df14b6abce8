"""How often hosts crash, or go dark, without the update: events per host-minute by kind of host and time since boot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fleetcrash.arrays import Floats
from fleetcrash.attribution.expected.baseline import CRASH, DARK, PRIOR_RATE, SAFETY
from fleetcrash.attribution.facts.news import SYSTEMS, system_number
from fleetcrash.counts import poisson_upper

# OS, always on, time since boot (0 under ten minutes, 1 under thirty, 2 later), and time since a crash before the
# install: 0 none in a day, 1 within an hour, 2 within a day, 3 of the last of several within a day, which is a loop.
Kind = tuple[str | None, bool, int, int]

OUTCOMES = 2  # crashed, went dark; numbered as in the detector
BOOTS = 3
_PRIOR_EVENTS = 2.0  # weight of the detector's prior rate; a day of data outweighs it

# Machines crash more just after boot; how much more is learned from the data once there are a few such crashes.
_PRIOR_BOOT = np.array([[5.0, 2.0, 1.0], [1.0, 1.0, 1.0]])

_KIND_EVENTS = 3.0

# A ring needs about ten events before its own rate counts as much as the fleet's.
_RING_EVENTS = 10.0

_RING_BOUNDS = (1 / 3, 5.0)

LOOP = 3  # the time since a crash of a host in a loop

# Crashes per minute of a host that has crashed: of ten one within the hour, and one more within the day; of hosts in a
# loop, half within six hours. Worth two events, so that a dozen such hosts outweigh it.
_PRIOR_AGAIN = np.array([0.1 / 60, 0.1 / 1440, 0.5 / 360])


@dataclass(frozen=True)
class Baseline:
    """Rates learned from hosts without the update.

    Attributes:
        rates: (OUTCOMES, systems, 2, BOOTS) events per host-minute.
        ring_factors: rate of each ring over that of the fleet.
        overall: events per host-minute of all hosts; the prior rate where nothing is known.
        caution: by what factor the true rates may be higher; infinite without history.
        again: (LOOP,) crashes per host-minute of hosts that crashed in the day before, by time since that crash.
    """

    rates: Floats
    ring_factors: dict[str | None, float]
    overall: float
    caution: float
    again: Floats

    def rates_of(self, ring: str | None, kind: Kind) -> Floats:
        """(OUTCOMES,) crashes and silences per minute of one host of a kind, in a ring."""
        os_type, always_on, since_boot, since_crash = kind
        rates: Floats = self.rates[:, system_number(os_type), int(always_on), since_boot].copy()
        rates[DARK] *= always_on
        rates *= self.ring_factors.get(ring, 1.0)
        if since_crash:
            rates[CRASH] = max(rates[CRASH], self.again[since_crash - 1])
        return rates


def learn(
    time: Iterable[dict[str, Any]], events: Iterable[dict[str, Any]], again: Iterable[dict[str, Any]]
) -> Baseline:
    """Rates from host-minutes and events by ring, OS, always on and time since boot, as the queries count them.

    Args:
        again: host-minutes and crashes of hosts that crashed in the day before, by time since that crash.
    """
    minutes_of: dict[str | None, Floats] = {}
    events_of: dict[str | None, Floats] = {}
    for row in time:
        minutes = minutes_of.setdefault(row["ring"], np.zeros((SYSTEMS, 2, BOOTS)))
        minutes[_place(row)] += row["host_minutes"]
    for row in events:
        counts = events_of.setdefault(row["ring"], np.zeros((OUTCOMES, SYSTEMS, 2, BOOTS)))
        counts[(row["outcome"], *_place(row))] += row["events"]
    minutes = sum(minutes_of.values(), np.zeros((SYSTEMS, 2, BOOTS)))
    counts = sum(events_of.values(), np.zeros((OUTCOMES, SYSTEMS, 2, BOOTS)))
    rates = np.stack([_rates(counts[outcome], minutes, outcome) for outcome in range(OUTCOMES)])
    factors = {}
    for ring, ring_minutes in minutes_of.items():
        expected = (rates[CRASH] * ring_minutes).sum() + (rates[DARK] * ring_minutes)[:, 1].sum()
        seen = events_of.get(ring, np.zeros(1)).sum()
        factors[ring] = float(np.clip((seen + _RING_EVENTS) / (expected + _RING_EVENTS), *_RING_BOUNDS))
    seen, lived = float(counts.sum()), float(minutes.sum())
    estimate = (seen + _PRIOR_EVENTS) / (lived + _PRIOR_EVENTS / PRIOR_RATE[CRASH])
    most = poisson_upper(seen) / lived if lived > 0 else np.inf
    return Baseline(rates, factors, estimate, float(max(SAFETY, most / estimate)), _again(again))


def _again(rows: Iterable[dict[str, Any]]) -> Floats:
    minutes, crashes = np.zeros(LOOP), np.zeros(LOOP)
    for row in rows:
        minutes[row["since_crash"] - 1] += row["host_minutes"]
        crashes[row["since_crash"] - 1] += row["crashes"]
    return (crashes + _PRIOR_EVENTS) / (minutes + _PRIOR_EVENTS / _PRIOR_AGAIN)


def _rates(counts: Floats, minutes: Floats, outcome: int) -> Floats:
    """(systems, 2, BOOTS) rates of one outcome, each shrunk towards the one of the level above."""
    if outcome == DARK:  # only hosts that are always on go dark
        minutes = minutes * np.array([0.0, 1.0])[:, None]
    prior = PRIOR_RATE[outcome]
    overall = (counts.sum() + _PRIOR_EVENTS) / (minutes.sum() + _PRIOR_EVENTS / prior)
    by_kind = (counts.sum(2) + _KIND_EVENTS) / (minutes.sum(2) + _KIND_EVENTS / overall)
    expected = by_kind[..., None] * _PRIOR_BOOT[outcome]
    return (counts + _KIND_EVENTS) / (minutes + _KIND_EVENTS / expected)


def _place(row: dict[str, Any]) -> tuple[int, int, int]:
    return system_number(row["os_type"]), int(row["always_on"]), row["since_boot"]
