"""A spell: for how long something has been so without a break."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Spell:
    """A time for which something has been so without a break.

    Attributes:
        since: the tick at which it began; None while it is not so.
    """

    since: int | None = None

    def begin(self, tick: int) -> int:
        """It is so now; since when it has been."""
        self.since = tick if self.since is None else self.since
        return self.since

    def is_younger(self, tick: int, minutes: int) -> bool:
        """Whether it is so, and has been for less than so many minutes."""
        return self.since is not None and tick - self.since < minutes

    def end(self) -> None:
        """It is not so any more."""
        self.since = None
