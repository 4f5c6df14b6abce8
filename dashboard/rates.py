"""Sums over the answers of the counting queries: the rate now, its baseline, its peak. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from dashboard.figures import Buckets

# A bucket with fewer crashes is no peak to scale an axis for: one crash of a small fleet is many times the baseline.
_LEAST_CRASHES = 5

# A peak of more than so many times the baseline flattens everything else on a linear axis.
LOG_ABOVE = 20.0

_NEWS = timedelta(hours=2)
_ENOUGH = timedelta(hours=12)


@dataclass(frozen=True)
class Rates:
    """Rates per host-hour; None where there was no host-hour, which is not a rate of zero."""

    now: float | None
    now_crashes: int
    baseline: float | None
    peak: float | None
    peak_at: datetime | None
    peak_crashes: int = 0

    @property
    def over_baseline(self) -> float | None:
        """The rate now as a multiple of its baseline; None where the baseline has no crash."""
        if self.now is None or not self.baseline:
            return None
        return self.now / self.baseline

    @property
    def is_raised(self) -> bool:
        """Whether the rate now deserves attention: several times the baseline, and by more than one or two crashes."""
        return (self.over_baseline or 0.0) >= 3 and self.now_crashes >= _LEAST_CRASHES

    @property
    def wants_log(self) -> bool:
        """Whether the peak would flatten everything else on a linear axis."""
        if not self.peak or self.peak_crashes < _LEAST_CRASHES:
            return False
        return self.peak > LOG_ABOVE * (self.baseline or 0.0)


def summed(frame: pd.DataFrame) -> pd.DataFrame:
    """Crashes and host-hours per bucket, all groups together."""
    return frame.groupby("bucket_start", as_index=False)[["crashes", "host_hours"]].sum()


def peaks(lines: pd.DataFrame, rates: Rates) -> bool:
    """Whether the peak of one line alone, such as that of the few hosts with an update, would flatten everything else.

    Args:
        lines: crashes and rate by bucket and line.
    """
    peak = lines[lines["crashes"] >= _LEAST_CRASHES]["rate"].max()
    return bool(peak > LOG_ABOVE * (rates.baseline or 0.0))  # of none at all it is not a number


def with_silence(lines: pd.DataFrame, group: str, buckets: Buckets, begun: datetime) -> pd.DataFrame:
    """The lines for a lake with only crashes: zero where no crash was reported, from the first one ever reported.

    Before that there is no data, as nobody may have listened. (With presence, a bucket without a row has no data.)

    Args:
        lines: rows by ``bucket_start`` and ``group``, at least one.
        begun: time of the first crash of all.
    """
    starts = buckets.starts[buckets.starts + buckets.width > begun]
    whole = pd.MultiIndex.from_product([starts, sorted(set(lines[group]))], names=["bucket_start", group])
    known = lines.set_index(["bucket_start", group])
    filled: pd.DataFrame = known.reindex(whole.union(known.index)).reset_index()
    return filled.fillna({"crashes": 0, "host_hours": 0.0})


def calm(
    buckets: pd.DataFrame, bucket_s: float, *, until: datetime, disturbed: Sequence[tuple[datetime, datetime]]
) -> pd.DataFrame:
    """The buckets of a curve from which its baseline is taken.

    Args:
        buckets: crashes and host-hours by ``bucket_start``.
        until: end of the window; the two hours before it are no baseline.
        disturbed: stretches of incidents; they are no baseline either.
    """
    starts, width = buckets["bucket_start"], timedelta(seconds=bucket_s)
    is_calm = starts + width <= until - _NEWS
    for since, ended in disturbed:
        is_calm &= (starts + width <= since) | (starts >= ended)
    return buckets[is_calm]


def is_enough(calm_buckets: pd.DataFrame, bucket_s: float) -> bool:
    """Whether these buckets are enough for a baseline; else one should look further back."""
    return bool(calm_buckets["bucket_start"].nunique() * bucket_s >= _ENOUGH.total_seconds())


def measure(shown: pd.DataFrame, calm_buckets: pd.DataFrame, last_hour: pd.Series) -> Rates:
    """The last hour, the peak and the baseline of a curve.

    Args:
        shown: buckets of the chart.
        calm_buckets: those of the baseline.
        last_hour: ``crashes`` and ``host_hours`` of the last hour of the window.
    """
    buckets = summed(shown)
    enough = buckets[buckets["host_hours"] >= buckets["host_hours"].median() / 4]
    per_bucket = enough["crashes"] / enough["host_hours"].where(enough["host_hours"] > 0)
    peak = per_bucket.max() if per_bucket.notna().any() else None
    highest = enough.loc[per_bucket.idxmax()] if peak else None
    return Rates(
        now=last_hour["crashes"] / last_hour["host_hours"] if last_hour["host_hours"] > 0 else None,
        now_crashes=int(last_hour["crashes"]),
        baseline=_pooled(calm_buckets),
        peak=None if peak is None else float(peak),
        peak_at=None if highest is None else highest["bucket_start"].to_pydatetime(),
        peak_crashes=0 if highest is None else int(highest["crashes"]),
    )


def _pooled(buckets: pd.DataFrame) -> float | None:
    host_hours = float(buckets["host_hours"].sum())
    return float(buckets["crashes"].sum()) / host_hours if host_hours > 0 else None
