"""What was to be expected at each place in the last day, in little room.

A fleet may have tens of thousands of sites and customers. Rates hold for ten minutes, and at most places nobody comes
or goes within them: what is expected there grows evenly, and is kept minute by minute only where somebody did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetcrash.arrays import Floats, Ints
from fleetcrash.attribution.expected.baseline import OUTCOMES, Singles
from fleetcrash.times import DAY

RATE_MINUTES = 10
"""The baseline moves slowly; its rates are worked out this often."""
_BLOCKS = DAY // RATE_MINUTES + 2
RING = DAY + 1


@dataclass(frozen=True)
class _Uneven:
    """Places at which somebody came or went within ten minutes.

    Attributes:
        places: (n,) in order. until: (RATE_MINUTES + 1, OUTCOMES, n) what was expected there before each minute.
    """

    places: Ints
    until: Floats


class PlacesPast:
    """(OUTCOMES, places, RING) what was expected before each minute of the last day, modulo.

    Attributes:
        now: (OUTCOMES, places) before the minute that is next.
    """

    def __init__(self, places: int) -> None:
        self.now = np.zeros((OUTCOMES, places))
        self._next = 0
        self._begun = np.full(_BLOCKS, -RATE_MINUTES)  # the first minute of each ten that was taken in
        self._until = np.zeros((_BLOCKS, OUTCOMES, places))  # before that
        self._uneven: list[_Uneven | None] = [None] * _BLOCKS

    def grow(self, places: int) -> None:
        """Make it that many places, of which the new ones come last."""
        more = places - self.now.shape[1]
        if more:
            self.now = np.pad(self.now, [(0, 0), (0, more)])
            self._until = np.pad(self._until, [(0, 0), (0, 0), (0, more)])

    def rest(self) -> None:
        """Go on after minutes that were left out: all that there is was expected before."""
        self._until[:] = self.now
        self._uneven = [None] * _BLOCKS

    def take(self, minute: int, until: Floats, changed: Ints) -> None:
        """Take in a minute.

        Args:
            until: (OUTCOMES, places) what was expected before the next. changed: those at which hosts came or went.
        """
        block, offset = divmod(minute, RATE_MINUTES)
        block %= _BLOCKS
        if offset == 0 or minute - self._begun[block] >= RATE_MINUTES:
            self._begun[block], self._until[block], self._uneven[block] = minute, self.now, None
        elif len(changed):
            self._uneven[block] = self._with(block, offset, np.unique(changed))
        uneven = self._uneven[block]
        if uneven is not None:
            uneven.until[offset + 1] = until[:, uneven.places]
        self.now, self._next = until, minute + 1

    def _with(self, block: int, offset: int, changed: Ints) -> _Uneven:
        """The uneven places of the ten minutes that are running, with those that are so from a minute of them on."""
        uneven = self._uneven[block] or _Uneven(np.zeros(0, np.int64), np.zeros((RATE_MINUTES + 1, OUTCOMES, 0)))
        new = np.setdiff1d(changed, uneven.places, assume_unique=True)
        if not len(new):
            return uneven
        begun = int(self._begun[block]) % RATE_MINUTES
        share = np.clip((np.arange(RATE_MINUTES + 1) - begun) / (offset - begun), 0.0, 1.0)[:, None, None]
        low, now = self._until[block][:, new], self.now[:, new]
        at = np.searchsorted(uneven.places, new)
        until = np.insert(uneven.until, at, low + (now - low) * share, axis=2)
        return _Uneven(np.insert(uneven.places, at, new), until)

    def until(self, places: Ints, minutes: Ints) -> Floats:
        """(OUTCOMES, n) what was expected at places before minutes, both (n,)."""
        minutes = self._next - (self._next - minutes) % RING
        block, offset = np.divmod(minutes, RATE_MINUTES)
        is_last = block == (self._next - 1) // RATE_MINUTES
        number, following = block % _BLOCKS, (block + 1) % _BLOCKS
        low, now = self._until[number, :, places].T, self.now[:, places]
        high = np.where(is_last, now, self._until[following, :, places].T)
        end = np.where(is_last, self._next, (block + 1) * RATE_MINUTES)
        since = np.maximum(self._begun[number], block * RATE_MINUTES)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.clip((minutes - since) / (end - since), 0.0, 1.0)
        until: Floats = np.where(minutes == self._next, now, low + (high - low) * np.nan_to_num(share))
        for one in np.unique(number).tolist():
            uneven = self._uneven[one]
            if uneven is None:
                continue
            there = np.flatnonzero((number == one) & (minutes < self._next) & np.isin(places, uneven.places))
            until[:, there] = uneven.until[offset[there], :, np.searchsorted(uneven.places, places[there])].T
        return until

    def take_hours(self, midnight: int, ratio: Floats) -> None:
        """Take what was expected in each minute of the last day so many times.

        Args:
            midnight: the minute that is next. ratio: (OUTCOMES, DAY) by the minute of the day.
        """
        first = (midnight - DAY) // RATE_MINUTES
        new = self._until[first % _BLOCKS].copy()
        for number in range(DAY // RATE_MINUTES):
            block, following = (first + number) % _BLOCKS, (first + number + 1) % _BLOCKS
            times = ratio[:, number * RATE_MINUTES, None]
            old, uneven = self._until[block].copy(), self._uneven[block]
            self._until[block] = new
            if uneven is not None:
                before = old[:, uneven.places]
                uneven.until[:] = new[:, uneven.places] + (uneven.until - before) * times
            is_last = number == DAY // RATE_MINUTES - 1
            new += ((self.now if is_last else self._until[following]) - old) * times
        self.now = new


class LatePlaces:
    """(OUTCOMES, places) values of each minute, noted now and read later in the same order, by what changed."""

    def __init__(self, places: int) -> None:
        self._noted: Singles = np.zeros((OUTCOMES, places), np.float32)
        self._read = self._noted.copy()

    def grow(self, places: int) -> None:
        """Make it that many places, of which the new ones come last."""
        more = [(0, 0), (0, places - self._noted.shape[1])]
        self._noted, self._read = np.pad(self._noted, more), np.pad(self._read, more)

    def note(self, values: Singles) -> tuple[Ints, Singles]:
        """Those of a minute: (n,) the places at which they changed, and (OUTCOMES, n) what they are there."""
        changed = np.flatnonzero((values != self._noted).any(0))
        self._noted = values
        return changed, values[:, changed]

    def read(self, noted: tuple[Ints, Singles]) -> Singles:
        """(OUTCOMES, places) those of the next minute, by what was noted of it; not to be changed."""
        changed, values = noted
        self._read[:, changed] = values
        return self._read
