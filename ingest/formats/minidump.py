"""Reads crashes from dumps: Microsoft's MDMP, also of crashpad and breakpad, and kernel dumps of Windows.

A dump comes from a broken process, or from an attacker: every offset and count in it is followed only within the file,
and one that leads outside is ignored.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.formats.crashes import (
    LONGEST_TEXT,
    Frame,
    Records,
    Told,
    Unfit,
    first,
    name_of,
    tags_of,
    text,
    time_of,
    version_of,
)
from ingest.formats.format import Document
from ingest.formats.kernel_dump import KERNELS, of_kernel
from ingest.formats.minidump_codes import HANG, REQUESTED, code_of
from ingest.formats.minidump_places import (
    MODULES,
    BigEndian,
    Context,
    Streams,
    context_of,
    context_of_thread,
    name_at,
    place_of,
    process_of,
    unpacked,
)
from ingest.formats.minidump_stack import Fault, with_callers
from ingest.formats.systems import os_type

_MOST_STREAMS = 500
_MOST_MODULES = 10_000
_MOST_BYTES = 64 << 20  # the data about the crash precedes the memory, which may be that of the whole machine

_THREADS, _EXCEPTION, _SYSTEM, _CRASHPAD, _ASSERTION, _COMMAND = 3, 6, 7, 0x43500001, 0x47670002, 0x47670006
_COMMENTS = {10: "utf-8", 11: "utf-16-le"}  # of who wrote it
_WENT_ON = re.compile(r"\bFirst[- ]chance exception\b", re.IGNORECASE)  # in ProcDump's, as the program was asked first
_TELLING = (_EXCEPTION, MODULES, _SYSTEM, _CRASHPAD)
# Names under which programs give crashpad their own name and version.
ANNOTATIONS = frozenset([
    "prod", "product", "_productName", "ver", "version", "_version", "channel", "ptype", "process_type",
])  # fmt: skip
_MOST_ANNOTATIONS = 200

_SYSTEMS = {1: "windows", 2: "windows", 0x8101: "darwin", 0x8102: "darwin", 0x8201: "linux", 0x8203: "linux"}
_X64 = 9
_X86 = (0, _X64, 10)
_OF_LINUX = frozenset(range(0x47670003, 0x4767000A))  # files of /proc and the like
_ANDROIDS_EXE = "app_process"  # of every program there
_USER, _SWAPPED = b"MDMP", b"PMDM"
_INNER = frozenset([
    "report_id", "client_id", "addresses", "more", "frames", "arguments", "exe", "annotations", "message", "is_live",
    "is_whole",
])  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The content of a dump; unknown values are None.

    Attributes:
        report_id, client_id: of crashpad: ids of the dump, and of the installation that made it.
        addresses: of the instruction at fault, the best first. more: what the exception tells besides.
        arguments: of a bugcheck.
        exe: the program, which is listed before its modules.
        annotations: what a program told crashpad of itself. message: what it had assumed, by breakpad.
        is_live: whether the kernel went on. is_whole: whether all data about the crash is within the file.
    """

    domain: str
    os_type: str | None = None
    os_version: str | None = None
    os_build: str | None = None
    code: str | None = None
    module: str | None = None
    module_version: str | None = None
    module_offset: int | None = None
    occurred_at: str | None = None
    uptime_s: float | None = None
    report_id: str | None = None
    client_id: str | None = None
    addresses: tuple[int, ...] = ()
    more: tuple[int, ...] = ()
    frames: tuple[Frame, ...] = ()
    arguments: tuple[str, ...] = ()
    exe: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    message: str | None = None
    is_live: bool = False
    is_whole: bool = True

    @property
    def is_crash(self) -> bool:
        """Whether the process or kernel ended with the dump."""
        return self.code != REQUESTED and not self.is_live

    def fields(self) -> dict[str, Any]:
        """The fields of a record that are in the dump."""
        told = ((name, getattr(self, name)) for name in self.__dataclass_fields__ if name not in _INNER)
        return {name: value for name, value in told if value is not None}


