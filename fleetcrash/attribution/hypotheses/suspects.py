"""Updates on trial: how much the events say for each one, and the sequential test that each must pass.

Two tests, each on crashes, on silences and on both together, and their average (an average of e-values is one, however
they hang together). The conditional test compares hosts that had the update with hosts beside them that had not, at the
moment of each event: whatever rises for all alike cancels. The history test compares them with the baseline: it is what
is left when everyone has the update. For a harmless update the average exceeds 1/alpha ever with a chance of at most
alpha (Ville's inequality).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.evidence import (
    TEST_RATIOS,
    log_mean_exp,
    log_raised,
    log_raised_by_update,
    log_raised_since,
)
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, DARK, Learned
from fleetcrash.attribution.facts.exposure import AGE_MINUTES, AGES, WINDOWS, within_windows
from fleetcrash.counts import MOSTLY

UPDATES_IN_30_DAYS = 150
FALSE_NAMES_IN_30_DAYS = 0.05
FALSE_ALARMS_IN_30_DAYS = 0.5
LOG_THRESHOLD = float(np.log(UPDATES_IN_30_DAYS / FALSE_NAMES_IN_30_DAYS))
"""For a name: at five updates a day, at most 0.05 harmless ones in 30 days have a test that ever gets this high."""
LOG_ALARM = float(np.log(UPDATES_IN_30_DAYS / FALSE_ALARMS_IN_30_DAYS))
"""For an incident, which blames nobody: the same of 0.5. In a small ring that is a crash or two earlier."""

_LOG_LEAST = 3.0  # of the evidence by the baseline, for an alarm

_LATE_AGES = int(np.searchsorted(AGE_MINUTES, 240, side="right"))  # of installs: four hours or more

# In which outcomes a fault shows, and how likely it is to show in just these, before looking: a weight of the average.
# Of a handful of crashes one may well come at a boot, and be of the same fault.
_SHOWS_IN = {
    (CRASH, CRASH_AT_BOOT): 0.40,
    (CRASH, CRASH_AT_BOOT, DARK): 0.25,
    (CRASH,): 0.15,
    (DARK,): 0.15,
    (CRASH_AT_BOOT,): 0.05,
}


@dataclass(frozen=True)
class Trial:
    """The evidence on every update, as of a tick. U updates, G slices.

    Attributes:
        updates: (U,) indices of the updates.
        events: (OUTCOMES, U, WINDOWS, G) events of hosts that had the update, by the age of the install, and once more
            by that of a boot since.
        expected: the same shape, at the baseline.
        log_evidence: (U,) log Bayes factor of "this update did it" against "nothing did".
        log_test: (U,) log of the sequential test.
        log_by_slice: (U, G) the evidence by the slice that is hit, its prior included.
        by_departures: whether hosts that left are counted in, of which the events are no part.
        left: (U, ages) those that left with each update, by the age of the install; None where they are not counted in.
    """

    updates: Ints
    events: Floats
    expected: Floats
    log_evidence: Floats
    log_test: Floats
    log_by_slice: Floats
    by_departures: bool = False
    left: Floats | None = None

    def passed(self, least: float = LOG_THRESHOLD) -> Mask:
        """(U,) the updates that have passed their test, and more of whose hosts crash than would without them.

        The conditional test takes hosts of one system and region for alike: what goes to a model that crashes more than
        others passes it in the end. Its hosts' own baseline knows them.

        Args:
            least: the log of the test to be passed; that for a name, or ``LOG_ALARM``.
        """
        return (self.log_test >= least) & (self.log_evidence >= _LOG_LEAST)

    def row_of(self, update: int) -> int:
        """The row of an update on trial."""
        return int(np.searchsorted(self.updates, update))

    def likeliest_slice(self, row: int) -> int:
        """The slice that an update hits, if it does.

        Args:
            row: of the update among ``updates``.
        """
        return int(np.argmax(self.log_by_slice[row]))

    def events_of(self, row: int) -> Floats:
        """(OUTCOMES, AGES) events of hosts with an update, in the slice that says most.

        Args:
            row: of the update among ``updates``.
        """
        return self.events[:, row, :AGES, self.likeliest_slice(row)]

    def waits_for_boots(self, row: int) -> bool:
        """Whether an update seems to strike at boots, hours after its installs: most of what its hosts do is that.

        Args:
            row: of the update among ``updates``.
        """
        events = self.events_of(row)
        return bool(events[CRASH_AT_BOOT, _LATE_AGES:].sum() > MOSTLY * events.sum())

    def counts(self, row: int) -> tuple[float, float]:
        """Events seen and expected in the slice and the time after the install that speak loudest for an update.

        Args:
            row: of the update among ``updates``.
        """
        seen, mean, window = self._by_window(row)
        return float(seen[window]), float(mean[window])

    def window_min(self, row: int) -> int:
        """The time after the install that speaks loudest for an update, minutes; a day where that is the next boot."""
        return AGE_MINUTES[min(self._by_window(row)[2], AGES - 1)]

    def by_age(self) -> Floats:
        """(U, ages) what speaks for each update, by the age of the install: events, and hosts that left."""
        events: Floats = self.events[:, :, :AGES, 0].sum(0)
        return events if self.left is None else np.hstack([self.left, events])

    def with_departures(self, log_tests: Sequence[float], left: Floats) -> Trial:
        """The same trial, with the departures of hosts counted in.

        Args:
            log_tests: (U,) ``Departures.log_test`` of each update. left: see ``Trial``.
        """
        tests = np.array(log_tests, float)
        return replace(
            self,
            log_evidence=self.log_evidence + np.logaddexp(tests, 0.0) - np.log(2.0),
            log_test=np.logaddexp(self.log_test, tests) - np.log(2.0),
            by_departures=True,
            left=left,
        )

    def _by_window(self, row: int) -> tuple[Floats, Floats, int]:
        cut_by = self.likeliest_slice(row)
        seen = within_windows(self.events[:, row, :, cut_by].sum(0))
        mean = within_windows(self.expected[:, row, :, cut_by].sum(0))
        return seen, mean, int(np.argmax(log_raised(seen, mean)))


def try_updates(
    updates: Ints,
    events: Floats,
    expected: Floats,
    *,
    others: tuple[Floats, Floats],
    log_penalty: Floats,
    learned: Learned,
    log_weight: Floats,
    conditional_slices: Ints,
) -> Trial:
    """Judge every update on the events of the hosts that had it.

    A fault has either one ratio for some time after the install, or at the boots since, or one of its own for each
    age of the install: its rate falls as its hosts crash and are gone.

    Args:
        updates: (U,) indices.
        events: (OUTCOMES, U, WINDOWS, G) by slice and age of the install, and once more by that of a boot since.
        expected: the same shape, baseline events of the same host-time.
        others: (OUTCOMES, U, G) events, and events expected, of hosts without the update since its release.
        log_penalty: (OUTCOMES, U, WINDOWS, K, ratios) sum over the events of log(1 + (r - 1) p), p the share of the
            hosts at risk that had an install younger than each age, or a boot since; K conditional slices.
        learned: what the history test is held against; where the safety is infinite it leaves the outcome out.
        log_weight: (G,) log prior of each slice.
        conditional_slices: (K,) which of the G slices the conditional test tries.
    """
    seen, mean = within_windows(events, axis=2), within_windows(expected, axis=2)
    within = log_raised(seen, mean)
    one_ratio = log_mean_exp(within.sum(0), axis=1)
    ratio_by_age = log_raised(events[:, :, :AGES], expected[:, :, :AGES]).sum((0, 2))
    ever = AGES - 1  # the last age's window is all that is followed
    unrecorded = log_raised_by_update(seen[:, :, ever], mean[:, :, ever], *others) - within[:, :, ever]
    by_slice = np.logaddexp(one_ratio, ratio_by_age) - np.log(2.0) + unrecorded.sum(0) + log_weight
    evidence = np.logaddexp.reduce(by_slice, axis=1) if len(updates) else np.zeros(0)
    log_history = _log_history(seen, mean, learned, np.exp(log_weight))
    log_beside = _log_beside(seen[..., conditional_slices], log_penalty)
    log_shares = np.log(np.array(list(_SHOWS_IN.values())) / 2.0)
    log_e_values = np.stack([log_history, log_beside], axis=1)
    tests = (log_shares[:, None, None] + log_e_values).reshape(2 * len(_SHOWS_IN), len(updates))
    return Trial(updates, events, expected, evidence, np.logaddexp.reduce(tests, axis=0), by_slice)


def _log_history(seen: Floats, mean: Floats, learned: Learned, weight: Floats) -> Floats:
    """(tests, U) log e-values of the history test, by the outcomes that ``_SHOWS_IN`` has.

    Args:
        seen, mean: (OUTCOMES, U, WINDOWS, G) events within each window, and those expected.
        learned: see ``try_updates``. weight: (G,) prior of each slice.
    """

    def by_outcome(values: Floats) -> Floats:
        return values[:, None, None, None]

    told = by_outcome(np.isfinite(learned.safety))
    safe = np.where(told, by_outcome(learned.safety), 1.0)
    by_ratio = log_raised_since(
        np.where(told, seen, 0.0),
        np.where(told, mean, 0.0) * safe,
        by_outcome(learned.events),
        by_outcome(learned.expected),
    )
    shown = [log_mean_exp(by_ratio[:, list(outcomes)].sum(1), axis=0) for outcomes in _SHOWS_IN]
    return log_mean_exp(np.stack(shown), axis=(2, 3), weights=weight / WINDOWS)


def _log_beside(seen: Floats, log_penalty: Floats) -> Floats:
    """(tests, U) log e-values of the conditional test, by the outcomes that ``_SHOWS_IN`` has.

    Args:
        seen: (OUTCOMES, U, WINDOWS, K) events within each window, in the slices that it tries.
        log_penalty: see ``try_updates``.
    """
    by_ratio = seen[..., None] * np.log(TEST_RATIOS) - log_penalty
    shown = [by_ratio[list(outcomes)].sum(0) for outcomes in _SHOWS_IN]
    return log_mean_exp(np.stack(shown), axis=(2, 3, 4))
