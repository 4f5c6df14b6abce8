"""From what happened to what was heard: when reports and acknowledgements arrive, and what a report says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data.simulator.catalogue import choose_codes, module_versions
from sample_data.simulator.clock import (
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    Flags,
    Indices,
    Moments,
    Numbers,
    chance,
    lognormal_ms,
    uniform_ms,
)
from sample_data.simulator.fault import World
from sample_data.simulator.fault_plan import DOMAINS
from sample_data.simulator.mix import Reports
from sample_data.simulator.rollout import first_channel_versions, values_at
from sample_data.simulator.sessions import Sessions
from sample_data.simulator.setting import Setting

# A session shorter than this is a boot of a loop: what is sent at all is sent within it.
_SHORT = 5 * MINUTE
# A crash within so long after an install can have kept the host from acknowledging it.
_AT_ONCE = MINUTE

QUALITIES = ("exact", "reboot", "log")
_REBOOT = QUALITIES.index("reboot")


@dataclass(frozen=True)
class HeardCrashes:
    """Crash reports as columns; moments in ms since start."""

    crash_id: np.ndarray
    host: Indices
    occurred: Moments
    received: Moments
    quality: np.ndarray
    os_version: np.ndarray
    os_build: np.ndarray
    agent_version: np.ndarray
    domain: np.ndarray
    code: np.ndarray
    cluster: Indices
    module_version: np.ndarray
    uptime_s: Numbers  # NaN where the report does not say
    content: list[dict[str, str] | None]
    tags: list[dict[str, str] | None]


@dataclass(frozen=True)
class HeardInstalls:
    """Install acknowledgements as columns; ``update`` is the update's row, moments in ms since start."""

    host: Indices
    update: Indices
    applied: Moments
    received: Moments
    removed: Flags


def report_crashes(world: World, setting: Setting) -> HeardCrashes:
    """The crash reports that arrived before the end, in order of arrival."""
    fleet, updates, catalogue = setting.fleet, setting.updates, setting.catalogue
    reports = setting.plan.mix.reports
    rng = chance(setting.seed, "crash reports")
    crashes, sessions = world.crashes, world.sessions
    order = np.lexsort((crashes.host, crashes.at))
    host, at, cluster = crashes.host[order], crashes.at[order], crashes.cluster[order]
    size = len(host)
    domain = np.array(DOMAINS, dtype=object)[catalogue.domains()[cluster]]
    user = domain == "user"

    contact = np.where(user, at, sessions.next_begin(host, at))
    received = _received_crashes(sessions, host, contact, user, reports, rng)
    received = _held_back(received, host, setting)

    quality = _qualities(user, crashes.at_reboot[order], reports, rng)
    # Noticed at the next boot: its time is that boot's, seconds before the agent was online.
    boot_takes = uniform_ms(rng, size, 5, 25)
    occurred = np.where(quality == _REBOOT, np.maximum(contact - boot_takes, at + SECOND), at)

    number = sessions.at(host, at - 1)
    booted = sessions.booted_at(fleet.booted_before)[number]
    uptime = np.round((at - booted) / SECOND, 1)
    silent_on_uptime = (quality == _REBOOT) | (rng.random(size) < 0.05)
    agent = values_at("agent", fleet.agent_version, host, at, world.applied, updates)
    build = values_at("os_patch", fleet.os_build, host, at, world.applied, updates)
    names = rng.integers(0, 2**63, size)
    tags = _tags(fleet.life[host], reports, rng)

    kept = np.flatnonzero(received <= setting.clock.end)
    kept = kept[np.argsort(received[kept], kind="stable")]
    # Sent twice, word for word: the acknowledgement of the first was lost.
    twice = rng.random(len(kept)) < reports.duplicates
    kept = np.concatenate([kept, kept[twice]])
    code = choose_codes(catalogue, cluster, rng)
    version = module_versions(catalogue, cluster, fleet.old_drivers[host], agent, build)
    return HeardCrashes(
        crash_id=np.array([f"crash-{name:016x}" for name in names[kept]], dtype=object),
        host=host[kept],
        occurred=(occurred + _clocks_ahead(setting)[host])[kept],
        received=received[kept],
        quality=np.array(QUALITIES, dtype=object)[quality[kept]],
        os_version=fleet.os_version[host[kept]],
        os_build=build[kept],
        agent_version=agent[kept],
        domain=domain[kept],
        code=code[kept],
        cluster=cluster[kept],
        module_version=version[kept],
        uptime_s=np.where(silent_on_uptime, np.nan, uptime)[kept],
        content=_content(world, setting, host[kept], at[kept]),
        tags=list(tags[kept]),
    )


def _qualities(user: Flags, at_reboot: Flags, reports: Reports, rng: np.random.Generator) -> Indices:
    """How the time of each crash is known, a position in QUALITIES; that of a program's always exactly."""
    bounds = [1 - reports.noticed_at_reboot - reports.from_a_log, 1 - reports.from_a_log]
    drawn = np.where(user, 0, np.searchsorted(bounds, rng.random(len(user)), side="right"))
    return np.where(at_reboot, _REBOOT, drawn)


def _tags(life: np.ndarray, reports: Reports, rng: np.random.Generator) -> np.ndarray:
    """The tags of each report; None: it has none."""
    size = len(life)
    tagged = rng.random(size) < reports.with_tags
    dumps = np.array(["mini", "kernel", "none"], dtype=object)[rng.choice(3, size, p=[0.7, 0.2, 0.1])]
    powers = np.where((life == "office") & (rng.random(size) < 0.4), "battery", "mains")
    tags = np.full(size, None, dtype=object)
    tags[tagged] = [{"dump": dump, "power": power} for dump, power in zip(dumps[tagged], powers[tagged], strict=True)]
    return tags


