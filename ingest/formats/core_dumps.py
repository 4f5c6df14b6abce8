"""Core dumps in words: messages of systemd-coredump and abrt in a log, ``coredumpctl info`` and ``list``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from ingest.formats.crashes import Records, Told
from ingest.formats.dates import offset_of
from ingest.formats.format import Head, Log
from ingest.formats.journal import add_core_dump
from ingest.formats.lines import text_lines_in

WRITER = "systemd-coredump"
WRITERS = frozenset([WRITER, "abrt-hook-ccpp"])
MOST_LINES = 300  # of one dump: its first thread's stack
_LONGEST_LINE = 4000

_PROCESS = re.compile(
    r"(?:\[\S{1,4}\] )?Process (?P<pid>\d{1,10}) \((?P<comm>[^()]{0,64})\) of user \d{1,10} "
    r"(?:dumped core|received a fatal signal"
    r"|terminated abnormally (?:with signal (?P<signal>\d{1,3})|without generating a coredump)"
    r"|killed by (?P<named>SIG[A-Z]{2,6}) - (?:dumping core|ignoring))"  # as abrt says it
)
# A message whose header was left out, or has no time.
_HEADLESS = re.compile(
    r"\s{0,40}(?:(?:(?P<host>[\w.-]{1,255}) )?systemd-coredump(?:\[\d{1,10}\])?: )?"
    rf"(?P<said>{_PROCESS.pattern}.*)"
)
_STACK = re.compile(r"^\s{0,200}Stack trace of thread \d{1,10}:", re.MULTILINE)
# A stack of which people kept nothing more than this. The thread's number is the process's, or nearly.
_BARE_STACK = re.compile(r"\s{0,200}Stack trace of thread (?P<thread>\d{1,10}):\s*")
_STEP = re.compile(
    r"\s{0,200}#(?P<number>\d{1,3}) {1,3}0x[0-9a-f]{8,16} (?P<name>\S.{0,1000}) \((?P<module>.{1,300})\)\s*"
)
# Where a thread that only waits stands as well: there, a name has to say that the process ended.
_WAITS_IN = re.compile(r"(?:lib(?:c|pthread)[.-]|ld-|linux-vdso|n/a)")
_ENDS = re.compile(
    r"(?:__GI_|__)?(?:raise|gsignal|abort|pthread_kill(?:_implementation)?|libc_message|malloc_printerr)\b"
)
_STEPS_TO_AN_END = 4  # from a signal that a process sends to itself up to abort()
_OF_PROCESS = re.compile(r"systemd-coredump|coredumpctl|COREDUMP_|of user \d")
_MODULES = re.compile(
    r"^\s{0,200}(?:Found module|Module) \S{1,500}(?: \(deleted\))? (?:with(?:out)? build-id|from )", re.MULTILINE
)
_CLOCK = re.compile(r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: |$)")  # before each line, in the log of a build
_FIELD = re.compile(r"\s*(?P<name>[A-Z][A-Za-z ]{1,18}): (?P<said>.*)")
_NAMES = {"PID": "COREDUMP_PID", "Executable": "COREDUMP_EXE", "Boot ID": "_BOOT_ID", "Machine ID": "_MACHINE_ID",
          "Hostname": "_HOSTNAME", "Unit": "COREDUMP_UNIT", "User Unit": "COREDUMP_USER_UNIT"}  # fmt: skip
_NUMBER_AND_NAME = re.compile(r"(\d{1,10}) \(([^()]{1,64})\)")
_WHEN = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?: ([A-Z]{3,5}|[+-]\d\d(?::?\d\d)?))?")
_STORED = re.compile(r"\.\d{1,10}\.(\d{16})(?:\d{6})?(?:\.\w{1,4})?(?: \(|$)")
_DIVERTED = re.compile(
    r"^\s{0,200}Coredump diverted to \S{1,500}\.(?P<boot>[0-9a-f]{32})\.\d{1,10}\.(?P<us>\d{16})(?:\d{6})?"
    r"(?:\.\w{1,4})?\s*$",
    re.MULTILINE,
)
_LIST = re.compile(r"TIME {2,60}PID +UID +GID +SIG +(?:COREFILE|PRESENT)(?: +EXE\b.*)?")
_ROW = re.compile(
    r"(?:[A-Z][a-z]{2} )?(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?: (?:[A-Z]{3,5}|[+-]\d\d(?::?\d\d)?))?) {1,20}"
    r"(?P<pid>\d{1,10}) {1,10}\d{1,10} {1,10}\d{1,10} {1,8}(?P<signal>SIG[A-Z0-9]{2,8}|\d{1,2}) {1,10}\S{0,10} {1,10}"
    r"(?P<exe>/\S{1,1000}).*"
)


def entry_of(said: str) -> dict[str, str]:
    """The fields of a message of systemd-coredump or abrt about a process; empty for other messages."""
    found = _PROCESS.match(said)
    if found is None:
        return {}
    told = {"COREDUMP_PID": found["pid"], "COREDUMP_COMM": found["comm"], "COREDUMP_SIGNAL": found["signal"]}
    told["COREDUMP_SIGNAL_NAME"] = found["named"]
    # rsyslog writes a newline as its code.
    return {name: one for name, one in told.items() if one} | {"MESSAGE": said.replace("#012", "\n")}


def stored_in(message: str) -> dict[str, str]:
    """When a process ended and in which boot, by the name of the file with its memory; empty where none is named."""
    found = _DIVERTED.search(message)
    return {"COREDUMP_TIMESTAMP": found["us"], "_BOOT_ID": found["boot"]} if found else {}


def _entries(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    entry: dict[str, str] = {}
    message: list[str] = []
    is_list = False
    for stamped in lines:
        clock = _CLOCK.match(stamped)
        line = stamped[clock.end() :] if clock else stamped
        is_list = is_list or _LIST.fullmatch(line.strip()) is not None
        if is_list and (row := _ROW.fullmatch(line.strip())):
            yield _told("Timestamp", row["at"], {}) | {
                "COREDUMP_PID": row["pid"],
                "COREDUMP_SIGNAL": row["signal"],
                "COREDUMP_EXE": row["exe"],
            }
            continue
        found = _FIELD.fullmatch(line)
        headless = None if found else _HEADLESS.fullmatch(line)
        if not (entry or message or headless) and (bare := _BARE_STACK.fullmatch(line)):
            entry, message = {"COREDUMP_PID": bare["thread"]}, [line]
            continue
        if headless or (found and found["name"] == "PID"):
            yield entry | {"MESSAGE": "\n".join(message)}
            entry, message = {}, []
        if headless:
            entry = entry_of(headless["said"])
            message = [entry.pop("MESSAGE")]
            entry |= {"_HOSTNAME": headless["host"]} if headless["host"] else {}
            continue
        if found and not message:
            entry = _told(found["name"], found["said"].strip(), entry)
        if message or (found and found["name"] == "Message"):
            message += [line] if len(message) < MOST_LINES else []
    yield entry | {"MESSAGE": "\n".join(message)}


def _told(name: str, said: str, entry: dict[str, str]) -> dict[str, str]:
    """An entry with the fields of a line of coredumpctl, by their names in the journal."""
    if name == "Message":
        process = _PROCESS.match(said)
        return ({"COREDUMP_PID": process["pid"], "COREDUMP_COMM": process["comm"]} if process else {}) | entry
    return entry | _field(name, said)


def _field(name: str, said: str) -> dict[str, str]:
    number = _NUMBER_AND_NAME.match(said)
    if name == "PID" and number:
        return {"COREDUMP_PID": number[1], "COREDUMP_COMM": number[2]}
    if name == "Signal" and number:
        return {"COREDUMP_SIGNAL": number[1]}
    if name == "Package":
        package, _, version = said.partition("/")
        return {"COREDUMP_PACKAGE_NAME": package, "COREDUMP_PACKAGE_VERSION": version}
    if name in ("Storage", "Coredump") and (stored := _STORED.search(said)):
        return {"COREDUMP_TIMESTAMP": stored[1]}
    if name == "Timestamp" and (when := _WHEN.search(said)):
        try:
            at = datetime.fromisoformat(when[1] + (offset_of(when[2]) or "+00:00"))
        except ValueError:  # such as a thirteenth month; the rules report it
            return {"COREDUMP_TIMESTAMP": when[1]}
        return {"COREDUMP_TIMESTAMP": f"{int(at.timestamp())}000000"}
    return {_NAMES[name]: said} if name in _NAMES else {}


def _tells_death(stack: list[str]) -> bool:
    """Whether a stack without its head is of a thread that failed, and not a waiting one out of a longer text."""
    steps = [step for line in stack[:_STEPS_TO_AN_END] if (step := _STEP.fullmatch(line))]
    if not steps or steps[0]["number"] != "0":
        return False
    return not _WAITS_IN.match(steps[0]["module"]) or any(_ENDS.match(step["name"]) for step in steps)


def _recognises(head: Head) -> bool:
    if any(_LIST.fullmatch(line.strip()) for line in head.text.splitlines()[:200]):
        return True
    lines = [_CLOCK.sub("", line, count=1) for line in head.text.splitlines()[:200]]
    names = {found["name"] for line in lines if (found := _FIELD.fullmatch(line))}
    if {"Signal", "Timestamp", "Executable", "Message"} <= names:  # where people left out the start
        return True
    if {"PID", "Signal", "Timestamp"} <= names:
        return not names.isdisjoint(("Message", "Executable", "Command Line"))
    if _STACK.search(head.text) and not _OF_PROCESS.search(head.text):
        first = next((at for at, line in enumerate(lines) if _BARE_STACK.fullmatch(line)), len(lines))
        return _tells_death(lines[first + 1 :])
    told = [found["said"] for line in lines if (found := _HEADLESS.fullmatch(line))]
    return bool(told) and (_STACK.search(head.text) or _MODULES.search(head.text)) is not None


def _is_crash(entry: dict[str, str]) -> bool:
    if "COREDUMP_PID" not in entry:
        return False
    message = entry.get("MESSAGE", "")
    if entry.keys() == {"COREDUMP_PID", "MESSAGE"} and _BARE_STACK.match(message):
        return _tells_death(message.split("\n")[1 : _STEPS_TO_AN_END + 1])
    return "COREDUMP_SIGNAL" in entry or (_STACK.search(message) or _MODULES.search(message)) is not None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    entries = filter(_is_crash, _entries(text_lines_in(blocks, _LONGEST_LINE)))
    while some := list(islice(entries, 1000)):
        records = Records(told)
        for entry in some:
            add_core_dump(records, entry)
        yield records


COREDUMPCTL = Log("what coredumpctl tells", _recognises, _read)
