"""Companions: updates that a fault may need beside the guilty one.

Hosts without one say that the fault needs it if they could have been struck and were not. Whoever got the guilty update
when the fault was over, or so lately that it is still to strike, could not: the struck hosts are held against those
that got it when they did, servers against servers: what only strikes those that restart at once strikes hosts that
have what servers have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints, Mask, Texts
from fleetcrash.attribution.answers import Beside
from fleetcrash.attribution.news import CELL_ATTRIBUTES, News

_SYSTEM, _VERSION = CELL_ATTRIBUTES.index("os_type"), CELL_ATTRIBUTES.index("os_version")

_FEW = 0.1  # hosts with and hosts without it must both be more, or it hardly tells anybody apart
_MOST = 0.8  # of the hosts that crashed have it, or the fault does not need it
_ENOUGH = 10  # hosts of a version of an OS tell of it as much as all of that OS
_MOST_TIMES = 60  # that are told apart
TOLD_BY_ATTRIBUTES = ("agent", "os_patch")
"""Kinds of which hosts are what they are by them: their version, or their build."""


def others_had(
    news: News, update: int, tick: int, hosts: Texts
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.bool_]]]:
    """Other updates that most of some hosts had when they got this one, and that not all had that got it then.

    Args:
        update: index of an update. hosts: (n,) with events after it.
    Yields:
        index of another update, (cells,) share that had it of those that got this one when the hosts did, (n,) which
        of the hosts had.
    """
    beside = news.ask.beside(update)
    known = beside.tick <= tick
    counted, struck = known & beside.is_count, known & ~beside.is_count
    numbers, of_row = beside.numbers
    asked = np.array([numbers.get(host, -1) for host in hosts], dtype=np.int64)
    told = np.full(len(numbers) + 1, -1)  # when it was known that each host had it; the last is no host
    is_told = struck & (beside.other < 0)
    told[of_row[is_told]] = beside.since[is_told]
    got_it = told[asked]
    got_it = got_it[got_it >= 0]
    if not len(got_it):
        return
    counted &= (beside.since >= got_it.min()) & (beside.since <= got_it.max())
    of_beside, row = beside.kinds
    of_cell = [(cell.attributes[_SYSTEM], cell.attributes[_VERSION], cell.always_on) for cell in news.cells]
    kinds = {each: number for number, each in enumerate(dict.fromkeys([*of_beside, *of_cell]))}
    system = _system_of(list(kinds))
    weights = _as_if_then(beside, counted, row, system, got_it)
    counts = np.zeros((len(kinds), len(news.suspects) + 1))  # the last counts the hosts, whatever they had
    np.add.at(counts, (row[counted], beside.other[counted]), weights * beside.change[counted])
    shares = _shares(system, counts)
    of_cells = [kinds[each] for each in of_cell]
    for other in np.unique(beside.other[struck & (beside.other >= 0)]).tolist():
        picked = struck & (beside.other == other)
        of_their_kind = shares[row[picked], other].mean()
        if news.suspects[other].kind in TOLD_BY_ATTRIBUTES or not _FEW < of_their_kind < 1.0 - _FEW:
            continue
        held = np.zeros(len(numbers) + 1, np.int64)
        np.add.at(held, of_row[picked], beside.change[picked])
        had = held[asked] > 0
        if had.mean() >= _MOST:
            yield other, shares[of_cells, other], had


def _as_if_then(beside: Beside, counted: Mask, row: Ints, system: Ints, got_it: Ints) -> Floats:
    """(k,) weights of counted hosts with which those of a system got the update as often at each time as struck ones.

    They sum to how many hosts of equal weight would tell as much.

    Args:
        counted: (n,) which rows of ``beside`` are theirs, k of them.
        row, system: (n,) their kind, and (kinds,) the system of each, see ``_system_of``.
        got_it: (struck,) when the struck ones got it.
    """
    ranks = np.linspace(0.0, len(got_it) - 1.0, min(len(got_it), _MOST_TIMES)).round().astype(np.int64)
    times = np.unique(np.sort(got_it)[ranks])
    between = (times[:-1] + times[1:]) / 2.0
    time, of_system = np.searchsorted(between, beside.since[counted]), system[row[counted]]
    hosts = np.zeros((len(times), int(system.max()) + 1))
    is_host = beside.other[counted] < 0
    np.add.at(hosts, (time[is_host], of_system[is_host]), beside.change[counted][is_host])
    struck = np.bincount(np.searchsorted(between, got_it), minlength=len(times))
    weights = np.divide(struck[:, None], hosts, out=np.zeros(hosts.shape), where=hosts > 0)
    squares = (hosts * weights**2).sum(0)
    weights *= np.divide((hosts * weights).sum(0), squares, out=np.zeros(len(squares)), where=squares > 0)
    return weights[time, of_system]


def _system_of(kinds: Sequence[tuple[str | None, str | None, bool]]) -> Ints:
    """(kinds,) a number for the OS of each, one for its servers and one for its other hosts."""
    numbers = {system: number for number, system in enumerate(dict.fromkeys((one[0], one[2]) for one in kinds))}
    return np.array([numbers[system, always_on] for system, _, always_on in kinds], dtype=np.int64)


def _shares(system: Ints, counts: Floats) -> Floats:
    """(kinds, updates) of the hosts of each kind that had each update; of few hosts rather as of all of their system.

    Args:
        system: (kinds,) that of each. counts: (kinds, updates + 1) hosts that had each; the last: all.
    """
    of_system = (system[:, None] == system).astype(float) @ counts
    usual = of_system[:, :-1] / np.maximum(of_system[:, -1:], 1.0)
    return (counts[:, :-1] + _ENOUGH * usual) / (counts[:, -1:] + _ENOUGH)
