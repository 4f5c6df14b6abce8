"""Problem folders of abrt (``/var/spool/abrt``, also within a sosreport), with a file for each field.

Fields with secrets (environment, command line, users) are not read, and neither is the core dump.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fleetcrash.clustering.codes import canonical_code
from ingest.formats import kernel_lines, kernel_log, stacks
from ingest.formats.blame import at_fault
from ingest.formats.crashes import (
    Frame,
    NotJson,
    Records,
    Told,
    base_name,
    document_of,
    mapping,
    name_of,
    parsed,
    sequence,
    tags_of,
    text,
    time_of,
    whole,
)
from ingest.formats.format import Document, Head

_MOST_BYTES = {"backtrace": 1 << 20, "core_backtrace": 1 << 20}
_MOST_BYTES_OF_A_LINE = 4096
_MOST_KERNEL_LINES = 5000
_NEEDED = ("time", "reason", "type")
_TAGS = {
    "package": "package", "component": "component", "os_release": "os_name", "architecture": "architecture",
    "executable": "exe", "pid": "pid", "reason": "message", "count": "count",
}  # fmt: skip
_FIELDS = (*_NEEDED, *_TAGS, "hostname", "kernel", "backtrace", "core_backtrace", "uuid")

_TIME = re.compile(r"\d{9,11}")
_SIGNAL = re.compile(r"\bSIG[A-Z]{2,8}\b")
_THROWN = re.compile(r"(?:^|[:\s])(?P<name>(?:[A-Za-z_][\w$]*\.)*[A-Za-z_]\w*(?:Error|Exception))\b")
_PLACE = re.compile(r"[^:\s]{1,300}:\d{1,9}:[^:]{1,300}:(?P<name>[A-Za-z_][\w.]{0,200})(?::|$)")
_KERNELS = frozenset(["kerneloops", "vmcore"])
_PROCESSES = frozenset(["ccpp", "python", "python3", "java", "ruby", "javascript", "nodejs"])


def is_problem(folder: Path) -> bool:
    """Whether a folder is a problem of abrt.

    Raises:
        OSError: a file in it cannot be read.
    """
    return all((folder / name).is_file() for name in _NEEDED) and _TIME.fullmatch(_field(folder / "time")) is not None


def blocks_of_problem(folder: Path) -> Iterator[bytes]:
    """The fields of a problem as one document."""
    paths = {name: folder / name for name in _FIELDS}
    yield json.dumps({name: _field(path) for name, path in paths.items() if path.is_file()}).encode()


def _field(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES.get(path.name, _MOST_BYTES_OF_A_LINE)).decode("utf-8", "replace").strip()


def _read(data: bytes, told: Told) -> Records:
    fields = mapping(document_of(data, told, code="bad_abrt", what="A problem of abrt"))
    said = {name: value for name in _FIELDS if isinstance(value := fields.get(name), str)}
    kind = said.get("type", "").lower()
    records = Records(told)
    if kind in _KERNELS:
        _add_kernels(records, said)
    elif kind in _PROCESSES:
        _add_process(records, said, is_native=kind == "ccpp")
    return records


def _add_process(records: Records, said: Mapping[str, str], *, is_native: bool) -> None:
    core = _json(said.get("core_backtrace", ""))
    backtrace = said.get("backtrace", "")
    reason, exe = said.get("reason", ""), base_name(said.get("executable"))
    frames = _frames(core) if is_native else []
    frames = frames or list(stacks.read(backtrace).frames) or _frames(core)
    signal = text(core.get("signal")) if is_native else None
    named = _SIGNAL.search(reason) if is_native else (_PLACE.match(reason) or _THROWN.search(reason))
    code = canonical_code(signal, "linux") if signal else None
    code = code or (named[0] if named and is_native else named["name"] if named else text(core.get("exception_name")))
    _add(records, said, domain="user", code=code, frames=frames, **at_fault(frames, exe, code=code))


def _add_kernels(records: Records, said: Mapping[str, str]) -> None:
    """Add the crash in a text of the kernel, if there is one; abrt keeps warnings as well."""
    lines = list(kernel_lines.lines_of(said.get("backtrace", ""), 0, _MOST_KERNEL_LINES))
    fault = next((one for one in kernel_log.faults(lines) if one.domain == "kernel"), None)
    if fault is None:
        return
    _add(
        records,
        said,
        domain="kernel",
        code=fault.code,
        module=fault.module,
        module_offset=fault.module_offset,
        frames=fault.frames,
        uptime_s=fault.line.clock,
    )


def _add(records: Records, said: Mapping[str, str], **fields: Any) -> None:
    host_id = records.host_id((said.get("hostname"),))
    known = (said.get(name, "") for name in ("time", "type", "reason", "executable", "pid", "uuid"))
    records.crash(
        crash_id=name_of(host_id or "", *known),
        host_id=host_id,
        occurred_at=time_of(said.get("time") or None),
        time_quality="log",
        os_type="linux",
        os_version=text(said.get("kernel")),
        tags=tags_of((tag, said.get(name)) for name, tag in _TAGS.items()),
        **fields,
    )


def _frames(core: Mapping[str, Any]) -> list[Frame]:
    """The stack of the thread that crashed, from abrt's short form of a core dump."""
    threads = [mapping(one) for one in sequence(core.get("stacktrace"))]
    crashed = next((one for one in threads if one.get("crash_thread")), threads[0] if len(threads) == 1 else {})
    found = []
    for frame in map(mapping, sequence(crashed.get("frames"))):
        module, function = base_name(frame.get("file_name")), text(frame.get("function_name"))
        found.append(Frame(module, function, None if function else whole(frame.get("build_id_offset"))))
    return found


def _json(said: str) -> Mapping[str, Any]:
    try:
        return mapping(parsed(said.encode()))
    except NotJson:
        return {}


def _recognises(_: Head) -> bool:
    """Never: a problem is a folder, which ``blocks_of_problem`` turns into a document."""
    return False


ABRT = Document("problem of abrt", _recognises, _read)
