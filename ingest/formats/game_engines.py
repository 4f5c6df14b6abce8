"""Logs of games and tools that were made with Unreal Engine or Unity, which write their own crash into them.

Unreal tells the exception or the assertion, and a stack with or without symbols. Unity's ``Player.log`` tells a stack
and where each file with code was loaded, but not the exception; its ``error.log`` tells the exception, the file and the
time. A log from its beginning on is known by its first lines, as the crash is at its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import dropwhile

from ingest.formats.blame import at_fault
from ingest.formats.crashes import MOST_FRAMES, Frame, Records, Told, base_name, name_of, tags_of, text, time_of
from ingest.formats.format import Head, Log, is_marked_up
from ingest.formats.lines import text_lines_in
from ingest.formats.systems import of_output

_LONGEST_LINE = 4000  # template arguments
_LONGEST_CODE = 200
_UNTIL_STACK = 12  # lines between what happened and the first step
_LEAST_MODULES = 3
_MOST_IMAGES = 2000

_STAMP = r"(?:\[(?P<date>\d{4}\.\d\d\.\d\d)-(?P<time>\d\d\.\d\d\.\d\d):(?P<part>\d{3})\]\[[ \d]{1,4}\])?"
_PREFIX = re.compile(rf"{_STAMP}(?:Log\w{{1,40}}: ?(?:(?:Error|Fatal|Critical): ?)?)?")  # of a line of Unreal's log
_RELAYED = re.compile(  # by its editor, of a program that it runs; what it packages it may tell twice
    rf"{_STAMP}(?:UATHelper|PackagingResults|LogPlayLevel): {{0,4}}"
    r"(?:[\w ]{1,30} \([\w -]{1,20}(?:\([\w-]{1,10}\))?\): {0,4})?(?:Error: ?)?"
)
_BEGUN = re.compile(r"=== Critical error: ===|Fatal error!")
_EXCEPTION = re.compile(
    r"Unhandled Exception: (?P<code>EXCEPTION_[A-Z_]{3,40}|SIG[A-Z]{2,6}|0x[0-9a-fA-F]{8})\b(?P<what>.{0,300})"
)
_ASSERTED = re.compile(r"(?P<kind>Assertion failed|Fatal error|LowLevelFatalError):? (?P<what>\S.{0,1000})")
_OF_SOURCE = re.compile(r" ?\[File:(?P<file>[^\[\]]{0,400})\] ?\[Line: (?P<line>\d{1,7})\] ?")
_STEP = re.compile(
    r"(?:\[Callstack\] )?(?P<address>0x[0-9a-fA-F]{8,16} )?(?P<module>[\w.+-]{1,100})"
    r"(?:!(?P<function>[^\[\]]{0,1500}?(?:\[\][^\[\]]{0,500}?)?))?(?P<place> \[[^\[\]]{0,400}\])?\s*"
)
_NO_FUNCTION = frozenset(["", "UnknownFunction", "UnknownFunction()"])
_REPORTING = re.compile(  # of Unreal's own functions, with which an assertion ends the process
    r"RaiseException$|ReportAssert$|StaticFailDebug$|AssertFailedImplV?$|DispatchCheckVerify\b|FDebug::|FError::|FMsg::|F\w{0,40}OutputDevice\w{0,9}::"
)
_RAISES = re.compile(r"KERNELBASE(?:\.dll)?$", re.IGNORECASE)
_LOG_OF_UNREAL = re.compile(r"\A\ufeff?Log file open, {1,3}\d\d/\d\d/\d\d \d\d:\d\d:\d\d")

_CRASH = "Crash!!!"
_STACK = re.compile(r"=+ OUTPUTT?ING STACK TRACE =+")
_STACK_END = re.compile(r"=+ END OF STACKTRACE =+")
_STEP_OF_UNITY = re.compile(
    r"(?P<address>0x[0-9a-fA-F]{8,16}) \((?P<module>[^()]{1,100})\) (?:\[[^\[\]]{1,400}\] )?(?P<function>\S.{0,1000})"
)
_NOT_NAMED = "(function-name not available)"
_JUST_IN_TIME = "Mono JIT Code"
_IMAGE = re.compile(
    r"[^:]?:?[^:]{1,400}:(?P<name>[^:()]{1,120}) \((?P<start>[0-9A-Fa-f]{8,16})\), size: (?P<size>\d{1,12}) .{0,600}"
)
_VERSION = re.compile(r", fileVersion: (?P<version>[\d.]{3,40})$")
_SYSTEM = re.compile(r"OS-Version: (?P<version>\d{1,2}\.\d{1,2}\.\d{4,5})\b")
_CAUSED = re.compile(
    r"(?P<module>[\w.+ -]{1,100}) caused an? (?P<what>[A-Z][\w ]{3,60}) \((?P<code>0x[0-9a-fA-F]{8})\)"
)
_IN_MODULE = re.compile(r"in module \S.{0,100} at [0-9a-fA-F]{4}:[0-9a-fA-F]{8,16}\.")
_OCCURRED = re.compile(r"Error occurred at (?P<date>\d{4}-\d\d-\d\d)_(?P<h>\d\d)(?P<m>\d\d)(?P<s>\d\d)\.")
_RUN = re.compile(r"(?P<path>[A-Za-z]:\\[^\n:*?\"<>|]{1,300}\.exe), run by .{1,100}")
_LOG_OF_UNITY = re.compile(r"^Initialize engine version: \d{1,4}\.\d", re.MULTILINE)
_WINDOWS_OWN = re.compile(r"(?:kernel32|kernelbase|ntdll|user32)(?:\.dll)?$", re.IGNORECASE)
_OF_WINDOWS = re.compile(r"^Direct3D:|^\s{1,8}Version: {1,8}Direct3D", re.MULTILINE)

_MARKS = ("Unhandled Exception: ", "=== Critical error: ===", "] [Line: ", _CRASH, " STACK TRACE ====", " caused a")


@dataclass
class _Crash:
    """A crash as it was written, line by line.

    Attributes:
        what: the words about it. between: lines since its head, before its first step. is_open: whether more of it may
            come. is_told: whether it is one, and not only the line that precedes one.
    """

    code: str | None = None
    what: str = ""
    at: str | None = None
    source: str | None = None
    module: str | None = None
    exe: str | None = None
    os_version: str | None = None
    of_unity: bool = False
    is_relayed: bool = False
    in_stack: bool = False
    is_told: bool = False
    is_open: bool = True
    between: int = 0
    frames: list[Frame] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    images: dict[str, tuple[str, int, int, str | None]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def steps(self) -> list[Frame]:
        """The stack; a word or two are none, though without symbols Unreal tells only the module of each step."""
        is_sure = bool(self.addresses) or any(frame.function for frame in self.frames)
        return self.frames if is_sure or len(self.frames) >= _LEAST_MODULES else []


def _recognises(head: Head) -> bool:
    said = head.text
    if is_marked_up(said):
        return False
    if _LOG_OF_UNREAL.match(said) or (_LOG_OF_UNITY.search(said) and _OF_WINDOWS.search(said)):
        return True
    if not any(mark in said for mark in _MARKS):
        return False
    return any(crash.steps or crash.module for crash in _crashes(iter(said.splitlines())))


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    relayed: list[str] = []  # the addresses of the stack of the last crash
    for crash in _crashes(text_lines_in(blocks, _LONGEST_LINE)):
        if crash.is_relayed and crash.addresses and crash.addresses == relayed:
            continue
        relayed = crash.addresses
        records = Records(told)
        _add(records, crash)
        yield records


def _crashes(lines: Iterator[str]) -> Iterator[_Crash]:
    crash: _Crash | None = None
    for raw in lines:
        relayed = _RELAYED.match(raw[:_LONGEST_LINE])
        said = raw[relayed.end() if relayed else 0 : _LONGEST_LINE]
        prefix = _PREFIX.match(said)
        stamp = relayed if relayed and not (prefix and prefix["date"]) else prefix
        line = (said[prefix.end() :] if prefix else said).strip(" \t`\r")
        begun = _begun(line, crash)
        if begun is not None:
            if crash is not None and crash.is_told:
                yield crash
            crash = begun
            crash.is_relayed = relayed is not None
            if _ASSERTED.fullmatch(line) and not begun.is_told:
                _feed(crash, line)  # as its reporter shows it
            if stamp and stamp["date"]:
                crash.at = f"{stamp['date'].replace('.', '-')}T{stamp['time'].replace('.', ':')}.{stamp['part']}Z"
        elif crash is not None and line:
            (_feed_of_unity if crash.of_unity else _feed)(crash, line)
        elif crash is not None and crash.frames and not crash.of_unity:
            crash.is_open = False  # a blank line
        if crash is not None and not crash.is_open:
            if crash.is_told:
                yield crash
            crash = None
    if crash is not None and crash.is_told:
        yield crash


def _begun(line: str, crash: _Crash | None) -> _Crash | None:
    """The crash that a line begins; None if it is another's or no crash's."""
    if line == _CRASH:
        return _Crash(of_unity=True)
    if found := _CAUSED.fullmatch(line):
        return _Crash(found["code"].lower(), found["what"], module=text(found["module"]), of_unity=True)
    if _STACK.fullmatch(line) and not (crash is not None and crash.of_unity and not crash.is_told):
        return _Crash(of_unity=True, in_stack=True)
    if crash is not None and (crash.is_told or crash.of_unity):
        return None
    if crash is None and (_BEGUN.fullmatch(line) or (_ASSERTED.fullmatch(line) and _OF_SOURCE.search(line))):
        return _Crash()
    return _Crash(is_told=True, code=found["code"], what=line) if (found := _EXCEPTION.fullmatch(line)) else None


def _feed(crash: _Crash, line: str) -> None:
    """A line of Unreal's. The expression of an assertion is its code, as it tells one from another."""
    if len(crash.lines) < MOST_FRAMES:
        crash.lines.append(line)
    if not crash.is_told and (asserted := _ASSERTED.fullmatch(line)):
        source = _OF_SOURCE.search(asserted["what"])
        plain = _OF_SOURCE.sub(" ", asserted["what"]).strip()
        crash.code, crash.is_told = f"{asserted['kind']}: {plain}".removesuffix(": ")[:_LONGEST_CODE], True
        crash.what = plain
        crash.source = f"{base_name(source['file'])}:{source['line']}" if source else None
        return
    step = _STEP.fullmatch(line) if crash.is_told else None
    if step is not None and not (crash.addresses and line == step["module"]):  # a word below a stack is no step
        function = (step["function"] or "").strip()
        name = None if function in _NO_FUNCTION else text(function.removesuffix("()"))
        if len(crash.frames) < MOST_FRAMES:
            crash.frames.append(Frame(step["module"], name))
            crash.addresses += [step["address"]] if step["address"] else []
        crash.is_open = len(crash.frames) < MOST_FRAMES
        return
    if crash.is_told and not crash.what:  # of an error without words on the line of its place
        crash.code, crash.what = f"{crash.code}: {line}"[:_LONGEST_CODE], line
    crash.between += 1
    crash.is_open = not crash.frames and crash.between < _UNTIL_STACK


