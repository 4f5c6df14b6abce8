"""Processes that a measurement ends and starts again, and ways to wait for what they do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ingest.collector.server import listen

ROOT = Path(__file__).parent.parent
CLI = (sys.executable, "-m", "cli")
PATIENCE_S = 120.0


class Running:
    """A process that is ended again and again, and started anew; also where it ended by itself, as a service is.

    Args:
        log: file to which what it says is added.
    Attributes:
        ended_by_itself: how often.
    """

    def __init__(self, log: Path, *command: str) -> None:
        self._log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.ended_by_itself = 0

    def start(self) -> None:
        """Start it."""
        with self._lock:
            self._start()

    def kill(self) -> None:
        """End it with kill -9; it stays down until it is started."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(PATIENCE_S)

    def end(self) -> int:
        """Ask it to end, and return its status."""
        with self._lock:
            process, self._process = self._process, None
        assert process is not None
        process.terminate()
        return process.wait(PATIENCE_S)

    def look_after(self) -> None:
        """Start it where it ended by itself."""
        with self._lock:
            if self._process is not None and self._process.poll() is not None:
                self.ended_by_itself += 1
                self._start()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def until(done: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it is not within two minutes.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)
