"""Chooses which of several monitors on one lake sends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from monitor.alerts.outbox import FOLDER


class Leader:
    """A lock that one process holds; the kernel frees it however the process ends.

    Args:
        lake_root: the lake's folder, on a local file system.
    """

    def __init__(self, lake_root: Path) -> None:
        self._path = lake_root / FOLDER / "lock"
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process holds it."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Take it unless another process holds it. Returns whether this process holds it.

        Raises:
            OSError: the file cannot be made, or its file system has no locks.
        """
        if self._descriptor is not None:
            return True
        # Not inherited by child processes, which would go on holding it.
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._descriptor = descriptor
        return True

    def free(self) -> None:
        """Release it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
