"""The collector's OpenAPI document, made from its doors and the columns of records: ``GET /openapi.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fleetcrash.records import COLUMNS, FLAG, FRAMES, NUMBER, TEXT, TEXT_MAP, TIME, WHOLE, Column, Kind
from ingest.collector.doors import bulk, journal, minidump_upload, otlp, sentry, sentry_minidump
from ingest.collector.doors.door import Door
from ingest.collector.doors.records import RECORDS

Schema = dict[str, Any]

OPENAPI = "/openapi.json"
HEALTHZ = "/healthz"
METRICS = "/metrics"

_TYPE: Mapping[str, Schema] = {
    TEXT: {"type": "string"},
    TIME: {"type": "string", "format": "date-time"},
    NUMBER: {"type": "number"},
    WHOLE: {"type": "integer"},
    FLAG: {"type": "boolean"},
    TEXT_MAP: {"type": "object", "additionalProperties": {"type": "string"}},
    FRAMES: {
        "type": "array",
        "items": {
            "type": ["object", "null"],
            "properties": {
                "module": {"type": ["string", "null"]},
                "function": {"type": ["string", "null"]},
                "offset": {"type": ["integer", "null"], "minimum": 0},
            },
        },
    },
}

_ERRORS = {
    400: "The body is damaged, or not of the door's format; an unusable key or two of them; no HTTP.",
    401: "No valid token.",
    403: "The token is of another scope.",
    408: "The body came too slowly.",
    411: "The request does not tell how long its body is.",
    413: "Too large, as sent or unpacked.",
    415: "A Content-Type or Content-Encoding that is not taken here.",
    422: "The Idempotency-Key came with other records before.",
    429: "More waits than is good (busy), or came than the token may bring (rate_limited). See Retry-After.",
    500: "A fault of ours. Nothing was acknowledged.",
    503: "The disk or the tokens cannot be used. At /v1/logs and /_bulk also for 408 and 507.",
    507: "The disk is full.",
}
_ASKING = (401, 403, 500, 503)
_ACCEPTED = {"$ref": "#/components/schemas/Accepted"}
_BYTES: Schema = {"type": "string", "format": "binary"}
_JSON = "application/json"

_DOORS: tuple[tuple[Door, str, str, int, Mapping[str, Schema]], ...] = (
    (
        RECORDS, "records", "Records, one a line. A line that breaks a rule is put aside and fails nothing.", 202,
        {_JSON: _ACCEPTED},
    ),
    (
        sentry.ENVELOPE, "sentryEnvelope", "The crashes of a Sentry envelope.", 200,
        {_JSON: {"$ref": "#/components/schemas/SentryId"}},
    ),
    (
        sentry.STORE, "sentryStore", "The crash of one Sentry event, as older clients send it.", 200,
        {_JSON: {"$ref": "#/components/schemas/SentryId"}},
    ),
    (
        sentry_minidump.MINIDUMP, "sentryMinidump", "A dump with its Sentry event; the answer is the event's id.", 200,
        {"text/plain": {"type": "string"}},
    ),
    (
        sentry_minidump.WITHOUT_SLASH, "sentryMinidumpWithoutSlash", "The same.", 200,
        {"text/plain": {"type": "string"}},
    ),
    (
        otlp.LOGS, "otlpLogs", "The crashes among OpenTelemetry log records (ExportLogsServiceRequest).", 200,
        {_JSON: {"type": "object"}, "application/x-protobuf": _BYTES},
    ),
    (
        journal.UPLOAD, "journal", "The core dumps in a systemd journal, however long it is.", 202,
        {"text/plain": {"type": "string"}},
    ),
    (
        bulk.BULK, "bulk", "Records, and the crashes among documents of Elasticsearch's bulk API.", 200,
        {_JSON: {"type": "object"}},
    ),
    (bulk.BULK_OF_INDEX, "bulkOfIndex", "The same, of an index.", 200, {_JSON: {"type": "object"}}),
    (
        minidump_upload.MINIDUMP, "minidump", "A dump of crashpad, Breakpad or Windows; the answer is its crash_id.",
        200, {"text/plain": {"type": "string"}},
    ),
)  # fmt: skip


def document() -> str:
    """The document, JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for door, name, says, status, replies in _DOORS:
        paths[door.path] = {method.lower(): _operation(door, method, name, says, status, replies)
                            for method in door.methods}  # fmt: skip
    for page in bulk.PAGES:
        asked = _asked("What Elasticsearch's clients ask besides.", {page.type: {}}, open_to_all=True)
        asked |= {"parameters": places} if (places := _places(page.path)) else {}
        paths[page.path] = {method.lower(): asked for method in page.methods}
    paths[HEALTHZ] = {"get": _asked(
        "How things stand; details only with a token of scope read, where one is wanted.",
        {_JSON: {"$ref": "#/components/schemas/Health"}},
    )}  # fmt: skip
    paths[METRICS] = {"get": _asked("Counters, in Prometheus' text format.", {"text/plain": {"type": "string"}})}
    paths[OPENAPI] = {"get": _asked("This document.", {_JSON: {"type": "object"}}, open_to_all=True)}
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "fleetcrash collector",
                "version": "1",
                "description": "Takes crash records; answers once they are on disk for good.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {"schemas": _schemas(), "securitySchemes": _SECURITY},
        }
    )


