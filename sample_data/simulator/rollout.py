"""Releases and how they reach hosts.

Installs are one matrix of moments, updates x hosts: applied[u, h] is when update u took effect on host h,
NEVER where it did not. That keeps "what had this host by then" a comparison, whatever happens to it later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fleetcrash.errors import BadArgument
from sample_data.simulator.clock import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    Clock,
    Flags,
    Indices,
    Moments,
    chance,
    lognormal_ms,
    uniform_ms,
)
from sample_data.simulator.condition import selected, version_key
from sample_data.simulator.fleet import Fleet
from sample_data.simulator.release_plan import BackgroundUpdates, Rollout
from sample_data.simulator.scenario import PlannedUpdate, Scenario
from sample_data.simulator.sessions import Sessions

# Releases by hour of the day, UTC: more while the vendor works, none of the hours without.
_RELEASE_HOURS = np.array([3, 2, 2, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 7, 7, 8, 8, 7, 6, 5, 5, 4, 3], dtype=float)

# Putting off an install until a host is online again is tried so often; a host that sleeps through as many
# moments in a row gets it after the simulation.
_TRIES = 6


@dataclass(frozen=True)
class Update:
    """One release; moments in ms since start, NEVER where there is none.

    Attributes:
        name: of the scenario's file; empty for the background's.
        listed_at: when its record became known; NEVER: the record does not say.
        removal: how hosts are rid of it from the withdrawal on; None: they keep it.
    """

    update_id: str
    name: str
    kind: str
    channel: str
    version: str
    released: int
    reverted: int
    listed_at: int
    where: dict[str, str]
    rollout: Rollout
    removal: Rollout | None = None


def make_updates(scenario: Scenario, clock: Clock, seed: int) -> tuple[Update, ...]:
    """All releases of a simulation in order of release: the listed ones, and the background's by chance.

    Raises:
        BadArgument: two updates would have the same id.
    """
    updates = [
        *_listed(scenario.updates, clock, seed),
        *_background(scenario.mix.background_updates, clock, seed, scenario.updates),
    ]
    updates.sort(key=lambda update: (update.released, update.update_id))
    ids = [update.update_id for update in updates]
    for first, second in zip(sorted(ids), sorted(ids)[1:], strict=False):
        if first == second:
            raise BadArgument(
                f"{scenario.name}.toml: two updates are {first}; wanted another version. Nothing was written."
            )
    return tuple(updates)


def _listed(planned: Sequence[PlannedUpdate], clock: Clock, seed: int) -> list[Update]:
    """The scenario's own updates; one that falls before the first day is left out."""
    rng = chance(seed, "listed updates")
    released: dict[str, int] = {}
    updates = []
    for plan in planned:
        drawn, lag = rng.random(2)
        moment = plan.start.moment(clock, released, float(drawn))
        released[plan.name] = moment
        reverted = NEVER
        if plan.reverted_after_min is not None:
            reverted = moment + round(plan.reverted_after_min * MINUTE)
        channel = plan.channel or {"agent": "", "os_patch": ""}.get(plan.kind, plan.kind)
        version = plan.version or str(_first_version(channel) + 50)
        update = _update(plan.name, plan.kind, channel, version, moment, plan.where, plan.rollout, lag)
        if 0 <= moment < clock.end:
            updates.append(replace(update, reverted=reverted, removal=plan.removal))
    return updates


def _update(
    name: str,
    kind: str,
    channel: str,
    version: str,
    released: int,
    where: dict[str, str],
    rollout: Rollout,
    lag: float,
) -> Update:
    # A third of the catalogue's records say nothing of their own arrival; the others come within two minutes.
    listed_at = NEVER if lag < 0.33 else released + round((1 + 100 * (lag - 0.33)) * SECOND)
    parts = [kind, channel, version] if channel else [kind, version]
    return Update("-".join(parts), name, kind, channel, version, released, NEVER, listed_at, where, rollout)


