"""Faults that programs tell of themselves, whose own handlers caught the signal: servers, C++ with Google's logging.

Also Mono, qBittorrent, OpenJ9, Julia, R, Zig and OCaml, Valgrind of what it runs, Erlang's machine, and Node as AWS
runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import dropwhile

from fleetcrash.clustering.codes import canonical_code
from ingest.formats import erlang
from ingest.formats.uncaught import Form

_GLOG = re.compile(r"\*\*\* Aborted at \d{10} \((?:unix time\)|Unix time,) .*")  # the latter is Folly's
_GLOG_SIGNAL = re.compile(
    r"\*\*\* (?:Signal \d{1,3} \()?(?P<signal>SIG[A-Z]{2,6})\)? \(@?0x[0-9a-f]{1,16}\) received by PID \d{1,10} "
)
_FOLLYS_STEP = re.compile(r"^(\s{0,9})@ (?=[0-9a-f]{16} )")
_FOLLYS_OWN = " folly::symbolizer::"  # the handler's
_MYSQL = re.compile(
    r"(?:.{0,80} )?\S{0,200}(?:mysqld|mariadbd)(?:\.exe)? got (?:signal|exception) (?P<number>\d{1,2}|0x[0-9a-f]{8}) ?;"
)
_MYSQL_STACK = re.compile(r"Attempting backtrace|stack_bottom = ")
_MYSQLS = re.compile(  # words between the head of the stack and its steps, and these
    r"where (?:mysqld|mariadbd|the server) died|terribly wrong\.{3}|\(note: |Thread pointer: |stack_bottom = |\s*$"
    r"|[^\s(]{1,300}(?:\(.{0,1000}\))? ?\[0x|(?:[0-9a-fA-F]{8,16}\s{1,4})?[\w.-]{1,100}\.(?:exe|dll)!"
)
_REDIS = re.compile(r".{0,80}# {1,5}(?i:redis|valkey|keydb) [\w.-]{1,30} crashed by signal: (?P<number>\d{1,2})\b.*")
# A fault in what prints the report of another.
_REDIS_AGAIN = re.compile(r"\d{1,10}:signal-handler \(\d{1,12}\) (?:--- )?Crashed running signal handler\b.*")
_REDIS_STACK = re.compile(r"-{3,9} STACK TRACE -{3,9}\s*$|.{0,80}# --- STACK TRACE\s*$|Backtrace:\s*$")
_REDIS_STEP = re.compile(
    r"(?:\[\d{1,10}\] .{10,40} # )?(?P<step>/?\S{1,300}(?: \S{1,60}){0,2}\(\S{0,300}\) ?\[0x.*|/\S{1,300} \[0x.*)"
)
_REDIS_THREAD = re.compile(r"\d{1,10} [\w.:-]{1,40}(?P<died> \*)?\s*$")  # since 7.4 all are told; it marks the one
_REDIS_PARTS = re.compile(rf"{_REDIS_STACK.pattern}|{_REDIS_STEP.pattern}|{_REDIS_THREAD.pattern}|EIP:\s*$|\s*$")
_REDIS_ADDRESS = re.compile(r" (?:\S{1,40}:\d{1,5}|\[\w{1,20}\])(?=\()")  # beside the program's name: where it listens
_CALLED_HANDLER = re.compile(
    r"\S{0,200}(?:(?:libpthread[\w.-]{0,40}|libc\.so\.6)(?:\((?:__restore_rt)?\+?[0-9a-fx]{0,16}\)|(?= ?\[0x))"
    r"|\(__restore_rt\))"
)
_HANDLER = re.compile(r"\S{1,300}\((?:sig(?:segv|nal)Handler|handle_fatal_signal)\b")
_VALGRIND = re.compile(
    r"==\d{1,10}== Process terminating with default action of signal (?P<number>4|5|6|7|8|11) \((?P<signal>SIG[A-Z]+)\)"
    r".*"
)
_VALGRIND_STEP = re.compile(
    r"==\d{1,10}==    (?:at|by) 0x[0-9A-F]{1,16}: (?P<function>\S.{0,1000}?) "
    r"\((?:in (?P<module>[^()]{1,300})|(?P<path>[^():]{1,300}:\d{1,9}))\)\s*$"
)
_VALGRINDS = re.compile(r"==\d{1,10}== ")
_CAUGHT = re.compile(
    r"(?:Got a (?P<monos>SIG[A-Z]{3,6}) while executing native code\..*|Caught signal: (?P<signal>SIG[A-Z]{3,6})"
    r"|Catching (?P<older>SIG[A-Z]{3,6}), please report a bug at .{1,300})"
)
_CAUGHT_STEP = re.compile(
    r"\s{1,8}(?:0x[0-9a-f]{4,16} - )?(?P<module>[^\s:][^:]{0,400}) : (?P<function>\S.{0,1000}?)"
    r"(?:\+(?P<offset>0x[0-9a-f]{1,16})\s{1,4}\[0x[0-9a-f]{1,16}\])?\s*$"
)
_CAUGHT_BY = re.compile(r"_sigtramp|__restore_rt|killpg|mono_(?:dump|handle)_native_crash|\w{0,20}sig\w{0,20}_handler")
_OPENJ9 = re.compile(r"Type=(?P<what>[A-Z][a-z]{2,20} [\w ]{3,30}) vmState=0x[0-9a-fA-F]{4,16}\s*")
_OPENJ9_SIGNAL = re.compile(
    r"(?:J9Generic_Signal_Number=[0-9a-fA-F]{8} Signal_Number=(?P<number>[0-9a-fA-F]{8})"
    r"|Windows_ExceptionCode=(?P<code>[0-9a-fA-F]{8})) "
)
_OPENJ9_PLACE = re.compile(r"(?P<name>Module|Symbol)=(?P<said>\S{1,500})\s*$")
_OPENJ9_STEP = re.compile(
    r"(?:(?P<function>[^\s+()]{1,500})\+0x[0-9a-f]{1,16} )?"
    r"\(0x[0-9A-F]{8,16} \[(?P<module>[^\]+]{1,300})\+(?P<offset>0x[0-9a-f]{1,16})\]\)\s*$"
)
_OPENJ9S = re.compile(
    rf"{_OPENJ9_STEP.pattern}|\(0x|[A-Za-z]\w{{0,40}}=|[a-z]{{1,5}}\d{{1,2}} [0-9a-f]{{16}} "
    r"|-{5,20}(?: Stack Backtrace -|\s*$)|\s*$"
)
_OPENJ9_OWN = re.compile(r"protectedBacktrace|omrintrospect_backtrace|protectedIntrospectBacktrace")
_OPENJ9_HANDLER = re.compile(r"(?:main|master)SynchSignalHandler|structuredSignalHandler|vmSignalHandler")
_JULIA = re.compile(  # since 1.11 the signal's own code is in the brackets
    r"(?:\[\d{1,10}\] )?signal (?:\((?P<number>4|6|7|8|11)(?:\.\d{1,3})?\)|(?P<newer>4|6|7|8|10|11) \(-?\d{1,3}\)): "
    r"[A-Z][a-z ]{3,40}(?:: \d{1,2})?"
)
_JULIA_STEP = re.compile(
    r"(?P<function>(?!in expression )\S.{0,300}?) at "
    r"(?:(?P<path>\S{1,500}:\d{1,9})(?: \[inlined\])?|(?P<module>\S{1,500}) \(unknown line\))"
)
_JULIAS = re.compile(
    rf"{_JULIA_STEP.pattern}\s*$|(?:while loading .{{1,300}}, )?in expression starting |unknown function \(ip: "
)
_R = re.compile(r" \*\*\* caught (?P<what>segfault|bus error|illegal operation) \*\*\*\s*")
_R_STACK = re.compile(r"Traceback:\s*$")
_R_STEP = re.compile(r"\s{0,3}\d{1,4}: (?!\.(?:Call|C|External|Fortran)\()(?P<function>[\w.:$@]{1,200})\(")
_ZIG = re.compile(r"thread \d{1,10} panic: (?P<what>\S.*)")
_ZIG_STEP = re.compile(
    r"(?P<path>\S{1,500}:\d{1,9}:\d{1,9}): 0x[0-9a-f]{1,16} in (?P<function>\S.{0,500}?) "
    r"\((?P<module>[^()]{1,200})\)\s*$"
)
_OCAML = re.compile(r"Fatal error: exception (?P<name>[\w.]{1,200})(?:\W.*)?")
_OCAML_STEP = re.compile(
    r"(?:Raised|Re-raised|Called) (?:at|from|by primitive operation at) (?:(?P<function>\S{1,200}) in )?file "
    r'"(?P<path>[^"]{1,500})"(?: \(inlined\))?, lines? (?P<line>\d{1,9})'
)
_OCAMLS = re.compile(r"Raised |Re-raised |Called ")
_LAMBDA = re.compile(
    r"(?:[\w.:-]{20,40}\s)?[\w-]{1,40}\s{1,2}ERROR\s(?:Uncaught Exception|Unhandled Promise Rejection)(?:\s.*)?"
)
_LAMBDAS = re.compile(r'\s*[{}\]]\s*$|\s+"')
_TYPE = re.compile(r'"(?P<name>errorType|errorMessage)":\s*"(?P<said>(?:[^"\\]|\\.){1,1000})"')
_AT = re.compile(r'"\s{0,9}(?P<step>at (?:[^"\\]|\\.){1,1000})"')
_FAULTS = {"segfault": "SIGSEGV", "bus error": "SIGBUS", "illegal operation": "SIGILL"}
# What a head has in it.
MARKS = ("*** Aborted at ", " got signal ", " got exception 0x", " crashed by signal: ", "Crashed running signal",
         "Process terminating with ",
         "Got a SIG", "Caught signal: SIG", "Catching SIG", " vmState=0x",
         "signal (", " signal ", " *** caught ", " panic: ", "Fatal error: exception ", "ERROR\tUncaught Exception",
         "ERROR Uncaught Exception", "ERROR\tUnhandled Promise", "ERROR Unhandled Promise", *erlang.MARKS)  # fmt: skip

Told = tuple[str | None, str, Sequence[str]]


def _number(form: re.Pattern[str], lines: Sequence[str]) -> str | None:
    found = form.fullmatch(lines[0].rstrip())
    number = found["number"] if found else ""
    return number if number.startswith("0x") else canonical_code(number, "linux")


def _of_glog(lines: Sequence[str]) -> Told:
    found = next((found for line in lines if (found := _GLOG_SIGNAL.match(line))), None)
    steps = [_FOLLYS_STEP.sub(r"\1@ 0x", line) for line in lines if _FOLLYS_OWN not in line]
    return (found["signal"], found[0].strip(), steps) if found else (None, lines[0].strip(), steps)


def _of_mysql(lines: Sequence[str]) -> Told:
    return _number(_MYSQL, lines), lines[0].strip(), below_handler(lines[1:])


def _of_redis(lines: Sequence[str]) -> Told:
    """The stack of the thread that died; where it is not told, the instruction alone, which is above it."""
    behind = list(dropwhile(lambda line: not _REDIS_STACK.match(line), lines))[1:]
    threads = [(at, found["died"]) for at, line in enumerate(behind) if (found := _REDIS_THREAD.match(line))]
    start = next((at for at, line in enumerate(behind) if line.startswith("Backtrace:")), 0)
    start = next((at for at, died in threads if died), start)
    end = next((at for at, _ in threads if at > start), len(behind))
    steps = [_REDIS_ADDRESS.sub("", found["step"]) for line in behind[start:end] if (found := _REDIS_STEP.match(line))]
    return _number(_REDIS, lines), lines[0].strip(), below_handler(steps)


def _of_redis_again(lines: Sequence[str]) -> Told:
    return _of_redis(list(dropwhile(lambda line: not _REDIS.fullmatch(line.rstrip()), lines)) or lines)


def is_told_within(form: Form, first: Form) -> bool:
    """Whether a report is one of the fault of what printed the report before it."""
    return form.head is _REDIS_AGAIN and first.head in (_REDIS, _REDIS_AGAIN)


def below_handler(steps: Sequence[str]) -> Sequence[str]:
    """Without the handler of the signal, which stands above what it was called for, and the system that called it."""
    own = next((at + 1 for at, step in enumerate(steps) if _CALLED_HANDLER.match(step)), None)
    if own is None:
        own = max((at + 1 for at, step in enumerate(steps) if _HANDLER.match(step)), default=0)
    return steps[own:]


def _of_valgrind(lines: Sequence[str]) -> Told:
    steps = [found for line in lines if (found := _VALGRIND_STEP.match(line))]
    again = next((at for at, step in enumerate(steps) if at and "==    at 0x" in step[0]), len(steps))  # of another
    return _number(_VALGRIND, lines), lines[0].strip(), numbered(steps[:again])


def _of_caught(lines: Sequence[str]) -> Told:
    head = _CAUGHT.fullmatch(lines[0].rstrip())
    steps = [found for line in lines[1:] if (found := _CAUGHT_STEP.match(line))]
    own = max((at + 1 for at, step in enumerate(steps) if _CAUGHT_BY.match(step["function"])), default=0)
    code = head["monos"] or head["signal"] or head["older"] if head else None
    return code, lines[0].strip(), [f"#{at} 0x0000 {_caught(step)}" for at, step in enumerate(steps[own:])]


def _caught(step: re.Match[str]) -> str:
    if step["function"] == "()" and step["offset"]:  # no symbol: an offset within the file
        return f" ({step['module']}+{step['offset']})"
    return f"{step['function']} ({step['module']})"


def _of_openj9(lines: Sequence[str]) -> Told:
    """Its stack is that of the handler of the signal, below which is what it was called for."""
    told = next((found for line in lines if (found := _OPENJ9_SIGNAL.match(line))), None)
    number = told["number"] if told else None
    code = canonical_code(str(int(number, 16)), "linux") if number else f"0x{told['code'].lower()}" if told else None
    steps = [found for line in lines if (found := _OPENJ9_STEP.match(line))]
    own = max((at + 1 for at, step in enumerate(steps) if _OPENJ9_HANDLER.match(step["function"] or "")), default=0)
    if own < len(steps) and own and not steps[own]["function"]:  # the system's, which called the handler
        own += 1
    is_cut = not own and any(_OPENJ9_OWN.match(step["function"] or "") for step in steps)
    own = len(steps) if is_cut else own
    named = [f"{step['function'] or ''} ({step['module']}+{step['offset']})" for step in steps[own:]]
    if not named:
        place = {found["name"]: found["said"] for line in lines if (found := _OPENJ9_PLACE.match(line))}
        named = [f"{place.get('Symbol', '??')} ({place['Module']})"] if "Module" in place else []
    return code, lines[0].strip(), [f"#{at} 0x0000 {one}" for at, one in enumerate(named)]


def _of_julia(lines: Sequence[str]) -> Told:
    head = _JULIA.fullmatch(lines[0].rstrip())
    number = (head["number"] or head["newer"]) if head else ""
    code = canonical_code(number, "darwin" if number == "10" else "linux") if number else None
    return code, lines[0].strip(), numbered(map(_JULIA_STEP.fullmatch, map(str.rstrip, lines[1:])))


def _of_r(lines: Sequence[str]) -> Told:
    head = _R.fullmatch(lines[0])
    return _FAULTS.get(head["what"] if head else ""), lines[0].strip(), numbered(map(_R_STEP.match, lines))


def _of_zig(lines: Sequence[str]) -> Told:
    return "panic", lines[0].strip(), numbered(map(_ZIG_STEP.match, lines))


def _of_ocaml(lines: Sequence[str]) -> Told:
    head = _OCAML.fullmatch(lines[0].rstrip())
    return head["name"] if head else None, lines[0].strip(), numbered(map(_OCAML_STEP.match, lines))


def _of_lambda(lines: Sequence[str]) -> Told:
    """The error as JSON, in the line or below it; a log may have cut it."""
    said = "\n".join(lines)
    told = {found["name"]: found["said"] for found in _TYPE.finditer(said)}
    steps = [found["step"].replace("\\\\", "\\") for found in _AT.finditer(said)]
    what = told.get("errorType")
    return what, ": ".join(one for one in (what, told.get("errorMessage", "").split("\\n")[0]) if one), steps


def numbered(steps: Iterable[re.Match[str] | None]) -> list[str]:
    """Steps as a debugger writes them."""
    found = [step.groupdict() for step in steps if step]
    return [f"#{at} 0x0000 {_place(step)}" for at, step in enumerate(found)]


def _place(step: dict[str, str | None]) -> str:
    function, path, module = (step.get(name) for name in ("function", "path", "module"))
    if path:
        place = path if re.search(r":\d+$", path) else f"{path}:{step.get('line') or 1}"
        return f"in {function or '??'} {place}"
    return f"{function} ({module})" if module else f"in {function}"


FORMS = (
    Form(_GLOG, _GLOG_SIGNAL, _of_glog),
    Form(_MYSQL, _MYSQL_STACK, _of_mysql, _MYSQLS),
    Form(_REDIS, _REDIS_STACK, _of_redis, _REDIS_PARTS),
    Form(_REDIS_AGAIN, _REDIS_STACK, _of_redis_again, _REDIS_PARTS),
    Form(_VALGRIND, _VALGRIND_STEP, _of_valgrind, _VALGRINDS),
    Form(_CAUGHT, _CAUGHT_STEP, _of_caught, _CAUGHT_STEP),
    Form(_OPENJ9, _OPENJ9_SIGNAL, _of_openj9, _OPENJ9S),
    Form(_JULIA, _JULIAS, _of_julia, _JULIAS),
    Form(_R, _R_STACK, _of_r),
    Form(_ZIG, _ZIG_STEP, _of_zig, _ZIG_STEP),
    Form(_OCAML, _OCAMLS, _of_ocaml, _OCAMLS),
    Form(_LAMBDA, None, _of_lambda, _LAMBDAS),
    erlang.FORM,
)


def form_of(said: str) -> Form | None:
    """The form that a line may be the head of."""
    return next((form for form in FORMS if form.head.fullmatch(said.rstrip())), None)
