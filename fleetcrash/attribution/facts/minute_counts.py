"""Counts of the last minutes at many places, kept for those alone where there ever was any.

An update that reaches a handful of hosts counts at few of the places that a fleet has. Of a thousand updates a day
those few are megabytes, and all of them gigabytes.
"""

from __future__ import annotations

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask, Narrow


class MinuteCounts:
    """(minutes, rows, k) whole numbers, of the last minutes, modulo."""

    def __init__(self, minutes: int, shape: tuple[int, int]) -> None:
        """All zero; shape: rows and k."""
        self._column = np.zeros(shape, np.int32)  # the first column is of all places where there never was any
        self._place = np.zeros(1, np.int64)
        self._counts = np.zeros((minutes, 1), np.int32)

    def extend(self, rows: int) -> None:
        """Make it that many rows, of which the new ones come last."""
        before, k = self._column.shape
        if rows > before:
            self._column = np.concatenate([self._column, np.zeros((rows - before, k), np.int32)])

    def at(self, minute: Ints, row: Ints) -> Narrow:
        """(..., k) the counts at minutes and rows, two arrays of one shape or of shapes that go together."""
        return self._counts[minute[..., None] % len(self._counts), self._column[row]]

    def summed(self, rows: Mask, of_row: int) -> Ints:
        """(minutes,) one of the k counts, summed over some of the rows, by the minute modulo their number."""
        columns = np.unique(self._column[rows, of_row])
        return self._counts[:, columns[columns > 0]].sum(1, dtype=np.int64)

    def totals(self, minutes: Ints) -> Floats:
        """(k,) each of the k counts, summed over all rows and some of the minutes, each of them once."""
        used = len(self._place)
        by_place = self._counts[minutes % len(self._counts), 1:used].sum(0, dtype=np.int64)
        k = self._column.shape[1]
        return np.bincount(self._place[1:] % k, weights=by_place.astype(float), minlength=k).astype(float)

    def write(self, minute: int, now: Narrow) -> None:
        """Note the counts (rows, k) of a minute."""
        self._give_columns(np.flatnonzero(now))
        used = len(self._place)
        self._counts[minute % len(self._counts), 1:used] = now.reshape(-1)[self._place[1:]]

    def add(self, since: Ints, until: int, row: Ints, of_row: Ints, change: Narrow) -> None:
        """Add changes (n,) to the minutes from one on, each its own, until another, which is left out.

        Args:
            since: (n,) before ``until`` and no more minutes before it than are kept. row, of_row: (n,) where.
        """
        if not len(since):
            return
        place = row.astype(np.int64) * self._column.shape[1] + of_row
        self._give_columns(place)
        columns, column = np.unique(self._column[row, of_row], return_inverse=True)
        first = int(since.min())
        added = np.zeros((until - first, len(columns)), np.int32)
        np.add.at(added, (since - first, column), change.astype(np.int32))
        minutes = np.arange(first, until) % len(self._counts)
        self._counts[minutes[:, None], columns] += np.cumsum(added, axis=0, dtype=np.int32)

    def _give_columns(self, places: Ints) -> None:
        flat = self._column.reshape(-1)
        new = places[flat[places] == 0]
        if not len(new):
            return
        new = np.unique(new)
        used = len(self._place)
        flat[new] = np.arange(used, used + len(new))
        self._place = np.append(self._place, new)
        if len(self._place) > self._counts.shape[1]:
            wider = np.zeros((len(self._counts), min(2 * len(self._place), len(flat) + 1)), np.int32)
            wider[:, :used] = self._counts[:, :used]
            self._counts = wider
