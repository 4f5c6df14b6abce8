"""Faults that servers and other programs tell of themselves in forms of their own; see also ``caught_signals``.

ClickHouse, Envoy, the X server, programs of Open MPI and of Fortran, uWSGI, Bun, Haskell's runtime, SQL Server,
and Swift's checks.
Those of Ceph, MongoDB and Elasticsearch are in ``storage_faults``, those of compiled languages in
``compiled_runtimes``, of daemons in ``daemon_faults``, of programs of science in ``science_faults``, of handlers that
many programs share in ``handler_reports``, of single programs in ``program_handlers``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import dropwhile

from fleetcrash.clustering.codes import canonical_code
from ingest.formats import (
    compiled_runtimes,
    daemon_faults,
    handler_reports,
    program_handlers,
    science_faults,
    storage_faults,
)
from ingest.formats.caught_signals import Told, below_handler, numbered
from ingest.formats.crashes import whole
from ingest.formats.named_steps import Step, below_signal, written
from ingest.formats.uncaught import Form
from ingest.formats.workers import WORD, signal_of

_CLICKHOUSE = re.compile(
    r"(?:.{0,100} )?<(?:Fatal|Error)> BaseDaemon: .{0,300}\bReceived signal (?:[A-Z][\w /]{3,40} )?"
    r"\(?(?P<number>\d{1,2})\)?.*"
)
_CLICKHOUSES = re.compile(r".{0,100}<(?:Fatal|Error)> BaseDaemon: |\s*$|\.\d")  # pages break libraries' names
_CLICKHOUSE_THREAD = re.compile(r".{0,400}\(from thread (?P<same>\d{1,10})\)")  # since 2024 told in brief, then again
_CLICKHOUSE_STEP = re.compile(
    r".{0,100}<Fatal> BaseDaemon: \d{1,3}(?:\.\d{1,3})?\. (?:inlined from )?(?:\.{0,2}/[^\s:]{1,500}:\d{1,9}: )?"
    r"(?P<function>\S.{0,1000}?) @ 0x[0-9a-f]{1,16}(?: in (?P<module>\S{1,300}))?\s*$"
)
_CLICKHOUSE_OLD = re.compile(  # until 2019
    r".{0,100}<Error> BaseDaemon: \d{1,3}\. (?P<step>\S{1,300}\(.{0,2000}\) \[0x[0-9a-f]{1,16}\])\s*$"
)
_CLICKHOUSE_NEXT = re.compile(  # until 2020, behind the addresses alone; a pager or a log may have cut it
    r".{0,100}<Fatal> BaseDaemon: \d{1,3}\. 0x[0-9a-f]{1,16} "
    r"(?P<function>(?!0x)\S.{0,1000}?)(?: (?P<module>/\S{1,300}))?\s*$"
)
# Without symbols it tells addresses alone, at once or never.
_CLICKHOUSE_STACK = re.compile(
    r".{0,100}<(?:Fatal|Error)> BaseDaemon: (?:Address: |Stack trace: 0x|Signal description: |\d{1,3}\. )"
)
_ENVOY = re.compile(rf".{{0,250}}Caught {WORD}, suspect faulting address 0x[0-9a-f]{{1,16}}.*")
_ENVOY_STEP = re.compile(
    r".{0,250}\] (?:#\d{1,3}: |thr<\d{1,10}> #\d{1,3} 0x[0-9a-f]{1,16} )"
    r"(?P<function>(?!\[0x|\(unknown\))\S.{0,1000}?)(?: \[0x[0-9a-f]{1,16}\])?\s*$"
)
_ENVOY_DECODED = re.compile(r"\s{1,4}#\d{1,3} (?P<function>\S.{0,1000}?) at \S{1,300}:\d{1,9}\b")  # by its own tool
# Without symbols it has addresses alone.
_ENVOY_STACK = re.compile(
    rf"{_ENVOY_STEP.pattern}|\s{{1,4}}#\d{{1,3}} \S.{{0,1000}}? at \S"
    r"|.{0,250}\] (?:thr<\d{1,10}> )?#\d{1,3}:? \[?0x[0-9a-f]{1,16}"
)
_ENVOYS = re.compile(r".{0,80}\[critical\]|\s{1,4}#\d")
_XORG_AT = r"(?:\[ {0,6}\d{1,9}\.\d{3}\] |\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] )"  # XLibre tells the day
_XORG_LINE = rf"(?:{_XORG_AT}?\(EE\) ?|{_XORG_AT})"
_XORG = re.compile(rf"{_XORG_LINE}Backtrace:\s*")
_XORGS = re.compile(rf"{_XORG_LINE}|Fatal server error:|\s*$")
_XORG_SIGNAL = re.compile(rf"{_XORG_LINE}Caught signal (?P<number>\d{{1,2}}) \(.*")
_XORG_STEP = re.compile(
    rf"{_XORG_LINE}\d{{1,3}}: (?P<module>\S{{1,300}}) "
    r"\((?:0x[0-9a-f]{1,16}\+(?P<offset>0x[0-9a-f]{1,15})\)|\??(?P<function>[^()+]{0,500})\+0x[0-9a-f]{1,16}\)|)"
)
_OF_SYSTEM = re.compile(r"__restore_rt|killpg|xorg_backtrace|OsLookupColor|OsSigHandler")
_MPI = re.compile(r"\[[^\s:\]]{1,255}:\d{1,10}\] \*\*\* Process received signal \*\*\*\s*")
_MPIS = re.compile(r"\[[^\s:\]]{1,255}:\d{1,10}\] ")
_MPI_SIGNAL = re.compile(r"\[[^\s:\]]{1,255}:\d{1,10}\] Signal: .{1,60} \((?P<number>\d{1,2})\)\s*")
_MPI_STEP = re.compile(
    r"\[[^\s:\]]{1,255}:\d{1,10}\] \[ ?\d{1,3}\] (?P<step>\S{1,300}\(\S{0,300}\) ?\[0x[0-9a-f]{1,16}\])\s*"
)
_FORTRAN = re.compile(r"Program received signal (?P<signal>SIG[A-Z]{2,5}): .{1,120}")
_FORTRAN_STEP = re.compile(r"#\d{1,3}  0x[0-9a-f]{1,16} in (?P<function>\S{1,300})\s*$")
_FORTRANS = re.compile(r"\s*$|Backtrace for this error:|#\d|\s{1,8}at \S")
_UWSGI = re.compile(
    r"(?:.{0,60} )?!!! uWSGI process \d{1,10} got (?P<word>Segmentation Fault|Floating point exception) !!!\s*"
)
_UWSGIS = re.compile(r"(?:.{0,60} )?\*\*\* (?:end of )?backtrace of \d|\S{1,300}\(\S{0,300}\) ?\[0x")
_UWSGI_STEP = re.compile(r"\S{1,300}\(\S{0,300}\) ?\[0x")
_OWN = re.compile(r"\S{1,300}\(uwsgi_(?:backtrace|segfault|fpe)\b")
_BUN = re.compile(r"panic(?:\((?:main thread|thread \d{1,10})\))?: (?P<what>\S.*)")
_BUNS = re.compile(r"oh no: Bun has crashed|Bun has crashed\. This indicates a bug")
_SWIFT_WHAT = r"(?:Fatal error|Assertion failed|Precondition failed)"
_SWIFT = re.compile(
    rf"[\w./ +-]{{1,300}}\.swift:\d{{1,9}}: (?P<what>{_SWIFT_WHAT}(?:: .{{0,500}})?)"
    rf"|(?P<older>{_SWIFT_WHAT}(?:: .{{0,500}}?)?): file [\w./ +-]{{1,300}}\.swift, line \d{{1,9}}"
)
_HASKELL = re.compile(r"(?P<module>[^\s:][^:]{0,200}): internal error: (?P<what>\S.{0,300})")
_HASKELLS = re.compile(r"\s{1,8}\(GHC version \S{1,20} for ")
_SQL_SERVER = re.compile(
    r".{0,100}\bSQL Server is terminating because of fatal exception (?P<code>[0-9a-f]{8})\b.*", re.IGNORECASE
)
_VALUES = re.compile(r" ?-?\b(?:0x[0-9a-f]{1,16}|\d{1,20})\b")
# What a head has in it.
MARKS = ("Received signal ", ", suspect faulting address 0x", "(EE) Backtrace:", "] Backtrace:",
         "*** Process received signal", "Program received signal SIG", "!!! uWSGI process", "panic(main thread)",
         "panic(thread ", ".swift", ": internal error: ",
         "terminating because of fatal exception ",
         *storage_faults.MARKS, *compiled_runtimes.MARKS, *daemon_faults.MARKS,
         *science_faults.MARKS, *handler_reports.MARKS,
         *program_handlers.MARKS)  # fmt: skip


def _number(form: re.Pattern[str], lines: Sequence[str]) -> str | None:
    found = next((found for line in lines if (found := form.fullmatch(line.rstrip()))), None)
    return canonical_code(found["number"], "linux") if found else None


def _of_clickhouse(lines: Sequence[str]) -> Told:
    code = _number(_CLICKHOUSE, lines[:1])
    steps = numbered(map(_CLICKHOUSE_STEP.match, lines))
    steps = steps or numbered(map(_CLICKHOUSE_NEXT.match, lines))
    steps = steps or [found["step"] for line in lines if (found := _CLICKHOUSE_OLD.match(line))]
    return code, f"ClickHouse received {code}", steps


def _of_envoy(lines: Sequence[str]) -> Told:
    found = _ENVOY.fullmatch(lines[0].rstrip())
    code = signal_of(found["word"]) if found else None
    steps = numbered(map(_ENVOY_STEP.match, lines)) or numbered(map(_ENVOY_DECODED.match, lines))
    return code, f"Envoy received {code}", steps


def _of_xorg(lines: Sequence[str]) -> Told:
    code = _number(_XORG_SIGNAL, lines)
    steps = [found for line in lines if (found := _XORG_STEP.match(line))]
    own = max((at + 1 for at, step in enumerate(steps) if _OF_SYSTEM.search(step["function"] or "")), default=0)
    told = [Step(one["function"] or None, one["module"], whole(one["offset"])) for one in steps[own:]]
    return code, f"the X server received {code}", written(below_signal(told))


def _of_mpi(lines: Sequence[str]) -> Told:
    steps = [found["step"] for line in lines if (found := _MPI_STEP.fullmatch(line.rstrip()))]
    code = _number(_MPI_SIGNAL, lines)
    return code, f"a process received {code}", below_handler(steps)


def _of_fortran(lines: Sequence[str]) -> Told:
    head = _FORTRAN.fullmatch(lines[0].rstrip())
    named = dropwhile(lambda line: "???" in line, (line for line in lines if _FORTRAN_STEP.match(line)))
    return head["signal"] if head else None, lines[0].strip(), numbered(map(_FORTRAN_STEP.match, named))


def _of_uwsgi(lines: Sequence[str]) -> Told:
    head = _UWSGI.fullmatch(lines[0].rstrip())
    steps = [line for line in lines if _UWSGI_STEP.match(line)]
    own = max((at + 1 for at, step in enumerate(steps) if _OWN.match(step)), default=0)
    code = signal_of(head["word"]) if head else None
    return code, f"uWSGI received {code}", below_handler(steps[own:])


def _of_bun(lines: Sequence[str]) -> Told:
    head = _BUN.fullmatch(lines[0].rstrip())
    what = head["what"] if head else ""
    return signal_of(what.partition(" at address ")[0]) or "panic", lines[0].strip(), ()


def _of_swift(lines: Sequence[str]) -> Told:
    """A check of Swift's, which tells where in the source it stands, but no function."""
    head = _SWIFT.fullmatch(lines[0].rstrip())
    return (head["what"] or head["older"]) if head else None, lines[0].strip(), ()


