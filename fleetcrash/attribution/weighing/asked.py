"""Asked: what hosts may be asked of an update, for it is dear; of which updates; and whether that names one alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from fleetcrash.arrays import Floats
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD
from fleetcrash.attribution.hypotheses.waves import Beginning
from fleetcrash.attribution.weighing.rivalry import LOG_MARGIN, Rivalry


class Hosts(Protocol):
    """What the hosts of the events say of an update, by its index; log likelihood ratios, if not whether."""

    def by_delay(self, update: int) -> float:
        """What ``after_install.log_by_delay`` says; asked where hosts beside them say too little."""

    def by_timer(self, update: int, wave: Beginning) -> float:
        """The same of the events of a wave, among the hosts that had the update."""

    def joined_later(self, update: int, wave: Beginning) -> bool:
        """Whether hosts that lack it are of the wave for something else; see ``missing_installs.joined_later``."""

    def at_place(self, update: int, wave: Beginning) -> float:
        """What hosts with it and those beside them at one place, or of one build, say by the events there."""

    def among_alike(self, update: int, wave: Beginning) -> float:
        """The least that those of the same build, agent's version or model say by the events of a wave."""

    def goes_on(self, update: int) -> bool:
        """What ``Toll.goes_on`` says, where an ended incident names it."""


def of_most(rivalry: Rivalry, wave: tuple[int, int], share: float) -> dict[int, int]:
    """The rows of the updates whose test passed and whose hosts had such a share of a wave's events; how many each."""
    trial = rivalry.trial
    events = trial.events[:, :, :AGES, 0].sum((0, 2))
    asked = np.flatnonzero((events >= share * rivalry.waves.struck(wave)) & (trial.log_test >= LOG_THRESHOLD))
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
    return row, only(log_updates, row)


def only(log_updates: Floats, row: int) -> Floats:
    """(U,) the log weights with one update alone, as if no other were on trial."""
    return np.where(np.arange(len(log_updates)) == row, log_updates, -np.inf)
