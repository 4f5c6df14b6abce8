"""Elasticsearch's bulk interface, which rsyslog, syslog-ng, Fluent Bit, Vector and Logstash speak.

A document with ``record`` is taken as a record of the contract. Other documents are crashes if a kernel (see
``kernel_log``), systemd-coredump (see ``journal``) or Windows' event log (see ``windows_events``) reports one in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingest.collector import bodies
from ingest.collector.doors.door import Asked, BodyDoor, Page, Reading
from ingest.formats import event_rows, journal, journal_beats, kernel_lines, kernel_log
from ingest.formats.crashes import (
    NotJson,
    Records,
    Told,
    first,
    mapping,
    name_of,
    parsed,
    text,
    time_of,
    too_much,
)
from ingest.formats.event_text import Block, dated
from ingest.formats.systems import os_type
from ingest.formats.windows_events import PROVIDERS, Crashes, Event

# The answer has some hundred bytes for each. Vector, which counts no events, sends as many within its 10 MB if they are
# of 200 bytes; the others send some thousands. More would be lost: most of them drop a body at 413.
_MOST_ACTIONS = 50_000
_MOST_LINES = 300  # of one message: a whole oops has fewer
_MOST_MORE_LINES = 100_000  # of all messages of a body, after their first lines; each takes some hundred bytes
_LONGEST_MESSAGE = 200_000
_ACTIONS = ("index", "create")
_TIMES = ("@timestamp", "timereported", "timestamp", "timegenerated", "time", "date", "ISODATE")
_WRITERS = (
    "facility", "syslogfacility-text", "programname", "syslogtag", "tag", "program", "ident", "app-name", "appname",
    "SYSLOG_IDENTIFIER", "FACILITY", "PROGRAM",
)  # fmt: skip
_MAY_BE_OF_WINDOWS = re.compile("|".join(map(re.escape, PROVIDERS)).encode())
_PRODUCT = {"X-Elastic-Product": "Elasticsearch"}  # newer clients of Elasticsearch require it
_TYPES = (
    "application/x-ndjson", "application/json", "application/ndjson", "text/plain",
    "application/vnd.elasticsearch+x-ndjson", "application/vnd.elasticsearch+json",
)  # fmt: skip


@dataclass(frozen=True)
class _Document:
    """What is kept of a document that may be of a kernel, besides its lines, until all have arrived.

    Attributes:
        own_id: from its client, or a hash of it.
        system, system_version: of the host, as it came.
    """

    own_id: str
    host_id: str | None
    at: str | None
    system: str
    system_version: str | None

    @classmethod
    def of(cls, fields: Mapping[str, Any], own_id: str) -> _Document:
        """Find the values where each shipper puts them."""
        times = (fields.get(name) for name in _TIMES)
        system = mapping(mapping(fields.get("host")).get("os"))
        return cls(
            own_id,
            _host_id(fields),
            time_of(next((one for one in times if one is not None), None)),
            text(system.get("type")) or text(system.get("name")) or "linux",
            text(system.get("kernel")),
        )


class _Kernels:
    """The messages of the kernels in one bulk, in its order.

    Attributes:
        documents: as they came. more: how many lines after the first of a message may still be kept.
    """

    def __init__(self) -> None:
        self.documents: list[_Document] = []
        self.more = _MOST_MORE_LINES
        self._lines: dict[str | None, list[kernel_lines.Line]] = {}

    def add(self, fields: Mapping[str, Any], own_id: str) -> None:
        """Keep a document, and the lines of its message."""
        most = min(_MOST_LINES, 1 + self.more)
        lines = list(kernel_lines.lines_of(_said(fields) or "", len(self.documents), most))
        self.more -= max(len(lines) - 1, 0)
        document = _Document.of(fields, own_id)
        self.documents.append(document)
        self._lines.setdefault(document.host_id, []).extend(lines)

    def add_faults(self, records: Records) -> int:
        """Add the crashes in the lines. Returns how many documents represent one."""
        found = set()
        for lines in self._lines.values():
            for fault in kernel_log.faults(lines):
                number, part = fault.line.origin
                found.add(number)
                document = self.documents[number]
                kernel_log.add(
                    records,
                    fault,
                    host_id=document.host_id,
                    at=document.at,
                    own_id=name_of(document.own_id, str(part)) if part else document.own_id,
                    os_type=os_type(document.system),
                    os_version=document.system_version,
                )
        return len(found)


class _WindowsEvents:
    """The events of Windows' log in one bulk. Those of one crash may come in any order."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._crashes = Crashes(told)
        self.count = 0

    def add(self, found: tuple[Block, Event], fields: Mapping[str, Any]) -> None:
        """Keep an event; its computer is its host unless the fields name one."""
        event = dated(*found, self._told.at, None)
        self._crashes.add(replace(event, host=first((fields.get("host_id"), event.host))))
        self.count += 1

    def add_crashes(self, records: Records) -> int:
        """Add the crashes. Returns their number."""
        self._crashes.end()
        found = self._crashes.taken()
        for line in found.lines.split(b"\n"):
            records.as_it_came(line)
        return found.read


