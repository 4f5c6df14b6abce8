"""Stretches of hosts at risk with an update, as changes by minute, cell and age of the install.

A host that stays for a day after an install is ten changes, as the install grows older. A query takes several times as
long to work out millions of them and add them up; here each is one integer, and integers sort fast. What the changes
are, ``exposed_by_minute_cell.sql`` beside the test of this module says: the same by a query alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetcrash.arrays import Narrow
from fleetcrash.attribution.facts.columns import as_cells
from fleetcrash.attribution.facts.exposure import AGE_MINUTES, AGES, BOOT_MINUTES, BOOTS, WINDOWS
from fleetcrash.attribution.facts.news import Exposed

Rows = Mapping[str, Narrow]
Keys = NDArray[np.int64]

_NEVER = 2**31 - 1  # the minute or tick of what has not happened
_FROM = (0, *AGE_MINUTES[:-1], 0, *BOOT_MINUTES[:-1])
_UNTIL = (*AGE_MINUTES, *BOOT_MINUTES)
_AT_ONCE = 1 << 20  # changes, in some 8 MiB; of a large fleet there are sixty million
_AGE_BITS, _BOOT_BITS = (WINDOWS - 1).bit_length(), (BOOTS - 1).bit_length()
_BITS = 62  # of a change; with its sign and that of an integer they are 64


@dataclass(frozen=True)
class _Layout:
    """Where in 62 bits a change has its numbers: each from its own lowest bit up to that of the one to its left.

        62        tick_bit     lag_bit    update_bit    cell_bit         _AGE_BITS      0
        |   tick  |    lag     |  update  |    cell     | time since boot |     age     |

    A lag is from the minute of a change to its tick. While changes are added up there is one bit more, the lowest, for
    the sign (``_packed``).

    Attributes:
        first_tick: the tick that is numbered 0.
    """

    first_tick: int
    tick_bit: int
    lag_bit: int
    update_bit: int
    cell_bit: int

    @classmethod
    def of(cls, *, first_tick: int, last_tick: int, updates: int, cells: int) -> _Layout:
        """One for numbers below these; what is left is the lag's."""
        cell_bit = _AGE_BITS + _BOOT_BITS
        update_bit = cell_bit + cells.bit_length()
        lag_bit = update_bit + updates.bit_length()
        tick_bit = _BITS - max(last_tick - first_tick, 0).bit_length()
        return cls(first_tick, tick_bit, lag_bit, update_bit, cell_bit)

    @property
    def lags(self) -> int:
        """How many lags can be told apart; none where cells, updates and ticks alone have too many bits."""
        return 1 << (self.tick_bit - self.lag_bit) if self.tick_bit >= self.lag_bit else 0


@dataclass(frozen=True)
class _Changes:
    """Changes of one sign: (n,) arrays. which: update, cell, time since boot and age, as in a key."""

    tick: Narrow
    minute: Narrow
    which: Keys
    sign: int

    def __getitem__(self, picked: NDArray[np.bool_]) -> _Changes:
        return _Changes(self.tick[picked], self.minute[picked], self.which[picked], self.sign)


def changes_of(
    stretches: Iterable[pa.RecordBatch],
    *,
    first_minute: int | None,
    after_tick: int,
    last_tick: int,
    updates: int,
    cells: int,
) -> Exposed:
    """The changes that became known after one tick and by another, those of one minute and kind added up.

    Args:
        stretches: the answer of ``detection/exposed_stretches``, which numbers cells as ``as_cells`` says.
        first_minute: none begins before it; None only where there are none.
        updates, cells: how many there are.
    """
    first_tick = max(after_tick + 1, last_tick if first_minute is None else first_minute)
    layout = _Layout.of(first_tick=first_tick, last_tick=last_tick, updates=updates, cells=cells)
    late = list[_Changes]()
    exposed = _unpacked(*_added_up(_keys(stretches, layout, last_tick=last_tick, late=late)), layout)
    return _with_late(exposed, late, layout)


def _keys(stretches: Iterable[pa.RecordBatch], layout: _Layout, *, last_tick: int, late: list[_Changes]) -> Keys:
    """(n,) the changes of all batches, packed but not in order.

    Args:
        late: takes those whose lag does not fit into a key.
    """
    parts = list[Keys]()
    for batch in stretches:
        for changes in _changes(batch, layout):
            told = changes[(changes.tick >= layout.first_tick) & (changes.tick <= last_tick)]
            lag = told.tick - told.minute
            in_time = lag < layout.lags
            if not in_time.all():
                late.append(told[~in_time])
                told, lag = told[in_time], lag[in_time]
            parts.append(_packed(told, lag, layout))
    keys = np.empty(sum(map(len, parts)), np.int64)
    used = 0
    while parts:  # so that there are never twice as many
        part = parts.pop()
        keys[used : used + len(part)] = part
        used += len(part)
    return keys


