"""The tables of the page Updates: the updates, and what happened to hosts while they were exposed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from dashboard import links
from dashboard.incidents import Incident, Judgement
from dashboard.markup import Column, Link, Row, Spark, table
from dashboard.selection import Filters
from dashboard.wording import STATE_NAMES, clock, count, counted, kind_name, os_name, plain, rate, times

# With fewer crashes a ratio is noise: at ten, chance alone moves a count by a third.
FEWEST_CRASHES = 10

_COUNTED = ("hosts_exposed", "crashes", "hosts_crashed", "host_hours", "rate", "rate_otherwise")


@dataclass(frozen=True)
class Suspicion:
    """What the monitor says about an update.

    Attributes:
        part: ``named`` as the culprit, or ``tied`` with another.
    """

    incident: Incident
    part: str

    @property
    def words(self) -> str:
        """In words for people."""
        return self.part if self.incident.is_open else f"{self.part}, closed"


def suspicions(judgement: Judgement | None) -> dict[str, Suspicion]:
    """Updates in incidents; an open incident counts before a closed one, a name before a tie."""
    found: dict[str, Suspicion] = {}
    for incident in (*judgement.open, *judgement.closed) if judgement else ():
        if incident.verdict == "update" and incident.update_id:
            known = found.get(incident.update_id)
            if known is None or known.part == "tied":
                found[incident.update_id] = Suspicion(incident, "named")
        elif incident.verdict == "cannot_separate" and incident.is_open:
            for each in incident.tied:
                found.setdefault(each.update_id, Suspicion(incident, "tied"))
    return found


@dataclass(frozen=True)
class Ratio:
    """How often hosts crashed while exposed over how often otherwise.

    Attributes:
        bound: ``>`` or ``<`` if one side had too few crashes, for which FEWEST_CRASHES was put.
    """

    value: float
    bound: str = ""

    @property
    def words(self) -> str:
        """In words for people."""
        said = times(self.value) if self.value >= 0.1 else f"× {self.value:.1g}"
        return f"{self.bound} {said}".strip()


def ratio(crashes: float, host_hours: float, crashes_otherwise: float, host_hours_otherwise: float) -> Ratio | None:
    """Compare exposed host-time with all other host-time; None if there are too few crashes.

    Fewer than FEWEST_CRASHES on one side give a bound, and only a meaningful one: above 1, or below it.
    """
    if not host_hours or not host_hours_otherwise or host_hours_otherwise < 0:
        return None
    hours = host_hours_otherwise / host_hours
    value = max(crashes, FEWEST_CRASHES) / max(crashes_otherwise, FEWEST_CRASHES) * hours
    if min(crashes, crashes_otherwise) >= FEWEST_CRASHES:
        return Ratio(value)
    if crashes >= FEWEST_CRASHES and value > 1:
        return Ratio(value, ">")
    if crashes_otherwise >= FEWEST_CRASHES and value < 1:
        return Ratio(value, "<")
    return None


def compared(crashes: float, host_hours: float, all_of_it: Mapping[str, float]) -> Ratio | None:
    """The ratio of an update from its own counts and those of all.

    Args:
        all_of_it: crashes and host_hours of the row of ``hosts_affected``.
    """
    return ratio(crashes, host_hours, all_of_it["crashes"] - crashes, all_of_it["host_hours"] - host_hours)


def listed(
    known: pd.DataFrame,
    rates: pd.DataFrame,
    all_of_it: pd.Series,
    suspected: Mapping[str, Suspicion],
    filters: Filters,
    find: str = "",
) -> pd.DataFrame:
    """Updates with what happened while hosts were exposed to them, in the order of ``known``.

    Args:
        known: the answer of ``updates_known``. rates: that of ``crash_rate_by_update``. all_of_it: that of
            ``hosts_affected``, of the same selection.
        filters: those of updates and channels are applied; the others are in ``rates`` already.
        find: text to find in the name, kind, channel or version, ignoring case.
    """
    frame = known.merge(rates[["update_id", *_COUNTED]], on="update_id", how="left")
    for name in ("hosts_exposed", "crashes", "hosts_crashed", "host_hours"):
        frame[name] = frame[name].fillna(0)
    frame = frame.astype({"hosts_exposed": int, "crashes": int, "hosts_crashed": int})
    whole = all_of_it[["crashes", "host_hours"]].to_dict()
    ratios = [compared(*of_update, whole) for of_update in zip(frame["crashes"], frame["host_hours"], strict=True)]
    frame["ratio"] = [each.value if each else math.nan for each in ratios]
    frame["ratio_bound"] = [each.bound if each else None for each in ratios]
    frame["incident_id"] = [each and each.incident.incident_id for each in map(suspected.get, frame["update_id"])]
    frame["incident_part"] = [each and each.part for each in map(suspected.get, frame["update_id"])]
    if filters.updates:
        frame = frame[frame["update_id"].isin(filters.updates)]
    if filters.channels:
        frame = frame[frame["channel"].isin(filters.channels)]
    if find:
        said = [frame[name].fillna("").str.lower() for name in ("update_id", "kind", "channel", "version")]
        frame = frame[[any(find.lower() in each for each in of_update) for of_update in zip(*said, strict=True)]]
    return frame.reset_index(drop=True)


def with_installs(found: pd.DataFrame, installs: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``listed`` with how far each update spread.

    Args:
        installs: the answer of ``installs_by_update``.
    """
    frame = found.merge(installs, on="update_id", how="left")
    return frame.assign(hosts_installed=frame["hosts_installed"].fillna(0).astype(int))


