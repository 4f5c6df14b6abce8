"""What Erlang's machine says as it ends, in a log or in its ``erl_crash.dump``.

Processes of Erlang end and are started anew all the time: only that the machine itself ended is a crash. Where it was
is what its reason names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.formats import stacks
from ingest.formats.blame import at_fault
from ingest.formats.crashes import Records, Told, Unfit, name_of, tags_of, text
from ingest.formats.dates import date_in_words
from ingest.formats.format import Document, Head
from ingest.formats.uncaught import Form

_MOST_BYTES = 64 << 10  # of a dump, whose head is what is looked at
_DUMP = re.compile(r"^=erl_crash_dump:\d", re.MULTILINE)
_ENDED = re.compile(
    r"(?P<what>Kernel pid terminated \(\w{1,60}\)|could not start kernel pid \(\w{1,60}\)|init terminating in do_boot"
    r"|[Rr]untime terminating during boot|\w{1,20}_alloc: Cannot (?:re)?allocate)"
    r"(?P<why>.*)",
    re.DOTALL,
)
_APPLICATION = re.compile(r"application_(?:start_failure|terminated),(?P<name>\w{1,100})")
_CALL = re.compile(
    r"\{(?P<module>[a-z]\w{0,100}|'Elixir\.[\w.]{1,200}'),(?P<function>[a-z]\w{0,100}|'[^']{1,200}'),"
    r"(?:\d{1,3}|\[)(?=[^{}]{0,200}(?:\[\]|\{file,|$))"
)
_ASKED_FOR = re.compile(r"Received SIGUSR1|Crash dump requested by user|.{0,80}User generated dump")
_VALUE = re.compile(r"^(?P<name>Slogan|System version|Compiled): (?P<value>.*)$", re.MULTILINE)
# What the line of a log has in it.
MARKS = ("Kernel pid terminated (", "could not start kernel pid (", "init terminating in do_boot",
         "untime terminating during boot", "_alloc: Cannot ")  # fmt: skip


def _told(lines: Sequence[str]) -> tuple[str | None, str, Sequence[str]]:
    said = lines[0].strip()
    found = _ENDED.fullmatch(said)
    if found is None:
        return None, said, ()
    what = " ".join(re.sub(r"\(\w+\)", "", found["what"]).split())
    what = "out of memory" if "allocate" in what else what
    called = [f"{one['function']} ({one['module']})".replace("'", "") for one in _CALL.finditer(found["why"])]
    application = _APPLICATION.search(found["why"])
    if not called and application:
        called = [f"start ({application['name']})"]
    return what, said, [f"#{at} 0x0000 {one}" for at, one in enumerate(called)]


FORM = Form(_ENDED, None, _told)


def _recognises(head: Head) -> bool:
    return _DUMP.search(head.text) is not None


def _read(data: bytes, told: Told) -> Records:
    said = data.decode("utf-8", "replace")
    begun = _DUMP.search(said)
    head = said[begun.start() if begun else 0 :].split("\n=", 1)[0]
    values = {found["name"]: found["value"].strip() for found in _VALUE.finditer(head)}
    slogan = values.get("Slogan")
    if slogan is None:
        raise Unfit("bad_erlang_dump", "The dump does not say why it was written")
    records = Records(told)
    if _ASKED_FOR.match(slogan):
        return records
    what, _, steps = _told([slogan])
    frames = stacks.read("\n".join(steps)).frames
    at = date_in_words(head.split("\n", 2)[1]) if "\n" in head else None
    host_id = records.host_id(())
    records.crash(
        crash_id=name_of(host_id or "", at or "", slogan, values.get("System version", "")),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type="linux",
        domain="user",
        code=what or text(slogan, 200),
        **at_fault(frames),
        frames=frames,
        tags=tags_of([("message", slogan), ("erlang", values.get("System version"))]),
    )
    return records


ERLANG_DUMP = Document("dump of Erlang's machine", _recognises, _read, most_bytes=_MOST_BYTES, is_cut=True)
