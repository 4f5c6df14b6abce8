"""What damage and malice make of a file, for the tests of its reader."""

from __future__ import annotations

from hypothesis import strategies as st

from ingest.formats.crashes import Unfit
from ingest.formats.format import Document, Log
from tests.ingest.formats.conftest import crashes_of


def survives(format: Document | Log, data: bytes) -> None:
    """Read a file that may be anything: nothing but Unfit is raised."""
    try:
        crashes_of(format, data)
    except Unfit as refusal:
        assert refusal.code, "a reason"  # noqa: PT017 - or there is none


def changed(good: bytes) -> st.SearchStrategy[bytes]:
    """A good file with some bytes that are others."""
    places = st.lists(st.tuples(st.integers(0, len(good) - 1), st.binary(min_size=1, max_size=4)), max_size=6)

    def change(changes: list[tuple[int, bytes]]) -> bytes:
        data = bytearray(good)
        for at, others in changes:
            data[at : at + len(others)] = others
        return bytes(data)

    return places.map(change)
