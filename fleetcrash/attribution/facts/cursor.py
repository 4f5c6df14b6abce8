"""A cursor: rows that are sorted by when they were known, taken in a tick at a time."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class Cursor:
    """Goes through (n,) sorted times of rows, whole numbers of any type."""

    def __init__(self, times: NDArray[Any]) -> None:
        self._times = times
        self._row = 0
        self._next: int | None = int(times[0]) if len(times) else None

    def take(self, tick: int) -> slice:
        """The rows after those that were taken before, up to and with a tick's; mostly there are none."""
        first, times = self._row, self._times
        if self._next is not None and self._next <= tick:
            # Searched with a number of their type: they are narrow, and all of them would be widened every time.
            self._row = int(times.searchsorted(times.dtype.type(tick), "right"))
            self._next = int(times[self._row]) if self._row < len(times) else None
        return slice(first, self._row)