def _received_crashes(
    sessions: Sessions,
    host: Indices,
    contact: Moments,
    user: Flags,
    reports: Reports,
    rng: np.random.Generator,
) -> Moments:
    """When reports arrive: minutes after the host is back, within a short boot, or hours later."""
    size = len(host)
    delay = lognormal_ms(rng, size, reports.crash_median_s, reports.crash_spread, at_most_s=2 * 3600)
    delay = np.where(user, delay // 3, delay)
    late = rng.random(size) < reports.crash_late
    hours = lognormal_ms(rng, size, reports.crash_late_median_hours * 3600, 0.8, at_most_s=20 * 3600)
    within = rng.uniform(0.2, 0.9, size)

    known = contact < NEVER
    received = np.full(size, NEVER, dtype=np.int64)
    # after_online: a laptop that is closed before the report is out sends it when it is opened again.
    received[known] = sessions.after_online(host[known], contact[known], delay[known])
    number = sessions.at(host, np.where(known, contact, 0))
    length = np.where(known & (number >= 0), sessions.off[number] - contact, 0)
    brief = known & ~user & (length < _SHORT)
    received = np.where(brief, contact + np.rint(within * length).astype(np.int64), received)
    again = np.where(known, contact + hours, 0)
    at_last = np.full(size, NEVER, dtype=np.int64)
    at_last[known] = sessions.after_online(host[known], again[known], np.minimum(delay, MINUTE)[known])
    return np.where(late & ~brief, at_last, received)


def _held_back(received: Moments, host: Indices, setting: Setting) -> Moments:
    """What would arrive during a backlog arrives within minutes of its end."""
    for number, (met, backlog) in enumerate(setting.rivals.backlogs):
        rng = chance(setting.seed, f"backlog {number}")
        end = met.begin + round(backlog.lasts_min * MINUTE)
        held = np.isin(host, met.hosts(setting.fleet)) & (received >= met.begin) & (received < end)
        received = np.where(held, end + lognormal_ms(rng, len(received), 60, 0.8), received)
    return received


def _clocks_ahead(setting: Setting) -> Moments:
    """By how much each host's clock is ahead, in ms; negative is behind."""
    ahead = np.zeros(setting.fleet.size, dtype=np.int64)
    for number, (met, clocks) in enumerate(setting.rivals.wrong_clocks):
        rng = chance(setting.seed, f"wrong clocks {number}")
        hosts = met.hosts(setting.fleet)
        hosts = hosts[rng.random(len(hosts)) < clocks.share]
        ahead[hosts] = uniform_ms(rng, len(hosts), *(3600 * bound for bound in clocks.ahead_hours))
    return ahead


def _content(world: World, setting: Setting, host: Indices, at: Moments) -> list[dict[str, str] | None]:
    """The content map of each report: every channel's version on the host by then; None: it does not say."""
    says = setting.fleet.says_content[host]
    speaking = host[says]
    first = first_channel_versions(setting.plan.mix.background_updates, setting.updates)
    versions = {channel: np.full(len(speaking), version, dtype=object) for channel, version in first.items()}
    for row, update in enumerate(setting.updates):  # in order of release, which is their order on a host
        if update.kind == "content":
            there = (world.applied[row, speaking] <= at[says]) & (world.removed[row, speaking] > at[says])
            versions[update.channel][there] = update.version
    channels = list(versions)
    rows = iter(zip(*versions.values(), strict=True))
    return [dict(zip(channels, next(rows), strict=True)) if speaks else None for speaks in says]


def acknowledge_installs(world: World, setting: Setting) -> HeardInstalls:
    """The install acknowledgements that are sent at all and arrived before the end, update by update.

    The delivery service sends them, so they do not wait for the host, except the late ones: those come with
    the host's next good contact. Whether one is late does not hang on what the update did to the host, but
    for one case: a host that crashed within seconds may have gone before it could say that it had installed.
    """
    reports, end = setting.plan.mix.reports, setting.clock.end
    rng = chance(setting.seed, "acknowledgements")
    update, host = np.nonzero(world.applied < end)
    applied = world.applied[update, host]
    gone_update, gone_host = np.nonzero(world.removed < end)
    removed = np.concatenate([np.zeros(len(host), np.bool_), np.ones(len(gone_host), np.bool_)])
    applied = np.concatenate([applied, world.removed[gone_update, gone_host]])
    update, host = np.concatenate([update, gone_update]), np.concatenate([host, gone_host])

    size = len(host)
    received = applied + lognormal_ms(rng, size, reports.install_median_s, reports.install_spread, 600)
    struck = world.struck.min(axis=0, initial=NEVER)[host]
    lost = ~removed & (struck >= applied) & (struck - applied < _AT_ONCE)
    drawn = rng.random(size)
    late = drawn < np.where(lost, reports.install_late_after_a_crash, reports.install_late)
    wait = lognormal_ms(
        rng, size, reports.install_late_median_min * 60, reports.install_late_spread, at_most_s=12 * 3600
    )
    settles = uniform_ms(rng, size, 5, 60)
    rows = np.flatnonzero(late)
    received[rows] = world.sessions.after_online(
        host[rows], (applied + np.minimum(wait, 12 * HOUR))[rows], settles[rows]
    )
    received = _held_back(received, host, setting)
    told = np.array([row.kind in reports.installs_of for row in setting.updates])
    kept = np.flatnonzero((received <= end) & told[update])
    kept = kept[np.lexsort((host[kept], applied[kept], update[kept]))]
    applied += _clocks_ahead(setting)[host]
    return HeardInstalls(host[kept], update[kept], applied[kept], received[kept], removed[kept])
