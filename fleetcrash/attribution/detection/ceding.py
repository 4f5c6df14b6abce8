"""Ceding: what is none of an incident's doing, and is left to another one, for it began elsewhere or later."""

from __future__ import annotations

from collections.abc import Sequence

from fleetcrash.arrays import Mask
from fleetcrash.attribution.detection.claims import Claims
from fleetcrash.attribution.detection.second_faults import LEAST_EVENTS
from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.waves import Beginning, Waves
from fleetcrash.attribution.incidents.case import Found
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES, Kind
from fleetcrash.counts import MOSTLY
from fleetcrash.records import OS_TYPES


class Ceding:
    """Looks for what began elsewhere or later, and lets incidents leave it to others."""

    def __init__(self, inquiry: Inquiry, claims: Claims) -> None:
        self._inquiry = inquiry
        self._claims = claims

    def cede_later_system(self, incident: Incident, tick: int, mine: Mask) -> bool:
        """Leave what began in another OS long after the alarm of an incident without an answer; whether anything did.

        An update may be behind the first rise, and would be acquitted by the second: one wave in all systems explains
        the two of them better than it does.
        """
        if incident.is_understood or incident.rise is not None:
            return False
        events, since = self._inquiry.news.events, incident.alarm_tick + JUDGING_MINUTES
        spot_log_weight = self._inquiry.spots.log_weights(tick)[0]
        for system in OS_TYPES:
            there = mine & self._claims.that_may_meet({"os_type": system})[events.cell]
            if int((there & (events.minute > since) & (events.tick <= tick)).sum()) < LEAST_EVENTS:
                continue
            found = self._inquiry.waves(tick, there, caution=True)
            strongest = self._not_of_all(found, incident).strongest(spot_log_weight)
            if strongest is None or strongest.onset <= since:
                continue
            spot, onset = self._inquiry.spots.whole_system(strongest.spot, tick), strongest.onset - JUDGING_MINUTES
            if not self._rose_elsewhere(incident, mine, spot):
                continue
            incident.cede(spot, max(onset, since))  # a few came before it was a wave
            return True
        return False

    def cede_later_cause(self, incident: Incident, tick: int, mine: Mask, found: Found) -> bool:
        """Leave what began too late to have raised the alarm; whether anything did.

        Of an incident that names an update only once that has been in doubt as long as a new name takes.
        """
        judgement, _, waves_found = found
        named, wave = judgement.update, judgement.wave
        if named is not None and self._inquiry.released(named) > incident.opened_tick:
            if named == incident.update or not incident.said.may_be_renamed(tick):
                return False
            incident.scope.ceded_updates.add(named)
        elif judgement.kind is Kind.NO_UPDATE and not incident.is_understood and wave is not None:
            spot, onset = waves_found.beginning(wave)
            if onset <= incident.alarm_tick + LAG_MINUTES or self._inquiry.covers(spot, incident.spot):
                return False
            if not self._rose_elsewhere(incident, mine, spot):
                return False
            incident.cede(spot, onset)
        else:
            return False
        return True

    def later_wave(self, incident: Incident, tick: int, mine: Mask) -> Beginning | None:
        """The beginning of the strongest wave that began just before a name stood no longer and is not its doing.

        What begins at a place that raised no alarm need not be an hour later: an update strikes what hosts are.
        """
        since = (tick if incident.said.doubt.since is None else incident.said.doubt.since) - JUDGING_MINUTES
        stands_apart = self._inquiry.stands_apart(tick)
        portion = self._inquiry.portion(incident.rise)
        lately = mine & (self._inquiry.news.events.minute >= since)
        found = self._inquiry.waves(tick, lately, caution=False, portion=portion)
        pairs = zip(found.spot.tolist(), found.onset.tolist(), strict=True)
        later = found.where(
            [
                self._is_later(incident, spot, onset)
                or (bool(stands_apart[spot]) and self._is_later_elsewhere(incident, mine, spot, onset))
                for spot, onset in pairs
            ]
        )
        return later.strongest(self._inquiry.spots.log_weights(tick)[0])

    def cede_waves_of_others(self, incidents: Sequence[Incident]) -> None:
        """Take from each named incident what follows a wave that another one found, an hour or more after the name."""
        for other in (one for one in incidents if one.kind is Kind.NO_UPDATE):
            for incident in incidents:
                if self._is_later(incident, other.wave_spot, other.onset_minute):
                    incident.cede(other.wave_spot, other.onset_minute)

    def _not_of_all(self, found: Waves, incident: Incident) -> Waves:
        """The waves that are not everywhere where an incident is."""
        return found.where([not self._inquiry.covers(spot, incident.spot) for spot in found.spot.tolist()])

    def _rose_elsewhere(self, incident: Incident, mine: Mask, spot: int, before: int | None = None) -> bool:
        """Whether at most half of what raised an alarm happened in a spot; a rise that grows is no other one.

        Args:
            before: the minute before which it did; None: a quarter of an hour after the alarm.
        """
        minute, alarm = self._inquiry.news.events.minute, incident.alarm_tick
        early = mine & (minute > alarm - LAG_MINUTES) & (minute < (before or alarm + JUDGING_MINUTES + 1))
        return int((early & self._inquiry.events_since(spot, 0)).sum()) <= MOSTLY * int(early.sum())

    def _is_later(self, incident: Incident, spot: int, onset: int) -> bool:
        """Whether a wave is none of a named incident's doing: it began later, and not in all its hosts."""
        return incident.began_after(onset) and not self._inquiry.covers(spot, incident.spot)

    def _is_later_elsewhere(self, incident: Incident, mine: Mask, spot: int, onset: int) -> bool:
        """Whether a wave began after an incident named its update, and not where that showed."""
        named = incident.said.named_tick
        if named is None or onset <= named or self._inquiry.covers(spot, incident.spot):
            return False
        return self._rose_elsewhere(incident, mine, spot, onset)
