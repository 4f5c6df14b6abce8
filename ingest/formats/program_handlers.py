"""What handlers of single programs print of a fault: Emacs, Node's segfault-handler, VPP, Wine, Blender, OBS.

Also the report that a server of Minecraft saves of what ended it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.caught_signals import below_handler
from ingest.formats.named_steps import Step, written
from ingest.formats.uncaught import Form

_Told = tuple[str | None, str, Sequence[str]]

_SIGNO = r"(?:4|5|6|7|8|11)"
_GLIBC_STEP = re.compile(
    r"[^\s(]{1,300}\([^\s()]{0,1500}\) ?\[0x[0-9a-f]{1,16}\]\s*$"
)  # as backtrace_symbols writes it
_EMACS = re.compile(rf"Fatal error (?P<number>{_SIGNO}): [A-Z][\w /]{{3,40}}")
_EMACSES = re.compile(rf"Backtrace:|\.\.\.|{_GLIBC_STEP.pattern}")
_EMACS_OWN = re.compile(
    r"[^\s(]{1,300}\((?:emacs_backtrace|terminate_due_to_signal|handle_fatal_signal|deliver_\w{1,40}|handle_sigsegv)\b"
)
_NODE = re.compile(
    r"PID (?P<pid>\d{1,10}) received (?P<signal>SIG(?:SEGV|ABRT|BUS|ILL|FPE)) for address: 0x[0-9a-f]{1,16}"
)
_NODE_OWN = re.compile(r"\S{0,300}segfault-handler\.node\(")
_VPP = re.compile(
    r"(?:.{0,100}\]: )?received signal (?P<signal>SIG(?:SEGV|ABRT|BUS|ILL|FPE)), PC 0x[0-9a-f]{1,16}"
    r"(?:, faulting address 0x[0-9a-f]{1,16})?"
)
_VPP_STEP = re.compile(
    r"(?:.{0,100}\]: )?#\d{1,4} {1,3}0x[0-9a-f]{1,16} (?P<function>\S{1,500}?)(?: \+ 0x[0-9a-f]{1,12})?\s*$"
)
_VPP_MODULE = re.compile(r"(?:.{0,100}\]: )?\s{2,8}from (?P<module>\S{1,500})\s*$")
_VPPS = re.compile(rf"{_VPP_STEP.pattern}|{_VPP_MODULE.pattern}|(?:.{{0,100}}\]: )?Code: ")
_WINE = re.compile(
    r"(?:\S{1,20}:)?(?:wine: )?Unhandled (?:exception: )?(?P<what>page fault|illegal instruction|division by zero"
    r"|stack overflow|privileged instruction|assertion failed|exception 0x(?P<code>[0-9a-f]{8}))\b.{0,300}",
    re.IGNORECASE,
)
_WINE_CODES = {
    "page fault": "0xc0000005", "illegal instruction": "0xc000001d", "division by zero": "0xc0000094",
    "stack overflow": "0xc00000fd", "privileged instruction": "0xc0000096", "assertion failed": "Assertion failed",
}  # fmt: skip
_WINE_PROOF = re.compile(r"=>0 0x[0-9a-f]{8,16}\b")
_WINE_STEP = re.compile(
    r"(?:=>|  )? ?(?P<number>\d{1,4}) 0x[0-9a-f]{8,16} (?P<function>(?!in )\S.{0,1000}?)? ?"
    r"\bin (?P<module>[\w.+-]{1,100})(?: \(\+0x(?P<offset>[0-9a-f]{1,12})\))?(?: \(0x[0-9a-f]{1,16}\))?\s*$"
)
_WINE_INTO = re.compile(r"(?:\+0x[0-9a-f]{1,12})?(?:\(.*\))?(?: \[[^\[\]]{1,500}\])?$")
_WINES = re.compile(r"(?!Modules:|System information:|Threads:)")
_LISTED = re.compile(  # of Blender, and of OBS
    r"(?:ExceptionCode {1,20}: (?P<name>EXCEPTION_[A-Z_]{5,40})|Unhandled exception: (?P<code>[ce][0-9a-f]{7}))"
)
_LISTED_CODES = {
    "EXCEPTION_ACCESS_VIOLATION": "0xc0000005", "EXCEPTION_STACK_OVERFLOW": "0xc00000fd",
    "EXCEPTION_ILLEGAL_INSTRUCTION": "0xc000001d", "EXCEPTION_INT_DIVIDE_BY_ZERO": "0xc0000094",
    "EXCEPTION_PRIV_INSTRUCTION": "0xc0000096", "EXCEPTION_IN_PAGE_ERROR": "0xc0000006",
    "EXCEPTION_ARRAY_BOUNDS_EXCEEDED": "0xc000008c", "EXCEPTION_NONCONTINUABLE_EXCEPTION": "0xc0000025",
}  # fmt: skip
_LISTED_PLACE = re.compile(
    r"Exception Module {1,20}: (?P<module>\S.{0,200}?)\s*$|Fault address: [0-9A-F]{8,16} \((?P<path>[^()]{1,400})\)",
)
_LISTED_STEP = re.compile(
    r"(?P<module>[\w.+-]{1,100}?)\s{1,40}:0x[0-9A-F]{8,16}  (?P<function>\S.{0,1000}?)\s*$"
    r"|[0-9A-F]{8,16} [0-9A-F]{8,16} (?:[0-9A-F]{8,16} ){2,4}(?P<of>[\w.+-]{1,100})!(?P<named>\S.{0,1000}?)\s*$"
)
_LISTED_NONE = re.compile(r"0x[0-9a-f]{1,16}$")
_LISTED_INTO = re.compile(r"\+0x[0-9a-f]{1,12}$")
_THREAD = re.compile(r"Thread [0-9A-F]{1,8}\b.{0,100}?(?P<died>\(Crashed\))?\s*$")
_LISTEDS = re.compile(r"(?!Loaded modules|List of loaded modules|# Python backtrace)")
_MINECRAFT = re.compile(r"-{2,8} Minecraft Crash Report -{2,8}")
_CAUSED_BY = "Caused by: "
_MINECRAFT_THROWN = re.compile(
    rf"(?:{_CAUSED_BY})?(?P<name>(?:[a-z_]\w{{0,60}}\.){{1,12}}[A-Z][\w$]{{0,100}})(?:: .*)?\s*$"
)
_MINECRAFT_STEP = re.compile(r"\s{1,8}at \S{1,500}\(")
_MINECRAFTS = re.compile(r"\s*$|//|Time: |Description: |(?:Caused by: )|[a-z_]\w{0,60}\.")
# What a head has in it.
MARKS = ("Fatal error ", " received SIG", "received signal SIG", "Unhandled page fault", "Unhandled exception",
         "Unhandled illegal instruction", "Unhandled division by zero", "Unhandled stack overflow", "ExceptionCode ",
         "Unhandled privileged instruction", "Unhandled assertion failed", "Minecraft Crash Report")  # fmt: skip


def _of_emacs(lines: Sequence[str]) -> _Told:
    head = _EMACS.fullmatch(lines[0].rstrip())
    steps = [line for line in lines if _GLIBC_STEP.match(line)]
    own = max((at + 1 for at, step in enumerate(steps) if _EMACS_OWN.match(step)), default=0)
    code = canonical_code(head["number"], "linux") if head else None
    return code, lines[0].strip(), below_handler(steps[own:])


def _of_node(lines: Sequence[str]) -> _Told:
    head = _NODE.fullmatch(lines[0].rstrip())
    steps = [line for line in lines if _GLIBC_STEP.match(line)]
    own = max((at + 1 for at, step in enumerate(steps) if _NODE_OWN.match(step)), default=0)
    own += own > 0 and own < len(steps) and "/libc." in steps[own]
    return head["signal"] if head else None, f"Node received {head['signal'] if head else None}", steps[own:]


def _of_vpp(lines: Sequence[str]) -> _Told:
    head = _VPP.fullmatch(lines[0].rstrip())
    steps: list[Step] = []
    for line in lines[1:]:
        if found := _VPP_STEP.match(line):
            steps.append(Step(None if found["function"].startswith("0x") else found["function"]))
        elif steps and steps[-1].module is None and (place := _VPP_MODULE.match(line)):
            steps[-1] = steps[-1]._replace(module=place["module"])
    code = head["signal"] if head else None
    return code, f"VPP received {code}", written(step for step in steps if step.function or step.module)


def _of_wine(lines: Sequence[str]) -> _Told:
    head = _WINE.fullmatch(lines[0].rstrip())
    code = None
    if head:
        code = f"0x{head['code'].lower()}" if head["code"] else _WINE_CODES[head["what"].lower()]
    steps: list[Step] = []
    for found in filter(None, map(_WINE_STEP.match, lines)):
        if int(found["number"]) != len(steps):  # of another thread
            break
        function = _WINE_INTO.sub("", found["function"] or "", count=1) or None
        offset = int(found["offset"], 16) if found["offset"] and not function else None
        steps.append(Step(function, found["module"], offset))
    return code, lines[0].strip(), written(steps)


def _of_listed(lines: Sequence[str]) -> _Told:
    head = _LISTED.fullmatch(lines[0].rstrip())
    code = None
    if head:
        code = f"0x{head['code']}" if head["code"] else _LISTED_CODES.get(head["name"], head["name"])
    died = next((at for at, line in enumerate(lines) if (found := _THREAD.match(line)) and found["died"]), 0)
    steps: list[Step] = []
    for line in lines[died + 1 :]:
        if steps and _THREAD.match(line):
            break
        if found := _LISTED_STEP.match(line):
            named = _LISTED_INTO.sub("", found["function"] or found["named"])
            steps.append(Step(None if _LISTED_NONE.match(named) else named, found["module"] or found["of"]))
    if not steps and (place := next((found for line in lines if (found := _LISTED_PLACE.match(line))), None)):
        steps = [Step(None, (place["module"] or place["path"]).rpartition("\\")[2])]
    return code, lines[0].strip(), written(steps)


def _of_minecraft(lines: Sequence[str]) -> _Told:
    """What was thrown stands below the head, with its stack and its causes, the first of which is the last."""
    thrown = [(at, found) for at, line in enumerate(lines) if at and (found := _MINECRAFT_THROWN.match(line))]
    if not thrown:
        return None, lines[0].strip(), ()
    at, found = thrown[-1] if lines[thrown[-1][0]].startswith(_CAUSED_BY) else thrown[0]
    return found["name"], lines[at].strip(), lines[at:]


FORMS = (
    Form(_EMACS, _GLIBC_STEP, _of_emacs, _EMACSES),
    Form(_NODE, _GLIBC_STEP, _of_node, _GLIBC_STEP),
    Form(_VPP, _VPP_STEP, _of_vpp, _VPPS),
    Form(_WINE, _WINE_PROOF, _of_wine, _WINES, until=200),
    Form(_LISTED, _LISTED_PLACE, _of_listed, _LISTEDS),
    Form(_MINECRAFT, _MINECRAFT_STEP, _of_minecraft, _MINECRAFTS),
)
