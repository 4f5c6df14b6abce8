"""A case: some events that are to be judged, and what is known beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleetcrash.arrays import Mask
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.hypotheses.waves import Waves
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.incidents.toll import Toll
from fleetcrash.attribution.weighing.judgement import Judgement

# What is found on some events: the judgement, and the weights that it rests on.
Found = tuple[Judgement, Trial, Waves]


@dataclass(frozen=True)
class KnownFault:
    """What another incident was traced to.

    Attributes:
        guilty: the update that it names. needs: those that this one needs beside it, to strike.
        events: (events,) those that it accounts for.
    """

    guilty: int
    needs: frozenset[int]
    events: Mask


@dataclass(frozen=True)
class Case:
    """What is to be judged.

    Attributes:
        incident: whose events they are; None while they are nobody's.
        tick: what was known by then counts.
        events: (events,) which ones. cells: (cells,) where they may be.
        but: updates that are not on trial.
        known_faults: what other incidents were traced to, one each.
        tolls: by updates that incidents name which had ended before, what each had done by then.
        blamed: parts of the fleet that stand apart and were in trouble within the day, as other incidents say: they may
            be still, whatever their hosts get meanwhile.
        unsettled_until: the last minute of another incident that nobody understands; -1 where there is none.
        of_no_update: (events,) those that no other incident puts down to an update.
    """

    incident: Incident | None
    tick: int
    events: Mask
    cells: Mask
    but: frozenset[int]
    known_faults: tuple[KnownFault, ...]
    tolls: Mapping[int, Toll]
    blamed: frozenset[int]
    unsettled_until: int
    of_no_update: Mask

    @property
    def named_elsewhere(self) -> frozenset[int]:
        """The updates that other incidents name."""
        return frozenset(fault.guilty for fault in self.known_faults)

    def needed_by(self, update: int) -> KnownFault | None:
        """The known fault that needs an update beside the guilty one; of more than one the last that was named."""
        return next((fault for fault in reversed(self.known_faults) if update in fault.needs), None)

    @property
    def minutes_open(self) -> int:
        """Minutes since the alarm; none while there is no incident."""
        return 0 if self.incident is None else self.tick - self.incident.alarm_tick

    @property
    def named_before(self) -> int | None:
        """The update that the incident names so far."""
        return None if self.incident is None else self.incident.update
