"""The hosts that an update or an incident concerns, by state, as the contract's ``hosts`` document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from fleetcrash.attribution.backtest import Progress, run
from fleetcrash.attribution.conditions.grammar import Condition, check
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.reading import keep_known
from fleetcrash.attribution.reporting.accounted import ACCOUNTED_COLUMNS, accounted_for, what_became_of
from fleetcrash.attribution.reporting.impact import HOST_COLUMNS, Impact, State, impact_of, matching
from fleetcrash.errors import BadArgument, UnknownName
from fleetcrash.store.asking import judged_instant, unknown_update
from fleetcrash.store.engine import Engine
from fleetcrash.store.lake import Lake
from fleetcrash.times import time_text

_TIMES = ("installed_at", "crashed_at", "dark_at", "last_seen_at")
_OF_INCIDENT = "inc-"  # what an incident's id begins with; an update may be called so as well
_EXAMPLES = 3


def list_hosts(
    lake: Lake,
    concerned_by: str,
    *,
    as_of: datetime | None,
    condition: object | None,
    state: str | None,
    as_named: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every host that an update or an incident concerns, as of an instant.

    Of an incident that names an update they are those of the update. Of any other, and where nothing is known of hosts
    but their crashes, they are those that it accounts for, which its counts are of.

    Args:
        concerned_by: an update, or an incident by its id.
        condition: which hosts, in the contract's grammar; None: every host.
        state: only hosts in this state; None: all.
        as_named: whether the condition of the incident that names the update counts where none is given.
        progress: as of ``run``, where the incident has to be found first.
    Returns:
        The contract's document; of an incident with ``incident_id``, and with more of each host: ``columns_of``.
    Raises:
        UnknownName: neither the catalogue nor an install knows the update by then, and there is no such incident.
        BadArgument: the state or the condition is not one.
        LakeError: the lake cannot be read or holds no record.
    """
    if state is not None and state not in set(State):
        raise BadArgument(f"There is no state {state!r}; the states are {', '.join(State)}.")
    wanted = None if condition is None else check(condition)
    with Engine(lake, as_of=as_of) as engine:
        instant = judged_instant(engine)
        keep_known(engine)
        known = {row["update_id"] for row in engine.rows("detection/suspects")}
        if concerned_by in known:
            if wanted is None and as_named:
                named = [one for one in run(engine, step_minutes=1, progress=progress).named if one[0] == concerned_by]
                wanted = named[-1][1] if named else None
            told = {"update_id": concerned_by, "condition": wanted}
            hosts = impact_of(engine, concerned_by, wanted).hosts
        elif concerned_by.startswith(_OF_INCIDENT):
            detector = run(engine, step_minutes=1, progress=progress)
            told, hosts = _of_incident(engine, detector, instant, concerned_by, wanted, as_named)
        else:
            raise unknown_update(engine, concerned_by)
    counted = Impact(hosts)
    rows = hosts.select(columns_of(told)).to_pylist()
    for row in rows:
        row |= {name: None if row[name] is None else time_text(row[name]) for name in _TIMES if name in row}
    return {
        "schema": 1,
        "as_of": time_text(instant),
        **told,
        "counts": {one.value: counted.count(one) for one in State},
        "hosts": [row for row in rows if state is None or row["state"] == state],
    }


def columns_of(document: dict[str, Any]) -> Sequence[str]:
    """What a ``hosts`` document tells of each host, in order."""
    return ACCOUNTED_COLUMNS if "incident_id" in document else HOST_COLUMNS


def _of_incident(
    engine: Engine, detector: Detector, instant: datetime, incident_id: str, wanted: Condition | None, as_named: bool
) -> tuple[dict[str, Any], pa.Table]:
    """What a document tells of an incident, and its hosts."""
    incident = next((one for one in detector.incidents if one.incident_id == incident_id), None)
    if incident is None:
        known = [one.incident_id for one in reversed(detector.incidents)]
        raise UnknownName(
            f"No incident {incident_id!r} is known as of {time_text(instant)}. "
            f"{len(known)} are; the newest: {', '.join(known[:_EXAMPLES]) or 'none'}. "
            "Name one of `fleetcrash incidents`, or a later --as-of."
        )
    update_id = None if incident.update is None else detector.news.suspects[incident.update].update_id
    condition = incident.condition if wanted is None and as_named else wanted
    told = {"incident_id": incident_id, "update_id": update_id, "condition": condition}
    if update_id is not None and not detector.news.crashes_only:
        return told, impact_of(engine, update_id, condition).hosts
    hosts = what_became_of(engine, accounted_for(engine, detector, incident))
    return told, hosts.filter(pa.array(matching(engine, hosts, wanted or {})))
