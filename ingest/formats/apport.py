"""Reports of Ubuntu's apport (``/var/crash/*.crash``): of processes, Python programs and the kernel.

Only a few fields are read. Those with secrets (environment, command line, groups) are not among them, nor is the core
dump, which may have any size. A report has neither the time zone nor the name of the host.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence

from fleetcrash.clustering.codes import canonical_code
from ingest.formats import kernel_lines, kernel_log, stacks
from ingest.formats.blame import at_fault
from ingest.formats.crashes import Frame, Records, Told, Unfit, base_name, name_of, tags_of, text
from ingest.formats.dates import date_in_words
from ingest.formats.format import Head, Log
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 256 << 10  # of a packed field; a kernel's log has a few such lines
_MOST_CHARACTERS = 256 << 10  # of the value of a field
_MOST_UNPACKED_BYTES = 8 << 20
_MOST_KERNEL_LINES = 5000  # the last ones, with the crash

_FIELD = re.compile(r"(?P<name>[A-Za-z][\w.-]{0,99}):(?: (?P<value>.*))?")
_HEAD = re.compile(r"^ProblemType: \w{1,40}\s*$", re.MULTILINE)
_BESIDE = re.compile(r"^(?:Architecture|Date|DistroRelease|ExecutablePath|Package|SourcePackage|Uname):", re.MULTILINE)
_UNAME = re.compile(r"Linux (?P<release>\d\S{0,100})")
_EXCEPTION = re.compile(r"(?P<name>[A-Za-z_][\w.]{0,200})(?::.*)?")
_PLACE = re.compile(r"(?P<module>[^:]+)\+(?P<offset>[0-9a-f]{1,15})")

# Other problem types, such as a package that could not be installed, are no crashes.
_DOMAINS = {"Crash": "user", "Hang": "hang", "KernelCrash": "kernel", "KernelOops": "kernel"}

_TAGS = {
    "DistroRelease": "os_name", "Package": "package", "SourcePackage": "source_package", "Title": "title",
    "AssertionMessage": "message", "SegvReason": "reason", "Architecture": "architecture", "CrashCounter": "count",
    "SystemdUnit": "unit",
}  # fmt: skip
_HELD = frozenset(_TAGS) | {
    "ProblemType", "Date", "ExecutablePath", "Signal", "SignalName", "Stacktrace", "StacktraceTop",
    "StacktraceAddressSignature", "Uname", "Traceback", "OopsText", "VmCoreDmesg", "Failure",
}  # fmt: skip
_PACKED = "VmCoreDmesg"  # apport takes it from a file, so it is in base64


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    return _HEAD.search(said) is not None and _BESIDE.search(said) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    """The crashes of a file, which may have several reports in sequence."""
    is_told = False
    for report in _reports(text_lines_in(blocks, _LONGEST_LINE)):
        domain = _DOMAINS.get(report.get("ProblemType", ""))
        is_told = is_told or "ProblemType" in report
        records = Records(told)
        if domain == "kernel":
            _add_kernels(records, report)
        elif domain is not None:
            _add_process(records, report, domain)
        yield records
    if not is_told:
        raise Unfit("bad_apport", "The apport report does not tell its ProblemType")


def _reports(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The fields of each report, which begins with its type.

    A field is a name with a value on its line, or on the lines below that begin with a blank.
    """
    held: dict[str, list[str]] = {}
    value: list[str] | None = None
    left = 0
    for line in lines:
        if line.startswith((" ", "\t")):
            if value is not None and left > 0:
                value.append(line[1:])
                left -= len(line)
            continue
        field = _FIELD.fullmatch(line)
        name = field["name"] if field else ""
        value = None
        if name == "ProblemType" and name in held:
            yield _joined(held)
            held = {}
        is_packed = field is not None and field["value"] == "base64"
        if field and name in _HELD and name not in held and (name == _PACKED or not is_packed):
            value = held[name] = [field["value"]] if field["value"] else []
            left = _MOST_CHARACTERS
    yield _joined(held)


