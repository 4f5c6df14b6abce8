"""The interface of all inputs: the records of one batch, laid out on the workbench for the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store.workbench import Workbench
from ingest.bits import Data, Ends


@dataclass(frozen=True)
class Given:
    """The records of one kind.

    Attributes:
        fields: a SELECT for ``rules.judge``.
        names: the columns in ``fields``, among them the required ones and ``received_at``; no record has others.
        is_whole: whether every given value is present; else a null value may mean one that breaks its rule.
        raw: a SELECT of ``line`` and ``raw``, the bytes as they came; read only for refused lines.
        parameters, raw_parameters: ``$named`` values of the two.
    """

    fields: str
    raw: str
    names: Set[str] = frozenset()
    is_whole: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    raw_parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LaidOut:
    """A batch on the workbench.

    Attributes:
        read: records read, including plain ones and not blank lines.
        kinds: the records by kind, without plain ones.
        strangers: what is no record of a known kind, with ``line`` and ``reason`` as its ``fields``; or None.
        unknown_fields: fields that the contract does not know.
    """

    read: int
    kinds: Mapping[Kind, Given]
    strangers: Given | None
    unknown_fields: frozenset[str]


class Arrival(Protocol):
    """One batch of a source.

    Attributes:
        batch_id: the same for the same bytes at the same place of a source.
        source: file or door that it came by.
        size_bytes: bytes of the source that it covers, for the progress.
    """

    @property
    def batch_id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...

    def plain(self, bench: Workbench) -> Mapping[Kind, Given]:
        """Put the batch on the workbench. Returns plain records, which the rules can take as they are; None: none.

        It may replace what the previous batch left there.
        """
        ...

    def lay_out(self, bench: Workbench, judged: Sequence[pa.ChunkedArray]) -> LaidOut:
        """Lay out all other records.

        Args:
            judged: ``line`` of the plain records, which have been judged.
        """
        ...


def always_there(kind: Kind) -> set[str]:
    """The columns of a kind that ``Given.fields`` always has, even if no record names them."""
    return {column.name for column in COLUMNS[kind] if column.required or column.name == "received_at"}


def counted_from(first: int, count: int) -> pa.Array:
    """The numbers of lines or rows."""
    return as_numbers(np.arange(first, first + count, dtype=np.int64))


# No pa.array, pa.scalar or to_numpy below: they import pandas, which would take most of the time of a small load.


def repeated(text: str, count: int) -> pa.Array:
    """The same text in every row."""
    raw = text.encode()
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(len(raw))
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(raw * count))


def as_texts(texts: Iterable[str]) -> pa.Array:
    """Texts as an Arrow array."""
    raw = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(raw), pa.py_buffer(offsets), pa.py_buffer(b"".join(raw)))


def one_of(texts: Sequence[str], places: npt.NDArray[np.int32]) -> pa.Array:
    """A column of texts that are stored only once each.

    Args:
        places: index of the text of each row.
    """
    return pa.DictionaryArray.from_arrays(as_numbers(places), as_texts(texts))


def as_numbers(numbers: npt.NDArray[np.int64] | npt.NDArray[np.int32]) -> pa.Array:
    """Numbers as an Arrow array."""
    kind = pa.int64() if numbers.dtype == np.int64 else pa.int32()
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers))])


def from_numbers(numbers: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """The numbers of an Arrow column of int64 without nulls; uint64 is reinterpreted."""
    chunks = [np.frombuffer(each.buffers()[1], np.int64, len(each), 8 * each.offset) for each in numbers.chunks]
    return np.concatenate(chunks) if chunks else np.empty(0, np.int64)


def as_flags(flags: npt.NDArray[np.bool_]) -> pa.Array:
    """Flags as an Arrow array."""
    packed = pa.py_buffer(np.packbits(flags, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, packed])


def parts_of(data: Data, starts: Ends, ends: Ends) -> pa.Array:
    """Parts of some bytes as rows, in order, each followed by a row for the bytes up to the next; without a copy."""
    count = len(starts)
    offsets = np.empty(2 * count + 1, np.int32)
    offsets[:-1:2], offsets[1::2], offsets[-1] = starts, ends, len(data)
    return pa.BinaryArray.from_buffers(pa.binary(), 2 * count, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def as_they_came(data: Data, starts: Ends, ends: Ends, numbers: npt.NDArray[np.int64]) -> pa.Table:
    """Records as ``line`` and ``bytes``, without a copy; the bytes between two of them are a row with line 0.

    Args:
        numbers: the line of each record.
    """
    lines = np.zeros(2 * len(numbers), np.int64)
    lines[::2] = numbers
    return pa.table({"line": as_numbers(lines), "bytes": parts_of(data, starts, ends)})
