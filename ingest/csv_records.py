"""Finds the records and fields of CSV (RFC 4180), for all bytes at once.

A record ends at a newline outside quotes, and a place is outside if the number of quotes before it is even. That holds
as long as each quote is where it may be: at the start of a field, at its end, or doubled within. If one is elsewhere,
inside and outside are unknown from there on. The record is then given up at the end of its first line and reading
starts again at the next: a quote that is never closed costs only its own line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.bits import SLICE_BYTES, Bits, Data, bits_at, bits_of, inside

Places = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

QUOTE, NEWLINE, RETURN = b'"\n\r'


@dataclass(frozen=True)
class Records:
    """Records within some bytes, in order; initially all of them, including blank lines, without a gap.

    Attributes:
        starts: first byte of each record.
        stops: the byte after its newline.
        lines: the line in which it starts, from 0.
        sound: whether its quotes are where quotes may be.
        separators: bitmap of commas and newlines outside quotes; None if not all records are sound.
    """

    starts: Places
    stops: Places
    lines: Places
    sound: Flags
    separators: Bits | None

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def size_bytes(self) -> int:
        """Number of bytes up to the end of the last record."""
        return int(self.stops[-1]) if len(self) else 0

    def ends(self, data: Data) -> Places:
        """The end of each record without its newline, LF or CRLF."""
        return _without_return(data, self.starts, self.stops - np.int32(1))

    def picked(self, which: Flags | slice) -> Records:
        """A selection of the records."""
        return Records(self.starts[which], self.stops[which], self.lines[which], self.sound[which], self.separators)


@dataclass(frozen=True)
class Text:
    """Sound records, contiguous from ``starts[0]`` on.

    Attributes:
        starts, stops: of each record within ``data``, including its newline.
        separators: commas and newlines outside quotes, of these records.
    """

    data: Data
    starts: Places
    stops: Places
    separators: Places


@dataclass(frozen=True)
class Fields:
    """The fields of sound records, in order.

    Attributes:
        starts, ends: of each field, without quotes and newlines.
        counts: how many fields each record has.
        quoted: whether each field is in quotes.
    """

    starts: Places
    ends: Places
    counts: Places
    quoted: Flags


@dataclass(frozen=True)
class Marks:
    """Bitmaps of the special bytes.

    Attributes:
        inside: positions up to which, inclusive, the number of quotes is odd.
    """

    size: int
    quotes: Bits
    commas: Bits
    newlines: Bits
    returns: Bits
    inside: Bits

    @classmethod
    def of(cls, data: Data) -> Marks:
        """Make them for some bytes."""
        quotes, commas, newlines, returns = bits_of(data, b'"', b",", b"\n", b"\r")
        return cls(len(data), quotes, commas, newlines, returns, inside(quotes))

    @property
    def separators(self) -> Bits:
        """Commas and newlines outside quotes."""
        return (self.commas | self.newlines) & ~self.inside

    def strays(self, *, outside: int) -> Bits:
        """Misplaced quotes in records before which the parity of quotes is ``outside``.

        The first, third, … quote of a record opens: at the start of a field, or as the second of a doubled one. The
        others close: at the end of a field, or as the first of a doubled one.
        """
        opens = self.inside if outside == 0 else ~self.inside
        may_stand_by = self.quotes | self.commas | self.newlines
        # The byte after the end is checked when it has arrived.
        line_ends = self.returns & _of_next(self.newlines, self.size)
        wrong = opens & ~_of_previous(may_stand_by) | ~opens & ~_of_next(may_stand_by | line_ends, self.size)
        return self.quotes & wrong


def split(data: Data, *, at_end: bool) -> Records:
    """The whole records at the start of ``data``, which starts with one.

    Args:
        at_end: nothing follows ``data``, which ends in a newline; all of it is records then.
    """
    if b"\n" not in data:
        nothing = np.empty(0, np.int32)
        return Records(nothing, nothing, nothing, np.empty(0, np.bool_), None)
    marks = Marks.of(data)
    newlines = _places(marks.newlines)
    parity = bits_at(marks.inside, newlines)
    separators = None
    if not marks.strays(outside=0).any() and not (at_end and parity[-1]):
        last = _where(parity == 0)
        first, sound = _behind(last, 1), np.ones(len(last), np.bool_)
        separators = marks.separators
    else:
        first, last, sound = _rescued(marks, newlines, parity, at_end=at_end)
    stops = newlines[last] + np.int32(1)
    return Records(_behind(stops), stops, first, sound, separators)


def _rescued(
    marks: Marks, newlines: Places, parity: npt.NDArray[np.uint8], *, at_end: bool
) -> tuple[Places, Places, Flags]:
    """The first and last line of each record, and whether it is sound, for data with misplaced quotes.

    For each line, the record that would start there is computed, for all lines at once, as it depends on nothing before
    it. Then the lines at which a record does start are picked: a record over several lines hides the starts within.
    """
    count = len(newlines)
    before = np.append(np.uint8(0), parity[:-1])  # parity of the quotes before each line
    line_starts = _behind(newlines, 1)
    ends = np.empty(count, np.int32)
    wrong = np.empty(count, np.bool_)
    for outside in (0, 1):
        mine = _where(before == outside)
        closing = _where(parity == outside)
        ends[mine] = np.append(closing, count)[np.searchsorted(closing, mine)]
        strays = _places(marks.strays(outside=outside))
        stray = np.append(strays, marks.size)[np.searchsorted(strays, line_starts[mine])]
        wrong[mine] = stray < np.append(newlines, marks.size)[ends[mine]]
    open_ended = ends == count
    if at_end:
        wrong |= open_ended
    lines = np.arange(count, dtype=np.int32)
    ends = np.where(wrong, lines, ends)
    starts_here = np.ones(count, np.bool_)
    many_lined = _where(ends > lines)
    free = 0
    for line, end in zip(many_lined.data, ends[many_lined].data, strict=True):
        if line < free:
            continue
        # A record without an end is not whole, nor is anything after it.
        starts_here[line if end == count else line + 1 : end + 1] = False
        free = end + 1
    first = _where(starts_here)
    return first, ends[first], ~wrong[first]


def text_of(data: Data, records: Records, chosen: npt.NDArray[np.int64]) -> Text:
    """The chosen records, which are sound, without the bytes between them."""
    starts, stops = records.starts[chosen], records.stops[chosen]
    if not len(chosen):
        return Text(b"", starts, stops, starts)
    gaps = np.flatnonzero(starts[1:] != stops[:-1])
    if records.separators is not None and not len(gaps):
        separators = _places(records.separators)
        within = slice(*np.searchsorted(separators, [starts[0], stops[-1]]))
        return Text(data, starts, stops, separators[within])
    whole = memoryview(data)
    runs = zip(starts[np.append(0, gaps + 1)].tolist(), stops[np.append(gaps, -1)].tolist(), strict=True)
    joined = b"".join([whole[start:stop] for start, stop in runs])
    ends = np.cumsum(stops - starts, dtype=np.int32)
    return Text(joined, ends - (stops - starts), ends, _places(Marks.of(joined).separators))


def fields(text: Text) -> Fields:
    """The fields of all records of a text."""
    at = np.frombuffer(text.data, np.uint8)
    last = _where(at[text.separators] == NEWLINE)
    counts = np.diff(last, prepend=np.int32(-1))
    starts = np.append(text.starts[:1], text.separators + np.int32(1))[: len(text.separators)]
    ends = text.separators.copy()
    ends[last] = _without_return(text.data, starts[last], ends[last])
    quoted = (starts < ends) & (at[starts] == QUOTE)
    return Fields(starts + quoted, ends - quoted, counts, quoted)


def _without_return(data: Data, starts: Places, ends: Places) -> Places:
    at = np.frombuffer(data, np.uint8)
    return _small(ends - ((starts < ends) & (at[ends - 1] == RETURN)))


def _behind(ends: Places, gap: int = 0) -> Places:
    """Starts of stretches, each after the end of the one before and a gap; the first at 0."""
    starts = np.zeros_like(ends)
    np.add(ends[:-1], np.int32(gap), out=starts[1:])
    return starts


def _of_previous(bits: Bits) -> Bits:
    """The bits shifted by one, so that each is that of the position before; 1 before the first."""
    moved = bits << np.uint64(1)
    moved[1:] |= bits[:-1] >> np.uint64(63)
    moved[0] |= np.uint64(1)
    return moved


def _of_next(bits: Bits, size: int) -> Bits:
    """The bits shifted by one, so that each is that of the position after; 1 after the last of ``size``."""
    moved = bits >> np.uint64(1)
    moved[:-1] |= bits[1:] << np.uint64(63)
    moved[(size - 1) // 64] |= np.uint64(1 << (size - 1) % 64)
    return moved


def _places(bits: Bits) -> Places:
    """The positions of bits that are 1."""
    packed = bits.view(np.uint8)
    step = SLICE_BYTES // 8
    found = [
        _where(np.unpackbits(packed[start : start + step], bitorder="little").view(np.bool_), start * 8)
        for start in range(0, len(packed), step)
    ]
    return np.concatenate(found) if found else np.empty(0, np.int32)


def _where(flags: npt.NDArray[Any], base: int = 0) -> Places:
    return _small(np.flatnonzero(flags) + base)


def _small(places: npt.NDArray[Any]) -> Places:
    # Half the memory of 64-bit integers; a batch is far smaller than 2 GiB.
    return places.astype(np.int32, copy=False)
