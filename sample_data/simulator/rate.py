"""An update that changes how often its hosts crash, without ever striking one: some more, or some fewer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sample_data.simulator.catalogue import choose_clusters
from sample_data.simulator.clock import MINUTE, NEVER, Indices, Moments
from sample_data.simulator.crashes import crash_at_rates, usual_rates
from sample_data.simulator.fault import Case, World, exposed
from sample_data.simulator.sessions import Sessions

# A boot within so long after a crash that did not happen would not have happened either.
_ITS_REBOOT = 20 * MINUTE


def change_rate(world: World, case: Case, rng: np.random.Generator) -> World:
    """Multiply the crash rates of the hosts that have an update, from its install until they are rid of it.

    What comes on top has the fault's module, or where it names none the looks of any crash.
    """
    setting, fleet, fault = case.setting, case.setting.fleet, case.fault
    hosts, moments = exposed(world, case)
    since, until = np.full(fleet.size, NEVER), np.full(fleet.size, NEVER)
    since[hosts], until[hosts] = moments, case.saved(world, hosts)
    if fault.factor < 1:
        return _fewer(world, (since, until), fault.factor, rng)

    def choose(host: Indices) -> Indices:
        if fault.look.module:
            return np.full(len(host), case.cluster, dtype=np.int64)
        zipf = setting.plan.mix.background_crashes.zipf
        return choose_clusters(setting.catalogue, fleet.os_type[host], fleet.model[host], zipf, rng)

    rates = usual_rates(setting) * (fault.factor - 1) * (since < NEVER)
    more, sessions = crash_at_rates(setting, world.sessions, rates, (since, until), choose, rng)
    crashes = (world.crashes + more).that_fit(sessions)
    return replace(world, sessions=sessions, crashes=crashes).struck_by(case, more.host, more.at)


def _fewer(world: World, span: tuple[Moments, Moments], factor: float, rng: np.random.Generator) -> World:
    """The world in which a share of its crashes in a span did not happen, nor the reboots after them."""
    crashes, sessions = world.crashes, world.sessions
    since, until = (ends[crashes.host] for ends in span)
    spared = (crashes.at >= since) & (crashes.at < until) & (rng.random(len(crashes.at)) >= factor)
    host, at = crashes.host[spared], crashes.at[spared]
    number = sessions.at(host, at - 1)
    following = np.minimum(number + 1, len(sessions.host) - 1)
    rebooted = (
        (number >= 0)
        & (sessions.off[number] == at)
        & (sessions.host[following] == host)
        & (sessions.on[following] >= at)
        & (sessions.on[following] < at + _ITS_REBOOT)
    )
    goes_on = np.zeros(len(sessions.host), dtype=np.bool_)
    goes_on[following[rebooted]] = True
    first = np.flatnonzero(~goes_on)
    last = np.append(first[1:], len(sessions.host)) - 1
    healed = Sessions(sessions.host[first], sessions.on[first], sessions.off[last], sessions.boot[first])
    return replace(world, sessions=healed, crashes=crashes.where(~spared))
