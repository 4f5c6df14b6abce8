"""The time line of one host: when it was online, what was installed, when it crashed."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime

import pandas as pd
import plotly.graph_objects as go

from dashboard.figures import TIME_TICKS, Figure, base_layout, label, plotly_time, zone_note
from dashboard.theme import Palette, palette
from dashboard.wording import clock

_ROWS = {"crash": 2, "update": 1, "online": 0}
MOST_MARKS = 2_000  # of one kind; more would be less than a pixel apart


def host_chart(
    online: pd.DataFrame,
    updates: pd.DataFrame,
    crashes: pd.DataFrame,
    *,
    named: Set[str],
    since: datetime,
    until: datetime,
    dark: bool = False,
) -> go.Figure:
    """A figure with one row each for online stretches, installs and crashes.

    Args:
        online: online_from, online_until (NaT: still online). updates: update_id, exposed_from.
        crashes: placed_at, code, newest first.
        named: updates that an incident names; they are drawn as the culprit.
    """
    colours = palette(dark=dark)
    figure = Figure()
    _stretches(figure, online, since, until, colours)
    _installs(figure, updates, named, since, until, colours)
    shown = crashes.head(MOST_MARKS)
    figure.add_trace(
        go.Scatter(
            x=[plotly_time(each) for each in shown["placed_at"]],
            y=[_ROWS["crash"]] * len(shown),
            mode="markers",
            marker={"symbol": "x", "size": 10, "color": colours.ink},
            cliponaxis=False,  # one at the start or the end is whole as well
            hovertext=[
                f"crash {label(code) if isinstance(code, str) else ''} {clock(at.to_pydatetime())}"
                for code, at in zip(shown["code"], shown["placed_at"], strict=True)
            ],
            hoverinfo="text",
        )
    )
    figure.update_layout(
        **base_layout(colours, 210), margin={"l": 72, "r": 16, "t": 6, "b": 34}, showlegend=False, dragmode=False
    )
    figure.update_xaxes(
        type="date",
        range=[plotly_time(since), plotly_time(until)],
        tickformat=TIME_TICKS,
        gridcolor=colours.grid,
        fixedrange=True,
    )
    figure.add_annotation(zone_note(colours))
    figure.update_yaxes(
        range=[-0.6, 2.6],
        tickvals=list(_ROWS.values()),
        ticktext=["Crashes", "Installs", "Online"],
        ticklabelstandoff=8,  # so that a cross at the start is not on a word
        gridcolor=colours.grid,
        zeroline=False,
        fixedrange=True,
    )
    return figure


def _stretches(figure: go.Figure, online: pd.DataFrame, since: datetime, until: datetime, colours: Palette) -> None:
    ends = online["online_until"].fillna(until)
    inside = online[(ends > since) & (online["online_from"] < until)].tail(MOST_MARKS)
    x: list[str | None] = []
    for begun, ended in zip(inside["online_from"], ends[inside.index], strict=True):
        x += [plotly_time(max(begun, since)), plotly_time(min(ended, until)), None]
    figure.add_trace(
        go.Scatter(
            x=x,
            y=[_ROWS["online"] if each is not None else None for each in x],
            mode="lines",
            line={"width": 14, "color": colours.lines[0]},
            hoverinfo="skip",
        )
    )


def _installs(
    figure: go.Figure, updates: pd.DataFrame, named: Set[str], since: datetime, until: datetime, colours: Palette
) -> None:
    inside = updates[(updates["exposed_from"] >= since) & (updates["exposed_from"] < until)].head(MOST_MARKS)
    guilty = inside["update_id"].isin(named)
    figure.add_trace(
        go.Scatter(
            x=[plotly_time(each) for each in inside["exposed_from"]],
            y=[_ROWS["update"]] * len(inside),
            mode="markers",
            marker={
                "symbol": "diamond",
                "size": [13 if each else 9 for each in guilty],
                "color": [colours.culprit if each else colours.muted for each in guilty],
            },
            hovertext=[
                f"{label(name)} {clock(at.to_pydatetime())}"
                for name, at in zip(inside["update_id"], inside["exposed_from"], strict=True)
            ],
            hoverinfo="text",
        )
    )
    for name, at in inside[guilty][["update_id", "exposed_from"]].itertuples(index=False):
        figure.add_annotation(
            x=plotly_time(at),
            y=_ROWS["update"],
            text=f"<b>{label(name)}</b>",
            showarrow=False,
            yshift=18,
            font={"size": 12, "color": colours.culprit_text},
            xanchor="right" if at - since > (until - since) * 0.7 else "left",
        )
