"""systemd's journal in its export format, which ``systemd-journal-upload`` sends and ``journalctl -o export`` writes.

Crashes are entries of systemd-coredump about a process, messages of the kernel that ``kernel_log`` knows, and what
other programs print when they crash, see ``programs``; no other entries. It may be a whole journal, with binary fields
of any size: only a few fields of an entry are kept, with bounded size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fleetcrash.clustering.codes import canonical_code
from ingest.formats import exits, sanitizer, stacks
from ingest.formats.blame import at_fault, has_aborted
from ingest.formats.crashes import Records, Told, Unfit, base_name, name_of, tags_of, text, time_of, whole
from ingest.formats.deaths import Death, Deaths, pids_of
from ingest.formats.exits import Exit, Exits
from ingest.formats.format import BrokenOff, Log
from ingest.formats.kernel_lines import LONGEST_LINE, Line
from ingest.formats.kernel_log import Fault, Kernels
from ingest.formats.kernel_log import add as add_fault
from ingest.formats.programs import Printed, Programs
from ingest.formats.services import Services

COREDUMP = "fc2e22bc6ee647b6b90729ab34a250b1"
_SYSTEMDS_PID = "1"
LONGEST_VALUE_BYTES = 64 << 10
_LONGEST_NAME_BYTES = 256  # the name of a field has at most 64
_AT_ONCE_US = 2_000_000  # a kernel prints all of a fault within this time
_PRINTED_US = 60_000_000  # within this time a report is printed and the core is dumped
_LATEST_US = 600_000_000  # a large core takes long to dump
_MOST_LINES = 300  # of one message
_TAGS = {
    "COREDUMP_EXE": "exe", "COREDUMP_COMM": "comm", "COREDUMP_UNIT": "unit", "COREDUMP_USER_UNIT": "user_unit",
    "COREDUMP_PACKAGE_NAME": "package", "COREDUMP_PACKAGE_VERSION": "package_version",
    "_HOSTNAME": "hostname", "_BOOT_ID": "boot_id",
    "COREDUMP_SIGNAL": "signal",
}  # fmt: skip
READ = frozenset(_TAGS) | {
    "MESSAGE_ID", "MESSAGE", "_MACHINE_ID", "COREDUMP_HOSTNAME", "COREDUMP_PID", "COREDUMP_TIMESTAMP",
    "COREDUMP_SIGNAL_NAME", "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "_TRANSPORT", "SYSLOG_IDENTIFIER",
    "_SOURCE_MONOTONIC_TIMESTAMP",
    "_PID", "CONTAINER_ID",
}  # fmt: skip
# Neither the command line nor the environment, which contain secrets.
_HELD = frozenset(name.encode() for name in READ)


class Entries:
    """The crashes in entries, from any form of a journal.

    Attributes:
        records: waiting to be taken.
        not_read: number of entries that are no crash, without those of the kernel.

    Args:
        told: what is known about all crashes.
        is_whole: whether all that is told about a time comes, as in a file. Else systemd's word alone is no crash.
    """

    def __init__(self, told: Told | None = None, *, is_whole: bool = False) -> None:
        self.records = Records(told)
        self.not_read = 0
        self._exits = Exits() if is_whole else None
        self._told = told
        self._kernels = Kernels()
        self._deaths = Deaths()
        self._kernel_us = 0  # time of its last message
        self._programs, self._services = Programs(), Services()

    def add(self, entry: Mapping[str, str]) -> None:
        """Add an entry: the fields of ``READ`` that it has."""
        at_us = whole(entry.get("__REALTIME_TIMESTAMP")) or 0
        if self._kernel_us and abs(at_us - self._kernel_us) > _AT_ONCE_US:
            self._settle()
        self._add_printed(self._programs.until(lambda begun_us: abs(at_us - begun_us) > _PRINTED_US))
        self._add_deaths(self._deaths.until(at_us / 1e6))
        if _is_core_dump(entry):
            add_core_dump(self.records, entry)
            death = Death(self.records.host_id(_names_of_host(entry)), at_us / 1e6, entry=entry, is_told=True)
            self._add_found(death, pids_of(entry))
            self._know(death.host, at_us)
        elif (
            entry.get("_TRANSPORT", entry.get("SYSLOG_IDENTIFIER")) == "kernel"
        ):  # journalctl tells what it is asked for
            self._kernel_us = at_us
            clock_us = whole(entry.get("_SOURCE_MONOTONIC_TIMESTAMP"))
            for said in entry.get("MESSAGE", "").split("\n", _MOST_LINES)[:_MOST_LINES]:
                line = Line(said[:LONGEST_LINE], None if clock_us is None else clock_us / 1e6, at_us)
                self._add_faults(self._kernels.feed(self.records.host_id(_names_of_host(entry)), line))
        else:
            self.not_read += 1
            self._add_of_program(entry, at_us)

    def taken(self) -> tuple[Records, int]:
        """Hand over the records, and the count of entries that are no crash, since the last time."""
        taken, self.records, self.not_read = (self.records, self.not_read), Records(self._told), 0
        return taken

    def end(self) -> None:
        """Process the end of the entries."""
        self._settle()
        self._add_deaths(self._deaths.end())
        self._add_printed(self._programs.end())
        self._add_exits(self._exits.end() if self._exits else ())

    def _settle(self) -> None:
        self._add_faults(self._kernels.end())
        self._kernel_us = 0

    def _add_faults(self, found: Iterable[tuple[str | None, Fault]]) -> None:
        for host_id, fault in found:
            if fault.domain == "kernel":
                self._add_fault(host_id, fault)
            else:
                self._add_found(Death(host_id, fault.line.origin / 1e6, fault), fault.pids)

    def _add_found(self, found: Death, pids: Sequence[str]) -> None:
        self._programs.died(found, pids)
        self._add_deaths(self._deaths.add(found, pids))

    def _add_deaths(self, deaths: Iterable[Death]) -> None:
        for death in deaths:
            if death.fault:
                self._add_fault(death.host, death.fault)
                self._know(death.host, death.fault.line.origin)

    def _add_fault(self, host_id: str | None, fault: Fault) -> None:
        at = time_of(fault.line.origin, unit=1_000_000) if fault.line.origin else None
        add_fault(self.records, fault, host_id=host_id, at=at)

    def _add_of_program(self, entry: Mapping[str, str], at_us: int) -> None:
        number = entry.get("CONTAINER_ID") or entry.get("_PID")
        if number is None:
            return
        process = self.records.host_id(_names_of_host(entry)), number
        if number == _SYSTEMDS_PID:
            said = entry.get("MESSAGE", "")
            self._add_printed(self._services.ended(process[0], said, at_us / 1e6, lambda began_us: began_us / 1e6))
            if self._exits:
                self._exits.feed(process[0], said, at_us / 1e6, at_us)
                self._add_exits(self._exits.taken())
            return
        for said in entry.get("MESSAGE", "").split("\n", _MOST_LINES)[:_MOST_LINES]:
            self._services.feed(process, said, at_us)
            self._add_printed(self._programs.feed(process, said, at_us))

    def _add_printed(self, found: Iterable[Printed]) -> None:
        for printed in found:
            if not self._programs.has_died(printed, printed.origin / 1e6):
                at = time_of(printed.origin, unit=1_000_000) if printed.origin else None
                sanitizer.add(self.records, printed.report, host=printed.process[0], at=at)
                self._know(printed.process[0], printed.origin)

    def _know(self, host_id: str | None, at_us: int) -> None:
        """Take note of a crash that is told."""
        if self._exits:
            self._exits.told(host_id, at_us / 1e6)

    def _add_exits(self, found: Iterable[Exit]) -> None:
        for ended in found:
            at = time_of(ended.origin, unit=1_000_000) if ended.origin else None
            exits.add(self.records, ended, host_id=ended.host, at=at)


class Journal:
    """Entries of the export format as they come, in parts of any size.

    Args:
        told: what is known about all crashes in it.
        is_whole: see ``Entries``.
    """

    def __init__(self, told: Told | None = None, *, is_whole: bool = False) -> None:
        self._entries = Entries(told, is_whole=is_whole)
        self._entry: dict[bytes, bytes] = {}
        self._is_empty = True  # the entry has no field yet
        self._rest = bytearray()  # an unfinished line, or size of a binary field
        self._is_long = False  # the line is longer than the bound
        self._name: bytes | None = None  # of the current binary field
        self._left: int | None = None  # its bytes still to come; None before its size is known
        self._value = bytearray()

    @property
    def records(self) -> Records:
        """The records waiting to be taken."""
        return self._entries.records

    def taken(self) -> tuple[Records, int]:
        """Hand over the records, and the count of entries that are no crash, since the last time."""
        return self._entries.taken()

    def feed(self, data: bytes) -> None:
        """Process the next bytes, in bounded memory.

        Raises:
            Unfit: it is not a journal.
        """
        at = 0
        while at < len(data):
            if self._name is not None:
                at = self._binary(self._name, data, at)
                continue
            end = data.find(b"\n", at)
            self._hold(data[at : len(data) if end < 0 else end])
            if end < 0:
                return
            at = end + 1
            self._line()

    def end(self) -> None:
        """End the last entry, which need not be followed by a blank line.

        Raises:
            Unfit: it is truncated.
        """
        is_cut = self._name is not None or bool(self._rest) or self._is_long
        if is_cut:
            raise Unfit("bad_journal", "The journal ends within an entry")
        self._close()
        self.settle()

    def settle(self) -> None:
        """Write the crashes that are complete, regardless of the current entry."""
        self._entries.end()

    def _hold(self, part: bytes) -> None:
        if len(self._rest) + len(part) <= LONGEST_VALUE_BYTES:
            self._rest += part
        else:
            self._rest += part[: LONGEST_VALUE_BYTES - len(self._rest)]
            self._is_long = True

    def _line(self) -> None:
        line, is_long = bytes(self._rest), self._is_long
        self._rest.clear()
        self._is_long = False
        if not line:
            self._close()
            return
        self._is_empty = False
        name, equals, value = line.partition(b"=")
        if equals:
            self._set(name, value)
        elif is_long or len(line) > _LONGEST_NAME_BYTES:
            raise Unfit("bad_journal", "A field's name in the journal has no end")
        else:
            self._name, self._left = line, None

    def _binary(self, name: bytes, data: bytes, at: int) -> int:
        """Process a binary field: eight bytes of size, the value, a newline. Returns the position after it."""
        if self._left is None:
            part = data[at : at + 8 - len(self._rest)]
            self._rest += part
            if len(self._rest) == 8:
                self._left = int.from_bytes(self._rest, "little") + 1  # and the newline
                self._rest.clear()
            return at + len(part)
        taken = min(self._left, len(data) - at)
        if name in _HELD and len(self._value) < LONGEST_VALUE_BYTES:
            self._value += data[at : at + min(taken, LONGEST_VALUE_BYTES - len(self._value))]
        self._left -= taken
        if not self._left:
            self._set(name, bytes(self._value.removesuffix(b"\n")))
            self._value.clear()
            self._name = None
        return at + taken

    def _set(self, name: bytes, value: bytes) -> None:
        if name in _HELD:
            self._entry[name] = value

    def _close(self) -> None:
        """End an entry."""
        if not self._is_empty:
            self._entries.add({name.decode(): value.decode("utf-8", "replace") for name, value in self._entry.items()})
        self._entry.clear()
        self._is_empty = True


def add_core_dump(
    records: Records, entry: Mapping[str, str], *, code: str | None = None, time_quality: str | None = None
) -> None:
    """Add the crash of an entry of systemd-coredump.

    Args:
        code: used if the entry has none.
        time_quality: used if its time is not that of the crash.
    """
    host_id = records.host_id(_names_of_host(entry))
    at_us = entry.get("COREDUMP_TIMESTAMP") or entry.get("__REALTIME_TIMESTAMP")
    stack = stacks.read(entry.get("MESSAGE", ""))
    code = text(entry.get("COREDUMP_SIGNAL_NAME")) or _signal_name(entry.get("COREDUMP_SIGNAL")) or code
    code = code or ("SIGABRT" if has_aborted(stack.frames) else None)  # text of a log has no signal
    known = (at_us or "", entry.get("_BOOT_ID", ""), entry.get("COREDUMP_PID", ""))
    records.crash(
        crash_id=name_of(host_id or "", *known),
        host_id=host_id,
        occurred_at=time_of(number, unit=1_000_000) if (number := whole(at_us)) else at_us or None,
        time_quality=time_quality,
        os_type="linux",
        domain="user",
        code=code,
        **at_fault(stack.frames, base_name(entry.get("COREDUMP_EXE") or entry.get("COREDUMP_COMM")), code=code),
        frames=stack.frames,
        uptime_s=_uptime(entry),
        tags=tags_of((name, entry.get(field)) for field, name in _TAGS.items()),
    )


def _is_core_dump(entry: Mapping[str, str]) -> bool:
    """Whether an entry is of a core dump, also where journalctl was asked for other fields than what says so."""
    number = entry.get("MESSAGE_ID")
    return number == COREDUMP or (number is None and ("COREDUMP_SIGNAL" in entry or "COREDUMP_SIGNAL_NAME" in entry))


def _uptime(entry: Mapping[str, str]) -> float | None:
    """How long the kernel had run at a crash, whose dump is logged later."""
    names = ("__MONOTONIC_TIMESTAMP", "__REALTIME_TIMESTAMP", "COREDUMP_TIMESTAMP")
    since_us, logged_us, at_us = (whole(entry.get(name)) for name in names)
    if since_us is None:
        return None
    late_us = logged_us - at_us if logged_us and at_us and 0 <= logged_us - at_us < _LATEST_US else 0
    return (since_us - late_us) / 1e6 if since_us > late_us else None


def _names_of_host(entry: Mapping[str, str]) -> tuple[str | None, ...]:
    return entry.get("_MACHINE_ID"), entry.get("_HOSTNAME"), entry.get("COREDUMP_HOSTNAME")


def _signal_name(number: str | None) -> str | None:
    """``SIGSEGV`` for 11, as older systemd has only the number."""
    return canonical_code(text(number), "linux") or None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    journal = Journal(told, is_whole=True)
    try:
        for block in blocks:
            journal.feed(block)
            yield journal.taken()[0]
        journal.end()
    except (Unfit, BrokenOff):  # what was intact before it counts
        journal.settle()
        yield journal.taken()[0]
        raise
    yield journal.taken()[0]


_FIRST_FIELD = re.compile(rb"\s{0,9}(?:__CURSOR|__REALTIME_TIMESTAMP|__MONOTONIC_TIMESTAMP|__SEQNUM)=[^\n]{1,300}\n")
JOURNAL = Log("systemd journal in export format", lambda head: _FIRST_FIELD.match(head.data) is not None, _read)
