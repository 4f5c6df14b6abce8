"""What an incident rests on: its figures, how its verdict came about, and what cannot be told from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape

from dashboard.incidents import Incident, Judgement, Rival
from dashboard.markup import Column, Row, table
from dashboard.next_step import CONTROLS, summary_words
from dashboard.snapshot import Snapshot
from dashboard.wording import (
    VERDICT_NAMES,
    assumed_presence,
    clock,
    condition_words,
    count,
    few,
    percent,
    plain,
    times,
    wave_words,
)

HARDLY_ANY = 1e-9  # probability: what is left by candidates that were rounded up to certainty
_MOST_CANDIDATES = 10  # listed one by one
_LIMITS = {
    "no_installs": "No installs were recorded, so hosts that could have it count as exposed since release.",
    "condition": "The condition is the simplest one that fits the crashes so far; it can still change.",
    "ratio": "A rate ratio compares what happened to exposed hosts with what was to be expected without the "
    "update; its interval is of this comparison alone, not corrected for the number of updates looked at.",
    "crashes": "Nothing but crashes was recorded: the hosts that crashed within a day stand for the fleet. Who has the "
    "update, who is at risk and who went dark is not known, nor is a host that crashes too early to report.",
    "silence": "A host that crashes too early to report is seen only as dark, and only if it is a server.",
    "offline": "A host that went offline may have been put to sleep: only their number speaks, "
    "beside that of hosts without the update.",
}


def rival_name(rival: Rival, beside: datetime | None) -> str:
    """What another explanation is called on the page."""
    return wave_words(rival.name, beside=beside) if rival.kind == "wave" else rival.name


def evidence_table(incident: Incident, snapshot: Snapshot) -> str:
    """The figures, below the monitor's own sentence, as markup."""
    evidence, ratio = incident.evidence, incident.rate_ratio
    unknown = "not known" if snapshot.only_crashes else ""
    rows = [
        Row(["Crashes counted", count(evidence.get("crashes"))]),
        Row(["Hosts crashed", count(evidence.get("hosts_crashed"))]),
        *([Row(["Hosts exposed", unknown or count(evidence.get("hosts_exposed"))])] if incident.update_id else []),
        Row(["Hosts gone dark", unknown or count(evidence.get("hosts_dark"))]),
    ]
    if ratio is not None:
        high = "no bound" if ratio.high is None else times(ratio.high)
        whose = (rival_name(each, snapshot.as_of) for each in incident.rivals if each.rate_ratio == ratio)
        of_whom = f" of {plain(name, 60)}" if (name := next(whose, None)) else ""
        rows.append(Row([f"Rate ratio{of_whom}", f"{times(ratio.estimate)} ({times(ratio.low)} to {high})"]))
    for key, name in (
        (
            "events_judged",
            "Crashes and silences judged" if incident.hosts_left is None else "Went offline soon after it",
        ),
        ("events_expected", "Expected of them"),
    ):
        value = evidence.get(key)
        if isinstance(value, int | float):
            rows.append(Row([name, few(value)]))
    strength = evidence.get("log_evidence")
    if isinstance(strength, int | float):
        rows.append(Row(["Log evidence", f"{strength:.1f}"]))
    rows += [] if unknown else _controls(incident.controls)
    for each in incident.candidates[:_MOST_CANDIDATES]:
        rows.append(Row([f"Probability of {plain(each.update_id, 40)}", percent(each.probability)]))
    more = [each.probability for each in incident.candidates[_MOST_CANDIDATES:]]
    if more:
        rows.append(Row([f"Probability of one of {count(len(more))} more", percent(sum(more))]))
    left = 1 - sum(each.probability for each in incident.candidates)
    if incident.candidates:
        rows.append(Row(["Probability of no change", percent(max(HARDLY_ANY, left))]))
    note = plain(summary_words(incident, snapshot), 300)
    return table("Evidence", [Column("Figure"), Column("Value", number=True)], rows, note=note)


def _controls(controls: Mapping[str, float]) -> list[Row]:
    """The hosts with which crashes after the install are compared; nothing if no update is named."""
    if not controls.keys() >= CONTROLS:
        return []
    within = f"{count(controls['window_min'])} min"
    drawn = f"{controls['placebo']:.1f} (as many in {percent(controls['placebo_as_many'])} of draws)"
    return [
        Row([f"Hosts crashed within {within} after the install", count(controls["after"])]),
        Row([f"The same hosts, {within} before it", count(controls["before"])]),
        Row([f"Within {within} after install times drawn at random", drawn]),
    ]


def history_table(incident: Incident, beside: datetime | None) -> str:
    """Each change of the verdict, as markup."""
    rows = [
        Row(
            [
                clock(each.at, beside=beside),
                VERDICT_NAMES.get(each.verdict, plain(each.verdict)),
                plain(each.update_id, 32) if each.update_id else "–",
                condition_words(each.condition) if each.update_id else "–",
            ]
        )
        for each in incident.history
    ]
    columns = [Column("At", time=True), Column("Verdict"), Column("Update", id=True), Column("Whom")]
    return table("History of the verdict", columns, rows, note="" if rows else "The verdict has not changed.")


def limits_list(judgement: Judgement, incident: Incident, snapshot: Snapshot) -> str:
    """What cannot be told from the figures, as markup."""
    silence = "silence" if incident.hosts_left is None else "offline"
    said = [_LIMITS["ratio"], _LIMITS["crashes" if snapshot.only_crashes else silence]]
    if incident.update_id is not None and incident.condition is not None:
        said.insert(0, _LIMITS["condition"])
    if judgement.exposure_source in ("release", "none") and not snapshot.only_crashes:
        said.append(_LIMITS["no_installs"])
    if judgement.presence_source == "assumed" and not snapshot.only_crashes:
        said.append(assumed_presence(()))
    elif snapshot.unheard_systems:
        said.append(assumed_presence(snapshot.unheard_systems))
    lines = "".join(f"<li>{escape(each)}</li>" for each in said)
    return f'<div class="fc"><h3>Limits</h3><ul class="fc-limits">{lines}</ul></div>'
