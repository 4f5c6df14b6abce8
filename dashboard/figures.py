"""What all figures share: fonts and backgrounds, and names and times in the form that Plotly needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard.theme import Palette
from dashboard.wording import plain

TIME_TICKS = "%H:%M\n%d %b"  # of a time axis: the day below the time, as in the text around it

_FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", sans-serif'


@dataclass(frozen=True)
class Buckets:
    """The time axis of a figure: buckets of one width.

    Attributes:
        since, until: half-open; the last bucket may reach beyond.
    """

    since: datetime
    until: datetime
    width_s: int

    @property
    def width(self) -> timedelta:
        """Of one of them."""
        return timedelta(seconds=self.width_s)

    @property
    def asked(self) -> dict[str, Any]:
        """The parameters of the queries that count by bucket."""
        return {"since": self.since, "until": self.until, "bucket_s": self.width_s}

    @property
    def starts(self) -> pd.DatetimeIndex:
        """The start of each."""
        return pd.date_range(self.since, self.until, freq=f"{self.width_s}s", inclusive="left")

    @property
    def words(self) -> str:
        """The width in words."""
        if self.width_s < 3600:
            return f"{self.width_s // 60} min"
        return f"{self.width_s // 3600} h" if self.width_s < 86400 else f"{self.width_s // 86400} d"

    def middle(self, start: datetime) -> str:
        """The place of a bucket's point: at its start, a rise would seem to precede the release that it follows."""
        return plotly_time(start + self.width / 2)

    def axis(self, colours: Palette) -> dict[str, Any]:
        """The axis."""
        return {
            "range": [plotly_time(self.since), plotly_time(self.until)],
            "tickformat": TIME_TICKS,
            "tickangle": 0,
            "ticks": "outside",
            "tickcolor": colours.muted,
            "linecolor": colours.muted,
            "showline": True,
            "gridcolor": colours.grid,
            "hoverformat": "%d %b %H:%M UTC",
        }


class Figure(go.Figure):  # type: ignore[misc]  # Plotly tells no types
    """A figure whose JSON is made once, as Streamlit asks for it at every run of a panel.

    It is made when the figure is complete; later changes are not in it.
    """

    _described: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figure in the structure of Plotly's JSON. Shared: do not change it."""
        if self._described is None:
            self._described = super().to_dict()
        return self._described


@dataclass
class Parts:
    """The parts of a figure, each in the structure of Plotly's JSON.

    Plotly's own objects check all parts of a kind again with each one that is added: with a line for each of a hundred
    releases that takes longer than counting what is drawn.
    """

    traces: list[dict[str, Any]] = field(default_factory=list)
    shapes: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)

    def figure(self, layout: dict[str, Any]) -> Figure:
        """The figure, unchecked."""
        laid = {"shapes": self.shapes, "annotations": self.annotations}
        layout = layout | {name: several for name, several in laid.items() if several}
        return Figure(data=self.traces, layout=layout, _validate=False)


def label(text: object, limit: int = 28) -> str:
    """A string of the fleet as a label, escaped for Plotly's kind of HTML; not for templates, where % has a meaning."""
    return escape(plain(text, limit), quote=False)


def base_layout(colours: Palette, height: int) -> dict[str, Any]:
    """The layout that every figure starts from."""
    return {
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": colours.ink},
        "hoverlabel": {
            "bgcolor": colours.ground,
            "bordercolor": colours.muted,
            "font": {"color": colours.ink},
        },
    }


def plotly_time(instant: datetime) -> str:
    """An instant for Plotly, without a zone, so that it is not shifted."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def decades(low: float, high: float) -> list[float]:
    """The powers of ten between two bounds, for the ticks of a log axis."""
    return [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


def zone_note(colours: Palette) -> dict[str, Any]:
    """The annotation of a time axis that says that its times are in UTC."""
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "right",
        "xshift": -19,
        "y": 0,
        "yref": "paper",
        "yanchor": "top",
        "yshift": -5,
        "text": "UTC",
        "showarrow": False,
        "font": {"size": 13, "color": colours.muted},
    }
