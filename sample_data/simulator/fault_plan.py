"""What a bad update does, as frozen values read from TOML."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data.simulator.clock import SECOND, Moments, lognormal_ms
from sample_data.simulator.release_plan import read_where
from sample_data.simulator.toml_table import Table

DELAYS = ("lognormal", "exponential", "next_boot")
EFFECTS = ("crash", "silence", "rate")
DOMAINS = ("kernel", "user", "hang")


@dataclass(frozen=True)
class Look:
    """What crashes of one cause look like.

    Attributes:
        module: empty: like any ordinary crash.
        module_version: empty: the agent's.
        offset: 0: follows from the names and the version.
    """

    domain: str
    module: str
    module_version: str
    function: str
    offset: int
    codes: dict[str, float]


@dataclass(frozen=True)
class Delay:
    """From the install to the fault, in time that the host is online; next_boot: from the boot after it."""

    by: str
    median_s: float
    spread: float
    at_most_s: float

    def drawn_ms(self, size: int, rng: np.random.Generator) -> Moments:
        """So many delays in ms, a second at least."""
        if self.by == "exponential":
            seconds = np.minimum(rng.exponential(self.median_s / np.log(2), size), self.at_most_s)
            delay = np.rint(seconds * SECOND).astype(np.int64)
        else:
            delay = lognormal_ms(rng, size, self.median_s, self.spread, self.at_most_s)
        return np.asarray(np.maximum(delay, SECOND), dtype=np.int64)


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
    look: Look
    loop: Loop | None
    repair: Repair
    recurs: float
    fixed_by: str


def read_look(table: Table) -> Look:
    """What crashes look like, from keys of the table that says when they happen."""
    return Look(
        domain=table.text("domain", "kernel", one_of=DOMAINS),
        module=table.text("module", ""),
        module_version=table.text("module_version", ""),
        function=table.text("function", ""),
        offset=table.whole("offset", 0),
        codes=table.weights("codes", {"": 1.0}),
    )


def read_fault(table: Table) -> Fault:
    """One of a scenario's ``[[faults]]``."""
    effect = table.text("effect", "crash", one_of=EFFECTS)
    if effect == "rate":  # nobody is struck: there is no delay to draw
        probability, after, factor = 1.0, Delay("exponential", 1.0, 0.0, 0.0), table.number("factor", low=0)
    else:
        probability, after, factor = table.number("probability", low=0, high=1), read_delay(table.table("after")), 1.0
    fault = Fault(
        update=table.text("update"),
        condition=read_where(table, "condition"),
        probability=probability,
        after=after,
        effect=effect,
        factor=factor,
        look=read_look(table),
        loop=_loop(table.table("loop")) if table.has("loop") else None,
        repair=_repair(table.table("repair")),
        recurs=table.number("recurs", 0.0, low=0, high=1),
        fixed_by=table.text("fixed_by", ""),
    )
    if fault.effect == "crash" and not fault.look.module:
        raise table.wrong("module", "the module that crashes")
    table.close()
    return fault


def read_delay(table: Table, one_of: tuple[str, ...] = DELAYS) -> Delay:
    """From one thing to the next, in one of some ways."""
    delay = Delay(
        by=table.text("by", one_of=one_of),
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
