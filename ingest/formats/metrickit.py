"""Diagnostics that MetricKit of macOS and iOS hands to an app, in JSON, as apps send them on.

A payload lists what happened in some time, and tells of crashes neither the device nor the moment; older systems
collect those of a day. Hangs that ended, and what used much of a processor or a disk, are no crashes. In each step of
a stack is the one that called it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.formats.apple import Step, blamed, code_of, is_hang, system_of, time_in
from ingest.formats.blame import at_fault
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
    whole,
)
from ingest.formats.format import Document, Head

_MOST_STACKS = 2000
_STACKS = re.compile(r'"callStackTree"\s{0,20}:')
_OTHER = re.compile(r'"(?:callStackPerThread|callStackRootFrames|diagnosticMetaData)"\s{0,20}:')
_EXCEPTIONS: Mapping[int | None, str] = {
    1: "EXC_BAD_ACCESS", 2: "EXC_BAD_INSTRUCTION", 3: "EXC_ARITHMETIC", 4: "EXC_EMULATION", 5: "EXC_SOFTWARE",
    6: "EXC_BREAKPOINT", 7: "EXC_SYSCALL", 8: "EXC_MACH_SYSCALL", 9: "EXC_RPC_ALERT", 10: "EXC_CRASH",
    11: "EXC_RESOURCE", 12: "EXC_GUARD",
}  # fmt: skip
_SIGNALS: Mapping[int | None, str] = {
    3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGBUS", 11: "SIGSEGV",
    12: "SIGSYS", 13: "SIGPIPE", 15: "SIGTERM",
}  # fmt: skip
_LEAST_ADDRESS = 1 << 32  # some systems give where a file was loaded in place of the offset in it
_NO_LETTER = re.compile(r"[^a-z0-9]")

_Object = Mapping[str, Any]


def _recognises(head: Head) -> bool:
    said = head.text
    is_json = said.lstrip("\ufeff \t\r\n").startswith(("{", "["))
    return is_json and _STACKS.search(said) is not None and _OTHER.search(said) is not None


def _read(data: bytes, told: Told) -> Records:
    document = document_of(data, told, code="bad_metrickit", what="The payload")
    records = Records(told)
    payloads = [mapping(one) for one in (document if isinstance(document, list) else [document])]
    if not any(_is_payload(payload) for payload in payloads):
        raise Unfit("bad_metrickit", "The document has no diagnostics of MetricKit")
    for payload in payloads:
        for crash in _crashes(payload):
            _add(records, payload, crash)
    return records


def _is_payload(payload: _Object) -> bool:
    return "callStackTree" in payload or any(name.endswith("Diagnostics") for name in payload)


def _crashes(payload: _Object) -> Iterator[_Object]:
    """The crashes of a payload, which may be one by itself; others have neither an exception nor a signal."""
    yield from map(mapping, sequence(payload.get("crashDiagnostics")))
    about = _about(payload)
    if "callStackTree" in payload and (about.get("exceptionType") or about.get("signal")):
        yield payload


def _about(crash: _Object) -> _Object:
    return mapping(crash.get("diagnosticMetaData")) or crash


def _add(records: Records, payload: _Object, crash: _Object) -> None:
    about = _about(crash)
    exception, signal = _EXCEPTIONS.get(whole(about.get("exceptionType"))), _SIGNALS.get(whole(about.get("signal")))
    thrown = mapping(about.get("objectiveCexceptionReason")) or mapping(about.get("exceptionReason"))
    ended = text(about.get("terminationReason"))
    code = code_of(exception, signal, [ended])
    frames = _frames(mapping(crash.get("callStackTree")))
    bundle = text(about.get("bundleIdentifier"))
    process = _process(frames, bundle)
    place = blamed([Step(frame) for frame in frames], process) if process else at_fault(frames, code=code)
    app_version = text(about.get("appVersion"))
    if process and place["module"] == process:
        place["module_version"] = app_version
    version, build = system_of(about.get("osVersion"))
    host_id, at = records.host_id(()), time_in(payload.get("timeStampEnd"))
    places = (f"{frame.module}+{frame.offset}" for frame in frames)
    records.crash(
        crash_id=name_of(host_id or "", at or "", code or "", bundle or "", app_version or "", ended or "", *places),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type="darwin",
        os_version=version,
        os_build=build,
        domain="hang" if is_hang([ended]) else "user",
        code=code,
        **place,
        frames=frames,
        tags=tags_of(
            [
                ("process", process),
                ("pid", about.get("pid")),
                ("model", about.get("deviceType")),
                ("bundle_id", bundle),
                ("app_version", app_version),
                ("build_version", about.get("appBuildVersion")),
                ("signal", signal),
                ("exception", text(thrown.get("exceptionName")) or exception),
                ("message", text(thrown.get("composedMessage")) or ended),
            ]
        ),
    )


def _frames(tree: _Object) -> list[Frame]:
    """The stack of the thread that crashed, or the first; its root is the innermost step."""
    stacks = [mapping(one) for one in sequence(tree.get("callStacks"))[:_MOST_STACKS]]
    stack = next((one for one in stacks if one.get("threadAttributed") is True), stacks[0] if stacks else {})
    frames: list[Frame] = []
    step = _first(stack.get("callStackRootFrames"))
    while step and len(frames) < MOST_FRAMES:
        frames.append(_frame(step))
        step = _first(step.get("subFrames"))
    return frames


def _first(steps: Any) -> _Object:
    return next(map(mapping, sequence(steps)), {})


def _frame(step: _Object) -> Frame:
    module, offset, at = base_name(step.get("binaryName")), whole(step.get("offsetIntoBinaryTextSegment")), None
    if offset is not None and offset >= _LEAST_ADDRESS:
        at = whole(step.get("address"))
        offset = at - offset if at is not None and at >= offset else None
    return Frame(module, None, offset if module else None)


def _process(frames: Sequence[Frame], bundle: str | None) -> str | None:
    """The app's own file, which bears the last name of its bundle."""
    name = _plain((bundle or "").rpartition(".")[2])
    return next((frame.module for frame in frames if frame.module and _plain(frame.module) == name), None)


def _plain(name: str) -> str:
    return _NO_LETTER.sub("", name.lower())


METRICKIT = Document("diagnostics of MetricKit", _recognises, _read)
