"""Makes synthetic fleets that one can believe, for trying, showing and measuring the detector.

Everything here is invented but the public facts that a scenario names. A simulation runs in this order, one
module each, so that what comes later sees the fleet as the earlier left it:

- ``scenario`` reads the TOML: the days, the updates that matter, the faults (``mix``: the fleet and its
  habits); ``setting`` is what is settled of it before anything happens;
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
from datetime import datetime
from pathlib import Path

import numpy as np

from fleetcrash.errors import BadArgument
from sample_data.simulator import write
from sample_data.simulator.clock import NEVER, chance
from sample_data.simulator.crashes import crash_in_the_background
from sample_data.simulator.fault import Case, World, strike
from sample_data.simulator.life import live
from sample_data.simulator.outage import fall_out
from sample_data.simulator.rate import change_rate
from sample_data.simulator.report import acknowledge_installs, report_crashes
from sample_data.simulator.rollout import roll_out, settle, settle_removals, take_back
from sample_data.simulator.scenario import read_scenario, scenario_names
from sample_data.simulator.setting import Setting, make_setting
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

    setting = make_setting(plan, hosts=hosts, days=days, seed=seed)
    progress(1, _STEPS)
    world = _course(setting)
    progress(2, _STEPS)
    reports, installs = report_crashes(world, setting), acknowledge_installs(world, setting)
    progress(3, _STEPS)
    tables = {
        "host": write.host_table(setting.fleet),
        "update": write.update_table(setting),
        "install": write.install_table(installs, setting),
        "session": write.session_table(world.sessions, setting),
        "crash": write.crash_table(reports, setting),
    }
    progress(4, _STEPS)
    answer = write.truth(setting, world.struck)
    folder = Path(out)
    write.write_records(folder, tables, answer)
    progress(5, _STEPS)
    return Summary(
        scenario=plan.name,
        folder=folder,
        seed=seed,
        hosts=hosts,
        records={kind: table.num_rows for kind, table in tables.items()},
        start=setting.clock.start,
        end=setting.clock.at(setting.clock.end),
        guilty=answer["guilty"],
        struck=len(answer["fault_times"]),
    )


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BadArgument(f"{name} is {value}; wanted {low} to {high}. Nothing was written.")


def _course(setting: Setting) -> World:
    """What happens, whoever hears of it: ordinary life, then each fault on what the earlier ones left."""
    plan, fleet, updates, seed = setting.plan, setting.fleet, setting.updates, setting.seed
    sessions = live(fleet, plan.mix.life, setting.clock, seed)
    fallen, sessions = fall_out(setting, sessions)
    applied, sessions = roll_out(updates, fleet, sessions, seed)
    swept, sessions = sweep(setting, sessions)
    crashes, sessions = crash_in_the_background(setting, sessions)
    world = World(
        sessions=sessions,
        crashes=(fallen + swept + crashes).that_fit(sessions),
        applied=applied,
        removed=take_back(updates, fleet, seed),
        struck=np.full((len(plan.faults), fleet.size), NEVER, dtype=np.int64),
    )
    world = _settled(world, setting)
    for number, fault in enumerate(plan.faults):
        if fault.update not in setting.rows:
            continue  # released before the first day
        rng = chance(seed, f"fault of {fault.update}")
        happen = change_rate if fault.effect == "rate" else strike
        world = _settled(happen(world, Case(number, fault, setting), rng), setting)
    return world


def _settled(world: World, setting: Setting) -> World:
    """The same with installs and removals that fit the sessions."""
    updates, sessions, seed = setting.updates, world.sessions, setting.seed
    applied = settle(world.applied, updates, sessions, seed)
    removed = settle_removals(world.removed, applied, updates, sessions, seed)
    return replace(world, applied=applied, removed=removed)
