"""Crashes in the events of a Windows log: those of the kernel, of processes, and hangs.

Windows reports one crash in several events: a bugcheck after the reboot, by the kernel that finds an unfinished boot
(Kernel-Power 41) and by the reporter that finds a dump (BugCheck 1001); the crash of a managed process by its runtime
(.NET Runtime 1026) and by the reporter (Application Error 1000). They may come in any order, as logs are also exported
newest first, so a crash waits for a while for further events. A report of Windows Error Reporting (1001) may come days
later, and again after each attempt to send it: it is a crash of its own only if the log has no other event for that
program's crash.

Values are taken from the data of events, never from text in the language of the system.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

from fleetcrash.clustering.codes import canonical_code
from ingest.formats import stacks
from ingest.formats.crashes import Records, Told, base_name, name_of, tags_of, text, whole
from ingest.formats.dates import moment_of
from ingest.formats.wer import Problem, hex_code, place_of, problem, report_id

# Code of a host that went down without a bugcheck: power was lost, or somebody used the power switch.
POWER_LOST = "KERNEL_POWER_41"

_MOST_WAITING = 256  # crashes, of all hosts of a log
_MOST_REPORTS = 10_000
_MOST_TOLD = 100_000  # crashes with which a later report is compared
_MOST_HOSTS = 100_000
_LONGEST_VALUE = 32 << 10  # characters; Windows writes no longer one
# How far apart the events of one crash may be. A clock may be corrected after a boot; a kernel dump takes long.
_WAITS_FOR = {"kernel": timedelta(days=1), "user": timedelta(minutes=1)}
# Kernel-Power's event of a boot is older than the first of the log's service: before it where events are in that order.
_BOOTS_WITHIN = timedelta(minutes=1)

# Kinds of events. Where two tell the same thing, the later one in this order counts.
_KINDS = ("power", "bugcheck", "error", "runtime")

_PROVIDER = re.compile(r"""<Provider\s[^>]{0,300}?Name\s*=\s*["']([^"'<>]{1,100})["']""")
_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])  # characters that XML forbids
_FINER_THAN_US = re.compile(r"(\.\d{6})\d+")
_BUGCHECK = re.compile(r"\s*((?:0x)?[0-9a-fA-F]{1,16})\s*\(([^()]{0,200})\)\s*")
_SYSTEM = re.compile(r"0*(\d{1,3})\.0*(\d{1,3})\.?")
_NET_TYPE = re.compile(r": ?((?:[A-Za-z_][\w+`]*\.)+[A-Za-z_][\w+`]*|[A-Za-z_]\w*(?:Exception|Error))(?=[:\s]|$)")
_NET_CODE = re.compile(r"\b(?:0x)?([c8e]0[0-9a-fA-F]{6})\b")
_LONGEST_NET_HEAD = 20  # lines before the stack
NET_PART = re.compile(r"\s{1,8}(?=(?:[\w.]{4,10} Version|Description|Exception Info): |at [\w.<>`+]{3,300}\()")


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a log.

    Attributes:
        at: its time. host: the computer's name.
        data: names, which may be empty, and values, in order.
        is_local: whether the zone of its time is unknown.
    """

    provider: str
    number: int | None
    at: str | None
    host: str | None
    data: Sequence[tuple[str, str]]
    is_local: bool = False

    def place(self, at: int) -> str:
        """A value by its position; empty if there is none."""
        return self.data[at][1] if at < len(self.data) else ""

    def named(self, name: str, at: int | None = None) -> str:
        """A value by its name, or else by its position."""
        found = next((value for one, value in self.data if one == name), None)
        return found if found is not None else self.place(at) if at is not None else ""


def event_of(xml: str) -> Event | None:
    """An event; None if its provider reports no crashes.

    Args:
        xml: the element ``Event`` without anything before it, so that it cannot declare entities.
    Raises:
        ElementTree.ParseError: it is not valid XML.
    """
    provider = _PROVIDER.search(xml)
    if provider is None or provider[1] not in _READERS:
        return None
    root = ElementTree.fromstring(xml.translate(_CONTROL))  # noqa: S314 - entities: see above
    told: dict[str, str] = {}
    data: list[tuple[str, str]] = []
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        if name == "Data":
            data.append((element.get("Name", ""), (element.text or "").strip()[:_LONGEST_VALUE]))
        elif name in ("EventID", "Computer"):
            told.setdefault(name, (element.text or "").strip())
        elif name == "TimeCreated":
            told.setdefault(name, element.get("SystemTime", ""))
    at = _FINER_THAN_US.sub(r"\1", told.get("TimeCreated", ""))
    return Event(provider[1], whole(told.get("EventID")), text(at), text(told.get("Computer")), data)


