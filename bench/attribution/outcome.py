"""What a backtest says of one fleet, held against the fleet's truth."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.attribution.oracle import ask
from fleetcrash.attribution.backtest import Span, backtest
from fleetcrash.attribution.reporting.impact import State, impact_of
from fleetcrash.store import Engine, Lake
from ingest.load import load
from sample_data.simulator import simulate

_SETTLED = timedelta(minutes=15)  # after the alarm the condition is looked at


@dataclass(frozen=True)
class Outcome:
    """What a backtest said of one fleet, beside its truth.

    Attributes:
        guilty: the updates that are; none where nothing is.
        days: of the fleet.
        incidents, named: how many, and the updates that were ever named.
        courses: of each incident, its verdicts in their order, without the same one twice in a row.
        causes: of each incident, what a rise without an update is said to follow.
        correct: the guilty updates were named and no other; nothing was named where nothing is guilty.
        held: the same of the names that stand at the end.
        alarm_delay_min: minutes from when the first faulting crash was received to the first alarm after the release;
            of an outage, from its beginning.
        behind_oracle_min: minutes from the oracle's alarm to ours.
        behind_opening_min: the same of an oracle that takes as little for it as we do.
        named_after_oracle: how many times the oracle's time since the release it took us to name the update.
        crashed_at_alarm: hosts of the fault whose crash was known at the alarm.
        early: an alarm that names a guilty update before its release.
        condition, condition_right: the condition at the end, and whether it selects the exposed hosts of the truth's.
        condition_soon: the same a quarter of an hour after the alarm, where 30 hosts had crashed by then; else whether
            it was rightly left open. None without an alarm.
        quarantined: records that the load kept aside.
    """

    scenario: str
    seed: int
    days: float
    guilty: list[str]
    incidents: int
    courses: list[list[str]]
    causes: list[str | None]
    named: list[str]
    correct: bool
    held: bool
    alarm_delay_min: float | None
    behind_oracle_min: float | None
    behind_opening_min: float | None
    named_after_oracle: float | None
    crashed_at_alarm: int | None
    early: bool
    condition: Any
    condition_right: bool | None
    condition_soon: bool | None
    quarantined: int
    seconds: float


def run(scenario: str, seed: int, *, hosts: int | None, days: int | None) -> Outcome:
    """Simulate, load and judge one fleet; a folder of records is loaded as it is."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scenario)
        if not folder.is_dir():
            folder = Path(scratch) / "fleet"
            simulate(scenario, folder, hosts=hosts, seed=seed, days=days)
        lake = Lake.create(Path(scratch) / "lake")
        report = load(lake, [folder], now=datetime.now(UTC))
        return judge(lake, json.loads((folder / "truth.json").read_text()), quarantined=report.quarantined)


def judge(lake: Lake, truth: dict[str, Any], *, quarantined: int) -> Outcome:
    """Backtest a loaded fleet and hold the answer against its truth."""
    started = time.perf_counter()
    found = backtest(lake, Span())
    seconds = time.perf_counter() - started
    incidents = found["incidents"]
    named = sorted({turn["update_id"] for one in incidents for turn in one["history"] if turn["update_id"]})
    faults = guilty_of(truth)
    guilty = sorted(fault["update_id"] for fault in faults)
    first = faults[0] if faults else None
    of_first = [one for one in incidents if first is not None and one["update_id"] == first["update_id"]]
    told = _of_outage(truth, incidents) if first is None else _of_fault(lake, first, of_first)
    return Outcome(
        scenario=truth["scenario"],
        seed=truth["seed"],
        days=(datetime.fromisoformat(found["to"]) - datetime.fromisoformat(found["from"])) / timedelta(days=1),
        guilty=guilty,
        incidents=len(incidents),
        courses=[[name for name, _ in groupby(turn["verdict"] for turn in one["history"])] for one in incidents],
        causes=[one["cause"] for one in incidents],
        named=named,
        correct=named == guilty,
        held=sorted({one["update_id"] for one in incidents if one["update_id"]}) == guilty,
        alarm_delay_min=told.alarm_delay_min,
        behind_oracle_min=told.behind_oracle_min,
        behind_opening_min=told.behind_opening_min,
        named_after_oracle=told.named_after_oracle,
        crashed_at_alarm=told.crashed_at_alarm,
        early=_early(incidents, faults),
        condition=of_first[-1]["condition"] if of_first else None,
        condition_right=told.condition_right,
        condition_soon=told.condition_soon,
        quarantined=quarantined,
        seconds=round(seconds, 1),
    )


