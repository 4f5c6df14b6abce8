"""What a fleet is made of and how it behaves, as frozen values read from ``scenarios/shared/*.toml``."""

from __future__ import annotations

from dataclasses import dataclass

from fleetcrash.errors import BadArgument
from fleetcrash.records import OS_TYPES, UPDATE_KINDS
from sample_data.simulator.release_plan import BackgroundUpdates, read_background_updates
from sample_data.simulator.toml_table import Table

LIVES = ("office", "left-on", "server")


@dataclass(frozen=True)
class Region:
    """Where sites lie, and how far their clocks are ahead of UTC."""

    name: str
    share: float
    utc_offsets_hours: tuple[float, ...]  # each site lies in one of them


@dataclass(frozen=True)
class HostClass:
    """A kind of machine: how it lives, what runs on it, who uses it."""

    name: str
    share: float
    life: str  # one of LIVES
    os_types: dict[str, float]
    groups: dict[str, float]


@dataclass(frozen=True)
class Build:
    """An OS version and build that belong together."""

    os_type: str
    os_version: str
    os_build: str
    classes: tuple[str, ...]
    share: float
    hazard: float  # crash rate relative to a usual host


@dataclass(frozen=True)
class Model:
    """A hardware model, or a kind of virtual machine."""

    name: str
    os_types: tuple[str, ...]
    classes: tuple[str, ...]
    share: float
    hazard: float


@dataclass(frozen=True)
class Agent:
    """A version of the agent that hosts run when the first day begins."""

    version: str
    share: float
    hazard: float


@dataclass(frozen=True)
class Life:
    """When hosts are online. Chances are per host and day; hours are local time of day.

    Attributes:
        clocks_forward: regions whose local time jumps an hour ahead as the judged day begins.
    """

    workday_used: float
    weekend_used: float
    day_begins_hours: tuple[float, ...]
    day_lasts_hours: tuple[float, ...]
    lunch: float
    lunch_median_min: float
    pause: float
    pause_median_min: float
    evening: float
    boots_in_the_morning: float
    boots_after_a_pause: float
    left_on_reboots: float
    server_reboots: float
    reboot_s: tuple[float, ...]
    server_goes_silent: float
    silence_median_hours: float
    clocks_forward: tuple[str, ...]


@dataclass(frozen=True)
class BackgroundCrashes:
    """The crashes of an ordinary day; a factor is relative to a usual host's rate long after its boot."""

    per_host_day: dict[str, float]
    server_factor: float
    boot_factor: float
    boot_min: float
    wake_factor: float
    wake_min: float
    frailty: float
    noisy_share: float
    noisy_factor: float
    zipf: float
    reboot_s: tuple[float, ...]
    hang_reset_s: tuple[float, ...]


@dataclass(frozen=True)
class Reports:
    """How crash reports and install acknowledgements arrive; chances are per record.

    Attributes:
        installs_of: kinds of update whose installs are acknowledged at all.
    """

    crash_median_s: float
    crash_spread: float
    crash_late: float
    crash_late_median_hours: float
    duplicates: float
    noticed_at_reboot: float
    from_a_log: float
    with_content: float
    with_tags: float
    installs_of: tuple[str, ...]
    install_median_s: float
    install_spread: float
    install_late: float
    install_late_median_min: float
    install_late_spread: float
    install_late_after_a_crash: float


@dataclass(frozen=True)
class Mix:
    """A kind of fleet: who is in it, how it lives, crashes, reports and is updated."""

    regions: tuple[Region, ...]
    classes: tuple[HostClass, ...]
    builds: tuple[Build, ...]
    models: tuple[Model, ...]
    agents: tuple[Agent, ...]  # newest first
    rings: dict[str, float]
    life: Life
    background_crashes: BackgroundCrashes
    reports: Reports
    background_updates: BackgroundUpdates


def read_mix(top: Table) -> Mix:
    """A fleet's mix from its TOML.

    Raises:
        BadArgument: a key is missing, unknown or not of its form; or a class has no build or model to choose.
    """
    mix = Mix(
        regions=tuple(_region(table) for table in top.tables("regions")),
        classes=tuple(_class(table) for table in top.tables("classes")),
        builds=tuple(_build(table) for table in top.tables("builds")),
        models=tuple(_model(table) for table in top.tables("models")),
        agents=tuple(_agent(table) for table in top.tables("agents")),
        rings=top.weights("rings"),
        life=_life(top.table("life")),
        background_crashes=_background_crashes(top.table("background_crashes")),
        reports=_reports(top.table("reports")),
        background_updates=read_background_updates(top.table("background_updates")),
    )
    top.close()
    for name, items in (("regions", mix.regions), ("classes", mix.classes), ("agents", mix.agents)):
        if not items:
            raise BadArgument(f"{top.name(name)} is empty; wanted at least one. Nothing was written.")
    for host_class in mix.classes:
        for os_type in host_class.os_types:
            for what, choices in (
                ("builds", [b for b in mix.builds if b.os_type == os_type and host_class.name in b.classes]),
                ("models", [m for m in mix.models if os_type in m.os_types and host_class.name in m.classes]),
            ):
                if not choices:
                    raise BadArgument(
                        f"{top.name(what)} has none for {os_type} hosts of class {host_class.name}; "
                        "wanted at least one. Nothing was written."
                    )
    return mix


