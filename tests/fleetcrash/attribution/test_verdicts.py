"""What is said of a fleet, from the records to the document."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bench.as_of import known_by, shuffled_lake
from bench.attribution import same_hosts
from fleetcrash.attribution.backtest import Span, backtest, incidents
from fleetcrash.attribution.detector import Detector
from fleetcrash.attribution.hosts import list_hosts
from fleetcrash.attribution.news import read_news
from fleetcrash.errors import BadArgument, LakeError, UnknownName
from fleetcrash.store import Engine, Lake
from fleetcrash.times import tick_time

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


def test_an_answer_as_of_a_moment_knows_nothing_of_what_came_later(outage, said, tmp_path):
    moment = datetime.fromisoformat(said["incidents"][0]["alarm_at"]) + timedelta(minutes=31, seconds=17)
    part = shuffled_lake(tmp_path / "lake", known_by(outage.folder, moment), np.random.default_rng(5))
    assert incidents(part, as_of=moment) == incidents(outage.lake, as_of=moment)


def test_what_was_said_first_stands_as_time_goes_on(outage, said):
    last = said["incidents"][0]
    alarm = datetime.fromisoformat(last["alarm_at"])
    for minutes in (0, 1, 20):
        (incident,) = incidents(outage.lake, as_of=alarm + timedelta(minutes=minutes))["incidents"]
        assert [incident[key] for key in ("incident_id", "alarm_at")] == [last["incident_id"], last["alarm_at"]]
        assert incident["history"] == last["history"][: len(incident["history"])]


def test_a_backtest_lists_the_alarms_between_its_ends(outage, said):
    alarm = datetime.fromisoformat(said["incidents"][0]["alarm_at"])
    hour = timedelta(hours=1)
    assert backtest(outage.lake, Span(alarm, alarm + hour))["incidents"] == []
    found = backtest(outage.lake, Span(alarm - hour, alarm + hour))
    assert [one["incident_id"] for one in found["incidents"]] == [said["incidents"][0]["incident_id"]]
    assert (found["ticks"], found["step_s"]) == (120, 60)


def test_a_backtest_from_end_to_start_is_refused(outage):
    now = datetime(2024, 7, 19, tzinfo=UTC)
    with pytest.raises(BadArgument, match="is not before"):
        backtest(outage.lake, Span(now, now))


def test_ticking_on_with_what_is_new_says_the_same_as_one_run(outage, said):
    alarm_tick = int(datetime.fromisoformat(said["incidents"][0]["alarm_at"]).timestamp()) // 60
    with Engine(outage.lake, as_of=tick_time(alarm_tick - 30)) as engine:
        news = read_news(engine)
        detector = Detector(news)
        for tick in range(news.first_tick, news.last_tick + 1):
            detector.tick(tick)
        for until in range(alarm_tick - 27, alarm_tick + 30, 7):
            since = until - 7 if until > alarm_tick - 27 else alarm_tick - 30
            engine.as_of = tick_time(until)
            detector.extend(read_news(engine, after_tick=since))
            for tick in range(since + 1, until + 1):
                detector.tick(tick)
    (incident,) = detector.incidents
    assert incident.incident_id == said["incidents"][0]["incident_id"]
    assert detector.named[0] == (said["incidents"][0]["update_id"], said["incidents"][0]["condition"])


def test_hosts_are_listed_under_the_incidents_condition(outage, said):
    incident = said["incidents"][0]
    found = list_hosts(outage.lake, incident["update_id"], as_of=None, condition=None, state=None)
    assert found["condition"] == incident["condition"]
    assert {name: found["counts"][name] for name in found["counts"]} == {
        name: incident["impact"][name] for name in found["counts"]
    }
    at_risk = [host for host in found["hosts"] if host["state"] == "at_risk"]
    assert len(at_risk) == found["counts"]["at_risk"] > 0


def test_unknown_names_and_states_are_refused(outage):
    with pytest.raises(UnknownName, match="no-such"):
        list_hosts(outage.lake, "no-such", as_of=None, condition=None, state=None)
    with pytest.raises(BadArgument, match="at_risk"):
        list_hosts(outage.lake, outage.truth["guilty"], as_of=None, condition=None, state="on fire")


def test_an_empty_lake_has_nothing_to_judge(tmp_path):
    with pytest.raises(LakeError, match="no record"):
        incidents(Lake.create(tmp_path / "lake"))
