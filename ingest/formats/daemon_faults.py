"""Faults that daemons and programs of the desktop tell of themselves in forms of their own; see ``server_faults``.

Samba, FRR, GlusterFS, BIND, Zabbix, strongSwan, Oracle's database, LibreOffice, Godot, and C++ with Abseil's handler.
Most print what glibc says of their stack, outermost last, and above it the handler of the signal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.caught_signals import Told, below_handler
from ingest.formats.named_steps import Step, below_signal, written
from ingest.formats.uncaught import Form

_SIGNO = r"(?P<number>4|5|6|7|8|11)"
# A step as glibc prints it, behind its number or what a log writes before it.
_STEP = re.compile(
    r"(?:.{0,120}?[\s\]:] ?)?(?P<step>(?P<module>[^\s()\[\]]{1,300})\((?P<function>[^()+]{0,500}(?:\([^()]{0,300}\))?)"
    r"(?:\+0x[0-9a-f]{1,15})?\) ?\[(?:0x)?[0-9a-f]{4,16}\])(?: \(.{0,300}\))?\s*$"
)
_SAMBA = re.compile(
    rf"(?:.{{0,60}}\s)?INTERNAL ERROR: Signal {_SIGNO}\b.{{0,200}} ?pid \d{{1,10}} \(\d[\w.-]{{0,40}}\)"
    r"|(?:.{0,60}\s)?PANIC \(pid \d{1,10}\): (?P<why>\S.{0,300})"
)
_SAMBA_PID = re.compile(r".{0,260}?\bpid (?P<same>\d{1,10})\b")
_SAMBAS = re.compile(
    r"\[\d{4}/.{10,120}(?:fault|util|dumpcore|popt_common)\.c:|\S{3,60}(?:fault|util|dumpcore)\.c:\d{1,5}: \["
    r"|\s{1,9}(?:#\d|BACKTRACE|={9}|If you are)|#\d|BACKTRACE"
    r"|={9}|If you are running|unable to produce|dumping core|coredump is"
)
_SAMBA_OWN = re.compile(r"smb_panic|log_stack_trace|fault_report|sig_fault")
_FRR = re.compile(
    rf"(?:[A-Z][\w-]{{1,15}}: )?Received signal {_SIGNO} at \d{{9,11}} \(si_addr 0x[0-9a-f]{{1,16}}.{{0,60}}\); "
    r"aborting\.\.\."
)
_FRR_STEP = re.compile(
    r"(?:[A-Z][\w-]{1,15}: )?(?P<function>\S{1,300}?)(?:\+0x[0-9a-f]{1,15})?\s{1,60}[0-9a-f]{6,16}\s{1,9}"
    r"[0-9a-f]{6,16} (?P<module>/\S{1,300}) \(mapped at "
)
_FRR_SIGNAL = re.compile(r"(?:[A-Z][\w-]{1,15}: )?\s{0,9}-{4} signal -{4}")
_FRRS = re.compile(
    rf"{_FRR_STEP.pattern}|{_FRR_SIGNAL.pattern}|(?:[A-Z][\w-]{{1,15}}: )?(?:/\S{{1,300}}\(|in thread |Backtrace )"
)
_GLUSTER = re.compile(rf"signal received: {_SIGNO}")
_GLUSTERS_PROOF = re.compile(r"time of crash:")
_GLUSTERS = re.compile(
    r"time of crash:|\d{4}-\d\d-\d\d \d\d:|configuration details:|[a-z][\w.]{2,20} 1\s*$|package-string: |/\S{1,300}\("
)
_BIND = re.compile(
    r"(?:.{0,100}\s)?(?P<source>[a-z]\w{0,60}\.[ch]):\d{1,7}: "
    r"(?P<what>(?:REQUIRE|INSIST|ENSURE|INVARIANT|RUNTIME_CHECK)\(.{1,2000}\)) failed(?:, back ?trace)?"
)
_BIND_PROOF = re.compile(r".{0,120}(?:exiting \(due to assertion failure\)|isc_assertion_failed)")
_BINDS = re.compile(
    r".{0,120}(?:exiting \(due to assertion failure\)|(?:[\s:]|^)(?:/\S{1,300}\(|#\d{1,3} 0x|.{0,20}\[0x))"
)
_BIND_OWN = re.compile(r"isc_assertion_failed|assertion_failed")
_ZABBIX_AT = r"\s{0,9}\d{1,10}:\d{8}:\d{6}\.\d{3} "
_ZABBIX = re.compile(
    rf"(?:{_ZABBIX_AT})?Got signal \[signal:{_SIGNO}\(SIG[A-Z]{{2,5}}\),reason:.{{1,80}}\]\. Crashing \.\.\."
)
_ZABBIX_PROOF = re.compile(rf"(?:{_ZABBIX_AT})?={{6}} Fatal information: ={{6}}")
_ZABBIX_STEP = re.compile(
    rf"(?:{_ZABBIX_AT})?\d{{1,3}}: (?P<module>[^\s():]{{1,300}})[^()]{{0,200}}"
    r"\((?P<function>[^()+]{0,300})(?:\+(?:0x)?[0-9a-f]{1,15})?\) ?\[0x[0-9a-f]{4,16}\]\s*$"
)
_ZABBIXS = re.compile(
    rf"(?:{_ZABBIX_AT})?(?:{_ZABBIX_PROOF.pattern}|Program counter|=== |\S{{2,14}} {{1,9}}= |\d{{1,3}}: )"
)
_SWAN = re.compile(rf"(?:\d\d)?\[DMN\] thread \d{{1,6}} received {_SIGNO}")
_SWAN_PROOF = re.compile(r"(?:\d\d)?\[(?:DMN\] killing ourself|LIB\]\s{1,4}dumping \d)")
_SWAN_STEP = re.compile(
    r"(?:\d\d)?\[LIB\]\s{1,8}(?P<module>\S{1,300}) @ 0x(?P<base>[0-9a-f]{4,16}) "
    r"(?:\((?P<function>\S{1,300}?)\+0x[0-9a-f]{1,15}\) )?\[0x(?P<at>[0-9a-f]{4,16})\]"
)
_SWANS = re.compile(r"(?:\d\d)?\[(?:LIB|DMN)\]")
_ORACLE = re.compile(
    r"(?:.{0,100}\s)?ORA-07445: .{0,40}: core dump \[(?P<function>[^\[\]+() ]{0,100})(?:\(\))?(?:\+\d{1,9})?\] "
    r"\[(?P<code>SIG[A-Z]{2,5}|ACCESS_VIOLATION)\].*"
)
_OFFICE = re.compile(rf"Fatal exception: Signal {_SIGNO}")
_OFFICE_PROOF = re.compile(r"Stack:\s*$")
_OFFICES = re.compile(rf"{_OFFICE_PROOF.pattern}|\S{{1,300}}\(\S{{0,1000}}\) ?\[0x")
_GODOT = re.compile(rf"handle_crash: Program crashed with signal {_SIGNO}")
_GODOT_PROOF = re.compile(r"Dumping the backtrace|\[1\] ")
_GODOTS = re.compile(r"Engine version: |Dumping the backtrace|\[\d{1,4}\] ")
_ABSEIL = re.compile(
    r"\*\*\* (?P<signal>SIG(?:SEGV|ABRT|BUS|FPE|ILL|TRAP)) received at time=\d{10}(?: on cpu \d{1,5})? \*\*\*"
)
_ABSEIL_STEP = re.compile(
    r"(?P<pc>PC: )?\s{0,8}@\s{1,9}0x[0-9a-f]{4,16}\s{1,12}(?:\(unknown\)|\d{1,9})\s{1,4}(?P<function>\S.{0,1500}?)\s*$"
)
_ABSEILS = re.compile(r"(?:PC: )?\s{0,8}@ {1,9}0x")
_NO_NAME = "(unknown)"
# What a head has in it.
MARKS = ("INTERNAL ERROR: Signal ", "PANIC (pid ", "; aborting...", "signal received: ", "REQUIRE(", "INSIST(",
         "ENSURE(", "INVARIANT(", "RUNTIME_CHECK(", "Got signal [signal:",
         "[DMN] thread ", "ORA-07445: ", "Fatal exception: Signal ", "handle_crash: ",
         " received at time=")  # fmt: skip


def _number(form: re.Pattern[str], lines: Sequence[str]) -> str | None:
    found = form.fullmatch(lines[0].rstrip())
    return canonical_code(found["number"], "linux") if found and found["number"] else None


def _printed(lines: Sequence[str], own: re.Pattern[str] | None = None) -> Sequence[str]:
    """The steps that glibc printed, without those of what printed them.

    Args:
        own: functions that printed them, where no signal called them.
    """
    steps = [found for line in lines[1:] if (found := _STEP.match(line))]
    said = [step["step"] for step in steps]
    if (below := below_handler(said)) != said:
        return below
    last = max((at + 1 for at, step in enumerate(steps) if own and own.search(step["function"])), default=0)
    return said[last:]


def _of_samba(lines: Sequence[str]) -> Told:
    """It panics of itself, too, where it finds its memory damaged."""
    head = _SAMBA.fullmatch(lines[0].rstrip())
    code = _number(_SAMBA, lines) or "SIGABRT"
    why = (head["why"] or "").strip() if head else ""
    return code, f"Samba: {why}" if why else f"Samba received {code}", _printed(lines, _SAMBA_OWN)


def _of_frr(lines: Sequence[str]) -> Told:
    code = _number(_FRR, lines)
    called = next((at for at, line in enumerate(lines) if _FRR_SIGNAL.match(line)), 0)
    steps = [found for line in lines[called:] if (found := _FRR_STEP.match(line))]
    named = [Step(None if step["function"] == "?" else step["function"], step["module"]) for step in steps]
    return code, f"FRR received {code}", written(named) or _printed(lines)


def _of_gluster(lines: Sequence[str]) -> Told:
    code = _number(_GLUSTER, lines)
    return code, f"GlusterFS received {code}", _printed(lines)


def _of_bind(lines: Sequence[str]) -> Told:
    head = _BIND.fullmatch(lines[0].rstrip())
    what = f"{head['source']}: {head['what']} failed" if head else lines[0].strip()
    return "Assertion failed", what, _printed(lines, _BIND_OWN)


def _of_zabbix(lines: Sequence[str]) -> Told:
    code = _number(_ZABBIX, lines)
    steps = [found for line in lines if (found := _ZABBIX_STEP.match(line))]
    told = [Step(step["function"] or None, step["module"]) for step in steps]
    return code, f"Zabbix received {code}", written(below_signal(told))


def _of_swan(lines: Sequence[str]) -> Told:
    """Where it does not know a function, it tells where the file is: what called the handler is the C library's."""
    code = _number(_SWAN, lines)
    steps = [found for line in lines if (found := _SWAN_STEP.match(line))]
    own = next((at + 1 for at, step in enumerate(steps) if "/libc" in step["module"] and not step["function"]), 0)
    told = (
        Step(step["function"] or None, step["module"], max(int(step["at"], 16) - int(step["base"], 16), 0))
        for step in steps[own:]
    )
    return code, f"strongSwan received {code}", written(told)