def _changes(batch: pa.RecordBatch, layout: _Layout) -> Iterator[_Changes]:
    """What the stretches of a batch come to, whenever that became known."""
    every = {name: batch[name].to_numpy() for name in batch.schema.names}
    which = every["number"].astype(np.int64) << layout.update_bit
    which += as_cells(every["cell"]).astype(np.int64) << layout.cell_bit
    which += every["since_boot"].astype(np.int64) << _AGE_BITS
    for age in range(WINDOWS):
        if age < AGES:
            picked = np.flatnonzero((every["first_age"] <= age) & (every["last_age"] >= age))
        else:
            picked = np.flatnonzero(every["boot_minute"] >= 0)
        rows = {name: values[picked] for name, values in every.items()}
        since = rows["installed_minute" if age < AGES else "boot_minute"]
        begins = np.maximum(rows["from_minute"], since + _FROM[age])
        ends = np.minimum(
            np.minimum(rows["until_minute"], since + _UNTIL[age]), rows["installed_minute"] + AGE_MINUTES[-1]
        )
        ends = np.maximum(begins, np.minimum(ends, rows["end_minute"]))
        superseded = rows["superseded_tick"]
        ends_tick = np.maximum(np.maximum(rows["known_tick"], rows["since_tick"]), ends)
        of_age = which[picked] + age
        entered = _Changes(np.maximum(rows["known_tick"], begins), begins, of_age, 1)
        left = _Changes(ends_tick, ends, of_age, -1)
        # What was counted before an end was known is taken back at the tick at which it was, and not left out.
        taken_back = _Changes(superseded, ends, of_age, 1)
        yield entered[rows["since_tick"] < 0]
        yield left[ends_tick < superseded]
        yield taken_back[(ends_tick < superseded) & (superseded < _NEVER)]


def _packed(changes: _Changes, lag: Narrow, layout: _Layout) -> Keys:
    """(n,) the changes, as integers in the order of their ticks; the last bit is the sign."""
    keys: Keys = (changes.tick - layout.first_tick).astype(np.int64) << layout.tick_bit
    keys |= lag.astype(np.int64) << layout.lag_bit
    keys |= changes.which
    keys <<= 1
    keys |= changes.sign > 0
    return keys


def _added_up(keys: Keys) -> tuple[Keys, Narrow]:
    """(k,) what packed keys, which are used up, come to, without their signs and in order; and by how much."""
    keys.sort()
    used, changes, begin = 0, [np.zeros(0, np.int32)], 0
    while begin < len(keys):
        last = keys[min(begin + _AT_ONCE, len(keys)) - 1] | 1
        end = begin + int(np.searchsorted(keys[begin:], last, side="right"))
        which, sign = keys[begin:end] >> 1, (keys[begin:end] & 1) * 2 - 1
        starts = np.flatnonzero(np.diff(which, prepend=-1))
        change = np.add.reduceat(sign, starts, dtype=np.int32)
        told = which[starts[change != 0]]
        keys[used : used + len(told)] = told  # never beyond what was read
        changes.append(change[change != 0])
        used, begin = used + len(told), end
    return keys[:used].copy(), np.concatenate(changes)


def _unpacked(which: Keys, change: Narrow, layout: _Layout) -> Exposed:
    tick = _bits(which, layout.tick_bit, _BITS) + np.int32(layout.first_tick)
    return _exposed(tick, tick - _bits(which, layout.lag_bit, layout.tick_bit), which, change, layout)


def _with_late(exposed: Exposed, late: list[_Changes], layout: _Layout) -> Exposed:
    """The same with the few changes that were told too late for their lag to fit into a key; they are not added up."""
    if not late:
        return exposed
    told = [
        _exposed(one.tick, one.minute, one.which, np.full(len(one.tick), one.sign, np.int32), layout) for one in late
    ]
    parts = [exposed, *told]
    order = np.argsort(np.concatenate([part.tick for part in parts]), kind="stable")
    return Exposed(**{name: np.concatenate([vars(part)[name] for part in parts])[order] for name in vars(exposed)})


def _exposed(tick: Narrow, minute: Narrow, which: Keys, change: Narrow, layout: _Layout) -> Exposed:
    return Exposed(
        tick=tick,
        minute=minute,
        update=_bits(which, layout.update_bit, layout.lag_bit),
        cell=_bits(which, layout.cell_bit, layout.update_bit),
        since_boot=_bits(which, _AGE_BITS, layout.cell_bit).astype(np.int8),
        age=_bits(which, 0, _AGE_BITS).astype(np.int8),
        change=change,
    )


def _bits(keys: Keys, low: int, high: int) -> Narrow:
    """(n,) the number in some bits of keys, the last of which is left out."""
    numbers = np.empty(len(keys), np.int32)
    for begin in range(0, len(keys), _AT_ONCE):  # so that what is wide is never all there
        numbers[begin : begin + _AT_ONCE] = (keys[begin : begin + _AT_ONCE] >> low) & ((1 << (high - low)) - 1)
    return numbers
