"""Does the detector name an update in records that its authors did not make, with faults that they did not think of?

    python -m bench.attribution.planted path/to/records other/records --runs 24

Each folder has crash, host, install, session and update records as Parquet, of a fleet in which no update did any harm.
In each run a fault of an update in one of them is drawn: of which kind it is, whom it hits and how many of them, how
long it waits after the install, or for the next boot, whether it strikes once, in a loop or at a steady rate, whether
hosts crash or only fall silent, and whether they tell at once or when they are back; of how many hosts the fleet is,
and whether installs are lost. Their crashes are added, and their sessions cut. With --rivals it is a rise that no
update brought: hosts that have something else in common crash for a while. Seeds follow from the text of the detector,
as those of a pool do. Prints one JSON line a run and one for all. The faults are synthetic, whatever the fleet is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
    LOST,
    Frames,
    after,
    lose_installs,
    next_session,
    online_then,
    read_fleet,
    sample,
    strike,
    write_fleet,
)
from bench.attribution.pools import seed_of, summary
from bench.attribution.rivals import plant_rival
from fleetcrash.attribution.conditions.grammar import matcher, version_key

_KINDS = ("content", "content", "agent", "os_patch", "driver")
_SHARES = (0.02, 0.1, 0.5)
_WAITS_S = (15.0, 60.0, 600.0, 5400.0, None)  # median; None: until the next boot
_COURSES = ("once", "once", "loop", "rate")
_GOES_ON = 0.75  # of the hosts in a loop crash once more ...
_MOST_CRASHES = 6  # ... up to so many times
_AGAIN_S = 900.0  # median
_RATES_PER_H = (0.05, 0.3, 1.5)
_LASTS_H = (2.0, 6.0, 72.0)  # since the release, at a rate
_SILENT = 0.2  # of the faults only silence hosts
_LATE = 0.2  # of the others are told when the host is back
_HOSTS = (3000, 8000, None)  # None: all
_LEAST_HOSTS = 500  # got an update whose fault is worth looking for
_LEAST_HIT = 20  # hosts, or a fault is drawn anew
_TRIES = 50


def plant(source: Path, out: Path, seed: int) -> dict[str, Any]:
    """Write the records of a fleet with a fault in them, and its truth beside them.

    Returns:
        The truth, as a simulated fleet has it, and what was drawn.
    """
    whole, draw = read_fleet(source), Random(seed)
    if (hosts := draw.choice(_HOSTS)) is not None:
        sample(whole, hosts, np.random.default_rng(seed))
    for _ in range(_TRIES):
        frames, truth = dict(whole), _drawn(whole, draw)
        struck = _strike(frames, truth, f"planted-{seed}", np.random.default_rng(draw.randrange(2**32)))
        if struck.nunique() >= _LEAST_HIT:
            break
    else:
        raise SystemExit(f"{source} has no update that {_LEAST_HOSTS} hosts installed and were online after.")
    size = frames["host"]["host_id"].nunique()
    truth |= {"scenario": f"planted in {source.name}", "seed": seed, "hosts": size}
    truth |= {"hosts_hit": struck.nunique(), "strikes": len(struck), "lost": draw.choice(LOST)}
    lose_installs(frames, truth["lost"], np.random.default_rng(seed))
    write_fleet(frames, out, truth)
    return truth


def _drawn(frames: Frames, draw: Random) -> dict[str, Any]:
    updates = frames["update"].set_index("update_id")
    reached = frames["install"].groupby("update_id")["host_id"].nunique()
    common = [name for name in reached.index[reached >= _LEAST_HOSTS] if name in updates.index]
    kind, silent = draw.choice(_KINDS), draw.random() < _SILENT
    guilty = draw.choice([name for name in common if updates.loc[name, "kind"] == kind] or common)
    return {
        "guilty": guilty,
        "guilty_kind": updates.loc[guilty, "kind"],
        "released_at": pd.to_datetime(updates.loc[guilty, "released_at"], utc=True).isoformat(),
        "condition": _condition(frames["host"], draw),
        "share": draw.choice(_SHARES),
        "wait_s": draw.choice(_WAITS_S),
        "course": "once" if silent else draw.choice(_COURSES),
        "rate_per_h": draw.choice(_RATES_PER_H),
        "lasts_h": draw.choice(_LASTS_H),
        "silent": silent,
        "late": draw.random() < _LATE and not silent,
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


def _strike(frames: Frames, truth: dict[str, Any], prefix: str, draw: np.random.Generator) -> pd.Series[str]:
    """Let the fault strike, changing the records. Returns the host of each strike."""
    hit = _whom(frames, truth, draw)
    struck = [pd.Series([], dtype="str")]
    for number, at in enumerate(_rounds(frames, truth, hit, draw)):
        hits = online_then(frames, at)
        told = {"silent": truth["silent"], "late": truth["late"], "prefix": f"{prefix}-{number}"}
        strike(frames, hits, draw=draw, **told)
        struck.append(hits["host_id"])
    return pd.concat(struck)


def _whom(frames: Frames, truth: dict[str, Any], draw: np.random.Generator) -> pd.DataFrame:
    """host_id and applied_at of the hosts that the fault strikes, if they are online then."""
    hosts, installs = frames["host"], frames["install"]
    meets = np.ones(len(hosts), bool)
    for key, text in truth["condition"].items():
        accepts: Callable[[str | None], bool] = matcher(text)
        meets &= hosts[key].map(accepts).to_numpy(bool)
    got = installs[(installs["update_id"] == truth["guilty"]) & installs["host_id"].isin(hosts["host_id"][meets])]
    return got[draw.random(len(got)) < truth["share"]][["host_id", "applied_at"]]


def _rounds(
    frames: Frames, truth: dict[str, Any], hit: pd.DataFrame, draw: np.random.Generator
) -> Iterator[pd.DataFrame]:
    """host_id and at of when each host is struck, then of when it is struck again, and so on."""
    if truth["course"] == "rate":
        yield from _at_rate(truth, hit, draw)
        return
    struck = _first(frames, truth, hit, draw)
    yield struck
    for _ in range(_MOST_CRASHES - 1 if truth["course"] == "loop" else 0):
        struck = struck[draw.random(len(struck)) < _GOES_ON]
        struck = struck.assign(at=struck["at"] + after(_AGAIN_S, len(struck), draw))
        yield struck


def _first(frames: Frames, truth: dict[str, Any], hit: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    if truth["wait_s"] is not None:
        return hit.assign(at=hit["applied_at"] + after(truth["wait_s"], len(hit), draw))
    boots = next_session(frames, hit, since="applied_at")
    return boots.assign(at=boots["online_from"] + after(40.0, len(boots), draw))


def _at_rate(truth: dict[str, Any], hit: pd.DataFrame, draw: np.random.Generator) -> Iterator[pd.DataFrame]:
    """As often as the rate says for as long as the fault lasts, were the hosts online all the time."""
    until = pd.Timestamp(truth["released_at"]).tz_convert(None) + pd.Timedelta(hours=truth["lasts_h"])
    struck = hit.assign(at=hit["applied_at"])
    while len(struck):
        wait = (draw.exponential(3600.0 / truth["rate_per_h"], len(struck)) * 1e6).astype("timedelta64[us]")
        struck = struck.assign(at=struck["at"] + wait)
        struck = struck[struck["at"] < until]
        yield struck


def planted(source: str, seed: int) -> Outcome:
    """Plant a fault in the records of a folder, and judge them."""
    found, truth = _judged(plant, source, seed)
    wait = "boot" if truth["wait_s"] is None else f"{truth['wait_s']:.0f} s"
    how = f"{truth['rate_per_h']}/h" if truth["course"] == "rate" else f"{truth['course']} after {wait}"
    whom = f"{truth['hosts_hit']} of {truth['hosts']} hosts {'silent' if truth['silent'] else 'crash'}"
    told = ", told late" if truth["late"] else ""
    scenario = f"{found.scenario}: {truth['guilty_kind']}, {whom}, {how}{told}{_said_of_lost(truth)}"
    return replace(found, scenario=scenario)


def rivalled(source: str, seed: int) -> Outcome:
    """Plant a rise that no update brought, and judge the records."""
    found, truth = _judged(plant_rival, source, seed)
    where = ", ".join(f"{key} {value}" for key, value in truth["where"].items())
    how = f"{truth['how']}, {truth['hosts_hit']} hosts of {where} for {truth['lasts_min']} min from {truth['at']}"
    return replace(found, scenario=f"{found.scenario}: {how}{_said_of_lost(truth)}")


def _said_of_lost(truth: dict[str, Any]) -> str:
    return f", {truth['lost']:.0%} of installs lost" if truth["lost"] else ""


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
