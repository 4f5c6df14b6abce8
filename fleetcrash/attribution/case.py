"""A case: some events that are to be judged, and what is known beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleetcrash.arrays import Mask
from fleetcrash.attribution.incident import Incident
from fleetcrash.attribution.suspects import Trial
from fleetcrash.attribution.toll import Toll
from fleetcrash.attribution.verdict import Judgement
from fleetcrash.attribution.waves import Waves

# What is found on some events: the judgement, and the weights that it rests on.
Found = tuple[Judgement, Trial, Waves]


@dataclass(frozen=True)
class KnownFault:
    """What another incident was traced to.

    Attributes:
        guilty: the update that it names. events: (events,) those that it accounts for.
    """

    guilty: int
    events: Mask


@dataclass(frozen=True)
class Case:
    """What is to be judged.

    Attributes:
        incident: whose events they are; None while they are nobody's.
        tick: what was known by then counts.
        events: (events,) which ones. cells: (cells,) where they may be.
        but: updates that are not on trial.
        named_elsewhere: updates that other incidents name or named.
        known_faults: what other incidents were traced to, one each.
        needed_by: by updates that a known fault needs beside the guilty one, that fault.
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
    named_elsewhere: frozenset[int]
    known_faults: tuple[KnownFault, ...]
    needed_by: Mapping[int, KnownFault]
    tolls: Mapping[int, Toll]
    blamed: frozenset[int]
    unsettled_until: int
    of_no_update: Mask

    @property
    def minutes_open(self) -> int:
        """Minutes since the alarm; none while there is no incident."""
        return 0 if self.incident is None else self.tick - self.incident.alarm_tick

    @property
    def named_before(self) -> int | None:
        """The update that the incident names so far."""
        return None if self.incident is None else self.incident.update
