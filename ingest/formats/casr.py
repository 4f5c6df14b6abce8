"""Reports of casr (``.casrep``): of gdb, of sanitizers, and of the exceptions of several languages.

A report has the whole environment and command line of the process, which are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ingest.formats import stacks
from ingest.formats.blame import at_fault
from ingest.formats.crashes import (
    LONGEST_TEXT,
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
)
from ingest.formats.cut_json import first_object
from ingest.formats.format import Head, Log, decoded
from ingest.formats.lines import lines_in
from ingest.formats.systems import of_output, os_type

_MOST_LINES = 2000  # of a stack or a tool's report
_NAMES = tuple(re.compile(rf'"{name}"\s{{0,100}}:') for name in ("Date", "Uname", "OSRelease"))
_MORE_NAMES = re.compile(r'"(?:ExecutablePath|CrashSeverity)"\s{0,100}:')
_SEVERITY = tuple(re.compile(rf'"{name}"\s{{0,100}}:') for name in ("CrashSeverity", "ShortDescription"))
_PIECE = re.compile(  # of a report among text, from its severity or from the brace before it
    r'^[ \t]{0,40}"CrashSeverity"\s{0,9}:\s{0,9}\{\s{0,40}"(?:Type|ShortDescription|Description)"\s{0,9}:', re.MULTILINE
)
_MOST_PIECES = 1000
_LAST_COMMA = re.compile(r",(?=\s{0,100}[\]}])")
_UNAME = re.compile(r"(?P<system>\S{1,40}) (?P<host>\S{1,255}) (?P<release>\S{1,200})")
_LANGUAGES = ("PythonReport", "GoReport", "JavaReport", "JsReport", "RustReport", "CSharpReport", "LuaReport")
_SANITIZERS = ("AsanReport", "UbsanReport", "MsanReport")
_ADDRESS = re.compile(r"#\d{1,6}\s+0x(?P<at>[0-9a-f]{1,16}) in ")
_MAP = re.compile(
    r"\s*0x(?P<start>[0-9a-f]{1,16})\s+0x(?P<end>[0-9a-f]{1,16})(?:\s+0x[0-9a-f]{1,16}){2}"
    r"(?:\s+[rwxps-]{4,5})?\s+(?P<path>/\S.*)"
)
_POINTERS = ("rip", "eip", "pc")
_ERROR = re.compile(r"ERROR: |WARNING: |runtime error: |panic: |panicked at ")


def _recognises(head: Head) -> bool:
    said = head.text.lstrip()
    if not said.startswith(("{", "[")):
        return '"CrashSeverity"' in said and _PIECE.search(said) is not None
    if all(name.search(said) for name in _SEVERITY):  # also where people left out the rest
        return True
    return all(name.search(said) for name in _NAMES) and bool(_MORE_NAMES.search(said))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    """The reports of a file: one, several in sequence, or an array."""
    damage: Unfit | None = None
    for data in _documents(blocks, told):
        try:
            records = Records(told)
            for report in _reports(data, told):
                if not isinstance(report.get("CrashSeverity"), dict):
                    raise Unfit("bad_casrep", "The document has no CrashSeverity, as casr writes it")
                _add(records, report)
            yield records
        except Unfit as error:
            damage = damage or error
            yield _rest(data, told)
    if damage is not None:
        raise damage


def _rest(data: bytes, told: Told) -> Records:
    """The crash in a report that breaks off or goes on, if it tells its severity and its whole stack."""
    records = Records(told)
    cut = (
        first_object(decoded(data), "Stacktrace") if data.startswith(b"{") and len(data) < told.document_bytes else None
    )
    report = (cut.found if cut else None) or {}
    is_whole = cut is not None and cut.is_whole
    has_stack = "Stacktrace" in report and (is_whole or next(reversed(report)) != "Stacktrace")
    if isinstance(report.get("CrashSeverity"), dict) and has_stack:
        _add(records, report)
    return records


def _reports(data: bytes, told: Told) -> Iterator[Mapping[str, Any]]:
    """The reports in a document, or in text."""
    if data.startswith((b"{", b"[")) or not (pieces := _pieces(decoded(data))):
        document = document_of(data, told, code="bad_casrep", what="The casr report")
        yield from map(mapping, document if isinstance(document, list) and document else [document])
    else:
        yield from pieces


def _pieces(said: str) -> list[Mapping[str, Any]]:
    """What people kept of reports among text."""
    starts = [found.start() for found in _PIECE.finditer(said)][:_MOST_PIECES]
    reports: list[Mapping[str, Any]] = []
    for before, (start, end) in zip([0, *starts], pairwise([*starts, len(said)]), strict=False):
        brace = said.rfind("{", before, start)
        kept = _LAST_COMMA.sub("", said[start:end])
        for tried in (said[brace:start] if brace >= 0 else "{", "{"):
            report = first_object(tried + kept, "Stacktrace").found or {}
            if isinstance(report.get("CrashSeverity"), dict):
                reports.append(report)
                break
    return reports


def _documents(blocks: Iterator[bytes], told: Told) -> Iterator[bytes]:
    """Documents: one ends with a line that ends in a brace, if the next line begins with one.

    There is no such place within a document: objects are separated by commas, and texts contain no newline.
    """
    held, may_end = bytearray(), False
    for line in lines_in(blocks, told.document_bytes):
        said = line.strip()
        if may_end and said.startswith(b"{"):
            yield bytes(held)
            held.clear()
        if said:
            may_end = said.endswith(b"}")
            held += said + b"\n" if len(held) <= told.document_bytes else b""
    yield bytes(held)


def _add(records: Records, report: Mapping[str, Any]) -> None:
    severity = mapping(report["CrashSeverity"])
    code = text(severity.get("ShortDescription"))
    uname = _UNAME.match(text(report.get("Uname")) or "")
    host_id = records.host_id((uname["host"] if uname else None,))
    frames, path = _stack(report), base_name(report.get("ExecutablePath"))
    records.crash(
        crash_id=name_of(host_id or "", text(report.get("Date")) or "", path or "", _lines(report, "Stacktrace")),
        host_id=host_id,
        occurred_at=time_of(text(report.get("Date"))),
        os_type=os_type(uname["system"] if uname else report.get("OS")) or of_output([_lines(report, "Stacktrace")]),
        os_version=uname["release"] if uname else None,
        domain="hang" if code == "timeout" else "user",
        code=code,
        **at_fault(frames, path),
        frames=frames,
        tags=tags_of(
            [
                ("exe", path),
                ("message", _message(report) or severity.get("Description")),
                ("severity", severity.get("Type")),
                ("crash_line", report.get("CrashLine")),
                ("os_name", " ".join(filter(None, (text(report.get(name)) for name in ("OS", "OSRelease"))))),
                ("package", report.get("Package")),
                ("package_version", report.get("PackageVersion")),
                ("architecture", report.get("Architecture")),
            ]
        ),
    )


def _stack(report: Mapping[str, Any]) -> list[Frame]:
    """The stack: text of the language in its own form, or ``Stacktrace``, which has Python's lines innermost first."""
    for name in _LANGUAGES:
        if frames := stacks.read(_lines(report, name)).frames:
            return list(frames)
    lines = _lines(report, "Stacktrace").split("\n")
    is_python = any(line.startswith('File "') for line in lines)
    frames = stacks.read("\n".join(reversed(lines) if is_python else lines)).frames
    return _in_files(frames, lines, report) if len(frames) == len(lines) else list(frames)


