"""Faults that Ceph's daemons, MongoDB's servers and Elasticsearch tell of themselves, as their own handlers do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.caught_signals import Told, below_handler
from ingest.formats.crashes import mapping, parsed
from ingest.formats.uncaught import Form
from ingest.formats.workers import WORD, signal_of

_LOGS = r"(?:[^()]{0,120}:)?"  # what a log writes before each line
_CEPH = re.compile(rf".{{0,200}}\*\*\* Caught signal \({WORD}\) \*\*\s*")
_CEPH_THREAD = re.compile(rf"{_LOGS} in thread (?P<same>[0-9a-f]{{6,16}})\b")
_CEPH_STEP = re.compile(
    rf"{_LOGS} \d{{1,3}}: (?P<module>[^\s()]{{1,300}})?"
    r"\((?P<function>.{0,2000}?)(?:\+(?P<offset>0x[0-9a-f]{1,15}))?\)(?P<address> \[0x[0-9a-f]{4,16}\])?\s*$"
)
_CEPHS = re.compile(rf"{_CEPH_STEP.pattern}|{_LOGS} (?:ceph version |NOTE: a copy )|{_CEPH_THREAD.pattern}|{_LOGS}\s*$")
_OF_LIBC = re.compile(r"(?:.*/)?lib(?:c|pthread)[.-]")
_MOST_OF_HANDLER = 2

_MONGO = re.compile(r"(?:.{0,200} )?Got signal: (?P<number>4|5|6|7|8|11) \([A-Z][\w /]{2,40}\)\.?.*")
_MONGO_STEP = re.compile(r"\s?(?P<step>\S{1,300}\(\S{0,2000}\) ?\[0x[0-9a-f]{4,16}\])\s*$")
_MONGO_STACK = re.compile(rf"{_MONGO_STEP.pattern}|.{{0,60}}(?:Backtrace:|-{{3,9}} {{1,3}}BEGIN BACKTRACE)")
_MONGOS = re.compile(rf'{_MONGO_STACK.pattern}|\{{"backtrace"|\s*0x|\s*$')
_MONGO_JSON = re.compile(r'\{"t":\{"\$date":"[^"]{10,40}"\}.{0,300}"Got signal: (?P<number>4|5|6|7|8|11) \(.*')
_MONGO_FRAME = re.compile(r'\{"t":\{"\$date":"[^"]{10,40}"\}.{0,200}"msg":" {0,4}Frame\b')
_MONGO_FRAMES = re.compile(rf'{_MONGO_FRAME.pattern}|\{{"t":\{{.{{0,240}}"msg":"(?:BACKTRACE|Invalid access)')
# The same stack on one line, which people keep where they leave out the rest.
_MONGO_BACKTRACE = re.compile(r'"backtrace":\[(?=\{"[ab]":")')
_MONGO_PLACE = re.compile(
    r'"b":"(?P<base>[0-9A-F]{1,16})","o":"[0-9A-F]{1,16}"(?:,"s":"(?P<symbol>[^"\\]{1,1000})")?'
    r'(?:,"C":"(?P<name>[^"\\]{1,1000})")?'
)
# An error that ends the whole server; it tells it its log and what started it.
_ELASTIC = re.compile(r"(?:.{0,300} )?fatal error in thread \[(?P<same>\S.{0,200})\], exiting\s*")
_ELASTIC_THROWN = re.compile(r"(?P<cause>Caused by: )?(?P<name>(?:[a-z]\w{0,60}\.){1,12}[A-Z][\w$]{0,100})(?:: .*)?")
_AT = re.compile(r"\s*at \S")
IS_LOG = re.compile(r'\s*\{"t":\{"\$date":"')  # of MongoDB since 4.4
# What a head has in it.
MARKS = ("*** Caught signal (", "Got signal: ", "fatal error in thread [")


def _of_ceph(lines: Sequence[str]) -> Told:
    head = _CEPH.fullmatch(lines[0].rstrip())
    code = signal_of(head["word"]) if head else None
    steps = [found for line in lines if (found := _CEPH_STEP.match(line))]
    # Its handler, and the C library that called it, have no names.
    called = (at + 1 for at, step in enumerate(steps[:_MOST_OF_HANDLER]) if _has_called(step))
    own = next(called, 0)
    return code, f"Ceph received {code}", [f"#{at} 0x0000 {_ceph(step)}" for at, step in enumerate(steps[own:])]


def stack_of_ceph(steps: Iterable[str]) -> str:
    """The stack of a crash, of steps without their numbers, as a debugger writes it."""
    told = (found for step in steps if (found := _CEPH_STEP.match(f" 1: {step}")))
    return "\n".join(f"#{at} 0x0000 {_ceph(step)}" for at, step in enumerate(told))


def _has_called(step: re.Match[str]) -> bool:
    if step["module"]:
        return not step["function"] and bool(step["offset"]) and _OF_LIBC.match(step["module"]) is not None
    return step["function"] == "()"


def _ceph(step: re.Match[str]) -> str:
    """``(Queue::push()+0x9) [0x7f]``, ``main()`` and ``/usr/bin/relay(+0x9) [0x7f]``, as a debugger writes them."""
    module, function, offset = step["module"], step["function"], step["offset"]
    if module and not function:
        if offset:  # no symbol: an offset within the file
            return f" ({module}+{offset})"
        return f"?? ({module})" if step["address"] else f"in {module}"
    return f"in {'??' if function in ('', '()') else function}"


def _of_mongo(lines: Sequence[str]) -> Told:
    head = _MONGO.fullmatch(lines[0].rstrip())
    code = canonical_code(head["number"], "linux") if head else None
    steps = [found["step"] for line in lines if (found := _MONGO_STEP.match(line))]
    return code, f"MongoDB received {code}", below_handler(steps) or _of_one_line(lines)


def _of_one_line(lines: Sequence[str]) -> Sequence[str]:
    told = next((line for line in lines if _MONGO_BACKTRACE.search(line)), "")
    frames = [(found["base"], found["name"] or found["symbol"]) for found in _MONGO_PLACE.finditer(told)]
    return _below_other(frames) if len({base for base, _ in frames}) > 1 else ()  # cut within the handler


def _below_other(frames: Sequence[tuple[Any, Any]]) -> Sequence[str]:
    """The steps below the first in another file than the innermost: that called the handler of the signal."""
    other = next((at + 1 for at, (base, _) in enumerate(frames) if base != frames[0][0]), 0)
    return [f"#{at} 0x0000 in {name or '??'}" for at, (_, name) in enumerate(frames[other:])]


def _of_mongo_json(lines: Sequence[str]) -> Told:
    """Its frames have no module, but the address of their file: what called the handler is of another than this."""
    head = _MONGO_JSON.fullmatch(lines[0].rstrip())
    code = canonical_code(head["number"], "linux") if head else None
    said = (_parsed(line) for line in lines[1:] if _MONGO_FRAME.match(line))
    frames = [frame for one in said if (frame := mapping(mapping(one.get("attr")).get("frame")))]
    steps = _below_other([(frame.get("b"), frame.get("C") or frame.get("s")) for frame in frames])
    return code, f"MongoDB received {code}", steps or _of_one_line(lines)


def _of_elastic(lines: Sequence[str]) -> Told:
    """Of nested exceptions the innermost."""
    thrown = [(at, found) for at, line in enumerate(lines) if (found := _ELASTIC_THROWN.fullmatch(line.strip()))]
    causes = [one for one in thrown if one[1]["cause"]]
    at, found = next(iter(causes[-1:] or thrown), (0, None))
    return found["name"] if found else None, lines[at].strip(), lines[at:]


def _parsed(line: str) -> Mapping[str, Any]:
    try:
        return mapping(parsed(line.encode()))
    except ValueError:
        return {}


FORMS = (
    Form(_CEPH, _CEPH_THREAD, _of_ceph, _CEPHS, again=_CEPH_THREAD),
    Form(_MONGO_JSON, _MONGO_FRAMES, _of_mongo_json, _MONGO_FRAMES),
    Form(_MONGO, _MONGO_STACK, _of_mongo, _MONGOS),
    Form(_ELASTIC, _AT, _of_elastic, again=_ELASTIC),
)
