"""All updates with what happened while hosts were exposed, and one of them; whatever their names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import pandas as pd
import pytest

from dashboard.export import csv_bytes
from dashboard.figures import Buckets
from dashboard.selection import Filters
from dashboard.update_chart import update_chart
from dashboard.update_tables import Ratio, listed, ratio, with_installs
from dashboard.views.update import spread
from fleetcrash.store import Lake
from tests.dashboard.fleet import GUILTY, INNOCENT, NOW, RELEASED, START, append_rows, incident, outage, tick

HOSTILE = "<img src=x onerror=alert(1)>\u202e" + "y" * 99


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return outage(tmp_path / "lake")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that no test changes."""
    lake = outage(tmp_path_factory.mktemp("judged") / "lake")
    tick(lake, [incident()])
    return lake


@pytest.fixture
def updates(view) -> Callable[..., Any]:
    return partial(view, "updates")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((100, 50.0, 20, 1000.0), Ratio(100.0)),
        ((100, 50.0, 1, 1000.0), Ratio(200.0, ">")),
        ((100, 50.0, 0, 1000.0), Ratio(200.0, ">")),
        ((0, 1000.0, 100, 500.0), Ratio(0.05, "<")),
        ((9, 50.0, 9, 1000.0), None),
        ((9, 1.0, 100, 1000.0), None),
        ((12, 5000.0, 1, 10.0), None),
        ((100, 50.0, 0, 0.0), None),
        ((0, 0.0, 100, 50.0), None),
    ],
    ids=[
        "enough",
        "few_otherwise",
        "none_otherwise",
        "few_while_exposed",
        "few_on_both_sides",
        "few_and_no_upper_bound",
        "few_and_no_lower_bound",
        "nobody_otherwise",
        "nobody_exposed",
    ],
)
def test_a_ratio_of_few_crashes_is_a_bound_or_none(counts: tuple[float, float, float, float], expected: Ratio | None):
    assert ratio(*counts) == expected


@pytest.mark.parametrize(
    ("told", "words"), [(Ratio(12.4), "× 12"), (Ratio(200, ">"), "> × 200"), (Ratio(0.034, "<"), "< × 0.03")]
)
def test_a_ratio_in_words(told: Ratio, words: str):
    assert told.words == words


def test_every_update_is_listed_newest_first_with_its_figures(lake: Lake, updates):
    append_rows(lake, "install", [{"host_id": "host-00", "update_id": "wild", "applied_at": RELEASED}], batch_id="w")
    tick(lake, [incident()])
    rows = updates(lake.root).table("Updates")
    assert list(rows) == [GUILTY, "wild", INNOCENT, "agent-7.16"]
    assert rows[GUILTY][1:9] == ["content update", "291", "–", "12:00", "–", "named", "48", "54"]
    # 48 hosts were online with it for 92 h, all sixty for 840 h; they had 54 crashes of it and ten of noise.
    assert rows[GUILTY][9:12] == [f"{54_000 / 92:.0f}", f"{10_000 / 748:.1f}", f"× {54 * 748 / 92 / 10:.0f}"]
    assert rows["wild"][4] == "not catalogued"
    assert rows["agent-7.16"][7:10] == ["0", "0", "–"]


def test_the_named_one_alone_looks_guilty_and_leads_to_its_incident(judged: Lake, updates):
    markup = updates(judged.root, os="linux").markup
    assert markup.count("fc-guilty") == 1
    assert 'href="incident?os=Linux&amp;id=inc-0001"' in markup
    assert f'href="updates?os=Linux&amp;id={GUILTY}"' in markup


def test_a_tie_is_told_and_accuses_nobody(lake: Lake, updates):
    weights = {GUILTY: 0.5, INNOCENT: 0.48, "agent-7.16": 0.01}  # the last is too unlikely to be called tied
    tied = [{"update_id": name, "probability": weight} for name, weight in weights.items()]
    tick(lake, [incident(verdict="cannot_separate", update_id=None, candidates=tied)])
    page = updates(lake.root)
    rows = page.table("Updates")
    assert (rows[GUILTY][6], rows[INNOCENT][6], rows["agent-7.16"][6]) == ("tied", "tied", "–")
    assert "fc-guilty" not in page.markup


