"""The filter row. Every choice is a parameter of the URL, so a copied link shows the same view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from dashboard.data import Snapshot
from dashboard.selection import Selection
from dashboard.wording import clock, os_name, plain

SPANS = {"1h": timedelta(hours=1), "6h": timedelta(hours=6), "24h": timedelta(hours=24)}
RANGES = (*SPANS, "all", "custom")
LINES = ("OS", "version", "update")
SCALES = ("auto", "log", "linear")
_DEFAULTS: Mapping[str, Any] = {
    "os": [],
    "agent": [],
    "update": [],
    "range": "24h",
    "from": None,
    "to": None,
    "by": "OS",
    "scale": "auto",
}


@dataclass(frozen=True)
class View:
    """What the viewer asked for.

    Attributes:
        span: one of ``RANGES``. since, until: the ends of a custom range, aware UTC.
        lines: what the lines of the chart stand for. scale: of its axis.
    """

    os_types: tuple[str, ...] = ()
    agent_versions: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    span: str = "24h"
    since: datetime | None = None
    until: datetime | None = None
    lines: str = "OS"
    scale: str = "auto"

    def selection(self, snapshot: Snapshot) -> Selection:
        """The window and filters on that snapshot; a relative range ends at the newest known time."""
        newest = snapshot.newest
        oldest = snapshot.fleet.get("oldest_at") or newest - timedelta(hours=24)
        since, until = newest - SPANS.get(self.span, timedelta(hours=24)), newest
        if self.span == "all":
            since = oldest
        elif self.span == "custom":
            since, until = self.since or oldest, min(self.until or newest, newest)
        if since >= until:
            since = until - timedelta(hours=1)
        return Selection(since, until, self.os_types, self.agent_versions, self.updates).aligned()

    @property
    def narrowed(self) -> str:
        """What is filtered, in words; empty when nothing is."""
        parts = []
        if self.os_types:
            parts.append(" or ".join(map(os_name, self.os_types)))
        if self.agent_versions:
            parts.append("agent " + " or ".join(plain(each) for each in self.agent_versions))
        if self.updates:
            parts.append("exposed to " + " or ".join(plain(each) for each in self.updates))
        return ", ".join(parts)

    def window_words(self, selection: Selection) -> str:
        """The window in words, with its zone."""
        since, until = selection.since, selection.until
        named = {"all": "all that is known", "custom": "chosen range"}.get(self.span, f"last {self.span}")
        begun = clock(since, beside=until.replace(hour=0) if since.date() != until.date() else until)
        ended = clock(until, beside=since)
        return f"{named}: {begun.removesuffix(' UTC')} to {ended}"


def filter_row(snapshot: Snapshot) -> View:
    """Draw the row and return what it says."""
    choices = snapshot.choices
    with st.container(horizontal=True, key="filters", vertical_alignment="bottom", gap="small"):
        os_types = _several("OS", "os", choices.get("os_type", ()), format_func=os_name)
        versions = _several("Agent version", "agent", choices.get("agent_version", ()))
        updates = _several("Exposed to update", "update", choices.get("update", ()))
        span = st.selectbox(
            "Time range", RANGES, index=RANGES.index("24h"), key="range", bind="query-params", width=125
        )
        lines = st.segmented_control("Lines by", LINES, default="OS", key="by", bind="query-params", required=True)
        scale = st.segmented_control("Scale", SCALES, default="auto", key="scale", bind="query-params", required=True)
        st.button("Clear filters", on_click=_clear, key="clear")
    since = until = None
    if span == "custom":
        since, until = _custom_range()
    return View(
        tuple(os_types),
        tuple(versions),
        tuple(updates),
        span or "24h",
        since,
        until,
        lines or "OS",
        scale or "auto",
    )


def _several(label: str, key: str, options: tuple[str, ...], **more: Any) -> list[str]:
    # New options are accepted so that a link with a value that this lake does not know yet keeps its filter,
    # and shows an empty view that says so, instead of silently showing everything.
    chosen: list[str] = st.multiselect(
        label,
        options,
        key=key,
        bind="query-params",
        placeholder="all",
        accept_new_options=True,
        width=210,
        **more,
    )
    return chosen


def _custom_range() -> tuple[datetime | None, datetime | None]:
    with st.container(horizontal=True, key="custom-range"):
        since = st.datetime_input("From (UTC)", value=None, key="from", bind="query-params", width=230)
        until = st.datetime_input("To (UTC)", value=None, key="to", bind="query-params", width=230)
    return _utc(since), _utc(until)


def _utc(entered: datetime | None) -> datetime | None:
    return None if entered is None else entered.replace(tzinfo=UTC)


def _clear() -> None:
    for name, value in _DEFAULTS.items():
        if name in st.session_state:
            st.session_state[name] = value
