"""systemd's journal as Filebeat and Elastic's agent send it on: fields under other names, an object a line.

What they have no name for is in ``journald.custom``, in lower case and without the underscores before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats.crashes import NotJson, Records, Told, mapping, parsed, text, time_of
from ingest.formats.dates import moment_of
from ingest.formats.format import Head, Log
from ingest.formats.journal import READ, Entries
from ingest.formats.journal_json import field_text
from ingest.formats.lines import lines_in

_LONGEST_LINE = 1 << 20
_LOOKED_AT = 200
_PART_BYTES = 1 << 20
_CUSTOM = {name: name.lstrip("_").lower() for name in READ}
# Where each version puts a field, the newest first.
_PLACES = {
    "MESSAGE": ("message",), "MESSAGE_ID": ("message_id",),
    "_MACHINE_ID": ("host.id",), "_HOSTNAME": ("host.hostname", "host.name"),
    "_BOOT_ID": ("journald.host.boot_id", "host.boot_id"),
    "_TRANSPORT": ("systemd.transport",), "SYSLOG_IDENTIFIER": ("syslog.identifier", "log.syslog.appname"),
    "_PID": ("journald.pid", "process.pid"), "CONTAINER_ID": ("container.id_truncated",),
    "COREDUMP_UNIT": ("journald.coredump.unit",), "COREDUMP_USER_UNIT": ("journald.coredump.user_unit",),
}  # fmt: skip


def entry_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """The entry of the journal that an object was: the fields of ``READ`` that it has."""
    custom = mapping(mapping(fields.get("journald")).get("custom"))
    told = {name: field_text(custom.get(lower)) for name, lower in _CUSTOM.items()}
    for name, places in _PLACES.items():
        told[name] = next((said for one in places if (said := field_text(_at(fields, one)))), told[name])
    told["__REALTIME_TIMESTAMP"] = _microseconds(fields.get("@timestamp"))
    return {name: said for name, said in told.items() if said is not None}


def _at(fields: Mapping[str, Any], place: str) -> Any:
    *way, last = place.split(".")
    for step in way:
        fields = mapping(fields.get(step))
    return fields.get(last)


def _microseconds(at: Any) -> str | None:
    moment = moment_of(time_of(at)) if text(at) else None
    return str(round(moment.timestamp() * 1e6)) if moment and moment.timestamp() > 0 else None


def _is_of_journal(fields: Mapping[str, Any]) -> bool:
    return "@timestamp" in fields and (
        isinstance(fields.get("journald"), dict) or mapping(fields.get("input")).get("type") == "journald"
    )


def _fields(line: bytes) -> Mapping[str, Any]:
    try:
        fields = mapping(parsed(line))
    except NotJson:
        return {}
    return mapping(fields.get("_source")) or fields


def _recognises(head: Head) -> bool:
    start = head.data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"{"):
        return False
    lines = start.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]
    return any(_is_of_journal(_fields(line)) for line in lines if b'"journald"' in line)


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    entries = Entries(told, is_whole=True)
    for line in lines_in(blocks, _LONGEST_LINE):
        fields = _fields(line)
        if _is_of_journal(fields):
            entries.add(entry_of(fields))
        elif line.strip() and not fields:
            entries.records.as_it_came(line)
        if len(entries.records.lines) > _PART_BYTES:
            yield entries.taken()[0]
    entries.end()
    yield entries.taken()[0]


JOURNAL_BEATS = Log("systemd journal, sent on by Filebeat", _recognises, _read)
