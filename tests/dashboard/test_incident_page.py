"""One incident, and the answers to ids that are none."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.data import Feed, feed_of
from dashboard.incidents import STATES
from fleetcrash.attribution.reporting.impact import Impact, impact_of
from fleetcrash.store import Engine, Lake
from tests.dashboard.conftest import Page
from tests.dashboard.fleet import GUILTY, INNOCENT, NOW, append_rows, incident, outage, tick

RIVALS = [
    {
        "name": INNOCENT,
        "kind": "update",
        "log_evidence": 3.2,
        "rate_ratio": {"low": 0.4, "estimate": 1.1, "high": 3.0},
        "hosts_crashed": 4,
        "hosts_exposed": 30,
        "probability": 0.001,
    },
    {"name": "emea 12:01", "kind": "wave", "rate_ratio": {"low": 1.0, "estimate": 2.0, "high": None}},
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return outage(tmp_path / "lake")


def test_the_page_says_what_whom_when_and_how_sure(lake: Lake, incident_page):
    tick(lake, [incident(rivals=RIVALS)])
    page = incident_page(lake.root, "inc-0001")
    for said in (
        "State open", "Alarm 12:02 UTC", "Named 12:04 UTC", "Released 12:00 UTC", "Withdrawn no", "99.8 %",
        "At risk 3", "Recovered 11", "Dark 2", "Blast radius", "History of the verdict", "Limits",
    ):  # fmt: skip
        assert said in page.text
    ratios, states, _ = page.figures
    shown = " ".join(note["text"] for note in ratios["layout"]["annotations"])
    assert all(name in shown for name in (GUILTY, INNOCENT, "emea 12:01 (wave)"))
    assert states["data"][0]["y"] == ["Recovered", "Dark", "Crashed", "Cleared", "At risk", "Pending"]


def test_the_way_back_leads_to_all_incidents(lake: Lake, incident_page):
    tick(lake, [incident()])
    assert incident_page(lake.root, "inc-0001").text.startswith("Overview › Incidents › inc-0001")


def test_what_is_in_question_is_on_top_of_its_rivals_and_each_tells_how_probable_it_is(lake: Lake, incident_page):
    ratio = {"low": 4.9, "estimate": 9.9, "high": 18.0}
    strong = {"low": 2.6, "estimate": 22.0, "high": 79.0}
    rivals = [
        {"name": "policy-011", "kind": "update", "rate_ratio": strong, "probability": 0.0},
        {"name": GUILTY, "kind": "update", "rate_ratio": ratio, "probability": 0.0},
        *RIVALS[1:],
    ]
    candidates = [{"update_id": GUILTY, "probability": 0.5}]
    evidence = {**incident()["evidence"], "rate_ratio": strong}
    changed = {"update_id": None, "named_at": None, "candidates": candidates, "evidence": evidence}
    tick(lake, [incident(verdict="cannot_separate", rivals=rivals, **changed)])
    page = incident_page(lake.root, "inc-0001")
    assert [each["text"] for each in page.figures[0]["layout"]["annotations"]][:3] == [
        f"<b>{GUILTY}</b>  × 9.9 (4.9 to 18), probability 50.0 %",
        "policy-011  × 22 (2.6 to 79), probability &lt; 0.1 %",
        "emea 12:01 (wave)  × 2.0 (1.0 to no bound)",
    ]
    assert "Rate ratio of policy-011 × 22 (× 2.6 to × 79)" in page.text, "it is not that of the update in question"


def test_where_no_update_did_it_the_rise_is_on_top_of_the_updates(lake: Lake, incident_page):
    tick(lake, [incident(verdict="no_update", update_id=None, cause="region", candidates=[], rivals=RIVALS)])
    names = [
        each["text"].split("  ")[0] for each in incident_page(lake.root, "inc-0001").figures[0]["layout"]["annotations"]
    ]
    assert names[:2] == ["emea 12:01 (wave)", INNOCENT]


def test_an_update_after_which_hosts_went_offline_silences_them(lake: Lake, incident_page):
    evidence = {**incident()["evidence"], "hosts_left": 501, "events_judged": 501, "events_expected": 16.3}
    tick(lake, [incident(evidence=evidence)])
    text = incident_page(lake.root, "inc-0001").text
    for said in (
        f"{GUILTY} (content update) is silencing", "Went offline 501 soon after the install; 16 expected",
        "At risk 3 exposed, awake or offline", "Went offline soon after it 501", "may have been put to sleep",
    ):  # fmt: skip
        assert said in text
    assert "Recovered 11 online" not in text


@pytest.mark.variants
@pytest.mark.parametrize(
    ("changed", "said", "unsaid"),
    [
        ({}, f"{GUILTY} (content update) crashed Windows hosts, agent", "is crashing"),
        ({"condition": None}, "crashed hosts that had it (which ones in particular could not be told)", "still open"),
        (
            {"verdict": "cannot_separate", "update_id": None, "named_at": None},
            f"Crashes rose after an update, {GUILTY} : likely, but not confirmed State closed",
            "not yet",
        ),
        (
            {"verdict": "undetermined", "update_id": None, "named_at": None, "candidates": []},
            "Crashes rose; what did it could not be told State closed",
            "is being judged",
        ),
    ],
)
def test_what_is_over_is_told_as_over(lake: Lake, incident_page, view, changed: dict[str, Any], said: str, unsaid: str):
    tick(lake, [incident(closed_at="2026-03-04T13:30:00Z", **changed)])
    text = incident_page(lake.root, "inc-0001").text
    assert said in text
    assert unsaid not in text
    quiet = view("overview", lake.root).text
    assert "is crashing" not in quiet
    assert "being judged" not in quiet


def test_what_is_likely_and_not_proven_is_said_in_one_way_everywhere(lake: Lake, incident_page, view):
    changed: dict[str, Any] = {"update_id": None, "named_at": None, "impact": {}, "lacks": "too few hosts lack it"}
    tick(lake, [incident(verdict="cannot_separate", **changed)])
    page, first = incident_page(lake.root, "inc-0001").text, view("overview", lake.root).text
    for text in (page, first):
        assert f"Crashes rose after an update, {GUILTY} : likely, but not confirmed yet" in text
        assert f"not confirmed {GUILTY} 99.8 %" in text
        assert "not certain" not in text
    assert "How sure 99.8 %, not confirmed" in first
    assert "Not counted Hosts are counted by state once an update is named." in page
    assert "No host counts as exposed" not in page  # hosts have it: they are only not counted


def test_a_name_stands_beside_its_controls(lake: Lake, incident_page):
    controls = {"window_min": 60, "after": 42, "before": 3, "placebo": 7.25, "placebo_as_many": 0.04}
    tick(lake, [incident(controls=controls)])
    text = incident_page(lake.root, "inc-0001").text
    for said in (
        "Hosts crashed within 60 min after the install 42", "The same hosts, 60 min before it 3",
        "Within 60 min after install times drawn at random 7.2 (as many in 4.0 % of draws)",
    ):  # fmt: skip
        assert said in text


def test_the_first_thing_below_what_to_do_is_what_the_name_rests_on(lake: Lake, incident_page):
    controls = {"window_min": 60, "after": 42, "before": 3, "placebo": 7.25, "placebo_as_many": 0.04}
    evidence = {**incident()["evidence"], "events_judged": 44, "events_expected": 1.1}
    tick(lake, [incident(controls=controls, evidence=evidence)])
    text = incident_page(lake.root, "inc-0001").text
    words = (
        "Because: 42 of its hosts crashed within 60 min after the install, 3 in the 60 min before it, and 7.2 would "
        "have after install times drawn at random; 44 crashes and silences where 1.1 were to be expected (× 40)."
    )
    assert text.index("Now: withdraw") < text.index(words) < text.index("Attribution")


def test_where_nearly_all_got_it_at_once_what_chance_gives_is_no_reason(lake: Lake, incident_page):
    controls = {"window_min": 60, "after": 1412, "before": 0, "placebo": 1128.0, "placebo_as_many": 0.0}
    tick(lake, [incident(controls=controls)])
    text = incident_page(lake.root, "inc-0001").text
    assert "Because: 1 412 of its hosts crashed within 60 min after the install and 0 in the 60 min before it." in text
    assert "Within 60 min after install times drawn at random 1128.0" in text, "it is told as evidence"


@pytest.mark.parametrize("changed", [{"before": 61}, {"placebo_as_many": 0.2}, {"after": 0}])
def test_controls_that_do_not_speak_are_no_reason(changed: dict[str, Any], lake: Lake, incident_page):
    controls = {"window_min": 60, "after": 42, "before": 3, "placebo": 7.25, "placebo_as_many": 0.04, **changed}
    tick(lake, [incident(controls=controls)])
    text = incident_page(lake.root, "inc-0001").text
    assert "Because" not in text
    assert "The same hosts, 60 min before it" in text, "they are told as evidence"


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ({}, "Left to do: withdraw content-291. 5 more hosts would match"),
        ({"impact": {"exposed": 21, "recovered": 21, "pending": 0}}, ""),
        ({"verdict": "no_update", "update_id": None, "cause": "site"}, ""),
    ],
)
def test_that_an_incident_is_closed_does_not_withdraw_its_update(
    changed: dict[str, Any], left: str, lake: Lake, incident_page
):
    tick(lake, [incident(closed_at="2026-03-04T13:30:00Z", **changed)])
    text = incident_page(lake.root, "inc-0001").text
    assert left in text
    assert ("Left to do" in text) == bool(left)
    assert "Now:" not in text


def test_without_a_name_there_are_no_controls(lake: Lake, incident_page):
    tick(lake, [incident(controls=None)])
    assert "drawn at random" not in incident_page(lake.root, "inc-0001").text


def test_states_sum_to_exposed(lake: Lake, incident_page):
    shown = incident()
    tick(lake, [shown])
    incident_page(lake.root, "inc-0001")
    assert sum(shown["impact"][state] for state in STATES if state != "pending") == shown["impact"]["exposed"]


def test_blast_radius_and_hosts_at_risk_come_from_the_lake(lake: Lake, incident_page):
    tick(lake, [incident()])
    page = incident_page(lake.root, "inc-0001")
    radius = page.text[page.text.index("Blast radius") : page.text.index("Evidence")]
    assert "Windows 7.11.200" in radius
    assert "macOS" in radius
    table = page.text[page.text.index("Hosts: at risk 3 hosts") : page.text.index("Evidence")]
    assert [name for name in table.split() if name.startswith("host-")] == ["host-07", "host-14", "host-28"]


def test_those_that_match_stand_beside_the_rest_that_has_the_update(lake: Lake, incident_page):
    tick(lake, [incident()])
    page = incident_page(lake.root, "inc-0001")
    found = {row[0]: row[1:3] for row in page.rows("Whom it hits")}
    feed = feed_of(str(lake.root))
    matching, with_it = (feed.impact(GUILTY, each).counts() for each in (incident()["condition"], None))
    hit, hit_in_all = (sum(each[state] for state in ("recovered", "dark", "crashed")) for each in (matching, with_it))
    assert hit > 0
    assert found == {
        "Windows, agent ≥ 7.11": [str(hit), str(matching["exposed"])],
        "the rest, which does not match": [str(hit_in_all - hit), str(with_it["exposed"] - matching["exposed"])],
    }
    assert page.text.index("Whom it hits") < page.text.index("Blast radius")
    assert "while exposed, up to now" not in page.text


def test_the_hosts_of_an_update_are_counted_once_for_all_and_for_those_that_match(lake: Lake, monkeypatch):
    counted = []

    def counting(engine: Engine, update_id: str, condition: dict[str, str] | None) -> Impact:
        counted.append(condition)
        return impact_of(engine, update_id, condition)

    monkeypatch.setattr("dashboard.data.impact_of", counting)
    condition = {"os_type": "windows", "agent_version": ">=7.11"}
    with closing(Feed(lake.root, watch=False)) as feed, Engine(lake) as engine:
        assert feed.impact(GUILTY, condition).hosts.equals(impact_of(engine, GUILTY, condition).hosts)
        assert feed.impact(GUILTY, None).hosts.equals(impact_of(engine, GUILTY, None).hosts)
    assert counted == [None]


def test_whom_it_hits_says_that_it_knows_more_than_was_judged(lake: Lake, incident_page):
    tick(lake, [incident()], as_of=NOW - timedelta(minutes=9))
    text = incident_page(lake.root, "inc-0001").text
    assert "gone dark, while exposed, up to now; the figures above are of 13:51 UTC, as judged" in text


@pytest.mark.parametrize("condition", [None, {}])
def test_where_all_or_nobody_knows_who_match_there_is_no_rest(condition: object, lake: Lake, incident_page):
    tick(lake, [incident(condition=condition)])
    assert "Whom it hits" not in incident_page(lake.root, "inc-0001").text


@pytest.mark.parametrize(
    ("known_since", "words"), [("inc-a", "the alarm of 3 Mar 12:02 UTC"), ("inc-gone", "inc-gone")]
)
def test_an_earlier_incident_is_told_by_its_time(known_since: str, words: str, lake: Lake, incident_page):
    first = incident(incident_id="inc-a", alarm_at="2026-03-03T12:02:00Z", closed_at="2026-03-03T14:00:00Z")
    summary = f"u crashes hosts (99.9% sure, alarm 12:02 UTC, known since {known_since})."
    tick(lake, [first, incident(summary=summary)])
    assert f"alarm 12:02 UTC, known since {words})." in incident_page(lake.root, "inc-0001").text


def test_of_very_many_versions_the_blast_radius_shows_those_that_crashed_most(lake: Lake, incident_page):
    hosts = [
        {"host_id": f"host-{number:02d}", "os_type": "windows", "agent_version": f"8.{number}", "seen_at": NOW}
        for number in range(60)
    ]
    append_rows(lake, "host", hosts, batch_id="versions")
    tick(lake, [incident()])
    page = incident_page(lake.root, "inc-0001")
    rows = page.rows("Blast radius")
    assert len(rows) == 12
    assert all(row[2:] == ["1", "1", "100.0 %"] for row in rows)
    assert "whether or not they match the incident" in page.text
    assert "; the 12 with most crashed of 48" in page.text
    assert "blast-radius" in page.offered, "the file has them all"


@pytest.mark.parametrize(("judged_min", "is_older"), [(-3, True), (5, False)])
def test_what_is_counted_up_to_now_is_told_from_what_was_judged_before(
    lake: Lake, incident_page, judged_min: int, *, is_older: bool
):
    tick(lake, [incident()], as_of=NOW + timedelta(minutes=judged_min))
    radius = incident_page(lake.root, "inc-0001").text.partition("Blast radius")[2].partition("Evidence")[0]
    assert "of those ever exposed" in radius
    assert ("up to now; the figures above are of" in radius) is is_older


def test_what_waiting_cost_at_the_alarm_and_at_the_minute_asked_for(lake: Lake, incident_page):
    tick(lake, [incident()])
    page = incident_page(lake.root, "inc-0001")
    # Of 21 hosts, 15 got it later than two minutes after the release; 18 were hit, and 12 of those 15.
    said = "Halted 12:02 UTC 15 fewer exposed it would have reached 6 of 21 Of those, hit 12 fewer"
    assert said in page.text
    assert "6 of 18 hit all the same A first ring of 1 % instead 1 of 1 host hit" in page.text
    assert page.app.slider(key="halt").value == 2
    exposed, hit = page.figures[2]["data"][3]["y"], page.figures[2]["data"][2]["y"]
    assert (exposed[0], exposed[2], exposed[-1]) == (21, 15, 0)
    assert (hit[0], hit[2], hit[-1]) == (18, 12, 0)
    later = Page(page.app.slider(key="halt").set_value(5).run())
    assert "Halted 12:05 UTC 10 fewer exposed" in later.text


@pytest.mark.slow
def test_a_minute_in_the_address_is_the_one_shown_and_nonsense_is_not(lake: Lake, incident_page):
    tick(lake, [incident()])
    assert "Halted 12:07 UTC" in incident_page(lake.root, "inc-0001", halt="7").text
    assert "Halted 12:02 UTC" in incident_page(lake.root, "inc-0001", halt="99999").text
    assert "Halted 12:02 UTC" in incident_page(lake.root, "inc-0001", halt="soon").text


@pytest.mark.slow
def test_the_minute_chosen_stays_while_time_goes_on(lake: Lake, incident_page):
    tick(lake, [incident()])
    page = incident_page(lake.root, "inc-0001")
    page.app.slider(key="halt").set_value(7).run()
    later = {"host_id": "host-00", "os_type": "windows", "seen_at": NOW + timedelta(minutes=9)}
    append_rows(lake, "host", [later], batch_id="later")
    feed_of(str(lake.root)).refresh()
    grown = Page(page.app.run())
    assert page.app.slider(key="halt").max == 129
    assert "Halted 12:07 UTC" in grown.text


def test_waiting_for_what_has_reached_nobody_cost_nothing(lake: Lake, incident_page):
    tick(lake, [incident(condition={"os_type": "windows", "agent_version": "8.*"})])
    assert "What waiting cost Nothing to count yet" in incident_page(lake.root, "inc-0001").text


def test_without_installs_the_page_says_how_hosts_were_counted(tmp_path: Path, incident_page):
    told = outage(tmp_path / "told", installs=False)
    tick(told, [incident()])
    assert "What waiting cost No install is on record" in incident_page(told.root, "inc-0001").text


def test_where_no_update_is_named_there_is_nothing_to_halt(lake: Lake, incident_page):
    tick(lake, [incident(verdict="no_update", update_id=None, condition=None, cause="region")])
    assert "What waiting cost" not in incident_page(lake.root, "inc-0001").text


def test_the_hosts_of_a_state_within_the_filters(lake: Lake, incident_page):
    tick(lake, [incident()])
    page = incident_page(lake.root, "inc-0001", hosts="recovered", agent="7.16.300")
    assert "Hosts: recovered 9 hosts, only agent 7.16.300; the figures above are of the whole incident" in page.text
    assert 'href="host?agent=7.16.300&amp;id=host-02"' in page.markup


def test_filters_that_do_not_hold_for_rows_of_the_incident_are_not_said_of_them(lake: Lake, incident_page):
    tick(lake, [incident()])
    page = incident_page(lake.root, "inc-0001", hosts="recovered", agent="7.16.300", update=INNOCENT)
    assert f"Showing only agent 7.16.300, exposed to {INNOCENT}." in page.text, "so it is on other pages"
    assert f"of hosts with {GUILTY}, only agent 7.16.300; most hosts first" in page.text
    assert "9 hosts, only agent 7.16.300; the figures above" in page.text


@pytest.mark.parametrize(
    ("closed", "at"), [({}, NOW), ({"closed_at": NOW.isoformat()}, NOW - timedelta(minutes=1))], ids=["open", "closed"]
)
def test_clusters_beyond_the_first_are_a_click_away(closed: dict[str, str], at: datetime, lake: Lake, incident_page):
    rows = [
        {"crash_id": f"c-{code}", "host_id": "host-01", "os_type": "windows", "occurred_at": at, "code": f"0x{code}"}
        for code in range(10, 20)
    ]
    append_rows(lake, "crash", rows, batch_id="many")
    tick(lake, [incident(**closed)])
    page = incident_page(lake.root, "inc-0001")
    ended = "&amp;to=2026-03-04T14%3A00" if closed else ""
    where = f"clusters?range=custom&amp;from=2026-03-04T11%3A02{ended}&amp;update={GUILTY}"
    assert f'<a href="{where}">All crash clusters of the incident →</a>' in page.markup


def test_of_as_many_other_hosts_the_file_is_another(lake: Lake, incident_page):
    tick(lake, [incident()])
    found = []
    for agent in ("7.11.200", "7.16.300"):
        page = incident_page(lake.root, "inc-0001", hosts="recovered", agent=agent)
        assert len(page.rows("Hosts: recovered")) == 9
        found.append(page.files("hosts-recovered"))
    assert len({*found[0], *found[1]}) == 4, "CSV and Parquet of each"


def test_the_page_stands_without_the_keys_that_are_extra(lake: Lake, incident_page):
    bare: dict[str, Any] = {
        "incident_id": "inc-bare",
        "verdict": "undetermined",
        "alarm_at": None,
        "evidence": {},
        "impact": {},
    }
    tick(lake, [bare])
    page = incident_page(lake.root, "inc-bare")
    assert "being judged" in page.text
    assert "No comparison yet" in page.text


@pytest.mark.parametrize("asked", ["inc-none", "<script>alert(1)</script>", "\u202eabc"])
def test_an_unknown_id_is_answered_with_a_way_on(asked: str, lake: Lake, incident_page):
    tick(lake, [incident()])
    page = incident_page(lake.root, asked)
    assert "No incident of that name" in page.text
    assert "<script" not in page.markup
    assert len(page.app.get("page_link")) == 1
    assert len(page.rows("Incidents of this lake")) == 1


def test_without_an_id_the_incidents_are_listed_with_what_became_of_them(lake: Lake, incident_page):
    ended = incident(incident_id="inc-2", condition={}, closed_at="2026-03-03T13:00:00Z", evidence={})
    tick(lake, [ended, incident()])
    page = incident_page(lake.root)
    assert page.rows("Incidents") == [
        [f"{GUILTY} is crashing Windows hosts, agent ≥ 7.11", "open", "12:02", "18", "2"],
        [f"{GUILTY} crashed hosts of every kind that had it", "closed 3 Mar 13:00", "12:02", "–", "–"],
    ]
    assert "1 open, 1 closed, as of 4 Mar 2026 14:00 UTC" in page.text
    assert '<a href="incident?id=inc-2">' in page.markup


def test_a_closed_incident_is_shown_calmly(lake: Lake, incident_page):
    tick(lake, [incident(closed_at="2026-03-04T13:45:00Z")])
    page = incident_page(lake.root, "inc-0001")
    assert "closed 13:45 UTC" in page.text
    assert "fc-banner fc-notice" in page.markup
    assert "Now:" not in page.text


def test_no_tick_yet_names_the_command(lake: Lake, incident_page):
    assert "fleetcrash monitor --lake" in incident_page(lake.root, "inc-0001").text


def test_of_what_no_update_did_nobody_is_told_as_exposed_to_it(lake: Lake, incident_page):
    evidence = incident()["evidence"] | {"hosts_exposed": 0}
    tick(lake, [incident(verdict="no_update", cause="region", update_id=None, evidence=evidence, rivals=RIVALS)])
    page = incident_page(lake.root, "inc-0001")
    assert "Hosts exposed" not in page.table("Evidence")
    assert "A wave is a rise that follows no update" in page.text


def test_hosts_that_are_not_what_was_struck_any_more_count_as_struck_and_have_no_state(lake: Lake, incident_page):
    named = incident(condition={"agent_version": "1.0"})
    tick(lake, [named | {"impact": dict.fromkeys(named["impact"], 0)}])
    page = incident_page(lake.root, "inc-0001")
    assert (
        f"Hosts crashed {named['evidence']['hosts_crashed']} of {named['evidence']['hosts_exposed']} exposed"
        in page.text
    )
    assert "Of those that had the update none is what it hits any more." in page.text
    assert "0 hosts in this state" in page.text


def test_of_many_that_are_tied_a_few_are_named_and_the_others_counted(lake: Lake, incident_page):
    tied = [{"update_id": f"u{number:02}", "probability": 0.04} for number in range(25)]
    tick(lake, [incident(verdict="cannot_separate", update_id=None, named_at=None, candidates=tied)])
    page = incident_page(lake.root, "inc-0001")
    assert "after an update: u00 , u01 , u02 or 22 more, which cannot be told apart yet" in page.text
    assert "u00 4.0 %, u01 4.0 %, u02 4.0 % or 22 more" in page.text
    evidence = page.table("Evidence")
    assert evidence["Probability of u09"][1] == "4.0 %"
    assert evidence["Probability of one of 15 more"][1] == "60.0 %"


def test_certainty_is_rounded_to_on_neither_side(lake: Lake, incident_page):
    tick(lake, [incident(candidates=[{"update_id": GUILTY, "probability": 1.0}])])
    evidence = incident_page(lake.root, "inc-0001").table("Evidence")
    assert evidence[f"Probability of {GUILTY}"][1] == "> 99.9 %"
    assert evidence["Probability of no change"][1] == "< 0.1 %"
