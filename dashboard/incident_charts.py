"""Figures of one incident: rate ratios with their intervals, and hosts by state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

from dashboard.figures import Figure, base_layout, decades, label
from dashboard.incidents import Interval
from dashboard.theme import palette
from dashboard.wording import count, plain, times

_LONGEST_NAME, _LONGEST_LINE = 50, 52  # characters on a phone


@dataclass(frozen=True)
class Explanation:
    """One row of the chart of ratios.

    Attributes:
        sure: how probable it is, in words; empty if nobody says. guilty: whether it is the culprit.
        suspected: whether it is in question, as one of a tie is.
    """

    name: str
    ratio: Interval
    sure: str = ""
    guilty: bool = False
    suspected: bool = False


def ratio_chart(rows: Sequence[Explanation], *, dark: bool = False) -> go.Figure:
    """Rate of exposed hosts over that of hosts beside them, one row per explanation, with its interval.

    Args:
        rows: the first is on top. An unbounded end reaches the edge.
    """
    colours = palette(dark=dark)
    ends = [
        end
        for each in (row.ratio for row in rows)
        for end in (each.low, each.estimate, each.high)
        if end and math.isfinite(end)
    ]
    left = min([0.5, *ends]) / 1.6
    right = max([2.0, *ends]) * 2.5
    figure = Figure()
    for place, row in enumerate(rows):
        each = row.ratio
        colour = colours.culprit if row.guilty else colours.suspect if row.suspected else colours.muted
        words_colour = colours.culprit_text if row.guilty else colours.suspect if row.suspected else colours.ink
        low, high = max(each.low, left), each.high if each.high is not None else right
        figure.add_trace(
            go.Scatter(
                x=[low, high],
                y=[place, place],
                mode="lines",
                line={"color": colour, "width": 3},
                hoverinfo="skip",
                showlegend=False,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[max(each.estimate, left)],
                y=[place],
                mode="markers",
                showlegend=False,
                marker={"color": colour, "size": 11, "symbol": "diamond" if row.guilty or row.suspected else "circle"},
                text=[f"{label(row.name, _LONGEST_NAME)}: {escape(_figures(row))}"],
                hovertemplate="%{text}<extra></extra>",  # the text is not a template: an id may contain %
            )
        )
        figure.add_annotation(
            x=0,
            xref="paper",
            y=place,
            yanchor="bottom",
            yshift=5,
            xanchor="left",
            align="left",
            showarrow=False,
            text=_named(row),
            font={"size": 13, "color": words_colour},
            bgcolor=colours.ground,
            borderpad=1,
        )
    figure.add_vline(x=1, line={"color": colours.muted, "width": 1, "dash": "dot"})
    figure.update_layout(
        **base_layout(colours, 92 + 46 * len(rows)),
        margin={"l": 12, "r": 16, "t": 8, "b": 44},
        showlegend=False,
    )
    figure.update_xaxes(
        type="log",
        range=[math.log10(left), math.log10(right)],
        gridcolor=colours.grid,
        fixedrange=True,
        tickvals=(ticks := decades(left, right)),
        ticktext=[times(tick) for tick in ticks],
        title={"text": "× 1: no difference", "font": {"size": 12, "color": colours.muted}},
    )
    figure.update_yaxes(range=[len(rows) - 0.5, -0.75], visible=False, fixedrange=True)
    return figure


def _named(row: Explanation) -> str:
    """The name of an explanation with its figures, in two lines if one would not fit on a phone."""
    shown, said = plain(row.name, _LONGEST_NAME), _figures(row)
    apart = "<br>" if len(shown) + len(said) > _LONGEST_LINE else "  "
    named = label(row.name, _LONGEST_NAME)
    return f"{f'<b>{named}</b>' if row.guilty or row.suspected else named}{apart}{escape(said)}"


def _figures(row: Explanation) -> str:
    return interval_words(row.ratio) + (f", probability {row.sure}" if row.sure else "")


def interval_words(each: Interval) -> str:
    """An interval in words, such as "× 40 (12 to 160)"."""
    low, high = (
        times(each.low).removeprefix("× "),
        "no bound" if each.high is None else times(each.high).removeprefix("× "),
    )
    return f"{times(each.estimate)} ({low} to {high})"


def states_chart(states: Sequence[tuple[str, str, int]], *, dark: bool = False) -> go.Figure:
    """Hosts by state, one bar each; the bars differ by place and figure as well as by colour.

    Args:
        states: state, its name, hosts.
    """
    colours = palette(dark=dark)
    fills = {
        "recovered": colours.lines[1],
        "dark": colours.ink,
        "crashed": colours.lines[2],
        "cleared": colours.lines[0],
        "at_risk": "#E69F00",
        "pending": colours.grid,
    }
    most = max((hosts for _, _, hosts in states), default=0)
    figure = Figure(
        go.Bar(
            y=[name for _, name, _ in states],
            x=[hosts for _, _, hosts in states],
            orientation="h",
            marker={
                "color": [fills.get(state, colours.muted) for state, _, _ in states],
                "line": {"color": colours.muted, "width": 1},
            },
            text=[count(hosts) for _, _, hosts in states],
            textposition="outside",
            textfont={"color": colours.ink, "size": 13},
            cliponaxis=False,
            hoverinfo="skip",
            width=0.62,
        )
    )
    figure.update_layout(
        **base_layout(colours, 60 + 36 * len(states)),
        margin={"l": 90, "r": 60, "t": 4, "b": 8},
        showlegend=False,
    )
    figure.update_xaxes(visible=False, range=[0, max(most, 1) * 1.05], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True, tickfont={"size": 13})
    return figure
