"""The frame of all pages: a message if there is no lake, the filter row, and the live renewal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.data import Feed
from dashboard.filters import View, filter_row, live_every
from dashboard.pages import current_feed, current_page, of_all_pages
from dashboard.snapshot import Snapshot
from dashboard.states import needs_lake

Charts = Callable[[], None]

_TABLES_FIRST_S = 0.12
_SEEN = "charts-seen"
_PAGE = "page-shown"


def framed(
    draw: Callable[..., Charts | None],
    *more: Any,
    above: Callable[[Feed, Snapshot], object] | None = None,
    every_s: float | None = None,
) -> bool:
    """Draw a page, or a message while there is nothing to show.

    Args:
        draw: draws the page, given the feed, the selection of the filter row and ``more``. It is called again and
            again, each time on one snapshot, unless the viewer has paused it. It may return a function that draws its
            charts, and asks nothing more.
        above: draws what is above the filter row, such as the breadcrumbs.
        every_s: how often the page is drawn anew, paused or not; None: as often as the lake is looked at.
    Returns:
        Whether there was something to show.
    """
    feed = current_feed()
    snapshot = needs_lake(feed)
    if snapshot is None:
        return False
    # The row has the same place on every page, whatever is above it, so that its widgets survive a change of page.
    with of_all_pages():
        top = st.container()
    if above is not None:
        with top:
            above(feed, snapshot)
    _end_the_pause_of_another_page()
    with of_all_pages():
        view = filter_row(snapshot)
    st.fragment(_live, run_every=every_s or live_every(view))(feed, view, _offered(snapshot), draw, more)
    return True


def _end_the_pause_of_another_page() -> None:
    """The filter row is kept on the next page; a pause ends, as it belongs to one page."""
    here = (current_page(), st.query_params.get("id", ""))
    if st.session_state.setdefault(_PAGE, here) != here:
        st.session_state[_PAGE] = here
        st.session_state["pause"] = False


def _live(
    feed: Feed,
    view: View,
    offered: dict[str, frozenset[str]],
    draw: Callable[..., Charts | None],
    more: tuple[Any, ...],
) -> None:
    with feed.still():
        snapshot = feed.snapshot()
        if snapshot.as_of is None or _offered(snapshot) != offered:
            st.rerun()  # the lake was emptied, or the filter row must offer new values
        charts = draw(feed, view, *more)
    if charts is None:
        return
    if _SEEN not in st.session_state:
        # A browser shows nothing that comes with a first chart until it has loaded the code that draws charts.
        time.sleep(_TABLES_FIRST_S)
    charts()
    chart_is_drawn()


def chart_is_drawn() -> None:
    """Note that the browser has loaded the code that draws charts, so that no page of this session waits for it."""
    st.session_state[_SEEN] = True


def _offered(snapshot: Snapshot) -> dict[str, frozenset[str]]:
    return {name: frozenset(values) for name, values in snapshot.choices.items()}
