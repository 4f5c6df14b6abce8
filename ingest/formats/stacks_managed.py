"""Stack texts of Java, Kotlin, .NET and Mono."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.formats.crashes import Frame, text
from ingest.formats.stack_steps import Step, steps_of

# .NET Framework writes it in the language of the system.
_AT_ELSEWHERE = frozenset(["bei", "à", "en", "in", "em", "w", "v", "vid", "bij", "в", "在", "場所", "위치:", "konum:"])
_CALL = re.compile(
    r"\s*(?P<at>\S{1,8}) (?P<name>[^\s()]+)(?P<blank> ?)\((?P<inside>[^()]*(?:\([^()]*\)[^()]*)*)\)(?P<tail>.*)"
)
_JAVA_LOADER = re.compile(r"(?:[\w.\-]*(?:@[\w.\-+]+)?/){1,3}")
_JAVA_LAMBDA = re.compile(r"(\$\$Lambda)[$/][\w$/]*")
_JAVA_PLACE = re.compile(r"(?:[^\d\s:/\\][^:/\\]*)?:\d{1,9}")
_JAVA_TAIL = re.compile(r"(?: ~?\[[^\[\]]*\](?: \{re:[^{}]*\})?)?")  # which files changed a class as it was loaded
_GENERICS = re.compile(r"\[[^\[\]]*\]")
_TYPE = re.compile(  # some of those of which .NET leaves out the place, or any with one
    r"(?:[A-Z]\w{0,100}(?:[.+]\w{1,100}){1,20}(?:`\d)?(?:<.{1,500}>)?"
    r"|Boolean|S?Byte|Char|U?Int(?:16|32|64|Ptr)|Single|Double|Void\*)(?:\[,{0,3}\]|[*&])*"
)
_MOST_NESTED = 8  # types within types
_NET_TAIL = re.compile(r" in (?P<path>.+)")
_NET_COMPILED = re.compile(r" \+ 0x[0-9a-f]{1,12}")  # compiled ahead of time: offset within the function
_NET_TAIL_ELSEWHERE = re.compile(r"(?: \S{1,8} (?P<path>\S.*): ?\w{1,12} \d{1,9}\.?)?")
_MONO_TAIL = re.compile(r" (?:\[0x[0-9a-f]+\] in |<0x|in )(?P<path>.*)| \[0x[0-9a-f]+\]")
_MONO_WRAPPER = re.compile(
    r"\s*at \(wrapper [\w-]{1,40}\) (?P<owner>[^\s():]{1,300}):(?P<function>[^\s():]{1,300}) \([^()]*\).*"
)


def managed(lines: Sequence[str]) -> list[Step]:
    """The stack of the first exception. Java prints its cause after it, .NET before it."""
    return steps_of(lines, _step)


def _step(line: str) -> Step | None:
    """``at com.example.Main.run(Main.java:13)``, or ``at Example.Main.Run(String a) in C:\\src\\Main.cs:line 3``."""
    if wrapper := _MONO_WRAPPER.fullmatch(line):
        return Step(Frame(wrapper["owner"], wrapper["function"]), "")
    call = _CALL.fullmatch(_without_types(line.rstrip()))
    if call is None:
        return None
    path = _path(call, is_indented=line[:1].isspace())
    name = _JAVA_LAMBDA.sub(r"\1", call["name"])
    if loader := _JAVA_LOADER.match(name):
        name = name[loader.end() :]
    owner, _, function = _GENERICS.sub("", name).rpartition(".")
    if owner.endswith("."):  # Example.Main..ctor
        owner, function = owner[:-1], f".{function}"
    elif owner.endswith(".<"):  # Example.Main.<.ctor>b__1_0
        owner, function = owner[:-2], f"<.{function}"
    if path is None or not _is_name(owner) or not _is_name(function):
        return None
    return Step(Frame(text(owner), text(function)), path)


def _without_types(line: str) -> str:
    """A line without ``[[System.__Canon, mscorlib, Version=4.0.0.0]]``, the types with which its function is called."""
    name, bracket, rest = line.partition("(")
    for _ in range(_MOST_NESTED if "[[" in name else 0):
        name = _GENERICS.sub("", name)
    return name + bracket + rest


def _path(call: re.Match[str], *, is_indented: bool) -> str | None:
    """The path of the source of a call, empty if it has none; None if it is no call."""
    inside, tail = call["inside"], call["tail"]
    if call["at"] in _AT_ELSEWHERE:
        # Prose may look like this, so only unmistakable .NET calls are accepted.
        found = _NET_TAIL_ELSEWHERE.fullmatch(tail)
        is_net = is_indented and not call["blank"] and _are_parameters(inside)
        return (found["path"] or "") if found and is_net else None
    if call["at"] != "at":
        return None
    if call["blank"]:  # like JavaScript's `at Array.map (<anonymous>)`
        found = None if ":" in inside else _MONO_TAIL.fullmatch(tail)
        return (found["path"] or "") if found else None
    if _JAVA_TAIL.fullmatch(tail):
        return "" if ":" not in inside or _JAVA_PLACE.fullmatch(inside) else None
    if ":" in inside:
        return None
    found = _NET_TAIL.fullmatch(tail)
    return found["path"] if found else "" if _NET_COMPILED.fullmatch(tail) else None


def _are_parameters(inside: str) -> bool:
    """Whether it is ``String path, Int32 depth``, as .NET gives each with its type, or ``System.String``, or empty."""
    return not inside or all(" " in one or _TYPE.fullmatch(one) for one in inside.split(", "))


def _is_name(said: str) -> bool:
    """Whether it is a name in code, and not a file, address or setting."""
    return not any(one in said for one in "\\/:;=\"'") and any(one.isalnum() for one in said)
