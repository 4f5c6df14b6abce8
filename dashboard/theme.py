"""Colours of the charts, the style sheet and the scripts.

Okabe–Ito, with a dash style for each colour, so that a chart is readable in grey. Vermilion is only for the culprit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Palette:
    """Colours of a chart on one background; for text, vermilion is darker or lighter for contrast."""

    ink: str
    muted: str
    grid: str
    ground: str
    culprit: str
    culprit_text: str
    suspect: str
    lines: tuple[str, ...]


LIGHT = Palette(
    ink="#1A2027",
    muted="#525C66",
    grid="#E3E7EB",
    ground="#FFFFFF",
    culprit="#D55E00",
    culprit_text="#A84300",
    suspect="#9A6700",
    lines=("#0072B2", "#009E73", "#B0568F", "#1A2027", "#3E9BD1", "#8A7A00"),
)
DARK = Palette(
    ink="#E8ECF0",
    muted="#A9B4BF",
    grid="#27313B",
    ground="#10151B",
    culprit="#FF8540",
    culprit_text="#FF9A5C",
    suspect="#F0C000",
    lines=("#56B4E9", "#2DBE95", "#DB93B8", "#E8ECF0", "#8FA8FF", "#F0E442"),
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def palette(*, dark: bool) -> Palette:
    """The palette for the viewer's theme."""
    return DARK if dark else LIGHT


STYLE = Path(__file__).with_name("style.css")
_SCRIPTS = ("links", "steady", "announce")
SCRIPTS = "".join(Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
