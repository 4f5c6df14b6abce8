"""The first screen: what is wrong, the curve with the culprit's release on it, who is hit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import tables
from dashboard.banner import incident_banner, plain_headline, quiet_banner, trouble_banner, unjudged_banner
from dashboard.charts import Marker, bucket_words, line_styles, rate_chart
from dashboard.data import Feed, Snapshot
from dashboard.filters import View, filter_row
from dashboard.freshness import freshness
from dashboard.incidents import Incident
from dashboard.markup import Card, cards, legend, markdown_text, notice
from dashboard.pages import current_feed, incident_page, is_dark
from dashboard.rates import Rates, measure
from dashboard.selection import Selection
from dashboard.states import needs_lake, panel
from dashboard.wording import CAUSE_NAMES, clock, count, percent, plain, rate, times

_MOST_LINES = 6
_MOST_BANNERS = 3
_MOST_FAMILIES = 8
_QUESTIONS = {
    "OS": ("os_type", "crash_rate_by_minute_os"),
    "version": ("agent_version", "crash_rate_by_minute_agent_version"),
    "update": ("update_id", "crash_rate_by_minute_update"),
}


def show() -> None:
    """Draw the page."""
    feed = current_feed()
    snapshot = needs_lake(feed)
    if snapshot is None:
        return
    _banners(feed)
    view = filter_row(snapshot)
    _panels(feed, view, {name: frozenset(values) for name, values in snapshot.choices.items()})


@st.fragment(run_every=2)
def _banners(feed: Feed) -> None:
    snapshot = feed.snapshot()
    if snapshot.problem:
        st.html(trouble_banner(snapshot.problem))
    judgement = snapshot.judgement
    if judgement is None or judgement.unreadable:
        st.html(unjudged_banner(snapshot))
        return
    if not judgement.open:
        st.html(quiet_banner(snapshot, age=freshness(snapshot, datetime.now(UTC)).words))
        _links(judgement.closed[:1], "Open the closed incident")
        return
    for incident in judgement.open[:_MOST_BANNERS]:
        st.html(incident_banner(incident, snapshot))
        _links([incident], "Open the incident")
    _links(judgement.open[_MOST_BANNERS:], "Also open", naming=True)


def _links(incidents: Sequence[Incident], words: str, *, naming: bool = False) -> None:
    for incident in incidents:
        st.page_link(
            incident_page(),
            label=f"{words}: {markdown_text(plain_headline(incident))} →" if naming else f"{words} →",
            query_params={"id": incident.incident_id},
        )


@st.fragment(run_every=5)
def _panels(feed: Feed, view: View, offered: dict[str, frozenset[str]]) -> None:
    snapshot = feed.snapshot()
    if {name: frozenset(values) for name, values in snapshot.choices.items()} != offered:
        st.rerun()  # the filter row must offer what has come in since
    if snapshot.as_of is None:
        st.rerun()
    selection = view.selection(snapshot)
    group, question = _QUESTIONS[view.lines]
    with panel("Crash rate"):
        hit = feed.frame("hosts_affected", selection).iloc[0]
        bucketed = {
            "since": selection.since,
            "until": selection.until,
            "bucket_s": selection.bucket_s(int(hit["crashes"])),
        }
        shown = feed.frame("crash_rate_by_minute_os", selection, **bucketed)
        versions = feed.frame("crash_rate_by_agent_version", selection)
        updates = feed.frame("crash_rate_by_update", selection)
        families = feed.frame("crashes_by_family", selection, most=_MOST_FAMILIES)
        lines, note = _lines(feed, selection, snapshot, question, group, versions, updates, bucketed)
        # Asked last, because it reads another window.
        rates = _rates(feed, selection, snapshot, shown)
        st.html(cards(_cards(snapshot, view, selection, rates, hit)))
        _chart(lines, group, view, selection, snapshot, rates, shown["bucket_start"], bucketed["bucket_s"], note)
        left, right = st.columns(2, gap="large")
        left.html(tables.versions_table(versions))
        left.html(tables.families_table(families, snapshot.as_of))
        right.html(tables.updates_table(updates, _named(snapshot), snapshot.as_of))


def _rates(feed: Feed, selection: Selection, snapshot: Snapshot, shown: pd.DataFrame) -> Rates:
    day_before = selection.window(selection.until - timedelta(hours=48), selection.until)
    history = feed.frame(
        "crash_rate_by_minute_os", day_before, since=day_before.since, until=day_before.until, bucket_s=3600
    )
    incidents = snapshot.judgement.incidents if snapshot.judgement else ()
    disturbed = [
        (each.alarm_at - timedelta(hours=1), each.closed_at or selection.until) for each in incidents if each.alarm_at
    ]
    return measure(shown, history, until=selection.until, disturbed=disturbed)


def _lines(
    feed: Feed,
    selection: Selection,
    snapshot: Snapshot,
    question: str,
    group: str,
    versions: pd.DataFrame,
    updates: pd.DataFrame,
    bucketed: dict[str, Any],
) -> tuple[pd.DataFrame, str]:
    """The rows of the chart, no more lines than can be told apart, and what was left out."""
    if group == "update_id":
        wanted = list(selection.updates) or _telling(updates, _named(snapshot))
        frame = feed.frame(question, selection, shown=wanted[:_MOST_LINES], **bucketed)
        known = len(wanted) if selection.updates else len(updates)
    else:
        frame = feed.frame(question, selection, **bucketed)
        known = frame[group].nunique()
        if known > _MOST_LINES:
            most = versions.nlargest(_MOST_LINES, "host_hours")["agent_version"]
            frame = frame[frame[group].isin(most)]
    left_out = known - min(known, frame[group].nunique())
    what = "updates" if group == "update_id" else "lines"
    return frame, f"{left_out} more {what} are not drawn: choose them in the filter." if left_out else ""


def _telling(updates: pd.DataFrame, named: set[str]) -> list[str]:
    """Updates worth a line: those named, then those whose hosts crashed most often."""
    by_rate = updates[updates["host_hours"] > 0].sort_values("rate", ascending=False)["update_id"].tolist()
    return [each for each in by_rate if each in named] + [each for each in by_rate if each not in named]


def _named(snapshot: Snapshot) -> set[str]:
    incidents = snapshot.judgement.incidents if snapshot.judgement else ()
    return {each.update_id for each in incidents if each.verdict == "update" and each.update_id}


def _cards(snapshot: Snapshot, view: View, selection: Selection, rates: Rates, hit: pd.Series) -> list[Card]:
    where = f" ({view.narrowed})" if view.narrowed else ""
    if rates.now is None:
        rate_more = "host-time is not known"
    else:
        over = rates.over_baseline
        rate_more = f"baseline {rate(rates.baseline)}" + (f", {times(over)} of it" if over and over >= 1.5 else "")
        if rates.peak and rates.peak_at is not None:
            rate_more += f"; peak {rate(rates.peak)} at {clock(rates.peak_at, beside=selection.until)}"
    return [
        Card(
            f"Crash rate, last hour{where}",
            rate(rates.now),
            unit="per 1,000 host-hours",
            more=rate_more,
            kind="bad" if rates.over_baseline and rates.over_baseline >= 3 else "",
        ),
        Card(
            f"Hosts crashed{where}",
            count(hit["hosts_crashed"]),
            unit=f"of {count(hit['hosts_online'])} online",
            more=f"{count(hit['crashes'])} crashes, {view.window_words(selection).partition(':')[0]}",
        ),
        _culprit_card(snapshot),
        freshness(snapshot, datetime.now(UTC)).card,
    ]


def _culprit_card(snapshot: Snapshot) -> Card:
    judgement = snapshot.judgement
    if judgement is None or judgement.unreadable:
        return Card("Culprit", "–", more="not judged yet")
    if not judgement.open:
        return Card("Culprit", "none", more=f"no open incident as of {clock(judgement.as_of, beside=snapshot.as_of)}")
    first = judgement.open[0]
    if first.verdict == "update":
        sure = f"probability {percent(first.probability)}"
        return Card("Culprit", plain(first.update_id, 26), more=sure, kind="culprit")
    if first.verdict == "cannot_separate":
        names = ", ".join(f"{plain(each.update_id, 22)} {percent(each.probability)}" for each in first.candidates[:3])
        return Card("Culprit", f"one of {len(first.candidates)}", more=names)
    if first.verdict == "no_update":
        return Card("Culprit", "no update", more=f"follows {CAUSE_NAMES.get(first.cause or '', 'another cause')}")
    return Card("Culprit", "being judged", more=f"alarm {clock(first.alarm_at, beside=snapshot.as_of)}")


def _chart(
    lines: pd.DataFrame,
    group: str,
    view: View,
    selection: Selection,
    snapshot: Snapshot,
    rates: Rates,
    covered: pd.Series,
    bucket_s: int,
    note: str,
) -> None:
    if lines.empty:
        st.html(notice("No data here", f"Nobody was online and nobody crashed: {view.window_words(selection)}{_only(view)}."))
        return
    counts = not (lines["host_hours"] > 0).any()
    log = view.scale == "log" or (view.scale == "auto" and rates.wants_log)
    said = [f"Showing {view.window_words(selection)}{_only(view)}, one point every {bucket_words(bucket_s)}."]
    if view.scale == "auto":
        said.append("The axis is logarithmic, for the peak." if log else "The axis is linear.")
    if counts:
        said.append("Host-time is not known in this lake, so crashes are counted instead of rated.")
    elif not snapshot.fleet.get("has_presence"):
        said.append("No presence was recorded: a host counts as online for the 24 hours after it was last seen.")
    if view.updates and not snapshot.fleet.get("has_installs"):
        said.append("No installs were recorded, so who was exposed to an update is not known.")
    dark = is_dark()
    key = [(style.name, style.colour, style.dash) for style in line_styles(lines, group, dark=dark).values()]
    st.html(
        f'<div class="fc fc-over-chart"><span class="fc-note">{escape(" ".join([*said, note]))}</span>'
        f"<span>{legend(key)}</span></div>"
    )
    st.plotly_chart(
        rate_chart(
            lines,
            group=group,
            markers=_markers(snapshot),
            since=selection.since,
            until=selection.until,
            bucket_s=bucket_s,
            log=log,
            counts=counts,
            covered=covered,
            dark=dark,
        ),
        theme=None,
        key="rate-chart",
        config={"displaylogo": False, "displayModeBar": False},
        alt=_alt(view, selection, rates),
    )


def _alt(view: View, selection: Selection, rates: Rates) -> str:
    peak = f"peak {rate(rates.peak)} at {clock(rates.peak_at)}" if rates.peak else "no crash"
    return f"Crash rate per 1,000 host-hours, {view.window_words(selection)}: {peak}, baseline {rate(rates.baseline)}."


def _markers(snapshot: Snapshot) -> list[Marker]:
    culprits = _named(snapshot)
    incidents = snapshot.judgement.open if snapshot.judgement else ()
    tied = {
        each.update_id for incident in incidents if incident.verdict == "cannot_separate" for each in incident.candidates
    }
    return [
        Marker(
            each.update_id,
            each.released_at,
            "culprit" if each.update_id in culprits else "suspect" if each.update_id in tied else "other",
            each.reverted_at,
        )
        for each in snapshot.updates
    ]


def _only(view: View) -> str:
    return f", only {view.narrowed}" if view.narrowed else ""
