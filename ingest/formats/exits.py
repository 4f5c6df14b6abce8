"""Services that systemd says a signal of a fault ended, in a system's log.

It gives no number of a process. So this is a crash only where neither the kernel nor ``systemd-coredump`` nor the
program itself tells of one about then: each of these accounts for one end of a service, whichever comes first. The
end of a service, and the kernel's audit, tell the signal that ``systemd-coredump`` leaves out of its message.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.blame import at_fault
from ingest.formats.crashes import Records, name_of, tags_of
from ingest.formats.workers import FATAL

_NEAR_S = 60.0  # writing a dump may take a while
_MOST_HELD = 1000
_LONGEST_NAME = 15  # of a process, in the kernel
_EXITED = re.compile(
    r"(?P<unit>\S{1,250})\.service: (?:[Mm]ain|[Cc]ontrol) process exited, code=(?:killed|dumped), "
    r"status=\d{1,2}/(?P<signal>[A-Z]{3,6})\b.*"
)
# Of systemd itself, whose handler of signals writes this; it goes on without doing anything.
_CAUGHT = re.compile(
    r"Caught <(?P<signal>[A-Z]{3,6})>, (?:dumped core|not dumping|core dump failed|cannot fork|waitpid\(\) failed)\b.*"
)
# Of the kernel's audit, about any process that a signal with a core dump ended.
_AUDITED = re.compile(r"\b(?:type=1701|ANOM_ABEND) ")
_AUDITS_VALUE = re.compile(r"\b(pid|sig)=(\d{1,10})\b")


@dataclass(frozen=True)
class Exit:
    """The end of a service.

    Attributes:
        at: seconds since 1970, if known. unit: None for systemd itself. origin: any value that the reader needs later.
    """

    host: str | None
    at: float | None
    unit: str | None
    signal: str
    origin: Any


class Exits:
    """The ends of services, each until it is known whether something else tells of the crash."""

    def __init__(self) -> None:
        self._held: deque[Exit] = deque()
        self._told: deque[tuple[str | None, float | None]] = deque(maxlen=_MOST_HELD)
        self._audited: OrderedDict[tuple[str | None, str], str] = OrderedDict()

    def feed(self, host: str | None, said: str, at: float | None, origin: Any) -> None:
        """Process a message of systemd."""
        found = _EXITED.fullmatch(said) or _CAUGHT.fullmatch(said)
        if found is None or f"SIG{found['signal']}" not in FATAL:
            return
        ended = Exit(host, at, found.groupdict().get("unit"), f"SIG{found['signal']}", origin)
        crash = next((one for one in self._told if _is_near(one, (host, at))), None)
        if crash is None:
            self._held.append(ended)
        else:
            self._told.remove(crash)

    def audit(self, host: str | None, said: str) -> None:
        """Process a message that may be the audit's."""
        values = dict(_AUDITS_VALUE.findall(said)) if "sig=" in said and _AUDITED.search(said) else {}
        if len(values) > 1:
            self._audited[host, values["pid"]] = canonical_code(values["sig"], "linux")
            if len(self._audited) > _MOST_HELD:
                self._audited.popitem(last=False)

    def told(self, host: str | None, at: float | None, program: str = "", pid: str = "") -> str | None:
        """Take note of a crash of a process of which something else tells.

        Args:
            program, pid: name and number of the process, if known.

        Returns:
            The signal that ended it, by the audit or by the end of the service of that name.
        """
        near = [one for one in self._held if _is_near((one.host, one.at), (host, at))]
        own = next((one for one in near if program and _is_of(one, program)), None)
        if near:
            self._held.remove(own or near[0])
        else:
            self._told.append((host, at))
        return self._audited.pop((host, pid), own.signal if own else None)

    def taken(self) -> Iterator[Exit]:
        """The oldest of which nothing else told, where many are held."""
        while len(self._held) > _MOST_HELD:
            yield self._held.popleft()

    def end(self) -> Iterator[Exit]:
        """All of which nothing else told."""
        while self._held:
            yield self._held.popleft()


def _is_of(ended: Exit, program: str) -> bool:
    """Whether a service has the name of a program, as ``docker`` has that of ``dockerd``; it may be cut."""
    if ended.unit is None:
        return program == "systemd"
    unit, name = ended.unit.partition("@")[0].lower(), program.lower()
    return (bool(unit) and name.startswith(unit)) or (len(name) == _LONGEST_NAME and unit.startswith(name))


def _is_near(one: tuple[str | None, float | None], other: tuple[str | None, float | None]) -> bool:
    if one[0] != other[0]:
        return False
    return one[1] is None or other[1] is None or abs(one[1] - other[1]) <= _NEAR_S


def add(records: Records, ended: Exit, *, host_id: str | None, at: str | None) -> None:
    """Add the crash of a service."""
    unit = ended.unit or "systemd"
    program = unit.rpartition("/")[2].partition("@")[0] or unit  # of a template, without its instance
    records.crash(
        crash_id=name_of(host_id or "", at or "", unit, ended.signal),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type="linux",
        domain="user",
        code=ended.signal,
        **at_fault((), program),
        tags=tags_of([("unit", f"{unit}.service" if ended.unit else None)]),
    )