def _operation(
    door: Door, method: str, name: str, says: str, status: int, replies: Mapping[str, Schema]
) -> dict[str, Any]:
    parameters = _places(door.path)
    encodings = {"type": "string", "enum": list(door.encodings)}
    parameters.append({"name": "Content-Encoding", "in": "header", "schema": encodings})
    if door is not journal.UPLOAD:
        key = {"type": "string", "maxLength": 255}
        parameters.append({
            "name": "Idempotency-Key", "in": "header", "schema": key,
            "description": "Sent again with the same key, the same records are taken once.",
        })  # fmt: skip
    return {
        "operationId": name if method == "POST" else f"{name}By{method.title()}",
        "summary": says,
        "parameters": parameters,
        "requestBody": {"required": True, "content": {kind: {"schema": _body(door, kind)} for kind in door.types}},
        "responses": {str(status): _reply(HTTPStatus(status).phrase, replies), **_errors(_ERRORS)},
        "security": _ANY_TOKEN,
    }


def _places(path: str) -> list[Schema]:
    return [
        {"name": place, "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}}
        for place in ("project", "index")
        if f"{{{place}}}" in path
    ]


def _body(door: Door, kind: str) -> Schema:
    if door is RECORDS and kind == _JSON:
        return {"$ref": "#/components/schemas/Record"}
    if kind == "multipart/form-data":
        named = ("host_id", "ver") if door is minidump_upload.MINIDUMP else ("sentry",)
        return {
            "type": "object",
            "properties": {"upload_file_minidump": _BYTES, **{name: {"type": "string"} for name in named}},
            "required": ["upload_file_minidump"],
        }
    return {"type": "object"} if kind == _JSON else _BYTES


def _asked(says: str, replies: Mapping[str, Schema], *, open_to_all: bool = False) -> dict[str, Any]:
    errors = {} if open_to_all else _errors({status: _ERRORS[status] for status in _ASKING})
    security = [{}] if open_to_all else _ANY_TOKEN
    return {"summary": says, "responses": {"200": _reply("OK", replies), **errors}, "security": security}


def _reply(says: str, content: Mapping[str, Schema]) -> Schema:
    return {"description": says, "content": {kind: {"schema": schema} for kind, schema in content.items()}}


def _errors(said: Mapping[int, str]) -> dict[str, Schema]:
    error = {_JSON: {"$ref": "#/components/schemas/Error"}}
    return {str(status): _reply(says, error) for status, says in said.items()}


def _schemas() -> dict[str, Schema]:
    count = {"type": ["integer", "null"], "minimum": 0}
    text = {"type": "string", "minLength": 1}
    return {
        "Record": {"oneOf": [{"$ref": f"#/components/schemas/{kind}"} for kind in Kind]},
        **{str(kind): _record(kind) for kind in Kind},
        "Accepted": _object(
            read={"type": "integer", "minimum": 0}, accepted=count, duplicates=count, quarantined=count, batch_id=text
        ),
        "Error": _object(error=_object(code=text, message=text)),
        "SentryId": _object(id={"type": "string"}),
        "Health": {
            "type": "object",
            "properties": {
                "status": {"enum": ["ok", "degraded"]},
                "trouble": {"type": ["string", "null"]},
                "backlog_bytes": {"type": "integer", "minimum": 0},
            },
            "required": ["status"],
        },
    }


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _record(kind: Kind) -> Schema:
    columns = COLUMNS[kind]
    required = ["record", *(column.name for column in columns if column.required)]
    properties = {"record": {"const": str(kind)}, **{column.name: _column(column) for column in columns}}
    return {"type": "object", "properties": properties, "required": required}


def _column(column: Column) -> Schema:
    schema = dict(_TYPE[column.type])
    if column.max_length is not None:
        schema |= {"minLength": 1, "maxLength": column.max_length}
    if column.minimum is not None:
        schema["minimum"] = column.minimum
    if column.values:
        schema["enum"] = [*column.values] if column.required else [*column.values, None]
    if not column.required:
        schema["type"] = [schema["type"], "null"]
    return {**schema, "description": column.doc}


_SECURITY: Mapping[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "The token is the password; any name."},
    "sentryKey": {"type": "apiKey", "in": "query", "name": "sentry_key"},
    "sentryAuth": {"type": "apiKey", "in": "header", "name": "X-Sentry-Auth"},
}
# On loopback no token is needed as long as there are none.
_ANY_TOKEN: list[Schema] = [*({name: []} for name in _SECURITY), {}]
