"""One update that strikes again: a reader of any of its incidents sees that there are others, and of what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleetcrash.store import Lake
from tests.dashboard.fleet import GUILTY, INNOCENT, incident, outage, tick

TIE: dict[str, Any] = {"verdict": "cannot_separate", "update_id": None, "named_at": None}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return outage(tmp_path / "lake")


def _closed(number: int, **changed: Any) -> dict[str, Any]:
    over = {"alarm_at": f"2026-03-04T{number:02}:10:00Z", "closed_at": f"2026-03-04T{number:02}:50:00Z"}
    return incident(incident_id=f"inc-{number}", **over, **changed)


def test_an_update_that_strikes_again_is_told_with_all_it_hit(lake: Lake, overview):
    tick(lake, [_closed(10), _closed(11), incident(alarm_at="2026-03-04T13:30:00Z")])
    text = overview(lake.root).text
    assert f"Again: 2 earlier incidents are about {GUILTY}, the first alarm was at 10:10 UTC." in text
    assert "Hit in all 18 of 21 exposed" in text  # recovered, dark and crashed
    assert "Since released 12:00, first alarm 10:10 UTC" in text
    assert text.index("Now: withdraw") < text.index("Again:")


def test_its_page_tells_what_this_alarm_counts_from_what_it_hit_in_all(lake: Lake, incident_page):
    evidence = {**incident()["evidence"], "hosts_crashed": 7, "crashes": 9}
    tick(lake, [_closed(10), incident(alarm_at="2026-03-04T13:30:00Z", evidence=evidence)])
    text = incident_page(lake.root, "inc-0001").text
    assert "Hosts crashed, this alarm 7 of 21 exposed 33.3 % of them; 9 crashes; in all it hit 18 of 21 exposed" in text
    assert "this alarm" not in incident_page(lake.root, "inc-10").text, "the first one has none before it"


def test_a_tie_says_that_its_update_was_named_before(lake: Lake, overview):
    tick(lake, [_closed(10), _closed(11, **TIE), incident(alarm_at="2026-03-04T13:30:00Z", **TIE)])
    words = f"2 earlier incidents are about {GUILTY}, the first alarm was at 10:10 UTC, and it is named in 1 of them."
    assert words in overview(lake.root).text


def test_the_first_of_its_kind_is_not_called_again(lake: Lake, overview):
    other = {"update_id": INNOCENT, "candidates": [{"update_id": INNOCENT, "probability": 0.95}]}
    tick(lake, [_closed(10, **other), incident()])
    assert "Again:" not in overview(lake.root).text


def test_every_incident_of_an_update_leads_to_the_others(lake: Lake, incident_page):
    other = {"update_id": INNOCENT, "candidates": [{"update_id": INNOCENT, "probability": 0.95}]}
    tick(lake, [_closed(9, **other), _closed(10), _closed(11), incident(alarm_at="2026-03-04T13:30:00Z")])
    page = incident_page(lake.root, "inc-10")
    title = f"Other incidents about {GUILTY}"
    assert [row[1:3] for row in page.rows(title)] == [["closed 11:50", "11:10"], ["open", "13:30"]]
    assert "incident?id=inc-11" in page.markup
    assert "Other incidents" not in incident_page(lake.root, "inc-9").text


def test_open_incidents_about_one_update_are_one_banner_that_leads_to_each(lake: Lake, overview):
    other = {"update_id": INNOCENT, "candidates": [{"update_id": INNOCENT, "probability": 0.95}]}
    tick(
        lake,
        [
            incident(incident_id="inc-a", alarm_at="2026-03-04T12:02:00Z"),
            incident(incident_id="inc-b", alarm_at="2026-03-04T12:40:00Z", **TIE),
            incident(incident_id="inc-c", alarm_at="2026-03-04T13:30:00Z"),
            incident(incident_id="inc-d", alarm_at="2026-03-04T12:10:00Z", **other),
        ],
    )
    page = overview(lake.root)
    assert page.markup.count("fc-banner fc-update") == 2
    assert "Also open about it: alarm 12:02 UTC ; alarm 12:40 UTC , not confirmed" in page.text
    assert all(f'href="incident?id={name}"' in page.markup for name in ("inc-a", "inc-b"))
    assert page.links == [
        f"Open the incident: {GUILTY} is crashing Windows hosts, agent ≥ 7.11, alarm 13:30 UTC →",
        f"Open the incident: {INNOCENT} is crashing Windows hosts, agent ≥ 7.11, alarm 12:10 UTC →",
    ]
    assert "probability 99.8 %; 1 more open" in page.text


@pytest.mark.parametrize(
    "tied",
    [
        {"candidates": [{"update_id": GUILTY, "probability": 0.5}]},
        {"candidates": [{"update_id": name, "probability": 0.49} for name in (GUILTY, INNOCENT)]},
        {"where": {"kind": "wave", "name": "region amer", "dimension": "region", "since": None, "module": None}},
    ],
    ids=["unlikely", "with another", "with a place"],
)
def test_what_may_be_another_fault_keeps_its_banner(tied: dict[str, Any], lake: Lake, overview):
    tick(lake, [incident(), incident(incident_id="inc-t", **TIE | tied)])
    page = overview(lake.root)
    assert page.markup.count('class="fc fc-banner fc-') == 2
    assert "Also open about it" not in page.text


def test_of_many_faults_each_link_is_told_from_the_others_and_the_rest_is_listed(lake: Lake, overview):
    alarms = [f"2026-03-04T12:{minute:02}:00Z" for minute in range(10, 30)]
    tick(lake, [incident(incident_id=f"inc-{at[14:16]}", alarm_at=at, update_id=f"u-{at[14:16]}") for at in alarms])
    links = overview(lake.root).links
    assert len(links) == len(set(links)) == 9
    assert links[3] == "Also open: u-26 is crashing Windows hosts, agent ≥ 7.11, alarm 12:26 UTC →"
    assert links[-1] == "All incidents, 12 more of them open →"
