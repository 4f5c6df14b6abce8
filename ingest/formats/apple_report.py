"""Apple's ``.ips`` and ``.panic`` files: a header in JSON, then the report in JSON, or as text in old systems.

Only crashes, kernel panics and processes that a watchdog ended are read. Other reports of macOS and iOS in such files
(memory pressure, use of resources, stackshots, faults that a process survived) are no crashes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

from ingest.formats import apple_text, xnu_panic
from ingest.formats.apple import Image, Step, blamed, code_of, is_hang, own_id, system_of, time_in
from ingest.formats.crashes import (
    MOST_FRAMES,
    Frame,
    Records,
    Told,
    Unfit,
    base_name,
    mapping,
    name_of,
    sequence,
    tags_of,
    text,
    time_of,
    whole,
)
from ingest.formats.cut_json import first_object
from ingest.formats.format import Document, Head, decoded

_CRASHES = (None, "109", "309", "409")  # 409: ended by a watchdog
_PANICS = (None, "110", "115", "210")
_NOT_FATAL = ("isSimulated", "isNonFatal", "is_simulated")
_HANGS = frozenset(["WATCHDOG"])
_MOST_IMAGES = 5000
_LONG_TEXT = "anicString"  # panicString, macOSPanicString
_NOT_SET = re.compile(r"\s*(?:not yet set)?\s*", re.IGNORECASE)

_TRANSLATED = re.compile(r"(?:-{5,80}\n)?Translated Report ")
_FULL = re.compile(r"^Full Report\n-{5,40}\n\s{0,9}(?=\{)", re.MULTILINE)

_MOST_REPORTS = 1000
_BEGINS = re.compile(r"^(?:-{5,80}\nTranslated Report |[ \t>`]{0,8}\{[^\n]{0,4000}?\"bug_type\"\s{0,9}:)", re.MULTILINE)

# The first line of a report, or of the part of one that people copied.
_START = re.compile(r"^[ \t>`]{0,8}(?=\{|(?P<name>\"\w{1,40}\"\s{0,9}:\s{0,9}[\"{\[\d]))", re.MULTILINE)
_MOST_BEFORE = 4000  # characters that people may write before a report

_KEY = r'"{}"\s{{0,9}}:'
_HEADER = re.compile(_KEY.format("bug_type"))
_OF_BODY = ("crashReporterKey", "panicString", "osVersion", "procName")
_BODY = [re.compile(_KEY.format(name)) for name in _OF_BODY]
_PANICKED = re.compile(r"\"(?:p|macOSP)anicString\"\s{0,9}:\s{0,9}\"panic\(cpu \d")
_RECORD = re.compile(_KEY.format("record"))


def _read(data: bytes, told: Told) -> Records:
    told.check_document(len(data))
    records = Records(told)
    for report in _reports(decoded(data).replace("\r\n", "\n").strip("\x00 \t\n")):
        _add_report(records, report)
    return records


def _reports(said: str) -> list[str]:
    """The reports of a text, which may have several in sequence."""
    translated = {full.end() for full in _FULL.finditer(said)}
    begins = [found.start() for found in islice(_BEGINS.finditer(said), _MOST_REPORTS)]
    starts = [at for at in begins if at not in translated]
    reports: list[str] = []
    for start, end in pairwise([0, *starts[1:], len(said)]):
        if reports and "\n" not in reports[-1].strip():  # a header whose body has the same
            reports[-1] += said[start:end]
        else:
            reports.append(said[start:end])
    return reports


def _add_report(records: Records, said: str) -> None:
    written = ""
    if _TRANSLATED.match(said):
        full = _FULL.search(said)
        if full is None:  # only the translation of the Console app
            apple_text.add(records, said, {})
            return
        written, said = said[: full.start()], said[full.end() :]
    header, rest, is_whole = first_object(_from_brace(said), _LONG_TEXT)
    rest = rest.lstrip(" \t\n,")
    body = None
    if rest.startswith("{"):
        body, _, is_whole = first_object(rest, _LONG_TEXT)
    elif header is not None and not rest:
        is_whole = is_whole and any(name in header for name in _OF_BODY)
    if not is_whole and _kind(header or {}) in (*_CRASHES, *_PANICS):
        records.damage = Unfit("bad_apple_report", "A report in it breaks off")
    if written and not _tells_all(body) and _add_translation(records, header or {}, written):
        return
    if header is None:
        raise Unfit("bad_apple_report", "It does not begin with a JSON object")
    if rest.startswith("{"):
        _add(records, header, body or {})
    elif rest:
        _add_text(records, header, rest)
    else:
        _add(records, header, header)


def _tells_all(body: Mapping[str, Any] | None) -> bool:
    """Whether a report includes its stack, as people paste only the beginning."""
    return body is not None and any(body.get(name) for name in ("threads", "panicString", "macOSPanicString"))


def _add_translation(records: Records, header: Mapping[str, Any], written: str) -> bool:
    """Add the crash in the translation before a report. Returns whether there was one."""
    try:
        apple_text.add(records, written, header)
    except Unfit:
        return False
    return True


def _from_brace(said: str) -> str:
    """A text from the first line on that begins with a brace, or a name and value of an object whose brace was cut off.

    Unchanged if there is none near the start.
    """
    start = _START.search(said, 0, _MOST_BEFORE)
    if start is None:
        return said
    return ("{" if start["name"] else "") + said[start.end() :]


def _kind(header: Mapping[str, Any]) -> str | None:
    return text(header.get("bug_type"))


def _add(records: Records, header: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Add the record of a report in JSON, if it is of a crash."""
    kind = _kind(header) or _kind(body)
    panics = [body.get(name) for name in ("macOSPanicString", "panicString")]
    said = next((one for one in panics if isinstance(one, str) and not _NOT_SET.fullmatch(one)), None)
    if kind == "210" or (said and kind in _PANICS):
        _add_panic(records, header, body, said or "")
    elif kind in _CRASHES and _is_of_crash(body, is_told=kind is not None):
        _add_crash(records, header, body)


