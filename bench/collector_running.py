"""Processes that a measurement starts, ends and looks at, and ways to wait for what they do."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.collector.server import listen

ROOT = Path(__file__).parent.parent
CLI = (sys.executable, "-m", "cli")
PATIENCE_S = 120.0

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Noted:
    """How a process stood at an instant.

    Attributes:
        cpu_s: used since it started, system and user.
    """

    rss_mib: float
    threads: int
    files: int
    cpu_s: float

    @classmethod
    def of(cls, process_id: int) -> Noted:
        """How a process stands now.

        Raises:
            OSError: there is no such process.
        """
        folder = Path("/proc") / str(process_id)
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        user_and_system = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
        return cls(
            int(status["VmRSS"].split()[0]) / 1024,
            int(status["Threads"]),
            len(list((folder / "fd").iterdir())),
            sum(map(int, user_and_system)) / _TICKS_PER_S,
        )


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


def children_of(process_id: int) -> list[int]:
    """Ids of the processes that another has started."""
    tasks = (Path("/proc") / str(process_id) / "task").iterdir()
    return [int(one) for task in tasks for one in (task / "children").read_text().split()]


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
