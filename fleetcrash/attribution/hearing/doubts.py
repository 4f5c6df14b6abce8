"""What speaks against an update that leads: it may only have made hosts boot, or they have something else in common.

Hosts without a patch tell who waits for the boot that it brings. Those that had an update for as long and were spared
tell what else a rise may be of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.expected.baseline import CRASH_AT_BOOT
from fleetcrash.attribution.facts.exposure import AGE_MINUTES, AGES
from fleetcrash.attribution.hypotheses import witnesses
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.counts import MOSTLY

# Of installs: who crashes within ten minutes of one, and long after a boot, did not get it for having come online.
_AT_ONCE_AGES = int(np.searchsorted(AGE_MINUTES, 10, side="right"))
_BRINGING_BOOTS = ("os_patch", "driver", "agent")  # the kinds that restart hosts
_NEARLY_ALL = 0.9  # a few installs are always told late
_MOSTLY_ALIKE = 0.8  # of the events; the others happened anyway
_LEAST_ALONE = 0.05  # of what strikes at boots; as many installs may never be told


def waiting_for_boots_of(
    inquiry: Inquiry, update: int, tick: int, mine: Mask, trial: Trial, named_before: int | None
) -> dict[int, float]:
    """Updates that may be behind what another's hosts do: a fault may wait for a boot, and a patch brings one.

    Most of it comes at boots, nearly all of those hosts had them as well, and hosts with them and without the other
    crash at boots, too: more than the baseline, though that is taken of all hosts with them. These must be more than
    installs of the other that are never told, but for an update that was named before so many got the other.

    Args:
        mine: (events,) the events. trial: of them. named_before: the update that is named so far.
    Returns:
        Of each how much more often hosts with it and without the other crash at a boot than hosts with the other.
    """
    if inquiry.news.suspects[update].kind not in _BRINGING_BOOTS:
        return {}
    events = inquiry.news.events
    struck, cells = _struck(inquiry, update, tick, mine, trial)
    at_boot = struck[events.outcome[struck] == CRASH_AT_BOOT]
    if len(at_boot) <= MOSTLY * len(struck):
        return {}
    without = mine & cells[events.cell] & (events.outcome == CRASH_AT_BOOT) & ~inquiry.events_ever_with(update, tick)
    tried = inquiry.trial(tick, without, cells, but={update})
    hosts = _hosts_struck(inquiry, tick, at_boot)[tried.updates]
    alone = _hosts_struck(inquiry, tick, np.flatnonzero(without), booted=True)[tried.updates]
    waits = (tried.log_evidence >= LOG_THOUSAND) & (hosts >= _NEARLY_ALL * len(at_boot))
    waits &= (alone >= _LEAST_ALONE * len(at_boot)) | (tried.updates == named_before)
    brought = _minutes_at_boot(inquiry, update, tick, cells, slice(AGES))
    others = [
        _minutes_at_boot(inquiry, one, tick, cells, slice(AGES, None)) - brought for one in tried.updates.tolist()
    ]
    rate = len(at_boot) / max(brought, 1.0)
    ratios = alone / np.maximum(others, 1.0) / rate
    return dict(zip(tried.updates[waits].tolist(), ratios[waits].tolist(), strict=True))


def is_as_ever_at_boots(
    inquiry: Inquiry, update: int, tick: int, mine: Mask, trial: Trial, contrast: Callable[[int], float]
) -> bool:
    """Whether an update's hosts crash as they boot, as hosts always do at boots, if more often.

    What a fault brings are crashes of its own. A patch makes hosts boot, and of boots like these few are known; and
    whatever it is, whoever boots gets what was missed, so that boots that crash more than the baseline knows fit it;
    unless those that boot without it are clearly spared.

    Args:
        mine: (events,) the events. trial: of them. contrast: see ``rivalry.Contrast``.
    """
    if contrast(update) >= LOG_THOUSAND:
        return False
    events, at_boot = inquiry.news.events, np.zeros(len(mine), bool)
    struck, _ = _struck(inquiry, update, tick, mine, trial)
    at_boot[struck] = events.outcome[struck] == CRASH_AT_BOOT
    before = (events.tick <= tick) & (events.minute < int(inquiry.pushed(update)[0]))
    return bool(at_boot.sum() > MOSTLY * len(struck)) and inquiry.modules.are_as_ever(at_boot, before)


def is_doubtful(
    inquiry: Inquiry,
    tick: int,
    mine: Mask,
    trial: Trial,
    update: int,
    onset: int | None,
    told_by_delay: Callable[[], bool],
    is_known: bool,
    strikes_late: bool,
) -> bool:
    """Whether some of an update's hosts alone are struck, who have something else in common; see ``witnesses``.

    Args:
        mine: (events,) the events. trial: of them. onset: when the best wave began, if there is one.
        told_by_delay: whether those of a region are struck that got it as long ago as a fault would have it.
        is_known: whether other hosts have shown that it is guilty.
        strikes_late: whether most of what it may have done came an hour or more after its installs.
    """
    struck, cells = _struck(inquiry, update, tick, mine, trial)
    if not len(struck):
        return False
    row, asked = trial.row_of(update), witnesses.to_look_at(struck)
    told = tuple(asked.tolist())
    if inquiry.news.presence_told and inquiry.news.installs_told:
        minutes = trial.window_min(row)
        known, where = int(inquiry.news.events.tick[asked[-1]]), tuple(np.flatnonzero(cells).tolist())
        found = inquiry.news.ask.by_start(update, told, where, minutes, known)
        if witnesses.are_only_fresh(found):
            return True
        if onset is not None and witnesses.are_only_late(found, minutes=minutes, onset=onset):
            return True
    struck = _mostly_alike(inquiry, struck)
    if not witnesses.may_be_of_one_place(inquiry.news, struck):
        return False
    told = tuple(witnesses.to_look_at(struck).tolist())
    # Not where installs tell: hosts that were long up crashed as soon as they got it, those beside them did not.
    there = mine & cells[inquiry.news.events.cell]
    compared = inquiry.moments(tick, there).of(update)
    by_installs = compared.log_by_age(_AT_ONCE_AGES)
    if is_known:  # by hosts that may stand anywhere
        by_installs = max(by_installs, compared.log_with_it())
    if inquiry.news.installs_told and by_installs >= witnesses.enough(len(struck)):
        return False
    if inquiry.spots.name(trial.likeliest_slice(row))[0] in witnesses.OF_CELLS:
        cells = np.ones(len(cells), bool)
    places = inquiry.news.ask.whereabouts(update, told, tuple(np.flatnonzero(cells).tolist()))
    least = LOG_THOUSAND if inquiry.news.installs_told else 0.0  # else nothing but the release speaks for the update
    found_at = witnesses.one_place(places, witnesses.places_known(inquiry.news, tick), least)
    if inquiry.news.installs_told:
        says = log_at_places(inquiry, update, tick, there, struck, found_at, or_alike=strikes_late)
        found_at = [one for one, most in zip(found_at, says, strict=True) if most < LOG_THOUSAND]
    return any(one not in witnesses.OF_CELLS or not told_by_delay() for one in found_at)


def log_at_places(
    inquiry: Inquiry,
    update: int,
    tick: int,
    events: Mask,
    struck: Ints,
    dimensions: Sequence[str],
    *,
    or_alike: bool = False,
) -> list[float]:
    """What the hosts at the places that were struck say for an update, by each dimension: are those without it spared.

    Args:
        events: (events,) that may have struck them. struck: those of hosts with it, by their numbers: since the first.
        or_alike: no more than those alike in build, agent's version or model say: of what went to one model alone,
            hosts of others that stand there tell nothing but that they are none of these.
    Returns:
        See ``witnesses.log_within``; nothing where presence is not told: who lacks it may be offline else.
    """
    if not dimensions or not inquiry.news.presence_told:
        return [0.0] * len(dimensions)
    minute, known_by = inquiry.news.events.minute, inquiry.news.events.tick
    since = events & (minute >= minute[struck].min()) & (known_by <= tick)
    found = witnesses.at_their_places(inquiry.news, update, since)
    most = witnesses.least_among_alike(found, inquiry.news.told_by(update)) if or_alike else np.inf
    return [min(witnesses.log_within(found, one), most) for one in dimensions]


def struck_beside(inquiry: Inquiry, update: int, tick: int, mine: Mask, trial: Trial) -> Mask:
    """(n,) of those of some events that came after an update was sent out, where it is likeliest, which never had it.

    Args:
        mine: (events,) the events. trial: of them.
    """
    events, cells = inquiry.news.events, _slice_of(inquiry, update, trial)
    there = mine & cells[events.cell] & (events.tick <= tick) & (events.minute >= int(inquiry.pushed(update)[0]))
    return ~inquiry.events_ever_with(update, tick)[there]


def _slice_of(inquiry: Inquiry, update: int, trial: Trial) -> Mask:
    """(cells,) the slice in which an update is likeliest."""
    return inquiry.spots.slices.members[trial.likeliest_slice(trial.row_of(update))] > 0


def _struck(inquiry: Inquiry, update: int, tick: int, mine: Mask, trial: Trial) -> tuple[Ints, Mask]:
    """Those of some events that happened to hosts with an update, in the slice where it is likeliest; its cells."""
    exposed = inquiry.news.exposed_events.of(update)
    cells = _slice_of(inquiry, update, trial)
    return np.unique(exposed.event[exposed.known(tick, mine & cells[inquiry.news.events.cell])]), cells


def _mostly_alike(inquiry: Inquiry, struck: Ints) -> Ints:
    """Of some events, by their numbers, those of the outcome that nearly all have; else all.

    Of what a fault does at boots the few crashes of hosts that have long been up are none, wherever these stand.
    """
    outcome = inquiry.news.events.outcome[struck]
    counts = np.bincount(outcome)
    return struck[outcome == counts.argmax()] if counts.max() >= _MOSTLY_ALIKE * len(struck) else struck


def _hosts_struck(inquiry: Inquiry, tick: int, events: Ints, *, booted: bool = False) -> Ints:
    """(updates,) how many of some events happened to hosts that had each; or had it and booted since."""
    rows = inquiry.news.exposed_events
    mine = np.zeros(len(inquiry.news.events), bool)
    mine[events] = True
    picked = rows.known(tick, mine)
    picked = picked[rows.boot_age[picked] >= 0] if booted else picked
    return np.bincount(rows.update[picked], minlength=len(inquiry.news.suspects))


def _minutes_at_boot(inquiry: Inquiry, update: int, tick: int, cells: Mask, ages: slice) -> float:
    """Host-minutes within ten minutes of a boot, with an update of some ages, in some cells."""
    return float(inquiry.expected.time.by_update[update].host_minutes(tick)[cells, 0, ages].sum())
