"""Results of osquery: rows of the tables ``windows_crashes``, ``crashes`` (macOS) and ``kernel_panics`` (macOS).

osqueryd logs a result per line: each new row, all new rows of a query, or all rows again and again; osqueryi prints
only rows. The table of a row is recognised by its columns, as a query may have any name and select any columns. A row
that was removed is no new crash. All values may be texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

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
from ingest.formats.dates import date_in_words
from ingest.formats.format import Document, Head, Log
from ingest.formats.lines import lines_in
from ingest.formats.wer import hex_code

_LONGEST_LINE_BYTES = 8 << 20  # a line may have all rows of a table
_LONGEST_STACK = 32 << 10  # characters
_RECORDS_AT_ONCE = 1000
_FEWEST_COLUMNS = 3  # columns of a table in a row
_ENVELOPE = ("hostIdentifier", "hostname", "host", "decorations", "unixTime")

_SYMBOL = re.compile(r"(?P<module>[^!+]{1,200})(?:!(?P<function>.{1,800}?))?(?:\+0x(?P<offset>[0-9a-fA-F]{1,15}))?")
_MAC_FRAME = re.compile(r"\d{1,4}\s+(?P<module>\S.{0,200}?)\s+0x[0-9a-fA-F]{1,16}\s+(?P<rest>\S.{0,1000})")
_OF_BASE = re.compile(r"0x[0-9a-fA-F]{1,16} \+ (?P<offset>\d{1,15})")
_OFFSET = re.compile(r" \+ \d{1,15}(?: \([^()]{1,300}\))?")
_EXTENSION = re.compile(r"(?P<module>[\w.\-]{1,200})\s?\((?P<version>[\w.\-]{1,60})\)")
_DARWIN = re.compile(r"Darwin Kernel Version ([\d.]{1,20})")

Row = Mapping[str, Any]


def _windows(row: Row) -> dict[str, Any]:
    exe, module = base_name(row.get("path")), base_name(row.get("module"))
    files = {one.lower().rpartition(".")[0]: one for one in (exe, module) if one}
    frames = list(_windows_frames(text(row.get("stack_trace"), _LONGEST_STACK) or "", files))
    numbers = [text(row.get(name)) for name in ("major_version", "minor_version", "build_number")]
    is_exe = module is None or (exe or "").lower() == module.lower()
    return {
        "os_type": "windows",
        "os_version": ".".join(one or "" for one in numbers) if all(numbers) else None,
        "domain": "user",
        "code": hex_code(text(row.get("exception_code"))),
        "module": module or exe,
        "module_version": text(row.get("version")) if is_exe else None,
        "frames": frames,
        "occurred_at": _time(row.get("datetime")),
        "tags": {"exe": exe, "exe_version": row.get("version"), "message": row.get("exception_message")},
    }


def _windows_frames(stack: str, files: Mapping[str, str]) -> Iterator[Frame]:
    """``ntdll!RtlFree+0x12(0x7ff8a1b2c3d4),scan+0x1a2b3(0x7ff6a1b2c3d4),(0x1f)``, innermost first.

    Args:
        files: whole file names, by the names without extension as in stacks.
    """
    for step in stack.split("),"):
        name, bracket, _ = step.rpartition("(0x")
        if not bracket:
            continue
        symbol = _SYMBOL.fullmatch(name)
        if symbol is None:
            yield Frame()
            continue
        module, function, offset = symbol["module"], symbol["function"], symbol["offset"]
        of_module = int(offset, 16) if offset and not function else None  # else the offset is within the function
        yield Frame(text(files.get(module.lower(), module)), text(function), of_module)


def _mac(row: Row) -> dict[str, Any] | None:
    if row.get("type") == "mobile":
        return None  # of a phone, whose crashes are copied to this host
    exe = base_name(row.get("path"))
    frame = _mac_frame(text(row.get("stack_trace")) or "")
    module = frame.module if frame else exe
    return {
        "os_type": "darwin",
        "domain": "user",
        "code": " ".join((text(row.get("exception_type")) or "").split()) or None,
        "module": module,
        "module_version": text(row.get("version")) if module == exe else None,
        "module_offset": frame.offset if frame else None,
        "frames": [frame] if frame else [],
        "occurred_at": _time(row.get("datetime")),
        "tags": {
            "exe": exe,
            "exe_version": row.get("version"),
            "identifier": row.get("identifier"),
            "exception_codes": row.get("exception_codes"),
            "exception_notes": row.get("exception_notes"),
        },
    }


def _mac_frame(said: str) -> Frame | None:
    """``0 libsystem_kernel.dylib 0x00007fff92dbdd42 __pthread_kill + 10``, or ``… 0x10a1b2000 + 4660`` from a base."""
    found = _MAC_FRAME.fullmatch(said.strip())
    if found is None:
        return None
    module, rest = text(found["module"]), found["rest"].strip()
    if of_base := _OF_BASE.fullmatch(rest):
        return Frame(module, None, int(of_base["offset"]))
    return Frame(module, text(_OFFSET.sub("", rest)))


def _panic(row: Row) -> dict[str, Any]:
    """A panic, which is reported after the reboot. No column has its text; one has the nearest kernel extension."""
    extension = _EXTENSION.search(text(row.get("module_backtrace")) or "")
    kernel = _DARWIN.match(text(row.get("kernel_version")) or "")
    uptime_ns = whole(row.get("uptime"))
    return {
        "os_type": "darwin",
        "os_build": text(row.get("os_version")),  # what follows "Mac OS version"
        "domain": "kernel",
        "module": extension["module"] if extension else None,
        "module_version": extension["version"] if extension else None,
        "uptime_s": uptime_ns / 1e9 if uptime_ns else None,
        "occurred_at": _time(row.get("time")),
        "time_quality": "reboot",
        "tags": {
            "process": row.get("name"),
            "model": row.get("system_model"),
            "kernel": kernel[1] if kernel else None,
            "last_loaded": row.get("last_loaded"),
        },
    }


# For each table the function that reads it, the columns that only it has, and its other columns.
_TABLES: tuple[tuple[Callable[[Row], dict[str, Any] | None], frozenset[str], frozenset[str]], ...] = (
    (
        _windows,
        frozenset(["exception_code", "exception_address", "being_debugged", "process_create_time", "build_number"]),
        frozenset(["datetime", "module", "path", "pid", "tid", "version", "stack_trace", "exception_message",
                   "machine_name", "major_version", "minor_version", "crash_path", "registers"]),
    ),
    (
        _mac,
        frozenset(["exception_type", "exception_codes", "exception_notes", "crashed_thread", "responsible"]),
        frozenset(["datetime", "path", "pid", "version", "stack_trace", "identifier", "crash_path", "registers",
                   "parent", "uid"]),
    ),
    (
        _panic,
        frozenset(["frame_backtrace", "module_backtrace", "last_loaded", "last_unloaded"]),
        frozenset(["path", "time", "registers", "dependencies", "name", "os_version", "kernel_version",
                   "system_model", "uptime"]),
    ),
)  # fmt: skip


def _reader(row: Row) -> Callable[[Row], dict[str, Any] | None] | None:
    for reader, own, others in _TABLES:
        found = row.keys() & own
        if found and len(found) + len(row.keys() & others) >= _FEWEST_COLUMNS:
            return reader
    return None


def _time(said: Any) -> str | None:
    """A time of a log; for a panic ``Mon Sep 29 12:13:14 2014``, in the host's zone, which is taken for UTC."""
    told = text(said)
    if told is None:
        return None
    return date_in_words(told) or time_of(told.removesuffix(" UTC"))


