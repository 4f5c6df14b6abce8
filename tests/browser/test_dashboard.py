"""What an engineer on call does with the pages, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Watched, choose, rows_of, serving
from tests.dashboard.fleet import GUILTY, incident, outage, tick

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)


def _cards(page: Page):
    return page.locator(".fc-card")


def _lines(page: Page):
    return page.locator(".fc-legend")


def test_the_banner_names_the_update_and_leads_to_the_incident(watched: Watched):
    page = watched.open()
    banner = page.locator(".fc-banner").first
    expect(banner).to_contain_text(f"{GUILTY} (content update) is crashing Windows hosts, agent ≥ 7.11")
    expect(banner).to_contain_text("99.8 %")
    expect(page.locator(".stPlotlyChart .main-svg").first).to_be_visible()
    page.get_by_text("Open the incident").click()
    expect(page).to_have_url(re.compile(r"/incident\?id=inc-0001$"))
    expect(page.get_by_role("heading", name="Blast radius")).to_be_visible()
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Top crash clusters")).to_be_visible()


@pytest.mark.slow
def test_the_text_for_a_ticket_stays_while_it_is_read_and_has_the_address(watched: Watched):
    page = watched.open("/incident?id=inc-0001&os=Windows")
    page.get_by_text("Text for a ticket").click()
    text = page.get_by_test_id("stCode")
    expect(text).to_contain_text(f"{GUILTY} (content update) is crashing Windows hosts")
    expect(text).to_contain_text(f"{watched.address}/incident?id=inc-0001")
    page.wait_for_timeout(6000)  # the page has renewed itself meanwhile
    expect(text).to_be_visible()


@pytest.mark.slow
def test_the_first_screen_holds_the_answers_at_both_sizes(chromium: Browser, app_address: str):
    for width, height in ((1440, 900), (390, 844)):
        watched = Watched(chromium, app_address, viewport={"width": width, "height": height})
        page = watched.open()
        banner = page.locator(".fc-banner").first
        expect(banner).to_contain_text("Now:")
        box = banner.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= height
        expect(_cards(page)).to_have_count(4)
        heights = _cards(page).evaluate_all("cards => cards.map(card => card.offsetHeight)")  # at one instant
        rows = [heights] if width > 640 else [heights[:2], heights[2:]]
        assert all(len(set(row)) == 1 for row in rows)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        watched.context.close()


@pytest.mark.slow
def test_a_filter_by_os_changes_chart_cards_and_tables_and_travels_in_the_url(watched: Watched, chromium: Browser):
    page = watched.open()
    expect(_lines(page)).to_have_count(3)
    choose(page, "OS", "Linux")
    expect(_lines(page)).to_have_count(1)
    expect(_lines(page)).to_have_text(["Linux"])
    expect(_cards(page).nth(1)).to_contain_text("of 10 online")
    expect(rows_of(page, "Top crash clusters")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?os=Linux$"))
    page.get_by_text("Clear filters").click()
    expect(_lines(page)).to_have_count(3)
    expect(page).to_have_url(re.compile(r"/$"))


@pytest.mark.slow
def test_the_page_follows_the_lake_by_itself_and_keeps_its_place(chromium: Browser, tmp_path: Path):
    lake = outage(tmp_path / "lake")
    tick(lake, [])
    with serving(lake.root, tmp_path) as address:
        watched = Watched(chromium, address)
        page = watched.open()
        expect(page.locator(".fc-banner").first).to_contain_text("All quiet")
        expect(page.get_by_role("heading", name="Top crash clusters")).to_be_visible()
        expect(rows_of(page, "Top crash clusters").first).to_be_visible()
        expect(page.locator(".stPlotlyChart .main-svg").first).to_be_visible()
        scrolled = page.locator("[data-testid=stMain]")
        # The page grows while it is drawn: until it is long enough it does not scroll.
        scroll = "main => { main.scrollTo(0, main.scrollHeight); return main.scrollTop >= 250 && main.scrollTop }"
        at = page.wait_for_function(scroll, arg=scrolled.element_handle()).json_value()
        for number in range(2):
            tick(lake, [] if number % 2 else [incident()])
            expect(page.locator(".fc-banner").first).to_contain_text(
                "All quiet" if number % 2 else "is crashing Windows hosts"
            )
            expect(_cards(page).nth(2)).to_contain_text("none" if number % 2 else GUILTY)
            # The banner grows and shrinks; nothing else moves, not even at the end of the page.
            assert abs(scrolled.evaluate("main => main.scrollTop") - at) < 150
        assert (watched.outside, watched.errors) == ([], [])
        watched.context.close()


@pytest.mark.slow
def test_hostile_names_stay_text_in_a_browser(chromium: Browser, tmp_path: Path):
    hostile = "<img src=x onerror=\"document.title='owned'\"><a href='//evil.example'>x</a>"
    lake = outage(tmp_path / "lake", guilty=hostile)
    named = {"update_id": hostile, "candidates": [{"update_id": hostile, "probability": 0.97}]}
    tick(lake, [incident(**named), incident(incident_id="inc-2", **named | {"update_id": f"{hostile}2"})])
    with serving(lake.root, tmp_path) as address:
        watched = Watched(chromium, address)
        page = watched.open("/?by=update")
        expect(page.locator(".fc-banner").first).to_contain_text("<img src=x onerror")
        expect(page.locator(".stPlotlyChart .annotation").first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
        assert page.locator("a[href^='//evil.example']").count() == 0
        assert page.title() != "owned"
        page.set_viewport_size({"width": 390, "height": 844})
        links = page.get_by_test_id("stPageLink").locator("p")
        expect(links).to_have_count(2)
        wrap = "each => each.every(one => one.scrollWidth <= one.clientWidth)"
        assert links.evaluate_all(wrap), "a link is cut before it says what it opens"
        assert (watched.outside, watched.errors) == ([], [])
        watched.context.close()
