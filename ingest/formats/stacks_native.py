"""Stack texts of compiled code: debuggers and systemd, Rust, Go.

The name of a function in Rust or Go includes its package, so such a frame has no module.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ingest.formats.crashes import MOST_FRAMES, Frame, base_name, text
from ingest.formats.stack_steps import Step

_NOT_KNOWN = frozenset(["n/a", "??", "???", "<unknown>"])

_NATIVE = re.compile(r"\s*#(?P<number>\d{1,6})\s+(?:0x)?[0-9a-fA-F]{4,16}\s+(?P<in>in )?(?P<rest>\S.*)")
_NO_ADDRESS = re.compile(
    r"\s*#(?P<number>\d{1,6}) (?P<rest>\S.* \([^()]+\+0x[0-9a-f]{1,15}\)(?: \(BuildId: \w+\))?)(?P<in>$)"
)
_IN_MODULE = re.compile(r"(?P<module>[^()]+?)\s?\+\s?0x(?P<offset>[0-9a-fA-F]{1,15})")
_MODULE_ALONE = re.compile(r"[\w.+@~/\-]+")
_ANDROID = re.compile(r"\s*#(?P<number>\d{1,6})\s+pc (?:0x)?(?P<pc>[0-9a-fA-F]{4,16})\s+(?P<rest>\S.*)")
_ANDROID_PLACE = re.compile(
    r"(?P<module>\S+)(?: \(offset 0x[0-9a-f]+\))?"
    r"(?: \((?!BuildId: )(?P<function>.*?)(?:\+\d{1,9})?\))?(?: \(BuildId: \w+\))?"
)
_GDB = re.compile(r"\s*#(?P<number>\d{1,6})\s+(?:(?:0x)?[0-9a-fA-F]{4,16}\s+in )?(?P<rest>\S.*)")
_GDB_ARGUMENTS = re.compile(r" \((?:\)(?= at | from |$)|(?=[\w$@.]{1,100}=))")
_GDB_LIBRARY = re.compile(r"\) from (?P<library>\S.*)$")
_GDB_PLACE = re.compile(r"\) at (?P<path>\S.*):\d{1,9}$")
_GDB_SIGNAL = "<signal handler called>"
_IN_SOURCE = re.compile(
    r"(?P<function>.+?) (?:at )?(?P<place>[A-Za-z]:\\[^:]{1,500}"
    r"|(?:[A-Za-z]:)?(?:[\w.@+\\/-]*[\\/][\w.@+-]+|[\w+-]+\.\w{1,4})):\d+(?::\d+)?"
)
_INTO_FUNCTION = re.compile(r"\+0x[0-9a-f]{1,15}$")
_MODULE_BARE = re.compile(r"(?P<module>/\S+)\+(?:0x)?(?P<offset>[0-9a-fA-F]{1,15})")
_PROCESSOR = re.compile(r":(?:x86_64h?|arm64e?|i386)$")

_RUST_HEAD = re.compile(r"\W*(?:stack )?backtrace\W*", re.IGNORECASE)
_RUST = re.compile(r"(?P<number>\d{1,6}): +(?:0x[0-9a-f]{1,16} - )?(?P<name>\S.*)")
_RUST_PLACE = re.compile(r"at (?P<path>\S.*?):\d{1,9}(?::\d{1,9})?")
_RUST_QUALIFIED = re.compile(r"[A-Za-z_>\]]::[A-Za-z_<{]")
_RUST_CRATE_HASH = re.compile(r"\[[0-9a-f]{8,16}\]")

_GO_PLACE = re.compile(r"\s+(?P<path>\S.*\.(?:go|s)):\d{1,9}(?: \+0x[0-9a-f]+)?(?: fp=0x[0-9a-fx sp=]{1,80})?")
_GO_PANIC = "runtime.gopanic"


def native(lines: Sequence[str]) -> list[Step]:
    """``#0  0x000055a00bf4a139 main (/opt/x/crash + 0x1139)``, or ``#0 0x7f in main /src/main.c:12:3``: one thread."""
    steps: list[Step] = []
    last = -1
    for line, below in pairwise([*lines, ""]):
        said = line.rstrip()
        if below[:1].isspace() and below.lstrip().startswith(("at ", "from ")):  # a debugger's place on a new line
            said = f"{said} {below.strip()}"
        found = _GDB.fullmatch(said)
        step = _debuggers_step(found["rest"]) if found else None
        if step is None and (found := _ANDROID.fullmatch(said)):
            step = _androids_step(found["rest"], int(found["pc"], 16))
        if step is None:
            found = _NATIVE.fullmatch(line.rstrip()) or _NO_ADDRESS.fullmatch(line.rstrip())
            step = _native_step(found["rest"], is_debuggers=found["in"] is not None) if found else None
        if found is None or step is None:
            continue
        if int(found["number"]) <= last or len(steps) >= MOST_FRAMES:
            break
        last = int(found["number"])
        steps.append(step)
    return steps


def _debuggers_step(rest: str) -> Step | None:
    """``read (this=0x1, name="x") at /src/a.cc:3``, ``?? () from /lib/libc.so.6``. Arguments are left out."""
    if rest == _GDB_SIGNAL:
        return Step(Frame(None, rest), "")
    arguments = _GDB_ARGUMENTS.search(rest)
    if arguments is None:
        return None
    library, place = _GDB_LIBRARY.search(rest), _GDB_PLACE.search(rest)
    module = library["library"] if library else None
    return Step(
        Frame(_module(module) if module else None, _function(rest[: arguments.start()])),
        module or (place["path"] if place else ""),
    )


