"""The detector: one tick after another, from counts to incidents.

``Detector.tick`` is all there is to it. ``incidents``, ``backtest`` and the live monitor call the same method with
the same counts; it reads no clock and no lake, and what it says at a tick depends on what was known by then alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution import suspects, waves
from fleetcrash.attribution.baseline import LAG_MINUTES, OUTCOMES, SYSTEMS, Baseline
from fleetcrash.attribution.condition import ConditionSearch
from fleetcrash.attribution.conditions import Condition
from fleetcrash.attribution.evidence import TEST_RATIOS
from fleetcrash.attribution.exposure import AGES, BOOTS, KEPT_MINUTES, HostTime, grown
from fleetcrash.attribution.incident import Incident
from fleetcrash.attribution.news import OS_INDEX, PLACES, News
from fleetcrash.attribution.slices import Slices, cut
from fleetcrash.attribution.suspects import Trial, try_updates
from fleetcrash.attribution.verdict import LOG_PRIOR_UPDATE, Judgement, Kind, judge
from fleetcrash.attribution.waves import Waves, find_waves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

DAY = 1440
_PLACE_WEIGHT = 0.3  # prior that a wave is cut by group, site or customer rather than by what the host is
_HOT_MINUTES = 90  # an incident younger than this is judged anew at every minute with a new event ...
_IDLE_MINUTES = 5  # ... an older one, or one without news, on every fifth minute
_RATE_MINUTES = 10  # the baseline moves slowly; its rates are worked out this often
_CONDITION_GROWTH = 1.02  # the condition is looked for again once the events have grown by this factor


@dataclass
class Detector:
    """The state between ticks.

    Attributes:
        news: what there is to know; rows of later ticks are not looked at.
        incidents: all so far, open and closed, in the order of their alarms.
    """

    news: News
    incidents: list[Incident] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._first_tick = self.news.first_tick
        self._tick = self._first_tick - 1
        self._time = HostTime.start(self.news)
        self._slices: Slices = cut(self.news.cells)
        spots = len(self._slices) + len(self.news.places.names)
        self._online_at = np.zeros((len(self.news.places.names), SYSTEMS, 2, BOOTS))
        self._baseline = Baseline(spots)
        self._pending: list[tuple[int, Floats, Floats]] = []
        self._expected_total = np.zeros((OUTCOMES, spots))
        self._expected_until = np.zeros((OUTCOMES, spots, DAY + 1))
        self._penalty: dict[int, Floats] = {}
        self._claimed = np.zeros(0, bool)
        self._unjudged = False
        self._take_over()

    def extend(self, news: News) -> None:
        """Go on with later news, read with ``after_tick`` at the last tick."""
        before = list(self._slices.slices)
        conditional = [self._slices.slices[n] for n in self._conditional]
        had_places = len(self.news.places.names)
        self.news = news
        self._time.extend(news)
        self._slices = cut(news.cells)
        now = list(self._slices.slices)
        places = len(news.places.names)
        moved = np.array([now.index(part) for part in before] + [len(now) + n for n in range(had_places)])

        def placed(values: Floats) -> Floats:
            wider = np.zeros((values.shape[0], len(now) + places, *values.shape[2:]))
            wider[:, moved] = values
            return wider

        self._online_at = grown(self._online_at, 0, places)
        self._baseline.move(placed)
        self._pending = [(tick, minutes, placed(raw)) for tick, minutes, raw in self._pending]
        self._expected_total = placed(self._expected_total)
        self._expected_until = placed(self._expected_until)
        for incident in self.incidents:
            incident.spot, incident.wave_spot = int(moved[incident.spot]), int(moved[incident.wave_spot])
        self._take_over()
        if [self._slices.slices[n] for n in self._conditional] != conditional:
            rows = [[self._slices.slices[n] for n in self._conditional].index(part) for part in conditional]
            for update, values in self._penalty.items():
                wider = np.zeros((*values.shape[:2], len(self._conditional), values.shape[3]))
                wider[:, :, rows] = values
                self._penalty[update] = wider

    def _take_over(self) -> None:
        """Work out what follows from the news alone."""
        news = self.news
        self._conditional = np.array(
            [n for n, part in enumerate(self._slices.slices) if part.key in ("all", "os_type")], dtype=np.int64
        )
        self._conditions = ConditionSearch(news.cells)
        self._cell_system = np.array([OS_INDEX.get(cell.os_type, 3) for cell in news.cells])
        self._cell_always_on = np.array([cell.always_on for cell in news.cells], float)
        self._of_system = np.stack([self._cell_system == system for system in range(SYSTEMS)]).astype(float)
        self._known_rates: Floats | None = None
        self._place_names = news.places.names
        self._place_row = 0
        made = self._made_by_update()
        self._spot_log_weight = np.where(made, -np.inf, self._weigh_spots())
        self._slice_log_weight = self._slices.log_weight + np.where(made[: len(self._slices)], LOG_PRIOR_UPDATE, 0.0)
        self._spots_of_event = self._find_spots()
        # What happened before the first tick has no host-time to be held against.
        self._too_early = news.events.minute <= self._first_tick
        self._claimed = grown(self._claimed, 0, len(news.events)) | self._too_early
        ripe = np.maximum(news.events.minute + LAG_MINUTES, news.events.tick)
        self._learn_order = np.argsort(ripe, kind="stable")
        self._learned = int((ripe <= self._tick).sum())

    @property
    def open_incidents(self) -> list[Incident]:
        """Incidents that have not closed."""
        return [incident for incident in self.incidents if incident.closed_tick is None]

    def tick(self, tick: int, *, look: bool = True) -> None:
        """Take in what was known by a whole minute, and judge it. Ticks come in order, none left out.

        Args:
            look: False only counts; what it passed over is judged at the next look.
        """
        self._tick = tick
        self._time.advance(tick)
        self._advance_places(tick)
        self._learn(tick)
        if self._known_rates is None or tick % _RATE_MINUTES == 0:
            self._known_rates = self._rates()
        rates = self._known_rates
        self._expect(tick, rates)
        new = self._new_events(tick)
        if new.size:
            self._penalise(new, tick)
        if not look:
            self._unjudged |= bool(new.size)
            return
        fresh, self._unjudged = bool(new.size) or self._unjudged, False
        if fresh and self.incidents:
            self._stake_all(tick)
        for incident in self.open_incidents:
            if tick % _IDLE_MINUTES == 0 or (fresh and tick - incident.alarm_tick < _HOT_MINUTES):
                self._follow(incident, tick, rates)
            self._maybe_close(incident, tick)
        if fresh and not any(incident.claims_all for incident in self.open_incidents):
            self._watch(tick, rates)

    @property
    def named(self) -> list[tuple[str, Condition | None]]:
        """Updates that incidents name now, with their conditions, in the order of the alarms."""
        suspects_now = self.news.suspects
        return [(suspects_now[one.update].update_id, one.condition) for one in self.incidents if one.update is not None]

    # -- what stands behind an incident

    def spot_name(self, incident: Incident) -> tuple[str, str]:
        """Attribute and value of the slice or place that the incident's rise follows."""
        if incident.wave_spot >= len(self._slices):
            return self._place_names[incident.wave_spot - len(self._slices)]
        part = self._slices.slices[incident.wave_spot]
        return part.key, part.condition.get(part.key, "")

    def describe_spot(self, spot: int) -> str:
        """A slice or place in words."""
        if spot >= len(self._slices):
            return " ".join(self._place_names[spot - len(self._slices)])
        condition = self._slices.slices[spot].condition
        return ", ".join(f"{key.replace('_', ' ')} {text}" for key, text in condition.items()) or "the whole fleet"

    def claimed(self, incident: Incident) -> tuple[int, int]:
        """How many hosts crashed and how many went dark in what the incident accounts for."""
        outcome = self.news.events.outcome[incident.claim(len(self.news.events))]
        return int((outcome == 0).sum()), int((outcome == 1).sum())

    def common_module(self, incident: Incident) -> str | None:
        """The module in which at least four fifths of the incident's crashes happened, if there is one."""
        events = self.news.events
        picked = events.module[incident.claim(len(events)) & (events.outcome == 0)]
        names, counts = np.unique(np.array([name or "" for name in picked], dtype=str), return_counts=True)
        if not len(names) or counts.max() < 0.8 * len(picked) or len(picked) < 3:
            return None
        return str(names[counts.argmax()]) or None

    def counts_behind(self, incident: Incident) -> tuple[float, float, float]:
        """Events seen, events expected and log evidence of what the incident is blamed on, or of the likeliest."""
        trial, found, judgement = incident.trial, incident.waves, incident.judgement
        if trial is None or found is None or judgement is None:
            return 0.0, 0.0, 0.0
        if incident.kind is not Kind.NO_UPDATE and len(trial.updates):
            leader = int(np.argmax(trial.log_evidence))
            if incident.update is not None:
                leader = int(np.flatnonzero(trial.updates == incident.update)[0])
            return (*trial.counts(leader), float(trial.log_evidence[leader]))
        if judgement.wave is None:
            return 0.0, 0.0, 0.0
        row, length = judgement.wave
        return (
            float(found.events[:, row, length].sum()),
            float(found.expected[:, row, length].sum()),
            float(found.log_evidence[row, length]),
        )

    # -- what is normal

    def _rates(self) -> Floats:
        """(OUTCOMES, cells, BOOTS) events per host-minute at the baseline."""
        factors = self._slices.cell_factors(self._baseline.factors()[:, : len(self._slices)])
        rates = self._baseline.rates()[:, self._cell_system] * factors[..., None]
        rates[1] *= self._cell_always_on[:, None]
        return rates

    def _advance_places(self, tick: int) -> None:
        rows = self.news.places
        until = int(np.searchsorted(rows.minute, tick, side="right"))
        taken = slice(self._place_row, until)
        flat = self._online_at.reshape(len(self._place_names), -1)
        np.add.at(flat, (rows.place[taken], rows.stratum[taken]), rows.change[taken])
        self._place_row = until

    def _expect(self, tick: int, rates: Floats) -> None:
        """Note how many events each slice and place would have in this minute if nothing were wrong."""
        online = self._time.online
        by_cell = (rates * online).sum(2)
        plain = self._baseline.rates()
        raw_by_cell = plain[:, self._cell_system] * online
        raw_by_cell[1] *= self._cell_always_on[:, None]
        members = self._slices.members
        host_minutes = np.zeros((OUTCOMES, SYSTEMS, BOOTS))
        host_minutes[0] = self._of_system @ online
        host_minutes[1] = self._of_system @ (online * self._cell_always_on[:, None])
        at_places = np.stack(
            [
                np.einsum("psab,sb->p", self._online_at, plain[0]),
                np.einsum("psb,sb->p", self._online_at[:, :, 1], plain[1]),
            ]
        )
        place_factors = np.maximum(self._baseline.factors()[:, len(self._slices) :], 1.0)
        raw = np.concatenate([raw_by_cell.sum(2) @ members.T, at_places], axis=1)
        self._expected_total += np.concatenate([by_cell @ members.T, at_places * place_factors], axis=1)
        self._expected_until[:, :, (tick + 1) % (DAY + 1)] = self._expected_total
        self._pending.append((tick, host_minutes, raw))

    def _learn(self, tick: int) -> None:
        """Add to the baseline the minute that is an hour old, unless something was wrong then."""
        ripe = [entry for entry in self._pending if entry[0] <= tick - LAG_MINUTES]
        self._pending = self._pending[len(ripe) :]
        events = self.news.events
        counted = np.zeros((OUTCOMES, SYSTEMS, BOOTS))
        at_spots = np.zeros((OUTCOMES, self._baseline.slices))
        while self._learned < len(events):
            event = int(self._learn_order[self._learned])
            if max(events.minute[event] + LAG_MINUTES, events.tick[event]) > tick:
                break
            self._learned += 1
            if not self._claimed[event] and not self._disturbed(int(events.minute[event])):
                system = self._cell_system[events.cell[event]]
                counted[events.outcome[event], system, events.since_boot[event]] += 1
                spots = self._spots_of_event[event]
                at_spots[events.outcome[event], spots[spots >= 0]] += 1
        quiet = [entry for entry in ripe if not self._disturbed(entry[0])]
        if quiet or counted.any():
            zero = np.zeros_like(counted)
            self._baseline.learn(
                counted,
                sum((entry[1] for entry in quiet), zero),
                at_spots,
                sum((entry[2] for entry in quiet), np.zeros_like(at_spots)),
            )

    def _disturbed(self, minute: int) -> bool:
        return any(incident.disturbs(minute) for incident in self.incidents)

    # -- events

    def _new_events(self, tick: int) -> Ints:
        events = self.news.events
        low, high = np.searchsorted(events.tick, [tick, tick + 1])
        if tick == self._first_tick:
            low = 0
        return np.arange(low, high)

    def _find_spots(self) -> Ints:
        """(events, at most 10) slices and places that each event belongs to, -1 for none."""
        events = self.news.events
        members = self._slices.members[:, events.cell] if len(events) else np.zeros((1, 0))
        most = int(members.sum(0).max(initial=1)) + len(PLACES)
        spots = np.full((len(events), most), -1, dtype=np.int64)
        column = np.zeros(len(events), dtype=np.int64)
        for number, inside in enumerate(members):
            hit = np.flatnonzero(inside)
            spots[hit, column[hit]] = number
            column[hit] += 1
        index = {pair: len(self._slices) + number for number, pair in enumerate(self._place_names)}
        for dimension, values in zip(PLACES, events.places, strict=True):
            found = np.array([index.get((dimension, value), -1) for value in values], dtype=np.int64)
            spots[np.arange(len(events)), column] = found
            column += 1
        return spots

    def _made_by_update(self) -> Mask:
        """(spots,) slices that are an agent upgrade's or OS patch's own hosts.

        As waves they would be no rivals of it, but the same thing; as the slice that another update hits they take two
        guilty updates at once.
        """
        made = {one.version for one in self.news.suspects if one.kind in ("agent", "os_patch") and one.version}
        own = [
            part.condition.get("agent_version", "").removeprefix(">=") in made or part.condition.get("os_build") in made
            for part in self._slices.slices
        ]
        return np.array(own + [False] * len(self._place_names), bool)

    def _weigh_spots(self) -> Floats:
        of_slices = self._slices.log_weight
        if not self._place_names:
            return of_slices
        used = [name for name, _ in self._place_names]
        sizes = {name: used.count(name) for name in set(used)}
        places = np.log([_PLACE_WEIGHT / len(sizes) / sizes[name] for name in used])
        return np.concatenate([of_slices + np.log(1.0 - _PLACE_WEIGHT), places])

    def _penalise(self, new: Ints, tick: int) -> None:
        """Charge every update for the events that just became known, whether its hosts had them or not."""
        events = self.news.events
        new = new[events.minute[new] > tick - KEPT_MINUTES]
        new = new[~self._too_early[new]]
        if not new.size:
            return
        inside = self._slices.members[self._conditional][:, events.cell[new]]
        outcome = np.stack([events.outcome[new] == number for number in range(OUTCOMES)]).astype(float)
        for update in self._time.by_update:
            share = self._time.risk_set(update, events.minute[new], events.cell[new], events.since_boot[new])
            terms = np.log1p((TEST_RATIOS - 1.0) * share[..., None])
            total = np.einsum("oe,ke,ear->oakr", outcome, inside, terms)
            self._penalty[update] = self._penalty.get(update, 0.0) + total

    # -- judging

    def _watch(self, tick: int, rates: Floats) -> None:
        """Open an incident when the events that no incident claims pass a test."""
        free = ~self._claimed
        trial = self._trial(tick, rates, free, but={other.update for other in self.open_incidents})
        passed = len(trial.updates) and trial.log_test.max() >= suspects.LOG_THRESHOLD
        if not passed:
            found = self._waves(tick, free, caution=True)
            if found.log_alarm(self._spot_log_weight) < waves.LOG_THRESHOLD:
                return
        incident = Incident.opened(tick, sum(other.alarm_tick == tick for other in self.incidents))
        self.incidents.append(incident)
        self._stake_all(tick)
        self._follow(incident, tick, rates)
        self._stake_all(tick)

    def _follow(self, incident: Incident, tick: int, rates: Floats) -> None:
        """Judge an open incident anew on its own events and those that no other claims."""
        mine = ~self._claimed | incident.claim(len(self._claimed))
        others = {other.update for other in self.open_incidents if other is not incident}
        trial = self._trial(tick, rates, mine, but=others)
        found = self._waves(tick, mine, caution=False)
        judgement = judge(
            trial,
            found,
            place_log_weight=self._spot_log_weight,
            minutes_open=tick - incident.alarm_tick,
            named_before=incident.update,
        )
        condition = incident.condition
        if judgement.kind is Kind.UPDATE and judgement.update is not None:
            events = self._exposed_counts(tick, mine, np.array([judgement.update]))[:, 0]
            total = int(events.sum())
            if judgement.update != incident.update or total > incident.condition_events * _CONDITION_GROWTH:
                expected = self._expected_exposed(tick, rates, np.array([judgement.update]))[:, 0]
                cells = len(self.news.cells)
                condition = self._conditions.find(events.reshape(-1, cells), expected.reshape(-1, cells))
                incident.condition_events = total
        else:
            condition = None
        incident.record(tick, judgement, trial, found, condition)
        self._settle(incident, judgement, trial, found)

    def _settle(self, incident: Incident, judgement: Judgement, trial: Trial, found: Waves) -> None:
        """Note where to watch the incident, and since when, after a judgement."""
        incident.claims_all = judgement.kind in (Kind.UNDETERMINED, Kind.CANNOT_SEPARATE)
        incident.spot = 0
        if judgement.kind is Kind.UPDATE and judgement.update is not None:
            row = int(np.flatnonzero(trial.updates == judgement.update)[0])
            cut_by = self._slices.slices[int(np.argmax(trial.log_by_slice[row]))]
            incident.spot = self._spot_of_system(cut_by.condition.get("os_type"))
        elif judgement.kind is Kind.NO_UPDATE and judgement.wave is not None:
            row = judgement.wave[0]
            incident.wave_spot = incident.spot = int(found.place[row])
            if incident.spot < len(self._slices):
                system = self._slices.slices[incident.spot].condition.get("os_type")
                incident.spot = incident.spot if system is None else self._spot_of_system(system)
            incident.onset_minute = min(int(found.onset[row]), incident.onset_minute)

    def _stake(self, incident: Incident, tick: int) -> None:
        """Claim the events that the incident accounts for, so that they open no second one.

        While its rate is raised, that is whatever happens where it is watched: a crash in a boot loop may reach us
        without its install. Later it is what happens to hosts that have the named update.
        """
        events = self.news.events
        since = min(incident.onset_minute, incident.alarm_tick - LAG_MINUTES)
        claim = (events.tick <= tick) & (events.minute >= since) & (self._spots_of_event == incident.spot).any(1)
        if not incident.claims_all:
            raised = events.minute <= incident.last_raised_minute + LAG_MINUTES
            if incident.update is not None:
                rows = self._exposed_rows(tick, ~self._too_early)
                rows = rows[self.news.exposed_events.update[rows] == incident.update]
                raised[self.news.exposed_events.event[rows]] = True
            claim &= raised
        incident.set_claim(claim)

    def _stake_all(self, tick: int) -> None:
        self._claimed = self._too_early.copy()
        for incident in self.incidents:
            if incident.closed_tick is None:
                self._stake(incident, tick)
            self._claimed |= incident.claim(len(self._claimed))

    def _spot_of_system(self, system: str | None) -> int:
        for number, part in enumerate(self._slices.slices):
            if part.key == "os_type" and part.condition["os_type"] == system:
                return number
        return 0

    def _maybe_close(self, incident: Incident, tick: int) -> None:
        """Close after an hour at the baseline with nobody dark because of it."""
        events = self.news.events
        inside = (self._spots_of_event == incident.spot).any(1) & (events.tick <= tick)
        lately = inside & (events.minute > tick - LAG_MINUTES)
        raised = False
        for outcome in range(OUTCOMES):
            before = self._expected_until[outcome, incident.spot, (tick - LAG_MINUTES + 1) % (DAY + 1)]
            mean = (self._expected_total[outcome, incident.spot] - before) * 2.0
            count = int((lately & (events.outcome == outcome)).sum())
            raised |= count > mean + 3.0 * np.sqrt(mean) + 2.0
        if raised:
            incident.last_raised_minute = tick
        dark = incident.claim(len(events)) & (events.outcome == 1) & (events.tick <= tick) & (events.back_tick > tick)
        dark &= events.minute >= incident.alarm_tick - LAG_MINUTES
        if tick - max(incident.last_raised_minute, incident.alarm_tick) >= LAG_MINUTES and not dark.any():
            incident.close(tick)

    def _trial(self, tick: int, rates: Floats, mine: Mask, *, but: set[int | None]) -> Trial:
        rows = self._exposed_rows(tick, mine)
        updates = np.unique(self.news.exposed_events.update[rows])
        updates = np.array([u for u in updates if u not in but and u in self._penalty], dtype=np.int64)
        members = self._slices.members.T
        seen = self._exposed_counts(tick, mine, updates).astype(np.float32) @ members
        mean = self._expected_exposed(tick, rates, updates).astype(np.float32) @ members
        shape = (OUTCOMES, len(updates), AGES, len(self._conditional), len(TEST_RATIOS))
        penalty = np.array([self._penalty[u] for u in updates]).swapaxes(0, 1) if len(updates) else np.zeros(shape)
        all_events, all_expected = self._since_release(tick, mine, updates)
        return try_updates(
            updates,
            seen,
            mean,
            others=(np.maximum(all_events - seen.sum(2), 0.0), np.maximum(all_expected - mean.sum(2), 0.0)),
            log_penalty=penalty,
            caution=self._baseline.caution(),
            log_weight=self._slice_log_weight,
            conditional_slices=self._conditional,
        )

    def _since_release(self, tick: int, mine: Mask, updates: Ints) -> tuple[Floats, Floats]:
        """(OUTCOMES, U, slices) events of all hosts since each update's release, within the last day, and expected."""
        events = self.news.events
        until = int(np.searchsorted(events.tick, tick, side="right"))
        picked = np.flatnonzero(mine[:until] & (events.minute[:until] > tick - DAY))
        inside = self._slices.members[:, events.cell[picked]]
        seen = np.zeros((OUTCOMES, len(updates), len(self._slices)))
        mean = np.zeros_like(seen)
        for number, update in enumerate(updates):
            suspect = self.news.suspects[int(update)]
            released = suspect.known_tick if suspect.released_us is None else -(-suspect.released_us // 60_000_000)
            since = max(released, tick - DAY + 1)
            for outcome in range(OUTCOMES):
                counts = (events.minute[picked] >= since) & (events.outcome[picked] == outcome)
                seen[outcome, number] = inside @ counts.astype(np.float32)
            mean[:, number] = (self._expected_total - self._expected_until[:, :, since % (DAY + 1)])[
                :, : len(self._slices)
            ]
        return seen, mean

    def _exposed_rows(self, tick: int, mine: Mask) -> Ints:
        rows = self.news.exposed_events
        until = int(np.searchsorted(rows.tick, tick, side="right"))
        return np.flatnonzero(mine[rows.event[:until]] & (rows.gone_tick[:until] > tick))

    def _exposed_counts(self, tick: int, mine: Mask, updates: Ints) -> Floats:
        """(OUTCOMES, U, AGES, cells) events of hosts that had each update, by the age of the install."""
        rows, events = self.news.exposed_events, self.news.events
        picked = self._exposed_rows(tick, mine)
        picked = picked[np.isin(rows.update[picked], updates)]
        counts = np.zeros((OUTCOMES, len(updates), AGES, len(self.news.cells)))
        event = rows.event[picked]
        where = (
            events.outcome[event],
            np.searchsorted(updates, rows.update[picked]),
            rows.age[picked],
            events.cell[event],
        )
        np.add.at(counts, where, 1.0)
        return counts

    def _expected_exposed(self, tick: int, rates: Floats, updates: Ints) -> Floats:
        """(OUTCOMES, U, AGES, cells) events expected at the baseline of hosts that had each update."""
        expected = np.zeros((OUTCOMES, len(updates), AGES, len(self.news.cells)))
        for number, update in enumerate(updates):
            minutes = np.maximum(self._time.by_update[int(update)].host_minutes(tick), 0.0)
            for boot in range(BOOTS):
                expected[:, number] += (rates[:, :, boot, None] * minutes[:, boot]).swapaxes(1, 2)
        return expected

    def _waves(self, tick: int, mine: Mask, *, caution: bool) -> Waves:
        events = self.news.events
        until = int(np.searchsorted(events.tick, tick, side="right"))
        picked = np.flatnonzero(mine[:until] & (events.minute[:until] > tick - DAY) & (events.minute[:until] <= tick))
        spots = self._spots_of_event[picked]
        row, column = np.nonzero(spots >= 0)
        event = picked[row]
        return find_waves(
            spots[row, column],
            events.minute[event],
            events.outcome[event],
            end=tick + 1,
            expected_until=self._expected_until,
            caution=self._baseline.caution() if caution else None,
        )
