"""The time at the beginning of a line of a program's log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from fleetcrash.times import time_text
from ingest.formats.crashes import time_of
from ingest.formats.dates import date_in_words, offset_of

AT = r"(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?)"
# What logs of containers write before the lines of a program.
OF_CONTAINER = re.compile(
    r"(?:(?:\x1b?\[\d{1,3}(?:;\d{1,3}){0,2}m)?"  # a colour, of which a copy may have lost the first character
    r"(?:\d{1,4}\|)?[\w.-]{1,100}(?: \d{1,4})? +\|(?:\x1b?\[0m)? |\[pod/[\w./-]{1,300}\] "
    r"|\s{0,12}\[(?:junit|java|exec)\] "
    r"|\d\d:\d\d:\d\d {2}"  # of Jenkins, if it leaves out the date
    r"|\s{0,12}(?:- )?\[pid=\d{1,10}\]\[err\] )?"  # of Playwright
    # The first as s6 writes it; in brackets Jenkins.
    rf"(?:(?P<in_brackets>\[)?{AT}(?(in_brackets)\] |(?:(?<=\.\d{{9}}) {{2}}|(?: std(?:out|err) [FP])? )))?"
)
_BEFORE = r"[^\d\n]{0,30}"  # a level, a bracket
# What syslog has before it without a host; Samba of some makers its source; Ceph counts the lines before a fault.
_DATED = re.compile(
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w./-]{1,64}\[\d{1,10}\]: {1,4}(?=\[\d)|\S{3,100}\.c:\d{1,6}: (?=\[\d))?"
    rf"(?:[a-z]{{0,8}} {{1,9}}-?\d{{1,6}}> )?{_BEFORE}"
    r"(?P<date>\d{4}[-/.]\d\d[-/.]\d\d)(?:[T ]|, )(?P<time>[ \d]\d:\d\d:\d\d)(?P<part>[.,]\d{1,9})?"
    r"(?: ?(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)\b(?!:)| (?P<named>[A-Z]{3,5})\b)?"
)
_OF_SIGNAL = re.compile(  # as handlers of signals write it, which may not ask for more
    r"(?:\*\*\* Aborted at (?=\d{10} \([uU]nix time[,)])|\*\*\* SIG[A-Z]{2,5} received at time="
    r"|(?:[A-Z][\w-]{1,15}: )?Received signal \d{1,2} at |[IWEF]0000 00:00:(?=\d{10}\.\d{6} ))(?P<at>\d{10})\b"
)
_OF_REDIS = re.compile(r"\d{1,10}:[A-Z] (?P<at>\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d)\b")
_OF_PHP = re.compile(
    r"\[(?P<at>\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d)(?:\.\d{1,6})?(?: (?P<zone>[A-Za-z_/+-]{1,40}))?\] "
)
_IN_WORDS = re.compile(  # as Apache and uWSGI write it
    r"\[?(?P<at>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})? \d{4})(?:\] | - )"
)
_OF_GLOGS_LINES = re.compile(r"[IWEF](?P<at>20\d{6} \d\d:\d\d:\d\d)\.\d{6} ")  # before 2021 it left out the year
_OF_MYSQL = re.compile(  # of old, and of MariaDB about its own death
    r"(?P<at>\d\d(?:0[1-9]|1[0-2])[0-3]\d [ \d]\d:\d\d:\d\d) "
)
_OF_BIND = re.compile(r"(?P<at>\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d)\.\d{3} ")
_OF_ZABBIX = re.compile(r"\s{0,9}\d{1,10}:(?P<at>\d{8}:\d{6})\.\d{3} ")
_OF_CUPS = re.compile(r"(?:[A-Z] )?\[(?P<at>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] ")
_OF_AEROSPIKE = re.compile(r"(?P<at>[A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d) GMT: ")
_OF_MATLAB = re.compile(r"\s{1,40}[A-Z][a-z ]{3,30} detected at ")
_WRITTEN = (
    (_OF_CUPS, "%d/%b/%Y:%H:%M:%S %z"),
    (_OF_AEROSPIKE, "%b %d %Y %H:%M:%S"),
    (_OF_BIND, "%d-%b-%Y %H:%M:%S"),
    (_OF_ZABBIX, "%Y%m%d:%H%M%S"),
    (_OF_PHP, "%d-%b-%Y %H:%M:%S"),
    (_OF_REDIS, "%d %b %Y %H:%M:%S"),
    (_OF_GLOGS_LINES, "%Y%m%d %H:%M:%S"),
    (_OF_MYSQL, "%y%m%d %H:%M:%S"),
)


def stamp_in(line: str) -> str | None:
    """The time at the beginning of a line, as UTC if there is no zone; None if there is no date and time.

    The line may be one of a container's log.
    """
    if prefix := OF_CONTAINER.match(line):
        line = line[prefix.end() if prefix["at"] is None else prefix.start("at") :]
    if found := _OF_MATLAB.match(line):
        line = line[found.end() :]
    if found := _DATED.match(line):
        zone = found["zone"] or found["named"] or ""  # or a word, which is the name of none
        offset = "Z" if zone in ("", "Z", "UTC") else offset_of(zone) or "Z"
        part = (found["part"] or "").replace(",", ".")[:7]
        return time_of(f"{re.sub(r'[/.]', '-', found['date'])}T{found['time'].replace(' ', '0')}{part}{offset}")
    if found := _OF_SIGNAL.match(line):
        return time_of(found["at"])
    if found := _IN_WORDS.match(line):
        return date_in_words(found["at"])
    for form, written in _WRITTEN:
        if found := form.match(line):
            return _time(found["at"], written, found.groupdict().get("zone"))
    return None


def _time(said: str, written: str, zone: str | None) -> str | None:
    try:
        at = datetime.strptime(said, written)  # noqa: DTZ007 - some forms have a zone, which is kept
        return time_text(at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone or "UTC")))
    except (ValueError, OSError, KeyError, OverflowError):  # an unknown zone, or a 31st of June
        return None


def nearest_stamp(lines: Iterable[str]) -> str | None:
    """The first time at the beginning of some lines, in the given order."""
    return next((at for line in lines if (at := stamp_in(line)) is not None), None)
