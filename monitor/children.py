"""Processes that a command runs beside itself, and ends with itself."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from fleetcrash.errors import BadArgument, FleetcrashError

_READY_WITHIN_S = 90.0
_ENDS_WITHIN_S = 10.0
_GLANCE_S = 0.2


class ChildEnded(FleetcrashError, RuntimeError):
    """A process that should run for as long as the command does has ended."""


class Children:
    """A family of processes; leaving the context ends those that still run."""

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
        finally:  # also when somebody presses Ctrl-C again
            for child in running:
                child.kill()
                child.wait()

    def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], quiet: bool = False) -> None:
        """Start a process in a group of its own, so that Ctrl-C reaches us first and it is ended in order.

        Args:
            name: what it is, for messages.
            quiet: throw its stdout away; what it says of trouble stays visible.
        """
        out = subprocess.DEVNULL if quiet else None
        self._running[name] = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, start_new_session=True
        )

    def check(self) -> None:
        """Raise if one of them has ended.

        Raises:
            ChildEnded: it has; the message says which, and with what status.
        """
        for name, child in self._running.items():
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
        """Wait until something has come about.

        Args:
            otherwise: what to say when it did not in time.
        Raises:
            ChildEnded: a process ended, or it took too long.
        """
        deadline = time.monotonic() + _READY_WITHIN_S
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise ChildEnded(f"{otherwise} within {_READY_WITHIN_S:.0f} s.")
            time.sleep(_GLANCE_S)

    def wait(self) -> None:
        """Stay until one of them ends or Ctrl-C is pressed.

        Raises:
            ChildEnded: one ended.
        """
        while True:
            self.check()
            time.sleep(_GLANCE_S)


def check_port(port: int, *, host: str = "127.0.0.1", option: str = "--port") -> None:
    """Raise unless the port can be listened on.

    Args:
        option: by which another is chosen.
    Raises:
        BadArgument: it is taken, or may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError as error:
            raise BadArgument(f"There is no port {port}; they go up to 65535. Nothing was started.") from error
        except OSError as error:
            raise BadArgument(
                f"Port {port} on {host} cannot be used ({error.strerror}). Nothing was started. "
                f"Choose another with {option} {port + 1 if port < 65535 else port - 1}."
            ) from error
