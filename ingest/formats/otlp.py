"""OpenTelemetry's logs, in protobuf and in JSON.

A crash is a log record of the event ``app.crash`` (or its forerunner ``device.crash``), or one with an exception
(``exception.type`` or ``exception.stacktrace``) that ended what it ran in: severity FATAL, or ``exception.escaped``.
Names are those of the semantic conventions. Where a record and its resource both have an attribute, the record's
counts, as the reporter of a crash may be another process.
"""

from __future__ import annotations

import json
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ingest.formats import stacks
from ingest.formats.crashes import (
    NotJson,
    Records,
    Told,
    Unfit,
    first,
    mapping,
    name_of,
    parsed,
    sequence,
    tags_of,
    text,
    time_of,
    too_much,
    version_of,
    whole,
)
from ingest.formats.format import Log
from ingest.formats.lines import lines_in
from ingest.formats.protobuf import fields, mend
from ingest.formats.systems import os_type

_EVENTS = frozenset(["app.crash", "device.crash"])
_MOST_PARTS = 100_000  # log records, scopes and resources; exporters send 512, collectors some 8,000
_LONGEST_MESSAGE_BYTES = 1 << 20
_RESOURCE_LOGS, _RESOURCE, _SCOPE_LOGS, _LOG_RECORDS = 1, 1, 2, 2  # field numbers
_MOST_ATTRIBUTES = 128  # of a record, and of its resource; the limit in SDKs
_FATAL = 21  # the least severity number of FATAL
_HOSTS = ("host.id", "device.id", "app.installation.id", "host.name")
_RECORDS_AT_ONCE = 1000
_OBJECT = re.compile(rb"\s*\{.*\}\s*", re.DOTALL)  # a check that is faster than parsing
_NOT_KEPT = (
    "exception.stacktrace",
    "user.",
    "enduser.",
    "client.",
    "process.command",
    "process.owner",
    "process.environment",
)  # the stack goes into frames; others are about people

_M = TypeVar("_M", LogRecord, Resource)
Attributes = MutableMapping[str, Any]


@dataclass(frozen=True)
class _NoLog:
    """Something else in place of a log record."""

    raw: bytes


@dataclass(frozen=True)
class _Log:
    """A log record, from either encoding.

    Attributes:
        attributes: of the record and of its resource, in this order; only texts, numbers and booleans.
        times_ns: its time, and when it was observed, since 1970; 0 if unknown.
        body: as text.
    """

    attributes: Attributes
    event_name: str | None
    severity: int
    severity_text: str
    times_ns: tuple[int, int]
    body: str


@dataclass(frozen=True)
class Export:
    """The crashes of an export.

    Attributes:
        not_read: number of log records that are no crash.
        rejected: number of parts in place of log records, which are among the records as they came.
    """

    records: Records
    not_read: int
    rejected: int


def of_protobuf(body: bytearray, told: Told) -> Export:
    """The crashes of an export in protobuf.

    Raises:
        Unfit: it is not an export of logs, or too large.
    """
    told.check_document(len(body))
    return _read(_of_protobuf(body), told)


def of_json(body: bytearray, told: Told) -> Export:
    """The crashes of an export in JSON.

    Raises:
        Unfit: it is not an export of logs, or too large.
    """
    told.check_document(len(body))
    return _read(_of_json(body), told)


def _read(parts: Iterable[_Log | _NoLog | None], told: Told) -> Export:
    records, not_read, rejected = Records(told), 0, 0
    for number, log in enumerate(parts):
        if number >= _MOST_PARTS:
            raise too_much("The export has", _MOST_PARTS, "parts")
        if log is None:
            continue
        if isinstance(log, _NoLog):
            records.as_it_came(log.raw)
            rejected += 1
        elif _is_crash(log):
            _add(records, log)
        else:
            not_read += 1
    return Export(records, not_read, rejected)


