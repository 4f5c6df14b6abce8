"""A system's log as shippers send it on: an object a line, with the host and the program beside the message.

Elastic's ``system`` module and Filebeat of a file of syslog, Vector of the journal. The lines are put together again as
syslog has them, and read as ``kernel_file`` reads those. Logs of containers are in ``containers``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats.crashes import NotJson, Records, Told, mapping, parsed, text
from ingest.formats.format import Head, Log
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.kernel_lines import is_of_syslog, stamp_of
from ingest.formats.lines import lines_in

_LONGEST_LINE = 64 << 10
_LOOKED_AT = 200
_MOST_LINES = 1000  # of one message
_LONGEST_STAMP = 40
_STAMPS = ("@timestamp", "timestamp", "time")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)")
_NAME = re.compile(r"[^\s:\[\]]{1,64}")
_HOST = re.compile(r"[^\s:]{1,255}")
_GOES_ON = " " * 16  # before the further lines of a message, as journalctl writes them


def _recognises(head: Head) -> bool:
    start = head.data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"{"):
        return False
    lines = start.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]
    return any(_is_of_system(fields) for line in lines if b"kernel" in line and (fields := _fields(line)))


def _is_of_system(fields: Mapping[str, Any]) -> bool:
    said = _message(fields)
    if said is None or not _stamp(fields):
        return False
    return _program(fields) == "kernel" or stamp_of(said)["writer"] == "kernel"


def _fields(line: bytes) -> Mapping[str, Any]:
    try:
        return mapping(parsed(line))
    except NotJson:
        return {}


def _message(fields: Mapping[str, Any]) -> str | None:
    said = fields.get("message")
    return said if isinstance(said, str) else None


def _stamp(fields: Mapping[str, Any]) -> str | None:
    given = (fields.get(name) for name in _STAMPS)
    return next((one for one in given if isinstance(one, str) and _TIME.fullmatch(one[:_LONGEST_STAMP])), None)


def _program(fields: Mapping[str, Any]) -> str | None:
    told = (mapping(fields.get("process")).get("name"), fields.get("SYSLOG_IDENTIFIER"), fields.get("appname"))
    return next((one for one in map(text, told) if one and _NAME.fullmatch(one)), None)


def _pid(fields: Mapping[str, Any]) -> str | None:
    told = (mapping(fields.get("process")).get("pid"), fields.get("_PID"), fields.get("SYSLOG_PID"))
    return next((one for one in map(text, told) if one and one.isdecimal()), None)


def _host(fields: Mapping[str, Any]) -> str | None:
    named = mapping(fields.get("host"))
    told = (named.get("hostname"), named.get("name"), fields.get("host"), fields.get("hostname"))
    plain = (text(one) for one in told if not isinstance(one, dict))
    return next((one for one in plain if one and _HOST.fullmatch(one)), None)


def _line(fields: Mapping[str, Any]) -> str | None:
    """The line of syslog that an object was; None for an object of another kind."""
    said, at, program, host = _message(fields), _stamp(fields), _program(fields), _host(fields)
    if said is None or at is None:
        return None
    header = stamp_of(said)
    if header["host"] and is_of_syslog(header):
        return said
    if program is None or host is None:
        return None
    pid = _pid(fields) if program != "kernel" else None
    first, *others = said.split("\n")[:_MOST_LINES]
    return "\n".join(
        [f"{at} {host} {program}{f'[{pid}]' if pid else ''}: {first}", *(_GOES_ON + one for one in others)]
    )


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    lines = (_line(_fields(line)) for line in lines_in(blocks, _LONGEST_LINE) if line.strip())
    yield from KERNEL_FILE.read((f"{line}\n".encode("utf-8", "replace") for line in lines if line is not None), told)


SHIPPED_LOG = Log("a system's log, as objects", _recognises, _read)
