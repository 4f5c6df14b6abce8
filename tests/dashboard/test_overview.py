"""The first screen answers what is wrong, what did it, whom it hits, how sure, and what now."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.data import Feed
from dashboard.filters import View
from fleetcrash.store import Lake
from tests.dashboard.fleet import GUILTY, INNOCENT, NOW, RELEASED, START, append_rows, incident, outage, tick

HOSTILE = "<img src=x onerror=alert(1)>**[x](http://evil.example)**" + "y" * 60


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return outage(tmp_path / "lake")


def test_a_named_update_is_the_first_thing_read(lake: Lake, overview):
    tick(lake, [incident()])
    page = overview(lake.root)
    banner = page.text[: page.text.index("Crash rate, last hour")]
    for said in (
        GUILTY,
        "Windows hosts",
        "agent ≥ 7.11",
        "99.8 %",
        "18 of 21 exposed",
        "withdraw",
        "12:02 UTC",
    ):
        assert said in banner
    assert "fleetcrash hosts content-291 --state at_risk --csv" in banner
    assert "<span>--state</span> <span>at_risk</span>" in page.markup, "no option is torn apart at its hyphens"
    assert "Open the incident →" in [link.label for link in page.app.get("page_link")]


@pytest.mark.parametrize(
    ("name", "said"),
    [("--csv", "Hosts to reach: fleetcrash hosts --state at_risk --csv --lake"), ("a\u202eb", "withdraw a\ufffdb.")],
    ids=["option", "unseen"],
)
def test_the_command_for_an_odd_name_is_one_that_can_be_typed(name: str, said: str, tmp_path: Path, overview):
    lake = outage(tmp_path / "lake", guilty=name)
    tick(lake, [incident(update_id=name, candidates=[{"update_id": name, "probability": 0.9}])])
    banner = overview(lake.root).text.partition("Now:")[2].partition("Crash rate, last hour")[0]
    assert said in banner
    assert (" -- --csv" in banner) if name == "--csv" else ("fleetcrash hosts" not in banner)


@pytest.mark.slow
def test_a_withdrawn_update_says_what_is_left_to_do(tmp_path: Path, overview):
    lake = outage(tmp_path / "lake")
    row = {"update_id": GUILTY, "kind": "content", "channel": "291", "released_at": RELEASED}
    withdrawn = RELEASED + timedelta(minutes=30)
    append_rows(lake, "update", [{**row, "reverted_at": withdrawn, "received_at": withdrawn}], batch_id="again")
    tick(lake, [incident()])
    page = overview(lake.root)
    assert "was withdrawn 12:30 UTC" in page.text
    assert "2 dark hosts may need hands on site" in page.text
    assert "--state dark" in page.text


@pytest.mark.parametrize(
    ("impact", "asked"),
    [
        ({"at_risk": 0, "dark": 2}, "--state dark"),
        ({"at_risk": 0, "dark": 0, "crashed": 5}, "--state crashed"),
        ({"at_risk": 0, "dark": 0, "crashed": 0}, ""),
    ],
)
def test_the_hosts_to_reach_are_some(impact: dict[str, int], asked: str, lake: Lake, overview):
    tick(lake, [incident(impact=incident()["impact"] | impact)])
    text = overview(lake.root).text
    assert f"withdraw {GUILTY}" in text
    assert asked in text
    assert ("Hosts to reach" in text) == bool(asked)
    assert "--state at_risk" not in text


@pytest.mark.variants
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {
                "verdict": "no_update",
                "update_id": None,
                "cause": "region",
                "candidates": [],
                "condition": None,
            },
            ["no update is to blame", "follows a region", "Withdrawing an update would not help"],
        ),
        (
            {
                "verdict": "cannot_separate",
                "update_id": None,
                "candidates": [
                    {"update_id": GUILTY, "probability": 0.5},
                    {"update_id": INNOCENT, "probability": 0.49},
                ],
            },
            [GUILTY, INNOCENT, "cannot be told apart", "50.0 %", "49.0 %", "pause the rollout of both"],
        ),
        (
            {
                "verdict": "cannot_separate",
                "update_id": None,
                "candidates": [{"update_id": GUILTY, "probability": 0.5}],
                "lacks": "too few hosts <i>lack it",
            },
            [
                GUILTY,
                "whether it did it cannot be told yet",
                "50.0 %",
                "Now: pause",
                "Why: too few hosts <i>lack it.",
                "not certain",
            ],
        ),
        (
            {"verdict": "undetermined", "update_id": None, "candidates": [], "condition": None},
            ["being judged", "wait for the next tick"],
        ),
    ],
    ids=["no_update", "cannot_separate", "cannot_separate, one alone", "undetermined"],
)
def test_other_verdicts_accuse_nobody(changed: dict[str, Any], said: list[str], lake: Lake, overview):
    tick(lake, [incident(**changed)])
    page = overview(lake.root)
    for each in said:
        assert each in page.text
    assert "is crashing" not in page.text
    assert "fc-banner fc-update" not in page.markup


def test_where_no_update_is_known_none_is_cleared_of_blame(tmp_path: Path, overview):
    lake = Lake.create(tmp_path / "lake")
    row = {"crash_id": "1", "host_id": "h", "os_type": "windows", "occurred_at": RELEASED, "received_at": RELEASED}
    append_rows(lake, "crash", [row])
    found = incident(verdict="no_update", update_id=None, cause="other", candidates=[], condition=None)
    tick(lake, [found], as_of=RELEASED)
    page = overview(lake.root)
    assert "no update is known to be in the fleet" in page.text
    assert "load releases or installs as well" in page.text
    assert "to blame" not in page.text


def test_quiet_is_calm_and_remembers_the_last_incident(lake: Lake, overview):
    tick(lake, [incident(closed_at="2026-03-04T13:30:00Z")])
    page = overview(lake.root)
    assert "All quiet. No open incident" in page.text
    assert "closed 4 Mar 2026 13:30 UTC" in page.text
    assert "fc-banner fc-update" not in page.markup


def test_without_a_tick_the_curve_stands_and_nothing_is_claimed(lake: Lake, overview):
    page = overview(lake.root)
    assert "Not judged yet" in page.text
    assert "fleetcrash monitor --lake" in page.text
    assert "All quiet" not in page.text
    assert len(page.figures) == 1


def test_an_unreadable_judgement_is_said(lake: Lake, overview):
    append_rows(lake, "incident", [{"as_of": NOW, "ticked_at": NOW, "document": "{oops"}], batch_id="bad")
    assert "last judgement cannot be read" in overview(lake.root).text


def test_a_second_incident_gets_its_own_banner(lake: Lake, overview):
    other = incident(incident_id="inc-2", verdict="no_update", update_id=None, cause="site", candidates=[])
    tick(lake, [other, incident()])
    page = overview(lake.root)
    text = page.text
    assert text.index("is crashing Windows hosts") < text.index("no update is to blame")
    assert page.links == [
        f"Open the incident: {GUILTY} is crashing Windows hosts, agent ≥ 7.11, alarm 12:02 UTC →",
        "Open the incident: Crashes rose, put down to no update: this follows a site, alarm 12:02 UTC →",
    ]
    assert f"Culprit {GUILTY} probability 99.8 %; 1 more open" in text, "the card is not of all there is"


@pytest.mark.variants
@pytest.mark.parametrize(
    ("crashed", "dark", "changed", "said"),
    [
        (0, 3850, {"verdict": "undetermined"}, "Servers went dark; what did it is being judged Went dark 3 850"),
        (
            9,
            603,
            {"verdict": "no_update", "cause": "site"},
            "Servers went dark, and no update is to blame: this follows a",
        ),
        (
            625,
            2017,
            {"verdict": "no_update", "cause": "region"},
            "Crashes rose and servers went dark, and no update is",
        ),
        (17, 0, {"verdict": "undetermined"}, "Crashes rose; what did it is being judged Hosts crashed 17"),
        (2, 40, {"verdict": "update", "update_id": GUILTY}, f"{GUILTY} (content update) is silencing Windows hosts"),
    ],
)
def test_silence_is_not_told_as_crashes(
    lake: Lake, overview, crashed: int, dark: int, changed: dict[str, Any], said: str
):
    evidence = {**incident()["evidence"], "hosts_crashed": crashed, "hosts_dark": dark, "hosts_exposed": 0}
    tick(lake, [incident(**{"update_id": None, "evidence": evidence, "impact": {}, **changed})])
    assert said in overview(lake.root).text


@pytest.mark.slow
def test_filters_change_chart_cards_and_tables_alike(lake: Lake, overview):
    tick(lake, [incident()])
    everything = overview(lake.root)
    assert everything.lines == {"Windows", "macOS", "Linux"}
    assert "28 of 60 online" in everything.text  # 18 hosts of the outage and 10 of the noise
    linux = overview(lake.root, os="linux")
    assert linux.lines == {"Linux"}
    assert "Crash rate, last hour (filtered)" in linux.text
    assert "of 10 online" in linux.text
    assert "csagent.sys" not in linux.text
    assert "csagent.sys" in everything.text
    version = overview(lake.root, agent="7.11.200", by="version")
    assert version.lines == {"7.11.200"}
    assert "7.16.300" not in version.text[version.text.index("Crash rate by agent version") :]
    exposed = overview(lake.root, update=GUILTY)
    assert "of 48 online" in exposed.text
    assert "drv2.sys" not in exposed.text


@pytest.mark.parametrize(("filtered", "windows"), [({}, 2), ({"update": GUILTY}, 1), ({"update": "nobody-knows"}, 2)])
def test_a_baseline_looks_back_no_further_than_the_release_of_what_is_filtered_by(
    lake: Lake, overview, monkeypatch, filtered, windows
):
    asked = set()
    frame, earlier = Feed.frame, Feed.earlier

    def watched(self, question, selection=None, **parameters):
        asked.add(None if selection is None else selection.since)
        return frame(self, question, selection, **parameters)

    def looked_back(self, selection, since):
        asked.add(since)
        return earlier(self, selection, since)

    monkeypatch.setattr(Feed, "frame", watched)
    monkeypatch.setattr(Feed, "earlier", looked_back)
    assert "baseline" in overview(lake.root, range="6h", **filtered).text
    assert len(asked - {None}) == windows


def test_viewers_of_one_selection_keep_their_own_links(lake: Lake, overview):
    said = "from=2026-03-04T10%3A00"  # which selects nothing as long as the range is not a custom one
    assert said not in overview(lake.root).markup
    theirs = overview(lake.root, **{"from": "2026-03-04T10:00"})
    links = re.findall(r'<td[^>]*><a href="([^"]*)"', theirs.markup)
    assert {link.partition("?")[0] for link in links} == {"./", "updates", "cluster"}
    assert all(said in link for link in links)
    assert said not in overview(lake.root).markup


def test_what_is_filtered_is_said_and_cleared_at_once(lake: Lake, overview):
    page = overview(lake.root, os="darwin", range="6h", by="version", scale="log")
    assert "only macOS" in page.text
    assert "last 6h" in page.text
    page.app.button(key="clear").click().run()
    assert page.app.session_state["os"] == []
    assert page.app.session_state["range"] == "24h"
    assert page.app.session_state["scale"] == "log"  # how it is drawn is no filter
    assert "only macOS" not in page.text


def test_a_link_with_an_unknown_value_shows_an_empty_view_and_not_everything(lake: Lake, overview):
    page = overview(lake.root, agent="99.9")
    assert "No data here" in page.text
    assert "agent 99.9" in page.text
    assert page.figures == []


def test_a_range_that_ends_before_it_begins_is_said_on_the_page(lake: Lake, overview):
    page = overview(lake.root, **{"range": "custom", "from": "2026-03-04T11:00", "to": "2026-03-04T10:00"})
    assert "The range ends before it begins: the hour before its end is shown." in page.text


def test_a_custom_range_is_utc_and_ends_at_what_is_known(lake: Lake, overview):
    page = overview(lake.root, **{"range": "custom", "from": "2026-03-04T10:00", "to": "2026-03-04T11:00"})
    assert "10:00 to 4 Mar 2026 11:00 UTC" in page.text or "10:00 to 11:00 UTC" in page.text
    drawn = page.figures[0]["layout"]["xaxis"]["range"]
    assert drawn[0].startswith("2026-03-04 10:00")
    assert drawn[1].startswith("2026-03-04 11:00")


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("11:00", "10:00", "The range ends before it begins: the hour before its end is shown."),
        ("10:00", "10:00", "The range ends before it begins: the hour before its end is shown."),
        ("15:00", "16:00", "The range begins after the newest record: the last hour that is known is shown."),
        ("10:00", "23:00", ""),
    ],
)
def test_a_range_that_holds_nothing_says_what_is_shown_instead(since: str, until: str, said: str, lake: Lake):
    view = View(
        span="custom",
        since=datetime.fromisoformat(f"2026-03-04T{since}Z"),
        until=datetime.fromisoformat(f"2026-03-04T{until}Z"),
    )
    with closing(Feed(lake.root, watch=False)) as feed:
        assert view.impossible(feed.snapshot()) == said


def test_of_very_many_versions_those_whose_hosts_crashed_most_are_shown(lake: Lake, overview):
    hosts = [
        {"host_id": f"new-{number}", "os_type": "linux", "agent_version": f"8.{number}", "seen_at": START}
        for number in range(40)
    ]
    append_rows(lake, "host", hosts, batch_id="versions")
    append_rows(
        lake, "session", [{"host_id": each["host_id"], "online_from": START} for each in hosts], batch_id="online"
    )
    page = overview(lake.root)
    shown = page.table("Crash rate by agent version")
    assert len(shown) == 12
    assert {"7.9.100", "7.11.200", "7.16.300"} < set(shown), "the hosts of no other one crashed"
    assert "per 1,000 host-hours; the 12 with most hosts crashed of 43" in page.text


def test_lines_by_update_put_the_named_one_among_them(lake: Lake, overview):
    tick(lake, [incident()])
    page = overview(lake.root, by="update")
    assert GUILTY in page.lines


def test_the_axis_is_logarithmic_when_the_peak_would_flatten_the_rest(lake: Lake, overview):
    assert overview(lake.root).figures[0]["layout"]["yaxis"]["type"] == "log"
    assert overview(lake.root, scale="linear").figures[0]["layout"]["yaxis"]["type"] == "linear"


def test_without_presence_host_time_is_assumed_and_said(tmp_path: Path, overview):
    lake = outage(tmp_path / "lake", presence=False)
    page = overview(lake.root)
    assert "counts as online for 24 hours after it was last seen" in page.text


def test_of_an_os_of_which_no_host_tells_presence_that_is_said(tmp_path: Path, overview):
    lake = outage(tmp_path / "lake", presence=False)
    windows = [f"host-{number:02d}" for number in range(40)]
    append_rows(lake, "session", [{"host_id": host, "online_from": START} for host in windows], batch_id="windows")
    assert "No host of macOS or Linux tells its presence, so one counts as online" in overview(lake.root).text


def test_hostile_names_are_text(tmp_path: Path, overview):
    lake = outage(tmp_path / "lake", guilty=HOSTILE)
    tick(lake, [incident(update_id=HOSTILE, candidates=[{"update_id": HOSTILE, "probability": 0.9}])])
    page = overview(lake.root, by="update")
    assert "<img src=x" not in page.markup
    assert "&lt;img" in page.markup
    assert all("<img" not in str(figure) for figure in page.figures)
    assert "[x](http" not in str(page.app.get("page_link"))


def test_a_replay_shows_fleet_time_and_a_live_feed_its_age(lake: Lake, overview):
    tick(lake, [])
    replayed = overview(lake.root)
    assert "Fleet time 14:00 UTC" in replayed.text
    assert "Age of the data" not in replayed.text


def test_a_live_fleet_shows_the_age_of_its_newest_record(tmp_path: Path, overview):
    lake = Lake.create(tmp_path / "lake")
    now = datetime.now(UTC)
    append_rows(lake, "heartbeat", [{"host_id": "a", "at": now - timedelta(seconds=4)}])
    append_rows(lake, "host", [{"host_id": "a", "os_type": "linux", "seen_at": now - timedelta(hours=2)}])
    tick(lake, [], as_of=now, at=now)
    page = overview(lake.root)
    assert "Age of the data" in page.text
    assert "Fleet time" not in page.text


def test_of_crashes_alone_the_curve_counts_them_and_nobody_is_said_to_be_online(tmp_path: Path, overview):
    lake = Lake.create(tmp_path / "lake")
    crashes = [
        {
            "crash_id": f"c{n}",
            "host_id": f"h{n}",
            "os_type": "windows",
            "occurred_at": RELEASED + timedelta(minutes=n * n),
        }
        for n in range(20)
    ]  # with gaps between them
    append_rows(lake, "crash", crashes, batch_id="crashes")
    page = overview(lake.root)
    assert "crashes are counted instead of rated" in page.text
    assert "nobody tells who was online" in page.text
    assert page.lines == {"Windows"}


def test_the_crashes_of_the_fleet_are_not_taken_for_those_of_the_incident(lake: Lake, overview):
    tick(lake, [incident()])
    text = overview(lake.root).text
    assert "Hosts crashed 18 of 21 exposed" in text
    assert "Hosts crashed 28 of 60 online 64 crashes of any cause, last 24h" in text
