"""JSON output of minidump-stackwalk: of rust-minidump, of older ones, and of Socorro and Firefox, which contain one.

It has no host and, except with Socorro, no time. A dump that a program requested while it ran on is no crash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ingest.formats.blame import at_fault
from ingest.formats.crashes import (
    MOST_FRAMES,
    Frame,
    Records,
    Told,
    Unfit,
    base_name,
    document_of,
    first,
    mapping,
    name_of,
    sequence,
    tags_of,
    text,
    time_of,
    whole,
)
from ingest.formats.cut_json import first_object
from ingest.formats.format import Document, Head, decoded
from ingest.formats.minidump_codes import HANG
from ingest.formats.systems import os_type

_MOST_DOCUMENTS = 1000
_MOST_MODULES = 10_000  # a large process has hundreds
_CRASH_INFO = re.compile(r'"crash_info"\s{0,100}:\s{0,100}\{')
_BESIDE = re.compile(r'"(?:crashing_thread|threads|modules|system_info)"\s{0,100}:')
# Codes of dumps that a program requested: that of breakpad, and those of crashpad on macOS and Windows.
_NO_CRASH = frozenset(["dump_requested", "no crash", "simulated exception", "simulated", "0x43507378", "0x517a7ed"])

# Limits of resources of macOS past which a process goes on: of processor time, unless that is fatal, and others.
_WENT_ON = re.compile(r"EXC_RESOURCE / RESOURCE_TYPE_(?:CPU / FLAVOR_CPU_MONITOR(?!_FATAL)|WAKEUPS|MEMORY|IO)\b")
_NUMBER = re.compile(r"(?:unknown )?0x0*(?P<digits>[0-9a-f]{1,16})")
_LINUX_VERSION = re.compile(r"(?:0\.0\.0 )?(?:Linux )?(?P<release>\d\S{0,100})")
_VERSION = re.compile(r"(?P<version>\d+(?:\.\d+)+)(?: (?P<build>[\w.]{1,40})$)?")


_BY_CODE = (("EXCEPTION_", "windows"), ("EXC_", "darwin"), ("SIG", "linux"))


@dataclass(frozen=True)
class Walked:
    """A stackwalker's report about a dump.

    Attributes:
        code: the reason of the crash, as it came. system, system_version: likewise.
        has_crashed: whether it is a crash though its reason is not told.
        versions: of modules, by file.
        identity: distinguishes the crash from others of its host.
    """

    code: str | None
    system: str | None
    system_version: str | None
    frames: Sequence[Frame]
    versions: Mapping[str, str]
    identity: Sequence[str]
    tags: Mapping[str, Any]
    crash_id: str | None = None
    occurred_at: str | None = None
    has_crashed: bool = False


def add(records: Records, walked: Walked) -> None:
    """Add the crash in a stackwalker's report, if it is one."""
    code = _code(walked.code)
    if not (code or walked.has_crashed) or (code and code.lower() in _NO_CRASH) or _WENT_ON.match(walked.code or ""):
        return
    system = os_type(walked.system) or next((one for start, one in _BY_CODE if code and code.startswith(start)), None)
    version, build = _versions(system, walked.system_version or "")
    place = at_fault(walked.frames, code=code)
    host_id = records.host_id(())
    records.crash(
        crash_id=walked.crash_id or name_of(host_id or "", *walked.identity),
        host_id=host_id,
        occurred_at=walked.occurred_at,
        os_type=system,
        os_version=version,
        os_build=build,
        domain="hang" if code == HANG else "user",
        code=code,
        **place,
        module_version=walked.versions.get(place["module"] or ""),
        frames=walked.frames,
        tags=tags_of(walked.tags.items()),
    )


def _code(said: str | None) -> str | None:
    """``SIGSEGV`` of ``SIGSEGV / SEGV_MAPERR``. On a Mac the signal follows a word that only means crash."""
    if said is None:
        return None
    code, _, more = (part.strip() for part in said.partition("/"))
    if more.startswith("SIG"):
        return more.partition("/")[0].strip()
    number = _NUMBER.fullmatch(code.lower())
    return f"0x{number['digits']}" if number else code


def _versions(system: Any, said: str) -> tuple[str | None, str | None]:
    """Version and build: of ``10.0.22631 3880``, ``14.5.0 23F79``, ``0.0.0 Linux 6.1.0-21-amd64 #1 SMP``."""
    if system == "linux":  # in the format of uname
        release = _LINUX_VERSION.match(said)
        return (release["release"] if release and release["release"] != "0.0.0" else None), None
    found = _VERSION.match(said)
    if found is None:
        return None, None
    version, build = found["version"], found["build"]
    if system == "windows" and build:
        build = f"{version.rpartition('.')[2]}.{build}" if build.isdigit() else None
    return version, build


def _recognises(head: Head) -> bool:
    said = head.text.lstrip()
    return said.startswith(("{", "[")) and _CRASH_INFO.search(said) is not None and _BESIDE.search(said) is not None


def _read(data: bytes, told: Told) -> Records:
    records = Records(told)
    for document in _documents(data, told, records):
        dump = mapping(document.get("json_dump")) or mapping(document.get("StackTraces")) or document
        if not isinstance(dump.get("crash_info"), dict):
            said = "The document has no crash_info, as minidump-stackwalk writes it"
            records.damage = records.damage or Unfit("bad_stackwalk", said)
            break
        add(records, _walked(document, dump))
    if records.damage is not None and not records.read:
        raise records.damage
    return records


