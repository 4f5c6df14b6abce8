"""Reads dumps of Windows' kernel: their header, and of small ones the driver at fault.

Which driver that is, a bugcheck tells by an address, or the exception before it; else the kernel names it, or it is the
first on the stack where the code of a bugcheck says that a caller broke the kernel's rules.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fleetcrash.clustering.lists import frame_list
from fleetcrash.clustering.names import module_name
from ingest.formats.crashes import base_name
from ingest.formats.dates import time_of_filetime
from ingest.formats.live_dumps import is_live
from ingest.formats.minidump_places import name_at, unpacked

_MOST_DRIVERS = 10_000
_MOST_WORDS = 2048  # of a stack
_HEAD_BYTES = 0x1000  # of a driver, which have no code


@dataclass(frozen=True)
class _Layout:
    """Places in a kernel dump, in bytes from its start.

    Attributes:
        code: of the bugcheck. arguments: its four arguments. at, up: the system's time, and its uptime.
        exception: address of the exception before.
        kind: of the dump.
        size: of the header. A small dump has behind it where its stack, list of drivers and broken driver are.
        form: of an address.
        base, image, driver: of an entry in that list: the driver's address and size, and the size of the entry.
    """

    code: int
    arguments: int
    at: int
    up: int
    exception: int
    kind: int
    form: str
    size: int
    base: int
    image: int
    driver: int


_LAYOUTS = {
    b"PAGEDU64": _Layout(0x38, 0x40, 0xFA8, 0x1030, 0xF10, 0xF98, "<Q", 0x2000, 0x38, 0x48, 0x90),
    b"PAGEDUMP": _Layout(0x28, 0x2C, 0xFC0, 0xFB8, 0x7DC, 0xF88, "<I", 0x1000, 0x1C, 0x24, 0x4C),  # of 32 bits
}
KERNELS = tuple(_LAYOUTS)
_STACK, _DRIVERS, _BROKEN = 0x28, 0x30, 0x40  # from the end of the header
_SMALL = 4

_SAVED_DUMP = 0x10000000  # added to the bugchecks of small dumps
# Which argument of a bugcheck, from 0, is the address in code; from Microsoft's reference of bug check codes.
_INSTRUCTIONS = {
    0x0A: 3, 0xC5: 3, 0xD1: 3, 0x50: 2, 0xCC: 2, 0xCD: 2, 0xCE: 2, 0xD5: 2, 0xD6: 2,
    0x1E: 1, 0x3B: 1, 0x7E: 1, 0x8E: 1, 0x116: 1,
}  # fmt: skip
# Bugchecks for what a caller of the kernel did, beside those; not hangs, and nothing of the hardware.
_OF_CALLERS = (_INSTRUCTIONS.keys() - {0x116}) | {0x18, 0xBE, 0xC2, 0xC4, 0xFC, 0x139}
_KERNEL = re.compile(r"(?:ntoskrnl|ntkrnl\w{2,8}|hal)\.(?:exe|dll)", re.IGNORECASE)
_VERSIONS = {
    2195: "5.0", 2600: "5.1", 3790: "5.2", 6000: "6.0", 6001: "6.0", 6002: "6.0", 6003: "6.0", 7600: "6.1",
    7601: "6.1", 9200: "6.2", 9600: "6.3",
}  # fmt: skip


class _Driver(NamedTuple):
    """A driver; ``name`` is the offset of its name."""

    start: int
    end: int
    name: int


class _Drivers:
    """The drivers that a small dump lists.

    Args:
        entries: offsets of the entries of the list.
    """

    def __init__(self, data: bytes, layout: _Layout, entries: range) -> None:
        self._data = data
        self._all = sorted(_listed(data, layout, entries))
        self._starts = [one.start for one in self._all]

    def __bool__(self) -> bool:
        return bool(self._all)

    def at(self, address: int) -> _Driver | None:
        """The driver of an address; None if it is in none of them."""
        place = bisect_right(self._starts, address)
        return self._all[place - 1] if place and address < self._all[place - 1].end else None

    def place(self, address: int) -> tuple[str, int] | None:
        """The name of the driver of an address, and the offset in it."""
        driver = self.at(address)
        name = base_name(name_at(self._data, driver.name, unit_bytes=2)) if driver else None
        return (name, address - driver.start) if driver and name else None


def _listed(data: bytes, layout: _Layout, entries: range) -> Iterator[_Driver]:
    for at in entries:
        name, start, size = (
            unpacked(form, data, at + more)
            for form, more in (("<I", 0), (layout.form, layout.base), ("<I", layout.image))
        )
        if name is None or start is None or size is None:
            return
        yield _Driver(start[0], start[0] + size[0], name[0])


def of_kernel(data: bytes) -> dict[str, Any] | None:
    """What a kernel dump tells; None if it ends within its header."""
    layout = _LAYOUTS[bytes(data[:8])]
    told = [
        unpacked(form, data, at)
        for form, at in (("<I", 0x0C), ("<I", layout.code), ("<Q", layout.at), ("<Q", layout.up))
    ]
    listed = unpacked(f"<4{layout.form[1:]}", data, layout.arguments)
    if listed is None or None in told:
        return None
    build, code, ticks, up_ticks = (one[0] for one in told if one)
    entries = _entries(data, layout)
    drivers = _Drivers(data, layout, entries)
    place = _place(data, layout, drivers, code & ~_SAVED_DUMP, listed) if entries else None
    return {
        "module": place[0] if place else None,
        "module_offset": place[1] if place else None,
        "os_type": "windows",
        "os_version": _version(build),
        "code": f"0x{code:x}",
        "occurred_at": time_of_filetime(ticks),
        "uptime_s": up_ticks / 1e7 if up_ticks < 1 << 56 else None,
        "arguments": tuple(f"0x{one:x}" for one in listed),
        "is_live": is_live(code),
        "is_whole": entries.stop <= len(data),
    }


def _version(build: int) -> str | None:
    before = "10.0" if 10_000 <= build < 1_000_000 else _VERSIONS.get(build)
    return f"{before}.{build}" if before else None


def _entries(data: bytes, layout: _Layout) -> range:
    """Range of offsets of the entries of a small dump's list of drivers; empty if it has none."""
    if unpacked("<I", data, layout.kind) != (_SMALL,):
        return range(0)
    at = layout.size + _DRIVERS
    start, count = unpacked("<II", data, at) or (at, 1)  # beyond the end of the file, like their offset
    return range(start, start + min(count, _MOST_DRIVERS) * layout.driver, layout.driver)


