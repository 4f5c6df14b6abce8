"""Rises that follow no update, as frozen values read from TOML."""

from __future__ import annotations

from dataclasses import dataclass

from sample_data.simulator.condition import FIELDS
from sample_data.simulator.fault_plan import Delay, Look, read_delay, read_look
from sample_data.simulator.release_plan import Start, read_start, read_where
from sample_data.simulator.toml_table import Table


@dataclass(frozen=True)
class Place:
    """Whom something meets: the hosts that satisfy a condition, or of these only those of one site, customer, ...

    Attributes:
        one: a field; the seed chooses its value, by the number of its hosts. Empty: all of them.
    """

    where: dict[str, str]
    one: str


@dataclass(frozen=True)
class Outage:
    """Hosts that lose power or network at once, whatever they have installed.

    Attributes:
        share: of those hosts.
        lasts_min: of each host, evenly between two bounds.
        crash: the chance that a host crashes as it goes, for a reason of its own.
        noticed_at_reboot: of those crashes, how many leave nothing that tells their time but the next boot; the
            others are reported as any crash is.
        boots: hosts boot as they come back; otherwise they were up all the time and could not be heard.
    """

    place: Place
    share: float
    start: Start
    lasts_min: tuple[float, ...]
    crash: float
    noticed_at_reboot: float
    boots: bool


@dataclass(frozen=True)
class Backlog:
    """Reports and acknowledgements held back somewhere and delivered at once."""

    place: Place
    start: Start
    lasts_min: float


@dataclass(frozen=True)
class Wave:
    """Hosts that crash from some minute on, whatever they have installed: a customer's driver, a broken machine.

    Attributes:
        share: of those hosts; of these at most ``hosts`` (0: all of them).
        lasts_min: nobody crashes later.
        after: from the beginning to a host's first crash, in time online, and from its return to the next one.
        recurs: the chance of a next one, each time.
    """

    place: Place
    start: Start
    share: float
    hosts: int
    lasts_min: float
    after: Delay
    recurs: float
    look: Look


@dataclass(frozen=True)
class WrongClocks:
    """Hosts whose clock is wrong all the time, in what they say of crashes and installs.

    Attributes:
        ahead_hours: of each host, evenly between two bounds; negative is behind.
    """

    place: Place
    share: float
    ahead_hours: tuple[float, ...]


def _place(table: Table) -> Place:
    return Place(read_where(table, "where"), table.text("one", "", one_of=("", *FIELDS)))


def read_outage(table: Table) -> Outage:
    """One of a scenario's ``[[outages]]``."""
    outage = Outage(
        place=_place(table),
        share=table.number("share", 1.0, low=0, high=1),
        start=read_start(table),
        lasts_min=table.numbers("lasts_min", count=2),
        crash=table.number("crash", 0.0, low=0, high=1),
        noticed_at_reboot=table.number("noticed_at_reboot", 0.0, low=0, high=1),
        boots=table.flag("boots", True),
    )
    table.close()
    return outage


def read_backlog(table: Table) -> Backlog:
    """One of a scenario's ``[[backlogs]]``."""
    backlog = Backlog(
        place=_place(table),
        start=read_start(table),
        lasts_min=table.number("lasts_min", low=0),
    )
    table.close()
    return backlog


def read_wave(table: Table) -> Wave:
    """One of a scenario's ``[[waves]]``."""
    wave = Wave(
        place=_place(table),
        start=read_start(table),
        share=table.number("share", 1.0, low=0, high=1),
        hosts=round(table.number("hosts", 0, low=0)),
        lasts_min=table.number("lasts_min", low=0),
        after=read_delay(table.table("after"), one_of=("lognormal", "exponential")),
        recurs=table.number("recurs", 0.0, low=0, high=1),
        look=read_look(table),
    )
    table.close()
    return wave


def read_wrong_clocks(table: Table) -> WrongClocks:
    """One of a scenario's ``[[wrong_clocks]]``."""
    clocks = WrongClocks(
        place=_place(table),
        share=table.number("share", 1.0, low=0, high=1),
        # A record from more than a day ahead of its arrival is refused at the door.
        ahead_hours=table.numbers("ahead_hours", count=2),
    )
    table.close()
    return clocks