def _in_files(frames: Sequence[Frame], lines: Sequence[str], report: Mapping[str, Any]) -> list[Frame]:
    """Frames of gdb, which tells addresses, within the files that the process had there.

    It tells none of a function that is inlined into the caller, and of the innermost one at the start of a line.
    """
    found_maps = (found for line in _lines(report, "ProcMaps").split("\n") if (found := _MAP.fullmatch(line)))
    maps = [(int(one["start"], 16), int(one["end"], 16), one["path"]) for one in found_maps]
    bases: dict[str, int] = {}
    for start, _, path in maps:
        bases[path] = min(start, bases.get(path, start))
    registers = mapping(report.get("Registers") or mapping(report.get("Prstatus")).get("registers"))
    at = next((value for name in _POINTERS if isinstance(value := registers.get(name), int)), None)
    placed: list[Frame] = []
    for frame, line in zip(frames, lines, strict=True):
        at = int(found["at"], 16) if (found := _ADDRESS.match(line)) else at
        file = None
        if at is not None and frame.offset is None:
            file = next((path for start, end, path in maps if start <= at < end), None)
        if file and at is not None:
            placed.append(Frame(frame.module or base_name(file), frame.function, at - bases[file]))
        else:
            placed.append(frame)
        if frame.module:
            at = None  # what is inlined where there is no source is not known
    return placed


def _lines(report: Mapping[str, Any], name: str) -> str:
    lines = sequence(report.get(name))[:_MOST_LINES]
    return "\n".join(line[:LONGEST_TEXT] for line in lines if isinstance(line, str))


def _message(report: Mapping[str, Any]) -> str | None:
    """The line in which a sanitizer or a language says what is wrong. Other lines may have arguments and data."""
    for name in (*_SANITIZERS, *_LANGUAGES):
        for line in sequence(report.get(name))[:_MOST_LINES]:
            said = text(line)
            if said and _ERROR.search(said):
                return said
    return None


CASREP = Log("casr report", _recognises, _read)
