"""docs/scoreboard.md from the rows of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import getdoc
from math import comb
from textwrap import fill

from bench.attribution.intervals import clopper_pearson
from bench.scoreboard.baselines import BASELINES
from bench.scoreboard.fleets import METHODS, ORACLE, OURS, Row, Verdict


@dataclass(frozen=True)
class Settings:
    """What was run.

    Attributes:
        command: as it can be run again. detector: tells the one that was judged from others.
        size: in a word or two, where it is less than a full run.
        false_alarms: of how many training fleets the detector blamed an update.
    """

    command: str
    detector: str
    size: str
    seeds: int
    scenarios: int
    hosts: int
    days: int
    training: int
    false_alarms: int
    thresholds: Mapping[str, float]


def page(rows: Sequence[Row], settings: Settings) -> str:
    """The page in Markdown."""
    guilty, innocent = [row for row in rows if row.guilty], [row for row in rows if not row.guilty]
    parts = [
        "# Scoreboard",
        _intro(settings),
        "## Where an update is guilty",
        _guilty_table(guilty),
        _prose(_READING),
        "## Where none is",
        _innocent_table(innocent),
        "## Who is not beaten",
        "\n".join(_prose(f"- {line}") for line in unbeaten(rows)),
        "## Right, by scenario",
        _scenario_table(rows),
        "## Failures, by scenario and seed",
        _failures(rows),
        "## The methods",
        _methods(settings),
    ]
    return "\n\n".join(parts) + "\n"


def unbeaten(rows: Sequence[Row]) -> list[str]:
    """For each baseline, in words, whether ours is right more often and wrong less often on the same fleets."""
    lines = []
    for method in BASELINES:
        right, wrong = (_compared(rows, method, verdict) for verdict in (Verdict.CORRECT, Verdict.WRONG))
        said = []
        if right.ours <= right.theirs:
            said.append(f"is **not beaten on correct**: {right.theirs} fleets against our {right.ours}")
        if wrong.ours >= wrong.theirs:
            said.append(f"is **not beaten on wrong**: {wrong.theirs} fleets against our {wrong.ours}")
        if not said:
            said.append(f"is beaten on both: correct on {right.theirs} fleets against our {right.ours}")
            said.append(f"wrong on {wrong.theirs} against {wrong.ours}")
        lines.append(
            f"{method} {', and '.join(said)}. On correct {right.only_ours} fleets are ours alone and "
            f"{right.only_theirs} theirs (sign test, two-sided: p = {right.chance:.2g}).{_sooner(rows, method)}"
        )
    return lines


def _sooner(rows: Sequence[Row], method: str) -> str:
    """Who names sooner where both are right; nothing where they never are."""
    named = {(row.method, row.scenario, row.seed): row.name_min for row in rows if row.verdict is Verdict.CORRECT}
    both = [
        (mine, theirs)
        for (name, scenario, seed), mine in named.items()
        if name == OURS and mine is not None and (theirs := named.get((method, scenario, seed))) is not None
    ]
    if not both:
        return ""
    ours, other = _median([mine for mine, _ in both]), _median([theirs for _, theirs in both])
    first = sum(theirs < mine for mine, theirs in both)
    return (
        f" Where both name the guilty one ({len(both)} fleets), it does after {other} minutes and we after {ours} "
        f"(medians); it is sooner on {first} of them."
    )


@dataclass(frozen=True)
class _Compared:
    ours: int
    theirs: int
    only_ours: int
    only_theirs: int

    @property
    def chance(self) -> float:
        """That fleets which tell the two apart fall so unevenly when either is as likely (McNemar's exact test)."""
        several = self.only_ours + self.only_theirs
        fewer = min(self.only_ours, self.only_theirs)
        ways = sum(comb(several, count) for count in range(fewer + 1))
        return min(1.0, ways / 2.0 ** max(several - 1, 0))


def _compared(rows: Sequence[Row], method: str, verdict: Verdict) -> _Compared:
    ours, theirs = (
        {(row.scenario, row.seed) for row in rows if row.method == name and row.verdict is verdict}
        for name in (OURS, method)
    )
    return _Compared(len(ours), len(theirs), len(ours - theirs), len(theirs - ours))


def _intro(settings: Settings) -> str:
    size = f"**{settings.size}** " if settings.size else ""
    first = f"""{size}The detector beside an oracle, which knows which update is guilty and whom it can hit, and beside
    methods that others use, on the same records as they became known. **All of it is synthetic**: fleets of the
    simulator in `sample_data`, which has the same authors as the detector; nothing here tells how a real fleet would
    fare."""
    second = f"""{settings.scenarios} scenarios, seeds of each: {settings.seeds}, {settings.hosts:,} hosts over
    {settings.days} days. The baselines' thresholds are tuned on {settings.training} other fleets on which nothing
    happens, to the false alarms of the detector there: it blamed an update on {settings.false_alarms} of them. Then
    other seeds are judged. Shares are of fleets, with 95 % Clopper-Pearson intervals. Minutes and hosts are medians
    over the fleets on which the method alarmed. Detector: `{settings.detector}`, a digest of its text."""
    return f"{_prose(first)}\n\n```\n$ {settings.command}\n```\n\n{_prose(second)}"


_READING = """Correct: a guilty update was blamed, and never an innocent one. Wrong: an innocent one ever was.
Abstained: an alarm without a name. Missed: no alarm. A name counts even if it is taken back; *first name right*
lets all names after the first go. The baselines always have a name at hand, so they hardly abstain. Minutes are
from the release: a fault that waits for the next boot takes hours. Hosts are those of the fault that had the update
at the alarm, and those whose crash was known by then. The oracle sees crashes alone, so it misses updates that only
silence hosts."""


def _prose(text: str) -> str:
    """Text in lines; none begins with an operator of a formula, which Markdown would take for a list."""
    words = re.sub(r"(?<=\S) (?=[-+=] )", "\u00a0", " ".join(text.split()))
    indent = "  " if words.startswith("- ") else ""
    return fill(words, 132, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _guilty_table(rows: Sequence[Row]) -> str:
    head = (
        "method", "correct", "wrong", "abstained", "missed", "first name right", "correct where the oracle alarms",
        "min to alarm", "min to name", "exposed", "crashed",
    )  # fmt: skip
    lines = []
    clear = {(row.scenario, row.seed) for row in rows if row.method == ORACLE and row.alarm_min is not None}
    for method in (*METHODS, ORACLE):
        mine = [row for row in rows if row.method == method]
        seen = [row for row in mine if (row.scenario, row.seed) in clear]
        lines.append(
            (
                _strong(method),
                *(_share(sum(row.verdict is verdict for row in mine), len(mine)) for verdict in Verdict),
                _share(sum(row.first_right for row in mine), len(mine)),
                _share(sum(row.verdict is Verdict.CORRECT for row in seen), len(seen)),
                _median([row.alarm_min for row in mine]),
                _median([row.name_min for row in mine]),
                _median([row.exposed for row in mine]),
                _median([row.crashed for row in mine]),
            )
        )
    return _table(head, lines)


def _innocent_table(rows: Sequence[Row]) -> str:
    lines = []
    for method in METHODS:
        mine = [row for row in rows if row.method == method]
        wrong = sum(row.verdict is Verdict.WRONG for row in mine)
        lines.append((_strong(method), _share(len(mine) - wrong, len(mine)), _share(wrong, len(mine))))
    return _table(("method", "blamed none", "blamed an update"), lines)


def _scenario_table(rows: Sequence[Row]) -> str:
    lines = []
    for scenario in dict.fromkeys(row.scenario for row in rows):
        counts = []
        for method in (*METHODS, ORACLE):
            mine = [row for row in rows if row.scenario == scenario and row.method == method]
            right = sum(row.verdict is Verdict.CORRECT for row in mine)
            counts.append(f"{right} of {len(mine)}" if mine else "–")
        lines.append((f"`{scenario}`", *counts))
    return _table(("scenario", *METHODS, ORACLE), lines)


def _failures(rows: Sequence[Row]) -> str:
    parts = []
    for method in METHODS:
        failed = [row for row in rows if row.method == method and row.verdict is not Verdict.CORRECT]
        lines = []
        for scenario in dict.fromkeys(row.scenario for row in failed):
            told = [_told(row) for row in failed if row.scenario == scenario]
            lines.append(f"- `{scenario}`: {'; '.join(told)}")
        parts.append(f"**{method}**, {len(failed)}\n\n" + ("\n".join(lines) or "none"))
    return "\n\n".join(parts)


def _told(row: Row) -> str:
    named = f" ({', '.join(row.named)})" if row.verdict is Verdict.WRONG else ""
    return f"{row.seed} {row.verdict}{named}"


def _methods(settings: Settings) -> str:
    parts = []
    for name, judge in BASELINES.items():
        title, _, text = (getdoc(judge) or "").partition("\n\n")
        parts.append(_prose(f"**{name}.** {title} {text} Threshold here: {settings.thresholds[name]:.3g}."))
    oracle = "A sequential test on the crashes of the hosts that the fault can hit, against the rate before the release"
    parts.append(_prose(f"**{ORACLE}.** {oracle} (`bench/attribution/oracle.py`)."))
    return "\n\n".join(parts)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _share(hits: int, runs: int) -> str:
    if not runs:
        return "–"
    low, high = clopper_pearson(hits, runs)
    return f"{hits} of {runs} ({100 * low:.0f} to {100 * high:.0f} %)"


def _median(values: Sequence[float | None]) -> str:
    ordered = sorted(value for value in values if value is not None)
    return f"{ordered[len(ordered) // 2]:.0f}" if ordered else "–"


def _strong(method: str) -> str:
    return f"**{method}**" if method == OURS else method
