"""Which operating system a client means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ingest.collector.doors.crashes import text

_NAMES = (
    ("windows", re.compile(r"windows|win32|win64|win$|microsoft windows")),
    ("darwin", re.compile(r"mac ?os|os ?x|darwin|ios|ipados|tvos|watchos|visionos|iphone|apple")),
    ("linux", re.compile(r"linux|gnu/linux|android|ubuntu|debian|fedora|centos|rhel|red hat|rocky|alma|alpine|arch|"
                         r"suse|opensuse|sles|amazon|amzn|raspbian|nixos|gentoo|oracle|chrome ?os")),
)  # fmt: skip
_BROWSERS = (
    ("windows", re.compile(r"Windows")),
    ("linux", re.compile(r"Android|Linux|CrOS")),
    ("darwin", re.compile(r"Macintosh|iPhone|iPad")),
)
_MORE_LINUX = re.compile(r"\blinux\b")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_OF_A_MAC = ("/Users/", "/Applications/", "/System/", "/Library/", "/opt/homebrew/", "/private/")


def os_type(name: Any, paths: Iterable[str | None] = ()) -> Any:
    """The contract's os_type.

    Args:
        name: what the client calls its system, such as ``Windows``, ``Mac OS X``, ``Debian GNU/Linux``.
        paths: of code, which tell where no name does: a drive letter, a folder that only Macs have.
    Returns:
        One of the contract's; the name as it came where it is another system's; None where nothing tells.
    """
    said = text(name)
    if said is None:
        return _by_paths(paths)
    lower = said.lower()
    for system, names in _NAMES:
        if names.match(lower):
            return system
    return "linux" if _MORE_LINUX.search(lower) else said


def _by_paths(paths: Iterable[str | None]) -> str | None:
    found = None
    for path in paths:
        if path and _DRIVE.match(path):
            return "windows"
        if path and path.startswith(_OF_A_MAC):
            return "darwin"
        if path and path.startswith("/"):
            found = "linux"
    return found


def of_browser(agent: Any) -> str | None:
    """The contract's os_type by a browser's ``User-Agent``; None where it does not tell."""
    said = text(agent) or ""
    return next((system for system, names in _BROWSERS if names.search(said)), None)
