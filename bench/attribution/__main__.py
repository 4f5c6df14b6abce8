"""Does the detector name the update, how soon, and does it keep quiet? On simulated fleets, with other seeds each.

    python -m bench.attribution --pool acute --runs 200
    python -m bench.attribution --pool acute --runs 600 --keep acute.jsonl      in as many sittings as it takes
    python -m bench.attribution channel-file-291 --seeds 20
    python -m bench.attribution path/to/records        a folder of records with a truth.json

A pool plays its scenarios in turn, with seeds that follow from the text of the detector, so that they were not seen
while it was written. Prints one JSON line a fleet and one for all of them. With --keep each fleet's outcome is added to
a file as well, and one that is in it, of the same detector, is not played again. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from bench.attribution.outcome import Outcome, run
from bench.attribution.pools import POOLS, summary, text_of_detector


def main() -> int:
    """Judge the fleets asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.attribution", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", nargs="?", help="a scenario's name, its TOML, or a folder with a truth.json")
    parser.add_argument("--seeds", type=int, default=20, help="of a scenario")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--pool", choices=POOLS)
    parser.add_argument("--runs", type=int, default=100, help="of a pool")
    parser.add_argument("--hosts", type=int)
    parser.add_argument("--days", type=int)
    parser.add_argument("--keep", type=Path, help="file of outcomes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    chosen = parser.parse_args()
    if (chosen.scenario is None) == (chosen.pool is None):
        parser.error("give either a scenario or a --pool")
    fleets = _asked_for(chosen)
    kept = {} if chosen.keep is None else kept_in(chosen.keep)
    outcomes = [kept[one] for one in fleets if one in kept]
    for fleet, outcome in _judged([one for one in fleets if one not in kept], chosen.jobs):
        outcomes.append(outcome)
        print(json.dumps(asdict(outcome)), flush=True)
        if chosen.keep is not None:
            with chosen.keep.open("a") as file:
                file.write(json.dumps({**asdict(fleet), "outcome": asdict(outcome)}) + "\n")
    print(json.dumps(summary(outcomes)))
    return 0


@dataclass(frozen=True)
class Fleet:
    """What is played: hosts and days None as the scenario says, and by which text of the detector."""

    scenario: str
    seed: int
    hosts: int | None
    days: int | None
    detector: str


def kept_in(path: Path) -> dict[Fleet, Outcome]:
    """The outcomes of a file, a JSON line each; none where it is not there yet. A line that was cut short is none."""
    kept = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            read = json.loads(line)
        except json.JSONDecodeError:
            continue
        kept[Fleet(**{key: value for key, value in read.items() if key != "outcome"})] = Outcome(**read["outcome"])
    return kept


def _asked_for(chosen: argparse.Namespace) -> list[Fleet]:
    if chosen.pool is not None:
        pool = POOLS[chosen.pool]
        seeds = list(pool.fleets(chosen.runs))
        hosts, days = chosen.hosts or pool.hosts, chosen.days or pool.days
    else:
        number = 1 if Path(chosen.scenario).is_dir() else chosen.seeds
        seeds = [(chosen.scenario, chosen.first_seed + one) for one in range(number)]
        hosts, days = chosen.hosts, chosen.days
    detector = text_of_detector()
    return [Fleet(scenario, seed, hosts, days, detector) for scenario, seed in seeds]


def _judged(fleets: Sequence[Fleet], jobs: int) -> Iterator[tuple[Fleet, Outcome]]:
    """What is said of each fleet, in the order in which that is known."""
    # One thread of linear algebra a process: two processes with two each wait for one another most of the time.
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        waiting = {workers.submit(run, one.scenario, one.seed, hosts=one.hosts, days=one.days): one for one in fleets}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


if __name__ == "__main__":
    sys.exit(main())
