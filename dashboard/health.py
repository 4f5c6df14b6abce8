"""What is wrong with the incoming data, in sentences. A sound lake has none, even if it is quiet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from dashboard.freshness import freshness
from dashboard.snapshot import LakeState, Snapshot
from dashboard.wording import ago, clock, count, plain

# Share of the records read in a day; beyond it, figures of the fleet are off by more than their last digit.
_MOST_QUARANTINED = 0.01


def problems(snapshot: Snapshot, now: datetime) -> list[str]:
    """What is wrong at ``now``, by our clock, the worst first; empty if nothing is, or if there is no lake."""
    if snapshot.state not in (LakeState.READY, LakeState.EMPTY):
        return []  # the page itself says so
    said = []
    if snapshot.problem:
        said.append(
            f"The lake cannot be read right now: {plain(snapshot.problem, 300)} "
            "What is shown was read before that. It is tried again every two seconds."
        )
    if snapshot.as_of is not None:
        said += _arrivals(snapshot, now)
    return said + _books(snapshot)


def lacks_too_much(snapshot: Snapshot) -> bool:
    """Whether so many records of the last day were put aside that figures cannot be trusted."""
    read, aside = snapshot.health.get("read_1d", 0), snapshot.health.get("quarantined_1d", 0)
    return bool(read) and aside / read > _MOST_QUARANTINED


def _arrivals(snapshot: Snapshot, now: datetime) -> list[str]:
    age, judgement, health = freshness(snapshot, now), snapshot.judgement, snapshot.health
    said = []
    if age.silent:
        silent_s = (now - snapshot.newest).total_seconds()
        said.append(f"The feed is silent: nothing has come in for {ago(silent_s)}, no crash and no sign of life.")
    elif age.live and health.get("beats_1d") and not health.get("beats_lately"):
        said.append(
            "Heartbeats have stopped: none has come in for 15 min, while other records do. Who is online is not known."
        )
    if age.behind and judgement is not None and judgement.ticked_at is not None:
        ticked = ago((now - judgement.ticked_at).total_seconds())
        said.append(
            f"The monitor has stopped or is behind: it last ticked {ticked} ago, judged what was known at "
            f"{clock(judgement.as_of)}, and more has come in since."
        )
    return said


def _books(snapshot: Snapshot) -> list[str]:
    read, aside = snapshot.health.get("read_1d", 0), snapshot.health.get("quarantined_1d", 0)
    unbalanced = snapshot.health.get("unbalanced", 0)
    said = []
    if lacks_too_much(snapshot):
        said.append(
            f"{100 * aside / read:.1f} % of the records read in the day up to the last batch were put aside: "
            f"{count(aside)} of {count(read)}. They are in no figure."
        )
    if unbalanced:
        said.append(
            f"The books do not add up: in {count(unbalanced)} of {count(snapshot.health.get('batches'))} batches, "
            "read is not accepted + duplicates + quarantined."
        )
    return said


def problem_banner(said: Sequence[str], address: str = "") -> str:
    """The sentences as a banner.

    Args:
        said: at least one.
        address: of the page with details; empty on that page itself.
    """
    lines = "".join(f"<p>{escape(each)}</p>" for each in said)
    more = f' <a href="{escape(address)}">Data health</a>' if address else ""
    title = f"<p><b>Something is wrong with the data.</b>{more}</p>"
    return f'<div class="fc fc-banner fc-cannot_separate" role="status">{title}{lines}</div>'
