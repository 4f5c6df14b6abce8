"""Waves: rises that follow no update, as rivals of every update and as alarms of their own.

A wave is a slice of the fleet, or a group, site or customer, in which the rate was raised from some minute on, for
some minutes. A region that loses its power, a site's driver, a backlog or a patch day looks like that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.baseline import OUTCOMES
from fleetcrash.attribution.evidence import log_likeliest, log_raised

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LENGTHS = np.array([5, 15, 60, 240, 1440])
"""Minutes that a wave may last."""

SHAPES = len(LENGTHS) + 1
"""Of one rate for each of the lengths; or of a rate of its own from each length to the next, as it comes and goes."""

LOG_SHAPE = np.log(np.array([0.5 / len(LENGTHS)] * len(LENGTHS) + [0.5]))
"""(SHAPES,) log prior of each shape: a rate for each stretch is as likely as one rate, as it is for an update."""

LOG_THRESHOLD = float(np.log(1e6))
"""A Shiryaev-Roberts sum over onsets gets this high once in at least a million minutes (two years) without a wave."""

_MOST_ONSETS = 400  # the strongest carry the sum; they bound the work of a tick in which half the fleet crashes


@dataclass(frozen=True)
class Waves:
    """The evidence on waves, as of a tick; rows are (place, onset), columns shapes.

    Attributes:
        place: (n,) index of the slice or place.
        onset: (n,) minute from which on the rate was raised.
        log_evidence: (n, SHAPES) log Bayes factor of the wave against nothing.
        events, expected: (OUTCOMES, n, SHAPES).
    """

    place: Ints
    onset: Ints
    log_evidence: Floats
    events: Floats
    expected: Floats

    def __len__(self) -> int:
        return len(self.place)

    def log_alarm(self, log_weight: Floats) -> float:
        """Log of the Shiryaev-Roberts sum over all onsets, shapes and places.

        Args:
            log_weight: (places,) log prior of each place.
        """
        if not len(self):
            return -np.inf
        return float(np.logaddexp.reduce(self._weighed(log_weight), axis=None))

    def strongest(self, log_weight: Floats) -> tuple[int, int] | None:
        """Place and onset of the wave that has most for it, if it is worth an alarm by itself.

        Args:
            log_weight: (places,) log prior of each place.
        """
        if not len(self):
            return None
        by_row = self._weighed(log_weight).max(1)
        row = int(np.argmax(by_row))
        return (int(self.place[row]), int(self.onset[row])) if by_row[row] >= LOG_THRESHOLD else None

    def where(self, kept: Sequence[bool]) -> Waves:
        """The waves of some rows."""
        rows = np.flatnonzero(kept)
        return Waves(
            self.place[rows], self.onset[rows], self.log_evidence[rows], self.events[:, rows], self.expected[:, rows]
        )

    def _weighed(self, log_weight: Floats) -> Floats:
        weighed: Floats = self.log_evidence + log_weight[self.place][:, None] + LOG_SHAPE
        return weighed


def find_waves(
    place: Ints,
    minute: Ints,
    outcome: Ints,
    *,
    end: int,
    expected_until: Callable[[Ints, Ints], Floats],
    caution: Floats | None = None,
    also_from: int | None = None,
) -> Waves:
    """Try a wave from every minute with an event on.

    Args:
        place, minute, outcome: (n,) of the events of the last day, an event once for each place that it belongs to.
        end: the minute after the newest.
        also_from: a minute from which a wave is tried at every place with an event, whether it had one then or not.
        expected_until: events expected at the baseline at places before minutes of the last day, (OUTCOMES, ...) of
            two arrays of one shape.
        caution: (OUTCOMES,) how much higher to take the baseline; None: as estimated.
    """
    day = LENGTHS[-1]
    start = end - day
    key = place * (day + 2) + (minute - start)
    in_order = np.sort(key)  # np.unique would take thirty times as long
    starts = in_order[np.diff(in_order, prepend=-1) > 0]
    if also_from is not None and also_from >= start:
        present = np.flatnonzero(np.bincount(place))
        starts = np.union1d(starts, present * (day + 2) + (also_from - start))
    places, onsets = np.divmod(starts, day + 2)
    ends = np.minimum(onsets[:, None] + LENGTHS, day)
    seen = np.empty((OUTCOMES, *ends.shape))
    for number in range(OUTCOMES):
        ordered = np.sort(key[outcome == number])
        until = np.searchsorted(ordered, places[:, None] * (day + 2) + ends)
        seen[number] = until - np.searchsorted(ordered, starts)[:, None]
    before = expected_until(places, start + onsets)[:, :, None]
    mean = np.maximum(expected_until(np.broadcast_to(places[:, None], ends.shape), start + ends) - before, 0.0)
    if caution is not None:
        mean = mean * np.minimum(caution, 1e9)[:, None, None]
    if len(starts) > _MOST_ONSETS:
        bound = np.maximum(log_likeliest(seen, mean).sum(0).max(1), log_likeliest(*_stretches(seen, mean)).sum((0, 2)))
        kept = np.sort(np.argpartition(-bound, _MOST_ONSETS)[:_MOST_ONSETS])
        places, onsets, seen, mean = places[kept], onsets[kept], seen[:, kept], mean[:, kept]
    by_stretch = log_raised(*_stretches(seen, mean)).sum((0, 2))
    return Waves(
        places,
        start + onsets,
        np.column_stack([log_raised(seen, mean).sum(0), by_stretch]),
        np.concatenate([seen, seen[:, :, -1:]], axis=2),
        np.concatenate([mean, mean[:, :, -1:]], axis=2),
    )


def _stretches(seen: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """The same counts from each length to the next."""
    return np.diff(seen, axis=2, prepend=0.0), np.diff(mean, axis=2, prepend=0.0)
