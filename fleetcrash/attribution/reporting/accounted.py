"""Whom an incident hit, by what it accounts for: the hosts behind its counts, and what became of each.

That is all there is to tell where no update is named: nobody is exposed to none, so that nobody is at risk of it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.attribution.facts.reading import keep_known
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.reporting.impact import HOST_COLUMNS
from fleetcrash.store.engine import Engine
from fleetcrash.times import tick_time

ACCOUNTED_COLUMNS = (*HOST_COLUMNS, "dark_at", "crashes", "os_version", "model", "ring", "group", "customer")

# Of hosts that the inventory lacks they are known from the crash.
_TOLD_BY_CRASHES = ("os_type", "os_version", "os_build", "agent_version")


def counts_of(engine: Engine, detector: Detector, incident: Incident) -> dict[str, int]:
    """The crashes, and hosts that crashed and went dark, in what an incident accounts for."""
    events = detector.news.events
    claim = incident.claim(len(events))
    is_dark = events.outcome == DARK
    until = None if incident.closed_tick is None else tick_time(incident.closed_tick)
    crashed = np.flatnonzero(claim & ~is_dark).tolist()
    return {
        **engine.rows("detection/crashes_behind_events", events=crashed, until=until)[0],
        "hosts_exposed": 0,
        "hosts_dark": len(np.unique(events.host[claim & is_dark])),
    }


def accounted_for(engine: Engine, detector: Detector, incident: Incident) -> pa.Table:
    """The hosts behind ``counts_of``, one row each: what happened to it, and when."""
    claimed = np.flatnonzero(incident.claim(len(detector.news.events))).tolist()
    until = None if incident.closed_tick is None else tick_time(incident.closed_tick)
    return engine.table("detection/hosts_behind_events", events=claimed, until=until)


def what_became_of(engine: Engine, accounted: pa.Table) -> pa.Table:
    """The hosts of an incident with their attributes and states as of the engine's instant.

    Args:
        accounted: as of ``accounted_for``, by this instant or earlier.
    Returns:
        ACCOUNTED_COLUMNS, by host. None has installed what did it: ``installed_at`` is null.
    """
    keep_known(engine)
    now = engine.table(
        "hosts_hit_now",
        hosts=accounted["host_id"].to_pylist(),
        crashed=pc.greater(accounted["crashes"], 0).to_pylist(),
        hit_us=accounted["last_hit_us"].to_pylist(),
        dark_us=accounted["last_dark_us"].to_pylist(),
    )
    columns = {name: now[name] for name in now.column_names}
    columns |= {name: pc.coalesce(now[name], accounted[name]) for name in _TOLD_BY_CRASHES}
    columns |= {name: accounted[name] for name in ("crashed_at", "dark_at", "crashes")}
    columns["installed_at"] = pa.nulls(len(now), accounted.schema.field("crashed_at").type)
    return pa.table({name: columns[name] for name in ACCOUNTED_COLUMNS})
