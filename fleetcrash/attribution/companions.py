"""Companions: updates that a fault may need beside the guilty one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.news import CELL_ATTRIBUTES, News, Texts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SYSTEM, _VERSION = CELL_ATTRIBUTES.index("os_type"), CELL_ATTRIBUTES.index("os_version")

_FEW = 0.1  # hosts with and hosts without it must both be more, or it hardly tells anybody apart
_MOST = 0.8  # of the hosts that crashed have it, or the fault does not need it
_ENOUGH = 10  # hosts of a version of an OS tell of it as much as all of that OS
TOLD_BY_ATTRIBUTES = ("agent", "os_patch")
"""Kinds of which hosts are what they are by them: their version, or their build."""


def others_had(
    news: News, update: int, tick: int, hosts: Texts
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.bool_]]]:
    """Other updates that most of some hosts had when they got this one, and that not all hosts with it had.

    Args:
        update: index of an update. hosts: (n,) with events after it.
    Yields:
        index of another update, (cells,) share of the hosts with this one that had it, (n,) which of the hosts had.
    """
    beside = news.beside(update)
    known = beside.tick <= tick
    counted, struck = known & beside.is_count, known & ~beside.is_count
    of_cell = [(cell.attributes[_SYSTEM], cell.attributes[_VERSION]) for cell in news.cells]
    versions = {each: number for number, each in enumerate(dict.fromkeys([*of_cell, (None, None)]))}
    row = np.array(
        [versions.get(each, versions[None, None]) for each in zip(beside.os_type, beside.os_version, strict=True)], int
    )
    shares = _shares(list(versions), row[counted], beside.other[counted], beside.change[counted], len(news.suspects))
    numbers = [versions[each] for each in of_cell]
    for other in np.unique(beside.other[struck & (beside.other >= 0)]).tolist():
        picked = struck & (beside.other == other)
        of_their_kind = shares[row[picked], other].mean()
        if news.suspects[other].kind in TOLD_BY_ATTRIBUTES or not _FEW < of_their_kind < 1.0 - _FEW:
            continue
        held: Counter[str] = Counter()
        for host, change in zip(beside.host[picked], beside.change[picked].tolist(), strict=True):
            held[host] += change
        had = np.array([held[host] > 0 for host in hosts], bool)
        if had.mean() >= _MOST:
            yield other, shares[numbers, other], had


def _shares(
    versions: Sequence[tuple[str | None, str | None]], row: Ints, other: Ints, change: Ints, updates: int
) -> Floats:
    """(versions, updates) of the hosts of each version of an OS that had each update; of few hosts rather as of the OS.

    Args:
        row, other, change: (n,) of what was told of hosts: the number of the version, and see ``Beside``.
    """
    counts = np.zeros((len(versions), updates + 1))  # the last counts the hosts, whatever they had
    np.add.at(counts, (row, other), change)
    same_system = np.array([[one == another for another, _ in versions] for one, _ in versions], float)
    of_system = same_system @ counts
    usual = of_system[:, :-1] / np.maximum(of_system[:, -1:], 1.0)
    return (counts[:, :-1] + _ENOUGH * usual) / (counts[:, -1:] + _ENOUGH)
