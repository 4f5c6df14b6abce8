"""Reports of Windows Error Reporting: the file ``Report.wer``, and the signature of a report.

A report has a type and up to ten values, whose names are in the language of the system; so English names are used, and
otherwise the position. The event log has reports too, with values only. A report is no crash if its type means that the
program went on (``LiveKernelEvent``, ``RADAR_PRE_LEAK_64``, failed updates).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.formats.crashes import Records, Told, Unfit, base_name, name_of, tags_of, text, whole
from ingest.formats.dates import time_of_filetime
from ingest.formats.format import Document, Head, decoded

_MOST_BYTES = 4 << 20  # a report with thousands of modules has less than 1 MiB; the rest is ignored
_NO_ID = "00000000-0000-0000-0000-000000000000"
CLR_EXCEPTION = "0xe0434352"

_CRASH = ("exe", "exe_version", "", "module", "module_version", "", "code", "offset")
_BEX = ("exe", "exe_version", "", "module", "module_version", "", "offset", "code")  # blocked execution of data
_HANG = ("exe", "exe_version", "", "hang_signature", "hang_type", "waits_for")
# What the values of a report mean, in order, by its type in upper case.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "APPCRASH": _CRASH,
    "BEX": _BEX,
    "BEX64": _BEX,
    "MOAPPCRASH": ("package", *_CRASH),
    "MOBEX": ("package", *_BEX),
    "INPAGEERROR": ("exe", "exe_version", "", "code"),
    "CLR20R3": ("exe", "exe_version", "", "module", "module_version", "", "method", "il_offset", "code"),
    "POWERSHELL": ("exe", "", "code"),
    "APPHANGB1": _HANG,
    "APPHANGXPROCB1": _HANG,
    "MOAPPHANG": ("package", *_HANG),
    "MOAPPHANGXPROC": ("package", *_HANG),
    "BLUESCREEN": ("code", "argument1", "argument2", "argument3", "argument4", "os_version"),
}
KINDS = tuple(_PLACES)  # the types that are known

_NAMES = {
    "application name": "exe", "application version": "exe_version", "application timestamp": "",
    "fault module name": "module", "fault module version": "module_version", "fault module timestamp": "",
    "exception code": "code", "exception offset": "offset", "exception data": "",
    "package full name": "package", "hang signature": "hang_signature", "hang type": "hang_type",
    "waiting on application name": "waits_for", "waiting on application version": "",
    "error status code": "code",
}  # fmt: skip
_TAGS = ("exe", "exe_version", "package", "hang_type", "hang_signature", "waits_for", "method", "il_offset")

_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{1,16})")
_ID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")
_UNLOADED = "_unloaded"  # behind the name of a module that was no longer there
_STACK_HASH = "StackHash_"  # in place of a module, if the code is in none
_HASHED_NAME = re.compile(r"[A-Z0-9]{32}")  # of an exception whose name is too long for a signature
_FIRST_LINE = re.compile(r"\s*Version=\d{1,9}\s")
_NEXT = re.compile(r"^(?=\ufeff?Version=\d{1,9}\s*$)", re.MULTILINE)
_TYPE_LINE = re.compile(r"^EventType=\S", re.MULTILINE)
_OTHER_LINE = re.compile(r"^(?:EventTime=\d|Sig\[0\]\.(?:Name|Value)=)", re.MULTILINE)
_LINE = re.compile(
    r"^(EventType|EventTime|ReportIdentifier|IntegratorReportIdentifier|Response\.BucketId|TargetAppVer"
    r"|(?:Dynamic)?Sig\[\d{1,3}\]\.(?:Name|Value)|OsInfo\[\d{1,3}\]\.(?:Key|Value))[^\S\n]*=([^\r\n]*)",
    re.MULTILINE,
)
_SYSTEM = re.compile(r"(\d{1,3}[._]\d{1,3}[._]\d{1,6})(?:[._].*)?")


@dataclass(frozen=True)
class Problem:
    """The crash in the signature of a report.

    Attributes:
        fields: of the record.
        tags: of the record.
    """

    fields: Mapping[str, Any]
    tags: Mapping[str, str]


def problem(kind: str, values: Sequence[str | None], names: Sequence[str | None] = ()) -> Problem | None:
    """The crash in the signature of a report; None if it is about no crash.

    Args:
        kind: the report's type, such as ``APPCRASH``.
        values, names: of the signature, in order; names may be missing or in any language.
    """
    places = _PLACES.get(kind.upper(), ())
    said: dict[str, str] = {}
    for at, value in enumerate(values):
        name = (names[at] if at < len(names) else None) or ""
        role = _NAMES.get(name.strip().lower(), places[at] if at < len(places) else "")
        if role and (given := text(value)):
            said.setdefault(role, given)
    # A report of an unknown type is a crash if it explicitly names an exception.
    if not places and not ("code" in said and "module" in said):
        return None
    tags = {name: said[name] for name in _TAGS if name in said}
    if said.get("module", "").startswith(_STACK_HASH):
        tags["stack"] = said["module"]
    tags |= {name: hex_code(given) or given for name, given in said.items() if name.startswith("argument")}
    return Problem({name: value for name, value in _fields(kind, said).items() if value is not None}, tags)


def _fields(kind: str, said: Mapping[str, str]) -> dict[str, Any]:
    if kind.upper() == "BLUESCREEN":
        system = os_version(said.get("os_version"))
        return {"domain": "kernel", "code": hex_code(said.get("code")), "os_version": system}
    if "HANG" in kind.upper():
        return {"domain": "hang", "code": kind, **place_of(said)}
    code = said.get("code")
    if kind.upper() == "CLR20R3" and (code is None or _HASHED_NAME.fullmatch(code)):
        code = CLR_EXCEPTION
    return {"domain": "user", "code": hex_code(code), **place_of(said)}


def place_of(said: Mapping[str, str]) -> dict[str, Any]:
    """Where a process crashed: the module at fault, or else the program.

    Args:
        said: ``module``, ``module_version``, ``offset``, ``exe``, ``exe_version``, if known.
    """
    module = base_name((said.get("module") or "").removesuffix(_UNLOADED) or None)
    if module is None or module.lower() == "unknown" or module.startswith(_STACK_HASH):
        exe = said.get("exe") or ""
        if exe.startswith("praid:") and "package" in said:  # a name within its package, which many have alike
            exe = said["package"].partition("_")[0]
        return {"module": base_name(exe or None), "module_version": version(said.get("exe_version"))}
    return {
        "module": module,
        "module_version": version(said.get("module_version")),
        "module_offset": _offset(said.get("offset")),
    }


def version(said: str | None) -> str | None:
    """A version; None for the ``0.0.0.0`` of a file that has none."""
    return None if said is None or not said.strip("0. ") else said


def hex_code(said: str | None) -> str | None:
    """A number as ``0xc0000005``, from hexadecimal digits with or without ``0x``; other text as it is."""
    found = _HEX.fullmatch(said or "")
    return f"0x{int(found[1], 16):x}" if found else said


def report_id(said: str | None, host_id: str | None) -> str | None:
    """A crash_id from the id of a report: a GUID is unique, another such as ``072726-9109-01`` only within its host."""
    given = (said or "").strip()
    found = _ID.fullmatch(given)
    if found:
        return found[1].lower() if found[1] != _NO_ID else None
    return name_of(host_id or "", given) if given else None


def _offset(said: str | None) -> int | None:
    found = _HEX.fullmatch(said or "")
    return whole(int(found[1], 16)) if found else None


def os_version(said: str | None) -> str | None:
    found = _SYSTEM.fullmatch(said or "")
    return found[1].replace("_", ".") if found else None


def _recognises(head: Head) -> bool:
    is_report = _FIRST_LINE.match(head.text) or _OTHER_LINE.search(head.text)
    return is_report is not None and _TYPE_LINE.search(head.text) is not None


def _read(data: bytes, told: Told) -> Records:
    """The crashes of a file, which may have several reports in sequence."""
    records = Records(told)
    reports = [_values(part) for part in _NEXT.split(decoded(data))]
    if not any("EventType" in said for said in reports):
        raise Unfit("bad_wer", "This is no report of Windows Error Reporting: it tells no EventType")
    for said in reports:
        if kind := said.get("EventType"):
            _add_report(records, kind, said)
    return records


def _values(part: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for line in _LINE.finditer(part):
        said.setdefault(line[1], text(line[2]) or "")
    return said


def _add_report(records: Records, kind: str, said: Mapping[str, str]) -> None:
    # For a packaged program, the name is that of the package; its file is the last part of the version.
    program = said.get("TargetAppVer", "").rpartition("!")[2]
    named = [program if program and one.startswith("praid:") else one for one in _listed(said, "Sig", "Value")]
    found = problem(kind, named, _listed(said, "Sig", "Name"))
    if found is not None:
        _add(records, kind, found, said)


def _add(records: Records, kind: str, found: Problem, said: Mapping[str, str]) -> None:
    host_id = records.host_id(())  # a report has no host
    own = [report_id(said.get(name), host_id) for name in ("IntegratorReportIdentifier", "ReportIdentifier")]
    identity = (kind, said.get("EventTime", ""), *_listed(said, "Sig", "Value"))
    system = dict(zip(_listed(said, "OsInfo", "Key"), _listed(said, "OsInfo", "Value"), strict=False))
    numbers = [system.get(name, "") for name in ("vermaj", "vermin", "verbld")]
    build = (system.get("verbld", ""), system.get("ubr", ""))
    dynamic = next((one for value in _listed(said, "DynamicSig", "Value") if (one := os_version(value))), None)
    fields = {
        "os_version": os_version(".".join(numbers)) or dynamic,
        "os_build": ".".join(build) if all(one.isdigit() for one in build) else None,
        **found.fields,
    }
    is_kernels = fields["domain"] == "kernel"
    records.crash(
        crash_id=next((one for one in own if one), None) or name_of(host_id or "", *identity),
        host_id=host_id,
        occurred_at=time_of_filetime(whole(said.get("EventTime")) or 0),
        time_quality="reboot" if is_kernels else "exact",
        os_type="windows",
        **fields,
        tags=tags_of(
            [
                ("event_type", kind),
                *found.tags.items(),
                ("report_id", said.get("ReportIdentifier")),
                ("bucket", said.get("Response.BucketId")),
            ]
        ),
    )


def _listed(said: Mapping[str, str], name: str, part: str) -> list[str]:
    """``Sig[0].Name``, ``Sig[1].Name``, … in numeric order; empty for a missing one in between."""
    numbers = [int(key[len(name) + 1 : key.index("]")]) for key in said if key.startswith(f"{name}[")]
    return [said.get(f"{name}[{number}].{part}", "") for number in range(max(numbers, default=-1) + 1)]


REPORT_WER = Document("report of Windows Error Reporting", _recognises, _read, _MOST_BYTES, is_cut=True)
