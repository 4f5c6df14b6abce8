"""Dates of Windows in the format of the user's country, which is unknown, and whose weekday may precede them.

If it is uncertain which number is the day, the date is dropped: some thirty countries differ from the United States
only in that. Seconds and a zone may be missing; a time without a zone is taken for UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from fleetcrash.times import time_text
from ingest.formats.crashes import time_of

_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d{0,3}(Z|[+-]\d\d:?\d\d)?")
_JSONS = re.compile(r"\\?/Date\((?P<ms>\d{1,15})(?:[+-]\d{4})?\)\\?/")  # of Windows' own writer of JSON
_WMIS = re.compile(r"(?P<date>\d{8})(?P<time>\d{6})\.(?P<part>\d{6})(?P<sign>[+-])(?P<minutes>\d{3})")
_LOCAL = re.compile(
    r"(?:[^\W\d_]{1,9}[.,]? )?(?P<date>\d{1,4}(?P<mark>[./-]) ?\d{1,2}(?P=mark) ?\d{1,4}\.?)[, T]{1,3}"
    r"(?:(?P<early>上午|午前|오전)|(?P<late>下午|午後|오후))?\s?"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:\.\d{1,9})?)?"
    r"(?:\s?(?P<half>[AaPp])\.?\s?[Mm]\.?)?"
)
_SYSLOG = re.compile(  # before an event that was sent on
    r"(?:<\d{1,3}>)?(?:1 )?(?P<at>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20}) "
    r"(?!Faulting |The )(?P<host>[\w.-]{1,255}) "
)
_OSSEC = re.compile(  # OSSEC and Wazuh, before an event that their agent sent
    r"\b(?P<year>\d{4}) (?P<at>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) WinEvtLog: [^:]{1,100}: [A-Z_]{1,20}"
    r"\((?P<number>\d{1,5})\): (?P<provider>[^:]{1,100}): [^:]{1,100}: [^:]{0,100}: (?P<host>[\w.-]{1,255}): "
)
_NUMBER = re.compile(r"\d+")
_CENTURY = 2000  # of years of two digits, which stand last
_AHEAD = timedelta(days=2)  # how far a date may be after its upper bound, because of zones and clocks


def time_of_event(said: str) -> tuple[str, bool] | None:
    """An unambiguous time, and whether its zone is unknown; None for others."""
    if (found := _JSONS.fullmatch(said.strip())) and (at := time_of(int(found["ms"]), unit=1000)):
        return at, False
    if (found := _WMIS.fullmatch(said.strip())) and (at := _time_of_wmi(found)):
        return at, False
    found = _ISO.fullmatch(said.strip())
    if found is None:
        return None
    at = time_of(f"{found[1]}{found[2] or ''}")
    return None if at is None else (at, found[2] is None)


def _time_of_wmi(found: re.Match[str]) -> str | None:
    minutes = int(found["minutes"])
    try:
        at = datetime.strptime(f"{found['date']}{found['time']}{found['part']}+0000", "%Y%m%d%H%M%S%f%z")
        return time_text(at - timedelta(minutes=minutes if found["sign"] == "+" else -minutes))
    except (ValueError, OverflowError):
        return None


def sent_on(line: str, *, is_syslogs: bool) -> dict[str, str] | None:
    """What a line says of its event before the description, by role: OSSEC's, or syslog's if it may have been."""
    if "WinEvtLog: " in line and (found := _OSSEC.search(line)):
        told = {role: found[role] for role in ("number", "provider", "host")}
        return {**told, "at": f"{found['at']} {found['year']}"}
    sent = _SYSLOG.match(line) if is_syslogs else None
    return sent.groupdict() if sent else None


def days_first(dates: Iterable[str]) -> bool | None:
    """Whether the day precedes the month in dates of one form; None if none of them shows it."""
    for said in dates:
        found = _LOCAL.fullmatch(said.strip())
        one, other = _numbers(found)[:2] if found else (0, 0)
        if found and found["mark"] == ".":
            return True
        if max(one, other) in range(13, 32) and min(one, other) in range(1, 13):
            return one > other
    return None


def local_time(said: str, *, day_first: bool | None, after: datetime | None, before: datetime) -> str | None:
    """``7/19/2024 4:10:02 AM``, ``Fr 19.07.24 04:10:02``, ``2024/7/19 4:10:02``; None if it is ambiguous.

    Args:
        day_first: whether the day precedes the month, if other dates show it.
        after: the program's start, if known.
        before: approximate upper bound.
    """
    found = _LOCAL.fullmatch(said.strip())
    if found is None:
        return None
    one, other, last = _numbers(found)
    if one > 31:
        days = [(one, other, last)]
    else:
        firsts = (True, False) if day_first is None else (day_first,)
        days = [(last, other, one) if first else (last, one, other) for first in firsts]
    times = {at for year, month, day in days if (at := _at(found, year, month, day))}
    possible = [at for at in times if at <= before + _AHEAD and (after is None or at >= after - _AHEAD)]
    if len(possible) > 1 and after is not None:  # more likely than a program that had run for weeks
        possible = [at for at in possible if at <= after + _AHEAD]
    return time_text(possible[0]) if len(possible) == 1 else None


def _numbers(found: re.Match[str]) -> tuple[int, int, int]:
    one, other, last = map(int, _NUMBER.findall(found["date"]))
    return one, other, last + _CENTURY if one <= 31 and last < 100 else last


def _at(found: re.Match[str], year: int, month: int, day: int) -> datetime | None:
    hour, half = int(found["hour"]), "p" if found["late"] else "a" if found["early"] else (found["half"] or "").lower()
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return datetime(year, month, day, hour, int(found["minute"]), int(found["second"] or 0), tzinfo=UTC)
    except ValueError:
        return None
