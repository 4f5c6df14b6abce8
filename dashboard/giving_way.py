"""A lock whose holder gives way while it works ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AGAIN_S = 0.02  # an interrupt between two queries ends nothing, so it is given again


class GivingWay:
    """A lock that may be held to work ahead: that ends at once when somebody else wants the lock.

    Args:
        interrupt: ends the query that runs under the lock, if there is one; it fails where it was asked.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._lock = threading.RLock()
        self._ahead = threading.Lock()  # while it is held, whoever works ahead goes on to, or nobody begins to
        self._worker: int | None = None
        self._interrupted = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock, for which work that is done ahead gives way; whoever holds it already may."""
        while not self._lock.acquire(timeout=AGAIN_S):
            with self._ahead:  # so that no query of somebody else is running, or will be, when this comes
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
