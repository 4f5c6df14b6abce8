"""The pages Updates and Data health in a real browser, on a desk in the light and on a phone in the dark."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Watched, rows_of
from tests.dashboard.fleet import GUILTY, INNOCENT

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)


@pytest.mark.parametrize(
    ("scheme", "width", "height"),
    [
        pytest.param("light", 1440, 900, id="desk_light", marks=pytest.mark.slow),
        pytest.param("dark", 390, 844, id="phone_dark", marks=pytest.mark.slow),
    ],
)
def test_from_the_list_to_one_update_and_to_data_health(
    scheme: str, width: int, height: int, chromium: Browser, app_address: str
):
    watched = Watched(chromium, app_address, viewport={"width": width, "height": height}, color_scheme=scheme)
    page = watched.open("/updates?os=Windows")
    expect(rows_of(page, "Updates")).to_have_count(3)
    _fits(page, width)

    page.get_by_role("link", name=GUILTY).click()
    expect(page).to_have_url(re.compile(rf"/updates\?os=Windows&id={GUILTY}$"))
    expect(page.get_by_role("heading", name="Hosts", exact=True)).to_be_visible()
    expect(page.locator(".stPlotlyChart .main-svg").first).to_be_visible()
    _fits(page, width)
    filtered = page.get_by_role("link", name="Overview of hosts exposed to it")
    expect(filtered).to_have_attribute("href", f"./?os=Windows&update={GUILTY}")

    watched.open("/health")
    expect(page.get_by_text("Nothing is wrong with the data.")).to_be_visible()
    expect(rows_of(page, "Lag by feed")).to_have_count(6)
    expect(rows_of(page, "Batches").first).to_be_visible()
    _fits(page, width)
    assert (watched.outside, watched.errors) == ([], [])
    watched.context.close()


@pytest.mark.slow
def test_all_rows_of_a_table_are_downloaded_with_their_query_beside(watched: Watched, tmp_path: Path):
    page = watched.open("/updates")
    page.get_by_role("button", name="Data").click()
    expect(page.get_by_text("3 rows, all there are")).to_be_visible()
    expect(page.locator("[data-testid=stCode]")).to_contain_text("-- fleetcrash/store/sql/crash_rate_by_update.sql")
    with page.expect_download() as started:
        page.get_by_role("button", name="CSV").click()
    assert started.value.suggested_filename == "updates-20260304T140000Z.csv"
    started.value.save_as(tmp_path / "updates.csv")
    with (tmp_path / "updates.csv").open(newline="") as file:
        rows = {row["update_id"]: row for row in csv.DictReader(file)}
    assert list(rows) == [GUILTY, INNOCENT, "agent-7.16"]
    assert (rows[GUILTY]["crashes"], rows[GUILTY]["released_at"]) == ("54", "2026-03-04T12:00:00Z")


def _fits(page: Page, width: int) -> None:
    """Nothing is wider than the screen: the page has no horizontal scroll."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollWidth <= main.clientWidth")
