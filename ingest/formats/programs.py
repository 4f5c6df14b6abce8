"""Reports of crashing programs in a system's log: with a header before each line, and lines of others between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.formats.deaths import Death
from ingest.formats.sanitizer import begins_report, reports_in
from ingest.formats.sanitizer_reports import Report

_MOST_LINES = 600  # of a program, from the first line of a report on
_LONGEST_LINE = 4000
_MOST_PROGRAMS = 20
_MOST_DEAD = 1000

Process = tuple[str | None, str]


@dataclass
class Printed:
    """A report of a program.

    Attributes:
        process: that wrote it: its host and number. origin: of its first line, any value that the reader needs later.
    """

    process: Process
    report: Report
    origin: Any


@dataclass
class _Lines:
    texts: list[str] = field(default_factory=list)
    origins: list[Any] = field(default_factory=list)


class Programs:
    """Collects reports from the lines of all programs."""

    def __init__(self) -> None:
        self._of: OrderedDict[Process, _Lines] = OrderedDict()
        self._dead: OrderedDict[Process, Death] = OrderedDict()

    def feed(self, process: Process, said: str, origin: Any) -> Iterator[Printed]:
        """Process the next line. Returns reports that are complete."""
        lines = self._of.get(process)
        if lines is None:
            if not begins_report(said):
                return
            lines = self._of[process] = _Lines()
        lines.texts.append(said[:_LONGEST_LINE])
        lines.origins.append(origin)
        if len(lines.texts) >= _MOST_LINES:
            yield from self._end_of(process)
        elif len(self._of) > _MOST_PROGRAMS:
            yield from self._end_of(next(iter(self._of)))

    def until(self, is_old: Callable[[Any], bool]) -> Iterator[Printed]:
        """Reports that began too long ago to continue, by their origin."""
        while self._of and is_old(next(iter(self._of.values())).origins[0]):
            yield from self._end_of(next(iter(self._of)))

    def end(self) -> Iterator[Printed]:
        """Process the end of the lines. Returns the remaining reports."""
        while self._of:
            yield from self._end_of(next(iter(self._of)))

    def died(self, death: Death, pids: Sequence[str]) -> None:
        """Take note of a death reported by the kernel or systemd, who know more about the place."""
        self._dead |= {(death.host, pid): death for pid in pids}
        while len(self._dead) > _MOST_DEAD:
            self._dead.popitem(last=False)

    def has_died(self, printed: Printed, at: float | None) -> bool:
        """Whether such a death is that of a process that printed a report at this time, or that a notice is about."""
        host, pid = printed.process
        whose = printed.report.pid if printed.report.is_notice else pid
        death = self._dead.get((host, whose or ""))
        return death is not None and death.is_near(at)

    def _end_of(self, process: Process) -> Iterator[Printed]:
        lines = self._of.pop(process)
        for report in reports_in(iter(lines.texts)):
            yield Printed(process, report, lines.origins[report.number])
