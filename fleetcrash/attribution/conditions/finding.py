"""The condition of a named update: which of its exposed hosts it hits.

Every candidate (``candidates``) is tried on the crashes of exposed hosts against the host-time of exposed hosts.
Slices that select the same exposed hosts are one answer; so are those on the same attributes that select the same but
for a sliver in which nothing happened, for where the bound lies nobody can tell, and the likeliest of them is given. An
answer is given once it holds nine tenths of the posterior; until then the condition is undetermined. A fault may need
another update as well, or strike at one group, site or customer: those are tried too, each with one attribute at most.
Of the likeliest two attributes it is asked whether a third parts those that are hit from others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.conditions.candidates import Candidate, Pairs, candidates_of
from fleetcrash.attribution.conditions.companions import share_that_had
from fleetcrash.attribution.conditions.grammar import CONDITION_KEYS, Condition, matcher
from fleetcrash.attribution.evidence import log_raised
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, Cell

EARNED_PROBABILITY = 0.9
_KEPT_PROBABILITY = 0.5  # of the one that is given already
LEAST_EVENTS = 30
"""With fewer, the hosts that happened to be first look like the hosts that are hit."""
# With less of the fleet than that in the inventory, nobody can say whom the fault leaves alone.
_UNKNOWN_SHARE = 0.5
_LOG_PRIOR_WITH = float(np.log(0.01))  # a fault seldom needs another update
_LOG_PRIOR_THIRD = float(np.log(0.1))  # a fault of two attributes seldom needs one more
_OF_THREE = frozenset(("os_type", "agent_version", "model", "region", "ring"))
_TELL_SYSTEM = frozenset(("os_type", "os_version", "os_build", "model"))  # each goes with one operating system
_MOST_ATTRIBUTES, _MOST_PAIRS = 3, 3
_NARROWED = 2  # times: by a third attribute, and to versions within two bounds
_AS_GOOD_AS = 0.95  # of those that have a companion, or are of some kind, so many are and have both
_SPARED = 0.1  # of as many events as there would be in those that it leaves out
# Of the events that are to be expected. One host of a rare build makes two slices of one, and no crash of it will tell.
_SLIVER = 0.02
_OUT_OF_REACH = 20.0  # of nine tenths
_AT_A_PLACE = ""  # no update has this name
_BLOCK = 512  # candidates weighed at once
# Of two attributes that are within reach. Where nearly nothing speaks for any, hundreds of thousands are.
_MOST_TOLD = 10_000


@dataclass(frozen=True)
class _Answer:
    """A condition that has been weighed.

    Attributes:
        told: None where nothing can be said that selects its hosts.
        hosts: what tells the hosts that it selects.
        mask: (C,) the cells that it selects. events, expected: (C,) of all, some of which it selects.
    """

    told: Condition | None
    hosts: tuple[str | None, bytes]
    log_weight: float
    mask: Mask
    events: Floats
    expected: Floats

    def is_nearly(self, other: _Answer) -> bool:
        """Whether two on the same attributes select the same hosts, but for a few of which nothing would tell."""
        if self.told is None or other.told is None or self.told.keys() != other.told.keys():
            return self is other
        if self.hosts[0] != other.hosts[0] or (self.events * self.mask != other.events * other.mask).any():
            return False
        mine, others = self.expected * self.mask, other.expected * other.mask
        return float(np.abs(mine - others).sum()) <= _SLIVER * max(float(mine.sum()), float(others.sum()))


@dataclass(frozen=True)
class Companion:
    """Another update that some of the exposed hosts had when they got the one in question.

    Attributes:
        events: (K, C) events of those that had it; of an outcome that says nothing of it, all.
        tells: (K,) whether an outcome says anything of it.
        hosts, with_it: (C,) a sample of the exposed hosts, and those of the sample that had it.
    """

    update_id: str
    events: Floats
    tells: Mask
    hosts: Floats
    with_it: Floats

    def among(self, cells: Sequence[int]) -> Companion:
        """The same, of some of the cells."""
        return replace(self, events=self.events[:, cells], hosts=self.hosts[cells], with_it=self.with_it[cells])


@dataclass(frozen=True)
class Place:
    """A group, site or customer, at which some of the exposed hosts stand.

    Attributes:
        key, value: which.
        log_prior: of the fault being there, of all places.
        events: (K, C) events of the hosts there.
        share: (K, C) of the exposed hosts of each cell that are there.
        prints: (C,) what tells these hosts from others. is_whole: (C,) whether all of the cell are there.
    """

    key: str
    value: str
    log_prior: float
    events: Floats
    share: Floats
    prints: NDArray[np.uint64]
    is_whole: Mask


def find_condition(
    cells: Sequence[Cell],
    events: Floats,
    expected: Floats,
    companions: Sequence[Companion] = (),
    places: Sequence[Place] = (),
    given: Condition | None = None,
) -> Condition | None:
    """The condition that the events have earned, or None.

    Args:
        cells: (C,) the cells.
        events: (K, C) events of hosts exposed to the update, by outcome and age of the install.
        expected: (K, C) at the baseline; cells without exposure are zero and do not count.
        companions: other updates that the fault may need. places: where it may be.
        given: the condition that was earned before, if one was.
    """
    # Of hosts that are in no inventory nobody can say what parts those that are hit from the others.
    known = np.array([cell.os_type is not None for cell in cells])
    if events[:, known].sum() < LEAST_EVENTS or expected[:, ~known].sum() > _UNKNOWN_SHARE * expected.sum():
        return None
    support = np.flatnonzero(known & (expected.sum(0) + events.sum(0) > 0)).tolist()
    candidates, pairs = candidates_of([cells[number] for number in support])
    seen, mean = events[:, support], expected[:, support]
    plainer = [one for one in candidates if one.told is not None]
    candidates += _within_reach(candidates, pairs, seen, mean)
    answers = _weigh(candidates, seen, mean)
    for _ in range(_NARROWED):
        narrower = _narrower(answers, candidates, seen.sum(0), mean.sum(0))
        candidates += narrower
        answers += _weigh(narrower, seen, mean)
    apart = [one for one in (other.among(support) for other in companions) if not _is_of_attribute(one, plainer)]
    for other in apart:
        log_prior = _LOG_PRIOR_WITH - float(np.log(len(apart)))
        with_it = [_and(one, "with_update", other.update_id, log_prior) for one in plainer]
        answers += _weigh_with(with_it, other, [cells[number] for number in support], mean)
    for place in places:
        there = [_and(one, place.key, place.value, place.log_prior) for one in plainer]
        found = _weigh(there, place.events[:, support], mean * place.share[:, support])
        answers += [_named_by_hosts(one, place, support) for one in found]
    systems, of_fleet = {cells[number].os_type for number in support}, {cell.os_type for cell in cells} - {None}
    return _earned(answers, given, only_system=systems.pop() if len(systems) == 1 < len(of_fleet) else None)


def _narrower(
    answers: Sequence[_Answer], candidates: Sequence[Candidate], seen: Floats, mean: Floats
) -> list[Candidate]:
    """The likeliest answers of two attributes, with one more or within two bounds, which spares whom it leaves out.

    That these are hit less is not enough: no fleet is so even that a part of a part is hit as often as another. Nor is
    it a version of a system: what of some came later is not counted, see ``late_strikes``.

    Args:
        seen, mean: (C,) events, and events expected.
    """
    told_by = {_parts(one.told): one for one in candidates if one.told is not None and one.told.keys() <= _OF_THREE}
    singles = [one for parts, one in told_by.items() if len(parts) == 1]
    begun: dict[bytes, Candidate] = {}
    for answer in sorted(answers, key=lambda one: -one.log_weight):
        parts = _parts(answer.told)
        if len(parts) > 1 and parts in told_by and len(begun) < _MOST_PAIRS:
            begun.setdefault(answer.hosts[1], told_by[parts])
    found: dict[frozenset[tuple[str, str]], Candidate] = {}
    for whole, one in product(begun.values(), singles):
        parts, mask = _parts(whole.told), whole.mask & one.mask
        ((key, text),) = _parts(one.told)
        if within := {part for part in parts if part[0] == key}:
            wider = told_by.get(frozenset(within))
            if wider is None or (one.mask & ~wider.mask).any():
                continue
        both = parts - within | {(key, text)}
        left_out = whole.mask & ~mask
        as_many = seen[mask].sum() * mean[left_out].sum() / max(mean[mask].sum(), 1e-9)
        spares = mask.any() and left_out.any() and seen[left_out].sum() <= _SPARED * as_many
        if spares and len(both) <= _MOST_ATTRIBUTES and both not in told_by:
            told = dict(sorted(both, key=lambda part: CELL_ATTRIBUTES.index(part[0])))
            found.setdefault(both, Candidate(told, mask, whole.log_prior + one.log_prior + _LOG_PRIOR_THIRD))
    return list(found.values())


def _parts(told: Condition | None) -> frozenset[tuple[str, str]]:
    """What a condition asks for, whatever comes first."""
    return frozenset((told or {}).items())


def _is_of_attribute(companion: Companion, plainer: Sequence[Candidate]) -> bool:
    """Whether hosts of some kind have the companion, and hardly anybody else: what they are says it then, plainer."""
    masks = np.array([one.mask for one in plainer], dtype=float)
    hosts, with_it = masks @ companion.hosts, masks @ companion.with_it
    either = hosts - with_it + companion.with_it.sum()
    return bool((with_it >= _AS_GOOD_AS * np.maximum(either, 1.0)).any())


def _and(one: Candidate, key: str, text: str, log_prior: float) -> Candidate:
    """A candidate of which one thing more is asked."""
    return Candidate({**(one.told or {}), key: text}, one.mask, one.log_prior + log_prior)


def _named_by_hosts(answer: _Answer, place: Place, support: Sequence[int]) -> _Answer:
    """The same answer, known by the hosts at the place that it selects; where those are whole cells, by the cells."""
    inside = np.frombuffer(answer.hosts[1], dtype=bool)
    prints, is_whole = place.prints[support], place.is_whole[support]
    if (is_whole | (place.share[:, support] == 0.0).all(0))[inside].all():
        return replace(answer, hosts=(None, (inside & is_whole).tobytes()))
    return replace(answer, hosts=(_AT_A_PLACE, np.bitwise_xor.reduce(prints[inside]).tobytes()))


def _earned(answers: Sequence[_Answer], given: Condition | None, only_system: str | None) -> Condition | None:
    """The plainest of those that select the likeliest hosts, if they are likely enough.

    Args:
        only_system: the operating system that all exposed hosts have, if they do, and others do not.
    """
    total = np.logaddexp.reduce([one.log_weight for one in answers])
    by_hosts: dict[tuple[str | None, bytes], list[_Answer]] = {}
    for one in answers:
        if one.log_weight > total - _OUT_OF_REACH:
            by_hosts.setdefault(one.hosts, []).append(one)
    weights = {hosts: np.logaddexp.reduce([one.log_weight for one in same]) for hosts, same in by_hosts.items()}
    likeliest = by_hosts[max(weights, key=lambda hosts: weights[hosts])]
    nearly = [
        weight
        for hosts, weight in weights.items()
        if any(one.is_nearly(other) for one in by_hosts[hosts] for other in likeliest)
    ]
    said = [one.told for one in likeliest if one.told is not None]
    least = _KEPT_PROBABILITY if given in said else EARNED_PROBABILITY
    if not said or np.logaddexp.reduce(nearly) - total < np.log(least):
        return None
    plainest = min(said, key=_plainness)
    if only_system is None or plainest.keys() & _TELL_SYSTEM:
        return plainest
    # Of hosts at the same place that have another system, none of which is exposed, nothing is known.
    of_system = {"os_type": only_system, **plainest}
    return of_system if of_system in said else plainest


def _within_reach(
    plainer: Sequence[Candidate], pairs: Sequence[Pairs], events: Floats, expected: Floats
) -> list[Candidate]:
    """Of all on two attributes those that the likeliest, of one or two, does not leave out of reach.

    Args:
        events, expected: (K, C) of the hosts that may meet them.
    """
    values = np.concatenate([events, expected, np.ones((1, events.shape[1]))]).T
    best = max(_weights(plainer, *_sums(plainer, events, expected)))
    found = list[tuple[Pairs, int, int, float]]()
    for both in pairs:
        sums = both.sums(values)
        seen, mean, cells = np.split(sums.reshape(-1, sums.shape[2]).T, [len(events), 2 * len(events)])
        weights = np.where(cells[0] > 0, _log_raised(seen, mean) + both.log_priors().ravel(), -np.inf)
        best = max(best, float(weights.max()))
        near = np.flatnonzero(weights >= best - _OUT_OF_REACH)
        where = zip(*np.unravel_index(near, sums.shape[:2]), weights[near], strict=True)
        found += [(both, int(one), int(other), float(weight)) for one, other, weight in where]
    weights = np.sort([weight for *_, weight in found])[-_MOST_TOLD:]
    least = max(best - _OUT_OF_REACH, weights.min(initial=np.inf))
    return [both.candidate(one, other) for both, one, other, weight in found if weight >= least]


def _weigh(candidates: Sequence[Candidate], events: Floats, expected: Floats) -> list[_Answer]:
    """Each condition with its weight in the posterior.

    Args:
        events, expected: (K, C) of the hosts that may meet it.
    """
    if not candidates:
        return []
    weights = _weights(candidates, *_sums(candidates, events, expected))
    least = max(weights) - _OUT_OF_REACH
    of_cell, mean_of_cell = events.sum(0), expected.sum(0)
    return [
        _Answer(one.told, (None, one.mask.tobytes()), weight, one.mask, of_cell, mean_of_cell)
        for one, weight in zip(candidates, weights, strict=True)
        if weight >= least
    ]


def _weigh_with(
    candidates: Sequence[Candidate], companion: Companion, cells: Sequence[Cell], expected: Floats
) -> list[_Answer]:
    """The same of conditions that ask for a companion, each known by the cells alone that have any of its hosts.

    Args:
        cells: (C,) those that ``companion`` is of, too. expected: (K, C) of hosts with and without it.
    """
    tells, of_cell = companion.tells, companion.events.sum(0)
    struck = companion.events[tells].sum(0)
    told_of_cell, else_of_cell = expected[tells].sum(0), expected[~tells].sum(0)
    found = list[_Answer]()
    for few in _in_blocks(candidates):
        masks = _masks(few)
        shares = share_that_had(masks, cells, struck, companion.hosts, companion.with_it)
        seen, everyone = np.split((masks @ np.concatenate([companion.events, expected]).T).T, 2)
        mean = np.where(tells[:, None], ((masks * shares) @ expected.T).T, everyone)
        weights = _weights(few, seen, mean)
        best = max([*weights, *(one.log_weight for one in found)])
        found = [one for one in found if one.log_weight >= best - _OUT_OF_REACH]
        found += [
            _Answer(
                one.told,
                (companion.update_id, (one.mask & (share > 0)).tobytes()),
                weight,
                one.mask,
                of_cell,
                told_of_cell * share + else_of_cell,
            )
            for one, share, weight in zip(few, shares, weights, strict=True)
            if weight >= best - _OUT_OF_REACH
        ]
    return found


def _in_blocks(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """A few at a time: of hundreds of versions and models, and thousands of cells, numbers for all take gigabytes."""
    for begin in range(0, len(candidates), _BLOCK):
        yield candidates[begin : begin + _BLOCK]


def _masks(candidates: Sequence[Candidate]) -> NDArray[np.float32]:
    """(N, C) one where a candidate selects a cell."""
    return np.array([one.mask for one in candidates], dtype=np.float32)


def _sums(candidates: Sequence[Candidate], events: Floats, expected: Floats) -> tuple[Floats, Floats]:
    """(K, N) events, and events expected, of those that each selects, of (K, C) both."""
    values = np.concatenate([events, expected]).T
    sums = np.concatenate([_masks(few) @ values for few in _in_blocks(candidates)])
    seen, mean = np.split(sums.T, 2)
    return seen, mean


def _weights(candidates: Sequence[Candidate], seen: Floats, mean: Floats) -> list[float]:
    """(N,) the weight of each in the posterior.

    Args:
        seen, mean: (K, N) events, and events expected, of those that each selects.
    """
    weights: Floats = _log_raised(seen, mean) + np.array([one.log_prior for one in candidates])
    return weights.tolist()


def _log_raised(seen: Floats, mean: Floats) -> Floats:
    """(N,) the log Bayes factors of all (K, N) that a rate was raised."""
    every = range(_BLOCK, seen.shape[1], _BLOCK)
    parts = zip(np.split(seen, every, axis=1), np.split(mean, every, axis=1), strict=True)
    return np.concatenate([log_raised(*part).sum(0) for part in parts])


def cells_that_may_meet(cells: Sequence[Cell], condition: Condition) -> Mask:
    """(C,) the cells that meet a condition, or of which too little is known to say that they do not."""
    meets = np.ones(len(cells), bool)
    for key, text in condition.items():
        if key not in CELL_ATTRIBUTES:
            continue  # of another update, or a place, a cell says nothing
        column, accepts = CELL_ATTRIBUTES.index(key), matcher(text)
        values = [cell.attributes[column] for cell in cells]
        may = {value: value is None or accepts(value) for value in set(values)}
        meets &= np.array([may[value] for value in values], bool)
    return meets


def _plainness(condition: Condition) -> tuple[int, int, int, str]:
    rank = sum(CONDITION_KEYS.index(key) for key in condition)
    return len(condition), rank, sum(map(len, condition.values())), str(condition)
