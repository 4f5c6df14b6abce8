"""What programs printed and messages of a kernel in one text, as people paste both.

A crash of the kernel is never one of a program. Of a process the kernel may tell what it printed itself, under another
name and number where it ran in a container; so such a message counts only in place of a notice with its number, as the
kernel knows the place.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator

from ingest.formats import sanitizer
from ingest.formats.crashes import Records, Told
from ingest.formats.deaths import Death, seconds_of
from ingest.formats.format import Head, Log
from ingest.formats.kernel_lines import host_of, line_of, stamp_of, time_of_stamp
from ingest.formats.kernel_log import Fault, Kernels, add, begins_fault
from ingest.formats.kernel_processes import MARKS
from ingest.formats.lines import text_lines_in
from ingest.formats.sanitizer_reports import Report

_LONGEST_LINE = 4000
_MOST_HELD = 1000  # notices, and deaths of processes
_MAY_BEGIN = re.compile(rf"{MARKS}|\[#\d|Kernel panic|BUG: |Unable to handle")  # a quick check


def _recognises(head: Head) -> bool:
    if not _MAY_BEGIN.search(head.text) or not sanitizer.SANITIZER.recognises(head):
        return False
    return any(begins_fault(said[stamp.end() :]) for said, stamp in map(_of_kernel, head.text.splitlines()) if stamp)


def _of_kernel(line: str) -> tuple[str, re.Match[str] | None]:
    """A line from its stamp on, and the stamp; None for a line of a program."""
    said = line.strip()
    stamp = stamp_of(said)
    return said, stamp if stamp["writer"] in (None, "kernel") else None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    kernel, notices = _Kernel(told), list[Report]()
    for report in sanitizer.reports_in(kernel.hearing(text_lines_in(blocks, _LONGEST_LINE))):
        if report.is_notice and len(notices) < _MOST_HELD:
            notices.append(report)
        else:
            sanitizer.add(kernel.records, report, at=report.at)
        yield kernel.taken()
    kernel.end()
    for notice in notices:
        if not kernel.tells_of(notice):
            sanitizer.add(kernel.records, notice, at=notice.at)
    yield kernel.taken()


class _Kernel:
    """The kernel's part of a text.

    Attributes:
        records: waiting to be taken.
    """

    def __init__(self, told: Told) -> None:
        self.records = Records(told)
        self._told = told
        self._kernels = Kernels()
        self._deaths: OrderedDict[str, Death] = OrderedDict()

    def hearing(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines, which may as well be of programs."""
        for line in lines:
            said, stamp = _of_kernel(line)
            if stamp is not None:
                for host, fault in self._kernels.feed(host_of(stamp), line_of(said, stamp, origin=stamp)):
                    self._add(host, fault)
            yield line

    def end(self) -> None:
        """Process the end of the lines."""
        for host, fault in self._kernels.end():
            self._add(host, fault)

    def taken(self) -> Records:
        """The records since the last call."""
        taken, self.records = self.records, Records(self._told)
        return taken

    def tells_of(self, notice: Report) -> bool:
        """Whether the kernel reported the process of a notice; its message is then added."""
        death = self._deaths.get(notice.pid or "")
        if death is None or death.fault is None or not death.is_near(seconds_of(notice.at)):
            return False
        if not death.is_told:
            death.is_told = True
            self._write(death.host, death.fault)
        return True

    def _add(self, host: str | None, fault: Fault) -> None:
        if fault.domain == "kernel":
            self._write(host, fault)
            return
        death = Death(host, seconds_of(self._time(fault)), fault)
        self._deaths |= dict.fromkeys(fault.pids, death)
        while len(self._deaths) > _MOST_HELD:
            self._deaths.popitem(last=False)

    def _write(self, host: str | None, fault: Fault) -> None:
        add(self.records, fault, host_id=self.records.host_id((host,)), at=self._time(fault))

    def _time(self, fault: Fault) -> str | None:
        return time_of_stamp(fault.line.origin, before=self._told.at)


BESIDE_KERNEL = Log("what programs printed, beside the log of a Linux kernel", _recognises, _read)
