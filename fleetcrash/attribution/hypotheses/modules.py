"""Modules that hosts crash in, by operating system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND, log_likeliest
from fleetcrash.attribution.facts.news import News
from fleetcrash.counts import MOSTLY

_HARDLY_EVER = 0.02  # of as many as crash there now
_SELDOM = 0.1  # of the crashes of its system
_LEAST_TOLD, _LEAST_USUAL = 5, 20  # crashes that tell their module


@dataclass(frozen=True)
class ModuleRise:
    """More crashes than usual in a module of one operating system, or in several of one fault.

    Attributes:
        names: of the modules, in lower case.
        share: of all crashes of the system that are in them when nothing is wrong, at most.
    """

    names: tuple[str, ...]
    os_type: str
    share: float

    def beside(self, other: ModuleRise) -> ModuleRise:
        """The rise in the modules of both; of one more of the same modules it is this one."""
        if set(other.names) <= set(self.names):
            return self
        return ModuleRise((*self.names, *other.names), self.os_type, min(self.share + other.share, 1.0))


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
        """(events,) the crashes in the modules of a rise."""
        of_rise = {(name, rise.os_type) for name in rise.names}
        return np.isin(self.of_event, [number for number, named in enumerate(self.names) if named in of_rise])

    def count(self, events: Mask) -> Ints:
        """(modules,) how many of some events (events,) are crashes in each."""
        told = self.of_event[events]
        return np.bincount(told[told >= 0], minlength=len(self.names))

    def are_in_rare(self, struck: Mask, before: Mask) -> bool:
        """Whether most of some events are crashes in one module, in which hosts seldom crashed before.

        Args:
            struck, before: (events,) those, and what else was known when they began.
        """
        counts = self.count(struck)
        most = int(counts.max(initial=0))
        if most <= MOSTLY * struck.sum():
            return False
        usual, module = self.count(before), np.argmax(counts)
        return bool(usual[module] <= max(_HARDLY_EVER * most, _SELDOM * self.in_all(usual)[module]))

    def are_as_ever(self, struck: Mask, before: Mask) -> bool:
        """Whether some events are crashes in the modules that hosts crash in anyway, in none of them clearly more.

        Of the handful that tell no module, and before it is known which ones they are, nothing is said.

        Args:
            struck, before: (events,) those, and the crashes of before.
        """
        counts, usual = self.count(struck), self.count(before)
        if counts.sum() < _LEAST_TOLD or usual.sum() < _LEAST_USUAL:
            return False
        expected = self.in_all(counts) * (usual + 1.0) / (self.in_all(usual) + 1.0)
        return bool(log_likeliest(counts.astype(float), expected).max() < LOG_THOUSAND + np.log((counts > 0).sum()))

    def of_system(self, system: str) -> Mask:
        """(modules,) those of an operating system."""
        return self._systems == system

    def in_all(self, counts: Ints) -> Ints:
        """(modules,) of each as many as all modules of its operating system have, by how many each has (modules,)."""
        total = np.zeros_like(counts)
        for system in set(self._systems.tolist()):
            total[self.of_system(system)] = counts[self.of_system(system)].sum()
        return total
