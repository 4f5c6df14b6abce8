"""What programs print when they crash, as a system's log has it: a header before each line, lines of others between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.formats.deaths import Death
from ingest.formats.sanitizer import Report, begins_report, reports_in

_MOST_LINES = 600  # of a program, from the first of a report on
_LONGEST_LINE = 4000
_MOST_PROGRAMS = 20
_MOST_DEAD = 1000

Process = tuple[str | None, str]


@dataclass
class Printed:
    """A report of a program.

    Attributes:
        process: that wrote it: its host and number. origin: of the report's first line, whatever its reader wants to
            know of it.
    """

    process: Process
    report: Report
    origin: Any


@dataclass
class _Lines:
    texts: list[str] = field(default_factory=list)
    origins: list[Any] = field(default_factory=list)


class Programs:
    """The reports of programs, as the lines of all of them come."""

    def __init__(self) -> None:
        self._of: OrderedDict[Process, _Lines] = OrderedDict()
        self._dead: OrderedDict[Process, Death] = OrderedDict()

    def feed(self, process: Process, said: str, origin: Any) -> Iterator[Printed]:
        """Go on with a line; the reports that are over."""
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
        """The reports that began too long ago to go on, by their origin."""
        while self._of and is_old(next(iter(self._of.values())).origins[0]):
            yield from self._end_of(next(iter(self._of)))

    def end(self) -> Iterator[Printed]:
        """There are no more lines."""
        while self._of:
            yield from self._end_of(next(iter(self._of)))

    def died(self, death: Death, pids: Sequence[str]) -> None:
        """A kernel or systemd tells of the death of a process, and knows more of where it was."""
        self._dead |= {(death.host, pid): death for pid in pids}
        while len(self._dead) > _MOST_DEAD:
            self._dead.popitem(last=False)

    def has_died(self, process: Process, at: float | None) -> bool:
        """Whether such a death was of a process that printed a report then."""
        death = self._dead.get(process)
        return death is not None and death.is_near(at)

    def _end_of(self, process: Process) -> Iterator[Printed]:
        lines = self._of.pop(process)
        for report in reports_in(iter(lines.texts)):
            yield Printed(process, report, lines.origins[report.number])
