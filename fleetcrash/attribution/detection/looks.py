"""Looks at some events that are not taken again while there is nothing new to see."""

from __future__ import annotations

import numpy as np

from fleetcrash.arrays import Mask

_AGAIN_MINUTES = 5  # without a new event


class Looks:
    """When each look was last taken, and the newest event that it saw."""

    def __init__(self) -> None:
        self._taken: dict[str, tuple[int, int]] = {}

    def skip_or_take(self, look: str, tick: int, mine: Mask) -> bool:
        """Whether the same look, minutes ago, saw the newest of some events that are known; if not, it is taken now.

        What was to be expected grows, and the events do not: they say hardly less than they did.

        Args:
            mine: (events,) the events, one at least.
        """
        newest = int(np.flatnonzero(mine)[-1])
        last, seen = self._taken.get(look, (tick, -1))
        if newest == seen and tick - last < _AGAIN_MINUTES:
            return True
        self._taken[look] = tick, newest
        return False
