"""Markup with every string of the fleet escaped: what a host sends never becomes an element or a link."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from dashboard.wording import plain

_SPARK_WIDTH, _SPARK_HEIGHT = 96, 20  # pixels
_SPARK_COLOUR = "#7D8894"  # between the two grounds


def text(value: object, limit: int = 48) -> str:
    """A string of the fleet as text of a page."""
    return escape(plain(value, limit))


def markdown_text(words: str) -> str:
    """Words as the label of a widget, which Streamlit reads as Markdown."""
    return "".join(f"\\{each}" if each in "\\`*_{}[]()<>#+-.!|$:~^&" else each for each in words)


@dataclass(frozen=True)
class Fact:
    """A figure with a name above it."""

    label: str
    value: str


def facts(shown: Sequence[Fact]) -> str:
    """Figures in a row that wraps."""
    cells = "".join(
        f'<div><span class="fc-label">{escape(fact.label)}</span>'
        f'<span class="fc-value">{escape(fact.value)}</span></div>'
        for fact in shown
    )
    return f'<div class="fc-facts">{cells}</div>'


@dataclass(frozen=True)
class Card:
    """A figure by itself.

    Attributes:
        kind: ``bad`` for bad news, ``culprit``, or ``late`` for out of date; empty for any other.
        address: of the link; empty for none.
    """

    label: str
    value: str
    more: str = ""
    unit: str = ""
    kind: str = ""
    address: str = ""


def cards(shown: Sequence[Card]) -> str:
    """Cards of one height, as many side by side as fit."""
    return f'<div class="fc fc-cards">{"".join(map(_card, shown))}</div>'


def _card(card: Card) -> str:
    kind = f"fc-card fc-{card.kind}" if card.kind else "fc-card"
    unit = f' <span class="fc-unit">{escape(card.unit)}</span>' if card.unit else ""
    value = f'<a href="{escape(card.address)}">{escape(card.value)}</a>' if card.address else escape(card.value)
    return (
        f'<div class="{kind}"><span class="fc-label">{escape(card.label)}</span>'
        f'<span class="fc-value">{value}{unit}</span>'
        f'<span class="fc-more">{escape(card.more)}</span></div>'
    )


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        number, time, id: what its cells hold. wide: hidden on a narrow screen.
    """

    title: str
    number: bool = False
    wide: bool = False
    id: bool = False
    time: bool = False

    @property
    def kind(self) -> str:
        """The style classes of its cells."""
        named = (
            ("fc-number", self.number),
            ("fc-wide", self.wide),
            ("fc-id", self.id),
            ("fc-time", self.time),
        )
        return " ".join(name for name, wanted in named if wanted)


@dataclass(frozen=True)
class Link:
    """A cell with a link."""

    words: str
    address: str


@dataclass(frozen=True)
class Spark:
    """A cell that is a small curve.

    Attributes:
        values: from left to right, not negative. said: the same in words.
    """

    values: Sequence[float]
    said: str


Cell = str | Link | Spark


@dataclass(frozen=True)
class Row:
    """A row of a table; its texts are plain.

    Attributes:
        share: length of the bar behind the ``bar`` cell, 0 to 1. guilty: whether it is the culprit.
        strong: whether it is emphasised.
    """

    cells: Sequence[Cell]
    share: float = 0.0
    guilty: bool = False
    strong: bool = False


def table(title: str, columns: Sequence[Column], rows: Sequence[Row], *, bar: int | None = None, note: str = "") -> str:
    """A table under its title.

    Args:
        bar: index of the column that carries a bar as long as its row's share.
        note: what the figures mean, or why there are none.
    """
    head = "".join(f'<th scope="col" class="{column.kind}">{escape(column.title)}</th>' for column in columns)
    body = "".join(_row(columns, row, bar) for row in rows)
    filled = (
        f'<div class="fc-scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        if rows
        else ""
    )
    noted = f'<p class="fc-note">{escape(note)}</p>' if note else ""
    return f'<div class="fc"><h3>{escape(title)}</h3>{noted}{filled}</div>'


def _row(columns: Sequence[Column], row: Row, bar: int | None) -> str:
    cells = []
    for index, (column, cell) in enumerate(zip(columns, row.cells, strict=True)):
        kind, style = column.kind, ""
        if index == bar:
            kind, style = f"{kind} fc-share", f' style="--share: {max(0.0, min(1.0, row.share)) * 100:.1f}%"'
        cells.append(f'<td class="{kind}"{style}>{_cell(cell)}</td>')
    kind = "fc-guilty" if row.guilty else "fc-strong" if row.strong else ""
    return f"<tr{f' class={kind}' if kind else ''}>{''.join(cells)}</tr>"


def _cell(cell: Cell) -> str:
    if isinstance(cell, Link):
        return f'<a href="{escape(cell.address)}">{escape(cell.words)}</a>'
    if isinstance(cell, Spark):
        return _spark(cell)
    return escape(cell)


def _spark(curve: Spark) -> str:
    """Bars as an image, because the page's sanitizer removes SVG; grey is visible on both backgrounds."""
    top = max(curve.values, default=0.0)
    step = _SPARK_WIDTH / max(1, len(curve.values))
    bars = "".join(
        f"M{(index + 0.5) * step:.1f} {_SPARK_HEIGHT}v-{max(1.0, value / top * _SPARK_HEIGHT):.1f}"
        for index, value in enumerate(curve.values)
        if value > 0
    )
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SPARK_WIDTH}" height="{_SPARK_HEIGHT}">'
        f'<path stroke="{_SPARK_COLOUR}" stroke-width="{max(step - 0.5, 0.5):.1f}" d="{bars}"/></svg>'
    )
    encoded = b64encode(drawn.encode()).decode()
    return (
        f'<img class="fc-spark" width="{_SPARK_WIDTH}" height="{_SPARK_HEIGHT}" alt="{escape(curve.said)}" '
        f'src="data:image/svg+xml;base64,{encoded}">'
    )


# Strokes as gradients, because the page's sanitizer removes SVG.
_STROKES = {
    "solid": "{0} 0 34px",
    "dash": "{0} 0 9px, transparent 9px 14px",
    "dot": "{0} 0 3px, transparent 3px 6px",
    "dashdot": "{0} 0 9px, transparent 9px 12px, {0} 12px 14px, transparent 14px 17px",
    "longdash": "{0} 0 14px, transparent 14px 20px",
    "longdashdot": "{0} 0 13px, transparent 13px 16px, {0} 16px 18px, transparent 18px 21px",
}


def legend(lines: Sequence[tuple[str, str, str]]) -> str:
    """The legend of a chart: (name, colour, dash), drawn like the lines in it."""
    return "".join(
        f'<span class="fc-legend"><span class="fc-stroke" style="background: repeating-linear-gradient('
        f'90deg, {_STROKES[dash].format(colour)})"></span>{text(name, 32)}</span>'
        for name, colour, dash in lines
    )


def state(title: str, found: Sequence[str], command: str = "") -> str:
    """A page without content: what was found, and the command that helps."""
    said = "".join(f"<p>{escape(line)}</p>" for line in found)
    run = f"<pre>{escape(command)}</pre>" if command else ""
    return f'<div class="fc fc-state"><h2>{escape(title)}</h2>{said}{run}</div>'


def notice(title: str, said: str) -> str:
    """A plain line where a panel has nothing to show."""
    more = f'<p class="fc-next">{escape(said)}</p>'
    return f'<div class="fc fc-banner fc-notice"><p><b>{escape(title)}</b></p>{more}</div>'
