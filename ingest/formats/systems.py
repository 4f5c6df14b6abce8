"""Recognises operating systems in values of clients."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.formats.crashes import text

_NAMES = (
    ("windows", re.compile(r"windows|win32|win64|win$|microsoft windows")),
    ("darwin", re.compile(r"mac ?os|mac$|macintosh|os ?x|darwin|ios|ipados|tvos|watchos|visionos|iphone|apple")),
    ("linux", re.compile(r"linux|gnu/linux|android|ubuntu|debian|fedora|centos|rhel|red ?hat|rocky|alma|alpine|arch|"
                         r"suse|opensuse|sles|amazon|amzn|raspbian|nixos|gentoo|oracle(?! solaris)|"
                         r"chrom(?:e|ium) ?os")),
)  # fmt: skip
# ID in os-release, or first word of its NAME, of Linux distributions whose name may lack the word Linux. They are
# matched as whole words, as some are short.
_LINUXES = frozenset([
    "anolis", "artix", "azurelinux", "bazzite", "bottlerocket", "cachyos", "clear", "cloudlinux", "coreos", "cos",
    "deepin", "devuan", "elementary", "endeavouros", "flatcar", "garuda", "guix", "kali", "kylin", "mageia",
    "manjaro", "mariner", "mx", "neon", "nobara", "ol", "openeuler", "openwrt", "parrot", "photon", "pop",
    "postmarketos", "pureos", "qubes", "raspberry", "scientific", "slackware", "sled", "solus", "steamos", "tails",
    "talos", "tencentos", "tizen", "trisquel", "ultramarine", "uos", "void", "wolfi", "zorin",
])  # fmt: skip

_BROWSERS = (
    ("windows", re.compile(r"Windows")),
    ("linux", re.compile(r"Android|Linux|CrOS")),
    ("darwin", re.compile(r"Macintosh|iPhone|iPad")),
)
_BY_OUTPUT = (
    (
        "windows",
        re.compile(
            r"\b[A-Za-z]:\\|\w\\[\w.]+\.(?:rs|go|cc|cpp|c|h):\d|_win\.cc|BaseThreadInitThunk"
            # Not behind the path of another system.
            r"|(?:\b[A-Za-z]:/(?:[^()\t]{0,300}/)?|(?<![\w./+-]))[\w.+-]{1,100}\.(?:dll|exe|pdb)\b"
            r"|^\s*\d{1,3}: 00007[0-9a-f]{11}\b|^os=windows, |\bSQL Server is terminating\b"
            r"|^Exception 0x[0-9a-f]{8} 0x|^\[signal 0xc|\w_windows(?:_\w{1,10})?\.(?:go|s):\d"
            r"|^\s+[A-Za-z]:/[^\t]{1,300}\.go:\d"
            r"|was terminated by exception 0x|Assertion failed: [^(].{0,500}, file .{1,300}, line \d{1,9}\.?\s*$",
            re.IGNORECASE,
        ),
    ),
    (
        "darwin",
        re.compile(
            r"^os=macos, |\.app/Contents/|\.dylib\b"
            r"|:(?:x86_64h?|arm64e?)\+0x|/System/Library/|/Applications/|/Users/|/opt/homebrew/"
            r"|_dispatch_|_mac\.(?:cc|mm)|\.framework\b"
            r"|Assertion failed: \(.{1,500}\), function \S"
            r"|Terminating app due to|^\s*\d{1,4}\s{1,8}\S.{0,200}?\s0x[0-9a-f]{16} \S.{0,500} \+ \d{1,9}$"
        ),
    ),
)
_GO_ON_UNIX = "[signal SIG"  # the paths of a Go program are those of the machine that it was built on
_MORE_LINUX = re.compile(r"\blinux\b|container-optimized os|kde neon")
_WORD = re.compile(r"[a-z]+")
_NO_SYSTEM = re.compile(r"unix\b")  # Mono's and older .NET's name of both Linux and macOS
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_OF_A_MAC = ("/Users/", "/Applications/", "/System/", "/Library/", "/opt/homebrew/", "/private/")
# What .NET, Unity and Unreal Engine say of a system in one text, as far as it has the version of the system, not only
# that of its kernel.
_DESCRIBED = (
    re.compile(r"(?:Microsoft )?Windows (?:NT )?(?P<version>\d{1,4}\.\d{1,4}\.(?P<build>\d{1,6}))(?!\d)"),
    re.compile(r"Windows \d{1,4} {1,9}\((?P<version>\d{1,4}\.\d{1,4}\.(?P<build>\d{1,6}))(?!\d)"),
    re.compile(r"(?:Mac OS X|macOS) (?P<version>\d{1,4}(?:\.\d{1,4}){1,2})(?: \((?P<build>[0-9A-Za-z]{1,20})\))?\Z"),
    re.compile(r"(?:iOS|iPadOS|Android(?: OS)?) (?P<version>\d{1,4}(?:\.\d{1,4}){0,2})(?![.\w])"),
    re.compile(r"Linux \d{1,4}\.[.\d]{1,20} [A-Za-z]{1,40} (?P<version>\d{1,4}(?:\.\d{1,4}){0,2})(?![.\w])"),
)
_FIRST_OF_WINDOWS_10 = 10240
# Windows releases by build numbers that only they have.
_OLDER_WINDOWS = {
    "9600": "6.3",
    "9200": "6.2",
    "7601": "6.1",
    "7600": "6.1",
    "6003": "6.0",
    "6002": "6.0",
    "6001": "6.0",
}


def os_type(name: Any, paths: Iterable[str | None] = ()) -> Any:
    """The contract's os_type.

    Args:
        name: the client's name of its system, such as ``Windows``, ``Mac OS X``, ``Debian GNU/Linux``.
        paths: of code, used if there is no name: a drive letter, or a folder that only Macs have.
    Returns:
        One of the contract's; the name as it came if it is that of another system; None if unknown.
    """
    said = text(name)
    lower = (said or "").lower()
    if said is None or _NO_SYSTEM.match(lower):
        return _by_paths(paths)
    for system, names in _NAMES:
        if names.match(lower):
            return system
    word = _WORD.match(lower)
    is_linux = (word is not None and word[0] in _LINUXES) or _MORE_LINUX.search(lower)
    return "linux" if is_linux else said


def version_and_build(system: Mapping[str, Any]) -> dict[str, str | None]:
    """``os_version`` and ``os_build`` of Sentry's context of a system.

    Where that has neither a name nor a version, they are in its description, such as ``Microsoft Windows 10.0.22631``.
    """
    version, build = text(system.get("version")), text(system.get("build"))
    if not version and not text(system.get("name")):
        said = text(system.get("raw_description")) or ""
        found = next((found.groupdict() for one in _DESCRIBED if (found := one.match(said))), {})
        version, build = found.get("version"), build or found.get("build")
    return {"os_version": version, "os_build": build}


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
    """The contract's os_type by a browser's ``User-Agent``; None if it is unknown."""
    said = text(agent) or ""
    return next((system for system, names in _BROWSERS if names.search(said)), None)


def version_of_windows(build: str) -> str | None:
    """``10.0.19045`` for a build number; None if its release is unknown."""
    if not build.isdecimal() or len(build) > 6:
        return None
    if int(build) >= _FIRST_OF_WINDOWS_10:
        return f"10.0.{build}"
    return f"{_OLDER_WINDOWS[build]}.{build}" if build in _OLDER_WINDOWS else None


def of_output(lines: Sequence[str]) -> str:
    """The system of a process from its output, by paths that only one system has.

    Without any it is Linux, as most processes that print their own crash run there.
    """
    is_of_unix = any(line.startswith(_GO_ON_UNIX) for line in lines)
    for line in lines:
        for system, marks in _BY_OUTPUT:
            if not (is_of_unix and system == "windows") and marks.search(line):
                return system
    return "linux"
