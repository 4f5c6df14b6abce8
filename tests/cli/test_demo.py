"""The demo's command line; what it shows is in tests/browser."""

from __future__ import annotations

import re

import pytest

from cli import main
from sample_data.simulator import scenario_names


def test_the_help_says_how_to_see_every_scenario(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    assert "'?' is answered with their names" in re.sub(r"\s+", " ", capsys.readouterr().out)
    assert main(["demo", "--scenario", "?", "--port", "0"]) == 2
    assert ", ".join(scenario_names()) in capsys.readouterr().err


def test_an_unknown_scenario_is_refused_in_one_line_and_nothing_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--scenario=../../etc/passwd", "--port", "0"]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    first = scenario_names()[0]
    assert error.startswith(f"fleetcrash: There is no scenario '../../etc/passwd'; there are {first}, ")
    assert list(tmp_path.iterdir()) == []
