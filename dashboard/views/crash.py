"""One crash report: everything that the host reported, with the frames marked that decided its cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard import links
from dashboard.data import Feed
from dashboard.filters import View
from dashboard.frame import framed
from dashboard.markup import Column, Fact, Row, facts, state, table, text
from dashboard.snapshot import Snapshot
from dashboard.stack import stack_table, why
from dashboard.states import panel
from dashboard.wording import clock, count, os_name, plain
from fleetcrash.clustering import Sample
from fleetcrash.errors import UnknownName

_TIME_QUALITY = {
    "exact": "by the host's clock",
    "reboot": "noticed at the next boot",
    "log": "by the time of a log",
    "received": "when it was received",
}


def show() -> None:
    """Draw the page."""
    asked = st.query_params.get("id", "")
    framed(_report, asked, above=lambda feed, _: _crumbs(feed, asked))


def _report(feed: Feed, _: View, asked: str) -> None:
    snapshot = feed.snapshot()
    with panel("This crash"):
        found = feed.answer("crash_report", lambda engine: engine.rows("crash_report", crash_id=asked), asked)
        if not found:
            st.html(_unknown(asked, snapshot))
            return
        report = found[0]
        sample = feed.stack(asked)
        st.html(_head(report, sample, sample.signature.cluster_id, snapshot))
        left, right = st.columns([3, 2], gap="large")
        left.html(stack_table(sample))
        right.html(why(sample.signature))
        right.html(_pairs("Tags", report["tags"]))
        right.html(_pairs("Content on the host at the crash", report["content"]))
        with st.expander("The whole report"):
            st.json(_whole(report))


def _crumbs(feed: Feed, asked: str) -> None:
    steps = {"Overview": links.address(links.OVERVIEW), "Clusters": links.address("clusters")}
    with panel("The way to this crash"), suppress(UnknownName):
        cluster = feed.stack(asked).signature.cluster_id
        steps[f"Cluster {cluster}"] = links.address("cluster", id=cluster)
    st.html(links.breadcrumbs(steps, f"Crash {asked}"))


def _unknown(asked: str, snapshot: Snapshot) -> str:
    if not asked:
        return state("No crash was asked for", ["Open one from a cluster or a host."])
    return state(
        "No crash of that name",
        [
            f"Asked for: {plain(asked, 128)}.",
            f"It is not among what was accepted and known at {clock(snapshot.as_of)}. "
            "It may be in the quarantine, its host may have been forgotten, or it may belong to another lake.",
        ],
    )


def _head(report: Mapping[str, Any], sample: Sample, cluster: str, snapshot: Snapshot) -> str:
    beside = snapshot.as_of
    shown = [
        Fact("At", f"{clock(report['placed_at'], beside=beside)}, {_TIME_QUALITY.get(report['time_quality'], '')}"),
        Fact("Known to us", _known(report["placed_at"], report["known_at"], beside)),
        Fact("OS", _system(report)),
        Fact("Agent version", plain(report["agent_version"] or "not said", 40)),
        Fact("Domain", plain(report["domain"])),
        Fact("Code", plain(report["code"] or "not said", 60)),
        Fact("Module", _module(report)),
    ]
    if report["uptime_s"] is not None:
        shown.append(Fact("Up for", f"{count(report['uptime_s'])} s"))
    shown.append(Fact("Came by", plain(report["source"] or "not in the books", 80)))
    where = links.link("cluster", cluster, id=cluster)
    who = links.link("host", report["host_id"], limit=128, id=report["host_id"])
    return (
        f'<div class="fc fc-banner fc-notice"><p class="fc-title"><b>{text(sample.signature.title, 160)}</b></p>'
        f"<p>Cluster {where} · host {who}</p>{facts(shown)}</div>"
    )


def _known(at: datetime, known_at: datetime, beside: datetime | None) -> str:
    """When it was known, with its day where a reader would take it for the day of the crash."""
    return clock(known_at, beside=beside if at.date() == known_at.date() else at)


def _system(report: Mapping[str, Any]) -> str:
    versions = (plain(said, 40) for said in (report["os_version"], report["os_build"]) if said)
    return " ".join([os_name(report["os_type"]), *versions])


def _module(report: Mapping[str, Any]) -> str:
    said = plain(report["module"] or "not said", 60)
    if report["module_version"]:
        said += f" {plain(report['module_version'], 40)}"
    if report["module_offset"] is not None:
        said += f" + {report['module_offset']:#x}"
    return said


def _pairs(title: str, pairs: Any) -> str:
    rows = [Row([plain(key, 60), plain(value, 300)]) for key, value in sorted(dict(pairs or []).items())]
    columns = [Column("Name", id=True), Column("Value", id=True)]
    return table(title, columns, rows, note="" if rows else "None was said.")


def _whole(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report for people, with maps as objects and times as text."""
    maps = {key: dict(report[key] or []) for key in ("content", "tags")}
    shown = {key: value for key, value in {**report, **maps}.items() if key != "source"}
    return json.loads(json.dumps(shown, default=str))