def _is_crash(log: _Log) -> bool:
    if log.event_name in _EVENTS:
        return True
    if not any(name in log.attributes for name in ("exception.type", "exception.stacktrace")):
        return False
    is_fatal = log.severity >= _FATAL or log.severity_text.upper() in ("FATAL", "CRITICAL")
    return is_fatal or log.attributes.get("exception.escaped") is True


def _add(records: Records, log: _Log) -> None:
    said = log.attributes
    stack = stacks.read(str(said.get("exception.stacktrace", "")))
    at_ns = next((one for one in log.times_ns if one), None)
    host_id = records.host_id(said.get(name) for name in _HOSTS)
    own_id = first((said.get("app.crash.id"), said.get("log.record.uid")))
    records.crash(
        crash_id=own_id or name_of(host_id or "", repr((log.times_ns, log.event_name, log.body, sorted(said.items())))),
        host_id=host_id,
        occurred_at=time_of(at_ns, unit=1_000_000_000),
        os_type=os_type(said.get("os.type") or said.get("os.name"), stack.paths),
        os_version=text(said.get("os.version")),
        os_build=text(said.get("os.build_id")),
        agent_version=version_of(said.get("service.version")),
        domain="user",
        code=text(said.get("exception.type")),
        module=stack.frames[0].module if stack.frames else None,
        module_offset=stack.frames[0].offset if stack.frames else None,
        frames=stack.frames,
        tags=tags_of(
            [
                ("event_name", log.event_name), ("severity", log.severity_text), ("body", log.body),
                *((key, value) for key, value in said.items() if not key.startswith(_NOT_KEPT)),
            ]
        ),
    )  # fmt: skip


def _of_protobuf(body: bytearray) -> Iterator[_Log | _NoLog | None]:
    """The log records of an export, and None for each other part, so that all are counted.

    They are parsed one at a time, as objects take seventy times their bytes.
    """
    try:
        for number, resource_logs in fields(memoryview(body)):
            yield None
            if number == _RESOURCE_LOGS:
                yield from _of_resource(resource_logs)
    except DecodeError as error:
        raise _no_export(str(error)) from error


def _of_resource(resource_logs: memoryview) -> Iterator[_Log | _NoLog | None]:
    resource: dict[str, Any] = {}
    for number, told in fields(resource_logs):
        yield None
        if number == _RESOURCE:
            resource |= _of_pairs(_parsed(Resource, told).attributes)
    for number, scope_logs in fields(resource_logs):
        if number == _SCOPE_LOGS:
            for inner, raw in fields(scope_logs):
                yield None
                if inner == _LOG_RECORDS:
                    try:
                        record = _parsed(LogRecord, raw)
                    except DecodeError:  # its sender sends none of the export again, so the others count
                        yield _NoLog(bytes(raw))
                        continue
                    attributes = ChainMap(_of_pairs(record.attributes), resource)
                    yield _Log(
                        attributes,
                        record.event_name or text(attributes.get("event.name")),
                        record.severity_number,
                        record.severity_text,
                        (record.time_unix_nano, record.observed_time_unix_nano),
                        record.body.string_value,
                    )


def _parsed(kind: type[_M], raw: memoryview) -> _M:
    if len(raw) > _LONGEST_MESSAGE_BYTES:
        raise too_much("A log record or a resource has", _LONGEST_MESSAGE_BYTES, "bytes")
    message = kind()
    try:
        message.ParseFromString(bytes(raw))
    except DecodeError:
        mended = bytearray(raw)
        mend(memoryview(mended), message.DESCRIPTOR)
        message.ParseFromString(bytes(mended))
    return message


