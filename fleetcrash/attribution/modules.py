"""Modules that hosts crash in, by operating system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.news import News


@dataclass(frozen=True)
class ModuleRise:
    """More crashes than usual in one module of one operating system.

    Attributes:
        name: of the module, in lower case.
        share: of all crashes of the system that are in it when nothing is wrong, at most.
    """

    name: str
    os_type: str
    share: float


class Modules:
    """The modules of the crashes in some news, numbered.

    Attributes:
        names: of each its name in lower case and its operating system.
        of_event: (events,) its number; -1 where one of the two is not told, or for a silence.
    """

    def __init__(self, news: News) -> None:
        systems = [cell.os_type for cell in news.cells]
        numbers: dict[tuple[str, str], int] = {}

        def number(module: str | None, system: str | None) -> int:
            if not module or system is None:
                return -1
            return numbers.setdefault((module.lower(), system), len(numbers))

        told = zip(news.events.module.tolist(), news.events.cell.tolist(), strict=True)
        self.of_event: Ints = np.array([number(module, systems[cell]) for module, cell in told], np.int64)
        self.names = tuple(numbers)
        self._systems = np.array([system for _, system in self.names], dtype=object)

    def crashes_of(self, rise: ModuleRise) -> Mask:
        """(events,) the crashes in a module."""
        named = (rise.name, rise.os_type)
        return self.of_event == (self.names.index(named) if named in self.names else len(self.names))

    def count(self, events: Mask) -> Ints:
        """(modules,) how many of some events (events,) are crashes in each."""
        told = self.of_event[events]
        return np.bincount(told[told >= 0], minlength=len(self.names))

    def of_system(self, system: str) -> Mask:
        """(modules,) those of an operating system."""
        return self._systems == system

    def in_all(self, counts: Ints) -> Ints:
        """(modules,) of each as many as all modules of its operating system have, by how many each has (modules,)."""
        total = np.zeros_like(counts)
        for system in set(self._systems.tolist()):
            total[self.of_system(system)] = counts[self.of_system(system)].sum()
        return total
