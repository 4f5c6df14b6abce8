"""The table of crashes at the end of a host or cluster page; each row is linked to its report."""

from __future__ import annotations

import streamlit as st

from dashboard import links
from dashboard.data import Feed
from dashboard.export import export
from dashboard.markup import Column, Link, Row, table
from dashboard.selection import Selection
from dashboard.wording import clock, count, os_name, plain

_MOST_ROWS = 50


def crash_list(
    feed: Feed, selection: Selection, *, host_id: str | None = None, cluster_id: str | None = None, known: int
) -> None:
    """Draw the newest crashes of a host or a cluster within the window and the filters.

    Args:
        known: how many there are in all.
    """
    whose = {"host_id": host_id, "cluster_id": cluster_id}
    crashes = feed.frame("crashes_listed", selection, **whose, most=_MOST_ROWS)
    beside = selection.until
    inside = int(crashes["crashes"].iloc[0]) if len(crashes) else 0
    to_crash, to_host, to_cluster = (links.leading(page, "id") for page in ("crash", "host", "cluster"))
    rows = [
        Row(
            [
                Link(clock(each.placed_at.to_pydatetime(), beside=beside), to_crash(each.crash_id)),
                Link(each.cluster_id, to_cluster(each.cluster_id))
                if host_id
                else Link(plain(each.host_id, 32), to_host(each.host_id)),
                os_name(each.os_type),
                plain(each.agent_version, 24),
                plain(each.code, 32) if isinstance(each.code, str) else "–",
                plain(each.module, 40) if isinstance(each.module, str) else "–",
            ]
        )
        for each in crashes.itertuples()
    ]
    columns = [
        Column("At", time=True),
        Column("Cluster", wide=True) if host_id else Column("Host", id=True),
        Column("OS", wide=True),
        Column("Agent version", wide=True),
        Column("Code", id=True),
        Column("Module", id=True),
    ]
    st.html(table("Crashes", columns, rows, note=_note(len(rows), inside, known)))
    if inside:
        export(
            feed,
            "Crashes",
            lambda: feed.frame("crashes_listed", selection, **whose, most=inside).drop(columns="crashes"),
            question="crashes_listed",
            selection=selection,
            parameters={**whose, "most": inside},
        )


def _note(shown: int, inside: int, known: int) -> str:
    if not known:
        return "None is known."
    if not inside:
        return f"None in the time range and the filters; {count(known)} in all."
    newest = f"the newest {shown} of " if shown < inside else ""
    return f"{newest}{count(inside)} in the time range and the filters, of {count(known)} in all.".capitalize()
