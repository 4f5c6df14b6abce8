"""The rules of the gate: from evidence to go, hold or halt, with the reason. No lake and no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from math import ceil, inf, log

import numpy as np

from fleetcrash.attribution.hypotheses.suspects import FALSE_NAMES_IN_30_DAYS, UPDATES_IN_30_DAYS
from fleetcrash.counts import clearly_more
from fleetcrash.gate.evidence import (
    Evidence,
    hosts_wanted,
    is_chance,
    log_evidence,
    ratio_bound,
    shortfall,
    slow_fault,
    together,
    upper_bound,
)
from fleetcrash.gate.reading import Ring, Update
from fleetcrash.gate.settings import Settings
from fleetcrash.gate.wording import bound_text, clock_text, counted, minutes_text, ring_text, slow_text

# Chance that the detector ever names a harmless update; see docs/naming.md.
DETECTOR_RATE = FALSE_NAMES_IN_30_DAYS / UPDATES_IN_30_DAYS

# Factor on the number of hosts that would do if none was hit: with a quarter more, a hit by chance is seldom too many.
_ENOUGH = 1.25

_MOST_REASONS = 3  # that are read in five seconds; the others stand with the rings, and without any all are told

# Sessions sent in bulk, and installs, arrive as they happen: an hour without one from the whole fleet is no telemetry.
_QUIET_MINUTES = 60


class Decision(StrEnum):
    """What the gate says, from the best to the worst."""

    GO = "go"
    HOLD = "hold"
    HALT = "halt"

    @property
    def severity(self) -> int:
        """0 for go, 1 for hold, 2 for halt."""
        return list(Decision).index(self)


@dataclass(frozen=True)
class Accusation:
    """An incident that speaks against the update.

    Attributes:
        named: the incident names it; else it is tied with others.
        summary: of the incident, one sentence.
        alone: no other update is tied with it, so that it is this one or none.
    """

    incident_id: str
    named: bool
    summary: str
    alone: bool = False


@dataclass(frozen=True)
class Elsewhere:
    """An incident during the rollout that is attributed to something else: another update, or none.

    Attributes:
        summary: of the incident, one sentence.
        met: hosts with the update were hit during it.
        over: no more than usual happens.
    """

    incident_id: str
    summary: str
    met: bool = True
    over: bool = False


@dataclass(frozen=True)
class Circumstances:
    """What a decision depends on besides the rings.

    Attributes:
        instant: as of which the rollout is judged.
        caution: by what factor the true baseline may be higher; infinite without history.
        accused: an incident against the update, if there is one.
        elsewhere: an incident during the rollout with another cause, if there is one; hits that would halt a ring then
            put it on hold, as they may belong to that incident.
    """

    settings: Settings
    instant: datetime
    caution: float
    accused: Accusation | None = None
    elsewhere: Elsewhere | None = None

    @property
    def alpha(self) -> float:
        """Error probability of a bound."""
        return 1 - self.settings.confidence

    @property
    def now_us(self) -> float:
        """The instant, microseconds since 1970."""
        return self.instant.timestamp() * 1e6


@dataclass(frozen=True)
class RingAnswer:
    """The answer for one ring.

    Attributes:
        upper_bound: anytime bound on the share of its hosts that the update hits.
        by_itself: the bound is from the ring alone; else from all rings together, as the ring is too small.
        risen: its own test says that hosts are hit.
        struck: it is on hold because too many of its hosts were hit.
        reasons: what is missing for a go, or why it is halted; empty for go.
    """

    ring: Ring
    decision: Decision
    upper_bound: float
    by_itself: bool
    risen: bool
    struck: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """The answer for the rollout.

    Attributes:
        upper_bound: the largest of its rings; 1 where no ring has the update.
        rate_ratio: anytime bound on the rate over the baseline, all rings together; infinite where unknown.
    """

    decision: Decision
    reason: str
    upper_bound: float
    rate_ratio: float
    rings: tuple[RingAnswer, ...]


def decide(update: Update, rings: Sequence[Ring], under: Circumstances) -> Answer:
    """Whether a rollout may go on.

    Args:
        rings: those that have the update, in the order in which they got it.
    """
    whole = together([ring.evidence for ring in rings]) if rings else None
    several = whole if len(rings) > 1 else None
    lacking = update.hosts - sum(ring.exposed for ring in rings)
    of_first, of_whole, *of_others = _shares_of_alpha(len(rings), under.settings.false_halt_rate - DETECTOR_RATE)
    answers = tuple(
        _judge_ring(ring, rings, lacking, several, share, under)
        for ring, share in zip(rings, [of_first, *of_others], strict=False)
    )
    bound = max((one.upper_bound for one in answers), default=1.0)
    all_risen = "" if several is None else _risen(rings, several, of_whole, under)
    if under.accused is not None:
        decision = Decision.HALT
        reasons = [_accused(under.accused), *(one.reasons[0] for one in answers if one.risen)]
        answers = tuple(replace(one, decision=Decision.HALT) for one in answers)
    elif any(one.decision is Decision.HALT for one in answers):
        decision = Decision.HALT
        reasons = [one.reasons[0] for one in answers if one.decision is Decision.HALT]
    elif all_risen and under.elsewhere is None:
        decision, reasons = Decision.HALT, [all_risen]
    elif reasons := _holding(update, answers, whole, all_risen, under):
        decision = Decision.HOLD
    else:
        decision = Decision.GO
        reasons = [f"{counted(rings)}; an excess above {bound_text(bound)} is ruled out in every ring"]
    return Answer(
        decision=decision,
        reason=_sentences(reasons, most=_MOST_REASONS if rings else len(reasons)),
        upper_bound=bound,
        rate_ratio=inf if whole is None else ratio_bound(whole, alpha=under.alpha / 2),
        rings=answers,
    )


def _sentences(reasons: Sequence[str], *, most: int) -> str:
    """The first of some reasons as sentences, and how many more there are."""
    said = [reason[:1].upper() + reason[1:] for reason in reasons[:most]]
    said += [f"And {len(reasons) - most} more"] if len(reasons) > most else []
    return ". ".join(said) + "."


def _accused(accused: Accusation) -> str:
    how = "named by"
    if not accused.named:
        how = "suspected, it or no update, in" if accused.alone else "tied with others in"
    return f"{how} {accused.incident_id}: {accused.summary.rstrip('.')}"


def _holding(
    update: Update, answers: Sequence[RingAnswer], whole: Evidence | None, all_risen: str, under: Circumstances
) -> list[str]:
    """Why a rollout that nothing halts may not go on yet; nothing where it may.

    Args:
        whole: the evidence of all rings; None without any.
        all_risen: see ``_risen``, of all rings together.
    """
    rings = [one.ring for one in answers]
    found = [all_risen] if all_risen else []
    found += [*_missing(update, rings, under), *(reason for one in answers for reason in one.reasons)]
    hits_hold = any(one.struck or (one.reasons and one.ring.shared) for one in answers)
    if not found and whole is not None and sum(ring.begun for ring in rings) > 1:
        slow = slow_fault(whole, under.settings.max_excess, alpha=under.alpha / 2)
        if slow is not None:
            found.append(slow_text(slow, whole))
            hits_hold = slow.hits > slow.expected
    elsewhere, has_risen = under.elsewhere, all_risen != "" or any(one.risen for one in answers)
    if elsewhere is None:
        return found
    if not has_risen and not (elsewhere.met and (hits_hold or _goes_on(rings, elsewhere, under))):
        return found
    said = _explained(elsewhere, has_risen=has_risen)
    return [*found, said] if elsewhere.over else [said, *found]


def _explained(elsewhere: Elsewhere, *, has_risen: bool) -> str:
    """A sentence about hits that another incident may explain."""
    said = f"hosts were hit, which {elsewhere.incident_id} may explain: {elsewhere.summary.rstrip('.')}"
    if elsewhere.over:
        said = f"{said}; that is over"
    if has_risen:  # the test keeps its highest value, so that whoever only waits, waits for ever
        said = (
            f"{said}. These hits count for good, and waiting does not end this: look at the hosts, then --override "
            "halt, or go if it was not the update"
        )
    return said


def _judge_ring(
    ring: Ring, rings: Sequence[Ring], lacking: int, whole: Evidence | None, share: float, under: Circumstances
) -> RingAnswer:
    """The answer for one ring.

    Args:
        rings: all of them. lacking: hosts that do not have the update.
        whole: the evidence of all; None where there is no other ring.
        share: the part of alpha that its halting test may use.
    """
    # A ring that could hardly get below the share even if nothing at all happened uses the bound of all rings: a few
    # hosts that got the update early must not hold a rollout for ever. Not if its own hits stand out.
    enough = _ENOUGH * hosts_wanted(under.settings.max_excess, alpha=under.alpha)
    unlike = log_evidence(ring.evidence, caution=under.caution) >= -log(under.alpha)
    is_large = max(ring.evidence.heads, ring.weight) >= enough
    # In a day chance brings a ring of a few thousand hosts more than the share, which others then have to tell.
    by_itself = whole is None or unlike or (is_large and not is_chance(ring.evidence, under.settings.max_excess))
    evidence = ring.evidence if whole is None or by_itself else whole
    bound = upper_bound(evidence, alpha=under.alpha)
    risen = _risen([ring], ring.evidence, share, under)
    if risen:
        decision = Decision.HALT if under.elsewhere is None else Decision.HOLD
        return RingAnswer(ring, decision, bound, by_itself=by_itself, risen=True, struck=True, reasons=(risen,))
    reasons = [*_not_soaked(ring, under), *_stale(ring, under), *(_left(ring, under) if by_itself else ())]
    reasons += _silent(ring, under)
    too_wide = bound >= under.settings.max_excess
    reasons += _hardly_alone(ring, under) if by_itself and not too_wide else []
    if too_wide:
        reasons.append(
            f"{ring_text(ring.name)}: {_too_wide([ring] if by_itself else rings, evidence, bound, lacking, under)}"
        )
    struck = too_wide and evidence.seen >= under.settings.max_excess
    decision = Decision.HOLD if reasons else Decision.GO
    return RingAnswer(ring, decision, bound, by_itself=by_itself, risen=False, struck=struck, reasons=tuple(reasons))


def _risen(rings: Sequence[Ring], evidence: Evidence, share: float, under: Circumstances) -> str:
    """A sentence if more hosts were hit than chance explains; else the empty text."""
    if log_evidence(evidence, caution=under.caution) < -log(share):
        return ""
    where = ring_text(rings[0].name) if len(rings) == 1 else "all rings together"
    # Whoever reads that not twice as many as expected were hit since would wonder what is said against it.
    is_plain = sum(ring.hit for ring in rings) >= 2.0 * sum(ring.expected for ring in rings)
    return f"{where}: {counted(rings)}{'' if is_plain else ', too many of them early on'}"


def _goes_on(rings: Sequence[Ring], elsewhere: Elsewhere, under: Circumstances) -> bool:
    """Whether so many hosts of a ring are hit, whatever by, that nothing is let go on before that is over."""
    most = under.settings.max_excess
    return not elsewhere.over and any(ring.hit - ring.shared - ring.expected >= most * ring.exposed for ring in rings)


def _missing(update: Update, rings: Sequence[Ring], under: Circumstances) -> list[str]:
    """Reasons that rule out a go for every ring."""
    found = []
    if update.reverted_us is not None:
        found.append(f"it was withdrawn at {clock_text(update.reverted_us)}")
    if update.released_us is not None and update.released_us > under.now_us:
        found.append(f"it is not released before {clock_text(update.released_us)}")
    elif not rings:
        found.append("no host is known to have it")
    elif not any(ring.holders for ring in rings):
        found.append("no host has it any more")
    if rings and update.kind is None:
        found.append(
            "the catalogue lacks it, so its kind, its channel and whether it was withdrawn are not known: a record of "
            "the update ends this"
        )
    if update.exposure_source != "installs":
        found.append("no install is told of in this lake, so which hosts have it is assumed")
    if update.presence_source != "sessions":
        found.append("no presence is told of in this lake, so whether its hosts are alive is assumed")
    elif update.told_us is not None and under.now_us - update.told_us > _QUIET_MINUTES * 60e6:
        found.append(f"nothing was told of the fleet for {minutes_text(under.now_us - update.told_us)}")
    if not update.crash_told:
        # A fleet in which a ring is large enough to go has a crash within days; where none was ever told of, nothing
        # tells a quiet ring from a feed that is not connected.
        found.append(
            "no crash of any host is on record, so crashes may not be told of at all: one of any host ends this, and "
            "so does a test crash of a host without the update"
        )
    return found


def _not_soaked(ring: Ring, under: Circumstances) -> list[str]:
    left_us = ring.soaked_from_us + under.settings.soak_minutes * 60e6 - under.now_us
    return [f"{ring_text(ring.name)}: soak has {minutes_text(left_us)} to go"] if left_us > 0 else []


def _stale(ring: Ring, under: Circumstances) -> list[str]:
    if ring.beat_us is None:
        return []
    silent_us = under.now_us - ring.beat_us
    if silent_us <= under.settings.fresh_minutes * 60e6:
        return []
    return [f"{ring_text(ring.name)}: no heartbeat for {minutes_text(silent_us)}"]


def _left(ring: Ring, under: Circumstances) -> list[str]:
    """A reason if nobody is online in a ring that is judged by itself, as after an update that hangs hosts."""
    if ring.beat_us is not None or ring.left_us is None:
        return []
    return [
        f"{ring_text(ring.name)}: none of its hosts has been online for {minutes_text(under.now_us - ring.left_us)}"
    ]


def _hardly_alone(ring: Ring, under: Circumstances) -> list[str]:
    """A reason if all but a few hosts soon had another update that is named: their first minutes are no soak."""
    alone = ring.evidence.exposed
    wanted = hosts_wanted(under.settings.max_excess, alpha=under.alpha)
    if alone == ring.exposed or ring.evidence.heads >= wanted:
        return []
    said = f"only {alone:,} of {ring.exposed:,} hosts have it alone, or had it for an hour before another that is named"
    return [f"{ring_text(ring.name)}: {said}; {ceil(wanted):,} would do"]


def _silent(ring: Ring, under: Circumstances) -> list[str]:
    """A reason if too many of its servers are dark still, whatever silences them; a few are put away any day."""
    is_much = ring.silent - ring.expected >= under.settings.max_excess * ring.exposed
    if not is_much or not clearly_more(ring.silent, ring.expected):
        return []
    return [f"{ring_text(ring.name)}: {ring.silent:,} of {ring.exposed:,} hosts are not back since they went dark"]


def _too_wide(rings: Sequence[Ring], evidence: Evidence, bound: float, lacking: int, under: Circumstances) -> str:
    whose = "bound" if len(rings) == 1 else "bound of all rings together"
    said = f"{whose} {bound_text(bound)} is not below {under.settings.max_excess:g}"
    if evidence.seen >= under.settings.max_excess:
        return f"{said}: {counted(rings)}"
    said = f"{said}: {counted(rings)}, and" if any(ring.hit for ring in rings) else f"{said}:"
    wanted = shortfall(evidence, under.settings.max_excess, alpha=under.alpha)
    if wanted.host_hours is not None:
        return f"{said} about {max(wanted.host_hours, 1.0):,.0f} more host-hours of its hosts without a hit would do"
    said = f"{said} about {ceil(wanted.hosts):,} more exposed hosts without a hit would do"
    if uncounted := sum(ring.exposed - ring.evidence.exposed for ring in rings):
        said = f"{said} ({uncounted:,} do not count, as they have another update as well that is named)"
    if 0 <= lacking < wanted.hosts:
        return f"{said}, more than the {lacking:,} that lack it"
    # A pipeline ships no further ring before this one goes, so that hosts of other rings would never come.
    room = rings[0].hosts - rings[0].exposed
    if len(rings) == 1 and 0 <= room < wanted.hosts:
        said = f"{said}, but the ring has {f'only {room:,}' if room else 'no'} more"
        # Whoever has just seen a host crash is not told to allow for more of that.
        return said if rings[0].hit else f"{said}: it takes a larger ring, or a larger --max-excess"
    return said


def _shares_of_alpha(rings: int, alpha: float) -> list[float]:
    """Error probability of each test: first ring, all rings together, second ring, and so on; below alpha in sum.

    The number of rings is not known when the first is judged, so the shares are of a series that sums to one.
    """
    place = np.arange(1, max(rings, 1) + 2)
    return [float(share) for share in alpha / (place * (place + 1))]
