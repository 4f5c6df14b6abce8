"""Struck: how many events happened to hosts that had an update, by outcome, cell and how long before they got it.

Half a fleet may crash within the hour, and is counted again at every tick: rows that are alike in all that is counted
are found once.
"""

from __future__ import annotations

import math

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES, BOOT_MINUTES, WINDOWS
from fleetcrash.attribution.facts.news import Events, ExposedEvents


class Struck:
    """Counts some rows of exposed events."""

    def __init__(self, exposed: ExposedEvents, events: Events, cells: int) -> None:
        """Find which rows are alike.

        Args:
            events: those that the exposed ones are of. cells: how many there are.
        """
        self._exposed, self._cells = exposed, cells
        boots = len(BOOT_MINUTES) + 1
        where = (exposed.update * OUTCOMES + events.outcome[exposed.event]) * cells + events.cell[exposed.event]
        alike, self._alike = np.unique((where * AGES + exposed.age) * boots + exposed.boot_age + 1, return_inverse=True)
        where, boot = np.divmod(alike, boots)
        where, self._age = np.divmod(where, AGES)
        where, self._cell = np.divmod(where, cells)
        self._update, self._outcome = np.divmod(where, OUTCOMES)
        self._boot_age = boot - 1

    def rows(self, tick: int, mine: Mask) -> Ints:
        """Those known by a tick that some of the events (events,) are in."""
        return self._exposed.known(tick, mine)

    def updates(self, rows: Ints) -> list[int]:
        """The updates of some rows, in order."""
        return np.unique(self._update[np.bincount(self._alike[rows], minlength=len(self._update)) > 0]).tolist()

    def counted(self, rows: Ints, updates: Ints) -> tuple[Floats, Ints]:
        """(OUTCOMES, U, WINDOWS, k) those of some rows that are of these updates, and (k,) the cells of any.

        By the age of the install; those soon after a boot since are counted once more, by the age of the boot.
        """
        number = np.full(max(int(self._update.max(initial=-1)), int(updates.max(initial=-1))) + 1, -1)
        number[updates] = np.arange(len(updates))
        counts = np.bincount(self._alike[rows], minlength=len(self._update))
        there = np.flatnonzero((counts > 0) & (number[self._update] >= 0))
        at_boot = there[self._boot_age[there] >= 0]
        counted = np.concatenate([there, at_boot])
        window = np.concatenate([self._age[there], AGES + self._boot_age[at_boot]])
        present = np.zeros(self._cells, bool)
        present[self._cell[there]] = True
        cells, cell = np.flatnonzero(present), (np.cumsum(present) - 1)[self._cell[counted]]
        shape = (OUTCOMES, len(updates), WINDOWS, len(cells))
        which = self._outcome[counted] * len(updates) + number[self._update[counted]]
        where = (which * WINDOWS + window) * len(cells) + cell
        weights = counts[counted].astype(float)
        return np.bincount(where, weights=weights, minlength=math.prod(shape)).reshape(shape).astype(float), cells

    def everywhere(self, tick: int, mine: Mask, update: int) -> Floats:
        """(OUTCOMES, WINDOWS, cells) events of hosts that had one update."""
        counts, cells = self.counted(self.rows(tick, mine), np.array([update]))
        everywhere = np.zeros((OUTCOMES, WINDOWS, self._cells))
        everywhere[..., cells] = counts[:, 0]
        return everywhere
