"""Who comes back to the pages reads what changed since: alarms, names, withdrawals and ends, newest first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fleetcrash.store import Lake
from tests.dashboard.fleet import GUILTY, INNOCENT, RELEASED, append_rows, incident, outage, tick

CONDITIONS = ({"os_type": "windows"}, {"os_type": "windows", "agent_version": ">=7.11"})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return outage(tmp_path / "lake")


def _turn(minute: int, verdict: str, condition: dict[str, str] | None = None) -> dict[str, object]:
    named = GUILTY if verdict == "update" else None
    return {"at": f"2026-03-04T12:{minute:02}:00Z", "verdict": verdict, "update_id": named, "condition": condition}


def test_all_that_happened_is_listed_newest_first(lake: Lake, incident_page):
    history = [
        _turn(2, "undetermined"),
        _turn(3, "cannot_separate"),
        _turn(4, "update", CONDITIONS[0]),
        _turn(9, "update", CONDITIONS[1]),
        _turn(20, "undetermined"),
    ]
    withdrawn = RELEASED + timedelta(minutes=30)
    row = {"update_id": GUILTY, "kind": "content", "channel": "291", "released_at": RELEASED}
    append_rows(lake, "update", [{**row, "reverted_at": withdrawn, "received_at": withdrawn}], batch_id="again")
    tick(lake, [incident(history=history, closed_at="2026-03-04T13:30:00Z")])
    page = incident_page(lake.root)
    assert [row[:2] for row in page.rows("What changed")] == [
        ["13:30", f"closed: back at the usual rate ({GUILTY})"],
        ["12:30", f"{GUILTY} withdrawn"],
        ["12:20", f"taken back: being judged again ({GUILTY})"],
        ["12:09", f"{GUILTY} hits: Windows, agent ≥ 7.11"],
        ["12:04", f"{GUILTY} named"],
        ["12:03", f"cannot be told apart ({GUILTY})"],
        ["12:02", f"alarm ({GUILTY})"],
    ]


def test_what_is_told_with_its_alarm_is_one_change(lake: Lake, incident_page):
    tick(lake, [incident(alarm_at="2026-03-04T12:04:00Z", history=[_turn(4, "update", CONDITIONS[0])])])
    assert [row[:2] for row in incident_page(lake.root).rows("What changed")] == [["12:04", f"alarm: {GUILTY} named"]]


def test_what_no_update_did_is_told_by_what_happened(lake: Lake, incident_page):
    tick(lake, [incident(verdict="no_update", update_id=None, cause="site", history=[_turn(9, "no_update")])])
    rows = [row[1] for row in incident_page(lake.root).rows("What changed")]
    assert rows == ["put down to no update (Crashes rose)", "alarm (Crashes rose)"]


def test_an_update_that_no_incident_is_about_is_left_out(lake: Lake, incident_page):
    row = {"update_id": INNOCENT, "kind": "content", "released_at": RELEASED, "reverted_at": RELEASED}
    append_rows(lake, "update", [{**row, "received_at": RELEASED}], batch_id="again")
    tick(lake, [incident()])
    assert "withdrawn" not in str(incident_page(lake.root).rows("What changed"))


def test_the_overview_tells_the_newest_and_leads_to_the_rest(lake: Lake, overview):
    tick(lake, [incident()])
    page = overview(lake.root)
    assert f"Latest changes: 12:04 UTC {GUILTY} named ; 12:02 UTC alarm ({GUILTY}) . All incidents" in page.text
    assert page.text.index("Now: withdraw") < page.text.index("Latest changes")


def test_what_is_long_over_is_no_news(lake: Lake, overview):
    tick(
        lake,
        [incident(alarm_at="2026-03-02T12:02:00Z", closed_at="2026-03-02T13:00:00Z", named_at=None, history=[])],
    )
    assert "Latest changes" not in overview(lake.root).text
