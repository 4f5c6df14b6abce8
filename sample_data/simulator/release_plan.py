"""How updates go out, as frozen values read from TOML: rollouts, and the releases of ordinary days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sample_data.simulator.clock import DAY, MINUTE, NEVER, Clock
from sample_data.simulator.condition import check_condition
from sample_data.simulator.toml_table import Table

ROLLOUTS = ("push", "exponential", "poll", "staged")


@dataclass(frozen=True)
class Start:
    """When something begins.

    Attributes:
        day: 0 is the judged day, -1 the one before.
        at_ms: time of day, UTC, in ms; ignored with ``follows``.
        jitter_min: moved by up to so much either way, by the seed.
        follows, by_min: so many minutes after the release of a listed update.
    """

    day: int
    at_ms: int
    jitter_min: float
    follows: str
    by_min: float

    def moment(self, clock: Clock, released: Mapping[str, int], drawn: float) -> int:
        """When that is, in ms since start.

        Args:
            released: of listed updates, by name; what follows another one never begins.
            drawn: from [0, 1).
        """
        moment = clock.judged_from + self.day * DAY + self.at_ms
        if self.follows:
            moment = released.get(self.follows, NEVER) + round(self.by_min * MINUTE)
        return moment + round((2 * drawn - 1) * self.jitter_min * MINUTE)


@dataclass(frozen=True)
class Stage:
    """A ring's turn, in minutes after the release."""

    ring: str
    after_min: float


@dataclass(frozen=True)
class Rollout:
    """How an update reaches hosts.

    Attributes:
        by: push (the service calls, most are there within minutes), exponential (hosts trickle in), poll
            (each host asks at its own minute of the period) or staged (ring after ring, a push in each).
        median_s, spread: of the time from the release, or from the ring's turn, to the install on a host
            that is online; spread is the standard deviation of the logarithm and unused by exponential, poll.
        period_s: of a poll.
        share: of the audience; the rest is held out.
        wake_median_s: from a wake to the install, for a host that was offline.
    """

    by: str
    median_s: float
    spread: float
    period_s: float
    stages: tuple[Stage, ...]
    share: float
    wake_median_s: float


@dataclass(frozen=True)
class Patch:
    """An OS patch that may be released, and for whom."""

    where: dict[str, str]
    os_build: str


@dataclass(frozen=True)
class DriverLine:
    """A driver that may be updated, and where it is."""

    channel: str
    where: dict[str, str]


@dataclass(frozen=True)
class BackgroundUpdates:
    """The releases of ordinary days; rates are releases per day."""

    content_per_day: tuple[float, ...]  # least and most
    agent_per_day: float
    os_patch_per_day: float
    driver_per_day: float
    policy_per_day: float
    channels: tuple[str, ...]
    windows_only_channels: tuple[str, ...]
    policies: tuple[str, ...]
    next_agents: tuple[str, ...]
    patches: tuple[Patch, ...]
    drivers: tuple[DriverLine, ...]
    content_rollouts: tuple[tuple[float, Rollout], ...]  # weight, rollout
    slow_rollouts: tuple[tuple[float, Rollout], ...]


def read_start(table: Table) -> Start:
    """When something begins, from keys of the table that says what it is."""
    follows = table.text("follows", "")
    day = table.number("day", 0, high=0)
    if day != int(day):
        raise table.wrong("day", "a whole number, 0 for the judged day, -1 for the one before")
    return Start(
        day=int(day),
        at_ms=0 if follows else table.time_of_day_ms("at"),
        jitter_min=table.number("jitter_min", 0.0, low=0),
        follows=follows,
        by_min=table.number("by_min", 0.0, low=0),
    )


def read_rollout(table: Table) -> Rollout:
    """One rollout; ``weight`` is read by whoever chooses among several."""
    by = table.text("by", one_of=ROLLOUTS)
    stages = tuple(_stage(stage) for stage in table.tables("stages"))
    rollout = Rollout(
        by=by,
        median_s=table.number("median_s", 90.0, low=0.001),
        spread=table.number("spread", 0.7, low=0),
        period_s=table.number("period_s", 3600.0, low=1),
        stages=stages,
        share=table.number("share", 1.0, low=0, high=1),
        wake_median_s=table.number("wake_median_s", 30.0, low=0.001),
    )
    if (by == "staged") != bool(stages):
        raise table.wrong("stages", "the rings in order for by = 'staged', and none otherwise")
    table.close()
    return rollout


def _stage(table: Table) -> Stage:
    stage = Stage(ring=table.text("ring"), after_min=table.number("after_min", low=0))
    table.close()
    return stage


def _weighted_rollout(table: Table) -> tuple[float, Rollout]:
    return table.number("weight", 1.0, low=0), read_rollout(table)


def read_where(table: Table, key: str) -> dict[str, str]:
    """A condition on hosts; ``{}`` where it is missing."""
    where = table.text_map(key, {})
    check_condition(where, table.name(key))
    return where


def read_background_updates(table: Table) -> BackgroundUpdates:
    """The releases of ordinary days."""

    def patch(line: Table) -> Patch:
        result = Patch(read_where(line, "where"), line.text("os_build"))
        line.close()
        return result

    def driver(line: Table) -> DriverLine:
        result = DriverLine(line.text("channel"), read_where(line, "where"))
        line.close()
        return result

    updates = BackgroundUpdates(
        content_per_day=table.numbers("content_per_day", count=2),
        agent_per_day=table.number("agent_per_day", low=0),
        os_patch_per_day=table.number("os_patch_per_day", low=0),
        driver_per_day=table.number("driver_per_day", low=0),
        policy_per_day=table.number("policy_per_day", low=0),
        channels=table.texts("channels"),
        windows_only_channels=table.texts("windows_only_channels"),
        policies=table.texts("policies"),
        next_agents=table.texts("next_agents"),
        patches=tuple(patch(line) for line in table.tables("patches")),
        drivers=tuple(driver(line) for line in table.tables("drivers")),
        content_rollouts=tuple(_weighted_rollout(line) for line in table.tables("content_rollouts")),
        slow_rollouts=tuple(_weighted_rollout(line) for line in table.tables("slow_rollouts")),
    )
    table.close()
    return updates
