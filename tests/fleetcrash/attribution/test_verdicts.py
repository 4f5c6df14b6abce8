"""What is said of a fleet, from the records to the document."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from bench.attribution.outcome import same_hosts
from fleetcrash.attribution.backtest import Span, backtest, incidents
from fleetcrash.attribution.hosts import list_hosts
from fleetcrash.errors import BadArgument, LakeError, UnknownName
from fleetcrash.store import Lake
from tests.fleetcrash.worlds import World, at, lake_of

INCIDENT_KEYS = {
    "incident_id", "alarm_at", "named_at", "closed_at", "verdict", "update_id", "update_kind", "cause", "candidates",
    "condition", "evidence", "impact", "summary", "history",
}  # fmt: skip


@pytest.fixture(scope="module")
def said(outage):
    return incidents(outage.lake)


def test_the_guilty_update_is_named_and_no_other(outage, said):
    (incident,) = said["incidents"]
    assert incident["verdict"] == "update"
    assert incident["update_id"] == outage.truth["guilty"]
    assert {turn["update_id"] for turn in incident["history"]} <= {None, outage.truth["guilty"]}


def test_the_alarm_comes_within_minutes_of_the_release_and_never_before_it(outage, said):
    alarm = datetime.fromisoformat(said["incidents"][0]["alarm_at"])
    released = datetime.fromisoformat(outage.truth["released_at"])
    assert released < alarm <= released + timedelta(minutes=5)


def test_the_condition_selects_the_hosts_that_the_truth_does(outage, said):
    incident = said["incidents"][0]
    assert same_hosts(outage.lake, incident["update_id"], incident["condition"], outage.truth["condition"])


def test_a_quiet_fleet_has_no_incident(quiet):
    assert incidents(quiet.lake)["incidents"] == []


def test_the_document_has_the_contracts_keys_and_no_number_that_json_lacks(said):
    json.dumps(said, allow_nan=False)
    assert {"schema", "as_of", "exposure_source", "presence_source", "incidents"} <= said.keys()
    incident = said["incidents"][0]
    assert incident.keys() >= INCIDENT_KEYS
    states = {name: count for name, count in incident["impact"].items() if name not in ("exposed", "pending")}
    assert sum(states.values()) == incident["impact"]["exposed"]
    assert 0.9 <= incident["candidates"][0]["probability"] <= 1.0


def test_a_backtest_from_end_to_start_is_refused(outage):
    now = datetime(2024, 7, 19, tzinfo=UTC)
    with pytest.raises(BadArgument, match="is not before"):
        backtest(outage.lake, Span(now, now))


def test_unknown_names_and_states_are_refused(outage):
    with pytest.raises(UnknownName, match="no-such"):
        list_hosts(outage.lake, "no-such", as_of=None, condition=None, state=None)
    with pytest.raises(BadArgument, match="at_risk"):
        list_hosts(outage.lake, outage.truth["guilty"], as_of=None, condition=None, state="on fire")


def test_an_empty_lake_has_nothing_to_judge(tmp_path):
    with pytest.raises(LakeError, match="no record"):
        incidents(Lake.create(tmp_path / "lake"))


@pytest.mark.slow
def test_crashes_of_hosts_of_which_nobody_knows_whether_they_were_online_blame_no_update(empty_lake):
    """A lake that begins in the middle of a wave: half of the hosts have an update and crash no more than others."""
    hosts = [f"h{number}" for number in range(600)]
    order = Random(4).sample(hosts, len(hosts))
    world: World = {
        "host": [{"host_id": host, "os_type": "windows", "region": f"r{n % 5}"} for n, host in enumerate(hosts)],
        "update": [{"update_id": "agent-1", "kind": "agent", "version": "7.12", "released_at": at(0)}],
        "install": [{"host_id": host, "update_id": "agent-1", "applied_at": at(0)} for host in hosts[::2]],
        # The first beat of most comes after their crash.
        "heartbeat": [
            {"host_id": host, "at": at(minute)} for n, host in enumerate(hosts) for minute in (n / 100, n / 100 + 5)
        ],
        "crash": [
            {"crash_id": host, "host_id": host, "os_type": "windows", "occurred_at": at(n / 200)}
            for n, host in enumerate(order)
        ],
    }
    with lake_of(world, empty_lake) as lake:
        for minute in (1, 2, 3, 5, 10):
            assert all(each["update_id"] is None for each in incidents(lake, as_of=at(minute))["incidents"])
