"""One host: its attributes, its state, and what happened to it and when."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import links
from dashboard.data import Feed
from dashboard.filters import View
from dashboard.frame import Charts, framed
from dashboard.host_chart import MOST_MARKS, host_chart
from dashboard.incidents import Incident
from dashboard.markup import Card, Column, Fact, Link, Row, cards, facts, state, table, text
from dashboard.pages import is_dark
from dashboard.selection import Selection
from dashboard.snapshot import Snapshot
from dashboard.states import panel
from dashboard.views.crash_list import crash_list
from dashboard.views.rate_panel import named_updates
from dashboard.wording import NOT_TOLD, STATE_NAMES, clock, count, counted, kind_name, os_name, plain
from fleetcrash.attribution.reporting.impact import State

_MOST_ROWS = 50
_MOST_STATES = 2  # for each the state of every host is counted, and the cards are to stay in one row
_ATTRIBUTES = {
    "os_version": "OS version",
    "os_build": "OS build",
    "agent_version": "Agent version",
    "model": "Model",
    "region": "Region",
    "site": "Site",
    "ring": "Ring",
    "group": "Group",
    "customer": "Customer",
    "criticality": "Criticality",
    "owner": "Owner",
}


def show() -> None:
    """Draw the page."""
    asked = st.query_params.get("id", "")
    way = links.breadcrumbs({"Overview": links.address(links.OVERVIEW)}, f"Host {asked}")
    framed(_panels, asked, above=lambda *_: st.html(way))


def _panels(feed: Feed, view: View, host_id: str) -> Charts | None:
    snapshot = feed.snapshot()
    selection = view.selection(snapshot)
    with panel("This host"):
        found = feed.frame("host_now", host_id=host_id)
        if found.empty:
            st.html(_unknown(host_id, snapshot))
            return None
        host = found.iloc[0]
        online = feed.frame("host_online", host_id=host_id)
        updates = feed.frame("host_updates", host_id=host_id)
        crashes = feed.frame("crashes_listed", selection, host_id=host_id, cluster_id=None, most=MOST_MARKS)
        st.html(_head(host))
        st.html(cards(_cards(feed, host, snapshot)))
        st.html(_over_chart(view, selection, host))
        over_tables = st.container(key="line-place")  # as tall as the chart from the start, so that nothing jumps
        crash_list(feed, selection, host_id=host_id, known=int(host["crashes"]))
        st.html(_updates(updates, named_updates(snapshot), snapshot))

        def charts() -> None:
            over_tables.plotly_chart(
                host_chart(
                    online,
                    updates,
                    crashes,
                    named=named_updates(snapshot),
                    since=selection.since,
                    until=selection.until,
                    dark=is_dark(),
                ),
                theme=None,
                key="host-line",
                config={"displayModeBar": False},
                alt=f"What happened to the host, {view.window_words(selection)}: {counted(len(crashes), 'crash')}.",
            )

        return charts
    return None


def _unknown(asked: str, snapshot: Snapshot) -> str:
    if not asked:
        return state("No host was asked for", ["Open one from a crash, a cluster or an incident."])
    return state(
        "No host of that name",
        [
            f"Asked for: {plain(asked, 128)}.",
            f"No record known at {clock(snapshot.as_of)} names it. It may have been forgotten, or be of another lake.",
        ],
    )


def _head(host: pd.Series) -> str:
    kind = "always on" if host["always_on"] is True else ""
    shown = [Fact("OS", os_name(host["os_type"]) if isinstance(host["os_type"], str) else "unknown")]
    shown += [Fact(name, plain(host[key], 40)) for key, name in _ATTRIBUTES.items() if isinstance(host[key], str)]
    if kind:
        shown.append(Fact("Kind", "server, always on"))
    title = f'<p class="fc-title"><b>{text(host["host_id"], 128)}</b></p>'
    return f'<div class="fc fc-banner fc-notice">{title}{facts(shown)}</div>'


def _cards(feed: Feed, host: pd.Series, snapshot: Snapshot) -> list[Card]:
    shown = [
        _presence(host, snapshot),
        Card("Crashes", count(host["crashes"]), more="of all that is known, whatever the filters"),
        Card("Installs and removals", count(host["installs"]), more="that the host reported")
        if snapshot.fleet.get("has_installs")
        else Card("Installs and removals", "–", more="not known: no installs are recorded"),
    ]
    judgement = snapshot.judgement
    # Of several incidents about one update, which strikes again, one says all: the state is the same in each.
    naming: list[Incident] = []
    for each in (*judgement.open, *judgement.closed) if judgement else ():
        is_told = any((one.update_id, one.condition) == (each.update_id, each.condition) for one in naming)
        if each.update_id is not None and not is_told:
            naming.append(each)
    return shown + [_state_card(feed, snapshot, host["host_id"], each) for each in naming[:_MOST_STATES]]


def _presence(host: pd.Series, snapshot: Snapshot) -> Card:
    seen = host["last_seen_at"]
    if pd.isna(seen):
        return Card("Last seen", "never", more="only the inventory names it")
    if host["online"]:
        return Card("Last seen", "online", more=f"as of {clock(snapshot.as_of)}")
    at = clock(seen.to_pydatetime(), beside=snapshot.as_of)
    if not host["stretches"]:
        return Card("Last seen", at, more="its newest record; whether it is online is not known")
    if host["always_on"] is True:
        return Card("Last seen", at, more="silent since, and it is a server", kind="bad")
    return Card("Last seen", at, more="offline since")


def _state_card(feed: Feed, snapshot: Snapshot, host_id: str, incident: Incident) -> Card:
    """The host's state with respect to the update that an incident names."""
    update_id = incident.update_id or ""
    found = feed.impact(update_id, incident.condition).state_of(host_id)
    label = f"By {plain(update_id, 30)}"
    if found is None and snapshot.only_crashes:
        return Card(label, "not known", more=f"whether it has the update: {NOT_TOLD}")
    if found is None:
        return Card(label, "not concerned", more="never exposed, or the condition leaves it out")
    bad = found in (State.DARK, State.CRASHED, State.AT_RISK)
    return Card(
        label,
        STATE_NAMES[found].lower(),
        more="its state in the incident",
        kind="bad" if bad else "",
        address=links.address("incident", id=incident.incident_id),
    )