def read(body: bytearray, asked: Asked) -> Reading:
    """The crashes of a bulk.

    Raises:
        Unfit: it has too many actions, or too large a document.
    """
    records, not_read = Records(asked.told), 0
    items: list[dict[str, Any]] = []
    kernels, windows = _Kernels(), _WindowsEvents(asked.told)
    for action, target, raw in _actions(body):
        if len(items) >= _MOST_ACTIONS:
            raise too_much("The body has", _MOST_ACTIONS, "actions")
        if action not in _ACTIONS:
            items.append(_refused(action, target, "only index and create, each with its document, are taken here"))
            if action == "":
                records.as_it_came(raw)
            continue
        asked.told.check_document(len(raw))
        try:
            fields = parsed(raw)
        except NotJson:
            fields = None
        if not isinstance(fields, dict):
            records.as_it_came(raw)
            items.append(_refused(action, target, "the document is no JSON object; it was put aside"))
            continue
        own_id = text(target.get("_id"), 512)
        items.append(_taken(action, target, own_id or name_of(raw)))
        if "record" in fields:
            records.as_it_came(raw)
        elif journal.COREDUMP in (fields.get("MESSAGE_ID"), fields.get("message_id")):
            journal.add_core_dump(records, _entry(fields))
        elif _MAY_BE_OF_WINDOWS.search(raw) and (event := event_rows.event_of(fields)) is not None:
            windows.add(event, fields)
        elif _is_of_kernel(fields):
            named = f"{text(target.get('_index')) or ''}/{own_id}" if own_id else raw
            kernels.add(fields, name_of(named))
        else:
            not_read += 1
    not_read += len(kernels.documents) - kernels.add_faults(records)
    not_read += windows.count - windows.add_crashes(records)
    is_bad = any("error" in one for item in items for one in item.values())
    # Without spaces, as some shippers search for the text "errors":false.
    reply = json.dumps({"took": 0, "errors": is_bad, "items": items}, separators=(",", ":")).encode()
    return Reading(records.lines, records.read, not_read, reply, items=len(items))


def _actions(body: bytearray) -> Iterator[tuple[str, Mapping[str, Any], bytes]]:
    """Each action, its target, and its document. A line that is no action has the action ""."""
    action: str | None = None
    target: Mapping[str, Any] = {}
    for line in _lines(body):
        if action is not None:
            yield action, target, line
            action = None
            continue
        try:
            said = parsed(line) if len(line) < 64 << 10 else None
        except NotJson:
            said = None
        name, told = next(iter(said.items())) if isinstance(said, dict) and len(said) == 1 else ("", {})
        if name in ("index", "create", "update"):
            action, target = name, mapping(told)
        else:
            yield ("delete", mapping(told), b"") if name == "delete" else ("", {}, line)
    if action is not None:
        yield action, target, b""


def _lines(body: bytearray) -> Iterator[bytes]:
    """The lines of a body that are not blank."""
    at = 0
    while at < len(body):
        end = body.find(b"\n", at)
        end = len(body) if end < 0 else end
        line = bytes(body[at:end])
        if line.strip(b" \t\r"):
            yield line
        at = end + 1


def _taken(action: str, target: Mapping[str, Any], own_id: str) -> dict[str, Any]:
    told = {"_index": text(target.get("_index")) or "crashes", "_id": own_id, "_version": 1, "result": "created"}
    shards = {"total": 1, "successful": 1, "failed": 0}
    return {action: {**told, "_shards": shards, "_seq_no": 0, "_primary_term": 1, "status": 201}}


def _refused(action: str, target: Mapping[str, Any], why: str) -> dict[str, Any]:
    told = {"_index": text(target.get("_index")) or "crashes", "_id": text(target.get("_id"), 512), "status": 400}
    return {action or "index": {**told, "error": {"type": "document_parsing_exception", "reason": why}}}


# -- documents of journals and of syslog


