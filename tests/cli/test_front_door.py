"""Exit statuses, streams and help of the commands, as scripts rely on them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import cli

ROOT = Path(cli.__file__).parent
HOST = '{"record":"host","host_id":"a","os_type":"windows"}\n'
CRASH = '{"record":"crash","crash_id":"c","host_id":"a","os_type":"windows","occurred_at":"2026-01-01T00:00:00Z"}\n'


@pytest.fixture
def lake(tmp_path) -> str:
    return str(tmp_path / "lake")


def write(tmp_path, text: str) -> str:
    path = tmp_path / "records.ndjson"
    path.write_text(text)
    return str(path)


def test_a_clean_load_is_0_and_one_with_a_quarantined_record_is_1(tmp_path, lake, capsys):
    assert cli.main(["load", write(tmp_path, HOST + CRASH), "--lake", lake, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["read"], report["accepted"]) == (2, 2)
    assert cli.main(["load", write(tmp_path, HOST + '{"record":"bogus"}\n'), "--lake", lake, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["duplicates"], report["reasons"]) == (1, {"unknown_record": 1})


def test_what_could_be_read_is_loaded_and_the_rest_is_2(tmp_path, lake, capsys):
    assert cli.main(["load", write(tmp_path, HOST), str(tmp_path / "missing"), "--lake", lake, "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["accepted"] == 1
    assert "missing" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["incidents"], "holds no lake"),
        (["incidents", "--as-of", "2026-01-01T00:00:00"], "no offset"),
        (["backtest", "--step", "90s"], "--step"),
        (["hosts", "u", "--condition", "{"], "not JSON"),
    ],
)
def test_bad_use_is_2_and_one_line(arguments, says, lake, capsys, tmp_path):
    if says != "holds no lake":
        cli.main(["load", write(tmp_path, HOST + CRASH), "--lake", lake])
        capsys.readouterr()
    assert cli.main([*arguments, "--lake", lake]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_finding_nothing_is_0(tmp_path, lake, capsys):
    cli.main(["load", write(tmp_path, HOST + CRASH), "--lake", lake])
    capsys.readouterr()
    assert cli.main(["incidents", "--lake", lake, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["incidents"] == []


@pytest.mark.parametrize(
    "command", ["demo", "simulate", "load", "monitor", "dashboard", "incidents", "backtest", "hosts"]
)
def test_help_of_each_command_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert f"fleetcrash {command}" in capsys.readouterr().out.split("example:")[1]


def test_the_module_runs_from_any_folder(tmp_path):
    run = [sys.executable, "-m", "cli", "--help"]
    done = subprocess.run(run, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: fleetcrash")
