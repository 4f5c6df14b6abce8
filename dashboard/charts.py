"""Figures: tables in, ``plotly`` figures out. Pure; whatever names a thing of the fleet is escaped for Plotly's own markup."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard.incidents import Interval
from dashboard.theme import DASHES, OS_ORDER, Palette, palette
from dashboard.wording import OS_NAMES, count, plain, rate, times

_FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", sans-serif'
_STRIP_ROWS = 3
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


@dataclass(frozen=True)
class LineStyle:
    """How a group is drawn; the legend stands in the page, where it wraps and covers nothing."""

    name: str
    colour: str
    dash: str


def line_styles(frame: pd.DataFrame, group: str, *, dark: bool = False) -> dict[str, LineStyle]:
    """The style of each value of ``group``, in the order of the legend."""
    lines = palette(dark=dark).lines
    styles = {}
    for index, name in enumerate(_ordered(frame[group], group)):
        place = _place(index, name, group)
        shown = OS_NAMES.get(name, name) if group == "os_type" else name
        styles[name] = LineStyle(shown, lines[place % len(lines)], DASHES[place % len(DASHES)])
    return styles


def label(text: object, limit: int = 28) -> str:
    """A string of the fleet as a label: Plotly reads a kind of HTML in labels, and % in templates."""
    return escape(plain(text, limit), quote=False)


def rate_chart(
    frame: pd.DataFrame,
    *,
    group: str,
    markers: Sequence[Marker],
    since: datetime,
    until: datetime,
    bucket_s: int,
    log: bool,
    counts: bool = False,
    covered: pd.Series | None = None,
    dark: bool = False,
    height: int = 380,
) -> go.Figure:
    """Crash rate over time, one line per group, with the releases above it.

    Args:
        frame: ``bucket_start``, ``group``, ``crashes``, ``host_hours``, ``rate`` per host-hour. A bucket with no row for any
            group is shown as a stretch without data, a bucket with no crash as zero, on a log axis as well.
        group: name of the column whose values are the lines.
        log: whether the axis is logarithmic; zero then has a place of its own at its foot.
        counts: draw crashes per bucket, for want of host-hours.
        covered: buckets of which something is known, where ``frame`` leaves some out; None: those of ``frame``.
    """
    colours = palette(dark=dark)
    measured = "crashes" if counts else "rate"
    grid = pd.date_range(since, until, freq=f"{bucket_s}s", inclusive="left")
    values = frame.assign(drawn=frame[measured].astype(float) * (1.0 if counts else 1000.0))
    floor = _floor(values["drawn"]) if log else 0.0
    figure = go.Figure()
    for name, style in line_styles(frame, group, dark=dark).items():
        line = values[values[group] == name].set_index("bucket_start").reindex(grid)
        figure.add_trace(_line(line, style, floor, counts=counts))
    held = set(frame["bucket_start"] if covered is None else covered)
    _mark_no_data(figure, held, grid, bucket_s, until, colours)
    _mark_releases(figure, markers, since, until, colours)
    top = float(values["drawn"].max()) if len(values) and values["drawn"].notna().any() else 0.0
    title = f"crashes per {bucket_words(bucket_s)}" if counts else "crashes per 1,000 host-hours"
    figure.update_layout(
        **_base(colours, height),
        hovermode="x unified",
        margin={"l": 58, "r": 16, "t": 26, "b": 40},
        showlegend=False,
        uirevision="kept",
    )
    figure.update_xaxes(
        range=[_naive(since), _naive(until)], tickformat="%H:%M\n%d %b", nticks=9, ticks="outside",
        tickcolor=colours.muted, linecolor=colours.muted, showline=True, gridcolor=colours.grid, hoverformat="%d %b %H:%M UTC",
    )  # fmt: skip
    figure.add_annotation(
        x=0, xref="paper", xanchor="right", xshift=-19, y=0, yref="paper", yanchor="top", yshift=-5, text="UTC", showarrow=False,
        font={"size": 13, "color": colours.muted},
    )  # fmt: skip
    figure.update_layout(
        yaxis={
            **_rate_axis(top, floor, log=log),
            "domain": [0, 0.8], "gridcolor": colours.grid, "zeroline": False,
            "title": {"text": title, "standoff": 8, "font": {"size": 12, "color": colours.muted}},
        },
        yaxis2={"domain": [0.81, 1.0], "range": [0, _STRIP_ROWS + 1], "visible": False, "fixedrange": True},
    )  # fmt: skip
    return figure


def ratio_chart(rows: Sequence[tuple[str, Interval, bool]], *, dark: bool = False) -> go.Figure:
    """Rate of exposed hosts over that of hosts beside them, one row per explanation, with its interval.

    Args:
        rows: name, interval, whether it is the culprit; the first is drawn on top. An open end becomes an arrow.
    """
    colours = palette(dark=dark)
    ends = [end for _, each, _ in rows for end in (each.low, each.estimate, each.high) if end and math.isfinite(end)]
    left = min([0.5, *ends]) / 1.6
    right = max([2.0, *ends]) * 2.5
    figure = go.Figure()
    for place, (name, each, guilty) in enumerate(rows):
        colour = colours.culprit if guilty else colours.muted
        low, high = max(each.low, left), each.high if each.high is not None else right
        figure.add_trace(
            go.Scatter(
                x=[low, high], y=[place, place], mode="lines", line={"color": colour, "width": 3},
                hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        )
        figure.add_trace(
            go.Scatter(
                x=[max(each.estimate, left)], y=[place], mode="markers", showlegend=False,
                marker={"color": colour, "size": 11, "symbol": "diamond" if guilty else "circle"},
                hovertemplate=f"{label(name)}: {interval_words(each)}<extra></extra>",
            )  # fmt: skip
        )
        figure.add_annotation(
            x=0, xref="paper", y=place, yshift=15, xanchor="left", showarrow=False,
            text=f"<b>{label(name)}</b>  {escape(interval_words(each))}" if guilty else
            f"{label(name)}  {escape(interval_words(each))}",
            font={"size": 13, "color": colour if guilty else colours.ink}, bgcolor=colours.ground, borderpad=1,
        )  # fmt: skip
    figure.add_vline(x=1, line={"color": colours.muted, "width": 1, "dash": "dot"})
    figure.update_layout(**_base(colours, 92 + 46 * len(rows)), margin={"l": 12, "r": 16, "t": 8, "b": 44}, showlegend=False)
    figure.update_xaxes(
        type="log", range=[math.log10(left), math.log10(right)], gridcolor=colours.grid, fixedrange=True,
        tickvals=(ticks := _decades(left, right)), ticktext=[times(tick) for tick in ticks],
        title={"text": "× 1: no difference", "font": {"size": 12, "color": colours.muted}},
    )  # fmt: skip
    figure.update_yaxes(range=[len(rows) - 0.5, -0.75], visible=False, fixedrange=True)
    return figure


def interval_words(each: Interval) -> str:
    """An interval in words, such as "× 40 (12 to 160)"."""
    low, high = times(each.low).removeprefix("× "), "no bound" if each.high is None else times(each.high).removeprefix("× ")
    return f"{times(each.estimate)} ({low} to {high})"


def states_chart(states: Sequence[tuple[str, str, int]], *, dark: bool = False) -> go.Figure:
    """How many hosts are in each state, one bar each, told apart by place and figure as well as by colour.

    Args:
        states: state, its name, hosts.
    """
    colours = palette(dark=dark)
    fills = {
        "recovered": colours.lines[1], "dark": colours.ink, "crashed": colours.lines[2], "cleared": colours.lines[0],
        "at_risk": "#E69F00", "pending": colours.grid,
    }  # fmt: skip
    most = max((hosts for _, _, hosts in states), default=0)
    figure = go.Figure(
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
    figure.update_layout(**_base(colours, 60 + 36 * len(states)), margin={"l": 90, "r": 60, "t": 4, "b": 8}, showlegend=False)
    figure.update_xaxes(visible=False, range=[0, max(most, 1) * 1.05], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True, tickfont={"size": 13})
    return figure


def _line(line: pd.DataFrame, style: LineStyle, floor: float, *, counts: bool) -> go.Scatter:
    drawn = line["drawn"].where(line["drawn"].isna() | (line["drawn"] > 0), floor)
    shown = [f"{count(value)}" if counts else f"{rate(value)} per 1,000 h" for value in line["crashes" if counts else "rate"]]
    crashes = [count(value) if value == value else "–" for value in line["crashes"]]
    hours = [count(value) if value == value else "–" for value in line["host_hours"]]
    return go.Scatter(
        x=[_naive(each) for each in line.index],
        y=[None if value != value else value for value in drawn],
        name=label(style.name),
        mode="lines",
        connectgaps=False,
        line={"color": style.colour, "dash": style.dash, "width": 2},
        customdata=list(zip(shown, crashes, hours, strict=True)),
        hovertemplate="%{fullData.name}: %{customdata[0]} (%{customdata[1]} crashes, %{customdata[2]} host-hours)<extra></extra>",
    )


def _mark_no_data(
    figure: go.Figure, held: Set[datetime], grid: pd.DatetimeIndex, bucket_s: int, until: datetime, colours: Palette
) -> None:
    stretches: list[list[datetime]] = []
    for start in (each for each in grid if each not in held):
        begun, ended = start.to_pydatetime(), min(start.to_pydatetime() + timedelta(seconds=bucket_s), until)
        if stretches and stretches[-1][1] == begun:
            stretches[-1][1] = ended
        else:
            stretches.append([begun, ended])
    for begun, ended in stretches:
        figure.add_shape(
            type="rect", xref="x", yref="y domain", x0=_naive(begun), x1=_naive(ended), y0=0, y1=1,
            fillcolor=colours.muted, opacity=0.16, line_width=0, layer="below",
        )  # fmt: skip
        if (ended - begun).total_seconds() * 12 >= (until - grid[0].to_pydatetime()).total_seconds():
            figure.add_annotation(
                x=_naive(begun + (ended - begun) / 2), xref="x", y=0.5, yref="y domain", showarrow=False,
                text="no data", font={"size": 13, "color": colours.muted},
            )  # fmt: skip


def _mark_releases(
    figure: go.Figure, markers: Sequence[Marker], since: datetime, until: datetime, colours: Palette
) -> None:
    """The culprit's line and label over everything, the others as dots with labels in the strip where they fit."""
    shown = sorted((each for each in markers if since <= each.at <= until), key=lambda each: each.at)
    others = [each for each in shown if each.role == "other"]
    if others:
        crossed = [each.at for each in shown if each.role != "other"]
        places = _stagger(
            [each.at for each in others], [len(plain(each.name, 28)) for each in others], crossed, since, until
        )
        figure.add_trace(
            go.Scatter(
                x=[_naive(each.at) for each in others], y=[0.35] * len(others), yaxis="y2", mode="markers",
                marker={"color": colours.muted, "size": 5}, showlegend=False,
                text=[label(each.name) for each in others], hovertemplate="%{text} released<extra></extra>",
            )  # fmt: skip
        )
        placed = [(each, *place) for each, place in zip(others, places, strict=True) if place is not None]
        figure.add_trace(
            go.Scatter(
                x=[_naive(each.at) for each, _, _ in placed], y=[row + 1.1 for _, row, _ in placed], yaxis="y2", mode="text",
                text=[label(each.name) for each, _, _ in placed], cliponaxis=True,
                textposition=["middle right" if right else "middle left" for _, _, right in placed],
                textfont={"size": 11, "color": colours.muted}, showlegend=False, hoverinfo="skip",
            )  # fmt: skip
        )
        for each in others:
            figure.add_shape(
                type="line", xref="x", yref="paper", x0=_naive(each.at), x1=_naive(each.at), y0=0, y1=0.81,
                line={"color": colours.grid, "width": 1}, layer="below",
            )  # fmt: skip
    named = [each for each in shown if each.role != "other"]
    for index, each in enumerate(named):
        colour = colours.culprit if each.role == "culprit" else colours.suspect
        late = each.at - since > (until - since) * 0.7
        left_of_it = late if len(named) == 1 else index % 2 == 0
        figure.add_shape(
            type="line", xref="x", yref="paper", x0=_naive(each.at), x1=_naive(each.at), y0=0, y1=1.04,
            line={"color": colour, "width": 2.5, "dash": "solid" if each.role == "culprit" else "dash"},
        )  # fmt: skip
        figure.add_annotation(
            x=_naive(each.at), xref="x", y=1.0, yref="paper", yanchor="bottom", showarrow=False,
            xanchor="right" if left_of_it else "left", xshift=-5 if left_of_it else 5,
            text=f"<b>{label(each.name)}</b> released {each.at:%H:%M}",
            font={"size": 13, "color": colour},
        )  # fmt: skip
        if each.withdrawn_at is not None and since <= each.withdrawn_at <= until:
            figure.add_shape(
                type="line", xref="x", yref="paper", x0=_naive(each.withdrawn_at), x1=_naive(each.withdrawn_at),
                y0=0, y1=0.8, line={"color": colour, "width": 2, "dash": "dot"},
            )  # fmt: skip
            figure.add_annotation(
                x=_naive(each.withdrawn_at), xref="x", y=0.8, yref="paper", yanchor="top", xanchor="left", xshift=4,
                text="withdrawn", showarrow=False, font={"size": 12, "color": colour},
            )  # fmt: skip


