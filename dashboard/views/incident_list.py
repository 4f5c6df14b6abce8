"""The incidents of the lake, where none is asked for, or one that there is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from dashboard import links
from dashboard.banner import plain_headline
from dashboard.changes import changes_table
from dashboard.data import Feed
from dashboard.incidents import Incident, Judgement
from dashboard.markup import Column, Link, Row, state, table
from dashboard.pages import overview_page
from dashboard.snapshot import Snapshot
from dashboard.wording import clock, count, on_lake, plain


@st.fragment(run_every=5)
def no_incident(feed: Feed, asked: str) -> None:
    """Draw the list, and what was asked for in vain; the page is drawn anew once there is an incident of that id."""
    snapshot = feed.snapshot()
    judgement = snapshot.judgement
    if judgement and judgement.find(asked):
        st.rerun()
    if judgement is None or asked or not judgement.incidents:
        _unknown(asked, snapshot)
    if judgement and judgement.incidents:
        st.html(_listed(judgement, "Incidents of this lake" if asked else "Incidents"))
        st.html(changes_table(snapshot))


def _unknown(incident_id: str, snapshot: Snapshot) -> None:
    judgement = snapshot.judgement
    if judgement is None:
        st.html(
            state(
                "No incidents yet",
                ["No monitor has ticked on this lake, so nobody has looked for one."],
                on_lake("fleetcrash monitor", snapshot.root),
            )
        )
    elif not incident_id:
        st.html(state("No incidents", [f"None was found up to {clock(judgement.as_of)}."]))
    else:
        st.html(
            state(
                "No incident of that name",
                [
                    f"Asked for: {plain(incident_id, 128)}.",
                    f"The monitor's newest judgement, as of {clock(judgement.as_of)}, does not list it. "
                    "It may belong to another lake.",
                ],
            )
        )
    st.page_link(overview_page(), label="To the overview →")


def of_the_same_update(judgement: Judgement, incident: Incident) -> str:
    """The other incidents about the update of one, as markup; empty if there are none."""
    others = judgement.about_the_same(incident)
    if not others:
        return ""
    note = "one update can raise several alarms: each counts what happened from shortly before its own alarm on"
    title = f"Other incidents about {plain(incident.suspect, 40)}"
    return _table(title, others, note=note, beside=judgement.as_of)


def _listed(judgement: Judgement, title: str) -> str:
    """Those that are open first, each with a link to its page."""
    note = f"{count(len(judgement.open))} open, {count(len(judgement.closed))} closed, as of {clock(judgement.as_of)}"
    return _table(title, [*judgement.open, *judgement.closed], note=note, beside=judgement.as_of)


def _table(title: str, incidents: Sequence[Incident], *, note: str, beside: datetime | None) -> str:
    rows = [
        Row(
            [
                Link(plain_headline(each), links.address("incident", id=each.incident_id)),
                "open" if each.is_open else f"closed {clock(each.closed_at, beside=beside).removesuffix(' UTC')}",
                clock(each.alarm_at, beside=beside).removesuffix(" UTC"),
                count(each.evidence.get("hosts_crashed")),
                count(each.evidence.get("hosts_dark")),
            ],
            strong=each.is_open,
        )
        for each in incidents
    ]
    columns = [
        Column("Incident", id=True),
        Column("State"),
        Column("Alarm, UTC", time=True),
        Column("Hosts crashed", number=True, wide=True),
        Column("Went dark", number=True, wide=True),
    ]
    return table(title, columns, rows, note=note)
