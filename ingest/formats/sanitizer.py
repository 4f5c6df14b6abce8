"""Reports of faults that a process's own runtime found, within the output of the process.

Sanitizers of LLVM and GCC, libFuzzer and Centipede, checks of Chromium, V8 and Node, of C and C++ libraries, panics of
Go and Rust. They have neither the host nor the time nor, except in paths, the system. A report without a stack that
does not say that it ended the process is no crash: UndefinedBehaviorSanitizer goes on after most.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence

from ingest.formats import caught_signals, handler_reports, jvm, uncaught
from ingest.formats import sanitizer_heads as heads
from ingest.formats.blame import at_fault, telling
from ingest.formats.crashes import Frame, Records, Told, name_of, tags_of, text
from ingest.formats.format import Head, Log, is_marked_up
from ingest.formats.kernel_lines import is_of_process, is_of_syslog, stamp_of
from ingest.formats.lines import text_lines_in
from ingest.formats.log_stamps import nearest_stamp
from ingest.formats.sanitizer_reports import Report, of_check, report_of
from ingest.formats.stack_steps import short_path
from ingest.formats.storage_faults import IS_LOG
from ingest.formats.systems import of_output

_MOST_LINES = 600  # of a report; its first stack has at most 256 frames, on two lines each for Go
_MOST_OF_PARTS = 1500  # of a report with all threads
_LONGEST_LINE = 4000  # template arguments
_MOST_BETWEEN = 2000  # lines between two reports of one crash
_LONGEST_CODE = 200
_UNTIL_STACK = 40  # lines between the head of a report and its stack; V8 and Node print heap statistics

_FIRST_FRAME = re.compile(r"\s*(?:#0{1,2}\s|1: (?:0x)?[0-9a-fA-F]{4}|0\s{1,8}\S.{0,200}\s0x[0-9a-f]{16}\s)")
_BARE_STEP = re.compile(r"\s{0,12}\[0x[0-9a-f]{6,16}\]")  # of Chromium, without symbols
_STACK_HEAD = re.compile(
    r"goroutine \d|stack backtrace:|Backtrace:|=+ C stack trace|-+ Native stack trace|\*\*\* Check failure"
    r"|Traceback \(most|=+ Backtrace: =+|signal arrived during (?:cgo|external code) execution"
)
_END = re.compile(
    r"SUMMARY: |==\d+==ABORTING|\s*(?:freed|previously allocated|allocated) by thread|Thread T\d+ created"
)
_CLOSED = "[end of stack trace]"  # of Chromium
_BY_SIGNAL = re.compile(r"^SIG[A-Z]+$|: (?:ABRT|ILL|TRAP|BUS|SEGV|breakpoint|illegal-instruction|deadly signal)$")
_BY_EXIT = "libFuzzer: fuzz target exited"
_HANG = re.compile(r"libFuzzer: timeout|Centipede: .{0,12}[Tt]imeout exceeded")
_PLACE = re.compile(r"\bpc 0x[0-9a-f]{4,16}\b")
_THROWN = re.compile(r"(?P<name>[A-Za-z_][\w.]{0,200})(?::.*)?$")
_THROWN_AT_ONCE = re.compile(r"Uncaught Exception: (?:Jazzer\.js: )?(?P<name>[\w.]{0,200}(?:Error|Exception)):")
_NEXT = 3  # lines from what a program finds to the signal by which it ends
_SIGNAL_TOLD, _PYTHONS_FAULT = " received at time=", "Fatal Python error: "
_FOR_MEMORY = "Aborting due to java.lang.OutOfMemoryError"
_TOMBSTONE = "*** *** *** *** ***"


def _recognises(head: Head) -> bool:
    said = head.text
    if (is_marked_up(said) and not IS_LOG.match(said)) or _TOMBSTONE in said or not (marks := heads.marks_in(said)):
        return False
    lines = said.splitlines()
    looked_at: dict[re.Pattern[str], int] = {}  # lines without a proof, of those that may be far from the head
    for at, line in enumerate(lines):
        report = report_of(line) if heads.may_begin(line, marks) else None
        if report is None or _is_of_system(line, report) or not _may_follow(report, lines[max(at - 2, 0) : at]):
            continue
        proof, until = report.proof, _until_stack(report)
        if proof is None:
            return True
        start, end = max(at + 1, looked_at.get(proof, 0)), at + until
        if any(map(proof.match, map(report.said, lines[start:end]))):
            return True
        if until > _UNTIL_STACK:
            looked_at[proof] = end
    return False


def _may_follow(report: Report, before: Sequence[str]) -> bool:
    """Whether a report may begin after some lines."""
    return report.thrown is None or report.thrown.may_follow(before)


def _is_of_system(line: str, report: Report) -> bool:
    """Whether a line is one of a system's log, see ``programs``."""
    stamp = stamp_of(line)
    return is_of_process(stamp) or (report.is_notice and bool(stamp["host"]) and is_of_syslog(stamp))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    for report in reports_in(text_lines_in(blocks, _LONGEST_LINE)):
        records = Records(told)
        add(records, report, at=report.at)
        yield records


