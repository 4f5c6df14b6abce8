"""The detector: one tick after another, from counts to incidents.

``Detector.tick`` is all there is to it. ``incidents``, ``backtest`` and the live monitor call the same method with
the same counts; it reads no clock, and what it says at a tick depends on what was known by then alone. Of the lake it
asks through ``News.ask`` what ``questions`` has of one update, once that is suspected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Mask
from fleetcrash.attribution.conditions.grammar import Condition
from fleetcrash.attribution.detection.ceding import Ceding
from fleetcrash.attribution.detection.claims import ROLLOUT_MINUTES, Claims
from fleetcrash.attribution.detection.course import condition_of, is_still_weak, maybe_close, maybe_end, watch
from fleetcrash.attribution.detection.module_rises import ModuleRises
from fleetcrash.attribution.detection.second_faults import SecondFaults
from fleetcrash.attribution.detection.sequels import first_of, may_be_merged, resume
from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.expected.spots import Spots
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.hearing.judging import judged
from fleetcrash.attribution.hypotheses.departures import at_one_place
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.modules import ModuleRise
from fleetcrash.attribution.hypotheses.suspects import LOG_ALARM
from fleetcrash.attribution.incidents.case import Case, Found
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import Judgement, Kind, Lack
from fleetcrash.counts import MOSTLY
from fleetcrash.times import DAY

_HOT_MINUTES = 90  # an incident younger than this is judged anew at every minute with a new event ...
_IDLE_MINUTES = 5  # ... an older one, or one without news, at every fifth minute or the first look behind it

# Then the verdict stands. Waves are known of the last day only: as the first minutes of one go out of sight, whatever
# else it may be seems ever more likely.
_SETTLED_MINUTES = DAY - LAG_MINUTES


@dataclass
class Detector:
    """The state between ticks.

    Attributes:
        news: what there is to know; rows of later ticks are not looked at.
        incidents: all so far, open and closed, in the order of their alarms.
    """

    news: News
    incidents: list[Incident] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tick = self._looked = self.news.first_tick - 1
        self._inquiry = Inquiry(self.news)
        self._claims = Claims(self._inquiry)
        self._second_faults = SecondFaults(self._inquiry, self._claims)
        self._ceding = Ceding(self._inquiry, self._claims)
        self._module_rises = ModuleRises(self._inquiry)
        self._unjudged = False
        self._watched = -1  # what was known by then and nobody's was watched

    def extend(self, news: News) -> None:
        """Go on with later news, read with ``after_tick`` at the last tick."""
        news.suspects.turn_to(self._tick)
        self.news = news
        moved = self._inquiry.extend(news, self._tick)
        for incident in self.incidents:
            incident.move(moved)
        self._claims.extend()

    @property
    def spots(self) -> Spots:
        """Where a rise may be."""
        return self._inquiry.spots

    @property
    def expected(self) -> NDArray[np.float64]:
        """(OUTCOMES, spots) events to be expected at each spot so far."""
        return self._inquiry.expected.total

    @property
    def open_incidents(self) -> list[Incident]:
        """Incidents that have not ended."""
        return [one for one in self.incidents if one.ended_tick is None]

    @property
    def _open_at_large(self) -> list[Incident]:
        """Those of them that are of more than what a place did that is cut off."""
        return [one for one in self.open_incidents if not one.by_outage]

    def tick(self, tick: int, *, look: bool = True) -> None:
        """Take in what was known by a whole minute, and judge it. Ticks come in order, none left out but by ``lively``.

        Args:
            look: False only counts; what it passed over is judged at the next look.
        """
        if tick > self._tick + 1:
            self._inquiry.expected.rest()
        self._tick = tick
        fresh = self._take_in(tick) or self._unjudged
        self._unjudged = fresh and not look
        if not look:
            return
        is_due, self._looked = tick // _IDLE_MINUTES > self._looked // _IDLE_MINUTES, tick
        if fresh and self.incidents:
            self._look_beside(tick)
        self._merge(tick)
        for incident in self.open_incidents:
            self._go_on(incident, tick, fresh=fresh, is_due=is_due)
        for incident in self.incidents:
            if incident.ended_tick is not None and incident.closed_tick is None:
                maybe_close(self._inquiry, incident, self._claims, tick)
        if fresh or self._watched < 0:
            self._claims.stake(self.incidents, tick)  # by what was just judged
            if (self._inquiry.is_new(self._watched, tick) & ~self._claims.taken).any():
                self._watch_places(tick)
                self._watch(tick)
            self._watch_modules(tick)
            self._watched = tick
        if self.news.installs_told:
            self._watch_departures(tick)

    @property
    def named(self) -> list[tuple[str, Condition | None]]:
        """Updates that incidents name now, with their conditions, in the order of the alarms."""
        suspects_now = self.news.suspects
        return [(suspects_now[one.update].update_id, one.condition) for one in self.incidents if one.update is not None]

    def departures_behind(self, update: int) -> tuple[float, float]:
        """Hosts that left soon after they got an update, and how many were to be expected."""
        return self._inquiry.departures.counts(update)

    def _disturbed(self, minute: int) -> bool:
        return any(incident.disturbs(minute) for incident in self.incidents)

    # -- judging

    def _take_in(self, tick: int) -> bool:
        """Count what came to be known; whether there is anything new to judge."""
        self.news.suspects.turn_to(tick)
        fresh = self._inquiry.advance(tick, claimed=self._claims.taken, disturbed=self._disturbed)
        if tick % LAG_MINUTES == 0 and not self.open_incidents:
            for toll in (one.toll for one in self.incidents if one.toll is not None):
                toll.move_on(self._inquiry, tick)
        return fresh

    def _look_beside(self, tick: int) -> None:
        """Share out what is new, and open incidents where some of it seems to be another update's doing."""
        self._ceding.cede_waves_of_others(self._open_at_large)
        self._claims.stake(self.incidents, tick)
        for incident in self._open_at_large:
            if incident.rise is None:
                self._look_outside(incident, tick)
            self._look_later(incident, tick)

    def _go_on(self, incident: Incident, tick: int, *, fresh: bool, is_due: bool) -> None:
        """Judge an open incident anew where it is time to, and end it where it is over.

        Args:
            fresh: whether there is anything new to judge. is_due: whether it is looked at even if there is not.
        """
        if (is_due or fresh) and self._module_rises.is_over(incident, tick, ~self._claims.taken):
            incident.close(tick)
            return
        age = tick - incident.alarm_tick
        if age >= _SETTLED_MINUTES:
            incident.settle()
        elif not incident.settled and (is_due or (fresh and age < _HOT_MINUTES)):
            self._follow(incident, tick)
        maybe_end(self._inquiry, incident, self._claims.taken, tick)
        if incident.ended_tick is not None and incident.update is not None:
            incident.toll = self._claims.toll_of(incident, self.incidents, incident.update, tick)

    def _watch(self, tick: int) -> None:
        """Open an incident when the events of the last week that no incident claims pass a test.

        Servers that are back were restarted, a room of them in one night: alone that follows no update, and is no news.
        Nor are those that may be back in a minute, or what a place does that is cut off. After a weak one nothing less
        than an alarm opens another for a day; nor does it for what an incident names that is not over: a little more of
        that is no news.
        """
        events = self.news.events
        free = ~self._claims.taken & (events.minute > tick - ROLLOUT_MINUTES)
        free &= ~(self._inquiry.absences.may_be_restarts(tick) | self._inquiry.absences.of_one_place)
        everywhere = np.ones(len(self.news.cells), bool)
        trial = self._inquiry.trial(tick, free, everywhere, but=self._not_on_trial(self.open_incidents))
        is_weak = not trial.passed().any() and not self._inquiry.is_a_rise(tick, free)
        was_weak = any(one.is_weak and tick - one.ended(tick) < DAY for one in self.incidents)
        named = _named(one for one in self.incidents if one.closed_tick is None)
        is_news = not (was_weak or named.issuperset(trial.updates[trial.passed(LOG_ALARM)].tolist()))
        if not is_weak or is_news:
            self._open_or_resume(tick, is_weak=is_weak)

    def _watch_places(self, tick: int) -> None:
        """Open an incident when servers of one place that fell silent together do not come back."""
        lost = self._claims.lost_places(self.incidents, tick)
        if lost.any() and self._inquiry.is_a_rise(tick, lost):
            incident = self._opened(tick)
            incident.by_outage = True
            self._begin(incident, tick)

    def _open_or_resume(self, tick: int, rise: ModuleRise | None = None, *, is_weak: bool = False) -> None:
        """Open an incident; or, where it is more of an earlier one, go on with that.

        Args:
            is_weak: see ``Incident``.
        """
        incident = self._opened(tick, is_weak=is_weak)
        incident.rise = rise
        self._begin(incident, tick)
        first = first_of(incident, self.incidents, tick)
        if first is not None:
            self.incidents.remove(incident)
            resume(self._inquiry, first, incident, tick)
            self._begin(first, tick)

    def _merge(self, tick: int) -> None:
        """Close what turned out to be more of an earlier incident, and go on with that."""
        for incident in self.open_incidents:
            first = first_of(incident, self.incidents, tick) if may_be_merged(incident, tick) else None
            if first is not None:
                incident.close(tick)
                resume(self._inquiry, first, incident, tick)

    def _watch_modules(self, tick: int) -> None:
        """Open an incident when far more crashes than usual in one module follow an update.

        Or let that speak in one that is not understood, if most of what it accounts for are such crashes.
        """
        quiet = ~self._claims.taken
        unsolved = [one for one in self.open_incidents if not one.is_understood and one.rise is None]
        free = quiet | np.any([one.claim(len(quiet)) for one in unsolved], axis=0)
        found = self._module_rises.following(tick, free, quiet, but=self._not_on_trial(self.open_incidents))
        if found is None:
            return
        of_it = (one for one in unsolved if self._claims.is_mostly_of(one, found.crashes))
        incident = next(of_it, None)
        if incident is None and (found.crashes & quiet).sum() <= MOSTLY * found.crashes.sum():
            return  # most are another one's, which goes on
        if incident is None:
            self._open_or_resume(tick, found.rise)
            return
        incident.rise = found.rise
        self._begin(incident, tick)

    def _watch_departures(self, tick: int) -> None:
        """Open an incident when hosts leave because of an update; or let that speak in one that is not understood yet.

        While one that names an update is raised, and for a day after, nothing is said, nor in one whose hosts crash:
        hosts in a boot loop leave as well, and seem to leave because of whatever else they get as they come back.
        """
        update = self._inquiry.departures.leading(tick)
        if update is None or any(one.update is not None and tick - one.calm_tick < DAY for one in self.incidents):
            return
        incident = next(iter(self._open_at_large), None)
        told = incident is not None and (incident.by_departures or self._claims.is_of_crashes(incident))
        if told or at_one_place(self.news.ask.left_at(update), tick):
            return
        incident = incident or self._opened(tick)
        incident.by_departures = True
        self._begin(incident, tick)

    def _opened(self, tick: int, *, is_weak: bool = False) -> Incident:
        others = sum(other.opened_tick == tick for other in self.incidents)
        incident = Incident.opened(tick, others, is_weak=is_weak)
        self.incidents.append(incident)
        return incident

    def _begin(self, incident: Incident, tick: int) -> None:
        """Judge an incident by what it can claim now, and let it claim what it accounts for."""
        self._claims.stake(self.incidents, tick)
        self._follow(incident, tick)
        self._claims.stake(self.incidents, tick)

    def _case(self, incident: Incident | None, tick: int, events: Mask, cells: Mask) -> Case:
        """Some events, to be judged as an incident's; what others named before it opened is not on trial meanwhile."""
        others = [one for one in self.incidents if one is not incident]
        elsewhere = (one for one in others if one.ended_tick is None)
        return Case(
            incident,
            tick,
            events,
            cells,
            but=self._not_on_trial(one for one in elsewhere if incident is None or not incident.was_there_before(one)),
            known_faults=self._claims.known_faults(others),
            tolls={} if incident is None else incident.tolls_before(others),
            blamed=self._claims.blamed(others, tick),
            unsettled_until=max((one.ended(tick) for one in others if one.is_unsettled), default=-1),
            of_no_update=self._claims.of_no_update(others),
        )

    def _not_on_trial(self, others: Iterable[Incident]) -> frozenset[int]:
        """The updates that some incidents name which watch a whole system or the fleet, and whatever happens there.

        Of others there may be more, elsewhere or in another module.
        """
        return _named(one for one in others if self.spots.is_whole(one.spot) and one.rise is None)

    def _look_outside(self, first: Incident, tick: int) -> None:
        """Open a second incident where something else explains what the condition of the first leaves out."""
        if not self._second_faults.found_outside(first, tick, partial(self._case, None, tick)):
            return
        second = self._opened(tick)
        second.scope = first.scope.part(self._claims.core(first))
        first.contested.end()
        self._begin(second, tick)

    def _look_later(self, first: Incident, tick: int) -> None:
        """Open a second incident where what strikes the hosts of a first one by now is another update's doing."""
        update = self._second_faults.later(first, tick, _named(self.incidents), partial(self._case, None, tick))
        if update is not None:
            first.scope.ceded_updates.add(update)
            self._begin(self._opened(tick), tick)

    def _follow(self, incident: Incident, tick: int) -> None:
        """Judge an open incident anew.

        One that follows no update is judged on what happens where it is, for elsewhere something else may have begun;
        where that says no such thing any more, on everything.
        """
        if incident.is_weak:
            incident.alarm_tick = tick
        there = incident.kind is Kind.NO_UPDATE
        mine, found = self._judged(incident, tick, there=there)
        later = self._ceding.cede_later_system(incident, tick, mine)
        later = later or self._ceding.cede_later_cause(incident, tick, mine, found)
        if later:
            self._begin(self._opened(tick), tick)
        if later or (there and not found[0].kind.is_answer):
            mine, found = self._judged(incident, tick, there=False)
        mine, (judgement, trial, waves_found) = self._without_late_wave(incident, tick, mine, found)
        incident.said.note_carried(tick, judgement)
        if incident.said.stays_acquitted(tick, judgement, self.news.events.tick[incident.claim(len(mine))]):
            return
        if self._was_left_open(judgement, tick):
            judgement = judgement.taken_back(tick - incident.alarm_tick, Lack.BESIDE)
        near = {update: self._inquiry.released(update) for update in judgement.near}
        incident.said.keep_tied(tick, near, minutes_open=tick - incident.alarm_tick)
        named = None if judgement.update is None else self._inquiry.released(judgement.update)
        judgement = incident.said.weigh(tick, judgement, trial.updates, named)
        told = mine | self._claims.of_others(incident, self.incidents, judgement.update)
        if judgement.update is not None and self.news.installs_told:
            told |= self._second_faults.shared(incident, self.incidents, judgement.update, tick)
        condition = condition_of(self._inquiry, incident, judgement, tick, told)
        incident.record(tick, judgement, trial, waves_found, condition)
        watch(self._inquiry, incident, self._claims, tick, (judgement, trial, waves_found))

    def _was_left_open(self, judgement: Judgement, tick: int) -> bool:
        """Whether an incident of this day ended with its update tied, and hosts do not tell it from a rise now either.

        What was not told by some events at their time is not told by the same ones later, when they are half forgotten.
        Of one that an incident names it is known.
        """
        known = {None} | {one.update for one in self.incidents}
        if judgement.update in known or judgement.is_told_by_hosts:
            return False
        return any(
            one.settled and one.kind is Kind.CANNOT_SEPARATE and one.ended(tick) > tick - DAY
            for one in self.incidents
            if one.judgement and one.trial and judgement.update in one.judgement.candidates(one.trial.updates)
        )

    def _judged(self, incident: Incident, tick: int, *, there: bool) -> tuple[Mask, Found]:
        """An incident's evidence, and what is found on it; see ``Claims.evidence``."""
        mine = self._claims.evidence(incident, self.incidents, tick, there=there)
        found = judged(self._inquiry, self._case(incident, tick, mine, self._claims.cells_of(incident)))
        incident.is_weak = incident.is_weak and is_still_weak(self._inquiry, incident, tick, mine, found)
        return mine, (found[0].undecided(), *found[1:]) if incident.is_weak else found

    def _without_late_wave(self, incident: Incident, tick: int, mine: Mask, found: Found) -> tuple[Mask, Found]:
        """The evidence and what is found on it; without a wave that began just before a name stood no longer.

        That is left to another incident where the name stands without it.
        """
        if incident.update is None or found[0].update == incident.update:
            return mine, found
        late = self._ceding.later_wave(incident, tick, mine)
        if late is None:
            return mine, found
        without = mine & ~self._inquiry.events_since(*late)
        again = judged(self._inquiry, self._case(incident, tick, without, self._claims.cells_of(incident)))
        if again[0].update != incident.update:
            return mine, found
        incident.cede(*late)
        self._watched = -1  # it may be over: nothing of it is news
        return without, again


def _named(incidents: Iterable[Incident]) -> frozenset[int]:
    """The updates that some incidents name."""
    return frozenset(one.update for one in incidents if one.update is not None)
