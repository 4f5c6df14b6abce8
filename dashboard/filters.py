"""The filter row. Every choice is a parameter of the URL, so a copied link shows the same view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import streamlit as st

from dashboard.selection import Filters, Selection
from dashboard.snapshot import Snapshot
from dashboard.wording import clock, os_name, plain

SPANS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "28d": timedelta(days=28),
}
RANGES = (*SPANS, "all", "custom")
_DEFAULT_RANGE = "24h"
_LONGEST_TEXT = 200
_LIVE_S = 2.0  # the lake is read every second, so news is on the page within three


@dataclass(frozen=True)
class Dimension:
    """Something to filter by.

    Attributes:
        key: its parameter in the URL. field: of ``Filters``. choices: of ``Snapshot.choices``.
        said: words before the values in a sentence.
        wide: whether it is in the row itself; the others are behind a button.
        value_name: the name of a value for people.
    """

    key: str
    field: str
    choices: str
    label: str
    said: str
    wide: bool = False
    value_name: Callable[[str], str] = str

    def names(self, values: Sequence[str]) -> list[str]:
        """The names of values for people."""
        return [self.value_name(each) for each in values]


DIMENSIONS = (
    Dimension("os", "os_types", "os_type", "OS", "", wide=True, value_name=os_name),
    Dimension("agent", "agent_versions", "agent_version", "Agent version", "agent ", wide=True),
    Dimension("update", "updates", "update", "Exposed to update", "exposed to ", wide=True),
    Dimension("build", "os_builds", "os_build", "OS build", "build "),
    Dimension("channel", "channels", "channel", "Exposed to channel", "exposed to channel "),
    Dimension("model", "models", "model", "Model", "model "),
    Dimension("region", "regions", "region", "Region", "region "),
    Dimension("ring", "rings", "ring", "Ring", "ring "),
    Dimension("site", "sites", "site", "Site", "site "),
    Dimension("cluster", "clusters", "cluster", "Crash cluster", "cluster "),
)

# How the value of each widget of the row is written in the URL, by the widget's key.
_IN_URL: Mapping[str, Callable[[Any], list[str]]] = {
    **{each.key: each.names for each in DIMENSIONS},
    "q": lambda words: [words] if words else [],
    "range": lambda span: [] if span in (None, _DEFAULT_RANGE) else [span],
    **dict.fromkeys(("from", "to"), lambda instant: [f"{instant:%Y-%m-%dT%H:%M}"] if instant else []),
}
_UNDRAWN = object()


@dataclass(frozen=True)
class View:
    """What the viewer selected.

    Attributes:
        span: one of ``RANGES``. since, until: the ends of a custom range, aware UTC.
        paused_at: the newest time to show; None follows the lake.
    """

    filters: Filters = field(default_factory=Filters)
    span: str = _DEFAULT_RANGE
    since: datetime | None = None
    until: datetime | None = None
    paused_at: datetime | None = None

    def selection(self, snapshot: Snapshot) -> Selection:
        """The window and filters on a snapshot; a relative range ends with the newest known time, inclusive."""
        newest = min(self.paused_at or snapshot.newest, snapshot.newest) + timedelta.resolution
        oldest = snapshot.fleet.get("oldest_at") or newest - timedelta(hours=24)
        since, until = newest - SPANS.get(self.span, SPANS[_DEFAULT_RANGE]), newest
        if self.span == "all":
            since = oldest
        elif self.span == "custom":
            since, until = self.since or oldest, min(self.until or newest, newest)
        if since >= until:
            since = until - timedelta(hours=1)  # ``impossible`` says so
        return Selection(since, until, self.filters).aligned()

    def impossible(self, snapshot: Snapshot) -> str:
        """Why a custom range is empty, and what is shown in its place; the empty text if it is not."""
        if self.span != "custom":
            return ""
        if self.since is not None and self.until is not None and self.since >= self.until:
            return "The range ends before it begins: the hour before its end is shown."
        if self.since is not None and self.since >= self.selection(snapshot).until:
            return "The range begins after the newest record: the last hour that is known is shown."
        return ""

    @property
    def narrowed(self) -> str:
        """The filters in words; empty without any."""
        parts = []
        for dimension in DIMENSIONS:
            values = getattr(self.filters, dimension.field)
            if values:
                parts.append(dimension.said + " or ".join(plain(dimension.value_name(each)) for each in values))
        if self.filters.text:
            parts.append(f"“{plain(self.filters.text, 60)}” in code, module or tags")
        return ", ".join(parts)

    @property
    def only(self) -> str:
        """The filters as the end of a sentence; empty without any."""
        return f", only {self.narrowed}" if self.narrowed else ""

    def window_words(self, selection: Selection) -> str:
        """The window in words, with its zone."""
        since, until = selection.since, selection.until
        named = {"all": "all that is known", "custom": "chosen range"}.get(self.span, f"last {self.span}")
        begun = clock(since, beside=until.replace(hour=0) if since.date() != until.date() else until)
        ended = clock(until, beside=since)
        return f"{named}: {begun.removesuffix(' UTC')} to {ended}"


def carried() -> dict[str, list[str]]:
    """The filters as parameters of a URL, for links to other pages.

    They are taken from the widgets, as a choice just made is not in the URL yet; without the row, from the URL.
    """
    told = {}
    for key, tell in _IN_URL.items():
        held = st.session_state.get(key, _UNDRAWN)
        told[key] = st.query_params.get_all(key) if held is _UNDRAWN else tell(held)
    return {key: values for key, values in told.items() if values}


def live_every(view: View) -> float | None:
    """Seconds between renewals of the panels; None while the viewer has paused them."""
    return None if view.paused_at is not None else _LIVE_S


def filter_row(snapshot: Snapshot) -> View:
    """Draw the row and return what is selected. Below it the filters are always shown in words."""
    values: dict[str, tuple[str, ...]] = {}
    with st.container(horizontal=True, key="filters", vertical_alignment="bottom", gap="small"):
        for dimension in DIMENSIONS:
            if dimension.wide:
                values[dimension.field] = _several(dimension, snapshot.choices)
        span = st.selectbox(
            "Time range", RANGES, index=RANGES.index(_DEFAULT_RANGE), key="range", bind="query-params", width=125
        )
        with st.popover("More filters", key="more-filters", width=150):
            text = st.text_input(
                "Text in code, module or tags", key="q", bind="query-params", max_chars=_LONGEST_TEXT, width=320
            )
            for dimension in DIMENSIONS:
                if not dimension.wide:
                    values[dimension.field] = _several(dimension, snapshot.choices)
        paused = st.toggle("Pause", key="pause", help="Stops following the lake, so that nothing moves while you read.")
        st.button("Clear filters", on_click=_clear, key="clear")
    since = until = None
    if span == "custom":
        since, until = _custom_range()
    view = View(
        Filters(**values, text=text.strip()),
        span or _DEFAULT_RANGE,
        since,
        until,
        _paused_at(snapshot, paused=paused),
    )
    said = [f"Showing only {view.narrowed}."] if view.narrowed else []
    if impossible := view.impossible(snapshot):
        said.append(impossible)
    if view.paused_at is not None:
        said.append(f"Paused at {clock(view.paused_at)}: what came later is not shown.")
    if said:
        st.html(f'<div class="fc fc-narrowed" role="status">{escape(" ".join(said))}</div>')
    return view


def _several(dimension: Dimension, choices: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    # New options are accepted so that a link with a value that this lake does not know yet keeps its filter,
    # and shows an empty view that says so, instead of silently showing everything.
    chosen: list[str] = st.multiselect(
        dimension.label,
        choices.get(dimension.choices, ()),
        key=dimension.key,
        bind="query-params",
        placeholder="all",
        accept_new_options=True,
        format_func=dimension.value_name,
        width=190 if dimension.wide else 320,
    )
    return tuple(chosen)


def _paused_at(snapshot: Snapshot, *, paused: bool) -> datetime | None:
    if not paused:
        st.session_state.pop("paused_at", None)
        return None
    at: datetime = st.session_state.setdefault("paused_at", snapshot.newest)
    return at


def _custom_range() -> tuple[datetime | None, datetime | None]:
    with st.container(horizontal=True, key="custom-range"):
        since = st.datetime_input("From (UTC)", value=None, key="from", bind="query-params", width=230)
        until = st.datetime_input("To (UTC)", value=None, key="to", bind="query-params", width=230)
    return _utc(since), _utc(until)


def _utc(entered: datetime | None) -> datetime | None:
    return None if entered is None else entered.replace(tzinfo=UTC)


def _clear() -> None:
    empty: dict[str, Any] = {each.key: [] for each in DIMENSIONS}
    empty |= {"q": "", "range": _DEFAULT_RANGE, "from": None, "to": None, "pause": False}
    for name, value in empty.items():
        if name in st.session_state:
            st.session_state[name] = value
