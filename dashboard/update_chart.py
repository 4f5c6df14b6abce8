"""The figure of one update, on one time axis: above, hosts that got it; below, crashes while they had it."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import plotly.graph_objects as go

from dashboard.figures import Buckets, Figure, base_layout, plotly_time
from dashboard.theme import Palette, palette

_GAP = 0.07  # of the figure's height between the two


def update_chart(
    installs: pd.DataFrame,
    crashes: pd.DataFrame,
    *,
    buckets: Buckets,
    released_at: datetime | None,
    reverted_at: datetime | None,
    named: bool,
    dark: bool = False,
) -> go.Figure:
    """Draw both.

    Args:
        installs: ``bucket_start``, ``hosts``, cumulative; a row per increase. crashes: ``bucket_start``, ``crashes``.
        named: whether an incident names it, and it is drawn as the culprit.
    """
    colours = palette(dark=dark)
    colour = colours.culprit if named else colours.lines[0]
    figure = Figure()
    figure.add_trace(_spread(installs, buckets, colour))
    hit = crashes[crashes["crashes"] > 0]
    figure.add_trace(
        go.Bar(
            x=[buckets.middle(each.to_pydatetime()) for each in hit["bucket_start"]],
            y=hit["crashes"].tolist(),
            width=buckets.width_s * 1000 * 0.9,
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate="%{y:,} crashes<extra></extra>",
        )
    )
    # The two may be close: each label is on the side away from the other, if there is room.
    _mark(figure, released_at, "released", buckets, colours, left_from=0.1)
    _mark(figure, reverted_at, "withdrawn", buckets, colours, left_from=0.9)
    figure.update_layout(
        **base_layout(colours, 330),
        margin={"l": 62, "r": 16, "t": 22, "b": 40},
        showlegend=False,
        hovermode="x",
        bargap=0,
        uirevision="kept",
        yaxis={**_axis(f"crashes per {buckets.words}", colours.muted), "domain": [0, 0.5 - _GAP / 2]},
        yaxis2={**_axis("hosts with it", colours.muted), "domain": [0.5 + _GAP / 2, 1], "anchor": "x"},
    )
    figure.update_yaxes(gridcolor=colours.grid, zeroline=False)
    figure.update_xaxes(**buckets.axis(colours), anchor="y")
    return figure


def _spread(installs: pd.DataFrame, buckets: Buckets, colour: str) -> go.Scatter:
    """Hosts with it, as steps; each increase is known at the end of its bucket."""
    grown = [(each.bucket_start.to_pydatetime() + buckets.width, int(each.hosts)) for each in installs.itertuples()]
    steps = [(buckets.since, 0), *((min(at, buckets.until), hosts) for at, hosts in grown)]
    steps.append((buckets.until, steps[-1][1]))
    return go.Scatter(
        x=[plotly_time(at) for at, _ in steps],
        y=[hosts for _, hosts in steps],
        mode="lines",
        line={"color": colour, "width": 2, "shape": "hv"},
        hovertemplate="%{y:,} hosts<extra></extra>",
        yaxis="y2",
    )


def _mark(
    figure: go.Figure, at: datetime | None, words: str, buckets: Buckets, colours: Palette, *, left_from: float
) -> None:
    """Draw a line at an instant, if it is on the axis.

    Args:
        left_from: part of the axis behind which the words are to the left of the line.
    """
    if at is None or not buckets.since <= at <= buckets.until:
        return
    x, place = plotly_time(at), (at - buckets.since) / (buckets.until - buckets.since)
    stroke = {"color": colours.muted, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=x, x1=x, yref="paper", y0=0, y1=1, line=stroke)
    figure.add_annotation(
        x=x,
        y=1,
        yref="paper",
        yanchor="bottom",
        xanchor="right" if place > left_from else "left",
        text=words,
        showarrow=False,
        font={"size": 12, "color": colours.muted},
    )


def _axis(title: str, colour: str) -> dict[str, object]:
    words = {"text": title, "standoff": 8, "font": {"size": 12, "color": colour}}
    return {"title": words, "rangemode": "tozero", "tickformat": ",d", "nticks": 4, "fixedrange": True}
