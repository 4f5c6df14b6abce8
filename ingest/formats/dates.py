"""Dates in words, as C and syslog write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fleetcrash.times import time_text

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?: (\d{4}))?")
_AHEAD = timedelta(days=2)  # that a date may be of the time before which it was: zones, and clocks
_MOST_YEARS = 8  # a 29th of February may be so long ago


def date_in_words(said: str, *, before: datetime | None = None) -> str | None:
    """``Fri Jul 19 04:10:02 2024``, which has no zone and is taken for UTC; None for what is none.

    Args:
        before: when it was at the latest, roughly, of a date without a year.
    """
    found = _DATE.fullmatch(said.strip())
    if found is None or found[1] not in _MONTHS:
        return None
    month, (day, hour, minute, second) = _MONTHS.index(found[1]) + 1, map(int, found.group(2, 3, 4, 5))
    if found[6]:
        years = [int(found[6])]
    else:
        years = [] if before is None else [before.year + 1 - back for back in range(_MOST_YEARS + 1)]
    for year in years:
        try:
            at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:  # the 29th of February of another year, the 31st of June
            continue
        if found[6] or (before is not None and at <= before + _AHEAD):
            return time_text(at)
    return None
