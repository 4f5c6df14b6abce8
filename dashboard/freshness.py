"""The age of what is shown; by the wall clock only if events arrive as they happen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.markup import Card
from dashboard.snapshot import Snapshot
from dashboard.wording import ago, clock

_REAL_TIME = timedelta(minutes=10)  # if a monitor judged an instant this close to its own clock, the feed is live
_LATE_S = 300.0  # heartbeats come every five minutes; a live feed without any for longer is silent
_PAUSED_S = 60.0  # a replay brings a batch every few seconds at any speed
_BEHIND = timedelta(minutes=3)  # a monitor looks every few seconds and judges whole minutes


@dataclass(frozen=True)
class Freshness:
    """The age of what is shown.

    Attributes:
        live: whether events arrive in real time.
        silent: whether a live feed has sent nothing for too long.
        behind: whether the monitor has not judged what came since its last tick.
        card: the figure for the page. words: the same for a sentence.
    """

    live: bool
    silent: bool
    behind: bool
    card: Card
    words: str


def freshness(snapshot: Snapshot, now: datetime) -> Freshness:
    """Judge the age of a snapshot at ``now``, by our clock."""
    newest = snapshot.newest
    batch_at = snapshot.fleet.get("last_batch_at")
    ticked_at = snapshot.judgement.ticked_at if snapshot.judgement else None
    judged_of = snapshot.judgement.as_of if snapshot.judgement else None
    live = _is_live(ticked_at, judged_of) if ticked_at else _is_live(batch_at, newest)
    arrived_at = max(filter(None, (batch_at, ticked_at)), default=None)
    # If nothing arrives there is nothing to judge: a monitor is behind only if something has arrived since.
    behind = ticked_at is not None and (
        (judged_of is not None and live and newest - judged_of > _BEHIND)
        or (batch_at is not None and batch_at - ticked_at > _BEHIND)
    )
    said = _arrivals(batch_at, ticked_at, now, behind=behind)
    if live:
        age_s = (now - newest).total_seconds()
        silent = age_s > _LATE_S and not snapshot.only_crashes  # there, silence means only that nothing crashed
        more = f"feed silent; {said}" if silent else said
        return Freshness(
            live=True,
            silent=silent,
            behind=behind,
            card=Card("Age of the data", ago(age_s), more=more, kind="late" if silent or behind else ""),
            words=f"the newest record is {ago(age_s)} old",
        )
    stopped = arrived_at is None or (now - arrived_at).total_seconds() > _PAUSED_S
    more = f"{newest.day} {newest:%b %Y}, {'not receiving' if stopped else 'replay'}; {said}"
    return Freshness(
        live=False,
        silent=False,
        behind=behind,
        card=Card(
            "Fleet time",
            f"{newest.astimezone(UTC):%H:%M}",
            unit="UTC",
            more=more,
            kind="late" if behind else "",
        ),
        words=f"fleet time {clock(newest, beside=judged_of)}, {said}",
    )


def _arrivals(batch_at: datetime | None, ticked_at: datetime | None, now: datetime, *, behind: bool) -> str:
    parts = [] if batch_at is None else [f"last batch {ago((now - batch_at).total_seconds())} ago"]
    if ticked_at is None:
        parts.append("not judged")
    else:
        judged = "monitor stopped, last judged" if behind else "judged"
        parts.append(f"{judged} {ago((now - ticked_at).total_seconds())} ago")
    return ", ".join(parts)


def _is_live(ours: datetime | None, fleet: datetime | None) -> bool:
    return ours is not None and fleet is not None and abs(ours - fleet) <= _REAL_TIME
