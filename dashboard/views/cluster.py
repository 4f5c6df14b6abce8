"""One crash cluster: since when, after which updates, which hosts it hits, and its stack."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pandas as pd
import streamlit as st

from dashboard import links
from dashboard.banner import plain_headline
from dashboard.cluster_tables import shares_table, variants_table
from dashboard.data import Feed
from dashboard.export import export
from dashboard.filters import View
from dashboard.frame import Charts, framed
from dashboard.markup import Card, Column, Link, Row, cards, state, table, text
from dashboard.rates import measure
from dashboard.selection import Selection
from dashboard.snapshot import Snapshot
from dashboard.stack import stack_table, why
from dashboard.states import panel
from dashboard.update_tables import suspicions
from dashboard.views.crash_list import crash_list
from dashboard.views.rate_panel import Drawing, ask_curve, draw_curve, drawing_row, export_curve, named_updates
from dashboard.wording import CLUSTER_STATES, ago, clock, count, counted, kind_name, plain
from fleetcrash.clustering import Cluster
from fleetcrash.errors import UnknownName

_MOST_ROWS = 12
_MOST_HOSTS = 25


def show() -> None:
    """Draw the page."""
    asked = st.query_params.get("id", "")
    before = {"Overview": links.address(links.OVERVIEW), "Clusters": links.address("clusters")}
    way = links.breadcrumbs(before, f"Cluster {asked}")
    framed(_panels, asked, above=lambda *_: st.html(way))


def _panels(feed: Feed, view: View, cluster_id: str) -> Charts | None:
    snapshot = feed.snapshot()
    with panel("This cluster"):
        try:
            cluster = feed.cluster(cluster_id)
        except UnknownName:
            st.html(_unknown(cluster_id, snapshot))
            return None
        before = feed.precursors(cluster_id)
        st.html(_head(cluster, before, snapshot))
        selection = view.selection(snapshot)
        selection = replace(selection, filters=replace(selection.filters, clusters=(cluster_id,)))
        drawing = _figures(feed, view, selection, cluster)
        over_tables = st.container(key="curve-place")  # as tall as the curve from the start, so that nothing jumps
        left, right = st.columns([3, 2], gap="large")
        sample = feed.sample(cluster_id)
        left.html(stack_table(sample, title=f"Stack of crash {plain(sample.crash_id, 40)}"))
        right.html(why(sample.signature))
        right.html(variants_table(cluster, most=_MOST_ROWS))
        right.html(_precursors(before, named_updates(snapshot), snapshot.newest))
        _shares(feed, selection)
        _hosts(feed, selection)
        crash_list(feed, selection, cluster_id=cluster_id, known=cluster.crashes)
        hit = feed.frame("hosts_affected", selection).iloc[0]
        curve = ask_curve(
            feed, drawing, selection, snapshot, crashes=int(hit["crashes"]), named=named_updates(snapshot)
        )
        rates = measure(curve.fleet, curve.fleet.iloc[:0], hit)

        def charts() -> None:
            with over_tables:
                draw_curve(feed, view, drawing, selection, snapshot, curve, rates)
                export_curve(feed, selection, curve)

        return charts
    return None


def _unknown(asked: str, snapshot: Snapshot) -> str:
    if not asked:
        return state("No cluster was asked for", ["Open one from the list of clusters."])
    return state(
        "No cluster of that name",
        [
            f"Asked for: {plain(asked, 128)}.",
            f"No crash known at {clock(snapshot.as_of)} is in it. Its hosts may have been forgotten, "
            "the rules that group crashes may have changed, or it belongs to another lake.",
        ],
    )


def _head(cluster: Cluster, before: pd.DataFrame, snapshot: Snapshot) -> str:
    return (
        f'<div class="fc fc-banner fc-notice"><p class="fc-title"><b>{text(cluster.title, 160)}</b> '
        f'<span class="fc-pill">{text(CLUSTER_STATES[cluster.state])}</span></p>'
        f'<p class="fc-next">{text(_first_seen(cluster, before, snapshot.newest), 300)}</p>'
        f"{_named(before, snapshot)}"
        f'<p class="fc-note">Family <code>{text(cluster.family, 160)}</code></p></div>'
    )


def _first_seen(cluster: Cluster, before: pd.DataFrame, newest: datetime) -> str:
    said = f"First seen {clock(cluster.first_seen, beside=newest)}"
    if len(before):
        nearest = before.iloc[0]
        said += f", {ago(nearest['lead_s'])} after {plain(nearest['update_id'], 60)}"
        said += " was installed on that host" if pd.notna(nearest["installed_at"]) else " was released"
    return f"{said}; last seen {clock(cluster.last_seen, beside=newest)}."


def _named(before: pd.DataFrame, snapshot: Snapshot) -> str:
    """The way to the incident that names an update which came before it, the nearest one, as markup."""
    suspected = suspicions(snapshot.judgement)
    for update_id in before["update_id"]:
        found = suspected.get(update_id)
        if found is not None and found.part == "named":
            way = links.link("incident", plain_headline(found.incident), limit=160, id=found.incident.incident_id)
            return f'<p class="fc-next">An incident names {text(update_id, 60)}: {way}</p>'
    return ""


def _figures(feed: Feed, view: View, selection: Selection, cluster: Cluster) -> Drawing:
    hit = feed.frame("hosts_affected", selection).iloc[0]
    shown = view.window_words(selection).partition(":")[0]
    share = f"{100 * hit['hosts_crashed'] / hit['hosts_online']:.2g} % of " if hit["hosts_online"] else ""
    online = f"{share}{count(hit['hosts_online'])} online"
    if feed.snapshot().only_crashes:
        online = "nobody tells who was online"
    st.html(
        cards(
            [
                Card("Hosts", count(hit["hosts_crashed"]), more=f"{online}, {shown}"),
                Card("Crashes", count(hit["crashes"]), more=shown),
                Card("Hosts ever", count(cluster.hosts), more=f"{counted(cluster.crashes, 'crash')} in all"),
            ]
        )
    )
    return drawing_row()


def _precursors(before: pd.DataFrame, named: set[str], newest: datetime) -> str:
    leading_to = links.leading("updates", "id")
    rows = [
        Row(
            [
                Link(plain(each.update_id, 40), leading_to(each.update_id)),
                kind_name(None if pd.isna(each.kind) else each.kind),
                "–" if pd.isna(each.released_at) else clock(each.released_at.to_pydatetime(), beside=newest),
                f"{ago(each.lead_s)} later",
            ],
            guilty=each.update_id in named,
        )
        for each in before.itertuples()
    ]
    columns = [
        Column("Update", id=True),
        Column("Kind", wide=True),
        Column("Released", time=True),
        Column("First crash"),
    ]
    note = "of the fleet, or onto the first host that crashed; order alone is no proof" if rows else "None is known."
    return table("What came before its first crash", columns, rows, note=note)


def _shares(feed: Feed, selection: Selection) -> None:
    shares = feed.frame("shares_by_attribute", selection)
    updates = feed.frame("crash_rate_by_update", selection)
    left, middle, right = st.columns(3, gap="large")
    by_agent = shares[shares["dimension"] == "agent_version"]
    left.html(shares_table("By agent version", by_agent, "Agent version", most=_MOST_ROWS))
    by_build = shares[shares["dimension"] == "os_build"]
    middle.html(shares_table("By OS build", by_build, "OS build", most=_MOST_ROWS))
    by_update = _update_shares(feed, selection, updates)
    right.html(shares_table("By update its hosts had", by_update, "Update", most=_MOST_ROWS))
    with left:
        export(feed, "Shares", shares, question="shares_by_attribute", selection=selection)


def _update_shares(feed: Feed, selection: Selection, updates: pd.DataFrame) -> pd.DataFrame:
    """The updates as shares; a host has several at once, so they do not add up to 1."""
    whole = feed.frame("hosts_affected", selection).iloc[0]
    most_first = updates.sort_values(["crashes", "update_id"], ascending=[False, True])
    return pd.DataFrame(
        {
            "value": most_first["update_id"],
            "crashes": most_first["crashes"],
            "share_of_crashes": most_first["crashes"] / whole["crashes"] if whole["crashes"] else float("nan"),
            "share_of_time": most_first["host_hours"] / whole["host_hours"] if whole["host_hours"] else float("nan"),
        }
    )


def _hosts(feed: Feed, selection: Selection) -> None:
    hosts = feed.frame("crashed_hosts", selection, most=_MOST_HOSTS)
    inside = int(hosts["hosts"].iloc[0]) if len(hosts) else 0
    leading_to = links.leading("host", "id")
    rows = [
        Row(
            [
                Link(plain(each.host_id, 40), leading_to(each.host_id)),
                count(each.crashes),
                plain(each.os_build, 24),
                plain(each.agent_version, 24),
                clock(each.first_at.to_pydatetime(), beside=selection.until).removesuffix(" UTC"),
                clock(each.last_at.to_pydatetime(), beside=selection.until).removesuffix(" UTC"),
            ]
        )
        for each in hosts.itertuples()
    ]
    columns = [
        Column("Host", id=True),
        Column("Crashes", number=True),
        Column("OS build", wide=True),
        Column("Agent version"),
        Column("First, UTC", time=True, wide=True),
        Column("Last, UTC", time=True),
    ]
    newest = f"the {len(rows)} with most crashes of {count(inside)}" if len(rows) < inside else "most crashes first"
    st.html(table("Hosts", columns, rows, note=newest if rows else "None in the time range and the filters."))
    if inside:
        export(
            feed,
            "Hosts",
            lambda: feed.frame("crashed_hosts", selection, most=inside).drop(columns="hosts"),
            question="crashed_hosts",
            selection=selection,
            parameters={"most": inside},
        )
