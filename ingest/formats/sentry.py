"""Sentry's events, alone and in envelopes.

A crash is an event that ended what it ran in: its level is fatal, or an exception of it was not handled; or an
envelope that brings a minidump of one. All else that clients send (handled errors, messages, transactions, sessions,
logs, client reports) is no crash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fleetcrash.store.dumps import Dump
from ingest.formats import minidump
from ingest.formats.crashes import (
    MOST_FRAMES,
    Frame,
    NotJson,
    Records,
    Told,
    Unfit,
    base_name,
    first,
    mapping,
    name_of,
    parsed,
    sequence,
    tags_of,
    text,
    time_of,
    too_much,
    version_of,
    whole,
    without_home,
)
from ingest.formats.format import Document, Head
from ingest.formats.systems import of_browser, os_type, version_and_build

_MOST_ITEMS = 1000  # clients send a handful
_LONGEST_HEADER_BYTES = 64 << 10
_NO_LINE_END = re.compile(rb"[^\r\n]")
_HANGS = frozenset([
    "anr", "apphang", "mx_hang_diagnostic", "app_hang", "watchdog",
    "appexitinfo", "historicalappexitinfo",  # what Android itself tells of an ANR, at the next start
])  # fmt: skip
# Tags in which Sentry names the user, or the URL that was requested.
_OF_PEOPLE = re.compile(r"(?:sentry:)?user(?:[._ -].*)?|user(?:id|name)|e-?mail|ip(?:_address)?|url", re.IGNORECASE)
_FATAL = frozenset(["fatal", "critical", "50"])  # the latter are Python's names of it, which raven sends
_ASSEMBLY = re.compile(r"([^,]+), *(?:Version=([^,]*)|Culture=|PublicKeyToken=)")


@dataclass(frozen=True)
class _Item:
    header: Mapping[str, Any]
    payload: memoryview


@dataclass(frozen=True)
class _Image:
    """The addresses of a library in memory: its first byte, and the one after its last."""

    start: int
    end: int
    file: str | None


@dataclass(frozen=True)
class Events:
    """The content of an envelope, or of a single event.

    Attributes:
        not_read: number of items that are no crash.
        dumps: of the crashes.
        event_id: of the first event; a hash of the body if it has none.
    """

    records: Records
    not_read: int
    dumps: Sequence[Dump]
    event_id: str


def envelope(body: bytearray, told: Told) -> Events:
    """The crash of an envelope.

    Raises:
        Unfit: it has no header, or is too large.
    """
    view = memoryview(body)
    header, at = header_of(body)
    if header is None:
        raise Unfit("bad_envelope", "The envelope does not begin with a JSON object")
    records, dumps, not_read = Records(told), [], 0
    events: list[memoryview] = []
    attached: list[memoryview] = []
    told_id = header.get("event_id")
    for item in _items(view, at, records):
        kind = item.header.get("type")
        if kind == "event":
            events.append(item.payload)
        elif kind == "attachment" and item.header.get("attachment_type") == "event.minidump":
            attached.append(item.payload)
        else:
            not_read += 1
    first_id = _id_text(told_id)
    for payload in events or attached[:1]:
        event = _event(payload, told_id, told) if events else with_id({}, told_id, payload)
        if event is None:
            records.as_it_came(payload)
            continue
        mine, attached = [bytes(one) for one in attached], []  # they belong to the first event
        first_id = first_id or event["event_id"]
        if is_crash(event) or any(_is_of_crash(one) for one in mine):
            dumps += add(records, event, mine)
        else:
            not_read += 1
    return Events(records, not_read, dumps, first_id or name_of(bytes(body)))


def header_of(body: bytearray) -> tuple[Mapping[str, Any] | None, int]:
    """The header of an envelope, or None if it has none; and the offset of its items."""
    return _header(memoryview(body), 0)


def alone(body: bytearray, told: Told) -> Events:
    """The crash of a document that is one event.

    Raises:
        Unfit: it is too large.
    """
    records = Records(told)
    event = _event(body, None, told)
    if event is None:
        records.as_it_came(body)
        return Events(records, 0, (), name_of(bytes(body)))
    crashed = is_crash(event)
    if crashed:
        add(records, event, [])
    return Events(records, int(not crashed), (), event["event_id"])


def _event(payload: bytearray | memoryview, told_id: Any, told: Told) -> dict[str, Any] | None:
    """An event with an id; None if it is none.

    Raises:
        Unfit: it is too large.
    """
    told.check_document(len(payload))
    try:
        event = parsed(payload)
    except NotJson:
        return None
    return with_id(event, told_id, payload) if isinstance(event, dict) else None


def is_crash(event: Mapping[str, Any]) -> bool:
    """Whether an event says that its process ended."""
    if event.get("type") not in (None, "error", "default", "event"):
        return False
    return (text(event.get("level")) or "").lower() in _FATAL or any(
        mapping(one.get("mechanism")).get("handled") is False for one in _exceptions(event)
    )


def _is_of_crash(dump: bytes) -> bool:
    """Whether a minidump is of a crash; True if it cannot be read, as it was sent for a reason."""
    found = minidump.read(dump)
    return found is None or found.is_crash


def add(records: Records, event: Mapping[str, Any], dumps: Sequence[bytes]) -> list[Dump]:
    """Add the record of a crash, completed from a minidump. Returns the dumps to keep."""
    exceptions = _exceptions(event)
    thrown = exceptions[-1] if exceptions else {}  # the last one was not caught
    raw_frames = _raw_frames(event, thrown)
    images = _images(event)
    blamed = next((one for one in raw_frames if one.get("in_app") is True), raw_frames[0] if raw_frames else {})
    at_fault = _frame(blamed, images)
    system, mechanism = _context(event, "os"), mapping(thrown.get("mechanism"))
    tags = tags_of(pairs(event.get("tags")))
    fields = {
        "crash_id": event["event_id"],
        "host_id": records.host_id(names_of_host(event, tags)),
        "occurred_at": time_of(event.get("timestamp")),
        "os_type": _system(event, raw_frames),
        **version_and_build(system),
        "agent_version": version_of(event.get("release")),
        "domain": "hang" if (text(mechanism.get("type")) or "").lower() in _HANGS else "user",
        "code": text(thrown.get("type")),
        "module": at_fault.module,
        "module_version": _package(blamed)[1],
        "module_offset": None if at_fault.module is None else at_fault.offset,
    }
    kept = []
    for data in dumps:
        found = minidump.read(data)
        if found is not None:
            kept.append(Dump(event["event_id"], fields["host_id"], data))
            fields = _completed(fields, found.fields())
    frames = [_frame(one, images) for one in raw_frames]
    own = ((name, said) for name, said in tags.items() if not _OF_PEOPLE.fullmatch(name))
    records.crash(**fields, frames=frames, tags=tags_of([*_said(event, thrown), *own]))
    return kept


def _completed(event: Mapping[str, Any], dump: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an event, and those of its minidump that the event lacks.

    The place of a crash is taken from only one of them, as an offset belongs to its own module.
    """
    said = {name: value for name, value in event.items() if value is not None}
    is_elsewhere = "module" in said and said["module"].lower() != (dump.get("module") or "").lower()
    left = ("module", "module_version", "module_offset") if is_elsewhere else ()
    return {**event, **{name: value for name, value in dump.items() if name not in left}, **said}