def _joined(held: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Fields as texts; packed ones are unpacked."""
    packed = held.get(_PACKED, ())
    unpacked = {_PACKED: _unpacked(packed[1:])} if packed[:1] == ["base64"] else {}
    return {name: "\n".join(parts).strip() for name, parts in {**held, **unpacked}.items()}


def _unpacked(lines: Sequence[str]) -> list[str]:
    """The lines of a text, given the pieces of a gzip file; as far as it is intact."""
    inflater = zlib.decompressobj(wbits=31)
    text = b""
    try:
        for line in lines:
            text += inflater.decompress(base64.b64decode(line), _MOST_UNPACKED_BYTES - len(text))
            if len(text) >= _MOST_UNPACKED_BYTES:
                break
    except (ValueError, zlib.error):
        pass
    return text.decode("utf-8", "replace").splitlines()


def _add_process(records: Records, report: Mapping[str, str], domain: str) -> None:
    exe = base_name(report.get("ExecutablePath"))
    frames, code = _stack(report), _code(report)
    host_id, at = records.host_id(()), _time(report.get("Date", ""))
    records.crash(
        crash_id=_name(report, host_id),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type="linux",
        os_version=_kernel_release(report),
        domain=domain,
        code=code,
        **at_fault(frames, exe, code=code),
        frames=frames,
        tags=tags_of([("exe", exe), *((tag, report.get(name)) for name, tag in _TAGS.items())]),
    )


def _add_kernels(records: Records, report: Mapping[str, str]) -> None:
    """Add the crash in the kernel's own text; a warning is none, although apport calls it an oops.

    A failure to resume leaves no text: it is noticed at the next boot.
    """
    said = report.get("OopsText") or report.get("VmCoreDmesg")
    fault = None
    if said:
        last = "\n".join(said.splitlines()[-_MOST_KERNEL_LINES:])
        told = list(kernel_lines.lines_of(last, 0, _MOST_KERNEL_LINES))
        fault = next((one for one in kernel_log.faults(told) if one.domain == "kernel"), None)
        if fault is None:
            return
    host_id, at, failure = records.host_id(()), _time(report.get("Date", "")), report.get("Failure", "")
    records.crash(
        crash_id=_name(report, host_id),
        host_id=host_id,
        occurred_at=at,
        time_quality=("reboot" if "resume" in failure else "log") if at else None,
        os_type="linux",
        os_version=_kernel_release(report),
        domain="kernel",
        code=fault.code if fault else text(failure),
        module=fault.module if fault else None,
        module_offset=fault.module_offset if fault else None,
        frames=fault.frames if fault else (),
        uptime_s=fault.line.clock if fault else None,
        tags=tags_of(
            [*(fault.tags.items() if fault else ()), *((tag, report.get(name)) for name, tag in _TAGS.items())]
        ),
    )


def _name(report: Mapping[str, str], host_id: str | None) -> str:
    """An id that stays the same when a stack is added to a report."""
    known = (report.get(name, "") for name in ("ProblemType", "Date", "ExecutablePath", "Signal", "OopsText"))
    return name_of(host_id or "", *known)


def _time(said: str) -> str | None:
    """A date without zone, as UTC; None for an empty one; other text as it came."""
    return date_in_words(said) or said or None


def _code(report: Mapping[str, str]) -> str | None:
    if signal := text(report.get("SignalName")):
        return signal
    if signal := text(report.get("Signal")):
        return canonical_code(signal, "linux") or signal
    for line in reversed(report.get("Traceback", "").splitlines()):
        # The exception follows the last frame, and its text may have several lines.
        if line.startswith((" ", "\t")) or not (found := _EXCEPTION.fullmatch(line)):
            continue
        return found["name"]
    return None


def _stack(report: Mapping[str, str]) -> list[Frame]:
    """A traceback, a debugger's stack, its top, or only modules and offsets, whichever the report has."""
    top = "\n".join(f"#{number}  {line}" for number, line in enumerate(report.get("StacktraceTop", "").splitlines()))
    for said in (report.get("Traceback", ""), report.get("Stacktrace", ""), top):
        if frames := stacks.read(said).frames:
            return list(frames)
    places = map(_PLACE.fullmatch, report.get("StacktraceAddressSignature", "").split(":"))
    return [Frame(base_name(place["module"]), None, int(place["offset"], 16)) for place in places if place]


def _kernel_release(report: Mapping[str, str]) -> str | None:
    found = _UNAME.match(report.get("Uname", ""))
    return found["release"] if found else None


APPORT = Log("apport report", _recognises, _read)
