"""Pages and panels with nothing to show say what was found and what to run; never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import streamlit as st

from dashboard import links
from dashboard.answers import QueryFailed
from dashboard.data import Feed
from dashboard.health import problem_banner, problems
from dashboard.markup import notice, state
from dashboard.snapshot import LakeState, Snapshot
from dashboard.wording import counted, on_lake, plain


def lake_card(snapshot: Snapshot) -> str:
    """The card in place of a page when the lake has nothing to show."""
    where = plain(snapshot.root, 200)
    waiting = "This page opens by itself as soon as there is something to show."
    if snapshot.state is LakeState.MISSING:
        found = "is a file, and a lake is a folder" if snapshot.problem == "is a file" else "holds no lake"
        return state(
            "No lake here yet",
            [f"{where} {found}.", "Load crash reports to make one, or see a sample fleet. " + waiting],
            on_lake("fleetcrash load PATH", snapshot.root) + "\nfleetcrash demo",
        )
    if snapshot.state is LakeState.UNREADABLE:
        return state(
            "The lake cannot be read",
            [plain(snapshot.problem, 400), "Nothing was changed. It is tried again every two seconds."],
        )
    aside = snapshot.health.get("quarantined")
    refused = [f"Put aside as it came in: {counted(aside, 'record')}. Data health says why."] if aside else []
    return state(
        "The lake is empty",
        [
            f"{where} is a lake without a record yet.",
            *refused,
            "Load crashes, installs, releases, hosts and sessions. " + waiting,
        ],
        on_lake("fleetcrash load PATH", snapshot.root),
    )


def needs_lake(feed: Feed) -> Snapshot | None:
    """The snapshot if there is something to show; else draw a card, which disappears by itself, and return None."""
    snapshot = feed.snapshot()
    if snapshot.state is LakeState.READY:
        return snapshot
    _waiting(feed)
    return None


@st.fragment(run_every=2)
def _waiting(feed: Feed) -> None:
    snapshot = feed.snapshot()
    if snapshot.state is LakeState.READY:
        st.rerun()
    st.html(lake_card(snapshot))


def data_problems(feed: Feed) -> None:
    """Draw what is wrong with the data, if anything."""
    said = problems(feed.snapshot(), datetime.now(UTC))
    if said:
        st.html(problem_banner(said, links.address("health")))


@contextmanager
def panel(name: str) -> Iterator[None]:
    """A part of a page whose questions may fail without affecting the rest."""
    try:
        yield
    except QueryFailed as error:
        st.html(
            notice(
                f"{name}: this could not be counted",
                f"{plain(error, 260)}. The rest of the page stands; the dashboard's log has the cause.",
            )
        )
