"""What is settled before anything happens: who is there, what is released, and what else will come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sample_data.simulator.catalogue import Catalogue, make_catalogue
from sample_data.simulator.clock import DAY, Clock
from sample_data.simulator.fleet import Fleet, make_fleet
from sample_data.simulator.rivals import Rivals, settle_rivals
from sample_data.simulator.rollout import Update, make_updates
from sample_data.simulator.scenario import Scenario


@dataclass(frozen=True)
class Setting:
    """One scenario, with a fleet, a span and a seed.

    Attributes:
        updates: all releases, in order of release.
        catalogue: what crashes look like; the scenario's own begin with its faults, and go on with its waves.
    """

    plan: Scenario
    seed: int
    clock: Clock
    fleet: Fleet
    updates: tuple[Update, ...]
    rivals: Rivals
    catalogue: Catalogue

    @property
    def rows(self) -> dict[str, int]:
        """Each listed update's row, by its name in the scenario."""
        return {update.name: row for row, update in enumerate(self.updates) if update.name}


def make_setting(plan: Scenario, *, hosts: int, days: int, seed: int) -> Setting:
    """Draw the fleet and the releases, and say when and where the rest begins.

    Raises:
        BadArgument: two updates would have the same id.
    """
    first = datetime.combine(plan.judged_day, time(), tzinfo=UTC) - timedelta(days=days - 1)
    clock = Clock(first, (days - 1) * DAY, days * DAY)
    fleet = make_fleet(plan.mix, hosts, seed)
    updates = make_updates(plan, clock, seed)
    return Setting(
        plan=plan,
        seed=seed,
        clock=clock,
        fleet=fleet,
        updates=updates,
        rivals=settle_rivals(plan, fleet, updates, clock, seed),
        catalogue=make_catalogue([*(fault.look for fault in plan.faults), *(wave.look for wave in plan.waves)]),
    )