def begins_report(line: str) -> bool:
    """Whether a line may be the first of a report. A summary may come late, after those of the report were read."""
    report = report_of(line)
    return report is not None and not report.is_summary


def reports_in(lines: Iterator[str]) -> Iterator[Report]:
    """The reports in the output of a program, each of a process that ended."""
    return (report for report in _crashes(_reports(lines)) if _has_ended(report))


def _has_ended(report: Report) -> bool:
    if report.proof is not None:
        return any(map(report.proof.match, report.lines[1:]))
    return report.is_fatal or bool(report.frames()) or any(map(_BARE_STEP.match, report.lines[1:]))


def _reports(lines: Iterator[str]) -> Iterator[Report]:
    report: Report | None = None
    has_begun = False  # whether there was a report of which no summary has come
    before: deque[str] = deque(maxlen=_UNTIL_STACK)  # the newest last
    for number, line in enumerate(lines):
        begun = report_of(line)
        if begun and not _may_follow(begun, before):
            begun = None
        if begun and begun.tool:
            is_again, has_begun = begun.is_summary and has_begun, not begun.is_summary
            begun = None if is_again else begun
        if begun and begun.at is None:
            begun.at = nearest_stamp((line, *reversed(before)))
        before.append(line)
        said = report.said(line) if report is not None else line
        if report is not None and (
            _is_over(report, said) or (begun and (report.has_stack or begun.is_java or not begun.proof))
        ):
            yield report
            report = None
        if report is None and begun:
            report, begun.number, said = begun, number, line[begun.prefix :]
        if report is not None:
            report.has_stack = report.has_stack or _has_stack(report, said)
            report.lines.append(said)
    if report is not None:
        yield report


def _crashes(reports: Iterator[Report]) -> Iterator[Report]:
    """Reports combined into crashes: of several by one process, the first has the cause, others how it ended."""
    held: Report | None = None
    for report in reports:
        if held is None:
            held = report
        elif _is_of_same(held, report):
            proof = None if _has_ended(held) else held.proof and report.proof
            held.is_fatal, held.tool, held.proof = True, report.tool, proof
            # The stack of an exit says nothing.
            stacks_told = [held.frames()] if report.code == _BY_EXIT else [held.frames(), report.frames()]
            held.stack = report.frames() if _is_cause(held, report) else max(stacks_told, key=_telling)
            held.lines += report.lines
        else:
            goes_on = not held.is_fatal and held.tool is not None and held.tool == report.tool
            if not goes_on:
                yield held
            held = report
    if held is not None:
        yield held


def _is_of_same(first: Report, then: Report) -> bool:
    """Whether a signal report is of the process of an earlier report; in containers many have the same number."""
    if first.is_notice or then.is_notice:
        return _is_end_of(first, then)
    if first.proof is heads.FUZZED and not heads.FUZZED.match(then.message):
        return False
    if first.is_apple and then.code == "NSException":
        return True
    if first.tool == then.tool == "Centipede" and first.message == then.message:
        return True
    # Repeated, such as without symbols, or with the stack that the first one lacked.
    if _PLACE.search(then.message) and any(line.strip() == then.message for line in first.lines):
        return True
    if then.message == first.message and first.pid and not first.frames():
        return True
    if first.thrown and then.thrown and caught_signals.is_told_within(then.thrown, first.thrown):
        return True
    if then.is_java and first.message.startswith(_FOR_MEMORY):
        return True
    if _ends(first, then) or _is_cause(first, then):
        return True
    if uncaught.is_told_again(then.thrown, then.lines, first.thrown, first.lines):
        return True
    if first.pid and first.pid == then.pid and first.is_fatal and not first.frames():
        return True
    has_ended = first.tool is not None and first.is_fatal and first.tool != "Centipede"
    ends = then.code == _BY_EXIT or _BY_SIGNAL.search(then.code)
    if has_ended or not ends or then.number - first.number > _MOST_BETWEEN:
        return False
    return not (first.pid and then.pid) or first.pid == then.pid


