"""Does the detector name an update in records that its authors did not make, with faults that they did not think of?

    python -m bench.attribution.planted path/to/records other/records --runs 24

Each folder has crash, host, install, session and update records as Parquet, of a fleet in which no update did any harm.
In each run a fault of an update in one of them is drawn: of which kind it is, whom it hits and how many of them, how
long it waits after the install, or for the next boot, and whether hosts crash or only fall silent. Their crashes are
added, and their sessions cut. With --rivals it is a rise that no update brought: hosts that have something else in
common crash for a while. Seeds follow from the text of the detector, as those of a pool do. Prints one JSON line a run
and one for all. The faults are synthetic, whatever the fleet is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd

from bench.attribution.outcome import Outcome, run
from bench.attribution.planting import (
    Frames,
    after,
    online_then,
    read_fleet,
    sessions_in_order,
    strike,
    write_fleet,
)
from bench.attribution.pools import seed_of, summary
from bench.attribution.rivals import plant_rival
from fleetcrash.attribution.conditions import matcher, version_key

_KINDS = ("content", "content", "agent", "os_patch", "driver")
_SHARES = (0.02, 0.1, 0.5)
_WAITS_S = (15.0, 60.0, 600.0, 5400.0, None)  # median; None: until the next boot
_SILENT = 0.2  # of the faults only silence hosts
_LEAST_HOSTS = 500  # got an update whose fault is worth looking for
_LEAST_HIT = 20  # hosts, or a fault is drawn anew
_TRIES = 50


def plant(source: Path, out: Path, seed: int) -> dict[str, Any]:
    """Write the records of a fleet with a fault in them, and its truth beside them.

    Returns:
        The truth, as a simulated fleet has it, and what was drawn.
    """
    frames, draw = read_fleet(source), Random(seed)
    for _ in range(_TRIES):
        truth = _drawn(frames, draw)
        hits = _hits(frames, truth, np.random.default_rng(draw.randrange(2**32)))
        if len(hits) >= _LEAST_HIT:
            break
    else:
        raise SystemExit(f"{source} has no update that {_LEAST_HOSTS} hosts installed and were online after.")
    strike(frames, hits, silent=truth["silent"], prefix=f"planted-{seed}", draw=np.random.default_rng(seed))
    truth |= {"scenario": f"planted in {source.name}", "seed": seed, "hosts_hit": len(hits)}
    write_fleet(frames, out, truth)
    return truth


def _drawn(frames: Frames, draw: Random) -> dict[str, Any]:
    updates = frames["update"].set_index("update_id")
    reached = frames["install"].groupby("update_id")["host_id"].nunique()
    common = [name for name in reached.index[reached >= _LEAST_HOSTS] if name in updates.index]
    kind = draw.choice(_KINDS)
    guilty = draw.choice([name for name in common if updates.loc[name, "kind"] == kind] or common)
    return {
        "guilty": guilty,
        "guilty_kind": updates.loc[guilty, "kind"],
        "released_at": pd.to_datetime(updates.loc[guilty, "released_at"], utc=True).isoformat(),
        "condition": _condition(frames["host"], draw),
        "share": draw.choice(_SHARES),
        "wait_s": draw.choice(_WAITS_S),
        "silent": draw.random() < _SILENT,
    }


def _condition(hosts: pd.DataFrame, draw: Random) -> dict[str, str]:
    condition = {"os_type": hosts["os_type"].mode()[0]}
    inside = hosts[hosts["os_type"] == condition["os_type"]]
    key = draw.choice([None, "os_version", "agent_version", "model", "region"])
    if key is not None and key in inside and inside[key].nunique() > 1:
        values = sorted(inside[key].dropna().unique(), key=version_key)
        value = draw.choice(values[1:])
        condition[key] = f">={value}" if key == "agent_version" else value
    return condition


def _hits(frames: Frames, truth: dict[str, Any], draw: np.random.Generator) -> pd.DataFrame:
    """host_id, at and the row of the session in which the fault struck, one row a host."""
    hosts, installs = frames["host"], frames["install"]
    meets = np.ones(len(hosts), bool)
    for key, text in truth["condition"].items():
        accepts: Callable[[str | None], bool] = matcher(text)
        meets &= hosts[key].map(accepts).to_numpy(bool)
    got = installs[(installs["update_id"] == truth["guilty"]) & installs["host_id"].isin(hosts["host_id"][meets])]
    hit = got[draw.random(len(got)) < truth["share"]][["host_id", "applied_at"]]
    if truth["wait_s"] is not None:
        return online_then(frames, hit.assign(at=hit["applied_at"] + after(truth["wait_s"], len(hit), draw)))
    boots = pd.merge_asof(
        hit.sort_values("applied_at"),
        sessions_in_order(frames),
        left_on="applied_at",
        right_on="online_from",
        by="host_id",
        direction="forward",
        allow_exact_matches=False,
    ).dropna(subset="online_from")
    at = boots["online_from"] + after(40.0, len(boots), draw)
    return online_then(frames, boots[["host_id", "applied_at"]].assign(at=at))


def planted(source: str, seed: int) -> Outcome:
    """Plant a fault in the records of a folder, and judge them."""
    found, truth = _judged(plant, source, seed)
    wait = "boot" if truth["wait_s"] is None else f"{truth['wait_s']:.0f} s"
    how = f"{truth['guilty_kind']}, {truth['hosts_hit']} hosts {'silent' if truth['silent'] else 'crash'}, {wait}"
    return replace(found, scenario=f"{found.scenario}: {how}")


def rivalled(source: str, seed: int) -> Outcome:
    """Plant a rise that no update brought, and judge the records."""
    found, truth = _judged(plant_rival, source, seed)
    where = ", ".join(f"{key} {value}" for key, value in truth["where"].items())
    how = f"{truth['how']}, {truth['hosts_hit']} hosts of {where} for {truth['lasts_min']} min from {truth['at']}"
    return replace(found, scenario=f"{found.scenario}: {how}")


def _judged(
    planter: Callable[[Path, Path, int], dict[str, Any]], source: str, seed: int
) -> tuple[Outcome, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "fleet"
        truth = planter(Path(source), folder, seed)
        return run(str(folder), seed, hosts=None, days=None), truth


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge as many fleets as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="+")
    parser.add_argument("--rivals", action="store_true", help="plant rises that no update brought: name nothing")
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    chosen = parser.parse_args(arguments)
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
    outcomes = []
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as workers:
        sources = [chosen.folder[number % len(chosen.folder)] for number in range(chosen.runs)]
        judged, pool = (rivalled, "rival") if chosen.rivals else (planted, "planted")
        for outcome in workers.map(judged, sources, [seed_of(pool, number) for number in range(chosen.runs)]):
            outcomes.append(outcome)
            print(json.dumps(asdict(outcome)), flush=True)
    print(json.dumps(summary(outcomes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
