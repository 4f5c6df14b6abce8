"""The hosts that an incident hit, whatever did it: those that its figures count, with what became of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboard import links
from dashboard.data import Feed
from dashboard.export import export
from dashboard.filters import View
from dashboard.incidents import Incident
from dashboard.markup import Column, Link, Row, table
from dashboard.selection import Filters
from dashboard.states import panel
from dashboard.wording import NOT_TOLD, STATE_NAMES, clock, count, counted, hosts_command, os_name, plain

MOST_ROWS = 50

# Filters that apply to a host, with the column of its value.
_FILTERED = {
    "os_types": "os_type",
    "os_builds": "os_build",
    "agent_versions": "agent_version",
    "models": "model",
    "regions": "region",
    "rings": "ring",
    "sites": "site",
}
_TITLE = "Hosts of the incident"
_ALL = "all"
# Those who need somebody first. Back for less than half an hour, a server may go dark again.
_STATES = {"dark": "still dark", "at_risk": "just back", "crashed": "crashed, not back", "recovered": "recovered"}
_TOLD = {
    "os_build": "OS build",
    "agent_version": "Agent version",
    "region": "Region",
    "group": "Group",
    "site": "Site",
    "customer": "Customer",
}
_TIMES = {"dark_at": "Went dark, UTC", "crashed_at": "First crash, UTC", "last_seen_at": "Last seen, UTC"}


def hosts_hit(feed: Feed, view: View, incident: Incident) -> None:
    """Draw the hosts that an incident hit, within the filters; the file has all of them."""
    with panel(_TITLE):
        hosts = feed.hosts_hit(incident)
        if hosts is None:
            st.html(_not_kept(feed, incident))
            return
        inside = hosts.filter(matching(hosts, view.filters))
        words = {words: state for state, words in _STATES.items()}
        asked = st.segmented_control(
            "What became of them", [_ALL, *words], default=_ALL, key="hit", bind="query-params", required=True
        )
        chosen = inside if asked in (_ALL, None) else inside.filter(pc.equal(inside["state"], words[asked]))
        said = _in_sum(chosen)
        if len(inside) < len(hosts):
            said += f"; only {held_to(view)}: the figures above are of the whole incident"
        if len(chosen) > MOST_ROWS:
            said += f". The first {MOST_ROWS} are shown; the file has all"
        st.html(_table(_by_need(chosen), said, feed.snapshot().as_of))
        if len(chosen):
            export(
                feed,
                _TITLE,
                chosen.to_pandas,
                question="hosts_hit_now",
                parameters={"incident_id": incident.incident_id, "state": asked, "filters": view.filters},
            )


def matching(hosts: pa.Table, filters: Filters) -> pa.ChunkedArray:
    """Which hosts are within the filters."""
    keep = pa.chunked_array([pa.repeat(True, len(hosts))])
    for name, column in _FILTERED.items():
        wanted = getattr(filters, name)
        if wanted:
            keep = pc.and_(keep, pc.is_in(pc.fill_null(hosts[column], "unknown"), pa.array(wanted)))
    return keep


def held_to(view: View) -> str:
    """The filters that apply to a host, in words."""
    held = Filters(**{name: getattr(view.filters, name) for name in _FILTERED})
    return replace(view, filters=held).narrowed


def _not_kept(feed: Feed, incident: Incident) -> str:
    snapshot = feed.snapshot()
    if snapshot.only_crashes and incident.update_id is not None:
        return table("Hosts by state", [], [], note=f"Not known: {NOT_TOLD}.")
    command = hosts_command(incident.incident_id, snapshot.root)
    why = "The monitor has not listed them yet, or cannot write into the lake's folder"
    return table(_TITLE, [], [], note=f"{why}. Meanwhile: {command}")


def _in_sum(hosts: pa.Table) -> str:
    """How many crashed and went dark, as the cards count them, and how many are still dark."""
    crashed, dark = pc.is_valid(hosts["crashed_at"]), pc.is_valid(hosts["dark_at"])
    both, still = _many(pc.and_(crashed, dark)), _many(pc.equal(hosts["state"], "dark"))
    said = f"{counted(len(hosts), 'host')}: {count(_many(crashed))} crashed, {count(_many(dark))} went dark"
    said += f", {count(both)} of them both" if both else ""
    return f"{said}; {count(still)} {'is' if still == 1 else 'are'} dark now"


def _many(which: pa.ChunkedArray) -> int:
    return int(pc.sum(which).as_py() or 0)


def _by_need(hosts: pa.Table) -> pa.Table:
    """The hosts to show, those that need somebody first."""
    order = pa.array(list(_STATES))
    ranked = hosts.append_column("rank", pc.index_in(hosts["state"], order))
    picked = pc.select_k_unstable(ranked, k=MOST_ROWS, sort_keys=[("rank", "ascending"), ("host_id", "ascending")])
    return hosts.take(picked)


def _table(hosts: pa.Table, note: str, beside: datetime | None) -> str:
    seldom = "dark_at" if hosts["dark_at"].null_count > hosts["crashed_at"].null_count else "crashed_at"
    told = {name: words for name, words in _TOLD.items() if hosts[name].null_count < len(hosts)}
    leading_to = links.leading("host", "id")
    rows = [
        Row(
            [
                Link(plain(each["host_id"], 40), leading_to(each["host_id"])),
                _STATES.get(each["state"], STATE_NAMES.get(each["state"], "–")),
                os_name(each["os_type"]) if each["os_type"] else "–",
                *(plain(each[name], 32) if each[name] else "–" for name in told),
                *(clock(each[name], beside=beside).removesuffix(" UTC") for name in _TIMES),
            ]
        )
        for each in hosts.to_pylist()
    ]
    columns = [
        Column("Host", id=True),
        Column("Now"),
        Column("OS", wide=True),
        *(Column(words, wide=True) for words in told.values()),
        *(Column(words, time=True, wide=name in (seldom, "last_seen_at")) for name, words in _TIMES.items()),
    ]
    return table(_TITLE, columns, rows, note=note)
