"""Which events are whose: what each incident accounts for, so that nothing is evidence twice.

An event is no news, or free, or claimed: by one incident, or by several that name updates. Only ``Claims.stake``
changes that. What else the detector does at a tick, as ceding, changes what the next ``stake`` will find.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fleetcrash.arrays import Mask
from fleetcrash.attribution.conditions.finding import cells_that_may_meet
from fleetcrash.attribution.conditions.grammar import Condition
from fleetcrash.attribution.expected.baseline import DARK, LAG_MINUTES
from fleetcrash.attribution.facts.exposure import grown
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, system_number
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.incidents.case import KnownFault
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.incidents.toll import Toll
from fleetcrash.attribution.weighing.judgement import Kind
from fleetcrash.records import OS_TYPES
from fleetcrash.times import DAY

ROLLOUT_MINUTES = 7 * DAY
"""For so long hosts that get an update one after the other speak for or against it."""

_HALF = 0.5


class Claims:
    """The events that incidents account for.

    Attributes:
        taken: (events,) those of any incident, and those that are nobody's because they are no news.
        explained: (events,) the same without those of incidents that nobody understands.
    """

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self.taken = inquiry.too_early.copy()
        self.explained = self.taken
        self._meeting: dict[str, Mask] = {}

    def extend(self) -> None:
        """Go on with the inquiry's later news."""
        events = len(self._inquiry.news.events)
        self.taken, self.explained = (
            grown(one, 0, events) | self._inquiry.too_early for one in (self.taken, self.explained)
        )
        self._meeting.clear()

    def cells_of(self, incident: Incident) -> Mask:
        """(cells,) those whose events may be an incident's."""
        inside = self.that_may_meet(incident.scope.within or {})
        for elsewhere in incident.scope.without:
            inside = inside & ~self.that_may_meet(elsewhere)
        return inside

    def core(self, incident: Incident) -> Condition:
        """What a named incident's condition says of cells; or else the operating system that its hosts all have."""
        told = {key: text for key, text in (incident.condition or {}).items() if key in CELL_ATTRIBUTES}
        if told or incident.update is None:
            return told
        systems = [name for name in self._systems_with(incident.update, {}) if name is not None]
        return {"os_type": systems[0]} if len(systems) == 1 else {}

    def left_out(self, incident: Incident) -> Mask:
        """(cells,) those of an incident that its condition leaves out; none while it is not determined."""
        if incident.condition is None:
            return np.zeros(len(self._inquiry.news.cells), bool)
        return self.cells_of(incident) & ~self.that_may_meet(self.core(incident))

    def is_of_systems(self, incident: Incident) -> bool:
        """Whether a condition is given, and hosts of more than one operating system that meet it got the named update.

        A slice of an agent's version is of one system, so that what says most for the update may be but one of them.
        """
        if incident.update is None or incident.condition is None:
            return False
        return len(self._systems_with(incident.update, incident.condition) - {None}) > 1

    def that_may_meet(self, condition: Condition) -> Mask:
        """``cells_that_may_meet``, kept until there are other cells; not to be changed."""
        key = repr(condition)
        if key not in self._meeting:
            self._meeting[key] = cells_that_may_meet(self._inquiry.news.cells, condition)
        return self._meeting[key]

    def ceded(self, incident: Incident, tick: int) -> Mask:
        """(events,) those that are none of an incident's doing, as known by a tick."""
        ceded = np.zeros(len(self._inquiry.news.events), bool)
        for spot, onset in incident.scope.ceded_spots.items():
            ceded |= self._inquiry.events_since(spot, onset)
        for update in incident.scope.ceded_updates:
            ceded |= self._inquiry.events_with(update, tick)
        return ceded

    def evidence(self, incident: Incident, incidents: Sequence[Incident], tick: int, *, there: bool) -> Mask:
        """(events,) an incident's own, those of a week that no other claims, those of a day that unsolved ones left.

        A slow fault may be over for an hour before it is understood: what an incident that ended without an answer left
        behind is evidence for the next one; for one that names an update what an earlier one left. Of no longer than a
        day are waves known that may be behind it. For one that names an update what something else did is no evidence.

        Args:
            there: only where the incident is, but for those of unsolved ones.
        """
        events = self._inquiry.news.events
        mine = ~self.taken & (events.minute > tick - ROLLOUT_MINUTES)
        if there:
            mine &= self._inquiry.spots.events_at(incident.spot)
        for other in incidents:
            is_next = incident.update is None or other.alarm_tick < incident.alarm_tick
            if is_next and other.settled and not other.is_understood:  # one that ended is settled, too
                mine |= other.claim(len(mine)) & (events.minute > tick - DAY)
        mine |= incident.claim(len(mine))
        mine &= ~self._of_something_else(incident, incidents, tick)
        if incident.rise is not None:
            mine &= self._inquiry.modules.crashes_of(incident.rise)
        mine &= self._inquiry.absences.of_one_place == incident.by_outage
        return mine & self.cells_of(incident)[events.cell] & ~self.ceded(incident, tick)

    def _of_something_else(self, incident: Incident, incidents: Sequence[Incident], tick: int) -> Mask:
        """(events,) what is none of the doing of an update that an incident names, whatever else may be."""
        told_since = self._told_since_of_before(incident)
        explained = self._explained_by_others(incident, incidents, tick)
        return told_since | explained | self._of_earlier_rises(incident, incidents, tick)

    def of_others(self, incident: Incident, incidents: Sequence[Incident], update: int | None) -> Mask:
        """(events,) those of the other incidents that name an update: whom it strikes, each of them tells in part."""
        theirs = np.zeros(len(self.taken), bool)
        for other in incidents:
            if other is not incident and other.update is not None and other.update == update:
                theirs |= other.claim(len(theirs))
        return theirs

    def toll_of(self, incident: Incident, incidents: Sequence[Incident], update: int, tick: int) -> Toll:
        """What an update that an incident names has done, in it and in the others that name it."""
        mine = incident.claim(len(self.taken)) | self.of_others(incident, incidents, update)
        return Toll.taken(self._inquiry, tick, update, incident.condition, mine)

    def blamed(self, incidents: Sequence[Incident], tick: int) -> frozenset[int]:
        """Groups, sites and customers, with less than half of the fleet's events, that rises of a day followed."""
        followed = (one for one in incidents if one.kind is Kind.NO_UPDATE and not one.by_outage)
        told = {one.wave_spot for one in followed if one.ended(tick) > tick - DAY}
        expected = self._inquiry.expected.total.sum(0)
        places = (spot for spot in told if spot >= len(self._inquiry.spots.slices))
        return frozenset(spot for spot in places if expected[spot] < _HALF * expected[0])

    def of_no_update(self, incidents: Sequence[Incident]) -> Mask:
        """(events,) those that none of some incidents puts down to an update."""
        explained = [one.claim(len(self.taken)) for one in incidents if one.update is not None]
        return ~np.any([*explained, self._inquiry.too_early], axis=0)

    def known_faults(self, incidents: Sequence[Incident]) -> tuple[KnownFault, ...]:
        """The faults of some incidents that name an update, in the order of these."""
        names = [suspect.update_id for suspect in self._inquiry.news.suspects]
        return tuple(
            KnownFault(one.update, frozenset(map(names.index, one.said.needed)), one.claim(len(self.taken)))
            for one in incidents
            if one.update is not None
        )

    def is_of_crashes(self, incident: Incident) -> bool:
        """Whether most of what an incident accounts for are crashes."""
        mine = self._inquiry.news.events.outcome[incident.claim(len(self.taken))]
        return bool((mine != DARK).sum() > (mine == DARK).sum())

    def is_mostly_of(self, incident: Incident, some: Mask) -> bool:
        """Whether most of the crashes that an incident accounts for are among some (events,)."""
        crashes = incident.claim(len(some)) & (self._inquiry.news.events.outcome != DARK)
        return int((crashes & some).sum()) > _HALF * int(crashes.sum())

    def stake(self, incidents: Sequence[Incident], tick: int) -> None:
        """Let each incident claim what it accounts for.

        What is explained is no evidence for an incident that is not understood yet; nor is what follows no update for a
        later one that names an update, or what goes on in a module since before. What is no news is nobody's. What has
        faded is free: of a slow fault a few crashes may open an incident, and more come once that is over.
        """
        self.taken = self._inquiry.no_news(tick)
        self.explained, of_waves = self.taken.copy(), self.taken.copy()
        for incident in sorted(incidents, key=lambda one: (one.has_faded, not one.is_understood)):
            taken = self.taken if incident.update is None else of_waves
            incident.set_claim(self._of(incident, tick) & ~taken & ~self._of_earlier_rises(incident, incidents, tick))
            claim = incident.claim(len(self.taken))
            if not incident.has_faded:
                self.taken |= claim
            if incident.is_understood:
                self.explained |= claim
            if incident.kind is Kind.NO_UPDATE:
                of_waves |= claim

    def _told_since_of_before(self, incident: Incident) -> Mask:
        """(events,) what happened long before the update of an incident was sent out, told only since it was named.

        Others raised its alarm. A backlog of a day would seem a rise of that day, of which the update explains little.
        """
        named, events = incident.said.named_tick, self._inquiry.news.events
        if incident.update is None or named is None:
            return np.zeros(len(events), bool)
        return (events.tick > named) & (events.minute < self._inquiry.released(incident.update) - LAG_MINUTES)

    def _explained_by_others(self, incident: Incident, incidents: Sequence[Incident], tick: int) -> Mask:
        """(events,) those that other named updates did to hosts without the one that an incident names.

        Incidents that name updates may claim the same events.
        """
        explained = np.zeros(len(self.taken), bool)
        if incident.update is None:
            return explained
        for other in incidents:
            if other is not incident and other.update not in (None, incident.update):
                explained |= other.claim(len(explained))
        return explained & ~self._inquiry.events_with(incident.update, tick)

    def _of_earlier_rises(self, incident: Incident, incidents: Sequence[Incident], tick: int) -> Mask:
        """(events,) crashes in modules that earlier incidents of this day are of, of hosts without the update it names.

        They go on as before. Where most of them struck hosts that have it, they may be this update's.
        """
        theirs = np.zeros(len(self.taken), bool)
        earlier = [one for one in incidents if one.alarm_tick < incident.alarm_tick and one.ended(tick) > tick - DAY]
        rises = [(one, one.rise) for one in earlier if one.rise is not None]
        if incident.update is None or incident.rise is not None or not rises:
            return theirs
        with_it = self._inquiry.events_with(incident.update, tick)
        for one, rise in rises:
            claim = one.claim(len(theirs))
            if (claim & with_it).sum() <= _HALF * claim.sum():
                theirs |= self._inquiry.modules.crashes_of(rise) & ~with_it
        return theirs

    def _systems_with(self, update: int, condition: Condition) -> set[str | None]:
        """The operating systems of hosts that meet a condition and got an update; None: of some it is not known."""
        with_it = self._inquiry.expected.time.by_update[update].cells
        met = with_it[self.that_may_meet(condition)[with_it]]
        named = (*OS_TYPES, None)
        return {named[number] for number in np.unique(self._inquiry.news.systems[met]).tolist()}

    def _may_have(self, update: int) -> Mask:
        """(cells,) those of a system of which a host got an update, or may have; not to be changed.

        Where some hosts are known to have one, those that the inventory lacks will be of theirs.
        """
        systems = self._systems_with(update, {})
        known = systems - {None} or set(OS_TYPES)
        key = repr(sorted(map(str, known)))
        if key not in self._meeting:
            of_cells = [cell.os_type for cell in self._inquiry.news.cells]
            self._meeting[key] = np.array([one is None or one in known for one in of_cells])
        return self._meeting[key]

    def lost_places(self, incidents: Sequence[Incident], tick: int) -> Mask:
        """(events,) servers of one place that fell silent together and stay away, of which no incident is.

        Where a rise goes on that no update is to blame for, in a region or at a place, they are part of that.
        """
        spots, minute = self._inquiry.spots, self._inquiry.news.events.minute
        lost = self._inquiry.absences.lost(tick) & ~self.taken
        part = np.zeros(len(lost), bool)
        for one in incidents:
            is_rise = one.kind is Kind.NO_UPDATE and one.ended_tick is None and not one.by_outage
            if is_rise and spots.stands_there[one.wave_spot]:
                part |= lost & spots.events_at(one.wave_spot) & (minute >= one.onset_minute)
        if part.any():
            self._inquiry.absences.are_more(part)
            self.stake(incidents, tick)
        return lost & ~part

    def _of(self, incident: Incident, tick: int) -> Mask:
        """(events,) those that an incident accounts for, so that they open no second one.

        While its rate is raised, that is whatever is reported from where it is watched: a crash in a boot loop may
        reach us without its install, or with a clock that is hours behind; but not from a system of which no host has
        the named update. Later it is what happens to hosts that have that. One that ended goes on to claim what
        happened before its end and is reported after it.
        """
        news = self._inquiry.news
        events = news.events
        claim = (events.tick <= tick) & (events.tick >= incident.since)
        there = self._inquiry.spots.events_at(incident.spot)
        if incident.update is not None:  # of hosts that the inventory lacks nobody knows where they are
            of_unknown = news.systems[events.cell] == system_number(None)
            there = there | (of_unknown & self._inquiry.events_with(incident.update, tick))
        claim &= there
        if incident.rise is not None:
            claim &= self._inquiry.modules.crashes_of(incident.rise)
        claim &= self._inquiry.of_servers if incident.by_outage else ~self._inquiry.absences.of_one_place
        claim &= self.cells_of(incident)[events.cell] & ~self.ceded(incident, tick)
        if incident.update is not None:
            claim &= self._may_have(incident.update)[events.cell]
        if not incident.claims_all:
            raised = events.minute <= incident.last_raised_minute + LAG_MINUTES
            for ended, until in incident.pauses:
                raised &= (events.minute <= ended) | (events.minute > until)
            if incident.update is not None:
                raised |= self._inquiry.events_with(incident.update, tick)
            claim &= raised
        if incident.ended_tick is not None:
            claim &= events.minute <= incident.ended_tick
        return claim
