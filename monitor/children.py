"""Child processes that a command runs, and that end with it."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from fleetcrash.errors import FleetcrashError, one_line

LOG = logging.getLogger("fleetcrash.serving")

_READY_WITHIN_S = 90.0
_ENDS_WITHIN_S = 10.0
_GLANCE_S = 0.2
# Pause before a restart. It is doubled each time, as a process that cannot live would keep a core busy.
_LEAST_PAUSE_S, _MOST_PAUSE_S = 1.0, 60.0
# A process that lived for so long was able to: the next pause is the least again.
_LIVED_S = 60.0


class ChildEnded(FleetcrashError, RuntimeError):
    """A process that should run as long as the command has ended."""


class Children:
    """A group of child processes; leaving the context ends those that still run."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        running = [child for child in self._running.values() if child.poll() is None]
        try:
            for child in running:
                child.terminate()
            deadline = time.monotonic() + _ENDS_WITHIN_S
            for child in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(max(deadline - time.monotonic(), 0.1))
        finally:  # even if Ctrl-C is pressed again
            for child in running:
                child.kill()
                child.wait()

    def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], quiet: bool = False) -> None:
        """Start a process in a process group of its own, so that Ctrl-C reaches only us and we end it in order.

        Args:
            name: of the process, for messages.
            quiet: discard its stdout; its stderr stays visible.
        """
        out = subprocess.DEVNULL if quiet else None
        self._running[name] = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, start_new_session=True
        )

    def check(self, *names: str) -> None:
        """Check that the processes are running.

        Args:
            names: those to check; none: all.
        Raises:
            ChildEnded: one has ended; the message says which, and with what status.
        """
        for name in names or tuple(self._running):
            child = self._running[name]
            if child.poll() is not None:
                raise ChildEnded(f"The {name} ended by itself with status {child.returncode}; see above.")

    def wait_until_ready(self, url: str) -> None:
        """Wait until the address answers.

        Raises:
            ChildEnded: a process ended, or nothing answered in time.
        """

        def answers() -> bool:
            try:
                with urllib.request.urlopen(url, timeout=2.0):  # noqa: S310 - an address of our own making
                    return True
            except (urllib.error.URLError, OSError):
                return False

        self.wait_for(answers, f"Nothing answered at {url}")

    def wait_for(self, done: Callable[[], bool], otherwise: str) -> None:
        """Wait until ``done`` returns true.

        Args:
            otherwise: beginning of the error message if that takes too long.
        Raises:
            ChildEnded: a process ended, or it took too long.
        """
        deadline = time.monotonic() + _READY_WITHIN_S
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise ChildEnded(f"{otherwise} within {_READY_WITHIN_S:.0f} s.")
            time.sleep(_GLANCE_S)

    def wait(self, *names: str) -> None:
        """Wait until one of them ends or Ctrl-C is pressed.

        Args:
            names: those to watch; none: all.
        Raises:
            ChildEnded: one ended.
        """
        while True:
            self.check(*names)
            time.sleep(_GLANCE_S)


class Keeper:
    """Keeps a process running until the context is left: restarts it if it ends. Meanwhile the command goes on.

    Args:
        family: the group that the process belongs to; it outlives the keeper.
        start: starts the process; called at once, and later from a thread.
    """

    def __init__(self, family: Children, name: str, start: Callable[[], None]) -> None:
        self._family = family
        self._name = name
        self._start = start
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="fleetcrash-keeper")

    def __enter__(self) -> Self:
        self._start()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _keep(self) -> None:
        started, pause_s = time.monotonic(), _LEAST_PAUSE_S
        while not self._end.wait(_GLANCE_S):
            try:
                self._family.check(self._name)
                continue
            except ChildEnded as ended:
                if time.monotonic() - started >= _LIVED_S:
                    pause_s = _LEAST_PAUSE_S
                LOG.error("%s It is started again in %g s.", ended, pause_s)
            if self._end.wait(pause_s):
                return
            started, pause_s = time.monotonic(), min(2 * pause_s, _MOST_PAUSE_S)
            try:
                self._start()
            except Exception as error:  # such as on a machine without memory for another process
                LOG.error("the %s could not be started: %s", self._name, one_line(error))