def test_filters_choose_rows_and_hosts_and_the_rest_stays_to_compare_with(judged: Lake, updates):
    page = updates(judged.root, channel="291", os="windows")
    rows = page.table("Updates")
    assert list(rows) == [GUILTY]
    assert rows[GUILTY][7] == "32"
    assert rows[GUILTY][10] != "–"
    assert "1 of 3 updates" in page.text


def test_an_update_is_found_by_what_it_says_of_itself(judged: Lake, updates):
    assert list(updates(judged.root, find="CONTENT").table("Updates")) == [GUILTY, INNOCENT]
    assert "None of 3 updates is within the filters." in updates(judged.root, find="nothing").text


def test_without_updates_the_page_says_what_is_missing(tmp_path: Path, updates):
    lake = Lake.create(tmp_path / "lake")
    append_rows(lake, "host", [{"host_id": "a", "os_type": "linux", "seen_at": NOW}])
    assert "neither a release catalogue nor installs" in updates(lake.root).text


def test_many_updates_are_shown_page_by_page(lake: Lake, updates):
    row = {"kind": "content", "channel": "c"}
    many = [{**row, "update_id": f"u-{i:03d}", "released_at": START + timedelta(minutes=i)} for i in range(120)]
    append_rows(lake, "update", many, batch_id="many")
    first, last = updates(lake.root), updates(lake.root, page="3")
    assert "123 updates, newest release first, 1 to 50 shown" in first.text
    assert len(first.table("Updates")) == 50
    assert "101 to 123 shown" in last.text
    assert list(last.table("Updates"))[-1] == "u-000"
    assert "1 to 50 shown" in updates(lake.root, page="99").text


def test_ten_thousand_updates_are_listed_at_once():
    names = [f"u-{number}" for number in range(10_000)]
    known = pd.DataFrame({"update_id": names, "kind": "content", "channel": "c", "version": None})
    rates = pd.DataFrame(
        {
            "update_id": names[::2],
            "hosts_exposed": 3,
            "crashes": 20,
            "hosts_crashed": 2,
            "host_hours": 10.0,
            "rate": 2.0,
            "rate_otherwise": 1.0,
        }
    )
    whole = pd.Series({"crashes": 120, "host_hours": 60.0})
    frame = listed(known, rates, whole, {}, Filters(), find="U-99")
    assert len(frame) == 111
    assert frame["ratio"].dropna().unique().tolist() == [1.0]
    assert frame["crashes"].sum() == 20 * frame["update_id"].isin(names[::2]).sum()


def test_one_update_says_what_it_is_and_what_it_did(judged: Lake, updates):
    page = updates(judged.root, id=GUILTY)
    for said in (
        "Kind content update", "Channel 291", "Released 12:00 UTC", "Withdrawn no", "First install 12:01 UTC",
        "Hosts that installed it 48", "An incident names it", "18 of 48 exposed", "(× 44)", "At risk 3",
        f"fleetcrash hosts {GUILTY} --csv",
    ):  # fmt: skip
        assert said in page.text
    assert f'href="./?update={GUILTY}"' in page.markup
    spread, states = page.figures
    assert spread["data"][0]["y"][-1] == 48
    assert sum(spread["data"][1]["y"]) == 54
    assert len(states["data"][0]["y"]) == 6
    hosts = page.table("Hosts")
    assert len(hosts) == len([each for each in hosts.values() if each[1] != "Pending"]) + 5
    assert 'href="host?id=' in page.markup


def test_an_update_of_installs_alone_has_a_page(lake: Lake, updates):
    append_rows(lake, "install", [{"host_id": "host-00", "update_id": "wild", "applied_at": RELEASED}], batch_id="w")
    page = updates(lake.root, id="wild")
    assert "Released not in the catalogue" in page.text
    assert "no ratio from fewer than 10 crashes" in page.text


def test_an_update_that_nobody_has_says_so(judged: Lake, updates):
    page = updates(judged.root, id="agent-7.16")
    assert "no host in the filter was online with it" in page.text
    assert "No data here" in page.text


