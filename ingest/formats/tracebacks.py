"""Tracebacks of Python, and of its groups of exceptions, line by line."""

from __future__ import annotations

import re

from ingest.formats.uncaught import NAME

STOPPED = "KeyboardInterrupt"  # stopped by somebody
PYTHON_HEAD = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_PYTHON = re.compile(rf"(?P<name>{NAME})(?::(?: .*)?)?")
_MOST_PYTHON = 600
_GROUP_HEAD = re.compile(r"  \+ Exception Group Traceback \(most recent call last\):")
_OF_GROUP = re.compile(r" {1,400}(?:\| ?|(?P<rule>\+[-+]))(?P<said>.*)")


def begins_traceback(line: str) -> bool:
    """Whether a line is the head of a traceback, or of that of a group of exceptions."""
    return line.startswith(PYTHON_HEAD) or _GROUP_HEAD.match(line) is not None


class Traceback:
    """The last traceback of Python in some lines, with those to which it is chained.

    Attributes:
        lines: of it. thrown: the last line, which names the exception; None before it has come.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.thrown: re.Match[str] | None = None
        self._is_group = self._is_first = False

    def feed(self, line: str) -> bool:
        """Process the next line. Returns whether it belongs to a traceback."""
        if _GROUP_HEAD.match(line):
            self.clear()
            self._is_group = True
            self.lines.append(PYTHON_HEAD)
            return True
        if self._is_group:
            return self._feed_group(line)
        is_link = bool(self.lines) and line.startswith(_CHAINED)
        if line.startswith(PYTHON_HEAD) or is_link:
            if self.thrown is not None and not is_link:
                self.clear()
            self.thrown = None
        elif not self.lines or (self.thrown is not None and line.strip()):
            return False
        elif line[:1].strip():
            has_steps = not self.lines[-1].startswith(PYTHON_HEAD)
            self.thrown = _PYTHON.fullmatch(line.rstrip()) if has_steps else None
            if self.thrown is None:  # output of others in between
                self.clear()
                return False
        if line.strip() and len(self.lines) < _MOST_PYTHON:
            self.lines.append(line)
        return True

    def _feed_group(self, line: str) -> bool:
        """A group's own traceback, and those of its exceptions, of which the first with a traceback counts."""
        found = _OF_GROUP.fullmatch(line.rstrip())
        if found is None:
            return not line.strip()
        said = found["said"]
        if self._is_first and self.thrown is not None:
            return True
        if said.lstrip(" |").startswith(PYTHON_HEAD):
            said, self._is_first, self.thrown = PYTHON_HEAD, True, None
        elif not found["rule"] and said[:1].strip():
            self.thrown = _PYTHON.fullmatch(said) or self.thrown
        if len(self.lines) < _MOST_PYTHON:
            self.lines.append(said)
        return True

    def clear(self) -> None:
        """Forget the traceback."""
        self.lines.clear()
        self.thrown = None
        self._is_group = self._is_first = False