@dataclass
class _Crash:
    """A crash that waits for further events.

    Attributes:
        of: host, domain, and the program's name in lower case, which is empty for the kernel.
        at: when it was reported; None if that is no time.
        told: the values of each event, by kind.
        boot: when the log's service began in the boot that reported it, if that came after it.
    """

    of: tuple[str, str, str]
    at: datetime | None
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    boot: datetime | None = None

    def is_of(self, other: _Crash) -> bool:
        """Whether another event of the same program, or kernel, is about the same crash."""
        if self.told.keys() & other.told.keys():
            return False
        domain = self.of[1]
        if self.at and other.at and abs(self.at - other.at) > _WAITS_FOR[domain]:
            return False
        if self.boot and other.at and self.boot - other.at > _BOOTS_WITHIN:
            return False
        codes = {canonical_code(one.code, "windows") for one in (self, other)} - {POWER_LOST}
        return domain == "user" or len(codes) <= 1

    @property
    def code(self) -> str | None:
        return next((one["code"] for one in self.told.values() if one.get("code")), None)


class Crashes:
    """The crashes of a log, as its events come.

    Attributes:
        records: waiting to be taken.

    Args:
        told: what is known about all crashes in it.
    """

    def __init__(self, told: Told | None = None) -> None:
        self.records = Records(told)
        self._told = told
        self._waiting: list[_Crash] = []
        self._reports: dict[str, tuple[Event, Problem]] = {}
        self._known: set[tuple[str, ...]] = set()
        self._systems: dict[str, dict[str, str]] = {}

    def add(self, event: Event) -> None:
        """Process the next event.

        Raises:
            Unfit: the records become too large.
        """
        _READERS[event.provider](self, event)
        while len(self._waiting) > _MOST_WAITING:
            self._write(self._waiting.pop(0))

    def taken(self) -> Records:
        """The records since the last call."""
        taken, self.records = self.records, Records(self._told)
        return taken

    def end(self) -> None:
        """Write the waiting crashes, and the reports without another event.

        Raises:
            Unfit: the records become too large.
        """
        for crash in self._waiting:
            self._write(crash)
        self._waiting.clear()
        while self._reports:
            self._write_report()

    # -- events

    def _boot(self, event: Event) -> None:
        """EventLog: 6005 is the first event of each boot, 6009 has the system's version."""
        host = _host(event)
        if event.number == 6005:
            at = moment_of(event.at)
            for crash in [one for one in self._waiting if one.of[:2] == (host, "kernel")]:
                if at and crash.at and not crash.boot and abs(at - crash.at) <= _BOOTS_WITHIN:
                    crash.boot = at
                else:
                    self._waiting.remove(crash)
                    self._write(crash)
        found = _SYSTEM.fullmatch(event.place(0)) if event.number == 6009 else None
        if found:
            self._system(host, (found[1], found[2], event.place(1)), event.place(4))

    def _kernel(self, event: Event) -> None:
        """Kernel-General 12: the system started."""
        if event.number == 12:
            numbers = [event.named(f"{name}Version") for name in ("Major", "Minor", "Build")]
            self._system(_host(event), numbers, event.named("QfeVersion"))

    def _system(self, host: str, numbers: Sequence[str], revision: str) -> None:
        if not all(one.isdecimal() and len(one) < 7 for one in numbers):
            return
        system = {"os_version": ".".join(numbers)}
        if revision.isdecimal() and int(revision[:10]) > 1:
            system["os_build"] = f"{numbers[2]}.{int(revision[:10])}"
        old = self._systems.get(host, {})
        if "os_build" not in system and old.get("os_version") == system["os_version"]:
            return  # on newer systems only one of the two events has the revision
        if len(self._systems) < _MOST_HOSTS or host in self._systems:
            self._systems[host] = system

    def _power(self, event: Event) -> None:
        """Kernel-Power 41: the last boot did not end properly."""
        if event.number != 41:
            return
        code = whole(event.named("BugcheckCode", 0)) or 0
        arguments = [event.named(f"BugcheckParameter{at}", at) for at in range(1, 5)] if code else []
        pressed = whole(event.named("PowerButtonTimestamp")) or event.named("LongPowerButtonPressDetected") == "true"
        sleeping = event.named("SleepInProgress").lower() not in ("", "0", "false")
        tags = {"power_button": "pressed" if pressed else "", "sleep": "in progress" if sleeping else ""}
        self._kernel_crash(event, "power", f"0x{code:x}" if code else POWER_LOST, arguments, tags)

    def _bugcheck(self, event: Event) -> None:
        """BugCheck 1001: the kernel before this boot ended with a bugcheck."""
        found = _BUGCHECK.fullmatch(event.place(0)) if event.number == 1001 else None
        if found is None:
            return
        tags = {"dump": base_name(event.place(1)) or "", "report_id": event.place(2)}
        own = report_id(event.place(2), self.records.host_id([event.host]))
        self._kernel_crash(event, "bugcheck", hex_code(found[1]) or "", found[2].split(","), tags, own)

    def _kernel_crash(
        self,
        event: Event,
        kind: str,
        code: str,
        arguments: Sequence[str],
        tags: Mapping[str, str],
        own: str | None = None,
    ) -> None:
        numbered = {f"argument{at}": hex_code(one.strip()) for at, one in enumerate(arguments[:4], 1)}
        told = {"domain": "kernel", "code": code, "crash_id": own, "tags": {**numbered, **tags}}
        self._wait(event, "kernel", "", kind, told)

    def _error(self, event: Event) -> None:
        """Application Error 1000: a process crashed."""
        if event.number != 1000:
            return
        names = ("AppName", "AppVersion", "", "ModuleName", "ModuleVersion", "", "ExceptionCode", "FaultingOffset")
        roles = ("exe", "exe_version", "", "module", "module_version", "", "code", "offset")
        has_names = any(one in names for one, _ in event.data if one)
        places = enumerate(zip(names, roles, strict=True))
        said = {role: event.named(name, None if has_names else at) for at, (name, role) in places if role}
        if not said["exe"] or not (said["code"] or said["offset"]):  # Windows XP gives no code
            return
        own = event.named("IntegratorReportId", 12)
        tags = {"exe": said["exe"], "exe_version": said["exe_version"], "package": event.named("PackageFullName", 13)}
        told = {"domain": "user", "code": hex_code(said["code"]), **place_of(said)}
        told |= {"crash_id": report_id(own, event.host), "tags": {**tags, "report_id": own}}
        self._wait(event, "user", said["exe"], "error", told)

    def _hang(self, event: Event) -> None:
        """Application Hang 1002: a program was ended because it did not respond."""
        if event.number != 1002 or not event.data:
            return
        said = {"exe": event.named("AppName", 0), "exe_version": event.named("AppVersion", 1)}
        own = event.named("ReportId", 6)
        tags = {**said, "report_id": own, "package": event.named("PackageFullName", 7)}
        fields = {"domain": "hang", **place_of(said), "crash_id": report_id(own, event.host), "tags": tags}
        self._know(event, fields)
        self._write_fields(fields, event)

    def _runtime(self, event: Event) -> None:
        """.NET Runtime 1023, 1025 and 1026: a managed process died of the runtime, of its own will, or of an exception.

        It has one text in the language of the runtime: the program is in its first line, the exception after a colon in
        one of the next, and the stack follows. A viewer may join its lines.
        """
        if event.number not in (1023, 1025, 1026):
            return
        said = event.place(0)
        said = said if "\n" in said else NET_PART.sub("\n", said)
        head, *lines = said.splitlines() or [""]
        exe = base_name(head.partition(":")[2].strip(" `")) or ""
        stack = stacks.read(said)
        thrown = [found[1] for line in lines[:_LONGEST_NET_HEAD] if (found := _NET_TYPE.search(line[:1000]))]
        code = thrown[0] if thrown and event.number == 1026 else None
        if code is None and (found := _NET_CODE.search(said[:4000])):
            code = hex_code(found[1])
        told = {"domain": "user", "code": code, "frames": stack.frames, "tags": {"exe": exe}}
        self._wait(event, "user", exe, "runtime", told)

    def _report(self, event: Event) -> None:
        """Windows Error Reporting 1001: a report was made, or sent."""
        kind = event.named("EventName", 2)
        found = problem(kind, [event.named(f"P{at}", 4 + at) for at in range(1, 11)]) if event.number == 1001 else None
        if found is None:
            return
        given = event.named("ReportId", 19)
        own = report_id(given, event.host) or name_of(event.host or "", event.at or "", kind, *found.tags.values())
        tags = {"event_type": kind, **found.tags, "report_id": given}
        self._reports.setdefault(own, (replace(event, data=()), Problem(found.fields, tags)))
        if len(self._reports) > _MOST_REPORTS:
            self._write_report()

    # -- writing

    def _know(self, event: Event, fields: Mapping[str, Any]) -> None:
        if len(self._known) < _MOST_TOLD:
            self._known |= _keys(_host(event), fields, fields["tags"])

    def _wait(self, event: Event, domain: str, of: str, kind: str, told: Mapping[str, Any]) -> None:
        self._know(event, told)
        fields = {name: value for name, value in told.items() if value}
        fields["event"] = replace(event, data=())
        crash = _Crash((_host(event), domain, of.lower()), moment_of(event.at), {kind: fields})
        same = next((one for one in reversed(self._waiting) if one.of == crash.of and one.is_of(crash)), None)
        if same is None:
            self._waiting.append(crash)
        else:
            same.told.update(crash.told)

    def _write_report(self) -> None:
        """Write the first report, if its crash has no other event."""
        crash_id = next(iter(self._reports))
        event, found = self._reports.pop(crash_id)
        is_told = self._known & _keys(_host(event), found.fields, found.tags)
        if not is_told and len(self._known) < _MOST_TOLD:
            time_quality = "reboot" if found.fields["domain"] == "kernel" else "log"
            self._write_fields({**found.fields, "tags": found.tags, "crash_id": crash_id}, event, time_quality)

    def _write(self, crash: _Crash) -> None:
        fields: dict[str, Any] = {}
        tags: dict[str, Any] = {}
        for kind in sorted(crash.told, key=_KINDS.index):
            fields.update(crash.told[kind])
            tags.update(crash.told[kind]["tags"])
        del fields["event"]
        event = min((one["event"] for one in crash.told.values()), key=lambda one: one.at or "")
        fields["module"] = fields.get("module") or (base_name(tags.get("exe")) if crash.of[1] == "user" else None)
        self._write_fields({**fields, "tags": tags}, event, "reboot" if crash.of[1] == "kernel" else "exact")

    def _write_fields(self, fields: Mapping[str, Any], event: Event, time_quality: str = "exact") -> None:
        host_id = self.records.host_id([event.host])
        identity = (event.provider, event.at or "", str(fields.get("code")), str(fields["tags"].get("exe")))
        self.records.crash(
            **{
                **self._systems.get(_host(event), {}),
                **fields,
                "crash_id": fields.get("crash_id") or name_of(host_id or "", *identity),
                "host_id": host_id,
                "occurred_at": event.at,
                "time_quality": "log" if event.is_local and time_quality == "exact" else time_quality,
                "os_type": "windows",
                "tags": tags_of(fields["tags"].items()),
            }
        )


