"""What is to be expected: events of each spot, and of the hosts with each update, if nothing were wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.expected.baseline import (
    CRASH_AT_BOOT,
    DARK,
    OUTCOMES,
    PRIOR_RATE,
    Baseline,
    Learned,
    learned_at,
    of_kinds,
)
from fleetcrash.attribution.expected.hazard import InstallHazard
from fleetcrash.attribution.expected.portion import Portion
from fleetcrash.attribution.expected.spots import Spots
from fleetcrash.attribution.facts import crashers
from fleetcrash.attribution.facts.cursor import Cursor
from fleetcrash.attribution.facts.exposure import (
    AGES,
    BOOT_MINUTES,
    BOOTS,
    KEPT_MINUTES,
    KINDS,
    WINDOWS,
    HostTime,
    kind_of,
)
from fleetcrash.attribution.facts.hours import HOURS, Hours, hour_of
from fleetcrash.attribution.facts.news import SYSTEMS, News, system_number
from fleetcrash.times import DAY

_Singles = NDArray[np.float32]
_Floating = TypeVar("_Floating", Floats, _Singles)

RING = DAY + 1
_RATE_MINUTES = 10  # the baseline moves slowly; its rates are worked out this often
_LEAST_CHANGE = 0.02  # of what is to be expected, that is worth reckoning the past anew

UNHEARD_MINUTES = 28 * DAY
"""For which a fleet may tell nothing, though hosts of it count as online, and be taken for quiet. After that nothing is
learned from it until it tells something again: one clock that stood at 1970 would teach half a century without a crash.
In any fleet worth watching somebody comes or goes, or installs something, in four weeks; and those are learned from."""


def _nothing_until(spots: int) -> Floats:
    """(OUTCOMES, spots, RING) zeros; what is of one minute lies side by side, for one is written at every tick."""
    return np.zeros((RING, OUTCOMES, spots)).transpose(1, 2, 0)


class Expectation:
    """Host-time and the baseline, advanced together.

    Attributes:
        time: host-time of the fleet and of each update.
        baseline: the rates, learned from what was quiet.
        hazard: how much more follows an install of any update; learned where nobody tells presence.
        total: (OUTCOMES, spots) events expected up to now.
    """

    def __init__(self, news: News, spots: Spots) -> None:
        self.time = HostTime.start(news)
        self.baseline = Baseline(len(spots), crashers.PRIOR_RATE if news.crashes_only else PRIOR_RATE)
        self.hazard = InstallHazard()
        self._hours = Hours(OUTCOMES)
        self.total = np.zeros((OUTCOMES, len(spots)))
        self._until = _nothing_until(len(spots))  # before each minute of the last day, modulo RING, but for ``_scale``
        self._scale = np.ones((OUTCOMES, len(spots)))  # what the past was multiplied by, as it was reckoned anew
        self._online_at = np.zeros((len(spots), KINDS))
        self._pending: deque[tuple[int, Floats, _Singles]] = deque()  # one for each minute of up to a day
        self._per_minute: Floats | None = None  # (OUTCOMES, slices) at these rates with these hosts online
        # (OUTCOMES, WINDOWS, slices) of each update, by what counts: several cases are tried at a tick.
        self._in_slices: dict[tuple[int, bytes], Floats] = {}
        self._heard_tick = news.first_tick  # the last one at which anything was told
        self._learned_rates, self._learned_factors = self.baseline.rates(), self.baseline.factors()
        self._past_rates, self._past_factors = self._learned_rates, self._learned_factors
        self._take_over(news, spots, tick=news.first_tick - 1)

    def extend(self, news: News, spots: Spots, moved: Ints, *, tick: int) -> None:
        """Go on with later news.

        Args:
            moved: (spots before,) where each spot is now.
            tick: the last one taken in.
        """
        self.time.extend(news)
        # Else nothing is moved: with thousands of places this is hundreds of megabytes, of every minute of a day.
        if len(spots) > len(moved) or (moved != np.arange(len(moved))).any():
            self._move(len(spots), moved)
        self._take_over(news, spots, tick=tick)

    def _move(self, spots: int, moved: Ints) -> None:
        """Take over another numbering of so many spots, by where each of those before is now."""

        def placed(values: _Floating) -> _Floating:
            wider = np.zeros((values.shape[0], spots, *values.shape[2:]), values.dtype)
            wider[:, moved] = values
            return wider

        self.baseline.move(placed)
        self.total = placed(self.total)
        until = _nothing_until(spots)
        until[:, moved] = self._until
        self._until = until
        self._scale = placed(self._scale - 1.0) + 1.0
        self._pending = deque((minute, at_risk, placed(raw)) for minute, at_risk, raw in self._pending)
        self._online_at = placed(self._online_at[None])[0]
        # A slice that is new has a factor of one; the others keep theirs until rates are next worked out.
        self._learned_factors = placed(self._learned_factors - 1.0) + 1.0
        self._past_factors = placed(self._past_factors - 1.0) + 1.0

    def _take_over(self, news: News, spots: Spots, *, tick: int) -> None:
        self._news, self._spots = news, spots
        self._in_slices.clear()
        self._system = news.systems
        self._always_on = np.array([cell.always_on for cell in news.cells], np.int64)
        known = [cell.known_tick for cell in news.cells[1:] if not cell.always_on]  # the first is of unknown hosts
        self._others_from = min(known, default=np.iinfo(np.int64).max)
        self._kind = kind_of(self._system, self._always_on, 0)
        self._members = spots.slices.members.astype(float)
        self._cells, self._places = Cursor(news.online.minute), Cursor(news.places.minute)
        self._place_at = (len(spots.slices) + news.places.place) * KINDS + news.places.stratum
        self._count_cells()
        ripe = np.maximum(learned_at(news.events.minute, news.first_crash_minute), news.events.tick)
        self._learn_order = np.argsort(ripe, kind="stable")
        self._learnable = Cursor(ripe[self._learn_order])
        self._learnable.take(tick)
        self._known = Cursor(news.events.tick)
        self._known.take(tick)
        self._learns_hazard = news.installs_told and not news.presence_told
        if self._learns_hazard:
            self.hazard.take_over(news)
        self._take_rates()

    def rest(self) -> None:
        """Go on after ticks that were left out, of which nothing is learned and none is looked back to."""
        self._until[:] = (self.total / self._scale)[..., None]

    def advance(self, tick: int, *, claimed: Mask, disturbed: Callable[[int], bool]) -> None:
        """Take in a minute, and learn from those long enough before it.

        Args:
            claimed: (events,) events that an incident may account for; they are not learned from.
            disturbed: whether an incident made a minute unlike the baseline.
        """
        self._in_slices.clear()
        changed = self.time.advance(tick)
        self._count_online(tick)
        at_risk = self._at_risk()
        if self._count_by_hour(tick, at_risk) or changed:
            self._heard_tick = tick
        self._learn(tick, claimed, disturbed)
        if tick % _RATE_MINUTES == 0:
            if self._learns_hazard:
                self.time.weight = self.hazard.ratios()
            if tick % DAY == 0:
                self._take_hours(tick)
            self._learned_rates, self._learned_factors = self.baseline.rates(), self._factors(tick)
            self._take_rates()
            self._reckon_past()
        self._expect(tick, at_risk)

    def caution(self, tick: int) -> Floats:
        """(OUTCOMES,) what the baseline's is; at boots higher while many hosts are amid one.

        Args:
            tick: the last one taken in.
        """
        return self.baseline.caution() * self._amid_boots(tick)

    def learned(self, tick: int) -> Learned:
        """What the baseline has learned; the safety is higher at boots while many hosts are amid one."""
        learned = self.baseline.learned()
        return replace(learned, safety=learned.safety * self._amid_boots(tick))

    def _amid_boots(self, tick: int) -> Floats:
        """(OUTCOMES,) how much more may come than is expected so far, because it is of boots that are not over.

        Most crash in the first minutes of the ten in which it counts. Where a fleet is restarted within minutes they
        come before these minutes do: as many as belong to all the boots, while few of the minutes are over.
        """
        more, most = np.ones(OUTCOMES), BOOT_MINUTES[-1]
        per_minute, so_far = (float(self.since(0, tick - minutes + 1)[CRASH_AT_BOOT]) for minutes in (1, most))
        if so_far > 0.0:
            more[CRASH_AT_BOOT] = max(most * per_minute / so_far, 1.0)
        return more

    def since(self, spot: int, minute: int) -> Floats:
        """(OUTCOMES,) events to be expected at a spot since a minute of the last day."""
        return self.total[:, spot] - self._until[:, spot, minute % RING] * self._scale[:, spot]

    def until(self, spots: Ints, minutes: Ints) -> Floats:
        """(OUTCOMES, ...) events to be expected at spots before minutes of the last day, both of one shape."""
        return self._until[:, spots, minutes % RING] * self._scale[:, spots]

    def of_slices_since(self, minute: int) -> Floats:
        """(OUTCOMES, slices) events to be expected since a minute of the last day."""
        return (self.total - self._until[:, :, minute % RING] * self._scale)[:, : len(self._spots.slices)]

    def portion(self, system: str, share: float) -> Portion:
        """The crashes that are such a share of all those of an operating system.

        At a place as many hosts are taken to be of that as in the whole fleet.
        """
        inside = self._system == system_number(system)
        by_cell = self.of_host_minutes(self.time.online)
        every, of_system = by_cell @ self._members.T, (by_cell * inside) @ self._members.T
        of_slices = np.divide(of_system, every, out=np.zeros_like(every), where=every > 0)
        of_places = np.repeat(of_slices[:, :1], len(self._spots) - of_slices.shape[1], axis=1)
        are_crashes = (np.arange(OUTCOMES) != DARK)[:, None]
        of_spots = np.concatenate([of_slices, of_places], axis=1) * (are_crashes * share)
        return Portion(are_crashes * share * inside, of_spots)

    def of_host_minutes(self, minutes: Floats) -> Floats:
        """(OUTCOMES, cells) events to be expected in so many (cells, BOOTS) minutes of hosts at risk."""
        answer: Floats = np.einsum("ocb,cb->oc", self._rates, minutes)
        return answer

    def of_hosts_with(self, update: int, tick: int) -> Floats:
        """(OUTCOMES, WINDOWS, cells) events to be expected of the hosts that had an update."""
        time = self.time.by_update[update]
        minutes = np.maximum(time.host_minutes(tick), 0.0)
        expected = np.ascontiguousarray(np.matmul(self._rates.swapaxes(0, 1), minutes).transpose(1, 2, 0))
        factors = time.mean_of(self.baseline.by_hour)
        factors[:, :AGES] *= self.time.weight
        expected *= factors[..., None]
        return expected

    def in_slices_with(self, updates: Ints, tick: int, portion: Floats | Mask) -> Floats:
        """(OUTCOMES, U, WINDOWS, slices) events to be expected of the hosts that had each update.

        Args:
            tick: the last one taken in. portion: (cells,) which of them count, or (OUTCOMES, cells) what part does.
        """
        expected = np.zeros((OUTCOMES, len(updates), WINDOWS, len(self._spots.slices)))
        counted = portion.tobytes()
        for number, update in enumerate(updates.tolist()):
            kept = self._in_slices.get((update, counted))
            if kept is None:
                of_cells = self.of_hosts_with(update, tick)
                of_cells *= portion if portion.ndim == 1 else portion[:, None]
                kept = self._in_slices[update, counted] = self._spots.slices.add_up(of_cells)
            expected[:, number] = kept
        return expected

    def _factors(self, tick: int) -> Floats:
        """(OUTCOMES, spots) the baseline's, but of what hosts are by an update of these days.

        Else a version that crashes its hosts would be known for that before it is blamed.
        """
        factors = self.baseline.factors()
        factors[:, : len(self._spots.slices)][:, self._spots.slices_made_lately(tick)] = 1.0
        return factors

    def _take_rates(self) -> None:
        self._kind_rates = of_kinds(self._learned_rates)
        self._rates = self._rates_of_cells(self._learned_rates, self._learned_factors)
        self._per_minute = None

    def _rates_of_cells(self, rates: Floats, factors: Floats) -> Floats:
        """(OUTCOMES, cells, BOOTS) events per host-minute at the baseline's rates and factors."""
        of_cells = self._spots.slices.cell_factors(factors[:, : len(self._spots.slices)])
        by_cell: Floats = rates[:, self._system] * of_cells[..., None]
        by_cell[DARK] *= self._always_on[:, None]
        return by_cell

    def _reckon_past(self) -> None:
        """Take what was to be expected so far by the rates of now, as what hosts with an update were to do is taken.

        While rates are learned, an update and a wave in the same hosts would else be held against different ones.
        """
        before, now = (
            self._a_minute(self._rates_of_cells(rates, factors), rates, factors)
            for rates, factors in (
                (self._past_rates, self._past_factors),
                (self._learned_rates, self._learned_factors),
            )
        )
        of_fleet = np.divide(now[:, :1], before[:, :1], out=np.ones((OUTCOMES, 1)), where=before[:, :1] > 0)
        ratio = np.divide(now, before, out=np.repeat(of_fleet, now.shape[1], axis=1), where=before > 0)
        if np.abs(ratio - 1.0).max() > _LEAST_CHANGE:
            self.total *= ratio
            self._scale *= ratio
            self._past_rates, self._past_factors = self._learned_rates, self._learned_factors

    def _take_hours(self, midnight: int) -> None:
        """Take the hours of the day as the days before tell them, and the last one's anew by that."""
        by_hour = self._hours.factors(midnight // DAY)
        if np.array_equal(by_hour, self.baseline.by_hour):
            return
        ratio = np.repeat(by_hour / self.baseline.by_hour, DAY // HOURS, axis=1)
        self.baseline.by_hour = by_hour
        minutes = np.arange(midnight - DAY, midnight + 1) % RING
        until = self._until[:, :, minutes]
        until[:, :, 1:] = until[:, :, :1] + np.cumsum(np.diff(until, axis=2) * ratio[:, None], axis=2)
        self._until[:, :, minutes] = until
        self.total = until[:, :, -1] * self._scale

    def _a_minute(self, of_cells: Floats, rates: Floats, factors: Floats) -> Floats:
        """(OUTCOMES, spots) events to be expected of the hosts online within a minute."""
        of_slices = np.einsum("ocb,cb->oc", of_cells, self.time.online) @ self._members.T
        return np.concatenate([of_slices, self._at_places(self._raw(of_kinds(rates)), factors)], axis=1)

    def _raw(self, of_kinds: Floats) -> Floats:
        """(OUTCOMES, spots) events to be expected within a minute, without the factors."""
        return of_kinds @ self._online_at.T

    def _at_places(self, raw: Floats, factors: Floats) -> Floats:
        slices = len(self._members)
        return raw[:, slices:] * np.maximum(factors[:, slices:], 1.0)

    def _count_online(self, tick: int) -> None:
        """Take in who came and went by the tick, at every spot."""
        cells, places = self._news.online, self._news.places
        taken = self._cells.take(tick)
        cell = cells.cell[taken]
        if len(cell) > len(self._news.cells):
            self._count_cells()
        elif len(cell):
            changed = np.zeros((len(cell), KINDS))
            changed[np.arange(len(cell)), self._kind[cell] + cells.since_boot[taken]] = cells.change[taken]
            self._online_at[: len(self._members)] += self._members[:, cell] @ changed
            self._per_minute = None
        taken = self._places.take(tick)
        if taken.start < taken.stop:
            change = places.change[taken].astype(float)  # of the same type it is five times as fast
            np.add.at(self._online_at.reshape(-1), self._place_at[taken], change)

    def _count_cells(self) -> None:
        """Count the hosts online at every slice anew."""
        self._per_minute = None
        for kind in np.unique(self._kind):
            alike = self._kind == kind
            at_slices = self._members[:, alike] @ self.time.online[alike]
            self._online_at[: len(self._members), kind : kind + BOOTS] = at_slices

    def _expect(self, tick: int, at_risk: Floats) -> None:
        if self._per_minute is None:
            self._per_minute = np.einsum("ocb,cb->oc", self._rates, self.time.online) @ self._members.T
        by_hour = self._of_hour(tick)[:, None]
        raw = self._raw(self._kind_rates) * by_hour
        slices = len(self._members)
        self.total[:, :slices] += self._per_minute * by_hour
        self.total[:, slices:] += self._at_places(raw, self._learned_factors)
        self._until[:, :, (tick + 1) % RING] = self.total / self._scale
        if tick - self._heard_tick <= UNHEARD_MINUTES:
            self._pending.append((tick, at_risk, raw.astype(np.float32)))

    def _at_risk(self) -> Floats:
        online = self._online_at[0].reshape(SYSTEMS, 2, BOOTS)  # the first slice is the whole fleet
        return self.baseline.at_risk(online)

    def _of_hour(self, tick: int) -> Floats:
        """(OUTCOMES,) how much more happens at this hour of the day than the rates say."""
        return self.baseline.by_hour[:, hour_of(tick)]

    def _count_by_hour(self, tick: int, at_risk: Floats) -> bool:
        """Take in what is to be expected of a minute, whatever its hour, and which events came to be known.

        Returns:
            Whether any did.
        """
        events = self._news.events
        expected = (self._learned_rates * at_risk).sum((1, 2))
        self._hours.expect(tick, expected, self._is_told(tick))
        taken = self._known.take(tick)
        if taken.start < taken.stop:
            self._hours.count(events.minute[taken], events.outcome[taken])
        return taken.start < taken.stop

    def _learn(self, tick: int, claimed: Mask, disturbed: Callable[[int], bool]) -> None:
        while self._pending and learned_at(self._pending[0][0], self._news.first_crash_minute) <= tick:
            minute, host_minutes, expected = self._pending.popleft()
            if not disturbed(minute):
                self.baseline.learn_minute(minute, self._is_told(minute), host_minutes, expected)
        events, ripe = self._news.events, self._learnable.take(tick)
        for event in self._learn_order[ripe].tolist():
            minute, outcome = int(events.minute[event]), int(events.outcome[event])
            if not claimed[event] and self._is_told(minute)[outcome] and not disturbed(minute):
                where = self._system[events.cell[event]], events.since_boot[event]
                self.baseline.learn_event(outcome, *where, spots=self._spots.of_event(event))
                if self._learns_hazard and minute > tick - KEPT_MINUTES:
                    self.hazard.learn_event(self.time, event, tick)

    def _is_told(self, minute: int) -> NDArray[np.bool_]:
        """(OUTCOMES,) whether it was told in that minute how often each comes; else it teaches neither."""
        told = np.array([minute > self._news.first_crash_minute] * OUTCOMES)
        are_ends_told = minute > self._news.first_left_minute or minute < self._others_from
        told[DARK] = are_ends_told and not self._news.may_be_patching(minute)
        return told
