"""The command ``gate``: statuses for a pipeline, one screen for whoever is on call, overrides with a reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import cli
from fleetcrash.times import time_text
from tests.dashboard import fleet
from tests.fleetcrash.gate.rollouts import RELEASED, quiet_lake
from tests.fleetcrash.short import short_outage

ROOT = Path(cli.__file__).parent
SOAKED = ["--as-of", time_text(RELEASED + timedelta(minutes=130))]


@pytest.fixture
def run(capsys):
    """Run a command in this process: status, stdout, stderr."""

    def run_it(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        return status, *capsys.readouterr()

    return run_it


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> str:
    path: Path = tmp_path_factory.mktemp("quiet") / "lake"
    return str(quiet_lake(path).root)


def test_go_is_0_and_hold_is_3(quiet, run):
    status, out, err = run("gate", "u1", "--lake", quiet, *SOAKED, "--max-excess", "0.1")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "GO  u1  as of 2026-03-04T14:10:00Z"
    assert lines[-2].split()[:3] == ["canary", "go", "40"]
    assert lines[-1].startswith("excess below: the bound, ")
    status, out, _ = run("gate", "u1", "--lake", quiet, *SOAKED, "--json")
    assert (status, json.loads(out)["decision"]) == (3, "hold")


@pytest.mark.slow
def test_a_go_that_nobody_heard_is_no_go(quiet):
    """A pipe that is closed before the first byte: the answer waits in Python's buffer until the end."""
    read, write = os.pipe()
    os.close(read)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "cli", "gate", "u1", "--lake", quiet, *SOAKED, "--max-excess", "0.1"]
    done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False, env=environment)
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_feed_that_has_stopped_altogether_holds_by_this_machines_clock(quiet, run):
    at_newest = run("gate", "u1", "--lake", quiet, "--max-excess", "0.1", "--soak", "10")
    assert at_newest[0] == 0
    status, out, _ = run("gate", "u1", "--lake", quiet, "--as-of", "now", "--max-excess", "0.1", "--soak", "10")
    assert status == 3
    assert "Nothing was told of the fleet for" in out


def test_halt_is_4_and_fits_on_a_screen(tmp_path, run):
    short_outage(tmp_path / "lake")
    status, out, _ = run("gate", fleet.GUILTY, "--lake", str(tmp_path / "lake"))
    assert status == 4
    assert out.startswith(f"HALT  {fleet.GUILTY}  as of ")
    assert "Named by inc-" in out
    assert max(len(line) for line in out.splitlines()) <= 100
    assert len(out.splitlines()) < 12


def test_an_unknown_update_and_a_time_without_offset_are_bad_use(quiet, run):
    status, out, err = run("gate", "nobody", "--lake", quiet)
    assert (status, out) == (2, "")
    assert "No update 'nobody' is known" in err
    assert run("gate", "u1", "--lake", quiet, "--as-of", "2026-03-04T14:10:00")[0] == 2
    assert run("gate", "u1", "--lake", quiet, "--max-excess", "0")[0] == 2


def test_an_override_needs_a_reason_and_then_decides(tmp_path, run):
    lake = str(quiet_lake(tmp_path / "lake").root)
    status, _, err = run("gate", "u1", "--lake", lake, *SOAKED, "--override", "go")
    assert (status, "--reason" in err) == (2, True)
    assert run("gate", "u1", "--lake", lake, *SOAKED, "--reason", "no override")[0] == 2
    status, out, _ = run("gate", "u1", "--lake", lake, *SOAKED, "--override", "halt", "--reason", "a customer rang")
    assert (status, out.splitlines()[0]) == (4, "HALT  u1  as of 2026-03-04T14:10:00Z")
    status, out, _ = run("gate", "u1", "--lake", lake, *SOAKED, "--json")
    assert status == 4
    assert json.loads(out)["override"]["reason"] == "a customer rang"
    again = [*SOAKED, "--max-excess", "0.1", "--override", "none", "--reason", "wrong customer"]
    assert run("gate", "u1", "--lake", lake, *again)[0] == 0
    assert run("gate", "u1", "--lake", lake, *SOAKED)[0] == 3
    status, out, err = run("gate", "u1", "--lake", lake, *again)
    assert (status, out, err.count("\n"), "nothing to take back" in err) == (2, "", 1, True)


@pytest.mark.slow
def test_whoever_has_no_name_on_the_machine_may_override(tmp_path, run, monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    lake = str(quiet_lake(tmp_path / "lake").root)
    status, out, _ = run("gate", "u1", "--lake", lake, *SOAKED, "--override", "halt", "--reason", "so", "--json")
    assert (status, json.loads(out)["override"]["by"]) == (4, f"uid {os.getuid()}")


def test_the_help_has_an_example(capsys):
    with pytest.raises(SystemExit):
        cli.main(["gate", "--help"])
    assert "example:\n  fleetcrash gate" in capsys.readouterr().out
