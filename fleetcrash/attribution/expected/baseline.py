"""The baseline: how often hosts crash, and go dark, when nothing is wrong.

Rates per host-minute by outcome, OS and time since boot, times a factor for each build, agent version, model and
region and one for the hour of the day (``hours``), all learned from the past. What happened while an incident was open,
or lately, is left out, so that a fault does not raise the bar that it is measured with: the last day, or the later half
of what there is where that is less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.facts.exposure import BOOTS, KINDS
from fleetcrash.attribution.facts.hours import HOURS, hour_of
from fleetcrash.attribution.facts.news import SYSTEMS
from fleetcrash.counts import poisson_upper
from fleetcrash.times import DAY

Singles = NDArray[np.float32]

LAG_MINUTES = 60
_MOST_LAG_MINUTES = DAY  # as long as an update is on trial for what its hosts do
CRASH, DARK, CRASH_AT_BOOT = range(3)
OUTCOMES = 3
"""What may happen to a host: a crash, silence, a crash within ten minutes of a boot. The last is told apart because a
fault may wait for the next boot, and because whatever a host installs just after a boot is there when it crashes."""

# Per host-minute: about one crash in a thousand host-days of twelve hours, one silent server in 350 days, and just
# after a boot five times as many crashes. Worth two events, so that a first day of data outweighs it.
PRIOR_RATE = np.array([1.4e-6, 2.0e-6, 7.0e-6])
_PRIOR_EVENTS = 2.0
_PRIOR_BOOT = np.array([[0.0, 2.0, 1.0, 1.0], [5.0, 2.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
_MAY_COME = _PRIOR_BOOT[:, None] > 0
# Machines crash more just after boot; how much more is learned once there are a few such crashes.
_BOOT_EVENTS = 3.0
# A build or model needs about ten events before its own rate counts as much as its neighbours'.
_FACTOR_EVENTS = 10.0
_FACTOR_BOUNDS = (1 / 3, 5.0)
_MOST_RATE = np.array([1.0, np.inf, 5.0]) / DAY  # first crashes of a host in 24 hours; nothing bounds silence
# The sequential tests take the rate this much higher: the fleet is not the Poisson process that we write down. And
# this much before anything is learned, as of hours of the day that were not: by day servers are taken down more often.
SAFETY = 1.5
_SAFETY_AT_FIRST = 3.0
_FAR = 2.0  # times the margin: of some ten events on the bound is as good
_CERTAIN = 1e12  # events: so long a past leaves nothing open


def learned_at(minute: Any, first_crash_minute: int) -> Any:
    """The tick from which on a minute of the past may be learned from; of an int or of (n,) minutes.

    Args:
        first_crash_minute: crashes count from then on; while it is not known yet, any minute far ahead is as good.
    """
    # np.clip takes long of one number, of which this is asked at every tick.
    return minute + np.minimum(np.maximum(minute - first_crash_minute, LAG_MINUTES), _MOST_LAG_MINUTES)


def of_kinds(rates: Floats) -> Floats:
    """(OUTCOMES, KINDS) rates of (OUTCOMES, SYSTEMS, BOOTS) ones."""
    by_kind = np.stack([rates, rates], axis=2)
    by_kind[DARK, :, 0] = 0.0  # nobody waits for those that are not always on
    return by_kind.reshape(OUTCOMES, KINDS)


@dataclass(frozen=True)
class Learned:
    """What a test on history is held against: (OUTCOMES,) arrays.

    Attributes:
        safety: how much higher to take what is expected; infinite where nothing is known of an outcome.
        events: that were learned from, as many minutes as they were. expected: as many in these at the rates.
    """

    safety: Floats
    events: Floats
    expected: Floats


@dataclass
class Baseline:
    """Counts behind the rates, and the rates.

    Attributes:
        prior_rate: (OUTCOMES,) events per host-minute before anything is learned.
        minutes: (OUTCOMES,) of the past that were learned from.
        events: (OUTCOMES, SYSTEMS, BOOTS). host_minutes: (HOURS, OUTCOMES, SYSTEMS, BOOTS).
        by_hour: (OUTCOMES, HOURS) how much more happens in each hour of the day than the rates say.
        spot_events, spot_expected: (OUTCOMES, spots) by single attribute, and by place; expected without the factors.
    """

    spots: int
    prior_rate: Floats = field(default_factory=lambda: PRIOR_RATE)
    minutes: Ints = field(init=False)
    events: Floats = field(init=False)
    host_minutes: Floats = field(init=False)
    by_hour: Floats = field(init=False)
    spot_events: Floats = field(init=False)
    spot_expected: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.minutes = np.zeros(OUTCOMES, np.int64)
        self.events = np.zeros((OUTCOMES, SYSTEMS, BOOTS))
        self.host_minutes = np.zeros((HOURS, OUTCOMES, SYSTEMS, BOOTS))
        self.by_hour = np.ones((OUTCOMES, HOURS))
        self.spot_events = np.zeros((OUTCOMES, self.spots))
        self.spot_expected = np.zeros((OUTCOMES, self.spots))

    def at_risk(self, online: Floats) -> Floats:
        """(OUTCOMES, SYSTEMS, BOOTS) host-minutes in which each outcome may happen.

        Args:
            online: (SYSTEMS, 2, BOOTS) hosts online, those that are always on second.
        """
        at_risk: Floats = online.sum(1) * _MAY_COME
        at_risk[DARK] = online[:, 1] * _MAY_COME[DARK]
        return at_risk

    def learn_minute(self, minute: int, told: Mask, host_minutes: Floats, expected: Floats | Singles) -> None:
        """Add a quiet minute of the past.

        Args:
            told: (OUTCOMES,) whether it was told how often each came; of the others nothing is added.
            host_minutes: (OUTCOMES, SYSTEMS, BOOTS) in which each might have come. expected: (OUTCOMES, spots) events.
        """
        self.minutes += told
        self.host_minutes[hour_of(minute), told] += host_minutes[told]
        self.spot_expected[told] += expected[told]

    def learn_event(self, outcome: int, system: int, since_boot: int, *, spots: NDArray[np.int32]) -> None:
        """Add an event of a quiet minute.

        Args:
            spots: (k,) where it happened; -1: nowhere.
        """
        self.events[outcome, system, since_boot] += 1
        self.spot_events[outcome, spots[spots >= 0]] += 1

    def move(self, placed: Callable[[Floats], Floats]) -> None:
        """Take over another numbering of the spots.

        Args:
            placed: puts (OUTCOMES, old spots) values where the new numbering has them.
        """
        self.spot_events = placed(self.spot_events)
        self.spot_expected = placed(self.spot_expected)
        self.spots = self.spot_events.shape[1]

    def rates(self) -> Floats:
        """(OUTCOMES, SYSTEMS, BOOTS) events per host-minute, each shrunk towards the one above it."""
        overall, host_minutes = self._overall(), self._weighed()
        by_system = (self.events.sum(2) + _BOOT_EVENTS) / (host_minutes.sum(2) + _BOOT_EVENTS / overall[:, None])
        expected = by_system[..., None] * np.maximum(_PRIOR_BOOT[:, None], 1e-9)
        rates: Floats = (self.events + _BOOT_EVENTS) / (host_minutes + _BOOT_EVENTS / expected)
        return np.where(_PRIOR_BOOT[:, None] > 0, rates, 0.0)

    def _weighed(self) -> Floats:
        """(OUTCOMES, SYSTEMS, BOOTS) host-minutes, those of each hour for as many as they are worth."""
        return np.einsum("oh,hosb->osb", self.by_hour, self.host_minutes)

    def _overall(self) -> Floats:
        """(OUTCOMES,) events per host-minute of the whole fleet; one that crashes more does so after boots as well."""
        events, minutes = self.events.sum((1, 2)), self._weighed().sum((1, 2))
        overall: Floats = (events + _PRIOR_EVENTS) / (minutes + _PRIOR_EVENTS / self.prior_rate)
        at_boot = self.prior_rate[CRASH_AT_BOOT] * overall[CRASH] / self.prior_rate[CRASH]
        overall[CRASH_AT_BOOT] = (events[CRASH_AT_BOOT] + _PRIOR_EVENTS) / (
            minutes[CRASH_AT_BOOT] + _PRIOR_EVENTS / at_boot
        )
        return overall

    def _estimated(self) -> Floats:
        """(OUTCOMES,) events per host-minute as the rates have it, in those learned from; before the first, overall."""
        minutes = self._weighed()
        expected, every = (self.rates() * minutes).sum((1, 2)), minutes.sum((1, 2))
        return np.divide(expected, every, out=self._overall(), where=expected > 0)

    def factors(self) -> Floats:
        """(OUTCOMES, spots) how much more often than its OS a build, agent version, model, region or place crashes.

        What was expected is scaled to what happened in the whole fleet, which is the first spot: a rate that was too
        high or too low at first is no spot's doing, and would else count once for each of a host's attributes.
        """
        of_fleet = np.divide(
            self.spot_events[:, :1],
            self.spot_expected[:, :1],
            out=np.ones((OUTCOMES, 1)),
            where=self.spot_expected[:, :1] > 0,
        )
        factor = (self.spot_events + _FACTOR_EVENTS) / (self.spot_expected * of_fleet + _FACTOR_EVENTS)
        return np.clip(factor, *_FACTOR_BOUNDS)

    def learned(self) -> Learned:
        """What a test on history is held against: the caution for certain, or what was seen.

        The latter where the caution is far above the safety margin, because few events were seen; but not where what a
        host may do at most bounds it, because less was seen than that allows for.
        """
        caution, safety, minutes = self.caution(), self._safety(), self._weighed().sum((1, 2))
        most = _MOST_RATE / self._estimated() if minutes[CRASH] > 0 else np.inf
        by_seen = np.isfinite(caution) & (caution > _FAR * safety) & (caution < most)
        return Learned(
            np.where(by_seen, safety, caution),
            np.where(by_seen, self.events.sum((1, 2)), _CERTAIN),
            np.where(by_seen, self._estimated() * minutes, _CERTAIN),
        )

    def caution(self) -> Floats:
        """(OUTCOMES,) how much higher the rate may be than estimated; infinite before the first host-minute.

        The larger of the safety margin and the 99 % upper bound on the fleet's rate over its estimate: with little
        history the tests on history say little, of a fleet of any size. A host's first crash in 24 hours is once a day
        at most, though, and five times as often just after a boot, so that a small fleet of which no crash was ever
        told is not deaf to half of it crashing, nor one that was never seen to boot.
        """
        events, minutes = self.events.sum((1, 2)), self._weighed().sum((1, 2))
        estimated = self._estimated()
        with np.errstate(divide="ignore"):
            bound = np.where(minutes > 0, poisson_upper(events) / minutes / estimated, np.inf)
        if minutes[CRASH] > 0:
            bound = np.minimum(bound, _MOST_RATE / estimated)
        return np.maximum(bound, self._safety())

    def _safety(self) -> Floats:
        """(OUTCOMES,) the safety margin."""
        unknown = 1.0 - np.minimum(self.minutes / DAY, 1.0)
        return SAFETY + (_SAFETY_AT_FIRST - SAFETY) * unknown
