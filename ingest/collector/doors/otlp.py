"""OpenTelemetry's door: logs over HTTP, in protobuf and in JSON."""

from __future__ import annotations

import json

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse

from ingest.collector import bodies
from ingest.collector.doors.door import Asked, BodyDoor, Reading
from ingest.formats import otlp

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_ASIDE = "What is no log record was put aside."


def read(body: bytearray, asked: Asked) -> Reading:
    """The crashes of an export.

    Raises:
        Unfit: it is not an export of logs, or too large.
    """
    is_json = asked.content_type.partition(";")[0].strip().lower() == _JSON
    export = (otlp.of_json if is_json else otlp.of_protobuf)(body, asked.told)
    if not is_json:
        partial = ExportLogsPartialSuccess(rejected_log_records=export.rejected, error_message=_ASIDE)
        reply = ExportLogsServiceResponse(partial_success=partial if export.rejected else None).SerializeToString()
    elif export.rejected:
        told = {"rejectedLogRecords": str(export.rejected), "errorMessage": _ASIDE}
        reply = json.dumps({"partialSuccess": told}).encode()
    else:
        reply = b"{}"
    records = export.records
    return Reading(records.lines, records.read, export.not_read, reply, _JSON if is_json else _PROTOBUF)


LOGS = BodyDoor(
    "/v1/logs", (_PROTOBUF, _JSON), bodies.CLIENTS_ENCODINGS, ("POST",), read,
    final=frozenset([408, 507]),  # by OTLP, anything but 429, 502, 503 and 504 must not be sent again
)  # fmt: skip
