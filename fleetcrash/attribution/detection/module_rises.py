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

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.detection.looks import Looks
from fleetcrash.attribution.evidence import log_likeliest
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, DARK, LAG_MINUTES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.modules import ModuleRise
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.times import DAY

_LEAST_EVENTS = 4
_LENGTHS = (240, DAY)  # minutes in which there may be more

# From here on crashes of another module are held to have moved into this one: twenty to one, for that is common.
_LOG_MOVED = 3.0
_LEFT_BEHIND = 0.1  # of them stay with hosts that have the old file still
_MOVED = 1 / 3  # of what is more, at least; the rest may come by chance


@dataclass(frozen=True)
class Found:
    """A rise that may follow an update.

    Attributes:
        crashes: (events,) those of the last day in the module.
        usual: (modules,) what share of the crashes of its operating system each has.
        least: the log of the sequential test that an update has to pass, of as many modules as have crashes.
    """

    rise: ModuleRise
    crashes: Mask
    usual: Floats
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
            if self._looks.skip_or_take(f"{found.rise.names[0]} of {found.rise.os_type}", tick, found.crashes):
                continue
            portion = self._inquiry.portion(found.rise)
            trial = self._inquiry.trial(tick, found.crashes, everywhere, but=but, portion=portion)
            passed = np.where(trial.passed(found.least), trial.log_test, -np.inf)
            if passed.max(initial=-np.inf) < found.least:
                continue
            if not self._is_renamed(found.rise, found.usual, int(trial.updates[np.argmax(passed)]), tick):
                return found
        return None

    def is_over(self, incident: Incident, tick: int, quiet: Mask) -> bool:
        """Whether the rise that an incident is of, and which is not understood, turns out to be of a module renamed.

        At its alarm there may have been too few crashes to tell.

        Args:
            quiet: (events,) those that no incident accounts for.
        """
        rise, judgement, trial = incident.rise, incident.judgement, incident.trial
        if rise is None or incident.is_understood or judgement is None or trial is None:
            return False
        leader = judgement.leader(trial.updates)
        return leader is not None and self._is_renamed(rise, self._usual(tick, quiet)[0], leader, tick)

    def _rising(self, tick: int, free: Mask, quiet: Mask) -> Iterator[Found]:
        """The modules with far more crashes within the last day than usual, most of them more than an hour ago.

        Nothing for a system of whose crashes on the days before no module was told: what is usual in them nobody knows.
        """
        events, modules = self._inquiry.news.events, self._inquiry.modules
        lately = self._known(tick) & free & (events.minute > tick - DAY)
        seen = modules.count(lately)
        if seen.max(initial=0) < _LEAST_EVENTS:
            return
        usual, in_all = self._usual(tick, quiet)
        least = LOG_THRESHOLD + float(np.log((seen > 0).sum()))
        for number in np.flatnonzero((seen >= _LEAST_EVENTS) & (in_all > 0)).tolist():
            name, system = modules.names[number]
            rise = ModuleRise((name,), system, float(usual[number]))
            mine = lately & (modules.of_event == number)
            is_slow = np.median(events.minute[mine]) <= tick - LAG_MINUTES
            if is_slow and self._log_excess(rise, tick, events.minute[mine]) >= least:
                yield Found(rise, mine, usual, least)

    def _known(self, tick: int) -> Mask:
        """(events,) the crashes that were known by a tick."""
        events = self._inquiry.news.events
        return (events.outcome != DARK) & (events.tick <= tick) & ~self._inquiry.too_early

    def _usual(self, tick: int, quiet: Mask) -> tuple[Floats, Ints]:
        """(modules,) what share of the crashes of its system each had on the days before, and how many those were."""
        modules, before = self._inquiry.modules, self._known(tick) & (self._inquiry.news.events.minute <= tick - DAY)
        in_all = modules.in_all(modules.count(before & quiet))
        return np.minimum((modules.count(before) + 1.0) / (in_all + 1.0), 1.0), in_all

    def _is_renamed(self, rise: ModuleRise, usual: Floats, update: int, tick: int) -> bool:
        """Whether hosts with an update crash less than usual in another module, and in the two together hardly more.

        What replaces a driver, or a library with its version in the name, moves the crashes of one into another.

        Args:
            usual: (modules,) see ``Found``.
        """
        inquiry, modules = self._inquiry, self._inquiry.modules
        events = inquiry.news.events
        mine = inquiry.events_with(update, tick) & (events.outcome != DARK) & (events.minute > tick - DAY)
        seen = modules.count(mine)
        _, of_rise = inquiry.by_cell(update, tick, mine, departures=False, portion=inquiry.portion(rise))
        expected = usual * of_rise.sum() / rise.share
        of_it = [modules.names.index((name, rise.os_type)) for name in rise.names]
        more = (seen - expected)[of_it].sum()
        fewer = np.maximum(expected - more, _LEFT_BEHIND * expected)
        has_fewer = seen * np.log(fewer / expected) + expected - fewer >= _LOG_MOVED
        is_all = log_likeliest(seen + seen[of_it].sum(), expected + expected[of_it].sum()) < LOG_THRESHOLD
        are_enough = expected >= _MOVED * more
        return bool((modules.of_system(rise.os_type) & has_fewer & are_enough & is_all).any())

    def _log_excess(self, rise: ModuleRise, tick: int, minute: Ints) -> float:
        """How much some crashes say against the baseline at the likeliest rate, in the whole fleet, of the last hours.

        Nothing where there are no more than it expects.

        Args:
            minute: (n,) of those of the last day, by the module.
        """
        expected = self._inquiry.expected
        portion = expected.portion(rise.os_type, rise.share).of_spots[:, 0]
        caution, crashes = expected.caution(tick), [CRASH, CRASH_AT_BOOT]
        said = []
        for minutes in _LENGTHS:
            of_fleet = expected.of_slices_since(tick - minutes + 1)[:, 0] * portion
            mean = max(float((of_fleet[crashes] * caution[crashes]).sum()), 1e-9)
            seen = int((minute > tick - minutes).sum())
            said.append(seen * float(np.log(seen / mean)) - (seen - mean) if seen > mean else 0.0)
        return max(said) - float(np.log(len(_LENGTHS)))