def _feed_of_unity(crash: _Crash, line: str) -> None:
    if crash.in_stack:
        if step := _STEP_OF_UNITY.fullmatch(line):
            crash.is_told = True
            _add_step(crash, step)
        elif _STACK_END.fullmatch(line):
            crash.is_open = False
        return
    if _STACK.fullmatch(line):
        crash.in_stack = True
    elif image := _IMAGE.fullmatch(line):
        if len(crash.images) < _MOST_IMAGES:
            version = _VERSION.search(line)
            name = image["name"].rpartition("\\")[2]
            loaded = (name, int(image["start"], 16), int(image["size"]), version["version"] if version else None)
            crash.images.setdefault(name.rpartition(".")[0].lower() or name.lower(), loaded)
    elif system := _SYSTEM.match(line):
        crash.os_version = system["version"]
    elif _IN_MODULE.fullmatch(line):
        crash.is_told = crash.code is not None
    elif occurred := _OCCURRED.match(line):
        crash.at = f"{occurred['date']}T{occurred['h']}:{occurred['m']}:{occurred['s']}Z"
    elif run := _RUN.fullmatch(line):
        crash.exe = base_name(run["path"])
        crash.is_open = not crash.is_told
    elif crash.code is not None:
        crash.between += 1
        crash.is_open = crash.between < _UNTIL_STACK


