"""What was to be expected at each spot in the last day: of slices minute by minute, of places in less room."""

from __future__ import annotations

import numpy as np

from fleetcrash.arrays import Floats, Ints
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.expected.places_past import RING, PlacesPast
from fleetcrash.times import DAY


def _nothing_until(slices: int) -> Floats:
    """(OUTCOMES, slices, RING) zeros; what is of one minute lies side by side, for one is written at every tick."""
    return np.zeros((RING, OUTCOMES, slices)).transpose(1, 2, 0)


class Past:
    """(OUTCOMES, spots, RING) what was expected before each minute of the last day, modulo."""

    def __init__(self, slices: int, places: int) -> None:
        self._until, self._places = _nothing_until(slices), PlacesPast(places)

    @property
    def slices(self) -> int:
        """How many there are, which are the first spots."""
        return self._until.shape[1]

    def move(self, slices: int, places: int, moved: Ints) -> None:
        """Take over another numbering of so many slices, by where each before is now; places that are new come last."""
        until = _nothing_until(slices)
        until[:, moved] = self._until
        self._until = until
        self._places.grow(places)

    def rest(self, until: Floats) -> None:
        """Go on after minutes that were left out: before any of the last day (OUTCOMES, spots) was expected."""
        self._until[:] = until[:, : self.slices, None]
        self._places.rest()

    def take(self, minute: int, until: Floats, changed: Ints) -> None:
        """Take in a minute.

        Args:
            until: (OUTCOMES, spots) what was expected before the next. changed: places at which hosts came or went.
        """
        self._until[:, :, (minute + 1) % RING] = until[:, : self.slices]
        self._places.take(minute, until[:, self.slices :], changed)

    def until(self, spots: Ints, minutes: Ints) -> Floats:
        """(OUTCOMES, ...) what was expected at spots before minutes, both of one shape."""
        shape, spots, minutes = spots.shape, spots.reshape(-1), minutes.reshape(-1)
        is_slice = spots < self.slices
        until = np.empty((OUTCOMES, len(spots)))
        until[:, is_slice] = self._until[:, spots[is_slice], minutes[is_slice] % RING]
        until[:, ~is_slice] = self._places.until(spots[~is_slice] - self.slices, minutes[~is_slice])
        return until.reshape(OUTCOMES, *shape)

    def of_slices(self, minute: int) -> Floats:
        """(OUTCOMES, slices) what was expected before a minute."""
        return self._until[:, :, minute % RING]

    def take_hours(self, midnight: int, ratio: Floats) -> Floats:
        """Take what was expected in each minute of the last day so many times.

        Args:
            midnight: the minute that is next. ratio: (OUTCOMES, DAY) by the minute of the day.
        Returns:
            (OUTCOMES, spots) what was expected before it.
        """
        minutes = np.arange(midnight - DAY, midnight + 1) % RING
        until = self._until[:, :, minutes]
        until[:, :, 1:] = until[:, :, :1] + np.cumsum(np.diff(until, axis=2) * ratio[:, None], axis=2)
        self._until[:, :, minutes] = until
        self._places.take_hours(midnight, ratio)
        return np.concatenate([until[:, :, -1], self._places.now], axis=1)