def _rows(result: Row) -> Iterator[Row]:
    """The rows of a result; a result may itself be a row."""
    if result.get("action") == "removed":
        return
    added = mapping(result.get("diffResults")).get("added")
    listed = [*sequence(added), *sequence(result.get("snapshot")), *sequence(result.get("rows"))]
    yield from (one for one in (result.get("columns"), *listed) if isinstance(one, dict))
    if _reader(result):
        yield result


def _add(records: Records, value: Any) -> None:
    result = mapping(value)
    decorations = mapping(result.get("decorations"))
    for row in _rows(result):
        reader = _reader(row)
        fields = reader(row) if reader else None
        if fields is None:
            continue
        host_id = records.host_id(
            [
                *(result.get(name) for name in ("hostIdentifier", "host_uuid", "hostname", "host")),
                *(decorations.get(name) for name in ("host_uuid", "hostname", "computer_name")),
                row.get("machine_name"),
            ]
        )
        if fields["occurred_at"] is None and (asked_at := whole(result.get("unixTime"))):
            fields |= {"occurred_at": time_of(asked_at, unit=1), "time_quality": "log"}
        records.crash(
            crash_id=name_of(host_id or "", *_identity(row)),
            host_id=host_id,
            **{**fields, "tags": tags_of([*fields["tags"].items(), ("query", result.get("name"))])},
        )


def _identity(row: Row) -> tuple[str, ...]:
    """Identity of a crash across repeated rows; without the path of its report, which macOS moves after a while."""
    report = base_name(row.get("crash_path")) or base_name(row.get("path") if "frame_backtrace" in row else None)
    told = [report, *(text(row.get(name)) for name in ("datetime", "time", "pid"))]
    return tuple(one or "" for one in told) if any(told) else (repr(sorted(row.items(), key=lambda one: one[0])),)


# -- a log, one result per line


def _read_log(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    records = Records(told)
    for line in lines_in(blocks, _LONGEST_LINE_BYTES):
        raw = line.removeprefix(b"\xef\xbb\xbf")
        if not raw.strip():
            continue
        try:
            value = parsed(raw)
        except NotJson:
            value = None
        if isinstance(value, dict):
            _add(records, value)
        else:
            records.as_it_came(raw)
        if records.read >= _RECORDS_AT_ONCE:
            yield records
            records = Records(told)
    yield records


def _is_log(head: Head) -> bool:
    line, newline, _ = head.data.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    try:
        result = mapping(parsed(line))
    except NotJson:
        # A line with all rows of a table is longer than the head.
        return not newline and line.startswith((b'{"snapshot":[{', b'{"diffResults":{'))
    is_named = any(name in result for name in _ENVELOPE)
    is_result = any(name in result for name in ("columns", "diffResults", "snapshot", "rows"))
    return is_named and is_result and "record" not in result


# -- only rows


def _read_rows(data: bytes, told: Told) -> Records:
    records = Records(told)
    for value in sequence(document_of(data, told, code="bad_osquery", what="The list of rows")):
        _add(records, value)
    return records


def _is_rows(head: Head) -> bool:
    said = head.text.lstrip()
    if not said.startswith("["):
        return False
    try:
        row, _ = json.JSONDecoder().raw_decode(said[1:].lstrip())
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and "record" not in row and any(_reader(one) for one in _rows(row))


OSQUERY_LOG = Log("osquery results", _is_log, _read_log)
OSQUERY_ROWS = Document("osquery rows", _is_rows, _read_rows)
