"""Rises that no update brought, planted in the records of a fleet."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd

from bench.attribution.planting import (
    LOST,
    Frames,
    after,
    end_of,
    lose_installs,
    online_then,
    read_fleet,
    sessions_in_order,
    strike,
    write_fleet,
)

_KEYS = (None, "region", "group", "customer", "model", "os_version", "agent_version")
_HOWS = ("steady", "online", "boot", "silent")
_LASTS_MIN = (30, 240, 720)
_SHARES = (0.05, 0.2, 0.8)
_WAITS_S = (300.0, 1200.0, 3600.0)  # median, of what strikes some time after a host comes online
_CUSTOMERS = 30
_LEAST_HIT = 20  # hosts, or another rise is drawn
_TRIES = 100


def plant_rival(source: Path, out: Path, seed: int) -> dict[str, Any]:
    """Write the records of a fleet with a rise in them that follows no update, and its truth beside them.

    It strikes hosts of one OS that have something in common: at a steady rate, some time after they come online, at
    their next boot, or by silence. Where the inventory names no customers, hosts get one.

    Returns:
        The truth, as a simulated fleet has it, and what was drawn.
    """
    frames, draw = read_fleet(source), Random(seed)
    if "customer" not in frames["host"]:
        shares = 1.0 / np.arange(1, _CUSTOMERS + 1)
        number = np.random.default_rng(seed).choice(_CUSTOMERS, len(frames["host"]), p=shares / shares.sum())
        of_host = dict(zip(frames["host"]["host_id"], number, strict=True))
        frames["host"]["customer"] = [f"customer-{of_host[host]}" for host in frames["host"]["host_id"]]
    for _ in range(_TRIES):
        rise = _drawn(frames, draw)
        hits = _hits(frames, rise, np.random.default_rng(draw.randrange(2**32)))
        if len(hits) >= _LEAST_HIT:
            break
    else:
        raise SystemExit(f"{source} has no hosts that enough of could be struck.")
    silent = rise["how"] == "silent"
    strike(frames, hits, silent=silent, prefix=f"rival-{seed}", draw=np.random.default_rng(seed))
    lose_installs(frames, rise["lost"], np.random.default_rng(seed))
    truth = {"scenario": f"rival in {source.name}", "seed": seed, "guilty": None, "hosts_hit": len(hits), **rise}
    write_fleet(frames, out, truth)
    return truth


def _drawn(frames: Frames, draw: Random) -> dict[str, Any]:
    hosts = frames["host"]
    where = {"os_type": hosts["os_type"].mode()[0]}
    inside = hosts[hosts["os_type"] == where["os_type"]]
    key = draw.choice([key for key in _KEYS if key is None or key in hosts])
    if key is not None:
        where[key] = draw.choice(sorted(inside[key].dropna().unique()))
    last_day = end_of(frames) - pd.Timedelta(days=1)
    return {
        "where": where,
        "how": draw.choice(_HOWS),
        "at": (last_day + pd.Timedelta(minutes=draw.randrange(60, 1200))).isoformat(),
        "lasts_min": draw.choice(_LASTS_MIN),
        "share": draw.choice(_SHARES),
        "wait_s": draw.choice(_WAITS_S),
        "lost": draw.choice(LOST),
    }


def _hits(frames: Frames, rise: dict[str, Any], draw: np.random.Generator) -> pd.DataFrame:
    hosts = frames["host"]
    meets = np.logical_and.reduce([hosts[key] == value for key, value in rise["where"].items()])
    chosen = hosts["host_id"][meets].drop_duplicates()
    chosen = chosen[draw.random(len(chosen)) < rise["share"]]
    begins, ends = pd.Timestamp(rise["at"]), pd.Timestamp(rise["at"]) + pd.Timedelta(minutes=rise["lasts_min"])
    if rise["how"] in ("steady", "silent"):
        lasts_s = 60.0 * rise["lasts_min"] / (10.0 if rise["how"] == "silent" else 1.0)
        offsets = (draw.random(len(chosen)) * lasts_s * 1e6).astype("timedelta64[us]")
        struck = pd.DataFrame({"host_id": chosen.reset_index(drop=True), "at": begins.to_numpy() + offsets})
    else:
        sessions = sessions_in_order(frames)
        came = sessions[sessions["host_id"].isin(chosen) & sessions["online_from"].between(begins, ends)]
        first = came.drop_duplicates("host_id")
        wait_s = 40.0 if rise["how"] == "boot" else rise["wait_s"]
        struck = pd.DataFrame(
            {"host_id": first["host_id"], "at": first["online_from"] + after(wait_s, len(first), draw)}
        )
    struck["at"] = struck["at"].astype(frames["session"]["online_from"].dtype)
    return online_then(frames, struck)