def _first_version(channel: str) -> int:
    """Where a channel's numbering stands when a simulation begins; the same for each channel every time."""
    return 20 + sum(ord(letter) * (place + 3) for place, letter in enumerate(channel)) % 180


def first_channel_versions(settings: BackgroundUpdates, updates: Sequence[Update]) -> dict[str, str]:
    """The version of each content channel that hosts have before the first release."""
    versions = {channel: str(_first_version(channel)) for channel in settings.channels}
    for update in reversed([update for update in updates if update.kind == "content"]):
        if update.version.isdecimal():
            versions[update.channel] = str(int(update.version) - 1)
    return dict(sorted(versions.items()))


def _background(settings: BackgroundUpdates, clock: Clock, seed: int, planned: Sequence[PlannedUpdate]) -> list[Update]:
    rng = chance(seed, "background updates")
    # A channel or agent that the scenario speaks of is the scenario's: it would otherwise supersede the
    # fault.
    taken = {plan.channel for plan in planned} | {plan.version for plan in planned}
    channels = [channel for channel in settings.channels if channel not in taken]
    agents = [version for version in settings.next_agents if version not in taken]
    patches = [patch for patch in settings.patches if patch.os_build not in taken]
    drivers = [driver for driver in settings.drivers if driver.channel not in taken]
    policies = [channel for channel in settings.policies if channel not in taken]
    versions: dict[str, int] = {}
    updates: list[Update] = []

    def numbered(channel: str) -> str:
        versions[channel] = versions.get(channel, _first_version(channel)) + 1
        return str(versions[channel])

    def released(day: int) -> int:
        hour = rng.choice(24, p=_RELEASE_HOURS / _RELEASE_HOURS.sum())
        return int(day * DAY + hour * HOUR + rng.integers(0, HOUR))

    def rollout(choices: tuple[tuple[float, Rollout], ...]) -> Rollout:
        weights = np.array([weight for weight, _ in choices])
        return choices[int(rng.choice(len(choices), p=weights / weights.sum()))][1]

    for day in range(int(clock.end // DAY)):
        low, high = (int(bound) for bound in settings.content_per_day)
        moments = sorted(released(day) for _ in range(int(rng.integers(low, high + 1))))
        for moment in moments if channels else []:
            channel = str(rng.choice(channels))
            where = {"os_type": "windows"} if channel in settings.windows_only_channels else {}
            way = rollout(settings.content_rollouts)
            updates.append(_update("", "content", channel, numbered(channel), moment, where, way, float(rng.random())))
        counts = {
            kind: int(rng.poisson(rate))
            for kind, rate in (
                ("agent", settings.agent_per_day),
                ("os_patch", settings.os_patch_per_day),
                ("driver", settings.driver_per_day),
                ("policy", settings.policy_per_day),
            )
        }
        for kind, count in counts.items():
            for _ in range(count):
                moment, lag = released(day), float(rng.random())
                way = rollout(settings.slow_rollouts)
                if kind == "agent" and agents:
                    updates.append(_update("", kind, "", agents.pop(0), moment, {}, way, lag))
                elif kind == "os_patch" and patches:
                    patch = patches.pop(int(rng.integers(0, len(patches))))
                    updates.append(_update("", kind, "", patch.os_build, moment, patch.where, way, lag))
                elif kind == "driver" and drivers:
                    driver = drivers[int(rng.integers(0, len(drivers)))]
                    version = numbered(driver.channel)
                    updates.append(_update("", kind, driver.channel, version, moment, driver.where, way, lag))
                elif kind == "policy" and policies:
                    channel = str(rng.choice(policies))
                    updates.append(_update("", kind, channel, numbered(channel), moment, {}, way, lag))
    return updates


def offered(update: Update, fleet: Fleet, rng: np.random.Generator) -> tuple[Flags, Moments]:
    """Who an update is for, and when it would reach each host if it never slept.

    Returns:
        flags, one a host; moments in ms since start, NEVER where it is not for the host.
    """
    rollout, size = update.rollout, fleet.size
    wanted = selected(update.where, fleet.columns(), size) & (rng.random(size) < rollout.share)
    if update.kind in ("agent", "os_patch"):
        # Nobody is sent back to an older version.
        column = fleet.agent_version if update.kind == "agent" else fleet.os_build
        names, position = np.unique(column.astype(str), return_inverse=True)
        older = np.array([version_key(str(name)) < version_key(update.version) for name in names])
        wanted &= older[position]
    moments = _reached(rollout, update.released, fleet, rng)
    wanted &= moments < NEVER
    return wanted, np.where(wanted, moments, NEVER)


def _reached(rollout: Rollout, begin: int, fleet: Fleet, rng: np.random.Generator) -> Moments:
    """When a rollout that begins at a moment would reach each host; NEVER where its ring has no turn."""
    if rollout.by == "exponential":
        delay = np.rint(rng.exponential(rollout.median_s / np.log(2), fleet.size) * SECOND).astype(np.int64)
    elif rollout.by == "poll":
        period = round(rollout.period_s * SECOND)
        delay = (np.rint(fleet.poll_phase * period).astype(np.int64) - begin) % period
    else:
        delay = lognormal_ms(rng, fleet.size, rollout.median_s, rollout.spread)
    moments = np.asarray(begin + delay, dtype=np.int64)
    if rollout.by == "staged":
        turn = {stage.ring: round(stage.after_min * MINUTE) for stage in rollout.stages}
        waits = np.array([turn.get(str(ring), NEVER) for ring in fleet.ring], dtype=np.int64)
        moments = np.where(waits < NEVER, moments + np.where(waits < NEVER, waits, 0), NEVER)
    return moments


def take_back(updates: Sequence[Update], fleet: Fleet, seed: int) -> Moments:
    """When withdrawals would reach hosts that never sleep: updates x hosts, ms since start, NEVER where none does."""
    removed = np.full((len(updates), fleet.size), NEVER, dtype=np.int64)
    for row, update in enumerate(updates):
        if update.removal is not None:
            rng = chance(seed, f"removal of {update.update_id}")
            taken = rng.random(fleet.size) < update.removal.share
            removed[row] = np.where(taken, _reached(update.removal, update.reverted, fleet, rng), NEVER)
    return removed


def put_off(
    sessions: Sessions, hosts: Indices, moments: Moments, wake_median_s: float, rng: np.random.Generator
) -> Moments:
    """Move what falls into a host's absence to shortly after its next wake; NEVER where it never wakes."""
    moments = moments.copy()
    for _ in range(_TRIES):
        delay = lognormal_ms(rng, len(hosts), wake_median_s, 0.8, at_most_s=900)
        offline = (moments < NEVER) & ~sessions.online(hosts, moments)
        begins = sessions.next_begin(hosts, moments)
        moments = np.where(offline, np.where(begins < NEVER, begins + delay, NEVER), moments)
    return np.where((moments < NEVER) & sessions.online(hosts, moments), moments, NEVER)


def roll_out(updates: Sequence[Update], fleet: Fleet, sessions: Sessions, seed: int) -> tuple[Moments, Sessions]:
    """Install every update where and when its rollout takes it; an OS patch reboots its host.

    Returns:
        applied, updates x hosts, ms since start; and the sessions, cut by the patches' reboots.
    """
    applied = np.full((len(updates), fleet.size), NEVER, dtype=np.int64)
    hosts = np.arange(fleet.size, dtype=np.int64)
    # Patches first: their reboots decide when hosts are online for everything else.
    for row, update in sorted(enumerate(updates), key=lambda item: (item[1].kind != "os_patch", item[0])):
        rng = chance(seed, f"rollout of {update.update_id}")
        _, moments = offered(update, fleet, rng)
        moments = put_off(sessions, hosts, moments, update.rollout.wake_median_s, rng)
        moments = np.where(moments < update.reverted, moments, NEVER)
        if update.kind == "os_patch":
            sessions, moments = _reboot(sessions, moments, rng)
        applied[row] = moments
    return applied, sessions


def _reboot(sessions: Sessions, moments: Moments, rng: np.random.Generator) -> tuple[Sessions, Moments]:
    """Reboot each host at its moment; the patch has taken effect seconds after the boot."""
    hosts = np.flatnonzero(moments < NEVER)
    at = moments[hosts]
    down = uniform_ms(rng, len(hosts), 90, 420)
    settled = uniform_ms(rng, len(hosts), 2, 15)
    number = sessions.at(hosts, at)
    # In a session's first moment there is nothing yet to cut.
    inside = at > sessions.on[number]
    cut = sessions.cut(number[inside], at[inside], (at + down)[inside])
    begins = cut.next_begin(hosts, at)
    result = np.full(len(moments), NEVER, dtype=np.int64)
    result[hosts] = np.where(begins < NEVER, begins + settled, NEVER)
    return cut, result


def settle(applied: Moments, updates: Sequence[Update], sessions: Sessions, seed: int) -> Moments:
    """Installs as they are once sessions have changed under them.

    What falls into an absence waits for the host's next wake, is dropped where the update was withdrawn by
    then, and where a newer release of the same kind and channel has come first. Settling twice changes
    nothing.
    """
    hosts = np.arange(applied.shape[1], dtype=np.int64)
    result = np.empty_like(applied)
    for row, update in enumerate(updates):
        rng = chance(seed, f"waiting for {update.update_id}")
        moments = put_off(sessions, hosts, applied[row], update.rollout.wake_median_s, rng)
        result[row] = np.where(moments < update.reverted, moments, NEVER)
    return _in_order_of_release(result, updates)


def newer_releases(updates: Sequence[Update], row: int) -> list[int]:
    """The rows of an update's later releases, of the same kind and channel."""
    line = (updates[row].kind, updates[row].channel)
    return [later for later in range(row + 1, len(updates)) if (updates[later].kind, updates[later].channel) == line]


def settle_removals(
    removed: Moments, applied: Moments, updates: Sequence[Update], sessions: Sessions, seed: int
) -> Moments:
    """Removals as they are once sessions or installs have changed under them.

    What falls into an absence waits for the host's next wake; there is nothing to remove where the update was not
    installed, or a newer release of the same kind and channel has come first.
    """
    hosts = np.arange(removed.shape[1], dtype=np.int64)
    result = removed.copy()
    for row, update in enumerate(updates):
        if update.removal is not None:
            rng = chance(seed, f"waiting for the removal of {update.update_id}")
            moments = put_off(sessions, hosts, removed[row], update.removal.wake_median_s, rng)
            newer = newer_releases(updates, row)
            there = (moments > applied[row]) & (moments < applied[newer].min(axis=0, initial=NEVER))
            result[row] = np.where(there, moments, NEVER)
    return result


def _in_order_of_release(applied: Moments, updates: Sequence[Update]) -> Moments:
    """Leave out installs of what a newer release of the same kind and channel had already replaced."""
    result = applied.copy()
    newest: dict[tuple[str, str], Moments] = {}
    for row in range(len(updates) - 1, -1, -1):
        update = updates[row]
        line = (update.kind, update.channel)
        later = newest.get(line, np.full(applied.shape[1], NEVER, dtype=np.int64))
        result[row] = np.where(result[row] < later, result[row], NEVER)
        newest[line] = np.minimum(later, result[row])
    return result


def values_at(
    kind: str,
    first: np.ndarray,
    hosts: Indices,
    moments: Moments,
    applied: Moments,
    updates: Sequence[Update],
) -> np.ndarray:
    """Agent version or OS build of hosts at given moments: the newest install by then, else the first."""
    values = first[hosts].copy()
    latest = np.full(len(hosts), -NEVER, dtype=np.int64)
    for row, update in enumerate(updates):
        if update.kind == kind:
            at = applied[row, hosts]
            newer = (at <= moments) & (at > latest)
            values[newer] = update.version
            latest[newer] = at[newer]
    return values
