"""Untold installs: updates that the struck hosts may have, though nobody says so.

A host that crashes at once may never tell what it installed, and some installs are told by the hour. Where a rise
begins within minutes of a release, in hosts that do not tell of having it while nearly all others of their kind do, or
while nobody tells of it yet, no one can say that no update did it. Nor where most of them tell, and the others are no
more than those whose installs were told as late before, or than hosts that never tell of any; nor while it is not due
to be told what hosts got just before they were struck.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.attribution.facts.exposure import LATE_MINUTES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.waves import Beginning
from fleetcrash.attribution.weighing.rivalry import COINCIDENT_MINUTES, EXPLAINED_SHARE, SOON_MINUTES
from fleetcrash.attribution.weighing.verdict import LOG_PER_LATE_BOOT
from fleetcrash.counts import MOSTLY, clearly_more

_BEFORE_MINUTES = 15  # the release came at most so long before the rise
_LEAST_STRUCK = 5
_HARDLY_ANY, _NEARLY_ALL = 0.3, 0.8  # of the struck hosts have it, or lack it; of those beside them have it
_NOBODY = 20  # so few hosts may be those of a test
_EARLY_SHARE = 0.25  # in the first half of the events, where half of them would come by chance
_UNTIL_MINUTES = 120  # after its release an update that nobody tells of was not sent out
_RESTART_MINUTES = 30  # a server that a patch restarts is mostly back by then
_TELL = 3  # so many hosts: of an OS patch, that servers do so at once and not at the boot that it makes, or whose it is
# Of the hosts that do not tell of an update, or of installs; those that crash tell of it later than others.
_MANY = 0.25
# Of the hosts online at least so many tell of what was sent to all in the last day, if installs are told at all.
_TOLD_BY_ALL = 0.9


def untold(inquiry: Inquiry, tick: int, mine: Mask, wave: Beginning, *, is_early: bool) -> tuple[int, ...]:
    """Updates that may be behind a wave, though the hosts that it strikes do not tell of having them.

    Args:
        mine: (events,) the events. wave: where and when it began.
        is_early: whether installs of the last minutes may still be told, so that any host with it counts.
    Returns:
        Their indices; an empty tuple for a wave where hosts stand, such as a region: those that lose their power do not
            tell of anything.
    """
    spot, onset = wave
    struck = inquiry.struck_by_wave(mine, wave, tick)
    if inquiry.acquitting(tick, inquiry.stands_apart(tick), struck)[spot]:
        return ()
    cells = inquiry.spots.cells_of(spot)
    if struck.sum() < _LEAST_STRUCK:
        return ()
    found, is_awaited = [], _are_awaited(inquiry, tick, struck)
    mute = _of_no_word(inquiry, tick, struck, cells, onset)
    are_some_mute, had = bool(mute.any()), inquiry.expected.time.by_update
    for update, one in enumerate(inquiry.news.suspects):
        if one.known_tick > tick:
            continue
        before = onset - inquiry.released(update)
        is_recent = _is_soon(before)
        # Whom it struck is asked of few, for a catalogue lists tens of thousands.
        if not is_recent and not (are_some_mute and update in had):
            continue
        with_it = inquiry.events_with(update, tick)
        may_lack_it = are_some_mute and _is_of_those_who_tell(struck, mute, with_it)
        if may_lack_it and (is_recent or _is_pushed_again(inquiry, update, onset)):
            found.append(update)
            continue
        if not is_recent:
            continue
        lack_it = int((struck & ~with_it).sum())
        some, most = (share * struck.sum() for share in (_HARDLY_ANY, 1.0 - _HARDLY_ANY))
        if lack_it <= MOSTLY * struck.sum() and _are_lost(inquiry, update, cells, struck & ~with_it, struck):
            may_be_it = True
        elif lack_it <= some:
            may_be_it = _are_told_late(inquiry, tick, update, cells)
        else:
            spared = 0.0 if is_early else inquiry.expected.time.online[cells].sum() - lack_it
            may_be_it = lack_it >= most and before <= _BEFORE_MINUTES and _tell(inquiry, tick, update, cells, spared)
        if may_be_it or is_awaited:
            found.append(update)
    return tuple(found)


def patches_behind(
    inquiry: Inquiry, tick: int, mine: Mask, update: int, of_hosts: Callable[[int], float]
) -> tuple[int, ...]:
    """OS patches that may be restarting the hosts that seem to fall silent for an update: of the last two hours.

    Some agents tell of a patch only at the boot that it makes; see ``detection/gone`` for when that is known. If only
    hosts of other systems tell of it, it is none of these. Nor is any once hosts are silent for longer than a restart
    takes, where so many beside lack the update and are spared that a patch must have gone to just those that have it.

    Args:
        mine: (events,) the events.
        of_hosts: what hosts with an update and those beside them say for it; it is dear.
    Returns:
        Their indices; an empty tuple where most of the update's hosts crash, or no install is told of anything.
    """
    news, silent = inquiry.news, _silenced(inquiry, tick, mine, update)
    if not silent.any():
        return ()
    first, servers = int(news.events.minute[silent].min()), np.array([cell.always_on for cell in news.cells])
    alike = np.isin(news.systems, news.systems[news.events.cell[silent]])
    found = []
    for number, one in enumerate(news.suspects):
        if one.kind != "os_patch" or number == update or one.known_tick > tick:
            continue
        if not 0 <= first - inquiry.released(number) <= _UNTIL_MINUTES:
            continue
        with_it = _with_it(inquiry, number)
        is_of_others = with_it.sum() >= _TELL and not with_it[alike].any()
        if with_it[servers].sum() < _TELL and not is_of_others:
            found.append(number)
    least = max(LOG_THOUSAND, LOG_PER_LATE_BOOT * silent.sum())
    is_none_of_them = bool(found) and _stay_away(inquiry, tick, silent) and of_hosts(update) >= least
    return () if is_none_of_them else tuple(found)


def _stay_away(inquiry: Inquiry, tick: int, silent: Mask) -> bool:
    """Whether most of the hosts that fell silent longer ago than a restart takes are not back."""
    events = inquiry.news.events
    long_ago = silent & (events.minute <= tick - _RESTART_MINUTES)
    return bool((events.back_tick[long_ago] > tick).sum() > MOSTLY * max(long_ago.sum(), _TELL))


def sent_meanwhile(inquiry: Inquiry, tick: int, of_wave: Mask, onset: int, update: int) -> tuple[int, ...]:
    """Updates that may silence the hosts that an update of hours before seems to: sent out within the hour before.

    Hosts that check in every four hours got one as long before as another, and a host that falls silent at once tells
    of the older one alone. It says which it has once it is back.

    Args:
        of_wave: (events,) those of a wave. onset: the minute in which it began.
    Returns:
        Their indices; an empty tuple where most of the update's hosts crash, or no install is told of anything.
    """
    silent = _silenced(inquiry, tick, of_wave, update)
    if not silent.any():
        return ()
    found = []
    for number, one in enumerate(inquiry.news.suspects):
        if number == update or one.known_tick > tick:
            continue
        is_recent = _is_soon(onset - inquiry.released(number))
        if is_recent and (silent & ~inquiry.events_with(number, tick)).sum() > MOSTLY * silent.sum():
            found.append(number)
    return tuple(found)


def _silenced(inquiry: Inquiry, tick: int, mine: Mask, update: int) -> Mask:
    """Those of some events (events,) by which an update seems to silence hosts; none where most of its hosts crash."""
    struck = mine & inquiry.events_with(update, tick)
    silent: Mask = struck & (inquiry.news.events.outcome == DARK)
    is_told = inquiry.news.installs_told and silent.sum() > MOSTLY * struck.sum()
    return silent if is_told else np.zeros(len(silent), bool)


def _of_no_word(inquiry: Inquiry, tick: int, struck: Mask, cells: Mask, onset: int) -> Mask:
    """Those of some events (events,) whose hosts tell of no install; none where more of them are struck than of others.

    Args:
        struck: (events,) the events. cells: (cells,) where they may be. onset: the minute in which they began.
    """
    mute = struck & ~inquiry.events_of_tellers(tick)
    if mute.any() and struck.sum() - mute.sum() >= _LEAST_STRUCK:
        share = inquiry.news.ask.share_that_tells(tuple(np.flatnonzero(cells).tolist()), onset)
        if not clearly_more(mute.sum(), (1.0 - share) * struck.sum()):
            return mute
    return np.zeros(len(struck), bool)


def _is_soon(before: int) -> bool:
    """Whether what an update brought so many minutes before may be what just began."""
    return -COINCIDENT_MINUTES <= before <= SOON_MINUTES


def _is_pushed_again(inquiry: Inquiry, update: int, onset: int) -> bool:
    """Whether an update was pushed once more just before a minute."""
    return any(_is_soon(before) for before in (onset - inquiry.pushed(update)).tolist())


def _is_of_those_who_tell(struck: Mask, mute: Mask, with_it: Mask) -> bool:
    """Whether struck hosts lack an update mostly for telling of nothing. Most of those that do tell have to have it.

    Args:
        struck, mute, with_it: (events,) the events; of hosts that tell of no install; of those that had the update.
    """
    lack_it, tell = struck & ~with_it, struck & ~mute
    tells_enough = (tell & with_it).sum() >= EXPLAINED_SHARE * tell.sum()
    return bool(tells_enough and mute.sum() > MOSTLY * lack_it.sum())


def _tell(inquiry: Inquiry, tick: int, update: int, cells: Mask, spared: float) -> bool:
    """Whether nearly all hosts of some cells that were spared tell of an update, or nobody does yet.

    Args:
        spared: how many there are.
    """
    with_it = _with_it(inquiry, update)
    is_new = with_it.sum() < _NOBODY and tick - inquiry.released(update) <= _UNTIL_MINUTES
    return bool(is_new or with_it[cells].sum() >= max(_NEARLY_ALL * spared, 1.0))


def _are_told_late(inquiry: Inquiry, tick: int, update: int, cells: Mask) -> bool:
    """Whether nearly all hosts of some cells tell of an update, and many others may: as many told as late before."""
    time = inquiry.expected.time
    online, with_it = time.online[cells].sum(), _with_it(inquiry, update)[cells].sum()
    untold = time.share_told_later(tick - inquiry.released(update)) * online
    return bool(with_it >= _NEARLY_ALL * online and untold >= _MANY * (online - with_it))


def _are_lost(inquiry: Inquiry, update: int, cells: Mask, lack_it: Mask, struck: Mask) -> bool:
    """Whether of the hosts of some cells as few tell of an update as of any other of the day: installs are lost.

    Args:
        lack_it, struck: (events,) those of hosts that do not tell of it, of those that are struck.
    """
    time = inquiry.expected.time
    online = max(float(time.online[cells].sum()), 1.0)
    told = {one: float(had.hosts()[cells].sum()) / online for one, had in time.by_update.items() if not had.is_idle}
    own = told.pop(update, 0.0)
    are_others_told = max(told.values(), default=1.0) >= _TOLD_BY_ALL
    return not are_others_told and not clearly_more(lack_it.sum(), (1.0 - own) * struck.sum())


def _are_awaited(inquiry: Inquiry, tick: int, struck: Mask) -> bool:
    """Whether of installs just before some events (events,) many are usually told later than by now."""
    time, ages = inquiry.expected.time, tick - inquiry.news.events.minute[struck]
    shares = [time.share_told_later(age) if age < LATE_MINUTES else 0.0 for age in ages.tolist()]
    return float(np.mean(shares)) >= _MANY


def _with_it(inquiry: Inquiry, update: int) -> Floats:
    """(cells,) hosts at risk that are known to have an update."""
    times = inquiry.expected.time.by_update
    return times[update].hosts() if update in times else np.zeros(len(inquiry.news.cells))


def joined_later(lack_it: Mask) -> bool:
    """Whether many events of hosts that do not tell of an update came mostly later, so that something else did it.

    Where installs are lost, they are from the first event on.

    Args:
        lack_it: (n,) of events, in the order in which they were known, whether their hosts lack the update.
    """
    early, most = lack_it[: len(lack_it) // 2], len(lack_it) * (1.0 - EXPLAINED_SHARE)
    return bool(lack_it.sum() > most and early.sum() < _EARLY_SHARE * lack_it.sum())
