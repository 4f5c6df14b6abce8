"""Processes of whose death two tell: a kernel, of memory that was not theirs; systemd-coredump, with their stack."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.formats.kernel_log import Fault

_NEAR_S = 300.0  # that a dump may take to be written
_MOST_HELD = 1000

_THREAD = re.compile(r"Stack trace of thread (\d{1,10}):")


@dataclass
class Death:
    """What is told of a process that died.

    Attributes:
        at: seconds since 1970, where they are known.
        fault: the kernel's. entry: systemd's, as the fields of a journal.
        is_told: it has a record.
    """

    host: str | None
    at: float | None
    fault: Fault | None = None
    entry: Mapping[str, str] = field(default_factory=dict)
    is_told: bool = False

    def is_near(self, at: float | None) -> bool:
        """Whether what was told at a time may be of the same process, and not of a later one of the same number."""
        return at is None or self.at is None or abs(at - self.at) <= _NEAR_S


class Deaths:
    """What a kernel and systemd tell of the same processes, in any order, each for a while."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str | None, str], Death] = OrderedDict()

    def add(self, death: Death, pids: Sequence[str]) -> Iterator[Death]:
        """Go on with a death; those that nothing more will be told of.

        Args:
            pids: of the process, and of the thread that died: the kernel tells that one. Without any nobody can tell
                more of the same.
        """
        yield from self.until(death.at)
        yield from _untold([] if pids else [death])
        other = next((found for pid in pids if (found := self._held.get((death.host, pid)))), None)
        if other is not None and (other.fault is None) != (death.fault is None):
            other.fault, other.entry = other.fault or death.fault, other.entry or death.entry
            other.is_told = other.is_told or death.is_told
            return
        for pid in pids:
            before = self._held.pop((death.host, pid), None)
            self._held[death.host, pid] = death
            yield from _untold([before] if before and before is not death else [])

    def until(self, at: float | None) -> Iterator[Death]:
        """Those that it has been too long since, or that are too many."""
        while self._held:
            oldest = next(iter(self._held.values()))
            if oldest.is_near(at) and len(self._held) <= _MOST_HELD:
                return
            yield from _untold([self._held.popitem(last=False)[1]])

    def end(self) -> Iterator[Death]:
        """All that are left."""
        yield from _untold(self._held.values())
        self._held.clear()


def _untold(deaths: Iterable[Death]) -> Iterator[Death]:
    for death in deaths:
        if not death.is_told:
            death.is_told = True
            yield death


def pids_of(entry: Mapping[str, str]) -> list[str]:
    """The numbers of the process that dumped core, and of its thread that died."""
    thread = _THREAD.search(entry.get("MESSAGE", ""))
    return list(dict.fromkeys([entry.get("COREDUMP_PID", ""), *(thread.groups() if thread else ())]))
