"""Colours and the style sheet.

Okabe–Ito, with a dash for each colour, so that a chart also reads in grey. Vermilion is the culprit's alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours of a chart on one background."""

    ink: str
    muted: str
    grid: str
    ground: str
    culprit: str
    suspect: str
    lines: tuple[str, ...]


LIGHT = Palette(
    ink="#1A2027", muted="#525C66", grid="#E3E7EB", ground="#FFFFFF", culprit="#D55E00", suspect="#9A6700",
    lines=("#0072B2", "#009E73", "#B0568F", "#1A2027", "#3E9BD1", "#8A7A00"),
)  # fmt: skip
DARK = Palette(
    ink="#E8ECF0", muted="#A9B4BF", grid="#27313B", ground="#10151B", culprit="#FF8540", suspect="#F0C000",
    lines=("#56B4E9", "#2DBE95", "#DB93B8", "#E8ECF0", "#8FA8FF", "#F0E442"),
)  # fmt: skip
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

OS_ORDER = ("windows", "darwin", "linux")
"""Each OS keeps its colour whatever else is shown."""


def palette(*, dark: bool) -> Palette:
    """The palette for the viewer's theme."""
    return DARK if dark else LIGHT


# light-dark() follows the color-scheme that Streamlit sets with its theme, so a switch of theme needs no rerun.
STYLE = """
<style>
.stApp {
  --fc-muted: light-dark(#525C66, #A9B4BF); --fc-line: light-dark(#D5DBE1, #33404D);
  --fc-panel: light-dark(#F7F9FA, #171E26); --fc-bar: light-dark(#7FB2D6, #3E7399);
  --fc-culprit: light-dark(#A84300, #FF9A5C); --fc-culprit-edge: light-dark(#D55E00, #FF7A2E);
  --fc-culprit-ground: light-dark(#FFF3EA, #2A1A10);
  --fc-suspect: light-dark(#7A5200, #F0C000); --fc-suspect-ground: light-dark(#FFF9E6, #262009);
  --fc-calm: light-dark(#00694C, #4FD0AA); --fc-calm-ground: light-dark(#F0F9F6, #10221D);
  --fc-open: light-dark(#005A8F, #7CC5EF); --fc-open-ground: light-dark(#EFF6FB, #12212D);
}
.fc { font-size: .95rem; line-height: 1.45; overflow-wrap: anywhere; }
.fc p { margin: 0; }
.fc-banner { border: 1px solid var(--fc-line); border-left: 6px solid var(--edge); background: var(--ground);
  border-radius: 6px; padding: .85rem 1.1rem .9rem; }
.fc-update { --edge: var(--fc-culprit-edge); --ground: var(--fc-culprit-ground); --word: var(--fc-culprit); }
.fc-cannot_separate { --edge: var(--fc-suspect); --ground: var(--fc-suspect-ground); --word: var(--fc-suspect); }
.fc-no_update, .fc-undetermined { --edge: var(--fc-open); --ground: var(--fc-open-ground); --word: var(--fc-open); }
.fc-quiet { --edge: var(--fc-calm); --ground: var(--fc-calm-ground); --word: var(--fc-calm); }
.fc-notice { --edge: var(--fc-muted); --ground: var(--fc-panel); --word: inherit; }
.fc-banner .fc-title { font-size: 1.3rem; line-height: 1.3; font-weight: 650; }
.fc-banner .fc-title b { color: var(--word); font-weight: 700; }
.fc-banner .fc-next { margin-top: .5rem; }
.fc-next b { font-weight: 650; }
.fc-facts { display: flex; flex-wrap: wrap; gap: .35rem 1.6rem; margin-top: .5rem; }
.fc-facts > div { min-width: 0; }
.fc-label { color: var(--fc-muted); font-size: .82rem; display: block; }
.fc-facts .fc-value { font-weight: 600; font-variant-numeric: tabular-nums; }
.fc-cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: .75rem; }
.fc-card { border: 1px solid var(--fc-line); border-radius: 6px; padding: .7rem .95rem .75rem; min-width: 0; }
.fc-card .fc-value { font-size: 1.55rem; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums; display: block; }
.fc-card .fc-unit { font-size: .9rem; font-weight: 400; color: var(--fc-muted); }
.fc-card .fc-more { color: var(--fc-muted); font-size: .86rem; font-variant-numeric: tabular-nums; }
.fc-card.fc-bad .fc-value { color: var(--fc-suspect); }
.fc-card.fc-culprit .fc-value { color: var(--fc-culprit); }
.fc-card.fc-late .fc-more { color: var(--fc-suspect); }
.fc h3 { font-size: 1.05rem; font-weight: 600; margin: 0 0 .15rem; padding: 0; }
.fc .fc-note { color: var(--fc-muted); font-size: .86rem; }
.fc-over-chart { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .2rem 2rem; margin-bottom: -.6rem; }
.fc-legend { display: inline-flex; align-items: center; gap: .45rem; margin-right: 1.2rem; font-size: .88rem; }
.fc-stroke { display: inline-block; width: 34px; height: 3px; }
.fc-scroll { overflow-x: auto; margin-top: .4rem; }
.fc table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
.fc th { text-align: left; font-weight: 600; color: var(--fc-muted); border-bottom: 1px solid var(--fc-line);
  padding: .25rem .6rem .25rem 0; vertical-align: bottom; }
.fc td { border-bottom: 1px solid var(--fc-line); padding: .28rem .6rem .28rem 0; vertical-align: baseline; }
.fc td.fc-number, .fc th.fc-number { text-align: right; white-space: nowrap; padding-right: 0; padding-left: 1rem; }
.fc th:not(.fc-number), .fc td:not(.fc-number) { padding-right: .8rem; }
.fc td.fc-number + td:not(.fc-number), .fc th.fc-number + th:not(.fc-number) { padding-left: 1.2rem; }
.fc th, .fc td { overflow-wrap: normal; }
.fc td.fc-id { min-width: 6.5rem; overflow-wrap: anywhere; }
.fc td.fc-time { white-space: nowrap; }
.fc tr.fc-guilty td { color: var(--fc-culprit); font-weight: 650; }
.fc td.fc-share { background: linear-gradient(var(--fc-bar), var(--fc-bar)) no-repeat right bottom / var(--share) 4px; }
.fc code { font-size: .86em; padding: .1em .35em; border-radius: 4px; background: light-dark(#ECEFF2, #232D37); color: inherit; }
.fc-limits { margin: .2rem 0 0; }
.fc-limits li { font-size: .9rem; }
[data-testid="stPageLink"] p { color: var(--fc-open); font-weight: 600; }
.fc-state { max-width: 46rem; margin: 6vh auto 0; padding: 1.6rem 1.8rem; border: 1px solid var(--fc-line); border-radius: 8px;
  background: var(--fc-panel); }
.fc-state h2 { font-size: 1.3rem; margin: 0 0 .5rem; padding: 0; }
.fc-state p + p, .fc-state pre { margin-top: .6rem; }
.fc-state pre { background: light-dark(#ECEFF2, #232D37); color: inherit; padding: .6rem .8rem; border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .88rem; margin-bottom: 0; }
.stMainBlockContainer { padding-left: clamp(1rem, 3vw, 3rem); padding-right: clamp(1rem, 3vw, 3rem); }
@media (max-width: 640px) {
  .fc-banner { padding: .7rem .85rem .75rem; }
  .fc-banner .fc-title { font-size: 1.12rem; }
  .fc-facts { display: grid; grid-template-columns: 1fr 1fr; gap: .3rem 1rem; }
  .fc-cards { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .fc-card { padding: .5rem .65rem .55rem; }
  .fc-card .fc-value { font-size: 1.2rem; }
  .fc-wide { display: none; }
  .fc td.fc-number, .fc th.fc-number { padding-left: .5rem; }
  .fc th.fc-number { white-space: normal; }
  .fc th:not(.fc-number), .fc td:not(.fc-number) { padding-right: .4rem; }
  .fc table { font-size: .84rem; }
  .st-key-filters > div, .st-key-custom-range > div { flex: 1 1 calc(50% - .5rem); min-width: 0 !important; max-width: 100%; }
  .st-key-filters > div { width: calc(50% - .5rem) !important; }
  .st-key-filters > .st-key-by, .st-key-filters > .st-key-scale { flex-basis: 100%; width: 100% !important; }
  .stPlotlyChart .textpoint { display: none; }
}
</style>
"""
