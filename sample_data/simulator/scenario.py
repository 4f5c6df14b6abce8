"""A scenario: its days, its fleet, the updates that matter and their faults, read from one TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

from fleetcrash.errors import BadArgument, UnknownName
from sample_data.simulator.clock import MINUTE
from sample_data.simulator.condition import WITH_UPDATE
from sample_data.simulator.mix import Mix, read_mix
from sample_data.simulator.release_plan import UPDATE_KINDS, Rollout, read_rollout, read_where
from sample_data.simulator.toml_table import Table, merged, read_toml

DELAYS = ("lognormal", "exponential", "next_boot")
EFFECTS = ("crash", "silence", "rate")
DOMAINS = ("kernel", "user", "hang")


@dataclass(frozen=True)
class PlannedUpdate:
    """One listed update.

    Attributes:
        name: how faults and other updates of the file refer to it; not in the records.
        channel, version: empty where the simulator may choose.
        day: 0 is the judged day, -1 the one before.
        at_ms: time of day, UTC, in ms; ignored with ``follows``.
        jitter_min: the release is moved by up to so much either way, by the seed.
        follows, by_min: released so many minutes after another listed update.
        reverted_after_min: None: not withdrawn.
        where: whom it is for; ``{}`` is everybody.
    """

    name: str
    kind: str
    channel: str
    version: str
    day: int
    at_ms: int
    jitter_min: float
    follows: str
    by_min: float
    reverted_after_min: float | None
    where: dict[str, str]
    rollout: Rollout


@dataclass(frozen=True)
class Delay:
    """From the install to the fault, in time that the host is online; next_boot: from the boot after it."""

    by: str
    median_s: float
    spread: float
    at_most_s: float


@dataclass(frozen=True)
class Loop:
    """What a struck host does until it is repaired; chances are per host (silent) or per boot (heard)."""

    silent: float
    boots_mean: float
    down_s: tuple[float, ...]
    up_median_s: float
    up_spread: float
    heard: float
    retry_median_min: float
    retry_spread: float


@dataclass(frozen=True)
class Repair:
    """How struck hosts come back: by a boot that takes the fix, or by hand."""

    fix_probability: float
    fix_growth: float
    hands_after_min: float
    hands_median_hours: float
    hands_spread: float
    hands_server_factor: float


@dataclass(frozen=True)
class Fault:
    """What an update does to the hosts that satisfy a condition.

    Attributes:
        update: name of a listed update.
        condition: in the contract's grammar; ``with_update`` names another listed update.
        probability: that an exposed host is struck at all.
        effect: crash; silence (the host stays up but cannot be heard, and reports nothing); or rate (nobody is
            struck, but hosts crash ``factor`` times as often as usual).
        loop: None: one crash, a reboot, and the host is back.
        recurs: without a loop, the chance that a host which came back is struck again, each time.
        fixed_by: name of the listed update that ends it; empty: the update is removed instead.
    """

    update: str
    condition: dict[str, str]
    probability: float
    after: Delay
    effect: str
    factor: float
    domain: str
    module: str
    function: str
    offset: int
    codes: dict[str, float]
    loop: Loop | None
    repair: Repair
    recurs: float
    fixed_by: str


@dataclass(frozen=True)
class Outage:
    """Hosts that lose power or network at once, whatever they have installed.

    Attributes:
        where: which hosts; usually a region or a site.
        share: of those hosts.
        lasts_min: of each host, evenly between two bounds.
        crash: the chance that a host crashes as it goes, for a reason of its own.
        noticed_at_reboot: of those crashes, how many leave nothing that tells their time but the next boot; the
            others are reported as any crash is.
    """

    where: dict[str, str]
    share: float
    day: int
    at_ms: int
    jitter_min: float
    lasts_min: tuple[float, ...]
    crash: float
    noticed_at_reboot: float


@dataclass(frozen=True)
class Backlog:
    """Reports and acknowledgements held back somewhere and delivered at once."""

    where: dict[str, str]
    day: int
    at_ms: int
    jitter_min: float
    lasts_min: float


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
    below = read_toml(scenario_folder() / "shared" / f"{fleet}.toml")
    above = top.table("override")
    scenario = Scenario(
        name=path.stem,
        title=top.text("title"),
        judged_day=top.day("judged_day"),
        days=top.whole("days", 3, low=1),
        hosts=top.whole("hosts", 20_000, low=1),
        mix=read_mix(Table(merged(below, above.values()), f"{fleet}.toml under {path.name}: ", seed)),
        updates=tuple(_update(table) for table in top.tables("updates")),
        faults=tuple(_fault(table) for table in top.tables("faults")),
        outages=tuple(_outage(table) for table in top.tables("outages")),
        backlogs=tuple(_backlog(table) for table in top.tables("backlogs")),
    )
    top.close()
    _check_names(scenario, path)
    return scenario


def _check_names(scenario: Scenario, path: Path) -> None:
    names = [update.name for update in scenario.updates]
    if len(set(names)) < len(names):
        raise BadArgument(f"{path.name}: two updates have the same name. Nothing was written.")
    for number, update in enumerate(scenario.updates):
        if update.follows and update.follows not in names[:number]:
            raise BadArgument(
                f"{path.name}: updates[{number}].follows is {update.follows!r}; "
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
    follows = table.text("follows", "")
    update = PlannedUpdate(
        name=table.text("name"),
        kind=table.text("kind", one_of=UPDATE_KINDS),
        channel=table.text("channel", ""),
        version=table.text("version", ""),
        day=_day(table),
        at_ms=0 if follows else table.time_of_day_ms("at"),
        jitter_min=table.number("jitter_min", 0.0, low=0),
        follows=follows,
        by_min=table.number("by_min", 0.0, low=0),
        reverted_after_min=table.number("reverted_after_min", low=0) if table.has("reverted_after_min") else None,
        where=read_where(table, "where"),
        rollout=read_rollout(table.table("rollout")),
    )
    if update.kind in ("agent", "os_patch") and not update.version:
        raise table.wrong("version", "the version that hosts have afterwards")
    table.close()
    return update


def _day(table: Table) -> int:
    day = table.number("day", 0, high=0)
    if day != int(day):
        raise table.wrong("day", "a whole number, 0 for the judged day, -1 for the one before")
    return int(day)


def _fault(table: Table) -> Fault:
    effect = table.text("effect", "crash", one_of=EFFECTS)
    if effect == "rate":
        probability, after, factor = 1.0, Delay("exponential", 1.0, 0.0, 0.0), table.number("factor", low=0)
    else:
        probability, after, factor = table.number("probability", low=0, high=1), _delay(table.table("after")), 1.0
    fault = Fault(
        update=table.text("update"),
        condition=read_where(table, "condition"),
        probability=probability,
        after=after,
        effect=effect,
        factor=factor,
        domain=table.text("domain", "kernel", one_of=DOMAINS),
        module=table.text("module", ""),
        function=table.text("function", ""),
        offset=table.whole("offset", 0),
        codes=table.weights("codes", {"": 1.0}),
        loop=_loop(table.table("loop")) if table.has("loop") else None,
        repair=_repair(table.table("repair")),
        recurs=table.number("recurs", 0.0, low=0, high=1),
        fixed_by=table.text("fixed_by", ""),
    )
    if fault.effect == "crash" and not fault.module:
        raise table.wrong("module", "the module that crashes")
    table.close()
    return fault


def _delay(table: Table) -> Delay:
    delay = Delay(
        by=table.text("by", one_of=DELAYS),
        median_s=table.number("median_s", low=0.001),
        spread=table.number("spread", 0.8, low=0),
        at_most_s=table.number("at_most_s", 7 * 86_400.0, low=0.001),
    )
    table.close()
    return delay


def _loop(table: Table) -> Loop:
    loop = Loop(
        silent=table.number("silent", 0.0, low=0, high=1),
        boots_mean=table.number("boots_mean", 5.0, low=1),
        down_s=table.numbers("down_s", (60.0, 180.0), count=2),
        up_median_s=table.number("up_median_s", 20.0, low=1),
        up_spread=table.number("up_spread", 0.7, low=0),
        heard=table.number("heard", 0.25, low=0, high=1),
        retry_median_min=table.number("retry_median_min", 35.0, low=1),
        retry_spread=table.number("retry_spread", 0.9, low=0),
    )
    table.close()
    return loop


def _repair(table: Table) -> Repair:
    repair = Repair(
        fix_probability=table.number("fix_probability", 0.0, low=0, high=1),
        fix_growth=table.number("fix_growth", 0.0, low=0, high=1),
        hands_after_min=table.number("hands_after_min", 120.0, low=0),
        hands_median_hours=table.number("hands_median_hours", 6.0, low=0.001),
        hands_spread=table.number("hands_spread", 0.8, low=0),
        hands_server_factor=table.number("hands_server_factor", 1.0, low=0.001),
    )
    table.close()
    return repair


def _outage(table: Table) -> Outage:
    outage = Outage(
        where=read_where(table, "where"),
        share=table.number("share", 1.0, low=0, high=1),
        day=_day(table),
        at_ms=table.time_of_day_ms("at"),
        jitter_min=table.number("jitter_min", 0.0, low=0),
        lasts_min=table.numbers("lasts_min", count=2),
        crash=table.number("crash", 0.0, low=0, high=1),
        noticed_at_reboot=table.number("noticed_at_reboot", 0.0, low=0, high=1),
    )
    table.close()
    return outage


def _backlog(table: Table) -> Backlog:
    backlog = Backlog(
        where=read_where(table, "where"),
        day=_day(table),
        at_ms=table.time_of_day_ms("at"),
        jitter_min=table.number("jitter_min", 0.0, low=0),
        lasts_min=table.number("lasts_min", low=0),
    )
    table.close()
    return backlog


def moved_ms(at_ms: int, jitter_min: float, drawn: float) -> int:
    """A time of day moved within its jitter; ``drawn`` is from [0, 1)."""
    return at_ms + round((2 * drawn - 1) * jitter_min * MINUTE)
