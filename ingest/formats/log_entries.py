"""Log entries of shippers and clouds as JSON objects: their host, time and text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingest.formats.crashes import mapping, sequence, text, time_of
from ingest.formats.dates import offset_of

_INSTANCE = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")  # Amazon's agent names its streams so
_STAMPS = ("time", "@timestamp", "timestamp", "TimeGenerated")
_TEXTS = ("log", "message", "@message", "textPayload")
_AZURES_TEXTS = ("LogMessage", "LogEntry", "Message", "SyslogMessage", "RawData")
# Fields that distinguish an entry of CloudWatch from that of any program.
_AMAZONS = ("eventId", "ingestionTime", "logStreamName", "@message")
_GOOGLES_HOST = "compute.googleapis.com/resource_name"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line, or many at once, of a log.

    Attributes:
        stream: the output, and the container if a file has several.
        at: as written. host: where it ran.
        is_whole: whether the next line of the stream does not continue it.
    """

    stream: str
    at: str | None
    said: str
    host: str | None = None
    is_whole: bool = True


def entry_of(fields: Mapping[str, Any]) -> Entry | None:
    """The entry in an object; None for another object."""
    if isinstance((splunks := mapping(fields.get("result"))).get("_raw"), str):
        fields = splunks
    if isinstance(said := fields.get("_raw"), str):
        stream = "/".join(filter(None, (text(fields.get(name)) for name in ("host", "source"))))
        return Entry(stream, text(fields.get("_time")), said, text(fields.get("host")))
    if fields.get("error_severity") and isinstance(said := fields.get("message"), str):
        return _of_postgres(fields, said)
    if fields.get("TimeGenerated") is not None:
        return _of_azure(fields)
    if any(name in fields for name in _AMAZONS) or ("id" in fields and isinstance(fields.get("timestamp"), int)):
        return _of_amazon(fields)
    if isinstance(said := fields.get("line"), str) and isinstance(fields.get("labels"), dict):
        return _of_loki(mapping(fields["labels"]), said, text(fields.get("timestamp")))
    stamp = next((one for name in _STAMPS if isinstance(one := fields.get(name), str)), None)
    if stamp is None and isinstance(fields.get("date"), int | float) and "log" in fields:  # Fluent Bit's own
        stamp = time_of(fields["date"])
    if stamp is None:
        return None
    pod, resource = mapping(fields.get("kubernetes")), mapping(mapping(fields.get("resource")).get("labels"))
    is_shipped = bool(pod or resource or fields.get("container"))
    said = _first_text(fields, _TEXTS if is_shipped else ("log",))
    if said is None and resource:
        said = _first_text(mapping(fields.get("jsonPayload")), ("message", "exception", "stack_trace"))
    if said is None:
        return None
    whose = (pod, resource, mapping(fields.get("container")), {"stream": fields.get("stream")})
    stream = "/".join(
        filter(None, (_name(one, part) for one in whose for part in ("pod", "container", "id", "stream")))
    )
    node = _name(pod, "node") or text(pod.get("host")) or _name({"host": fields.get("host")}, "host")
    node = node or text(mapping(fields.get("labels")).get(_GOOGLES_HOST))
    node = node or _name(resource, "node") or text(resource.get("instance_id"))
    # Shippers remove newlines; docker writes a long line in parts, of which only the last has one.
    is_whole = said.endswith("\n") or is_shipped or "time" not in fields
    return Entry(stream, stamp, said.rstrip("\r\n"), node, is_whole)


def fields_of(element: Any, columns: list[str]) -> Mapping[str, Any]:
    """The fields of an entry in another form: a row of a table, or a list of names and values.

    Args:
        columns: of the table, in their order.
    """
    if isinstance(element, list):
        named = {str(one.get("field")): one.get("value") for one in map(mapping, element)}
        return named if "@message" in named else dict(zip(columns, element, strict=False))
    fields = mapping(element)
    found = mapping(fields.get("_source"))  # in results of a search
    if fields.get("type") == "log":  # of Datadog
        found = mapping(fields.get("attributes"))
    return {"container": True, **found} if found else fields


def _of_amazon(fields: Mapping[str, Any]) -> Entry | None:
    said = _first_text(fields, ("message", "@message"))
    stamp = next((fields[name] for name in ("timestamp", "@timestamp") if fields.get(name) is not None), None)
    if said is None or stamp is None:
        return None
    stream = text(fields.get("logStreamName")) or text(fields.get("@logStream")) or ""
    host = stream if _INSTANCE.fullmatch(stream) else None
    return Entry(stream, time_of(stamp), said.rstrip("\r\n"), host)


def _of_postgres(fields: Mapping[str, Any], said: str) -> Entry:
    """A line as PostgreSQL writes it where it does not write JSON; its time has the name of a zone."""
    at, _, zone = (text(fields.get("timestamp")) or "").rpartition(" ")
    stamp = time_of(at.replace(" ", "T") + (offset_of(zone) or "Z")) if at else None
    return Entry("", stamp, f"{text(fields['error_severity'])}:  {said}")


def _of_azure(fields: Mapping[str, Any]) -> Entry | None:
    said = _first_text(fields, _AZURES_TEXTS)
    if said is None:
        return None
    host = text(fields.get("Computer"))
    whose = (host, *(text(fields.get(name)) for name in ("PodName", "ContainerName", "ContainerID", "ContainerId")))
    return Entry("/".join(filter(None, whose)), text(fields["TimeGenerated"]), said.rstrip("\r\n"), host)


def entries_of_stream(element: Any) -> list[Entry]:
    """The entries of a stream of Loki: a list of times in nanoseconds and lines, with common labels."""
    fields = mapping(element)
    labels, found = mapping(fields.get("stream")), []
    for value in map(sequence, sequence(fields.get("values"))):
        if len(value) >= 2 and isinstance(value[0], str) and isinstance(value[1], str):
            found.append(_of_loki(labels, value[1], time_of(value[0])))
    return found


def _of_loki(labels: Mapping[str, Any], said: str, at: str | None) -> Entry:
    stream = (text(labels.get(name)) for name in ("pod", "container", "filename", "stream"))
    host = next((one for name in ("node_name", "host", "hostname") if (one := text(labels.get(name)))), None)
    return Entry("/".join(filter(None, stream)), at, said.rstrip("\r\n"), host)


def _first_text(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((one for name in names if isinstance(one := fields.get(name), str)), None)


def _name(of: Mapping[str, Any], part: str) -> str | None:
    """``pod_name``, or ``pod`` with a ``name`` within, depending on the shipper."""
    said = of.get(f"{part}_name") or mapping(of.get(part)).get("name") or of.get(part)
    return None if isinstance(said, dict) else text(said)
