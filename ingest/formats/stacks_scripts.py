"""Stack texts of JavaScript, PHP, Ruby and Lua."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from ingest.formats.crashes import MOST_FRAMES, Frame, text
from ingest.formats.stack_steps import Step, is_path, path_of, short_path, steps_of

_COMPILED = (".rs", ".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".go", ".swift", ".m", ".mm", ".zig")
_V8_FUNCTION = re.compile(r"(?:(?:async|new) )*(?P<name>(?:(?:get|set|static) )?[^\s()]+(?: \[as [^\s\]]+\])?)")
_GECKO_FUNCTION = re.compile(r"(?:[\w .]{1,60}\*)?(?P<name>[^\s*]*|(?:global|eval|module) code)")
_GECKO_WITHIN = re.compile(r"(?:/<)+$")

_PHP = re.compile(
    r"\s*#(?P<number>\d{1,6}) (?:(?:\[internal function\]|(?P<path>\S.*?)\(\d{1,9}\)): (?P<called>\S.*)|\{main\})"
)
_PHP_CALL = re.compile(r"(?P<function>[^\s()]+)\(.*")

_RUBY = re.compile(
    r"(?:(?P<number>\d{1,6}): )?(?P<from>from )?(?P<path>(?:[A-Za-z]:)?[^:]+):\d{1,9}"
    r":in [`'](?P<function>[^`']+)'(?P<message>: .*)?"
)
_RUBY_WITHIN = re.compile(r"(?:(?:block|rescue|ensure)(?: \(\d{1,4} levels\))? in )+")

_LUA = re.compile(
    r"\s*(?P<path>\[C\]|(?:[A-Za-z]:)?[^\s:][^:]{0,300}):(?:\d{1,9}:)? in (?:(?P<whole>main chunk)|\?"
    r"|(?:local|upvalue|method|field|global|metamethod|function|for iterator)"
    r" (?:'(?P<name>[^']{1,300})'|<[^<>]{1,300}>))"
)


def javascript(lines: Sequence[str]) -> list[Step]:
    """Stacks of Node, browsers and Hermes, without calls of the engine itself, as ``Array.map (<anonymous>)``."""
    outer = takewhile(lambda line: not line.lstrip().startswith("[cause]: "), lines)
    return steps_of(list(outer), lambda line: _v8_step(line.strip()) or _gecko_step(line.strip()))


def _v8_step(line: str) -> Step | None:
    """``at run (/app/main.js:3:9)``, ``at async Server.run (file:///app/main.mjs:3:9)``, ``at /app/main.js:3:9``."""
    if not line.startswith("at "):
        return None
    line = line.removesuffix(" {")  # what else the error has comes after its last frame
    called, place = "", line[3:].strip().removeprefix("async ")
    if line.endswith(")"):
        called, _, place = line[3:-1].strip().partition(" (")
        if place.startswith("eval at "):  # run (/app/main.js:3:9), <anonymous>:1:1
            place = place[place.rfind("(") + 1 :].partition(")")[0]
    function = _V8_FUNCTION.fullmatch(called)
    path = path_of(place.removeprefix("address at "), with_column=not called)
    if path is None or path.endswith(_COMPILED) or (called and function is None):
        return None
    path = path.removeprefix("file://")
    return Step(Frame(short_path(path), text(function["name"]) if function else None), path)


def _gecko_step(line: str) -> Step | None:
    """``run@https://app.example/main.js:3:9``, as Firefox and Safari write it; ``run/<@…`` is a function inside run."""
    called, at, place = line.partition("@")
    function = _GECKO_FUNCTION.fullmatch(called) if at else None
    path = path_of(place.replace(" > eval", ""), with_column=True) if function else None
    if function is None or path is None:
        return None
    path = path.partition(" line ")[0].removeprefix("file://")
    return Step(Frame(short_path(path), text(_GECKO_WITHIN.sub("", function["name"]))), path)


def php(lines: Sequence[str]) -> list[Step]:
    """``#0 /app/src/Foo.php(12): Acme\\Foo->bar()``: the place is that of the call, one step further out.

    The place at which the innermost function threw is at the end of the head, as ``in /app/src/Bar.php:34``.
    """
    steps: list[Step] = []
    path, last = "", -1
    for line in lines:
        found = _PHP.fullmatch(line.rstrip())
        if found is None:
            if not steps:
                path = path_of(line.rstrip().rpartition(" in ")[2]) or path
            continue
        call = _PHP_CALL.fullmatch(found["called"] or "{main}()")
        if call is None or (found["path"] and not is_path(found["path"])):
            continue
        if int(found["number"]) <= last or len(steps) >= MOST_FRAMES:
            break
        last = int(found["number"])
        steps.append(Step(Frame(short_path(path), text(call["function"])), path))
        path = found["path"] or ""
    return steps


def ruby(lines: Sequence[str]) -> list[Step]:
    """``/app/lib/acme.rb:12:in 'Acme#run'``, of the first exception; outermost first if they are numbered."""
    steps: list[Step] = []
    is_numbered = False
    for line in lines:
        found = _RUBY.fullmatch(line.strip())
        if found is None or (" " in found["path"] and not is_path(found["path"])):
            continue
        if steps and found["message"] and not is_numbered:  # the cause
            break
        function = _RUBY_WITHIN.sub("", found["function"])
        steps.append(Step(Frame(short_path(found["path"]), text(function)), found["path"]))
        if is_numbered and not found["number"]:  # the innermost
            break
        is_numbered = is_numbered or found["number"] is not None
    return steps[::-1] if is_numbered else steps


def lua(lines: Sequence[str]) -> list[Step]:
    """``/app/lib/queue.lua:12: in method 'push'``; functions in C that only raise an error are left out."""
    steps: list[Step] = []
    for line in lines:
        found = _LUA.fullmatch(line.rstrip())
        path = found["path"] if found else ""
        if found is None or (path == "[C]" and not steps) or (path != "[C]" and not is_path(path)):
            if steps and "stack traceback:" in line:  # of the next error
                break
            continue
        if len(steps) >= MOST_FRAMES:
            break
        path = "" if path == "[C]" else path
        steps.append(Step(Frame(short_path(path), text(found["name"] or found["whole"])), path))
    return steps
