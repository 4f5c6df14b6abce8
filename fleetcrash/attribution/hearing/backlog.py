"""Backlogs: reports that were held up for hours and come at once, as when a relay is mended.

They tell of what happens every day, and seem to be a rise because yesterday's are in the baseline only later. Of what
is told hours late it is asked whether as much happened before an update as after.
"""

from __future__ import annotations

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES
from fleetcrash.counts import MOSTLY

_HOURS_LATE = _HOURS_BEFORE = 240  # minutes
_LEAST_BEFORE = 3


def may_be_behind(inquiry: Inquiry, tick: int, mine: Mask, update: int) -> bool:
    """Whether most of what speaks for an update was told hours late, and says too little of when that began.

    Of what is sent at once a part comes first. And what tells of as much in the hours before the release is none of its
    doing: of more than a day ago nothing is weighed any more.

    Args:
        mine: (events,) what it is judged by.
    """
    late = _told_late(inquiry, tick)
    struck = mine & inquiry.events_with(update, tick)
    if (struck & late).sum() <= MOSTLY * struck.sum():
        return False
    if (struck & late & (inquiry.news.events.tick > tick - JUDGING_MINUTES)).sum() > MOSTLY * struck.sum():
        return True
    return _goes_back(inquiry, struck & late, late, update)


def is_behind(inquiry: Inquiry, tick: int, mine: Mask, alarm_tick: int, likely: Ints) -> bool:
    """Whether an alarm was raised by what was told hours late, and by as much of before each update that is likely.

    Args:
        mine: (events,) what the incident is judged by. likely: the updates that may be behind it, by their indices.
    Returns:
        False in its first minutes, when more of the same may come.
    """
    events, late = inquiry.news.events, _told_late(inquiry, tick)
    with_alarm = mine & (np.abs(events.tick - alarm_tick) <= JUDGING_MINUTES)
    if tick - alarm_tick <= JUDGING_MINUTES or (with_alarm & late).sum() <= MOSTLY * with_alarm.sum():
        return False
    told = with_alarm & late
    return all(_goes_back(inquiry, told & inquiry.events_with(one, tick), late, one) for one in likely.tolist())


def _told_late(inquiry: Inquiry, tick: int) -> Mask:
    """(events,) those that were known hours after they happened."""
    events = inquiry.news.events
    return (events.tick <= tick) & (events.tick - events.minute > _HOURS_LATE)


def _goes_back(inquiry: Inquiry, struck: Mask, late: Mask, update: int) -> bool:
    """Whether what was told late with the events of an update's hosts is half as dense before its release at least.

    Args:
        struck: (events,) those of its hosts. late: all that were told late.
    """
    events = inquiry.news.events
    if not struck.any():
        return True
    since_release = events.minute[late & (events.tick >= events.tick[struck].min())] - inquiry.released(update)
    before, after = -since_release[since_release < 0], since_release[since_release >= 0]
    before = before[before <= _HOURS_BEFORE]
    if len(before) < _LEAST_BEFORE:
        return False
    return bool(len(before) / before.max() > MOSTLY * len(after) / max(after.max(initial=0), 1))
