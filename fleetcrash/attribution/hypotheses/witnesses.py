"""Witnesses: whether what speaks for an update is told by some of its hosts alone, who have something else in common.

What crashes hosts some time after they come online crashes them some time after an install, too, because they get then
what they missed: the times fit whatever was sent out that day. But an update strikes alike wherever it is and whenever
hosts get it. If it is one customer's driver, the hosts that have the update elsewhere do not crash: a region's,
group's, site's or customer's hosts are one witness. If it is everybody's, those that got the update while they were up
do not, nor those that had got it before it began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND, log_contrast_of_each, log_mean_exp
from fleetcrash.attribution.facts.answers import AtPlace, ByStart, Whereabouts
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, PLACES, Cell, News
from fleetcrash.counts import MOSTLY

OF_CELLS = ("model", "region")
"""Dimensions of a place that cells are cut by, within which ``after_install`` compares hosts."""

_ALIKE = ("os_build", "agent_version", "model")

_FEW = 5
_MOST = 0.8  # of the events, or they are not told of one place
_LOG_PER_EVENT = 0.2  # hosts come online, and get what they missed, at the same hours of the day
# How much less the others may be struck, where it is no update's doing.
_SPARED = np.array([0.01, 0.03, 0.1, 0.3])
_HARDLY_ANY = 0.1  # of the time of those that got it as they came online
_GROWTH = 1.25  # looked at again once the events have grown by this factor ...
_ENOUGH = 100  # ... and at no more than this, spread evenly


def may_be_of_one_place(news: News, struck: Ints) -> bool:
    """Whether most of some events, by their numbers, happened at one model, region, group, site or customer.

    Of those whose hosts' is known, if a few are: where half of the hosts have no inventory, the others speak for them.
    """
    of_events = [[_attribute(news.cells[cell], key) for cell in news.events.cell[struck].tolist()] for key in OF_CELLS]
    of_events += [places[struck].tolist() for places in news.events.places]
    counts = [Counter(place for place in places if place is not None) for places in of_events]
    least = min(_FEW, len(struck))
    return any(of.total() >= least and max(of.values()) >= _MOST * of.total() for of in counts)


def _attribute(cell: Cell, key: str) -> str | None:
    return cell.attributes[CELL_ATTRIBUTES.index(key)]


def enough(count: int) -> float:
    """Log likelihood ratio that installs must say for so many events, or the place may be behind them all the same."""
    return max(LOG_THOUSAND, _LOG_PER_EVENT * count)


def to_look_at(struck: Ints, most: int = _ENOUGH) -> Ints:
    """Which of some events to ask about, at most so many: the same ones until there are clearly more."""
    first = step_below(len(struck))
    return struck[np.linspace(0, first - 1, min(first, most)).astype(np.int64)]


def at_their_places(news: News, update: int, events: Mask) -> AtPlace:
    """Whom some events (events,), of which there are any, may have struck at their places, with an update or not."""
    asked = to_look_at(np.flatnonzero(events))
    return news.ask.at_place(update, tuple(asked.tolist()), int(news.events.tick[asked].max()))


def step_below(count: int) -> int:
    """The largest step that a count has reached: at each there are so many more that it is worth to ask again."""
    steps = np.unique((_GROWTH ** np.arange(100)).astype(np.int64))
    return int(steps[np.searchsorted(steps, count, side="right") - 1])


def places_known(news: News, tick: int) -> Mapping[str, int]:
    """How many models, regions, groups, sites and customers were known by a tick."""
    places = zip(news.places.names, news.places.known_tick.tolist(), strict=True)
    counts = Counter(dimension for (dimension, _), since in places if since <= tick)
    for key in OF_CELLS:
        named = {_attribute(cell, key) for cell in news.cells if cell.known_tick <= tick} - {None}
        counts[key] = len(named)
    return +counts


def one_place(found: Whereabouts, known: Mapping[str, int], least: float = LOG_THOUSAND) -> list[str]:
    """Dimensions in which events happened so mostly at one place that no fault that strikes alike anywhere would do so.

    That is so much less likely than that this place, of as many as are known, is where it happens.

    Args:
        least: log of how much.
    """
    return [one for one, number in known.items() if _log_odds(found, one) - np.log(number) >= least]


def log_within(found: AtPlace, dimension: str) -> float:
    """What hosts at the place of some events say for an update: log likelihood ratio, see ``evidence.log_contrast``."""
    there = found.dimension == dimension
    return log_contrast_of_each(found.had[there], found.hosts_with[there], found.hosts[there])


def log_among_alike(news: News, update: int, struck: Mask, *, or_near: bool = False) -> float:
    """The least that hosts alike in their build, agent's version or model say for an update, each by itself.

    What went to one build alone spares all others, whatever strikes that build. Not asked is what hosts with it are
    known by, as all of them have that, nor what few of the struck tell.

    Args:
        struck: (events,) some events.
        or_near: whether those of the same region, group, site or customer are asked, too.
    Returns:
        Infinite where there is nothing to ask.
    """
    if not struck.any() or not news.presence_told:  # who lacks it may be offline else
        return np.inf
    return least_among_alike(at_their_places(news, update, struck), news.told_by(update), or_near=or_near)


def least_among_alike(found: AtPlace, told_by: str | None, *, or_near: bool = False) -> float:
    """The same of an answer on some events.

    Args:
        told_by: what hosts with the update are known by.
    """
    dimensions = (*_ALIKE, "region", *PLACES) if or_near else _ALIKE
    told = {one: int((found.dimension == one).sum()) for one in dimensions if one != told_by}
    least = max(told.values()) * MOSTLY
    return min((log_within(found, one) for one, count in told.items() if count > least), default=np.inf)


def _log_odds(found: Whereabouts, dimension: str) -> float:
    """Log likelihood ratio of the place of most events, as often as they happened there, against its share of hosts."""
    of_dimension = found.dimension == dimension
    if not of_dimension.any():
        return -np.inf
    _, number, counts = np.unique(found.place[of_dimension].astype(str), return_inverse=True, return_counts=True)
    there = number == int(np.argmax(counts))
    share = float(there.mean())
    if share < _MOST:
        return -np.inf
    usual = found.hosts_there[of_dimension][there] / found.hosts[of_dimension][there]
    # Of those that happened elsewhere, whose hosts may all have been elsewhere, no more is asked than that they did.
    elsewhere = float((~there).sum()) * float(np.log1p(-share)) if share < 1.0 else 0.0
    return float(np.log(share / usual).sum()) + elsewhere


def are_only_fresh(found: ByStart) -> bool:
    """Whether hosts that got an update as they came online are struck, and those that got it later clearly less.

    Servers, that hardly ever come online, are held against servers, and the others against the others; where hardly
    any of the others got it while they were up, as at night, servers stand for those.
    """
    others = found.at_risk_s * ~found.always_on
    if others[~found.fresh].sum() < _HARDLY_ANY * others[found.fresh].sum():
        return _are_spared(found, ~found.fresh, [np.ones(len(found.fresh), bool)])
    return _are_spared(found, ~found.fresh, [found.always_on == always_on for always_on in (False, True)])


def are_only_late(found: ByStart, *, minutes: int, onset: int) -> bool:
    """Whether hosts that got an update later are struck, and those that had it for a while before a wave clearly less.

    Args:
        minutes: for how long after the install it is told how they fared. onset: the minute in which the wave began.
    """
    kinds = [
        (found.always_on == always_on) & (found.fresh == fresh)
        for always_on in (False, True)
        for fresh in (False, True)
    ]
    return _are_spared(found, found.installed + minutes <= onset, kinds)


def _are_spared(found: ByStart, some: Mask, kinds: Sequence[Mask]) -> bool:
    """Whether some hosts are struck clearly less for the time that they are at risk than others of the same kind."""
    log_ratio = np.zeros(len(_SPARED))
    for kind in kinds:
        of_some, of_others = kind & some, kind & ~some
        some_s, others_s = float(found.at_risk_s[of_some].sum()), float(found.at_risk_s[of_others].sum())
        if min(some_s, others_s) > 0:
            odds, struck = some_s / others_s, int(found.struck[of_some].sum())
            both = struck + int(found.struck[of_others].sum())
            log_ratio += struck * np.log(_SPARED) + both * (np.log1p(odds) - np.log1p(_SPARED * odds))
    return float(log_mean_exp(log_ratio)) >= LOG_THOUSAND
