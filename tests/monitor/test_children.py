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
from fleetcrash.errors import BadArgument
from monitor.children import ChildEnded, Children, Keeper, check_port

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


def test_a_port_that_is_taken_is_refused_and_a_free_one_is_not():
    refusal = r"Port \d+ on 127\.0\.0\.1 cannot be used.*Nothing was started"
    with taken_port() as port, pytest.raises(BadArgument, match=refusal):
        check_port(port)
    check_port(port)


def test_a_port_is_looked_for_where_the_host_is():
    try:
        taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadArgument, match=rf"Port {port} on ::1 cannot be used.*in use"):
            check_port(port, host="::1")
        check_port(port, host="127.0.0.1")
    check_port(port, host="::1")


def test_a_name_is_looked_for_at_each_of_its_addresses(monkeypatch):
    loopbacks = ["127.0.0.1", "127.0.0.2"]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, 0)) for host in loopbacks]
    for at in range(2):
        with socket.create_server((loopbacks[at], 0)) as taken:
            port = taken.getsockname()[1]
            addresses = [(*one[:4], (one[4][0], port)) for one in found]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, addresses=addresses, **__: addresses)
            with pytest.raises(BadArgument, match=r"Port \d+ on fleet cannot be used"):
                check_port(port, host="fleet")


def test_an_address_that_this_machine_does_not_have_hinders_no_other(monkeypatch):
    """A name may have an IPv6 address where IPv6 is off."""
    nowhere = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 0))
    unknown = (31, socket.SOCK_STREAM, 0, "", ("", 0))  # a family that no system serves
    here = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [unknown, nowhere, here])
    check_port(0, host="fleet")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [unknown, nowhere])
    with pytest.raises(BadArgument, match="cannot be used"):
        check_port(0, host="fleet")


def test_of_port_0_one_is_told_that_is_free():
    port = check_port(0)
    assert check_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert check_port(0) not in (0, port)


def test_a_host_that_is_none_is_said():
    with pytest.raises(BadArgument, match=r"There is no host .*Nothing was started"):
        check_port(8501, host="no host of this name")


@pytest.mark.parametrize("port", [65536, 99999999, -1])
def test_a_number_that_is_no_port_is_refused(port):
    with pytest.raises(BadArgument):
        check_port(port)
