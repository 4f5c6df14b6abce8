"""The fleet of the demo, from the release to an hour after the withdrawal: one outage, one incident, one name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.store import Lake
from ingest.load import load
from sample_data.sample import SAMPLE

AN_HOUR_AFTER = datetime(2024, 7, 19, 6, 30, tzinfo=UTC)


@pytest.mark.slow
def test_the_outage_of_the_sample_is_one_incident_from_release_to_withdrawal(tmp_path: Path):
    truth = json.loads((SAMPLE / "truth.json").read_text())
    lake = Lake.create(tmp_path / "lake")
    load(lake, [SAMPLE], now=datetime.now(UTC))
    (incident,) = incidents(lake, as_of=AN_HOUR_AFTER)["incidents"]
    assert incident["update_id"] == truth["guilty"]
    assert incident["condition"] == truth["condition"]
    assert {entry["update_id"] for entry in incident["history"]} <= {None, truth["guilty"]}
