"""Minidumps as Chrome keeps them until they are sent: within a form (Android), or behind their length (ChromeOS)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.formats.crashes import Records, Told, Unfit, text
from ingest.formats.format import Document, Head
from ingest.formats.minidump import ANNOTATIONS, read_file

_FILE = "upload_file_minidump"
_READ = ANNOTATIONS | {"guid"}  # the others tell what the program was asked to do, and for which pages
_MOST_PARTS = 1000
_LONGEST_VALUE_BYTES = 4000

_BOUNDARY = re.compile(rb"--[\w'()+,./:=?-]{4,200}(?=\r\nContent-)")
_PART = re.compile(
    rb'\r\nContent-Disposition: form-data; name="(?P<name>[^"\r\n]{1,100})"[^\r\n]{0,300}\r\n'
    rb"(?:[\w-]{1,40}: [^\r\n]{0,300}\r\n){0,5}\r\n",
    re.IGNORECASE,
)
_COUNTED = re.compile(rb'(?P<name>[\w.-]{1,100})(?:"; filename="[^"\r\n]{1,100}"?)?:(?P<size>\d{1,9}):')


def _recognises(head: Head) -> bool:
    begins = _BOUNDARY.match(head.data) or _COUNTED.match(head.data)
    return begins is not None and f'{_FILE}"'.encode() in head.data


def _read(data: bytes, told: Told) -> Records:
    form: dict[str, str] = {}
    dump = b""
    for name, value in _parts(data):
        if name == _FILE:
            dump = dump or value
        elif name in _READ and (said := text(value[:_LONGEST_VALUE_BYTES].decode("utf-8", "replace"))):
            form.setdefault(name, said)
    if not dump:
        raise Unfit("bad_minidump", "It ends before its dump")
    return read_file(dump, told, form)


def _parts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The names and values of a form; the last one may be cut short."""
    boundary = _BOUNDARY.match(data)
    at = boundary.end() if boundary else 0
    for _ in range(_MOST_PARTS):
        head = (_PART if boundary else _COUNTED).match(data, at)
        if head is None:
            return
        if boundary:
            found = data.find(b"\r\n" + boundary[0], head.end())
            end = found if found >= 0 else len(data)
            at = end + len(boundary[0]) + 2
        else:
            at = end = head.end() + int(head["size"])
        yield head["name"].decode("utf-8", "replace"), data[head.end() : end]


MINIDUMP_FORM = Document("minidump within a form", _recognises, _read)
