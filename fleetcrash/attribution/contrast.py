"""Contrast: what events say for an update by hosts that had it and the hosts beside them, at the same moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.baseline import CRASH, CRASH_AT_BOOT
from fleetcrash.attribution.evidence import log_contrast, log_contrast_by_age
from fleetcrash.attribution.exposure import AGES, LONG_UP

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_LOG_BY_AGE = 2.0  # who had got an update just then has to say more, because there is always somebody who had


@dataclass(frozen=True)
class Compared:
    """Events that there are hosts beside.

    Attributes:
        outcome, since_boot: (n,) of each; see ``Events``.
        age: (n,) of the install, by its number; AGES where the host lacked the update.
        booted_since: (n,) whether the host has booted since the install.
        shares: (n, WINDOWS) of the hosts at risk that had an install, or a boot since, younger than each age.
    """

    outcome: Ints
    since_boot: Ints
    age: Ints
    booted_since: Mask
    shares: Floats

    def log_most(self) -> float:
        """Log likelihood ratio for the update: the most that any of the three says."""
        return max(self.log_with_it(), self.log_by_age(), self._log_at_boot())

    def log_with_it(self) -> float:
        """By hosts with the update and those without it."""
        return log_contrast(self.age < AGES, self.shares[:, AGES - 1])

    def log_by_age(self, ages: int = AGES) -> float:
        """By hosts that had just got it and those that had it for longer.

        Of crashes long after a boot alone, because a host that comes online installs what it missed, and may crash for
        having come online.

        Args:
            ages: how many of the ages may be meant by "just".
        """
        steady = (self.outcome == CRASH) & (self.since_boot >= LONG_UP)
        return log_contrast_by_age(self.age[steady], self.shares[steady, :ages]) - _LOG_BY_AGE

    def _log_at_boot(self) -> float:
        """By the boots with the update and those without."""
        booted = self.outcome == CRASH_AT_BOOT
        return log_contrast(self.booted_since[booted], self.shares[booted, -1]) - _LOG_BY_AGE
