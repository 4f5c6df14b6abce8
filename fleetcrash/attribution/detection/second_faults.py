"""Second faults: whether some of what an incident accounts for is another fault's doing."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.detection.claims import Claims
from fleetcrash.attribution.detection.late_strikes import are_late, by_age, is_soon
from fleetcrash.attribution.detection.looks import Looks
from fleetcrash.attribution.expected.baseline import CRASH_AT_BOOT, LAG_MINUTES
from fleetcrash.attribution.hearing.judging import judged
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD, Trial
from fleetcrash.attribution.incidents.case import Case
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.incidents.toll import Toll
from fleetcrash.attribution.weighing.judgement import Judgement, Kind
from fleetcrash.attribution.weighing.rivalry import EXPLAINED_SHARE
from fleetcrash.counts import MOSTLY

CaseOf = Callable[[Mask, Mask], Case]
"""Some events (events,) and the cells (cells,) where they may be, as a case that is no incident's yet."""

LEAST_EVENTS = 3  # with fewer nothing passes a test

# Of what a condition leaves out: from so likely on it may be another update's, and so unlikely must the first one be,
# to open an incident beside it.
_CONTESTED_PROBABILITY = 0.5
_UNLIKELY = 1e-3


class SecondFaults:
    """Looks for second faults, again as soon as there is something new to see."""

    def __init__(self, inquiry: Inquiry, claims: Claims) -> None:
        self._inquiry = inquiry
        self._claims = claims
        self._looks = Looks()

    def found_outside(self, first: Incident, tick: int, case_of: CaseOf) -> bool:
        """Whether something else explains what the condition of an incident leaves out.

        All suspects are weighed on those events alone, the incident's update among them: where it is the likelier
        after all, its condition was told too narrow and is told anew. It is not among them where it spared those hosts
        for as long as it took to strike most of the others.
        """
        events = self._inquiry.news.events
        left_out = self._claims.left_out(first)
        outside = left_out[events.cell]
        mine = outside & first.claim(len(events)) & (events.minute > first.alarm_tick - LAG_MINUTES)
        mine &= events.tick <= tick
        if first.update is None or int(mine.sum()) < LEAST_EVENTS:
            first.contested.end()
            return False
        if self._looks.skip_or_take(f"outside {self._claims.core(first)} of {first.incident_id}", tick, mine):
            return False
        case = case_of(mine, left_out)
        but = case.but | {first.update} if self._are_late(first, tick, mine, left_out) else case.but - {first.update}
        judgement, trial, _ = judged(self._inquiry, replace(case, but=but))
        named = judgement.update if judgement.kind is Kind.UPDATE else None
        if not len(trial.updates) or int(trial.updates[np.argmax(judgement.probabilities)]) == first.update:
            first.contested.end()
        elif judgement.probabilities.max() > _CONTESTED_PROBABILITY:
            first.contested.begin(tick)
        if named is None:
            return self._is_anothers(first, judgement, trial, tick, outside)
        return named != first.update

    def later(self, first: Incident, tick: int, named: Set[int], case_of: CaseOf) -> int | None:
        """The update that strikes the hosts of an incident by now, if it is not the one that did at first.

        What comes hours later to hosts that have both would be taken for more of the first. So the events of the last
        hour are weighed by themselves, with the first one's update among the suspects; but not if they are no more than
        were to come of the first one. By themselves they speak for whatever everybody got in just that hour; where
        nobody tells of installs, for whatever was released before it, and nothing is asked. Nor is it of what comes at
        boots, where most of what came before did: whatever makes hosts boot brings more of a fault that waits for it.

        Args:
            named: updates that any incident names.
        """
        if first.update is None or first.said.named_tick is None or tick - first.said.named_tick < LAG_MINUTES:
            return None
        if not self._inquiry.news.installs_told:
            return None
        events = self._inquiry.news.events
        known = first.claim(len(events)) & (events.tick <= tick)
        lately = known & (events.minute > tick - LAG_MINUTES)
        if _are_at_boots(events.outcome[known & ~lately]):
            lately &= events.outcome != CRASH_AT_BOOT
        least = max(LEAST_EVENTS, EXPLAINED_SHARE * float(lately.sum()))
        later = [
            one
            for one in self._inquiry.expected.time.by_update
            if one not in named and self._inquiry.released(one) > first.said.named_tick
        ]
        if not any((lately & self._inquiry.events_with(one, tick)).sum() >= least for one in later):
            return None
        if self._looks.skip_or_take(f"later in {first.incident_id}", tick, lately):
            return None
        so_far = Toll.until(self._inquiry, tick - LAG_MINUTES, tick, first.update, first.claim(len(events)))
        if so_far.goes_on(self._inquiry, tick, lately):
            return None
        case = case_of(lately, self._claims.cells_of(first))
        judgement, _, _ = judged(self._inquiry, replace(case, but=case.but - {first.update}))
        return judgement.update if judgement.update in later else None

    def shared(self, incident: Incident, incidents: Sequence[Incident], update: int, tick: int) -> Mask:
        """(events,) those of hosts with an update that other incidents account for, though they are rather its doing.

        Whom it strikes would else be told without the hosts of a fault that was there before. It is rather its doing
        where hosts that lack it are spared beside them, and those that lack the other incident's update are not.

        Args:
            incident: the one that names the update.
        """
        events, with_it = self._inquiry.news.events, self._inquiry.events_with(update, tick)
        shared = np.zeros(len(events), bool)
        for other in incidents:
            if other is incident or other.update in (None, update):
                continue
            theirs = other.claim(len(events)) & (events.minute >= self._inquiry.released(update))
            if int((theirs & with_it).sum()) < LEAST_EVENTS:
                continue
            moments = self._inquiry.moments(tick, theirs)
            says, other_says = (moments.of(one).log_with_it() for one in (update, other.update))
            if says - other_says >= LOG_THRESHOLD:
                shared |= theirs & with_it
        return shared

    def _is_anothers(self, first: Incident, judgement: Judgement, trial: Trial, tick: int, outside: Mask) -> bool:
        """Whether events that a condition leaves out are none of its update's doing, whatever did them.

        They are worth an alarm without it, and it is unlikely; and it strikes soon after an install where its condition
        holds: one that waits, as for a boot, may come to others later.
        """
        its = trial.updates == first.update
        likely = float(judgement.probabilities[its].sum())
        if first.update is None or likely > _UNLIKELY or not trial.passed()[~its].any():
            return False
        return is_soon(by_age(self._inquiry, first.update, tick, first.claim(len(outside)) & ~outside))

    def _are_late(self, first: Incident, tick: int, mine: Mask, left_out: Mask) -> bool:
        """Whether events that a condition leaves out came too long after the install to be its update's doing.

        Args:
            mine: (events,) those left out. left_out: (cells,) where they may be.
        """
        if first.update is None:
            return False
        its, inside = first.claim(len(mine)), self._claims.cells_of(first) & ~left_out
        its &= ~left_out[self._inquiry.news.events.cell]
        return are_late(self._inquiry, first.update, tick, mine, left_out, its, inside)


def _are_at_boots(outcome: Ints) -> bool:
    """Whether most of some events, by their outcomes, are crashes at a boot."""
    return bool((outcome == CRASH_AT_BOOT).sum() > MOSTLY * len(outcome))
