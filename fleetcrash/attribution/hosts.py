"""The hosts that an update concerns, by state, as the contract's ``hosts`` document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fleetcrash.attribution.backtest import Progress, run
from fleetcrash.attribution.conditions.grammar import check
from fleetcrash.attribution.facts.reading import keep_known
from fleetcrash.attribution.reporting.impact import HOST_COLUMNS, State, impact_of
from fleetcrash.errors import BadArgument
from fleetcrash.store.asking import judged_instant, unknown_update
from fleetcrash.store.engine import Engine
from fleetcrash.store.lake import Lake
from fleetcrash.times import time_text

_TIMES = ("installed_at", "crashed_at", "last_seen_at")


def list_hosts(
    lake: Lake,
    update_id: str,
    *,
    as_of: datetime | None,
    condition: object | None,
    state: str | None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every host that an update concerns, as of an instant.

    Args:
        condition: which hosts, in the contract's grammar; None: the condition of the incident that names the update,
            or every host.
        state: only hosts in this state; None: all.
        progress: as of ``run``, where the condition has to be found first.
    Raises:
        UnknownName: neither the catalogue nor an install knows the update by then.
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
        if update_id not in known:
            raise unknown_update(engine, update_id)
        if wanted is None:
            named = [one for one in run(engine, step_minutes=1, progress=progress).named if one[0] == update_id]
            wanted = named[-1][1] if named else None
        impact = impact_of(engine, update_id, wanted)
    rows = impact.hosts.select(HOST_COLUMNS).to_pylist()
    for row in rows:
        for name in _TIMES:
            row[name] = None if row[name] is None else time_text(row[name])
    return {
        "schema": 1,
        "as_of": time_text(instant),
        "update_id": update_id,
        "condition": wanted,
        "counts": {one.value: impact.count(one) for one in State},
        "hosts": [row for row in rows if state is None or row["state"] == state],
    }
