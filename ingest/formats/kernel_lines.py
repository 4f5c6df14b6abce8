"""Lines of a Linux kernel's log, and what its ring, syslog and ``dmesg -T`` write before them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingest.formats.crashes import time_of
from ingest.formats.dates import date_in_words

LONGEST_LINE = 2000  # characters that are looked at

_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_STAMP = re.compile(
    # What the kernel's ring says of a line, and how dmesg -x spells it.
    r"(?:<\d{1,3}>)?(?:[a-z]{4,8} {0,4}:[a-z]{3,6} {0,3}: )?"
    # dmesg --time-format iso; syslog, in its old form and its new ones, with who wrote the line.
    r"(?:(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d) "
    rf"|(?:1 )?(?P<at>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{{1,9}})?|{_ISO}) (?P<host>\S{{1,255}}) "
    r"(?P<writer>[^\s:\[\]]{1,64})(?:\[\d{1,10}\])?(?:: ?| - - - ))?"
    r"(?:kernel: ?)?"
    # The kernel's own clock, as it is and as dmesg -T spells it.
    r"(?:\[\s{0,12}(?P<clock>\d{1,10}\.\d{1,9})\](?:\[\s{0,8}[TC]\d{1,10}\])? ?"
    r"|\[(?P<date>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\] ?)?"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a host's kernel.

    Attributes:
        text: without the kernel's clock, and without what syslog writes before it.
        clock: seconds since the kernel started, where the line tells.
        origin: whatever its reader wants to know of it later.
    """

    text: str
    clock: float | None = None
    origin: Any = None


def lines_of(message: str, number: int, most: int) -> Iterator[Line]:
    """The lines of a message that are not blank: shippers send a line each, or many as one.

    What another program wrote by syslog's header is no kernel's, and neither are the lines behind it without one.

    Args:
        number: of the message; it is the origin of its lines, with their place in it.
        most: lines that are looked at; the rest is left out.
    """
    is_of_kernel = True
    for part, whole in enumerate(message.split("\n", most)[:most]):
        said = whole.strip()[:LONGEST_LINE]
        stamp = stamp_of(said)
        if not said:
            continue
        if stamp["writer"]:
            is_of_kernel = stamp["writer"] == "kernel"
        if is_of_kernel:
            yield line_of(said, stamp, origin=(number, part))


def stamp_of(said: str) -> re.Match[str]:
    """What stands before the text of a line; empty where nothing does."""
    found = _STAMP.match(said)
    assert found is not None  # noqa: S101 - all of it may be missing
    return found


def line_of(said: str, stamp: re.Match[str], *, origin: Any) -> Line:
    """A line without its stamp."""
    return Line(said[stamp.end() :][:LONGEST_LINE], float(stamp["clock"]) if stamp["clock"] else None, origin)


def time_of_stamp(stamp: re.Match[str], *, before: datetime) -> str | None:
    """When a line was written; None where its stamp does not tell. What has no zone is taken for UTC.

    Args:
        before: roughly, where the stamp leaves out the year.
    """
    said = stamp["iso"] or stamp["at"]
    if said and said[0].isdigit():
        return time_of(said.replace(",", "."))
    return date_in_words(said or stamp["date"] or "", before=before)
