"""Lines of old Linux kernels that name functions, each in the way of its time.

Up to Linux 2.4 other programs put the functions to the addresses: ksymoops behind what the kernel had said, klogd into
it. Red Hat's kernels did so themselves, and those of 2.6.16 wrote two steps a line. On x86-64 functions once stood
in braces.
"""

from __future__ import annotations

import re

from ingest.formats.crashes import Frame

_OF_KSYMOOPS = re.compile(
    r"(?:>>[A-Za-z]{2,4}|Trace); [0-9a-f]{8,16} <(?:\[(?P<module>\w{1,64})\])?(?P<function>[\w.$]{1,200})"
    r"\+[0-9a-f]{1,8}/"
)
_POINTER = re.compile(r"[ER]?IP: ")
_HEAD = r"(?:[ER]?IP: {1,8}[0-9a-f]{4}:|Call Trace:)?\s{0,16}"
_OF_KLOGD = re.compile(r"\[(?:(?P<module>\w{1,64}):)?(?P<function>[A-Za-z_][\w.]{0,200})\+(?:\d{1,9}/\d|0x[0-9a-f])")
_OF_RED_HAT = re.compile(
    r"(?:EIP is at |\[<[0-9a-f]{8,16}>\] )(?P<function>[\w.]{1,200}) \[(?P<module>\w{1,64})\] "
    r"0x[0-9a-f]{1,8}(?= \(|\s*$)"
)
_OF_X86_64 = re.compile(
    r"(?:\[<[0-9a-f]{16}>\] )?<[0-9a-f]{16}>\{(?::(?P<module>\w{1,64}):)?(?P<function>[\w.]{1,200})\+\d{1,9}\}"
)
_OF_2_6_16 = re.compile(
    r"<[0-9a-f]{8,16}>\s{1,4}(?P<function>[\w.]{1,200})\+0x[0-9a-f]{1,8}/0x[0-9a-f]{1,8}(?: \[(?P<module>\w{1,64})\])?"
)
_LINES = tuple(
    (re.compile(f"{_HEAD}(?={form.pattern.replace('?P<module>', '?:').replace('?P<function>', '?:')})"), form)
    for form in (_OF_KLOGD, _OF_RED_HAT, _OF_X86_64, _OF_2_6_16)
)
_RELEASE = re.compile(
    r"(?:EFLAGS: [0-9a-f]{8} {1,4}|EIP is at \w{1,200} \[\w{1,64}\] 0x[0-9a-f]{1,8} "
    r"|REGS: [0-9a-f]{8,16} TRAP: [0-9a-f]{3,4} {1,4}(?:Not tainted|Tainted: .{1,40}?) {1,4})"
    r"\((?P<release>\d{1,3}\.\d{1,3}\.[\w.+~-]{1,100})(?: #\d{1,9})?\)"
)


def steps_of(said: str) -> list[Frame]:
    """The functions that a line names, innermost first; empty where it names none in such a way."""
    if found := _OF_KSYMOOPS.match(said):
        return [_frame(found)]
    form = next((form for line, form in _LINES if line.match(said)), None)
    steps = [_frame(one) for one in form.finditer(said)] if form else []
    return steps[:1] if _POINTER.match(said) else steps  # it may be written twice


def release_of(said: str) -> str | None:
    """The kernel's release, which stood beside the registers."""
    found = _RELEASE.match(said)
    return found["release"] if found else None


def _frame(found: re.Match[str]) -> Frame:
    return Frame(found["module"] or "kernel", found["function"])
