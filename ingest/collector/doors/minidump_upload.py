"""Dumps from crashpad, breakpad and curl: a form with the dump and the client's fields.

A dump that a program requested while it ran on (DumpWithoutCrashing), or one of a kernel that went on, is no crash. Its
client gets an id like any other, as it would send the dump again; nothing is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fleetcrash.store.dumps import Dump
from ingest.collector import bodies
from ingest.collector.doors.door import Asked, BodyDoor, Reading
from ingest.collector.doors.forms import parts_of
from ingest.collector.refusal import Refusal
from ingest.formats import minidump
from ingest.formats.crashes import Records

_FILE = "upload_file_minidump"
_LONGEST_VALUE_BYTES = 4000


@dataclass(frozen=True)
class Upload:
    """A form with a dump.

    Attributes:
        data, found: the dump, and what it says. form: the other fields. files: the other files that are wanted.
    """

    data: bytes
    found: minidump.Found
    form: Mapping[str, str]
    files: Mapping[str, bytes]


def upload_of(body: bytearray, asked: Asked, *, files: Collection[str] = ()) -> Upload:
    """A form with a dump.

    Args:
        files: other files that are wanted.
    Raises:
        Refusal: it is not a form, or has no dump.
    """
    form: dict[str, str] = {}
    others: dict[str, bytes] = {}
    data = None
    for part in parts_of(body, asked.content_type):
        if part.name == _FILE:
            data = bytes(part.data)
        elif part.name in files:
            asked.told.check_document(len(part.data))
            others[part.name] = bytes(part.data)
        elif not part.is_file:
            form.setdefault(part.name, bytes(part.data[:_LONGEST_VALUE_BYTES]).decode("utf-8", "replace"))
    found = minidump.read(data) if data is not None else None
    if data is None or found is None:
        raise _no_dump(f"The form has no file {_FILE} that")
    return Upload(data, found, form, others)


def bare(body: bytearray) -> Upload:
    """A body that is a dump.

    Raises:
        Refusal: it is none.
    """
    data = bytes(body)
    found = minidump.read(data)
    if found is None:
        raise _no_dump("The Content-Type is that of a dump, and the body is none that")
    return Upload(data, found, {}, {})


def _no_dump(said: str) -> Refusal:
    begins = "begins as a dump does, with MDMP, PAGEDU64 or PAGEDUMP"
    return Refusal(400, "bad_minidump", f"{said} {begins}. Nothing of it was kept.")


def read(body: bytearray, asked: Asked) -> Reading:
    """The crash of a form.

    Raises:
        Refusal: it is not a form, or has no dump.
    """
    upload = upload_of(body, asked)
    records = Records(asked.told)
    crash_id, host_id = minidump.add(records, upload.found, upload.data, upload.form)
    reply, dump = crash_id.encode(), Dump(crash_id, host_id, upload.data, upload.form)
    if not upload.found.is_crash:
        return Reading(b"", 0, not_read=1, reply=reply, reply_type="text/plain")
    return Reading(records.lines, records.read, reply=reply, reply_type="text/plain", dumps=(dump,))


MINIDUMP = BodyDoor("/v1/minidump", ("multipart/form-data",), bodies.CLIENTS_ENCODINGS, ("POST",), read)
