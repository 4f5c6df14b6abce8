"""Companions: updates that a fault may need beside the guilty one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.news import News, Texts

_FEW = 0.1  # hosts with and hosts without it must both be more, or it hardly tells anybody apart
_MOST = 0.8  # of the hosts that crashed have it, or the fault does not need it
_TOLD_BY_ATTRIBUTES = ("agent", "os_patch")  # that is what hosts are by it: their version, or their build


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
    systems = {name: number for number, name in enumerate({cell.os_type for cell in news.cells} | {None})}
    row = np.array([systems.get(name, systems[None]) for name in beside.os_type[counted]], dtype=np.int64)
    counts = np.zeros((len(systems), len(news.suspects) + 1))
    np.add.at(counts, (row, beside.other[counted]), beside.change[counted])
    shares = counts[:, :-1] / np.maximum(counts[:, -1:], 1.0)  # the last counts the hosts, whatever they had
    of_cell = [systems[cell.os_type] for cell in news.cells]
    for other in np.unique(beside.other[struck & (beside.other >= 0)]).tolist():
        parts = (shares[:, other] > _FEW) & (shares[:, other] < 1.0 - _FEW)
        if news.suspects[other].kind in _TOLD_BY_ATTRIBUTES or not parts.any():
            continue
        held: Counter[str] = Counter()
        picked = struck & (beside.other == other)
        for host, change in zip(beside.host[picked], beside.change[picked].tolist(), strict=True):
            held[host] += change
        had = np.array([held[host] > 0 for host in hosts], bool)
        if had.mean() >= _MOST:
            yield other, shares[of_cell, other], had