def _over_chart(view: View, selection: Selection, host: pd.Series) -> str:
    marks = "Bars: online. Diamonds: installs. Crosses: crashes within the filters."
    said = f"Showing {view.window_words(selection)}. {marks}"
    if not host["stretches"]:
        said += " When it was online is not known."
    return f'<div class="fc"><h3>What happened to it</h3><p class="fc-note">{text(said, 300)}</p></div>'


def _updates(updates: pd.DataFrame, named: set[str], snapshot: Snapshot) -> str:
    leading_to = links.leading("updates", "id")
    rows = [
        Row(
            [
                Link(plain(each.update_id, 40), leading_to(each.update_id)),
                kind_name(None if pd.isna(each.kind) else each.kind),
                "–" if pd.isna(each.version) else plain(each.version, 24),
                clock(each.exposed_from.to_pydatetime(), beside=snapshot.as_of).removesuffix(" UTC"),
                "has it"
                if pd.isna(each.exposed_until)
                else clock(each.exposed_until.to_pydatetime(), beside=snapshot.as_of).removesuffix(" UTC"),
            ],
            guilty=each.update_id in named,
        )
        for each in updates.head(_MOST_ROWS).itertuples()
    ]
    columns = [
        Column("Update", id=True),
        Column("Kind", wide=True),
        Column("Version", wide=True),
        Column("Installed, UTC", time=True),
        Column("Until, UTC", time=True),
    ]
    if not rows:
        note = "No install is known of it."
    elif len(updates) > len(rows):
        note = f"The newest {len(rows)} of {count(len(updates))}."
    else:
        note = "Newest first."
    return table("Updates it had", columns, rows, note=note)
