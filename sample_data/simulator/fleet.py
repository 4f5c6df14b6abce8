"""The hosts: who they are when the first day begins.

Attributes hang together as they do in an enterprise: a site lies in one region and belongs to one customer; a
customer keeps to its models, its mix of machines and its distance behind the newest agent; canary hosts are
ahead of everybody. One row per host, the host's number is its position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetcrash.records import OS_TYPES
from sample_data.simulator.clock import HOUR, Flags, Indices, Moments, Numbers, chance, pick
from sample_data.simulator.mix import Mix

# A customer's own mix scatters round the fleet's by a Dirichlet distribution of this weight: small enough
# that customers differ by eye, large enough that a fleet of a few customers still looks like its mix.
_CUSTOMER_WEIGHT = 14.0
_MODEL_WEIGHT = 5.0


@dataclass(frozen=True)
class Fleet:
    """Hosts as columns, one row a host; text columns are object arrays."""

    host_id: np.ndarray
    os_type: np.ndarray
    os_version: np.ndarray
    os_build: np.ndarray  # when the first day begins; patches change it
    agent_version: np.ndarray  # likewise, agent upgrades
    model: np.ndarray
    region: np.ndarray
    ring: np.ndarray
    group: np.ndarray
    site: np.ndarray
    customer: np.ndarray
    criticality: np.ndarray
    life: np.ndarray  # office, left-on or server
    always_on: Flags
    utc_offset: Moments  # ms to add to UTC for local time
    hazard: Numbers  # crash rate relative to a usual host, from model, build, agent and the host's own luck
    noisy: Flags
    old_drivers: Flags
    says_content: Flags  # its crash reports carry the content map
    poll_phase: Numbers  # [0, 1): its minute of the poll's period
    booted_before: Moments  # ms, negative: last boot before the first day

    @property
    def size(self) -> int:
        """How many hosts."""
        return len(self.host_id)

    def columns(self) -> dict[str, np.ndarray]:
        """The fields that a condition may speak of."""
        names = ("os_type", "os_version", "os_build", "agent_version", "model", "region", "ring")
        return {name: getattr(self, name) for name in (*names, "group", "site", "customer")}


def make_fleet(mix: Mix, hosts: int, seed: int) -> Fleet:
    """Draw a fleet of ``hosts`` hosts (>= 1) from a mix."""
    rng = chance(seed, "fleet")
    # About 160 hosts a customer and 70 a site, both with a long tail, as subscriptions are.
    customers = max(8, hosts // 160)
    sites = max(2 * customers, hosts // 70)
    sizes = rng.lognormal(0.0, 1.0, sites)
    site_customer = np.concatenate([np.arange(customers), rng.integers(0, customers, sites - customers)])
    regions = np.array([region.share for region in mix.regions])
    home = rng.choice(len(mix.regions), customers, p=regions / regions.sum())
    abroad = rng.choice(len(mix.regions), sites, p=regions / regions.sum())
    site_region = np.where(rng.random(sites) < 0.6, home[site_customer], abroad)
    site_offset = np.array(
        [rng.choice(mix.regions[number].utc_offsets_hours) for number in site_region], dtype=np.float64
    )
    site = rng.choice(sites, hosts, p=sizes / sizes.sum())
    customer = site_customer[site]
    region = site_region[site]

    kind = _by_customer(rng, [item.share for item in mix.classes], customer, _CUSTOMER_WEIGHT)
    os_type = _within(rng, kind, [[item.os_types.get(name, 0.0) for name in OS_TYPES] for item in mix.classes])
    groups = sorted({name for item in mix.classes for name in item.groups})
    group = _within(rng, kind, [[item.groups.get(name, 0.0) for name in groups] for item in mix.classes])
    build, model = _builds_and_models(rng, mix, kind, os_type, customer)
    ring = _within(rng, np.zeros(hosts, np.int64), [list(mix.rings.values())])
    agent = _agents(rng, mix, customer, np.array(list(mix.rings))[ring])

    luck = np.exp(rng.normal(0.0, mix.background_crashes.frailty, hosts))
    noisy = rng.random(hosts) < mix.background_crashes.noisy_share
    server = np.array([item.life == "server" for item in mix.classes])[kind]
    hazard = (
        np.array([item.hazard for item in mix.builds])[build]
        * np.array([item.hazard for item in mix.models])[model]
        * np.array([item.hazard for item in mix.agents])[agent]
        * luck
        * np.where(noisy, mix.background_crashes.noisy_factor, 1.0)
        * np.where(server, mix.background_crashes.server_factor, 1.0)
    )
    return Fleet(
        host_id=np.array([f"{number:016x}" for number in rng.integers(0, 2**63, hosts)], dtype=object),
        os_type=_names(OS_TYPES)[os_type],
        os_version=_names([item.os_version for item in mix.builds])[build],
        os_build=_names([item.os_build for item in mix.builds])[build],
        agent_version=_names([item.version for item in mix.agents])[agent],
        model=_names([item.name for item in mix.models])[model],
        region=_names([item.name for item in mix.regions])[region],
        ring=_names(list(mix.rings))[ring],
        group=_names(groups)[group],
        site=_names([f"{mix.regions[r].name}-{n:04d}" for n, r in enumerate(site_region)])[site],
        customer=_names([f"customer-{n:04d}" for n in range(customers)])[customer],
        criticality=_names(["normal", "high", "low"])[
            np.where(server, rng.choice(3, hosts, p=[0.6, 0.4, 0.0]), rng.choice(3, hosts, p=[0.8, 0.05, 0.15]))
        ],
        life=_names([item.life for item in mix.classes])[kind],
        always_on=server,
        utc_offset=np.rint(site_offset[site] * HOUR).astype(np.int64),
        hazard=hazard,
        noisy=noisy,
        old_drivers=rng.random(hosts) < 0.25,
        says_content=rng.random(hosts) < mix.reports.with_content,
        poll_phase=rng.random(hosts),
        # A week since the last boot is usual for a machine that sleeps and is never turned off.
        booted_before=-np.rint(np.minimum(rng.exponential(7.0, hosts) + 0.5, 40.0) * 24 * HOUR).astype(np.int64),
    )


def _names(names: list[str] | tuple[str, ...]) -> np.ndarray:
    return np.array(names, dtype=object)


def _by_customer(rng: np.random.Generator, shares: list[float], customer: Indices, weight: float) -> Indices:
    """One of several, each customer with shares of its own round the fleet's."""
    fleet_wide = np.array(shares) / sum(shares)
    # 0.05: a share of nearly nothing must not make the distribution degenerate.
    own = rng.dirichlet(weight * fleet_wide + 0.05 * (fleet_wide > 0), int(customer.max()) + 1)
    return pick(rng, own[customer])


