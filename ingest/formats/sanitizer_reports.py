"""A report of a fault, as it begins with a line of a process's output; ``sanitizer`` collects its lines.

The forms of such lines are in ``sanitizer_heads``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.formats import apple_text, caught_signals, jvm, server_faults, stacks, uncaught, workers
from ingest.formats import sanitizer_heads as heads
from ingest.formats.blame import below_handler
from ingest.formats.crashes import Frame, base_name, text, time_of
from ingest.formats.log_stamps import AT, OF_CONTAINER, stamp_in
from ingest.formats.stack_steps import short_path

# A sanitizer's line may have any text before the number of its process, or before its last words.
_PREFIX = re.compile(rf"(?:{AT} )?[^\"{{}}]{{0,120}}?(?===\d+(?::\d+)?==|SUMMARY: )")
_HAS_ZONE = re.compile(r"(?:Z|[+-]\d\d:\d\d)$")
_NO_PREFIX = re.compile("")
_INDENT = re.compile(r"[ \t]{1,16}(?=\S)")  # of code among prose
_KIND = re.compile(
    r"(?P<kind>attempting double-free|attempting free|detected memory leaks|[\w()-]+(?: [A-Za-z]\w*){0,3}?)"
    r"(?= 0x| on | in | after | of | overlap|: |[.,;(]| \(|$)"
)
_OF_APPLE = re.compile(r"\s*\d{1,4}\s{1,8}\S.{0,200}\s0x[0-9a-f]{16}\s")
_EMPTY = "<empty stack>"
_LINES_OF_HEAD = 4  # before the stack
_CHECKS = ("Check failed", "DCHECK failed", "Debug check failed", "Security CHECK failed", "Security DCHECK failed",
           "Out of memory", "V8 error", "unreachable code")  # fmt: skip
# Of a program's source, its file or a manual, which has what it may print: a place for a value.
_TEMPLATE = re.compile(r"\b0x\.{3}|(?:[:('`] ?|0x)%(?:[sdvpux]|l{1,2}[dux])(?:[)']|\W{0,6}$)")
_NUMBERS = re.compile(r"\b0x[0-9a-f]+\b|\d+")


@dataclass
class Report:
    """A report, collected line by line.

    Attributes:
        code, message: from its head. proof: a pattern that one of its lines must match for it to be a report.
        is_fatal: whether its head says that the process ended.
        aborts: whether the C library ended the process, so that its frames only report what it found.
        is_handlers: whether its stack is that of the handler of the signal.
        source, called: the file of a check, or the function. tool: the sanitizer. number: of its first line.
        prefix: length of the log's prefix of the first line. in_log: each line of it has its own.
        at: time from its first line, or a line before.
        is_notice: whether it is a line of another process, see ``workers``; the pid is that of the one that ended.
        is_summary: whether it is the last line of a report.
    """

    code: str
    message: str
    pid: str | None = None
    is_fatal: bool = True
    proof: re.Pattern[str] | None = None
    is_apple: bool = False
    is_java: bool = False
    is_handlers: bool = False
    aborts: bool = False
    thrown: uncaught.Form | None = None
    source: str | None = None
    called: Frame | None = None
    tool: str | None = None
    number: int = 0
    prefix: int = 0
    in_log: bool = False
    at: str | None = None
    is_notice: bool = False
    is_summary: bool = False
    lines: list[str] = field(default_factory=list)
    has_stack: bool = False
    stack: Sequence[Frame] | None = None

    @property
    def known_by(self) -> Sequence[str]:
        """Its identity: its lines, up to the last one with content if it has several parts."""
        if self.thrown is None or self.thrown.between is None:
            return self.lines
        return "\n".join(self.lines).rstrip().split("\n")

    def said(self, line: str) -> str:
        """A line without what the log writes before it; times are not all of one length, and not before each line."""
        if self.in_log and (prefix := OF_CONTAINER.match(line)):
            return line[prefix.end() :]
        return line[self.prefix :]

    def frames(self) -> Sequence[Frame]:
        """Its first stack, unless another one has more information."""
        if self.stack is not None:
            return self.stack
        if self.thrown is not None:
            return uncaught.frames_of(self.thrown, self.lines)
        if self.is_java:
            return jvm.frames_of(self.lines)
        if self.is_apple:
            return apple_text.frames_of([line for line in self.lines if line.lstrip()[:1].isdigit()])
        if any(line.strip() == _EMPTY for line in self.lines[1:_LINES_OF_HEAD]):
            return ()  # the next one tells who freed the memory
        frames = stacks.read("\n".join(self.lines[1:])).frames
        frames = frames or apple_text.frames_of([line for line in self.lines[1:] if _OF_APPLE.match(line)])
        return below_handler(frames) if self.is_handlers else frames


def report_of(line: str) -> Report | None:
    """The report that begins with a line; None if there is none."""
    if not heads.may_begin(line) or (("%" in line or "0x." in line) and _TEMPLATE.search(line)):
        return None
    line = line.removeprefix("`")  # Markdown's mark of code
    for prefix in filter(None, (form.match(line) for form in (_PREFIX, OF_CONTAINER, _NO_PREFIX, _INDENT))):
        if report := _report_said(line[prefix.end() :]):
            report.prefix, report.at = prefix.end(), _time_of(prefix, line)
            report.in_log = prefix.re is OF_CONTAINER and prefix.end() > 0
            return report
    return None


def _time_of(prefix: re.Match[str], line: str) -> str | None:
    """The time in what a log wrote before a line; the name of a zone may stand behind it."""
    at = prefix.groupdict().get("at")
    with_zone = stamp_in(line) if at and not _HAS_ZONE.search(at) else None
    return with_zone if with_zone and not with_zone.endswith("Z") else time_of(at)


def _report_said(said: str) -> Report | None:
    found = next((found for head in heads.HEADS if (found := head.match(said))), None)
    if found is None:
        form = uncaught.form_of(said) or caught_signals.form_of(said) or server_faults.form_of(said)
        return Report("", said.strip(), proof=form.proof, thrown=form) if form else _notice_of(said.strip())
    what, message = found["what"].strip(), said.strip()
    if found.re is heads.SANITIZER:
        tool, kind = found["tool"], _KIND.match(what)
        is_fatal = tool != "ThreadSanitizer" or found["level"] == "ERROR"
        code = f"{tool}: {kind['kind'] if kind else _without_values(what)}"
        return Report(code, message, found["pid"], is_fatal=is_fatal, tool=tool)
    if found.re is heads.SUMMARY:
        return _of_summary(found, message)
    if found.re is heads.CENTIPEDE:
        return Report(f"Centipede: {what} exceeded", message.removeprefix("CRASH LOG: "), tool="Centipede")
    if found.re is heads.UNDEFINED:
        code = f"runtime error: {_without_values(what)}"
        is_fatal, tool = what.startswith(heads.ENDS_PROGRAM), "UndefinedBehaviorSanitizer"
        return Report(code, message, is_fatal=is_fatal, source=found["source"], tool=tool)
    if found.re is heads.GO:
        if what.startswith("SIG"):
            return Report(what.partition(":")[0], message, proof=heads.GOROUTINE, is_fatal=False)
        is_own = what.startswith(("panic: runtime error: ", "fatal error: "))
        return Report(_without_values(what) if is_own else "panic", message, proof=heads.GOROUTINE, is_fatal=False)
    if found.re is heads.GO_ON_WINDOWS:
        return Report(what, message, proof=heads.PLACE_OF_GO)
    if found.re is heads.RUST:
        other = heads.FUZZED if found["other"] else None
        return Report("panic", message, proof=heads.RUST_ABORTED if found["named"] else other)
    if found.re is heads.V8:
        return Report(_without_values(what.partition(" in ")[0]), message, source=found["source"])
    if found.re is heads.SELF_CHECK:
        return Report(f"{found['tool']}: CHECK failed", message, found["pid"], source=found["source"])
    if found.re is heads.RECEIVED:
        return Report(heads.of_number(int(what)), message, is_fatal=False, is_handlers=True)
    if found.re is heads.ASSERT:
        # The only information about the place, unless a sanitizer adds the stack.
        called = Frame(base_name(found["exe"]), text(found["function"]))
        return Report("Assertion failed", what, called=called)
    if found.re in (heads.MUSL_ASSERT, heads.BSD_ASSERT, heads.GLIBC_ASSERT):
        called = Frame(short_path(found["source"]), text(found["function"]))
        return Report("Assertion failed", message, called=called, source=found["source"])
    if found.re is heads.RUST_MEMORY:
        return Report("memory allocation failed", message)
    if found.re is heads.MOZILLA:
        return Report("MOZ_CRASH", what, source=found["source"])
    if found.re is heads.GLIB_ERROR:
        return Report("GLib error", what, called=Frame(text(found["exe"])) if found["exe"] else None)
    if found.re in (heads.GLIB_ASSERT, heads.QT_ASSERT):
        function = text(found["function"])
        place = Frame(short_path(found["source"]), function) if function else None
        return Report("Assertion failed", what, called=place, source=found["source"])
    if found.re in (heads.HARDENED, heads.STDCXX, heads.MOZILLA_ASSERT, heads.WINDOWS_ASSERT):
        return Report("Assertion failed", what, source=found["source"])
    if found.re is heads.NODE_ASSERT:
        called = Frame(base_name(found["exe"]), text(what))
        return Report("Assertion failed", message, called=called, proof=heads.NODE_ASSERTED)
    if found.re is heads.JVM:
        # Markdown eats the marks; without them it may be prose.
        proof = None if "#" in said[: found.start("what")] else jvm.PROOF
        return Report("", message, is_java=True, proof=proof)
    if found.re in heads.AS_IT_IS:
        return Report(what, message, is_apple=found.re is heads.OBJECTIVE_C, aborts=found.re in heads.ABORTS)
    is_sure = found.re is not heads.GLOG or what.startswith("Check failed")
    proof = None if is_sure else heads.CHECK_STACK
    pid = None if found.re is heads.GLOG else found["pid"]  # glog writes the number of the thread
    return Report(of_check(what), message, pid, source=found["source"], proof=proof)


def _of_summary(found: re.Match[str], message: str) -> Report:
    """It tells the place alone; lines below it are no stack."""
    tool, what = found["tool"], found["what"]
    if what.endswith("leaked"):
        return Report(heads.LEAKS, message, tool=tool, is_summary=True, stack=())
    offset = int(found["offset"], 16) if found["offset"] else None
    function = None if found["function"] == "??" else text(found["function"])
    called = Frame(base_name(found["module"]), function, offset) if found["module"] or function else None
    source = None if found["source"] == "??" else found["source"]
    return Report(f"{tool}: {what}", message, source=source, called=called, tool=tool, is_summary=True, stack=())


def _notice_of(said: str) -> Report | None:
    ended = workers.ended(said)
    if ended is None:
        return None
    # The line itself may have a command, or the name of a user.
    message = f"{ended.program or 'a process'} was ended by {ended.code}"
    return Report(
        ended.code, message, ended.pid, called=Frame(ended.program) if ended.program else None, is_notice=True
    )


def of_check(what: str) -> str:
    """``Check failed`` from ``Check failed: len > 0 (-1 vs. 0)``: the place identifies it, and values differ."""
    return next((kind for kind in _CHECKS if what.startswith(kind)), "Fatal error")


def _without_values(what: str) -> str:
    """A text without parts that differ from run to run: those in brackets and quotes, and numbers."""
    plain = re.sub(r"\[[^\[\]]*\]|\([^()]*\)|'[^']*'", "", what)
    return " ".join(_NUMBERS.sub("", plain).split())
