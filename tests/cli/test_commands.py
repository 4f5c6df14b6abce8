"""The commands on a small lake: statuses, one JSON document on stdout, and streams that end early."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import cli
from commands.output import Exit
from fleetcrash.attribution.reporting.impact import HOST_COLUMNS, State
from fleetcrash.store import Lake
from fleetcrash.times import time_text
from tests.dashboard import fleet
from tests.fleetcrash import dark_site
from tests.fleetcrash.short import short_outage
from tests.fleetcrash.worlds import lake_of

ROOT = Path(cli.__file__).parent
HOST = b'{"record":"host","host_id":"a","os_type":"windows"}\n'


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    """Sixty hosts and an outage; nobody writes to it."""
    path: Path = tmp_path_factory.mktemp("small") / "a lake"
    short_outage(path)
    return str(path)


@pytest.fixture
def run(capsys):
    """Run a command in this process: status, stdout, stderr."""

    def run_it(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        return status, *capsys.readouterr()

    return run_it


def run_as_a_process(
    *arguments: str, cwd: Path = ROOT, stdin: bytes = b"", **changed: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a user does."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONUNBUFFERED", "FLEETCRASH_LAKE")
    }
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=cwd, input=stdin, capture_output=True, timeout=120, check=False,
        env={**environment, "PYTHONPATH": str(ROOT), **changed},
    )  # fmt: skip


def as_of(hours: float) -> list[str]:
    return ["--as-of", time_text(fleet.RELEASED + timedelta(hours=hours))]


# -- one JSON document on stdout


def test_incidents_as_json_is_one_document_and_as_text_says_who_did_it(lake, run):
    status, out, err = run("incidents", "--lake", lake, "--json")
    assert (status, err) == (0, "")
    assert [one["update_id"] for one in json.loads(out)["incidents"]] == [fleet.GUILTY]
    status, out, _ = run("incidents", "--lake", lake)
    assert status == 0, "finding incidents is no failure"
    assert fleet.GUILTY in out


@pytest.mark.slow
def test_incidents_before_the_outage_are_none(lake, run):
    status, out, _ = run("incidents", "--lake", lake, *as_of(-1), "--json")
    assert (status, json.loads(out)["incidents"]) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [3, 2, 1])
def test_where_most_crashes_came_late_it_says_that_little_can_be_said(tmp_path, run, at_once):
    crash = {"record": "crash", "host_id": "a", "os_type": "linux", "occurred_at": "2024-07-19T04:10:00Z"}
    late = {"received_at": "2024-07-20T04:10:00Z"}
    lines = [{**crash, "crash_id": f"{number}", **({} if number < at_once else late)} for number in range(4)]
    (tmp_path / "crash.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("load", str(tmp_path / "crash.ndjson"), "--lake", str(tmp_path / "lake"))
    _, said, _ = run("incidents", "--lake", str(tmp_path / "lake"))
    assert ("3 of 4 crashes were received more than an hour after they happened." in said) == (at_once == 1)


@pytest.mark.slow
def test_a_backtest_takes_its_span_and_its_step(lake, run):
    since, until = time_text(fleet.RELEASED), time_text(fleet.RELEASED + timedelta(hours=1))
    status, out, err = run("backtest", "--lake", lake, "--from", since, "--to", until, "--step", "5m", "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert (found["from"], found["to"], found["step_s"], found["ticks"]) == (since, until, 300, 12)
    assert [one["update_id"] for one in found["incidents"]] == [fleet.GUILTY]


@pytest.mark.slow
def test_hosts_are_csv_by_default_and_one_document_with_json(lake, run):
    chosen = ("hosts", fleet.GUILTY, "--lake", lake, "--condition", '{"os_type": "windows"}')
    status, out, err = run(*chosen, "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    for extra in ((), ("--csv",)):
        status, out, _ = run(*chosen, *extra)
        rows = list(csv.DictReader(io.StringIO(out)))
        assert status == 0
        assert rows == [{name: row[name] or "" for name in HOST_COLUMNS} for row in found["hosts"]]


def test_hosts_of_an_incident_by_its_id(empty_lake, run):
    with lake_of(dark_site.world(), empty_lake) as judged:
        chosen = ("hosts", "inc-20260304t0350", "--lake", str(judged.root), "--state", "dark")
        status, out, _ = run(*chosen)
        found = json.loads(run(*chosen, "--json")[1])
        unknown, _, err = run("hosts", "inc-20260304t0331", "--lake", str(judged.root))
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (status, unknown) == (Exit.DONE, Exit.BAD_USE)
    assert [row["host_id"] for row in rows] == [row["host_id"] for row in found["hosts"]] == ["h5", "h6"]
    assert {(row["crashes"], row["crashed_at"], row["site"]) for row in rows} == {("0", "", "lab")}
    assert "1 are; the newest: inc-20260304t0350." in err


@pytest.mark.slow
def test_a_condition_of_null_is_every_host_and_not_the_incidents(lake, run):
    chosen = ("hosts", fleet.GUILTY, "--lake", lake, "--json")
    of_null, every = (json.loads(run(*chosen, "--condition", text)[1]) for text in ("null", "{}"))
    assert (of_null.pop("condition"), every.pop("condition")) == (None, {})
    assert of_null == every


@pytest.mark.variants
@pytest.mark.parametrize("state", [state.value for state in State])
def test_hosts_of_one_state(lake, run, state):
    _, out, _ = run("hosts", fleet.GUILTY, "--lake", lake, "--condition", "{}", "--state", state, "--json")
    found = json.loads(out)
    assert {row["state"] for row in found["hosts"]} <= {state}
    assert len(found["hosts"]) == found["counts"][state]


@pytest.mark.slow
def test_a_load_from_stdin_is_one_document(tmp_path):
    done = run_as_a_process("load", "-", "--lake", str(tmp_path / "lake"), "--json", stdin=HOST + b"nonsense\n")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["read"], report["accepted"], report["quarantined"]) == (2, 1, 1)
    assert report["reasons"] == {"not_json": 1}


def test_simulate_says_what_it_wrote_and_the_load_takes_all_of_it(tmp_path, run):
    simulate = ("simulate", "quiet", "--out", str(tmp_path / "out"), "--hosts", "20", "--days", "1")
    status, out, _ = run(*simulate, "--json")
    assert status == 0
    written = json.loads(out)
    assert written["schema"] == 1
    _, out, _ = run(*simulate)
    assert out.startswith(f"{sum(written['records'].values()):,} records of 20 hosts, scenario quiet, seed 1: ")
    assert f"{written['records']['session']:,} session" in out
    status, out, _ = run("load", str(tmp_path / "out"), "--lake", str(tmp_path / "lake"), "--json")
    report = json.loads(out)
    assert status == 0
    assert report["read"] == sum(written["records"].values()) == report["accepted"] + report["duplicates"]


# -- statuses


def _bad_uses(lake: str) -> dict[str, list[str]]:
    here = ["--lake", lake]
    return {
        "no lake": ["incidents", "--lake", f"{lake} that is not there"],
        "a lake without a name": ["incidents", "--lake", ""],
        "a spool without a name": ["serve", *here, "--spool", ""],
        "a folder without a name": ["simulate", "quiet", "--out", ""],
        "a lake that is a file": ["incidents", "--lake", __file__],
        "a time without offset": ["incidents", *here, "--as-of", "2026-03-04T12:00:00"],
        "no time": ["incidents", *here, "--as-of", "yesterday"],
        "a time off the calendar": ["incidents", *here, "--as-of", "0001-01-01T00:00:00+14:00"],
        "a time before all records": ["clusters", *here, "--as-of", "1970-01-01T00:00:00+00:01"],
        "a time after all records": ["incidents", *here, "--as-of", "9999-12-31T23:59:59Z"],
        "a start without offset": ["backtest", *here, "--from", "2026-03-04"],
        "an end before the start": [
            "backtest",
            *here,
            "--from",
            "2026-03-04T12:00:00Z",
            "--to",
            "2026-03-04T11:00:00Z",
        ],
        "an unknown update": ["hosts", "no-such-update", *here],
        "an update of the future": ["hosts", fleet.GUILTY, *here, *as_of(-1)],
        "an unknown state": ["hosts", fleet.GUILTY, *here, "--state", "fine"],
        "a condition that is no JSON": ["hosts", fleet.GUILTY, *here, "--condition", "windows"],
        "a condition without an end": ["hosts", fleet.GUILTY, *here, "--condition", "[" * 60_000],
        "a condition that is no object": ["hosts", fleet.GUILTY, *here, "--condition", "[]"],
        "a condition of an unknown key": ["hosts", fleet.GUILTY, *here, "--condition", '{"os": "windows"}'],
        "a bound that is none": ["hosts", fleet.GUILTY, *here, "--condition", '{"agent_version": "<=7"}'],
        "a token without a name": ["token", "add", *here, " "],
        "an unknown reason": ["quarantine", "replay", *here, "--reason", "typo"],
        "an unknown scenario": ["simulate", "no-such-scenario", "--out", f"{lake}-out"],
        "a fleet of nobody": ["simulate", "quiet", "--out", f"{lake}-out", "--hosts", "0"],
    }


@pytest.mark.parametrize("use", _bad_uses(""))
def test_bad_use_is_2_with_one_line_that_says_why_and_nothing_on_stdout(lake, run, use):
    status, out, err = run(*_bad_uses(lake)[use])
    assert (status, out) == (2, "")
    assert err.startswith("fleetcrash: ")
    assert err.count("\n") == 1
    assert not Path(f"{lake}-out").exists()


NO_TEXT = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    "arguments",
    [
        ["silence", "add", "all", "--for", "1h", "--reason", NO_TEXT],
        ["token", "add", NO_TEXT],
        ["explain", NO_TEXT],
        ["incidents", "--as-of", NO_TEXT],
        ["quarantine", "replay", "--reason", NO_TEXT],
        ["gate", fleet.GUILTY, "--override", "go", "--reason", NO_TEXT],
        ["serve", "--origin", "https://a.example", "--origin", NO_TEXT],
        ["simulate", "quiet", "--out", NO_TEXT],
        ["load", __file__, "--lake", NO_TEXT],
        ["demo", "--no-browser", "--lake", NO_TEXT],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_an_argument_that_is_no_text_is_2_and_shown(run, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("fleetcrash: 'caf\\xe9' is not UTF-8") or "/caf\\xe9' is not UTF-8" in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_lake_whose_path_is_no_text_is_2_wherever_it_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETCRASH_LAKE", NO_TEXT)
    assert "the path of a lake" in run("clusters")[2]
    monkeypatch.delenv("FLEETCRASH_LAKE")
    folder = tmp_path / NO_TEXT
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    monkeypatch.chdir(folder)
    for command in (["doctor"], ["load", __file__], ["demo", "--no-browser"]):
        status, _, err = run(*command)
        assert (status, "the path of a lake" in err) == (2, True)
    assert not list(folder.iterdir())


def test_a_file_whose_name_is_no_text_is_loaded(run, tmp_path):
    path = tmp_path / f"{NO_TEXT}.ndjson"
    try:
        path.write_bytes(HOST)
    except OSError:
        pytest.skip("this file system has no such names")
    status, out, _ = run("load", str(path), "--lake", str(tmp_path / "lake"), "--json")
    assert (status, json.loads(out)["sources"]) == (0, [str(tmp_path / "caf\\xe9.ndjson")])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["load"],
        ["hosts"],
        ["hosts", "u1", "--csv", "--json"],
        ["--lake", "lake", "simulate", "quiet", "--out", "out"],
        ["incidents", "--as-of"],
        ["monitor", "--interval", "0"],
        *(["backtest", "--step", step] for step in ("30s", "0m", "", "²m", "1", "m", "-1m", "9999999m")),
        ["compact", "--keep-files", "999999d"],
        ["compact", "--keep-files", "1w"],
        ["gate", "u1", "--soak", "0"],
        ["gate", "u1", "--soak", "٣"],
        ["token", "rotate", "a", "--overlap", "0h"],
        ["quarantine", "list", "--samples", "9" * 23],
        ["alert", "list", "--most=-1"],
        ["silence", "end", "9" * 23],
        ["serve", "--connections", "0"],
    ],
)
def test_what_the_parser_refuses_is_2_as_well(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert "usage: fleetcrash" in capsys.readouterr().err


def test_a_path_that_is_missing_is_2_and_the_rest_is_loaded(tmp_path, run):
    (tmp_path / "host.ndjson").write_bytes(HOST)
    status, out, err = run("load", str(tmp_path / "none"), str(tmp_path), "--lake", str(tmp_path / "lake"), "--json")
    assert status == 2
    assert json.loads(out)["accepted"] == 1
    assert str(tmp_path / "none") in err


def test_a_load_that_finds_no_source_makes_no_lake(tmp_path, run):
    lake, empty = tmp_path / "lake", tmp_path / "empty"
    empty.mkdir()
    status, out, err = run("load", str(tmp_path / "none"), str(empty), "--lake", str(lake))
    assert (status, out.splitlines()[0]) == (2, "0 read = 0 accepted + 0 duplicates + 0 quarantined")
    assert err.count("\n") == 2
    assert list(tmp_path.iterdir()) == [empty]
    (empty / "in.ndjson").touch()
    assert run("load", str(empty), "--lake", str(lake))[0] == 0
    assert Lake.open(lake).exists


def test_a_spool_that_cannot_be_used_makes_no_lake(tmp_path, run):
    status, out, err = run("serve", "--lake", str(tmp_path / "lake"), "--spool", f"{__file__}/spool", "--port", "0")
    assert (status, out) == (2, "")
    assert "spool" in err
    assert not (tmp_path / "lake").exists()


def test_a_path_where_no_lake_can_be_is_said_before_a_source_is_looked_for(tmp_path, run):
    (tmp_path / "notes.txt").touch()
    status, out, err = run("load", str(tmp_path / "none"), "--lake", str(tmp_path / "notes.txt"))
    assert (status, out) == (2, "")
    assert "notes.txt is a file, and a lake is a folder. Nothing was changed." in err


def test_what_a_load_advises_is_on_stderr_and_the_counts_on_stdout(tmp_path, run):
    (tmp_path / "all.json").write_bytes(b"[" + HOST + b"]")
    status, out, err = run("load", str(tmp_path / "all.json"), "--lake", str(tmp_path / "lake"))
    assert (status, out.splitlines()[0]) == (1, "2 read = 0 accepted + 0 duplicates + 2 quarantined")
    assert err == (
        f"fleetcrash: {tmp_path / 'all.json'} begins with [, as a JSON array does. "
        "Write one record a line, with jq -c '.[]', and load that.\n"
    )


def test_an_ignored_field_is_shown_with_the_one_that_it_is_close_to(tmp_path, run):
    fields = '"occured_at":1,"Agent Version":"1","colour":"red","released_at":1,"\\u202eevil":1'
    (tmp_path / "in.ndjson").write_text(HOST.decode().strip()[:-1] + f",{fields}}}\n")
    _, out, _ = run("load", str(tmp_path), "--lake", str(tmp_path / "lake"))
    assert out.splitlines()[-1] == (
        "  ignored fields: Agent Version (agent_version?), colour, occured_at (occurred_at?), released_at, \\u202eevil"
    )


def test_a_load_says_what_is_wanted_of_what_it_put_aside(tmp_path, run):
    records = tmp_path / "host.csv"
    records.write_text(
        "host_id,os_type,seen_at,\na,Linux,,1\nb,linux,2024-07-19 13:10:02+09,2\n"
    )  # as DuckDB has times
    for more in (["--dry-run"], []):
        status, out, _ = run("load", str(records), *more)
        assert status == 1
        assert "  quarantined 1: bad_value:os_type; wanted: one of windows, darwin, linux\n" in out
        assert "bad_time:seen_at; wanted: RFC 3339 time with an offset of hours and minutes, such as 2024-" in out
        assert out.endswith("  ignored fields: one without a name\n")


def test_a_lake_in_a_working_folder_that_was_deleted_is_bad_use(tmp_path, monkeypatch, run):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    status, out, err = run("incidents", "--lake", "lake")
    assert (status, out) == (2, "")
    assert err.startswith("fleetcrash: The working folder was deleted, and lake would be in it. Nothing was changed.")
    assert run("incidents", "--lake", str(tmp_path / "lake"))[2].startswith(f"fleetcrash: {tmp_path / 'lake'} holds no")


def test_the_quarantine_says_what_is_wanted(tmp_path, run):
    lines = [HOST.replace(b"windows", b"beos"), b"nonsense\n"]
    (tmp_path / "in.ndjson").write_bytes(b"".join(lines))
    assert run("load", str(tmp_path), "--lake", str(tmp_path / "lake"))[0] == 1
    _, out, _ = run("quarantine", "list", "--lake", str(tmp_path / "lake"))
    said = out.splitlines()
    (of_values,) = [number for number, line in enumerate(said) if line.startswith("bad_value:os_type: 1 from")]
    assert said[of_values + 1] == "  wanted: one of windows, darwin, linux"
    assert said.count("  wanted: one JSON object a line, in UTF-8, with no key twice") == 1


@pytest.mark.parametrize("damage", [b"", b"not parquet at all", b"PAR1" + bytes(200) + b"PAR1"])
def test_a_lake_that_cannot_be_read_is_2(tmp_path, run, damage):
    lake = short_outage(tmp_path / "lake")
    Path(lake.files("crash")[0].path).write_bytes(damage)
    status, out, err = run("incidents", "--lake", str(lake.root), "--json")
    assert (status, out) == (2, "")
    assert "cannot be read" in err


def test_a_lake_without_a_record_is_2(tmp_path, run):
    Lake.create(tmp_path / "lake")
    status, _, err = run("incidents", "--lake", str(tmp_path / "lake"))
    assert (status, "no record" in err) == (2, True)


def test_a_fault_of_ours_is_5_and_says_so(lake, run, monkeypatch):
    monkeypatch.setattr("fleetcrash.attribution.backtest.run", None)
    status, out, _ = run("incidents", "--lake", lake)
    assert (status, out) == (5, "")


class PanicException(BaseException):
    """As what is written in Rust panics in Python: no Exception."""


def test_so_is_a_panic_and_an_exit_is_none(lake, run, monkeypatch):
    def ends(error: BaseException):
        def end(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("fleetcrash.attribution.backtest.run", end)

    ends(PanicException("called `Option::unwrap()` on a `None` value"))
    assert run("incidents", "--lake", lake)[:2] == (5, "")
    ends(SystemExit(3))
    with pytest.raises(SystemExit):
        run("incidents", "--lake", lake)


# -- help, places, streams


def _commands(parser: Any = None, group: str = "") -> dict[str, Any]:
    """The parsers of all commands and groups of them, those of a group under both names."""
    found: dict[str, Any] = {}
    (choices,) = [action.choices for action in (parser or cli._parser())._actions if isinstance(action.choices, dict)]
    for name, command in choices.items():
        inner = [action for action in command._actions if isinstance(action.choices, dict)]
        found[f"{group}{name}"] = command
        found.update(_commands(command, f"{name} ") if inner else {})
    return found


@pytest.mark.parametrize("name", _commands())
def test_the_example_in_the_help_of_a_command_is_one_that_it_understands(name):
    command = _commands()[name]
    example = command.format_help().split("example:")[1].split()
    assert " ".join(example).startswith(f"fleetcrash {name}")
    assert cli._parser().parse_args(example[1:]).run is not None


def test_the_help_of_hosts_names_the_states():
    said = " ".join(_commands()["hosts"].format_help().split())
    assert f"only hosts in this state: {', '.join(list(State)[:-1])} or {list(State)[-1]}" in said


def test_the_help_lists_every_exit_status(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = re.findall(r"^  ([0-9])  ", capsys.readouterr().out, flags=re.MULTILINE)
    assert shown == [str(status.value) for status in Exit]


def test_the_version_is_that_of_the_project(capsys, monkeypatch):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (stopped.value.code, capsys.readouterr().out) == (0, f"fleetcrash {said}\n")
    monkeypatch.setattr(cli, "__file__", "/nowhere/cli.py")
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"of {name}")
    assert cli._version() == "of fleetcrash", "as it is installed"


def test_a_version_that_nobody_reads_is_no_fault(capfd, monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as stopped:
            cli.main(["--version"])
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
    assert (stopped.value.code, capfd.readouterr().err) == (0, "")


def test_an_option_that_names_a_host_is_not_empty(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (["load", __file__], ["serve"], ["dashboard"]):
        status, _, err = run(*command, "--host", "")
        said = "--host is empty, as of a variable that is not set. Nothing was changed. Name a host."
        assert (status, err) == (2, f"fleetcrash: {said}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_lake_may_be_named_before_the_command_and_counts_less_than_behind_it(lake, run, monkeypatch):
    monkeypatch.setenv("FLEETCRASH_LAKE", "nowhere")
    behind = run("incidents", "--lake", lake, *as_of(-1))
    assert behind[0] == 0
    assert run("--lake", lake, "incidents", *as_of(-1)) == behind
    assert run("--lake", "nowhere", "incidents", "--lake", lake, *as_of(-1)) == behind
    assert run("--lake", lake, "quarantine", "list")[0] == 0
    assert run("--lake", lake, "incidents", "--lake", "nowhere")[0] == 2
    assert "--lake is empty" in run("--lake", "", "incidents")[2]


@pytest.mark.slow
def test_it_runs_from_any_folder_on_the_lake_that_the_environment_names(lake, tmp_path):
    done = run_as_a_process("incidents", "--json", *as_of(-1), cwd=tmp_path, FLEETCRASH_LAKE=lake)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["incidents"] == []


@pytest.mark.slow
def test_without_a_lake_named_it_is_the_folder_lake(lake, tmp_path):
    (tmp_path / "lake").symlink_to(lake)
    done = run_as_a_process("incidents", "--json", *as_of(-1), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("incidents", *as_of(-1)), 0),
        (("gate", fleet.GUILTY), 4),
        (("hosts", fleet.GUILTY, "--condition", "{}", "--json"), 128 + signal.SIGPIPE),
    ],
    ids=["little", "an-answer", "much"],
)
def test_a_reader_that_has_left_is_no_trouble_and_no_go(lake, command, status):
    """A pipe that is closed before the first byte: `| true`. Little output waits in Python's buffer until the end."""
    read, write = os.pipe()
    os.close(read)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", "cli", *command, "--lake", lake],
        cwd=ROOT, stdout=write, stderr=subprocess.PIPE, timeout=120, check=False, env=environment,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_what_a_shell_closed_is_no_trouble(lake, closed):
    command = f'exec "$0" -m cli clusters --lake "$1" {closed}'
    done = subprocess.run(["sh", "-c", command, sys.executable, lake], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
def test_letters_that_the_output_has_not_are_spelled_out(tmp_path):
    record = '{"record":"crash","crash_id":"c","host_id":"h","occurred_at":"2024-07-19T04:09:00Z","os_type":"linux",'
    load = ("load", "--lake", str(tmp_path / "lake"), "-")
    assert run_as_a_process(*load, stdin=f'{record}"module":"湖ä.so"}}\n'.encode()).returncode == 0
    done = run_as_a_process("clusters", "--lake", str(tmp_path / "lake"), PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\\u6e56ä.so".encode("latin-1") in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_finds_no_room_is_said_in_one_line(lake):
    command = [sys.executable, "-m", "cli", "clusters", "--lake", lake]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot be written: No space left on device" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_finds_no_room_changes_no_status_and_ends_nothing_that_serves(tmp_path, monkeypatch):
    def serve(_: argparse.Namespace) -> int:
        print("Collector: ...", flush=True)
        return Exit.DONE

    parser = argparse.ArgumentParser()
    parser.set_defaults(run=serve, serves=True)
    with open("/dev/full", "w") as out, open("/dev/full", "w") as err:
        monkeypatch.setattr(sys, "stderr", err)
        assert cli.main(["incidents", "--lake", str(tmp_path / "nothing")]) == 2
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(cli, "_parser", lambda: parser)
        assert cli.main([]) == 0
        print("on and on", file=sys.stderr, flush=True)
        monkeypatch.undo()


@pytest.mark.slow
def test_a_load_from_a_stdin_that_is_closed_says_so(tmp_path):
    command = ["sh", "-c", 'exec "$0" -m cli load --lake "$1" - <&-', sys.executable, tmp_path / "lake"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "fleetcrash: - cannot be read: stdin is closed. Nothing of it was loaded.\n"
