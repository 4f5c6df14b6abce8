"""Faults that programs of science and some databases tell of themselves in forms of their own.

Intel's Fortran, MATLAB, CERN's ROOT; ScyllaDB, Aerospike and TiKV.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.caught_signals import Told, below_handler
from ingest.formats.named_steps import Step, written
from ingest.formats.uncaught import Form
from ingest.formats.workers import WORD, signal_of

_FORTRAN = re.compile(r"forrtl: (?:severe|error) \(\d{1,4}\): (?P<signal>SIG(?:SEGV|ABRT|BUS|FPE|ILL|TRAP))\b.*")
_FORTRAN_STEP = re.compile(
    r"(?P<module>\S{1,300})\s{1,40}[0-9A-F]{8,16}\s{1,4}(?P<function>\S{1,300})\s{1,60}(?:\d{1,9}|Unknown)\s{1,4}\S"
)
_FORTRANS = re.compile(rf"Image\s+PC\s+Routine|{_FORTRAN_STEP.pattern}|Stack trace terminated abnormally")
_OF_LIBC = re.compile(r"lib(?:c|pthread)[.-]")
_NOT_KNOWN = "Unknown"
_MATLAB = re.compile(
    r"\s{1,40}(?P<what>Segmentation violation|Abort|Bus error|Illegal instruction|Access violation|Assertion) "
    r"detected at .{10,60}"
)
_MATLAB_CODES = {
    "Segmentation violation": "SIGSEGV", "Abort": "SIGABRT", "Bus error": "SIGBUS", "Illegal instruction": "SIGILL",
    "Access violation": "0xc0000005", "Assertion": "Assertion failed",
}  # fmt: skip
_MATLAB_PROOF = re.compile(r"\s{0,4}MATLAB Version {1,20}: ")
_MATLAB_STEP = re.compile(
    r"\[ {0,3}\d{1,4}\] 0x[0-9a-f]{8,16}\s{1,40}(?P<module>\S.{0,300}?)\+(?P<offset>\d{4,12})"
    r"(?: (?P<function>\S.{0,500}?)\+\d{4,12})?\s*$"
)
_MATLABS = re.compile(r"(?!\*\* This crash report|This error was detected|If this problem is reproducible)")
_ROOT = re.compile(
    r"\s{0,4}\*\*\* Break \*\*\* (?P<what>segmentation violation|bus error|floating point exception"
    r"|illegal instruction|abort)"
)
_ROOT_CODES = {
    "segmentation violation": "SIGSEGV", "bus error": "SIGBUS", "floating point exception": "SIGFPE",
    "illegal instruction": "SIGILL", "abort": "SIGABRT",
}  # fmt: skip
_ROOT_STEP = re.compile(r"\s{0,4}#(?P<number>\d{1,5}) ")
_ROOTS = re.compile(r"\s*$|=+\s*$|[A-Z][a-z' ]|\s{0,4}#\d|\[New LWP|Thread \d|\[Thread|(?:from|at) \S|https?:")
_ROOT_CALLED = "<signal handler called>"
_SCYLLA = re.compile(rf"(?:.{{0,60}}\s)?(?:{WORD}|Aborting) on shard \d{{1,5}}\b.{{0,100}}")
_SCYLLA_PROOF = re.compile(r"Backtrace:")
_SCYLLAS = re.compile(r"Backtrace:|\s{1,4}(?:0x[0-9a-f]|/\S{1,300}\+0x)|\s{0,4}--------")
_AEROSPIKE = re.compile(r".{0,80}\b(?P<signal>SIG(?:SEGV|ABRT|BUS|FPE|ILL)) received, aborting Aerospike\b.*")
_AEROSPIKE_STEP = re.compile(
    r".{0,80}stacktrace: frame \d{1,4}: (?P<step>\S{1,300}\(\S{0,500}\) ?\[0x[0-9a-f]{4,16}\])\s*$"
)
_AEROSPIKES = re.compile(r".{0,80}stacktrace: ")
_TIKV = re.compile(
    r"\[\d{4}/\d\d/\d\d .{8,30}\] \[FATAL\] \[\S{1,100}\.rs:\d{1,7}\] (?P<what>\[.{1,1000}?\]) "
    r"\[backtrace=\"?(?P<stack>.*)"
)
# What a head has in it.
MARKS = ("forrtl: ", " detected at ", "*** Break *** ", " on shard ", " received, aborting Aerospike", "[FATAL] [")


def _of_fortran(lines: Sequence[str]) -> Told:
    """Innermost first, below the C library's code that called the handler."""
    head = _FORTRAN.fullmatch(lines[0].rstrip())
    steps = [found for line in lines[1:] if (found := _FORTRAN_STEP.match(line)) and found["module"] != "Image"]
    own = next((at + 1 for at, step in enumerate(steps[:3]) if _OF_LIBC.match(step["module"])), 0)
    named = (Step(None if step["function"] == _NOT_KNOWN else step["function"], step["module"]) for step in steps[own:])
    return head["signal"] if head else None, lines[0].strip(), written(named)


def _of_matlab(lines: Sequence[str]) -> Told:
    head = _MATLAB.fullmatch(lines[0].rstrip())
    steps = [found for line in lines if (found := _MATLAB_STEP.match(line))]
    told = (Step(step["function"], step["module"], int(step["offset"])) for step in steps)
    return _MATLAB_CODES[head["what"]] if head else None, lines[0].strip(), written(told)


def _of_root(lines: Sequence[str]) -> Told:
    """What gdb prints of the first thread that has called a handler."""
    head = _ROOT.fullmatch(lines[0].rstrip())
    called = next((at + 1 for at, line in enumerate(lines) if _ROOT_CALLED in line), len(lines))
    steps = list(takewhile(lambda line: line.strip() and not line.startswith(("=", "Thread ")), lines[called:]))
    return _ROOT_CODES[head["what"]] if head else None, lines[0].strip(), steps


def _of_scylla(lines: Sequence[str]) -> Told:
    head = _SCYLLA.fullmatch(lines[0].rstrip())
    code = (signal_of(head["word"]) if head["word"] else "SIGABRT") if head else None
    return code, f"ScyllaDB received {code}", written([Step(None, "scylla")])


def _of_aerospike(lines: Sequence[str]) -> Told:
    head = _AEROSPIKE.fullmatch(lines[0].rstrip())
    steps = [found["step"] for line in lines if (found := _AEROSPIKE_STEP.match(line))]
    code = canonical_code(head["signal"], "linux") if head else None
    return code, f"Aerospike received {code}", below_handler(steps)


def _of_tikv(lines: Sequence[str]) -> Told:
    """The stack of Rust stands in the line, with its line ends as an escape."""
    head = _TIKV.fullmatch(lines[0].rstrip())
    if head is None:
        return None, lines[0].strip(), ()
    return "panic", head["what"].strip('[]"'), ["stack backtrace:", *head["stack"].split("\\n")]


FORMS = (
    Form(_FORTRAN, _FORTRAN_STEP, _of_fortran, _FORTRANS),
    Form(_MATLAB, _MATLAB_PROOF, _of_matlab, _MATLABS),
    Form(_ROOT, _ROOT_STEP, _of_root, _ROOTS),
    Form(_SCYLLA, _SCYLLA_PROOF, _of_scylla, _SCYLLAS),
    Form(_AEROSPIKE, _AEROSPIKES, _of_aerospike, _AEROSPIKES),
    Form(_TIKV, None, _of_tikv),
)