def _of_haskell(lines: Sequence[str]) -> Told:
    """What the runtime of Haskell finds of itself, without a stack."""
    head = _HASKELL.fullmatch(lines[0].rstrip())
    if head is None:
        return None, lines[0].strip(), ()
    return f"internal error: {_VALUES.sub('', head['what'])}", head["what"], [f"#0 0x0000 ?? ({head['module']})"]


def _of_sql_server(lines: Sequence[str]) -> Told:
    head = _SQL_SERVER.fullmatch(lines[0].rstrip())
    code = f"0x{head['code'].lower()}" if head else None
    return code, f"SQL Server received {code}", ["#0 0x0000 ?? (sqlservr.exe)"]


FORMS = (
    Form(_CLICKHOUSE, _CLICKHOUSE_STACK, _of_clickhouse, _CLICKHOUSES, again=_CLICKHOUSE_THREAD),
    Form(_ENVOY, _ENVOY_STACK, _of_envoy, _ENVOYS),
    Form(_XORG, _XORG_SIGNAL, _of_xorg, _XORGS),
    Form(_MPI, _MPI_SIGNAL, _of_mpi, _MPIS),
    Form(_FORTRAN, _FORTRAN_STEP, _of_fortran, _FORTRANS),
    Form(_UWSGI, _UWSGI_STEP, _of_uwsgi, _UWSGIS),
    Form(_BUN, _BUNS, _of_bun),
    Form(_SWIFT, None, _of_swift),
    Form(_HASKELL, _HASKELLS, _of_haskell),
    Form(_SQL_SERVER, None, _of_sql_server),
    *storage_faults.FORMS,
    *compiled_runtimes.FORMS,
    *daemon_faults.FORMS,
    *science_faults.FORMS,
    *handler_reports.FORMS,
    *program_handlers.FORMS,
)


def form_of(said: str) -> Form | None:
    """The form that a line may be the head of."""
    return next((form for form in FORMS if form.head.fullmatch(said.rstrip())), None)
