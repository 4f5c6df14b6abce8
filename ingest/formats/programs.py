"""What programs print when they crash, as a system's log has it: a header before each line, lines of others between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ingest.formats.sanitizer import Report, begins_report, reports_in

_MOST_LINES = 1000  # of a program, from the first of a report on
_MOST_PROGRAMS = 50

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

    def feed(self, process: Process, said: str, origin: Any) -> Iterator[Printed]:
        """Go on with a line; the reports that are over."""
        lines = self._of.get(process)
        if lines is None:
            if not begins_report(said):
                return
            lines = self._of[process] = _Lines()
        lines.texts.append(said)
        lines.origins.append(origin)
        if len(lines.texts) >= _MOST_LINES:
            yield from self._end_of(process)
        elif len(self._of) > _MOST_PROGRAMS:
            yield from self._end_of(next(iter(self._of)))

    def end(self) -> Iterator[Printed]:
        """There are no more lines."""
        while self._of:
            yield from self._end_of(next(iter(self._of)))

    def _end_of(self, process: Process) -> Iterator[Printed]:
        lines = self._of.pop(process)
        for report in reports_in(iter(lines.texts)):
            yield Printed(process, report, lines.origins[report.number])
