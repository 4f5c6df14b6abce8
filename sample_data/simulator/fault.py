"""What a bad update does to the hosts that have it: crash, loop, fall silent, and come back.

A struck host's ordinary life stops at its first fault and goes on at its recovery. In between there is only
what could be heard of it: the boots that reached the service before they crashed. A boot that was not heard
leaves nothing, because the next crash overwrites its dump.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sample_data.simulator.clock import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    Flags,
    Indices,
    Moments,
    lognormal_ms,
    uniform_ms,
)
from sample_data.simulator.condition import WITH_UPDATE, selected
from sample_data.simulator.crashes import Crashes
from sample_data.simulator.fault_plan import Fault, Loop
from sample_data.simulator.rollout import newer_releases, values_at
from sample_data.simulator.sessions import Sessions, joined
from sample_data.simulator.setting import Setting

# Boots of one host between its first crash and its repair; the last ones lie days later.
_BOOTS = 48
# A host that keeps crashing without a loop is struck so often at most.
_TIMES = 6
# Without a loop: a reboot by itself, or somebody who has waited long enough.
_DOWN_S = (60, 180)
_HANG_S = (120, 900)
# The chance that one boot takes the fix stays below this, however often it was tried.
_FIX_AT_MOST = 0.6


@dataclass(frozen=True)
class World:
    """A simulation as far as it has come.

    Attributes:
        applied, removed: updates x hosts, ms since start; NEVER where it did not happen.
        struck: when each fault (rows) first happened to each host, whether or not it was ever heard of; NEVER for
            most.
    """

    sessions: Sessions
    crashes: Crashes
    applied: Moments
    removed: Moments
    struck: Moments

    def struck_by(self, case: Case, hosts: Indices, moments: Moments) -> World:
        """The same with these hosts struck by a fault at these moments, or before."""
        struck = self.struck.copy()
        np.minimum.at(struck[case.number], hosts, moments)
        return replace(self, struck=struck)


@dataclass(frozen=True)
class Case:
    """A fault and what it happens to.

    Attributes:
        number: of the fault in its scenario.
    """

    number: int
    fault: Fault
    setting: Setting

    @property
    def cluster(self) -> int:
        """What its crashes look like, a number in the catalogue."""
        return self.setting.catalogue.own + self.number

    @property
    def guilty(self) -> int:
        """The guilty update's row."""
        return self.setting.rows[self.fault.update]

    @property
    def fix(self) -> int | None:
        """The row of the update that ends it, if one does."""
        return self.setting.rows.get(self.fault.fixed_by)

    def saved(self, world: World, hosts: Indices) -> Moments:
        """When hosts are rid of the guilty update: by a newer release or a removal; NEVER where they are not."""
        replaced = world.applied[newer_releases(self.setting.updates, self.guilty)][:, hosts].min(axis=0, initial=NEVER)
        return np.asarray(np.minimum(replaced, world.removed[self.guilty, hosts]), dtype=np.int64)


def strike(world: World, case: Case, rng: np.random.Generator) -> World:
    """Let one fault happen that strikes hosts one by one."""
    fault = case.fault
    hosts, since = exposed(world, case)
    chosen = rng.random(len(hosts)) < fault.probability
    hosts, since = hosts[chosen], since[chosen]
    for _ in range(_TIMES):
        onset = _onset(world.sessions, fault, hosts, since, rng)
        hit = (onset < NEVER) & (onset < case.saved(world, hosts)) & (onset < case.setting.clock.end)
        hosts, onset = hosts[hit], onset[hit]
        if fault.look.domain == "user" and fault.effect == "crash":
            # A program fell, not the host: nothing else changes.
            fallen = Crashes.usual(hosts, onset, np.full(len(hosts), case.cluster))
            world = replace(world, crashes=world.crashes + fallen)
            back = onset
        else:
            world, back = _carry_out(world, case, hosts, onset, rng)
        world = world.struck_by(case, hosts, onset)
        again = (rng.random(len(hosts)) < fault.recurs) & (back < NEVER)
        hosts, since = hosts[again], back[again]
        if fault.loop is not None:
            break
    return world


def exposed(world: World, case: Case) -> tuple[Indices, Moments]:
    """The hosts that have the update and satisfy the condition, and since when both hold."""
    condition, updates, rows = case.fault.condition, case.setting.updates, case.setting.rows
    since = world.applied[case.guilty].copy()
    other = condition.get(WITH_UPDATE)
    if other is not None:
        needed = world.applied[rows[other]] if other in rows else np.full_like(since, NEVER)
        since = np.maximum(since, needed)
    hosts = np.flatnonzero(since < NEVER)
    columns = {name: column[hosts] for name, column in case.setting.fleet.columns().items()}
    for kind, name in (("agent", "agent_version"), ("os_patch", "os_build")):
        columns[name] = values_at(
            kind, columns[name], np.arange(len(hosts)), since[hosts], world.applied[:, hosts], updates
        )
    hosts = hosts[selected(condition, columns, len(hosts))]
    return hosts, since[hosts]