def read(data: bytes) -> Found | None:
    """The content of a dump; None if it is no dump."""
    if data.startswith(KERNELS):
        told = of_kernel(data)
        return Found("kernel", **told) if told else None
    if data.startswith(_SWAPPED):
        data = BigEndian(data)
    return _user(data) if data.startswith((_USER, _SWAPPED)) and len(data) >= 32 else None


def add(records: Records, found: Found, data: bytes, form: Mapping[str, str]) -> tuple[str, str | None]:
    """Add the crash of a dump, if it is one. Returns its crash_id and host_id.

    Args:
        form: form fields that came with it.
    """
    form = {**found.annotations, **form}
    host_id = records.host_id((form.get("host_id"), form.get("device_id"), form.get("guid"), found.client_id))
    crash_id = first((form.get("crash_id"),)) or found.report_id or name_of(host_id or "", data)
    versions = (version_of(form.get(name)) for name in ("agent_version", "_version", "ver", "version"))
    fields = {
        "crash_id": crash_id,
        "host_id": host_id,
        "agent_version": next((one for one in versions if one), None),
        "os_type": os_type(form.get("os_type") or form.get("platform")),
        **found.fields(),
    }
    arguments = ((f"argument{number}", said) for number, said in enumerate(found.arguments, 1))
    told = [("exe", found.exe), ("message", found.message), *arguments, *form.items()]
    if found.is_crash:
        records.crash(**fields, frames=found.frames, tags=tags_of(told))
    return crash_id, host_id


def _user(data: bytes) -> Found:
    count, directory, _, stamp = unpacked("<IIII", data, 8) or (0, 0, 0, 0)
    found = Found("user", occurred_at=time_of(stamp, unit=1) if stamp else None)
    streams: dict[int, tuple[int, int]] = {}
    is_whole = directory + 12 * count <= len(data)
    for number in range(min(count, _MOST_STREAMS)):
        kind, size, place = unpacked("<III", data, directory + 12 * number) or (0, 0, 0)
        if place and size:
            streams.setdefault(kind, (place, min(size, max(len(data) - place, 0))))
            is_whole = is_whole and (kind not in _TELLING or place + size <= len(data))
    found = replace(found, is_whole=is_whole)
    processor, context = None, None
    if _SYSTEM in streams:
        found, processor = _with_system(found, data, *streams[_SYSTEM])
    if found.os_type is None and not _OF_LINUX.isdisjoint(streams):
        found = replace(found, os_type="linux")
    if _EXCEPTION in streams:
        found, context = _with_exception(found, data, streams, processor)
    elif is_whole and _THREADS in streams and _ASSERTION not in streams:  # nothing happened in any of its threads
        found = replace(found, code=REQUESTED)
    process = process_of(data, streams)
    exe = process.file_of(process.modules[0]) if process.modules else None
    if exe and exe.startswith(_ANDROIDS_EXE) and _COMMAND in streams:
        exe = _named_as(data, *streams[_COMMAND]) or exe
    fault = Fault(
        found.code,
        found.addresses,
        found.more,
        has_frames=(found.os_type, processor) != ("windows", _X64),
        is_strict=found.os_type != "linux" or processor not in _X86,
    )
    blamed, frames = with_callers(process, context, fault)
    found = replace(found, exe=exe, frames=frames, **(blamed or place_of(process, found.addresses, context)))
    if any(map(_WENT_ON.search, _comments(data, streams))):
        found = replace(found, code=REQUESTED)
    if _ASSERTION in streams:
        found = replace(found, message=_assumed(data, streams[_ASSERTION][0]))
    if _CRASHPAD in streams:
        found = _with_ids(found, data, streams[_CRASHPAD][0])
    return found


def _with_system(found: Found, data: bytes, place: int, size: int) -> tuple[Found, int | None]:
    told = unpacked("<HHHBBIIIII", data, place)
    if told is None or size < 28:
        return found, None
    architecture, major, minor, build, platform, service_pack = told[0], *told[5:]
    system = _SYSTEMS.get(platform)
    said = text(name_at(data, service_pack))
    version = f"{major}.{minor}.{build}" if major else None
    if system == "linux" and said:  # in the format of uname
        release = re.match(r"Linux (\S{1,100})", said)
        version = release[1] if release else version
    os_build = said if system == "darwin" else None
    return replace(found, os_type=system, os_version=version, os_build=os_build), architecture


