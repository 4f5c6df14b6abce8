"""The crashes of an ordinary day: a rate of its own for every host, and higher just after a boot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sample_data.simulator.catalogue import choose_clusters
from sample_data.simulator.clock import (
    DAY,
    MINUTE,
    NEVER,
    SECOND,
    Flags,
    Indices,
    Moments,
    Numbers,
    chance,
    uniform_ms,
)
from sample_data.simulator.fault_plan import DOMAINS
from sample_data.simulator.mix import BackgroundCrashes
from sample_data.simulator.sessions import Sessions
from sample_data.simulator.setting import Setting

_USER = DOMAINS.index("user")
_HANG = DOMAINS.index("hang")

# A host that crashes again after each of so many reboots is left alone until its next session.
_ROUNDS = 8


@dataclass(frozen=True)
class Crashes:
    """Crashes as columns.

    Attributes:
        host: number of the host.
        at: when it happened, by true time; ms since start. Unless the crash is a user program's, the host's
            session ends then.
        cluster: number in the catalogue.
        at_reboot: known from the next boot for certain, and not by the chance that any crash has.
    """

    host: Indices
    at: Moments
    cluster: Indices
    at_reboot: Flags

    @classmethod
    def none(cls) -> Crashes:
        """No crashes."""
        nothing = np.array([], dtype=np.int64)
        return cls.usual(nothing, nothing, nothing)

    @classmethod
    def joined(cls, parts: Sequence[Crashes]) -> Crashes:
        """All crashes of some parts (at least one), in their order."""
        columns = ([getattr(part, name) for part in parts] for name in ("host", "at", "cluster", "at_reboot"))
        return cls(*(np.concatenate(column) for column in columns))

    @classmethod
    def usual(cls, host: Indices, at: Moments, cluster: Indices) -> Crashes:
        """Crashes that are noticed as any crash is."""
        return cls(host, at, cluster, np.zeros(len(host), dtype=np.bool_))

    def where(self, kept: Flags) -> Crashes:
        """The crashes that are flagged."""
        return Crashes(self.host[kept], self.at[kept], self.cluster[kept], self.at_reboot[kept])

    def __add__(self, other: Crashes) -> Crashes:
        return Crashes.joined([self, other])

    def that_fit(self, sessions: Sessions) -> Crashes:
        """The crashes that still end a session of their host, or lie within one: not those written over since."""
        number = sessions.at(self.host, self.at - 1)
        ends = (number >= 0) & (sessions.off[number] == self.at)
        return self.where(ends | sessions.online(self.host, self.at))


def usual_rates(setting: Setting) -> Numbers:
    """How often each host crashes, per ms online long after a boot."""
    per_host_day = setting.plan.mix.background_crashes.per_host_day
    base = np.array([per_host_day.get(name, 0.0) for name in setting.fleet.os_type]) / DAY
    return np.asarray(base * setting.fleet.hazard, dtype=np.float64)


def crash_in_the_background(setting: Setting, sessions: Sessions) -> tuple[Crashes, Sessions]:
    """Let hosts crash at their usual rate from the first day on.

    Returns:
        the crashes, and the sessions that they cut.
    """
    fleet, catalogue, zipf = setting.fleet, setting.catalogue, setting.plan.mix.background_crashes.zipf
    rng = chance(setting.seed, "background crashes")
    usual = choose_clusters(catalogue, fleet.os_type, fleet.model, zipf, chance(setting.seed, "noisy hosts"))

    def choose(host: Indices) -> Indices:
        # A noisy host has one thing wrong with it; the others crash in whatever way comes.
        cluster = choose_clusters(catalogue, fleet.os_type[host], fleet.model[host], zipf, rng)
        return np.where(fleet.noisy[host], usual[host], cluster)

    always = (np.zeros(fleet.size, dtype=np.int64), np.full(fleet.size, NEVER))
    return crash_at_rates(setting, sessions, usual_rates(setting), always, choose, rng)


def crash_at_rates(
    setting: Setting,
    sessions: Sessions,
    rate: Numbers,
    span: tuple[Moments, Moments],
    choose: Callable[[Indices], Indices],
    rng: np.random.Generator,
) -> tuple[Crashes, Sessions]:
    """Let each host crash at a rate of its own, higher just after a boot or a wake.

    Args:
        rate: of each host, per ms online long after a boot; >= 0.
        span: since and until when, of each host.
        choose: the clusters of crashes on these hosts.
    Returns:
        the crashes, and the sessions that they cut.
    """
    settings, domains = setting.plan.mix.background_crashes, setting.catalogue.domains()
    since, until = span
    found = [Crashes.none()]
    at = _first_crash(sessions, rate, since, settings, rng)
    for _ in range(_ROUNDS):
        number = np.flatnonzero((at < sessions.off) & (at < until[sessions.host]))
        host = sessions.host[number]
        cluster = choose(host)
        found.append(Crashes.usual(host, at[number], cluster))
        down = np.where(
            domains[cluster] == _HANG,
            uniform_ms(rng, len(host), *settings.hang_reset_s),
            uniform_ms(rng, len(host), *settings.reboot_s),
        )
        ends = domains[cluster] != _USER
        resumed_at = (at[number] + down)[ends]
        sessions = sessions.cut(number[ends], at[number][ends], resumed_at)
        # Only what began with these reboots is looked at again; everything else has had its draw.
        begun = sessions.at(host[ends], resumed_at)
        fresh = np.zeros(len(sessions.host), dtype=np.bool_)
        fresh[begun[(begun >= 0) & (sessions.on[begun] == resumed_at)]] = True
        at = np.where(fresh, _first_crash(sessions, rate, since, settings, rng), sessions.off)
    return Crashes.joined(found), sessions


def _first_crash(
    sessions: Sessions, rate: Numbers, since: Moments, settings: BackgroundCrashes, rng: np.random.Generator
) -> Moments:
    """When each session's host would first crash, by its inverted cumulative hazard; off or later: never.

    The hazard is ``factor * rate`` for the first minutes after a boot or a wake, and ``rate`` from then on.
    """
    begin = np.maximum(sessions.on, since[sessions.host])
    factor = np.where(sessions.boot, settings.boot_factor, settings.wake_factor)
    early_min = np.where(sessions.boot, settings.boot_min, settings.wake_min)
    early = np.maximum(sessions.on + early_min * MINUTE - begin, 0.0)
    own = np.maximum(rate[sessions.host], 1e-30)
    budget = rng.exponential(1.0, len(begin))
    spent_early = own * factor * early
    soon = budget / np.maximum(own * factor, 1e-30)
    late = early + (budget - spent_early) / own
    after = np.where(budget < spent_early, soon, late)
    # A second at least: a session's first heartbeat comes before its crash.
    moments = begin + np.maximum(np.minimum(after, 1e15), SECOND).astype(np.int64)
    return np.asarray(np.maximum(moments, begin + SECOND), dtype=np.int64)