def _ends(first: Report, then: Report) -> bool:
    """Whether a process's own handler of the signal, or Python's, tells how what was told before it ended."""
    if _SIGNAL_TOLD in first.message and then.message.startswith(_PYTHONS_FAULT):
        return True
    if first.code == "panic" and then.message.startswith(heads.RUST_ITSELF):
        return then.number - first.number - len(first.lines) <= _UNTIL_STACK
    is_next = first.code == "Assertion failed" and then.number - first.number <= _NEXT
    return is_next and then.thrown is not None and then.thrown.told(then.lines)[0] == "SIGABRT"


def _is_cause(first: Report, then: Report) -> bool:
    """Whether a report that follows at once tells of the cause of an exception."""
    is_next = then.number == first.number + len(first.lines)
    return is_next and uncaught.is_cause(then.thrown, then.lines, first.thrown, first.lines)


def _is_end_of(first: Report, then: Report) -> bool:
    """Whether a notice is of the process that printed a report; libraries print no number of theirs."""
    if first.is_notice or not then.is_notice or then.number - first.number - len(first.lines) > _UNTIL_STACK:
        return False
    if first.pid and then.pid:
        return first.pid == then.pid
    code = first.thrown.told(first.lines)[0] if first.thrown else first.code
    return code == then.code or (then.code == "SIGABRT" and (first.thrown is None or first.thrown.aborts))


def _telling(frames: Sequence[Frame]) -> tuple[int, int]:
    return telling(frames), len(frames)


def _has_stack(report: Report, line: str) -> bool:
    """Whether a line is part of a stack, or begins one."""
    if report.thrown is not None:
        return report.proof is None or report.proof.match(line) is not None
    return bool(_FIRST_FRAME.match(line) or _STACK_HEAD.match(line))


def _is_over(report: Report, line: str) -> bool:
    """Whether a line is after a report: after its first stack, or after the limit if it has none."""
    if report.is_notice:
        return True
    if report.has_stack and (_END.match(line) or report.lines[-1].startswith(_CLOSED)):
        return True
    if report.has_stack and report.thrown is not None:
        if report.thrown.between is not None and report.thrown.between.match(line):
            return len(report.lines) >= _MOST_OF_PARTS
        if not uncaught.GOES_ON.match(line):
            return True
    # Go, V8 and Node write a blank line between the head of a stack and its frames.
    if report.has_stack and not line.strip() and not _STACK_HEAD.match(report.lines[-1]):
        return True
    return len(report.lines) >= (_most_lines(report) if report.has_stack else _until_stack(report))


def _until_stack(report: Report) -> int:
    return (report.thrown.until if report.thrown is not None else None) or _UNTIL_STACK


def _most_lines(report: Report) -> int:
    return _MOST_OF_PARTS if report.thrown is not None and report.thrown.between is not None else _MOST_LINES


def add(records: Records, report: Report, *, host: str | None = None, at: str | None = None) -> None:
    """Add the crash of a report.

    Args:
        host, at: from its log, if known.
    """
    if report.is_java:
        jvm.add(records, jvm.head_of(report.lines), host=host, at=at)
        return
    frames = report.frames()
    if not frames and (report.called or report.source):
        frames = [report.called or Frame(short_path(report.source or ""))]  # nothing else is known about the place
    code, message = heads.code_of(report.code, report.lines), report.message
    if report.code == "Fatal error" and len(report.lines) > 1 and report.lines[1].startswith("# "):  # V8
        message = report.lines[1][2:].strip()
        code = of_check(message)
    if report.proof is heads.NODE_ASSERTED:
        message = next((found["what"] for line in report.lines if (found := report.proof.match(line))), message)
    if report.code in heads.UNCAUGHT:
        if thrown := _THROWN.match("".join(report.lines[1:2])):
            code, message = thrown["name"], thrown[0]
        elif at_once := _THROWN_AT_ONCE.search(message):
            code = at_once["name"]
    if report.thrown is not None:
        name, message, _ = report.thrown.told(report.lines)
        code = name or "uncaught exception"
    told_host, release = handler_reports.system_of(report.thrown, report.lines)
    host_id = records.host_id((host, told_host))
    records.crash(
        crash_id=name_of(host_id or "", *((at,) if at else ()), *report.known_by),
        host_id=host_id,
        occurred_at=at,
        time_quality="log" if at else None,
        os_type="windows" if report.is_notice and report.code.startswith("0x") else of_output(report.lines),
        os_version=release,
        domain="hang" if _HANG.fullmatch(code) else "user",
        code=text(code, _LONGEST_CODE),
        **at_fault(frames, code="SIGABRT" if report.aborts else None),
        frames=frames,
        tags=tags_of([("message", message), ("pid", report.pid)]),
    )


SANITIZER = Log("report of a sanitizer, a fuzzer or a runtime", _recognises, _read)
