"""Whole places: updates that went to all hosts of some customers, or sites, and to none of the others.

Hosts without such an update are other customers', and what happens to them is their own affair: that those with it are
struck says no more than that these customers are, however many hosts each has. A fault that strikes soon shows by when
it does; of one that strikes hours later each customer is one witness, and a customer's sites go with it.
"""

from __future__ import annotations

from math import comb, log

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Ints
from fleetcrash.attribution.facts.exposure import BOOTS, KINDS, kind_of
from fleetcrash.attribution.facts.news import PLACES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.counts import MOSTLY

# Dimensions of a place whose hosts are one witness. (A group is what policies are for.)
_WITNESSES = ("customer", "site")

_LEAST_HOSTS = 5  # online at a place, or it counts for nothing
_HARDLY_ANY = 0.1  # of the hosts of a place have it that was left out; many are never told where it went


def log_odds(inquiry: Inquiry, update: int, tick: int, struck: Ints) -> dict[str, float]:
    """How unlikely it is that places were struck only where an update went, of as many as there are, by chance.

    Args:
        struck: the events of hosts with it, by their numbers, as known by the tick.
    Returns:
        Log of one over that chance, of each dimension; infinite where the update did not go to whole places, or to all
        of them.
    """
    online, with_it = _hosts_at(inquiry, update, tick, struck)
    names = np.array([name for name, _ in inquiry.news.places.names])
    found = {}
    for dimension in _WITNESSES:
        there = names == dimension
        # Hosts that the inventory lacks may stand anywhere.
        hit = set(inquiry.news.events.places[PLACES.index(dimension)][struck].tolist()) - {None}
        found[dimension] = _log_of_chance(online[there], with_it[there], len(hit))
    return found


def _log_of_chance(online: NDArray[np.int64], with_it: NDArray[np.int64], hit: int) -> float:
    """The same of one dimension.

    Args:
        online, with_it: (places,) hosts at each. hit: how many places were struck.
    """
    counts = online >= _LEAST_HOSTS
    got = counts & (with_it > MOSTLY * online)
    left_out = counts & (with_it <= _HARDLY_ANY * online)
    lacking = np.maximum(online - with_it, 0)
    if not got.any() or lacking[left_out].sum() <= MOSTLY * lacking[counts].sum():
        return np.inf
    among = int(got.sum())
    hit = min(hit, among)
    return log(comb(among + int(left_out.sum()), hit)) - log(comb(among, hit))


def _hosts_at(inquiry: Inquiry, update: int, tick: int, struck: Ints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(places,) hosts online at each, and hosts that got an update, of the kinds to which some events happened."""
    news = inquiry.news
    always_on = np.array([cell.always_on for cell in news.cells], dtype=np.int64)
    of_cell = kind_of(news.systems, always_on, 0) // BOOTS
    is_struck = np.zeros(KINDS // BOOTS, np.bool_)
    is_struck[of_cell[news.events.cell[struck]]] = True
    stays, told, places = news.places, news.ask.exposed_at(update), len(news.places.names)
    by_now = slice(int(np.searchsorted(stays.minute, tick, side="right")))
    stayed = np.flatnonzero(is_struck[stays.stratum[by_now] // BOOTS])
    online = np.bincount(stays.place[stayed], stays.change[stayed], places)
    known = slice(int(np.searchsorted(told.tick, tick, side="right")))
    got = np.flatnonzero((told.place[known] >= 0) & is_struck[of_cell[told.cell[known]]])
    with_it = np.bincount(told.place[got], told.hosts[got], places)
    return online.astype(np.int64), with_it.astype(np.int64)
