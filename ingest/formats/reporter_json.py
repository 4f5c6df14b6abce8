"""Crash reports in JSON of what works within a process: KSCrash, Swift's backtracer, Datadog's crashtracker, Ceph.

Of each a document is one crash. KSCrash also reports what went on (``user``) or was ended for its memory, and Datadog's
announces a crash before it tells of it; these are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleetcrash.clustering.codes import canonical_code
from ingest.formats import stacks
from ingest.formats.apple import Image, Step, blamed, code_of, own_id, system_of
from ingest.formats.blame import at_fault, has_aborted
from ingest.formats.crashes import (
    MOST_FRAMES,
    Frame,
    Records,
    Told,
    Unfit,
    base_name,
    document_of,
    mapping,
    name_of,
    sequence,
    tags_of,
    text,
    time_of,
    whole,
)
from ingest.formats.debuggers import SIGNAL_WORDS
from ingest.formats.format import Document, Head
from ingest.formats.storage_faults import stack_of_ceph
from ingest.formats.systems import os_type

_Report = Mapping[str, Any]

_MOST_THREADS = 2000
_MOST_IMAGES = 5000
_WENT_ON = frozenset(["user", "memory_termination", "unknown"])
_HANGS = frozenset(["deadlock", "hang"])
_PLATFORMS = (("macos", "darwin"), ("windows", "windows"))
_INTO_FUNCTION = re.compile(r" \+ \d{1,9}$")


def _key(name: str) -> re.Pattern[str]:
    return re.compile(rf'"{name}"\s{{0,20}}:')


_KSCRASH = (_key("report"), _key("system"), _key("crash"), _key("error"))
_OF_KSCRASH = re.compile(r'"(?:system_name|device_app_hash|binary_images|process_name)"\s{0,20}:')
_SWIFT = (re.compile(r'"kind"\s{0,20}:\s{0,20}"crashReport"'), _key("faultAddress"))
_DATADOG = (re.compile(r'"is_crash"\s{0,20}:'), re.compile(r'"Datadog Crashtracker |"crashtracker"|"Crashtracking"'))
_CEPH = (_key("ceph_version"), _key("backtrace"), _key("crash_id"))


def _recognises(head: Head) -> bool:
    said = head.text.lstrip("\ufeff \t\r\n")
    if not said.startswith("{"):
        return False
    forms = ((*_KSCRASH, _OF_KSCRASH), _SWIFT, _DATADOG, _CEPH)
    return any(all(key.search(said) for key in keys) for keys in forms)


def _read(data: bytes, told: Told) -> Records:
    report = mapping(document_of(data, told, code="bad_reporters_json", what="The crash report"))
    records = Records(told)
    form = next((form for form, is_of in _FORMS if is_of(report)), None)
    if form is None:
        raise Unfit("bad_reporters_json", "The document tells no crash in a known form")
    form(records, report)
    return records


def _add_kscrash(records: Records, document: _Report) -> None:
    report, system, crash = (mapping(document.get(name)) for name in ("report", "system", "crash"))
    error = mapping(crash.get("error"))
    kind = text(error.get("type")) or ""
    if kind in _WENT_ON:
        return
    mach, signal = mapping(error.get("mach")), mapping(error.get("signal"))
    thrown = mapping(error.get("nsexception")) or mapping(error.get("cpp_exception"))
    images = _images(sequence(document.get("binary_images")))
    thread = _crashed(crash.get("threads")) or mapping(crash.get("crashed_thread"))
    steps = [
        _kscrash_step(mapping(one), images)
        for one in sequence(mapping(thread.get("backtrace")).get("contents"))[:MOST_FRAMES]
    ]
    process = text(report.get("process_name")) or text(system.get("process_name"))
    version = text(system.get("CFBundleShortVersionString")) or text(system.get("CFBundleVersion"))
    place = blamed(steps, process)
    if place["module"] == process:
        place["module_version"] = version
    host_id, at = records.host_id((system.get("device_app_hash"),)), time_of(report.get("timestamp"))
    code = code_of(text(mach.get("exception_name")), text(signal.get("name"))) or text(thrown.get("name")) or kind
    known = own_id(report.get("id"))
    places = (f"{step.frame.module}+{step.frame.offset}" for step in steps)
    records.crash(
        crash_id=known or name_of(host_id or "", at or "", code or "", process or "", *places),
        host_id=host_id,
        occurred_at=at,
        os_type=os_type(system.get("system_name")) or "darwin",
        os_version=text(system.get("system_version")),
        os_build=text(system.get("os_version")),
        domain="hang" if kind in _HANGS else "user",
        code=code,
        **place,
        frames=[step.frame for step in steps],
        tags=tags_of(
            [
                ("process", process),
                ("pid", system.get("process_id")),
                ("model", system.get("machine")),
                ("bundle_id", system.get("CFBundleIdentifier")),
                ("app_version", version),
                ("exception", thrown.get("name") or mach.get("exception_name")),
                ("message", error.get("reason") or crash.get("diagnosis")),
            ]
        ),
    )


def _images(said: Sequence[Any]) -> dict[int, Image]:
    """The files with code of a process, by their start."""
    told = ((whole(one.get("image_addr")), text(one.get("name"))) for one in map(mapping, said[:_MOST_IMAGES]))
    return {start: Image(base_name(path), path, start=start) for start, path in told if start is not None and path}


def _kscrash_step(said: _Report, images: Mapping[int, Image]) -> Step:
    at, start = whole(said.get("instruction_addr")), whole(said.get("object_addr"))
    offset = at - start if at is not None and start and at >= start else None
    function = text(said.get("symbol_name"))
    module = base_name(said.get("object_name"))
    return Step(Frame(module, None if function == "<redacted>" else function, offset), images.get(start or 0))


def _add_swift(records: Records, report: _Report) -> None:
    thread = _crashed(report.get("threads"))
    frames = [_swift_step(mapping(one)) for one in sequence(thread.get("frames"))[:MOST_FRAMES]]
    what = text(report.get("description")) or ""
    code = SIGNAL_WORDS.get(what.lower()) or canonical_code(what.lower(), "linux") or text(what, 200)
    platform = text(report.get("platform")) or ""  # perhaps behind the processor's
    system = next((one for mark, one in _PLATFORMS if mark in platform.lower()), "linux")
    version, build = system_of(platform) if system == "darwin" else (None, None)
    host_id, at = records.host_id(()), time_of(report.get("timestamp"))
    places = (f"{frame.module} {frame.function}" for frame in frames)
    records.crash(
        crash_id=name_of(host_id or "", at or "", what, text(report.get("faultAddress")) or "", *places),
        host_id=host_id,
        occurred_at=at,
        os_type=system,
        os_version=version,
        os_build=build,
        domain="user",
        code=code,
        **at_fault(frames, code=code),
        frames=frames,
        tags=tags_of(
            [
                ("message", what),
                ("thread", thread.get("name")),
                ("architecture", report.get("architecture")),
                ("os_name", platform),
            ]
        ),
    )


def _swift_step(said: _Report) -> Frame:
    """A function as people read it, or else as the compiler named it."""
    named = text(said.get("description")) or text(said.get("symbol"))
    return Frame(text(said.get("image")), text(_INTO_FUNCTION.sub("", named)) if named else None)


def _add_datadog(records: Records, report: _Report) -> None:
    error, signal, system = (mapping(report.get(name)) for name in ("error", "sig_info", "os_info"))
    if error.get("is_crash") is not True:
        return
    said = sequence(mapping(error.get("stack")).get("frames"))[:MOST_FRAMES]
    frames = [_datadog_step(mapping(one)) for one in said]
    kind = text(error.get("type")) or text(error.get("kind"))
    code = text(signal.get("si_signo_human_readable")) or kind
    host_id, at = records.host_id(()), time_of(report.get("timestamp"))
    known = own_id(report.get("uuid"))
    library = mapping(report.get("metadata"))
    tags = [one.partition(":")[::2] for one in _texts(library.get("tags")) + _parts(report.get("ddtags"))]
    places = (f"{frame.module} {frame.function} {frame.offset}" for frame in frames)
    pid = text(mapping(report.get("proc_info")).get("pid"))
    records.crash(
        crash_id=known or name_of(host_id or "", at or "", code or "", pid or "", *places),
        host_id=host_id,
        occurred_at=at,
        os_type=os_type(system.get("os_type")) or "linux",
        domain="user",
        code=code,
        **at_fault(frames, code=code),
        frames=frames,
        tags=tags_of(
            [
                ("message", error.get("message")),
                ("pid", pid),
                ("thread", error.get("thread_name")),
                ("address", signal.get("si_addr")),
                ("os_name", " ".join(filter(None, (text(system.get("os_type")), text(system.get("version")))))),
                ("architecture", system.get("architecture")),
                *((name, said) for name, said in tags if name in ("service", "env", "version", "language")),
            ]
        ),
    )


def _datadog_step(said: _Report) -> Frame:
    names = [mapping(one).get("name") for one in sequence(said.get("names"))]  # of older ones
    module = base_name(said.get("path"))
    offset = whole(said.get("relative_address")) if module else None
    return Frame(module, text(said.get("function")) or next(filter(None, map(text, names)), None), offset)


def _add_ceph(records: Records, report: _Report) -> None:
    """What ``ceph crash info`` prints, and Ceph keeps as ``meta``; the signal it does not tell."""
    steps = stack_of_ceph(_texts(report.get("backtrace"))[:MOST_FRAMES])
    frames = stacks.read(steps).frames
    asserted = text(report.get("assert_condition"))
    code = "Assertion failed" if asserted else "SIGABRT" if has_aborted(frames) else None
    host_id = records.host_id((report.get("utsname_hostname"),))
    place = at_fault(frames, text(report.get("process_name")), code="SIGABRT" if asserted else code)
    records.crash(
        crash_id=own_id(report.get("crash_id")) or name_of(host_id or "", steps),
        host_id=host_id,
        occurred_at=time_of(report.get("timestamp")),
        os_type=os_type(report.get("utsname_sysname")) or "linux",
        os_version=text(report.get("utsname_release")),
        domain="user",
        code=code,
        **place,
        frames=frames,
        tags=tags_of(
            [
                ("process", report.get("process_name")),
                ("entity", report.get("entity_name")),
                ("app_version", report.get("ceph_version")),
                ("thread", report.get("assert_thread_name")),
                ("source", report.get("assert_file")),
                ("message", asserted),
                ("os_name", " ".join(filter(None, map(text, map(report.get, ("os_name", "os_version_id")))))),
            ]
        ),
    )


def _texts(said: Any) -> list[str]:
    return [one for one in map(text, sequence(said)) if one]


def _parts(said: Any) -> list[str]:
    return (text(said) or "").split(",")


def _crashed(threads: Any) -> _Report:
    """The thread that crashed; the only one where none is marked."""
    told = [mapping(one) for one in sequence(threads)[:_MOST_THREADS]]
    alone = told[0] if len(told) == 1 else {}
    return next((one for one in told if one.get("crashed") is True), alone)


def _is_kscrash(report: _Report) -> bool:
    return bool(mapping(mapping(report.get("crash")).get("error")) and mapping(report.get("report")))


_FORMS: tuple[tuple[Callable[[Records, _Report], None], Callable[[_Report], bool]], ...] = (
    (_add_kscrash, _is_kscrash),
    (_add_swift, lambda report: report.get("kind") == "crashReport"),
    (_add_datadog, lambda report: "is_crash" in mapping(report.get("error"))),
    (_add_ceph, lambda report: "ceph_version" in report and "backtrace" in report),
)

REPORTER_JSON = Document("crash report in JSON of KSCrash, Swift, Datadog or Ceph", _recognises, _read)
