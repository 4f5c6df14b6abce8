"""The inquiry: what the events known by a tick say for and against each hypothesis.

It counts, and weighs whatever events it is asked about; which events those are, and what is said of them, the detector
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Set

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.conditions.companions import others_had
from fleetcrash.attribution.conditions.finding import Companion
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, DARK, LAG_MINUTES, OUTCOMES
from fleetcrash.attribution.expected.expectation import Expectation
from fleetcrash.attribution.expected.portion import Portion
from fleetcrash.attribution.expected.spots import Spots
from fleetcrash.attribution.facts import crashers
from fleetcrash.attribution.facts.exposure import AGES, KEPT_MINUTES
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.hypotheses.absences import Absences
from fleetcrash.attribution.hypotheses.charges import Charges
from fleetcrash.attribution.hypotheses.contrast import Moments
from fleetcrash.attribution.hypotheses.departures import Departures
from fleetcrash.attribution.hypotheses.modules import ModuleRise, Modules
from fleetcrash.attribution.hypotheses.struck import Struck
from fleetcrash.attribution.hypotheses.suspects import Trial, try_updates
from fleetcrash.attribution.hypotheses.waves import Beginning, Waves, find_waves
from fleetcrash.counts import clearly_more
from fleetcrash.times import DAY

_AGAIN_MINUTES = 720  # rings of a day come sooner, and are of one push


class Inquiry:
    """The counts between ticks.

    Attributes:
        news: what there is to know; rows of later ticks are not looked at.
        spots: where a rise may be. modules: what hosts crashed in. expected: host-time and the baseline.
        departures: hosts that left. absences: servers that are back before long.
        first_tick: from which on there is anything to know.
        too_early: (events,) those that happened before their outcome was counted; there is no host-time to hold them
            against, or too little. of_servers: (events,) those of hosts that are always on.
    """

    def __init__(self, news: News) -> None:
        self.news = news
        self.spots = Spots(news)
        self.expected = Expectation(news, self.spots)
        self.departures = Departures(news)
        self.first_tick = self._tick = news.first_tick
        self.absences = Absences(news.events)
        self._charges = Charges()
        self._take_over()
        self._charges.extend(news, self.spots.slices, self.too_early)

    def extend(self, news: News, tick: int) -> Ints:
        """Go on with later news, read with ``after_tick`` at the last tick.

        Returns:
            (spots before,) the number that each spot has now.
        """
        before = self.spots
        self.news, self.spots = news, Spots(news)
        moved = self.spots.moved(before)
        self.expected.extend(news, self.spots, moved, tick=tick)
        self.departures.extend(news)
        self.absences.extend(news.events)
        self._take_over()
        self._charges.extend(news, self.spots.slices, self.too_early, moved)
        return moved

    def _take_over(self) -> None:
        """Work out what follows from the news alone."""
        self.modules = Modules(self.news)
        self._counters: dict[int | None, Struck] = {}
        self._with_update: dict[tuple[int, int], Mask] = {}  # asked for again and again within a tick
        events = self.news.events
        self.too_early = events.minute <= self.first_tick
        self.too_early |= (events.outcome != DARK) & (events.minute <= self.news.first_crash_minute)
        warm_until = self.news.first_crash_minute + crashers.WARM_UP_MINUTES if self.news.crashes_only else -1
        always_on = np.array([cell.always_on for cell in self.news.cells])
        self.of_servers: Mask = always_on[events.cell]
        self._only_learned = (events.minute <= warm_until) & ~self.too_early
        self.too_early |= self._only_learned

    def advance(self, tick: int, *, claimed: Mask, disturbed: Callable[[int], bool]) -> bool:
        """Take in a minute; see ``Expectation.advance``.

        Returns:
            Whether an event came to be known, or to be none, or to be news after all.
        """
        self._tick = tick
        self._with_update.clear()
        self.expected.advance(tick, claimed=claimed & ~self._only_learned, disturbed=disturbed)
        self.departures.advance(tick, self.expected.time)
        new = self._new_events(tick)
        if new.size:
            self._charges.charge(new, tick, self.expected.time)
        return self.absences.advance(self.spots.at_place, self._silent_a_day, tick) or bool(new.size)

    def _silent_a_day(self, spot: int) -> float:
        return float(self.expected.since(spot, self._tick - DAY + 1)[DARK])

    def no_news(self, tick: int) -> Mask:
        """(events,) those that say nothing of any update, as known by a tick: they came too early, or are over."""
        return self.too_early | self.absences.are_over(tick)

    def is_new(self, since: int, tick: int) -> Mask:
        """(events,) those that came to be known after one tick and by another, or to be news after all."""
        events = self.news.events
        return ((events.tick > since) & (events.tick <= tick)) | self.absences.are_news(since, tick)

    def trial(
        self,
        tick: int,
        mine: Mask,
        cells: Mask,
        *,
        but: Set[int],
        departures: bool = False,
        portion: Portion | None = None,
    ) -> Trial:
        """Try every update that hosts with some of the events had.

        Args:
            mine: (events,) the events. cells: (cells,) where they may be. but: updates that are not on trial.
            departures: whether the hosts that left count as well, and updates of which nothing else is known.
            portion: what part of all events they are to be; None: all of them.
        """
        struck = self._struck(None)
        rows = struck.rows(tick, mine)
        tried = self.expected.time.by_update.keys() & struck.updates(rows)
        self._charges.charge_late(tick, self.expected.time, tried)
        if departures:
            tried |= self.expected.time.by_update.keys() & self.departures.updates()
        updates = np.array(sorted(tried - but), dtype=np.int64)
        slices = self.spots.slices
        seen = slices.add_up(*struck.counted(rows, updates))
        mean = self.expected.in_slices_with(updates, tick, cells if portion is None else portion.of_cells * cells)
        all_events, all_expected = self._since_release(tick, mine, updates)
        if portion is not None:
            all_expected = all_expected * portion.of_spots[:, None, : len(slices)]
        trial = try_updates(
            updates,
            seen,
            mean,
            others=(
                np.maximum(all_events - seen[:, :, :AGES].sum(2), 0.0),
                np.maximum(all_expected - mean[:, :, :AGES].sum(2), 0.0),
            ),
            log_penalty=self._charges.of(updates),
            learned=self.expected.learned(tick),
            log_weight=self.spots.log_weights(tick)[1],
            conditional_slices=self._charges.slices,
        )
        if not departures:
            return trial
        log_tests = [self.departures.log_test(update) for update in updates.tolist()]
        return trial.with_departures(log_tests, self.departures.by_age(updates))

    def portion(self, rise: ModuleRise | None) -> Portion | None:
        """What part of all events those of a rise in one module are to be; None: there is none."""
        return None if rise is None else self.expected.portion(rise.os_type, rise.share)

    def is_a_rise(self, tick: int, mine: Mask) -> bool:
        """Whether some events (events,) raise an alarm by themselves, whatever update they may be of."""
        events = self.news.events
        is_back = (events.outcome == DARK) & (events.back_tick <= tick)
        found = self.waves(tick, mine & ~is_back, caution=True)
        return found.are_worth_an_alarm(self.spots.log_weights(tick)[0])

    def waves(
        self,
        tick: int,
        mine: Mask,
        *,
        caution: bool,
        also_from: int | None = None,
        portion: Portion | None = None,
    ) -> Waves:
        """Try every wave that some of the events of the last day may be.

        Args:
            mine: (events,) the events. caution: whether to take the baseline as high as an alarm must.
            also_from: see ``find_waves``. portion: see ``trial``.
        """

        def expected_until(spots: Ints, minutes: Ints) -> Floats:
            until = self.expected.until(spots, minutes)
            return until if portion is None else until * portion.of_spots[:, spots]

        return find_waves(
            self.spots.tallies.of(self._known(tick, mine, DAY)),
            end=tick + 1,
            expected_until=expected_until,
            caution=self.expected.caution(tick) if caution else None,
            also_from=also_from,
        )

    def booted_before(self, tick: int, update: int, minutes: Ints) -> Floats:
        """(n,) what part of the time soon after boots with an update, as known by a tick, was before minutes (n,)."""
        return self.expected.time.by_update[update].share_of_boots_before(minutes, tick)

    def events_since(self, spot: int, since: int) -> Mask:
        """(events,) those in a spot from a minute on."""
        return self.spots.events_at(spot) & (self.news.events.minute >= since)

    def struck_by_wave(self, mine: Mask, wave: Beginning, tick: int) -> Mask:
        """(events,) those of some (events,) that are of a wave, as known by a tick."""
        return mine & self.events_since(*wave) & (self.news.events.tick <= tick)

    def events_with(self, update: int, tick: int) -> Mask:
        """(events,) those of hosts that had an update for less than a day, as known by a tick; not to be changed."""
        if (update, tick) not in self._with_update:
            exposed, with_it = self.news.exposed_events.of(update), np.zeros(len(self.news.events), bool)
            with_it[exposed.event[exposed.known(tick, ~self.no_news(tick))]] = True
            with_it.setflags(write=False)
            self._with_update[update, tick] = with_it
        return self._with_update[update, tick]

    def events_ever_with(self, update: int, tick: int) -> Mask:
        """(events,) those of hosts that had an update, for however long, as known by a tick."""
        had, with_it = self.news.ask.had(update), np.zeros(len(self.news.events), bool)
        with_it[had.event[had.tick <= tick]] = True
        return with_it

    def events_of_tellers(self, tick: int) -> Mask:
        """(events,) those of hosts that were known to tell of installs, of whatever update, by a tick."""
        told, tells = self.news.ask.told_installs(), np.zeros(len(self.news.events), bool)
        tells[told.event[told.tick <= tick]] = True
        return tells

    def is_raised(self, spot: int, tick: int) -> bool:
        """Whether in the last hour clearly more happened in a spot than twice what the baseline expects."""
        events = self.news.events
        lately = self.spots.events_at(spot) & (events.tick <= tick) & (events.minute > tick - LAG_MINUTES)
        lately &= ~self.absences.are_over(tick)
        seen = np.bincount(events.outcome[lately], minlength=OUTCOMES)
        for outcomes in ([CRASH, CRASH_AT_BOOT], [DARK]):
            expected = self.expected.since(spot, tick - LAG_MINUTES + 1)[outcomes].sum()
            mean = 2.0 * max(float(expected), 0.0)  # where all are gone it is a rounding error of what was before
            if clearly_more(seen[outcomes].sum(), mean):
                return True
        return False

    def moments(self, tick: int, mine: Mask) -> Moments:
        """Those of some events (events,) of the last day, to compare hosts with an update and those beside them."""
        event = self._known(tick, mine, KEPT_MINUTES)
        return Moments(self.news, self.expected.time, tick=tick, mine=mine, event=event)

    def companions(self, update: int, tick: int, mine: Mask) -> list[Companion]:
        """Other updates that the fault of one may need, with the events of the hosts that had them."""
        news, exposed = self.news, self.news.exposed_events.of(update)
        if not news.installs_told:
            return []
        events = exposed.event[exposed.known(tick, mine)]
        is_dark = news.events.outcome == DARK
        found = []
        tells = np.repeat(np.arange(OUTCOMES) != DARK, AGES)
        for other in others_had(news, update, tick, news.events.host[events]):
            # Only servers are missed, and they have what was sent out at night: silence says nothing of another update.
            with_it = is_dark.copy()
            with_it[events[other.had]] = True
            counted = self.exposed_counts(tick, mine & with_it, update)[:, :AGES].reshape(-1, len(news.cells))
            name = news.suspects[other.update].update_id
            found.append(Companion(name, counted, tells, other.hosts, other.with_it))
        return found

    def by_cell(
        self, update: int, tick: int, mine: Mask, *, departures: bool, portion: Portion | None = None
    ) -> tuple[Floats, Floats]:
        """(K, cells) events of hosts that had an update, and those expected, by outcome and age of the install.

        Args:
            departures: whether hosts that left are a further outcome. portion: see ``trial``.
        """
        events = self.exposed_counts(tick, mine, update)[:, :AGES]
        expected = self.expected.of_hosts_with(update, tick)[:, :AGES]
        if portion is not None:
            expected = expected * portion.of_cells.max(1)[:, None, None]  # hosts of other systems are spared
        flat = (-1, len(self.news.cells))
        parts = [(events.reshape(flat), expected.reshape(flat))]
        if departures:
            parts.append(self.departures.by_cell(update, self.expected.time, tick))
        return np.concatenate([seen for seen, _ in parts]), np.concatenate([mean for _, mean in parts])

    def stands_apart(self, tick: int) -> Mask:
        """(spots,) those where hosts stand, and others elsewhere; see ``Spots.stands_apart``."""
        return self.spots.stands_apart(tick, self.expected.total.sum(0))

    def acquitting(self, tick: int, apart: Mask, struck: Mask) -> Mask:
        """(spots,) those at which a rise says that it is of the place and of no update.

        No region or customer, where most are crashes in one rare module: a power cut brings none of its own.

        Args:
            apart: see ``stands_apart``. struck: (events,) those of the rise.
        """
        minute = self.news.events.minute  # of what rises slowly a little comes before the rise
        before = (self.news.events.tick <= tick) & (minute < minute[struck].min(initial=tick) - LAG_MINUTES)
        return apart & ~self.spots.share_settings if self.modules.are_in_rare(struck, before) else apart

    def usual_with(self, update: int, cells: Mask, tick: int) -> Callable[[int], float]:
        """How many crashes of hosts with an update are to be expected at the baseline, in so many last minutes.

        Args:
            cells: (cells,) of which hosts.
        """
        time, crashes = self.expected.time.by_update[update], [CRASH, CRASH_AT_BOOT]
        so_far = self.expected.of_hosts_with(update, tick)[crashes, :AGES][..., cells].sum((0, 2))
        a_minute = so_far / np.maximum(time.host_minutes(tick)[:, :, :AGES].sum((0, 1)), 1.0)
        return lambda minutes: float(a_minute @ time.host_minutes_since(tick - minutes, tick)[:AGES])

    def exposed_counts(self, tick: int, mine: Mask, update: int) -> Floats:
        """(OUTCOMES, WINDOWS, cells) events of hosts that had an update; see ``Struck.counted``."""
        return self._struck(update).everywhere(tick, mine, update)

    def _struck(self, update: int | None) -> Struck:
        """What counts the exposed events of one update, or of all."""
        if update not in self._counters:
            exposed = self.news.exposed_events if update is None else self.news.exposed_events.of(update)
            self._counters[update] = Struck(exposed, self.news.events, len(self.news.cells))
        return self._counters[update]

    def _known(self, tick: int, mine: Mask, minutes: int) -> Ints:
        """Those of some events (events,) that are of the last minutes, as known by a tick."""
        events = self.news.events
        until = int(np.searchsorted(events.tick, tick, side="right"))
        minute = events.minute[:until]
        return np.flatnonzero(mine[:until] & (minute > tick - minutes) & (minute <= tick))

    def covers(self, spot: int, other: int) -> bool:
        """Whether a slice holds all of another one, as far as is known; see ``Spots.covers``."""
        return self.spots.covers(spot, other, self._tick)

    def released(self, update: int) -> int:
        """The minute of an update's release; where that is untold or still to come, in which it was first heard of.

        Hosts that have it already say that a release still to come is wrong, and as of now it may not be known.
        """
        suspect = self.news.suspects[update]
        minute, told = suspect.released_minute, suspect.told_tick
        if minute is None or told is None or max(minute, told) > self._tick:
            return suspect.known_tick
        return minute

    def pushed(self, update: int) -> Ints:
        """The minutes in which many hosts began to get an update, in order: of its release, and of later pushes."""
        released = self.released(update)
        time = self.expected.time.by_update.get(update)
        if time is None or self._tick - released <= _AGAIN_MINUTES or not self.news.installs_told:
            return np.array([released])
        pushes = time.pushes(self._tick)
        return np.concatenate([[released], pushes[pushes > released + _AGAIN_MINUTES]])

    def _since_release(self, tick: int, mine: Mask, updates: Ints) -> tuple[Floats, Floats]:
        """(OUTCOMES, U, slices) events of all hosts since each update's release, within the last day, and expected."""
        events, cells = self.news.events, len(self.news.cells)
        until = int(np.searchsorted(events.tick, tick, side="right"))
        picked = np.flatnonzero(mine[:until] & (events.minute[:until] > tick - DAY))
        minute, key = events.minute[picked], events.outcome[picked] * cells + events.cell[picked]
        counts = np.zeros((OUTCOMES, len(updates), cells))
        mean = np.zeros((OUTCOMES, len(updates), len(self.spots.slices)))
        for number, update in enumerate(updates):
            since = max(self.released(int(update)), tick - DAY + 1)
            counted = np.bincount(key[minute >= since], minlength=OUTCOMES * cells)
            counts[:, number] = counted.reshape(OUTCOMES, cells)
            mean[:, number] = self.expected.of_slices_since(since)
        return self.spots.slices.add_up(counts), mean

    def _new_events(self, tick: int) -> Ints:
        events = self.news.events
        low, high = np.searchsorted(events.tick, [tick, tick + 1])
        if tick == self.first_tick:
            low = 0
        return np.arange(low, high)
