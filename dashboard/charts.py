"""Figures: tables in, figures out. Pure; names of the fleet are escaped for Plotly's own markup."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard.figures import Buckets, Parts, base_layout, decades, label, plotly_time, zone_note
from dashboard.releases import STRIP_ROWS, Marker, mark_releases
from dashboard.theme import DASHES, Palette, palette
from dashboard.wording import count, rate
from fleetcrash.attribution.conditions.grammar import SYSTEM_NAMES
from fleetcrash.records import OS_TYPES

SERVERS_DARK = "servers gone dark"

_HEIGHT_PX = 380  # with one row of labels
_TOP_PX, _FOOT_PX = 26, 40  # above the plot for that row, below it for the axis


@dataclass(frozen=True)
class Settled:
    """Up to when reports have come: ``crashes``, and ``all_of_it``, silence as well."""

    crashes: datetime
    all_of_it: datetime


@dataclass(frozen=True)
class LineStyle:
    """How a group is drawn. The legend is part of the page, where it wraps and covers nothing."""

    name: str
    colour: str
    dash: str


def line_styles(
    frame: pd.DataFrame, group: str, *, named: Set[str] = frozenset(), dark: bool = False
) -> dict[str, LineStyle]:
    """The style of each value of ``group``, in the order of the legend.

    Args:
        named: updates that an incident names; among lines by update, theirs are the culprit's.
    """
    colours = palette(dark=dark)
    lines = colours.lines
    styles = {}
    names = _ordered(frame[group], group)
    of_an_os = OS_TYPES if group == "os_type" else ()
    others = [name for name in names if name not in of_an_os]
    for name in names:  # those of no OS that keeps its line take the lines after these
        place = of_an_os.index(name) if name in of_an_os else len(of_an_os) + others.index(name)
        shown = SYSTEM_NAMES.get(name, name) if group == "os_type" else name
        guilty = group == "update_id" and name in named
        colour = colours.culprit if guilty else lines[place % len(lines)]
        styles[name] = LineStyle(shown, colour, DASHES[place % len(DASHES)])
    return styles


def rate_chart(
    frame: pd.DataFrame,
    *,
    group: str,
    markers: Sequence[Marker],
    buckets: Buckets,
    log: bool,
    counts: bool = False,
    covered: pd.Series | None = None,
    silent: pd.DataFrame | None = None,
    settled: Settled | None = None,
    dark: bool = False,
) -> go.Figure:
    """Crash rate over time, one line per group, with the releases above it and bars of servers that went dark.

    Args:
        frame: ``bucket_start``, ``group``, ``crashes``, ``host_hours``, ``rate`` per host-hour. A bucket
            without a row of any group has no data; one without a crash is zero, also on a log axis.
        group: name of the column whose values are the lines.
        log: whether the axis is logarithmic; zero then has a place of its own at the bottom.
        counts: draw crashes per bucket, because there are no host-hours.
        covered: buckets with data, if ``frame`` lacks some; None: those of ``frame``.
        silent: ``bucket_start``, ``servers_dark`` and ``rate`` of buckets in which servers went dark.
        settled: up to when reports have come: behind it there is a veil, and lines are faint. None: all have.
    """
    colours = palette(dark=dark)
    measured = "crashes" if counts else "rate"
    values = frame.assign(drawn=frame[measured].astype(float) * (1.0 if counts else 1000.0))
    floor = _floor(values["drawn"]) if log else 0.0
    starts = buckets.starts
    ends = starts + buckets.width
    x = [buckets.middle(each) for each in starts]
    open_from = len(starts) if settled is None else int((ends <= settled.crashes).sum())
    bars = None if silent is None or silent.empty else silent
    parts = Parts()
    if bars is not None:
        parts.traces.append(_bars(bars, buckets, colours))
    named = {each.name for each in markers if each.role == "culprit"}
    for name, style in line_styles(frame, group, named=named, dark=dark).items():
        line = values[values[group] == name].set_index("bucket_start").reindex(starts)
        parts.traces += _lines(x, line, style, floor, open_from, counts=counts)
    if settled is not None and (unsettled := starts[ends > settled.all_of_it]).size:
        _veil(parts, unsettled[0].to_pydatetime(), buckets.until, colours)
    _mark_no_data(parts, set(frame["bucket_start"] if covered is None else covered), buckets, colours)
    plot_px = _HEIGHT_PX - _TOP_PX - _FOOT_PX
    above_px = mark_releases(parts, markers, buckets.since, buckets.until, colours, plot_px=plot_px)
    parts.annotations.append(zone_note(colours))
    top = float(values["drawn"].max()) if len(values) and values["drawn"].notna().any() else 0.0
    title = f"crashes per {buckets.words}" if counts else "crashes per 1,000 host-hours"
    if bars is not None:
        top = max(top, 1000.0 * float(bars["rate"].max()))
        title = "crashes, servers dark, per 1,000 h"
    return parts.figure(
        {
            **base_layout(colours, _HEIGHT_PX + above_px),
            "hovermode": "x unified",
            "margin": {"l": 58, "r": 16, "t": _TOP_PX + above_px, "b": _FOOT_PX},
            "showlegend": False,
            "uirevision": "kept",
            "xaxis": buckets.axis(colours),
            "yaxis": {
                **_rate_axis(top, floor, log=log),
                "domain": [0, 0.8],
                "gridcolor": colours.grid,
                "zeroline": False,
                "title": {"text": title, "standoff": 8, "font": {"size": 12, "color": colours.muted}},
            },
            "yaxis2": {"domain": [0.81, 1.0], "range": [0, STRIP_ROWS + 1], "visible": False, "fixedrange": True},
        }
    )


def _lines(
    x: Sequence[str], line: pd.DataFrame, style: LineStyle, floor: float, open_from: int, *, counts: bool
) -> list[dict[str, Any]]:
    """A line; and, faint and dotted, what is still being reported, from the bucket ``open_from`` on."""
    whole = _line(x, line, style, floor, counts=counts)
    if open_from >= len(x):
        return [whole]
    joint = max(open_from - 1, 0)  # the last of what is settled, which tells nothing a second time
    told = ["skip" if number < open_from else "all" for number in range(joint, len(x))]
    faint = {
        **whole,
        "x": x[joint:],
        "y": whole["y"][joint:],
        "customdata": whole["customdata"][joint:],
        "line": {"color": style.colour, "dash": "dot", "width": 1.5},
        "opacity": 0.6,
        "hoverinfo": told,
        "hovertemplate": ["" if one == "skip" else f"so far, {whole['hovertemplate']}" for one in told],
    }
    return [{**whole, "y": [*whole["y"][:open_from], *[None] * (len(x) - open_from)]}, faint]


def _bars(silent: pd.DataFrame, buckets: Buckets, colours: Palette) -> dict[str, Any]:
    """Servers that went dark: bars, as a bucket without any has none, on whatever axis."""
    return {
        "type": "bar",
        "x": [buckets.middle(each) for each in silent["bucket_start"]],
        "y": (1000.0 * silent["rate"]).tolist(),
        "width": buckets.width_s * 1000,
        "name": SERVERS_DARK,
        "marker": {"color": colours.suspect, "opacity": 0.5, "line": {"width": 0}},
        "customdata": [
            [rate(each), count(servers)] for each, servers in zip(silent["rate"], silent["servers_dark"], strict=True)
        ],
        "hovertemplate": "%{fullData.name}: %{customdata[0]} per 1,000 h (%{customdata[1]} servers)<extra></extra>",
    }


def _veil(parts: Parts, since: datetime, until: datetime, colours: Palette) -> None:
    """Mark the end of the window, of which reports are still on their way."""
    edge = {"color": colours.muted, "width": 1, "dash": "dot"}
    place = {"xref": "x", "yref": "y domain", "x0": plotly_time(since), "y0": 0, "y1": 1}
    veil = {"fillcolor": colours.muted, "opacity": 0.1, "line": {"width": 0}, "layer": "below"}
    parts.shapes.append({**place, "type": "rect", "x1": plotly_time(until), **veil})
    parts.shapes.append({**place, "type": "line", "x1": plotly_time(since), "line": edge})
    parts.annotations.append(
        {
            "x": plotly_time(until),
            "xref": "x",
            "xanchor": "right",
            "xshift": -1,
            "y": 0.98,
            "yref": "y domain",
            "yanchor": "top",
            "showarrow": False,
            "text": "still being reported",
            "textangle": -90,  # it fits a narrow veil, at whose end the lines are low
            "font": {"size": 12, "color": colours.muted},
        }
    )


def _line(x: Sequence[str], line: pd.DataFrame, style: LineStyle, floor: float, *, counts: bool) -> dict[str, Any]:
    drawn = line["drawn"].where(line["drawn"].isna() | (line["drawn"] > 0), floor)
    crashes = [count(value) if value == value else "–" for value in line["crashes"]]
    shown = crashes if counts else [f"{rate(value)} per 1,000 h" for value in line["rate"]]
    hours = [count(value) if value == value else "–" for value in line["host_hours"]]
    return {
        "type": "scatter",
        "x": x,
        "y": [None if value != value else value for value in drawn],
        "name": label(style.name),
        # A line cannot be clicked, so there are invisible points. Not drawing all but one of them saves a third of the
        # time that a browser takes to draw the figure.
        "mode": "lines+markers",
        "marker": {"opacity": 0, "size": 8, "maxdisplayed": 1},
        "selected": {"marker": {"opacity": 0}},
        "unselected": {"marker": {"opacity": 0}},
        "connectgaps": False,
        "line": {"color": style.colour, "dash": style.dash, "width": 2},
        "customdata": [list(each) for each in zip(shown, crashes, hours, strict=True)],
        "hovertemplate": "%{fullData.name}: %{customdata[0]} "
        "(%{customdata[1]} crashes, %{customdata[2]} host-hours)<extra></extra>",
    }


def _mark_no_data(parts: Parts, held: Set[datetime], buckets: Buckets, colours: Palette) -> None:
    """Shade buckets without data, adjacent ones together, with words where they fit.

    Args:
        held: starts of the others.
    """
    stretches: list[list[datetime]] = []
    for start in (each for each in buckets.starts if each not in held):
        begun = start.to_pydatetime()
        ended = min(begun + buckets.width, buckets.until)
        if stretches and stretches[-1][1] == begun:
            stretches[-1][1] = ended
        else:
            stretches.append([begun, ended])
    for begun, ended in stretches:
        parts.shapes.append(
            {
                "type": "rect",
                "xref": "x",
                "yref": "y domain",
                "x0": plotly_time(begun),
                "x1": plotly_time(ended),
                "y0": 0,
                "y1": 1,
                "fillcolor": colours.muted,
                "opacity": 0.16,
                "line": {"width": 0},
                "layer": "below",
            }
        )
        if (ended - begun) * 12 >= buckets.until - buckets.since:
            parts.annotations.append(
                {
                    "x": plotly_time(begun + (ended - begun) / 2),
                    "xref": "x",
                    "y": 0.5,
                    "yref": "y domain",
                    "showarrow": False,
                    "text": "no data",
                    "font": {"size": 13, "color": colours.muted},
                }
            )


def _ordered(names: pd.Series, group: str) -> list[str]:
    known = sorted(set(names))
    if group == "os_type":
        return sorted(known, key=lambda name: (OS_TYPES.index(name) if name in OS_TYPES else len(OS_TYPES), name))
    return known


def _floor(values: pd.Series) -> float:
    """The place of zero on a log axis: a decade below the least value that is not zero."""
    positive = values[values > 0]
    return 10.0 ** (math.floor(math.log10(float(positive.min()))) - 0.5) if len(positive) else 0.1


def _rate_axis(top: float, floor: float, *, log: bool) -> dict[str, Any]:
    if not log:
        return {"type": "linear", "range": [0, top * 1.08 if top > 0 else 1], "tickformat": "~g", "nticks": 6}
    top = max(top, floor * 30)
    ticks = [tick for tick in decades(floor, top * 1.5) if tick > floor]
    return {
        "type": "log",
        "range": [math.log10(floor) - 0.06, math.log10(top * 1.5)],
        "tickvals": [floor, *ticks],
        "ticktext": ["0", *(f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks)],
    }
