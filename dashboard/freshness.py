"""How old what is shown is, told truthfully: by the wall clock only where events arrive as they happen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.data import Snapshot
from dashboard.markup import Card
from dashboard.wording import ago, clock

_REAL_TIME = timedelta(minutes=10)  # a monitor that judged an instant this near to its own clock was fed live
_LATE_S = 300.0  # heartbeats come every five minutes; a live fleet that says nothing for longer has a silent feed
_PAUSED_S = 60.0  # a replay brings a batch every few seconds at any speed
_ALIVE_S = 180.0  # a monitor ticks every minute; three missed ticks are no accident


@dataclass(frozen=True)
class Freshness:
    """The age of what is shown.

    Attributes:
        live: whether events arrive in real time.
        card: the figure for the page. words: the same, to stand in a sentence.
    """

    live: bool
    card: Card
    words: str


def freshness(snapshot: Snapshot, now: datetime) -> Freshness:
    """Judge the age of a snapshot at ``now``, by our clock."""
    assert snapshot.as_of is not None
    batch_at = snapshot.fleet.get("last_batch_at")
    ticked_at = snapshot.judgement.ticked_at if snapshot.judgement else None
    judged_of = snapshot.judgement.as_of if snapshot.judgement else None
    live = _is_live(ticked_at, judged_of) if ticked_at else _is_live(batch_at, snapshot.as_of)
    arrived_at = max(filter(None, (batch_at, ticked_at)), default=None)
    said, late = _arrivals(batch_at, ticked_at, now)
    if live:
        age_s = (now - snapshot.as_of).total_seconds()
        silent = age_s > _LATE_S
        more = f"feed silent; {said}" if silent else said
        return Freshness(
            live=True,
            card=Card("Age of the data", ago(age_s), more=more, kind="late" if silent or late else ""),
            words=f"the newest record is {ago(age_s)} old",
        )
    stopped = arrived_at is None or (now - arrived_at).total_seconds() > _PAUSED_S
    more = f"{snapshot.as_of.day} {snapshot.as_of:%b %Y}, {'not receiving' if stopped else 'replay'}; {said}"
    return Freshness(
        live=False,
        card=Card("Fleet time", f"{snapshot.as_of.astimezone(UTC):%H:%M}", unit="UTC", more=more, kind="late" if late else ""),
        words=f"fleet time {clock(snapshot.as_of, beside=judged_of)}, {said}",
    )


def _arrivals(batch_at: datetime | None, ticked_at: datetime | None, now: datetime) -> tuple[str, bool]:
    parts, late = [], False
    if batch_at is not None:
        parts.append(f"last batch {ago((now - batch_at).total_seconds())} ago")
    if ticked_at is not None:
        tick_age_s = (now - ticked_at).total_seconds()
        # A tick that is older than the newest batch judged less than is shown.
        late = tick_age_s > _ALIVE_S and (batch_at is None or batch_at - ticked_at > timedelta(seconds=_ALIVE_S))
        parts.append(f"{'monitor stopped, last tick' if late else 'judged'} {ago(tick_age_s)} ago")
    else:
        parts.append("not judged")
    return ", ".join(parts), late


def _is_live(ours: datetime | None, fleet: datetime | None) -> bool:
    return ours is not None and fleet is not None and abs(ours - fleet) <= _REAL_TIME
