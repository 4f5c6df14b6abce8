"""Dormant faults: of an update that hosts have had for more than a day, and that strikes from some moment on.

A certificate expires, or a date comes that the code cannot bear. Hosts are held against an update for a day after its
install, so that such a one is not on trial; what is known of it is whom it struck since that moment, and who had it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.evidence import log_raised
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES, BOOTS, WINDOWS
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.suspects import Trial


@dataclass(frozen=True)
class Dormant:
    """A dormant fault.

    Attributes:
        update: index of the update. onset: the minute from which on it strikes.
        log_odds: of it, against whatever else began then.
        events, expected: (OUTCOMES, cells) of hosts that had it, since then, and how many at the baseline.
    """

    update: int
    onset: int
    log_odds: float
    events: Floats
    expected: Floats

    @classmethod
    def of(cls, inquiry: Inquiry, update: int, onset: int, tick: int, struck: Mask, log_odds: float) -> Dormant:
        """Count those of some events (events,) that are of hosts with an update, and whom it might have struck."""
        events, cells = inquiry.news.events, len(inquiry.news.cells)
        mine = np.flatnonzero(struck & inquiry.events_ever_with(update, tick))
        counted = np.bincount(events.outcome[mine] * cells + events.cell[mine], minlength=OUTCOMES * cells)
        minutes = inquiry.news.ask.minutes_with_it(update, (cells, BOOTS), onset, tick)
        expected = inquiry.expected.of_host_minutes(minutes)
        return cls(update, onset, log_odds, counted.reshape(OUTCOMES, cells).astype(float), expected)

    @property
    def probability(self) -> float:
        """That it is behind these events."""
        return float(1.0 / (1.0 + np.exp(-self.log_odds)))

    def beside(self, trial: Trial, inquiry: Inquiry, tick: int) -> Trial:
        """A trial of other updates, and of this one: as of installs of a day ago, whoever got it since then."""
        slices, kept = inquiry.spots.slices, trial.updates != self.update
        row = int(np.searchsorted(trial.updates[kept], self.update))
        seen, mean = slices.add_up(self.events), slices.add_up(self.expected)
        by_age = np.zeros((2, OUTCOMES, WINDOWS, len(slices)))
        by_age[:, :, AGES - 1] = seen, mean
        by_slice = log_raised(seen.sum(0), mean.sum(0)) + inquiry.spots.log_weights(tick)[1]
        evidence = np.logaddexp.reduce(by_slice)
        return replace(
            trial,
            updates=np.insert(trial.updates[kept], row, self.update),
            events=np.insert(trial.events[:, kept], row, by_age[0], axis=1),
            expected=np.insert(trial.expected[:, kept], row, by_age[1], axis=1),
            log_evidence=np.insert(trial.log_evidence[kept], row, evidence),
            log_test=np.insert(trial.log_test[kept], row, evidence),
            log_by_slice=np.insert(trial.log_by_slice[kept], row, by_slice, axis=0),
            left=None if trial.left is None else np.insert(trial.left[kept], row, 0.0, axis=0),
        )
