"""Does the detector name the update, how soon, and does it keep quiet? On simulated fleets, with other seeds each.

    python -m bench.attribution channel-file-291 --seeds 20
    python -m bench.attribution quiet --seeds 20
    python -m bench.attribution region-outage --seeds 10 --hosts 9000
    python -m bench.attribution path/to/records        a folder of records with a truth.json

Prints one JSON line a fleet and one for all of them. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from fleetcrash.attribution.backtest import Span, backtest
from fleetcrash.attribution.impact import State, impact_of
from fleetcrash.store import Engine, Lake
from ingest.load import load
from sample_data.simulator import simulate


@dataclass(frozen=True)
class Outcome:
    """What a backtest said of one fleet, beside its truth.

    Attributes:
        incidents, named: how many, and the updates that were ever named.
        courses: of each incident, its verdicts in their order, without the same one twice in a row.
        causes: of each incident, what a rise without an update is said to follow.
        correct: the guilty update was named and no other; nothing was named where nothing is guilty.
        alarm_delay_min: minutes from when the first faulting crash was received to the first alarm after the release;
            of an outage, from its beginning.
        early: an alarm of the fault before the release.
        quarantined: records that the load kept aside.
        condition_right: the condition at the end selects the exposed hosts that the truth's does.
    """

    scenario: str
    seed: int
    incidents: int
    courses: list[list[str]]
    causes: list[str | None]
    named: list[str]
    correct: bool
    alarm_delay_min: float | None
    early: bool
    condition: Any
    condition_right: bool | None
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
    named = sorted({turn["update_id"] for one in found["incidents"] for turn in one["history"] if turn["update_id"]})
    guilty = truth["guilty"]
    delay, early, right, condition = None, False, None, None
    if guilty is not None:
        released = datetime.fromisoformat(truth["released_at"])
        alarms = [datetime.fromisoformat(one["alarm_at"]) for one in found["incidents"] if one["update_id"] == guilty]
        early = any(alarm < released for alarm in alarms)
        first = first_report(lake, guilty, released)
        if alarms and first is not None:
            delay = (min(alarms) - first).total_seconds() / 60
        conditions = [one["condition"] for one in found["incidents"] if one["update_id"] == guilty]
        condition = conditions[-1] if conditions else None
        right = condition is not None and same_hosts(lake, guilty, condition, truth["condition"])
    elif truth.get("outages"):
        began = datetime.fromisoformat(truth["outages"][0]["at"])
        delays = [datetime.fromisoformat(one["alarm_at"]) - began for one in found["incidents"]]
        delay = min((after.total_seconds() / 60 for after in delays if after > timedelta(0)), default=None)
    return Outcome(
        scenario=truth["scenario"],
        seed=truth["seed"],
        incidents=len(found["incidents"]),
        courses=[
            [name for name, _ in groupby(turn["verdict"] for turn in one["history"])] for one in found["incidents"]
        ],
        causes=[one["cause"] for one in found["incidents"]],
        named=named,
        correct=named == ([] if guilty is None else [guilty]),
        alarm_delay_min=delay,
        early=early,
        condition=condition,
        condition_right=right,
        quarantined=quarantined,
        seconds=round(seconds, 1),
    )


def first_report(lake: Lake, update_id: str, released: datetime) -> datetime | None:
    """When the first crash report of a host that had the update, from after its release, was received."""
    with Engine(lake) as engine:
        crashed = impact_of(engine, update_id, None).hosts.to_pylist()
        hosts = {row["host_id"] for row in crashed if row["crashed_at"] is not None}
        reports = engine.rows("crashes_known_since", since=released)
    times = [row["known_at"] for row in reports if row["host_id"] in hosts]
    return min(times, default=None)


def same_hosts(lake: Lake, update_id: str, one: Any, other: Any) -> bool:
    """Whether two conditions select the same exposed hosts."""
    with Engine(lake) as engine:
        chosen = []
        for condition in (one, other):
            hosts = impact_of(engine, update_id, condition).hosts.to_pylist()
            chosen.append({row["host_id"] for row in hosts if row["state"] != State.PENDING})
    return chosen[0] == chosen[1]


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """All outcomes in one row of figures."""
    delays = sorted(one.alarm_delay_min for one in outcomes if one.alarm_delay_min is not None)
    return {
        "fleets": len(outcomes),
        "correct": sum(one.correct for one in outcomes),
        "named_wrong": sum(bool(set(one.named)) and not one.correct for one in outcomes),
        "named_none": sum(not one.named for one in outcomes),
        "incidents": sum(one.incidents for one in outcomes),
        "early": sum(one.early for one in outcomes),
        "quarantined": sum(one.quarantined for one in outcomes),
        "condition_right": sum(bool(one.condition_right) for one in outcomes),
        "alarm_delay_min": {"median": delays[len(delays) // 2], "worst": delays[-1]} if delays else None,
        "seconds": round(sum(one.seconds for one in outcomes), 1),
        "synthetic": True,
    }


def main() -> int:
    """Run the seeds asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", help="a scenario's name, its TOML, or a folder of records with a truth.json")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--hosts", type=int)
    parser.add_argument("--days", type=int)
    chosen = parser.parse_args()
    if Path(chosen.scenario).is_dir():
        chosen.seeds = 1
    outcomes = []
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
        outcomes.append(run(chosen.scenario, seed, hosts=chosen.hosts, days=chosen.days))
        print(json.dumps(asdict(outcomes[-1])), flush=True)
    print(json.dumps(summary(outcomes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
