"""Panics of Apple's kernel that a mail program or an editor filled to a width: their lines joined, and then broken."""

from __future__ import annotations

import re

_LABELS = (
    "Debugger message", "Memory ID", "OS release type", "OS version", "Kernel version", "Fileset Kernelcache UUID",
    "KernelCache UUID", "Kernel UUID", "Boot session UUID", "iBoot version", "iBoot Stage 2 version",
    "roots installed", "Paniclog version", "KernelCache slide", "Kernel slide", "Kernel text base",
    "Kernel text exec base", "mach_absolute_time", "Epoch Time", "Calendar", "Zone info",
    "Kernel Extensions in backtrace", "Mac OS version", "System uptime in nanoseconds", "System model name",
    "Panicked thread",
)  # fmt: skip
_LABEL = rf"(?:{'|'.join(map(re.escape, _LABELS))}): "
_FILLED = re.compile(rf"{_LABEL}[^\n]{{1,120}}? {_LABEL}")  # two on a line
_LOOKED_AT = 4000  # characters, in which each panic has some
_BEGINS = re.compile(  # a line, where a blank is left of its end
    rf" (?={_LABEL}|Kernel Extensions in backtrace:|Boot {{0,9}}: 0x|Panicked task 0x"
    r"|Backtrace \(CPU |lr: 0x|CORE \d{1,3} |0x[0-9a-f]{1,16} : 0x|last started kext at|(?:BSD p|P)rocess name "
    r"|(?:dependency: )?[\w-]{1,60}(?:\.[\w-]{1,60}){1,8}\([^() ]{1,100}\)\[)"
)


def laid_out(said: str) -> str:
    """A panic with its lines as the kernel writes them; any other as it is."""
    if _FILLED.search(said[:_LOOKED_AT]) is None:
        return said
    return _BEGINS.sub("\n", " ".join(said.split()))
