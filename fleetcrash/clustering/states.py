"""The state of a cluster as of an instant T: is it new, does it grow, did it come back. No clock is used.

The first that fits counts:

* quiet: no crash in the 24 hours before T.
* regressed: its first crash of these 24 hours came after a silence of at least seven days.
* new: first seen in the 24 hours before T, after we had been listening for an hour without it.
* escalating: more hosts crashed in the last hour than its own past makes likely.
* ongoing: anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fleetcrash.counts import upper_tail

# The crashes of a night are read the next morning, and hosts of every time zone have been awake once.
DAY = timedelta(hours=24)

# A week has every day of the week in it: what comes each Monday is no regression.
SILENCE = timedelta(days=7)

# In the first hour of a lake every cluster is first seen, which says when we began to listen and nothing of the fault.
LISTENED = timedelta(hours=1)

# How far back a cluster's own rate is taken from: a whole week, for the same reason as the silence.
BASELINE = timedelta(days=7)

FEWEST_HOSTS = 5

# An office's busiest hour has about two and a half times the crashes of its average hour; three times is more.
LEAST_RATIO = 3.0

# A fleet has some hundred clusters, each looked at for an hour 24 times a day: less than one false call in four days.
MOST_LUCK = 1e-4


class State(StrEnum):
    """What a cluster does, in the contract's words."""

    NEW = "new"
    ONGOING = "ongoing"
    ESCALATING = "escalating"
    REGRESSED = "regressed"
    QUIET = "quiet"


@dataclass(frozen=True)
class Seen:
    """When a cluster was seen, all at or before T.

    Attributes:
        first_seen: of all that is known.
        first_in_day, last_before_day: the crashes around T minus 24 hours; None without one.
        hosts_last_hour: hosts that crashed in the hour before T.
        host_hours_hit_before: pairs of host and hour before that, back to ``baseline_from``.
    """

    first_seen: datetime
    first_in_day: datetime | None
    last_before_day: datetime | None
    hosts_last_hour: int
    host_hours_hit_before: int


def baseline_from(as_of: datetime, watched_from: datetime) -> datetime:
    """Start of the time from which a cluster's own rate is taken."""
    return max(watched_from, as_of - timedelta(hours=1) - BASELINE)


def state_of(seen: Seen, *, as_of: datetime, watched_from: datetime) -> State:
    """The state of a cluster.

    Args:
        watched_from: since when records other than the inventory have been coming in.
    """
    if seen.first_in_day is None:
        return State.QUIET
    if seen.last_before_day is not None and seen.first_in_day - seen.last_before_day >= SILENCE:
        return State.REGRESSED
    if seen.last_before_day is None and seen.first_seen - watched_from >= LISTENED:
        return State.NEW
    hours = (as_of - timedelta(hours=1) - baseline_from(as_of, watched_from)) / timedelta(hours=1)
    if is_raised(seen.hosts_last_hour, seen.host_hours_hit_before, hours):
        return State.ESCALATING
    return State.ONGOING


def is_raised(now: int, before: int, hours: float) -> bool:
    """Whether one hour has more than chance explains, compared with the mean of the hours before.

    Args:
        now: hosts hit in the hour. before: the same summed over the hours before. hours: how many, >= 0.
    Returns:
        False without an hour to compare with.
    Source: conditional binomial, Przyborowski & Wilenski 1940.
    """
    if hours < 1 or now < FEWEST_HOSTS or now < LEAST_RATIO * before / hours:
        return False
    return upper_tail(now, now + before, 1 / (1 + hours)) < MOST_LUCK
