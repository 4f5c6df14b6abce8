"""How runtimes of compiled languages end: native images of GraalVM, Dart, Kotlin/Native, Crystal and Nim.

Their own handlers print the fault and a stack in a form that only they have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.named_steps import Step, written
from ingest.formats.uncaught import Form

_SIGNO = r"(?:4|5|6|7|8|10|11)"
_GRAAL = re.compile(rf"\[ \[ (?:Substrate)?SegfaultHandler caught (?:a segfault|signal {_SIGNO}\b).{{0,80}}\] \]")
_GRAAL_SIGNAL = re.compile(rf"\s{{0,8}}siginfo: si_signo: (?P<number>{_SIGNO}),")
# All that it knows of its memory stands between the signal and the stack.
_GRAALS = re.compile(r"(?!Segfault detected, aborting process)")
_GRAAL_STEP = re.compile(
    r"\s{0,9}(?:[AJDi]\s{1,4})?SP 0x[0-9a-f]{1,16} IP 0x[0-9a-f]{1,16} (?:size=\d{1,9} )?.{0,60}?"
    r"(?P<step>(?:[A-Za-z_$][\w$]{0,200}\.){1,20}[\w$<>]{1,200}\([^()]{1,200}\))\s*$"
)
_DART = re.compile(r"=+ CRASH =+")
_DART_SIGNAL = re.compile(
    rf"si_signo=[A-Z][\w /]{{3,40}}\((?P<number>{_SIGNO})\), si_code=|ExceptionCode=(?P<code>-?\d{{1,10}}), "
)
_DARTS = re.compile(r"[\w ]{2,40}=|\s{1,4}pc 0x|\s*$")
_DART_STEP = re.compile(
    r"\s{1,4}pc 0x[0-9a-f]{1,16} fp 0x[0-9a-f]{1,16} (?P<function>(?!Unknown symbol|\[?0x)\S.{0,1000}?)"
    r"(?:\+(?P<offset>0x[0-9a-f]{1,16}))?\s*$"
)
_LIBRARY = re.compile(r"\S{1,300}\.(?:so(?:\.\d{1,9}){0,4}|dll|exe|dylib)")  # a place in it, where no name is known
_KOTLIN = re.compile(r"Uncaught Kotlin exception: (?P<name>[A-Za-z_][\w.]{0,200})(?:: .*)?")
_KOTLIN_STEP = re.compile(
    r"\s{1,8}at \d{1,4}\s{1,4}(?P<module>\S{1,200})\s{1,60}0x[0-9a-f]{4,16}\s{1,12}(?P<function>\S.{0,1000}?)"
    r" \+ \d{1,9}(?: \(.{1,300}\))?\s*$"
)
_KOTLIN_THROWS = re.compile(r"kfun:kotlin\.[\w.]{0,200}(?:Throwable|Exception|Error)#<init>")
_CRYSTAL = re.compile(rf"Invalid memory access \(signal (?P<number>{_SIGNO})\) at address 0x[0-9a-f]{{1,16}}")
_CRYSTAL_STEP = re.compile(
    r"\[0x[0-9a-f]{4,16}\] (?P<function>\S.{0,1000}?) \+\d{1,19}(?: in (?P<module>\S{1,300}))?\s*$"
)
_CRYSTAL_HANDLER = re.compile(r"[*~]?(?:Exception::CallStack|Crystal::System::Signal|procProc)")
_NIM = re.compile(r"Traceback \(most recent call last(?:, using override)?\)")
_NIM_STEP = re.compile(r"(?P<path>\S{1,300}\.nim)\((?P<line>\d{1,9})\) (?P<function>\S{1,200})\s*$")
_NIM_END = re.compile(
    r"(?P<signal>SIGSEGV|SIGABRT|SIGFPE|SIGILL|SIGBUS): [A-Z]"
    r"|Error: unhandled exception: .{0,1000}\[(?P<name>[A-Z]\w{2,60})\]\s*$"
)
_NIMS = re.compile(rf"{_NIM_STEP.pattern}|{_NIM_END.pattern}")
# What a head has in it.
MARKS = ("SegfaultHandler caught ", "= CRASH =", "Uncaught Kotlin exception: ", "Invalid memory access (signal ",
         "Traceback (most recent call last)", "Traceback (most recent call last, using override)")  # fmt: skip

_Told = tuple[str | None, str, Sequence[str]]


def _of_graal(lines: Sequence[str]) -> _Told:
    told = next((found for line in lines if (found := _GRAAL_SIGNAL.match(line))), None)
    steps = [f"\tat {found['step']}" for line in lines if (found := _GRAAL_STEP.match(line))]
    code = canonical_code(told["number"], "linux") if told else "SIGSEGV"
    return code, f"a native image received {code}", steps


def _of_dart(lines: Sequence[str]) -> _Told:
    told = next((found for line in lines if (found := _DART_SIGNAL.match(line))), None)
    code = None
    if told:
        code = canonical_code(told["number"], "linux") if told["number"] else f"{int(told['code']) & 0xFFFFFFFF:#x}"
    steps = [found for line in lines if (found := _DART_STEP.match(line))]
    return code, f"Dart received {code}", written(map(_dart, steps))


def _dart(step: re.Match[str]) -> Step:
    if step["offset"] and _LIBRARY.fullmatch(step["function"]):
        return Step(None, step["function"], int(step["offset"], 16))
    return Step(step["function"])


def _written(steps: Sequence[re.Match[str]]) -> list[str]:
    return written(Step(step["function"], step["module"]) for step in steps)


def _of_kotlin(lines: Sequence[str]) -> _Told:
    """Its innermost frames are those of the exception as it is made."""
    head = _KOTLIN.fullmatch(lines[0].rstrip())
    steps = [found for line in lines if (found := _KOTLIN_STEP.match(line))]
    own = next((at for at, step in enumerate(steps) if not _KOTLIN_THROWS.match(step["function"])), 0)
    return head["name"] if head else None, lines[0].strip(), _written(steps[own:])


def _of_crystal(lines: Sequence[str]) -> _Told:
    """Its innermost frames are those of its handler, and of the library that called that."""
    head = _CRYSTAL.fullmatch(lines[0].rstrip())
    steps = [found for line in lines if (found := _CRYSTAL_STEP.match(line))]
    own = max((at + 1 for at, step in enumerate(steps) if _CRYSTAL_HANDLER.match(step["function"])), default=0)
    if own and own < len(steps) and steps[own]["function"] == "??":
        own += 1
    return canonical_code(head["number"], "linux") if head else None, lines[0].strip(), _written(steps[own:])


def _of_nim(lines: Sequence[str]) -> _Told:
    """Its stack stands above what it died of, outermost first."""
    end = next((found for line in lines if (found := _NIM_END.match(line))), None)
    steps = [found for line in lines if (found := _NIM_STEP.match(line))]
    said = end.string.strip() if end else lines[0].strip()
    return (
        (end["signal"] or end["name"]) if end else None,
        said,
        written(Step(step["function"]) for step in reversed(steps)),
    )


FORMS = (
    Form(_GRAAL, _GRAAL_SIGNAL, _of_graal, _GRAALS),
    Form(_DART, _DART_SIGNAL, _of_dart, _DARTS),
    Form(_KOTLIN, _KOTLIN_STEP, _of_kotlin, aborts=True),
    Form(_CRYSTAL, _CRYSTAL_STEP, _of_crystal, _CRYSTAL_STEP),
    Form(_NIM, _NIM_END, _of_nim, _NIMS),
)
