"""Parts of a log that a kernel saved as it died say the same in whatever order they stand."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import pstore
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.known import format_of
from ingest.formats.pstore import in_order
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.test_kernel_log import OLD_OOPS

LINES = OLD_OOPS.splitlines(keepends=True)


def saved(*parts: str, dump: int = 1) -> str:
    """Parts of a dump, the end of the log first, as their files are named."""
    return "".join(f"Oops#{dump} Part{number}\n{part.rstrip()}\n" for number, part in enumerate(reversed(parts), 1))


@pytest.mark.parametrize("cuts", [(3,), (6, 10), (1, 2, 15)])
def test_parts_from_the_end_on_are_one_crash(cuts):
    bounds = [0, *cuts, len(LINES)]
    parts = ["".join(LINES[start:end]) for start, end in pairwise(bounds)]
    data = saved(*parts).encode()
    assert format_of(head(data)) is KERNEL_FILE
    assert crashes_of(KERNEL_FILE, data) == crashes_of(KERNEL_FILE, OLD_OOPS.encode())


def test_parts_in_the_order_of_time_stay_as_they_are():
    said = f"Oops#1 Part2\n{''.join(LINES[:6])}Oops#1 Part1\n{''.join(LINES[6:])}\n"
    assert crashes_of(KERNEL_FILE, said.encode()) == crashes_of(KERNEL_FILE, OLD_OOPS.encode())


def test_each_dump_is_put_in_order_for_itself():
    said = ["up", *saved("a\nb", "c").splitlines(), *saved("d", "e", dump=2).splitlines()]
    assert list(in_order(said)) == ["up", "a", "b", "c", "d", "e"]


@given(st.lists(st.sampled_from(["Oops#1 Part1", "Oops#1 Part2", "Panic#2 Part1", "Oops#1 Part3", "a", "b", ""])))
def test_no_line_is_lost(lines):
    assert sorted(in_order(lines)) == sorted(line for line in lines if "#" not in line)


def test_memory_is_bounded_whatever_comes(monkeypatch):
    monkeypatch.setattr(pstore, "_MOST_HELD", 100)
    block = ("x" * 900 + "\n").encode() * 200
    tracemalloc.start()
    for _ in KERNEL_FILE.read(iter([b"Oops#1 Part1\n", *[block] * 20]), TOLD):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20, "bytes"