def _place(
    data: bytes, layout: _Layout, drivers: _Drivers, code: int, arguments: Sequence[int]
) -> tuple[str, int | None] | None:
    """The driver at fault, and the offset in it, if that is known; the kernel if it is only known to be there."""
    argument = _INSTRUCTIONS.get(code)
    own = drivers.place(arguments[argument]) if argument is not None else None
    if own and not _KERNEL.fullmatch(own[0]):
        return own
    thrown = unpacked(layout.form, data, layout.exception)
    other = drivers.place(thrown[0]) if thrown else None
    if other and not _KERNEL.fullmatch(other[0]):
        return other
    named = unpacked("<I", data, layout.size + _BROKEN) if drivers else None
    if named and (blamed := base_name(name_at(data, named[0], unit_bytes=2))):
        return blamed, None
    return (_first_on_stack(data, layout, drivers) if code in _OF_CALLERS else None) or own


def _first_on_stack(data: bytes, layout: _Layout, drivers: _Drivers) -> tuple[str, int] | None:
    """The innermost place on the stack in a driver that is no part of the kernel, nor what all drivers call."""
    at, size = unpacked("<II", data, layout.size + _STACK) or (0, 0)
    word_bytes = struct.calcsize(layout.form)
    passed: set[_Driver] = set()
    for number in range(min(size // word_bytes, _MOST_WORDS) if at and drivers else 0):
        word = unpacked(layout.form, data, at + number * word_bytes)
        if word is None:
            return None
        driver = drivers.at(word[0])
        if driver is None or driver in passed or word[0] - driver.start < _HEAD_BYTES:
            continue
        place = drivers.place(word[0])
        if place and not frame_list("machinery").has(module_name(place[0], windows_kernel=True), ""):
            return place
        passed.add(driver)
    return None
