"""Does the detector name the update, how soon, and does it keep quiet? On simulated fleets, with other seeds each.

    python -m bench.attribution --pool acute --runs 200
    python -m bench.attribution --pool acute --runs 600 --keep acute.jsonl      in as many sittings as it takes
    python -m bench.attribution channel-file-291 --seeds 20
    python -m bench.attribution path/to/records        a folder of records with a truth.json

A pool plays its scenarios in turn, with seeds that follow from the text of the detector, so that they were not seen
while it was written. Prints one JSON line a fleet and one for all of them. With --keep each fleet's line is added to a
file as well, and a fleet whose line is in it is not played again. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from bench.attribution.outcome import Outcome, run
from bench.attribution.pools import POOLS, summary


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
    parser.add_argument("--keep", type=Path, help="file of outcomes, of one number of hosts and days")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    chosen = parser.parse_args()
    if (chosen.scenario is None) == (chosen.pool is None):
        parser.error("give either a scenario or a --pool")
    fleets, hosts, days = _asked_for(chosen)
    kept = [] if chosen.keep is None else outcomes_in(chosen.keep)
    outcomes = [one for one in kept if (one.scenario, one.seed) in fleets]
    played = {(one.scenario, one.seed) for one in outcomes}
    for outcome in _judged([one for one in fleets if one not in played], hosts, days, chosen.jobs):
        outcomes.append(outcome)
        line = json.dumps(asdict(outcome))
        print(line, flush=True)
        if chosen.keep is not None:
            with chosen.keep.open("a") as file:
                file.write(f"{line}\n")
    print(json.dumps(summary(outcomes)))
    return 0


def outcomes_in(path: Path) -> list[Outcome]:
    """The outcomes of a file, a JSON line each; none where it is not there yet."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Outcome(**json.loads(line)) for line in lines]


def _asked_for(chosen: argparse.Namespace) -> tuple[list[tuple[str, int]], int | None, int | None]:
    """Scenario and seed of each fleet, and the hosts and days of all; None: as the scenario says."""
    if chosen.pool is not None:
        pool = POOLS[chosen.pool]
        return list(pool.fleets(chosen.runs)), chosen.hosts or pool.hosts, chosen.days or pool.days
    seeds = 1 if Path(chosen.scenario).is_dir() else chosen.seeds
    fleets = [(chosen.scenario, chosen.first_seed + number) for number in range(seeds)]
    return fleets, chosen.hosts, chosen.days


def _judged(fleets: Sequence[tuple[str, int]], hosts: int | None, days: int | None, jobs: int) -> Iterator[Outcome]:
    """What is said of each fleet, in the order in which that is known."""
    # One thread of linear algebra a process: two processes with two each wait for one another most of the time.
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        waiting = [workers.submit(run, scenario, seed, hosts=hosts, days=days) for scenario, seed in fleets]
        for done in as_completed(waiting):
            yield done.result()


if __name__ == "__main__":
    sys.exit(main())