def _onset(sessions: Sessions, fault: Fault, hosts: Indices, since: Moments, rng: np.random.Generator) -> Moments:
    """When the fault would strike; NEVER where the host is not online for long enough."""
    delay = fault.after.drawn_ms(len(hosts), rng)
    if fault.after.by == "next_boot":
        boot = sessions.next_boot(hosts, since)
        since = np.where(boot >= 0, sessions.on[boot], NEVER)
    known = since < NEVER
    onset = np.full(len(hosts), NEVER, dtype=np.int64)
    onset[known] = sessions.after_online(hosts[known], since[known], delay[known])
    return onset


def _carry_out(
    world: World, case: Case, hosts: Indices, onset: Moments, rng: np.random.Generator
) -> tuple[World, Moments]:
    """Take struck hosts out of their ordinary life until they recover; returns when each is back."""
    fault, guilty, fix, updates = case.fault, case.guilty, case.fix, case.setting.updates
    size = len(hosts)
    by_hand = _repaired_by_hand(case, hosts, onset, rng)
    heard_host, heard_on, heard_off = hosts[:0], onset[:0], onset[:0]
    by_boot = np.full(size, NEVER, dtype=np.int64)
    if fault.effect == "silence":
        back = by_hand
    elif fault.loop is None:
        back = onset + uniform_ms(rng, size, *(_HANG_S if fault.look.domain == "hang" else _DOWN_S))
    else:
        boots, ends, heard = _boots(fault.loop, hosts, onset, rng)
        fix_from = min(updates[guilty].reverted, updates[fix].released if fix is not None else NEVER)
        by_boot = _fixed_at_a_boot(fault, boots, fix_from, rng)
        back = np.minimum(by_boot, by_hand)
        heard &= ends + SECOND < back[:, None]
        owner = np.broadcast_to(hosts[:, None], boots.shape)
        heard_host, heard_on, heard_off = owner[heard], boots[heard], ends[heard]

    sessions = _resumed(world.sessions, hosts, onset, back, (heard_host, heard_on, heard_off), rng)
    crashes = _kept(world.crashes, sessions, hosts, onset, back, case.setting.fleet.size)
    if fault.effect == "crash":
        crashes = crashes + Crashes.usual(
            np.concatenate([hosts, heard_host]),
            np.concatenate([onset, heard_off]),
            np.full(size + len(heard_host), case.cluster, dtype=np.int64),
        )
    applied, removed = world.applied.copy(), world.removed.copy()
    # Nothing else is installed on a host that is down; what was on its way comes once it is back.
    came_back = back < NEVER
    wait = lognormal_ms(rng, size, 60, 0.8, at_most_s=900)
    for row, update in enumerate(updates):
        moments = applied[row, hosts]
        late = np.where(came_back & (back + wait < update.reverted), back + wait, NEVER)
        applied[row, hosts] = np.where((moments > onset) & (moments < back), late, moments)
    if fault.loop is not None or fault.effect == "silence":
        by_fix = came_back & (by_boot <= by_hand)
        soon = back + uniform_ms(rng, size, 4, 30)
        if fix is not None:
            applied[fix, hosts] = np.where(by_fix & (soon >= updates[fix].released), soon, applied[fix, hosts])
        # Hands delete the bad update before the host boots; the agent says so as soon as it runs.
        deleted = came_back & (~by_fix if fix is not None else np.ones(size, dtype=np.bool_))
        removed[guilty, hosts] = np.where(deleted, back + uniform_ms(rng, size, 2, 8), removed[guilty, hosts])
    return World(sessions, crashes, applied, removed, world.struck), back


def _repaired_by_hand(case: Case, hosts: Indices, onset: Moments, rng: np.random.Generator) -> Moments:
    """When somebody has repaired each host: by day at its site, but for servers, which page somebody."""
    repair, setting, fleet = case.fault.repair, case.setting, case.setting.fleet
    hours = repair.hands_median_hours * np.where(fleet.always_on[hosts], repair.hands_server_factor, 1.0)
    waits = hours * np.exp(rng.normal(0.0, repair.hands_spread, len(hosts)))
    begin = np.maximum(onset, setting.updates[case.guilty].released + round(repair.hands_after_min * MINUTE))
    done = begin + np.rint(np.minimum(waits, 24 * 30) * HOUR).astype(np.int64)
    local = (done + fleet.utc_offset[hosts]) % DAY
    morning = 7 * HOUR + uniform_ms(rng, len(hosts), 0, 3 * 3600)
    # A repair that would fall between 22 and 7 o'clock is made in the morning after.
    to_wait = np.where(local < 7 * HOUR, morning - local, np.where(local >= 22 * HOUR, DAY - local + morning, 0))
    done = np.where(fleet.always_on[hosts], done, done + to_wait)
    return np.where(done < setting.clock.end + 2 * DAY, done, NEVER)


