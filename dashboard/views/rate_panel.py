"""The curve of the overview: its lines, the text above it, and the figure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape

import pandas as pd
import streamlit as st

from dashboard import links
from dashboard.charts import SERVERS_DARK, Settled, line_styles, rate_chart
from dashboard.data import Feed
from dashboard.export import export
from dashboard.figures import Buckets
from dashboard.filters import View
from dashboard.frame import chart_is_drawn
from dashboard.markup import legend, notice, text
from dashboard.pages import is_dark
from dashboard.rates import Rates, peaks, with_silence
from dashboard.releases import Marker
from dashboard.selection import Selection
from dashboard.silence import QUESTION as DARK_QUESTION
from dashboard.silence import asked_of_dark, dark_rates, flattens, remarks, servers_dark, settled_until
from dashboard.snapshot import Snapshot
from dashboard.theme import palette
from dashboard.wording import NOT_TOLD, assumed_presence, clock, count, rate

_MOST_LINES = 6
_SMALL_PART = 0.1  # of the hosts online: what they do at twenty times their rate doubles or triples that of all
_QUESTIONS = {
    "OS": ("os_type", "crash_rate_by_minute_os"),
    "version": ("agent_version", "crash_rate_by_minute_agent_version"),
    "update": ("update_id", "crash_rate_by_minute_update"),
}
_SCALES = ("auto", "log", "linear")


@dataclass(frozen=True)
class Drawing:
    """The viewer's choices for the curve: what its lines are, and the scale of its axis."""

    lines: str
    scale: str


def drawing_row() -> Drawing:
    """Draw the choice of lines and scale, and return it."""
    with st.container(horizontal=True, key="drawing", vertical_alignment="bottom", gap="small"):
        lines = st.segmented_control(
            "Lines by", tuple(_QUESTIONS), default="OS", key="by", bind="query-params", required=True
        )
        scale = st.segmented_control("Scale", _SCALES, default="auto", key="scale", bind="query-params", required=True)
    return Drawing(lines or "OS", scale or "auto")


@dataclass(frozen=True)
class Curve:
    """The data of the curve.

    Attributes:
        fleet: rows by OS, for all buckets with data. lines: the rows to draw, by ``group``.
        question: the query file that gave the lines.
        left_out: how many more lines there would be.
        dark: servers that went dark, by bucket and line. settled: up to when reports have come.
    """

    fleet: pd.DataFrame
    lines: pd.DataFrame
    group: str
    question: str
    buckets: Buckets
    left_out: int
    dark: pd.DataFrame
    settled: Settled | None


def ask_curve(
    feed: Feed,
    drawing: Drawing,
    selection: Selection,
    snapshot: Snapshot,
    *,
    crashes: int,
    named: set[str],
) -> Curve:
    """The rows of the curve, with no more lines than can be distinguished.

    Args:
        crashes: number of crashes in the selection.
        named: updates that an incident names; they come first among the lines by update.
    """
    group, question = _QUESTIONS[drawing.lines]
    by = group if group != "update_id" else "os_type"
    gone = int(servers_dark(feed, selection, snapshot, selection.bucket_s(0), by)["servers_dark"].sum())
    buckets = Buckets(selection.since, selection.until, selection.bucket_s(max(crashes, gone)))
    fleet = feed.curve("crash_rate_by_minute_os", selection, buckets.width_s)
    if group == "update_id":
        wanted = list(selection.filters.updates) or _telling(feed.frame("crash_rate_by_update", selection), named)
        lines = feed.frame(question, selection, shown=wanted[:_MOST_LINES], **buckets.asked)
        known = len(wanted)
    else:
        lines = feed.curve(question, selection, buckets.width_s)
        known = lines[group].nunique()
        if known > _MOST_LINES:
            versions = feed.frame("crash_rate_by_agent_version", selection)
            most = versions.nlargest(_MOST_LINES, "host_hours")["agent_version"]
            lines = lines[lines[group].isin(most)]
    dark = servers_dark(feed, selection, snapshot, buckets.width_s, by)
    settled = settled_until(feed, selection, snapshot)
    return Curve(fleet, lines, group, question, buckets, max(0, known - _MOST_LINES), dark, settled)


