"""A dry run says what a load would say, and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleetcrash.store import Lake
from ingest.load import dry_run, load
from ingest.report import IncompleteLoad, LoadReport
from tests.ingest.conftest import NOW, line, write

LINES = [line("crash"), line("crash", code="0x7e"), line("install"), line("host"), line("crash", os_type="beos"), b"{"]


def without_time(report: LoadReport) -> LoadReport:
    return replace(report, seconds=0.0)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr("ingest.ndjson.BATCH_BYTES", 700)


@pytest.mark.slow
def test_it_says_what_the_load_says_and_leaves_the_lake_as_it_is(lake, tmp_path):
    load(lake, [write(tmp_path / "before.ndjson", [line("crash", crash_id="c2"), line("host")])], now=NOW)
    path = write(tmp_path / "in.ndjson", [*LINES, line("crash", crash_id="c2"), *LINES])
    before = contents(lake.root)
    said = dry_run(lake, [path], now=NOW)
    assert contents(lake.root) == before
    assert without_time(load(lake, [path], now=NOW)) == without_time(said)
    assert said.read == said.accepted + said.duplicates + said.quarantined == 13
    assert without_time(dry_run(lake, [path], now=NOW)) == without_time(load(lake, [path], now=NOW))


@pytest.mark.slow
def test_it_needs_no_lake_and_makes_none(tmp_path):
    path = write(tmp_path / "in.ndjson", LINES)
    said = dry_run(None, [path], now=NOW)
    assert list(tmp_path.iterdir()) == [path]
    assert without_time(load(Lake.create(tmp_path / "lake"), [path], now=NOW)) == without_time(said)


def test_what_cannot_be_read_is_said_as_by_a_load(lake, tmp_path):
    with pytest.raises(IncompleteLoad, match="does not exist"):
        dry_run(lake, [tmp_path / "missing.ndjson"], now=NOW)
