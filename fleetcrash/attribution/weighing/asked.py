"""Asked: which updates hosts are asked about, for it is dear; and whether what they say names one alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fleetcrash.arrays import Floats
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD
from fleetcrash.attribution.weighing.rivalry import LOG_MARGIN, Rivalry


def of_most(rivalry: Rivalry, foremost: tuple[int, int], share: float) -> dict[int, int]:
    """The rows of the updates whose test passed and whose hosts had such a share of a wave's events; how many each."""
    trial, most = rivalry.trial, float(rivalry.waves.events.sum(0)[foremost])
    events = trial.events[:, :, :AGES, 0].sum((0, 2))
    asked = np.flatnonzero((events >= share * most) & (trial.log_test >= LOG_THRESHOLD))
    return {row: int(events[row]) for row in asked.tolist()}


def told_alone(
    rivalry: Rivalry,
    log_updates: Floats,
    said: Mapping[int, float],
    least: Callable[[int], float],
) -> tuple[int, Floats] | None:
    """The row of the one update that most is said of, and the log weights with it alone.

    Args:
        said: of some rows. least: what has to be said of one that is not named yet, by its row.
    Returns:
        None where too little is said of it, or nearly as much of another one.
    """
    row = max(said, key=lambda one: said[one], default=None)
    if row is None:
        return None
    is_kept = int(rivalry.trial.updates[row]) == rivalry.named_before
    if said[row] < (LOG_MARGIN if is_kept else least(row)):
        return None
    apart = LOG_MARGIN if is_kept else LOG_THOUSAND
    if any(said[one] > said[row] - apart for one in said if one != row):
        return None
    return row, np.where(np.arange(len(log_updates)) == row, log_updates, -np.inf)
