"""Many hosts going offline at once for a reason that is no update: a region's power, a site's network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sample_data.simulator.catalogue import Catalogue, choose_clusters
from sample_data.simulator.clock import DAY, Clock, chance, uniform_ms
from sample_data.simulator.condition import selected
from sample_data.simulator.crashes import Crashes
from sample_data.simulator.fleet import Fleet
from sample_data.simulator.scenario import DOMAINS, Outage, moved_ms
from sample_data.simulator.sessions import Sessions


def fall_out(
    fleet: Fleet,
    sessions: Sessions,
    outages: Sequence[Outage],
    catalogue: Catalogue,
    zipf: float,
    clock: Clock,
    seed: int,
) -> tuple[Crashes, Sessions]:
    """Cut the sessions of hosts that an outage meets online; some crash as they go.

    Returns:
        those crashes, of ordinary clusters, and the sessions.
    """
    crashes = Crashes.none()
    for number, outage in enumerate(outages):
        rng = chance(seed, f"outage {number}")
        begin = _begin(outage, clock, rng)
        meant = selected(outage.where, fleet.columns(), fleet.size) & (rng.random(fleet.size) < outage.share)
        at = begin + uniform_ms(rng, fleet.size, 0, 90)
        back = at + uniform_ms(rng, fleet.size, *(60 * bound for bound in outage.lasts_min))
        falls = rng.random(fleet.size) < outage.crash
        hosts = np.flatnonzero(meant)
        held = sessions.at(hosts, at[hosts])
        met = (held >= 0) & (at[hosts] > sessions.on[held]) & (at[hosts] < sessions.off[held])
        hosts, held = hosts[met], held[met]
        sessions = sessions.cut(held, at[hosts], back[hosts])
        fallen = hosts[falls[hosts]]
        cluster = choose_clusters(catalogue, fleet.os_type[fallen], fleet.model[fallen], zipf, rng)
        at_reboot = rng.random(len(fallen)) < outage.noticed_at_reboot
        kernel = catalogue.domains()[cluster] != DOMAINS.index("user")
        crashes = crashes + Crashes(fallen, at[fallen], cluster, at_reboot).where(kernel)
    return crashes, sessions


def begins(outages: Sequence[Outage], clock: Clock, seed: int) -> list[int]:
    """When each outage begins, ms since start; its hosts go within a minute and a half."""
    return [_begin(outage, clock, chance(seed, f"outage {number}")) for number, outage in enumerate(outages)]


def _begin(outage: Outage, clock: Clock, rng: np.random.Generator) -> int:
    """The first number of the outage's own chance."""
    day = clock.judged_from + outage.day * DAY
    return day + moved_ms(outage.at_ms, outage.jitter_min, float(rng.random()))
