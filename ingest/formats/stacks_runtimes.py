"""Stack texts that a process prints about itself: glibc's backtrace, Node, Chromium on Windows, Google's logging.

Also those of MySQL and MariaDB, which look up their own symbols, and of PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.formats.crashes import Frame, base_name, text
from ingest.formats.stack_steps import Step, steps_of

_ADDRESS = r"\[(?:0x)?[0-9a-fA-F]{4,16}(?:\+\d{1,9})?\]"
_SYMBOLS = re.compile(
    r"\s*(?P<module>[\w./+@-]+)\((?P<function>[^+\s][^+]*?)?(?:\+0x(?P<offset>[0-9a-f]{1,15}))?\)"
    r"(?P<address> ?" + _ADDRESS + r")?"
)
_BARE = re.compile(r"\s*(?P<module>[\w./+@-]+) ?\[0x[0-9a-f]{5,16}\]")  # without symbols
_RESOLVED = re.compile(r"(?P<path>[^\s():]{1,500}):\d{1,9}\((?P<function>.{1,1000})\) ?\[0x[0-9a-f]{5,16}\]")
_IMAGES = re.compile(  # of a program on Windows
    r"(?:[0-9a-fA-F]{8,16}\s{1,4})?(?P<module>[\w.-]{1,100}\.(?:exe|dll))!(?:(?P<function>\S{1,1000}?)\(\)|\?{3})"
    r"(?:\[(?P<path>[^\[\]]{1,500}):\d{1,9}\])?"
)
_NODE = re.compile(  # on Windows with the offset within the function
    r"\s*\d{1,5}: (?:0x)?[0-9a-fA-F]{4,16}(?: (?P<function>(?!\[)\S.*?))?(?:\+\d{1,9})?(?P<module> {1,2}\[[^\[\]]+\])?"
)
_OLD_NODE = re.compile(r"\s*\d{1,5}: (?P<function>\S{1,200}?::\S.{0,1000}?)(?P<module> \[[^\[\]]+\])")
_WINDOWS = re.compile(r"\s+(?!at )(?P<function>\S.*?) " + _ADDRESS + r"(?: \((?P<path>.+):\d{1,9}\))?")
_OF_TORCH = re.compile(
    r"\s*frame #\d{1,4}: (?:<unknown function>|(?P<function>\S.{0,1500}?)) \+ (?P<offset>0x[0-9a-f]{1,15}) "
    r"\(0x[0-9a-f]{4,16} in (?P<module>[^()\s]{1,300})\)"
)
_LOGGED = re.compile(r"\s*@\s+0x[0-9a-f]{4,16} {1,4}(?P<function>\S.*)")
_NO_NAME = frozenset(["(No symbol)", "(unknown)", "(inline)", "??"])


def of_itself(lines: Sequence[str]) -> list[Step]:
    """One line per frame, in one of several forms."""
    return steps_of(lines, _step)


def _step(line: str) -> Step | None:
    said = line.rstrip()
    if found := _SYMBOLS.fullmatch(said):  # /usr/bin/relay(_ZN5Queue4pushEv+0x1f) [0x4f8e21]
        module, function = found["module"], found["function"]
        if not (found["address"] or (found["offset"] and "/" in module)):
            return None
        # If there is a function, the offset is within it.
        offset = int(found["offset"], 16) if found["offset"] and not function else None
        return Step(Frame(base_name(module), text(function), offset), module)
    if found := _BARE.fullmatch(said):
        return Step(Frame(base_name(found["module"])), found["module"])
    if found := _RESOLVED.fullmatch(said):  # /src/queue.cc:9(relay::Queue::push())[0x4f8e21]
        return Step(Frame(None, _function(found["function"])), found["path"])
    if found := _IMAGES.fullmatch(said):  # relay.exe!push()[queue.cc:9]
        return Step(Frame(found["module"], text(found["function"])), found["path"] or "")
    if found := _NODE.fullmatch(said) or _OLD_NODE.fullmatch(said):  # 1: 0xb090e0 node::Abort() [node]
        module = (found["module"] or "").strip(" []")
        is_address = module.startswith("0x")
        return Step(Frame(None if is_address else base_name(module), text(found["function"])), module)
    if found := _WINDOWS.fullmatch(said):  # relay::Queue::Push [0x00007FFE913FFCF2+18] (src\queue.cc:329)
        return Step(Frame(None, _function(found["function"])), found["path"] or "")
    if found := _OF_TORCH.fullmatch(said):  # frame #0: relay::Push() + 0x96 (0x7f1c2d3e in /opt/librelay.so)
        offset = None if found["function"] else int(found["offset"], 16)
        return Step(Frame(base_name(found["module"]), text(found["function"]), offset), found["module"])
    if found := _LOGGED.fullmatch(said):  # @     0x7f8babe1ae54  relay::Queue::Push()
        return Step(Frame(None, _function(found["function"])), "")
    return None


def _function(said: str) -> str | None:
    return None if said in _NO_NAME else text(said)
