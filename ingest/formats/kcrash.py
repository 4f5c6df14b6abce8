"""Crash reports of KDE's programs, as DrKonqi writes them: a signal, and the stacks that gdb prints of the process.

The report has neither the host nor the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.formats import stacks
from ingest.formats.blame import at_fault
from ingest.formats.crashes import Frame, Records, Told, base_name, name_of, tags_of
from ingest.formats.debuggers import SIGNAL_WORDS
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 4000  # template arguments
_MOST_LINES = 5000  # of one report: it has the stacks of all threads

# Its first word is in the user's language, as is that of the signal.
_BEGUN = re.compile(
    r"[^\W\d_]{3,20} ?: (?P<name>\S.{0,80}?) \((?P<exe>[^()]{1,200})\), ?\w{4,10}:? "
    r"(?P<why>SIG[A-Z]{2,6}|Segmentation fault|Aborted|Bus error|Floating point exception|Illegal instruction)"
    r"(?: \(\d{1,2}\))?"
)
_HANDLER = "[KCrash Handler]"  # in place of the frames that handle the signal
_THREAD = re.compile(r"Thread \d{1,6} \(")
_HANDLED = re.compile(r"#\d{1,3}\s.{0,300}(?:<signal handler called>|\bKCrash::defaultCrashHandler\b)")
_SYSTEM = re.compile(r"Operating System: Linux (?P<release>\d{1,3}\.[\w.+~-]{1,80})(?: \S{1,20})?")
_VERSION = re.compile(r"Application: (?P<exe>[^\s()]{1,200}) \((?P<version>\d[^()\s]{0,60})\)")


@dataclass
class _Report:
    """A report. Its threads are the lines of each one's stack, of which that of the crash is known by its handler."""

    begun: re.Match[str]
    system: re.Match[str] | None
    version: re.Match[str] | None
    threads: list[list[str]] = field(default_factory=lambda: [[]])
    lines: int = 0

    def feed(self, said: str) -> None:
        """Process the next line."""
        self.lines += 1
        if self.lines > _MOST_LINES:
            return
        if _THREAD.match(said):
            self.threads.append([])
        else:
            self.threads[-1].append(said)

    def frames(self) -> tuple[Frame, ...]:
        """The stack of the thread that crashed, without the handler of its signal."""
        for lines in self.threads:
            if _HANDLER in lines:
                return tuple(stacks.read("\n".join(lines[lines.index(_HANDLER) + 1 :])).frames)
        crashed = next((lines for lines in self.threads if any(map(_HANDLED.match, lines))), self.threads[-1])
        return tuple(stacks.read("\n".join(crashed)).frames)


def _recognises(head: Head) -> bool:
    return any(_BEGUN.fullmatch(line.strip()) for line in head.text.splitlines() if ", " in line)


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    report: _Report | None = None
    system = version = None
    for line in text_lines_in(blocks, _LONGEST_LINE):
        said = line.strip()
        if begun := _BEGUN.fullmatch(said):
            if report:
                yield _records(report, told)
            report, system, version = _Report(begun, system, version), None, None
        elif report:
            report.feed(said)
        system, version = _SYSTEM.fullmatch(said) or system, _VERSION.fullmatch(said) or version
    if report:
        yield _records(report, told)


def _records(report: _Report, told: Told) -> Records:
    records = Records(told)
    host_id = records.host_id(())
    exe = base_name(report.begun["exe"])
    why = report.begun["why"]
    code = SIGNAL_WORDS.get(why.lower(), why)
    frames = report.frames()
    version = report.version["version"] if report.version and report.version["exe"] == exe else None
    steps = (f"{one.module} {one.function}" for one in frames)
    records.crash(
        crash_id=name_of(host_id or "", code, exe or "", *steps),
        host_id=host_id,
        os_type="linux",
        os_version=report.system["release"] if report.system else None,
        domain="user",
        code=code,
        **at_fault(frames, exe, code=code),
        frames=frames,
        tags=tags_of([("exe", exe), ("exe_version", version)]),
    )
    return records


KCRASH = Log("crash report of a program of KDE", _recognises, _read)
