"""All crash clusters of the window, most hosts first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import links
from dashboard.cluster_tables import SPARK_BUCKETS, clusters_table
from dashboard.data import Feed
from dashboard.export import export
from dashboard.filters import View
from dashboard.frame import framed
from dashboard.markup import notice
from dashboard.paging import first_page, page_of
from dashboard.selection import Selection
from dashboard.snapshot import Snapshot
from dashboard.states import panel
from dashboard.wording import CLUSTER_STATES, NOT_TOLD, count
from fleetcrash.clustering import Cluster

_PER_PAGE = 50


def show() -> None:
    """Draw the page."""
    way = links.breadcrumbs({"Overview": links.address(links.OVERVIEW)}, "Clusters")
    framed(_panels, above=lambda *_: st.html(way))


def _panels(feed: Feed, view: View) -> None:
    snapshot = feed.snapshot()
    selection = view.selection(snapshot)
    with panel("Crash clusters"):
        clusters = feed.clusters(selection)
        with st.container(horizontal=True, key="cluster-filters", vertical_alignment="bottom", gap="small"):
            wanted = st.text_input(
                "Find by title", key="find", bind="query-params", max_chars=120, width=260, on_change=first_page
            )
            states = st.pills(
                "State",
                list(CLUSTER_STATES.values()),
                selection_mode="multi",
                key="state",
                bind="query-params",
                on_change=first_page,
            )
        found = [each for each in clusters if _matches(each, wanted, states)]
        above = st.container()
        page, pages = page_of(len(found), _PER_PAGE)
        first = (page - 1) * _PER_PAGE
        shown = found[first : first + _PER_PAGE]
        if not shown:
            above.html(notice("No cluster here", _why_none(view, selection, snapshot, clusters)))
            return
        above.html(
            clusters_table(
                shown,
                feed.sparks(selection, SPARK_BUCKETS),
                snapshot.newest,
                title="Crash clusters",
                note=_note(found, clusters) + (f" Page {page} of {pages}." if pages > 1 else ""),
                rank_from=first + 1,
            )
        )
        chosen = {"find": wanted, "state": states}
        export(feed, "Crash clusters", lambda: cluster_frame(found), selection=selection, parameters=chosen)


def _note(found: Sequence[Cluster], clusters: Sequence[Cluster]) -> str:
    tally = Counter(CLUSTER_STATES[each.state] for each in clusters)
    by_state = ", ".join(f"{count(tally[words])} {words}" for words in CLUSTER_STATES.values() if tally[words])
    return f"{count(len(found))} of {count(len(clusters))} clusters ({by_state}), most hosts first."


def _matches(cluster: Cluster, wanted: str, states: Sequence[str]) -> bool:
    words = wanted.casefold().split()
    text = f"{cluster.title} {cluster.family} {cluster.cluster_id}".casefold()
    return (not states or CLUSTER_STATES[cluster.state] in states) and all(word in text for word in words)


def _why_none(view: View, selection: Selection, snapshot: Snapshot, clusters: Sequence[Cluster]) -> str:
    if clusters:
        return f"None of the {count(len(clusters))} clusters has that title and state."
    if snapshot.cannot_tell(view.filters):
        return f"Who has an update is not known: {NOT_TOLD}. So nothing can be said of what is{view.only.strip(',')}."
    return f"Nobody crashed: {view.window_words(selection)}{view.only}."


def cluster_frame(clusters: Sequence[Cluster]) -> pd.DataFrame:
    """Clusters as rows of a file."""
    columns = ("cluster_id", "family", "title", "state", "crashes", "hosts", "first_seen", "last_seen")
    return pd.DataFrame([{name: getattr(each, name) for name in columns} for each in clusters], columns=list(columns))
