"""Rises in one module: far more crashes in it than usual, where all crashes together are hardly more.

A fault that doubles how often hosts crash is lost among all the crashes of a day. But it strikes in one module mostly,
in which few of them are. So those in each module are held against as many as it had, of all crashes of its operating
system, on the days before. That is for faults that take their time: what strikes many hosts at once shows sooner in
all crashes, whatever module it is in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.baseline import CRASH, CRASH_AT_BOOT, DARK, LAG_MINUTES
from fleetcrash.attribution.hours import DAY
from fleetcrash.attribution.inquiry import Inquiry
from fleetcrash.attribution.modules import ModuleRise
from fleetcrash.attribution.suspects import LOG_THRESHOLD

Mask = NDArray[np.bool_]

_LEAST_EVENTS = 4


@dataclass(frozen=True)
class Found:
    """A rise that may follow an update.

    Attributes:
        crashes: (events,) those of the last day in the module.
        least: the log of the sequential test that an update has to pass, of as many modules as have crashes.
    """

    rise: ModuleRise
    crashes: Mask
    least: float


def rising(inquiry: Inquiry, tick: int, free: Mask, quiet: Mask) -> Iterator[Found]:
    """The modules with far more crashes within the last day than usual, most of them more than an hour ago.

    Args:
        free: (events,) those that may be evidence. quiet: those that no incident accounts for.
    """
    events, modules = inquiry.news.events, inquiry.modules
    known = (events.outcome != DARK) & (events.tick <= tick) & ~inquiry.too_early
    lately = events.minute > tick - DAY
    seen = modules.count(known & free & lately)
    if seen.max(initial=0) < _LEAST_EVENTS:
        return
    usual, before = known & ~lately & quiet, modules.count(known & ~lately)
    of_cells = np.array([cell.os_type for cell in inquiry.news.cells], dtype=object)
    of_systems = {system: int(usual[of_cells[events.cell] == system].sum()) for _, system in modules.names}
    least = LOG_THRESHOLD + float(np.log((seen > 0).sum()))
    for number in np.flatnonzero(seen >= _LEAST_EVENTS).tolist():
        name, system = modules.names[number]
        share = (before[number] + 1.0) / (of_systems[system] + 1.0)
        rise = ModuleRise(name, system, min(float(share), 1.0))
        mine = known & free & lately & modules.crashes_of(rise)
        is_slow = np.median(events.minute[mine]) <= tick - LAG_MINUTES
        if is_slow and _log_excess(inquiry, rise, tick, int(mine.sum())) >= least:
            yield Found(rise, mine, least)


def _log_excess(inquiry: Inquiry, rise: ModuleRise, tick: int, seen: int) -> float:
    """How much so many crashes of the last day say against the baseline at the likeliest rate, in the whole fleet."""
    expected = inquiry.expected
    portion = expected.portion(rise.os_type, rise.share).of_spots[:, 0]
    of_fleet = expected.of_slices_since(tick - DAY + 1)[:, 0] * portion
    crashes = [CRASH, CRASH_AT_BOOT]
    mean = float((of_fleet[crashes] * expected.baseline.caution()[crashes]).sum())
    return seen * float(np.log(seen / max(mean, 1e-9))) - (seen - mean)
