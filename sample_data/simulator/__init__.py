"""Makes synthetic fleets that one can believe, for trying, showing and measuring the detector.

Everything here is invented but the public facts that a scenario names. A simulation runs in this order, one
module each, so that what comes later sees the fleet as the earlier left it:

- ``scenario`` reads the TOML: the days, the updates that matter, the faults (``mix``: the fleet and its
  habits);
- ``fleet`` draws hosts; ``life`` their sessions; ``rollout`` what is installed on them, and when;
- ``rivals`` says when and where something happens that is no update's doing; ``outage`` and ``wave`` let it happen;
- ``crashes`` is the floor of ordinary crashes (``catalogue``: what a crash looks like);
- ``fault`` is what a bad update does to hosts one by one, ``rate`` how one makes them all crash more or less;
- ``report`` what was heard of it all, and when; ``write`` the files.

A new scenario is mostly a new TOML file. Start reading at ``simulate`` and at
``scenarios/channel-file-291.toml``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np

from fleetcrash.errors import BadArgument
from sample_data.simulator import write
from sample_data.simulator.catalogue import Catalogue, make_catalogue
from sample_data.simulator.clock import DAY, NEVER, Clock, chance
from sample_data.simulator.crashes import crash_in_the_background
from sample_data.simulator.fault import Case, World, strike
from sample_data.simulator.fleet import Fleet, make_fleet
from sample_data.simulator.life import live
from sample_data.simulator.outage import fall_out
from sample_data.simulator.rate import change_rate
from sample_data.simulator.report import acknowledge_installs, report_crashes
from sample_data.simulator.rivals import Rivals, settle_rivals
from sample_data.simulator.rollout import (
    Update,
    first_channel_versions,
    make_updates,
    roll_out,
    settle,
    settle_removals,
    take_back,
)
from sample_data.simulator.scenario import Scenario, read_scenario, scenario_names
from sample_data.simulator.wave import sweep

__all__ = ["Summary", "scenario_names", "simulate"]

# Called with steps done and steps in all.
Progress = Callable[[int, int], None]


def unheard(_done: int, _total: int) -> None:
    """Progress that nobody follows."""


_STEPS = 5
MOST_DAYS = 366  # a moment and a host share one int64; a longer span would need another layout
MOST_HOSTS = 10_000_000


@dataclass(frozen=True)
class Summary:
    """What a simulation wrote.

    Attributes:
        scenario: its name.
        folder: where the files are.
        records: rows by kind of record, resent ones included.
        start, end: the span of the records, UTC.
        guilty: id of the guilty update; None if nothing is.
        struck: hosts that the fault struck, heard of or not.
    """

    scenario: str
    folder: Path
    seed: int
    hosts: int
    records: dict[str, int]
    start: datetime
    end: datetime
    guilty: str | None
    struck: int


def simulate(
    scenario: str | Path,
    out: str | Path,
    *,
    hosts: int | None = None,
    seed: int = 1,
    days: int | None = None,
    progress: Progress = unheard,
) -> Summary:
    """Simulate a scenario and write its records and ``truth.json`` into a folder.

    The same scenario, hosts, seed and days give the same bytes. 20,000 hosts and three days take some
    seconds.

    Args:
        scenario: name of one that comes with the project, or the path of a ``.toml`` file.
        out: folder for ``host``, ``update``, ``install``, ``session`` and ``crash.parquet`` and
            ``truth.json``; made where it is missing, files of these names are replaced.
        hosts: how many; None: as the scenario says.
        seed: whole number >= 0; another seed is another fleet and another course of the days.
        days: how many days end with the judged one, >= 1; None: as the scenario says.
        progress: told after each step.
    Returns:
        what was written.
    Raises:
        UnknownName: there is no such scenario.
        UnreadableSource: the scenario's file cannot be read, or the folder not be written to.
        BadArgument: hosts, seed or days out of bounds, or a mistake in the scenario; says where.
    """
    _check("seed", seed, 0, 2**63 - 1)
    plan = read_scenario(scenario, seed)
    hosts = plan.hosts if hosts is None else hosts
    days = plan.days if days is None else days
    _check("hosts", hosts, 1, MOST_HOSTS)
    _check("days", days, 1, MOST_DAYS)

    first = datetime.combine(plan.judged_day, time(), tzinfo=UTC) - timedelta(days=days - 1)
    clock = Clock(first, (days - 1) * DAY, days * DAY)
    mix = plan.mix
    fleet = make_fleet(mix, hosts, seed)
    progress(1, _STEPS)
    updates = make_updates(plan, clock, seed)
    rivals = settle_rivals(plan, fleet, updates, clock, seed)
    catalogue = make_catalogue([*(fault.look for fault in plan.faults), *(wave.look for wave in plan.waves)])
    world = _course(plan, fleet, updates, rivals, catalogue, clock, seed)
    progress(2, _STEPS)

    reports = report_crashes(
        world,
        fleet,
        updates,
        catalogue,
        mix.reports,
        rivals,
        first_channel_versions(mix.background_updates, updates),
        clock,
        seed,
    )
    installs = acknowledge_installs(world, fleet, updates, mix.reports, rivals, clock, seed)
    progress(3, _STEPS)
    tables = {
        "host": write.host_table(fleet),
        "update": write.update_table(updates, clock),
        "install": write.install_table(installs, updates, fleet, clock),
        "session": write.session_table(world.sessions, fleet, clock),
        "crash": write.crash_table(reports, catalogue, fleet, clock),
    }
    progress(4, _STEPS)
    answer = write.truth(plan, updates, rivals, world.struck, clock, hosts, seed)
    folder = Path(out)
    write.write_records(folder, tables, answer)
    progress(5, _STEPS)
    return Summary(
        scenario=plan.name,
        folder=folder,
        seed=seed,
        hosts=hosts,
        records={kind: table.num_rows for kind, table in tables.items()},
        start=clock.start,
        end=clock.at(clock.end),
        guilty=answer["guilty"],
        struck=len(answer["fault_times"]),
    )


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BadArgument(f"{name} is {value}; wanted {low} to {high}. Nothing was written.")


def _course(
    plan: Scenario,
    fleet: Fleet,
    updates: tuple[Update, ...],
    rivals: Rivals,
    catalogue: Catalogue,
    clock: Clock,
    seed: int,
) -> World:
    """What happens, whoever hears of it: ordinary life, then each fault on what the earlier ones left."""
    background = plan.mix.background_crashes
    sessions = live(fleet, plan.mix.life, clock, seed)
    fallen, sessions = fall_out(fleet, sessions, rivals.outages, catalogue, background.zipf, seed)
    applied, sessions = roll_out(updates, fleet, sessions, seed)
    own = catalogue.own + len(plan.faults)
    swept, sessions = sweep(fleet, sessions, rivals.waves, catalogue, own, background.zipf, clock, seed)
    crashes, sessions = crash_in_the_background(fleet, sessions, background, catalogue, seed)
    world = World(
        sessions=sessions,
        crashes=(fallen + swept + crashes).that_fit(sessions),
        applied=applied,
        removed=take_back(updates, fleet, seed),
        struck=np.full((len(plan.faults), fleet.size), NEVER, dtype=np.int64),
    )
    world = _settled(world, updates, seed)
    rows = {update.name: row for row, update in enumerate(updates) if update.name}
    for number, fault in enumerate(plan.faults):
        if fault.update not in rows:
            continue  # released before the first day
        case = Case(number, fault, catalogue.own + number, rows, updates, fleet, clock)
        rng = chance(seed, f"fault of {fault.update}")
        if fault.effect == "rate":
            world = change_rate(world, case, background, catalogue, rng)
        else:
            world = strike(world, case, rng)
        world = _settled(world, updates, seed)
    return world


def _settled(world: World, updates: tuple[Update, ...], seed: int) -> World:
    """The same with installs and removals that fit the sessions."""
    applied = settle(world.applied, updates, world.sessions, seed)
    return replace(
        world, applied=applied, removed=settle_removals(world.removed, applied, updates, world.sessions, seed)
    )
