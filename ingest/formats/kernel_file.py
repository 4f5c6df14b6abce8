"""Text with messages of a Linux kernel: ``dmesg``, a serial console, ``vmcore-dmesg.txt``, ``kern.log``, ``syslog``.

``kernel_log`` recognises crashes of the kernel, ``programs`` those that other programs print; a file of a log server
has lines of many hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ingest.formats import exits, sanitizer
from ingest.formats.core_dumps import MOST_LINES, WRITER, WRITERS, entry_of, stored_in
from ingest.formats.crashes import Records, Told
from ingest.formats.deaths import Death, Deaths, has_stack, pids_of, seconds_of
from ingest.formats.exits import Exit, Exits
from ingest.formats.format import Head, Log
from ingest.formats.journal import add_core_dump
from ingest.formats.kernel_lines import host_of, is_of_process, is_of_syslog, line_of, pid_of, stamp_of, time_of_stamp
from ingest.formats.kernel_log import Fault, Kernels, add, begins_fault
from ingest.formats.kernel_processes import MARKS, may_begin
from ingest.formats.lines import text_lines_in
from ingest.formats.programs import Printed, Programs
from ingest.formats.pstore import in_order
from ingest.formats.services import WRITER as SYSTEMD
from ingest.formats.services import Services

_LONGEST_LINE = 4000
_LINES_LOOKED_AT = 2000
_PART_BYTES = 1 << 20
_COLUMNS, _WIDTH = 80, 132  # of a narrow terminal, and of a wide one
_CLOCK_DIGITS = 6  # after the dot; other numbers in brackets may mean anything
# Most files are not of this format, so the cheapest checks come first: how a stamp begins, and words of which each line
# that begins a fault has one.
_ANY = re.compile("")
_WORD = r"[^\W\d_]{2,9}\.? {1,2}"
_MAY_BEGIN = re.compile(rf"[\s\0`]*(?:[\x1b<\[\d]|[a-z]{{4,8}} {{0,4}}:[a-z]|{_WORD}(?:{_WORD})?\d)")
_OF_FAULTS = re.compile(
    rf"{MARKS}|Kernel panic|BUG|LOCKUP|Unable to handle|WARNING: |INFO: |PANIC|\[#\d|general protection"
    "|Oops: |invalid op"
)
_WITHIN = re.compile(r"\[ {0,5}\d{1,7}\.\d{6}\] ")  # the kernel's clock, after unfinished output of others
_UNQUOTED = re.compile(r"(?<!\\)\"(?=\s*(?:[,;}\]]|$)| \w{1,64}=)")  # the end of a message in a table, JSON or logfmt
# Messages of syslog to all who are logged in: a line with host and time, then a line with the message.
_TO_ALL = re.compile(r"Message from syslogd@(?P<host>\S{1,254}) at (?P<at>\S{3,9} [ \d]?\d \d\d:\d\d:\d\d) \.\.\.")
# What systemd writes into the kernel's ring buffer, while the journal does not run.
_OF_SYSTEMD = re.compile(rf"(?P<writer>{WRITER}|{SYSTEMD})\[\d{{1,10}}\]:(?: |$)")
_INIT = "1"  # the number of the first process, which before systemd does not tell it
_OF_WIDTH = re.compile(r"(?<=\S) {60,}(?=\S)")  # a terminal fills its lines, also where one goes on
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")


def _recognises(head: Head) -> bool:
    lines = islice(head.text.splitlines(), _LINES_LOOKED_AT)
    begins = _MAY_BEGIN if _OF_FAULTS.search(head.text) is None else _ANY
    return any(_is_of_a_log(_tidy(line)) for line in lines if begins.match(line))


def _is_of_a_log(line: str) -> bool:
    if "\0" in line:
        return False
    said, stamp = _stamped(line)
    if stamp["host"]:
        return stamp["writer"] == "kernel" or is_of_syslog(stamp)
    if stamp["writer"] in WRITERS:
        return True
    rest = said[stamp.end() :]
    is_stamped = any(stamp.group("iso", "clock_us", "date", "since"))
    is_stamped = is_stamped or _is_of_kernel(stamp)
    return bool(rest) and (is_stamped or begins_fault(rest))


def _is_of_kernel(stamp: re.Match[str]) -> bool:
    """Whether a line has the kernel's own clock."""
    return len((stamp["clock"] or "").partition(".")[2]) == _CLOCK_DIGITS


