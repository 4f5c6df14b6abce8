"""Tables about crash clusters: from answers of the core to markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd

from dashboard import links
from dashboard.markup import Column, Link, Row, Spark, table
from dashboard.wording import CLUSTER_STATES, clock, count, counted, os_name, percent, plain
from fleetcrash.clustering import Cluster

SPARK_BUCKETS = 24


def clusters_table(
    clusters: Sequence[Cluster],
    sparks: Mapping[str, Sequence[int]],
    beside: datetime,
    *,
    title: str,
    note: str,
    rank_from: int = 1,
) -> str:
    """Clusters by rank, each linked to its page.

    Args:
        sparks: crashes in each of SPARK_BUCKETS parts of the window, by cluster.
        rank_from: rank of the first one.
    """
    most = max((each.hosts for each in clusters), default=0)
    leading_to = links.leading("cluster", "id")
    rows = [
        Row(
            [
                str(rank),
                Link(plain(each.title, 90), leading_to(each.cluster_id)),
                CLUSTER_STATES[each.state],
                _spark(sparks.get(each.cluster_id, ())),
                count(each.hosts),
                count(each.crashes),
                _systems(each.os_type),
                clock(each.first_seen, beside=beside).removesuffix(" UTC"),
                clock(each.last_seen, beside=beside).removesuffix(" UTC"),
            ],
            share=each.hosts / most if most else 0.0,
        )
        for rank, each in enumerate(clusters, rank_from)
    ]
    columns = [
        Column("#", number=True, wide=True),
        Column("Crash cluster", id=True),
        Column("State"),
        Column("Crashes over time", wide=True),
        Column("Hosts", number=True),
        Column("Crashes", number=True),
        Column("OS", wide=True),
        Column("First seen, UTC", wide=True, time=True),
        Column("Last seen, UTC", wide=True, time=True),
    ]
    return table(title, columns, rows, bar=4, note=note)


def shares_table(title: str, shares: pd.DataFrame, name: str, *, most: int) -> str:
    """Share of crashes and share of host-time, one row per value.

    Args:
        shares: value, crashes, share_of_crashes, share_of_time. name: of the column of values.
        most: number of rows at most, those with most crashes.
    """
    shown = shares.head(most)
    rows = [
        Row(
            [
                plain(each.value, 40),
                count(each.crashes),
                "–" if pd.isna(each.share_of_crashes) else percent(each.share_of_crashes),
                "–" if pd.isna(each.share_of_time) else percent(each.share_of_time),
            ],
            share=0.0 if pd.isna(each.share_of_crashes) else float(each.share_of_crashes),
        )
        for each in shown.itertuples()
    ]
    columns = [
        Column(name, id=True),
        Column("Crashes", number=True),
        Column("Of its crashes", number=True),
        Column("Of host-time", number=True),
    ]
    left_out = len(shares) - len(shown)
    note = f"{count(left_out)} more have fewer crashes" if left_out else ""
    return table(title, columns, rows, bar=2, note=note if rows else "Nobody was online and nobody crashed.")


def variants_table(cluster: Cluster, *, most: int) -> str:
    """The variants of a cluster, most crashes first."""
    shown = cluster.variants[:most]
    top = max((each.crashes for each in shown), default=0)
    rows = [Row([plain(each.signature, 160), count(each.crashes)], share=each.crashes / top) for each in shown]
    left_out = len(cluster.variants) - len(shown)
    note = f"{count(left_out)} more have fewer crashes" if left_out else "They differ by version and offset alone."
    return table("Variants", [Column("Signature", id=True), Column("Crashes", number=True)], rows, bar=1, note=note)


def _spark(values: Sequence[int]) -> Spark:
    most = max(values, default=0)
    return Spark(values, f"{counted(sum(values), 'crash')}, at most {count(most)} in one part of the range")


def _systems(counts: Mapping[str, int]) -> str:
    """Crashes by OS, such as "Windows 98 %, Linux 2 %"."""
    total = sum(counts.values())
    if not total:
        return "–"
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    if len([each for each in ordered if each[1]]) == 1:
        return os_name(ordered[0][0])
    return ", ".join(f"{os_name(name)} {100 * crashes / total:.0f} %" for name, crashes in ordered if crashes)
