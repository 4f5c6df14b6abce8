"""Whether the data can be trusted: lag, gaps, duplicates, what was put aside and why, and the monitor's last tick.

There is no filter row. Filters select hosts and what happened to them; this page is about incoming records of every
kind, and of a record that was put aside not even the host is known.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import health_tables as tables
from dashboard.alerts import alerts_table, receivers
from dashboard.data import Feed
from dashboard.export import export
from dashboard.filters import View, filter_row, live_every
from dashboard.freshness import freshness
from dashboard.health import lacks_too_much, problem_banner, problems
from dashboard.markup import Card, cards, notice
from dashboard.pages import current_feed, of_all_pages
from dashboard.snapshot import LakeState, Snapshot
from dashboard.states import needs_lake, panel
from dashboard.wording import ago, clock, count, on_lake

_SOUND = '<div class="fc fc-banner fc-quiet" role="status"><p><b>Nothing is wrong with the data.</b></p></div>'
_GAP_S, _GAP_WINDOW_S = 600, 86_400
_MOST_GAPS = 10
_MOST_BATCHES, _BATCHES_SHOWN = 1_000, 15
_SAMPLES, _SAMPLE_BYTES = 5, 240


def show() -> None:
    """Draw the page."""
    feed = current_feed()
    snapshot = feed.snapshot()
    if not (snapshot.state is LakeState.EMPTY and snapshot.health.get("batches")):
        needed = needs_lake(feed)
        if needed is None:
            return
    with of_all_pages(), st.container(key="filters-kept"):  # hidden; a row that is not drawn would forget its values
        filter_row(snapshot)
    st.html(
        '<div class="fc"><span class="fc-note">Of the whole lake: filters and time range do not apply here, '
        "and stay set for the other pages.</span></div>"
    )
    st.fragment(_live, run_every=live_every(View()))(feed)


def _live(feed: Feed) -> None:
    with feed.still():
        _panels(feed)


def _panels(feed: Feed) -> None:
    snapshot, now = feed.snapshot(), datetime.now(UTC)
    said = problems(snapshot, now)
    st.html(problem_banner(said) if said else _SOUND)
    beside = snapshot.as_of or now
    with panel("Books"):
        st.html(cards(_cards(snapshot, feed.frame("books_now").iloc[0], now)))
    if snapshot.as_of is not None:
        _feeds(feed, beside)
    left, right = st.columns(2, gap="large")
    with left, panel("Books"):
        books = feed.frame("books_now")
        st.html(tables.books_table(books.iloc[0]))
        export(feed, "What became of the records", books, question="books_now")
    with right, panel("Gaps"):
        _gaps(feed, snapshot)
    _quarantine(feed, snapshot, now)
    told = receivers(snapshot.root)
    if told:
        st.html(alerts_table(told, now))
    with panel("Batches"):
        batches = feed.frame("batches_newest", most=_MOST_BATCHES)
        st.html(tables.batches_table(batches, now, most=_BATCHES_SHOWN))
        known = int(batches["batches"].iloc[0]) if len(batches) else 0
        export(
            feed,
            "Batches",
            batches.drop(columns="batches"),
            question="batches_newest",
            parameters={"most": _MOST_BATCHES},
            left_out=known - len(batches),
        )


def _cards(snapshot: Snapshot, books: pd.Series, now: datetime) -> list[Card]:
    health, judgement = snapshot.health, snapshot.judgement
    age = freshness(snapshot, now) if snapshot.as_of is not None else None
    loaded_at = None if pd.isna(books["last_loaded_at"]) else books["last_loaded_at"].to_pydatetime()
    ticked_at = judgement.ticked_at if judgement else None
    behind = age is not None and age.behind
    judged = f"judged what was known at {clock(judgement.as_of)}" if judgement else "no monitor has ticked on this lake"
    return [
        age.card if age else Card("Newest record", "none", more="nothing that came in was accepted"),
        Card(
            "Last batch",
            ago((now - loaded_at).total_seconds()) if loaded_at else "none",
            unit="ago" if loaded_at else "",
            more=f"{clock(loaded_at)}; {count(books['batches'])} in all" if loaded_at else "nothing was ever loaded",
        ),
        Card(
            "Last tick of the monitor",
            ago((now - ticked_at).total_seconds()) if ticked_at else "none",
            unit="ago" if ticked_at else "",
            more=f"{'stopped or behind; ' if behind else ''}{judged}",
            kind="late" if behind else "",
        ),
        Card(
            "Put aside",
            count(health["quarantined"]),
            unit="records",
            more=f"{count(health['quarantined_1d'])} of {count(health['read_1d'])} read in the day to the last batch",
            kind="bad" if lacks_too_much(snapshot) else "",
        ),
    ]


def _feeds(feed: Feed, beside: datetime) -> None:
    with panel("Lag by feed"):
        delays = feed.frame("delay_by_record")
        st.html(tables.feeds_table(delays, beside))
        export(feed, "Lag by feed", delays, question="delay_by_record")


def _gaps(feed: Feed, snapshot: Snapshot) -> None:
    if snapshot.as_of is None:
        st.html(notice("No record was accepted yet", "So there is nothing between which there could be a gap."))
        return
    asked: dict[str, Any] = {"gap_s": _GAP_S, "window_s": _GAP_WINDOW_S}
    gaps = feed.frame("gaps_in_feed", **asked)
    st.html(tables.gaps_table(gaps, snapshot.as_of, most=_MOST_GAPS, only_crashes=snapshot.only_crashes))
    export(feed, "Gaps", gaps, question="gaps_in_feed", parameters=asked)


def _quarantine(feed: Feed, snapshot: Snapshot, now: datetime) -> None:
    with panel("Quarantine"):
        reasons = feed.frame("quarantine_by_reason")
        left, right = st.columns(2, gap="large")
        with left:
            st.html(tables.reasons_table(reasons, now))
            if reasons.empty:
                return
            export(feed, "Quarantine by reason", reasons, question="quarantine_by_reason")
        with right:
            names = list(reasons["reason"])
            chosen = st.selectbox("Show samples of", names, key="reason", bind="query-params", width=320)
            asked: dict[str, Any] = {"reason": chosen or names[0], "samples": _SAMPLES, "bytes": _SAMPLE_BYTES}
            samples = feed.frame("quarantine_samples", **asked)
            st.html(tables.samples_table(samples, asked["reason"], limit=_SAMPLE_BYTES))
            left_out = int(reasons["records"].iloc[names.index(asked["reason"])]) - len(samples)
            export(feed, "Samples", samples, question="quarantine_samples", parameters=asked, left_out=left_out)
            command = escape(on_lake("fleetcrash quarantine replay", snapshot.root))
            st.html(f'<div class="fc"><span class="fc-note">After a fix: </span><code>{command}</code></div>')
