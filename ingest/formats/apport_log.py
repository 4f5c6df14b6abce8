"""The log of Ubuntu's apport (``/var/log/apport.log``): each process that ended by a signal, with a report or without.

The program stands on a line behind that of the signal. A log has no host and no zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.crashes import Records, Told, base_name, name_of, tags_of, time_of
from ingest.formats.dates import date_in_words
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 4000
_MOST_OPEN = 100  # processes of which a later line may tell the program

_LINE = (
    r"[A-Z]{4,8}: apport \(pid (?P<of>\d{1,10})\) "
    r"(?P<at>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{3})?): "
)
_CALLED = re.compile(_LINE + r"called for (?:global )?pid (?P<pid>\d{1,10}), signal (?P<signal>\d{1,2})\b.*")
_PROGRAM = re.compile(_LINE + r"executable: (?P<exe>/[^\n]{1,1000}?) \(command line .*")
_ANY = re.compile(_LINE)
_HEAD = re.compile(rf"^{_CALLED.pattern}$", re.MULTILINE)
# Signals of a fault; apport is also called for those with which somebody asks for a core.
_FAULTS = frozenset(["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP"])


@dataclass
class _Ended:
    """A process of which apport tells.

    Attributes:
        exe: the program; None until its line.
    """

    pid: str
    code: str
    at: str
    exe: str | None = None


def _recognises(head: Head) -> bool:
    return _HEAD.search(head.text.replace("\r\n", "\n")) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    for ended in _ended(text_lines_in(blocks, _LONGEST_LINE)):
        records = Records(told)
        _add(records, ended)
        yield records


def _ended(lines: Iterator[str]) -> Iterator[_Ended]:
    """The processes, each once its program is told, or its apport writes no more of it."""
    told: dict[str, _Ended] = {}  # by the number of the apport that was called
    for line in lines:
        said = line.strip()
        if not _ANY.match(said):
            continue
        if called := _CALLED.fullmatch(said):
            if (before := told.pop(called["of"], None)) is not None:
                yield before
            code = canonical_code(called["signal"], "linux")
            if code in _FAULTS:
                told[called["of"]] = _Ended(called["pid"], code, called["at"])
        elif (program := _PROGRAM.fullmatch(said)) and (ended := told.pop(program["of"], None)) is not None:
            ended.exe = program["exe"]
            yield ended
        if len(told) > _MOST_OPEN:
            yield told.pop(next(iter(told)))
    yield from told.values()


def _add(records: Records, ended: _Ended) -> None:
    at = time_of(ended.at.replace(",", ".")) if ended.at[:1].isdigit() else date_in_words(ended.at)
    exe = base_name(ended.exe)
    host_id = records.host_id(())
    records.crash(
        crash_id=name_of(host_id or "", at or ended.at, ended.pid, ended.code, ended.exe or ""),
        host_id=host_id,
        occurred_at=at or ended.at,
        time_quality="log",
        os_type="linux",
        domain="user",
        code=ended.code,
        module=exe,
        tags=tags_of([("exe", exe), ("pid", ended.pid)]),
    )


APPORT_LOG = Log("log of apport", _recognises, _read)
