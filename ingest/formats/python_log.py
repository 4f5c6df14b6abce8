"""Logs of Python programs with the traceback of an uncaught exception.

A program that goes on prints and logs tracebacks as well. So one counts only if the log ends with it, as a block of
code does in which people show what a command printed, or if it was not logged and the next line says that the program
ended or restarted.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ingest.formats import sanitizer
from ingest.formats.containers import ROTATED
from ingest.formats.crashes import Records, Told
from ingest.formats.format import HEAD_BYTES, Head, Log, is_marked_up
from ingest.formats.lines import text_lines_in
from ingest.formats.log_stamps import OF_CONTAINER, nearest_stamp
from ingest.formats.sanitizer_reports import Report
from ingest.formats.tracebacks import PYTHON_HEAD, STOPPED, Traceback, begins_traceback

_LONGEST_LINE = 4000
_LINES_BEFORE = 40  # in which a time is searched
_OF_NO_PROCESS = re.compile(r"Exception in thread |Exception ignored |Exception in callback |Task exception |Future ")
_LOGGED = re.compile(r"\b(?:error|warn(?:ing)?|exception|failed|failure|retrying)\b", re.IGNORECASE)
# How a line of a log begins whose program writes no time.
_LEVEL = re.compile(r"\W{0,3}(?:DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b", re.IGNORECASE)
_MOST_OF_MESSAGE = 40  # lines, from the second on
_FENCE = re.compile(r"\s{0,12}(?:`{3,9}|~{3,9}|</?(?:pre|code)>)")
_COMMAND = re.compile(r"(?:.{0,120}(?:[$#%\u276f\u279c\u00bb]|(?:PS |[A-Z]:\\).{0,120}>)|>) ?\S")  # behind a prompt
_ENDED = re.compile(
    r"\b(?:exited|exit (?:status|code)|(?:re)?starting|(?:re)?started|booting|listening|launching|initiali[sz]ing)\b",
    re.IGNORECASE,
)


@dataclass
class _Log:
    """The last traceback so far.

    Attributes:
        above: the line above it. at: the time of the last line before it that has one.
        more: lines since that may be of its message.
    """

    traceback: Traceback = field(default_factory=Traceback)
    more: int = 0
    above: str = ""
    at: str | None = None
    before: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES_BEFORE))

    def feed(self, line: str) -> Report | None:
        """Process the next line. Returns the report of a traceback, if this line says that the program ended."""
        said, traceback = _said_in(line), self.traceback
        if not traceback.lines and not begins_traceback(said):
            self._go_on(line, said)
            return None
        was = len(traceback.lines)
        is_new = begins_traceback(said) and (not was or traceback.thrown is not None)
        if is_new:
            self.above = self.before[-1] if self.before else ""
            self.at = nearest_stamp([line, *reversed(self.before)])
        if traceback.feed(said):
            self.more = self.more if not said.strip() else 0
            return None
        if traceback.thrown and said[:1].isspace():  # its message may have several lines
            return None
        is_shown = _FENCE.match(said) and (_FENCE.match(self.above) or _COMMAND.match(self.above))
        is_end = traceback.thrown and (is_shown or _ENDED.search(said)) and not _LOGGED.search(self.above)
        report = self.report() if is_end else None
        if report is None and traceback.thrown and self._may_be_of_message(said):
            self.more += 1
            return None
        traceback.clear()
        self._go_on(line, said)
        return report

    def report(self) -> Report | None:
        """The traceback, if it may have been the end of a process."""
        thrown = self.traceback.thrown
        if thrown is None or thrown["name"] == STOPPED or _OF_NO_PROCESS.search(self.above):
            return None
        return Report(thrown["name"], thrown[0], at=self.at, lines=list(self.traceback.lines))

    def _may_be_of_message(self, said: str) -> bool:
        """Whether a line that is not indented may be of the message: one that differs from what the program logs."""
        if self.more >= _MOST_OF_MESSAGE or _FENCE.match(said) or _is_logged(said):
            return False
        return not self.before or any(_is_logged(_said_in(one)) for one in self.before)

    def _go_on(self, line: str, said: str) -> None:
        if said.strip():
            self.before.append(line)


def _said_in(line: str) -> str:
    """A line without what a container's log has before it."""
    prefix = OF_CONTAINER.match(line)
    return line[prefix.end() :] if prefix else line


def _is_logged(said: str) -> bool:
    return _LEVEL.match(said) is not None or nearest_stamp([said]) is not None


def _reports(lines: Iterable[str], *, has_end: bool) -> Iterator[Report]:
    log = _Log()
    for line in lines:
        if report := log.feed(line):
            yield report
    if has_end and (report := log.report()):
        yield report


def tells_of_crash(said: str, *, has_end: bool) -> bool:
    """Whether a text has such a traceback.

    Args:
        has_end: whether the text includes the end of the log.
    """
    if PYTHON_HEAD not in said or is_marked_up(said):
        return False
    return any(_reports((line[:_LONGEST_LINE] for line in said.splitlines()), has_end=has_end))


def _recognises(head: Head) -> bool:
    return tells_of_crash(head.text, has_end=len(head.data) < HEAD_BYTES)


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    has_end = not (told.file and ROTATED.search(told.file))
    for report in _reports(text_lines_in(blocks, _LONGEST_LINE), has_end=has_end):
        records = Records(told)
        sanitizer.add(records, report, at=report.at)
        yield records


PYTHON_LOG = Log("log of a Python program", _recognises, _read)
