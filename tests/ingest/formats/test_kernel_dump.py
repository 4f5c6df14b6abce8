"""The driver at fault in a small dump of Windows' kernel."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import minidump
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of
from tests.ingest.formats.damage import changed, survives

KERNEL, HAL, FILTER, RELAY, SCAN = (0x80000000 + (number << 24) for number in range(5))
DRIVERS = [("ntoskrnl.exe", KERNEL), ("hal.dll", HAL), ("fltmgr.sys", FILTER), ("relay.sys", RELAY), ("scan.sys", SCAN)]


def small_dump(
    code: int = 0x50,
    arguments: Sequence[int] = (0x10, 0, KERNEL + 0x1234, 0),
    *,
    stack: Sequence[int] = (),
    exception: int = 0,
    broken: str = "",
    bits: int = 64,
    drivers: Sequence[tuple[str, int]] = DRIVERS,
) -> bytes:
    """A small dump with its drivers, as Windows lays it out."""
    is_64 = bits == 64
    size, entry, base, image, word = (0x2000, 0x90, 0x38, 0x48, "Q") if is_64 else (0x1000, 0x4C, 0x1C, 0x24, "I")
    data = bytearray(size + 0x100)
    data[:8] = b"PAGEDU64" if is_64 else b"PAGEDUMP"
    struct.pack_into("<II", data, 8, 15, 22631)
    struct.pack_into("<I", data, 0x38 if is_64 else 0x28, code)
    struct.pack_into(f"<4{word}", data, 0x40 if is_64 else 0x2C, *arguments)
    struct.pack_into(f"<{word}", data, 0xF10 if is_64 else 0x7DC, exception)
    struct.pack_into("<I", data, 0xF98 if is_64 else 0xF88, 4)
    struct.pack_into("<II", data, size + 0x28, len(data), len(stack) * (8 if is_64 else 4))
    data += struct.pack(f"<{len(stack)}{word}", *stack)
    listed = bytearray()
    for name, start in drivers:
        one = bytearray(entry)
        struct.pack_into("<I", one, 0, len(data))
        struct.pack_into(f"<{word}", one, base, start)
        struct.pack_into("<I", one, image, 0x20000)
        listed += one
        data += struct.pack("<I", len(name)) + name.encode("utf-16-le") + b"\0\0"
    struct.pack_into("<II", data, size + 0x30, len(data), len(drivers))
    data += listed
    if broken:
        struct.pack_into("<I", data, size + 0x40, len(data))
        data += struct.pack("<I", len(broken)) + broken.encode("utf-16-le")
    return bytes(data)


def place(data: bytes) -> tuple[str | None, int | None]:
    (record,) = crashes_of(minidump.MINIDUMP, data)
    return record.get("module"), record.get("module_offset")


@pytest.mark.parametrize("bits", [64, 32])
def test_an_address_in_a_driver_names_it(bits):
    assert place(small_dump(0xD1, (0, 2, 0, RELAY + 0x123), bits=bits)) == ("relay.sys", 0x123)
    assert place(small_dump(0x1000008E, (0xC0000005, SCAN + 0x99, 0, 0), bits=bits)) == ("scan.sys", 0x99)


@pytest.mark.parametrize("bits", [64, 32])
def test_where_the_kernel_itself_faulted_its_innermost_caller_among_the_drivers_is_to_blame(bits):
    stack = [7, KERNEL + 0x2000, HAL + 0x1000, FILTER + 0x3000, RELAY, RELAY + 0x4000, SCAN + 0x5000]
    assert place(small_dump(stack=stack, bits=bits)) == ("relay.sys", 0x4000)  # its start is no code
    assert place(small_dump(stack=stack[:4], bits=bits)) == ("ntoskrnl.exe", 0x1234)
    assert place(small_dump(stack=stack, bits=bits, broken="scan.sys")) == ("scan.sys", None)


@pytest.mark.parametrize("code", [0x139, 0x1000007E, 0xC2])
def test_the_exception_before_a_bugcheck_names_the_driver(code):
    assert place(small_dump(code, (0, 0, 0, 0), exception=SCAN + 0x77)) == ("scan.sys", 0x77)
    assert place(small_dump(code, (0, 0, 0, 0), exception=KERNEL + 0x77)) == (None, None)


@pytest.mark.parametrize("code", [0x101, 0x124, 0x133, 0x9F, 0xEF, 0x116])
def test_what_hung_or_broke_by_itself_is_no_callers_fault(code):
    assert place(small_dump(code, (0, 0, 0, 0), stack=[RELAY + 0x4000])) == (None, None)


def test_a_long_list_and_a_long_stack_cost_little():
    drivers = [(f"mp{number}.sys", (number << 20) + (1 << 34)) for number in range(9000)]
    stack = [((number * 7) << 20) + (1 << 34) + 0x1F0000 for number in range(2000)]
    data = small_dump(stack=stack, drivers=drivers)
    costs_at_most(30, lambda: crashes_of(minidump.MINIDUMP, data))


@given(
    changed(small_dump(stack=[RELAY + 0x4000], broken="scan.sys"))
    | changed(small_dump(bits=32, stack=[RELAY + 0x4000]))
    | st.binary(max_size=200).map(b"PAGEDU64".__add__)
)
def test_no_bytes_break_it(data):
    survives(minidump.MINIDUMP, data)
