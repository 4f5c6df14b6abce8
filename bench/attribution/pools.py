"""Pools of fleets to judge, the bars that they are held to, and seeds that nobody chose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleetcrash.attribution
from bench.attribution.intervals import clopper_pearson
from bench.attribution.outcome import Outcome


@dataclass(frozen=True)
class Pool:
    """Scenarios judged together.

    Attributes:
        scenarios: played in turn, each with seeds of its own.
        hosts, days: of each fleet; days None: as the scenario says.
    """

    scenarios: tuple[str, ...]
    hosts: int = 4000
    days: int | None = 2

    def fleets(self, runs: int) -> Iterator[tuple[str, int]]:
        """Scenario and seed of each of so many fleets."""
        for number in range(runs):
            scenario = self.scenarios[number % len(self.scenarios)]
            yield scenario, seed_of(scenario, number)


POOLS = {
    "acute": Pool(
        (
            "channel-file-291",
            "two-updates",
            "agent-upgrade",
            "delayed-reboot",
            "went-dark",
            "os-patch-guilty",
            "driver-guilty",
            "policy-guilty",
            "only-old-agents",
            "only-one-agent-line",
            "only-one-model",
            "only-with-another-update",
            "rolled-back",
            "fault-that-ends",
        )
    ),
    "canary": Pool(("canary-ring",), hosts=20_000),
    "several": Pool(("two-faults", "two-faults-one-system")),
    "silent": Pool(("2010-bitdefender", "2010-mcafee", "2013-kaspersky", "2015-panda"), hosts=8000, days=None),
    "weak-data": Pool(("no-installs",)),
    "slow": Pool(("slow-burn", "slow-burn-trickling"), hosts=400_000),
    "nothing": Pool(
        (
            "region-outage",
            "site-outage",
            "backlog-flush",
            "noisy-host",
            "customer-driver",
            "patch-day",
            "wrong-clocks",
            "fewer-crashes",
        )
    ),
    "wave-after-push": Pool(("wave-after-push",)),
    "quiet": Pool(("quiet",), hosts=1000, days=28),
}


def seed_of(scenario: str, number: int) -> int:
    """A seed that depends on the detector's own text: whoever changes the detector has not seen its fleets."""
    return int.from_bytes(hashlib.sha256(_text() + f"{scenario} {number}".encode()).digest()[:4])


def text_of_detector() -> str:
    """What tells one text of the detector from another, in hex digits."""
    return hashlib.sha256(_text()).hexdigest()[:16]


def _text() -> bytes:
    folder = Path(fleetcrash.attribution.__file__).parent
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*.py")))


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All outcomes of a pool in one row of figures, with 95 % Clopper-Pearson intervals of the shares."""
    runs = len(outcomes)
    behind = [one.behind_oracle_min for one in outcomes if one.behind_oracle_min is not None]
    behind_opening = [one.behind_opening_min for one in outcomes if one.behind_opening_min is not None]
    crashed = [one.crashed_at_alarm for one in outcomes if one.crashed_at_alarm is not None]
    settled = [one.condition_soon for one in outcomes if one.condition_soon is not None]
    early_enough = [
        one.named_after_oracle is not None and one.named_after_oracle <= 2.0 for one in outcomes if one.guilty
    ]
    return {
        "fleets": runs,
        "fleet_days": round(sum(one.days for one in outcomes), 1),
        "correct": _share(sum(one.correct for one in outcomes), runs),
        "held_to_the_end": _share(sum(one.held for one in outcomes), runs),
        "named_wrong": _share(sum(bool(set(one.named) - set(one.guilty)) for one in outcomes), runs),
        "named_none": _share(sum(not one.named for one in outcomes), runs),
        "incidents": sum(one.incidents for one in outcomes),
        "early": sum(one.early for one in outcomes),
        "quarantined": sum(one.quarantined for one in outcomes),
        "condition_right_at_the_end": sum(bool(one.condition_right) for one in outcomes),
        "condition_right_soon": _share(sum(settled), len(settled)),
        "named_within_twice_the_oracle": _share(sum(early_enough), len(early_enough)),
        "minutes_behind_oracle": _spread(behind),
        "minutes_behind_its_opening": _spread(behind_opening),
        "alarm_delay_min": _spread([one.alarm_delay_min for one in outcomes if one.alarm_delay_min is not None]),
        "crashed_at_alarm": _spread(crashed),
        "seconds": round(sum(one.seconds for one in outcomes), 1),
        "synthetic": True,
    }


def _share(hits: int, runs: int) -> dict[str, Any] | None:
    if not runs:
        return None
    low, high = clopper_pearson(hits, runs)
    return {"of": runs, "hits": hits, "low": round(low, 4), "high": round(high, 4)}


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """Median, 95th percentile and the highest."""
    if not values:
        return None
    ordered = sorted(values)
    return {
        "median": round(ordered[len(ordered) // 2], 2),
        "p95": round(ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)], 2),
        "highest": round(ordered[-1], 2),
    }
