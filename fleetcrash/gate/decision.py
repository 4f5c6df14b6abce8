"""The gate: whether a rollout may go on, as the contract's ``gate`` document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import compress
from math import isfinite

from fleetcrash.attribution.backtest import incidents_of
from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.weighing.judgement import are_tied
from fleetcrash.documents import JSON
from fleetcrash.errors import BadArgument
from fleetcrash.gate.overrides import TAKEN_BACK, Override, add, newest
from fleetcrash.gate.reading import Ring, Span, read_rings, read_update
from fleetcrash.gate.rules import Accusation, Answer, Circumstances, Decision, Elsewhere, RingAnswer, decide
from fleetcrash.gate.settings import Settings
from fleetcrash.store.asking import judged_instant, unknown_update
from fleetcrash.store.engine import Engine
from fleetcrash.store.lake import Lake
from fleetcrash.times import instant_at, time_text

# Events in the hour before an alarm belong to the incident; the detector leaves them out of its baseline as well.
_BEFORE_ALARM = timedelta(minutes=LAG_MINUTES)

_CAUSES_WITHOUT_PLACE = ("module", "other")
# If at most a quarter of the fleet has the update, most hosts of a rise that has nothing to do with it lack it.
_FEW_OF_FLEET = 4


def gate(
    lake: Lake,
    update_id: str,
    *,
    as_of: datetime | None,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> JSON:
    """Whether a rollout may go on, from what was known at an instant.

    Raises:
        UnknownName: neither the catalogue nor an install names the update by then.
        LakeError: the lake, or its book of overrides, cannot be read; or it holds no record.
    """
    with Engine(lake, as_of=as_of) as engine:
        instant = judged_instant(engine)
        update = read_update(engine, update_id)
        if update is None:
            raise unknown_update(engine, update_id)
        found = incidents_of(engine, progress=progress)["incidents"]
        is_patch = update.kind == "os_patch"
        rings, baseline = read_rings(
            engine,
            update_id,
            is_patch=is_patch,
            disturbed=disturbed(found, instant),
            named=others_named(found, update_id, instant),
        )
    under = Circumstances(
        settings=settings,
        instant=instant,
        caution=baseline.caution,
        accused=accusation(found, update_id),
        elsewhere=explanation(found, update_id, rings, instant, hosts=update.hosts),
    )
    answer = decide(update, rings, under)
    return _document(update_id, answer, instant, settings, newest(lake.root, update_id, instant))


def overrule(lake: Lake, found: JSON, *, decision: str, reason: str, by: str, now: datetime) -> JSON:
    """Override the decision of a ``gate`` document, or take an override back, and record that in the book of overrides.

    Args:
        decision: go or halt; none takes back.
        reason: as ``overrides.check_reason`` returns it.
        by: who decides. now: when, by our clock.
    Returns:
        The document with the override in force, or with the gate's own answer.
    Raises:
        BadArgument: there is nothing to take back.
        LakeError: the book cannot be written.
    """
    if decision == TAKEN_BACK and (found["override"] or {}).get("decision") in (None, TAKEN_BACK):
        raise BadArgument(
            f"Nobody overrides the gate for {found['update_id']!r} as of {found['as_of']}, so there is nothing to take "
            "back. Nothing was written."
        )
    entry = Override(
        update_id=found["update_id"],
        decision=decision,
        reason=reason,
        by=by,
        as_of=found["as_of"],
        overruled=found["without_override"]["decision"],
        written_at=time_text(now),
    )
    add(lake.root, entry)
    without = found["without_override"]
    return {**found, **_overridden(entry, Decision(without["decision"]), without["reason"])}


def accusation(found: Sequence[JSON], update_id: str) -> Accusation | None:
    """The incident that speaks against an update: one that names it, or else an open one in which it is tied.

    Args:
        found: the ``incidents`` of the contract's document.
    """
    for incident in found:
        if incident["verdict"] == "update" and incident["update_id"] == update_id:
            return Accusation(incident["incident_id"], named=True, summary=incident["summary"])
    for incident in found:
        names = [one["update_id"] for one in incident["candidates"]]
        tied = list(compress(names, are_tied([one["probability"] for one in incident["candidates"]])))
        if incident["verdict"] == "cannot_separate" and incident["closed_at"] is None and update_id in tied:
            is_alone = len(tied) == 1
            return Accusation(incident["incident_id"], named=False, summary=incident["summary"], alone=is_alone)
    return None


def explanation(
    found: Sequence[JSON], update_id: str, rings: Sequence[Ring], instant: datetime, *, hosts: int = 0
) -> Elsewhere | None:
    """An incident that was attributed to another update, or to none, and was not over when the rollout began.

    The newest one during which hosts with the update were hit; if there is none, the newest one. A stray host, whose
    clock may say 1970, begins no rollout. What names another update explains nothing but where most hosts have both:
    that one crashes nobody who lacks it, and hits of the hosts that are known to have both are left out anyway.

    Args:
        hosts: number in the fleet. While few have the update, a rise in crashes that is bound to no place and is mostly
            on hosts with the update explains nothing: it consists of these very hits. Where installs are reported late
            the detector says *no update* about them.
    """
    since = min((instant_at(ring.soaked_from_us) for ring in rings), default=instant)
    hits = [at for ring in rings for at in ring.hits_at]
    most_have_both = 2 * sum(ring.both for ring in rings) > sum(ring.exposed for ring in rings)
    is_with_few = _FEW_OF_FLEET * sum(ring.exposed for ring in rings) <= hosts
    told: list[Elsewhere] = []
    for incident in found:
        other = incident["verdict"] == "no_update" or (
            incident["verdict"] == "update" and incident["update_id"] != update_id and most_have_both
        )
        began, until = _span(incident, instant, "closed_at")
        met = sum(began <= at <= until for at in hits)
        if other and (incident["closed_at"] is None or until > since or met):
            if is_with_few and _is_mostly_on(incident, met):
                continue
            is_over = incident["calm_since"] is not None
            told.append(Elsewhere(incident["incident_id"], incident["summary"], met=met > 0, over=is_over))
    return next((one for one in reversed(told) if one.met), told[-1] if told else None)


def others_named(found: Sequence[JSON], update_id: str, instant: datetime) -> list[tuple[str, datetime]]:
    """The other updates that incidents name, each with the end of the incident; the instant for one that goes on."""
    return [
        (incident["update_id"], _span(incident, instant, "closed_at")[1])
        for incident in found
        if incident["verdict"] == "update" and incident["update_id"] != update_id
    ]


def _is_mostly_on(incident: JSON, met: int) -> bool:
    """Whether a rise that is bound to no place is mostly on ``met`` hosts; not one of silences, as a feed may fail."""
    if incident["cause"] not in _CAUSES_WITHOUT_PLACE:
        return False
    crashed, dark = incident["evidence"]["hosts_crashed"], incident["evidence"]["hosts_dark"]
    return bool(crashed > dark and 2 * met > crashed + dark)


def disturbed(found: Sequence[JSON], instant: datetime) -> list[Span]:
    """The stretches of incidents, disjoint and in order, from an hour before each alarm until they were calm.

    Not until they were closed: one stays open as long as a host is dark because of it, while all others are normal.
    """
    joined: list[Span] = []
    for since, until in sorted(_span(incident, instant, "calm_since") for incident in found):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((since, until))
    return joined


def _span(incident: JSON, instant: datetime, over: str) -> Span:
    """From an hour before its alarm until the time in the field ``over``; until the instant where that is null."""
    since = datetime.fromisoformat(incident["alarm_at"]) - _BEFORE_ALARM
    return since, instant if incident[over] is None else datetime.fromisoformat(incident[over])


def _document(update_id: str, answer: Answer, instant: datetime, settings: Settings, override: Override | None) -> JSON:
    return {
        "schema": 1,
        "update_id": update_id,
        "decision": str(answer.decision),
        "as_of": time_text(instant),
        "reason": answer.reason,
        "upper_bound": round(answer.upper_bound, 8),
        "max_excess": settings.max_excess,
        "false_halt_rate": settings.false_halt_rate,
        "rings": [_ring(one) for one in answer.rings],
        "config_hash": settings.config_hash,
        "soak_minutes": settings.soak_minutes,
        "rate_ratio_high": round(answer.rate_ratio, 4) if isfinite(answer.rate_ratio) else None,
        "without_override": {"decision": str(answer.decision), "reason": answer.reason},
        "override": None,
        **({} if override is None else _overridden(override, answer.decision, answer.reason)),
    }


def _overridden(override: Override, decision: Decision, reason: str) -> JSON:
    """The fields of the document that an override changes.

    A halt stands until it is overridden in turn or taken back. A go stands as long as the answer without it is no worse
    than the one that it overruled: whoever let a rollout on hold go on had not seen it crash.
    """
    is_taken_back = override.decision == TAKEN_BACK
    is_no_worse = decision.severity <= Decision(override.overruled).severity
    in_force = not is_taken_back and (override.decision == Decision.HALT or is_no_worse)
    told = {field.name: getattr(override, field.name) for field in fields(override) if field.name != "update_id"}
    if in_force:
        said = f"Overridden by {override.by}: {override.reason.rstrip('.')}. Without that, {decision}: {reason}"
    elif is_taken_back:
        said = f"{reason} ({override.by} took back what overrode this: {override.reason.rstrip('.')}.)"
    else:
        given = f"The {override.decision} of {override.by} at {override.as_of} was given over a {override.overruled}."
        said = f"{reason} ({given})"
    return {
        "decision": override.decision if in_force else str(decision),
        "reason": said,
        "override": {**told, "in_force": in_force},
    }


def _ring(one: RingAnswer) -> JSON:
    ring = one.ring
    return {
        "ring": ring.name,
        "decision": str(one.decision),
        "exposed": ring.exposed,
        "host_hours": round(ring.host_hours, 3),
        "crashed": ring.crashed,
        "dark": ring.dark,
        "expected": round(ring.expected, 6),
        "upper_bound": round(one.upper_bound, 8),
        "still_dark": ring.still_dark,
        "bound_from": "ring" if one.by_itself else "all rings",
        "reasons": list(one.reasons),
    }
