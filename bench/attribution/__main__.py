"""Does the detector name the update, how soon, and does it keep quiet? On simulated fleets, with other seeds each.

    python -m bench.attribution --pool acute --runs 200
    python -m bench.attribution channel-file-291 --seeds 20
    python -m bench.attribution path/to/records        a folder of records with a truth.json

A pool plays its scenarios in turn, with seeds that follow from the text of the detector, so that they were not seen
while it was written. Prints one JSON line a fleet and one for all of them. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
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
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    chosen = parser.parse_args()
    if (chosen.scenario is None) == (chosen.pool is None):
        parser.error("give either a scenario or a --pool")
    outcomes = []
    for outcome in _judged(chosen):
        outcomes.append(outcome)
        print(json.dumps(asdict(outcome)), flush=True)
    print(json.dumps(summary(outcomes)))
    return 0


def _judged(chosen: argparse.Namespace) -> Iterator[Outcome]:
    if chosen.pool is not None:
        pool = POOLS[chosen.pool]
        fleets = list(pool.fleets(chosen.runs))
        hosts, days = chosen.hosts or pool.hosts, chosen.days or pool.days
    else:
        seeds = 1 if Path(chosen.scenario).is_dir() else chosen.seeds
        fleets = [(chosen.scenario, chosen.first_seed + number) for number in range(seeds)]
        hosts, days = chosen.hosts, chosen.days
    # One thread of linear algebra a process: two processes with two each wait for one another most of the time.
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as workers:
        waiting = [workers.submit(run, scenario, seed, hosts=hosts, days=days) for scenario, seed in fleets]
        for done in as_completed(waiting):
            yield done.result()


if __name__ == "__main__":
    sys.exit(main())
