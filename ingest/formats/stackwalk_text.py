"""Text output of minidump-stackwalk, and of breakpad's ``minidump_stackwalk -m`` for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ingest.formats.crashes import MOST_FRAMES, Frame, Records, Told, Unfit, base_name, text, whole
from ingest.formats.format import Document, Head, decoded
from ingest.formats.stackwalk import Walked, add

_MOST_BYTES = 8 << 20  # of a process with many threads; the one that crashed is printed first
_LONGEST_LINE = 4000

_PRINTED = re.compile(r"^Operating system: [^\n]{1,200}\n(?: {1,40}[^\n]{1,400}\n)?CPU: ", re.MULTILINE)
_PIPED = re.compile(r"^OS\|[^|\n]{0,100}\|[^|\n]{0,400}\nCPU\|", re.MULTILINE)

_REASON = re.compile(r"^Crash reason: {1,4}\S[^\n]{0,200}\nCrash address: ", re.MULTILINE)

_THREAD_ALONE = re.compile(  # of which people kept nothing else
    r"^Thread \d{1,9}(?: [^\n]{0,200})? \(crashed\)[^\n]{0,100}\n {1,4}0  \S[^\n]{0,4000}\n"
    r"(?: {2,8}\w{2,4} = 0x[^\n]{1,200}\n){1,80} {2,8}Found by: given as instruction pointer",
    re.MULTILINE,
)
_OF_SYSTEMS = ((".dll", "windows"), (".exe", "windows"), (".dylib", "darwin"), (".so", "linux"))

_NEXT = re.compile(r"^(?=Operating system: |OS\|)", re.MULTILINE)

_THREAD = re.compile(r"Thread \d{1,9}(?P<name> .{0,200})? \(crashed\)(?: - tid: \d{1,10})?(?:\s{2,80}.*)?")
_FRAME = re.compile(r"\s{0,4}\d{1,5}  (?P<rest>\S.*)")
_IN_MODULE = re.compile(
    r"(?P<module>.+) \+ (?P<offset>0x[0-9a-f]{1,16})(?:\s{1,80}(?:\(|//|#).*|\s{3,80}.*)?", re.IGNORECASE
)
_UNLOADED = re.compile(r"\(unloaded (?P<module>[^()@]{1,300})@(?P<offset>0x[0-9a-f]{1,16})", re.IGNORECASE)
_REMARK = re.compile(r"(?<=\S)(?:\s{2,80}//.*|\s{3,80}\S.*)$")  # which people add
_SOURCE = re.compile(r" \[[^\[\]]+ : \d+(?: \+ 0x[0-9a-f]+)?\]$| \+ 0x[0-9a-f]+$", re.IGNORECASE)
_POINTER = re.compile(r"\b(?P<name>[re]ip|pc) = 0x(?P<at>[0-9a-f]{1,16})\b")
_FOUND_BY = re.compile(r"\s{1,8}Found by: (?P<inlined>inlining)?")
_LOADED = re.compile(
    r"0x(?P<start>[0-9a-f]{1,16}) - 0x[0-9a-f]{1,16}  (?P<file>.+?)  (?P<version>\S+)(?P<main>  \(main\))?.*"
)


def _recognises(head: Head) -> bool:
    said = head.text.replace("\r\n", "\n")
    if "Operating system: " not in said and "OS|" not in said:  # whose start people left out
        if "(crashed)" not in said:
            return False
        return any(known.search(said) for known in (_REASON, _THREAD_ALONE))
    return _PRINTED.search(said) is not None or _PIPED.search(said) is not None


def _read(data: bytes, told: Told) -> Records:
    """The crashes of a file, which may have the output for several dumps."""
    records = Records(told)
    before, *parts = _NEXT.split("\n".join(decoded(data).splitlines()))
    parts = parts or [before[found.start() :] for found in _REASON.finditer(before)][:1]
    walked = [found for part in parts if (found := _walked(part)) is not None]
    if not parts and (alone := _THREAD_ALONE.search(before)):
        walked.append(_of_thread([line[:_LONGEST_LINE] for line in before[alone.start() :].split("\n")]))
    if not walked:
        raise Unfit("bad_stackwalk", "The output of minidump-stackwalk ends before it says why the process ended")
    for one in walked:
        add(records, one)
    return records


def _walked(part: str) -> Walked | None:
    lines = [line[:_LONGEST_LINE] for line in part.split("\n")]
    return _piped(lines) if part.startswith("OS|") else _printed(lines)


def _printed(lines: Sequence[str]) -> Walked | None:
    """``Crash reason:  SIGSEGV``, ``Thread 0 (crashed)``, `` 0  relay!read [a.c : 3 + 0x4]`` with its registers."""
    at = {name: number for number, name in enumerate(line.partition(":")[0] for line in lines)}
    start = next((number for number, line in enumerate(lines) if line.startswith("Operating system: ")), len(lines))
    if "Crash reason" not in at:
        is_crash = "No crash" not in (line.strip() for line in lines)
        return None if is_crash else Walked("No crash", None, None, (), {}, (), {})
    thread = next((number for number, line in enumerate(lines) if _THREAD.fullmatch(line.rstrip())), len(lines))
    own = _until_blank(lines[thread + 1 :])
    loaded = [found for line in lines[at.get("Loaded modules", len(lines)) :] if (found := _LOADED.fullmatch(line))]
    reason, address = (_value(lines, at.get(name)) for name in ("Crash reason", "Crash address"))
    head = _THREAD.fullmatch(lines[thread].rstrip()) if thread < len(lines) else None
    return Walked(
        code=reason,
        system=_value(lines, start),
        system_version=_REMARK.sub("", lines[start + 1].strip()) if start + 1 < len(lines) else None,
        frames=_frames(own, {base_name(found["file"]): int(found["start"], 16) for found in loaded})[:MOST_FRAMES],
        versions={found["file"]: found["version"] for found in loaded if "?" not in found["version"]},
        identity=(reason or "", address or "", *(line.strip() for line in own)),
        tags={
            "exe": next((found["file"] for found in loaded if found["main"]), None),
            "message": _value(lines, at.get("Assertion")),
            "address": address,
            "thread": head["name"] if head else None,
            "cpu": _value(lines, at.get("CPU")),
        },
    )


def _of_thread(lines: Sequence[str]) -> Walked:
    """The thread that crashed, without the reason and the system, which is known by the names of its files."""
    head, own = _THREAD.fullmatch(lines[0].rstrip()), _until_blank(lines[1:])
    frames = _frames(own, {})[:MOST_FRAMES]
    names = [(frame.module or "").lower() for frame in frames]
    system = next((one for end, one in _OF_SYSTEMS if any(name.endswith(end) for name in names)), None)
    identity = [line.strip() for line in own]
    tags = {"thread": head["name"] if head else None}
    return Walked(None, system, None, frames, {}, identity, tags, has_crashed=True)


def _value(lines: Sequence[str], at: int | None) -> str | None:
    return text(_REMARK.sub("", lines[at].partition(":")[2])) if at is not None and at < len(lines) else None


def _until_blank(lines: Sequence[str]) -> list[str]:
    end = next((at for at, line in enumerate(lines) if not line.strip()), len(lines))
    return list(lines[:end])


def _frames(lines: Sequence[str], bases: Mapping[str | None, int]) -> list[Frame]:
    """The frames, those with a function in their modules by the instruction pointer.

    That is below the call in all but the innermost; how far is not known of all processors.
    """
    frames: list[Frame] = []
    inlined, into, has_pointer = 0, None, False
    for line in lines:
        if found := _FRAME.fullmatch(line.rstrip()):
            frames.append(_frame(found["rest"]))
        elif pointer := _POINTER.search(line):
            into = int(pointer["at"], 16) - has_pointer if pointer["name"] != "pc" or not has_pointer else None
            has_pointer = True
        elif by := _FOUND_BY.match(line):
            inlined += by["inlined"] is not None
            if not by["inlined"]:
                at = max(0, len(frames) - 1 - inlined)
                frames[at:] = [_placed(frame, bases.get(frame.module), into) for frame in frames[at:]]
                inlined, into = 0, None
    return frames


def _placed(frame: Frame, base: int | None, at: int | None) -> Frame:
    if frame.offset is not None or base is None or at is None or at < base:
        return frame
    return Frame(frame.module, frame.function, at - base)


def _frame(rest: str) -> Frame:
    module, called, function = rest.partition("!")
    if called:
        return Frame(base_name(module), text(_SOURCE.sub("", function)))
    found = _IN_MODULE.fullmatch(rest) or _UNLOADED.search(rest)
    return Frame(base_name(found["module"]), None, whole(found["offset"])) if found else Frame()


def _piped(lines: Sequence[str]) -> Walked | None:
    """``Crash|SIGSEGV|0x0|0``, then ``0|0|relay|read|a.c|3|0x4``: thread, frame, module, function, source, offset."""
    rows = [line.rstrip().split("|") for line in lines if "|" in line]
    crash = next((row for row in rows if row[0] == "Crash" and len(row) >= 4), None)
    if crash is None:
        return None
    system = next((row for row in rows if row[0] == "OS" and len(row) >= 3), ["", "", ""])
    modules = [row for row in rows if row[0] == "Module" and len(row) >= 8]
    own = [row for row in rows if row[0] == crash[3] and len(row) == 7 and row[1].isdigit()]
    return Walked(
        code=text(crash[1]),
        system=system[1],
        system_version=system[2],
        frames=list(_piped_frames(own[:MOST_FRAMES])),
        versions={row[1]: row[2] for row in modules if row[2]},
        identity=["|".join(row) for row in (crash, *modules, *own)],
        tags={"exe": next((row[1] for row in modules if row[7] == "1"), None), "address": crash[2]},
    )


def _piped_frames(rows: Sequence[Sequence[str]]) -> Iterator[Frame]:
    for _, _, module, function, _, _, offset in rows:
        file = base_name(module)
        # If there is a function, the offset is within it.
        yield Frame(file, text(function), whole(offset) if file and not function else None)


STACKWALK_TEXT = Document("text of minidump-stackwalk", _recognises, _read, _MOST_BYTES, is_cut=True)
