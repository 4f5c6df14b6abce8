"""Text with what a Linux kernel said: of ``dmesg``, a serial console, ``vmcore-dmesg.txt``, ``kern.log``, ``syslog``.

What tells of a crash is in ``kernel_log``. Lines of other programs are passed over; a file of a log server has lines
of many hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from ingest.formats.crashes import Records, Told
from ingest.formats.format import Head, Log
from ingest.formats.kernel_lines import line_of, stamp_of, time_of_stamp
from ingest.formats.kernel_log import Fault, Kernels, add, begins_fault
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 4000
_LINES_LOOKED_AT = 2000
_PART_BYTES = 1 << 20
_CLOCK_DIGITS = 6  # behind the dot; other numbers in brackets are anybody's
# Most files that are looked at are none, so that what costs least is asked first: what a stamp begins with, and words
# of which each line that begins a fault has one.
_ANY = re.compile("")
_MAY_BEGIN = re.compile(r"[\s\0]*(?:[\x1b<\[\d]|kern|user|daemon|[A-Z][a-z]{2} [ \d]\d )")
_OF_FAULTS = re.compile(r"panic - not|BUG|LOCKUP|segfault at|traps: |Unable to handle|WARNING: |INFO: ")
_OF_PROGRAMS = re.compile(r"\d{4}-\d\d-\d\d ")  # with a blank many write a date who are no syslog
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")


def _recognises(head: Head) -> bool:
    lines = islice(head.text.splitlines(), _LINES_LOOKED_AT)
    begins = _MAY_BEGIN if _OF_FAULTS.search(head.text) is None else _ANY
    return any(_is_of_a_log(_tidy(line)) for line in lines if begins.match(line))


def _is_of_a_log(said: str) -> bool:
    if "\0" in said:
        return False
    stamp = stamp_of(said)
    if stamp["host"]:
        return stamp["writer"] == "kernel" or _OF_PROGRAMS.match(stamp["at"]) is None
    is_stamped = stamp["iso"] or stamp["date"] or len((stamp["clock"] or "").partition(".")[2]) == _CLOCK_DIGITS
    rest = said[stamp.end() :]
    return bool(rest) and (bool(is_stamped) or begins_fault(rest))


def _tidy(line: str) -> str:
    """A line without colours and blanks, and without the zeros that a file has in it where the power went."""
    return (_COLOUR.sub("", line) if "\x1b" in line else line).strip("\0 \t\r\n\v\f")


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    kernels, records = Kernels(), Records(told)
    is_of_kernel, host, at = True, None, None
    for line in text_lines_in(blocks, _LONGEST_LINE):
        said = _tidy(line)
        if not said:
            continue
        stamp = stamp_of(said)
        if stamp["writer"]:
            # A line without a header goes on with the one before it.
            is_of_kernel, host, at = stamp["writer"] == "kernel", stamp["host"], stamp
        elif stamp["iso"] or stamp["date"]:
            at = stamp
        if is_of_kernel:
            for found in kernels.feed(host, line_of(said, stamp, origin=at)):
                _add(records, *found, told)
        if len(records.lines) > _PART_BYTES:
            yield records
            records = Records(told)
    for found in kernels.end():
        _add(records, *found, told)
    yield records


def _add(records: Records, host: str | None, fault: Fault, told: Told) -> None:
    stamp = fault.line.origin
    at = None if stamp is None else time_of_stamp(stamp, before=told.at)
    add(records, fault, host_id=records.host_id((host,)), at=at)


KERNEL_FILE = Log("log of a Linux kernel", _recognises, _read)
