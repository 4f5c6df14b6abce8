"""A scenario: its days, its fleet, the updates that matter and their faults, read from one TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from fleetcrash.errors import BadArgument, UnknownName
from fleetcrash.records import UPDATE_KINDS
from sample_data.simulator.condition import WITH_UPDATE
from sample_data.simulator.fault_plan import Fault, read_fault
from sample_data.simulator.mix import Mix, read_mix
from sample_data.simulator.release_plan import Rollout, Start, read_rollout, read_start, read_where
from sample_data.simulator.rival_plan import (
    Backlog,
    Outage,
    Wave,
    WrongClocks,
    read_backlog,
    read_outage,
    read_wave,
    read_wrong_clocks,
)
from sample_data.simulator.toml_table import Table, merged, read_toml


@dataclass(frozen=True)
class PlannedUpdate:
    """One listed update.

    Attributes:
        name: how faults and other updates of the file refer to it; not in the records.
        channel, version: empty where the simulator may choose.
        start: when it is released.
        reverted_after_min: None: not withdrawn.
        removal: how hosts are rid of it once it is withdrawn; None: they keep it until something newer comes.
        where: whom it is for; ``{}`` is everybody.
    """

    name: str
    kind: str
    channel: str
    version: str
    start: Start
    reverted_after_min: float | None
    where: dict[str, str]
    rollout: Rollout
    removal: Rollout | None


@dataclass(frozen=True)
class Scenario:
    """Everything about a simulation but its seed and size."""

    name: str
    title: str
    judged_day: date
    days: int
    hosts: int
    mix: Mix
    updates: tuple[PlannedUpdate, ...]
    faults: tuple[Fault, ...]
    outages: tuple[Outage, ...]
    backlogs: tuple[Backlog, ...]
    waves: tuple[Wave, ...]
    wrong_clocks: tuple[WrongClocks, ...]


def scenario_folder() -> Path:
    """Where the scenarios that come with the project lie."""
    return Path(str(files("sample_data"))) / "scenarios"


def scenario_names() -> tuple[str, ...]:
    """The scenarios that come with the project, in alphabetical order."""
    return tuple(sorted(path.stem for path in scenario_folder().glob("*.toml")))


def read_scenario(name_or_path: str | Path, seed: int) -> Scenario:
    """A scenario by its name, or by the path of a TOML file (which ends in ``.toml``).

    Args:
        seed: whole number >= 0; settles what the file leaves open.

    Raises:
        UnknownName: there is no scenario of that name; says which there are.
        UnreadableSource: the file is not there or not TOML.
        BadArgument: a key is missing, unknown or not of its form; says which and what was wanted.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = scenario_folder() / f"{name_or_path}.toml"
        if str(name_or_path) not in scenario_names():
            raise UnknownName(
                f"There is no scenario {str(name_or_path)!r}; there are {', '.join(scenario_names())}. "
                "Nothing was written. Name one of them, or the path of a .toml file."
            )
    top = Table(read_toml(path), f"{path.name}: ", seed)
    fleet = top.text("fleet", "enterprise")
    below = _fleet(fleet)
    above = top.table("override")
    scenario = Scenario(
        name=path.stem,
        title=top.text("title"),
        judged_day=top.day("judged_day"),
        days=top.whole("days", 3, low=1),
        hosts=top.whole("hosts", 20_000, low=1),
        mix=read_mix(Table(merged(below, above.values()), f"{fleet}.toml under {path.name}: ", seed)),
        updates=tuple(_update(table) for table in top.tables("updates")),
        faults=tuple(read_fault(table) for table in top.tables("faults")),
        outages=tuple(read_outage(table) for table in top.tables("outages")),
        backlogs=tuple(read_backlog(table) for table in top.tables("backlogs")),
        waves=tuple(read_wave(table) for table in top.tables("waves")),
        wrong_clocks=tuple(read_wrong_clocks(table) for table in top.tables("wrong_clocks")),
    )
    top.close()
    _check_names(scenario, path)
    return scenario


def _fleet(name: str) -> dict[str, Any]:
    """A file of ``scenarios/shared/``; one that is ``based_on`` another says only what differs from it."""
    values = read_toml(scenario_folder() / "shared" / f"{name}.toml")
    below = values.pop("based_on", None)
    return values if below is None else merged(_fleet(below), values)


def _check_names(scenario: Scenario, path: Path) -> None:
    names = [update.name for update in scenario.updates]
    if len(set(names)) < len(names):
        raise BadArgument(f"{path.name}: two updates have the same name. Nothing was written.")
    started = [(f"updates[{number}]", update.start, number) for number, update in enumerate(scenario.updates)]
    for kind in ("outages", "backlogs", "waves"):
        rivals = enumerate(getattr(scenario, kind))
        started += [(f"{kind}[{number}]", rival.start, len(names)) for number, rival in rivals]
    for place, start, before in started:
        if start.follows and start.follows not in names[:before]:
            raise BadArgument(
                f"{path.name}: {place}.follows is {start.follows!r}; "
                "wanted an update listed before it. Nothing was written."
            )
    for number, fault in enumerate(scenario.faults):
        wanted = (fault.update, fault.fixed_by, fault.condition.get(WITH_UPDATE, ""))
        for name in wanted:
            if name and name not in names:
                raise BadArgument(
                    f"{path.name}: faults[{number}] names the update {name!r}; "
                    f"listed are {', '.join(names) or 'none'}. Nothing was written."
                )


def _update(table: Table) -> PlannedUpdate:
    update = PlannedUpdate(
        name=table.text("name"),
        kind=table.text("kind", one_of=UPDATE_KINDS),
        channel=table.text("channel", ""),
        version=table.text("version", ""),
        start=read_start(table),
        reverted_after_min=table.number("reverted_after_min", low=0) if table.has("reverted_after_min") else None,
        where=read_where(table, "where"),
        rollout=read_rollout(table.table("rollout")),
        removal=read_rollout(table.table("removal")) if table.has("removal") else None,
    )
    if update.removal is not None and update.reverted_after_min is None:
        raise table.wrong("reverted_after_min", "the minutes after which it is withdrawn, where there is a removal")
    if update.kind in ("agent", "os_patch") and not update.version:
        raise table.wrong("version", "the version that hosts have afterwards")
    table.close()
    return update
