"""Host-time where nothing is known of hosts but their crashes: no inventory, no installs, no presence.

Then the hosts that have crashed within a day stand for the fleet: as many crashes are expected as there were yesterday,
and up to four times as many on the first day, when ever more hosts are known. Who was exposed goes by releases, as
everywhere that no install is told, but for crashes whose hosts tell that they lacked an update. That names what makes
many hosts crash soon after a release, and notices other rises; it tells no condition.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fleetcrash.arrays import Ints
from fleetcrash.attribution.facts.catalogue import Suspect
from fleetcrash.attribution.facts.exposure import AGE_MINUTES, LONG_UP
from fleetcrash.attribution.facts.news import Events, Exposed, ExposedEvents, Online
from fleetcrash.times import DAY

PRIOR_RATE = np.array([1 / DAY, 2.0e-6, 5 / DAY])
"""Of each outcome, per host-minute: about a crash a day for each host of which one is known."""

WARM_UP_MINUTES = 360
"""While hardly a host is known, what comes is learned from and not judged."""

_NEVER = np.iinfo(np.int64).max
_FROM_MINUTES = (0, *AGE_MINUTES[:-1])


def online_after_crash(events: Events, *, after_tick: int) -> Online:
    """The hosts at risk: each for a day from the tick at which a crash of it was known.

    Args:
        after_tick: counts up to this tick are left out.
    """
    minute = np.concatenate([events.tick, events.tick + DAY])
    change = np.repeat([1, -1], len(events))
    kept = np.flatnonzero(minute > after_tick)
    kept = kept[np.argsort(minute[kept], kind="stable")]
    nothing = np.zeros(len(kept), np.int32)
    began = minute[kept].astype(np.int32)
    return Online(began, cell=nothing, since_boot=nothing + np.int32(LONG_UP), change=change[kept].astype(np.int32))


def exposed_since_release(events: Events, suspects: Sequence[Suspect], *, after_tick: int, last_tick: int) -> Exposed:
    """Those of them that had each update, by its age, from its release on.

    Args:
        after_tick: counts up to this tick are left out. last_tick: so are those after this one.
    """
    began, ended = events.tick, events.tick + DAY  # in order, and each host's apart
    rows = [np.zeros((0, 5), np.int64)]
    for update, suspect in enumerate(suspects):
        released = suspect.released_minute
        if released is None:
            continue
        for age, (low, high) in enumerate(zip(_FROM_MINUTES, AGE_MINUTES, strict=True)):
            came = np.searchsorted(began, [released + low, released + high], side="right")
            went = np.searchsorted(ended, [released + low, released + high], side="right")
            joined, left = began[slice(*came)], ended[slice(*went)]
            minute = np.concatenate([[released + low], joined, left, [released + high]])
            change = np.concatenate(
                [[came[0] - went[0]], np.ones_like(joined), -np.ones_like(left), [went[1] - came[1]]]
            )
            tick = np.maximum(minute, suspect.known_tick)
            told = (change != 0) & (tick > after_tick) & (tick <= last_tick)
            columns = tick, minute, np.full_like(minute, update), np.full_like(minute, age), change
            rows.append(np.stack(columns, axis=1)[told])
    tick, minute, updates, ages, change = _by_tick(np.concatenate(rows)).astype(np.int32).T
    nothing = np.zeros_like(tick)
    since_boot = np.full(len(tick), LONG_UP, np.int8)
    return Exposed(tick, minute, updates, nothing, since_boot, ages.astype(np.int8), change)


def exposed_events(events: Events, suspects: Sequence[Suspect], lacking: Ints) -> ExposedEvents:
    """Which events came within a day after each release.

    Args:
        lacking: (2, n) events and updates that their hosts told that they lacked.
    """
    lacking = lacking[:, np.argsort(lacking[1], kind="stable")]
    found = [np.zeros((0, 4), np.int64)]
    for update, suspect in enumerate(suspects):
        released = suspect.released_minute
        if released is None:
            continue
        age_min = events.minute - released
        lack_it = lacking[0, slice(*np.searchsorted(lacking[1], [update, update + 1]))]
        event = np.setdiff1d(np.flatnonzero((age_min > 0) & (age_min < AGE_MINUTES[-1])), lack_it)
        age = np.searchsorted(AGE_MINUTES, age_min[event], side="right")
        tick = np.maximum(events.tick[event], suspect.known_tick)
        found.append(np.stack([tick, event, np.full_like(event, update), age], axis=1))
    tick, event, updates, age = _by_tick(np.concatenate(found)).T
    return ExposedEvents(
        tick,
        gone_tick=np.full_like(tick, _NEVER),
        event=event,
        update=updates,
        age=age,
        boot_age=np.full_like(tick, -1),
    )


def _by_tick(rows: Ints) -> Ints:
    return rows[np.argsort(rows[:, 0], kind="stable")]
