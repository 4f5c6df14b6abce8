"""From a cluster to a host to one crash report, each with its own link; what is not there is said."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from fleetcrash.clustering import Clusters
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import GUILTY, NOW, START, append_rows, incident, outage, tick

HOSTILE = ["", "nobody", "<script>alert(1)</script>", "\u202e\u05d0bc \U0001f980", "' OR true --", "x" * 128]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = outage(tmp_path_factory.mktemp("drill") / "lake")
    row = {
        "crash_id": "<b>&\u05d0",
        "host_id": "host-09",
        "os_type": "windows",
        "occurred_at": NOW - timedelta(minutes=5),
    }
    frames = [
        {"module": "nt", "function": "KeBugCheckEx", "offset": 1},
        {"module": "<i>evil.sys", "function": None, "offset": 66},
    ]
    said = {"code": "0x50", "module": "<i>evil.sys", "tags": {"<u>": "</u>"}, "content": {"291": "32"}}
    said |= {"os_version": "10\u202e", "os_build": "b" * 500}
    append_rows(lake, "crash", [{**row, **said, "frames": frames}], batch_id="hostile")
    tick(lake, [incident()])
    return lake


@pytest.fixture(scope="module")
def cluster_id(lake: Lake) -> str:
    with Engine(lake) as engine:
        return Clusters(engine).list()[0].cluster_id


@pytest.mark.slow
def test_clusters_lead_to_their_pages_and_carry_the_filters(lake: Lake, cluster_id: str, view):
    page = view("clusters", lake.root, os="windows")
    assert "3 of 3 clusters (3 new), most hosts first." in page.text
    assert f'href="cluster?os=Windows&amp;id={cluster_id}"' in page.markup
    assert "1 of 5 clusters" in view("clusters", lake.root, find="EVIL sys").text
    assert "None of the 5 clusters has that title and state" in view("clusters", lake.root, state="back again").text
    assert "Nobody crashed" in view("clusters", lake.root, agent="99").text


@pytest.mark.parametrize("chosen", [({"os": "darwin"}, {"os": "linux"}), ({"find": "csagent"}, {"find": "evil"})])
def test_of_as_many_other_clusters_the_file_is_another(chosen, lake: Lake, view):
    found = []
    for filters in chosen:
        page = view("clusters", lake.root, **filters)
        assert len(page.rows("Crash clusters")) == 1
        found.append(page.files("crash-clusters"))
    assert len({*found[0], *found[1]}) == 4, "CSV and Parquet of each"


@pytest.mark.slow
def test_a_cluster_says_since_when_after_what_and_whom_it_hits(lake: Lake, cluster_id: str, view):
    page = view("cluster", lake.root, id=cluster_id)
    assert f"after {GUILTY} was installed on that host" in page.text
    for title in (
        "Stack of crash",
        "Why it is in this cluster",
        "Variants",
        "By agent version",
        "By OS build",
        "Hosts",
    ):
        assert title in page.text
    with Engine(lake) as engine:
        known = Clusters(engine).one(cluster_id)
    assert f"{known.crashes} in the time range and the filters, of {known.crashes} in all" in page.text
    narrowed = view("cluster", lake.root, id=cluster_id, agent="7.11.200")
    assert f"Showing only agent 7.11.200. {known.title}" in narrowed.text
    inside = int(narrowed.text.split("Crashes ")[-1].split()[0])
    assert 0 < inside < known.crashes


def test_a_cluster_leads_to_the_incident_that_names_what_came_before_it(tmp_path: Path, cluster_id: str, view):
    lake = outage(tmp_path / "lake")
    tick(lake, [incident(closed_at=(NOW - timedelta(minutes=5)).isoformat())])
    page = view("cluster", lake.root, id=cluster_id)
    assert f"An incident names {GUILTY}: {GUILTY} crashed Windows hosts, agent ≥ 7.11" in page.text
    assert 'href="incident?id=inc-0001"' in page.markup


def test_a_cluster_after_other_updates_leads_to_no_incident(tmp_path: Path, cluster_id: str, view):
    lake = outage(tmp_path / "lake")
    tick(lake, [incident(update_id="another", candidates=[])])
    assert "An incident names" not in view("cluster", lake.root, id=cluster_id).text


@pytest.mark.slow
def test_a_host_shows_what_happened_to_it(lake: Lake, view):
    page = view("host", lake.root, id="host-02")
    assert "host-02 OS Windows Agent version 7.16.300" in page.text
    assert f"By {GUILTY} recovered its state in the incident" in page.text
    assert f'href="updates?id={GUILTY}"' in page.markup
    assert "3 in the time range and the filters, of 3 in all" in page.text
    online, installs, crashes = page.figures[0]["data"]
    assert len(installs["x"]) == 1
    assert len(crashes["x"]) == 3
    assert online["x"]
    elsewhere = view("host", lake.root, id="host-02", os="linux")
    assert "None in the time range and the filters; 3 in all" in elsewhere.text


def test_a_host_shows_its_state_in_the_open_incident_and_the_last_closed_not_in_the_oldest(tmp_path: Path, view):
    lake = outage(tmp_path / "lake")
    closed_at = {f"old-{hours}": (NOW - timedelta(hours=hours)).isoformat() for hours in (9, 8, 7)}
    closed = [incident(incident_id=f"inc-{name}", update_id=name, closed_at=at) for name, at in closed_at.items()]
    tick(lake, [*closed, incident()])
    page = view("host", lake.root, id="host-02")
    assert f"By {GUILTY} recovered its state in the incident" in page.text
    assert '<a href="incident?id=inc-0001">recovered</a>' in page.markup
    assert re.findall(r"By (\S+)", page.text) == [GUILTY, "old-7"]


def test_a_host_shows_its_state_once_for_an_update_that_struck_again(tmp_path: Path, view):
    lake = outage(tmp_path / "lake")
    closed_at = (NOW - timedelta(minutes=30)).isoformat()
    before = incident(incident_id="inc-before", closed_at=closed_at)
    other = incident(incident_id="inc-other", update_id="other", closed_at=closed_at)
    tick(lake, [before, other, incident()])
    assert re.findall(r"By (\S+)", view("host", lake.root, id="host-02").text) == [GUILTY, "other"]


def test_a_crash_report_is_shown_whole_and_as_text(lake: Lake, view):
    page = view("crash", lake.root, id="<b>&\u05d0")
    assert "<i>evil.sys" in page.text
    assert "<i>" not in page.markup
    assert "<u>" not in page.markup
    assert "0 nt KeBugCheckEx 0x1 reports the crash, passed over 1 <i>evil.sys – 0x42 decides" in page.text
    assert "291 32" in page.text
    assert "Windows 10\ufffd bbb" in page.text
    assert "b" * 50 not in page.text
    assert 'href="host?id=host-09"' in page.markup


def test_a_crash_that_was_reported_on_a_later_day_says_that_day(tmp_path: Path, view):
    lake = outage(tmp_path / "lake")
    row = {"host_id": "host-01", "os_type": "windows", "received_at": NOW - timedelta(hours=10)}
    crashed_at = {"late": START - timedelta(hours=6), "at once": NOW - timedelta(hours=10, minutes=1)}
    crashes = [{**row, "crash_id": name, "occurred_at": at} for name, at in crashed_at.items()]
    append_rows(lake, "crash", crashes, batch_id="more")
    said = "At 3 Mar 18:00 UTC, by the host's clock Known to us 4 Mar 04:00 UTC OS"
    assert said in view("crash", lake.root, id="late").text
    assert "Known to us 04:00 UTC OS" in view("crash", lake.root, id="at once").text


@pytest.mark.parametrize(("name", "said"), [("cluster", "No cluster"), ("host", "No host"), ("crash", "No crash")])
@pytest.mark.parametrize("asked", HOSTILE)
def test_what_is_not_there_is_said(name: str, said: str, asked: str, lake: Lake, view):
    page = view(name, lake.root, id=asked)
    assert said in page.text
    assert "<script" not in page.markup


def test_pages_of_an_empty_lake_wait_for_records(tmp_path: Path, view):
    lake = Lake.create(tmp_path / "lake")
    for name in ("clusters", "cluster", "host", "crash"):
        assert "The lake is empty" in view(name, lake.root, id="x").text


def test_a_host_that_got_nothing_in_the_time_range_is_shown_all_the_same(lake: Lake, view):
    page = view("host", lake.root, id="host-02", range="1h")
    online, installs, _ = page.figures[0]["data"]
    assert online["x"]
    assert not installs["x"]


@pytest.mark.slow
def test_a_lake_of_crashes_alone_is_shown_down_to_one_report(tmp_path: Path, view):
    crashes_only = Lake.create(tmp_path / "lake")
    crashed_at = [NOW - timedelta(minutes=n * n) for n in range(20)]
    crashes = [
        {"crash_id": f"c{n}", "host_id": f"h{n}", "os_type": "windows", "module": "a.sys", "occurred_at": at}
        for n, at in enumerate(crashed_at)
    ]
    append_rows(crashes_only, "crash", crashes, batch_id="crashes")
    released = {"update_id": GUILTY, "kind": "content", "channel": "291", "released_at": NOW - timedelta(hours=2)}
    append_rows(crashes_only, "update", [released], batch_id="updates")
    unexposed = dict.fromkeys(incident()["impact"], 0)
    tick(crashes_only, [incident(impact=unexposed, condition=None)])
    with Engine(crashes_only) as engine:
        cluster_id = Clusters(engine).list()[0].cluster_id
    found_at = {"clusters": {}, "cluster": {"id": cluster_id}, "host": {"id": "h3"}, "crash": {"id": "c3"}}
    for name, parameters in found_at.items():
        assert ("h3" if name == "host" else "a.sys") in view(name, crashes_only.root, **parameters).text
    for name, parameters in {"updates": {}, "health": {}, "incident": {}}.items():
        assert view(name, crashes_only.root, **parameters).text
    page = view("incident", crashes_only.root, id=incident()["incident_id"])
    assert "Nothing is known of hosts but their crashes" in page.text


def test_the_page_of_the_clusters_is_in_the_address(tmp_path: Path, view):
    lake = outage(tmp_path / "lake")
    rows = [
        {
            "crash_id": f"c-{number}",
            "host_id": "host-01",
            "os_type": "windows",
            "occurred_at": NOW,
            "code": f"0x{number}",
        }
        for number in range(10, 70)
    ]
    append_rows(lake, "crash", rows, batch_id="many")
    second = view("clusters", lake.root, page="2")
    assert second.rows("Crash clusters")[0][0] == "51"
    assert "Page 2 of 2." in second.text


def test_times_below_charts_are_written_alike(lake: Lake, view):
    tick(lake, [incident()])
    shown = [*view("host", lake.root, id="host-01").figures, *view("overview", lake.root).figures]
    assert {figure["layout"]["xaxis"]["tickformat"] for figure in shown} == {"%H:%M\n%d %b"}
    zones = [
        [(each["x"], each["xanchor"]) for each in figure["layout"]["annotations"] if each["text"] == "UTC"]
        for figure in shown
    ]
    assert zones == [[(0, "right")], [(0, "right")]]


def test_the_crashes_of_a_host_lead_to_their_clusters_as_well(lake: Lake, cluster_id: str, view):
    page = view("host", lake.root, id="host-02", os="windows")
    assert {row[1] for row in page.rows("Crashes")} == {cluster_id}
    assert f'<a href="cluster?os=Windows&amp;id={cluster_id}">{cluster_id}</a>' in page.markup
    assert {row[1] for row in view("cluster", lake.root, id=cluster_id).rows("Crashes")} >= {"host-02"}
