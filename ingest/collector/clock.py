"""Our clock, by which records are known: it never goes back, even if the machine's does.

A record that arrives later must not be known earlier than one that was acknowledged before, or answers as of an instant
would change. So when the machine's clock is set back, ours goes on from where it was, at half speed, until the
machine's has caught up: an hour takes two. A step forward is taken at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_FILE = "clock"


class Clock:
    """The clock of one spool. One thread asks for the time; any thread may call ``keep``.

    Args:
        folder: where the last time is kept for the next start.
        least_us: lower bound of the time; microseconds since 1970.
        wall, steady: nanoseconds of the machine's clock, and of one that is never set.
    """

    def __init__(
        self,
        folder: Path,
        *,
        least_us: int = 0,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._path = folder / _FILE
        self._wall = wall
        self._steady = steady
        self._told_ns = max(least_us, _kept_us(self._path)) * 1000
        self._told_at_ns = steady()

    def now_us(self) -> int:
        """Microseconds since 1970; never less than before, also across restarts."""
        at_ns = self._steady()
        self._told_ns = max(self._wall(), self._told_ns + (at_ns - self._told_at_ns) // 2)
        self._told_at_ns = at_ns
        return self._told_ns // 1000

    def keep(self) -> None:
        """Save the time for the next start. It survives a kill, but not always a power cut.

        Raises:
            OSError: it cannot be written.
        """
        scratch = self._path.with_suffix(".new")
        scratch.write_text(f"{self._told_ns // 1000}\n")
        os.replace(scratch, self._path)


def _kept_us(path: Path) -> int:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):  # missing, or truncated by a power cut
        return 0
