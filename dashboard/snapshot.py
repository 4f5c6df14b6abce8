"""The lake at one look, as every page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from dashboard.incidents import Judgement, read_judgement
from dashboard.selection import Filters
from fleetcrash.attribution.conditions.grammar import version_key
from fleetcrash.errors import FleetcrashError
from fleetcrash.store import Engine

_MOST_CHOICES = 1000  # of one filter; a longer list is slow in a browser, and whatever it lacks can be typed


class LakeState(Enum):
    """What was found at the lake's path."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    READY = "ready"


@dataclass(frozen=True)
class Update:
    """A row of the release catalogue."""

    update_id: str
    kind: str | None
    released_at: datetime
    reverted_at: datetime | None


@dataclass(frozen=True)
class Snapshot:
    """The lake at one look.

    Attributes:
        number: grows with every change of the lake; equal numbers mean equal answers.
        problem: why the lake could not be read at the last look; empty when it could.
        as_of: the newest known time of the lake; answers are as of it.
        fleet: the row of ``fleet_now``.
        judgement: the monitor's newest tick; None when it never ticked here.
        choices: what may be filtered by, per dimension.
        health: the row of ``health_now``.
        unheard_systems: those of which no host tells its presence, while hosts of others do.
    """

    number: int
    state: LakeState
    root: Path
    problem: str = ""
    as_of: datetime | None = None
    fleet: Mapping[str, Any] = field(default_factory=dict)
    judgement: Judgement | None = None
    updates: tuple[Update, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=dict)
    unheard_systems: tuple[str, ...] = ()

    @property
    def newest(self) -> datetime:
        """The newest known time of a lake that is ready."""
        if self.as_of is None:
            raise FleetcrashError(f"The lake at {self.root} is {self.state.value}: it has no newest time.")
        return self.as_of

    @property
    def only_crashes(self) -> bool:
        """Whether nothing is known of hosts but their crashes: no inventory, no installs, no presence.

        Who is online, at risk or has an update is then not known, which is not that nobody is or has.
        """
        told = ("hosts_known", "has_presence", "has_installs")
        return bool(self.fleet.get("crashes")) and not any(self.fleet.get(name) for name in told)

    def cannot_tell(self, filters: Filters) -> bool:
        """Whether it is not known whom the filters mean: hosts exposed to something, where nothing tells who was."""
        return self.only_crashes and bool(filters.updates or filters.channels)

    def update(self, update_id: str | None) -> Update | None:
        """The catalogue's row of that update, if it has one."""
        return next((each for each in self.updates if each.update_id == update_id), None)


def snapshot_of(engine: Engine, number: int, root: Path) -> Snapshot:
    """The lake as an engine sees it, which keeps the tables of the lake; root: where it is."""
    ticks = engine.rows("incident_now", newest=engine.as_of)
    judgement = read_judgement(**ticks[0]) if ticks else None
    health = engine.rows("health_now")[0]
    if engine.as_of is None:
        return Snapshot(number, LakeState.EMPTY, root, judgement=judgement, health=health)
    choices: dict[str, list[str]] = {}
    for row in engine.rows("filter_values", most=_MOST_CHOICES):
        choices.setdefault(row["dimension"], []).append(row["value"])
    for dimension in ("agent_version", "os_build"):
        choices.get(dimension, []).sort(key=version_key, reverse=True)
    return Snapshot(
        number=number,
        state=LakeState.READY,
        root=root,
        as_of=engine.as_of,
        fleet=engine.rows("fleet_now")[0],
        judgement=judgement,
        updates=tuple(
            Update(row["update_id"], row["kind"], row["released_at"].astimezone(UTC), row["reverted_at"])
            for row in engine.rows("updates_released")
        ),
        choices={dimension: tuple(values) for dimension, values in choices.items()},
        health=health,
        unheard_systems=engine.unheard_systems,
    )