def updates_table(
    shown: pd.DataFrame,
    curves: Mapping[str, Sequence[float]],
    suspected: Mapping[str, Suspicion],
    beside: datetime,
    *,
    note: str,
    told: bool = True,
) -> str:
    """A page of the list.

    Args:
        curves: crashes while exposed, over the window.
        told: whether it is known which hosts were exposed.
    """
    most = float(shown["rate"].max()) if shown["rate"].notna().any() else 0.0
    leading_to = links.leading("updates", "id")
    rows = []
    for each in shown.itertuples():
        suspicion = suspected.get(each.update_id)
        rows.append(
            Row(
                [
                    Link(plain(each.update_id, 40), leading_to(each.update_id)),
                    kind_name(_said(each.kind)),
                    plain(_said(each.channel) or "–", 24),
                    plain(_said(each.version) or "–", 24),
                    "not catalogued" if pd.isna(each.released_at) else _time(each.released_at, beside),
                    _time(each.reverted_at, beside),
                    Link(suspicion.words, links.address("incident", id=suspicion.incident.incident_id))
                    if suspicion
                    else "–",
                    count(each.hosts_exposed) if told else "–",
                    count(each.crashes) if told else "–",
                    rate(each.rate),
                    rate(each.rate_otherwise),
                    Ratio(each.ratio, each.ratio_bound).words if each.ratio == each.ratio else "–",
                    Spark(
                        curves.get(each.update_id, ()),
                        f"{counted(each.crashes, 'crash')} over the time range",
                    )
                    if told
                    else "–",
                ],
                share=each.rate / most if most and each.rate == each.rate else 0.0,
                guilty=suspicion is not None and suspicion.part == "named",
            )
        )
    columns = [
        Column("Update", id=True),
        Column("Kind", wide=True),
        Column("Channel", wide=True),
        Column("Version", wide=True),
        Column("Released, UTC", time=True),
        Column("Withdrawn, UTC", wide=True, time=True),
        Column("Incident"),
        Column("Hosts exposed", number=True, wide=True),
        Column("Crashes", number=True, wide=True),
        Column("Rate while exposed", number=True),
        Column("Otherwise", number=True, wide=True),
        Column("Ratio", number=True),
        Column("Crashes over time", wide=True),
    ]
    return table("Updates", columns, rows, bar=9, note=note)


def hosts_table(hosts: pd.DataFrame, beside: datetime, *, most: int) -> str:
    """The hosts that an update concerns; those that need somebody come first."""
    leading_to = links.leading("host", "id")
    rows = [
        Row(
            [
                Link(plain(each.host_id, 40), leading_to(each.host_id)),
                STATE_NAMES.get(each.state, plain(each.state)),
                os_name(_said(each.os_type) or "unknown"),
                plain(_said(each.agent_version) or "–", 24),
                plain(_said(each.region) or "–", 24),
                _time(each.installed_at, beside),
                _time(each.crashed_at, beside),
                _time(each.last_seen_at, beside),
            ]
        )
        for each in hosts.head(most).itertuples()
    ]
    columns = [
        Column("Host", id=True),
        Column("State"),
        Column("OS", wide=True),
        Column("Agent version", wide=True),
        Column("Region", wide=True),
        Column("Installed, UTC", time=True, wide=True),
        Column("First crash, UTC", time=True),
        Column("Last seen, UTC", time=True, wide=True),
    ]
    note = f"dark and crashed ones first; {len(rows)} of {count(len(hosts))}" if len(rows) < len(hosts) else ""
    return table("Hosts", columns, rows, note=note if rows else "No host has it, and none is waiting for it.")


def _time(instant: Any, beside: datetime) -> str:
    return "–" if pd.isna(instant) else clock(instant.to_pydatetime(), beside=beside).removesuffix(" UTC")


def _said(value: Any) -> str | None:
    return value if isinstance(value, str) else None
