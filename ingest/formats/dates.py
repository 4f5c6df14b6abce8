"""Times as only some systems write them: in words, as C and syslog do, and as Windows counts them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fleetcrash.times import time_text
from ingest.formats.crashes import time_of

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?: (\d{4}))?")
_AHEAD = timedelta(days=2)  # that a date may be of the time before which it was: zones, and clocks
_FILETIME_UNIT = 10_000_000
_FILETIME_1970 = 11_644_473_600 * _FILETIME_UNIT
_LAST_FILETIME = _FILETIME_1970 + 253_402_300_799 * _FILETIME_UNIT  # of the year 9999
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


def time_of_filetime(ticks: int) -> str | None:
    """A time in units of 100 ns since 1601; None for what is none, or before 1970."""
    return time_of(ticks - _FILETIME_1970, unit=_FILETIME_UNIT) if _FILETIME_1970 < ticks < _LAST_FILETIME else None
