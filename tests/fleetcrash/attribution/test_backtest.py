"""Nothing that is said of T depends on what came after T, on the order of arrival, or on how often somebody looked.

One simulated outage, looked at at a few moments: before the alarm, while the incident is open, after the withdrawal.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bench.as_of import known_by, shuffled_lake
from fleetcrash.attribution.backtest import Span, backtest, incidents
from fleetcrash.attribution.detection import course
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hosts import list_hosts
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.reporting.impact import HOST_COLUMNS, State
from fleetcrash.attribution.reporting.report import document
from fleetcrash.errors import BadArgument, LakeError, UnknownName
from fleetcrash.store import Engine, Lake
from fleetcrash.times import parse_time, time_text
from ingest.load import load
from sample_data.simulator import simulate
from tests.dashboard import fleet
from tests.fleetcrash.live import followed
from tests.fleetcrash.short import short_outage

JSON = dict[str, Any]

HOSTS, SEED = 450, 5
RELEASED = datetime(2024, 7, 19, 4, 9, tzinfo=UTC)


def _moments() -> list[datetime]:
    rng = np.random.default_rng(20260304)
    minutes = np.concatenate([rng.uniform(-55, 0, 2), rng.uniform(4, 78, 2), rng.uniform(90, 150, 1)])
    return [RELEASED + timedelta(seconds=round(60 * minute)) for minute in sorted(minutes)]


MOMENTS = _moments()


@dataclass(frozen=True)
class Outage:
    """The records, the lake that holds all of them, and what is said of each moment, once it is asked for."""

    folder: Path
    lake: Lake
    _said: dict[datetime, JSON] = field(default_factory=dict)

    def said(self, moment: datetime) -> JSON:
        if moment not in self._said:
            self._said[moment] = incidents(self.lake, as_of=moment)
        return self._said[moment]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Outage:
    folder = tmp_path_factory.mktemp("short") / "records"
    simulate("channel-file-291", folder, hosts=HOSTS, seed=SEED, days=1)
    _add_a_crash(folder / "crash.parquet", RELEASED - timedelta(minutes=80))
    lake = Lake.create(folder.parent / "lake")
    load(lake, [folder], now=datetime.now(UTC))
    return Outage(folder, lake)


def _add_a_crash(path: Path, moment: datetime) -> None:
    """An ordinary crash before the outage: judging begins an hour before the first one."""
    table = pq.read_table(path)
    first = {**table.slice(0, 1).to_pylist()[0], "crash_id": "ordinary", "occurred_at": moment, "received_at": moment}
    pq.write_table(pa.concat_tables([pa.Table.from_pylist([first], table.schema), table]), path)


def _told(folder: Path, moment: datetime) -> dict[str, pa.Table]:
    """The records that were known by a moment, as they would have been told then: no end that nobody knew of."""
    tables = known_by(folder, moment)
    for kind, column, known_after in (("session", "online_until", 10), ("update", "reverted_at", 0)):
        table = tables[kind]
        ends = table[column]
        seen = pc.less_equal(ends, pa.scalar(moment - timedelta(minutes=known_after), ends.type))
        kept = pc.if_else(pc.fill_null(seen, False), ends, pa.scalar(None, ends.type))
        tables[kind] = table.set_column(table.column_names.index(column), column, kept)
    return tables


@pytest.mark.slow
def test_the_moments_are_spread_over_the_course_of_the_outage(simulated):
    every = [simulated.said(moment) for moment in MOMENTS]
    open_then = [bool(said["incidents"]) for said in every]
    assert (open_then.count(False), open_then.count(True)) == (2, 3)
    assert {one["verdict"] for said in every for one in said["incidents"]} == {"update"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 4])
def test_what_is_said_of_a_moment_needs_only_what_was_known_by_it_in_any_order(simulated, tmp_path, number):
    moment = MOMENTS[number]
    then = shuffled_lake(tmp_path / "lake", _told(simulated.folder, moment), np.random.default_rng(number))
    assert incidents(then, as_of=moment) == simulated.said(moment)


@pytest.mark.slow
def test_what_was_said_once_stays_as_time_goes_on(simulated):
    for earlier, later in itertools.pairwise(MOMENTS):
        then, now = (simulated.said(moment)["incidents"] for moment in (earlier, later))
        by_id = {incident["incident_id"]: incident for incident in now}
        for incident in then:
            same = by_id.pop(incident["incident_id"])
            assert same["alarm_at"] == incident["alarm_at"]
            assert incident["named_at"] in (None, same["named_at"])
            assert same["history"][: len(incident["history"])] == incident["history"]
        # An alarm that is new to the later look came after the earlier one.
        assert all(parse_time(incident["alarm_at"]) > earlier for incident in by_id.values())


@pytest.mark.slow
def test_word_of_a_replacement_that_arrives_late_makes_no_difference_to_who_looked_before_it(tmp_path):
    """Half of the hosts take the fix after thirty minutes and say so after seventy-five; somebody looked at seventy."""
    lake = short_outage(tmp_path / "lake")
    fixed, told = fleet.RELEASED + timedelta(minutes=30), fleet.RELEASED + timedelta(minutes=75)
    fix = {"update_id": "fix", "kind": "content", "channel": "291", "released_at": fixed}
    fleet.append_rows(lake, "update", [fix], batch_id="fix")
    hosts = [f"host-{number:02d}" for number in range(0, 60, 2)]
    installs = [{"host_id": h, "update_id": "fix", "applied_at": fixed, "received_at": told} for h in hosts]
    fleet.append_rows(lake, "install", installs, batch_id="fix")
    *_, said = followed(lake, [fleet.RELEASED + timedelta(minutes=70), fleet.NOW])
    assert said == incidents(lake)


@pytest.mark.slow
def test_word_of_a_replacement_that_is_not_there_yet_changes_nothing(tmp_path):
    """Until it arrives, hosts are held to have the update still, whether the lake holds the word already or not."""
    fixed, told = fleet.RELEASED + timedelta(minutes=5), fleet.RELEASED + timedelta(minutes=80)
    judged = fleet.RELEASED + timedelta(minutes=59)
    without, holding = short_outage(tmp_path / "without"), short_outage(tmp_path / "holding")
    fix = {"update_id": "fix", "kind": "content", "channel": "291", "released_at": fixed, "received_at": told}
    fleet.append_rows(holding, "update", [fix], batch_id="fix")
    hosts = [f"host-{number:02d}" for number in range(60)]
    installs = [{"host_id": h, "update_id": "fix", "applied_at": fixed, "received_at": told} for h in hosts]
    fleet.append_rows(holding, "install", installs, batch_id="fix")
    with Engine(holding) as engine:
        detector = Detector(read_news(engine))
        for tick in range(detector.news.first_tick, int(judged.timestamp()) // 60 + 1):
            detector.tick(tick)
        engine.as_of = judged
        said = document(engine, detector, judged, detector.incidents)
    assert said == incidents(without, as_of=judged)


@pytest.mark.slow
def test_an_incident_of_silent_servers_stays_when_the_first_crash_is_reported(tmp_path):
    """Servers go dark, nothing is reported as a crash for hours, and then something is, elsewhere."""
    lake = _dark_servers(tmp_path / "lake", crash_at=fleet.RELEASED + timedelta(hours=2))
    earlier, later = (incidents(lake, as_of=fleet.RELEASED + timedelta(hours=hours)) for hours in (1, 2.5))
    assert [incident["update_id"] for incident in earlier["incidents"]] == [fleet.GUILTY]
    kept = ("incident_id", "alarm_at", "named_at")
    assert [[incident[key] for key in kept] for incident in later["incidents"]] == [
        [incident[key] for key in kept] for incident in earlier["incidents"]
    ]


def test_an_inventory_that_comes_late_changes_nothing_that_was_said_before_it(tmp_path):
    """A few of 2,000 laptops crash in the course of a day, and then all are told of, in the midst of their sessions."""
    lake = Lake.create(tmp_path / "lake")
    hosts, random = [f"laptop-{number:04d}" for number in range(2000)], Random(1)
    began, told = fleet.RELEASED, fleet.RELEASED + timedelta(days=1)
    crashed = {host: began + timedelta(days=random.random()) for host in hosts[:48]}
    crashes = [{"crash_id": h, "host_id": h, "os_type": "windows", "occurred_at": at} for h, at in crashed.items()]
    fleet.append_rows(lake, "session", [{"host_id": host, "online_from": began} for host in hosts])
    fleet.append_rows(lake, "crash", crashes)
    fleet.append_rows(lake, "update", [{"update_id": "u", "kind": "content", "channel": "1", "released_at": began}])
    fleet.append_rows(lake, "install", [{"host_id": h, "update_id": "u", "applied_at": began} for h in hosts])
    fleet.append_rows(lake, "host", [{"host_id": host, "os_type": "windows", "seen_at": told} for host in hosts])
    before, after = (incidents(lake, as_of=told + timedelta(minutes=minute)) for minute in (-1, 5))
    assert after["incidents"] == before["incidents"] == []


@pytest.mark.slow
def test_it_is_calm_while_servers_are_dark_and_over_once_they_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "_MISSED_MINUTES", 180)
    lake = _dark_servers(tmp_path / "lake", crash_at=fleet.RELEASED + timedelta(hours=5))
    raised, dark, over = (
        incidents(lake, as_of=fleet.RELEASED + timedelta(hours=hours))["incidents"][0] for hours in (1, 2.5, 5)
    )
    assert (raised["calm_since"], raised["closed_at"]) == (None, None)
    assert dark["closed_at"] is None
    assert parse_time(dark["calm_since"]) < fleet.RELEASED + timedelta(hours=2.5)
    assert over["calm_since"] == dark["calm_since"]
    given_up = parse_time(over["closed_at"]) - fleet.RELEASED
    assert timedelta(hours=3) < given_up <= timedelta(hours=3.5)


def _dark_servers(path: Path, *, crash_at: datetime) -> Lake:
    lake = Lake.create(path)
    servers = [f"server-{number:02d}" for number in range(60)]
    fleet.append_rows(lake, "host", [{"host_id": host, "os_type": "linux", "always_on": True} for host in servers])
    update = {"update_id": fleet.GUILTY, "kind": "content", "channel": "291", "released_at": fleet.RELEASED}
    fleet.append_rows(lake, "update", [update])
    installs, sessions = [], []
    for number, host in enumerate(servers):
        applied, hit = fleet.RELEASED + timedelta(minutes=number % 10), number < 30
        if hit:
            installs.append({"host_id": host, "update_id": fleet.GUILTY, "applied_at": applied})
        ends = applied + timedelta(minutes=1) if hit else None
        sessions.append({"host_id": host, "online_from": fleet.START, "online_until": ends})
    fleet.append_rows(lake, "install", installs)
    fleet.append_rows(lake, "session", sessions)
    crash = {"crash_id": "c", "host_id": servers[40], "os_type": "linux", "occurred_at": crash_at}
    fleet.append_rows(lake, "crash", [crash])
    return lake


# -- spans


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Lake:
    """Sixty hosts, fourteen hours, one outage."""
    return short_outage(tmp_path_factory.mktemp("small") / "lake")


@pytest.fixture(scope="module")
def said_of_small(small) -> JSON:
    return incidents(small)


@pytest.mark.slow
def test_an_incident_is_listed_when_its_alarm_is_after_the_start_and_not_after_the_end(small, said_of_small):
    (incident,) = said_of_small["incidents"]
    alarm = parse_time(incident["alarm_at"])
    second, hour = timedelta(seconds=1), timedelta(hours=1)

    def listed(since: datetime, until: datetime) -> list[str]:
        return [one["incident_id"] for one in backtest(small, Span(since, until))["incidents"]]

    assert listed(alarm - hour, alarm) == listed(alarm - second, alarm + hour) == [incident["incident_id"]]
    assert listed(alarm - hour, alarm - second) == listed(alarm, alarm + hour) == []


def test_a_backtest_from_the_first_record_is_what_is_said_at_its_end(small, said_of_small):
    found = backtest(small, Span())
    assert {key: found[key] for key in said_of_small} == said_of_small
    assert found["to"] == said_of_small["as_of"]
    assert found["ticks"] == (parse_time(found["to"]) - parse_time(found["from"])) // timedelta(minutes=1)
    early = fleet.NOW - timedelta(hours=1)
    assert backtest(small, Span(until=early))["incidents"] == incidents(small, as_of=early)["incidents"]


def test_records_before_the_start_are_history(small, said_of_small):
    """What is judged is the same, however late the listing starts."""
    since = fleet.RELEASED
    assert backtest(small, Span(since=since))["incidents"] == said_of_small["incidents"]


@pytest.mark.slow
def test_looking_less_often_finds_the_same_a_little_later(small, said_of_small):
    (often,) = said_of_small["incidents"]
    found = backtest(small, Span(step_minutes=20))
    (seldom,) = found["incidents"]
    assert found["step_s"] == 1200
    hour = fleet.NOW.replace(minute=0, second=0, microsecond=0)
    halves = Span(hour - timedelta(minutes=30), hour + timedelta(minutes=10), step_minutes=60)
    assert backtest(small, halves)["ticks"] == 1  # at the full hour
    assert seldom["update_id"] == often["update_id"]
    late = parse_time(seldom["alarm_at"]) - parse_time(often["alarm_at"])
    assert timedelta(0) <= late < timedelta(minutes=20)
    assert parse_time(seldom["alarm_at"]).minute % 20 == 0


@pytest.mark.variants
@pytest.mark.parametrize("step", [1, 3, 5, 7])
def test_an_older_incident_is_judged_anew_at_the_first_look_of_every_five_minutes(small, step, monkeypatch):
    judged: list[int] = []
    follow = Detector._follow

    def noting(self: Detector, incident: Incident, tick: int) -> None:
        judged.append(tick)
        follow(self, incident, tick)

    monkeypatch.setattr(Detector, "_follow", noting)
    said = backtest(small, Span(step_minutes=step))
    (alarm,) = (int(parse_time(one["alarm_at"]).timestamp()) // 60 for one in said["incidents"])
    later = sorted({tick for tick in judged if tick - alarm > 90})  # before that at every look with a crash
    looks = [tick for tick in range(alarm + 91, later[-1] + 1) if tick % step == 0]
    assert len(later) > 3
    assert later == [tick for tick in looks if tick // 5 > (tick - step) // 5]


@pytest.mark.slow
def test_ticks_are_whole_minutes(small, said_of_small):
    (incident,) = said_of_small["incidents"]
    alarm = parse_time(incident["alarm_at"])
    assert alarm.second == alarm.microsecond == 0
    almost = alarm - timedelta(microseconds=1)
    assert incidents(small, as_of=almost)["incidents"] == []
    assert [one["alarm_at"] for one in incidents(small, as_of=alarm)["incidents"]] == [incident["alarm_at"]]


@pytest.mark.parametrize("step", [0, -1])
def test_a_step_of_less_than_a_minute_is_bad_use(small, step):
    with pytest.raises(BadArgument, match="too short"):
        backtest(small, Span(step_minutes=step))


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_span_that_ends_before_it_begins_is_bad_use(small, seconds):
    with pytest.raises(BadArgument, match="is not before"):
        backtest(small, Span(fleet.NOW, fleet.NOW + timedelta(seconds=seconds)))


def test_so_is_one_that_begins_after_the_newest_record(small):
    with pytest.raises(BadArgument, match=r"--from 2\d+-\S+Z is not before the newest record, of 2\d+-\S+Z\."):
        backtest(small, Span(fleet.NOW + timedelta(days=365)))


def test_a_moment_before_every_record_has_no_incident(small):
    said = incidents(small, as_of=fleet.START - timedelta(days=1000))
    assert said["incidents"] == []
    assert (said["exposure_source"], said["presence_source"]) == ("none", "assumed")


def test_without_an_event_there_is_no_minute_to_judge(tmp_path):
    """Sessions and installs may reach back months; there is nothing to hold against them."""
    lake = fleet.outage(tmp_path / "lake", crashes=False)
    with Engine(lake) as engine:
        news = read_news(engine)
    assert (news.first_tick, len(news.exposed.tick)) == (news.last_tick + 1, 0)
    assert incidents(lake)["incidents"] == []
    found = backtest(lake, Span())
    assert (found["from"], found["ticks"], found["incidents"]) == (found["to"], 0, [])


# -- documents

INCIDENTS_KEYS = {"schema", "as_of", "exposure_source", "presence_source", "incidents"}
INCIDENT_KEYS = {
    "incident_id", "alarm_at", "named_at", "closed_at", "verdict", "update_id", "update_kind", "cause", "candidates",
    "condition", "evidence", "impact", "summary", "history",
}  # fmt: skip
EVIDENCE_KEYS = {"crashes", "hosts_crashed", "hosts_exposed", "hosts_dark", "rate_ratio", "log_evidence"}
IMPACT_KEYS = {"exposed", "recovered", "dark", "crashed", "cleared", "at_risk", "pending"}
CAUSES = {"region", "site", "host", "module", "backlog", "clock", "other", None}


def _is_sound(incident: JSON) -> None:
    """The contract's keys, and what must hold between them."""
    assert incident.keys() >= INCIDENT_KEYS
    assert incident["verdict"] in ("update", "no_update", "cannot_separate", "undetermined")
    named = incident["verdict"] == "update"
    assert (incident["update_id"] is not None) == (incident["update_kind"] is not None) == named
    assert incident["cause"] in CAUSES
    assert named or incident["condition"] is None
    assert incident["evidence"].keys() >= EVIDENCE_KEYS
    ratio = incident["evidence"]["rate_ratio"]
    assert ratio["low"] <= ratio["estimate"]
    assert ratio["high"] is None or ratio["estimate"] <= ratio["high"]
    impact = incident["impact"]
    assert impact.keys() == IMPACT_KEYS
    assert impact["exposed"] == sum(impact[state] for state in IMPACT_KEYS - {"exposed", "pending"})
    assert incident["evidence"]["hosts_exposed"] == impact["exposed"]
    ranked = [(-row["probability"], row["update_id"]) for row in incident["candidates"]]
    assert ranked == sorted(ranked)
    assert sum(row["probability"] for row in incident["candidates"]) <= 1.0 + 1e-5
    turns = incident["history"]
    assert turns
    assert turns[0]["at"] == incident["alarm_at"]
    assert [turn["at"] for turn in turns] == sorted({turn["at"] for turn in turns})
    last = {key: turns[-1][key] for key in ("verdict", "update_id", "condition")}
    assert last == {key: incident[key] for key in last}
    first_named = [turn["at"] for turn in turns if turn["verdict"] == "update"]
    assert incident["named_at"] == (first_named[0] if first_named else None)
    for one, other in itertools.pairwise(turns):
        assert {**one, "at": None} != {**other, "at": None}, "an entry of the history is a change"
    assert incident["summary"]
    assert "\n" not in incident["summary"]


