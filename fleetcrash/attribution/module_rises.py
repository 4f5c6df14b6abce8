"""Rises in one module: far more crashes in it than usual, where all crashes together are hardly more.

A fault that doubles how often hosts crash is lost among all the crashes of a day. But it strikes in one module mostly,
in which few of them are. So those in each module are held against as many as it had, of all crashes of its operating
system, on the days before. That is for faults that take their time: what strikes many hosts at once shows sooner in
all crashes, whatever module it is in.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.baseline import CRASH, CRASH_AT_BOOT, DARK, LAG_MINUTES
from fleetcrash.attribution.hours import DAY
from fleetcrash.attribution.inquiry import Inquiry
from fleetcrash.attribution.looks import Looks
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


class ModuleRises:
    """The watch over the modules, one after another."""

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self._looks = Looks()

    def following(self, tick: int, free: Mask, quiet: Mask, *, but: Set[int]) -> Found | None:
        """A rise in one module that follows an update, if there is one.

        Args:
            free: (events,) those that may be evidence. quiet: those that no incident accounts for.
            but: updates that are not on trial.
        """
        everywhere = np.ones(len(self._inquiry.news.cells), bool)
        for found in self._rising(tick, free, quiet):
            if self._looks.was_taken(f"{found.rise.name} of {found.rise.os_type}", tick, found.crashes):
                continue
            portion = self._inquiry.portion(found.rise)
            trial = self._inquiry.trial(tick, found.crashes, everywhere, but=but, portion=portion)
            if trial.log_test.max(initial=-np.inf) >= found.least:
                return found
        return None

    def _rising(self, tick: int, free: Mask, quiet: Mask) -> Iterator[Found]:
        """The modules with far more crashes within the last day than usual, most of them more than an hour ago.

        None of a system without a crash on the days before: what is usual in its modules nobody knows.
        """
        events, modules = self._inquiry.news.events, self._inquiry.modules
        known = (events.outcome != DARK) & (events.tick <= tick) & ~self._inquiry.too_early
        lately = events.minute > tick - DAY
        seen = modules.count(known & free & lately)
        if seen.max(initial=0) < _LEAST_EVENTS:
            return
        before, usual = modules.count(known & ~lately), self._by_system(known & ~lately & quiet)
        least = LOG_THRESHOLD + float(np.log((seen > 0).sum()))
        for number in np.flatnonzero(seen >= _LEAST_EVENTS).tolist():
            name, system = modules.names[number]
            if not usual.get(system):
                continue
            share = (before[number] + 1.0) / (usual[system] + 1.0)
            rise = ModuleRise(name, system, min(float(share), 1.0))
            mine = known & free & lately & (modules.of_event == number)
            is_slow = np.median(events.minute[mine]) <= tick - LAG_MINUTES
            if is_slow and self._log_excess(rise, tick, int(seen[number])) >= least:
                yield Found(rise, mine, least)

    def _by_system(self, some: Mask) -> dict[str | None, int]:
        """How many of some events happened in each operating system."""
        cells = self._inquiry.news.cells
        counts = np.bincount(self._inquiry.news.events.cell[some], minlength=len(cells)).tolist()
        of_systems: dict[str | None, int] = {}
        for cell, count in zip(cells, counts, strict=True):
            of_systems[cell.os_type] = of_systems.get(cell.os_type, 0) + count
        return of_systems

    def _log_excess(self, rise: ModuleRise, tick: int, seen: int) -> float:
        """How much so many crashes of the last day say against the baseline at the likeliest rate, in the whole fleet.

        Nothing where there are no more than it expects.
        """
        expected = self._inquiry.expected
        portion = expected.portion(rise.os_type, rise.share).of_spots[:, 0]
        of_fleet = expected.of_slices_since(tick - DAY + 1)[:, 0] * portion
        crashes = [CRASH, CRASH_AT_BOOT]
        mean = float((of_fleet[crashes] * expected.baseline.caution()[crashes]).sum())
        return seen * float(np.log(seen / max(mean, 1e-9))) - (seen - mean) if seen > mean else 0.0
