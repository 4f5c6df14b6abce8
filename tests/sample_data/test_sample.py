"""Where a demo finds its fleet, and where in it it begins."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta

import pytest

from fleetcrash.errors import UnknownName
from sample_data import sample
from sample_data.sample import SAMPLE, SAMPLE_SCENARIO, folder_of, opening_of
from sample_data.simulator import scenario_names


@pytest.fixture
def few_hosts(monkeypatch):
    monkeypatch.setattr(sample, "DEMO_HOSTS", 50)


def test_the_sample_comes_along(tmp_path):
    assert folder_of(SAMPLE_SCENARIO, cache=tmp_path) == SAMPLE
    assert list(tmp_path.iterdir()) == []


def test_another_scenario_is_simulated_once_and_anew_when_the_simulator_is_younger(tmp_path, few_hosts):
    told, steps = [], []

    def on_first_use(folder):
        told.append(folder)
        return lambda done, total: steps.append((done, total))

    for _ in range(2):
        assert folder_of("two-updates", cache=tmp_path, on_first_use=on_first_use) == tmp_path / "two-updates"
    assert told == [tmp_path / "two-updates"]
    assert steps == [(step, 5) for step in range(1, 6)]
    assert json.loads((told[0] / "truth.json").read_text())["hosts"] == 50

    os.utime(told[0] / "truth.json", (1, 1))
    folder_of("two-updates", cache=tmp_path, on_first_use=on_first_use)
    assert len(told) == 2


@pytest.mark.parametrize(
    "name",
    [
        "",
        "outage",
        "..",
        "../quiet",
        "/etc/passwd",
        "quiet/../quiet",
        "quiet.toml",
        "shared/enterprise",
        "a\nb",
        "Quiet",
    ],
)
def test_what_is_no_scenario_is_answered_in_one_line_with_those_there_are(tmp_path, name):
    with pytest.raises(UnknownName) as refused:
        folder_of(name, cache=tmp_path)
    assert "\n" not in str(refused.value)
    assert ", ".join(scenario_names()) in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scenario", ["agent-upgrade", "no-installs", "region-outage", "two-updates"])
def test_a_demo_begins_ten_minutes_before_what_matters(simulated, scenario):
    fleet = simulated(scenario, 1)
    matters = fleet.truth["released_at"] or fleet.truth["outages"][0]["at"]
    assert opening_of(fleet.folder) == datetime.fromisoformat(matters) - timedelta(minutes=10)


def test_a_demo_of_a_quiet_fleet_begins_with_the_judged_day(simulated):
    fleet = simulated("quiet", 1)
    assert opening_of(fleet.folder) == datetime.fromisoformat(fleet.truth["from"])