def _documents(data: bytes, told: Told, records: Records) -> Iterator[Mapping[str, Any]]:
    """The documents of a file, one behind the other or in a list; of one that breaks off what is whole."""
    try:
        found = document_of(data, told, code="bad_stackwalk", what="The output of minidump-stackwalk")
        yield from map(mapping, found if isinstance(found, list) and found else [found])
        return
    except Unfit as error:
        if error.is_too_large:
            raise
        damage = error
    rest = decoded(data).lstrip().removeprefix("[").lstrip()
    for _ in range(_MOST_DOCUMENTS):
        document, rest, is_whole = first_object(rest, "")
        if not is_whole:
            records.damage = damage
        yield document or {}
        rest = rest.lstrip(" \t\r\n,")
        if not rest.startswith("{") or not is_whole:
            return


def _walked(document: Mapping[str, Any], dump: Mapping[str, Any]) -> Walked:
    """The report in a document.

    Args:
        document: of Socorro, or else the dump itself.
    """
    crash, system = mapping(dump.get("crash_info")), mapping(dump.get("system_info"))
    modules = [mapping(one) for one in sequence(dump.get("modules"))[:_MOST_MODULES]]
    main = whole(dump.get("main_module"))
    thread = _thread(dump, crash)
    return Walked(
        code=text(crash.get("type")),
        system=text(system.get("os")),
        system_version=text(system.get("os_ver")),
        frames=list(islice(_frames(thread, modules), MOST_FRAMES)),
        versions=_module_versions(modules),
        identity=_identity(dump, crash, thread, modules),
        tags={
            "exe": base_name(modules[main].get("filename")) if main is not None and main < len(modules) else None,
            "pid": dump.get("pid"),
            "message": crash.get("assertion") or document.get("MozCrashReason") or _message_of_mac(dump),
            "address": crash.get("address"),
            "thread": thread.get("thread_name"),
            "cpu": system.get("cpu_arch"),
            "process_uptime_s": dump.get("process_uptime"),
        },
        crash_id=first((document.get("uuid"), document.get("crash_id"))),
        occurred_at=_time(document),
    )


def _thread(dump: Mapping[str, Any], crash: Mapping[str, Any]) -> Mapping[str, Any]:
    """The thread that crashed: given separately, or by its index among all."""
    thread = mapping(dump.get("crashing_thread"))
    if thread.get("frames"):
        return thread
    at, threads = whole(crash.get("crashing_thread")), sequence(dump.get("threads"))
    return mapping(threads[at]) if at is not None and at < len(threads) else thread


def _frames(thread: Mapping[str, Any], modules: Sequence[Mapping[str, Any]]) -> Iterator[Frame]:
    for one in map(mapping, sequence(thread.get("frames"))):
        module = base_name(one.get("module"))
        offset = whole(one.get("module_offset")) if module else None
        if (at := whole(one.get("module_index"))) is not None and at < len(modules):  # Firefox, without symbols
            module = base_name(modules[at].get("filename"))
            ip, base = whole(one.get("ip")), whole(modules[at].get("base_addr"))
            offset = ip - base if module and ip is not None and base is not None and ip >= base else None
        if module is None:  # code of a module that the process no longer had
            gone = mapping(next(iter(sequence(one.get("unloaded_modules"))), None))
            module = base_name(gone.get("module"))
            offset = whole(next(iter(sequence(gone.get("offsets"))), None)) if module else None
        for inlined in sequence(one.get("inlines")):  # innermost first, all at the same place
            yield Frame(module, _function(mapping(inlined).get("function")), offset)
        yield Frame(module, _function(one.get("function")), offset)


def _function(said: Any) -> str | None:
    name = text(said)
    return None if name is None or name.startswith("<unknown in ") else name


def _module_versions(modules: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    told = ((base_name(one.get("filename")), text(one.get("version"))) for one in modules)
    return {file: version for file, version in told if file and version}


def _identity(
    dump: Mapping[str, Any], crash: Mapping[str, Any], thread: Mapping[str, Any], modules: Sequence[Mapping[str, Any]]
) -> list[str]:
    """An identity that stays the same when a dump is processed again with more symbols."""
    innermost = mapping(next(iter(sequence(thread.get("frames"))), None))
    registers = mapping(innermost.get("registers") or thread.get("registers"))
    return [
        str(text(one) or "")
        for one in (dump.get("pid"), crash.get("type"), crash.get("address"), innermost.get("offset"))
    ] + [
        json.dumps(sorted((name, text(value)) for name, value in registers.items())),
        json.dumps([[text(one.get("base_addr")), text(one.get("filename"))] for one in modules]),
    ]


def _message_of_mac(dump: Mapping[str, Any]) -> str | None:
    told = sequence(mapping(dump.get("mac_crash_info")).get("records"))
    return next((said for one in told[:10] if (said := text(mapping(one).get("message")))), None)


def _time(document: Mapping[str, Any]) -> str | None:
    """The time in Socorro's document, or in what Firefox keeps beside a dump, by the client's clock."""
    if (at := whole(document.get("crash_time") or document.get("CrashTime"))) is not None:
        return time_of(at, unit=1)
    return time_of(text(document.get("client_crash_date")))


STACKWALK = Document("JSON of minidump-stackwalk", _recognises, _read)
