"""Processes whose death is reported twice: by the kernel as a memory fault, by systemd-coredump with the stack."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.kernel_log import Fault

_NEAR_S = 300.0  # how long writing a dump may take
_AT_ONCE_S = 5.0  # between a fault and the first that systemd tells of it
_MOST_AT_ONCE = 50
_MOST_HELD = 1000

_THREAD = re.compile(r"Stack trace of thread (\d{1,10}):")


@dataclass
class Death:
    """What is known about a process that died.

    Attributes:
        at: seconds since 1970, if known.
        fault: from the kernel. entry: from systemd, as the fields of a journal.
        is_told: whether it has a record.
    """

    host: str | None
    at: float | None
    fault: Fault | None = None
    entry: Mapping[str, str] = field(default_factory=dict)
    is_told: bool = False

    def is_near(self, at: float | None) -> bool:
        """Whether a report at this time may be of the same process, and not of a later one with the same number."""
        return at is None or self.at is None or abs(at - self.at) <= _NEAR_S


def seconds_of(at: str | None) -> float | None:
    """Seconds since 1970 of a time in RFC 3339; None if it is none."""
    try:
        return datetime.fromisoformat(at).timestamp() if at else None
    except (ValueError, OverflowError):
        return None


class Deaths:
    """Reports of a kernel and systemd about the same processes, in any order, each kept for a while."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str | None, str], Death] = OrderedDict()

    def add(self, death: Death, pids: Sequence[str]) -> Iterator[Death]:
        """Add a death. Returns deaths that are complete.

        Args:
            pids: of the process, and of the thread that died, which the kernel reports. Without any, no other report
                can be matched.
        """
        yield from self.until(death.at)
        yield from _untold([] if pids else [death])
        if self._went_on(death, pids):
            return
        other = next((found for pid in pids if (found := self._held.get((death.host, pid)))), None)
        if pids and other is None and (other := self._of_thread(death)) is not None:
            for pid in pids:  # what is told of it later
                self._held[death.host, pid] = other
        if other is not None and (other.fault is None) != (death.fault is None):
            other.fault, other.entry = other.fault or death.fault, other.entry or death.entry
            other.is_told = other.is_told or death.is_told
            return
        for pid in pids:
            before = self._held.pop((death.host, pid), None)
            self._held[death.host, pid] = death
            yield from _untold([before] if before and before is not death else [])

    def _of_thread(self, death: Death) -> Death | None:
        """What the kernel told of a thread of a process, where systemd tells of the process at once, without the stack.

        Either may come first.
        """
        latest = islice(reversed(self._held.values()), _MOST_AT_ONCE)
        untold = (held for held in latest if not (held.is_told and held.fault))
        return next((held for held in untold if _is_of_thread(held, death)), None)

    def _went_on(self, death: Death, pids: Sequence[str]) -> bool:
        """Add what systemd tells of a process once its dump is written to what it told before; False for others."""
        held = [found for pid in pids if (found := self._held.get((death.host, pid)))]
        first = next((one for one in held if one.entry and not has_stack(one.entry)), None)
        if first is None or not death.entry or not first.is_near(death.at):
            return False
        first.entry = {**death.entry, **first.entry, "MESSAGE": death.entry.get("MESSAGE", "")}
        for other in held:  # the kernel may have told of a thread whose number only the stack tells
            if first.fault is None and other.fault is not None and not other.entry and not other.is_told:
                first.fault, other.is_told = other.fault, True
        for pid in pids:
            self._held.setdefault((death.host, pid), first)
        return True

    def until(self, at: float | None) -> Iterator[Death]:
        """Deaths that are too old, or too many to keep."""
        while self._held:
            oldest = next(iter(self._held.values()))
            if oldest.is_near(at) and len(self._held) <= _MOST_HELD:
                return
            yield from _untold([self._held.popitem(last=False)[1]])

    def end(self) -> Iterator[Death]:
        """All remaining deaths."""
        yield from _untold(self._held.values())
        self._held.clear()


def _is_of_thread(one: Death, other: Death) -> bool:
    """Whether one is what the kernel told of a thread, and the other what systemd told of the process."""
    told, entry = (one, other) if one.fault else (other, one)
    if told.fault is None or told.entry or not entry.entry or entry.fault or has_stack(entry.entry):
        return False
    signal = canonical_code(entry.entry.get("COREDUMP_SIGNAL"), "linux")
    if (told.host, told.fault.tags.get("comm")) != (entry.host, entry.entry.get("COREDUMP_COMM")):
        return False
    is_at_once = told.at is not None and entry.at is not None and abs(told.at - entry.at) <= _AT_ONCE_S
    return is_at_once and signal == told.fault.code


def _untold(deaths: Iterable[Death]) -> Iterator[Death]:
    for death in deaths:
        if not death.is_told:
            death.is_told = True
            yield death


def has_stack(entry: Mapping[str, str]) -> bool:
    """Whether systemd tells the stack of a thread."""
    return _THREAD.search(entry.get("MESSAGE", "")) is not None


def pids_of(entry: Mapping[str, str]) -> list[str]:
    """The numbers of the process that dumped core, and of its thread that died."""
    thread = _THREAD.search(entry.get("MESSAGE", ""))
    return list(dict.fromkeys([entry.get("COREDUMP_PID", ""), *(thread.groups() if thread else ())]))
