"""The first page: what is wrong, the curve with the culprit's release, which hosts are hit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

import pandas as pd
import streamlit as st

from dashboard import links, tables
from dashboard.banner import followed_words, incident_banner, plain_headline, quiet_banner, unjudged_banner
from dashboard.changes import lately_line
from dashboard.cluster_tables import SPARK_BUCKETS, clusters_table
from dashboard.data import Feed
from dashboard.export import export
from dashboard.few_hosts import MOST as MOST_FEW
from dashboard.few_hosts import can_be, few_hosts, few_hosts_line
from dashboard.filters import View
from dashboard.frame import framed
from dashboard.freshness import freshness
from dashboard.incidents import Incident, Judgement
from dashboard.markup import Card, cards, markdown_text
from dashboard.pages import incident_page
from dashboard.rates import Rates, calm, is_enough, measure
from dashboard.selection import LOOKS_BACK, Selection
from dashboard.snapshot import Snapshot
from dashboard.states import data_problems, panel
from dashboard.views.rate_panel import Curve, ask_curve, draw_curve, drawing_row, export_curve, named_updates
from dashboard.wording import MOST_TIED, NOT_TOLD, clock, count, counted, percent, plain, rate, times
from fleetcrash.clustering import Cluster

_MOST_BANNERS = 3
_MOST_LINKS = 5  # to open incidents without a banner
_MOST_CLUSTERS = 8


def show() -> None:
    """Draw the page."""
    framed(_panels, above=lambda feed, snapshot: _banners(feed, _verdicts(snapshot)))


@st.fragment(run_every=2)
def _banners(feed: Feed, drawn: list[tuple[str, ...]]) -> None:
    data_problems(feed)
    snapshot = feed.snapshot()
    if _verdicts(snapshot) != drawn:
        st.rerun()  # the cards and the curve below must agree with the banner
    judgement = snapshot.judgement
    if judgement is None or judgement.unreadable:
        st.html(unjudged_banner(snapshot))
        return
    if len(judgement.faults) > 1:
        _several(judgement, snapshot)
    elif judgement.open:
        first, *also = judgement.faults[0]
        st.html(incident_banner(first, snapshot, also))
    else:
        st.html(quiet_banner(judgement, freshness(snapshot, datetime.now(UTC))))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):  # a line, if it is wide enough
        if not judgement.open:
            _links(judgement.closed[:1], "Open the closed incident")
        elif len(judgement.faults) == 1:
            _links(judgement.open[:1], "Open the incident")
        if lately := lately_line(snapshot):
            st.html(lately)


def _several(judgement: Judgement, snapshot: Snapshot) -> None:
    faults = judgement.faults
    for first, *also in faults[:_MOST_BANNERS]:
        st.html(incident_banner(first, snapshot, also))
        _links([first], "Open the incident", naming=True, as_of=snapshot.as_of)  # or no link is told from another
    others = [first for first, *_ in faults[_MOST_BANNERS:]]
    _links(others[:_MOST_LINKS], "Also open", naming=True, as_of=snapshot.as_of)
    if len(others) > _MOST_LINKS:
        more = count(sum(map(len, faults[_MOST_BANNERS + _MOST_LINKS :])))
        st.page_link(incident_page(), label=f"All incidents, {more} more of them open →")


def _verdicts(snapshot: Snapshot) -> list[tuple[str, ...]]:
    judgement = snapshot.judgement
    if judgement is None:
        return [("not judged",)]
    return [(each.incident_id, each.verdict, each.update_id or "") for each in judgement.open]


def _links(incidents: Sequence[Incident], words: str, *, naming: bool = False, as_of: datetime | None = None) -> None:
    for incident in incidents:
        # The alarm's time as well, for several may be about one update.
        said = f"{plain_headline(incident)}, alarm {clock(incident.alarm_at, beside=as_of)}"
        st.page_link(
            incident_page(),
            label=f"{words}: {markdown_text(said)} →" if naming else f"{words} →",
            query_params={"id": incident.incident_id},
        )


def _panels(feed: Feed, view: View) -> None:
    snapshot = feed.snapshot()
    selection = view.selection(snapshot)
    above = st.container()
    drawing = drawing_row()
    with panel("Crash rate"):
        # Each part is asked for just before it is drawn, so that the figures do not wait for the tables.
        hit = feed.hit(selection)
        named, alike = named_updates(snapshot), (selection, links.alike())
        curve = ask_curve(feed, drawing, selection, snapshot, crashes=int(hit["crashes"]), named=named)
        rates = feed.kept(("rates", selection), lambda: _rates(feed, selection, snapshot, curve))
        above.html(cards(_cards(snapshot, view, selection, rates, hit)) + _few_hosts(feed, view, selection, hit))
        draw_curve(feed, view, drawing, selection, snapshot, curve, rates)
        if snapshot.cannot_tell(view.filters):
            return
        export_curve(feed, selection, curve)
        left, right = st.columns(2, gap="large")
        with left:
            versions = feed.frame("crash_rate_by_agent_version", selection)
            st.html(feed.kept(("by version", *alike), lambda: tables.versions_table(versions, snapshot)))
            export(feed, "By agent version", versions, question="crash_rate_by_agent_version", selection=selection)
        with right:
            updates = feed.frame("crash_rate_by_update", selection)
            st.html(feed.kept(("by update", *alike), lambda: tables.updates_table(updates, named, snapshot)))
            export(feed, "By update", updates, question="crash_rate_by_update", selection=selection)
        clusters, sparks = feed.clusters(selection), feed.sparks(selection, SPARK_BUCKETS)
        st.html(feed.kept(("top clusters", *alike), lambda: _top_clusters(snapshot, clusters, sparks)))


def _few_hosts(feed: Feed, view: View, selection: Selection, hit: pd.Series) -> str:
    if feed.snapshot().cannot_tell(view.filters) or not can_be(hit):
        return ""
    return few_hosts_line(few_hosts(feed.frame("most_crashes_by_host", selection, most=MOST_FEW), hit))


def _top_clusters(snapshot: Snapshot, clusters: Sequence[Cluster], sparks: Mapping[str, list[int]]) -> str:
    shown = clusters[:_MOST_CLUSTERS]
    note = f"most hosts first; the first {len(shown)} of {count(len(clusters))}" if shown else "No crash here."
    listed = clusters_table(shown, sparks, snapshot.newest, title="Top crash clusters", note=note)
    more = f'<p class="fc"><a href="{escape(links.address("clusters"))}">All crash clusters →</a></p>'
    return listed + (more if len(clusters) > len(shown) else "")


def _rates(feed: Feed, selection: Selection, snapshot: Snapshot, curve: Curve) -> Rates:
    incidents = snapshot.judgement.incidents if snapshot.judgement else ()
    disturbed = [(each.since, each.closed_at or selection.until) for each in incidents if each.since is not None]
    calm_buckets = calm(curve.fleet, curve.buckets.width_s, until=selection.until, disturbed=disturbed)
    since = _history_since(selection, snapshot)
    if not is_enough(calm_buckets, curve.buckets.width_s) and since < selection.since:
        calm_buckets = calm(feed.earlier(selection, since), 3600, until=selection.until, disturbed=disturbed)
    return measure(curve.fleet, calm_buckets, feed.frame("crash_rate_lately", selection).iloc[0])


def _history_since(selection: Selection, snapshot: Snapshot) -> datetime:
    """Start of the time for a baseline: two days ago, but not before the release of an update that is filtered by."""
    two_days_ago = selection.until - LOOKS_BACK
    released = [snapshot.update(update_id) for update_id in selection.filters.updates]
    if not released or None in released:
        return two_days_ago
    return max(two_days_ago, min(each.released_at for each in released if each is not None))


def _cards(snapshot: Snapshot, view: View, selection: Selection, rates: Rates, hit: pd.Series) -> list[Card]:
    where = " (filtered)" if view.narrowed else ""
    of_it = " of the range" if view.span == "custom" else ""
    if rates.now is None:
        rate_more = "host-time is not known"
    else:
        over = rates.over_baseline
        rate_more = f"baseline {rate(rates.baseline)}" + (f", {times(over)} of it" if over and over >= 1.5 else "")
        if rates.peak and rates.peak_at is not None:
            rate_more += f"; peak {rate(rates.peak)} at {clock(rates.peak_at, beside=selection.until)}"
    return [
        Card(
            f"Crash rate, last hour{of_it}{where}",
            rate(rates.now),
            unit="per 1,000 host-hours",
            more=rate_more,
            kind="bad" if rates.is_raised else "",
        ),
        Card(
            f"Hosts crashed{where}",
            count(hit["hosts_crashed"]),
            unit=_of_online(hit, snapshot),
            more=f"{counted(hit['crashes'], 'crash')} of any cause, {view.window_words(selection).partition(':')[0]}",
            address=links.address("clusters"),
        )
        if not snapshot.cannot_tell(view.filters)
        else Card(f"Hosts crashed{where}", "–", more=f"who has an update is not known: {NOT_TOLD}"),
        _culprit_card(snapshot),
        freshness(snapshot, datetime.now(UTC)).card,
    ]


def _of_online(hit: pd.Series, snapshot: Snapshot) -> str:
    if snapshot.only_crashes or (not hit["hosts_online"] and hit["crashes"]):
        return "nobody tells who was online"
    return f"of {count(hit['hosts_online'])} online"


def _culprit_card(snapshot: Snapshot) -> Card:
    judgement = snapshot.judgement
    if judgement is None or judgement.unreadable:
        return Card("Culprit", "–", more="not judged yet")
    if not judgement.open:
        return Card("Culprit", "none", more=f"no open incident as of {clock(judgement.as_of, beside=snapshot.as_of)}")
    (first, *_), others = judgement.faults[0], len(judgement.faults) - 1
    if first.verdict == "update":
        sure = f"probability {percent(first.probability)}" + (f"; {others} more open" if others else "")
        return Card("Culprit", plain(first.update_id, 26), more=sure, kind="culprit")
    if first.verdict == "cannot_separate":
        names = ", ".join(f"{plain(each.update_id, 22)} {percent(each.probability)}" for each in first.tied[:MOST_TIED])
        tied, alone = len(first.tied), "not confirmed" if first.unconfirmed else "not certain"
        return Card("Culprit", f"one of {tied}" if tied > 1 else alone, more=names)
    if first.verdict == "no_update":
        return Card("Culprit", "no update", more=followed_words(first))
    return Card("Culprit", "being judged", more=f"alarm {clock(first.alarm_at, beside=snapshot.as_of)}")
