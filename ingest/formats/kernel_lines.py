"""Lines of a Linux kernel's log, and the prefixes of its ring buffer, syslog and ``dmesg -T``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingest.formats.crashes import CLOCK_IS_UNSET, time_of
from ingest.formats.dates import MONTH, date_in_words, offset_of

LONGEST_LINE = 2000  # characters that are searched

_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_WORDS = rf"(?:\d{{4}} )?{MONTH} [ \d]?\d (?:\d{{4}} )?\d\d:\d\d:\d\d(?:\.\d{{1,9}})?(?: \d{{4}})?"
_FACILITY = r"[a-z]{3,8}\d?\.(?:emerg|alert|crit|err|error|warn|warning|notice|info|debug)"  # as small systems write it
_DATA = r"(?:-|(?:\[(?:[^\]\\\n]|\\[^\n]){1,300}\]){1,4})"  # which syslog's new form has before what was written
_CALLER = (  # the task or processor that writes a line, in the forms of kernels and of phone makers
    r" {0,2}\[\s{0,8}[TC]\d{1,10}(?:@C?\d{1,4})?\]| {1,2}c\d{1,3} {1,8}\d{1,8}(?= )"
    r"| ?-?\(\d{1,3}\)\[\d{1,8}:[^\]\s]{1,40}\]| {0,2}\[\d{1,3}: {0,20}[^\]]{1,40}: {0,8}\d{1,8}\]"
    r"| ?\[pid:\d{1,10},cpu\d{1,4}[, ][^\]]{1,40}\](?:\[\d{1,4}\])?"
)
_SINCE = r" <\s{0,9}\d{1,9}\.\d{6}[ *]?>"  # the time since the line before, as dmesg -d and journalctl tell it
_STAMP = re.compile(
    # The level of a line in the kernel's ring buffer, and as dmesg -x prints it.
    r"(?:<\d{1,3}>)?(?:[a-z]{4,8} {0,4}:[a-z]{3,6} {0,3}: )?"
    # /dev/kmsg and the longer form of netconsole, perhaps with the release, and the clock in microseconds.
    r"(?:(?:\d{1,2}\.\d{1,3}\.\d[\w.+~-]{0,80},)?\d{1,3},\d{1,19},(?P<clock_us>\d{1,16}),[-c+](?:,[^;]{0,100})?;)?"
    # dmesg --time-format iso; syslog in its old form and its new ones, journalctl in its short ones.
    r"(?:(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d) "
    # Stamps of a console log.
    rf"|\[(?P<watched>{_ISO}|[A-Z][a-z]{{2}} {_WORDS})\] {{1,4}}(?=\[)"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})? {1,4}(?=\[|<\d{1,3}>\[)"
    rf"|(?:(?P<version>1) )?(?:[^\W\d_]{{2,4}}\.? )?(?P<at>{_WORDS}|{_ISO}|\d{{10}}\.\d{{6}})"
    r"(?: (?P<zone>[A-Z]{3,5}|[+-]\d\d(?:\d\d)?)(?: [A-Z]{3,5})?)??"
    # Writer and host of the line, with the sender's address; or none, as with netconsole, or where people removed it.
    rf"(?:(?: \d{{1,3}}(?:\.\d{{1,3}}){{3}}(?= (?!{_FACILITY} )[\w.-]{{1,255}} ))?"
    rf"(?: (?!- (?!\S{{1,64}} - )|{_FACILITY} |\[\d{{1,10}}\.\d{{3,9}}[\]@])"  # a clock of many digits is no host
    rf"(?P<host>\S{{0,254}}[^\s:]))?(?: {_FACILITY})?"
    r" (?P<writer>[^\s:\[\]]{1,64})(?:\[(?:(?P<pid>\d{1,10})|n/a)\])?"
    # In syslog's new form the process and the kind of the message may be told apart from the writer.
    rf"(?:: ?| - - {_DATA} \ufeff?"
    rf"|(?(version) (?:-|(?P<procid>\d{{1,10}})|[!-~]{{1,128}}) [!-~]{{1,32}} {_DATA} \ufeff?|(?!)))"
    r"|(?P<bare>:? {1,4}(?=\[)| - |  )))?"
    # The rest of a header of syslog whose time people removed; the prompt of a console.
    r"(?:(?:(?P<lone>[\w.-]{1,255}) )?kernel: ?|[\w.-]{1,255} login: (?=\[)"
    r"|(?:\[\w[\w.-]{0,63}@[^\]\s]{1,255} [^\]]{1,100}\]|\w[\w.-]{0,63}@[\w.-]{1,255}:[~/][^\s#$]{0,100}|~|/) ?[#$] "
    r"(?=Kernel panic|BUG: |Unable to ))?"
    # The level of a line, behind the stamp of what recorded a console.
    r"(?:<\d{1,3}>(?=\[))?"
    # The kernel's own clock, as it is and as dmesg -T and -H spell it, the latter in the user's language.
    rf"(?:\[\s{{0,12}}(?P<clock>\d{{1,10}}\.\d{{1,9}})(?:@C?\d{{1,4}})?(?:{_SINCE}| {{16}})?\]"
    rf"(?:{_CALLER})? ?"
    r"(?:(?P<of>\S{1,255}) kernel: ?)?"
    rf"|\[(?P<date>[^\W\d_]{{1,6}}\.? {{1,2}}{_WORDS})(?:{_SINCE})?\] ?"
    rf"|\[(?P<minute>{MONTH} {{0,2}}\d{{1,2}} \d\d:\d\d)\] ?|\[(?P<since> {{0,8}}\+\d{{1,7}}[.,]\d{{6}})\] ?)?"
    # The ring's mark again, within what older kernels wrote without an end.
    r"(?: {0,2}<[0-7]>(?=[A-Z]))?"
)
_A_DAY_S, _HALF_AN_HOUR_S = 86_400, 1800
_MOST_BEHIND_S = 10  # from the kernel's start to that of its clock; and until a line is written
_OF_PROGRAMS = re.compile(r"\d{4}-\d\d-\d\d ")  # many programs other than syslog write a date with a blank


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a host's kernel.

    Attributes:
        text: without the kernel's clock, and without what syslog writes before it.
        clock: seconds since the kernel started, where the line tells.
        origin: any value that the reader of the line needs later.
    """

    text: str
    clock: float | None = None
    origin: Any = None


