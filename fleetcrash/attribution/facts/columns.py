"""Columns of the lake's answers as arrays."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.arrays import Ints, Narrow, Texts

Cells = TypeVar("Cells", Ints, Narrow)


def ints(table: pa.Table, name: str, missing: int = 0) -> Ints:
    """(n,) a column of whole numbers."""
    return table[name].cast(pa.int64()).fill_null(missing).to_numpy()


def narrow(table: pa.Table, name: str, missing: int = 0) -> Narrow:
    """(n,) a column of whole numbers of which there are so many that half the room counts."""
    return table[name].cast(pa.int32()).fill_null(missing).to_numpy()


def as_cells(numbers: Cells) -> Cells:
    """(n,) cells as ``News`` numbers them, from 0; the queries begin at -1: hosts that the inventory lacks."""
    return numbers + 1


def texts(table: pa.Table, name: str) -> Texts:
    """(n,) a column of texts; None where one is missing."""
    values = np.empty(len(table), dtype=object)
    values[:] = table[name].to_pylist()
    return values


def numbered(table: pa.Table, name: str) -> tuple[list[str], Ints]:
    """The values of a column of texts, and (n,) which of them each is; a missing one has the number after the last."""
    return numbered_texts(table[name].combine_chunks())


def numbered_texts(some: Texts | pa.StringArray) -> tuple[list[str], Ints]:
    """The values of some texts (n,); see ``numbered``."""
    found = pa.array(some, pa.string()).dictionary_encode()
    values = found.dictionary.to_pylist()
    numbers: Ints = found.indices.fill_null(len(values)).to_numpy().astype(np.int64)
    return values, numbers


def numbered_as(some: Texts, names: pa.StringArray) -> Ints:
    """(n,) which of some names each text is; -1: none of them."""
    return pc.index_in(pa.array(some, pa.string()), value_set=names).fill_null(-1).to_numpy().astype(np.int64)


def numbers_of(values: Sequence[Hashable]) -> Ints:
    """(n,) a number for each of some values, in the order in which they come; the same for equal ones."""
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return np.array([numbers[value] for value in values], dtype=np.int64)


def as_microseconds(times: pa.ChunkedArray) -> Ints:
    """(n,) a column of times as microseconds since 1970."""
    return pc.cast(times, pa.int64()).to_numpy()
