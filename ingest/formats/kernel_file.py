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
from ingest.formats.kernel_lines import host_of, line_of, stamp_of, time_of_stamp
from ingest.formats.kernel_log import Fault, Kernels, add, begins_fault
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 4000
_LINES_LOOKED_AT = 2000
_PART_BYTES = 1 << 20
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")


def _recognises(head: Head) -> bool:
    if "\0" in head.text:
        return False
    return any(_is_of_a_log(_tidy(line)) for line in islice(head.text.splitlines(), _LINES_LOOKED_AT))


def _is_of_a_log(said: str) -> bool:
    stamp = stamp_of(said)
    if stamp["host"] and not stamp["bare"]:
        return True
    rest = said[stamp.end() :]
    return bool(rest) and (any(stamp.group("iso", "clock", "date", "since")) or begins_fault(rest))


def _tidy(line: str) -> str:
    return (_COLOUR.sub("", line) if "\x1b" in line else line).strip()


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    kernels, records = Kernels(), Records(told)
    is_of_kernel, host, at = True, None, None
    damage: Exception | None = None
    lines = text_lines_in(blocks, _LONGEST_LINE)
    while True:
        try:
            said = _tidy(next(lines))
        except StopIteration:
            break
        except Exception as error:  # whatever it is: what came before it counts
            damage = error
            break
        if not said:
            continue
        stamp = stamp_of(said)
        if stamp["writer"]:
            # A line without a header goes on with the one before it.
            is_of_kernel, host, at = stamp["writer"] == "kernel", host_of(stamp), stamp
        elif any(stamp.group("iso", "date", "bare", "minute")):
            at = stamp
        elif stamp["of"]:
            host = host_of(stamp)
        if is_of_kernel:
            for found in kernels.feed(host, line_of(said, stamp, origin=at)):
                _add(records, *found, told)
        if len(records.lines) > _PART_BYTES:
            yield records
            records = Records(told)
    for found in kernels.end():
        _add(records, *found, told)
    yield records
    if damage is not None:
        raise damage


def _add(records: Records, host: str | None, fault: Fault, told: Told) -> None:
    stamp = fault.line.origin
    at = None if stamp is None else time_of_stamp(stamp, before=told.at)
    add(records, fault, host_id=records.host_id((host,)), at=at)


KERNEL_FILE = Log("log of a Linux kernel", _recognises, _read)
