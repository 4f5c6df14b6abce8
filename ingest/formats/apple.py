"""Common to Apple's crash reports in JSON and text: names of systems, codes, and owners of code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ingest.formats.crashes import Frame, text, time_of

_SYSTEM = re.compile(
    r"(?:^|\s)(?P<version>\d{1,3}(?:\.\d{1,3}){0,3})(?: \([a-z]\))?(?: \((?:Build )?(?P<build>\w{3,16})\))?(?=\s|$)"
)
_OF_SYSTEM = re.compile(r"(?:^|/)(?:System/(?!Volumes/Data/)|usr/lib/|usr/libexec/)")
_NO_ID = re.compile(r"\W*(?:TODO|null|unknown|0{8}-0{4}-0{4}-0{4}-0{12})\W*", re.IGNORECASE)

# Codes with which the system says why it ended a process; they say more than SIGKILL.
_KILLS = frozenset([
    0x8BADF00D,  # it did not answer in time
    0xDEAD10CC,  # it held a lock on a file while it was suspended
    0xC00010FF,  # the device became too hot
    0xBAD22222, 0xBAADCA11, 0xBADDD15C, 0xBADA5E47, 0xD00D2BAD, 0xDEADFA11,
    0xC51BAD01, 0xC51BAD02, 0xC51BAD03,
])  # fmt: skip
# Who ended a process because of what it consists of: an invalid signature, a missing library. The exception or the
# signal says only how it was ended.
_ENDED_BY = (
    ("CODESIGNING", re.compile(r"\bCODESIGNING\b|Code Signature Invalid")),
    ("DYLD", re.compile(r"\bDYLD\b")),
)
_TWELVE_HOURS = re.compile(  # as some reporters write a time on devices that show it so
    r"(?P<day>\d{4}-\d\d-\d\d)[ T](?P<before>[^\d\s:.]{2})? ?(?P<hour>\d{1,2})(?P<rest>:\d\d:\d\d(?:\.\d{1,9})?)"
    r"(?:[ \u00a0\u202f]?(?P<behind>[ap])\.?m\.?)?(?P<zone> ?[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_AFTERNOON = frozenset(["p", "\u4e0b\u5348", "\u5348\u5f8c", "\uc624\ud6c4"])
_FORENOON = frozenset(["a", "\u4e0a\u5348", "\u5348\u524d", "\uc624\uc804"])
_NUMBER = re.compile(r"0x[0-9a-f]{8,16}\b|\b\d{10}\b", re.IGNORECASE)


@dataclass(frozen=True)
class Image:
    """A file with code in a process.

    Attributes:
        start, end: its addresses; ``end`` is the byte after the last.
    """

    name: str | None
    path: str = ""
    version: str | None = None
    start: int = 0
    end: int = 0


class Step(NamedTuple):
    """A frame, and the image that its code is in."""

    frame: Frame
    image: Image | None = None


def system_of(said: Any) -> tuple[str | None, str | None]:
    """Version and build of ``Mac OS X 10.14.0 (18A391)``, ``iPhone OS 17.1.2 (21B101)``."""
    found = _SYSTEM.search(text(said) or "")
    return (found["version"], found["build"]) if found else (None, None)


def time_in(said: Any) -> str | None:
    """A time of a report in the contract's form, also where it has the digits or the hours of the device's language."""
    if not isinstance(said, str):
        return time_of(said)
    plain = "".join(str(unicodedata.decimal(one, one)) for one in said[:80])
    found = _TWELVE_HOURS.fullmatch(plain)
    half = ((found["before"] or found["behind"] or "") if found else "").lower()
    if found is None or half not in _AFTERNOON | _FORENOON or not 1 <= int(found["hour"]) <= 12:
        return time_of(said if said.isascii() else plain)
    hour = int(found["hour"]) % 12 + 12 * (half in _AFTERNOON)
    return time_of(f"{found['day']} {hour:02}{found['rest']}{found['zone'] or ''}")


def code_of(exception: str | None, signal: str | None, killed: Iterable[str | None] = ()) -> str | None:
    """The code with which a process ended.

    Args:
        killed: texts about who ended it and why.
    """
    said = " ".join(one for one in killed if one)
    for ended_by, form in _ENDED_BY:
        if form.search(said):
            return ended_by
    for number in _NUMBER.findall(said):
        code = int(number, 16 if "x" in number.lower() else 10)
        if code in _KILLS:
            return f"{code:#x}"
    # EXC_CRASH says only that there was a signal.
    return signal if signal and exception in (None, "EXC_CRASH") else exception


def is_hang(killed: Iterable[str | None]) -> bool:
    """Whether a process was ended because it did not answer."""
    said = " ".join(one for one in killed if one).lower()
    return "watchdog" in said or "8badf00d" in said or str(0x8BADF00D) in said


def blamed(steps: Sequence[Step], process: str | None) -> dict[str, Any]:
    """The innermost code that is not the system's own; the process if there is none on the stack."""
    step = next((step for step in steps if _is_own(step, process)), None)
    if step is None and process is None:
        step = next((step for step in steps if step.frame.module), None)
    if step is None:
        return {"module": process}
    version = step.image.version if step.image else None
    return {"module": step.frame.module, "module_version": version, "module_offset": step.frame.offset}


def _is_own(step: Step, process: str | None) -> bool:
    if step.frame.module is None:
        return False
    path = step.image.path if step.image else ""
    return step.frame.module == process or (bool(path) and not _OF_SYSTEM.search(path))


def own_id(said: Any) -> str | None:
    """An id of a report or of a machine; None for a placeholder."""
    found = said.strip() if isinstance(said, str) else None
    return None if not found or _NO_ID.fullmatch(found) else found