def _of_oracle(lines: Sequence[str]) -> Told:
    head = _ORACLE.fullmatch(lines[0].rstrip())
    code = (head["code"] if head["code"] != "ACCESS_VIOLATION" else "0xc0000005") if head else None
    return code, lines[0].strip(), written([Step(head["function"] if head else None, "oracle")])


def _of_office(lines: Sequence[str]) -> Told:
    code = _number(_OFFICE, lines)
    return code, f"LibreOffice received {code}", _printed(lines)


def _of_godot(lines: Sequence[str]) -> Told:
    code = _number(_GODOT, lines)
    return code, f"Godot received {code}", _printed(lines)


def _of_abseil(lines: Sequence[str]) -> Told:
    """Where the signal came tells it first; then the stack, with the handler's frame, which has no name."""
    head = _ABSEIL.fullmatch(lines[0].rstrip())
    steps = [found["function"] for line in lines if (found := _ABSEIL_STEP.match(line))]
    named = [Step(name.removeprefix(_NO_NAME).strip()) for name in steps if name != _NO_NAME]
    unique = [step for at, step in enumerate(named) if not at or step != named[at - 1]]
    return head["signal"] if head else None, lines[0].strip(), written(unique)


FORMS = (
    Form(_SAMBA, None, _of_samba, _SAMBAS, again=_SAMBA_PID),
    Form(_FRR, None, _of_frr, _FRRS),
    Form(_GLUSTER, _GLUSTERS_PROOF, _of_gluster, _GLUSTERS),
    Form(_BIND, _BIND_PROOF, _of_bind, _BINDS),
    Form(_ZABBIX, _ZABBIX_PROOF, _of_zabbix, _ZABBIXS),
    Form(_SWAN, _SWAN_PROOF, _of_swan, _SWANS),
    Form(_ORACLE, None, _of_oracle),
    Form(_OFFICE, _OFFICE_PROOF, _of_office, _OFFICES),
    Form(_GODOT, _GODOT_PROOF, _of_godot, _GODOTS),
    Form(_ABSEIL, _ABSEILS, _of_abseil, _ABSEILS),
)
