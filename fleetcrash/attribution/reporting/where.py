"""Where a rise is that no update is named for, and since when: the wave that explains it best."""

from __future__ import annotations

from typing import Any

from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.hypotheses.waves import Beginning
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.reporting.causes import cause_of, common_module
from fleetcrash.attribution.reporting.wording import followed
from fleetcrash.attribution.weighing.judgement import Kind
from fleetcrash.times import tick_text

# Of reports that came late, or with a wrong time, no place tells anything.
_NOWHERE = ("backlog", "clock")


def where_of(detector: Detector, incident: Incident) -> dict[str, Any] | None:
    """Where a rise is; None where an update explains it better, and where nothing is left of it.

    Returns:
        ``name``: in words, as in the summary; null where it is neither the whole fleet nor a part of it. ``dimension``:
        what the part is cut by, such as region or site; null where it is not one. ``since``: from when on.
        ``module``: in which nearly all crashes are, or null. ``kind`` says that the name is words, as a rival's.
    """
    wave = _wave(incident)
    if wave is None or not incident.claim(len(detector.news.events)).any():
        return None
    spot, since = wave
    is_somewhere = cause_of(detector, incident) not in _NOWHERE
    return {
        "kind": "wave",
        "name": followed(detector, incident, spot) if is_somewhere else None,
        "dimension": detector.spots.name(spot)[0] if spot and is_somewhere else None,
        "since": tick_text(min(since, incident.opened_tick)),  # a wave that is over may look as if it began later
        "module": common_module(detector, incident),
    }


def _wave(incident: Incident) -> Beginning | None:
    """The beginning of the wave that an incident follows, or would rather follow than any update."""
    judgement, waves = incident.judgement, incident.waves
    found = None
    if judgement is not None and judgement.wave is not None and waves is not None:
        found = waves.beginning(judgement.wave)
    if incident.kind is Kind.NO_UPDATE:
        # What was said stands, though a look since may see the rise elsewhere, or not at all.
        is_same = found is not None and found.spot == incident.wave_spot
        return found if is_same else Beginning(incident.wave_spot, incident.onset_minute)
    if incident.kind is Kind.UPDATE or judgement is None or judgement.log_margin >= 0.0:
        return None
    return found
