"""Hosts that crash from some minute on, whatever they have installed: a customer's driver, one broken machine."""

from __future__ import annotations

import numpy as np

from sample_data.simulator.catalogue import choose_clusters
from sample_data.simulator.clock import MINUTE, Indices, chance, uniform_ms
from sample_data.simulator.crashes import Crashes
from sample_data.simulator.fault_plan import DOMAINS
from sample_data.simulator.rival_plan import Wave
from sample_data.simulator.rivals import Met
from sample_data.simulator.sessions import Sessions
from sample_data.simulator.setting import Setting

_DOWN_S = (60, 180)
# A machine that crashes every few minutes all day long stays below this.
_TIMES = 600


def sweep(setting: Setting, sessions: Sessions) -> tuple[Crashes, Sessions]:
    """Let waves crash their hosts, each host as often as its wave has it.

    Returns:
        the crashes, and the sessions that they cut.
    """
    fleet, catalogue, zipf = setting.fleet, setting.catalogue, setting.plan.mix.background_crashes.zipf
    first_own = catalogue.own + len(setting.plan.faults)
    found = [Crashes.none()]
    for number, (met, wave) in enumerate(setting.rivals.waves):
        rng = chance(setting.seed, f"wave {number}")
        hosts = met.hosts(fleet)
        hosts = hosts[rng.random(len(hosts)) < wave.share]
        if wave.hosts:
            hosts = np.sort(rng.permutation(hosts)[: wave.hosts])
        cluster = np.full(fleet.size, first_own + number)
        if not wave.look.module:
            # One thing is wrong with each of these hosts.
            cluster[hosts] = choose_clusters(catalogue, fleet.os_type[hosts], fleet.model[hosts], zipf, rng)
        theirs = np.isin(sessions.host, hosts)
        crashes, swept = _crash(setting, met, wave, hosts, cluster, sessions.where(theirs), rng)
        found.append(crashes)
        sessions = sessions.where(~theirs) + swept
    return Crashes.joined(found), sessions


def _crash(
    setting: Setting,
    met: Met,
    wave: Wave,
    hosts: Indices,
    cluster: Indices,
    sessions: Sessions,
    rng: np.random.Generator,
) -> tuple[Crashes, Sessions]:
    """The crashes of one wave, round by round, on the sessions of its hosts.

    Args:
        cluster: of the crashes of each host of the fleet.
    """
    found = [Crashes.none()]
    until = min(met.begin + round(wave.lasts_min * MINUTE), setting.clock.end)
    since = np.full(len(hosts), met.begin, dtype=np.int64)
    ends = setting.catalogue.domains() != DOMAINS.index("user")
    for _ in range(_TIMES if len(sessions.host) else 0):
        at = sessions.after_online(hosts, since, wave.after.drawn_ms(len(hosts), rng))
        hit = at < until
        hosts, at = hosts[hit], at[hit]
        found.append(Crashes.usual(hosts, at, cluster[hosts]))
        since = at + uniform_ms(rng, len(hosts), *_DOWN_S)
        falls = ends[cluster[hosts]]
        sessions = sessions.cut(sessions.at(hosts, at)[falls], at[falls], since[falls])
        again = rng.random(len(hosts)) < wave.recurs
        hosts, since = hosts[again], since[again]
        if not len(hosts):
            break
    return Crashes.joined(found), sessions
