"""Special forms of times: in words, as C and syslog write them, and as Windows counts them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fleetcrash.times import time_text
from ingest.formats.crashes import time_of

# How the names of months begin in various languages; journalctl writes them in the language of its user.
_MONTHS = (
    "jan янв sty ene gen oca ian", "feb fév fev фев lut şub", "mar mär mrt мар maa már", "apr avr abr апр kwi ápr nis",
    "may mai maj май мая mag mei máj", "jun juin июн cze giu jún haz iun", "jul juil июл lip lug júl tem iul",
    "aug août aoû авг sie ago ağu", "sep сен wrz set sze eyl", "oct okt окт paź ott out eki", "nov ноя lis kas",
    "dec déc dez дек gru dic",
)  # fmt: skip
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
MONTH = r"(?:[^\W\d_]{3,9}\.?|\d{1,2}[月월])"  # the latter in Chinese, Japanese and Korean
_DATE = re.compile(
    rf"(?:(?P<first>\d{{4}}) )?(?:[^\W\d_]{{1,6}}\.? {{1,2}})?(?P<month>{MONTH}) {{0,2}}(?P<day>\d{{1,2}}) "
    r"(?:(?P<within>\d{4}) )?(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d{1,9})?)?(?: (?P<last>\d{4}))?"
)
# Hours ahead of UTC, by names that mean only one zone; CST and IST mean several.
_ZONES = {
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
    "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "ACST": 9.5, "AWST": 8, "NZST": 12, "NZDT": 13, "BRT": -3,
}  # fmt: skip
# Hours ahead of UTC, by the names that Windows has for zones, without "Standard Time"; "Daylight Time" is one more.
_WINDOWS_ZONES = {
    "GMT": 0, "W. Europe": 1, "Central Europe": 1, "Central European": 1, "Romance": 1, "E. Europe": 2, "FLE": 2,
    "GTB": 2, "Israel": 2, "South Africa": 2, "Arab": 3, "Russian": 3, "Arabian": 4, "Pakistan": 5, "India": 5.5,
    "SE Asia": 7, "China": 8, "Singapore": 8, "Taipei": 8, "W. Australia": 8, "Tokyo": 9, "Korea": 9,
    "AUS Eastern": 10, "E. Australia": 10, "New Zealand": 12, "E. South America": -3, "Argentina": -3, "Atlantic": -4,
    "Eastern": -5, "US Eastern": -5, "Central": -6, "Mountain": -7, "US Mountain": -7, "Pacific": -8, "Alaskan": -9,
    "Hawaiian": -10,
}  # fmt: skip
_WINDOWS_ZONE = re.compile(r"(?P<name>[A-Z][A-Za-z. ]{1,30}) (?P<kind>Standard|Daylight|Summer) Time")
_OFFSET = re.compile(r"([+-]\d\d):?(\d\d)?")
_AHEAD = timedelta(days=2)  # how far a date may be after its upper bound, because of zones and clocks
_FILETIME_UNIT = 10_000_000
_FILETIME_1970 = 11_644_473_600 * _FILETIME_UNIT
_LAST_FILETIME = _FILETIME_1970 + 253_402_300_799 * _FILETIME_UNIT  # the end of the year 9999
_MOST_YEARS = 8  # the last 29th of February may be so long ago


def moment_of(said: str | None) -> datetime | None:
    """A time in the form of ISO 8601, without a zone taken for UTC; None if it is none."""
    try:
        moment = datetime.fromisoformat(said or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def date_in_words(said: str, *, before: datetime | None = None) -> str | None:
    """``Fri Jul 19 04:10:02 2024``, or with the year elsewhere, without a zone, so taken for UTC; None if it is none.

    Args:
        before: approximate upper bound of a date without a year.
    """
    found = _DATE.fullmatch(said.strip())
    month = _month(found["month"]) if found else None
    if found is None or month is None:
        return None
    told = found["first"] or found["within"] or found["last"]
    day, hour, minute, second = (int(one or 0) for one in found.group("day", "hour", "minute", "second"))
    for year in [int(told)] if told else _years(before):
        try:
            at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:  # the 29th of February of another year, the 31st of June
            continue
        if told or (before is not None and at <= before + _AHEAD):
            return time_text(at)
    return None


def date_without_year(said: str, *, before: datetime) -> str | None:
    """``07-19 04:10:02.123``, with an offset or else taken for UTC; None if it is not a date."""
    for year in _years(before):
        try:
            at = datetime.fromisoformat(f"{year}-{said}")
        except ValueError:
            continue
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        if at <= before + _AHEAD:
            return time_text(at)
    return None


def time_of_filetime(ticks: int) -> str | None:
    """A time in units of 100 ns since 1601; None if it is not valid, or before 1970."""
    return time_of(ticks - _FILETIME_1970, unit=_FILETIME_UNIT) if _FILETIME_1970 < ticks < _LAST_FILETIME else None


def _years(before: datetime | None) -> list[int]:
    """Possible years of a date without one, the latest first."""
    return [] if before is None else [before.year + 1 - back for back in range(_MOST_YEARS + 1)]


def _month(name: str) -> int | None:
    if name[0].isdigit():
        return int(name[:-1]) if int(name[:-1]) in range(1, 13) else None
    lower = name.lower()
    return next((number for length in (4, 3) if (number := _MONTH_OF.get(lower[:length]))), None)


def offset_of(zone: str | None) -> str | None:
    """``+02:00`` of ``CEST``, ``+02`` or ``W. Europe Daylight Time``; None for an unknown or ambiguous zone."""
    if found := _OFFSET.fullmatch(zone or ""):
        return f"{found[1]}:{found[2] or '00'}"
    hours = _ZONES.get(zone or "")
    if hours is None and (named := _WINDOWS_ZONE.fullmatch(zone or "")) and named["name"] in _WINDOWS_ZONES:
        hours = _WINDOWS_ZONES[named["name"]] + (named["kind"] != "Standard")
    return None if hours is None else f"{int(hours):+03d}:{int(hours % 1 * 60):02d}"