def _region(table: Table) -> Region:
    region = Region(table.text("name"), table.number("share", low=0), table.numbers("utc_offsets_hours"))
    table.close()
    return region


def _class(table: Table) -> HostClass:
    host_class = HostClass(
        table.text("name"),
        table.number("share", low=0),
        table.text("life", one_of=LIVES),
        table.weights("os_types"),
        table.weights("groups"),
    )
    table.close()
    return host_class


def _build(table: Table) -> Build:
    build = Build(
        table.text("os_type", one_of=OS_TYPES),
        table.text("os_version"),
        table.text("os_build"),
        table.texts("classes"),
        table.number("share", low=0),
        table.number("hazard", 1.0, low=0),
    )
    table.close()
    return build


def _model(table: Table) -> Model:
    model = Model(
        table.text("name"),
        table.texts("os_types"),
        table.texts("classes"),
        table.number("share", low=0),
        table.number("hazard", 1.0, low=0),
    )
    table.close()
    return model


def _agent(table: Table) -> Agent:
    agent = Agent(table.text("version"), table.number("share", low=0), table.number("hazard", 1.0, low=0))
    table.close()
    return agent


def _life(table: Table) -> Life:
    life = Life(
        workday_used=table.number("workday_used", low=0, high=1),
        weekend_used=table.number("weekend_used", low=0, high=1),
        day_begins_hours=table.numbers("day_begins_hours", count=2),
        day_lasts_hours=table.numbers("day_lasts_hours", count=2),
        lunch=table.number("lunch", low=0, high=1),
        lunch_median_min=table.number("lunch_median_min", low=1),
        pause=table.number("pause", low=0, high=1),
        pause_median_min=table.number("pause_median_min", low=1),
        evening=table.number("evening", low=0, high=1),
        boots_in_the_morning=table.number("boots_in_the_morning", low=0, high=1),
        boots_after_a_pause=table.number("boots_after_a_pause", low=0, high=1),
        left_on_reboots=table.number("left_on_reboots", low=0, high=1),
        server_reboots=table.number("server_reboots", low=0, high=1),
        reboot_s=table.numbers("reboot_s", count=2),
        server_goes_silent=table.number("server_goes_silent", low=0, high=1),
        silence_median_hours=table.number("silence_median_hours", low=0.1),
        clocks_forward=table.texts("clocks_forward", ()),
    )
    table.close()
    return life


def _background_crashes(table: Table) -> BackgroundCrashes:
    crashes = BackgroundCrashes(
        per_host_day=table.weights("per_host_day"),
        server_factor=table.number("server_factor", low=0),
        boot_factor=table.number("boot_factor", low=0),
        boot_min=table.number("boot_min", low=0),
        wake_factor=table.number("wake_factor", low=0),
        wake_min=table.number("wake_min", low=0),
        frailty=table.number("frailty", low=0),
        noisy_share=table.number("noisy_share", low=0, high=1),
        noisy_factor=table.number("noisy_factor", low=0),
        zipf=table.number("zipf", low=0),
        reboot_s=table.numbers("reboot_s", count=2),
        hang_reset_s=table.numbers("hang_reset_s", count=2),
    )
    table.close()
    return crashes


def _reports(table: Table) -> Reports:
    reports = Reports(
        crash_median_s=table.number("crash_median_s", low=1),
        crash_spread=table.number("crash_spread", low=0),
        crash_late=table.number("crash_late", low=0, high=1),
        crash_late_median_hours=table.number("crash_late_median_hours", low=0),
        duplicates=table.number("duplicates", low=0, high=1),
        noticed_at_reboot=table.number("noticed_at_reboot", low=0, high=1),
        from_a_log=table.number("from_a_log", low=0, high=1),
        with_content=table.number("with_content", low=0, high=1),
        with_tags=table.number("with_tags", low=0, high=1),
        installs_of=table.texts("installs_of"),
        install_median_s=table.number("install_median_s", low=0.001),
        install_spread=table.number("install_spread", low=0),
        install_late=table.number("install_late", low=0, high=1),
        install_late_median_min=table.number("install_late_median_min", low=0.001),
        install_late_spread=table.number("install_late_spread", low=0),
        install_late_after_a_crash=table.number("install_late_after_a_crash", low=0, high=1),
    )
    if not set(reports.installs_of) <= set(UPDATE_KINDS):
        raise table.wrong("installs_of", f"a list of some of {', '.join(UPDATE_KINDS)}")
    table.close()
    return reports
