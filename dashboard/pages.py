"""The pages as Streamlit objects, for navigation and links."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.data import Feed, feed_of
from dashboard.serve import LAKE_VARIABLE
from dashboard.wording import plain


def overview_page() -> Any:
    """The first page, at ``/``."""
    from dashboard.views import overview  # the views link to one another

    return st.Page(overview.show, title="Overview", default=True)


def incident_page() -> Any:
    """All incidents, at ``/incident``, and one, at ``/incident?id=``."""
    from dashboard.views import incident  # the views link to one another

    return st.Page(incident.show, title="Incidents", url_path="incident")


def clusters_page() -> Any:
    """All crash clusters, at ``/clusters``."""
    from dashboard.views import clusters

    return st.Page(clusters.show, title="Clusters", url_path="clusters")


def hidden_pages() -> list[Any]:
    """The pages that are opened from others: ``/cluster?id=``, ``/host?id=``, ``/crash?id=``."""
    from dashboard.views import cluster, crash, host

    return [
        st.Page(cluster.show, title="Cluster", url_path="cluster", visibility="hidden"),
        st.Page(host.show, title="Host", url_path="host", visibility="hidden"),
        st.Page(crash.show, title="Crash report", url_path="crash", visibility="hidden"),
    ]


def updates_page() -> Any:
    """All updates, at ``/updates``, and one, at ``/updates?id=``."""
    from dashboard.views import updates  # the views link to one another

    return st.Page(updates.show, title="Updates", url_path="updates")


def health_page() -> Any:
    """Whether the data can be trusted, at ``/health``."""
    from dashboard.views import health  # the views link to one another

    return st.Page(health.show, title="Data health", url_path="health")


def title(page: str) -> str:
    """The title of a page for the browser: its subject, if the URL names one, and its name."""
    subject = st.query_params.get("id")
    return " · ".join([*([plain(subject)] if subject else []), page, "fleetcrash"])


def lake_path() -> str:
    """The lake to show: ``--lake`` of the command line, else the environment, else ``./lake``."""
    arguments = sys.argv[1:]
    if "--lake" in arguments[:-1]:
        return arguments[arguments.index("--lake") + 1]
    return str(Path(os.environ.get(LAKE_VARIABLE) or "lake").absolute())


def current_feed() -> Feed:
    """The feed of the lake to show."""
    return feed_of(lake_path())


def is_dark() -> bool:
    """Whether the viewer's theme is dark."""
    return st.context.theme.type == "dark"


def current_page() -> str:
    """The name of the page that is drawn."""
    context = get_script_run_ctx()
    return "" if context is None else context.page_script_hash


@contextmanager
def of_all_pages() -> Iterator[None]:
    """Within this context elements belong to the app, as if ``app.py`` had drawn them, and stay when the page changes.

    The elements of a page itself are removed then, and with its widgets their parameters in the URL.
    """
    context = get_script_run_ctx()
    if context is None:  # without an app, as in tests
        yield
        return
    with context.run_with_active_hash(context.pages_manager.main_script_hash):
        yield