def _is_of_crash(body: Mapping[str, Any], *, is_told: bool) -> bool:
    if any(body.get(name) for name in _NOT_FATAL):
        return False
    return is_told or bool(body.get("exception") or body.get("termination"))


def _add_text(records: Records, header: Mapping[str, Any], said: str) -> None:
    """Add the record of a report whose body is text."""
    kind = _kind(header)
    if xnu_panic.HEAD in said and kind in _PANICS:
        _add_panic(records, header, {"crashReporterKey": xnu_panic.host_of(said)}, said)
    elif kind in _CRASHES or "\nEvent:" in said:  # with Event it is a hang, or no crash
        try:
            apple_text.add(records, said, header)
        except Unfit:  # too damaged, so only the header is used
            records.damage = Unfit("bad_apple_report", "A report in it breaks off")
            _add(records, header, header)


def _add_panic(records: Records, header: Mapping[str, Any], body: Mapping[str, Any], said: str) -> None:
    panic = xnu_panic.read(said) or xnu_panic.Panic((str(header.get("timestamp")),), {})
    system = text(header.get("macos_version") or header.get("os_version") or body.get("build"))
    # The chip beside an Intel processor, which reports panics of macOS, has a system of its own.
    version, build = (None, None) if system and system.startswith("Bridge") else system_of(system)
    # A report is written after the restart.
    at = None if panic.fields.get("occurred_at") else time_of(body.get("date") or header.get("timestamp"))
    xnu_panic.add(
        records,
        panic,
        crash_id=own_id(body.get("incident")) or own_id(header.get("incident_id")),
        host_id=records.host_id((own_id(body.get("crashReporterKey")),)),
        occurred_at=at,
        time_quality="reboot" if at else None,
        os_version=version,
        os_build=build,
        model=text(body.get("product")),
    )


