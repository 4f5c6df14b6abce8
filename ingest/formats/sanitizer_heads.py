"""The first lines of reports of faults, by what writes them, and what each such line has in it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleetcrash.clustering.codes import canonical_code
from ingest.formats import caught_signals, jvm, server_faults, uncaught, workers

SANITIZER = re.compile(
    r"(?:=={0,1}(?P<pid>\d{1,10})(?::\d{1,10})?=={0,1} ?)?(?P<level>ERROR|WARNING): "
    r"(?P<tool>\w{0,30}Sanitizer|libFuzzer|Centipede|GWP-ASan): (?P<what>\S.*)"
)
# The last line of such a report, which people keep of it; not of tools that go on.
SUMMARY = re.compile(
    r"SUMMARY: (?P<tool>(?!Thread|UndefinedBehavior)\w{1,30}Sanitizer|libFuzzer): "
    r"(?P<what>\d{1,19} byte\(s\) leaked|[A-Za-z][\w-]{0,60}(?: [a-z]{1,20}){0,3}?)"
    r"(?: \((?P<module>[^()]{1,300})\+0x(?P<offset>[0-9a-f]{1,15})\)(?: \(BuildId: \w{1,80}\))?"
    r"| (?P<source>\S{1,500}?):\d{1,9}(?::\d{1,9})?)?(?: in (?P<function>\S.*))?\s*$"
)
# A fuzzer that ends a program for its use of time or memory; it then runs it again for the input that was at fault.
CENTIPEDE = re.compile(
    r"(?:CRASH LOG: )?={9} (?P<what>(?:Per-input timeout|Per-batch timeout|Timeout|RSS limit|Stack limit)) exceeded: .*"
)
UNDEFINED = re.compile(r"(?P<source>\S+?):\d{1,9}(?::\d{1,9})?: runtime error: (?P<what>\S.*)")
# What a program does not go on after, unless it was built to; it goes on after other undefined behaviour.
ENDS_PROGRAM = ("control flow integrity check ", "execution reached ")
_CHROMIUM = re.compile(
    r"\[(?:(?P<pid>\d{1,10}):(?:\d{1,10}:)?)?(?:\d{4}/\d{6}(?:\.\d{1,6})?:)?(?:\d{5,20}:)?"
    r"FATAL:(?P<source>[\w./\\-]{1,200})[(:]\d{1,9}\)?\] ?(?P<what>.*)"
)
GLOG = re.compile(
    r"F\d{4,8} \d\d:\d\d:(?:\d\d|\d{10})\.\d{6} +\d{1,10} (?P<source>[\w./-]{1,200}):\d{1,9}\] (?P<what>\S.*)"
)
CHECK_STACK = re.compile(r"\*\*\* Check failure stack trace: \*\*\*")
V8 = re.compile(r"# (?P<what>Fatal (?:error in (?P<source>[^,\s]{0,200})|[Jj]ava[Ss]cript|process).*)")
_NODE = re.compile(r"FATAL ERROR: (?P<what>.*(?:JavaScript heap out of memory|v8::|Allocation failed|node::|napi).*)")
_SIGNALS = "SIG(?:SEGV|ABRT|BUS|FPE|ILL|TRAP)"
GO = re.compile(
    rf"(?:\[signal (?={_SIGNALS}: .*\bpc=))?(?P<what>(?:panic|fatal error|{_SIGNALS}): \S.*)"
)  # a signal: within C
GO_ON_WINDOWS = re.compile(r"Exception (?P<what>0x[0-9a-f]{8})(?: 0x[0-9a-f]{1,16}){3}\s*$")  # within C, or its own
PLACE_OF_GO = re.compile(r"PC=0x[0-9a-f]{1,16}\s*$")
_SIGNAL = (  # the last one of old
    r"\[signal (?:(?P<signal>SIG[A-Z]{2,8}): |(?P<exception>0x[0-9a-f]{8}) code=|0x(?P<number>[0-9a-f]{1,2}) code=)"
)
GOROUTINE = re.compile(  # or what Go prints before them
    rf"goroutine \d{{1,19}} (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[|runtime stack:|{_SIGNAL}"
    r"|PC=0x[0-9a-f]{1,16} m=-?\d{1,9} sigcode="
)
_OF_SIGNAL = "fatal error: unexpected signal during runtime execution"
RUST = re.compile(
    r"thread '(?:main|<main>|(?P<other><unnamed>)|(?P<named>[^'\n]{1,60}))'(?: \(\d+\))? panicked at (?P<what>\S.*)"
)
RUST_ABORTED = re.compile(r"thread caused non-unwinding panic\. aborting\.")  # any other panic ends one thread
FUZZED = re.compile(r"==\d{1,10}== ERROR: libFuzzer: deadly signal")  # whose harness lets no panic go on
RUST_ITSELF = "fatal runtime error: "
_RUST_ITSELF = re.compile(rf"(?P<what>{RUST_ITSELF}[A-Za-z][^\n]{{2,100}}?)(?:, aborting)?\s*$")
RUST_MEMORY = re.compile(r"(?P<what>memory allocation of \d{1,20} bytes failed)\s*$")
SELF_CHECK = re.compile(
    r"={1,2}(?P<pid>\d{1,10})={0,2}(?P<tool>\w{0,30}Sanitizer) CHECK failed: (?P<source>[^\s:]+)(?P<what>.*)"
)
RECEIVED = re.compile(
    r"Received signal (?P<what>4|5|6|7|8|10(?= (?:BUS_|<))|11|31)"  # 10 on macOS
    r"(?: (?:[A-Z_]{1,20}|<unknown>))?(?: [0-9a-f]{8,16})?\s*$"
)
_LIBC = re.compile(
    r"\*\*\* (?:(?=stack smashing|buffer overflow)|Error in [`'].{0,300}?': |glibc detected \*\*\* [^\s:]{1,300}: )"
    r"(?P<what>[a-z][\w()! ,:-]{2,100}?)(?: detected \*\*\*|: 0x[0-9a-f]{1,16} \*\*\*)"
)
_HEAP = re.compile(  # in newer libraries
    r"(?P<what>(?:malloc|calloc|realloc|free|munmap_chunk|malloc_consolidate)\(\): [a-z][\w ().,>'-]{3,80}"
    r"|double free or corruption \([\w!]{1,12}\)"
    r"|corrupted (?:size vs\. prev_size|double-linked list)[\w ()-]{0,40})\s*$"
)
_TCMALLOC = re.compile(r"\S{0,200}\btcmalloc\.cc:\d{1,9}\] (?P<what>Attempt to (?:free|realloc) invalid pointer)\b")
# The C library's own, which name no program, and those that Windows' write.
GLIBC_ASSERT = re.compile(
    r"(?:Fatal glibc error: )?(?P<source>[\w./-]{1,200}\.[ch]):\d{1,9}(?:: | \()(?P<function>\w{1,100})\)?: "
    r"(?P<what>Assertion [`'].{1,500}' failed\.|assertion failed: .{1,500})\s*$"
)
WINDOWS_ASSERT = re.compile(
    r"Assertion failed: (?P<what>\S.{0,500}?), file (?P<source>[^\n,]{1,300}), line \d{1,9}\.?\s*$"
)
MUSL_ASSERT = re.compile(
    r"Assertion failed: (?P<what>\S.{0,500}?) "
    r"\((?P<source>[^\s:()]{1,300}): (?P<function>[^\s:()]{1,200}): \d{1,9}\)\s*$"
)
BSD_ASSERT = re.compile(  # and so of macOS
    r"Assertion failed: \((?P<what>.{1,500})\), function (?P<function>[^\s,]{1,200}), file (?P<source>[^\s,]{1,300}),"
    r" line \d{1,9}\.\s*$"
)
ASSERT = re.compile(  # Node's has no blank before the function
    r"(?P<exe>[^\s:\[]{1,200})(?:\[\d{1,10}\])?: [^\s:]{1,300}:\d{1,9}: ?(?P<function>.{1,500}?): "
    r"(?P<what>Assertion [`'].*' failed\.)"
)
STDCXX = re.compile(  # the checks of GNU's C++ library, which does not name the program
    r"(?P<source>[^\s:]{1,300}):\d{1,9}: (?P<function>\S.{1,2000}?): (?P<what>Assertion '.{1,500}' failed\.)"
)
# Of Mozilla's programs, with the reason in brackets or before the place.
MOZILLA = re.compile(r"(?:.{0,60}\s)?Hit (?P<what>MOZ_CRASH\(.{0,500}\)) at (?P<source>\S{1,300}):\d{1,9}\s*$")
MOZILLA_ASSERT = re.compile(
    r"(?:.{0,60}\s)?Assertion failure: (?P<what>\S.{0,500}?), at (?P<source>[^\s:]{1,300}\.\w{1,5}):\d{1,9}\s*$"
)
# Of GLib, with the function, or for what it does not go on after; and of Qt.
GLIB_ASSERT = re.compile(
    r"(?:[\w.-]{1,60}:)?ERROR:(?P<source>[^\s:]{1,300}):\d{1,9}:(?P<function>[\w:~<>]{1,200}): "
    r"(?P<what>assertion failed: \(.{0,500}|code should not be reached\b.{0,100})"
)
GLIB_ERROR = re.compile(
    r"(?:\((?P<exe>[^\s():]{1,100}):\d{1,10}\): )?(?P<domain>[\w.-]{1,60}-|\*\* )ERROR \*\*: "
    r"(?:\d\d:\d\d:\d\d\.\d{3}: )?(?P<what>\S.{0,1000})"
)
QT_ASSERT = re.compile(
    r"ASSERT(?: failure in (?P<function>.{1,300}?))?: (?P<what>\".{1,500}\"),? (?:in )?file "
    r"(?P<source>\S{1,300}), line \d{1,9}\s*$"
)
HARDENED = re.compile(  # the checks of LLVM's C++ library
    r"(?P<source>[^\s:]{1,300}):\d{1,9}: (?:libc\+\+ Hardening )?assertion (?P<what>\S.{0,500}? failed: \S.*?)"
    r"(?:(?:Address|Memory|Thread|UndefinedBehavior)Sanitizer:DEADLYSIGNAL)?\s*$"  # on the same line
)
# In newer ones the assertion is on the next line.
NODE_ASSERT = re.compile(
    r"\s{0,4}#  (?P<exe>[^\s:\[]{1,200})\[\d{1,10}\]: (?P<what>\S.{0,500}) at (?P<source>\S{1,300}):\d{1,9}\s*$"
)
NODE_ASSERTED = re.compile(r"\s{0,4}#  (?P<what>Assertion failed: .*)")
_TERMINATE = re.compile(r"terminate called after throwing an instance of '(?P<what>[^']{1,200})'")
_TERMINATED = re.compile(r"(?P<what>terminate called (?:without an active exception|recursively))")
_LIBCXX = re.compile(  # which older versions write without their name
    r"(?:libc\+\+abi(?:\.dylib)?: )?terminating (?:due to|with) un(?:caught|expected) exception of type "
    r"(?P<what>(?:[^\s:]|::)(?:[^:]|::){0,200}?)(?:: .*)?$"
)
OBJECTIVE_C = re.compile(r"(?:.{0,120}\] )?\*\*\* Terminating app due to uncaught exception '(?P<what>[^']{1,100})'")
_JAZZER = re.compile(r"== Java Exception: (?P<what>[\w.$]{1,200})")
_ATHERIS = re.compile(r" ?=== (?P<what>Uncaught Python exception): ===")
_JAZZER_JS = re.compile(r"==\d{1,10}== (?P<what>Uncaught Exception): (?:Jazzer\.js: )?\S")
_DETECTED = re.compile(r"===BUG DETECTED: (?P<what>[A-Z][\w :,'-]{2,100}?) ?===")  # of what a program ran
JVM = re.compile(rf"\W{{0,8}}(?:thread \d{{1,10}} also had an error\])?{jvm.HEAD.pattern}")
LEAKS = "LeakSanitizer: detected memory leaks"
_OF_DARWIN = 10  # SIGBUS
UNCAUGHT = ("Uncaught Python exception", "Uncaught Exception")  # the name is on the next line
HEADS = (SANITIZER, SUMMARY, CENTIPEDE, UNDEFINED, _CHROMIUM, GLOG, V8, _NODE, GO, GO_ON_WINDOWS, RUST, SELF_CHECK,
          RECEIVED, NODE_ASSERT, _LIBC, MUSL_ASSERT, BSD_ASSERT, WINDOWS_ASSERT, GLIBC_ASSERT, ASSERT, STDCXX, MOZILLA,
          MOZILLA_ASSERT, GLIB_ASSERT, GLIB_ERROR, QT_ASSERT, HARDENED,
          _TERMINATE, _JAZZER, _ATHERIS, _JAZZER_JS, _DETECTED,
          _RUST_ITSELF, RUST_MEMORY, _HEAP, _TCMALLOC, _TERMINATED, _LIBCXX, OBJECTIVE_C, JVM)  # fmt: skip
AS_IT_IS = (_NODE, _LIBC, *HEADS[HEADS.index(_TERMINATE) :])
ABORTS = (_LIBC, _HEAP, _TCMALLOC)  # of the C library, whose own frames are the innermost
_MARKS = ("Sanitizer: ", "========= ", "libFuzzer: ", "Centipede: ", "GWP-ASan: ", "runtime error: ", "FATAL:",
          "Fatal ", "FATAL ERROR", "panic: ", "fatal error: ", "Exception 0x", "panicked at ", "] Check failed", "#  ",
          "SUMMARY: ", "Sanitizer CHECK failed", "Received signal ", "*** ", ": Assertion ", " assertion ",
          "== Java Exception: ", "Uncaught Python exception", "== Uncaught Exception: ", "BUG DETECTED: ",
          "SIGSEGV: ", "SIGABRT: ", "SIGBUS: ", "SIGFPE: ", "SIGILL: ", "SIGTRAP: ", "fatal runtime error: ",
          "memory allocation of ", "Hit MOZ_CRASH(", "Assertion failure: ", "assertion failed: (", "code should not be",
          "ERROR **: ", "Fatal glibc error: ", 'ASSERT: "', "ASSERT failure in ",
          "Assertion failed: ", " invalid pointer",
          "alloc(): ", "free(): ", "chunk(): ", "consolidate(): ", "double free or ", "corrupted size vs",
          "corrupted double-linked", "terminate called ", "uncaught exception of type ",
          "unexpected exception of type ", "error has been detected by ",
          "There is insufficient memory for the Java", *uncaught.MARKS, *caught_signals.MARKS,
          *server_faults.MARKS, *workers.MARKS)  # fmt: skip
# Every head contains one of these: a search of each line for them is fast. One with another in it is not needed.
MARKS = tuple(mark for mark in _MARKS if not any(other != mark and other in mark for other in _MARKS))
_PLAIN_MARKS = tuple(filter(str.isascii, MARKS))
_OTHER_MARKS = tuple(mark for mark in MARKS if not mark.isascii())  # hardly any line may have one
_GLOG_MARK = re.compile(r"\bF\d{4,8} \d")


def marks_in(text: str) -> list[str]:
    """The marks that a text has, none of which mostly."""
    return [mark for mark in MARKS if mark in text]


def may_begin(line: str, marks: Iterable[str] = _PLAIN_MARKS) -> bool:
    """A quick check whether a line may be a report's first, as hardly any is: a sixth of the time of one expression.

    Args:
        marks: those of the text that the line is of.
    """
    for mark in marks:
        if mark in line:
            return True
    if not line.isascii() and any(mark in line for mark in _OTHER_MARKS):
        return True
    return "F" in line and _GLOG_MARK.search(line) is not None


def code_of(code: str, lines: Iterable[str]) -> str:
    """The code of a report; that of Go about a signal has the signal, or Windows' exception, on its own line."""
    if code != _OF_SIGNAL:
        return code
    found = next((found for line in lines if (found := re.match(_SIGNAL, line.lstrip()))), None)
    if found is None:
        return code
    return found["signal"] or found["exception"] or of_number(int(found["number"], 16))


def of_number(number: int) -> str:
    """The name of a signal of a fault; 10 is none on Linux."""
    return canonical_code(str(number), "darwin" if number == _OF_DARWIN else "linux")
