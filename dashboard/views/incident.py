"""One incident: its cause, how sure we are, which hosts it hit, what is left to do."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

import streamlit as st

from dashboard import links, tables
from dashboard.banner import followed_words, headline
from dashboard.data import Feed
from dashboard.export import export
from dashboard.filters import View
from dashboard.frame import framed
from dashboard.freshness import freshness
from dashboard.incident_charts import Explanation, ratio_chart, states_chart
from dashboard.incidents import STATES, Incident, Judgement
from dashboard.markup import Card, Fact, cards, facts, notice
from dashboard.next_step import as_markup, hit_in_all, page_lines
from dashboard.pages import current_feed, is_dark
from dashboard.snapshot import Snapshot
from dashboard.states import needs_lake, panel
from dashboard.ticket import ticket_text
from dashboard.views.incident_delay import what_waiting_cost
from dashboard.views.incident_evidence import HARDLY_ANY, evidence_table, history_table, limits_list, rival_name
from dashboard.views.incident_list import no_incident, of_the_same_update
from dashboard.views.incident_rows import incident_clusters, incident_hosts
from dashboard.wording import (
    NOT_TOLD,
    STATE_NAMES,
    clock,
    count,
    counted,
    one_of,
    percent,
    plain,
    times,
)

_ROWS_EVERY_S = 10  # a table that people read must not change all the time


def show() -> None:
    """Draw the page."""
    asked = st.query_params.get("id", "")
    feed = current_feed()
    judgement = feed.snapshot().judgement
    if judgement is None or judgement.find(asked) is None:
        if needs_lake(feed):
            no_incident(feed, asked)
    elif framed(_rows_behind, asked, above=lambda feed, _: _impact(feed, asked), every_s=_ROWS_EVERY_S):
        _reasons(feed, asked)


def _rows_behind(feed: Feed, view: View, asked: str) -> None:
    _, _, incident = _found(feed, asked)
    incident_clusters(feed, view, incident)
    incident_hosts(feed, view, incident)


@st.fragment(run_every=5)
def _impact(feed: Feed, asked: str) -> None:
    snapshot, judgement, incident = _found(feed, asked)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        before = {"Overview": links.address(links.OVERVIEW), "Incidents": links.address("incident")}
        st.html(links.breadcrumbs(before, asked))
        _ticket(snapshot, incident)
    st.html(_head(snapshot, incident))
    st.html(cards(_cards(incident, snapshot)))
    left, right = st.columns(2, gap="large")
    with left:
        _ratios(incident, snapshot)
    with right:
        _states(incident, snapshot)
        if incident.update_id is not None and incident.condition and not snapshot.only_crashes:
            with panel("Whom it hits"):
                with_it = feed.impact(incident.update_id, None).counts()
                those = feed.impact(incident.update_id, incident.condition).counts()
                st.html(tables.matching_table(those, with_it, incident.condition, snapshot, judged=judgement.as_of))
    if others := of_the_same_update(judgement, incident):
        st.html(others)
    if incident.update_id is not None:
        with panel("Blast radius"):
            radius = feed.frame("blast_radius_by_os_agent_version", None, update_id=incident.update_id)
            st.html(tables.blast_radius_table(radius, snapshot, judged=judgement.as_of))
            export(
                feed,
                "Blast radius",
                radius,
                question="blast_radius_by_os_agent_version",
                parameters={"update_id": incident.update_id},
            )
        with panel("The cost of waiting"):
            what_waiting_cost(feed, incident)


@st.fragment(run_every=5)
def _reasons(feed: Feed, asked: str) -> None:
    snapshot, judgement, incident = _found(feed, asked)
    left, right = st.columns(2, gap="large")
    left.html(evidence_table(incident, snapshot))
    right.html(history_table(incident, snapshot.as_of))
    st.html(limits_list(judgement, incident, snapshot))
    age = escape(freshness(snapshot, datetime.now(UTC)).words)
    st.html(f'<div class="fc"><span class="fc-note">Judged as of {clock(judgement.as_of)}; {age}.</span></div>')


def _found(feed: Feed, asked: str) -> tuple[Snapshot, Judgement, Incident]:
    """The incident in its present state; if it is gone, the page is drawn anew."""
    snapshot = feed.snapshot()
    incident = snapshot.judgement.find(asked) if snapshot.judgement else None
    if snapshot.judgement is None or incident is None:
        st.rerun()
    return snapshot, snapshot.judgement, incident


def _head(snapshot: Snapshot, incident: Incident) -> str:
    beside = snapshot.as_of
    update = snapshot.update(incident.update_id)
    shown = [
        Fact("State", "open" if incident.is_open else f"closed {clock(incident.closed_at, beside=beside)}"),
        Fact("Alarm", clock(incident.alarm_at, beside=beside)),
    ]
    if incident.verdict != "no_update":
        never = "not yet" if incident.is_open else "never"
        named = clock(incident.named_at, beside=beside) if incident.named_at else never
        shown.append(Fact("Named", named))
    if incident.update_id is not None:
        withdrawn = update.reverted_at if update else None
        shown += [
            Fact("Released", clock(update.released_at, beside=beside) if update else "not in the catalogue"),
            Fact("Withdrawn", clock(withdrawn, beside=beside) if withdrawn else "no"),
        ]
    shown.append(Fact("Incident", plain(incident.incident_id, 40)))
    kind = incident.verdict if incident.is_open else "notice"
    now = as_markup(page_lines(incident, snapshot))
    return (
        f'<div class="fc fc-banner fc-{kind}" role="status"><p class="fc-title">{headline(incident, snapshot)}</p>'
        f"{facts(shown)}{now}</div>"
    )


def _ticket(snapshot: Snapshot, incident: Incident) -> None:
    opened = st.popover(
        "Text for a ticket", key="ticket", icon=":material/content_copy:", type="tertiary", on_change="rerun"
    )
    if opened.open:
        opened.code(ticket_text(incident, snapshot, st.context.url or ""), language=None, width=640, wrap_lines=True)


def _attribution(incident: Incident) -> Card:
    if incident.verdict == "update":
        said = f"that {plain(incident.update_id, 32)} did it"
        return Card("Attribution", percent(incident.probability), more=said, kind="culprit")
    if incident.verdict == "cannot_separate":
        tied = one_of([f"{plain(each.update_id, 24)} {percent(each.probability)}" for each in incident.tied])
        value = "tied" if len(incident.tied) > 1 else "not confirmed" if incident.unconfirmed else "not certain"
        return Card("Attribution", value, more=tied)
    if incident.verdict == "no_update":
        return Card("Attribution", "no update", more=followed_words(incident))
    if incident.is_open:
        return Card("Attribution", "open", more="still being judged")
    return Card("Attribution", "none", more="closed before anything could be told")


def _cards(incident: Incident, snapshot: Snapshot) -> list[Card]:
    impact, evidence, who = incident.impact, incident.evidence, _attribution(incident)
    crashed = evidence.get("hosts_crashed")
    exposed = evidence.get("hosts_exposed")
    share = f"{100 * crashed / exposed:.1f} % of them; " if crashed is not None and exposed else ""
    word = "exposed" if incident.verdict == "update" else "concerned"
    in_all = hit_in_all(incident, snapshot)
    hit = Card(
        "Hosts crashed, this alarm" if in_all else "Hosts crashed",
        count(crashed),
        unit=f"of {count(exposed)} {word}" if exposed else "",
        more=f"{share}{counted(evidence.get('crashes'), 'crash')}" + (f"; in all it hit {in_all}" if in_all else ""),
    )
    if snapshot.only_crashes:
        return [who, hit, Card("At risk, recovered, dark", "–", more=f"not known: {NOT_TOLD}")]
    if incident.verdict != "update":
        dark = evidence.get("hosts_dark")
        return [who, hit, Card("Went dark", count(dark), more="servers, back or not", kind="bad" if dark else "")]
    not_hit = "exposed, not hit" if incident.hosts_left is None else "exposed, awake or offline"
    return [
        who,
        hit,
        Card(
            "At risk",
            count(impact.get("at_risk")),
            more=f"{not_hit}; {count(impact.get('pending'))} may still get it",
        ),
        _went_offline(incident, incident.hosts_left)
        if incident.hosts_left is not None
        else Card("Recovered", count(impact.get("recovered")), more="online for 30 minutes since the last crash"),
        Card(
            "Dark",
            count(impact.get("dark")),
            more="servers gone silent while exposed",
            kind="bad" if impact.get("dark") else "",
        ),
    ]


def _ratios(incident: Incident, snapshot: Snapshot) -> None:
    what = "Crashes" if snapshot.only_crashes else "Rate of exposed hosts"
    waves = " A wave is a rise that follows no update." if any(each.kind == "wave" for each in incident.rivals) else ""
    st.html(
        f'<div class="fc"><h3>{what} over what was to be expected</h3>'
        '<p class="fc-note">With intervals. A host has several updates at once: those beside the cause look bad, too.'
        f"{waves}</p></div>"
    )
    rows = explanations(incident, snapshot.as_of)
    if not rows:
        st.html(notice("No comparison yet", "There was not enough host-time to compare with."))
        return
    said = "; ".join(f"{plain(each.name)} {times(each.ratio.estimate)}" for each in rows)
    st.plotly_chart(
        ratio_chart(rows, dark=is_dark()),
        theme=None,
        key="ratios",
        config={"displayModeBar": False},
        alt=f"Rate ratios: {said}.",
    )
    if not incident.rivals:
        st.html('<div class="fc"><span class="fc-note">No rival explanation was weighed here.</span></div>')


def explanations(incident: Incident, beside: datetime | None) -> list[Explanation]:
    """What was weighed: what it was put down to, or may be, first, then its rivals, the strongest first."""
    rows = []
    named, tied = incident.verdict == "update", [each.update_id for each in incident.tied]
    if incident.rate_ratio is not None and (named or not incident.rivals):
        name, sure = incident.update_id or "this incident", percent(incident.probability) if named else ""
        rows.append(Explanation(name, incident.rate_ratio, sure, guilty=named))
    sure_of = {each.update_id: each.probability for each in incident.candidates}
    is_rise = incident.verdict == "no_update"
    for each in sorted(incident.rivals, key=lambda each: each.kind != "wave" if is_rise else each.name not in tied):
        if each.rate_ratio is None or each.name == incident.update_id:
            continue
        is_wave, suspected = each.kind == "wave", incident.verdict == "cannot_separate" and each.name in tied
        name = rival_name(each, beside)
        probability = sure_of.get(each.name, each.probability)  # of a tie its rivals do not tell the same
        sure = "" if is_wave or probability is None else percent(max(HARDLY_ANY, probability))
        rows.append(Explanation(name, each.rate_ratio, sure, suspected=suspected))
    return rows


def _states(incident: Incident, snapshot: Snapshot) -> None:
    impact = incident.impact
    exposed = impact.get("exposed", 0)
    none = not exposed and not impact.get("pending")
    sum_of = "recovered + dark + crashed + cleared + at risk, as they stand now"
    said = "" if none else f"{count(exposed)} exposed = {sum_of}; pending on top"
    st.html(f'<div class="fc"><h3>Exposed hosts by state</h3><p class="fc-note">{said}</p></div>')
    if none:
        if snapshot.only_crashes:
            st.html(notice("Not known", f"Nothing is known of hosts but their crashes: {NOT_TOLD}."))
        elif incident.verdict == "update":
            still = "Of those that had the update none is what it hits any more."
            gone = incident.evidence.get("hosts_exposed")
            st.html(notice("No host counts as exposed", still if gone else "None is known to have had the update."))
        else:
            st.html(notice("Not counted", _why_not_by_state(incident)))
        return
    states = [(name, STATE_NAMES[name], impact.get(name, 0)) for name in STATES]
    said = ", ".join(f"{name.lower()} {count(hosts)}" for _, name, hosts in states)
    st.plotly_chart(
        states_chart(states, dark=is_dark()),
        theme=None,
        key="states",
        config={"displayModeBar": False},
        alt=f"Hosts: {said}.",
    )


def _why_not_by_state(incident: Incident) -> str:
    below = "Those that were hit, with what became of each, are listed below."
    if incident.verdict == "no_update":
        return f"No update is to blame, so no host is exposed to one. {below}"
    if incident.is_open:
        return f"Hosts are counted by state once an update is named. {below}"
    return f"No update was named. {below}"


def _went_offline(incident: Incident, hosts: int) -> Card:
    expected = incident.evidence.get("events_expected")
    return Card("Went offline", count(hosts), more=f"soon after the install; {count(expected)} expected", kind="bad")
