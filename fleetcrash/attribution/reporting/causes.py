"""What a rise that follows no update does follow, in the contract's words."""

from __future__ import annotations

import numpy as np

from fleetcrash.arrays import Ints
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.expected.baseline import DARK, LAG_MINUTES
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import Kind

_OF_PLACE = {"region": "region", "site": "site", "group": "site", "customer": "site"}
_FEW_HOSTS = 2
_LATE_SHARE = 0.5
_MIDDLE = (0.1, 0.9)
_MOST = 0.8  # of the crashes are in a module that is said to be theirs ...
_FEWEST = 3  # ... if there are so many


def cause_of(detector: Detector, incident: Incident) -> str | None:
    """region, site, host, module, backlog, clock or other; None unless the verdict is that no update is to blame.

    How the events were told is asked first, then who had them, then where they were.
    """
    if incident.kind is not Kind.NO_UPDATE:
        return None
    events = detector.news.events
    mine = incident.claim(len(events))
    happened, known = events.minute[mine], events.tick[mine]
    late = known - happened > LAG_MINUTES
    if late.sum() >= max(_LATE_SHARE * len(late), 1.0):
        # Hours of reports that arrive within minutes were held up; those that arrive as usual have a wrong time.
        return "backlog" if _spread(known[late]) < _spread(happened[late]) / 2 else "clock"
    if 0 < len(np.unique(events.host[mine].astype(str))) <= _FEW_HOSTS:
        return "host"
    where = _OF_PLACE.get(detector.spots.name(incident.wave_spot)[0])
    if where is not None:
        return where
    return "other" if common_module(detector, incident) is None else "module"


def _spread(minutes: Ints) -> float:
    """Within how many minutes most of some events come; the first and the last few may be of something else."""
    return float(np.ptp(np.quantile(minutes, _MIDDLE)))


def common_module(detector: Detector, incident: Incident) -> str | None:
    """The module in which at least four fifths of the incident's crashes happened, if there is one."""
    events = detector.news.events
    picked = events.module[incident.claim(len(events)) & (events.outcome != DARK)]
    names, counts = np.unique(np.array([name or "" for name in picked], dtype=str), return_counts=True)
    if not len(names) or counts.max() < _MOST * len(picked) or len(picked) < _FEWEST:
        return None
    return str(names[counts.argmax()]) or None