def _os_name(event: Mapping[str, Any]) -> str | None:
    """The client's name of its system. Unity and .NET have one text for name and version."""
    system = _context(event, "os")
    return text(system.get("name")) or text(system.get("raw_description"))


def names_of_host(event: Mapping[str, Any], tags: Mapping[str, str]) -> tuple[Any, ...]:
    """Possible names of the host, the best first. The user is last, as on a server it is whoever sent the request."""
    device, user = _context(event, "device"), mapping(event.get("user"))
    told = (device.get("id"), device.get("device_unique_identifier"), event.get("server_name"))
    return (tags.get("host_id"), *told, tags.get("server_name"), user.get("id"))


def _system(event: Mapping[str, Any], frames: Sequence[Mapping[str, Any]]) -> Any:
    """The system by its name, by paths of the code, or by the browser of a page; a server's is another host's."""
    platform = event.get("platform")
    names = ("abs_path", "filename") if platform == "node" else ("abs_path",)  # the latter before @sentry/node 7
    found = os_type(_os_name(event), (text(one.get(name)) for one in frames for name in names))
    if found or platform != "javascript":
        return found
    headers = {str(name).lower(): value for name, value in pairs(mapping(event.get("request")).get("headers"))}
    return of_browser(headers.get("user-agent"))