def _of_pairs(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    found = {}
    for pair in islice(pairs, _MOST_ATTRIBUTES):
        kind = pair.value.WhichOneof("value")
        if kind in ("string_value", "int_value", "double_value", "bool_value"):
            found[pair.key] = getattr(pair.value, kind)
    return found


def _of_json(body: bytearray) -> Iterator[_Log | _NoLog | None]:
    """Like ``_of_protobuf``."""
    try:
        export = parsed(body)
    except NotJson as error:
        raise _no_export(str(error)) from error
    if not isinstance(export, dict):
        raise _no_export("it is no object")
    for resource_logs in _listed(export, "resourceLogs", "resource_logs"):
        yield None
        resource = _of_json_pairs(mapping(mapping(resource_logs).get("resource")).get("attributes"))
        for scope_logs in _listed(resource_logs, "scopeLogs", "scope_logs"):
            yield None
            for record in _listed(scope_logs, "logRecords", "log_records"):
                if isinstance(record, dict):
                    yield _json_log(record, resource)
                else:
                    yield _NoLog(_dumped(record))


def _json_log(record: Mapping[str, Any], resource: Attributes) -> _Log:
    attributes = ChainMap(_of_json_pairs(record.get("attributes")), resource)
    name = text(record.get("eventName")) or text(record.get("event_name")) or text(attributes.get("event.name"))
    times = [
        next((found for spelling in spellings if (found := whole(record.get(spelling)))), 0)
        for spellings in (("timeUnixNano", "time_unix_nano"), ("observedTimeUnixNano", "observed_time_unix_nano"))
    ]
    severity = record.get("severityNumber", record.get("severity_number"))
    is_named_fatal = isinstance(severity, str) and severity.startswith("SEVERITY_NUMBER_FATAL")
    return _Log(
        attributes,
        name,
        _FATAL if is_named_fatal else whole(severity) or 0,
        text(record.get("severityText", record.get("severity_text"))) or "",
        (times[0], times[1]),
        text(mapping(record.get("body")).get("stringValue")) or "",
    )


def _of_json_pairs(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in sequence(pairs)[:_MOST_ATTRIBUTES]:
        key, value = text(mapping(pair).get("key")), mapping(mapping(pair).get("value"))
        for kind in ("stringValue", "intValue", "doubleValue", "boolValue"):
            said = value.get(kind)
            if key and isinstance(said, str | int | float):
                found[key] = said
    return found


def _listed(holder: Any, *spellings: str) -> Sequence[Any]:
    """A list under a name in lowerCamelCase, as in OTLP, or in snake_case, which protobuf's JSON accepts too."""
    return next((found for name in spellings if (found := sequence(mapping(holder).get(name)))), ())


def _dumped(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"nested too deeply"


def _no_export(why: str) -> Unfit:
    return Unfit("bad_otlp", f"This is no export of OpenTelemetry logs: {' '.join(why.split())[:200]}")


def _read_file(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    """The exports of a file: one per line, as the collector's file exporter writes them, or one in all lines.

    Some clients write no newline between two exports on standard output.
    """
    lines = (one for line in lines_in(blocks, told.document_bytes) for one in _BETWEEN.split(line))
    first_line = bytearray(next((line for line in lines if line.strip()), b""))
    try:
        yield of_json(first_line, told).records
    except Unfit as damage:
        if damage.is_too_large:
            raise
        for line in lines:
            first_line += line
            told.check_document(len(first_line))
        yield of_json(first_line, told).records
        return
    none = Records(told)  # for lines that are no exports
    for line in lines:
        export = _of_line(line, told)
        if export is None:
            none.as_it_came(line)
        if none.read >= _RECORDS_AT_ONCE or (export is not None and none.read):
            yield none
            none = Records(told)
        if export is not None:
            yield export
    yield none


def _of_line(line: bytes, told: Told) -> Records | None:
    """The crashes of an export; None if it is none."""
    try:
        return of_json(bytearray(line), told).records if _OBJECT.fullmatch(line) else None
    except Unfit:
        return None


_BETWEEN = re.compile(rb'(?<=\})(?=\{"(?:resourceLogs|resource_logs)":)')  # not within a text, where quotes are escaped
_EXPORT = re.compile(rb'\s{0,99}\{\s{0,99}"(?:resourceLogs|resource_logs)"\s{0,99}:')
OTLP_FILE = Log("OpenTelemetry logs in JSON", lambda head: _EXPORT.match(head.data) is not None, _read_file)
