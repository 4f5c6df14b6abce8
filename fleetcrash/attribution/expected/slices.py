"""Slices: parts of the fleet that a fault may hit alone, as sets of cells.

These few are tried at every tick, for updates and for waves that follow no update. The finer search for the
condition of a named update is in ``condition``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints
from fleetcrash.attribution.conditions.grammar import Condition, version_key
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, Cell

# How likely a fault is to hit one slice of each kind, before looking. A fault nearly always stays within one OS.
_WEIGHTS = {
    "all": 0.15,
    "os_type": 0.30,
    "agent_version": 0.20,
    "os_build": 0.12,
    "model": 0.08,
    "region": 0.10,
    "ring": 0.05,
}
_ONE_VALUE = ("os_build", "model", "region", "ring")
FACTOR_KEYS = ("os_build", "agent_version", "model", "region")
"""Attributes whose values have a baseline factor of their own."""


@dataclass(frozen=True)
class Slice:
    """A part of the fleet.

    Attributes:
        key: the attribute that it is cut by, or ``all``.
        condition: which cells, in the contract's grammar.
        threshold: cut by an inequality; such slices overlap their equals and have no baseline factor.
    """

    key: str
    condition: Condition
    threshold: bool = False


@dataclass(frozen=True)
class Slices:
    """All slices of the cells at hand.

    Attributes:
        members: (slices, cells) 1.0 where the cell is in the slice.
        known_tick: (slices,) first tick at which the slice could be told from the others.
    """

    slices: tuple[Slice, ...]
    members: NDArray[np.float32]
    known_tick: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.slices)

    def add_up(self, values: Floats, cells: Ints | None = None) -> Floats:
        """(..., slices) sums of (..., cells) values, to seven digits.

        Args:
            cells: which cells the values are of; None: all.
        """
        members = self.members if cells is None else self.members[:, cells]
        # As one product; a stack of small ones takes a hundred times as long.
        *others, last = values.shape
        flat = values.reshape(math.prod(others), last).astype(np.float32)
        return (flat @ members.T).astype(np.float64).reshape(*others, len(self))

    def log_weight(self, tick: int) -> Floats:
        """(slices,) log prior that a fault hits just this slice; those not known by the tick weigh nothing.

        They sum to at most one.
        """
        known = self.known_tick <= tick
        of_key = {
            key: sum(one.key == key and there for one, there in zip(self.slices, known, strict=True))
            for key in _WEIGHTS
        }
        weights = [
            _WEIGHTS[one.key] / of_key[one.key] if there else 0.0 for one, there in zip(self.slices, known, strict=True)
        ]
        with np.errstate(divide="ignore"):
            return np.log(weights)

    def cell_factors(self, factors: Floats) -> Floats:
        """(outcomes, cells) baseline factor of each cell, the product of those of its attributes.

        Args:
            factors: (outcomes, slices) of each slice by itself.
        """
        product = np.ones((factors.shape[0], self.members.shape[1]))
        for key in FACTOR_KEYS:
            # A cell is in one slice of each attribute, or in none.
            of_key = [number for number, cut in enumerate(self.slices) if cut.key == key and not cut.threshold]
            product *= 1.0 + (factors[:, of_key] - 1.0) @ self.members[of_key]
        return np.clip(product, 0.2, 8.0)


def cut(cells: Sequence[Cell]) -> Slices:
    """The slices of these cells: all, each OS, and each agent version, build, model, region and ring."""
    values = {key: np.array([c.attributes[n] for c in cells], dtype=object) for n, key in enumerate(CELL_ATTRIBUTES)}
    since = np.array([cell.known_tick for cell in cells], dtype=np.int64)
    found: list[tuple[Slice, NDArray[np.bool_], int]] = [(Slice("all", {}), np.ones(len(cells), bool), 0)]

    def add(key: str, condition: Condition, mask: NDArray[np.bool_]) -> int:
        first = int(since[mask].min())
        found.append((Slice(key, condition), mask, first))
        return first

    for system in _present(values["os_type"]):
        of_system = values["os_type"] == system
        add("os_type", {"os_type": system}, of_system)
        versions = sorted(_present(values["agent_version"][of_system]), key=version_key)
        older = None
        for rank, version in enumerate(versions):
            same = of_system & (values["agent_version"] == version)
            first = add("agent_version", {"os_type": system, "agent_version": version}, same)
            if older is not None:
                newer = of_system & np.isin(values["agent_version"], versions[rank:])
                bound = {"os_type": system, "agent_version": f">={version}"}
                found.append((Slice("agent_version", bound, threshold=True), newer, max(first, older)))
            older = first if older is None else min(older, first)
    for key in _ONE_VALUE:
        for value in _present(values[key]):
            add(key, {key: value}, values[key] == value)
    return Slices(
        slices=tuple(part for part, _, _ in found),
        members=np.array([mask for _, mask, _ in found], dtype=np.float32),
        known_tick=np.array([first for _, _, first in found], dtype=np.int64),
    )


def _present(values: NDArray[np.object_]) -> list[str]:
    return sorted({value for value in values if value is not None})
