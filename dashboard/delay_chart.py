"""The figure of what waiting cost: hosts that an earlier halt would have spared, by the time of the halt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import plotly.graph_objects as go

from dashboard.figures import TIME_TICKS, Figure, base_layout, plotly_time, zone_note
from dashboard.theme import Palette, palette
from fleetcrash.attribution.reporting.delay import Delay

_GAP = 0.1  # of the figure's height between the two


def delay_chart(
    delay: Delay, chosen: datetime, marks: Sequence[tuple[str, datetime]], *, dark: bool = False
) -> go.Figure:
    """Above, how many fewer hosts exposed; below, how many fewer hit, with their range; on one time axis.

    Args:
        chosen: the halt that the viewer asks about. marks: events, in the order of time.
    """
    colours = palette(dark=dark)
    figure = Figure(data=_lines(delay, colours))
    begun, ended = delay.halts[0].halted_at, delay.halts[-1].halted_at
    for number, (words, at) in enumerate(each for each in marks if begun <= each[1] <= ended):
        _upright(figure, at, {"color": colours.muted, "width": 1, "dash": "dot"})
        # Alarm and naming are often a minute apart, so their labels are on different lines.
        figure.add_annotation(
            x=plotly_time(at),
            y=1,
            yref="paper",
            yanchor="top",
            yshift=-16 * number,
            xanchor="left" if (at - begun) < 0.8 * (ended - begun) else "right",
            text=words,
            showarrow=False,
            bgcolor=colours.ground,
            font={"size": 12, "color": colours.muted},
        )
    _upright(figure, chosen, {"color": colours.ink, "width": 2})
    half = (1 - _GAP) / 2
    figure.update_layout(
        **base_layout(colours, 320),
        margin={"l": 62, "r": 16, "t": 8, "b": 40},
        showlegend=False,
        hovermode="x unified",
        yaxis=_axis("hit fewer", [0, half], colours),
        yaxis2=_axis("exposed fewer", [1 - half, 1], colours),
    )
    figure.update_xaxes(
        range=[plotly_time(begun), plotly_time(ended)],
        tickformat=TIME_TICKS,
        tickangle=0,
        nticks=8,
        linecolor=colours.muted,
        showline=True,
        gridcolor=colours.grid,
        hoverformat="halted %d %b %H:%M UTC",
        fixedrange=True,
    )
    figure.add_annotation(**zone_note(colours))
    return figure


def _lines(delay: Delay, colours: Palette) -> list[go.Scatter]:
    """The bounds of hosts hit, the space between them filled; the estimate of these; and hosts exposed."""
    x = [plotly_time(each.halted_at) for each in delay.halts]
    red, green, blue = (int(colours.culprit[at : at + 2], 16) for at in (1, 3, 5))
    unseen = {
        "x": x,
        "mode": "lines",
        "line": {"width": 0},
        "fillcolor": f"rgba({red}, {green}, {blue}, 0.25)",
        "hoverinfo": "skip",
    }
    return [
        go.Scatter(**unseen, y=[each.because.low for each in delay.halts]),
        go.Scatter(**unseen, y=[each.because.high for each in delay.halts], fill="tonexty"),
        go.Scatter(
            x=x,
            y=[each.because.estimate for each in delay.halts],
            mode="lines",
            line={"color": colours.culprit, "width": 2},
            hovertemplate="%{y:,.0f} fewer hit<extra></extra>",
        ),
        go.Scatter(
            x=x,
            y=[each.exposed for each in delay.halts],
            mode="lines",
            line={"color": colours.ink, "width": 2, "dash": "dash"},
            hovertemplate="%{y:,} fewer exposed<extra></extra>",
            yaxis="y2",
        ),
    ]


def _upright(figure: go.Figure, at: datetime, line: dict[str, object]) -> None:
    """Draw a line at an instant from the top of the chart to its bottom."""
    time = plotly_time(at)
    figure.add_shape(type="line", x0=time, x1=time, yref="paper", y0=0, y1=1, line=line)


def _axis(title: str, domain: list[float], colours: Palette) -> dict[str, object]:
    return {
        "rangemode": "tozero",
        "gridcolor": colours.grid,
        "zeroline": False,
        "tickformat": ",d",
        "nticks": 4,
        "fixedrange": True,
        "domain": domain,
        "title": {"text": title, "standoff": 8, "font": {"size": 12, "color": colours.muted}},
    }
