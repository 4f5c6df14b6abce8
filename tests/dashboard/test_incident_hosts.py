"""Whom an incident hit that names no update: its figures one by one, on its page and as a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcrash.store import Lake
from monitor.loop import Monitor
from tests.fleetcrash import dark_site
from tests.fleetcrash.worlds import lake_of

TITLE = "Hosts of the incident"


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> Iterator[Path]:
    """A site that went dark, as the monitor left it."""
    empty = Lake.create(tmp_path_factory.mktemp("site") / "lake").root
    with lake_of(dark_site.world(), empty) as lake:
        monitor = Monitor(lake)
        monitor.look()
        monitor.close()
        yield lake.root


@pytest.fixture
def site(judged: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(judged, tmp_path / "lake"))


def test_the_hosts_on_the_page_are_those_of_its_figures(site: Path, incident_page):
    page = incident_page(site, "inc-20260304t0350")
    for said in (
        "Hosts crashed 3",
        "Went dark 40 servers, back or not",
        "40 hosts: 3 crashed, 40 went dark, 3 of them both; 2 are dark now",
    ):
        assert said in page.text
    rows = page.rows(TITLE)
    assert {row[0] for row in rows} == {f"h{number}" for number in range(dark_site.AT_LAB)}
    assert [row[1] for row in rows] == ["still dark"] * 2 + ["recovered"] * 38  # who needs somebody comes first
    assert rows[0] == ["h5", "still dark", "Windows", "20348.1", "emea", "lab", "03:20", "–", "03:20"]
    assert page.table(TITLE)["h0"][-2:] == ["04:06", "05:01"]
    assert len(page.files("hosts-of-the-incident")) == 2


def test_the_banner_has_the_command_that_lists_them(site: Path, overview):
    assert f"Its hosts: fleetcrash hosts inc-20260304t0350 --csv --lake {site}" in overview(site).text


def test_those_that_are_still_dark(site: Path, incident_page):
    page = incident_page(site, "inc-20260304t0350", hit="still dark")
    assert "2 hosts: 0 crashed, 2 went dark; 2 are dark now" in page.text
    assert set(page.table(TITLE)) == {"h5", "h6"}


def test_filters_hold_for_them(site: Path, incident_page):
    page = incident_page(site, "inc-20260304t0350", site="s1")
    assert "0 hosts: 0 crashed, 0 went dark; 0 are dark now; only site s1: the figures above are" in page.text


def test_of_very_many_the_first_are_shown_and_the_page_says_so(site: Path, incident_page, monkeypatch):
    monkeypatch.setattr("dashboard.views.incident_hosts.MOST_ROWS", 10)
    page = incident_page(site, "inc-20260304t0350")
    assert "40 hosts: 3 crashed, 40 went dark, 3 of them both; 2 are dark now. The first 10 are shown" in page.text
    assert len(page.rows(TITLE)) == 10


def test_where_the_monitor_has_not_listed_them_a_command_does(site: Path, incident_page):
    shutil.rmtree(site / "_cache")
    text = incident_page(site, "inc-20260304t0350").text
    assert "The monitor has not listed them yet" in text
    assert f"fleetcrash hosts inc-20260304t0350 --csv --lake {site}" in text
