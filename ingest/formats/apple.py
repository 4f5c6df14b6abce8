"""Common to Apple's crash reports in JSON and text: names of systems, codes, and owners of code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ingest.formats.crashes import Frame, text

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
