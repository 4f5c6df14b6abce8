"""All updates, newest release first, with what happened while hosts were exposed to each; or one of them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import links
from dashboard.data import Feed
from dashboard.export import export
from dashboard.filters import View
from dashboard.frame import framed
from dashboard.paging import first_page, page_of
from dashboard.selection import Selection
from dashboard.snapshot import Snapshot
from dashboard.states import panel
from dashboard.update_tables import FEWEST_CRASHES, listed, suspicions, updates_table, with_installs
from dashboard.views import update
from dashboard.wording import NOT_TOLD, count

_ROWS = 50
_SPARK_BUCKETS = 24
_LONGEST_FIND = 128


def show() -> None:
    """Draw the page."""
    asked = st.query_params.get("id", "")
    if asked:
        way = links.breadcrumbs({"Updates": links.address("updates")}, asked)
        framed(update.panels, asked, above=lambda *_: st.html(way))
    else:
        framed(_list)


def _list(feed: Feed, view: View) -> None:
    snapshot = feed.snapshot()
    selection = view.selection(snapshot).of_all_updates()
    find = st.text_input(
        "Find an update",
        key="find",
        bind="query-params",
        max_chars=_LONGEST_FIND,
        placeholder="name, kind, channel or version",
        width=360,
        on_change=first_page,
    )
    with panel("Updates"):
        found = _found(feed, snapshot, view, selection, find.strip())
        above = st.container()
        page, _ = page_of(len(found), _ROWS)
        first = (page - 1) * _ROWS
        shown = found.iloc[first : first + _ROWS]
        curves = _curves(feed, selection, shown["update_id"].tolist())
        note = _note(feed, snapshot, view, selection, len(found), first, len(shown))
        suspected, told = suspicions(snapshot.judgement), not snapshot.only_crashes
        above.html(updates_table(shown, curves, suspected, snapshot.newest, note=note, told=told))
        asked = ("updates_known", "crash_rate_by_update", "hosts_affected", "installs_by_update")
        chosen = {"find": find.strip(), "updates": view.filters.updates, "channels": view.filters.channels}
        # Only for a file are the hosts of every install counted, which takes seconds for ten million installs.
        export(
            feed,
            "Updates",
            lambda: with_installs(found, feed.frame("installs_by_update", update_id=None)),
            question=asked,
            selection=selection,
            parameters=chosen,
        )


def _found(feed: Feed, snapshot: Snapshot, view: View, selection: Selection, find: str) -> pd.DataFrame:
    known = feed.frame("updates_known")
    rates = feed.frame("crash_rate_by_update", selection)
    all_of_it = feed.frame("hosts_affected", selection).iloc[0]
    return feed.kept(
        ("updates", selection, view.filters, find),
        lambda: listed(known, rates, all_of_it, suspicions(snapshot.judgement), view.filters, find),
    )


def _curves(feed: Feed, selection: Selection, shown: list[str]) -> dict[str, list[float]]:
    """Crashes while exposed to each update, in so many equal parts of the window."""
    bucket_s = -int(-(selection.until - selection.since).total_seconds() // _SPARK_BUCKETS)
    asked = {"since": selection.since, "until": selection.until, "bucket_s": bucket_s, "shown": shown}
    counted = feed.frame("crash_rate_by_minute_update", selection, **asked)
    curves = {name: [0.0] * _SPARK_BUCKETS for name in shown}
    places = (counted["bucket_start"] - selection.since).dt.total_seconds() // bucket_s
    for name, place, crashes in zip(counted["update_id"], places, counted["crashes"], strict=True):
        curves[name][min(int(place), _SPARK_BUCKETS - 1)] += crashes
    return curves


def _note(feed: Feed, snapshot: Snapshot, view: View, selection: Selection, found: int, first: int, shown: int) -> str:
    known = len(feed.frame("updates_known"))
    if not known:
        return "No update is known: the lake has neither a release catalogue nor installs."
    if not found:
        return f"None of {count(known)} updates is within the filters."
    of_all = f" of {count(known)}" if found < known else ""
    rows = f", {count(first + 1)} to {count(first + shown)} shown" if shown < found else ""
    if snapshot.only_crashes:
        return f"{count(found)}{of_all} updates, newest release first{rows}. Who has one is not known: {NOT_TOLD}."
    said = [
        f"{count(found)}{of_all} updates, newest release first{rows}.",
        f"Rates are crashes per 1,000 host-hours, {view.window_words(selection)}; otherwise: of all other host-time.",
        f"Where either had fewer than {FEWEST_CRASHES} crashes, the ratio is a bound or is not told.",
        "A host is exposed to several updates at once.",
    ]
    if not snapshot.fleet.get("has_installs"):
        said.append("No installs were recorded, so hosts that could have an update count as exposed since its release.")
    if view.filters.only_crashes:
        said.append("Host-time is of all hosts in the filter, whatever crashes they had.")
    return " ".join(said)
