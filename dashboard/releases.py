"""Releases on a time axis: the culprit across the plot, the others small in a strip above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.figures import Parts, label, plotly_time
from dashboard.theme import Palette
from dashboard.wording import plain

STRIP_ROWS = 3
_PIXELS = 1250  # width of the plot on a desktop; on a narrow screen the style sheet hides the small labels
_CHARACTER_PX = 6.4
_LABEL_SHARE = 0.3  # of the width, taken by the label of a long name
_WITHDRAWN_SHARE = 0.22  # of the width of a phone, that "withdrawn" takes
_ROW_PX, _MOST_ROWS = 18, 6  # of the labels above the plot


@dataclass(frozen=True)
class Marker:
    """A release on the time axis.

    Attributes:
        role: ``culprit`` if named, ``suspect`` if tied with another, else ``other``.
    """

    name: str
    at: datetime
    role: str = "other"
    withdrawn_at: datetime | None = None


def mark_releases(
    parts: Parts, markers: Sequence[Marker], since: datetime, until: datetime, colours: Palette, *, plot_px: int
) -> int:
    """Draw named and tied releases as lines with labels, the others as dots, with labels where they fit.

    Args:
        plot_px: height of the plot.
    Returns:
        Pixels that the labels take above the plot, beyond the room for one row.
    """
    shown = sorted((each for each in markers if since <= each.at <= until), key=lambda each: each.at)
    others = [each for each in shown if each.role == "other"]
    named = [each for each in shown if each.role != "other"]
    if others:
        _mark_others(parts, others, [each.at for each in named], since, until, colours)
    rows = _rows([each.at for each in named], since, until)
    for each, (row, left_of_it) in zip(named, rows, strict=True):
        colour = colours.culprit if each.role == "culprit" else colours.suspect
        above_px = min(row, _MOST_ROWS) * _ROW_PX
        dash = "solid" if each.role == "culprit" else "dash"
        parts.shapes.append(_upright(each.at, 1.04 + above_px / plot_px, {"color": colour, "width": 2.5, "dash": dash}))
        if row < _MOST_ROWS:
            parts.annotations.append(
                {
                    "x": plotly_time(each.at),
                    "xref": "x",
                    "y": 1.0,
                    "yref": "paper",
                    "yanchor": "bottom",
                    "yshift": above_px,
                    "showarrow": False,
                    "xanchor": "right" if left_of_it else "left",
                    "xshift": -5 if left_of_it else 5,
                    "text": f"<b>{label(each.name)}</b> released {each.at:%H:%M}",
                    "font": {"size": 13, "color": colours.culprit_text if each.role == "culprit" else colour},
                }
            )
        if each.withdrawn_at is not None and since <= each.withdrawn_at <= until:
            at_the_edge = until - each.withdrawn_at < (until - since) * _WITHDRAWN_SHARE
            _mark_withdrawn(parts, each.withdrawn_at, colour, at_the_edge=at_the_edge)
    return min(max((row for row, _ in rows), default=0), _MOST_ROWS - 1) * _ROW_PX


def _rows(times_at: Sequence[datetime], since: datetime, until: datetime) -> list[tuple[int, bool]]:
    """The row of each label above the plot, lowest first, and whether it is left of its line.

    Close ones have a row each where their lines end, in such an order that no line crosses a label. Where there are no
    others they are on the side with more room: on a phone a label takes half of the width.

    Args:
        times_at: when each was released, in order.
    """
    apart = (until - since) * _LABEL_SHARE
    groups: list[list[datetime]] = []
    for at in times_at:
        if groups and at - groups[-1][-1] < apart:
            groups[-1].append(at)
        else:
            groups.append([at])
    rows = []
    for group in groups:
        room = apart if len(groups) > 1 else (until - since) / 2
        left_of_it = group[-1] + room > until
        order = range(len(group)) if left_of_it else reversed(range(len(group)))
        rows += [(row, left_of_it) for row in order]
    return rows


def _mark_others(
    parts: Parts,
    others: Sequence[Marker],
    crossed: Sequence[datetime],
    since: datetime,
    until: datetime,
    colours: Palette,
) -> None:
    lengths = [len(plain(each.name, 28)) for each in others]
    places = _stagger([each.at for each in others], lengths, crossed, since, until)
    parts.traces.append(
        {
            "type": "scatter",
            "x": [plotly_time(each.at) for each in others],
            "y": [0.35] * len(others),
            "yaxis": "y2",
            "mode": "markers",
            "marker": {"color": colours.muted, "size": 5},
            "showlegend": False,
            "text": [label(each.name) for each in others],
            "hovertemplate": "%{text} released<extra></extra>",
        }
    )
    placed = [(each, *place) for each, place in zip(others, places, strict=True) if place is not None]
    parts.traces.append(
        {
            "type": "scatter",
            "x": [plotly_time(each.at) for each, _, _ in placed],
            "y": [row + 1.1 for _, row, _ in placed],
            "yaxis": "y2",
            "mode": "text",
            "text": [label(each.name) for each, _, _ in placed],
            "cliponaxis": True,
            "textposition": ["middle right" if right else "middle left" for _, _, right in placed],
            "textfont": {"size": 11, "color": colours.muted},
            "showlegend": False,
            "hoverinfo": "skip",
        }
    )
    for each in others:
        parts.shapes.append({**_upright(each.at, 0.81, {"color": colours.grid, "width": 1}), "layer": "below"})


def _mark_withdrawn(parts: Parts, at: datetime, colour: str, *, at_the_edge: bool) -> None:
    parts.shapes.append(_upright(at, 0.8, {"color": colour, "width": 2, "dash": "dot"}))
    parts.annotations.append(
        {
            "x": plotly_time(at),
            "xref": "x",
            "y": 0.8,
            "yref": "paper",
            "yanchor": "top",
            "xanchor": "right" if at_the_edge else "left",
            "xshift": -4 if at_the_edge else 4,
            "text": "withdrawn",
            "showarrow": False,
            "font": {"size": 12, "color": colour},
        }
    )


def _upright(at: datetime, y1: float, line: dict[str, Any]) -> dict[str, Any]:
    x = plotly_time(at)
    return {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": y1, "line": line}


def _stagger(
    times_at: Sequence[datetime],
    lengths: Sequence[int],
    crossed: Sequence[datetime],
    since: datetime,
    until: datetime,
) -> list[tuple[int, bool] | None]:
    """The row of each label, lowest first, and whether it is right of its dot.

    None if it would cover another, be crossed by one of the lines at ``crossed``, or leave the plot.
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
