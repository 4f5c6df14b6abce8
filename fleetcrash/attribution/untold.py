"""Untold installs: updates that the struck hosts may have, though nobody says so.

A host that crashes at once may never tell what it installed, and some installs are told by the hour. Where a rise
begins within minutes of a release, in hosts that do not tell of having it while nearly all others of their kind do, or
while nobody tells of it yet, no one can say that no update did it. Nor where most of them tell, and the others are no
more than those whose installs were told as late before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.inquiry import Inquiry
from fleetcrash.attribution.rivalry import COINCIDENT_MINUTES, EXPLAINED_SHARE, SOON_MINUTES

Mask = NDArray[np.bool_]

_BEFORE_MINUTES = 15  # the release came at most so long before the rise
_LEAST_STRUCK = 5
_HARDLY_ANY, _NEARLY_ALL = 0.3, 0.8  # of the struck hosts have it, of those beside them
_NOBODY = 20  # so few hosts may be those of a test
_EARLY_SHARE = 0.25  # in the first half of the events, where half of them would come by chance
_UNTIL_MINUTES = 120  # after its release an update that nobody tells of was not sent out
_MANY = 0.25  # of the hosts that do not tell of an update; those that crash tell of it later than others


def untold(inquiry: Inquiry, tick: int, mine: Mask, spot: int, onset: int, *, is_early: bool) -> tuple[int, ...]:
    """Updates that may be behind a wave, though the hosts that it strikes do not tell of having them.

    Args:
        mine: (events,) the events. spot, onset: where the wave is, and the minute in which it began.
        is_early: whether installs of the last minutes may still be told, so that any host with it counts.
    Returns:
        None of a wave where hosts stand, as a region: those that lose their power do not tell of anything.
    """
    if inquiry.spots.stands_there[spot]:
        return ()
    struck = mine & inquiry.events_since(spot, onset) & (inquiry.news.events.tick <= tick)
    cells = inquiry.spots.slices.members[spot] > 0
    if struck.sum() < _LEAST_STRUCK:
        return ()
    found = []
    for update in range(len(inquiry.news.suspects)):
        before = onset - inquiry.released(update)
        if not -COINCIDENT_MINUTES <= before <= SOON_MINUTES or inquiry.news.suspects[update].known_tick > tick:
            continue
        lack_it = float((struck & ~inquiry.events_with(update, tick)).sum()) / float(struck.sum())
        if lack_it <= 1.0 - EXPLAINED_SHARE and _are_told_late(inquiry, tick, update, cells):
            found.append(update)
        if lack_it < 1.0 - _HARDLY_ANY or before > _BEFORE_MINUTES:
            continue
        time = inquiry.expected.time
        with_it = time.by_update[update].hosts() if update in time.by_update else np.zeros(len(cells))
        is_new = with_it.sum() < _NOBODY and tick - inquiry.released(update) <= _UNTIL_MINUTES
        others = 0.0 if is_early else time.online[cells].sum() - lack_it * struck.sum()
        if is_new or with_it[cells].sum() >= max(_NEARLY_ALL * others, 1.0):
            found.append(update)
    return tuple(found)


def _are_told_late(inquiry: Inquiry, tick: int, update: int, cells: Mask) -> bool:
    """Whether many hosts of some cells that do not tell of an update have it all the same, by how late others told."""
    time = inquiry.expected.time
    if update not in time.by_update:
        return False
    online, with_it = time.online[cells].sum(), time.by_update[update].hosts()[cells].sum()
    untold = time.share_told_later(tick - inquiry.released(update))
    return bool(with_it > 0 and untold * online >= _MANY * (online - with_it))


def joined_later(lack_it: Mask) -> bool:
    """Whether many events of hosts that do not tell of an update came mostly later, so that something else did it.

    Where installs are lost, they are from the first event on.

    Args:
        lack_it: (n,) of events, in the order in which they were known, whether their hosts lack the update.
    """
    early, most = lack_it[: len(lack_it) // 2], len(lack_it) * (1.0 - EXPLAINED_SHARE)
    return bool(lack_it.sum() > most and early.sum() < _EARLY_SHARE * lack_it.sum())
