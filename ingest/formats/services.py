"""Python programs whose traceback is in a system's log, and whose end systemd reports.

A program that goes on logs tracebacks as well, so one counts only if the program wrote nothing more and systemd reports
right afterwards that the main process of a service exited as Python does. Systemd does not give its number.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ingest.formats.programs import Printed, Process
from ingest.formats.sanitizer_reports import Report
from ingest.formats.tracebacks import PYTHON_HEAD, Traceback

WRITER = "systemd"
_EXITED = re.compile(r"\S{1,250}\.service: [Mm]ain process exited, code=exited, status=1/FAILURE")
_MOST_PROGRAMS = 20
_MOST_OF_MESSAGE = 40  # lines, from the second on
_GOES_ON = (" ", "\t", "[", "(")  # how a line of a message begins, and hardly one of a log
_NEAR_S = 5.0


@dataclass
class _LastTraceback:
    """The last traceback of a program, and the origins of its first line and of its last.

    Attributes:
        more: how many lines came since. is_of_message: whether one of them shows that they are more of the message.
    """

    traceback: Traceback = field(default_factory=Traceback)
    more: int = 0
    is_of_message: bool = False
    origin: Any = None
    last: Any = None


class Services:
    """Collects tracebacks from the lines of all programs."""

    def __init__(self) -> None:
        self._of: OrderedDict[Process, _LastTraceback] = OrderedDict()

    def feed(self, process: Process, said: str, origin: Any) -> None:
        """Process the next line of a program."""
        told = self._of.get(process)
        if told is None:
            if not said.startswith(PYTHON_HEAD):
                return
            told = self._of[process] = _LastTraceback()
            if len(self._of) > _MOST_PROGRAMS:
                self._of.popitem(last=False)
        if not told.traceback.feed(said):
            told.more += 1
            told.is_of_message = told.is_of_message or said[:1] in _GOES_ON
            if told.traceback.thrown is None or told.more > _MOST_OF_MESSAGE:
                del self._of[process]
            return  # a line of the message, maybe; the end has to come soon after the traceback
        if said.strip():
            told.more, told.is_of_message = 0, False
        told.origin = origin if len(told.traceback.lines) == 1 else told.origin
        told.last = origin
        self._of.move_to_end(process)

    def ended(
        self, host: str | None, said: str, at: float | None, of: Callable[[Any], float | None]
    ) -> Iterator[Printed]:
        """Process a message of systemd. Returns the crash whose end it reports, if any.

        Args:
            at: its time in seconds. of: returns the time of an origin.
        """
        if _EXITED.match(said) is None:
            return
        for process, told in reversed(self._of.items()):
            thrown, last = told.traceback.thrown, of(told.last)
            is_near = at is None or last is None or 0 <= at - last <= _NEAR_S
            is_last = not told.more or told.is_of_message
            if process[0] == host and thrown is not None and is_near and is_last:
                report = Report(thrown["name"], thrown[0], pid=process[1], lines=told.traceback.lines)
                del self._of[process]
                yield Printed(process, report, told.origin)
                return
