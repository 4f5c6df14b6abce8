"""What a kernel died of, as the line of an oops says it."""

from __future__ import annotations

import re

_DIED = re.compile(
    r"(?:Internal error: |Oops: ){0,3}(?P<what>[A-Za-z](?:[^\[\]:,]|[:,](?! )){0,200})(?P<more>[:,] .{0,200})?"
    r" ?\[#\d{1,6}\]"
)
_DIES_AS = re.compile(
    r"Oops|Internal error: |Kernel (?:BUG|bug detected|unaligned instruction access|bad sw trap|illegal instruction)"
    r"|(?:Reserved instruction|Break instruction|Trap instruction|FP exception) in kernel|Unhandled kernel unaligned"
    r"|Kernel a[dl]e access|do_\w{1,10} invoked from kernel"
)
_NAMED = re.compile(
    r"(?:(?:Oops|traps|PANIC): ){0,2}"
    r"(general protection fault|divide error|double fault|invalid op(?:erand|code)|Kernel stack overflow)\b"
)
_UNHANDLED = re.compile(r"Unhandled fault: (?P<what>\w.{3,60}?) \(0x")  # on Arm
_OF_TASK = re.compile(r"\(?[^()\[\]:]{1,64}\)?\(\d{1,10}\): (?=[A-Z])")  # the SPARC kernel names the process first
_ERROR_CODE = re.compile(r"[0-9a-f]{4,16}(?: ilc:\d)?")
_SENT = re.compile(r"[:,] sig: \d{1,2}\s*")  # on Xtensa and PowerPC the number of the signal is in its place


def died_of(said: str, head: str | None) -> str | None:
    """The cause of death in a line with the number of an oops; other numbered lines have no error code."""
    task = _OF_TASK.match(said)
    said = said[task.end() :] if task else said
    said = said[said.find(" Oops: ") + 1 :]  # also where a line was joined with the one before
    died = _DIED.match(said)
    if died is None:
        return None
    more = died["more"] or ""
    is_sure = _SENT.fullmatch(more) or _ERROR_CODE.fullmatch(more.rstrip().rpartition(": ")[2])
    if head is None and not _DIES_AS.match(said) and not is_sure:
        return None
    what = died["what"].strip()
    return "Oops" if what == "sig" else what


def code_of(head: str, what: str) -> str:
    """The cause of death, in the form of the classes of codes."""
    if head.startswith("kernel BUG at"):
        return head.partition("!")[0]
    if named := _NAMED.match(head):
        return named[1]
    if unhandled := _UNHANDLED.match(head):
        return unhandled["what"]
    return "OOPS" if what == "Oops" else what
