"""Sequels: incidents that are more of an earlier one, which goes on in their place."""

from __future__ import annotations

from collections.abc import Sequence

from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES


def first_of(incident: Incident, incidents: Sequence[Incident], tick: int) -> Incident | None:
    """The earlier incident that one is more of, as far as is known.

    That takes it in, goes on or has not stopped, and has named what is behind both for long enough not to take it back.

    Args:
        incidents: all, in the order of their alarms.
    """
    suspect = incident.suspect
    if suspect is None:
        return None
    before = incidents[: incidents.index(incident)]
    named = (one for one in before if one.said.has_named(suspect, tick, JUDGING_MINUTES))
    return next((one for one in named if one.takes_in(incident)), None)


def may_be_merged(incident: Incident, tick: int) -> bool:
    """Whether what is behind an open incident is known well enough to go on with another one in its place.

    It has named that for an hour, or nobody has understood it for as long: of a rise in a module more will be known.
    """
    if incident.update is not None:
        return incident.said.has_named(incident.update, tick, LAG_MINUTES)
    return not incident.is_understood and incident.rise is None and tick - incident.alarm_tick >= LAG_MINUTES


def resume(inquiry: Inquiry, first: Incident, incident: Incident, tick: int) -> None:
    """Let an earlier incident go on with what another one is of."""
    first.resume(tick, elsewhere=not inquiry.covers(first.spot, incident.spot))
    if first.rise is not None and incident.rise is not None:
        first.rise = first.rise.beside(incident.rise)