def _within(rng: np.random.Generator, kind: Indices, shares: list[list[float]]) -> Indices:
    """One of several, with the shares of the host's class."""
    return pick(rng, np.array(shares)[kind])


def _builds_and_models(
    rng: np.random.Generator, mix: Mix, kind: Indices, os_type: Indices, customer: Indices
) -> tuple[Indices, Indices]:
    """Builds and models that exist for the host's class and system, models by the customer's taste."""
    cell = kind * len(OS_TYPES) + os_type
    build_weights = np.zeros((len(mix.classes) * len(OS_TYPES), len(mix.builds)))
    model_weights = np.zeros((len(mix.classes) * len(OS_TYPES), len(mix.models)))
    for row, host_class in enumerate(mix.classes):
        for column, name in enumerate(OS_TYPES):
            number = row * len(OS_TYPES) + column
            for position, build in enumerate(mix.builds):
                if build.os_type == name and host_class.name in build.classes:
                    build_weights[number, position] = build.share
            for position, model in enumerate(mix.models):
                if name in model.os_types and host_class.name in model.classes:
                    model_weights[number, position] = model.share
    taste = rng.gamma(_MODEL_WEIGHT, 1 / _MODEL_WEIGHT, (int(customer.max()) + 1, len(mix.models)))
    return pick(rng, build_weights[cell]), pick(rng, model_weights[cell] * taste[customer])


def _agents(rng: np.random.Generator, mix: Mix, customer: Indices, ring: np.ndarray) -> Indices:
    """Agent versions, 0 the newest: half of the hosts follow their customer, canary and early are ahead."""
    shares = np.array([agent.share for agent in mix.agents])
    shares = shares / shares.sum()
    policy = rng.choice(len(shares), int(customer.max()) + 1, p=shares)
    agent = rng.choice(len(shares), len(customer), p=shares)
    agent = np.where(rng.random(len(customer)) < 0.5, policy[customer], agent)
    ahead = rng.random(len(customer))
    agent = np.where((ring == "canary") & (ahead < 0.95), 0, agent)
    return np.where((ring == "early") & (ahead < 0.6), np.maximum(agent - 1, 0), agent)
