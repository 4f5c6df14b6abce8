"""Does the detector name an update in records that its authors did not make, with faults that they did not think of?

    python -m bench.attribution.planted path/to/records other/records --runs 24

Each folder has crash, host, install, session and update records as Parquet, of a fleet in which no update did any harm.
In each run a fault of an update in one of them is drawn: of which kind it is, whom it hits and how many of them, how
long it waits after the install, or for the next boot, and whether hosts crash or only fall silent. Their crashes are
added, and their sessions cut. Seeds follow from the text of the detector, as those of a pool do. Prints one JSON line a
run and one for all. The faults are synthetic, whatever the fleet is.
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
import numpy.typing as npt
import pandas as pd

from bench.attribution.outcome import Outcome, run
from bench.attribution.pools import seed_of, summary
from fleetcrash.attribution.conditions import matcher, version_key

_TABLES = ("crash", "host", "install", "session", "update")
_KINDS = ("content", "content", "agent", "os_patch", "driver")
_SHARES = (0.02, 0.1, 0.5)
_WAITS_S = (15.0, 60.0, 600.0, 5400.0, None)  # median; None: until the next boot
_SILENT = 0.2  # of the faults only silence hosts
_LEAST_HOSTS = 500  # got an update whose fault is worth looking for
_LEAST_HIT = 20  # hosts, or a fault is drawn anew
_TRIES = 50
_STAY_OFF = 0.2  # of the hosts that crash

Frames = dict[str, pd.DataFrame]


def plant(source: Path, out: Path, seed: int) -> dict[str, Any]:
    """Write the records of a fleet with a fault in them, and its truth beside them.

    Returns:
        The truth, as a simulated fleet has it, and what was drawn.
    """
    frames = {name: _read(source / f"{name}.parquet") for name in _TABLES}
    draw = Random(seed)
    for _ in range(_TRIES):
        truth = _drawn(frames, draw)
        hits = _hits(frames, truth, np.random.default_rng(draw.randrange(2**32)))
        if len(hits) >= _LEAST_HIT:
            break
    else:
        raise SystemExit(f"{source} has no update that {_LEAST_HOSTS} hosts installed and were online after.")
    shuffle = np.random.default_rng(seed)
    frames["session"] = _cut(frames["session"], hits, silent=truth["silent"], draw=shuffle)
    if not truth["silent"]:
        crashes = _crashes(frames["host"], hits, shuffle, prefix=f"planted-{seed}")
        frames["crash"] = pd.concat([frames["crash"], crashes], ignore_index=True)
    out.mkdir(parents=True)
    for name, frame in frames.items():
        _write(frame, out / f"{name}.parquet")
    truth |= {"scenario": f"planted in {source.name}", "seed": seed, "hosts_hit": len(hits)}
    (out / "truth.json").write_text(json.dumps(truth))
    return truth


def _read(path: Path) -> pd.DataFrame:
    """Records, their times in UTC without saying so, which is easier to reckon with."""
    frame = pd.read_parquet(path)
    for name in frame.select_dtypes("datetimetz"):
        frame[name] = frame[name].dt.tz_convert(None)
    return frame


def _write(frame: pd.DataFrame, path: Path) -> None:
    times = {name: frame[name].dt.tz_localize("UTC") for name in frame.select_dtypes("datetime")}
    frame.assign(**times).to_parquet(path, index=False)


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
    sessions = frames["session"].reset_index(names="row")[["row", "host_id", "online_from", "online_until"]]
    sessions = sessions.sort_values("online_from")
    if truth["wait_s"] is None:
        joined = pd.merge_asof(
            hit.sort_values("applied_at"),
            sessions,
            left_on="applied_at",
            right_on="online_from",
            by="host_id",
            direction="forward",
            allow_exact_matches=False,
        ).dropna(subset="online_from")
        joined["at"] = joined["online_from"] + _after(40.0, len(joined), draw)
    else:
        hit = hit.assign(at=hit["applied_at"] + _after(truth["wait_s"], len(hit), draw))
        joined = pd.merge_asof(
            hit.sort_values("at"), sessions, left_on="at", right_on="online_from", by="host_id", direction="backward"
        )
    online = joined["online_until"].isna() | (joined["online_until"] > joined["at"])
    inside = joined["row"].notna() & online & (joined["at"] < _end(frames))
    return joined[inside].drop_duplicates("row")[["host_id", "at", "row"]]


def _end(frames: Frames) -> pd.Timestamp:
    return max(frames["session"]["online_from"].max(), frames["session"]["online_until"].max())


def _after(median_s: float, count: int, draw: np.random.Generator) -> npt.NDArray[np.timedelta64]:
    return (draw.lognormal(np.log(median_s), 0.7, count) * 1e6).astype("timedelta64[us]")


def _cut(sessions: pd.DataFrame, hits: pd.DataFrame, *, silent: bool, draw: np.random.Generator) -> pd.DataFrame:
    """The sessions, those that were struck ending there; most hosts that crashed are back minutes later."""
    sessions, rows = sessions.copy(), hits["row"].astype(int).to_numpy()
    until = sessions["online_until"].iloc[rows].to_numpy()
    at = hits["at"].to_numpy()
    sessions.iloc[rows, sessions.columns.get_loc("online_until")] = hits["at"]
    if silent:
        return sessions
    back = at + _after(240.0, len(hits), draw)
    returns = (draw.random(len(hits)) >= _STAY_OFF) & (np.isnat(until) | (back < until))
    again = sessions.iloc[rows].assign(online_from=back, online_until=until)[returns]
    for name in ("online_from", "online_until"):
        again[name] = again[name].astype(sessions[name].dtype)
    return pd.concat([sessions, again], ignore_index=True)


def _crashes(hosts: pd.DataFrame, hits: pd.DataFrame, draw: np.random.Generator, *, prefix: str) -> pd.DataFrame:
    told = [name for name in ("os_type", "os_version", "os_build", "agent_version") if name in hosts]
    crashes = hits.merge(hosts[["host_id", *told]], on="host_id")
    return crashes[["host_id", *told]].assign(
        record="crash",
        crash_id=[f"{prefix}-{number}" for number in range(len(crashes))],
        occurred_at=crashes["at"],
        received_at=crashes["at"] + _after(240.0, len(crashes), draw),
        code="0x50",
        module="planted.sys",
    )


def planted(source: str, seed: int) -> Outcome:
    """Plant a fault in the records of a folder, and judge them."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "fleet"
        truth = plant(Path(source), folder, seed)
        found = run(str(folder), seed, hosts=None, days=None)
        wait = "boot" if truth["wait_s"] is None else f"{truth['wait_s']:.0f} s"
        how = f"{truth['guilty_kind']}, {truth['hosts_hit']} hosts {'silent' if truth['silent'] else 'crash'}, {wait}"
        return replace(found, scenario=f"{found.scenario}: {how}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge as many fleets as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="+")
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    chosen = parser.parse_args(arguments)
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
    outcomes = []
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as workers:
        sources = [chosen.folder[number % len(chosen.folder)] for number in range(chosen.runs)]
        for outcome in workers.map(planted, sources, [seed_of("planted", number) for number in range(chosen.runs)]):
            outcomes.append(outcome)
            print(json.dumps(asdict(outcome)), flush=True)
    print(json.dumps(summary(outcomes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
