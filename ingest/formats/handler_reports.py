"""What handlers of signals and exceptions that many programs share print: backward-cpp, Hyprland's, those on Windows.

On Windows a debugger stops at what nobody handled, and programs list the exception, its place and a stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.named_steps import Step, written
from ingest.formats.uncaught import Form
from ingest.formats.workers import WORD, signal_of

_Told = tuple[str | None, str, Sequence[str]]

# Its stack stands above the signal, outermost first, with lines of the source between the steps.
_BACKWARD = re.compile(r"Stack trace \(most recent call last\)(?: in thread \d{1,10})?:")
_BACKWARD_END = re.compile(rf"{WORD} \((?:[A-Z][\w ()-]{{2,80}}) ?(?:\[[^\]]{{1,40}}\]|\d{{1,10}} \d{{1,10}})?\)\s*$")
_BACKWARD_STEP = re.compile(
    r"#(?P<number>\d{1,6})\s{1,6}(?:\| )?(?:"
    r"Object \"(?:\[0x[0-9a-f]{1,16}\]|(?P<module>[^\"]{0,500}))\", at (?:0x)?[0-9a-f]{1,16}, "
    r"in ?(?P<function>.{0,2000}?)"
    r"|Source \"(?P<path>[^\"]{1,500})\", line \d{1,9}, in (?P<named>.{1,2000}?)(?: \[(?:0x)?[0-9a-f]{1,16}\])?)\s*$"
)
_BACKWARDS = re.compile(rf"#\d{{1,6}}\s|\s|{_BACKWARD_END.pattern}|$")
_BACKWARD_OWN = re.compile(r"backward::|sig_handler$|handleSignal$|load_(?:here|from)$|unwind<backward|__restore_rt$")
_MOST_OF_STACK = 1500

_RECEIVED = re.compile(
    r"(?P<exe>[A-Za-z][\w.-]{1,60}) received signal (?P<number>4|5|6|7|8|11) ?\([A-Z][\w /]{2,40}\)\s*$"
)
_RECEIVED_STEP = re.compile(
    r"\s{0,8}#\d{0,4} \| (?P<module>[^\s()]{1,500})"
    r"\((?P<symbol>[^\s()+]{0,1500})(?:\+0x(?P<offset>[0-9a-f]{1,12}))?\) \[0x[0-9a-f]{1,16}\]\s*$"
)
_RECEIVED_NAME = re.compile(r"\s{1,16}(?P<name>(?!\?\?)\S.{0,1500}?)\s*$")  # below a step, for its symbol
_RECEIVEDS = re.compile(r"(?!\s{0,8}Log tail:)")
_RECEIVED_OWN = re.compile(r"_Z\d{1,3}(?:getBacktracev|handleUnrecoverableSignali?)|_ZN13CrashReporter")
_OF_LIBC = re.compile(r"\S{0,300}/lib(?:c|pthread)[.-]")
_MOST_OF_SYSTEM = 400  # lines about the system, before the stack
_SYSTEM = re.compile(r"\s{1,8}(?P<name>Node name|Release): (?P<said>\S{1,255})\s*$")

_STOPPED = re.compile(  # as Visual Studio says it, and loaders of games
    r"Unhandled exception (?:thrown )?at (?:0x)?[0-9A-Fa-f]{8,16}"
    r"(?: \((?P<module>[^()\s]{1,100})\))? in (?P<exe>[^:()]{1,100}\.(?:exe|dll))"
    r"(?: \(\+0x(?P<offset>[0-9a-f]{1,12})\))?: (?P<code>0x[0-9A-Fa-f]{8})(?::.*|$)",
    re.IGNORECASE,
)
_RAISES = re.compile(r"KERNELBASE\.", re.IGNORECASE)
_LISTED = re.compile(
    r"\s{0,8}Exception code:\s{1,8}(?:0x)?(?P<code>[CE][0-9A-F]{7}) \(?(?:EXCEPTION_|STATUS_)?[A-Z_]{6,50}\)?\s*$",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\s{0,8}(?:(?:Exception|Instruction) Address: [0-9A-F]{8,16} "
    r"\((?P<module>[^()+]{1,300}?) \+ (?P<offset>[0-9a-f]{1,12})\)"
    r"|Fault address:\s{1,8}[0-9A-F]{8,16} [0-9A-F]{2,4}:(?P<into>[0-9A-F]{8,16}) (?P<path>\S.{0,400}?))\s*$",
    re.IGNORECASE,
)
_LISTED_STEP = re.compile(
    r"\s{0,4}(?:- (?P<module>[^+()]{1,400}?) \+ (?P<offset>[0-9a-f]{1,12})"
    r"(?: \((?P<function>\S.{0,500}?) \+ [0-9a-f]{1,12}\))?"
    r"|[0-9A-F]{8,16}\s{1,4}[0-9A-F]{8,16}\s{1,4}[0-9A-F]{4}:(?P<into>[0-9A-F]{8,16}) (?P<path>\S.{0,400}?))\s*$",
    re.IGNORECASE,
)
_LISTEDS = re.compile(r"(?!\s{0,8}(?:Exception code:|=+ Register))", re.IGNORECASE)
_GUARDED = re.compile(r"\*\*\* GWP-ASan detected a memory error \*\*\*")  # as LLVM's own prints it
_GUARDED_WHAT = re.compile(
    r"(?P<what>[A-Z][A-Za-z() ]{3,40}?) (?:occurred when trying to free memory )?at 0x[0-9a-f]{1,16} "
)
_GUARDED_STEP = re.compile(r"\s{0,4}#\d{1,4} (?P<step>(?:0x[0-9a-f]{1,16} in )?\S.{0,1500}?)\s*$")
# What a head has in it.
MARKS = ("Stack trace (most recent call last)", " received signal ", "Unhandled exception at ",
         "Unhandled exception thrown at ", "xception code: ", "xception Code: ", "*** GWP-ASan detected ")  # fmt: skip


def _of_backward(lines: Sequence[str]) -> _Told:
    end = next((found for line in lines if (found := _BACKWARD_END.match(line))), None)
    code = signal_of(end["word"]) if end else None
    heads = [at for at, line in enumerate(lines) if _BACKWARD.match(line)]
    steps: dict[int, Step] = {}
    for line in lines[heads[-1] :] if heads else lines:  # the last, as it may be printed where nothing is wrong
        if found := _BACKWARD_STEP.match(line):
            called = (found["function"] or found["named"] or "").strip() or None
            steps[int(found["number"])] = Step(called, found["module"] or None)
    order = [steps[number] for number in sorted(steps)]
    own = max((at + 1 for at, step in enumerate(order) if _BACKWARD_OWN.search(step.function or "")), default=0)
    said = end.string.strip() if end else lines[0].strip()
    return code, said, written(step for step in order[own:] if step.function or step.module)


def _of_received(lines: Sequence[str]) -> _Told:
    """The stack of the handler, which ends with the C library's code that called it."""
    head = _RECEIVED.fullmatch(lines[0].rstrip())
    found = [(at, step) for at, line in enumerate(lines) if (step := _RECEIVED_STEP.match(line))]
    own = max((at + 1 for at, (_, step) in enumerate(found) if _RECEIVED_OWN.match(step["symbol"])), default=0)
    if own and own < len(found) and _OF_LIBC.match(found[own][1]["module"]):
        own += 1
    code = canonical_code(head["number"], "linux") if head else None
    return code, lines[0].strip(), written(_received(step, lines[at + 1 : at + 2]) for at, step in found[own:])