def _add_crash(records: Records, header: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    exception, termination = mapping(body.get("exception")), mapping(body.get("termination"))
    process = text(body.get("procName")) or text(header.get("app_name")) or text(header.get("name"))
    images = [_image(one) for one in sequence(body.get("usedImages"))[:_MOST_IMAGES]]
    steps = _steps(body, images)
    killed = _killed(exception, termination)
    system = mapping(body.get("osVersion"))
    version, build = system_of(header.get("os_version"))
    at = body.get("captureTime") or header.get("timestamp")
    host_id = records.host_id((own_id(body.get("crashReporterKey")),))
    pid = text(body.get("pid"))
    at_fault = blamed(steps, process)
    if at_fault["module"] == process:
        at_fault["module_version"] = at_fault.get("module_version") or _version(body, header)
    incident = own_id(body.get("incident")) or own_id(header.get("incident_id"))
    namespace = text(termination.get("namespace"))
    records.crash(
        crash_id=incident or name_of(host_id or "", str(at), process or "", pid or ""),
        host_id=host_id,
        occurred_at=time_in(at),
        os_type="darwin",
        os_version=system_of(system.get("train"))[0] or version,
        os_build=text(system.get("build")) or build,
        domain="hang" if namespace in _HANGS or is_hang(killed) else "user",
        code=code_of(text(exception.get("type")), text(exception.get("signal")), killed) or namespace,
        **at_fault,
        frames=[step.frame for step in steps],
        uptime_s=whole(body.get("uptime")),
        tags=tags_of(_tags(header, body, process)),
    )


def _killed(exception: Mapping[str, Any], termination: Mapping[str, Any]) -> list[str | None]:
    """What a report says about who ended a process, and why."""
    code = whole(termination.get("code"))
    said = [termination.get(name) for name in ("namespace", "indicator")]
    more = [*sequence(termination.get("reasons")), *sequence(termination.get("details"))][:20]
    return [
        f"0x{code:08x}" if code is not None else None,
        *(text(one) for one in (exception.get("codes"), *said, *more)),
    ]


def _steps(body: Mapping[str, Any], images: Sequence[Image | None]) -> list[Step]:
    """The frames that tell of the crash: where an exception was thrown, or else of the thread that crashed."""
    if thrown := sequence(body.get("lastExceptionBacktrace")):
        return [_step(mapping(one), images) for one in thrown[:MOST_FRAMES]]
    for backtrace in sequence(body.get("asiBacktraces"))[:1]:
        if isinstance(backtrace, str) and (frames := apple_text.frames_of(backtrace[: 256 << 10].splitlines())):
            named = {image.name: image for image in images if image}
            return [Step(frame, named.get(frame.module)) for frame in frames]
    threads = [mapping(one) for one in sequence(body.get("threads"))]
    number = whole(body.get("faultingThread"))
    crashed = next((one for one in threads if one.get("triggered") is True), {})
    if not crashed and threads:
        crashed = threads[number if number is not None and number < len(threads) else 0]
    return [_step(mapping(one), images) for one in sequence(crashed.get("frames"))[:MOST_FRAMES]]


def _step(raw: Mapping[str, Any], images: Sequence[Image | None]) -> Step:
    number = whole(raw.get("imageIndex"))
    image = images[number] if number is not None and number < len(images) else None
    name = text(raw.get("imageName")) or (image.name if image else None)
    return Step(Frame(name, text(raw.get("symbol")), whole(raw.get("imageOffset")) if name else None), image)


def _image(raw: Any) -> Image | None:
    """An image; None for a placeholder for code that is in none."""
    told = mapping(raw)
    path = told.get("path") if isinstance(told.get("path"), str) else ""
    name = text(told.get("name")) or base_name(path)
    version = text(told.get("CFBundleShortVersionString")) or text(told.get("CFBundleVersion"))
    return Image(name, path or "", version) if name and name != "???" else None


def _version(body: Mapping[str, Any], header: Mapping[str, Any]) -> str | None:
    bundle = mapping(body.get("bundleInfo"))
    told = (bundle.get("CFBundleShortVersionString"), header.get("app_version"), bundle.get("CFBundleVersion"))
    return next((found for one in told if (found := text(one)) and found != "???"), None)


def _tags(header: Mapping[str, Any], body: Mapping[str, Any], process: str | None) -> list[tuple[str, Any]]:
    exception, termination = mapping(body.get("exception")), mapping(body.get("termination"))
    bundle = mapping(body.get("bundleInfo"))
    return [
        ("process", process), ("pid", body.get("pid")), ("model", body.get("modelCode")),
        ("bundle_id", bundle.get("CFBundleIdentifier") or header.get("bundleID")),
        ("app_version", _version(body, header)), ("build_version", header.get("build_version")),
        ("signal", exception.get("signal")), ("exception", exception.get("type")),
        ("exception_codes", exception.get("subtype") or exception.get("codes")),
        ("termination", termination.get("namespace")), ("reason", _reason(termination)),
        ("message", _message(body)), ("translated", body.get("translated") is True or None),
    ]  # fmt: skip


def _reason(termination: Mapping[str, Any]) -> str | None:
    told = [termination.get("indicator"), *sequence(termination.get("reasons")), *sequence(termination.get("details"))]
    return " ".join(found for one in told[:20] if (found := text(one))) or None


def _message(body: Mapping[str, Any]) -> str | None:
    """The uncaught exception of the process, as newer systems tell it, and its last messages, as about one."""
    thrown = mapping(body.get("exceptionReason"))
    reason = ": ".join(one for name in ("name", "composed_message") if (one := text(thrown.get(name))))
    said = [text(one) for notes in mapping(body.get("asi")).values() for one in sequence(notes)[:20]]
    said = [one for one in said[:20] if one and "DYLD_" not in one]  # lines about its environment
    return " ".join(one for one in (reason, *said) if one) or None


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n").lstrip("\x00 \t\n")
    if _TRANSLATED.match(said):
        return True
    said = _from_brace(said)
    if not said.startswith("{"):
        return False
    header = said[: said.find("}") + 1] or said
    if _RECORD.search(header):
        return False
    if _PANICKED.search(said):
        return True
    return _HEADER.search(header) is not None or sum(key.search(said) is not None for key in _BODY) >= 2


APPLE_REPORT = Document("Apple's crash report", _recognises, _read)