def lines_of(message: str, number: int, most: int) -> Iterator[Line]:
    """The lines of a message that are not blank; shippers send one line per message, or many.

    Lines that other programs wrote, by the header of syslog, are left out with the lines after them without a header.

    Args:
        number: of the message; with the place of the line it is the origin.
        most: number of lines; the rest is left out.
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
    """The prefix of a line; empty if there is none."""
    found = _STAMP.match(said)
    assert found is not None  # noqa: S101 - all of it may be missing
    return found


def host_of(stamp: re.Match[str]) -> str | None:
    """The host of a line, if its stamp has one."""
    host = stamp["host"] or stamp["of"] or stamp["lone"]
    return None if host == "-" else host


def is_of_syslog(stamp: re.Match[str]) -> bool:
    """Whether a stamp with a host is one of syslog, as logs of programs may look similar."""
    return _OF_PROGRAMS.match(stamp["at"]) is None


def is_of_process(stamp: re.Match[str]) -> bool:
    """Whether a stamp of syslog names the process that wrote the line."""
    return bool(stamp["host"] and pid_of(stamp)) and is_of_syslog(stamp)


def pid_of(stamp: re.Match[str]) -> str | None:
    """The process that wrote a line, if its stamp has one."""
    pid: str | None = stamp["pid"] or stamp["procid"]
    return pid


def line_of(said: str, stamp: re.Match[str], *, origin: Any) -> Line:
    """A line without its stamp."""
    return Line(said[stamp.end() :][:LONGEST_LINE], _clock_of(stamp), origin)


def _clock_of(stamp: re.Match[str]) -> float | None:
    if stamp["clock_us"]:
        return int(stamp["clock_us"]) / 1e6
    return float(stamp["clock"]) if stamp["clock"] else None


def time_of_stamp(stamp: re.Match[str], *, before: datetime) -> str | None:
    """When a line was written; None if its stamp has no time, or that of a clock that was not set.

    Without a zone it is taken for UTC.

    Args:
        before: approximate upper bound, for a stamp without a year.
    """
    said = stamp["iso"] or stamp["watched"] or stamp["at"]
    if said and said[:4].isdigit() and said[4] != " ":
        at = time_of(said.replace(",", ".") + (offset_of(stamp["zone"]) or ""))
    else:
        at = date_in_words(said or stamp["date"] or stamp["minute"] or "", before=before)
    return None if at is None or CLOCK_IS_UNSET.match(at) or _counts_from_new_year(at, _clock_of(stamp)) else at


def _counts_from_new_year(at: str, clock: float | None) -> bool:
    """Whether a date, perhaps without a year, is that of a clock which began with 1970, in whatever zone."""
    if clock is None or clock > _A_DAY_S or at[5:10] != "01-01":
        return False
    seconds = int(at[14:16]) * 60 + int(at[17:19])
    return (seconds + 1 - clock) % _HALF_AN_HOUR_S <= _MOST_BEHIND_S  # fractions are left out