def _with_exception(found: Found, data: bytes, streams: Streams, processor: int | None) -> tuple[Found, Context | None]:
    place, _ = streams[_EXCEPTION]
    told, about = unpacked("<IIIIQQI4xQQQQ", data, place), unpacked("<II", data, place + 160)
    if told is None:
        return found, None
    thread, _, number, flags, _, address, count = told[:7]
    more = told[7 : 7 + count]
    code = code_of(found.os_type, processor, number, flags, more)
    context = context_of(data, about[1], about[0], processor) if about else None
    context = context or context_of_thread(data, streams, thread, processor)
    pointer = context.pointer if context else None
    # Windows gives the instruction, also of a 32-bit program within a 64-bit process, whose context is of the latter.
    # Others give the accessed address, and the instruction only in the context.
    both = (address, pointer) if found.os_type == "windows" else (address if pointer is None else pointer,)
    addresses = tuple(one for one in both if one is not None)
    domain = "hang" if code == HANG else "user"
    return replace(found, domain=domain, code=code, addresses=addresses, more=more), context


def _comments(data: bytes, streams: Streams) -> Iterator[str]:
    for kind, encoding in _COMMENTS.items():
        place, size = streams.get(kind, (0, 0))
        yield data[place : place + min(size, 2 * LONGEST_TEXT)].decode(encoding, "replace")


def _named_as(data: bytes, place: int, size: int) -> str | None:
    """The first of a process's arguments, which on Android is its name."""
    return text(data[place : place + min(size, LONGEST_TEXT)].partition(b"\0")[0].decode("utf-8", "replace"))


def _assumed(data: bytes, place: int) -> str | None:
    """What a program had assumed, and the function in which it was not so; each ends with a NUL."""
    told = unpacked("<256s256s", data, place) or ()
    texts = (text(one.decode("utf-16-le", "replace").partition("\0")[0]) for one in told)
    return " in ".join(one for one in texts if one) or None


def _with_ids(found: Found, data: bytes, place: int) -> Found:
    told = unpacked("<I16s16s", data, place)
    if told is None:
        return found
    report, client = (str(uuid.UUID(bytes_le=raw)) if any(raw) else None for raw in told[1:])
    listed = unpacked("<II", data, place + 36) or (0, 0)
    annotations = dict(_annotations(data, listed[1])) if all(listed) else {}
    return replace(found, report_id=report, client_id=client, annotations=annotations)


def _annotations(data: bytes, place: int) -> Iterator[tuple[str, str]]:
    """What a program told crashpad, as far as it is about the program."""
    (count,) = unpacked("<I", data, place) or (0,)
    for number in range(min(count, _MOST_ANNOTATIONS)):
        places = unpacked("<II", data, place + 4 + 8 * number)
        name, said = (_utf8(data, one) for one in places) if places else (None, None)
        if name in ANNOTATIONS and said:
            yield name, said


def _utf8(data: bytes, place: int) -> str | None:
    told = unpacked("<I", data, place) if place else None
    return text(data[place + 4 : place + 4 + min(told[0], LONGEST_TEXT)].decode("utf-8", "replace")) if told else None


def read_file(data: bytes, told: Told, form: Mapping[str, str] | None = None) -> Records:
    """The crash of a file.

    Args:
        form: form fields that came with it.
    Raises:
        Unfit: it is not a dump.
    """
    found = read(data)
    if found is None:
        raise Unfit("bad_minidump", "It ends within its header")
    records = Records(told)
    add(records, found, data, form or {})
    if not found.is_whole and len(data) < _MOST_BYTES:  # else the reader has cut it
        records.damage = Unfit("bad_minidump", "It ends within what tells of the crash")
    return records


MINIDUMP = Document(
    "minidump",
    recognises=lambda head: head.data.startswith((_USER, _SWAPPED, *KERNELS)),
    read=read_file,
    most_bytes=_MOST_BYTES,
    is_cut=True,
)
