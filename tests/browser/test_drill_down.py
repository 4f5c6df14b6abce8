"""From the banner down to one crash report and back, in a real browser; every page for everybody."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Watched, choose, rows_of
from tests.dashboard.fleet import GUILTY

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)

CLUSTER = "csagent.sys: invalid memory access"


def test_from_the_banner_to_one_crash_report_and_back(watched: Watched):
    page = watched.open()
    page.evaluate("window.opened = 1")  # gone with the page, if any link loads another one
    # The title that a page is loaded with is not said; who is as fast as this test could be on another page by then.
    expect(page.locator(".fc-said")).to_have_attribute("data-title", re.compile("fleetcrash"))
    page.get_by_text("Open the incident").click()
    rows_of(page, "Crash clusters of the incident").get_by_role("link", name=CLUSTER).click()
    expect(page.locator(".fc-title")).to_contain_text(CLUSTER)
    expect(page.locator(".fc-banner")).to_contain_text(f"after {GUILTY} was installed on that host")
    host = rows_of(page, "Hosts").get_by_role("link").first
    name = host.inner_text()
    host.click()
    expect(page.locator(".fc-title")).to_have_text(name)
    expect(page).to_have_title(f"{name} · Host · fleetcrash")
    expect(page.locator(".fc-said")).to_have_text(f"{name} · Host · fleetcrash")
    rows_of(page, "Crashes").get_by_role("link").first.click()
    expect(rows_of(page, "Stack").filter(has_text="decides")).to_contain_text("csagent.sys")
    expect(page.locator(".fc-banner")).to_contain_text(f"host {name}")
    page.go_back()
    expect(page.locator(".fc-title")).to_have_text(name)
    page.go_back()
    expect(page.locator(".fc-title")).to_contain_text(CLUSTER)
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Clusters").click()
    expect(page.get_by_role("heading", name="Crash clusters")).to_be_visible()
    expect(page).to_have_title("Clusters · fleetcrash")
    assert page.evaluate("window.opened") == 1


@pytest.mark.slow
def test_a_link_opens_in_a_new_tab_where_the_viewer_asks_for_one(watched: Watched):
    page = watched.open("/?os=Windows")
    link = rows_of(page, "Top crash clusters").get_by_role("link", name=CLUSTER)
    with watched.context.expect_page() as opened:
        link.click(modifiers=["ControlOrMeta"])
    expect(opened.value.locator(".fc-title")).to_contain_text(CLUSTER)
    expect(opened.value.locator(".fc-narrowed")).to_have_text(["Showing only Windows."])
    expect(page.get_by_role("heading", name="Top crash clusters")).to_be_visible()


@pytest.mark.slow
def test_two_filters_together_narrow_every_page_and_travel_along(watched: Watched):
    page = watched.open("/?agent=7.11.200")
    choose(page, "OS", "Windows")
    expect(page.locator(".fc-narrowed")).to_have_text(["Showing only Windows, agent 7.11.200."])
    expect(page.locator(".fc-legend")).to_have_text(["Windows"])
    crashed = page.locator(".fc-card").nth(1)
    expect(crashed).to_contain_text("of 13 online")
    link = rows_of(page, "Top crash clusters").get_by_role("link", name=CLUSTER)
    both = r"cluster\?(os=Windows&agent=7.11.200|agent=7.11.200&os=Windows)&id=clu-"
    expect(link).to_have_attribute("href", re.compile(both))  # the table is drawn after the cards above it
    page.get_by_text("Pause").click()
    expect(page.locator(".fc-narrowed")).to_contain_text("Paused at")
    link.click()  # which ends the pause, but not the filters
    expect(page).to_have_url(re.compile(both))
    expect(page.locator(".fc-narrowed")).to_have_text(["Showing only Windows, agent 7.11.200."])
    expect(rows_of(page, "By agent version")).to_have_count(1)
    page.get_by_role("link", name="Data health").click()
    expect(page.get_by_text("filters and time range do not apply here")).to_be_visible()
    page.get_by_role("link", name="Clusters", exact=True).click()
    expect(page.locator(".fc-narrowed")).to_have_text(["Showing only Windows, agent 7.11.200."])
    rows_of(page, "Crash clusters").get_by_role("link", name=CLUSTER).click()
    expect(page).to_have_url(re.compile(both))
    expect(rows_of(page, "By agent version")).to_have_count(1)
    page.get_by_text("Clear filters").click()
    expect(rows_of(page, "By agent version")).to_have_count(3)


@pytest.mark.slow
def test_a_click_on_the_curve_opens_the_crashes_of_that_time(watched: Watched):
    page = watched.open("/?os=Windows")
    line = page.locator(".stPlotlyChart .scatterlayer .js-line").first
    expect(line).to_be_visible()
    page.locator(".stPlotlyChart .nsewdrag").first.click()
    page.get_by_role("link", name="Crash clusters from").click()
    expect(page).to_have_url(re.compile(r"/clusters\?.*range=custom"))
    expect(page.locator("input[aria-label^=From], .st-key-from input").first).to_be_visible()
    expect(page.locator(".fc-narrowed")).to_have_text(["Showing only Windows."])
    page.go_back()
    expect(page.get_by_role("heading", name="Top crash clusters")).to_be_visible()


@pytest.mark.slow
def test_an_export_holds_every_row_of_its_table(watched: Watched, tmp_path: Path):
    page = watched.open("/?range=all")
    page.locator(".st-key-data-by-agent-version").get_by_role("button").click()
    with page.expect_download() as told:
        page.get_by_role("button", name="CSV").click()
    told.value.save_as(tmp_path / "versions.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "versions.csv").read_text())))
    table = rows_of(page, "Crash rate by agent version")
    expect(table).to_have_count(len(rows))
    shown = {cells[0]: cells[2] for cells in (row.split("\t") for row in table.all_inner_texts())}
    assert shown == {row["agent_version"]: row["crashes"] for row in rows}


def _addresses(page: Page) -> dict[str, str]:
    """A path for each page."""
    cluster = rows_of(page, "Top crash clusters").get_by_role("link", name=CLUSTER)
    return {
        "overview": "/",
        "incident": "/incident?id=inc-0001",
        "clusters": "/clusters",
        "cluster": f"/{cluster.get_attribute('href')}",
        "host": "/host?id=host-02",
        "crash": "/crash?id=hit-host-01-0",
        "updates": "/updates",
        "update": f"/updates?id={GUILTY}",
        "health": "/health",
    }


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(scheme: str, chromium: Browser, app_address: str):
    watched = Watched(chromium, app_address, color_scheme=scheme)
    page = watched.open()
    for name, path in _addresses(page).items():
        page.set_viewport_size({"width": 1440, "height": 900})
        watched.open(path)
        expect(page.locator(".fc table").first).to_be_visible()
        found = Axe().run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == [], name
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    assert (watched.outside, watched.errors) == ([], [])
    watched.context.close()
