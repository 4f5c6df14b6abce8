"""The tables of the pages: from answers of the core to markup."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime

import pandas as pd

from dashboard import links
from dashboard.incidents import HIT
from dashboard.markup import Column, Link, Row, table
from dashboard.snapshot import Snapshot
from dashboard.wording import NOT_TOLD, clock, condition_words, count, kind_name, os_name, plain, rate

_PER = "per 1,000 host-hours"
_MOST_UPDATES = 12  # newest first: a release of last week is rarely the question
_MOST_VERSIONS = 12  # a hundred versions would push everything below off the screen


def versions_table(versions: pd.DataFrame, snapshot: Snapshot) -> str:
    """Crash rate by agent version, for those with most crashes."""
    shown = versions.loc[versions.nlargest(_MOST_VERSIONS, ["hosts_crashed", "host_hours"]).index.sort_values()]
    most = _most(shown["rate"])
    leading_to = links.leading(links.OVERVIEW, "agent")
    rows = [
        Row(
            [
                Link(plain(each.agent_version, 32), leading_to(each.agent_version)),
                rate(each.rate),
                count(each.crashes),
                count(each.hosts_crashed) + (f" of {count(each.hosts_online)}" if each.hosts_online else ""),
            ],
            share=_share(each.rate, most),
        )
        for each in shown.itertuples()
    ]
    columns = [
        Column("Agent version", id=True),
        Column("Rate", number=True),
        Column("Crashes", number=True, wide=True),
        Column("Hosts crashed", number=True),
    ]
    if snapshot.only_crashes:
        note = f"not rated, for host-time is not known: {NOT_TOLD}" if rows else "Nobody reported a crash here."
    else:
        note = _PER if rows else "Nobody was online."
    if len(shown) < len(versions):
        note += f"; the {len(shown)} with most hosts crashed of {count(len(versions))}"
    return table("Crash rate by agent version", columns, rows, bar=1, note=note)


def updates_table(updates: pd.DataFrame, guilty: Set[str], snapshot: Snapshot) -> str:
    """Crash rate by update, while exposed to it and otherwise."""
    shown = updates[(updates.index < _MOST_UPDATES) | updates["update_id"].isin(guilty)]
    most = _most(shown["rate"])
    leading_to = links.leading("updates", "id")
    rows = [
        Row(
            [
                Link(plain(each.update_id, 32), leading_to(each.update_id)),
                kind_name(None if pd.isna(each.kind) else each.kind),
                "not catalogued"
                if pd.isna(each.released_at)
                else clock(each.released_at.to_pydatetime(), beside=snapshot.newest).removesuffix(" UTC"),
                rate(each.rate),
                rate(each.rate_otherwise),
                f"{count(each.hosts_crashed)} of {count(each.hosts_exposed)}",
            ],
            share=_share(each.rate, most),
            guilty=each.update_id in guilty,
        )
        for each in shown.itertuples()
    ]
    columns = [
        Column("Update", id=True),
        Column("Kind", wide=True),
        Column("Released, UTC", time=True),
        Column("Rate while exposed", number=True),
        Column("Otherwise", number=True, wide=True),
        Column("Hosts crashed", number=True),
    ]
    note = f"{_PER}; a host is exposed to several updates at once" if rows else "No host was exposed to an update here."
    if snapshot.only_crashes:
        note = f"Who has an update is not known: {NOT_TOLD}."
    if len(shown) < len(updates):
        note += f"; {len(updates) - len(shown)} older ones are left out"
    return table("Crash rate by update", columns, rows, bar=3, note=note)


def blast_radius_table(radius: pd.DataFrame, snapshot: Snapshot, *, judged: datetime | None = None) -> str:
    """Which exposed hosts crashed, by OS and agent version, most crashed first.

    Args:
        judged: the instant as of which the statement above the table was judged.
    """
    rows = [
        Row(
            [
                os_name(each.os_type),
                plain(each.agent_version, 32),
                count(each.crashed),
                count(each.exposed),
                f"{100 * each.crashed / each.exposed:.1f} %",
            ],
            share=each.crashed / each.exposed,
        )
        for each in radius.head(_MOST_VERSIONS).itertuples()
    ]
    columns = [
        Column("OS"),
        Column("Agent version", id=True),
        Column("Crashed", number=True),
        Column("Exposed", number=True),
        Column("Share", number=True),
    ]
    note = "hosts that crashed while exposed, of those ever exposed"
    if judged is not None:
        note += ", whether or not they match the incident"
    note += _since_judged(snapshot, judged)
    if len(rows) < len(radius):
        note += f"; the {len(rows)} with most crashed of {count(len(radius))}"
    if snapshot.only_crashes:
        note = f"Who has the update is not known: {NOT_TOLD}."
    return table("Blast radius", columns, rows, bar=4, note=note)


def _since_judged(snapshot: Snapshot, judged: datetime | None) -> str:
    """That a table knows more than what stands above it; empty if it does not."""
    if judged is None or snapshot.as_of is None or snapshot.as_of <= judged:
        return ""
    return f", up to now; the figures above are of {clock(judged, beside=snapshot.as_of)}, as judged"


def matching_table(
    matching: Mapping[str, int],
    with_it: Mapping[str, int],
    condition: Mapping[str, str],
    snapshot: Snapshot,
    *,
    judged: datetime | None,
) -> str:
    """How many of the hosts that a condition selects an update hit, beside the rest of those that have it.

    Args:
        matching, with_it: hosts by state, and exposed: those that match, and all.
        judged: the instant as of which the statement above the table was judged.
    """
    rest = {state: with_it.get(state, 0) - matching.get(state, 0) for state in ("exposed", *HIT)}
    rows = []
    for who, hosts in (condition_words(condition), matching), ("the rest, which does not match", rest):
        hit, exposed = sum(hosts.get(state, 0) for state in HIT), hosts.get("exposed", 0)
        share = hit / exposed if exposed else 0.0
        told = f"{100 * share:.1f} %" if exposed else "–"
        rows.append(Row([plain(who, 80), count(hit), count(exposed), told], share=share))
    columns = [
        Column("Hosts that have it", id=True),
        Column("Hit", number=True),
        Column("Exposed", number=True),
        Column("Share", number=True),
    ]
    note = "hit: crashed, or a server gone dark, while exposed" + _since_judged(snapshot, judged)
    return table("Whom it hits", columns, rows, bar=3, note=note)


def _most(values: pd.Series) -> float:
    return float(values.max()) if len(values) and values.notna().any() else 0.0


def _share(value: float, most: float) -> float:
    return value / most if most and value == value else 0.0