def _tidy(line: str) -> str:
    """A line without colours, blanks, also shown ones, zero bytes from a power loss, and Markdown's marks of code."""
    tidy = (_COLOUR.sub("", line) if "\x1b" in line else line).strip("\0 \t\r\n\v\f`␍␊")
    return _OF_WIDTH.sub(lambda blanks: " " * (_COLUMNS - blanks.start()), tidy) if len(tidy) > _WIDTH else tidy


def _stamped(said: str) -> tuple[str, re.Match[str]]:
    """A line from its stamp on, and the stamp. On a console unfinished output of a program may precede it."""
    stamp = stamp_of(said)
    if not stamp[0] and (clock := _WITHIN.search(said)):
        before, said = said[: clock.start()], said[clock.start() :]
        if before.endswith('"') and (end := _UNQUOTED.search(said)):
            said = said[: end.start()]
        elif before.startswith("|"):  # a row of a table
            said = said.removesuffix("|").rstrip()
        stamp = stamp_of(said)
    return said, stamp


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    log = _Log(told)
    for line in in_order(text_lines_in(blocks, _LONGEST_LINE)):
        if said := _tidy(line):
            log.feed(said)
        if len(log.records.lines) > _PART_BYTES:
            yield log.taken()
    log.end()
    yield log.taken()