def export_curve(feed: Feed, selection: Selection, curve: Curve) -> None:
    """Offer the rows of the curve as a file; only for it are the hosts that crashed counted."""
    asked = curve.buckets.asked
    questions, parameters = [curve.question], asked
    if curve.group != "update_id":  # only few updates have lines, and hosts are counted with them
        questions, parameters = [*questions, "hosts_crashed_by_minute"], {**asked, "by": curve.group}
    if curve.group != "update_id" and len(curve.dark):
        questions.append(DARK_QUESTION)
        parameters = asked_of_dark(selection, curve.buckets.width_s, curve.group)

    def with_hosts() -> pd.DataFrame:
        if curve.group == "update_id":
            return curve.lines
        hosts = feed.frame(
            "hosts_crashed_by_minute",
            selection,
            since=selection.since,
            bucket_s=curve.buckets.width_s,
            by=curve.group,
        ).rename(columns={"line": curve.group})
        joined = curve.lines.merge(hosts, how="left", on=["bucket_start", curve.group])
        joined = joined.fillna({"hosts_crashed": 0}).astype({"hosts_crashed": "int64"})
        if curve.dark.empty:
            return joined
        dark = curve.dark.rename(columns={"line": curve.group})
        joined = joined.merge(dark, how="left", on=["bucket_start", curve.group])
        return joined.fillna({"servers_dark": 0}).astype({"servers_dark": "int64"})

    export(feed, "Crash rate", with_hosts, question=questions, selection=selection, parameters=parameters)


def draw_curve(
    feed: Feed, view: View, drawing: Drawing, selection: Selection, snapshot: Snapshot, curve: Curve, rates: Rates
) -> None:
    """Draw the curve, or say that there is nothing to draw."""
    if curve.lines.empty:
        st.html(notice("No data here", _why_none(view, selection, snapshot, curve)))
        return
    counts = not bool((curve.lines["host_hours"] > 0).any())
    lines, covered = curve.lines, curve.fleet["bucket_start"]
    if snapshot.only_crashes:
        begun = snapshot.fleet["oldest_at"]
        lines = feed.kept(
            ("silence", selection, curve.group, curve.buckets.width_s),
            lambda: with_silence(curve.lines, curve.group, curve.buckets, begun),
        )
        covered = lines["bucket_start"]
    silent = dark_rates(curve.dark, curve.fleet)
    is_steep = rates.wants_log or peaks(curve.lines, rates) or flattens(silent, rates)
    log = drawing.scale == "log" or (drawing.scale == "auto" and is_steep)
    dark = is_dark()
    styles = feed.kept(
        ("styles", selection, curve.group, dark),
        lambda: line_styles(curve.lines, curve.group, named=named_updates(snapshot), dark=dark),
    ).values()
    beside = remarks(silent, curve.settled, selection.until)
    said = " ".join([*_remarks(view, drawing, selection, snapshot, curve, log=log, counts=counts), *beside])
    shown = [(style.name, style.colour, style.dash) for style in styles]
    shown += [] if silent.empty else [(SERVERS_DARK, palette(dark=dark).suspect, "solid")]
    noted = escape(said) + _pointer(drawing, selection, snapshot)
    st.html(f'<div class="fc fc-over-chart"><span class="fc-note">{noted}</span><span>{legend(shown)}</span></div>')
    figure = feed.kept(
        ("curve", selection, curve.group, curve.buckets.width_s, log, dark),
        lambda: rate_chart(
            lines,
            group=curve.group,
            markers=markers(snapshot),
            buckets=curve.buckets,
            log=log,
            counts=counts,
            covered=covered,
            silent=silent,
            settled=curve.settled,
            dark=dark,
        ),
    )
    peak = f"peak {rate(rates.peak)} at {clock(rates.peak_at)}" if rates.peak else "no crash"
    told = f"Crash rate per 1,000 host-hours, {view.window_words(selection)}: {peak}, baseline {rate(rates.baseline)}."
    if counts:
        told = f"Crashes, {view.window_words(selection)}: {count(curve.fleet['crashes'].sum())} in all."
    told = " ".join([told, *beside])
    picked = st.plotly_chart(
        figure,
        theme=None,
        key="rate-chart",
        on_select="rerun",
        selection_mode="points",
        config={"displaylogo": False, "displayModeBar": False},
        alt=told,
    )
    chart_is_drawn()
    for point in picked["selection"]["points"][:1]:
        st.html(_opening(datetime.fromisoformat(str(point["x"])).replace(tzinfo=UTC), curve.buckets.width))