def _boots(loop: Loop, hosts: Indices, onset: Moments, rng: np.random.Generator) -> tuple[Moments, Moments, Flags]:
    """The boots of looping hosts if nothing ended the loop (hosts x boots): begin, crash, and whether heard.

    A burst of boots by itself, then one whenever somebody tries again.
    """
    shape = (len(hosts), _BOOTS)
    cells = len(hosts) * _BOOTS
    burst = rng.geometric(1.0 / loop.boots_mean, len(hosts))
    down = uniform_ms(rng, cells, *loop.down_s).reshape(shape)
    retry = lognormal_ms(rng, cells, loop.retry_median_min * 60, loop.retry_spread, DAY / SECOND).reshape(shape)
    up = lognormal_ms(rng, cells, loop.up_median_s, loop.up_spread, at_most_s=90).reshape(shape)
    up = np.maximum(up, 3 * SECOND)
    pause = np.where(np.arange(_BOOTS) < burst[:, None], down, np.maximum(retry, down))
    ends = onset[:, None] + np.cumsum(pause + up, axis=1)
    silent = rng.random(len(hosts)) < loop.silent
    ends = np.where(silent[:, None], NEVER, ends)
    boots = np.where(silent[:, None], NEVER, ends - up)
    heard = (rng.random(shape) < loop.heard) & ~silent[:, None]
    return boots, ends, heard


def _fixed_at_a_boot(fault: Fault, boots: Moments, fix_from: int, rng: np.random.Generator) -> Moments:
    """The first boot that stayed up long enough to take the fix; NEVER where none did."""
    possible = (boots >= fix_from) & (boots < NEVER)
    tried = np.cumsum(possible, axis=1)
    chances = fault.repair.fix_probability + fault.repair.fix_growth * (tried - 1)
    fixed = possible & (rng.random(boots.shape) < np.minimum(chances, _FIX_AT_MOST))
    return np.asarray(np.where(fixed, boots, NEVER).min(axis=1, initial=NEVER), dtype=np.int64)


def _resumed(
    sessions: Sessions,
    hosts: Indices,
    onset: Moments,
    back: Moments,
    heard: tuple[Indices, Moments, Moments],
    rng: np.random.Generator,
) -> Sessions:
    """Sessions with the time from each struck host's onset to its return replaced by what was heard of it."""
    size = int(sessions.host.max(initial=-1)) + 1
    from_, until = np.full(size, NEVER), np.full(size, NEVER)
    from_[hosts], until[hosts] = onset, back
    host = sessions.host
    before = sessions.on < from_[host]
    whole = (sessions.off <= from_[host]) | ~before
    after = (sessions.off > until[host]) & (until[host] < NEVER)
    # Somebody who got a host back looks at it for a while, whatever the hour.
    stays = uniform_ms(rng, len(hosts), 40 * 60, 110 * 60)
    returned = back < NEVER
    later = joined(
        np.concatenate([host[after], hosts[returned]]),
        np.concatenate([np.maximum(sessions.on, until[host])[after], back[returned]]),
        np.concatenate([sessions.off[after], (back + stays)[returned]]),
        np.concatenate([sessions.boot[after], np.ones(int(returned.sum()), dtype=np.bool_)]),
        gap=MINUTE,
    )
    # The return itself is a boot, whichever of the two rows that begin then came first.
    later_boot = later.boot | (later.on == until[later.host])
    kept = before & (sessions.on < np.where(whole, sessions.off, from_[host]))
    return Sessions.sorted(
        np.concatenate([host[kept], heard[0], later.host]),
        np.concatenate([sessions.on[kept], heard[1], later.on]),
        np.concatenate([np.minimum(sessions.off, from_[host])[kept], heard[2], later.off]),
        np.concatenate([sessions.boot[kept], np.ones(len(heard[0]), dtype=np.bool_), later_boot]),
    )


def _kept(crashes: Crashes, sessions: Sessions, hosts: Indices, onset: Moments, back: Moments, size: int) -> Crashes:
    """Earlier crashes without those of a struck host's lost time, or that its return has written over."""
    from_, until = np.full(size, NEVER), np.full(size, NEVER)
    from_[hosts], until[hosts] = onset, back
    lost = (crashes.at >= from_[crashes.host]) & (crashes.at <= until[crashes.host])
    number = sessions.at(crashes.host, crashes.at - 1)
    ended = (number >= 0) & (sessions.off[number] == crashes.at)
    holds = sessions.online(crashes.host, crashes.at)
    after = crashes.at > until[crashes.host]
    return crashes.where(~lost & (~after | ended | holds))
