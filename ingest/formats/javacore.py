"""``javacore*.txt`` of OpenJ9 and IBM's Java that were written because the virtual machine died.

Most javacores were requested, or are about an exception that the program survived: no crash. They also have the
environment, the command line and memory, of which only the host's name is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fleetcrash.clustering.codes import canonical_code
from ingest.formats.crashes import MOST_FRAMES, Frame, Records, Told, base_name, name_of, tags_of, text, time_of, whole
from ingest.formats.dates import offset_of
from ingest.formats.format import Log
from ingest.formats.lines import text_lines_in

_LONGEST_LINE = 2000
# Events that end the process: a fault, an abort, an assertion of the virtual machine.
_FATAL = ("gpf", "abort", "traceassert")

_TITLE = re.compile(r"^`{0,3}0SECTION\s{1,20}TITLE subcomponent dump routine", re.MULTILINE)
_LINE = re.compile(
    r"(?P<tag>0SECTION|1TISIGINFO|1TIDATETIMEUTC|1TIDATETIME|1TITIMEZONE|2XHOSLEVEL|3XHCPUARCH|1XHEXCPCODE|1XHEXCPMODULE"
    r"|2XHREGISTER|1CIJAVAVERSION|1CIPRODUCT|1CIPROCESSID|2CIENVVAR|1XMCURTHDINFO|3XMTHREADINFO|4XESTACKTRACE"
    r"|1XMTHDINFO)\s{1,40}(?P<said>.*)"
)
_EVENT = re.compile(r'Dump Event "(?P<event>\w{1,30})"')
_DATE = re.compile(
    r"Date: (?P<date>\d{4}/\d\d/\d\d) at (?P<time>\d\d:\d\d:\d\d)(?::(?P<ms>\d{3}))?(?P<utc> \(UTC\))?\s*"
)
_ZONE = re.compile(r"Timezone: (?P<zone>[A-Z]{2,5})\b")
_VALUE = re.compile(r"(?P<name>[A-Za-z_]\w{0,30})\s{0,12}: {0,3}(?P<value>.*)")
_COUNTER = re.compile(r"(?:PC|RIP|EIP|PSW|IAR|Rip|Eip): (?P<at>[0-9a-fA-F]{8,16})\s*")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{1,16}")
_HOST = re.compile(r"(?:HOSTNAME|COMPUTERNAME)=(?P<host>[\w.-]{1,128})\s*")
_JAVA = re.compile(r"at (?P<owner>[\w$/.+-]{1,400})\.(?P<function>[\w$<>]{1,200})\(")
_THREAD = re.compile(r'"(?P<name>.{1,200}?)" J9VMThread')
_PROCESS = re.compile(r"Process ID: (?P<pid>\d{1,10})\b")
_WINDOWS = re.compile(r"Windows .{0,60}?(?P<version>\d{1,2}\.\d{1,2}) build (?P<build>\d{4,6})")
_SYSTEMS = (("Linux", "linux"), ("Windows", "windows"), ("Mac", "darwin"), ("Darwin", "darwin"))


@dataclass
class _Core:
    """The content of a javacore.

    Attributes:
        said: values by tag. exception: values by name, of the fault and its module.
    """

    said: dict[str, str] = field(default_factory=dict)
    exception: dict[str, str] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    counter: str = ""
    host: str | None = None
    in_thread: bool = False
    thread: str | None = None


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    core: _Core | None = None
    for line in text_lines_in(blocks, _LONGEST_LINE):
        found = _LINE.fullmatch(line.rstrip().lstrip("`"))  # Markdown's mark of code
        if found is None:
            continue
        if found["tag"] == "0SECTION" and found["said"].startswith("TITLE "):
            if core is not None:
                yield _records(core, told)
            core = _Core()
        elif core is not None:
            _feed(core, found["tag"], found["said"].strip())
    if core is not None:
        yield _records(core, told)


def _feed(core: _Core, tag: str, said: str) -> None:
    if tag in ("1XHEXCPCODE", "1XHEXCPMODULE"):
        if found := _VALUE.fullmatch(said):
            core.exception.setdefault(found["name"], found["value"].strip())
    elif tag == "2XHREGISTER":
        counter = _COUNTER.fullmatch(said)
        core.counter = core.counter or (counter["at"] if counter else "")
    elif tag == "2CIENVVAR":
        host = _HOST.fullmatch(said)
        core.host = core.host or (host["host"] if host else None)
    elif tag == "1XMCURTHDINFO":
        core.in_thread = True
    elif tag == "3XMTHREADINFO" and core.in_thread:
        thread = _THREAD.match(said)
        core.in_thread = core.thread is None
        core.thread = core.thread or (text(thread["name"]) if thread else "")
    elif tag == "4XESTACKTRACE":
        step = _JAVA.match(said)
        if core.in_thread and step and len(core.frames) < MOST_FRAMES:
            core.frames.append(Frame(text(step["owner"].replace("/", ".")), text(step["function"])))
    elif tag == "1XMTHDINFO":
        core.in_thread = False
    else:
        core.said.setdefault(tag, said)


def _records(core: _Core, told: Told) -> Records:
    records = Records(told)
    event = _EVENT.search(core.said.get("1TISIGINFO", ""))
    if event is not None and event["event"] in _FATAL:
        _add(records, core, event["event"])
    return records


def _add(records: Records, core: _Core, event: str) -> None:
    system = _value(core, "2XHOSLEVEL")
    os_type = next((known for name, known in _SYSTEMS if system.startswith(name)), system.partition(" ")[0].lower())
    module = base_name(core.exception.get("Module"))
    place = Frame(module, text(core.exception.get("Symbol")), _offset(core)) if module else Frame()
    frames = [place, *core.frames][:MOST_FRAMES] if module else core.frames
    at, is_known = _time(core)
    process = _PROCESS.search(core.said.get("1CIPROCESSID", ""))
    host_id = records.host_id((core.host,))
    pid = process["pid"] if process else ""
    records.crash(
        crash_id=name_of(host_id or "", at or "", pid, event, core.counter),
        host_id=host_id,
        occurred_at=at,
        time_quality=None if is_known else "log",
        os_type=os_type or "linux",
        os_version=_version(system),
        domain="user",
        code=_code(core, event, os_type),
        module=module or (frames[0].module if frames else None),
        module_offset=place.offset,
        frames=frames,
        tags=tags_of(
            [
                ("message", core.said.get("1TISIGINFO")),
                ("pid", pid),
                ("thread", core.thread),
                ("jre", core.said.get("1CIJAVAVERSION")),
                ("vm", core.said.get("1CIPRODUCT")),
                ("architecture", _value(core, "3XHCPUARCH")),
            ]
        ),
    )


def _value(core: _Core, tag: str) -> str:
    """The value after the colon of ``OS Level         : Linux 6.1``."""
    return core.said.get(tag, "").partition(":")[2].strip()


def _offset(core: _Core) -> int | None:
    if _HEX.fullmatch(own := core.exception.get("Offset_in_DLL", "")):
        return whole(int(own, 16))
    base = core.exception.get("Module_base_address", "")
    if not core.counter or not _HEX.fullmatch(base):
        return None
    return whole(int(core.counter, 16) - int(base, 16))


def _time(core: _Core) -> tuple[str | None, bool]:
    """Its time, and whether the zone is known."""
    found = next(
        (one for tag in ("1TIDATETIMEUTC", "1TIDATETIME") if (one := _DATE.match(core.said.get(tag, "")))), None
    )
    if found is None:
        return None, False
    zone = _ZONE.match(core.said.get("1TITIMEZONE", ""))
    offset = "Z" if found["utc"] else offset_of(zone["zone"]) if zone else None
    at = f"{found['date'].replace('/', '-')}T{found['time']}" + (f".{found['ms']}" if found["ms"] else "")
    return time_of(f"{at}{offset or ''}"), offset is not None


def _version(system: str) -> str | None:
    if found := _WINDOWS.match(system):
        return f"{found['version']}.{found['build']}"
    return text(system.partition(" ")[2]) if system.startswith("Linux ") else None


def _code(core: _Core, event: str, os_type: str) -> str | None:
    """The signal, or the exception of Windows; for an assertion its event."""
    own = core.exception.get("ExceptionCode", "")
    if _HEX.fullmatch(own):
        return f"0x{int(own, 16):x}"
    number = core.exception.get("Signal_Number", "")
    if _HEX.fullmatch(number) and (name := canonical_code(str(int(number, 16)), os_type)):
        return name
    return "SIGABRT" if event == "abort" else event


JAVACORE = Log("javacore of OpenJ9", lambda head: _TITLE.search(head.text) is not None, _read)
