"""Ports that a command listens on: checked at the front door, each by the same rule."""

from __future__ import annotations

import socket

import pytest

from cli import main
from commands.ports import check_port, listening
from fleetcrash.errors import BadArgument


def test_a_port_that_is_taken_is_refused_and_a_free_one_is_not():
    refusal = r"Port \d+ on 127\.0\.0\.1 cannot be used.*Nothing was started"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadArgument, match=refusal):
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
    with pytest.raises(BadArgument, match=r"There is no host .*Nothing was started"):
        listening("no host of this name", 8510)


@pytest.mark.parametrize("port", ["65536", "99999999", "-1", "٣", "8510.0", ""])
@pytest.mark.parametrize(
    ("command", "least"),
    [("serve --port", 0), ("serve --monitor-metrics", 1), ("monitor --metrics", 1), ("dashboard --port", 0),
     ("demo --port", 0)],
)  # fmt: skip
def test_a_number_that_is_no_port_is_refused_everywhere_in_the_same_words(capsys, command, least, port):
    with pytest.raises(SystemExit) as ended:
        main([*command.split()[:-1], f"{command.split()[-1]}={port}"])
    assert ended.value.code == 2
    said = f"argument {command.split()[-1]}: {port!r} is no port; wanted a whole number from {least} to 65535\n"
    assert capsys.readouterr().err.endswith(said)


@pytest.mark.parametrize("command", [["serve", "--monitor-metrics"], ["monitor", "--metrics"]])
def test_metrics_are_not_served_on_a_port_that_nobody_learns(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([*command, "0"])
    assert ended.value.code == 2
    assert "'0' is no port; wanted a whole number from 1 to 65535" in capsys.readouterr().err
