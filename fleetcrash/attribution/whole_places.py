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
from fleetcrash.attribution.exposure import BOOTS, KINDS, kind_of
from fleetcrash.attribution.inquiry import Inquiry
from fleetcrash.attribution.news import PLACES
from fleetcrash.counts import MOSTLY

WITNESSES = ("customer", "site")
"""Dimensions of a place whose hosts are one witness. (A group is what policies are for.)"""

_LEAST_HOSTS = 5  # online at a place, or it counts for nothing
_HARDLY_ANY = 0.1  # of the hosts of a place have it that was left out; many are never told where it went


def log_odds(inquiry: Inquiry, update: int, tick: int, struck: Ints, dimension: str) -> float:
    """How unlikely it is that places were struck only where an update went, of as many as there are, by chance.

    Args:
        struck: the events of hosts with it, by their numbers, as known by the tick. dimension: one of ``WITNESSES``.
    Returns:
        Log of one over that chance; infinite where the update did not go to whole places, or to all of them.
    """
    online, with_it = _hosts_at(inquiry, update, tick, struck)
    names = np.array([name for name, _ in inquiry.news.places.names])
    counts = (names == dimension) & (online >= _LEAST_HOSTS)
    got = counts & (with_it > MOSTLY * online)
    left_out = counts & (with_it <= _HARDLY_ANY * online)
    lacking = np.maximum(online - with_it, 0)
    if not got.any() or lacking[left_out].sum() <= MOSTLY * lacking[counts].sum():
        return np.inf
    among = int(got.sum())
    # Hosts that the inventory lacks may stand anywhere.
    hit = min(len(set(inquiry.news.events.places[PLACES.index(dimension)][struck].tolist()) - {None}), among)
    return log(comb(among + int(left_out.sum()), hit)) - log(comb(among, hit))


def _hosts_at(inquiry: Inquiry, update: int, tick: int, struck: Ints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(places,) hosts online at each, and hosts that got an update, of the kinds to which some events happened."""
    news = inquiry.news
    always_on = np.array([cell.always_on for cell in news.cells], dtype=np.int64)
    of_cell = kind_of(news.systems, always_on, 0) // BOOTS
    is_struck = np.zeros(KINDS // BOOTS, np.bool_)
    is_struck[of_cell[news.events.cell[struck]]] = True
    stays, places = news.places, len(news.places.names)
    by_now = np.flatnonzero((stays.minute <= tick) & is_struck[stays.stratum // BOOTS])
    online = np.bincount(stays.place[by_now], stays.change[by_now], places)
    told = news.ask.exposed_at(update)
    known = np.flatnonzero((told.tick <= tick) & (told.place >= 0) & is_struck[of_cell[told.cell]])
    with_it = np.bincount(told.place[known], told.hosts[known], places)
    return online.astype(np.int64), with_it.astype(np.int64)