@dataclass(frozen=True)
class _Told:
    """How soon and how well the first fault was told; see Outcome. None without an alarm about it."""

    alarm_delay_min: float | None = None
    behind_oracle_min: float | None = None
    behind_opening_min: float | None = None
    named_after_oracle: float | None = None
    crashed_at_alarm: int | None = None
    condition_right: bool | None = None
    condition_soon: bool | None = None


def _of_fault(lake: Lake, fault: dict[str, Any], incidents: Sequence[dict[str, Any]]) -> _Told:
    """Of a fault.

    Args:
        incidents: those that name its update at the end.
    """
    released = datetime.fromisoformat(fault["released_at"])
    if not incidents:
        return _Told()
    oracle = ask(lake, fault["update_id"], fault["condition"], released)
    alarm = min(datetime.fromisoformat(one["alarm_at"]) for one in incidents)
    behind = factor = None
    if oracle.alarm is not None:
        behind = _minutes(alarm - oracle.alarm)
        turns = [turn for one in incidents for turn in one["history"] if turn["update_id"] == fault["update_id"]]
        named_at = min(datetime.fromisoformat(turn["at"]) for turn in turns)
        factor = (named_at - released) / max(oracle.alarm - released, timedelta(minutes=1))
    return _Told(
        alarm_delay_min=None if oracle.first is None else _minutes(alarm - oracle.first),
        behind_oracle_min=behind,
        behind_opening_min=None if oracle.opening is None else _minutes(alarm - oracle.opening),
        named_after_oracle=factor,
        crashed_at_alarm=oracle.crashed(alarm),
        condition_right=same_hosts(lake, fault["update_id"], incidents[-1]["condition"], fault["condition"]),
        condition_soon=_condition_soon(lake, fault, incidents[0], crashed=oracle.crashed(alarm + _SETTLED)),
    )


def _of_outage(truth: dict[str, Any], incidents: Sequence[dict[str, Any]]) -> _Told:
    """Of a fleet in which nothing is guilty: how long after an outage the alarm came, if there was one."""
    if not truth.get("outages"):
        return _Told()
    began = datetime.fromisoformat(truth["outages"][0]["at"])
    delays = [datetime.fromisoformat(one["alarm_at"]) - began for one in incidents]
    return _Told(alarm_delay_min=min((_minutes(after) for after in delays if after > timedelta(0)), default=None))


def guilty_of(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """Each fault of a truth as update_id, condition, released_at, the first one first."""
    if truth.get("guilty") is None:
        return []
    keys = {"guilty": "update_id", "condition": "condition", "released_at": "released_at"}
    return [{name: fault[key] for key, name in keys.items()} for fault in truth.get("faults", [truth])]


def _minutes(span: timedelta) -> float:
    return span / timedelta(minutes=1)


def _early(incidents: Sequence[dict[str, Any]], faults: Sequence[dict[str, Any]]) -> bool:
    released = {fault["update_id"]: datetime.fromisoformat(fault["released_at"]) for fault in faults}
    return any(
        datetime.fromisoformat(turn["at"]) < released[turn["update_id"]]
        for one in incidents
        for turn in one["history"]
        if turn["update_id"] in released
    )


def _condition_soon(lake: Lake, fault: dict[str, Any], incident: dict[str, Any], *, crashed: int) -> bool:
    """Whether the condition was right a quarter of an hour after the alarm, or open with too few crashes."""
    until = datetime.fromisoformat(incident["alarm_at"]) + _SETTLED
    said = [turn for turn in incident["history"] if datetime.fromisoformat(turn["at"]) <= until]
    condition = said[-1]["condition"] if said else None
    if crashed < 30 and condition is None:
        return True
    return condition is not None and same_hosts(lake, fault["update_id"], condition, fault["condition"])


def same_hosts(lake: Lake, update_id: str, one: Any, other: Any) -> bool:
    """Whether two conditions select the same exposed hosts."""
    with Engine(lake) as engine:
        chosen = []
        for condition in (one, other):
            hosts = impact_of(engine, update_id, condition).hosts.to_pylist()
            chosen.append({row["host_id"] for row in hosts if row["state"] != State.PENDING})
    return chosen[0] == chosen[1]
