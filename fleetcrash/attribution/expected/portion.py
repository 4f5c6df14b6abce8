"""A portion of all events, where not all of them are looked at."""

from __future__ import annotations

from dataclasses import dataclass

from fleetcrash.arrays import Floats


@dataclass(frozen=True)
class Portion:
    """What part of all events some kind of them is to be, such as the crashes in one module of one operating system.

    Attributes:
        of_cells: (OUTCOMES, cells). of_spots: (OUTCOMES, spots).
    """

    of_cells: Floats
    of_spots: Floats
