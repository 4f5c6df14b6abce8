"""What the detector says of each scenario, on a small fleet and a single day: the guilty one, and no other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.store import Lake
from ingest.load import load
from sample_data.simulator import simulate


@dataclass(frozen=True)
class Judged:
    """A scenario's truth, and what is said of it some time after its beginning."""

    truth: dict[str, Any]
    said: dict[str, Any]

    @property
    def ever_named(self) -> set[str]:
        """Every update that an incident has named at some time."""
        turns = [turn for incident in self.said["incidents"] for turn in incident["history"]]
        return {turn["update_id"] for turn in turns if turn["update_id"] is not None}


@pytest.fixture
def judged(tmp_path):
    def judge(scenario: str, *, hosts: int, seed: int, after_min: int) -> Judged:
        simulate(scenario, tmp_path / "fleet", hosts=hosts, seed=seed, days=1)
        lake = Lake.create(tmp_path / "lake")
        load(lake, [tmp_path / "fleet"], now=datetime.now(UTC))
        truth = json.loads((tmp_path / "fleet" / "truth.json").read_text())
        began = datetime.fromisoformat(truth["released_at"] or (truth.get("outages") or truth["waves"])[0]["at"])
        return Judged(truth, incidents(lake, as_of=began + timedelta(minutes=after_min)))

    return judge


@pytest.mark.slow
def test_of_two_updates_the_guilty_one_is_named_and_never_the_other(judged):
    two = judged("two-updates", hosts=1500, seed=1, after_min=30)
    (incident,) = two.said["incidents"]
    assert two.ever_named == {two.truth["guilty"]} == {incident["update_id"]}
    assert incident["condition"] == {"os_version": two.truth["condition"]["os_version"]}


@pytest.mark.slow
def test_the_agent_is_named_and_never_the_content_beside_it(judged):
    agent = judged("agent-upgrade", hosts=2000, seed=1, after_min=180)
    (incident,) = agent.said["incidents"]
    assert agent.ever_named == {agent.truth["guilty"]}
    assert (incident["update_id"], incident["update_kind"]) == (agent.truth["guilty"], "agent")


@pytest.mark.slow
def test_a_regions_power_is_told_as_a_rise_of_the_region_and_no_update_is_named(judged):
    region = judged("region-outage", hosts=1500, seed=3, after_min=60)
    (incident,) = region.said["incidents"]
    assert region.ever_named == set()
    assert (incident["verdict"], incident["cause"]) == ("no_update", "region")
    assert region.truth["outages"][0]["where"]["region"] in incident["summary"]


@pytest.mark.slow
def test_without_installs_the_update_is_named_by_its_release_and_stays_so(judged):
    untold = judged("no-installs", hosts=1000, seed=1, after_min=20)
    assert untold.said["exposure_source"] == "release"
    (incident,) = untold.said["incidents"]
    assert untold.ever_named == {untold.truth["guilty"]}
    assert [turn["verdict"] for turn in incident["history"]] == ["update", "update"]
    assert incident["condition"] == untold.truth["condition"]


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "seed"), [("two-faults", 1), ("two-faults-one-system", 3)])
def test_two_faults_at_once_are_two_incidents_each_with_its_name(judged, scenario, seed):
    two = judged(scenario, hosts=4000, seed=seed, after_min=110)
    named = [incident["update_id"] for incident in two.said["incidents"]]
    guilty = [fault["guilty"] for fault in two.truth["faults"]]
    assert (sorted(named), two.ever_named) == (sorted(guilty), set(guilty))


@pytest.mark.slow
def test_what_begins_beside_a_push_to_everybody_is_not_told_from_it(judged):
    beside = judged("wave-after-push", hosts=2000, seed=1, after_min=60)
    assert beside.ever_named == set()
    assert {incident["verdict"] for incident in beside.said["incidents"]} <= {"cannot_separate", "no_update"}
