"""Older updates: those that hosts have had for more than a day, which are not on trial any more.

A certificate expires, a quota runs out, a date comes that the code cannot bear, a patch of Friday strikes at Monday's
boot: what strikes then goes by hosts that have some update, and by nothing that came lately. Whoever got it when does
not matter, so there is no rate to learn and nothing to name; but the hosts beside them that lack it are spared, and
what is to be said is that this update may be behind it, and nothing of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fleetcrash.arrays import Ints
from fleetcrash.attribution.evidence import LOG_THOUSAND, log_contrast_of_each
from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.hypotheses.witnesses import to_look_at

_LEAST_EVENTS = 5
_MOST_EVENTS = 500  # who is struck first tells as much as who is struck later


def to_ask(struck: Ints) -> Ints:
    """Which of some events, by their numbers, to ask about: the same ones until there are clearly more."""
    return to_look_at(struck[: min(len(struck), _MOST_EVENTS)]) if len(struck) >= _LEAST_EVENTS else struck[:0]


def of_first_hour(struck: Ints, minute: Ints) -> Ints:
    """Those of some events, by their numbers, that came within an hour of the first.

    Who is struck later was offline, and lacks by then what others got meanwhile, whatever it is that strikes.

    Args:
        minute: (events,) in which each event happened.
    """
    first = minute[struck].min(initial=np.iinfo(np.int64).max - LAG_MINUTES)
    return struck[minute[struck] <= first + LAG_MINUTES]


@dataclass(frozen=True)
class Held:
    """What some events say for an update that most of their hosts had.

    Attributes:
        log_ratio: by the hosts beside them that lacked it: what ``evidence.log_contrast`` says.
        lacking: how many of their own hosts lacked it.
    """

    log_ratio: float
    lacking: int


def log_by_holders(news: News, told: Ints) -> Mapping[int, float]:
    """What some events say for each update that most of their hosts had, by its index; see ``Held``.

    Args:
        told: the events, by their numbers.
    """
    return {update: held.log_ratio for update, held in held_by(news, told).items()}


def held_by(news: News, told: Ints) -> Mapping[int, Held]:
    """The same, and how many of their hosts lacked each.

    Args:
        told: the events, by their numbers.
    """
    if not len(told) or not news.installs_told or not news.presence_told:  # who lacks one may be offline else
        return {}
    found = news.ask.holders(tuple(told.tolist()), int(news.events.tick[told].max()))
    is_count = found.update < 0
    hosts = np.zeros(int(told.max()) + 1, np.int64)
    hosts[found.event[is_count]] = found.hosts[is_count]
    held = {}
    for update in np.unique(found.update[~is_count]).tolist():
        rows = found.update == update
        log_ratio = log_contrast_of_each(found.had[rows], found.hosts[rows], hosts[found.event[rows]])
        held[update] = Held(log_ratio, int((~found.had[rows]).sum()))
    return held


def are_behind(said: Mapping[int, float], younger: frozenset[int], least: float) -> tuple[int, ...]:
    """The older updates that hosts say it of, where they do not say so of a younger one nearly as clearly.

    Args:
        said: of each update. younger: those that are on trial. least: what has to be said.
    """
    most = max(said.values(), default=-np.inf)
    near = [update for update, one in said.items() if one > most - LOG_THOUSAND]
    return tuple(near) if most >= least and not younger.intersection(near) else ()


def are_as_likely(said: Mapping[int, float], update: int, younger: frozenset[int], apart: float) -> tuple[int, ...]:
    """An update whose fault seems to have been latent, and the older ones that hosts say so of nearly as clearly.

    Whoever gets one update first mostly gets the next one first, too: which of them waited nobody can tell then.

    Args:
        said: of each update. younger: those that are on trial. apart: by how much that one has to be clearer.
    Returns:
        An empty tuple where no older one is near.
    """
    least = said.get(update, -np.inf) - apart
    near = [one for one in said if one not in younger and one != update and said[one] > least]
    return (update, *near) if near else ()