def _said(event: Mapping[str, Any], thrown: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Other parts of an event to keep as tags; none of users, requests, breadcrumbs and variables."""
    yield from (
        (name, event.get(name)) for name in ("level", "release", "dist", "environment", "platform", "transaction")
    )
    entry = mapping(event.get("logentry"))  # sentry-cli and older SDKs send no "formatted"
    yield "message", thrown.get("value") or entry.get("formatted") or entry.get("message") or event.get("message")
    yield "mechanism", mapping(thrown.get("mechanism")).get("type")
    yield "os_name", _os_name(event)
    yield "model", _context(event, "device").get("model")
    yield "app", _context(event, "app").get("app_identifier")


def _context(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return mapping(mapping(event.get("contexts")).get(name))


def _header(view: memoryview, at: int) -> tuple[Mapping[str, Any] | None, int]:
    """The JSON object on the line at an offset, None for anything else; and the offset after that line."""
    end = _line_end(view, at)
    if end - at > _LONGEST_HEADER_BYTES:
        return None, end + 1
    try:
        found = parsed(view[at:end])
    except NotJson:
        return None, end + 1
    return found if isinstance(found, dict) else None, end + 1


def _items(view: memoryview, at: int, records: Records) -> Iterator[_Item]:
    """The items of an envelope. Data after an invalid header goes to the rules as it came."""
    count = 0
    while begin := _NO_LINE_END.search(view, at):
        at = begin.start()
        count += 1
        if count > _MOST_ITEMS:
            raise too_much("The envelope has", _MOST_ITEMS, "items")
        header, start = _header(view, at)
        if header is None:
            records.as_it_came(view[at:])
            return
        length = header.get("length")
        if isinstance(length, int) and not isinstance(length, bool) and length >= 0:
            end = min(start + length, len(view))
        else:
            end = _line_end(view, start)
        yield _Item(header, view[start:end])
        at = end


def _line_end(view: memoryview, at: int) -> int:
    body = view.obj
    assert isinstance(body, bytearray)  # noqa: S101 - of which it is a view
    end = body.find(b"\n", at)
    return len(body) if end < 0 else end


def _id_text(value: Any) -> str | None:
    """An event's id as Sentry writes it, 32 hex digits, or as it came."""
    said = first((value,))
    return said.replace("-", "").lower() if said and len(said) == 36 else said


def with_id(event: Mapping[str, Any], told_id: Any, payload: bytearray | memoryview) -> dict[str, Any]:
    """An event with an id: its own, that of its envelope, or a hash of it."""
    return {**event, "event_id": _id_text(event.get("event_id")) or _id_text(told_id) or name_of(bytes(payload))}


def _exceptions(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The exceptions of an event, in the order in which they were raised."""
    said = event.get("exception", event.get("sentry.interfaces.Exception"))
    values = mapping(said).get("values", said)
    many = values if isinstance(values, list) else [values]
    return [one for one in many if isinstance(one, dict)]


def _raw_frames(event: Mapping[str, Any], thrown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The frames of the exception, or of the thread that crashed, innermost first."""
    threads = [mapping(one) for one in sequence(mapping(event.get("threads")).get("values"))]
    crashed = next((one for one in threads if one.get("crashed") is True), {})
    for holder in (thrown, crashed, event):
        frames = sequence(mapping(holder.get("stacktrace")).get("frames"))
        if frames:
            return [one for one in islice(reversed(frames), MOST_FRAMES) if isinstance(one, dict)]
    return []


def _frame(raw: Mapping[str, Any], images: Sequence[_Image]) -> Frame:
    # A relative address is not within any image.
    is_absolute = not (text(raw.get("addr_mode")) or "").startswith("rel")
    address = whole(raw.get("instruction_addr")) if is_absolute else None
    start, file = whole(raw.get("image_addr")), _package(raw)[0]
    if address is not None and (start is None or file is None):
        image = next((one for one in images if one.start <= address < one.end), None)
        if image is not None:
            start = image.start if start is None else start
            file = file or image.file
    offset = address - start if address is not None and start is not None and address >= start else None
    script = without_home(text(raw.get("filename")) or "")
    return Frame(file or text(raw.get("module")) or script or None, text(raw.get("function")), offset)


def _package(raw: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The file of a frame, and its version if .NET gives the full name of an assembly."""
    said = raw.get("package")
    assembly = _ASSEMBLY.match(said) if isinstance(said, str) else None
    return (text(assembly[1]), text(assembly[2])) if assembly else (base_name(said), None)


def _images(event: Mapping[str, Any]) -> list[_Image]:
    """The libraries of a native event with addresses."""
    found = []
    for one in sequence(mapping(event.get("debug_meta")).get("images"))[:2000]:
        image = mapping(one)
        start, size = whole(image.get("image_addr")), whole(image.get("image_size"))
        if start is not None and size:
            file = image.get("code_file") or image.get("name")  # the latter in older clients on Apple's systems
            found.append(_Image(start, start + size, base_name(file)))
    return found


def pairs(tags: Any) -> Iterator[tuple[Any, Any]]:
    """Tags as Sentry writes them: an object, or a list of pairs."""
    if isinstance(tags, dict):
        yield from tags.items()
    for pair in sequence(tags):
        if isinstance(pair, list) and len(pair) == 2:
            yield pair[0], pair[1]


def _begins_envelope(head: Head) -> bool:
    body = bytearray(head.data.lstrip())
    header, at = header_of(body)
    if header is None or not header.keys() & {"event_id", "dsn", "sent_at", "sdk"}:
        return False
    begin = _NO_LINE_END.search(body, at)
    item = _header(memoryview(body), begin.start())[0] if begin else None
    return item is not None and "type" in item


def _read_envelope(data: bytes, told: Told) -> Records:
    return envelope(bytearray(data.lstrip()), told).records


def _read_event(data: bytes, told: Told) -> Records:
    return alone(bytearray(data), told).records


_EVENT = re.compile(rb'\s{0,99}\{.{0,65536}"event_id"\s{0,9}:', re.DOTALL)
_OF_AN_EVENT = re.compile(rb'"(?:exception|platform|breadcrumbs|sdk|logentry|contexts)"\s{0,9}:')
SENTRY_ENVELOPE = Document("Sentry envelope", _begins_envelope, _read_envelope)
SENTRY_EVENT = Document(
    "Sentry event",
    lambda head: bool(_EVENT.match(head.data) and _OF_AN_EVENT.search(head.data)),
    _read_event,
)
