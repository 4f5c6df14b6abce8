"""A lock whose holder gives way when it only works ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AGAIN_S = 0.02  # an interrupt between two queries has no effect, so it is repeated


class GivingWay:
    """A lock that may be held to work ahead; such work is interrupted at once when another thread wants the lock.

    Args:
        interrupt: aborts the query that runs under the lock, if there is one.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._lock = threading.RLock()
        self._ahead = threading.Lock()  # held to read or change who works ahead
        self._worker: int | None = None
        self._interrupted = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock, interrupting work ahead; reentrant."""
        while not self._lock.acquire(timeout=AGAIN_S):
            with self._ahead:  # so that the interrupt cannot hit the query of another thread
                if self._worker is not None:
                    self._interrupted = True
                    self._interrupt()
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def held_ahead(self) -> Iterator[None]:
        """Hold the lock to work ahead."""
        with self._lock:
            with self._ahead:
                self._worker, self._interrupted = threading.get_ident(), False
            try:
                yield
            finally:
                with self._ahead:
                    self._worker = None

    def gave_way(self) -> bool:
        """Whether the calling thread works ahead and was interrupted."""
        return self._interrupted and self._worker == threading.get_ident()
