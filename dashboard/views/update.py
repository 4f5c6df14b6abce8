"""One update: what it is, how it spread and what happened meanwhile, and the hosts that it concerns."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import links, tables
from dashboard.banner import plain_headline
from dashboard.data import Feed
from dashboard.export import export
from dashboard.figures import Buckets
from dashboard.filters import View
from dashboard.incident_charts import states_chart
from dashboard.incidents import STATES, Incident
from dashboard.markup import Card, Fact, cards, facts, notice, state, text
from dashboard.pages import is_dark
from dashboard.selection import Selection
from dashboard.snapshot import Snapshot
from dashboard.states import panel
from dashboard.update_chart import update_chart
from dashboard.update_tables import FEWEST_CRASHES, Suspicion, compared, hosts_table, suspicions
from dashboard.wording import (
    NOT_TOLD,
    STATE_NAMES,
    clock,
    condition_words,
    count,
    counted,
    hosts_command,
    kind_name,
    plain,
    rate,
)
from fleetcrash.attribution.reporting.impact import HOST_COLUMNS

_LONGEST_ID = 128
_ROWS = 50
# States in the order of the list: hosts that need somebody come first.
_ORDER = ("dark", "crashed", "at_risk", "recovered", "cleared", "pending")


def panels(feed: Feed, view: View, asked: str) -> None:
    """Draw the page of the update of that id, or say that there is none."""
    snapshot = feed.snapshot()
    with panel("Update"):
        known = feed.frame("updates_known")
        rows = known[known["update_id"] == asked]
        if rows.empty:
            _unknown(snapshot, asked, len(known))
            return
        row = rows.iloc[0]
        suspicion = suspicions(snapshot.judgement).get(asked)
        st.html(_head(snapshot, row, feed.frame("installs_by_update", update_id=asked), suspicion))
        if snapshot.only_crashes:
            said = "Nothing tells which hosts have it, and so not who crashed with it or is at risk"
            st.html(notice("Who has it is not known", f"{said}: {NOT_TOLD}."))
            return
        selection = view.selection(snapshot).of_all_updates()
        if selection.filters != view.filters:
            st.html(
                '<div class="fc"><span class="fc-note">Filters by update and channel do not apply here.</span></div>'
            )
        view = replace(view, filters=selection.filters)  # so that texts about the filters are about those in force here
        incident = suspicion.incident if suspicion and suspicion.part == "named" else None
        hosts = _hosts(feed, asked, incident)
        with panel("Rates"):
            _rates(feed, view, selection, asked, hosts, incident)
            _spread(feed, view, selection, row, named=incident is not None)
        with panel("Hosts"):
            _states(feed, hosts, asked, incident)
            st.html(hosts_table(hosts, snapshot.newest, most=_ROWS))
            _command(asked, snapshot)
            chosen = {"update_id": asked, "condition": incident.condition if incident else None}
            export(feed, "Hosts", hosts, question="host_states", parameters=chosen)


def _unknown(snapshot: Snapshot, asked: str, known: int) -> None:
    said = [f"Asked for: {plain(asked, _LONGEST_ID)}."]
    if not known:
        said.append("The lake has neither a release catalogue nor installs.")
    else:
        said.append(f"Neither the release catalogue nor an install names it, as of {clock(snapshot.as_of)}.")
    st.html(state("No update of that name", said))
    st.html(f'<div class="fc"><a href="{escape(links.address("updates"))}">All {count(known)} updates</a></div>')


def _head(snapshot: Snapshot, row: pd.Series, installs: pd.DataFrame, suspicion: Suspicion | None) -> str:
    beside = snapshot.newest
    installed = installs.iloc[0] if len(installs) else {"hosts_installed": 0, "last_installed_at": None}
    shown = [
        Fact("Kind", kind_name(_text(row["kind"]))),
        Fact("Channel", plain(_text(row["channel"]) or "none", 40)),
        Fact("Version", plain(_text(row["version"]) or "not told", 40)),
        Fact("Released", _time(row["released_at"], beside, "not in the catalogue")),
        Fact("Withdrawn", _time(row["reverted_at"], beside, "no")),
    ]
    if snapshot.fleet.get("has_installs"):
        shown += [
            Fact("First install", _time(row["first_installed_at"], beside, "none")),
            Fact("Last install", _time(installed["last_installed_at"], beside, "none")),
            Fact("Hosts that installed it", count(installed["hosts_installed"])),
        ]
    else:
        shown.append(Fact("Installs", "none recorded"))
    kind, said = "notice", ""
    if suspicion is not None:
        incident = suspicion.incident
        kind = incident.verdict if incident.is_open else "notice"
        word = "An incident names it" if suspicion.part == "named" else "An incident cannot tell it from another"
        closed = "" if incident.is_open else f", closed {clock(incident.closed_at, beside=beside)}"
        where = links.link("incident", plain_headline(incident), limit=160, id=incident.incident_id)
        said = f'<p class="fc-next">{word}{escape(closed)}: {where}</p>'
    overview = links.link(links.OVERVIEW, "Overview of hosts exposed to it", update=row["update_id"])
    return (
        f'<div class="fc fc-banner fc-{kind}"><p class="fc-title"><b>{text(row["update_id"], _LONGEST_ID)}</b></p>'
        f'{facts(shown)}{said}<p class="fc-next">{overview}</p></div>'
    )


def _rates(
    feed: Feed, view: View, selection: Selection, update_id: str, hosts: pd.DataFrame, incident: Incident | None
) -> None:
    rates = feed.frame("crash_rate_by_update", selection)
    of_it = rates[rates["update_id"] == update_id]
    window = view.window_words(selection).partition(":")[0]
    states = hosts["state"].value_counts()
    if of_it.empty:
        exposed = [
            Card("Rate while exposed", "–", more=f"no host in the filter was online with it, {window}"),
            Card("Hosts crashed", "–", more=f"none was exposed, {window}"),
        ]
    else:
        row = of_it.iloc[0]
        over = compared(row["crashes"], row["host_hours"], feed.frame("hosts_affected", selection).iloc[0])
        said = f" ({over.words})" if over else f"; {_no_ratio(row['rate_otherwise'])}"
        exposed = [
            Card(
                "Rate while exposed",
                rate(row["rate"]),
                unit="per 1,000 host-hours",
                more=f"otherwise {rate(row['rate_otherwise'])}{said}",
                kind="culprit" if incident else "",
            ),
            Card(
                "Hosts crashed",
                count(row["hosts_crashed"]),
                unit=f"of {count(row['hosts_exposed'])} exposed",
                more=f"{counted(row['crashes'], 'crash')}, {window}",
            ),
        ]
    of_whom = "; of those that match the incident" if incident and incident.condition else ""
    at_risk, dark = int(states.get("at_risk", 0)), int(states.get("dark", 0))
    st.html(
        cards(
            [
                *exposed,
                Card(
                    "At risk",
                    count(at_risk),
                    more=f"not hit so far; {count(states.get('pending', 0))} may still get it{of_whom}",
                ),
                Card(
                    "Dark",
                    count(dark),
                    more=f"servers gone silent while exposed{of_whom}",
                    kind="bad" if dark else "",
                ),
            ]
        )
    )


def _no_ratio(rate_otherwise: float) -> str:
    if rate_otherwise != rate_otherwise:
        return "every host in the filter has it, all the time"
    return f"no ratio from fewer than {FEWEST_CRASHES} crashes"


def _spread(feed: Feed, view: View, selection: Selection, row: pd.Series, *, named: bool) -> None:
    update_id = row["update_id"]
    rates = feed.frame("crash_rate_by_update", selection)
    crashes_of = int(rates.loc[rates["update_id"] == update_id, "crashes"].sum())
    buckets = Buckets(selection.since, selection.until, selection.bucket_s(max(crashes_of, 100)))
    installs = feed.frame("hosts_exposed_by_minute", selection, update_id=update_id, **buckets.asked)
    crashes = feed.frame("crash_rate_by_minute_update", selection, shown=[update_id], **buckets.asked)
    said = (
        f"Hosts online with it, cumulated, and crashes while exposed: {view.window_words(selection)}{view.only}, "
        f"one bar every {buckets.words}, times in UTC."
    )
    st.html(f'<div class="fc"><h3>Spread and crashes</h3><p class="fc-note">{escape(said)}</p></div>')
    if installs.empty:
        st.html(notice("No data here", f"No host in the filter was online with it: {view.window_words(selection)}."))
        return
    dark = is_dark()
    figure = feed.kept(
        ("update", update_id, selection, buckets.width_s, named, dark),
        lambda: update_chart(
            installs,
            crashes,
            buckets=buckets,
            released_at=None if pd.isna(row["released_at"]) else row["released_at"].to_pydatetime(),
            reverted_at=None if pd.isna(row["reverted_at"]) else row["reverted_at"].to_pydatetime(),
            named=named,
            dark=dark,
        ),
    )
    st.plotly_chart(
        figure,
        theme=None,
        key="spread",
        config={"displaylogo": False, "displayModeBar": False},
        alt=f"{count(installs['hosts'].max())} hosts came to have it, {count(crashes_of)} crashes while they had it.",
    )
    export(
        feed,
        "Spread and crashes",
        spread(installs, crashes),
        question=("hosts_exposed_by_minute", "crash_rate_by_minute_update"),
        selection=selection,
        parameters={"update_id": update_id, "shown": [update_id], **buckets.asked},
    )


def spread(installs: pd.DataFrame, crashes: pd.DataFrame) -> pd.DataFrame:
    """How an update spread and what crashed meanwhile, a row for each bucket with either, whole numbers whole.

    Args:
        installs: the answer of ``hosts_exposed_by_minute``. crashes: that of ``crash_rate_by_minute_update``.
    """
    joined = installs.merge(crashes.drop(columns="update_id"), on="bucket_start", how="outer")
    whole = {
        name: "Int64"  # an ordinary integer column becomes one of fractions where a row has none
        for frame in (installs, crashes)
        for name in frame.columns
        if pd.api.types.is_integer_dtype(frame[name])
    }
    return joined.astype(whole).sort_values("bucket_start")


def _hosts(feed: Feed, update_id: str, incident: Incident | None) -> pd.DataFrame:
    """The hosts that it concerns; those that need somebody come first."""
    condition = incident.condition if incident else None
    impact = feed.impact(update_id, condition)

    def ordered() -> pd.DataFrame:
        hosts: pd.DataFrame = impact.hosts.select(list(HOST_COLUMNS)).to_pandas()
        place = hosts["state"].map({name: place for place, name in enumerate(_ORDER)})
        return hosts.iloc[place.argsort(kind="stable")].reset_index(drop=True)

    return feed.kept(("hosts", update_id, str(condition)), ordered)


def _states(feed: Feed, hosts: pd.DataFrame, update_id: str, incident: Incident | None) -> None:
    counts = hosts["state"].value_counts()
    exposed = len(hosts) - int(counts.get("pending", 0))
    of_whom = f" that match the incident: {condition_words(incident.condition)}" if incident else ""
    left, right = st.columns(2, gap="large")
    with left:
        said = f"{count(exposed)} ever exposed{of_whom}; whatever the filters and the time range"
        st.html(f'<div class="fc"><h3>Hosts by state</h3><p class="fc-note">{escape(said)}</p></div>')
        if hosts.empty:
            st.html(notice("No host has it", "None was ever exposed, and none is waiting for it."))
        else:
            states = [(name, STATE_NAMES[name], int(counts.get(name, 0))) for name in STATES]
            st.plotly_chart(
                states_chart(states, dark=is_dark()),
                theme=None,
                key="states",
                config={"displayModeBar": False},
                alt=f"Hosts: {', '.join(f'{name.lower()} {count(number)}' for _, name, number in states)}.",
            )
    with right:
        radius = feed.frame("blast_radius_by_os_agent_version", update_id=update_id)
        st.html(tables.blast_radius_table(radius, feed.snapshot()))
        export(
            feed,
            "Blast radius",
            radius,
            question="blast_radius_by_os_agent_version",
            parameters={"update_id": update_id},
        )


def _command(update_id: str, snapshot: Snapshot) -> None:
    """Draw the command that lists the hosts, if there is one."""
    if command := hosts_command(update_id, snapshot.root):
        said = '<span class="fc-note">The same in a terminal: </span>'
        st.html(f'<div class="fc">{said}<code>{escape(command)}</code></div>')


def _time(instant: pd.Timestamp, beside: Any, otherwise: str) -> str:
    return otherwise if pd.isna(instant) else clock(instant.to_pydatetime(), beside=beside)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
