"""Dumps as crashpad, breakpad and curl send them: a form with the dump and what the client says with it.

A dump that a program asked for while it went on (DumpWithoutCrashing) is no crash. Its client is told an id, as for
any other, since it would send it again; nothing is kept.
"""

from __future__ import annotations

from fleetcrash.store.dumps import Dump
from fleetcrash.times import time_text
from ingest.collector import bodies
from ingest.collector.doors import minidump
from ingest.collector.doors.crashes import Records, first, name_of, tags_of, version_of
from ingest.collector.doors.door import Asked, BodyDoor, Reading
from ingest.collector.doors.forms import parts_of
from ingest.collector.doors.systems import os_type
from ingest.collector.refusal import Refusal

_FILE = "upload_file_minidump"
_LONGEST_VALUE_BYTES = 4000


def read(body: bytearray, asked: Asked) -> Reading:
    """The crash of a form.

    Raises:
        Refusal: it is no form, or brings no dump.
    """
    form: dict[str, str] = {}
    data = None
    for part in parts_of(body, asked.content_type):
        if part.name == _FILE:
            data = bytes(part.data)
        elif not part.is_file:
            form.setdefault(part.name, bytes(part.data[:_LONGEST_VALUE_BYTES]).decode("utf-8", "replace"))
    found = minidump.read(data) if data is not None else None
    if data is None or found is None:
        said = (
            f"The form has no file {_FILE} that begins as a dump does, with MDMP or PAGEDU64. Nothing of it was kept."
        )
        raise Refusal(400, "bad_minidump", said)
    host_id = first((form.get("host_id"), form.get("device_id"), form.get("guid"), found.client_id))
    crash_id = first((form.get("crash_id"),)) or found.report_id or name_of(host_id or "", data)
    if not found.is_crash:
        return Reading(b"", 0, not_read=1, reply=crash_id.encode(), reply_type="text/plain")
    versions = (version_of(form.get(name)) for name in ("agent_version", "ver", "version", "_version"))
    fields = {
        "crash_id": crash_id,
        "host_id": host_id,
        "occurred_at": time_text(asked.received_at),
        "time_quality": None if found.occurred_at else "received",
        "agent_version": next((one for one in versions if one), None),
        "os_type": os_type(form.get("os_type") or form.get("platform")),
        **found.fields(),
    }
    records = Records()
    arguments = ((f"argument{number}", said) for number, said in enumerate(found.arguments, 1))
    records.crash(**fields, tags=tags_of([*arguments, *form.items()]))
    dump = Dump(crash_id, host_id, data, form)
    return Reading(records.lines, records.read, reply=crash_id.encode(), reply_type="text/plain", dumps=(dump,))


MINIDUMP = BodyDoor("/v1/minidump", ("multipart/form-data",), bodies.CLIENTS_ENCODINGS, ("POST",), read)