def _is_a_sound_document(said: JSON) -> None:
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert said["schema"] == 1
    assert said.keys() >= INCIDENTS_KEYS
    assert parse_time(said["as_of"])  # type: ignore[truthy-bool]
    for incident in said["incidents"]:
        _is_sound(incident)


def test_an_incidents_document_is_json_with_the_contracts_keys(said_of_small):
    _is_a_sound_document(said_of_small)


@pytest.mark.slow
def test_so_is_that_of_every_moment_of_an_outage(simulated):
    for said in map(simulated.said, MOMENTS):
        _is_a_sound_document(said)


def test_a_backtest_document_is_json_with_the_contracts_keys(small):
    found = backtest(small, Span(since=fleet.START, step_minutes=60))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found.keys() >= {*INCIDENTS_KEYS, "from", "to", "step_s", "ticks", "seconds"}
    assert found["from"] == time_text(fleet.START)
    for incident in found["incidents"]:
        _is_sound(incident)


@pytest.mark.slow
def test_a_hosts_document_is_json_and_its_counts_are_those_of_its_hosts(small):
    found = list_hosts(small, fleet.GUILTY, as_of=None, condition={"os_type": "windows"}, state=None)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found.keys() == {"schema", "as_of", "update_id", "condition", "counts", "hosts"}
    assert found["condition"] == {"os_type": "windows"}
    assert found["counts"].keys() == set(State)
    for row in found["hosts"]:
        assert row.keys() == set(HOST_COLUMNS)
        assert row["os_type"] == "windows"
        assert (row["installed_at"] is None) == (row["state"] == "pending")
        for name in ("installed_at", "crashed_at", "last_seen_at"):
            assert row[name] is None or (row[name].endswith("Z") and parse_time(row[name]) <= fleet.NOW)
    for state in State:
        of_state = list_hosts(small, fleet.GUILTY, as_of=None, condition={"os_type": "windows"}, state=state.value)
        assert of_state["hosts"] == [row for row in found["hosts"] if row["state"] == state]
        assert of_state["counts"] == found["counts"]
        assert len(of_state["hosts"]) == found["counts"][state]