@pytest.mark.parametrize("asked", ["<script>alert(1)</script>\u202eabc", "x" * 128, "שלום"])
def test_an_unknown_id_is_answered_with_a_way_on(asked: str, judged: Lake, updates):
    page = updates(judged.root, id=asked)
    assert "No update of that name" in page.text
    assert "All 3 updates" in page.text
    assert "<script" not in page.markup


@pytest.mark.parametrize("name", [HOSTILE, "--csv", "שלום'; rm -rf"], ids=["markup", "option", "rtl_and_shell"])
def test_a_hostile_name_is_text_and_its_page_opens(name: str, tmp_path: Path, updates):
    lake = outage(tmp_path / "lake", guilty=name)
    tick(lake, [incident(update_id=name, candidates=[{"update_id": name, "probability": 0.9}])])
    page = updates(lake.root, id=name)
    assert "18 of 48 exposed" in page.text
    assert "<img src=x" not in page.markup
    assert all("<img" not in str(figure) for figure in page.figures)
    command = page.text.partition("The same in a terminal: ")[2]
    if name == HOSTILE:
        assert not command  # it could not be typed from what is seen
        assert "<img src=x" not in updates(lake.root).markup
    elif name == "--csv":
        assert command.startswith("fleetcrash hosts --csv --lake ")
        assert " -- --csv" in command
    else:
        assert command.startswith(f"fleetcrash hosts {quote(name)} --csv")


def test_the_culprit_is_drawn_in_its_own_colour():
    installs = pd.DataFrame({"bucket_start": [pd.Timestamp(RELEASED)], "hosts": [7]})
    crashes = pd.DataFrame({"bucket_start": [pd.Timestamp(RELEASED)], "crashes": [3]})
    drawn = partial(
        update_chart,
        installs,
        crashes,
        buckets=Buckets(START, NOW, 600),
        released_at=RELEASED,
        reverted_at=RELEASED + timedelta(minutes=30),
    )
    named, other = drawn(named=True), drawn(named=False)
    assert named.data[1].marker.color != other.data[1].marker.color
    assert list(named.data[0].y) == [0, 7, 7]
    assert [each.text for each in named.layout.annotations] == ["released", "withdrawn"]


def test_a_file_of_updates_tells_how_far_each_spread():
    found = pd.DataFrame({"update_id": ["b", "a"], "crashes": [2, 1]})
    installs = pd.DataFrame({"update_id": ["a"], "hosts_installed": [7], "last_installed_at": [pd.Timestamp(NOW)]})
    told = with_installs(found, installs)
    assert told["update_id"].tolist() == ["b", "a"]
    assert told["hosts_installed"].tolist() == [0, 7]
    assert told["last_installed_at"].isna().tolist() == [True, False]


def test_an_update_says_which_hosts_and_filters_its_figures_are_of(judged: Lake, updates):
    text = updates(judged.root, id=GUILTY, os="windows", update=INNOCENT).text
    assert f"Showing only Windows, exposed to {INNOCENT}." in text, "so it is on other pages"
    assert "Filters by update and channel do not apply here." in text
    assert "do not apply here" not in updates(judged.root, id=GUILTY, os="windows").text
    assert "UTC, only Windows, one bar every" in text
    assert "may still get it; of those that match the incident" in text
    assert "match the incident" not in updates(judged.root, id=INNOCENT).text


def test_whole_numbers_stay_whole_where_a_row_lacks_them():
    at = [pd.Timestamp("2026-03-04T12:00Z"), pd.Timestamp("2026-03-04T12:15Z")]
    installs = pd.DataFrame({"bucket_start": at[:1], "hosts_new": [3], "hosts": [3]})
    crashes = pd.DataFrame({"bucket_start": at, "update_id": "u", "crashes": [2, 0], "rate": [0.5, 0.0]})
    assert csv_bytes(spread(installs, crashes)).decode().splitlines() == [
        "bucket_start,hosts_new,hosts,crashes,rate",
        "2026-03-04T12:00:00Z,3,3,2,0.5",
        "2026-03-04T12:15:00Z,,,0,0.0",
    ]
