"""A lake of crash records alone, and maybe of releases: what is not known of hosts is not told as a number."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dashboard.freshness import freshness
from dashboard.snapshot import LakeState, Snapshot
from fleetcrash.clustering import Clusters
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import GUILTY, NOW, append_rows, incident, tick

UNKNOWN = "no inventory, no installs, no presence"
_BEGUN = NOW - timedelta(hours=7)
_CRASHED_AT = [_BEGUN, *(NOW - timedelta(minutes=n * n) for n in range(15))]


def _told(root: Path, **more: list[dict[str, object]]) -> Lake:
    lake = Lake.create(root)
    crashes: list[dict[str, object]] = [
        {"crash_id": f"c{n}", "host_id": f"h{n}", "os_type": "windows", "module": "a.sys", "occurred_at": at}
        for n, at in enumerate(_CRASHED_AT)
    ]
    append_rows(lake, "crash", crashes, batch_id="crashes")
    released = {"update_id": GUILTY, "kind": "content", "channel": "291", "released_at": NOW - timedelta(hours=2)}
    append_rows(lake, "update", [released], batch_id="updates")
    for kind, rows in more.items():
        append_rows(lake, kind, rows, batch_id=kind)
    tick(lake, [incident(impact=dict.fromkeys(incident()["impact"], 0), condition=None)])
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return _told(tmp_path_factory.mktemp("alone") / "lake")


@pytest.mark.slow
def test_a_silent_minute_is_zero_and_time_before_the_first_crash_is_no_data(lake: Lake, overview):
    page = overview(lake.root)
    (line,) = [each for each in page.figures[0]["data"] if each.get("mode") == "lines+markers"]
    drawn = {datetime.fromisoformat(f"{at}+00:00"): value for at, value in zip(line["x"], line["y"], strict=True)}
    width = min(after - before for before, after in zip(list(drawn), list(drawn)[1:], strict=False))
    assert {value is None for at, value in drawn.items() if at + width / 2 <= _BEGUN} == {True}
    assert all(value is not None for at, value in drawn.items() if at - width / 2 >= _BEGUN)
    assert sum(value for value in drawn.values() if value) == len(_CRASHED_AT)
    assert 0 in drawn.values()
    shaded = [each for each in page.figures[0]["layout"]["shapes"] if each["type"] == "rect"]
    assert len(shaded) == 1  # the day before the first crash, and no gap between crashes
    assert datetime.fromisoformat(f"{shaded[0]['x1']}+00:00") <= _BEGUN
    assert "At zero nobody reported a crash; who was online is not known" in page.text


@pytest.mark.slow
def test_where_presence_is_told_a_silent_minute_without_it_stays_no_data(tmp_path: Path, overview):
    online = {"host_id": "h1", "online_from": NOW - timedelta(hours=1), "online_until": NOW - timedelta(minutes=30)}
    page = overview(_told(tmp_path / "lake", session=[online]).root)
    shaded = [each for each in page.figures[0]["layout"]["shapes"] if each["type"] == "rect"]
    assert len(shaded) > 1
    assert "who was online is not known" not in page.text


def test_the_overview_counts_nobody_as_at_risk_or_online(lake: Lake, overview):
    page = overview(lake.root)
    assert "At risk, dark not known" in page.text
    assert f"Which hosts have it is not known: {UNKNOWN}" in page.text
    assert "--state" not in page.text
    assert "nobody tells who was online" in page.text
    assert f"Crash rate by update Who has an update is not known: {UNKNOWN}." in page.text
    assert f"not rated, for host-time is not known: {UNKNOWN}" in page.text


@pytest.mark.variants
@pytest.mark.parametrize("asked", [{"update": GUILTY}, {"channel": "291"}])
def test_nothing_is_said_of_hosts_exposed_to_an_update(lake: Lake, overview, view, asked: dict[str, str]):
    page = overview(lake.root, **asked)
    assert f"Hosts crashed (filtered) – who has an update is not known: {UNKNOWN}" in page.text
    assert "Nobody was online" not in page.text
    assert "No crash here" not in page.text
    assert "Who has an update is not known" in view("clusters", lake.root, **asked).text
    assert "Nobody crashed" not in view("clusters", lake.root, **asked).text


def test_lines_by_update_are_not_known_rather_than_empty(lake: Lake, overview):
    page = overview(lake.root, by="update")
    assert f"Who has an update is not known: {UNKNOWN}. So nothing can be said" in page.text
    assert "Nobody reported a crash" not in page.text


@pytest.mark.slow
def test_a_host_is_neither_offline_nor_unexposed(lake: Lake, view):
    page = view("host", lake.root, id="h3")
    assert "its newest record; whether it is online is not known" in page.text
    assert "When it was online is not known" in page.text
    assert f"By {GUILTY} not known whether it has the update: {UNKNOWN}" in page.text
    assert "not known: no installs are recorded" in page.text
    for claimed in ("offline since", "silent since", "never exposed"):
        assert claimed not in page.text


@pytest.mark.slow
def test_a_host_of_the_inventory_without_presence_is_not_said_to_be_offline(tmp_path: Path, view):
    host = {"host_id": "h3", "os_type": "windows", "always_on": True}
    other = {"host_id": "h4", "online_from": NOW - timedelta(hours=1)}
    page = view("host", _told(tmp_path / "lake", host=[host], session=[other]).root, id="h3")
    assert "whether it is online is not known" in page.text
    assert "silent since" not in page.text
    assert "online as of" in view("host", tmp_path / "lake", id="h4").text


@pytest.mark.slow
def test_the_incident_tells_no_number_of_hosts_that_nobody_knows(lake: Lake, view):
    page = view("incident", lake.root, id=incident()["incident_id"])
    assert f"At risk, recovered, dark – not known: {UNKNOWN}" in page.text
    assert page.table("Evidence")["Hosts exposed"][1] == "not known"
    assert page.table("Evidence")["Hosts gone dark"][1] == "not known"
    assert f"of all hosts, for who has {GUILTY} is not known" in page.text
    assert "a.sys" in " ".join(page.table("Crash clusters of the incident")["1"])
    assert f"Hosts by state Not known: {UNKNOWN}" in page.text
    assert "the hosts that crashed within a day stand for the fleet" in page.text
    for claimed in ("may still get it", "count as exposed since release", "has reached no host", "for 24 hours"):
        assert claimed not in page.text


def test_updates_and_clusters_say_what_is_not_known(lake: Lake, view):
    listed = view("updates", lake.root)
    assert f"Who has one is not known: {UNKNOWN}." in listed.text
    of_hosts = listed.table("Updates")[GUILTY][7:]
    assert of_hosts
    assert set(of_hosts) == {"–"}
    one = view("updates", lake.root, id=GUILTY)
    assert "Who has it is not known" in one.text
    assert "Installs none recorded" in one.text
    for claimed in ("none was exposed", "No host has it", "At risk 0"):
        assert claimed not in one.text
    with Engine(lake) as engine:
        cluster_id = Clusters(engine).list()[0].cluster_id
    cluster = view("cluster", lake.root, id=cluster_id)
    assert "nobody tells who was online" in cluster.text
    assert "0 online" not in cluster.text


def test_minutes_without_a_crash_are_no_silent_feed(lake: Lake, view):
    assert "it may be that nobody crashed" in view("health", lake.root).text
    fleet = {"crashes": 3, "hosts_known": 0, "has_presence": False, "has_installs": False, "last_batch_at": NOW}
    snapshot = Snapshot(1, LakeState.READY, lake.root, as_of=NOW, fleet=fleet)
    later = NOW + timedelta(minutes=9)
    assert not freshness(snapshot, later).silent
    told = Snapshot(1, LakeState.READY, lake.root, as_of=NOW, fleet={**fleet, "has_presence": True})
    assert freshness(told, later).silent
