"""Stack traces that are text, as Python, Java, .NET, JavaScript and debuggers write them, innermost frame first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.collector.doors.crashes import LONGEST_TEXT, MOST_FRAMES, Frame, base_name, text

_LONGEST_STACK = 256 << 10  # characters; Python's innermost frames are at the end, the others' at the start
_LONGEST_LINE = 2000

_PYTHON_HEAD = "Traceback (most recent call last):"
_PYTHON = re.compile(r'\s*File "([^"]+)", line \d+(?:, in (.+))?')
_MANAGED = re.compile(
    r"\s*at (?:[\w.\-]+(?:@[\w.\-]+)?/{1,2})?([\w.$<>`]+)\.([\w$<>]+)\s?\(([^()]*(?:\([^()]*\))?)\)(?: in .+)?"
)
_SCRIPT = re.compile(r"\s*at (?:(?P<function>[^()]+?) )?\(?(?P<place>[^()\s]+?):\d+(?::\d+)?\)?")
_NATIVE = re.compile(r"\s*#(?P<number>\d+)\s+(?:0x)?[0-9a-fA-F]{4,16}\s+(?:in )?(?P<rest>\S.*)")
_IN_MODULE = re.compile(r"(?P<function>.*?)\s*\((?P<module>[^()]+?)\s?\+\s?0x(?P<offset>[0-9a-fA-F]{1,15})\)")
_IN_SOURCE = re.compile(r"(?P<function>.+?) (?:at )?(?P<place>/?[\w./\\+-]+\.\w{1,4}):\d+(?::\d+)?")
_NOT_KNOWN = frozenset(["n/a", "??", "???"])
_JAVA_PLACE = re.compile(
    r"[\w$]+\.(?:java|kt|scala|groovy|clj):\d+|Native Method|Unknown Source|[\w$]+\.(?:java|kt|scala)"
)


@dataclass(frozen=True)
class Stack:
    """What a text tells.

    Attributes:
        paths: files that it names, innermost first.
    """

    frames: Sequence[Frame] = ()
    paths: Sequence[str] = ()


def read(said: str) -> Stack:
    """The stack in a text; empty where there is none in a form that is known here."""
    if _PYTHON_HEAD in said or said.lstrip().startswith('File "'):
        return _python(said[-_LONGEST_STACK:])
    lines = [line[:_LONGEST_LINE] for line in said[:_LONGEST_STACK].splitlines()]
    for reader in (_native_frame, _managed_frame, _script_frame):
        found = _until_cause(lines, reader)
        if found.frames:
            return found
    return Stack()


def _python(said: str) -> Stack:
    """The last traceback of a chain: it is of the exception that was not caught. Its last frame is the innermost."""
    frames: list[Frame] = []
    paths: list[str] = []
    for line in reversed(said.rpartition(_PYTHON_HEAD)[2].splitlines()):
        found = _PYTHON.match(line[:_LONGEST_LINE])
        if found and len(frames) < MOST_FRAMES:
            frames.append(Frame(_short_path(found[1]), text(found[2])))
            paths.append(found[1])
    return Stack(frames, paths)


def _until_cause(lines: Sequence[str], reader: Callable[[str], tuple[Frame, str] | None]) -> Stack:
    """The frames of the first exception or thread of a text; what follows is what caused it, or another thread."""
    frames: list[Frame] = []
    paths: list[str] = []
    last = -1
    for line in lines:
        if frames and (line.lstrip().startswith("Caused by:") or len(frames) >= MOST_FRAMES):
            break
        found = reader(line)
        if found is None:
            continue
        numbered = _NATIVE.match(line)
        if numbered:
            number = int(numbered["number"][:6])
            if number <= last:
                break
            last = number
        frames.append(found[0])
        paths.append(found[1])
    return Stack(frames, paths)


def _native_frame(line: str) -> tuple[Frame, str] | None:
    """``#0  0x000055a00bf4a139 main (/opt/x/crash + 0x1139)``, or ``#0 0x7f in main /src/main.c:12:3``."""
    found = _NATIVE.fullmatch(line.rstrip())
    if found is None:
        return None
    rest = found["rest"]
    if inside := _IN_MODULE.fullmatch(rest):
        module = None if inside["module"] in _NOT_KNOWN else base_name(inside["module"])
        return Frame(module, _function(inside["function"]), int(inside["offset"], 16)), inside["module"]
    if source := _IN_SOURCE.fullmatch(rest):
        return Frame(None, _function(source["function"])), source["place"]
    return Frame(None, _function(rest)), ""


def _managed_frame(line: str) -> tuple[Frame, str] | None:
    """``at com.example.Main.run(Main.java:13)``, or ``at Example.Main.Run(String a) in C:\\src\\Main.cs:line 3``."""
    found = _MANAGED.fullmatch(line.rstrip())
    if found is None or (":" in found[3] and not _JAVA_PLACE.fullmatch(found[3])):
        return None
    return Frame(text(found[1]), text(found[2])), line.partition(" in ")[2]


def _script_frame(line: str) -> tuple[Frame, str] | None:
    """``at run (/app/main.js:3:9)``, ``at async Server.run (file:///app/main.mjs:3:9)``, ``at /app/main.js:3:9``."""
    found = _SCRIPT.fullmatch(line.rstrip())
    if found is None:
        return None
    path = found["place"].removeprefix("file://")
    function = (found["function"] or "").removeprefix("async ").removeprefix("new ")
    return Frame(_short_path(path), text(function)), path


def _function(said: str) -> str | None:
    return None if said.strip() in _NOT_KNOWN else text(said)


def _short_path(path: str) -> str | None:
    """A path without what differs from host to host: from the packages on, or its last two parts."""
    tidy = path.replace("\\", "/")
    for place in ("site-packages/", "dist-packages/", "node_modules/"):
        if place in tidy:
            return text(tidy.rpartition(place)[2])
    if tidy.startswith("node:"):
        return text(tidy)
    return text("/".join(tidy.split("/")[-2:]), LONGEST_TEXT)
