"""Processes beside a command that serves: started again, and never left behind."""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import monitor.children
from cli import main
from commands import processes, serving
from fleetcrash.store import Lake
from monitor.children import ChildEnded, Children

ROOT = Path(serving.__file__).parents[1]
PATIENCE_S = 30.0


def test_a_monitor_ends_with_the_process_that_started_it_even_in_the_middle_of_a_look():
    looks = (
        "import sys, threading, time; from commands.serving import _end_with; "
        "threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start(); "
        "print('looks', flush=True); time.sleep(600)"
    )
    serves = "import os, subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], str(os.getpid())])"
    command = [sys.executable, "-c", serves, looks]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "looks\n"
        server.kill()
        assert server.communicate(timeout=PATIENCE_S)[0] == ""  # nobody has it open any more


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80"), ("fleet.example", "http://fleet.example:80")],
)
def test_an_ipv6_address_stands_in_brackets(host, url):
    assert serving.url_of(host, 80) == url
    assert serving.url_of(host, 80, scheme="https") == url.replace("http", "https")


@pytest.mark.slow
def test_the_pages_are_served_on_ipv6(tmp_path):
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
            port = free.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Children() as beside:
        processes.start_dashboard(beside, Lake.create(tmp_path / "lake"), port, host="::1")
        beside.wait_until_ready(f"{serving.url_of('::1', port)}/_stcore/health")


@pytest.mark.parametrize(
    "address",
    ["http://[bad", "fleet.example.com", "//fleet.example.com", "ftp://fleet.example.com", "https://", "https://:8501",
     "https://fleet.example.com:port", "https://fleet.example.com:0", "https://fleet.example .com", "https://flötte.de"],
)  # fmt: skip
def test_an_address_by_which_nobody_can_reach_the_pages_is_refused(tmp_path, monkeypatch, capsys, address):
    monkeypatch.chdir(tmp_path)
    assert main(["dashboard", "--address", address, "--host", "no host of this name"]) == 2
    assert capsys.readouterr().err == (
        f"fleetcrash: --address is {address!r}; wanted a URL in ASCII that begins with http:// or https:// and names a "
        "host. Nothing was started. Give what people type into a browser, such as https://fleet.example.com.\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["https://fleet.example.com", "http://[::1]:8501/", "HTTPS://Fleet:8443"])
def test_an_address_of_a_browser_is_taken(tmp_path, monkeypatch, capsys, address):
    monkeypatch.chdir(tmp_path)
    assert main(["dashboard", "--address", address, "--host", "192.0.2.1"]) == 2
    assert capsys.readouterr().err.startswith("fleetcrash: Whoever reaches 192.0.2.1 could see the pages")


def test_an_address_of_a_variable_that_is_not_set_is_not_taken_for_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["dashboard", "--address", "", "--host", "no host of this name"]) == 2
    said = "--address is empty, as of a variable that is not set. Nothing was changed. Name a URL."
    assert capsys.readouterr().err == f"fleetcrash: {said}\n"


def test_whoever_is_to_be_told_is_read_before_the_pages_are_served(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["dashboard", "--alerts", "none.toml", "--port", "0"]) == 2
    said = "fleetcrash: none.toml cannot be read: No such file or directory. Nothing was started.\n"
    assert capsys.readouterr().err == said
    assert not list(tmp_path.iterdir())


def test_the_pages_go_on_without_a_monitor_which_is_started_again(tmp_path, monkeypatch, capsys):
    """Served in place of the pages: a process that ends once a second monitor was started."""
    monkeypatch.setattr(monitor.children, "_LEAST_PAUSE_S", 0.01)
    Lake.create(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    Path("who.toml").write_text("[receivers.oncall]\ntype = 'webhook'\nurl = 'http://127.0.0.1:9/'\n")
    again = tmp_path / "again"
    pages = f"import os, time\nwhile not os.path.exists({str(again)!r}): time.sleep(0.01)\nraise SystemExit(9)"
    starts: list[str] = []

    def start_dashboard(beside: Children, *_, **__) -> None:
        beside.start("dashboard", [sys.executable, "-c", pages], environment=os.environ)

    def start_monitor(beside: Children, *_, alerts: list[str], **__) -> None:
        assert alerts == ["who.toml"]
        if starts:
            again.touch()
        starts.append("raise SystemExit(7)" if not starts else "import time; time.sleep(600)")
        beside.start("monitor", [sys.executable, "-c", starts[-1]], environment=os.environ)

    monkeypatch.setattr(serving, "start_dashboard", start_dashboard)
    monkeypatch.setattr(serving, "start_monitor", start_monitor)
    chosen = argparse.Namespace(
        lake=str(tmp_path / "lake"), host="127.0.0.1", port=0, address=None, trusted_header=None, sign_in=None,
        no_monitor=False, alerts=["who.toml"],
    )  # fmt: skip
    with pytest.raises(ChildEnded, match="The dashboard ended by itself with status 9"):
        serving.dashboard(chosen)
    assert len(starts) == 2
    assert re.search(r"^Dashboard: http://127\.0\.0\.1:[1-9][0-9]+ ", capsys.readouterr().out), "of port 0 the real one"
