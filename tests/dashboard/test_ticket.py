"""The text of an incident for a ticket says what its page says first, to somebody who has no dashboard open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.data import Feed
from dashboard.ticket import ticket_text
from fleetcrash.store import Lake
from tests.dashboard.fleet import GUILTY, INNOCENT, incident, outage, tick

LONG = "content-" + "x" * 90


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return outage(tmp_path / "lake")


def _text(lake: Lake, address: str = "") -> str:
    feed = Feed(lake.root, watch=False)
    try:
        snapshot = feed.snapshot()
        assert snapshot.judgement is not None
        return ticket_text(snapshot.judgement.incidents[-1], replace(snapshot, root=Path.cwd() / "lake"), address)
    finally:
        feed.close()


def test_a_named_update_is_told_with_its_dates_hosts_and_what_to_do(lake: Lake):
    impact = {**incident()["impact"], "pending": 1234}
    tick(lake, [incident(impact=impact)])
    assert _text(lake, "http://fleet.example/incident?id=other").splitlines() == [
        f"{GUILTY} (content update) is crashing Windows hosts, agent ≥ 7.11",
        "Incident: inc-0001, open; alarm 4 Mar 2026 12:02 UTC, named 4 Mar 2026 12:04 UTC",
        f"Update: {GUILTY} (content update), released 4 Mar 2026 12:00 UTC, not withdrawn",
        "How sure: 99.8 %",
        "Hosts crashed: 18 of 21 exposed, 54 crashes",
        "By state: 21 exposed = 11 recovered + 2 dark + 5 crashed + 0 cleared + 3 at risk; 1,234 may still get it",
        f"Now: withdraw {GUILTY}. 1,234 more hosts would match and have not received it. Hosts to reach:",
        f"    fleetcrash hosts {GUILTY} --state at_risk --csv",
        "Judged by fleetcrash as of 4 Mar 2026 14:00 UTC.",
        "http://fleet.example/incident?id=inc-0001",
    ]


def test_a_long_name_is_whole(lake: Lake):
    tick(lake, [incident(update_id=LONG, candidates=[{"update_id": LONG, "probability": 0.9}])])
    assert f"Update: {LONG} (content update), not in the catalogue" in _text(lake)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {
                "verdict": "cannot_separate",
                "candidates": [{"update_id": name, "probability": 0.49} for name in (GUILTY, INNOCENT)],
            },
            f"In question: {GUILTY} 49.0 %, {INNOCENT} 49.0 %",
        ),
        ({"verdict": "no_update", "cause": "host"}, "Hosts crashed: 18, 54 crashes; servers went dark: 2"),
    ],
)
def test_without_a_name_nobody_is_accused(changed: dict[str, Any], said: str, lake: Lake):
    tick(lake, [incident(update_id=None, named_at=None, **changed)])
    text = _text(lake)
    assert said in text
    assert "How sure" not in text
    assert "By state" not in text


def test_the_page_offers_it(lake: Lake, incident_page):
    tick(lake, [incident()])
    page = incident_page(lake.root, "inc-0001")
    assert not page.app.get("code")
    page.app.session_state["ticket"] = True
    page.app.run()
    (code,) = page.app.get("code")
    assert code.value.startswith(f"{GUILTY} (content update) is crashing Windows hosts")
