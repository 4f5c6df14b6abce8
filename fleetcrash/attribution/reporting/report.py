"""What the detector found, as the contract's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import compress

import numpy as np

from fleetcrash.attribution.conditions.grammar import Condition
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.evidence import rate_interval
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.reporting.accounted import counts_of
from fleetcrash.attribution.reporting.causes import cause_of, common_module
from fleetcrash.attribution.reporting.controls import controls_of
from fleetcrash.attribution.reporting.impact import Harm, Impact, State, harm_of, impact_of, is_silence
from fleetcrash.attribution.reporting.where import where_of
from fleetcrash.attribution.reporting.wording import followed, selected_in_words
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES, Kind, Lack, are_tied
from fleetcrash.counts import MOSTLY
from fleetcrash.documents import JSON
from fleetcrash.store.engine import Engine
from fleetcrash.times import tick_text, tick_time, time_text

SCHEMA = 1
_LEAST_PROBABILITY = 1e-4  # those that are less likely, all together, are noise on the page
_NAMED_IN_A_TIE = 3

# What a rise follows that is one of reports only, by its cause.
_FOLLOWED = {
    "backlog": "reports that were held up for hours and came at once",
    "clock": "reports that carry a time of hours before they came",
}


def document(engine: Engine, detector: Detector, as_of: datetime, incidents: Sequence[Incident]) -> JSON:
    """The ``incidents`` document: what is wrong with the fleet as of an instant.

    Args:
        engine: as of the same instant.
        incidents: those to list, in the order of their alarms.
    """
    return {
        "schema": SCHEMA,
        "as_of": time_text(as_of),
        **engine.rows("sources_of_exposure")[0],
        **engine.rows("crashes_told_late")[0],
        "incidents": [_incident(engine, detector, incident, as_of) for incident in incidents],
    }


def _incident(engine: Engine, detector: Detector, incident: Incident, as_of: datetime) -> JSON:
    suspect = None if incident.update is None else detector.news.suspects[incident.update]
    impact = harm = None
    if suspect is not None and not detector.news.crashes_only:  # else nothing is known of hosts but their crashes
        impact = impact_of(engine, suspect.update_id, incident.condition)
        since, until = _span(detector, incident)
        harm = harm_of(engine, suspect.update_id, incident.condition, since=since, until=until)
    candidates = _candidates(detector, incident)
    evidence = _evidence(engine, detector, incident, harm)
    return {
        "incident_id": incident.incident_id,
        "alarm_at": tick_text(incident.opened_tick),
        "named_at": None if incident.said.named_tick is None else tick_text(incident.said.named_tick),
        "closed_at": None if incident.closed_tick is None else tick_text(incident.closed_tick),
        "verdict": str(incident.kind),
        "update_id": None if suspect is None else suspect.update_id,
        "update_kind": None if suspect is None else suspect.kind,
        "cause": cause_of(detector, incident),
        "candidates": candidates,
        "condition": incident.condition,
        "evidence": evidence,
        "impact": _no_impact() if impact is None else impact.counts(),
        "summary": _summary(detector, incident, impact, candidates, evidence),
        "history": [
            {
                "at": tick_text(turn.tick),
                "verdict": str(turn.kind),
                "update_id": None if turn.update is None else detector.news.suspects[turn.update].update_id,
                "condition": turn.condition,
            }
            for turn in incident.said.history
        ],
        "lacks": _lacks(incident),
        "rivals": _rivals(detector, incident),
        "controls": None if harm is None else _controls(engine, detector, incident, harm),
        "where": where_of(detector, incident),
        "calm_since": tick_text(incident.calm_tick) if tick_time(incident.calm_tick) <= as_of else None,
    }


def _span(detector: Detector, incident: Incident) -> tuple[datetime | None, datetime | None]:
    """From when to when what the named update does to hosts is of an incident; None: ever since, or to this day.

    What it did before belongs to the incidents that name it and had ended by then.
    """
    alarm = incident.alarm_tick
    same = [one for one in detector.incidents if one.update == incident.update]
    ended = [one.ended_tick for one in same if one.ended_tick is not None and one.ended_tick <= alarm]
    since = tick_time(max(*ended, incident.since)) if ended else None
    return since, None if incident.closed_tick is None else tick_time(incident.closed_tick)


def _lacks(incident: Incident) -> str | None:
    """Why an incident that cannot tell does not name the likeliest update, if that can be said."""
    if incident.kind is not Kind.CANNOT_SEPARATE or incident.judgement is None or incident.judgement.lacks is None:
        return None
    return str(incident.judgement.lacks)


def _no_impact() -> dict[str, int]:
    return {"exposed": 0, **{state.value: 0 for state in State}}


def _candidates(detector: Detector, incident: Incident) -> list[JSON]:
    if incident.judgement is None or incident.trial is None:
        return []
    stated = incident.judgement.stated(incident.kind)
    weights = zip(incident.trial.updates.tolist(), stated.tolist(), strict=True)
    likely = {update: weight for update, weight in weights if update not in incident.judgement.unweighed}
    # Of those that are not on trial no evidence can be weighed: they are as likely as no change at all.
    left = 1.0 - sum(likely.values())
    likely |= {update: left / (len(incident.judgement.unweighed) + 1) for update in incident.judgement.unweighed}
    suspects = detector.news.suspects
    named = sorted(
        ((suspects[one].update_id, round(weight, 6)) for one, weight in likely.items()),
        key=lambda pair: (-pair[1], pair[0]),
    )
    # What the least likely ones add up to, one more at a time.
    together = np.cumsum([weight for _, weight in named[::-1]])
    listed = named[: int((together >= _LEAST_PROBABILITY).sum())]
    return [{"update_id": name, "probability": weight} for name, weight in listed]


def _rate_ratio(seen: int, mean: float) -> JSON:
    """``rate_interval`` to six digits: those after them depend on the order in which counts were added up."""
    low, estimate, high = (None if value is None else float(f"{value:.6g}") for value in rate_interval(seen, mean))
    return {"low": low, "estimate": estimate, "high": high}


def _evidence(engine: Engine, detector: Detector, incident: Incident, harm: Harm | None) -> JSON:
    seen, expected, log_evidence = _counts_behind(detector, incident)
    if harm is None:
        counts = counts_of(engine, detector, incident)
    else:
        counts = {
            "crashes": harm.crashes,
            "hosts_crashed": harm.hosts_crashed,
            "hosts_exposed": len(harm.hosts),
            "hosts_dark": harm.hosts_dark,
        }
    return {
        **counts,
        "rate_ratio": _rate_ratio(int(seen), expected),
        "log_evidence": round(log_evidence, 3),
        "events_judged": int(seen),
        "events_expected": round(expected, 6),
        "hosts_left": int(seen) if incident.by_departures else None,
    }


def _counts_behind(detector: Detector, incident: Incident) -> tuple[float, float, float]:
    """Events seen, events expected and log evidence of what the incident is blamed on, or of the likeliest."""
    trial, found, judgement = incident.trial, incident.waves, incident.judgement
    if trial is None or found is None or judgement is None:
        return 0.0, 0.0, 0.0
    if incident.kind is not Kind.NO_UPDATE and len(trial.updates):
        leader = int(np.argmax(trial.log_evidence))
        if incident.update is not None:
            leader = trial.row_of(incident.update)
        return (*_counts_of(detector, incident, trial, leader), float(trial.log_evidence[leader]))
    if judgement.wave is None:
        return 0.0, 0.0, 0.0
    row, length = judgement.wave
    return (
        float(found.events[:, row, length].sum()),
        float(found.expected[:, row, length].sum()),
        float(found.log_evidence[row, length]),
    )


def _counts_of(detector: Detector, incident: Incident, trial: Trial, row: int) -> tuple[float, float]:
    """Events of an update's hosts, and how many were to be expected, where they speak loudest against it.

    Args:
        trial: the incident's. row: of the update in it.
    """
    if incident.by_departures:
        return detector.departures_behind(int(trial.updates[row]))
    return trial.counts(row)


def _rivals(detector: Detector, incident: Incident) -> list[JSON]:
    """The strongest updates, and the strongest rise that follows none, with what each explains."""
    trial, judgement = incident.trial, incident.judgement
    if trial is None or judgement is None:
        return []
    rows, stated = [], judgement.stated(incident.kind)
    for rank in np.argsort(-trial.log_evidence)[:5]:
        seen, mean = _counts_of(detector, incident, trial, int(rank))
        suspect = detector.news.suspects[int(trial.updates[rank])]
        rows.append(
            {
                "name": suspect.update_id,
                "kind": "update",
                "log_evidence": round(float(trial.log_evidence[rank]), 3),
                "rate_ratio": _rate_ratio(int(seen), mean),
                "events": int(seen),
                "expected": round(mean, 6),
                "probability": round(float(stated[rank]), 6),
            }
        )
    if judgement.wave is not None and incident.waves is not None:
        row, length = judgement.wave
        seen, mean = incident.waves.events[:, row, length].sum(), incident.waves.expected[:, row, length].sum()
        spot = int(incident.waves.spot[row])
        rows.append(
            {
                "name": f"{detector.spots.describe(spot)} from {tick_text(int(incident.waves.onset[row]))}",
                "kind": "wave",
                "log_evidence": round(float(incident.waves.log_evidence[row, length]), 3),
                "rate_ratio": _rate_ratio(int(seen), float(mean)),
                "events": int(seen),
                "expected": round(float(mean), 6),
                "probability": None,
            }
        )
    return rows


def _controls(engine: Engine, detector: Detector, incident: Incident, harm: Harm) -> JSON | None:
    """What the crashes with the named update are compared with; None while nothing is named."""
    if incident.update is None or incident.trial is None or incident.judgement is None:
        return None
    if incident.by_departures or incident.judgement.dormant is not None:
        return None  # those beside them are the control; and what was installed long ago has no time since then
    row = incident.trial.row_of(incident.update)
    update_id = detector.news.suspects[incident.update].update_id
    return asdict(controls_of(engine, update_id, harm.hosts, incident.trial.window_min(row)))


def _whom(detector: Detector, condition: Condition | None) -> str:
    if condition is None:
        return "some of its hosts"
    return selected_in_words(detector.news.cells, condition) if condition else "hosts of every kind"


def _summary(
    detector: Detector, incident: Incident, impact: Impact | None, candidates: Sequence[JSON], evidence: JSON
) -> str:
    since = tick_text(incident.opened_tick)[11:16]
    if incident.kind is Kind.UPDATE and incident.update is not None:
        suspect = detector.news.suspects[incident.update]
        whom = _whom(detector, incident.condition)
        silenced = incident.by_departures or is_silence(evidence["hosts_crashed"], evidence["hosts_dark"])
        does = "silences" if silenced else "crashes"
        blamed = f"{suspect.update_id} ({suspect.kind or 'unknown kind'}) {does} {whom}: {_judged(detector, incident)}"
        sure = _how_sure(incident, suspect.update_id, candidates)
        says = f"({sure}, alarm {since} UTC{_known_since(detector, incident)})"
        if impact is None:
            return f"{blamed}{_hosts(evidence['hosts_crashed'])} crashed, of how many that had it is not known {says}."
        return (
            f"{blamed}"
            f"{evidence['hosts_crashed']:,} of {_hosts(evidence['hosts_exposed'], 'exposed ')} crashed, "
            f"{impact.count(State.DARK):,} dark, {impact.count(State.AT_RISK):,} at risk {says}."
        )
    hit = f"{_hosts(evidence['hosts_crashed'])} crashed and {evidence['hosts_dark']:,} went dark"
    is_left = bool(evidence["hosts_crashed"] or evidence["hosts_dark"])
    other = None if incident.by_departures else _taken_over_by(detector, incident, is_left=is_left)
    if other is not None and not (is_left and incident.is_understood):
        how_much, beside = ("most of what", f"; beside that {hit}") if is_left else ("what", "")
        return f"Alarm {since} UTC: {how_much} raised it is part of {other.incident_id} by what is known now{beside}."
    rise = f"{_judged(detector, incident)}{hit}{_of_those(incident, evidence)}, alarm {since} UTC"
    if incident.kind is Kind.NO_UPDATE:
        module = common_module(detector, incident)
        inside = f", mostly in {module}" if module else ""
        part = _FOLLOWED.get(cause_of(detector, incident) or "") or followed(detector, incident)
        known = bool(detector.news.suspects)
        if part is None:
            none = "the rise follows no update" if known else "no update is known to have been sent out"
            return f"{rise}{inside}: {none}."
        none = "and no update" if known else "and no update is known to have been sent out"
        return f"{rise}: the rise follows {part}{inside}, {none}."
    if incident.kind is Kind.CANNOT_SEPARATE:
        tied = are_tied([row["probability"] for row in candidates])
        names = [row["update_id"] for row in compress(candidates, tied)]
        if len(names) > 1:
            others = "one another or from a rise of its own"
        else:
            others = _one_of(_near(detector, incident, names))
        lacks = _lacks(incident)
        why = f", because {lacks}" if lacks else ""
        return f"{rise}: cannot separate {_one_of(names) or 'an update'} from {others}{why}."
    found = f"which change did it is still being judged{_likeliest(candidates)}"
    if incident.settled:
        found = "nothing tells which change did it, if any"
    return f"{rise}: more than the baseline explains; {found}."


def _likeliest(candidates: Sequence[JSON]) -> str:
    """Where to look first, once that is likelier than not."""
    first = next((row for row in candidates if row["probability"] > MOSTLY), None)
    return "" if first is None else f", {first['update_id']} is likeliest so far"


def _of_those(incident: Incident, evidence: JSON) -> str:
    """How few of all that happened a tie is about, where most of it goes on every day."""
    judged = evidence["events_judged"]
    is_told_so = incident.kind is not Kind.CANNOT_SEPARATE or incident.by_departures or incident.rise is not None
    if is_told_so or judged > MOSTLY * (evidence["hosts_crashed"] + evidence["hosts_dark"]):
        return ""
    return f", {judged:,} of them where {evidence['events_expected']:,.1f} were expected"


def _near(detector: Detector, incident: Incident, names: Sequence[str]) -> list[str]:
    """What one update is not told from: others that explain nearly as much, though none of them is as likely."""
    judgement, suspects = incident.judgement, detector.news.suspects
    if judgement is None or judgement.lacks is not Lack.ALONE:
        return ["a rise of its own"]
    near = [suspects[one].update_id for one in judgement.near]
    return [one for one in near if one not in names] or ["a rise of its own"]


def _one_of(names: Sequence[str]) -> str:
    """Some names in a sentence: the first few, and how many more there are."""
    if len(names) <= _NAMED_IN_A_TIE:
        return " or ".join(names)
    return f"{', '.join(names[:_NAMED_IN_A_TIE])} and {len(names) - _NAMED_IN_A_TIE:,} more"


def _taken_over_by(detector: Detector, incident: Incident, *, is_left: bool) -> Incident | None:
    """Another incident that accounts by now for most of what an incident did when it ended.

    Or for most of what came with the alarm of one that accounts for nothing.

    Args:
        is_left: whether it accounts for anything.
    """
    minute = detector.news.events.minute
    events = incident.held
    if not len(events) and not is_left:
        events = np.flatnonzero((minute >= incident.since) & (minute <= incident.alarm_tick + JUDGING_MINUTES))
    counts = [int(one.claim(len(minute))[events].sum()) for one in detector.incidents]
    most = detector.incidents[int(np.argmax(counts))]
    return most if max(counts) > int(incident.claim(len(minute))[events].sum()) else None


def _known_since(detector: Detector, incident: Incident) -> str:
    """Which incident named the update first, where it was another one."""
    turns = [
        (turn.tick, one.incident_id)
        for one in detector.incidents
        for turn in one.said.history
        if turn.update == incident.update
    ]
    first = min(turns)[1]
    return "" if first == incident.incident_id else f", known since {first}"


def _how_sure(incident: Incident, update_id: str, candidates: Sequence[JSON]) -> str:
    if incident.said.doubt.since is not None:
        return f"in doubt since {tick_text(incident.said.doubt.since)[11:16]} UTC"
    weight = sum(row["probability"] for row in candidates if row["update_id"] == update_id)
    return f"{min(weight, 0.999):.1%} sure"


def _hosts(count: int, which: str = "") -> str:
    return f"{count:,} {which}{'host' if count == 1 else 'hosts'}"


def _judged(detector: Detector, incident: Incident) -> str:
    """What an incident rests on, where that is not how many hosts crash."""
    if not incident.by_departures and incident.rise is None:
        return ""
    seen, expected, _ = _counts_behind(detector, incident)
    if incident.rise is not None:
        modules = " and ".join(incident.rise.names)
        return f"{_hosts(round(seen))} crashed in {modules} where {expected:,.1f} were expected; "
    return f"{_hosts(round(seen))} went offline soon after it where {expected:,.0f} were expected; "