class _Log:
    """The crashes in a log, as its lines come.

    Attributes:
        records: waiting to be taken.
    """

    def __init__(self, told: Told) -> None:
        self.records = Records(told)
        self._told = told
        self._kernels, self._deaths = Kernels(), Deaths()
        self._writer = "kernel"  # of the last line with a writer, as are its host and stamp
        self._host: str | None = None
        self._at: re.Match[str] | None = None
        self._pid: str | None = None  # of that writer, if it is a program
        self._to_all = ""  # header of the last message to all
        self._dump: dict[str, str] = {}  # of the current message of systemd-coredump
        self._dump_lines = 0
        self._programs, self._services, self._exits = Programs(), Services(), Exits()

    def feed(self, line: str) -> None:
        """Process the next line."""
        if to_all := _TO_ALL.fullmatch(line):
            self._to_all = f"{to_all['at']} {to_all['host']} "
            return
        said, stamp = _stamped(f"{self._to_all}{line}" if line.startswith("kernel:") else line)
        own = _own_of_systemd(said, stamp)
        is_new = own is not None and bool(entry_of(said[own.end() :]))
        if is_new or (stamp["writer"] and own is None):
            self._end_dump()
        if stamp["writer"]:
            # A line without a header continues the one before it.
            self._writer, self._host, self._at = stamp["writer"], host_of(stamp), stamp
            self._pid = _INIT if stamp["writer"] == "init" else pid_of(stamp) if is_of_process(stamp) else None
        elif any(stamp.group("iso", "watched", "date", "bare", "minute")):
            self._at = stamp
            if _is_of_kernel(stamp):  # though a program wrote before it, as in the log of what runs a machine
                self._writer, self._pid = "kernel", None
        elif stamp["of"] or stamp["lone"]:
            self._host = host_of(stamp)
        self._exits.audit(self._host, said)
        if own and own["writer"] == WRITER:
            self._add_of_dump(said[own.end() :], is_new=is_new)
            if is_new and (clock := line_of(said, stamp, origin=None).clock) is not None:
                self._dump["__MONOTONIC_TIMESTAMP"] = str(int(clock * 1e6))
        elif own:
            self._add_of_systemd(said[own.end() :])
        elif self._dump and not stamp[0]:
            self._add_of_dump(said, is_new=False)
        elif self._writer == "kernel":
            for host, fault in self._kernels.feed(self._host, line_of(said, stamp, origin=self._at)):
                self._add(host, fault)
        elif self._writer in WRITERS:
            self._add_of_dump(said[stamp.end() :], is_new=bool(stamp["writer"]))
        elif self._pid and self._writer == SYSTEMD:
            self._add_of_systemd(said[stamp.end() :])
        elif self._pid:
            self._services.feed((self._host, self._pid), said[stamp.end() :], self._at)
            for printed in self._programs.feed((self._host, self._pid), said[stamp.end() :], self._at):
                self._add_printed(printed)

    def end(self) -> None:
        """Process the end of the lines."""
        self._end_dump()
        for host, fault in self._kernels.end():
            self._add(host, fault)
        for death in self._deaths.end():
            self._add_death(death)
        for printed in self._programs.end():
            self._add_printed(printed)
        self._add_exits(self._exits.end())

    def taken(self) -> Records:
        """The records since the last call."""
        taken, self.records = self.records, Records(self._told)
        return taken

    def _add_of_dump(self, said: str, *, is_new: bool) -> None:
        if is_new:
            self._dump = entry_of(said)
            self._dump_lines = 0
        elif self._dump and self._dump_lines < MOST_LINES:
            self._dump["MESSAGE"] += f"\n{said}"
            self._dump_lines += 1

    def _add_of_systemd(self, said: str) -> None:
        at = seconds_of(self._time(self._at))
        for printed in self._services.ended(self._host, said, at, lambda origin: seconds_of(self._time(origin))):
            self._add_printed(printed)
        self._exits.feed(self._host, said, at, self._at)
        self._add_exits(self._exits.taken())

    def _end_dump(self) -> None:
        entry, self._dump = self._dump, {}
        if not entry:
            return
        at = self._time(self._at)
        entry |= {} if at else stored_in(entry["MESSAGE"])
        entry |= {name: one for name, one in (("_HOSTNAME", self._host), ("__REALTIME_TIMESTAMP", at)) if one}
        self._add_found(Death(self._host, seconds_of(at), entry=entry), pids_of(entry))

    def _add(self, host: str | None, fault: Fault) -> None:
        at = self._time(fault.line.origin)
        if fault.domain == "kernel":
            add(self.records, fault, host_id=self.records.host_id((host,)), at=at)
            return
        self._add_found(Death(host, seconds_of(at), fault), fault.pids)

    def _add_found(self, found: Death, pids: Sequence[str]) -> None:
        self._programs.died(found, pids)
        for death in self._deaths.add(found, pids):
            self._add_death(death)

    def _add_printed(self, printed: Printed) -> None:
        """Add a crash that a program printed, unless the kernel or systemd reports it, who know the place."""
        at = self._time(printed.origin)
        if not self._programs.has_died(printed, seconds_of(at)):
            sanitizer.add(self.records, printed.report, host=printed.process[0], at=at)
            self._exits.told(printed.process[0], seconds_of(at))

    def _add_exits(self, found: Iterable[Exit]) -> None:
        for ended in found:
            exits.add(self.records, ended, host_id=self.records.host_id((ended.host,)), at=self._time(ended.origin))

    def _add_death(self, death: Death) -> None:
        program, pid = (death.entry.get(name, "") for name in ("COREDUMP_COMM", "COREDUMP_PID"))
        signal = self._exits.told(death.host, death.at, program, pid)
        if death.entry and (death.fault is None or has_stack(death.entry)):
            entry, fault = death.entry, death.fault
            if fault and (at := self._time(fault.line.origin)):
                entry = {**entry, "__REALTIME_TIMESTAMP": at}  # the dump is written later
            add_core_dump(self.records, entry, code=fault.code if fault else signal, time_quality="log")
        elif death.fault:
            at = self._time(death.fault.line.origin)
            add(self.records, death.fault, host_id=self.records.host_id((death.host,)), at=at)

    def _time(self, stamp: re.Match[str] | None) -> str | None:
        return None if stamp is None else time_of_stamp(stamp, before=self._told.at)


def _own_of_systemd(said: str, stamp: re.Match[str]) -> re.Match[str] | None:
    """What precedes a message of systemd's in the ring; None for others, also where the kernel reports its fault."""
    own = _OF_SYSTEMD.match(said, stamp.end()) if stamp["writer"] in (None, "kernel") else None
    return None if own is None or may_begin(said[stamp.end() :]) else own


KERNEL_FILE = Log("log of a Linux kernel", _recognises, _read)