def _pointer(drawing: Drawing, selection: Selection, snapshot: Snapshot) -> str:
    """A link to the line of the update that is named, where its hosts are too few to be seen in the lines drawn."""
    incident = next(iter(snapshot.judgement.open), None) if snapshot.judgement else None
    filters, by_update = selection.filters, drawing.lines == "update"
    if incident is None or incident.verdict != "update" or by_update or filters.updates or filters.clusters:
        return ""
    exposed, online = incident.evidence.get("hosts_exposed"), snapshot.fleet.get("hosts_online")
    if not exposed or not online or exposed > _SMALL_PART * online:
        return ""
    way = links.link(links.OVERVIEW, "see its own line →", by="update")
    return f" {text(incident.update_id)} concerns few hosts and hardly moves these lines: {way}"


def _why_none(view: View, selection: Selection, snapshot: Snapshot, curve: Curve) -> str:
    where = f"{view.window_words(selection)}{view.only}"
    if not snapshot.only_crashes:
        return f"Nobody was online and nobody crashed: {where}."
    if curve.group == "update_id" or snapshot.cannot_tell(view.filters):
        return f"Who has an update is not known: {NOT_TOLD}. So nothing can be said of {where}."
    return f"Nobody reported a crash: {where}. Who was online is not known: {NOT_TOLD}."


def _opening(middle: datetime, width: timedelta) -> str:
    """A link to the crashes of the point that was clicked."""
    since = middle - width / 2
    until = since + width
    # Streamlit accepts no seconds here, and buckets are whole minutes.
    window = {"range": "custom", "from": f"{since:%Y-%m-%dT%H:%M}", "to": f"{until:%Y-%m-%dT%H:%M}"}
    words = f"Crash clusters from {clock(since).removesuffix(' UTC')} to {clock(until, beside=since)} →"
    return f'<p class="fc">{links.link("clusters", words, limit=80, **window)}</p>'


def named_updates(snapshot: Snapshot) -> set[str]:
    """Updates that an incident names, open or closed."""
    incidents = snapshot.judgement.incidents if snapshot.judgement else ()
    return {each.update_id for each in incidents if each.verdict == "update" and each.update_id}


def markers(snapshot: Snapshot) -> list[Marker]:
    """The releases, each with its role."""
    culprits = named_updates(snapshot)
    incidents = snapshot.judgement.open if snapshot.judgement else ()
    tied = {one.update_id for each in incidents if each.verdict == "cannot_separate" for one in each.tied}
    return [
        Marker(
            each.update_id,
            each.released_at,
            "culprit" if each.update_id in culprits else "suspect" if each.update_id in tied else "other",
            each.reverted_at,
        )
        for each in snapshot.updates
    ]


def _remarks(
    view: View, drawing: Drawing, selection: Selection, snapshot: Snapshot, curve: Curve, *, log: bool, counts: bool
) -> list[str]:
    said = [f"Showing {view.window_words(selection)}{view.only}, one point every {curve.buckets.words}."]
    if drawing.scale == "auto":
        said.append("The axis is logarithmic, for the peak." if log else "The axis is linear.")
    said.append("Click a point for its crashes.")
    if counts:
        said.append("Host-time is not known here, so crashes are counted instead of rated.")
        if snapshot.only_crashes:
            said.append("At zero nobody reported a crash; who was online is not known.")
    elif not snapshot.fleet.get("has_presence"):
        said.append(assumed_presence(()))
    elif snapshot.unheard_systems:
        said.append(assumed_presence(snapshot.unheard_systems))
    if view.filters.updates and not snapshot.fleet.get("has_installs"):
        said.append("No installs were recorded, so who was exposed to an update is not known.")
    if view.filters.only_crashes and not counts:
        said.append("Host-time is of all hosts in the filter, whatever crashes they had.")
    if curve.left_out:
        what = "updates" if curve.group == "update_id" else "versions"
        said.append(f"{curve.left_out} more {what} are not drawn: choose them in the filter.")
    return said


def _telling(updates: pd.DataFrame, named: set[str]) -> list[str]:
    """Updates that get a line: those named, then those whose hosts crashed most often."""
    by_rate = updates[updates["host_hours"] > 0].sort_values("rate", ascending=False)["update_id"].tolist()
    return [each for each in by_rate if each in named] + [each for each in by_rate if each not in named]
