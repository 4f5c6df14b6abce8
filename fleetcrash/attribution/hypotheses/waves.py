"""Waves: rises that follow no update, as rivals of every update and as alarms of their own.

A wave is a slice of the fleet, or a group, site or customer, in which the rate was raised from some minute on, for
some minutes. A region that loses its power, a site's driver, a backlog or a patch day looks like that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.evidence import LEAST_EXPECTED, log_likeliest, log_raised
from fleetcrash.attribution.expected.baseline import CRASH_AT_BOOT, OUTCOMES
from fleetcrash.attribution.expected.tallies import Tally
from fleetcrash.attribution.facts.exposure import BOOT_MINUTES
from fleetcrash.times import DAY

LENGTHS = np.array([5, 15, 60, 240, DAY])
"""Minutes that a wave may last."""

SHAPES = len(LENGTHS) + 1
"""Of one rate for each of the lengths; or of a rate of its own from each length to the next, as it comes and goes."""

LOG_SHAPE = np.log(np.array([0.5 / len(LENGTHS)] * len(LENGTHS) + [0.5]))
"""(SHAPES,) log prior of each shape: a rate for each stretch is as likely as one rate, as it is for an update."""

LOG_THRESHOLD = float(np.log(1e6))
"""A Shiryaev-Roberts sum over onsets gets this high once in at least a million minutes (two years) without a wave."""

_MOST_ONSETS = 400  # the strongest carry the sum; they bound the work of a tick in which half the fleet crashes
_BUSIEST = 64  # spots that are tried first: some more than there are slices, which have most events

# Spot and minute as one number, spot * _APART + minute: a wave may end with the day, so one more than its minutes.
_APART = DAY + 1
_OR_NONE = OUTCOMES + 1  # and with the outcome, of which there may be none, another one: that * _OR_NONE + outcome
_ROUNDING = 1e-12  # of a sum of months; it is rounded to sixteen digits at every step


class Beginning(NamedTuple):
    """The spot in which a wave began, and the minute from which on its rate was raised."""

    spot: int
    onset: int


@dataclass(frozen=True)
class Waves:
    """The evidence on waves, as of a tick; rows are beginnings, columns shapes. One wave goes by its (row, shape).

    Attributes:
        spot: (n,) index of the spot: a slice or a place.
        onset: (n,) minute from which on the rate was raised.
        log_evidence: (n, SHAPES) log Bayes factor of the wave against nothing.
        events, expected: (OUTCOMES, n, SHAPES).
    """

    spot: Ints
    onset: Ints
    log_evidence: Floats
    events: Floats
    expected: Floats

    def __len__(self) -> int:
        return len(self.spot)

    def beginning(self, wave: tuple[int, int]) -> Beginning:
        """Where and when a wave began."""
        return Beginning(int(self.spot[wave[0]]), int(self.onset[wave[0]]))

    def struck(self, wave: tuple[int, int]) -> float:
        """How many events a wave has."""
        return float(self.events.sum(0)[wave])

    def are_worth_an_alarm(self, log_weight: Floats) -> bool:
        """Whether the Shiryaev-Roberts sum over all onsets, shapes and spots is, whatever update they may be of.

        Args:
            log_weight: (spots,) log prior of each spot.
        """
        return len(self) > 0 and bool(np.logaddexp.reduce(self.weighed(log_weight), axis=None) >= LOG_THRESHOLD)

    def strongest(self, log_weight: Floats) -> Beginning | None:
        """The beginning of the wave that has most for it, if it is worth an alarm by itself.

        Args:
            log_weight: (spots,) log prior of each spot.
        """
        if not len(self):
            return None
        by_row = self.weighed(log_weight).max(1)
        row = int(np.argmax(by_row))
        return self.beginning((row, 0)) if by_row[row] >= LOG_THRESHOLD else None

    def where(self, kept: Sequence[bool]) -> Waves:
        """The waves of some rows."""
        rows = np.flatnonzero(kept)
        return Waves(
            self.spot[rows], self.onset[rows], self.log_evidence[rows], self.events[:, rows], self.expected[:, rows]
        )

    def weighed(self, log_weight: Floats) -> Floats:
        """(n, SHAPES) log weight of each wave, its prior included but for that of its minute.

        Args:
            log_weight: (spots,) log prior of each spot.
        """
        return self.log_evidence + log_weight[self.spot][:, None] + LOG_SHAPE


def find_waves(
    tally: Tally,
    *,
    end: int,
    expected_until: Callable[[Ints, Ints], Floats],
    caution: Floats | None = None,
    also_from: int | None = None,
) -> Waves:
    """Try a wave from every minute with an event on.

    Args:
        tally: of the events of the last day.
        end: the minute after the newest.
        also_from: a minute from which a wave is tried at every spot with an event, whether it had one then or not.
        expected_until: events expected at the baseline at spots before minutes of the last day, (OUTCOMES, ...) of
            two arrays of one shape.
        caution: (OUTCOMES,) how much higher to take the baseline; None: as estimated.
    """
    start = end - DAY
    by_spot = np.bincount(
        tally.spot * OUTCOMES + tally.outcome,
        weights=tally.count,
        minlength=(int(tally.spot.max(initial=-1)) + 1) * OUTCOMES,
    ).reshape(-1, OUTCOMES)
    # No count says more than if it had all come at once, where next to nothing is expected.
    ceiling = (by_spot * np.log(np.maximum(by_spot, 1) / LEAST_EXPECTED)).sum(1)
    moment = (tally.minute - start) * _OR_NONE + tally.outcome

    def onsets_at(tried: Mask) -> _Onsets:
        tried_spots = np.flatnonzero(tried)
        number = np.full(len(tried), -1)
        number[tried_spots] = np.arange(len(tried_spots))
        rows = np.flatnonzero(tried[tally.spot])
        codes, counts = number[tally.spot[rows]] * (_APART * _OR_NONE) + moment[rows], tally.count[rows]
        if also_from is not None and start <= also_from < end:
            key = np.arange(len(tried_spots)) * _APART + (also_from - start)
            codes = np.concatenate([codes, key * _OR_NONE + OUTCOMES])
            counts = np.concatenate([counts, np.zeros(len(key), np.int64)])
        order = np.argsort(codes, kind="stable")  # they come in a few rows that are in order
        return _onsets(codes[order], counts[order], tried_spots, start, expected_until, caution)

    present = by_spot.any(1)
    busy = np.partition(ceiling, -_BUSIEST)[-_BUSIEST] if len(ceiling) > _BUSIEST else 0.0
    busiest = present & (ceiling >= busy)
    found = onsets_at(busiest).most_promising()
    # Of the other spots only those matter that can say more than the least of these.
    least = found.bound().min() if len(found) == _MOST_ONSETS else 0.0
    others = present & ~busiest & (ceiling >= least)
    if others.any():
        found = found.beside(onsets_at(others)).most_promising()
    by_stretch = log_raised(_stretches(found.seen), _stretches(found.mean)).sum((0, 2))
    return Waves(
        found.spot,
        start + found.minute,
        np.column_stack([log_raised(found.seen, found.mean).sum(0), by_stretch]),
        np.concatenate([found.seen, found.seen[:, :, -1:]], axis=2),
        np.concatenate([found.mean, found.mean[:, :, -1:]], axis=2),
    )


@dataclass(frozen=True)
class _Onsets:
    """Where and when waves may have begun, ordered by that.

    Attributes:
        spot: (n,). minute: (n,) since the day's start.
        seen, mean: (OUTCOMES, n, LENGTHS) events, and events expected.
    """

    spot: Ints
    minute: Ints
    seen: Floats
    mean: Floats

    def __len__(self) -> int:
        return len(self.spot)

    def bound(self) -> Floats:
        """(n,) an upper bound on what each may say, quickly."""
        of_lengths = log_likeliest(self.seen, self.mean).sum(0).max(1)
        of_stretches = log_likeliest(_stretches(self.seen), _stretches(self.mean)).sum((0, 2))
        return np.maximum(of_lengths, of_stretches)

    def most_promising(self) -> _Onsets:
        """Those with the highest bounds, as many as are weighed."""
        if len(self) <= _MOST_ONSETS:
            return self
        return self._rows(np.sort(np.argpartition(-self.bound(), _MOST_ONSETS)[:_MOST_ONSETS]))

    def beside(self, others: _Onsets) -> _Onsets:
        """Together with those of other spots."""
        both = _Onsets(
            np.concatenate([self.spot, others.spot]),
            np.concatenate([self.minute, others.minute]),
            np.concatenate([self.seen, others.seen], axis=1),
            np.concatenate([self.mean, others.mean], axis=1),
        )
        return both._rows(np.argsort(both.spot, kind="stable"))

    def _rows(self, rows: Ints) -> _Onsets:
        return _Onsets(self.spot[rows], self.minute[rows], self.seen[:, rows], self.mean[:, rows])


def _onsets(
    code: Ints,
    count: Ints,
    spots: Ints,
    start: int,
    expected_until: Callable[[Ints, Ints], Floats],
    caution: Floats | None,
) -> _Onsets:
    """Every spot and minute of some events.

    Args:
        code: (n,) spot, minute and outcome as one number, in order; OUTCOMES is none. count: (n,) events of each.
        spots: which spot each number of one is.
    """
    key, outcome = np.divmod(code, _OR_NONE)
    first_of_key = np.flatnonzero(np.diff(key, prepend=-1))
    key = key[first_of_key]
    spot, minute = np.divmod(key, _APART)
    ends = np.minimum(minute[:, None] + LENGTHS, DAY)
    until = np.searchsorted(key, spot[:, None] * _APART + ends)
    seen = np.empty((OUTCOMES, *ends.shape))
    for number in range(OUTCOMES):
        before = np.append(0, np.cumsum(count * (outcome == number)))[np.append(first_of_key, len(code))]
        seen[number] = before[until] - before[:-1, None]
    edges, spot = start + np.column_stack([minute, ends]), spots[spot]
    until = expected_until(np.broadcast_to(spot[:, None], edges.shape), edges).copy()
    # A crash at a boot is of a boot within ten minutes before. Where all boot at one time, none of those that follow
    # within these minutes would else be of the boots, and a wave from then on explain them better than any update.
    of_boots_from = np.maximum(edges[:, 0] - BOOT_MINUTES[-1], start)
    until[CRASH_AT_BOOT, :, 0] = expected_until(spot, of_boots_from)[CRASH_AT_BOOT]
    mean = np.cumsum(_grown(until), axis=2)
    if caution is not None:
        mean = mean * np.minimum(caution, 1e9)[:, None, None]
    return _Onsets(spot, minute, seen, mean)


def _grown(until: Floats) -> Floats:
    """(..., k) by how much a sum grew from each of (..., k + 1) minutes to the next.

    A rounded sum may seem to grow or fall by a last digit where nothing was expected; then nothing that is seen there
    says anything, while a sliver expected would make it say a lot.
    """
    growth = np.diff(until, axis=-1)
    return np.where(growth > _ROUNDING * until[..., 1:], growth, 0.0)


def _stretches(counts: Floats) -> Floats:
    """(OUTCOMES, n, LENGTHS) counts from each length to the next; those at boots not apart within ten minutes."""
    so_far = counts.copy()
    so_far[CRASH_AT_BOOT, :, : np.searchsorted(LENGTHS, BOOT_MINUTES[-1])] = 0.0
    return np.diff(so_far, axis=2, prepend=0.0)
