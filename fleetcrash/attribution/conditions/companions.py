"""Companions: updates that a fault may need beside the guilty one.

Hosts without one say that the fault needs it if they could have been struck and were not. Whoever got the guilty update
when the fault was over, or so lately that it is still to strike, could not: the struck hosts are held against those
that got it when they did. Nor could laptops that nobody restarts: servers are held against servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints, Mask, Texts
from fleetcrash.attribution.facts.answers import Beside
from fleetcrash.attribution.facts.columns import numbered_as, numbers_of
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, Cell, News

_VERSION = CELL_ATTRIBUTES.index("os_version")

_FEW = 0.1  # hosts with and hosts without it must both be more, or it hardly tells anybody apart
_MOST = 0.8  # of the hosts that crashed have it, or the fault does not need it
_FEW_HOSTS = 10  # that are counted say little of how many have it
_MOST_TIMES = 60  # that are told apart


@dataclass(frozen=True)
class Other:
    """Another update that most of some hosts had when they got one, and that not all had that got it then.

    Attributes:
        update: its index.
        had: (n,) which of those hosts had it.
        hosts, with_it: (cells,) a sample of all that got the one then, and those of the sample that had the other.
    """

    update: int
    had: Mask
    hosts: Floats
    with_it: Floats


def others_had(news: News, update: int, tick: int, hosts: Texts) -> Iterator[Other]:
    """Other updates that most of some hosts had when they got this one, and that not all had that got it then.

    Args:
        update: index of an update. hosts: (n,) with events after it.
    """
    beside = news.ask.beside(update)
    known = beside.tick <= tick
    counted, struck = known & beside.is_count, known & ~beside.is_count
    names, of_row = beside.numbers
    asked = numbered_as(hosts, names)
    told = np.full(len(names) + 1, -1)  # when it was known that each host had it; the last is no host
    is_told = struck & (beside.other < 0)
    told[of_row[is_told]] = beside.since[is_told]
    got_it = told[asked]
    got_it = got_it[got_it >= 0]
    if not len(got_it):
        return
    counted &= (beside.since >= got_it.min()) & (beside.since <= got_it.max())
    kind, version = _kinds_of(news.cells), numbers_of([(one.os_type, one.attributes[_VERSION]) for one in news.cells])
    weights = _as_if_then(beside, counted, kind, got_it)
    counts = np.zeros((len(news.cells), len(news.suspects) + 1))  # the last counts the hosts, whatever they had
    np.add.at(counts, (beside.cell[counted], beside.other[counted]), weights * beside.change[counted])
    versions = members(version)
    for other in np.unique(beside.other[struck & (beside.other >= 0)]).tolist():
        if news.told_by(other) is not None:
            continue
        picked = struck & (beside.other == other)
        share, cell = share_within(versions, kind, counts[:, -1], counts[:, other]), beside.cell[picked]
        if not _FEW < share[version[cell], kind[cell]].mean() < 1.0 - _FEW:
            continue
        held = np.zeros(len(names) + 1, np.int64)
        np.add.at(held, of_row[picked], beside.change[picked])
        had = held[asked] > 0
        if had.mean() >= _MOST:
            yield Other(other, had, counts[:, -1], counts[:, other])


def share_that_had(
    parts: Floats | NDArray[np.float32], cells: Sequence[Cell], struck: Floats, hosts: Floats, with_it: Floats
) -> Floats:
    """(parts, cells) of the hosts of a cell's OS in each part of the fleet the share that had an update.

    Of those that are struck there, servers or not: what is only due at a restart strikes those that have what servers
    have, and need not. The hosts of one cell are too few to tell.

    Args:
        parts: (parts, cells) one where a cell is in a part.
        struck: (cells,) events. hosts, with_it: (cells,) of a sample of hosts, and those of it that had the update.
    """
    system, kind = numbers_of([cell.os_type for cell in cells]), _kinds_of(cells)
    of_system = members(system).T
    events = parts @ (struck[:, None] * members(kind).T)
    by_kind = share_within(parts, kind, hosts, with_it)
    kinds_of_system = (members(kind) @ of_system > 0).astype(float)
    of_struck, total = (events * by_kind) @ kinds_of_system, events @ kinds_of_system
    usual = share_within(parts, system, hosts, with_it)
    share = np.divide(of_struck, total, out=usual, where=total > 0)
    return share[:, system]


def share_within(parts: Floats | NDArray[np.float32], kind: Ints, hosts: Floats, with_it: Floats) -> Floats:
    """(parts, kinds) of the hosts of each kind in each part of the fleet the share that had an update, at most.

    Where a few are counted all others may have it: what went out by region, or to one model, all in that part have.

    Args:
        kind: (cells,) the number of each one's. The others: see ``share_that_had``.
    """
    of_kind = members(kind).T
    of, had = (parts @ (counts[:, None] * of_kind) for counts in (hosts, with_it))
    share: Floats = (had + _FEW_HOSTS) / (of + _FEW_HOSTS)
    return np.where(had > 0, share, 0.0)


def members(part: Ints) -> Floats:
    """(parts, cells) one where a cell is in a part, by the number of the part that each cell is in (cells,)."""
    return (np.arange(part.max(initial=0) + 1)[:, None] == part).astype(float)


def _kinds_of(cells: Sequence[Cell]) -> Ints:
    """(cells,) a number for the servers of each operating system, and one for its other hosts."""
    return numbers_of([(cell.os_type, cell.always_on) for cell in cells])


def _as_if_then(beside: Beside, counted: Mask, kind: Ints, got_it: Ints) -> Floats:
    """(k,) weights of counted hosts with which those of a kind got the update as often at each time as struck ones.

    They sum to how many hosts of equal weight would tell as much.

    Args:
        counted: (n,) which rows of ``beside`` are theirs, k of them. kind: (cells,) see ``_kinds_of``.
        got_it: (struck,) when the struck ones got it.
    """
    ranks = np.linspace(0.0, len(got_it) - 1.0, min(len(got_it), _MOST_TIMES)).round().astype(np.int64)
    times = np.unique(np.sort(got_it)[ranks])
    between = (times[:-1] + times[1:]) / 2.0
    time, of_host = np.searchsorted(between, beside.since[counted]), kind[beside.cell[counted]]
    hosts = np.zeros((len(times), int(kind.max()) + 1))
    is_host = beside.other[counted] < 0
    np.add.at(hosts, (time[is_host], of_host[is_host]), beside.change[counted][is_host])
    struck = np.bincount(np.searchsorted(between, got_it), minlength=len(times))
    weights = np.divide(struck[:, None], hosts, out=np.zeros(hosts.shape), where=hosts > 0)
    squares = (hosts * weights**2).sum(0)
    weights *= np.divide((hosts * weights).sum(0), squares, out=np.zeros(len(squares)), where=squares > 0)
    return weights[time, of_host]