@pytest.mark.slow
def test_hosts_are_by_default_those_that_the_incident_says(simulated):
    moment = MOMENTS[-1]
    (incident,) = simulated.said(moment)["incidents"]
    assert incident["condition"] is not None
    found = list_hosts(simulated.lake, incident["update_id"], as_of=moment, condition=None, state=None)
    assert found["condition"] == incident["condition"]
    assert {**found["counts"], "exposed": incident["impact"]["exposed"]} == incident["impact"]


def test_hosts_of_an_update_that_nobody_blames_are_all_its_hosts(small):
    told: list[tuple[int, int]] = []
    found = list_hosts(
        small, fleet.INNOCENT, as_of=None, condition=None, state=None, progress=lambda *done: told.append(done)
    )
    assert 0 < len(told) <= told[-1][1] // 60 + 1
    assert found["condition"] is None
    assert sum(found["counts"].values()) == 60


def test_an_update_that_is_not_known_yet_is_an_unknown_name(small):
    before = fleet.RELEASED - timedelta(minutes=1)
    with pytest.raises(UnknownName, match=rf"{fleet.GUILTY}.*as of {time_text(before)}"):
        list_hosts(small, fleet.GUILTY, as_of=before, condition={}, state=None)
    for name in ("nobody", "", "x'; --"):
        with pytest.raises(UnknownName):
            list_hosts(small, name, as_of=None, condition={}, state=None)


@pytest.mark.parametrize("condition", [[], {"os": "x"}, {"agent_version": "<=7"}])
def test_a_condition_that_is_none_is_bad_use(small, condition):
    with pytest.raises(BadArgument):
        list_hosts(small, fleet.GUILTY, as_of=None, condition=condition, state=None)


def test_a_lake_without_a_record_has_nothing_to_say(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    for ask in (incidents, lambda lake: backtest(lake, Span())):
        with pytest.raises(LakeError, match="no record"):
            ask(lake)
