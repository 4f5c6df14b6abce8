"""Work that is done ahead, and ends at once when somebody wants what it holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_AGAIN_S = 0.02  # an interrupt between two queries of the work ends nothing, so it is given again


class GivingWay:
    """Work behind locks that others want too.

    Args:
        interrupt: ends the query that is running, if there is one; it fails where it was asked.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._lock = threading.Lock()  # while it is held, what is at work stays so
        self._worker: int | None = None
        self._interrupted = False

    @contextmanager
    def working(self) -> Iterator[None]:
        """Holds while work is done ahead. Whoever works took all locks before, and lets go of them after."""
        with self._lock:
            self._worker, self._interrupted = threading.get_ident(), False
        try:
            yield
        finally:
            with self._lock:
                self._worker = None

    @contextmanager
    def instead(self, *locks: threading.RLock) -> Iterator[None]:
        """Hold locks, one after the other, for which whatever is done ahead gives way."""
        held = []
        try:
            for lock in locks:
                while not lock.acquire(timeout=_AGAIN_S):
                    with self._lock:  # so that nobody else's query is running, or will be, when this comes
                        if self._worker is not None:
                            self._interrupted = True
                            self._interrupt()
                held.append(lock)
            yield
        finally:
            for lock in reversed(held):
                lock.release()

    def gave_way(self) -> bool:
        """Whether the calling thread is at work and was interrupted."""
        return self._interrupted and self._worker == threading.get_ident()
