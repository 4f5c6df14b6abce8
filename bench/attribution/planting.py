"""Changing the records of a fleet so that hosts crash, or fall silent, that did not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_TABLES = ("crash", "host", "install", "session", "update")
_STAY_OFF = 0.2  # of the hosts that crash

LOST = (0.0, 0.0, 0.0, 0.3)
"""Of all installs nobody tells such a share; to draw from."""

Frames = dict[str, pd.DataFrame]


def read_fleet(source: Path) -> Frames:
    """The records of a folder, their times in UTC without saying so, which is easier to reckon with."""
    frames = {}
    for table in _TABLES:
        frame = pd.read_parquet(source / f"{table}.parquet")
        for name in frame.select_dtypes("datetimetz"):
            frame[name] = frame[name].dt.tz_convert(None)
        frames[table] = frame
    return frames


def write_fleet(frames: Frames, out: Path, truth: dict[str, Any]) -> None:
    """Write records into a new folder, and their truth beside them."""
    out.mkdir(parents=True)
    for table, frame in frames.items():
        times = {name: frame[name].dt.tz_localize("UTC") for name in frame.select_dtypes("datetime")}
        frame.assign(**times).to_parquet(out / f"{table}.parquet", index=False)
    (out / "truth.json").write_text(json.dumps(truth))


def sample(frames: Frames, hosts: int, draw: np.random.Generator) -> None:
    """Leave so many hosts with all that is told of them, drawn at random, where there are more."""
    every = frames["host"]["host_id"].unique()
    kept = set(draw.choice(every, min(hosts, len(every)), replace=False))
    for table in ("host", "install", "session", "crash"):
        frame = frames[table]
        frames[table] = frame[frame["host_id"].isin(kept)].reset_index(drop=True)


def lose_installs(frames: Frames, share: float, draw: np.random.Generator) -> None:
    """Leave out such a share of all installs, drawn at random."""
    installs = frames["install"]
    frames["install"] = installs[draw.random(len(installs)) >= share].reset_index(drop=True)


def end_of(frames: Frames) -> pd.Timestamp:
    """When presence was last told of."""
    return max(frames["session"]["online_from"].max(), frames["session"]["online_until"].max())


def after(median_s: float, count: int, draw: np.random.Generator) -> npt.NDArray[np.timedelta64]:
    """(count,) times that something takes, some much longer than the median."""
    return (draw.lognormal(np.log(median_s), 0.7, count) * 1e6).astype("timedelta64[us]")


def sessions_in_order(frames: Frames) -> pd.DataFrame:
    """Sessions by when they began, with ``row``, their place among the records."""
    sessions = frames["session"].reset_index(names="row")[["row", "host_id", "online_from", "online_until"]]
    return sessions.sort_values("online_from")


def next_session(frames: Frames, rows: pd.DataFrame, *, since: str) -> pd.DataFrame:
    """Rows with ``online_from`` of their host's first session since a time of theirs; without those that have none."""
    return pd.merge_asof(
        rows.sort_values(since),
        sessions_in_order(frames)[["host_id", "online_from"]],
        left_on=since,
        right_on="online_from",
        by="host_id",
        direction="forward",
        allow_exact_matches=False,
    ).dropna(subset="online_from")


def online_then(frames: Frames, struck: pd.DataFrame) -> pd.DataFrame:
    """Those of some hosts (``host_id``, ``at``) that were online then, with ``row`` of that session, once a session."""
    joined = pd.merge_asof(
        struck.sort_values("at"),
        sessions_in_order(frames),
        left_on="at",
        right_on="online_from",
        by="host_id",
        direction="backward",
    )
    online = joined["online_until"].isna() | (joined["online_until"] > joined["at"])
    inside = joined["row"].notna() & online & (joined["at"] < end_of(frames))
    return joined[inside].drop_duplicates("row")[["host_id", "at", "row"]]


def strike(
    frames: Frames, hits: pd.DataFrame, *, silent: bool, prefix: str, draw: np.random.Generator, late: bool = False
) -> None:
    """Let hosts crash, or only fall silent, in the sessions that ``online_then`` told.

    Args:
        late: a crash is told as the host is back, and one from which it does not come back never is.
    """
    frames["session"] = _cut(frames["session"], hits, silent=silent, draw=draw)
    if not silent:
        crashes = _crashes(frames["host"], hits, draw, prefix=prefix)
        if late:
            crashes = _told_on_return(frames, crashes, draw)
        frames["crash"] = pd.concat([frames["crash"], crashes], ignore_index=True)


def _told_on_return(frames: Frames, crashes: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    told = next_session(frames, crashes, since="occurred_at")
    told["received_at"] = told["online_from"] + after(60.0, len(told), draw)
    return told.drop(columns="online_from")


def _cut(sessions: pd.DataFrame, hits: pd.DataFrame, *, silent: bool, draw: np.random.Generator) -> pd.DataFrame:
    """The sessions, those that were struck ending there; most hosts that crashed are back minutes later."""
    sessions, rows = sessions.copy(), hits["row"].astype(int).to_numpy()
    until = sessions["online_until"].iloc[rows].to_numpy()
    at = hits["at"].to_numpy()
    sessions.iloc[rows, sessions.columns.get_loc("online_until")] = hits["at"]
    if silent:
        return sessions
    back = at + after(240.0, len(hits), draw)
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
        received_at=crashes["at"] + after(240.0, len(crashes), draw),
        code="0x50",
        module="planted.sys",
    )