def _androids_step(rest: str, pc: int) -> Step | None:
    """``/data/app/x/base.apk!librelay.so (offset 0x1000) (relay::push(int)+20) (BuildId: 0a1b)``."""
    found = _ANDROID_PLACE.fullmatch(rest.replace(" (deleted)", ""))
    if found is None:
        return None
    module = found["module"].rpartition("!")[2]
    return Step(Frame(_module(module), text(found["function"]), pc), found["module"])


def _native_step(rest: str, *, is_debuggers: bool) -> Step:
    rest = rest.partition(" (BuildId: ")[0]
    called, opened, inside = rest.replace(" (deleted)", "").removesuffix(")").rpartition("(")
    if opened and rest.endswith(")"):
        if found := _IN_MODULE.fullmatch(inside):
            module = _PROCESSOR.sub("", found["module"])  # which architecture within a Mac's file
            source = _IN_SOURCE.fullmatch(called.strip())
            function = source["function"] if source else _INTO_FUNCTION.sub("", called.strip())
            return Step(Frame(_module(module), _function(function), int(found["offset"], 16)), module)
        # Older systemd has no offset. A debugger has a function's arguments there.
        if not is_debuggers and called[-1:].isspace() and _MODULE_ALONE.fullmatch(inside):
            return Step(Frame(_module(inside), _function(called)), inside)
    if found := _MODULE_BARE.fullmatch(rest):  # Android
        return Step(Frame(_module(found["module"]), None, int(found["offset"], 16)), found["module"])
    if found := _IN_SOURCE.fullmatch(rest):
        return Step(Frame(None, _function(found["function"])), found["place"])
    return Step(Frame(None, _function(rest)), "")


def rust(lines: Sequence[str]) -> list[Step]:
    """``2: acme::run::{{closure}}``, optionally with ``at ./src/main.rs:4:5`` below: of a panic, or kept by an error.

    Prose has numbered lines as well, so there must be more: a head, a place in Rust, or Rust names from 0 on.
    """
    head = next((at for at, line in enumerate(lines) if _RUST_HEAD.fullmatch(line)), None)
    steps: list[Step] = []
    first, last, is_rust = 0, -1, head is not None
    for line in lines[(head or 0) :]:
        said = line.strip()
        if steps and (place := _RUST_PLACE.fullmatch(said)):
            is_rust = is_rust or place["path"].endswith(".rs")
            if not steps[-1].path:
                steps[-1] = steps[-1]._replace(path=place["path"])
            continue
        found = _RUST.fullmatch(said)
        name = found["name"] if found else said
        # A function that the compiler inlined into the one above has no number of its own.
        is_within = not found and bool(steps) and line[:6].isspace() and "::" in said
        if not (found or is_within) or not _is_rust_name(name):
            continue
        number = int(found["number"]) if found else last
        if (found and number <= last) or len(steps) >= MOST_FRAMES:
            break
        first, last = (first if steps else number), number
        steps.append(Step(Frame(None, _function(_RUST_CRATE_HASH.sub("", name))), ""))
    if not is_rust:
        is_rust = first == 0 and any(_RUST_QUALIFIED.search(step.frame.function or "") for step in steps)
    return steps if is_rust else []


def _is_rust_name(said: str) -> bool:
    """Whether blanks occur only within brackets, as in ``<T as core::ops::FnOnce<A>>::call_once``."""
    if not (said[0].isalnum() or said[0] in "_<{&*?"):
        return False
    depth = 0
    for one in said.replace("->", ""):
        depth += (one in "<([{") - (one in ">)]}")
        if depth <= 0 and one.isspace():
            return False
    return True


def go(lines: Sequence[str]) -> list[Step]:
    """``main.(*Server).handle(0xc000010000)`` with ``\\t/src/server.go:42 +0x1d`` below: of the first goroutine."""
    steps: list[Step] = []
    for line, below in pairwise(lines):
        if steps and (line.startswith("goroutine ") or len(steps) >= MOST_FRAMES):
            break
        place = None if line[:1].isspace() else _GO_PLACE.fullmatch(below.rstrip())
        name = _go_function(line) if place else ""
        if place and name:
            steps.append(Step(Frame(None, text(name)), place["path"]))
    # Functions that run after the panic, such as a handler that prints this stack, are above it.
    panic = next((at for at, step in enumerate(steps) if step.frame.function == _GO_PANIC), 0)
    return steps[panic:]


def _go_function(line: str) -> str:
    name = line.strip().removeprefix("created by ").partition(" in goroutine ")[0]
    if name.endswith(")"):
        name = name[: name.rfind("(")]
    name = name.replace("[...]", "")
    if not name or any(one.isspace() for one in name):
        return ""
    return _GO_PANIC if name == "panic" else name  # Go uses the name from its sources


def _module(said: str) -> str | None:
    return None if said in _NOT_KNOWN else base_name(said)


def _function(said: str) -> str | None:
    return None if said.strip() in _NOT_KNOWN else text(said.strip())
