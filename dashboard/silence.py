"""What the curve has beside crashes: servers that went dark, and from when on reports are still on their way."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from dashboard.charts import Settled
from dashboard.data import Feed
from dashboard.rates import LOG_ABOVE, Rates
from dashboard.selection import HOST_FILTERS, Selection
from dashboard.snapshot import Snapshot
from dashboard.wording import clock, count

# That a session ended is known ten minutes after it did, by the contract.
_END_KNOWN_AFTER = timedelta(minutes=10)

_FEW = 5  # servers: one of a small fleet is many times what is usual

QUESTION = "servers_dark_by_minute"


def asked_of_dark(selection: Selection, bucket_s: int, by: str) -> dict[str, Any]:
    """The parameters of ``servers_dark_by_minute`` for a selection."""
    filters = {name: list(values) for name, values in asdict(selection.filters).items() if name in HOST_FILTERS}
    return {"since": selection.since, "until": selection.until, "bucket_s": bucket_s, "by": by, **filters}


def servers_dark(feed: Feed, selection: Selection, snapshot: Snapshot, bucket_s: int, by: str) -> pd.DataFrame:
    """Servers that went dark by bucket and line; no row where nobody tells, or where filters are not of hosts alone.

    Raises:
        QueryFailed: the lake or the query failed.
    """
    filters = selection.filters
    is_told = snapshot.fleet.get("has_presence") and not (filters.updates or filters.channels or filters.only_crashes)
    if not is_told:
        return pd.DataFrame({"bucket_start": [], "line": [], "servers_dark": []})
    return feed.frame(QUESTION, **asked_of_dark(selection, bucket_s, by))


def dark_rates(dark: pd.DataFrame, fleet: pd.DataFrame) -> pd.DataFrame:
    """Servers that went dark by bucket, all together, per hour of all hosts that were online.

    Args:
        dark: as of ``servers_dark``. fleet: rows of the curve, with the host-hours of each bucket.
    """
    servers = dark.groupby("bucket_start", as_index=False)["servers_dark"].sum()
    hours = fleet.groupby("bucket_start", as_index=False)["host_hours"].sum()
    rated = servers.merge(hours, how="inner", on="bucket_start")
    rated = rated[rated["host_hours"] > 0]
    return rated.assign(rate=rated["servers_dark"] / rated["host_hours"])


def flattens(dark: pd.DataFrame, rates: Rates) -> bool:
    """Whether servers went dark so often that crashes would be flat beside it on a linear axis.

    Args:
        dark: as of ``dark_rates``.
    """
    most = dark[dark["servers_dark"] >= _FEW]["rate"].max()
    return bool(most > LOG_ABOVE * (rates.peak or rates.baseline or 0.0))  # of none at all it is not a number


def settled_until(feed: Feed, selection: Selection, snapshot: Snapshot) -> Settled | None:
    """Up to when reports have come; None where all of the window has, as far as anybody can tell.

    Raises:
        QueryFailed: the lake or the query failed.
    """
    late_s = feed.frame("crashes_lateness").iloc[0]["late_s"]
    late = timedelta(seconds=float(late_s)) if pd.notna(late_s) else timedelta(0)
    of_silence = _END_KNOWN_AFTER if snapshot.fleet.get("has_presence") else timedelta(0)
    settled = Settled(snapshot.newest - late, snapshot.newest - max(late, of_silence))
    return settled if settled.all_of_it < min(snapshot.newest, selection.until) else None


def remarks(dark: pd.DataFrame, settled: Settled | None, until: datetime) -> list[str]:
    """What the curve shows beside crashes, in words.

    Args:
        dark: as of ``dark_rates``. settled: as of ``settled_until``. until: the end of the window.
    """
    said = []
    if len(dark):
        most = dark.loc[dark["servers_dark"].idxmax(), "bucket_start"]
        said.append(
            f"Bars are servers that went dark, {count(dark['servers_dark'].sum())} in all, most from "
            f"{clock(most.to_pydatetime(), beside=until)} on."
        )
    if settled is not None:
        since = clock(settled.all_of_it, beside=until)
        said.append(f"What happened since {since} is still being reported: the end of the curve may yet rise.")
    return said
