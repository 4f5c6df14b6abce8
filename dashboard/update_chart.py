"""The figure of one update, on one time axis: above, hosts that got it; below, crashes while they had it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts import bucket_words
from dashboard.figures import TIME_TICKS, Figure, base_layout, plotly_time
from dashboard.theme import palette

_GAP = 0.07  # of the figure's height between the two


def update_chart(
    installs: pd.DataFrame,
    crashes: pd.DataFrame,
    *,
    since: datetime,
    until: datetime,
    bucket_s: int,
    released_at: datetime | None,
    reverted_at: datetime | None,
    named: bool,
    dark: bool = False,
) -> go.Figure:
    """Draw both.

    Args:
        installs: ``bucket_start``, ``hosts``, cumulative; a row per increase. crashes: ``bucket_start``, ``crashes``.
        since, until: the window, half-open. named: whether an incident names it, and it is drawn as the culprit.
    """
    colours = palette(dark=dark)
    width = timedelta(seconds=bucket_s)
    colour = colours.culprit if named else colours.lines[0]
    figure = Figure()
    grown = [(each.bucket_start.to_pydatetime() + width, int(each.hosts)) for each in installs.itertuples()]
    steps = [(since, 0), *((min(at, until), hosts) for at, hosts in grown)]
    steps.append((until, steps[-1][1]))
    figure.add_trace(
        go.Scatter(
            x=[plotly_time(at) for at, _ in steps],
            y=[hosts for _, hosts in steps],
            mode="lines",
            line={"color": colour, "width": 2, "shape": "hv"},
            hovertemplate="%{y:,} hosts<extra></extra>",
            yaxis="y2",
        )
    )
    hit = crashes[crashes["crashes"] > 0]
    figure.add_trace(
        go.Bar(
            x=[plotly_time(each.to_pydatetime() + width / 2) for each in hit["bucket_start"]],
            y=hit["crashes"].tolist(),
            width=bucket_s * 1000 * 0.9,
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate="%{y:,} crashes<extra></extra>",
        )
    )
    for at, words in ((released_at, "released"), (reverted_at, "withdrawn")):
        if at is None or not since <= at <= until:
            continue
        x, place = plotly_time(at), (at - since) / (until - since)
        stroke = {"color": colours.muted, "width": 1, "dash": "dot"}
        figure.add_shape(type="line", x0=x, x1=x, yref="paper", y0=0, y1=1, line=stroke)
        # The two may be close: each label is on the side away from the other, if there is room.
        left = place > (0.1 if words == "released" else 0.9)
        figure.add_annotation(
            x=x,
            y=1,
            yref="paper",
            yanchor="bottom",
            xanchor="right" if left else "left",
            text=words,
            showarrow=False,
            font={"size": 12, "color": colours.muted},
        )
    figure.update_layout(
        **base_layout(colours, 330),
        margin={"l": 62, "r": 16, "t": 22, "b": 40},
        showlegend=False,
        hovermode="x",
        bargap=0,
        uirevision="kept",
        yaxis={**_axis(f"crashes per {bucket_words(bucket_s)}", colours.muted), "domain": [0, 0.5 - _GAP / 2]},
        yaxis2={**_axis("hosts with it", colours.muted), "domain": [0.5 + _GAP / 2, 1], "anchor": "x"},
    )
    figure.update_yaxes(gridcolor=colours.grid, zeroline=False)
    figure.update_xaxes(
        range=[plotly_time(since), plotly_time(until)],
        tickformat=TIME_TICKS,
        tickangle=0,
        ticks="outside",
        tickcolor=colours.muted,
        linecolor=colours.muted,
        showline=True,
        gridcolor=colours.grid,
        hoverformat="%d %b %H:%M UTC",
        anchor="y",
    )
    return figure


def _axis(title: str, colour: str) -> dict[str, object]:
    words = {"text": title, "standoff": 8, "font": {"size": 12, "color": colour}}
    return {"title": words, "rangemode": "tozero", "tickformat": ",d", "nticks": 4, "fixedrange": True}