def _entry(fields: Mapping[str, Any]) -> Mapping[str, str]:
    """The entry of a journal in a document, which has the journal's own names or those of Beats."""
    if "MESSAGE_ID" not in fields:
        return journal_beats.entry_of(fields)
    entry = {"MESSAGE": fields.get("message"), **fields}
    return {name: said for name, said in entry.items() if isinstance(said, str)}


def _is_of_kernel(fields: Mapping[str, Any]) -> bool:
    """Whether a document may be a line of a kernel: it says so, or does not name the writer."""
    syslog = mapping(mapping(fields.get("log")).get("syslog"))
    told = [
        *(fields.get(name) for name in _WRITERS),
        mapping(syslog.get("facility")).get("name"), mapping(fields.get("process")).get("name"), syslog.get("appname"),
        mapping(fields.get("syslog")).get("identifier"),
    ]  # fmt: skip
    names = [said.rstrip(":").lower() for value in told if (said := text(value))]
    return _said(fields) is not None and (not names or any(name in ("kern", "kernel", "0") for name in names))


def _said(fields: Mapping[str, Any]) -> str | None:
    return next(
        (found for name in ("message", "msg", "MESSAGE", "log") if (found := text(fields.get(name), _LONGEST_MESSAGE))),
        None,
    )


def _host_id(fields: Mapping[str, Any]) -> str | None:
    """The host, where each shipper puts it; a machine's id before its name, as at the journal's own door."""
    host = mapping(fields.get("host"))
    ids = (host.get("id"), fields.get("_MACHINE_ID"))
    names = (fields.get(name) for name in ("host.name", "host", "hostname", "fromhost", "HOST", "_HOSTNAME"))
    return first((fields.get("host_id"), _origin(fields), *ids, host.get("name"), host.get("hostname"), *names))


def _origin(fields: Mapping[str, Any]) -> str | None:
    """The host in a line's syslog header, if that is another than the shipper's, which is then a relay."""
    header = mapping(mapping(fields.get("log")).get("syslog"))
    of_beats = fields.get("hostname") if isinstance(fields.get("syslog"), dict) else None
    origin = first((header.get("hostname"), of_beats, fields.get("logsource")))
    host = mapping(fields.get("host"))
    own = {_short(name) for name in (host.get("name"), host.get("hostname"))}
    return None if origin is None or _short(origin) in own else origin


def _short(name: Any) -> str:
    """A host's name without its domain."""
    return (text(name) or "").partition(".")[0].lower()


def _heeds(headers: Mapping[str, str]) -> bool:
    """Whether a client sends again when an answer says so.

    rsyslog, which uses libcurl and gives it no name, drops a body at any error, and sends again only after a broken
    connection; at once, unless ``/_cat/health`` is broken as well.
    """
    return "user-agent" in headers or headers.get("accept") != "*/*"


_BANNER = {
    "name": "fleetcrash",
    "cluster_name": "fleetcrash",
    "cluster_uuid": "fleetcrash",
    "version": {"number": "8.17.0", "build_flavor": "default", "minimum_wire_compatibility_version": "7.17.0"},
    "tagline": "You Know, for Search",
}
_HEALTH = {"cluster_name": "fleetcrash", "status": "green", "timed_out": False, "number_of_nodes": 1}
_LICENSE = {"license": {"status": "active", "uid": "fleetcrash", "type": "basic", "mode": "basic"}}
_REFRESHED = {"_shards": {"total": 1, "successful": 1, "failed": 0}}
PAGES = (
    Page("/", json.dumps(_BANNER), "application/json", _PRODUCT),
    Page("/_license", json.dumps(_LICENSE), "application/json", _PRODUCT),  # without one Logstash sends nothing
    Page("/_cluster/health", json.dumps(_HEALTH), "application/json", _PRODUCT),  # Vector
    Page("/_cat/health", "fleetcrash green\n", "text/plain", _PRODUCT, _heeds),
    *(
        Page(path, json.dumps(_REFRESHED), "application/json", _PRODUCT, methods=("GET", "POST"))
        for path in ("/_refresh", "/{index}/_refresh")  # JavaScript's helper, after a bulk
    ),
)
BULK = BodyDoor(
    "/_bulk", _TYPES, bodies.CLIENTS_ENCODINGS, ("POST", "PUT"), read, reply_headers=_PRODUCT,
    final=frozenset([408, 507]),  # Elasticsearch's own clients send again at 429, 502, 503 and 504
    heeds=_heeds,
)  # fmt: skip
BULK_OF_INDEX = replace(BULK, path="/{index}/_bulk")
