"""Instants in and out: RFC 3339 text with an offset, microseconds and ticks since 1970, aware datetimes in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fleetcrash.errors import BadArgument

# Every time, of a record or asked about, is at or after the first and before the second: microseconds, nanoseconds
# (pandas) and Delta can all hold these.
FIRST, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)

US_A_MINUTE = 60_000_000
DAY = 1440  # minutes, as ticks are counted in


def parse_time(text: str) -> datetime:
    """An instant from RFC 3339 text.

    Raises:
        BadArgument: not a time, one that no record may have, or one without an offset, which could be any zone.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadArgument(f"{text!r} is not a time; wanted one such as 2024-07-19T04:09:00Z.") from None
    if found.tzinfo is None:
        raise BadArgument(f"{text!r} has no offset; wanted one such as 2024-07-19T04:09:00Z or +02:00.")
    if not FIRST <= found < END:
        raise BadArgument(f"{text!r} is outside the years 1970 to 2261 in UTC, where all records are.")
    return found.astimezone(UTC)


def time_text(instant: datetime) -> str:
    """RFC 3339 text in Z, with microseconds only where there are some."""
    plain = instant.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat(timespec="microseconds" if plain.microsecond else "seconds") + "Z"


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970, the unit of times in the lake."""
    return (instant - FIRST) // timedelta(microseconds=1)


def instant_at(microseconds: int) -> datetime:
    """The instant so many microseconds since 1970."""
    return FIRST + timedelta(microseconds=microseconds)


def tick_time(tick: int) -> datetime:
    """The instant of a tick, a whole minute counted from 1970."""
    return datetime.fromtimestamp(tick * 60, tz=UTC)


def tick_text(tick: int) -> str:
    """RFC 3339 text of a tick."""
    return time_text(tick_time(tick))
