"""Many hosts going offline at once for a reason that is no update: a region's power, a site's network."""

from __future__ import annotations

from sample_data.simulator.catalogue import choose_clusters
from sample_data.simulator.clock import chance, uniform_ms
from sample_data.simulator.crashes import Crashes
from sample_data.simulator.fault_plan import DOMAINS
from sample_data.simulator.sessions import Sessions
from sample_data.simulator.setting import Setting


def fall_out(setting: Setting, sessions: Sessions) -> tuple[Crashes, Sessions]:
    """Cut the sessions of hosts that an outage meets online, within a minute and a half; some crash as they go.

    Returns:
        those crashes, of ordinary clusters, and the sessions.
    """
    fleet, catalogue, zipf = setting.fleet, setting.catalogue, setting.plan.mix.background_crashes.zipf
    crashes = Crashes.none()
    for number, (met, outage) in enumerate(setting.rivals.outages):
        rng = chance(setting.seed, f"outage {number}")
        rng.random()  # said when it begins
        taken = rng.random(fleet.size) < outage.share
        at = met.begin + uniform_ms(rng, fleet.size, 0, 90)
        back = at + uniform_ms(rng, fleet.size, *(60 * bound for bound in outage.lasts_min))
        falls = rng.random(fleet.size) < outage.crash
        hosts = met.hosts(fleet)
        hosts = hosts[taken[hosts]]
        held = sessions.at(hosts, at[hosts])
        online = (held >= 0) & (at[hosts] > sessions.on[held]) & (at[hosts] < sessions.off[held])
        hosts, held = hosts[online], held[online]
        sessions = sessions.cut(held, at[hosts], back[hosts], boots=outage.boots)
        fallen = hosts[falls[hosts]]
        cluster = choose_clusters(catalogue, fleet.os_type[fallen], fleet.model[fallen], zipf, rng)
        at_reboot = rng.random(len(fallen)) < outage.noticed_at_reboot
        kernel = catalogue.domains()[cluster] != DOMAINS.index("user")
        crashes = crashes + Crashes(fallen, at[fallen], cluster, at_reboot).where(kernel)
    return crashes, sessions
