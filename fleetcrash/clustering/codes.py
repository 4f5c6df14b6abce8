"""Codes of crashes: one spelling for each, and the class of faults that it belongs to.

One fault appears under several codes (a bad pointer is bugcheck 0x50, 0x7e or 0xd1, depending on what it hits first),
so crashes are grouped by the class. What belongs where is in ``lists/code_classes.txt``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from fleetcrash.clustering.lists import lines

MAX_CODE_LENGTH = 80  # characters of a code that is a class of its own
_MAX_READ_LENGTH = 1000
_NT_STATUS = 0x40000000  # from here on a number is a status or exception code; below it is a bugcheck
_SAVED_DUMP = 0x10000000  # added to a bugcheck by the system's own minidumps: 0x1000007e is 0x7e

_HEX = re.compile(r"(?:0x)?([0-9a-f]{1,16})h?", re.IGNORECASE)
_NUMBER_IN_TEXT = re.compile(r"\b0x[0-9a-f]{1,8}\b|(?<=\()[0-9a-f]{1,8}(?=\))", re.IGNORECASE)
_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|SIG[A-Z0-9]{2,}|[A-Z]{3,}")
_NOISE = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8,}\b|\[[\s\d.]+\]|#\d+|\b\d+\b", re.IGNORECASE)
_EMPTY = re.compile(r"\[\W*\]|\(\W*\)")
_EXCEPTION = re.compile(
    r"([A-Za-z_$][\w.$:]*(?:Error|Exception|Failure|Warning|Interrupt|Exit|panic))\b(?:\s*:.*)?", re.DOTALL
)


@dataclass(frozen=True)
class CrashClass:
    """A class of faults: its name in a family, and its words in a title."""

    name: str
    title: str


UNKNOWN = CrashClass("unknown", "crash")
HANG = "hang"


@dataclass(frozen=True)
class _Known:
    """The list of classes, for look-ups: by code, names of codes, and patterns in order."""

    classes: dict[str, CrashClass]
    by_code: dict[str, str]
    names: dict[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...]


@cache
def _known() -> _Known:
    classes: dict[str, CrashClass] = {}
    by_code: dict[str, str] = {}
    names: dict[str, str] = {}
    patterns: dict[str, tuple[re.Pattern[str], str]] = {}
    current = ""
    for line in lines("code_classes"):
        head = re.fullmatch(r"\[(.+)\] ?(.*)", line)
        if head:
            current = head[1]
            classes.setdefault(current, CrashClass(current, head[2]))
        elif line.startswith("~"):
            text = line[1:].strip()
            patterns[text] = (re.compile(text, re.IGNORECASE), current)
        else:
            code, *others = line.split()
            told = [code] if code.startswith("0x") else []
            code = _hex(int(code, 16)) if told else code
            for name in others if told else (code, *others):
                names[name] = code if told else name
            for one in (code,) if told else (code, *others):
                by_code.setdefault(one, current)
    return _Known(classes, by_code, names, tuple(patterns.values()))


@cache
def _signals() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for line in lines("signals"):
        linux, darwin, name = line.split()
        found["linux", linux] = name
        found["darwin", darwin] = name
    return found


@lru_cache(maxsize=16_384)
def canonical_code(text: str | None, os_type: str) -> str:
    """A code in its one spelling: ``0x50``, ``SIGSEGV``, ``EXC_BAD_ACCESS``; other texts without numbers and addresses.

    Args:
        text: such as ``0x00000050``, ``PAGE_FAULT_IN_NONPAGED_AREA``, ``50``, ``11``, ``EXC_BAD_ACCESS (SIGSEGV)``.
    """
    code = " ".join((text or "")[:_MAX_READ_LENGTH].split())
    if not code:
        return ""
    number = _number(code, os_type)
    if number is not None:
        return number
    exception = _EXCEPTION.fullmatch(code)
    if exception:
        return exception[1]
    known = _known()
    whole = re.sub(r"[\s\-.]+", "_", code.upper())
    if whole in known.names:
        return known.names[whole]
    if len(code.split()) <= 6:  # a code with its name or kind, not a sentence
        told = [known.names[name] for name in _NAME.findall(code) if name in known.names]
        if told:
            return min(told, key=lambda one: one == "EXC_CRASH")  # EXC_CRASH says only that there was a crash
        if os_type == "windows":
            for found in _NUMBER_IN_TEXT.findall(code):
                number = _number(found, os_type)
                if number is not None and number in known.by_code:
                    return number
    plain = " ".join(_EMPTY.sub("", _NOISE.sub("", code)).split()).strip(" :,;.")
    return known.names.get(plain.upper(), plain) or code


def class_of(code: str) -> CrashClass:
    """The class of a code in its one spelling; a code that no line fits is a class of its own."""
    if not code:
        return UNKNOWN
    known = _known()
    name = known.by_code.get(code)
    if name is None and not _EXCEPTION.fullmatch(code):
        name = next((of for pattern, of in known.patterns if pattern.search(code)), None)
    if name is None or name == "-":
        own = code[:MAX_CODE_LENGTH].strip()
        return CrashClass(own, code_title(own))
    return known.classes[name]


def class_named(name: str) -> CrashClass:
    """A class of the list by its name."""
    return _known().classes[name]


@lru_cache(maxsize=1024)
def code_title(code: str) -> str:
    """A code for people: a bugcheck with its name, anything else as it is."""
    name = next((name for name, one in _known().names.items() if one == code and name != code), None)
    return f"{code} {name}" if name and code.startswith("0x") else code


def _number(text: str, os_type: str) -> str | None:
    signal = re.fullmatch(r"(?:signal|sig)?\s*#?(\d{1,2}|0x[0-9a-f]{1,2})", text, re.IGNORECASE)
    if os_type != "windows" and signal:
        return _signals().get((os_type, str(int(signal[1], 0 if "x" in signal[1].lower() else 10))))
    digits = _HEX.fullmatch(text)
    if re.fullmatch(r"-\d{5,10}|\d{10}", text):  # a status, as a signed or unsigned decimal number
        return _hex(int(text) & 0xFFFFFFFF)
    if digits and (os_type == "windows" or text.lower().startswith("0x")):
        return _hex(int(digits[1], 16))
    return None


def _hex(number: int) -> str:
    if number > 0xFFFFFFFF:  # sign-extended to 64 bits
        number &= 0xFFFFFFFF
    if _SAVED_DUMP <= number < _NT_STATUS:
        number -= _SAVED_DUMP
    return f"0x{number:x}"