def _keys(host: str, fields: Mapping[str, Any], tags: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Keys by which a report is matched to a crash: the program, or the place if a package hides the program."""
    domain = fields["domain"]
    if domain == "kernel":
        return {(host, domain, canonical_code(fields.get("code"), "windows"))}
    keys: set[tuple[str, ...]] = {(host, domain, str(tags.get("exe")).lower())}
    if "module_offset" in fields:
        place = (str(fields.get(name)).lower() for name in ("module", "module_offset", "code"))
        keys.add((host, domain, *place))
    return keys


def _host(event: Event) -> str:
    return event.host or ""


# The method that reads the events of each provider.
_READERS: Mapping[str, Callable[[Crashes, Event], None]] = {
    "EventLog": Crashes._boot,
    "Microsoft-Windows-Kernel-General": Crashes._kernel,
    "Microsoft-Windows-Kernel-Power": Crashes._power,
    "BugCheck": Crashes._bugcheck,
    "Microsoft-Windows-WER-SystemErrorReporting": Crashes._bugcheck,
    "Application Error": Crashes._error,
    "Application Hang": Crashes._hang,
    ".NET Runtime": Crashes._runtime,
    "Windows Error Reporting": Crashes._report,
}

# Providers of events that may report a crash.
PROVIDERS = tuple(_READERS)
