"""The demo's command line; what it shows is in tests/browser."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cli import main
from commands.demo import DEFAULT_DEMO_LAKE, _emptied_lake
from fleetcrash.errors import BadArgument, LakeError
from fleetcrash.records import COLLECTOR, REPLAYING_COLLECTOR
from fleetcrash.store import Lake
from fleetcrash.store.books import sources
from fleetcrash.store.paths import SPOOL
from ingest.collector.server import Collector
from sample_data.simulator import scenario_names


def test_the_help_says_how_to_see_every_scenario(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    assert "'?' is answered with their names" in re.sub(r"\s+", " ", capsys.readouterr().out)
    assert main(["demo", "--scenario", "?", "--port", "0"]) == 2
    assert ", ".join(scenario_names()) in capsys.readouterr().err


def test_the_help_names_the_lake_that_the_demo_uses(monkeypatch, capsys):
    monkeypatch.setenv("FLEETCRASH_LAKE", "mine")
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "FLEETCRASH_LAKE" not in said
    assert f"(default: ./{DEFAULT_DEMO_LAKE})" in said


def test_an_unknown_scenario_is_refused_in_one_line_and_nothing_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--scenario=../../etc/passwd", "--port", "0"]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    first = scenario_names()[0]
    assert error.startswith(f"fleetcrash: There is no scenario '../../etc/passwd'; there are {first}, ")
    assert list(tmp_path.iterdir()) == []


def test_a_receiver_of_the_demos_own_name_is_refused_and_nothing_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("who.toml").write_text("[receivers.demo]\ntype = 'webhook'\nurl = 'http://127.0.0.1:9/'\n")
    assert main(["demo", "--alerts", "who.toml", "--scenario", "?", "--port", "0"]) == 2
    assert capsys.readouterr().err == (
        "fleetcrash: --alerts names a receiver demo, as the demo's own is called. Nothing was started. "
        "Give [receivers.demo] another name.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["who.toml"]


def emptied(path: Path) -> Lake:
    with _emptied_lake(Namespace(lake=str(path))) as lake:
        return lake


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


def test_a_demo_leaves_the_lake_of_one_that_runs(tmp_path):
    with _emptied_lake(Namespace(lake=str(tmp_path))) as lake:
        lake.append("batch", pa.table({"batch_id": ["history"]}), batch_id="history")
        with pytest.raises(
            BadArgument, match=r"^Another demo is running on .* Nothing was changed\. End it, or choose"
        ):
            emptied(tmp_path)
        assert lake.committed("batch", "history")
    assert not emptied(tmp_path).committed("batch", "history")


def test_a_demo_leaves_the_lake_of_a_collector(tmp_path):
    lake = emptied(tmp_path)
    with Collector(lake, replay=True):
        with pytest.raises(BadArgument, match=r"^A collector is running on .* Nothing was changed\. End it, or choose"):
            emptied(tmp_path)
        assert (tmp_path / SPOOL).exists()
    assert lake.exists
    emptied(tmp_path)
    assert not (tmp_path / SPOOL).exists()


def test_a_demo_leaves_records_that_none_brought(tmp_path):
    lake = emptied(tmp_path)
    batches = {"history": "replay of sample", "b1": REPLAYING_COLLECTOR, "b2": f"quarantine of {REPLAYING_COLLECTOR}"}
    for batch_id, source in batches.items():
        lake.append("batch", pa.table({"batch_id": [batch_id], "source": [source]}), batch_id=batch_id)
    lake = emptied(tmp_path)
    assert sources(lake) == {}
    for batch_id, source in {**batches, "b3": "crashes\x1b.ndjson", "b4": COLLECTOR}.items():
        lake.append("batch", pa.table({"batch_id": [batch_id], "source": [source]}), batch_id=batch_id)
    said = r"holds records that no demo brought, of 2 of its 5 batches, such as collector\. Nothing was changed\."
    with pytest.raises(BadArgument, match=said):
        emptied(tmp_path)
    assert len(sources(lake)) == 5


def test_a_demo_leaves_a_lake_of_which_nobody_knows_where_its_records_came_from(tmp_path):
    lake = emptied(tmp_path)
    lake.append("batch", pa.table({"batch_id": ["history"]}), batch_id="history")
    books = Path(lake.files("batch")[0].path)
    books.write_bytes(b"")
    with pytest.raises(LakeError, match="cannot be read"):
        emptied(tmp_path)
    assert books.exists()
