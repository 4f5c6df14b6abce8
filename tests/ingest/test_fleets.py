"""Whole fleets load without a record put aside, however they are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest.load import load
from tests.ingest.conftest import rows_of

FLEETS = Path(os.environ.get("FLEETCRASH_FLEETS", Path(__file__).parents[3] / "shared" / "fleets"))


def test_a_fleet_loads_without_a_quarantined_record(lake):
    from datetime import UTC, datetime

    if not FLEETS.is_dir():
        pytest.skip(f"no fleets in {FLEETS}; FLEETCRASH_FLEETS names another folder")
    fleet = min((each for each in FLEETS.iterdir() if each.is_dir()), key=lambda each: each.name)
    report = load(lake, [fleet], now=datetime.now(UTC))
    assert report.quarantined == 0
    assert report.read == report.accepted + report.duplicates
    assert report.accepted > 100_000
    assert sum(len(rows_of(lake, kind)) for kind in ("update", "session", "host", "crash")) > 20_000