def _add_step(crash: _Crash, step: re.Match[str]) -> None:
    if len(crash.frames) >= MOST_FRAMES:
        return
    name, start, size, _ = crash.images.get(step["module"].lower(), (step["module"], 0, 0, None))
    into = int(step["address"], 16) - start
    function = None if step["function"] == _NOT_NAMED else text(step["function"])
    module = None if name == _JUST_IN_TIME else name
    crash.frames.append(Frame(module, function, into if 0 <= into < size else None))
    crash.addresses.append(step["address"])


def _add(records: Records, crash: _Crash) -> None:
    frames = crash.steps
    places = [frame.function or f"{frame.module}+{frame.offset}" for frame in frames[:16]]
    host_id = records.host_id(())
    below = list(dropwhile(_reports, frames))
    blamed = at_fault(below or frames, crash.module)
    image = next((one for one in crash.images.values() if one[0] == blamed["module"]), None)
    is_of_windows = crash.of_unity or (crash.code or "").startswith(("EXCEPTION_", "0x"))
    is_of_windows = is_of_windows or any(_WINDOWS_OWN.match(frame.module or "") for frame in frames)
    records.crash(
        crash_id=name_of(host_id or "", crash.at or "", crash.code or "", crash.what, *places, *crash.addresses[:16]),
        host_id=host_id,
        occurred_at=time_of(crash.at),
        time_quality="log" if crash.at else None,
        os_type="windows" if is_of_windows else of_output(crash.lines),
        os_version=crash.os_version,
        domain="user",
        code=crash.code,
        **blamed,
        module_version=image[3] if image else None,
        frames=frames,
        tags=tags_of([("message", crash.what), ("source", crash.source), ("exe", crash.exe)]),
    )


def _reports(frame: Frame) -> bool:
    """Whether a step of Unreal's only reports what was found below it."""
    return bool(_REPORTING.match(frame.function) if frame.function else _RAISES.match(frame.module or ""))


GAME_ENGINES = Log("log of Unreal Engine or Unity", _recognises, _read)
