"""Processes beside a command: they end with it, whatever they or it may do."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import monitor.children
from monitor.children import ChildEnded, Children, Keeper

PATIENCE_S = 60.0
FOREVER = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; print(flush=True); time.sleep(600)"
)
SERVER = """
import sys, http.server
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def start(family: Children, name: str, code: str, *arguments: str) -> int:
    """Start a Python process and return its id."""
    family.start(name, [sys.executable, "-c", code, *arguments], environment=os.environ, quiet=True)
    return family._running[name].pid


def is_running(process_id: int) -> bool:
    """Whether a child of ours runs; one that was waited for does not."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_they_all_end_with_the_context():
    with Children() as family:
        ids = [start(family, name, FOREVER) for name in ("one", "two")]
        family.check()
        assert all(map(is_running, ids))
    assert not any(map(is_running, ids))


def test_they_end_as_well_when_the_command_fails():
    ids = []

    def fail() -> None:
        with Children() as family:
            ids.append(start(family, "one", FOREVER))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not any(map(is_running, ids))


def test_one_that_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr(monitor.children, "_ENDS_WITHIN_S", 0.2)
    with Children() as family:
        family.start("stubborn", [sys.executable, "-c", STUBBORN], environment=os.environ, quiet=True)
        stubborn = family._running["stubborn"]
        _wait_until_signals_are_ignored(stubborn.pid)
    assert stubborn.returncode == -signal.SIGKILL


def _wait_until_signals_are_ignored(process_id: int) -> None:
    mask = (1 << (signal.SIGINT - 1)) | (1 << (signal.SIGTERM - 1))
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with open(f"/proc/{process_id}/status") as status:
            ignored = next(int(line.split()[1], 16) for line in status if line.startswith("SigIgn"))
        if ignored & mask == mask:
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_that_ends_by_itself_is_named_with_its_status():
    with Children() as family:
        start(family, "steady", FOREVER)
        start(family, "brief", "raise SystemExit(7)")
        with pytest.raises(ChildEnded, match=r"The brief ended by itself with status 7"):
            family.wait()


def test_one_that_is_kept_is_started_again_after_longer_and_longer_pauses(monkeypatch, caplog):
    monkeypatch.setattr(monitor.children, "_GLANCE_S", 0.001)
    monkeypatch.setattr(monitor.children, "_LEAST_PAUSE_S", 0.001)
    monkeypatch.setattr(monitor.children, "_MOST_PAUSE_S", 0.003)
    turns = iter(["raise SystemExit(7)", "fails", "raise SystemExit(8)", "raise SystemExit(9)", FOREVER])
    started = threading.Event()

    def begin() -> None:
        code = next(turns)
        if code == "fails":
            raise BlockingIOError("no room for a process")
        start(family, "kept", code)
        if code == FOREVER:
            started.set()

    with Children() as family, Keeper(family, "kept", begin):
        assert started.wait(PATIENCE_S)
        family.check()  # the last one goes on
    said = [record.getMessage() for record in caplog.records]
    assert [line.rpartition("again in ")[2] for line in said if "again in" in line] == [
        "0.001 s.", "0.002 s.", "0.003 s.", "0.003 s.",
    ]  # fmt: skip
    assert [status in "".join(said) for status in ("status 7", "status 8", "status 9")] == [True] * 3
    assert "the kept could not be started: no room for a process" in said


def test_after_one_that_lived_the_pause_is_short_again(monkeypatch, caplog):
    monkeypatch.setattr(monitor.children, "_GLANCE_S", 0.001)
    monkeypatch.setattr(monitor.children, "_LEAST_PAUSE_S", 0.001)
    monkeypatch.setattr(monitor.children, "_LIVED_S", 0.0)
    turns = iter(["", "", "", FOREVER])
    started = threading.Event()

    def begin() -> None:
        code = next(turns)
        start(family, "kept", code)
        if code == FOREVER:
            started.set()

    with Children() as family, Keeper(family, "kept", begin):
        assert started.wait(PATIENCE_S)
    assert [record.getMessage().endswith("in 0.001 s.") for record in caplog.records] == [True] * 3


def test_waiting_for_an_address_ends_when_it_answers_or_when_the_process_is_gone():
    with taken_port() as port:
        pass  # free again
    with Children() as family:
        start(family, "server", SERVER, str(port))
        family.wait_until_ready(f"http://127.0.0.1:{port}/")
    with Children() as family:
        start(family, "brief", "raise SystemExit(3)")
        with pytest.raises(ChildEnded, match="status 3"):
            family.wait_until_ready(f"http://127.0.0.1:{port}/")


def test_waiting_has_an_end(monkeypatch):
    monkeypatch.setattr(monitor.children, "_READY_WITHIN_S", 0.0)
    with Children() as family:
        start(family, "steady", FOREVER)
        with pytest.raises(ChildEnded, match="it never came about within"):
            family.wait_for(lambda: False, "it never came about")
