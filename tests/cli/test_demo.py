"""The demo's command line; what it shows is in tests/browser."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cli import main
from commands.demo import _emptied_lake
from fleetcrash.errors import BadArgument
from fleetcrash.store import Lake
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


def emptied(path: Path) -> Lake:
    return _emptied_lake(Namespace(lake=str(path)))


def test_each_demo_has_a_new_lake_also_behind_a_link(tmp_path):
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "lake").symlink_to(tmp_path / "large-disk")
    for _ in range(2):
        lake = emptied(tmp_path / "lake")
        assert lake.append("batch", pa.table({"batch_id": ["history"]}), batch_id="history")
    assert (tmp_path / "lake").is_symlink()


def test_a_demo_that_was_cut_short_at_its_start_is_known_by_the_next(tmp_path, monkeypatch):
    def cut_short(*_: Any) -> Lake:
        (tmp_path / "lake" / "crash").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "create", cut_short)
        with pytest.raises(KeyboardInterrupt):
            emptied(tmp_path / "lake")
    assert emptied(tmp_path / "lake").exists


def test_a_demo_leaves_what_is_none_of_its_own(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadArgument, match="was not made by the demo"):
        emptied(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(BadArgument, match=r"cannot be emptied for a demo: Not a directory\. Nothing was started"):
        emptied(tmp_path / "notes.txt")
