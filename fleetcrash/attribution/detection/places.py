"""Places: the group, site or customer at which alone a named update may strike.

Cells do not tell where hosts stand, so one query an update counts its hosts by cell and place. What is to be expected
of a cell is shared out by them.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.conditions.finding import Place
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.expected.spots import PLACE_WEIGHT
from fleetcrash.attribution.facts.answers import ExposedAt
from fleetcrash.attribution.facts.exposure import AGE_MINUTES, AGES
from fleetcrash.attribution.facts.news import PLACES, News
from fleetcrash.attribution.hypotheses.inquiry import Inquiry

# Of the events that happen at a place, or it is none that a fault is confined to; so there are ten of a kind at most.
_LEAST_OF_EVENTS = 0.1


def places_struck(inquiry: Inquiry, update: int, tick: int, mine: Mask) -> list[Place]:
    """The places at which some events of hosts with an update happened, with the share of its hosts that each has.

    Args:
        update: index of an update. mine: (events,) the events.
    """
    news, exposed = inquiry.news, inquiry.news.exposed_events.of(update)
    struck = np.unique(exposed.event[exposed.known(tick, mine)])
    found = _places(inquiry, tick, struck)
    if not found:
        return []
    hosts = news.ask.exposed_at(update)
    known = int(np.searchsorted(hosts.tick, tick, side="right"))
    everywhere = np.flatnonzero(hosts.place[:known] < 0)
    spent, prints = _by_age(news, hosts, everywhere, tick), _prints(news, hosts, everywhere)
    answers = []
    for number, log_prior in found:
        there = np.flatnonzero(hosts.place[:known] == number)
        spent_there, prints_there = _by_age(news, hosts, there, tick), _prints(news, hosts, there)
        # Hosts of a cell may all have got it in another one; then as many are there as of all of them.
        overall = spent_there.sum(1, keepdims=True) / np.maximum(spent.sum(1, keepdims=True), 1.0)
        share = np.divide(spent_there, spent, out=np.broadcast_to(overall, spent.shape).copy(), where=spent > 0)
        told = prints > 0
        is_whole, is_apart = told & (prints_there == prints), told & (prints_there == 0)
        # A cell that hosts came to later, as by an upgrade, is where the others of its system are.
        is_whole |= _cells_like(news, told, is_whole)
        is_apart |= _cells_like(news, told, is_apart)
        share[:, is_whole], share[:, is_apart] = 1.0, 0.0
        events = mine & inquiry.spots.events_at(len(inquiry.spots.slices) + number)
        key, value = news.places.names[number]
        answers.append(
            Place(
                key,
                value,
                log_prior,
                events=inquiry.exposed_counts(tick, events, update)[:, :AGES].reshape(OUTCOMES * AGES, -1),
                share=np.tile(share, (OUTCOMES, 1)),
                prints=prints_there,
                is_whole=is_whole,
            )
        )
    return answers


def _places(inquiry: Inquiry, tick: int, struck: Ints) -> list[tuple[int, float]]:
    """Numbers of the places that have a part of the events, and the log prior of each."""
    news = inquiry.news
    known = [name for name, since in zip(news.places.names, news.places.known_tick, strict=True) if since <= tick]
    sizes = Counter(key for key, _ in known)
    kinds = [key for key in PLACES if sizes[key] > 1]
    first = len(inquiry.spots.slices)  # places come after them
    found = []
    for key in kinds:
        log_prior = float(np.log(PLACE_WEIGHT / len(kinds) / sizes[key]))
        at = inquiry.spots.at_place[struck, PLACES.index(key)]
        counts = np.bincount(at[at >= 0] - first, minlength=len(news.places.names))
        most = np.flatnonzero(counts >= max(_LEAST_OF_EVENTS * len(struck), 1)).tolist()
        for value, place in sorted((news.places.names[place][1], place) for place in most):
            if value and value[0] not in "<>" and not value.endswith(".*"):
                found.append((place, log_prior))
    return found


def _cells_like(news: News, known: Mask, some: Mask) -> Mask:
    """(cells,) the cells that are not known, of systems of which all the known ones are among some."""
    systems = news.systems
    return ~known & np.isin(systems, systems[some]) & ~np.isin(systems, systems[known & ~some])


def _by_age(news: News, hosts: ExposedAt, rows: Ints, tick: int) -> Floats:
    """(AGES, cells) host-minutes with the update by some hosts, as if all were up."""
    minutes = tick + 1 - hosts.minute[rows]
    cell, count = hosts.cell[rows], hosts.hosts[rows]
    bounds = [(0, AGE_MINUTES[0]), *pairwise(AGE_MINUTES)]
    spent = [count * (np.clip(minutes, low, high) - low) for low, high in bounds]
    return np.stack([np.bincount(cell, weights=of_age, minlength=len(news.cells)) for of_age in spent])


def _prints(news: News, hosts: ExposedAt, rows: Ints) -> NDArray[np.uint64]:
    """(cells,) what tells some hosts of each cell from others."""
    prints = np.zeros(len(news.cells), dtype=np.uint64)
    np.bitwise_xor.at(prints, hosts.cell[rows], hosts.prints[rows])
    return prints
