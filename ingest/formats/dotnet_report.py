"""Reports of .NET's ``createdump`` (``*.crashreport.json``), which the runtime writes as a process ends.

One that somebody asked for has no thread that crashed, or a signal to end. A report has no time and no host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.formats.blame import at_fault, has_aborted
from ingest.formats.crashes import (
    MOST_FRAMES,
    Frame,
    Records,
    Told,
    Unfit,
    document_of,
    mapping,
    name_of,
    sequence,
    tags_of,
    text,
    whole,
)
from ingest.formats.format import Document, Head

_NAMES = tuple(re.compile(rf'"{name}"\s{{0,20}}:') for name in ("payload", "protocol_version", "threads"))
_LEAST = re.compile(r'"(?:stack_frames|native_thread_id|is_managed)"\s{0,20}:')
_ASKED_FOR = "0x02000000"  # by SIGTERM
_CODES = {
    "0x50000000": "SIGILL", "0x70000000": "SIGFPE", "0x60000000": "SIGBUS", "0x03000000": "SIGTRAP",
    "0x20000000": "SIGSEGV", "0x30000000": "SIGABRT",
}  # fmt: skip


def _recognises(head: Head) -> bool:
    said = head.text.lstrip("\ufeff \t\r\n")
    return said.startswith("{") and all(name.search(said) for name in _NAMES) and _LEAST.search(said) is not None


def _read(data: bytes, told: Told) -> Records:
    document = mapping(document_of(data, told, code="bad_dotnet_report", what="The crash report of .NET"))
    payload, parameters = mapping(document.get("payload")), mapping(document.get("parameters"))
    threads = [mapping(one) for one in sequence(payload.get("threads"))]
    if not threads:
        raise Unfit("bad_dotnet_report", "The document has no threads, as createdump writes them")
    records = Records(told)
    died = next((thread for thread in threads if _is_true(thread.get("crashed"))), None)
    if died is not None and parameters.get("ExceptionType") != _ASKED_FOR:
        _add(records, payload, parameters, died)
    return records


def _add(
    records: Records, payload: Mapping[str, Any], parameters: Mapping[str, Any], thread: Mapping[str, Any]
) -> None:
    steps = list(_steps(sequence(thread.get("stack_frames"))))[:MOST_FRAMES]
    thrown = text(thread.get("managed_exception_type"))
    # The runtime's own code stands above what threw an exception that nobody caught.
    own = next((at for at, (_, is_managed) in enumerate(steps) if is_managed), 0) if thrown else 0
    frames = [frame for frame, _ in steps[own:]]
    signal = _CODES.get(text(parameters.get("ExceptionType")) or "") or ("SIGABRT" if has_aborted(frames) else None)
    process = text(payload.get("process_name"))
    system = "darwin" if parameters.get("SystemManufacturer") == "apple" else "linux"
    version = text(mapping(payload.get("configuration")).get("version"))
    host_id = records.host_id(())
    ids = (
        text(one.get(name)) or "" for one in (thread, mapping(thread.get("ctx"))) for name in ("native_thread_id", "SP")
    )
    records.crash(
        crash_id=name_of(
            host_id or "", process or "", *ids, *(f"{one.module} {one.function} {one.offset}" for one in frames)
        ),
        host_id=host_id,
        os_type=system,
        os_version=text(parameters.get("OSVersion")),
        domain="user",
        code=thrown or signal,
        **at_fault(frames, process, code=signal),
        frames=frames,
        tags=tags_of(
            [
                ("process", process),
                ("runtime", version),
                ("architecture", mapping(payload.get("configuration")).get("architecture")),
                ("hresult", thread.get("managed_exception_hresult")),
                ("model", parameters.get("SystemModel")),
            ]
        ),
    )


def _steps(said: Sequence[Any]) -> Iterator[tuple[Frame, bool]]:
    """The frames of a thread, innermost first, and whether each is managed; of repeated ones each once."""
    for one in map(mapping, said):
        if isinstance(again := one.get("repeated_frames"), list):
            yield from (_step(mapping(frame)) for frame in again)
        else:
            yield _step(one)


def _step(frame: Mapping[str, Any]) -> tuple[Frame, bool]:
    is_managed = _is_true(frame.get("is_managed"))
    module = text(frame.get("filename" if is_managed else "native_module"))
    function = text(frame.get("method_name")) or text(frame.get("unmanaged_name"))
    offset = whole(frame.get("native_offset")) if module and not function else None
    return Frame(module, function, offset), is_managed


def _is_true(value: Any) -> bool:
    """Most versions write it as text."""
    return value is True or value == "true"


DOTNET_REPORT = Document("crash report of .NET", _recognises, _read)
