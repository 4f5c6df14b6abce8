"""How the detector fares beside an oracle and beside methods that others use, on simulated fleets.

    python -m bench.scoreboard --seeds 5 --hosts 3000 --jobs 2     writes docs/scoreboard.md
    python -m bench.scoreboard --small                             fails when the detector got worse; writes nothing

Prints one JSON line for every fleet and method. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from math import inf, nextafter
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import fleetcrash.attribution
from bench.scoreboard.baselines import BASELINES
from bench.scoreboard.fleets import OURS, Row, Verdict, play, train
from bench.scoreboard.page import Settings, page

HERE = Path(__file__).parent
FLOOR = HERE / "floor.json"
SCENARIOS = sorted(path.stem for path in (HERE.parents[1] / "sample_data" / "scenarios").glob("*.toml"))
# These show themselves among 400,000 hosts, not among thousands; slow-burn-small is for those.
TOO_LARGE = ("slow-burn", "slow-burn-trickling")
FIRST_TRAINING_SEED = 900_001

T = TypeVar("T")


@dataclass(frozen=True)
class Small:
    """The run that guards against getting worse: a few scenarios that differ, one seed each."""

    scenarios: tuple[str, ...] = (
        "channel-file-291", "two-updates", "fault-that-ends", "driver-guilty", "only-one-model",
        "region-outage", "site-outage", "customer-driver", "wave-after-push", "quiet",
    )  # fmt: skip
    seed: int = 11
    hosts: int = 800
    training: int = 2


def main() -> int:
    """Play the fleets asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scoreboard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="of each scenario")
    parser.add_argument("--first-seed", type=int, default=5001)
    parser.add_argument("--hosts", type=int, default=3000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--training", type=int, default=20, help="quiet fleets on which thresholds are tuned")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, help="default: all but slow burns of large fleets")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--size", default="", help="how the page marks a run that is not a full one")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "docs" / "scoreboard.md")
    parser.add_argument("--small", action="store_true", help="the fixed small run, held against its floor")
    chosen = parser.parse_args()
    # One thread of linear algebra a process: two processes with two each wait for one another most of the time.
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as workers:
        if chosen.small:
            small = Small()
            tuned, _ = _tuned(workers, small.training, small.hosts, chosen.days)
            fleets = [(scenario, small.seed) for scenario in small.scenarios]
            return held_to(json.loads(FLOOR.read_text()), _played(workers, fleets, small.hosts, chosen.days, tuned))
        scenarios = chosen.scenarios or [name for name in SCENARIOS if name not in TOO_LARGE]
        tuned, false_alarms = _tuned(workers, chosen.training, chosen.hosts, chosen.days)
        seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
        fleets = [(scenario, seed) for scenario in scenarios for seed in seeds]
        rows = _played(workers, fleets, chosen.hosts, chosen.days, tuned)
    settings = Settings(
        command=shlex.join(["python", "-m", "bench.scoreboard", *sys.argv[1:]]),
        detector=detector_digest(),
        size=chosen.size,
        seeds=chosen.seeds,
        scenarios=len(scenarios),
        hosts=chosen.hosts,
        days=chosen.days,
        training=chosen.training,
        false_alarms=false_alarms,
        thresholds=tuned,
    )
    chosen.out.write_text(page(rows, settings))
    return 0


def detector_digest() -> str:
    """Twelve digits that tell one detector from another: of the text of fleetcrash.attribution."""
    digest = hashlib.sha256()
    for path in sorted(Path(fleetcrash.attribution.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def thresholds(highest: Sequence[dict[str, float]]) -> tuple[dict[str, float], int]:
    """The score of each baseline that it reaches on as many quiet fleets as the detector blames an update on.

    Args:
        highest: of each fleet, as ``train`` returns it.
    Returns:
        The thresholds, and on how many fleets the detector blamed an update.
    """
    false_alarms = sum(each[OURS] > 0 for each in highest)
    tuned = {}
    for name in BASELINES:
        scores = sorted((each[name] for each in highest), reverse=True)
        tuned[name] = nextafter(scores[false_alarms], inf) if false_alarms < len(scores) else 0.0
    return tuned, false_alarms


def held_to(floor: dict[str, int], rows: Sequence[Row]) -> int:
    """Whether the detector is right as often and wrong as seldom as the floor says: 0, else 1 and why on stderr."""
    mine = [row for row in rows if row.method == OURS]
    correct, wrong = (sum(row.verdict is verdict for row in mine) for verdict in (Verdict.CORRECT, Verdict.WRONG))
    if correct >= floor["correct"] and wrong <= floor["wrong"]:
        print(f"{correct} correct, {wrong} wrong of {len(mine)} fleets: no worse than the floor.", file=sys.stderr)
        return 0
    failed = [f"{row.scenario} {row.seed}: {row.verdict}" for row in mine if row.verdict is not Verdict.CORRECT]
    print(
        f"{correct} correct and {wrong} wrong of {len(mine)} fleets; the floor in {FLOOR.name} is {floor['correct']} "
        f"and {floor['wrong']}. Not correct: {'; '.join(failed)}.",
        file=sys.stderr,
    )
    return 1


def _tuned(workers: ProcessPoolExecutor, fleets: int, hosts: int, days: int) -> tuple[dict[str, float], int]:
    asked = [("quiet", FIRST_TRAINING_SEED + number, hosts, days) for number in range(fleets)]
    return thresholds(list(_each(workers, train, asked)))


def _played(
    workers: ProcessPoolExecutor, fleets: Sequence[tuple[str, int]], hosts: int, days: int, tuned: dict[str, float]
) -> list[Row]:
    rows = []
    for found in _each(workers, play, [(scenario, seed, hosts, days, tuned) for scenario, seed in fleets]):
        rows += found
        for row in found:
            print(json.dumps(asdict(row)), flush=True)
    return rows


def _each(workers: ProcessPoolExecutor, work: Callable[..., T], asked: Sequence[tuple[Any, ...]]) -> Iterable[T]:
    """The results in the order of what was asked."""
    for waiting in [workers.submit(work, *arguments) for arguments in asked]:
        yield waiting.result()


if __name__ == "__main__":
    sys.exit(main())
