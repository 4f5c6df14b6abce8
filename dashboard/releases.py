"""Releases on a time axis: the culprit named across the plot, the others small in a strip above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import plotly.graph_objects as go

from dashboard.figures import label, plotly_time
from dashboard.theme import Palette
from dashboard.wording import plain

STRIP_ROWS = 3
_PIXELS = 1250  # width of the plot on a desk; on a narrow screen the style sheet leaves the small labels out
_CHARACTER_PX = 6.4


@dataclass(frozen=True)
class Marker:
    """A release on the time axis.

    Attributes:
        role: ``culprit`` is named, ``suspect`` tied with another, ``other`` neither.
    """

    name: str
    at: datetime
    role: str = "other"
    withdrawn_at: datetime | None = None


def mark_releases(
    figure: go.Figure, markers: Sequence[Marker], since: datetime, until: datetime, colours: Palette
) -> None:
    """The culprit's line and label over everything, the others as dots with labels where they fit."""
    shown = sorted((each for each in markers if since <= each.at <= until), key=lambda each: each.at)
    others = [each for each in shown if each.role == "other"]
    if others:
        crossed = [each.at for each in shown if each.role != "other"]
        places = _stagger(
            [each.at for each in others],
            [len(plain(each.name, 28)) for each in others],
            crossed,
            since,
            until,
        )
        figure.add_trace(
            go.Scatter(
                x=[plotly_time(each.at) for each in others],
                y=[0.35] * len(others),
                yaxis="y2",
                mode="markers",
                marker={"color": colours.muted, "size": 5},
                showlegend=False,
                text=[label(each.name) for each in others],
                hovertemplate="%{text} released<extra></extra>",
            )
        )
        placed = [(each, *place) for each, place in zip(others, places, strict=True) if place is not None]
        figure.add_trace(
            go.Scatter(
                x=[plotly_time(each.at) for each, _, _ in placed],
                y=[row + 1.1 for _, row, _ in placed],
                yaxis="y2",
                mode="text",
                text=[label(each.name) for each, _, _ in placed],
                cliponaxis=True,
                textposition=["middle right" if right else "middle left" for _, _, right in placed],
                textfont={"size": 11, "color": colours.muted},
                showlegend=False,
                hoverinfo="skip",
            )
        )
        for each in others:
            figure.add_shape(
                type="line",
                xref="x",
                yref="paper",
                x0=plotly_time(each.at),
                x1=plotly_time(each.at),
                y0=0,
                y1=0.81,
                line={"color": colours.grid, "width": 1},
                layer="below",
            )
    named = [each for each in shown if each.role != "other"]
    for index, each in enumerate(named):
        colour = colours.culprit if each.role == "culprit" else colours.suspect
        late = each.at - since > (until - since) * 0.7
        left_of_it = late if len(named) == 1 else index % 2 == 0
        figure.add_shape(
            type="line",
            xref="x",
            yref="paper",
            x0=plotly_time(each.at),
            x1=plotly_time(each.at),
            y0=0,
            y1=1.04,
            line={"color": colour, "width": 2.5, "dash": "solid" if each.role == "culprit" else "dash"},
        )
        figure.add_annotation(
            x=plotly_time(each.at),
            xref="x",
            y=1.0,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            xanchor="right" if left_of_it else "left",
            xshift=-5 if left_of_it else 5,
            text=f"<b>{label(each.name)}</b> released {each.at:%H:%M}",
            font={"size": 13, "color": colours.culprit_text if each.role == "culprit" else colour},
        )
        if each.withdrawn_at is not None and since <= each.withdrawn_at <= until:
            at_the_edge = each.withdrawn_at - since > (until - since) * 0.9
            figure.add_shape(
                type="line",
                xref="x",
                yref="paper",
                x0=plotly_time(each.withdrawn_at),
                x1=plotly_time(each.withdrawn_at),
                y0=0,
                y1=0.8,
                line={"color": colour, "width": 2, "dash": "dot"},
            )
            figure.add_annotation(
                x=plotly_time(each.withdrawn_at),
                xref="x",
                y=0.8,
                yref="paper",
                yanchor="top",
                xanchor="right" if at_the_edge else "left",
                xshift=-4 if at_the_edge else 4,
                text="withdrawn",
                showarrow=False,
                font={"size": 12, "color": colour},
            )


def _stagger(
    times_at: Sequence[datetime],
    lengths: Sequence[int],
    crossed: Sequence[datetime],
    since: datetime,
    until: datetime,
) -> list[tuple[int, bool] | None]:
    """The row of each label, lowest first, and whether it stands right of its dot.

    None where it would cover another, be crossed by one of the lines at ``crossed``, or run out of the plot.
    """
    per_pixel = (until - since) / _PIXELS
    free = [since] * STRIP_ROWS
    places: list[tuple[int, bool] | None] = []
    for at, length in zip(times_at, lengths, strict=True):
        width = per_pixel * (length * _CHARACTER_PX + 14)
        place = None
        for right in (True, False):
            begins, ends = (at, at + width) if right else (at - width, at)
            if ends > until or any(begins <= line <= ends for line in crossed):
                continue
            row = next((index for index, busy in enumerate(free) if busy <= begins), None)
            if row is not None:
                free[row] = ends
                place = (row, right)
                break
        places.append(place)
    return places
