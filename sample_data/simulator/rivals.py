"""Rises that follow no update, as the seed has settled them: when each begins, and whom it meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from sample_data.simulator.clock import Clock, Indices, chance
from sample_data.simulator.condition import selected
from sample_data.simulator.fleet import Fleet
from sample_data.simulator.rival_plan import Backlog, Outage, Place, Wave, WrongClocks
from sample_data.simulator.rollout import Update
from sample_data.simulator.scenario import Scenario

Plan = TypeVar("Plan", Outage, Backlog, Wave, WrongClocks)


@dataclass(frozen=True)
class Met:
    """When a rival begins, in ms since start, and the condition on the hosts that it meets."""

    begin: int
    where: dict[str, str]

    def hosts(self, fleet: Fleet) -> Indices:
        """The hosts that satisfy the condition."""
        return np.flatnonzero(selected(self.where, fleet.columns(), fleet.size))


@dataclass(frozen=True)
class Rivals:
    """All of a scenario's, in its order."""

    outages: tuple[tuple[Met, Outage], ...]
    backlogs: tuple[tuple[Met, Backlog], ...]
    waves: tuple[tuple[Met, Wave], ...]
    wrong_clocks: tuple[tuple[Met, WrongClocks], ...]


def settle_rivals(plan: Scenario, fleet: Fleet, updates: Sequence[Update], clock: Clock, seed: int) -> Rivals:
    """Say when and where, by the seed."""
    released = {update.name: update.released for update in updates if update.name}

    def settled(kind: str, begins: str, rivals: Sequence[Plan]) -> tuple[tuple[Met, Plan], ...]:
        result = []
        for number, rival in enumerate(rivals):
            begin = 0  # a clock is wrong from the start
            if not isinstance(rival, WrongClocks):
                drawn = float(chance(seed, f"{begins} {number}").random())
                begin = rival.start.moment(clock, released, drawn)
            where = _settled(rival.place, fleet, chance(seed, f"place of {kind} {number}"))
            result.append((Met(begin, where), rival))
        return tuple(result)

    return Rivals(
        settled("outage", "outage", plan.outages),
        settled("backlog", "begin", plan.backlogs),
        settled("wave", "begin of wave", plan.waves),
        settled("clock", "", plan.wrong_clocks),
    )


def _settled(place: Place, fleet: Fleet, rng: np.random.Generator) -> dict[str, str]:
    hosts = Met(0, place.where).hosts(fleet)
    if not place.one or not len(hosts):
        return place.where
    values = fleet.columns()[place.one]
    return {**place.where, place.one: str(values[rng.choice(hosts)])}