def _stagger(
    times_at: Sequence[datetime], lengths: Sequence[int], crossed: Sequence[datetime], since: datetime, until: datetime
) -> list[tuple[int, bool] | None]:
    """The row of each label, lowest first, and whether it stands right of its dot.

    None where it would cover another, be crossed by one of the lines at ``crossed``, or run out of the plot.
    """
    per_pixel = (until - since) / _PIXELS
    free = [since] * _STRIP_ROWS
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


def _ordered(names: pd.Series, group: str) -> list[str]:
    known = sorted(set(names))
    if group == "os_type":
        return sorted(known, key=lambda name: (OS_ORDER.index(name) if name in OS_ORDER else len(OS_ORDER), name))
    return known


def _place(index: int, name: str, group: str) -> int:
    return OS_ORDER.index(name) if group == "os_type" and name in OS_ORDER else index + (3 if group == "os_type" else 0)


def _floor(values: pd.Series) -> float:
    """Where zero lies on a log axis: a decade below the least value that is not zero."""
    positive = values[values > 0]
    return 10.0 ** (math.floor(math.log10(float(positive.min()))) - 0.5) if len(positive) else 0.1


def _rate_axis(top: float, floor: float, *, log: bool) -> dict[str, Any]:
    if not log:
        return {"type": "linear", "range": [0, top * 1.08 if top > 0 else 1], "tickformat": "~g", "nticks": 6}
    top = max(top, floor * 30)
    decades = [tick for tick in _decades(floor, top * 1.5) if tick > floor]
    return {
        "type": "log",
        "range": [math.log10(floor) - 0.06, math.log10(top * 1.5)],
        "tickvals": [floor, *decades],
        "ticktext": ["0", *(f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in decades)],
    }


def _decades(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


def _base(colours: Palette, height: int) -> dict[str, Any]:
    return {
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": colours.ink},
        "hoverlabel": {"bgcolor": colours.ground, "bordercolor": colours.muted, "font": {"color": colours.ink}},
    }


def _naive(instant: datetime) -> str:
    """An instant as Plotly wants it: without a zone it moves nothing."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def bucket_words(bucket_s: int) -> str:
    """The width of a bucket in words."""
    if bucket_s < 3600:
        return f"{bucket_s // 60} min"
    return f"{bucket_s // 3600} h" if bucket_s < 86400 else f"{bucket_s // 86400} d"
