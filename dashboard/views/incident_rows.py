"""The rows behind an incident: the clusters of its crashes, and the hosts of the update that it names, by state."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboard import links
from dashboard.cluster_tables import SPARK_BUCKETS, clusters_table
from dashboard.data import Feed
from dashboard.export import export
from dashboard.filters import View
from dashboard.incidents import STATES, Incident
from dashboard.markup import Column, Link, Row, table
from dashboard.selection import Selection
from dashboard.states import panel
from dashboard.views.incident_hosts import MOST_ROWS, held_to, hosts_hit, matching
from dashboard.wording import STATE_NAMES, clock, count, counted, os_name, plain
from fleetcrash.attribution.reporting.impact import HOST_COLUMNS

_MOST_CLUSTERS = 5
_ATTRIBUTES = ("os_build", "agent_version", "region", "site")
_WORDS = {STATE_NAMES[state].lower(): state for state in STATES}


def incident_clusters(feed: Feed, view: View, incident: Incident) -> None:
    """Draw the clusters of its crashes: since shortly before its alarm, of hosts that have the named update."""
    snapshot, since = feed.snapshot(), incident.since
    if since is None:
        return
    with panel("Crash clusters of the incident"):
        until = incident.closed_at or snapshot.newest + timedelta.resolution
        filters, shown = view.filters, view
        told = incident.update_id is not None and not snapshot.only_crashes
        if incident.update_id is not None and told:
            filters = replace(filters, updates=(incident.update_id,))
            shown = replace(view, filters=replace(filters, updates=()))  # the incident's update replaces the viewer's
        selection = Selection(since, until, filters)
        clusters = feed.clusters(selection)
        who = f"of hosts with {plain(incident.update_id)}" if told else "of all hosts"
        if incident.update_id is not None and not told:
            who += f", for who has {plain(incident.update_id)} is not known"
        note = f"since {clock(since, beside=until)}, {who}{shown.only}; most hosts first"
        if len(clusters) > _MOST_CLUSTERS:
            note += f"; {count(len(clusters) - _MOST_CLUSTERS)} more are left out"
        st.html(
            clusters_table(
                clusters[:_MOST_CLUSTERS],
                feed.sparks(selection, SPARK_BUCKETS),
                snapshot.newest,
                title="Crash clusters of the incident",
                note=note if clusters else f"No crash {note.partition(';')[0]}.",
            )
        )
        if len(clusters) > _MOST_CLUSTERS:
            st.html(f'<p class="fc">{_all_clusters(incident, since)}</p>')


def _all_clusters(incident: Incident, since: datetime) -> str:
    """A link to all clusters of the incident, of which its page shows the first."""
    # The range has no seconds; one without an end follows the lake.
    window = {"range": "custom", "from": f"{since:%Y-%m-%dT%H:%M}"}
    if incident.closed_at is not None:
        window["to"] = f"{incident.closed_at:%Y-%m-%dT%H:%M}"
    if incident.update_id is not None:
        window["update"] = incident.update_id
    return links.link("clusters", "All crash clusters of the incident →", limit=48, **window)


def incident_hosts(feed: Feed, view: View, incident: Incident) -> None:
    """Draw the hosts of an incident in one state, within the filters; the file has all of them."""
    if incident.update_id is None or feed.snapshot().only_crashes:
        hosts_hit(feed, view, incident)
        return
    with panel("Hosts of the incident"):
        hosts = feed.impact(incident.update_id, incident.condition).hosts
        inside = hosts.filter(matching(hosts, view.filters))
        asked = st.segmented_control(
            "Hosts by state", list(_WORDS), default="at risk", key="hosts", bind="query-params", required=True
        )
        state = _WORDS[asked or "at risk"]
        of_it = inside.filter(pc.equal(inside["state"], state)).select(list(HOST_COLUMNS))
        said = counted(len(of_it), "host")
        if len(inside) < len(hosts):
            said += f", only {held_to(view)}; the figures above are of the whole incident"
        if len(of_it) > MOST_ROWS:
            said += f". The first {MOST_ROWS} are shown; the file has all"
        st.html(_table(of_it.slice(0, MOST_ROWS), STATE_NAMES[state], said))
        if len(of_it):
            chosen = {"update_id": incident.update_id, "condition": incident.condition, "filters": view.filters}
            export(feed, f"Hosts {state}", of_it.to_pandas, question="host_states", parameters=chosen)


def _table(hosts: pa.Table, state: str, note: str) -> str:
    leading_to = links.leading("host", "id")
    rows = [
        Row(
            [
                Link(plain(each["host_id"], 40), leading_to(each["host_id"])),
                os_name(each["os_type"]) if each["os_type"] else "–",
                *(plain(each[name], 32) if each[name] else "–" for name in _ATTRIBUTES),
                clock(each["installed_at"]).removesuffix(" UTC"),
                clock(each["crashed_at"]).removesuffix(" UTC"),
                clock(each["last_seen_at"]).removesuffix(" UTC"),
            ]
        )
        for each in hosts.to_pylist()
    ]
    columns = [
        Column("Host", id=True),
        Column("OS", wide=True),
        Column("OS build", wide=True),
        Column("Agent version"),
        Column("Region", wide=True),
        Column("Site", wide=True),
        Column("Installed, UTC", time=True, wide=True),
        Column("First crash, UTC", time=True, wide=True),
        Column("Last seen, UTC", time=True),
    ]
    return table(f"Hosts: {state.lower()}", columns, rows, note=note if rows else f"{note} in this state.")
