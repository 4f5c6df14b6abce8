"""One simulated fleet: what each method says of it, held against its truth."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.attribution.oracle import Known, ask
from bench.attribution.outcome import guilty_of
from bench.scoreboard.baselines import BASELINES, Course
from bench.scoreboard.seen import Seen, read
from fleetcrash.attribution.backtest import Span, backtest
from fleetcrash.attribution.reporting.impact import State, impact_of
from fleetcrash.store import Engine, Lake
from fleetcrash.times import tick_time
from ingest.load import load
from sample_data.simulator import simulate

OURS = "fleetcrash"
ORACLE = "Oracle"
METHODS = (OURS, *BASELINES)


class Verdict(StrEnum):
    """How a method did on a fleet.

    Correct: it blamed a guilty update and no innocent one, or none where none is guilty. Wrong: it ever blamed an
    innocent one. Abstained: it alarmed and blamed none, though one is guilty. Missed: it did not alarm.
    """

    CORRECT = "correct"
    WRONG = "wrong"
    ABSTAINED = "abstained"
    MISSED = "missed"


@dataclass(frozen=True)
class Said:
    """What a method said of a fleet.

    Attributes:
        alarms: when it alarmed. names: when it blamed an update, and which.
    """

    alarms: tuple[datetime, ...]
    names: tuple[tuple[datetime, str], ...]


@dataclass(frozen=True)
class Row:
    """One method on one fleet.

    Attributes:
        guilty: whether any update is.
        named: the updates that it ever blamed, in the order of their first time. first_right: the first is guilty.
        alarm_min, name_min: minutes from the release of the first guilty update to the first alarm since, and to the
            first right name; None without.
        exposed, crashed: hosts of the fault that had the update at that alarm, and whose crash was known by then.
    """

    scenario: str
    seed: int
    method: str
    guilty: bool
    verdict: Verdict
    named: tuple[str, ...]
    first_right: bool
    alarm_min: float | None
    name_min: float | None
    exposed: int | None
    crashed: int | None


@dataclass(frozen=True)
class Fault:
    """The truth of a guilty fleet.

    Attributes:
        updates: all that are guilty. released: when the first of them was.
        known: what an oracle sees of the first. reached: when each host of that fault got it.
    """

    updates: frozenset[str]
    released: datetime
    known: Known
    reached: tuple[datetime, ...]


def play(scenario: str, seed: int, hosts: int, days: int, thresholds: Mapping[str, float]) -> list[Row]:
    """Simulate and load one fleet, and judge it by every method; the oracle has a row only where somebody is guilty.

    Args:
        thresholds: the score at which each baseline alarms.
    """
    with tempfile.TemporaryDirectory() as scratch:
        lake, truth = _loaded(Path(scratch), scenario, seed, hosts, days)
        said = {OURS: ours(backtest(lake, Span())["incidents"])}
        with Engine(lake) as engine:
            seen = read(engine)
        said |= {name: baseline(seen, judge(seen), thresholds[name]) for name, judge in BASELINES.items()}
        fault = _fault(lake, truth)
    if fault is not None:
        at = fault.known.alarm
        said[ORACLE] = Said((), ()) if at is None else Said((at,), ((at, guilty_of(truth)[0]["update_id"]),))
    return [held_against(fault, method, each, scenario=scenario, seed=seed) for method, each in said.items()]


def train(scenario: str, seed: int, hosts: int, days: int) -> dict[str, float]:
    """The highest score of each baseline on one fleet, and under OURS how many updates the detector blamed."""
    with tempfile.TemporaryDirectory() as scratch:
        lake, _ = _loaded(Path(scratch), scenario, seed, hosts, days)
        named = ours(backtest(lake, Span())["incidents"]).names
        with Engine(lake) as engine:
            seen = read(engine)
    return {OURS: float(len(named)), **{name: judge(seen).highest for name, judge in BASELINES.items()}}


def ours(incidents: Sequence[Mapping[str, Any]]) -> Said:
    """What the detector said, from its document's incidents."""
    return Said(
        tuple(sorted(datetime.fromisoformat(one["alarm_at"]) for one in incidents)),
        tuple(
            sorted(
                (datetime.fromisoformat(turn["at"]), turn["update_id"])
                for one in incidents
                for turn in one["history"]
                if turn["update_id"]
            )
        ),
    )


def baseline(seen: Seen, course: Course, threshold: float) -> Said:
    """What a baseline said, given its threshold."""
    episodes = [(tick_time(seen.first_tick + minute), update) for minute, update in course.episodes(threshold)]
    return Said(
        tuple(at for at, _ in episodes),
        tuple((at, seen.updates[update]) for at, update in episodes if update >= 0),
    )


def held_against(fault: Fault | None, method: str, said: Said, *, scenario: str, seed: int) -> Row:
    """Judge what a method said by the truth; None: nobody is guilty."""
    named = tuple(dict.fromkeys(update for _, update in said.names))
    guilty = frozenset() if fault is None else fault.updates
    if set(named) - guilty:
        verdict = Verdict.WRONG
    elif named or fault is None:
        verdict = Verdict.CORRECT
    elif any(at >= fault.released for at in said.alarms):
        verdict = Verdict.ABSTAINED
    else:
        verdict = Verdict.MISSED
    alarm = None if fault is None else min((at for at in said.alarms if at >= fault.released), default=None)
    right = [at for at, update in said.names if update in guilty]
    return Row(
        scenario=scenario,
        seed=seed,
        method=method,
        guilty=fault is not None,
        verdict=verdict,
        named=named,
        first_right=bool(named) and named[0] in guilty,
        alarm_min=None if fault is None or alarm is None else (alarm - fault.released) / timedelta(minutes=1),
        name_min=(min(right) - fault.released) / timedelta(minutes=1) if fault is not None and right else None,
        exposed=None if fault is None or alarm is None else sum(at <= alarm for at in fault.reached),
        crashed=None if fault is None or alarm is None else fault.known.crashed(alarm),
    )


def _loaded(scratch: Path, scenario: str, seed: int, hosts: int, days: int) -> tuple[Lake, dict[str, Any]]:
    simulate(scenario, scratch / "fleet", hosts=hosts, seed=seed, days=days)
    lake = Lake.create(scratch / "lake")
    load(lake, [scratch / "fleet"], now=datetime.now(UTC))
    return lake, json.loads((scratch / "fleet" / "truth.json").read_text())


def _fault(lake: Lake, truth: dict[str, Any]) -> Fault | None:
    faults = guilty_of(truth)
    if not faults:
        return None
    first = faults[0]
    released = datetime.fromisoformat(first["released_at"])
    with Engine(lake) as engine:
        hosts = impact_of(engine, first["update_id"], first["condition"]).hosts.to_pylist()
    return Fault(
        updates=frozenset(fault["update_id"] for fault in faults),
        released=released,
        known=ask(lake, first["update_id"], first["condition"], released),
        reached=tuple(row["installed_at"] for row in hosts if row["state"] != State.PENDING),
    )
