"""Text from strangers, in every column that may hold some: each is answered, and none of it moves a terminal."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import cli
from dashboard.prepared import PreparedEngine
from dashboard.snapshot import LakeState, snapshot_of
from fleetcrash.clustering import Signatures
from fleetcrash.records import COLUMNS, FRAMES, TEXT, TEXT_MAP, Kind
from fleetcrash.store import Lake
from fleetcrash.times import time_text
from ingest.load import load
from tests.dashboard import fleet
from tests.fleetcrash.short import short_outage

SHORT = ["²", "7.11²", "٣.1", "\x1b[31mred", "\u202eevil", "=1+1", "<script>", 'a "b"\r,\n', "'; DROP TABLE crash; --"]
WORST = '=1+1 \x1b[31m"b"\r,\n'
HOSTILE = [*SHORT, WORST, "9" * 5000, f"7.{'9' * 5000}"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The outage, and beside it a record of each kind whose texts are all the same hostile one, for each of them."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    made = short_outage(folder / "lake")
    lines = [json.dumps(_record(kind, text)) for kind in Kind for text in HOSTILE]
    (folder / "records.ndjson").write_text("\n".join(lines))
    report = load(made, [folder / "records.ndjson"], now=datetime.now(UTC))
    assert (report.read, report.quarantined) == (len(lines), 0)
    return made


def _record(kind: Kind, text: str) -> dict[str, Any]:
    record: dict[str, Any] = {"record": kind.value}
    for column in COLUMNS[kind]:
        if column.type == TEXT:
            record[column.name] = column.values[0] if column.values else text[: column.max_length]
        elif column.type == TEXT_MAP:
            record[column.name] = {text: text}
        elif column.type == FRAMES:
            record[column.name] = [{"module": text, "function": text, "offset": 1}]
        elif column.required:
            record[column.name] = time_text(fleet.NOW)
    return record


@pytest.fixture
def run(capsys):
    """Run a command in this process: its output, after seeing that it went well and that a terminal takes it."""

    def run_it(*arguments: str) -> str:
        assert cli.main(arguments) == 0
        out, err = capsys.readouterr()
        assert not [each for each in out + err if not each.isprintable() and each not in "\r\n"]
        return str(out)

    return run_it


def test_the_pages_have_their_snapshot_with_versions_in_their_order(lake):
    prepared = PreparedEngine(lake, Signatures())
    try:
        found = snapshot_of(prepared.engine_for(None), 1, lake.root)
    finally:
        prepared.close()
    assert found.state is LakeState.READY
    assert {*HOSTILE, *fleet.VERSIONS} <= set(found.choices["agent_version"])
    known = [version for version in found.choices["agent_version"] if version in fleet.VERSIONS]
    assert known == sorted(fleet.VERSIONS, key=lambda version: int(version.split(".")[1]), reverse=True)


def test_the_outage_is_named_all_the_same(lake, run):
    assert fleet.GUILTY in run("incidents", "--lake", str(lake.root))


def test_clusters_are_told(lake, run):
    assert "csagent.sys" in run("clusters", "--lake", str(lake.root))


@pytest.mark.slow
def test_the_hosts_of_a_hostile_update_are_listed(lake, run, capsys, monkeypatch):
    update_id = WORST
    out = run("hosts", update_id, "--lake", str(lake.root), "--json")
    listed = [row["host_id"] for row in json.loads(out)["hosts"]]
    assert update_id in listed
    assert cli.main(["hosts", update_id, "--lake", str(lake.root)]) == 0
    cells = [row["host_id"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))]
    assert cells == [f"'{host_id}" if host_id.startswith("=") else host_id for host_id in listed]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert len(run("hosts", update_id, "--lake", str(lake.root)).splitlines()) == len(listed) + 1


def test_the_names_of_tokens_and_of_who_made_them_are_shown(tmp_path, run, monkeypatch):
    root, name = str(Lake.create(tmp_path / "lake").root), "edge\x1b[2J"
    monkeypatch.setenv("LOGNAME", "ann\x1b]0;")
    for command in (["add", name], ["list"], ["rotate", name], ["revoke", name], ["log"]):
        said = run("token", *command, "--lake", root)
    assert said.count("ann\\x1b]0;") == 3
    run("silence", "add", "all", "--for", "1h", "--reason", "planned", "--lake", root)
    assert "by ann\\x1b]0;: planned" in run("silence", "list", "--lake", root)