def _of_guarded(lines: Sequence[str]) -> _Told:
    """The stack of the access; behind a blank line come those that allocated and freed the memory."""
    told = next((found for line in lines if (found := _GUARDED_WHAT.match(line))), None)
    steps = [found["step"] for line in lines if (found := _GUARDED_STEP.match(line))]
    return f"GWP-ASan: {told['what']}" if told else None, told.string.strip() if told else lines[0].strip(), steps


def system_of(form: Form | None, lines: Sequence[str]) -> tuple[str | None, str | None]:
    """The host, and its kernel's release, where a report tells them."""
    if form is None or form.head is not _RECEIVED:
        return None, None
    told = {found["name"]: found["said"] for line in lines[:_MOST_OF_SYSTEM] if (found := _SYSTEM.match(line))}
    return told.get("Node name"), told.get("Release")


def _received(step: re.Match[str], below: Sequence[str]) -> Step:
    if not step["symbol"]:
        return Step(None, step["module"], int(step["offset"] or "0", 16))
    named = _RECEIVED_NAME.match(below[0]) if below else None
    return Step(named["name"] if named else step["symbol"], step["module"])


def _of_stopped(lines: Sequence[str]) -> _Told:
    """Of an exception that was raised the place is the system's function to raise one."""
    head = _STOPPED.fullmatch(lines[0].rstrip())
    if head is None:
        return None, lines[0].strip(), ()
    if head["offset"] and not head["module"]:
        return head["code"].lower(), lines[0].strip(), written([Step(None, head["exe"], int(head["offset"], 16))])
    module = head["exe"] if not head["module"] or _RAISES.match(head["module"]) else head["module"]
    return head["code"].lower(), lines[0].strip(), written([Step("??", module)])


def _of_listed(lines: Sequence[str]) -> _Told:
    head = _LISTED.fullmatch(lines[0].rstrip())
    place = next((found for line in lines if (found := _PLACE.match(line))), None)
    steps = list(_listed(found for line in lines if (found := _LISTED_STEP.match(line))))
    steps = steps or list(_listed([place] if place else []))
    return f"0x{head['code'].lower()}" if head else None, lines[0].strip(), written(steps)


def _listed(found: Iterable[re.Match[str]]) -> Iterable[Step]:
    for one in found:
        told = one.groupdict()
        module = (told["module"] or told["path"]).rpartition("\\")[2]
        yield Step(told.get("function"), module, int(told["offset"] or told["into"], 16))


FORMS = (
    Form(_BACKWARD, _BACKWARD_END, _of_backward, _BACKWARDS, until=_MOST_OF_STACK),
    Form(_RECEIVED, _RECEIVED_STEP, _of_received, _RECEIVEDS, until=_MOST_OF_SYSTEM),
    Form(_STOPPED, None, _of_stopped),
    Form(_GUARDED, _GUARDED_WHAT, _of_guarded, _GUARDED_STEP),
    Form(_LISTED, _PLACE, _of_listed, _LISTEDS),
)
