"""Lines in which a Linux kernel reports a fault of a process, in a form that depends on the architecture.

On x86 the signal follows from the name of the fault; other kernels give its number or nothing. On MIPS the place, and
on s390 and others the process, is in a line after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from ingest.formats.crashes import LONGEST_TEXT, base_name

_MOST_BEHIND = 8  # lines that may have the rest
_MOST_PARTS = 3  # lines into which a mail may have broken one

# Not a comment in the source of a program, or a text in it.
_PROCESS = r"(?!/[*/])\"?(?P<comm>[^\[\]\"]{1,64})\[(?P<pid>\d{1,10})\]:? "
_MAPPED = (  # people leave out the numbers, and journalctl what is wider than the terminal
    r"in (?P<module>[^\[\s>]{1,200})"
    r"(?:\[(?:(?P<offset>[0-9a-f]{1,15}),)?(?P<base>[0-9a-f]{1,16})\+(?:[0-9a-f]+\]|[0-9a-f]*>$)|(?:\[[0-9a-f,]*>)?$)"
)
_IN_LIBRARY = rf"(?: {_MAPPED})?"
_NOWHERE = r" {0,16}\(null\)"  # as older kernels write an address of 0
_X86 = re.compile(  # also on SPARC; until 2.6.24 the registers have their longer names
    rf"{_PROCESS}(?P<what>segfault) at [0-9a-f]+ [re]?ip (?:(?P<ip>[0-9a-f]{{1,16}})|{_NOWHERE}) "
    rf"(?:\(rpc [0-9a-f]+\) )?[re]?sp (?:[0-9a-f]+|{_NOWHERE}) error [0-9a-f]+{_IN_LIBRARY}"
)
_TRAP = re.compile(
    rf"(?:traps: )?{_PROCESS}(?:trap )?(?P<what>[a-z0-9 ]{{1,40}}) [re]?ip:(?P<ip>[0-9a-f]{{1,16}}) "
    rf"[re]?sp:[0-9a-f]+ error:[0-9a-f]+{_IN_LIBRARY}"
)
_POWER = re.compile(
    rf"{_PROCESS}(?:unhandled signal |[a-z ]{{1,40}} \()(?P<number>\d{{1,2}})\)? at [0-9a-f]+ "
    rf"nip (?P<ip>[0-9a-f]{{1,16}}) lr [0-9a-f]+ code [0-9a-f]+{_IN_LIBRARY}"
)
_RISCV = re.compile(rf"{_PROCESS}unhandled signal (?P<number>\d{{1,2}}) code 0x[0-9a-f]+ at 0x[0-9a-f]+{_IN_LIBRARY}")
_ARM = re.compile(
    rf"{_PROCESS}unhandled (?:exception: (?P<kind>[^\[\]]{{1,160}}?)|[\w ]{{1,60}} \((?P<number>\d{{1,2}})\) at "
    rf"0x[0-9a-f]+(?:, esr 0x[0-9a-f]+)?),?{_IN_LIBRARY}$"
)
_ARM32 = re.compile(  # also on Nios II
    r"(?![/*\"])(?P<comm>[^\[\]\":]{1,64}): unhandled [a-z ]{1,40} \((?P<number>\d{1,2})\) at 0x[0-9a-f]{8}, "
    r"(?:code|cause) "
)
_PARISC = re.compile(
    rf"do_page_fault\(\) command='(?P<comm>[^'\n]{{1,64}})' type=\d{{1,3}} address=0x[0-9a-f]+{_IN_LIBRARY}"
)
_MIPS = re.compile(  # also on LoongArch
    r"do_page_fault\(\)(?: #\d)?: sending (?P<signal>SIG[A-Z]{3,4}) to (?P<comm>.{1,64}?) for invalid \w"
)
_S390 = re.compile(rf"User process fault: interruption code (?P<interruption>[0-9a-f]{{1,8}})(?: ilc:\d)?{_IN_LIBRARY}")
_CUT = re.compile(r"(?:traps: )?[^\[\]]{1,64}\[\d{1,10}\]:? (?:segfault|trap|[a-z ]{4,40} ip:)")
_LINES = (_X86, _TRAP, _POWER, _RISCV, _ARM, _ARM32, _MIPS, _PARISC, _S390)
_EPC = re.compile(rf"(?:epc|era) ?= ?(?P<ip>[0-9a-f]{{8,16}}) {_MAPPED}")
_TASK = re.compile(
    r"CPU: \d{1,5} (?:UID: \d{1,10} )?PID: (?P<pid>\d{1,10}) Comm: (?P<comm>.{1,64}?) (?:\S{1,20}: |Not t|Tainted)"
)
_BEHIND = {_ARM32: _TASK, _MIPS: _EPC, _PARISC: _TASK, _S390: _TASK}  # what has the rest

# Every such line contains one of these, as a pattern: a search of each line for them is fast.
MARKS = (
    r"segfault (?:at|\()|traps: |\] (?:trap|general protection) |: unhandled |\) at [0-9a-f]+ nip |sending SIG"
    r"|_fault\(\) command=|User process fault"
)

_SIGNALS = {
    "invalid opcode": "SIGILL",
    "invalid operand": "SIGILL",
    "divide error": "SIGFPE",
    "int3": "SIGTRAP",
    "stack segment": "SIGBUS",
    "segment not present": "SIGBUS",
    "alignment check": "SIGBUS",
}
_NUMBERS = {4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE"}
_KINDS = (  # on 64-bit Arm; all others are memory faults
    (re.compile(r"undefined instruction|FPAC|pointer auth|BTI|illegal", re.IGNORECASE), "SIGILL"),
    (re.compile(r"alignment|external abort|parity", re.IGNORECASE), "SIGBUS"),
    (re.compile(r"BRK|BKPT|single.step|breakpoint|watchpoint", re.IGNORECASE), "SIGTRAP"),
)
# By the number of the program interruption of s390; all others are faults of memory.
_INTERRUPTIONS = {1: "SIGILL", 2: "SIGILL", 3: "SIGILL", 6: "SIGILL", 7: "SIGFPE", 8: "SIGFPE", 9: "SIGFPE"}


class ProcessFault(NamedTuple):
    """What a kernel reports about a process's fault.

    Attributes:
        code: the signal. module_offset: bytes from the module's base.
        tags: ``comm`` and ``pid``, which old kernels may omit; ``message``; ``mapping_offset``, if that is given in
            place of the module's.
    """

    code: str
    module: str | None
    module_offset: int | None
    tags: Mapping[str, str]


def begins(said: str) -> bool:
    """Whether a line reports a fault of a process."""
    return _match(said) is not None


def may_begin(said: str) -> bool:
    """Whether a line reports a fault of a process, of which a mail may have put the end into the next line."""
    return begins(said) or _CUT.match(said) is not None


def _match(said: str) -> re.Match[str] | None:
    return next((found for form in _LINES if (found := form.match(said))), None)


def fault_of(said: str, behind: Iterable[str]) -> ProcessFault | None:
    """The fault that a line reports; None for any other line.

    Args:
        behind: the lines after it.
    """
    found = _match(said)
    if (found is None or found.re in (_X86, _TRAP)) and _CUT.match(said) and not (found and found["module"]):
        joined = said
        for part in islice(behind, _MOST_PARTS):
            joined = f"{joined.rstrip()} {part.lstrip()}"
            if (longer := _match(joined)) and (longer["module"] or found is None):
                said, found = joined, longer
                if longer["module"]:
                    break
    if found is None:
        return None
    told = found.groupdict()
    if form := _BEHIND.get(found.re):
        more = (one for line in islice(behind, _MOST_BEHIND) if (one := form.match(line)))
        told |= next((one.groupdict() for one in more), {})
    comm, pid, ip, base = (told.get(name) for name in ("comm", "pid", "ip", "base"))
    module, offset = base_name(told.get("module")), told.get("offset")
    tags = {name: one for name, one in (("comm", comm), ("pid", pid), ("message", said[:LONGEST_TEXT])) if one}
    if ip and base and not offset:
        # Before Linux 6.4 only the start of the mapping is told, and a module is mapped in several parts: the place
        # in the part is another number than the place in the module, and would make two variants of one fault.
        tags["mapping_offset"] = f"{max(int(ip, 16) - int(base, 16), 0):#x}"
    return ProcessFault(_code(told), module or base_name(comm), int(offset, 16) if module and offset else None, tags)


def _code(told: Mapping[str, str | None]) -> str:
    if signal := told.get("signal"):
        return signal
    if number := told.get("number"):
        return _NUMBERS.get(int(number), "SIGSEGV")
    if interruption := told.get("interruption"):
        return _INTERRUPTIONS.get(int(interruption, 16) & 0x7F, "SIGSEGV")
    if kind := told.get("kind"):
        return next((signal for form, signal in _KINDS if form.search(kind)), "SIGSEGV")
    return _SIGNALS.get((told.get("what") or "").strip(), "SIGSEGV")
